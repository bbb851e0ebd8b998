"""Figures show names in any script: with the fonts that are installed, or by code points."""

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from PIL import Image

from petite.plots import fonts, style
from petite.plots.style import save
from petite.util.notices import NOTICE

# Letters for private use: no font of any machine has these.
UNKNOWN, OTHER = "\U0010fffa", "\U0010fffb"


@pytest.fixture(autouse=True)
def _fonts_are_looked_for_anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(fontManager, "ttflist", [*fontManager.ttflist])
    cached = (fonts.fallbacks, fonts._installed, fonts._say_missing)
    for function in cached:
        function.cache_clear()
    yield
    for function in cached:
        function.cache_clear()


@style.styled
def figure_of(labels: dict[int, str]) -> Figure:
    figure = Figure(figsize=(4, 3))
    for place, label in enumerate(labels.values()):
        figure.text(0.1, 0.9 - 0.1 * place, label)
    return figure


def drawn(name: str, folder: Path) -> np.ndarray:
    png, svg = folder / "a.png", folder / "a.svg"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Matplotlib warns of each letter that it has no font for
        save(figure_of(style.class_labels({0: name}, 20)), png, svg)
    with Image.open(png) as picture:
        return np.asarray(picture.convert("L"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("猫", "狗"),
        ("🐦 bird", "🐧 bird"),
        ("हिन्दी", "हिन्दि"),
        ("ねこ", "ネコ"),
        ("한국어", "한국"),
        ("ไทย", "ไท"),
        ("قطة", "كلب"),
        ("חתול", "כלב"),
        ("𓃠", "𓃡"),
    ],
)
def test_two_names_never_look_the_same(one: str, other: str, tmp_path: Path) -> None:
    first, second = drawn(one, tmp_path), drawn(other, tmp_path)
    assert (first < 128).any() and (first != second).any()


def test_signs_of_mathematics_are_shown_as_they_are(tmp_path: Path) -> None:
    name = r"$x_1^2$ \b % {a}"
    save(figure_of(style.class_labels({0: name}, 20)), tmp_path / "a.png", tmp_path / "a.svg")
    assert name in (tmp_path / "a.svg").read_text(encoding="utf-8")


def test_without_a_font_a_letter_is_its_code_point_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        labels = style.class_labels({0: f"{UNKNOWN}{OTHER} a", 1: OTHER}, 30)
    assert labels == {0: "U+10FFFA U+10FFFB a", 1: "U+10FFFB"}
    [record] = [record for record in caplog.records if record.levelno == NOTICE]
    assert "No installed font" in record.message and "install a font" in record.message


def test_an_installed_font_that_has_the_letter_is_used(tmp_path: Path) -> None:
    write_font(tmp_path / "Mine.ttf", "Mine Sans", UNKNOWN, blank=OTHER)
    fontManager.addfont(tmp_path / "Mine.ttf")
    labels = style.class_labels({0: UNKNOWN, 1: OTHER}, 20)
    # A font of color pictures has a blank in place of the outline.
    assert labels == {0: UNKNOWN, 1: "U+10FFFB"}
    assert (drawn(UNKNOWN, tmp_path) < 128).any()
    svg = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert "Mine Sans" in svg and UNKNOWN in svg


def test_a_file_that_is_no_font_is_passed_over(tmp_path: Path) -> None:
    write_font(tmp_path / "Mine.ttf", "Mine Sans", UNKNOWN, blank=OTHER)
    fontManager.addfont(tmp_path / "Mine.ttf")
    (tmp_path / "Mine.ttf").unlink()
    assert style.class_labels({0: UNKNOWN}, 20) == {0: "U+10FFFA"}


def write_font(path: Path, family: str, letter: str, blank: str) -> None:
    """A font of one square, and of one letter without an outline."""
    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    for point in ((100, 700), (800, 700), (800, 0)):
        pen.lineTo(point)
    pen.closePath()
    empty, square = TTGlyphPen(None).glyph(), pen.glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "square", "blank"])
    builder.setupCharacterMap({ord(letter): "square", ord(blank): "blank"})
    builder.setupGlyf({".notdef": empty, "square": square, "blank": empty})
    builder.setupHorizontalMetrics({name: (1000, 0) for name in (".notdef", "square", "blank")})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=800, usWeightClass=400)
    builder.setupPost()
    builder.save(path)


def test_names_that_are_cut_to_the_same_are_told_apart_by_number() -> None:
    labels = style.class_labels(
        {4: "a" * 90 + "1" + "b" * 90, 7: "a" * 90 + "2" + "b" * 90, 8: "cat"}, 20
    )
    assert len(set(labels.values())) == 3 and labels[8] == "cat"
    assert labels[4].startswith("4: aaa") and labels[7].endswith("bbb")
    assert max(map(len, labels.values())) <= 20
