"""Train one model per seed on its subset, and evaluate it on the test images."""

import argparse
from pathlib import Path

from petite.data.store import Store
from petite.training.loop import ScratchTrainer
from petite.training.records import Job
from petite.training.scratch import Data, Outputs, check_settings, run_job
from petite.util import memory
from petite.util.files import read_table
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    store = Store.open(args.manifest)
    size, _, channels = store.shape
    settings = check_settings(args.settings)
    run_job(
        Job(
            judge=args.judge,
            dataset=args.dataset,
            method=args.method,
            fraction=args.fraction,
            split_seed=args.split_seed,
            seeds=args.seeds,
            subsets=args.subset,
        ),
        Data(store, read_table(args.split)),
        ScratchTrainer(size, channels, list(store.classes), settings, args.threads),
        Outputs(
            runs=args.output_runs,
            history=args.output_history,
            predictions=args.output_predictions,
            models=args.output_models,
        ),
        None if args.max_memory is None else memory.parse(args.max_memory),
    )


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json of the store")
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument(
        "--subset", type=Path, nargs="+", required=True, help="one for each seed, or one for all"
    )
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    parser.add_argument("--judge", required=True, help="its name in the rows")
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--method", required=True)
    parser.add_argument("--fraction", type=float, required=True)
    parser.add_argument("--split-seed", type=int, required=True)
    parser.add_argument(
        "--max-memory", help="for the images, such as 6 GB; default: half of what is free"
    )
    parser.add_argument("--output-runs", type=Path, required=True)
    parser.add_argument("--output-history", type=Path, required=True)
    parser.add_argument("--output-predictions", type=Path, required=True)
    parser.add_argument("--output-models", type=Path, required=True, help="a folder")
    run(main, parser)
