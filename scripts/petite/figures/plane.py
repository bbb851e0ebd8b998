"""The plane of the first two principal components, with clusters, cells and chosen images.

The paper's figures 6 to 9, for any number of classes: a panel for each class, or for each class
and cluster where cells are drawn, all on the same scale.

What the functions take:

- features: float32 (n_train, d), a row for each training row of `split`, in its order;
- split: the table of the split, with image_id, label and split;
- subset: the table of what was chosen, with image_id, class_name and label;
- details: the JSON of a subset of `pca_grid`, with `centres` of the clusters in the feature space
  and `grids`, the boxes that cells divide: label, cluster, x0, y0, x1, y1 and side.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from petite.errors import PetiteError
from petite.figures import style
from petite.selection.pca_grid import nearest_centre

PANELS_WIDE = 4  # at most
MARGIN = 0.04  # of the plane's width and height
PLANE = "The axes are the first two principal components of the pixels, in grey levels."
LABELS = 0.6  # inches beside the panels
LETTERS_ACROSS = 84  # of a title, over all panels side by side


@style.styled
def plane_clusters(
    features: np.ndarray, split: pd.DataFrame, subset: pd.DataFrame, details: Mapping[str, Any]
) -> Figure:
    """The training images on the plane, coloured by cluster, a panel for each class (Fig. 7)."""
    points = _points(features, split, subset)
    points["cluster"] = _clusters(features, details)
    clusters = sorted(set(points["cluster"].tolist()))
    classes = dict(list(points.groupby("label")))
    figure, panels = _panels(points, len(classes))
    for axes, members in zip(panels, classes.values(), strict=True):
        axes.set_title(_short(members["class_name"].iloc[0], panels))
        for cluster in clusters:
            group = members[members["cluster"] == cluster]
            _scatter(axes, group, style.category_colour(cluster))
    _colour_key(figure, {f"cluster {c}": style.category_colour(c) for c in clusters})
    style.title(
        figure,
        "Clusters of the training images",
        f"Each dot is one of the {len(points):,} training images. {PLANE}",
    )
    return figure


@style.styled
def plane_cells(
    features: np.ndarray,
    split: pd.DataFrame,
    subset: pd.DataFrame,
    details: Mapping[str, Any],
) -> Figure:
    """The cells over each cluster's own box, a panel for each class and cluster (Fig. 8)."""
    points = _points(features, split, subset)
    points["cluster"] = _clusters(features, details)
    grids = details["grids"]
    figure, panels = _panels(points, len(grids))
    for axes, grid in zip(panels, grids, strict=True):
        members = points[points["label"] == grid["label"]]
        inside = members[members["cluster"] == grid["cluster"]]
        _scatter(axes, members.drop(inside.index), style.FAINT)
        _scatter(axes, inside, style.category_colour(int(grid["cluster"])))
        _draw_cells(axes, grid)
        name = _short(members["class_name"].iloc[0], panels, reserved=11)
        axes.set_title(
            f"{name}, cluster {grid['cluster']}\n"
            f"{grid['side']} × {grid['side']} cells, {int(inside['chosen'].sum()):,} chosen",
            fontsize=8,
        )
    style.title(
        figure,
        "The cells from which images are chosen",
        f"Each cluster's own box is cut into cells. Grey: other images of the class. {PLANE}",
    )
    return figure


@style.styled
def plane_chosen(features: np.ndarray, split: pd.DataFrame, subset: pd.DataFrame) -> Figure:
    """The chosen images on the faint rest, a panel for each class (Fig. 6, 9)."""
    points = _points(features, split, subset)
    classes = dict(list(points.groupby("label")))
    figure, panels = _panels(points, len(classes))
    for label, axes in zip(classes, panels, strict=True):
        members = classes[label]
        chosen = members[members["chosen"]]
        _scatter(axes, members[~members["chosen"]], style.FAINT)
        _scatter(axes, chosen, style.OKABE_ITO[0], larger=True)
        name = _short(members["class_name"].iloc[0], panels)
        axes.set_title(f"{name}\n{len(chosen):,} of {len(members):,} chosen", fontsize=8)
    style.title(
        figure,
        f"The {int(points['chosen'].sum()):,} chosen of {len(points):,} training images",
        f"Blue: chosen. Grey: the rest of the class. {PLANE}",
    )
    return figure


def _clusters(features: np.ndarray, details: Mapping[str, Any]) -> np.ndarray:
    """The cluster of each training image, int64 (n_train,)."""
    if "centres" not in details or "grids" not in details:
        raise PetiteError(
            "this subset has no clusters and cells. Give the JSON of a subset of pca_grid."
        )
    return nearest_centre(features, np.asarray(details["centres"]))


