"""Features of the training images, in one of several spaces."""

import argparse
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from petite.data.splits import training_images
from petite.data.store import Store
from petite.features.own import own_features
from petite.features.pixels import BLOCK_BYTES, Batches, image_ids_digest, pixel_pca
from petite.util.errors import PetiteError
from petite.util.files import read_table, write_array, write_json
from petite.util.job import argument_parser, run

logger = logging.getLogger(__name__)

DEFAULTS = {"space": "pixels", "dimensions": 64, "seed": 0, "path": None}
# Features, float32 (n, d), and what the record says of them besides.
Space = tuple[np.ndarray, dict[str, Any]]


def main(args: argparse.Namespace) -> None:
    started = time.perf_counter()
    settings = {**DEFAULTS, **args.settings}
    if settings["space"] not in SPACES:
        raise PetiteError(
            f"'{settings['space']}' is no feature space; there are {', '.join(SPACES)}"
        )
    store = Store.open(args.manifest)
    image_ids = training_images(read_table(args.split))["image_id"]
    features, about = SPACES[settings["space"]](store, image_ids, settings, args.threads)
    write_array(args.output_features, features)
    seconds = time.perf_counter() - started
    write_json(
        args.output_json,
        {
            **about,
            "space": settings["space"],
            "dimensions": features.shape[1],
            "seconds": seconds,
            "image_ids_sha256": image_ids_digest(image_ids),
        },
    )
    logger.info(
        "%s: %d features of %d images, in %.1f s", settings["space"], *features.shape[::-1], seconds
    )


def pixels(store: Store, image_ids: pd.Series, settings: dict[str, Any], threads: int) -> Space:
    """The principal components of the pixels."""
    result = pixel_pca(
        batches_of(store, image_ids), dimensions=settings["dimensions"], seed=settings["seed"]
    )
    return result.scores, explained(result.explained_variance_ratio)


def untrained(store: Store, image_ids: pd.Series, settings: dict[str, Any], threads: int) -> Space:
    """The principal components of what an untrained network makes of the images."""
    from petite.features.random_conv import random_conv  # loads what trains networks

    features, ratio = random_conv(
        batches_of(store, image_ids),
        store.shape,
        dimensions=settings["dimensions"],
        seed=settings["seed"],
        threads=threads,
    )
    return features, explained(ratio)


def own(store: Store, image_ids: pd.Series, settings: dict[str, Any], threads: int) -> Space:
    """The user's own vectors, as they are."""
    if not settings["path"]:
        raise PetiteError("the feature space 'own' needs a path: that of a .npy or .parquet file")
    return own_features(Path(settings["path"]), store.index, image_ids.tolist()), {}


SPACES: dict[str, Callable[[Store, pd.Series, dict[str, Any], int], Space]] = {
    "pixels": pixels,
    "random_conv": untrained,
    "own": own,
}


def batches_of(store: Store, image_ids: pd.Series) -> Batches:
    """The images in blocks that fit into memory, from the beginning at each call."""
    positions = store.positions(image_ids)
    batch_size = max(1, BLOCK_BYTES // (4 * int(np.prod(store.shape))))
    return lambda: store.iter_batches(positions, batch_size)


def explained(ratio: np.ndarray) -> dict[str, Any]:
    """What the record and the log say of principal components."""
    logger.info("%d components keep %.1f%% of the variance", len(ratio), 100 * ratio.sum())
    return {"explained_variance_ratio": ratio.tolist()}


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json of the store")
    parser.add_argument("--split", type=Path, required=True, help="the split's table")
    parser.add_argument("--output-features", type=Path, required=True, help=".npy, float32 (n, d)")
    parser.add_argument("--output-json", type=Path, required=True, help="what was computed")
    run(main, parser)
