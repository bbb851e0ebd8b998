"""Files of a class that belong to another file of it, by their names: masks, depth maps, versions.

A file is named after another one of its folder if it has the same stem and another ending
(`001.jpg`, `001.png`), or the other's stem and words more (`0.jpg`, `0_aug1.jpg`). Numbers alone
are no words: `1_2.jpg` is a picture of its own. Files that have all but the last word in common
(`7_rgb.png`, `7_depth.png`) are named after each other, where few words are in use.

Where the words are those of masks (`MASK`), or a folder in a class folder is called so, the class
is refused: masks would be trained on as images. Of other files it is told how to keep them on one
side of the split.

All is done on columns of names, with expressions that RE2 matches, since there may be many.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from petite.data.sources.layout import Layout
from petite.data.sources.wording import classes_setting, shown
from petite.util.errors import PetiteError
from petite.util.notices import Notices

# In a class, before it is more than chance.
LEAST_SHARE = 0.1
LEAST_FILES = 5

GAP = r"[\s_.-]+"
WORD = r"[^/\s_.-]+"
MOST_WORDS = 4  # behind the stem of another file: 0_rot_90_flip
FEW_WORDS = 6  # of files that are named after each other
MASK_NAMES = (
    r"(?:masks?|segm?|segmentations?|gt|ground[\s_.-]*truths?|labels?|annot(?:ation)?s?|depths?)"
)
MASK = rf"(?i)(?:^|[^a-z]){MASK_NAMES}(?:[^a-z]|$)"
MASK_FOLDER = rf"(?i:(?:{MASK_NAMES}[\s_.-]*)+(?:images?|imgs?|maps?|files|pngs?|\d+)?)"

# What the files of one picture have in common, the more readable first.
PATTERNS = (
    r"^(.*/\d+)[^/]*$",
    r"^(.*/[^/_.\s-]+)[^/]*$",
    r"^(.*/[^/.]+)\.[^/]*$",
    r"^(.*/[^/]*\d)[^/\d]*$",
    r"^(.*/[^/]+)\.[^/.]*$",
)


class Companions(NamedTuple):
    """The files of some classes; those of one picture have a root in common."""

    ids: pa.Array  # (n,), image ids
    classes: NDArray[np.int64]  # (n,), positions in the classes asked for
    after: NDArray[np.bool_]  # (n,), named after another file
    masks: NDArray[np.bool_]  # (n,), by their names a mask, a depth map or the like
    roots: NDArray[np.int64]  # (n,), the same for files of one picture
    words: list[str]  # that the names of the former have more

    def often(self, which: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Those of some files whose class has more of them than chance would have."""
        count = np.bincount(self.classes, weights=which)
        enough = count >= np.maximum(LEAST_FILES, LEAST_SHARE * np.bincount(self.classes))
        return which & enough[self.classes]

    def described(self, which: NDArray[np.bool_], chosen: Sequence[str]) -> str:
        """`12 of 24 files in cat, dog`."""
        positions = np.unique(self.classes[which])
        files = int(np.isin(self.classes, positions).sum())
        return f"{which.sum():,} of {files:,} files in {shown([chosen[at] for at in positions], 3)}"


def check_masks(layout: Layout, chosen: Sequence[str]) -> None:
    """Raise PetiteError for masks, labels or depth maps among the images of a class."""
    if not _matches(pa.array(layout.files.keys(), pa.large_string()), f"(?i)/.*{MASK_NAMES}").any():
        return  # known at once, where there are many
    found = _companions(layout, chosen)
    # Where a class is called so, its images may be too.
    called_so = np.array([bool(re.search(MASK, name)) for name in chosen])
    masks = found.often(found.masks & ~called_so[found.classes])
    if masks.any():
        raise PetiteError(
            f"{found.described(masks, chosen)} seem to be masks, labels or depth maps of other "
            f"files there, such as {found.ids[int(np.argmax(masks))]}: they would be trained on as "
            "images. Move them out of the class folders, to keep the images only. If they are "
            f"images of their own, name the classes: {classes_setting(chosen)}"
        )


