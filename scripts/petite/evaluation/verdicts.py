"""Compare each method and size with random, and with the full set.

The exact sign-flip test decides whether a method is better or worse than random, with Holm's
adjustment for all comparisons of the table. It does not assume normality, only that differences are
symmetric around 0 when the method has no effect. This holds if its runs vary like those of random.
The intervals (Student's t) show how large a difference may be, for noise that is not too skewed.
"""

import math

import numpy as np
import pandas as pd

from petite.evaluation.groups import of_groups
from petite.evaluation.learning_curve import Curves, Estimate, LearningCurve
from petite.evaluation.list_luck import luck_of
from petite.evaluation.metrics import ACCURACY, METRICS, with_measures
from petite.evaluation.new_images import NewImages, images_to_show, tolerance_to_show
from petite.evaluation.runs import (
    FULL,
    Predictions,
    check_runs,
    is_reference,
    measured,
    ordered,
    paired_differences,
    paired_predictions,
    reference_of,
    that_see_fewer,
)
from petite.evaluation.statistics import (
    ALPHA,
    ENOUGH_RUNS,
    equivalence_p,
    holm,
    least_p,
    mean_interval,
    mean_p,
    not_worse_p,
    probability_positive,
    sign_flip_p,
    smallest_effect,
)
from petite.util.encoded_names import encoding_of, method_of
from petite.util.errors import PetiteError

BETTER, WORSE = "better", "worse"
NOT_DISTINGUISHABLE = "not distinguishable"
EQUIVALENT, NOT_WORSE, NOT_SHOWN = "equivalent", "not worse", "not shown"
TOO_FEW = "too few seeds"
TOO_FEW_IMAGES = "too few test images"
NOT_COMPARED = "not compared"

# The tests whose p is adjusted for all rows of the table.
ADJUSTED = ("p", "full_p", "full_loss_p", "full_new_images_p", "full_new_images_loss_p")
# Two one-sided tests at the 5% level pass if this interval is within the tolerance.
EQUIVALENCE_CONFIDENCE = 1 - 2 * ALPHA

VERDICT_COLUMNS = [
    "method",
    "fraction",
    "share",
    "images",
    "metric",
    *METRICS,
    "pairs",
    "look",
    "difference",
    "low",
    "high",
    "new_images_low",
    "new_images_high",
    "sd",
    "p_value",
    "p_adjusted",
    "least_p_adjusted",
    "p_better",
    "smallest_effect",
    "verdict",
    "full_pairs",
    "full_look",
    "full_difference",
    "full_low",
    "full_high",
    "full_new_images_low",
    "full_new_images_high",
    "full_sd",
    "full_p_value",
    "full_p_adjusted",
    "full_loss_p_value",
    "full_loss_p_adjusted",
    "test_images",
    "test_images_needed",
    "least_tolerance",
    "full_new_images_p_value",
    "full_new_images_p_adjusted",
    "full_new_images_loss_p_value",
    "full_new_images_loss_p_adjusted",
    "to_full",
    "multiplier",
    "multiplier_low",
    "multiplier_high",
    "multiplier_text",
]


