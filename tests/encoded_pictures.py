"""Smooth pictures of two classes, a store of them, and the same pictures encoded."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from petite.data.encode import EncodedFiles, Encoding, encode_shard
from petite.data.ingest import build_index, gather_shards, ingest_shard, make_manifest
from petite.data.sources import listing, open_source
from petite.data.store import Store, shard_record
from petite.util.files import write_json, write_table

SIDE = 16  # of the store


def write_smooth(folder: Path, count: int) -> None:
    """Write pictures of 40x60 pixels in turn to the folders a and b; those of b are brighter."""
    rng = np.random.default_rng(0)
    for number in range(count):
        path = folder / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        colors = (rng.integers(0, 200, (4, 6, 3)) + 50 * (number % 2)).astype(np.uint8)
        Image.fromarray(colors).resize((60, 40), Image.Resampling.BICUBIC).save(path)


def rows_of(pictures: Path) -> pd.DataFrame:
    with open_source("folder", pictures) as source:
        return listing(source, classes=None, limit_per_class=None, max_bad_share=0.5)


def encoded(
    pictures: Path, folder: Path, encoding: Encoding, channels: int = 3
) -> tuple[pd.DataFrame, Path]:
    """Encode all pictures as one shard; the table and its path."""
    path = folder / "1-of-1.parquet"
    files = EncodedFiles(path.with_suffix(".images"), path.with_suffix(".npy"))
    with open_source("folder", pictures) as source:
        table = encode_shard(source, rows_of(pictures), files, encoding, SIDE, channels)
    write_table(path, table)
    return table, path


def stored(pictures: Path, folder: Path) -> Store:
    rows = rows_of(pictures)
    (folder / "shards").mkdir(parents=True)
    path = folder / "shards/1-of-1.npy"
    with open_source("folder", pictures) as source:
        table = ingest_shard(source, rows, path, image_size=SIDE, channels=3)
    write_table(path.with_suffix(".parquet"), table)
    index = build_index(
        gather_shards(rows, [table]),
        ["a", "b"],
        limit_per_class=None,
        max_bad_share=0.5,
        near_copy_distance=None,
    )
    write_table(folder / "index.parquet", index)
    manifest = make_manifest(
        index, ["a", "b"], [shard_record(path, folder)], image_size=SIDE, channels=3, settings={}
    )
    write_json(folder / "manifest.json", manifest)
    return Store.open(folder / "manifest.json")
