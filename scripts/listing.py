"""List the images of a source, class by class, as the ingest jobs will read them."""

import argparse
from pathlib import Path

from petite.files import write_table
from petite.job import argument_parser, run
from petite.sources import SOURCES, USUAL_LIMITS, listing, open_source


def main(args: argparse.Namespace) -> None:
    limits = USUAL_LIMITS._replace(max_entries=args.max_entries)
    with open_source(args.source, args.path, limits) as source:
        table = listing(source, **args.settings)
        source.check_unchanged()
    write_table(args.output, table)


if __name__ == "__main__":
    parser = argument_parser(__doc__)  # settings: classes, limit_per_class, max_bad_share
    parser.add_argument("--source", choices=sorted(SOURCES), required=True)
    parser.add_argument("--path", type=Path, help="the file or folder that the source reads")
    parser.add_argument("--max-entries", type=int, default=USUAL_LIMITS.max_entries)
    parser.add_argument("--output", type=Path, required=True, help="the table to write")
    run(main, parser)
