"""The luck of a list: what seeds cannot average out because their lists share images.

A judge without noise of its own, such as a probe, gets its seeds from the images: each seed draws
a part of the pool and selects from it. The lists of a method without chance still share most of
their images. If these happen to be good images, all seeds are too good, and their spread does not
show it. `luck_variance` estimates this variance from the seeds' spread and the measured overlap.
docs/evidence.md derives it and has simulations.
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

OVERLAP = "overlap"  # the column of runs; without it, or NaN, the lists' luck is not estimated
# The variance of a share is never larger. It is used if all lists are equal: nothing is known then.
MOST_LUCK = 1.0


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
        0 to 1; 0 if the lists contain the whole pool; NaN for fewer than two lists.

    Examples
    --------
    >>> import numpy as np
    >>> round(excess_overlap([np.array([0, 1, 2, 3]), np.array([0, 1, 2, 9])], 20), 4)
    0.6875
    """
    if len(lists) < 2:
        return math.nan
    sizes = np.array([len(positions) for positions in lists], dtype=np.float64)
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


def luck_variance(values: np.ndarray, overlap: float) -> float:
    """The variance of the mean of a method's seeds that their spread does not show.

    If a list's worth is a sum over its images, two lists with an excess overlap o have correlation
    o, given the pool. The spread s2 between the seeds then estimates V * (1 - o) of the variance V
    of one list, and V * o = s2 * o / (1 - o) remains in the mean of any number of seeds. If images
    also interact, the correlation is smaller, and this is an upper bound. The variance of the mean
    is s2 * (1 / n + o / (1 - o)), which has the form of Nadeau and Bengio's (2003).

    Parameters
    ----------
    values : ndarray of float, shape (n,)
        The metric of the method's runs, as shares.
    overlap : float
        `excess_overlap` of their lists. NaN: not known, for judges whose noise is the training's.

    Returns
    -------
    float
        0 if the overlap is NaN or 0, or for fewer than two runs. At most MOST_LUCK, also if all
        lists are equal.
    """
    if math.isnan(overlap) or overlap <= 0 or len(values) < 2:
        return 0.0
    if overlap >= 1:
        return MOST_LUCK
    return min(float(np.var(values, ddof=1)) * overlap / (1 - overlap), MOST_LUCK)


def luck_of(runs: pd.DataFrame, metric: str) -> float:
    """`luck_variance` of the runs of one method at one fraction (rows of the table of runs)."""
    if OVERLAP not in runs:
        return 0.0
    overlap = float(runs[OVERLAP].mean())  # skips NaN
    return luck_variance(runs[metric].to_numpy(dtype=np.float64), overlap)
