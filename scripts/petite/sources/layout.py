"""How a tree of files is read as classes of images, and the signs that it is something else.

Folders and archives share this: each builds a tree of `Folder`, links resolved, and `find_layout`
finds the class folders in it. `check_layout` refuses a tree whose folders look like something
other than classes, unless the user names the classes; `tell_layout` says what was found.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import PurePath
from typing import Generic, TypeVar

from petite.errors import PetiteError
from petite.notices import Notices

File = TypeVar("File")

# Folders that systems make, beside those whose names begin with a dot: macOS, network storage,
# Windows, Linux, and tools of programmers.
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
# Files that often lie beside images and are none. What else is no image is found on reading.
TABLES = {".csv", ".tsv", ".xls", ".xlsx", ".json", ".txt"}
TEXTS = {".md", ".rst", ".rtf", ".doc", ".docx", ".pdf", ".htm", ".html", ".log", ".url"}
ANNOTATIONS = {".xml", ".jsonl", ".geojson", ".lst", ".mat", ".xmp", ".aae"}
OF_PROGRAMS = {".yaml", ".yml", ".toml", ".ini", ".cfg", ".db", ".cache", ".md5", ".sha256", ".lnk"}
SIDE_SUFFIXES = TABLES | TEXTS | ANNOTATIONS | OF_PROGRAMS | {".py", ".ipynb"}
SIDE_FILES = {"thumbs.db", "ehthumbs.db", "desktop.ini", "license", "readme", "icon\r"}

MERGE = (
    "Petite makes its own splits: give one of these folders (of an archive: unpack it first), or "
    "merge them into one folder per class"
)
SORT = "make a folder for each label, and move its images there"
SHOWN = 10  # names in a message
STRAYS = 0.05  # of a class's images: no more of them beside its folders count for nothing
MOST_LABELS = 1000

SPLIT_WORD = re.compile(
    r"(?<![a-z])(train(?:ing)?|test(?:ing)?|val(?:id(?:ation)?)?|dev|eval(?:uation)?|holdout)"
    r"(?=sets?|data|images|imgs|[^a-z]|$)"
)
NUMBERED_PART = re.compile(r"(fold|split|part|batch|chunk|shard)s?[ _.-]*\d+")
UNLABELED = re.compile(r"unlabell?ed|unsup")
IMAGES_WORD = re.compile(r"(jpeg|png)?(images?|imgs?|photos?|pictures?|pics)")
NAME_OF_CAMERA = re.compile(r"(img|dsc[nf]?|dcim|pxl|mvi|gopr|image|photo|frame|scan|file|p|pic)")


@dataclass(eq=False)
class Folder(Generic[File]):
    """A folder by the names of what lies in it. A linked one is the folder that the link leads to.

    dangling: links that cannot be followed, with the reason; they are among the files too.
    upward: names of links to folders that hold the whole tree, which are not followed.
    """

    files: dict[str, File] = field(default_factory=dict)
    folders: dict[str, "Folder[File]"] = field(default_factory=dict)
    dangling: dict[str, str] = field(default_factory=dict)
    upward: list[str] = field(default_factory=list)


@dataclass
class Layout(Generic[File]):
    """The classes of a tree, and what was found beside them.

    Names are in Unicode's normal form C, in which two spellings of one name are the same.
    """

    where: PurePath  # the folder that holds the class folders
    files: dict[str, File] = field(default_factory=dict)  # by image id: class/path/name
    # Of each class the folders that hold its images, relative to its own (""), with their number.
    folders: dict[str, Counter[str]] = field(default_factory=dict)
    empty: dict[str, Counter[str]] = field(default_factory=dict)  # their side files by kind
    side_files: Counter[str] = field(default_factory=Counter)  # in class folders, by kind
    beside: list[str] = field(default_factory=list)  # no side files, in none of the class folders
    tables: list[str] = field(default_factory=list)  # beside the class folders
    repeated: list[str] = field(default_factory=list)  # links to a folder that is read already
    shared: list[tuple[str, str]] = field(default_factory=list)  # one folder in two classes
    dangling: dict[str, str] = field(default_factory=dict)  # beside the class folders

    def holding(self, name: str) -> list[str]:
        """The class folders that have a folder of this name, with images in it."""
        return [
            class_name
            for class_name, counts in self.folders.items()
            if any(name in map(nfc, path.split("/")) for path in counts)
        ]


def nfc(name: str) -> str:
    """A name in Unicode's normal form C: macOS writes é as two characters, most others as one."""
    return unicodedata.normalize("NFC", name)


