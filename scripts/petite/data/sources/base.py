"""What every source of labeled images offers."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from petite.data.sources.layout import Layout
from petite.util.errors import PetiteError

# The encoded bytes of an image file, or its pixels: uint8 (height, width) or (height, width, 3).
ImageData = bytes | NDArray[np.uint8]


class Entry(NamedTuple):
    """One file (or array) of a source, read or not."""

    image_id: str
    class_name: str
    bytes: int


class Limits(NamedTuple):
    """How much a source may ask of the machine."""

    # Of one image file, unpacked: more than any photograph takes. A larger one is set aside.
    max_bytes: int = 200_000_000
    # Of an archive, each of which takes about 1 kB of memory. One with more is refused.
    max_entries: int = 500_000


USUAL_LIMITS = Limits()


class UnreadableEntry(Exception):
    """One entry cannot be read; the rest of the source can.

    `reason` is a short sentence that starts with a stable kind, for the index of images.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Source(ABC):
    """A place that images come from; a context manager that closes what it opened.

    Opening is cheap, so that many jobs can open the same source at once.
    """

    # As in the config.
    name: ClassVar[str]
    # What `path` is for this source, for error messages; None where the source takes no path.
    path_is: ClassVar[str | None] = None
    # The name of the file that Petite downloads to this path; None where the user gives the path.
    download_name: ClassVar[str | None] = None
    # Whether the user may give an http(s) address for the path; and what to do instead.
    takes_address: ClassVar[bool] = False
    instead_of_address: ClassVar[str] = "an address leads to an archive: set source to archive"
    # Whether the path is one file, which a rule of another workflow may make.
    is_one_file: ClassVar[bool] = False
    # Whether `fingerprint` tells of changes in its images, which are too many files to be inputs.
    has_fingerprints: ClassVar[bool] = False
    # The file in workflow/config, without its suffix, with the settings that suit the images.
    preset: ClassVar[str | None] = None
    # Whether `entries` gives each class in the order in which it is to be listed. Others are listed
    # in natural order, which takes some kilobytes an entry to work out.
    lists_in_order: ClassVar[bool] = False

    def __init__(self, path: Path | None, limits: Limits = USUAL_LIMITS) -> None:
        self.path = path
        self.limits = limits

    @classmethod
    def takes_path(cls) -> bool:
        """Whether the user says where the images are."""
        return cls.path_is is not None and cls.download_name is None

    @classmethod
    def input_files(cls, path: Path) -> list[Path]:
        """The files at a path that are inputs of the rules that read the source."""
        return [path] if cls.is_one_file else []

    @classmethod  # noqa: B027 - some sources find out as they read
    def check_path(cls, path: Path) -> None:
        """Raise PetiteError for a path, which is there, that is no place for such a source."""

    @property
    def layout(self) -> Layout | None:
        """How the classes lie in a tree of files; None for a source that is no such tree."""
        return None

    @abstractmethod
    def entries(self) -> Iterable[Entry]:
        """All entries, in no particular order."""

    @abstractmethod
    def read(self, image_id: str) -> ImageData:
        """One entry's encoded bytes, or its pixels.

        Raises UnreadableEntry for an entry that cannot be read, PetiteError for one that is not
        in the source (any more).
        """

    def check_unchanged(self) -> None:  # noqa: B027 - few sources can tell
        """Raise PetiteError where the source is no longer what it was when it was opened."""

    def changed(self, what: str) -> PetiteError:
        """The error for a source that changed while it was read."""
        return PetiteError(
            f"{self.path} was changed while it was read: {what}. Run again once it stays as it is: "
            "it is then read anew"
        )

    def reading_order(self, image_ids: Iterable[str]) -> Iterable[str]:
        """The ids in the order in which reading them takes least; as given unless overridden."""
        return image_ids

    def read_many(
        self, image_ids: Iterable[str]
    ) -> Iterator[tuple[str, ImageData | UnreadableEntry]]:
        """Read many entries, in whichever order is fast, holding one in memory at a time.

        An entry that cannot be read comes with its UnreadableEntry in place of the data (not
        raised: that would end the iteration).
        """
        for image_id in self.reading_order(image_ids):
            try:
                yield image_id, self.read(image_id)
            except UnreadableEntry as unreadable:
                yield image_id, unreadable

    def close(self) -> None:  # noqa: B027 - most sources hold nothing open
        """Close what the source holds open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class ArraySource(Source):
    """A source that holds all its images, small ones, as one array."""

    def __init__(
        self,
        path: Path | None,
        limits: Limits,
        images: NDArray[np.uint8],
        labels: NDArray,
        classes: list[str],
    ) -> None:
        """Take uint8 images (n, size, size) and their labels (n,), positions in `classes`."""
        super().__init__(path, limits)
        self._images = {
            f"{class_name}/{number:04d}": images[row]
            for label, class_name in enumerate(classes)
            for number, row in enumerate(np.flatnonzero(labels == label))
        }

    def entries(self) -> Iterable[Entry]:
        for image_id, pixels in self._images.items():
            yield Entry(image_id, image_id.split("/")[0], pixels.nbytes)

    def read(self, image_id: str) -> ImageData:
        if image_id not in self._images:
            raise self.changed(f"{image_id} is gone")
        return self._images[image_id]


def read_at_most(file: IO[bytes], limit: int) -> bytes:
    """Read a whole file; raises UnreadableEntry if it holds more than `limit` bytes."""
    data = file.read(limit + 1)
    check_bytes(len(data), limit)
    return data


def check_bytes(count: int, limit: int) -> None:
    """Raise UnreadableEntry for an image file of more than `limit` bytes."""
    if count > limit:
        raise UnreadableEntry(f"too large: more than {limit / 1e6:g} MB (max_bytes)")
