"""Draw the strip of photographs in README: some that a subset keeps, and what each stands for.

The first row are kept photographs, some of each class. Below each is the dropped photograph of its
class whose embedding is nearest. Needs a finished run whose images are embedded, and their archive.

    python benchmarks/strip.py --run results/petimages --archive petimages-15k.zip \
        --subset kernel_thinning/0.01 --output docs/figures/strip.jpg
"""

import argparse
import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont, ImageOps

from petite.data.splits import training_images
from petite.data.store import Store
from petite.features.embedding import read_embeddings
from petite.util.files import read_table

SIDE, GAP, MARGIN = 88, 4, 88  # pixels
COLUMNS = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--archive", type=Path, required=True)
    parser.add_argument("--subset", default="kernel_thinning/0.01", help="METHOD/FRACTION")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    store = Store.open(args.run / "store/manifest.json")
    training = training_images(read_table(next(args.run.glob("splits/*.parquet"))))
    embeddings, _ = read_embeddings(
        store, training["image_id"], sorted(args.run.glob("embeddings/*/*.npy"))
    )
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    path = next((args.run / "subsets" / args.subset).glob("seeds-*.parquet"))
    kept = set(pd.read_parquet(path).query("seed == 0")["image_id"])
    pairs = pairs_of(training.reset_index(drop=True), embeddings, kept)
    with zipfile.ZipFile(args.archive) as archive:
        strip(archive, pairs).save(args.output, quality=80, optimize=True)


def pairs_of(
    training: pd.DataFrame, embeddings: np.ndarray, kept: set[str]
) -> list[tuple[str, str]]:
    """Kept images, equally many of each class, and the nearest dropped image of each."""
    is_kept = training["image_id"].isin(kept).to_numpy()
    labels, rng = training["label"].to_numpy(), np.random.default_rng(0)
    pairs, used = [], set()
    for label in np.unique(labels):
        own = rng.permutation(np.flatnonzero(is_kept & (labels == label)))
        dropped = np.flatnonzero(~is_kept & (labels == label))
        for row in own[: COLUMNS // len(np.unique(labels))]:
            near = dropped[np.argsort(-(embeddings[dropped] @ embeddings[row]))]
            other = next(one for one in near if one not in used)
            used.add(other)
            pairs.append((training["image_id"][row], training["image_id"][other]))
    return pairs


def strip(archive: zipfile.ZipFile, pairs: list[tuple[str, str]]) -> Image.Image:
    """The two rows with their names."""
    picture = Image.new("RGB", (MARGIN + len(pairs) * (SIDE + GAP), 2 * SIDE + GAP), "white")
    paths = {"/".join(name.split("/")[-2:]): name for name in archive.namelist()}
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=15)
    for row, name in enumerate(("kept", "dropped")):
        middle = row * (SIDE + GAP) + SIDE // 2
        draw.text((MARGIN - 12, middle), name, fill="#333333", font=font, anchor="rm")
    for column, image_ids in enumerate(pairs):
        for row, image_id in enumerate(image_ids):
            image = Image.open(io.BytesIO(archive.read(paths[image_id]))).convert("RGB")
            corner = (MARGIN + column * (SIDE + GAP), row * (SIDE + GAP))
            picture.paste(ImageOps.fit(image, (SIDE, SIDE)), corner)
    return picture


if __name__ == "__main__":
    main()