def natural_order(name: str) -> tuple[list[str | tuple[int, str]], str]:
    """A sort key that puts 2.jpg before 10.jpg; names that differ have keys that differ."""
    parts: list[str | tuple[int, str]] = list(re.split(r"([0-9]+)", name))
    for position in range(1, len(parts), 2):
        digits = str(parts[position]).lstrip("0")
        parts[position] = (len(digits), digits)  # compares as the number does, of any length
    return parts, name


def is_hidden(name: str) -> bool:
    """Whether a file or folder is not for users: hidden, or made by a system for itself."""
    return name.startswith(".") or name in SYSTEM_FOLDERS


def side_kind(name: str) -> str | None:
    """The kind of a file that lies beside images and is none, such as ".xml"; None for others."""
    lowered = name.lower()
    suffix = _ending(lowered)[1]
    if suffix in SIDE_SUFFIXES:
        return name if lowered in SIDE_FILES else suffix
    return name.strip() if lowered in SIDE_FILES else None


def _ending(name: str) -> tuple[str, str]:
    """A file name without its ending, and the ending with its dot."""
    stem, dot, ending = name.rpartition(".")
    return (stem, dot + ending) if stem else (name, "")


def find_layout(root: Folder[File], path: PurePath, max_entries: int | None = None) -> Layout[File]:
    """Find the class folders of a tree: those in the first folder that has two or more of them.

    Single folders that wrap the class folders (`PetImages/Cat`) are passed over, whatever their
    number. Each folder is read once for a class, however many links lead to it.

    Raises PetiteError for a name that is not valid Unicode, for two that are one name in two
    spellings of Unicode, and where links make more than `max_entries` images.
    """
    chain = [root]
    while inner := _only_wrapped(chain):
        path /= inner[0]
        chain.append(inner[1])
    layout: Layout[File] = Layout(path)
    for folder in chain:
        for name in folder.files:
            if name in folder.dangling:
                layout.dangling[name] = folder.dangling[name]
            elif (kind := side_kind(name)) is None:
                layout.beside.append(name)
            elif kind in TABLES:
                layout.tables.append(name)
    class_of: dict[int, str] = {}  # the first way to each folder
    for name, folder in sorted(chain[-1].folders.items()):
        _add_class(layout, _checked(name, path), folder, chain, class_of)
        if max_entries and len(layout.files) > max_entries:
            raise PetiteError(
                f"{path} has more than {max_entries} images (dataset.max_entries), as many links "
                "lead to the same folders"
            )
    layout.repeated += chain[-1].upward
    return layout


def _only_wrapped(chain: list[Folder[File]]) -> tuple[str, Folder[File]] | None:
    """The only folder with images in the last of the chain, if it has folders of them in turn."""
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
        side_kind(name) is None for _, inner in _within(folder, outside) for name in inner.files
    )


