"""Group images with those that they were made from, by their names: `12.jpg` and `flip_12.jpg`.

An image is taken for a copy if its name is that of another image of the same folder with something
behind it, such as `_flip`, ` (2)` or `-edited`, or with a word of `WAY` in front of it. Where the
original is not among the images, the names that Roboflow and Augmentor give count, and those that
begin or end with a word of `STRONG`, if what is left of them has a number.
"""

import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# With more copies of one image than this, the names are numbered, not copies: of those that have
# only a number behind the original's name, and of those that have other text there.
MOST_NUMBERED = 20
MOST_WITH_TEXT = 100

# Words that are hardly used for anything else, and those that need the original beside them.
_STRONG = (
    r"(?:[hv]?flip(?:ped|lr|ud|tb)?|mirror(?:ed)?|rot(?:ated?|ation)?|aug(?:ment(?:ed|ation))?)"
)
_WEAK = (
    r"(?:bright(?:er|ness)?|dark(?:er)?|contrast|blur(?:red)?|nois[ey]|crop(?:ped)?|zoom(?:ed)?"
    r"|shear(?:ed)?|scaled?|hue|saturation|gamma|orig(?:inal)?|transformed|cop(?:y|ied)|dup)"
)
_ORIGINAL = r"orig(?:inal)?"
_NUMBER = r"[\s_-]?[-+]?\d+(?:\.\d+)?"
_WORD = rf"(?:{_STRONG}|{_WEAK})"
_BEFORE_NAME = rf"(?:{_NUMBER}|\s\(\d+\))?[\s_-]+(?:of\s)?"
WAY = re.compile(rf"(?<![a-z]){_WORD}(?![a-z])", re.IGNORECASE)
STRONG = re.compile(rf"(?<![a-z]){_STRONG}(?![a-z])", re.IGNORECASE)
MARKED = re.compile(rf"(?<![a-z])(?:{_STRONG}|{_ORIGINAL})(?![a-z])", re.IGNORECASE)
FRONTS = (
    re.compile(rf"(?:{_WORD}\d*[\s_-]+)+", re.IGNORECASE),
    re.compile(rf"(?:{_WORD}{_BEFORE_NAME})+", re.IGNORECASE),
)
# Where the original is missing. After a number and a year, `aug` is a month.
SURE_FRONT = re.compile(rf"(?:(?:{_STRONG}|copy){_BEFORE_NAME})+(?!(?:19|20)\d\d\b)", re.IGNORECASE)
SURE_END = re.compile(
    rf"(?:(?<![\s_.(-])[\s_.(-]+{_WORD}(?:{_NUMBER})?(?:deg)?\)?)+$", re.IGNORECASE
)
OF_A_WAY = re.compile(rf"(?:{_STRONG}|{_ORIGINAL}s?|transformed)(?:{_NUMBER})?", re.IGNORECASE)
# X_jpg.rf.HASH of Roboflow; CLASS_original_X.jpg_UUID of Augmentor.
_SUFFIX = r"(?:jpe?g|png|bmp|webp|tiff?|gif)"
TOOLS = (
    re.compile(rf"(?P<original>.+?)(?:[_-]{_SUFFIX})?\.rf\.[^.]+(?P<rest>.*)", re.IGNORECASE),
    re.compile(
        rf".*?_original_(?P<original>.+?)(?:\.{_SUFFIX})?_[0-9a-f]{{8}}-[0-9a-f-]{{27}}(?P<rest>)",
        re.IGNORECASE,
    ),
)
ORIGINAL_FOLDER = re.compile(rf"/{_ORIGINAL}s?/", re.IGNORECASE)
# Where a name may end and something be behind it: 12_flip, 12 (2), 12Flipped. Not in 1.5.
END = re.compile(r"(?=[\s_(—-]|\.\D)|(?<=[a-z0-9)])(?=[A-Z])")
# Numbers, hashes and UUIDs differ from copy to copy.
COUNTER = re.compile(r"[0-9a-f]{6,}(?:-[0-9a-f]{4,})*|\d+", re.IGNORECASE)


class Copies(NamedTuple):
    """The names of images as copies of originals.

    Attributes
    ----------
    originals : ndarray of object, shape (n,)
        The original of each image, itself for most, as its path without the suffix.
    is_there : ndarray of bool, shape (n,)
        Which are copies of an image that is there.
    is_sure : ndarray of bool, shape (n,)
        Which are those, or have a name that says so without it.
    """

    originals: NDArray[np.object_]
    is_there: NDArray[np.bool_]
    is_sure: NDArray[np.bool_]


