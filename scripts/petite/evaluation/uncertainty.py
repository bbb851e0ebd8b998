"""Which part of a comparison's uncertainty is larger, and how many seeds or test images narrow it.

An interval over seeds and test images has a part that more seeds narrow, a part that only more test
images narrow, and for judges without noise of their own the luck of the lists, which neither
narrows. docs/evidence.md has the formula and simulations of it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import chdtri, ndtri, stdtrit  # scipy.stats is slow to import

from petite.evaluation.list_luck import luck_of
from petite.evaluation.looks import Looks
from petite.evaluation.metrics import METRICS
from petite.evaluation.new_images import NewImages
from petite.evaluation.recommendation import Against, Needed, Part, Subset, Uncertainty
from petite.evaluation.runs import FULL, Predictions, reference_of
from petite.evaluation.statistics import ALPHA, CONFIDENCE, MOST_SEEDS, crossed_variances
from petite.evaluation.verdicts import EQUIVALENCE_CONFIDENCE, TOO_FEW_IMAGES, new_images_of

# More of one alone is advised if the part of the other is at most this share of the half width that
# is wanted. Close to all of it, the estimate would depend too much on the noise of few seeds.
MOST_LEFT = math.sqrt(0.5)
SURE = 0.65  # confidence of the upper bound of the seeds' spread, if more images alone are advised
MOST_TIMES_IMAGES = 10_000  # more test images than this times those that are there are no advice


@dataclass(frozen=True)
class Uncertainties:
    """Finds the parts of the uncertainty of the comparisons of a run.

    Attributes
    ----------
    predictions : Predictions
    runs : DataFrame
        The table of runs.csv.
    metric : str
        One of `petite.evaluation.metrics.METRICS`.
    tolerance : float
        The half width of an interval that seeds and images are wanted for.
    groups : ndarray of int, shape (images,), optional
        The numbers of the groups of test images.
    looks : Looks, optional
        When the comparisons were tested; None: once, with all seeds.
    """

    predictions: Predictions
    runs: pd.DataFrame
    metric: str
    tolerance: float
    groups: np.ndarray | None = None
    looks: Looks | None = None

    def of(self, row: pd.Series, against: Against) -> Uncertainty | None:
        """The parts of a comparison, a row of the verdicts; None without predictions or seeds."""
        full = against == "full"
        subset = Subset(str(row["method"]), float(row["fraction"]))
        low, high = (
            float(row[f"{'full_' if full else ''}new_images_{end}"]) for end in ("low", "high")
        )
        if math.isnan(low):
            return None
        seeds = int(row["full_pairs" if full else "pairs"])
        random = reference_of(subset.method), subset.fraction
        confidence = EQUIVALENCE_CONFIDENCE if full else CONFIDENCE
        new = self._new_images(subset, (FULL, 1.0) if full else random, seeds)
        spread = Spread.of(new, confidence)
        images = len(new.weights) if self.groups is None else len(self.groups)
        half_width = (high - low) / 2
        # The interval of the table may be of a look, whose level is another.
        scale = half_width / spread.half_width()
        needed: list[tuple[int, int]] = []
        edge = -self.tolerance if full else 0.0
        target = self._target(row, half_width) if low < edge < high else None
        # After Holm's adjustment, with which fewer test images cannot show anything.
        fewest = float(row["test_images_needed"]) if full else 0.0
        if target is not None:
            needed = spread.needed(target / scale)
        return Uncertainty(
            subset=subset,
            against=against,
            confidence=confidence,
            seeds=seeds,
            test_images=images,
            half_width=half_width,
            larger=spread.larger,
            with_any_seeds=spread.with_any_seeds * scale,
            with_any_images=spread.with_any_images * scale,
            target=target,
            needed=tuple(
                Needed(
                    seeds=more_seeds,
                    images=images
                    if units == spread.images
                    else math.ceil(max(units * images / spread.images, fewest)),
                )
                for more_seeds, units in needed
            ),
        )

    def _target(self, row: pd.Series, half_width: float) -> float | None:
        """The half width that is wanted for an open comparison; None if it is there."""
        if half_width > self.tolerance:
            return self.tolerance
        if row["to_full"] != TOO_FEW_IMAGES:
            return None
        # With this difference, what shows that at most the tolerance is lost, after Holm's
        # adjustment.
        tests = row["full_new_images_loss_p_adjusted"] / row["full_new_images_loss_p_value"]
        times = ndtri(1 - ALPHA / tests) / ndtri(1 - ALPHA)
        wanted = (self.tolerance + min(float(row["full_difference"]), 0.0)) / float(times)
        return wanted if 0 < wanted < half_width else None

    def _new_images(self, subset: Subset, other: tuple[str, float], seeds: int) -> NewImages:
        predictions, runs = self.predictions, self.runs
        if self.looks:
            predictions = predictions.of_seeds_below(seeds)
            runs = runs[runs["training_seed"] < seeds]
        of_case = (runs["method"] == subset.method) & (runs["fraction"] == subset.fraction)
        return new_images_of(
            predictions.right(subset.method, subset.fraction),
            predictions.right(*other),
            METRICS[self.metric].image_weights(predictions.labels()),
            luck_of(runs[of_case], self.metric),
            self.groups,
        )


@dataclass(frozen=True)
class Spread:
    """The parts of the variance of a mean difference, for any number of seeds and images.

    Attributes
    ----------
    confidence : float
        Of the interval.
    seeds, images : int
        How many there are; a group of images counts once.
    of_seeds, of_images, shared, luck : float
        Variances of the mean with these; `shared` is a part of `of_seeds` (see `Crossed`).
    heaviest : float
        The largest weight of an image, as a multiple of the mean weight.
    """

    confidence: float
    seeds: int
    images: int
    of_seeds: float
    of_images: float
    shared: float
    luck: float
    heaviest: float

    @classmethod
    def of(cls, new: NewImages, confidence: float) -> "Spread":
        """The parts of the interval of `new`, which must be known."""
        found = crossed_variances(new.differences, new.weights)
        seeds, images = new.differences.shape
        return cls(
            confidence,
            seeds,
            images,
            of_seeds=float(max(found.of_seeds, found.shared)),
            of_images=float(found.of_images),
            shared=float(found.shared),
            luck=new.luck,
            heaviest=float(new.weights.max()) * images,
        )

    def half_width(self, seeds: float | None = None, images: float | None = None) -> float:
        """Half the width of the interval with other numbers of seeds or images, estimated.

        The larger one of two, as the interval is the outer one of two (see `NewImages`).
        """
        seeds, images = seeds or self.seeds, images or self.images
        fewer_seeds, fewer_images = self.seeds / seeds, self.images / images
        shared = self.shared * fewer_seeds * fewer_images
        of_seeds = (self.of_seeds - self.shared) * fewer_seeds + shared
        of_images = self.of_images * fewer_images
        t, z = stdtrit(seeds - 1, (1 + self.confidence) / 2), self._z
        together = math.sqrt(t**2 * (of_seeds + self.luck) + z**2 * of_images)
        return float(max(together, self._bound(of_images + shared, images)))

    def _bound(self, variance: float, images: float) -> float:
        """The half width of the bounds that assume no distribution, with this variance."""
        # Exactly -log(p) / images if all images agree, as many standard errors as usual for many
        # images, and in between the center of Wilson's interval moves by `off`.
        off = (self._z**2 + 2) / 3 * self.heaviest / images
        agreeing = -math.log((1 - self.confidence) / 2) * self.heaviest / images
        return math.sqrt(self._z**2 * variance + (agreeing - off) ** 2) + off

    @property
    def _z(self) -> float:
        return float(ndtri((1 + self.confidence) / 2))

    @property
    def with_any_seeds(self) -> float:
        """What is left of the half width with any number of seeds."""
        return self.half_width(seeds=1e9)

    @property
    def with_any_images(self) -> float:
        """What is left of the half width with any number of images."""
        return self.half_width(images=1e12)

    @property
    def _surely_left_by_images(self) -> float:
        """An upper bound of `with_any_images`, as a few seeds may seem to agree by chance."""
        times = (self.seeds - 1) / chdtri(self.seeds - 1, SURE)
        more = replace(self, of_seeds=max(self.of_seeds * float(times), self.shared))
        return more.with_any_images

    @property
    def larger(self) -> Part:
        """The largest part of the interval."""
        t = stdtrit(self.seeds - 1, (1 + self.confidence) / 2)
        parts: dict[Part, float] = {
            "seeds": t * math.sqrt(self.of_seeds),
            "images": self._bound(self.of_images, self.images),
            "lists": t * math.sqrt(self.luck),
        }
        return max(parts, key=lambda part: parts[part])

    def needed(self, half_width: float) -> list[tuple[int, int]]:
        """The seeds and images that give a half width: more of one, or else more of both.

        Returns
        -------
        list of (int, int)
            Seeds and images. First with the images that are there, then with the seeds that are
            there, as far as these are enough. If neither is, both grow alike. Empty if that is not
            enough either.
        """

        def at(by_seeds: float, by_images: float) -> float:
            return self.half_width(self.seeds * by_seeds, self.images * by_images)

        most_seeds = MOST_SEEDS / self.seeds
        found = []
        if self.with_any_seeds <= MOST_LEFT * half_width:
            times = _least(lambda f: at(f, 1) <= half_width, most_seeds)
            found += [(math.ceil(self.seeds * times), self.images)] if times else []
        if self._surely_left_by_images <= MOST_LEFT * half_width:
            times = _least(lambda f: at(1, f) <= half_width, MOST_TIMES_IMAGES)
            found += [(self.seeds, math.ceil(self.images * times))] if times else []
        if not found and (times := _least(lambda f: at(f, f) <= half_width, most_seeds)):
            found.append((math.ceil(self.seeds * times), math.ceil(self.images * times)))
        return found


def _least(is_enough: Callable[[float], bool], most: float) -> float | None:
    """The least factor from 1 to `most` that is enough, to within 0.1%; None if none is."""
    if not is_enough(most):
        return None
    low, high = 1.0, most
    while high / low > 1.001:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high
