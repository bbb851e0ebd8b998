"""Read the results of a finished run in Python: tables, the recommendation, subsets, the report.

results = load("results/photos")
results.summary.query("fraction == 0.1")
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

try:
    import pandas as pd
    import pyarrow  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"petite.results needs {error.name}. Run `pip install '.[results]'` in Petite's folder.",
        name=error.name,
    ) from None

from petite.evaluation.recommendation import Answers, Recommendation
from petite.subsets.seed_tables import SeedTable, seeds_of
from petite.training.judges import judge_named
from petite.util.encoded_names import method_of
from petite.util.errors import PetiteError
from petite.util.files import read_json, read_table
from petite.util.formatting import listed
from petite.util.hints import unknown

__all__ = ["Results", "load"]

TABLES = ("summary", "runs", "verdicts", "costs", "history")
NEEDED = (*(f"{table}.parquet" for table in TABLES), "recommendation.json")
# A run makes these first.
BEGUN = ("source.json", "store")
# Whole numbers that are missing in some rows.
NUMBERS_OF_LOOKS = ("look", "full_look")


def load(folder: str | Path) -> "Results":
    """Read the results of a finished run.

    Files are read when they are first used.

    Parameters
    ----------
    folder : str or Path
        results/NAME, where NAME is the `dataset.name` of the run.

    Returns
    -------
    Results

    Raises
    ------
    PetiteError
        If the folder does not exist, is not a result of Petite, or its run is not finished.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise PetiteError(f"There is no folder '{folder}'. Pass a folder such as results/NAME.")
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if not missing:
        return Results(folder)
    if len(missing) < len(NEEDED) or any((folder / name).exists() for name in BEGUN):
        raise PetiteError(
            f"The run of '{folder}' is not finished: {missing[0]} is missing. Start its snakemake "
            "command again."
        )
    inside = sorted(path.parent.name for path in folder.glob(f"*/{NEEDED[-1]}"))
    hint = f" Pass one of its folders: {', '.join(inside)}." if inside else ""
    raise PetiteError(f"'{folder}' is not a result of Petite, which has {NEEDED[-1]}.{hint}")


@dataclass(frozen=True)
class Results:
    """The results of a finished run.

    In all tables, `judge`, `method` and other names are text. Shares such as `fraction` and
    accuracies are 0 to 1, times are seconds, and sizes are bytes.

    Attributes
    ----------
    folder : Path
    """

    folder: Path

    @cached_property
    def summary(self) -> pd.DataFrame:
        """A row for each judge, method and fraction: means and intervals over the runs."""
        return self._table("summary")

    @cached_property
    def runs(self) -> pd.DataFrame:
        """A row for each trained model."""
        return self._table("runs")

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        """The comparisons with random and with the full set, with their tests."""
        return self._table("verdicts")

    @cached_property
    def costs(self) -> pd.DataFrame:
        """The time, memory and storage of each judge, method and fraction."""
        return self._table("costs")

    @cached_property
    def history(self) -> pd.DataFrame:
        """The learning curves: a row for each evaluation during a training.

        Without rows for judges that have no learning curves.
        """
        return self._table("history")

    @property
    def recommendation(self) -> Recommendation:
        """The recommendation of the first judge."""
        return self.recommendations[self.judges[0]]

    @cached_property
    def recommendations(self) -> dict[str, Recommendation]:
        """The recommendations of all judges by name."""
        return dict(Answers.from_json(read_json(self.folder / "recommendation.json")).judges)

    @property
    def judges(self) -> list[str]:
        """The names of the judges."""
        return list(self.recommendations)

    @cached_property
    def report(self) -> dict[str, Any]:
        """The contents of report.json: what the page report.html shows.

        Raises
        ------
        PetiteError
            If the run has no report.json.
        """
        path = self.folder / "report.json"
        if not path.is_file():
            raise PetiteError(f"'{path}' is missing. Start the run's snakemake command again.")
        values: dict[str, Any] = read_json(path)
        return values

    def subset(self, method: str, fraction: float, seed: int = 0) -> pd.DataFrame:
        """The images that a method selected.

        Parameters
        ----------
        method : str
            The name of the method.
        fraction : float
            The fraction of the training images, 0 to 1.
        seed : int, default=0
            A training seed of its runs. A method without chance has the same subset for all.

        Returns
        -------
        DataFrame
            A row for each image: `image_id` (text), `label` (the number of its class), `origin`
            (the `image_id` of the image that it was made from), `rank` (0 is best), `weight`, ...

        Raises
        ------
        PetiteError
            If the run has no such method, fraction or seed.
        """
        runs = self.runs[self.runs["method"] == method]
        if runs.empty:
            methods = list(dict.fromkeys(self.runs["method"]))
            raise PetiteError(f"{self.folder}: {unknown(str(method), methods, 'method')}")
        fractions = sorted(set(runs["fraction"].tolist()))
        same = [each for each in fractions if math.isclose(each, fraction)]
        if not same:
            raise PetiteError(
                f"'{method}' has no fraction {fraction}, it has {_numbers(fractions)}"
            )
        runs = runs[runs["fraction"] == same[0]]
        saved = runs[~runs["judge"].map(lambda name: judge_named(name).selects)]
        if saved.empty and seed != 0:
            raise PetiteError(
                f"'{method}': a probe selects for each seed and keeps the first subset alone: ask "
                "for seed 0"
            )
        runs = saved if len(saved) else runs
        selection_seeds = dict(zip(runs["training_seed"], runs["selection_seed"], strict=True))
        if seed not in selection_seeds:
            raise PetiteError(f"'{method}' has no seed {seed}, it has {_numbers(selection_seeds)}")
        tables = self._subsets(method, same[0])
        # A method without chance has one subset, that of the first seed.
        wanted = seed if seed in tables else int(selection_seeds[seed])
        if wanted not in tables:
            raise PetiteError(
                f"{self.folder}: the subset of '{method}' at {same[0]:g}, seed {wanted}, is "
                "missing. Start the run's snakemake command again."
            )
        return tables[wanted].read()

    def _subsets(self, method: str, fraction: float) -> dict[int, SeedTable]:
        """The subsets of a method at a fraction by seed."""
        of_case = self.folder / "subsets" / method_of(method) / f"{fraction:g}"
        paths = of_case.glob("*.parquet")
        return {seed: SeedTable(path, seed) for path in sorted(paths) for seed in seeds_of(path)}

    def _table(self, name: str) -> pd.DataFrame:
        frame = read_table(self.folder / f"{name}.parquet")
        whole = [column for column in NUMBERS_OF_LOOKS if column in frame]
        return frame.astype(dict.fromkeys(whole, "Int64"))


def _numbers(values: Iterable[float]) -> str:
    return listed([f"{value:g}" for value in sorted(values)])
