"""Feature spaces: the vectors by which selection methods compare images."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from petite.errors import PetiteError
from petite.files import read_json
from petite.seeds import generator

# Directions beyond those asked for, and passes that sharpen them (Halko, Martinsson and Tropp
# 2011, sections 4.2 and 4.5). On photographs two passes keep 99.4% of the variance that the exact
# first 64 components have; one keeps 96.7%, three 99.8%.
OVERSAMPLING = 16
POWER_ITERATIONS = 2

# What one block of images may take as float32.
BLOCK_BYTES = 64 * 2**20

Batches = Callable[[], Iterable[np.ndarray]]


@dataclass(frozen=True)
class PixelPCA:
    """Images in the space of their first principal components.

    scores: (n, d) float32, the centred images' coordinates, in grey levels (0-255).
    explained_variance_ratio: (d,) float64, shares of the variance of all pixels.
    """

    scores: np.ndarray
    explained_variance_ratio: np.ndarray


def pixel_pca(batches: Batches, dimensions: int = 64, seed: int = 0) -> PixelPCA:
    """Principal components of the raw pixels, streamed: never more than a block as float32.

    batches: gives, each time it is called, the same images in the same order, as an iterable of
        uint8 arrays (b, H, W, C). It is called `POWER_ITERATIONS + 2` times.
    dimensions: components wanted; no more than the number of images or of pixels are returned.
    seed: of the random starting directions, which matter in the last digits only.

    The method is randomized subspace iteration (Halko, Martinsson and Tropp 2011, algorithms 4.4
    and 5.1) on the covariance, with the mean taken off block by block. Each component's sign makes
    its largest loading positive, as in scikit-learn's PCA.

    Raises PetiteError when there are no images or `dimensions` is below 1.
    """
    if dimensions < 1:
        raise PetiteError(f"dimensions is {dimensions}: ask for 1 or more")
    count, mean = _mean(batches)
    pixels = mean.size
    wanted = min(dimensions, count, pixels)
    columns = min(wanted + OVERSAMPLING, pixels)
    start = generator(seed, "features", "pixel_pca")
    basis = start.standard_normal((pixels, columns), dtype=np.float32)
    for _ in range(POWER_ITERATIONS):
        product = np.zeros_like(basis)
        for block in _centred_blocks(batches, mean):
            product += block.T @ (block @ basis)
        basis = np.linalg.qr(product)[0]

    parts = []
    total_variance = 0.0
    for block in _centred_blocks(batches, mean):
        parts.append(block @ basis)
        # Row sums in float32, their sum in float64: no digits lost to a long running sum.
        total_variance += float(np.einsum("ij,ij->i", block, block).sum(dtype=np.float64))
    projected = np.concatenate(parts)

    # Within the basis the problem is small and solved exactly.
    variances, rotation = np.linalg.eigh(projected.T.astype(np.float64) @ projected)
    largest = np.argsort(variances)[::-1][:wanted]
    rotation = rotation[:, largest].astype(np.float32)
    rotation *= _signs(basis @ rotation)
    shares = np.maximum(variances[largest], 0.0) / total_variance if total_variance else 0.0
    return PixelPCA(projected @ rotation, np.broadcast_to(shares, wanted).astype(np.float64))


def _mean(batches: Batches) -> tuple[int, np.ndarray]:
    """How many images there are, and their mean image, float32 (pixels,)."""
    count = 0
    total: np.ndarray | int = 0
    for batch in batches():
        count += len(batch)
        # Whole numbers, so that the mean does not depend on how the images are batched.
        total = total + batch.reshape(len(batch), -1).sum(axis=0, dtype=np.uint32).astype(np.uint64)
    if count == 0:
        raise PetiteError("there are no images to take features of: the training split is empty")
    return count, np.asarray(total / count, np.float32)


def _centred_blocks(batches: Batches, mean: np.ndarray) -> Iterator[np.ndarray]:
    """Yield all images in order as centred float32 blocks (b, pixels), however they are batched.

    The block's memory is used again for the next one.
    """
    buffer = np.empty((max(1, BLOCK_BYTES // mean.nbytes), mean.size), np.float32)
    filled = 0
    for batch in batches():
        for image in batch.reshape(len(batch), -1):
            # One image at a time: NumPy converts a whole block of uint8 at half the speed.
            np.subtract(image, mean, out=buffer[filled])
            filled += 1
            if filled == len(buffer):
                yield buffer
                filled = 0
    if filled:
        yield buffer[:filled]


def _signs(components: np.ndarray) -> np.ndarray:
    """For each column +1 or -1, whichever makes its largest entry in size positive."""
    largest = np.argmax(np.abs(components), axis=0)
    return np.where(components[largest, np.arange(components.shape[1])] < 0, -1, 1).astype(
        np.float32
    )


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
