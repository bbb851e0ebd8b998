"""How training images are augmented, in NumPy: from a generator that is seeded for each batch."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from petite.training.soft_views import cropped, padding

# Narrowest and widest parts of `zoomed`.
CROP_PROPORTIONS = (3 / 4, 4 / 3)


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """What is done to training images; the default is nothing.

    Attributes
    ----------
    flips : {"none", "random", "alternating"}
        Which images are mirrored; alternating: in every second pass over an image.
    crop_area : float
        See `zoomed`; 1 disables it.
    crop_padding : float
        See `shifted`; 0 disables it.
    brightness : float
        See `soft_views.brightened`; 0 disables it.
    mixup, cutmix : float
        See `drawn_mix`; 0 disables each. With both, each image has one of them.
    """

    flips: str = "none"
    crop_area: float = 1.0
    crop_padding: float = 0.0
    brightness: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0


NOTHING = Augmentation()


class Mix(NamedTuple):
    """Which images of a batch are mixed with which, and how.

    Attributes
    ----------
    partners : ndarray of int, shape (n,)
        The image of the batch that each is mixed with.
    shares : ndarray of float32, shape (n,)
        How much of each image is its own, and of its target.
    boxes : ndarray of int, shape (n, 4)
        The rows and columns (top, bottom, left, right) that are the partner's, for images that are
        pasted; empty boxes for those that are blended.
    """

    partners: NDArray[np.intp]
    shares: NDArray[np.float32]
    boxes: NDArray[np.intp]

    def of_images(self, images: np.ndarray) -> np.ndarray:
        """The mixed images, uint8 (n, H, W, C)."""
        others = images[self.partners]
        pasted = self.boxes[:, 1] > self.boxes[:, 0]
        own = np.where(pasted, 1, self.shares)[:, None, None, None]
        mixed = np.rint(own * images + (1 - own) * others).astype(np.uint8)
        for row in np.flatnonzero(pasted):
            top, bottom, left, right = self.boxes[row]
            mixed[row, top:bottom, left:right] = others[row, top:bottom, left:right]
        return mixed

    def of_targets(
        self, targets: NDArray[np.float32], weights: NDArray[np.float32] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Targets and weights with which the loss is the mix of the losses of both images.

        Parameters
        ----------
        targets : ndarray of float32, shape (n, outputs)
        weights : ndarray of float32, shape (n,), or None
            None: all are 1, and stay so.
        """
        given = np.ones_like(self.shares) if weights is None else weights
        own, others = self.shares * given, (1 - self.shares) * given[self.partners]
        both = own + others
        # Two images that do not count have no target.
        share = np.divide(own, both, out=np.ones_like(own), where=both > 0)[:, None]
        mixed: NDArray[np.float32] = share * targets + (1 - share) * targets[self.partners]
        return mixed, None if weights is None else both


def drawn_mix(
    shape: tuple[int, ...], mixup: float, cutmix: float, rng: np.random.Generator
) -> Mix | None:
    """Draw how the images of a batch are mixed with each other; None if they are not.

    Parameters
    ----------
    shape : tuple of int
        Of the images, (n, H, W, C).
    mixup : float
        Alpha of MixUp: images are blended, and the share of each is from Beta(alpha, alpha). 0: no
        image is.
    cutmix : float
        Alpha of CutMix: a box of the partner is pasted, whose area is drawn in the same way.
    rng : numpy.random.Generator

    References
    ----------
    Zhang and others 2018, "mixup: Beyond Empirical Risk Minimization". Yun and others 2019,
    "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features".
    """
    if not (mixup or cutmix):
        return None
    count, height, width, _ = shape
    partners = rng.permutation(count)
    pasted = rng.random(count) < 0.5 if mixup and cutmix else np.full(count, bool(cutmix))
    alphas = np.where(pasted, cutmix, mixup)
    shares = rng.beta(alphas, alphas)
    # The box has the proportions of the image; what is outside of it is cut off.
    half = np.sqrt(1 - shares) / 2
    down, right = rng.random((2, count))
    edges = [
        np.clip(np.rint((center + sign * half) * side), 0, side)
        for center, side in ((down, height), (right, width))
        for sign in (-1, 1)
    ]
    boxes = np.where(pasted[:, None], np.stack(edges, axis=1), 0).astype(np.intp)
    areas = (boxes[:, 1] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 2])
    shares = np.where(pasted, 1 - areas / (height * width), shares)
    return Mix(partners, shares.astype(np.float32), boxes)


def zoomed(images: np.ndarray, least_area: float, rng: np.random.Generator) -> np.ndarray:
    """Show a random part of each image in the size of the image.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, H, W, 1 or 3)
    least_area : float
        The smallest share of the area that a part has; the largest is 1. Its width to height is
        within `CROP_PROPORTIONS` times that of the image.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of uint8, shape (n, H, W, 1 or 3)

    References
    ----------
    Szegedy and others 2015, "Going Deeper with Convolutions", section 6.
    """
    from PIL import Image

    count, height, width, channels = images.shape
    areas = rng.uniform(least_area, 1, count)
    narrowest, widest = np.log(CROP_PROPORTIONS)
    proportions = np.exp(rng.uniform(narrowest, widest, count))
    heights = np.minimum(np.sqrt(areas / proportions), 1) * height
    widths = np.minimum(np.sqrt(areas * proportions), 1) * width
    tops, lefts = rng.random((2, count)) * [height - heights, width - widths]
    boxes = np.stack([lefts, tops, lefts + widths, tops + heights], axis=1)
    # Sums may be above the image by a rounding.
    boxes = np.minimum(boxes, [width, height, width, height])
    found = [
        Image.fromarray(image[:, :, 0] if channels == 1 else image).resize(
            (width, height), Image.Resampling.BILINEAR, box=tuple(box)
        )
        for image, box in zip(images, boxes, strict=True)
    ]
    return np.stack([np.asarray(image) for image in found]).reshape(images.shape)


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
