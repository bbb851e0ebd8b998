"""Decoding image files, whole and broken, of every kind that is read."""

import io
import json
import math
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from petite.data.decoding.decode import SetAside, decode, from_array, preview, preview_of_array

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def quarters(size: int = 32) -> Image.Image:
    """Red and green above blue and white."""
    pixels = np.zeros((size, size, 3), np.uint8)
    half = size // 2
    pixels[:half, :half], pixels[:half, half:] = RED, GREEN
    pixels[half:, :half], pixels[half:, half:] = BLUE, WHITE
    return Image.fromarray(pixels)


def corners(pixels: np.ndarray) -> list[list[int]]:
    """The colors at top left, top right, bottom left and bottom right."""
    return [pixels[y, x].astype(int).tolist() for y, x in ((2, 2), (2, -3), (-3, 2), (-3, -3))]


def set_aside_reason(data: bytes, **limits: float) -> str:
    with pytest.raises(SetAside) as caught:
        decode(data, 16, 3, **limits)
    return caught.value.reason


KINDS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000", "QOI", "TGA"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [16, 32, 50])
def test_every_kind_is_read_and_resized(kind: str, size: int) -> None:
    options = {"quality": 95} if kind in ("JPEG", "WEBP", "AVIF") else {}
    decoded = decode(encoded(quarters(), kind, **options), size, 3)
    assert decoded.pixels.shape == (size, size, 3)
    assert decoded.pixels.dtype == np.uint8
    assert (decoded.width, decoded.height) == (32, 32)
    np.testing.assert_allclose(corners(decoded.pixels), [RED, GREEN, BLUE, WHITE], atol=12)


@pytest.mark.parametrize(("kind", "side"), [("PNG", 90), ("JPEG", 60)])
def test_bicubic_is_as_pillow_resizes_the_whole_image(kind: str, side: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (side, 50, 3)).astype(np.uint8)
    data = encoded(Image.fromarray(pixels), kind)
    expected = Image.open(io.BytesIO(data)).resize((40, 40), Image.Resampling.BICUBIC)
    for got in (
        decode(data, 40, 3, resampling="bicubic").pixels,
        from_array(np.asarray(Image.open(io.BytesIO(data))), 40, 3, "bicubic").pixels,
    ):
        np.testing.assert_array_equal(got, np.asarray(expected))
    assert (decode(data, 40, 3).pixels != np.asarray(expected)).any()


def test_a_large_jpeg_that_is_scaled_for_bicubic_is_nearly_as_when_it_is_decoded_whole() -> None:
    rows, columns = np.mgrid[:800, :600]
    waves = np.stack([np.sin(rows / 40), np.cos(columns / 30), np.sin((rows + columns) / 50)], -1)
    data = encoded(Image.fromarray((127 + 120 * waves).astype(np.uint8)), "JPEG", quality=90)
    whole = Image.open(io.BytesIO(data)).resize((64, 64), Image.Resampling.BICUBIC)
    scaled = decode(data, 64, 3, resampling="bicubic").pixels
    assert np.abs(scaled.astype(int) - np.asarray(whole).astype(int)).max() <= 4


