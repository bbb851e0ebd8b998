"""How many images the lists of several seeds share, beyond what chance gives."""

import math
from collections.abc import Sequence

import numpy as np


def excess_overlap(lists: Sequence[np.ndarray], pool_size: int) -> float:
    """The share of their images that lists have in common, beyond what chance gives.

    The mean overlap of two lists is o. Lists of k images drawn at random from the pool share
    c = k / pool_size. The result is (o - c) / (1 - c), or 0 if that is negative. It is about 0 for
    a random selection, 1 for equal lists, and about f if a selector without chance selects from
    parts of the pool that are a fraction f of it.

    Parameters
    ----------
    lists : sequence of ndarray of int, each of shape (k,)
        The positions in the pool of the images of each seed, without duplicates. Lists may differ
        in length; the overlap of two is then relative to the geometric mean of their lengths.
    pool_size : int
        The number of images in the whole pool, not in the part of a seed.

    Returns
    -------
    float
        0 to 1; 0 if the lists contain the whole pool, or nothing; NaN for fewer than two lists.

    Examples
    --------
    >>> import numpy as np
    >>> round(excess_overlap([np.array([0, 1, 2, 3]), np.array([0, 1, 2, 9])], 20), 4)
    0.6875
    """
    if len(lists) < 2:
        return math.nan
    sizes = np.array([len(positions) for positions in lists], dtype=np.float64)
    if not sizes.any():
        return 0.0
    # With each image weighted by 1 / sqrt(k), the overlap of two lists is a product of vectors, and
    # the sum over all pairs follows from the sum of the vectors.
    together = np.zeros(pool_size)
    for positions, size in zip(lists, sizes, strict=True):
        together[positions] += 1 / math.sqrt(size)
    pairs = len(lists) * (len(lists) - 1)
    shared = (float((together**2).sum()) - len(lists)) / pairs
    roots = np.sqrt(sizes)
    by_chance = float(roots.sum() ** 2 - sizes.sum()) / pairs / pool_size
    if by_chance >= 1 - 1e-12:
        return 0.0
    return min(max((shared - by_chance) / (1 - by_chance), 0.0), 1.0)
