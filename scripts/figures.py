"""Draw one figure as PNG and SVG."""

import argparse
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from petite.data.source_job import add_source, opened_if_there
from petite.data.store import Store
from petite.evaluation import read_csv
from petite.plots import FIGURES, save
from petite.util.errors import PetiteError
from petite.util.files import read_json, read_table
from petite.util.job import argument_parser, run

# How each input that a figure may need is read from the argument of its name.
READERS: dict[str, Callable[[Any], Any]] = {
    "runs": read_csv,
    "summary": read_csv,
    "history": read_csv,
    "store": Store.open,
    "features": np.load,
    "split": read_table,
    "subset": read_table,
    "subsets": lambda texts: {
        name: read_table(Path(path)) for name, path in (text.split("=", 1) for text in texts)
    },
    "details": read_json,
}


def inputs_for(figure: str, args: argparse.Namespace) -> dict[str, Any]:
    """The inputs that the figure's function takes, read from the files given."""
    inputs = {}
    for name, parameter in inspect.signature(FIGURES[figure]).parameters.items():
        value = getattr(args, name)
        if value is not None or name == "source":
            inputs[name] = READERS[name](value) if name in READERS else value
        elif parameter.default is inspect.Parameter.empty:
            raise PetiteError(f"the figure {figure} needs --{name}.")
    return inputs


def main(args: argparse.Namespace) -> None:
    with opened_if_there(args) as args.source:
        figure = FIGURES[args.figure](**inputs_for(args.figure, args))
    save(figure, args.output_png, args.output_svg)


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--figure", choices=FIGURES, required=True)
    parser.add_argument("--runs", type=Path, help="runs.csv")
    parser.add_argument("--summary", type=Path, help="summary.csv")
    parser.add_argument("--history", type=Path, help="history.csv")
    parser.add_argument("--method", help="curves: of this method alone (with --fraction)")
    parser.add_argument("--fraction", type=float, help="curves, picks: of this fraction")
    parser.add_argument("--store", type=Path, help="the store's manifest.json")
    parser.add_argument("--features", type=Path, help="features of the training images, .npy")
    parser.add_argument("--split", type=Path, help="the split's table")
    parser.add_argument("--subset", type=Path, help="a subset's table")
    parser.add_argument("--subsets", nargs="+", metavar="METHOD=PATH", help="tables of subsets")
    parser.add_argument("--details", type=Path, help="the JSON beside the subset")
    add_source(parser, required=False)  # for files that were set aside
    parser.add_argument("--output-png", type=Path, required=True)
    parser.add_argument("--output-svg", type=Path, required=True)
    run(main, parser)
