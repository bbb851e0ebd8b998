"""Making a split: sizes, strata, whole groups, seeds, and what is said of it."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petite.data.splits import PARTS
from petite.data.splitting import make_split, split_images
from petite.util.errors import PetiteError
from petite.util.notices import Notices

SHARES = st.tuples(st.sampled_from([0.05, 0.1, 0.15, 0.3]), st.sampled_from([0, 0.05, 0.1, 0.2]))


def due(share: float, size: int) -> int:
    """The rounding that is promised, in exact arithmetic."""
    hundredths = round(share * 100) * size
    return max(1, (hundredths + 50) // 100) if share else 0


def counts(parts: np.ndarray, labels: np.ndarray, label: int) -> dict[str, int]:
    return {part: int((parts[labels == label] == part).sum()) for part in PARTS}


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


def divided(sizes: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Labels and groups of classes that have groups of these sizes."""
    labels = np.repeat(np.arange(len(sizes)), [sum(of_class) for of_class in sizes])
    return labels, np.repeat(
        np.arange(sum(map(len, sizes))), [size for of_class in sizes for size in of_class]
    )


@settings(max_examples=200, deadline=None)
@given(
    sizes=st.lists(st.lists(st.integers(1, 60), min_size=3, max_size=12), min_size=1, max_size=4),
    shares=SHARES,
    seed=st.integers(0, 1000),
)
def test_a_class_of_as_many_groups_as_parts_is_in_every_part(sizes, shares, seed) -> None:
    labels, groups = divided(sizes)
    test, validation = shares
    parts = make_split(labels, groups, test=test, validation=validation, seed=seed)
    for label in range(len(sizes)):
        got = counts(parts, labels, label)
        assert got["train"] > 0 and got["test"] > 0
        assert (got["validation"] > 0) == (validation > 0)


