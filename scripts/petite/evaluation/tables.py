"""The summary as tables for people to read: a page of Markdown, and text for the terminal."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from petite.evaluation.metrics import ACCURACY, BALANCED, METRICS, compared_metric
from petite.evaluation.runs import SEEN, network_bytes
from petite.evaluation.sentences import network_in_words
from petite.evaluation.shares import is_other_share, kept, why_other_share
from petite.evaluation.statistics import ENOUGH_RUNS
from petite.util.formatting import (
    NOTHING,
    bracketed,
    byte_size,
    in_percent,
    megabytes,
    number,
    percent,
    plural,
    rounded_percent,
    seconds,
    signed,
    signed_bracketed,
)

STORED = "stored, MB"  # the pixels
FILES = "files"  # the bytes of encoded images and of the originals
FILES_NOTE = "Files: the bytes of the images, their index, and weights if they differ."


def markdown_rows(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table of Markdown whose first column holds names, the others numbers."""
    lines = ["| " + " | ".join(header) + " |", "|:--|" + "--:|" * (len(header) - 1)]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows)]


def _heading(metric: str) -> str:
    return f"{METRICS[metric].words}, %"


def _measured(row: pd.Series, metric: str) -> str:
    mean, low, high = (row[f"{metric}_{name}"] for name in ("mean", "low", "high"))
    return f"{in_percent(mean)} {bracketed(low, high)}".strip()


def _difference(row: pd.Series) -> str:
    bounds = signed_bracketed(row["difference_low"], row["difference_high"])
    return f"{signed(row['difference_mean'])} {bounds}".strip()


def _cells(summary: pd.DataFrame) -> pd.DataFrame:
    """The summary as text, one column for each heading."""
    return pd.DataFrame(
        [
            {
                "method": row["method"],
                "fraction": kept(row["fraction"], row["share"]),
                "images": number(row["images"]),
                **({"seen": rounded_percent(row[SEEN])} if SEEN in row else {}),
                "runs": f"{row['runs']}",
                **{_heading(name): _measured(row, name) for name in METRICS},
                "worst class, %": in_percent(row["worst_class_accuracy_mean"]),
                "against random, points": _difference(row),
                **({"look": at_look(row["pairs"], row["look"])} if has_looks(summary) else {}),
                "loss": NOTHING if np.isnan(row["loss_mean"]) else f"{row['loss_mean']:.3f}",
                **(
                    {FILES: byte_size(row["bytes"])}
                    if "bytes" in row
                    else {STORED: megabytes(row["stored_bytes"])}
                ),
                "select, s": seconds(row["select_seconds_mean"]),
                "train, s": seconds(row["train_seconds_mean"]),
            }
            for _, row in summary.iterrows()
        ]
    )


# Below each table with methods that see fewer images than they keep.
SEEN_NOTE = "Seen: the share of the examples of a training that sees all images in each pass."
# Below each table of comparisons that has looks.
LOOK_NOTE = "Look: the look at which a comparison was decided or stopped, and its number of seeds."


def has_looks(summary: pd.DataFrame) -> bool:
    """Whether the comparisons of a summary were tested at looks."""
    return "look" in summary and bool(summary["look"].notna().any())


def at_look(seeds: float, look: float) -> str:
    """The look of a comparison and its seeds: "2 (10 seeds)"; a dash where there is none."""
    return NOTHING if np.isnan(look) else f"{look:.0f} ({seeds:.0f} seeds)"


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


def other_shares(summary: pd.DataFrame) -> str:
    """Why rows hold another share than their fraction; "" where none does."""
    shares = summary[["fraction", "share"]].itertuples(index=False, name=None)
    why = {why_other_share(*both) for both in shares if is_other_share(*both)}
    return f"Fraction (share): the share really kept, {' or '.join(sorted(why))}." if why else ""


