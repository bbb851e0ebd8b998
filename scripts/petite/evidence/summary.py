"""A row for each method and fraction, and the same as tables for people to read."""

import logging
from collections.abc import Iterable

import numpy as np
import pandas as pd

from petite.evidence.runs import REFERENCE, accuracies, check_runs, ordered, paired_differences
from petite.evidence.statistics import ENOUGH_RUNS, mean_interval

logger = logging.getLogger(__name__)

SUMMARY_COLUMNS = [
    "method",
    "fraction",
    "images",
    "runs",
    "accuracy_mean",
    "accuracy_sd",
    "accuracy_low",
    "accuracy_high",
    "difference_mean",
    "difference_low",
    "difference_high",
    "loss_mean",
    "stored_bytes",
    "select_seconds_mean",
    "train_seconds_mean",
]


def summarize(runs: pd.DataFrame) -> pd.DataFrame:
    """A row for each method and fraction of `runs` (the table of runs.csv).

    The columns are SUMMARY_COLUMNS. Accuracies are shares of the test images (0 to 1), and
    `accuracy_low`, `accuracy_high` bound the 95% interval of the mean over the runs by Student's t
    (see `mean_interval`). `difference_*` are the same for the paired differences from random at
    the same fraction (see `paired_differences`); NaN for random itself and where random has no
    such run. Bounds are NaN for fewer than two runs or pairs. Bounds that lie outside what is
    possible (0 to 1, -1 to 1 for differences) are cut there: that takes away impossible values only
    and so leaves the coverage as it is. The intervals speak of new seeds, not of new test images.

    `images` and `stored_bytes` are means over the runs, rounded (they differ between split seeds
    at most); seconds are of one selection and of one training.

    Raises PetiteError for no runs, a run that is there twice or has no accuracy, or runs of
    several data sets, models, backends or budgets.
    """
    check_runs(runs)
    rows = []
    for key, group in runs.groupby(["method", "fraction"]):
        method, fraction = str(key[0]), float(str(key[1]))
        accuracy = group["accuracy"].to_numpy(dtype=np.float64)
        low, high = np.clip(mean_interval(accuracy), 0, 1)
        differences = _differences(runs, method, fraction)
        difference_low, difference_high = np.clip(mean_interval(differences), -1, 1)
        rows.append(
            {
                "method": method,
                "fraction": fraction,
                "images": round(group["images"].mean()),
                "runs": len(group),
                "accuracy_mean": accuracy.mean(),
                "accuracy_sd": accuracy.std(ddof=1) if len(accuracy) > 1 else np.nan,
                "accuracy_low": low,
                "accuracy_high": high,
                "difference_mean": differences.mean() if len(differences) else np.nan,
                "difference_low": difference_low,
                "difference_high": difference_high,
                # A loss that is not a number must show, so it is not skipped.
                "loss_mean": group["loss"].mean(skipna=False),
                "stored_bytes": round(group["stored_bytes"].mean()),
                "select_seconds_mean": group["select_seconds"].mean(skipna=False),
                "train_seconds_mean": group["train_seconds"].mean(skipna=False),
            }
        )
    return ordered(pd.DataFrame(rows, columns=SUMMARY_COLUMNS))


def _differences(runs: pd.DataFrame, method: str, fraction: float) -> np.ndarray:
    """Paired differences from random, with a line in the log where runs have no partner."""
    if method == REFERENCE:
        return np.empty(0)
    differences = paired_differences(runs, method, fraction)
    own = len(accuracies(runs, method, fraction))
    if len(accuracies(runs, REFERENCE, fraction)) and len(differences) < own:
        logger.warning(
            "%s at fraction %g: %d of %d runs have no run of %s with the same seeds",
            method,
            fraction,
            own - len(differences),
            own,
            REFERENCE,
        )
    return differences


# ---------------------------------------------------------------- for people to read


def percent(share: float) -> str:
    """A share as it is spoken: 0.1 -> "10%", 0.025 -> "2.5%"."""
    return f"{100 * share:.4g}%"


def _accuracy(row: pd.Series) -> str:
    text = f"{100 * row['accuracy_mean']:.1f}"
    if np.isnan(row["accuracy_low"]):
        return text
    return f"{text} [{100 * row['accuracy_low']:.1f}, {100 * row['accuracy_high']:.1f}]"


def _difference(row: pd.Series) -> str:
    if np.isnan(row["difference_mean"]):
        return "–"
    text = signed(row["difference_mean"])
    if np.isnan(row["difference_low"]):
        return text
    return f"{text} [{signed(row['difference_low'])}, {signed(row['difference_high'])}]"


