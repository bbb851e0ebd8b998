"""Find images of more than 8 bits per channel and convert their counts to gray levels.

Detectors of 12 bits write counts up to 4,095 into files of 16 bits, and floating-point files have
any range. Which counts become black and white is therefore a setting, `dataset.depth`:

- "stretch": the range of a sample of the set, the same for all images (`sampled`, `range_of`);
- "each": the range of each image;
- "full": all that 16 bits can hold, 0 to 65,535 (0 to 1 in floating point);
- two counts: those that become black and white.
"""

import heapq
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

Counts = tuple[float, float]  # what becomes black, what becomes white
Depth = Literal["full", "each"] | Counts

FLOATS, SIXTEEN_BITS = (0.0, 1.0), (0.0, 65_535.0)  # the full range
SAMPLED_IMAGES = 64
COUNTS_OF_AN_IMAGE = 10_000
# Of the sampled counts, so that a few hot or dead pixels do not set the range.
PERCENTILES = (0.1, 99.9)
FEWEST_COUNTS = 16  # of a range that a fill value is compared with
ROWS_AT_ONCE = 256
# The raw mode says which byte of each 16-bit sample of a color image Pillow reads. These name the
# other byte.
OTHER_ORDER = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}
TWO_BYTES = ("RGB;16", "RGBX;16", "RGBA;16")
MINIMUM_IS_WHITE = 0  # a value of TIFF's photometric interpretation, tag 262


def is_deep(image: ImageFile.ImageFile) -> bool:
    """Whether more than 8 bits per channel can be read from an image, opened and not loaded."""
    return image.mode.startswith(("I", "F")) or _low_raw_mode(image) is not None


def may_be_deep(head: bytes) -> bool:
    """Whether a file may have more than 8 bits per channel, by its first 32 bytes or more."""
    if head.startswith(b"\x89PNG"):
        return head[24:25] == b"\x10"
    return head.startswith((b"II", b"MM", b"P5", b"P2", b"P6", b"Pf", b"\0\0\0\x0cjP", b"\xffO"))


def sampled(image_ids: Iterable[str]) -> list[str]:
    """Sample SAMPLED_IMAGES ids, or all of fewer, for `range_of`.

    The sample depends on the ids alone, so an added or removed image rarely changes it.
    """
    return heapq.nsmallest(SAMPLED_IMAGES, image_ids, key=lambda name: (_checksum(name), name))


def _checksum(name: str) -> int:
    return zlib.crc32(name.encode("utf-8", "surrogatepass"))


def range_of(samples: list[NDArray[np.float32]]) -> Counts | None:
    """Compute the counts that become black and white for a whole data set.

    Parameters
    ----------
    samples : list of ndarray of float32, shape (n,)
        Some counts of each sampled image, from `Counted.sample`.

    Returns
    -------
    (float, float) or None
        None without samples. Whole numbers if all counts are.
    """
    if not samples:
        return None
    counts = _without_fill(np.concatenate(samples))
    black, white = (float(value) for value in np.percentile(counts, PERCENTILES))
    if black == white:  # nearly all pixels have one value: only the others show anything
        black, white = float(counts.min()), float(counts.max())
    if (counts == np.round(counts)).all():
        return float(np.floor(black)), float(np.ceil(white))
    return black, white