def _within(
    folder: Folder[File], outside: Sequence[Folder[File]], repeated: list[str] | None = None
) -> Iterator[tuple[str, Folder[File]]]:
    """A folder ("") and all within it by their paths, each once; those of `outside` not at all.

    The paths of links to such a folder are added to `repeated`.
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
    folder: Folder[File],
    outside: list[Folder[File]],
    class_of: dict[int, str],
) -> None:
    """Add the images of a class folder to the layout, or the folder to the empty ones."""
    if name in layout.folders or name in layout.empty:
        raise PetiteError(
            f"{layout.where} has two folders named {name!r}, spelled in two ways of Unicode (such "
            "as é in one character and in two). Merge them, or rename one"
        )
    repeated: list[str] = []
    counts: Counter[str] = Counter()
    side: Counter[str] = Counter()
    for path, inner in _within(folder, outside, repeated):
        prefix = f"{name}/{path}" if path else name
        first = class_of.setdefault(id(inner), prefix)
        if first != prefix:
            layout.shared.append((first, prefix))
        for file_name, file in inner.files.items():
            if kind := side_kind(file_name):
                side[kind] += 1
                continue
            image_id = _checked(f"{prefix}/{file_name}", layout.where)
            if image_id in layout.files:
                raise PetiteError(
                    f"{layout.where} has two files {image_id!r}, spelled in two ways of Unicode "
                    "(such as é in one character and in two). Rename one"
                )
            layout.files[image_id] = file
            counts[path] += 1
        repeated += [f"{path}/{link}" if path else link for link in inner.upward]
    layout.repeated += [f"{name}/{path}" if path else name for path in repeated]
    if counts:
        layout.folders[name] = counts
        layout.side_files += side
    elif "" not in repeated:
        layout.empty[name] = side


def _checked(name: str, where: PurePath) -> str:
    """A name in normal form C; raises PetiteError where it is not valid Unicode."""
    if name.isascii():
        return name
    try:
        name.encode()
    except UnicodeEncodeError:
        raise PetiteError(
            f"{where}: the name of {name!r} is not valid UTF-8. Rename it and run again."
        ) from None
    return nfc(name)


# --- what looks like something other than classes


def check_layout(layout: Layout, chosen: Sequence[str], named: bool) -> None:
    """Raise PetiteError where the folders look like something other than classes.

    chosen: the classes; named: the user names them, which overrules all signs but one, that two of
    them are the same folder.
    """
    for first, second in layout.shared:
        if first.split("/")[0] in chosen and second.split("/")[0] in chosen:
            raise PetiteError(
                f"{first} and {second} of {layout.where} are the same folder, by a link, so its "
                "images would be of two classes. Remove one of the links, or name the classes to "
                "use, without the other, in dataset.classes"
            )
    if named:
        return
    lost = {name: why for name, why in layout.dangling.items() if not _ending(name)[1]}
    if lost:
        links = ", ".join(f"{name} ({why})" for name, why in lost.items())
        raise PetiteError(
            f"{layout.where} has links that cannot be followed: {links}. If they are classes, mend "
            "them or connect the disk that they lead to; if not, remove them, or name the classes "
            "to use in dataset.classes"
        )
    # A folder by itself cannot be a split or a class: that is said with all that is there.
    signs = (_same_folders, _named_as_parts, _named_as_images, _paired_files, _labels_in_one)
    for sign in signs if len(chosen) > 1 else ():
        if found := sign(layout, chosen):
            raise _no_classes(chosen, layout.where, found)
    inside = len(layout.files)
    if len(chosen) > 1 and len(layout.beside) > inside:
        raise PetiteError(
            f"more images lie beside the class folders of {layout.where} ({len(layout.beside)}, "
            f"such as {shown(layout.beside, 3)}) than in them ({inside} in {shown(chosen)}), so "
            "these do not look like the classes. Sort all images into one folder per class. If "
            "only those in the folders are wanted, name the classes: " + _classes_setting(chosen)
        )


def check_names(chosen: Sequence[str], where: PurePath | str) -> None:
    """Raise PetiteError where the names look like those of something other than classes."""
    if found := _named_as_parts(Layout(PurePath(where)), chosen):
        raise _no_classes(chosen, where, found)


def _no_classes(chosen: Sequence[str], where: PurePath | str, found: str) -> PetiteError:
    return PetiteError(
        f"the folders of {where} ({shown(chosen)}) do not look like classes: {found}. "
        f"If they are the classes, name them: {_classes_setting(chosen)}"
    )


def _same_folders(layout: Layout, chosen: Sequence[str]) -> str | None:
    """The sign of given splits, folds, years or sites: the same folders in each of them."""
    inner = {name: _inner_names(layout.folders.get(name, Counter())) for name in chosen}
    counts = Counter(name for names in inner.values() for name in names)
    common = {name for name, count in counts.items() if count > 1}
    alike = [
        name
        for name, names in inner.items()
        if len(names & common) > 1 and 2 * len(names & common) >= len(names)
    ]
    if len(alike) < 2 or 2 * len(alike) < len(chosen):
        return None
    return (
        f"{shown(alike)} hold folders of the same names ({shown(sorted(common))}), which look "
        f"like the classes, as in given splits, folds, years or sites. {MERGE}"
    )


def _inner_names(counts: Counter[str]) -> set[str]:
    """The folders in a class folder, below single ones that wrap them; none for flat ones."""
    by_path = {tuple(path.split("/")) if path else (): count for path, count in counts.items()}
    while by_path:
        shortest, longest = min(by_path), max(by_path)
        depth = next(
            (at for at, (a, b) in enumerate(zip(shortest, longest, strict=False)) if a != b),
            min(len(shortest), len(longest)),
        )
        if shortest[:depth] not in by_path:
            return {path[depth] for path in by_path}
        if by_path.pop(shortest[:depth]) > STRAYS * counts.total():
            return set()
    return set()


def _named_as_parts(layout: Layout, chosen: Sequence[str]) -> str | None:
    """The sign of splits by name: train and test, cats_train and cats_val, fold_0 and fold_1."""
    parts: dict[str, set[str]] = {}
    for name in chosen:
        rest, word = _split_word(name)
        if word:
            parts.setdefault(rest, set()).add(word)
    found = any(len(words) > 1 for words in parts.values())
    if not found and not all(NUMBERED_PART.fullmatch(name.lower()) for name in chosen):
        return None
    inner = {name: sorted(_inner_names(layout.folders.get(name, Counter()))) for name in chosen}
    in_folders = "".join(
        f". {name} holds folders ({shown(names)}), which look like the classes: give it"
        for name, names in inner.items()
        if len(names) > 1
    )
    labels = sorted({label for name in chosen for label in _labels(_file_names(layout, [name]))})
    in_names = f". The file names seem to carry labels ({shown(labels)}): {SORT}" if labels else ""
    return (
        "their names are those of splits. Petite makes its own splits: give one folder of images "
        f"for each class{in_folders}{in_names}"
    )


def _split_word(name: str) -> tuple[str, str]:
    """A name without its word for a split and its number, and that word's first letters."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    match = SPLIT_WORD.search(spaced)
    if not match:
        return spaced, ""
    rest = re.sub(r"sets?|data|images|imgs|[\W\d_]+", "", spaced.replace(match[0], "", 1))
    return rest, match[1][:3]


