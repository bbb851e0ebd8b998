"""Small stores of images with and without labels, as the workflow makes them."""

from pathlib import Path

import numpy as np
from PIL import Image

from petite.data.ingest import build_index, gather_shards, ingest_shard, make_manifest
from petite.data.sources import listing, open_source
from petite.data.store import Store, shard_record
from petite.util.files import write_json, write_table

SIDE = 48


def picture(seed: int) -> Image.Image:
    """A smooth picture, another for each seed."""
    colors = np.random.default_rng(seed).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    return Image.fromarray(colors).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def write_picture(path: Path, seed: int, **options: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed).save(path, **options)


def store_of(source_name: str, images: Path, folder: Path, near: int | None = 6) -> Store:
    """The store of a folder of images, in a folder."""
    pixels = folder / "shards/1-of-1.npy"
    with open_source(source_name, images) as source:
        entries = listing(source, None, None, 0.1)
        rows = ingest_shard(source, entries, pixels, image_size=32, channels=3)
    write_table(pixels.with_suffix(".parquet"), rows)
    classes = list(dict.fromkeys(entries["class_name"]))
    index = build_index(
        gather_shards(entries, [rows]),
        classes,
        limit_per_class=None,
        max_bad_share=0.9,
        near_copy_distance=near,
    )
    write_table(folder / "index.parquet", index)
    shards = [shard_record(pixels, folder)]
    write_json(folder / "manifest.json", make_manifest(index, classes, shards, 32, 3, {}))
    return Store.open(folder / "manifest.json")
