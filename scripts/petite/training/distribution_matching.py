"""Distribution matching: learn a few images whose features are those of all images of a class.

In each step, a convolutional network with new random weights computes the features of some real
and of the learned images of a class. The pixels move so that the means of the features agree. Both
kinds of images are transformed alike beforehand (differentiable Siamese augmentation).
"""

import itertools
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from petite.data.views import Images
from petite.networks.backend import load_keras
from petite.subsets.synthetic import DmSettings
from petite.util.seeds import generator

logger = logging.getLogger(__name__)

BLOCKS = 3  # of convolution, instance normalization, ReLU and pooling
LEAST_SIDE = 3  # after pooling; smaller images are pooled less often
SECONDS_BETWEEN_PROGRESS = 5.0
SAMPLE = 1_024  # images whose mean and standard deviation normalize the pixels
POINTS = 20  # of the learning curve
# As published.
TRANSFORMS = ("color", "shift", "cutout", "flip", "scale", "rotation")
SHIFT, SCALE, DEGREES, CUTOUT = 0.125, 1.2, 15.0, 0.5


@dataclass(frozen=True)
class Learned:
    """Learned images.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (n, H, W, C)
        Those of each label after those of the label before.
    labels : ndarray of int, shape (n,)
    starts : ndarray of int, shape (n,)
        The row of the real image that each began as.
    losses : list of float
        The mean loss of the classes in each part of the steps, at most 20 parts.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    starts: NDArray[np.int64]
    losses: list[float]


def learn_images(
    images: Images,
    labels: np.ndarray,
    counts: Sequence[int],
    seed: int,
    settings: DmSettings,
    *,
    flips: bool = True,
    threads: int = 1,
    name: str = "dm",
) -> Learned:
    """Learn images of each class from real ones.

    Parameters
    ----------
    images : Images
        uint8, shape (n, H, W, C), H == W.
    labels : ndarray of int, shape (n,)
    counts : sequence of int
        How many images to learn of each label; at most as many as there are.
    seed : int
        Of the first images, the networks, the batches and the transforms.
    settings : DmSettings
    flips : bool
        Whether a mirrored image is one of its class.
    threads : int
        CPU threads.
    name : str
        In messages.

    Returns
    -------
    Learned
        The same for the same arguments on the same machine.

    References
    ----------
    Zhao and Bilen: "Dataset Condensation with Distribution Matching", WACV 2023. The transforms:
    Zhao and Bilen, "Dataset Condensation with Differentiable Siamese Augmentation", ICML 2021.
    """
    features = RandomNetworks(images.shape[1:], settings.width, threads)
    rng = generator(seed, "dm")
    members = [np.flatnonzero(labels == label) for label in range(len(counts))]
    starts = [
        np.sort(rng.choice(own, count, replace=False))
        for own, count in zip(members, counts, strict=True)
    ]
    scale = Scale.of(images, rng)
    learned = [scale.normalized(images[own]) for own in starts]
    steps = [Adam(own.shape) for own in learned]
    losses = np.empty(settings.iterations)
    began = logged = time.perf_counter()
    for step in range(settings.iterations):
        kernels = features.kernels(rng)
        of_classes = []
        for label, own in enumerate(learned):
            real = _some(rng, len(members[label]), settings.batch)
            some = _some(rng, len(own), settings.batch)
            loss, gradient = features.matched(
                scale.normalized(images[members[label][real]]),
                own[some],
                kernels,
                drawn_transform(rng, images.shape[1:], flips),
            )
            rate = settings.learning_rate * (1 - step / settings.iterations)
            own[some] = scale.clipped(own[some] - rate * steps[label].of(gradient, some))
            of_classes.append(loss)
        losses[step] = np.mean(of_classes)
        if (now := time.perf_counter()) - logged > SECONDS_BETWEEN_PROGRESS:
            logged, done = now, step + 1
            rest = (settings.iterations - done) * (now - began) / done
            logger.info(
                "%s: step %d of %d, loss %.3f, %.0f s remain",
                *(name, done, settings.iterations, losses[step], rest),
            )
    parts = np.array_split(losses, min(POINTS, len(losses)))
    return Learned(
        pixels=np.concatenate([scale.as_pixels(own) for own in learned]),
        labels=np.repeat(np.arange(len(counts)), counts),
        starts=np.concatenate(starts),
        losses=[float(part.mean()) for part in parts],
    )


def distances(
    images: Images,
    labels: np.ndarray,
    others: np.ndarray,
    other_labels: np.ndarray,
    seed: int,
    networks: int,
    settings: DmSettings,
) -> float:
    """How far the mean features of some images are from those of all images of their class.

    Parameters
    ----------
    images : Images
        All images, uint8, shape (n, H, W, C).
    labels : ndarray of int, shape (n,)
    others : ndarray of uint8, shape (m, H, W, C)
        The images that stand for them.
    other_labels : ndarray of int, shape (m,)
    seed : int
        Of the networks; not the one that the images were learned with.
    networks : int
        How many random networks.
    settings : DmSettings
        `batch` and `width`.

    Returns
    -------
    float
        The loss without transforms, of all images, as the mean over classes and networks.
    """
    features = RandomNetworks(images.shape[1:], settings.width)
    rng = generator(seed, "fresh networks")
    scale = Scale.of(images, rng)
    found = []
    for _ in range(networks):
        kernels = features.kernels(rng)
        for label in np.unique(labels):
            real = np.flatnonzero(labels == label)
            blocks = np.array_split(real, -(-len(real) // settings.batch))
            mean = sum(
                features.of(scale.normalized(images[block]), kernels).sum(0) for block in blocks
            ) / len(real)
            made = features.of(scale.normalized(others[other_labels == label]), kernels).mean(0)
            found.append(float(((mean - made) ** 2).sum()))
    return float(np.mean(found))


class Adam:
    """Adam's steps for the pixels of some images, in units of the learning rate.

    The size of a gradient depends on the size of the images, their number and the network's width;
    that of these steps does not.
    """

    FIRST, SECOND = 0.9, 0.99

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._mean = np.zeros(shape, np.float32)
        self._square = np.zeros(shape, np.float32)
        self._times = np.zeros((len(self._mean), 1, 1, 1), np.float32)

    def of(self, gradient: np.ndarray, some: np.ndarray) -> np.ndarray:
        """The step of these images, of which each has its own number of steps so far."""
        self._times[some] += 1
        mean = self._mean[some] * self.FIRST + gradient * (1 - self.FIRST)
        square = self._square[some] * self.SECOND + gradient**2 * (1 - self.SECOND)
        self._mean[some], self._square[some] = mean, square
        times = self._times[some]
        mean, square = mean / (1 - self.FIRST**times), square / (1 - self.SECOND**times)
        return np.asarray(mean / (np.sqrt(square) + 1e-12))


class Scale(NamedTuple):
    """The mean and the standard deviation of the pixels of each channel, float32 (C,)."""

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, images: Images, rng: np.random.Generator) -> "Scale":
        """Those of some of the images."""
        pixels = images[np.sort(_some(rng, images.shape[0], SAMPLE))].astype(np.float32)
        deviation = pixels.std((0, 1, 2))
        return cls(pixels.mean((0, 1, 2)), np.maximum(deviation, 1))  # images may be of one color

    def normalized(self, pixels: np.ndarray) -> np.ndarray:
        """float32 values of uint8 pixels."""
        return (pixels.astype(np.float32) - self.mean) / self.deviation

    def clipped(self, values: np.ndarray) -> np.ndarray:
        """Values that pixels can have."""
        low, high = -self.mean / self.deviation, (255 - self.mean) / self.deviation
        return np.clip(values, low, high).astype(np.float32)

    def as_pixels(self, values: np.ndarray) -> NDArray[np.uint8]:
        """uint8 pixels of normalized values."""
        pixels = np.rint(values * self.deviation + self.mean)
        return np.clip(pixels, 0, 255).astype(np.uint8)


class Transform(NamedTuple):
    """A differentiable transform of all images of a batch.

    Attributes
    ----------
    sources : ndarray of int32, shape (4, H * W)
        The four pixels that each new pixel is interpolated from.
    shares : ndarray of float32, shape (4, H * W)
        The share of each; 0 for what is outside, which becomes the mean color.
    brightness, contrast, saturation : float32
        What is added, and factors of the distance from an image's mean and from a pixel's gray.
    visible : ndarray of float32, shape (H, W, 1)
        0 where a square is cut out.
    """

    sources: np.ndarray
    shares: np.ndarray
    brightness: np.float32
    contrast: np.float32
    saturation: np.float32
    visible: np.ndarray


def drawn_transform(
    rng: np.random.Generator, shape: tuple[int, ...], flips: bool = True
) -> Transform:
    """Draw one of TRANSFORMS, and its strength."""
    height, width, channels = shape
    kind = rng.choice([name for name in TRANSFORMS if flips or name != "flip"])
    matrix, offset = np.eye(2), np.zeros(2)
    brightness, contrast, saturation = 0.0, 1.0, 1.0
    visible = np.ones((height, width, 1), np.float32)
    match kind:
        case "color":
            brightness, contrast = rng.uniform(-0.5, 0.5), rng.uniform(0.5, 1.5)
            saturation = rng.uniform(0, 2) if channels == 3 else 1.0
        case "shift":
            offset = np.rint(rng.uniform(-SHIFT, SHIFT, 2) * (height, width))
        case "cutout":
            side = round(CUTOUT * height)
            top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
            visible[top : top + side, left : left + side] = 0
        case "flip":
            matrix = np.diag([1.0, rng.choice([-1.0, 1.0])])
        case "scale":
            matrix = np.diag(rng.uniform(1 / SCALE, SCALE, 2))
        case "rotation":
            angle = np.deg2rad(rng.uniform(-DEGREES, DEGREES))
            matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    sources, shares = _resampling(height, width, matrix, offset)
    return Transform(
        sources,
        shares,
        np.float32(brightness),
        np.float32(contrast),
        np.float32(saturation),
        visible,
    )


def _resampling(
    height: int, width: int, matrix: np.ndarray, offset: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Bilinear interpolation about the center, as `Transform` has it."""
    middle = np.array([(height - 1) / 2, (width - 1) / 2])
    grid = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), -1)
    places = (grid.reshape(-1, 2) - middle) @ matrix.T + middle + offset
    first = np.floor(places + 1e-6).astype(int)
    part = np.clip(places - first, 0, 1)
    sources, shares = [], []
    for down in (0, 1):
        for right in (0, 1):
            row, column = first[:, 0] + down, first[:, 1] + right
            share = np.where(down, part[:, 0], 1 - part[:, 0])
            share = share * np.where(right, part[:, 1], 1 - part[:, 1])
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            sources.append(np.where(inside, row * width + column, 0))
            shares.append(np.where(inside, share, 0))
    return np.array(sources, np.int32), np.array(shares, np.float32)


