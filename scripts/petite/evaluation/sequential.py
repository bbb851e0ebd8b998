"""Seeds until decided: comparisons that are tested at a few looks fixed beforehand.

At each look, all comparisons that are open have the same number of seeds. The tests are those of
`petite.evaluation.verdicts`, with Holm's adjustment for all comparisons that were declared at the
first look. 5% are divided among the looks, so that at most 5% of all runs have a false effect,
however the tests depend on each other (the union bound). What is decided gets no more seeds, and
neither does what more seeds are unlikely to decide, which costs no error. Intervals at a look of
level a are those of confidence 1 - a, so that they hold at all looks together. A comparison has
that of its last look.

References
----------
Jennison and Turnbull 2000, "Group Sequential Methods with Applications to Clinical Trials", for
repeated confidence intervals.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit  # scipy.stats is slow to import

from petite.evaluation.learning_curve import Curves
from petite.evaluation.list_luck import luck_of
from petite.evaluation.looks import Looks
from petite.evaluation.metrics import ACCURACY, METRICS, with_measures
from petite.evaluation.runs import CASE, FULL, Predictions, is_reference, reference_of
from petite.evaluation.statistics import ALPHA, holm, least_p
from petite.evaluation.verdicts import (
    ADJUSTED,
    EQUIVALENT,
    NOT_WORSE,
    compare,
    what_images_can_show,
    with_verdicts,
)

# More seeds are not spent on a comparison that they decide less often than this.
FUTILE = 0.01
# The other columns are of the comparison with random.
OF_FULL_COLUMNS = ("full_", "test_images", "least_tolerance", "to_full")
OF_RANDOM = ("p",)


@dataclass(frozen=True)
class Looked:
    """What the looks so far show.

    Attributes
    ----------
    table : DataFrame
        As `petite.evaluation.verdicts.compare` makes it, each comparison at its own last look, with
        the metrics of all runs. The
        adjusted p-values are scaled to 5%: the smallest over the looks of Holm's, times 5% divided
        by the look's level. The interval of a comparison is that of its last look, with the
        confidence of that look: the intervals of all looks hold together.
    open : list of (str, float)
        The methods and fractions that need more seeds, with random and the full set.
    """

    table: pd.DataFrame
    open: list[tuple[str, float]]


def compare_at_looks(
    runs: pd.DataFrame,
    looks: Looks,
    tolerance: float,
    curves: Curves | None = None,
    predictions: Predictions | None = None,
    metric: str = ACCURACY,
    groups: np.ndarray | None = None,
) -> Looked:
    """Compare all methods at each look that the runs reach.

    Parameters
    ----------
    runs : DataFrame
        The table of runs.csv. Each case has the seeds of its last look, from 0 on.
    looks : Looks
    tolerance, curves, predictions, metric, groups
        As `petite.evaluation.verdicts.compare` takes them.

    Returns
    -------
    Looked

    Raises
    ------
    PetiteError
        As `petite.evaluation.verdicts.compare` does.
    """
    comparisons = _Comparisons(looks, tolerance)
    weights = METRICS[metric].image_weights(predictions.labels()) if predictions else None
    for look, seeds in enumerate(looks.seeds):
        now = _with_all_seeds(runs[runs["training_seed"] < seeds], seeds, comparisons.open)
        if now.empty:
            break
        known = predictions.of_seeds_below(seeds) if predictions else None
        table = compare(now, tolerance, curves, known, metric, groups, looks.levels[look])
        if table.empty:  # only the full set
            return Looked(table, [])
        for key, group in with_measures(now).groupby(CASE):
            comparisons.luck[str(key[0]), float(str(key[1]))] = luck_of(group, metric)
        comparisons.test(look, table, weights, groups)
    if comparisons.open is None:  # jobs failed before the first look: what they show, untested
        return Looked(compare(runs, tolerance, curves, predictions, metric, groups), [])
    return Looked(_with_means_of(runs, comparisons.table()), comparisons.needed())


def _with_means_of(runs: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The table with the metrics of all runs of each case, as the summary has them."""
    columns = ["share", *METRICS]
    means = with_measures(runs).groupby(CASE)[columns].mean()
    return table.assign(**means.loc[pd.MultiIndex.from_frame(table[CASE])].reset_index(drop=True))


