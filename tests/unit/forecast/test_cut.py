"""What is left of the jobs of a run without some of its cases and seeds."""

from dataclasses import replace

import pytest
from test_forecast import FACTS

from petite.forecast.cut import NOTHING, Cut, Forecaster, remaining
from petite.forecast.facts import PlannedJob
from petite.forecast.jobs import Costs

# 20 seeds of random and of a method with a proxy for each seed, in batches of 10.
RANDOM = [
    PlannedJob(10, "subset", "random", 0.5, seeds=10),
    PlannedJob(11, "subset", "random", 0.5, seeds=10, first=10),
    PlannedJob(12, "train", "random", 0.5, seeds=10, needs=(10,)),
    PlannedJob(13, "train", "random", 0.5, seeds=10, first=10, needs=(11,)),
]
PROXIES = [PlannedJob(20 + seed, "proxy", first=seed) for seed in range(20)]
METHOD = [
    *PROXIES,
    PlannedJob(40, "features", space="pixels"),
    PlannedJob(50, "rank", "ccs", seeds=10, needs=(*range(20, 30), 40)),
    PlannedJob(51, "rank", "ccs", seeds=10, first=10, needs=(*range(30, 40), 40)),
    PlannedJob(52, "subset", "ccs", 0.5, seeds=10, needs=(50,)),
    PlannedJob(53, "subset", "ccs", 0.5, seeds=10, first=10, needs=(51,)),
    PlannedJob(54, "train", "ccs", 0.5, seeds=10, needs=(52,)),
    PlannedJob(55, "train", "ccs", 0.5, seeds=10, first=10, needs=(53,)),
]
TRAINED = (12, 13, 54, 55)
REPORT = PlannedJob(60, "report", needs=(10, *TRAINED))
ALL = PlannedJob(61, "all", needs=(10, 11, 52, 53, *TRAINED, 60))
JOBS = [*RANDOM, *METHOD, REPORT, ALL]


def numbers(jobs: list[PlannedJob]) -> list[int]:
    return [job.number for job in jobs]


def test_nothing_is_taken_where_nothing_is_left_out() -> None:
    assert remaining(JOBS) == JOBS
    assert remaining(JOBS, (), 20) == JOBS


def test_with_a_case_goes_what_only_it_needs() -> None:
    assert numbers(remaining(JOBS, {("ccs", 0.5)})) == [10, 11, 12, 13, 60, 61]
    assert numbers(remaining(JOBS, {("ccs", 0.1)})) == numbers(JOBS)
    features = PlannedJob(62, "figures", needs=(40,))
    assert 40 in numbers(remaining([*JOBS, features], {("ccs", 0.5)}))


def test_a_case_goes_in_every_encoding() -> None:
    encoded = PlannedJob(70, "train", "random@64-webp-40", 0.5, seeds=10, needs=(10,))
    assert 70 not in numbers(remaining([*JOBS, encoded], {("random", 0.5)}))


@pytest.mark.parametrize("seeds", [1, 7, 10, 12, 19])
def test_no_seed_beyond_the_last_one_is_left(seeds: int) -> None:
    left = remaining(JOBS, seeds=seeds)
    of_seeds = [job for job in left if job.rule in ("train", "proxy", "subset", "rank")]
    assert all(job.first + job.seeds <= seeds for job in of_seeds)
    for rule, cases in (("train", 2), ("subset", 2), ("rank", 1), ("proxy", 1)):
        assert sum(job.seeds for job in left if job.rule == rule) == cases * seeds
    assert {40, 60, 61} <= set(numbers(left))


def test_less_of_anything_takes_less_time() -> None:
    seconds_of = Forecaster(JOBS, Costs(FACTS), cores=1)
    times = [
        seconds_of(cut)
        for cut in (
            NOTHING,
            Cut(12),
            Cut(7),
            Cut(7, (("ccs", 0.5),)),
            Cut(7, (("ccs", 0.5), ("random", 0.5))),
        )
    ]
    assert times == sorted(times, reverse=True)
    assert len(set(times)) == len(times)


def test_looks_and_jobs_of_a_cluster_take_time_of_their_own() -> None:
    alone = Forecaster(JOBS, Costs(FACTS), 2)(NOTHING)
    assert Forecaster(JOBS, Costs(FACTS), 2, looks=3)(NOTHING) > alone
    assert Forecaster(JOBS, Costs(FACTS), 2, each=45.0)(NOTHING) > alone


def test_a_program_of_unknown_time_is_named() -> None:
    program = PlannedJob(80, "judge_program", "random", 0.5)
    assert Forecaster([*JOBS, program], Costs(FACTS), 2).unknown == ("judge_program",)
    assert Forecaster(JOBS, Costs(FACTS), 2).unknown == ()


def test_jobs_that_are_done_count_too() -> None:
    done = [replace(job, is_due=False) for job in JOBS]
    costs = Costs(FACTS)
    for cut in (NOTHING, Cut(7)):
        assert Forecaster(done, costs, 2)(cut) == Forecaster(JOBS, costs, 2)(cut)
