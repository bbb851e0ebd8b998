"""Files that belong to another file of their class, by their names: masks, depth maps, versions.

A file is named after another one of its folder if it has the same stem and another suffix
(`001.jpg`, `001.png`), or the other's stem and more words (`0.jpg`, `0_aug1.jpg`). Numbers do not
count as words: `1_2.jpg` is a separate picture. Files that differ only by the last word
(`7_rgb.png`, `7_depth.png`) are named after each other if few such words are in use.

If the words are those of masks (`MASK`), or a folder in a class folder has such a name, the class
is refused, because masks would be trained on as images. For other files, a notice says how to keep
them on one side of the split.

Everything works on columns of names, with expressions of RE2, because there may be many names.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from petite.data.copies import WAY
from petite.data.group_signs import copies_in
from petite.data.groups import COPIES, named_groups
from petite.data.sources.layout import MASK_FOLDER, MASK_NAMES, Layout
from petite.data.sources.wording import classes_setting, shown
from petite.util.errors import PetiteError
from petite.util.notices import Notices

# Companions in a class, from which on they are not by chance.
LEAST_SHARE = 0.1
LEAST_FILES = 5

GAP = r"[\s_.-]+"
WORD = r"[^/\s_.-]+"
MOST_WORDS = 4  # behind the stem of another file: 0_rot_90_flip
FEW_WORDS = 6  # of files that are named after each other
MASK = rf"(?i)(?:^|[^a-z]){MASK_NAMES}(?:[^a-z]|$)"

# Patterns of what the files of one picture have in common, the more readable first.
PATTERNS = (
    r"^(.*/\d+)[^/]*$",
    r"^(.*/[^/_.\s-]+)[^/]*$",
    r"^(.*/[^/.]+)\.[^/]*$",
    r"^(.*/[^/]*\d)[^/\d]*$",
    r"^(.*/[^/]+)\.[^/.]*$",
    r"^(.*)\.rf\.[^/]*$",
)
# Roboflow writes each version of photo.jpg as photo_jpg.rf.0a1b...9f.jpg.
VERSION = r"^(.*/[^/]+)\.rf\.[0-9A-Za-z]{8,}$"


class Companions(NamedTuple):
    """The n files of some classes, and which of them belong together.

    Attributes
    ----------
    ids : Array of str, shape (n,)
        The image ids.
    classes : ndarray of int64, shape (n,)
        Positions in the given classes.
    after : ndarray of bool, shape (n,)
        Whether the file is named after another one.
    masks : ndarray of bool, shape (n,)
        Whether the name is that of a mask, a depth map or similar.
    roots : ndarray of int64, shape (n,)
        The same number for files of one picture.
    words : list of str
        The additional words in the names of files that are named after another one.
    """

    ids: pa.Array
    classes: NDArray[np.int64]
    after: NDArray[np.bool_]
    masks: NDArray[np.bool_]
    roots: NDArray[np.int64]
    words: list[str]

    def often(self, which: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Select those of some files whose class has too many of them for chance."""
        count = np.bincount(self.classes, weights=which)
        enough = count >= np.maximum(LEAST_FILES, LEAST_SHARE * np.bincount(self.classes))
        return which & enough[self.classes]

    def described(self, which: NDArray[np.bool_], chosen: Sequence[str]) -> str:
        """Describe some files, such as `12 of 24 files in cat, dog`."""
        positions = np.unique(self.classes[which])
        files = int(np.isin(self.classes, positions).sum())
        return f"{which.sum():,} of {files:,} files in {shown([chosen[at] for at in positions], 3)}"


def check_masks(layout: Layout, chosen: Sequence[str]) -> None:
    """Refuse masks, labels or depth maps among the images of a class.

    Raises
    ------
    PetiteError
    """
    if not _matches(pa.array(layout.files.keys(), pa.large_string()), f"(?i)/.*{MASK_NAMES}").any():
        return  # a fast answer for many files
    found = _companions(layout, chosen)
    # A class with such a name may have images with such names.
    called_so = np.array([bool(re.search(MASK, name)) for name in chosen])
    masks = found.often(found.masks & ~called_so[found.classes])
    if masks.any():
        raise PetiteError(
            f"{found.described(masks, chosen)} seem to be masks, labels or depth maps of other "
            f"files, such as {found.ids[int(np.argmax(masks))]}: they would be trained on as "
            "images. Move them out of the class folders. If they are images of the classes, name "
            f"the classes: {classes_setting(chosen)}"
        )


def note_versions(layout: Layout, chosen: Sequence[str], notices: Notices) -> None:
    """Add a notice about files that may be versions of one picture, and how to keep them together.

    Nothing is added of those that are copies by their names: the split says so.

    Parameters
    ----------
    layout : Layout
    chosen : sequence of str
        The classes.
    notices : Notices
        The notice is added here.
    """
    found = _companions(layout, chosen)
    after = found.often(found.after)
    if not after.any() or _are_copies(found):
        return
    one = int(np.argmax(after))
    same = np.flatnonzero(found.roots == found.roots[one])
    other = next(int(at) for at in same if at != one)
    groups = _setting(found)
    notices.add(
        f"{found.described(after, chosen)} are named after another file of their class, such as "
        f"{found.ids[min(one, other)]} and {found.ids[max(one, other)]}. If they are masks, depth "
        "maps or the like, move them out of the class folders. If they are versions of one "
        "picture, they must be on one side of the split: "
        + (f"write split: {{groups: {groups}}}" if groups else "set split.groups")
    )


