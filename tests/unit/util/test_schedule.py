"""Jobs that depend on each other, on some cores."""

import pytest

from petite.util.schedule import Task, schedule


def tasks(*seconds: float, **fields) -> list[Task]:
    return [Task(number, "train", took, **fields) for number, took in enumerate(seconds)]


@pytest.mark.parametrize(("cores", "seconds"), [(1, 12), (2, 8), (3, 6), (100, 6)])
def test_jobs_share_the_cores(cores, seconds):
    assert schedule(tasks(4, 2, 6), cores).seconds == seconds


def test_a_job_waits_for_those_that_it_needs():
    chain = [Task(0, "a", 3), Task(1, "b", 2, needs=(0,)), Task(2, "c", 1, needs=(1, 0))]
    assert schedule(chain, 8).seconds == 6


def test_a_job_that_is_done_is_not_waited_for():
    assert schedule([Task(1, "b", 2, needs=(0,))], 1).seconds == 2


def test_a_job_with_more_threads_than_cores_takes_all_of_them():
    assert schedule(tasks(3, 3, threads=8), 2).seconds == 6


def test_a_narrow_job_fills_the_core_that_a_wide_one_cannot_use():
    narrow, wide, other = Task(0, "a", 4), Task(1, "b", 4, threads=2), Task(2, "c", 4)
    assert schedule([narrow, wide, other], 2).seconds == 8


def test_a_running_job_keeps_its_core():
    waiting = Task(0, "a", 5)
    running = Task(1, "b", 1, is_running=True)
    assert schedule([waiting, running, Task(2, "c", 1, needs=(1,))], 1).seconds == 7


def test_the_peak_of_memory_is_that_of_the_jobs_that_run_at_a_time():
    assert schedule(tasks(2, 2, 2, memory=10.0), 2).memory == 20
    assert schedule(tasks(2, 2, 2, memory=10.0), 1).memory == 10


def test_no_jobs_take_no_time():
    assert schedule([], 2).seconds == 0


def test_many_jobs_whose_threads_do_not_divide_the_cores_run_one_by_one():
    """20,000 of them: where each end of a job looks at all that wait, this takes minutes."""
    wide = tasks(*[1.0] * 20_000, threads=2)
    assert schedule(wide, 3).seconds == 20_000
    narrow = [Task(30_000 + number, "other", 1.0) for number in range(20_000)]
    assert schedule([*wide, *narrow], 3).seconds == 20_000
