"""Make the augmented views that soft labels are of. Exports have this file: it needs NumPy only."""

import numpy as np


def soft_view(
    images: np.ndarray, views: np.ndarray, crop_padding: float, brightness: float = 0.0
) -> np.ndarray:
    """Make one view of each image: shifted, brighter or darker, and mirrored or not.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, H, W, C)
    views : ndarray of uint8, shape (n, 3 or 6)
        Where each view is shifted to, down and right, in 256ths of the range, so that it fits any
        size; 1 if it is mirrored; and how bright each channel is, if they differ in brightness.
    crop_padding : float
        The largest shift in each direction as a fraction of the side, at least 1 pixel; 0: none.
        The mirrored edge fills the gap.
    brightness : float
        See `factors_of`; 0: they do not differ.

    Returns
    -------
    ndarray of uint8, shape (n, H, W, C)
    """
    if crop_padding > 0:
        pad = padding(images.shape, crop_padding)
        down, right = (views[:, :2].astype(int) * (2 * pad + 1) // 256).T
        images = cropped(images, pad, down, right)
    if brightness > 0:
        lights = views[:, 3 : 3 + images.shape[3]] / 255
        images = brightened(images, factors_of(lights, brightness))
    return mirrored(images, views[:, 2] == 1)


def brightened(images: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Multiply each channel of each image by a factor of its own.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, H, W, C)
    factors : ndarray of float, shape (n, C)
    """
    count, height, width, channels = images.shape
    # The factors repeated along each row: NumPy is 5 times slower at axes as short as the channels.
    of_row = np.tile(factors.astype(np.float32), width)[:, None, :]
    scaled = images.reshape(count, height, width * channels) * of_row
    np.rint(np.minimum(scaled, 255, out=scaled), out=scaled)
    return scaled.astype(np.uint8).reshape(images.shape)


def factors_of(drawn: np.ndarray, brightness: float) -> np.ndarray:
    """The factors of `brightened`: from 1 - brightness to 1 + brightness, as drawn from 0 to 1."""
    return 1 + brightness * (2 * drawn - 1)


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
    result = images.copy()
    result[which] = images[which].take(np.arange(images.shape[2])[::-1], axis=2)
    return result


def padding(shape: tuple[int, ...], fraction: float) -> int:
    """The largest shift of images (n, H, W, C) in pixels; `fraction` is that of the side."""
    _, height, width, _ = shape
    return min(max(1, round(fraction * height)), height - 1, width - 1)


def cropped(images: np.ndarray, pad: int, down: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Pad images by `pad` mirrored pixels, and crop each at its place, from 0 to 2 * pad."""
    count, height, width, _ = images.shape
    padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
    found = windows[np.arange(count), down, right]
    return np.ascontiguousarray(np.moveaxis(found, 1, -1))
