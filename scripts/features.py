"""Features of the training images: the principal components of their pixels."""

import argparse
import logging
import time
from pathlib import Path

import numpy as np

from petite.errors import PetiteError
from petite.features import BLOCK_BYTES, image_ids_digest, pixel_pca
from petite.files import atomic_path, read_table, write_json
from petite.job import argument_parser, run
from petite.splits import training_images
from petite.store import Store

logger = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    started = time.perf_counter()
    settings = {"space": "pixels", "dimensions": 64, "seed": 0, **args.settings}
    if settings["space"] != "pixels":
        raise PetiteError(f"'{settings['space']}' is no feature space; there is pixels")
    store = Store.open(args.manifest)
    image_ids = training_images(read_table(args.split))["image_id"]
    positions = store.positions(image_ids)
    batch_size = max(1, BLOCK_BYTES // (4 * int(np.prod(store.shape))))
    result = pixel_pca(
        lambda: store.iter_batches(positions, batch_size),
        dimensions=settings["dimensions"],
        seed=settings["seed"],
    )
    with atomic_path(args.output_features) as temporary:
        np.save(temporary, result.scores)
    seconds = time.perf_counter() - started
    ratio = result.explained_variance_ratio
    write_json(
        args.output_json,
        {
            "space": settings["space"],
            "dimensions": len(ratio),
            "explained_variance_ratio": ratio.tolist(),
            "seconds": seconds,
            "image_ids_sha256": image_ids_digest(image_ids),
        },
    )
    logger.info(
        "%d components of %d images keep %.1f%% of the variance, in %.1f s",
        len(ratio),
        len(image_ids),
        100 * ratio.sum(),
        seconds,
    )


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json of the store")
    parser.add_argument("--split", type=Path, required=True, help="the split's table")
    parser.add_argument("--output-features", type=Path, required=True, help=".npy, float32 (n, d)")
    parser.add_argument("--output-json", type=Path, required=True, help="what was computed")
    run(main, parser)
