"""Signs that the folders of a layout are not classes.

`check_layout` refuses a tree whose folders look like something other than classes, unless the user
names the classes. It goes by the contents of folders more than by their names.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import permutations
from pathlib import PurePath
from shlex import quote

from petite.data.label_signs import spellings
from petite.data.sources.companions import check_masks
from petite.data.sources.layout import IMAGES_WORD, MASK_FOLDER, Layout, ending_of, is_archive
from petite.data.sources.wording import classes_setting, empty_folders, shown
from petite.data.split_names import TRAIN, parts_of, split_word
from petite.data.text_tables import SUFFIXES
from petite.util.errors import PetiteError
from petite.util.formatting import plural

GIVEN = (
    "To use a split of your own, make the folders train and test (and validation, if you want), "
    "with the same class folders in each"
)
MERGE = (
    "Give one of these folders (unpack an archive first), or merge them into one folder per class. "
    f"{GIVEN}"
)
SORT = "make a folder for each label, and move its images there"
RECORDS = (*SUFFIXES, ".jsonl")  # the endings of files that mostly hold a table
STRAYS = 0.05  # share of a class's images that may be next to its folders, such as covers
MOST_LABELS = 1000
WRAPPED = 0.8  # share of all images in a folder around the classes
# Different folders in the chosen ones, for each of these: classes in folders of patients are few.
FEW_CLASSES, FEWER_CLASSES = 1 / 2, 1 / 6

NUMBERED_PART = re.compile(r"(?:(.*)[\W\d_])?(?:fold|split|part|batch|chunk|shard)s?[ _.-]*\d+")
# Folders that several classes may have: p00, sub-01_ses-2, cam1, 001, 2024-05-01. Not the names of
# classes: class_1, the synsets of WordNet (n01440764), numbers of one or two digits.
IDENTIFIER = re.compile(r"[^\W\d_]+[ _.-]*\d+(?:\D+\d+)*|(?=(?:\D*\d){3})[\d _.-]+")
NUMBERED_CLASS = re.compile(
    r"n\d{8}|(?:class|cls|label|type|kind|category|grade|level|stage|score)[ _.-]*\d+",
    re.IGNORECASE,
)
NAME_OF_CAMERA = re.compile(r"(img|dsc[nf]?|dcim|pxl|mvi|gopr|image|photo|frame|scan|file|p|pic)")


def check_layout(layout: Layout, chosen: Sequence[str], named: bool) -> None:
    """Refuse folders that look like something other than classes.

    Parameters
    ----------
    layout : Layout
    chosen : sequence of str
        The classes.
    named : bool
        Whether the user names them, which overrules all signs but one: that two of them are the
        same folder.

    Raises
    ------
    PetiteError
    """
    for first, second in layout.shared:
        if first.split("/")[0] in chosen and second.split("/")[0] in chosen:
            raise PetiteError(
                f"{first} and {second} of {layout.where} are the same folder, by a link, so its "
                f"images would be in two {_classes_or_parts(first, second)}. Remove one of the "
                "links, or list only one of the two in dataset.classes"
            )
    if layout.parts:
        _check_trained(layout, chosen)
    if named:
        return
    lost = {name: why for name, why in layout.dangling.items() if not ending_of(name)[1]}
    if lost:
        links = ", ".join(f"{name} ({why})" for name, why in lost.items())
        raise PetiteError(
            f"{layout.where} has links that cannot be followed: {links}. If they are classes, fix "
            "them or connect the disk of their targets; if not, remove them, or list the classes "
            "to use in dataset.classes"
        )
    # One folder can be neither a split nor a class; another message covers that.
    signs = (
        *(_same_folders, _wrapper, _copy_of_others, _named_as_groups, _named_as_parts),
        *(_named_as_images, _paired_files, _labels_in_one),
    )
    for sign in signs if len(chosen) > 1 else ():
        if found := sign(layout, chosen):
            raise _no_classes(chosen, layout.where, found + _or_a_table(layout))
    if len(chosen) > 1:
        check_masks(layout, chosen)
    inside = len(layout.files)
    if len(chosen) > 1 and len(layout.beside) > inside:
        raise PetiteError(
            f"more images are next to the class folders of {layout.where} ({len(layout.beside)}, "
            f"such as {shown(layout.beside, 3)}) than in them ({inside} in {shown(chosen)}), so "
            "these do not look like the classes. Sort all images into one folder per class. To use "
            "only those in the folders, name the classes: " + classes_setting(chosen)
        )


def _classes_or_parts(first: str, second: str) -> str:
    """What images are twice in that are at two paths of a layout."""
    same_class = first.split("/")[0] == second.split("/")[0]
    return "parts of the given split" if same_class else "classes"


def _check_trained(layout: Layout, chosen: Sequence[str]) -> None:
    """Refuse a given split with classes that have no training images."""
    counts = {name: layout.in_parts(name) for name in chosen}
    lost = [name for name, count in counts.items() if not count[TRAIN]]
    if not lost:
        return
    (train,) = (name for name, part in layout.parts.items() if part == TRAIN)
    trained = [name for name, count in counts.items() if count[TRAIN]]
    alike = [names for names in spellings([*lost, *trained]) if not set(names).isdisjoint(lost)]
    spelled = [repr(name) for names in alike for name in names if counts[name][TRAIN]]
    hint = f" (there is {shown(spelled)}: rename one)" if spelled else ""
    has, them = ("has", "it") if len(lost) == 1 else ("have", "them")
    raise PetiteError(
        f"{shown([repr(name) for name in lost])} of the given split in {layout.where} {has} no "
        f"images in {train}{hint}, so no model can learn {them}. Add training images, or name the "
        "other classes in dataset.classes"
    )


def check_names(chosen: Sequence[str], where: PurePath | str) -> None:
    """Refuse names that look like those of something other than classes.

    Raises
    ------
    PetiteError
    """
    if found := _named_as_parts(Layout(PurePath(where)), chosen):
        raise _no_classes(chosen, where, found)


def _no_classes(chosen: Sequence[str], where: PurePath | str, found: str) -> PetiteError:
    return PetiteError(
        f"the folders of {where} ({shown(chosen)}) do not look like classes: {found}. "
        f"If they are the classes, name them: {classes_setting(chosen)}"
    )


def _same_folders(layout: Layout, chosen: Sequence[str]) -> str | None:
    """The sign of splits, folds, years or sites: each holds the same folders.

    Folders of masks, which `check_masks` handles, and of patients, cameras or days do not count.
    """
    inner = {name: _inner_names(layout.inside(name)) for name in chosen}
    counts = Counter(name for names in inner.values() for name in names)
    common = {name for name, count in counts.items() if count > 1}
    like_classes = {name for name in common if not re.fullmatch(MASK_FOLDER, name)}
    if not all(map(is_identifier, chosen)):  # or those above may be the patients
        like_classes = {name for name in like_classes if not is_identifier(name)}
    alike = [
        name
        for name, names in inner.items()
        if len(names & like_classes) > 1 and 2 * len(names & like_classes) >= len(names)
    ]
    if len(alike) < 2 or 2 * len(alike) < len(chosen):
        return None
    if all(split_word(name)[1] for name in common):
        return None  # cat/train and dog/train: splits in each class, which are merged
    others = [name for name in chosen if name not in alike]
    if others and len(parts_of(alike)) > 1:
        remedy = f"To use {shown(alike)} as the split, move {shown(others)} out of {layout.where}"
    else:
        remedy = MERGE
    return (
        f"{shown(alike)} hold folders of the same names ({shown(sorted(common))}), which look "
        f"like the classes, as in splits, folds, years or sites. {remedy}"
    )


def _wrapper(layout: Layout, chosen: Sequence[str]) -> str | None:
    """The sign of a folder around the classes, or around a split, next to other images.

    It has nearly all images, all in folders in it, and the others have none.
    """
    with_folders = [name for name in chosen if any(layout.inside(name))]
    if len(with_folders) != 1:
        return None
    (name,) = with_folders
    counts, total = layout.inside(name), len(layout.files)
    inner = _inner_names(counts)
    if len(inner) < 2 or counts.total() < WRAPPED * total:
        return None
    deeper = {path.split("/")[1] for path in counts if "/" in path}
    has_classes_in_them = deeper and not any(map(is_identifier, deeper))
    if all(map(is_identifier, inner)) and not has_classes_in_them:  # patients of a class
        return None
    kind = "a split" if len(parts_of(inner)) > 1 else "the classes or a split"
    return (
        f"{name} has {counts.total():,} of {total:,} images, in the folders "
        f"{shown(sorted(inner))}, which look like {kind}. Give {name} itself: {layout.where / name}"
    )


def _copy_of_others(layout: Layout, chosen: Sequence[str]) -> str | None:
    """The sign of what was packed twice: one folder holds folders named as the others."""
    known = set(chosen)
    for name in chosen:
        inside = {path.partition("/")[0] for path in layout.inside(name)}
        again = sorted((inside & known) - {name})
        if len(again) > 1 and 2 * len(again) >= len(inside):
            return (
                f"{name} holds folders of the same names as those next to it ({shown(again)}), "
                f"perhaps a copy of them. Move {name} away, or give it instead: "
                f"{layout.where / name}"
            )
    return None


def _named_as_groups(layout: Layout, chosen: Sequence[str]) -> str | None:
    """The sign of a folder for each patient, camera or day, with that of its class inside."""
    inner = [{path.partition("/")[0] for path in layout.inside(name)} for name in chosen]
    counts = Counter(name for names in inner for name in names)
    few = FEW_CLASSES if all(map(is_identifier, chosen)) else FEWER_CLASSES
    if "" in counts or not 1 < len(counts) <= few * len(chosen) or min(counts.values()) < 2:
        return None
    if any(map(is_identifier, counts)):
        return None
    names = sorted(counts)
    return (
        f"they hold folders of the same names ({shown(names)}), which look like the classes, as "
        "with a folder for each patient, camera or day. Make one folder per class, with these "
        f"folders in it ({names[0]}/{chosen[0]}), and write split: {{groups: subfolder}} to keep "
        "their images together"
    )


def is_identifier(name: str) -> bool:
    """Whether a folder's name is that of a patient, camera, day or part, not of a class."""
    return bool(IDENTIFIER.fullmatch(name)) and not NUMBERED_CLASS.fullmatch(name)


