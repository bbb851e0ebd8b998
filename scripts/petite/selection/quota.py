"""How a budget of images is shared out among classes or other groups."""

import heapq

import numpy as np


def proportional(sizes: np.ndarray, k: int) -> np.ndarray:
    """Share k among groups in proportion to their sizes, by the largest remainder.

    sizes: (g,) int, the groups' sizes; 0 <= k <= their sum.
    Returns (g,) int64 with sum k, each less than one from its exact share and at most its group's
    size. Of equal remainders the earlier group's comes first.
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


def proportional_with_all(sizes: np.ndarray, k: int) -> np.ndarray:
    """As `proportional`, but no group goes without where k is enough for one each.

    sizes: (g,) int, all above 0. A group whose share rounds to nothing gets one, and the others
    share the rest.
    """
    sizes = np.asarray(sizes, np.int64)
    quota = proportional(sizes, k)
    without = quota == 0
    if k >= len(sizes) and without.any():
        quota[without] = 1
        quota[~without] = proportional_with_all(sizes[~without], k - int(without.sum()))
    return quota


def interleaved(sizes: np.ndarray, order: np.ndarray) -> np.ndarray:
    """An order of all images' groups in which every prefix is proportional to within one image.

    sizes: (g,) int, the groups' sizes, all above 0.
    order: (g,) int, a permutation of the groups: which comes first among equals.
    Returns (n,) int64, the group of each place; group i fills sizes[i] places, and among the first
    m places less than one more or fewer than m * sizes[i] / n.

    This is Tijdeman's rule for the chairman assignment problem (Discrete Mathematics 32, 1980):
    the next place goes to the group whose next image is due first, among those whose image is not
    too early.
    """
    groups = len(sizes)
    if groups == 1:
        return np.zeros(int(sizes[0]), np.int64)
    total = int(np.sum(sizes))
    # Times are in whole numbers: places times `scale`, so that nothing is rounded.
    scale = 2 * groups - 2
    weight = [scale * int(size) for size in sizes]
    tie = np.argsort(order)
    places = np.empty(total, np.int64)
    # The j-th image of a group (from 0) may stand at place m (from 1) once
    # m * weight >= (j * scale + 1) * total, and must stand there before (j + 1) * scale - 1 passes.
    waiting = [(-(-total // weight[group]), int(tie[group]), group, 0) for group in range(groups)]
    heapq.heapify(waiting)
    due: list[tuple[int, int, int, int]] = []
    for place in range(1, total + 1):
        while waiting and waiting[0][0] <= place:
            _, first, group, image = heapq.heappop(waiting)
            deadline = ((image + 1) * scale - 1) * total // weight[group]
            heapq.heappush(due, (deadline, first, group, image))
        _, first, group, image = heapq.heappop(due)
        places[place - 1] = group
        if image + 1 < sizes[group]:
            earliest = -(-((image + 1) * scale + 1) * total // weight[group])
            heapq.heappush(waiting, (earliest, first, group, image + 1))
    return places
