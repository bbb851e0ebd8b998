"""What sources have in common whose images are rows of files: of tables, of arrays, of tars.

Such a source has parts, a file each. A part gives its rows with their labels, and reads single
rows. The id of an image is class/split/part/row, or class/part/row where no split is given.
"""

import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import repeat
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from petite.data.label_signs import (
    doubtful_words,
    minus_one,
    spelled_groups,
    unused_names,
)
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
from petite.data.sources.files import files_at
from petite.data.sources.layout import natural_order, nfc
from petite.data.sources.layout_notices import note_spellings
from petite.data.sources.row_columns import GROUP, SPLIT, Said, said_of_rows
from petite.data.sources.wording import shown
from petite.data.split_names import PARTS, TEST, TRAIN, VALIDATION, split_word
from petite.util.errors import PetiteError
from petite.util.formatting import counted
from petite.util.notices import Notices

# A name that is longer is a description, and no file system takes it as the name of a folder.
LONGEST_NAME = 200
LFS_POINTER = b"version https://git-lfs"


class Row(NamedTuple):
    """A row of a part: its name in the part, its class (None: it has no label), and its bytes."""

    name: str
    class_name: str | None
    bytes: int


class Labels(NamedTuple):
    """The labels of n rows.

    Attributes
    ----------
    codes : ndarray of int32, shape (n,)
        Positions in `names`; -1 for a row without a label.
    names : list of str
    """

    codes: NDArray[np.int32]
    names: list[str]

    def classes(self) -> Iterator[str | None]:
        """Iterate over the class of each row; None without a label."""
        return (None if code < 0 else self.names[code] for code in self.codes.tolist())


class Part(ABC):
    """One file of a source (or one array in it), which is opened only while it is read.

    Parameters
    ----------
    name : str
        Differs for each part of a split; may be "".
    split : str
        train, validation, test or "".
    """

    def __init__(self, name: str, split: str) -> None:
        self.name = name.replace("/", "_")
        self.split = split

    @property
    def prefix(self) -> str:
        """What the ids of its images have between the class and the row."""
        return "/".join(filter(None, (self.split, self.name)))

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """Iterate over all rows, in the order of the file, without reading images."""

    @abstractmethod
    def texts(self, column: str) -> list[str] | None:
        """What a column says of each row, in their order; "" for nothing.

        None if the part has no such column beside images and labels (or array, or key of a .json),
        or one without text and whole numbers.
        """

    @abstractmethod
    def read(self, names: Sequence[str]) -> Iterator[tuple[str, ImageData | UnreadableEntry]]:
        """Read rows in the order of the file, with one image or one small block in memory.

        Names that are not in the part are left out.
        """


