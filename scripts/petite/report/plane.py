"""The plane: training images at their first two features, and which of them each method keeps.

Bokeh draws it on a plain canvas. While the plane moves it draws fewer points, so that tens of
thousands stay smooth. (Its WebGL draws all points, which takes a second per frame without a
graphics card.) The menus and the slider are plain HTML, and page.js puts the points of the chosen
subset into the plot. The size of this data is bounded, however large the data set is and however
many methods and seeds there are.
"""

import petite.report.plain_bokeh  # noqa: F401  # isort: skip  # before Bokeh

import base64
import math
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, TypedDict

import numpy as np
from bokeh.core.types import ID
from bokeh.embed import json_item
from bokeh.models import (
    ColumnDataSource,
    CustomJS,
    LinearColorMapper,
    PanTool,
    Range1d,
    WheelZoomTool,
)
from bokeh.plotting import figure
from bokeh.resources import Resources

from petite.report import classes, palette
from petite.report.inputs import Case, Inputs
from petite.report.words import name
from petite.selection.methods.pca_grid import Grid, first_two
from petite.selection.methods.tilings import TILINGS
from petite.util.encoded_names import method_of
from petite.util.formatting import number, percent
from petite.util.names import told_apart

MOST_POINTS = 40_000
MOST_THUMBNAILS = 1_700
OF_SMALL_SUBSETS = 0.5  # fraction of the thumbnails for the images in subsets
OF_SHOWN_CLASSES = 0.25  # fraction of the thumbnails for the classes that the report shows
MOST_CELLS = 2_500  # more cells are too small to be seen
# Bytes. All subsets of the first seed are included; those of other seeds, and cells, if they fit.
ROOM_FOR_SUBSETS = 400_000
ROOM_FOR_CELLS = 300_000
LONGEST_CLASS, LONGEST_PATH = 40, 120  # letters of the names of classes and of images
MARGIN = 0.04


class Counts(TypedDict):
    """Images of a subset: of all classes, of the smallest and largest class, and of each of few."""

    all: int
    least: int
    most: int
    each: list[int]


class Data(TypedDict):
    """The data of page.js without the columns of the sheet.

    Arrays are base64. Subsets are named METHOD:FRACTION:SEED.
    """

    x: str
    y: str
    labels: str
    classes: list[str]
    hues: int
    total: int
    pictured: str
    names: list[str]
    chosen: dict[str, str]
    counts: dict[str, Counts]
    cells: dict[str, str]


class Size(TypedDict):
    """A size in the menu: its case, its seeds with their names, and its text."""

    key: str
    seeds: dict[int, str]
    text: str


class Method(TypedDict):
    """A method in the menu."""

    name: str
    sizes: list[Size]


class Plane(TypedDict):
    """The drawing as Bokeh's JSON, the data of page.js and the menus, and what is shown at first.

    `pictured` are the rows of the training images with a thumbnail, `points` how many are drawn.
    """

    drawing: Any
    case: Case | None
    methods: list[Method]
    data: Data
    axes: str
    points: int
    pictured: np.ndarray


