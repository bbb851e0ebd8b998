"""What a source says of its images beside their classes, on its way to the split."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from petite.data.annotations import annotations_of
from petite.data.sources import Entry, ImageData, Source, listing
from petite.data.splits import training_images, weights_of
from petite.data.splitting import split_images
from petite.selection import Ranking
from petite.subsets.tables import ranking_table
from petite.util.errors import PetiteError


class Annotated(Source):
    """Eight images, of which the source says something of two."""

    def entries(self) -> Iterable[Entry]:
        for number in range(8):
            yield Entry(f"{'ab'[number % 2]}/{number}", "ab"[number % 2], 1)

    def read(self, image_id: str) -> ImageData:
        return np.zeros((8, 8), np.uint8)

    def annotations(self) -> pd.DataFrame:
        return pd.DataFrame(
            {"image_id": ["a/2", "b/1"], "group": ["one", "two"], "weight": [2.0, np.nan]}
        )


def test_a_listing_has_the_annotations_of_its_source_and_defaults_for_other_images(
    tmp_path: Path,
) -> None:
    table = listing(Annotated(None), None, None, 0.1).set_index("image_id")
    assert table.loc["a/2", ["group", "weight"]].tolist() == ["one", 2.0]
    assert table.loc["b/1", ["group", "weight"]].tolist() == ["two", 1.0]
    assert table.loc["a/4", ["group", "weight"]].tolist() == ["", 1.0]
    assert "keep" not in table
    table.reset_index().to_parquet(tmp_path / "listing.parquet")
    kept = annotations_of(pd.read_parquet(tmp_path / "listing.parquet"))
    assert list(kept) == ["image_id", "group", "weight"]


def test_a_split_keeps_the_annotations_in_the_order_of_the_index() -> None:
    table = listing(Annotated(None), None, None, 0.1)
    index = table.assign(
        status="ok", label=(table["class_name"] == "b").astype("int16"), copy_group=range(8)
    ).drop(columns=["group", "weight"])
    annotations = annotations_of(table).sample(frac=1, random_state=0)
    parts = split_images(index, test=0.25, validation=0.0, seed=0, annotations=annotations).table
    assert parts["image_id"].tolist() == index["image_id"].tolist()
    assert list(parts) == ["image_id", "label", "split", "group", "weight"]
    assert parts.set_index("image_id").loc["a/2", ["group", "weight"]].tolist() == ["one", 2.0]


WEIGHTED = pd.DataFrame(
    {
        "image_id": ["a/1", "a/2", "b/1", "b/2", "a/3"],
        "label": [0, 0, 1, 1, 0],
        "split": ["train"] * 4 + ["test"],
        "weight": [2.0, 0.0, 4.0, 6.0, 0.0],
    }
)


def test_training_images_have_weights_of_mean_one_and_none_of_weight_zero() -> None:
    train = training_images(WEIGHTED)
    assert train["image_id"].tolist() == ["a/1", "b/1", "b/2"]
    assert train["weight"].tolist() == [0.5, 1.0, 1.5]
    assert weights_of(training_images(WEIGHTED.drop(columns="weight"))) is None
    equal = training_images(WEIGHTED.assign(weight=7.0))
    assert equal["weight"].tolist() == [1.0] * 4


def test_the_weight_of_an_image_multiplies_that_of_the_selection() -> None:
    train = training_images(WEIGHTED)
    ranking = Ranking(
        *(np.array([2, 0]), np.array([10.0, 3.0]), {}, {}),
        *("craig", 0, {}, "proportional", 1, 0.0, None),
    )
    assert ranking_table(ranking, train)["weight"].tolist() == [15.0, 1.5]


def test_a_class_without_weight_in_training_is_refused() -> None:
    table = listing(Annotated(None), None, None, 0.1)
    index = table.assign(
        status="ok", label=(table["class_name"] == "b").astype("int16"), copy_group=range(8)
    )
    index = index.drop(columns=["group", "weight"])
    weights = index[["image_id"]].assign(weight=(index["class_name"] == "a").astype(float))
    with pytest.raises(PetiteError, match=r"\bb have the weight 0"):
        split_images(index, test=0.25, validation=0.0, seed=0, annotations=weights)
