"""How a budget of images is shared out among classes or other groups.

A quota rule is a weight for each group. The groups are filled together, each at a rate in
proportion to its weight, until a group has no more images; the others then go on. `shares` gives
the whole numbers nearest to that for one budget, `places` an order in which every prefix keeps to
it within one image.
"""

import heapq
from collections.abc import Mapping
from typing import Any

import numpy as np

from petite.selection.arguments import share
from petite.util.errors import PetiteError

QUOTAS = ("proportional", "equal", "error")
# A class that the proxy never gets wrong still counts for so much of the worst one.
LEAST_ERROR = 0.1


def weights_of(
    quota: str,
    sizes: np.ndarray,
    labels: np.ndarray,
    class_errors: Mapping[Any, float] | None = None,
) -> np.ndarray:
    """The weight of each class under a quota rule.

    Parameters
    ----------
    quota : {"proportional", "equal", "error"}
        In proportion to the classes' sizes, equal, or by class error: the share of a class that a
        model gets wrong, but at least a tenth of the worst class's.
    sizes : ndarray of int, shape (c,)
        Images of each class.
    labels : ndarray of int or str, shape (c,)
        The classes' labels.
    class_errors : mapping from label to float, optional
        The error, 0 to 1, of each label; needed by "error".

    Returns
    -------
    ndarray of float64, shape (c,)
        All above 0.

    Raises
    ------
    PetiteError
        For an unknown rule or a missing error.
    """
    if quota == "proportional":
        return np.asarray(sizes, np.float64)
    if quota == "equal":
        return np.ones(len(sizes))
    if quota != "error":
        raise PetiteError(f"'{quota}' is no quota; there are {', '.join(QUOTAS)}")
    errors = class_errors or {}
    missing = [str(label) for label in labels.tolist() if label not in errors]
    if missing:
        raise PetiteError(
            "the quota 'error' needs the error of each class in class_errors; "
            f"there is none of class {', '.join(missing)}"
        )
    given = np.array(
        [share(f"the class error of {label}", errors[label]) for label in labels.tolist()]
    )
    worst = given.max() or 1.0
    return np.maximum(given, LEAST_ERROR * worst)


def with_every_group(groups: np.ndarray, k: int) -> np.ndarray:
    """Choose k places of a ranking: the first of each group, then the first others.

    Parameters
    ----------
    groups : ndarray, shape (n,)
        The group of each place of the ranking.
    k : int
        From the number of groups to n.

    Returns
    -------
    ndarray of int64, shape (k,)
        Places in rising order. The first k where these have every group.
    """
    _, firsts = np.unique(groups, return_index=True)
    others = np.delete(np.arange(len(groups)), firsts)[: k - len(firsts)]
    return np.sort(np.append(firsts, others))


def proportional(sizes: np.ndarray, k: int) -> np.ndarray:
    """Share k among groups in proportion to their sizes, by the largest remainder.

    Parameters
    ----------
    sizes : ndarray of int, shape (g,)
        The groups' sizes.
    k : int
        0 to their sum.

    Returns
    -------
    ndarray of int64, shape (g,)
        With sum k, each less than one from its exact share and at most its group's size. Of equal
        remainders the earlier group's comes first.
    """
    sizes = np.asarray(sizes, np.int64)
    total = int(sizes.sum())
    if total == 0:
        return np.zeros_like(sizes)
    # In whole numbers, so that no share is a rounding error off. A share exceeds its group's size
    # never, and equals it only without a remainder, so that no cap is needed.
    quota, remainder = np.divmod(sizes * k, total)
    largest = np.argsort(-remainder, kind="stable")
    quota[largest[: k - int(quota.sum())]] += 1
    return quota


