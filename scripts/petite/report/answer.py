"""The words of the first screen: the answer, how sure it is, warnings, and the run in numbers."""

from typing import NamedTuple

import pandas as pd

from petite.evaluation.evidence_tables import Table, evidence_tables
from petite.evaluation.metrics import compared_metric
from petite.evaluation.recommendation import Recommendation
from petite.evaluation.sentences import Sentence
from petite.evaluation.statistics import ENOUGH_RUNS
from petite.evaluation.wording import LEDGER, Wording
from petite.report.inputs import Inputs
from petite.report.words import name
from petite.util.encoded_names import encoding_of, method_of
from petite.util.formatting import MINUS, counted, number, plural

IMBALANCE = 1.5  # images of the largest class per image of the smallest
FEW_TEST_IMAGES = 1000
MOST_EXCLUDED = 0.05  # fraction of the files


class Section(NamedTuple):
    """Sentences under a title."""

    title: str
    sentences: list[str]


class Answer(NamedTuple):
    """A recommendation as the templates show it."""

    headline: Sentence
    grounds: list[Sentence]
    beside: list[Section]
    tables: list[Table]
    curve: Section


def answer(recommendation: Recommendation) -> Answer:
    """The recommendation of the run."""
    wording = Wording(recommendation, MINUS, name)
    return Answer(
        headline=wording.headline(),
        grounds=wording.grounds(),
        beside=[
            Section("How sure", wording.how_sure()),
            Section("What to do next", wording.next_steps()),
            *([Section(LEDGER, ledger)] if (ledger := wording.ledger()) else []),
        ],
        tables=list(evidence_tables(wording)),
        curve=Section("What random images give", wording.curve()),
    )


def warnings(inputs: Inputs) -> list[str]:
    """Warnings about the results, each one or two sentences."""
    found = [_few_seeds(inputs.summary), *_about_images(inputs), _small_test(inputs)]
    return [text for text in found if text]


def _few_seeds(summary: pd.DataFrame) -> str:
    few = summary[summary["runs"] < ENOUGH_RUNS]
    if few.empty:
        return ""
    how_many = "All rows" if len(few) == len(summary) else f"{len(few)} of {len(summary)} rows"
    return (
        f"{how_many} of the table have fewer than {ENOUGH_RUNS} seeds, which is too few to show a "
        "difference at the 5% level."
    )


def _about_images(inputs: Inputs) -> list[str]:
    index, metric = inputs.store.index, compared_metric(inputs.summary).words
    counts = inputs.train["label"].value_counts()
    texts = []
    if counts.max() > IMBALANCE * counts.min():
        ends = counts.index[0], counts.index[-1]
        most, least = (name(inputs.store.classes[label]) for label in ends)
        texts.append(
            f"The classes differ in size: {number(counts.max())} training images of {most}, "
            f"{number(counts.min())} of {least}. Accuracy depends more on large classes; balanced "
            f"accuracy weights all classes equally. Runs are compared by {metric}."
        )
    conflicts = int(index["reason"].str.startswith("label conflict").sum())
    if conflicts:
        texts.append(
            f"Duplicates with different labels were excluded ({counted(conflicts, 'file')}). Check "
            "them below and correct their labels."
        )
    excluded = int((index["status"] == "set_aside").sum())
    if excluded > MOST_EXCLUDED * len(index):
        texts.append(
            f"{number(excluded)} of {number(len(index))} files {plural(excluded, 'was', 'were')} "
            "excluded. The results may not hold for such files."
        )
    return texts


def _small_test(inputs: Inputs) -> str:
    count = int((inputs.split["split"] == "test").sum())
    if count >= FEW_TEST_IMAGES:
        return ""
    return (
        f"There are only {number(count)} test images, so one image is {100 / count:.2g} points. On "
        "new images of the same kind, all accuracies may be some points higher or lower."
    )


def facts(inputs: Inputs) -> list[tuple[str, str]]:
    """The run in a few numbers, for the line under the question."""
    runs = inputs.summary["runs"]
    seeds = number(runs.max()) if runs.min() == runs.max() else f"{runs.min()}–{runs.max()}"
    methods = inputs.summary["method"].map(method_of).nunique()
    encodings = inputs.summary["method"].map(encoding_of).nunique()
    return [
        ("training images", number(len(inputs.train))),
        ("test images", number((inputs.split["split"] == "test").sum())),
        ("classes", number(len(inputs.store.classes))),
        ("methods", number(methods)),
        *([("encodings", number(encodings))] if encodings > 1 else []),
        ("seeds each", seeds),
    ]
