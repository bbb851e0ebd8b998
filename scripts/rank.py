"""The order in which a method would keep all training images, for one seed."""

import argparse
import logging
from pathlib import Path

from petite.errors import PetiteError
from petite.files import read_table, write_json, write_table
from petite.job import argument_parser, run
from petite.selection import METHODS
from petite.splits import training_images
from petite.subsets import select_images

logger = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    if not METHODS[args.method].ranks:
        raise PetiteError(f"'{args.method}' gives no ranking: subset.py runs it for each size")
    train = training_images(read_table(args.split))
    ranked, record = select_images(
        train, len(train), args.method, args.seed, args.settings, args.features
    )
    write_table(args.output, ranked)
    write_json(args.output.with_suffix(".json"), record)
    logger.info("%s ranked %d images in %.2f s", args.method, len(train), record["seconds"])


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--method", choices=METHODS, required=True)
    parser.add_argument("--seed", type=int, required=True, help="of the selection")
    parser.add_argument("--features", type=Path, help="of the training images, where needed")
    parser.add_argument("--split", type=Path, required=True, help="the split's table")
    parser.add_argument("--output", type=Path, required=True, help=".parquet; its .json beside it")
    run(main, parser)