def tell_versions(layout: Layout, chosen: Sequence[str], notices: Notices) -> None:
    """Say which files may be versions of one picture, and how to keep them together."""
    found = _companions(layout, chosen)
    after = found.often(found.after)
    if not after.any():
        return
    one = int(np.argmax(after))
    same = np.flatnonzero(found.roots == found.roots[one])
    other = next(int(at) for at in same if at != one)
    groups = _setting(found)
    notices.add(
        f"{found.described(after, chosen)} are named after another file of their class, such as "
        f"{found.ids[min(one, other)]} and {found.ids[max(one, other)]}. If they are masks, depth "
        "maps or the like, move them out of the class folders. If they are versions of one "
        "picture, they have to be on one side of the split: "
        + (f"write split: {{groups: {groups}}}" if groups else "say so by split.groups")
    )


def _companions(layout: Layout, chosen: Sequence[str]) -> Companions:
    ids = pa.array(layout.files.keys(), pa.large_string())
    class_names = pa.array(chosen, pa.large_string())
    positions = pc.index_in(_part(ids, r"^([^/]*)/.*$"), class_names)
    ids = ids.filter(pc.is_valid(positions))
    classes = positions.drop_null().to_numpy().astype(np.int64)
    stems = pc.coalesce(_part(ids, r"^(.*[^/])\.[^./]*$"), ids)

    base, tail = _named_after(stems)
    common, word = _pairs(stems, base)
    paired = _known(common)
    base, tail = pc.coalesce(base, common), pc.coalesce(tail, word)
    roots = _roots(stems, base)
    # Of two files of one stem, or of a pair, one is named after the other.
    after = _repeated(_numbers(stems)) | np.where(paired, _repeated(roots), _known(base))
    masks = (
        _matches(tail, MASK) | _mask_before(stems) | _in_folder_of_masks(ids, classes, len(chosen))
    )
    words = pc.unique(_part(tail, r"^[^\pL]*(\pL+).*$").drop_null()).to_pylist()
    return Companions(ids, classes, after, masks, roots, sorted(words))


def _named_after(stems: pa.Array) -> tuple[pa.Array, pa.Array]:
    """The longest other stem that each begins with, and what stands behind it; null for none."""
    known = pc.unique(stems)
    base = tail = pa.nulls(len(stems), pa.large_string())
    behind = [rf"(?P<tail>(?:{GAP}{WORD}){{{count}}})" for count in range(1, MOST_WORDS + 1)]
    # A letter behind a number begins a word too: 12mask, 12b.
    for pattern in (
        r"^(?P<base>.*\d)(?P<tail>\pL+)$",
        *(rf"^(?P<base>.*[^/\s_.-]){words}$" for words in behind),
    ):
        first, rest = _base_and_tail(stems, pattern)
        good = pa.array(_matches(rest, r"\pL") & _known(first) & _is_in(first, known))
        base = pc.coalesce(base, _only(first, good))
        tail = pc.coalesce(tail, _only(rest, good))
    return base, tail


def _pairs(stems: pa.Array, base: pa.Array) -> tuple[pa.Array, pa.Array]:
    """What names have in common but for their last words, and that word; null for others."""
    # A number tells one picture from another.
    pattern = rf"^(?P<base>.*/[^/]*\d[^/\s_.-]*){GAP}(?P<tail>\pL+)\d*$"
    common, word = _base_and_tail(stems, pattern)
    single = pc.is_null(base)
    common, word = _only(common, single), _only(word, single)
    frame = pd.DataFrame({"common": _numbers(common), "word": _numbers(word)})
    frame = frame[frame["common"] >= 0]
    pairs = frame[frame.groupby("common")["word"].transform("nunique") > 1]
    is_pair = np.zeros(len(stems), bool)
    if pairs["word"].nunique() <= FEW_WORDS:
        is_pair[pairs.index] = True
    return _only(common, pa.array(is_pair)), _only(word, pa.array(is_pair))


