"""Decodes thousands of damaged images in a process of its own, which may crash or be stopped.

    python fuzz_images.py FIRST LAST LIMIT_BYTES

Prints JSON: how many images ended how, and the most memory that was in use (bytes). Image i is the
same in every run, and its number is written to stderr before it is decoded.
"""

import io
import json
import random
import resource
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sklearn.datasets import load_sample_image

from petite.data.decoding.decode import SetAside, decode
from petite.data.decoding.depth import Depth
from petite.util.job import peak_memory_bytes

SIDE = 96
KINDS = {
    "empty", "not an image", "other format", "too small", "too large", "cut short", "damaged",
    "too slow",
}  # fmt: skip
MAX_SECONDS = 20
DEPTHS: tuple[Depth, ...] = ("full", "each", (200, 360))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.copy().save(file, kind, **options)  # saving as JPEG leaves settings on an image
    return file.getvalue()


def originals() -> list[bytes]:
    """Parts of two photographs in each format, in the ways in which they are written."""
    flower, temple = (
        Image.fromarray(load_sample_image(name)).resize((SIDE, SIDE), box=(100, 100, 400, 400))
        for name in ("flower.jpg", "china.jpg")
    )
    clear = flower.copy()
    clear.putalpha(temple.convert("L"))
    exif = Image.Exif()
    exif[0x0112] = 6
    frames: dict[str, Any] = {"save_all": True, "append_images": [temple.copy(), flower.copy()]}
    gray = temple.convert("L")
    counts = np.asarray(gray).astype(np.uint16) * 16
    texts = PngInfo()
    texts.add_text("Comment", "made by nobody " * 50, zip=True)
    texts.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="6"/>' * 20, zip=True)
    small = flower.resize((32, 32))  # of the formats that are decoded in Python
    return [
        encoded(flower, "JPEG", exif=exif),
        encoded(temple, "JPEG", progressive=True, quality=95),
        encoded(flower, "JPEG", subsampling="4:2:2"),
        encoded(temple.convert("L"), "JPEG", restart_marker_blocks=4),
        encoded(flower.convert("CMYK"), "JPEG", subsampling=2),
        encoded(flower, "PNG", exif=exif),
        encoded(clear, "PNG"),
        encoded(temple.convert("P"), "PNG", transparency=3),
        encoded(temple.convert("L").convert("I;16"), "PNG"),
        encoded(flower, "WEBP", exif=exif),
        encoded(clear, "WEBP", lossless=True),
        encoded(flower, "WEBP", **frames),
        encoded(flower, "GIF"),
        encoded(temple.convert("L"), "GIF", transparency=7),
        encoded(flower, "GIF", **frames),
        encoded(flower, "PNG", pnginfo=texts, icc_profile=bytes(3000)),
        encoded(flower, "TIFF"),
        encoded(flower, "TIFF", compression="tiff_lzw", exif=exif),
        encoded(flower, "TIFF", compression="jpeg"),
        encoded(clear, "TIFF", compression="tiff_adobe_deflate"),
        encoded(gray.convert("1"), "TIFF", compression="group4"),
        encoded(flower.convert("CMYK"), "TIFF", compression="packbits"),
        encoded(gray, "TIFF", **frames),
        encoded(Image.fromarray(counts), "TIFF", compression="zstd"),
        encoded(Image.fromarray(counts.astype(np.float32)), "TIFF", compression="lzma"),
        encoded(Image.fromarray(counts.astype(np.int32) - 900), "TIFF"),
        encoded(flower, "PPM"),
        encoded(gray, "PPM"),
        encoded(Image.fromarray(counts.astype(np.int32)), "PPM"),
        b"P6 32 32 4095\n" + np.repeat(counts[:32, :32, None], 3, axis=2).astype(">u2").tobytes(),
        b"P3 32 32 255\n" + " ".join(map(str, np.asarray(small).ravel())).encode(),
        encoded(gray.convert("1"), "PPM"),
        encoded(Image.fromarray(counts.astype(np.float32)), "PPM"),
        encoded(flower, "AVIF", exif=exif),
        encoded(clear, "AVIF"),
        encoded(flower, "AVIF", **frames),
        encoded(flower, "JPEG2000"),
        encoded(clear, "JPEG2000", irreversible=True, quality_layers=[20, 40]),
        encoded(flower, "JPEG2000", tile_size=(32, 32), no_jp2=True),
        encoded(Image.fromarray(counts), "JPEG2000"),
        encoded(small, "QOI"),
        encoded(flower, "TGA"),
        encoded(clear, "TGA", compression="tga_rle"),
    ]


def flip_bits(data: bytearray, other: bytes, dice: random.Random) -> None:
    for _ in range(dice.choice([1, 1, 2, 8, 64])):
        data[place(data, dice)] ^= 1 << dice.randrange(8)


def cut(data: bytearray, other: bytes, dice: random.Random) -> None:
    del data[dice.randrange(len(data)) :]


def leave_out(data: bytearray, other: bytes, dice: random.Random) -> None:
    start = place(data, dice)
    del data[start : start + dice.choice([1, 2, 4, 100])]


def repeat(data: bytearray, other: bytes, dice: random.Random) -> None:
    start, length = place(data, dice), dice.choice([1, 4, 64, 1000])
    data[start:start] = data[start : start + length] * dice.choice([1, 2, 10])


def set_extreme(data: bytearray, other: bytes, dice: random.Random) -> None:
    start, length = place(data, dice), dice.choice([1, 2, 4])
    data[start : start + length] = dice.choice([b"\xff", b"\x00", b"\x7f", b"\x80"]) * length


def swap_header(data: bytearray, other: bytes, dice: random.Random) -> None:
    length = dice.choice([4, 8, 16, 32, 128])
    data[:length] = other[:length]


def splice(data: bytearray, other: bytes, dice: random.Random) -> None:
    data[dice.randrange(len(data)) :] = other[dice.randrange(len(other)) :]


MUTATIONS: list[Callable[[bytearray, bytes, random.Random], None]] = [
    flip_bits,
    cut,
    leave_out,
    repeat,
    set_extreme,
    swap_header,
    splice,
]


def place(data: bytearray, dice: random.Random) -> int:
    """Somewhere in a file; headers are where the trouble is, so half of the changes fall there."""
    return dice.randrange(min(len(data), dice.choice([128, len(data)])) or 1)


def damaged(number: int, files: list[bytes]) -> bytes:
    dice = random.Random(number)
    data = bytearray(dice.choice(files))
    for _ in range(dice.choice([1, 1, 1, 2, 3])):
        if data:
            dice.choice(MUTATIONS)(data, dice.choice(files), dice)
    return bytes(data)


def main(first: int, last: int, limit: int) -> None:
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    files = originals()
    found: Counter[str] = Counter()
    for number in range(first, last):
        print(number, file=sys.stderr)  # the last one is that of a crash
        try:
            pixels = decode(
                damaged(number, files),
                32,
                1 + 2 * (number % 2),
                max_seconds=MAX_SECONDS,
                depth=DEPTHS[number % len(DEPTHS)],
            ).pixels
            assert pixels.shape[:2] == (32, 32), number
            found["read"] += 1
        except SetAside as problem:
            kind = problem.reason.split(":")[0]
            assert kind in KINDS, (number, problem.reason)
            found[kind] += 1
    print(json.dumps({"found": found, "peak": peak_memory_bytes()}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
