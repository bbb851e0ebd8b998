"""Splitting images into training, validation and test parts: as given, or stratified by class.

Duplicates stay together, and so do the images of one group if groups are named, so that no test
image is known from training.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from petite.data.annotations import annotated
from petite.data.given_split import (
    AUTO,
    DROP,
    IGNORE,
    LEAK_COLUMNS,
    USE,
    USUAL_TEST,
    USUAL_VALIDATION,
    Leaks,
    find_leaks,
    given_parts,
    names_of,
    refuse_repeats,
)
from petite.data.group_signs import suggestion
from petite.data.groups import (
    ABOUT_COLUMN,
    ABOUT_TIME,
    CAPTURE_TIME,
    COPIES,
    About,
    Named,
    about_pattern,
    bursts,
    check_one_kind,
    found_groups,
    grouped,
    groups_in,
)
from petite.data.split_notices import SmallClass, about_groups, few_test_images, too_small
from petite.data.splits import PARTS, TEST, TRAIN, VALIDATION, why_not_in_split
from petite.util.errors import PetiteError
from petite.util.formatting import counted, listed, plural
from petite.util.notices import Notices
from petite.util.seeds import generator


class Split(NamedTuple):
    """A split, and the images that leak between its parts if it is given.

    Attributes
    ----------
    table : DataFrame
        image_id, label, split and annotations of each image in use, in the order of the index.
    leaks : DataFrame
        See `petite.data.given_split.Leaks`.
    """

    table: pd.DataFrame
    leaks: pd.DataFrame


def split_images(
    index: pd.DataFrame,
    *,
    test: float | str = AUTO,
    validation: float | str = AUTO,
    seed: int,
    groups: str | None = None,
    group_seconds: float = 2,
    given: str = USE,
    leaks: str = DROP,
    is_repeat: bool = False,
    annotations: pd.DataFrame | None = None,
    notices: Notices | None = None,
) -> Split:
    """Split the images in use of a store's index: as the source says, or else at random.

    Parameters
    ----------
    index : DataFrame
        The store's index, see `petite.data.store.Store.index`.
    test, validation : float or "auto"
        Shares of all images, as `make_split` takes them; "auto" is the given part, or else a tenth
        and a twentieth. Without a given validation part, the share is of the training images.
    seed : int
        As `make_split` takes it.
    groups : str, optional
        How the group follows from the name of an image, see `petite.data.groups`. Images of a group
        stay together, as duplicates do. Without it, and without the annotation group, the names are
        searched for signs of groups.
    group_seconds : float
        For groups by time, see `petite.data.groups.bursts`.
    given : {"use", "ignore"}
        Whether the annotation split is used.
    leaks : {"drop_from_train", "keep", "error"}
        See `petite.data.given_split.find_leaks`.
    is_repeat : bool
        Whether it is another split of the same images, for which no split can be given.
    annotations : DataFrame, optional
        image_id of each image and what the source says of it, see `petite.data.annotations`.
    notices : Notices, optional
        Notices about the split are added here.

    Returns
    -------
    Split

    Raises
    ------
    PetiteError
        As `make_split` and `given_parts` do, if no image has the name of a group, for groups from
        two places, and for classes without training images.
    """
    notices = Notices() if notices is None else notices
    used = index[index["status"] == "ok"].reset_index(drop=True)
    table = annotated(used[["image_id", "label"]], annotations)
    images = used.join(table.drop(columns=["image_id", "label"]))
    named = used.drop_duplicates("label").set_index("label")["class_name"]
    classes = {int(label): str(name) for label, name in named.items()}  # type: ignore[call-overload]
    found = _found_groups(images, groups, group_seconds)
    together = None if found is None else grouped(used, found.named, found.about, notices)
    rows = _Rows(
        labels=used["label"].to_numpy(),
        groups=used["copy_group"].to_numpy() if together is None else together.numbers,
        classes=classes,
        group_names=None if together is None else together.names,
    )
    parts = None if given == IGNORE else given_parts(images, test=test, validation=validation)
    is_given = parts is not None
    share = USUAL_VALIDATION if isinstance(validation, str) else validation
    if parts is None:
        of_test = USUAL_TEST if isinstance(test, str) else test
        parts = _divided(rows, {TEST: of_test, VALIDATION: share}, seed)
        found_leaks = Leaks(pd.DataFrame(columns=LEAK_COLUMNS), np.zeros(len(used), bool))
    else:
        if is_repeat:
            refuse_repeats()
        found_leaks = find_leaks(images, parts, together, leaks, notices)
        parts = _completed(images, parts, ~found_leaks.dropped, rows, share, seed, notices)
    kept = ~found_leaks.dropped
    if found is not None:
        in_parts = rows.of(kept)
        setting = found.about.setting
        notices.add(about_groups(parts[kept], in_parts.groups, in_parts.labels, classes, setting))
    elif is_given:
        by_name = images.assign(image_id=_names_for(images, COPIES))
        if sign := suggestion(by_name[kept], seed, parts[kept]):
            notices.add(sign)
    elif sign := suggestion(images.assign(image_id=names_of(images)), seed):
        notices.add(sign)
    if few := few_test_images(rows.labels[parts == TEST], classes, is_given):
        notices.add(few)
    table = table.drop(columns="split", errors="ignore")
    table.insert(2, "split", parts)
    if found is not None:
        names = np.append(found.named.names, "")
        table["group"] = names[found.named.numbers]
    _check_weights(table[kept], classes)
    table = table[kept].reset_index(drop=True)
    if annotations is not None and "keep" in annotations:
        _say_not_kept(annotations, index, table, notices)
    return Split(table, found_leaks.table)


class _Rows(NamedTuple):
    """What dividing images into parts needs of each; see `make_split`."""

    labels: NDArray[np.integer]
    groups: NDArray[np.integer]
    classes: Mapping[int, str] | None
    group_names: NDArray[np.object_] | None

    def of(self, chosen: NDArray[np.bool_]) -> "_Rows":
        """Those of some images."""
        names = None if self.group_names is None else self.group_names[chosen]
        return _Rows(self.labels[chosen], self.groups[chosen], self.classes, names)


def _completed(
    images: pd.DataFrame,
    given: NDArray[np.str_],
    kept: NDArray[np.bool_],
    rows: _Rows,
    share: float,
    seed: int,
    notices: Notices,
) -> NDArray[np.str_]:
    """The given parts, with a share of the training images for validation if no part is given.

    `kept`: which images no leak excludes. Raises PetiteError for classes without training images.
    """
    _check_trained(given, kept, rows.labels, rows.classes or {})
    if share == 0 or VALIDATION in given:
        return given
    parts = given.copy()
    chosen = (given == TRAIN) & kept
    parts[chosen] = _divided(rows.of(chosen), {VALIDATION: share}, seed)
    notices.add(_about_validation(images, parts))
    return parts


class _Found(NamedTuple):
    """The groups of the images, and words about where they come from."""

    named: Named
    about: About


def _found_groups(images: pd.DataFrame, groups: str | None, seconds: float) -> _Found | None:
    """The groups by the annotation group or by the setting `split.groups`; None for none."""
    has_column = "group" in images and images["group"].ne("").any()
    check_one_kind(images, groups)
    if has_column:
        return _Found(groups_in(images["group"]), ABOUT_COLUMN)
    if groups is None:
        return None
    if groups == CAPTURE_TIME:
        return _Found(bursts(images, seconds), ABOUT_TIME)
    return _Found(found_groups(_names_for(images, groups), groups), about_pattern(groups))


def _names_for(images: pd.DataFrame, groups: str) -> pd.Series:
    """The names without the folder of a given split, in which copies may have numbers again."""
    names = names_of(images)
    return images["image_id"] if groups == COPIES and names.duplicated().any() else names


def _check_trained(
    parts: NDArray[np.str_],
    kept: NDArray[np.bool_],
    labels: NDArray[np.integer],
    classes: Mapping[int, str],
) -> None:
    """Raise PetiteError for classes without a training image of the given split."""
    lost = sorted(set(classes) - set(labels[(parts == TRAIN) & kept].tolist()))
    if lost:
        names = [classes[label] for label in lost]
        leaks = int(((parts == TRAIN) & ~kept & np.isin(labels, lost)).sum())
        dropped = (
            f" {counted(leaks, 'training image')} of them {plural(leaks, 'was', 'were')} dropped, "
            "because a copy, or another image of the group, is in another part (split.leaks)."
        )
        raise PetiteError(
            f"{counted(len(lost), 'class', 'classes')} without training images in the given split, "
            f"after files that cannot be read and leaks are left out: {listed(names)}."
            f"{dropped if leaks else ''} Add training images, or name the other classes in "
            "dataset.classes"
        )


def _about_validation(images: pd.DataFrame, parts: NDArray[np.str_]) -> str:
    """The notice about validation images that are drawn from a given training part."""
    count = counted(int((parts == VALIDATION).sum()), "image")
    if TEST in set(images["split"]):
        why = "The given split has no validation part"
    else:
        why = "The given split has no test part, so its validation part is the test set"
    return f"{why}. {count} of train are drawn at random for validation (split.validation)"


def make_split(
    labels: NDArray[np.integer],
    groups: NDArray[np.integer],
    *,
    test: float,
    validation: float,
    seed: int,
    classes: Mapping[int, str] | None = None,
    group_names: NDArray[np.object_] | None = None,
) -> NDArray[np.str_]:
    """Split images at random, stratified by class, without dividing groups.

    Of a class with n images, round(test * n) go to the test part, round(validation * n) to the
    validation part, and the rest to training. Halves are rounded up, and each part gets at least
    one image of each class. A part gets fewer images if the remaining groups are too large for it,
    and more only if it would otherwise have no image of the class. The same arguments give the same
    split, which depends on the order of the rows.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        The class of each image.
    groups : ndarray of int, shape (n,)
        Images with the same number stay together.
    test : float
        Share of all images, above 0.
    validation : float
        Share of all images; 0 for no validation part.
    seed : int
        Seed of the random order in which groups are assigned.
    classes : mapping from int to str, optional
        The name of each label, for error messages.
    group_names : ndarray of str, shape (n,), optional
        The name of each image's group, for error messages. None where groups are duplicates only.

    Returns
    -------
    ndarray of str, shape (n,)
        "train", "validation" or "test".

    Raises
    ------
    PetiteError
        If a class cannot have an image in each part; it names all such classes.

    Examples
    --------
    Images 0 and 1 are duplicates, so they have the same group.

    >>> import numpy as np
    >>> labels = np.repeat([0, 1], 10)
    >>> groups = np.array([0, 0, *range(2, 20)])
    >>> parts = make_split(labels, groups, test=0.2, validation=0.1, seed=0)
    >>> [int((parts == part).sum()) for part in ("train", "validation", "test")]
    [14, 2, 4]
    >>> bool(parts[0] == parts[1])
    True
    """
    rows = _Rows(labels, groups, classes, group_names)
    return _divided(rows, {TEST: test, VALIDATION: validation}, seed)


def _divided(rows: _Rows, shares: Mapping[str, float], seed: int) -> NDArray[np.str_]:
    """The part of each image, see `make_split`, for the shares of parts other than training."""
    _, label_of = np.unique(rows.labels, return_inverse=True)
    _, group_of = np.unique(rows.groups, return_inverse=True)
    sizes = np.bincount(label_of)
    lacking = {
        part: np.array([_images_due(share, size) for size in sizes.tolist()])
        for part, share in shares.items()
        if share > 0
    }
    members = np.split(np.argsort(group_of, kind="stable"), np.cumsum(np.bincount(group_of))[:-1])
    order = generator(seed, "split").permutation(len(members)).tolist()
    parts = np.full(len(members), TRAIN, dtype="<U10")
    for group in order:
        needs = label_of[members[group]]
        for part, lack in lacking.items():
            if _fits(needs, lack):
                np.subtract.at(lack, needs, 1)
                parts[group] = part
                break
    in_class = _groups_in_classes(label_of, group_of)
    for part in [*lacking, TRAIN]:
        _fill_empty(parts, part, in_class, members, label_of, order)
    classes, found = rows.classes, np.unique(rows.labels).tolist()
    names = [classes[label] if classes else str(label) for label in found]
    needed = [part for part in PARTS if part == TRAIN or part in lacking]
    _check_parts(parts[group_of], needed, label_of, group_of, names, rows.group_names)
    return parts[group_of]


def _check_weights(table: pd.DataFrame, classes: Mapping[int, str]) -> None:
    """Raise PetiteError that names the classes whose training images all have the weight 0."""
    if "weight" not in table:
        return
    train = table[table["split"] == TRAIN]
    heaviest = train.groupby("label")["weight"].max()
    without = [classes[label] for label in heaviest.index[heaviest <= 0]]
    if without:
        raise PetiteError(
            f"all training images of {listed(without)} have the weight 0, so nothing is left to "
            "train on: correct the weights"
        )


def _say_not_kept(
    annotations: pd.DataFrame, index: pd.DataFrame, table: pd.DataFrame, notices: Notices
) -> None:
    """Add a notice if the source wants images to be kept that are not in the split."""
    wanted = annotations.loc[annotations["keep"] == "always", "image_id"]
    lost = index[index["image_id"].isin(wanted) & ~index["image_id"].isin(table["image_id"])]
    if len(lost):
        first = lost.iloc[0]
        notices.add(
            f"keep: {counted(len(lost), 'image')} to keep of the table of labels "
            f"{'is' if len(lost) == 1 else 'are'} not in use, such as '{first['image_id']}': "
            f"{why_not_in_split(first)}"
        )


def _images_due(share: float, size: int) -> int:
    return max(1, math.floor(share * size + 0.5 + 1e-9))  # 0.15 * 10 is a little under 1.5


def _fits(needs: NDArray[np.intp], lack: NDArray[np.intp]) -> bool:
    """Whether a part that lacks this many images of each class has room for these."""
    if len(needs) == 1:
        return bool(lack[needs[0]] > 0)
    return bool((np.bincount(needs, minlength=len(lack)) <= lack).all())


def _groups_in_classes(
    label_of: NDArray[np.intp], group_of: NDArray[np.intp]
) -> list[NDArray[np.intp]]:
    """The groups that have images of each class."""
    pairs = np.unique(np.column_stack([label_of, group_of]), axis=0)
    return np.split(pairs[:, 1], np.cumsum(np.bincount(pairs[:, 0]))[:-1])


def _fill_empty(
    parts: NDArray[np.str_],
    part: str,
    in_class: list[NDArray[np.intp]],
    members: list[NDArray[np.intp]],
    label_of: NDArray[np.intp],
    order: list[int],
) -> None:
    """Move a group of each class without one in `part` there: the smallest, the first in `order`.

    From training, if possible. The part that gives it must keep a group of each of its classes.
    """

    def is_spare(group: int) -> bool:
        return all(
            np.count_nonzero(parts[in_class[label]] == parts[group]) > 1
            for label in np.unique(label_of[members[group]])
        )

    place = np.argsort(order)

    def rank(group: int) -> tuple[bool, int, int]:
        return parts[group] != TRAIN, len(members[group]), place[group]

    for groups in in_class:
        if (parts[groups] == part).any():
            continue
        if spare := list(filter(is_spare, groups.tolist())):
            parts[min(spare, key=rank)] = part


def _check_parts(
    parts: NDArray[np.str_],
    needed: list[str],
    label_of: NDArray[np.intp],
    group_of: NDArray[np.intp],
    names: list[str],
    group_names: NDArray[np.object_] | None,
) -> None:
    """Raise PetiteError that names all classes without an image in one of the needed parts."""
    has = {part: np.bincount(label_of[parts == part], minlength=len(names)) > 0 for part in needed}
    small = []
    for label in np.flatnonzero(~np.all(list(has.values()), axis=0)).tolist():
        rows = np.flatnonzero(label_of == label)
        _, first, sizes = np.unique(group_of[rows], return_index=True, return_counts=True)
        largest = np.argsort(-sizes, kind="stable")
        small.append(
            SmallClass(
                name=names[label],
                images=len(rows),
                groups=len(sizes),
                largest=[]
                if group_names is None
                else [f"{group_names[rows[first[at]]]} {sizes[at]}" for at in largest],
                without=[part for part in needed if not has[part][label]],
            )
        )
    if small:
        raise PetiteError(too_small(small, len(names), needed))
