"""Divide a budget of images among classes or other groups.

A quota rule is a weight for each group. The groups are filled together, each at a rate in
proportion to its weight. When a group has no more images, the others continue. `shares` rounds this
to whole numbers for one budget. `places` gives an order in which every prefix differs from it by
less than one image.
"""

import heapq
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from petite.selection.arguments import share
from petite.util.errors import PetiteError
from petite.util.hints import unknown

GROUP = "group"
QUOTAS = ("proportional", "equal", "error", GROUP)
# Smallest error of a class, as a fraction of the largest error of any class.
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
    quota : {"proportional", "equal", "error", "group"}
        In proportion to the classes' sizes, equal for all (the strata of "group" are groups), or in
        proportion to the error of a model on each class, but at least a tenth of the largest error.
    sizes : ndarray of int, shape (c,)
        Number of images of each class.
    labels : ndarray of int or str, shape (c,)
        Labels of the classes.
    class_errors : mapping from label to float, optional
        Error of each class, 0 to 1; required by "error".

    Returns
    -------
    ndarray of float64, shape (c,)
        All above 0.

    Raises
    ------
    PetiteError
        For an unknown rule, or a class error that is missing or out of range.
    """
    if quota == "proportional":
        return np.asarray(sizes, np.float64)
    if quota in ("equal", GROUP):
        return np.ones(len(sizes))
    if quota != "error":
        raise PetiteError(unknown(quota, QUOTAS, "quota"))
    errors = class_errors or {}
    missing = [str(label) for label in labels.tolist() if label not in errors]
    if missing:
        raise PetiteError(
            "the quota 'error' needs the error of each class in class_errors. "
            f"Missing: {', '.join(missing)}"
        )
    given = np.array(
        [share(f"the class error of {label}", errors[label]) for label in labels.tolist()]
    )
    worst = given.max() or 1.0
    return np.maximum(given, LEAST_ERROR * worst)


def strata_of(classes: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Divide the images of each class by group, such as by patient.

    Strata are numbered such that the first ones are as evenly from all classes as these have
    groups, with one of each class before the others.

    Parameters
    ----------
    classes : ndarray of int, shape (n,)
        The class of each image, from 0.
    groups : ndarray of shape (n,)
        The group of each image. A group with images of two classes counts once in each.

    Returns
    -------
    ndarray of int64, shape (n,)
        The stratum of each image.
    ndarray of int64, shape (s,)
        The class of each stratum.
    """
    _, numbers = np.unique(groups, return_inverse=True)
    pairs, stratum = np.unique(np.column_stack([classes, numbers]), axis=0, return_inverse=True)
    order = evenly(pairs[:, 0])
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return place[stratum.reshape(-1)], pairs[order, 0]


