"""The source `webdataset`: tar files in which the files of an image share a key.

The key is the name up to the first dot: 000001.jpg is an image and 000001.cls its label. The label
is the text or number in the .cls, a value in the .json, or the text in the .txt. One pass over a
tar's headers finds where its files begin, and an image is read from there.
"""

import json
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from petite.data.sources.archive import DAMAGED, CheckedTarInfo, Refused
from petite.data.sources.base import Columns, ImageData, Limits, UnreadableEntry, check_bytes
from petite.data.sources.layout import is_hidden
from petite.data.sources.row_columns import texts_of
from petite.data.sources.rows import Labels, Part, Row, RowSource, damaged, labels_of, named_parts
from petite.data.sources.tables import LABEL_NAMES
from petite.data.sources.wording import shown
from petite.util.errors import PetiteError

IMAGE_SUFFIXES = {
    *("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "ppm", "pgm", "pbm", "pnm"),
    *("avif", "jp2", "img", "image"),
}
CLASS, JSON, TEXT = "cls", "json", "txt"
NAMES_OF_CLASSES = ("classnames.txt", "classes.txt")
LONGEST_LABEL = 10_000_000  # bytes
KEY = re.compile(r"((?:.*/)?[^/.]+)\.([^/]+)")
MOST_KEPT = 1000  # headers that the standard library keeps in memory


class WebdatasetSource(RowSource):
    """Images in tars with their labels, as the library webdataset reads them.

    The id of an image is class/split/tar/key.
    """

    name = "webdataset"
    path_is: ClassVar[str | None] = (
        "a folder or a pattern of .tar files, with an image and its label under one key"
    )
    takes_address = True
    takes_remote_folder = True
    copied_suffixes = (".tar", ".txt")
    suffixes = (".tar",)

    @classmethod
    def input_files(cls, path: Path) -> list[Path]:
        names = _file_of_names(path)
        return [*cls.part_files(path), *([names] if names else [])]

    def parts(self) -> Iterable[Part]:
        assert self.path is not None
        names = _class_names(self.path)
        for file, name, split in named_parts(self.part_files(self.path)):
            yield _Tar(file, name, split, names, self.columns, self.limits)

    def described(self) -> str:
        first = next(iter(self._parts.values()))
        assert isinstance(first, _Tar)
        return first.described()

    def others(self) -> Iterable[str]:
        first = next(iter(self._parts.values()))
        assert isinstance(first, _Tar)
        return first.others()


def _file_of_names(path: Path) -> Path | None:
    """The file next to the tars with the names of classes; None without one."""
    files = [path / name for name in NAMES_OF_CLASSES] if path.is_dir() else []
    return next((file for file in files if file.is_file()), None)


def _class_names(path: Path) -> list[str] | None:
    """The names of classes in a file next to the tars, one a line; None without one."""
    file = _file_of_names(path)
    if file is None:
        return None
    try:
        return file.read_text("utf-8-sig").rstrip("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise damaged(file, error) from error


class _Place(NamedTuple):
    """Where a file begins in its tar, and its size, in bytes."""

    offset: int
    size: int


class _Index(NamedTuple):
    """The images of a tar.

    Attributes
    ----------
    keys : list of str
    offsets, sizes : ndarray of int64
        Of the images; the size is -1 for a key without one.
    labels : Labels
    label : str
        Where the labels come from: a suffix, or a key of the .json.
    others : list of str
        The other keys of the first .json.
    """

    keys: list[str]
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]
    labels: Labels
    label: str
    others: list[str]


class _Tar(Part):
    def __init__(
        self,
        file: Path,
        name: str,
        split: str,
        class_names: list[str] | None,
        columns: Columns,
        limits: Limits,
    ) -> None:
        super().__init__(name, split)
        self._file = file
        self._class_names = class_names
        self._columns = columns
        self._limits = limits

    def described(self) -> str:
        return f"{self._index.label!r} in the tars"

    def others(self) -> list[str]:
        """Name the keys of the .json beside that of the labels."""
        return self._index.others

    def texts(self, column: str) -> list[str] | None:
        values = [
            self._about(key, files[JSON]).get(column) if JSON in files else None
            for key, files in self._found_groups().items()
        ]
        if all(value is None for value in values):
            return None
        if any(isinstance(value, list | dict) for value in values):
            return None
        return texts_of(_as_array(values, column, self._file), column, self._file)

    def _about(self, key: str, place: _Place) -> Mapping[str, object]:
        """The .json of a key; {} for a list or text, as the labels may be elsewhere."""
        try:
            return self._json(key, place)
        except PetiteError:
            return {}

    def rows(self) -> Iterator[Row]:
        index = self._index
        sizes = np.maximum(index.sizes, 0).tolist()
        yield from map(Row, index.keys, index.labels.classes(), sizes)

    def read(self, names: Sequence[str]) -> Iterator[tuple[str, ImageData | UnreadableEntry]]:
        index = self._index
        row_of = {key: row for row, key in enumerate(index.keys)}
        wanted = sorted(row_of[name] for name in names if name in row_of)
        with self._file.open("rb") as file:
            for row in wanted:
                yield index.keys[row], self._image(file, int(index.offsets[row]), index.sizes[row])

    def _image(self, file: Any, offset: int, size: int) -> ImageData | UnreadableEntry:
        if size < 0:
            return UnreadableEntry("unreadable: no image with this key in the tar")
        try:
            check_bytes(size, self._limits.max_bytes)
            file.seek(offset)
            data = file.read(size)
        except UnreadableEntry as problem:
            return problem
        except OSError as error:
            return UnreadableEntry(f"unreadable: {error.strerror or error}")
        if len(data) < size:
            return UnreadableEntry("unreadable: the tar is cut short")
        return bytes(data)

    @cached_property
    def _index(self) -> _Index:
        """The images of the tar, by one pass over its headers that reads only labels."""
        groups = self._found_groups()
        images = [self._image_of(key, files) for key, files in groups.items()]
        if groups and all(place is None for place in images):
            suffixes = sorted({suffix for files in groups.values() for suffix in files})
            raise PetiteError(
                f"{self._file} has no images: its files end in {shown(suffixes)}. Name the suffix "
                "of the images in dataset.columns.image"
            )
        values, label = self._label_values(groups)
        places = [place or _Place(0, -1) for place in images]
        return _Index(
            list(groups),
            np.array([place.offset for place in places], np.int64),
            np.array([place.size for place in places], np.int64),
            labels_of(_as_array(values, label, self._file), self._class_names, label, self._file),
            label,
            self._keys_beside(groups, label),
        )

    def _keys_beside(self, groups: dict[str, dict[str, _Place]], label: str) -> list[str]:
        """The keys of the first .json but for that of the labels; none of a list or text."""
        if not any(JSON in files for files in groups.values()):
            return []
        key, place = next((key, files[JSON]) for key, files in groups.items() if JSON in files)
        return [name for name in self._about(key, place) if name != label]

    def _found_groups(self) -> dict[str, dict[str, _Place]]:
        """The files of each key by suffix; raises PetiteError for a damaged or hostile tar."""
        try:
            return self._groups()
        except Refused as refusal:
            name, reason = refusal.args
            raise PetiteError(
                f"{self._file} is refused for its entry {name!r}: {reason}. Write the tar again"
            ) from None
        except DAMAGED as error:
            raise self._unreadable(error) from error

    def _groups(self) -> dict[str, dict[str, _Place]]:
        """The files of each key by suffix."""
        groups: dict[str, dict[str, _Place]] = {}
        with tarfile.open(self._file, "r:", tarinfo=CheckedTarInfo) as tar:
            for info in tar:
                headers = cast(Any, tar).members
                if len(headers) > MOST_KEPT:
                    headers.clear()
                match = KEY.fullmatch(info.name.removeprefix("./"))
                if not info.isreg() or not match or any(map(is_hidden, match[0].split("/"))):
                    continue
                key, suffix = match[1], match[2].lower()
                if info.issparse():
                    raise Refused(info.name, "a sparse file")
                try:
                    key.encode()
                except UnicodeEncodeError:
                    raise Refused(info.name, "a name that is not valid UTF-8") from None
                files = groups.setdefault(key, {})
                if suffix in files:
                    raise Refused(info.name, "in the tar twice")
                files[suffix] = _Place(info.offset_data, info.size)
            end = tar.offset
        with self._file.open("rb") as file:
            # The standard library takes a damaged header for the end.
            file.seek(end)
            if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise tarfile.ReadError("no end mark after the last file")
        return groups

    def _unreadable(self, error: Exception) -> PetiteError:
        with self._file.open("rb") as file:
            start = file.read(6)
        if start.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")):
            return PetiteError(
                f"{self._file} is compressed, so an image in it cannot be read alone. Decompress it"
            )
        return damaged(self._file, error)

    def _image_of(self, key: str, files: dict[str, _Place]) -> _Place | None:
        """The image of a key; None without one."""
        if self._columns.image is not None:
            return files.get(self._columns.image.lower())
        found = [suffix for suffix in files if suffix.rsplit(".", 1)[-1] in IMAGE_SUFFIXES]
        plain = [suffix for suffix in found if "." not in suffix]
        for some in (found, plain):
            if len(some) == 1:
                return files[some[0]]
        if not found:
            return None
        raise PetiteError(
            f"{self._file} has several images with the key {key!r}: {shown(sorted(found))}. Name "
            "the suffix in dataset.columns.image"
        )

    def _label_values(self, groups: dict[str, dict[str, _Place]]) -> tuple[list[Any], str]:
        """The label of each key, None where it is missing, and where they come from."""
        suffixes = {suffix for files in groups.values() for suffix in files}
        wanted = self._columns.label
        if wanted is not None and wanted.lower() in suffixes:
            suffix, field = wanted.lower(), None
        elif wanted is not None:
            suffix, field = JSON, wanted
        elif CLASS in suffixes:
            suffix, field = CLASS, None
        elif JSON in suffixes:
            suffix, field = JSON, self._field(groups)
        else:
            suffix, field = TEXT, None
        if groups and suffix not in suffixes:
            what = f"no suffix and no .json with {wanted!r}" if wanted else "no labels"
            raise PetiteError(
                f"{self._file} has {what}: its files end in {shown(sorted(suffixes))}. There must "
                "be a .cls, .json or .txt for each image, or name the suffix of the labels in "
                "dataset.columns.label"
            )
        values = [
            self._value(key, files[suffix], field) if suffix in files else None
            for key, files in groups.items()
        ]
        if field and groups and all(value is None for value in values):
            raise PetiteError(
                f"{self._file}: no .json has the key {field!r} (dataset.columns.label). The first "
                f"has {shown(sorted(self._first_json(groups)))}"
            )
        return values, field or suffix

    def _field(self, groups: dict[str, dict[str, _Place]]) -> str:
        """The key of the labels in the .json files, by the first of them."""
        keys = self._first_json(groups)
        found = [key for key in keys if key.lower() in LABEL_NAMES or key.lower() == CLASS]
        if len(found) == 1:
            return found[0]
        problem = f"several keys of labels: {shown(found)}" if found else "no key of labels"
        raise PetiteError(
            f"{self._file}: the first .json has {problem}; its keys are {shown(sorted(keys))}. "
            "Name one in dataset.columns.label"
        )

    def _first_json(self, groups: dict[str, dict[str, _Place]]) -> dict[str, Any]:
        key, place = next((key, files[JSON]) for key, files in groups.items() if JSON in files)
        return self._json(key, place)

    def _value(self, key: str, place: _Place, field: str | None) -> Any:
        if field is not None:
            return self._json(key, place).get(field)
        text = self._text(key, place).strip()
        is_number = re.fullmatch(r"0|-?[1-9]\d{0,17}", text)
        return int(text) if is_number else text

    def _json(self, key: str, place: _Place) -> dict[str, Any]:
        try:
            content = json.loads(self._text(key, place))
        except ValueError as error:
            raise damaged(self._file, f"{key}.json: {error}") from error
        if not isinstance(content, dict):
            raise damaged(self._file, f"{key}.json is not a mapping")
        return content

    def _text(self, key: str, place: _Place) -> str:
        if place.size > LONGEST_LABEL:
            raise PetiteError(
                f"{self._file}: the label of {key!r} has {place.size / 1e6:.0f} MB. Name another "
                "suffix in dataset.columns.label"
            )
        with self._file.open("rb") as file:
            file.seek(place.offset)
            try:
                return file.read(place.size).decode("utf-8")
            except UnicodeDecodeError as error:
                raise damaged(self._file, f"the label of {key}: {error}") from error


def _as_array(values: list[Any], column: str, where: Path) -> pa.Array:
    """Values as an array: of one type, or as text; raises PetiteError for invalid Unicode."""
    try:
        try:
            return pa.array(values)
        except (pa.ArrowException, OverflowError):
            texts = [None if value is None else str(value) for value in values]
            return pa.array(texts, pa.string())
    except UnicodeEncodeError as error:
        raise damaged(where, f"{column}: {error}") from error
