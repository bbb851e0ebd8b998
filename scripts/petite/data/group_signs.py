"""Detect images that seem to belong together in groups that the split does not know.

Images of one patient, animal, video or burst are alike. If they are in both the training and the
test set, the accuracy is too high. Their names often show it: `p00_slice3.png`,
`clip01_frame0001.jpg`.

Names suggest groups in a class if, by a pattern of `PREFIXES` or by `SUFFIX`, most images share
their group with another, and there are at least `FEWEST_GROUPS` groups, none with more than half of
the class. So `cat.0.jpg` suggests none (one group), nor do `IMG_1234.jpg`, `000001.jpg` and
`image (1).jpg`.

Names alone may mislead (breeds, counters), so the perceptual hashes in the index are compared too.
Each image is compared with the next one of its group, and with a random one of another group of
its class. The groups are confirmed if at least `ALIKE` of the pairs within groups are nearer than
all but `CHANCE` of the pairs between groups, by more than chance. Subfolders are mentioned even
without this, because someone made them for a reason, and so are the names of altered copies, which
may be unlike each other, see `petite.data.copies`.
"""

import re
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from petite.data.copies import WAY, copies_by_name, way_of
from petite.data.groups import COPIES, SUBFOLDER, Named, named_groups
from petite.data.split_names import TEST
from petite.util.seeds import generator

MOST = 0.5
FEWEST_GROUPS = 3
CHANCE = 0.05
ALIKE = 0.15
STANDARD_ERRORS = 4
FEWEST_PAIRS = 20
MOST_PAIRS = 100_000
CLASSES_NAMED = 3
# Settings of split.groups from the coarsest to the finest. The first one that is
# confirmed is suggested, because groups that are too large leak nothing.
PREFIXES = (
    SUBFOLDER,
    r"/([^/_.\s-]+)[_.\s-][^/]*$",  # up to the first separator: p00_slice3.png
    r"/([^/_.\s-]+[_.\s-]+[^/_.\s-]+)[_.\s-][^/]*$",  # to the second: patient_07_3.png
    r"/([^/]+)[_.\s-][^/_.\s-]*\.[^/.]*$",  # to the last: 2024_05_01_p3_0001.png
    r"/([A-Za-z]*\d+)[A-Za-z][^/]*$",  # a letter after a number: p00s3.png, 12a.png
)
# The end of a name, slice3_p00.png, is suggested if its groups are more alike than those by a
# prefix: slices at one height may be alike in all patients too.
SUFFIX = r"[_.\s-]([^/_.\s-]+)\.[^/.]*$"

# PREFIX_INDEX_RANDOM: what `save_to_dir` of Keras writes for each copy of the image INDEX.
OF_KERAS = r"^(.+/(?:[^/]*_)?\d+)_\d+\.[^/.]*$"
# Frames and slices are counted, so that their largest numbers are about as large as their groups.
LEAST_RANDOM = 10

# Names that are read for copies by a word or a tool: the first ones of each class.
NAMES_READ = 200_000
# Few copies are enough to be said: a name and its copy's hardly agree by chance.
FEWEST_COPIES = 0.05

# A copy by its number: "(1)".
NUMBERED = re.compile(r"\(\d+\)")


class Sign(NamedTuple):
    """Groups that the names of some classes suggest."""

    setting: str  # for split.groups
    rows: NDArray[np.int64]  # the images in these classes that have a name, (m,)
    named: NDArray[np.int64]  # positions of their groups' names in `names`, (m,)
    names: NDArray[np.object_]
    groups: NDArray[np.int64]  # numbers of the groups, which differ between classes, (m,)


class Likeness(NamedTuple):
    """Shares of near pairs, within groups and between groups of a class."""

    within: float
    between: float


