"""Mark the training images that every subset contains, and those that none does, in the split."""

import argparse
from pathlib import Path

from petite.data.keep_lists import Lists, apply_lists, read_lists
from petite.data.splits import kept_images, training_images
from petite.subsets.tables import add_shares, check_room
from petite.util.files import read_table, write_json, write_table
from petite.util.job import argument_parser, run
from petite.util.notices import Notices


def main(args: argparse.Namespace) -> None:
    notices = Notices()
    lists = read_lists(**{key: args.settings[key] for key in Lists._fields})
    table = apply_lists(
        read_table(args.split),
        read_table(args.index),
        lists,
        without_class=args.settings["without_class"],
        notices=notices,
        is_repeat=args.settings.get("is_repeat", False),
    )
    check_room(args.shares, training_images(table), kept_images(table), notices)
    write_table(args.output, table)
    write_json(args.output.with_suffix(".json"), {"notices": notices})


if __name__ == "__main__":
    # settings: keep and exclude, each a list or the path of a file; without_class, is_repeat
    parser = argument_parser(__doc__)
    parser.add_argument("--split", type=Path, required=True, help="the split's table")
    parser.add_argument("--index", type=Path, required=True, help="index.parquet of the store")
    parser.add_argument("--output", type=Path, required=True, help="the table to write")
    add_shares(parser)
    run(main, parser)
