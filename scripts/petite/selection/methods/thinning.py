"""`kernel_thinning`: halve the images repeatedly, so that each half represents the whole.

Dwivedi and Mackey, "Kernel Thinning" (2021). The maximum mean discrepancy (MMD) between the chosen
images and the class decreases nearly as 1/k, whereas random sampling gives 1/sqrt(k).
"""

import numpy as np
from pydantic import Field

from petite.selection.base import Choice, Cost, Group, Method, MethodSettings, Traits
from petite.selection.similarities import FLOAT, Similarity, one_thread


class KernelThinning(MethodSettings):
    """Settings of `kernel_thinning`."""

    failure: float = Field(
        0.5, gt=0, le=1, description="probability that the bound on the discrepancy does not hold"
    )


@one_thread
def kernel_thinning(group: Group, settings: KernelThinning) -> Choice:
    """Halve a random part of the class down to k images, then exchange single images.

    The part has k times the largest possible power of two images. Of two halves one is kept. The
    paper keeps all and exchanges images of the best. Both steps use the same kernel, as in the same
    authors' "Generalized Kernel Thinning" (2022). If images are kept, the part is of the others,
    and the exchange brings the kept and the chosen images together nearer to the class.
    """
    assert group.features is not None
    similarity = Similarity(group.features, hold_bytes=group.hold_bytes)
    rest, wanted = group.rest, group.k - len(group.kept)
    if not wanted:
        return Choice(group.kept)
    rounds = int(np.log2(len(rest) / wanted))
    chosen = rest[group.random.permutation(len(rest))[: wanted << rounds]]
    for _ in range(rounds):
        chosen = halve(similarity, chosen, settings.failure / rounds, group.random)
    mean = similarity.sums(group.mass, group.block_bytes) / group.mass.sum()
    return Choice(np.append(group.kept, swap(similarity, chosen, mean, group.kept)))


def halve(
    similarity: Similarity, images: np.ndarray, failure: float, random: np.random.Generator
) -> np.ndarray:
    """Choose one image of each pair of consecutive images (algorithm 1a, KT-SPLIT).

    This is a self-balancing walk: the image of a pair that brings the halves nearer to each other
    is the more probable choice.

    Parameters
    ----------
    similarity : Similarity
        Of the whole group.
    images : ndarray of int64, shape (2 h,)
        Positions of images.
    failure : float
        Probability that the bound on the discrepancy does not hold.
    random : numpy.random.Generator
        Decides between the images of a pair.

    Returns
    -------
    ndarray of int64, shape (h,)
        Positions of the chosen images.
    """
    first, second = images[::2], images[1::2]
    pairs = len(first)
    # The difference of the halves so far, at every image: (2 h,).
    difference = np.zeros(len(images))
    variance = 0.0
    kept = np.empty(pairs, np.int64)
    unlucky = 2 * np.log(4 * pairs / failure)
    for pair in range(pairs):
        rows = similarity.rows(images[2 * pair : 2 * pair + 2])[:, images].astype(np.float64)
        gap = rows[0] - rows[1]
        square = float(gap[2 * pair] - gap[2 * pair + 1])  # k(x,x) + k(y,y) - 2 k(x,y)
        alike = float(difference[2 * pair] - difference[2 * pair + 1])
        threshold = max(np.sqrt(square * variance * unlucky), square)
        if threshold > 0:
            chance = min(1.0, max(0.0, 0.5 * (1 - alike / threshold)))
            variance += square * max(0.0, 1 + (square - 2 * threshold) * variance / threshold**2)
        else:
            chance = 0.5
        keep_first = random.random() < chance
        kept[pair] = first[pair] if keep_first else second[pair]
        difference += gap if keep_first else -gap
    return kept


def swap(
    similarity: Similarity, chosen: np.ndarray, mean: np.ndarray, kept: np.ndarray
) -> np.ndarray:
    """Exchange each chosen image in turn for the one that gives the smallest MMD (KT-SWAP).

    Parameters
    ----------
    similarity : Similarity
        Of the whole group.
    chosen : ndarray of int64, shape (k,)
        Positions of distinct images.
    mean : ndarray of float64, shape (m,)
        Each image's mean similarity to all images.
    kept : ndarray of int64, shape (p,)
        Positions of others that also represent the group, and are not exchanged.

    Returns
    -------
    ndarray of int64, shape (k,)
        Positions of distinct images.
    """
    chosen = chosen.copy()
    count = len(kept) + len(chosen)
    total = np.zeros(len(similarity))
    taken = np.zeros(len(similarity), bool)
    for image in [*kept, *chosen]:
        total += similarity.row(image)
        taken[image] = True
    for place, old in enumerate(chosen):
        total -= similarity.row(old)
        taken[old] = False
        # The terms of the squared MMD that depend on the new image x, times count / 2; k(x, x) is 1
        # for all.
        cost = total / count - mean
        cost[taken] = np.inf
        new = int(np.argmin(cost))
        # The old image stays unless another is better by more than rounding.
        if cost[old] <= cost[new] + 1e-7:
            new = int(old)
        total += similarity.row(new)
        taken[new] = True
        chosen[place] = new
    return chosen


def _cost(m: int, k: int, d: int, settings: KernelThinning) -> Cost:
    part = k << int(np.log2(m / k))
    return Cost(
        products=m * m * d,
        elements=7 * m * m + 4 * part * part + 9 * k * m,
        steps=25 * part + 25 * k,
        memory=FLOAT * 2 * m * d + 120 * m,
        pairs=FLOAT * m * m,
    )


METHODS = (
    Method(
        name="kernel_thinning",
        settings=KernelThinning,
        traits=lambda settings: Traits(features="any", two_stage=True, complements=True),
        cost=_cost,
        choose=kernel_thinning,
    ),
)
