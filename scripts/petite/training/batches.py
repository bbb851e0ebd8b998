"""The batches of a training run: all full, reproducible from the seed, and augmented."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from petite.data.views import Images
from petite.training.augment import (
    NOTHING,
    Augmentation,
    Mix,
    brightened,
    cropped,
    drawn_mix,
    factors_of,
    mirrored,
    padding,
    shifted,
)
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
    mix : Mix or None
        How the images were mixed with each other, as their targets are to be.
    """

    images: np.ndarray
    labels: np.ndarray
    weights: np.ndarray | None
    soft: np.ndarray | None = None
    mix: Mix | None = None


@dataclass(frozen=True)
class Views:
    """A fixed number of augmented views of each image, which can be made again at any size.

    Attributes
    ----------
    moves : ndarray of float, shape (n, count, 2)
        Where each view is shifted to, down and right; from 0 to 1, so that it fits any size.
    mirrored : ndarray of bool, shape (n, count)
    lights : ndarray of float, shape (n, count, 3)
        From 0 to 1: how bright each channel is made; see `factors_of`.
    augmentation : Augmentation
        What it has of mixing is not part of a view.
    """

    moves: NDArray[np.float64]
    mirrored: NDArray[np.bool_]
    lights: NDArray[np.float64]
    augmentation: Augmentation

    @classmethod
    def of(cls, image_ids: Iterable[str], count: int, augmentation: Augmentation) -> "Views":
        """Draw the views of images. They depend on the id alone, and more views leave the first."""
        ids = list(image_ids)
        drawn, lights = (
            np.array([generator(0, what, one).random((count, 3)) for one in ids]).reshape(
                -1, count, 3
            )
            for what in ("view", "light")
        )
        flips = augmentation.flips
        if flips == "alternating":
            mirrored = (np.arange(count) + (drawn[:, :1, 2] < 0.5)) % 2 == 1
        else:
            mirrored = (drawn[:, :, 2] < 0.5) & (flips == "random")
        return cls(drawn[:, :, :2], mirrored, lights, augmentation)

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
        views = numbers % self.mirrored.shape[1]
        crop_padding, brightness = self.augmentation.crop_padding, self.augmentation.brightness
        if crop_padding > 0:
            pad = padding(images.shape, crop_padding)
            places = (self.moves[rows, views] * (2 * pad + 1)).astype(int)
            images = cropped(images, pad, *places.T)
        if brightness > 0:
            lights = self.lights[rows, views, : images.shape[-1]]
            images = brightened(images, factors_of(lights, brightness))
        return mirrored(images, self.mirrored[rows, views])


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
            weights = None if weights is None else mix.of_values(weights)
        return Batch(pixels, self.labels[rows], weights, soft, mix)

    def _augmented(
        self, pixels: np.ndarray, rows: np.ndarray, epochs: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        augmentation = self.augmentation
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
