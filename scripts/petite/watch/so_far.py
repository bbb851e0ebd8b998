"""The means of the runs that are done, before all of them are."""

import re
from collections.abc import Sequence
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

    def files(self) -> list[Path]:
        """The files of the jobs that are done."""
        return [path for path in self.folder.glob("*.csv") if SEEDS.fullmatch(path.stem)]

    @property
    def is_done(self) -> bool:
        found = [SEEDS.fullmatch(path.stem) for path in self.files()]
        seeds = {s for name in found if name for s in range(int(name[1]), int(name[2]) + 1)}
        return len(seeds) >= self.seeds


class SoFar:
    """The cases of a run with the runs that are done. Files are read once.

    Parameters
    ----------
    cases : sequence of Case
    metric : str
        The setting evidence.metric.
    """

    def __init__(self, cases: Sequence[Case], metric: str) -> None:
        self.cases = cases
        self._setting = metric
        self._read: dict[Path, pd.DataFrame] = {}

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
        if not others or not all(case.is_done for case in others):
            return ""
        full = [case for case in self.cases if case.judge == judge and case.method == FULL]
        table = self.table([*others, *(case for case in full if case.is_done)])
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

    def _runs(self, case: Case) -> pd.DataFrame:
        parts = []
        for path in sorted(case.files()):
            if path not in self._read:
                self._read[path] = pd.read_csv(path)
            parts.append(self._read[path])
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=CASE)


def open_in_words(seeds: int, still_open: dict[str, list[tuple[str, float]]]) -> str:
    """A sentence on what a look left open.

    Parameters
    ----------
    seeds : int
        Of the look.
    still_open : dict
        The cases by judge, as a look writes them, with those that others are compared with.
    """
    look = f"Look at {counted(seeds, 'seed')}"
    if not any(still_open.values()):
        return f"{look}: no comparison is open"
    named = [
        f"{method} at {percent(fraction)}" + (f" by {judge}" if len(still_open) > 1 else "")
        for judge, cases in still_open.items()
        for method, fraction in cases
        if method != FULL and not is_reference(method)
    ]
    if not named:
        return f"{look}: open are comparisons of random with all images"
    return f"{look}: open are {listed(named, MOST_NAMED)}"
