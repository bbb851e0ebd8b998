"""Names of classes and files as people can read them, in figures and on the page.

They come from the user's folders and may hold anything: letters of any script, characters that
nobody sees or that turn the text around, and hundreds of letters.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping

# Characters that turn around the text after them, beyond the end of the name.
TURNING = {*"\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"}
# Bidirectional classes of letters and numbers that are written from right to left.
RIGHT_TO_LEFT = {"R", "AL", "AN"}
# Words and the spaces between them; numbers and commas beside them are of the sentence.
LETTERS = "\u0590-\u05ff\u0600-\u065f\u066a-\u06ef\u06fa-\u08ff\ufb1d-\ufdff\ufe70-\ufeff"
RIGHT_TO_LEFT_WORDS = re.compile(f"[{LETTERS}]+(?: +[{LETTERS}]+)*")
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


def isolated_words(text: str) -> str:
    """A sentence in which the words that are written from right to left are isolated."""
    return RIGHT_TO_LEFT_WORDS.sub(f"{FIRST_STRONG_ISOLATE}\\g<0>{POP_ISOLATE}", text)


def told_apart(
    names: Mapping[int, str], length: int, short: Callable[[str, int], str]
) -> dict[int, str]:
    """The names of classes by number in `length` letters, no two alike: by number where need be.

    short: what cuts a name to a length.
    """
    times = Counter(short(name, length) for name in names.values())

    def label_of(label: int, name: str) -> str:
        if times[short(name, length)] == 1:
            return short(name, length)
        number = f"{label}: "
        return number + short(name, length - len(number))

    return {label: label_of(label, name) for label, name in names.items()}


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
