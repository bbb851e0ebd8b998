"""Views of images, from which training and evaluation read pixels in memory or on disk.

A view has the shape of an array of images and is indexed by row numbers. A NumPy array is a view
too. Views wrap each other: a subset's `StoredImages` are transformed by `RenderedImages`, and read
through `ResizedImages` at the image size of a training phase.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from petite.data.store import Store
from petite.util.formatting import byte_size

logger = logging.getLogger(__name__)

# Images that are read into memory at a time.
READ_AT_ONCE = 1_024


class Images(Protocol):
    """Images that are read by row numbers: a NumPy array, or one of the classes below.

    Attributes
    ----------
    shape : tuple of int
        (n_images, height, width, channels).
    """

    shape: tuple[int, ...]

    def __getitem__(self, rows: np.ndarray, /) -> np.ndarray:
        """Read some of the images.

        Parameters
        ----------
        rows : ndarray of int, shape (n,)
            Row numbers, in any order, possibly repeated.

        Returns
        -------
        ndarray of uint8, shape (n, height, width, channels)
        """
        ...


class StoredImages:
    """Images of a store, read from disk each time.

    Parameters
    ----------
    store : Store
    image_ids : iterable of str, or ndarray of int
        Ids, or rows in the store's index, in the order of the view.

    Raises
    ------
    KeyError
        For an unknown id; on reading, for an image without pixels.
    """

    def __init__(self, store: Store, image_ids: Iterable[str] | NDArray[np.integer]) -> None:
        wanted = np.asarray(image_ids)
        self._store = store
        self._positions = wanted if wanted.dtype.kind in "iu" else store.positions(wanted)
        self.shape: tuple[int, ...] = (len(wanted), *store.shape)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """See `Images`."""
        return self._store.images(self._positions[rows])


class RenderedImages:
    """Images that are each transformed by a recipe whenever they are read.

    Parameters
    ----------
    images : Images
        n images.
    recipes : sequence of str
        n recipes, "" for an unchanged image.
    render : callable
        Applies recipes to uint8 images of the same number, such as
        `petite.subsets.augmentation.render_subset`.
    """

    def __init__(
        self,
        images: Images,
        recipes: Sequence[str],
        render: Callable[[np.ndarray, Sequence[str]], np.ndarray],
    ) -> None:
        self._images = images
        self._recipes = np.asarray(recipes, dtype=object)
        self._render = render
        self.shape = images.shape

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """See `Images`."""
        return self._render(self._images[rows], self._recipes[rows].tolist())


class ResizedImages:
    """Images of another size, resized whenever they are read; see `resized`."""

    def __init__(self, images: Images, side: int) -> None:
        self._images = images
        rows, _, _, channels = images.shape
        self.shape: tuple[int, ...] = (rows, side, side, channels)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """See `Images`."""
        return _resized_array(self._images[rows], self.shape[1])


def resized(images: Images, side: int) -> Images:
    """Resize images, with antialiasing.

    Parameters
    ----------
    images : Images
        Square images.
    side : int
        Height and width of the result, pixels.

    Returns
    -------
    Images
        The given images if they have this size. Otherwise an array for an array, which is resized
        once, and a `ResizedImages` for any other view.
    """
    if images.shape[1] == side:
        return images
    if isinstance(images, np.ndarray):
        return _resized_array(images, side)
    return ResizedImages(images, side)


def in_memory_if_it_fits(images: Images, needed: int, limit: int, name: str) -> Images:
    """Read all images into memory if they fit; the result gives the same images.

    Parameters
    ----------
    images : Images
    needed : int
        Memory that they need, in bytes, such as `size_of` computes.
    limit : int
        Memory that they may use, in bytes.
    name : str
        Their name in the log.

    Returns
    -------
    Images
        An array if `needed` is at most `limit`, otherwise the given view.
    """
    if needed > limit:
        logger.info(
            "%s would need %s of memory, more than %s: they are read from the store when needed",
            name,
            byte_size(needed),
            byte_size(max(limit, 0)),
        )
        return images
    array = np.empty(images.shape, dtype=np.uint8)
    for start in range(0, len(array), READ_AT_ONCE):
        rows = np.arange(start, min(start + READ_AT_ONCE, len(array)))
        array[rows] = images[rows]
    return array


def size_of(images: Images) -> int:
    """Compute the size of images in memory, in bytes."""
    return int(np.prod(images.shape))


def _resized_array(images: np.ndarray, side: int) -> np.ndarray:
    """Resize uint8 images (n, height, width, channels) to (n, side, side, channels)."""
    from PIL import Image

    rows, channels = images.shape[0], images.shape[3]
    result = np.empty((rows, side, side, channels), dtype=np.uint8)
    for row, pixels in enumerate(images):
        picture = Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)
        smaller = np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR))
        result[row] = smaller.reshape(side, side, channels)
    return result
