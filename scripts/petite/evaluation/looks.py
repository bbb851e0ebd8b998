"""Looks: the numbers of seeds, fixed beforehand, at which comparisons are tested.

`petite.evaluation.sequential` tests at them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from petite.evaluation.statistics import ALPHA, ENOUGH_RUNS, least_p


@dataclass(frozen=True)
class Looks:
    """When comparisons are tested.

    Attributes
    ----------
    seeds : tuple of int
        The number of seeds at each look, rising.
    levels : tuple of float
        The level of the tests at each look; their sum is at most 5%.
    """

    seeds: tuple[int, ...]
    levels: tuple[float, ...]

    @classmethod
    def of(cls, values: dict[str, list[float]] | None) -> "Looks | None":
        """Make looks from a mapping with their seeds and levels; None from None."""
        if values is None:
            return None
        return cls(tuple(map(int, values["seeds"])), tuple(values["levels"]))

    def level_of(self, runs: int) -> float:
        """The level of the intervals of a case with this number of runs."""
        later = (
            level for seeds, level in zip(self.seeds, self.levels, strict=True) if seeds >= runs
        )
        return next(later, self.levels[-1])


class PlannedSeeds(TypedDict):
    """The seeds of a judge as they were planned: the most of a case, and its looks or None."""

    most: int
    looks: dict[str, Any] | None


def seen_before(
    then: Mapping[str, PlannedSeeds],
    now: Mapping[str, PlannedSeeds],
    earlier: Mapping[str, Sequence[int]],
) -> dict[str, list[int]]:
    """The numbers of seeds at which a judge's results were seen before its seeds were planned.

    Fewer than ENOUGH_RUNS seeds decide nothing, so that they do not count.

    Parameters
    ----------
    then, now : mapping from str to PlannedSeeds
        By judge, in the last finished run and in this one.
    earlier : mapping from str to sequence of int
        What this function returned for the last finished run.

    Returns
    -------
    dict from str to list of int
        Only judges with such results.

    Examples
    --------
    >>> seven, more = {"most": 7, "looks": None}, {"most": 15, "looks": None}
    >>> seen_before({"scratch": seven}, {"scratch": more}, {})
    {'scratch': [7]}
    >>> seen_before({"scratch": more}, {"scratch": more}, {"scratch": [7]})
    {'scratch': [7]}
    """
    found = {}
    for judge, plan in now.items():
        last = then.get(judge, {"most": 0, "looks": plan["looks"]})
        seen = set(earlier.get(judge, []))
        has_changed = plan["most"] > last["most"] or (
            plan["looks"] is not None and plan["looks"] != last["looks"]
        )
        if has_changed and last["most"] >= ENOUGH_RUNS:
            seen.add(last["most"])
        if seen:
            found[judge] = sorted(seen)
    return found


def with_most_seen(
    then: Mapping[str, PlannedSeeds], now: Mapping[str, PlannedSeeds]
) -> dict[str, PlannedSeeds]:
    """The plan to record: with the seeds of an earlier one that had more of them."""
    return {
        judge: {**plan, "most": max(plan["most"], then.get(judge, plan)["most"])}
        for judge, plan in now.items()
    }


def usual_levels(seeds: tuple[int, ...]) -> tuple[float, ...]:
    """Divide 5% among looks.

    The first look gets the smallest p that its seeds can give, so that it can decide a comparison,
    but at most half of 5%; the others share the rest evenly.

    Parameters
    ----------
    seeds : tuple of int
        The number of seeds at each look.

    Returns
    -------
    tuple of float

    Examples
    --------
    >>> [round(level, 4) for level in usual_levels((7, 10, 15, 30))]
    [0.0156, 0.0115, 0.0115, 0.0115]
    """
    if len(seeds) == 1:
        return (ALPHA,)
    first = least_p(seeds[0])
    if first > ALPHA / 2:
        first = ALPHA / len(seeds)
    return (first, *[(ALPHA - first) / (len(seeds) - 1)] * (len(seeds) - 1))
