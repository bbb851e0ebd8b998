"""The figures: one function each, and a registry of them by name.

A function's parameters are named after the inputs that it needs (see scripts/figures.py). A new
figure is a function and a line in `FIGURES`.
"""

from collections.abc import Callable

import petite.plots.plain_matplotlib  # noqa: F401  # isort: skip  # before Matplotlib
from matplotlib.figure import Figure

from petite.plots.accuracy import accuracy_by_fraction
from petite.plots.curves import curves
from petite.plots.differences import differences
from petite.plots.picks import picks
from petite.plots.plane import plane_cells, plane_chosen, plane_clusters
from petite.plots.samples import augmented, samples, set_aside, stored
from petite.plots.style import save

__all__ = ["FIGURES", "save"]

FIGURES: dict[str, Callable[..., Figure]] = {
    "accuracy_by_fraction": accuracy_by_fraction,
    "curves": curves,
    "differences": differences,
    "picks": picks,
    "plane_clusters": plane_clusters,
    "plane_cells": plane_cells,
    "plane_chosen": plane_chosen,
    "samples": samples,
    "stored": stored,
    "augmented": augmented,
    "set_aside": set_aside,
}
