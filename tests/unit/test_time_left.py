"""The time left, from a recorded sequence of jobs."""

import random

import pytest

from petite.util.schedule import Task, schedule
from petite_logger_plugin.remaining import seconds_left, that_can_run


def moments(tasks: list[Task], actual: dict[int, float], cores: int):
    """Replay a run: each moment at which a job ends, with what is done and what runs."""
    waiting, running, done, now = list(tasks), {}, {}, 0.0
    while waiting or running:
        for task in list(waiting):
            is_ready = all(need in done for need in task.needs)
            if is_ready and len(running) < cores:
                running[task.number] = now
                waiting.remove(task)
        number = min(running, key=lambda n: running[n] + actual[n])
        now = running.pop(number) + actual[number]
        done[number] = actual[number]
        yield now, dict(done), {n: now - since for n, since in running.items()}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("cores", [1, 2, 4])
@pytest.mark.parametrize("wrong", [0.3, 1.0, 3.0])
def test_it_is_within_a_fifth_from_a_third_of_a_run_of_similar_jobs(seed, cores, wrong):
    rng = random.Random(seed)
    tasks = [Task(0, "ingest", 4), *(Task(n, "train", 10, needs=(0,)) for n in range(1, 41))]
    tasks.append(Task(41, "report", 3, needs=tuple(range(1, 41))))
    actual = {task.number: task.seconds * wrong * rng.uniform(0.8, 1.2) for task in tasks}
    # What is left in the very end is shorter than a job, of which a fifth is noise.
    least = 3 * max(actual.values())
    replayed = list(moments(tasks, actual, cores))
    end = replayed[-1][0]
    seen = 0
    for now, done, running in replayed:
        if now > end / 3 and end - now > least:
            assert seconds_left(tasks, done, running, cores) == pytest.approx(end - now, rel=0.2)
            seen += 1
    assert seen > 3


def test_jobs_that_a_checkpoint_adds_count():
    tasks = [Task(number, "train", 10) for number in range(4)]
    left = seconds_left(tasks, {0: 10.0}, {}, 1)
    more = [*tasks, *(Task(number, "train", 10) for number in range(4, 8))]
    assert seconds_left(more, {0: 10.0}, {}, 1) == pytest.approx(left + 40)


def test_before_any_job_is_done_it_is_the_forecast():
    tasks = [Task(number, "train", 10) for number in range(4)]
    assert seconds_left(tasks, {}, {}, 2) == schedule(tasks, 2).seconds


def test_a_rule_that_has_not_run_is_as_slow_as_the_others():
    tasks = [Task(0, "subset", 10), Task(1, "train", 100)]
    assert seconds_left(tasks, {0: 40.0}, {}, 1) > 250


def test_a_job_that_takes_longer_than_it_should_is_almost_done():
    assert seconds_left([Task(0, "train", 10)], {}, {0: 60.0}, 1) == 0


def test_jobs_without_a_forecast_count_once_one_of_them_is_done():
    tasks = [Task(number, "judge_program", 0.0) for number in range(4)]
    assert seconds_left(tasks, {}, {}, 1) == 0
    assert seconds_left(tasks, {0: 30.0}, {1: 10.0}, 1) == 80


def test_jobs_that_need_a_failed_one_do_not_count():
    tasks = [
        Task(0, "features", 10),
        Task(1, "subset", 10, needs=(0,)),
        Task(2, "train", 100, needs=(1,)),
        Task(3, "train", 10),
        Task(4, "all", 1, needs=(2, 3)),
    ]
    assert [task.number for task in that_can_run(tasks, {0})] == [3]
    assert that_can_run(tasks, ()) == tasks
    assert seconds_left(that_can_run(tasks, {1}), {0: 10.0}, {}, 1) == pytest.approx(10)
