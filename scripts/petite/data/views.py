"""Views of images: what training and evaluation read from, whether pixels are in memory or on disk.

A view has the shape of an array of images and gives those of any row numbers. A NumPy array is one.
Views wrap each other: a subset's images are `StoredImages`, rendered by `RenderedImages` as their
recipes say, and read by a training at the side of its phase through `ResizedImages`.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from petite.data.store import Store
from petite.util.formatting import byte_size

logger = logging.getLogger(__name__)

# How many images are read at a time into memory.
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
            Row numbers, in any order and as often as wanted.

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
        Where they are.
    image_ids : iterable of str, or ndarray of int
        Which images, in the order of the view: their ids, or their rows in the store's index.

    Raises
    ------
    KeyError
        For an id that is not in the store, and on reading for an image without pixels.
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
    """Images transformed by a recipe each, every time that they are read.

    Parameters
    ----------
    images : Images
        n images.
    recipes : sequence of str
        n recipes, "" for an image as it is.
    render : callable
        Makes uint8 images of a shape from such images and their recipes, such as
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
    """Images at another side, resized every time that they are read; see `resized`."""

    def __init__(self, images: Images, side: int) -> None:
        self._images = images
        rows, _, _, channels = images.shape
        self.shape: tuple[int, ...] = (rows, side, side, channels)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """See `Images`."""
        return _resized_array(self._images[rows], self.shape[1])


def resized(images: Images, side: int) -> Images:
    """Give images another side, with antialiasing.

    Parameters
    ----------
    images : Images
        Square images.
    side : int
        Height and width wanted, pixels.

    Returns
    -------
    Images
        The given images where they have this side. Otherwise an array for an array, which is
        resized once, and for another view a `ResizedImages`.
    """
    if images.shape[1] == side:
        return images
    if isinstance(images, np.ndarray):
        return _resized_array(images, side)
    return ResizedImages(images, side)


def in_memory_if_it_fits(images: Images, needed: int, limit: int, name: str) -> Images:
    """Read all images into memory where there is room; the result gives the same images.

    Parameters
    ----------
    images : Images
        Which images.
    needed : int
        Bytes that they will take, such as `size_of` gives.
    limit : int
        Bytes that they may take.
    name : str
        What the log calls them.

    Returns
    -------
    Images
        An array where `needed` is at most `limit`, otherwise the given view.
    """
    if needed > limit:
        logger.info(
            "%s would take %s, more than %s: they are read from the store as they are needed",
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
    """The bytes that images take in memory."""
    return int(np.prod(images.shape))


def _resized_array(images: np.ndarray, side: int) -> np.ndarray:
    """Images, uint8 (n, H, W, C), at another side: uint8 (n, side, side, C)."""
    from PIL import Image

    rows, channels = images.shape[0], images.shape[3]
    result = np.empty((rows, side, side, channels), dtype=np.uint8)
    for row, pixels in enumerate(images):
        picture = Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)
        smaller = np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR))
        result[row] = smaller.reshape(side, side, channels)
    return result
