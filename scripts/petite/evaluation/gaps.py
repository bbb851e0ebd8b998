"""What a table lacks: the methods that failed while others were done, in words."""

from collections.abc import Sequence
from dataclasses import dataclass

from petite.evaluation.words import percent

MOST_NAMED = 5


@dataclass(frozen=True)
class Gap:
    """A method and fraction of which not all wanted runs are there.

    failed: the jobs that failed on the way to them; empty where none did, and they did not begin.
    """

    method: str
    fraction: float
    done: int
    wanted: int
    failed: Sequence[str]


def gaps_text(gaps: Sequence[Gap]) -> str:
    """Which methods are missing and how to go on, as plain text; "" where nothing is missing."""
    if not gaps:
        return ""
    named = "; ".join(map(_gap, gaps[:MOST_NAMED]))
    more = f"; and {len(gaps) - MOST_NAMED} more" if len(gaps) > MOST_NAMED else ""
    lost = next((gap.method for gap in gaps if not gap.done), gaps[0].method)
    return (
        f"Incomplete, made of what is done. Missing: {named}{more}. Fix the cause and rerun the "
        f"same command, or switch a method off with no fractions, as in "
        f"methods: {{{lost}: {{fractions: []}}}}."
    )


def _gap(gap: Gap) -> str:
    name = f"{gap.method} at {percent(gap.fraction)}"
    if gap.done:
        name += f" ({gap.done} of {gap.wanted} seeds are done)"
    if not gap.failed:
        return f"{name}, not begun"
    return f"{name}, where {', '.join(gap.failed)} failed"
