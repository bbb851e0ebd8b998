"""The images that each method keeps, side by side on one plane."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from petite.data.splits import training_images
from petite.plots import style
from petite.selection.methods.pca_grid import first_two
from petite.util.formatting import percent

PANELS_WIDE = 5
LONGEST_NAME = 20  # letters
LONGEST_CLASS = 18  # letters of a class's name
MOST_CLASSES = 20  # up to this number, classes have different colors and markers
MARKER_LETTERS = 4  # width of a marker with its space, in letters
LETTERS_BESIDE_TITLE = 36
LEGEND_LINE, TITLE = 0.17, 0.5  # inches
MARGIN = 0.04  # of the plane's width and height


@style.styled
def picks(
    features: np.ndarray, split: pd.DataFrame, subsets: Mapping[str, pd.DataFrame], fraction: float
) -> Figure:
    """The images that methods keep at one fraction, a panel for each method.

    Parameters
    ----------
    features : ndarray of float32, shape (n_train, n_features)
        A row for each training row of `split`, in its order. The plane is that of the first two.
    split : DataFrame
        The table of the split.
    subsets : mapping of str to DataFrame
        By method, tables with origin and class_name.
    fraction : float
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
    colored = names if len(names) <= MOST_CLASSES else []
    for axes, (method, table) in zip(panels, subsets.items(), strict=False):
        _draw(axes, plane, rows, table.drop_duplicates("origin"), colored)
        axes.set_title(style.shortened(method, LONGEST_NAME), fontsize=7.5)
    for axes in panels[len(subsets) :]:
        axes.set_axis_off()
    low, high = plane.min(axis=0), plane.max(axis=0)
    space = MARGIN * (high - low + 1e-9)
    panels[0].set_xlim(low[0] - space[0], high[0] + space[0])
    panels[0].set_ylim(low[1] - space[1], high[1] + space[1])
    if colored:
        _name_classes(figure, colored)
    note = (
        f"The {len(train):,} training images (gray) on the plane of their first two features, and "
        f"those that each method keeps with seed 0"
    )
    note += ", colored by class." if colored else f", of {len(names):,} classes."
    style.title(figure, f"What each method keeps at {percent(fraction)}", note)
    return figure


def _name_classes(figure: Figure, names: list[str]) -> None:
    """The legend of the classes: next to the title if there is room, or in a column."""
    labels = style.class_labels(dict(enumerate(names)), LONGEST_CLASS)
    fits = sum(len(label) + MARKER_LETTERS for label in labels.values()) <= LETTERS_BESIDE_TITLE
    if not fits:
        figure.set_figheight(max(figure.get_figheight(), TITLE + LEGEND_LINE * len(labels)))
    figure.legend(
        handles=[
            Line2D([], [], linestyle="", label=label, **style.category_look(place))
            for place, label in labels.items()
        ],
        loc="outside upper right" if fits else "outside right upper",
        ncols=len(labels) if fits else 1,
        frameon=False,
        handletextpad=0.1,
        fontsize=8,
    )


def _draw(
    axes: Axes, plane: np.ndarray, rows: pd.Series, table: pd.DataFrame, names: list[str]
) -> None:
    """All images in gray, and the kept ones by class; in one color without `names`."""
    axes.scatter(plane[:, 0], plane[:, 1], s=1.2, color=style.FAINT, linewidths=0, rasterized=True)
    places = plane[rows.loc[table["origin"]].to_numpy()]
    kinds = table["class_name"].map({name: place for place, name in enumerate(names)})
    for kind in kinds.fillna(0).unique().astype(int).tolist():
        members = places[(kinds.fillna(0) == kind).to_numpy()]
        look = style.category_look(kind)
        axes.scatter(members[:, 0], members[:, 1], s=6, linewidths=0, rasterized=True, **look)
    axes.set_xticks([])
    axes.set_yticks([])
