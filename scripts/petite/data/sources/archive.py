"""The source `archive`: a zip or tar with one folder per class, read without unpacking to disk.

Zip and plain tar allow random access. A compressed tar must be decompressed from its beginning,
once to list it and once to read from it, so `read_many` goes through it in order.
"""

import io
import lzma
import os
import re
import shlex
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, ClassVar, NamedTuple, Protocol, Self, cast

from petite.data.labels import LabelColumns, read_labels, read_labels_at
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
    table_on_disk,
    wrappers,
)
from petite.data.sources.layout import Folder, Layout, find_layout, is_hidden, side_kind
from petite.data.sources.other_kinds import right_source
from petite.data.text_tables import MOST_BYTES
from petite.util.errors import PetiteError
from petite.util.notices import Notices

# Python's zipfile can unpack these, but not Deflate64, which Windows uses for large zips.
ZIP_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
ZIP_ENCRYPTED = 0x1
ZIP_UTF8 = 0x800
MADE_ON_DOS = 0

# Compression hardly shrinks photographs. A member of more than `SMALL` bytes that unpacks to more
# than this many times its size was made to fill the memory or the disk.
MOST_EXPANSION = 1000
SMALL = 10_000_000

# Characters of a path in an archive or of a link's target; the limit of Linux.
LONGEST_PATH = 4096
# Links that are followed one after the other before they count as a loop; the limit of Linux.
MOST_LINKS = 40

# Bytes of a long name or a set of attributes in a tar, which is read into memory at once.
LONGEST_HEADER = 1_000_000
HEADERS = {
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
}

# The standard library raises these for damaged members.
DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    NotImplementedError,
    ValueError,
)


class _Member(NamedTuple):
    """A regular file in an archive: its unpacked size (bytes) and its offset in the archive."""

    size: int
    offset: int
    info: zipfile.ZipInfo | tarfile.TarInfo


class _Link(NamedTuple):
    """A link to another path in the archive, relative to the link's folder or to the root."""

    target: str
    from_root: bool


class _Archive(Protocol):
    """The interface of zip and tar.

    Attributes
    ----------
    guessed : str
        A name whose encoding is not known, once `members` has given all; "" if there is none.
    """

    guessed: str

    def members(self) -> Iterator[tuple[str, _Member | _Link | None]]:
        """Yield the name of each member with the file or link, or None for a folder.

        Raises Refused for any other member, and for one that cannot be unpacked.
        """

    def open(self, member: _Member) -> IO[bytes]:
        """Open a member, which is unpacked as it is read."""

    def close(self) -> None:
        """Close the archive's file."""


class Refused(Exception):
    """An archive is refused for one member; its arguments are the member's name and the reason."""


class _Zip:
    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path)
        self.guessed = ""

    def members(self) -> Iterator[tuple[str, _Member | _Link | None]]:
        # Some Windows programs write Cat\1.jpg, and not all of them mark the zip as from Windows.
        no_slash = not any("/" in info.filename for info in self._zip.infolist())
        for info in self._zip.infolist():
            name = _decoded(info)
            if name is None:
                self.guessed = name = info.filename
            if no_slash or info.create_system == MADE_ON_DOS:
                name = name.replace("\\", "/")
            unix_type = stat.S_IFMT(info.external_attr >> 16)
            if unix_type not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
                raise Refused(name, "a device, not a regular file")
            if name.endswith("/"):
                yield name, None
                continue
            if info.flag_bits & ZIP_ENCRYPTED:
                raise Refused(name, "encrypted")
            if info.compress_type not in ZIP_METHODS:
                raise Refused(name, f"unsupported compression method {info.compress_type}")
            _check_expansion(name, info.file_size, info.compress_size)
            if unix_type == stat.S_IFLNK:
                yield name, _Link(self._text(info), from_root=False)
            else:
                yield name, _Member(info.file_size, info.header_offset, info)

    def _text(self, info: zipfile.ZipInfo) -> str:
        """The target of a link, which is its content."""
        with self._zip.open(info) as file:
            return os.fsdecode(file.read(LONGEST_PATH + 1))

    def open(self, member: _Member) -> IO[bytes]:
        return self._zip.open(cast(zipfile.ZipInfo, member.info))

    def close(self) -> None:
        self._zip.close()


