"""The plane: training images at their first two features, and what each method keeps of them.

Bokeh draws it, on a plain canvas: while the plane moves it thins out the points, and tens of
thousands stay smooth. (Its WebGL draws all, which takes a second a frame where there is no graphics
card.) The menus and the slider are plain HTML, and page.js moves the points of the chosen subset in
and out. What the page holds of it
is bounded, however large the data set and however many the methods and seeds.
"""

import base64
import math
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

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
from petite.selection.methods.pca_grid import first_two
from petite.selection.methods.tilings import TILINGS
from petite.util.formatting import number, percent
from petite.util.names import told_apart

MOST_POINTS = 40_000
MOST_THUMBNAILS = 1_700
OF_SMALL_SUBSETS = 0.5  # share of the thumbnails that goes to the subsets first
OF_SHOWN_CLASSES = 0.25  # share that goes to the classes that the page shows next
MOST_CELLS = 2_500  # smaller ones than these cannot be seen
# Of the first seed every subset is there; others and cells as long as there is room, in bytes.
ROOM_FOR_SUBSETS = 400_000
ROOM_FOR_CELLS = 300_000
LONGEST_CLASS, LONGEST_PATH = 40, 120  # letters of the names of classes and of images
MARGIN = 0.04


def plane(inputs: Inputs) -> dict[str, Any]:
    """What the section shows: the drawing as Bokeh's JSON, and the data of the controls."""
    pictured = sampled(inputs)
    drawn = sampled_points(len(inputs.train), pictured)
    points = first_two(inputs.features[drawn]).astype(np.float32)
    labels = inputs.train["label"].to_numpy()
    cases = [case for case in inputs.cases if case in inputs.chosen and case.method != "full"]
    shown = default_case(inputs, cases)
    subsets = {(case, seed): kept for case, seed, kept in subsets_with_room(inputs, cases, drawn)}
    class_names = inputs.store.classes
    return {
        "drawing": drawing(points, len(class_names)),
        "case": shown,
        "default": shown.key if shown else "",
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


def _counts(labels: np.ndarray, classes_in_all: int) -> dict[str, Any]:
    """How many images of each class are kept; of many classes, the fewest and the most."""
    counts = np.bincount(labels, minlength=classes_in_all)
    few = classes_in_all <= classes.MOST_SHOWN
    return {
        "all": int(counts.sum()),
        "least": int(counts.min()),
        "most": int(counts.max()),
        "each": counts.tolist() if few else [],
    }


def _key(case: Case, seed: int) -> str:
    """The name of a subset in the page's data."""
    return f"{case.key}:{seed}"


def _axes(inputs: Inputs) -> str:
    """What the two directions are."""
    if inputs.space == "pixels":
        return "principal components of the pixels"
    return f"features of the space {inputs.space}"


def subsets_with_room(
    inputs: Inputs, cases: Iterable[Case], drawn: np.ndarray
) -> Iterator[tuple[Case, int, np.ndarray]]:
    """(case, seed, which training images are kept): the first seed of all cases, then the next."""
    queue = [
        (place, case, seed) for case in cases for place, seed in enumerate(inputs.by_seed[case])
    ]
    room = float(ROOM_FOR_SUBSETS)
    for place, case, seed in sorted(queue, key=lambda entry: entry[0]):
        if place and room < 0:
            return
        room -= len(drawn) / 6  # a bit for each, as text
        yield case, seed, inputs.kept(case, seed)


def cells_with_room(
    inputs: Inputs, subsets: Iterable[tuple[Case, int]]
) -> Iterator[tuple[str, str]]:
    """The cells of those subsets that have some, packed, as long as there is room."""
    room = float(ROOM_FOR_CELLS)
    for case, seed in subsets:
        packed = _packed(cells(inputs, case, seed))
        room -= len(packed)
        if packed and room > 0:
            yield _key(case, seed), packed


def default_case(inputs: Inputs, cases: list[Case]) -> Case | None:
    """What is shown at first: the smallest size of a method with cells, else of one not random."""
    smallest = sorted(cases, key=lambda case: (case.method == "random", case.fraction))
    grids = [case for case in smallest if "grids" in inputs.details(case)]
    return next(iter(grids or smallest), None)


def sampled(inputs: Inputs) -> np.ndarray:
    """Rows of the training images that have a thumbnail: int64, rising.

    All where they are few. Otherwise images from the small subsets, one of each in turn, so that
    what a method keeps can be looked at, one of each class, some of those that the page shows, and
    the rest evenly from all.
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
    """Rows of the training images that are drawn, int64, rising; those with a thumbnail are."""
    if count <= MOST_POINTS:
        return np.arange(count)
    others = np.setdiff1d(np.arange(count), pictured, assume_unique=True)
    taken = others[middles(len(others), MOST_POINTS - len(pictured))]
    return np.sort(np.concatenate([pictured, taken]))


def middles(count: int, wanted: int) -> np.ndarray:
    """The middles of `wanted` equal stretches of range(count); all of it if it has fewer."""
    taken = min(count, wanted)
    return np.floor((np.arange(taken) + 0.5) * count / max(taken, 1)).astype(int)


def cells(inputs: Inputs, case: Case, seed: int) -> np.ndarray:
    """The walls of the cells that images were chosen from: float32 (lines, 5).

    A line goes from x, y to x, y, and belongs to the class with the label in its last column. Empty
    where there is no tiling, where it divides another plane, and where cells are too many.
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
    """The space that a method compares images in; of a chain, its last step that compares any."""
    entry = inputs.config.get("methods", {}).get(method, {})
    own = [step["space"] for step in entry.get("steps", [entry]) if step.get("space")]
    return own[-1] if own else inputs.config.get("features", {}).get("space", "pixels")


def _walls(grid: dict[str, Any]) -> np.ndarray:
    """The edges of a grid's cells, each once, (lines, 4)."""
    box = np.array([grid[name] for name in ("x0", "y0", "x1", "y1")])
    polygons = TILINGS[grid["tiling"]].polygons(box, grid["side"])
    starts = np.concatenate(polygons)
    ends = np.concatenate([np.roll(polygon, -1, axis=0) for polygon in polygons])
    # Neighbors go along a wall in opposite directions: all shall go to the right, or up.
    along = ends - starts
    backwards = (along[:, 0] < 0) | ((along[:, 0] == 0) & (along[:, 1] < 0))
    starts[backwards], ends[backwards] = ends[backwards], starts[backwards]
    return np.unique(np.hstack([starts, ends]).astype(np.float32), axis=0)


def drawing(points: np.ndarray, n_classes: int) -> Any:
    """The scatter plot as Bokeh's JSON, without its points: page.js has them and puts them in.

    page.js finds the parts by their names.
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
    # Where a point lies among others is all there is to see: the numbers have no unit.
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
) -> list[dict[str, Any]]:
    """The menu: each method with its sizes, rising, and the seeds that can be looked at."""
    seeds: dict[Case, list[int]] = {}
    for case, seed in subsets:
        seeds.setdefault(case, []).append(seed)
    methods = []
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
    """The seeds with their names; a selection without chance in it is the same for all."""
    runs = inputs.runs
    trained = ((runs["method"] == case.method) & (runs["fraction"] == case.fraction)).sum()
    alike = trained > 1 and len(inputs.by_seed[case]) == 1
    return {seed: "any" if alike else str(seed) for seed in seeds}


def _packed(values: np.ndarray) -> str:
    """The bytes of an array as text; page.js knows each one's type."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")


@cache
def scripts() -> tuple[str, ...]:
    """Bokeh's own code, which goes into the page."""
    resources = Resources(mode="inline", components=["bokeh"], minified=True, log_level="error")
    return tuple(resources.js_raw)
