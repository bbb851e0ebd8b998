"""What a handful of test images can show about new images of the kind.

Each test image has a value: what it adds to a difference between two models, or to an accuracy,
averaged over the seeds. The mean over new images is bounded without any assumption on how the
values are distributed but their range, so that a few images that happen to agree prove nothing.
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
    """Draws of the mean of values (n,) of which none can lie beyond `extreme`: sorted float64.

    Each draw weights the values, and one more at `extreme`, by a uniform Dirichlet vector
    (the bound of Gaffke 2005; a Bayesian bootstrap with one image of the worst kind added). The
    5% quantile with the least possible value as `extreme` is a lower 95% bound of the true mean.
    For values of 0 and 1 it is that of Clopper and Pearson, for many values that of the normal
    approximation.
    """
    distinct, counts = np.unique(np.append(values, extreme).round(12), return_counts=True)
    random = generator(seed, "new images")
    total, weights = np.zeros(draws), np.zeros(draws)
    for value, count in zip(distinct.tolist(), counts.tolist(), strict=True):
        gamma = random.standard_gamma(count, draws)
        total += value * gamma
        weights += gamma
    return np.sort(total / weights)


def share_at_most(draws: np.ndarray, value: float) -> float:
    """The share of sorted draws at or below a value, as a p value: never 0."""
    # What rounding puts beside the value counts as at it.
    below = int(np.searchsorted(draws, value + 1e-12, side="right"))
    return (below + 1) / (len(draws) + 1)


def above_p(values: np.ndarray, least: float, threshold: float) -> float:
    """The p of the test that the mean of values (n,), none below `least`, exceeds `threshold`.

    For values of -1, 0 and 1 and a threshold of 0 it is McNemar's exact one-sided test.
    """
    return share_at_most(bounding_draws(values, least), threshold)


@dataclass(frozen=True)
class NewImages:
    """What paired differences on the test images say of new seeds and new images.

    differences: (seeds, images), for each pair and image 1 where the one model alone was right,
    -1 where the other alone was, 0 otherwise. weights: (images,), what an image counts in the
    metric; they add up to 1.

    A claim must hold by two tests: over seeds and images together, where the images' part is
    normal (`two_way_draws`), and over the images by themselves, by `bounding_draws`, which does not
    lean on the normal law where few images differ. So its bounds are the outer ones of both.
    """

    differences: np.ndarray
    weights: np.ndarray
    draws: int = TWO_WAY_DRAWS

    @property
    def is_known(self) -> bool:
        """Whether there are the seeds and images that it takes to say anything."""
        return min(self.differences.shape) >= 2

    @cached_property
    def _together(self) -> np.ndarray:
        return np.sort(two_way_draws(self.differences, self.weights, self.draws))

    @cached_property
    def _values(self) -> np.ndarray:
        """Each image's part of the mean difference, scaled so that their mean is it."""
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
        """The interval of the mean difference for new seeds and images; NaN where unknown."""
        if not self.is_known:
            return no_interval(np.empty(0))
        tails = [(1 - confidence) / 2, (1 + confidence) / 2]
        low, high = np.quantile(self._together, tails)
        low = min(low, np.quantile(self._lower, tails[0]))
        high = max(high, np.quantile(self._upper, tails[1]))
        return Interval(np.clip(low, -1, 1), np.clip(high, -1, 1))

    def not_worse_p(self, tolerance: float) -> float:
        """The p of the test that no more than `tolerance` is lost; NaN where unknown."""
        if not self.is_known:
            return math.nan
        return max(share_at_most(draws, -tolerance) for draws in (self._together, self._lower))

    def equivalence_p(self, tolerance: float) -> float:
        """The p of the tests that the difference is within `tolerance`; NaN where unknown."""
        if not self.is_known:
            return math.nan
        above = max(
            share_at_most(-draws[::-1], -tolerance) for draws in (self._together, self._upper)
        )
        return max(self.not_worse_p(tolerance), above)


def images_to_show(tolerance: float, comparisons: int = 1, heaviest: float = 1.0) -> int:
    """The fewest test images that could show that a model as good loses at most `tolerance`.

    comparisons: how many p are adjusted together (Holm). heaviest: by how much the image that
    counts most exceeds the mean image; 1 for accuracy.

    At best both models are right on the same images. The p of `NewImages.not_worse_p` is then
    (1 - tolerance / heaviest)**images.
    """
    return math.ceil(math.log(ALPHA / comparisons) / math.log1p(-tolerance / heaviest) - 1e-9)


def tolerance_to_show(images: int, comparisons: int = 1, heaviest: float = 1.0) -> float:
    """The least tolerance that so many test images could show: `images_to_show` the other way."""
    return heaviest * -math.expm1(math.log(ALPHA / comparisons) / images)
