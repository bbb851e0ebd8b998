"""A folder of images on disk, one folder a class."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from petite.errors import PetiteError
from petite.sources.base import (
    USUAL_LIMITS,
    Entry,
    ImageData,
    Limits,
    Source,
    UnreadableEntry,
    class_folders,
    read_at_most,
)

HEAD_BYTES = 64


class FolderSource(Source):
    """Class-per-folder images; `class_folders` has the rules of the layout.

    Linked files are read; linked folders are not entered, so that there are no loops.
    """

    path_is: ClassVar[str | None] = "a folder with a folder of images for each class"

    def __init__(self, path: Path | None, limits: Limits = USUAL_LIMITS) -> None:
        assert path is not None
        super().__init__(path, limits)
        if not path.is_dir():
            raise PetiteError(f"{path} is a file: the source folder needs {self.path_is}")

    @cached_property
    def _files(self) -> dict[str, Path]:
        """The file of each image id; one walk over the tree."""
        assert self.path is not None
        found = class_folders(_walk(self.path), self.path)
        return {image_id: self.path.joinpath(*parts) for image_id, parts in found.items()}

    def entries(self) -> Iterable[Entry]:
        for image_id, file in self._files.items():
            try:
                size = file.stat().st_size
            except OSError:  # a dangling link: listed, and set aside when read
                size = 0
            yield Entry(image_id, image_id.split("/")[0], size)

    def fingerprint(self, image_ids: Iterable[str]) -> str:
        """A digest of the names, sizes and times of some files: it tells of any change.

        No file is read.
        """
        digest = hashlib.sha256()
        for image_id in image_ids:
            file = self._files[image_id]
            try:
                status = file.stat()
            except OSError:  # a link that leads nowhere, or in a circle
                status = file.lstat()
            digest.update(f"{image_id}\0{status.st_size} {status.st_mtime_ns}\0".encode())
        return digest.hexdigest()

    def head(self, image_id: str) -> bytes:
        """The first bytes of a file; none where it cannot be read."""
        path = self._files[image_id]
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                return b""
            with path.open("rb") as file:
                return file.read(HEAD_BYTES)
        except OSError:
            return b""

    def read(self, image_id: str) -> ImageData:
        path = self._files.get(image_id)
        if path is None:
            raise self.changed(f"{image_id} is gone")
        try:
            # A link may lead to a device or a pipe, which could block or never end.
            if not stat.S_ISREG(path.stat().st_mode):
                raise UnreadableEntry("unreadable: a link to something that is no file")
            with path.open("rb") as file:
                return read_at_most(file, self.limits.max_bytes)
        except OSError as error:
            raise UnreadableEntry(f"unreadable: {error.strerror or error}") from error


def _walk(root: Path) -> Iterator[tuple[str, ...]]:
    """The parts of the path below `root` of every file and of every link to a file.

    Sorted, folder by folder; without what is hidden, which holds no images.
    """

    def stop(error: OSError) -> None:
        raise PetiteError(
            f"cannot look into {error.filename}: {error.strerror}. Give read access to it."
        ) from error

    for folder, folders, files in os.walk(root, onerror=stop):
        # Not entered at all, since a hidden folder can be large: a .git, a cache.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        parts = Path(folder).relative_to(root).parts
        for name in sorted(name for name in files if not name.startswith(".")):
            path = Path(folder, name)
            if path.is_symlink() or path.is_file():  # not a pipe, a socket or a device
                yield (*parts, name)
