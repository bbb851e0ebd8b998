"""Where images come from: one module a kind of source, one registry, and the listing of a source.

A new source is a new module with a subclass of `Source` and a line in `SOURCES`.
"""

import difflib
import logging
import math
import re
from fractions import Fraction
from itertools import islice
from pathlib import Path

import pandas as pd

from petite.errors import PetiteError
from petite.notices import Notices
from petite.sources.archive import ArchiveSource
from petite.sources.base import (
    USUAL_LIMITS,
    Entry,
    ImageData,
    Limits,
    Source,
    UnreadableEntry,
)
from petite.sources.digits import DigitsSource
from petite.sources.folder import FolderSource
from petite.sources.lsun import LsunSource
from petite.sources.silhouettes import SilhouettesSource

__all__ = [
    "SOURCES",
    "USUAL_LIMITS",
    "Entry",
    "ImageData",
    "Limits",
    "Source",
    "UnreadableEntry",
    "listing",
    "natural_order",
    "open_source",
]

logger = logging.getLogger(__name__)

SOURCES: dict[str, type[Source]] = {
    "archive": ArchiveSource,
    "digits": DigitsSource,
    "folder": FolderSource,
    "lsun": LsunSource,
    "silhouettes": SilhouettesSource,
}

LISTED_AT_ONCE = 65_536

# Folders named so hold a split of the images, each with class folders of its own.
SPLIT_NAMES = {"train", "training", "test", "testing", "val", "valid", "validation"}


def open_source(name: str, path: Path | None, limits: Limits = USUAL_LIMITS) -> Source:
    """Open the source `name` at `path` (None for a source that comes with a library).

    Raises PetiteError for an unknown name, a missing or unwanted path, and a path that does not
    hold what the source reads.
    """
    if name not in SOURCES:
        raise PetiteError(f"there is no source {name!r}{_nearest(name, list(SOURCES))}")
    kind = SOURCES[name]
    if kind.path_is is None:
        if path is not None:
            raise PetiteError(f"the source {name} takes no path, but was given {path}")
    elif path is None:
        raise PetiteError(f"the source {name} needs a path: {kind.path_is}")
    elif not path.exists():
        raise PetiteError(f"{path} does not exist: the source {name} needs {kind.path_is}")
    return kind(path, limits)


def listing(
    source: Source,
    classes: list[str] | None,
    limit_per_class: int | None,
    max_bad_share: float,
    notices: Notices | None = None,
) -> pd.DataFrame:
    """List a source's entries: one row each, class by class, in natural order within a class.

    A source with an order of its own (`lists_in_order`) keeps it. No more than LISTED_AT_ONCE
    entries are Python objects at a time, except to put them in order.

    `classes` restricts the listing to these, in this order; else all are taken, sorted. With
    `limit_per_class` L, each class is cut to the first ceil(L / (1 - max_bad_share)) entries: as
    many as leave L images when the share that may be bad is bad (0 <= max_bad_share < 1).

    What a user should know of it is added to `notices`.

    Returns the columns position (int64, from 0), image_id (str), class_name (str), bytes (int64).
    Raises PetiteError when there are no images, fewer than two classes, or no such class.
    """
    by_class = _entries_by_class(source)
    chosen = _choose_classes(list(by_class), classes, source)

    most = None
    if limit_per_class is not None:
        # As a fraction of decimal digits: 7 / (1 - 0.3) is a little over 10 in floating point.
        most = math.ceil(limit_per_class / (1 - Fraction(str(max_bad_share))))
    ordered = (
        by_class[name] if source.lists_in_order else _in_natural_order(by_class[name])
        for name in chosen
    )
    frame = pd.concat([entries[:most] for entries in ordered], ignore_index=True)
    frame.insert(0, "position", pd.RangeIndex(len(frame)).to_numpy(dtype="int64"))
    logger.info("%d entries in %d classes: %s", len(frame), len(chosen), ", ".join(chosen))
    return frame


def _entries_by_class(source: Source) -> dict[str, pd.DataFrame]:
    """The entries of each class, columns as in Entry, in the order in which the source has them."""
    blocks: dict[str, list[pd.DataFrame]] = {}
    entries = iter(source.entries())
    while some := list(islice(entries, LISTED_AT_ONCE)):
        frame = pd.DataFrame(some, columns=list(Entry._fields)).astype({"bytes": "int64"})
        for class_name, block in frame.groupby("class_name"):
            blocks.setdefault(str(class_name), []).append(block)
    return {name: pd.concat(parts, ignore_index=True) for name, parts in blocks.items()}


def _in_natural_order(entries: pd.DataFrame) -> pd.DataFrame:
    keys = [natural_order(image_id) for image_id in entries["image_id"]]
    return entries.iloc[sorted(range(len(keys)), key=keys.__getitem__)]


def natural_order(name: str) -> tuple[list[str | tuple[int, str]], str]:
    """A sort key that puts 2.jpg before 10.jpg; names that differ have keys that differ."""
    parts: list[str | tuple[int, str]] = list(re.split(r"([0-9]+)", name))
    for position in range(1, len(parts), 2):
        digits = str(parts[position]).lstrip("0")
        parts[position] = (len(digits), digits)  # compares as the number does, of any length
    return parts, name


def _choose_classes(present: list[str], wanted: list[str] | None, source: Source) -> list[str]:
    """The classes to list, in order; raises PetiteError where they cannot be what is meant."""
    where = source.path or "the source"
    found = sorted(present)
    if not found:
        raise PetiteError(
            f"no images in {where}: there must be a folder of images for each class, "
            "such as Cat/1.jpg and Dog/1.jpg"
        )
    if wanted is None:
        if {name.lower() for name in found} <= SPLIT_NAMES:
            raise PetiteError(
                f"the folders of {where} ({', '.join(found)}) look like splits, not classes, and "
                "Petite makes its own splits. Give the folder of one of them (unpack an archive "
                "first), or name them in `classes` if they are the classes"
            )
        wanted = found
    unknown = [name for name in wanted if name not in found]
    if unknown:
        hints = "; ".join(f"{name!r}{_nearest(name, found)}" for name in unknown)
        raise PetiteError(f"no such class in {where}: {hints}")
    if len(set(wanted)) < len(wanted):
        raise PetiteError(f"a class is named twice in {wanted}")
    if len(wanted) < 2:
        raise PetiteError(
            f"only one class ({wanted[0] if wanted else 'none'}) is asked for or present in "
            f"{where}, which has {', '.join(found)}: two or more are needed, a folder each"
        )
    return wanted


def _nearest(name: str, known: list[str]) -> str:
    """The end of a message about an unknown name: the nearest known ones, and what there is."""
    lowered = {candidate.lower(): candidate for candidate in known}
    near = [lowered[match] for match in difflib.get_close_matches(name.lower(), lowered)]
    hint = f": did you mean {' or '.join(near)}?" if near else "."
    shown = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
    return f"{hint} There are: {shown}"
