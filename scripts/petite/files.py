"""Reading and writing files so that no half-written file is ever seen under its final name."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from petite.errors import PetiteError

# What a full disk or a folder without write access answers.
CANNOT_WRITE = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.ENOTDIR,
}


# Of a Parquet file: what a reader of some rows reads at least.
ROWS_IN_GROUP = 65_536


@contextmanager
def atomic_path(final: Path) -> Iterator[Path]:
    """Yield a temporary path beside `final` that becomes `final` when the block succeeds.

    The temporary name keeps the suffix of `final`, since writers such as `np.save` look at it.
    Raises PetiteError when the disk is full or the folder cannot be written.
    """
    final = Path(final)
    temporary = final.with_name(f".{final.stem}.{os.getpid()}{final.suffix}")
    try:
        with _told(final):
            final.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            temporary.replace(final)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(final: Path) -> Iterator[Path]:
    """Yield a new folder beside `final` that takes its place when the block succeeds.

    Raises PetiteError when the disk is full or the folder cannot be written.
    """
    final = Path(final)
    temporary = final.with_name(f".{final.name}.{os.getpid()}")
    try:
        with _told(final):
            temporary.mkdir(parents=True)
            yield temporary
            if final.exists():
                shutil.rmtree(final)
            temporary.replace(final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _told(final: Path) -> Iterator[None]:
    """Say in words why `final` cannot be written."""
    try:
        yield
    except OSError as error:
        if error.errno not in CANNOT_WRITE:
            raise
        raise PetiteError(
            f"cannot write {final}: {error.strerror or error}. "
            "Make room or give write access to its folder, then run again."
        ) from error


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


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write a table as CSV."""
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, index=False)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
