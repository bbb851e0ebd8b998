"""Formats by content: what is read, what is named, and what files hold besides pixels."""

import gc
import io
import signal
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from petite.data.decoding.decode import SetAside, decode
from petite.data.decoding.formats import format_of
from petite.export.images import SUFFIXES

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8))


def encoded(kind: str, image: Image.Image = PICTURE, **options: object) -> bytes:
    file = io.BytesIO()
    image.copy().save(file, kind, **options)
    return file.getvalue()


def pixels_of(data: bytes, **limits: float) -> np.ndarray:
    return decode(data, 16, 3, **limits).pixels


def reason(data: bytes, **limits: float) -> str:
    with pytest.raises(SetAside) as caught:
        decode(data, 16, 3, **limits)
    return caught.value.reason


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def with_chunks(*chunks: bytes, at_end: bool = False) -> bytes:
    """A PNG with further chunks behind its header, or before its end."""
    data = encoded("PNG")
    place = len(data) - 12 if at_end else 33
    return data[:place] + b"".join(chunks) + data[place:]


MEGABYTES = bytes(3_000_000)
NOISE = np.random.default_rng(1).bytes(2_000_000)
TEXTS = {
    "packed text": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(MEGABYTES)),
    "packed text that does not shrink": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(NOISE)),
    "plain text": chunk(b"tEXt", b"Comment\0" + b"a" * 70_000_000),
    "international text": chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(MEGABYTES)),
    "XMP, packed": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(MEGABYTES)),
    "XMP, plain": chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b" " * 70_000_000),
    "color profile": chunk(b"iCCP", b"icc\0\0" + zlib.compress(MEGABYTES)),
    "many texts": 200 * chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(900_000))),
    "damaged packed text": chunk(b"zTXt", b"Comment\0\0no deflated data"),
    "damaged XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0no deflated data"),
    "text with a wrong checksum": chunk(b"tEXt", b"Comment\0text")[:-4] + b"\0\0\0\0",
    "profile of an unknown method": chunk(b"iCCP", b"icc\0\7nonsense"),
    "text without a name": chunk(b"tEXt", b""),
}


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("at_end", [False, True])
def test_texts_in_a_png_do_not_matter(kind: str, at_end: bool) -> None:
    data = with_chunks(TEXTS[kind], at_end=at_end)
    np.testing.assert_array_equal(pixels_of(data), PICTURE)


@pytest.mark.parametrize("packed", [False, True])
def test_a_png_that_is_turned_by_its_texts_is_turned_still(packed: bool) -> None:
    texts = PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="6"/>' + " " * 60_000, zip=packed)
    turned = pixels_of(encoded("PNG", pnginfo=texts))
    np.testing.assert_array_equal(turned, np.rot90(np.asarray(PICTURE), k=-1))
    exif = Image.Exif()
    exif[0x0112] = 6
    raw = exif.tobytes().hex()
    profile = f"\nexif\n{len(raw) // 2:8}\n{raw}\n"
    texts = PngInfo()
    texts.add_text("Raw profile type exif", profile, zip=packed)
    np.testing.assert_array_equal(pixels_of(encoded("PNG", pnginfo=texts)), turned)


def test_a_bomb_of_text_is_not_unpacked() -> None:
    # Each unpacks to 1 GB.
    bomb = zlib.compressobj(9)
    packed = b"".join(bomb.compress(bytes(10_000_000)) for _ in range(100)) + bomb.flush()
    data = with_chunks(
        *20 * [chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + packed)],
        *20 * [chunk(b"iCCP", b"icc\0\0" + packed)],
    )
    # Unpacked it would take minutes.
    np.testing.assert_array_equal(pixels_of(data, max_seconds=20), PICTURE)


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


P3 = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
JPEG = encoded("JPEG", quality=95)
SIDE_DATA = {
    "JPEG, 10 MB of segments": JPEG[:2] + 160 * segment(0xE4, bytes(65_000)) + JPEG[2:],
    "JPEG, many comments": JPEG[:2] + 20_000 * segment(0xFE, b"hello") + JPEG[2:],
    "JPEG, large EXIF": JPEG[:2] + segment(0xE1, b"Exif\0\0MM\0*" + bytes(65_000)) + JPEG[2:],
    "JPEG, XMP of several parts": JPEG[:2]
    + 50 * segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(60_000))
    + JPEG[2:],
    "JPEG, profile": encoded("JPEG", quality=95, icc_profile=P3 + bytes(500_000)),
    "JPEG, damaged profile": JPEG[:2] + segment(0xE2, b"ICC_PROFILE\0\7\1nonsense") + JPEG[2:],
}


@pytest.mark.parametrize("kind", SIDE_DATA)
def test_what_lies_beside_the_pixels_of_a_jpeg_does_not_matter(kind: str) -> None:
    np.testing.assert_allclose(pixels_of(SIDE_DATA[kind]), pixels_of(JPEG), atol=1)


