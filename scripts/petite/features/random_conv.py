"""The feature space `random_conv`: what an untrained convolutional network sees in the images.

Convolutions with random weights tell textures and shapes apart without having learned anything
(Saxe and others 2011, "On Random Weights and Unsupervised Feature Learning").
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from petite.data.store import Store
from petite.features.pixels import BLOCK_BYTES, Batches, batches_of, explained, signs
from petite.networks import models
from petite.networks.backend import load_keras
from petite.util.errors import PetiteError

if TYPE_CHECKING:
    import keras

# The network: a `compact` model of these widths. 960 numbers come of it.
WIDTHS = [32, 64, 128, 256]
HALVINGS = [0, 1, 1]
# The stem brings larger images down to maps of about this side: what costs time comes after it.
MAP_SIDE = 32
# The most images that the network takes at a time; more are no faster.
LARGEST_BATCH = 128
# A column whose standard deviation is below this share of its largest value is constant but for
# rounding.
CONSTANT = 1e-6

Blocks = Callable[[], Iterable[np.ndarray]]


def compute(
    store: Store, image_ids: pd.Series, settings: Mapping[str, Any], threads: int
) -> tuple[np.ndarray, dict[str, Any]]:
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
    """The principal components of an untrained network's pooled feature maps.

    Each map of the stem and of each stage gives its mean and its standard deviation over the image;
    these are standardized over the images and reduced by an exact PCA. The network sees all images
    twice, so that no more than a block of them, and the result, is ever in memory.

    Parameters
    ----------
    batches : callable
        Returns, each time it is called, the same images in the same order, as an iterable of uint8
        arrays (b, H, W, C).
    shape : tuple of int
        (H, W, C) of the images, H == W.
    dimensions : int
        Components wanted; no more are returned than images, or than pooled values.
    seed : int
        Of the network's weights.
    threads : int
        CPU threads to use.

    Returns
    -------
    features : ndarray of float32, shape (n, d)
    ratio : ndarray of float64, shape (d,)
        The components' shares of the variance.

    Raises
    ------
    PetiteError
        When there are no images, they are too small, or `dimensions` is below 1.
    """
    if dimensions < 1:
        raise PetiteError(f"dimensions is {dimensions}: ask for 1 or more")
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
    """How many images the network takes at a time, so that its largest maps fit into a block."""
    side = -(-image_size // stem_stride(image_size))
    return int(np.clip(BLOCK_BYTES // (4 * side**2 * WIDTHS[1]), 1, LARGEST_BATCH))


def _pooled(network: "keras.Model", batches: Batches, size: int) -> Iterator[np.ndarray]:
    """Yield what the network makes of the images, float32 (b, columns) with b <= size."""
    for batch in batches():
        for start in range(0, len(batch), size):
            some = batch[start : start + size]
            # Every batch is full: one shape, compiled once.
            full = some[np.resize(np.arange(len(some)), size)]
            yield network.predict_on_batch(full)[: len(some)]


def standardized_pca(blocks: Blocks, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """An exact PCA of standardized columns in two passes over the rows.

    The first pass gives the columns' means and covariance, in float64, of which the eigenvectors
    are computed; the second the coordinates. A constant column counts for nothing. Each component's
    sign makes its largest loading positive, as in scikit-learn's PCA.

    Parameters
    ----------
    blocks : callable
        Returns, each time it is called, the same rows as an iterable of arrays (b, columns).
    dimensions : int
        1 or more; no more are returned than rows or columns.

    Returns
    -------
    coordinates : ndarray of float32, shape (n, d)
    ratio : ndarray of float64, shape (d,)
        The components' shares of the variance.

    Raises
    ------
    PetiteError
        When there are no rows.
    """
    count, mean, covariance = _moments(blocks)
    deviation = np.sqrt(np.maximum(np.diag(covariance), 0))
    scale = np.zeros_like(deviation)
    varies = deviation > CONSTANT * np.abs(mean)
    scale[varies] = 1 / deviation[varies]
    variances, loadings = np.linalg.eigh(covariance * scale[:, None] * scale)
    wanted = min(dimensions, count, len(variances))
    largest = np.argsort(variances)[::-1][:wanted]
    loadings = loadings[:, largest]
    loadings = loadings * signs(loadings) * scale[:, None]
    coordinates = np.empty((count, wanted), np.float32)
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
            # Near the mean, so that no digits are lost when its square is taken off again.
            origin = block.mean(axis=0, dtype=np.float64)
            total = np.zeros_like(origin)
            products = np.zeros((len(origin), len(origin)))
        centered = block - origin
        total += centered.sum(axis=0)
        products += centered.T @ centered
        count += len(block)
    if count == 0:
        raise PetiteError("there are no images to take features of: the training split is empty")
    mean = total / count
    return count, origin + mean, products / count - np.outer(mean, mean)
