"""Decode the bytes of any image file to a small square of uint8 pixels.

Files come from anywhere: cut short, hostile, mislabeled. `decode` returns pixels or raises
`SetAside` with a reason that starts with a stable kind: "empty", "not an image", "other format",
"too small", "too large", "too slow", "cut short" or "damaged".
"""

import math
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from types import FrameType
from typing import Literal, NamedTuple

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import AvifImagePlugin, Image, ImageFile, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from petite.data.decoding import formats, png, tiff
from petite.data.decoding.depth import Counted, Counts, Depth, is_deep
from petite.util.names import printable

# Pillow's own limit is the same for the whole process. Here every image is compared with
# `max_pixels` after its header is read and before any pixel is decoded.
Image.MAX_IMAGE_PIXELS = None

# Many jobs run in parallel.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
EXIF_ORIENTATION = 0x0112
EXIF_MAKE, EXIF_MODEL, EXIF_MORE = 0x010F, 0x0110, 0x8769
EXIF_CAPTURED, EXIF_CAPTURED_FRACTION = 0x9003, 0x9291  # in EXIF_MORE: DateTimeOriginal, SubSec
Resampling = Literal["bilinear", "bicubic"]
RESAMPLING = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
# The least side of a scaled JPEG, in sides of the result.
SIDES_OF_JPEG = {"bilinear": 1, "bicubic": 2}
ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels
CHECKED = 8  # side of a checkerboard's squares in pixels
# Modes that Pillow converts to this one only.
ONE_STEP = {"LAB": "RGB", "La": "LA"}
TURNED = {5, 6, 7, 8}  # these orientations exchange width and height

# Lossless JPEGs cannot be scaled while they are decoded: libjpeg-turbo would write all of their
# pixels into a buffer for the scaled ones.
LOSSLESS_JPEG = (b"\xff\xc3", b"\xff\xcb")  # these two bytes begin its header, SOF3 or SOF11
SCAN_BEGINS = b"\xff\xda"
# A progressive JPEG has about ten. Each covers the whole image, so a small file with many scans
# takes long to decode. Such a file is left to Pillow, which can be stopped.
MOST_SCANS = 20


# Far longer than a decoder needs to return.
SECONDS_TO_NEXT_ALARM = 1.0


