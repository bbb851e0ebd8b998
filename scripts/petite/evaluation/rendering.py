"""A recommendation as text for the terminal, and as a page of Markdown."""

import textwrap
from collections.abc import Sequence

from petite.evaluation.evidence_tables import evidence_tables
from petite.evaluation.recommendation import Answers, Recommendation
from petite.evaluation.tables import TERMINAL_COLUMNS, markdown_rows
from petite.evaluation.wording import LEDGER, Wording, disagreement
from petite.training.judges import words_of


def as_text(recommendation: Recommendation) -> str:
    """The answer alone, on lines of at most 100 columns."""
    return f"{_filled(Wording(recommendation).answer())}\n"


def as_markdown(recommendation: Recommendation) -> str:
    """The answer and the numbers behind it."""
    return "\n".join([_heading(recommendation), *_of_judge(recommendation)]) + "\n"


def all_as_text(answers: Answers) -> str:
    """The answers of all judges, and whether they agree."""
    if len(answers.judges) == 1:
        return as_text(answers.first)
    paragraphs = [
        f"{words_of(judge)}: {Wording(one).answer()}" for judge, one in answers.judges.items()
    ]
    return "\n\n".join(map(_filled, [*paragraphs, disagreement(answers)])) + "\n"


def all_as_markdown(answers: Answers) -> str:
    """The answers of all judges and the numbers behind them."""
    if len(answers.judges) == 1:
        return as_markdown(answers.first)
    lines = [_heading(answers.first), "", disagreement(answers)]
    for judge, recommendation in answers.judges.items():
        lines += ["", f"## {words_of(judge)}"]
        lines += [line.replace("## ", "### ", 1) for line in _of_judge(recommendation)]
    return "\n".join(lines) + "\n"


def _heading(recommendation: Recommendation) -> str:
    return f"# {recommendation.dataset}: which images to keep, and how sure"


def _filled(text: str) -> str:
    return textwrap.fill(text, TERMINAL_COLUMNS, break_long_words=False)


def _of_judge(recommendation: Recommendation) -> list[str]:
    """The answer of one judge as lines of Markdown."""
    wording = Wording(recommendation)
    lines = [
        "",
        " ".join([f"**{wording.headline()}**", *map(str, wording.grounds())]),
        *_section("How sure", wording.how_sure()),
        *_section("What to do next", wording.next_steps()),
    ]
    if ledger := wording.ledger():
        lines += _section(LEDGER, ledger)
    for table in evidence_tables(wording):
        lines += ["", f"## {table.title}", "", *markdown_rows(table.header, table.rows)]
        lines += ["", table.note]
    return lines + _section("What random images give", wording.curve())


def _section(title: str, sentences: Sequence[str]) -> list[str]:
    return ["", f"## {title}", "", *(f"- {sentence}" for sentence in sentences)]