def evenly(classes: np.ndarray) -> np.ndarray:
    """Order positions so that each prefix has all classes by their share, first one of each.

    Examples
    --------
    >>> import numpy as np
    >>> from petite.selection.quota import evenly
    >>> classes = np.array([0, 0, 0, 0, 1, 1])
    >>> classes[evenly(classes)].tolist()
    [0, 1, 0, 0, 1, 0]
    """
    _, class_of, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    by_class = np.argsort(class_of, kind="stable")
    turn = np.empty(len(classes), np.int64)
    turn[by_class] = np.arange(len(classes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.argsort(turn / sizes[class_of], kind="stable")


def with_every_group(groups: np.ndarray, k: int) -> np.ndarray:
    """Choose k positions of a ranking such that every group is among them.

    These are the first image of each group, and then the first others. If the first k positions
    include every group, the result is these.

    Parameters
    ----------
    groups : ndarray of shape (n,)
        The group of each position of the ranking.
    k : int
        From the number of groups to n.

    Returns
    -------
    ndarray of int64, shape (k,)
        Positions in ascending order.

    Raises
    ------
    ValueError
        When k is below the number of groups.
    """
    _, firsts = np.unique(groups, return_index=True)
    if k < len(firsts):
        raise ValueError(f"k is {k}, but there are {len(firsts)} groups")
    others = np.delete(np.arange(len(groups)), firsts)[: k - len(firsts)]
    return np.sort(np.append(firsts, others))


def proportional(sizes: np.ndarray, k: int) -> np.ndarray:
    """Divide k among groups in proportion to their sizes, by the largest remainder method.

    Parameters
    ----------
    sizes : ndarray of int, shape (g,)
        Sizes of the groups.
    k : int
        From 0 to the sum of the sizes.

    Returns
    -------
    ndarray of int64, shape (g,)
        Numbers with sum k. Each differs from its exact share by less than one and is at most its
        group's size. If remainders are equal, earlier groups come first.
    """
    sizes = np.asarray(sizes, np.int64)
    total = int(sizes.sum())
    if total == 0:
        return np.zeros_like(sizes)
    # Whole numbers avoid rounding errors. A share never exceeds its group's size, and equals it
    # only without a remainder, so no cap is needed.
    quota, remainder = np.divmod(sizes * k, total)
    largest = np.argsort(-remainder, kind="stable")
    quota[largest[: k - int(quota.sum())]] += 1
    return quota


def shares(sizes: np.ndarray, weights: np.ndarray, k: int) -> np.ndarray:
    """Divide k among groups by their weights; every group gets at least one if k is large enough.

    Parameters
    ----------
    sizes : ndarray of int, shape (g,)
        Sizes of the groups, all above 0.
    weights : ndarray of float, shape (g,)
        Weights of the groups, all above 0.
    k : int
        From 0 to the sum of the sizes.

    Returns
    -------
    ndarray of int64, shape (g,)
        Numbers with sum k, each at most its group's size. Groups that would get none get one. The
        others are within one of their exact shares of the rest.

    Examples
    --------
    >>> import numpy as np
    >>> from petite.selection.quota import shares
    >>> sizes = np.array([80, 15, 5])
    >>> shares(sizes, weights=sizes, k=10).tolist()
    [8, 1, 1]
    >>> shares(sizes, weights=np.ones(3), k=30).tolist()
    [13, 12, 5]
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


def with_least(
    least: np.ndarray, k: int, divide: Callable[[np.ndarray, int], np.ndarray]
) -> np.ndarray:
    """Divide k among groups by a rule, where each group gets a least number.

    Groups whose share is below their least number get just that. The others share the rest.

    Parameters
    ----------
    least : ndarray of int, shape (g,)
        The least number of each group, 0 to its size.
    k : int
        From the sum of the least numbers to the sum of the sizes.
    divide : callable
        Divides a number among some groups: takes a mask of the groups, bool (g,), and the number;
        returns the number of each of them.

    Returns
    -------
    ndarray of int64, shape (g,)
        Numbers with sum k; those of the rule if these are large enough.

    Examples
    --------
    >>> import numpy as np
    >>> from petite.selection.quota import proportional, with_least
    >>> sizes = np.array([50, 30, 20])
    >>> with_least(np.array([0, 0, 6]), 10, lambda some, k: proportional(sizes[some], k)).tolist()
    [3, 1, 6]
    """
    quota = np.array(least, np.int64)
    free = np.ones(len(quota), bool)
    while free.any():
        # Groups that get no more than their least number leave less for the others.
        found = divide(free, k - int(quota[~free].sum()))
        short = found < quota[free]
        if not short.any():
            quota[free] = found
            break
        free[np.flatnonzero(free)[short]] = False
    return quota


def without_first(groups: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Remove the first places of each group from an order of places.

    Parameters
    ----------
    groups : ndarray of int, shape (n,)
        The group of each place.
    counts : ndarray of int, shape (g,)
        How many places of each group to remove.

    Returns
    -------
    ndarray of int, shape (n - sum of counts,)
        The other places in their order.
    """
    if not counts.any():
        return groups
    by_group = np.argsort(groups, kind="stable")
    sizes = np.bincount(groups, minlength=len(counts))
    turn = np.empty(len(groups), np.int64)
    turn[by_group] = np.arange(len(groups)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return groups[turn >= counts[groups]]


def places(sizes: np.ndarray, weights: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Order all images by group so that every prefix matches the weights to within one image.

    The next position goes to the group whose next image has the earliest deadline, among the groups
    whose next image is not too early (Tijdeman's rule).

    Parameters
    ----------
    sizes : ndarray of int, shape (g,)
        Sizes of the groups, all above 0.
    weights : ndarray of float, shape (g,)
        Weights of the groups, all above 0.
    order : ndarray of int, shape (g,)
        A permutation of the groups that breaks ties.

    Returns
    -------
    ndarray of int64, shape (n,)
        The group at each position; group i has sizes[i] positions.

    References
    ----------
    Tijdeman: "The Chairman Assignment Problem", Discrete Mathematics 32, 1980.
    """
    groups, total = len(sizes), int(np.sum(sizes))
    if groups == 1:
        return np.zeros(total, np.int64)
    slack = 1 / (2 * groups - 2)
    tie = np.argsort(order)
    # The j-th image of a group (from 0) may come as soon as the group's exact share is j + slack,
    # and must come before it is j + 1 - slack.
    levels, totals = _levels(sizes, weights)
    earliest, deadline = [], []
    for size, weight in zip(sizes, weights, strict=True):
        images = np.arange(int(size))
        begin = np.interp((images + slack) / weight, levels, totals)
        end = np.interp((images + 1 - slack) / weight, levels, totals)
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
    """The exact share of each group, float64 (g,), for k images."""
    levels, totals = _levels(sizes, weights)
    return np.minimum(sizes, np.asarray(weights) * np.interp(k, totals, levels))


def _levels(sizes: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The levels at which groups become full, from 0, and the number of images at each.

    At a level, each group has this many times its weight, or all of its images.
    """
    sizes, weights = np.asarray(sizes, np.float64), np.asarray(weights, np.float64)
    full_at = sizes / weights
    order = np.argsort(full_at, kind="stable")
    levels = np.concatenate([[0.0], np.unique(full_at)])
    full = np.searchsorted(full_at[order], levels, side="right")
    in_full = np.concatenate([[0.0], np.cumsum(sizes[order])])[full]
    weight_of_others = np.concatenate([np.cumsum(weights[order][::-1])[::-1], [0.0]])[full]
    return levels, in_full + weight_of_others * levels