@pytest.mark.parametrize("kind", ["ICO", "DDS", "PDF", "EPS", "SGI", "ICNS"])
def test_other_kinds_are_not_tried_and_named(kind: str) -> None:
    reason = set_aside_reason(encoded(quarters(), kind))
    assert reason.startswith("other format: ") and kind in reason


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, [RED, GREEN, BLUE, WHITE]),
        (2, [GREEN, RED, WHITE, BLUE]),
        (3, [WHITE, BLUE, GREEN, RED]),
        (4, [BLUE, WHITE, RED, GREEN]),
        (5, [RED, BLUE, GREEN, WHITE]),
        (6, [BLUE, RED, WHITE, GREEN]),
        (7, [WHITE, GREEN, BLUE, RED]),
        (8, [GREEN, WHITE, RED, BLUE]),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_exif_orientation_turns_the_image_upright(
    kind: str, orientation: int, expected: list[tuple[int, int, int]]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = quarters().resize((48, 32))
    options = {} if kind in ("PNG", "TIFF") else {"quality": 95}
    decoded = decode(encoded(image, kind, exif=exif, **options), 32, 3)
    np.testing.assert_allclose(corners(decoded.pixels), expected, atol=25)
    assert (decoded.width, decoded.height) == ((32, 48) if orientation >= 5 else (48, 32))


@pytest.mark.parametrize("exif", [b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0nonsense", b""])
def test_damaged_exif_data_does_not_matter(exif: bytes) -> None:
    decoded = decode(encoded(quarters(), "JPEG", exif=exif, quality=95), 32, 3)
    np.testing.assert_allclose(corners(decoded.pixels), [RED, GREEN, BLUE, WHITE], atol=12)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_of_png_becomes_gray_or_rgb(mode: str, channels: int) -> None:
    image = Image.fromarray(np.full((20, 20), 255, np.uint8)).convert(mode)
    decoded = decode(encoded(image, "PNG"), 10, channels)
    assert decoded.pixels.shape == (10, 10, channels)
    assert (decoded.pixels == 255).all()


def test_palette_colors_are_mixed_and_not_their_numbers() -> None:
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2] = RED
    stripes[:, 1::2] = BLUE
    image = Image.fromarray(stripes).convert("P", palette=Image.Palette.ADAPTIVE)
    pixels = decode(encoded(image, "PNG"), 8, 3).pixels
    np.testing.assert_allclose(
        pixels[2:-2, 2:-2], np.broadcast_to([128, 0, 128], (4, 4, 3)), atol=2
    )


def test_the_transparent_shade_of_sixteen_bit_gray_becomes_white() -> None:
    steps = np.repeat(np.array([0, 5000], np.uint16), 8)
    data = encoded(Image.fromarray(np.tile(steps, (16, 1))), "PNG", transparency=5000)
    pixels = decode(data, 16, 1).pixels[..., 0]
    assert (pixels[:, :8] == 0).all() and (pixels[:, 8:] == 255).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_parts_become_white(mode: str) -> None:
    pixels = np.zeros((32, 32, 4), np.uint8)
    pixels[:16, :, 3] = 255  # opaque black above, transparent black below
    if mode == "P":
        data = encoded(
            Image.fromarray(
                np.repeat([0, 1], 16 * 32).astype(np.uint8).reshape(32, 32), "L"
            ).convert("P", palette=Image.Palette.WEB),
            "PNG",
            transparency=1,
        )
    else:
        data = encoded(Image.fromarray(pixels).convert(mode), "PNG")
    gray = decode(data, 16, 1).pixels[..., 0]
    assert (gray[:6] < 5).all()
    assert (gray[10:] == 255).all()


def test_hidden_colors_of_transparent_pixels_do_not_bleed() -> None:
    pixels = np.zeros((32, 32, 4), np.uint8)
    pixels[:, ::2] = (255, 255, 255, 255)
    pixels[:, 1::2] = (255, 0, 0, 0)  # red, but transparent
    assert (decode(encoded(Image.fromarray(pixels), "PNG"), 8, 3).pixels >= 254).all()


def test_cmyk_jpeg_is_not_inverted() -> None:
    cmyk = quarters().convert("CMYK")
    pixels = decode(encoded(cmyk, "JPEG", quality=95), 32, 3).pixels
    np.testing.assert_allclose(corners(pixels), [RED, GREEN, BLUE, WHITE], atol=12)


def test_gray_is_the_luma_of_the_colors() -> None:
    for kind in ("PNG", "JPEG"):
        data = encoded(quarters(), kind, **({"quality": 95} if kind == "JPEG" else {}))
        gray = decode(data, 32, 1).pixels
        np.testing.assert_allclose(
            np.ravel(corners(gray)), [76, 150, 29, 255], atol=4, err_msg=kind
        )


def test_an_animation_gives_its_first_frame() -> None:
    for kind in ("GIF", "WEBP", "PNG", "MPO", "TIFF", "AVIF"):
        frames = [Image.new("RGB", (20, 20), color) for color in (RED, GREEN, BLUE)]
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        np.testing.assert_allclose(decode(data, 10, 3).pixels[5, 5], RED, atol=6, err_msg=kind)


def test_resizing_is_antialiased() -> None:
    checks = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    pixels = decode(encoded(Image.fromarray(checks), "PNG"), 16, 1).pixels
    assert (np.abs(pixels.astype(int) - 128) < 12).all()


def test_a_large_jpeg_decoded_small_looks_like_one_decoded_whole() -> None:
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8))
    image = coarse.resize((1001, 777), Image.Resampling.BICUBIC)
    data = encoded(image, "JPEG", quality=95)
    whole = np.asarray(Image.open(io.BytesIO(data)).resize((96, 96), Image.Resampling.BILINEAR))
    decoded = decode(data, 96, 3)
    assert (decoded.width, decoded.height) == (1001, 777)
    assert np.abs(decoded.pixels.astype(int) - whole).mean() < 1


