"""Divide the images into training, validation and test images."""

import argparse
from pathlib import Path

from petite.data.annotations import annotations_of
from petite.data.splitting import split_images
from petite.util.files import read_table, write_csv, write_json, write_table
from petite.util.job import argument_parser, run
from petite.util.notices import Notices


def main(args: argparse.Namespace) -> None:
    notices = Notices()
    index, listing = read_table(args.index), read_table(args.listing)
    split = split_images(
        index,
        seed=args.seed,
        annotations=annotations_of(listing),
        notices=notices,
        **args.settings,
    )
    write_table(args.output, split.table)
    write_csv(args.leaks, split.leaks)
    write_json(args.output.with_suffix(".json"), {"notices": notices})


if __name__ == "__main__":
    parser = argument_parser(__doc__)  # settings: those of `split` without its seed
    parser.add_argument("--index", type=Path, required=True, help="index.parquet of the store")
    parser.add_argument("--listing", type=Path, required=True, help="table of the source's images")
    parser.add_argument("--output", type=Path, required=True, help="the table to write")
    parser.add_argument("--leaks", type=Path, required=True, help="the CSV file of leaks to write")
    parser.add_argument("--seed", type=int, required=True, help="the split seed")
    run(main, parser)
