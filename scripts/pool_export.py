"""Write the chosen images of a pool to a folder to label from, with a table for their labels."""

import argparse
import logging
from pathlib import Path

from petite.export.label_next import export_chosen
from petite.util.files import read_table
from petite.util.job import argument_parser, run

logger = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    table = export_chosen(
        read_table(args.list), args.folder, args.images, args.labels, args.settings["links"]
    )
    logger.info("%d images are in %s", len(table), args.images)


if __name__ == "__main__":
    parser = argument_parser(__doc__)  # settings: links
    parser.add_argument("--list", type=Path, required=True, help=".parquet of pool_choice.py")
    parser.add_argument("--folder", type=Path, required=True, help="the pool")
    parser.add_argument("--images", type=Path, required=True, help="the folder to write")
    parser.add_argument("--labels", type=Path, required=True, help="the table to write")
    run(main, parser)