def large_tiff_tags() -> bytes:
    tags = ImageFileDirectory_v2()
    tags[270] = "description " * 500_000
    tags[700] = bytes(5_000_000)
    tags.tagtype[700] = 1
    return encoded("TIFF", tiffinfo=tags)


def commented_gif() -> bytes:
    data = encoded("GIF", PICTURE.convert("L"))
    comment = b"!\xfe" + 4000 * (b"\xff" + bytes(255)) + b"\0"
    header = 13 + 3 * 256
    return data[:header] + comment + data[header:]


def test_large_tags_and_comments_of_other_formats_do_not_matter() -> None:
    np.testing.assert_array_equal(pixels_of(large_tiff_tags()), PICTURE)
    gray = np.asarray(PICTURE.convert("L"))
    np.testing.assert_array_equal(pixels_of(commented_gif())[..., 0], gray)
    webp = encoded("WEBP", lossless=True, xmp=bytes(3_000_000), icc_profile=P3 + bytes(2_000_000))
    np.testing.assert_array_equal(pixels_of(webp), PICTURE)
    pnm = encoded("PPM").replace(b"P6\n", b"P6\n" + 1000 * b"# a comment\n", 1)
    np.testing.assert_array_equal(pixels_of(pnm), PICTURE)
    avif = encoded("AVIF", quality=95, xmp=bytes(3_000_000), icc_profile=P3)
    assert pixels_of(avif).shape == (16, 16, 3)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_of_tiff_is_read(mode: str, channels: int) -> None:
    if mode == "P":
        image = PICTURE.convert("P", palette=Image.Palette.ADAPTIVE)
    elif mode == "LAB":
        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        image = ImageCms.profileToProfile(PICTURE, *profiles, outputMode="LAB")
    else:
        image = PICTURE.convert(mode)
    decoded = decode(encoded("TIFF", image), 16, channels).pixels
    expected = PICTURE if mode not in ("1", "L", "LA") else image.convert("L")
    expected = np.asarray(expected.convert("L" if channels == 1 else "RGB")).astype(int)
    assert np.abs(decoded.reshape(expected.shape) - expected).mean() < 12


@pytest.mark.parametrize(
    "packing",
    ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "lzma", "raw"],
)
def test_every_packing_of_tiff_is_read(packing: str) -> None:
    smooth = PICTURE.resize((8, 8)).resize((16, 16), Image.Resampling.BICUBIC)
    decoded = pixels_of(encoded("TIFF", smooth, compression=packing)).astype(int)
    assert np.abs(decoded - smooth).mean() < (12 if packing == "jpeg" else 0.1)


def test_the_first_page_is_read_and_that_there_are_more_is_known() -> None:
    for kind in ("TIFF", "GIF", "WEBP", "PNG"):
        pages = {"save_all": True, "append_images": [Image.new("RGB", (16, 16))]}
        assert decode(encoded(kind, **pages), 16, 3).has_more
        assert not decode(encoded(kind), 16, 3).has_more
    np.testing.assert_array_equal(pixels_of(encoded("TIFF", **pages)), PICTURE)


def box(kind: bytes, brand: bytes, *compatible: bytes) -> bytes:
    body = brand + bytes(4) + b"".join(compatible)
    return struct.pack(">I", len(body) + 8) + kind + body + bytes(50)


OTHERS = {
    "HEIC": box(b"ftyp", b"heic", b"mif1", b"heic"),
    "HEIC ": box(b"ftyp", b"mif1", b"mif1", b"heic", b"miaf"),
    "video": box(b"ftyp", b"isom", b"isom", b"avc1"),
    "video ": b"RIFF\0\0\0\0AVI LIST",
    "video  ": b"\x1aE\xdf\xa3" + bytes(40),
    "camera RAW": box(b"ftyp", b"crx ", b"isom"),
    "camera RAW ": b"II*\0\x10\0\0\0CR\x02\0" + bytes(40),
    "camera RAW  ": encoded("TIFF", tiffinfo={254: 1}),
    "camera RAW   ": encoded("TIFF", tiffinfo={50706: b"\1\4\0\0"}),
    "JPEG XL": b"\xff\x0a" + bytes(40),
    "DICOM": bytes(128) + b"DICM" + bytes(40),
    "SVG": b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg width="10">',
    "SVG ": b"\xef\xbb\xbf<svg>",
    "web page": b"\n<!DOCTYPE html><html>404</html>",
    "Photoshop": b"8BPS\0\1" + bytes(40),
    "PDF": b"%PDF-1.7",
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0",
    "icon (ICO)": encoded("ICO"),
    "PCX": encoded("PCX"),
    "TAR": bytes(257) + b"ustar" + bytes(100),
    "FITS": b"SIMPLE  =                    T",
    "NumPy": b"\x93NUMPY\1\0",
    "HDF5": b"\x89HDF\r\n\x1a\n",
    "NIfTI": bytes(344) + b"n+1\0",
    "Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:0",
    "ZIP": b"PK\x03\x04zip",
    "gzip": b"\x1f\x8b\x08",
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_formats_are_named_with_what_to_do(name: str) -> None:
    kind, remedy = reason(OTHERS[name]).split("; ")
    assert kind.startswith(f"other format: {name.strip()}") and remedy


def test_every_format_that_is_read_has_a_suffix_for_export() -> None:
    kinds = ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "AVIF", "JPEG2000", "QOI", "TGA"]
    assert {format_of(encoded(kind)) for kind in kinds} == set(kinds) == set(SUFFIXES)


