"""Numbers, times, sizes and lists as text for people."""

import math
from collections.abc import Sequence

NOTHING = "–"  # in place of a missing number
MINUS = "−"  # in figures and on the page; terminals and Markdown use a hyphen
MOST_NAMED = 10  # names in a message

BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def number(count: float) -> str:
    """Format a whole number with separated thousands.

    Examples
    --------
    >>> number(1700)
    '1,700'
    """
    return f"{count:,.0f}"


def percent(share: float) -> str:
    """Format a share as a percentage, to four digits.

    Examples
    --------
    >>> percent(0.1), percent(0.025)
    ('10%', '2.5%')
    """
    return f"{100 * share:.4g}%"


def rounded_percent(share: float) -> str:
    """Format a share as a percentage, to two digits.

    Examples
    --------
    >>> rounded_percent(1 / 3), rounded_percent(0.0416)
    ('33%', '4.2%')
    """
    return f"{100 * share:.0f}%" if share >= 0.1 else f"{100 * share:.2g}%"


def in_percent(share: float) -> str:
    """Format a share in percent without the sign, for a column whose heading has it.

    Examples
    --------
    >>> in_percent(0.9567)
    '95.7'
    """
    return NOTHING if math.isnan(share) else f"{100 * share:.1f}"


def points(share: float) -> str:
    """Format a size in percentage points.

    Examples
    --------
    >>> points(0.01), points(0.025)
    ('1 point', '2.5 points')
    """
    size = f"{100 * share:.3g}"
    return f"{size} point" if size == "1" else f"{size} points"


def signed(share: float, minus: str = "-") -> str:
    """Format a difference in percentage points with its sign; 0 has none.

    Examples
    --------
    >>> signed(0.012), signed(-0.0001), signed(-0.012)
    ('+1.2', '0.0', '-1.2')
    """
    if math.isnan(share):
        return NOTHING
    value = round(100 * share, 1)
    return "0.0" if value == 0 else f"{value:+.1f}".replace("-", minus)


def bracketed(low: float, high: float) -> str:
    """Format the bounds of a share in percent; empty where they are unknown.

    Examples
    --------
    >>> bracketed(0.9, 0.95)
    '[90.0, 95.0]'
    """
    if math.isnan(low) or math.isnan(high):
        return ""
    return f"[{in_percent(low)}, {in_percent(high)}]"


def signed_bracketed(low: float, high: float, minus: str = "-") -> str:
    """Format the bounds of a difference in percentage points; empty where they are unknown.

    Examples
    --------
    >>> signed_bracketed(-0.01, 0.02)
    '[-1.0, +2.0]'
    """
    if math.isnan(low) or math.isnan(high):
        return ""
    return f"[{signed(low, minus)}, {signed(high, minus)}]"


def probability(p: float | None) -> str:
    """Format a p-value to two digits.

    Examples
    --------
    >>> probability(0.01234), probability(None)
    ('0.012', '–')
    """
    return NOTHING if p is None else f"{p:.2g}"


def plural(count: float, noun: str, several: str | None = None) -> str:
    """Choose the singular or plural of a noun for a number.

    Examples
    --------
    >>> plural(1, "image"), plural(0, "image"), plural(2, "class", "classes")
    ('image', 'images', 'classes')
    """
    return noun if count == 1 else several or f"{noun}s"


def counted(count: int, noun: str, several: str | None = None) -> str:
    """Format a number of things.

    Examples
    --------
    >>> counted(1, "image"), counted(1200, "image"), counted(2, "class", "classes")
    ('1 image', '1,200 images', '2 classes')
    """
    return f"{count:,} {plural(count, noun, several)}"


def listed(names: Sequence[str], most: int = MOST_NAMED) -> str:
    """Join names for a sentence: the first of them, and how many more there are.

    Examples
    --------
    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def seconds(duration: float) -> str:
    """Format seconds without the unit, for a column whose heading has it.

    Examples
    --------
    >>> seconds(2.5), seconds(1234)
    ('2.50', '1,234')
    """
    if math.isnan(duration):
        return NOTHING
    return f"{duration:.2f}" if duration < 10 else f"{duration:,.0f}"


def measured_time(duration: float) -> str:
    """Format a measured time (seconds) to two or three digits.

    Examples
    --------
    >>> measured_time(2.5), measured_time(45), measured_time(300), measured_time(9000)
    ('2.50 s', '45 s', '5 min', '2.5 h')
    """
    if math.isnan(duration):
        return NOTHING
    if 0 < duration < 0.005:
        return "< 0.01 s"
    if duration < 120:
        return f"{seconds(duration)} s"
    return f"{duration / 60:.0f} min" if duration < 7200 else f"{duration / 3600:.1f} h"


def elapsed_time(duration: float) -> str:
    """Format how long something has been running (seconds), for a display that counts up.

    Examples
    --------
    >>> elapsed_time(7.6), elapsed_time(200), elapsed_time(7500)
    ('8 s', '3 min 20 s', '2 h 5 min')
    """
    whole = round(duration)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def rounded_time(duration: float) -> str:
    """Format a forecast (seconds) to two digits or so.

    Examples
    --------
    >>> rounded_time(0.4), rounded_time(7.6), rounded_time(43), rounded_time(203)
    ('1 s', '8 s', '45 s', '3 min 20 s')
    >>> rounded_time(750), rounded_time(15_200), rounded_time(200_000)
    ('12 min', '4 h 10 min', '56 h')
    """
    for below, step in ((10, 1), (60, 5), (600, 10), (3600, 60), (36_000, 600)):
        if duration < below:
            rounded = max(1, round(duration / step)) * step
            break
    else:
        return f"{duration / 3600:,.0f} h"
    hours, minutes, left = rounded // 3600, rounded % 3600 // 60, rounded % 60
    parts = [(hours, "h"), (minutes, "min"), (left, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count)


def megabytes(count: float) -> str:
    """Format bytes in MB (10**6 bytes) without the unit, for a column whose heading has it.

    Examples
    --------
    >>> megabytes(2_560_000), megabytes(1_234_000_000)
    ('2.56', '1,234')
    """
    size = count / BYTES["MB"]
    return f"{size:.2f}" if size < 10 else f"{size:,.0f}"


def bit_size(count: float) -> str:
    """Format bits to three digits, in decimal units.

    Examples
    --------
    >>> bit_size(512), bit_size(19_520)
    ('512 bit', '19.5 Kbit')
    """
    return byte_size(count).replace("B", "bit")


def byte_size(count: float) -> str:
    """Format bytes to three digits, in decimal units.

    Examples
    --------
    >>> byte_size(512), byte_size(1_500_000_000), byte_size(999_600)
    ('512 B', '1.5 GB', '1 MB')
    """
    if math.isnan(count):
        return NOTHING
    if count >= 999.5 * BYTES["TB"]:
        return f"{count / BYTES['TB']:,.0f} TB"
    # 999.6 KB to three digits are 1,000 KB, which is 1 MB.
    for unit in ("TB", "GB", "MB", "KB"):
        if count >= 0.9995 * BYTES[unit]:
            return f"{count / BYTES[unit]:.3g} {unit}"
    return f"{count:.0f} B"
