"""Embed one shard of a source's images by a program of the user's."""

import argparse
from pathlib import Path

from petite.data.encoded_shard import add_encoded_shard, opened_shard
from petite.data.shard_job import add_shard
from petite.features.embedding_program import Program, embed_shard_by_program
from petite.util.files import write_json
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    settings = args.settings
    with opened_shard(args, settings) as (source, (rows, reading)):
        record = embed_shard_by_program(
            source,
            rows,
            Program(**settings["backbone"], threads=args.threads, max_seconds=args.max_seconds),
            args.output_embeddings,
            **reading,
        )
        source.check_unchanged()
    write_json(args.output_json, {"settings": settings["backbone"], **record})


if __name__ == "__main__":
    # settings: backbone (command, image_size), max_bytes, and those of
    # `petite.data.shard_job.add_shard`
    parser = argument_parser(__doc__)
    add_shard(parser, required=False)
    add_encoded_shard(parser)
    parser.add_argument("--max-seconds", type=float, required=True, help="of the program")
    parser.add_argument("--output-embeddings", type=Path, required=True, help=".npy, float32")
    parser.add_argument("--output-json", type=Path, required=True, help="what was computed")
    run(main, parser)
