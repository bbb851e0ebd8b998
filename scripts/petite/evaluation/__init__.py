"""From trained models to an answer: how good each method is at each size, and how certain that is.

- `runs` reads and checks the tables of the training jobs, and `metrics` computes further metrics.
- `summary` makes a row for each method and fraction, and `tables` formats the rows.
- `statistics` has the intervals and tests over seeds, `new_images` those over test images.
- `learning_curve` fits the accuracy of random subsets by size.
- `verdicts` compares methods, and `chance` tests whether anything was learned.
- `decision` makes a `recommendation` from them, with the `next_steps`.
- `sentences` has the words for each kind of finding, `wording` fills them in, `evidence_tables` has
  the numbers, and `rendering` makes text and Markdown.
- `design` shows before a run what it can detect, and `costs` what each subset costs.

docs/evidence.md explains how Petite decides.
"""

from petite.evaluation.chance import AgainstChance, Chance, Circumstances
from petite.evaluation.costs import COST_COLUMNS, cost_ledger
from petite.evaluation.decision import recommend
from petite.evaluation.design import planned, planned_images
from petite.evaluation.learning_curve import LearningCurve, random_curve
from petite.evaluation.metrics import METRICS, is_unequal, metric_for, test_counts, with_measures
from petite.evaluation.recommendation import Gap, Recommendation
from petite.evaluation.rendering import as_markdown, as_text
from petite.evaluation.runs import PAIR, REFERENCE, Predictions, collect, ordered, read_csv
from petite.evaluation.statistics import ENOUGH_RUNS, mean_interval
from petite.evaluation.summary import SUMMARY_COLUMNS, summarize
from petite.evaluation.tables import markdown_table, terminal_table
from petite.evaluation.verdicts import VERDICT_COLUMNS, compare
from petite.evaluation.wording import gap_sentences

__all__ = [
    "COST_COLUMNS",
    "ENOUGH_RUNS",
    "METRICS",
    "PAIR",
    "REFERENCE",
    "SUMMARY_COLUMNS",
    "VERDICT_COLUMNS",
    "AgainstChance",
    "Chance",
    "Circumstances",
    "Gap",
    "LearningCurve",
    "Predictions",
    "Recommendation",
    "as_markdown",
    "as_text",
    "collect",
    "compare",
    "cost_ledger",
    "gap_sentences",
    "is_unequal",
    "markdown_table",
    "mean_interval",
    "metric_for",
    "ordered",
    "planned",
    "planned_images",
    "random_curve",
    "read_csv",
    "recommend",
    "summarize",
    "terminal_table",
    "test_counts",
    "with_measures",
]
