"""The images that a method keeps at one fraction: cut from its ranking, or chosen for this size."""

import argparse
import logging
from pathlib import Path
from typing import Any

import pandas as pd

from petite.data.store import Store
from petite.subsets.augmentation import Settings as AugmentationSettings
from petite.subsets.subset_job import (
    add_arguments,
    add_candidates,
    resources,
    steps,
    training_table,
)
from petite.subsets.tables import (
    augmented,
    choose,
    cut,
    recipe_bytes,
    stored_bytes,
    subset_size,
    subset_table,
)
from petite.util.errors import PetiteError
from petite.util.files import read_json, read_table, write_json, write_table
from petite.util.job import argument_parser, run

logger = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    store, train = Store.open(args.manifest), training_table(args)
    k = subset_size(args.fraction, train)
    ranked, record = chosen(args, train, k)
    subset = subset_table(ranked, train, store.classes)
    images = len(subset)
    last = steps(args)[-1]
    if last.method == "augmentation":
        if images >= k:
            raise PetiteError(
                f"of {k} images asked for, {images} are real ones, at least one of each class, so "
                "augmentation has none to make: ask for a larger fraction, or leave it out there"
            )
        settings = AugmentationSettings(ratio=(k - images) / images, **last.settings)
        subset = augmented(subset, args.seed, settings)
    write_table(args.output, subset)
    record |= {
        "fraction": args.fraction,
        "images": images,
        "rows": len(subset),
        "stored_bytes": stored_bytes(images, store.shape) + recipe_bytes(subset),
    }
    write_json(args.output.with_suffix(".json"), record)
    logger.info("%d of %d images are kept", images, len(train))


def chosen(
    args: argparse.Namespace, train: pd.DataFrame, k: int
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The ranking table of the kept images, and its record."""
    if args.ranking:
        return cut(read_table(args.ranking), train, k), read_json(args.ranking.with_suffix(".json"))
    selecting = [step for step in steps(args) if step.method != "augmentation"]
    return choose(train, k, selecting, args.seed, resources(args), args.candidates)


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    add_arguments(parser)
    add_candidates(parser)
    parser.add_argument("--ranking", type=Path, help="rank.py's, for a method that ranks")
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json of the store")
    run(main, parser)
