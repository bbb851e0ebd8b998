"""Splits: sizes, strata, whole groups, seeds, and how the parts are opened."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petite import splits
from petite.errors import PetiteError
from petite.splits import make_split, split_table

SHARES = st.tuples(st.sampled_from([0.05, 0.1, 0.15, 0.3]), st.sampled_from([0, 0.05, 0.1, 0.2]))


def due(share: float, size: int) -> int:
    """The rounding that is promised, in exact arithmetic."""
    hundredths = round(share * 100) * size
    return max(1, (hundredths + 50) // 100) if share else 0


def counts(parts: np.ndarray, labels: np.ndarray, label: int) -> dict[str, int]:
    return {part: int((parts[labels == label] == part).sum()) for part in splits.PARTS}


@settings(max_examples=100, deadline=None)
@given(
    sizes=st.lists(st.integers(10, 120), min_size=1, max_size=5),
    shares=SHARES,
    seed=st.integers(0, 2**31),
    shuffle=st.randoms(use_true_random=False),
)
def test_without_copies_each_class_gives_exactly_its_share(sizes, shares, seed, shuffle) -> None:
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    shuffle.shuffle(labels)
    labels = np.array(labels)
    test, validation = shares
    parts = make_split(labels, np.arange(len(labels)), test=test, validation=validation, seed=seed)
    for label, size in enumerate(sizes):
        got = counts(parts, labels, label)
        assert got["test"] == due(test, size)
        assert got["validation"] == due(validation, size)
        assert got["train"] == size - due(test, size) - due(validation, size)


@settings(max_examples=150, deadline=None)
@given(
    sizes=st.lists(st.integers(15, 80), min_size=1, max_size=4),
    copied=st.sampled_from([0.1, 0.3, 0.6]),
    across_classes=st.booleans(),
    shares=SHARES,
    seed=st.integers(0, 1000),
)
def test_no_group_straddles_and_classes_are_as_even_as_groups_allow(
    sizes, copied, across_classes, shares, seed
) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    rng = np.random.default_rng(seed)
    group_of = np.arange(len(labels))
    for image in np.flatnonzero(rng.random(len(labels)) < copied):
        likes = (
            np.arange(len(labels)) if across_classes else np.flatnonzero(labels == labels[image])
        )
        group_of[image] = group_of[rng.choice(likes)]
    test, validation = shares
    parts = make_split(labels, group_of, test=test, validation=validation, seed=seed)

    frame = pd.DataFrame({"group": group_of, "label": labels, "part": parts})
    assert (frame.groupby("group")["part"].nunique() == 1).all()
    for label, of_class in frame.groupby("label"):
        got = counts(parts, labels, label)
        assert got["train"] > 0
        assert got["test"] > 0
        assert (got["validation"] > 0) == (validation > 0)
        if not across_classes:  # then no class hinders another
            largest = of_class.groupby("group").size().max()
            assert abs(got["test"] - due(test, len(of_class))) < largest
            assert abs(got["validation"] - due(validation, len(of_class))) < largest


@given(seed=st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_the_same_seed_gives_the_same_split_and_another_one_another(seed: int) -> None:
    labels = np.repeat([0, 1], 100)
    groups = np.arange(200) // 2
    first, again, other = (
        make_split(labels, groups, test=0.1, validation=0.1, seed=number)
        for number in (seed, seed, seed + 1)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_every_image_gets_into_the_test_part_about_equally_often() -> None:
    labels = np.repeat([0, 1], 25)
    groups = np.where(np.arange(50) < 5, 0, np.arange(50))
    often = np.zeros(50)
    for seed in range(400):
        often += make_split(labels, groups, test=0.2, validation=0, seed=seed) == "test"
    # 80 are expected of single images; 4.5 standard deviations either side.
    assert (np.abs(often[5:] - 80) < 45).all()
    assert often[0] > 0
    assert len(set(often[:5])) == 1


def test_a_group_of_two_classes_stays_together() -> None:
    labels = np.array([0] * 20 + [1] * 20)
    groups = np.arange(40)
    groups[20:23] = groups[0:3]
    for seed in range(50):
        parts = make_split(labels, groups, test=0.2, validation=0.1, seed=seed)
        np.testing.assert_array_equal(parts[:3], parts[20:23])


def test_a_group_larger_than_a_part_stays_in_training() -> None:
    groups = np.where(np.arange(100) < 40, 0, np.arange(100))
    for seed in range(20):
        parts = make_split(np.zeros(100, int), groups, test=0.1, validation=0.1, seed=seed)
        assert (parts[:40] == "train").all()
        assert (parts == "test").sum() == (parts == "validation").sum() == 10


def test_a_class_of_large_groups_only_still_reaches_every_part() -> None:
    groups = np.repeat(range(4), [20, 25, 25, 30])
    parts = make_split(np.zeros(100, int), groups, test=0.1, validation=0.1, seed=0)
    assert set(parts) == {"train", "validation", "test"}
    assert (parts == "test").sum() <= 25


@pytest.mark.parametrize(("size", "validation"), [(2, 0.1), (1, 0.0)])
def test_a_class_that_is_too_small_is_named(size: int, validation: float) -> None:
    labels = np.array([0] * 50 + [1] * size)
    with pytest.raises(PetiteError, match=f"class dog has {size} different images"):
        make_split(
            labels,
            np.arange(len(labels)),
            test=0.1,
            validation=validation,
            seed=0,
            classes={0: "cat", 1: "dog"},
        )


def test_a_class_of_copies_is_too_small() -> None:
    labels = np.array([0] * 50 + [1] * 50)
    groups = np.where(labels == 1, 1000, np.arange(100))
    with pytest.raises(PetiteError, match="class 1 has 1 different images"):
        make_split(labels, groups, test=0.1, validation=0.0, seed=0)


def index_of(count: int) -> pd.DataFrame:
    number = np.arange(count)
    return pd.DataFrame(
        {
            "image_id": [f"x/{n}" for n in number],
            "class_name": np.where(number % 2, "dog", "cat"),
            "label": (number % 2).astype("int16"),
            "status": np.where(number % 10 == 3, "set_aside", "ok"),
            "copy_group": number,
        }
    )


def test_the_table_holds_the_images_in_use_in_the_order_of_the_index() -> None:
    index = index_of(200)
    table = split_table(index, test=0.1, validation=0.05, seed=3)
    used = index[index["status"] == "ok"]
    assert list(table.columns) == ["image_id", "label", "split"]
    assert table["image_id"].tolist() == used["image_id"].tolist()
    assert table["label"].tolist() == used["label"].tolist()
    assert table["split"].value_counts().to_dict() == {"train": 153, "test": 18, "validation": 9}


def test_the_parts_are_opened_apart_and_complete() -> None:
    table = split_table(index_of(100), test=0.1, validation=0.1, seed=0)

    class FakeStore:
        def view(self, ids) -> np.ndarray:
            return np.array([int(image_id[2:]) for image_id in ids])

    training, validation = splits.training_images(table), splits.validation_images(table)
    test = splits.test_images(FakeStore(), table)
    together = [*training["image_id"], *validation["image_id"], *test.image_ids]
    assert sorted(together) == sorted(table["image_id"])
    assert len(set(together)) == len(together)
    assert test.images.tolist() == [int(image_id[2:]) for image_id in test.image_ids]
    labels = table.set_index("image_id")["label"]
    assert test.labels.tolist() == labels[test.image_ids].tolist()
    assert list(training.index) == list(range(len(training)))
