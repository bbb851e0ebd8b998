"""The luck of a list: what seeds cannot average out because their lists share images.

A judge without noise of its own, such as a probe, gets its seeds from the images: each seed draws
a part of the pool and selects from it. The lists of a method without chance still share most of
their images. If these happen to be good images, all seeds are too good, and their spread does not
show it. `luck_variance` estimates this variance from the seeds' spread and the measured overlap.
docs/evidence.md derives it and has simulations.
"""

import math

import numpy as np
import pandas as pd

OVERLAP = "overlap"  # the column of runs; without it, or NaN, the lists' luck is not estimated
# The variance of a share is never larger. It is used if all lists are equal: nothing is known then.
MOST_LUCK = 1.0


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
        That of `petite.subsets.overlap.excess_overlap`. NaN: not known, for judges whose noise is
        the training's.

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
