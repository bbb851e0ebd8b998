"""Find labels that are likely wrong, by the answers of a probe that has not seen the image.

`check_labels` ranks the images whose label is not the probe's answer. How far this can be trusted
is measured on the same images: some labels are changed on purpose, and the same search has to find
them.

References
----------
Northcutt, Jiang, Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels",
JAIR 70, which calls the probability of the given label self-confidence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from petite.data.splits import PARTS, TEST, TRAIN, VALIDATION
from petite.training.probe import Embedded, Probe, fit_probe
from petite.util.seeds import generator

FOLDS = 5
# Strengths of the L2 penalty, of which one of the folds chooses, with changed labels: wrong labels
# ask for a strong one.
PENALTIES = (10_000.0, 1000.0, 100.0, 10.0, 1.0, 0.1)
# The share of the labels that is changed on purpose. Of few images, the search is repeated with
# other changes, until this many labels were changed.
PLANTED_SHARE = 0.05
LEAST_PLANTED, MOST_REPEATS = 100, 10
# The list is as long as this share of it are changed labels.
LEAST_PRECISION = 0.5
# A doubt that fewer of the changed labels reach says nothing of the labels that are wrong anyway.
LEAST_REACHED = 0.25


class Answers(NamedTuple):
    """What a probe says of images that it has not seen; each has shape (n,).

    Attributes
    ----------
    answer : ndarray of int
        The most probable class. -1 for an image that cannot be checked, as its class is in one fold
        alone.
    probability : ndarray of float
        Of this class.
    of_label : ndarray of float
        The probability of the given label.
    doubt : ndarray of float
        1 minus the probability of the label if the answer is another class, and 0 if it is the
        label. NaN for an image that cannot be checked.
    """

    answer: NDArray[np.int64]
    probability: NDArray[np.float64]
    of_label: NDArray[np.float64]
    doubt: NDArray[np.float64]

    def of(self, rows: NDArray[np.integer]) -> "Answers":
        """Those of some of the images."""
        return Answers(
            self.answer[rows], self.probability[rows], self.of_label[rows], self.doubt[rows]
        )


@dataclass(frozen=True)
class Planted:
    """How well the search finds labels that were changed on purpose.

    Attributes
    ----------
    images, repeats : int
        How many images were searched, and how often; all numbers below are of all repeats together.
    changed : int
        Labels that were changed.
    listed : int
        Images with at least the doubt `threshold`.
    found : int
        Changed labels among them.
    threshold : float
        The smallest doubt for which at least half of the list are changed labels. Infinite if
        there is none.
    own : float
        See `own_errors`; of one repeat. Infinite if it is unknown.
    """

    images: int
    repeats: int
    changed: int
    listed: int
    found: int
    threshold: float
    own: float

    @property
    def precision(self) -> float:
        """The share of the list that are changed labels; NaN for an empty list."""
        return self.found / self.listed if self.listed else float("nan")

    @property
    def recall(self) -> float:
        """The share of the changed labels that are listed."""
        return self.found / self.changed if self.changed else float("nan")


class PlantedRecord(TypedDict):
    """The fields of `Planted`; null in place of infinity."""

    images: int
    repeats: int
    changed: int
    listed: int
    found: int
    threshold: float | None
    own: float | None


class LabelRecord(TypedDict):
    """Content of the JSON file of a check.

    The feature space of the probes ("backbone" for embeddings). Of the training images, how many
    were checked and how many were not, and how many answers agree with the label; how many images
    of each part are listed.
    """

    space: str
    checked: int
    not_checked: int
    agreeing: int
    penalty: float
    listed: dict[str, int]
    planted: PlantedRecord


@dataclass(frozen=True)
class LabelCheck:
    """The result of `check_labels`.

    Attributes
    ----------
    train : Answers
        For the training images, out of fold.
    held_out : Answers
        For the other images, by a probe on all training images.
    penalty : float
        Of the probes.
    planted : Planted
    """

    train: Answers
    held_out: Answers
    penalty: float
    planted: Planted


def check_labels(
    train: Embedded, together: NDArray[np.integer], held_out: Embedded, seed: int = 0
) -> LabelCheck:
    """Ask probes for the class of each image that they have not seen.

    No probe is fitted to a held-out image.

    Parameters
    ----------
    train : Embedded
        The training images.
    together : ndarray of int, shape (n_train,)
        Images with the same number, such as duplicates, are in one fold.
    held_out : Embedded
        Other images to check, of a validation or test part. They may be none.
    seed : int
        Of the folds, and of the labels that are changed on purpose.

    Returns
    -------
    LabelCheck
    """
    folds = folds_of(train.labels, together, seed)
    planted, penalty = planted_check(train, folds, seed)
    answers = out_of_fold(train, folds, penalty)
    if len(held_out.labels) and len(np.unique(train.labels)) > 1:
        others = _asked(_fitted(train, [penalty]), held_out)
    else:
        others = _unchecked(len(held_out.labels))
    return LabelCheck(answers, others, penalty, planted)


def folds_of(
    labels: NDArray[np.integer], together: NDArray[np.integer], seed: int
) -> NDArray[np.int64]:
    """Assign images to folds, stratified by class, without dividing images that belong together.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
    together : ndarray of int, shape (n,)
        Images with the same number are in one fold.
    seed : int

    Returns
    -------
    ndarray of int64, shape (n,)
        0 to FOLDS - 1.
    """
    _, label_of = np.unique(labels, return_inverse=True)
    _, group_of, sizes = np.unique(together, return_inverse=True, return_counts=True)
    members = np.split(np.argsort(group_of, kind="stable"), np.cumsum(sizes)[:-1])
    shuffled = generator(seed, "folds").permutation(len(sizes))
    # Large groups first, while all folds have room for them.
    order = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    counts = np.zeros((label_of.max(initial=0) + 1, FOLDS), np.int64)
    folds = np.empty(len(labels), np.int64)
    for group in order.tolist():
        needs = label_of[members[group]]
        # Of folds with as few images of these classes, the one with the fewest images in all.
        fold = np.lexsort((counts.sum(axis=0), counts[needs].sum(axis=0)))[0]
        folds[members[group]] = fold
        np.add.at(counts[:, fold], needs, 1)
    return folds


def out_of_fold(images: Embedded, folds: NDArray[np.integer], penalty: float) -> Answers:
    """Answer for each image by a probe on the other folds.

    Parameters
    ----------
    images : Embedded
        n images.
    folds : ndarray of int, shape (n,)
    penalty : float
        Strength of the probes' L2 penalty.

    Returns
    -------
    Answers
    """
    answers = _unchecked(len(images.labels))
    for fold in np.unique(folds):
        held_out, rest = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        training = Embedded(images.embeddings[rest], images.labels[rest])
        if len(np.unique(training.labels)) < 2:
            continue
        asked = Embedded(images.embeddings[held_out], images.labels[held_out])
        for column, found in zip(answers, _asked(_fitted(training, [penalty]), asked), strict=True):
            column[held_out] = found
    return answers


def planted_check(images: Embedded, folds: NDArray[np.integer], seed: int) -> tuple[Planted, float]:
    """Change some labels on purpose, search for wrong labels, and count which are found.

    Parameters
    ----------
    images : Embedded
        n images.
    folds : ndarray of int, shape (n,)
    seed : int

    Returns
    -------
    planted : Planted
    penalty : float
        The one that suits fold 1 best with the changed labels, for a probe on the folds after it.
    """
    count = max(1, round(PLANTED_SHARE * len(images.labels)))
    repeats = min(MOST_REPEATS, -(-LEAST_PLANTED // count))
    if len(np.unique(images.labels)) < 2:
        repeats = 0
    penalty = float(np.median(PENALTIES))
    doubts, changed = [np.zeros(0)], [np.zeros(0, bool)]
    for repeat in range(repeats):
        labels, is_changed = with_changed_labels(images.labels, count, seed, repeat)
        planted = Embedded(images.embeddings, labels)
        if repeat == 0:
            penalty = _chosen_penalty(planted, folds) or penalty
        doubts.append(out_of_fold(planted, folds, penalty).doubt)
        changed.append(is_changed)
    all_doubts, all_changed = np.concatenate(doubts), np.concatenate(changed)
    threshold = threshold_of(all_doubts, all_changed)
    listed = all_doubts >= threshold
    found = Planted(
        images=len(images.labels),
        repeats=repeats,
        changed=int(all_changed.sum()),
        listed=int(listed.sum()),
        found=int((listed & all_changed).sum()),
        threshold=threshold,
        own=own_errors(all_doubts, all_changed) / max(1, repeats),
    )
    return found, penalty


def own_errors(doubts: NDArray[np.float64], changed: NDArray[np.bool_]) -> float:
    """An upper estimate of the wrong labels among those that were not changed.

    If they have doubts like the changed ones, then of those above any doubt, at most all that
    were not changed are wrong. The estimate is the smallest that follows from a doubt which a
    quarter of the changed labels reach. Infinite if there is none.
    """
    of_changed = np.sort(doubts[changed & (doubts > 0)])[::-1]
    others = np.sort(doubts[~changed & (doubts > 0)])
    reached = np.arange(1, len(of_changed) + 1) / max(1, changed.sum())
    above = 1 + len(others) - np.searchsorted(others, of_changed)  # 1 more, as counts are small
    estimates = (above / reached)[reached >= LEAST_REACHED]
    return float(estimates.min(initial=np.inf))


def with_changed_labels(
    labels: NDArray[np.int64], count: int, seed: int, repeat: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Change `count` labels at random, each to another of the classes.

    Returns
    -------
    labels : ndarray of int64, shape (n,)
    changed : ndarray of bool, shape (n,)
    """
    rng = generator(seed, "planted label errors", str(repeat))
    classes, place = np.unique(labels, return_inverse=True)
    rows = rng.choice(len(labels), count, replace=False)
    steps = rng.integers(1, len(classes), count)
    found, changed = labels.copy(), np.zeros(len(labels), bool)
    found[rows] = classes[(place[rows] + steps) % len(classes)]
    changed[rows] = True
    return found, changed


