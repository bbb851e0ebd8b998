"""The style of all figures: fonts, colors and axes, and how a figure is saved.

Figures are made without pyplot, which keeps global state and doubles the time of the import.
"""

import functools
import textwrap
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec

import numpy as np
import pandas as pd
from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from petite.plots import fonts
from petite.util.files import atomic_path
from petite.util.formatting import percent
from petite.util.names import isolated, printable, shortened, told_apart

P = ParamSpec("P")

PNG_DPI = 200
WIDTH = 7.0  # inches: a text column of A4 or Letter
SMALL = (3.0, 2.0)  # inches
EDGE = 0.012  # of the width, left of titles and notes
NOTE_LETTERS = 16.5  # letters of a note per inch
NOTE_LINE = 0.135  # inches

INK = "#222222"
QUIET = "#6b6b6b"  # secondary text: 5.3:1 on white
FAINT = "#d0d0d0"  # points for context
GRID = "#e6e6e6"
TOLERATED = "#e3f1ea"  # within the tolerance of the full set

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    # Text stays text in the SVG, so the list must name fonts of other machines.
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "text.color": INK,
    "text.parse_math": False,  # a $ in the name of a file is a $
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "petite",
}

# Okabe and Ito's palette, which readers with any common color blindness can distinguish. A method
# has the same color in all figures; methods with the same color have different markers.
OKABE_ITO = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B8860B", "#3A9BD9"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]
METHOD_COLORS = {
    "full": INK,
    "random": "#7a7a7a",
    "pca_grid": OKABE_ITO[0],
    "augmentation": OKABE_ITO[1],
}
METHOD_MARKERS = {"full": "*", "random": "o", "pca_grid": "s", "augmentation": "^"}

# Petroff's ten colors (2021), optimized for color-vision deficiency; for classes and clusters.
CATEGORY_COLORS = [
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#94a4a2",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
]


def method_color(method: str) -> str:
    """The color of a method, which is the same in every figure of every data set."""
    return METHOD_COLORS.get(method) or OKABE_ITO[_stable(method) % len(OKABE_ITO)]


