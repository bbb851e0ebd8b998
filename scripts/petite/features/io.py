"""Read features from disk: a `.npy` file, and a record next to it that identifies the images."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, TypedDict

import numpy as np

from petite.util.errors import PetiteError
from petite.util.files import read_json

# What a proxy is: a network that is trained on images, or a linear classifier on embeddings.
ProxyOf = Literal["network", "embeddings"]


class FeatureRecord(TypedDict, total=False):
    """Content of the JSON file next to a feature file."""

    space: str
    dimensions: int
    seconds: float
    image_ids_sha256: str
    explained_variance_ratio: list[float]  # of spaces of principal components
    embedding_seconds: float  # the part of `seconds` that embedding the images took, if they were
    proxy_of: ProxyOf  # of the spaces that a proxy makes


def read_features(path: Path, image_ids: Sequence[str]) -> tuple[np.ndarray, FeatureRecord]:
    """Read a feature file and its record.

    Parameters
    ----------
    path : Path
        The `.npy` file; the record has the same name with the suffix `.json`.
    image_ids : sequence of str
        The images that the features must be of, in the order of the rows.

    Returns
    -------
    features : ndarray of float32, shape (n, d)
    record : FeatureRecord

    Raises
    ------
    PetiteError
        If the features are of other images.
    """
    features = np.load(path)
    record: FeatureRecord = read_json(path.with_suffix(".json"))
    if len(features) != len(image_ids) or record["image_ids_sha256"] != image_ids_digest(image_ids):
        raise PetiteError(
            f"{path} has features of other images than those of the training split. "
            "Delete it and rerun"
        )
    return features, record


def image_ids_digest(image_ids: Iterable[str]) -> str:
    """SHA-256, in hex, of image ids in their order: identifies the rows of a feature file."""
    return hashlib.sha256("\n".join(image_ids).encode("utf-8")).hexdigest()
