"""What was changed in the plan of a run after its results had been seen."""

from dataclasses import replace
from pathlib import Path

import pytest

from petite.evaluation.declared import (
    RECORD,
    Declared,
    Record,
    Seen,
    next_record,
    read_records,
    write_records,
)
from petite.evaluation.looks import Looks
from petite.util.errors import PetiteError

SEVEN = Declared(
    seeds=7,
    looks=None,
    cases=(("full", 1.0), ("random", 0.1), ("pca_grid", 0.1)),
    settings={"full": "a", "random": "b", "pca_grid": "c"},
    tolerance=0.01,
    metric="accuracy",
)
LOOKED = replace(SEVEN, seeds=15, looks=Looks((7, 15), (0.02, 0.03)))
CASES = SEVEN.cases


@pytest.mark.parametrize(
    ("then", "now", "changes"),
    [
        (SEVEN, SEVEN, ()),
        (SEVEN, replace(SEVEN, seeds=5), ()),
        (SEVEN, replace(SEVEN, seeds=15), ("seeds",)),
        (replace(SEVEN, seeds=15), SEVEN, ("seeds",)),  # its first seeds, which were seen
        (replace(SEVEN, seeds=15), replace(SEVEN, seeds=5), ()),
        (replace(SEVEN, seeds=5), replace(SEVEN, seeds=15, tolerance=0.02), ()),  # 5 decide nothing
        (LOOKED, LOOKED, ()),
        (LOOKED, SEVEN, ("seeds", "looks")),
        (replace(SEVEN, seeds=15), LOOKED, ("looks",)),
        (LOOKED, replace(LOOKED, looks=Looks((7, 15), (0.01, 0.04))), ("looks",)),
        (SEVEN, replace(SEVEN, cases=(*CASES, ("herding", 0.1))), ("added",)),
        (SEVEN, replace(SEVEN, cases=(*CASES, ("pca_grid", 0.5))), ("added",)),
        (SEVEN, replace(SEVEN, cases=CASES[:2], settings={"full": "a"}), ("dropped",)),
        (SEVEN, replace(SEVEN, cases=(*CASES[:2], ("herding", 0.1))), ("added", "dropped")),
        (SEVEN, replace(SEVEN, cases=CASES[::-1]), ()),
        (SEVEN, replace(SEVEN, settings=SEVEN.settings | {"pca_grid": "d"}), ("settings",)),
        (SEVEN, replace(SEVEN, tolerance=0.02), ("tolerance",)),
        (SEVEN, replace(SEVEN, metric="balanced_accuracy"), ("metric",)),
        (SEVEN, replace(SEVEN, splits=5), ("splits",)),
        (replace(SEVEN, splits=3), replace(SEVEN, splits=2), ("splits",)),
        (replace(SEVEN, splits=5), SEVEN, ()),  # nothing is said of all splits
        (replace(SEVEN, splits=3, seeds=2), replace(SEVEN, splits=5, seeds=2), ("splits",)),
        (replace(SEVEN, seeds=2), replace(SEVEN, seeds=2, splits=5), ()),  # 2 decide nothing
        (replace(SEVEN, cases=CASES[:1]), replace(SEVEN, seeds=15), ()),  # nothing to compare
    ],
)
def test_a_plan_that_is_changed_after_its_results_were_seen_is_known(
    then: Declared, now: Declared, changes: tuple[str, ...]
) -> None:
    first = next_record(None, then)
    assert first == Record(then, Seen())
    found = next_record(first, now)
    assert found.seen == Seen((then.seeds,) if changes else (), changes)
    # A rerun changes nothing.
    assert next_record(found, now) == found


@pytest.mark.parametrize(
    ("numbers", "seeds", "is_changed"),
    [
        ((5, 1, 5), 7, False),  # what was declared
        ((5, 1, 7), 7, True),
        ((3, 1, 7), 5, True),  # what 5 seeds in three splits showed was seen
    ],
)
def test_a_single_split_between_does_not_hide_how_many_there_were(
    numbers: tuple[int, ...], seeds: int, is_changed: bool
) -> None:
    record = None
    for splits in numbers:
        record = next_record(record, replace(SEVEN, seeds=seeds, splits=splits))
    assert record is not None
    assert ("splits" in record.seen.changes) == is_changed


def test_what_was_seen_is_never_forgotten() -> None:
    first = next_record(None, replace(SEVEN, seeds=15))
    few = next_record(first, replace(SEVEN, seeds=3))
    assert few.seen == Seen()
    assert next_record(few, replace(SEVEN, seeds=15)).seen == Seen()
    assert next_record(few, replace(SEVEN, seeds=30)).seen == Seen((15,), ("seeds",))
    fewer = next_record(first, SEVEN)
    assert next_record(fewer, replace(SEVEN, seeds=15)).seen == Seen((15,), ("seeds",))
    wider = next_record(first, replace(SEVEN, seeds=15, tolerance=0.02))
    back = next_record(wider, replace(SEVEN, seeds=30))
    assert back.seen == Seen((15,), ("seeds", "tolerance"))


def test_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    assert read_records(tmp_path) == {}
    records = {
        "scratch": next_record(next_record(None, SEVEN), LOOKED),
        "probe": next_record(None, SEVEN),
    }
    write_records(tmp_path, records)
    assert read_records(tmp_path) == records


@pytest.mark.parametrize("text", ["", "[]", "{", '{"scratch": {}}', '{"scratch": 3}'])
def test_a_record_that_was_changed_by_hand_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / RECORD).write_text(text, "utf-8")
    with pytest.raises(PetiteError, match=RECORD):
        read_records(tmp_path)
