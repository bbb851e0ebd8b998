"""The batches of a training run: all full, reproducible from the seed, augmented in NumPy."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from petite.data.views import Images


class Batch(NamedTuple):
    """The augmented images of one step.

    Attributes
    ----------
    images : ndarray of uint8, shape (batch_size, H, W, C)
    labels : ndarray of int, shape (batch_size,)
    weights : ndarray of float32, shape (batch_size,), or None
    """

    images: np.ndarray
    labels: np.ndarray
    weights: np.ndarray | None


class Batches:
    """Batch i of a training run, for any i, as a pure function of the seed and i.

    The rows are shuffled for each pass (epoch) and the passes follow without a gap, so that every
    batch is full and no image is used for the (e+1)th time before all were used e times. A set
    smaller than a batch is repeated in the same way within one batch.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        Labels of the training images.
    weights : ndarray of float, shape (n,), or None
        The weight of each image; None if all are 1.
    batch_size : int
        Images in each batch.
    seed : int
        Seed of the order and the augmentation.
    flips : {"none", "random", "alternating"}
        Which images are mirrored; alternating: in every second pass over an image.
    crop_padding : float
        See `shifted`; 0 disables it.
    """

    def __init__(
        self,
        labels: np.ndarray,
        weights: np.ndarray | None,
        batch_size: int,
        seed: int,
        flips: str,
        crop_padding: float,
    ) -> None:
        self.labels = labels
        self.weights = weights
        self.batch_size = batch_size
        self.seed = seed
        self.flips = flips
        self.crop_padding = crop_padding
        self._first_side = np.random.default_rng([seed, 2]).integers(0, 2, len(labels))

    def batch(self, step: int, images: Images) -> Batch:
        """The batch of one step (from 0), read from `images` and augmented."""
        rows, epochs = self.rows(step)
        # Seeded by step, so that reading a batch twice or skipping one changes nothing.
        rng = np.random.default_rng([self.seed, 1, step])
        pixels = images[rows]
        if self.crop_padding > 0:
            pixels = shifted(pixels, self.crop_padding, rng)
        if self.flips == "random":
            pixels = mirrored(pixels, rng.random(len(rows)) < 0.5)
        elif self.flips == "alternating":
            pixels = mirrored(pixels, (self._first_side[rows] + epochs) % 2 == 1)
        weights = None if self.weights is None else self.weights[rows]
        return Batch(pixels, self.labels[rows], weights)

    def rows(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Row numbers of a batch and the pass (epoch) of each, int (batch_size,)."""
        count = len(self.labels)
        places = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        epochs, places = np.divmod(places, count)
        rows = np.empty_like(places)
        for epoch in range(int(epochs[0]), int(epochs[-1]) + 1):
            here = epochs == epoch
            rows[here] = epoch_order(self.seed, epoch, count)[places[here]]
        return rows, epochs


@lru_cache(maxsize=2)
def epoch_order(seed: int, epoch: int, count: int) -> np.ndarray:
    """The shuffled row numbers of one pass."""
    return np.random.default_rng([seed, 0, epoch]).permutation(count)


def mirrored(images: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Flip some images left to right.

    Parameters
    ----------
    images : ndarray, shape (n, H, W, C)
    which : ndarray of bool, shape (n,)

    Returns
    -------
    ndarray, shape (n, H, W, C)
        A copy.
    """
    return np.where(which[:, None, None, None], images[:, :, ::-1], images)


def shifted(images: np.ndarray, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Shift each image by a random number of pixels (random padding and cropping).

    Parameters
    ----------
    images : ndarray, shape (n, H, W, C)
    fraction : float
        The maximum shift in each direction as a fraction of the side, above 0; at least 1 pixel.
        The mirrored edge fills the gap.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (n, H, W, C)
    """
    count, height, width, _ = images.shape
    pad = min(max(1, round(fraction * height)), height - 1, width - 1)
    padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
    down, right = rng.integers(0, 2 * pad + 1, size=(2, count))
    cropped = windows[np.arange(count), down, right]
    return np.ascontiguousarray(np.moveaxis(cropped, 1, -1))