def plane(inputs: Inputs) -> Plane:
    """The section's values."""
    pictured = sampled(inputs)
    drawn = sampled_points(len(inputs.train), pictured)
    points = first_two(inputs.features[drawn]).astype(np.float32)
    labels = inputs.train["label"].to_numpy()
    keeping = {case for case, kept in inputs.chosen.items() if kept.any()}
    # Encodings share their subsets, which are those of the originals.
    plain = dict.fromkeys(Case(method_of(case.method), case.fraction) for case in inputs.cases)
    cases = [case for case in plain if case in keeping and case.method != "full"]
    shown = default_case(inputs, cases)
    subsets = {(case, seed): kept for case, seed, kept in subsets_with_room(inputs, cases, drawn)}
    class_names = inputs.store.classes
    return {
        "drawing": drawing(points, len(class_names)),
        "case": shown,
        "methods": _methods(inputs, cases, subsets),
        "data": {
            "x": _packed(points[:, 0]),
            "y": _packed(points[:, 1]),
            "labels": _packed(labels[drawn].astype(np.uint16)),
            "classes": list(told_apart(dict(enumerate(class_names)), LONGEST_CLASS, name).values()),
            "hues": len(palette.class_colors(len(class_names))),
            "total": len(inputs.train),
            "pictured": _packed(np.searchsorted(drawn, pictured).astype(np.uint32)),
            "names": [
                name(image_id, LONGEST_PATH)
                for image_id in inputs.train["image_id"].iloc[pictured].tolist()
            ],
            "chosen": {
                _key(case, seed): _packed(np.packbits(kept[drawn]))
                for (case, seed), kept in subsets.items()
            },
            "counts": {
                _key(case, seed): _counts(labels[kept], len(class_names))
                for (case, seed), kept in subsets.items()
            },
            "cells": dict(cells_with_room(inputs, subsets)),
        },
        "axes": _axes(inputs),
        "points": len(drawn),
        "pictured": pictured,
    }


def _counts(labels: np.ndarray, n_classes: int) -> Counts:
    """How many images of each class are kept."""
    counts = np.bincount(labels, minlength=n_classes)
    few = n_classes <= classes.MOST_SHOWN
    return {
        "all": int(counts.sum()),
        "least": int(counts.min()),
        "most": int(counts.max()),
        "each": counts.tolist() if few else [],
    }


def _key(case: Case, seed: int) -> str:
    """The name of a subset in the data of page.js."""
    return f"{case.key}:{seed}"


def _axes(inputs: Inputs) -> str:
    """The meaning of the axes."""
    if inputs.space == "pixels":
        return "principal components of the pixels"
    return f"features of the space {inputs.space}"


def subsets_with_room(
    inputs: Inputs, cases: Iterable[Case], drawn: np.ndarray
) -> Iterator[tuple[Case, int, np.ndarray]]:
    """(case, seed, kept images): the first seed of all cases, then other seeds while they fit."""
    queue = [
        (place, case, seed) for case in cases for place, seed in enumerate(inputs.by_seed[case])
    ]
    room = float(ROOM_FOR_SUBSETS)
    for place, case, seed in sorted(queue, key=lambda entry: entry[0]):
        if place and room < 0:
            return
        room -= len(drawn) / 6  # a bit for each, as text
        yield case, seed, inputs.kept(case, seed) if place else inputs.chosen[case]


def cells_with_room(
    inputs: Inputs, subsets: Iterable[tuple[Case, int]]
) -> Iterator[tuple[str, str]]:
    """The packed cells of the subsets that have cells, while they fit."""
    room = float(ROOM_FOR_CELLS)
    for case, seed in subsets:
        packed = _packed(cells(inputs, case, seed))
        room -= len(packed)
        if packed and room > 0:
            yield _key(case, seed), packed


def default_case(inputs: Inputs, cases: list[Case]) -> Case | None:
    """The first one shown: the smallest of a method with cells, else of one other than random."""
    smallest = sorted(cases, key=lambda case: (case.method == "random", case.fraction))
    grids = (case for case in smallest if "grids" in inputs.details(case))
    return next(grids, smallest[0] if smallest else None)


