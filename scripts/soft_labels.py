"""Ask a teacher for the soft labels of training images, or of images that a method makes."""

import argparse
from pathlib import Path

from petite.data.store import Store
from petite.subsets.seed_tables import SeedTable, seeds_of
from petite.training.scratch import check_settings
from petite.training.soft_labels import TeacherRecord
from petite.training.teacher import (
    Teacher,
    label_softly,
    made_to_label,
    stored_to_label,
)
from petite.util.files import read_json, read_table
from petite.util.job import argument_parser, block_number, run


def main(args: argparse.Namespace) -> None:
    training = check_settings(args.settings["training"])
    record = TeacherRecord.of([TeacherRecord(**read_json(path)) for path in args.records])
    store = Store.open(args.manifest)
    teacher = Teacher(args.models, training, args.threads)
    if args.subset:
        made = [SeedTable(args.subset, seed).read() for seed in seeds_of(args.subset)]
        asked = made_to_label(store, made)
    else:
        asked = stored_to_label(store, read_table(args.split), *args.block)
    views, temperature = args.settings["views"] or 0, args.settings["temperature"]
    label_softly(asked, teacher, record, training, views, temperature).write(args.output)


if __name__ == "__main__":
    # settings: training, views and temperature
    parser = argument_parser(__doc__)
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json of the store")
    images = parser.add_mutually_exclusive_group(required=True)
    images.add_argument("--split", type=Path, help="the table of a split: its training images")
    images.add_argument("--subset", type=Path, help="a file of subsets whose images are made")
    parser.add_argument(
        "--block", type=block_number, default=(1, 1), help="of these images, such as 1-of-2"
    )
    parser.add_argument("--models", type=Path, nargs="+", required=True, help="its networks")
    parser.add_argument("--records", type=Path, nargs="+", required=True, help="theirs")
    parser.add_argument("--output", type=Path, required=True, help="the .npz; .json is next to it")
    run(main, parser)
