"""The feature space `own`: the user's vectors, from a NumPy or a Parquet file."""

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
from petite.features.io import FeatureRecord
from petite.util.errors import PetiteError
from petite.util.formatting import counted

# Number of names in a message.
NAMED = 3


def compute(
    store: Store, image_ids: pd.Series, settings: Mapping[str, Any], threads: int
) -> tuple[np.ndarray, FeatureRecord]:
    """See `petite.features.registry.Space.compute`."""
    if not settings["path"]:
        raise PetiteError("the feature space 'own' needs the path of a .npy or .parquet file")
    return own_features(Path(settings["path"]), store.index, image_ids.tolist()), {}


def own_features(path: Path, index: pd.DataFrame, image_ids: Sequence[str]) -> np.ndarray:
    """Read a user's features of some images.

    Parameters
    ----------
    path : Path
        `.npy`: a matrix with a row for each image in use, which are the rows of the store's index
        whose status is "ok", in their order. `.parquet`: a table with a column image_id and
        otherwise columns of numbers; its rows may be in any order and include other images.
    index : DataFrame
        The store's index, with the columns image_id and status.
    image_ids : sequence of str
        Ids of n images.

    Returns
    -------
    ndarray of float32, shape (n, d)

    Raises
    ------
    PetiteError
        If the file does not exist or is of another kind or shape, an image is missing or has
        several rows, or a value is not a finite number.
    """
    path = Path(path)
    if path.suffix not in READERS:
        raise PetiteError(f"{path}: features must be in a .npy or .parquet file. Save them as such")
    if not path.is_file():
        raise PetiteError(f"{path} does not exist. Correct the path of the features")
    with np.errstate(over="ignore"):  # too large values become infinite: reported below
        features = READERS[path.suffix](path, index, pd.Index(image_ids, dtype=object))
    if features.shape[1] == 0:
        raise PetiteError(f"{path} has no feature columns. Add one or more")
    finite = np.isfinite(features).all(axis=1)
    if not finite.all():
        raise PetiteError(
            f"{path}: the features of {int((~finite).sum())} images (the first is "
            f"{image_ids[finite.argmin()]}) have values that are missing, infinite or too large "
            "for float32. Replace them"
        )
    return features


def own_dimensions(path: Path) -> int:
    """The number of features per image in a file for `own_features`; reads only its header.

    Raises
    ------
    PetiteError
        If the file cannot be read.
    """
    path = Path(path)
    if path.suffix == ".npy":
        shape = _matrix(path).shape
        if len(shape) != 2:
            raise PetiteError(
                f"{path} has an array of shape {shape}. Save a matrix with a row for each image"
            )
        return int(shape[1])
    with _explained(path, "Parquet"):
        return len(set(read_schema(path).names) - {"image_id"})


def _from_npy(path: Path, index: pd.DataFrame, image_ids: pd.Index) -> np.ndarray:
    """Read rows of a matrix that has a row for each image in use."""
    matrix = _matrix(path)
    used = index.loc[index["status"] == "ok", "image_id"]
    if matrix.ndim != 2 or len(matrix) != len(used):
        raise PetiteError(
            f"{path} has an array of shape {matrix.shape}. Save a matrix of {len(used)} rows, one "
            "for each row of the store's index.parquet whose status is ok, in their order"
        )
    if matrix.dtype.kind not in "biuf":
        raise PetiteError(f"{path} has values of type {matrix.dtype}. Save them as numbers")
    return matrix[_found(path, pd.Index(used, dtype=object), image_ids)].astype(np.float32)


def _from_parquet(path: Path, index: pd.DataFrame, image_ids: pd.Index) -> np.ndarray:
    """Read rows of a table with the column image_id."""
    with _explained(path, "Parquet"):
        table = pd.read_parquet(path)
    if "image_id" not in table.columns:
        raise PetiteError(f"{path} has no column image_id. Add it, with the image of each row")
    given = pd.Index(table.pop("image_id").map(_as_stored), dtype=object)
    words = [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    if words:
        raise PetiteError(
            f"{path}: {_some(words, 'columns are', 'column is')} not numeric. Remove all columns "
            "except image_id and the features"
        )
    rows = table.iloc[_found(path, given, image_ids)]
    return np.ascontiguousarray(rows.to_numpy(dtype=np.float32, na_value=np.nan))


def _as_stored(name: Any) -> Any:
    """An image id in the Unicode form of the store, which some file systems change."""
    return unicodedata.normalize("NFC", name) if isinstance(name, str) else name


def _matrix(path: Path) -> np.ndarray:
    """The array in a `.npy` file, mapped into memory."""
    with _explained(path, ".npy"):
        return npy.open_memmap(path, mode="r")


@contextmanager
def _explained(path: Path, kind: str) -> Iterator[None]:
    """Turn errors of reading a file into a PetiteError."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise PetiteError(
            f"{path} cannot be read as a {kind} file ({error}). Save it again"
        ) from None


READERS: dict[str, Callable[[Path, pd.DataFrame, pd.Index], np.ndarray]] = {
    ".npy": _from_npy,
    ".parquet": _from_parquet,
}


def _found(path: Path, given: pd.Index, image_ids: pd.Index) -> np.ndarray:
    """The rows of image ids among those of a file."""
    twice = given[given.duplicated()].unique()
    if len(twice):
        raise PetiteError(
            f"{path}: {_some(twice, 'images have', 'image has')} more than one row. Keep one"
        )
    places = given.get_indexer(image_ids)
    missing = image_ids[places < 0]
    if len(missing):
        raise PetiteError(
            f"{path}: {_some(missing, 'training images have', 'training image has')} no row. Add "
            "them under their ids in the store's index.parquet"
        )
    return places


def _some(names: Sequence[str] | pd.Index, several: str, single: str) -> str:
    """The number of names, a verb phrase, and the first names."""
    shown = ", ".join(str(name) for name in names[:NAMED]) + (", …" if len(names) > NAMED else "")
    return f"{counted(len(names), single, several)} ({shown})"
