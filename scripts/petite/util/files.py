"""Reading and writing files so that no half-written file is ever seen under its final name."""

import csv
import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from petite.util.errors import PetiteError

# The errors of a full disk or a folder without write access.
CANNOT_WRITE = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.ENOTDIR,
}


# Rows of a Parquet file that are read together, however few of them are wanted.
ROWS_IN_GROUP = 65_536
# A disk with fewer free bytes counts as full: the write that failed may have been larger.
FULL = 1 << 20


@contextmanager
def atomic_path(final: Path, need: int | None = None) -> Iterator[Path]:
    """Write a file under a temporary name, and rename it when the block succeeds.

    What a killed process left of the same file is removed.

    Parameters
    ----------
    final : Path
        The file to write.
    need : int, optional
        Its size in bytes, where it is known before.

    Yields
    ------
    Path
        The temporary path in the folder of `final`. It keeps the suffix of `final`, because
        writers such as `np.save` look at it.

    Raises
    ------
    PetiteError
        When the disk is full or the folder cannot be written.
    """
    final = Path(final)
    temporary = final.with_name(f".{final.stem}.{os.getpid()}{final.suffix}")
    try:
        with explain_write_errors(final, temporary, need):
            final.parent.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(final)
            yield temporary
            temporary.replace(final)
    finally:
        _remove(temporary)


@contextmanager
def atomic_folder(final: Path) -> Iterator[Path]:
    """Fill a folder under a temporary name, which replaces `final` when the block succeeds.

    What a killed process left of the same folder is removed.

    Parameters
    ----------
    final : Path
        The folder to make or replace.

    Yields
    ------
    Path
        The temporary folder, which is empty.

    Raises
    ------
    PetiteError
        When the disk is full or the folder cannot be written.
    """
    final = Path(final)
    temporary = final.with_name(f".{final.stem}.{os.getpid()}{final.suffix}")
    try:
        with explain_write_errors(final, temporary):
            final.parent.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(final)
            _remove(temporary)
            temporary.mkdir()
            yield temporary
            if final.exists():
                shutil.rmtree(final)
            temporary.replace(final)
    finally:
        _remove(temporary)


@contextmanager
def explain_write_errors(final: Path, temporary: Path, need: int | None = None) -> Iterator[None]:
    """Raise a PetiteError that says why `final` cannot be written, in place of an OSError.

    Parameters
    ----------
    final : Path
        The file or folder that the message names.
    temporary : Path
        What is written before it gets its name.
    need : int, optional
        The size of the file in bytes, where it is known before.
    """
    try:
        yield
    except Exception as error:
        reason = _why_not_written(error, temporary, need)
        if reason is None:
            raise
        raise PetiteError(
            f"cannot write {final}: {reason}. "
            "Free some space or give write access to its folder, then run again."
        ) from error


def _why_not_written(error: Exception, temporary: Path, need: int | None) -> str | None:
    """Why the disk or the folder refuses a file, or None for any other error."""
    if isinstance(error, PetiteError):
        return None
    number = error.errno if isinstance(error, OSError) else None
    free = _free(temporary.parent)
    # NumPy, HDF5 and zipfile report a full disk by their own errors, which have no errno.
    if number in (errno.ENOSPC, errno.EDQUOT) or (number is None and free < FULL):
        written = temporary.stat().st_size if temporary.exists() else 0
        wanted = f"{need / 1e6:.1f} MB" if need else f"more than {(written + free) / 1e6:.1f} MB"
        return f"no space left on the disk: it needs {wanted}, and {free / 1e6:.1f} MB are free"
    if number in CANNOT_WRITE:
        return os.strerror(number)
    return None


def _free(folder: Path) -> float:
    """Free bytes on the disk of a folder, or infinity where the system does not say."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return float("inf")


def _remove_leftovers(final: Path) -> None:
    """Remove the temporary files and folders of processes that have ended."""
    pattern = re.compile(rf"\.{re.escape(final.stem)}\.(\d+){re.escape(final.suffix)}")
    for path in final.parent.iterdir():
        match = pattern.fullmatch(path.name)
        if match and not _is_running(int(match[1])):
            _remove(path)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _remove(path: Path) -> None:
    """Remove a file or a folder, if it exists and can be removed."""
    with suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text in one step."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON with sorted keys: the same value gives the same bytes."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def write_table(path: Path, frame: pd.DataFrame) -> None:
    """Write a table as Parquet; the same table gives the same bytes."""
    with atomic_path(path) as temporary:
        frame.to_parquet(temporary, index=False, row_group_size=ROWS_IN_GROUP)


def read_table(path: Path) -> pd.DataFrame:
    """Read a Parquet table."""
    return pd.read_parquet(path)


def write_array(path: Path, array: np.ndarray) -> None:
    """Write an array as .npy."""
    with atomic_path(path, array.nbytes) as temporary:
        np.save(temporary, array)


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write a table as CSV, with quotes around text that needs them.

    Python before 3.13 does not quote a carriage return, which would end the row. So all text is
    quoted in a table that has one.
    """
    text = frame.select_dtypes(exclude=["number", "bool"])
    returns = any(text[column].astype(str).str.contains("\r").any() for column in text)
    quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, index=False, quoting=quoting)


def write_csv_and_parquet(path: Path, frame: pd.DataFrame) -> None:
    """Write a table as CSV, and as Parquet next to it, which keeps the types of its columns.

    A plain reader of CSV takes 007 for a number, and NA, nan or None for a missing value.
    """
    write_csv(path, frame)
    write_table(path.with_suffix(".parquet"), frame)


def sha256_of(path: Path) -> str:
    """Compute the SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
