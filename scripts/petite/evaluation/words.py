"""Numbers, subsets and differences as the answer, the tables and the figures say them."""

import math
from collections.abc import Sequence

import pandas as pd

from petite.evaluation.metrics import IN_WORDS
from petite.evaluation.runs import REFERENCE

# The share that was kept is said beside the fraction that was asked for where it is another by more
# than this part of it.
NOTICEABLE = 0.1


def percent(share: float) -> str:
    """A share as it is spoken: 0.1 -> "10%", 0.025 -> "2.5%"."""
    return f"{100 * share:.4g}%"


def signed(share: float) -> str:
    """Points with a sign; nought has none, so that "-0.0" is never seen."""
    points = round(100 * share, 1)
    return "0.0" if points == 0 else f"{points:+.1f}"


def is_other_share(row: pd.Series) -> bool:
    """Whether the `share` that was kept is noticeably another than the `fraction` asked for."""
    return bool(abs(row["share"] / row["fraction"] - 1) > NOTICEABLE)


def kept(row: pd.Series) -> str:
    """The fraction asked for, and the real share where it is another: "10%", "10% (33%)"."""
    fraction = percent(row["fraction"])
    return f"{fraction} ({_about(row['share'])})" if is_other_share(row) else fraction


def _about(share: float) -> str:
    """A share to two digits: "33%", "4.2%"."""
    return f"{100 * share:.0f}%" if share >= 0.1 else f"{100 * share:.2g}%"


def why_other_share(row: pd.Series) -> str:
    """Why the share that was kept is another than the one asked for."""
    if row["share"] > row["fraction"]:
        return "as each class has at least one"
    return "as the method kept fewer"


def points_of(share: float) -> str:
    """A share as a number of points: 0.01 -> "1 point"."""
    points = f"{100 * share:.3g}"
    return f"{points} point" if points == "1" else f"{points} points"


def bounds(low: float, high: float, level: str, over: str = "") -> str:
    """An interval after a number, or why there is none."""
    if math.isnan(low):
        return ", one seed and so no interval"
    return f", {level} interval{over} {signed(low)} to {signed(high)}"


def seed_counts(pairs: Sequence[int] | pd.Series) -> str:
    """The seeds of comparisons: "7 seeds", "3 to 7 seeds"."""
    low, high = min(pairs), max(pairs)
    if low == high:
        return f"{low} seed" if low == 1 else f"{low} seeds"
    return f"{low} to {high} seeds"


def comparisons(count: int) -> str:
    """The number of comparisons in words."""
    return "1 comparison" if count == 1 else f"{count} comparisons"


def too_few_seeds(pairs: Sequence[int] | pd.Series) -> str:
    """That the seeds are too few for something: "3 seeds are too few"."""
    return f"{seed_counts(pairs)} {'is' if max(pairs) == 1 else 'are'} too few"


def compared_with_random(pairs: Sequence[int] | pd.Series) -> str:
    """The comparisons with random and their seeds, one for each number of pairs."""
    each = " each" if len(pairs) > 1 else ""
    return f"{comparisons(len(pairs))} with random, {seed_counts(pairs)}{each}"


def chosen_by(method: str) -> str:
    """How a method's images were chosen: "at random", "by pca_grid"."""
    return "at random" if method == REFERENCE else f"by {method}"


def subset(row: pd.Series) -> str:
    """A subset: how many images, the share they really are, and how they were chosen."""
    share = percent(row["fraction"])
    if is_other_share(row):
        share = f"{_about(row['share'])}, not {share}, {why_other_share(row)}"
    return f"{row['images']:,} images ({share}) chosen {chosen_by(row['method'])}"


def from_random(row: pd.Series) -> str:
    """The difference from random with its interval."""
    return f"{signed(row['difference'])} points{bounds(row['low'], row['high'], '95%')}"


def from_full(row: pd.Series) -> str:
    """The difference from the full set with its interval, for new images where that is known."""
    if math.isnan(row["full_new_images_low"]):
        low, high, over = row["full_low"], row["full_high"], ""
    else:
        low, high = row["full_new_images_low"], row["full_new_images_high"]
        over = " over seeds and test images"
    return f"{signed(row['full_difference'])} points{bounds(low, high, '90%', over)}"


def metric_of(table: pd.DataFrame) -> str:
    """The metric of a table of verdicts, in words; accuracy where the table is empty."""
    return IN_WORDS["accuracy" if table.empty else str(table["metric"].iloc[0])]
