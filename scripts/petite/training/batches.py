"""The batches of a training run: all full, reproducible from the seed, and augmented."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from petite.data.views import Images
from petite.training.augment import NOTHING, Augmentation, Mix, drawn_mix, shifted, zoomed
from petite.training.soft_views import brightened, factors_of, mirrored, soft_view
from petite.util.seeds import generator


class Batch(NamedTuple):
    """The augmented images of one step.

    Attributes
    ----------
    images : ndarray of uint8, shape (batch_size, H, W, C)
    labels : ndarray of int, shape (batch_size,)
    weights : ndarray of float32, shape (batch_size,), or None
        As they are, not mixed.
    soft : ndarray of float32, shape (batch_size, classes), or None
        Soft labels; None if those of `labels` are the targets.
    mix : Mix or None
        How the images were mixed with each other, as their targets are to be.
    """

    images: np.ndarray
    labels: np.ndarray
    weights: np.ndarray | None
    soft: np.ndarray | None = None
    mix: Mix | None = None


def _drawn(what: str, image_ids: Sequence[str], count: int) -> NDArray[np.float64]:
    """Three numbers from 0 to 1 for each of `count` views of each image, (n, count, 3)."""
    numbers = [generator(0, what, one).random((count, 3)) for one in image_ids]
    return np.array(numbers).reshape(-1, count, 3)


@dataclass(frozen=True)
class Views:
    """A fixed number of augmented views of each image, which can be made again at any size.

    Attributes
    ----------
    drawn : ndarray of uint8, shape (n, count, 3 or 6)
        As `soft_view` takes them: 6 with brightness.
    augmentation : Augmentation
        What it has of zooming and mixing is not part of a view.
    """

    drawn: NDArray[np.uint8]
    augmentation: Augmentation

    @classmethod
    def of(cls, image_ids: Iterable[str], count: int, augmentation: Augmentation) -> "Views":
        """Draw the views of images. They depend on the id alone, and more views leave the first."""
        ids, flips = list(image_ids), augmentation.flips
        found = _drawn("view", ids, count)
        drawn = (found * 256).astype(np.uint8)
        if flips == "alternating":
            drawn[:, :, 2] = (np.arange(count) + (found[:, :1, 2] < 0.5)) % 2
        else:
            drawn[:, :, 2] = (found[:, :, 2] < 0.5) & (flips == "random")
        if augmentation.brightness > 0:
            lights = (_drawn("light", ids, count) * 256).astype(np.uint8)
            drawn = np.concatenate([drawn, lights], axis=2)
        return cls(drawn, augmentation)

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
        views = self.drawn[rows, numbers % self.drawn.shape[1]]
        how = self.augmentation
        return soft_view(images, views, how.crop_padding, how.brightness)


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
    augmentation : Augmentation
    soft : SoftTargets, optional
        If it has views, pass e over the images shows view e, or the first again after the last.
    """

    def __init__(
        self,
        labels: np.ndarray,
        weights: np.ndarray | None,
        batch_size: int,
        seed: int,
        augmentation: Augmentation = NOTHING,
        soft: SoftTargets | None = None,
    ) -> None:
        self.labels = labels
        self.weights = weights
        self.batch_size = batch_size
        self.seed = seed
        self.augmentation = augmentation
        self.soft = soft
        self._first_side = np.random.default_rng([seed, 2]).integers(0, 2, len(labels))

    def batch(self, step: int, images: Images) -> Batch:
        """The batch of one step (from 0), read from `images` and augmented."""
        rows, epochs = self.rows(step)
        weights = self.row_weights(rows)
        # Seeded by step, so that reading a batch twice or skipping one changes nothing.
        rng = np.random.default_rng([self.seed, 1, step])
        soft = None if self.soft is None else self.soft.at(rows, epochs)
        if self.soft is not None and self.soft.views is not None:
            pixels = self.soft.views.render(images[rows], rows, epochs)
        else:
            pixels = self._augmented(images[rows], rows, epochs, rng)
        mix = drawn_mix(pixels.shape, self.augmentation.mixup, self.augmentation.cutmix, rng)
        if mix is not None:
            pixels = mix.of_images(pixels)
        return Batch(pixels, self.labels[rows], weights, soft, mix)

    def _augmented(
        self, pixels: np.ndarray, rows: np.ndarray, epochs: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        augmentation = self.augmentation
        if augmentation.crop_area < 1:
            pixels = zoomed(pixels, augmentation.crop_area, rng)
        if augmentation.crop_padding > 0:
            pixels = shifted(pixels, augmentation.crop_padding, rng)
        if augmentation.flips == "random":
            pixels = mirrored(pixels, rng.random(len(rows)) < 0.5)
        elif augmentation.flips == "alternating":
            pixels = mirrored(pixels, (self._first_side[rows] + epochs) % 2 == 1)
        if augmentation.brightness > 0:
            drawn = rng.random((len(rows), pixels.shape[-1]))
            pixels = brightened(pixels, factors_of(drawn, augmentation.brightness))
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
