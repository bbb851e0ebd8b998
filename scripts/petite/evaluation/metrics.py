"""What is measured of a run beside its accuracy, and in which metric runs are compared."""

import json

import numpy as np
import pandas as pd

ACCURACY, BALANCED = "accuracy", "balanced_accuracy"
METRICS = (ACCURACY, BALANCED)
AUTO = "auto"
IN_WORDS = {ACCURACY: "accuracy", BALANCED: "balanced accuracy"}
# Auto is balanced accuracy where the largest class has more than so many times the test images of
# the smallest.
UNEQUAL = 2


def balanced_accuracy(confusion: np.ndarray) -> float:
    """The mean of the classes' accuracies, over the classes that have test images.

    confusion: (classes, classes) counts, rows true classes, columns predicted ones.
    """
    counts = confusion.sum(axis=1)
    return float((confusion.diagonal()[counts > 0] / counts[counts > 0]).mean())


def with_measures(runs: pd.DataFrame, training_images: int | None = None) -> pd.DataFrame:
    """The table of runs with the columns `share` and `balanced_accuracy`.

    `share` is the part of the training images that a run kept, which may be another than the
    fraction that was asked for: at least one image of each class is kept, and whole images.
    training_images: how many there are; None: as many as the full set has. NaN where unknown.
    """
    runs = runs.copy()
    whole = runs.loc[runs["method"] == "full", "images"].mean()  # NaN where there is no such run
    share = runs["images"] / (training_images or whole)
    balanced = np.full(len(runs), np.nan)
    if "confusion" in runs:
        balanced = np.array([balanced_accuracy(found) for found in _confusions(runs)])
    for name, after, values in (
        ("share", "fraction", share),
        (BALANCED, "accuracy", balanced),
    ):
        if name not in runs:
            runs.insert(list(runs.columns).index(after) + 1, name, values)
    return runs


def _confusions(runs: pd.DataFrame) -> list[np.ndarray]:
    return [np.array(json.loads(text)) for text in runs["confusion"]]


def test_counts(runs: pd.DataFrame) -> np.ndarray:
    """The test images of each class that has some; none where the runs do not tell."""
    if "confusion" not in runs:
        return np.empty(0, np.int64)
    counts = _confusions(runs.iloc[:1])[0].sum(axis=1)
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
    metric = compared_metric(summary)
    scores = {f"score_{name}": summary[f"{metric}_{name}"] for name in ("mean", "low", "high")}
    return summary.assign(**scores), runs.assign(score=runs[metric])


def compared_metric(summary: pd.DataFrame) -> str:
    """The metric of a summary's differences: one of METRICS."""
    return str(summary["metric"].iloc[0])


def image_weights(labels: np.ndarray, metric: str) -> np.ndarray:
    """What each test image counts in a metric: float64 (n,), with the sum 1."""
    if metric == ACCURACY:
        return np.full(len(labels), 1 / len(labels))
    counts = np.bincount(labels)
    return 1 / ((counts > 0).sum() * counts[labels])