def about_files(summary: pd.DataFrame) -> list[str]:
    """What the column `files` counts and what it does not; empty where there is none."""
    if "bytes" not in summary:
        return []
    network = network_bytes(summary)
    return [FILES_NOTE, *([f"{network_in_words(network)}."] if network else [])]


def markdown_table(summary: pd.DataFrame, dataset: str) -> str:
    """The summary (see `summarize`) of `dataset` as a page of Markdown."""
    cells = _cells(summary)
    lines = [
        f"# {dataset}: accuracy by training images kept",
        "",
        *markdown_rows(list(cells.columns), cells.itertuples(index=False, name=None)),
        "",
        "Brackets hold 95% intervals of the mean over runs (Student's t); differences are of "
        f"{compared_metric(summary).words} and paired, "
        "each run with the run of random at the same fraction, split and training seed. "
        "They cover other seeds, not other test images.",
    ]
    if files := about_files(summary):
        lines += ["", " ".join(files)]
    if has_looks(summary):
        lines += ["", LOOK_NOTE]
    if SEEN in summary:
        lines += ["", SEEN_NOTE]
    if why := other_shares(summary):
        lines += ["", why]
    if warning := _warning(summary):
        lines += ["", f"**{warning}**"]
    return "\n".join(lines) + "\n"


# What the terminal leaves out, to fit in 100 columns.
NOT_IN_TERMINAL = ["select, s", "loss", "worst class, %"]
SHORTER = {
    "against random, points": "against random",
    STORED: "MB",
    "balanced accuracy, %": "balanced, %",
}
TERMINAL_COLUMNS = 100
# What else is left out, in this order, as long as names have less than this width.
LESS_IMPORTANT, LEAST_FOR_NAMES = ("images", "runs", "look"), 20


def terminal_table(summary: pd.DataFrame, balanced: bool = False) -> str:
    """The summary as aligned text of at most 100 columns, for the end of a run.

    balanced: show balanced accuracy too, in place of the megabytes. The metric that is compared has
    its interval.
    """
    cells = _cells(summary).drop(columns=NOT_IN_TERMINAL)
    if FILES in cells:  # the names of encodings need the room
        cells = cells.drop(columns="train, s")
    metric = compared_metric(summary).name
    shown = {ACCURACY, metric} | ({BALANCED} if balanced else set())
    if len(shown) > 1 or has_looks(summary):
        cells = cells.drop(columns=STORED, errors="ignore")
    for name in METRICS:
        if name not in shown:
            cells = cells.drop(columns=_heading(name))
        elif name != metric:
            cells[_heading(name)] = [in_percent(share) for share in summary[f"{name}_mean"]]
    cells = cells.rename(columns=SHORTER)
    widths = {name: max(len(name), *cells[name].str.len()) for name in cells.columns}
    names = widths.pop("method")
    for name in LESS_IMPORTANT:
        if _left_for_names(widths) < min(names, LEAST_FOR_NAMES) and name in widths:
            del widths[name]
            cells = cells.drop(columns=name)
    widths = {"method": min(names, _left_for_names(widths)), **widths}
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
    of_metric = "" if metric == ACCURACY else f" of {METRICS[metric].words}"
    lines.append(
        f"[low, high]: 95% interval over runs. Against random: points{of_metric}, paired by seed."
    )
    lines += about_files(summary)
    if has_looks(summary):
        lines.append(LOOK_NOTE)
    if SEEN in summary:
        lines.append(SEEN_NOTE)
    if why := other_shares(summary):
        lines.append(why)
    if few:
        lines.append(
            f"{few} of {len(summary)} rows {plural(few, 'has', 'have')} fewer than "
            f"{ENOUGH_RUNS} runs: too few for a claim. Train more seeds."
        )
    return "\n".join(lines)


def _left_for_names(widths: Mapping[str, int]) -> int:
    """What columns of these widths leave of a line, with two spaces before each."""
    return TERMINAL_COLUMNS - sum(widths.values()) - 2 * len(widths)
