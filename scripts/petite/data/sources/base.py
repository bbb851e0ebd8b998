"""The interface of every source of labeled images."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, ClassVar, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from petite.data.addresses import Wheel
from petite.data.labels import LabelColumns
from petite.data.sources.labeled import Labeled
from petite.data.sources.layout import Layout
from petite.util.errors import PetiteError
from petite.util.notices import Notices

# The encoded bytes of an image file, or its pixels: uint8 (height, width) or (height, width, 3).
ImageData = bytes | NDArray[np.uint8]


class Entry(NamedTuple):
    """One file (or array) of a source, readable or not.

    Attributes
    ----------
    image_id : str
        Class and path, such as Cat/1.jpg.
    class_name : str
    bytes : int
        Size of the file, or of the array; 0 where only reading it gives the size.
    """

    image_id: str
    class_name: str
    bytes: int


class Limits(NamedTuple):
    """Limits on the size of a source.

    Attributes
    ----------
    max_bytes : int
        Of one unpacked image file. Larger ones, which hardly any photograph is, are set aside.
    max_entries : int
        Of an archive; each takes about 1 kB of memory. An archive with more is refused.
    """

    max_bytes: int = 200_000_000
    max_entries: int = 500_000


USUAL_LIMITS = Limits()
# The class of all images of a source without labels.
UNLABELED = "unlabeled"


class Columns(NamedTuple):
    """The names of what is read in a table, or in another source of rows.

    Attributes
    ----------
    image, label : str or None
        None: the only suitable one, or the only one with a usual name.
    split, group : str or None
        What says the part and the group of each image. None: the only one with a usual name, if
        there is one.
    """

    image: str | None = None
    label: str | None = None
    split: str | None = None
    group: str | None = None


AUTOMATIC = Columns()


class UnreadableEntry(Exception):
    """One entry cannot be read; the rest of the source can.

    `reason` is a short sentence that starts with a stable kind, for the index of images.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Source(ABC):
    """A source of images, and a context manager that closes what it opened.

    Opening is cheap, so that many jobs can open the same source at once.

    Parameters
    ----------
    path : Path or None
        The file or folder to read; None for a source that is part of a library.
    limits : Limits
    labels : LabelColumns, optional
        The table of labels, for a source with `takes_labels`. None: folders are the classes.

    Attributes
    ----------
    name : str
        As in the configuration.
    path_is : str or None
        What `path` is for this source, for error messages; None if the source takes no path.
    wheel : Wheel or None
        The wheel that Petite downloads to the path; None if the user gives the path.
    takes_address : bool
        Whether the path may be an http(s) URL.
    takes_remote_folder : bool
        Whether the path may be the URL of a folder in an object store, such as s3://bucket/data.
    instead_of_address : str
        What to do if it may not be a URL.
    copied_suffixes : tuple of str
        Suffixes of the files that are copied from such a folder; all if empty.
    is_one_file : bool
        Whether the path is one file, which a rule of another workflow may make.
    has_fingerprints : bool
        Whether `fingerprint` detects changes of the images, which are too many files to be inputs.
    preset : str or None
        The file in workflow/config, without its suffix, with suitable settings.
    has_classes : bool
        Whether its images have labels. All images of one without are in the class UNLABELED.
    takes_labels : bool
        Whether a table may give the labels.
    takes_columns : bool
        Whether images and labels have names, which may be given as `columns`.
    has_pattern : bool
        Whether the path may be a pattern of files, such as data/train-*.parquet.
    images_per_class : int or None
        About how many, of a source whose images are always the same; to forecast a run.
    lists_in_order : bool
        Whether `entries` gives each class in the order of the listing. Other sources are sorted
        in natural order, which takes some kilobytes of memory per entry.
    """

    name: ClassVar[str]
    path_is: ClassVar[str | None] = None
    wheel: ClassVar[Wheel | None] = None
    takes_address: ClassVar[bool] = False
    takes_remote_folder: ClassVar[bool] = False
    instead_of_address: ClassVar[str] = (
        "an http(s) URL must be that of one file: set source to archive, parquet, npz or webdataset"
    )
    copied_suffixes: ClassVar[tuple[str, ...]] = ()
    is_one_file: ClassVar[bool] = False
    has_fingerprints: ClassVar[bool] = False
    preset: ClassVar[str | None] = None
    has_classes: ClassVar[bool] = True
    takes_labels: ClassVar[bool] = False
    takes_columns: ClassVar[bool] = False
    has_pattern: ClassVar[bool] = False
    images_per_class: ClassVar[int | None] = None
    lists_in_order: ClassVar[bool] = False

    def __init__(
        self,
        path: Path | None,
        limits: Limits = USUAL_LIMITS,
        labels: LabelColumns | None = None,
    ) -> None:
        self.path = path
        self.limits = limits
        self.labels = labels

    @classmethod
    def opened(cls, path: Path | None, limits: Limits, columns: Columns) -> "Source":
        """Open the source; `columns` are for those that take them."""
        return cls(path, limits)

    @classmethod
    def takes_path(cls) -> bool:
        """Whether the user gives the path of the images."""
        return cls.path_is is not None and cls.wheel is None

    @classmethod
    def is_folder_at(cls, url: str) -> bool:
        """Whether a URL is that of a folder."""
        return cls.takes_remote_folder

    @classmethod
    def input_files(cls, path: Path) -> list[Path]:
        """List the files at a path that are inputs of the rules that read the source."""
        return [path] if cls.is_one_file else []

    @classmethod  # noqa: B027 - some sources find out as they read
    def check_path(cls, path: Path) -> None:
        """Raise PetiteError for an existing path that is not of the kind that the source needs."""

    @property
    def layout(self) -> Layout | None:
        """The layout of the classes in a tree of files; None for a source without one."""
        return None

    @property
    def labeled(self) -> Labeled | None:
        """The images that a table labels; None without a table."""
        return None

    def annotations(self) -> pd.DataFrame | None:
        """Tabulate what the source says of its images beside their classes; None for nothing.

        For a tree of files, that is the part of a given split.

        Returns
        -------
        DataFrame or None
            image_id (str) and some columns of `petite.data.annotations`. It may omit images.
        """
        if self.labeled is not None:
            return self.labeled.annotations
        if self.layout is None or not self.layout.parts:
            return None
        ids = list(self.layout.files)
        return pd.DataFrame(
            {"image_id": ids, "split": [self.layout.parts[name.split("/")[1]] for name in ids]}
        )

    def check_labels(  # noqa: B027 - few sources read labels
        self, max_bad_share: float, notices: Notices | None
    ) -> None:
        """Add notices about the labels; raises PetiteError if too many entries have none."""

    @abstractmethod
    def entries(self) -> Iterable[Entry]:
        """Iterate over all entries, in any order."""

    @abstractmethod
    def read(self, image_id: str) -> ImageData:
        """Read the encoded bytes of an entry, or its pixels.

        Raises
        ------
        UnreadableEntry
            For an entry that cannot be read.
        PetiteError
            For an entry that is not in the source, or no longer.
        """

    def check_unchanged(self) -> None:  # noqa: B027 - few sources can check it
        """Raise PetiteError if the source has changed since it was opened."""

    def changed(self, what: str) -> PetiteError:
        """Make the error for a source that changed while it was read."""
        return PetiteError(
            f"{self.path} was changed while it was read: {what}. Run again when nothing writes to "
            "it any more"
        )

    def reading_order(self, image_ids: Iterable[str]) -> Iterable[str]:
        """Sort ids into the order that is fastest to read; as given unless overridden."""
        return image_ids

    def read_many(
        self, image_ids: Iterable[str]
    ) -> Iterator[tuple[str, ImageData | UnreadableEntry]]:
        """Read many entries in a fast order, one in memory at a time.

        Yields
        ------
        (str, ImageData or UnreadableEntry)
            An id with its data. The error of an entry that cannot be read is given, not raised,
            because that would end the iteration.
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
    """A source of small images, held in memory as one array."""

    def __init__(
        self,
        path: Path | None,
        limits: Limits,
        images: NDArray[np.uint8],
        labels: NDArray,
        classes: list[str],
    ) -> None:
        """Hold the images.

        Parameters
        ----------
        path : Path or None
        limits : Limits
        images : ndarray of uint8, shape (n, size, size)
        labels : ndarray of int, shape (n,)
            Positions in `classes`.
        classes : list of str
        """
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
    """Read a whole file; raises UnreadableEntry if it has more than `limit` bytes."""
    data = file.read(limit + 1)
    check_bytes(len(data), limit)
    return data


def check_bytes(count: int, limit: int) -> None:
    """Raise UnreadableEntry for an image file of more than `limit` bytes."""
    if count > limit:
        raise UnreadableEntry(f"too large: more than {limit / 1e6:g} MB (dataset.max_bytes)")
