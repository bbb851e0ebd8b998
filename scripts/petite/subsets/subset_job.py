"""What the scripts that choose images share: their arguments, and how they read them."""

import argparse
from pathlib import Path

import pandas as pd

from petite.data.splits import training_images
from petite.subsets.tables import Resources, Step
from petite.util import memory
from petite.util.errors import PetiteError
from petite.util.files import read_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of candidates.py, rank.py and subset.py."""
    parser.add_argument("--fraction", type=float, required=True, help="of the training images")
    parser.add_argument("--seed", type=int, required=True, help="of the selection")
    parser.add_argument("--split", type=Path, required=True, help="the split's table")
    parser.add_argument(
        "--features", nargs="*", default=[], metavar="SPACE=PATH", help="the features needed"
    )
    parser.add_argument("--scores", type=Path, help="the proxy's table, where it is needed")
    parser.add_argument("--max-memory", help="of the selection, as 6 GB; default: half of the free")
    parser.add_argument("--output", type=Path, required=True, help=".parquet; its .json beside it")


def add_candidates(parser: argparse.ArgumentParser) -> None:
    """The argument of a second stage."""
    parser.add_argument(
        "--candidates", type=Path, nargs="*", default=[], help="candidates.py's, of all partitions"
    )


def training_table(args: argparse.Namespace) -> pd.DataFrame:
    """The training images of the split."""
    return training_images(read_table(args.split))


def steps(args: argparse.Namespace) -> list[Step]:
    """The selections that --settings asks for: {"steps": [...], "partitions": ...}."""
    return [Step(**step) for step in args.settings["steps"]]


def only_step(args: argparse.Namespace) -> Step:
    """The one selection that --settings asks for."""
    found = steps(args)
    if len(found) != 1:
        raise PetiteError("a chain is chosen by subset.py for each size, in one piece")
    return found[0]


def resources(args: argparse.Namespace) -> Resources:
    """The files and limits that the selection draws on."""
    named = dict(text.split("=", 1) for text in args.features)
    return Resources(
        features={space: Path(path) for space, path in named.items()},
        scores=args.scores,
        partitions=args.settings.get("partitions"),
        max_memory=None if args.max_memory is None else memory.parse(args.max_memory),
    )
