"""Run a program of the user's once per seed on its subset, and evaluate its predictions."""

import argparse
from contextlib import ExitStack

from petite.data.pictures import original_pixels, stored_pixels
from petite.data.shard_job import reading_of
from petite.data.source_job import add_source, opened
from petite.data.store import Store
from petite.training.judge_job import add_judge, add_subsets, judge_job
from petite.training.program import check_settings, run_job
from petite.training.scratch import Data
from petite.util.files import read_table
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    store = Store.open(args.manifest)
    settings = check_settings({**args.settings["program"], "max_seconds": args.max_seconds})
    with ExitStack() as stack:
        pixels = stored_pixels(store)
        if settings.image_size:
            own = args.settings["reading"]
            source = stack.enter_context(opened(args, own["max_bytes"]))
            reading = reading_of(source, own, lambda: store.index["image_id"])
            pixels = original_pixels(source, settings.image_size, store.channels, **reading)
        run_job(
            judge_job(args),
            Data(store, read_table(args.split)),
            settings,
            args.threads,
            args.output_runs,
            args.output_history,
            args.output_predictions,
            pixels,
        )


if __name__ == "__main__":
    # settings: program (`petite.training.program.ProgramSettings`); with an image_size also
    # reading: max_bytes and those of `petite.data.shard_job.reading_of`
    parser = argument_parser(__doc__)
    add_judge(parser)
    add_subsets(parser)
    parser.add_argument("--max-seconds", type=float, required=True, help="of one run")
    add_source(parser, required=False)
    run(main, parser)