class RowSource(Source):
    """A source whose images are rows of its parts."""

    lists_in_order = True
    takes_columns = True
    has_pattern = True
    preset = "photos"
    # Suffixes of the files in a folder that are its parts.
    suffixes: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        path: Path | None,
        limits: Limits = USUAL_LIMITS,
        columns: Columns = AUTOMATIC,
    ) -> None:
        """Find the parts.

        Raises
        ------
        PetiteError
            When there are none, or one cannot be read.
        """
        assert path is not None
        super().__init__(path, limits)
        self.columns = columns
        self._opened = {file: state_of(file) for file in self.input_files(path)}
        self._parts: dict[str, Part] = {}
        for part in self.parts():
            if part.prefix in self._parts:
                raise PetiteError(
                    f"{path} has two files whose names become {part.prefix!r} in the ids of "
                    "images. Rename one"
                )
            self._parts[part.prefix] = part

    @classmethod
    def opened(cls, path: Path | None, limits: Limits, columns: Columns) -> "RowSource":
        return cls(path, limits, columns)

    @abstractmethod
    def parts(self) -> Iterable[Part]:
        """The parts, in natural order of their names."""

    @abstractmethod
    def described(self) -> str:
        """Where labels and images come from, such as "the column 'label'"."""

    @abstractmethod
    def others(self) -> Iterable[str]:
        """Name the columns, arrays or keys beside images and labels."""

    @classmethod
    def is_folder_at(cls, url: str) -> bool:
        return cls.takes_remote_folder and not url.lower().split("?")[0].endswith(cls.suffixes)

    @classmethod
    def part_files(cls, path: Path) -> list[Path]:
        """List the files at a path that are parts."""
        return files_at(path, cls.suffixes)

    @classmethod
    def input_files(cls, path: Path) -> list[Path]:
        return cls.part_files(path)

    @classmethod
    def check_path(cls, path: Path) -> None:
        if not cls.part_files(path):
            raise PetiteError(
                f"no {' or '.join(cls.suffixes)} file in {path}: the source '{cls.name}' needs "
                f"{cls.path_is}"
            )

    def entries(self) -> Iterable[Entry]:
        for prefix, part in self._parts.items():
            for name, class_name, size in part.rows():
                if class_name is not None:
                    yield Entry(_id(class_name, prefix, name), class_name, size)

    @property
    def _has_splits(self) -> bool:
        """Whether the names of the files give a split: the files of one split alone do not."""
        return len({part.split for part in self._parts.values()} - {""}) > 1

    @cached_property
    def _said(self) -> dict[str, Said]:
        """What columns say of the rows beside their labels."""
        has_splits, others = self._has_splits, list(self.others())
        return said_of_rows(self._parts, self.columns, others, has_splits, self.path)

    def _splits(self, prefix: str) -> Iterator[str]:
        """Iterate over the split of each row of a part."""
        column = self._said.get(SPLIT)
        return iter(column.texts[prefix]) if column else repeat(self._parts[prefix].split)

    @property
    def _gives_split(self) -> bool:
        """Whether a column or the names of the files give a split."""
        return SPLIT in self._said or self._has_splits

    def annotations(self) -> pd.DataFrame | None:
        if not self._gives_split and GROUP not in self._said:
            return None
        frames = []
        for prefix, part in self._parts.items():
            said: dict[str, Iterable[str]] = {}
            if self._gives_split:
                said[SPLIT] = self._splits(prefix)
            if GROUP in self._said:
                said[GROUP] = self._said[GROUP].texts[prefix]
            rows = [
                (_id(class_name, prefix, name), *others)
                for (name, class_name, _), *others in zip(part.rows(), *said.values(), strict=False)
                if class_name is not None
            ]
            frames.append(pd.DataFrame(rows, columns=["image_id", *said], dtype="str"))
        return pd.concat(frames, ignore_index=True)

    def check_labels(self, max_bad_share: float, notices: Notices | None) -> None:
        total, without, example = 0, 0, ""
        by_class: Counter[str] = Counter()
        by_split: Counter[str] = Counter()
        for prefix, part in self._parts.items():
            for row, split in zip(part.rows(), self._splits(prefix), strict=False):
                total += 1
                if row.class_name is None:
                    without += 1
                    example = example or f"row {row.name} of {part.prefix or self.path}"
                else:
                    by_class[row.class_name] += 1
                    by_split[split] += 1
        if not total:
            raise PetiteError(f"{self.path} has no rows: give a data set with images")
        if without > max_bad_share * total:
            raise PetiteError(
                f"{without:,} of {total:,} rows of {self.path} have no label, such as {example}: "
                f"more than dataset.max_bad_share, {max_bad_share:g}. Give only the files with "
                "labels, or fill the labels in"
            )
        if notices is None:
            return
        counts = [f"{name} ({by_class[name]:,})" for name in sorted(by_class, key=natural_order)]
        notices.add(f"{len(counts)} classes, by {self.described()}: {shown(counts)}")
        used = {column.column for column in self._said.values()}
        unused = [name for name in self.others() if name not in used]
        words = doubtful_words("label", "the labels", by_class)
        for text in (*minus_one(by_class), *words, *unused_names(unused)):
            notices.add(text)
        note_spellings(list(by_class), "write them in one way", notices)
        if without:
            notices.add(f"{counted(without, 'row')} without a label left out, such as {example}")
        if GROUP in self._said:
            column = self._said[GROUP]
            notices.add(
                f"{column.column!r} says which images belong together: "
                f"{counted(len(column.words()), 'group')}"
            )
            for text in spelled_groups(column.words(), column.column):
                notices.add(text)
        if self._gives_split:
            parts = [
                f"{split or 'without a split'} ({by_split[split]:,})"
                for split in (TRAIN, VALIDATION, TEST, "")
                if by_split[split]
            ]
            by = (
                repr(self._said[SPLIT].column)
                if SPLIT in self._said
                else "the names of files or arrays"
            )
            notices.add(f"a split by {by}: {', '.join(parts)}")

    def read(self, image_id: str) -> ImageData:
        for _, data in self.read_many([image_id]):
            if isinstance(data, UnreadableEntry):
                raise data
            return data
        raise self.changed(f"{image_id} is gone")

    def read_many(
        self, image_ids: Iterable[str]
    ) -> Iterator[tuple[str, ImageData | UnreadableEntry]]:
        wanted: dict[str, dict[str, str]] = {prefix: {} for prefix in self._parts}
        for image_id in image_ids:
            prefix, row = self._place(image_id)
            wanted[prefix][row] = image_id
        for prefix, id_of in wanted.items():
            found = set()
            for row, data in self._parts[prefix].read(list(id_of)) if id_of else ():
                found.add(row)
                yield id_of[row], data
            if missing := sorted(id_of.keys() - found):
                raise self.changed(f"{id_of[missing[0]]} is gone")

    def _place(self, image_id: str) -> tuple[str, str]:
        """The prefix of the part of an image, and its row there."""
        inside = image_id.partition("/")[2]
        pieces = inside.split("/")
        for length in (2, 1, 0):
            prefix = "/".join(pieces[:length])
            if prefix in self._parts and len(pieces) > length:
                return prefix, "/".join(pieces[length:])
        raise self.changed(f"{image_id} is gone")

    def check_unchanged(self) -> None:
        for file, state in self._opened.items():
            if not file.exists() or state_of(file) != state:
                raise self.changed(f"the size or the modification time of {file} differs")


