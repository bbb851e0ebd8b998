"""Check settings against the listing of a source that is not known before a run, such as a zip."""

import argparse
from pathlib import Path

from petite.data.keep_lists import Lists, read_lists
from petite.subsets.before_ingest import check_listing
from petite.subsets.tables import add_shares
from petite.util.files import read_table, write_text
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    settings = args.settings
    lists = read_lists(**{key: settings.pop(key) for key in Lists._fields})
    check_listing(read_table(args.listing), lists=lists, shares=args.shares, **settings)
    write_text(args.output, "")


if __name__ == "__main__":
    # settings: keep and exclude, each a list or the path of a file, and those of check_listing
    parser = argument_parser(__doc__)
    parser.add_argument("--listing", type=Path, required=True, help="table of the source's images")
    parser.add_argument("--output", type=Path, required=True, help="an empty file to write")
    add_shares(parser)
    run(main, parser)
