"""Encode one shard of a source's images, and decode them at the store's size."""

import argparse
from pathlib import Path

from petite.data.encode import EncodedFiles, Encoding, encode_shard
from petite.data.shard_job import add_shard, shard_of
from petite.data.source_job import opened
from petite.util.files import write_table
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    settings = args.settings
    with opened(args, settings["max_bytes"]) as source:
        rows, reading = shard_of(source, args, settings)
        table = encode_shard(
            source,
            rows,
            EncodedFiles(args.output_images, args.output_pixels),
            Encoding(**settings["encoding"]),
            settings["image_size"],
            settings["channels"],
            **reading,
        )
        source.check_unchanged()
    write_table(args.output_rows, table)


if __name__ == "__main__":
    # settings: encoding (side, codec, quality), image_size, channels, max_bytes, and those of
    # `petite.data.shard_job.add_shard`
    parser = argument_parser(__doc__)
    add_shard(parser)
    parser.add_argument("--output-images", type=Path, required=True, help="the encoded images")
    parser.add_argument("--output-rows", type=Path, required=True, help="their table")
    parser.add_argument("--output-pixels", type=Path, required=True, help="the .npy to write")
    run(main, parser)
