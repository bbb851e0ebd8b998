"""New labeled images next to a data set: which can be added, and the store of both together."""

import difflib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from petite.data.groups import CAPTURE_TIME, COPIES, named_groups
from petite.data.ingest import make_manifest
from petite.data.keep_lists import ALWAYS
from petite.data.pool import EXACT, pool_images
from petite.data.split_names import TEST, TRAIN, VALIDATION
from petite.data.store import Manifest, ShardRecord, Store
from petite.util.errors import PetiteError
from petite.util.formatting import counted, listed
from petite.util.notices import Notices

# Why an image is set aside. The first that applies is named.
UNUSABLE = "cannot be used"
OF_TEST, OF_VALIDATION = "duplicate of a test image", "duplicate of a validation image"
OF_KEPT, OF_OLD = "duplicate of a kept image", "duplicate of an image that was not kept"
OF_LEFT_OUT = "duplicate of an image that is not in use"
OF_NEW, TWO_CLASSES = "duplicate of another new image", "in two classes"
GROUP_HELD_OUT = "group of a test or validation image"
# Which of several duplicates is named: one of the test part must never be missed.
PRIORITY = (OF_TEST, OF_VALIDATION, OF_KEPT, OF_OLD)
COLUMNS = [
    *("image_id", "file", "class_name", "kind", "reason", "copy_of", "copy", "other_class"),
    "group",
]  # fmt: skip


def classes_of(files: Iterable[str], known: Sequence[str], where: Path) -> list[str]:
    """Find the class of each new file: the first folder of its path.

    Parameters
    ----------
    files : iterable of str
        Paths below the folder of the new images.
    known : sequence of str
        The classes of the run.
    where : Path
        The folder, for messages.

    Returns
    -------
    list of str

    Raises
    ------
    PetiteError
        For a file in no class folder, and a class folder that the run does not have.
    """
    names = list(files)
    flat = [name for name in names if "/" not in name]
    if flat:
        raise PetiteError(
            f"{where} has {counted(len(flat), 'file')} outside of class folders, such as "
            f"'{flat[0]}': move them to the folder of their class, or remove them"
        )
    found = [name.split("/", 1)[0] for name in names]
    others = sorted(set(found) - set(known))
    if not others:
        return found
    inside = {name.split("/")[1] for name in names if name.count("/") > 1}
    if len(set(found)) == 1 and inside & set(known):
        hint = f"Give its folder {where / others[0]}"
    elif nearest := difflib.get_close_matches(others[0], known, n=1, cutoff=0.5):
        hint = f"Did you mean '{nearest[0]}'?"
    else:
        hint = f"The run has {listed(list(known))}"
    raise PetiteError(
        f"{where}: {listed([repr(name) for name in others])} "
        f"{'is not a class' if len(others) == 1 else 'are not classes'} of the run. {hint}"
    )


