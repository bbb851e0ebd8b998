"""What a source of rows says of an image beside its label: its part of a split, and its group.

A column, an array or a key of the .json says it for each row.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from petite.data.label_signs import FEWEST_GROUPS, GROUP_COLUMNS, SPLIT_COLUMNS, plain
from petite.data.sources.base import Columns
from petite.data.sources.wording import shown
from petite.data.split_names import TEST, TRAIN, VALIDATION, part_named
from petite.util.errors import PetiteError
from petite.util.formatting import listed

if TYPE_CHECKING:
    from petite.data.sources.rows import Part

SPLIT, GROUP = "split", "group"
LARGEST_WHOLE = 2**53  # from which not every whole number is a float
# The usual names, the surest first.
USUAL: dict[str, tuple[tuple[str, ...], ...]] = {SPLIT: (SPLIT_COLUMNS,), GROUP: GROUP_COLUMNS}


class Said(NamedTuple):
    """What a column says of each row ("" for nothing), by the prefix of the row's part."""

    column: str
    texts: dict[str, list[str]]

    def words(self) -> set[str]:
        """The different texts, without ""."""
        return {text for texts in self.texts.values() for text in texts} - {""}


def said_of_rows(
    parts: "Mapping[str, Part]",
    columns: Columns,
    others: Sequence[str],
    has_splits: bool,
    where: object,
) -> dict[str, Said]:
    """Find the columns of splits and groups.

    A column that is named in the configuration is taken. Otherwise it is the one with a usual name,
    if its texts are those of a split, or of groups.

    Parameters
    ----------
    parts : mapping of str to Part
        By prefix.
    columns : Columns
    others : sequence of str
        The columns that are not used otherwise.
    has_splits : bool
        Whether the parts give a split, which only a named column replaces.
    where
        The source, for messages.

    Returns
    -------
    dict of str to Said
        By "split" (texts: train, validation, test or "") and "group", as far as there are.

    Raises
    ------
    PetiteError
        When a named column is not there or says no split, or several may be meant.
    """
    found = {}
    for role, wanted in ((SPLIT, columns.split), (GROUP, columns.group)):
        if wanted is not None:
            found[role] = _named(parts, role, wanted, where)
        elif role == GROUP or not has_splits:
            usual = _usual(parts, role, others, where)
            if usual:
                found[role] = usual
    return found


def _named(parts: "Mapping[str, Part]", role: str, column: str, where: object) -> Said:
    said = _said(parts, column)
    if said is None:
        raise PetiteError(
            f"{where} has no {column!r} with text or a whole number for each image "
            f"(dataset.columns.{role})"
        )
    unknown = sorted(word for word in said.words() if role == SPLIT and not part_named(word))
    if unknown:
        raise PetiteError(
            f"{where}: {column!r} has {unknown[0]!r}, which is unknown. Use "
            f"{listed([TRAIN, VALIDATION, TEST])}, or leave it empty; or name another column in "
            "dataset.columns.split"
        )
    return _with_parts(said) if role == SPLIT else said


def _usual(
    parts: "Mapping[str, Part]", role: str, others: Sequence[str], where: object
) -> Said | None:
    is_it = _is_split if role == SPLIT else _is_groups
    for names in USUAL[role]:
        candidates = [_said(parts, column) for column in others if plain(column) in names]
        fitting = [said for said in candidates if said and is_it(said)]
        if len(fitting) > 1:
            found = [said.column for said in fitting]
            raise PetiteError(
                f"{where} has several that may be the {role}: {shown(found)}. Name one in "
                f"dataset.columns.{role}, such as --config 'dataset={{columns: {{{role}: "
                f"{found[0]}}}}}'"
            )
        if fitting:
            return _with_parts(fitting[0]) if role == SPLIT else fitting[0]
    return None


def _said(parts: "Mapping[str, Part]", column: str) -> Said | None:
    """What a column says; None if it is not in each part, or has neither text nor numbers."""
    texts = {prefix: part.texts(column) for prefix, part in parts.items()}
    known = {prefix: found for prefix, found in texts.items() if found is not None}
    return Said(column, known) if len(known) == len(texts) else None


def _is_split(said: Said) -> bool:
    """Whether all words are those of parts, one of them the training part."""
    found = {part_named(word) for word in said.words()}
    return TRAIN in found and len(found) > 1 and None not in found


def _is_groups(said: Said) -> bool:
    """Whether some rows have the same text, of several."""
    rows = sum(len(texts) - texts.count("") for texts in said.texts.values())
    return FEWEST_GROUPS <= len(said.words()) < rows


def _with_parts(said: Said) -> Said:
    """With the part that each word stands for."""
    meant = {word: part_named(word) or "" for word in said.words()}
    return said._replace(
        texts={
            prefix: [meant.get(text, "") for text in texts] for prefix, texts in said.texts.items()
        }
    )


def texts_of(values: pa.ChunkedArray | pa.Array, column: str, where: object) -> list[str] | None:
    """Text or whole numbers as text, "" for null and NaN; None for values of other types.

    `column` and `where` name them in the PetiteError for text that is not valid Unicode.
    """
    if isinstance(values, pa.Array):
        values = pa.chunked_array([values])
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_floating(values.type):
        numbers = values.cast(pa.float64()).to_numpy()
        missing = np.isnan(numbers)
        known = numbers[~missing]
        if not ((known == np.floor(known)) & (np.abs(known) < LARGEST_WHOLE)).all():
            return None
        whole = np.where(missing, 0, numbers).astype(np.int64)
        values = pa.chunked_array([pa.array(whole, mask=missing)])
    kind = values.type
    kinds = (
        *(pa.types.is_integer, pa.types.is_boolean, pa.types.is_null),
        *(pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view),
    )
    if not any(is_it(kind) for is_it in kinds):
        return None
    try:
        texts = values.cast(pa.large_string()).fill_null("").to_pylist()
    except (pa.ArrowException, UnicodeError) as error:
        reason = str(error).split("\n")[0].rstrip(".")
        raise PetiteError(
            f"{where}: {column!r} cannot be read as text ({reason}). Write it as UTF-8"
        ) from error
    return [text.strip() for text in texts]
