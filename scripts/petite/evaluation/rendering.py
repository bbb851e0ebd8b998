"""A recommendation as text for the terminal, and as a page of Markdown."""

import textwrap
from collections.abc import Sequence

from petite.evaluation.evidence_tables import evidence_tables
from petite.evaluation.recommendation import Answers, Recommendation
from petite.evaluation.tables import TERMINAL_COLUMNS, markdown_rows
from petite.evaluation.wording import Wording, disagreement
from petite.training.judges import words_of


def as_text(answers: Answers) -> str:
    """The answers alone, on lines of at most 100 columns."""
    paragraphs = [Wording(one).answer() for one in answers.judges.values()]
    if len(paragraphs) > 1:
        paragraphs = [
            f"{words_of(judge)}: {text}"
            for judge, text in zip(answers.judges, paragraphs, strict=True)
        ]
        paragraphs.append(disagreement(answers))
    filled = (textwrap.fill(text, TERMINAL_COLUMNS, break_long_words=False) for text in paragraphs)
    return "\n\n".join(filled) + "\n"


def as_markdown(answers: Answers) -> str:
    """The answers and the numbers behind them."""
    lines = [f"# {answers.first.dataset}: which images to keep, and how sure"]
    if len(answers.judges) == 1:
        return "\n".join([*lines, *_of_judge(answers.first)]) + "\n"
    lines += ["", disagreement(answers)]
    for judge, recommendation in answers.judges.items():
        below = _of_judge(recommendation)
        lines += ["", f"## {words_of(judge)}", *(line.replace("## ", "### ", 1) for line in below)]
    return "\n".join(lines) + "\n"


def _of_judge(recommendation: Recommendation) -> list[str]:
    """The answer of one judge as lines of Markdown."""
    wording = Wording(recommendation)
    lines = [
        "",
        " ".join([f"**{wording.headline()}**", *map(str, wording.grounds())]),
        *_section("How sure", wording.how_sure()),
        *_section("What to do next", wording.next_steps()),
    ]
    for table in evidence_tables(wording):
        lines += ["", f"## {table.title}", "", *markdown_rows(table.header, table.rows)]
        lines += ["", table.note]
    return lines + _section("What random images give", wording.curve())


def _section(title: str, sentences: Sequence[str]) -> list[str]:
    return ["", f"## {title}", "", *(f"- {sentence}" for sentence in sentences)]