def _roots(stems: pa.Array, base: pa.Array) -> NDArray[np.int64]:
    """The same number for files that are named after one another, directly or through others."""
    count = len(stems)
    numbers = _numbers(pa.concat_arrays([stems, pc.coalesce(base, stems)]))
    root = np.arange(2 * count)
    root[numbers[:count]] = numbers[count:]
    # A base is shorter than what is named after it, so there are no circles.
    while not np.array_equal(further := root[root], root):
        root = further
    return root[numbers[:count]]


def _mask_before(stems: pa.Array) -> NDArray[np.bool_]:
    """The files with a word for masks before the name of another, or in place of its first word."""
    begins = _matches(stems, rf"(?i)/{MASK_NAMES}{GAP}[^/]+$")
    if not begins.any():
        return begins
    rest = pc.replace_substring_regex(stems, rf"(?s)^(.*/)\pL+{GAP}([^/]*\d[^/]*)$", r"\1\2")
    images = pa.array(~begins)
    return begins & _is_in(rest, pa.concat_arrays([stems.filter(images), rest.filter(images)]))


def _in_folder_of_masks(ids: pa.Array, classes: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """The files in a folder of masks, where their class has others."""
    inside = _matches(ids, rf"^[^/]+/(?:.*/)?{MASK_FOLDER}/")
    has_others = np.bincount(classes[~inside], minlength=count) > 0
    return inside & has_others[classes]


def _setting(found: Companions) -> str | None:
    """The pattern for split.groups that tells the pictures apart, in YAML's quotes, or None."""
    by_words = rf"^(.*/[^/]*?)(?:[\s_.-]*(?:{'|'.join(found.words)})[^/]*)?\.[^/.]*$"
    pictures = len(np.unique(found.roots))
    for pattern in (*PATTERNS, by_words):
        names = _part(found.ids, pattern)
        if names.null_count:
            continue
        numbers = _numbers(names)
        both = np.unique(found.roots * len(numbers) + numbers)
        if len(both) == len(np.unique(numbers)) == pictures:
            return f"'{pattern}'"
    return None


# --- columns of texts


def _part(texts: pa.Array, pattern: str) -> pa.Array:
    """What the group of a pattern captures; null where it does not match."""
    named = pattern.replace("(", "(?P<one>", 1)
    return pc.struct_field(pc.extract_regex(texts, f"(?s){named}"), "one")


def _base_and_tail(texts: pa.Array, pattern: str) -> tuple[pa.Array, pa.Array]:
    """What the groups `base` and `tail` of a pattern capture; null where it does not match."""
    found = pc.extract_regex(texts, f"(?s){pattern}")
    return pc.struct_field(found, "base"), pc.struct_field(found, "tail")


def _matches(texts: pa.Array, pattern: str) -> NDArray[np.bool_]:
    found = pc.match_substring_regex(texts, f"(?s){pattern}")
    return pc.fill_null(found, False).to_numpy(zero_copy_only=False)


def _only(texts: pa.Array, wanted: pa.Array) -> pa.Array:
    return pc.if_else(wanted, texts, pa.scalar(None, texts.type))


def _known(texts: pa.Array) -> NDArray[np.bool_]:
    return pc.is_valid(texts).to_numpy(zero_copy_only=False)


def _is_in(texts: pa.Array, others: pa.Array) -> NDArray[np.bool_]:
    return pc.is_in(texts, others).to_numpy(zero_copy_only=False)


def _numbers(texts: pa.Array) -> NDArray[np.int64]:
    """The same number for the same text, -1 for null."""
    indices = pc.fill_null(texts.dictionary_encode().indices, -1)
    return indices.to_numpy(zero_copy_only=False).astype(np.int64)


def _repeated(numbers: NDArray) -> NDArray[np.bool_]:
    """Whether each was there before."""
    return pd.Series(numbers).duplicated().to_numpy()
