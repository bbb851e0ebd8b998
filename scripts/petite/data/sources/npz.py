"""The source `npz`: an .npz file with an array of images and an array of labels.

Arrays of an uncompressed file are mapped into memory. Those of a compressed one are unpacked as a
stream, one image in memory at a time. No pickle is ever loaded.

Pixels are uint8, or become it by one rule for the whole array. True and false become 255 and 0. If
numbers with a point are from 0 to 1, they are multiplied by 255. Other numbers must be from 0 to
255, and are rounded.
"""

import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import IO, Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.lib import format as npy
from numpy.typing import NDArray

from petite.data.sources.base import ImageData, Limits, UnreadableEntry, check_bytes
from petite.data.sources.row_columns import texts_of
from petite.data.sources.rows import (
    Labels,
    Part,
    Row,
    RowSource,
    damaged,
    labels_of,
    numbered,
)
from petite.data.sources.wording import shown
from petite.data.split_names import TEST, TRAIN, VALIDATION
from petite.util.errors import PetiteError

SPLIT_WORDS = {
    TRAIN: ("training", "train"),
    VALIDATION: ("validation", "valid", "val", "dev"),
    TEST: ("testing", "test"),
}
IMAGE_NAMES = ("x", "images", "image", "data", "imgs")
LABEL_NAMES = ("y", "labels", "label", "target", "targets")
NAMES_OF_CLASSES = ("class_names", "target_names", "classes", "label_names")
CHANNELS = (1, 3)
# Labels and names of classes are read at once.
MOST_LABEL_BYTES = 1_000_000_000
# Values that are examined at once for their range.
EXAMINED = 1 << 22
# By how much floats may miss the range of pixels.
ROUNDING = 1e-3
# The brightest pixel of images as floats from 0 to 255; a smaller one is of images from 0 to 1.
DARKEST = 2.0
# Images after which an array is mapped again: pages that were read count as memory of the process.
MAPPED_AT_ONCE = 256
LOCAL_HEADER = 30  # bytes, before the name of a member
NOT_AN_NPZ = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)


class _Pair(NamedTuple):
    """The names of images and labels of a split."""

    split: str
    images: str
    labels: str


class NpzSource(RowSource):
    """Images in an .npz file: X (n, height, width[, channels]) and y (n,), of any usual names.

    Names with a word for a split, such as x_train and test_labels, give the splits. The id of an
    image is class/split/row.
    """

    name = "npz"
    path_is: ClassVar[str | None] = "an .npz file with images X and labels y"
    takes_address = True
    is_one_file = True
    has_pattern = False
    suffixes = (".npz",)

    @classmethod
    def input_files(cls, path: Path) -> list[Path]:
        return [path]

    @classmethod
    def check_path(cls, path: Path) -> None:
        if path.is_dir():
            raise PetiteError(f"{path} is a folder: the source 'npz' needs {cls.path_is}")

    def parts(self) -> Iterable[Part]:
        assert self.path is not None
        members = _members(self.path)
        self._pairs = self._chosen(list(members))
        used = {name for pair in self._pairs for name in (pair.images, pair.labels)}
        self._others = [name for name in members if name not in used]
        names = None
        for name in NAMES_OF_CLASSES:
            if name in members and name not in {pair.labels for pair in self._pairs}:
                names = _class_names(members[name])
        return [
            _Arrays(
                members[pair.images],
                members[pair.labels],
                self._others_of(pair.split, members),
                pair.split,
                names,
                self.limits,
            )
            for pair in self._pairs
        ]

    def described(self) -> str:
        return f"the array {self._pairs[0].labels!r}, with images from {self._pairs[0].images!r}"

    def others(self) -> Iterable[str]:
        """Name the arrays, without the word for a split."""
        if not self._pairs[0].split:
            return self._others
        return dict.fromkeys(_divided(member)[1] for member in self._others)

    def _others_of(self, split: str, members: "Mapping[str, _Member]") -> "dict[str, _Member]":
        """The arrays of a split beside images and labels, by their names without its word."""
        if not split:
            return {name: members[name] for name in self._others}
        divided = {name: _divided(name) for name in self._others}
        return {rest: members[name] for name, (of, rest) in divided.items() if of == split}

    def _chosen(self, members: Sequence[str]) -> list[_Pair]:
        """The pairs of images and labels, one or one for each split."""
        if self.columns.image in members and self.columns.label in members:
            return [_Pair("", str(self.columns.image), str(self.columns.label))]
        found: dict[str, dict[str, list[str]]] = {}
        for member in members:
            split, rest = _divided(member)
            for kind, usual, wanted in (
                ("image", IMAGE_NAMES, self.columns.image),
                ("label", LABEL_NAMES, self.columns.label),
            ):
                is_it = rest.lower() in usual if wanted is None else wanted in (member, rest)
                if is_it:
                    found.setdefault(split, {}).setdefault(kind, []).append(member)
        for split, kinds in found.items():
            for kind in ("image", "label"):
                names = kinds.get(kind, [])
                if len(names) != 1:
                    problem = f"several arrays of {kind}s" if names else f"no array of {kind}s"
                    of_split = f" for {split}" if split else ""
                    raise PetiteError(
                        f"{self.path} has {problem}{of_split}: its arrays are {shown(members)}. "
                        f"Name one in dataset.columns.{kind}"
                    )
        if not found or ("" in found and len(found) > 1):
            problem = "both with and without a split" if found else "none with a usual name"
            raise PetiteError(
                f"{self.path} has arrays of images and labels {problem}: {shown(members)}. Name "
                "them in dataset.columns.image and dataset.columns.label"
            )
        return [
            _Pair(split, found[split]["image"][0], found[split]["label"][0])
            for split in ("", *SPLIT_WORDS)
            if split in found
        ]


