"""The picture of the first screen: accuracy against the images kept, as numbers for an SVG.

It is drawn twice, for wide and for narrow screens, so that its text is legible on both. The
template has the elements; colours come from CSS, so that it follows the reader's light or dark.
"""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from petite.evaluation import percent
from petite.evaluation.metrics import with_scores
from petite.plots import style
from petite.report.inputs import Inputs
from petite.report.words import accuracy, interval, number, points

LEAST_SPAN = 0.04  # of accuracy: a narrower axis would make noise look like an effect
# Paths of the markers in a circle of radius 1, by matplotlib's letters.
MARKERS = {
    "o": "M-1,0a1,1 0 1,0 2,0a1,1 0 1,0 -2,0z",
    "s": "M-.9,-.9h1.8v1.8h-1.8z",
    "^": "M0,-1.1L1,.8H-1z",
    "v": "M0,1.1L1,-.8H-1z",
    "D": "M0,-1.2L1.2,0L0,1.2L-1.2,0z",
    "P": "M-.4,-1.1h.8v.7h.7v.8h-.7v.7h-.8v-.7h-.7v-.8h.7z",
    "X": "M-1,-.5L-.5,-1L0,-.5L.5,-1L1,-.5L.5,0L1,.5L.5,1L0,.5L-.5,1L-1,.5L-.5,0z",
}
WIDE, NARROW = (840, 430), (360, 390)
LABEL = 56  # of the full set, at the right


class Frame:
    """From data to places in the picture: images on a log axis, accuracy on a plain one."""

    def __init__(self, summary: pd.DataFrame, runs: pd.DataFrame, size: tuple[int, int]) -> None:
        summary, runs = with_scores(summary, runs)
        self.width, self.height = size
        self.left, self.right = 40, size[0] - LABEL
        self.top, self.bottom = 24, size[1] - 60
        fractions = summary["fraction"]
        span = math.log(fractions.max() / fractions.min()) or 1.0
        self._x0 = math.log(fractions.min()) - 0.09 * span
        self._x1 = math.log(fractions.max()) + 0.05 * span
        low, high = float(runs["score"].min()), float(runs["score"].max())
        shown = pd.concat([runs["score"], summary["score_low"], summary["score_high"]])
        # Intervals of two or three seeds may reach far beyond all seeds and would flatten the rest.
        reach = max(high - low, LEAST_SPAN)
        self.cut = bool(shown.min() < low - reach or shown.max() > high + reach)
        low, high = max(float(shown.min()), low - reach), min(float(shown.max()), high + reach)
        missing = max(0.0, LEAST_SPAN - (high - low)) / 2
        margin = 0.05 * max(high - low, LEAST_SPAN)
        self.low, self.high = low - missing - margin, min(high + missing + margin, 1.01)

    def x(self, fraction: float) -> float:
        share = (math.log(fraction) - self._x0) / (self._x1 - self._x0)
        return round(self.left + share * (self.right - self.left), 1)

    def y(self, value: float) -> float:
        """The height of an accuracy; what lies outside is drawn at the edge."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.bottom - share * (self.bottom - self.top), 1)


def accuracy_charts(inputs: Inputs, tolerance: float | None) -> list[dict[str, Any]]:
    """The picture for wide and for narrow screens."""
    return [
        accuracy_chart(inputs.summary, inputs.runs, size, name, tolerance)
        for name, size in (("wide", WIDE), ("narrow", NARROW))
    ]


def accuracy_chart(
    summary: pd.DataFrame,
    runs: pd.DataFrame,
    size: tuple[int, int],
    name: str,
    tolerance: float | None = None,
) -> dict[str, Any]:
    """Places of axes, lines, bands and dots.

    tolerance: how far from the full set's accuracy is as good, a share; None: not drawn.
    """
    frame = Frame(summary, runs, size)
    summary, runs = with_scores(summary, runs)
    cut = summary[summary["method"] != "full"]
    methods = list(dict.fromkeys(cut["method"]))
    # Those at the left of the smallest size stay within the axes, however many.
    room = frame.x(summary["fraction"].min()) - frame.left
    gap = _least_gap(frame, cut["fraction"])
    step = min(9.0, 0.5 * gap / max(len(methods), 1), room / max(len(methods) // 2, 1))
    series = [
        _series(frame, cut[cut["method"] == method], runs, step * _beside(place))
        for place, method in enumerate(methods)
    ]
    return {
        "name": name,
        "frame": frame,
        "x_ticks": _x_ticks(frame, summary),
        "y_ticks": _y_ticks(frame),
        "full": _full(frame, summary, runs, tolerance),
        "series": series,
    }


def legend(summary: pd.DataFrame) -> list[dict[str, str]]:
    """Each method with its marker, random first."""
    methods = dict.fromkeys(summary.loc[summary["method"] != "full", "method"])
    return [{"method": method, "marker": marker(method)} for method in methods]


def marker(method: str) -> str:
    """The path of a method's marker."""
    return MARKERS[style.method_marker(method)]


