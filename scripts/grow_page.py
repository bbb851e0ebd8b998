"""Write the page that shows which new images to add, and what they gain."""

import argparse
from pathlib import Path

from petite.data.store import Store
from petite.report.grow import Inputs, page
from petite.util.files import read_json, read_table, write_text
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    inputs = Inputs(
        images=read_table(args.list),
        record=read_json(args.list.with_suffix(".json")),
        gains=read_table(args.gains),
        answer=args.answer.read_text("utf-8").splitlines(),
        store=Store.open(args.manifest),
        notices=[text for path in args.notices for text in read_json(path)["notices"]],
        **args.settings,
    )
    write_text(args.output, page(inputs))


if __name__ == "__main__":
    # settings: name (of the results), folder, kept, method, compared, pool_share
    parser = argument_parser(__doc__)
    parser.add_argument("--list", type=Path, required=True, help=".parquet of grow_list.py")
    parser.add_argument("--gains", type=Path, required=True, help=".parquet of grow_gains.py")
    parser.add_argument("--answer", type=Path, required=True, help="in words, of grow_gains.py")
    parser.add_argument("--manifest", type=Path, required=True, help="of the store of both")
    parser.add_argument("--notices", type=Path, nargs="*", default=[], help="JSON files of steps")
    parser.add_argument("--output", type=Path, required=True)
    run(main, parser)
