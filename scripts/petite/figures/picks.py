"""What each method picks, side by side on one plane."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from petite.evidence import percent
from petite.figures import style
from petite.selection.pca_grid import first_two
from petite.splits import training_images

PANELS_WIDE = 5
LONGEST_NAME = 20  # letters
MOST_CLASSES = 20  # that the legend names
MARGIN = 0.04  # of the plane's width and height


@style.styled
def picks(
    features: np.ndarray, split: pd.DataFrame, subsets: Mapping[str, pd.DataFrame], fraction: float
) -> Figure:
    """The images that methods keep at one fraction, a panel for each method.

    features: float32 (n_train, d), a row for each training row of `split`, in its order; the
        plane is of the first two.
    subsets: by method, tables with origin and class_name.
    """
    train = training_images(split)
    plane = first_two(features)
    rows = pd.Series(np.arange(len(train)), index=train["image_id"])
    columns = min(PANELS_WIDE, len(subsets))
    lines = math.ceil(len(subsets) / columns)
    figure = Figure(figsize=(style.WIDTH, 0.9 + 1.35 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    labels = train.set_index("image_id")["label"]
    label_of = {
        name: label
        for table in subsets.values()
        for name, label in zip(table["class_name"], labels.loc[table["origin"]], strict=True)
    }
    names = sorted(label_of, key=lambda name: label_of[name])
    for axes, (method, table) in zip(panels, subsets.items(), strict=False):
        _draw(axes, plane, rows, table.drop_duplicates("origin"), names)
        axes.set_title(style.shortened(method, LONGEST_NAME), fontsize=7.5)
    for axes in panels[len(subsets) :]:
        axes.set_axis_off()
    low, high = plane.min(axis=0), plane.max(axis=0)
    space = MARGIN * (high - low + 1e-9)
    panels[0].set_xlim(low[0] - space[0], high[0] + space[0])
    panels[0].set_ylim(low[1] - space[1], high[1] + space[1])
    figure.legend(
        handles=[
            Line2D([], [], marker="o", linestyle="", color=style.category_colour(place), label=name)
            for place, name in enumerate(names[:MOST_CLASSES])
        ],
        loc="outside upper right",
        ncols=min(6, len(names)),
        frameon=False,
        fontsize=8,
    )
    note = (
        f"The {len(train):,} training images (grey) on the plane of their first two features, and "
        "those that each method keeps with seed 0, coloured by class."
    )
    if len(names) > MOST_CLASSES:
        note += f" The first {MOST_CLASSES} of {len(names)} classes are named."
    style.title(figure, f"What each method keeps at {percent(fraction)}", note)
    return figure


def _draw(
    axes: Axes, plane: np.ndarray, rows: pd.Series, table: pd.DataFrame, names: list[str]
) -> None:
    axes.scatter(plane[:, 0], plane[:, 1], s=1.2, color=style.FAINT, linewidths=0, rasterized=True)
    chosen = plane[rows.loc[table["origin"]].to_numpy()]
    colours = [style.category_colour(names.index(name)) for name in table["class_name"]]
    axes.scatter(chosen[:, 0], chosen[:, 1], s=4.5, c=colours, linewidths=0, rasterized=True)
    axes.set_xticks([])
    axes.set_yticks([])
