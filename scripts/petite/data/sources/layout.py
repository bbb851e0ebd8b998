"""The class folders in a tree of files, for folders on disk and for archives.

Each source builds a tree of `Folder` with links resolved, and `find_layout` finds the class folders
in it. `class_signs` checks whether they look like classes.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Generic, NamedTuple, TypeVar

from petite.data.split_names import PARTS, TRAIN, parts_of, split_word
from petite.util.errors import PetiteError

File = TypeVar("File")

# Folders that systems make, besides those whose names begin with a dot: macOS, network storage,
# Windows, Linux, and programming tools.
SYSTEM_FOLDERS = {
    "__MACOSX",
    "@eaDir",
    "@Recycle",
    "#recycle",
    "#snapshot",
    "$RECYCLE.BIN",
    "System Volume Information",
    "lost+found",
    "node_modules",
    "__pycache__",
}
# Files that are often next to images. Any other file that is not an image is found on reading.
TABLES = {".csv", ".tsv", ".parquet", ".xls", ".xlsx", ".json", ".jsonl", ".txt"}
TEXTS = {".md", ".rst", ".rtf", ".doc", ".docx", ".pdf", ".htm", ".html", ".log", ".url"}
ANNOTATIONS = {".xml", ".geojson", ".lst", ".mat", ".xmp", ".aae"}
LISTS = TABLES | {".lst"}
# Of files that hold a whole split: train_test_split.txt, split_zhou.json, trainval.txt.
SPLIT_LIST = re.compile(r"train_?(test|val)|(?<![a-z])splits?(?![a-z])", re.IGNORECASE)
OF_PROGRAMS = {".yaml", ".yml", ".toml", ".ini", ".cfg", ".db", ".cache", ".md5", ".sha256", ".lnk"}
SIDE_SUFFIXES = TABLES | TEXTS | ANNOTATIONS | OF_PROGRAMS | {".py", ".ipynb"}
# Arrays, which many programs write next to the images that they are made from.
ARRAYS = {".npy", ".npz", ".pt", ".pkl", ".h5", ".hdf5"}
SIDE_FILES = {"thumbs.db", "ehthumbs.db", "desktop.ini", "license", "readme", "icon\r"}
# Folders that hold images of any class, and masks of images.
IMAGES_WORD = re.compile(r"(jpeg|png)?(images?|imgs?|photos?|pictures?|pics)", re.IGNORECASE)
MASK_NAMES = (
    r"(?:masks?|segm?|segmentations?|gt|ground[\s_.-]*truths?|labels?|annot(?:ation)?s?|depths?)"
)
MASK_FOLDER = rf"(?i:(?:{MASK_NAMES}[\s_.-]*)+(?:images?|imgs?|maps?|files|pngs?|\d+)?)"

ARCHIVE = re.compile(r"\.(zip|tar|tgz|tbz2?|txz|7z|rar|gz|bz2|xz|zst)$", re.IGNORECASE)


@dataclass(eq=False)
class Folder(Generic[File]):
    """The contents of a folder, by name; a linked folder is the one that the link leads to.

    Attributes
    ----------
    files : dict from str to File
    folders : dict from str to Folder
    dangling : dict from str to str
        Links that cannot be followed, with the reason. They are among the files too.
    upward : list of str
        Links to folders that contain the whole tree, which are not followed.
    """

    files: dict[str, File] = field(default_factory=dict)
    folders: dict[str, "Folder[File]"] = field(default_factory=dict)
    dangling: dict[str, str] = field(default_factory=dict)
    upward: list[str] = field(default_factory=list)


@dataclass
class Layout(Generic[File]):
    """The classes of a tree, and what was found next to them.

    Names are in Unicode's normal form C, in which all spellings of one name are the same.

    Attributes
    ----------
    where : PurePath
        The folder that holds the class folders, or those of a given split.
    files : dict from str to File
        The images by id: class/path/name, or class/folder of the split/path/name.
    parts : dict from str to str
        The part that each folder of a given split stands for; empty without a given split.
    folders : dict from str to Counter
        For each class the folders that hold its images, relative to its own (""), with the number
        of images.
    empty : dict from str to Counter
        The class folders without images, with their side files by kind.
    side_files : Counter
        Files in class folders that are not images, by kind.
    beside : list of str
        Files next to the class folders that may be images.
    tables : list of str
        Tables next to the class folders.
    inner_tables : list of str
        Tables in the class folders themselves.
    split_lists : list of str
        Texts and tables named like the parts of a split, if it is not given in folders.
    repeated : list of str
        Links to a folder that is read already.
    shared : list of (str, str)
        Folders that are in two classes by links.
    dangling : dict from str to str
        Links next to the class folders that cannot be followed, with the reason.
    """

    where: PurePath
    files: dict[str, File] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    folders: dict[str, Counter[str]] = field(default_factory=dict)
    empty: dict[str, Counter[str]] = field(default_factory=dict)
    side_files: Counter[str] = field(default_factory=Counter)
    beside: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    inner_tables: list[str] = field(default_factory=list)
    split_lists: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    shared: list[tuple[str, str]] = field(default_factory=list)
    dangling: dict[str, str] = field(default_factory=dict)

    def inside(self, name: str) -> Counter[str]:
        """Count the images by folder in a class folder; those of all parts of a split together."""
        counts = self.folders.get(name, Counter())
        if not self.parts:
            return counts
        merged: Counter[str] = Counter()
        for path, count in counts.items():
            merged[path.partition("/")[2]] += count
        return merged

    def in_parts(self, name: str) -> Counter[str]:
        """Count the images of a class by part of the given split."""
        counts: Counter[str] = Counter()
        for path, count in self.folders.get(name, Counter()).items():
            counts[self.parts[nfc(path.partition("/")[0])]] += count
        return counts

    def holding(self, name: str) -> list[str]:
        """List the class folders that have a folder of this name with images in it."""
        return [
            class_name
            for class_name, counts in self.folders.items()
            if any(name in map(nfc, path.split("/")) for path in counts)
        ]


def nfc(name: str) -> str:
    """Convert a name to Unicode's normal form C: macOS writes é as two characters, not as one."""
    return unicodedata.normalize("NFC", name)


