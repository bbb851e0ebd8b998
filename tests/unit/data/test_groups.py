"""Groups by name: which images form one, which patterns are refused, and the messages."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petite.data import groups
from petite.data.groups import (
    ABOUT_TIME,
    Groups,
    Named,
    about_pattern,
    bursts,
    found_groups,
    grouped,
    named_groups,
)
from petite.util.errors import PetiteError
from petite.util.notices import Notices


def used(*image_ids: str, copy_group: list[int] | None = None) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "image_id": image_ids,
            "copy_group": range(len(image_ids)) if copy_group is None else copy_group,
        }
    )


def by_setting(images: pd.DataFrame, setting: str, notices: Notices) -> Groups:
    named = found_groups(images["image_id"], setting)
    return grouped(images, named, about_pattern(setting), notices)


def names(setting: str, *image_ids: str) -> list[str | None]:
    numbers, found = named_groups(image_ids, setting)
    return [found[number] if number >= 0 else None for number in numbers]


@pytest.mark.parametrize(
    ("setting", "image_id", "name"),
    [
        ("subfolder", "cat/tom/1.jpg", "tom"),
        ("subfolder", "cat/tom/indoors/1.jpg", "tom"),
        ("subfolder", "cat/1.jpg", None),
        (r"/(p\d+)_", "benign/p00_slice3.png", "p00"),
        (r"/(p\d+)_", "benign/q00_slice3.png", None),
        (r"^([^/]+/p\d+)_", "benign/p00_slice3.png", "benign/p00"),
        (r"(?:left|right)_(\d+)", "dr/left_12_1.png", "12"),
        (r"(?i)/(P\d+)", "benign/p7.png", "p7"),
        (r"(p\d+)|x", "benign/x_1.png", None),
        (r"(\d*)_", "benign/_1.png", None),
        (r"/(.)", "cat/猫_1.png", "猫"),
        (r"/(.+)\n", "cat/tom\n1.png", "tom"),
        (r"(\d+)", "2024/07_08.png", "2024"),
        (r"(?P<patient>p\d+)", "a/p3.png", "p3"),
    ],
)
def test_the_name_of_a_group_is_the_subfolder_or_what_the_capture_group_finds(
    setting: str, image_id: str, name: str | None
) -> None:
    assert groups.problem(setting) is None
    assert names(setting, image_id) == [name]


@pytest.mark.parametrize("dtype", ["object", "str", "string[pyarrow]"])
def test_names_may_be_held_by_python_pandas_or_arrow(dtype: str) -> None:
    halves = [pd.Series([f"a/p{n}_1"], dtype=dtype) for n in range(2)]
    numbers, found = named_groups(pd.concat(halves), r"/(p\d+)_")
    assert numbers.tolist() == [0, 1] and found.tolist() == ["p0", "p1"]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("(", "not a valid pattern (missing ): ()"),
        ("[a", "not a valid pattern"),
        ("(?=p)(\\d+)", "look-ahead"),
        (r"(\d)\1", "back references"),
        ("(a{99999999999})", "not a valid pattern"),
        ("(" * 5000 + "a" + ")" * 5000, "not a valid pattern"),
        ("subfolders", "has no capture group"),
        ("patient_id", "labels.group"),
        (r"p\d+", "or write subfolder"),
        ("", "has no capture group"),
        (r"(p\d+)_(s\d+)", "has 2 capture groups"),
    ],
)
def test_a_pattern_that_tells_no_group_is_refused_in_words(setting: str, said: str) -> None:
    assert said in str(groups.problem(setting))


def test_a_pattern_that_would_backtrack_for_ever_takes_no_time() -> None:
    assert groups.problem("(?:a+)+(b)") is None
    assert names("(?:a+)+(b)", "x/" + "a" * 5000) == [None]


@settings(max_examples=300, deadline=None)
@given(setting=st.text(st.sampled_from("()[]{}|?*+^$\\/ab01dw.-_,:=!<>P"), max_size=12))
def test_any_pattern_is_refused_in_words_or_names_groups(setting: str) -> None:
    if groups.problem(setting) is None:
        numbers, found = named_groups(["a/b0_1.png", "a/ab01.png"], setting)
        assert len(numbers) == 2 and "" not in found.tolist()


def test_images_of_one_name_are_one_group_in_whichever_class_and_without_a_name_their_own() -> None:
    notices = Notices()
    table = used("a/p1_1.png", "a/p1_2.png", "b/p1_1.png", "b/p2_1.png", "b/x.png", "b/y.png")
    numbers, found = by_setting(table, r"/(p\d+)_", notices)
    assert numbers.tolist() == [0, 0, 0, 3, 4, 5]
    assert found.tolist() == ["p1", "p1", "p1", "p2", "b/x.png", "b/y.png"]
    (notice,) = notices
    assert r"2 of 6 images do not match '/(p\d+)_'" in notice and "b/x.png" in notice


def test_duplicates_join_the_groups_of_their_names() -> None:
    table = used("a/p1_1", "a/p2_1", "a/p2_2", "a/p3_1", "a/x", copy_group=[0, 1, 0, 3, 3])
    notices = Notices()
    assert by_setting(table, r"/(p\d+)_", notices).numbers.tolist() == [0, 0, 0, 3, 3]


@settings(max_examples=100, deadline=None)
@given(pairs=st.lists(st.tuples(st.integers(0, 9), st.integers(-1, 9)), min_size=1, max_size=40))
def test_groups_are_the_smallest_that_divide_neither_duplicates_nor_names(pairs) -> None:
    table = used(
        *(f"c/p{name}_{row}" if name >= 0 else f"c/{row}" for row, (_, name) in enumerate(pairs)),
        copy_group=[number for number, _ in pairs],
    )
    if all(name < 0 for _, name in pairs):
        with pytest.raises(PetiteError):
            by_setting(table, r"/p(\d+)_", Notices())
        return
    numbers = by_setting(table, r"/p(\d+)_", Notices()).numbers
    expected = np.arange(len(pairs))
    for _ in pairs:  # the smallest row that can be reached, step by step
        for row, (number, name) in enumerate(pairs):
            for other, (its_number, its_name) in enumerate(pairs):
                if number == its_number or (name == its_name and name >= 0):
                    expected[row] = min(expected[row], expected[other])
    assert numbers.tolist() == expected.tolist()


@pytest.mark.parametrize(
    "setting",
    [r"/(patient\d+)_", "subfolder"],
)
def test_groups_that_no_image_is_in_are_an_error_with_an_example(setting: str) -> None:
    with pytest.raises(PetiteError, match=f"^split.groups: '{re.escape(setting)}'.*a/p1_1.png"):
        by_setting(used("a/p1_1.png", "a/p1_2.png"), setting, Notices())


def test_a_pattern_that_gives_each_image_its_own_group_is_noticed() -> None:
    notices = Notices()
    by_setting(used("a/p1_1.png", "a/p1_2.png"), r"/(.+)\.png", notices)
    (notice,) = notices
    assert notice.startswith("split.groups") and "'p1_1'" in notice and "a/p1_1.png" in notice


def taken(*photos: tuple[str, str, float | None]) -> pd.DataFrame:
    """Photos by class, camera and second."""
    return pd.DataFrame(
        {
            "image_id": [f"{name}/{number}.jpg" for number, (name, _, _) in enumerate(photos)],
            "class_name": [name for name, _, _ in photos],
            "camera": [camera for _, camera, _ in photos],
            "captured": [np.nan if second is None else second for _, _, second in photos],
            "copy_group": range(len(photos)),
        }
    )


def test_a_burst_is_what_one_camera_takes_of_a_class_without_a_longer_break() -> None:
    photos = taken(
        ("a", "x", 10),
        ("a", "x", 14),  # after 2 seconds
        ("a", "x", 12),
        ("a", "x", 16.5),  # after 2.5
        ("a", "y", 11),
        ("b", "x", 10),
        ("a", "x", None),
        ("b", "x", 10),
        ("a", "x", None),
    )
    numbers, found = bursts(photos, 2)
    same = [[numbers[one] == numbers[other] for other in (0, 1, 2)] for one in (0, 1, 2)]
    assert np.all(same)
    assert len({numbers[at] for at in (0, 3, 4, 5)}) == 4
    assert numbers[5] == numbers[7]
    assert numbers[6] == numbers[8] == -1
    assert found[numbers[1]] == "a/0.jpg"
    notices = Notices()
    each = grouped(photos, Named(numbers, found), ABOUT_TIME, notices).numbers
    assert each[6] != each[8]
    assert "2 of 9 images have no capture time" in notices[0]


def test_bursts_without_a_time_are_refused() -> None:
    with pytest.raises(PetiteError, match=r"capture_time.*no image"):
        bursts(taken(("a", "x", None), ("b", "", None)), 2)


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.integers(0, 60))),
    st.integers(1, 9),
)
@settings(max_examples=60, deadline=None)
def test_bursts_are_those_of_a_comparison_of_all_pairs(photos, seconds) -> None:
    if not photos:
        return
    table = taken(*photos)
    numbers, _ = bursts(table, seconds)
    near = [
        [one[:2] == other[:2] and abs(one[2] - other[2]) <= seconds for other in photos]
        for one in photos
    ]
    for _ in photos:  # directly or through others
        near = np.linalg.matrix_power(np.array(near, int), 2) > 0
    np.testing.assert_array_equal(near, numbers[:, None] == numbers)
