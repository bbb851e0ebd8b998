"""Copy files and folders from an object store (s3://, gs:// and so on) with fsspec.

Files arrive in parts like those of `petite.data.download`, so an interrupted copy is resumed. A
folder is copied file by file, and a later copy receives only the files that have changed.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from petite.data.addresses import public_url, split_address
from petite.data.download import (
    LONGEST_WAIT,
    Part,
    Record,
    append,
    check_space,
    finish,
    record_path,
)
from petite.util.errors import PetiteError
from petite.util.files import explain_write_errors, read_json, write_json

logger = logging.getLogger(__name__)

BLOCK = 8_000_000  # bytes of a request
# In a copied folder: the size, version and SHA-256 of each of its files.
INVENTORY = ".petite-copied.json"
# What stores say of a file's content, the more reliable first.
VERSIONS = ("ETag", "etag", "md5Hash", "generation", "mtime", "LastModified", "last_modified")
FOR_GOOD = (FileNotFoundError, PermissionError, IsADirectoryError)
INSTALL = (
    "Install what reads it into the environment of Petite: pip install s3fs for s3://, gcsfs for "
    "gs://, adlfs for az://"
)
CREDENTIALS = (
    "check the credentials, such as AWS_PROFILE or AWS_ACCESS_KEY_ID; for a public bucket without "
    "any, set FSSPEC_S3_ANON=true"
)


class _StoreError(Exception):
    """The store gave an error, which is the cause of this one, or another file than before."""


class _File(NamedTuple):
    """A file in a store: its path there, its size in bytes, and the version of its content."""

    place: str
    size: int
    version: str


def copy_file(
    url: str,
    destination: Path,
    sha256: str | None = None,
    *,
    retries: int = 5,
    first_wait: float = 1.0,
) -> Record:
    """Copy a file, and write a record of it to `<destination>.json`.

    Parameters
    ----------
    url : str
        Address of any scheme that fsspec knows.
    destination : Path
    sha256 : str, optional
        Expected SHA-256, in hex.
    retries : int
        How often to retry. An attempt that gets further than those before it restores all retries.
    first_wait : float
        Seconds before the first retry; each further wait is twice as long.

    Raises
    ------
    PetiteError
        If the file cannot be copied or does not fit on the disk, or its SHA-256 differs.
    """
    store, place = _store(url)
    return _copy(store, place, url, destination, sha256, retries, first_wait)


def copy_folder(
    url: str,
    destination: Path,
    suffixes: tuple[str, ...] = (),
    *,
    retries: int = 5,
    first_wait: float = 1.0,
) -> Record:
    """Copy the files of a folder, and write a record of it to `<destination>.json`.

    The record is written last, with the digest of all files' names and digests. Files that were
    copied before and have not changed are kept; those that are gone are removed.

    Parameters
    ----------
    url, destination, retries, first_wait
        As for `copy_file`.
    suffixes : tuple of str
        Copy only files with these; all if empty.

    Raises
    ------
    PetiteError
        As `copy_file` does, and for a folder without such files.
    """
    store, place = _store(url)
    files = dict(_listed(store, place, url, suffixes))
    if not files:
        what = f"{' or '.join(suffixes)} files" if suffixes else "files"
        raise PetiteError(
            f"{public_url(url)} has no {what}. Check the address, which must be that of a folder"
        )
    inventory = destination / INVENTORY
    known = read_json(inventory) if inventory.exists() else {}
    copied: dict[str, dict[str, Any]] = {}
    for number, (name, file) in enumerate(files.items(), start=1):
        target = destination / name
        before = known.get(name)
        if before and before["version"] == file.version and _has_size(target, file.size):
            copied[name] = before
            continue
        logger.info("file %d of %d: %s", number, len(files), name)
        record = _copy(store, file.place, url, target, None, retries, first_wait)
        record_path(target).unlink()
        copied[name] = {
            "bytes": record["bytes"],
            "version": file.version,
            "sha256": record["sha256"],
        }
        # At each file, so that an interrupted copy goes on from here.
        write_json(inventory, known | copied)
    for name in known.keys() - copied.keys():
        (destination / name).unlink(missing_ok=True)
    write_json(inventory, copied)
    lines = "".join(f"{name} {copied[name]['sha256']}\n" for name in sorted(copied))
    whole = Record(
        url=public_url(url),
        sha256=hashlib.sha256(lines.encode()).hexdigest(),
        bytes=sum(file["bytes"] for file in copied.values()),
    )
    write_json(record_path(destination), whole)
    return whole


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _store(url: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it."""
    scheme = split_address(url).scheme
    try:
        import fsspec

        store, place = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise PetiteError(f"{scheme}:// cannot be read here: {error}. {INSTALL}") from error
    except Exception as error:  # each library has errors of its own
        raise PetiteError(
            f"{public_url(url)} cannot be read: {error}. Check the address"
        ) from error
    return store, place


