"""The source `lsun`: one LMDB database per class, with image files as values.

LSUN's cat.zip and dog.zip unpack to cat/data.mdb and dog/data.mdb, of 1.66 and 5.05 million WebP
files. They are read in place, without locks, and by many jobs at once. LMDB keeps its keys sorted,
and they are listed in that order, so each shard is a range of keys.

LMDB maps the file into memory and trusts its content. The size of a file is checked first, because
one that is cut short would end the process. Altered pages inside can still end it. Pages that were
read stay mapped, and count as memory of the process, until the database is closed. So it is
reopened every READ_AT_ONCE values.
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
    """A folder with one LMDB database per class, in a folder with the name of the class.

    The id of an image is `class/key`.
    """

    name = "lsun"

    path_is: ClassVar[str | None] = (
        f"a folder with one database per class, such as cat/{DATABASE} and dog/{DATABASE}"
    )
    instead_of_address = "a URL is not supported: download LSUN's zips, unzip them, give the folder"
    lists_in_order = True
    preset = "photos"

    def __init__(self, path: Path | None, limits: Limits = USUAL_LIMITS) -> None:
        """Open the databases.

        Raises
        ------
        PetiteError
            When one is damaged, cut short or empty.
        """
        assert path is not None
        super().__init__(path, limits)
        self._databases: dict[str, _Database] = {}
        self._layout: Layout = Layout(path)
        try:
            for file in database_files(path):
                name = nfc(file.parent.name)
                if name in self._databases:
                    raise PetiteError(
                        f"{path} has two folders named {name!r}, in two spellings of Unicode. "
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
        """The number of values."""
        return int(self._environment.stat()["entries"])

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Iterate over the sorted keys, each with the size of its value in bytes."""
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
        """Read a value; KeyError for an unknown key, UnreadableEntry if it cannot be read."""
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
        """The cursor; reopens the database after READ_AT_ONCE calls."""
        self._read += 1
        if self._read > READ_AT_ONCE:
            self.close()
            self._open()
        return self._cursor

    def _open(self) -> None:
        self._environment = _open(self._file)
        # As buffers: a value is copied when it is read, not when the cursor moves.
        self._cursor = self._environment.begin(buffers=True).cursor()
        self._read = 0

    def _text(self, key: bytes) -> str:
        try:
            return key.decode("utf-8")
        except UnicodeDecodeError:
            raise PetiteError(
                f"{self._file}: the key {key!r} is not UTF-8 text, as LSUN's keys are. Rewrite the "
                "database with keys that name the images"
            ) from None


def database_files(path: Path) -> list[Path]:
    """Find the database of each class, sorted by the names of the classes.

    Parameters
    ----------
    path : Path
        The folder of the classes.

    Raises
    ------
    PetiteError
        When there is no database.
    """
    if path.is_file():
        hint = " Unzip cat.zip and dog.zip into one folder" if path.suffix == ".zip" else ""
        raise PetiteError(f"{path} is a file: the source 'lsun' needs {LsunSource.path_is}.{hint}")
    if (path / DATABASE).is_file():
        raise PetiteError(f"{path} is the database of one class: give its parent folder")
    found = sorted(
        file for file in path.glob(f"*/{DATABASE}") if not file.parent.name.startswith(".")
    )
    if not found:
        zips = sorted(file.name for file in path.glob("*.zip"))
        hint = (
            f" Unzip {' and '.join(zips)} in it: databases are not read from zips" if zips else ""
        )
        raise PetiteError(
            f"no database in {path}: the source 'lsun' needs {LsunSource.path_is}.{hint}"
        )
    return found


def _open(file: Path) -> lmdb.Environment:
    """Open a database for reading by many jobs; raises PetiteError if it is unsafe to read."""
    try:
        environment = lmdb.open(str(file.parent), readonly=True, lock=False, create=False)
    except lmdb.Error as error:
        raise PetiteError(
            f"{file} is damaged or not an LMDB database ({error}). Unzip or download it again"
        ) from error
    pages, status = environment.info()["last_pgno"] + 1, environment.stat()
    due, present = pages * status["psize"], file.stat().st_size
    problem = None
    # Reading memory beyond the end of the file would end the process.
    if present < due:
        problem = f"is cut short: it has {present} bytes of {due}. Unzip or download it again"
    elif not status["entries"]:
        problem = "is an empty database. Fill it, or remove its folder"
    if problem:
        environment.close()
        raise PetiteError(f"{file} {problem}")
    return environment
