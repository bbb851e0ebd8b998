"""Embed one shard of a source's images, decoded at the size that a pretrained network takes."""

import argparse
from pathlib import Path

from petite.data.encoded_shard import add_encoded_shard, opened_shard
from petite.data.shard_job import add_shard
from petite.features.embedding import embed_shard
from petite.networks.backbones import needs_keras, open_backbone
from petite.networks.backend import load_keras
from petite.util.files import write_json
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    settings = args.settings
    if needs_keras(settings["backbone"]["name"]):
        load_keras("tensorflow", args.threads)
    backbone = open_backbone(weights=args.weights, threads=args.threads, **settings["backbone"])
    with opened_shard(args, settings) as (source, (rows, reading)):
        record = embed_shard(source, rows, backbone, args.output_embeddings, **reading)
        source.check_unchanged()
    write_json(args.output_json, {"settings": settings["backbone"], **record})


if __name__ == "__main__":
    # settings: backbone (name, image_size, scaling), max_bytes, and those of
    # `petite.data.shard_job.add_shard`
    parser = argument_parser(__doc__)
    add_shard(parser, required=False)
    add_encoded_shard(parser)
    parser.add_argument("--weights", type=Path, help="the weights of the backbone")
    parser.add_argument("--output-embeddings", type=Path, required=True, help=".npy, float32")
    parser.add_argument("--output-json", type=Path, required=True, help="what was computed")
    run(main, parser)
