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
    """Random parts, each int64 (s,), of `size` images; their sizes differ by at most one.

    No images have one empty part.
    """
    order = generator(seed, "partitions", *purpose).permutation(size)
    return [np.sort(part) for part in np.array_split(order, max(1, min(partitions, size)))]


def candidates_wanted(k: int, part: int, size: int) -> int:
    """The number of candidates from a part of `part` of the `size` images, to choose k in all."""
    return min(part, -(-CANDIDATES * k * part // max(1, size)))


def merge_blocks(candidates: int, part: int) -> int:
    """The number of blocks in which the second stage chooses from the candidates of a class.

    `part` is the approximate size of a block if there are several.
    """
    return 1 if candidates <= ONE_STAGE else -(-candidates // part)


def candidates(group: Group, method: Method, settings: MethodSettings) -> Choice:
    """The first stage for a part: candidates, weighted by the number of images each represents.

    The kept images come first. They represent themselves, unless the method weights them.
    """
    choice = method.chosen(group, settings)
    mass = choice.weights
    if mass is None:
        itself = group.mass[group.kept]
        found = group.k - len(itself)
        others = group.mass.sum() - itself.sum()
        mass = np.append(itself, np.full(found, others / max(1, found)))
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

    A block is a random part of the candidates, and gives exactly its share. Each one has the kept
    images too.

    Parameters
    ----------
    group : Group
        The whole class.
    found : Choice
        The candidates from all parts, with their weights. Each part has the kept images.
    method, settings
        The selection method and its settings.
    seed, *purpose
        Seed and names of the random stream that divides the candidates.
    """
    assert found.weights is not None
    first = len(group.kept)
    wanted = group.k - first
    mass = np.zeros(group.size)
    np.add.at(mass, found.indices, found.weights)
    images = np.setdiff1d(found.indices, group.kept)
    count = merge_blocks(len(images), method.traits(settings).part)
    blocks = parts_of(len(images), count, seed, "merge", *purpose)
    ends = np.cumsum([len(block) for block in blocks]) * wanted // max(1, len(images))
    quotas = np.diff(ends, prepend=0).tolist()
    chosen: list[tuple[np.ndarray, Choice]] = []
    for block, k in zip(blocks, quotas, strict=True):
        # Without any image to choose, the first block still gives the kept ones.
        if k or (not wanted and not chosen):
            members = np.union1d(group.kept, images[block])
            # The kept images represent a share of themselves in each block.
            share = len(block) / len(images) if len(images) else 1.0
            shares = np.where(np.isin(members, group.kept), share, 1.0)
            part = replace(group.part(members, first + k), mass=mass[members] * shares)
            chosen.append((members, method.chosen(part, settings)))
    # First the first image of each block, then the second ones, so that prefixes use all blocks.
    turns = np.concatenate([np.arange(len(choice.indices) - first) for _, choice in chosen])
    order = np.argsort(turns, kind="stable")

    def together(columns: list[np.ndarray]) -> np.ndarray:
        """The kept images of the first block, then all others in order."""
        others = np.concatenate([column[first:] for column in columns])[order]
        return np.concatenate([columns[0][:first], others])

    weights = [choice.weights for _, choice in chosen if choice.weights is not None]
    weight = together(weights) if len(weights) == len(chosen) else None
    if weight is not None:
        weight[:first] = np.sum([column[:first] for column in weights], axis=0)
    return Choice(
        together([members[choice.indices] for members, choice in chosen]),
        weight,
        {
            name: together([choice.extra[name] for _, choice in chosen])
            for name in chosen[0][1].extra
        },
    )