def _divided(member: str) -> tuple[str, str]:
    """The split in the name of an array ("" for none), and the rest of the name."""
    for split, words in SPLIT_WORDS.items():
        for word in words:
            for pattern in (rf"{word}_?(.+)", rf"(.+?)_?{word}"):
                if match := re.fullmatch(pattern, member, re.IGNORECASE):
                    return split, match[1]
    return "", member


class _Member:
    """One array of an .npz file."""

    def __init__(self, path: Path, info: zipfile.ZipInfo) -> None:
        self.path = path
        self.info = info
        self.name = info.filename.removesuffix(".npy")

    @property
    def where(self) -> str:
        return f"{self.path}: the array {self.name!r}"

    def open(self) -> IO[bytes]:
        """Open the member, to be read from its first byte."""
        return zipfile.ZipFile(self.path).open(self.info)

    @cached_property
    def _header(self) -> tuple[tuple[int, ...], bool, np.dtype, int]:
        try:
            with self.open() as file:
                version = npy.read_magic(file)
                if version == (1, 0):
                    shape, in_columns, dtype = npy.read_array_header_1_0(file)
                else:
                    shape, in_columns, dtype = npy.read_array_header_2_0(file)
                return shape, in_columns, dtype, file.tell()
        except (*NOT_AN_NPZ, SyntaxError, TypeError) as error:
            raise damaged(self.path, f"{self.name}: {error}") from error

    @property
    def shape(self) -> tuple[int, ...]:
        return self._header[0]

    @property
    def is_in_columns(self) -> bool:
        """Whether it is in Fortran's order."""
        return self._header[1]

    @property
    def dtype(self) -> np.dtype:
        return self._header[2]

    @property
    def start(self) -> int:
        """Where the values begin in the member, bytes."""
        return self._header[3]

    def check(self) -> None:
        """Raise PetiteError for Python objects, and for fewer bytes than the shape says."""
        if self.dtype.hasobject:
            raise PetiteError(
                f"{self.where} has Python objects, for which a pickle must be run: it is not "
                "loaded. Save it as numbers or text, such as y.astype(str)"
            )
        needed = self.start + int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize
        if self.info.file_size != needed:
            raise damaged(self.path, f"{self.name} has {self.info.file_size} bytes of {needed}")

    @property
    def is_compressed(self) -> bool:
        return self.info.compress_type != zipfile.ZIP_STORED

    def mapped(self) -> NDArray[Any]:
        """Map an uncompressed array into memory."""
        with self.path.open("rb") as file:
            file.seek(self.info.header_offset + LOCAL_HEADER - 4)
            lengths = np.frombuffer(file.read(4), "<u2").astype(int)
        offset = self.info.header_offset + LOCAL_HEADER + int(lengths.sum()) + self.start
        order = "F" if self.is_in_columns else "C"
        try:
            return np.memmap(self.path, self.dtype, "r", offset, self.shape, order=order)  # type: ignore[call-overload]
        except (OSError, ValueError) as error:
            raise damaged(self.path, f"{self.name}: {error}") from error

    def whole(self) -> NDArray[Any]:
        """The array in memory; raises PetiteError for one that is too large for labels."""
        if self.info.file_size > MOST_LABEL_BYTES:
            raise PetiteError(
                f"{self.where} has {self.info.file_size / 1e6:.0f} MB, too many for labels. Name "
                "another one in dataset.columns.label"
            )
        try:
            with self.open() as file:
                return npy.read_array(file, allow_pickle=False)
        except NOT_AN_NPZ as error:
            raise damaged(self.path, f"{self.name}: {error}") from error

    def blocks(self, bytes_each: int) -> Iterator[NDArray[Any]]:
        """Iterate over blocks of the first axis."""
        size = max(1, int(np.prod(self.shape[1:], dtype=object)) * self.dtype.itemsize)
        count = max(1, bytes_each // size)
        if not self.is_compressed:
            for first in range(0, self.shape[0], count):
                yield self.mapped()[first : first + count]
            return
        with self.open() as file:
            file.read(self.start)
            for first in range(0, self.shape[0], count):
                rows = min(count, self.shape[0] - first)
                data = file.read(rows * size)
                yield np.frombuffer(data, self.dtype).reshape(rows, *self.shape[1:])


def _members(path: Path) -> dict[str, _Member]:
    """The arrays of a file by name."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except NOT_AN_NPZ as error:
        raise damaged(path, error) from error
    members = [_Member(path, info) for info in infos if info.filename.endswith(".npy")]
    if not members:
        raise PetiteError(
            f"{path} has no arrays: the source 'npz' needs {NpzSource.path_is}. To read a zip of "
            "image files, set source to archive"
        )
    return {member.name: member for member in members}


def _class_names(member: _Member) -> list[str]:
    member.check()
    names = member.whole()
    if names.dtype.kind != "U" or names.ndim != 1:
        raise PetiteError(
            f"{member.where} has the type {names.dtype} and the shape {names.shape}: names of "
            "classes must be a list of text. Correct or remove it"
        )
    return [str(name) for name in names]


class _Arrays(Part):
    """The images and labels of a split."""

    def __init__(
        self,
        images: _Member,
        labels: _Member,
        others: Mapping[str, _Member],
        split: str,
        class_names: list[str] | None,
        limits: Limits,
    ) -> None:
        super().__init__("", split)
        self._images = images
        self._label_array = labels
        self._others = others
        self._class_names = class_names
        self._limits = limits
        images.check()
        labels.check()
        self._is_channels_first = _check_shape(images)
        if images.is_in_columns and images.is_compressed:
            raise PetiteError(
                f"{images.where} is compressed in Fortran's order, in which an image cannot be "
                "read alone. Save it with np.ascontiguousarray"
            )
        if labels.shape != images.shape[:1] and labels.shape != (images.shape[0], 1):
            hint = " If they are one-hot, save y.argmax(axis=1)" if len(labels.shape) == 2 else ""
            raise PetiteError(
                f"{labels.where} has the shape {labels.shape}, and {images.name!r} has "
                f"{images.shape}: there must be one label for each image.{hint}"
            )

    @cached_property
    def _labels(self) -> Labels:
        where, name = self._label_array.path, self._label_array.name
        values = _arrow(self._label_array)
        if values is None:
            raise PetiteError(
                f"{where}: the labels {name!r} have the type {self._label_array.dtype}: labels "
                "must be text or whole numbers. Name another array in dataset.columns.label"
            )
        return labels_of(values, self._class_names, name, where)

    def texts(self, column: str) -> list[str] | None:
        found = self._others.get(column)
        rows = self._images.shape[:1]
        if found is None or found.shape not in (rows, (*rows, 1)) or found.dtype.hasobject:
            return None
        found.check()
        values = _arrow(found)
        return None if values is None else texts_of(values, column, found.path)

    def rows(self) -> Iterator[Row]:
        _ = self._scale  # a mistake is reported now
        size = int(np.prod(self._images.shape[1:]))
        for row, class_name in enumerate(self._labels.classes()):
            yield Row(str(row), class_name, size)

    @cached_property
    def _scale(self) -> float:
        """What pixels are multiplied by; raises PetiteError if their range is another."""
        dtype = self._images.dtype
        if dtype == np.uint8:
            return 1
        if dtype.kind == "b":
            return 255
        low, high = np.inf, -np.inf
        try:
            for block in self._images.blocks(EXAMINED):
                low, high = np.minimum(low, block.min()), np.maximum(high, block.max())  # or NaN
                if not low >= -ROUNDING or not high <= 255 + ROUNDING:
                    break
        except NOT_AN_NPZ as error:
            raise damaged(self._images.path, f"{self._images.name}: {error}") from error
        is_share = dtype.kind == "f" and high <= 1 + ROUNDING
        is_level = low >= -ROUNDING and high <= 255 + ROUNDING
        # A filter or a change of size goes beyond 1: as levels, such images would be black.
        if not is_level or (dtype.kind == "f" and not is_share and high < DARKEST):
            if np.isnan(low) or np.isnan(high):
                raise PetiteError(
                    f"{self._images.where} has values that are not numbers (NaN): leave out the "
                    "images that have some, or fill them in"
                )
            raise PetiteError(
                f"{self._images.where} has values from {low:g} to {high:g}: pixels must be from 0 "
                "to 255, or from 0 to 1. Scale them: (X - LOW) / (HIGH - LOW), of the darkest and "
                "the brightest value that a pixel can have"
            )
        return 255 if is_share else 1

    def read(self, names: Sequence[str]) -> Iterator[tuple[str, ImageData | UnreadableEntry]]:
        wanted = [row for row in numbered(names) if row < self._images.shape[0]]
        if not wanted:
            return
        scale = self._scale
        if not self._images.is_compressed:
            for start in range(0, len(wanted), MAPPED_AT_ONCE):
                mapped = self._images.mapped()
                for row in wanted[start : start + MAPPED_AT_ONCE]:
                    yield str(row), self._pixels(mapped[row], scale)
            return
        done = 0
        try:
            for row, image in enumerate(block[0] for block in self._images.blocks(1)):
                if row == wanted[done]:
                    done += 1
                    yield str(row), self._pixels(image, scale)
                    if done == len(wanted):
                        return
        except NOT_AN_NPZ as error:
            for row in wanted[done:]:
                yield str(row), UnreadableEntry(f"unreadable: damaged in the array ({error})")

    def _pixels(self, image: NDArray[Any], scale: float) -> ImageData | UnreadableEntry:
        """An image as uint8, with its channels last and none for a single one."""
        try:
            check_bytes(image.nbytes, self._limits.max_bytes)
        except UnreadableEntry as problem:
            return problem
        if image.dtype != np.uint8:
            image = np.rint(image.astype(np.float64) * scale).astype(np.uint8)
        if self._is_channels_first:
            image = np.moveaxis(image, 0, -1)
        if image.ndim == 3 and image.shape[2] == 1:
            image = image[:, :, 0]
        return np.array(image, order="C")


def _arrow(member: _Member) -> pa.Array | None:
    """A column of numbers or text as an array of Arrow; None for another type."""
    values = member.whole().reshape(-1)
    if values.dtype.kind == "S":
        try:
            values = np.char.decode(values, "utf-8")
        except UnicodeDecodeError as error:
            raise damaged(member.path, f"{member.name}: {error}") from error
    if values.dtype.kind not in "biufU":
        return None
    kind = float if values.dtype.kind == "f" else values.dtype.newbyteorder("=")
    return pa.array(values.astype(kind))


def _check_shape(images: _Member) -> bool:
    """Whether the channels are before height and width; raises PetiteError for other shapes.

    They are if the last axis cannot be one of channels, and the second one can.
    """
    shape = images.shape
    if images.dtype.kind not in "biuf":
        raise PetiteError(
            f"{images.where} has the type {images.dtype}: pixels must be numbers. Name the array "
            "of images in dataset.columns.image"
        )
    if len(shape) == 3 and 0 not in shape[1:]:
        return False
    if len(shape) == 4 and 0 not in shape[1:]:
        if shape[3] in CHANNELS:
            return False
        if shape[1] in CHANNELS:
            return True
    if len(shape) == 4 and 4 in (shape[1], shape[3]):
        part = "X[..., :3]" if shape[3] == 4 else "X[:, :3]"
        hint = f"Drop the alpha channel: {part}"
    elif len(shape) == 2:
        hint = "Save it so, with X.reshape"
    else:
        hint = "Bring its axes into this order with np.transpose (X.reshape would mix the pixels)"
    raise PetiteError(
        f"{images.where} has the shape {shape}: it must be (n, height, width), or (n, height, "
        f"width, channels) with 1 or 3 channels. {hint}"
    )
