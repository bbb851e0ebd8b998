"""The keys `export` and `export_formats`: which subset is written as files, and how."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator

from petite.config.values import as_list
from petite.util.errors import PetiteError

BEST = "best"


Formats = Annotated[
    list[Literal["folder", "zip", "npz", "parquet", "container"]], BeforeValidator(as_list)
]


class Exported(NamedTuple):
    """A subset to export: the label of its entry, maybe in an encoding, its fraction and a seed."""

    method: str
    fraction: float
    seed: int


def exported(
    text: str, runs: Mapping[tuple[str, float], int], others: Sequence[str] = (BEST,)
) -> Exported | None:
    """Find the subset that `export` names.

    Parameters
    ----------
    text : str
        The value of `export`, such as random:0.1:3 or random@64px-webp-q40:0.1.
    runs : mapping from (str, float) to int
        The number of seeds of each label and fraction.
    others : sequence of str
        What may be written instead, for messages.

    Returns
    -------
    Exported or None
        None for the recommended subset, which is known only after all runs.

    Raises
    ------
    PetiteError
        If there is no such subset.
    """
    if text == BEST:
        return None
    found = re.fullmatch(r"([^:]+):([^:]+)(?::(\d+))?", text)
    label, fraction, seed = found.groups() if found else ("", "", None)
    case = next((case for case in runs if case[0] == label and _is(fraction, case[1])), None)
    if case is None:
        known = ", ".join(f"{name}:{number:g}" for name, number in runs)
        instead = "".join(f"{name} or " for name in others)
        raise PetiteError(
            f"Unknown subset '{text}'. Use {instead}one of {known}, with :SEED appended for "
            "another seed than 0"
        )
    if int(seed or 0) >= runs[case]:
        raise PetiteError(
            f"Unknown subset '{text}'. {label}:{case[1]:g} has the seeds 0 to {runs[case] - 1}"
        )
    return Exported(*case, int(seed or 0))


def _is(text: str, number: float) -> bool:
    """Whether a text is this number."""
    try:
        return float(text) == number
    except ValueError:
        return False
