"""What the report is made from: the tables, images and subsets of one run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd

from petite.data.given_split import LEAK_COLUMNS
from petite.data.sources import Source
from petite.data.splits import training_images
from petite.data.store import Store
from petite.evaluation.metrics import with_measures
from petite.evaluation.recommendation import Answers, Recommendation
from petite.evaluation.runs import of_judge, ordered, read_csv
from petite.subsets.seed_tables import SeedTable, seeds_of
from petite.subsets.synthetic import is_whole
from petite.util.errors import PetiteError
from petite.util.files import read_json

# Seeds whose selected images are shown: enough to see the effect of chance.
MOST_SEEDS = 6


class Case(NamedTuple):
    """A method at a fraction."""

    method: str
    fraction: float

    @property
    def key(self) -> str:
        """Its name in the data of the report."""
        return f"{self.method}:{self.fraction:g}"


class Predictions(NamedTuple):
    """Predictions of one training job on the test images.

    The probabilities of the other classes are dropped: with a thousand classes they would fill the
    memory.

    Attributes
    ----------
    case : Case
    image_ids : ndarray of str, shape (n_images,)
    labels : ndarray of int, shape (n_images,)
    answers : ndarray of int, shape (n_seeds, n_images)
        The most probable class.
    confidence : ndarray of float, shape (n_seeds, n_images)
        The probability of that class.
    classes : int
        Number of classes.
    """

    case: Case
    image_ids: np.ndarray
    labels: np.ndarray
    answers: np.ndarray
    confidence: np.ndarray
    classes: int

    @classmethod
    def of(
        cls, case: Case, image_ids: np.ndarray, labels: np.ndarray, probabilities: np.ndarray
    ) -> Self:
        """From probabilities of shape (n_seeds, n_images, n_classes)."""
        answers, confidence = probabilities.argmax(axis=2), probabilities.max(axis=2)
        return cls(case, image_ids, labels.astype(int), answers, confidence, probabilities.shape[2])

    @property
    def confusion(self) -> np.ndarray:
        """The confusion matrix (true class, predicted class), mean over seeds: images."""
        counts = np.zeros((self.classes, self.classes))
        for answers in self.answers:
            np.add.at(counts, (self.labels, answers), 1)
        return counts / len(self.answers)


@dataclass(frozen=True)
class Inputs:
    """A finished run.

    Attributes
    ----------
    tables : mapping of str to Path
        runs.csv, history.csv, summary.csv, verdicts.csv, costs.csv and recommendation.json, by
        name.
    store : Store
    split : DataFrame
    features : ndarray of float, shape (n_train, n_features)
        A row for each training image in the order of the split.
    subsets : sequence of Path
        The selected images of some seeds, as METHOD/FRACTION/*.parquet. A deterministic selection
        has one seed for all.
    predictions : sequence of Path
        Of each job of a judge, as JUDGE/METHOD/FRACTION/*.npz.
    space : str
        The feature space of `features`.
    source : Source or None
        Where excluded files are read from; None shows none of them.
    config : mapping
        The whole validated configuration.
    checkout : Path or None
        The folder that Petite runs from, for its commit.
    notices : sequence of str
        Facts about the data that the steps noticed.
    leaks : DataFrame
        The images that leak between the parts of a given split; empty for none.
    checks : mapping of str to Path
        The tables and records of the checks, by name: cues.parquet and others.
    embeddings : ndarray of float32, shape (n_train, d), or None
        Of the training images, if the run has them and `features` are others.
    of_judge : str
        The judge whose runs are shown; "": the first one.
    """

    tables: Mapping[str, Path]
    store: Store
    split: pd.DataFrame
    features: np.ndarray
    subsets: Sequence[Path]
    predictions: Sequence[Path]
    space: str = "pixels"
    source: Source | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    checkout: Path | None = None
    notices: Sequence[str] = ()
    leaks: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=LEAK_COLUMNS))
    checks: Mapping[str, Path] = field(default_factory=dict)
    embeddings: np.ndarray | None = None
    of_judge: str = ""

    @cached_property
    def judges(self) -> list[str]:
        """All judges; the first one counts for the export."""
        return list(self.answers.judges)

    @cached_property
    def judge(self) -> str:
        """The judge whose runs are shown."""
        return self.of_judge or self.judges[0]

    def by(self, judge: str) -> "Inputs":
        """The same run as another judge sees it."""
        return replace(self, of_judge=judge)

    @cached_property
    def runs(self) -> pd.DataFrame:
        """runs.csv."""
        return with_measures(self._table("runs.csv"))

    @cached_property
    def history(self) -> pd.DataFrame:
        """history.csv."""
        return self._table("history.csv")

    @cached_property
    def summary(self) -> pd.DataFrame:
        """summary.csv in reading order."""
        return ordered(self._table("summary.csv"))

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        """verdicts.csv."""
        return self._table("verdicts.csv")

    @cached_property
    def costs(self) -> pd.DataFrame:
        """costs.csv."""
        return self._table("costs.csv")

    @cached_property
    def recommendation(self) -> Recommendation:
        """The judge's part of recommendation.json."""
        return self.answers.judges[self.judge]

    @cached_property
    def answers(self) -> Answers:
        """recommendation.json."""
        return Answers.from_json(read_json(self._path("recommendation.json")))

    @cached_property
    def dataset(self) -> str:
        """The name of the data set."""
        return str(self.runs["dataset"].iloc[0])

    @cached_property
    def cases(self) -> list[Case]:
        """All cases that were trained, in reading order."""
        return [
            Case(str(row.method), float(row.fraction))  # type: ignore[arg-type]
            for row in self.summary.itertuples()
        ]

    @cached_property
    def train(self) -> pd.DataFrame:
        """The training images (image_id, label), in the order of the features."""
        return training_images(self.split)

    @cached_property
    def by_seed(self) -> dict[Case, dict[int, SeedTable]]:
        """The subsets of each case by selection seed, ascending: the first `MOST_SEEDS`."""
        found: dict[Case, dict[int, SeedTable]] = {}
        for path in self.subsets:
            own = found.setdefault(_case(path), {})
            own |= {seed: SeedTable(path, seed) for seed in seeds_of(path)}
        return {case: dict(sorted(own.items())[:MOST_SEEDS]) for case, own in found.items()}

    @cached_property
    def chosen(self) -> dict[Case, np.ndarray]:
        """For each case with a subset: whether the first one keeps an image, bool (n_train,)."""
        return {case: self.kept(case, min(seeds)) for case, seeds in self.by_seed.items()}

    def kept(self, case: Case, seed: int) -> np.ndarray:
        """Whether a subset keeps each training image, bool (n_train,), or a transformed copy."""
        table = self.by_seed[case][seed].read()
        kept = table.loc[~table["recipe"].map(is_whole), "origin"]
        return self.train["image_id"].isin(kept).to_numpy()

    def details(self, case: Case, seed: int | None = None) -> dict[str, Any]:
        """The record of a subset; of the first one without a seed."""
        seeds = self.by_seed[case]
        record: dict[str, Any] = seeds[min(seeds) if seed is None else seed].record()
        return record

    @cached_property
    def judged(self) -> list[Predictions]:
        """The predictions of all training jobs.

        Raises
        ------
        PetiteError
            Jobs were evaluated on different test images.
        """
        found: list[Predictions] = []
        own = [path for path in self.predictions if path.parents[2].name == self.judge]
        for path in own:
            with np.load(path) as file:
                found.append(
                    Predictions.of(
                        _case(path), file["image_ids"], file["labels"], file["probabilities"]
                    )
                )
            if not np.array_equal(found[-1].image_ids, found[0].image_ids):
                raise PetiteError(
                    f"{path} and {own[0]} have different test images. "
                    "Delete the older file and rerun."
                )
        return found

    def _table(self, name: str) -> pd.DataFrame:
        return of_judge(read_csv(self._path(name)), self.judge)

    def _path(self, name: str) -> Path:
        if name not in self.tables:
            raise PetiteError(f"the report needs {name}: add it to --tables.")
        return Path(self.tables[name])


def _case(path: Path) -> Case:
    """The case of a file that is named METHOD/FRACTION/..."""
    return Case(path.parent.parent.name, float(path.parent.name))
