"""From trained models to a table: how good each method is at each size, and how sure that is.

`collect` gathers the files of the training jobs, `summarize` makes a row for each method and
fraction, and the two `*_table` functions write that for people.
"""

import logging
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import stdtrit  # scipy.stats takes a second to import

from petite.errors import PetiteError

logger = logging.getLogger(__name__)

REFERENCE = "random"  # what every method is compared with
CONFIDENCE = 0.95

# An exact sign-flip test on n pairs cannot fall below p = 2 / 2**n: 6 is the least below 0.05.
ENOUGH_RUNS = 6

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

PAIR = ["split_seed", "training_seed"]  # runs that agree in these share all but their images
TEXT_COLUMNS = ["dataset", "method", "model", "backend", "budget", "worst_class", "versions"]
# Runs that differ in one of these answer different questions and do not belong in one table.
ONE_VALUE_COLUMNS = ["dataset", "model", "backend", "budget"]


def mean_interval(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """The 95% interval of the mean of `values` (n,) by Student's t; NaN for fewer than two.

    Student's t, not the bootstrap: with the 3 to 10 seeds that one can afford, a percentile or BCa
    bootstrap resamples a spread that is already underestimated, and its intervals are too narrow.
    """
    sample = np.asarray(values, dtype=np.float64)
    if len(sample) < 2:
        return np.nan, np.nan
    standard_error = sample.std(ddof=1) / np.sqrt(len(sample))
    half = stdtrit(len(sample) - 1, (1 + CONFIDENCE) / 2) * standard_error
    return float(sample.mean() - half), float(sample.mean() + half)


def ordered(frame: pd.DataFrame, then: Iterable[str] = ()) -> pd.DataFrame:
    """Rows in reading order: full first, larger fractions first, random first within one.

    Methods of the same fraction follow by name, and rows of the same method and fraction by `then`.
    """
    keys = frame.assign(
        _full=frame["method"] != "full",
        _smaller=-frame["fraction"],
        _compared=frame["method"] != REFERENCE,
    )
    by = ["_full", "_smaller", "_compared", "method", *then]
    return frame.loc[keys.sort_values(by, kind="stable").index].reset_index(drop=True)


def _check_runs(runs: pd.DataFrame) -> None:
    """Raise PetiteError where the runs cannot be summarized together."""
    if runs.empty:
        raise PetiteError("there are no runs to summarize. Train at least one model first.")
    for column in ONE_VALUE_COLUMNS:
        found = sorted(runs[column].unique())
        if len(found) > 1:
            raise PetiteError(
                f"the runs differ in {column}: {', '.join(map(str, found))}. "
                "Only runs of one kind can be compared; summarize each kind by itself."
            )
    repeated = runs[runs.duplicated(["method", "fraction", *PAIR])]
    if not repeated.empty:
        raise PetiteError(
            f"{_name(repeated.iloc[0])} is there more than once. "
            "Give each file of runs once, and delete runs of an earlier configuration."
        )
    unknown = runs[runs["accuracy"].isna()]
    if not unknown.empty:
        raise PetiteError(
            f"{_name(unknown.iloc[0])} has no accuracy. Delete its file and train it again."
        )


def _name(run: pd.Series) -> str:
    return (
        f"the run of {run['method']} at fraction {run['fraction']:g} with split seed "
        f"{run['split_seed']} and training seed {run['training_seed']}"
    )


def paired_differences(runs: pd.DataFrame, method: str, fraction: float) -> np.ndarray:
    """Accuracy less that of random at the same fraction, pair by pair: float64 (pairs,).

    A pair shares its split seed and its training seed. Runs without a partner are left out, with
    a line in the log; the result is empty where random has no run at this fraction.
    """

    def accuracies(name: str) -> pd.Series:
        chosen = runs[(runs["method"] == name) & (runs["fraction"] == fraction)]
        return chosen.set_index(PAIR)["accuracy"].sort_index()

    own, reference = accuracies(method), accuracies(REFERENCE)
    differences = (own - reference).dropna().to_numpy(dtype=np.float64)
    if len(reference) and len(differences) < len(own):
        logger.warning(
            "%s at fraction %g: %d of %d runs have no run of %s with the same seeds",
            method,
            fraction,
            len(own) - len(differences),
            len(own),
            REFERENCE,
        )
    return differences


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
    _check_runs(runs)
    rows = []
    for key, group in runs.groupby(["method", "fraction"]):
        method, fraction = str(key[0]), float(str(key[1]))
        accuracy = group["accuracy"].to_numpy(dtype=np.float64)
        low, high = np.clip(mean_interval(accuracy), 0, 1)
        differences = (
            np.empty(0) if method == REFERENCE else paired_differences(runs, method, fraction)
        )
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


def read_csv(path: Path) -> pd.DataFrame:
    """Read runs, histories or a summary; names stay text even where they look like numbers.

    Raises PetiteError when the file is missing or is not a table.
    """
    if not Path(path).is_file():
        raise PetiteError(f"the file {path} is missing. Run the training that makes it.")
    try:
        header = pd.read_csv(path, nrows=0).columns
        return pd.read_csv(
            path,
            dtype={column: str for column in TEXT_COLUMNS if column in header},
            keep_default_na=False,
            na_values={column: ["", "nan"] for column in header if column not in TEXT_COLUMNS},
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise PetiteError(
            f"{path} is not a whole table ({error}). Delete it and train again."
        ) from error


def _check_seeds(path: Path, seeds: pd.Series) -> None:
    """A file named seeds-{first}-{last} must hold just these seeds."""
    match = re.search(r"seeds-(\d+)-(\d+)", Path(path).name)
    if not match:
        return
    expected = set(range(int(match[1]), int(match[2]) + 1))
    if missing := sorted(expected - set(seeds)):
        raise PetiteError(
            f"{path} has no run of seed {', '.join(map(str, missing))}. Delete it and train again."
        )
    if extra := sorted(set(seeds) - expected):
        raise PetiteError(
            f"{path} holds seed {', '.join(map(str, extra))}, which its name does not say. "
            "Delete it and train again."
        )


def collect(runs: Sequence[Path], histories: Sequence[Path]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Gather the runs and the histories of all training jobs into two tables.

    The rows stand in one order (see `ordered`) whatever the order of the files. Raises PetiteError
    when a file is missing or cut, when it lacks a seed that its name promises, when a run is
    there twice, or when a run has no history or a history no run.
    """
    if not runs:
        raise PetiteError("there are no runs to summarize. Train at least one model first.")
    run_tables, history_tables = [], []
    for path in runs:
        table = read_csv(path)
        _check_seeds(path, table["training_seed"])
        run_tables.append(table)
    for path in histories:
        table = read_csv(path)
        _check_seeds(path, table["seed"])
        history_tables.append(table)
    all_runs = pd.concat(run_tables, ignore_index=True)
    _check_runs(all_runs)
    all_histories = pd.concat(history_tables, ignore_index=True) if histories else pd.DataFrame()
    trained = _run_names(all_runs, "training_seed")
    recorded = _run_names(all_histories, "seed") if histories else set()
    if unmatched := sorted(trained ^ recorded):
        method, fraction, seed = unmatched[0]
        raise PetiteError(
            f"{method} at fraction {fraction:g}, seed {seed}, has "
            + ("a run but no history. " if unmatched[0] in trained else "a history but no run. ")
            + "Give the files of both for every training job."
        )
    repeated = all_histories[all_histories.duplicated(["method", "fraction", "seed", "step"])]
    if not repeated.empty:
        first = repeated.iloc[0]
        raise PetiteError(
            f"the history of {first['method']} at fraction {first['fraction']:g}, seed "
            f"{first['seed']}, has step {first['step']} twice. Give each file once."
        )
    return (
        ordered(all_runs, [*PAIR, "selection_seed"]),
        ordered(all_histories, ["seed", "step"]),
    )


def _run_names(frame: pd.DataFrame, seed: str) -> set[tuple[str, float, int]]:
    return set(frame[["method", "fraction", seed]].itertuples(index=False, name=None))


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
    text = _signed(row["difference_mean"])
    if np.isnan(row["difference_low"]):
        return text
    return f"{text} [{_signed(row['difference_low'])}, {_signed(row['difference_high'])}]"


def _signed(share: float) -> str:
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
