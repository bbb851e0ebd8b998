"""What each method and fraction costs, the accuracy for it, and when the search has paid."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import pandas as pd

from petite.evaluation.recommendation import Kept, Ledger
from petite.evaluation.runs import (
    FULL,
    check_runs,
    images_of_full,
    ordered,
    paired_differences,
)
from petite.evaluation.statistics import mean_interval
from petite.training.judges import judge_named
from petite.util.encoded_names import method_of


@dataclass(frozen=True)
class Embedding:
    """What embedding the images took, and which seconds of the runs contain it.

    Attributes
    ----------
    seconds : float
        Of all images, in each encoding that is embedded.
    of_training : float
        Of the original training images.
    methods : frozenset of str
        Labels of the methods whose selection, apart from the proxy, contains `of_training`.
    of_proxy : bool
        Whether a training of the proxy contains it.
    """

    seconds: float = 0.0
    of_training: float = 0.0
    methods: frozenset[str] = frozenset()
    of_proxy: bool = False

    def is_used(self, runs: pd.DataFrame) -> bool:
        """Whether the runs of a judge needed the embeddings."""
        return bool(
            any(judge_named(name).reads_embeddings for name in runs["judge"].unique())
            or runs["method"].map(method_of).isin(self.methods).any()
            or (self.of_proxy and (runs["proxy_seconds"] > 0).any())
        )


NO_EMBEDDING = Embedding()
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
TEACHER = "teacher_seconds"  # a column of runs with soft labels


def cost_ledger(runs: pd.DataFrame) -> pd.DataFrame:
    """A row for each method and fraction of `runs` (the table of runs.csv), in reading order.

    The columns are COST_COLUMNS. Seconds are means over the runs:

    - `select_seconds`: of one selection, including all features and the proxy that it needs, as if
      no other method used them. `proxy_seconds` is the part of the proxy.
    - `train_seconds`: of one training run. `total_seconds`: of selection and training.
    - `teacher_seconds`: of the teacher, if the runs have soft labels. It is a part of
      `total_seconds`, as if no other method used it.

    `peak_memory_bytes` is the maximum over the training processes, each with all of its runs.
    `stored_bytes` is the size of the subset's images and soft labels. `points_per_second` and
    `points_per_megabyte` are percentage points of accuracy per second of selection and training
    and per 10**6 bytes.
    `*_of_full` are fractions of the full set's values; NaN if it was not trained.

    Raises PetiteError if the runs cannot be summarized together.
    """
    check_runs(runs)
    rows = []
    for key, group in runs.groupby(["method", "fraction"]):
        parts = ["select_seconds", "proxy_seconds", "train_seconds"]
        if TEACHER in runs:
            parts.append(TEACHER)
        seconds = group[parts].mean(skipna=False)
        total = seconds.drop("proxy_seconds").sum(skipna=False)
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
    columns = list(COST_COLUMNS)
    if TEACHER in runs:
        columns.insert(columns.index("total_seconds"), TEACHER)
    return table[columns]


def break_even(
    runs: pd.DataFrame,
    kept: Kept | None,
    embedding: Embedding = NO_EMBEDDING,
    other_splits: Iterable[pd.DataFrame] = (),
) -> Ledger:
    """What the search for a subset cost, and what each later training on it saves.

    The search is all trainings in all splits, and the selections as `cost_ledger` counts them, with
    their features: once for each method, and the proxy once for each selection seed. A teacher is
    counted once for each split, and embedding the images once. The start of jobs, encoding images,
    figures and pages are not counted.

    Parameters
    ----------
    runs : DataFrame
        The table of runs.csv.
    kept : Kept or None
        What is recommended; None if nothing is.
    embedding : Embedding
    other_splits : iterable of DataFrame
        The runs of the same judge in each other split.

    Returns
    -------
    Ledger
    """
    splits = [runs, *other_splits]
    search = sum(_searched(one, embedding) for one in splits)
    embedded = embedding.seconds if embedding.is_used(runs) else 0.0
    search_seconds = None if math.isnan(search) else search + embedded
    same_steps = bool(runs["budget"].astype(str).str.endswith("steps").all())
    ledger = Ledger(
        sum(map(len, splits)),
        search_seconds,
        same_steps,
        splits=len(splits),
        embedding_seconds=embedded,
    )
    if kept is None or kept.method == FULL:
        return ledger
    of_subset = runs[(runs["method"] == kept.method) & (runs["fraction"] == kept.fraction)]
    of_full = runs[runs["method"] == FULL]
    ledger = replace(
        ledger,
        images=kept.images,
        stored_bytes=round(_bytes(of_subset, runs).mean()),
        seconds=float(of_subset["train_seconds"].mean()),
    )
    if of_full.empty or search_seconds is None:
        return ledger
    full_seconds = float(of_full["train_seconds"].mean())
    at_equal_epochs = full_seconds * (1 - of_subset["rows"].mean() / of_full["rows"].mean())
    saved = 0.0 if same_steps else _shown_to_save(runs, kept)
    return replace(
        ledger,
        full_images=images_of_full(runs),
        full_stored_bytes=round((_bytes(of_full, runs) / of_full.get("share", 1.0)).mean()),
        full_seconds=full_seconds,
        saved_seconds=saved,
        break_even=_trainings(search_seconds, saved),
        epochs_saved_seconds=at_equal_epochs if same_steps else None,
        epochs_break_even=_trainings(search_seconds, at_equal_epochs) if same_steps else None,
    )


def _searched(runs: pd.DataFrame, embedding: Embedding) -> float:
    """The seconds of the trainings and selections of a split, without embedding its images."""
    proxies = runs.groupby("selection_seed")["proxy_seconds"].max()
    if embedding.of_proxy:
        proxies = (proxies - embedding.of_training).clip(lower=0)
    selecting = runs["select_seconds"] - runs["proxy_seconds"]
    of_methods = selecting.groupby(runs["method"].map(method_of)).max()
    without = (of_methods - embedding.of_training).clip(lower=0)
    of_methods = of_methods.where(~of_methods.index.isin(embedding.methods), without)
    teacher = runs[TEACHER].max() if TEACHER in runs else 0.0
    search = runs["train_seconds"].sum(skipna=False) + proxies.sum() + of_methods.sum()
    return float(search + teacher)


def _bytes(some: pd.DataFrame, runs: pd.DataFrame) -> pd.Series:
    """What the images of some runs take: as files if that is known of all, else as pixels."""
    is_known = "bytes" in runs and runs["bytes"].notna().all()
    return some["bytes"] if is_known else some["stored_bytes"]


def _shown_to_save(runs: pd.DataFrame, kept: Kept) -> float:
    """The seconds that a training on a subset saves; 0 if its interval contains 0."""
    saved = -paired_differences(runs, kept.method, kept.fraction, FULL, "train_seconds")
    if not len(saved) or mean_interval(saved).low <= 0:
        return 0.0
    return max(float(saved.mean()), 0.0)


def _trainings(search: float, saved: float) -> int | None:
    """After how many trainings a search has paid; None for never."""
    return math.ceil(search / saved) if saved > 0 else None
