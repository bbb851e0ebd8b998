"""Intervals, tests and sizes of effects, as functions of arrays; they know nothing of runs.

Where a function takes values of shape (..., n), the last axis is the seeds (n of them) and the
others are cases that are worked out side by side. How well the intervals cover, and whether the
tests hold their level, is shown by simulation in docs/evidence.md.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import chdtri, nctdtrinc, stdtr, stdtrit  # scipy.stats is slow to import

from petite.util.seeds import generator

Values = Sequence[float] | np.ndarray

CONFIDENCE = 0.95
ALPHA = 0.05
POWER = 0.8

# An exact sign-flip test on n pairs cannot fall below p = 2 / 2**n: 6 is the least below 0.05.
ENOUGH_RUNS = 6
# With more pairs than this, random flips take the place of all 2**n of them.
MOST_EXACT_PAIRS = 16
RANDOM_FLIPS = 99_999

MOST_SEEDS = 1_000
TWO_WAY_DRAWS = 20_000
PIECE = 2_000_000  # numbers that are held at once where flips or images are gone through in pieces


class Interval(NamedTuple):
    """The bounds of an interval; arrays where several cases were worked out side by side."""

    low: np.ndarray
    high: np.ndarray


# ------------------------------------------------------------------------- intervals of a mean


def standard_error(values: np.ndarray) -> np.ndarray:
    """The standard error of the mean over the last axis of `values` (..., n), n >= 2."""
    return values.std(axis=-1, ddof=1) / math.sqrt(values.shape[-1])


def mean_interval(values: Values, confidence: float = CONFIDENCE) -> Interval:
    """The interval of the mean of `values` (..., n) by Student's t; NaN for fewer than two.

    With the 3 to 10 seeds that one can afford it covers better than the bootstraps, whose
    resampled spread is too small (docs/evidence.md has both).
    """
    sample = np.asarray(values, dtype=np.float64)
    n = sample.shape[-1]
    if n < 2:
        return no_interval(sample)
    half = stdtrit(n - 1, (1 + confidence) / 2) * standard_error(sample)
    return Interval(sample.mean(axis=-1) - half, sample.mean(axis=-1) + half)


def t_draws(values: np.ndarray, weights: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Draws of the true mean of `values` (..., n): float64 (draws, ...), given the n values.

    weights: standard normal (draws, n), one for each seed and draw; what is measured with the same
    seeds is drawn with the same weights, so that draws of paired means are paired.
    uniform: (draws,) between 0 and 1, the same for all that is to be drawn together.

    Each value's distance from the mean is weighted by a normal number (a wild bootstrap over the
    seeds, Wu 1986), and the spread is drawn as well, so that the draws have Student's t with
    n - 1 degrees of freedom: percentiles of the plain bootstrap are too narrow with few seeds.
    """
    n = values.shape[-1]
    mean = values.mean(axis=-1)
    spread = np.sqrt((n - 1) / chdtri(n - 1, uniform))
    normal = np.tensordot(weights, values - mean[..., None], (1, -1)) / math.sqrt(n * (n - 1))
    return mean + normal * spread.reshape(-1, *[1] * (values.ndim - 1))


def two_way_interval(
    differences: np.ndarray, confidence: float = CONFIDENCE, seed: int = 0
) -> Interval:
    """The interval of a mean paired difference for new seeds and new test images.

    differences: (seeds, images), as for `two_way_draws`. NaN for fewer than two seeds or images.
    """
    if min(differences.shape) < 2:
        return no_interval(np.empty(0))
    draws = two_way_draws(differences, seed=seed)
    return Interval(*np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2]))