def _without_fill(counts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Drop the lowest or highest count if it stands for no measurement, such as -9999.

    It does if the gap next to it is as wide as the range of all others, of which there are
    FEWEST_COUNTS or more, and if the percentiles would not drop it anyway.
    """
    known = np.unique(counts)
    for fill, others in ((known[0], known[1:]), (known[-1], known[:-1])):
        if len(others) < FEWEST_COUNTS:
            continue
        low, high = float(others[0]), float(others[-1])
        gap = min(abs(float(fill) - low), abs(float(fill) - high))
        if gap >= high - low and (counts == fill).mean() > 1 - PERCENTILES[1] / 100:
            return counts[counts != fill]
    return counts


class Counted:
    """An image of more than 8 bits per channel, read in bands of rows."""

    def __init__(
        self, image: ImageFile.ImageFile, again: Callable[[], ImageFile.ImageFile]
    ) -> None:
        """Load an opened image; `again` opens it a second time, for its lower bytes."""
        self._transparent = image.info.get("transparency")
        self._is_gray = image.mode.startswith(("I", "F")) or _has_gray_alpha(image)
        self._is_negative = getattr(image, "tag_v2", {}).get(262) == MINIMUM_IS_WHITE
        highest = _highest_of_pnm(image)
        self._full = FLOATS if image.mode == "F" else (0.0, float(highest or SIXTEEN_BITS[1]))
        # Pillow scales plain numbers to 65,535.
        is_plain = image.mode == "I" and _codec(image) == "ppm_plain"
        self._count = self._full[1] / SIXTEEN_BITS[1] if is_plain else 1.0
        low_raw_mode = _low_raw_mode(image)
        self._low: Image.Image | None = None
        if low_raw_mode is not None:
            self._low = again()
            _set_raw_mode(self._low, low_raw_mode)
            self._low.load()
        if _codec(image) == "ppm":  # Pillow's own decoder is slow and keeps 8 bits of a color
            _set_raw_mode(image, "RGB;16B" if image.mode == "RGB" else "I;16B")
        image.load()
        self._image = image

    def sample(self) -> NDArray[np.float32]:
        """Sample counts evenly over the image: float32, about COUNTS_OF_AN_IMAGE of them."""
        width, height = self._image.size
        # Odd: most widths are even, and steps that divide them would sample only a few columns.
        step = width * height // COUNTS_OF_AN_IMAGE | 1
        counts = np.concatenate([band.ravel()[::step] for _, band in self._bands()])
        return counts[np.isfinite(counts)]

    def to_bytes(self, depth: Depth) -> tuple[Image.Image, Counts]:
        """Convert to 8 bits per channel (L, RGB or RGBA); returns the limits too."""
        black, white = limits = self._limits(depth)
        scale, rounding = (255 / (white - black) if white > black else 0.0), 0.5
        if limits == SIXTEEN_BITS:  # take the high byte, like other programs
            scale, rounding = 1 / 256, 0.0
        result = Image.new("L" if self._is_gray else "RGB", self._image.size)
        for top, band in self._bands():
            with np.errstate(over="ignore"):  # the largest floats become white
                levels = (np.nan_to_num(band, nan=black) - np.float32(black)) * np.float32(scale)
            pixels = (levels + np.float32(rounding)).clip(0, 255).astype(np.uint8)
            if self._is_negative:
                pixels = 255 - pixels
            if isinstance(self._transparent, int | tuple):
                is_clear = band == np.asarray(self._transparent, np.float32)
                pixels[is_clear if self._is_gray else is_clear.all(axis=2)] = 255
            result.paste(Image.fromarray(pixels), (0, top))
        if self._image.mode == "RGBA":
            result.putalpha(self._image.getchannel("A"))
        return result, limits

    def _limits(self, depth: Depth) -> Counts:
        """The counts that become black and white."""
        if depth == "full":
            return self._full
        if depth != "each":
            return depth
        lowest, highest = np.inf, -np.inf
        for _, band in self._bands():
            finite = band[np.isfinite(band)]
            if finite.size:
                lowest, highest = min(lowest, finite.min()), max(highest, finite.max())
        return (float(lowest), float(highest)) if lowest <= highest else (0.0, 0.0)

    def _bands(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield the first row of each band, and its counts: (rows, width) or (rows, width, 3)."""
        width, height = self._image.size
        for top in range(0, height, ROWS_AT_ONCE):
            box = (0, top, width, min(top + ROWS_AT_ONCE, height))
            band = np.asarray(self._image.crop(box)).astype(np.float32)
            if self._count != 1:
                band = (band * np.float32(self._count)).round()
            if self._low is not None:
                low = np.asarray(self._low.crop(box))
                # The low byte of gray with alpha is read as green.
                band = (
                    256 * band[..., 0] + low[..., 1]
                    if self._is_gray
                    else 256 * band[..., :3] + low[..., :3]
                )
            yield top, band


def _low_raw_mode(image: ImageFile.ImageFile) -> str | None:
    """The raw mode that reads the lower bytes of a 16-bit image with several bands; else None."""
    raw_mode = _raw_mode(image)
    if _has_gray_alpha(image):
        return "RGBA"  # of the two high and two low bytes
    if image.mode == "RGB" and _codec(image) == "ppm":
        return "RGB;16L" if (_highest_of_pnm(image) or 0) > 255 else None
    return raw_mode[:-1] + OTHER_ORDER[raw_mode[-1]] if raw_mode.startswith(TWO_BYTES) else None


def _has_gray_alpha(image: ImageFile.ImageFile) -> bool:
    """Whether an image is a PNG of 16-bit gray with an alpha channel."""
    return _raw_mode(image) == "LA;16B"


def _highest_of_pnm(image: ImageFile.ImageFile) -> int | None:
    """The highest count that a PNM, opened and not loaded, may hold; None for other images."""
    if not _codec(image).startswith("ppm") or not isinstance(image.tile[0].args, tuple):
        return None
    return int(image.tile[0].args[1])


def _codec(image: ImageFile.ImageFile) -> str:
    """The name of the decoder of an image, opened and not loaded; or ""."""
    return image.tile[0].codec_name if image.tile else ""


def _raw_mode(image: ImageFile.ImageFile) -> str:
    """The raw mode (layout of samples in the file) of an image, opened and not loaded; or ""."""
    if not image.tile:
        return ""
    args = image.tile[0].args
    return str(args[0] if isinstance(args, tuple) else args)


def _set_raw_mode(image: ImageFile.ImageFile, raw_mode: str) -> None:
    """Set the raw mode of all tiles of an image, opened and not loaded."""

    def changed(tile: ImageFile._Tile) -> ImageFile._Tile:
        if image.format == "PPM":
            return tile._replace(codec_name="raw", args=raw_mode)
        args = (raw_mode, *tile.args[1:]) if isinstance(tile.args, tuple) else raw_mode
        return tile._replace(args=args)

    image.tile = [changed(tile) for tile in image.tile]
