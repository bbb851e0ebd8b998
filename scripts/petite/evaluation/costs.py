"""What each method and fraction costs, and the accuracy for it."""

import pandas as pd

from petite.evaluation.runs import FULL, check_runs, ordered

COST_COLUMNS = [
    "method",
    "fraction",
    "images",
    "runs",
    "accuracy",
    "select_seconds",
    "proxy_seconds",
    "train_seconds",
    "total_seconds",
    "peak_memory_bytes",
    "stored_bytes",
    "points_per_second",
    "points_per_megabyte",
    "accuracy_of_full",
    "seconds_of_full",
    "bytes_of_full",
]


def cost_ledger(runs: pd.DataFrame) -> pd.DataFrame:
    """A row for each method and fraction of `runs` (the table of runs.csv), in reading order.

    The columns are COST_COLUMNS. Seconds are means over the runs:

    - `select_seconds`: of one selection, including all features and the proxy that it needs, as if
      no other method used them. `proxy_seconds` is the part of the proxy.
    - `train_seconds`: of one training run. `total_seconds`: of selection and training.

    `peak_memory_bytes` is the maximum over the training processes, each with all of its runs.
    `stored_bytes` is the size of the subset's images. `points_per_second` and `points_per_megabyte`
    are percentage points of accuracy per second of selection and training and per 10**6 bytes.
    `*_of_full` are fractions of the full set's values; NaN if it was not trained.

    Raises PetiteError if the runs cannot be summarized together.
    """
    check_runs(runs)
    rows = []
    for key, group in runs.groupby(["method", "fraction"]):
        seconds = group[["select_seconds", "proxy_seconds", "train_seconds"]].mean(skipna=False)
        total = seconds["select_seconds"] + seconds["train_seconds"]
        accuracy, stored = group["accuracy"].mean(), group["stored_bytes"].mean()
        rows.append(
            {
                "method": str(key[0]),
                "fraction": float(str(key[1])),
                "images": round(group["images"].mean()),
                "runs": len(group),
                "accuracy": accuracy,
                **seconds,
                "total_seconds": total,
                "peak_memory_bytes": group["peak_memory_bytes"].max(skipna=False),
                "stored_bytes": round(stored),
                "points_per_second": 100 * accuracy / total,
                "points_per_megabyte": 100 * accuracy / (stored / 1e6),
            }
        )
    table = ordered(pd.DataFrame(rows))
    of_full = {
        "accuracy_of_full": "accuracy",
        "seconds_of_full": "total_seconds",
        "bytes_of_full": "stored_bytes",
    }
    full = table[table["method"] == FULL]
    for name, column in of_full.items():
        table[name] = table[column] / (full[column].iloc[0] if len(full) else float("nan"))
    return table[COST_COLUMNS]
