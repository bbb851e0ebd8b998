"""Measure whether brightness, file size or another cue alone predicts the class of an image."""

import argparse
from pathlib import Path

from petite.data.splits import training_images
from petite.data.store import Store
from petite.data.together import together
from petite.evaluation.cues import check_cues, cue_sample, measured_cues, warnings_of
from petite.util.files import read_table, write_csv_and_parquet
from petite.util.job import argument_parser, run
from petite.util.notices import notice


def main(args: argparse.Namespace) -> None:
    store, split = Store.open(args.manifest), read_table(args.split)
    train = training_images(split)
    sample = cue_sample(train, together(store, train))
    table = check_cues(measured_cues(store, sample.image_ids), sample.labels)
    for text in warnings_of(table):
        notice(f"{text}.")
    write_csv_and_parquet(args.output, table.round(4))


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json of the store")
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True, help="a .csv; a .parquet next to it")
    run(main, parser)
