"""Accuracy against the bytes of the training images, if they are encoded."""

from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from petite.evaluation.metrics import compared_metric, with_scores
from petite.evaluation.runs import FULL
from petite.evaluation.statistics import ENOUGH_RUNS
from petite.evaluation.tables import about_files
from petite.plots import style
from petite.util.encoded_names import ORIGINAL, encoding_in_words, method_of
from petite.util.formatting import byte_size, percent

Place = Literal["outside right center", "outside lower center"]
LONGEST_NAME = 24  # letters
LEAST_SPAN = 4.0  # points of accuracy; a narrower axis would make noise look like an effect
PICTURE_HEIGHT = 3.8  # inches
LEGEND_COLUMNS = 0.6  # for each inch of width
# Inches that the label of a point takes, with some room.
LABEL_WIDTH, LABEL_HEIGHT = 0.6, 0.25
NOTE = (
    "Bars: 95% confidence intervals of the mean over runs. The line joins the points that no point "
    "of fewer bytes exceeds. Such a front is partly luck: the verdicts say what is shown."
)


def front(points: pd.DataFrame) -> pd.DataFrame:
    """The points that no point of as many bytes or fewer exceeds, from the fewest bytes on.

    Parameters
    ----------
    points : DataFrame
        With bytes and score_mean.

    Returns
    -------
    DataFrame
        Some of the rows.
    """
    rows = points.sort_values(["bytes", "score_mean"], ascending=[True, False], kind="stable")
    best = rows["score_mean"].cummax().shift(fill_value=-np.inf)
    return rows[rows["score_mean"] > best]


@style.styled
def accuracy_by_bytes(runs: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """The metric on the test images against the bytes of the training images (log axis).

    Parameters
    ----------
    runs, summary : DataFrame
        The tables runs.csv and summary.csv, with the columns encoding and bytes.
    """
    figure = Figure(figsize=(style.WIDTH, 4.4), layout="constrained")
    _draw(figure, runs, summary)
    _legend(figure, summary, "outside right center", columns=1)
    metric = compared_metric(summary).words
    dataset = style.shortened(str(runs["dataset"].iloc[0]), LONGEST_NAME)
    few = (summary["runs"] < ENOUGH_RUNS).any()
    note = " ".join([NOTE, *about_files(summary)])
    note += f" Some points have fewer than {ENOUGH_RUNS} runs." if few else ""
    style.title(figure, f"{metric.capitalize()} on {dataset} by bytes of training images", note)
    return figure


@style.styled
def bytes_picture(runs: pd.DataFrame, summary: pd.DataFrame, width: float) -> Figure:
    """The drawing of `accuracy_by_bytes` without title and note."""
    figure = Figure(figsize=(width, PICTURE_HEIGHT), layout="constrained")
    _draw(figure, runs, summary)
    columns = max(2, int(LEGEND_COLUMNS * width))
    _legend(figure, summary, "outside lower center", columns)
    return figure


def _draw(figure: Figure, runs: pd.DataFrame, summary: pd.DataFrame) -> None:
    axes = figure.add_subplot()
    points, _ = with_scores(summary, runs)
    points = points[points["bytes"].notna()]
    mean, low, high = (100 * points[f"score_{end}"] for end in ("mean", "low", "high"))
    low, high = low.fillna(mean), high.fillna(mean)
    colors = _colors(points)
    for encoding, rows in points.groupby("encoding", sort=False):
        here = rows.index
        axes.vlines(
            rows["bytes"], low[here], high[here], color=colors[str(encoding)], lw=1.2, zorder=3
        )
        for method, own in rows.groupby(rows["method"].map(method_of)):
            axes.scatter(
                own["bytes"],
                mean[own.index],
                s=80 if method == FULL else 34,
                color=colors[str(encoding)],
                marker=style.method_marker(str(method)),
                edgecolors="white",
                linewidths=0.6,
                zorder=4,
            )
    best = front(points)
    axes.plot(best["bytes"], 100 * best["score_mean"], color=style.INK, lw=1, zorder=2)
    _set_axes(axes, points, mean, low, high)
    _name_fractions(axes, best)


def _name_fractions(axes: Axes, best: pd.DataFrame) -> None:
    """The fractions of the front, above and to the left of it, where no other point can be.

    One that would be drawn over the label before it is left out.
    """
    assert isinstance(axes.figure, Figure)
    to_inches = axes.transScale + axes.transLimits
    last = np.array([-np.inf, -np.inf])
    for _, row in best.iterrows():
        point = (row["bytes"], 100 * row["score_mean"])
        place = to_inches.transform(point) * axes.figure.get_size_inches()
        across, up = place - last
        if across < LABEL_WIDTH and up < LABEL_HEIGHT:
            continue
        last = place
        axes.annotate(
            percent(row["fraction"]),
            point,
            xytext=(-4, 3),
            textcoords="offset points",
            ha="right",
            color=style.QUIET,
        )


def _set_axes(
    axes: Axes, points: pd.DataFrame, mean: pd.Series, low: pd.Series, high: pd.Series
) -> None:
    """Both axes: intervals of few runs, which may reach far, are cut at the range of the means."""
    axes.set_xscale("log")
    axes.margins(x=0.17)  # room for the label of the first point
    axes.xaxis.set_major_formatter(FuncFormatter(lambda size, place: byte_size(size)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("bytes of the training images (log scale)")
    reach = max(mean.max() - mean.min(), LEAST_SPAN)
    bottom = max(low.min(), mean.min() - reach / 2)
    top = min(high.max(), mean.max() + reach / 2)
    margin = 0.08 * max(top - bottom, LEAST_SPAN)
    axes.set_ylim(bottom - margin, min(top + margin, 101.5))
    axes.set_ylabel(f"{compared_metric(points).words} on the test images, %")
    axes.grid(axis="y")


def _colors(points: pd.DataFrame) -> dict[str, str]:
    """A color for each encoding; the originals are black, as the full set in other figures."""
    others = [name for name in points["encoding"].unique() if name != ORIGINAL]
    return {
        ORIGINAL: style.method_color(FULL),
        **{
            name: style.OKABE_ITO[place % len(style.OKABE_ITO)] for place, name in enumerate(others)
        },
    }


def _legend(figure: Figure, summary: pd.DataFrame, place: Place, columns: int) -> None:
    """The encodings by color, and the methods by marker."""
    points = summary[summary["bytes"].notna()]
    colors = _colors(points)
    encodings = [
        Line2D([], [], color=colors[name], lw=3, label=encoding_in_words(name))
        for name in dict.fromkeys(points["encoding"])
    ]
    methods = [
        Line2D(
            [],
            [],
            color=style.QUIET,
            marker=style.method_marker(name),
            lw=0,
            label=style.shortened(name, LONGEST_NAME),
        )
        for name in dict.fromkeys(map(method_of, points["method"]))
    ]
    figure.legend(
        handles=[*encodings, *methods],
        loc=place,
        ncols=columns,
        frameon=False,
    )
