"""Accuracy against the number of images kept: the figure that answers the question."""

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
LABEL_GAP = 0.16  # inches between two lines of labels
LETTER = 0.1  # inches that a letter of a label takes, with some to spare
LONGEST_NAME = 24  # letters
MOST_METHODS = 10  # with more, only those of the paper are named


@style.styled
def accuracy_by_fraction(runs: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """The metric on the test images against the images kept (log axis), with 95% intervals.

    Takes the tables of runs.csv and summary.csv. Each method is a line, or a point where it has
    one fraction; each run is a dot; random has a band, and the full set a horizontal line with one.
    """
    summary, runs = with_scores(summary, runs)
    metric = IN_WORDS[compared_metric(summary)]
    cut = summary[summary["method"] != "full"]
    methods = list(dict.fromkeys(cut["method"]))  # random first: `ordered` put it there
    others = methods if len(methods) > MOST_METHODS else []
    others = [method for method in others if method not in style.METHOD_COLOURS]
    methods = [method for method in methods if method not in others]
    figure = Figure(figsize=(style.WIDTH, 4.4), layout="constrained")
    axes = figure.add_subplot()
    fractions = np.sort(summary["fraction"].unique())
    limits = _x_limits(fractions, list(summary["method"]))
    width = np.log(limits[1] / limits[0])
    offsets = _dodge(methods, fractions, width)

    full = summary[summary["method"] == "full"]
    if not full.empty:
        _draw_full(axes, full.iloc[0])
    for method in others:
        _draw_faintly(axes, cut[cut["method"] == method])
    for method in methods:
        _draw_method(axes, method, offsets[method], cut[cut["method"] == method])
    for key, chosen in runs[~runs["method"].isin(others)].groupby(["method", "fraction"]):
        method, fraction = str(key[0]), float(str(key[1]))
        _draw_runs(axes, method, fraction * offsets.get(method, 1.0), chosen, width)

    _set_x_axis(axes, summary, limits)
    _set_y_axis(axes, runs, summary, metric)
    figure.draw_without_rendering()  # labels are placed in inches, so the size must be known
    _label_methods(axes, cut[~cut["method"].isin(others)], offsets, width)
    dataset = style.shortened(str(runs["dataset"].iloc[0]), LONGEST_NAME)
    note = "Small dots: single runs. Bars and bands: 95% intervals of the mean over runs."
    if others:
        note += (
            f" Faint lines: {len(others)} further methods; the figure of differences names them."
        )
    if (summary["runs"] < ENOUGH_RUNS).any():
        note += f" Some points rest on fewer than {ENOUGH_RUNS} runs, too few for a claim."
    style.title(
        figure, f"{metric.capitalize()} on {dataset} by the number of training images kept", note
    )
    return figure


def _x_limits(fractions: np.ndarray, methods: list[str]) -> tuple[float, float]:
    """Limits that leave room at the left for the methods' names, before their fractions."""
    longest = max(len(style.shortened(method, LONGEST_NAME)) for method in methods)
    left = (0.55 + LETTER * longest) / style.WIDTH
    # A single fraction stands in the middle of what the names leave.
    right = 0.06 if len(fractions) > 1 else (1 - left) / 2
    span = np.log(fractions[-1] / fractions[0]) or 0.5
    width = span / (1 - left - right)
    return fractions[0] * np.exp(-left * width), fractions[-1] * np.exp(right * width)


def _dodge(methods: list[str], fractions: np.ndarray, width: float) -> dict[str, float]:
    """A factor on x for each method, so that points at the same fraction stand side by side.

    The first method, random, stands at its true place; the others at its right and left in turn.
    """
    room = 0.6 * np.diff(np.log(fractions)).min(initial=width)
    step = min(room / max(len(methods), 1), 0.018 * width)
    return {
        method: float(np.exp(step * ((place + 1) // 2) * (1 if place % 2 else -1)))
        for place, method in enumerate(methods)
    }


def _draw_full(axes: Axes, row: pd.Series) -> None:
    colour = style.method_colour("full")
    mean = 100 * row["score_mean"]
    axes.axhline(mean, color=colour, linewidth=1, zorder=2)
    if not np.isnan(row["score_low"]):
        axes.axhspan(
            100 * row["score_low"],
            100 * row["score_high"],
            color=colour,
            alpha=0.10,
            linewidth=0,
            zorder=1,
        )
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
    rows = rows.sort_values("fraction")
    mean = 100 * rows["score_mean"].to_numpy()
    axes.plot(rows["fraction"], mean, ".-", color="#b8b8b8", linewidth=0.8, markersize=4, zorder=2)


def _draw_method(axes: Axes, method: str, offset: float, rows: pd.DataFrame) -> None:
    rows = rows.sort_values("fraction")
    x = offset * rows["fraction"].to_numpy()
    colour = style.method_colour(method)
    mean = 100 * rows["score_mean"].to_numpy()
    low = 100 * rows["score_low"].to_numpy()
    high = 100 * rows["score_high"].to_numpy()
    if method == "random" and len(rows) > 1:
        axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0, zorder=1)
    axes.errorbar(
        x,
        mean,
        yerr=[mean - low, high - mean],
        color=colour,
        marker=style.method_marker(method),
        markersize=5.5,
        markeredgecolor="white",
        markeredgewidth=0.6,
        linewidth=1.4,
        elinewidth=1.4,
        zorder=4,
    )


def _draw_runs(axes: Axes, method: str, place: float, runs: pd.DataFrame, width: float) -> None:
    """Each run as a small dot, side by side in the order of their seeds."""
    accuracy = 100 * runs.sort_values(PAIR)["score"].to_numpy()
    beside = 0.009 * width
    x = place * np.exp(np.linspace(-beside, beside, len(accuracy) + 2)[1:-1])
    axes.scatter(
        x, accuracy, s=7, color=style.method_colour(method), alpha=0.45, linewidths=0, zorder=3
    )


def _set_x_axis(axes: Axes, summary: pd.DataFrame, limits: tuple[float, float]) -> None:
    """A log axis whose ticks are the fractions, each with its number of images."""
    largest = summary.loc[summary.groupby("fraction")["images"].idxmax()]
    images = largest.set_index("fraction")["images"]
    shares = {row["fraction"]: kept(row) for _, row in largest.iterrows()}
    axes.set_xscale("log")
    axes.set_xlim(limits)
    axes.set_xticks(
        images.index,
        [f"{shares[fraction]}\n{images[fraction]:,}" for fraction in images.index.tolist()],
    )
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("training images kept (share of the training set, and number; log scale)")


def _set_y_axis(axes: Axes, runs: pd.DataFrame, summary: pd.DataFrame, metric: str) -> None:
    """The metric in percent, from the lowest dot or bound to the highest."""
    shown = 100 * pd.concat([runs["score"], summary["score_low"], summary["score_high"]])
    low, high = shown.min(), shown.max()
    missing = max(0.0, LEAST_SPAN - (high - low)) / 2
    margin = 0.06 * max(high - low, LEAST_SPAN)
    axes.set_ylim(low - missing - margin, min(high + missing + margin, 101))
    axes.set_ylabel(f"{metric} on the test images, %")
    axes.grid(axis="y")


def _label_methods(axes: Axes, cut: pd.DataFrame, offsets: dict[str, float], width: float) -> None:
    """Each method's name at the left of its smallest fraction, with a hairline to its point."""
    smallest = cut.sort_values("fraction").groupby("method", sort=False).first().reset_index()
    height = axes.get_window_extent().height / axes.figure.dpi
    low, high = axes.get_ylim()
    gap = LABEL_GAP * (high - low) / height
    before = min(offsets.values(), default=1.0) * np.exp(-0.025 * width)
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
