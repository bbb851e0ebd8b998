"""The table: a row for each method and fraction, with small drawings of the intervals."""

import math
from typing import Any, TypedDict

import numpy as np
import pandas as pd

from petite.evaluation.metrics import ACCURACY, METRICS, Metric
from petite.evaluation.runs import SEEN, is_reference
from petite.evaluation.shares import kept
from petite.evaluation.tables import about_files, at_look, has_looks, other_shares
from petite.report.inputs import Case, Inputs
from petite.util.formatting import (
    MINUS,
    bracketed,
    byte_size,
    in_percent,
    measured_time,
    number,
    percent,
    rounded_percent,
    signed,
    signed_bracketed,
)

# The metrics beside accuracy, which has a column with drawings.
MEASURES = [metric for metric in METRICS.values() if metric.name != ACCURACY]
WIDTH, HEIGHT, EDGE = 140, 18, 5
# Intervals of two or three seeds can be so wide that all others would shrink to dots.
WIDEST = 0.95  # the scale of the differences ends at this quantile of the bounds


class Picture(TypedDict):
    """Places of a mean and its interval; `cut_low` and `cut_high` if it goes beyond the scale."""

    x: float
    low: float | None
    high: float | None
    cut_low: bool
    cut_high: bool


class Row(TypedDict):
    """A row of the table; `keys` are the values that each column is sorted by, in its order."""

    case: str
    method: str
    share: str
    kept: str
    images: str
    files: str
    runs: str
    accuracy: str
    accuracy_bounds: str
    accuracy_picture: Picture | None
    measures: list[str]
    worst: str
    difference: str
    difference_bounds: str
    difference_picture: Picture | None
    verdict: str
    look: str
    to_full: str
    full_look: str
    select: str
    train: str
    keys: dict[str, float | str]


class Bounds(TypedDict):
    """The ends of a scale in words."""

    low: str
    high: str


class Table(TypedDict):
    """The rows, the scales of the two columns with drawings, and the choices of the filters."""

    rows: list[Row]
    has_bytes: bool
    about_files: str
    measures: list[Metric]
    zero: float
    across: Bounds
    beside: Bounds
    width: int
    height: int
    verdicts: list[str]
    other_shares: str
    has_looks: bool
    fractions: list[str]


class Scale:
    """From a value to a place in a cell's drawing; values beyond the scale go to its edge."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def __call__(self, value: float) -> float:
        # All rows may be equal, as with a tiny test set.
        width = self.high - self.low
        share = min(max((value - self.low) / width, 0.0), 1.0) if width else 0.5
        return round(EDGE + share * (WIDTH - 2 * EDGE), 1)

    def picture(self, mean: float, low: float, high: float) -> Picture | None:
        """The drawing of a mean and its interval; None if the mean is NaN."""
        if math.isnan(mean):
            return None
        bounded = not math.isnan(low)
        return {
            "x": self(mean),
            "low": self(low) if bounded else None,
            "high": self(high) if bounded else None,
            "cut_low": bounded and low < self.low,
            "cut_high": bounded and high > self.high,
        }


def table(inputs: Inputs) -> Table:
    """The section's values."""
    summary = inputs.summary
    across = _accuracy_scale(summary)
    beside = _difference_scale(summary)
    verdicts = _verdicts(inputs.verdicts)
    rows = [
        _row(row, verdicts.get(Case(str(row.method), float(row.fraction)), {}), across, beside)  # type: ignore[arg-type]
        for row in summary.itertuples()
    ]
    return {
        "rows": rows,
        "has_bytes": "bytes" in summary and bool(summary["bytes"].notna().any()),
        "about_files": " ".join(about_files(summary)),
        "measures": MEASURES,
        "zero": beside(0.0),
        "across": {"low": in_percent(across.low), "high": in_percent(across.high)},
        "beside": {"low": signed(beside.low, MINUS), "high": signed(beside.high, MINUS)},
        "width": WIDTH,
        "height": HEIGHT,
        "verdicts": list(dict.fromkeys(row["verdict"] for row in rows if row["verdict"])),
        "other_shares": other_shares(summary),
        "has_looks": has_looks(summary),
        "fractions": [percent(f) for f in dict.fromkeys(summary["fraction"].tolist())],
    }


