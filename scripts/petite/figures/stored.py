"""Files beside what is stored of them, to see at a glance what the models cannot see."""

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from petite.figures import style
from petite.figures.samples import caption, in_turn, tile
from petite.images import Preview, SetAside, gray_levels, preview, preview_of_array
from petite.sources import Source, UnreadableEntry
from petite.store import Store

PAIRS_ACROSS = 3
MOST_PAIRS = 12
PREVIEW = 240  # pixels


@style.styled
def stored(store: Store, source: Source) -> Figure:
    """The first images of each class, each file beside what is stored of it."""
    used = store.index[store.index["status"] == "ok"]
    chosen = used.loc[sorted(in_turn(used["class_name"], MOST_PAIRS))]
    rows = math.ceil(len(chosen) / PAIRS_ACROSS)
    figure = Figure(figsize=(style.WIDTH, 0.8 + 1.5 * rows), layout="constrained")
    grid = figure.subplots(rows, 2 * PAIRS_ACROSS, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    pairs = grid.reshape(rows * PAIRS_ACROSS, 2)
    images = store.images(chosen["image_id"])
    for (left, right), image_id, image in zip(pairs, chosen["image_id"], images, strict=False):
        _show_file(left, _original(source, image_id))
        left.set_title(style.shortened(image_id, 20), fontsize=6.5)
        style.show_image(right, image)
        _frame(right)
        caption(right, _facts(store.image_size, store.image_size, gray_levels(image)))
    style.title(
        figure,
        "Files, and what is stored of them",
        "Left: the file, on a checkerboard where it is transparent; more than 8 bits in the file's "
        f"own range. Right: as stored, {store.image_size} × {store.image_size} pixels, enlarged "
        "without smoothing. What cannot be seen there cannot be learned.",
    )
    return figure


def _original(source: Source, image_id: str) -> Preview | None:
    """The file as it looks; None where it is gone, or cannot be shown any more."""
    try:
        data = source.read(image_id)
        if isinstance(data, bytes):
            return preview(data, PREVIEW)
        return preview_of_array(data, PREVIEW)
    except (UnreadableEntry, SetAside):
        return None


def _show_file(axes: Axes, original: Preview | None) -> None:
    if original is None:
        tile(axes, "cannot be\nshown")
        return
    style.show_image(axes, original.pixels)
    _frame(axes)
    caption(axes, _facts(original.width, original.height, original.levels))


def _frame(axes: Axes) -> None:
    """A thin line around an image, which may be as white as the page."""
    axes.add_patch(
        Rectangle((0, 0), 1, 1, transform=axes.transAxes, fill=False, color=style.FAINT, lw=0.6)
    )


def _facts(width: int, height: int, levels: int) -> str:
    return f"{width} × {height} pixels\n{levels:,} gray level{'s' if levels > 1 else ''}"
