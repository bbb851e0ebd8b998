"""Notices about a layout: which folders were taken for classes, and what was left out."""

import re
from collections import Counter
from collections.abc import Sequence
from shlex import quote

from petite.data.label_signs import spellings
from petite.data.sources.class_signs import is_identifier
from petite.data.sources.companions import note_versions
from petite.data.sources.layout import Layout, natural_order
from petite.data.sources.wording import by_kind, empty_folders, shown
from petite.data.split_names import TEST, TRAIN, VALIDATION, split_word
from petite.data.text_tables import SUFFIXES
from petite.util.formatting import counted, plural
from petite.util.notices import Notices

SELDOM_CLASSES = re.compile(
    r"^_|unlabell?ed|unsup|thumbnail"
    r"|(?<![a-z])(thumbs?|archived?|backups?|trash|deleted|unsorted|duplicates?|te?mp)(?![a-z])"
)


PARTS = TRAIN, VALIDATION, TEST


def note_layout(layout: Layout, chosen: Sequence[str], named: bool, notices: Notices) -> None:
    """Add notices about what was taken for a class and what was left out.

    Parameters
    ----------
    layout : Layout
    chosen : sequence of str
        The classes.
    named : bool
        Whether the user names them.
    notices : Notices
        The notices are added here.
    """
    counts = {name: layout.folders[name].total() for name in chosen}
    if not named:
        parts = "the parts of " if layout.parts else ""
        notices.add(
            f"{len(chosen)} classes, one for each folder in {parts}{layout.where}: "
            + shown([f"{name} ({counted(count, 'file')})" for name, count in counts.items()])
        )
        _note_doubtful(chosen, notices)
        if tables := [name for name in layout.tables if name.lower().endswith(SUFFIXES)]:
            notices.add(
                f"{shown(tables, 3)} next to the class folders {plural(len(tables), 'is', 'are')} "
                f"not read. If it has the labels, write labels={quote(tables[0])}"
            )
    if layout.parts:
        _note_given_split(layout, chosen, notices)
    elif layout.split_lists:
        notices.add(
            f"{shown(layout.split_lists, 4)} may be the lists of a split, and are not read: the "
            "test images are drawn from all. To use that split, write its images into a table with "
            "the columns file, label and split, and give it: labels=PATH"
        )
    inner = [f"{name}/{path}" for name in chosen for path in layout.inside(name) if path]
    if inner:
        notices.add(
            f"{counted(len(inner), 'folder')} in class folders counted as part of their class: "
            f"{shown(inner, 3)}. If these are the classes, put them into one folder"
        )
    _note_shared(layout, chosen, notices)
    note_versions(layout, chosen, notices)
    if layout.side_files:
        notices.add(
            f"{counted(layout.side_files.total(), 'file')} in the class folders left out, because "
            f"their names are not those of images: {by_kind(layout.side_files)}"
        )
    if layout.beside:
        notices.add(
            f"{counted(len(layout.beside), 'file')} next to the class folders left out: "
            f"{shown(layout.beside, 3)}"
        )
    if layout.empty and not named:
        empty = empty_folders(layout, list(layout.empty))
        notices.add(f"Folders without images, not taken for classes: {empty}")
    _note_repeated(layout, notices)


def note_unlabeled(layout: Layout, notices: Notices) -> None:
    """Add notices about what was left out of a folder without labels."""
    if layout.side_files:
        notices.add(
            f"{counted(layout.side_files.total(), 'file')} left out, because their names are not "
            f"those of images: {by_kind(layout.side_files)}"
        )
    _note_repeated(layout, notices)


def _note_repeated(layout: Layout, notices: Notices) -> None:
    if layout.repeated:
        notices.add(
            "links to folders that are read already, or that contain all others, are not followed: "
            f"{shown(layout.repeated)}"
        )


def _note_given_split(layout: Layout, chosen: Sequence[str], notices: Notices) -> None:
    """Add notices about a given split: its parts, and classes that one of them lacks."""
    counts = {name: layout.in_parts(name) for name in chosen}
    parts = [
        f"{counted(sum(count[part] for count in counts.values()), 'file')} for {part} ({folder})"
        for folder, part in sorted(layout.parts.items(), key=lambda item: PARTS.index(item[1]))
    ]
    notices.add(
        f"{layout.where} has a split, which is used as it is: {', '.join(parts)}. To draw "
        "another one from all images, write split: {given: ignore}"
    )
    for folder, part in layout.parts.items():
        if lacking := [name for name, count in counts.items() if not count[part]]:
            notices.add(
                f"{counted(len(lacking), 'class', 'classes')} without images in {folder}: "
                f"{shown(lacking)}. Nothing is said about such classes by the {part} images"
            )


def _note_shared(layout: Layout, chosen: Sequence[str], notices: Notices) -> None:
    """Add a notice about folders of patients, cameras or days that several classes have."""
    counts = Counter(
        name
        for class_name in chosen
        for name in {path.split("/")[0] for path in layout.inside(class_name)}
        if is_identifier(name)
    )
    shared = sorted((name for name, count in counts.items() if count > 1), key=natural_order)
    if shared:
        # Each of the three parts of the split needs a group.
        setting = "subfolder" if len(counts) > 2 else "subfolder, validation: 0"
        notices.add(
            f"{counted(len(shared), 'folder')} of the same name in several classes: "
            f"{shown(shared, 3)}. If each is one patient, animal, camera or day, write "
            f"split: {{groups: {setting}}} to keep its images together"
        )


def _note_doubtful(chosen: Sequence[str], notices: Notices) -> None:
    """Add notices about names that are seldom those of classes."""
    odd = [name for name in chosen if split_word(name)[1] or SELDOM_CLASSES.search(name.lower())]
    if odd:
        notices.add(
            f"the folder {shown(odd)} is taken for a class. If it is not one, list the others in "
            "dataset.classes"
            if len(odd) == 1
            else f"the folders {shown(odd)} are taken for classes. If some are not, list the "
            "others in dataset.classes"
        )
    note_spellings(chosen, "merge their folders", notices)


def note_spellings(classes: Sequence[str], remedy: str, notices: Notices) -> None:
    """Add a notice about classes whose names hardly differ, with what to do if they are one."""
    for names in spellings(classes):
        notices.add(
            f"the classes {', '.join(map(repr, names))} differ only in how they are written. If "
            f"they are one class, {remedy}"
        )
