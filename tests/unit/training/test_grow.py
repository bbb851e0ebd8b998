"""The list of new images, and the part of them that each seed of a probe draws."""

import numpy as np
import pandas as pd
import pytest

from petite.selection import select
from petite.subsets.growing import Growing, number_added
from petite.subsets.tables import ranking_table
from petite.training.grow_list import COLUMNS, NEW, OF_KEPT, grow_list
from petite.training.probe_job import part_of_new

MODES = {"kept": (0.0, 0.0), "near": (0.1, 0.0), "far": (8.0, 8.0)}


def train_of(counts: dict[str, int]) -> pd.DataFrame:
    names = [f"{mode}/{number}" for mode, count in counts.items() for number in range(count)]
    return pd.DataFrame({"image_id": names, "label": [number % 2 for number in range(len(names))]})


def features_of(train: pd.DataFrame) -> np.ndarray:
    rng = np.random.default_rng(0)
    centers = np.array([MODES[name.split("/")[0]] for name in train["image_id"]])
    return (centers + rng.normal(0, 0.05, centers.shape)).astype(np.float32)


def images_of(train: pd.DataFrame) -> pd.DataFrame:
    new = train.loc[~train["image_id"].str.startswith("kept"), "image_id"]
    table = pd.DataFrame({"image_id": new, "file": "a/" + new, "class_name": "a", "kind": ""})
    aside = {"image_id": "x/1", "file": "a/x", "class_name": "a", "kind": "unreadable"}
    return pd.concat([table, pd.DataFrame([aside])], ignore_index=True).assign(
        reason=lambda rows: rows["kind"], copy_of=""
    )


def listed(method: str) -> tuple[pd.DataFrame, dict]:
    train = train_of({"kept": 20, "near": 20, "far": 10})
    features = features_of(train)
    kept = np.arange(20)
    ranking = select(features, train["label"], len(train), method, kept=kept)
    selection = {"method": method, "settings": {}, "quota": "proportional", "seconds": 0.0}
    table, record = grow_list(
        images_of(train), train, ranking_table(ranking, train), selection, features, "pixels"
    )
    return table, dict(record)


@pytest.mark.parametrize("method", ["facility_location", "k_center_greedy", "k_dpp"])
def test_a_new_mode_comes_first_and_what_is_near_the_kept_images_last(method: str) -> None:
    table, _ = listed(method)
    first = table["image_id"].iloc[:2]
    assert first.str.startswith("far").all()
    ranks = table.groupby(table["image_id"].str.split("/").str[0])["rank"].mean()
    assert ranks["far"] < ranks["near"]


def test_the_list_has_every_new_image_once_and_those_set_aside_last() -> None:
    table, record = listed("facility_location")
    assert list(table) == COLUMNS
    assert table["rank"].iloc[:-1].tolist() == list(range(1, 31))
    assert pd.isna(table["rank"].iloc[-1])
    assert table["set_aside"].iloc[-1] == table["reason"].iloc[-1] == "unreadable"
    assert table["image_id"].is_unique
    assert record["kept"] == 20
    assert record["new"] == 30
    assert record["set_aside"] == {"unreadable": 1}


def test_the_nearest_image_is_a_kept_one_or_a_new_one_of_lower_rank() -> None:
    table, _ = listed("k_center_greedy")
    ranks = table.set_index("file")["rank"]
    assert table["nearest_is"].iloc[0] == OF_KEPT
    for _, row in table[table["nearest_is"] == NEW].iterrows():
        assert ranks[row["nearest"]] < row["rank"]
    assert table["nearest"][table["nearest_is"] == OF_KEPT].str.startswith("kept/").all()


def test_a_subset_has_the_kept_images_and_the_first_of_the_new_ones() -> None:
    train = train_of({"kept": 4, "near": 10})
    ranked = pd.DataFrame(
        {
            "image_id": [*train["image_id"][:4], *train["image_id"][4:][::-1]],
            "rank": range(14),
            "weight": 1.0,
        }
    )
    growing = Growing(train, train["image_id"][:4].tolist(), ["a", "b"], (8, 8, 3))
    table, record = growing.subset(ranked, {"seed": 0}, 0.3)  # type: ignore[typeddict-item]
    assert table["image_id"].tolist() == [*train["image_id"][:4], "near/9", "near/8", "near/7"]
    assert record["images"] == record["rows"] == 7
    assert growing.subset(ranked, {"seed": 0}, 1.0)[1]["images"] == 14  # type: ignore[typeddict-item]


@pytest.mark.parametrize(("size", "images", "added"), [(0.25, 40, 10), (0.01, 10, 1), (1, 7, 7)])
def test_a_share_of_the_new_images_is_one_or_more(size: float, images: int, added: int) -> None:
    assert number_added(size, images) == added


def test_each_seed_draws_another_part_of_the_new_images_and_keeps_the_kept_ones() -> None:
    train = train_of({"kept": 100, "near": 40})
    kept = train["image_id"][:100].tolist()
    parts = [part_of_new(train, 0.5, seed, kept) for seed in range(3)]
    for part in parts:
        assert part["image_id"].isin(kept).sum() == 100
        new = part[~part["image_id"].isin(kept)]
        assert new["label"].value_counts().tolist() == [10, 10]
        assert part["image_id"].is_unique
    assert parts[0]["image_id"].tolist() != parts[1]["image_id"].tolist()
    assert part_of_new(train, 0.5, 0, kept).equals(parts[0])