class SetAside(Exception):
    """Raised for an image that cannot be used.

    Attributes
    ----------
    reason : str
        A short sentence that starts with a stable kind.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _TimeIsUp(BaseException):
    """Raised wherever the program is when the time is up; no `except Exception` may catch it."""


class Decoded(NamedTuple):
    """An image as it is stored, and facts about the original."""

    pixels: NDArray[np.uint8]  # (size, size, channels)
    width: int  # of the original, upright, in pixels
    height: int
    limits: Counts | None = None  # of more than 8 bits: the counts that became black and white
    is_transparent: bool = False
    has_more: bool = False  # further pages, frames or bands, which are not used
    captured: float = math.nan  # by the camera's clock, in seconds since 1970; NaN if unknown
    camera: str = ""  # make and model
    format: str = ""  # Pillow's name of the file's format; "" for an array
    has_exif: bool = False


class Preview(NamedTuple):
    """An image as a person would see it."""

    pixels: NDArray[np.uint8]  # (height, width, 3)
    width: int  # of the original, upright, in pixels
    height: int
    levels: int  # number of different gray levels or counts


def decode(
    data: bytes,
    size: int,
    channels: int,
    *,
    min_side: int = 8,
    max_pixels: int = 50_000_000,
    max_seconds: float | None = None,
    depth: Depth = "full",
    resampling: Resampling = "bilinear",
) -> Decoded:
    """Decode an image file and resize it to a square.

    Reads the formats of `petite.data.decoding.formats`, which it detects by content and not by
    name. Of several pages or frames it reads the first. The image is turned upright by its EXIF
    orientation. Transparent parts become white (except a single transparent shade of a 4-bit gray
    PNG). Color profiles are not applied. The aspect ratio is not kept, as in the paper. The
    resampling is antialiased.

    A JPEG is scaled by eighths while it is decoded, as far as it stays at least `size` pixels high
    and wide (twice that if its colors are subsampled in one direction only). This leaves out the
    high frequencies of its cosine transform, which also acts as antialiasing but is slightly
    sharper. docs/speed.md shows how much the pixels differ.

    Parameters
    ----------
    data : bytes
        The whole file.
    size : int
        Side of the result in pixels.
    channels : {1, 3}
        1 for gray (ITU-R 601 luma), 3 for RGB.
    min_side : int
        Images with fewer pixels on a side are set aside.
    max_pixels : int
        Images with more pixels (width x height) are set aside before any pixel is decoded.
    max_seconds : float, optional
        Images that take longer are set aside; None for no limit. The limit is an alarm, so it
        works in the main thread only, and it cannot interrupt a call into C code. Such a call
        handles 64 kB of a file, or a whole WebP, AVIF, JPEG 2000, packed TIFF or usual JPEG, whose
        size `max_pixels` bounds.
    depth : {"full", "each"} or (float, float)
        Which counts become black and white if there are more than 8 bits per channel; see
        `petite.data.decoding.depth`.
    resampling : {"bilinear", "bicubic"}
        bilinear for the store; bicubic for pretrained networks, whose images were resized so. For
        bicubic a JPEG stays at least twice `size` high and wide while it is decoded.

    Returns
    -------
    Decoded
        The pixels, uint8 of shape (size, size, channels), and facts about the original.

    Raises
    ------
    SetAside
        For anything that is not a usable image. Apart from it, only MemoryError is raised.

    Examples
    --------
    >>> from io import BytesIO
    >>> from PIL import Image
    >>> from petite.data.decoding.decode import decode
    >>> file = BytesIO()
    >>> Image.new("RGB", (40, 20), "red").save(file, "PNG")
    >>> decoded = decode(file.getvalue(), size=8, channels=3)
    >>> decoded.pixels.shape, decoded.width, decoded.height
    ((8, 8, 3), 40, 20)
    >>> decode(b"some text", size=8, channels=3)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    petite.data.decoding.decode.SetAside: not an image: ...
    """
    with _judged(data, max_seconds):
        return _decode(data, size, channels, min_side, max_pixels, depth, resampling)


def preview(
    data: bytes, most: int, *, max_pixels: int = 50_000_000, max_seconds: float | None = None
) -> Preview:
    """Decode a file for people to look at, with its own aspect ratio.

    An image of more than 8 bits per channel is shown with its own range of counts.

    Parameters
    ----------
    data : bytes
        The whole file.
    most : int
        Largest width and height of the result in pixels.
    max_pixels, max_seconds
        As for `decode`.

    Raises
    ------
    SetAside
        As `decode`.
    """
    with _judged(data, max_seconds), open_image(data) as image:
        _check_size(image, 1, max_pixels)
        if is_deep(image):
            counted = Counted(image, lambda: open_image(data))
            levels = len(np.unique(counted.sample()))
            shown, _ = counted.to_bytes("each")
        else:
            image.load()
            levels = gray_levels(image)
            shown = image
        turn = ORIENTATIONS.get(_orientation(image))
        shown = _to_plain_mode(shown, "RGB")
        upright = shown if turn is None else shown.transpose(turn)
    return Preview(_fitted(upright, most), *upright.size, levels)


def preview_of_array(pixels: NDArray[np.uint8], most: int) -> Preview:
    """Make a `Preview` of an array, uint8 as for `from_array`; `most` as for `preview`."""
    image = _from_pixels(pixels)
    return Preview(_fitted(image.convert("RGB"), most), *image.size, gray_levels(image))


def gray_levels(image: Image.Image | NDArray[np.uint8]) -> int:
    """Count the gray levels, of 256, in an image; of a color image, those of its luma."""
    if not isinstance(image, Image.Image):
        image = _from_pixels(image)
    return sum(count > 0 for count in _to_plain_mode(image, "L").convert("L").histogram())


def _fitted(image: Image.Image, most: int) -> NDArray[np.uint8]:
    """Shrink an RGB or RGBA image, and put a checkerboard behind its transparent parts."""
    small = image.copy()
    small.thumbnail((most, most))
    if small.mode == "RGBA":
        squares = (np.indices((small.height, small.width)) // CHECKED).sum(axis=0) % 2
        board = Image.fromarray(np.where(squares, 255, 215).astype(np.uint8)).convert("RGBA")
        small = Image.alpha_composite(board, small).convert("RGB")
    return np.asarray(small)


def counts_of(
    data: bytes, *, max_pixels: int = 50_000_000, max_seconds: float | None = None
) -> NDArray[np.float32] | None:
    """Sample the counts of an image of more than 8 bits per channel, for `depth.range_of`.

    The parameters are those of `decode`.

    Returns
    -------
    ndarray of float32, shape (n,), or None
        None for an image of 8 bits per channel.

    Raises
    ------
    SetAside
        As `decode`.
    """
    with _judged(data, max_seconds), open_image(data) as image:
        _check_size(image, 1, max_pixels)
        return Counted(image, lambda: open_image(data)).sample() if is_deep(image) else None


def open_image(data: bytes) -> ImageFile.ImageFile:
    """Read the header of an image file; no pixel is decoded.

    Raises
    ------
    SetAside
        For a format that is not supported. For a damaged header, Pillow raises errors of its own.
    """
    name = formats.format_of(data)
    if name is None:
        raise SetAside(formats.why_not_read(data))
    if name == "PNG":
        data = png.without_texts(data)
    image = Image.open(BytesIO(data), formats=[name])
    if isinstance(image, TiffImageFile):
        if reason := tiff.why_not_read(image):
            raise SetAside(reason)
        tiff.use_native_order(image)
    return image


@contextmanager
def _judged(data: bytes, max_seconds: float | None) -> Iterator[None]:
    """Turn every error that the block raises while decoding these bytes into SetAside."""
    if not data:
        raise SetAside("empty: no bytes")
    try:
        with _alarm(max_seconds):
            yield
    except _TimeIsUp:
        raise SetAside(f"too slow: more than {max_seconds:g} seconds to decode") from None
    except (SetAside, MemoryError):
        raise
    except Exception as error:  # Pillow's plug-ins raise nearly any error on hostile bytes
        raise SetAside(_reason(data, error)) from error


def from_array(
    pixels: NDArray[np.uint8], size: int, channels: int, resampling: Resampling = "bilinear"
) -> Decoded:
    """Bring an array to the stored form; it is resized only if necessary.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width), (height, width, 1) or (height, width, 3)
        The image.
    size, channels, resampling
        As for `decode`.
    """
    height, width = pixels.shape[:2]
    square = _array_to_square(pixels, (0, 0, width, height), size, channels, resampling)
    return Decoded(square, width, height)


@contextmanager
def _alarm(seconds: float | None) -> Iterator[None]:
    """Raise _TimeIsUp in the block after this many seconds."""
    if seconds is None:
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise _TimeIsUp

    before = signal.signal(signal.SIGALRM, stop)
    # The alarm repeats: an exception raised in a callback of the garbage collector is ignored.
    signal.setitimer(signal.ITIMER_REAL, seconds, min(seconds, SECONDS_TO_NEXT_ALARM))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _decode(
    data: bytes,
    size: int,
    channels: int,
    min_side: int,
    max_pixels: int,
    depth: Depth,
    resampling: Resampling,
) -> Decoded:
    with open_image(data) as image:
        width, height = image.size
        _check_size(image, min_side, max_pixels)
        scaled = _scaled_jpeg(data, image, SIDES_OF_JPEG[resampling] * size, channels)
        has_more = not isinstance(image, JpegImageFile) and getattr(image, "is_animated", False)
        if isinstance(image, TiffImageFile):
            has_more = has_more or tiff.has_more_bands(image)
        shown: Image.Image = image
        limits = None
        if is_deep(image):
            shown, limits = Counted(image, lambda: open_image(data)).to_bytes(depth)
        elif scaled is None:
            image.load()
        orientation, has_exif = _orientation(image), _has_exif(image)
        turn = ORIENTATIONS.get(orientation)
        if scaled is None:
            pixels = _to_square(shown, size, channels, resampling, turn=turn)
        else:
            pixels = _array_to_square(*scaled, size, channels, resampling, turn=turn)
    if orientation in TURNED:
        width, height = height, width
    captured, camera = _capture(image)
    return Decoded(
        pixels,
        width,
        height,
        limits,
        is_transparent=image.has_transparency_data,
        has_more=has_more,
        captured=captured,
        camera=camera,
        format=image.format or "",
        has_exif=has_exif,
    )


def _check_size(image: Image.Image, min_side: int, max_pixels: int) -> None:
    """Raise SetAside if an image, opened and not loaded, is too small or too large."""
    width, height = image.size
    if min(width, height) < min_side:
        raise SetAside(f"too small: {width}x{height} pixels, fewer than {min_side}x{min_side}")
    if isinstance(image, TiffImageFile):
        width, height = tiff.largest_part(image)
    if width * height > max_pixels:
        raise SetAside(f"too large: {width}x{height} pixels, more than {max_pixels} in all")


def _scaled_jpeg(
    data: bytes, header: Image.Image, side: int, channels: int
) -> tuple[NDArray[np.uint8], Box] | None:
    """Scale a JPEG while it is decoded: uint8 (height, width, channels), and its extent.

    The result is at least `side` high and wide unless the original is smaller.
    None for other formats, unusual JPEGs and damaged ones: Pillow decodes those.
    """
    if not isinstance(header, JpegImageFile) or header.mode not in ("L", "RGB"):
        return None
    if any(marker in data for marker in LOSSLESS_JPEG) or data.count(SCAN_BEGINS) > MOST_SCANS:
        return None
    colorspace = "GRAY" if channels == 1 else "RGB"
    # Colors of 4:2:0 are scaled separately; those of 4:2:2 would stay at half the width.
    _, across, down, _ = header.layer[0]
    least = side if across == down else 2 * side
    try:
        pixels = simplejpeg.decode_jpeg(
            data, colorspace, min_height=least, min_width=least, min_factor=1, strict=True
        )
    except ValueError:
        return None
    # A side of 1,001 pixels at 2/8 becomes 251, of which the image takes 250.25.
    share = (8 * max(pixels.shape[:2]) // max(header.size)) / 8
    return pixels, (0, 0, share * header.width, share * header.height)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation; 1 (upright) if it is missing or cannot be read."""
    try:
        return int(image.getexif().get(EXIF_ORIENTATION, 1))
    except MemoryError:
        raise
    except Exception:  # damaged EXIF data does not make the pixels any worse
        return 1


