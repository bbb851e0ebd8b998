"""Which training images every subset contains, and which none does: the lists of the user.

A list names images by their ids or by patterns. `apply_lists` marks them in the table of a split:
excluded images get the part EXCLUDED in place of TRAIN, so that no later step takes them for
training images, and the column `keep` of a kept image is "always".
"""

import fnmatch
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from petite.data.splits import EXCLUDED, TRAIN, why_not_in_split
from petite.util.errors import PetiteError
from petite.util.files import read_table
from petite.util.formatting import counted, listed
from petite.util.notices import Notices

KEEP, EXCLUDE = "keep", "exclude"
ALWAYS, NEVER = "always", "never"
# Suffixes of tables with a column of image ids, such as those of exports; other files are text.
TABLES = (".parquet", ".csv", ".tsv")
COLUMN = "image_id"
MOST_NAMED = 5


class Lists(NamedTuple):
    """The patterns of both lists."""

    keep: Sequence[str] = ()
    exclude: Sequence[str] = ()


def read_lists(**given: list[str] | str) -> Lists:
    """Make the lists from the settings `keep` and `exclude`, each a list or the path of a file.

    Raises
    ------
    PetiteError
        If a file cannot be read, see `read_list`.
    """
    found = {}
    for key, entries in given.items():
        try:
            found[key] = read_list(Path(entries)) if isinstance(entries, str) else entries
        except PetiteError as error:
            raise PetiteError(f"{key}: {error}") from None
    return Lists(**found)


def read_list(path: Path) -> list[str]:
    """Read the ids or patterns of a file.

    Parameters
    ----------
    path : Path
        A text file with one id or pattern per line, or a table (.parquet, .csv, .tsv) with the
        column image_id, such as the manifest of an export. Rows of augmented images are left out.

    Returns
    -------
    list of str
        Without blank lines.

    Raises
    ------
    PetiteError
        If the file cannot be read, or lists nothing.
    """
    if not path.is_file():
        reason = "is not a file" if path.exists() else "does not exist"
        raise PetiteError(
            f"{path} {reason}. Give a file with one image id or pattern per line, or a list in "
            "brackets, such as [cat/1.jpg, dog/2.jpg]"
        )
    lines = _from_table(path) if path.suffix.lower() in TABLES else _from_text(path)
    if not lines:
        raise PetiteError(f"{path} lists no image. Add one per line, or leave the setting out")
    return lines


