"""Figures as SVG elements of the report, in its colors and font, with tooltips.

The report shows the figures of petite.plots. Their parts with a gid PART-METHOD get CSS classes, so
that a method can be hidden. Colors become CSS variables, which follow the light or dark theme.
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
NO_WORDS: Words = MappingProxyType({})
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
COLOR = re.compile("(?<=: )#[0-9a-f]{6}")
# What only an SVG file needs: namespaces, the style sheet (see style.css), the font, white space,
# transforms that do nothing, and more than one decimal.
SUPERFLUOUS = {
    r' xmlns(:xlink)?="[^"]*"|(?<= )xlink:': "",
    r"(?s)<style.*?</style>": "",
    r"font-family: [^;\"]*;? ?": "",
    r">\s+<": "><",
    r"\s*\n\s*": " ",
    r' transform="rotate\(-?0 [^"]*"': "",
    r"(\.\d)\d{4,}": r"\1",
}


def embedded(
    figure: Figure, name: str, label: str, classes: str = "", words: Words = NO_WORDS
) -> Markup:
    """The figure as an <svg> element.

    Parameters
    ----------
    figure : Figure
    name : str
        A name that no other drawing of the report has.
    label : str
        The content of the figure, for screen readers.
    classes : str
        CSS classes.
    words : mapping of str to sequence of str
        By gid of a part of the figure, a tooltip for each of its shapes.
    """
    file = io.StringIO()
    with style.in_style(), rc_context({"svg.hashsalt": name}):
        figure.savefig(file, format="svg", metadata=NO_METADATA, transparent=True)
    text = COLOR.sub(lambda color: f"var({palette.variable(color[0])})", file.getvalue())
    for pattern, replacement in SUPERFLUOUS.items():
        text = re.sub(pattern, replacement, text)
    root = ElementTree.fromstring(text)
    symbols = {symbol for defs in root.iter("defs") for symbol in defs}
    for group in root.iter("g"):
        gid = group.attrib.pop("id", "")
        part, _, method = gid.partition("-")
        if method:
            group.set("class", f"series {part} method-{method}")
        if gid in words:
            shapes = [each for each in group.iter() if each.tag in ("use", "path")]
            shapes = [shape for shape in shapes if shape not in symbols]
            for shape, said in zip(shapes, words[gid], strict=True):
                ElementTree.SubElement(shape, "title").text = said
    root.attrib = {
        "class": f"plot {classes}".strip(),
        "viewBox": root.attrib["viewBox"],
        "role": "img",
        "aria-label": label,
    }
    return Markup(ElementTree.tostring(root, encoding="unicode", method="html"))


def in_both_themes(svg: str) -> str:
    """The text of a figure's SVG file, in the colors of the browser's theme: light or dark."""
    colors = sorted(set(COLOR.findall(svg)))
    values = [
        "".join(f"{palette.variable(color)}: {of(color)}; " for color in colors)
        for of in (str, palette.on_dark)
    ]
    rules = (
        f":root {{ {values[0]}}} @media (prefers-color-scheme: dark) {{ :root {{ {values[1]}}} }}"
    )
    text = COLOR.sub(lambda color: f"var({palette.variable(color[0])})", svg)
    return re.sub(r"<svg[^>]*>", lambda tag: f"{tag[0]}<style>{rules}</style>", text, count=1)
