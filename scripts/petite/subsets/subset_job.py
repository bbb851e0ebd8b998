"""The command-line arguments that the selection scripts share."""

import argparse
from pathlib import Path

from petite.data.splits import training_images
from petite.subsets.chains import SelectionJob, Step
from petite.subsets.tables import subset_size
from petite.util import memory
from petite.util.errors import PetiteError
from petite.util.files import read_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of candidates.py, rank.py and subset.py."""
    parser.add_argument("--fraction", type=float, required=True, help="of the training images")
    parser.add_argument("--seed", type=int, required=True, help="of the selection")
    parser.add_argument("--split", type=Path, required=True, help="the split's table")
    parser.add_argument(
        "--features", nargs="*", default=[], metavar="SPACE=PATH", help="the features needed"
    )
    parser.add_argument("--scores", type=Path, help="the proxy's table, if a method needs it")
    parser.add_argument("--max-memory", help="such as 6 GB; default: half of the free memory")
    parser.add_argument("--output", type=Path, required=True, help=".parquet; also writes .json")


def add_candidates(parser: argparse.ArgumentParser) -> None:
    """Add the argument of a second stage."""
    parser.add_argument(
        "--candidates",
        type=Path,
        nargs="*",
        default=[],
        help="made by candidates.py, all partitions",
    )


def selection_job(args: argparse.Namespace) -> SelectionJob:
    """The job that the arguments describe; --settings is {"steps": [...], "partitions": ...}."""
    train = training_images(read_table(args.split))
    named = dict(text.split("=", 1) for text in args.features)
    return SelectionJob(
        train=train,
        k=subset_size(args.fraction, train),
        steps=[Step(**step) for step in args.settings["steps"]],
        seed=args.seed,
        features={space: Path(path) for space, path in named.items()},
        scores=args.scores,
        partitions=args.settings.get("partitions"),
        max_memory=None if args.max_memory is None else memory.parse(args.max_memory),
    )


def one_step_job(args: argparse.Namespace) -> SelectionJob:
    """The same, for a job of one step. Raises PetiteError for a chain."""
    job = selection_job(args)
    if len(job.steps) != 1:
        raise PetiteError(
            f"This script selects with one method, got a chain of {len(job.steps)}. "
            "Use subset.py for chains."
        )
    return job
