"""The source `parquet`: Parquet files with a column of encoded images and a column of labels.

Such are the files of the Hugging Face hub (data/train-00000-of-00002.parquet). A job reads the row
groups that have rows of its own, in the order of the files, with some rows in memory at a time.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from petite.data.sources.base import Columns, ImageData, Limits, UnreadableEntry
from petite.data.sources.rows import (
    Part,
    Row,
    damaged,
    named_parts,
    numbered,
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

# Bytes of the images that are in memory at a time, on average.
BLOCK = 8_000_000
MOST_ROWS = 1000
BUFFER = 1_000_000


class ParquetSource(TableSource):
    """Images in the rows of a Parquet file, or of all in a folder.

    The id of an image is class/split/file/row, with the number of the row in its file.
    """

    name = "parquet"
    path_is: ClassVar[str | None] = (
        "a .parquet file with images and labels, or a folder or a pattern of them"
    )
    takes_address = True
    takes_remote_folder = True
    copied_suffixes = (".parquet",)
    suffixes = (".parquet",)

    def parts(self) -> Iterable[Part]:
        assert self.path is not None
        for file, name, split in named_parts(self.part_files(self.path)):
            yield _File(file, name, split, self.columns, self.limits)


class _File(TablePart):
    def __init__(self, file: Path, name: str, split: str, columns: Columns, limits: Limits) -> None:
        super().__init__(file, name, split)
        self._columns = columns
        self._limits = limits

    @cached_property
    def table(self) -> Table:
        """The columns of the file."""
        with self._open() as file:
            table = table_of(file.schema_arrow, self._columns, self._file)
            if _only_nulls(file, table.image_bytes):
                raise PetiteError(
                    f"{self._file}: the column {table.image!r} has no bytes, only paths of files. "
                    "Write the table with the images in it, or give the folder of the files"
                )
        return table

    def values(self, column: str) -> pa.ChunkedArray:
        try:
            with self._open() as file:
                return file.read(columns=[column]).column(0)
        except (pa.ArrowException, OSError) as error:
            raise damaged(self._file, error) from error

    def rows(self) -> Iterator[Row]:
        # The sizes are known only where the images are read.
        for row, class_name in enumerate(self._labels.classes()):
            yield Row(str(row), class_name, 0)

    def read(self, names: Sequence[str]) -> Iterator[tuple[str, ImageData | UnreadableEntry]]:
        wanted = numbered(names)
        column = self.table.image_bytes
        with self._open() as file:
            first = 0
            for group in range(file.num_row_groups):
                count = file.metadata.row_group(group).num_rows
                here = [row - first for row in wanted if first <= row < first + count]
                if here:
                    for row, data in self._read_group(file, group, column, here):
                        yield str(first + int(row)), data
                first += count

    def _read_group(
        self, file: pq.ParquetFile, group: int, column: str, wanted: list[int]
    ) -> Iterator[tuple[str, ImageData | UnreadableEntry]]:
        """Read rows, by their numbers in a row group, as a stream of some rows at a time."""
        batches = file.iter_batches(
            _rows_at_once(file, group, column), row_groups=[group], columns=[column]
        )
        start = done = 0
        try:
            while done < len(wanted):
                values = bytes_of(next(batches).column(0))
                while done < len(wanted) and wanted[done] < start + len(values):
                    row = wanted[done]
                    done += 1
                    yield str(row), image_at(values, row - start, self._limits.max_bytes)
                start += len(values)
        except (pa.ArrowException, OSError, StopIteration) as error:
            yield from unread(map(str, wanted[done:]), error)

    def _open(self) -> pq.ParquetFile:
        try:
            # Without these two settings, a whole column of a row group is read at once.
            return pq.ParquetFile(self._file, buffer_size=BUFFER, pre_buffer=False)
        except (pa.ArrowException, OSError) as error:
            raise damaged(self._file, error) from error


def _column(file: pq.ParquetFile, group: int, name: str) -> pq.ColumnChunkMetaData | None:
    chunks = file.metadata.row_group(group)
    every = (chunks.column(number) for number in range(chunks.num_columns))
    return next((chunk for chunk in every if chunk.path_in_schema == name), None)


def _only_nulls(file: pq.ParquetFile, column: str) -> bool:
    """Whether the statistics say that a column has no values."""
    for group in range(file.num_row_groups):
        chunk = _column(file, group, column)
        statistics = chunk.statistics if chunk else None
        if statistics is None or statistics.null_count != file.metadata.row_group(group).num_rows:
            return False
    return file.num_row_groups > 0


def _rows_at_once(file: pq.ParquetFile, group: int, column: str) -> int:
    chunk = _column(file, group, column)
    size = chunk.total_uncompressed_size if chunk else BLOCK
    rows = file.metadata.row_group(group).num_rows
    return int(min(MOST_ROWS, max(1, rows * BLOCK // max(1, size))))