@settings(max_examples=100, deadline=None)
@given(
    width=st.integers(8, 400),
    height=st.integers(8, 400),
    size=st.integers(8, 64),
    channels=st.sampled_from([1, 3]),
    progressive=st.booleans(),
    subsampling=st.sampled_from(["4:4:4", "4:2:2", "4:2:0"]),
)
def test_a_jpeg_of_any_size_fills_the_square_as_it_fills_its_own(
    width: int, height: int, size: int, channels: int, progressive: bool, subsampling: str
) -> None:
    across, down = (np.linspace(0, min(250, 4 * side), side) for side in (width, height))
    slopes = np.stack(np.broadcast_arrays(across, down[:, None], 125), axis=2)
    image = Image.fromarray(slopes.astype(np.uint8))
    data = encoded(image, "JPEG", quality=100, subsampling=subsampling, progressive=progressive)
    whole = Image.open(io.BytesIO(data))
    whole.draft("L" if channels == 1 else None, whole.size)
    whole = np.asarray(whole.resize((size, size), Image.Resampling.BILINEAR))
    pixels = decode(data, size, channels).pixels
    assert np.abs(pixels.astype(int) - whole.reshape(pixels.shape)).mean() < 1.5


@pytest.mark.parametrize("shape", [(7, 64), (5, 200), (3, 500), (200, 5)])
def test_a_narrow_jpeg_is_read_where_the_smallest_side_allows_it(shape: tuple[int, int]) -> None:
    data = encoded(Image.new("RGB", shape, RED), "JPEG", quality=95)
    pixels = decode(data, 32, 3, min_side=1).pixels
    np.testing.assert_allclose(pixels, np.broadcast_to(RED, (32, 32, 3)), atol=3)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_colors_keep_their_resolution_however_the_jpeg_samples_them(subsampling: str) -> None:
    stripes = np.zeros((600, 800, 3), np.uint8)
    stripes[:, :, 2] = 200
    stripes[:, np.arange(800) // 24 % 2 == 0] = (200, 60, 0)
    image = Image.fromarray(stripes)
    data = encoded(image, "JPEG", quality=95, subsampling=subsampling)
    whole = Image.open(io.BytesIO(data)).resize((75, 75), Image.Resampling.BILINEAR)
    assert np.abs(decode(data, 75, 3).pixels.astype(int) - whole).mean() < 4


def lossless_jpeg(side: int, bands: int) -> bytes:
    """A lossless JPEG (SOF3), black: each sample is predicted without an error."""
    frame = struct.pack(">BHHB", 8, side, side, bands)
    frame += b"".join(bytes([band, 0x11, 0]) for band in range(1, bands + 1))
    table = bytes([0, 1, *[0] * 15, 0])  # one code, of one bit: "0 bits differ"
    # The first sample is predicted as 128, so 128 is black here.
    scan = bytes([bands, *(part for band in range(1, bands + 1) for part in (band, 0)), 1, 0, 0])
    segments = [(0xC3, frame), (0xC4, table), (0xDA, scan)]
    head = b"".join(
        struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in segments
    )
    bits = side * side * bands
    return b"\xff\xd8" + head + bytes(bits // 8) + b"\xff\xd9"


@pytest.mark.parametrize(("channels", "bands"), [(1, 1), (3, 3), (3, 1), (1, 3)])
def test_a_lossless_jpeg_is_left_to_pillow(channels: int, bands: int) -> None:
    code = (
        "import sys\n"
        "from petite.data.decoding.decode import decode\n"
        f"pixels = decode(sys.stdin.buffer.read(), 16, {channels}).pixels\n"
        "print(pixels.shape, pixels.min(), pixels.max())\n"
    )
    # In a process of its own: what libjpeg-turbo would do ends it.
    done = subprocess.run(
        [sys.executable, "-c", code], input=lossless_jpeg(400, bands), capture_output=True,
        cwd=SCRIPTS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.decode().strip() == f"(16, 16, {channels}) 128 128"


def test_a_jpeg_that_has_the_requested_size_gives_pillows_pixels() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), "JPEG")
    np.testing.assert_array_equal(decode(data, 48, 3).pixels, Image.open(io.BytesIO(data)))


def test_a_damaged_jpeg_that_pillow_reads_has_pillows_pixels() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), "JPEG")
    damaged = data[:1500] + b"\xff\xd5" + data[1502:]  # a mark that has no place there
    whole = Image.open(io.BytesIO(damaged)).resize((24, 24), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(decode(damaged, 24, 3).pixels, whole)


def test_bytes_after_the_image_do_not_matter() -> None:
    data = encoded(quarters(), "JPEG")
    np.testing.assert_array_equal(
        decode(data + b"\0garbage" * 100, 16, 3).pixels, decode(data, 16, 3).pixels
    )


def test_no_bytes_are_reported_as_empty() -> None:
    assert set_aside_reason(b"") == "empty: no bytes"


@pytest.mark.parametrize("data", [b"hello", b"\0" * 1000, b"PCX", b"<annotation></annotation>"])
def test_other_bytes_are_reported_as_not_an_image(data: bytes) -> None:
    assert set_aside_reason(data).startswith("not an image: ")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("JPEG2000", "TGA")])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_file_cut_short_is_set_aside_with_a_reason(kind: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    reason = set_aside_reason(data[: int(len(data) * share)])
    assert reason.startswith(("cut short: ", "damaged: "))
    if kind in ("JPEG", "PNG", "BMP", "PPM", "QOI"):
        assert reason.startswith("cut short: ")


def test_a_file_that_ends_in_its_header_is_reported_as_damaged() -> None:
    assert set_aside_reason(encoded(quarters(), "JPEG")[:20]).startswith(
        ("damaged: begins as JPEG",)
    )


@pytest.mark.parametrize("shape", [(1, 1), (7, 100), (100, 7)])
def test_tiny_images_are_set_aside(shape: tuple[int, int]) -> None:
    width, height = shape
    reason = set_aside_reason(encoded(Image.new("L", shape), "PNG"))
    assert reason.startswith(f"too small: {width}x{height} pixels") and "8x8" in reason


def test_the_smallest_side_is_a_setting() -> None:
    assert decode(encoded(Image.new("L", (7, 7)), "PNG"), 8, 1, min_side=7).width == 7


def png_header(width: int, height: int) -> bytes:
    """A PNG of that size with no pixels in it: whatever decodes pixels has to fail."""
    body = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = [(b"IHDR", body), (b"IDAT", b""), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(part)) + name + part + struct.pack(">I", zlib.crc32(name + part))
        for name, part in chunks
    )


