"""Fine-tune a pretrained network per seed on its subset, and evaluate it on the test images."""

import argparse
from pathlib import Path

from petite.data.encoded import add_encoded, encoded_images
from petite.data.store import Store
from petite.networks.backbones import open_backbone
from petite.networks.backend import load_keras
from petite.training.fine_tune import FineTuner, check_settings
from petite.training.judge_job import add_judge, add_subsets, add_training, judge_job
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
        judge_job(args),
        Data(store, read_table(args.split), encoded_images(args, store)),
        FineTuner(
            *(backbone, size, channels, list(store.classes), settings, args.threads),
            seeing=args.seeing,
        ),
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
    add_judge(parser)
    add_subsets(parser)
    add_training(parser)
    add_encoded(parser)
    parser.add_argument("--weights", type=Path, help="the weights of the backbone")
    run(main, parser)