def _inner_names(counts: Counter[str]) -> set[str]:
    """The folders in a class folder, inside single folders that wrap them; may be empty."""
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


def _or_a_table(layout: Layout) -> str:
    """What to do if tables next to the folders or in them have the labels; "" without one."""
    tables = [name for name in layout.tables if name.lower().endswith(RECORDS)]
    inner = [name for name in layout.inner_tables if name.lower().endswith(RECORDS)]
    if tables or not inner:
        return f". {_table_hint(tables)}" if tables else ""
    return f". If {shown(inner, 3)} {plural(len(inner), 'holds', 'hold')} labels, write " + (
        f"labels={quote(inner[0])}"
        if len(inner) == 1
        else "them into one table with a column 'split', and give it: labels=PATH"
    )


def _table_hint(tables: Sequence[str]) -> str:
    ordered = sorted(tables, key=lambda name: not name.lower().endswith(SUFFIXES))
    return f"If {shown(ordered, 3)} holds their labels, write labels={quote(ordered[0])}"


def _named_as_parts(layout: Layout, chosen: Sequence[str]) -> str | None:
    """The sign of splits by name: train and test, cats_train and cats_val, fold_0 and fold_1."""
    parts: dict[str, set[str]] = {}
    for name in chosen:
        rest, word = split_word(name)
        if word:
            parts.setdefault(rest, set()).add(word)
    found = any(len(words) > 1 for words in parts.values())
    if not found and not _are_numbered_parts(chosen):
        return None
    inner = {name: sorted(_inner_names(layout.inside(name))) for name in chosen}
    in_folders = "".join(
        f". {name} holds folders ({shown(names)}), which look like the classes: give {name}"
        for name, names in inner.items()
        if len(names) > 1 and not any(re.fullmatch(MASK_FOLDER, inner) for inner in names)
    )
    labels = sorted({label for name in chosen for label in _labels(_file_names(layout, [name]))})
    in_names = f". The file names seem to have labels ({shown(labels)}): {SORT}" if labels else ""
    return (
        "they are named like splits, and it is not certain that they are one. Give one folder of "
        f"images per class{in_folders}{in_names}. {GIVEN}"
    )


