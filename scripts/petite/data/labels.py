"""A table of labels: which image has which label, and what else the table says of it.

It finds the columns, and checks them by themselves. Which images the rows mean is found by
`petite.data.sources.labeled`.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from petite.data.label_signs import (
    GROUP_COLUMNS,
    NAMELESS,
    SPLIT_COLUMNS,
    doubtful_words,
    minus_one,
    plain,
    several_in_one,
    spelled_groups,
    unused_columns,
)
from petite.data.split_names import TEST, TRAIN, VALIDATION, part_named, split_word
from petite.data.text_tables import TextTable, read_text_table
from petite.util.errors import PetiteError
from petite.util.formatting import counted, listed, plural

# The usual names of each column, the surest first. They are compared in small letters, with "_" for
# spaces and hyphens.
FILE_NAMES = (
    ("file", "filename", "file_name", "filepath", "file_path", "path", "image_path", "image_file")
    + ("image_filename", "image_file_name", "img_path", "relative_path", "fname"),
    ("image", "image_id", "image_name", "img", "img_id", "img_name", "photo", "picture"),
    ("id", "id_code", "name"),
)
FOLDER_NAMES = ("folder", "folder_name", "subfolder", "dir", "directory", "subdir")
LABEL_NAMES = (
    ("label", "labels", "class", "class_name", "classname", "label_name", "category")
    + ("category_name", "target", "diagnosis", "dx", "ground_truth"),
    ("class_id", "label_id", "category_id", "species", "breed", "variety", "disease", "type")
    + ("finding", "findings", "outcome", "condition", "pathology", "grade"),
    ("y",),
)
NAMES: dict[str, tuple[tuple[str, ...], ...]] = {
    "file": FILE_NAMES,
    "label": LABEL_NAMES,
    "split": (SPLIT_COLUMNS,),
    "group": GROUP_COLUMNS,
    # Not `weight`, which is that of a body or a fruit in many tables.
    "weight": (("sample_weight", "sample_weights"),),
    "keep": (("keep",),),
}
WEIGHT = ("weight", "weights")
ALWAYS, NEVER = "always", "never"
KEEP = {
    ALWAYS: ("always", "true", "yes", "1", "1.0"),
    NEVER: ("never",),
    "": ("", "false", "no", "0", "0.0"),
}
# A column of numbers that says that y is a coordinate too.
COORDINATE = re.compile(
    r"(pos_|tile_|patch_)?x(_?(min|max|pos|center|start))?|lon(gitude)?|row|left"
)
MOST_OTHERS = 5  # columns that are not used and said
LONGEST_LABEL = 200  # characters; what is longer is a text
# More labels than these, and than this share of the rows, are names or numbers of single images.
FEW_LABELS, MOST_LABELS = 3, 0.5


class LabelColumns(NamedTuple):
    """The path of a table of labels and the columns that are named; others are looked for.

    A list for label names columns of 0 and 1, one for each label.
    """

    path: str
    file: str | None = None
    label: str | Sequence[str] | None = None
    split: str | None = None
    group: str | None = None
    weight: str | None = None
    keep: str | None = None


@dataclass(frozen=True)
class LabelTable:
    """A checked table of labels.

    Attributes
    ----------
    name : str
        Its path, for messages.
    columns : dict from str to str
        The column of the table for file, label, and others of NAMES that there are, and for folder,
        if files are named without theirs. There is none for label in a table with one column per
        label.
    rows : DataFrame
        row (int64, as a spreadsheet numbers it), file and label (str, "" where it is empty), and as
        far as they are there split ("train", "validation", "test", ""), group (str), weight
        (float64) and keep ("always", "never", "").
    notes : list of str
        What a user should know of how it was read.
    others : list of str
        The columns that are not used, if that of the labels was looked for.
    """

    name: str
    columns: dict[str, str]
    rows: pd.DataFrame
    notes: list[str]
    others: Sequence[str] = ()

    def digest(self) -> str:
        """Compute a digest of the files and their labels: 64 hexadecimal digits."""
        digest = hashlib.sha256()
        for file, label in zip(self.rows["file"], self.rows["label"], strict=True):
            digest.update(f"{file}\0{label}\0".encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


def read_labels_at(path: Path, wanted: LabelColumns) -> LabelTable:
    """Read a table of labels from a file; arguments and errors are those of `read_labels`."""
    try:
        with path.open("rb") as file:
            return read_labels(file, str(path), wanted)
    except OSError as error:
        raise PetiteError(
            f"cannot read {path}: {error.strerror or error}. Give read access to it"
        ) from error


def read_labels(file: IO[bytes], name: str, wanted: LabelColumns) -> LabelTable:
    """Read a table of labels and check it.

    Parameters
    ----------
    file : file of bytes, at its beginning
    name : str
        Its path, for messages.
    wanted : LabelColumns

    Returns
    -------
    LabelTable

    Raises
    ------
    PetiteError
        For other files than tables, columns that are missing or ambiguous, and wrong values.
    """
    table = read_text_table(file, name)
    given: dict[str, str] = wanted._asdict()
    flags = () if isinstance(wanted.label, str | None) else tuple(wanted.label)
    named = {role: given[role] for role in NAMES if given[role] is not None}
    if flags:
        del named["label"]
    columns = _found_columns(table, named, name, flags)
    by_name = table.columns[columns["label"]] if "label" in columns else None
    label = _one_hot(table, name, columns, flags) if by_name is None else by_name
    parts = {"file": table.columns[columns["file"]], "label": label}
    for role in set(columns) - {"file", "label"}:
        if role not in named and not pc.any(pc.not_equal(table.columns[columns[role]], "")).as_py():
            del columns[role]  # it says nothing
    parts |= {role: table.columns[columns[role]] for role in columns if role not in parts}
    rows = pd.DataFrame({role: column.to_pandas() for role, column in parts.items()})
    rows.insert(0, "row", table.numbers)
    if folder := _folder_column(table, columns):
        columns["folder"] = folder
        folders = table.columns[folder].to_pandas().str.strip("/")
        is_in_one = (folders != "") & (rows["file"] != "")
        rows["file"] = (folders + "/" + rows["file"]).where(is_in_one, rows["file"])
    rows = rows[(rows["file"] != "") | (rows["label"] != "")].reset_index(drop=True)
    if rows.empty:
        raise PetiteError(f"{name} has no rows below its column names: it needs a row per image")
    texts = rows["label"]
    rows["label"] = texts.str.replace("/", "_")
    slashes = _slashes(texts, rows["label"], name)
    _check_labels(rows["label"], columns.get("label"), "label" in named, name)
    for role, converted in (("split", _splits), ("weight", _weights), ("keep", _keeps)):
        if role in rows:
            rows[role] = converted(rows, f"{name}, column {columns[role]!r}")
    notes = [*_unused_weight(table, columns, wanted), *_doubtful_words(rows, columns), *slashes]
    notes += table.notes
    counts = Counter(rows["label"].tolist())
    # A label is a column where there is a column for each.
    of_labels = {} if by_name is not None else {label: label for label in counts}
    notes += unused_columns(table.columns, {**columns, **of_labels}, wanted.path)
    if "keep" in rows and "keep" not in named and (kept := int((rows["keep"] == ALWAYS).sum())):
        notes.append(
            f"{counted(kept, 'row')} of {len(rows):,} {plural(kept, 'is', 'are')} to be in every "
            f"subset, by {columns['keep']!r}. If it means something else, rename it"
        )
    if by_name is not None:
        notes += [*several_in_one(counts), *minus_one(counts)]
    used = {*columns.values(), *of_labels}
    others = [column for column in table.columns if column not in used]
    is_named = "label" in named or bool(flags)
    return LabelTable(name, columns, rows, notes, () if is_named else others)


# --- columns


def _found_columns(
    table: TextTable, named: Mapping[str, str], name: str, flags: Sequence[str]
) -> dict[str, str]:
    """The column of each role that there is; raises PetiteError without files or labels."""
    present = list(table.columns)
    for role, column in [*named.items(), *(("label", flag) for flag in flags)]:
        if column not in table.columns:
            raise PetiteError(
                f"labels.{role}: {name} has no column {column!r}; its columns are {listed(present)}"
            )
    columns = dict(named)
    for role in NAMES:
        if role == "label" and flags:
            continue
        left = [column for column in present if column not in (*columns.values(), *flags)]
        if role == "label":
            left = [column for column in left if not _is_coordinate(column, table)]
        if role not in columns and (found := _looked_for(role, left, table, name)):
            columns[role] = found
    left = [column for column in present if column not in (*columns.values(), *flags)]
    if len(present) == 2 and len(left) == 1 and len(columns) == 1:
        # Of two columns, the other one.
        columns["label" if "file" in columns else "file"] = left[0]
    if "file" not in columns:
        raise PetiteError(
            f"labels.file: no column of {name} is known to hold the files: name it, as in "
            f"{_naming('file', left, named, name)}. Its first row must have the names of its "
            f"columns, and has {listed(present)}"
        )
    return columns


def _unused_weight(
    table: TextTable, columns: Mapping[str, str], wanted: LabelColumns
) -> Iterator[str]:
    """A note on a column that may hold weights, if no column does."""
    for column in table.columns:
        if "weight" not in columns and plain(column) in WEIGHT and column not in columns.values():
            yield (
                f"{column!r} is not used; to multiply losses by it, write labels: "
                f"{{path: {wanted.path}, weight: {column}}}"
            )


def _looked_for(role: str, present: Sequence[str], table: TextTable, name: str) -> str | None:
    """The column of a role by its usual names; raises PetiteError if several may be meant."""
    for names in NAMES[role]:
        found = [column for column in present if plain(column) in names]
        if len(found) > 1 and _say_the_same([table.columns[column] for column in found]):
            # Paths rather than names of files, and names rather than numbers that stand for them.
            found = [max(found, key=lambda column: _letters(table.columns[column]))]
        if len(found) > 1:
            raise PetiteError(
                f"labels.{role}: {name} has several columns that may be meant: {listed(found)}. "
                "Name one of them"
            )
        if found:
            return found[0]
    return None


def _folder_column(table: TextTable, columns: Mapping[str, str]) -> str | None:
    """The column with the folder of each file, if files are named without one."""
    left = [column for column in table.columns if column not in columns.values()]
    found = [column for column in left if plain(column) in FOLDER_NAMES]
    has_paths = pc.any(pc.match_substring_regex(table.columns[columns["file"]], r"[/\\]")).as_py()
    return found[0] if len(found) == 1 and not has_paths else None


def _is_coordinate(column: str, table: TextTable) -> bool:
    """Whether a column y is that of a place, because another coordinate of numbers is there."""
    return plain(column) == "y" and any(
        COORDINATE.fullmatch(plain(other)) and not _letters(values)[0]
        for other, values in table.columns.items()
    )


def _naming(role: str, left: Sequence[str], columns: Mapping[str, str], name: str) -> str:
    """How to name the column of a role, with a column that is left as the example."""
    values = {"path": name, **columns, role: next(iter(left), "COLUMN")}
    return f"'labels={{{', '.join(f'{key}: {value}' for key, value in values.items())}}}'"


def _say_the_same(columns: Sequence[pa.ChunkedArray]) -> bool:
    """Whether columns stand for each other, one value for one value."""
    codes = np.column_stack([pd.factorize(column.to_pandas())[0] for column in columns])
    pairs = len(np.unique(codes, axis=0))
    return all(pairs == len(np.unique(code)) for code in codes.T)


def _letters(column: pa.ChunkedArray) -> tuple[bool, int]:
    """Whether a column has more than numbers, and the number of its letters."""
    numbers = pc.all(pc.match_substring_regex(column, r"^-?[\d.]*$")).as_py()
    return not numbers, pc.sum(pc.utf8_length(column)).as_py() or 0


def _one_hot(
    table: TextTable, name: str, columns: Mapping[str, str], named: Sequence[str]
) -> pa.ChunkedArray:
    """The labels of a table with a column of 0 and 1 for each; raises PetiteError for others.

    named : sequence of str
        The columns that the user names; () if they are looked for.
    """
    others = [column for column in table.columns if column not in columns.values()]
    # is_train and is_test are no labels
    labels = list(named) or [column for column in others if not split_word(plain(column))[1]]
    ones = {column: _ones(table.columns[column]) for column in labels}
    flags = {column: found for column, found in ones.items() if found is not None}
    if wrong := [column for column in named if column not in flags]:
        raise PetiteError(
            f"labels.label: {wrong[0]!r} of {name} is not a column of 0 and 1, in which one row "
            "or more has 1. Name the column of the labels, or a list of such columns"
        )
    if len(flags) < 2:
        likely = sorted(others, key=lambda column: _likeness(table.columns[column]), reverse=True)
        raise PetiteError(
            f"labels.label: no column of {name} is known to hold the labels: name it, as in "
            f"{_naming('label', likely, columns, name)}. Its columns are "
            f"{listed(list(table.columns))}"
        )
    doubtful = [
        column
        for column in labels
        if column not in flags and _may_be_labels(table.columns[column])
        if len(flags) == 2 or _letters(table.columns[column])[0]
    ]
    if doubtful and not named:
        list_of_flags = f"[{', '.join(flags)}]"
        raise PetiteError(
            f"labels.label: {listed(list(flags))} of {name} may be the labels, or "
            f"{listed(doubtful)} may hold them. Name what does, as in "
            f"{_naming('label', doubtful, columns, name)} or "
            f"{_naming('label', [list_of_flags], columns, name)}"
        )
    matrix = np.column_stack(list(flags.values()))
    counts = matrix.sum(axis=1)
    if (counts != 1).any():
        row = int(np.argmax(counts != 1))
        raise PetiteError(
            f"{name}, row {table.numbers[row]:,}: {counts[row]} of the columns "
            f"{listed(list(flags))} are 1, but each image needs one label. Name the column of the "
            "labels in labels.label, or a list of those that are labels"
        )
    return pa.chunked_array([pa.array(list(flags)).take(pa.array(matrix.argmax(axis=1)))])


def _likeness(column: pa.ChunkedArray) -> tuple[bool, bool]:
    """How likely a column holds labels, to name one as an example."""
    return _may_be_labels(column), _letters(column)[0]


def _may_be_labels(column: pa.ChunkedArray) -> bool:
    """Whether a column has few different values, each in several rows in the mean."""
    count = len(pc.unique(column))
    return 1 < count <= max(FEW_LABELS, MOST_LABELS * len(column))


def _ones(column: pa.ChunkedArray) -> np.ndarray | None:
    """Where a column of 0 and 1 is 1; None for any other column."""
    one = pc.is_in(column, pa.array(["1", "1.0", "True"], column.type))
    zero = pc.is_in(column, pa.array(["0", "0.0", "False"], column.type))
    if not pc.all(pc.or_(one, zero)).as_py() or not pc.any(one).as_py():
        return None
    return one.to_numpy()


# --- values


def _slashes(given: pd.Series, labels: pd.Series, name: str) -> list[str]:
    """A note if labels had slashes, which end the class in the id of an image.

    Raises PetiteError for two labels that are the same without them, and for N/A.
    """
    names = pd.DataFrame({"given": given, "label": labels}).drop_duplicates()
    missing = names["given"][names["given"].str.fullmatch("#?n/a", case=False)]
    if len(missing):
        raise PetiteError(
            f"{name}: the label {missing.iloc[0]!r} seems to mean that there is none. Leave the "
            "label of such images empty"
        )
    again = names[names.duplicated("label", keep=False)].sort_values("label", kind="stable")
    if len(again):
        first, second = again["given"].head(2)
        raise PetiteError(
            f"{name}: the labels {first!r} and {second!r} are the same with '_' for '/', which "
            "ends the name of the class in the id of an image. Rename one"
        )
    changed = names[names["given"] != names["label"]]
    if changed.empty:
        return []
    before, after = changed.iloc[0]
    what = counted(len(changed), "label")
    return [f"{what} with '/' written with '_', such as {after!r} for {before!r}"]


def _check_labels(labels: pd.Series, column: str | None, named: bool, name: str) -> None:
    """Raise PetiteError for labels that cannot be classes, or that look like something else."""
    given = labels[labels != ""]
    where = f"{name}, column {column!r}" if column else name
    distinct = given.unique().tolist()
    if len(distinct) < 2:
        raise PetiteError(
            f"{where}: "
            + (f"all labels are {distinct[0]!r}" if distinct else "there are no labels")
            + ": two labels or more are needed. If another column has them, name it in labels.label"
        )
    if not named and len(distinct) > max(FEW_LABELS, MOST_LABELS * len(given)):
        raise PetiteError(
            f"{where}: {len(distinct):,} different labels for {counted(len(given), 'row')}, such "
            f"as {listed(distinct, 3)}, so it does not seem to hold labels. Name the column that "
            "does in labels.label, or this one if it is right"
        )
    unfit = [label for label in distinct if re.search(r"\0|^\.\.?$", label)]
    if unfit:
        raise PetiteError(
            f"{where}: {counted(len(unfit), 'label')} such as {unfit[0]!r} cannot be part of an "
            "image id. Write other characters in the table"
        )
    long = [label for label in distinct if len(label) > LONGEST_LABEL]
    if long:
        raise PetiteError(
            f"{where}: a label has {len(long[0]):,} characters ({long[0][:40]!r}...), more than "
            f"{LONGEST_LABEL}, so it does not seem to be the name of a class. Name the column of "
            "the labels in labels.label"
        )


def _doubtful_words(rows: pd.DataFrame, columns: Mapping[str, str]) -> Iterator[str]:
    """Notes on words for missing values that count as names, and on groups that may be one."""
    for role in NAMELESS.keys() & columns.keys():
        yield from doubtful_words(role, repr(columns[role]), Counter(rows[role].tolist()))
    if "group" in columns:
        yield from spelled_groups(rows["group"].unique().tolist(), columns["group"])


def _splits(rows: pd.DataFrame, where: str) -> pd.Series:
    """The part of each row by a word such as Training, val or test_set."""
    parts = {value: part_named(value) for value in rows["split"].unique().tolist()}
    return _mapped(rows, "split", parts | {"": ""}, [TRAIN, VALIDATION, TEST], where)


def _keeps(rows: pd.DataFrame, where: str) -> pd.Series:
    words = {word: value for value, known in KEEP.items() for word in known}
    meant = {value: words.get(value.lower()) for value in rows["keep"].unique().tolist()}
    return _mapped(rows, "keep", meant, [ALWAYS, NEVER], where)


def _mapped(
    rows: pd.DataFrame, role: str, meant: Mapping[str, str | None], known: list[str], where: str
) -> pd.Series:
    """What the words of a column mean; raises PetiteError for an unknown one."""
    found = rows[role].map(meant)
    if found.isna().any():
        row = rows.iloc[int(np.argmax(found.isna()))]
        raise PetiteError(
            f"{where}, row {row['row']:,}: {row[role]!r} is unknown. Use {listed(known)}, or leave "
            "it empty; if the column means something else, rename it, or name another one in "
            f"labels.{role}"
        )
    return found


def _weights(rows: pd.DataFrame, where: str) -> pd.Series:
    """The weights as numbers, 1 where there is none; raises PetiteError for wrong ones."""
    texts = rows["weight"]
    numbers = pd.to_numeric(texts.where(texts != "", "1"), errors="coerce").astype("float64")
    wrong = ~np.isfinite(numbers) | (numbers < 0)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise PetiteError(
            f"{where}, row {rows['row'].iloc[row]:,}: a weight must be a number "
            f"of 0 or more, such as 0.5, got {texts.iloc[row]!r}"
        )
    heaviest = numbers.groupby(rows["label"]).max()
    without = [str(label) for label, most in heaviest.items() if most == 0 and label != ""]
    if without:
        raise PetiteError(
            f"{where}: all images of {listed(without)} have the weight 0, so "
            "nothing is left to train on: correct the weights"
        )
    return numbers


def said(table: LabelTable) -> Iterator[str]:
    """What a user should know: which columns are used for what."""
    used = [f"{column!r} for {role}" for role, column in table.columns.items()]
    text = f"labels from {table.name}: {listed(used)}"
    if table.others:
        text += f"; not used: {listed([repr(one) for one in table.others], MOST_OTHERS)}"
    if "label" not in table.columns:
        text += f", and a column of 0 and 1 for each of {table.rows['label'].nunique()} labels"
    yield "; ".join([text, *table.notes])
