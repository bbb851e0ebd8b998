"""Check that the stored images still show what the files showed, and add notices if not."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from petite.data.decoding.formats import OTHER_FORMAT
from petite.util.notices import Notices

# Columns of the tables of `petite.data.ingest.ingest_shard` that are checked.
COLUMNS = [
    "width", "height", "black", "white", "lowest", "highest", "is_gray", "is_transparent",
    "has_more",
]  # fmt: skip
LOSS = 0.1  # a loss is reported from this fraction of the images on
MOST = 0.5  # fraction of the images that is "most"
FLAT = 16  # of 256 levels: an image with fewer from darkest to brightest shows almost nothing
NARROW = 32  # of 256 levels, although counts of more than 8 bits could have filled all
LONG = 3  # times as long as wide: distorted too much as a square
LOOK = "The figure `stored` of a finished run shows original files next to the stored images."


def check_stored(
    entries: pd.DataFrame,
    *,
    image_size: int,
    channels: int,
    depth: str | Sequence[float],
    notices: Notices,
) -> None:
    """Add a notice for each way in which stored images lose what their files showed.

    Parameters
    ----------
    entries : DataFrame
        The tables of all shards, with COLUMNS and reason.
    image_size, channels : int
        Those of the stored images.
    depth : str or sequence of two float
        The setting, see `petite.data.decoding.depth`.
    notices : Notices
        Notices are added to it.
    """
    if text := _left_out(entries["reason"]):
        notices.add(text)
    read = entries.loc[entries["reason"] == "", COLUMNS]
    if read.empty:
        return
    for text in (
        *_flat(read, depth),
        _stretched(read, depth),
        _squeezed(read),
        _enlarged(read, image_size),
        _gray_in_color(read, channels),
        _pages(read),
    ):
        if text:
            notices.add(text)


def check_duplicates(index: pd.DataFrame, notices: Notices) -> None:
    """Add a notice if most images in use are duplicates of each other."""
    used = index.loc[index["status"] == "ok", "copy_group"]
    largest = used.value_counts().max()
    if largest > MOST * len(used):
        notices.add(
            f"{_of(largest, len(used))} in use are duplicates or near duplicates of each other. "
            "Look at them: they may show almost nothing as stored, or be frames of one video. "
            f"{LOOK}"
        )


def _left_out(reasons: pd.Series) -> str:
    """The notice about files in unsupported formats; "" without any."""
    counts = reasons[reasons.str.startswith(OTHER_FORMAT)].value_counts()
    if counts.empty:
        return ""
    kinds = (
        f"{count:,} {str(reason).removeprefix(OTHER_FORMAT + ': ')}"
        for reason, count in counts.items()
    )
    return (
        f"{counts.sum():,} of {len(reasons):,} files excluded, because their formats are not "
        f"supported. {'. '.join(kinds)}."
    )


def _flat(read: pd.DataFrame, depth: str | Sequence[float]) -> list[str]:
    """The notices about images that are stored nearly flat, one for each reason."""
    levels = read["highest"].astype(np.int64) - read["lowest"] + 1
    is_flat = levels < FLAT
    is_blank = is_flat & read["is_transparent"] & (read["lowest"] > 255 - FLAT)
    is_deep = read["white"].notna()
    has_fixed_range = depth not in ("stretch", "each")
    is_lost = is_deep & (levels < NARROW) & has_fixed_range
    is_black = is_flat & (read["highest"] < FLAT) & ~is_lost
    is_other = is_flat & ~is_blank & ~is_lost & ~is_black
    return [
        f"{_of(count, len(read))} {text} {LOOK}"
        for count, text in (
            (
                is_blank.sum(),
                "become blank: they are transparent, and their visible parts are white, or all of "
                "them is transparent. Put a color other than white behind them before the run.",
            ),
            (
                is_lost.sum(),
                f"have more than 8 bits per channel, but `dataset.depth: {_written(depth)}` stores "
                f"them in fewer than {NARROW} of 256 levels. Set `dataset.depth: stretch` to use "
                "the range of the data set.",
            ),
            (
                is_black.sum(),
                f"are stored nearly black: no pixel is above level {FLAT - 1} of 255. If they "
                "contain labels or few counts, stretch their values before the run.",
            ),
            (
                is_other.sum(),
                f"are stored nearly flat: their pixels span fewer than {FLAT} of 256 levels. "
                "Increase their contrast before the run if they show anything.",
            ),
        )
        if count >= LOSS * len(read)
    ]


def _stretched(read: pd.DataFrame, depth: str | Sequence[float]) -> str:
    """The notice about the range of counts if it comes from the data set; else ""."""
    deep = read[read["white"].notna()]
    if depth != "stretch" or deep.empty:
        return ""
    # The same for all, unless none was in the sample: then each has its own range.
    black, white = deep[["black", "white"]].median()
    rest = len(read) - len(deep)
    return (
        f"{_of(len(deep), len(read))} have more than 8 bits per channel. Their counts from "
        f"{_number(black)} to {_number(white)}, the range of a sample of the data set, become "
        "black to white. "
        + (f"The other {rest:,} have 8 bits and do not change. " if rest else "")
        + f"Set `dataset.depth: {_written((black, white))}` to keep this range when images are "
        "added."
    )


def _squeezed(read: pd.DataFrame) -> str:
    """The notice about images that are much longer than wide; else ""."""
    sides = read[["width", "height"]]
    is_long = sides.max(axis=1) > LONG * sides.min(axis=1)
    if is_long.sum() < LOSS * len(read):
        return ""
    example = sides[is_long].iloc[0]
    return (
        f"{_of(is_long.sum(), len(read))} are more than {LONG} times as long as wide, such as "
        f"{example['width']}x{example['height']} pixels, and are distorted to a square. Crop or "
        f"pad them before the run if their shape matters. {LOOK}"
    )


def _enlarged(read: pd.DataFrame, image_size: int) -> str:
    """The notice about images that are smaller than the stored size, if most are; else ""."""
    longest = read[["width", "height"]].max(axis=1)
    is_small = longest < image_size
    if is_small.sum() <= MOST * len(read):
        return ""
    fitting = max(8, int(longest[is_small].median()))
    return (
        f"{_of(is_small.sum(), len(read))} are smaller than {image_size}x{image_size} pixels and "
        f"are enlarged, which adds no detail. `dataset.image_size: {fitting}` trains faster."
    )


def _gray_in_color(read: pd.DataFrame, channels: int) -> str:
    """The notice if no image has a color; else ""."""
    if channels == 1 or not read["is_gray"].all():
        return ""
    return (
        f"None of the {len(read):,} images has a color, and each is stored in three channels. "
        "`dataset.color: gray` takes a third of the space."
    )


def _pages(read: pd.DataFrame) -> str:
    """The notice about files with several images or more bands, if there are many; else ""."""
    count = read["has_more"].sum()
    if count < LOSS * len(read):
        return ""
    return (
        f"{_of(count, len(read))} contain further pages, frames or bands: the first image of each "
        "is used, as gray or RGB. Save the others as separate files to use them."
    )


def _of(count: float, total: int) -> str:
    return f"{count:,.0f} of {total:,} images"


def _written(depth: str | Sequence[float]) -> str:
    """The setting as in a configuration file."""
    return depth if isinstance(depth, str) else f"[{', '.join(map(_number, depth))}]"


def _number(value: float) -> str:
    return f"{value:.10g}"
