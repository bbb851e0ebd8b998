"""Tables of any common kind (CSV, TSV, Parquet, JSON) as columns of text.

No value is converted: "no", "007", "1.0" and "NA" stay what they are. What is not text in a Parquet
or JSON file becomes the text that Python writes for it, and a missing value becomes "".
"""

import codecs
import csv
import gzip
import io
import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice, zip_longest
from typing import IO, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from petite.util.errors import PetiteError
from petite.util.formatting import byte_size, listed

SUFFIXES = (".csv", ".tsv", ".parquet", ".csv.gz", ".tsv.gz")
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
# The first bytes of formats that are not text: zip and Excel, gzip, Parquet, old Excel.
ZIPPED, GZIPPED, PARQUET, OLE = b"PK\x03\x04", b"\x1f\x8b", b"PAR1", b"\xd0\xcf\x11\xe0"
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
PLAIN = (
    *(pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_integer),
    *(pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal, pa.types.is_null),
    *(pa.types.is_date, pa.types.is_timestamp),
)
MOST_BYTES = 2_000_000_000
ROWS_AT_ONCE = 65_536
LOOKED_AT, MOST_LOOKED_AT = 20, 100_000  # rows and characters, to find the separator
NO_TABLE = f"must be a table: {', '.join(SUFFIXES)}, or records in JSON"
AS_RECORDS = 'It must be a list of records, or one on each line, as {"file": "1.jpg", "label": "a"}'

Json: TypeAlias = "str | float | bool | list[Json] | dict[str, Json] | None"


class TextTable(NamedTuple):
    """A table of text.

    Attributes
    ----------
    columns : dict from str to ChunkedArray of str
        The columns with a name, without missing values, in Unicode's normal form C and without
        spaces at both ends.
    numbers : ndarray of int64, shape (n,)
        The numbers of the rows in a spreadsheet, from 1, which counts blank rows and the row of
        names too.
    notes : list of str
        What a user should know of how it was read.
    """

    columns: dict[str, pa.ChunkedArray]
    numbers: NDArray[np.int64]
    notes: list[str]


def read_text_table(file: IO[bytes], name: str) -> TextTable:
    """Read a table by its content.

    Parameters
    ----------
    file : file of bytes, at its beginning
    name : str
        Its path, for messages.

    Returns
    -------
    TextTable

    Raises
    ------
    PetiteError
        When it is not a table, or damaged.
    """
    start = file.read(4)
    file.seek(0)
    if start == PARQUET:
        return _parquet(file, name)
    data = _unzipped(file, name) if start.startswith(GZIPPED) else file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise PetiteError(
            f"{name} has more than {byte_size(MOST_BYTES)} of text: save it as .parquet"
        )
    return _separated(data, name)


def _unzipped(file: IO[bytes], name: str) -> bytes:
    try:
        with gzip.open(file) as inner:
            return inner.read(MOST_BYTES + 1)
    except (OSError, EOFError) as error:
        raise PetiteError(f"{name} is damaged or cut short ({error}): make it again") from error


# --- text with separators


def _separated(data: bytes, name: str) -> TextTable:
    """A table of text with separators, whose first row has the names of the columns."""
    text, notes = _decoded(data, name)
    everything = text
    text = text.lstrip("\r\n")
    blank_lines = everything[: len(everything) - len(text)]
    if text.startswith(("{", "[")):
        return _json(text, name)
    if not text.strip(" \t\r\n,;|"):
        raise PetiteError(f"{name} is empty: it needs a row of column names and a row per image")
    separator, text = _separator(text, name)
    if separator != ("\t" if name.lower().endswith(".tsv") else ","):
        notes.append(f"its columns are separated by {SEPARATORS[separator]}")
    blocks, names, numbers = _blocks(blank_lines + text, separator, name)
    columns = _by_name(names, blocks, name)
    filled = np.zeros(len(numbers), bool)
    for column in columns.values():
        filled |= pc.not_equal(column, "").to_numpy()
    if not filled.all():
        columns = {key: column.filter(pa.array(filled)) for key, column in columns.items()}
    return TextTable(columns, numbers[filled], notes)