def copies_by_name(image_ids: Iterable[str]) -> Copies:
    """Find the original of each image.

    Parameters
    ----------
    image_ids : iterable of str
        Paths that start with the class folder.
    """
    split = [image_id.rpartition("/") for image_id in image_ids]
    stems = [_without_suffix(file) for _, _, file in split]
    merged = _merged_folders({folder for folder, _, _ in split})
    folders = [merged[folder] for folder, _, _ in split]
    places = [f"{folder}/{stem}" for (folder, _, _), stem in zip(split, stems, strict=True)]
    by_folder: dict[str, set[str]] = {}
    for folder, stem in zip(folders, stems, strict=True):
        by_folder.setdefault(folder, set()).add(stem)
    parents = {folder: _parents(names) for folder, names in by_folder.items()}
    originals = [
        f"{folder}/{_first(stem, parents[folder])}"
        for folder, stem in zip(folders, stems, strict=True)
    ]
    is_copy = np.array([one != place for one, place in zip(originals, places, strict=True)], bool)
    known = set(places)
    # Of merged folders, the original is in one of them.
    known |= {
        f"{folder}/{stem}"
        for folder, stem, place in zip(folders, stems, places, strict=True)
        if ORIGINAL_FOLDER.search(place)
    }
    is_there = np.array([original in known for original in originals], bool)
    says_so = np.array([_says_so(stem) for stem in stems], bool)
    return Copies(
        np.array(originals, dtype=object), is_copy & is_there, is_copy & (is_there | says_so)
    )


def way_of(image_id: str, original: str) -> str:
    """What a copy's name has beside that of its original, with 0 for each number: `|_rot0`."""
    folder, _, file = image_id.partition("/")[2].rpartition("/")
    stem, name = _without_suffix(file), original.rpartition("/")[2]
    if _is_of_tool(stem):
        return "a tool's"
    if stem.startswith(name):
        way = "|" + stem.removeprefix(name)
    elif stem.endswith(name):
        way = stem.removesuffix(name) + "|"
    else:
        way = stem.replace(name, "|", 1)
    return COUNTER.sub("0", f"{folder}/{way}")


def _merged_folders(folders: set[str]) -> dict[str, str]:
    """The class folder instead of its subfolders if all of these are named after ways.

    cat/original and cat/flipped are cat; Apfel/rot beside Apfel/gelb is itself.
    """
    of_class: dict[str, set[str]] = {}
    for folder in folders:
        class_folder, _, below = folder.partition("/")
        if below:
            of_class.setdefault(class_folder, set()).add(below)
    ways = {
        class_folder
        for class_folder, below in of_class.items()
        if all(OF_A_WAY.fullmatch(name) for name in below)
    }
    return {
        folder: class_folder if (class_folder := folder.partition("/")[0]) in ways else folder
        for folder in folders
    }


def _says_so(stem: str) -> bool:
    """Whether a name is that of a copy, even without its original."""
    return bool(STRONG.search(stem)) or _is_of_tool(stem)


def _is_of_tool(stem: str) -> bool:
    return any(tool.fullmatch(stem) for tool in TOOLS)


def _without_suffix(file: str) -> str:
    stem, _, suffix = file.rpartition(".")
    return stem if stem and suffix[:1].isalpha() and len(suffix) < 6 else file


def _parents(stems: set[str]) -> dict[str, str]:
    """The name that each name was made from; itself for those that were not."""
    parents = {stem: _parent(stem, stems) for stem in stems}
    limited = {stem: parent for stem, parent in parents.items() if _is_limited(stem, parent, stems)}
    counts = Counter((parent, _has_text(stem, parent)) for stem, parent in limited.items())
    for stem, parent in limited.items():
        has_text = _has_text(stem, parent)
        # `images (1)` beside `images` is the next of them.
        most = MOST_WITH_TEXT if has_text else MOST_NUMBERED if re.search(r"\d", parent) else 0
        if counts[parent, has_text] > most:
            parents[stem] = stem
    return parents


def _is_limited(stem: str, parent: str, stems: set[str]) -> bool:
    """Whether a name says no more of a copy than that it has something behind it."""
    return parent != stem and parent in stems and not _says_so(stem)


def _has_text(stem: str, parent: str) -> bool:
    return any(character.isalpha() for character in stem.replace(parent, "", 1))


def _parent(stem: str, stems: set[str]) -> str:
    for tool in TOOLS:
        if found := tool.fullmatch(stem):
            inner = found["original"] + found["rest"]
            return inner if inner in stems else _parent_by_words(inner, stems)
    return _parent_by_words(stem, stems)


def _parent_by_words(stem: str, stems: set[str]) -> str:
    if known := _beginning(stem, stems):
        return known
    for front in FRONTS:
        if found := front.match(stem):
            rest = stem[found.end() :]
            if rest in stems:
                return rest
            if known := _beginning(rest, stems):
                return known
    # The original is not there. What is left must be the name of one, and no kind of things.
    bare = stem
    if (found := SURE_FRONT.match(stem)) and found.end() < len(stem):
        bare = stem[found.end() :]
    if MARKED.search(bare):
        bare = SURE_END.sub("", bare)
    return bare if re.search(r"\d", bare) else stem


def _beginning(stem: str, stems: set[str]) -> str | None:
    """The longest other name that a name begins with, up to a place where names end."""
    ends = [found.start() for found in END.finditer(stem)]
    return next((stem[:end] for end in reversed(ends) if stem[:end] in stems), None)


def _first(stem: str, parents: dict[str, str]) -> str:
    """The original of a copy of a copy."""
    while (parent := parents.get(stem, stem)) != stem:
        stem = parent
    return stem
