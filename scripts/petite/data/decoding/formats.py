"""Detect the format of a file by its content, not by its name.

The supported formats give their size before any pixel is decoded, so that limits can be checked.
The reason for other formats names the format and what to do.
"""

import re

# Pillow's names of the supported formats, and how their files begin.
SIGNATURES: dict[str, tuple[bytes, ...]] = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "BMP": (b"BM",),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "JPEG2000": (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
    "QOI": (b"qoif",),
}
NAMES = {"WEBP": "WebP", "PPM": "PNM", "JPEG2000": "JPEG 2000"}  # where Pillow's name is unusual
READ = "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, JPEG 2000, PNM, TGA or QOI"

TGA_HEADER_BYTES = 18
TGA_FOOTER = b"TRUEVISION-XFILE.\0"
TGA_UNCOMPRESSED = (1, 2, 3)  # image types
PNM = re.compile(rb"P[1-6f]\s")

OTHER_FORMAT = "other format"  # the kind of reason
CONVERT = "convert it to JPEG or PNG"
UNPACK = "unpack it"
FRAMES = "save its frames as JPEG or PNG"
ARRAYS = "save each image in it as PNG or TIFF"
# ISO media files are distinguished by their brands.
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1")
AVIF_BRANDS = (b"avif", b"avis")
# Other formats: an offset, the bytes there, the format's name, what to do.
OTHERS: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"\xff\x0a", "JPEG XL", CONVERT),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL", CONVERT),
    (0, b"8BPS", "Photoshop (PSD)", CONVERT),
    (0, b"gimp xcf", "GIMP (XCF)", CONVERT),
    (0, b"%PDF", "PDF", "save its pages as JPEG or PNG"),
    (0, b"%!PS", "EPS or PostScript", "render it to PNG"),
    (0, b"\xc5\xd0\xd3\xc6", "EPS or PostScript", "render it to PNG"),
    (0, b"\0\0\1\0", "icon (ICO)", CONVERT),
    (0, b"icns", "icon (ICNS)", CONVERT),
    (0, b"DDS ", "texture (DDS)", CONVERT),
    (0, b"P7\n", "PAM", CONVERT),
    (0, b"PF\n", "color PFM", "convert it to float TIFF, a channel each"),
    (0, b"\x01\xda", "SGI image", CONVERT),
    (0, b"\n\x05\x01\x08", "PCX", CONVERT),
    (0, b"FLIF", "FLIF", CONVERT),
    (0, b"BPG\xfb", "BPG", CONVERT),
    (0, b"\xd7\xcd\xc6\x9a", "Windows Metafile (WMF)", "render it to PNG"),
    (0, b"v/1\x01", "OpenEXR", "convert it to TIFF or PNG"),
    (0, b"#?RADIANCE", "Radiance HDR", "convert it to TIFF or PNG"),
    (0, b"SIMPLE  =", "FITS", "convert it to TIFF"),
    (128, b"DICM", "DICOM", "save its pixels as 16-bit PNG or TIFF"),
    (344, b"n+1\0", "NIfTI volume", ARRAYS),
    (0, b"\x89HDF", "HDF5 or MATLAB file", ARRAYS),
    (0, b"MATLAB 5", "MATLAB file", ARRAYS),
    (0, b"\x93NUMPY", "NumPy array", ARRAYS),
    (0, b"FUJIFILMCCD-RAW", "camera RAW", CONVERT),
    (0, b"IIRO", "camera RAW", CONVERT),
    (0, b"IIRS", "camera RAW", CONVERT),
    (0, b"IIU\0", "camera RAW", CONVERT),
    (8, b"CR\x02", "camera RAW", CONVERT),
    (8, b"AVI ", "video", FRAMES),
    (0, b"\x1aE\xdf\xa3", "video", FRAMES),
    (0, b"\0\0\1\xba", "video", FRAMES),
    (0, b"\0\0\1\xb3", "video", FRAMES),
    (0, b"PK\x03\x04", "ZIP archive", UNPACK),
    (0, b"\x1f\x8b", "gzip archive", UNPACK),
    (257, b"ustar", "TAR archive", UNPACK),
    (0, b"7z\xbc\xaf", "7-Zip archive", UNPACK),
    (0, b"Rar!", "RAR archive", UNPACK),
    (0, b"\0\5\x16\7", "macOS file attributes", "leave it out"),
    (0, b"version https://git-lfs", "Git LFS pointer", "run `git lfs pull`"),
)
TEXTS: tuple[tuple[bytes, str, str], ...] = (
    (b"<svg", "SVG", "render it to PNG"),
    (b"<!doctype html", "web page", "download the image again"),
    (b"<html", "web page", "download the image again"),
)
TEXT_BEGINS = 1000  # bytes of a text that are searched


def format_of(data: bytes) -> str | None:
    """Pillow's name for the format; None if it is not supported."""
    for name, beginnings in SIGNATURES.items():
        if data.startswith(beginnings):
            # Raw files of some cameras begin as TIFF.
            return None if name == "TIFF" and _other(data) else name
    if _other(data):
        return None
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp" and _has_brand(data, AVIF_BRANDS):
        return "AVIF"
    if PNM.match(data):
        return "PPM"
    return "TGA" if _is_tga(data) else None


def why_not_read(data: bytes) -> str:
    """The reason to set aside a file in an unsupported format: what it is, and what to do."""
    other = _other(data)
    if other is None:
        return f"not an image: no {READ} data"
    name, remedy = other
    return unsupported(name, remedy)


def unsupported(name: str, remedy: str = CONVERT) -> str:
    """The reason for a file in a known but unsupported format."""
    return f"{OTHER_FORMAT}: {name}; {remedy}"


def usual_name(name: str) -> str:
    """The usual name of the format that Pillow calls `name`."""
    return NAMES.get(name, name)


def _other(data: bytes) -> tuple[str, str] | None:
    """Name and remedy of a known but unsupported format; None for other bytes."""
    for offset, signature, name, remedy in OTHERS:
        if data.startswith(signature, offset):
            return name, remedy
    if data[4:8] == b"ftyp":
        if _has_brand(data, AVIF_BRANDS):
            return None
        if _has_brand(data, HEIC_BRANDS):
            return "HEIC", CONVERT
        return ("camera RAW", CONVERT) if _has_brand(data, (b"crx ",)) else ("video", FRAMES)
    text = data[:TEXT_BEGINS].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"<"):
        for word, name, remedy in TEXTS:
            if word in text:
                return name, remedy
    return None


def _has_brand(data: bytes, brands: tuple[bytes, ...]) -> bool:
    """Whether an ISO media file has one of the brands as its major or a compatible brand."""
    length = min(int.from_bytes(data[:4]), 256)
    return any(data[start : start + 4] in brands for start in (8, *range(16, length, 4)))


def _is_tga(data: bytes) -> bool:
    """Whether the bytes are a TGA, which has no signature at its beginning.

    Newer files end in a signature. Older ones are detected if header and pixels add up to the
    length of the file.
    """
    if len(data) <= TGA_HEADER_BYTES:
        return False
    if data.endswith(TGA_FOOTER):
        return True
    has_map, image_type, map_bits, bits = data[1], data[2], data[7], data[16]
    if has_map > 1 or image_type not in TGA_UNCOMPRESSED or bits not in (8, 16, 24, 32):
        return False
    map_length, width, height = (int.from_bytes(data[at : at + 2], "little") for at in (5, 12, 14))
    palette = has_map * map_length * map_bits // 8
    return len(data) == TGA_HEADER_BYTES + data[0] + palette + width * height * bits // 8