def _blocks(
    text: str, separator: str, name: str
) -> tuple[list[list[pa.Array]], list[str], NDArray[np.int64]]:
    """The columns of each block of rows, their names, and the numbers of the rows."""
    records = _records(text, separator, name)
    header = next(records)
    names = header.fields
    if '"' not in text:
        # Twenty times as fast, but it refuses rows of another length.
        with suppress(pa.ArrowInvalid):
            blocks = _read_by_arrow(text, separator, header)
            count = sum(len(block[0]) for block in blocks)
            return blocks, names, np.arange(count) + header.number + 1
    blocks, numbers = [], []
    while block := list(islice(records, ROWS_AT_ONCE)):
        blocks.append(_columns([_fitted(record, len(names), name) for record in block]))
        numbers += [record.number for record in block]
    return blocks, names, np.array(numbers, np.int64)


def _read_by_arrow(text: str, separator: str, header: "_Record") -> list[list[pa.Array]]:
    """The same without quotation marks; raises ArrowInvalid for rows of another length."""
    names = [str(place) for place in range(len(header.fields))]
    table = pa_csv.read_csv(
        io.BytesIO(text.rstrip("\r\n").encode()),
        pa_csv.ReadOptions(column_names=names, skip_rows=header.line),
        # Empty lines have numbers too.
        pa_csv.ParseOptions(delimiter=separator, quote_char=False, ignore_empty_lines=False),
        pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.large_string())),
    )
    return [batch.columns for batch in table.to_batches()]


