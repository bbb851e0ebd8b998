"""Remove texts and color profiles from PNG files, because they can be large or damaged.

Pillow unpacks all of them before any pixel and refuses the file if they are large.
"""

import zlib

SIGNATURE_BYTES = 8
TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")
# These may hold the orientation. They are kept up to the size that Pillow reads.
ORIENTATION_TEXTS = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")
LARGEST_TEXT = 1_000_000  # bytes, unpacked


def without_texts(data: bytes) -> bytes:
    """Remove all texts of a PNG except those that may hold its orientation.

    Everything after a truncated chunk stays as it is.
    """
    kept = []
    start, begin = 0, SIGNATURE_BYTES
    while begin + 12 <= len(data):
        end = begin + 12 + int.from_bytes(data[begin : begin + 4])
        kind = data[begin + 4 : begin + 8]
        if end > len(data) or kind == b"IEND":
            break
        if kind in TEXTS and not _holds_orientation(kind, data[begin + 8 : end - 4]):
            kept.append(data[start:begin])
            start = end
        begin = end
    return b"".join([*kept, data[start:]]) if kept else data


def _holds_orientation(kind: bytes, body: bytes) -> bool:
    """Whether a text may hold the orientation and is small enough for Pillow to read."""
    if not body.startswith(ORIENTATION_TEXTS):
        return False
    rest = body.partition(b"\0")[2]
    if kind == b"iTXt":  # flag and method, then language and translated keyword, each with a \0
        is_packed, text = rest[:1] == b"\1", rest[2:].split(b"\0", 2)[-1]
    else:
        is_packed, text = kind == b"zTXt", rest[1:]
    if not is_packed:
        return len(text) <= LARGEST_TEXT
    unpacking = zlib.decompressobj()
    try:
        unpacking.decompress(text, LARGEST_TEXT)
    except zlib.error:
        return False
    return not unpacking.unconsumed_tail
