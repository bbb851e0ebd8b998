"""The store of decoded images: uint8 pixels in `.npy` shards, one index, one manifest.

Only this module knows the format. A store is a folder with

- `shards/1-of-2.npy` ...: uint8 (rows, size, size, channels); the row of an entry that could not be
  read stays black, and nothing refers to it;
- `index.parquet`: a row for every entry of the source, with its shard and row, or the reason why it
  has no pixels;
- `manifest.json`: a `Manifest`.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Self, TypedDict

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
# A process may have about a thousand open files.
OPEN_SHARDS = 256
SHARD_DIGEST = "shard_sha256"  # attribute of the table next to a shard
REMEDY = "Run again: the workflow makes it again."


class ShardRecord(TypedDict):
    """A shard in the manifest: its file (relative to the store), its rows and its SHA-256."""

    file: str
    rows: int
    sha256: str


class Content(TypedDict):
    """The content of manifest.json without its digest."""

    format: int
    classes: list[str]
    image_size: int
    channels: int
    shards: list[ShardRecord]
    counts: dict[str, dict[str, int]]  # of each class: images by status
    settings: dict[str, Any]


class Manifest(Content):
    """The content of manifest.json."""

    digest: str


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
    """Make a shard, whose rows are 0 (images are black) until they are written.

    The file gets its name when the block succeeds. It is written, not mapped into memory, so that
    a full disk is an error and does not end the process.

    Parameters
    ----------
    path : Path
        The file.
    rows : int
        The number of images.
    row_shape : tuple of int
        (height, width, channels) of images, (dimensions,) of embeddings.
    dtype : dtype
        Of the values.

    Yields
    ------
    ShardWriter
    """
    need = rows * int(np.prod(row_shape)) * np.dtype(dtype).itemsize
    with atomic_path(path, need) as temporary, temporary.open("wb") as file:
        yield ShardWriter(file, rows, row_shape, dtype)


def write_shard(path: Path, images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> None:
    """Write a whole shard.

    Parameters
    ----------
    path : Path
        The file.
    images : ndarray of uint8, shape (rows, height, width, channels), or a sequence of images
        One row or more.
    """
    with shard_writer(path, len(images), images[0].shape) as shard:
        for row, pixels in enumerate(images):
            shard.write(row, pixels)


def shard_record(path: Path, store: Path) -> ShardRecord:
    """Describe a shard for the manifest.

    Parameters
    ----------
    path : Path
        The shard.
    store : Path
        The folder of the store.

    Raises
    ------
    DamagedFiles
        When the file is not a shard.
    """
    try:
        shape, _ = _read_header(path)
    except ValueError as error:
        raise DamagedFiles(
            f"{path} is not a shard of a store ({error}). {REMEDY}", [path]
        ) from error
    return {
        "file": Path(os.path.relpath(path, store)).as_posix(),
        "rows": shape[0],
        "sha256": sha256_of(path),
    }


def checked_shard(rows: Path, store: Path) -> ShardRecord:
    """The `shard_record` of the shard next to its table, which has its digest.

    Parameters
    ----------
    rows : Path
        The table; the shard has the same name with the suffix .npy.
    store : Path
        Folder of the store.

    Raises
    ------
    DamagedFiles
        If the shard's pixels are not those that were written with the table.
    """
    pixels = rows.with_suffix(".npy")
    record = shard_record(pixels, store)
    attributes = json.loads((pq.read_schema(rows).metadata or {}).get(b"PANDAS_ATTRS", "{}"))
    if record["sha256"] != attributes.get(SHARD_DIGEST):
        raise DamagedFiles(
            f"{pixels} changed after it was written: its SHA-256 differs. {REMEDY}", [pixels, rows]
        )
    return record


class Store:
    """Reads images from a store.

    Shards are not mapped into memory: mapped pages would count as memory of the process, and a
    failing disk would end it without a message.

    Parameters
    ----------
    manifest_path : Path
        manifest.json of the store.
    pixels : sequence of ShardRecord, optional
        Shards with other pixels of the same images, such as encoded and decoded ones.

    Attributes
    ----------
    path : Path
        The manifest's path.
    manifest : Manifest
    classes : list of str
        The names of the labels.
    image_size : int
        Side of the images, pixels.
    channels : int
        1 for grayscale, 3 for RGB.

    Raises
    ------
    PetiteError
        When a file is missing, of another version, or not as the manifest says.
    """

    def __init__(self, manifest_path: Path, pixels: Sequence[ShardRecord] | None = None) -> None:
        """Open the store and check the size and shape of its shards.

        A shard's SHA-256 is checked when it is first read, which takes 0.1 s for 157 MB.
        """
        self.path = Path(manifest_path)
        if not self.path.is_file():
            raise PetiteError(f"no store at {self.path}: run the workflow to make it")
        self.manifest: Manifest = read_json(self.path)
        if self.manifest.get("format") != FORMAT:
            raise DamagedFiles(
                f"{self.path} has format {self.manifest.get('format')}, not {FORMAT}: another "
                f"version of Petite made it. {REMEDY}",
                [self.path],
            )
        self.classes: list[str] = self.manifest["classes"]
        self.image_size: int = self.manifest["image_size"]
        self.channels: int = self.manifest["channels"]
        self._has_own_pixels = pixels is None
        self._records = self.manifest["shards"] if pixels is None else list(pixels)
        self._shards = [self.path.parent / shard["file"] for shard in self._records]
        for path, shard in zip(self._shards, self.manifest["shards"], strict=True):
            self._check_shape(path, shard["rows"])
        self._open_shard = lru_cache(OPEN_SHARDS)(self._opened)
        self._verified: set[int] = set()

    @classmethod
    def open(cls, manifest_path: Path) -> Self:
        """Open the store of a manifest; see `Store`."""
        return cls(manifest_path)

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of one image: (height, width, channels)."""
        return self.image_size, self.image_size, self.channels

    @cached_property
    def index(self) -> pd.DataFrame:
        """All entries of the source, readable or not, in the order of the listing.

        Columns: image_id, class_name, label (int16, position in `classes`), status ("ok",
        "set_aside" or "beyond_limit"), reason, sha256, phash (uint64), width and height (of the
        original, upright), bytes, format (of the file, such as JPEG; "" where the source gives
        pixels), has_exif, shard (int32) and row (int64; both -1 if set aside), copy_group (the same
        number for duplicates).
        """
        return read_table(self.path.parent / "index.parquet")

    def positions(self, image_ids: Iterable[str]) -> NDArray[np.int64]:
        """Find images in the index.

        Parameters
        ----------
        image_ids : iterable of str, length n

        Returns
        -------
        ndarray of int64, shape (n,)
            Rows of the index.

        Raises
        ------
        KeyError
            For an unknown id.
        """
        # With Arrow's arrays: a Python object for each image of a large store would take 100 bytes.
        ids = pa.array(image_ids, pa.large_string())
        # A Series of Arrow's strings may be in chunks, as of a table that was read or joined.
        whole = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
        wanted = whole.dictionary_encode()
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
        """Read images.

        Parameters
        ----------
        which : array-like of str or int, shape (n,)
            Image ids, or rows of the index.

        Returns
        -------
        ndarray of uint8, shape (n, height, width, channels)
            In the order of `which`.

        Raises
        ------
        KeyError
            For an unknown id, and for an image that is set aside.
        DamagedFiles
            When a shard is cut short, or its SHA-256 is not that of the manifest.
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
        """The table next to each shard; both have one row for each image, in the same order."""
        return [path.with_suffix(".parquet") for path in self._shards]

    def verify(self) -> None:
        """Compare the SHA-256 of all shards with the manifest.

        Raises
        ------
        DamagedFiles
            For a shard that differs.
        """
        for shard in range(len(self._shards)):
            self._verify(shard)

    def _verify(self, shard: int) -> None:
        path = self._shards[shard]
        if sha256_of(path) != self._records[shard]["sha256"]:
            raise self._damaged(path, f"{path} was changed or damaged: its SHA-256 differs.")
        self._verified.add(shard)

    def _damaged(self, shard: Path, message: str) -> DamagedFiles:
        """The error that removes the shard and the manifest, without which shards are remade."""
        manifest = [self.path] if self._has_own_pixels else []
        return DamagedFiles(f"{message} {REMEDY}", [shard, *manifest])

    @cached_property
    def _places(self) -> pa.Table:
        """The columns of the index that say where the pixels of each entry are."""
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
        """Raise DamagedFiles if the file is not a whole shard of this many rows."""
        if not path.is_file():
            raise self._damaged(path, f"{path}, a shard of {self.path}, is missing.")
        try:
            shape, begin = _read_header(path)
        except ValueError as error:
            raise self._damaged(path, f"{path} is not a shard of a store ({error}).") from error
        if shape != (rows, *self.shape):
            raise self._damaged(
                path, f"{path} holds {shape} pixels where {self.path} says {(rows, *self.shape)}."
            )
        expected = begin + int(np.prod(shape))
        if path.stat().st_size != expected:
            raise self._damaged(
                path, f"{path} has {path.stat().st_size} bytes, and should have {expected}."
            )


class _Shard:
    """The open file of a shard, which is closed with the object."""

    def __init__(self, path: Path) -> None:
        _, self._begin = _read_header(path)
        self._file = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        os.close(self._file)

    def read_into(self, image: NDArray[np.uint8], row: int) -> bool:
        """Read the image of a row into an array of its shape; False if the file ends before."""
        read = os.preadv(self._file, [image.data], self._begin + row * image.nbytes)
        return read == image.nbytes


def _read_header(path: Path) -> tuple[tuple[int, ...], int]:
    """The shape of a shard, and the offset of its pixels; ValueError if it is not one."""
    with path.open("rb") as file:
        if npy.read_magic(file) != (1, 0):
            raise ValueError("not in version 1.0 of the format")
        shape, fortran_order, dtype = npy.read_array_header_1_0(file)
        if fortran_order or dtype != np.uint8:
            raise ValueError(f"{dtype} pixels")
        return shape, file.tell()