def suggestion(used: pd.DataFrame, seed: int, parts: NDArray[np.str_] | None = None) -> str | None:
    """A notice that says which groups the names suggest and what to set.

    Parameters
    ----------
    used : DataFrame
        Images to split, with image_id, class_name, label, phash and copy_group.
    seed : int
        Seed for the random pairs.
    parts : ndarray of str, shape (n,), optional
        The part of each image in a given split. Then only copies of test images in other parts
        are reported: it may divide other groups on purpose.

    Returns
    -------
    str or None
        None if nothing suggests groups.
    """
    used = used.reset_index(drop=True)
    copies = _any_copies(used)
    if parts is not None:
        divided = copies and copies.divided(parts)
        return divided.notice() if divided else None
    if copies and copies.sign.setting == COPIES:
        return copies.notice()
    found = [
        confirmed
        for settings in (PREFIXES, (SUFFIX,))
        if (confirmed := _first_confirmed(used, settings, seed))
    ]
    if found:
        likeness, sign = max(found, key=lambda one: one[0].within)
        return _notice(used, sign, likeness)
    if copies:
        return copies.notice()
    subfolders = _sign(used, SUBFOLDER)
    return _notice_of_subfolders(used, subfolders) if subfolders else None


def _first_confirmed(
    used: pd.DataFrame, settings: tuple[str, ...], seed: int
) -> tuple[Likeness, Sign] | None:
    """The first of these settings whose groups consist of similar images."""
    for setting in settings:
        sign = _sign(used, setting)
        if sign and _are_transformations(used, sign):
            continue
        likeness = sign and _likeness(used, sign, seed)
        if sign and likeness:
            return likeness, sign
    return None


def _are_transformations(used: pd.DataFrame, sign: Sign) -> bool:
    """Whether the groups are ways to alter images rather than originals: all flips are one.

    Either their names say so, or each of the few groups has a copy of every one of the many names
    that are left without them.
    """
    names = sign.names[np.unique(sign.named)]
    altered = [name for name in names if WAY.search(name) or NUMBERED.fullmatch(name)]
    if len(altered) > MOST * len(names):
        return True
    if sign.setting != SUFFIX:
        return False
    ids = used["image_id"].iloc[sign.rows].str.partition("/")[2]  # without the class
    rests = ids.str.replace(SUFFIX, "", regex=True)
    return len(names) < rests.nunique()


def _sign(used: pd.DataFrame, setting: str) -> Sign | None:
    """The classes in which this setting gives groups, if there are any."""
    return _sign_of(used, named_groups(used["image_id"], setting), setting, MOST)


def _sign_of(used: pd.DataFrame, named: Named, setting: str, least: float) -> Sign | None:
    """The classes in which more than the least share of images is in a group with another."""
    numbers, names = named
    rows = np.flatnonzero(numbers >= 0)
    if not len(rows):
        return None
    _, label_of = np.unique(used["label"].to_numpy(), return_inverse=True)
    pairs = label_of[rows] * len(names) + numbers[rows]
    _, group_of = np.unique(pairs, return_inverse=True)
    sizes = np.bincount(group_of)
    of_class = np.zeros(len(sizes), np.int64)
    of_class[group_of] = label_of[rows]
    images = np.bincount(label_of)
    sharing = np.bincount(of_class, weights=sizes * (sizes > 1), minlength=len(images))
    largest = np.zeros(len(images), np.int64)
    np.maximum.at(largest, of_class, sizes)
    suits = (
        (sharing > least * images)
        & (largest <= MOST * images)
        & (np.bincount(of_class, minlength=len(images)) >= FEWEST_GROUPS)
    )
    here = suits[label_of[rows]]
    if not here.any():
        return None
    return Sign(setting, rows[here], numbers[rows[here]], names, group_of[here])


