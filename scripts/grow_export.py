"""Write the new images to add to class folders, in their order."""

import argparse
from pathlib import Path

from petite.export.grow import export_new
from petite.util.files import read_table
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    table = read_table(args.list)
    export_new(table[table["set_aside"] == ""], args.folder, args.output, args.settings["links"])


if __name__ == "__main__":
    parser = argument_parser(__doc__)  # settings: links
    parser.add_argument("--list", type=Path, required=True, help=".parquet of grow_list.py")
    parser.add_argument("--folder", type=Path, required=True, help="that of the new images")
    parser.add_argument("--output", type=Path, required=True, help="the folder to write")
    run(main, parser)
