"""Group images that belong together: those of one patient by their names, or bursts by their time.

`split.groups` defines the groups: one of the words `subfolder`, `copies` and `capture_time`, or a
regular expression with one capture group. Expressions are matched by RE2, whose time is linear in
the length of a name.
"""

import re
import warnings
from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from petite.data.copies import copies_by_name
from petite.data.duplicates import exact_groups
from petite.util.errors import PetiteError
from petite.util.notices import Notices

SUBFOLDER: Final = "subfolder"
CAPTURE_TIME: Final = "capture_time"
COPIES: Final = "copies"
# Matches the image id, which begins with the class folder.
SUBFOLDER_PATTERN = "^[^/]+/([^/]+)/"
EXAMPLE = r"'/(p\d+)_'"


def problem(groups: str) -> str | None:
    """What is wrong with the setting `split.groups`; None if it is valid."""
    if groups in (SUBFOLDER, COPIES, CAPTURE_TIME):
        return None
    try:
        _matches(pa.array([""]), groups)
        with warnings.catch_warnings(action="ignore"):
            count = re.compile(groups).groups
    except (pa.ArrowInvalid, re.error, OverflowError, RecursionError) as error:
        reason = str(error).removeprefix("Invalid regular expression: ")
        return (
            f"'{groups}' is not a valid pattern ({reason}): it must be a regular expression "
            "without look-ahead, look-behind and back references"
        )
    if count == 1:
        return None
    if count == 0:
        return (
            f"'{groups}' has no capture group: put parentheses around the part of the name that "
            f"is the same within a group, such as {EXAMPLE}, or write {SUBFOLDER} or "
            f"{COPIES}. A column of the table of labels is named in labels.group, and one of "
            "Parquet in dataset.columns.group"
        )
    return (
        f"'{groups}' has {count} capture groups: keep one, around the part of the name that is "
        "the same within a group, and write the others as (?:...)"
    )


class Named(NamedTuple):
    """Images with the names of their groups."""

    numbers: NDArray[np.int64]  # (n,), positions in `names`; -1 for an image without a group name
    names: NDArray[np.object_]  # (g,), of the groups, each once


class Groups(NamedTuple):
    """Groups that no split may divide."""

    numbers: NDArray[np.int64]  # (n,), equal for images of the same group
    names: NDArray[np.object_]  # (n,), of the group; without one, the image id


class About(NamedTuple):
    """Words about where groups come from."""

    setting: str  # such as "split.groups"
    why_none: str  # why an image has no group, such as "are in no subfolder"


ABOUT_COLUMN = About("the column group", "have no group")


def groups_in(column: pd.Series) -> Named:
    """The groups in a column of names; "" stands for none."""
    numbers, names = pd.factorize(column.where(column != ""), use_na_sentinel=True)
    return Named(numbers.astype(np.int64), np.asarray(names, dtype=object))


def named_groups(image_ids: Iterable[str], groups: str) -> Named:
    """Find the name of each image's group.

    Parameters
    ----------
    image_ids : iterable of str
        Such as `benign/p00_slice3.png`: the path that starts with the class folder.
    groups : str
        `subfolder`, for the folder below the class folder; `copies`, see `petite.data.copies`; or a
        regular expression that is searched for in the id and whose only capture group is the name
        of the group.
    """
    ids = pa.array(image_ids, pa.large_string())
    if isinstance(ids, pa.ChunkedArray):  # from a column in Arrow's memory
        ids = ids.combine_chunks()
    if groups == COPIES:
        return groups_in(pd.Series(copies_by_name(ids.to_pylist()).originals))
    pattern = SUBFOLDER_PATTERN if groups == SUBFOLDER else groups
    found = _matches(ids, pattern)
    captured = pc.replace_substring_regex(ids, f"(?s)^.*?(?:{pattern}).*$", r"\1")
    named = pc.and_(found, pc.not_equal(captured, ""))
    encoded = pc.if_else(named, captured, None).dictionary_encode()
    numbers = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return Named(numbers, encoded.dictionary.to_numpy(zero_copy_only=False))


