"""Whether the stored images still hold what the files showed; what does not becomes a notice."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from petite.data.decoding.formats import OTHER_FORMAT
from petite.util.notices import Notices

# Columns of the tables of `petite.data.ingest.ingest_shard` that are looked at.
COLUMNS = [
    "width", "height", "black", "white", "lowest", "highest", "is_gray", "is_transparent",
    "has_more",
]  # fmt: skip
LOSS = 0.1  # share of the images from which a loss is told
MOST = 0.5  # share of the images that is "most"
FLAT = 16  # of 256 levels: fewer from darkest to brightest pixel show next to nothing
NARROW = 32  # of 256 levels, where counts of more than 8 bits could have filled all
LONG = 3  # times as long as wide: the square squeezes it out of shape
LOOK = "The figure `stored` of a finished run shows files beside what is stored of them."


def check_stored(
    entries: pd.DataFrame,
    *,
    image_size: int,
    channels: int,
    depth: str | Sequence[float],
    notices: Notices,
) -> None:
    """Add a notice for each way in which stored images lose what their files showed.

    Args:
        entries: the tables of all shards, with COLUMNS and reason.
        image_size, channels: of the stored images.
        depth: the setting, see `petite.data.decoding.depth`.
        notices: where they are added.
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


def check_copies(index: pd.DataFrame, notices: Notices) -> None:
    """Add a notice where most images in use are copies of one another."""
    used = index.loc[index["status"] == "ok", "copy_group"]
    largest = used.value_counts().max()
    if largest > MOST * len(used):
        notices.add(
            f"{_of(largest, len(used))} in use are copies or near copies of one another. Look at "
            "them: they may show next to nothing as stored, or be frames of one video. "
            f"{LOOK}"
        )


def _left_out(reasons: pd.Series) -> str:
    """Say so where files are of formats that are not read."""
    counts = reasons[reasons.str.startswith(OTHER_FORMAT)].value_counts()
    if counts.empty:
        return ""
    kinds = (
        f"{count:,} {str(reason).removeprefix(OTHER_FORMAT + ': ')}"
        for reason, count in counts.items()
    )
    return (
        f"{counts.sum():,} of {len(reasons):,} files are left out, because their formats are not "
        f"read. {'. '.join(kinds)}."
    )


def _flat(read: pd.DataFrame, depth: str | Sequence[float]) -> list[str]:
    """What to say of images that are stored nearly flat, by the reason."""
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
                "become blank: they are transparent, and what they show is white, or all of it is "
                "transparent. Lay another color than white under them before the run.",
            ),
            (
                is_lost.sum(),
                f"have more than 8 bits a channel and fill fewer than {NARROW} of 256 levels as "
                f"stored, by `dataset.depth: {_written(depth)}`. Set `dataset.depth: stretch` to "
                "use the range that the set fills.",
            ),
            (
                is_black.sum(),
                f"are stored nearly black: no pixel is above level {FLAT - 1} of 255. If they hold "
                "labels or few counts, stretch their values before the run.",
            ),
            (
                is_other.sum(),
                f"are stored nearly flat: their pixels span fewer than {FLAT} of 256 levels. "
                "Raise their contrast before the run if there is something to see in them.",
            ),
        )
        if count >= LOSS * len(read)
    ]


def _stretched(read: pd.DataFrame, depth: str | Sequence[float]) -> str:
    """Which range of counts became black to white, where the set gave it."""
    deep = read[read["white"].notna()]
    if depth != "stretch" or deep.empty:
        return ""
    # The same for all, unless the sample has none of them: each has its own range then.
    black, white = deep[["black", "white"]].median()
    rest = len(read) - len(deep)
    return (
        f"{_of(len(deep), len(read))} have more than 8 bits a channel. Their counts from "
        f"{_number(black)} to {_number(white)}, the range of a sample of the set, are stored as "
        "black to white. "
        + (f"The other {rest:,} have 8 bits and stay as they are. " if rest else "")
        + f"Set `dataset.depth: {_written((black, white))}` to keep this range when images are "
        "added."
    )


def _squeezed(read: pd.DataFrame) -> str:
    """Say so where images much longer than wide become squares."""
    sides = read[["width", "height"]]
    is_long = sides.max(axis=1) > LONG * sides.min(axis=1)
    if is_long.sum() < LOSS * len(read):
        return ""
    example = sides[is_long].iloc[0]
    return (
        f"{_of(is_long.sum(), len(read))} are more than {LONG} times as long as wide, such as "
        f"{example['width']}x{example['height']} pixels, and are squeezed into a square. Crop or "
        f"pad them before the run if their shape matters. {LOOK}"
    )


def _enlarged(read: pd.DataFrame, image_size: int) -> str:
    """Say so where most images are smaller than they are stored."""
    longest = read[["width", "height"]].max(axis=1)
    is_small = longest < image_size
    if is_small.sum() <= MOST * len(read):
        return ""
    fitting = max(8, int(longest[is_small].median()))
    return (
        f"{_of(is_small.sum(), len(read))} are smaller than {image_size}x{image_size} pixels and "
        f"are enlarged, which adds nothing to see. `dataset.image_size: {fitting}` trains faster."
    )


def _gray_in_color(read: pd.DataFrame, channels: int) -> str:
    """Say so where no image has a color."""
    if channels == 1 or not read["is_gray"].all():
        return ""
    return (
        f"None of the {len(read):,} images has a color, and each is stored in three channels. "
        "`dataset.color: gray` takes a third of the room."
    )


def _pages(read: pd.DataFrame) -> str:
    """Say so where many files hold more than the image that is read."""
    count = read["has_more"].sum()
    if count < LOSS * len(read):
        return ""
    return (
        f"{_of(count, len(read))} hold further pages or frames: the first of each is used. "
        "Save the others as files of their own if they are meant."
    )


def _of(count: float, total: int) -> str:
    return f"{count:,.0f} of {total:,} images"


def _written(depth: str | Sequence[float]) -> str:
    """The setting as it is written in a configuration."""
    return depth if isinstance(depth, str) else f"[{', '.join(map(_number, depth))}]"


def _number(value: float) -> str:
    return f"{value:.10g}"
