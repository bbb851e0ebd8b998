"""Decode one shard of a source's images into the store, with a table of its entries."""

import argparse
import re
from functools import cache
from pathlib import Path

import pandas as pd

from petite.data.decoding.depth import Depth
from petite.data.ingest import ingest_shard, range_of_set, read_shard_rows, shard_rows_by_name
from petite.data.source_job import add_source, opened
from petite.data.sources import USUAL_LIMITS, listing
from petite.util.files import write_table
from petite.util.job import argument_parser, run

LIMITS = ("max_pixels", "max_seconds")


def main(args: argparse.Namespace) -> None:
    settings = dict(args.settings)
    listed = settings.pop("listing", None)
    depth = settings.pop("depth", "full")
    max_bytes = settings.pop("max_bytes", USUAL_LIMITS.max_bytes)
    with opened(args, max_bytes) as source:
        if args.listing:
            rows = read_shard_rows(args.listing, *args.shard)
        else:
            entries = listing(source, **listed)
            rows = shard_rows_by_name(entries, *args.shard)

        @cache  # computed once, and only if an image needs it
        def set_range() -> Depth:
            ids = (pd.read_parquet(args.listing) if args.listing else entries)["image_id"]
            limits = {name: settings[name] for name in LIMITS if name in settings}
            return range_of_set(source, ids, **limits)

        if depth == "stretch":
            depth = set_range
        elif not isinstance(depth, str):
            depth = tuple(depth)
        table = ingest_shard(source, rows, args.output_pixels, depth=depth, **settings)
        source.check_unchanged()
    write_table(args.output_rows, table)


def shard_number(text: str) -> tuple[int, int]:
    """Read "1-of-2" as (1, 2)."""
    match = re.fullmatch(r"(\d+)-of-(\d+)", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form 1-of-2")
    return int(match[1]), int(match[2])


if __name__ == "__main__":
    # settings: image_size, channels, depth, min_side, max_pixels, max_bytes, max_seconds; without
    # --listing also `listing` (classes, limit_per_class, max_bad_share)
    parser = argument_parser(__doc__)
    add_source(parser)
    parser.add_argument(
        "--listing",
        type=Path,
        nargs="?",
        help="the table of all entries, of which a shard is a block; without it, the source is "
        "listed, and the name of an entry decides on its shard",
    )
    parser.add_argument("--shard", type=shard_number, required=True, help="such as 1-of-2")
    parser.add_argument("--output-pixels", type=Path, required=True, help="the .npy to write")
    parser.add_argument("--output-rows", type=Path, required=True, help="the table to write")
    run(main, parser)