def _id(class_name: str, prefix: str, row: str) -> str:
    return f"{class_name}/{prefix}/{row}" if prefix else f"{class_name}/{row}"


def numbered(names: Iterable[str]) -> list[int]:
    """The rows of names that are numbers of rows, sorted."""
    return sorted(int(name) for name in names if name.isdecimal())


# --- files


def named_parts(files: Sequence[Path]) -> Iterator[tuple[Path, str, str]]:
    """Yield each file with the name and the split of its part."""
    common = len(Path(os.path.commonpath([str(file.parent) for file in files])).parts)
    names = [file.with_suffix("").parts[common:] for file in files]
    for file, name, split in zip(files, names, splits_of(names), strict=True):
        yield file, "/".join(name), split


def splits_of(names: Sequence[Sequence[str]]) -> list[str]:
    """The splits that the names of files say, or else those of their folders.

    Parameters
    ----------
    names : sequence of sequences of str
        For each file its folders, from the outermost, and its own name.

    Returns
    -------
    list of str
        train, validation, test or "" for each.

    Examples
    --------
    >>> splits_of([["data", "train-00000-of-00002"], ["dev", "0001"], ["trainers"]])
    ['train', 'validation', '']
    """
    words = [
        next(filter(None, (split_word(name)[1] for name in reversed(path))), "") for path in names
    ]
    evaluation = VALIDATION if TEST in map(PARTS.get, words) else TEST
    return [PARTS.get(word, evaluation) if word else "" for word in words]


def state_of(file: Path) -> tuple[int, int]:
    """The size and the modification time of a file, which differ after a change."""
    status = file.stat()
    return status.st_size, status.st_mtime_ns


def damaged(file: Path, error: object) -> PetiteError:
    """Make the error for a file that cannot be read as what it is."""
    try:
        with file.open("rb") as opened:
            start = opened.read(len(LFS_POINTER))
    except OSError as problem:
        return PetiteError(f"cannot read {file}: {problem.strerror}. Give read access to it")
    if start == LFS_POINTER:
        return PetiteError(
            f"{file} is a pointer of Git LFS, not the file itself. Run `git lfs pull` in its folder"
        )
    if start.startswith(b"\x93NUMPY"):
        return PetiteError(
            f"{file} is one array (.npy): save the images with their labels, as in "
            "np.savez('data.npz', X=images, y=labels)"
        )
    reason = str(error).strip().split("\n")[0].rstrip(".")
    return PetiteError(f"{file} is damaged or cut short ({reason}). Get it again")


# --- labels


