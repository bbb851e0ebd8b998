"""What a few test images can show about new images of the same kind.

Each test image has a value: its part of a difference between two models, or of an accuracy,
averaged over the seeds. The bounds of the mean over new images only assume the range of the values,
not their distribution, so that a few images that happen to agree prove nothing.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from petite.evaluation.statistics import (
    ALPHA,
    CONFIDENCE,
    TWO_WAY_DRAWS,
    Interval,
    no_interval,
    two_way_draws,
)
from petite.util.seeds import generator


def bounding_draws(
    values: np.ndarray, extreme: float, draws: int = TWO_WAY_DRAWS, seed: int = 0
) -> np.ndarray:
    """Draws of the mean of values that cannot be beyond `extreme`.

    Each draw weights the values, and one more at `extreme`, by a uniform Dirichlet vector: a
    Bayesian bootstrap with one added image of the worst kind. With the smallest possible value as
    `extreme`, the 5% quantile is a lower 95% bound of the true mean. For values of 0 and 1 it is
    the bound of Clopper and Pearson, for many values that of the normal approximation.

    Parameters
    ----------
    values : ndarray of float, shape (n,)
    extreme : float
        The smallest possible value for a lower bound, the largest for an upper one.
    draws : int
    seed : int

    Returns
    -------
    ndarray of float64, shape (draws,)
        Sorted.

    References
    ----------
    Gaffke 2005, "Three Test Statistics for a Nonparametric One-Sided Hypothesis on the Mean of a
    Nonnegative Variable".
    """
    distinct, counts = np.unique(np.append(values, extreme).round(12), return_counts=True)
    rng = generator(seed, "new images")
    total, weights = np.zeros(draws), np.zeros(draws)
    for value, count in zip(distinct.tolist(), counts.tolist(), strict=True):
        gamma = rng.standard_gamma(count, draws)
        total += value * gamma
        weights += gamma
    return np.sort(total / weights)


def share_at_most(draws: np.ndarray, value: float) -> float:
    """The fraction of sorted draws at or below a value, as a p-value: never 0."""
    # Draws that only differ from the value by rounding count as equal to it.
    below = int(np.searchsorted(draws, value + 1e-12, side="right"))
    return (below + 1) / (len(draws) + 1)


def above_p(
    values: np.ndarray, least: float, threshold: float, groups: np.ndarray | None = None
) -> float:
    """The p of the test that the mean of values exceeds a threshold.

    For values of -1, 0 and 1 and a threshold of 0 it is McNemar's exact one-sided test.

    Parameters
    ----------
    values : ndarray of float, shape (n,)
        Of images, or of groups of images, that are independent.
    least : float
        The smallest possible value, at most 0.
    threshold : float
    groups : ndarray of int, shape (n,), optional
        Images with the same number count as one, with their part of the sum.
    """
    if groups is not None:
        _, places, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        scale = len(sizes) / len(values)  # keeps the mean
        values = np.bincount(places, values) * scale
        least *= float(sizes.max()) * scale
    return share_at_most(bounding_draws(values, least), threshold)


@dataclass(frozen=True)
class NewImages:
    """What paired differences on the test images show about new seeds and new images.

    A claim must pass two tests. One is over seeds and images together, with a normal distribution
    for the images (`two_way_draws`). The other is over the images alone (`bounding_draws`), without
    the assumption of normality, which fails if few images differ. The bounds are the outer ones of
    both.

    Attributes
    ----------
    differences : ndarray of int, shape (seeds, images)
        As in `two_way_draws`.
    weights : ndarray of float, shape (images,)
        The weight of each image in the metric, with sum 1.
    draws : int
    luck : float
        Variance of the mean that the seeds do not show (see `list_luck.luck_variance`).
    """

    differences: np.ndarray
    weights: np.ndarray
    draws: int = TWO_WAY_DRAWS
    luck: float = 0.0

    @property
    def is_known(self) -> bool:
        """Whether there are enough seeds and images for an interval: two of each."""
        return min(self.differences.shape) >= 2

    @cached_property
    def _together(self) -> np.ndarray:
        return np.sort(two_way_draws(self.differences, self.weights, self.draws, luck=self.luck))

    @cached_property
    def _values(self) -> np.ndarray:
        """The value of each image, scaled so that their mean is the mean difference."""
        return self.differences.mean(axis=0) * self.weights * len(self.weights)

    @cached_property
    def _extreme(self) -> float:
        return float(self.weights.max()) * len(self.weights)

    @cached_property
    def _lower(self) -> np.ndarray:
        return bounding_draws(self._values, -self._extreme, self.draws)

    @cached_property
    def _upper(self) -> np.ndarray:
        return bounding_draws(self._values, self._extreme, self.draws)

    def interval(self, confidence: float = CONFIDENCE) -> Interval:
        """The interval of the mean difference for new seeds and images; NaN if unknown."""
        if not self.is_known:
            return no_interval(np.empty(0))
        tails = [(1 - confidence) / 2, (1 + confidence) / 2]
        low, high = np.quantile(self._together, tails)
        low = min(low, np.quantile(self._lower, tails[0]))
        high = max(high, np.quantile(self._upper, tails[1]))
        return Interval(np.clip(low, -1, 1), np.clip(high, -1, 1))

    def not_worse_p(self, tolerance: float) -> float:
        """The p of the test that at most `tolerance` is lost; NaN if unknown."""
        if not self.is_known:
            return math.nan
        return max(share_at_most(draws, -tolerance) for draws in (self._together, self._lower))

    def equivalence_p(self, tolerance: float) -> float:
        """The p of the tests that the difference is within `tolerance`; NaN if unknown."""
        if not self.is_known:
            return math.nan
        above = max(
            share_at_most(-draws[::-1], -tolerance) for draws in (self._together, self._upper)
        )
        return max(self.not_worse_p(tolerance), above)


def images_to_show(tolerance: float, comparisons: float = 1, heaviest: float = 1.0) -> int:
    """The fewest test images that can show that an equally good model loses at most `tolerance`.

    In the best case both models are right on the same images. The p of `NewImages.not_worse_p` is
    then (1 - tolerance / heaviest)**images.

    Parameters
    ----------
    tolerance : float
        As a share of the metric.
    comparisons : int
        How many p-values are adjusted together (Holm).
    heaviest : float
        The largest weight of an image, as a multiple of the mean weight; 1 for accuracy.

    Returns
    -------
    int
    """
    return math.ceil(math.log(ALPHA / comparisons) / math.log1p(-tolerance / heaviest) - 1e-9)


def tolerance_to_show(images: int, comparisons: float = 1, heaviest: float = 1.0) -> float:
    """The smallest tolerance that some test images can show: the inverse of `images_to_show`."""
    return heaviest * -math.expm1(math.log(ALPHA / comparisons) / images)