def check_one_kind(images: pd.DataFrame, groups: str | None) -> None:
    """Raise PetiteError if groups are set though the images have groups of their own.

    Parameters
    ----------
    images : DataFrame
        With the annotation group, if there is one.
    groups : str or None
        The setting `split.groups`.
    """
    if groups is None or "group" not in images:
        return
    own = images["group"][images["group"] != ""]
    if len(own):
        raise PetiteError(
            f"split.groups: '{groups}', but the images have groups of their own, such as "
            f"'{own.iloc[0]}'. Remove the setting, or the column group of the table"
        )


def found_groups(image_ids: pd.Series, groups: str) -> Named:
    """Like `named_groups`, but at least one image must have a group name.

    Raises
    ------
    PetiteError
        If no image has one.
    """
    named = named_groups(image_ids, groups)
    if len(named.names):
        return named
    example = image_ids.iloc[0]
    if groups == SUBFOLDER:
        raise PetiteError(
            f"split.groups: '{SUBFOLDER}', but no image is in a subfolder of its class folder (such"
            f" as {example}). Write a pattern of the names, such as {EXAMPLE}, or omit the setting."
        )
    raise PetiteError(
        f"split.groups: '{groups}' does not match any name, such as {example}. Names begin with "
        f"the class folder: in {example.split('/')[0]}/p01_3.png the pattern {EXAMPLE} finds p01."
    )


def bursts(images: pd.DataFrame, seconds: float) -> Named:
    """Group the images that one camera took shortly after each other.

    Parameters
    ----------
    images : DataFrame
        image_id, class_name, captured (in seconds, NaN if unknown) and camera.
    seconds : float
        The longest time from one image of a group to the next one of the same class and camera.

    Returns
    -------
    Named
        A group has the id of its first image as its name.

    Raises
    ------
    PetiteError
        If no image has a time.
    """
    timed = images.reset_index(drop=True)
    timed = timed[timed["captured"].notna()]
    if timed.empty:
        raise PetiteError(
            f"split.groups: '{CAPTURE_TIME}', but no image has a capture time in its EXIF data. "
            f"Write {SUBFOLDER}, a pattern of the names, such as {EXAMPLE}, or omit the setting."
        )
    ordered = timed.sort_values(["class_name", "camera", "captured"], kind="stable")
    by_camera = ordered.groupby(["class_name", "camera"], sort=False)["captured"]
    begins = ~(by_camera.diff() <= seconds).to_numpy()  # the first of a camera has no difference
    numbers = np.full(len(images), -1, np.int64)
    numbers[ordered.index] = np.cumsum(begins) - 1
    return Named(numbers, ordered["image_id"].to_numpy(dtype=object)[begins])


ABOUT_TIME = About(f"split.groups: {CAPTURE_TIME}", "have no capture time in their EXIF data")


def grouped(images: pd.DataFrame, named: Named, about: About, notices: Notices) -> Groups:
    """Number the groups of images that no split may divide.

    Images are in one group if it has the same name, in any class, or if they are duplicates,
    directly or through others. An image without a group name is in a group of its own, together
    with its duplicates.

    Parameters
    ----------
    images : DataFrame
        Rows of the index, with image_id and copy_group.
    named : Named
        The group of each image.
    about : About
        Words for the notices.
    notices : Notices
        Notices for the user are added to it.
    """
    numbers, names = named.numbers.copy(), named.names
    ids = images["image_id"].to_numpy(dtype=object)
    without = np.flatnonzero(numbers < 0)
    if len(without):
        notices.add(
            f"{about.setting}: {len(without)} of {len(images)} images {about.why_none}, such as "
            f"{ids[without[0]]}. Each such image is a group of its own."
        )
        numbers[without] = len(names) + np.arange(len(without))
    elif len(names) == len(numbers):
        notices.add(
            f"{about.setting} changes nothing: each image is in a group of its own, such as "
            f"'{names[numbers[0]]}' for {ids[0]}."
        )
    each = np.concatenate([names, ids[without]])[numbers]
    # Duplicates are in one group even if their names are not.
    return Groups(exact_groups(np.column_stack([images["copy_group"].to_numpy(), numbers])), each)


def about_pattern(groups: str) -> About:
    """Words about the setting `split.groups`."""
    why = "are in no subfolder" if groups == SUBFOLDER else f"do not match '{groups}'"
    return About("split.groups", why)


def _matches(ids: pa.Array, pattern: str) -> pa.Array:
    return pc.match_substring_regex(ids, pattern)
