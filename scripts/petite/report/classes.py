"""The classes that the report shows: all, or of many classes the worst and the best."""

from collections.abc import Sequence

import numpy as np

from petite.report.inputs import Inputs, Predictions

MOST_SHOWN = 20  # up to this number, all classes are shown


def shown(inputs: Inputs) -> list[int]:
    """Labels of the classes that the report shows: all, or the worst and then the best."""
    count = len(inputs.store.classes)
    if count <= MOST_SHOWN:
        return list(range(count))
    return worst_and_best(accuracy_by_class(inputs.judged, count), MOST_SHOWN // 2)


def worst_and_best(accuracy: np.ndarray, each: int) -> list[int]:
    """Labels of the `each` worst and `each` best classes; those without test images come last."""
    order = np.argsort(accuracy, kind="stable")
    known = order[: np.count_nonzero(~np.isnan(accuracy))]
    if len(known) <= 2 * each:
        return order[: 2 * each].tolist()
    return [*known[:each].tolist(), *known[len(known) - each :].tolist()]


def accuracy_by_class(predictions: Sequence[Predictions], count: int) -> np.ndarray:
    """Accuracy by class over all models, float64 (count,); NaN without test images."""
    images, right = np.zeros(count), np.zeros(count)
    for found in predictions:
        images += len(found.answers) * np.bincount(found.labels, minlength=count)
        hits = found.labels[None] == found.answers
        right += np.bincount(found.labels, weights=hits.sum(axis=0), minlength=count)
    return np.divide(right, images, out=np.full(count, np.nan), where=images > 0)
