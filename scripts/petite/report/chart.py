"""The chart of the first screen: accuracy against the number of images kept, with its legend.

It is drawn twice, for wide and for narrow screens, so that its text is legible on both.
"""

import math
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.markers import MarkerStyle
from matplotlib.transforms import Affine2D

from petite.evaluation.metrics import compared_metric
from petite.evaluation.tables import at_look
from petite.plots import style
from petite.plots.accuracy import Series, accuracy_picture, accuracy_series
from petite.plots.bytes import bytes_picture
from petite.report import drawing
from petite.report.inputs import Inputs
from petite.util.formatting import (
    MINUS,
    bracketed,
    byte_size,
    in_percent,
    number,
    signed,
    signed_bracketed,
)

WIDTHS = {"wide": 7.0, "narrow": 3.0}  # inches
LEGEND_SIZE = 9  # units across a marker of the legend


def accuracy_charts(inputs: Inputs, tolerance: float | None, prefix: str = "") -> list[Markup]:
    """The chart for wide and for narrow screens.

    Parameters
    ----------
    inputs : Inputs
    tolerance : float or None
        Differences from the full set's accuracy up to this fraction are tinted.
    prefix : str
        Of the chart's name, for a second chart on the page.
    """
    series = accuracy_series(inputs.runs, inputs.summary)
    metric = compared_metric(inputs.summary).words.capitalize()
    words = {part: texts for each in series for part, texts in hover_words(each).items()}
    return [
        drawing.embedded(
            accuracy_picture(inputs.runs, inputs.summary, width, tolerance),
            f"{prefix}-{name}" if prefix else name,
            f"{metric} on the test images, in percent. {described(series)}",
            classes=name,
            words=words,
        )
        for name, width in WIDTHS.items()
    ]


def bytes_charts(inputs: Inputs, prefix: str = "bytes") -> list[Markup]:
    """Accuracy by bytes for wide and for narrow screens; none if the judge took no encoded ones."""
    if "bytes" not in inputs.summary or inputs.summary["bytes"].isna().all():
        return []
    series = accuracy_series(inputs.runs, inputs.summary)
    metric = compared_metric(inputs.summary).words.capitalize()
    points = "; ".join(
        f"{style.condition(row.method, row.fraction)}, {byte_size(row.bytes)}: {_score(row)}"  # type: ignore[arg-type]
        for each in series
        for row in each.points.itertuples()
    )
    return [
        drawing.embedded(
            bytes_picture(inputs.runs, inputs.summary, width),
            f"{prefix}-{name}",
            f"{metric} on the test images, in percent, by the bytes of the training images. "
            f"{points}",
            classes=name,
        )
        for name, width in WIDTHS.items()
    ]


def hover_words(series: Series) -> dict[str, list[str]]:
    """The tooltips of each mark, interval and run of a method."""
    method, points, runs = series
    marks = [_mark(row) for row in points.itertuples()]
    seeds = [
        f"{method}, seed {seed}: {in_percent(score)}%"
        for seed, score in zip(runs["training_seed"], runs["score"], strict=True)
    ]
    return {f"marks-{method}": marks, f"bars-{method}": marks, f"seeds-{method}": seeds}


def _mark(row: Any) -> str:
    name = style.condition(row.method, row.fraction)
    words = f"{name}, {number(row.images)} images: {_score(row)}"
    if not math.isnan(row.difference_mean):
        words += (
            f"; against random {signed(row.difference_mean, MINUS)} points "
            f"{signed_bracketed(row.difference_low, row.difference_high, MINUS)}"
        )
        if not math.isnan(row.look):
            words += f", look {at_look(row.pairs, row.look)}"
    return words.strip()


def described(series: list[Series]) -> str:
    """The chart in words, for screen readers."""
    return "; ".join(
        f"{style.condition(row.method, row.fraction)}: {_score(row)}"  # type: ignore[arg-type]
        for each in series
        for row in each.points.itertuples()
    )


def _score(row: Any) -> str:
    return f"{in_percent(row.score_mean)}% {bracketed(row.score_low, row.score_high)}".strip()


def legend(summary: pd.DataFrame) -> list[dict[str, str]]:
    """Each method with its marker, random first."""
    methods = dict.fromkeys(summary.loc[summary["method"] != "full", "method"])
    return [{"method": method, "marker": marker(method)} for method in methods]


def marker(method: str) -> str:
    """The corners of a method's marker, as the points of an SVG polygon around 0."""
    shape = MarkerStyle(style.method_marker(method))
    scaled = shape.get_transform() + Affine2D().scale(LEGEND_SIZE, -LEGEND_SIZE)
    corners = np.asarray(shape.get_path().transformed(scaled).to_polygons()[0])
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners.tolist())
