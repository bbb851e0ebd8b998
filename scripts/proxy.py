"""Train a proxy on all training images, for scores, features and gradients of each image."""

import argparse
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from petite.data.splits import training_images, validation_images
from petite.data.store import Store
from petite.data.views import StoredImages, in_memory_if_it_fits
from petite.features.io import image_ids_digest
from petite.training import metrics
from petite.training.loop import size_in_training
from petite.training.proxy import class_errors, gradients, record_dynamics, scores
from petite.training.settings import ProxySettings, checked
from petite.util import memory
from petite.util.files import read_table, write_array, write_json, write_table
from petite.util.job import argument_parser, run

logger = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    started = time.perf_counter()
    settings = checked(ProxySettings, args.settings, "the proxy's settings")
    store, split = Store.open(args.manifest), read_table(args.split)
    rows, held_out = training_images(split), validation_images(store, split)
    labels = rows["label"].to_numpy()
    images = StoredImages(store, rows["image_id"])
    needed = size_in_training(images, settings.training)
    limit = memory.available() if args.max_memory is None else memory.parse(args.max_memory)
    dynamics = record_dynamics(
        in_memory_if_it_fits(images, needed, limit, "the training images"),
        labels,
        store.classes,
        args.seed,
        settings,
        args.threads,
    )
    errors = class_errors(dynamics, labels, held_out.images, held_out.labels, store.classes)
    table = pd.DataFrame({"image_id": rows["image_id"], **scores(dynamics, labels)})
    early = metrics.from_logits(dynamics.logits[dynamics.early])
    embedded = gradients(early, labels, dynamics.early_features, args.seed)

    about = {
        "seed": args.seed,
        "seconds": time.perf_counter() - started,
        "image_ids_sha256": image_ids_digest(rows["image_id"]),
    }
    write_table(args.output_scores, table)
    write_json(
        args.output_scores.with_suffix(".json"),
        {
            **about,
            "steps": dynamics.run.steps,
            "early_step": dynamics.steps[dynamics.early],
            "class_errors": list(errors.values()),  # by label
        },
    )
    write_space(args.output_features, dynamics.features, {**about, "space": "proxy"})
    write_space(args.output_gradients, embedded, {**about, "space": "gradients"})
    logger.info(
        "the proxy of %d steps, seed %d: %.1f%% training accuracy, errors by class: %s",
        dynamics.run.steps,
        args.seed,
        100 * dynamics.run.train_accuracy,
        ", ".join(f"{name} {error:.1%}" for name, error in errors.items()),
    )


def write_space(path: Path, features: np.ndarray, about: dict[str, Any]) -> None:
    """Write features, float32 (n_images, n_features), and their record next to them."""
    write_array(path, features)
    write_json(path.with_suffix(".json"), {**about, "dimensions": features.shape[1]})


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json of the store")
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True, help="the seed of the training")
    parser.add_argument(
        "--max-memory", help="for the images, such as 6 GB; default: half of what is free"
    )
    parser.add_argument(
        "--output-scores", type=Path, required=True, help="a .parquet, and a .json next to it"
    )
    parser.add_argument(
        "--output-features", type=Path, required=True, help="a .npy, and a .json next to it"
    )
    parser.add_argument(
        "--output-gradients", type=Path, required=True, help="a .npy, and a .json next to it"
    )
    run(main, parser)
