"""Whether anything was learned: the full set against the best constant answer.

A subset that loses nothing against models that learned nothing is no recommendation. So before any,
the models of all images must beat the constant answer (always the class with the most test images)
in accuracy, and chance in balanced accuracy, and must know all classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from petite.evidence.metrics import BALANCED, image_weights, is_unequal
from petite.evidence.new_images import above_p
from petite.evidence.runs import FULL, Predictions, ordered
from petite.evidence.statistics import ALPHA

# With more than this share of the classes never answered, some of them were not learned. A few of
# hundreds may be missing where each has a test image or two.
NEVER_ANSWERED = 0.05
MOST_NAMED = 5


@dataclass(frozen=True)
class Circumstances:
    """What may keep a model from learning, for the likely reasons.

    image_size: pixels a side; flips: the setting training.flips; counts: training images by class.
    """

    image_size: int
    flips: str
    counts: Sequence[int]


@dataclass(frozen=True)
class Chance:
    """The models that stand for all images against answers that do not look at the images.

    method, fraction, trained_on: the full set, or the largest subset where it was not trained.
    constant: the class with the most test images. `accuracy_p`: of the test that accuracy for new
    images is above that of always answering it; `balanced_p`: that balanced accuracy is above
    1 / classes. never: classes that no run answers. one_answer: how many of the runs give the same
    answer for all images.
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
    classes: int
    never: tuple[str, ...]
    runs: int
    one_answer: int
    train_accuracy: float
    steps: int
    circumstances: Circumstances

    @property
    def knows_classes(self) -> bool:
        """Whether all classes are answered, but for a few of many."""
        return len(self.never) <= NEVER_ANSWERED * self.classes

    @property
    def is_beaten(self) -> bool:
        """Whether the models are shown to have learned."""
        return self.knows_classes and max(self.accuracy_p, self.balanced_p) <= ALPHA

    @property
    def headline(self) -> str:
        """What the answer begins with where chance is not beaten."""
        if max(self.accuracy_p, self.balanced_p) <= ALPHA:
            return "Not all classes were learned"
        if self.balanced_p <= ALPHA:
            return "The models are not shown to beat a constant answer"
        if not self._seems_above:
            return "Nothing was learned"
        return "Nothing is shown to have been learned"

    @property
    def _seems_above(self) -> bool:
        """Whether it is better than chance in numbers, which may be chance on few test images."""
        rounding = 1e-9
        return (
            self.accuracy > self.constant_accuracy + rounding
            and self.balanced_accuracy > 1 / self.classes + rounding
        )

    def numbers(self) -> str:
        """The comparison in numbers."""
        text = (
            f"{_of(self)} are right on {100 * self.accuracy:.1f}% of the {self.test_images:,} test "
            f"images, and always answering {self.constant} on "
            f"{100 * self.constant_accuracy:.1f}% (p {self.accuracy_p:.2g}); balanced accuracy is "
            f"{100 * self.balanced_accuracy:.1f}%, and {100 / self.classes:.3g}% by chance "
            f"(p {self.balanced_p:.2g})"
        )
        return "; ".join([text, *self._odd_answers()])

    def caution(self) -> str:
        """What to beware of though chance is beaten, as a sentence; "" where there is nothing."""
        odd = self._odd_answers()
        return f"Beware of {_of(self)}: {'; '.join(odd)}." if odd else ""

    def _odd_answers(self) -> list[str]:
        odd = [f"never answered: {named(self.never)}"] if self.never else []
        if self.one_answer:
            odd.append(f"{self.one_answer} of {self.runs} runs have one answer for all images")
        return odd

    def reasons(self) -> str:
        """What it may come from, the test images' number first where that alone may be it."""
        about = self.circumstances
        counts = np.asarray(about.counts)
        found = [
            f"images too small to show the label ({about.image_size} pixels a side)",
            f"too few training steps ({self.steps:,})",
            "labels that do not show in the images",
        ]
        if about.flips != "none":
            how = f"training.flips: {about.flips}"
            found.insert(1, f"an augmentation that hides the label, as flips can ({how})")
        if is_unequal(counts):
            found.insert(0, f"unequal classes ({counts.max():,} to {counts.min():,} images)")
        if self._seems_above and max(self.accuracy_p, self.balanced_p) > ALPHA:
            found.insert(0, f"too few test images ({self.test_images:,})")
        return f"Likely reasons: {', '.join(found[:-1])}, or {found[-1]}"


def _of(chance: Chance) -> str:
    which = "all" if chance.method == FULL else f"the largest subset, {chance.method},"
    return f"models trained on {which} {chance.trained_on:,} images"


def named(classes: Sequence[str]) -> str:
    """The classes by name, the first few of many."""
    names = ", ".join(classes[:MOST_NAMED])
    more = len(classes) - MOST_NAMED
    return f"{names} and {more:,} more" if more > 0 else names


def against_chance(
    runs: pd.DataFrame,
    predictions: Predictions,
    classes: Sequence[str],
    circumstances: Circumstances,
) -> Chance | None:
    """How the full set, or the largest subset without it, does against chance.

    classes: names in the order of their labels. None where there are no predictions.

    The test images are the units, each with the mean over its runs: the constant answer has no
    seeds, and runs on the same images are no further images. The test is that of `above_p`, which
    is exact for one run, and needs no more than that images are independent.
    """
    first = ordered(runs).iloc[0]
    method, fraction = str(first["method"]), float(first["fraction"])
    answers, labels = predictions.answers(method, fraction)
    if answers.empty:
        return None
    right = (answers.to_numpy() == labels).mean(axis=0)
    counts = np.bincount(labels, minlength=len(classes))
    constant = _constant(right, labels, counts)
    weights = image_weights(labels, BALANCED) * len(labels)
    present = np.flatnonzero(counts)
    never = sorted(set(present.tolist()) - set(np.unique(answers.to_numpy()).tolist()))
    own = runs[(runs["method"] == method) & (runs["fraction"] == fraction)]
    return Chance(
        method=method,
        fraction=fraction,
        trained_on=round(own["images"].mean()),
        test_images=len(labels),
        accuracy=float(right.mean()),
        constant=classes[constant],
        constant_accuracy=float((labels == constant).mean()),
        accuracy_p=above_p(right - (labels == constant), least=-1, threshold=0),
        balanced_accuracy=float((right * weights).mean()),
        balanced_p=above_p(right * weights, least=0, threshold=1 / len(present)),
        classes=len(present),
        never=tuple(classes[label] for label in never),
        runs=len(answers),
        one_answer=int((answers.nunique(axis=1) == 1).sum()),
        train_accuracy=float(own["train_accuracy"].mean()),
        steps=round(own["steps"].mean()),
        circumstances=circumstances,
    )


def _constant(right: np.ndarray, labels: np.ndarray, counts: np.ndarray) -> int:
    """The class with the most test images; of several the one that is known worst.

    That leaves the most images on which the constant answer is right and the models are not.
    """
    largest = np.flatnonzero(counts == counts.max())
    known = [right[labels == label].mean() for label in largest]
    return int(largest[int(np.argmin(known))])
