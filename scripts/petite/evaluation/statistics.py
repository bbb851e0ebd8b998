"""Intervals, tests and effect sizes, as functions of arrays.

In values of shape (..., n), the last axis is the n seeds, and the others are cases that are
computed in parallel. docs/evidence.md has simulations of the coverage of the intervals and of the
error rates of the tests.
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
# With more pairs than this, random flips replace all 2**n of them.
MOST_EXACT_PAIRS = 16
RANDOM_FLIPS = 99_999

MOST_SEEDS = 1_000
TWO_WAY_DRAWS = 20_000
PIECE = 2_000_000  # numbers that are in memory at once when flips or images are processed in blocks


class Interval(NamedTuple):
    """The bounds of an interval; arrays if there are several cases."""

    low: np.ndarray
    high: np.ndarray


class Crossed(NamedTuple):
    """The mean of seeds and test images, and the variance that new ones would add to it.

    Attributes
    ----------
    mean : float
    of_seeds : float
        More seeds narrow it.
    of_images : float
        More images narrow it, and no number of seeds does.
    shared : float
        The part of `of_seeds` that more images would narrow too: noise of each seed and image. As
        both are estimates, it can be larger.
    """

    mean: float
    of_seeds: float
    of_images: float
    shared: float


# ------------------------------------------------------------------------- intervals of a mean


def standard_error(values: np.ndarray) -> np.ndarray:
    """The standard error of the mean over the last axis of `values` (..., n), n >= 2."""
    return values.std(axis=-1, ddof=1) / math.sqrt(values.shape[-1])


def mean_interval(values: Values, confidence: float = CONFIDENCE, luck: float = 0.0) -> Interval:
    """The confidence interval of a mean by Student's t.

    With 3 to 10 seeds it covers better than bootstrap intervals, whose resampled spread is too
    small (docs/evidence.md compares both).

    Parameters
    ----------
    values : array_like of float, shape (..., n)
    confidence : float
        0 to 1.
    luck : float
        Variance of the mean that the spread of the values does not show (see
        `list_luck.luck_variance`).

    Returns
    -------
    Interval
        Arrays of shape (...); NaN if n < 2.

    Examples
    --------
    >>> low, high = mean_interval([0.90, 0.92, 0.91, 0.93])
    >>> round(float(low), 4), round(float(high), 4)
    (0.8945, 0.9355)
    """
    sample = np.asarray(values, dtype=np.float64)
    n = sample.shape[-1]
    if n < 2:
        return no_interval(sample)
    half = stdtrit(n - 1, (1 + confidence) / 2) * np.hypot(standard_error(sample), math.sqrt(luck))
    return Interval(sample.mean(axis=-1) - half, sample.mean(axis=-1) + half)


def t_draws(values: np.ndarray, weights: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Draws of the true mean, given n values.

    The distance of each value from the mean is weighted by a normal number (a wild bootstrap over
    the seeds), and the spread is drawn too, so that the draws have Student's t distribution with
    n - 1 degrees of freedom. Percentiles of the plain bootstrap are too narrow with few seeds.

    Parameters
    ----------
    values : ndarray of float, shape (..., n)
    weights : ndarray of float, shape (draws, n)
        Standard normal, one for each draw and seed. Values of the same seeds use the same weights,
        so that draws of paired means are paired.
    uniform : ndarray of float, shape (draws,)
        0 to 1, the same for all means that are drawn together.

    Returns
    -------
    ndarray of float64, shape (draws, ...)

    References
    ----------
    Wu 1986, "Jackknife, Bootstrap and Other Resampling Methods in Regression Analysis".
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

    differences: as in `two_way_draws`. NaN for fewer than two seeds or images.
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
    luck: float = 0.0,
) -> np.ndarray:
    """Draws of a mean paired difference for new seeds and new test images.

    A parametric bootstrap of the crossed design: each draw adds two deviations to the mean. That of
    the seeds has Student's t distribution with the variance of the seeds' means. That of the images
    is normal, with the variance of the images' means minus the part of the noise within images.
    Resampling rows and columns (the pigeonhole bootstrap, Owen 2007) counts that noise three times
    and is far too wide. Images are processed in blocks, so that no copy of the array is needed.

    Parameters
    ----------
    differences : ndarray of int, shape (seeds, images)
        For each pair of runs and image: 1 if only the first model is right, -1 if only the second
        is, otherwise 0. At least two seeds and two images.
    weights : ndarray of float, shape (images,), optional
        The weight of each image, with sum 1. None: all equal.
    count : int
        Number of draws.
    seed : int
    luck : float
        As in `mean_interval`; added to the variance of the seeds' mean.

    Returns
    -------
    ndarray of float64, shape (count,)
    """
    found = crossed_variances(differences, weights)
    rng = generator(seed, "seeds and images")
    draws = rng.standard_t(len(differences) - 1, count) * math.sqrt(found.of_seeds + luck)
    draws += rng.standard_normal(count) * math.sqrt(found.of_images)
    return found.mean + draws


def crossed_variances(differences: np.ndarray, weights: np.ndarray | None = None) -> Crossed:
    """The mean of paired differences, and the variances due to new seeds and to new images.

    differences, weights: as in `two_way_draws`.
    """
    n, images = differences.shape
    scale = np.ones(images) if weights is None else weights * images
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
    of_seeds = between_rows / (n - 1) / n
    return Crossed(mean, of_seeds, max(of_images, 0.0), within)


def no_interval(sample: np.ndarray) -> Interval:
    """An interval of NaN for each case of `sample` (..., n)."""
    nothing = np.full(sample.shape[:-1], np.nan)[()]
    return Interval(nothing, nothing)


# ----------------------------------------------------------------------- tests and their size


def sign_flip_p(differences: Values, seed: int = 0) -> float:
    """The two-sided p of the sign-flip test that paired differences are symmetric around 0.

    If a method is as good as random, the sign of each difference is random, whatever the
    distribution of the noise (Fisher 1935). p is the fraction of all 2**n choices of signs whose
    mean is at least as far from 0 as the observed one. With more than MOST_EXACT_PAIRS pairs it is
    estimated from RANDOM_FLIPS choices and the observed one (Phipson and Smyth 2010).

    Parameters
    ----------
    differences : array_like of float, shape (n,)
    seed : int
        Of the random choices.

    Returns
    -------
    float
        NaN if n is 0.
    """
    sample = np.asarray(differences, dtype=np.float64)
    n = len(sample)
    if n == 0:
        return math.nan
    # The slack counts means that only differ by rounding as ties.
    observed = abs(sample.sum()) - 1e-9 * np.abs(sample).sum()
    if n > MOST_EXACT_PAIRS:
        return _random_flips_p(sample, observed, seed)
    sums = sample[:1]  # flipping all signs changes nothing, so the first one is fixed
    for value in sample[1:]:
        sums = np.concatenate([sums + value, sums - value])
    return float((np.abs(sums) >= observed).mean())


def _random_flips_p(sample: np.ndarray, observed: float, seed: int) -> float:
    rng = generator(seed, "sign flips")
    rows = max(1, PIECE // len(sample))
    as_far = 1
    for start in range(0, RANDOM_FLIPS, rows):
        shape = (min(rows, RANDOM_FLIPS - start), len(sample))
        signs = rng.integers(0, 2, shape, dtype=np.int8) * 2.0 - 1
        as_far += int((np.abs(signs @ sample) >= observed).sum())
    return as_far / (RANDOM_FLIPS + 1)


def mean_p(values: Values, luck: float = 0.0) -> float:
    """The two-sided p of Student's t test that the mean of `values` (n,) is 0; NaN for n < 2.

    luck: as in `mean_interval`. The interval there excludes 0 exactly if p is below its level.
    """
    sample = np.asarray(values, dtype=np.float64)
    n = len(sample)
    if n < 2:
        return math.nan
    return float(2 * stdtr(n - 1, -abs(_t(sample, 0.0, luck))))


def least_p(n: int) -> float:
    """The smallest p of `sign_flip_p` for n pairs, when all have the same sign."""
    return 2.0 ** (1 - n) if n <= MOST_EXACT_PAIRS else 1 / (RANDOM_FLIPS + 1)


def seeds_to_decide(comparisons: float = 1) -> int:
    """The fewest seeds for which the sign-flip test can pass at the 5% level.

    comparisons: how many comparisons with random Holm's adjustment is for.
    """
    n = 1
    while comparisons * least_p(n) > ALPHA and n <= MOST_EXACT_PAIRS:
        n += 1
    return n


def holm(p_values: Values) -> np.ndarray:
    """Adjust p-values for multiple tests (Holm 1979).

    If all p up to 5% are called effects, at most 5% of all tables have a false one, however the
    tests depend on each other. NaN is for a test that was not made: it stays NaN and does not
    count.

    Parameters
    ----------
    p_values : array_like of float, shape (m,)

    Returns
    -------
    ndarray of float64, shape (m,)
    """
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p.shape, np.nan)
    order = np.argsort(p)[: int((~np.isnan(p)).sum())]  # NaN sorts to the end
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def probability_positive(values: Values, luck: float = 0.0) -> np.ndarray:
    """The probability that the true mean of `values` (..., n) is above 0; NaN for n < 2.

    The posterior probability with normal noise and flat priors on the mean and on the logarithm of
    the spread: Student's t around the observed mean (Gelman et al., Bayesian Data Analysis, section
    3.2). It is about the mean over all seeds, not about the next seed. 1/2 if all values are 0.
    luck: as in `mean_interval`.
    """
    sample = np.asarray(values, dtype=np.float64)
    n = sample.shape[-1]
    if n < 2:
        return np.full(sample.shape[:-1], np.nan)[()]
    return stdtr(n - 1, _t(sample, 0.0, luck))


def equivalence_p(values: Values, tolerance: float, luck: float = 0.0) -> np.ndarray:
    """The p of two one-sided t tests that the mean of `values` (..., n) is within +-tolerance.

    The larger p of the tests against "at or below -tolerance" and "at or above tolerance"
    (Schuirmann 1987). It is at most 5% exactly if the 90% interval is within the tolerance. NaN for
    n < 2. luck: as in `mean_interval`.
    """
    return np.maximum(
        not_worse_p(values, tolerance, luck), not_worse_p(np.negative(values), tolerance, luck)
    )


def not_worse_p(values: Values, tolerance: float, luck: float = 0.0) -> np.ndarray:
    """The p of a one-sided t test that the mean of `values` (..., n) is above -tolerance.

    This is the non-inferiority test, one of the two tests of `equivalence_p`. NaN for n < 2. luck:
    as in `mean_interval`; it moves p toward 1/2, and a p above that stays as it is.

    Without any spread the t test would be certain. n equal values are not such a proof, so p is
    then at least that of a sign test, 1 / 2**n.
    """
    sample = np.asarray(values, dtype=np.float64)
    n = sample.shape[-1]
    if n < 2:
        return np.full(sample.shape[:-1], np.nan)[()]
    t = _t(sample, -tolerance)
    shown = np.where(t > 0, _t(sample, -tolerance, luck), t)
    return np.maximum(stdtr(n - 1, -shown), np.where(np.isinf(t), 2.0**-n, 0.0))[()]


def _t(sample: np.ndarray, center: float, luck: float = 0.0) -> np.ndarray:
    """Student's t statistic of the mean against `center`; infinite or 0 without any spread."""
    distance = sample.mean(axis=-1) - center
    error = np.hypot(standard_error(sample), math.sqrt(luck))
    # The computed spread of equal values can be some rounding errors.
    none = error <= 1e-12 * np.abs(sample).max(axis=-1)
    exact = np.abs(distance) <= 1e-12 * max(abs(center), 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(none, np.where(exact, 0.0, np.copysign(np.inf, distance)), distance / error)
    return t[()]


def smallest_effect(n: int, sd: float, luck: float = 0.0) -> float:
    """The smallest true mean difference that a paired t test on n pairs detects in 4 of 5 runs.

    The test is two-sided at the 5% level, its power is 80%, by the noncentral t distribution. The
    probability of an effect in the wrong direction, below one in a thousand, is neglected.

    Parameters
    ----------
    n : int
        Number of pairs.
    sd : float
        Standard deviation of the paired differences.
    luck : float
        As in `mean_interval`. It limits what any number of seeds can detect.

    Returns
    -------
    float
        In the unit of `sd`; NaN if n < 2.
    """
    if n < 2 or math.isnan(sd):
        return math.nan
    threshold = stdtrit(n - 1, 1 - ALPHA / 2)
    spread = float(np.hypot(sd, math.sqrt(n * luck)))
    return float(nctdtrinc(n - 1, 1 - POWER, threshold)) * spread / math.sqrt(n)


def seeds_to_see(effect: float, sd: float) -> int | None:
    """The fewest seeds whose `smallest_effect` is at most `effect`; None if over MOST_SEEDS."""
    low, high = 2, MOST_SEEDS
    if not smallest_effect(high, sd) <= effect:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if smallest_effect(middle, sd) <= effect else (middle + 1, high)
    return low
