"""All that a run shows, by judge: runs of several judges are never compared with each other."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from petite.evaluation.chance import AgainstChance, Circumstances
from petite.evaluation.costs import NO_EMBEDDING, Embedding, break_even, cost_ledger
from petite.evaluation.decision import recommend
from petite.evaluation.declared import NOTHING_SEEN, Declared, Plan, Record, next_record
from petite.evaluation.groups import group_numbers, image_groups
from petite.evaluation.learning_curve import random_curves
from petite.evaluation.looks import Looks
from petite.evaluation.metrics import is_unequal, metric_for, test_counts, with_measures
from petite.evaluation.recommendation import Gap, ImageGroups, Recommendation
from petite.evaluation.runs import (
    Predictions,
    collect,
    first_run,
    with_bytes,
    with_bytes_of_originals,
    with_seen,
)
from petite.evaluation.sequential import compare_at_looks
from petite.evaluation.summary import at_their_looks, summarize
from petite.evaluation.tables import markdown_table, terminal_table
from petite.evaluation.uncertainty import Uncertainties
from petite.evaluation.verdicts import compare
from petite.evaluation.wording import gap_sentences
from petite.training.judges import JUDGES, in_words, words_of
from petite.util.encoded_names import ORIGINAL

# Found by their names: with a thousand jobs, a command with all paths would be too long.
PREDICTIONS = ".predictions.npz"
NEXT_TO_RUNS = (".history.csv", PREDICTIONS)


@dataclass(frozen=True)
class Judged:
    """The tables and the recommendation of one judge.

    Attributes
    ----------
    runs, history, summary, verdicts, costs : DataFrame
        The tables of the same names.
    recommendation : Recommendation
    is_unequal : bool
        Whether accuracy says more about some classes than about others.
    record : Record or None
        What the run declared.
    """

    runs: pd.DataFrame
    history: pd.DataFrame
    summary: pd.DataFrame
    verdicts: pd.DataFrame
    costs: pd.DataFrame
    recommendation: Recommendation
    is_unequal: bool
    record: Record | None = None


def by_judge(paths: Sequence[Path]) -> dict[str, list[Path]]:
    """Group the files of runs by judge, in the order of `petite.training.judges.JUDGES`."""
    found: dict[str, list[Path]] = {}
    for path in paths:
        found.setdefault(first_run(path)["judge"], []).append(path)
    places = {name: place for place, name in enumerate(JUDGES)}
    return dict(sorted(found.items(), key=lambda item: places.get(item[0], len(places))))


def evaluate(
    paths: Sequence[Path],
    training_images: int,
    classes: Sequence[str],
    circumstances: Circumstances,
    tolerance: float,
    metric_setting: str,
    gaps: Sequence[Gap] = (),
    groups: pd.Series | None = None,
    looks: Looks | None = None,
    plan: Plan | None = None,
    last: Record | None = None,
    embedding: Embedding = NO_EMBEDDING,
    other_splits: Iterable[pd.DataFrame] = (),
) -> Judged:
    """Make the tables and the recommendation of one judge.

    Parameters
    ----------
    paths : sequence of Path
        The CSV files of its runs; .history.csv and .predictions.npz are next to each.
    training_images : int
        How many there are.
    classes : sequence of str
        Names in the order of their labels.
    circumstances : Circumstances
    tolerance : float
        Share of the metric that may be lost.
    metric_setting : str
        The setting evidence.metric.
    gaps : sequence of Gap
        The missing runs.
    groups : Series of str, optional
        The group of each test image by its id; "" for an image of its own.
    looks : Looks, optional
        When the comparisons were tested; None: once, with all seeds.
    plan : Plan, optional
        What else the run declared; None: nothing is recorded.
    last : Record, optional
        That of the last tables; None if there are none.
    embedding : Embedding
        What embedding the images took.
    other_splits : iterable of DataFrame
        The runs of the judge in each other split.

    Raises
    ------
    PetiteError
        If files are missing or cut, or runs cannot be compared.
    """
    histories, files = ([path.with_suffix(suffix) for path in paths] for suffix in NEXT_TO_RUNS)
    runs, history = collect(paths, histories)
    runs = with_bytes_of_originals(with_measures(runs, training_images))
    counts, predictions = test_counts(runs), Predictions(files)
    metric = metric_for(counts, metric_setting)
    curves = random_curves(runs, metric)
    numbers = None if groups is None else group_numbers(groups, predictions.image_ids())
    shared = (tolerance, curves, predictions, metric, numbers)
    summary = summarize(runs, metric, looks)
    if looks is None:
        verdicts = compare(runs, *shared)
    else:
        verdicts = compare_at_looks(runs, looks, *shared).table
        summary = at_their_looks(summary, verdicts)
    verdicts = with_bytes(with_seen(verdicts, runs), runs)
    chance = AgainstChance(runs, predictions, classes, circumstances, numbers)
    record = None
    if plan:
        declared = Declared(looks=looks, tolerance=tolerance, metric=metric, **plan)
        record = next_record(last, declared)
    recommendation = recommend(
        runs,
        verdicts,
        tolerance,
        curves.get(ORIGINAL),
        chance,
        gaps,
        _image_groups(runs, predictions, numbers),
        looks,
        record.seen if record else NOTHING_SEEN,
        Uncertainties(predictions, runs, metric, tolerance, numbers, looks),
        record.declared.seeds if record else None,
    )
    return Judged(
        runs,
        history,
        with_bytes(with_seen(summary, runs), runs),
        verdicts,
        with_bytes(with_seen(cost_ledger(runs), runs), runs),
        replace(
            recommendation,
            ledger=break_even(runs, recommendation.kept, embedding, other_splits),
        ),
        is_unequal(counts),
        record,
    )


def _image_groups(
    runs: pd.DataFrame, predictions: Predictions, groups: np.ndarray | None
) -> ImageGroups | None:
    """What the groups of test images are worth, by the models of the most images."""
    if groups is None:
        return None
    largest = runs.nlargest(1, "fraction").iloc[0]
    right = predictions.right(str(largest["method"]), float(largest["fraction"]))
    return None if right.empty else image_groups(right.to_numpy(), groups)


def open_cases(
    paths: Sequence[Path],
    looks: Looks,
    tolerance: float,
    metric_setting: str,
    groups: pd.Series | None = None,
    seeds: int | None = None,
) -> list[tuple[str, float]]:
    """List the methods and fractions that need more seeds after a look.

    Parameters
    ----------
    paths, looks, tolerance, metric_setting, groups
        As `evaluate` takes them.
    seeds : int, optional
        The number of seeds of the look; None: of the last one that the runs reach.

    Raises
    ------
    PetiteError
        As `evaluate` does.
    """
    runs, _ = collect(paths, [])  # the tests need no learning curves
    if seeds is not None:
        runs = runs[runs["training_seed"] < seeds]
    predictions = Predictions(path.with_suffix(PREDICTIONS) for path in paths)
    metric = metric_for(test_counts(runs), metric_setting)
    numbers = None if groups is None else group_numbers(groups, predictions.image_ids())
    return compare_at_looks(runs, looks, tolerance, None, predictions, metric, numbers).open


def of_all_judges(judged: Mapping[str, Judged], name: str) -> pd.DataFrame:
    """One table of all judges, with the judge as its first column; `name`: that of the table."""
    tables = []
    for judge, found in judged.items():
        table: pd.DataFrame = getattr(found, name)
        if "judge" not in table:
            table = table.copy()
            table.insert(0, "judge", [judge] * len(table))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def summaries_as_markdown(judged: Mapping[str, Judged], dataset: str) -> str:
    """The summary of each judge as Markdown, and what is missing."""
    pages = []
    for judge, found in judged.items():
        about = dataset if len(judged) == 1 else f"{dataset}, {in_words(judge)}"
        page = markdown_table(found.summary, about)
        missing = " ".join(map(str, gap_sentences(found.recommendation.gaps)))
        pages.append(page + (f"\n**{missing}**\n" if missing else ""))
    return "\n".join(pages)


def summaries_as_text(judged: Mapping[str, Judged]) -> str:
    """The summary of each judge for the terminal."""
    tables = []
    for judge, found in judged.items():
        table = terminal_table(found.summary, balanced=found.is_unequal)
        heading = "" if len(judged) == 1 else f"{words_of(judge)}:\n\n"
        tables.append(heading + table)
    return "\n\n".join(tables)
