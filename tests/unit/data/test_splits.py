"""How the parts of a split are opened."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from petite.data import splits
from petite.data.store import Store, shard_record, write_shard
from petite.util.files import write_json, write_table
from petite.util.imports import modules_of

COUNT = 30


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Images of 1x1 pixels; the value of each is its number."""
    shard = tmp_path / "shards/1-of-1.npy"
    write_shard(shard, np.arange(COUNT, dtype=np.uint8).reshape(COUNT, 1, 1, 1))
    index = {"image_id": [f"x/{n}" for n in range(COUNT)], "shard": np.int32(0)}
    write_table(tmp_path / "index.parquet", pd.DataFrame({**index, "row": np.arange(COUNT)}))
    manifest = {"format": 1, "classes": ["a", "b"], "image_size": 1, "channels": 1}
    write_json(tmp_path / "manifest.json", manifest | {"shards": [shard_record(shard, tmp_path)]})
    return Store.open(tmp_path / "manifest.json")


@pytest.fixture
def split() -> pd.DataFrame:
    numbers = np.arange(COUNT)
    return pd.DataFrame(
        {
            "image_id": [f"x/{number}" for number in numbers],
            "label": (numbers % 2).astype(np.int16),
            "split": np.array(splits.PARTS)[np.array([0, 0, 1, 0, 2, 0])[numbers % 6]],
        }
    )


def test_the_parts_are_opened_apart_and_complete(store: Store, split: pd.DataFrame) -> None:
    training = splits.training_images(split)
    opened = [splits.validation_images(store, split), splits.test_images(store, split)]
    together = [*training["image_id"], *opened[0].image_ids, *opened[1].image_ids]
    assert sorted(together) == sorted(split["image_id"])
    assert len(set(together)) == len(together)
    assert list(training.index) == list(range(len(training)))
    labels = split.set_index("image_id")["label"]
    assert training["label"].tolist() == labels[training["image_id"]].tolist()
    for part in opened:
        assert part.labels.tolist() == labels[part.image_ids].tolist()
        assert part.labels.dtype == np.int16
        pixels = part.images[np.arange(len(part.labels))]
        assert [f"x/{value}" for value in pixels.ravel()] == part.image_ids.tolist()


def test_a_split_without_validation_images_opens_as_none(store: Store, split: pd.DataFrame) -> None:
    part = splits.validation_images(store, split[split["split"] != splits.VALIDATION])
    assert part.images.shape == (0, 1, 1, 1)
    assert len(part.labels) == len(part.image_ids) == 0


@pytest.mark.parametrize("script", ["train", "rank", "proxy"])
def test_what_reads_a_split_does_not_depend_on_how_splits_are_made(script: str) -> None:
    modules = modules_of(script)
    making = {"splitting", "groups", "group_signs", "split_notices", "duplicates"}
    assert not making.intersection(name.removeprefix("petite.data.") for name in modules)
    assert "petite.data.splits" in modules