def natural_order(name: str) -> tuple[list[str | tuple[int, str]], str]:
    """Make a sort key that puts 2.jpg before 10.jpg; different names have different keys."""
    parts: list[str | tuple[int, str]] = list(re.split(r"([0-9]+)", name))
    for position in range(1, len(parts), 2):
        digits = str(parts[position]).lstrip("0")
        parts[position] = (len(digits), digits)  # compares like the number, of any length
    return parts, name


def is_hidden(name: str) -> bool:
    """Whether a file or folder is hidden, or made by a system for itself."""
    return name.startswith(".") or name in SYSTEM_FOLDERS


def is_archive(name: str) -> bool:
    """Whether a file is an archive by its name, even of a kind that cannot be read."""
    return bool(ARCHIVE.search(name))


def side_kind(name: str) -> str | None:
    """Name the kind of a file that is not an image, such as ".xml"; None for any other file."""
    lowered = name.lower()
    suffix = ending_of(lowered)[1]
    if suffix in SIDE_SUFFIXES:
        return name if lowered in SIDE_FILES else suffix
    return name.strip() if lowered in SIDE_FILES else None


def ending_of(name: str) -> tuple[str, str]:
    """Divide a file name into its stem and its suffix, which begins with a dot."""
    stem, dot, rest = name.rpartition(".")
    return (stem, dot + rest) if stem else (name, "")


class Part(NamedTuple, Generic[File]):
    """A folder of a given split: the part, and the folders from it to its class folders."""

    part: str
    chain: list[Folder[File]]


def find_layout(root: Folder[File], path: PurePath, max_entries: int | None = None) -> Layout[File]:
    """Find the class folders of a tree: those in the first folder that has two or more of them.

    Any number of single folders may wrap the class folders (`PetImages/Cat`). If these folders are
    certainly those of a given split (`train/Cat`, `test/Cat`), the class folders are those in them.
    The folders of a split may also be in each class (`Cat/train`, `Cat/test`).
    Each folder is read once for a class, however many links lead to it.

    Parameters
    ----------
    root : Folder
        The tree.
    path : PurePath
        Where it is, for messages.
    max_entries : int, optional
        The largest number of images.

    Returns
    -------
    Layout

    Raises
    ------
    PetiteError
        For a name that is not valid Unicode, for two spellings of one name in Unicode, and if
        links make more than `max_entries` images.
    """
    chain = [root]
    while inner := _only_wrapped(chain):
        path /= inner[0]
        chain.append(inner[1])
    layout: Layout[File] = Layout(path)
    split = _given_split(chain)
    wrappers = [folder for part in split.values() for folder in part.chain]
    for folder in [*chain, *wrappers]:
        for name in folder.files:
            if name in folder.dangling:
                layout.dangling[name] = folder.dangling[name]
            elif (kind := side_kind(name)) is None:
                layout.beside.append(name)
            elif kind in TABLES:
                layout.tables.append(name)
    layout.parts = {checked_name(name, path): part.part for name, part in split.items()}
    outside = [*chain, *wrappers]
    class_of: dict[int, str] = {}  # the first path to each folder
    for name, parts in _class_folders(chain[-1], split, path).items():
        _add_class(layout, name, parts, outside, class_of)
        if max_entries and len(layout.files) > max_entries:
            raise PetiteError(
                f"{path} has more than {max_entries} images (dataset.max_entries), because many "
                "links lead to the same folders. Remove links, or raise dataset.max_entries"
            )
    layout.parts = layout.parts or _split_in_classes(layout)
    layout.split_lists = [] if layout.parts else _split_lists(chain)
    layout.repeated += [link for folder in (chain[-1], *wrappers) for link in folder.upward]
    return layout


