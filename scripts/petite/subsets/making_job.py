"""What the scripts of methods that make all of their images share."""

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from petite.data.splits import kept_images, training_images
from petite.selection.quota import shares
from petite.subsets.tables import stored_bytes, subset_size
from petite.util.errors import PetiteError
from petite.util.files import read_table
from petite.util.validation import Strict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that they share."""
    parser.add_argument("--fraction", type=float, required=True, help="of the training images")
    parser.add_argument(
        "--seeds", type=int, nargs="+", required=True, help="what is random follows from them"
    )
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.json of the store")
    parser.add_argument("--split", type=Path, required=True, help="the split's table")
    parser.add_argument(
        "--output", type=Path, required=True, help="the .parquet to write, and a .json next to it"
    )


class Wanted(NamedTuple):
    """The training images (image_id, label), and how many images to make of each label."""

    train: pd.DataFrame
    counts: np.ndarray


def wanted(args: argparse.Namespace) -> Wanted:
    """Read the training images, and divide the images to make among the classes in proportion.

    Raises
    ------
    PetiteError
        If images are to be kept in any case.
    """
    split = read_table(args.split)
    train = training_images(split)
    if kept := kept_images(split):
        raise PetiteError(
            f"keep: '{kept[0]}' is to be kept, and a method that makes all of its images has no "
            "place for it. Remove the method, or keep no images"
        )
    sizes = np.bincount(train["label"])
    return Wanted(train, shares(sizes, sizes, subset_size(args.fraction, train)))


def record_of(
    table: pd.DataFrame,
    method: str,
    settings: Strict,
    fraction: float,
    seed: int,
    shape: tuple[int, int, int],
    seconds: float,
) -> dict[str, Any]:
    """The record of a subset whose images are all made, without a proxy.

    shape: of a stored image; seconds: of making the images.
    """
    return {
        "method": method,
        "settings": settings.model_dump(mode="json"),
        "fraction": fraction,
        "seed": seed,
        "images": len(table),
        "rows": len(table),
        "stored_bytes": stored_bytes(len(table), shape),
        "seconds": seconds,
        "proxy_seconds": 0.0,
        "proxy_of": None,
    }