def new_images(
    new: Store,
    old: Store,
    split: pd.DataFrame,
    kept: Iterable[str],
    where: Path,
    *,
    near_copy_distance: int | None,
    groups: str | None = None,
    notices: Notices | None = None,
) -> pd.DataFrame:
    """Tabulate the new images, with the reason for those that cannot be added.

    Parameters
    ----------
    new, old : Store
        Stored at the same size.
    split : DataFrame
        Of the old images.
    kept : iterable of str
        Ids of old training images.
    where : Path
        The folder of the new images, for messages.
    near_copy_distance : int or None
        See `petite.data.duplicates.duplicate_groups`; None for exact duplicates only.
    groups : str, optional
        The setting split.groups.
    notices : Notices, optional

    Returns
    -------
    DataFrame
        One row for each file in the order of the listing, with COLUMNS: image_id; file and
        class_name; kind ("" for an image that can be added) and reason in words; copy_of (the id of
        an old image or the file of a new one), copy ("exact", "near" or "") and other_class
        (whether that has another class); group ("" if unknown).

    Raises
    ------
    PetiteError
        As `classes_of`, and if no image can be added.
    """
    notices = Notices() if notices is None else notices
    table = new.index[["image_id", "status", "reason"]].copy()
    table["file"] = table["image_id"].str.split("/", n=1).str[1]
    table["class_name"] = classes_of(table["file"], old.classes, where)
    part_of = _parts(split, set(kept))
    priority = {name: PRIORITY.index(part) for name, part in part_of.items()}
    copies = pool_images(new, old, near_copy_distance, priority)
    columns = ["image_id", "copy_of", "copy", "of_labeled"]
    table = table.merge(copies[columns], on="image_id", how="left", validate="one_to_one")
    table = table.fillna({"copy_of": "", "copy": "", "of_labeled": False})
    of_old = table["of_labeled"].astype(bool).to_numpy()
    class_of = pd.concat(
        [
            table.set_index("image_id")["class_name"],
            old.index.set_index("image_id")["class_name"],
        ]
    )
    is_copy = (table["copy_of"] != "").to_numpy()
    originals = table["copy_of"].map(class_of)
    table["other_class"] = is_copy & (originals != table["class_name"]).to_numpy()

    kinds = np.full(len(table), "", dtype=object)
    kinds[is_copy & ~of_old] = OF_NEW
    kinds[of_old] = table["copy_of"][of_old].map(part_of).fillna(OF_LEFT_OUT)
    # Two labels for the same image: which one is right is not known.
    two = is_copy & ~of_old & table["other_class"].to_numpy() & (table["copy"] == EXACT).to_numpy()
    contradicted = table["image_id"].isin(table["copy_of"][two]).to_numpy()
    kinds[(two | contradicted) & np.isin(kinds, ["", OF_NEW])] = TWO_CLASSES
    table["group"] = _groups(table, groups, split)
    held_out = np.isin(kinds, (OF_TEST, OF_VALIDATION)) | _held_out(table["group"], split)
    # The rest of a group with a copy of a held-out image, whatever the group's name.
    held_out |= table["group"].isin(set(table["group"][held_out]) - {""}).to_numpy()
    held_out |= table["copy_of"].isin(table["image_id"][held_out]).to_numpy()
    kinds[np.isin(kinds, ("", OF_NEW)) & held_out] = GROUP_HELD_OUT
    kinds[(table["status"] != "ok").to_numpy()] = UNUSABLE
    table["kind"] = kinds
    table["copy_of"] = table["copy_of"].where(table["of_labeled"], _files(table["copy_of"]))
    rows: list[dict[str, Any]] = list(table.to_dict("records"))  # type: ignore[arg-type]
    table["reason"] = list(map(_reason, rows))
    if "group" in split and groups in (None, CAPTURE_TIME):
        notices.add(
            "The groups of the new images are not known, so a new image may be of the same group "
            "as a test image"
        )
    _say_gray(new, old, notices)
    if not (table["kind"] == "").any():
        counts = table["kind"].value_counts()
        why = ", ".join(f"{kind} ({count})" for kind, count in counts.items())
        raise PetiteError(f"{where}: none of the {len(table)} new images can be added: {why}")
    return table[COLUMNS]


def _parts(split: pd.DataFrame, kept: set[str]) -> dict[str, str]:
    """What a duplicate of each image of the split is."""
    of_part = {TEST: OF_TEST, VALIDATION: OF_VALIDATION}
    return {
        name: OF_KEPT if name in kept else of_part.get(part, OF_OLD)
        for name, part in zip(split["image_id"], split["split"], strict=True)
    }


def _files(ids: pd.Series) -> pd.Series:
    return ids.str.split("/", n=1).str[1].fillna("")


def _groups(table: pd.DataFrame, groups: str | None, split: pd.DataFrame) -> np.ndarray:
    """The group of each new image by its name; "" where there is none."""
    if groups in (None, CAPTURE_TIME):
        return np.full(len(table), "", dtype=object)
    # Originals may be among the old images, whose groups are named after them.
    beside = split["group"] + ".jpg" if groups == COPIES else table["file"][:0]
    found = named_groups(pd.concat([beside, table["file"]]), str(groups))
    names = np.append(found.names, "")
    return np.asarray(names[found.numbers[len(beside) :]], dtype=object)


def _held_out(group: pd.Series, split: pd.DataFrame) -> np.ndarray:
    """Whether the group of each new image has test or validation images."""
    if "group" not in split:
        return np.zeros(len(group), bool)
    held_out = split.loc[split["split"].isin((TEST, VALIDATION)), "group"]
    return np.asarray((group != "") & group.isin(set(held_out)))


def _reason(row: dict[str, Any]) -> str:
    """Why an image is set aside, in words; "" if it is not."""
    kind = row["kind"]
    if kind == UNUSABLE:
        return str(row["reason"])
    if kind == GROUP_HELD_OUT:
        return f"{kind}: {row['group'] or row['copy_of']}"
    if not kind or not row["copy_of"]:
        return str(kind)
    near = "near " if row["copy"] != EXACT and kind != TWO_CLASSES else ""
    other = ", which has another class" if row["other_class"] and kind != TWO_CLASSES else ""
    return f"{near}{kind}: {row['copy_of']}{other}"