@settings(max_examples=200, deadline=None)
@given(
    patients=st.lists(st.integers(1, 12), min_size=12, max_size=40),
    shares=SHARES,
    seed=st.integers(0, 1000),
)
def test_patients_with_images_of_all_classes_are_whole_and_each_class_is_in_every_part(
    patients, shares, seed
) -> None:
    groups = np.repeat(np.arange(2 * len(patients)) // 2, np.repeat(patients, 2))
    labels = np.repeat(np.arange(2 * len(patients)) % 2, np.repeat(patients, 2))
    test, validation = shares
    parts = make_split(labels, groups, test=test, validation=validation, seed=seed)
    frame = pd.DataFrame({"group": groups, "label": labels, "part": parts})
    assert (frame.groupby("group")["part"].nunique() == 1).all()
    expected = {"train", "test", "validation"} if validation else {"train", "test"}
    assert all(set(of_class) == expected for _, of_class in frame.groupby("label")["part"])


def test_a_group_that_is_all_that_another_class_has_in_training_stays_there() -> None:
    # Class 0 has no group that fits into the test part; its smallest is one of class 1's three.
    labels = np.array([0] * 40 + [0] * 30 + [1] * 30 + [1] * 2)
    groups = np.repeat([0, 1, 1, 2], [40, 30, 30, 2])
    for seed in range(20):
        parts = make_split(labels, groups, test=0.1, validation=0, seed=seed)
        assert set(parts[labels == 0]) == set(parts[labels == 1]) == {"train", "test"}


def test_without_names_of_groups_splits_are_those_of_earlier_versions() -> None:
    digest = hashlib.sha256()
    for number in range(300):
        rng = np.random.default_rng(number)
        sizes = rng.integers(3, 60, rng.integers(1, 6))
        labels = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
        groups = np.arange(len(labels))
        if number % 3:
            copied = rng.random(len(labels)) < 0.3
            groups[copied] = rng.choice(len(labels), copied.sum())
        test, validation = float(rng.choice([0.05, 0.1, 0.3])), float(rng.choice([0, 0.05, 0.2]))
        parts = make_split(labels, groups, test=test, validation=validation, seed=number)
        digest.update(parts.tobytes())
    # Of commit e9b45cd.
    assert digest.hexdigest() == "be68fd94ab1172d7cfe126664d60037ed0ee8bc4bc33d7840b97a3010ee0d864"


def error_of(labels, groups, **settings) -> str:
    with pytest.raises(PetiteError) as caught:
        make_split(labels, groups, **{"test": 0.1, "validation": 0.1, "seed": 0, **settings})
    return str(caught.value)


def test_all_classes_that_are_too_small_are_named_with_counts_and_remedies() -> None:
    labels, groups = divided([[1] * 50, [1] * 2, [1] * 50, [1]])
    names = {0: "cat", 1: "dog", 2: "fox", 3: "owl"}
    message = error_of(labels, groups, classes=names)
    assert message.startswith("2 of 4 classes cannot be divided into train, validation and test")
    assert "dog: 2 images; none for train" in message
    assert "owl: 1 image; none for train and validation" in message
    assert "cat" not in message and "fox" not in message
    assert "dataset.min_per_class: 3" in message
    assert "split.validation: 0, which is enough for 1 of them" in message


def test_without_a_validation_part_two_images_are_enough_and_it_is_no_remedy() -> None:
    labels, groups = divided([[1] * 50, [1]])
    message = error_of(labels, groups, validation=0)
    assert "into train and test" in message and "1: 1 image; none for train" in message
    assert "dataset.min_per_class: 2" in message and "split.validation" not in message
    labels, groups = divided([[1] * 50, [1] * 2])
    assert set(make_split(labels, groups, test=0.1, validation=0, seed=0)[50:]) == {"train", "test"}
    assert "set split.validation: 0." in error_of(labels, groups)


def test_a_class_of_copies_is_too_small_whatever_the_number_of_its_files() -> None:
    labels, groups = divided([[1] * 50, [50]])
    message = error_of(labels, groups, validation=0)
    assert "1: 50 images, 1 different image; none for test" in message
    assert "dataset.min_per_class: 2" in message  # which counts different images


def test_a_class_of_few_groups_with_many_images_is_not_left_out_by_their_number() -> None:
    labels, groups = divided([[1] * 50, [20, 30]])
    names = np.array([f"p{group}" for group in groups], dtype=object)
    message = error_of(labels, groups, group_names=names)
    assert "1: 50 images in 2 groups (p51 30, p50 20)" in message
    assert "min_per_class" not in message and "dataset.classes" in message


def test_classes_of_one_size_share_a_line_and_of_a_thousand_the_first_are_named() -> None:
    labels, groups = divided([[1]] * 1000 + [[1] * 2])
    lines = error_of(labels, groups).splitlines()
    assert lines[0].startswith("1,001 of 1,001 classes")
    assert lines[1].startswith("  0, 1, 2,")
    assert lines[1].endswith("29 and 970 more: 1 image; none for train and validation")
    assert lines[2] == "  1000: 2 images; none for train" and len(lines) == 4


def test_classes_of_many_sizes_fill_no_more_lines_than_the_terminal_shows() -> None:
    labels, groups = divided([[size] for size in range(1, 101)])
    lines = error_of(labels, groups).splitlines()
    assert len(lines) == 13 and lines[-2] == "  and 90 classes more"


def test_the_groups_that_hold_all_of_a_class_are_named() -> None:
    index = index_of(300)
    # Cats of many patients, dogs of two.
    index["image_id"] = [
        f"dog/p{500 + (i > 280)}_{i}" if i % 2 else f"cat/p{i % 20}_{i}" for i in range(300)
    ]
    with pytest.raises(PetiteError) as caught:
        split_images(index, test=0.1, validation=0.1, seed=0, groups=r"/(p\d+)_")
    message = str(caught.value)
    assert message.startswith("1 of 2 classes cannot be divided")
    assert "groups stay together" in message
    assert "dog: 120 images in 2 groups (p500 112, p501 8); none for" in message
    assert "set split.validation: 0" in message


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
    table = split_images(index, test=0.1, validation=0.05, seed=3).table
    used = index[index["status"] == "ok"]
    assert list(table.columns) == ["image_id", "label", "split"]
    assert table["image_id"].tolist() == used["image_id"].tolist()
    assert table["label"].tolist() == used["label"].tolist()
    assert table["split"].value_counts().to_dict() == {"train": 153, "test": 18, "validation": 9}


def test_groups_by_name_stay_together_and_how_they_fall_is_said() -> None:
    index = index_of(400)
    index["image_id"] = [f"{'cd'[i % 2]}/p{i // 20:02d}_{i}.png" for i in range(400)]
    notices = Notices()
    table = split_images(
        index, test=0.2, validation=0.05, seed=1, groups=r"/(p\d+)_", notices=notices
    ).table
    patients = table["image_id"].str[2:5]
    assert (table.groupby(patients)["split"].nunique() == 1).all()
    (notice,) = [one for one in notices if "split.groups" in one]
    for part, of_part in table.groupby("split"):
        groups = patients[of_part.index].nunique()
        assert f"{groups} group{'' if groups == 1 else 's'} in {part} ({len(of_part)} im" in notice
    assert "split.groups makes 20 groups of 360 images" in notice


def test_a_class_that_is_tested_by_one_group_is_said() -> None:
    index = index_of(400)
    # Cats of four cameras, dogs of twenty.
    index["image_id"] = [f"x/{'ab'[i % 2]}{i % 40 if i % 2 else i % 8}/{i}" for i in range(400)]
    notices = Notices()
    split_images(index, test=0.2, validation=0.05, seed=1, groups="subfolder", notices=notices)
    assert "All test images of cat are of one group" in notices[0]


def test_few_test_images_are_counted_for_each_class() -> None:
    few, many = Notices(), Notices()
    split_images(index_of(100), test=0.1, validation=0.1, seed=0, notices=few)
    split_images(index_of(1300), test=0.1, validation=0.1, seed=0, notices=many)
    assert many == []
    (notice,) = few
    assert "only 9 images (cat 5, dog 4)" in notice and "11.1 points" in notice
