"""Detect, by their tags, TIFF files that Pillow would read wrongly or not at all."""

import sys
from io import BytesIO

from PIL.TiffImagePlugin import COMPRESSION_INFO, ImageFileDirectory_v2, TiffImageFile

from petite.data.decoding.formats import CONVERT, unsupported
from petite.util.formatting import counted

WIDTH, LENGTH, BITS, COMPRESSION = 256, 257, 258, 259
REDUCED, BANDS, PLANES, SAMPLE_FORMAT = 254, 277, 284, 339
TILE_WIDTH, TILE_LENGTH, DNG_VERSION = 322, 323, 50706
SEPARATE = 2  # planes
SIGNED = 2  # sample format
SAMPLE_FORMATS = {1: "unsigned", 2: "signed", 3: "floating-point", 5: "complex", 6: "complex"}
SAVE = "save it with 1 or 3 bands of 8 or 16 bits, or 1 of 32-bit floating point"
# libtiff returns packed samples in the machine's byte order, which Pillow ignores for these modes.
NATIVE = {"I;16BS": "I;16S", "I;32BS": "I;32S", "F;32BF": "F;32F"}


def why_not_read(image: TiffImageFile) -> str | None:
    """The reason to set aside a TIFF that Pillow would read wrongly; else None."""
    tags = image.tag_v2
    if DNG_VERSION in tags or tags.get(REDUCED, 0) & 1:
        return unsupported("camera RAW", CONVERT)  # its first image is a small preview
    bits = max(_as_tuple(tags.get(BITS, 1)))
    is_signed = _as_tuple(tags.get(SAMPLE_FORMAT, 1))[0] == SIGNED
    has_deep_planes = tags.get(PLANES) == SEPARATE and bits > 8 and tags.get(BANDS, 1) > 1
    if has_deep_planes or (is_signed and bits <= 8):
        return _described(tags)
    return None


def why_not_opened(data: bytes) -> str | None:
    """The reason why Pillow cannot open a TIFF with valid tags; None if the tags are damaged."""
    file = BytesIO(data)
    head = file.read(8)
    head += file.read(8) if b"+" in head[2:4] else b""  # BigTIFF
    try:
        tags = ImageFileDirectory_v2(head)
        file.seek(tags.next)
        tags.load(file)
        is_whole = tags[WIDTH] > 0 and tags[LENGTH] > 0 and BITS in tags
        return _described(tags) if is_whole else None
    except MemoryError:
        raise
    except Exception:  # damaged tags
        return None


def has_more_bands(image: TiffImageFile) -> bool:
    """Whether a TIFF has bands that Pillow leaves out, such as near infrared behind RGB."""
    return int(image.tag_v2.get(BANDS, 1)) > len(image.getbands())


def largest_part(image: TiffImageFile) -> tuple[int, int]:
    """Width and height of the largest part decoded at once: a tile may exceed the image."""
    tile = int(image.tag_v2.get(TILE_WIDTH, 0)), int(image.tag_v2.get(TILE_LENGTH, 0))
    return tile if tile[0] * tile[1] > image.width * image.height else image.size


def use_native_order(image: TiffImageFile) -> None:
    """Let Pillow read packed samples in native byte order; the image is opened and not loaded."""
    if sys.byteorder == "big":
        return
    image.tile = [
        tile._replace(args=(NATIVE[tile.args[0]], *tile.args[1:]))
        if tile.codec_name == "libtiff" and isinstance(tile.args, tuple) and tile.args[0] in NATIVE
        else tile
        for tile in image.tile
    ]


def _described(tags: ImageFileDirectory_v2) -> str:
    """The reason for an unsupported TIFF, with its layout and what to do."""
    bands = int(tags.get(BANDS, 1))
    bits = max(_as_tuple(tags.get(BITS, 1)))
    kind = SAMPLE_FORMATS.get(_as_tuple(tags.get(SAMPLE_FORMAT, 1))[0], "unknown")
    packing = COMPRESSION_INFO.get(tags.get(COMPRESSION, 1), "an unknown packing")
    name = f"TIFF of {counted(bands, 'band')} of {bits} bits, {kind}"
    if tags.get(PLANES) == SEPARATE:
        name += ", in planes"
    if packing != "raw":
        name += f", {packing}"
    return unsupported(name, SAVE)


def _as_tuple(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,)