def test_avif_is_distinguished_from_heic_by_its_brands() -> None:
    assert format_of(encoded("AVIF")) == "AVIF"
    assert format_of(box(b"ftyp", b"mif1", b"miaf", b"avif")) == "AVIF"


def test_a_tga_is_known_by_its_footer_or_its_length() -> None:
    assert format_of(encoded("TGA")) == "TGA"
    old = encoded("TGA", PICTURE.convert("L"))[: 18 + 16 * 16]
    assert format_of(old) == "TGA"
    assert reason(old + b"?").startswith("not an image")
    assert reason(old[:-1]).startswith("not an image")


@pytest.mark.parametrize("text", [b"Pictures of cats", b"P5", b"P", b"ftyp", b"RIFF", b"", b"MM"])
def test_short_texts_are_no_images(text: bytes) -> None:
    assert reason(text).startswith(("not an image", "empty"))


# ------------------------------------------------------------------ limits before any pixel


def tiff_header(tags: dict[int, int], side: int) -> bytes:
    """A gray TIFF of 8 bits, packed by LZW, with further tags and no pixels in it."""
    tags = tags | {256: side, 257: side, 258: 8, 259: 5, 262: 1, 277: 1}
    entries = (struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + b"".join(entries) + bytes(40)


def huge() -> dict[str, bytes]:
    side = 60_000
    jp2 = encoded("JPEG2000", no_jp2=True)
    return {
        "TIFF": tiff_header({273: 8, 278: side, 279: 30}, side),
        "PPM": b"P6 %d %d 255\n" % (side, side),
        "PPM, plain": b"P3 %d %d 255\n1 2 3" % (side, side),
        "QOI": b"qoif" + struct.pack(">IIBB", side, side, 3, 0) + b"\xff" * 40,
        "TGA": struct.pack("<BBB5xHHHHBB", 0, 0, 10, 0, 0, side, side, 24, 0)
        + 40 * b"\xff"
        + bytes(8)
        + b"TRUEVISION-XFILE.\0",
        "JPEG2000": jp2[:8] + struct.pack(">II", side, side) + jp2[16:],
    }


@pytest.mark.parametrize("kind", huge())
def test_huge_images_are_set_aside_by_their_header_alone(kind: str) -> None:
    assert reason(huge()[kind]).startswith("too large: 60000x60000 pixels")


def test_a_huge_avif_is_set_aside_by_its_header_alone() -> None:
    data = encoded("AVIF")
    place = data.index(b"ispe") + 8
    large = data[:place] + struct.pack(">II", 60_000, 60_000) + data[place + 8 :]
    assert reason(large).startswith(("too large: 60000x60000", "damaged: "))


def test_a_tile_larger_than_the_image_is_measured() -> None:
    large = tiff_header({322: 48_000, 323: 48_000, 324: 8, 325: 30}, side=64)
    assert reason(large).startswith("too large: 48000x48000 pixels")
    assert "50000000" in reason(large)


def test_formats_decoded_in_python_are_stopped_when_they_take_too_long() -> None:
    side = 3000
    slow = b"P3 %d %d 255\n" % (side, side) + b"1 " * (3 * side * side)
    assert reason(slow, max_seconds=0.2).startswith("too slow")
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (600, 600, 3), dtype=np.uint8))
    assert reason(encoded("QOI", noise), max_seconds=0.05).startswith("too slow")


def test_the_limit_on_time_holds_where_its_first_alarm_is_passed_over() -> None:
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (900, 900, 3), dtype=np.uint8))
    slow, seconds = encoded("QOI", noise), 0.05
    passed_over = []

    def callback(phase: str, info: dict[str, int]) -> None:
        # What is raised in here is printed and forgotten, as in callbacks of libraries.
        while not passed_over and signal.getitimer(signal.ITIMER_REAL)[0] > 0:
            try:
                time.sleep(2 * seconds)
            finally:
                passed_over.append(phase)

    gc.callbacks.append(callback)
    try:
        gc.set_threshold(1)
        assert reason(slow, max_seconds=seconds).startswith("too slow")
    finally:
        gc.callbacks.remove(callback)
        gc.set_threshold(700, 10, 10)
    assert passed_over
