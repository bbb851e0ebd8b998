"""Each method and size against random, and against the full set: what the runs can tell.

Whether a method is better or worse than random is decided by the exact sign-flip test, adjusted
after Holm for all comparisons of the table. It needs no normal noise, only that the differences of
a method without effect lie evenly about 0, as they do where its runs vary like those of random. The
intervals, Student's t, need noise that is not too skewed, and say how large a difference may be.
"""

import math

import numpy as np
import pandas as pd

from petite.errors import PetiteError
from petite.evidence.learning_curve import Estimate, LearningCurve
from petite.evidence.runs import (
    FULL,
    REFERENCE,
    Predictions,
    accuracies,
    check_runs,
    ordered,
    paired_differences,
    paired_predictions,
)
from petite.evidence.statistics import (
    ALPHA,
    CONFIDENCE,
    ENOUGH_RUNS,
    equivalence_p,
    holm,
    least_p,
    mean_interval,
    not_worse_p,
    probability_positive,
    sign_flip_p,
    smallest_effect,
    two_way_interval,
)

BETTER, WORSE = "better", "worse"
NOT_DISTINGUISHABLE = "not distinguishable"
EQUIVALENT, NOT_WORSE, NOT_SHOWN = "equivalent", "not worse", "not shown"
TOO_FEW = "too few seeds"
NOT_COMPARED = "not compared"

# Two one-sided tests at the 5% level ask whether this interval lies within the tolerance.
EQUIVALENCE_CONFIDENCE = 0.9

VERDICT_COLUMNS = [
    "method",
    "fraction",
    "images",
    "accuracy",
    "pairs",
    "difference",
    "low",
    "high",
    "new_images_low",
    "new_images_high",
    "sd",
    "p_value",
    "p_adjusted",
    "p_better",
    "smallest_effect",
    "verdict",
    "full_pairs",
    "full_difference",
    "full_low",
    "full_high",
    "full_new_images_low",
    "full_new_images_high",
    "full_p_value",
    "full_p_adjusted",
    "full_loss_p_value",
    "full_loss_p_adjusted",
    "to_full",
    "multiplier",
    "multiplier_low",
    "multiplier_high",
    "multiplier_text",
]


def compare(
    runs: pd.DataFrame,
    tolerance: float,
    curve: LearningCurve | None = None,
    predictions: Predictions | None = None,
) -> pd.DataFrame:
    """A row for each method and fraction of `runs` but the full set, in reading order.

    There is no row where the full set alone was trained. The columns are VERDICT_COLUMNS;
    differences, bounds, `sd`, `tolerance` and `smallest_effect` are shares of the test images (0 to
    1).

    Against random at the same fraction: `pairs` (runs that share their seeds), the mean
    `difference` with its 95% interval over seeds (`low`, `high`) and over seeds and test images
    (`new_images_*`, where `predictions` are given), the differences' `sd`, the sign-flip test's
    `p_value` and Holm's `p_adjusted`, the probability `p_better` that the true mean is above 0,
    the `smallest_effect` that the design could see, and the `verdict`: better, worse, not
    distinguishable, too few seeds (no outcome of so few pairs would have passed), or not compared.

    Against the full set: `full_pairs`, `full_difference` with its 90% intervals (`full_low`,
    `full_high` over seeds, `full_new_images_*` over seeds and test images), the p of two one-sided
    tests that it lies within the tolerance (`full_p_*`), the p of the one that no more
    than the tolerance is lost (`full_loss_p_*`), each Holm-adjusted by itself, and `to_full`:
    equivalent (both), not worse (the second alone), not shown, too few seeds, or not compared.

    `multiplier*`: what one image is worth in random ones (`LearningCurve.multiplier`), cut at the
    measured sizes, where the text says "above" or "below".

    Raises PetiteError for a tolerance that is not above 0 and below 1, and where the runs do not
    make one table.
    """
    if not 0 < tolerance < 1:
        raise PetiteError(
            f"evidence.tolerance is {tolerance:g}: give a share of accuracy above 0 and below 1, "
            "say 0.01 for one percentage point."
        )
    check_runs(runs)
    of_full = predictions.right(FULL, 1.0) if predictions else pd.DataFrame()
    rows = []
    for fraction, at_fraction in runs[runs["method"] != FULL].groupby("fraction"):
        size = float(str(fraction))
        right = predictions.right(REFERENCE, size) if predictions else pd.DataFrame()
        for method, group in at_fraction.groupby("method"):
            name = str(method)
            images = round(group["images"].mean())
            row = {"method": name, "fraction": size, "images": images}
            row["accuracy"] = group["accuracy"].mean()
            row |= _against_random(runs, name, size)
            row |= _against_full(runs, name, size, tolerance)
            if predictions:
                row |= _for_new_images(predictions, name, size, right, of_full)
            row |= _multiplier(runs, name, size, images, curve)
            rows.append(row)
    if not rows:
        return pd.DataFrame(columns=VERDICT_COLUMNS)
    table = ordered(pd.DataFrame(rows)).reindex(columns=VERDICT_COLUMNS)
    for p in ("p", "full_p", "full_loss_p"):
        table[f"{p}_adjusted"] = holm(table[f"{p}_value"].to_numpy())
    table["verdict"] = [
        _verdict(row, least)
        for (_, row), least in zip(table.iterrows(), least_adjusted_p(table), strict=True)
    ]
    table["to_full"] = [_to_full(row) for _, row in table.iterrows()]
    return table