def _named_as_images(layout: Layout, chosen: Sequence[str]) -> str | None:
    """The sign of masks or labels in a folder beside that of the images."""
    named = [name for name in chosen if IMAGES_WORD.fullmatch(name.lower())]
    if not named:
        return None
    others = [name for name in [*chosen, *layout.empty] if name not in named]
    return (
        f"{shown(named)} is a name for images of any kind, as where {shown(others)} holds their "
        "masks, labels or another part of them. Petite needs a folder of images for each class"
    )


def _paired_files(layout: Layout, chosen: Sequence[str]) -> str | None:
    """The sign of masks by file names: those of the images, with another ending or a word more."""
    if len(chosen) > 5:  # pairs of folders are few
        return None
    names = {name: _by_stem(_file_names(layout, [name])) for name in chosen}
    for one, other in permutations(chosen, 2):
        (word_of_one, stems), (word, others) = names[one], names[other]
        if word_of_one:
            continue
        paired = [stem for stem in stems.keys() & others if word or stems[stem] != others[stem]]
        fewer = min(len(stems), len(others))
        if len(paired) > 2 and len(paired) >= 0.9 * fewer:
            stem = min(paired)
            return (
                f"{one} and {other} hold files of the same names but for the ending "
                f"({stem}{stems[stem]}, {stem}{word}{others[stem]}), as images and their masks "
                "do. Petite needs a folder of images for each class"
            )
    return None


