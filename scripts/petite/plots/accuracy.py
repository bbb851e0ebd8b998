"""Accuracy against the number of images kept: the figure that answers the question.

As a file it names the methods beside their points and says how to read it. The page has a legend
and a caption of its own, so that `accuracy_picture` is the same drawing without words.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from petite.evaluation import ENOUGH_RUNS, PAIR
from petite.evaluation.metrics import IN_WORDS, compared_metric, with_scores
from petite.evaluation.words import kept
from petite.plots import style

LEAST_SPAN = 4.0  # points of accuracy: a narrower axis would make noise look like an effect
STEP = 0.125  # inches at most between the points of two methods at one fraction
BESIDE = 0.065  # inches that runs are drawn to either side of their mean
LABEL_GAP = 0.16  # inches between two lines of labels
LETTER = 0.1  # inches that a letter of a label takes, with some to spare
TICK_LETTER = 0.09  # inches that a letter of a fraction's label takes
LONGEST_NAME = 24  # letters
MOST_METHODS = 10  # with more, only those of the paper are named
PICTURE_LEFT = 0.08  # of the width, for the points that are moved aside
PICTURE_HEIGHT = 3.4  # inches


class Series(NamedTuple):
    """What is drawn of a method.

    points: a row for each fraction, rising: a row of summary.csv with the metric that is compared
        as score_mean, score_low and score_high.
    runs: a row for each run, by fraction and seeds, with the metric as score.
    """

    method: str
    points: pd.DataFrame
    runs: pd.DataFrame

    @property
    def bounded(self) -> pd.DataFrame:
        """The points that have an interval."""
        return self.points.dropna(subset=["score_low"])


class Limits(NamedTuple):
    """The ends of the axis of accuracy in percent, and whether intervals reach beyond them."""

    low: float
    high: float
    cut: bool


def accuracy_series(runs: pd.DataFrame, summary: pd.DataFrame) -> list[Series]:
    """The methods in the order of the summary: the full set, random, and the others."""
    summary, runs = with_scores(summary, runs)
    runs = runs.sort_values(["fraction", *PAIR])
    return [
        Series(str(method), points.sort_values("fraction"), runs[runs["method"] == method])
        for method, points in summary.groupby("method", sort=False)
    ]


def accuracy_limits(series: Sequence[Series]) -> Limits:
    """From the lowest run or bound to the highest.

    Intervals of two or three seeds may reach far beyond all runs and would flatten the rest. They
    are cut where they are longer than all runs are apart.
    """
    scores = 100 * pd.concat([each.runs["score"] for each in series])
    ends = ("score_low", "score_high")
    bounds = 100 * pd.concat([each.bounded[end] for each in series for end in ends])
    reach = max(scores.max() - scores.min(), LEAST_SPAN)
    shown = pd.concat([scores, bounds.clip(scores.min() - reach, scores.max() + reach)])
    span = shown.max() - shown.min()
    margin = max(0.0, LEAST_SPAN - span) / 2 + 0.06 * max(span, LEAST_SPAN)
    low, high = float(shown.min() - margin), float(min(shown.max() + margin, 101))
    return Limits(low, high, cut=bool(not bounds.between(low, high).all()))


@style.styled
def accuracy_by_fraction(runs: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """The metric on the test images against the images kept (log axis), with 95% intervals.

    Takes the tables of runs.csv and summary.csv. Each method is a line, or a point where it has
    one fraction; each run is a dot; random has a band, and the full set a horizontal line with one.
    """
    series = accuracy_series(runs, summary)
    metric = IN_WORDS[compared_metric(summary)]
    cut = [each.method for each in series if each.method != "full"]
    faint = cut if len(cut) > MOST_METHODS else []
    faint = [method for method in faint if method not in style.METHOD_COLOURS]
    longest = max(len(style.shortened(each.method, LONGEST_NAME)) for each in series)
    figure = Figure(figsize=(style.WIDTH, 4.4), layout="constrained")
    left = (0.55 + LETTER * longest) / style.WIDTH
    offsets = _draw(figure, series, metric, left, faint=faint)
    figure.draw_without_rendering()  # labels are placed in inches, so the size must be known
    _label_methods(figure.axes[0], [each for each in series if each.method in offsets], offsets)
    dataset = style.shortened(str(runs["dataset"].iloc[0]), LONGEST_NAME)
    note = "Small dots: single runs. Bars and bands: 95% intervals of the mean over runs."
    if accuracy_limits(series).cut:
        note += " A bar that ends at the edge goes on beyond it."
    if faint:
        note += f" Faint lines: {len(faint)} further methods; the figure of differences names them."
    if (summary["runs"] < ENOUGH_RUNS).any():
        note += f" Some points rest on fewer than {ENOUGH_RUNS} runs, too few for a claim."
    style.title(
        figure, f"{metric.capitalize()} on {dataset} by the number of training images kept", note
    )
    return figure


@style.styled
def accuracy_picture(
    runs: pd.DataFrame, summary: pd.DataFrame, width: float, tolerance: float | None = None
) -> Figure:
    """The drawing of `accuracy_by_fraction` with all methods and no names, `width` inches wide.

    tolerance: how far from the full set's accuracy is as good, a share, for the band of the full
        set; None: its band is its interval.
    """
    figure = Figure(figsize=(width, PICTURE_HEIGHT), layout="constrained")
    metric = IN_WORDS[compared_metric(summary)]
    series = accuracy_series(runs, summary)
    _draw(figure, series, metric, PICTURE_LEFT, tolerance=tolerance)
    return figure


def _draw(
    figure: Figure,
    series: Sequence[Series],
    metric: str,
    left: float,
    tolerance: float | None = None,
    faint: Collection[str] = (),
) -> dict[str, float]:
    """Draw all series, and return the factor on x of each method that is not drawn faintly.

    left: the share of the width that is left free before the smallest fraction.
    """
    axes = figure.add_subplot()
    points = pd.concat([each.points for each in series])
    fractions = np.sort(points["fraction"].unique())
    limits = _x_limits(fractions, left)
    methods = [each.method for each in series if each.method not in ("full", *faint)]
    inch = np.log(limits[1] / limits[0]) / figure.get_figwidth()  # on the axis
    offsets = _dodge(methods, fractions, limits[0], inch)
    for each in series:
        if each.method == "full":
            _draw_full(axes, each.points.iloc[0], tolerance)
        if each.method in faint:
            _draw_faintly(axes, each.points)
        else:
            _draw_method(axes, each, offsets.get(each.method, 1.0), BESIDE * inch)
    axes.set_xscale("log")
    axes.set_xlim(limits)
    _name_fractions(axes, points, TICK_LETTER * inch)
    low, high, _ = accuracy_limits(series)
    axes.set_ylim(low, high)
    axes.set_ylabel(f"{metric} on the test images, %")
    axes.grid(axis="y")
    return offsets


def _x_limits(fractions: np.ndarray, left: float) -> tuple[float, float]:
    """Limits that leave room at the left."""
    # A single fraction stands in the middle of what is left.
    right = 0.06 if len(fractions) > 1 else (1 - left) / 2
    span = np.log(fractions[-1] / fractions[0]) or 0.5
    width = span / (1 - left - right)
    return fractions[0] * np.exp(-left * width), fractions[-1] * np.exp(right * width)


def _dodge(
    methods: Sequence[str], fractions: np.ndarray, first: float, inch: float
) -> dict[str, float]:
    """A factor on x for each method, so that points at the same fraction stand side by side.

    The first method, random, stands at its true place; the others at its right and left in turn,
    within the axes, which begin at `first`, however many.
    """
    between = 0.6 * np.diff(np.log(fractions)).min(initial=np.inf) / max(len(methods), 1)
    before = np.log(fractions[0] / first) / max(len(methods) // 2, 1)
    step = min(between, before, STEP * inch)
    return {
        method: float(np.exp(step * ((place + 1) // 2) * (1 if place % 2 else -1)))
        for place, method in enumerate(methods)
    }


def _draw_full(axes: Axes, row: pd.Series, tolerance: float | None) -> None:
    """The full set's line across, its accuracy, and a band: what is as good, or its interval."""
    colour = style.method_colour("full")
    mean = 100 * row["score_mean"]
    axes.axhline(mean, color=colour, linewidth=1, zorder=2, gid="across-full")
    if tolerance:
        low, high = mean - 100 * tolerance, mean + 100 * tolerance
        axes.axhspan(low, high, color=style.TOLERATED, linewidth=0, zorder=0.5)
    elif not np.isnan(row["score_low"]):
        low, high = 100 * row["score_low"], 100 * row["score_high"]
        axes.axhspan(low, high, color=colour, alpha=0.10, linewidth=0, zorder=1)
    axes.annotate(
        f"full set\n{mean:.1f}%",
        (1, mean),
        xycoords=("axes fraction", "data"),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        color=colour,
        fontweight="bold",
    )


