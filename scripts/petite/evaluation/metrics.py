"""What is measured of a run beside its accuracy, and in which metric runs are compared."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Metric:
    """A metric in which runs can be compared: a weighted mean of the accuracies of the classes.

    Attributes
    ----------
    name : str
        The value of `evidence.metric`, and the column in the table of runs; summaries add `_mean`,
        `_low` and `_high`.
    words : str
        Its name in sentences, tables and figures.
    weigh : callable
        From the numbers of test images of the classes that have some, int (classes,), to the
        weights of these classes, (classes,).
    """

    name: str
    words: str
    weigh: Callable[[np.ndarray], np.ndarray]

    def of(self, confusion: np.ndarray) -> float:
        """The metric from (classes, classes) counts, rows true classes, columns predicted ones."""
        counts = confusion.sum(axis=1)
        present = counts > 0
        accuracies = confusion.diagonal()[present] / counts[present]
        return float(np.average(accuracies, weights=self.weigh(counts[present])))

    def image_weights(self, labels: np.ndarray) -> np.ndarray:
        """The weight of each test image: float64 (n,), with the sum 1, from its label."""
        _, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
        weights = self.weigh(counts)
        return (weights / (weights.sum() * counts))[places]


METRICS = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "accuracy", weigh=lambda counts: counts),
        Metric("balanced_accuracy", "balanced accuracy", weigh=np.ones_like),
    )
}
ACCURACY, BALANCED = "accuracy", "balanced_accuracy"
AUTO = "auto"
# Auto is balanced accuracy where the largest class has more than this many times the test images of
# the smallest.
UNEQUAL = 2


def with_measures(runs: pd.DataFrame, training_images: int | None = None) -> pd.DataFrame:
    """The table of runs with the columns `share` and those of all `METRICS`.

    `share` is the part of the training images that a run kept, which may be another than the
    fraction that was asked for: at least one image of each class is kept, and whole images.
    training_images: how many there are; None: as many as the full set has. NaN where unknown.
    """
    runs = runs.copy()
    if "share" not in runs:
        whole = runs.loc[runs["method"] == "full", "images"].mean()  # NaN without such a run
        share = runs["images"] / (training_images or whole)
        runs.insert(list(runs.columns).index("fraction") + 1, "share", share)
    missing = [metric for metric in METRICS.values() if metric.name not in runs]
    measured: list[list[float]] = []
    if missing and "confusion" in runs:
        measured = [[metric.of(counts) for metric in missing] for counts in _confusions(runs)]
    for place, metric in enumerate(missing):
        values = [of_run[place] for of_run in measured] or np.nan
        runs.insert(list(runs.columns).index(ACCURACY) + 1, metric.name, values)
    return runs


def _confusions(runs: pd.DataFrame) -> Iterator[np.ndarray]:
    """The counts of each run in turn: many classes make them large."""
    return (np.array(json.loads(text)) for text in runs["confusion"])


def test_counts(runs: pd.DataFrame) -> np.ndarray:
    """The test images of each class that has some; none where the runs do not tell."""
    if "confusion" not in runs:
        return np.empty(0, np.int64)
    counts = next(_confusions(runs)).sum(axis=1)
    return counts[counts > 0]


test_counts.__test__ = False  # type: ignore[attr-defined]  # no test, whatever pytest thinks


def is_unequal(counts: np.ndarray) -> bool:
    """Whether accuracy says more about some classes than about others."""
    return len(counts) > 0 and counts.max() > UNEQUAL * counts.min()


def metric_for(counts: np.ndarray, setting: str = AUTO) -> str:
    """The metric of comparisons by the setting evidence.metric: auto, or one of METRICS.

    counts: (classes,), the test images of each class (see `test_counts`).
    """
    if setting != AUTO:
        return setting
    return BALANCED if is_unequal(counts) else ACCURACY


def with_scores(summary: pd.DataFrame, runs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables with the metric that is compared as score_mean, _low and _high, and as score."""
    metric = compared_metric(summary).name
    scores = {f"score_{name}": summary[f"{metric}_{name}"] for name in ("mean", "low", "high")}
    return summary.assign(**scores), runs.assign(score=runs[metric])


def compared_metric(summary: pd.DataFrame) -> Metric:
    """The metric of a summary's differences: one of METRICS."""
    return METRICS[str(summary["metric"].iloc[0])]
