"""Whether anything was learned: models against the best constant answer.

A subset is not recommended if the models of all images or its own models learned nothing. So both
must beat the constant answer (always the class with the most test images) in accuracy, must beat
chance in balanced accuracy, and must predict all classes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from petite.evaluation.metrics import BALANCED, METRICS, UNEQUAL
from petite.evaluation.new_images import above_p
from petite.evaluation.runs import Predictions, ordered
from petite.evaluation.statistics import ALPHA

NotLearned = Literal[
    "far_below_chance",  # as where labels are swapped
    "classes_not_learned",  # some are never answered
    "constant_answer_not_beaten",  # balanced accuracy is above chance, accuracy is not
    "nothing_learned",  # not better than an answer without looking
    "not_shown_to_learn",  # better, but that may be chance
]
Cause = Literal[
    "swapped_labels",
    "swapping_flips",
    "too_few_test_images",
    "unequal_classes",
    "small_images",
    "hiding_flips",
    "few_steps",
    "frozen_network",
    "labels_not_visible",
]

# If more than this share of the classes is never answered, some were not learned. A few of hundreds
# may be missing when each has one or two test images.
NEVER_ANSWERED = 0.05

# Far below chance: less than this part of it in balanced accuracy, by a test at this level. Labels
# that cannot be seen in the images give chance, not less.
FAR_BELOW = 0.8
FAR_BELOW_P = 0.01

# Models that are right on this share of the test images seem to have learned.
NEARLY_ALL = 0.95
# This many images of other classes must be right to beat a constant answer: 0.5**5 is below 5%.
FEWEST_OTHERS = math.ceil(-math.log2(ALPHA))

# Confusion rates of classes with fewer images are not used.
ENOUGH_FOR_RATES = 10


@dataclass(frozen=True)
class Circumstances:
    """What may keep a model from learning.

    Attributes
    ----------
    image_size : int
        Side in pixels.
    flips : str
        How the models' training images are flipped, as the setting `flips`.
    largest_class, smallest_class : int
        Their numbers of training images.
    is_frozen : bool
        Whether the network is not trained, as by a probe.
    settings : str
        The section of the configuration with the settings of the training.
    """

    image_size: int
    flips: str
    largest_class: int
    smallest_class: int
    is_frozen: bool = False
    settings: str = "training"

    @property
    def is_unequal(self) -> bool:
        """Whether accuracy says more about some classes than about others."""
        return self.largest_class > UNEQUAL * self.smallest_class


@dataclass(frozen=True)
class Chance:
    """The models of a method at a fraction, compared with answers that ignore the images.

    Attributes
    ----------
    trained_on, test_images : int
        Numbers of images.
    constant : str
        The class with the most test images, which the constant answer always gives.
    accuracy_p, balanced_p, below_p : float
        p of the tests for new images that accuracy is above that of the constant answer, that
        balanced accuracy is above 1 / classes, and that it is below.
    never : tuple of str
        Classes that no run answers.
    guessed : tuple of str
        Classes that are recognized hardly better than by chance (see `_guessed`).
    one_answer : int
        How many of the runs give the same answer for all images.
    train_accuracy, steps
        None if only a program of the user's knows them.
    """

    method: str
    fraction: float
    trained_on: int
    test_images: int
    accuracy: float
    constant: str
    constant_accuracy: float
    accuracy_p: float
    balanced_accuracy: float
    balanced_p: float
    below_p: float
    classes: int
    never: tuple[str, ...]
    guessed: tuple[str, ...]
    runs: int
    one_answer: int
    train_accuracy: float | None
    steps: int | None
    circumstances: Circumstances

    @property
    def knows_classes(self) -> bool:
        """Whether (nearly) all classes are answered."""
        return len(self.never) <= NEVER_ANSWERED * self.classes

    @property
    def is_above(self) -> bool:
        """Whether the models are shown to be better than chance and a constant answer."""
        return max(self.accuracy_p, self.balanced_p) <= ALPHA

    @property
    def is_beaten(self) -> bool:
        """Whether the models are shown to have learned."""
        return self.knows_classes and self.is_above

    @property
    def is_far_below(self) -> bool:
        """Whether the models are far worse than chance, as with swapped labels."""
        far = self.balanced_accuracy < FAR_BELOW / self.classes
        return far and self.below_p <= FAR_BELOW_P

    @property
    def lacks_images_alone(self) -> bool:
        """Whether the only problem is that the test images are too few to show anything."""
        return (
            not self.is_above
            and self.knows_classes
            and self._seems_above
            and min(self.accuracy, self.balanced_accuracy) >= NEARLY_ALL
        )

    @property
    def of_other_classes(self) -> int:
        """How many test images the constant answer is wrong on."""
        return round(self.test_images * (1 - self.constant_accuracy))

    @property
    def not_learned(self) -> NotLearned:
        """In which way the models do not beat chance."""
        if self.is_far_below:
            return "far_below_chance"
        if self.is_above:
            return "classes_not_learned"
        if self.balanced_p <= ALPHA:
            return "constant_answer_not_beaten"
        return "not_shown_to_learn" if self._seems_above else "nothing_learned"

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Why they may not have learned, the most likely reason first."""
        about = self.circumstances
        flips = about.flips != "none"
        if self.is_far_below:
            return ("swapped_labels", *(("swapping_flips",) if flips else ()))
        if self.lacks_images_alone:
            return ("too_few_test_images",)
        found: dict[Cause, bool] = {
            "too_few_test_images": self._seems_above and not self.is_above,
            "unequal_classes": about.is_unequal,
            "small_images": True,
            "hiding_flips": flips,
            "few_steps": not about.is_frozen and self.steps is not None,
            "frozen_network": about.is_frozen,
            "labels_not_visible": True,
        }
        return tuple(cause for cause, is_likely in found.items() if is_likely)

    @property
    def _seems_above(self) -> bool:
        """Whether the numbers are better than chance, shown or not."""
        rounding = 1e-9
        return (
            self.accuracy > self.constant_accuracy + rounding
            and self.balanced_accuracy > 1 / self.classes + rounding
        )


