"""The source `huggingface`: a folder that `datasets` wrote with save_to_disk.

A Dataset is a folder with state.json, dataset_info.json and files in Arrow's stream format; a
DatasetDict is a folder with one Dataset for each split. The files are mapped into memory, and the
batches in them are read alone, so `datasets` is not needed. Pages that were read count as memory
of the process, so a file is mapped again for each batch.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from petite.data.sources.base import Columns, ImageData, Limits, UnreadableEntry
from petite.data.sources.layout import natural_order
from petite.data.sources.rows import (
    Part,
    Row,
    damaged,
    numbered,
    splits_of,
)
from petite.data.sources.tables import (
    Table,
    TablePart,
    TableSource,
    bytes_of,
    image_at,
    table_of,
    unread,
)
from petite.util.errors import PetiteError

STATE = "state.json"
INFO = "dataset_info.json"
# What a stream ends with: a file that is cut short between two batches lacks it.
END = b"\xff\xff\xff\xff\x00\x00\x00\x00"


class HuggingfaceSource(TableSource):
    """Images in a Dataset or a DatasetDict on disk.

    The id of an image is class/split/file/row, with the number of the row in its file.
    """

    name = "huggingface"
    path_is: ClassVar[str | None] = "a folder that datasets' save_to_disk wrote"
    takes_remote_folder = True
    has_pattern = False
    suffixes = (".arrow",)

    @classmethod
    def is_folder_at(cls, url: str) -> bool:
        return True

    @classmethod
    def check_path(cls, path: Path) -> None:
        if not path.is_dir():
            raise PetiteError(f"{path} is a file: the source 'huggingface' needs {cls.path_is}")
        if not _folders(path):
            raise PetiteError(
                f"no {STATE} in {path}: the source 'huggingface' needs {cls.path_is}. Write one "
                "with dataset.save_to_disk(FOLDER)"
            )

    @classmethod
    def part_files(cls, path: Path) -> list[Path]:
        return [file for folder in _folders(path) for file in _files(folder)]

    @classmethod
    def input_files(cls, path: Path) -> list[Path]:
        about = [folder / name for folder in _folders(path) for name in (STATE, INFO)]
        # One that is missing is an error of `parts`.
        return [*cls.part_files(path), *(file for file in about if file.is_file())]

    def parts(self) -> Iterable[Part]:
        assert self.path is not None
        folders = _folders(self.path)
        names = [folder.relative_to(self.path).parts for folder in folders]
        for folder, inside, split in zip(folders, names, splits_of(names), strict=True):
            features = _read_json(folder / INFO).get("features") or {}
            if not isinstance(features, dict):
                raise damaged(folder / INFO, "its features are not a mapping")
            for file in _files(folder):
                name = "/".join([*inside, file.stem])
                yield _File(file, name, split, features, self.columns, self.limits)


def _folders(path: Path) -> list[Path]:
    """The folders of the datasets in a folder, which may be one itself."""
    found = (
        [path] if (path / STATE).is_file() else [file.parent for file in path.glob(f"*/{STATE}")]
    )
    return sorted(found, key=lambda folder: natural_order(folder.name))


def _files(folder: Path) -> list[Path]:
    """The data files of a dataset, in its order; raises PetiteError if one is missing."""
    state = _read_json(folder / STATE)
    if state.get("_indices_data_files"):
        raise PetiteError(
            f"{folder} selects rows by a table of indices, as old versions of datasets write it. "
            "Load it and save it again with a present version"
        )
    listed = state.get("_data_files")
    try:
        files = [folder / entry["filename"] for entry in listed]  # type: ignore[union-attr]
    except (TypeError, KeyError):
        raise damaged(folder / STATE, "it lists no data files") from None
    for file in files:
        if not file.resolve().is_relative_to(folder.resolve()) and file.parent != folder:
            raise damaged(folder / STATE, f"{file} is not in its folder")
        if not file.is_file():
            raise PetiteError(
                f"{file} is missing, which {folder / STATE} lists. Copy the whole folder"
            )
    return files


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise PetiteError(f"{path} is missing. Copy the whole folder") from None
    except (OSError, ValueError) as error:
        raise damaged(path, error) from error
    if not isinstance(content, dict):
        raise damaged(path, "it is not a mapping")
    return content


class _Batch(NamedTuple):
    """Where a batch of rows begins in its file (bytes), and its first row."""

    offset: int
    first: int


class _File(TablePart):
    def __init__(
        self,
        file: Path,
        name: str,
        split: str,
        features: dict[str, Any],
        columns: Columns,
        limits: Limits,
    ) -> None:
        super().__init__(file, name, split)
        self._features = features
        self._columns = columns
        self._limits = limits

    @cached_property
    def _schema(self) -> pa.Schema:
        try:
            with pa.memory_map(str(self._file)) as mapped, pa.ipc.open_stream(mapped) as stream:
                return stream.schema
        except (pa.ArrowException, OSError) as error:
            raise damaged(self._file, error) from error

    @cached_property
    def table(self) -> Table:
        """The columns of the file."""
        return table_of(self._schema, self._columns, self._file, self._features)

    @cached_property
    def _batches(self) -> list[_Batch]:
        """The batches of the file, found by one pass that reads no images."""
        found, rows = [], 0
        try:
            self._check_end()
            with pa.memory_map(str(self._file)) as mapped:
                stream = pa.ipc.open_stream(mapped)
                while True:
                    offset = mapped.tell()
                    try:
                        batch = stream.read_next_batch()
                    except StopIteration:
                        break
                    found.append(_Batch(offset, rows))
                    rows += batch.num_rows
                    del batch
        except (pa.ArrowException, OSError) as error:
            raise damaged(self._file, error) from error
        return found

    def _check_end(self) -> None:
        with self._file.open("rb") as file:
            file.seek(-len(END), 2)
            if file.read() != END:
                raise OSError("no end mark after the last batch")

    def _read_batch(self, batch: _Batch) -> pa.RecordBatch:
        """Map the file and read a batch of it, whose columns are not copied."""
        mapped = pa.memory_map(str(self._file))
        mapped.seek(batch.offset)
        return pa.ipc.read_record_batch(pa.ipc.read_message(mapped), self._schema)

    def values(self, column: str) -> pa.ChunkedArray:
        try:
            columns = []
            for batch in self._batches:
                values = self._read_batch(batch).column(column)
                values.validate(full=True)
                # A copy, so that the map can be closed.
                columns.append(pa.concat_arrays([values, values[:0]]))
        except (pa.ArrowException, OSError) as error:
            raise damaged(self._file, error) from error
        return pa.chunked_array(columns, self._schema.field(column).type)

    def rows(self) -> Iterator[Row]:
        classes = self._labels.classes()
        for batch in self._batches:
            try:
                sizes = pc.fill_null(pc.binary_length(self._images(batch)), 0).to_pylist()
            except (pa.ArrowException, OSError) as error:
                raise damaged(self._file, error) from error
            for row, size in enumerate(sizes, start=batch.first):
                yield Row(str(row), next(classes), size)

    def _images(self, batch: _Batch) -> pa.Array:
        """The bytes of the images of a batch, whose positions are checked."""
        values = bytes_of(self._read_batch(batch).column(self.table.image))
        # Wrong positions in a damaged file would lead out of the map.
        values.validate(full=True)
        return values

    def read(self, names: Sequence[str]) -> Iterator[tuple[str, ImageData | UnreadableEntry]]:
        wanted = numbered(names)
        firsts = [batch.first for batch in self._batches]
        places = np.searchsorted(firsts, wanted, side="right") - 1
        for number in np.unique(places) if wanted else ():
            batch = self._batches[number]
            here = [row for row, place in zip(wanted, places, strict=True) if place == number]
            try:
                values = self._images(batch)
            except (pa.ArrowException, OSError) as error:
                yield from unread(map(str, here), error)
                continue
            for row in here:
                if row - batch.first < len(values):
                    yield str(row), image_at(values, row - batch.first, self._limits.max_bytes)
