"""The cost of a selection: that of the method for each class or part of one, and the overhead."""

from dataclasses import replace
from typing import Any

import numpy as np

from petite.selection import partitions
from petite.selection.base import Cost, Method
from petite.selection.similarities import FLOAT

# The similarities of all pairs of 8,192 images.
MOST_HELD_BYTES = 256 * 2**20
MOST_BLOCK_BYTES = 64 * 2**20

# Bytes for each image in any method: labels, classes, members; and for its place in a ranking.
OF_EACH_IMAGE_BYTES = 40
OF_EACH_PLACE_BYTES = 40


def stages(
    method: Method,
    settings: Any,
    sizes: np.ndarray,
    quotas: np.ndarray,
    dimensions: int,
    parts: int,
    kept: np.ndarray | None = None,
) -> list[Cost]:
    """The cost of each part of a selection.

    Parameters
    ----------
    method : Method
    settings : MethodSettings
        The method's own.
    sizes : ndarray of int, shape (c,)
        Images of each class.
    quotas : ndarray of int, shape (c,)
        How many images of each class are selected.
    dimensions : int
        Number of features.
    parts : int
        Number of partitions of large classes.
    kept : ndarray of int, shape (c,), optional
        How many images of each class are kept in any case; each partition has all of them.

    Returns
    -------
    list of Cost
        Empty if the method does not state its cost.
    """
    if method.cost is None:
        return []
    total, chosen = int(sizes.sum()), int(quotas.sum())
    if method.choose_whole:
        costs = [method.cost(total, chosen, dimensions, settings)]
    else:
        costs = [
            cost
            for size, quota, first in zip(
                sizes.tolist(),
                quotas.tolist(),
                np.zeros_like(sizes).tolist() if kept is None else kept.tolist(),
                strict=True,
            )
            for cost in _of_class(method, settings, size, max(1, quota), dimensions, parts, first)
        ]
    places = total if method.traits(settings).ranks else chosen
    overhead = OF_EACH_IMAGE_BYTES * total + OF_EACH_PLACE_BYTES * places
    return [replace(cost, memory=cost.memory + overhead) for cost in costs]


def _of_class(
    method: Method,
    settings: Any,
    size: int,
    quota: int,
    dimensions: int,
    parts: int,
    kept: int,
) -> list[Cost]:
    """The cost of the method itself for `quota` of the images of one class."""
    assert method.cost is not None
    if parts == 1:
        return [method.cost(size, quota, dimensions, settings)]
    others, chosen = size - kept, quota - kept
    here = max(1, min(parts, others))
    part = -(-others // here)
    wanted = partitions.candidates_wanted(chosen, part, others)
    first = method.cost(max(1, kept + part), max(1, kept + wanted), dimensions, settings)
    found = min(others, wanted * here)
    blocks = partitions.merge_blocks(found, method.traits(settings).part)
    block, of_block = kept + found // blocks, kept + max(1, chosen // blocks)
    second = method.cost(max(1, block), min(max(1, block), of_block), dimensions, settings)
    # The features of the class stay in memory in addition to those of the part.
    held = FLOAT * size * dimensions
    return [
        replace(
            cost,
            products=count * cost.products,
            elements=count * cost.elements,
            steps=count * cost.steps,
            memory=cost.memory + held,
        )
        for count, cost in ((here, first), (blocks, second))
    ]