def _row(row: Any, words: dict[str, str], across: Scale, beside: Scale) -> Row:
    case = Case(row.method, row.fraction)
    verdict = "" if is_reference(row.method) else words.get("verdict", "")
    # Only if images are encoded; NaN for what was never encoded.
    in_bytes = {"bytes": _or_nothing(row.bytes)} if hasattr(row, "bytes") else {}
    measures = {metric.name: getattr(row, f"{metric.name}_mean") for metric in MEASURES}
    return {
        "case": case.key,
        "method": row.method,
        "share": percent(row.fraction),
        "kept": kept(row.fraction, row.share) + _seen(row),
        "images": number(row.images),
        "files": byte_size(row.bytes) if in_bytes else "",
        "runs": number(row.runs),
        "accuracy": in_percent(row.accuracy_mean),
        "accuracy_bounds": bracketed(row.accuracy_low, row.accuracy_high),
        "accuracy_picture": across.picture(row.accuracy_mean, row.accuracy_low, row.accuracy_high),
        "measures": [in_percent(value) for value in measures.values()],
        "worst": in_percent(row.worst_class_accuracy_mean),
        "difference": signed(row.difference_mean, MINUS),
        "difference_bounds": signed_bracketed(row.difference_low, row.difference_high, MINUS),
        "difference_picture": beside.picture(
            row.difference_mean, row.difference_low, row.difference_high
        ),
        "verdict": verdict,
        "look": words.get("look", ""),
        "to_full": words.get("to_full", ""),
        "full_look": words.get("full_look", ""),
        "select": measured_time(row.select_seconds_mean),
        "train": measured_time(row.train_seconds_mean),
        "keys": {
            "method": row.method,
            "share": row.fraction,
            "images": row.images,
            **in_bytes,
            "runs": row.runs,
            "accuracy": row.accuracy_mean,
            **{name: _or_nothing(value) for name, value in measures.items()},
            "worst": _or_nothing(row.worst_class_accuracy_mean),
            "difference": _or_nothing(row.difference_mean),
            "verdict": verdict,
            "full": words.get("to_full", ""),
            "select": _or_nothing(row.select_seconds_mean),
            "train": _or_nothing(row.train_seconds_mean),
        },
    }


def _seen(row: Any) -> str:
    """Which share of the examples a training sees, if it sees fewer than it keeps."""
    share = getattr(row, SEEN, 1.0)
    return "" if share == 1 else f", sees {rounded_percent(share)}"


def _or_nothing(value: float) -> float | str:
    return "" if math.isnan(value) else value


def _verdicts(verdicts: pd.DataFrame) -> dict[Case, dict[str, str]]:
    """The verdicts of each case by column; verdicts.csv has no row for the full set."""
    found = {}
    for _, row in verdicts.iterrows():
        words = {name: str(row.get(name, "")) for name in ("verdict", "to_full")}
        for look, seeds in (("look", "pairs"), ("full_look", "full_pairs")):
            if not math.isnan(row[look]):
                words[look] = f"look {at_look(row[seeds], row[look])}"
        found[Case(str(row["method"]), float(row["fraction"]))] = words
    return found


def _accuracy_scale(summary: pd.DataFrame) -> Scale:
    shown = pd.concat([summary["accuracy_mean"], summary["accuracy_low"], summary["accuracy_high"]])
    low, high = float(shown.quantile(1 - WIDEST)), float(shown.max())
    low = min(low, float(summary["accuracy_mean"].min()))
    return Scale(math.floor(100 * low) / 100, math.ceil(100 * high) / 100 or 1.0)


def _difference_scale(summary: pd.DataFrame) -> Scale:
    """Symmetric, so that 0 is in the middle of the column."""
    bounds = summary[["difference_low", "difference_high"]].abs().to_numpy().ravel()
    bounds = bounds[~np.isnan(bounds)]
    means = summary["difference_mean"].abs().dropna()
    reach = max(np.quantile(bounds, WIDEST) if len(bounds) else 0.0, *means, 0.01)
    reach = math.ceil(100 * reach) / 100
    return Scale(-reach, reach)