def _decoded(info: zipfile.ZipInfo) -> str | None:
    """A name in a zip, as UTF-8 where that is valid: macOS does not set the flag for it.

    None for another encoding, such as Shift JIS, which a zip does not name.
    """
    if info.flag_bits & ZIP_UTF8:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return None


class CheckedTarInfo(tarfile.TarInfo):
    """A header in a tar, checked before the standard library acts on it."""

    @classmethod
    def frombuf(cls, *args: Any, **kwargs: Any) -> Self:
        info = super().frombuf(*args, **kwargs)
        if info.type in HEADERS and info.size > LONGEST_HEADER:
            raise Refused(info.name, f"a name or attributes of {info.size / 1e6:.0f} MB")
        return info


class _Tar:
    def __init__(self, path: Path) -> None:
        self._bytes = path.stat().st_size
        self.guessed = ""
        self._tar = tarfile.open(path, tarinfo=CheckedTarInfo)  # noqa: SIM115 - open as long as the source

    def members(self) -> Iterator[tuple[str, _Member | _Link | None]]:
        for info in self._tar:
            # Before this member is unpacked to find the next header.
            _check_expansion(info.name, info.offset_data + info.size, self._bytes)
            if info.isdir():
                yield info.name, None
            elif info.isreg():
                yield info.name, _Member(info.size, info.offset_data, info)
            elif info.issym() or info.islnk():
                yield info.name, _Link(info.linkname, from_root=info.islnk())
            else:
                raise Refused(info.name, "a device, not a regular file")
        self._check_end()

    def _check_end(self) -> None:
        """Raise ReadError if the list of members ends without the block of zeros.

        The standard library takes a damaged header for the end of the archive.
        """
        file = cast(IO[bytes], self._tar.fileobj)
        file.seek(self._tar.offset)
        if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("no end mark after the last member")

    def open(self, member: _Member) -> IO[bytes]:
        return cast(IO[bytes], self._tar.extractfile(cast(tarfile.TarInfo, member.info)))

    def close(self) -> None:
        self._tar.close()


class ArchiveSource(Source):
    """Images in a zip or tar with one folder per class, which `find_layout` finds.

    With a table of labels it is any tree of images. Links within the archive are followed.
    """

    name = "archive"
    path_is: ClassVar[str | None] = "a zip or tar archive with one folder of images per class"
    takes_address = True
    is_one_file = True
    preset = "photos"
    takes_labels = True
    # The folder in the archive that is read, such as data/images; "": the whole archive.
    inside: ClassVar[str] = ""

    def __init__(
        self,
        path: Path | None,
        limits: Limits = USUAL_LIMITS,
        labels: LabelColumns | None = None,
    ) -> None:
        """Open the archive and read its directory.

        Raises
        ------
        PetiteError
            When it is damaged or not an archive, when it has too many entries, and for a member
            with an unsafe or repeated name, an encrypted one, a device, a link to outside the
            archive, to nothing or in a loop, and one that unpacks to more than MOST_EXPANSION times
            its size. Also where `read_labels` and `find_labeled` do.
        """
        assert path is not None
        super().__init__(path, limits, labels)
        self._archive = _open(path)
        self._opened = _state(path)
        try:
            tree = _folder_at(_tree(self._archive, path, limits.max_entries), _parts(self.inside))
            self._labeled = self._read_labels(tree) if labels else None
            where = path / self.inside
            self._layout = None if labels else find_layout(tree, where, limits.max_entries)
        except BaseException:
            self._archive.close()
            raise

    @classmethod
    def check_path(cls, path: Path) -> None:
        if hint := right_source(path):
            raise PetiteError(f"{path} is not {cls.path_is}. {hint}")
        if path.is_dir():
            raise PetiteError(
                f"{path} is a folder, not {cls.path_is}. To read a folder, write "
                f"folder={shlex.quote(str(path))}"
            )

    def check_labels(self, max_bad_share: float, notices: Notices | None) -> None:
        super().check_labels(max_bad_share, notices)
        if notices is not None and (name := self._archive.guessed):
            notices.add(
                f"{self.path} does not say the encoding of its names, such as {name!r}. If they "
                "look wrong, unpack it with the right one, as with unzip -O shift_jis, and give "
                "the folder"
            )

    @property
    def layout(self) -> Layout[_Member] | None:
        return self._layout

    @property
    def labeled(self) -> Labeled[_Member] | None:
        return self._labeled

    def _read_labels(self, tree: Folder[_Member]) -> Labeled[_Member]:
        """The images by a table on disk, or else in the archive."""
        assert self.path is not None and self.labels is not None
        if path := table_on_disk(self.labels, None):
            return find_labeled(tree, self.path, read_labels_at(path, self.labels), None)
        for folder in ("", *wrappers(tree)):
            place = "/".join([*_parts(folder), *_parts(self.labels.path)])
            above, _, name = place.rpartition("/")
            if member := _folder_at(tree, _parts(above)).files.get(name):
                try:
                    with self._archive.open(member) as file:
                        data = io.BytesIO(file.read(MOST_BYTES + 1))
                except DAMAGED as error:
                    raise _damaged(self.path, error) from error
                table = read_labels(data, f"{self.path}/{place}", self.labels)
                return find_labeled(tree, self.path, table, place)
        raise no_table(self.labels, self.path, tree)

    @property
    def _files(self) -> dict[str, _Member]:
        """The images by id."""
        found = self._layout or self._labeled
        assert found is not None
        return found.files

    def entries(self) -> Iterable[Entry]:
        for image_id, member in self._files.items():
            yield Entry(image_id, image_id.split("/", 1)[0], member.size)

    def read(self, image_id: str) -> ImageData:
        member = self._member(image_id)
        try:
            with self._archive.open(member) as file:
                return read_at_most(file, self.limits.max_bytes)
        except DAMAGED as error:
            raise UnreadableEntry(f"unreadable: damaged in the archive ({error})") from error

    def reading_order(self, image_ids: Iterable[str]) -> Iterable[str]:
        """From the beginning of the archive to its end."""
        return sorted(image_ids, key=lambda image_id: self._member(image_id).offset)

    def _member(self, image_id: str) -> _Member:
        if image_id not in self._files:
            raise self.changed(f"{image_id} is gone")
        return self._files[image_id]

    def check_unchanged(self) -> None:
        assert self.path is not None
        if _state(self.path) != self._opened:
            raise self.changed("its size or its modification time differs")

    def close(self) -> None:
        self._archive.close()


