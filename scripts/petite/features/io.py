"""Features on disk: a `.npy` file, and a record beside it that says which images it is about."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from petite.util.errors import PetiteError
from petite.util.files import read_json


def read_features(path: Path, image_ids: Sequence[str]) -> tuple[np.ndarray, dict[str, Any]]:
    """Read a feature file and the record that lies beside it as JSON.

    Returns the features, float32 (n, d) with a row for each of `image_ids`, and the record. Raises
    PetiteError when they are the features of other images.
    """
    features = np.load(path)
    record = read_json(path.with_suffix(".json"))
    if len(features) != len(image_ids) or record["image_ids_sha256"] != image_ids_digest(image_ids):
        raise PetiteError(
            f"{path} holds features of other images than the training split's: "
            "delete it and run again"
        )
    return features, record


def image_ids_digest(image_ids: Iterable[str]) -> str:
    """SHA-256 of the image ids in their order: says which rows a feature file is about."""
    return hashlib.sha256("\n".join(image_ids).encode("utf-8")).hexdigest()
