"""Select from large classes in two stages: candidates from each partition, then from these.

A method whose time grows with the square of a class's size runs on random parts of the class. Each
part gives `CANDIDATES` times its share of images (GreeDi, Mirzasoleiman and others 2013). The
method then runs on the candidates. So the time grows linearly with the number of images. The parts
are independent: on a cluster each is its own job.
"""

from dataclasses import replace

import numpy as np

from petite.selection.base import Choice, Group, Method, MethodSettings
from petite.util.seeds import generator

# A class with more images than this is divided, unless the user sets the number of partitions. The
# similarities of all pairs of this many images take 256 MiB.
ONE_STAGE = 8_192
CANDIDATES = 2


def how_many(
    method: Method, settings: MethodSettings, sizes: np.ndarray, partitions: int | None
) -> int:
    """The number of partitions of a selection.

    Parameters
    ----------
    method : Method
        The selection method.
    settings : MethodSettings
        Its settings.
    sizes : ndarray of int, shape (c,)
        Number of images of each class.
    partitions : int or None
        The number that the user asked for.
    """
    traits = method.traits(settings)
    if not method.choose or not traits.two_stage:
        return 1
    if partitions is not None:
        return partitions
    largest = int(sizes.max())
    return 1 if largest <= ONE_STAGE else -(-largest // traits.part)


def parts_of(size: int, partitions: int, seed: int, *purpose: str) -> list[np.ndarray]:
    """Random parts, each int64 (s,), of `size` images; their sizes differ by at most one."""
    order = generator(seed, "partitions", *purpose).permutation(size)
    return [np.sort(part) for part in np.array_split(order, min(partitions, size))]


def candidates_wanted(k: int, part: int, size: int) -> int:
    """The number of candidates from a part of `part` of the `size` images, to choose k in all."""
    return min(part, -(-CANDIDATES * k * part // size))


def merge_blocks(candidates: int, part: int) -> int:
    """The number of blocks in which the second stage chooses from the candidates of a class.

    `part` is the approximate size of a block if there are several.
    """
    return 1 if candidates <= ONE_STAGE else -(-candidates // part)


def part_of_group(group: Group, members: np.ndarray, k: int) -> Group:
    """Restrict a group to some members, from which k are chosen."""
    return replace(
        group,
        features=None if group.features is None else group.features[members],
        scores=None if group.scores is None else group.scores[members],
        mass=group.mass[members],
        k=k,
    )


def candidates(group: Group, method: Method, settings: MethodSettings) -> Choice:
    """The first stage for a part: candidates, weighted by the number of images each represents."""
    assert method.choose is not None
    choice = method.choose(group, settings)
    mass = choice.weights
    if mass is None:
        mass = np.full(group.k, group.mass.sum() / group.k)
    return Choice(choice.indices, weights=mass)


def merge(
    group: Group,
    found: Choice,
    method: Method,
    settings: MethodSettings,
    seed: int,
    *purpose: str,
) -> Choice:
    """The second stage: choose group.k of the candidates, in blocks if there are many.

    A block is a random part of the candidates and gives exactly its share.

    Parameters
    ----------
    group : Group
        The whole class.
    found : Choice
        The candidates from all parts, with their weights.
    method, settings
        The selection method and its settings.
    seed, *purpose
        Seed and names of the random stream that divides the candidates.
    """
    assert method.choose is not None
    assert found.weights is not None
    order = np.argsort(found.indices)
    images, mass = found.indices[order], found.weights[order]
    count = merge_blocks(len(images), method.traits(settings).part)
    blocks = parts_of(len(images), count, seed, "merge", *purpose)
    ends = np.cumsum([len(block) for block in blocks]) * group.k // len(images)
    quotas = np.diff(ends, prepend=0)
    whole = replace(group, mass=np.zeros(group.size))
    whole.mass[images] = mass
    chosen = [
        (images[block], method.choose(part_of_group(whole, images[block], int(k)), settings))
        for block, k in zip(blocks, quotas, strict=True)
        if k
    ]
    # First the first image of each block, then the second ones, so that prefixes use all blocks.
    turns = np.concatenate([np.arange(len(choice.indices)) for _, choice in chosen])
    order = np.argsort(turns, kind="stable")
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
