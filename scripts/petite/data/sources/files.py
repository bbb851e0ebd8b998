"""The files of a source of several files: those of a folder, or of a pattern."""

import math
import re
from collections.abc import Sequence
from glob import glob, has_magic
from itertools import product
from pathlib import Path

from petite.data.sources.layout import is_hidden, natural_order
from petite.util.errors import PetiteError

MOST_FILES = 100_000  # that braces in a path stand for
BRACES = re.compile(r"\{([^{}]*)\}")


def files_at(path: Path, suffixes: Sequence[str]) -> list[Path]:
    """Find the files of a source, in natural order.

    Parameters
    ----------
    path : Path
        A file; a folder, of which all files with the suffixes are taken, also those in folders; or
        a pattern with *, ? and [ ], or braces: {0..9}, {train,test}.
    suffixes : sequence of str
        In small letters.

    Raises
    ------
    PetiteError
        For a file of a list in braces that does not exist.
    """
    if path.is_dir():
        found = [
            file
            for file in path.rglob("*")
            if file.suffix.lower() in suffixes
            and not any(map(is_hidden, file.relative_to(path).parts))
            and file.is_file()
        ]
    elif path.exists():
        found = [path]
    else:
        found = []
        for text in _without_braces(str(path)):
            if has_magic(text):
                names = glob(text)  # noqa: PTH207 - absolute patterns too
                found += [file for file in map(Path, names) if file.is_file()]
            elif Path(text).is_file():
                found.append(Path(text))
            elif text != str(path):
                raise PetiteError(f"{text} does not exist, one of the files of {path}")
    return sorted(found, key=lambda file: natural_order(str(file)))


def _without_braces(text: str) -> list[str]:
    """All names that a pattern with braces stands for."""
    pieces = BRACES.split(text)
    choices = [_choices(piece) if at % 2 else [piece] for at, piece in enumerate(pieces)]
    if math.prod(map(len, choices)) > MOST_FILES:
        raise PetiteError(f"{text} stands for more than {MOST_FILES:,} files. Give their folder")
    return ["".join(chosen) for chosen in product(*choices)]


def _choices(inside: str) -> list[str]:
    """What braces stand for: 8..11 for numbers of the same width, or a list with commas."""
    if match := re.fullmatch(r"(\d{1,9})\.\.(\d{1,9})", inside):
        first, last = int(match[1]), int(match[2])
        # No more than are refused anyway.
        last = min(last, first + MOST_FILES)
        return [f"{number:0{len(match[1])}d}" for number in range(first, last + 1)]
    return inside.split(",") if "," in inside else ["{" + inside + "}"]
