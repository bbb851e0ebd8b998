"""Compute the features of the training images in one feature space."""

import argparse
import logging
import time
from pathlib import Path

from petite.data.splits import training_images
from petite.data.store import Store
from petite.features.io import image_ids_digest
from petite.features.registry import SPACES
from petite.util.errors import PetiteError
from petite.util.files import read_table, write_array, write_json
from petite.util.hints import unknown
from petite.util.job import argument_parser, run

logger = logging.getLogger(__name__)

DEFAULTS = {"space": "pixels", "dimensions": 64, "seed": 0, "path": None}


def main(args: argparse.Namespace) -> None:
    started = time.perf_counter()
    settings = {**DEFAULTS, **args.settings}
    name = settings["space"]
    if name not in SPACES:
        raise PetiteError(unknown(name, SPACES, "feature space"))
    store = Store.open(args.manifest)
    image_ids = training_images(read_table(args.split))["image_id"]
    if SPACES[name].needs_embeddings:
        settings["embeddings"] = args.embeddings
    features, about = SPACES[name].compute(store, image_ids, settings, args.threads)
    write_array(args.output_features, features)
    seconds = time.perf_counter() - started + about.get("embedding_seconds", 0.0)
    write_json(
        args.output_json,
        {
            **about,
            "space": name,
            "dimensions": features.shape[1],
            "seconds": seconds,
            "image_ids_sha256": image_ids_digest(image_ids),
        },
    )
    logger.info("%s: %d features of %d images, in %.1f s", name, *features.shape[::-1], seconds)


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json of the store")
    parser.add_argument("--split", type=Path, required=True, help="the split's table")
    parser.add_argument("--embeddings", type=Path, nargs="*", help="of all shards, .npy files")
    parser.add_argument("--output-features", type=Path, required=True, help=".npy, float32 (n, d)")
    parser.add_argument("--output-json", type=Path, required=True, help="a record of the features")
    run(main, parser)