def two_way_draws(
    differences: np.ndarray,
    weights: np.ndarray | None = None,
    count: int = TWO_WAY_DRAWS,
    seed: int = 0,
) -> np.ndarray:
    """Draws of a mean paired difference for new seeds and new test images: float64 (count,).

    differences: integers (seeds, images), for each pair and image 1 where the one model alone was
    right, -1 where the other alone was, 0 otherwise; two seeds and images at least.
    weights: (images,), what each image counts, with the sum 1; None: all alike.

    A parametric bootstrap of the crossed design: each draw adds to the mean a deviation for the
    seeds, from Student's t with the variance of the seeds' means, and one for the images, normal
    with the variance of the images' means less what chance within an image adds to it. To resample
    rows and columns (the pigeonhole bootstrap, Owen 2007) counts that chance three times and is
    far too wide. The images are gone through in pieces, so memory is the array's own.
    """
    n, images = differences.shape
    scale = np.ones(images) if weights is None else weights * images
    mean, of_seeds, of_images = _mean_and_variances(differences, scale)
    random = generator(seed, "seeds and images")
    draws = random.standard_t(n - 1, count) * math.sqrt(of_seeds)
    draws += random.standard_normal(count) * math.sqrt(of_images)
    return mean + draws


def _mean_and_variances(differences: np.ndarray, scale: np.ndarray) -> tuple[float, float, float]:
    """The mean of (n, images), and the variance that new seeds bring and that new images add."""
    n, images = differences.shape
    row_sums = np.zeros(n)
    squares = squared_column_sums = 0.0
    width = max(1, PIECE // n)
    for start in range(0, images, width):
        part = slice(start, start + width)
        piece = differences[:, part] * scale[part]
        row_sums += piece.sum(axis=1)
        squares += float((piece**2).sum())
        squared_column_sums += float((piece.sum(axis=0) ** 2).sum())
    rows, mean = row_sums / images, row_sums.sum() / (n * images)
    between_rows = float(((rows - mean) ** 2).sum())
    between_columns = squared_column_sums / n**2 - images * mean**2
    rest = squares - n * images * mean**2 - images * between_rows - n * between_columns
    within = max(rest, 0.0) / ((n - 1) * (images - 1)) / (n * images)
    of_images = between_columns / (images - 1) / images - within
    return mean, between_rows / (n - 1) / n, max(of_images, 0.0)


def no_interval(sample: np.ndarray) -> Interval:
    """NaN for each case of `sample` (..., n)."""
    nothing = np.full(sample.shape[:-1], np.nan)[()]
    return Interval(nothing, nothing)


# ----------------------------------------------------------------------- tests and their size


def sign_flip_p(differences: Values, seed: int = 0) -> float:
    """The two-sided p of the sign-flip test that paired differences (n,) lie evenly about 0.

    If a method is no better than random, the sign of each pair's difference is a matter of chance,
    whatever the noise looks like (Fisher 1935). p is the share of all 2**n choices of signs that
    give a mean at least as far from 0 as that observed; with more than MOST_EXACT_PAIRS pairs it
    is estimated from RANDOM_FLIPS choices drawn by `seed`, the observed one counted in (Phipson
    and Smyth 2010). NaN for no pairs.
    """
    sample = np.asarray(differences, dtype=np.float64)
    n = len(sample)
    if n == 0:
        return math.nan
    # What rounding makes unequal is a tie, and a tie counts.
    observed = abs(sample.sum()) - 1e-9 * np.abs(sample).sum()
    if n > MOST_EXACT_PAIRS:
        return _random_flips_p(sample, observed, seed)
    sums = sample[:1]  # all signs turned give the same distance from 0, so the first one stays
    for value in sample[1:]:
        sums = np.concatenate([sums + value, sums - value])
    return float((np.abs(sums) >= observed).mean())


def _random_flips_p(sample: np.ndarray, observed: float, seed: int) -> float:
    random = generator(seed, "sign flips")
    rows = max(1, PIECE // len(sample))
    as_far = 1
    for start in range(0, RANDOM_FLIPS, rows):
        shape = (min(rows, RANDOM_FLIPS - start), len(sample))
        signs = random.integers(0, 2, shape, dtype=np.int8) * 2.0 - 1
        as_far += int((np.abs(signs @ sample) >= observed).sum())
    return as_far / (RANDOM_FLIPS + 1)


def least_p(n: int) -> float:
    """The smallest p that `sign_flip_p` can give for n pairs: where all have the same sign."""
    return 2.0 ** (1 - n) if n <= MOST_EXACT_PAIRS else 1 / (RANDOM_FLIPS + 1)


def seeds_to_decide(comparisons: int = 1) -> int:
    """The fewest seeds with which the sign-flip test can pass Holm's adjustment at the 5% level.

    comparisons: how many methods and sizes are compared with random in the table.
    """
    n = 1
    while comparisons * least_p(n) > ALPHA and n <= MOST_EXACT_PAIRS:
        n += 1
    return n


def holm(p_values: Values) -> np.ndarray:
    """p values (m,) adjusted for the m tests made, after Holm 1979: float64 (m,).

    To call what has an adjusted p of at most 5% an effect is wrong in at most 5% of all tables,
    however the tests depend on each other. A p that is NaN was not tested: it stays NaN and does
    not count.
    """
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p.shape, np.nan)
    order = np.argsort(p)[: int((~np.isnan(p)).sum())]  # NaN sorts to the end
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def probability_positive(values: Values) -> np.ndarray:
    """The probability that the true mean of `values` (..., n) lies above 0; NaN for n < 2.

    That of the posterior under flat priors on the mean and on the logarithm of the spread, with
    normal noise: Student's t about the observed mean (Gelman et al., Bayesian Data Analysis,
    section 3.2). It speaks of the mean over all seeds, not of the next seed alone. 1/2 where all
    values are 0.
    """
    sample = np.asarray(values, dtype=np.float64)
    n = sample.shape[-1]
    if n < 2:
        return np.full(sample.shape[:-1], np.nan)[()]
    return stdtr(n - 1, _t(sample, 0.0))


def equivalence_p(values: Values, tolerance: float) -> np.ndarray:
    """The p of two one-sided t tests that the mean of `values` (..., n) lies within +-tolerance.

    The larger of the p against "at or below -tolerance" and that against "at or above tolerance"
    (Schuirmann 1987): at most 5% just where the 90% interval lies within the tolerance. NaN for
    n < 2.
    """
    return np.maximum(not_worse_p(values, tolerance), not_worse_p(np.negative(values), tolerance))


def not_worse_p(values: Values, tolerance: float) -> np.ndarray:
    """The p of a one-sided t test that the mean of `values` (..., n) lies above -tolerance.

    The one of the two tests of `equivalence_p` that matters to who can do with less, but not with
    less than that (a test of non-inferiority). NaN for n < 2.

    Without any spread the t test would be certain. n equal values are no such proof, so p is then
    that of a sign test at best, 1 / 2**n.
    """
    sample = np.asarray(values, dtype=np.float64)
    n = sample.shape[-1]
    if n < 2:
        return np.full(sample.shape[:-1], np.nan)[()]
    t = _t(sample, -tolerance)
    return np.maximum(stdtr(n - 1, -t), np.where(np.isinf(t), 2.0**-n, 0.0))[()]


def _t(sample: np.ndarray, center: float) -> np.ndarray:
    """Student's statistic of the mean against `center`; without any spread infinite, or 0."""
    distance = sample.mean(axis=-1) - center
    error = standard_error(sample)
    # Equal values have a spread of some rounding errors.
    none = error <= 1e-12 * np.abs(sample).max(axis=-1)
    exact = np.abs(distance) <= 1e-12 * max(abs(center), 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(none, np.where(exact, 0.0, np.copysign(np.inf, distance)), distance / error)
    return t[()]


def smallest_effect(n: int, sd: float) -> float:
    """The smallest true mean difference that a paired t test on n pairs finds in 4 of 5 cases.

    sd: standard deviation of the paired differences, of which the result has the unit. The test is
    two-sided at the 5% level; its power of 80% is that of the noncentral t (the chance of an
    effect in the wrong direction, below one in a thousand, is left out). NaN for n < 2.
    """
    if n < 2 or math.isnan(sd):
        return math.nan
    threshold = stdtrit(n - 1, 1 - ALPHA / 2)
    return float(nctdtrinc(n - 1, 1 - POWER, threshold)) * sd / math.sqrt(n)


def seeds_to_see(effect: float, sd: float) -> int | None:
    """The fewest seeds whose `smallest_effect` is at most `effect`; None for over MOST_SEEDS."""
    low, high = 2, MOST_SEEDS
    if not smallest_effect(high, sd) <= effect:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if smallest_effect(middle, sd) <= effect else (middle + 1, high)
    return low