def _likeness(used: pd.DataFrame, sign: Sign, seed: int) -> Likeness | None:
    """How often images of a group are near; None if it is not clearly above chance."""
    hashes, duplicates, labels = (
        used[column].to_numpy()[sign.rows] for column in ("phash", "copy_group", "label")
    )
    rng = generator(seed, "signs of groups")

    by_group = np.argsort(sign.groups, kind="stable")
    within = np.column_stack([by_group[:-1], by_group[1:]])
    within = within[sign.groups[within[:, 0]] == sign.groups[within[:, 1]]]
    # Duplicates stay together anyway.
    within = within[duplicates[within[:, 0]] != duplicates[within[:, 1]]]
    if len(within) > MOST_PAIRS:
        within = within[rng.choice(len(within), MOST_PAIRS, replace=False)]

    by_class = np.argsort(labels, kind="stable")
    sorted_labels = labels[by_class]
    begins = np.searchsorted(sorted_labels, labels[within[:, 0]])
    ends = np.searchsorted(sorted_labels, labels[within[:, 0]], side="right")
    between = np.column_stack([within[:, 0], by_class[rng.integers(begins, ends)]])
    between = between[sign.groups[between[:, 0]] != sign.groups[between[:, 1]]]
    if min(len(within), len(between)) < FEWEST_PAIRS:
        return None

    near, far = (
        np.bitwise_count(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]]) for pairs in (within, between)
    )
    # The longest distance that is reached by at most CHANCE of the pairs between groups.
    shares = np.cumsum(np.bincount(far)) / len(far)
    distance = int(np.searchsorted(shares, CHANCE, side="right")) - 1
    share = float((near <= distance).mean())
    by_chance = CHANCE + STANDARD_ERRORS * np.sqrt(CHANCE * (1 - CHANCE) / len(near))
    if share < max(ALIKE, by_chance):
        return None
    return Likeness(share, float(shares[distance]))


def _notice(used: pd.DataFrame, sign: Sign, likeness: Likeness) -> str:
    """The notice if names and hashes agree: example, similarity, what to set."""
    shared = np.argmax(np.bincount(sign.groups) > 1)
    members = np.flatnonzero(sign.groups == shared)
    first, second = used["image_id"].iloc[sign.rows[members[:2]]]
    return (
        f"The names suggest that images belong together: {first} and {second} are in "
        f"'{sign.names[sign.named[members[0]]]}', one of {_where(used, sign)}. Images of a group "
        f"look alike ({likeness.within:.0%} of the pairs are nearer than all but "
        f"{likeness.between:.0%} of the pairs of different groups). If a group is one patient, "
        "animal, video or burst, it is in both the training and the test set, and the accuracy "
        "will be too high. To keep groups together, write "
        f"split: {{groups: {_setting(used, sign)}}}"
    )


class _Copies(NamedTuple):
    """Groups of altered copies, among these of the images."""

    images: pd.DataFrame
    sign: Sign

    def notice(self) -> str:
        return _notice_of_copies(self.images, self.sign)

    def divided(self, parts: NDArray[np.str_]) -> "_Copies | None":
        """Those with images in the test part of a split and in another one."""
        sign, is_test = self.sign, parts[self.images.index[self.sign.rows]] == TEST
        groups = np.intersect1d(sign.groups[is_test], sign.groups[~is_test])
        here = np.isin(sign.groups, groups)
        if not here.any():
            return None
        rows, named = sign.rows[here], sign.named[here]
        return _Copies(self.images, Sign(sign.setting, rows, named, sign.names, sign.groups[here]))


