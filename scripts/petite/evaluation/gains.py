"""What new images gain, next to those kept: in order and at random, by one judge.

Runs with the same seed are paired, and all are evaluated on the same test images. The tests are
those of `verdicts`; a gain also needs an interval over seeds and test images that excludes 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from petite.evaluation.groups import group_numbers, of_groups
from petite.evaluation.list_luck import luck_of
from petite.evaluation.metrics import METRICS, metric_for, test_counts, with_measures
from petite.evaluation.new_images import bounding_draws
from petite.evaluation.runs import Predictions, collect, measured
from petite.evaluation.statistics import ALPHA, CONFIDENCE, holm, mean_interval
from petite.evaluation.verdicts import (
    BETTER,
    NOT_COMPARED,
    NOT_DISTINGUISHABLE,
    TOO_FEW,
    TOO_FEW_IMAGES,
    WORSE,
    about_differences,
    least_adjusted_p,
    new_images_of,
    verdict_of,
)
from petite.subsets.growing import ALL, KEPT, ORDER, RANDOM
from petite.training.judges import words_of
from petite.util.errors import PetiteError
from petite.util.formatting import bracketed, in_percent, number, signed, signed_bracketed

PREDICTIONS = ".predictions.npz"
COLUMNS = [
    "judge", "case", "against", "size", "images", "added", "metric", "kept_value", "kept_low",
    "kept_high", "value", "pairs", "difference", "low", "high", "new_images_low",
    "new_images_high", "sd", "p_value", "p_adjusted", "least_p_adjusted", "verdict",
]  # fmt: skip
IN_WORDS = {
    BETTER: "a gain",
    WORSE: "a loss",
    NOT_DISTINGUISHABLE: "not distinguishable from none",
    TOO_FEW: "too few seeds to tell",
    TOO_FEW_IMAGES: "too few test images to tell",
    NOT_COMPARED: "not compared",
}


def gains(
    paths: Sequence[Path], metric_setting: str, groups: pd.Series | None = None
) -> pd.DataFrame:
    """Compare each case of one judge with the kept images, and the order with random ones.

    Parameters
    ----------
    paths : sequence of Path
        The CSV files of its runs; the predictions are next to each.
    metric_setting : str
        The setting evidence.metric.
    groups : Series of str, optional
        The group of each test image by its id.

    Returns
    -------
    DataFrame
        A row for each case and what it is compared with (`against`: "kept" or "random"), with
        COLUMNS. `images` and `added` are of the case; `kept_low` and `kept_high` bound the metric
        of the kept images, over seeds and test images. Differences and bounds are shares of the
        metric: `low` and `high` over seeds, `new_images_*` over seeds and test images. p-values are
        adjusted by Holm for all rows with the same `against`. The verdict is better, worse, not
        distinguishable, too few seeds, or too few test images: the test passes over seeds, but the
        interval over seeds and test images includes 0.

    Raises
    ------
    PetiteError
        If files are missing, or runs cannot be compared.
    """
    runs, _ = collect(paths, [])
    runs = with_measures(runs)
    if not (runs["method"] == KEPT).any():
        raise PetiteError("There are no runs with the kept images alone. Delete the runs and rerun")
    predictions = Predictions(path.with_suffix(PREDICTIONS) for path in paths)
    metric = metric_for(test_counts(runs), metric_setting)
    weights = METRICS[metric].image_weights(predictions.labels())
    numbers = None if groups is None else group_numbers(groups, predictions.image_ids())
    judged = _Judged(runs, predictions, metric, weights, numbers)
    cases = runs.loc[runs["method"] != KEPT, ["fraction", "method"]].drop_duplicates()
    some = [
        (str(case), float(size))
        for size, case in cases.sort_values(["fraction", "method"]).to_numpy()
    ]
    of_kept = [judged.row(case, (KEPT, 0.0)) for case in some]
    of_random = [
        judged.row(case, (RANDOM, case[1]))
        for case in some
        if case[0] == ORDER and (RANDOM, case[1]) in some
    ]
    tables = [_with_verdicts(pd.DataFrame(rows)) for rows in (of_kept, of_random) if rows]
    about_kept = judged.about_kept()
    return pd.concat(tables, ignore_index=True).assign(**about_kept)[COLUMNS]


@dataclass(frozen=True)
class _Judged:
    """The runs of a judge, and how they are compared."""

    runs: pd.DataFrame
    predictions: Predictions
    metric: str
    weights: np.ndarray
    groups: np.ndarray | None

    def about_kept(self) -> dict[str, str | float]:
        """The metric with the kept images alone."""
        alone = self._measured((KEPT, 0.0)).to_numpy(dtype=np.float64)
        right = self.predictions.right(KEPT, 0.0)
        luck = luck_of(self._of((KEPT, 0.0)), self.metric)
        low, high = bounds_of(right, alone, luck, self.weights, self.groups)
        return {
            "metric": self.metric,
            "kept_value": float(alone.mean()),
            "kept_low": low,
            "kept_high": high,
        }

    def row(self, case: tuple[str, float], against: tuple[str, float]) -> dict[str, object]:
        """Compare two cases, each a name and a share of the new images."""
        own = self._of(case)
        differences = (self._measured(case) - self._measured(against)).dropna()
        luck = luck_of(own, self.metric)
        own_right, other_right = (self.predictions.right(*each) for each in (case, against))
        new = new_images_of(own_right, other_right, self.weights, luck, self.groups)
        low, high = new.interval()
        images = round(own["images"].mean())
        return {
            "judge": own["judge"].iloc[0],
            "case": case[0],
            "against": against[0],
            "size": case[1],
            "images": images,
            "added": images - round(self._of((KEPT, 0.0))["images"].mean()),
            "value": own[self.metric].mean(),
            **about_differences(differences.to_numpy(dtype=np.float64), luck, ALPHA),
            "new_images_low": float(low),
            "new_images_high": float(high),
        }

    def _of(self, case: tuple[str, float]) -> pd.DataFrame:
        is_case = (self.runs["method"] == case[0]) & (self.runs["fraction"] == case[1])
        return self.runs[is_case]

    def _measured(self, case: tuple[str, float]) -> pd.Series:
        return measured(self.runs, *case, self.metric)


def bounds_of(
    right: pd.DataFrame,
    values: np.ndarray,
    luck: float,
    weights: np.ndarray,
    groups: np.ndarray | None,
) -> tuple[float, float]:
    """Bounds of a metric over seeds, by Student's t, and over test images.

    On each side, the squares of the distances of both bounds from the mean add up, as variances do
    (MOVER: Zou and Donner, Statistics in Medicine 27, 2008).
    """
    of_images = right.to_numpy(np.float64).mean(axis=0, keepdims=True)
    if groups is not None:
        of_images, weights = of_groups(of_images, weights, groups)
    scale = weights * len(weights)
    least = np.quantile(bounding_draws(of_images[0] * scale, 0.0), (1 - CONFIDENCE) / 2)
    most = np.quantile(bounding_draws(of_images[0] * scale, scale.max()), (1 + CONFIDENCE) / 2)
    mean = float(values.mean())
    # NaN for one seed.
    of_seeds = np.nan_to_num(mean_interval(values, luck=luck).high - mean)
    low = mean - np.hypot(mean - least, of_seeds)
    high = mean + np.hypot(most - mean, of_seeds)
    return max(0.0, float(low)), min(1.0, float(high))


def _with_verdicts(table: pd.DataFrame) -> pd.DataFrame:
    table["p_adjusted"] = holm(table["p_value"].to_numpy())
    table["least_p_adjusted"] = least_adjusted_p(table)
    table["verdict"] = [_verdict(row) for _, row in table.iterrows()]
    return table


def _verdict(row: pd.Series) -> str:
    found = verdict_of(row)
    is_clear = row["new_images_low"] > 0 or row["new_images_high"] < 0
    return TOO_FEW_IMAGES if found in (BETTER, WORSE) and not is_clear else found


def answer(gained: pd.DataFrame, new_images: int) -> list[str]:
    """Say in words what the new images gain by one judge.

    Parameters
    ----------
    gained : DataFrame
        As `gains` gives it, of one judge.
    new_images : int
        How many can be added.

    Returns
    -------
    list of str
        A heading with the accuracy of the kept images, and a line for each size.
    """
    first = gained.iloc[0]
    metric = METRICS[first["metric"]].words
    lines = [
        f"{words_of(first['judge'])}, the kept images alone reach "
        f"{in_percent(first['kept_value'])}% {metric} "
        f"{bracketed(first['kept_low'], first['kept_high'])}."
    ]
    rows: list[dict[str, Any]] = list(gained.to_dict("records"))  # type: ignore[arg-type]
    for size in sorted({row["size"] for row in rows}):
        found = {(row["case"], row["against"]): row for row in rows if row["size"] == size}
        ordered = found.get((ORDER, KEPT))
        main = ordered or found[ALL, KEPT]
        text = (
            f"Adding {'the first ' if ordered else ''}{number(main['added'])} of "
            f"{number(new_images)} new images: {_in_words(main)}"
        )
        if at_random := found.get((RANDOM, KEPT)):
            text += f"; {number(at_random['added'])} at random: {_in_words(at_random)}"
        if against := found.get((ORDER, RANDOM)):
            verdict = against["verdict"]
            text += f"; the order against random: {_numbers(against)}"
            text += f", {verdict}" if verdict in (BETTER, WORSE) else ""
        lines.append(f"{text}.")
    return lines


def _numbers(row: dict[str, Any]) -> str:
    bounds = signed_bracketed(row["new_images_low"], row["new_images_high"])
    return f"{signed(row['difference'])} points {bounds or '(no interval: one seed)'}"


def _in_words(row: dict[str, Any]) -> str:
    return f"{_numbers(row)}, {IN_WORDS[row['verdict']]}"