def _with_all_seeds(
    runs: pd.DataFrame, seeds: int, cases: list[tuple[str, float]] | None
) -> pd.DataFrame:
    """The runs of the open cases that have all seeds of a look, and of their references.

    cases: None for all that there are. No rows if only references are left.
    """
    counts = runs.groupby(CASE)["training_seed"].transform("nunique")
    complete = runs[counts == seeds]
    if cases is not None:
        keys = pd.MultiIndex.from_frame(complete[CASE])
        is_kept = complete["method"].map(is_reference).astype(bool) | (complete["method"] == FULL)
        complete = complete[is_kept | keys.isin(cases)]
        if not pd.MultiIndex.from_frame(complete[CASE]).isin(cases).any():
            return complete.iloc[:0]
    return complete


class _Comparisons:
    """The state of all declared comparisons from look to look."""

    def __init__(self, looks: Looks, tolerance: float) -> None:
        self._looks = looks
        self._tolerance = tolerance
        # What is left of the variance of a case's mean with any number of seeds.
        self.luck: dict[tuple[str, float], float] = {}
        self._rows: dict[tuple[str, float], pd.Series] = {}
        # Of each test: the p of all declared comparisons as Holm's adjustment takes it, and the
        # smallest adjusted p so far.
        self._p: dict[str, pd.Series] = {}
        self._least: dict[str, pd.Series] = {}
        self._is_open: dict[str, pd.Series] = {}
        self.open: list[tuple[str, float]] | None = None

    def test(
        self,
        look: int,
        table: pd.DataFrame,
        weights: np.ndarray | None,
        groups: np.ndarray | None = None,
    ) -> None:
        """Test what is open at a look, and find what is still open after it."""
        table = table.set_index(CASE, drop=False)
        if not self._rows:
            self._declare(table)
        table = table.reindex(self._p["p"].index)
        table["look"] = np.where(table["pairs"] > 0, look + 1, np.nan)
        table["full_look"] = np.where(table["full_pairs"] > 0, look + 1, np.nan)
        level = self._looks.levels[look]
        for test in ADJUSTED:
            values, least = self._p[test], self._least[test]
            is_open = self._is_open["random" if test in OF_RANDOM else "full"]
            # A reference whose runs failed leaves no p; the last one stays.
            is_due = is_open & (least > ALPHA) & table[f"{test}_value"].notna()
            values[is_due] = table[f"{test}_value"][is_due]
            adjusted = pd.Series(
                np.minimum(holm(values.to_numpy()) * ALPHA / level, 1), values.index
            )
            least[is_due] = np.minimum(least[is_due], adjusted[is_due])
            values[least <= ALPHA] = 0.0  # rejected: the others are tested as if it were not there
        for case, row in zip(_cases(table.index), _rows(table), strict=True):
            if self.open is None:
                self._rows[case] = row
            else:
                self._update(case, row)
        highest = max(self._looks.levels)
        count = {test: int(values.notna().sum()) for test, values in self._p.items()}
        if weights is not None and (tests := count["full_new_images_loss_p"]):
            shown = what_images_can_show(weights, self._tolerance, tests * ALPHA / highest, groups)
            for row in self._rows.values():
                row.update(pd.Series(shown))
        self._close(look, len(weights) if weights is not None else None, count)

    def _update(self, case: tuple[str, float], row: pd.Series) -> None:
        """Take over what a look shows of a comparison with random, or the full set, that is open.

        At this look its reference may have no seeds for the other one.
        """
        of_full = row.index.str.startswith(OF_FULL_COLUMNS)
        for kind, columns, pairs in (
            ("random", row.index[~of_full], "pairs"),
            ("full", row.index[of_full], "full_pairs"),
        ):
            if self._is_open[kind][case] and row[pairs] > 0:
                self._rows[case] = self._rows[case].copy()
                self._rows[case][columns] = row[columns]

    def _declare(self, table: pd.DataFrame) -> None:
        for test in ADJUSTED:
            self._p[test] = table[f"{test}_value"].astype(float).copy()
            self._least[test] = self._p[test].where(self._p[test].isna(), 1.0)
        for kind, test in (("random", "p"), ("full", "full_loss_p")):
            self._is_open[kind] = self._p[test].notna()

    def _close(self, look: int, images: int | None, count: dict[str, int]) -> None:
        """Close what is decided, and what more seeds are unlikely to decide."""
        table = self.table().set_index(CASE, drop=False)
        random, full = self._is_open["random"], self._is_open["full"]
        random &= self._least["p"] > ALPHA
        full &= ~table["to_full"].isin([EQUIVALENT, NOT_WORSE]).reindex(full.index)
        if look == len(self._looks.seeds) - 1:
            random[:] = full[:] = False
        rows = dict(zip(_cases(table.index), _rows(table), strict=True))
        for case in _cases(random[random].index):
            chance = self._chance_against_random(case, rows[case], count["p"])
            random[case] = chance >= FUTILE
        for case in _cases(full[full].index):
            row = rows[case]
            needed = float(row["test_images_needed"])
            too_few = images is not None and not math.isnan(needed) and images < needed
            chance = self._chance_against_full(case, row, count["full_loss_p"])
            full[case] = not too_few and chance >= FUTILE
        # What is stopped without an effect can no longer have one.
        for test in ADJUSTED:
            is_open = random if test in OF_RANDOM else full
            stopped = ~is_open & self._p[test].notna() & (self._least[test] > ALPHA)
            self._p[test][stopped] = 1.0
        self.open = _cases(random[random | full].index)

    def _chance_against_random(self, case: tuple[str, float], row: pd.Series, tests: int) -> float:
        known = row["sd"], self.luck[case], int(row["pairs"]), 2 * tests
        return max(self._chance(sign * row["difference"], *known) for sign in (1, -1))

    def _chance_against_full(self, case: tuple[str, float], row: pd.Series, tests: int) -> float:
        known = row["full_sd"], self.luck[case], int(row["full_pairs"]), tests
        return self._chance(row["full_difference"] + self._tolerance, *known)

    def _chance(self, mean: float, sd: float, luck: float, pairs: int, tests: int) -> float:
        """The chance that a mean is shown to be above 0 at the last look, given what it is now.

        The predictive distribution of the last mean is Student's t, with flat priors. 1 if nothing
        is known yet.
        """
        last = self._looks.seeds[-1]
        if pairs < 2 or math.isnan(sd):
            return 1.0
        if sd == 0:
            return float(mean > 0)
        error = math.sqrt(sd**2 / last + luck)
        threshold = stdtrit(last - 1, 1 - max(self._looks.levels) / tests) * error
        spread = sd * math.sqrt(1 / pairs - 1 / last)
        return float(stdtr(pairs - 1, (mean - threshold) / spread))

    def table(self) -> pd.DataFrame:
        """Each comparison at its last look, with the verdicts so far."""
        table = pd.DataFrame(list(self._rows.values())).reset_index(drop=True)
        cases = list(self._rows)
        for test in ADJUSTED:
            table[f"{test}_adjusted"] = self._least[test].loc[cases].to_numpy()
        tests = int(self._p["p"].notna().sum())
        scaled = tests * least_p(self._looks.seeds[-1]) * ALPHA / self._looks.levels[-1]
        table["least_p_adjusted"] = np.where(table["p_value"].notna(), min(scaled, 1.0), np.nan)
        return with_verdicts(table)

    def needed(self) -> list[tuple[str, float]]:
        """The open cases, with random at their fraction and the full set where they need it."""
        found = list(self.open or [])
        random, full = self._is_open.get("random"), self._is_open.get("full")
        assert random is not None and full is not None
        found += [
            (reference_of(method), fraction) for method, fraction in _cases(random[random].index)
        ]
        found += [(FULL, 1.0)] * bool(full.any())
        return list(dict.fromkeys(found))


def _cases(index: pd.Index) -> list[tuple[str, float]]:
    return [(str(method), float(fraction)) for method, fraction in index]


def _rows(table: pd.DataFrame) -> list[pd.Series]:
    return [row for _, row in table.iterrows()]