def threshold_of(doubts: NDArray[np.float64], changed: NDArray[np.bool_]) -> float:
    """The smallest doubt above 0 from which on at least half of the images were changed.

    Infinite if there is none.
    """
    rows = np.flatnonzero(doubts > 0)
    order = rows[np.argsort(-doubts[rows], kind="stable")]
    precision = np.cumsum(changed[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(precision >= LEAST_PRECISION)
    return float(doubts[order[enough[-1]]]) if len(enough) else float("inf")


def error_table(
    check: LabelCheck,
    train: pd.DataFrame,
    held_out: pd.DataFrame,
    class_names: Sequence[str],
) -> pd.DataFrame:
    """The images whose label is not the probe's answer.

    Parameters
    ----------
    check : LabelCheck
    train : DataFrame
        image_id and label of the training images.
    held_out : DataFrame
        image_id, label and split of the others.
    class_names : sequence of str
        By label.

    Returns
    -------
    DataFrame
        part ("train", "validation" or "test"), rank (from 1 in each part, the most likely error
        first), image_id, label, answer (names of classes), probability (of the answer),
        label_probability, doubt, and listed: whether the doubt is that of a likely error.
    """
    tables = [_part_table(check.train, train.assign(split=TRAIN), class_names)]
    for part in (VALIDATION, TEST):
        rows = np.flatnonzero(held_out["split"] == part)
        own = check.held_out.of(rows)
        tables.append(_part_table(own, held_out.iloc[rows], class_names))
    table = pd.concat(tables, ignore_index=True)
    table["listed"] = table["doubt"] >= check.planted.threshold
    return table


def check_record(check: LabelCheck, table: pd.DataFrame, space: str = "backbone") -> LabelRecord:
    """The numbers of a check: what was checked, and how far it can be trusted."""
    checked = check.train.answer >= 0
    agree = int((check.train.doubt[checked] <= 0).sum())
    listed = table[table["listed"]]["part"].value_counts()
    planted = check.planted
    return {
        "space": space,
        "checked": int(checked.sum()),
        "not_checked": int((~checked).sum()),
        "agreeing": agree,
        "penalty": check.penalty,
        "listed": {part: int(listed.get(part, 0)) for part in PARTS},
        "planted": {
            "images": planted.images,
            "repeats": planted.repeats,
            "changed": planted.changed,
            "listed": planted.listed,
            "found": planted.found,
            "threshold": _finite(planted.threshold),
            "own": _finite(planted.own),
        },
    }


def _finite(value: float) -> float | None:
    """JSON has no infinity."""
    return value if np.isfinite(value) else None


def _part_table(answers: Answers, images: pd.DataFrame, class_names: Sequence[str]) -> pd.DataFrame:
    names = np.array(class_names, dtype=object)
    rows = np.flatnonzero(answers.doubt > 0)
    rows = rows[np.argsort(-answers.doubt[rows], kind="stable")]
    return pd.DataFrame(
        {
            "part": images["split"].to_numpy()[rows],
            "rank": np.arange(1, len(rows) + 1),
            "image_id": images["image_id"].to_numpy()[rows],
            "label": names[images["label"].to_numpy()[rows]],
            "answer": names[answers.answer[rows]],
            "probability": answers.probability[rows].round(4),
            "label_probability": answers.of_label[rows].round(4),
            "doubt": answers.doubt[rows],
        }
    )


def _chosen_penalty(images: Embedded, folds: NDArray[np.integer]) -> float | None:
    """The penalty that suits fold 1; None where there are too few images to choose."""
    training = Embedded(images.embeddings[folds > 1], images.labels[folds > 1])
    known = np.unique(training.labels)
    validating = (folds == 1) & np.isin(images.labels, known)
    if len(known) < 2 or not validating.any():
        return None
    validation = Embedded(images.embeddings[validating], images.labels[validating])
    return _fitted(training, PENALTIES, validation).probe.penalty


class _Fitted(NamedTuple):
    """A probe, and the classes of its training images, ascending."""

    probe: Probe
    classes: NDArray[np.int64]


def _fitted(
    training: Embedded, penalties: Sequence[float], validation: Embedded | None = None
) -> _Fitted:
    """A probe on images of some of the classes."""
    classes = np.unique(training.labels)
    if validation is None:
        validation = Embedded(training.embeddings[:0], training.labels[:0])
    parts = [
        Embedded(part.embeddings, np.searchsorted(classes, part.labels))
        for part in (training, validation)
    ]
    return _Fitted(fit_probe(parts[0], parts[1], penalties), classes)


def _asked(fitted: _Fitted, images: Embedded) -> Answers:
    """The probe's answers for images that it has not seen."""
    probabilities = fitted.probe.probabilities(images.embeddings).astype(np.float64)
    rows = np.arange(len(images.labels))
    place = np.searchsorted(fitted.classes, images.labels).clip(max=len(fitted.classes) - 1)
    is_known = fitted.classes[place] == images.labels
    best = probabilities.argmax(axis=1)
    of_label, of_best = probabilities[rows, place], probabilities[rows, best]
    doubt = np.where(best == place, 0.0, 1 - of_label)
    return Answers(
        np.where(is_known, fitted.classes[best], -1),
        np.where(is_known, of_best, np.nan),
        np.where(is_known, of_label, np.nan),
        np.where(is_known, doubt, np.nan),
    )


def _unchecked(count: int) -> Answers:
    return Answers(np.full(count, -1), *(np.full(count, np.nan) for _ in range(3)))
