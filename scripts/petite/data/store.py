"""The store of decoded images: uint8 pixels in `.npy` shards, one index, one manifest.

This is the one module that knows the format. A store is a folder with

- `shards/1-of-2.npy` ...: uint8 (rows, size, size, channels); the row of an entry that could not be
  read stays black, and nothing refers to it;
- `index.parquet`: a row for every entry of the source, with its shard and row or why it has none;
- `manifest.json`: classes, sizes, and the shards with their rows and SHA-256.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.lib import format as npy
from numpy.typing import DTypeLike, NDArray

from petite.util.errors import DamagedFiles, PetiteError
from petite.util.files import atomic_path, read_json, read_table, sha256_of

FORMAT = 1
# Each open map holds a file open, of which a process may have about a thousand.
OPEN_SHARDS = 256
MEND = "Run again: the workflow makes it anew."


class ShardWriter:
    """Writes the rows of a shard in any order; made by `shard_writer`."""

    def __init__(
        self, file: BinaryIO, rows: int, row_shape: tuple[int, ...], dtype: DTypeLike = np.uint8
    ) -> None:
        self._file = file
        self._rows = rows
        self._row_shape = row_shape
        self._dtype = np.dtype(dtype)
        shape = (rows, *row_shape)
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": shape}
        npy.write_array_header_1_0(file, header)
        self._begin = file.tell()
        file.truncate(self._begin + int(np.prod(shape)) * self._dtype.itemsize)

    def write(self, row: int, values: NDArray[Any]) -> None:
        """Write one row: the pixels of an image, or its embedding."""
        if values.shape != self._row_shape or values.dtype != self._dtype:
            raise ValueError(f"{values.dtype} {values.shape} in a shard of {self._row_shape}")
        if not 0 <= row < self._rows:
            raise IndexError(f"row {row} of {self._rows}")
        self._file.seek(self._begin + row * values.nbytes)
        self._file.write(np.ascontiguousarray(values).data)


@contextmanager
def shard_writer(
    path: Path, rows: int, row_shape: tuple[int, ...], dtype: DTypeLike = np.uint8
) -> Iterator[ShardWriter]:
    """Make a shard with room for `rows` images (height, width, channels), black until written.

    Or for other rows of one shape, 0 until written.

    The file gets its name when the block ends well. It is written, not mapped into memory, so that
    a full disk is an error that can be told and not the end of the process.
    """
    need = rows * int(np.prod(row_shape)) * np.dtype(dtype).itemsize
    with atomic_path(path, need) as temporary, temporary.open("wb") as file:
        yield ShardWriter(file, rows, row_shape, dtype)


def write_shard(path: Path, images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> None:
    """Write a whole shard, uint8 (rows, height, width, channels), at least one row."""
    with shard_writer(path, len(images), images[0].shape) as shard:
        for row, pixels in enumerate(images):
            shard.write(row, pixels)


def shard_record(path: Path, store: Path) -> dict[str, Any]:
    """What the manifest of the store in folder `store` says of a shard: file, rows, SHA-256."""
    try:
        shape, _ = _read_header(path)
    except ValueError as error:
        raise DamagedFiles(f"{path} is no shard of a store ({error}). {MEND}", [path]) from error
    return {
        "file": Path(os.path.relpath(path, store)).as_posix(),
        "rows": shape[0],
        "sha256": sha256_of(path),
    }


class Store:
    """Reads a store, image by image.

    Shards are read and not mapped into memory: mapped pages would count as memory of the process,
    and a disk that fails would end it without a word.
    """

    def __init__(self, manifest_path: Path) -> None:
        """Open the store and check that its shards are whole by size and shape.

        Raises PetiteError where a file is missing, of another version, or not as the manifest says.
        A shard's SHA-256 is checked when it is first read from, which takes 0.1 s for 157 MB.
        """
        self.path = Path(manifest_path)
        if not self.path.is_file():
            raise PetiteError(f"there is no store at {self.path}: run the workflow to make it")
        self.manifest: dict[str, Any] = read_json(self.path)
        if self.manifest.get("format") != FORMAT:
            raise DamagedFiles(
                f"{self.path} has format {self.manifest.get('format')}, not {FORMAT}: it was "
                f"made by another version of Petite. {MEND}",
                [self.path],
            )
        self.classes: list[str] = self.manifest["classes"]
        self.image_size: int = self.manifest["image_size"]
        self.channels: int = self.manifest["channels"]
        self._shards = [self.path.parent / shard["file"] for shard in self.manifest["shards"]]
        for path, shard in zip(self._shards, self.manifest["shards"], strict=True):
            self._check_shape(path, shard["rows"])
        self._open_shard = lru_cache(OPEN_SHARDS)(self._opened)
        self._verified: set[int] = set()

    @classmethod
    def open(cls, manifest_path: Path) -> Self:
        """The store of this manifest; see `__init__`."""
        return cls(manifest_path)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one image: (height, width, channels)."""
        return self.image_size, self.image_size, self.channels

    @cached_property
    def index(self) -> pd.DataFrame:
        """All entries of the source, read or not, in listing order.

        Columns: image_id, class_name, label (int16, position in `classes`), status ("ok",
        "set_aside" or "beyond_limit"), reason, sha256, phash (uint64), width and height (of the
        original, upright), bytes, shard (int32) and row (int64; -1 where set aside), copy_group.
        """
        return read_table(self.path.parent / "index.parquet")

    def positions(self, image_ids: Iterable[str]) -> NDArray[np.int64]:
        """Rows of the index of these images; KeyError for an unknown id."""
        # With Arrow's tables of what is wanted: a Python object for each image of a large store
        # would take a hundred bytes.
        wanted = pa.array(image_ids, pa.large_string()).dictionary_encode()
        found = pc.index_in(self._places["image_id"], value_set=wanted.dictionary)
        rows = np.flatnonzero(found.is_valid())
        position_of = np.full(len(wanted.dictionary), -1, dtype=np.int64)
        position_of[found.drop_null().to_numpy()] = rows
        positions = position_of[wanted.indices.to_numpy()]
        if (positions < 0).any():
            missing = np.flatnonzero(positions < 0)
            name = wanted[int(missing[0])].as_py()
            raise KeyError(f"{len(missing)} ids are not in {self.path}, such as {name!r}")
        return positions

    def images(self, which: Sequence[str] | NDArray | pd.Series) -> NDArray[np.uint8]:
        """Read images in the order asked for: uint8 (n, height, width, channels).

        `which` holds image ids, or positions: rows of the index. Raises KeyError for an unknown id
        and for an image that is set aside.
        """
        wanted = np.asarray(which)
        if len(wanted) == 0:
            return np.empty((0, *self.shape), dtype=np.uint8)
        positions = wanted if wanted.dtype.kind in "iu" else self.positions(wanted)
        shards, rows = self._shard_of[positions], self._row_of[positions]
        if (shards < 0).any():
            image_id = self._places["image_id"][int(positions[shards < 0][0])].as_py()
            raise KeyError(f"{image_id!r} is set aside and has no pixels in {self.path}")
        images = np.empty((len(positions), *self.shape), dtype=np.uint8)
        for image, shard, row in zip(images, shards.tolist(), rows.tolist(), strict=True):
            if not self._open_shard(shard).read_into(image, row):
                path = self._shards[shard]
                raise self._damaged(path, f"{path} ends within row {row}.")
        return images

    def iter_batches(
        self, which: Sequence[str] | NDArray | pd.Series, batch_size: int
    ) -> Iterator[NDArray[np.uint8]]:
        """Read images `batch_size` at a time; the last batch may be smaller. See `images`."""
        wanted = np.asarray(which)
        for start in range(0, len(wanted), batch_size):
            yield self.images(wanted[start : start + batch_size])

    def shard_tables(self) -> list[Path]:
        """For each shard the table beside it, whose row i says which image row i of it is."""
        return [path.with_suffix(".parquet") for path in self._shards]

    def verify(self) -> None:
        """Read all shards and compare their SHA-256; raises DamagedFiles for one that differs."""
        for shard in range(len(self._shards)):
            self._verify(shard)

    def _verify(self, shard: int) -> None:
        path = self._shards[shard]
        if sha256_of(path) != self.manifest["shards"][shard]["sha256"]:
            raise self._damaged(path, f"{path} is not as it was written: its SHA-256 differs.")
        self._verified.add(shard)

    def _damaged(self, shard: Path, message: str) -> DamagedFiles:
        """The manifest goes with the shard: the workflow does not look behind one that is there."""
        return DamagedFiles(f"{message} {MEND}", [shard, self.path])

    @cached_property
    def _places(self) -> pa.Table:
        """Where each entry's pixels are: the columns of the index that reading them takes."""
        columns = ["image_id", "shard", "row"]
        return pq.read_table(self.path.parent / "index.parquet", columns=columns)

    @cached_property
    def _shard_of(self) -> NDArray[np.int32]:
        return self._places["shard"].to_numpy()

    @cached_property
    def _row_of(self) -> NDArray[np.int64]:
        return self._places["row"].to_numpy()

    def _opened(self, shard: int) -> "_Shard":
        if shard not in self._verified:
            self._verify(shard)
        return _Shard(self._shards[shard])

    def _check_shape(self, path: Path, rows: int) -> None:
        """Raise DamagedFiles unless the file is a whole shard of so many rows."""
        if not path.is_file():
            raise self._damaged(path, f"the shard {path} is missing, which {self.path} names.")
        try:
            shape, begin = _read_header(path)
        except ValueError as error:
            raise self._damaged(path, f"{path} is no shard of a store ({error}).") from error
        if shape != (rows, *self.shape):
            raise self._damaged(
                path, f"{path} holds {shape} pixels where {self.path} says {(rows, *self.shape)}."
            )
        expected = begin + int(np.prod(shape))
        if path.stat().st_size != expected:
            raise self._damaged(
                path, f"{path} has {path.stat().st_size} bytes where {expected} are due."
            )


class _Shard:
    """A shard's file, open as long as the object lives."""

    def __init__(self, path: Path) -> None:
        _, self._begin = _read_header(path)
        self._file = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        os.close(self._file)

    def read_into(self, image: NDArray[np.uint8], row: int) -> bool:
        """Fill an array of one image's shape with the image of this row; False where it is cut."""
        read = os.preadv(self._file, [image.data], self._begin + row * image.nbytes)
        return read == image.nbytes


def _read_header(path: Path) -> tuple[tuple[int, ...], int]:
    """Shape of a shard, and where in the file its pixels begin; ValueError where it is none."""
    with path.open("rb") as file:
        if npy.read_magic(file) != (1, 0):
            raise ValueError("not in version 1.0 of the format")
        shape, fortran_order, dtype = npy.read_array_header_1_0(file)
        if fortran_order or dtype != np.uint8:
            raise ValueError(f"{dtype} pixels")
        return shape, file.tell()