def _points(features: np.ndarray, split: pd.DataFrame, subset: pd.DataFrame) -> pd.DataFrame:
    """A row for each training image: image_id, label, class_name, x, y, chosen.

    Raises PetiteError when the tables are not about the same images.
    """
    points = split.loc[split["split"] == "train", ["image_id", "label"]].reset_index(drop=True)
    if len(features) != len(points):
        raise PetiteError(
            f"there are features of {len(features)} images but {len(points)} training images. "
            "Give the features and the split of the same run."
        )
    unknown = set(subset["image_id"]) - set(points["image_id"])
    if unknown:
        raise PetiteError(
            f"the subset has {len(unknown)} images that are not in the training split, "
            f"{min(unknown)} among them. Give the subset and the split of the same run."
        )
    names = subset.drop_duplicates("label").set_index("label")["class_name"]
    # Every class has an image in every subset.
    points["class_name"] = points["label"].map(names)
    points["x"] = features[:, 0]
    # As pca_grid does where there is one dimension only.
    points["y"] = features[:, 1] if features.shape[1] > 1 else 0.0
    points["chosen"] = points["image_id"].isin(subset["image_id"])
    return points


def _panels(points: pd.DataFrame, count: int) -> tuple[Figure, list[Axes]]:
    """A figure with `count` panels of the whole plane; one unit is as long in x as in y."""
    columns = _columns(count)
    rows = math.ceil(count / columns)
    limits = []
    for name in ("x", "y"):
        low, high = points[name].min(), points[name].max()
        margin = MARGIN * (high - low) or 1.0
        limits.append((low - margin, high + margin))
    (x0, x1), (y0, y1) = limits
    # A lone point far out must not make the panels slivers: the plane is shown whole either way.
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
        axes.set_aspect("equal", adjustable="box")
        # The last panel of a column is not always in the last row.
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        lowest, leftmost = place + columns >= count, place % columns == 0
        axes.tick_params(labelbottom=lowest, labelleft=leftmost)
        axes.set_xlabel("component 1" if lowest else "")
        axes.set_ylabel("component 2" if leftmost else "")
    return figure, list(grid.flat[:count])


def _columns(count: int) -> int:
    """How many panels stand side by side: 2 for 4, 3 for 5 and 6, else up to PANELS_WIDE."""
    if count <= 6:
        return math.ceil(count / 2) if count > 3 else count
    return PANELS_WIDE


def _scatter(axes: Axes, points: pd.DataFrame, colour: str, larger: bool = False) -> None:
    """Dots that get smaller the more of them there are; as pixels in the SVG, which stays small."""
    size = float(np.clip(2500 / max(len(points), 1), 1.0, 9.0))
    axes.scatter(
        points["x"],
        points["y"],
        s=size * (1.4 if larger else 1.0),
        color=colour,
        alpha=0.9 if larger else 0.6,
        linewidths=0,
        rasterized=True,
        zorder=3 if larger else 2,
    )


def _draw_cells(axes: Axes, grid: Mapping[str, Any]) -> None:
    """The lines between the cells of one grid, and its box."""
    xs = np.linspace(grid["x0"], grid["x1"], grid["side"] + 1)
    ys = np.linspace(grid["y0"], grid["y1"], grid["side"] + 1)
    lines = [[(x, grid["y0"]), (x, grid["y1"])] for x in xs]
    lines += [[(grid["x0"], y), (grid["x1"], y)] for y in ys]
    axes.add_collection(
        LineCollection(lines, colors=style.INK, linewidths=0.35, alpha=0.7, zorder=4),
        autolim=False,
    )


def _short(name: str, panels: list[Axes], reserved: int = 0) -> str:
    """A class's name that fits over a panel, beside `reserved` other letters."""
    letters = LETTERS_ACROSS // _columns(len(panels))
    return style.shortened(str(name), max(letters - reserved, 5))


def _colour_key(figure: Figure, colours: Mapping[str, str]) -> None:
    """Which colour is which, above the panels at the right."""
    handles = [
        Line2D([], [], color=colour, marker="o", markersize=5, linestyle="", label=text)
        for text, colour in colours.items()
    ]
    figure.legend(
        handles=handles,
        loc="outside upper right",
        ncols=min(len(handles), 6) or 1,
        frameon=False,
        handletextpad=0.1,
        columnspacing=1.0,
    )
