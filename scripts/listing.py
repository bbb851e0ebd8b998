"""List the images of a source by class, in the order in which ingest jobs read them."""

import argparse
import json
from pathlib import Path

from petite.data.source_job import add_source, opened
from petite.data.sources import listing
from petite.util.files import write_csv, write_json, write_table
from petite.util.job import argument_parser, run
from petite.util.notices import Notices


def main(args: argparse.Namespace) -> None:
    notices = Notices()
    with opened(args) as source:
        table = listing(source, notices=notices, **args.settings)
        source.check_unchanged()
        left_out = source.labeled.problems if source.labeled else None
    if left_out is not None:
        write_csv(args.output.with_name("labels.csv"), left_out)
    write_table(args.output, table)
    write_json(args.output.with_suffix(".json"), {"notices": notices, "source": args.kept})


if __name__ == "__main__":
    parser = argument_parser(__doc__)  # settings: classes, limit_per_class, max_bad_share
    add_source(parser)
    parser.add_argument("--kept", type=json.loads, help="JSON to keep next to the table")
    parser.add_argument("--output", type=Path, required=True, help="the table to write")
    run(main, parser)
