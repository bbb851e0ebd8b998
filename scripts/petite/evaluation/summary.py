"""A row for each method and fraction: how good it is, and how far from random."""

import logging

import numpy as np
import pandas as pd

from petite.evaluation.list_luck import luck_of
from petite.evaluation.looks import Looks
from petite.evaluation.metrics import ACCURACY, METRICS, with_measures
from petite.evaluation.runs import (
    check_runs,
    is_reference,
    measured,
    ordered,
    paired_differences,
    reference_of,
)
from petite.evaluation.statistics import CONFIDENCE, mean_interval

logger = logging.getLogger(__name__)

SUMMARY_COLUMNS = [
    "method",
    "fraction",
    "share",
    "images",
    "runs",
    *(
        f"{name}_{part}"
        for name in METRICS
        for part in ("mean", *["sd"] * (name == ACCURACY), "low", "high")
    ),
    "worst_class_accuracy_mean",
    "metric",
    "pairs",
    "look",
    "difference_mean",
    "difference_low",
    "difference_high",
    "loss_mean",
    "stored_bytes",
    "select_seconds_mean",
    "train_seconds_mean",
]


def summarize(
    runs: pd.DataFrame, metric: str = ACCURACY, looks: Looks | None = None
) -> pd.DataFrame:
    """A row for each method and fraction of `runs` (the table of runs.csv).

    The columns are SUMMARY_COLUMNS. Accuracies are shares of the test images (0 to 1).
    `accuracy_low` and `accuracy_high` bound the 95% interval of the mean over the runs by Student's
    t (see `mean_interval`), and the other `METRICS` have the same columns.
    `worst_class_accuracy_mean` is the mean over the runs of the accuracy of the worst class, NaN
    where the runs lack it. `difference_*` are of the paired differences in the `metric` from random
    at the same fraction (see `paired_differences`) in `pairs` seeds, NaN for random itself and
    where random has no such run. Bounds are NaN for fewer than two runs or pairs. Bounds outside
    the possible range (0 to 1, -1 to 1 for differences) are cut there: that takes away impossible
    values only, so the coverage stays. The intervals are about new seeds, not about new test
    images. If the runs have a column `overlap`, they include the luck of the method's list (see
    `list_luck`).

    `share` is the part of the training images that was kept (see `with_measures`). `images` and
    `stored_bytes` are means over the runs, rounded (they differ between split seeds
    at most); seconds are of one selection and of one training.

    With `looks`, the intervals hold at all of them together (see `petite.evaluation.looks`), and
    `at_their_looks` takes the differences of the verdicts.

    Raises PetiteError for no runs, a run that is there twice or has no accuracy, or runs of
    several data sets, models, backends or budgets.
    """
    check_runs(runs)
    runs = with_measures(runs)
    rows = []
    for key, group in runs.groupby(["method", "fraction"]):
        method, fraction = str(key[0]), float(str(key[1]))
        differences = _differences(runs, method, fraction, metric)
        accuracy = group[ACCURACY].to_numpy(dtype=np.float64)
        worst = group.get("worst_class_accuracy", pd.Series(np.nan, group.index))
        rows.append(
            {
                "method": method,
                "fraction": fraction,
                "share": group["share"].mean(),
                "images": round(group["images"].mean()),
                "runs": len(group),
                "accuracy_sd": accuracy.std(ddof=1) if len(accuracy) > 1 else np.nan,
                **_measured(group, _confidence(len(group), looks)),
                "worst_class_accuracy_mean": worst.mean(),
                "metric": metric,
                "pairs": len(differences),
                "look": np.nan,
                **_mean_and_bounds(
                    "difference",
                    differences,
                    -1,
                    luck_of(group, metric),
                    _confidence(len(differences), looks),
                ),
                # A loss that is not a number must show, so it is not skipped.
                "loss_mean": group["loss"].mean(skipna=False),
                "stored_bytes": round(group["stored_bytes"].mean()),
                "select_seconds_mean": group["select_seconds"].mean(skipna=False),
                "train_seconds_mean": group["train_seconds"].mean(skipna=False),
            }
        )
    return ordered(pd.DataFrame(rows, columns=SUMMARY_COLUMNS))


def at_their_looks(summary: pd.DataFrame, verdicts: pd.DataFrame) -> pd.DataFrame:
    """The summary with each difference from random as the verdicts have it.

    This is at the look at which the comparison was over: `pairs` is then the number of its seeds,
    which may be fewer than `runs`, and `look` the number of the look.

    Parameters
    ----------
    summary : DataFrame
        As `summarize` makes it.
    verdicts : DataFrame
        As `petite.evaluation.sequential.compare_at_looks` makes it.
    """
    of_verdicts = {
        "pairs": "pairs",
        "look": "look",
        "difference": "difference_mean",
        "low": "difference_low",
        "high": "difference_high",
    }
    case = ["method", "fraction"]
    found = verdicts.set_index(case)[list(of_verdicts)].rename(columns=of_verdicts)
    found = found.reindex(pd.MultiIndex.from_frame(summary[case])).reset_index(drop=True)
    found["pairs"] = found["pairs"].fillna(0).astype(int)
    return summary.assign(**found)


def _confidence(runs: int, looks: Looks | None) -> float:
    return CONFIDENCE if looks is None else 1 - looks.level_of(runs)


def _measured(group: pd.DataFrame, confidence: float) -> dict[str, float]:
    """Each metric of some runs, as mean and bounds."""
    return {
        column: value
        for name in METRICS
        for column, value in _mean_and_bounds(
            name, group[name].to_numpy(dtype=np.float64), 0, luck_of(group, name), confidence
        ).items()
    }


def _mean_and_bounds(
    name: str, values: np.ndarray, least: float, luck: float, confidence: float
) -> dict[str, float]:
    low, high = np.clip(mean_interval(values, confidence, luck), least, 1)
    mean = values.mean() if len(values) else np.nan
    return {f"{name}_mean": mean, f"{name}_low": low, f"{name}_high": high}


def _differences(runs: pd.DataFrame, method: str, fraction: float, metric: str) -> np.ndarray:
    """Paired differences from random, with a line in the log where runs have no partner."""
    if is_reference(method):
        return np.empty(0)
    differences = paired_differences(runs, method, fraction, metric=metric)
    own = len(measured(runs, method, fraction))
    if len(measured(runs, reference_of(method), fraction)) and len(differences) < own:
        logger.warning(
            "%s at fraction %g: %d of %d runs have no run of %s with the same seeds",
            method,
            fraction,
            own - len(differences),
            own,
            reference_of(method),
        )
    return differences
