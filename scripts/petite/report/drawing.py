"""Figures as SVG elements of the page, in its colors and font, and with words at the pointer.

The page has no drawings of its own: it shows those of petite.plots. What these name (as gid,
PART-METHOD) gets classes to be hidden by. Colors become CSS variables, which follow the reader's
light or dark.
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
# What only a file needs: namespaces, the style sheet (see style.css) and the font, white space,
# transforms that do nothing, and more than a digit after the point.
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

    name: which no other drawing of the page has. label: what it says, for those who cannot see it.
    classes: CSS classes. words: what is shown at the pointer, for each shape of the part with this
    name in the figure.
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
