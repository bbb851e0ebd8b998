"""How long jobs that depend on each other take on some cores, and the memory at their peak."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """A job of a run.

    Attributes
    ----------
    number : int
    rule : str
    seconds : float
        Its time on its threads.
    threads : int
        Cores that it occupies.
    memory : float
        Bytes that it needs at most.
    needs : tuple of int
        Numbers of the tasks that end before it starts. Unknown numbers are of finished jobs.
    is_running : bool
        It has started: `seconds` are those that are left.
    """

    number: int
    rule: str
    seconds: float
    threads: int = 1
    memory: float = 0.0
    needs: tuple[int, ...] = ()
    is_running: bool = False


@dataclass(frozen=True)
class Schedule:
    """The time from the first start to the last end, in seconds, and the peak memory in bytes."""

    seconds: float
    memory: float


def schedule(tasks: Sequence[Task], cores: int) -> Schedule:
    """Start each task as soon as its needs are done and its cores are free, in the given order.

    Parameters
    ----------
    tasks : sequence of Task
        Without circles.
    cores : int
        A task with more threads takes all of them.

    Returns
    -------
    Schedule
    """
    by_number = {task.number: task for task in tasks}
    order = {task.number: place for place, task in enumerate(tasks)}
    waits = {task.number: {n for n in task.needs if n in by_number} for task in tasks}
    followers: dict[int, list[int]] = {}
    for number, needs in waits.items():
        for need in needs:
            followers.setdefault(need, []).append(number)
    # By the cores that they occupy, so that those that do not fit are not searched.
    ready: dict[int, list[tuple[bool, int, int]]] = {}

    def queue(task: Task) -> None:
        heapq.heappush(ready.setdefault(_width(task, cores), []), _turn(task, order))

    for task in tasks:
        if not waits[task.number]:
            queue(task)
    running: list[tuple[float, int]] = []
    now, free, memory, peak = 0.0, cores, 0.0, 0.0
    while any(ready.values()) or running:
        while fitting := [turns for width, turns in ready.items() if turns and width <= free]:
            task = by_number[heapq.heappop(min(fitting))[-1]]
            free -= _width(task, cores)
            memory += task.memory
            heapq.heappush(running, (now + task.seconds, task.number))
        peak = max(peak, memory)
        now, number = heapq.heappop(running)
        free += _width(by_number[number], cores)
        memory -= by_number[number].memory
        for follower in followers.get(number, []):
            waits[follower].discard(number)
            if not waits[follower]:
                queue(by_number[follower])
    return Schedule(now, peak)


def _width(task: Task, cores: int) -> int:
    return min(task.threads, cores)


def _turn(task: Task, order: dict[int, int]) -> tuple[bool, int, int]:
    """The place of a task that is ready: those that run already come first."""
    return (not task.is_running, order[task.number], task.number)
