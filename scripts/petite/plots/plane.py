"""The plane that `pca_grid` divides, with clusters, cells and selected images.

These are figures 6 to 9 of the paper, for any number of classes: a panel for each class, or for
each class and cluster if cells are drawn, all on the same scale. If there are too many, the largest
and the smallest are shown.

All functions have the same parameters:

features : ndarray of float32, shape (n_train, n_features)
    A row for each training row of `split`, in its order.
split : DataFrame
    The table of the split, with image_id, label and split.
subset : DataFrame
    The table of the selected images, with image_id, class_name and label.
details : Details
    The JSON of a subset of `pca_grid`.
"""

import math
from collections.abc import Iterable, Mapping
from typing import NotRequired, TypedDict

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from petite.data.splits import training_images
from petite.plots import style
from petite.selection.methods.pca_grid import Grid, first_two, nearest_center
from petite.selection.methods.tilings import TILINGS
from petite.util.errors import PetiteError
from petite.util.formatting import counted

MOST_COLUMNS = 4  # of panels
MOST_PANELS = 32
MARGIN = 0.04  # of the plane's width and height


class PlanePoints(TypedDict):
    """The positions of all training images on the plane."""

    x: list[float]
    y: list[float]


class Details(TypedDict):
    """The record of a subset of `pca_grid`, as far as figures need it.

    `centers` are those of the clusters in the feature space. `plane_points` is missing if the plane
    is that of the first two features.
    """

    centers: list[list[float]]
    grids: list[Grid]
    plane: str
    random_cells: bool
    plane_points: NotRequired[PlanePoints]


# For each plane, the name of an axis, and the note.
PLANES = {
    "pca": ("component", "The axes are the first two principal components of the features."),
    "features": ("feature", "The axes are the first two features."),
    "tsne": (
        "t-SNE",
        "The axes are those of t-SNE of the features: similar images are close together, and "
        "larger distances mean little.",
    ),
}
RANDOM_CELLS = "Images were assigned to cells at random, wherever they are (the control)."
LABELS = 0.6  # inches left of the panels
LETTERS_ACROSS = 84  # of all titles of a row of panels


@style.styled
def plane_clusters(
    features: np.ndarray, split: pd.DataFrame, subset: pd.DataFrame, details: Details
) -> Figure:
    """The training images on the plane, colored by cluster, a panel for each class (Fig. 7)."""
    points = _points(features, split, subset, details)
    points["cluster"] = nearest_center(features, np.asarray(details["centers"]))
    clusters = sorted(set(points["cluster"].tolist()))
    classes, count = style.classes_shown(points, MOST_PANELS)
    figure, panels = _panels(points, len(classes), details)
    names = _names(points, classes, panels)
    for axes, (label, members) in zip(panels, classes.items(), strict=True):
        axes.set_title(names[label])
        for cluster in clusters:
            group = members[members["cluster"] == cluster]
            _scatter(axes, group, style.category_color(cluster))
    _color_key(figure, {f"cluster {c}": style.category_color(c) for c in clusters})
    style.title(
        figure,
        "Clusters of the training images",
        f"Each dot is one of the {len(points):,} training images. "
        f"{style.left_out(len(classes), count, 'classes')}{_note(details)}",
    )
    return figure


@style.styled
def plane_cells(
    features: np.ndarray,
    split: pd.DataFrame,
    subset: pd.DataFrame,
    details: Details,
) -> Figure:
    """The cells of each cluster's bounding box, a panel for each class and cluster (Fig. 8)."""
    points = _points(features, split, subset, details)
    points["cluster"] = nearest_center(features, np.asarray(details["centers"]))
    sizes = points.groupby(["label", "cluster"]).size()
    every = details["grids"]
    chosen = [sizes.get((grid["label"], grid["cluster"]), 0) for grid in every]
    grids = [every[place] for place in style.largest_and_smallest(chosen, MOST_PANELS)]
    figure, panels = _panels(points, len(grids), details)
    names = _names(points, {grid["label"] for grid in grids}, panels, reserved=11)
    for axes, grid in zip(panels, grids, strict=True):
        members = points[points["label"] == grid["label"]]
        inside = members[members["cluster"] == grid["cluster"]]
        _scatter(axes, members.drop(inside.index), style.FAINT)
        _scatter(axes, inside, style.category_color(int(grid["cluster"])))
        _draw_cells(axes, grid)
        cells = TILINGS[grid["tiling"]].count(grid["side"])
        axes.set_title(
            f"{names[grid['label']]}, cluster {grid['cluster']}\n"
            f"{counted(cells, 'cell')}, {int(inside['chosen'].sum()):,} selected",
            fontsize=8,
        )
    style.title(
        figure,
        "The cells from which images are selected",
        "The bounding box of each cluster is divided into cells. Gray: other images of the class. "
        + style.left_out(len(grids), len(every), "boxes")
        + (f"{RANDOM_CELLS} " if details["random_cells"] else "")
        + _note(details),
    )
    return figure


