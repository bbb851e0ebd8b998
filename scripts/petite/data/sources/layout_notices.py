"""What a user should know of a layout: what was taken for a class and why, what was left out."""

import re
from collections import Counter
from collections.abc import Sequence

from petite.data.sources.class_signs import is_identifier, split_word
from petite.data.sources.companions import tell_versions
from petite.data.sources.layout import Layout, natural_order
from petite.data.sources.wording import by_kind, empty_folders, shown
from petite.util.formatting import counted
from petite.util.notices import Notices

SELDOM_CLASSES = re.compile(
    r"^_|unlabell?ed|unsup|thumbnail"
    r"|(?<![a-z])(thumbs?|archived?|backups?|trash|deleted|unsorted|duplicates?|te?mp)(?![a-z])"
)


def tell_layout(layout: Layout, chosen: Sequence[str], named: bool, notices: Notices) -> None:
    """Say in a line each what was taken for a class and why, and what was left out."""
    counts = {name: layout.folders[name].total() for name in chosen}
    if not named:
        notices.add(
            f"{len(chosen)} classes, one for each folder in {layout.where}: "
            + shown([f"{name} ({counted(count, 'file')})" for name, count in counts.items()])
        )
        _tell_doubtful(chosen, notices)
    inner = [f"{name}/{path}" for name in chosen for path in layout.folders[name] if path]
    if inner:
        notices.add(
            f"{counted(len(inner), 'folder')} in class folders counted as part of their class: "
            f"{shown(inner, 3)}. If these are the classes, put them side by side in one folder"
        )
    _tell_shared(layout, chosen, notices)
    tell_versions(layout, chosen, notices)
    if layout.side_files:
        notices.add(
            f"{counted(layout.side_files.total(), 'file')} in the class folders left out, as the "
            f"name says that it is no image: {by_kind(layout.side_files)}"
        )
    if layout.beside:
        notices.add(
            f"{counted(len(layout.beside), 'file')} beside the class folders left out: "
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


def _tell_shared(layout: Layout, chosen: Sequence[str], notices: Notices) -> None:
    """Say which folders of patients, cameras or days several classes have."""
    counts = Counter(
        name
        for class_name in chosen
        for name in {path.split("/")[0] for path in layout.folders[class_name]}
        if is_identifier(name)
    )
    shared = sorted((name for name, count in counts.items() if count > 1), key=natural_order)
    if shared:
        # A group for each part, of which there are three.
        setting = "subfolder" if len(counts) > 2 else "subfolder, validation: 0"
        notices.add(
            f"{counted(len(shared), 'folder')} of the same name in several classes: "
            f"{shown(shared, 3)}. If such a folder is one patient, animal, camera or day, write "
            f"split: {{groups: {setting}}} to keep its images together"
        )


def _tell_doubtful(chosen: Sequence[str], notices: Notices) -> None:
    """Say which classes have names that are seldom those of classes."""
    odd = [name for name in chosen if split_word(name)[1] or SELDOM_CLASSES.search(name.lower())]
    if odd:
        notices.add(
            f"{shown(odd)} is taken for a class by its folder. If it is none, leave it out by "
            "naming the others in dataset.classes"
            if len(odd) == 1
            else f"{shown(odd)} are taken for classes by their folders. Leave out those that are "
            "none by naming the others in dataset.classes"
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