@pytest.mark.parametrize("size", [(30_000, 30_000), (2**31 - 1, 2**31 - 1), (101, 100)])
def test_huge_images_are_set_aside_by_their_header_alone(size: tuple[int, int]) -> None:
    reason = set_aside_reason(png_header(*size), max_pixels=10_000)
    assert reason.startswith(f"too large: {size[0]}x{size[1]} pixels") and "10000" in reason


def test_limits_hold_below_and_above_pillows_own() -> None:
    data = encoded(Image.new("1", (14_000, 14_000)), "PNG")  # Pillow's own would refuse it
    assert set_aside_reason(data).startswith("too large")
    assert decode(data, 8, 1, max_pixels=200_000_000).width == 14_000


def mutations() -> Iterator[bytes]:
    noise = np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in KINDS:
        has_exif = kind in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")
        yield encoded(Image.fromarray(noise), kind, **({"exif": exif} if has_exif else {}))
    yield encoded(Image.fromarray(noise[..., 0].astype(np.uint16)), "TIFF", compression="lzma")
    yield encoded(Image.fromarray(noise[..., 0].astype(np.float32)), "TIFF")
    yield encoded(Image.fromarray(noise), "JPEG", progressive=True)
    yield encoded(Image.fromarray(noise), "JPEG", subsampling="4:2:2")
    yield lossless_jpeg(40, 3)
    yield encoded(Image.fromarray(noise).convert("CMYK"), "JPEG")
    yield encoded(Image.fromarray(noise).convert("P"), "PNG", transparency=3)