def _are_numbered_parts(names: Sequence[str]) -> bool:
    """Whether names differ by the number of a part only: fold_0 and fold_1, images_part_1 and 2."""
    found = [NUMBERED_PART.fullmatch(name.lower()) for name in names]
    return all(found) and len({match[1] for match in found if match}) == 1


def _named_as_images(layout: Layout, chosen: Sequence[str]) -> str | None:
    """The sign of masks or labels in a folder next to that of the images."""
    named = [name for name in chosen if IMAGES_WORD.fullmatch(name)]
    if not named:
        return None
    others = [name for name in [*chosen, *layout.empty] if name not in named]
    return (
        f"{shown(named)} is a name for images of any class, and {shown(others)} may hold their "
        "masks, their labels or other images. Petite needs one folder of images per class"
    )


def _paired_files(layout: Layout, chosen: Sequence[str]) -> str | None:
    """The sign of masks by file names: those of the images with another suffix or one more word."""
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
                "do. Petite needs one folder of images per class"
            )
    return None


def _by_stem(names: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The word at the end of all names (_mask), and the suffix of each by its stem.

    Names that are only numbers are left out: they are the same in folders of any kind.
    """
    parts = [ending_of(name) for name in names]
    words = {re.sub(r".*\d", "", stem) for stem, _ in parts}
    word = words.pop() if len(words) == 1 else ""
    stems = {stem.removesuffix(word): ending.lower() for stem, ending in parts}
    return word, {stem: ending for stem, ending in stems.items() if not stem.isdecimal()}


def _labels_in_one(layout: Layout, chosen: Sequence[str]) -> str | None:
    """The sign of labels in file names: one folder has several labels, and no other has any."""
    if not 1 < len(chosen) <= 5:
        return None
    names = {name: _file_names(layout, [name]) for name in chosen}
    labeled = [name for name in chosen if _labels(names[name])]
    if len(labeled) != 1 or not all(
        ending_of(file)[0].isdecimal()
        for name in chosen
        if name != labeled[0]
        for file in names[name]
    ):
        return None
    return (
        f"the file names in {labeled[0]} seem to have labels "
        f"({shown(_labels(names[labeled[0]]))}), and other files are only numbered. Make a folder "
        "for each label, move its images there, and omit those without a label"
    )


def _file_names(layout: Layout, classes: Iterable[str]) -> list[str]:
    wanted = set(classes)
    return [
        image_id.rsplit("/", 1)[1]
        for image_id in layout.files
        if image_id.partition("/")[0] in wanted
    ]


def _labels(names: Sequence[str]) -> list[str]:
    """The labels that file names seem to contain (cat.0.jpg, 12_dog.png); may be empty.

    A label is what remains of a name without the numbers at either end. There must be two labels or
    more, without digits, each in two files or more and together in nearly all of them, and none may
    be a word that cameras write.
    """
    counts: Counter[str] = Counter()
    for name in names:
        stem = ending_of(name)[0]
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


def flat_hint(layout: Layout, chosen: Sequence[str], inside: str) -> str:
    """Say what to do about a source without two class folders, by what it holds instead.

    Parameters
    ----------
    layout : Layout
    chosen : sequence of str
        The classes that there are.
    inside : {"folder", "archive"}
        What the source is.
    """
    names = layout.beside + _file_names(layout, chosen)
    hints = []
    if names and all(map(is_archive, names)):
        one = len(names) == 1
        hints.append(
            f"{shown(names, 3)} {'is an archive' if one else 'are archives'} in the {inside}: "
            f"unpack {'it' if one else 'them'}"
        )
    elif labels := _labels(names):
        hints.append(
            f"The names of the {len(names)} images seem to have labels ({shown(labels)}): {SORT}"
        )
    elif layout.beside and not chosen:
        files = (
            f"{len(names)} files are in it without a folder, such as {shown(names, 3)}"
            if len(names) > 1
            else f"Only 1 file is in it: {names[0]}"
        )
        table = "" if layout.tables else ", or give a table of their labels: labels=PATH"
        hints.append(f"{files}. Sort the images into one folder per class{table}")
    if layout.tables:
        hints.append(_table_hint(layout.tables))
    if layout.empty:
        hints.append(f"No images are in {empty_folders(layout, list(layout.empty))}")
    if layout.dangling:
        links = ", ".join(f"{name} ({why})" for name, why in layout.dangling.items())
        hints.append(f"Links that cannot be followed: {links}")
    return "".join(f". {hint}" for hint in hints)