def one_class(root: Folder[File], path: PurePath, name: str) -> Layout[File]:
    """Take all images of a tree as one class, whatever its folders.

    Parameters
    ----------
    root : Folder
        The tree.
    path : PurePath
        Where it is, for messages.
    name : str
        The name of the class.

    Returns
    -------
    Layout
        It has no class if the tree has no images.

    Raises
    ------
    PetiteError
        As `find_layout`.
    """
    layout: Layout[File] = Layout(path)
    _add_class(layout, name, {"": root}, [], {})
    return layout


def _split_in_classes(layout: Layout) -> dict[str, str]:
    """The parts of a split whose folders are in each class (cat/train, cat/test); empty if none."""
    # As ids spell them.
    inside = [{nfc(path.partition("/")[0]) for path in paths} for paths in layout.folders.values()]
    names = set().union(*inside)
    parts = parts_of(names)
    return parts if len(parts) > 1 and all(here == names for here in inside) else {}


def _class_folders(
    top: Folder[File], split: dict[str, Part[File]], where: PurePath
) -> dict[str, dict[str, Folder[File]]]:
    """The folders of each class by their path in it: "", or the folder of a given split."""
    tops = {name: part.chain[-1] for name, part in split.items()} or {"": top}
    found: dict[str, dict[str, Folder[File]]] = {}
    for path, here in tops.items():
        for name, folder in here.folders.items():
            parts = found.setdefault(checked_name(name, where), {})
            if checked_name(path, where) in parts:
                raise PetiteError(
                    f"{where / path} has two folders named {nfc(name)!r}, in two spellings of "
                    "Unicode (such as é as one character and as two). Merge them, or rename one"
                )
            parts[checked_name(path, where)] = folder
    for name, folder in top.folders.items() if split else ():
        if name not in split:  # without images
            found.setdefault(checked_name(name, where), {})[""] = folder
    return dict(sorted(found.items()))


def _given_split(chain: list[Folder[File]]) -> dict[str, Part[File]]:
    """The folders of a given split in the last of the chain, by name; empty if it is not certain.

    All folders with images must be named as parts of a split, and hold class folders: two or more
    in all, of which each part has some of those of the training part.
    """
    inside = chain[-1].folders
    parts = parts_of([name for name in inside if _holds_images(inside[name], chain)])
    train = next((name for name, part in parts.items() if part == TRAIN), None)
    if train is None or len(parts) < 2:
        return {}
    found = {name: Part(part, [inside[name]]) for name, part in sorted(parts.items())}
    to_classes = found[train].chain
    while inner := _only_wrapped([*chain, *to_classes]):
        to_classes.append(inner[1])
    classes = _with_images([*chain, *to_classes]).keys()
    known = set(classes)
    for part in found.values():
        while not (here := _with_images([*chain, *part.chain])).keys() & classes:
            if len(here) != 1:
                return {}
            part.chain.extend(here.values())
        known |= here.keys()
    # images/ and masks/, or a split within a split
    odd = [name for name in known if IMAGES_WORD.fullmatch(name) or re.fullmatch(MASK_FOLDER, name)]
    return {} if len(known) < 2 or odd or len(parts_of(known)) > 1 else found


def _split_lists(chain: list[Folder[File]]) -> list[str]:
    """Texts next to the class folders, or tables in folders next to them, named as splits are."""
    found = [
        name for folder in chain for name in folder.files if name.lower().endswith((".txt", ".lst"))
    ]
    for folder in chain:
        for name, inner in folder.folders.items():
            if not any(inner is one for one in chain) and not _holds_images(inner, chain):
                found += [f"{name}/{file}" for file in inner.files if side_kind(file) in LISTS]
    stems = {path: ending_of(path.rpartition("/")[2])[0] for path in found}
    parts = {path: PARTS.get(split_word(stem)[1]) for path, stem in stems.items()}
    whole = {path for path, stem in stems.items() if SPLIT_LIST.search(stem)}
    named = whole | {path for path, part in parts.items() if part}
    is_split = whole or len({parts[path] for path in named}) > 1
    return sorted(named) if is_split else []


