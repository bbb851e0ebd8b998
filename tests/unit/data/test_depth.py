"""Images of more than 8 bits per channel: what becomes black and white, in every kind of file."""

import io
import struct
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from petite.data.decoding.decode import SetAside, counts_of, decode
from petite.data.decoding.depth import SAMPLED_IMAGES, Depth, may_be_deep, range_of, sampled


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png16(counts: np.ndarray, color: int, extra: bytes = b"") -> bytes:
    """A 16-bit PNG of counts (height, width, bands), of a color type; Pillow writes none."""
    height, width = counts.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in counts)
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, color, 0, 0, 0)),
        *([(b"tRNS", extra)] if extra else []),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(part)) + name + part + struct.pack(">I", zlib.crc32(name + part))
        for name, part in chunks
    )


def tiff(
    counts: np.ndarray,
    order: str = "<",
    *,
    kind: int = 1,
    photometric: int = 1,
    extra: int = -1,
    is_packed: bool = False,
    planes: int = 1,
) -> bytes:
    """A TIFF of counts (height, width) or (height, width, bands), uncompressed or deflated."""
    data = counts.astype(counts.dtype.newbyteorder(order)).tobytes()
    data = zlib.compress(data) if is_packed else data
    height, width = counts.shape[:2]
    bands = 1 if counts.ndim == 2 else counts.shape[2]
    bits = [8 * counts.dtype.itemsize] * bands
    tags = [
        (256, 4, [width]), (257, 4, [height]), (258, 3, bits), (259, 3, [8 if is_packed else 1]),
        (262, 3, [photometric]), (273, 4, [8]), (277, 3, [bands]), (278, 4, [height]),
        (279, 4, [len(data)]), (284, 3, [planes]),
        (339, 3, [kind] * bands),
    ]  # fmt: skip
    if extra >= 0:
        tags.append((338, 3, [extra]))
    body, far = b"", b""
    start = 8 + len(data)
    for tag, form, values in sorted(tags):
        packed = struct.pack(f"{order}{len(values)}{'HI'[form == 4]}", *values)
        if len(packed) > 4:
            place = start + 2 + 12 * len(tags) + 4 + len(far)
            far, packed = far + packed, struct.pack(f"{order}I", place)
        body += struct.pack(f"{order}HHI", tag, form, len(values)) + packed.ljust(4, b"\0")
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, start)
    return head + data + struct.pack(f"{order}H", len(tags)) + body + bytes(4) + far


