"""What is refused by the listing of a source alone."""

from typing import Any

import pandas as pd
import pytest

from petite.data.keep_lists import Lists
from petite.subsets.before_ingest import check_listing
from petite.util.errors import PetiteError

AUTOMATIC = {"given": "use", "test": "auto", "validation": "auto", "groups": None, "repeats": 1}
IDS = [f"{name}/{number}.png" for name in ("cat", "dog") for number in range(20)]


def listing(**columns: list[str]) -> pd.DataFrame:
    names = [name.partition("/")[0] for name in IDS]
    return pd.DataFrame({"image_id": IDS, "class_name": names, **columns})


def check(table: pd.DataFrame, lists: Lists = Lists(), **settings: Any) -> None:  # noqa: B008
    own = {key: settings.pop(key) for key in AUTOMATIC if key in settings}
    settings.setdefault("shares", {"random:0.25": 0.25})
    check_listing(table, AUTOMATIC | own, lists, **settings)


GIVEN = ["train", "train", "train", "test"] * 10


@pytest.mark.parametrize(
    ("columns", "settings", "keep", "named"),
    [
        ({"split": GIVEN}, {"test": 0.2}, [], ["split.test: 0.2", "10 images"]),
        ({"split": GIVEN}, {"repeats": 2}, [], ["split.repeats", "given split"]),
        ({"split": ["train"] * 39 + [""]}, {}, [], ["dog/19.png"]),
        ({"split": [*GIVEN[:39], "tset"]}, {}, [], ["'tset'"]),
        ({"group": ["a"] * 40}, {"groups": "subfolder"}, [], ["split.groups", "'subfolder'"]),
        ({}, {"groups": r"/(p\d+)"}, [], ["split.groups"]),
        ({}, {"needs_groups": True}, [], ["quota 'group'"]),
        ({}, {}, ["cat/99.png"], ["keep", "'cat/99.png'"]),
        # A quarter of all 40 images is 10; of the 30 training images of a given split, 8.
        ({}, {}, IDS[:10], ["keep", "random:0.25 (10)"]),
        ({"split": GIVEN}, {}, ["cat/?.png"], ["keep", "random:0.25 (8)"]),
        ({"split": GIVEN, "keep": ["always"] * 10 + [""] * 30}, {}, [], ["random:0.25 (8)"]),
    ],
)
def test_what_the_listing_contradicts_is_refused(columns, settings, keep, named) -> None:
    with pytest.raises(PetiteError) as caught:
        check(listing(**columns), Lists(keep), **settings)
    assert all(text in str(caught.value) for text in named), caught.value


@pytest.mark.parametrize(
    ("columns", "settings", "keep"),
    [
        ({}, {"test": 0.2}, IDS[:9]),
        # Which of these will be training images is not known before the split.
        ({}, {}, ["cat/*"]),
        ({"split": GIVEN}, {}, [IDS[0], *IDS[3:20:4]]),
        ({"split": GIVEN}, {"test": 0.2, "given": "ignore"}, []),
        ({"split": GIVEN}, {"repeats": 2, "given": "ignore"}, []),
        ({}, {"repeats": 2}, []),
        ({"group": [""] * 40}, {"groups": "capture_time"}, []),
    ],
)
def test_what_may_be_right_is_left_to_the_split(columns, settings, keep) -> None:
    check(listing(**columns), Lists(keep), **settings)
