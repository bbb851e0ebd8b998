"""Groups of images that belong together, such as those of one patient, by the images' names.

A group is told by `split.groups`: the word `subfolder`, or a regular expression with one capture
group. Expressions are matched by RE2, whose time grows with the length of a name and no faster,
whatever the expression.
"""

import re
import warnings
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from petite.data.duplicates import exact_groups
from petite.util.errors import PetiteError
from petite.util.notices import Notices

SUBFOLDER = "subfolder"
# Of the image id, which begins with the class folder.
SUBFOLDER_PATTERN = "^[^/]+/([^/]+)/"
EXAMPLE = r"'/(p\d+)_'"


def problem(groups: str) -> str | None:
    """What is wrong with `split.groups`, or None."""
    if groups == SUBFOLDER:
        return None
    try:
        _matches(pa.array([""]), groups)
        with warnings.catch_warnings(action="ignore"):
            count = re.compile(groups).groups
    except (pa.ArrowInvalid, re.error, OverflowError, RecursionError) as error:
        reason = str(error).removeprefix("Invalid regular expression: ")
        return (
            f"'{groups}' is not a valid pattern ({reason}): it has to be a regular expression, "
            "without look-ahead, look-behind and back references"
        )
    if count == 1:
        return None
    if count == 0:
        return (
            f"'{groups}' has no capture group: put the part of the name that is the same within "
            f"a group in parentheses, such as {EXAMPLE}, or write {SUBFOLDER}"
        )
    return (
        f"'{groups}' has {count} capture groups: keep one, around the part of the name that is "
        "the same within a group, and write the others as (?:...)"
    )


class Named(NamedTuple):
    """Images by the name of their group."""

    numbers: NDArray[np.int64]  # (n,), positions in `names`; -1 for an image without a name
    names: NDArray[np.object_]  # of the groups, each once


class Groups(NamedTuple):
    """Images that no split may divide."""

    numbers: NDArray[np.int64]  # (n,), the same for images of a group
    names: NDArray[np.object_]  # (n,), of the group; an image without one stands for itself


def named_groups(image_ids: Iterable[str], groups: str) -> Named:
    """Find the name of each image's group.

    Parameters
    ----------
    image_ids
        such as `benign/p00_slice3.png`: the class folder and all that is below it.
    groups
        `subfolder`, the folder below the class folder; or a regular expression that is looked
        for in the id, whose only capture group is the name of the group.
    """
    pattern = SUBFOLDER_PATTERN if groups == SUBFOLDER else groups
    ids = pa.array(image_ids, pa.large_string())
    if isinstance(ids, pa.ChunkedArray):  # of a column that Arrow holds
        ids = ids.combine_chunks()
    found = _matches(ids, pattern)
    captured = pc.replace_substring_regex(ids, f"(?s)^.*?(?:{pattern}).*$", r"\1")
    named = pc.and_(found, pc.not_equal(captured, ""))
    encoded = pc.if_else(named, captured, None).dictionary_encode()
    numbers = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return Named(numbers, encoded.dictionary.to_numpy(zero_copy_only=False))


def found_groups(image_ids: pd.Series, groups: str) -> Named:
    """`named_groups`; raises PetiteError where no image has a name."""
    named = named_groups(image_ids, groups)
    if len(named.names):
        return named
    example = image_ids.iloc[0]
    if groups == SUBFOLDER:
        raise PetiteError(
            f"split.groups: {SUBFOLDER}, but no image lies in a subfolder of its class folder (such"
            f" as {example}). Give a pattern of the names, such as {EXAMPLE}, or leave split.groups"
            " out."
        )
    raise PetiteError(
        f"split.groups: '{groups}' is found in no name, such as {example}. Names begin with the "
        f"class folder: in {example.split('/')[0]}/p01_3.png the pattern {EXAMPLE} finds p01."
    )


def grouped(used: pd.DataFrame, groups: str, notices: Notices) -> Groups:
    """Number the groups of images that no split may divide.

    Images are in one group if `groups` gives them the same name, in whichever class, or if they
    are copies (`copy_group`), directly or through others. An image without a name is in a group
    of its own, together with its copies.
    """
    numbers, names = found_groups(used["image_id"], groups)
    without = np.flatnonzero(numbers < 0)
    if len(without):
        notices.add(_some_without(used, groups, without))
        numbers[without] = len(names) + np.arange(len(without))
    elif len(names) == len(numbers):
        notices.add(
            f"split.groups changes nothing: each image is in a group of its own, such as "
            f"'{names[0]}' for {used['image_id'].iloc[0]}."
        )
    ids = used["image_id"].to_numpy(dtype=object)
    each = np.concatenate([names, ids[without]])[numbers]
    # Copies are of one group, whatever their names.
    return Groups(exact_groups(np.column_stack([used["copy_group"].to_numpy(), numbers])), each)


def _matches(ids: pa.Array, pattern: str) -> pa.Array:
    return pc.match_substring_regex(ids, pattern)


def _some_without(used: pd.DataFrame, groups: str, without: NDArray[np.int64]) -> str:
    example = used["image_id"].iloc[without[0]]
    why = "are in no subfolder" if groups == SUBFOLDER else f"do not match '{groups}'"
    return (
        f"split.groups: {len(without)} of {len(used)} images {why}, such as {example}. "
        "Each of them is a group of its own."
    )
