"""Learning curves: accuracy and loss by training steps (the paper's figures 1-5 and 10)."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from petite.evaluation.runs import ordered
from petite.plots import style
from petite.util.errors import PetiteError
from petite.util.formatting import counted

VALIDATION = style.OKABE_ITO[0]
TRAINING = style.OKABE_ITO[1]
# Name of the images, prefix of their columns, and color and dashes of their mean.
PARTS = [("validation", "validation_", VALIDATION, "-"), ("training", "", TRAINING, "--")]
NOTE = (
    "Thin lines: single runs. Bold lines: their mean. Training values are means over the steps "
    "since the previous value, on the images as they are trained on (flipped and cropped if set, "
    "the loss with label smoothing). Validation images are used as stored."
)
LONGEST_NAME = 40  # letters
MOST_COLUMNS = 6
FEW_VALUES = 3


@style.styled
def curves(
    history: pd.DataFrame, method: str | None = None, fraction: float | None = None
) -> Figure:
    """Accuracy and loss of training and validation images against training steps.

    Parameters
    ----------
    history : DataFrame
        The table history.csv.
    method : str or None
    fraction : float or None
        With a method and a fraction, one large figure of their runs; otherwise small multiples of
        all cases.

    Raises
    ------
    PetiteError
        There are no such runs.
    """
    if method is None and fraction is None:
        return _overview(history)
    chosen = history[(history["method"] == method) & (history["fraction"] == fraction)]
    if method is None or fraction is None or chosen.empty:
        known = ordered(history[["method", "fraction"]].drop_duplicates())
        names = ", ".join(f"{row.method} at {row.fraction:g}" for row in known.itertuples())
        raise PetiteError(
            f"no learning curves of method {method} at fraction {fraction}. There are: {names}."
        )
    return _one(chosen, style.condition(method, fraction))


@style.styled
def accuracy_curves_picture(history: pd.DataFrame, chosen: pd.DataFrame) -> Figure:
    """A small drawing of the accuracy of `chosen`, without words, on the scale of `history`."""
    figure, axes = style.small_picture()
    _draw(axes, chosen, "accuracy", scale=100)
    _set_accuracy_limits(axes, history)
    axes.xaxis.set_major_locator(MaxNLocator(3, integer=True, steps=[1, 2, 5, 10]))
    axes.set_xlabel("steps")
    return figure


def _one(history: pd.DataFrame, name: str) -> Figure:
    figure = Figure(figsize=(style.WIDTH, 3.2), layout="constrained")
    accuracy_axes, loss_axes = figure.subplots(1, 2)
    _draw(accuracy_axes, history, "accuracy", scale=100)
    _draw(loss_axes, history, "loss", scale=1)
    accuracy_axes.set_title("accuracy, %")
    loss_axes.set_title("loss (cross-entropy)")
    _set_loss_limits(loss_axes, history)
    for axes in (accuracy_axes, loss_axes):
        axes.set_xlabel("training steps")
        _add_epochs(axes, history)
    _label_lines(accuracy_axes)
    _label_lines(loss_axes)
    runs = history["seed"].nunique()
    name = style.shortened(name, LONGEST_NAME)
    style.title(figure, f"Learning curves: {name}, {counted(runs, 'run')}", NOTE)
    return figure


def _overview(history: pd.DataFrame) -> Figure:
    if history.empty:
        raise PetiteError(
            "the history of the runs is empty, so there are no learning curves to draw."
        )
    conditions = ordered(history[["method", "fraction"]].drop_duplicates())
    blocks = math.ceil(
        len(conditions) / MOST_COLUMNS
    )  # each has a row of accuracies and one of losses
    columns = math.ceil(len(conditions) / blocks)
    figure = Figure(
        figsize=(max(style.WIDTH, 1.5 * columns + 0.6), 3.1 * blocks + 0.5), layout="constrained"
    )
    grid = figure.subplots(2 * blocks, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for place, (method, fraction) in enumerate(conditions.to_numpy().tolist()):
        block, column = divmod(place, columns)
        pair = grid[2 * block, column], grid[2 * block + 1, column]
        chosen = history[(history["method"] == method) & (history["fraction"] == fraction)]
        _draw_small(pair, chosen, history, labels=column == 0)
        pair[0].set_title(
            style.shortened(style.condition(method, fraction), 22),
            color=style.method_color(method),
            fontsize=8,
        )
    _label_lines(grid[0, 0], below=True)
    style.title(figure, "Learning curves of all methods and fractions, on the same scales", NOTE)
    return figure


def _draw_small(
    pair: tuple[Axes, Axes], chosen: pd.DataFrame, history: pd.DataFrame, labels: bool
) -> None:
    """Accuracy and loss of one condition, one above the other, on the scales of `history`."""
    accuracy_axes, loss_axes = pair
    _draw(accuracy_axes, chosen, "accuracy", scale=100)
    _draw(loss_axes, chosen, "loss", scale=1)
    _set_accuracy_limits(accuracy_axes, history)
    _set_loss_limits(loss_axes, history)
    for axes in pair:
        axes.set_axis_on()
        axes.xaxis.set_major_locator(MaxNLocator(3, integer=True, steps=[1, 2, 5, 10]))
        axes.tick_params(labelleft=labels)
    accuracy_axes.tick_params(labelbottom=False)
    loss_axes.set_xlabel("steps")
    if labels:
        accuracy_axes.set_ylabel("accuracy, %")
        loss_axes.set_ylabel("loss")


def _draw(axes: Axes, history: pd.DataFrame, measure: str, scale: float) -> None:
    """Each run thin, their mean bold, for validation and training."""
    for _, prefix, color, dashes in PARTS:
        column = prefix + measure
        known = history.dropna(subset=[column])
        for _, run in known.groupby("seed"):
            axes.plot(run["step"], scale * run[column], color=color, linewidth=0.6, alpha=0.4)
        mean = scale * known.groupby("step")[column].mean()
        # A line through one value is invisible, so few values are drawn as dots.
        marker = "o" if len(mean) <= FEW_VALUES else None
        axes.plot(mean, dashes, color=color, linewidth=1.8, marker=marker, markersize=4)
    axes.grid(axis="y")
    axes.set_xlim(0, 1.02 * history["step"].max())


def _set_accuracy_limits(axes: Axes, history: pd.DataFrame) -> None:
    lowest = float(history[["accuracy", "validation_accuracy"]].min().min())
    axes.set_ylim(100 * lowest - 2, 101)


def _set_loss_limits(axes: Axes, history: pd.DataFrame) -> None:
    """From 0 to a little above all losses but the first peaks, which would flatten the rest."""
    losses = history[["loss", "validation_loss"]].to_numpy()
    finite = losses[np.isfinite(losses)]
    if len(finite):
        axes.set_ylim(0, 1.1 * min(finite.max(), 2 * np.quantile(finite, 0.95)))


def _add_epochs(axes: Axes, history: pd.DataFrame) -> None:
    """A second x axis at the top, in passes over the subset."""
    last = history.sort_values("step").iloc[-1]
    if last["step"] <= 0 or last["epoch"] <= 0:
        return
    per_step = last["epoch"] / last["step"]
    top = axes.secondary_xaxis(
        "top", functions=(lambda step: step * per_step, lambda epoch: epoch / per_step)
    )
    top.set_xlabel("passes over the subset (epochs)", fontsize=7.5, color=style.QUIET)
    top.tick_params(labelsize=7, labelcolor=style.QUIET)


def _label_lines(axes: Axes, below: bool = False) -> None:
    """A legend in the colors of the lines, where it covers least."""
    axes.legend(
        handles=[Line2D([], [], color=color, label=label) for label, _, color, _ in PARTS],
        loc="lower right" if below else "best",
        frameon=False,
        handlelength=0,
        handletextpad=0,
        labelcolor="linecolor",
        prop={"weight": "bold", "size": 8},
    )
