"""A zip or tar archive of images, one folder a class, read in place: nothing is unpacked to disk.

Zip and plain tar give any member at once. A compressed tar has to be unpacked from its beginning:
once to list it and once more to read from it, so `read_many` goes through it in order.
"""

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

from petite.data.sources.base import (
    USUAL_LIMITS,
    Entry,
    ImageData,
    Limits,
    Source,
    UnreadableEntry,
    read_at_most,
)
from petite.data.sources.layout import Folder, Layout, find_layout, is_hidden, side_kind
from petite.util.errors import PetiteError

# What Python's zipfile can unpack. Windows packs large zips with Deflate64, which it cannot.
ZIP_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
ZIP_ENCRYPTED = 0x1
ZIP_UTF8 = 0x800
MADE_ON_DOS = 0

# Photographs hardly shrink when they are packed. What unpacks to more than so many times its size,
# from `SMALL` bytes on, was made to fill a memory or a disk.
MOST_EXPANSION = 1000
SMALL = 10_000_000

# Of a path in an archive, and of what a link leads to, characters: as Linux has it.
LONGEST_PATH = 4096
# From link to link, before it counts as a circle: as Linux has it.
MOST_LINKS = 40

# Of a long name or a set of attributes in a tar, bytes, which are read into memory at once.
LONGEST_HEADER = 1_000_000
HEADERS = {
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
}

# What damaged members make the standard library raise.
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
    """A plain file in an archive: its size unpacked (bytes), and where it lies in the archive."""

    size: int
    offset: int
    info: zipfile.ZipInfo | tarfile.TarInfo


class _Link(NamedTuple):
    """A link in an archive to another path in it, from the link's folder or from the root."""

    target: str
    from_root: bool


class _Archive(Protocol):
    """What zip and tar have in common."""

    def members(self) -> Iterator[tuple[str, _Member | _Link | None]]:
        """The name of each member, and the member itself or the link; None for a folder.

        Raises _Refused for a member that is none of these, or cannot be unpacked.
        """

    def open(self, member: _Member) -> IO[bytes]:
        """The bytes of a member, unpacked as they are read."""

    def close(self) -> None:
        """Close the archive's file."""


class _Refused(Exception):
    """Why an archive with this member is not read: (name, reason)."""


class _Zip:
    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path)

    def members(self) -> Iterator[tuple[str, _Member | _Link | None]]:
        # Some Windows programs write Cat\1.jpg, and not all of them say that they are of Windows.
        no_slash = not any("/" in info.filename for info in self._zip.infolist())
        for info in self._zip.infolist():
            name = _decoded(info)
            if no_slash or info.create_system == MADE_ON_DOS:
                name = name.replace("\\", "/")
            unix_type = stat.S_IFMT(info.external_attr >> 16)
            if unix_type not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
                raise _Refused(name, "a device, not a plain file")
            if name.endswith("/"):
                yield name, None
                continue
            if info.flag_bits & ZIP_ENCRYPTED:
                raise _Refused(name, "encrypted")
            if info.compress_type not in ZIP_METHODS:
                raise _Refused(name, f"compressed with method {info.compress_type}, unknown here")
            _check_expansion(name, info.file_size, info.compress_size)
            if unix_type == stat.S_IFLNK:
                yield name, _Link(self._text(info), from_root=False)
            else:
                yield name, _Member(info.file_size, info.header_offset, info)

    def _text(self, info: zipfile.ZipInfo) -> str:
        """What a link leads to, which is its content."""
        with self._zip.open(info) as file:
            return os.fsdecode(file.read(LONGEST_PATH + 1))

    def open(self, member: _Member) -> IO[bytes]:
        return self._zip.open(cast(zipfile.ZipInfo, member.info))

    def close(self) -> None:
        self._zip.close()


def _decoded(info: zipfile.ZipInfo) -> str:
    """A name in a zip, in UTF-8 where it can be: macOS does not say that its names are."""
    if info.flag_bits & ZIP_UTF8:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


class _TarInfo(tarfile.TarInfo):
    """A header in a tar, looked at before the standard library acts on it."""

    @classmethod
    def frombuf(cls, *args: Any, **kwargs: Any) -> Self:
        info = super().frombuf(*args, **kwargs)
        if info.type in HEADERS and info.size > LONGEST_HEADER:
            raise _Refused(info.name, f"a name or attributes of {info.size / 1e6:.0f} MB")
        return info