def compare(
    runs: pd.DataFrame,
    tolerance: float,
    curves: Curves | None = None,
    predictions: Predictions | None = None,
    metric: str = ACCURACY,
    groups: np.ndarray | None = None,
    level: float = ALPHA,
) -> pd.DataFrame:
    """A row for each method and fraction of `runs` but the full set, in reading order.

    The table is empty if only the full set was trained. The columns are VERDICT_COLUMNS;
    differences, bounds, `sd`, `tolerance` and `smallest_effect` are shares (0 to 1) of the
    `metric`: accuracy or balanced_accuracy. `share` is the part of the training images that was
    kept (see `with_measures`).

    Against random at the same fraction and in the same encoding: `pairs` (runs that share seeds),
    the mean `difference` with its 95% interval over seeds (`low`, `high`) and over seeds and images
    (`new_images_*`, where `predictions` are given), the differences' `sd`, the sign-flip test's
    `p_value` and Holm's `p_adjusted`, `least_p_adjusted` (`p_adjusted` had the method won every
    time), the probability `p_better` that the true mean is above 0, the `smallest_effect` that the
    design can detect, and the `verdict`: better, worse, not distinguishable, too few seeds (no
    outcome could have passed), or not compared.

    Against the full set: `full_pairs`, `full_difference` with its 90% intervals (`full_low`,
    `full_high` over seeds, `full_new_images_*` over seeds and test images), the differences'
    `full_sd`, the p of two one-sided tests that it is within the tolerance (`full_p_*`), the p of
    the test that at most the tolerance is lost (`full_loss_p_*`), the same over seeds and
    `test_images` (`full_new_images_p_*`, `full_new_images_loss_p_*`), each Holm-adjusted
    separately, the fewest test images that can show the tolerance (`test_images_needed`), the
    `least_tolerance` that the existing ones can show, and `to_full`: equivalent (both tests pass,
    over seeds and, with predictions, over test images), not worse (only the second passes), too few
    test images (it passes over seeds, but not over test images), not shown, too few seeds, or not
    compared.

    `level` is that of the intervals: 5% for those of 95 and 90% above. `petite.evaluation.looks`
    tests several times and divides 5% among its looks; `look` and `full_look`, the number of the
    look at which each comparison was over, are NaN without looks.

    If the runs have a column `overlap` (see `list_luck`), all intervals and p-values include the
    luck of the method's list, `p_value` as the larger of the sign-flip test's and a t test's.

    `groups` numbers the groups of test images, (n,); what is said of new images is then said of new
    groups, and `test_images_needed` assumes groups of the same size.

    `multiplier*`: what one image is worth in random ones of the same encoding
    (`LearningCurve.multiplier`), by the `curves` that `random_curves` gives, cut at the measured
    sizes, where the text says "above" or "below". NaN and "" for an encoding without a curve, and
    for methods that see fewer images than they keep.

    Raises PetiteError if the tolerance is not between 0 and 1, or if the runs cannot be summarized
    together.
    """
    if not 0 < tolerance < 1:
        raise PetiteError(
            f"evidence.tolerance must be above 0 and below 1, got {tolerance:g}. "
            "Use 0.01 for one percentage point."
        )
    check_runs(runs)
    runs = with_measures(runs)
    weights = METRICS[metric].image_weights(predictions.labels()) if predictions else np.empty(0)
    of_full = predictions.right(FULL, 1.0) if predictions else pd.DataFrame()
    see_fewer = that_see_fewer(runs)
    rows = []
    for fraction, at_fraction in runs[runs["method"] != FULL].groupby("fraction"):
        size = float(str(fraction))
        near = runs[(runs["fraction"] == fraction) | (runs["method"] == FULL)]  # faster to search
        of_references: dict[str, pd.DataFrame] = {}
        for method, group in at_fraction.groupby("method"):
            name = str(method)
            images = round(group["images"].mean())
            row = {"method": name, "fraction": size, "images": images, "metric": metric}
            row |= {column: group[column].mean() for column in ("share", *METRICS)}
            luck = luck_of(group, metric)
            row |= _against_random(near, name, size, metric, luck, level)
            row |= _against_full(near, name, size, tolerance, metric, luck, level)
            if predictions:
                reference = reference_of(name)
                if reference not in of_references:
                    of_references[reference] = predictions.right(reference, size)
                of_random = of_references[reference]
                own = of_random if is_reference(name) else predictions.right(name, size)
                row |= _random_for_new_images(own, of_random, name, weights, luck, groups, level)
                row |= _full_for_new_images(own, of_full, weights, tolerance, luck, groups, level)
            curve = curves.get(encoding_of(name)) if curves and name not in see_fewer else None
            row |= _multiplier(near, name, size, images, curve, metric, luck)
            rows.append(row)
    if not rows:
        return pd.DataFrame(columns=VERDICT_COLUMNS)
    table = ordered(pd.DataFrame(rows)).reindex(columns=VERDICT_COLUMNS)
    for p in ADJUSTED:
        table[f"{p}_adjusted"] = holm(table[f"{p}_value"].to_numpy())
    table["least_p_adjusted"] = least_adjusted_p(table)
    if predictions and (tests := int(table["full_new_images_loss_p_value"].notna().sum())):
        table = table.assign(**what_images_can_show(weights, tolerance, tests, groups))
    return with_verdicts(table)


