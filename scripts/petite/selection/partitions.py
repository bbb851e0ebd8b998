"""Large classes in two stages: candidates from each partition, and the selection from them.

A method whose time grows with the square of a class's size is run on random parts of it, each of
which gives `CANDIDATES` times its share of images (Mirzasoleiman and others 2013, GreeDi); then it
is run on the candidates. So the time grows with the number of images only. The parts can be
computed anywhere: on a cluster each is its own job.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from petite.selection.base import Choice, Group, Method
from petite.util.seeds import generator

# A class with more images than this is divided, unless the user says otherwise. Of so many the
# similarities of all pairs are held in 256 MiB.
ONE_STAGE = 8_192
CANDIDATES = 2


def how_many(method: Method, settings: Any, sizes: np.ndarray, partitions: int | None) -> int:
    """How many partitions a selection takes.

    sizes: (c,) int, images of each class; partitions: as the user asks, or None.
    """
    traits = method.traits(settings)
    if not method.choose or not traits.two_stage:
        return 1
    if partitions is not None:
        return partitions
    largest = int(sizes.max())
    return 1 if largest <= ONE_STAGE else -(-largest // traits.part)


def parts_of(size: int, partitions: int, seed: int, *purpose: str) -> list[np.ndarray]:
    """Random parts, (s,) int64 each, of `size` images; equal to within one image, none empty."""
    order = generator(seed, "partitions", *purpose).permutation(size)
    return [np.sort(part) for part in np.array_split(order, min(partitions, size))]


def candidates_wanted(k: int, part: int, size: int) -> int:
    """How many candidates a part of so many of the `size` images gives, where k are wanted."""
    return min(part, -(-CANDIDATES * k * part // size))


def merge_blocks(candidates: int, part: int) -> int:
    """In how many blocks the second stage chooses from so many candidates of a class.

    part: images of a block, about, where they are many.
    """
    return 1 if candidates <= ONE_STAGE else -(-candidates // part)


def part_of_group(group: Group, members: np.ndarray, k: int) -> Group:
    """The group of some members only, from which k are chosen."""
    return replace(
        group,
        features=None if group.features is None else group.features[members],
        scores=None if group.scores is None else group.scores[members],
        mass=group.mass[members],
        k=k,
    )


def candidates(group: Group, method: Method, settings: Any) -> Choice:
    """The first stage for a part: candidates, and how many images each of them stands for."""
    assert method.choose is not None
    choice = method.choose(group, settings)
    mass = choice.weights
    if mass is None:
        mass = np.full(group.k, group.mass.sum() / group.k)
    return Choice(choice.indices, weights=mass)


def merge(
    group: Group, found: Choice, method: Method, settings: Any, seed: int, *purpose: str
) -> Choice:
    """The second stage: choose group.k of the candidates, in blocks where they are many.

    A block is a random part of the candidates and gives its share exactly.
    """
    assert method.choose is not None
    assert found.weights is not None
    order = np.argsort(found.indices)
    images, mass = found.indices[order], found.weights[order]
    count = merge_blocks(len(images), method.traits(settings).part)
    blocks = parts_of(len(images), count, seed, "merge", *purpose)
    ends = np.cumsum([len(block) for block in blocks]) * group.k // len(images)
    wanted = np.diff(ends, prepend=0)
    whole = replace(group, mass=np.zeros(group.size))
    whole.mass[images] = mass
    chosen = [
        (images[block], method.choose(part_of_group(whole, images[block], int(k)), settings))
        for block, k in zip(blocks, wanted, strict=True)
        if k
    ]
    # First the first of each block, then the second ones: prefixes draw on all blocks.
    turn = np.concatenate([np.arange(len(choice.indices)) for _, choice in chosen])
    order = np.argsort(turn, kind="stable")
    weights = [choice.weights for _, choice in chosen]
    extra = {
        name: np.concatenate([choice.extra[name] for _, choice in chosen])[order]
        for name in chosen[0][1].extra
    }
    return Choice(
        np.concatenate([members[choice.indices] for members, choice in chosen])[order],
        None
        if any(weight is None for weight in weights)
        else np.concatenate([weight for weight in weights if weight is not None])[order],
        extra,
    )
