"""Messages about unknown names, with the nearest known one."""

import difflib
from collections.abc import Iterable


def unknown(name: str, known: Iterable[str], kind: str) -> str:
    """Say that a name is unknown, and suggest the nearest known one or list all of them.

    Examples
    --------
    >>> unknown("rondom", ["full", "random"], "method")
    "Unknown method 'rondom'. Did you mean 'random'?"
    """
    known = list(known)
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"Did you mean '{nearest[0]}'?" if nearest else f"Use one of: {', '.join(known)}."
    return f"Unknown {kind} '{name}'. {hint}"
