"""Record which source a results folder belongs to, so that no other source overwrites it."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from petite.util.errors import PetiteError
from petite.util.files import read_json, write_json

RECORD = "source.json"
# Bytes at the beginning and at the end of a file that identify it.
END = 1 << 20


class Owner(NamedTuple):
    """A source of images."""

    source: str
    # The folder, file or address as it was given; "" for a source that needs none.
    given: str
    # `given` as an absolute path.
    path: str
    # A digest of the images, independent of their place; "" if it is unknown.
    contents: str

    def __str__(self) -> str:
        return f"the {self.source} {self.path}" if self.path else f"the {self.source}"


def check_owner(results: Path, owner: Owner) -> None:
    """Check that a results folder is empty or belongs to the same source.

    Raises
    ------
    PetiteError
        If `results` contains results of another source.
    """
    record = results / RECORD
    if not (record.exists() and (results / "store").exists()):
        return
    kept = read_json(record)
    before = Owner(*(str(kept.get(name, "")) for name in Owner._fields))
    if _is_same(before, owner):
        return
    raise PetiteError(
        f"{results} holds the results of {before}, but this run is of {owner}. Nothing was "
        f"overwritten. Give this run another name with --config name=NAME (dataset.name in a "
        f"file). If these are the same images, moved and changed since, remove {record}."
    )


def record_owner(results: Path, owner: Owner) -> None:
    """Record the source of the results."""
    write_json(results / RECORD, owner._asdict())


def _is_same(before: Owner, now: Owner) -> bool:
    if before.source != now.source:
        return False
    # A relative path that is given again leads to what moved along with the results.
    return (
        before.path == now.path
        or before.given == now.given
        or (bool(now.contents) and before.contents == now.contents)
    )


def digest_of_listing(image_ids: Iterable[str], sizes: Iterable[int]) -> str:
    """A digest of the ids and the sizes in bytes of a folder's images; no image is read."""
    digest = hashlib.sha256()
    for image_id, size in zip(image_ids, sizes, strict=True):
        digest.update(f"{image_id}\0{size}\0".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def digest_of_files(paths: Iterable[Path]) -> str:
    """A digest of the files' sizes, beginnings and ends; "" if one is missing."""
    digest = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                beginning = file.read(END)
                size = file.seek(0, 2)
                file.seek(max(0, size - END))
                digest.update(f"{size}\0".encode() + beginning + file.read(END))
        except OSError:
            return ""
    return digest.hexdigest()
