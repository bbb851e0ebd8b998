"""The batches of a training run: all full, reproducible from the seed, augmented in NumPy."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from petite.data.views import Images
from petite.training.soft_views import cropped, mirrored, padding, soft_view
from petite.util.seeds import generator


class Batch(NamedTuple):
    """The augmented images of one step.

    Attributes
    ----------
    images : ndarray of uint8, shape (batch_size, H, W, C)
    labels : ndarray of int, shape (batch_size,)
    weights : ndarray of float32, shape (batch_size,), or None
    soft : ndarray of float32, shape (batch_size, classes), or None
        Soft labels; None if those of `labels` are the targets.
    """

    images: np.ndarray
    labels: np.ndarray
    weights: np.ndarray | None
    soft: np.ndarray | None = None


@dataclass(frozen=True)
class Views:
    """A fixed number of augmented views of each image, which can be made again at any size.

    Attributes
    ----------
    drawn : ndarray of uint8, shape (n, count, 3)
        As `soft_view` takes them.
    crop_padding : float
        0: no view is shifted.
    """

    drawn: NDArray[np.uint8]
    crop_padding: float

    @classmethod
    def of(cls, image_ids: Iterable[str], count: int, flips: str, crop_padding: float) -> "Views":
        """Draw the views of images. They depend on the id alone, and more views leave the first."""
        found = np.array([generator(0, "view", one).random((count, 3)) for one in image_ids])
        found = found.reshape(-1, count, 3)
        drawn = (found * 256).astype(np.uint8)
        if flips == "alternating":
            drawn[:, :, 2] = (np.arange(count) + (found[:, :1, 2] < 0.5)) % 2
        else:
            drawn[:, :, 2] = (found[:, :, 2] < 0.5) & (flips == "random")
        return cls(drawn, crop_padding)

    def render(
        self, images: np.ndarray, rows: NDArray[np.integer], numbers: NDArray[np.integer]
    ) -> np.ndarray:
        """Make one view of each image.

        Parameters
        ----------
        images : ndarray of uint8, shape (m, H, W, C)
        rows : ndarray of int, shape (m,)
            Which of the n images they are.
        numbers : ndarray of int, shape (m,)
            The view of each; those above the last begin again at 0.
        """
        views = numbers % self.drawn.shape[1]
        return soft_view(images, self.drawn[rows, views], self.crop_padding)


class SoftTargets(NamedTuple):
    """The soft labels of training images.

    Attributes
    ----------
    probabilities : ndarray of float16, shape (n, views, classes)
    views : Views or None
        The view that each soft label is of. None: there is one label for each image, and the
        images are augmented as with hard labels.
    """

    probabilities: NDArray[np.float16]
    views: Views | None

    def at(self, rows: NDArray[np.integer], epochs: NDArray[np.integer]) -> NDArray[np.float32]:
        """The soft labels of some images in some passes, (m, classes)."""
        views = epochs % self.probabilities.shape[1]
        found: NDArray[np.float32] = self.probabilities[rows, views].astype(np.float32)
        return found


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
    soft : SoftTargets, optional
        If it has views, pass e over the images shows view e, or the first again after the last.
    """

    def __init__(
        self,
        labels: np.ndarray,
        weights: np.ndarray | None,
        batch_size: int,
        seed: int,
        flips: str,
        crop_padding: float,
        soft: SoftTargets | None = None,
    ) -> None:
        self.labels = labels
        self.weights = weights
        self.batch_size = batch_size
        self.seed = seed
        self.flips = flips
        self.crop_padding = crop_padding
        self.soft = soft
        self._first_side = np.random.default_rng([seed, 2]).integers(0, 2, len(labels))

    def batch(self, step: int, images: Images) -> Batch:
        """The batch of one step (from 0), read from `images` and augmented."""
        rows, epochs = self.rows(step)
        weights = self.row_weights(rows)
        soft = None if self.soft is None else self.soft.at(rows, epochs)
        if self.soft is not None and self.soft.views is not None:
            pixels = self.soft.views.render(images[rows], rows, epochs)
        else:
            pixels = self._augmented(images[rows], step, rows, epochs)
        return Batch(pixels, self.labels[rows], weights, soft)

    def _augmented(
        self, pixels: np.ndarray, step: int, rows: np.ndarray, epochs: np.ndarray
    ) -> np.ndarray:
        # Seeded by step, so that reading a batch twice or skipping one changes nothing.
        rng = np.random.default_rng([self.seed, 1, step])
        if self.crop_padding > 0:
            pixels = shifted(pixels, self.crop_padding, rng)
        if self.flips == "random":
            pixels = mirrored(pixels, rng.random(len(rows)) < 0.5)
        elif self.flips == "alternating":
            pixels = mirrored(pixels, (self._first_side[rows] + epochs) % 2 == 1)
        return pixels

    def row_weights(self, rows: np.ndarray) -> NDArray[np.float32] | None:
        """The weights of the images of the last batch; None if all are 1."""
        return None if self.weights is None else self.weights[rows]

    def stride(self, step: int) -> float:
        """How many steps of a training that sees all images a step stands for."""
        return 1.0

    def learn(self, rows: np.ndarray, losses: np.ndarray) -> None:
        """Take note of the loss of each image of a batch."""

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
    pad = padding(images.shape, fraction)
    down, right = rng.integers(0, 2 * pad + 1, size=(2, len(images)))
    return cropped(images, pad, down, right)
