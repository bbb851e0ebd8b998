"""Ask a teacher for the soft labels of all training images."""

import argparse
from pathlib import Path

from petite.data.store import Store
from petite.training.scratch import check_settings
from petite.training.soft_labels import TeacherRecord
from petite.training.teacher import Teacher, label_softly, networks_of
from petite.util.files import read_json, read_table
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    training = check_settings(args.settings["training"])
    record = TeacherRecord(**read_json(args.record))
    labels = label_softly(
        Store.open(args.manifest),
        read_table(args.split),
        Teacher(networks_of(args.models, record), training, args.threads),
        record,
        training,
        args.settings["views"] or 0,
        args.settings["temperature"],
    )
    labels.write(args.output)


if __name__ == "__main__":
    # settings: training, views and temperature
    parser = argument_parser(__doc__)
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json of the store")
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True, help="the folder of its networks")
    parser.add_argument("--record", type=Path, required=True, help="how they were trained")
    parser.add_argument("--output", type=Path, required=True, help="the .npz; .json is next to it")
    run(main, parser)