def _against_random(runs: pd.DataFrame, method: str, fraction: float) -> dict[str, float]:
    differences = np.empty(0)
    if method != REFERENCE:
        differences = paired_differences(runs, method, fraction)
    n = len(differences)
    low, high = np.clip(mean_interval(differences), -1, 1)
    sd = differences.std(ddof=1) if n > 1 else math.nan
    return {
        "pairs": n,
        "difference": differences.mean() if n else math.nan,
        "low": low,
        "high": high,
        "sd": sd,
        "p_value": sign_flip_p(differences),
        "p_better": float(probability_positive(differences)),
        "smallest_effect": smallest_effect(n, sd),
    }


def _for_new_images(
    predictions: Predictions,
    method: str,
    fraction: float,
    of_random: pd.DataFrame,
    of_full: pd.DataFrame,
) -> dict[str, float]:
    """The intervals of both differences over seeds and test images.

    of_random, of_full: what `Predictions.right` gives for what is compared with.
    """
    bounds: dict[str, float] = {}
    for name, reference, confidence in (
        ("new_images", of_random if method != REFERENCE else pd.DataFrame(), CONFIDENCE),
        ("full_new_images", of_full, EQUIVALENCE_CONFIDENCE),
    ):
        differences = paired_predictions(predictions, method, fraction, reference)
        low, high = np.clip(two_way_interval(differences, confidence), -1, 1)
        bounds |= {f"{name}_low": low, f"{name}_high": high}
    return bounds


def _against_full(
    runs: pd.DataFrame, method: str, fraction: float, tolerance: float
) -> dict[str, float]:
    differences = paired_differences(runs, method, fraction, FULL)
    low, high = np.clip(mean_interval(differences, EQUIVALENCE_CONFIDENCE), -1, 1)
    return {
        "full_pairs": len(differences),
        "full_difference": differences.mean() if len(differences) else math.nan,
        "full_low": low,
        "full_high": high,
        "full_p_value": float(equivalence_p(differences, tolerance)),
        "full_loss_p_value": float(not_worse_p(differences, tolerance)),
    }


def _multiplier(
    runs: pd.DataFrame, method: str, fraction: float, images: float, curve: LearningCurve | None
) -> dict[str, float | str]:
    if curve is None or method == REFERENCE:
        nothing = dict.fromkeys(["multiplier", "multiplier_low", "multiplier_high"], math.nan)
        return {**nothing, "multiplier_text": ""}
    found: Estimate = curve.multiplier(accuracies(runs, method, fraction), images)
    return {
        "multiplier": found.point.value,
        "multiplier_low": found.low.value,
        "multiplier_high": found.high.value,
        "multiplier_text": found.text(".2f"),
    }


def least_adjusted_p(table: pd.DataFrame) -> np.ndarray:
    """What `p_adjusted` of each row would be had it won every time, the others as they came: (m,).

    NaN for what is not compared with random.
    """
    p_values = table["p_value"].to_numpy()
    least = np.full(len(table), np.nan)
    for row in np.flatnonzero(~np.isnan(p_values)):
        best = p_values.copy()
        best[row] = least_p(int(table["pairs"].iloc[row]))
        least[row] = holm(best)[row]
    return least


def _verdict(row: pd.Series, least_adjusted: float) -> str:
    if not row["pairs"]:
        return NOT_COMPARED
    if row["p_adjusted"] <= ALPHA:
        return BETTER if row["difference"] > 0 else WORSE
    return TOO_FEW if least_adjusted > ALPHA else NOT_DISTINGUISHABLE


def _to_full(row: pd.Series) -> str:
    if not row["full_pairs"]:
        return NOT_COMPARED
    if row["full_pairs"] < ENOUGH_RUNS:
        return TOO_FEW
    if row["full_p_adjusted"] <= ALPHA:
        return EQUIVALENT
    return NOT_WORSE if row["full_loss_p_adjusted"] <= ALPHA else NOT_SHOWN
