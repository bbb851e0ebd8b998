"""The source of a pool: a folder of images without labels, flat or with any folders in it."""

import os
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from petite.data.sources.base import UNLABELED
from petite.data.sources.folder import FolderSource, read_tree
from petite.data.sources.layout import Layout, is_archive, one_class
from petite.util.errors import PetiteError


class UnlabeledSource(FolderSource):
    """All images in a folder and the folders in it, without labels.

    An id is the class UNLABELED and the path below the folder: unlabeled/2024/1.jpg.
    """

    name = UNLABELED
    path_is: ClassVar[str | None] = "a folder of images"
    has_classes = False
    takes_labels = False

    @classmethod
    def check_path(cls, path: Path) -> None:
        if path.is_dir():
            return
        what = "an archive: unpack it, and" if is_archive(path.name) else "a file:"
        raise PetiteError(f"{path} is {what} give a folder of images")

    @cached_property
    def layout(self) -> Layout[os.DirEntry[str]]:
        assert self.path is not None
        return one_class(read_tree(self.path), self.path, UNLABELED)