@dataclass(frozen=True)
class AgainstChance:
    """Compares the models of each method and fraction with chance, on request.

    Attributes
    ----------
    runs : DataFrame
        The table of runs.csv.
    predictions : Predictions
    classes : sequence of str
        Names in the order of their labels.
    circumstances : Circumstances
    groups : ndarray of int, shape (n,), optional
        Test images with the same number are not independent.
    """

    runs: pd.DataFrame
    predictions: Predictions
    classes: Sequence[str]
    circumstances: Circumstances
    groups: np.ndarray | None = None
    _found: dict[tuple[str, float], Chance | None] = field(default_factory=dict, init=False)

    @cached_property
    def of_all(self) -> Chance | None:
        """The models of all images: of the full set, or of the largest subset if it has none."""
        first = ordered(self.runs).iloc[0]
        return self.of(str(first["method"]), float(first["fraction"]))

    def of(self, method: str, fraction: float) -> Chance | None:
        """The models of a method at a fraction; None without their predictions.

        The unit is the test image, with the mean over the runs: the constant answer has no seeds,
        and more runs do not give more images. Images of one group are one unit. The test is that of
        `above_p`. It only assumes that units are independent, and is exact for a single run.
        """
        if (method, fraction) not in self._found:
            self._found[method, fraction] = self._judge(method, fraction)
        return self._found[method, fraction]

    def is_unlearned(self, method: str, fraction: float) -> bool:
        """Whether there are predictions that are not shown to beat chance."""
        chance = self.of(method, fraction)
        return chance is not None and not chance.is_beaten

    def _judge(self, method: str, fraction: float) -> Chance | None:
        answers, labels = self.predictions.answers(method, fraction)
        if answers.empty:
            return None
        given = answers.to_numpy()
        right = (given == labels).mean(axis=0)
        counts = np.bincount(labels, minlength=len(self.classes))
        constant = _constant(right, labels, counts)
        weights = METRICS[BALANCED].image_weights(labels) * len(labels)
        present = np.flatnonzero(counts)
        never = np.setdiff1d(present, given)
        guessed = np.setdiff1d(_guessed(given, labels, counts), never)
        runs, groups = self.runs, self.groups
        own = runs[(runs["method"] == method) & (runs["fraction"] == fraction)]
        return Chance(
            method=method,
            fraction=fraction,
            trained_on=round(own["images"].mean()),
            test_images=len(labels),
            accuracy=float(right.mean()),
            constant=self.classes[constant],
            constant_accuracy=float((labels == constant).mean()),
            accuracy_p=above_p(right - (labels == constant), -1, 0, groups),
            balanced_accuracy=float((right * weights).mean()),
            balanced_p=above_p(right * weights, 0, 1 / len(present), groups),
            below_p=above_p(-right * weights, -weights.max(), -1 / len(present), groups),
            classes=len(present),
            never=tuple(self.classes[label] for label in never),
            guessed=tuple(self.classes[label] for label in guessed),
            runs=len(answers),
            one_answer=int((answers.nunique(axis=1) == 1).sum()),
            train_accuracy=_mean_if_known(own["train_accuracy"]),
            steps=None if own["steps"].isna().any() else round(own["steps"].mean()),
            circumstances=self.circumstances,
        )


def _mean_if_known(values: pd.Series) -> float | None:
    return None if values.isna().any() else float(values.mean())


def _constant(right: np.ndarray, labels: np.ndarray, counts: np.ndarray) -> int:
    """The class with the most test images; if there are several, the one with the lowest recall.

    That gives the most images on which only the constant answer is right.
    """
    largest = np.flatnonzero(counts == counts.max())
    known = [right[labels == label].mean() for label in largest]
    return int(largest[int(np.argmin(known))])


def _guessed(answers: np.ndarray, labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The classes that are recognized hardly better than by chance, in the mean over the runs.

    These are the classes with a recall of 1 / classes or less, and those that are answered as
    often (to within a standard error) for the images of another class. For example, if the models
    know three of ten classes and guess among the others, these have a recall of 1 / 7.

    Parameters
    ----------
    answers : ndarray of int, shape (runs, n)
    labels : ndarray of int, shape (n,)
    counts : ndarray of int, shape (classes,)
        Test images of each class.
    """
    size = len(counts)
    pairs, times = np.unique(labels.astype(np.int64) * size + answers, return_counts=True)
    true, answered = np.divmod(pairs, size)
    rates = times / (counts[true] * len(answers))
    recalls, mistaken = np.zeros(size), np.zeros(size)
    own = true == answered
    recalls[true[own]] = rates[own]
    enough = counts >= ENOUGH_FOR_RATES
    others = ~own & enough[true] & enough[answered]
    np.maximum.at(mistaken, answered[others], rates[others])
    present, rounding = counts > 0, 1e-9
    error = np.sqrt(recalls * (1 - recalls) / np.maximum(counts, 1))
    by_chance = recalls <= 1 / present.sum() + rounding
    like_others = (mistaken > 0) & (recalls <= mistaken + error + rounding)
    return np.flatnonzero(present & (by_chance | like_others))