@style.styled
def plane_chosen(
    features: np.ndarray, split: pd.DataFrame, subset: pd.DataFrame, details: Details
) -> Figure:
    """The selected images over the others in gray, a panel for each class (Fig. 6, 9)."""
    points = _points(features, split, subset, details)
    classes, count = style.classes_shown(points, MOST_PANELS)
    figure, panels = _panels(points, len(classes), details)
    names = _names(points, classes, panels)
    for axes, (label, members) in zip(panels, classes.items(), strict=True):
        chosen = members[members["chosen"]]
        _scatter(axes, members[~members["chosen"]], style.FAINT)
        _scatter(axes, chosen, style.OKABE_ITO[0], larger=True)
        axes.set_title(f"{names[label]}\n{len(chosen):,} of {len(members):,} selected", fontsize=8)
    style.title(
        figure,
        f"{int(points['chosen'].sum()):,} of {len(points):,} training images are selected",
        "Blue: selected. Gray: other images of the class. "
        f"{style.left_out(len(classes), count, 'classes')}{_note(details)}",
    )
    return figure


def _points(
    features: np.ndarray, split: pd.DataFrame, subset: pd.DataFrame, details: Details
) -> pd.DataFrame:
    """A row for each training image: image_id, label, class_name, x, y, chosen.

    Raises
    ------
    PetiteError
        The details are those of another method, or the tables are of different images.
    """
    if "centers" not in details or "grids" not in details:
        raise PetiteError(
            "this subset has no clusters and cells. Use the JSON of a subset of pca_grid."
        )
    points = training_images(split)
    if len(features) != len(points):
        raise PetiteError(
            f"there are features of {len(features)} images but {len(points)} training images. "
            "Use the features and the split of the same run."
        )
    unknown = set(subset["image_id"]) - set(points["image_id"])
    if unknown:
        raise PetiteError(
            f"the subset has {counted(len(unknown), 'image')} outside of the training split, "
            f"such as {min(unknown)}. Use the subset and the split of the same run."
        )
    names = subset.drop_duplicates("label").set_index("label")["class_name"]
    # Every class has an image in every subset.
    points["class_name"] = points["label"].map(names)
    points[["x", "y"]] = _plane(features, details)
    points["chosen"] = points["image_id"].isin(subset["image_id"])
    return points


def _plane(features: np.ndarray, details: Details) -> np.ndarray:
    """The position of each training image, float64 (n_train, 2)."""
    if "plane_points" not in details:
        return first_two(features)
    plane = np.stack([details["plane_points"]["x"], details["plane_points"]["y"]], axis=1)
    if len(plane) != len(features):
        raise PetiteError(
            f"the details have the positions of {len(plane)} images, but there are {len(features)} "
            "training images. Use the details and the split of the same run."
        )
    return plane


def _note(details: Details) -> str:
    """A sentence on the axes."""
    return PLANES[details["plane"]][1]


