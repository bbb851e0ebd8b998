"""Train one model per seed on its subset, and evaluate it on the test images."""

import argparse

from petite.data.encoded import add_encoded, encoded_images
from petite.data.store import Store
from petite.training.judge_job import add_judge, add_subsets, add_training, judge_job
from petite.training.loop import ScratchTrainer
from petite.training.scratch import Data, Outputs, check_settings, run_job
from petite.training.soft_labels import add_soft_labels, soft_labels
from petite.util import memory
from petite.util.files import read_table
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    store = Store.open(args.manifest)
    size, _, channels = store.shape
    settings = check_settings(args.settings)
    soft = soft_labels(args)
    if soft:  # they are smooth themselves
        settings = settings.model_copy(update={"label_smoothing": 0.0})
    run_job(
        judge_job(args),
        Data(store, read_table(args.split), encoded_images(args, store), soft),
        ScratchTrainer(
            *(size, channels, list(store.classes), settings, args.threads),
            temperature=soft.temperature if soft else 1.0,
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
    parser = argument_parser(__doc__)
    add_judge(parser)
    add_subsets(parser)
    add_training(parser)
    add_encoded(parser)
    add_soft_labels(parser)
    run(main, parser)
