"""Which classes the page shows where there are very many: the worst and the best."""

from collections.abc import Sequence

import numpy as np

from petite.report.inputs import Inputs, Predictions

MOST_SHOWN = 20  # classes that are all shown


def shown(inputs: Inputs) -> list[int]:
    """Labels of the classes that the page shows: all, or the worst ones and then the best."""
    count = len(inputs.store.classes)
    if count <= MOST_SHOWN:
        return list(range(count))
    return worst_and_best(accuracy_by_class(inputs.judged, count), MOST_SHOWN // 2)


def worst_and_best(accuracy: np.ndarray, each: int) -> list[int]:
    """Labels of `each` classes from both ends, the worst first; those without test images last."""
    order = np.argsort(accuracy, kind="stable")
    known = order[: np.count_nonzero(~np.isnan(accuracy))]
    if len(known) <= 2 * each:
        return order[: 2 * each].tolist()
    return [*known[:each].tolist(), *known[len(known) - each :].tolist()]


def accuracy_by_class(predictions: Sequence[Predictions], count: int) -> np.ndarray:
    """The share of each class's test images that models get right, (count,); NaN without any."""
    images, right = np.zeros(count), np.zeros(count)
    for found in predictions:
        images += len(found.answers) * np.bincount(found.labels, minlength=count)
        hits = found.labels[None] == found.answers
        right += np.bincount(found.labels, weights=hits.sum(axis=0), minlength=count)
    return np.divide(right, images, out=np.full(count, np.nan), where=images > 0)
