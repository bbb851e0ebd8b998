"""A split that the source gives: its parts as they are, and images that leak between them.

A leak is an image of which a copy or near copy, or another image of its group, is in another part.
"""

from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from petite.data.groups import Groups
from petite.data.split_names import TEST, TRAIN, VALIDATION
from petite.util.errors import PetiteError
from petite.util.formatting import counted, listed
from petite.util.notices import Notices

AUTO: Final = "auto"
# Shares of all images where the settings are automatic and no split is given.
USUAL_TEST, USUAL_VALIDATION = 0.1, 0.05
USE: Final = "use"
IGNORE: Final = "ignore"
DROP: Final = "drop_from_train"
KEEP: Final = "keep"
ERROR: Final = "error"

PARTS = (TRAIN, VALIDATION, TEST)  # an image that leaks is dropped from the earlier part
PAIRS = [(lower, upper) for upper, lower in combinations(PARTS[::-1], 2)]
LEAK_COLUMNS = ["leak", "kind", "group", "image_id", "class_name", "split", "is_dropped"]
EXAMPLES = 3


class Leaks(NamedTuple):
    """The images that leak between the parts of a split.

    Attributes
    ----------
    table : DataFrame
        LEAK_COLUMNS, a row for each image of a leak: leak (from 1), kind ("copy" or "group"), group
        (its name, or ""), image_id, class_name, split (the given part) and is_dropped.
    dropped : ndarray of bool, shape (n,)
        The images that are dropped, of all.
    """

    table: pd.DataFrame
    dropped: NDArray[np.bool_]


def given_parts(
    images: pd.DataFrame, *, test: float | str, validation: float | str
) -> NDArray[np.str_] | None:
    """The given part of each image, with a test part in any case; None if no split is given.

    Parameters
    ----------
    images : DataFrame
        image_id, and split if the source says something of it.
    test, validation : float or "auto"
        The settings. A number contradicts a part that is given.

    Returns
    -------
    ndarray of str, shape (n,), or None
        Without a given test part, the validation part is the test part.

    Raises
    ------
    PetiteError
        If only some images have a part, a part is unknown, there is no training part, or the
        settings ask for another size of a given part.
    """
    if "split" not in images or images["split"].eq("").all():
        return None
    parts = images["split"].to_numpy(dtype="<U10")
    _check_known(images, parts)
    found = set(np.unique(parts).tolist())
    if found == {TRAIN}:
        return None
    if TRAIN not in found:
        raise PetiteError(
            f"the given split has no training images, only {listed(sorted(found), EXAMPLES)}. Add "
            f"a training part, or draw the split from all images: {_setting(f'given: {IGNORE}')}"
        )
    if TEST not in found:
        parts = np.where(parts == VALIDATION, TEST, parts)
    for name, share in ((TEST, test), (VALIDATION, validation)):
        if share != AUTO and (parts == name).any():
            raise PetiteError(
                f"split.{name}: {share:g}, but the images have a {name} part of "
                f"{counted(int((parts == name).sum()), 'image')}. Remove the setting to use that "
                f"part, or draw the split from all images: {_setting(f'given: {IGNORE}')}"
            )
    return parts


def refuse_repeats() -> NoReturn:
    """Raise PetiteError: a given split has no repeats."""
    raise PetiteError(
        "split.repeats: the images have a given split, and there is no second one: set repeats to "
        f"1, or draw the splits from all images: {_setting(f'given: {IGNORE}')}"
    )


def _check_known(images: pd.DataFrame, parts: NDArray[np.str_]) -> None:
    """Raise PetiteError for images without a part, and for unknown parts."""
    without = images.loc[parts == "", "image_id"]
    if len(without):
        raise PetiteError(
            f"{len(without):,} of {counted(len(images), 'image')} have no part of the given split, "
            f"such as {', '.join(without.head(EXAMPLES))}. Give each of them one "
            f"({', '.join(PARTS)}), or draw the split from all images: "
            f"{_setting(f'given: {IGNORE}')}"
        )
    unknown = ~np.isin(parts, PARTS)
    if unknown.any():
        names = [repr(str(name)) for name in np.unique(parts[unknown])]
        raise PetiteError(
            f"unknown part of the given split: {listed(names, EXAMPLES)}, such as of "
            f"{images['image_id'].iloc[int(np.argmax(unknown))]}. The parts are {', '.join(PARTS)}"
        )


def _setting(text: str) -> str:
    return f"split: {{{text}}}"


def names_of(images: pd.DataFrame) -> pd.Series:
    """The image ids without the folder of a given split: cat/p01_3.png for cat/train/p01_3.png."""
    ids = images["image_id"]
    if "split" not in images:
        return ids
    # Only if the folder below the class is that of the part, for all images.
    folders = ids.str.split("/", n=2).str[1]
    pairs = pd.DataFrame({"folder": folders, "part": images["split"]}).drop_duplicates()
    is_split = pairs["folder"].is_unique and pairs["part"].is_unique and len(pairs) > 1
    return ids.str.replace(r"^([^/]*/)[^/]*/", r"\1", regex=True) if is_split else ids


