"""The chosen images of a pool in a folder to label from, with a table for their labels."""

import shutil
from pathlib import Path, PurePosixPath

import pandas as pd

from petite.data.sources.layout import nfc
from petite.util.errors import PetiteError
from petite.util.files import atomic_folder, write_csv

LONGEST_NAME = 240  # bytes; file systems allow 255
COLUMNS = ["file", "label", "pool_file"]


def export_chosen(
    chosen: pd.DataFrame, pool: Path, images: Path, labels: Path, links: bool
) -> pd.DataFrame:
    """Write the chosen images as 0001_name.jpg, 0002_name.jpg and so on, and a table to fill in.

    Labels that were filled in earlier are kept: those of images that are chosen again are in the
    new table, and the old one is kept next to it under another name.

    Parameters
    ----------
    chosen : DataFrame
        In order, with the columns rank and file.
    pool : Path
        The folder that the files are below.
    images : Path
        The folder to write; it is replaced.
    labels : Path
        The table to write, CSV.
    links : bool
        Whether to link to the files instead of copying them.

    Returns
    -------
    DataFrame
        The table: file (in `images`), label ("" until someone fills it in), and pool_file (the path
        below the pool's folder).

    Raises
    ------
    PetiteError
        If a file of the pool is gone.
    """
    names = numbered_names(chosen)
    with atomic_folder(images) as folder:
        for name, file in zip(names, chosen["file"], strict=True):
            place_file(pool.absolute(), file, folder / name, links)
    table = pd.DataFrame({"file": names, "label": "", "pool_file": chosen["file"].to_numpy()})
    if labels.exists():
        kept = _kept(labels)
        table["label"] = [kept.get(file, "") for file in table["pool_file"]]
    write_csv(labels, table)
    return table


def numbered_names(images: pd.DataFrame) -> list[str]:
    """The names of the files of some images, with their rank as a number at the beginning."""
    digits = max(4, len(str(len(images))))
    return [
        f"{rank:0{digits}d}_{_fitting(PurePosixPath(file).name)}"
        for rank, file in zip(images["rank"], images["file"], strict=True)
    ]


def place_file(folder: Path, file: str, copy: Path, link: bool) -> None:
    """Copy a file of a folder, or link to it; raises PetiteError if it is gone."""
    original = _as_on_disk(folder, file)
    if not original.exists():
        raise PetiteError(
            f"{original} is gone. Put it back, or rerun the workflow on the present images"
        )
    if link:
        copy.symlink_to(original)
    else:
        shutil.copyfile(original, copy)


def _as_on_disk(folder: Path, file: str) -> Path:
    """The path of a file, whose name may be in another spelling of Unicode there (é as two)."""
    place = folder
    for name in PurePosixPath(file).parts:
        here = place / name
        if not here.exists() and place.is_dir():
            here = next((one for one in place.iterdir() if nfc(one.name) == name), here)
        place = here
    return place


def _fitting(name: str) -> str:
    """A file name that is short enough to get a number."""
    stem, dot, suffix = name.rpartition(".")
    while len(name.encode()) > LONGEST_NAME and stem:
        stem = stem[:-1]
        name = stem + dot + suffix
    return name


def _kept(labels: Path) -> dict[str, str]:
    """The labels in a table of an earlier run by pool_file; the table is kept if it has any."""
    found: dict[str, str] = {}
    try:
        table = pd.read_csv(labels, dtype=str, keep_default_na=False)
        filled = table[table["label"].str.strip() != ""]
        found = dict(zip(filled["pool_file"], filled["label"], strict=True))
        if not found:
            return found
    except (ValueError, KeyError, UnicodeDecodeError):  # of another program, with other columns
        pass
    number = 1
    while (aside := labels.with_stem(f"{labels.stem}-{number}")).exists():
        number += 1
    labels.rename(aside)
    return found