def _decoded(data: bytes, name: str) -> tuple[str, list[str]]:
    """The text of a file, and a note if its encoding is a guess."""
    for magic, what in ((ZIPPED, "a zip or an Excel file"), (OLE, "an old Excel file")):
        if data.startswith(magic):
            raise PetiteError(f"{name} is {what}, but it {NO_TABLE}. Export it as CSV in UTF-8")
    encoding = next((code for mark, code in MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        text, notes = data.decode(encoding), []
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
        notes = ["it is not in UTF-8, so it was read as Windows-1252 (Latin-1)"]
    if "\0" in text:
        raise PetiteError(f"{name} has zero bytes, so it is not text: it {NO_TABLE}, in UTF-8")
    return text, notes


def _separator(text: str, name: str) -> tuple[str, str]:
    """The separator of a text: that of the most columns, in most of the first rows."""
    first, end, rest = text.partition("\n")
    if first.strip().lower().startswith("sep=") and len(first.strip()) == 5 and end:
        return first.strip()[4], rest  # a line for Excel
    best = max(SEPARATORS, key=lambda separator: _fit(text, separator))
    if _fit(text, best)[0] < 2:
        raise PetiteError(
            f"{name} has one column only ({first.strip()[:60]!r}): a column of files and one of "
            "labels are needed, separated by commas, semicolons, tabs or vertical bars"
        )
    return best, text


def _fit(text: str, separator: str) -> tuple[int, int]:
    """How many columns a separator gives the first row, and how many rows have as many."""
    widths = []
    with suppress(PetiteError):  # the text may be cut within quotation marks
        for record in islice(_records(text[:MOST_LOOKED_AT], separator, ""), LOOKED_AT):
            widths.append(len(record.fields))
    return (widths[0], widths.count(widths[0])) if widths else (0, 0)


class _Record(NamedTuple):
    """A row of text: its number in a spreadsheet, the number of its last line, and its fields."""

    number: int
    line: int
    fields: list[str]


def _records(text: str, separator: str, name: str) -> Iterator[_Record]:
    """The records that are not blank."""
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
    try:
        for number, fields in enumerate(reader, start=1):
            if any(fields):
                yield _Record(number, reader.line_num, fields)
    except csv.Error as error:
        raise PetiteError(
            f"{name}, line {reader.line_num:,}: {error}. Check the quotation marks before it"
        ) from error


def _fitted(record: _Record, width: int, name: str) -> list[str]:
    """As many fields of a record as there are columns, as far as others are empty."""
    fields = record.fields
    if len(fields) > width and any(field.strip() for field in fields[width:]):
        raise PetiteError(
            f"{name}, line {record.line:,}: {len(fields)} fields, but the first row has {width}. "
            "Put quotation marks around fields that contain the separator"
        )
    return fields[:width]


def _columns(records: list[list[str]]) -> list[pa.Array]:
    return [pa.array(column, pa.large_string()) for column in zip_longest(*records, fillvalue="")]


def _by_name(names: list[str], blocks: list[list[pa.Array]], name: str) -> dict:
    """The columns that have a name."""
    columns = {}
    for place, column in enumerate(_text(pa.chunked_array([pa.array(names)])).to_pylist()):
        if not column:  # of trailing separators, or numbers of rows
            continue
        if column in columns:
            raise PetiteError(f"{name} has two columns {column!r}: rename or remove one of them")
        parts = [
            block[place]
            if place < len(block)
            else pa.array([""] * len(block[0]), pa.large_string())
            for block in blocks
        ]
        columns[column] = _text(pa.chunked_array(parts, pa.large_string()))
    return columns


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.utf8_trim_whitespace(pc.utf8_normalize(column, form="NFC"))


# --- JSON


def _json(text: str, name: str) -> TextTable:
    """A list of records, or a record on each line; keys with lists or groups are left out."""
    found = _json_values(text, name)
    values = found if isinstance(found, list) else []
    records = [value for value in values if isinstance(value, dict)]
    if not records or len(records) < len(values):
        raise PetiteError(f"{name} has no records. {AS_RECORDS}")
    keys = dict.fromkeys(key for record in records for key in record)
    columns = {key: [record.get(key) for record in records] for key in keys}
    texts = {key: _plain_texts(values) for key, values in columns.items()}
    blocks = {key: pa.array(some, pa.large_string()) for key, some in texts.items() if some}
    if len(blocks) < 2:
        raise PetiteError(
            f"{name} has lists and groups in place of texts ({listed(list(keys))}). {AS_RECORDS}"
        )
    return TextTable(
        _by_name(list(blocks), [list(blocks.values())], name), np.arange(len(records)) + 1, []
    )


def _json_values(text: str, name: str) -> Json:
    """The value of a text, or a list of those of its lines."""
    number = 0
    try:
        if text.startswith("["):
            whole: Json = json.loads(text)
            return whole
        found: list[Json] = []
        for line in text.split("\n"):
            number += 1
            if line.strip():
                found.append(json.loads(line))
        return found
    except (ValueError, RecursionError) as error:
        where = f"{name}, line {number:,}" if number else name
        raise PetiteError(f"{where}: no valid JSON ({error}). {AS_RECORDS}") from error


def _plain_texts(values: list[Json]) -> list[str] | None:
    """Values as text; None if some are lists or groups."""
    if any(isinstance(value, list | dict) for value in values):
        return None
    # Escapes can make text that is not valid Unicode, and NaN is a missing value.
    return [
        "" if value is None or value != value else str(value).encode(errors="replace").decode()
        for value in values
    ]


# --- Parquet


def _parquet(file: IO[bytes], name: str) -> TextTable:
    """A Parquet file's columns of text, numbers, truth values and dates."""
    try:
        parquet = pq.ParquetFile(file)
        plain = [field.name for field in parquet.schema_arrow if _is_plain(field.type)]
        table = parquet.read(columns=plain)
    except (pa.ArrowException, OSError) as error:
        raise PetiteError(f"{name} is damaged or cut short: make it again") from error
    doubled = sorted({column for column in plain if plain.count(column) > 1})
    if doubled:
        raise PetiteError(f"{name} has two columns {listed(doubled)}: rename or remove one of them")
    columns = {column: _text(_as_text(table[column])) for column in plain}
    return TextTable(columns, np.arange(table.num_rows) + 1, [])


def _is_plain(kind: pa.DataType) -> bool:
    """Whether a value is text, a number, a truth value or a date; not bytes, lists and others."""
    if pa.types.is_dictionary(kind):
        return _is_plain(kind.value_type)
    return any(is_kind(kind) for is_kind in PLAIN)


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as text; a number is written as Python writes it: 3.0, not 3."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        numbers = column.combine_chunks().dictionary_encode()
        words = [
            None if value is None or value != value else str(value)
            for value in numbers.dictionary.to_pylist()
        ]
        column = pa.chunked_array([pa.array(words, pa.large_string()).take(numbers.indices)])
    return pc.fill_null(column.cast(pa.large_string()), "")
