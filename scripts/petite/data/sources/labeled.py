"""The images of a tree of files that a table labels, instead of class folders.

A row names a file by its path in the tree, or by its name alone where that is unique. The suffix
may be missing, and the path may begin with the name of the tree's own folder.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath
from typing import Generic, NamedTuple

import pandas as pd

from petite.data.annotations import NOTHING_SAID
from petite.data.labels import LabelColumns, LabelTable, said
from petite.data.sources.companions import note_versions
from petite.data.sources.layout import (
    ARRAYS,
    File,
    Folder,
    Layout,
    checked_name,
    ending_of,
    nfc,
    side_kind,
    within,
)
from petite.data.sources.layout_notices import note_spellings
from petite.data.sources.wording import shown
from petite.data.split_names import PARTS, TEST, TRAIN, VALIDATION, parts_of, split_word
from petite.data.text_tables import SUFFIXES
from petite.util.errors import PetiteError
from petite.util.formatting import counted, listed, percent, plural
from petite.util.notices import Notices

NO_FILE, NO_LABEL = "no such file", "no label"
SEVERAL_LABELS, REPEATED, NO_ROW = "several labels", "repeated", "no row"
OTHER_VALUES = "other values"
# What is wrong, in the plural.
# Each as the verb of one row or file, the verb of several, and the rest of the sentence.
PROBLEMS = {
    NO_FILE: ("names", "name", "a file that is not there, or is in several folders"),
    NO_LABEL: ("has", "have", "no label"),
    SEVERAL_LABELS: ("names", "name", "a file that has several labels"),
    REPEATED: ("repeats", "repeat", "a file with its label"),
    OTHER_VALUES: (
        *("repeats", "repeat"),
        "a file and its label, with other values in other columns (the first row counts)",
    ),
    NO_ROW: ("has", "have", "no row in the table"),
}
EXAMPLES = 3
DEEPEST = 100


@dataclass
class Labeled(Generic[File]):
    """The labeled images of a tree.

    Attributes
    ----------
    table : LabelTable
    where : PurePath
        The tree, for messages.
    files : dict from str to File
        The images by id: label/path in the tree.
    annotations : DataFrame
        image_id, and split, group, weight and keep as far as the table has them, or the folders
        give a split.
    problems : DataFrame
        The rows and files that are not used: row (0 for a file without a row), file, label and
        problem, a key of PROBLEMS.
    images : int
        The files in the tree that may be images.
    folders : SplitFolders
    """

    table: LabelTable
    where: PurePath
    files: dict[str, File]
    annotations: pd.DataFrame
    problems: pd.DataFrame
    images: int
    folders: "SplitFolders"

    def check(self, max_bad_share: float) -> None:
        """Raise PetiteError if too many rows or files cannot be used.

        Parameters
        ----------
        max_bad_share : float
            The largest share of the rows, and of the files.
        """
        counts = self.problems["problem"].value_counts()
        rows = len(self.table.rows)
        missing = self._of(NO_FILE)
        if len(missing) == rows and (places := self._places(missing["file"].iloc[0])):
            raise PetiteError(
                f"{missing['file'].iloc[0]!r}, of {self.table.name}, is in several folders of "
                f"{self.where}: {listed(places, EXAMPLES)}. Give one of these folders, or "
                "write paths such as these, or the folders into a column 'folder'"
            )
        if len(missing) == rows:
            raise PetiteError(
                f"none of the {rows:,} files of {self.table.name} is in {self.where}: its column "
                f"{self.table.columns['file']!r} has {missing['file'].iloc[0]!r}, and "
                + self._an_image()
                + self._lost_zeros(missing["file"])
                + ". Give the folder that its paths start in, or name the column of the files in "
                "labels.file"
            )
        unused = int(counts.drop(NO_ROW, errors="ignore").sum())
        alone = self._next_to_labeled()
        for count, total, what in ((unused, rows, "row"), (alone, self.images, "file")):
            if count > max_bad_share * total:
                kinds = [kind for kind in counts.index if (kind == NO_ROW) == (what == "file")]
                raise PetiteError(
                    f"{counted(count, what)} of {total:,} cannot be used with {self.table.name}, "
                    f"more than {percent(max_bad_share)}: "
                    + "; ".join(f"{self._counted(kind)} {self._described(kind)}" for kind in kinds)
                    + ". Correct the table, or raise dataset.max_bad_share"
                )

    def _next_to_labeled(self) -> int:
        """Count the files without a row, but for those of a folder in which no file has one.

        Such a folder is that of the unlabeled images of a competition, of masks or of thumbnails.
        """
        files = self._of(NO_ROW)["file"]
        labeled = pd.Series(list(self.files), dtype="str").str.split("/", n=1).str[1]
        top = _common_folder([*labeled, *files])
        known = set(_first_folder(labeled, top))
        return int(_first_folder(files, top).isin(known).sum())

    def note(self, classes: list[str], notices: Notices) -> None:
        """Add notices on how the table was read, and what was left out."""
        for text in said(self.table):
            notices.add(text)
        counts = Counter(image_id.partition("/")[0] for image_id in self.files)
        files = [f"{name} ({counted(counts[name], 'file')})" for name in classes]
        notices.add(f"{counted(len(classes), 'class', 'classes')}, by the table: {shown(files)}")
        self._note_split(notices)
        for kind in self.problems["problem"].value_counts().index:
            notices.add(
                f"{self._counted(kind)} left out: {plural(len(self._of(kind)), 'it', 'they')} "
                f"{self._described(kind)}. All are listed in store/labels.csv"
            )
        note_spellings(classes, "write them in one way in the table", notices)
        note_versions(Layout(self.where, files=self.files), classes, notices)

    def _note_split(self, notices: Notices) -> None:
        if self.folders.parts:
            counts = self.annotations["split"].value_counts()
            parts = [
                f"{counted(int(counts[part]), 'file')} for {part} ({folder})"
                for part in (TRAIN, VALIDATION, TEST)
                for folder in self.folders.parts
                if self.folders.parts[folder] == part
            ]
            notices.add(
                f"{self.where} has a split in folders, which is used as it is, because "
                f"{self.table.name} has none: {', '.join(parts)}. To draw another one from all "
                "images, write split: {given: ignore}"
            )
        elif self.folders.doubtful:
            names = listed([repr(name) for name in self.folders.doubtful])
            notices.add(
                f"the folders {names} are not used as a split, because the labeled files are not "
                "all in one folder for each part (such as train, val and test). If they are a "
                f"split, write it into a column 'split' of {self.table.name}"
            )

    def _counted(self, kind: str) -> str:
        return counted(len(self._of(kind)), "file" if kind == NO_ROW else "row")

    def _described(self, kind: str) -> str:
        """What is wrong with the rows or files of a kind, with the first of them."""
        examples = [
            repr(file) if kind == NO_ROW else f"{file!r} in row {row:,}"
            for row, file in self._of(kind)[["row", "file"]].head(EXAMPLES).itertuples(index=False)
        ]
        verb, verb_of_several, rest = PROBLEMS[kind]
        verb = plural(len(self._of(kind)), verb, verb_of_several)
        return f"{verb} {rest}, such as {', '.join(examples)}"

    def _of(self, kind: str) -> pd.DataFrame:
        return self.problems[self.problems["problem"] == kind]

    def _places(self, called: str) -> list[str]:
        """The files without a row that end in the name of a row, if these are several."""
        name = called.replace("\\", "/").rpartition("/")[2]
        files = self._of(NO_ROW)["file"]
        names = files.str.rpartition("/")[2]
        found = files[(names == name) | (names.map(lambda one: ending_of(one)[0]) == name)]
        return found.tolist() if len(found) > 1 else []

    def _lost_zeros(self, called: pd.Series) -> str:
        """That rows may have lost the zeros that their files begin with; "" if not."""
        names = self._of(NO_ROW)["file"].str.rpartition("/")[2].map(lambda name: ending_of(name)[0])
        padded = names[names.str.isdecimal() & names.str.startswith("0")].str.lstrip("0")
        if called.isin(padded[padded != ""]).sum() * 2 < len(called):
            return ""
        return ". The zeros at the beginning of its names seem to be lost, as in a spreadsheet"

    def _an_image(self) -> str:
        alone = self._of(NO_ROW)["file"]
        if alone.empty:
            return "it has no images"
        return f"it has {counted(self.images, 'image')}, such as {alone.iloc[0]!r}"


class SplitFolders(NamedTuple):
    """Folders that are the parts of a split.

    Attributes
    ----------
    level : int
        How many folders contain them.
    parts : dict from str to str
        The part that each name of a folder stands for; empty if the folders are no split.
    doubtful : list of str
        Names of folders of which some are those of a training and another part, though not all
        labeled files are in one folder for each part.
    """

    level: int = 0
    parts: dict[str, str] = {}  # noqa: RUF012 - of a named tuple, never changed
    doubtful: list[str] = []  # noqa: RUF012


def table_on_disk(wanted: LabelColumns, path: Path | None) -> Path | None:
    """Find the file of a table: where it is given, then in the folder of the images, if it is one.

    Returns
    -------
    Path or None
        None if it is in neither.
    """
    given = Path(wanted.path)
    places = [given] if path is None else [given, path / given]
    return next((place for place in places if place.is_file()), None)


def no_table(wanted: LabelColumns, where: PurePath, root: Folder[File]) -> PetiteError:
    """Make the error for a table that is not there, with the tables that are."""
    given = Path(wanted.path)
    what = "is a folder" if given.is_dir() else "does not exist, here or in the images"
    found = [name for name in sorted(root.files) if name.lower().endswith(SUFFIXES)]
    others = f". {where} has {listed(found)}" if found else ""
    if not given.is_absolute() and (beside := Path(where).parent / given).is_file():
        others = f", such as {beside}"
    return PetiteError(f"labels.path: {wanted.path} {what}: give the path of a table{others}")


def place_in(folder: Path, path: Path) -> str | None:
    """Give the path of a file relative to a folder, in normal form C; None if it is not in it."""
    inner, outer = path.resolve(), folder.resolve()
    return nfc(inner.relative_to(outer).as_posix()) if inner.is_relative_to(outer) else None


def find_labeled(
    root: Folder[File], where: PurePath, table: LabelTable, table_in: str | None
) -> Labeled[File]:
    """Find the file of each row of a table.

    Parameters
    ----------
    root : Folder
        The tree.
    where : PurePath
        Its place, for messages.
    table : LabelTable
    table_in : str or None
        The path of the table in the tree; None if it is elsewhere.

    Returns
    -------
    Labeled

    Raises
    ------
    PetiteError
        For a name that is not valid Unicode, for two spellings of one name in Unicode, and for a
        file in two parts of a split.
    """
    files = _by_path(root, where)
    images = _images(files, table_in)
    finder = _Finder(files, images, root, where, table_in)
    rows = table.rows
    called = rows["file"].tolist()
    finder.start_at_table(called)
    paths = [finder.find(name) for name in called]
    if "folder" in table.columns and not any(paths):  # its folders are others
        called = [name.rpartition("/")[2] for name in called]
        paths = [finder.find(name) for name in called]
    if None in paths and finder.found_home(called):
        paths = [finder.find(name) for name in called]
    rows = rows.assign(path=pd.Series(paths, rows.index, dtype="str"))
    labeled = rows["label"] != ""
    found = rows["path"].notna()
    usable = rows[labeled & found]
    again = usable[usable.duplicated("path", keep=False)]
    labels = again.groupby("path")["label"].transform("nunique")
    contradicting = labels.index[labels > 1]
    once = usable.drop(contradicting).drop_duplicates("path")
    kinds = pd.Series(NO_FILE, index=rows.index).where(~found, NO_LABEL)
    kinds[again.index] = REPEATED
    kinds[_other_values(again.drop(contradicting), table)] = OTHER_VALUES
    kinds[contradicting] = SEVERAL_LABELS
    problems = rows.drop(once.index)[["row", "file", "label"]]
    problems = problems.assign(problem=kinds[problems.index])
    known = set(rows.loc[found, "path"])
    alone = pd.DataFrame({"file": [path for path in images if path not in known]}, dtype="str")
    alone = alone.assign(row=0, label="", problem=NO_ROW)
    folders = SplitFolders()
    if "split" not in once:
        folders = _split_folders(once["path"])
        if folders.parts:
            names = once["path"].str.split("/").str[folders.level]
            once = once.assign(split=names.map(folders.parts))
    ids = once["label"] + "/" + once["path"]
    used = [name for name in NOTHING_SAID if name in once]
    return Labeled(
        table=table,
        where=where,
        files={image_id: files[path] for image_id, path in zip(ids, once["path"], strict=True)},
        annotations=once[used].assign(image_id=ids)[["image_id", *used]].reset_index(drop=True),
        problems=pd.concat([problems, alone[problems.columns]], ignore_index=True),
        images=len(images),
        folders=folders,
    )


def _other_values(again: pd.DataFrame, table: LabelTable) -> pd.Index:
    """The rows that say something else of a file than its first row; PetiteError for its part."""
    columns = [name for name in NOTHING_SAID if name in again]
    if again.empty or not columns:
        return again.index[:0]
    if "split" in columns:
        placed = again[again["split"] != ""]
        in_several = placed[placed.groupby("path")["split"].transform("nunique") > 1]
        if len(in_several):
            rows = in_several[in_several["path"] == in_several["path"].iloc[0]]
            first_rows = rows.drop_duplicates("split").set_index("split")["row"]
            places = [f"{part} (row {row:,})" for part, row in first_rows.items()]
            raise PetiteError(
                f"{table.name}, column {table.columns['split']!r}: {rows['file'].iloc[0]!r} is in "
                f"{' and '.join(places)}, but an image can be in one part of a split only. Correct "
                "the table"
            )
    first = again.groupby("path")[columns].transform("first")
    return again.index[(again[columns] != first).any(axis=1)]


def _split_folders(paths: pd.Series) -> SplitFolders:
    """The first folders on the way to the files that divide all of them into a split."""
    chains = {tuple(path.split("/")[:-1]) for path in paths}
    for level in range(max(map(len, chains), default=0)):
        names = sorted({chain[level] for chain in chains if len(chain) > level})
        words = {name: split_word(name)[1] for name in names}
        parts = parts_of(names)
        if len(parts) > 1 and all(len(chain) > level for chain in chains):
            return SplitFolders(level, parts=parts)
        found = {PARTS.get(word, word) for word in words.values() if word}
        if TRAIN in found and len(found) > 1:
            return SplitFolders(doubtful=names)
    return SplitFolders()


def _by_path(root: Folder[File], where: PurePath) -> dict[str, File]:
    """The files of a tree by their paths in it."""
    files: dict[str, File] = {}
    for folder, inner in within(root):
        for name, file in inner.files.items():
            path = checked_name(f"{folder}/{name}" if folder else name, where)
            if path in files:
                raise PetiteError(
                    f"{where} has two files {path!r}, in two spellings of Unicode (such as é as "
                    "one character and as two). Rename one"
                )
            files[path] = file
    return files


def _images(paths: Iterable[str], table_in: str | None) -> list[str]:
    """The files that may be images. Arrays may be, if there is nothing else."""
    names = [path for path in paths if side_kind(path.rpartition("/")[2]) is None]
    names = [path for path in names if path != table_in]
    return [path for path in names if ending_of(path.lower())[1] not in ARRAYS] or names


class _Finder:
    """Finds the path of a file by what a row calls it."""

    def __init__(
        self,
        files: dict[str, File],
        images: list[str],
        root: Folder[File],
        where: PurePath,
        table_in: str | None,
    ) -> None:
        self._files = files
        self._images = images
        self._of_table = "" if table_in is None else table_in.rpartition("/")[0]
        # Paths may start at the root, where single folders end, or where the table is.
        bases = dict.fromkeys(["", *wrappers(root), self._of_table])
        self._bases = [f"{base}/" if base else "" for base in bases]
        place = Path(where)
        # photos.zip holds what the folder photos held.
        self._own_names = {*_names_of(place), *_names_of(place.resolve())}

    def start_at_table(self, names: list[str]) -> None:
        """Where other folders have files of these paths too, look in that of the table only."""
        base = f"{self._of_table}/"
        others = [one for one in self._bases if one != base]
        if self._of_table and any(
            f"{base}{name}" in self._files and any(one + name in self._files for one in others)
            for name in names
        ):
            self._bases = [base]

    def find(self, name: str) -> str | None:
        """The path of a file in the tree; None if there is none, or several.

        Capitals count only where they distinguish files.
        """
        if name in self._files and "" in self._bases:
            return name
        parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
        for form in self._forms(parts):
            for base in self._bases:
                path = base + form
                if path in self._files:
                    return path
                if whole := self._stems.get(path):
                    return whole
        if len(parts) == 1:
            found = self._names.get(parts[0]) or self._stems_of_names.get(parts[0])
            return found or self._folded_names.get(parts[0].casefold())
        for form in self._forms(parts):
            for base in self._bases:
                if whole := self._folded.get((base + form).casefold()):
                    return whole
        return None

    def found_home(self, names: list[str]) -> bool:
        """Look in the only folder that has a file for each name: train, next to a test with others.

        A folder that has most of them is as likely: originals and crops, some of which failed.

        Returns
        -------
        bool
            Whether there is one.
        """
        homes: dict[str, set[str]] = {}
        for path in self._images:
            folder, _, name = path.rpartition("/")
            for key in (name, ending_of(name)[0]):
                homes.setdefault(key, set()).add(folder)
        distinct = set(names)
        counts = Counter(folder for name in distinct for folder in homes.get(name, ()))
        likely = [folder for folder, count in counts.items() if 2 * count > len(distinct)]
        if len(likely) != 1 or counts[likely[0]] < len(distinct):
            return False
        self._bases.append(f"{likely[0]}/")
        return True

    def _forms(self, parts: list[str]) -> Iterator[str]:
        """The path, then without the folders that lead to the images."""
        if parts:
            yield "/".join(parts)
        for place in reversed(range(len(parts) - 1)):
            if parts[place] in self._own_names:
                yield "/".join(parts[place + 1 :])

    @cached_property
    def _folded(self) -> dict[str, str | None]:
        return _unique(self._images, str.casefold)

    @cached_property
    def _folded_names(self) -> dict[str, str | None]:
        return _unique(self._images, lambda path: path.rpartition("/")[2].casefold())

    @cached_property
    def _stems(self) -> dict[str, str | None]:
        return _unique(self._images, _without_suffix)

    @cached_property
    def _names(self) -> dict[str, str | None]:
        return _unique(self._images, lambda path: path.rpartition("/")[2])

    @cached_property
    def _stems_of_names(self) -> dict[str, str | None]:
        return _unique(self._images, lambda path: ending_of(path.rpartition("/")[2])[0])


def wrappers(root: Folder[File]) -> list[str]:
    """List the path of each folder that is alone in its parent, with no images next to it."""
    found: list[str] = []
    while len(root.folders) == 1 and all(map(side_kind, root.files)):
        ((name, root),) = root.folders.items()
        found.append(f"{found[-1]}/{name}" if found else name)
        if len(found) > DEEPEST:  # links in a loop
            break
    return found


def _common_folder(paths: list[str]) -> str:
    """The deepest folder that contains all paths, with a slash behind it; "" for the root."""
    folders = {path.rpartition("/")[0] for path in paths}
    common = os.path.commonpath(folders) if folders else ""
    return f"{common}/" if common else ""


def _first_folder(paths: pd.Series, top: str) -> pd.Series:
    """The folder within `top` in which each path is; "" for one that is in none."""
    return paths.str.slice(len(top)).str.extract(r"^([^/]*)/", expand=False).fillna("")


def _names_of(place: PurePath) -> set[str]:
    return {place.name, place.name.split(".")[0]} - {""}


def _without_suffix(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    return folder + slash + ending_of(name)[0]


def _unique(paths: Iterable[str], key: Callable[[str], str]) -> dict[str, str | None]:
    """The paths by a part of them; None where several have the same."""
    found: dict[str, str | None] = {}
    for path in paths:
        part = key(path)
        found[part] = None if part in found else path
    return found
