"""The command-line arguments that the scripts of the judges share."""

import argparse
import json
from pathlib import Path

from petite.subsets.seed_tables import tables_of
from petite.training.records import Job
from petite.training.seeing import seeing_of


def add_judge(parser: argparse.ArgumentParser) -> None:
    """Add what every judge's job has, but for its subsets, the split and the fraction."""
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json of the store")
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    parser.add_argument("--judge", required=True, help="its name in the rows")
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--method", required=True)
    parser.add_argument("--split-seed", type=int, required=True)
    parser.add_argument("--output-runs", type=Path, required=True)
    parser.add_argument("--output-history", type=Path, required=True)
    parser.add_argument("--output-predictions", type=Path, required=True)


def add_subsets(parser: argparse.ArgumentParser) -> None:
    """Add what the jobs have whose subsets were selected beforehand."""
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--fraction", type=float, required=True)
    parser.add_argument(
        "--subset", type=Path, nargs="+", required=True, help="files with those of the seeds"
    )


def add_training(parser: argparse.ArgumentParser) -> None:
    """Add what the jobs have that train networks and keep them."""
    parser.add_argument(
        "--max-memory", help="for the images, such as 6 GB; default: half of what is free"
    )
    parser.add_argument("--output-models", type=Path, required=True, help="a folder")
    parser.add_argument(
        "--seeing",
        type=lambda text: seeing_of(json.loads(text)),
        help="JSON: see petite.training.seeing; null: the training sees all images",
    )


def judge_job(args: argparse.Namespace) -> Job:
    """The job that the arguments describe; without `add_subsets`, it has no subsets."""
    return Job(
        judge=args.judge,
        dataset=args.dataset,
        method=args.method,
        fraction=args.fraction,
        split_seed=args.split_seed,
        seeds=args.seeds,
        subsets=tables_of(args.subset, args.seeds) if hasattr(args, "subset") else [],
    )