# 12 bits of a detector, little of them used: 200 at left, 360 at right.
COUNTS = np.tile(np.linspace(200, 360, 16).round(), (16, 1)).astype(np.uint16)
LEVELS = ((COUNTS - 200.0) * 255 / 160).round()
COLORS = np.stack([COUNTS, COUNTS.T, np.full_like(COUNTS, 280)], axis=2)
GRAYS = {
    "PNG": encoded(Image.fromarray(COUNTS), "PNG"),
    "PNG with opacity": png16(np.stack([COUNTS, np.full_like(COUNTS, 65_535)], axis=2), 4),
    "TIFF": tiff(COUNTS),
    "TIFF, big-endian": tiff(COUNTS, ">"),
    "TIFF, packed": encoded(Image.fromarray(COUNTS), "TIFF", compression="tiff_lzw"),
    "TIFF, signed": tiff(COUNTS.astype(np.int16), kind=2),
    "TIFF, signed, big-endian": tiff(COUNTS.astype(np.int16), ">", kind=2),
    "TIFF, 32 bits": tiff(COUNTS.astype(np.int32), kind=2),
    "TIFF, 32 bits, unsigned": tiff(COUNTS.astype(np.uint32), kind=1),
    "TIFF, float": tiff(COUNTS.astype(np.float32), kind=3),
    "TIFF, float, big-endian": tiff(COUNTS.astype(np.float32), ">", kind=3),
    "TIFF, float, packed": encoded(
        Image.fromarray(COUNTS.astype(np.float32)), "TIFF", compression="tiff_adobe_deflate"
    ),
    "TIFF, signed, packed, big-endian": tiff(COUNTS.astype(np.int16), ">", kind=2, is_packed=True),
    "TIFF, 32 bits, packed, big-endian": tiff(COUNTS.astype(np.int32), ">", kind=2, is_packed=True),
    "TIFF, float, packed, big-endian": tiff(COUNTS.astype(np.float32), ">", kind=3, is_packed=True),
    "PGM": b"P5 16 16 65535\n" + COUNTS.astype(">u2").tobytes(),
    "PGM of 12 bits": b"P5 16 16 4095\n" + COUNTS.astype(">u2").tobytes(),
    "PGM of 12 bits, plain": b"P2 16 16 4095\n" + " ".join(map(str, COUNTS.ravel())).encode(),
    "PGM, plain": b"P2 16 16 65535\n" + " ".join(map(str, COUNTS.ravel())).encode(),
    "PFM": encoded(Image.fromarray(COUNTS.astype(np.float32)), "PPM"),
    "JPEG 2000": encoded(Image.fromarray(COUNTS), "JPEG2000"),
}
COLORED = {
    "PNG": png16(COLORS, 2),
    "PNG with opacity": png16(np.dstack([COLORS, np.full_like(COUNTS, 65_535)]), 6),
    "TIFF": tiff(COLORS, photometric=2),
    "TIFF, big-endian": tiff(COLORS, ">", photometric=2),
    "TIFF, packed": tiff(COLORS, photometric=2, is_packed=True),
    "TIFF, packed, big-endian": tiff(COLORS, ">", photometric=2, is_packed=True),
    "TIFF with opacity": tiff(
        np.dstack([COLORS, np.full_like(COUNTS, 65_535)]), photometric=2, extra=2
    ),
    "TIFF with a fourth band": tiff(np.dstack([COLORS, COUNTS]), photometric=2, extra=0),
    "PPM": b"P6 16 16 65535\n" + COLORS.astype(">u2").tobytes(),
    "PPM of 12 bits": b"P6 16 16 4095\n" + COLORS.astype(">u2").tobytes(),
}


def gray(data: bytes, depth: Depth) -> np.ndarray:
    return decode(data, 16, 1, depth=depth).pixels[..., 0]


@pytest.mark.parametrize("kind", GRAYS)
@pytest.mark.parametrize("depth", ["each", (200.0, 360.0)])
def test_counts_of_gray_are_stretched_in_every_kind_of_file(kind: str, depth: Depth) -> None:
    np.testing.assert_allclose(gray(GRAYS[kind], depth), LEVELS, atol=1)
    assert decode(GRAYS[kind], 16, 3, depth=depth).limits == (200, 360)


@pytest.mark.parametrize("kind", COLORED)
def test_counts_of_color_are_stretched_alike_in_all_bands(kind: str) -> None:
    pixels = decode(COLORED[kind], 16, 3, depth="each").pixels
    expected = np.dstack([LEVELS, LEVELS.T, np.full_like(LEVELS, 127.5)])
    np.testing.assert_allclose(pixels, expected, atol=1)
    assert len(np.unique(decode(COLORED[kind], 16, 1, depth="each").pixels)) > 30


SIXTEEN_BITS = [kind for kind in GRAYS if not any(word in kind for word in ("oat", "PFM", "12"))]


@pytest.mark.parametrize("kind", SIXTEEN_BITS)
def test_the_full_range_keeps_the_high_byte(kind: str) -> None:
    np.testing.assert_array_equal(gray(GRAYS[kind], "full"), COUNTS >> 8)


def test_the_full_range_of_a_pnm_is_what_its_header_says() -> None:
    expected = (COUNTS * (255 / 4095)).round()
    for kind in ("PGM of 12 bits", "PGM of 12 bits, plain"):
        np.testing.assert_allclose(gray(GRAYS[kind], "full"), expected, atol=1)
    color = decode(COLORED["PPM of 12 bits"], 16, 3, depth="full").pixels[..., 0]
    np.testing.assert_allclose(color, expected, atol=1)


def test_the_full_range_of_floats_is_0_to_1() -> None:
    shares = np.tile(np.linspace(-0.5, 1.5, 16, dtype=np.float32), (16, 1))
    expected = (shares.clip(0, 1) * 255).round()
    np.testing.assert_allclose(gray(tiff(shares, kind=3), "full"), expected, atol=1)


