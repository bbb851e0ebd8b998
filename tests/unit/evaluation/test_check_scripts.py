"""The scripts of the checks, on the images that a split may have."""

from argparse import Namespace
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from embedded import DIMENSIONS, EmbeddedStore, embedded_store

from petite.util.files import write_table

COUNT = 60


@pytest.fixture
def stored(tmp_path: Path) -> EmbeddedStore:
    return embedded_store(tmp_path, COUNT)


def split_of(stored: EmbeddedStore, **columns: np.ndarray) -> pd.DataFrame:
    """40 training images, and 10 of each other part."""
    parts = np.repeat(["train", "validation", "test"], [40, 10, 10])
    return stored.images.assign(split=parts, **columns)


def checked(name: str, stored: EmbeddedStore, split: pd.DataFrame, of: list[str]) -> pd.DataFrame:
    """The table that a script writes; altered copies were made of the images `of`."""
    folder = stored.manifest.parent
    write_table(folder / "split.parquet", split)
    noise = np.random.default_rng(1).normal(size=(len(of), DIMENSIONS))
    np.save(folder / "altered.npy", noise.astype(np.float32))
    about = pd.DataFrame({"image_id": of, "alteration": "mirrored"})
    write_table(folder / "altered.parquet", about)
    import_module(name).main(
        Namespace(
            manifest=stored.manifest,
            split=folder / "split.parquet",
            embeddings=[stored.embeddings],
            altered=folder / "altered.npy",
            output=folder / f"{name}.csv",
        )
    )
    return pd.read_parquet(folder / f"{name}.parquet")


@pytest.mark.parametrize("groups", [False, True])
@pytest.mark.parametrize("name", ["cues", "label_errors", "near_duplicates"])
def test_images_of_weight_0_are_not_checked(name: str, groups: bool, stored: EmbeddedStore) -> None:
    weight = np.ones(COUNT)
    weight[[0, 7, 39]] = 0
    columns = {"weight": weight}
    if groups:
        columns["group"] = np.repeat(["p", "", "q"], [10, 40, 10]).astype(object)
    split = split_of(stored, **columns)
    table = checked(name, stored, split, split["image_id"].iloc[1:7].tolist())
    ids = {"label_errors": "image_id", "near_duplicates": "train_image_id"}.get(name)
    if ids is None:
        assert (table["images"] == (31 if groups else 37)).all()
        return
    assert not set(table[ids]) & set(split["image_id"].iloc[[0, 7, 39]])