class RandomNetworks:
    """Convolutional networks with random weights, and the features that they compute.

    Parameters
    ----------
    shape : tuple of int
        (height, width, channels) of the images.
    width : int
        Filters in each convolution.
    threads : int
        CPU threads.
    """

    def __init__(self, shape: tuple[int, ...], width: int, threads: int = 1) -> None:
        # Of Keras, which makes it deterministic; its layers cannot get new weights as fast.
        load_keras("tensorflow", threads)
        import tensorflow as tf

        self._tf = tf
        self._shape = shape
        self._width = width
        self._matched = tf.function(self._loss_and_gradient, reduce_retracing=True)
        self._of = tf.function(self._features, reduce_retracing=True)

    def kernels(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Draw the weights of a network (He's initialization), float32 (3, 3, in, out) each."""
        widths = [self._shape[2], *[self._width] * BLOCKS]
        return [
            rng.normal(0, np.sqrt(2 / (9 * before)), (3, 3, before, after)).astype(np.float32)
            for before, after in itertools.pairwise(widths)
        ]

    def of(self, images: np.ndarray, kernels: list[np.ndarray]) -> np.ndarray:
        """The features of normalized images, float32 (n, d)."""
        return self._of(self._tf.constant(images), kernels).numpy()

    def matched(
        self, real: np.ndarray, learned: np.ndarray, kernels: list[np.ndarray], drawn: Transform
    ) -> tuple[float, np.ndarray]:
        """The squared distance of the mean features, and its gradient at the learned images."""
        loss, gradient = self._matched(
            *(self._tf.constant(real), self._tf.constant(learned), kernels, *drawn)
        )
        return float(loss), gradient.numpy()

    def _loss_and_gradient(
        self, real: Any, learned: Any, kernels: list[Any], *drawn: Any
    ) -> tuple[Any, Any]:
        tf = self._tf
        target = tf.reduce_mean(self._features(self._transformed(real, *drawn), kernels), 0)
        with tf.GradientTape() as tape:
            tape.watch(learned)
            found = self._features(self._transformed(learned, *drawn), kernels)
            loss = tf.reduce_sum((tf.reduce_mean(found, 0) - target) ** 2)
        return loss, tape.gradient(loss, learned)

    def _transformed(
        self,
        images: Any,
        sources: Any,
        shares: Any,
        brightness: Any,
        contrast: Any,
        saturation: Any,
        visible: Any,
    ) -> Any:
        tf = self._tf
        height, width, channels = self._shape
        pixels = tf.reshape(images, (-1, height * width, channels))
        found = tf.gather(pixels, sources, axis=1) * shares[None, :, :, None]
        images = tf.reshape(tf.reduce_sum(found, 1), (-1, height, width, channels))
        images = images + brightness
        gray = tf.reduce_mean(images, -1, keepdims=True)
        images = gray + saturation * (images - gray)
        mean = tf.reduce_mean(images, (1, 2, 3), keepdims=True)
        return (mean + contrast * (images - mean)) * visible

    def _features(self, images: Any, kernels: list[Any]) -> Any:
        tf = self._tf
        side = self._shape[0]
        for kernel in kernels:
            images = tf.nn.conv2d(images, kernel, strides=1, padding="SAME")
            mean, variance = tf.nn.moments(images, (1, 2), keepdims=True)
            images = tf.nn.relu((images - mean) * tf.math.rsqrt(variance + 1e-5))
            if side // 2 >= LEAST_SIDE:
                images, side = tf.nn.avg_pool2d(images, 2, 2, "VALID"), side // 2
        return tf.reshape(images, (tf.shape(images)[0], side * side * self._width))


def _some(rng: np.random.Generator, count: int, most: int) -> np.ndarray:
    """The rows of at most `most` of `count` images."""
    return np.arange(count) if count <= most else rng.choice(count, most, replace=False)