def _state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _open(path: Path) -> _Archive:
    """Open an archive by its content, whatever its name."""
    if not path.is_file():
        raise PetiteError(f"{path} is not a file: the source 'archive' needs a zip or tar archive")
    try:
        path.open("rb").close()
    except OSError as error:
        raise PetiteError(
            f"cannot read {path}: {error.strerror}. Give read access to it"
        ) from error
    try:
        # Tar first: a tar that ends with a zip would be taken for a zip.
        with suppress(tarfile.TarError):
            return _Tar(path)
        if zipfile.is_zipfile(path):
            return _Zip(path)
    except Refused as refusal:
        raise _refused(path, *refusal.args) from None
    except DAMAGED as error:
        raise _damaged(path, error) from error
    with path.open("rb") as file:
        start = file.read(64)
    hint = " (it looks like a web page)" if start.lstrip().startswith(b"<") else ""
    raise PetiteError(
        f"{path} is not an archive that can be read{hint}: it must be a zip or a tar (plain, .gz, "
        ".bz2 or .xz). If it was cut short when it was copied or downloaded, get it again; if it "
        "has another format, repack it as a zip"
    )


def _damaged(path: Path, error: Exception) -> PetiteError:
    return PetiteError(f"{path} is damaged or cut short ({error}). Get it again")


def _refused(path: Path, name: str, reason: str) -> PetiteError:
    return PetiteError(
        f"{path} is refused for its entry {name!r}: {reason}. Repack the images as a zip of "
        "regular files"
    )


def _check_expansion(name: str, unpacked: int, packed: int) -> None:
    """Raise Refused for what unpacks to far more than its size."""
    if unpacked > SMALL and unpacked > MOST_EXPANSION * packed:
        raise Refused(
            name, f"unpacks to {unpacked / 1e6:.0f} MB, more than {MOST_EXPANSION} times its size"
        )