def _from_text(path: Path) -> list[str]:
    try:
        text = path.read_text("utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        raise PetiteError(f"{path} cannot be read as UTF-8 text: {error}") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def _from_table(path: Path) -> list[str]:
    try:
        if path.suffix.lower() == ".parquet":
            table = read_table(path)
        else:
            separator = "\t" if path.suffix.lower() == ".tsv" else ","
            table = pd.read_csv(path, sep=separator, dtype=str, encoding="utf-8-sig")
    except Exception as error:  # whatever the parsers raise for a broken file
        raise PetiteError(f"{path} cannot be read as a table: {error}") from None
    if COLUMN not in table:
        columns = listed([str(name) for name in table.columns])
        raise PetiteError(f"{path} has no column '{COLUMN}', only {columns}. Rename the one of ids")
    if "seed" in table and (seeds := table["seed"].nunique()) > 1:
        raise PetiteError(
            f"{path} has the images of {seeds} seeds. Export the subset of one seed, and give its "
            "manifest.csv"
        )
    if "recipe" in table:
        table = table[table["recipe"].fillna("") == ""]
    return [str(name).strip() for name in table[COLUMN].dropna() if str(name).strip()]


def matches(
    patterns: Iterable[str], image_ids: pd.Series, without_class: bool = False
) -> dict[str, np.ndarray]:
    """Find the images of each pattern.

    Parameters
    ----------
    patterns : iterable of str
        Ids, or patterns with * (any characters, also "/"), ? and [...]. A pattern that is an id
        means that image only.
    image_ids : Series of str, shape (n,)
    without_class : bool
        Whether a pattern may also be a path without the class, as ids in a table of labels are.

    Returns
    -------
    dict of str to ndarray of int64
        Positions of the images of each pattern.
    """
    names: dict[str, list[int]] = {}
    for place, image_id in enumerate(image_ids):
        name = _composed(image_id)
        names.setdefault(name, []).append(place)
        if without_class:
            names.setdefault(name.split("/", 1)[-1], []).append(place)
    found = {}
    for pattern in dict.fromkeys(patterns):
        wanted = _composed(pattern)
        places = names.get(wanted)
        if places is None and any(letter in wanted for letter in "*?["):
            is_match = re.compile(fnmatch.translate(wanted)).match
            places = [
                place
                for name, all_places in names.items()
                if is_match(name)
                for place in all_places
            ]
        found[pattern] = np.unique(np.array(places or [], np.int64))
    return found


def _composed(name: str) -> str:
    """A name as NFC: folders may have decomposed letters where a list has composed ones."""
    return unicodedata.normalize("NFC", name)


def check_named(lists: Lists, image_ids: pd.Series, without_class: bool = False) -> None:
    """Raise PetiteError for a pattern that matches no image."""
    for key, patterns in lists._asdict().items():
        found = matches(patterns, image_ids, without_class)
        _check(key, [pattern for pattern, places in found.items() if not len(places)], image_ids)


def _check(key: str, unmatched: list[str], image_ids: pd.Series) -> None:
    if not unmatched:
        return
    first = unmatched[0]
    file_name = re.split(r"[/\\]", first)[-1]
    near = [name for name in image_ids if name.rsplit("/", 1)[-1] == file_name]
    if near:
        hint = f"Did you mean '{near[0]}'?"
    else:
        hint = f"Ids of images are such as '{image_ids.iloc[0]}'; * stands for any characters"
    more = len(unmatched) - 1
    others = f" (and {counted(more, 'other entry', 'other entries')})" if more else ""
    raise PetiteError(f"{key}: '{first}'{others} matches no image. {hint}")


def apply_lists(
    split: pd.DataFrame,
    index: pd.DataFrame,
    lists: Lists,
    without_class: bool = False,
    notices: Notices | None = None,
    *,
    is_repeat: bool = False,
) -> pd.DataFrame:
    """Mark the kept and excluded images in the table of a split.

    Parameters
    ----------
    split : DataFrame
        A split. Its column `keep`, if it has one, counts as further entries of the lists.
    index : DataFrame
        The store's index, for images that are not in use and for duplicates.
    lists : Lists
    without_class : bool
        See `matches`.
    notices : Notices, optional
        How many images are kept and excluded is added here.
    is_repeat : bool
        Whether it is another split of the same images, in which some that are listed are in the
        test part.

    Returns
    -------
    DataFrame
        The split, with EXCLUDED as the part of excluded training images, and the column `keep`,
        which is "always" for kept training images and "" for others.

    Raises
    ------
    PetiteError
        If an entry matches no training image (of a repeat: no image in use), an image is in both
        lists, or a class has no image left.
    """
    notices = Notices() if notices is None else notices
    in_train = (split["split"] == TRAIN).to_numpy()
    if "weight" in split:
        in_train = in_train & (split["weight"] > 0).to_numpy()
    wanted = {}
    for key, patterns, word in zip((KEEP, EXCLUDE), lists, (ALWAYS, NEVER), strict=True):
        # Of a repeat, an entry may name an image of any part.
        within = np.ones_like(in_train) if is_repeat else in_train
        listed_images = _listed(key, patterns, split, index, within, without_class, notices)
        if KEEP in split:
            listed_images |= (split[KEEP] == word).to_numpy()
        wanted[key] = listed_images & in_train
        if beside := int((listed_images & ~in_train).sum()):
            notices.add(
                f"{key}: {counted(beside, 'image')} of the list {_is_or_are(beside)} not in the "
                "training part, so the list changes nothing there"
            )
    keep, exclude = wanted[KEEP], wanted[EXCLUDE]
    ids = split["image_id"]
    if (both := keep & exclude).any():
        named = listed(ids[both].tolist(), MOST_NAMED)
        raise PetiteError(f"keep and exclude: both have {named}. Remove it from one of the lists")
    _check_classes(split[in_train], exclude[in_train], index)
    if KEEP in split:
        split = split.drop(columns=KEEP)
    part = np.where(exclude, EXCLUDED, split["split"].to_numpy())
    table = split.assign(split=part, **{KEEP: np.where(keep, ALWAYS, "")})
    if keep.any():
        notices.add(
            f"Every subset contains the {counted(int(keep.sum()), 'image')} to keep; methods "
            "choose the others"
        )
    if exclude.any():
        notices.add(
            f"{counted(int(exclude.sum()), 'training image')} of {len(split[in_train]):,} "
            f"{_is_or_are(int(exclude.sum()))} excluded: no subset contains them, and `full` and "
            "all fractions are of the others"
        )
        _say_duplicates(table, index, notices)
    return table


def _is_or_are(count: int) -> str:
    return "is" if count == 1 else "are"


def _listed(
    key: str,
    patterns: Sequence[str],
    split: pd.DataFrame,
    index: pd.DataFrame,
    within: np.ndarray,
    without_class: bool,
    notices: Notices,
) -> np.ndarray:
    """Which images of the split a list names, bool (n,).

    Each entry must name an image `within`, which is bool (n,). An entry of `exclude` may also name
    an image that was dropped from training already.
    """
    found = matches(patterns, split["image_id"], without_class)
    nowhere = [pattern for pattern, places in found.items() if not len(places)]
    for pattern, rows in matches(nowhere, index["image_id"], without_class).items():
        if not len(rows):
            continue
        entries = index.iloc[rows]
        leaks = entries[entries["status"] == "ok"]
        row = (entries if leaks.empty else leaks).iloc[0]
        text = (
            f"{key}: '{pattern}' matches only images that are not in use, such as "
            f"'{row['image_id']}': {why_not_in_split(row)}"
        )
        if key == KEEP or leaks.empty:
            raise PetiteError(f"{text}. Remove it from the list")
        notices.add(f"{text}. It changes nothing")
        found.pop(pattern)
    _check(key, [pattern for pattern in nowhere if pattern in found], index["image_id"])
    outside = [pattern for pattern, places in found.items() if not within[places].any()]
    if outside:
        row = split.iloc[found[outside[0]][0]]
        why = "it has the weight 0" if row["split"] == TRAIN else f"its part is {row['split']}"
        raise PetiteError(
            f"{key}: '{outside[0]}' matches only images that are not trained on, such as "
            f"'{row['image_id']}': {why}. They are in no subset: remove it from the list"
        )
    mask = np.zeros(len(split), bool)
    for places in found.values():
        mask[places] = True
    return mask


def _check_classes(train: pd.DataFrame, exclude: np.ndarray, index: pd.DataFrame) -> None:
    """Raise PetiteError if all training images of a class are excluded."""
    gone = sorted(set(train["label"]) - set(train.loc[~exclude, "label"]))
    if gone:
        of_label = index.drop_duplicates("label").set_index("label")["class_name"]
        names = listed([str(of_label[label]) for label in gone], MOST_NAMED)
        raise PetiteError(
            f"exclude: all training images of {names} are excluded. Leave some in, or remove the "
            "class by dataset.classes"
        )


def _say_duplicates(table: pd.DataFrame, index: pd.DataFrame, notices: Notices) -> None:
    """Add a notice if training images are duplicates or near duplicates of excluded ones."""
    group = table["image_id"].map(index.set_index("image_id")["copy_group"])
    excluded = set(group[table["split"] == EXCLUDED])
    left = table.loc[(table["split"] == TRAIN) & group.isin(excluded), "image_id"]
    if len(left):
        notices.add(
            f"exclude: {counted(len(left), 'training image')} that {_is_or_are(len(left))} not "
            f"excluded {_is_or_are(len(left))} a duplicate or near duplicate of an excluded one: "
            f"{listed(left.tolist(), MOST_NAMED)}. List them too if that is not intended"
        )
