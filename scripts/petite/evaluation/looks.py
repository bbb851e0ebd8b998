"""Looks: the numbers of seeds, fixed beforehand, at which comparisons are tested.

`petite.evaluation.sequential` tests at them.
"""

from dataclasses import dataclass

from petite.evaluation.statistics import ALPHA, least_p, seeds_to_decide


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


def seeds_needed(comparisons: int, looks: Looks | None) -> int:
    """The fewest seeds with which the last look, or the only test, can decide a comparison.

    comparisons: how many comparisons with random Holm's adjustment is for.
    """
    level = looks.levels[-1] if looks else ALPHA
    return seeds_to_decide(comparisons * ALPHA / level)


def usual_levels(seeds: tuple[int, ...]) -> tuple[float, ...]:
    """Divide 5% among looks.

    All looks get the same, but the first at least the smallest p that its seeds can give, so that
    it can decide a comparison. If that is more than half of 5%, it cannot, and gets as much as the
    others.

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
    >>> [round(level, 4) for level in usual_levels((10, 20))]
    [0.025, 0.025]
    """
    if len(seeds) == 1:
        return (ALPHA,)
    even, least = ALPHA / len(seeds), least_p(seeds[0])
    first = even if least > ALPHA / 2 else max(even, least)
    return (first, *[(ALPHA - first) / (len(seeds) - 1)] * (len(seeds) - 1))