def _tree(archive: _Archive, path: Path, max_entries: int) -> Folder[_Member]:
    """The tree of an archive's files, with links resolved and without hidden files.

    Raises PetiteError as `ArchiveSource` does.
    """
    root: Folder[_Member] = Folder()
    links: dict[tuple[str, ...], _Link] = {}
    packed, unpacked = path.stat().st_size, 0
    try:
        for number, (name, member) in enumerate(archive.members(), start=1):
            if number > max_entries:
                raise Refused(
                    name, f"the archive has more than {max_entries} entries (dataset.max_entries)"
                )
            if _is_outside(name) or ".." in re.split(r"[/\\]", name):
                raise Refused(name, "a path that leads out of the archive")
            if len(name) > LONGEST_PATH:
                raise Refused(name[:50], f"a path of more than {LONGEST_PATH} characters")
            parts = _parts(name)
            if member is None or not parts:
                _folder_at(root, parts)
                continue
            folder = _folder_at(root, parts[:-1])
            if parts[-1] in folder.files or parts in links:
                raise Refused(name, "in the archive twice")
            if isinstance(member, _Link):
                if not any(map(is_hidden, parts)) and not side_kind(parts[-1]):
                    links[parts] = member
                continue
            folder.files[parts[-1]] = member
            # Entries can share their packed bytes: each is small enough, but not all together.
            unpacked += member.size
            _check_expansion(name, unpacked, packed)
        for parts, found in {parts: _linked(parts, root, links) for parts in links}.items():
            folder, name = _folder_at(root, parts[:-1]), parts[-1]
            if name in folder.folders or name in folder.files:
                raise Refused("/".join(parts), "in the archive twice")
            if isinstance(found, Folder):
                folder.folders[name] = found
            else:
                folder.files[name] = found
                unpacked += found.size
                _check_expansion("/".join(parts), unpacked, packed)
    except Refused as refusal:
        raise _refused(path, *refusal.args) from None
    except DAMAGED as error:
        raise _damaged(path, error) from error
    _remove_hidden(root)
    return root


def _parts(path: str) -> tuple[str, ...]:
    # Tar writes ./Cat/1.jpg if it packed the folder "."
    return tuple(part for part in path.split("/") if part not in ("", "."))


def _folder_at(root: Folder[_Member], parts: Iterable[str]) -> Folder[_Member]:
    """The folder of a path, which is made with its parents where it is missing."""
    folder = root
    for part in parts:
        if part not in folder.folders:
            folder.folders[part] = Folder()
        folder = folder.folders[part]
    return folder


def _linked(
    link: tuple[str, ...], root: Folder[_Member], links: Mapping[tuple[str, ...], _Link]
) -> Folder[_Member] | _Member:
    """The file or folder that a link leads to, through other links; raises Refused."""
    name, target = "/".join(link), links[link].target
    here = [root]  # the folders from the root to the current one
    path: list[str] = []  # their names
    ahead = [*reversed(link)]
    hops = 0
    while ahead:
        part = ahead.pop()
        if part == "..":
            if not path:
                raise Refused(name, f"a link that leads out of the archive, to {target!r}")
            path.pop()
            here.pop()
        elif found := links.get((*path, part)):
            hops += 1
            if hops > MOST_LINKS:
                raise Refused(name, f"a link in a loop, to {target!r}")
            if _is_outside(found.target) or len(found.target) > LONGEST_PATH:
                raise Refused(name, f"a link that leads out of the archive, to {target[:50]!r}")
            if found.from_root:
                del here[1:], path[:]
            ahead += reversed(_parts(found.target))
        elif part in here[-1].folders:
            here.append(here[-1].folders[part])
            path.append(part)
        elif part in here[-1].files and not ahead:
            return here[-1].files[part]
        else:
            raise Refused(name, f"a link to {target!r}, which is not in the archive")
    if path == [*link[: len(path)]]:
        raise Refused(name, f"a link to {target!r}, a folder that contains the link")
    return here[-1]


def _remove_hidden(root: Folder[_Member]) -> None:
    """Remove hidden files and folders from a tree, in which links may form loops."""
    seen = {id(root)}
    pending = [root]
    while pending:
        folder = pending.pop()
        folder.files = {name: file for name, file in folder.files.items() if not is_hidden(name)}
        folder.folders = {
            name: inner for name, inner in folder.folders.items() if not is_hidden(name)
        }
        pending += [inner for inner in folder.folders.values() if id(inner) not in seen]
        seen |= set(map(id, folder.folders.values()))


def _is_outside(path: str) -> bool:
    """Whether a path is absolute, on Unix or on Windows."""
    return path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:[/\\]", path) is not None
