"""Tabulate the readable images of a pool, with what each is a duplicate of."""

import argparse
import logging
from pathlib import Path

from petite.data.pool import pool_images
from petite.data.pool_job import add_stores
from petite.data.store import Store
from petite.util.files import write_table
from petite.util.job import argument_parser, run

logger = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    labeled = Store.open(args.labeled) if args.labeled else None
    table = pool_images(Store.open(args.pool), labeled, args.settings["near_copy_distance"])
    write_table(args.output, table)
    of_labeled = int(table["of_labeled"].sum())
    logger.info(
        "%d readable images, of which %d are duplicates of labeled ones and %d of each other",
        len(table),
        of_labeled,
        int((table["copy_of"] != "").sum()) - of_labeled,
    )


if __name__ == "__main__":
    parser = argument_parser(__doc__)  # settings: near_copy_distance
    add_stores(parser)
    parser.add_argument("--output", type=Path, required=True, help="the table to write")
    run(main, parser)
