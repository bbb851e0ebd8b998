"""The batches of a run: every batch full, the same for the same seed, augmented in NumPy."""

from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np


class Images(Protocol):
    """Images that are read by an array of row numbers: a NumPy array, or a view of the store."""

    shape: tuple[int, ...]

    def __getitem__(self, rows: np.ndarray, /) -> np.ndarray:
        """uint8 array of shape (len(rows), H, W, C)."""
        ...


class Batch(NamedTuple):
    """One step's images (uint8), labels and weights."""

    images: np.ndarray
    labels: np.ndarray
    weights: np.ndarray | None


class Batches:
    """Batch number i of a training run, for any i; a pure function of the seed and i.

    The rows are shuffled anew for each pass (epoch) and the passes are chained without a gap, so
    that every batch is full and no image is used for the (e+1)th time before all were used e
    times. A set smaller than a batch is cycled in the same way: its images come several times in
    one batch, as evenly as they can.
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
        """Describe the batches.

        Args:
            labels: integer array of shape (rows,).
            weights: float array of shape (rows,), or None when all are 1.
            batch_size: images in each batch.
            seed: decides the order and the augmentation.
            flips: "none", "random" or "alternating".
            crop_padding: see `shifted`.
        """
        self.labels = labels
        self.weights = weights
        self.batch_size = batch_size
        self.seed = seed
        self.flips = flips
        self.crop_padding = crop_padding
        self._first_side = np.random.default_rng([seed, 2]).integers(0, 2, len(labels))

    def rows(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Row numbers of a batch, and the pass (epoch) that each belongs to."""
        count = len(self.labels)
        places = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        epochs, places = np.divmod(places, count)
        rows = np.empty_like(places)
        for epoch in range(int(epochs[0]), int(epochs[-1]) + 1):
            here = epochs == epoch
            rows[here] = epoch_order(self.seed, epoch, count)[places[here]]
        return rows, epochs

    def batch(self, step: int, images: Images) -> Batch:
        """The batch of one step, its images read from `images` and augmented."""
        rows, epochs = self.rows(step)
        # Keyed by step, not drawn in turn: reading a batch twice or skipping one changes nothing.
        random = np.random.default_rng([self.seed, 1, step])
        pixels = images[rows]
        if self.crop_padding > 0:
            pixels = shifted(pixels, self.crop_padding, random)
        if self.flips == "random":
            pixels = mirrored(pixels, random.random(len(rows)) < 0.5)
        elif self.flips == "alternating":
            pixels = mirrored(pixels, (self._first_side[rows] + epochs) % 2 == 1)
        weights = None if self.weights is None else self.weights[rows]
        return Batch(pixels, self.labels[rows], weights)


@lru_cache(maxsize=2)
def epoch_order(seed: int, epoch: int, count: int) -> np.ndarray:
    """The order of all row numbers in one pass."""
    return np.random.default_rng([seed, 0, epoch]).permutation(count)


def mirrored(images: np.ndarray, which: np.ndarray) -> np.ndarray:
    """A copy with the images chosen by the boolean array `which` flipped left to right."""
    return np.where(which[:, None, None, None], images[:, :, ::-1], images)


def shifted(images: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """Each image moved by a random number of pixels, at most `share` of its side each way.

    The same as padding by mirroring the edges and cropping at random. The shift is 1 pixel at
    least where `share` > 0.
    """
    count, height, width, _ = images.shape
    pad = min(max(1, round(share * height)), height - 1, width - 1)
    padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
    down, right = random.integers(0, 2 * pad + 1, size=(2, count))
    cropped = windows[np.arange(count), down, right]
    return np.ascontiguousarray(np.moveaxis(cropped, 1, -1))
