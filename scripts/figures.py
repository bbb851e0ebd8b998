"""Draw one figure as PNG and SVG."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import petite.plots.plain_matplotlib  # noqa: F401  # isort: skip  # before Matplotlib
import numpy as np
import pandas as pd

from petite.data.source_job import add_source, opened_if_there
from petite.data.splits import of_training_images
from petite.data.store import Store
from petite.evaluation.runs import of_judge, read_csv
from petite.plots.registry import FIGURES, OF_RUNS
from petite.plots.style import save
from petite.subsets.seed_tables import SeedTable
from petite.util.errors import PetiteError
from petite.util.files import read_table
from petite.util.job import argument_parser, run


def subsets_by_method(*paths: Path) -> dict[str, pd.DataFrame]:
    """Subsets of seed 0 by method; each path is .../METHOD/FRACTION/*.parquet."""
    return {path.parts[-3]: first_subset(path) for path in paths}


def first_subset(path: Path) -> pd.DataFrame:
    """The subset of seed 0 in a file."""
    return SeedTable(path, 0).read()


def first_details(path: Path) -> Any:
    """How it was selected."""
    return SeedTable(path, 0).record()


# How to read the files of each kind.
READERS: dict[str, Callable[..., Any]] = {
    "runs": read_csv,
    "summary": read_csv,
    "history": read_csv,
    "store": Store.open,
    "split": read_table,
    "pixels": np.load,
    "smallest_subsets": subsets_by_method,
    "grid_features": np.load,
    "grid_subset": first_subset,
    "grid_details": first_details,
    "augmented_subset": first_subset,
}


def main(args: argparse.Namespace) -> None:
    figure = FIGURES[args.figure]
    files = {name: paths for name, *paths in args.input}
    if missing := figure.inputs.keys() - files.keys():
        raise PetiteError(f"the figure {args.figure} needs --input {' and '.join(sorted(missing))}")
    inputs = {name: READERS[kind](*map(Path, files[name])) for name, kind in figure.inputs.items()}
    for name, kind in figure.inputs.items():
        if args.judge and kind in OF_RUNS:
            inputs[name] = of_judge(inputs[name], args.judge)
    if "features" in inputs:
        # Those of the images that subsets are selected from.
        inputs["features"] = of_training_images(inputs["features"], inputs["split"])
    with opened_if_there(args) as source:
        if figure.takes_source:
            inputs["source"] = source
        drawn = figure.draw(**inputs, **args.settings)
    save(drawn, args.output_png, args.output_svg)


if __name__ == "__main__":
    parser = argument_parser(__doc__)  # settings: the figure's options
    parser.add_argument("--figure", choices=FIGURES, required=True)
    parser.add_argument("--judge", help="whose runs it shows; default: all")
    parser.add_argument(
        "--input",
        nargs="+",
        action="append",
        default=[],
        metavar=("NAME", "PATH"),
        help="an input of the figure and its files; see petite.plots.registry",
    )
    add_source(parser, required=False)  # to show excluded files
    parser.add_argument("--output-png", type=Path, required=True)
    parser.add_argument("--output-svg", type=Path, required=True)
    run(main, parser)
