"""Whether anything was learned: models against the best constant answer.

A subset that loses nothing against models that learned nothing is no recommendation, nor is one
whose own models learned nothing. So before any, the models of all images must beat the constant
answer (always the class with the most test images) in accuracy, and chance in balanced accuracy,
and must know all classes; and so must those of the subset.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from petite.evaluation.metrics import BALANCED, image_weights, is_unequal
from petite.evaluation.new_images import above_p
from petite.evaluation.runs import FULL, REFERENCE, Predictions, ordered
from petite.evaluation.statistics import ALPHA
from petite.evaluation.words import chosen_by, percent

# With more than this share of the classes never answered, some of them were not learned. A few of
# hundreds may be missing where each has a test image or two.
NEVER_ANSWERED = 0.05
MOST_NAMED = 5

# Far below chance: less than this part of it in balanced accuracy, by a test at this level. Labels
# that do not show in the images give chance, not less.
FAR_BELOW = 0.8
FAR_BELOW_P = 0.01

# Models that are right on this share of the test images have learned as far as anyone can tell.
NEARLY_ALL = 0.95
# So many images of other classes must be right to beat a constant answer: 0.5**5 is below 5%.
FEWEST_OTHERS = math.ceil(-math.log2(ALPHA))

# The rates at which classes are mistaken for each other are read from so many images or more.
ENOUGH_FOR_RATES = 10


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
    """The models of a method at a fraction against answers that do not look at the images.

    constant: the class with the most test images. `accuracy_p`: of the test that accuracy for new
    images is above that of always answering it; `balanced_p`: that balanced accuracy is above
    1 / classes; `below_p`: that it is below. never: classes that no run answers. guessed: those
    that are answered, but hardly oftener for their own images than by chance (see `_guessed`).
    one_answer: how many of the runs give the same answer for all images.
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
    train_accuracy: float
    steps: int
    circumstances: Circumstances

    @property
    def knows_classes(self) -> bool:
        """Whether all classes are answered, but for a few of many."""
        return len(self.never) <= NEVER_ANSWERED * self.classes

    @property
    def is_above(self) -> bool:
        """Whether the models are shown to be better than chance and than a constant answer."""
        return max(self.accuracy_p, self.balanced_p) <= ALPHA

    @property
    def is_beaten(self) -> bool:
        """Whether the models are shown to have learned."""
        return self.knows_classes and self.is_above

    @property
    def is_far_below(self) -> bool:
        """Whether the models are worse than chance by far, as where labels are swapped."""
        far = self.balanced_accuracy < FAR_BELOW / self.classes
        return far and self.below_p <= FAR_BELOW_P

    @property
    def lacks_images_alone(self) -> bool:
        """Whether nothing is amiss but that the test images are too few to show anything."""
        return (
            not self.is_above
            and self.knows_classes
            and self._seems_above
            and min(self.accuracy, self.balanced_accuracy) >= NEARLY_ALL
        )

    @property
    def headline(self) -> str:
        """What the answer begins with where chance is not beaten."""
        if self.is_far_below:
            return "The models are worse than chance by far"
        if self.is_above:
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
        which = "all" if self.method == FULL else f"the largest subset, {self.method},"
        text = (
            f"models trained on {which} {self.trained_on:,} images are right on "
            f"{100 * self.accuracy:.1f}% of the {self.test_images:,} test "
            f"images, and always answering {self.constant} on "
            f"{100 * self.constant_accuracy:.1f}% (p {self.accuracy_p:.2g}); balanced accuracy is "
            f"{100 * self.balanced_accuracy:.1f}%, and {100 / self.classes:.3g}% by chance "
            f"(p {self.balanced_p:.2g})"
        )
        return "; ".join([text, *self.odd_answers()])

    def caution(self) -> str:
        """What to beware of though chance is beaten, as a sentence; "" where there is nothing."""
        odd = self.odd_answers()
        if self.guessed:
            are = "is" if len(self.guessed) == 1 else "are"
            odd.append(
                f"{len(self.guessed):,} of {self.classes:,} classes {are} recognized hardly "
                f"better than by chance: {named(self.guessed)}"
            )
        return self._beware(odd)

    def caution_of_failed_runs(self) -> str:
        """That some runs do not look at the images, as a sentence; "" where all do."""
        return self._beware(self._failed_runs())

    def _beware(self, odd: Sequence[str]) -> str:
        if not odd:
            return ""
        which = "all" if self.method == FULL else "the"
        how = "" if self.method == FULL else f" chosen {chosen_by(self.method)}"
        return (
            f"Beware of models trained on {which} {self.trained_on:,} images{how}: "
            f"{'; '.join(odd)}."
        )

    def odd_answers(self) -> list[str]:
        """Which classes are never answered, and whether runs have one answer for all images."""
        odd = [f"never answered: {named(self.never)}"] if self.never else []
        return odd + self._failed_runs()

    def _failed_runs(self) -> list[str]:
        if not self.one_answer:
            return []
        have = "has" if self.one_answer == 1 else "have"
        return [f"{self.one_answer} of {self.runs} runs {have} one answer for all images"]

    def reasons(self) -> str:
        """What it may come from, the test images' number first where that alone may be it."""
        about = self.circumstances
        flips = "" if about.flips == "none" else f"(training.flips: {about.flips})"
        if self.is_far_below:
            exchange = f", or flips that turn one class into another {flips}" if flips else ""
            return (
                "A systematic swap of labels is likely, since answers without a look would be "
                "right more often: labels that are exchanged in the training or the test images"
                f"{exchange}"
            )
        if self.lacks_images_alone:
            return f"The reason is too few test images ({self.test_images:,})"
        counts = np.asarray(about.counts)
        found = [
            f"images too small to show the label ({about.image_size} pixels a side)",
            f"too few training steps ({self.steps:,})",
            "labels that do not show in the images",
        ]
        if flips:
            found.insert(1, f"an augmentation that hides the label, as flips can {flips}")
        if is_unequal(counts):
            found.insert(0, f"unequal classes ({counts.max():,} to {counts.min():,} images)")
        if self._seems_above and not self.is_above:
            found.insert(0, f"too few test images ({self.test_images:,})")
        return f"Likely reasons: {', '.join(found[:-1])}, or {found[-1]}"