def _capture(image: Image.Image) -> tuple[float, str]:
    """The time of capture and the camera, as in `Decoded`, from EXIF data that is read already."""
    try:
        exif = image.getexif()
        if EXIF_MORE not in exif:
            return math.nan, ""
        more = exif.get_ifd(EXIF_MORE)
        text = str(more[EXIF_CAPTURED]).strip("\0 ")
        seconds = datetime.strptime(text, "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
        fraction = str(more.get(EXIF_CAPTURED_FRACTION, "")).strip("\0 ")
        seconds += float(f"0.{fraction}") if fraction.isdecimal() else 0
        names = (str(exif.get(tag, "")).strip("\0 ") for tag in (EXIF_MAKE, EXIF_MODEL))
        return seconds, printable(" ".join(filter(None, names)))
    except MemoryError:
        raise
    except Exception:  # no time, one that was never set (0000:00:00), or damaged EXIF data
        return math.nan, ""


def _has_exif(image: Image.Image) -> bool:
    """Whether the file has EXIF data that can be read."""
    try:
        return bool(image.getexif())
    except MemoryError:
        raise
    except Exception:
        return False


def _array_to_square(
    pixels: NDArray[np.uint8],
    box: Box,
    size: int,
    channels: int,
    resampling: Resampling,
    turn: Image.Transpose | None = None,
) -> NDArray[np.uint8]:
    """`_to_square` for an array, (height, width) or (height, width, 1 or 3)."""
    if pixels.shape == (size, size, channels) and box == (0, 0, size, size) and turn is None:
        return pixels
    return _to_square(_from_pixels(pixels), size, channels, resampling, box, turn)


def _from_pixels(pixels: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2:] == (1,) else pixels)


