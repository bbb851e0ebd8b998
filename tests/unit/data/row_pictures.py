"""Pictures for the tests of sources of rows, and how these tests list and ingest."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from petite.data.ingest import ingest_shard, shard_rows
from petite.data.sources import Columns, Limits, Source, listing, open_source
from petite.util.errors import PetiteError
from petite.util.notices import Notices


def pixels(seed: int, side: int = 16) -> np.ndarray:
    """A picture of its own for each seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))


def encoded(seed: int, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels(seed)).save(file, kind)
    return file.getvalue()


def listed(source: Source, **settings: Any) -> pd.DataFrame:
    default = {"classes": None, "limit_per_class": None, "max_bad_share": 0.1}
    return listing(source, **(default | settings))


def table_at(name: str, path: Path, notices: Notices | None = None, **columns: str) -> pd.DataFrame:
    """The listing of a source."""
    with open_source(name, path, columns=Columns(**columns)) as source:
        return listed(source, notices=notices)


def contents(name: str, path: Path, **columns: str) -> dict[str, Any]:
    """What a source gives for each of its images."""
    with open_source(name, path, columns=Columns(**columns)) as source:
        return dict(source.read_many(listed(source)["image_id"]))


def ingested(name: str, path: Path, folder: Path, shards: int) -> tuple[pd.DataFrame, np.ndarray]:
    """All shards of a source after each other: their tables and their pixels."""
    folder.mkdir(exist_ok=True)
    tables, images = [], []
    for number in range(1, shards + 1):
        with open_source(name, path) as source:
            rows = shard_rows(listed(source), number, shards)
            file = folder / f"{number}-of-{shards}.npy"
            tables.append(ingest_shard(source, rows, file, image_size=8, channels=3))
        images.append(np.load(file))
    return pd.concat(tables, ignore_index=True), np.concatenate(images)


def refused(name: str, path: Path, **columns: str) -> str:
    """The sentence with which a source is refused."""
    with (
        pytest.raises(PetiteError) as caught,
        open_source(name, path, Limits(), Columns(**columns)) as source,
    ):
        listed(source)
    text = str(caught.value)
    assert "\n" not in text
    return text