def named(names: Sequence[str]) -> str:
    """The classes or subsets by name, the first few of many."""
    text = ", ".join(names[:MOST_NAMED])
    more = len(names) - MOST_NAMED
    return f"{text} and {more:,} more" if more > 0 else text


@dataclass(frozen=True)
class AgainstChance:
    """The models of each method and fraction against chance, worked out where it is asked for.

    classes: names in the order of their labels.
    """

    runs: pd.DataFrame
    predictions: Predictions
    classes: Sequence[str]
    circumstances: Circumstances
    _found: dict[tuple[str, float], Chance | None] = field(default_factory=dict, init=False)

    @cached_property
    def of_all(self) -> Chance | None:
        """The models that stand for all images: of the full set, or the largest subset without."""
        first = ordered(self.runs).iloc[0]
        return self.of(str(first["method"]), float(first["fraction"]))

    def of(self, method: str, fraction: float) -> Chance | None:
        """The models of a method at a fraction; None where there are no predictions of them.

        The test images are the units, each with the mean over its runs: the constant answer has no
        seeds, and runs on the same images are no further images. The test is that of `above_p`,
        which is exact for one run, and needs no more than that images are independent.
        """
        if (method, fraction) not in self._found:
            self._found[method, fraction] = self._judge(method, fraction)
        return self._found[method, fraction]

    def is_unlearned(self, method: str, fraction: float) -> bool:
        """Whether there are predictions, and they are not shown to beat chance."""
        chance = self.of(method, fraction)
        return chance is not None and not chance.is_beaten

    def left_out(self, subsets: Sequence[tuple[str, float]], numbers: bool) -> str:
        """Why these subsets are no candidates though near enough, as sentences; "" for none.

        numbers: whether to say what their models can.
        """
        found = [chance for subset in subsets if (chance := self.of(*subset))]
        reasons = {
            "are not shown to beat a constant answer": [it for it in found if not it.is_above],
            "never answer some of the classes": [it for it in found if it.is_above],
        }
        return " ".join(
            f"{named([_subset(chance, numbers) for chance in those])} "
            f"{'is' if len(those) == 1 else 'are'} left out: "
            f"{'its' if len(those) == 1 else 'their'} models {reason}."
            for reason, those in reasons.items()
            if those
        )

    def cautions(self, method: str, fraction: float) -> list[str]:
        """What to beware of where this subset is chosen: of all images, of it, and of random."""
        chosen, random = self.of(method, fraction), self.of(REFERENCE, fraction)
        sentences = [self.of_all.caution()] if self.of_all else []
        sentences += [it.caution_of_failed_runs() for it in (chosen, random) if it]
        return list(dict.fromkeys(sentence for sentence in sentences if sentence))

    def _judge(self, method: str, fraction: float) -> Chance | None:
        answers, labels = self.predictions.answers(method, fraction)
        if answers.empty:
            return None
        given = answers.to_numpy()
        right = (given == labels).mean(axis=0)
        counts = np.bincount(labels, minlength=len(self.classes))
        constant = _constant(right, labels, counts)
        weights = image_weights(labels, BALANCED) * len(labels)
        present = np.flatnonzero(counts)
        never = np.setdiff1d(present, given)
        guessed = np.setdiff1d(_guessed(given, labels, counts), never)
        runs = self.runs
        own = runs[(runs["method"] == method) & (runs["fraction"] == fraction)]
        return Chance(
            method=method,
            fraction=fraction,
            trained_on=round(own["images"].mean()),
            test_images=len(labels),
            accuracy=float(right.mean()),
            constant=self.classes[constant],
            constant_accuracy=float((labels == constant).mean()),
            accuracy_p=above_p(right - (labels == constant), least=-1, threshold=0),
            balanced_accuracy=float((right * weights).mean()),
            balanced_p=above_p(right * weights, least=0, threshold=1 / len(present)),
            below_p=above_p(-right * weights, least=-weights.max(), threshold=-1 / len(present)),
            classes=len(present),
            never=tuple(self.classes[label] for label in never),
            guessed=tuple(self.classes[label] for label in guessed),
            runs=len(answers),
            one_answer=int((answers.nunique(axis=1) == 1).sum()),
            train_accuracy=float(own["train_accuracy"].mean()),
            steps=round(own["steps"].mean()),
            circumstances=self.circumstances,
        )


def _subset(chance: Chance, numbers: bool) -> str:
    """A subset, with what its models can where numbers are asked for."""
    name = f"{chance.method} at {percent(chance.fraction)}"
    if not numbers:
        return name
    odd = [f"balanced accuracy {100 * chance.balanced_accuracy:.1f}%", *chance.odd_answers()]
    return f"{name} ({'; '.join(odd)})"


def _constant(right: np.ndarray, labels: np.ndarray, counts: np.ndarray) -> int:
    """The class with the most test images; of several the one that is known worst.

    That leaves the most images on which the constant answer is right and the models are not.
    """
    largest = np.flatnonzero(counts == counts.max())
    known = [right[labels == label].mean() for label in largest]
    return int(largest[int(np.argmin(known))])


def _guessed(answers: np.ndarray, labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The classes that are recognized hardly better than by chance, in the mean over the runs.

    Those with a recall of 1 / classes or less. And those that are answered as often, to within a
    standard error, for the images of another class: where the models know three classes of ten and
    guess among the others, these have a recall of 1 / 7. answers: (runs, n); labels: (n,); counts:
    test images by class.
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
