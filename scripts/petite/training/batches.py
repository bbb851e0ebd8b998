"""The batches of a run: every batch full, the same for the same seed, augmented in NumPy."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from petite.data.views import Images


class Batch(NamedTuple):
    """The images of one step, augmented.

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
    """Batch number i of a training run, for any i; a pure function of the seed and i.

    The rows are shuffled for each pass (epoch) and the passes are chained without a gap, so that
    every batch is full and no image is used for the (e+1)th time before all were used e times. A
    set smaller than a batch is cycled in the same way: its images come several times in one batch,
    as evenly as they can.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        Of the training images.
    weights : ndarray of float, shape (n,), or None
        How much each image counts; None when all are 1.
    batch_size : int
        Images in each batch.
    seed : int
        Decides the order and the augmentation.
    flips : {"none", "random", "alternating"}
        Which images are mirrored; alternating: every second pass over an image.
    crop_padding : float
        See `shifted`; 0 for none.
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
        """The batch of one step (from 0), its images read from `images` and augmented."""
        rows, epochs = self.rows(step)
        # Keyed by step, not drawn in turn: reading a batch twice or skipping one changes nothing.
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
        """Row numbers of a batch and the pass (epoch) that each belongs to, (batch_size,) each."""
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
    """The order of all row numbers in one pass."""
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


def shifted(images: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Move each image by a random number of pixels, as padding and cropping at random do.

    Parameters
    ----------
    images : ndarray, shape (n, H, W, C)
    share : float
        The largest shift each way as a share of the side, above 0; 1 pixel at least. What comes
        into the image is its mirrored edge.
    rng : numpy.random.Generator
        Where the shifts are drawn from.

    Returns
    -------
    ndarray, shape (n, H, W, C)
    """
    count, height, width, _ = images.shape
    pad = min(max(1, round(share * height)), height - 1, width - 1)
    padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
    down, right = rng.integers(0, 2 * pad + 1, size=(2, count))
    cropped = windows[np.arange(count), down, right]
    return np.ascontiguousarray(np.moveaxis(cropped, 1, -1))
