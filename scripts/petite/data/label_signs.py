"""Signs that a table says more than is used: a split, groups, or several labels in one.

They are only said, because names and words may mislead.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc

from petite.data.split_names import PARTS, TRAIN, part_named, split_word
from petite.util.formatting import counted, listed, plural

# Columns that are read as a split or as groups, the surest first.
SPLIT_COLUMNS = ("split", "set", "subset", "partition")
GROUP_COLUMNS = (("group", "group_id"), ("patient", "patient_id", "subject", "subject_id"))
SPLITS = {*SPLIT_COLUMNS, "fold"}
FOLDS = re.compile(r"(k_?|cv_?)?folds?(_?(id|no|nr|number))?")
GROUPS = re.compile(
    r"(patients?|subjects?|persons?|people|participants?|donors?|animals?|individuals?|identity"
    r"|mouse|lesions?|cases?|stud(y|ies)|series|exams?|visits?|scans?|slides?|wsi|biops(y|ies)"
    r"|specimens?|videos?|clips?|movies?|sequences?|seq|scenes?|sessions?|bursts?|cameras?|locations?"
    r"|sites?|hospitals?|plots?|groups?)(_?instance)?(_?(id|ids|uid|no|nr|num|number|name|key))?"
)
MOST_PARTS = 20  # different values of a column that may be a split or folds
FEWEST_GROUPS = 3
ZEROS = re.compile(r"(?<![\d.])0+(?=\d)")  # those of 007, and of P003
POINT = re.compile(r"^(\d+)\.0+$")
# Between words; between a word and a number, P-3 is P3, but 1-1 is not 11.
SIGNS = re.compile(r"(?<=\w)[\s_-]+(?=\w)")
BEFORE_NUMBER = re.compile(r"(?<=[^\W\d_]) (?=\d)")
TRUTH = {"true": "1", "false": "0"}  # what programs write for flags
# What programs write where there is no value.
MISSING = ("nan", "<na>", "null")
# A class may well have such a name, a group hardly.
NAMELESS = {"label": MISSING, "group": (*MISSING, "na", "n/a", "#n/a", "none", "unknown", "?", "-")}
JOINT = re.compile(r"\s*[;|,+&]\s*|\s+")


def unused_columns(
    columns: Mapping[str, pa.ChunkedArray], used: Mapping[str, str], path: str
) -> Iterator[str]:
    """Say which columns that are not used may be a split or groups, and how to use them.

    Parameters
    ----------
    columns : dict from str to ChunkedArray of str
        All columns of a table.
    used : dict from str to str
        The column of each role.
    path : str
        Of the table, as in the setting.
    """
    for column, texts in columns.items():
        if column in used.values():
            continue
        values = pc.unique(texts)
        count = len(values)
        if "split" not in used and count <= MOST_PARTS:
            words = [value for value in values.to_pylist() if value]
            if may_be_split(column, words):
                yield _about_split(column, words, path)
                continue
        if "group" not in used and may_be_groups(column) and FEWEST_GROUPS <= count < len(texts):
            yield (
                f"{column!r} is not used: it has {count:,} different values in {len(texts):,} "
                "rows. If images with the same value belong together, write "
                f"labels: {{path: {path}, group: {column}}}"
            )


def may_be_split(column: str, values: Collection[str]) -> bool:
    """Whether a column may be a split, by its name or by the words in it."""
    name = plain(column)
    if len(values) < 2:
        return False
    if FOLDS.fullmatch(name) or split_word(name)[1]:
        return True
    parts = {PARTS.get(split_word(value)[1]) for value in values}
    return TRAIN in parts and len(parts) > 1 and None not in parts


def may_be_groups(column: str) -> bool:
    """Whether a column may name groups of images, such as patients or videos, by its name."""
    return bool(GROUPS.fullmatch(plain(column)))


def _about_split(column: str, values: Sequence[str], path: str) -> str:
    if all(map(part_named, values)):
        remedy = f"labels: {{path: {path}, split: {column}}}"
    else:
        remedy = "train, validation or test into a column 'split'"
    return (
        f"{column!r} ({listed(values, 5)}) is not used, and the test images are drawn from all "
        f"rows. If it is a split, write {remedy}"
    )


def several_in_one(labels: Collection[str]) -> Iterator[str]:
    """Say it if labels are joined from others: 'cat;dog' next to 'cat' and 'dog'."""
    distinct = [label for label in labels if label]
    known = set(distinct)
    joined = (
        label for label in distinct if len(parts := JOINT.split(label)) > 1 and set(parts) <= known
    )
    examples = list(islice(joined, 3))
    if examples:
        yield (
            f"labels such as {', '.join(map(repr, examples))} seem to be several labels in one. "
            "Each counts as a class of its own, because an image has one label"
        )


def minus_one(counts: Mapping[str, int]) -> Iterator[str]:
    """Say it if -1 is a class next to two others or more that are numbers: it often means no label.

    `counts` has the number of rows of each label.
    """
    others = counts.keys() - {"-1", ""}
    if "-1" in counts and len(others) > 1 and all(map(str.isdecimal, others)):
        yield (
            f"{counted(counts['-1'], 'row')} with the label '-1', which counts as a class: leave "
            "the label empty if it means that there is none"
        )


def spellings(names: Iterable[str]) -> list[list[str]]:
    """The names that may be one, because they differ only in how they are written.

    That is in capitals, spaces, hyphens, invisible characters and the zeros of a number; True may
    be 1.
    """
    spelled: dict[str, list[str]] = {}
    for name in names:
        seen = "".join(one for one in unicodedata.normalize("NFKC", name) if one.isprintable())
        seen = "".join("-" if unicodedata.category(one) == "Pd" else one for one in seen)
        key = BEFORE_NUMBER.sub("", SIGNS.sub(" ", seen.casefold().strip()))
        key = POINT.sub(r"\1", ZEROS.sub("", key))
        spelled.setdefault(TRUTH.get(key, key), []).append(name)
    return [alike for alike in spelled.values() if len(alike) > 1]


def spelled_groups(names: Iterable[str], column: str) -> Iterator[str]:
    """Say which groups may be one: its images would be in training and in test."""
    if found := spellings(names):
        yield (
            f"{column!r} has groups that differ only in how they are written: "
            f"{listed([' and '.join(map(repr, alike)) for alike in found], 3)}. If they are one, "
            "write them in one way: otherwise its images can be in training and in test"
        )


def doubtful_words(role: str, where: str, counts: Mapping[str, int]) -> Iterator[str]:
    """Say which words of a column programs write for a missing value: each counts as a name.

    role : {"label", "group"}
    where : str
        What has these words.
    counts : dict from str to int
        The rows of each word.
    """
    for word, count in counts.items():
        if count > 1 and word.lower() in NAMELESS[role]:
            yield (
                f"{count:,} rows of {where} have {word!r}, which counts as the name of one "
                f"{role}: leave it empty if it means that there is none"
            )


def unused_names(names: Collection[str]) -> Iterator[str]:
    """Say which columns, arrays or keys of a source that are not used may be groups or a split."""
    for role, of_role in (
        ("group", [name for name in names if may_be_groups(name)]),
        ("split", [name for name in names if plain(name) in SPLITS]),
    ):
        if of_role:
            meaning = "which images belong together" if role == "group" else "which are test images"
            yield (
                f"{listed([repr(name) for name in of_role])} "
                f"{plural(len(of_role), 'is', 'are')} not used. If it says {meaning}, write "
                f"dataset: {{columns: {{{role}: {of_role[0]}}}}}"
            )


def plain(column: str) -> str:
    """The name of a column in small letters, with _ between words."""
    return re.sub(r"[\s-]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column)).lower()