def signed(share: float) -> str:
    """Points with a sign; nought has none, so that "-0.0" is never seen."""
    points = round(100 * share, 1)
    return "0.0" if points == 0 else f"{points:+.1f}"


def _megabytes(count: float) -> str:
    megabytes = count / 1e6
    return f"{megabytes:.2f}" if megabytes < 10 else f"{megabytes:,.0f}"


def _seconds(seconds: float) -> str:
    if np.isnan(seconds):
        return "–"
    return f"{seconds:.2f}" if seconds < 10 else f"{seconds:,.0f}"


def _cells(summary: pd.DataFrame) -> pd.DataFrame:
    """The summary as text, one column for each heading."""
    return pd.DataFrame(
        [
            {
                "method": row["method"],
                "fraction": percent(row["fraction"]),
                "images": f"{row['images']:,}",
                "runs": f"{row['runs']}",
                "accuracy, %": _accuracy(row),
                "against random, points": _difference(row),
                "loss": "–" if np.isnan(row["loss_mean"]) else f"{row['loss_mean']:.3f}",
                "stored, MB": _megabytes(row["stored_bytes"]),
                "select, s": _seconds(row["select_seconds_mean"]),
                "train, s": _seconds(row["train_seconds_mean"]),
            }
            for _, row in summary.iterrows()
        ]
    )


def _warning(summary: pd.DataFrame) -> str:
    """What to say where there are too few runs for a claim; "" where there are enough."""
    few = summary[summary["runs"] < ENOUGH_RUNS]
    if few.empty:
        return ""
    rows = ", ".join(
        f"{row['method']} at {percent(row['fraction'])} ({row['runs']})"
        for _, row in few.iterrows()
    )
    return (
        f"Too few runs for a claim: {rows}. With fewer than {ENOUGH_RUNS} runs even a method that "
        "wins every time passes no exact (sign-flip) test at the 5% level. Train more seeds."
    )


def markdown_table(summary: pd.DataFrame, dataset: str) -> str:
    """The summary (see `summarize`) of `dataset` as a page of Markdown."""
    cells = _cells(summary)
    lines = [f"# {dataset}: accuracy by training images kept", ""]
    lines.append("| " + " | ".join(cells.columns) + " |")
    lines.append("|:--|" + "--:|" * (len(cells.columns) - 1))
    for values in cells.itertuples(index=False, name=None):
        lines.append("| " + " | ".join(values) + " |")
    lines += [
        "",
        "Brackets hold 95% intervals of the mean over runs (Student's t); differences are paired, "
        "each run with the run of random at the same fraction, split and training seed. "
        "They cover other seeds, not other test images.",
    ]
    if warning := _warning(summary):
        lines += ["", f"**{warning}**"]
    return "\n".join(lines) + "\n"


# What the terminal leaves out, to fit in 100 columns.
NOT_IN_TERMINAL = ["select, s", "loss"]
TERMINAL_COLUMNS = 100


def terminal_table(summary: pd.DataFrame) -> str:
    """The summary as aligned text of at most 100 columns, for the end of a run."""
    cells = _cells(summary).drop(columns=NOT_IN_TERMINAL)
    cells = cells.rename(columns={"against random, points": "against random", "stored, MB": "MB"})
    widths = {name: max(len(name), *cells[name].str.len()) for name in cells.columns}
    others = sum(widths.values()) - widths["method"] + 2 * (len(widths) - 1)
    widths["method"] = min(widths["method"], TERMINAL_COLUMNS - others)
    cells["method"] = [
        name if len(name) <= widths["method"] else name[: widths["method"] - 1] + "…"
        for name in cells["method"]
    ]

    def line(values: Iterable[str]) -> str:
        method, *others = zip(values, widths.values(), strict=True)
        return "  ".join([method[0].ljust(method[1]), *(text.rjust(w) for text, w in others)])

    lines = [line(cells.columns), line("-" * width for width in widths.values())]
    lines += [line(values) for values in cells.itertuples(index=False, name=None)]
    few = int((summary["runs"] < ENOUGH_RUNS).sum())
    lines.append("[low, high]: 95% interval over runs. Against random: points, paired by seed.")
    if few:
        lines.append(
            f"{few} of {len(summary)} rows have fewer than {ENOUGH_RUNS} runs: "
            "too few for a claim. Train more seeds."
        )
    return "\n".join(lines)