def _are_copies(found: Companions) -> bool:
    """Whether the split will say of the same files that they are copies by their names."""
    if not all(WAY.fullmatch(word) for word in found.words):
        return False  # they may be masks of another name
    table = pd.DataFrame({"image_id": found.ids.to_pylist(), "label": found.classes})
    copies = copies_in(table)
    return copies is not None and _are_same(found.roots, pd.factorize(copies.originals)[0])


def _are_same(groups: NDArray[np.int64], others: NDArray[np.int64]) -> bool:
    """Whether two numberings divide the files in the same way."""
    both = len(np.unique(groups * (others.max() + 1) + others))
    return both == len(np.unique(groups)) == len(np.unique(others))


def _companions(layout: Layout, chosen: Sequence[str]) -> Companions:
    ids = pa.array(layout.files.keys(), pa.large_string())
    class_names = pa.array(chosen, pa.large_string())
    positions = pc.index_in(_part(ids, r"^([^/]*)/.*$"), class_names)
    ids = ids.filter(pc.is_valid(positions))
    classes = positions.drop_null().to_numpy().astype(np.int64)
    stems = pc.coalesce(_part(ids, r"^(.*[^/])\.[^./]*$"), ids)

    base, tail = _named_after(stems)
    common, word = _pairs(stems, base)
    base, tail = pc.coalesce(base, common), pc.coalesce(tail, word)
    picture = _part(stems, VERSION)
    paired = _known(common) | _known(picture)
    base = pc.coalesce(picture, base)
    roots = _roots(stems, base)
    # In a pair, or of two files with the same stem, one is named after the other.
    after = _repeated(_numbers(stems)) | np.where(paired, _repeated(roots), _known(base))
    masks = (
        _matches(tail, MASK) | _mask_before(stems) | _in_folder_of_masks(ids, classes, len(chosen))
    )
    words = pc.unique(_part(tail, r"^[^\pL]*(\pL+).*$").drop_null()).to_pylist()
    return Companions(ids, classes, after, masks, roots, sorted(words))


def _named_after(stems: pa.Array) -> tuple[pa.Array, pa.Array]:
    """The longest other stem that each begins with, and what follows it; null for none."""
    known = pc.unique(stems)
    base = tail = pa.nulls(len(stems), pa.large_string())
    behind = [rf"(?P<tail>(?:{GAP}{WORD}){{{count}}})" for count in range(1, MOST_WORDS + 1)]
    # A letter after a number begins a word too: 12mask, 12b.
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
    """What names that differ only by their last word share, and that word; null for others."""
    # Pictures are distinguished by a number.
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
    """The same number for files that are named after each other, directly or through others."""
    count = len(stems)
    numbers = _numbers(pa.concat_arrays([stems, pc.coalesce(base, stems)]))
    root = np.arange(2 * count)
    root[numbers[:count]] = numbers[count:]
    # A base is shorter than what is named after it, so there are no loops.
    while not np.array_equal(further := root[root], root):
        root = further
    return root[numbers[:count]]


def _mask_before(stems: pa.Array) -> NDArray[np.bool_]:
    """The files with a word for masks before another's name, or instead of its first word."""
    begins = _matches(stems, rf"(?i)/{MASK_NAMES}{GAP}[^/]+$")
    if not begins.any():
        return begins
    rest = pc.replace_substring_regex(stems, rf"(?s)^(.*/)\pL+{GAP}([^/]*\d[^/]*)$", r"\1\2")
    images = pa.array(~begins)
    return begins & _is_in(rest, pa.concat_arrays([stems.filter(images), rest.filter(images)]))


def _in_folder_of_masks(ids: pa.Array, classes: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """The files in a folder of masks, if their class has other files."""
    inside = _matches(ids, rf"^[^/]+/(?:.*/)?{MASK_FOLDER}/")
    has_others = np.bincount(classes[~inside], minlength=count) > 0
    return inside & has_others[classes]


def _setting(found: Companions) -> str | None:
    """The pattern for split.groups that distinguishes the pictures, in YAML's quotes, or None."""
    by_words = rf"^(.*/[^/]*?)(?:[\s_.-]*(?:{'|'.join(found.words)})[^/]*)?\.[^/.]*$"
    if _are_same(found.roots, named_groups(found.ids, COPIES).numbers):
        return COPIES
    for pattern in (*PATTERNS, by_words):
        names = _part(found.ids, pattern)
        if names.null_count:
            continue
        if _are_same(found.roots, _numbers(names)):
            return f"'{pattern}'"
    return None


# --- columns of text


def _part(texts: pa.Array, pattern: str) -> pa.Array:
    """What the group of a pattern captures; null if it does not match."""
    named = pattern.replace("(", "(?P<one>", 1)
    return pc.struct_field(pc.extract_regex(texts, f"(?s){named}"), "one")


def _base_and_tail(texts: pa.Array, pattern: str) -> tuple[pa.Array, pa.Array]:
    """What the groups `base` and `tail` of a pattern capture; null if it does not match."""
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
    """Whether each number occurs before."""
    return pd.Series(numbers).duplicated().to_numpy()
