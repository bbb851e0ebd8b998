"""The feature space `random_conv`: pooled feature maps of an untrained convolutional network.

Convolutions with random weights distinguish textures and shapes without any training
(Saxe and others 2011, "On Random Weights and Unsupervised Feature Learning").
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from petite.data.store import Store
from petite.features.io import FeatureRecord
from petite.features.pixels import BLOCK_BYTES, Batches, batches_of, explained, signs
from petite.networks import models
from petite.networks.backend import load_keras
from petite.util.errors import PetiteError

if TYPE_CHECKING:
    import keras

# The network: a `compact` model of these widths, with 960 pooled values.
WIDTHS = [32, 64, 128, 256]
HALVINGS = [0, 1, 1]
# The stem reduces larger images to maps of about this side, because the later layers cost the time.
MAP_SIDE = 32
# Largest number of images in a batch; more are not faster.
LARGEST_BATCH = 128
# A column whose standard deviation is below this fraction of its mean is constant up to rounding.
CONSTANT = 1e-6

Blocks = Callable[[], Iterable[np.ndarray]]


def compute(
    store: Store, image_ids: pd.Series, settings: Mapping[str, Any], threads: int
) -> tuple[np.ndarray, FeatureRecord]:
    """See `petite.features.registry.Space.compute`."""
    features, ratio = random_conv(
        batches_of(store, image_ids),
        store.shape,
        dimensions=settings["dimensions"],
        seed=settings["seed"],
        threads=threads,
    )
    return features, explained(ratio)


def random_conv(
    batches: Batches,
    shape: tuple[int, int, int],
    dimensions: int = 64,
    seed: int = 0,
    threads: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the principal components of an untrained network's pooled feature maps.

    Each map of the stem and of each stage gives its mean and its standard deviation over the image.
    These are standardized over the images and reduced by an exact PCA. The network processes all
    images twice, so that at most one block of them and the result are in memory.

    Parameters
    ----------
    batches : callable
        Returns, at each call, the same images in the same order, as an iterable of uint8 arrays of
        shape (b, height, width, channels).
    shape : (int, int, int)
        Height, width and channels of the images; height and width are equal.
    dimensions : int
        Number of components. At most the number of images and that of pooled values are returned.
    seed : int
        Seed of the network's weights.
    threads : int
        CPU threads to use.

    Returns
    -------
    features : ndarray of float32, shape (n, d)
    explained_variance_ratio : ndarray of float64, shape (d,)

    Raises
    ------
    PetiteError
        If there are no images, they are too small, or `dimensions` is below 1.
    """
    if dimensions < 1:
        raise PetiteError(f"dimensions: must be 1 or more, got {dimensions}")
    network = untrained(shape[0], shape[2], seed, threads)
    size = batch_size(shape[0])
    return standardized_pca(lambda: _pooled(network, batches, size), dimensions)


def untrained(image_size: int, channels: int, seed: int, threads: int) -> "keras.Model":
    """A network with He-initialized random weights, from images to their pooled maps (n, 960)."""
    keras = load_keras("tensorflow", threads)
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    stride = stem_stride(image_size)
    settings = models.CompactSettings(
        widths=WIDTHS,
        halvings=HALVINGS,
        residual_blocks=[0] * len(HALVINGS),
        stem_kernel=2 * stride - 1,
        stem_stride=stride,
    )
    model = models.build("compact", image_size, channels, 2, 0.9, settings)
    maps = [layer.output for layer in model.layers if isinstance(layer, keras.layers.ReLU)]
    pooled = [pool(one, axis=(1, 2)) for one in maps for pool in (keras.ops.mean, keras.ops.std)]
    return keras.Model(model.input, keras.ops.concatenate(pooled, axis=1))


def stem_stride(image_size: int) -> int:
    """The stride of the first convolution: 2 to 8, toward maps of 32 pixels a side."""
    return int(np.clip(-(-image_size // MAP_SIDE), 2, 8))


def batch_size(image_size: int) -> int:
    """The batch size with which the network's largest maps fit into a block."""
    side = -(-image_size // stem_stride(image_size))
    return int(np.clip(BLOCK_BYTES // (4 * side**2 * WIDTHS[1]), 1, LARGEST_BATCH))


def _pooled(network: "keras.Model", batches: Batches, size: int) -> Iterator[np.ndarray]:
    """Yield the network's pooled maps of the images, float32 (b, columns) with b <= size."""
    for batch in batches():
        for start in range(0, len(batch), size):
            some = batch[start : start + size]
            # Every batch is full, so that the network is compiled for one shape only.
            full = some[np.resize(np.arange(len(some)), size)]
            yield network.predict_on_batch(full)[: len(some)]


def standardized_pca(blocks: Blocks, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """Compute an exact PCA of standardized columns in two passes over the rows.

    The first pass gives the columns' means and covariance in float64; the second the coordinates.
    Constant columns are ignored. Each component's sign makes its largest loading positive, as in
    scikit-learn's PCA.

    Parameters
    ----------
    blocks : callable
        Returns, at each call, the same rows as an iterable of arrays of shape (b, columns).
    dimensions : int
        Number of components, 1 or more. At most the number of rows and that of columns are
        returned.

    Returns
    -------
    coordinates : ndarray of float32, shape (n, d)
    explained_variance_ratio : ndarray of float64, shape (d,)

    Raises
    ------
    PetiteError
        If there are no rows.
    """
    count, mean, covariance = _moments(blocks)
    deviation = np.sqrt(np.maximum(np.diag(covariance), 0))
    scale = np.zeros_like(deviation)
    varies = deviation > CONSTANT * np.abs(mean)
    scale[varies] = 1 / deviation[varies]
    variances, loadings = np.linalg.eigh(covariance * scale[:, None] * scale)
    n_components = min(dimensions, count, len(variances))
    largest = np.argsort(variances)[::-1][:n_components]
    loadings = loadings[:, largest]
    loadings = loadings * signs(loadings) * scale[:, None]
    coordinates = np.empty((count, n_components), np.float32)
    done = 0
    for block in blocks():
        coordinates[done : done + len(block)] = (block - mean) @ loadings
        done += len(block)
    return coordinates, np.maximum(variances[largest], 0) / (varies.sum() or 1)


def _moments(blocks: Blocks) -> tuple[int, np.ndarray, np.ndarray]:
    """The number of rows, the columns' means (columns,) and covariance (columns, columns)."""
    count = 0
    origin = total = np.zeros(0)
    products = np.zeros((0, 0))
    for block in blocks():
        if count == 0:
            # Near the mean, so that subtracting its square loses no digits.
            origin = block.mean(axis=0, dtype=np.float64)
            total = np.zeros_like(origin)
            products = np.zeros((len(origin), len(origin)))
        centered = block - origin
        total += centered.sum(axis=0)
        products += centered.T @ centered
        count += len(block)
    if count == 0:
        raise PetiteError("no images to compute features of: the training split is empty")
    mean = total / count
    return count, origin + mean, products / count - np.outer(mean, mean)