def _any_copies(used: pd.DataFrame) -> _Copies | None:
    """Copies by words and tools; those of Keras if the others are without their originals."""
    read = used.groupby("label").head(-(-NAMES_READ // used["label"].nunique()))
    copies = copies_in(read)
    if not (copies and copies.are_there):
        of_keras = _sign(used, OF_KERAS)
        if of_keras and _have_random_numbers(used["image_id"].iloc[of_keras.rows], of_keras):
            return _Copies(used, of_keras)
    return _Copies(read, copies.sign) if copies else None


def _have_random_numbers(ids: pd.Series, sign: Sign) -> bool:
    """Whether names end in the number of an image and a random one: not a date and a time."""
    found = ids.str.extract(r"(\d+)_(\d+)\.[^/.]*$").astype("float64")
    index, numbers = found[0], found[1]
    largest = np.bincount(sign.groups).max()
    is_large = numbers.median() > LEAST_RANDOM * largest
    return bool(is_large and numbers.nunique() > MOST * len(numbers) and index.max() < len(index))


class NamedCopies(NamedTuple):
    """Groups of copies, and whether most of them are beside their originals.

    Attributes
    ----------
    originals : ndarray of object, shape (n,)
        See `petite.data.copies.Copies`.
    """

    originals: NDArray[np.object_]
    sign: Sign
    are_there: bool


def copies_in(used: pd.DataFrame) -> NamedCopies | None:
    """The images whose names say that they were made from others, with these.

    Parameters
    ----------
    used : DataFrame
        image_id and label.
    """
    found = copies_by_name(used["image_id"])
    sure = found.originals[found.is_sure]
    originals = set(sure)
    # Each of few ways to alter has copies of many images; `car_dark_12` has a number of its own.
    if len(set(map(way_of, used["image_id"][found.is_sure], sure))) >= len(originals):
        return None
    every = pd.Series(found.originals)
    numbers, names = pd.factorize(every.where(every.isin(originals)))
    named = Named(numbers, np.asarray(names, dtype=object))
    sign = _sign_of(used, named, COPIES, FEWEST_COPIES)
    if sign is None:
        return None
    return NamedCopies(
        found.originals, sign, bool(found.is_there.sum() > MOST * found.is_sure.sum())
    )


def _notice_of_copies(used: pd.DataFrame, sign: Sign) -> str:
    """The notice about names that copies of one original have."""
    members = np.flatnonzero(sign.groups == np.argmax(np.bincount(sign.groups) > 1))
    first, second = used["image_id"].iloc[sign.rows[members[:2]]]
    setting = COPIES if sign.setting == COPIES else _quoted(sign.setting)
    return (
        f"The names are like those of altered copies of one original: {first} and {second}, of "
        f"{_where(used, sign)}. If so, a test image may have a copy in training, and the "
        "accuracy will be too high. Use the originals alone, or keep them together with "
        f"split: {{groups: {setting}}}. If some are masks or the like, move them out of the class "
        "folders"
    )


def _notice_of_subfolders(used: pd.DataFrame, sign: Sign) -> str:
    """The notice about subfolders whose images are not more alike than others."""
    return (
        "Images are in subfolders of the class folders, such as "
        f"{used['image_id'].iloc[sign.rows[0]]}: {_where(used, sign)}. If a subfolder is one "
        f"patient, animal, video or burst, write split: {{groups: {SUBFOLDER}}} to keep its images "
        "together. Otherwise ignore this."
    )


def _where(used: pd.DataFrame, sign: Sign) -> str:
    """`20 groups in 2 of 3 classes (benign, malignant)`."""
    classes = used["class_name"].iloc[sign.rows].unique()
    named = ", ".join(classes[:CLASSES_NAMED]) + (" ..." if len(classes) > CLASSES_NAMED else "")
    return (
        f"{len(np.unique(sign.named))} groups in {len(classes)} of "
        f"{used['class_name'].nunique()} classes ({named})"
    )


def _setting(used: pd.DataFrame, sign: Sign) -> str:
    r"""The setting as YAML: such as `'/(p\d+)_'` if it fits all names, else the sign's own."""
    if sign.setting == SUBFOLDER:
        return SUBFOLDER
    ids = used["image_id"].iloc[sign.rows]
    names = sign.names[np.unique(sign.named)]
    kinds = {re.sub(r"\d+", r"\\d+", re.escape(name)) for name in names}
    place = re.search(sign.setting, ids.iloc[0])
    if len(kinds) == 1 and place:
        before, after = (re.escape(ids.iloc[0][at]) for at in (place.start(1) - 1, place.end(1)))
        readable = f"{before}({kinds.pop()}){after}"
        numbers, found = named_groups(ids, readable)
        if (numbers >= 0).all() and (found[numbers] == sign.names[sign.named]).all():
            return _quoted(readable)
    return _quoted(sign.setting)


def _quoted(text: str) -> str:
    """A text in YAML's single quotes."""
    return "'" + text.replace("'", "''") + "'"