def _by_stem(names: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The word at the end of all names (_mask), and the ending of each by what stands before it.

    Names that are numbers alone are left out: they are the same in folders of any kind.
    """
    parts = [_ending(name) for name in names]
    words = {re.sub(r".*\d", "", stem) for stem, _ in parts}
    word = words.pop() if len(words) == 1 else ""
    stems = {stem.removesuffix(word): ending.lower() for stem, ending in parts}
    return word, {stem: ending for stem, ending in stems.items() if not stem.isdecimal()}


def _labels_in_one(layout: Layout, chosen: Sequence[str]) -> str | None:
    """The sign of labels in file names: one folder has several of them, and no other has any."""
    if not 1 < len(chosen) <= 5:
        return None
    names = {name: _file_names(layout, [name]) for name in chosen}
    labeled = [name for name in chosen if _labels(names[name])]
    if len(labeled) != 1 or not all(
        _ending(file)[0].isdecimal()
        for name in chosen
        if name != labeled[0]
        for file in names[name]
    ):
        return None
    return (
        f"the names of the files in {labeled[0]} seem to carry their labels "
        f"({shown(_labels(names[labeled[0]]))}), and the other files have numbers alone. Make a "
        "folder for each label, move its images there, and leave out those without a label"
    )


def _file_names(layout: Layout, classes: Iterable[str]) -> list[str]:
    wanted = set(classes)
    return [
        image_id.rsplit("/", 1)[1]
        for image_id in layout.files
        if image_id.partition("/")[0] in wanted
    ]


def _labels(names: Sequence[str]) -> list[str]:
    """The labels that file names seem to carry (cat.0.jpg, 12_dog.png), or none.

    They are what is left without the numbers at either end: words without a number, two or more,
    each of two files or more, in nearly all names, and none that cameras write.
    """
    counts: Counter[str] = Counter()
    for name in names:
        stem = _ending(name)[0]
        label = re.sub(r"^[\d\W_]+|[\d\W_]+$", "", stem).lower()
        if label != stem.lower():  # a number is there
            counts[label] += 1
    labels = {
        label: count
        for label, count in counts.items()
        if count > 1 and re.fullmatch(r"\D+", label) and not NAME_OF_CAMERA.fullmatch(label)
    }
    if not 2 <= len(labels) <= MOST_LABELS or sum(labels.values()) < 0.9 * len(names):
        return []
    return sorted(labels)


def flat_hint(layout: Layout, chosen: Sequence[str]) -> str:
    """What to do where there are not two class folders, by what there is instead."""
    names = layout.beside + _file_names(layout, chosen)
    hints = []
    if labels := _labels(names):
        hints.append(
            f"The names of the {len(names)} images seem to carry labels ({shown(labels)}): {SORT}"
        )
    elif layout.beside and not chosen:
        hints.append(
            f"{len(names)} files lie side by side in it, such as {shown(names, 3)}: sort them into "
            "one folder per class"
        )
    if layout.tables:
        hints.append(
            f"If {shown(sorted(layout.tables), 3)} holds labels: tables of labels are not read, so "
            "sort the images into one folder per class by it"
        )
    if layout.empty:
        hints.append(f"No images are in {empty_folders(layout, list(layout.empty))}")
    if layout.dangling:
        links = ", ".join(f"{name} ({why})" for name, why in layout.dangling.items())
        hints.append(f"Links that cannot be followed: {links}")
    return "".join(f". {hint}" for hint in hints)


# --- what the user should know


def tell_layout(layout: Layout, chosen: Sequence[str], named: bool, notices: Notices) -> None:
    """Say in a line each what was taken for a class and why, and what was left out."""
    counts = {name: layout.folders[name].total() for name in chosen}
    if not named:
        notices.add(
            f"{len(chosen)} classes, one for each folder in {layout.where}: "
            + shown([f"{name} ({_counted(count, 'file')})" for name, count in counts.items()])
        )
        _tell_doubtful(chosen, notices)
    inner = [f"{name}/{path}" for name in chosen for path in layout.folders[name] if path]
    if inner:
        notices.add(
            f"{_counted(len(inner), 'folder')} in class folders counted as part of their class: "
            f"{shown(inner, 3)}. If these are the classes, put them side by side in one folder"
        )
    if layout.side_files:
        notices.add(
            f"{_counted(layout.side_files.total(), 'file')} in the class folders left out, as the "
            f"name says that it is no image: {_by_kind(layout.side_files)}"
        )
    if layout.beside:
        notices.add(
            f"{_counted(len(layout.beside), 'file')} beside the class folders left out: "
            f"{shown(layout.beside, 3)}"
        )
    if layout.empty and not named:
        empty = empty_folders(layout, list(layout.empty))
        notices.add(f"no images are in {empty}: not taken for a class")
    if layout.repeated:
        notices.add(
            "links to folders that are read already, or that hold all the others, are not "
            f"followed again: {shown(layout.repeated)}"
        )


def _tell_doubtful(chosen: Sequence[str], notices: Notices) -> None:
    """Say which classes have names that are seldom those of classes."""
    odd = [name for name in chosen if _split_word(name)[1] or UNLABELED.search(name.lower())]
    if odd:
        notices.add(
            f"{shown(odd)} is taken for a class by its folder. If it is none, leave it out by "
            "naming the others in dataset.classes"
        )
    spelled: dict[str, list[str]] = {}
    for name in chosen:
        spelled.setdefault(" ".join(name.casefold().split()), []).append(name)
    for names in spelled.values():
        if len(names) > 1:
            notices.add(
                f"the classes {', '.join(map(repr, names))} differ by capitals or spaces alone. "
                "If they are one class, merge their folders"
            )


def empty_folders(layout: Layout, names: Sequence[str]) -> str:
    """Folders without images in a sentence, each with what is in it."""
    sides = {name: layout.empty[name] for name in names}
    return shown(
        [
            f"{name} ({f'only {_by_kind(side)}' if side else 'empty'})"
            for name, side in sides.items()
        ]
    )


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _by_kind(counts: Counter[str]) -> str:
    return shown([f"{count} {kind}" for kind, count in counts.most_common()])


def _classes_setting(chosen: Sequence[str]) -> str:
    quoted = [json.dumps(name, ensure_ascii=False) for name in chosen[:SHOWN]]
    more = ", ..." if len(chosen) > SHOWN else ""
    return f"dataset.classes: [{', '.join(quoted)}{more}]"


def shown(names: Sequence[str], most: int = SHOWN) -> str:
    """Some names in a sentence: the first of them, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
