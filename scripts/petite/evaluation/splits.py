"""What holds over several splits of the same images: their mean differences, and an interval.

The training sets of the splits overlap, and so do their test sets, so the means of the splits are
not independent. Nadeau and Bengio (2003) correct for this: the variance of the mean over J splits
is s² (1/J + n_test/n_train), with s² the variance between the splits, and Student's t has J - 1
degrees of freedom. docs/evidence.md has simulations of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from petite.evaluation.metrics import metric_for, test_counts, with_measures
from petite.evaluation.recommendation import OverSplits
from petite.evaluation.runs import FULL, REFERENCE, is_reference, ordered, paired_differences
from petite.evaluation.statistics import (
    ALPHA,
    CONFIDENCE,
    Interval,
    Values,
    holm,
    least_p,
    mean_interval,
    mean_p,
    not_worse_p,
)
from petite.evaluation.verdicts import (
    BETTER,
    EQUIVALENCE_CONFIDENCE,
    NOT_DISTINGUISHABLE,
    NOT_SHOWN,
    NOT_WORSE,
    WORSE,
)

Row = dict[str, Any]
ALL = "all"  # in the column `split`: over all of them
SPLIT_COLUMNS = [
    "method",
    "fraction",
    "against",
    "metric",
    "split",
    "split_seed",
    "pairs",
    "difference",
    "low",
    "high",
    "p_value",
    "p_adjusted",
    "verdict",
]


class OneSplit(NamedTuple):
    """The runs of a judge in one split, and the images that it divides.

    Attributes
    ----------
    runs : DataFrame
        As `petite.evaluation.runs.collect` returns them.
    training, test : int
        The number of images.
    """

    runs: pd.DataFrame
    training: int
    test: int


def overlap_variance(differences: Values, test_share: float) -> float:
    """The variance of the mean over splits that comes from their overlap.

    It is what `mean_interval`, `mean_p` and `not_worse_p` take as `luck`, beside the variance of
    independent values.

    Parameters
    ----------
    differences : array_like of float, shape (J,)
        The mean of each split.
    test_share : float
        Test images of a split per training image.

    Returns
    -------
    float
        0 if J is 1.
    """
    sample = np.asarray(differences, dtype=np.float64)
    return float(sample.var(ddof=1)) * test_share if len(sample) > 1 else 0.0


def interval_over_splits(
    differences: Values, test_share: float, confidence: float = CONFIDENCE
) -> Interval:
    """The interval of a mean over splits; NaN for one split. See `overlap_variance`.

    Examples
    --------
    >>> low, high = interval_over_splits([0.01, 0.02, 0.03], 0.25)
    >>> round(float(low), 4), round(float(high), 4)
    (-0.0129, 0.0529)
    """
    return mean_interval(differences, confidence, overlap_variance(differences, test_share))


def over_splits(splits: Sequence[OneSplit], tolerance: float, metric_setting: str) -> pd.DataFrame:
    """A row for each comparison and split, and one for all splits together.

    Parameters
    ----------
    splits : sequence of OneSplit
        Of one judge.
    tolerance : float
        Share of the metric that may be lost against the full set.
    metric_setting : str
        The setting evidence.metric; the first split decides what `auto` is.

    Returns
    -------
    DataFrame
        SPLIT_COLUMNS. `against` is random (as in verdicts.csv) or full, `split` a number from 1,
        or "all". `difference` is the mean over the `pairs` of a split, or over the splits; the
        other columns are of all splits together. `low` and `high` bound the interval: 95% against
        random, 90% against full, whose test is one-sided at 5%. `p_value` is two-sided against
        random; against full it is that of a loss of the tolerance or more. `p_adjusted` is that for
        all comparisons of its kind (Holm). `verdict` is better, worse or not distinguishable
        against random, and not worse or not shown against full.
    """
    metric = metric_for(test_counts(splits[0].runs), metric_setting)
    measured = [split._replace(runs=with_measures(split.runs, split.training)) for split in splits]
    test_share = float(np.mean([split.test / split.training for split in splits]))
    tables = [
        _with_verdicts(list(_compared(measured, against, metric)), test_share, against, tolerance)
        for against in (REFERENCE, FULL)
    ]
    table = pd.DataFrame([row for rows in tables for row in rows], columns=SPLIT_COLUMNS)
    table["split_seed"] = table["split_seed"].astype("Int64")  # none of all splits together
    return ordered(table) if len(table) else table


def of_all_judges(
    judges: Mapping[str, Sequence[OneSplit]], tolerance: float, metric_setting: str
) -> pd.DataFrame:
    """The table of `over_splits` of all judges, with the judge as its first column."""
    tables = []
    for judge, splits in judges.items():
        table = over_splits(splits, tolerance, metric_setting)
        table.insert(0, "judge", judge)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def in_the_answer(table: pd.DataFrame, judge: str) -> tuple[OverSplits, ...]:
    """What the answer of a judge says of all splits; `table` is that of `of_all_judges`."""
    own = table[table["judge"] == judge]
    counts = own[own["split"] != ALL].groupby(["method", "fraction", "against"]).size()
    return tuple(
        OverSplits(
            method=row["method"],
            fraction=float(row["fraction"]),
            against=row["against"],
            splits=int(counts[row["method"], row["fraction"], row["against"]]),
            mean=float(row["difference"]),
            bounds=(float(row["low"]), float(row["high"])),
            verdict=row["verdict"],
        )
        for _, row in own[own["split"] == ALL].iterrows()
    )


def _compared(splits: Sequence[OneSplit], against: str, metric: str) -> Iterator[list[Row]]:
    """The rows of the splits of each comparison that every split has."""
    reference = FULL if against == FULL else None  # random in the same encoding
    cases = splits[0].runs[["method", "fraction"]].drop_duplicates()
    for method, fraction in cases.itertuples(index=False, name=None):
        if method == FULL or (against == REFERENCE and is_reference(method)):
            continue
        rows = []
        for number, split in enumerate(splits, start=1):
            found = paired_differences(split.runs, method, fraction, reference, metric)
            if not len(found):
                break
            rows.append(
                {
                    "method": method,
                    "fraction": fraction,
                    "against": against,
                    "metric": metric,
                    "split": str(number),
                    "split_seed": int(split.runs["split_seed"].iloc[0]),
                    "pairs": len(found),
                    "difference": float(found.mean()),
                }
            )
        else:
            yield rows


def _with_verdicts(
    compared: list[list[Row]], test_share: float, against: str, tolerance: float
) -> Iterator[Row]:
    """The rows of all comparisons with one reference, each followed by that over all splits."""
    means = [np.array([row["difference"] for row in rows]) for rows in compared]
    p_values = []
    for values in means:
        extra = overlap_variance(values, test_share)
        p = mean_p(values, extra) if against == REFERENCE else not_worse_p(values, tolerance, extra)
        # Equal means, as few seeds and images give them, are not beyond all doubt.
        p_values.append(max(float(p), least_p(len(values))) if np.ptp(values) == 0 else float(p))
    for rows, values, p, adjusted in zip(compared, means, p_values, holm(p_values), strict=True):
        confidence = EQUIVALENCE_CONFIDENCE if against == FULL else CONFIDENCE
        low, high = np.clip(interval_over_splits(values, test_share, confidence), -1, 1)
        yield from rows
        yield rows[0] | {
            "split": ALL,
            "split_seed": None,
            "pairs": sum(row["pairs"] for row in rows),
            "difference": float(values.mean()),
            "low": low,
            "high": high,
            "p_value": p,
            "p_adjusted": adjusted,
            "verdict": _verdict(float(values.mean()), adjusted <= ALPHA, against),
        }


def _verdict(mean: float, is_shown: bool, against: str) -> str:
    if against == FULL:
        return NOT_WORSE if is_shown else NOT_SHOWN
    if not is_shown:
        return NOT_DISTINGUISHABLE
    return BETTER if mean > 0 else WORSE
