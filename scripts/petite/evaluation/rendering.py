"""A recommendation as text for the terminal, and as a page of Markdown."""

import textwrap
from collections.abc import Sequence

from petite.evaluation.evidence_tables import evidence_tables
from petite.evaluation.recommendation import Recommendation
from petite.evaluation.tables import TERMINAL_COLUMNS, markdown_rows
from petite.evaluation.wording import Wording


def as_text(recommendation: Recommendation) -> str:
    """The answer alone, on lines of at most 100 columns."""
    answer = Wording(recommendation).answer()
    return textwrap.fill(answer, TERMINAL_COLUMNS, break_long_words=False) + "\n"


def as_markdown(recommendation: Recommendation) -> str:
    """The answer and the numbers behind it."""
    wording = Wording(recommendation)
    lines = [
        f"# {recommendation.dataset}: which images to keep, and how sure",
        "",
        " ".join([f"**{wording.headline()}**", *map(str, wording.grounds())]),
        *_section("How sure", wording.how_sure()),
        *_section("What to do next", wording.next_steps()),
    ]
    for table in evidence_tables(wording):
        lines += ["", f"## {table.title}", "", *markdown_rows(table.header, table.rows)]
        lines += ["", table.note]
    lines += _section("What random images give", wording.curve())
    return "\n".join(lines) + "\n"


def _section(title: str, sentences: Sequence[str]) -> list[str]:
    return ["", f"## {title}", "", *(f"- {sentence}" for sentence in sentences)]
