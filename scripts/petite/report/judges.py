"""What the other judges say of the same subsets, beside the first one."""

from typing import Any, TypedDict

from petite.evaluation.metrics import compared_metric
from petite.evaluation.wording import disagreement
from petite.report import answer, chart
from petite.report.inputs import Inputs
from petite.report.table import Table, table
from petite.training.judges import words_of


class OtherJudge(TypedDict):
    """The answer, the chart and the table of a judge."""

    name: str
    title: str
    answer: Any
    warnings: list[str]
    charts: list[Any]
    bytes_charts: list[Any]
    metric: str
    table: Table


class Judges(TypedDict):
    """The first judge in words, the others, and whether they agree; empty for a single judge."""

    first: str
    agreement: str
    others: list[OtherJudge]


def judges(inputs: Inputs, tolerance: float | None) -> Judges:
    """The section's values."""
    if len(inputs.judges) == 1:
        return {"first": "", "agreement": "", "others": []}
    others = [_other(inputs.by(judge), tolerance) for judge in inputs.judges[1:]]
    return {
        "first": words_of(inputs.judge),
        "agreement": disagreement(inputs.answers),
        "others": others,
    }


def _other(inputs: Inputs, tolerance: float | None) -> OtherJudge:
    return {
        "name": inputs.judge,
        "title": words_of(inputs.judge),
        "answer": answer.answer(inputs.recommendation),
        "warnings": answer.warnings(inputs),
        "charts": chart.accuracy_charts(inputs, tolerance, inputs.judge),
        "bytes_charts": chart.bytes_charts(inputs, f"bytes-{inputs.judge}"),
        "metric": compared_metric(inputs.summary).words,
        "table": table(inputs),
    }
