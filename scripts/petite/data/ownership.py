"""Whose results a folder below results/ holds, so that another source never writes over them."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from petite.util.errors import PetiteError
from petite.util.files import read_json, write_json

RECORD = "source.json"
# Read of a file to know it again: its beginning and its end, bytes.
END = 1 << 20


class Owner(NamedTuple):
    """A source of images."""

    source: str
    # The folder, file or address as it was given; "" for a source that needs none.
    given: str
    # The same as an absolute path.
    path: str
    # The same for the same images wherever they lie; "" where that is not known.
    contents: str

    def __str__(self) -> str:
        return f"the {self.source} {self.path}" if self.path else f"the {self.source}"


def check_owner(results: Path, owner: Owner) -> None:
    """Raise PetiteError where `results` holds what was made from another source."""
    record = results / RECORD
    if not (record.exists() and (results / "store").exists()):
        return
    kept = read_json(record)
    before = Owner(*(str(kept.get(name, "")) for name in Owner._fields))
    if _is_same(before, owner):
        return
    raise PetiteError(
        f"{results} holds the results of {before}, and this run is of {owner}. Nothing is written "
        f"over: give this run another name with --config name=NAME (dataset.name in a file). If "
        f"these are the same images, moved and changed since, remove {record}."
    )


def record_owner(results: Path, owner: Owner) -> None:
    """Write down whose results these are."""
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
    """A digest of the names and the sizes in bytes of a folder's images; reads none of them."""
    digest = hashlib.sha256()
    for image_id, size in zip(image_ids, sizes, strict=True):
        digest.update(f"{image_id}\0{size}\0".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def digest_of_files(paths: Iterable[Path]) -> str:
    """A digest of the sizes of some files and of both their ends; "" where one is missing."""
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
