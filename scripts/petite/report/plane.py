"""The plane: training images at their first two features, and what each method keeps of them.

Bokeh draws it (its WebGL copes with tens of thousands of points); the menu and the slider are
plain HTML, and page.js moves the points of the chosen subset in and out.
"""

import base64
import math
from functools import cache
from typing import Any

import numpy as np
from bokeh.core.types import ID
from bokeh.embed import json_item
from bokeh.models import (
    BasicTicker,
    ColumnDataSource,
    CustomJS,
    LinearColorMapper,
    PanTool,
    Range1d,
    WheelZoomTool,
)
from bokeh.plotting import figure
from bokeh.resources import Resources

from petite.report import palette
from petite.report.inputs import Case, Inputs
from petite.report.words import number, percent
from petite.selection.tilings import TILINGS

MOST_THUMBNAILS = 1_700
OF_SMALL_SUBSETS = 0.5  # share of the thumbnails that goes to the subsets first
MOST_CELLS = 2_500  # smaller ones than these cannot be seen
MARGIN = 0.04


def plane(inputs: Inputs) -> dict[str, Any]:
    """What the section shows: the drawing as Bokeh's JSON, and the data of menu and slider."""
    points = first_two(inputs.features)
    pictured = sampled(inputs)
    cases = [case for case in inputs.cases if case in inputs.chosen and case.method != "full"]
    shown = default_case(inputs, cases)
    walled = [(case, cells(inputs, case)) for case in cases]
    return {
        "drawing": drawing(points, inputs, shown),
        "case": shown,
        "default": shown.key if shown else "",
        "methods": _methods(inputs, cases),
        "data": {
            "labels": _packed(inputs.train["label"].to_numpy(np.uint16)),
            "classes": inputs.store.classes,
            "pictured": _packed(pictured.astype(np.uint32)),
            "names": inputs.train["image_id"].iloc[pictured].tolist(),
            "chosen": {case.key: _packed(np.packbits(inputs.chosen[case])) for case in cases},
            "cells": {case.key: _packed(walls) for case, walls in walled if len(walls)},
        },
        "axes": "features of the run's space"
        if inputs.config.get("features", {}).get("space", "pixels") != "pixels"
        else "principal components of the pixels",
        "pictured": pictured,
    }


def first_two(features: np.ndarray) -> np.ndarray:
    """Where each image lies, (n, 2) float32; 0 where there is only one feature."""
    points = np.zeros((len(features), 2), np.float32)
    points[:, : min(2, features.shape[1])] = features[:, :2]
    return points


def default_case(inputs: Inputs, cases: list[Case]) -> Case | None:
    """What is shown at first: the first method that is not random, at its smallest size."""
    smallest = sorted(cases, key=lambda case: (case.method == "random", case.fraction))
    grids = [case for case in smallest if "grids" in inputs.details(case)]
    return next(iter(grids or smallest), None)


def sampled(inputs: Inputs) -> np.ndarray:
    """Rows of the training images that have a thumbnail: int64, rising.

    All where they are few. Otherwise images from the small subsets, one of each in turn, so that
    what a method keeps can be looked at, and the rest evenly from all.
    """
    count = len(inputs.train)
    if count <= MOST_THUMBNAILS:
        return np.arange(count)
    kept = sorted(inputs.chosen.values(), key=lambda mask: int(mask.sum()))
    wanted = int(OF_SMALL_SUBSETS * MOST_THUMBNAILS) // max(len(kept), 1)
    taken = np.zeros(count, bool)
    for mask in kept:
        rows = np.flatnonzero(mask)
        taken[rows[evenly(len(rows), wanted)]] = True
    others = np.flatnonzero(~taken)
    taken[others[evenly(len(others), MOST_THUMBNAILS - int(taken.sum()))]] = True
    return np.flatnonzero(taken)


def evenly(count: int, wanted: int) -> np.ndarray:
    """`wanted` positions (all, if there are fewer) evenly spaced over range(count)."""
    taken = min(count, wanted)
    return np.floor((np.arange(taken) + 0.5) * count / max(taken, 1)).astype(int)


def cells(inputs: Inputs, case: Case) -> np.ndarray:
    """The walls of the cells that a case was chosen from: float32 (lines, 4), from x, y to x, y.

    Empty where there is no tiling, where it divides another plane, and where cells are too many.
    """
    details = inputs.details(case)
    grids = details.get("grids", [])
    nothing = np.empty((0, 4), np.float32)
    if not grids or "plane_points" in details:
        return nothing
    if sum(TILINGS[grid["tiling"]].count(grid["side"]) for grid in grids) > MOST_CELLS:
        return nothing
    return np.concatenate([_walls(grid) for grid in grids]).astype(np.float32)