def method_marker(method: str) -> str:
    """The marker of a method, which is the same in every figure of every data set."""
    return METHOD_MARKERS.get(method) or MARKERS[_stable(method) // len(OKABE_ITO) % len(MARKERS)]


def _stable(name: str) -> int:
    return zlib.crc32(name.encode("utf-8"))


def category_color(position: int) -> str:
    """The color of the class or cluster with this number; repeats after ten."""
    return CATEGORY_COLORS[position % len(CATEGORY_COLORS)]


@contextmanager
def in_style() -> Iterator[None]:
    """Use Petite's style on Matplotlib's defaults, and restore the user's settings afterwards."""
    with rc_context():
        rcdefaults()
        rcParams.update(STYLE)
        yield


def category_look(position: int) -> dict[str, Any]:
    """Color and marker of the class with this number: ten colors, each with seven markers."""
    marker = MARKERS[position // len(CATEGORY_COLORS) % len(MARKERS)]
    return {"color": category_color(position), "marker": marker}


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Make a function draw in Petite's style, and restore Matplotlib's settings afterwards."""

    @functools.wraps(draw)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with in_style():
            return draw(*args, **kwargs)

    return wrapped


def small_picture() -> tuple[Figure, Axes]:
    """A small figure without words, and its axes, which have the same place in all of them."""
    # Fixed margins, because computing them takes as long as drawing.
    figure = Figure(figsize=SMALL)
    axes = figure.add_subplot()
    figure.subplots_adjust(left=0.12, right=0.97, top=0.96, bottom=0.22)
    axes.tick_params(bottom=False, left=False)
    return figure, axes


def save(figure: Figure, png: Path, svg: Path) -> None:
    """Write the figure as PNG (200 dpi) and SVG; the same figure gives the same bytes."""
    with in_style():
        fonts.use_installed_fonts(figure)
        figure.set_dpi(PNG_DPI)  # text sizes depend on it slightly
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # the layout is done; do not repeat it for each file
        with atomic_path(png) as temporary:
            figure.savefig(temporary, dpi=PNG_DPI)
        with atomic_path(svg) as temporary:
            # The resolution applies to the parts that are pixels.
            figure.savefig(temporary, dpi=PNG_DPI, metadata={"Date": None})


def title(figure: Figure, text: str, note: str = "") -> None:
    """Add a bold title at the top left and, below the figure, a note on how to read it.

    The figure grows by the height of the note.
    """
    figure.suptitle(text, x=EDGE, ha="left", fontsize=11, fontweight="bold")
    if not note:
        return
    lines = textwrap.wrap(note, int(NOTE_LETTERS * figure.get_figwidth()))
    room = NOTE_LINE * len(lines) + 0.08
    height = figure.get_figheight() + room
    figure.set_figheight(height)
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(0, room / height, 1, 1 - room / height))
    figure.text(
        EDGE,
        (room - 0.02) / height,
        "\n".join(lines),
        ha="left",
        va="top",
        fontsize=7.5,
        color=QUIET,
    )


def condition(method: str, fraction: float) -> str:
    """The name of a method at a fraction: "random 10%"; "full" has no fraction."""
    return method if method == "full" and fraction == 1 else f"{method} {percent(fraction)}"


def readable(name: str, length: int) -> str:
    """A name in at most `length` letters; code points replace letters without a font."""
    return isolated(shortened(fonts.with_code_points(printable(name)), length))


def class_labels(names: Mapping[int, str], length: int) -> dict[int, str]:
    """The name of each class in a figure, by its number; all names differ."""
    return told_apart(names, length, readable)


def largest_and_smallest(sizes: Sequence[int], most: int) -> list[int]:
    """Positions of all `sizes`, or if more than `most`, of the largest and then the smallest."""
    if len(sizes) <= most:
        return list(range(len(sizes)))
    order = np.argsort(-np.asarray(sizes), kind="stable").tolist()
    return [*order[: (most + 1) // 2], *order[len(order) - most // 2 :]]


def classes_shown(rows: pd.DataFrame, most: int) -> tuple[dict[int, pd.DataFrame], int]:
    """The rows of the classes that are shown, by label, and how many classes there are."""
    every = list(rows.groupby("label"))
    shown = largest_and_smallest([len(members) for _, members in every], most)
    return {int(str(every[place][0])): every[place][1] for place in shown}, len(every)


def left_out(shown: int, count: int, what: str) -> str:
    """A note on what `largest_and_smallest` has chosen; "" if all are shown."""
    if shown == count:
        return ""
    return (
        f"The {(shown + 1) // 2} largest and the {shown // 2} smallest of {count:,} {what} are "
        f"shown; {count - shown:,} are left out. "
    )


def show_image(axes: Axes, image: np.ndarray) -> None:
    """Draw an image, uint8 (height, width, 1 or 3), without axes."""
    axes.set_axis_off()
    if image.shape[-1] == 1:
        axes.imshow(image[..., 0], cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    else:
        axes.imshow(image, interpolation="nearest")


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """Move `positions` as little as possible so that they are at least `gap` apart.

    The order stays. Each block of labels that would overlap is centered on its mean position.
    """
    order = np.argsort(positions, kind="stable")
    blocks: list[list[float]] = []  # [sum of positions, count]
    for index in order:
        blocks.append([float(positions[index]), 1])
        # Merge while the block below reaches into this one.
        while len(blocks) > 1 and _top(blocks[-2], gap) + gap > _bottom(blocks[-1], gap):
            total, count = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += count
    placed = [0.0] * len(positions)
    places = (_bottom(block, gap) + gap * step for block in blocks for step in range(int(block[1])))
    for index, place in zip(order, places, strict=True):
        placed[index] = place
    return placed


def _bottom(block: list[float], gap: float) -> float:
    total, count = block
    return total / count - gap * (count - 1) / 2


def _top(block: list[float], gap: float) -> float:
    total, count = block
    return total / count + gap * (count - 1) / 2