SEEDS = list(mutations())


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_no_bytes_raise_anything_but_set_aside(data: st.DataObject) -> None:
    original = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 6))):
        # Headers are where the trouble is, so half of the changes fall there.
        last = data.draw(st.sampled_from([min(200, len(original)), len(original)])) - 1
        place = data.draw(st.integers(0, last))
        original[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    damaged = bytes(original[: data.draw(st.integers(0, len(original)) | st.just(len(original)))])
    try:
        decoded = decode(damaged, 16, data.draw(st.sampled_from([1, 3])), max_pixels=1_000_000)
    except SetAside as problem:
        kind = problem.reason.split(":")[0]
        assert kind in {
            "empty", "not an image", "other format", "cut short", "damaged", "too small",
            "too large",
        }  # fmt: skip
        assert "\n" not in problem.reason
    else:
        assert decoded.pixels.shape[:2] == (16, 16)


def test_a_preview_is_upright_in_its_own_shape_and_counts_levels() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    seen = preview(encoded(quarters().resize((48, 32)), "PNG", exif=exif), 24)
    assert seen.pixels.shape == (24, 16, 3)
    assert (seen.width, seen.height) == (32, 48)
    np.testing.assert_allclose(corners(seen.pixels), [BLUE, RED, WHITE, GREEN], atol=25)
    assert preview(encoded(Image.new("L", (9, 9), 7), "PNG"), 24).levels == 1
    counts = np.arange(1024, dtype=np.uint16).reshape(32, 32)
    deep = preview(encoded(Image.fromarray(counts), "PNG"), 32)
    assert deep.levels == 1024 and (deep.pixels.min(), deep.pixels.max()) == (0, 255)
    array = preview_of_array(np.tile(np.arange(16, dtype=np.uint8), (8, 1)), 24)
    assert (array.width, array.height, array.levels) == (16, 8, 16)


def test_transparent_parts_of_a_preview_are_a_checkerboard() -> None:
    seen = preview(encoded(Image.new("RGBA", (32, 32), (255, 255, 255, 0)), "PNG"), 32)
    assert set(np.unique(seen.pixels)) == {215, 255}


@pytest.mark.parametrize("data", [b"", b"text", b"\x89PNG\r\n\x1a\n"])
def test_what_cannot_be_read_has_no_preview(data: bytes) -> None:
    with pytest.raises(SetAside):
        preview(data, 24)


def test_running_out_of_memory_is_not_taken_for_a_bad_image(monkeypatch) -> None:
    def fail(*args: object, **options: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(MemoryError):
        decode(SEEDS[0], 16, 3)


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (8, 8, 3)])
@pytest.mark.parametrize("channels", [1, 3])
def test_an_array_of_the_right_size_keeps_its_pixels(shape: tuple[int, ...], channels: int) -> None:
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    decoded = from_array(array, 8, channels)
    assert decoded.pixels.shape == (8, 8, channels)
    assert (decoded.width, decoded.height) == (8, 8)
    if shape[2:] in ((), (1,)) or channels == 3:
        np.testing.assert_array_equal(
            decoded.pixels, np.broadcast_to(array.reshape(8, 8, -1), (8, 8, channels))
        )


def test_an_array_of_another_size_is_resized() -> None:
    array = np.zeros((10, 20), np.uint8)
    array[:, 10:] = 255
    decoded = from_array(array, 40, 1)
    assert (decoded.width, decoded.height) == (20, 10)
    assert (decoded.pixels[:, :15] == 0).all()
    assert (decoded.pixels[:, 25:] == 255).all()