def _panels(points: pd.DataFrame, count: int, details: Details) -> tuple[Figure, list[Axes]]:
    """A figure with `count` panels of the whole plane.

    One unit is as long in x as in y, unless the panels would be too narrow or too flat.
    """
    axis = PLANES[details["plane"]][0]
    columns = _columns(count)
    rows = math.ceil(count / columns)
    limits = []
    for name in ("x", "y"):
        low, high = points[name].min(), points[name].max()
        margin = MARGIN * (high - low) or 1.0
        limits.append((low - margin, high + margin))
    (x0, x1), (y0, y1) = limits
    # There may be an outlier, or one direction in which images hardly differ.
    shape = float(np.clip((y1 - y0) / (x1 - x0), 0.5, 1.5))
    width = (style.WIDTH - LABELS) / columns
    figure = Figure(
        figsize=(style.WIDTH, rows * (width * shape + 0.4) + 0.75), layout="constrained"
    )
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[count:]:
        axes.remove()
    for place, axes in enumerate(grid.flat[:count]):
        axes.set_xlim(x0, x1)
        axes.set_ylim(y0, y1)
        axes.set_aspect(shape * (x1 - x0) / (y1 - y0), adjustable="box")
        # The last panel of a column is not always in the last row.
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        lowest, leftmost = place + columns >= count, place % columns == 0
        axes.tick_params(labelbottom=lowest, labelleft=leftmost)
        axes.set_xlabel(f"{axis} 1" if lowest else "")
        axes.set_ylabel(f"{axis} 2" if leftmost else "")
    return figure, list(grid.flat[:count])


def _columns(count: int) -> int:
    """How many panels a row has: 2 for 4, 3 for 5 and 6, else up to MOST_COLUMNS."""
    if count <= 6:
        return math.ceil(count / 2) if count > 3 else count
    return MOST_COLUMNS


def _scatter(axes: Axes, points: pd.DataFrame, color: str, larger: bool = False) -> None:
    """Dots, smaller if there are many; as pixels, so that the SVG stays small."""
    size = float(np.clip(2500 / max(len(points), 1), 1.0, 9.0))
    axes.scatter(
        points["x"],
        points["y"],
        s=size * (1.4 if larger else 1.0),
        color=color,
        alpha=0.9 if larger else 0.6,
        linewidths=0,
        rasterized=True,
        zorder=3 if larger else 2,
    )


def _draw_cells(axes: Axes, grid: Grid) -> None:
    """The outlines of the cells of one grid, as one path, so that the SVG stays small."""
    box = np.array([grid["x0"], grid["y0"], grid["x1"], grid["y1"]])
    lines = _lines(TILINGS[grid["tiling"]].polygons(box, grid["side"]), box)
    axes.add_artist(
        PathPatch(
            Path.make_compound_path(*map(Path, lines)),
            fill=False,
            edgecolor=style.INK,
            linewidth=0.35,
            alpha=0.7,
            zorder=4,
        )
    )


def _lines(polygons: list[np.ndarray], box: np.ndarray) -> np.ndarray:
    """The edges of the cells, each once: an edge of two cells would be drawn darker.

    Returns
    -------
    ndarray of float64, shape (n_lines, 2, 2)
        Both ends of each line.
    """
    starts = np.concatenate(polygons)
    ends = np.concatenate([np.roll(polygon, -1, axis=0) for polygon in polygons])
    # Cells are in rows, so at the heights of their corners lines cross the whole box.
    across = [[(box[0], y), (box[2], y)] for y in np.unique(starts[:, 1])]
    upwards = np.concatenate([starts, ends], axis=1)[starts[:, 1] < ends[:, 1]]
    downwards = np.concatenate([ends, starts], axis=1)[starts[:, 1] > ends[:, 1]]
    between = np.unique(np.concatenate([upwards, downwards]), axis=0)
    return np.concatenate([across, between.reshape(-1, 2, 2)])


def _names(
    points: pd.DataFrame, labels: Iterable[int], panels: list[Axes], reserved: int = 0
) -> dict[int, str]:
    """The names of classes, short enough for a panel's title with `reserved` other letters."""
    letters = max(LETTERS_ACROSS // _columns(len(panels)) - reserved, 5)
    names = points.drop_duplicates("label").set_index("label")["class_name"]
    return style.class_labels({label: str(names[label]) for label in labels}, letters)


def _color_key(figure: Figure, colors: Mapping[str, str]) -> None:
    """The legend of colors, above the panels at the right."""
    handles = [
        Line2D([], [], color=color, marker="o", markersize=5, linestyle="", label=text)
        for text, color in colors.items()
    ]
    figure.legend(
        handles=handles,
        loc="outside upper right",
        ncols=min(len(handles), 6) or 1,
        frameon=False,
        handletextpad=0.1,
        columnspacing=1.0,
    )
