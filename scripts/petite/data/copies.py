"""Group images with those that they were made from, by their names: `12.jpg` and `flip_12.jpg`.

An image is taken for a copy if its name is that of another image of the same folder with something
behind it, such as `_flip`, ` (2)` or `-edited`, or with a word of `WAY` in front of it. The names
that Roboflow and Augmentor give count too, and those that end in such a word, also where the
original is not among the images.
"""

import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# If more images than this seem to be copies of one, they were counted and not copied.
MOST_COPIES = 100

_STRONG = (
    r"(?:[hv]?flip(?:ped|lr|ud|tb)?|mirror(?:ed)?|rot(?:ated?|ation)?|aug(?:ment(?:ed|ation))?)"
)
_WEAK = (
    r"(?:bright(?:er|ness)?|dark(?:er)?|contrast|blur(?:red)?|nois[ey]|crop(?:ped)?|zoom(?:ed)?"
    r"|shear(?:ed)?|scaled?|hue|saturation|gamma|orig(?:inal)?|transformed|cop(?:y|ied)|dup)"
)
_NUMBER = r"[\s_-]?[-+]?\d+(?:\.\d+)?"
_WORD = rf"(?:{_STRONG}|{_WEAK})"
# Words for ways to alter an image, and those that are hardly used for anything else.
WAY = re.compile(rf"(?<![a-z]){_WORD}(?![a-z])", re.IGNORECASE)
STRONG = re.compile(rf"(?<![a-z]){_STRONG}(?![a-z])", re.IGNORECASE)
FRONT = re.compile(rf"(?:{_WORD}\d*[\s_-]+)+", re.IGNORECASE)
NUMBERED_FRONT = re.compile(rf"(?:{_WORD}(?:{_NUMBER}|\s\(\d+\))?[\s_-]+(?:of\s)?)+", re.IGNORECASE)
BEHIND = re.compile(rf"(?:[\s_.(-]+{_WORD}(?:{_NUMBER})?(?:deg)?\)?)+$", re.IGNORECASE)
OF_A_WAY = re.compile(rf"(?:{_STRONG}|orig(?:inal)?s?|transformed)(?:{_NUMBER})?", re.IGNORECASE)
# X_jpg.rf.HASH of Roboflow; CLASS_original_X.jpg_UUID of Augmentor.
_SUFFIX = r"(?:jpe?g|png|bmp|webp|tiff?|gif)"
TOOLS = (
    re.compile(rf"(?P<original>.+?)(?:[_-]{_SUFFIX})?\.rf\.[^.]+(?P<rest>.*)", re.IGNORECASE),
    re.compile(
        rf".*?_original_(?P<original>.+?)(?:\.{_SUFFIX})?_[0-9a-f]{{8}}-[0-9a-f-]{{27}}(?P<rest>)",
        re.IGNORECASE,
    ),
)
# Where a name may end and something be behind it: 12_flip, 12 (2), 12Flipped.
END = re.compile(r"[\s_.(—-]+|(?<=[a-z0-9)])(?=[A-Z])")
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
    ways : ndarray of object, shape (n,)
        What a copy's name has beside that of its original, with 0 for each number.
    """

    originals: NDArray[np.object_]
    is_there: NDArray[np.bool_]
    is_sure: NDArray[np.bool_]
    ways: NDArray[np.object_]


def copies_by_name(image_ids: Iterable[str]) -> Copies:
    """Find the original of each image.

    Parameters
    ----------
    image_ids : iterable of str
        Paths that start with the class folder.
    """
    split = [image_id.rpartition("/") for image_id in image_ids]
    places = [f"{folder}/{_without_suffix(file)}" for folder, _, file in split]
    names = [(_of_all_ways(folder), _without_suffix(file)) for folder, _, file in split]
    folders: dict[str, set[str]] = {}
    for folder, stem in names:
        folders.setdefault(folder, set()).add(stem)
    parents = {
        folder: {stem: _parent(stem, stems) for stem in stems} for folder, stems in folders.items()
    }
    for of_folder in parents.values():
        counts = Counter(of_folder.values())
        for stem, parent in of_folder.items():
            if counts[parent] > MOST_COPIES:
                of_folder[stem] = stem
    originals = np.array(
        [f"{folder}/{_first(stem, parents[folder])}" for folder, stem in names], dtype=object
    )
    is_copy = originals != np.array(places, dtype=object)
    is_there = np.array(
        [
            original.rpartition("/")[2] in folders[folder]
            for original, (folder, _) in zip(originals, names, strict=True)
        ],
        bool,
    )
    says_so = np.array([bool(STRONG.search(stem)) or _is_of_tool(stem) for _, stem in names], bool)
    ways = [_way(place, original) for place, original in zip(places, originals, strict=True)]
    return Copies(
        originals,
        is_copy & is_there,
        is_copy & (is_there | says_so),
        np.array(ways, dtype=object),
    )


def _way(place: str, original: str) -> str:
    """What a name has beside that of its original, such as `|_flip`."""
    folder, _, stem = place.partition("/")[2].rpartition("/")
    name = original.rpartition("/")[2]
    if _is_of_tool(stem):
        return "a tool's"
    if stem.startswith(name):
        way = "|" + stem.removeprefix(name)
    elif stem.endswith(name):
        way = stem.removesuffix(name) + "|"
    else:
        way = stem.replace(name, "|", 1)
    return COUNTER.sub("0", f"{folder}/{way}")


def _is_of_tool(stem: str) -> bool:
    return any(tool.fullmatch(stem) for tool in TOOLS)


def _of_all_ways(folder: str) -> str:
    """A folder without subfolders that are named after a way: cat/flipped is cat."""
    class_folder, *below = folder.split("/")
    return "/".join([class_folder, *(part for part in below if not OF_A_WAY.fullmatch(part))])


def _without_suffix(file: str) -> str:
    stem, _, suffix = file.rpartition(".")
    return stem if stem and len(suffix) < 6 else file


def _parent(stem: str, stems: set[str]) -> str:
    """The name that a name was made from; itself if there is none."""
    for tool in TOOLS:
        if found := tool.fullmatch(stem):
            inner = found["original"] + found["rest"]
            return _parent(inner, stems) if inner not in stems else inner
    if known := _beginning(stem, stems):
        return known
    for front in (FRONT, NUMBERED_FRONT):
        if found := front.match(stem):
            rest = stem[found.end() :]
            if rest in stems:
                return rest
            if known := _beginning(rest, stems):
                return known
    # The original is not there.
    for front in (NUMBERED_FRONT, FRONT):
        found = front.match(stem)
        if found and found.end() < len(stem):
            stem = stem[found.end() :]
            break
    bare = BEHIND.sub("", stem)
    return bare or stem


def _beginning(stem: str, stems: set[str]) -> str | None:
    """The longest other name that a name begins with, up to a place where names end."""
    ends = [found.start() for found in END.finditer(stem)]
    return next((stem[:end] for end in reversed(ends) if stem[:end] in stems), None)


def _first(stem: str, parents: dict[str, str]) -> str:
    """The original of a copy of a copy."""
    while (parent := parents.get(stem, stem)) != stem:
        stem = parent
    return stem