class _Tar:
    def __init__(self, path: Path) -> None:
        self._bytes = path.stat().st_size
        self._tar = tarfile.open(path, tarinfo=_TarInfo)  # noqa: SIM115 - open as long as the source

    def members(self) -> Iterator[tuple[str, _Member | _Link | None]]:
        for info in self._tar:
            # Before the next header is looked for, for which this member has to be unpacked.
            _check_expansion(info.name, info.offset_data + info.size, self._bytes)
            if info.isdir():
                yield info.name, None
            elif info.isreg():
                yield info.name, _Member(info.size, info.offset_data, info)
            elif info.issym() or info.islnk():
                yield info.name, _Link(info.linkname, from_root=info.islnk())
            else:
                raise _Refused(info.name, "a device, not a plain file")
        self._check_end()

    def _check_end(self) -> None:
        """Raise ReadError unless the list of members ends as it should.

        The standard library takes a damaged header for the end of the archive; a real end is
        marked by a block of zeros.
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
    """Class-per-folder images in a zip or tar; `find_layout` has the rules of the layout.

    Links to what is in the archive are followed.
    """

    name = "archive"

    path_is: ClassVar[str | None] = "a zip or tar archive with a folder of images for each class"
    takes_address = True
    is_one_file = True
    preset = "photos"

    def __init__(self, path: Path | None, limits: Limits = USUAL_LIMITS) -> None:
        """Open the archive and read its directory.

        Raises PetiteError when it is no archive or damaged, when it has too many entries, and for
        a member with an unsafe or repeated name, an encrypted one, a device, a link that leads
        out of the archive, nowhere or in a circle, and one that unpacks to more than
        MOST_EXPANSION times its size.
        """
        assert path is not None
        super().__init__(path, limits)
        self._archive = _open(path)
        self._opened = _state(path)
        try:
            self._layout = find_layout(
                _tree(self._archive, path, limits.max_entries), path, limits.max_entries
            )
        except BaseException:
            self._archive.close()
            raise

    @classmethod
    def check_path(cls, path: Path) -> None:
        if path.is_dir():
            raise PetiteError(
                f"{path} is a folder, not {cls.path_is}. To read a folder: "
                f"write folder={shlex.quote(str(path))}"
            )

    @property
    def layout(self) -> Layout[_Member]:
        return self._layout

    def entries(self) -> Iterable[Entry]:
        for image_id, member in self._layout.files.items():
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
        if image_id not in self._layout.files:
            raise self.changed(f"{image_id} is gone")
        return self._layout.files[image_id]

    def check_unchanged(self) -> None:
        assert self.path is not None
        if _state(self.path) != self._opened:
            raise self.changed("its size or its time is another one")

    def close(self) -> None:
        self._archive.close()


def _state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _open(path: Path) -> _Archive:
    """Open an archive by what is in it, whatever its name."""
    if not path.is_file():
        raise PetiteError(f"{path} is not a file: the source archive needs a zip or tar archive")
    try:
        path.open("rb").close()
    except OSError as error:
        raise PetiteError(
            f"cannot read {path}: {error.strerror}. Give read access to it"
        ) from error
    try:
        # Tar first: a zip among the last members of a tar would pass for a zip.
        with suppress(tarfile.TarError):
            return _Tar(path)
        if zipfile.is_zipfile(path):
            return _Zip(path)
    except _Refused as refusal:
        raise _refused(path, *refusal.args) from None
    except DAMAGED as error:
        raise _damaged(path, error) from error
    with path.open("rb") as file:
        start = file.read(64)
    hint = " (it looks like a web page)" if start.lstrip().startswith(b"<") else ""
    raise PetiteError(
        f"{path} is no archive that can be read{hint}: it must be a zip or a tar (plain, .gz, .bz2 "
        "or .xz). If it was cut while it was copied or downloaded, get it again; "
        "if it is of another kind, pack it anew as a zip"
    )


def _damaged(path: Path, error: Exception) -> PetiteError:
    return PetiteError(f"{path} is damaged or cut short ({error}). Get it again")


def _refused(path: Path, name: str, reason: str) -> PetiteError:
    return PetiteError(
        f"{path} is refused for its entry {name!r}: {reason}. Pack the images anew as a zip "
        "of plain files"
    )


def _check_expansion(name: str, unpacked: int, packed: int) -> None:
    """Raise _Refused for so many bytes in a few."""
    if unpacked > SMALL and unpacked > MOST_EXPANSION * packed:
        raise _Refused(
            name, f"unpacks to {unpacked / 1e6:.0f} MB, more than {MOST_EXPANSION} times its size"
        )


def _tree(archive: _Archive, path: Path, max_entries: int) -> Folder[_Member]:
    """The tree of an archive's files, links resolved, without what is hidden.

    Raises PetiteError (see above).
    """
    root: Folder[_Member] = Folder()
    links: dict[tuple[str, ...], _Link] = {}
    packed, unpacked = path.stat().st_size, 0
    try:
        for number, (name, member) in enumerate(archive.members(), start=1):
            if number > max_entries:
                raise _Refused(name, f"the archive has more than {max_entries} (max_entries)")
            if _is_outside(name) or ".." in re.split(r"[/\\]", name):
                raise _Refused(name, "a path that leads out of the archive")
            if len(name) > LONGEST_PATH:
                raise _Refused(name[:50], f"a path of more than {LONGEST_PATH} characters")
            parts = _parts(name)
            if member is None or not parts:
                _folder_at(root, parts)
                continue
            folder = _folder_at(root, parts[:-1])
            if parts[-1] in folder.files or parts in links:
                raise _Refused(name, "in the archive twice")
            if isinstance(member, _Link):
                if not any(map(is_hidden, parts)) and not side_kind(parts[-1]):
                    links[parts] = member
                continue
            folder.files[parts[-1]] = member
            # Entries that share their packed bytes are each small beside them, and together not.
            unpacked += member.size
            _check_expansion(name, unpacked, packed)
        for parts, found in {parts: _linked(parts, root, links) for parts in links}.items():
            folder, name = _folder_at(root, parts[:-1]), parts[-1]
            if name in folder.folders or name in folder.files:
                raise _Refused("/".join(parts), "in the archive twice")
            if isinstance(found, Folder):
                folder.folders[name] = found
            else:
                folder.files[name] = found
                unpacked += found.size
                _check_expansion("/".join(parts), unpacked, packed)
    except _Refused as refusal:
        raise _refused(path, *refusal.args) from None
    except DAMAGED as error:
        raise _damaged(path, error) from error
    _remove_hidden(root)
    return root


def _parts(path: str) -> tuple[str, ...]:
    # Tar writes ./Cat/1.jpg where it was told to pack the folder "."
    return tuple(part for part in path.split("/") if part not in ("", "."))


def _folder_at(root: Folder[_Member], parts: Iterable[str]) -> Folder[_Member]:
    """The folder of a path, made with those that it lies in where it is not there."""
    folder = root
    for part in parts:
        if part not in folder.folders:
            folder.folders[part] = Folder()
        folder = folder.folders[part]
    return folder


def _linked(
    link: tuple[str, ...], root: Folder[_Member], links: Mapping[tuple[str, ...], _Link]
) -> Folder[_Member] | _Member:
    """The file or folder that a link leads to, by way of others; raises _Refused."""
    name, target = "/".join(link), links[link].target
    here = [root]  # the folders on the way to where we are,
    path: list[str] = []  # and their names
    ahead = [*reversed(link)]
    hops = 0
    while ahead:
        part = ahead.pop()
        if part == "..":
            if not path:
                raise _Refused(name, f"a link that leads out of the archive, to {target!r}")
            path.pop()
            here.pop()
        elif found := links.get((*path, part)):
            hops += 1
            if hops > MOST_LINKS:
                raise _Refused(name, "a link that leads in a circle")
            if _is_outside(found.target) or len(found.target) > LONGEST_PATH:
                raise _Refused(name, f"a link that leads out of the archive, to {target[:50]!r}")
            if found.from_root:
                del here[1:], path[:]
            ahead += reversed(_parts(found.target))
        elif part in here[-1].folders:
            here.append(here[-1].folders[part])
            path.append(part)
        elif part in here[-1].files and not ahead:
            return here[-1].files[part]
        else:
            raise _Refused(name, f"a link to {target!r}, which is not in the archive")
    if path == [*link[: len(path)]]:
        raise _Refused(name, f"a link to {target!r}, a folder that it lies in itself")
    return here[-1]


def _remove_hidden(root: Folder[_Member]) -> None:
    """Take what is hidden out of a tree, in which links may lead in circles."""
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