def _walls(grid: dict[str, Any]) -> np.ndarray:
    """The edges of a grid's cells, each once, (lines, 4)."""
    box = np.array([grid[name] for name in ("x0", "y0", "x1", "y1")])
    polygons = TILINGS[grid["tiling"]].polygons(box, grid["side"])
    starts = np.concatenate(polygons)
    ends = np.concatenate([np.roll(polygon, -1, axis=0) for polygon in polygons])
    # Neighbours go along a wall in opposite directions: all shall go to the right, or up.
    along = ends - starts
    backwards = (along[:, 0] < 0) | ((along[:, 0] == 0) & (along[:, 1] < 0))
    starts[backwards], ends[backwards] = ends[backwards], starts[backwards]
    return np.unique(np.hstack([starts, ends]).astype(np.float32), axis=0)


def drawing(points: np.ndarray, inputs: Inputs, shown: Case | None) -> Any:
    """The scatter plot as Bokeh's JSON. page.js finds its parts by their names."""
    labels = inputs.train["label"].to_numpy(np.int32)
    colours = [light for light, _ in palette.class_colours(len(inputs.store.classes))]
    mapper = LinearColorMapper(
        palette=colours, low=-0.5, high=len(colours) - 0.5, name="class_colours"
    )
    chosen = inputs.chosen[shown] if shown else np.zeros(len(points), bool)
    ranges = _ranges(points)
    zoom = WheelZoomTool(modifiers="ctrl")  # the wheel alone scrolls the page
    plot = figure(
        name="plane",
        height=560,
        sizing_mode="stretch_width",
        x_range=ranges[0],
        y_range=ranges[1],
        tools=[PanTool(), zoom],
        toolbar_location=None,
        output_backend="webgl",
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        x_axis_label="first",
        y_axis_label="second",
    )
    plot.toolbar.active_scroll = zoom
    plot.xaxis.ticker = plot.yaxis.ticker = BasicTicker(desired_num_ticks=5)
    plot.axis.minor_tick_line_color = None
    everything = ColumnDataSource(
        {"x": points[:, 0], "y": points[:, 1], "label": labels}, name="everything"
    )
    kept = ColumnDataSource(
        {"x": points[chosen, 0], "y": points[chosen, 1], "label": labels[chosen]}, name="kept"
    )
    walls = cells(inputs, shown) if shown else np.empty((0, 4), np.float32)
    lines = ColumnDataSource(
        {name: walls[:, place] for place, name in enumerate(("x0", "y0", "x1", "y1"))},
        name="cells",
    )
    size = float(np.clip(220 / math.sqrt(max(len(points), 1)), 2.5, 7))
    fill: Any = {"field": "label", "transform": mapper}
    plot.scatter(
        "x",
        "y",
        source=everything,
        size=size,
        fill_color=fill,
        fill_alpha=0.22,
        line_color=None,
        name="all_dots",
    )
    plot.segment(
        "x0", "y0", "x1", "y1", source=lines, line_width=0.7, line_alpha=0.55, name="walls"
    )
    plot.scatter(
        "x", "y", source=kept, size=1.5 * size, fill_color=fill, line_width=0.8, name="kept_dots"
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


def _methods(inputs: Inputs, cases: list[Case]) -> list[dict[str, Any]]:
    """The menu: each method with its sizes, rising."""
    methods = []
    for method in dict.fromkeys(case.method for case in cases):
        sizes = sorted((case for case in cases if case.method == method), key=lambda c: c.fraction)
        methods.append(
            {
                "name": method,
                "sizes": [
                    {
                        "key": case.key,
                        "text": f"{percent(case.fraction)}: "
                        f"{number(inputs.chosen[case].sum())} images",
                    }
                    for case in sizes
                ],
            }
        )
    return methods


def _packed(values: np.ndarray) -> str:
    """The bytes of an array as text; page.js knows each one's type."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")


@cache
def scripts() -> tuple[str, ...]:
    """Bokeh's own code, which goes into the page."""
    resources = Resources(
        mode="inline", components=["bokeh", "bokeh-gl"], minified=True, log_level="error"
    )
    return tuple(resources.js_raw)
