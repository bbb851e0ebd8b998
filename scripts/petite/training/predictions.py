"""The predictions that a program of the user's wrote: read, and checked row by row."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from petite.util.errors import PetiteError
from petite.util.formatting import counted

# A row of probabilities may miss 1 by this much: programs write few digits.
SUM_TOLERANCE = 1e-3


def read_predictions(
    path: Path, files: Sequence[str], classes: Sequence[str]
) -> NDArray[np.float64]:
    """Read class probabilities, a row for each test image.

    Parameters
    ----------
    path : Path
        `.csv` (with or without a line of column names), or `.npy`.
    files : sequence of str
        The n test images, for messages.
    classes : sequence of str
        The names of the classes, in the order of the columns.

    Returns
    -------
    ndarray of float64, shape (n, len(classes))
        Rows add up to 1.

    Raises
    ------
    PetiteError
        When there is no such file, it is of another kind or shape, or a row is not of finite
        numbers of 0 or more that add up to 1 (by 0.001).
    """
    if not path.is_file():
        raise PetiteError("the program ended without writing {predictions}")
    table = READERS[path.suffix](path, len(files), classes)
    if table.ndim != 2 or table.shape[1] != len(classes):
        raise PetiteError(
            f"{path.name} has {_shape(table)}, not one column for each of the "
            f"{counted(len(classes), 'class', 'classes')} ({', '.join(classes)})"
        )
    if len(table) != len(files):
        raise PetiteError(
            f"{path.name} has {counted(len(table), 'row')} for {counted(len(files), 'test image')}:"
            " write one row for each row of {test}, in the same order"
        )
    for is_wrong, what in CHECKS:
        rows = np.flatnonzero(is_wrong(table))
        if len(rows):
            row = int(rows[0])
            raise PetiteError(
                f"{path.name}: {counted(len(rows), 'row')} {what}, first row {row + 1} "
                f"({Path(files[row]).name}), which has {_shown(table[row])}"
            )
    return table / table.sum(axis=1, keepdims=True)


# What may be wrong with rows, and the end of the sentence.
CHECKS: list[tuple[Callable[[NDArray], NDArray[np.bool_]], str]] = [
    (
        lambda table: ~np.isfinite(table).all(axis=1),
        "with values that are not finite numbers (NaN, infinite, missing or text)",
    ),
    (
        lambda table: table.min(axis=1) < 0,
        "with negative values, which are not probabilities (softmax gives these)",
    ),
    (
        lambda table: abs(table.sum(axis=1) - 1) > SUM_TOLERANCE,
        "whose probabilities do not add up to 1",
    ),
]


def _from_npy(path: Path, count: int, classes: Sequence[str]) -> NDArray[np.float64]:
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise PetiteError(f"{path.name} cannot be read as a .npy file ({error})") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        kind = getattr(array, "dtype", "several arrays")
        raise PetiteError(f"{path.name} holds {kind}: save one array of floating-point numbers")
    return array.astype(np.float64)


def _from_csv(path: Path, count: int, classes: Sequence[str]) -> NDArray[np.float64]:
    try:
        cells = pd.read_csv(
            path, header=None, dtype=str, keep_default_na=False, skipinitialspace=True
        )
    except pd.errors.EmptyDataError:
        return np.empty((0, len(classes)))
    except (ValueError, OSError) as error:  # of rows that differ in length, and of other encodings
        reason = " ".join(str(error).split())
        raise PetiteError(f"{path.name} cannot be read as a table ({reason})") from None
    values = cells.apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    names = cells.iloc[0].tolist()
    if not _are_names(names, classes, len(cells) > count):
        return values
    if sorted(names) == sorted(classes) and names != [*classes]:
        raise PetiteError(
            f"{path.name} has the columns {', '.join(names)}: write them in the order "
            f"{', '.join(classes)}"
        )
    return values[1:]


def _are_names(cells: Sequence[str], classes: Sequence[str], one_too_many: bool) -> bool:
    """Whether the first line of a table has the names of its columns.

    Classes may be named by numbers, so that their names alone do not tell: then the table has to
    have one line more than images.
    """
    if not any(map(_is_number, cells)):
        return True
    numbered = list(map(str, range(len(cells))))
    return one_too_many and sorted(cells) in (sorted(classes), sorted(numbered))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text == ""
    return True


READERS: dict[str, Callable[[Path, int, Sequence[str]], NDArray[np.float64]]] = {
    ".csv": _from_csv,
    ".npy": _from_npy,
}


def _shape(table: NDArray) -> str:
    if table.ndim != 2:
        return f"an array of shape {table.shape}"
    return counted(table.shape[1], "column")


def _shown(row: NDArray[np.float64]) -> str:
    """The first values of a row, and their sum."""
    values = ", ".join(f"{value:.4g}" for value in row[:5]) + (", ..." if len(row) > 5 else "")
    return f"{values} (sum {row.sum():.4g})"