def find_leaks(
    images: pd.DataFrame,
    parts: NDArray[np.str_],
    groups: Groups | None,
    setting: str,
    notices: Notices,
) -> Leaks:
    """Find the images that leak between the given parts, and say what is done about them.

    Parameters
    ----------
    images : DataFrame
        image_id, class_name and copy_group.
    parts : ndarray of str, shape (n,)
        The given part of each image.
    groups : Groups or None
        Groups of images, which contain whole groups of copies.
    setting : str
        `split.leaks`: drop_from_train (a leaking image stays in the test part, or else in the
        validation part), keep or error.
    notices : Notices
        Notices for the user are added to it.

    Returns
    -------
    Leaks

    Raises
    ------
    PetiteError
        If there are leaks and the setting is error.
    """
    copies = images["copy_group"].to_numpy()
    numbers = copies if groups is None else groups.numbers
    rank = np.array([PARTS.index(part) for part in parts.tolist()])
    by_copy = _straddles(copies, rank)
    leaks = _straddles(numbers, rank)
    highest = pd.Series(rank).groupby(numbers).transform("max").to_numpy()
    is_dropped = leaks & (rank < highest) & (setting == DROP)
    rows = np.flatnonzero(leaks)
    rows = rows[np.lexsort([rows, -rank[rows], numbers[rows]])]
    table = pd.DataFrame(
        {
            "leak": pd.factorize(numbers[rows])[0] + 1,
            "kind": np.where(by_copy[rows], "copy", "group"),
            "group": "" if groups is None else groups.names[rows],
            "image_id": images["image_id"].to_numpy()[rows],
            "class_name": images["class_name"].to_numpy()[rows],
            "split": parts[rows],
            "is_dropped": is_dropped[rows],
        },
        columns=LEAK_COLUMNS,
    )
    if len(rows):
        lines = _by_pair(numbers, parts, by_copy)
        if setting == ERROR:
            raise PetiteError(f"{'; '.join(lines)}, such as {_example(table)} ({_remedy()})")
        done = (
            f"{counted(int(is_dropped.sum()), 'image')} dropped, so that no image that is tested "
            "was trained on (split.leaks)"
            if setting == DROP
            else "they are kept (split.leaks: keep), so the accuracy is too high"
        )
        notices.add(
            f"Leaks in the given split: {'; '.join(lines)}, such as {_example(table)}: {done}"
        )
    return Leaks(table, is_dropped)


def read_leaks(path: Path) -> pd.DataFrame:
    """Read the table of leaks; names that look like numbers stay text."""
    types = dict.fromkeys(LEAK_COLUMNS, "str") | {"leak": "int64", "is_dropped": "bool"}
    return pd.read_csv(path, dtype=types, keep_default_na=False)


def kept_leaks(leaks: pd.DataFrame) -> pd.DataFrame:
    """The rows of leaks that were kept (split.leaks: keep): all of them, or none."""
    return leaks.iloc[:0] if leaks["is_dropped"].astype(bool).any() else leaks


def leaked(leaks: pd.DataFrame, image_ids: Iterable[str]) -> int:
    """Count the training images that leak into other parts because leaks were kept.

    Parameters
    ----------
    leaks : DataFrame
        See `Leaks`.
    image_ids : iterable of str
        Of training images; one that is repeated counts once.
    """
    return int(kept_leaks(leaks)["image_id"].isin(set(image_ids)).sum())


def _straddles(numbers: NDArray[np.int64], rank: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the group of each image is in more than one part."""
    by_group = pd.Series(rank).groupby(numbers)
    return (by_group.transform("min") != by_group.transform("max")).to_numpy()


def _by_pair(
    numbers: NDArray[np.int64], parts: NDArray[np.str_], by_copy: NDArray[np.bool_]
) -> list[str]:
    """How many images of one part leak into another, for each pair of parts."""
    lines = []
    for lower, upper in PAIRS:
        shared = (parts == lower) & np.isin(numbers, numbers[parts == upper])
        for kind, what in ((by_copy, "a copy or near copy"), (~by_copy, "images of their group")):
            if count := int((shared & kind).sum()):
                lines.append(f"{counted(count, 'image')} of {lower} with {what} in {upper}")
    return lines


def _example(table: pd.DataFrame) -> str:
    """Two images of the first leak, of different parts."""
    first = table[table["leak"] == 1].drop_duplicates("split")
    return " and ".join(first["image_id"].iloc[:2])


def _remedy() -> str:
    return (
        f"split.leaks: {ERROR}; write {_setting(f'leaks: {DROP}')} to leave them out of training, "
        f"or {_setting(f'leaks: {KEEP}')}"
    )
