"""From the bytes of an image file to a small square of uint8 pixels, whatever the bytes are.

Files come from anywhere: cut short, hostile, mislabeled. `decode` gives pixels or raises
`SetAside` with a reason that starts with a stable kind: "empty", "not an image", "other format",
"too small", "too large", "too slow", "cut short" or "damaged".
"""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
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

# Pillow's own guard has a fixed limit for the whole process. Here every image is measured against
# `max_pixels` after its header is read and before any pixel is.
Image.MAX_IMAGE_PIXELS = None

# One job of many side by side.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
EXIF_ORIENTATION = 0x0112
Resampling = Literal["bilinear", "bicubic"]
RESAMPLING = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
# How many times the wanted side a JPEG keeps while it is decoded, at least.
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
CHECKED = 8  # pixels a side of a checkerboard's squares
# Modes that Pillow converts to no other.
ONE_STEP = {"LAB": "RGB", "La": "LA"}
TURNED = {5, 6, 7, 8}  # these orientations exchange width and height

# Lossless JPEGs cannot be made small while they are decoded: libjpeg-turbo would write all of their
# pixels into the room for the few that were asked for.
LOSSLESS_JPEG = (b"\xff\xc3", b"\xff\xcb")  # these two bytes begin its header, SOF3 or SOF11
SCAN_BEGINS = b"\xff\xda"
# A progressive JPEG has some ten. Each goes over the whole image, so that a small file of many
# takes long: that one is left to Pillow, which can be stopped.
MOST_SCANS = 20


# Far longer than it takes to leave a decoder.
SECONDS_TO_NEXT_ALARM = 1.0


class SetAside(Exception):
    """An image that cannot be used; `reason` is a short sentence that starts with a stable kind."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _TimeIsUp(BaseException):
    """Raised wherever the program is when the time is up; no `except Exception` may take it."""


class Decoded(NamedTuple):
    """An image as it is stored, and what it was."""

    pixels: NDArray[np.uint8]  # (size, size, channels)
    width: int  # of the original, upright, in pixels
    height: int
    limits: Counts | None = None  # of more than 8 bits: what became black, and white
    is_transparent: bool = False
    has_more: bool = False  # pages or frames, of which this is the first


class Preview(NamedTuple):
    """A file as a person would see it."""

    pixels: NDArray[np.uint8]  # (height, width, 3)
    width: int  # of the original, upright, in pixels
    height: int
    levels: int  # gray levels or counts that it has


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

    Reads the formats of `petite.data.decoding.formats` (of several pages or frames the first),
    judged by content and not by name, turned upright by EXIF orientation. Transparent parts become
    white (but for a single transparent shade of a 4-bit gray PNG). Color profiles are not applied.
    The aspect ratio is not kept, as in the paper; the resampling is antialiased.

    A JPEG is made small while it is decoded, by eighths and as far as it stays at least `size`
    high and wide (twice that where its colors are coarser one way than the other): what is left
    out are the high frequencies of its cosine transform, which is antialiasing too, somewhat
    sharper. docs/speed.md has how much the pixels differ by it.

    Args:
        data: the whole file.
        size: side of the result in pixels.
        channels: 1 for gray (ITU-R 601 luma), 3 for RGB.
        min_side: images with fewer pixels on a side are set aside.
        max_pixels: larger images (width x height) are set aside before any pixel is decoded.
        max_seconds: images that take longer are set aside; None for no limit. By an alarm, so in
            the main thread alone, and a call into C code is ended no earlier than it returns:
            after 64 kB of a file, a whole WebP, AVIF, JPEG 2000, packed TIFF or a usual JPEG, which
            `max_pixels` bounds.
        depth: what becomes black and white of more than 8 bits a channel, see
            `petite.data.decoding.depth`.
        resampling: "bilinear" for the store; "bicubic" as pretrained networks were given their
            images, for which a JPEG is decoded to twice the wanted side or more.

    Raises:
        SetAside: for anything that is no usable image. Only MemoryError passes through beside it.
    """
    with _judged(data, max_seconds):
        return _decode(data, size, channels, min_side, max_pixels, depth, resampling)


def preview(
    data: bytes, most: int, *, max_pixels: int = 50_000_000, max_seconds: float | None = None
) -> Preview:
    """A file as a person would see it: at most `most` pixels a side, in its own shape.

    Of more than 8 bits a channel, its own range is shown. Raises SetAside as `decode`.
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
    """`preview` of an image that is an array already; see `from_array`."""
    image = _from_pixels(pixels)
    return Preview(_fitted(image.convert("RGB"), most), *image.size, gray_levels(image))


def gray_levels(image: Image.Image | NDArray[np.uint8]) -> int:
    """How many of 256 gray levels an image has, a color one in its luma."""
    if not isinstance(image, Image.Image):
        image = _from_pixels(image)
    return sum(count > 0 for count in _to_plain_mode(image, "L").convert("L").histogram())


def _fitted(image: Image.Image, most: int) -> NDArray[np.uint8]:
    """An image RGB or RGBA made small, and laid on a checkerboard where it is transparent."""
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
    """Some counts of an image of more than 8 bits a channel.

    They are for `petite.data.decoding.depth.range_of`. None for other images.
    Raises SetAside as `decode`, which has the arguments.
    """
    with _judged(data, max_seconds), open_image(data) as image:
        _check_size(image, 1, max_pixels)
        return Counted(image, lambda: open_image(data)).sample() if is_deep(image) else None


def open_image(data: bytes) -> ImageFile.ImageFile:
    """Read the header of an image file; no pixel is decoded.

    Raises SetAside for a format that is not read, and whatever Pillow does for a damaged header.
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
    """Raise SetAside in place of whatever decoding these bytes raises in the block."""
    if not data:
        raise SetAside("empty: no bytes")
    try:
        with _alarm(max_seconds):
            yield
    except _TimeIsUp:
        raise SetAside(f"too slow: more than {max_seconds:g} seconds to decode") from None
    except (SetAside, MemoryError):
        raise
    except Exception as error:  # Pillow's plug-ins raise nearly anything on hostile bytes
        raise SetAside(_reason(data, error)) from error


