"""How long the rest of a run takes: its forecast, corrected by the jobs that are done."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import mean

from petite.util.schedule import Task, schedule

# The forecast of a rule counts as much as this many finished jobs.
JOBS_OF_FORECAST = 1.0
# The forecast of the whole run counts as much as these seconds of finished jobs.
SECONDS_OF_FORECAST = 5.0


def seconds_left(
    planned: Sequence[Task],
    taken: Mapping[int, float],
    running: Mapping[int, float],
    cores: int,
) -> float:
    """The time until the last job ends, if jobs of a rule take as long as those before them.

    Parameters
    ----------
    planned : sequence of Task
        The jobs of the run with their forecasts, also those that are done.
    taken : mapping of int to float
        Seconds of finished jobs, by number.
    running : mapping of int to float
        Seconds since the running jobs began, by number.
    cores : int

    Returns
    -------
    float
    """
    factors = factors_of_rules(planned, taken)
    means = means_without_forecast(planned, taken)
    left = []
    for task in planned:
        if task.number in taken:
            continue
        seconds = task.seconds * factors[task.rule] or means.get(task.rule, 0.0)
        if task.number in running:
            seconds = max(0.0, seconds - running[task.number])
        left.append(replace(task, seconds=seconds, is_running=task.number in running))
    return schedule(left, cores).seconds


def that_can_run(planned: Iterable[Task], failed: Collection[int]) -> list[Task]:
    """The jobs without those that failed, and without those that need one of them."""
    planned = list(planned)
    followers = defaultdict[int, list[int]](list)
    for task in planned:
        for need in task.needs:
            followers[need].append(task.number)
    lost, new = set(failed), list(failed)
    while new:
        found = [number for number in followers[new.pop()] if number not in lost]
        lost.update(found)
        new += found
    return [task for task in planned if task.number not in lost]


def factors_of_rules(planned: Sequence[Task], taken: Mapping[int, float]) -> dict[str, float]:
    """How many times its forecast each rule takes.

    A rule without finished jobs takes as many times its forecast as all finished jobs did.
    """
    forecast, measured = defaultdict[str, float](float), defaultdict[str, float](float)
    jobs = defaultdict[str, int](int)
    for task in planned:
        if task.number in taken:
            forecast[task.rule] += task.seconds
            measured[task.rule] += taken[task.number]
            jobs[task.rule] += 1
    seen = sum(forecast.values()) + SECONDS_OF_FORECAST
    overall = (sum(measured.values()) + SECONDS_OF_FORECAST) / seen
    factors = {}
    for rule in {task.rule for task in planned}:
        # As if some more jobs had taken what the other rules make expect of them.
        more = JOBS_OF_FORECAST * forecast[rule] / jobs[rule] if jobs[rule] else 0.0
        total = forecast[rule] + more
        factors[rule] = (measured[rule] + more * overall) / total if total else overall
    return factors


def means_without_forecast(planned: Sequence[Task], taken: Mapping[int, float]) -> dict[str, float]:
    """What the finished jobs of each rule took that has no forecast, on average."""
    found = defaultdict[str, list[float]](list)
    for task in planned:
        if task.number in taken and not task.seconds:
            found[task.rule].append(taken[task.number])
    return {rule: mean(seconds) for rule, seconds in found.items()}
