"""Sample images: of each class, files next to their stored images, augmented and excluded ones.

These include figures 11 to 14 of the paper, for any number of classes, in color or gray.
"""

import json
import logging
import math
import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from petite.data.decoding.decode import (
    Preview,
    SetAside,
    decode,
    from_array,
    gray_levels,
    preview,
    preview_of_array,
)
from petite.data.sources import Source, UnreadableEntry
from petite.data.splits import training_images
from petite.data.store import Store
from petite.plots import fonts, style
from petite.subsets.augmentation import render
from petite.util.errors import PetiteError
from petite.util.formatting import counted
from petite.util.names import printable

logger = logging.getLogger(__name__)

ACROSS = 8  # images in a row
MOST_CLASSES = 20  # with a row each
# The figure of augmented images:
AUGMENTED_ACROSS, AUGMENTED_DOWN = 6, 4
MOST_EXCLUDED = 24
THUMBNAIL = 96  # pixels
# The figure of files next to their stored images:
PAIRS_ACROSS = 3
MOST_PAIRS = 12
PREVIEW = 240  # pixels


@style.styled
def samples(store: Store, split: pd.DataFrame) -> Figure:
    """Training images of each class as they are stored, evenly spaced over the index (Fig. 11-14).

    Parameters
    ----------
    store : Store
    split : DataFrame
        The table of the split.
    """
    training = training_images(split)["image_id"]
    usable = store.index[store.index["image_id"].isin(training)]
    shown, count = style.classes_shown(usable, MOST_CLASSES)
    names = style.class_labels(
        {label: str(members["class_name"].iloc[0]) for label, members in shown.items()}, 60
    )
    figure = Figure(figsize=(style.WIDTH, 0.5 + 1.15 * len(shown)), layout="constrained")
    rows = figure.subplots(len(shown), 1, squeeze=False)[:, 0]
    for axes, (label, members) in zip(rows, shown.items(), strict=True):
        chosen = members.iloc[evenly(len(members), ACROSS)]
        style.show_image(axes, strip(store.images(chosen["image_id"]), ACROSS))
        axes.set_title(f"{names[label]}  ({len(members):,} training images)", fontsize=8.5)
    size = store.image_size
    note = f"{size} × {size} pixels, as they are stored. "
    note += style.left_out(len(shown), count, "classes")
    style.title(figure, "Samples of each class", note)
    return figure


