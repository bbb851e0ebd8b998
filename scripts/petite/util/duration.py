"""Lengths of time as people write them."""

import math
import re

from petite.util.errors import PetiteError
from petite.util.formatting import rounded_time

# Seconds of each unit, the longest first.
UNITS = {"d": 86_400, "h": 3_600, "min": 60, "s": 1}
# What people write for them.
NAMES = {
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "min"),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
}
PART = r"(\d+(?:\.\d+)?)\s*([a-z]+)"
ORDER = list(UNITS)
# Times below the first of each are rounded to the second, in seconds.
STEPS = ((600, 10), (3_600, 60), (36_000, 600))


def parse(text: str) -> float:
    """Convert a time as people write it to seconds.

    Parameters
    ----------
    text : str
        Numbers with their units, the longest unit first.

    Returns
    -------
    float

    Raises
    ------
    PetiteError
        When the text is not such a time, or no time at all.

    Examples
    --------
    >>> parse("30 min"), parse("1.5h"), parse("1 h 30 min")
    (1800.0, 5400.0, 5400.0)
    """
    words = text.strip().lower()
    parts = [(float(n), NAMES.get(unit)) for n, unit in re.findall(PART, words, re.ASCII)]
    units = [unit for _, unit in parts if unit]
    is_complete = re.fullmatch(rf"(?:{PART}\s*)+", words, re.ASCII) and len(units) == len(parts)
    seconds = sum(number * UNITS[unit] for number, unit in parts if unit)
    is_in_order = units == sorted(set(units), key=ORDER.index)
    if not is_complete or not is_in_order or not 0 < seconds < math.inf:
        raise PetiteError(
            f"'{text}' is not a length of time: write for example 90 s, 30 min or 1 h 30 min"
        )
    return seconds


def at_least(seconds: float) -> str:
    """Format a time that suffices: rounded up, as `parse` reads it.

    Examples
    --------
    >>> at_least(203), at_least(750), at_least(15_200)
    ('3 min 30 s', '13 min', '4 h 20 min')
    """
    step = next((step for below, step in STEPS if seconds < below), UNITS["h"])
    return rounded_time(math.ceil(seconds / step) * step).replace(",", "")
