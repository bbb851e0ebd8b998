"""Many thumbnails in one picture, so that the report can show thousands and stay small."""

import base64
import io
import math
from typing import NamedTuple, TypedDict

import numpy as np
from PIL import Image

COLUMNS = 40
LARGEST_SIDE = 48  # pixels of a thumbnail; smaller images stay as they are
PIXELS_SHOW = 40  # thumbnails with a smaller side are enlarged without smoothing
MOST_LOSSLESS_BYTES = 700_000  # larger sheets are compressed with loss
QUALITY = 62  # of lossy WebP


class Place(TypedDict):
    """Column and row of an image in a sheet, from 0."""

    column: int
    row: int


class Sheet(NamedTuple):
    """Images in rows of `columns`, as a data URI; image i is in row i // columns."""

    uri: str
    columns: int
    side: int
    total: int

    @property
    def rows(self) -> int:
        """How many rows of images it has."""
        return math.ceil(self.total / self.columns)

    @property
    def rendering(self) -> str:
        """The CSS property `image-rendering`."""
        return "pixelated" if self.side < PIXELS_SHOW else "auto"

    def place(self, number: int) -> Place:
        """Column and row of image `number`."""
        return {"column": number % self.columns, "row": number // self.columns}


def thumbnails(images: np.ndarray, largest: int = LARGEST_SIDE) -> np.ndarray:
    """Thumbnails of images.

    Parameters
    ----------
    images : ndarray of uint8, shape (n_images, size, size, channels)
    largest : int
        Larger images are reduced to this side in pixels.

    Returns
    -------
    ndarray of uint8, shape (n_images, side, side, 3)
    """
    count, size = len(images), images.shape[1] if len(images) else largest
    side = min(size, largest)
    made = np.empty((count, side, side, 3), np.uint8)
    for number, image in enumerate(images):
        made[number] = thumbnail(image, side)
    return made


def thumbnail(image: np.ndarray, side: int) -> np.ndarray:
    """An image, uint8 (height, width, 1 or 3), as a square in color, uint8 (side, side, 3)."""
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).convert("RGB")
    if picture.size != (side, side):
        picture = picture.resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(picture)


def sheet(images: np.ndarray) -> Sheet:
    """Thumbnails, uint8 (n, side, side, 3), as one picture; without any, one gray tile."""
    if not len(images):
        images = np.full((1, 8, 8, 3), 128, np.uint8)
    count, side = images.shape[:2]
    columns = min(COLUMNS, count)
    rows = math.ceil(count / columns)
    tiles = np.full((rows * columns, side, side, 3), 128, np.uint8)
    tiles[:count] = images
    joined = tiles.reshape(rows, columns, side, side, 3).swapaxes(1, 2)
    picture = Image.fromarray(joined.reshape(rows * side, columns * side, 3))
    return Sheet(_data_uri(picture), columns, side, count)


def _data_uri(picture: Image.Image) -> str:
    data = _webp(picture, lossless=True)
    if len(data) > MOST_LOSSLESS_BYTES:
        data = _webp(picture, quality=QUALITY)
    return "data:image/webp;base64," + base64.b64encode(data).decode("ascii")


def _webp(picture: Image.Image, **options: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, "WEBP", method=4, **options)
    return file.getvalue()
