"""The names that people give to the parts of a split: train, Training, test_set, val2017, dev."""

import re
from collections.abc import Collection

SPLIT_WORD = re.compile(
    r"(?<![a-z])(train(?:ing)?|test(?:ing)?|val(?:id(?:at(?:ion|e))?)?|dev|eval(?:uation)?|holdout)"
    r"(?=sets?|data|images|imgs|[^a-z]|$)"
)
TRAIN, VALIDATION, TEST = "train", "validation", "test"
# By the first letters of the word. `eval` is the test part, or validation next to a test part.
PARTS = {"tra": TRAIN, "val": VALIDATION, "dev": VALIDATION, "tes": TEST, "hol": TEST}


def split_word(name: str) -> tuple[str, str]:
    """Divide a name into its rest and the first letters of its word for a split, or ""."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    match = SPLIT_WORD.search(spaced)
    if not match:
        return spaced, ""
    rest = re.sub(r"sets?|data|images|imgs|[\W\d_]+", "", spaced.replace(match[0], "", 1))
    return rest, match[1][:3]


def part_named(name: str) -> str | None:
    """The part that a name stands for, if it has no other words; None for others.

    Examples
    --------
    >>> part_named("Training"), part_named("test_set"), part_named("seg_test")
    ('train', 'test', None)
    """
    rest, word = split_word(name)
    return None if rest else PARTS.get(word)


def parts_of(names: Collection[str]) -> dict[str, str]:
    """Find the parts of a split that names stand for.

    Parameters
    ----------
    names : collection of str
        Such as ["Training", "val", "test_set"].

    Returns
    -------
    dict of str to str
        For each name `train`, `validation` or `test`. Empty unless each name is that of a part, all
        have the same other words (seg_train, seg_test), all are of different parts, and one is the
        training part.
    """
    words = {name: split_word(name) for name in names}
    if len({rest for rest, _ in words.values()}) > 1 or not all(word for _, word in words.values()):
        return {}
    found = {word for _, word in words.values()}
    evaluation = VALIDATION if found & {"tes", "hol"} else TEST
    parts = {name: PARTS.get(word, evaluation) for name, (_, word) in words.items()}
    if len(set(parts.values())) < len(parts) or TRAIN not in parts.values():
        return {}
    return parts