def with_verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the verdicts that follow from its adjusted p-values."""
    rows = [row for _, row in table.iterrows()]
    return table.assign(verdict=list(map(verdict_of, rows)), to_full=list(map(_to_full, rows)))


def _against_random(
    runs: pd.DataFrame, method: str, fraction: float, metric: str, luck: float, level: float
) -> dict[str, float]:
    differences = np.empty(0)
    if not is_reference(method):
        differences = paired_differences(runs, method, fraction, metric=metric)
    return about_differences(differences, luck, level)


def about_differences(differences: np.ndarray, luck: float, level: float) -> dict[str, float]:
    """What paired differences (n,) show: their mean, its interval over seeds, and the tests."""
    n = len(differences)
    low, high = np.clip(mean_interval(differences, 1 - level, luck), -1, 1)
    sd = differences.std(ddof=1) if n > 1 else math.nan
    return {
        "pairs": n,
        "difference": differences.mean() if n else math.nan,
        "low": low,
        "high": high,
        "sd": sd,
        "p_value": _different_p(differences, luck),
        "p_better": float(probability_positive(differences, luck)),
        "smallest_effect": smallest_effect(n, sd, luck),
    }


def _different_p(differences: np.ndarray, luck: float) -> float:
    """The p of the sign-flip test, and of a t test that includes the luck of the list if any.

    The sign-flip test takes all seeds for independent, so it cannot see that luck.
    """
    p = sign_flip_p(differences)
    return max(p, mean_p(differences, luck)) if luck > 0 and len(differences) > 1 else p


def _random_for_new_images(
    own: pd.DataFrame,
    of_random: pd.DataFrame,
    method: str,
    weights: np.ndarray,
    luck: float,
    groups: np.ndarray | None,
    level: float,
) -> dict[str, float]:
    """The interval of the difference from random over seeds and test images.

    own, of_random: what `Predictions.right` gives.
    """
    if is_reference(method):
        of_random = pd.DataFrame()
    new = new_images_of(own, of_random, weights, luck, groups)
    low, high = new.interval(1 - level)
    return {"new_images_low": float(low), "new_images_high": float(high)}


def _full_for_new_images(
    own: pd.DataFrame,
    of_full: pd.DataFrame,
    weights: np.ndarray,
    tolerance: float,
    luck: float,
    groups: np.ndarray | None,
    level: float,
) -> dict[str, float]:
    """The interval of the difference from the full set for new seeds and images, and its tests."""
    new = new_images_of(own, of_full, weights, luck, groups)
    low, high = new.interval(1 - 2 * level)
    # One group says nothing about others.
    is_one_group = new.differences.size > 0 and new.differences.shape[1] == 1
    return {
        "test_images": len(weights),
        "full_new_images_low": float(low),
        "full_new_images_high": float(high),
        "full_new_images_p_value": 1.0 if is_one_group else new.equivalence_p(tolerance),
        "full_new_images_loss_p_value": 1.0 if is_one_group else new.not_worse_p(tolerance),
    }


def new_images_of(
    own: pd.DataFrame,
    other: pd.DataFrame,
    weights: np.ndarray,
    luck: float,
    groups: np.ndarray | None,
) -> NewImages:
    """What the differences of two cases show about new images, or new groups of them."""
    differences = paired_predictions(own, other)
    if groups is not None and differences.size:
        differences, weights = of_groups(differences, weights, groups)
    return NewImages(differences, weights, luck=luck)


def what_images_can_show(
    weights: np.ndarray, tolerance: float, tests: float, groups: np.ndarray | None = None
) -> dict[str, float]:
    """The test images needed for the tolerance, and the tolerance that these can show.

    tests: the number of tests among which 5% are divided.
    """
    units = weights
    if groups is not None:
        _, units = of_groups(np.empty((0, len(weights))), weights, groups)
    heaviest = float(units.max()) * len(units)
    needed = images_to_show(tolerance, tests, heaviest) * len(weights) / len(units)
    return {
        "test_images_needed": math.ceil(needed),
        "least_tolerance": tolerance_to_show(len(units), tests, heaviest),
    }


def _against_full(
    runs: pd.DataFrame,
    method: str,
    fraction: float,
    tolerance: float,
    metric: str,
    luck: float,
    level: float,
) -> dict[str, float]:
    differences = paired_differences(runs, method, fraction, FULL, metric)
    low, high = np.clip(mean_interval(differences, 1 - 2 * level, luck), -1, 1)
    return {
        "full_pairs": len(differences),
        "full_difference": differences.mean() if len(differences) else math.nan,
        "full_low": low,
        "full_high": high,
        "full_sd": differences.std(ddof=1) if len(differences) > 1 else math.nan,
        "full_p_value": float(equivalence_p(differences, tolerance, luck)),
        "full_loss_p_value": float(not_worse_p(differences, tolerance, luck)),
    }


def _multiplier(
    runs: pd.DataFrame,
    method: str,
    fraction: float,
    images: float,
    curve: LearningCurve | None,
    metric: str,
    luck: float,
) -> dict[str, float | str]:
    # All images of an encoding are the end of its own curve.
    if curve is None or is_reference(method) or method_of(method) == FULL:
        nothing = dict.fromkeys(["multiplier", "multiplier_low", "multiplier_high"], math.nan)
        return {**nothing, "multiplier_text": ""}
    found: Estimate = curve.multiplier(measured(runs, method, fraction, metric), images, luck)
    return {
        "multiplier": found.point.value,
        "multiplier_low": found.low.value if found.low else math.nan,
        "multiplier_high": found.high.value if found.high else math.nan,
        "multiplier_text": found.text(".2f"),
    }


def least_adjusted_p(table: pd.DataFrame) -> np.ndarray:
    """The column least_p_adjusted; NaN for what is not compared with random."""
    p_values = table["p_value"].to_numpy()
    least = np.full(len(table), np.nan)
    for row in np.flatnonzero(~np.isnan(p_values)):
        best = p_values.copy()
        best[row] = least_p(int(table["pairs"].iloc[row]))
        least[row] = holm(best)[row]
    return least


def verdict_of(row: pd.Series) -> str:
    """The verdict on the differences of a row, from its adjusted p-values."""
    if not row["pairs"]:
        return NOT_COMPARED
    if row["p_adjusted"] <= ALPHA:
        return BETTER if row["difference"] > 0 else WORSE
    return TOO_FEW if row["least_p_adjusted"] > ALPHA else NOT_DISTINGUISHABLE


def _to_full(row: pd.Series) -> str:
    if not row["full_pairs"]:
        return NOT_COMPARED
    if row["full_pairs"] < ENOUGH_RUNS:
        return TOO_FEW
    if _passes(row, "full_p", "full_new_images_p"):
        return EQUIVALENT
    if _passes(row, "full_loss_p", "full_new_images_loss_p"):
        return NOT_WORSE
    return TOO_FEW_IMAGES if _passes(row, "full_loss_p") else NOT_SHOWN


def _passes(row: pd.Series, *tests: str) -> bool:
    """Whether all tests pass; those over test images do without predictions."""
    return not any(row[f"{test}_adjusted"] > ALPHA for test in tests)