def _say_gray(new: Store, old: Store, notices: Notices) -> None:
    """Add a notice if all images of one are gray, and those of the other are in color."""
    if new.channels == 1:
        return
    gray = [_read_facts(store, ["is_gray"])["is_gray"] for store in (new, old)]
    if gray[0].all() and not gray[1].any():
        notices.add("All new images are gray, and no old one is: check that they are what you want")


def check_depth(new: Store, old: Store, depth: object) -> None:
    """Check that images of more than 8 bits are converted as those of the run.

    Raises
    ------
    PetiteError
        If dataset.depth is stretch, and the ranges of values differ.
    """
    if depth != "stretch":
        return
    ranges = []
    for store in (new, old):
        facts = _read_facts(store, ["black", "white"]).dropna().drop_duplicates()
        ranges.append({(float(black), float(white)) for black, white in facts.to_numpy()})
    if ranges[0] and ranges[0] != ranges[1]:
        given = [f"{low:g} to {high:g}" for low, high in (sorted(ranges[0])[0],)]
        known = [f"{low:g} to {high:g}" for low, high in sorted(ranges[1])] or ["8 bits"]
        raise PetiteError(
            f"grow.path: the new images have more than 8 bits per channel and values from "
            f"{given[0]}, those of the run {known[0]}, so equal pixels would differ: set "
            "dataset.depth to one range, or to full"
        )


def _read_facts(store: Store, columns: list[str]) -> pd.DataFrame:
    """Some columns of the tables of a store's shards, of the readable images."""
    tables = [pd.read_parquet(path, columns=["reason", *columns]) for path in store.shard_tables()]
    table = pd.concat(tables, ignore_index=True)
    return table.loc[table["reason"] == "", columns]


def grown_split(split: pd.DataFrame, kept: Sequence[str], added: pd.DataFrame) -> pd.DataFrame:
    """Make the split of the kept and the new images, with the held-out parts of the run.

    Parameters
    ----------
    split : DataFrame
        Of the old images.
    kept : sequence of str
        Ids of old training images, which are marked to be kept. The others are left out.
    added : DataFrame
        image_id, label and group of the new training images; may be empty.

    Returns
    -------
    DataFrame
        The columns of the split, and `keep`.
    """
    is_kept = split["image_id"].isin(set(kept))
    table = split[is_kept | split["split"].isin((VALIDATION, TEST))].copy()
    table["keep"] = np.where(is_kept[table.index], ALWAYS, "")
    rows = pd.DataFrame(
        {"image_id": added["image_id"], "label": added["label"], "split": TRAIN, "keep": ""}
    )
    if "weight" in table:
        rows["weight"] = float(split.loc[is_kept, "weight"].mean())
    if "group" in table:
        rows["group"] = added["group"].to_numpy()
    both = pd.concat([table, rows[[name for name in table if name in rows]]], ignore_index=True)
    return both.astype({"label": table["label"].dtype})


def grown_store(new: Store, old: Store, added: pd.DataFrame, folder: Path) -> tuple[
    pd.DataFrame, Manifest
]:  # fmt: skip
    """Describe a store of the old images and the new ones, whose pixels stay where they are.

    Parameters
    ----------
    new, old : Store
    added : DataFrame
        image_id and label of the new images that are in it.
    folder : Path
        Of the store to write.

    Returns
    -------
    index : DataFrame
    manifest : Manifest

    Raises
    ------
    PetiteError
        If a new and an old image have the same id.
    """
    rows = new.index.iloc[new.positions(added["image_id"])].copy()
    rows["label"] = added["label"].to_numpy(np.int16)
    rows["class_name"] = [old.classes[label] for label in added["label"]]
    rows["shard"] += len(old.manifest["shards"])
    rows["copy_group"] += len(old.index)
    index = pd.concat([old.index, rows], ignore_index=True)
    if (twice := index["image_id"].duplicated()).any():
        name = index.loc[twice, "image_id"].iloc[0]
        raise PetiteError(
            f"grow.path: '{name}' is the id of an old image too: rename the class "
            f"'{name.split('/', maxsplit=1)[0]}'"
        )
    shards = [record for store in (old, new) for record in _shards(store, folder)]
    size, _, channels = old.shape
    manifest = make_manifest(index, old.classes, shards, size, channels, old.manifest["settings"])
    return index, manifest


def _shards(store: Store, folder: Path) -> list[ShardRecord]:
    """The records of a store's shards, as seen from another folder."""
    here = store.path.parent
    return [
        {**record, "file": Path(os.path.relpath(here / record["file"], folder)).as_posix()}
        for record in store.manifest["shards"]
    ]
