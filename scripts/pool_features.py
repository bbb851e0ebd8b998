"""Compute the features of a pool's images, and of the labeled ones, in one space."""

import argparse
import logging
import time
from pathlib import Path

import pandas as pd

from petite.data.pool_job import add_images
from petite.data.splits import training_images
from petite.data.store import Store
from petite.features import joint
from petite.features.embedding import find_embeddings
from petite.features.io import image_ids_digest
from petite.util.files import read_table, write_array, write_json
from petite.util.job import argument_parser, run

logger = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    started = time.perf_counter()
    settings = args.settings
    pool, images = Store.open(args.pool), read_table(args.images)["image_id"]
    sets, embeddings = [(pool, images)], [args.pool_embeddings]
    if args.split:
        labeled = training_images(read_table(args.split))["image_id"]
        sets.insert(0, (Store.open(args.labeled), labeled))
        embeddings.insert(0, args.embeddings)
    if settings["space"] == "backbone":
        found = [find_embeddings(*one, paths) for one, paths in zip(sets, embeddings, strict=True)]
        features, about = joint.of_embeddings(found, settings["dimensions"])
    else:
        features, about = joint.of_pixels(sets, settings["dimensions"], settings["seed"])
    image_ids = pd.concat([ids for _, ids in sets], ignore_index=True)
    write_array(args.output_features, features)
    write_json(
        args.output_json,
        {
            **about,
            "space": settings["space"],
            "dimensions": features.shape[1],
            "seconds": time.perf_counter() - started,
            "image_ids_sha256": image_ids_digest(image_ids),
        },
    )
    logger.info("%d features of %d images", *features.shape[::-1])


if __name__ == "__main__":
    parser = argument_parser(__doc__)  # settings: space, dimensions, seed
    add_images(parser)
    parser.add_argument("--output-features", type=Path, required=True, help=".npy, float32 (n, d)")
    parser.add_argument("--output-json", type=Path, required=True, help="a record of the features")
    run(main, parser)
