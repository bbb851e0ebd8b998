"""Numbers as the page says them."""

import math

from petite.evaluation import percent
from petite.util.names import isolated, shortened

__all__ = [
    "accuracy",
    "bytes_in_words",
    "interval",
    "name",
    "number",
    "percent",
    "points",
    "seconds",
    "within",
]

NOTHING = "–"
LONGEST_NAME = 60  # letters


def number(count: float) -> str:
    """1700 -> "1,700"."""
    return f"{count:,.0f}"


def accuracy(share: float) -> str:
    """0.9567 -> "95.7"."""
    return NOTHING if math.isnan(share) else f"{100 * share:.1f}"


def points(share: float) -> str:
    """A difference in points with its sign; nought has none, so that "-0.0" is never seen."""
    if math.isnan(share):
        return NOTHING
    value = round(100 * share, 1)
    return "0.0" if value == 0 else f"{value:+.1f}".replace("-", "−")


def interval(low: float, high: float, signed: bool = False) -> str:
    """Bounds in brackets; nothing where there are none."""
    if math.isnan(low) or math.isnan(high):
        return ""
    say = points if signed else accuracy
    return f"[{say(low)}, {say(high)}]"


def within(tolerance: float) -> str:
    """How far from the full set is as good: 0.01 -> "within 1 point"."""
    size = f"{100 * tolerance:g}"
    return f"within {size} point{'' if size == '1' else 's'}"


def name(text: str, length: int = LONGEST_NAME) -> str:
    """A name from the user's files within a sentence."""
    return isolated(shortened(text, length))


def seconds(duration: float) -> str:
    """A time in the unit that suits it."""
    if math.isnan(duration):
        return NOTHING
    if 0 < duration < 0.005:
        return "< 0.01 s"
    if duration < 10:
        return f"{duration:.2f} s"
    if duration < 120:
        return f"{duration:.0f} s"
    return f"{duration / 60:.0f} min" if duration < 7200 else f"{duration / 3600:.1f} h"


def bytes_in_words(count: float) -> str:
    """A size in MB (10**6 bytes) or GB."""
    if math.isnan(count):
        return NOTHING
    if count >= 1e9:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.2f} MB" if count < 1e7 else f"{count / 1e6:,.0f} MB"