def described(summary: pd.DataFrame, runs: pd.DataFrame) -> str:
    """The picture in words, for those who cannot see it."""
    summary, _ = with_scores(summary, runs)
    return "; ".join(
        f"{style.condition(row.method, row.fraction)}: {accuracy(row.score_mean)}% "  # type: ignore[arg-type]
        f"{interval(row.score_low, row.score_high)}".strip()  # type: ignore[arg-type]
        for row in summary.itertuples()
    )


def _beside(place: int) -> int:
    """Random stands at its true place, the others at its right and left in turn."""
    return (place + 1) // 2 * (1 if place % 2 else -1)


def _least_gap(frame: Frame, fractions: pd.Series) -> float:
    places = np.array([frame.x(fraction) for fraction in np.sort(fractions.unique())])
    return float(np.diff(places).min(initial=0.5 * (frame.right - frame.left)))


def _series(frame: Frame, rows: pd.DataFrame, runs: pd.DataFrame, beside: float) -> dict[str, Any]:
    rows = rows.sort_values("fraction")
    method = str(rows["method"].iloc[0])
    marks, dots = [], []
    for row in rows.itertuples():
        x = round(frame.x(row.fraction) + beside, 1)  # type: ignore[arg-type]
        marks.append(_mark(frame, row, x))
        values = runs[(runs["method"] == method) & (runs["fraction"] == row.fraction)]
        places = np.linspace(-4, 4, len(values) + 2)[1:-1]
        dots += [
            {"x": round(x + place, 1), "y": frame.y(value), "seed": seed, "value": accuracy(value)}
            for place, value, seed in zip(
                places.tolist(),
                values["score"].tolist(),
                values["training_seed"].tolist(),
                strict=True,
            )
        ]
    banded = rows.dropna(subset=["score_low"]) if method == "random" else rows.iloc[:0]
    upper = [(frame.x(f), frame.y(h)) for f, h in banded[["fraction", "score_high"]].to_numpy()]
    lower = [(frame.x(f), frame.y(w)) for f, w in banded[["fraction", "score_low"]].to_numpy()]
    return {
        "method": method,
        "marker": marker(method),
        "marks": marks,
        "line": _points([(mark["x"], mark["y"]) for mark in marks]) if len(marks) > 1 else "",
        "band": _points(upper + lower[::-1]) if len(banded) > 1 else "",
        "dots": dots,
    }


def _mark(frame: Frame, row: Any, x: float) -> dict[str, Any]:
    bounded = not math.isnan(row.score_low)
    words = (
        f"{style.condition(row.method, row.fraction)}, {number(row.images)} images: "
        f"{accuracy(row.score_mean)}% {interval(row.score_low, row.score_high)}".strip()
    )
    if not math.isnan(row.difference_mean):
        words += (
            f"; against random {points(row.difference_mean)} points "
            f"{interval(row.difference_low, row.difference_high, signed=True)}"
        )
    return {
        "x": x,
        "y": frame.y(row.score_mean),
        "low": frame.y(row.score_low) if bounded else None,
        "high": frame.y(row.score_high) if bounded else None,
        "words": words,
    }


def _full(
    frame: Frame, summary: pd.DataFrame, runs: pd.DataFrame, tolerance: float | None
) -> dict[str, Any] | None:
    """The full set: its mark at the right, its line across, and what is as good as it."""
    rows = summary[summary["method"] == "full"]
    if rows.empty:
        return None
    mean = float(rows["score_mean"].iloc[0])
    tolerated = None
    if tolerance:
        high = frame.y(mean + tolerance)
        tolerated = {"y": high, "height": round(frame.y(mean - tolerance) - high, 1)}
    return {
        "series": _series(frame, rows, runs, 0.0),
        "y": frame.y(mean),
        "accuracy": f"{accuracy(mean)}%",
        "tolerated": tolerated,
    }


def _x_ticks(frame: Frame, summary: pd.DataFrame) -> list[dict[str, Any]]:
    """The fractions that were trained; those that would run into their neighbour stay unnamed."""
    images = summary.groupby("fraction")["images"].max().sort_index(ascending=False)
    ticks: list[dict[str, Any]] = []
    last = math.inf
    for fraction, count in images.items():
        x = frame.x(float(str(fraction)))
        named = last - x > 44
        last = x if named else last
        ticks.append(
            {
                "x": x,
                "share": percent(float(str(fraction))) if named else "",
                "images": number(count) if named else "",
            }
        )
    return ticks


def _y_ticks(frame: Frame) -> list[dict[str, Any]]:
    locator = MaxNLocator(6, steps=[1, 2, 5, 10])
    values = np.asarray(locator.tick_values(100 * frame.low, 100 * frame.high))
    return [
        {"y": frame.y(value / 100), "text": f"{value:g}"}
        for value in values.tolist()
        if 100 * frame.low <= value <= min(100 * frame.high, 100)
    ]


def _points(places: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in places)
