"""Fine-tune a pretrained network per seed on its subset, and evaluate it on the test images."""

import argparse
from pathlib import Path

from petite.data.store import Store
from petite.networks.backbones import open_backbone
from petite.networks.backend import load_keras
from petite.training.fine_tune import FineTuner, check_settings
from petite.training.records import Job
from petite.training.scratch import Data, Outputs, run_job
from petite.util import memory
from petite.util.files import read_table
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    store = Store.open(args.manifest)
    size, _, channels = store.shape
    settings = check_settings(args.settings["fine_tune"])
    load_keras(settings.backend, args.threads)
    backbone = open_backbone(
        weights=args.weights,
        threads=args.threads,
        **args.settings["backbone"] | {"image_size": settings.image_size},
    )
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
        FineTuner(backbone, size, channels, list(store.classes), settings, args.threads),
        Outputs(
            runs=args.output_runs,
            history=args.output_history,
            predictions=args.output_predictions,
            models=args.output_models,
        ),
        None if args.max_memory is None else memory.parse(args.max_memory),
    )


if __name__ == "__main__":
    # settings: backbone (name, scaling) and fine_tune, see
    # `petite.training.judges.FineTuneSettings`
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
    parser.add_argument("--weights", type=Path, help="the weights of the backbone")
    parser.add_argument(
        "--max-memory", help="for the images, such as 6 GB; default: half of what is free"
    )
    parser.add_argument("--output-runs", type=Path, required=True)
    parser.add_argument("--output-history", type=Path, required=True)
    parser.add_argument("--output-predictions", type=Path, required=True)
    parser.add_argument("--output-models", type=Path, required=True, help="a folder")
    run(main, parser)