def _with_images(chain: list[Folder[File]]) -> dict[str, Folder[File]]:
    """The folders in the last of the chain that hold images."""
    return {
        nfc(name): folder
        for name, folder in chain[-1].folders.items()
        if _holds_images(folder, chain)
    }


def _only_wrapped(chain: list[Folder[File]]) -> tuple[str, Folder[File]] | None:
    """The only folder with images in the last of the chain, if it has folders with images."""
    holding = [
        (name, folder) for name, folder in chain[-1].folders.items() if _holds_images(folder, chain)
    ]
    if len(holding) != 1:
        return None
    inside = holding[0][1]
    deeper = (_holds_images(folder, [*chain, inside]) for folder in inside.folders.values())
    return holding[0] if any(deeper) else None


def _holds_images(folder: Folder[File], outside: Sequence[Folder[File]]) -> bool:
    return any(
        side_kind(name) is None for _, inner in within(folder, outside) for name in inner.files
    )


def within(
    folder: Folder[File], outside: Sequence[Folder[File]] = (), repeated: list[str] | None = None
) -> Iterator[tuple[str, Folder[File]]]:
    """Give a folder ("") and all folders within it by path, each once, without those of `outside`.

    The paths of links to a folder that is left out are added to `repeated`.
    """
    seen = set(map(id, outside))
    level = [("", folder)]
    while level:
        deeper = []
        for path, here in level:
            if id(here) in seen:
                if repeated is not None:
                    repeated.append(path)
                continue
            seen.add(id(here))
            yield path, here
            deeper += [
                (f"{path}/{name}" if path else name, inner)
                for name, inner in sorted(here.folders.items())
            ]
        level = deeper


def _add_class(
    layout: Layout[File],
    name: str,
    parts: dict[str, Folder[File]],
    outside: list[Folder[File]],
    class_of: dict[int, str],
) -> None:
    """Add the images of a class to the layout, or the class to the empty ones.

    `parts` are the class folders by their path in the class, see `_class_folders`.
    """
    repeated: dict[str, list[str]] = {at: [] for at in parts}
    counts: Counter[str] = Counter()
    side: Counter[str] = Counter()
    inside = [
        (_joined(at, path), inner)
        for at, folder in parts.items()
        for path, inner in within(folder, outside, repeated[at])
    ]
    # Arrays are side files of images, unless there are only arrays.
    names = {file_name for _, inner in inside for file_name in inner.files}
    beside = {name for name in names if ending_of(name.lower())[1] in ARRAYS}
    beside = beside if any(side_kind(name) is None for name in names - beside) else set()
    links: list[str] = []
    for path, inner in inside:
        prefix = _joined(name, path)
        first = class_of.setdefault(id(inner), prefix)
        if first != prefix:
            layout.shared.append((first, prefix))
        for file_name, file in inner.files.items():
            kind = ending_of(file_name.lower())[1] if file_name in beside else side_kind(file_name)
            if kind:
                side[kind] += 1
                if kind in TABLES and path in parts:
                    layout.inner_tables.append(f"{prefix}/{file_name}")
                continue
            image_id = checked_name(f"{prefix}/{file_name}", layout.where)
            if image_id in layout.files:
                raise PetiteError(
                    f"{layout.where} has two files {image_id!r}, in two spellings of Unicode "
                    "(such as é as one character and as two). Rename one"
                )
            layout.files[image_id] = file
            counts[path] += 1
        links += [_joined(path, link) for link in inner.upward]
    links = [_joined(at, path) for at, paths in repeated.items() for path in paths] + links
    layout.repeated += [_joined(name, path) for path in links]
    if counts:
        layout.folders[name] = counts
        layout.side_files += side
    elif not any("" in paths for paths in repeated.values()):
        layout.empty[name] = side


def _joined(first: str, second: str) -> str:
    """Two paths as one; either may be ""."""
    return f"{first}/{second}" if first and second else first or second


def checked_name(name: str, where: PurePath) -> str:
    """Convert a name to normal form C; raises PetiteError if it is not valid Unicode."""
    if name.isascii():
        return name
    try:
        name.encode()
    except UnicodeEncodeError:
        raise PetiteError(
            f"{where}: the name {name!r} is not valid UTF-8. Rename it and run again"
        ) from None
    return nfc(name)
