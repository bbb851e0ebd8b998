"""Each method's difference from random at the same size: which ones are better, and how surely."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from petite.errors import PetiteError
from petite.evidence import ENOUGH_RUNS, percent
from petite.figures import style

ROW = 0.19  # inches that a method takes
LEAST_SPAN = 2.0  # points: a narrower axis would make noise look like an effect
# The colours of an interval that excludes 0, above and below, and of one that does not.
BETTER, WORSE, UNCLEAR = style.OKABE_ITO[0], style.OKABE_ITO[1], "#8a8a8a"


@style.styled
def differences(summary: pd.DataFrame) -> Figure:
    """Paired differences from random with 95% intervals, a panel for each fraction.

    Takes the table of summary.csv. Methods stand in the order of their mean difference over the
    fractions. Raises PetiteError where nothing was compared with random.
    """
    compared = summary[summary["difference_mean"].notna()]
    if compared.empty:
        raise PetiteError("no method was run at a fraction that `random` was run at as well")
    order = list(compared.groupby("method")["difference_mean"].mean().sort_values().index)
    fractions = sorted(compared["fraction"].unique())
    figure = Figure(
        figsize=(max(style.WIDTH, 1.6 + 2.1 * len(fractions)), 1.0 + ROW * len(order)),
        layout="constrained",
    )
    panels = figure.subplots(1, len(fractions), sharey=True, squeeze=False)[0]
    limits = _limits(compared)
    for axes, fraction in zip(panels, fractions, strict=True):
        rows = compared[compared["fraction"] == fraction]
        _draw(axes, rows, order, limits)
        axes.set_title(f"{percent(fraction)}: {int(rows['images'].max()):,} images")
    panels[0].set_yticks(range(len(order)), order)
    panels[0].set_ylim(-0.7, len(order) - 0.3)
    figure.supxlabel("accuracy on the test images less that of random, points", fontsize=8.5)
    note = (
        "Dots: mean of the differences, paired by seed. Bars: 95% intervals (Student's t), for "
        f"each comparison by itself: of {len(compared)} some will exclude 0 by chance. "
        "Blue: above 0; orange: below 0; grey: not distinguishable; a bar that is cut goes on."
    )
    if (compared["runs"] < ENOUGH_RUNS).any():
        note += f" Some rest on fewer than {ENOUGH_RUNS} runs, too few for a claim."
    style.title(figure, "Difference from random at the same size", note)
    return figure


def _limits(compared: pd.DataFrame) -> tuple[float, float]:
    """Limits that show all means, and the intervals but for the few that are very wide."""
    means = 100 * compared["difference_mean"]
    ends = 100 * pd.concat([compared["difference_low"], compared["difference_high"]]).dropna()
    reach = max(LEAST_SPAN, float(means.abs().max()) * 1.15)
    if len(ends):
        reach = max(reach, float(np.quantile(ends.abs(), 0.8)))
    return -reach, reach


def _draw(axes: Axes, rows: pd.DataFrame, order: list[str], limits: tuple[float, float]) -> None:
    axes.axvline(0, color=style.INK, linewidth=0.8, zorder=1)
    for row in rows.to_dict("records"):
        place = order.index(row["method"])
        mean, low, high = (100 * row[f"difference_{end}"] for end in ("mean", "low", "high"))
        colour = BETTER if low > 0 else WORSE if high < 0 else UNCLEAR
        if not np.isnan(low):
            axes.hlines(
                place, max(low, limits[0]), min(high, limits[1]), color=colour, linewidth=1.6
            )
        axes.plot(
            mean,
            place,
            "o",
            color=colour,
            markersize=5,
            markeredgecolor="white",
            markeredgewidth=0.6,
            zorder=3,
        )
    axes.set_xlim(limits)
    axes.grid(axis="both")
    axes.tick_params(axis="y", length=0)
