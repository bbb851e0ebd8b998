"""How accuracy grows with random images, and what a chosen image is worth in random ones.

The curve is a power law with an offset, accuracy(n) = a - b * n**-c (Hestness et al. 2017; Viering
and Loog 2022 compare it with others). It is not extrapolated: an answer outside the measured sizes
is "above" or "below" the last one.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from petite.evaluation.metrics import ACCURACY
from petite.evaluation.runs import FULL, PAIR, REFERENCE
from petite.evaluation.statistics import ALPHA, t_draws
from petite.util.encoded_names import ORIGINAL, encoding_of, in_encoding
from petite.util.seeds import generator

DRAWS = 4_000
# A power law has three parameters. With fewer sizes, the curve is a line in log(n).
SIZES_FOR_POWER_LAW = 3
# The grid of exponents c. 0 is the logarithm. Above 3 the curve is flat after the first size.
EXPONENTS = np.linspace(0, 3, 61)

Side = Literal["", "above", "below"]


@dataclass(frozen=True)
class Bound:
    """A number, or the last measured one if it is only known to be above or below that."""

    value: float
    censored: Side = ""

    def text(self, spec: str) -> str:
        """As text in the format `spec`: "1,234", or "above 1,234"."""
        return f"{self.censored} {self.value:{spec}}".strip()


@dataclass(frozen=True)
class Estimate:
    """A number with its 95% interval, all within the measured sizes.

    low, high: None if a size or a method has a single run.
    """

    point: Bound
    low: Bound | None
    high: Bound | None

    def text(self, spec: str = ",.0f") -> str:
        """As text: "420 [310, above 850]", each number in the format `spec`.

        The interval is left out if all of it is outside the measured sizes.
        """
        if self.low is None or self.high is None:
            return self.point.text(spec)
        if self.low == self.high == self.point and self.point.censored:
            return self.point.text(spec)
        return f"{self.point.text(spec)} [{self.low.text(spec)}, {self.high.text(spec)}]"


@dataclass(frozen=True)
class Fit:
    """accuracy(n) = start + slope * g(n): one curve, or many draws of it; float64 (draws,) each.

    g(n) = (1 - (n / first)**-c) / c, or log(n / first) if the exponent c is 0. This is the power
    law a - b * n**-c in a form that is numerically stable for a small c.
    """

    first: float
    start: np.ndarray
    slope: np.ndarray
    exponent: np.ndarray

    def accuracy(self, images: np.ndarray) -> np.ndarray:
        """The accuracy at sizes (k,): float64 (draws, k)."""
        return self.start[:, None] + self.slope[:, None] * _growth(
            np.asarray(images, dtype=np.float64) / self.first, self.exponent[:, None]
        )

    def images(self, accuracy: np.ndarray) -> np.ndarray:
        """The size at which each draw reaches its accuracy (draws,); infinite if it never does.

        0 if a flat curve is above it from the start.
        """
        c = self.exponent
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            grown = (accuracy - self.start) / self.slope
            left = 1 - c * grown  # to the asymptote; not positive beyond it
            ratio = np.where(
                c > 0,
                np.where(left > 0, np.maximum(left, 1e-300) ** (-1 / np.maximum(c, 1e-9)), np.inf),
                np.exp(grown),
            )
            flat = np.where(accuracy > self.start, np.inf, 0.0)
            unknown = np.isnan(accuracy - self.start)
        return np.where(unknown, np.nan, self.first * np.where(self.slope > 0, ratio, flat))


def _growth(ratio: np.ndarray, c: np.ndarray) -> np.ndarray:
    """g of `Fit` for sizes as multiples of the first."""
    powers = -np.expm1(-c * np.log(ratio)) / np.where(c > 0, c, 1)
    return np.where(c > 0, powers, np.log(ratio))


def fit(images: np.ndarray, accuracy: np.ndarray) -> Fit:
    """Fit curves to measured accuracies by least squares.

    For each exponent on a grid the rest is linear, so all draws are fitted at once and without
    iteration. A slope below 0, for which images are harmful, is set to 0. All sizes have the same
    weight: weights from the spread of a few seeds would mostly be noise. With two sizes the
    exponent is 0.

    Parameters
    ----------
    images : ndarray of float, shape (k,)
        Sizes in increasing order, k >= 2.
    accuracy : ndarray of float, shape (draws, k)

    Returns
    -------
    Fit
    """
    exponents = EXPONENTS if len(images) >= SIZES_FOR_POWER_LAW else EXPONENTS[:1]
    mean = accuracy.mean(axis=1)
    centered = accuracy - mean[:, None]
    growth = _growth(images / images[0], exponents[:, None])  # (exponents, k)
    middle = growth.mean(axis=1)
    growth -= middle[:, None]
    size = (growth**2).sum(axis=1)
    slopes = np.maximum(centered @ growth.T / size, 0)  # (draws, exponents)
    explained = slopes**2 * size
    # The exponent that explains the most (ties: the first) has the smallest residuals.
    best = explained.argmax(axis=1)
    slope = slopes[np.arange(len(best)), best]
    return Fit(float(images[0]), mean - slope * middle[best], slope, exponents[best])


@dataclass(frozen=True)
class LastLeftOut:
    """How well the curve of the smaller sizes predicts the largest one (shares, not points).

    bounds: the 95% interval of the error; None if a size has a single run.
    """

    images: float
    measured: float
    predicted: float
    error: float
    bounds: tuple[float, float] | None


@dataclass(frozen=True)
class LearningCurve:
    """The accuracy of random images by their number, with its uncertainty over seeds.

    Attributes
    ----------
    sizes, means : ndarray of float, shape (k,)
        The measured numbers of images, increasing, and the mean accuracies.
    mean_draws : ndarray of float, shape (draws, k)
        Draws of the means; NaN if a size has a single run.
    best, draws : Fit
        The fit to the means, and to each draw of them.
    weights, uniform : ndarray
        The random numbers of the draws, also used for methods with the same seeds (`t_draws`).
    seeds : MultiIndex
        The split seed and training seed of each column of `weights`.
    full : bool
        Whether the largest size is the full set.
    """

    sizes: np.ndarray
    means: np.ndarray
    mean_draws: np.ndarray
    best: Fit
    draws: Fit
    weights: np.ndarray
    uniform: np.ndarray
    seeds: pd.MultiIndex
    full: bool

    @property
    def form(self) -> Literal["power_law", "line"]:
        """A power law with an offset, or a line in log(images) for only two sizes."""
        return "power_law" if len(self.sizes) >= SIZES_FOR_POWER_LAW else "line"

    @property
    def worst_miss(self) -> float:
        """The largest distance between the curve and a measured mean, as a share."""
        return float(np.abs(self.best.accuracy(self.sizes)[0] - self.means).max())

    def parameters(self) -> tuple[float, float, float] | None:
        """a, b and c of accuracy(n) = a - b * n**-c; None if c is 0."""
        fitted = self.best
        c, slope = float(fitted.exponent[0]), float(fitted.slope[0])
        if c == 0:
            return None
        return float(fitted.start[0]) + slope / c, slope / c * fitted.first**c, c

    def band(self, images: np.ndarray) -> pd.DataFrame:
        """The curve with its 95% interval at sizes within those measured.

        Columns images, accuracy, low, high. Raises ValueError for a size outside.
        """
        images = np.asarray(images, dtype=np.float64)
        if images.min() < self.sizes[0] or images.max() > self.sizes[-1]:
            raise ValueError("the curve is not extrapolated outside the measured sizes")
        low, high = np.quantile(self.draws.accuracy(images), [ALPHA / 2, 1 - ALPHA / 2], axis=0)
        return pd.DataFrame(
            {
                "images": images,
                "accuracy": self.best.accuracy(images)[0],
                "low": low,
                "high": high,
            }
        )

    def drawn(self, accuracies: pd.Series, luck: float = 0.0) -> np.ndarray:
        """Draws of a method's mean accuracy (draws,), paired with those of random by seed.

        luck: variance of the mean that the seeds do not show (see `list_luck.luck_variance`).
        """
        draws = _draws_of_mean(accuracies, self.seeds, self.weights, self.uniform)
        if luck:
            draws += generator(0, "list luck").normal(0, math.sqrt(luck), len(draws))
        return draws

    def worth(self, accuracies: pd.Series, luck: float = 0.0) -> Estimate:
        """The number of random images with the accuracy of a method, from its runs by PAIR."""
        found = self.best.images(np.array([accuracies.mean()]))[0]
        return self._within(found, self.draws.images(self.drawn(accuracies, luck)))

    def multiplier(self, accuracies: pd.Series, images: float, luck: float = 0.0) -> Estimate:
        """What one image of a method that keeps `images` is worth in random ones."""
        worth = self.worth(accuracies, luck)
        return Estimate(
            Bound(worth.point.value / images, worth.point.censored),
            *(
                bound and Bound(bound.value / images, bound.censored)
                for bound in (worth.low, worth.high)
            ),
        )

    def sufficient(self, tolerance: float) -> Estimate | None:
        """The fewest random images whose accuracy is within `tolerance` of the full set's.

        The accuracy of the full set is also that of the curve, so that the answer is at most the
        full set. None if the full set was not trained.
        """
        if not self.full:
            return None
        last = self.sizes[-1:]
        found, draws = (
            fitted.images(fitted.accuracy(last)[:, 0] - tolerance)
            for fitted in (self.best, self.draws)
        )
        return self._within(found[0], draws)

    def last_left_out(self) -> LastLeftOut | None:
        """Fit without the largest size and predict it; None with fewer than four sizes."""
        if len(self.sizes) <= SIZES_FOR_POWER_LAW:
            return None
        last = self.sizes[-1:]
        means = np.vstack([self.means, self.mean_draws])
        predicted = fit(self.sizes[:-1], means[:, :-1]).accuracy(last)[:, 0]
        errors = predicted - means[:, -1]
        low, high = np.quantile(errors[1:], [ALPHA / 2, 1 - ALPHA / 2])
        return LastLeftOut(
            images=float(last[0]),
            measured=float(self.means[-1]),
            predicted=float(predicted[0]),
            error=float(errors[0]),
            bounds=None if math.isnan(low) else (float(low), float(high)),
        )

    def _within(self, found: float, draws: np.ndarray) -> Estimate:
        """A size and its interval, cut at the measured sizes."""
        if np.isnan(draws).any():
            return Estimate(self._bound(found), None, None)
        # Draws may be infinite, so quantiles must not average two of them.
        low, high = np.quantile(draws, [ALPHA / 2, 1 - ALPHA / 2], method="inverted_cdf")
        return Estimate(self._bound(found), self._bound(low), self._bound(high))

    def _bound(self, images: float) -> Bound:
        first, last = float(self.sizes[0]), float(self.sizes[-1])
        # The slack allows for rounding at the measured sizes.
        if images > last * (1 + 1e-9):
            return Bound(last, "above")
        if images < first * (1 - 1e-9):
            return Bound(first, "below")
        return Bound(float(images))


Curves = Mapping[str, LearningCurve]  # by encoding


def random_curves(runs: pd.DataFrame, metric: str = ACCURACY) -> Curves:
    """The `random_curve` of each encoding that has random images of two sizes or more."""
    encodings = dict.fromkeys(runs["method"].map(encoding_of))
    found = {name: random_curve(runs, metric, name) for name in encodings}
    return {name: curve for name, curve in found.items() if curve}


def random_curve(
    runs: pd.DataFrame,
    metric: str = ACCURACY,
    encoding: str = ORIGINAL,
    draws: int = DRAWS,
    seed: int = 0,
) -> LearningCurve | None:
    """The learning curve of random images from the table of runs.csv; None for a single size.

    The full set counts as the largest random size. The uncertainty is over seeds: the mean of a
    size has Student's t distribution, and sizes that share a seed are drawn together (see
    `t_draws`).

    Parameters
    ----------
    runs : DataFrame
    metric : str
        The column of `runs` to fit, in place of accuracy.
    encoding : str
        Of the images.
    draws : int
    seed : int
    """
    random, full = (in_encoding(name, encoding) for name in (REFERENCE, FULL))
    chosen = runs[runs["method"].isin([random, full])]
    by_size = _by_size(chosen, metric)
    if len(by_size) < 2:
        return None
    seeds = pd.MultiIndex.from_frame(runs[PAIR].drop_duplicates().sort_values(PAIR))
    rng = generator(seed, "learning curve")
    weights = rng.standard_normal((draws, len(seeds)))
    uniform = rng.uniform(size=draws)
    sizes = np.array(list(by_size))
    means = np.array([values.mean() for values in by_size.values()])
    mean_draws = np.column_stack(
        [_draws_of_mean(values, seeds, weights, uniform) for values in by_size.values()]
    )
    return LearningCurve(
        sizes=sizes,
        means=means,
        mean_draws=mean_draws,
        best=fit(sizes, means[None]),
        draws=fit(sizes, mean_draws),
        weights=weights,
        uniform=uniform,
        seeds=seeds,
        full=bool((chosen["method"] == full).any()),
    )


def _by_size(runs: pd.DataFrame, metric: str) -> Mapping[float, pd.Series]:
    """The metric by PAIR, for each mean number of images in increasing order.

    Two fractions may be the same number of images; their runs then count as one.
    """
    sizes = runs.groupby(["method", "fraction"])["images"].transform("mean")
    return {
        float(size): group.groupby(PAIR)[metric].mean()
        for size, group in runs.groupby(sizes.astype(float))
    }


def _draws_of_mean(
    accuracies: pd.Series, seeds: pd.MultiIndex, weights: np.ndarray, uniform: np.ndarray
) -> np.ndarray:
    """Draws of the mean of accuracies by PAIR (see `t_draws`); NaN for a single run."""
    if len(accuracies) < 2:
        return np.full(len(uniform), np.nan)
    columns = seeds.get_indexer(accuracies.index)
    return t_draws(accuracies.to_numpy(dtype=np.float64), weights[:, columns], uniform)
