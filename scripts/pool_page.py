"""Write the page that shows which images of a pool to label next."""

import argparse
from pathlib import Path

from petite.data.pool_job import add_stores
from petite.data.store import Store
from petite.report.label_next import Inputs, page
from petite.util.files import read_json, read_table, write_text
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    inputs = Inputs(
        chosen=read_table(args.list),
        record=read_json(args.list.with_suffix(".json")),
        pool=Store.open(args.pool),
        labeled=Store.open(args.labeled) if args.labeled else None,
        notices=[text for path in args.notices for text in read_json(path)["notices"]],
        **args.settings,
    )
    write_text(args.output, page(inputs))


if __name__ == "__main__":
    parser = argument_parser(__doc__)  # settings: name (of the results), folder, method, backbone
    add_stores(parser)
    parser.add_argument("--list", type=Path, required=True, help=".parquet of pool_choice.py")
    parser.add_argument(
        "--notices", type=Path, nargs="+", default=[], help="JSON files with notices of steps"
    )
    parser.add_argument("--output", type=Path, required=True)
    run(main, parser)
