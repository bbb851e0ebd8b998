"""Figures as SVG elements of the page: in the page's colors and font, small, and with words.

The page shows the drawings of petite.plots and has none of its own. Here Matplotlib's SVG loses
what only a file needs, its colors become CSS variables, so that they follow the reader's light or
dark, and what has a name gets a class to be hidden by, and words to be seen at the pointer.
"""

import io
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from xml.etree import ElementTree

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.figure import Figure

from petite.plots import style
from petite.report import palette

Words = Mapping[str, Sequence[str]]
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
COLOUR = re.compile(r"#[0-9a-f]{6}")
NUMBER = re.compile(r"-?\d+\.\d+")
FONT_FAMILY = re.compile(r"font-family: [^;]*;? ?")
OURS = re.compile(r"(\w+)-([\w-]+)")  # names that petite.plots gives: what it is, of which method
REFERRED = re.compile(r"[a-zC]\w*[0-9a-f]{10}")  # names that Matplotlib refers to within the SVG
NAMESPACE = re.compile(r' xmlns(:xlink)?="[^"]*"|(?<= )xlink:')
NOTHING = re.compile(r"rotate\(-?0 ")


def embedded(
    figure: Figure, name: str, label: str, classes: str = "", words: Words = MappingProxyType({})
) -> Markup:
    """The figure as an <svg> element.

    name: which no other drawing of the page has. label: what it says, for those who cannot see it.
    classes: CSS classes. words: for each shape of a part of the figure, by the part's name (gid),
    what is shown at the pointer.
    """
    root = _parsed(figure, name)
    inside = {shape for defs in root.iter("defs") for shape in defs.iter()}
    parts = {part.get("id", ""): part for part in root.iter("g")}
    for part, texts in words.items():
        shapes = [shape for shape in parts[part].iter() if shape.tag in ("use", "path")]
        shapes = [shape for shape in shapes if shape not in inside]
        for shape, text in zip(shapes, texts, strict=True):
            ElementTree.SubElement(shape, "title").text = text
    for element in root.iter():
        _simplify(element)
    _unwrap(root)
    root.attrib = {
        "class": f"plot {classes}".strip(),
        "viewBox": root.attrib["viewBox"],
        "role": "img",
        "aria-label": label,
    }
    return Markup(ElementTree.tostring(root, encoding="unicode", method="html"))


def _parsed(figure: Figure, name: str) -> ElementTree.Element:
    """Matplotlib's SVG without namespaces, white space, and the style sheet (see style.css)."""
    file = io.StringIO()
    with style.in_style(), rc_context({"svg.hashsalt": name}):
        figure.savefig(file, format="svg", metadata=NO_METADATA, transparent=True)
    text = NAMESPACE.sub("", file.getvalue())
    root = ElementTree.fromstring(re.sub(r">\s+<", "><", text))
    root.remove(root[0])
    return root


def _simplify(element: ElementTree.Element) -> None:
    """Shorter attributes, the page's font and colors, and a class in the place of our names."""
    for key, value in list(element.attrib.items()):
        if key == "id":
            del element.attrib[key]
            if REFERRED.fullmatch(value):
                element.set("id", value)
            elif ours := OURS.fullmatch(value):
                element.set("class", f"series {ours[1]} method-{ours[2]}")
        elif key == "transform" and NOTHING.match(value):
            del element.attrib[key]
        elif key == "style":
            element.set(key, COLOUR.sub(_variable, FONT_FAMILY.sub("", value)).replace(": ", ":"))
        elif key in ("d", "x", "y", "transform"):
            element.set(key, re.sub(r"\s+", " ", NUMBER.sub(_rounded, value)).strip())


def _variable(colour: re.Match[str]) -> str:
    return f"var({palette.variable(colour[0])})"


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.1f}".removesuffix(".0")


def _unwrap(element: ElementTree.Element) -> None:
    """Put the content of groups that say nothing in their place."""
    for child in list(element):
        _unwrap(child)
    flat: list[ElementTree.Element] = []
    for child in element:
        flat += list(child) if child.tag == "g" and not child.attrib else [child]
    element[:] = flat