def from_array(
    pixels: NDArray[np.uint8], size: int, channels: int, resampling: Resampling = "bilinear"
) -> Decoded:
    """Bring an image that is an array already to the stored form, resized only if it must be.

    `pixels` is uint8 (height, width), (height, width, 1) or (height, width, 3).
    """
    height, width = pixels.shape[:2]
    square = _array_to_square(pixels, (0, 0, width, height), size, channels, resampling)
    return Decoded(square, width, height)


@contextmanager
def _alarm(seconds: float | None) -> Iterator[None]:
    """Raise _TimeIsUp in the block after so many seconds."""
    if seconds is None:
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise _TimeIsUp

    before = signal.signal(signal.SIGALRM, stop)
    # Again after a while: raised in a callback of the garbage collector, it would be passed over.
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
        shown: Image.Image = image
        limits = None
        if is_deep(image):
            shown, limits = Counted(image, lambda: open_image(data)).to_bytes(depth)
        elif scaled is None:
            image.load()
        orientation = _orientation(image)
        turn = ORIENTATIONS.get(orientation)
        if scaled is None:
            pixels = _to_square(shown, size, channels, resampling, turn=turn)
        else:
            pixels = _array_to_square(*scaled, size, channels, resampling, turn=turn)
    if orientation in TURNED:
        width, height = height, width
    return Decoded(pixels, width, height, limits, image.has_transparency_data, has_more)


def _check_size(image: Image.Image, min_side: int, max_pixels: int) -> None:
    """Raise SetAside for an image, opened and not loaded, of a size that is not wanted."""
    width, height = image.size
    if min(width, height) < min_side:
        raise SetAside(f"too small: {width}x{height} pixels, at least {min_side}x{min_side} wanted")
    if isinstance(image, TiffImageFile):
        width, height = tiff.largest_part(image)
    if width * height > max_pixels:
        raise SetAside(f"too large: {width}x{height} pixels, at most {max_pixels} wanted")


def _scaled_jpeg(
    data: bytes, header: Image.Image, side: int, channels: int
) -> tuple[NDArray[np.uint8], Box] | None:
    """A JPEG made small while it is decoded: uint8 (height, width, channels), and its extent.

    It stays at least `side` high and wide where it is as large.

    None for what is no JPEG or no usual one, and for one with any damage: Pillow judges that.
    """
    if not isinstance(header, JpegImageFile) or header.mode not in ("L", "RGB"):
        return None
    if any(marker in data for marker in LOSSLESS_JPEG) or data.count(SCAN_BEGINS) > MOST_SCANS:
        return None
    colorspace = "GRAY" if channels == 1 else "RGB"
    # Colors of 4:2:0 are scaled by themselves, those of 4:2:2 stay at half the width wanted.
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
    """The EXIF orientation, 1 (upright) where there is none or it cannot be read."""
    try:
        return int(image.getexif().get(EXIF_ORIENTATION, 1))
    except MemoryError:
        raise
    except Exception:  # damaged EXIF data does not make the pixels any worse
        return 1


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
    if turn is not None:  # a square can be turned after it was made small
        small = small.transpose(turn)
    if small.mode != mode:
        small = small.convert(mode)
    return np.asarray(small).reshape(size, size, channels)


def _to_plain_mode(image: Image.Image, mode: str) -> Image.Image:
    """Convert to `mode`, or to RGBA where there is transparency; nothing that Pillow cannot resize.

    `resize` weighs the colors of RGBA by their opacity, so white can be laid under afterwards.
    """
    if image.mode in ONE_STEP:
        image = image.convert(ONE_STEP[image.mode])
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image if image.mode == mode else image.convert(mode)  # `convert` always copies


def _reason(data: bytes, error: Exception) -> str:
    """Why an image is set aside, from what Pillow raised."""
    if isinstance(error, UnidentifiedImageError):
        name = formats.format_of(data) or ""
        if name == "TIFF" and (reason := tiff.why_not_opened(data)):
            return reason
        return f"damaged: begins as {formats.usual_name(name)}, but has no readable header"
    message = " ".join(str(error).split())[:200] or type(error).__name__
    is_cut = re.search("truncated|not enough image data", message, re.IGNORECASE)
    kind = "cut short" if is_cut else "damaged"
    return f"{kind}: {message}"