def _draw_faintly(axes: Axes, rows: pd.DataFrame) -> None:
    mean = 100 * rows["score_mean"].to_numpy()
    axes.plot(rows["fraction"], mean, ".-", color="#b8b8b8", linewidth=0.8, markersize=4, zorder=2)


def _draw_method(axes: Axes, series: Series, offset: float, beside: float) -> None:
    """Line, marks, intervals and runs, each named after what it is and the method."""
    method, points, bounded = series.method, series.points, series.bounded
    colour = style.method_colour(method)
    x, bounded_x = offset * points["fraction"], offset * bounded["fraction"]
    mean = 100 * points["score_mean"]
    low, high = 100 * bounded["score_low"], 100 * bounded["score_high"]
    if method == "random" and len(bounded) > 1:
        axes.fill_between(
            bounded_x, low, high, color=colour, alpha=0.18, lw=0, zorder=1, gid=f"band-{method}"
        )
    axes.vlines(bounded_x, low, high, color=colour, linewidth=1.4, zorder=4, gid=f"bars-{method}")
    axes.plot(x, mean, color=colour, linewidth=1.4, zorder=4, gid=f"line-{method}")
    axes.plot(
        x,
        mean,
        color=colour,
        linestyle="none",
        marker=style.method_marker(method),
        markersize=5.5,
        markeredgecolor="white",
        markeredgewidth=0.6,
        zorder=4,
        gid=f"marks-{method}",
    )
    # Side by side in the order of their seeds.
    places = series.runs.groupby("fraction")["fraction"].transform(
        lambda same: np.exp(np.linspace(-beside, beside, len(same) + 2)[1:-1])
    )
    axes.scatter(
        offset * series.runs["fraction"] * places,
        100 * series.runs["score"],
        s=7,
        color=colour,
        alpha=0.6,
        linewidths=0,
        zorder=3,
        gid=f"seeds-{method}",
    )


