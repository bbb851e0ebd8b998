"""Accuracy against the number of images kept: the main figure.

The file names the methods next to their points and has a note on how to read it. The report has its
own legend and caption, so `accuracy_picture` is the same drawing without words.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from petite.evaluation.metrics import compared_metric, with_scores
from petite.evaluation.runs import PAIR
from petite.evaluation.shares import kept
from petite.evaluation.statistics import ENOUGH_RUNS
from petite.plots import style
from petite.util.formatting import counted, number

LEAST_SPAN = 4.0  # points of accuracy; a narrower axis would make noise look like an effect
# The axis shows this many times the range from the best point down to the lowest of random. Methods
# that collapse, such as the hardest images alone, would flatten all other points.
RANGES_OF_RANDOM = 3.0
STEP = 0.125  # inches at most between the points of two methods at one fraction
BESIDE = 0.065  # inches; runs are drawn up to this far left and right of their mean
LABEL_GAP = 0.16  # inches between two lines of labels
LETTER = 0.1  # inches; width of a letter of a label, with some margin
TICK_LETTER = 0.09  # inches; width of a letter of a fraction's label
LONGEST_NAME = 24  # letters
MOST_METHODS = 10  # with more, only the methods of the paper are named
PICTURE_LEFT = 0.08  # of the width, for points that are shifted to the left
PICTURE_HEIGHT = 3.4  # inches


class Series(NamedTuple):
    """A method's points and runs.

    Attributes
    ----------
    method : str
    points : DataFrame
        By fraction, with the compared metric as score_mean, score_low and score_high.
    runs : DataFrame
        By fraction and seeds, with the metric as score.
    """

    method: str
    points: pd.DataFrame
    runs: pd.DataFrame


def accuracy_series(runs: pd.DataFrame, summary: pd.DataFrame) -> list[Series]:
    """The series of runs.csv and summary.csv, in the order of the summary."""
    summary, runs = with_scores(summary, runs)
    runs = runs.sort_values(["fraction", *PAIR])
    return [
        Series(str(method), points.sort_values("fraction"), runs[runs["method"] == method])
        for method, points in summary.groupby("method", sort=False)
    ]


@style.styled
def accuracy_by_fraction(runs: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """The metric on the test images against the images kept (log axis), with 95% intervals.

    Each method is a line, or a point if it has one fraction; each run is a dot. Random has a band,
    and the full set a horizontal line with a band.

    Parameters
    ----------
    runs, summary : DataFrame
        The tables runs.csv and summary.csv.
    """
    series = _in_view(accuracy_series(runs, summary))
    cut = [each.method for each in series if each.method != "full"]
    others = [method for method in cut if method not in style.METHOD_COLORS]
    faint = others if len(cut) > MOST_METHODS else []
    longest = max(len(style.shortened(each.method, LONGEST_NAME)) for each in series)
    figure = Figure(figsize=(style.WIDTH, 4.4), layout="constrained")
    offsets = _draw(figure, series, (0.55 + LETTER * longest) / style.WIDTH, faint=faint)
    figure.draw_without_rendering()  # labels are placed in inches, so the size must be known
    _label_methods(figure.axes[0], [each for each in series if each.method in offsets], offsets)
    metric = compared_metric(summary).words
    dataset = style.shortened(str(runs["dataset"].iloc[0]), LONGEST_NAME)
    note = (
        "Small dots: single runs. Bars and bands: 95% confidence intervals of the mean over runs. "
        "An interval that ends at the edge continues beyond it."
    )
    if faint:
        note += (
            f" Faint lines: {counted(len(faint), 'further method')}, named in the figure of "
            "differences."
        )
    fewest, most = summary["runs"].min(), summary["runs"].max()
    if fewest < most:
        note += f" Points have {fewest} to {most} runs."
    if (summary["runs"] < ENOUGH_RUNS).any():
        note += f" Some points have fewer than {ENOUGH_RUNS} runs, too few for a claim."
    style.title(
        figure, f"{metric.capitalize()} on {dataset} by the number of training images kept", note
    )
    return figure


@style.styled
def accuracy_picture(
    runs: pd.DataFrame, summary: pd.DataFrame, width: float, tolerance: float | None = None
) -> Figure:
    """The drawing of `accuracy_by_fraction` with all methods and without names.

    Parameters
    ----------
    runs, summary : DataFrame
        The tables runs.csv and summary.csv.
    width : float
        Inches.
    tolerance : float or None
        The band of the full set shows this difference (a fraction) instead of the interval.
    """
    figure = Figure(figsize=(width, PICTURE_HEIGHT), layout="constrained")
    series = _in_view(accuracy_series(runs, summary))
    _draw(figure, series, PICTURE_LEFT, tolerance=tolerance)
    return figure


def _draw(
    figure: Figure,
    series: Sequence[Series],
    left: float,
    tolerance: float | None = None,
    faint: Collection[str] = (),
) -> dict[str, float]:
    """Draw all series, and return the factor on x of each method that is not faint.

    `left` is the fraction of the width that is free left of the smallest fraction.
    """
    axes = figure.add_subplot()
    points = pd.concat([each.points for each in series])
    fractions = np.sort(points["fraction"].unique())
    limits = _x_limits(fractions, left)
    inch = np.log(limits[1] / limits[0]) / figure.get_figwidth()  # on the axis
    methods = [each.method for each in series if each.method not in ("full", *faint)]
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
    _set_y_axis(axes, points, pd.concat([each.runs["score"] for each in series]))
    if below := int((points["score_mean"] == points["lowest_shown"]).sum()):
        axes.annotate(
            f"{counted(below, 'point')} below {100 * points['lowest_shown'].max():.0f}%",
            (0.99, 0.03),
            xycoords="axes fraction",
            ha="right",
            color=style.QUIET,
        )
    return offsets


def _in_view(series: Sequence[Series]) -> list[Series]:
    """The series with all that is far below random moved up to the axis's lower edge.

    The points get the column lowest_shown, the score at this edge; -inf if nothing was moved.
    """
    points = pd.concat([each.points for each in series])
    random = points.loc[points["method"] == "random", "score_mean"].min()
    best = points["score_mean"].max()
    lowest = float(best - RANGES_OF_RANDOM * max(best - random, LEAST_SPAN / 100))
    if not points["score_mean"].min() < lowest:
        lowest = -np.inf
    return [
        each._replace(
            points=each.points.assign(
                **each.points[["score_mean", "score_low", "score_high"]].clip(lower=lowest),
                lowest_shown=lowest,
            ),
            runs=each.runs.assign(score=each.runs["score"].clip(lower=lowest)),
        )
        for each in series
    ]


def _x_limits(fractions: np.ndarray, left: float) -> tuple[float, float]:
    """Limits that leave room at the left."""
    # A single fraction is in the middle of the remaining width.
    right = 0.06 if len(fractions) > 1 else (1 - left) / 2
    span = np.log(fractions[-1] / fractions[0]) or 0.5
    width = span / (1 - left - right)
    return fractions[0] * np.exp(-left * width), fractions[-1] * np.exp(right * width)


def _dodge(
    methods: Sequence[str], fractions: np.ndarray, first: float, inch: float
) -> dict[str, float]:
    """A factor on x for each method, so that points at the same fraction do not overlap.

    The first method, random, stays at its true place. The others alternate between its right and
    left, within the axes, which begin at `first`.
    """
    between = 0.6 * np.diff(np.log(fractions)).min(initial=np.inf) / max(len(methods), 1)
    before = np.log(fractions[0] / first) / max(len(methods) // 2, 1)
    step = min(between, before, STEP * inch)
    return {
        method: float(np.exp(step * ((place + 1) // 2) * (1 if place % 2 else -1)))
        for place, method in enumerate(methods)
    }


def _draw_full(axes: Axes, row: pd.Series, tolerance: float | None) -> None:
    """The line of the full set, its accuracy, and a band: the tolerance, or its interval."""
    color = style.method_color("full")
    mean = 100 * row["score_mean"]
    axes.axhline(mean, color=color, linewidth=1, zorder=2, gid="across-full")
    if tolerance:
        low, high = mean - 100 * tolerance, mean + 100 * tolerance
        axes.axhspan(low, high, color=style.TOLERATED, linewidth=0, zorder=0.5)
    elif not np.isnan(row["score_low"]):
        low, high = 100 * row["score_low"], 100 * row["score_high"]
        axes.axhspan(low, high, color=color, alpha=0.10, linewidth=0, zorder=1)
    axes.annotate(
        f"full set\n{mean:.1f}%",
        (1, mean),
        xycoords=("axes fraction", "data"),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        color=color,
        fontweight="bold",
    )


def _draw_faintly(axes: Axes, rows: pd.DataFrame) -> None:
    mean = 100 * rows["score_mean"].to_numpy()
    axes.plot(rows["fraction"], mean, ".-", color="#b8b8b8", linewidth=0.8, markersize=4, zorder=2)


def _draw_method(axes: Axes, series: Series, offset: float, beside: float) -> None:
    """Line, marks, intervals and runs, each with a gid PART-METHOD."""
    method, points, runs = series
    color = style.method_color(method)
    x = offset * points["fraction"]
    mean, low, high = (100 * points[f"score_{end}"] for end in ("mean", "low", "high"))
    if method == "random" and len(points) > 1:
        axes.fill_between(x, low, high, color=color, alpha=0.18, lw=0, gid=f"band-{method}")
    # A point without an interval has a bar of length 0, so that each point has one.
    low, high = low.fillna(mean), high.fillna(mean)
    axes.vlines(x, low, high, color=color, lw=1.4, zorder=4, gid=f"bars-{method}")
    axes.plot(x, mean, color=color, linewidth=1.4, zorder=4, gid=f"line-{method}")
    axes.scatter(
        x,
        mean,
        s=30,
        color=color,
        marker=style.method_marker(method),
        edgecolors="white",
        linewidths=0.6,
        zorder=4,
        gid=f"marks-{method}",
    )
    # Side by side in the order of their seeds.
    places = runs.groupby("fraction")["fraction"].transform(
        lambda same: np.exp(np.linspace(-beside, beside, len(same) + 2)[1:-1])
    )
    x = offset * runs["fraction"] * places
    axes.scatter(
        x,
        100 * runs["score"],
        s=7,
        color=color,
        alpha=0.6,
        linewidths=0,
        zorder=3,
        gid=f"seeds-{method}",
    )


def _name_fractions(axes: Axes, points: pd.DataFrame, letter: float) -> None:
    """A tick at each fraction; labels that would overlap are left out, from the largest on."""
    largest = points.loc[points.groupby("fraction")["images"].idxmax()]
    largest = largest.sort_values("fraction", ascending=False)
    labels, last, width = [], np.inf, 0
    for _, row in largest.iterrows():
        place, images = np.log(row["fraction"]), number(row["images"])
        share = kept(row["fraction"], row["share"])
        letters = max(len(share), len(images))
        named = last - place > letter * (letters + width) / 2
        last, width = (place, letters) if named else (last, width)
        labels.append(f"{share}\n{images}" if named else "")
    axes.set_xticks(largest["fraction"], labels)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("training images kept (log scale)")


def _set_y_axis(axes: Axes, points: pd.DataFrame, scores: pd.Series) -> None:
    """The metric in percent, from the lowest dot or bound to the highest.

    Intervals of two or three seeds may reach far beyond all runs and would flatten the rest. They
    are cut at a distance from the runs that equals the range of the runs.
    """
    reach = max(scores.max() - scores.min(), LEAST_SPAN / 100)
    shown = pd.concat([scores, points["score_low"], points["score_high"]])
    shown = 100 * shown.clip(scores.min() - reach, scores.max() + reach)
    low, high = shown.min(), shown.max()
    missing = max(0.0, LEAST_SPAN - (high - low)) / 2
    margin = 0.06 * max(high - low, LEAST_SPAN)
    axes.set_ylim(low - missing - margin, min(high + missing + margin, 101))
    axes.set_ylabel(f"{compared_metric(points).words} on the test images, %")
    axes.grid(axis="y")


def _label_methods(axes: Axes, series: Sequence[Series], offsets: dict[str, float]) -> None:
    """Each method's name left of its smallest fraction, with a thin line to its point."""
    smallest = pd.DataFrame([each.points.iloc[0] for each in series])
    if smallest.empty:
        return
    height = axes.get_window_extent().height / axes.figure.dpi
    low, high = axes.get_ylim()
    gap = LABEL_GAP * (high - low) / height
    left, right = axes.get_xlim()
    before = min(offsets.values()) * (left / right) ** 0.025
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
                color=style.method_color(method),
                fontweight="bold",
                zorder=6,
                arrowprops={
                    "arrowstyle": "-",
                    "color": style.method_color(method),
                    "linewidth": 0.5,
                    "relpos": (1, 0.5),
                    "shrinkA": 1,
                    "shrinkB": 3,
                },
            )
