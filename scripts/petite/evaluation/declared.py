"""What was declared before results were seen, and what was changed afterwards.

Petite's error rates hold for comparisons that were declared before their results were seen. The
tables of a run show results, so that whoever changes the plan of a run that has tables may do so
because of them. Each run records its plan next to its tables, compares it with the one before, and
the answer says what was changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypedDict

from pydantic import TypeAdapter, ValidationError

from petite.evaluation.looks import Looks
from petite.evaluation.statistics import ENOUGH_RUNS
from petite.util.errors import PetiteError
from petite.util.files import read_json, write_json

# Next to the tables, but not an output of a rule: Snakemake deletes outputs before a job.
RECORD = "declared.json"

Change = Literal["seeds", "looks", "added", "dropped", "settings", "tolerance", "metric", "splits"]


@dataclass(frozen=True)
class Declared:
    """The comparisons of a judge as a run declares them.

    Attributes
    ----------
    seeds : int
        The most seeds of a case; in a `Record`, the most that any of its tables had.
    looks : Looks or None
        When the comparisons are tested; None: once, with all seeds.
    cases : tuple of (str, float)
        The label of each method with each of its fractions.
    settings : mapping of str to str
        All that decides what a method selects, by label.
    tolerance : float
    metric : str
    splits : int
        How many divide the images.
    """

    seeds: int
    looks: Looks | None
    cases: tuple[tuple[str, float], ...]
    settings: Mapping[str, str]
    tolerance: float
    metric: str
    splits: int = 1


class Plan(TypedDict):
    """The part of `Declared` that the configuration tells."""

    seeds: int
    cases: tuple[tuple[str, float], ...]
    settings: dict[str, str]
    splits: int


@dataclass(frozen=True)
class Seen:
    """Results that had been seen before a plan was changed.

    Attributes
    ----------
    seeds : tuple of int
        Their numbers of seeds, rising; empty if nothing was changed.
    changes : tuple of Change
        What was changed, in the order of `Change`.
    """

    seeds: tuple[int, ...] = ()
    changes: tuple[Change, ...] = ()


NOTHING_SEEN = Seen()


@dataclass(frozen=True)
class Record:
    """The plan of a judge's last tables, and what had been seen before it."""

    declared: Declared
    seen: Seen


def next_record(last: Record | None, now: Declared) -> Record:
    """Compare a plan with that of the last tables.

    Fewer than ENOUGH_RUNS seeds of one split decide nothing, and neither does a single case, so a
    change after them does not count. Neither does a return to a single split, of which nothing is
    compared with others. What was seen is never forgotten, and neither are the largest number of
    seeds and the last number of several splits.

    Examples
    --------
    >>> cases = (("full", 1.0), ("random", 0.1))
    >>> seven = Declared(7, None, cases, {}, 0.01, "accuracy")
    >>> first = next_record(None, seven)
    >>> next_record(first, replace(seven, seeds=15)).seen
    Seen(seeds=(7,), changes=('seeds',))
    """
    if last is None:
        return Record(now, NOTHING_SEEN)
    before = last.declared
    changes: dict[Change, bool] = {
        "seeds": now.seeds > before.seeds or ENOUGH_RUNS <= now.seeds < before.seeds,
        "looks": now.looks != before.looks,
        "added": not set(now.cases) <= set(before.cases),
        "dropped": not set(before.cases) <= set(now.cases),
        "settings": any(
            now.settings[label] != settings
            for label, settings in before.settings.items()
            if label in now.settings
        ),
        "tolerance": now.tolerance != before.tolerance,
        "metric": now.metric != before.metric,
        "splits": now.splits not in (1, before.splits),
    }
    seen, seeds = last.seen, max(before.seeds, now.seeds)
    is_enough = before.seeds >= ENOUGH_RUNS or before.splits > 1
    has_shown = is_enough and len(before.cases) > 1
    if has_shown and any(changes.values()):
        found = tuple(
            kind for kind, is_changed in changes.items() if is_changed or kind in seen.changes
        )
        seen = Seen(tuple(sorted({*seen.seeds, before.seeds})), found)
    splits = before.splits if now.splits == 1 else now.splits
    return Record(replace(now, seeds=seeds, splits=splits), seen)


def read_records(folder: Path) -> dict[str, Record]:
    """The record of each judge in a folder of results; empty if it has no tables.

    Raises
    ------
    PetiteError
        If the record was changed by hand.
    """
    path = folder / RECORD
    if not path.exists():
        return {}
    try:
        return _JSON.validate_python(read_json(path))
    except (ValidationError, ValueError) as error:
        raise PetiteError(
            f"'{path}' is not a record of Petite. It says which results had been seen before the "
            "plan was changed. Restore it, or delete it and the tables."
        ) from error


def write_records(folder: Path, records: Mapping[str, Record]) -> None:
    """Record the plans of the tables in a folder of results, by judge."""
    values: dict[str, Any] = _JSON.dump_python(dict(records), mode="json")
    write_json(folder / RECORD, values)


_JSON: TypeAdapter[dict[str, Record]] = TypeAdapter(dict[str, Record])
