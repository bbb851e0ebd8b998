"""The feature space `random_conv`: pooled feature maps of an untrained convolutional network.

Convolutions with random weights distinguish textures and shapes without any training
(Saxe and others 2011, "On Random Weights and Unsupervised Feature Learning").
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from petite.data.store import Store
from petite.features.blocks import BLOCK_BYTES, Batches, batches_of
from petite.features.io import FeatureRecord
from petite.features.pca import explained, principal_components
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
    return principal_components(
        lambda: _pooled(network, batches, size), dimensions, standardized=True
    )


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
