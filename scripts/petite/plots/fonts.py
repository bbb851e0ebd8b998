"""Fonts for names in any script: installed fonts that have the letters, or code points.

Matplotlib's own font has Latin, Greek, Cyrillic, Arabic and Hebrew letters. It shows all others as
the same box.
"""

import logging
import unicodedata
from functools import cache
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from matplotlib.font_manager import (
    FontProperties,
    findfont,
    findSystemFonts,
    fontManager,
    get_font,
)
from matplotlib.ft2font import LoadFlags
from matplotlib.text import Text

from petite.util.names import code_point
from petite.util.notices import notice

logger = logging.getLogger(__name__)

USUAL = "DejaVu Sans"  # Matplotlib's own
CHINESE_JAPANESE_KOREAN = {"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"}


def use_installed_fonts(figure: Figure) -> None:
    """Let every text of the figure fall back to installed fonts that have its letters."""
    for text in figure.findobj(Text):
        families = fallbacks(missing(text.get_text()))
        if families:
            text.set_fontfamily(["sans-serif", *families])


def with_code_points(text: str) -> str:
    """`text` with code points, such as "U+732B", for letters that no installed font has."""
    lacking = frozenset(letter for letter in missing(text) if not fallbacks(frozenset({letter})))
    if not lacking:
        return text
    for kind in sorted({_kind(letter) for letter in lacking}):
        _say_missing(kind)
    words = [f" {code_point(letter)} " if letter in lacking else letter for letter in text]
    return " ".join("".join(words).split())


def missing(text: str) -> frozenset[str]:
    """The letters of `text` that Matplotlib's own font does not have."""
    return frozenset(letter for letter in text if not letter.isascii() and not _is_usual(letter))


@cache
def fallbacks(letters: frozenset[str]) -> tuple[str, ...]:
    """Few families of installed fonts that together have as many of `letters` as possible."""
    families: list[str] = []
    while letters:
        covered, family = _best(letters)
        if not covered:
            break
        families.append(family)
        letters -= covered
    return tuple(families)


def _best(letters: frozenset[str]) -> tuple[frozenset[str], str]:
    """The font with most of the letters: which of them it has, and its family."""
    best: tuple[frozenset[str], str] = frozenset(), ""
    for family, path in _installed():
        covered = frozenset(letter for letter in letters if _has(path, letter))
        if len(covered) > len(best[0]):
            best = covered, family
        if covered == letters:
            break
    return best


@cache
def _is_usual(letter: str) -> bool:
    """Whether Matplotlib's own font has the letter, or the letter is invisible."""
    if unicodedata.category(letter) in {"Cf", "Zs"} or "\ufe00" <= letter <= "\ufe0f":
        return True
    return _has(findfont(FontProperties(family=[USUAL])), letter)


@cache
def _has(path: str, letter: str) -> bool:
    """Whether a font can draw a letter; fonts of color pictures have no outlines."""
    font = get_font(path)
    if not font.get_char_index(ord(letter)):
        return False
    try:
        font.set_size(12, 72)
        box = font.load_char(ord(letter), flags=LoadFlags.NO_HINTING).bbox
    except RuntimeError:
        return False
    return bool(box[0] < box[2] and box[1] < box[3])


@cache
def _installed() -> tuple[tuple[str, str], ...]:
    """Family and file of the fonts of this machine, in order of preference.

    Matplotlib's list of them may be older than the newest font. The fonts that are part of
    Matplotlib are left out: they are for mathematics, and one has only boxes.
    """
    known = {str(font.fname) for font in fontManager.ttflist}
    for path in sorted(set(findSystemFonts()) - known):
        try:
            fontManager.addfont(path)
        except Exception as error:  # whatever FreeType or fontTools make of a file
            logger.info("%s is left out: %s", path, error)
    shipped = Path(matplotlib.get_data_path())
    fonts = [
        font
        for font in fontManager.ttflist
        if shipped not in Path(font.fname).parents and Path(font.fname).is_file()
    ]
    fonts.sort(
        key=lambda font: (
            "Sans" not in font.name,
            font.style != "normal",
            font.weight not in (400, "normal", "regular"),
            font.name,
            str(font.fname),
        )
    )
    return tuple((font.name, str(font.fname)) for font in fonts)


def _kind(letter: str) -> str:
    """The script of a letter, from the beginning of its name, or "symbols"."""
    if unicodedata.category(letter)[0] not in "LMN":
        return "symbols"
    word = unicodedata.name(letter, "letters").split(" ")[0]
    return word if word not in CHINESE_JAPANESE_KOREAN else "CJK"


@cache
def _say_missing(kind: str) -> None:
    what, font = {
        "CJK": ("Chinese, Japanese or Korean letters", "Noto Sans CJK"),
        "symbols": ("emoji or other symbols", "Noto Emoji"),
    }.get(kind, (f"{kind.capitalize()} letters", f"Noto Sans {kind.capitalize()}"))
    notice(
        f"No installed font has the {what} of some names, so figures show their code points, such "
        f"as U+732B. To see the letters, install a font such as {font}, delete the figures and "
        "rerun."
    )