def _listed(
    store: Any, place: str, url: str, suffixes: tuple[str, ...]
) -> Iterator[tuple[str, _File]]:
    """The files in a folder by their paths in it, sorted, without hidden ones."""
    try:
        store.invalidate_cache()
        found = _asked(store.find, place, detail=True)
    except _StoreError as failure:
        error = failure.__cause__ or failure
        raise _refused(url, error) from error
    root = PurePosixPath(place)
    for path, info in sorted(found.items()):
        inside = PurePosixPath(path)
        if not inside.is_relative_to(root) or inside == root or path.endswith("/"):
            continue
        parts = inside.relative_to(root).parts
        if ".." in parts or any(part.startswith(".") for part in parts):
            continue
        if not suffixes or inside.suffix.lower() in suffixes:
            yield "/".join(parts), _File(path, int(info["size"]), _version(info))


def _version(info: dict[str, Any]) -> str:
    """What differs for other contents of a file, by what the store says about it."""
    said = (f"{name}={info[name]}" for name in VERSIONS if info.get(name) is not None)
    return f"{info['size']} {next(said, '')}"


def _copy(
    store: Any,
    place: str,
    url: str,
    destination: Path,
    sha256: str | None,
    retries: int,
    first_wait: float,
) -> Record:
    part = Part(f"{url} {place}", destination)
    left, wait, furthest = retries, first_wait, part.size()
    with explain_write_errors(destination, part.path):
        destination.parent.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                _receive(store, place, part, url)
                return finish(part, destination, url, sha256)
            except _StoreError as failure:
                error = failure.__cause__ or failure
                if part.size() > furthest:
                    left, wait, furthest = retries, first_wait, part.size()
                if not left or isinstance(error, FOR_GOOD) or _lacks_credentials(error):
                    raise _refused(url, error) from error
                logger.warning("%s; retrying in %.0f s", error or type(error).__name__, wait)
                time.sleep(wait)
                left, wait = left - 1, min(2 * wait, LONGEST_WAIT)


def _receive(store: Any, place: str, part: Part, url: str) -> None:
    """Receive a file, or the rest of it."""
    info = _info(store, place)
    if info["type"] != "file":
        raise _StoreError from IsADirectoryError(place)
    version, size = _version(info), int(info["size"])
    if part.validator != version or part.size() > size:
        part.begin(version, size)
    check_space(part, url)

    def chunks() -> Iterator[bytes]:
        for start in range(part.size(), size, BLOCK):
            end = min(start + BLOCK, size)
            data = _asked(store.cat_file, place, start=start, end=end)
            if len(data) != end - start:
                raise _StoreError(f"received {len(data)} of {end - start} bytes")
            yield data

    append(part, chunks())
    if _version(_info(store, place)) != version:
        part.remove()
        raise _StoreError("the file changed while it was copied")


def _info(store: Any, place: str) -> dict[str, Any]:
    store.invalidate_cache()
    return dict(_asked(store.info, place))


def _asked(ask: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Ask the store; raises _StoreError, so that errors of the local disk differ."""
    try:
        return ask(*args, **options)
    except Exception as error:  # each library has errors of its own
        raise _StoreError from error


def _lacks_credentials(error: BaseException) -> bool:
    return type(error).__name__ == "NoCredentialsError"  # of botocore


def _refused(url: str, error: BaseException) -> PetiteError:
    """The error for an address that cannot be copied, with what to do."""
    reason = str(error) or type(error).__name__
    if isinstance(error, FileNotFoundError):
        reason, advice = "it does not exist", "check the address"
    elif isinstance(error, IsADirectoryError):
        reason, advice = "it is a folder", "give the address of a file"
    elif isinstance(error, PermissionError) or _lacks_credentials(error):
        advice = CREDENTIALS
    else:
        advice = "run again later; received data is kept"
    first_line = reason.strip().split("\n")[0].rstrip(".")
    return PetiteError(f"{public_url(url)} cannot be copied: {first_line}; {advice}")