def labels_of(
    values: pa.ChunkedArray | pa.Array, names: Sequence[str] | None, column: str, where: object
) -> Labels:
    """Read labels as names of classes.

    Whole numbers are positions in `names`, if there are names: -1 then means no label, as on the
    Hugging Face hub. Without names, the numbers themselves name the classes. A null, NaN or empty
    text means none.

    Parameters
    ----------
    values : ChunkedArray or Array
    names : sequence of str or None
    column, where
        The name of the labels and their file, for messages.

    Raises
    ------
    PetiteError
        For values that are not one label each, and names that cannot be those of classes.
    """
    what = f"{where}: the labels {column!r}"
    if isinstance(values, pa.Array):
        values = pa.chunked_array([values])
    try:
        return _labels(values, names, what)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        reason = str(error).split("\n")[0].rstrip(".")
        raise PetiteError(f"{what} cannot be read ({reason}). Write them again") from error


def _labels(values: pa.ChunkedArray, names: Sequence[str] | None, what: str) -> Labels:
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    kind = values.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        raise PetiteError(
            f"{what} are lists, so an image may have several. Petite needs one class per image: "
            "name a column with single labels in dataset.columns.label"
        )
    if pa.types.is_null(kind):
        return Labels(np.full(len(values), -1, np.int32), [])
    if pa.types.is_floating(kind):
        values = _whole(values, what)
    elif not (
        pa.types.is_integer(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
    ):
        raise PetiteError(
            f"{what} have the type {kind}: labels must be text or whole numbers. Name another "
            "column in dataset.columns.label"
        )
    if names is not None and pa.types.is_integer(values.type):
        return _named(values, list(names), what)
    encoded = pa.chunked_array([values.cast(pa.large_string()).combine_chunks()])
    encoded = encoded.dictionary_encode().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0) if encoded.num_chunks else pa.array([], pa.string())
    if not len(encoded):
        return Labels(np.empty(0, np.int32), [])
    found = [_class_name(text, what) for text in encoded.dictionary.to_pylist()]
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int32)
    empty = [code for code, text in enumerate(found) if not text]
    codes[np.isin(codes, empty)] = -1
    return Labels(codes, found)


def _whole(values: pa.ChunkedArray, what: str) -> pa.ChunkedArray:
    """Numbers with a point as whole numbers; NaN becomes null."""
    numbers = values.cast(pa.float64()).to_numpy()
    known = numbers[~np.isnan(numbers)]
    odd = known[(known != np.floor(known)) | (np.abs(known) > 2**53)]
    if odd.size:
        raise PetiteError(
            f"{what} are numbers such as {odd[0]:g}: Petite needs classes, as text or whole "
            "numbers. Divide the numbers into classes, or name another column in "
            "dataset.columns.label"
        )
    whole = np.where(np.isnan(numbers), 0, numbers).astype(np.int64)
    return pa.chunked_array([pa.array(whole, mask=np.isnan(numbers))])


def _named(values: pa.ChunkedArray, names: list[str], what: str) -> Labels:
    # Nulls become -1 too.
    numbers = pc.fill_null(values.cast(pa.int64()), -1).to_numpy()
    wrong = np.flatnonzero((numbers < -1) | (numbers >= len(names)))
    if wrong.size:
        raise PetiteError(
            f"{what} have {numbers[wrong[0]]} in row {wrong[0]}, but there are names for 0 to "
            f"{len(names) - 1}. Correct the labels or the list of names"
        )
    checked = [_class_name(name, what) for name in names]
    used = np.unique(numbers[numbers >= 0])
    if empty := [int(code) for code in used if not checked[code]]:
        raise PetiteError(f"{what}: the name of label {empty[0]} is empty. Give it a name")
    return Labels(numbers.astype(np.int32), checked)


def _class_name(name: str, what: str) -> str:
    """A name in normal form C; raises PetiteError for one that cannot name a class."""
    if "/" in name or "\0" in name or name in (".", ".."):
        raise PetiteError(
            f"{what} have {name!r}, which cannot name a class, because '/' divides the ids of "
            "images. Rename the class"
        )
    if len(name) > LONGEST_NAME:
        raise PetiteError(
            f"{what} have a text of {len(name)} characters, {name[:40]!r}...: a description, not a "
            "class. Name another column in dataset.columns.label"
        )
    return nfc(name)
