"""The command-line arguments that the selection scripts share."""

import argparse
from pathlib import Path

from petite.data.splits import described_images, kept_images, training_images
from petite.subsets.chains import SelectionJob, Step
from petite.subsets.tables import least_size, subset_size
from petite.util import memory
from petite.util.errors import PetiteError
from petite.util.files import read_table
from petite.util.formatting import counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of rank.py and subset.py."""
    add_selection(parser)
    parser.add_argument("--seeds", type=int, nargs="+", required=True, help="of the selections")
    parser.add_argument(
        "--candidates",
        type=Path,
        nargs="*",
        default=[],
        help="made by candidates.py: all partitions of the first seed, then of the next one",
    )
    add_output(parser)


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add what a selection needs; with several seeds, files of the proxy for each of them."""
    parser.add_argument("--fraction", type=float, required=True, help="of the training images")
    parser.add_argument("--split", type=Path, required=True, help="the split's table")
    parser.add_argument(
        "--features",
        nargs="*",
        default=[],
        metavar="SPACE=PATH",
        help="the features needed; a space of the proxy once for each seed",
    )
    parser.add_argument(
        "--scores", type=Path, nargs="*", default=[], help="the proxy's tables, if they are needed"
    )
    parser.add_argument("--max-memory", help="such as 6 GB; default: half of the free memory")


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add the table that a selection script writes."""
    parser.add_argument("--output", type=Path, required=True, help=".parquet; also writes .json")


def selection_jobs(args: argparse.Namespace) -> list[SelectionJob]:
    """The jobs of all seeds; --settings is {"steps": [...], "partitions": ...}."""
    split = read_table(args.split)
    train, kept = training_images(split), kept_images(split)
    k, least = subset_size(args.fraction, train), least_size(train, kept)
    if k < least:
        raise PetiteError(
            f"keep: the fraction {args.fraction:g} has room for {counted(k, 'image')}, but there "
            f"must be {least} to keep {len(kept)} and one of every class. Use a larger fraction, "
            "or keep fewer"
        )
    paths: dict[str, list[Path]] = {}
    for space, path in (text.split("=", 1) for text in args.features):
        paths.setdefault(space, []).append(Path(path))
    return [
        SelectionJob(
            train=train,
            k=k,
            described=described_images(split),
            kept=kept,
            steps=[Step(**step) for step in args.settings["steps"]],
            seed=seed,
            features={space: _of(place, found) for space, found in paths.items()},
            scores=_of(place, args.scores) if args.scores else None,
            partitions=args.settings.get("partitions"),
            max_memory=None if args.max_memory is None else memory.parse(args.max_memory),
        )
        for place, seed in enumerate(args.seeds)
    ]


def _of(place: int, paths: list[Path]) -> Path:
    """The file of a seed: its own, or the one for all seeds."""
    return paths[0] if len(paths) == 1 else paths[place]


def one_step_jobs(args: argparse.Namespace) -> list[SelectionJob]:
    """The same, for jobs of one step. Raises PetiteError for a chain."""
    jobs = selection_jobs(args)
    if (count := len(jobs[0].steps)) != 1:
        raise PetiteError(
            f"This script selects with one method, got a chain of {count}. "
            "Use subset.py for chains."
        )
    return jobs


def candidates_by_seed(args: argparse.Namespace) -> list[list[Path]]:
    """The candidates of all partitions for each seed; none if they were not made beforehand."""
    parts = len(args.candidates) // len(args.seeds)
    return [
        args.candidates[place * parts : (place + 1) * parts] for place in range(len(args.seeds))
    ]