def shares(sizes: np.ndarray, weights: np.ndarray, k: int) -> np.ndarray:
    """Share k among groups by their weights; each gets one where k is enough for that.

    Parameters
    ----------
    sizes : ndarray of int, shape (g,)
        All above 0.
    weights : ndarray of float, shape (g,)
        All above 0.
    k : int
        0 to the sum of sizes.

    Returns
    -------
    ndarray of int64, shape (g,)
        With sum k, each at most its group's size and within one of its exact share of what is left
        when those that would have none got one.
    """
    sizes = np.asarray(sizes, np.int64)
    if np.array_equal(sizes, weights):
        quota = proportional(sizes, k)
    else:
        exact = _filled(sizes, weights, k)
        quota = np.minimum(np.floor(exact + 1e-9).astype(np.int64), sizes)
        # A full group has no remainder.
        remainder = np.where(quota < sizes, exact - quota, -1.0)
        largest = np.argsort(-remainder, kind="stable")
        quota[largest[: k - int(quota.sum())]] += 1
    without = quota == 0
    if k >= len(sizes) and without.any():
        quota[without] = 1
        rest = k - int(without.sum())
        quota[~without] = shares(sizes[~without], np.asarray(weights)[~without], rest)
    return quota


def places(sizes: np.ndarray, weights: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Order all images' groups so that every prefix keeps to the weights within one image.

    The next place goes to the group whose next image is due first, among those whose image is not
    too early.

    Parameters
    ----------
    sizes : ndarray of int, shape (g,)
        The groups' sizes, all above 0.
    weights : ndarray of float, shape (g,)
        All above 0.
    order : ndarray of int, shape (g,)
        A permutation of the groups: which comes first among equals.

    Returns
    -------
    ndarray of int64, shape (n,)
        The group of each place; group i fills sizes[i] places.

    References
    ----------
    Tijdeman 1980, "The chairman assignment problem", Discrete Mathematics 32.
    """
    groups, total = len(sizes), int(np.sum(sizes))
    if groups == 1:
        return np.zeros(total, np.int64)
    slack = 1 / (2 * groups - 2)
    tie = np.argsort(order)
    # The j-th image of a group (from 0) may stand from the place on at which the group's exact
    # share is j + slack, and must stand before it is j + 1 - slack.
    earliest, deadline = [], []
    for size, weight in zip(sizes, weights, strict=True):
        images = np.arange(int(size))
        begin = _when_filled(sizes, weights, (images + slack) / weight)
        end = _when_filled(sizes, weights, (images + 1 - slack) / weight)
        earliest.append(np.ceil(np.round(begin, 6)).astype(np.int64).tolist())
        deadline.append(np.round(end, 6).tolist())
    waiting = [(earliest[group][0], int(tie[group]), group, 0) for group in range(groups)]
    heapq.heapify(waiting)
    due: list[tuple[float, int, int, int]] = []
    result = np.empty(total, np.int64)
    for place in range(1, total + 1):
        while waiting and (waiting[0][0] <= place or not due):
            _, first, group, image = heapq.heappop(waiting)
            heapq.heappush(due, (deadline[group][image], first, group, image))
        _, first, group, image = heapq.heappop(due)
        result[place - 1] = group
        if image + 1 < sizes[group]:
            heapq.heappush(waiting, (earliest[group][image + 1], first, group, image + 1))
    return result


def _filled(sizes: np.ndarray, weights: np.ndarray, k: int) -> np.ndarray:
    """How full each group is, (g,) float64, when k images are in."""
    levels, totals = _levels(sizes, weights)
    return np.minimum(sizes, np.asarray(weights) * np.interp(k, totals, levels))


def _when_filled(sizes: np.ndarray, weights: np.ndarray, level: np.ndarray) -> np.ndarray:
    """How many images are in, when each group has its weight times `level`, or all it has."""
    levels, totals = _levels(sizes, weights)
    return np.interp(level, levels, totals)


def _levels(sizes: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The levels at which a group becomes full, from 0, and how many images are in by then."""
    full_at = np.asarray(sizes) / np.asarray(weights)
    levels = np.concatenate([[0.0], np.unique(full_at)])
    totals = np.minimum(sizes, np.asarray(weights) * levels[:, None]).sum(axis=1)
    return levels, totals