def _name_fractions(axes: Axes, points: pd.DataFrame, letter: float) -> None:
    """A tick at each fraction; those with room for it are named, from the largest on."""
    largest = points.loc[points.groupby("fraction")["images"].idxmax()]
    largest = largest.sort_values("fraction", ascending=False)
    labels, last = [], np.inf
    for _, row in largest.iterrows():
        place, share, images = np.log(row["fraction"]), kept(row), f"{row['images']:,}"
        named = last - place > letter * max(len(share), len(images))
        last = place if named else last
        labels.append(f"{share}\n{images}" if named else "")
    axes.set_xticks(largest["fraction"], labels)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("training images kept (log scale)")


def _label_methods(axes: Axes, series: Sequence[Series], offsets: dict[str, float]) -> None:
    """Each method's name at the left of its smallest fraction, with a hairline to its point."""
    smallest = pd.DataFrame([each.points.iloc[0] for each in series])
    if smallest.empty:
        return
    height = axes.get_window_extent().height / axes.figure.dpi
    low, high = axes.get_ylim()
    gap = LABEL_GAP * (high - low) / height
    before = min(offsets.values()) * np.exp(-0.025 * np.log(np.divide(*axes.get_xlim()[::-1])))
    for fraction in smallest["fraction"].unique().tolist():
        rows = smallest[smallest["fraction"] == fraction]
        heights = style.spread(list(100 * rows["score_mean"]), gap)
        for (_, row), y in zip(rows.iterrows(), heights, strict=True):
            method = row["method"]
            axes.annotate(
                style.shortened(method, LONGEST_NAME),
                (fraction * offsets[method], 100 * row["score_mean"]),
                xytext=(fraction * before, y),
                ha="right",
                va="center",
                color=style.method_colour(method),
                fontweight="bold",
                zorder=6,
                arrowprops={
                    "arrowstyle": "-",
                    "color": style.method_colour(method),
                    "linewidth": 0.5,
                    "relpos": (1, 0.5),
                    "shrinkA": 1,
                    "shrinkB": 3,
                },
            )
