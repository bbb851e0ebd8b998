"""Messages about a split: classes that are too small, sizes of groups and of the test set."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from petite.util.formatting import counted, listed

# With fewer test images than this, one is more than a point of accuracy.
FEW_TEST_IMAGES = 100
NAMES_LISTED = 30
GROUPS_LISTED = 3
# The terminal shows the last 15 lines of an error.
LINES = 10


class SmallClass(NamedTuple):
    """A class that cannot be in each part."""

    name: str
    images: int
    groups: int  # distinct images, if groups are duplicates
    largest: list[str]  # names and sizes of groups, largest first; [] if duplicates
    without: list[str]  # the parts without an image of it


def too_small(small: list[SmallClass], classes: int, needed: list[str]) -> str:
    """The error for classes that are too small for all needed parts, of `classes` in all."""
    grouped = any(one.largest for one in small)
    together = "groups stay together" if grouped else "equal images count once"
    alike: dict[str, list[str]] = {}
    for one in small:
        alike.setdefault(_size(one), []).append(one.name)
    lines = [f"  {listed(names, NAMES_LISTED)}: {size}" for size, names in alike.items()]
    if len(lines) > LINES:
        rest = sum(map(len, list(alike.values())[LINES:]))
        lines[LINES:] = [f"  and {counted(rest, 'class', 'classes')} more"]
    return (
        f"{len(small):,} of {counted(classes, 'class', 'classes')} cannot be divided into "
        f"{', '.join(needed[:-1])} and {needed[-1]} ({together}):\n"
        + "\n".join(lines)
        + f"\n{_remedies(small, needed, grouped)}"
    )


def about_groups(
    parts: NDArray[np.str_],
    groups: NDArray[np.integer],
    labels: NDArray[np.integer],
    classes: Mapping[int, str],
    setting: str = "split.groups",
) -> str:
    """How many groups and images each part has, and which classes are tested by one group."""
    said = [
        f"{counted(len(np.unique(groups[here])), 'group')} in {part} "
        f"({counted(int(here.sum()), 'image')}, {here.mean():.0%})"
        for part in ("train", "validation", "test")
        if (here := parts == part).any()
    ]
    in_parts = len(np.unique(np.column_stack([pd.factorize(parts)[0], groups]), axis=0))
    count = len(np.unique(groups))
    text = (
        f"{setting} makes {counted(count, 'group')} of {counted(len(parts), 'image')}: "
        f"{', '.join(said)}. "
        + ("Some groups are in two parts." if in_parts > count else "No group is in two parts.")
    )
    tested = parts == "test"
    pairs = np.unique(np.column_stack([labels[tested], groups[tested]]), axis=0)[:, 0]
    found, counts = np.unique(pairs, return_counts=True)
    if single := [classes[label] for label in found[counts == 1].tolist()]:
        names = listed(single, NAMES_LISTED)
        text += f" All test images of {names} are of one group, which says little."
    return text


def few_test_images(
    labels: NDArray[np.integer], classes: Mapping[int, str], is_given: bool = False
) -> str | None:
    """How many test images each class has, if there are few in all; else None.

    `labels` are those of the test images, (n,); `is_given` is whether the user chose them.
    """
    found, counts = np.unique(labels, return_counts=True)
    if len(labels) >= FEW_TEST_IMAGES:
        return None
    each = [
        f"{classes[label]} {count}"
        for label, count in zip(found.tolist(), counts.tolist(), strict=True)
    ]
    return (
        f"The test part has only {counted(len(labels), 'image')} "
        f"({listed(each, NAMES_LISTED)}): one image is {100 / len(labels):.1f} points of accuracy. "
        + ("Add test images." if is_given else "Raise split.test, or add images.")
    )


def _size(one: SmallClass) -> str:
    """`12 images, 1 different image; none for train and validation`."""
    said = counted(one.images, "image")
    if one.largest:
        more = ", ..." if len(one.largest) > GROUPS_LISTED else ""
        largest = ", ".join(one.largest[:GROUPS_LISTED])
        said += f" in {counted(one.groups, 'group')} ({largest}{more})"
    elif one.groups < one.images:
        said += f", {counted(one.groups, 'different image')}"
    return f"{said}; none for {' and '.join(one.without)}"


def _remedies(small: list[SmallClass], needed: list[str], grouped: bool) -> str:
    """Remedies for classes that are too small."""
    ways = ["Add images"]
    if grouped:
        ways = ["Add images of other groups", "let split.groups make smaller groups"]
    # The setting counts different images.
    if all((one.images if grouped else one.groups) < len(needed) for one in small):
        ways.append(f"leave such classes out by dataset.min_per_class: {len(needed)}")
    else:
        ways.append("name the other classes in dataset.classes")
    if "validation" in needed:
        helped = sum(one.groups >= len(needed) - 1 for one in small)
        if helped == len(small):
            ways.append("set split.validation: 0")
        elif helped:
            ways.append(f"set split.validation: 0, which is enough for {helped} of them")
    return f"{', '.join(ways[:-1])}{',' if len(ways) > 2 else ''} or {ways[-1]}."
