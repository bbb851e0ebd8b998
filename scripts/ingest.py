"""Decode one shard of a source's images into the store, with a table of its entries."""

import argparse
from pathlib import Path

from petite.data.ingest import ingest_shard
from petite.data.shard_job import add_shard, shard_of
from petite.data.source_job import opened
from petite.data.sources import USUAL_LIMITS
from petite.util.files import write_table
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    settings = args.settings
    with opened(args, settings.get("max_bytes", USUAL_LIMITS.max_bytes)) as source:
        rows, reading = shard_of(source, args, settings)
        table = ingest_shard(
            source,
            rows,
            args.output_pixels,
            image_size=settings["image_size"],
            channels=settings["channels"],
            **reading,
        )
        source.check_unchanged()
    write_table(args.output_rows, table)


if __name__ == "__main__":
    # settings: image_size, channels, max_bytes, and those of `petite.data.shard_job.add_shard`
    parser = argument_parser(__doc__)
    add_shard(parser)
    parser.add_argument("--output-pixels", type=Path, required=True, help="the .npy to write")
    parser.add_argument("--output-rows", type=Path, required=True, help="the table to write")
    run(main, parser)
