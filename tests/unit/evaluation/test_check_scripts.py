"""The scripts of the checks, on the images that a split may have."""

from argparse import Namespace
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from embedded import DIMENSIONS, EmbeddedStore, embedded_store

from petite.util.files import read_json, write_table

COUNT = 60


@pytest.fixture
def stored(tmp_path: Path) -> EmbeddedStore:
    return embedded_store(tmp_path, COUNT)


def split_of(stored: EmbeddedStore, **columns: np.ndarray) -> pd.DataFrame:
    """40 training images, and 10 of each other part."""
    parts = np.repeat(["train", "validation", "test"], [40, 10, 10])
    return stored.images.assign(split=parts, **columns)


def checked(
    name: str, stored: EmbeddedStore, split: pd.DataFrame, of: list[str], space: str | None = None
) -> pd.DataFrame:
    """The table that a script writes; altered copies were made of the images `of`.

    space: the feature space in place of the embeddings.
    """
    folder = stored.manifest.parent
    write_table(folder / "split.parquet", split)
    rows = pd.Index(stored.images["image_id"]).get_indexer(of)
    noise = np.random.default_rng(1).normal(scale=0.01, size=(len(of), DIMENSIONS))
    altered = np.load(stored.embeddings)[rows] + noise
    np.save(folder / "altered.npy", altered.astype(np.float32))
    about = pd.DataFrame({"image_id": of, "alteration": "mirrored"})
    write_table(folder / "altered.parquet", about)
    import_module(name).main(
        Namespace(
            manifest=stored.manifest,
            split=folder / "split.parquet",
            embeddings=[stored.embeddings] if space is None else [],
            settings={} if space is None else {"space": space, "dimensions": 8, "seed": 0},
            threads=1,
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


def test_altered_copies_of_images_that_are_no_longer_trained_on_are_left_out(
    stored: EmbeddedStore,
) -> None:
    split = split_of(stored)
    ids = split["image_id"].tolist()
    record = stored.manifest.with_name("near_duplicates.json")
    alone = checked("near_duplicates", stored, split, ids[:6])
    of_alone = read_json(record)
    table = checked("near_duplicates", stored, split, [*ids[:6], *ids[50:56]])
    assert table.equals(alone) and read_json(record) == of_alone
    checked("near_duplicates", stored, split, ids[50:56])
    assert read_json(record)["altered"] == 0


def test_labels_are_checked_in_a_feature_space_without_embeddings(tmp_path: Path) -> None:
    stored = embedded_store(tmp_path, COUNT, bright=100)
    split = split_of(stored)
    wrong, wrong_in_test = 3, 55
    for row in (wrong, wrong_in_test):
        split.loc[row, "label"] = 1 - split["label"][row]
    table = checked("label_errors", stored, split, [], space="pixels")
    assert set(table["image_id"]) == set(split["image_id"][[wrong, wrong_in_test]])
    assert read_json(stored.manifest.with_name("label_errors.json"))["space"] == "pixels"
