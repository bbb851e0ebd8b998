"""Where images come from: one module a kind of source, one registry, and the listing of a source.

A new source is a new module of this package, with a subclass of `Source` that has a name.
"""

import difflib
import logging
import math
import sys
from fractions import Fraction
from itertools import islice
from pathlib import Path

import pandas as pd

from petite.data.annotations import annotated
from petite.data.labels import LabelColumns
from petite.data.sources.base import (
    AUTOMATIC,
    USUAL_LIMITS,
    Columns,
    Entry,
    ImageData,
    Limits,
    Source,
    UnreadableEntry,
)
from petite.data.sources.class_signs import (
    MERGE,
    check_layout,
    check_names,
    flat_hint,
)
from petite.data.sources.layout import natural_order, nfc
from petite.data.sources.layout_notices import note_layout, note_unlabeled
from petite.data.sources.wording import empty_folders, shown
from petite.util.discovery import modules_in
from petite.util.errors import PetiteError
from petite.util.notices import Notices

__all__ = [
    "ALL_SOURCES",
    "AUTOMATIC",
    "SOURCES",
    "USUAL_LIMITS",
    "Columns",
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

ALL_SOURCES: dict[str, type[Source]] = {
    source.name: source
    for module in modules_in(sys.modules[__name__])
    for source in vars(module).values()
    if isinstance(source, type) and issubclass(source, Source) and "name" in vars(source)
}
# Those with labels, of which a data set can be made.
SOURCES = {name: source for name, source in ALL_SOURCES.items() if source.has_classes}

LISTED_AT_ONCE = 65_536


def open_source(
    name: str,
    path: Path | None,
    limits: Limits = USUAL_LIMITS,
    columns: Columns = AUTOMATIC,
    labels: LabelColumns | None = None,
) -> Source:
    """Open the source `name` at `path` (None for a source that comes with a library).

    `columns` matters only to sources that take columns. `labels` names a table of labels, which
    then takes the place of class folders.

    Raises PetiteError for an unknown name, a missing or unwanted path, and a path that does not
    hold what the source reads, and for a table of labels that the source does not take.
    """
    if name not in ALL_SOURCES:
        raise PetiteError(f"there is no source {name!r}{_nearest(name, list(SOURCES))}")
    kind = ALL_SOURCES[name]
    if kind.path_is is None:
        if path is not None:
            raise PetiteError(f"the source {name} takes no path, but was given {path}")
    elif path is None:
        raise PetiteError(f"the source {name} needs a path: {kind.path_is}")
    elif not path.exists() and not kind.has_pattern:
        raise PetiteError(f"{path} does not exist: the source {name} needs {kind.path_is}")
    else:
        kind.check_path(path)
    if labels is None:
        return kind.opened(path, limits, columns)
    if not kind.takes_labels:
        raise PetiteError(f"labels: the source '{name}' takes no table of labels: set it to null")
    return kind(path, limits, labels)


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

    `classes` restricts the listing to these, in this order; else all are taken, in natural order,
    unless the folders look like something other than classes. Names are compared, and listed, in
    Unicode's normal form C. With
    `limit_per_class` L, each class is cut to the first ceil(L / (1 - max_bad_share)) entries: as
    many as leave L images when the share that may be bad is bad (0 <= max_bad_share < 1). Each part
    of a given split keeps its share of the class, and at least one image.

    A source without labels has one class, so `classes` does not matter.

    What a user should know of it is added to `notices`.

    Returns the columns position (int64, from 0), image_id (str), class_name (str), bytes (int64),
    and the annotations that the source has.
    Raises PetiteError when there are no images, fewer than two classes, or no such class, and
    where the folders do not look like classes.
    """
    if source.labeled:
        source.labeled.check(max_bad_share)
    entries_of = _entries_by_class(source)
    source.check_labels(max_bad_share, notices)
    if source.has_classes:
        chosen = _choose_classes(list(entries_of), classes, source)
    elif not (chosen := list(entries_of)):
        raise PetiteError(f"no images in {source.path}")
    if notices is not None:
        if source.layout and source.has_classes:
            note_layout(source.layout, chosen, classes is not None, notices)
        elif source.layout:
            note_unlabeled(source.layout, notices)
        if source.labeled:
            source.labeled.note(chosen, notices)

    most = None
    if limit_per_class is not None:
        # As a fraction of decimal digits: 7 / (1 - 0.3) is a little over 10 in floating point.
        most = math.ceil(limit_per_class / (1 - Fraction(str(max_bad_share))))
    ordered = (
        entries_of[name] if source.lists_in_order else _in_natural_order(entries_of[name])
        for name in chosen
    )
    frame = annotated(pd.concat(ordered, ignore_index=True), source.annotations())
    if most is not None:
        by_class = frame.groupby("class_name", sort=False)
        frame = pd.concat([_limited(entries, most) for _, entries in by_class], ignore_index=True)
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


def _limited(entries: pd.DataFrame, most: int) -> pd.DataFrame:
    """The first entries of a class; of a given split, as many of each part as its share."""
    if "split" in entries:
        of_part = entries.groupby("split", sort=False)["image_id"]
        # The first image of each part comes first, so that no part is left without the class.
        place = of_part.cumcount() / of_part.transform("size")
        entries = entries.iloc[place.argsort(kind="stable")]
    return entries[:most]


def _choose_classes(present: list[str], wanted: list[str] | None, source: Source) -> list[str]:
    """The classes to list, in order; raises PetiteError where they cannot be what is meant."""
    where, layout = source.path or "the source", source.layout
    inside = "folder" if source.path and source.path.is_dir() else "archive"
    found = sorted(present, key=natural_order)
    if not found:
        raise PetiteError(
            f"no images in {where}: there must be a folder of images for each class, "
            f"such as Cat/1.jpg and Dog/1.jpg{flat_hint(layout, found, inside) if layout else ''}"
        )
    chosen = found if wanted is None else list(map(nfc, wanted))
    _check_known(chosen, found, source)
    if len(set(chosen)) < len(chosen):
        raise PetiteError(f"a class is named twice in {chosen}")
    if layout:
        check_layout(layout, chosen, named=wanted is not None)
    elif wanted is None and not source.labeled and not source.takes_columns:
        check_names(chosen, where)
    if len(chosen) < 2:
        raise PetiteError(
            f"only one class ({chosen[0] if chosen else 'none'}) "
            + (f"is in {where}" if wanted is None else f"is named, and there are {shown(found)}")
            + ": two or more are needed"
            + (", a folder of images each" if _has_folders(source) else "")
            + (flat_hint(layout, found, inside) if layout and wanted is None else "")
        )
    return chosen


def _has_folders(source: Source) -> bool:
    """Whether each class has a folder."""
    return not source.labeled and bool(source.layout or not source.takes_columns)


def _check_known(wanted: list[str], found: list[str], source: Source) -> None:
    """Raise PetiteError for all classes that are not there."""
    where, layout = source.path or "the source", source.layout
    unknown = [name for name in wanted if name not in found]
    if unknown and layout and all(name in layout.parts for name in unknown):
        raise PetiteError(
            f"no such class in {where}: {shown(unknown)} are the folders of a given split, whose "
            f"classes are {shown(found)}. To use all images without the split, write "
            "split: {given: ignore}"
        )
    inside = {name: layout.holding(name) for name in unknown} if layout else {}
    if unknown and all(inside.get(name) for name in unknown):
        folders = sorted({folder for name in unknown for folder in inside[name]})
        raise PetiteError(
            f"no such class in {where}: {shown(unknown)} are folders within {shown(folders)}, "
            f"which count as the classes. {MERGE}"
        )
    if unknown:
        hints = [
            f"no images are in {empty_folders(layout, [name])}"
            if layout and name in layout.empty
            else f"{name!r}{_nearest(name, found)}"
            for name in unknown
        ]
        raise PetiteError(f"no such class in {where}: {'; '.join(hints)}")


def _nearest(name: str, known: list[str]) -> str:
    """The end of a message about an unknown name: the nearest known ones, and what there is."""
    lowered = {candidate.lower(): candidate for candidate in known}
    near = [lowered[match] for match in difflib.get_close_matches(name.lower(), lowered)]
    hint = f": did you mean {' or '.join(near)}?" if near else "."
    shown = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
    return f"{hint} There are: {shown}"
