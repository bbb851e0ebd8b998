"""Each method's difference from random at the same size, with confidence intervals."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from petite.evaluation.metrics import compared_metric
from petite.evaluation.statistics import ENOUGH_RUNS
from petite.evaluation.tables import at_look, has_looks
from petite.plots import style
from petite.util.errors import PetiteError
from petite.util.formatting import percent

LONGEST_NAME = 30  # letters
ROW = 0.19  # inches per method
LEAST_SPAN = 2.0  # points; a narrower axis would make noise look like an effect
# Colors of intervals above 0, below 0, and of those that include 0.
BETTER, WORSE, UNCLEAR = style.OKABE_ITO[0], style.OKABE_ITO[1], "#8a8a8a"


@style.styled
def differences(summary: pd.DataFrame) -> Figure:
    """Paired differences from random with 95% intervals, a panel for each fraction.

    Methods are sorted by their mean difference over the fractions.

    Parameters
    ----------
    summary : DataFrame
        The table summary.csv.

    Raises
    ------
    PetiteError
        No method was compared with random.
    """
    compared = summary[summary["difference_mean"].notna()]
    if compared.empty:
        raise PetiteError(
            "no method has a fraction that `random` has too, so there are no differences to draw."
        )
    order = list(compared.groupby("method")["difference_mean"].mean().sort_values().index)
    fractions = sorted(compared["fraction"].unique())
    figure = Figure(
        figsize=(max(style.WIDTH, 1.6 + 2.1 * len(fractions)), 1.0 + ROW * len(order)),
        layout="constrained",
    )
    panels = figure.subplots(1, len(fractions), sharey=True, squeeze=False)[0]
    for axes, fraction in zip(panels, fractions, strict=True):
        rows = compared[compared["fraction"] == fraction]
        _draw(axes, rows, order, with_looks=has_looks(summary))
        axes.set_title(f"{percent(fraction)}: {int(rows['images'].max()):,} images")
    names = [style.shortened(method, LONGEST_NAME) for method in order]
    panels[0].set_yticks(range(len(order)), names)
    panels[0].set_ylim(-0.7, len(order) - 0.3)
    metric = compared_metric(summary).words
    panels[len(panels) // 2].set_xlabel(f"{metric} on the test images minus that of random, points")
    note = (
        "Dots: mean of the differences, paired by seed. Bars: 95% confidence intervals (Student's "
        f"t), not adjusted: of {len(compared)} comparisons some may exclude 0 by chance. Blue: "
        "above 0. Orange: below 0. Gray: includes 0. A bar that ends at the edge continues beyond "
        "it, and a mean beyond the axis is written as a number."
    )
    if has_looks(summary):
        note += " At the right: the look at which the comparison was over, and its seeds."
    if (compared["runs"] < ENOUGH_RUNS).any():
        note += f" Some have fewer than {ENOUGH_RUNS} runs, too few for a claim."
    style.title(figure, "Difference from random at the same size", note)
    return figure


def _reach(rows: pd.DataFrame) -> float:
    """Half of the range of the axis: it shows most intervals, but not the widest in full."""
    ends = 100 * rows[["difference_low", "difference_high", "difference_mean"]].to_numpy()
    return max(LEAST_SPAN, float(np.nanquantile(np.abs(ends), 0.75)) * 1.2)


def _draw(axes: Axes, rows: pd.DataFrame, order: list[str], with_looks: bool) -> None:
    reach = _reach(rows)
    axes.axvline(0, color=style.INK, linewidth=0.8, zorder=1)
    for row in rows.to_dict("records"):
        place = order.index(row["method"])
        mean, low, high = (100 * row[f"difference_{end}"] for end in ("mean", "low", "high"))
        color = BETTER if low > 0 else WORSE if high < 0 else UNCLEAR
        if with_looks:
            beside = axes.get_yaxis_transform()  # x: 1 is the right edge
            look = at_look(row["pairs"], row["look"])
            axes.text(
                1.02, place, look, transform=beside, va="center", fontsize=7, color=style.QUIET
            )
        if not np.isnan(low) and max(low, -reach) < min(high, reach):
            axes.hlines(place, max(low, -reach), min(high, reach), color=color, linewidth=1.6)
        dot: dict[str, Any] = {
            "color": color,
            "markeredgecolor": "white",
            "markeredgewidth": 0.6,
            "zorder": 3,
        }
        if abs(mean) <= reach:
            axes.plot(mean, place, "o", markersize=5, **dot)
            continue
        side = np.sign(mean)
        axes.plot(side * reach, place, "<" if side < 0 else ">", markersize=6, clip_on=False, **dot)
        axes.text(
            side * reach * 0.93,
            place,
            f"{mean:+.0f}",
            ha="left" if side < 0 else "right",
            va="center",
            fontsize=7.5,
            color=color,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        )
    axes.set_xlim(-reach, reach)
    axes.grid(axis="both")
    axes.tick_params(axis="y", length=0)
