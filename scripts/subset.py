"""The images that a method keeps at one fraction: cut from its ranking, or chosen for this size."""

import argparse
import logging
from pathlib import Path

from petite.errors import PetiteError
from petite.files import read_json, read_table, write_json, write_table
from petite.job import argument_parser, run
from petite.selection import METHODS
from petite.splits import training_images
from petite.store import Store
from petite.subsets import cut, select_images, stored_bytes, subset_size, subset_table

logger = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    store = Store.open(args.manifest)
    train = training_images(read_table(args.split))
    k = subset_size(args.fraction, train)
    if not METHODS[args.method].ranks:
        ranked, record = select_images(
            train, k, args.method, args.seed, args.settings, args.features
        )
    elif args.ranking:
        ranked = cut(read_table(args.ranking), train, k)
        record = read_json(args.ranking.with_suffix(".json"))
    else:
        raise PetiteError(f"'{args.method}' is cut from its ranking: give --ranking")
    subset = subset_table(ranked, train, store.classes)
    write_table(args.output, subset)
    record |= {
        "fraction": args.fraction,
        "images": len(subset),
        "rows": len(subset),
        "stored_bytes": stored_bytes(len(subset), store.shape),
    }
    write_json(args.output.with_suffix(".json"), record)
    logger.info("%s keeps %d of %d images", args.method, k, len(train))


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--method", choices=METHODS, required=True)
    parser.add_argument("--fraction", type=float, required=True, help="of the training images")
    parser.add_argument("--seed", type=int, required=True, help="of the selection")
    parser.add_argument("--ranking", type=Path, help="rank.py's, for a method that ranks")
    parser.add_argument("--features", type=Path, help="for a method that does not, where needed")
    parser.add_argument("--split", type=Path, required=True, help="the split's table")
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json of the store")
    parser.add_argument("--output", type=Path, required=True, help=".parquet; its .json beside it")
    run(main, parser)
