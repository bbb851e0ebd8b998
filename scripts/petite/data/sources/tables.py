"""Sources whose parts are tables with Arrow's schema: their columns of images and labels."""

import json
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from petite.data.sources.base import Columns, UnreadableEntry, check_bytes
from petite.data.sources.row_columns import texts_of
from petite.data.sources.rows import Labels, Part, RowSource, labels_of
from petite.data.sources.wording import shown
from petite.util.errors import PetiteError

IMAGE_NAMES = ("image", "img", "images", "picture", "photo", "jpg", "png")
LABEL_NAMES = (
    *("label", "labels", "class", "target", "category", "y", "class_name", "label_name"),
    *("fine_label", "coarse_label"),
)


class Table(NamedTuple):
    """The columns that are read.

    Attributes
    ----------
    image : str
        The column of images: bytes, or a struct with the bytes.
    is_struct : bool
    label : str
    class_names : list of str or None
        Of labels that are numbers, if the schema has them.
    others : list of str
        The columns that are not read.
    """

    image: str
    is_struct: bool
    label: str
    class_names: list[str] | None
    others: list[str]

    @property
    def image_bytes(self) -> str:
        """The column of the bytes, as Parquet names it."""
        return f"{self.image}.bytes" if self.is_struct else self.image


def table_of(
    schema: pa.Schema, columns: Columns, where: object, features: Mapping[str, Any] | None = None
) -> Table:
    """Find the columns of images and labels.

    A column that is named in the configuration is taken. Otherwise it is the only one of a
    suitable type, or the only one of these with a usual name.

    Parameters
    ----------
    schema : Schema
    columns : Columns
    where
        The file, for messages.
    features : mapping, optional
        What `datasets` says about the columns; None: the schema says it.

    Raises
    ------
    PetiteError
        When there is no such column, or more than one.
    """
    features = _features(schema) if features is None else features
    images = [field.name for field in schema if _holds_bytes(field.type)]
    image = _chosen(
        "image", columns.image, images, IMAGE_NAMES, schema, where, "the bytes of images"
    )
    if image not in images:
        kind = schema.field(image).type
        raise PetiteError(
            f"{where}: the column {image!r} has the type {_short(kind)}, not the bytes of image "
            "files. Write the encoded images into it, or name another column in "
            "dataset.columns.image"
        )
    named = {
        name
        for name, feature in features.items()
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
    }
    others = [field.name for field in schema if field.name not in images]
    labels = [name for name in others if name in named] or [
        name for name in others if name.lower() in LABEL_NAMES
    ]
    label = _chosen("label", columns.label, labels, LABEL_NAMES, schema, where, "labels")
    names = features.get(label, {}).get("names") if label in named else None
    is_list = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return Table(
        image=image,
        is_struct=pa.types.is_struct(schema.field(image).type),
        label=label,
        class_names=names if is_list else None,
        others=[name for name in schema.names if name not in (image, label)],
    )


def _features(schema: pa.Schema) -> dict[str, Any]:
    """What `datasets` wrote about the columns; {} if it did not write the file."""
    try:
        info = json.loads((schema.metadata or {})[b"huggingface"])["info"]
        return dict(info["features"])
    except (KeyError, ValueError, TypeError):
        return {}


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        index = kind.get_field_index("bytes")
        return index >= 0 and _holds_bytes(kind.field(index).type)
    return (
        pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)
    )


def _chosen(
    key: str,
    wanted: str | None,
    found: list[str],
    usual: tuple[str, ...],
    schema: pa.Schema,
    where: object,
    what: str,
) -> str:
    if wanted is not None:
        if schema.names.count(wanted) != 1:
            problem = "two columns" if wanted in schema.names else "no column"
            raise PetiteError(
                f"{where} has {problem} {wanted!r} (dataset.columns.{key}). The columns are "
                f"{shown(schema.names)}"
            )
        return wanted
    with_usual_name = [name for name in found if name.lower() in usual]
    for some in (found, with_usual_name):
        if len(some) == 1:
            return some[0]
    if not found:
        raise PetiteError(
            f"{where} has no column with {what}: its columns are "
            f"{shown([f'{field.name} ({_short(field.type)})' for field in schema])}. Give a file "
            f"that has one, or name the column in dataset.columns.{key}"
        )
    raise PetiteError(
        f"{where} has several columns with {what}: {shown(found)}. Name one in "
        f"dataset.columns.{key}, such as --config 'dataset={{columns: {{{key}: {found[0]}}}}}'"
    )


def _short(kind: pa.DataType) -> str:
    text = str(kind)
    return text if len(text) < 40 else f"{text[:36]}..."


def bytes_of(column: pa.Array) -> pa.Array:
    """The bytes in a column of images."""
    return pc.struct_field(column, "bytes") if pa.types.is_struct(column.type) else column


def image_at(values: pa.Array, position: int, limit: int) -> bytes | UnreadableEntry:
    """One of some images; the error for one without bytes or with more than `limit`."""
    value = values[position]
    if not value.is_valid:
        return UnreadableEntry("unreadable: no bytes in the table, perhaps only a path")
    try:
        check_bytes(len(value.as_buffer()), limit)
    except UnreadableEntry as problem:
        return problem
    return value.as_py()


def unread(names: Iterator[str], error: Exception) -> Iterator[tuple[str, UnreadableEntry]]:
    """The same error for each of some rows of a damaged block."""
    reason = str(error).strip().split("\n")[0]
    for name in names:
        yield name, UnreadableEntry(f"unreadable: damaged in the table ({reason})")


class TablePart(Part):
    """A part that is a table in a file."""

    def __init__(self, file: Path, name: str, split: str) -> None:
        super().__init__(name, split)
        self._file = file

    @property
    @abstractmethod
    def table(self) -> Table:
        """The columns of the file."""

    @abstractmethod
    def values(self, column: str) -> pa.ChunkedArray:
        """Read a column; raises PetiteError for a damaged file."""

    @cached_property
    def _labels(self) -> Labels:
        table = self.table
        return labels_of(self.values(table.label), table.class_names, table.label, self._file)

    def texts(self, column: str) -> list[str] | None:
        if column not in self.table.others:
            return None
        return texts_of(self.values(column), column, self._file)


class TableSource(RowSource):
    """A source whose parts are tables, which have the same columns."""

    @property
    def _first_table(self) -> Table:
        first = next(iter(self._parts.values()))
        assert isinstance(first, TablePart)
        return first.table

    def described(self) -> str:
        table = self._first_table
        return f"the column {table.label!r}, with images from {table.image!r}"

    def others(self) -> Iterable[str]:
        return self._first_table.others
