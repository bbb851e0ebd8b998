"""The source `folder`: a folder on disk with one folder of images per class."""

import hashlib
import os
import shlex
import stat
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from petite.data.labels import LabelColumns, read_labels_at
from petite.data.sources.base import (
    USUAL_LIMITS,
    Entry,
    ImageData,
    Limits,
    Source,
    UnreadableEntry,
    read_at_most,
)
from petite.data.sources.labeled import (
    Labeled,
    find_labeled,
    no_table,
    place_in,
    table_on_disk,
)
from petite.data.sources.layout import Folder, Layout, find_layout, is_archive, is_hidden
from petite.data.sources.other_kinds import right_source
from petite.util.errors import PetiteError

HEAD_BYTES = 64


class FolderSource(Source):
    """Images in one folder per class, which `find_layout` finds.

    With a table of labels it is any tree of images. Links to files and folders are followed, also
    to outside the folder.
    """

    name = "folder"
    path_is: ClassVar[str | None] = "a folder with one folder of images per class"
    takes_remote_folder = True
    has_fingerprints = True
    preset = "photos"
    takes_labels = True

    def __init__(
        self,
        path: Path | None,
        limits: Limits = USUAL_LIMITS,
        labels: LabelColumns | None = None,
    ) -> None:
        assert path is not None
        super().__init__(path, limits, labels)

    @classmethod
    def check_path(cls, path: Path) -> None:
        if hint := right_source(path):
            raise PetiteError(f"{path} is not {cls.path_is}. {hint}")
        if path.is_dir():
            return
        if is_archive(path.name):
            raise PetiteError(
                f"{path} is a file, not {cls.path_is}. To read an archive, write "
                f"archive={shlex.quote(str(path))}"
            )
        raise PetiteError(f"{path} is a file: the source 'folder' needs {cls.path_is}")

    @cached_property
    def layout(self) -> Layout[os.DirEntry[str]] | None:
        """The layout of the classes, found by one walk over the tree that reads no file."""
        assert self.path is not None
        return find_layout(read_tree(self.path), self.path) if self.labels is None else None

    @cached_property
    def labeled(self) -> Labeled[os.DirEntry[str]] | None:
        """The images that a table labels, found by one walk over the tree."""
        assert self.path is not None
        if self.labels is None:
            return None
        tree, path = read_tree(self.path), table_on_disk(self.labels, self.path)
        if path is None:
            raise no_table(self.labels, self.path, tree)
        table = read_labels_at(path, self.labels)
        return find_labeled(tree, self.path, table, place_in(self.path, path))

    @property
    def _files(self) -> dict[str, os.DirEntry[str]]:
        """The images by id."""
        found = self.layout or self.labeled
        assert found is not None
        return found.files

    def entries(self) -> Iterable[Entry]:
        for image_id, file in self._files.items():
            try:
                size = file.stat().st_size
            except OSError:  # a broken link: listed, and set aside when read
                size = 0
            yield Entry(image_id, image_id.split("/", 1)[0], size)

    def fingerprint(self, image_ids: Iterable[str]) -> str:
        """Compute a digest of the names, sizes and times of files, without reading them.

        It changes when one of the files changes.

        Parameters
        ----------
        image_ids : iterable of str

        Returns
        -------
        str
            64 hexadecimal digits.
        """
        digest = hashlib.sha256()
        for image_id in image_ids:
            file = self._files[image_id]
            try:
                status = file.stat()
            except OSError:  # a broken link, or one in a loop
                status = file.stat(follow_symlinks=False)
            digest.update(f"{image_id}\0{status.st_size} {status.st_mtime_ns}\0".encode())
        return digest.hexdigest()

    def head(self, image_id: str) -> bytes:
        """Read the first HEAD_BYTES bytes of a file; empty if it cannot be read."""
        path = Path(self._files[image_id].path)
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                return b""
            with path.open("rb") as file:
                return file.read(HEAD_BYTES)
        except OSError:
            return b""

    def read(self, image_id: str) -> ImageData:
        if image_id not in self._files:
            raise self.changed(f"{image_id} is gone")
        path = Path(self._files[image_id].path)
        try:
            # A link may lead to a device or a pipe, which could block or never end.
            if not stat.S_ISREG(path.stat().st_mode):
                raise UnreadableEntry("unreadable: a link to something that is not a file")
            with path.open("rb") as file:
                return read_at_most(file, self.limits.max_bytes)
        except OSError as error:
            raise UnreadableEntry(f"unreadable: {error.strerror or error}") from error


def read_tree(root: Path) -> Folder[os.DirEntry[str]]:
    """Read the tree of a folder, without hidden files and folders.

    A folder is read once, however many links lead to it, so the tree may have loops. Hidden
    folders, which can be large, and the parents of the root are not read.
    """
    top: Folder[os.DirEntry[str]] = Folder()
    known = {_identity(root, root.stat()): top}
    above = {_identity(folder, folder.stat()) for folder in root.resolve().parents}
    pending = [(str(root), top)]
    while pending:
        path, folder = pending.pop()
        try:
            for entry in _entries(path):
                if not _is_folder(entry, folder):
                    if entry.is_symlink() or entry.is_file():  # not a pipe, a socket or a device
                        folder.files[entry.name] = entry
                    continue
                identity = _identity(entry, entry.stat())
                if identity in above:
                    folder.upward.append(entry.name)
                    continue
                if identity not in known:
                    known[identity] = Folder()
                    pending.append((entry.path, known[identity]))
                folder.folders[entry.name] = known[identity]
        except OSError as error:  # without permission, or removed meanwhile
            raise PetiteError(
                f"cannot read the folder {error.filename}: {error.strerror}. Give read access to it"
            ) from error
    return top


def _entries(path: str) -> list[os.DirEntry[str]]:
    """The entries of a folder, sorted by name, without hidden ones."""
    with os.scandir(path) as found:
        visible = [entry for entry in found if not is_hidden(entry.name)]
    return sorted(visible, key=lambda entry: entry.name)


def _is_folder(entry: os.DirEntry[str], parent: Folder[os.DirEntry[str]]) -> bool:
    """Whether it is a folder or a link to one; adds a broken link to those of the parent."""
    if not entry.is_symlink():
        return entry.is_dir()
    try:
        return stat.S_ISDIR(entry.stat().st_mode)
    except FileNotFoundError:
        target = Path(entry.path).readlink()
        parent.dangling[entry.name] = f"leads to {target}, which does not exist"
    except OSError as error:  # a loop, no permission, or a disk that is not connected
        parent.dangling[entry.name] = error.strerror or str(error)
    return False


def _identity(path: os.PathLike[str], status: os.stat_result) -> tuple[int, int] | str:
    """The same value for all paths to one folder."""
    # Some network file systems have no inode numbers.
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(path)