def _to_square(
    image: Image.Image,
    size: int,
    channels: int,
    resampling: Resampling,
    box: Box | None = None,
    turn: Image.Transpose | None = None,
) -> NDArray[np.uint8]:
    """Convert an image, resize what is in the box, and turn it; uint8 (size, size, channels)."""
    mode = "L" if channels == 1 else "RGB"
    plain = _to_plain_mode(image, mode)
    small = plain.resize((size, size), RESAMPLING[resampling], box)
    if small.mode == "RGBA":
        small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small)
    if turn is not None:  # a square can be turned after resizing
        small = small.transpose(turn)
    if small.mode != mode:
        small = small.convert(mode)
    return np.asarray(small).reshape(size, size, channels)


def _to_plain_mode(image: Image.Image, mode: str) -> Image.Image:
    """Convert to `mode`, or to RGBA if there is transparency, which Pillow can resize.

    `resize` weights the colors of RGBA by their opacity, so white can be put behind afterwards.
    """
    if image.mode in ONE_STEP:
        image = image.convert(ONE_STEP[image.mode])
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image if image.mode == mode else image.convert(mode)  # `convert` always copies


def _reason(data: bytes, error: Exception) -> str:
    """The reason to set an image aside, from the error that Pillow raised."""
    if isinstance(error, UnidentifiedImageError):
        name = formats.format_of(data) or ""
        if name == "TIFF" and (reason := tiff.why_not_opened(data)):
            return reason
        return f"damaged: begins as {formats.usual_name(name)}, but has no readable header"
    message = " ".join(str(error).split())[:200] or type(error).__name__
    is_cut = re.search("truncated|not enough image data", message, re.IGNORECASE)
    kind = "cut short" if is_cut else "damaged"
    return f"{kind}: {message}"