def sampled(inputs: Inputs) -> np.ndarray:
    """Rows of the training images that have a thumbnail: int64, ascending.

    All if there are few. Otherwise images of the small subsets in turn, so that the reader sees
    what a method keeps; one image of each class; more of the classes that the report shows; and
    the rest evenly from all images.
    """
    count = len(inputs.train)
    if count <= MOST_THUMBNAILS:
        return np.arange(count)
    kept = sorted(inputs.chosen.values(), key=lambda mask: int(mask.sum()))
    wanted = int(OF_SMALL_SUBSETS * MOST_THUMBNAILS) // max(len(kept), 1)
    taken = np.zeros(count, bool)
    for mask in kept:
        rows = np.flatnonzero(mask)
        taken[rows[middles(len(rows), wanted)]] = True
    labels = inputs.train["label"].to_numpy()
    firsts = np.unique(labels, return_index=True)[1]
    without = firsts[~np.isin(labels[firsts], labels[taken])]
    taken[without[: MOST_THUMBNAILS - int(taken.sum())]] = True
    shown = classes.shown(inputs)
    wanted = int(OF_SHOWN_CLASSES * MOST_THUMBNAILS)
    for label in shown:
        room = min(wanted // len(shown), MOST_THUMBNAILS - int(taken.sum()))
        rows = np.flatnonzero((labels == label) & ~taken)
        taken[rows[middles(len(rows), room)]] = True
    others = np.flatnonzero(~taken)
    taken[others[middles(len(others), MOST_THUMBNAILS - int(taken.sum()))]] = True
    return np.flatnonzero(taken)


def sampled_points(count: int, pictured: np.ndarray) -> np.ndarray:
    """Rows of the training images that are drawn, with those in `pictured`: int64, ascending."""
    if count <= MOST_POINTS:
        return np.arange(count)
    others = np.setdiff1d(np.arange(count), pictured, assume_unique=True)
    taken = others[middles(len(others), MOST_POINTS - len(pictured))]
    return np.sort(np.concatenate([pictured, taken]))


def middles(count: int, wanted: int) -> np.ndarray:
    """The middles of `wanted` equal parts of range(count); all of it if `count` is smaller."""
    taken = min(count, wanted)
    return np.floor((np.arange(taken) + 0.5) * count / max(taken, 1)).astype(int)


def cells(inputs: Inputs, case: Case, seed: int) -> np.ndarray:
    """The edges of the cells that images were selected from.

    Returns
    -------
    ndarray of float32, shape (n_lines, 5)
        x and y of both ends, and the label of the class. Empty if there is no tiling, if it divides
        another plane, and if there are too many cells.
    """
    details = inputs.details(case, seed)
    grids = details.get("grids", [])
    nothing = np.empty((0, 5), np.float32)
    if not grids or "plane_points" in details or _space_of(inputs, case.method) != inputs.space:
        return nothing
    if sum(TILINGS[grid["tiling"]].count(grid["side"]) for grid in grids) > MOST_CELLS:
        return nothing
    return np.concatenate(
        [np.insert(_walls(grid), 4, grid["label"], axis=1) for grid in grids], dtype=np.float32
    )


def _space_of(inputs: Inputs, method: str) -> str:
    """The feature space of a method; of a chain, that of its last step with a space."""
    entry = inputs.config.get("methods", {}).get(method, {})
    own = [step["space"] for step in entry.get("steps", [entry]) if step.get("space")]
    return own[-1] if own else inputs.config.get("features", {}).get("space", "pixels")


def _walls(grid: Grid) -> np.ndarray:
    """The edges of a grid's cells, each once, (lines, 4)."""
    box = np.array([grid["x0"], grid["y0"], grid["x1"], grid["y1"]])
    polygons = TILINGS[grid["tiling"]].polygons(box, grid["side"])
    starts = np.concatenate(polygons)
    ends = np.concatenate([np.roll(polygon, -1, axis=0) for polygon in polygons])
    # Neighbors run along an edge in opposite directions. Make all run to the right, or up.
    along = ends - starts
    backwards = (along[:, 0] < 0) | ((along[:, 0] == 0) & (along[:, 1] < 0))
    starts[backwards], ends[backwards] = ends[backwards], starts[backwards]
    return np.unique(np.hstack([starts, ends]).astype(np.float32), axis=0)


def drawing(points: np.ndarray, n_classes: int) -> Any:
    """The scatter plot as Bokeh's JSON, without points.

    page.js adds the points and finds the parts of the plot by their names.
    """
    shared = [light for light, _ in palette.class_colors(n_classes)]
    mapper = LinearColorMapper(
        palette=[shared[label % len(shared)] for label in range(n_classes)],
        low=-0.5,
        high=n_classes - 0.5,
        name="class_colors",
    )
    ranges = _ranges(points)
    zoom = WheelZoomTool(modifiers="ctrl")  # the wheel alone scrolls the page
    plot = figure(
        name="plane",
        sizing_mode="stretch_both",
        x_range=ranges[0],
        y_range=ranges[1],
        tools=[PanTool(), zoom],
        toolbar_location=None,
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
    )
    plot.toolbar.active_scroll = zoom
    # Only the relative position of points matters: the numbers have no unit.
    plot.axis.visible = False
    plot.grid.visible = False
    everything = ColumnDataSource({"x": [], "y": [], "label": []}, name="everything")
    kept = ColumnDataSource({"x": [], "y": [], "label": []}, name="kept")
    lines = ColumnDataSource({name: [] for name in ("x0", "y0", "x1", "y1", "label")}, name="cells")
    size = float(np.clip(220 / math.sqrt(max(len(points), 1)), 2.5, 7))
    color: Any = {"field": "label", "transform": mapper}
    plot.scatter(
        "x",
        "y",
        source=everything,
        size=size,
        fill_color=color,
        fill_alpha=0.22,
        line_color=None,
        name="all_dots",
    )
    plot.segment(
        "x0",
        "y0",
        "x1",
        "y1",
        source=lines,
        line_color=color,
        line_width=1,
        line_alpha=0.6,
        name="walls",
    )
    plot.scatter(
        "x", "y", source=kept, size=1.5 * size, fill_color=color, line_width=0.8, name="kept_dots"
    )
    for event in ("mousemove", "mouseleave", "tap"):
        plot.js_on_event(event, CustomJS(code="window.petitePlane(cb_obj)"))
    return json_item(plot, ID("plane-drawing"))


def _ranges(points: np.ndarray) -> list[Range1d]:
    ranges = []
    for values in points.T:
        low, high = float(values.min()), float(values.max())
        space = MARGIN * (high - low) or 1.0
        ranges.append(
            Range1d(
                start=low - space,
                end=high + space,
                reset_start=low - space,
                reset_end=high + space,
            )
        )
    return ranges


def _methods(
    inputs: Inputs, cases: list[Case], subsets: Iterable[tuple[Case, int]]
) -> list[Method]:
    """The menu: each method with its sizes, ascending, and the seeds in the data."""
    seeds: dict[Case, list[int]] = {}
    for case, seed in subsets:
        seeds.setdefault(case, []).append(seed)
    methods: list[Method] = []
    for method in dict.fromkeys(case.method for case in cases):
        sizes = sorted((case for case in cases if case.method == method), key=lambda c: c.fraction)
        methods.append(
            {
                "name": method,
                "sizes": [
                    {
                        "key": case.key,
                        "seeds": _seed_names(inputs, case, seeds[case]),
                        "text": f"{percent(case.fraction)}: "
                        f"{number(inputs.chosen[case].sum())} images",
                    }
                    for case in sizes
                ],
            }
        )
    return methods


def _seed_names(inputs: Inputs, case: Case, seeds: list[int]) -> dict[int, str]:
    """The seeds with their names; a deterministic selection is the same for any seed."""
    runs = inputs.runs
    trained = ((runs["method"] == case.method) & (runs["fraction"] == case.fraction)).sum()
    alike = trained > 1 and len(inputs.by_seed[case]) == 1
    return {seed: "any" if alike else str(seed) for seed in seeds}


def _packed(values: np.ndarray) -> str:
    """The bytes of an array as base64; page.js knows the types."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")


@cache
def scripts() -> tuple[str, ...]:
    """Bokeh's own code, which is part of the report."""
    resources = Resources(mode="inline", components=["bokeh"], minified=True, log_level="error")
    return tuple(resources.js_raw)
