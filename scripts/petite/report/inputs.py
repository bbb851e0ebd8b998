"""What the page is made from: the tables, images and subsets of one run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd

from petite.data.sources import Source
from petite.data.splits import training_images
from petite.data.store import Store
from petite.evaluation.metrics import with_measures
from petite.evaluation.recommendation import Recommendation
from petite.evaluation.runs import ordered, read_csv
from petite.util.errors import PetiteError
from petite.util.files import read_json, read_table


class Case(NamedTuple):
    """What was trained: a method at a fraction."""

    method: str
    fraction: float

    @property
    def key(self) -> str:
        """Its name in the page's data."""
        return f"{self.method}:{self.fraction:g}"


class Predictions(NamedTuple):
    """What the models of one training job say of the test images.

    Without the probabilities of all classes, which of a thousand classes would fill the memory.
    """

    case: Case
    image_ids: np.ndarray  # (n,) str
    labels: np.ndarray  # (n,) int
    answers: np.ndarray  # (seeds, n) int, the most probable class
    confidence: np.ndarray  # (seeds, n), its probability
    classes: int

    @classmethod
    def of(
        cls, case: Case, image_ids: np.ndarray, labels: np.ndarray, probabilities: np.ndarray
    ) -> Self:
        """From the probabilities (seeds, n, classes)."""
        answers, confidence = probabilities.argmax(axis=2), probabilities.max(axis=2)
        return cls(case, image_ids, labels.astype(int), answers, confidence, probabilities.shape[2])

    @property
    def confusion(self) -> np.ndarray:
        """How many test images of a class (row) each class was given (column), mean over seeds."""
        counts = np.zeros((self.classes, self.classes))
        for answers in self.answers:
            np.add.at(counts, (self.labels, answers), 1)
        return counts / len(self.answers)


@dataclass(frozen=True)
class Inputs:
    """A finished run.

    tables: files by name: runs.csv, history.csv, summary.csv, verdicts.csv, costs.csv and
        recommendation.json.
    subsets: the chosen images, named METHOD/FRACTION/seed-N.parquet; a selection without chance in
        it has one for all seeds.
    features: (n_train, d), a row for each training image in the order of the split.
    space: what the features are, as the configuration names it.
    source: where the files that were set aside are shown from; None shows none of them.
    config: the whole configuration, as it was checked.
    notices: what steps found out that a reader should know.
    checkout: the folder that Petite runs from, for its commit.
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
        """recommendation.json."""
        return Recommendation.from_json(read_json(self._path("recommendation.json")))

    @cached_property
    def dataset(self) -> str:
        """The name of the data set."""
        return str(self.runs["dataset"].iloc[0])

    @cached_property
    def cases(self) -> list[Case]:
        """All that was trained, in reading order."""
        return [
            Case(str(row.method), float(row.fraction))  # type: ignore[arg-type]
            for row in self.summary.itertuples()
        ]

    @cached_property
    def train(self) -> pd.DataFrame:
        """The training images (image_id, label), in the order of the features."""
        return training_images(self.split)

    @cached_property
    def by_seed(self) -> dict[Case, dict[int, Path]]:
        """For each case the subsets that it has, by the seed of their selection, rising."""
        found: dict[Case, dict[int, Path]] = {}
        for path in sorted(self.subsets, key=_seed):
            found.setdefault(_case(path), {})[_seed(path)] = path
        return found

    @cached_property
    def chosen(self) -> dict[Case, np.ndarray]:
        """For each case with a subset: which images the first one keeps, bool (n_train,)."""
        return {case: self.kept(case, min(seeds)) for case, seeds in self.by_seed.items()}

    def kept(self, case: Case, seed: int) -> np.ndarray:
        """Which training images a subset keeps, bool (n_train,)."""
        return (
            self.train["image_id"].isin(read_table(self.by_seed[case][seed])["origin"]).to_numpy()
        )

    def details(self, case: Case, seed: int | None = None) -> dict[str, Any]:
        """What the selection wrote beside a subset, the first one where no seed is named."""
        seeds = self.by_seed[case]
        return read_json(seeds[min(seeds) if seed is None else seed].with_suffix(".json"))

    @cached_property
    def judged(self) -> list[Predictions]:
        """The predictions of all training jobs.

        Raises PetiteError for jobs that were judged on different test images.
        """
        found = []
        for path in self.predictions:
            with np.load(path) as file:
                found.append(
                    Predictions.of(
                        _case(path), file["image_ids"], file["labels"], file["probabilities"]
                    )
                )
            if not np.array_equal(found[-1].image_ids, found[0].image_ids):
                raise PetiteError(
                    f"{path} and {self.predictions[0]} are about different test images. "
                    "Delete the older one and train again."
                )
        return found

    def _table(self, name: str) -> pd.DataFrame:
        return read_csv(self._path(name))

    def _path(self, name: str) -> Path:
        if name not in self.tables:
            raise PetiteError(f"the page needs {name}: give it among --tables.")
        return Path(self.tables[name])


def _case(path: Path) -> Case:
    """The case of a file that is named METHOD/FRACTION/..."""
    return Case(path.parent.parent.name, float(path.parent.name))


def _seed(path: Path) -> int:
    """The seed of a file that is named seed-N."""
    return int(path.stem.removeprefix("seed-"))