@style.styled
def augmented(store: Store, subset: pd.DataFrame) -> Figure:
    """Originals and the new images that augmentation made from them, with their recipes.

    Parameters
    ----------
    store : Store
    subset : DataFrame
        The table of an augmented subset, with image_id, origin, recipe and label.

    Raises
    ------
    PetiteError
        The subset has no augmented images.
    """
    new = subset[subset["recipe"] != ""]
    if new.empty:
        raise PetiteError(
            "this subset has no augmented images. Use one of the method augmentation."
        )
    versions = min(new.groupby("origin").size().max(), AUGMENTED_ACROSS - 1)
    beside = AUGMENTED_ACROSS // (versions + 1)  # originals in a row, each with its new images
    origins = _examples(new, beside * AUGMENTED_DOWN)
    rows = math.ceil(len(origins) / beside)
    figure = Figure(figsize=(style.WIDTH, 0.6 + 1.42 * rows), layout="constrained")
    grid = figure.subplots(rows, beside * (versions + 1), squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    blocks = grid.reshape(rows * beside, versions + 1)
    for block, origin in zip(blocks, origins, strict=False):
        original = store.images([origin])[0]
        style.show_image(block[0], original)
        _caption(block[0], style.readable(origin, 17), bold=True)
        recipes = _different(list(new.loc[new["origin"] == origin, "recipe"]), versions)
        for axes, recipe in zip(block[1:], recipes, strict=False):
            style.show_image(axes, render(original, recipe))
            _caption(axes, recipe_in_words(recipe))
    style.title(
        figure,
        "Originals and their augmented images",
        f"Bold: originals. {counted(len(new), 'new image')} of "
        f"{counted(new['origin'].nunique(), 'original')}, each by one transform, drawn at random.",
    )
    return figure


@style.styled
def stored(store: Store, source: Source | None) -> Figure:
    """The first images of each class, each file next to its stored image.

    Parameters
    ----------
    store : Store
    source : Source or None
        None if it is gone, so that no file can be shown.
    """
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
        left.set_title(style.readable(image_id, 20), fontsize=6.5)
        style.show_image(right, image)
        _frame(right)
        _caption(right, _facts(store.image_size, store.image_size, gray_levels(image)))
    style.title(
        figure,
        "Files and their stored images",
        "Left: the file, with a checkerboard where it is transparent; files of more than 8 bits "
        f"are shown in their own range. Right: as stored, {store.image_size} × {store.image_size} "
        "pixels, enlarged without smoothing. Details that are invisible there cannot be learned.",
    )
    return figure


@style.styled
def set_aside(store: Store, source: Source | None) -> Figure:
    """Some of the excluded files with the reasons; a gray tile if a file does not decode.

    Parameters
    ----------
    store : Store
    source : Source or None
        None if it is gone, so that no file can be shown.
    """
    index = store.index
    files = index[index["status"] == "set_aside"]
    if files.empty:
        figure = Figure(figsize=(style.WIDTH, 0.4))
        style.title(
            figure,
            "No file was excluded",
            f"All {len(index):,} files can be used.",
        )
        return figure
    kinds = files["reason"].map(reason_kind)
    chosen = files.loc[in_turn(kinds, MOST_EXCLUDED)]
    columns = 6
    rows = math.ceil(len(chosen) / columns)
    figure = Figure(figsize=(style.WIDTH, 0.7 + 1.5 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, (_, file) in zip(grid.flat, chosen.iterrows(), strict=False):
        image = thumbnail(source, file["image_id"], store.channels) if source else None
        if image is None:
            _tile(axes)
        else:
            style.show_image(axes, image)
        axes.set_title(style.readable(file["image_id"], 16), fontsize=6.5, loc="center")
        _caption(axes, wrapped(fonts.with_code_points(printable(file["reason"])), 22, 3))
    counts = ", ".join(f"{count:,} {kind}" for kind, count in kinds.value_counts().items())
    style.title(
        figure,
        f"{len(files):,} of {len(index):,} files excluded",
        f"By reason: {counts}."
        + (f" {len(chosen)} are shown." if len(chosen) < len(files) else ""),
    )
    return figure


def evenly(count: int, wanted: int) -> np.ndarray:
    """`wanted` positions (all, if there are fewer) evenly spaced over range(count)."""
    return np.unique(np.linspace(0, count - 1, min(count, wanted)).round().astype(int))


def strip(images: np.ndarray, places: int) -> np.ndarray:
    """Join images side by side, with white between them and in unused places.

    Parameters
    ----------
    images : ndarray of uint8, shape (n_images, height, width, channels)
    places : int
        At least n_images.

    Returns
    -------
    ndarray of uint8, shape (height, places * (width + gap) - gap, channels)
        The gap is a twelfth of the width.
    """
    count, height, width, channels = images.shape
    step = width + max(width // 12, 1)
    joined = np.full((height, places * step, channels), 255, np.uint8)
    for place in range(count):
        joined[:, place * step : place * step + width] = images[place]
    return joined[:, : places * step - (step - width)]


def reason_kind(reason: str) -> str:
    """The part of a reason before its details: "too small" for "too small: 1x1 pixels"."""
    return reason.split(":")[0]


def in_turn(kinds: pd.Series, wanted: int) -> list:
    """Labels of `wanted` rows, one of each kind in turn, so that rare kinds are included."""
    turn = kinds.groupby(kinds).cumcount()
    return list(turn.sort_values(kind="stable").index[:wanted])


def thumbnail(source: Source, image_id: str, channels: int) -> np.ndarray | None:
    """A file's thumbnail, uint8 (THUMBNAIL, THUMBNAIL, channels); None if it does not decode."""
    try:
        data = source.read(image_id)
        if isinstance(data, bytes):
            return decode(data, THUMBNAIL, channels, min_side=1, depth="each").pixels
        return from_array(data, THUMBNAIL, channels).pixels
    except (UnreadableEntry, SetAside):
        return None


def recipe_in_words(recipe: str) -> str:
    """A recipe as a caption: the transform, and on the next line its magnitude."""
    values = json.loads(recipe)
    name = str(values.pop("transform")).replace("_", " ")
    details = ", ".join(
        f"{key.replace('_', ' ')} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in values.items()
    )
    return f"{name}\n{details}"


def wrapped(text: str, width: int, lines: int) -> str:
    """`text` in at most `lines` lines of `width` letters."""
    return "\n".join(textwrap.wrap(text, width, max_lines=lines, placeholder=" …"))


def _transform(recipe: str) -> str:
    return str(json.loads(recipe)["transform"])


def _examples(new: pd.DataFrame, wanted: int) -> list[str]:
    """Origins to show: those with most new images first, all classes and transforms in turn."""
    origins = new.groupby("origin", sort=False).agg(
        label=("label", "first"), recipe=("recipe", "first"), count=("recipe", "size")
    )
    origins = origins.sort_values("count", ascending=False, kind="stable")
    kinds = origins["recipe"].map(_transform) + origins["label"].map(" of class {}".format)
    return in_turn(kinds, wanted)


def _different(recipes: Sequence[str], wanted: int) -> list[str]:
    """`wanted` of the recipes, of different transforms first."""
    return [recipes[place] for place in in_turn(pd.Series(recipes).map(_transform), wanted)]


def _caption(axes: Axes, text: str, bold: bool = False) -> None:
    axes.text(
        0.5,
        -0.05,
        text,
        transform=axes.transAxes,
        ha="center",
        va="top",
        fontsize=6.5,
        fontweight="bold" if bold else "normal",
        color=style.INK,
    )


def _tile(axes: Axes) -> None:
    """A gray square that says so, where there is no picture."""
    style.show_image(axes, np.full((8, 8, 1), 240, np.uint8))
    axes.text(
        0.5,
        0.5,
        "cannot be\nshown",
        transform=axes.transAxes,
        ha="center",
        va="center",
        fontsize=7,
        color=style.QUIET,
    )


def _original(source: Source | None, image_id: str) -> Preview | None:
    """A preview of the file; None if it is gone or does not decode."""
    if source is None:
        return None
    try:
        data = source.read(image_id)
        if isinstance(data, bytes):
            return preview(data, PREVIEW)
        return preview_of_array(data, PREVIEW)
    except (UnreadableEntry, SetAside):
        return None


def _show_file(axes: Axes, original: Preview | None) -> None:
    if original is None:
        _tile(axes)
        return
    style.show_image(axes, original.pixels)
    _frame(axes)
    _caption(axes, _facts(original.width, original.height, original.levels))


def _frame(axes: Axes) -> None:
    """A thin line around an image, which may be as white as the page."""
    axes.add_patch(
        Rectangle((0, 0), 1, 1, transform=axes.transAxes, fill=False, color=style.FAINT, lw=0.6)
    )


def _facts(width: int, height: int, levels: int) -> str:
    return f"{width} × {height} pixels\n{counted(levels, 'gray level')}"
