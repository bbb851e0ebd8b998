"""The LMDB databases of LSUN: one for each class, its values image files, its keys their names.

LSUN's cat.zip and dog.zip unpack to cat/data.mdb and dog/data.mdb, of 1.66 and 5.05 million WebP
files. They are read in place, without locks and by as many jobs at once as there are shards; no
file is made for an image. LMDB keeps its keys in order, and they are listed in that order, so each
shard is a range of keys.

LMDB maps the file into memory and trusts what stands in it. A file that is cut short is told from
its size before it is read; one whose inner pages were altered can end the process. What was read
stays mapped, and counts as memory of the process, until the database is closed: so it is opened
anew every READ_AT_ONCE values.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

import lmdb

from petite.data.sources.base import (
    USUAL_LIMITS,
    Entry,
    ImageData,
    Limits,
    Source,
    UnreadableEntry,
    check_bytes,
)
from petite.data.sources.layout import Layout, is_hidden, nfc
from petite.util.errors import PetiteError

DATABASE = "data.mdb"
READ_AT_ONCE = 100


class LsunSource(Source):
    """A folder with an LMDB database for each class, the class's name that of its folder.

    The id of an image is `class/key`.
    """

    name = "lsun"

    path_is: ClassVar[str | None] = (
        f"a folder with a database for each class, such as cat/{DATABASE} and dog/{DATABASE}"
    )
    instead_of_address = "download LSUN's zips, unzip them, and give their folder"
    lists_in_order = True
    preset = "photos"

    def __init__(self, path: Path | None, limits: Limits = USUAL_LIMITS) -> None:
        """Open the databases; raises PetiteError when one is damaged, cut short or empty."""
        assert path is not None
        super().__init__(path, limits)
        self._databases: dict[str, _Database] = {}
        self._layout: Layout = Layout(path)
        try:
            for file in database_files(path):
                name = nfc(file.parent.name)
                if name in self._databases:
                    raise PetiteError(
                        f"{path} has two folders named {name!r}, spelled in two ways of Unicode. "
                        "Rename one"
                    )
                self._databases[name] = _Database(file)
                self._layout.folders[name] = Counter({"": self._databases[name].count})
            self._add_others(path)
        except BaseException:
            self.close()
            raise

    @classmethod
    def input_files(cls, path: Path) -> list[Path]:
        return database_files(path)

    def _add_others(self, path: Path) -> None:
        """Add the folders without a database, and links that cannot be followed, to the layout."""
        for folder in sorted(path.iterdir()):
            name = nfc(folder.name)
            if name in self._databases or is_hidden(folder.name):
                continue
            if folder.is_dir():
                kinds = Counter(file.suffix or file.name for file in folder.iterdir())
                self._layout.empty[name] = kinds
            elif not folder.exists():
                target = folder.readlink()
                self._layout.dangling[name] = f"leads to {target}, which does not exist"

    @property
    def layout(self) -> Layout:
        return self._layout

    def entries(self) -> Iterable[Entry]:
        for class_name, database in self._databases.items():
            for key, size in database.sizes():
                yield Entry(f"{class_name}/{key}", class_name, size)

    def read(self, image_id: str) -> ImageData:
        class_name, _, key = image_id.partition("/")
        try:
            return self._databases[class_name].read(key, self.limits.max_bytes)
        except KeyError:
            raise self.changed(f"{image_id} is gone") from None

    def close(self) -> None:
        for database in self._databases.values():
            database.close()


class _Database:
    """The database of one class."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._open()

    @property
    def count(self) -> int:
        """How many values it has."""
        return int(self._environment.stat()["entries"])

    def sizes(self) -> Iterator[tuple[str, int]]:
        """The keys in their order, each with the size of its value in bytes."""
        try:
            found = self._opened().first()
            while found:
                key = bytes(self._cursor.key())
                yield self._text(key), len(self._cursor.value())
                found = self._opened().set_range(key) and self._cursor.next()
        except lmdb.Error as error:
            raise PetiteError(
                f"{self._file} is damaged ({error}). Unzip or download it again"
            ) from error

    def read(self, key: str, limit: int) -> bytes:
        """A value; KeyError for an unknown key, UnreadableEntry for one that cannot be read."""
        try:
            if not self._opened().set_key(key.encode()):
                raise KeyError(key)
            value = self._cursor.value()
        except lmdb.Error as error:
            raise UnreadableEntry(f"unreadable: damaged in the database ({error})") from error
        check_bytes(len(value), limit)
        return bytes(value)

    def close(self) -> None:
        self._environment.close()

    def _opened(self) -> lmdb.Cursor:
        """The cursor; opens the database anew after READ_AT_ONCE calls."""
        self._read += 1
        if self._read > READ_AT_ONCE:
            self.close()
            self._open()
        return self._cursor

    def _open(self) -> None:
        self._environment = _open(self._file)
        # As buffers: a value is copied when it is wanted, not when the cursor passes.
        self._cursor = self._environment.begin(buffers=True).cursor()
        self._read = 0

    def _text(self, key: bytes) -> str:
        try:
            return key.decode("utf-8")
        except UnicodeDecodeError:
            raise PetiteError(
                f"{self._file}: the key {key!r} is not UTF-8 text. LSUN's keys are; write the "
                "database anew with keys that name the images"
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
