"""What each method and fraction took, and how much accuracy that bought."""

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

    The columns are COST_COLUMNS. `select_seconds` are of one selection, the features and the proxy
    that it needs included: each is counted whole, as if nothing else used it. `proxy_seconds` are
    the proxy's part of them. `train_seconds` are of one training, `total_seconds` of selection and
    training; all are means over the runs. `peak_memory_bytes` is
    the most that any training process took; one that does several runs in turn never gives back
    what an earlier one took. `stored_bytes` are of the subset's images.

    `points_per_second` and `points_per_megabyte` are percentage points of accuracy for each second
    of selection and training and for each 10**6 bytes stored. `*_of_full` are shares of what the
    full set has; NaN where it was not trained.

    Raises PetiteError where the runs do not make one table.
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