def test_counts_beyond_the_limits_become_black_and_white() -> None:
    levels = gray(GRAYS["PNG"], (250, 300))
    assert (levels[:, :5] == 0).all() and (levels[:, 10:] == 255).all()


def test_negative_counts_are_dark_and_not_bright() -> None:
    counts = np.tile(np.linspace(-1000, 1000, 16), (16, 1)).astype(np.int16)
    levels = gray(tiff(counts, kind=2), "each")
    np.testing.assert_allclose(levels, (counts + 1000.0) * 255 / 2000, atol=1)


def test_what_is_no_number_is_black_and_does_not_set_the_range() -> None:
    counts = COUNTS.astype(np.float32)
    counts[0, :3] = np.nan, np.inf, -np.inf
    levels = gray(tiff(counts, kind=3), "each")
    assert levels[0, :3].tolist() == [0, 255, 0]
    np.testing.assert_allclose(levels[1:], LEVELS[1:], atol=1)
    assert not gray(tiff(np.full((16, 16), np.nan, np.float32), kind=3), "each").any()


def test_a_tiff_whose_zero_is_white_is_not_inverted() -> None:
    levels = gray(tiff(COUNTS, photometric=0), "each")
    np.testing.assert_allclose(levels, 255 - LEVELS, atol=1)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (tiff(COUNTS.astype(np.float64), kind=3), "1 band of 64 bits, floating-point"),
        (tiff(COUNTS.astype(np.float16), kind=3), "1 band of 16 bits, floating-point"),
        (tiff(COUNTS.astype(np.uint64)), "1 band of 64 bits, unsigned"),
        (tiff((COUNTS - 280).astype(np.int8), kind=2), "1 band of 8 bits, signed"),
        (tiff(COLORS.astype(np.float32), kind=3, photometric=2), "3 bands of 32 bits"),
        (tiff(np.dstack(13 * [COUNTS])), "13 bands of 16 bits"),
        (tiff(np.dstack(2 * [COUNTS])), "2 bands of 16 bits"),
        (tiff(COLORS, photometric=2, planes=2), "3 bands of 16 bits, unsigned, in planes"),
    ],
)
def test_kinds_of_tiff_that_are_not_read_are_named(data: bytes, named: str) -> None:
    with pytest.raises(SetAside, match=f"^other format: TIFF of {named}.*; save it with"):
        decode(data, 16, 1)


@pytest.mark.parametrize(
    ("image", "photometric", "extra", "more"),
    [
        (np.dstack([LEVELS] * 4).astype(np.uint8), 2, 0, True),  # near infrared behind RGB
        (np.dstack([LEVELS] * 2).astype(np.uint8), 1, 0, True),
        (np.dstack([LEVELS] * 4).astype(np.uint8), 2, 2, False),  # opacity
        (np.dstack([LEVELS] * 3).astype(np.uint8), 2, -1, False),
        (LEVELS.astype(np.uint8), 1, -1, False),
        (COUNTS, 1, -1, False),
    ],
)
def test_bands_that_are_not_read_are_known(
    image: np.ndarray, photometric: int, extra: int, more: bool
) -> None:
    assert decode(tiff(image, photometric=photometric, extra=extra), 16, 3).has_more == more


def test_transparent_counts_become_white() -> None:
    clear = encoded(Image.fromarray(COUNTS), "PNG", transparency=int(COUNTS[0, 3]))
    assert (gray(clear, "each")[:, 3] == 255).all()
    color = COLORS.copy()
    color[:4] = 1, 2, 3
    shown = decode(png16(color, 2, struct.pack(">HHH", 1, 2, 3)), 16, 3, depth=(200, 360)).pixels
    assert (shown[:4] == 255).all() and not (shown[4:] == 255).all()
    opacity = np.where(np.arange(16)[:, None] < 8, 65_535, 0) * np.ones_like(COUNTS)
    for data in (
        png16(np.dstack([COUNTS, opacity]), 4),
        png16(np.dstack([COLORS, opacity]), 6),
    ):
        levels = decode(data, 16, 3, depth=(200, 360)).pixels
        assert (levels[8:] == 255).all() and not (levels[:8] == 255).all()


