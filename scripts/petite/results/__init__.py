"""Read the results of a finished run in Python: tables, the recommendation, subsets, the report.

results = load("results/photos")
results.summary.query("fraction == 0.1")
"""

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import Any, TypeVar

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
REMAKE = "Start the run's snakemake command again."

Read = TypeVar("Read")
# Columns that are looked up here.
COLUMNS_OF_RUNS = ("judge", "method", "fraction", "training_seed", "selection_seed")
# Whole numbers that are missing in some rows.
NUMBERS_OF_LOOKS = ("look", "full_look")


def load(folder: str | Path) -> "Results":
    """Read the results of a finished run.

    Files are read when they are first used.

    Parameters
    ----------
    folder : str or Path
        results/NAME, where NAME is the `dataset.name` of the run. `~` is the home folder.

    Returns
    -------
    Results

    Raises
    ------
    PetiteError
        If the folder does not exist, is not a result of Petite, or its run is not finished.
    """
    # Path.expanduser() fails where the user has no home.
    folder = Path(os.path.expanduser(folder))  # noqa: PTH111
    if not folder.is_dir():
        raise PetiteError(f"There is no folder '{folder}'. Pass a folder such as results/NAME.")
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if not missing:
        return Results(folder)
    if len(missing) < len(NEEDED) or any((folder / name).exists() for name in BEGUN):
        raise PetiteError(
            f"The run of '{folder}' is not finished: {missing[0]} is missing. {REMAKE}"
        )
    inside = sorted(path.parent.name for path in folder.glob(f"*/{NEEDED[-1]}"))
    hint = f" Pass one of its folders: {', '.join(inside)}." if inside else ""
    raise PetiteError(f"'{folder}' is not a result of Petite, which has {NEEDED[-1]}.{hint}")


@dataclass(frozen=True)
class Results:
    """The results of a finished run.

    In all tables, `judge`, `method` and other names are text. Shares such as `fraction` and
    accuracies are 0 to 1, times are seconds, and sizes are bytes. A file that is missing, damaged
    or of another version of Petite raises PetiteError.

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
        path = self.folder / "recommendation.json"
        answers = dict(Answers.from_json(_read(path, _read_object)).judges)
        if not answers:
            raise PetiteError(f"'{path}' has no judges. {REMAKE}")
        return answers

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
            raise PetiteError(f"'{path}' is missing. {REMAKE}")
        return _read(path, _read_object)

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
        if not isinstance(method, str):
            raise PetiteError(f"method must be text, got {method!r}")
        share, number = _number("fraction", fraction), _number("seed", seed)
        for column in COLUMNS_OF_RUNS:
            if column not in self.runs:
                path = self.folder / "runs.parquet"
                raise PetiteError(
                    f"'{path}' has no column '{column}', as it is of another version of Petite. "
                    f"{REMAKE}"
                )
        runs = self.runs[self.runs["method"] == method]
        if runs.empty:
            methods = list(dict.fromkeys(self.runs["method"]))
            raise PetiteError(f"{self.folder}: {unknown(method, methods, 'method')}")
        fractions = sorted(set(runs["fraction"].tolist()))
        # As close as numbers in float32 are.
        same = [each for each in fractions if math.isclose(each, share, rel_tol=1e-6)]
        if not same:
            raise PetiteError(
                f"'{method}' has no fraction {fraction}, it has {_numbers(fractions)}"
            )
        runs = runs[runs["fraction"] == same[0]]
        saved = runs[~runs["judge"].map(lambda name: judge_named(name).selects)]
        if saved.empty and number != 0:
            raise PetiteError(
                f"'{method}': a probe selects for each seed and keeps the first subset alone: ask "
                "for seed 0"
            )
        runs = saved if len(saved) else runs
        selection_seeds = dict(zip(runs["training_seed"], runs["selection_seed"], strict=True))
        if number not in selection_seeds:
            raise PetiteError(f"'{method}' has no seed {seed}, it has {_numbers(selection_seeds)}")
        tables = self._subsets(method, same[0])
        # A method without chance has one subset, that of the first seed.
        wanted = int(number if number in tables else selection_seeds[number])
        if wanted not in tables:
            raise PetiteError(
                f"{self.folder}: the subset of '{method}' at {same[0]:g}, seed {wanted}, is "
                f"missing. {REMAKE}"
            )
        return _read(tables[wanted].path, lambda path: tables[wanted].read())

    def _subsets(self, method: str, fraction: float) -> dict[int, SeedTable]:
        """The subsets of a method at a fraction by seed."""
        of_case = self.folder / "subsets" / method_of(method) / f"{fraction:g}"
        paths = of_case.glob("*.parquet")
        return {seed: SeedTable(path, seed) for path in sorted(paths) for seed in _seeds_of(path)}

    def _table(self, name: str) -> pd.DataFrame:
        frame = _read(self.folder / f"{name}.parquet", read_table)
        whole = [column for column in NUMBERS_OF_LOOKS if column in frame]
        return frame.astype(dict.fromkeys(whole, "Int64"))


def _read(path: Path, reader: Callable[[Path], Read]) -> Read:
    """Read a file, or raise PetiteError that names it."""
    try:
        return reader(path)
    except OSError as error:
        raise PetiteError(
            f"'{path}' cannot be read: {error.strerror or error}. {REMAKE}"
        ) from error
    except (ValueError, TypeError, KeyError) as error:  # those of pyarrow are ValueErrors
        raise PetiteError(f"'{path}' is damaged. Delete it. {REMAKE}") from error


def _read_object(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds an object."""
    values = read_json(path)
    if not isinstance(values, dict):
        raise TypeError(f"{path} holds no object")
    return values


def _seeds_of(path: Path) -> list[int]:
    """The seeds in a file of subsets, from the list of their records next to it."""
    return _read(path.with_suffix(".json"), lambda _: seeds_of(path))


def _number(name: str, value: object) -> float:
    """Check that an argument is a number."""
    if isinstance(value, Real):
        return float(value)
    raise PetiteError(f"{name} must be a number, got {value!r}")


def _numbers(values: Iterable[float]) -> str:
    return listed([f"{value:g}" for value in sorted(values)])
