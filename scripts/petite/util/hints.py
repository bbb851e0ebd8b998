"""Sentences about names that are unknown, with the nearest known one."""

import difflib
from collections.abc import Iterable


def unknown(name: str, known: Iterable[str], what: str) -> str:
    """`name` is no `what`; and which ones there are."""
    return f"'{name}' is no {what}; {hint(name, known)}"


def hint(name: str, known: Iterable[str]) -> str:
    """The known name that is nearest, or all of them."""
    known = list(known)
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean '{nearest[0]}'?" if nearest else f"there are {', '.join(known)}"
