"""The LMDB databases of LSUN: one for each class, its values image files, its keys their names.

LSUN's cat.zip and dog.zip unpack to cat/data.mdb and dog/data.mdb, of 1.66 and 5.05 million WebP
files. They are read in place, without locks and by as many jobs at once as there are shards; no
file is made for an image. LMDB keeps its keys in order, and they are listed in that order, so each
shard is a range of keys.

LMDB maps the file into memory and trusts what stands in it. A file that is cut short is told from
its size before it is read; one whose inner pages were altered can end the process.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import ClassVar

import lmdb

from petite.errors import PetiteError
from petite.sources.base import (
    USUAL_LIMITS,
    Entry,
    ImageData,
    Limits,
    Source,
    UnreadableEntry,
    check_bytes,
)

DATABASE = "data.mdb"


class LsunSource(Source):
    """A folder with an LMDB database for each class, the class's name that of its folder.

    The id of an image is `class/key`.
    """

    path_is: ClassVar[str | None] = (
        f"a folder with a database for each class, such as cat/{DATABASE} and dog/{DATABASE}"
    )
    lists_in_order = True

    def __init__(self, path: Path | None, limits: Limits = USUAL_LIMITS) -> None:
        """Open the databases; raises PetiteError when one is damaged, cut short or empty."""
        assert path is not None
        super().__init__(path, limits)
        self._environments: dict[str, lmdb.Environment] = {}
        try:
            for file in database_files(path):
                self._environments[file.parent.name] = _open(file)
        except BaseException:
            self.close()
            raise
        self._cursor = cache(self._open_cursor)

    def entries(self) -> Iterable[Entry]:
        for class_name in self._environments:
            try:
                for key, value in self._open_cursor(class_name):
                    yield Entry(
                        f"{class_name}/{self._text(key, class_name)}", class_name, len(value)
                    )
            except lmdb.Error as error:
                assert self.path is not None
                raise _damaged(self.path / class_name / DATABASE, error) from error

    def read(self, image_id: str) -> ImageData:
        class_name, _, key = image_id.partition("/")
        cursor = self._cursor(class_name)
        try:
            if not cursor.set_key(key.encode()):
                raise KeyError(image_id)
            value = cursor.value()
        except lmdb.Error as error:
            raise UnreadableEntry(f"unreadable: damaged in the database ({error})") from error
        check_bytes(len(value), self.limits.max_bytes)
        return bytes(value)

    def close(self) -> None:
        for environment in self._environments.values():
            environment.close()

    def _open_cursor(self, class_name: str) -> lmdb.Cursor:
        # As buffers, so that listing looks at the length of a value and never at its pages.
        return self._environments[class_name].begin(buffers=True).cursor()

    def _text(self, key: bytes | memoryview, class_name: str) -> str:
        try:
            return bytes(key).decode("utf-8")
        except UnicodeDecodeError:
            raise PetiteError(
                f"{self.path}/{class_name}: the key {bytes(key)!r} is not UTF-8 text. LSUN's keys "
                "are; write the database anew with keys that name the images"
            ) from None


def database_files(path: Path) -> list[Path]:
    """The database of each class in the folder `path`, by the names of the classes.

    Raises PetiteError when there is none.
    """
    if path.is_file():
        hint = " Unzip cat.zip and dog.zip into one folder" if path.suffix == ".zip" else ""
        raise PetiteError(f"{path} is a file: the source lsun needs {LsunSource.path_is}.{hint}")
    if (path / DATABASE).is_file():
        raise PetiteError(f"{path} is the database of one class: give the folder that it lies in")
    found = sorted(
        file for file in path.glob(f"*/{DATABASE}") if not file.parent.name.startswith(".")
    )
    if not found:
        zips = sorted(file.name for file in path.glob("*.zip"))
        hint = (
            f" Unzip {' and '.join(zips)} in it: databases are not read from zips" if zips else ""
        )
        raise PetiteError(
            f"no database in {path}: the source lsun needs {LsunSource.path_is}.{hint}"
        )
    return found


def _open(file: Path) -> lmdb.Environment:
    """Open a database to be read by many; raises PetiteError where that cannot go well."""
    try:
        environment = lmdb.open(str(file.parent), readonly=True, lock=False, create=False)
    except lmdb.Error as error:
        raise PetiteError(
            f"{file} is no LMDB database, or damaged ({error}). Unzip or download it again"
        ) from error
    pages, status = environment.info()["last_pgno"] + 1, environment.stat()
    due, present = pages * status["psize"], file.stat().st_size
    problem = None
    # Beyond the end of the file there is no memory: reading it would end the process.
    if present < due:
        problem = f"is cut short: it has {present} bytes of {due}. Unzip or download it again"
    elif not status["entries"]:
        problem = "is an empty database. Fill it, or take its folder away"
    if problem:
        environment.close()
        raise PetiteError(f"{file} {problem}")
    return environment


def _damaged(file: Path, error: Exception) -> PetiteError:
    return PetiteError(f"{file} is damaged ({error}). Unzip or download it again")