def many_scans(side: int, scans: int) -> bytes:
    """A small progressive JPEG that takes long: each scan goes over the whole image once more."""
    data = encoded(Image.new("L", (side, side), 128), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + scans * last + data[-2:]


def test_an_image_that_takes_too_long_is_set_aside_and_the_next_one_is_read(monkeypatch) -> None:
    def not_to_be_stopped(*args: object, **options: object) -> None:
        raise AssertionError("decoded in one call")

    monkeypatch.setattr("simplejpeg.decode_jpeg", not_to_be_stopped)
    slow = many_scans(2000, 600)  # 24 kB; some 5 s
    assert set_aside_reason(slow, max_seconds=0.5) == "too slow: more than 0.5 seconds to decode"
    monkeypatch.undo()
    assert decode(many_scans(200, 10), 16, 1, max_seconds=60).width == 200


def test_the_alarm_for_slow_images_leaves_no_trace() -> None:
    def theirs(number: int, frame: object) -> None:
        raise AssertionError("an alarm that nobody set")

    before = signal.signal(signal.SIGALRM, theirs)
    try:
        with pytest.raises(SetAside):
            decode(b"no image", 16, 1, max_seconds=0.05)
        time.sleep(0.2)
        assert signal.getsignal(signal.SIGALRM) is theirs
    finally:
        signal.signal(signal.SIGALRM, before)


def test_twenty_thousand_damaged_files_are_read_or_set_aside() -> None:
    script = Path(__file__).with_name("fuzz_images.py")
    # In a process of its own, with a limit on its memory: a crash or a hang ends that one alone.
    finished = subprocess.run(
        [sys.executable, str(script), "0", "20000", str(4 * 10**9)],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        text=True,
        capture_output=True,
        timeout=900,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    result = json.loads(finished.stdout)
    found = result["found"]
    assert sum(found.values()) == 20_000
    # The mutations are neither too weak to do harm nor too strong to get past a header.
    assert found["read"] > 1000
    assert found["damaged"] > 1000
    assert found["cut short"] > 1000
    assert result["peak"] < 10**9


def photo(**tags: object) -> bytes:
    """A JPEG with EXIF data: captured, fraction, make, model; None leaves one out."""
    exif = Image.Exif()
    more = exif.get_ifd(0x8769)
    for name, place, tag in (
        ("captured", more, 0x9003),
        ("fraction", more, 0x9291),
        ("make", exif, 0x010F),
        ("model", exif, 0x0110),
        ("orientation", exif, 0x0112),
    ):
        if name in tags:
            place[tag] = tags[name]
    file = io.BytesIO()
    Image.new("RGB", (24, 16), "red").save(file, "JPEG", exif=exif)
    return file.getvalue()


NOON = datetime(2024, 5, 1, 12, 0, 7, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("tags", "captured", "camera"),
    [
        ({"captured": "2024:05:01 12:00:07"}, NOON, ""),
        ({"captured": "2024:05:01 12:00:07", "fraction": "25"}, NOON + 0.25, ""),
        ({"captured": "2024:05:01 12:00:07", "fraction": "x"}, NOON, ""),
        ({"captured": "2024:05:01 12:00:07", "make": "Canon", "model": "R5"}, NOON, "Canon R5"),
        ({"captured": "2024:05:01 12:00:07", "orientation": 6, "model": "R5"}, NOON, "R5"),
        ({"captured": "0000:00:00 00:00:00", "model": "R5"}, None, ""),
        ({"captured": "    :  :     :  :  "}, None, ""),
        ({"captured": "yesterday"}, None, ""),
        ({"captured": ""}, None, ""),
        ({"make": "Canon", "orientation": 1}, None, ""),
        ({}, None, ""),
    ],
)
def test_the_time_and_the_camera_are_read_from_exif_data(tags, captured, camera) -> None:
    decoded = decode(photo(**tags), 8, 3)
    assert decoded.camera == camera
    assert decoded.captured == captured or (captured is None and math.isnan(decoded.captured))


def test_formats_without_exif_data_have_no_time() -> None:
    for kind in ("PNG", "BMP", "GIF"):
        file = io.BytesIO()
        Image.new("RGB", (24, 16), "red").save(file, kind)
        assert math.isnan(decode(file.getvalue(), 8, 3).captured)
    assert math.isnan(from_array(np.zeros((9, 9), np.uint8), 8, 1).captured)