def test_images_of_8_bits_are_left_as_they_are() -> None:
    picture = Image.fromarray((COUNTS - 200).astype(np.uint8))
    for kind in ("PNG", "TIFF", "PPM"):
        decoded = decode(encoded(picture, kind), 16, 1, depth="each")
        np.testing.assert_array_equal(decoded.pixels[..., 0], picture)
        assert decoded.limits is None and counts_of(encoded(picture, kind)) is None


@pytest.mark.parametrize("kind", GRAYS)
def test_the_range_of_a_set_is_that_of_its_counts(kind: str) -> None:
    counts = counts_of(GRAYS[kind])
    assert counts is not None
    assert range_of([counts, counts]) == (200, 360)


def test_the_sample_of_an_image_is_not_of_a_few_columns() -> None:
    counts = np.zeros((1000, 1000), np.uint16)
    counts[:, 51:99] = 4000
    found = counts_of(encoded(Image.fromarray(counts), "PNG"))
    assert found is not None
    assert np.mean(found == 4000) == pytest.approx(0.048, abs=0.01)


def test_a_few_hot_pixels_do_not_set_the_range() -> None:
    counts = np.random.default_rng(0).integers(200, 361, (128, 128)).astype(np.uint16)
    counts[5, 5:10] = 65_535
    counts[9, 5:10] = 0
    found = counts_of(encoded(Image.fromarray(counts), "PNG"))
    assert found is not None
    assert range_of([found]) == (200, 360)


@pytest.mark.parametrize("fill", [-9999, -32768, -3.4e38, 65_535, 3.4e38])
def test_a_value_for_missing_counts_does_not_set_the_range(fill: float) -> None:
    counts = np.random.default_rng(0).integers(200, 361, 100_000).astype(np.float32)
    counts[::7] = fill
    assert range_of([counts]) == (200, 360)


@pytest.mark.parametrize(
    "counts",
    [
        np.arange(1000),  # no gap
        np.repeat([0, 4000], 500),  # two values
        np.r_[np.zeros(500), np.arange(100, 400)],  # a dark background
    ],
)
def test_values_that_may_be_measured_set_the_range(counts: NDArray[np.int64]) -> None:
    low, high = range_of([counts.astype(np.float32)]) or (0, 0)
    assert low < counts.min() + 2 and high > counts.max() - 2


def test_a_set_that_is_nearly_all_of_one_value_keeps_the_rest() -> None:
    counts = np.full(100_000, 7, np.float32)
    counts[3] = 900
    assert range_of([counts]) == (7, 900)
    assert range_of([counts[:2]]) == (7, 7)
    assert range_of([]) is None


def test_floats_keep_their_fractions_in_the_range() -> None:
    black, white = range_of([np.linspace(0.25, 0.75, 100_001, dtype=np.float32)]) or (0, 0)
    assert black == pytest.approx(0.2505) and white == pytest.approx(0.7495)


def test_the_sample_goes_by_names_and_stays_where_images_come() -> None:
    names = [f"a/{number}.png" for number in range(10_000)]
    sample = sampled(names)
    assert len(set(sample)) == SAMPLED_IMAGES
    assert sampled(reversed(names)) == sample
    assert len({*sampled([*names, "b/new.png"])} & {*sample}) >= SAMPLED_IMAGES - 1
    assert sampled(names[:3]) and set(sampled(names[:3])) == set(names[:3])


@pytest.mark.parametrize("kind", GRAYS)
def test_the_first_bytes_tell_what_may_have_more_than_8_bits(kind: str) -> None:
    assert may_be_deep(GRAYS[kind][:64])
    for shallow in ("JPEG", "PNG", "GIF", "WEBP", "BMP"):
        assert not may_be_deep(encoded(Image.new("L", (9, 9)), shallow)[:64])


def test_an_interlaced_color_png_keeps_both_bytes() -> None:
    # One pass of Adam7 is enough: an image of a single pixel has no other.
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 1)),
        (b"IDAT", zlib.compress(b"\0" + struct.pack(">HHH", 200, 280, 360))),
        (b"IEND", b""),
    ]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(part)) + name + part + struct.pack(">I", zlib.crc32(name + part))
        for name, part in chunks
    )
    pixels = decode(data, 8, 3, depth=(200, 360), min_side=1).pixels
    assert pixels[0, 0].tolist() == [0, 128, 255]
