"""Embed altered copies of some training images, to see how similar copies are."""

import argparse
from pathlib import Path

from petite.data.shard_job import reading_of
from petite.data.source_job import add_source, opened
from petite.data.splits import training_images
from petite.data.store import Store
from petite.features.altered import embed_altered
from petite.networks.backbones import needs_keras, open_backbone
from petite.networks.backend import load_keras
from petite.util.files import read_table, write_array, write_table
from petite.util.job import argument_parser, run


def main(args: argparse.Namespace) -> None:
    settings = args.settings
    if needs_keras(settings["backbone"]["name"]):
        load_keras("tensorflow", args.threads)
    backbone = open_backbone(weights=args.weights, threads=args.threads, **settings["backbone"])
    store, train = Store.open(args.manifest), training_images(read_table(args.split))
    with opened(args, settings["max_bytes"]) as source:
        reading = reading_of(source, settings, lambda: store.index["image_id"])
        altered = embed_altered(source, train["image_id"], backbone, **reading)
    write_array(args.output, altered.embeddings)
    write_table(args.output.with_suffix(".parquet"), altered.table)


if __name__ == "__main__":
    # settings: as those of embed.py
    parser = argument_parser(__doc__)
    add_source(parser)
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json of the store")
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--weights", type=Path, help="the weights of the backbone")
    parser.add_argument(
        "--output", type=Path, required=True, help="a .npy; a .parquet next to it has the images"
    )
    run(main, parser)
