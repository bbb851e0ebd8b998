"""Names of classes and files as people can read them, in figures and on the page.

They come from the user's folders and may hold anything: letters of any script, characters that
nobody sees or that turn the text around, and hundreds of letters.
"""

import unicodedata

# Characters that turn around the text after them, beyond the end of the name.
TURNING = {*"\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"}
# Bidirectional classes of letters and numbers that are written from right to left.
RIGHT_TO_LEFT = {"R", "AL", "AN"}
FIRST_STRONG_ISOLATE, POP_ISOLATE = "\u2068", "\u2069"


def printable(name: str) -> str:
    """`name` on one line, composed, with characters that cannot be seen as code points."""
    return "".join(
        code_point(letter) if _is_unseen(letter) else letter
        for letter in unicodedata.normalize("NFC", name)
    )


def code_point(letter: str) -> str:
    """A character as Unicode numbers it: "猫" is "U+732B"."""
    return f"U+{ord(letter):04X}"


def shortened(name: str, length: int) -> str:
    """`name` cut in the middle to a width of `length` letters: both ends tell names apart.

    Letters of Chinese, Japanese and Korean are as wide as two.
    """
    pieces = _pieces(printable(name))
    if sum(map(_width, pieces)) <= length:
        return "".join(pieces)
    head, tail = (length - 1) // 2, length - 1 - (length - 1) // 2
    return f"{''.join(_fitting(pieces, head))}…{''.join(_fitting(pieces[::-1], tail)[::-1])}"


def isolated(name: str) -> str:
    """`name` so that, written from right to left, it leaves the words beside it in their places."""
    if any(unicodedata.bidirectional(letter) in RIGHT_TO_LEFT for letter in name):
        return f"{FIRST_STRONG_ISOLATE}{name}{POP_ISOLATE}"
    return name


def _is_unseen(letter: str) -> bool:
    return letter in TURNING or unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"}


def _pieces(name: str) -> list[str]:
    """Letters with the marks that stand on them."""
    pieces: list[str] = []
    for letter in name:
        if pieces and not _width(letter):
            pieces[-1] += letter
        else:
            pieces.append(letter)
    return pieces


def _fitting(pieces: list[str], length: int) -> list[str]:
    """The first of `pieces` that are no wider than `length` together."""
    taken, width = 0, 0
    for piece in pieces:
        width += _width(piece)
        if width > length:
            break
        taken += 1
    return pieces[:taken]


def _width(piece: str) -> int:
    """How many usual letters a letter with its marks is as wide as."""
    if unicodedata.category(piece[0]) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(piece[0]) in "WF" else 1
