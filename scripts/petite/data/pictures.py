"""Images as PNG files, for programs of the user's: from the store, or from the originals."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Unpack

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from petite.data.decoding.decode import SetAside
from petite.data.ingest import Reading, decode_entry
from petite.data.sources import Source
from petite.data.store import Store
from petite.util.errors import PetiteError

# From ids to the position of each and its pixels, uint8 (side, side, channels), in any order.
ReadPixels = Callable[[Sequence[str]], Iterator[tuple[int, NDArray[np.uint8]]]]

AT_ONCE = 256  # stored images
# Of zlib: photographs of 224 pixels take 3.3 ms instead of 12 ms, and 7% more bytes.
COMPRESSION = 1


def stored_pixels(store: Store) -> ReadPixels:
    """Read images of a store."""

    def read(image_ids: Sequence[str]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        for start in range(0, len(image_ids), AT_ONCE):
            yield from enumerate(store.images(image_ids[start : start + AT_ONCE]), start)

    return read


def original_pixels(
    source: Source, side: int, channels: int, **reading: Unpack[Reading]
) -> ReadPixels:
    """Read originals at another size than the store's, one in memory at a time.

    Parameters
    ----------
    source : Source
        Open.
    side : int
        Side of the result, pixels.
    channels : int
        1 for grayscale, 3 for RGB.
    **reading
        See `petite.data.ingest.decode_entry`.

    Returns
    -------
    callable
        It raises PetiteError for an image that cannot be read any more.
    """

    def read(image_ids: Sequence[str]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        positions: dict[str, list[int]] = {}
        for position, image_id in enumerate(image_ids):
            positions.setdefault(image_id, []).append(position)
        for image_id, data in source.read_many(list(positions)):
            try:
                decoded = decode_entry(data, side, channels, resampling="bicubic", **reading)
            except SetAside as problem:
                raise PetiteError(
                    f"{image_id} can no longer be read: {problem.reason}. Restore the original "
                    "images, or rerun the workflow on the present ones."
                ) from None
            for position in positions[image_id]:
                yield position, decoded.pixels

    return read


def write_pictures(
    folder: Path, count: int, pixels: Iterable[tuple[int, NDArray[np.uint8]]]
) -> list[str]:
    """Write images as folder/000000.png, folder/000001.png and so on.

    The files say nothing beyond their pixels: they are created in the order of their numbers and
    have the same time, whatever the order in which the pixels come.

    Parameters
    ----------
    folder : Path
        It does not exist.
    count : int
        Number of images.
    pixels : iterable of (int, ndarray)
        The number of each image and its pixels, uint8 (height, width, channels).

    Returns
    -------
    list of str
        The absolute paths.
    """
    folder.mkdir(parents=True)
    digits = max(6, len(str(count)))
    paths = [folder.absolute() / f"{number:0{digits}d}.png" for number in range(count)]
    for path in paths:
        path.touch()
    now = time.time()
    for number, image in pixels:
        paths[number].write_bytes(png(image, COMPRESSION))
        os.utime(paths[number], (now, now))
    return [str(path) for path in paths]


def png(pixels: NDArray[np.uint8], compression: int = 6) -> bytes:
    """uint8 (height, width), (height, width, 1) or (height, width, 3) as a PNG."""
    file = BytesIO()
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2:] == (1,) else pixels)
    picture.save(file, "PNG", compress_level=compression)
    return file.getvalue()
