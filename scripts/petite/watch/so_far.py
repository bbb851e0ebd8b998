"""The means of the runs that are done, before all of them are."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from petite.evaluation.metrics import METRICS, metric_for, test_counts, with_measures
from petite.evaluation.runs import CASE, FULL, is_reference, ordered
from petite.util.formatting import counted, in_percent, listed, percent

SEEDS = re.compile(r"seeds-(\d+)-(\d+)")
# A sentence names this many methods; a page has all.
MOST_NAMED = 6


@dataclass(frozen=True)
class Case:
    """A method at a fraction, as one judge judges it.

    Attributes
    ----------
    judge, method : str
    fraction : float
    seeds : int
        How many the run will have at most.
    folder : Path
        Of the files of its runs, seeds-FIRST-LAST.csv.
    """

    judge: str
    method: str
    fraction: float
    seeds: int
    folder: Path


@dataclass(frozen=True)
class Start:
    """The start of the run at work. Files that are older are of another configuration, perhaps.

    Attributes
    ----------
    since : float
        Seconds since the epoch.
    kept : set of Path
        The older files of runs that it does not make again.
    """

    since: float
    kept: frozenset[Path]


class SoFar:
    """The cases of a run with the runs that are done. A file is read once, unless it changes.

    Parameters
    ----------
    cases : sequence of Case
    metric : str
        The setting evidence.metric.
    """

    def __init__(self, cases: Sequence[Case], metric: str) -> None:
        self.cases = cases
        self.start: Start | None = None
        self._setting = metric
        self._read: dict[Path, tuple[float, pd.DataFrame]] = {}

    def table(self, cases: Sequence[Case] | None = None) -> pd.DataFrame:
        """One row for each case that has runs, in the order of the summary.

        Returns
        -------
        DataFrame
            judge, method, fraction, images, done and seeds (numbers of runs), metric (a name as in
            a sentence), score (its mean, 0 to 1). No row if there are no runs.
        """
        rows = []
        for case in self.cases if cases is None else cases:
            runs = self._runs(case)
            if runs.empty:
                continue
            metric = METRICS[metric_for(test_counts(runs), self._setting)]
            rows.append(
                {
                    "judge": case.judge,
                    "method": case.method,
                    "fraction": case.fraction,
                    "images": round(runs["images"].mean()),
                    "done": len(runs),
                    "seeds": case.seeds,
                    "metric": metric.name.replace("_", " "),
                    "score": with_measures(runs)[metric.name].mean(),
                }
            )
        columns = [*("judge", "method", "fraction", "images", "done", "seeds", "metric", "score")]
        table = pd.DataFrame(rows, columns=columns)
        judges = list(dict.fromkeys(table["judge"]))
        parts = [ordered(table[table["judge"] == judge]) for judge in judges]
        return pd.concat(parts, ignore_index=True) if parts else table

    def at(self, judge: str, fraction: float) -> str:
        """A sentence on the methods of a judge at a fraction, once all of them are done.

        "" until then, and for the full set alone.
        """
        here = [c for c in self.cases if (c.judge, c.fraction) == (judge, fraction)]
        others = [case for case in here if case.method != FULL]
        if not others or not all(map(self._is_done, others)):
            return ""
        full = [case for case in self.cases if case.judge == judge and case.method == FULL]
        table = self.table([*others, *filter(self._is_done, full)])
        best = table[table["method"] != FULL].sort_values("score", ascending=False, kind="stable")
        means = zip(best["method"], best["score"], strict=True)
        named = [f"{method} {in_percent(score)}" for method, score in means]
        whole = table.loc[table["method"] == FULL, "score"]
        of_all = f"; all images {in_percent(whole.iloc[0])}" if len(whole) else ""
        return (
            f"{percent(fraction)} of the images by {judge}, {best['metric'].iloc[0]} in %, "
            f"{counted(int(best['done'].min()), 'seed')}: {listed(named, MOST_NAMED)}{of_all}. "
            "The tests follow at the end"
        )

    def _files(self, case: Case) -> list[tuple[float, Path]]:
        """The files of the jobs that are done, with their times, the newest first."""
        found = []
        for path in case.folder.glob("*.csv"):
            with suppress(OSError):  # Snakemake removes a file that is made again
                time = path.stat().st_mtime
                if SEEDS.fullmatch(path.stem) and self._counts(path, time):
                    found.append((time, path))
        return sorted(found, reverse=True)

    def _counts(self, path: Path, time: float) -> bool:
        return self.start is None or time >= self.start.since or path in self.start.kept

    def _is_done(self, case: Case) -> bool:
        names = [SEEDS.fullmatch(path.stem) for _, path in self._files(case)]
        seeds = {s for name in names if name for s in range(int(name[1]), int(name[2]) + 1)}
        return seeds.issuperset(range(case.seeds))

    def _runs(self, case: Case) -> pd.DataFrame:
        """Each seed once: that of the newest file."""
        parts = []
        for time, path in self._files(case):
            if path not in self._read or self._read[path][0] != time:
                with suppress(OSError):
                    self._read[path] = time, pd.read_csv(path)
            if path in self._read:
                parts.append(self._read[path][1])
        if not parts:
            return pd.DataFrame(columns=CASE)
        runs = pd.concat(parts, ignore_index=True).drop_duplicates("training_seed")
        return runs[runs["training_seed"] < case.seeds]


def open_in_words(seeds: int, still_open: dict[str, list[tuple[str, float]]]) -> str:
    """A sentence on what a look left open.

    Parameters
    ----------
    seeds : int
        Of the look.
    still_open : dict
        The cases by judge, as a look writes them, with those that others are compared with.
    """
    look = f"After {counted(seeds, 'seed')}"
    if not any(still_open.values()):
        return f"{look}, no comparison is undecided"
    named = [
        f"{method} at {percent(fraction)}" + (f" by {judge}" if len(still_open) > 1 else "")
        for judge, cases in still_open.items()
        for method, fraction in cases
        if method != FULL and not is_reference(method)
    ]
    if not named:
        return f"{look}, still undecided: random against all images"
    return f"{look}, still undecided: {listed(named, MOST_NAMED)}"
