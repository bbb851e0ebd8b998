"""What is left of the jobs of a run without some of its cases and seeds."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from petite.forecast import slopes
from petite.forecast.facts import PlannedJob
from petite.forecast.forecast import forecast
from petite.forecast.jobs import TARGETS, Costs
from petite.util.encoded_names import method_of


@dataclass(frozen=True)
class Cut:
    """What is taken from a run.

    Attributes
    ----------
    seeds : int or None
        The most seeds of a case that remain; None: all.
    left_out : tuple of (str, float)
        The label and fraction of cases that are not judged.
    """

    seeds: int | None = None
    left_out: tuple[tuple[str, float], ...] = ()


NOTHING = Cut()


@dataclass(frozen=True)
class Forecaster:
    """Forecasts what a cut leaves of a run, in seconds.

    Parameters
    ----------
    jobs : sequence of PlannedJob
        All of the run, with all seeds.
    costs : Costs
    cores : int
    each : float
        See `petite.forecast.forecast.tasks_of`.
    looks : int
        At which the comparisons are tested.
    """

    jobs: Sequence[PlannedJob]
    costs: Costs
    cores: int
    each: float = 0.0
    looks: int = 0

    def __call__(self, cut: Cut) -> float:
        jobs = remaining(self.jobs, cut.left_out, cut.seeds)
        planning = slopes.PLANNING + slopes.PLANNING_JOB * len(jobs)
        looking = self.looks * (self.costs.seconds(PlannedJob(0, "look")) + self.each)
        return forecast(jobs, self.costs, self.cores, self.each).seconds + planning + looking

    @cached_property
    def unknown(self) -> tuple[str, ...]:
        """The rules of jobs of unknown time."""
        return forecast(self.jobs, self.costs, self.cores).unknown


def remaining(
    jobs: Sequence[PlannedJob],
    left_out: Collection[tuple[str, float]] = (),
    seeds: int | None = None,
) -> list[PlannedJob]:
    """The jobs of a run without some cases, with at most this many seeds of the others.

    What only these cases need, such as a feature space, is left out too.

    Parameters
    ----------
    jobs : sequence of PlannedJob
        All jobs of a run.
    left_out : collection of (str, float)
        The label of each case and its fraction.
    seeds : int, optional
        None: all.

    Returns
    -------
    list of PlannedJob
    """
    readers: dict[int, set[int]] = {job.number: set() for job in jobs}
    by_number = {job.number: job for job in jobs}
    for job in jobs:
        if job.rule not in TARGETS:
            for need in job.needs:
                readers.get(need, set()).add(job.number)
    dropped = [
        job.number
        for job in jobs
        if (method_of(job.method), job.fraction) in left_out
        or (seeds is not None and job.first >= seeds)
    ]
    gone = set(dropped)
    while dropped:
        number = dropped.pop()
        for need in by_number[number].needs:
            if need not in by_number or need in gone:
                continue
            readers[need].discard(number)
            if not readers[need]:
                gone.add(need)
                dropped.append(need)
    left = [job for job in jobs if job.number not in gone]
    if seeds is None:
        return left
    return [replace(job, seeds=min(job.seeds, seeds - job.first)) for job in left]
