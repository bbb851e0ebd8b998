"""From a request to a ranking: classes, partitions, and the method itself."""

import time
from collections.abc import Callable

import numpy as np

from petite.selection import partitions
from petite.selection.base import Choice, Ranking
from petite.selection.request import Request, as_usual


@as_usual
def run(request: Request) -> Ranking:
    """Run the method and return its selection in order.

    Parameters
    ----------
    request : Request

    Returns
    -------
    Ranking
    """
    started = time.perf_counter()
    if request.method.choose_whole:
        choice = request.method.choose_whole(request, request.settings)
    elif request.partitions == 1:
        choice = _by_class(request, _one_stage)
    else:
        parts = min(request.partitions, int(request.sizes.max()))
        found = [first_stage(request, part) for part in range(parts)]
        return second_stage(request, found, time.perf_counter() - started)
    return _ranking(request, choice, time.perf_counter() - started)


def first_stage(request: Request, part: int) -> Choice:
    """Select candidates from one partition of every class.

    Parameters
    ----------
    request : Request
        With more than one partition.
    part : int
        Which partition, from 0.

    Returns
    -------
    Choice
        The candidates, and the kept images; the weights are the number of images that each
        represents.
    """
    found = []
    for number, k in enumerate(request.quotas.tolist()):
        parts = request.parts[number]
        if k and part < len(parts):
            images = parts[part]
            first, size = int(request.kept_sizes[number]), int(request.sizes[number])
            wanted = first + partitions.candidates_wanted(
                k - first, len(images) - first, size - first
            )
            group = request.group(number, images, wanted, "part", str(part))
            choice = partitions.candidates(group, request.method, request.settings)
            found.append(Choice(images[choice.indices], choice.weights))
    nothing = Choice(np.empty(0, np.int64), np.empty(0))
    return Choice(*_together([nothing, *found]))


def _together(choices: list[Choice]) -> tuple[np.ndarray, np.ndarray]:
    """The images and weights of several choices."""
    return (
        np.concatenate([choice.indices for choice in choices]),
        np.concatenate([choice.weights for choice in choices if choice.weights is not None]),
    )


def second_stage(request: Request, found: list[Choice], seconds: float) -> Ranking:
    """Select from the candidates of all partitions.

    Parameters
    ----------
    request : Request
        The same as for the first stage.
    found : list of Choice
        The result of the first stage for each partition, in any order.
    seconds : float
        Duration of the first stage; that of the ranking includes it.

    Returns
    -------
    Ranking
    """
    started = time.perf_counter()
    indices, mass = _together(found)

    def merge(request: Request, number: int, k: int) -> tuple[np.ndarray, Choice]:
        members = request.members[number]
        group = request.group(number, members, k, "merge")
        mine = request.classes[indices] == number
        # Members are sorted, so that a search gives the position of an image in its class.
        candidates = Choice(np.searchsorted(members, indices[mine]), mass[mine])
        return members, partitions.merge(
            group,
            candidates,
            request.method,
            request.settings,
            request.partition_seed,
            str(number),
        )

    choice = _by_class(request, merge)
    return _ranking(request, choice, seconds + time.perf_counter() - started)


def _one_stage(request: Request, number: int, k: int) -> tuple[np.ndarray, Choice]:
    members = request.members[number]
    group = request.group(number, members, k)
    return members, request.method.chosen(group, request.settings)


def _by_class(
    request: Request, choose: Callable[[Request, int, int], tuple[np.ndarray, Choice]]
) -> Choice:
    """Select within every class that has a quota, and interleave the classes.

    choose: takes the request, the number of a class and k; returns the images of the class and the
    choice of them.
    """
    place = request.places[: request.k]
    indices = np.empty(request.k, np.int64)
    weights: np.ndarray | None = None
    extra: dict[str, np.ndarray] = {}
    for number in np.unique(place):
        here = np.flatnonzero(place == number)
        members, choice = choose(request, int(number), len(here))
        indices[here] = members[choice.indices]
        if choice.weights is not None:
            weights = np.ones(request.k) if weights is None else weights
            weights[here] = choice.weights
        for name, column in choice.extra.items():
            extra.setdefault(name, np.empty(request.k, column.dtype))[here] = column
    return Choice(indices, weights, extra)


def _ranking(request: Request, choice: Choice, seconds: float) -> Ranking:
    k, name = request.k, request.method.name
    indices = np.asarray(choice.indices, np.int64)
    if indices.shape != (k,) or len(np.unique(indices)) != k:
        raise RuntimeError(
            f"Method '{name}' did not select {k} different images. This is a bug in the method."
        )
    is_kept = np.isin(indices, request.kept)
    if is_kept.sum() != len(request.kept):
        raise RuntimeError(
            f"Method '{name}' left out images that are to be kept. This is a bug in the method."
        )
    # The kept images in ascending order, and then the others in the order of the method.
    order = np.lexsort((np.where(is_kept, indices, 0), ~is_kept))
    weights = np.ones(k) if choice.weights is None else np.asarray(choice.weights, np.float64)
    return Ranking(
        indices=indices[order],
        weights=weights[order],
        extra={name: column[order] for name, column in choice.extra.items()},
        details=choice.details,
        method=name,
        seed=request.seed,
        settings=request.settings.model_dump(mode="json"),
        quota=request.quota,
        partitions=request.partitions,
        seconds=seconds,
        memory=request.memory,
        kept=len(request.kept),
    )
