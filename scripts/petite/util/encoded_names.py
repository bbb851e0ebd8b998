"""Names of encodings, and of methods whose images are encoded: random@64px-webp-q40."""

import re
from typing import NamedTuple

ORIGINAL = "original"
AT = "@"
WORDS = {"webp": "WebP", "avif": "AVIF", "jpeg": "JPEG"}
NAME = re.compile(r"(\d+)px-([a-z]+)-q(\d+)")


def encoding_name(side: int, codec: str, quality: int) -> str:
    """The name of an encoding, as in paths and tables.

    Examples
    --------
    >>> encoding_name(64, "webp", 40)
    '64px-webp-q40'
    """
    return f"{side}px-{codec}-q{quality}"


def in_encoding(method: str, encoding: str) -> str:
    """The name of a method whose training images are encoded.

    Examples
    --------
    >>> in_encoding("random", "64px-webp-q40"), in_encoding("random", "original")
    ('random@64px-webp-q40', 'random')
    """
    return method if encoding == ORIGINAL else f"{method}{AT}{encoding}"


def method_of(name: str) -> str:
    """The method in a name that `in_encoding` made.

    Examples
    --------
    >>> method_of("random@64px-webp-q40"), method_of("random")
    ('random', 'random')
    """
    return name.partition(AT)[0]


def encoding_of(name: str) -> str:
    """The encoding in a name that `in_encoding` made.

    Examples
    --------
    >>> encoding_of("random@64px-webp-q40"), encoding_of("random")
    ('64px-webp-q40', 'original')
    """
    return name.partition(AT)[2] or ORIGINAL


class EncodingParts(NamedTuple):
    """What the name of an encoding says."""

    side: int
    codec: str
    quality: int


def parts_of(encoding: str) -> EncodingParts | None:
    """What the name of an encoding says; None for the originals.

    Examples
    --------
    >>> parts_of("64px-webp-q40"), parts_of("original")
    (EncodingParts(side=64, codec='webp', quality=40), None)
    """
    found = NAME.fullmatch(encoding)
    return found and EncodingParts(int(found[1]), found[2], int(found[3]))


def encoding_in_words(encoding: str) -> str:
    """An encoding as sentences and figures name it.

    Examples
    --------
    >>> encoding_in_words("64px-webp-q40"), encoding_in_words("original")
    ('64x64 WebP q40', 'originals')
    """
    parts = parts_of(encoding)
    if parts is None:
        return "originals"
    return f"{parts.side}x{parts.side} {WORDS[parts.codec]} q{parts.quality}"
