"""Readable names of classes and files, for figures and the page.

The names are those of the user's folders and can hold anything: letters of any script, invisible
characters, characters that reverse the text, and hundreds of letters.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping

# Characters that change the direction of the text after them, beyond the end of the name.
TURNING = {*"\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"}
# Bidirectional classes of letters and numbers that are written from right to left.
RIGHT_TO_LEFT = {"R", "AL", "AN"}
# Words and the spaces between them; numbers and commas next to them belong to the sentence.
LETTERS = "\u0590-\u05ff\u0600-\u065f\u066a-\u06ef\u06fa-\u08ff\ufb1d-\ufdff\ufe70-\ufeff"
RIGHT_TO_LEFT_WORDS = re.compile(f"[{LETTERS}]+(?: +[{LETTERS}]+)*")
FIRST_STRONG_ISOLATE, POP_ISOLATE = "\u2068", "\u2069"


def printable(name: str) -> str:
    """Put a name on one line, composed (NFC), with invisible characters as code points."""
    return "".join(
        code_point(letter) if _is_unseen(letter) else letter
        for letter in unicodedata.normalize("NFC", name)
    )


def code_point(letter: str) -> str:
    """Write a character as its code point.

    Examples
    --------
    >>> code_point("猫")
    'U+732B'
    """
    return f"U+{ord(letter):04X}"


def shortened(name: str, length: int) -> str:
    """Cut a name in the middle, since its two ends distinguish it from others.

    Parameters
    ----------
    name : str
    length : int
        The width in letters; those of Chinese, Japanese and Korean are as wide as two.

    Examples
    --------
    >>> shortened("a very long name", 9)
    'a ve…name'
    """
    pieces = _pieces(printable(name))
    if sum(map(_width, pieces)) <= length:
        return "".join(pieces)
    head, tail = (length - 1) // 2, length - 1 - (length - 1) // 2
    return f"{''.join(_fitting(pieces, head))}…{''.join(_fitting(pieces[::-1], tail)[::-1])}"


def isolated(name: str) -> str:
    """Isolate a name that is written from right to left, so that its neighbors keep their order."""
    if any(unicodedata.bidirectional(letter) in RIGHT_TO_LEFT for letter in name):
        return f"{FIRST_STRONG_ISOLATE}{name}{POP_ISOLATE}"
    return name


def isolated_words(text: str) -> str:
    """Isolate the words of a sentence that are written from right to left."""
    return RIGHT_TO_LEFT_WORDS.sub(f"{FIRST_STRONG_ISOLATE}\\g<0>{POP_ISOLATE}", text)


def told_apart(
    names: Mapping[int, str], length: int, short: Callable[[str, int], str]
) -> dict[int, str]:
    """Shorten the names of classes so that no two are the same.

    Parameters
    ----------
    names : mapping from int to str
        The name of each label.
    length : int
        The width in letters.
    short : callable
        Cuts a name to a length.

    Returns
    -------
    dict from int to str
        The shortened names; those that would be the same begin with their label.
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
    """Letters with their combining marks."""
    pieces: list[str] = []
    for letter in name:
        if pieces and not _width(letter):
            pieces[-1] += letter
        else:
            pieces.append(letter)
    return pieces


def _fitting(pieces: list[str], length: int) -> list[str]:
    """The first of `pieces` whose total width is at most `length`."""
    count, width = 0, 0
    for piece in pieces:
        width += _width(piece)
        if width > length:
            break
        count += 1
    return pieces[:count]


def _width(piece: str) -> int:
    """The width of a letter with its marks, in Latin letters."""
    if unicodedata.category(piece[0]) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(piece[0]) in "WF" else 1
