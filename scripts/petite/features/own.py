"""The feature space `own`: vectors of the user's, from a NumPy or a Parquet file."""

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib import format as npy
from pyarrow.parquet import read_schema

from petite.data.store import Store
from petite.util.errors import PetiteError
from petite.util.formatting import counted

# How many names a message gives.
NAMED = 3


def compute(
    store: Store, image_ids: pd.Series, settings: Mapping[str, Any], threads: int
) -> tuple[np.ndarray, dict[str, Any]]:
    """See `petite.features.registry.Space.compute`."""
    if not settings["path"]:
        raise PetiteError("the feature space 'own' needs a path: that of a .npy or .parquet file")
    return own_features(Path(settings["path"]), store.index, image_ids.tolist()), {}


def own_features(path: Path, index: pd.DataFrame, image_ids: Sequence[str]) -> np.ndarray:
    """Read a user's features of some images.

    Args:
        path: `.npy`, a matrix with a row for each image in use, those rows of the store's index
            whose status is "ok", in their order; or `.parquet`, a table with a column image_id and
            otherwise columns of numbers, its rows in any order, other images among them or not.
        index: the store's index, with the columns image_id and status.
        image_ids: of the images that are asked for.

    Returns:
        float32 (len(image_ids), d).

    Raises PetiteError when there is no such file, it is of another kind or shape, images are
    missing or come twice, or a value is no finite number.
    """
    path = Path(path)
    if path.suffix not in READERS:
        raise PetiteError(
            f"{path}: features are read from .npy and .parquet files: save them as one of the two"
        )
    if not path.is_file():
        raise PetiteError(f"there is no file {path}: correct the path of the features")
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is told below
        features = READERS[path.suffix](path, index, pd.Index(image_ids, dtype=object))
    if features.shape[1] == 0:
        raise PetiteError(f"{path} has no columns of features: give one or more")
    finite = np.isfinite(features).all(axis=1)
    if not finite.all():
        raise PetiteError(
            f"{path}: the features of {int((~finite).sum())} images, {image_ids[finite.argmin()]} "
            "the first, hold values that are missing, infinite or beyond float32: replace them"
        )
    return features


def own_dimensions(path: Path) -> int:
    """How many features a file gives for each image, from its header alone; see `own_features`.

    Raises PetiteError when it cannot be read.
    """
    path = Path(path)
    if path.suffix == ".npy":
        shape = _matrix(path).shape
        if len(shape) != 2:
            raise PetiteError(
                f"{path} holds an array of shape {shape}; due is a matrix with a row for each image"
            )
        return int(shape[1])
    with _told(path, "Parquet"):
        return len(set(read_schema(path).names) - {"image_id"})


def _from_npy(path: Path, index: pd.DataFrame, image_ids: pd.Index) -> np.ndarray:
    """The rows of a matrix over all images in use."""
    matrix = _matrix(path)
    used = index.loc[index["status"] == "ok", "image_id"]
    if matrix.ndim != 2 or len(matrix) != len(used):
        raise PetiteError(
            f"{path} holds an array of shape {matrix.shape}; due is a matrix of {len(used)} rows, "
            "one for each row of the store's index.parquet whose status is ok, in their order"
        )
    if matrix.dtype.kind not in "biuf":
        raise PetiteError(f"{path} holds values of type {matrix.dtype}: save them as numbers")
    return matrix[_found(path, pd.Index(used, dtype=object), image_ids)].astype(np.float32)


def _from_parquet(path: Path, index: pd.DataFrame, image_ids: pd.Index) -> np.ndarray:
    """The rows of a table with the column image_id."""
    with _told(path, "Parquet"):
        table = pd.read_parquet(path)
    if "image_id" not in table.columns:
        raise PetiteError(f"{path} has no column image_id, which says whose features a row holds")
    given = pd.Index(table.pop("image_id").map(_as_stored), dtype=object)
    words = [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    if words:
        raise PetiteError(
            f"{path}: {_some(words, 'columns hold', 'column holds')} no numbers: leave out all "
            "columns but image_id and the features"
        )
    rows = table.iloc[_found(path, given, image_ids)]
    return np.ascontiguousarray(rows.to_numpy(dtype=np.float32, na_value=np.nan))


def _as_stored(name: Any) -> Any:
    """An image id in the Unicode form of the store, wherever the file names came from."""
    return unicodedata.normalize("NFC", name) if isinstance(name, str) else name


def _matrix(path: Path) -> np.ndarray:
    with _told(path, ".npy"):
        return npy.open_memmap(path, mode="r")


@contextmanager
def _told(path: Path, kind: str) -> Iterator[None]:
    """A file that cannot be read ends in a PetiteError."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise PetiteError(
            f"{path} cannot be read as a {kind} file ({error}): save it anew"
        ) from None


READERS: dict[str, Callable[[Path, pd.DataFrame, pd.Index], np.ndarray]] = {
    ".npy": _from_npy,
    ".parquet": _from_parquet,
}


def _found(path: Path, given: pd.Index, image_ids: pd.Index) -> np.ndarray:
    """The places of image ids among those that a file gives."""
    twice = given[given.duplicated()].unique()
    if len(twice):
        raise PetiteError(
            f"{path}: {_some(twice, 'images have', 'image has')} more than one row: keep one"
        )
    places = given.get_indexer(image_ids)
    missing = image_ids[places < 0]
    if len(missing):
        raise PetiteError(
            f"{path}: {_some(missing, 'training images have', 'training image has')} no row: add "
            "them, named as in the store's index.parquet"
        )
    return places


def _some(names: Sequence[str] | pd.Index, several: str, single: str) -> str:
    """The number of names, what they are, and the first of them."""
    shown = ", ".join(str(name) for name in names[:NAMED]) + (", …" if len(names) > NAMED else "")
    return f"{counted(len(names), single, several)} ({shown})"
