"""From trained models to an answer: how good each method is at each size, and how sure that is.

`runs` reads and checks the tables of the training jobs, `summary` makes a row for each method and
fraction, `statistics` has the intervals and tests, `learning_curve` what random images are worth,
`verdicts` compares, `recommendation` says it in words, `costs` what each subset took.
docs/evidence.md tells how Petite decides.
"""

from petite.evidence.costs import COST_COLUMNS, cost_ledger
from petite.evidence.learning_curve import LearningCurve, random_curve
from petite.evidence.recommendation import (
    Recommendation,
    planned,
    recommend,
    recommendation_page,
)
from petite.evidence.runs import PAIR, REFERENCE, Predictions, collect, ordered, read_csv
from petite.evidence.statistics import ENOUGH_RUNS, mean_interval
from petite.evidence.summary import (
    SUMMARY_COLUMNS,
    markdown_table,
    percent,
    summarize,
    terminal_table,
)
from petite.evidence.verdicts import VERDICT_COLUMNS, compare

__all__ = [
    "COST_COLUMNS",
    "ENOUGH_RUNS",
    "PAIR",
    "REFERENCE",
    "SUMMARY_COLUMNS",
    "VERDICT_COLUMNS",
    "LearningCurve",
    "Predictions",
    "Recommendation",
    "collect",
    "compare",
    "cost_ledger",
    "markdown_table",
    "mean_interval",
    "ordered",
    "percent",
    "planned",
    "random_curve",
    "read_csv",
    "recommend",
    "recommendation_page",
    "summarize",
    "terminal_table",
]
