"""The page of a run that is at work."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

import pandas as pd

from petite.report.page import environment
from petite.util.formatting import in_percent, percent

# Of the figures, those that show how accuracy depends on the size come first.
FIRST = "accuracy"


class Progress(TypedDict):
    """How far a run is, as it writes it: see petite_logger_plugin.handler."""

    said: str
    running: list[str]


def page(name: str, results: Path, table: pd.DataFrame, progress: Progress | None) -> str:
    """The HTML of the page.

    Parameters
    ----------
    name : str
        Of the results.
    results : Path
    table : DataFrame
        See `petite.watch.so_far.SoFar.table`.
    progress : Progress or None
        None if no run is at work.
    """
    figures = sorted(path.name for path in results.glob("figures/*.svg"))
    values: Mapping[str, object] = {
        "dataset": name,
        "progress": progress,
        "has_report": (results / "report.html").is_file(),
        "judges": [
            (judge, part["metric"].iloc[0], rows(part))
            for judge, part in table.groupby("judge", sort=False)
        ],
        "figures": sorted(figures, key=lambda file: not file.startswith(FIRST)),
    }
    return environment().get_template("watch.html").render(values)


def rows(table: pd.DataFrame) -> list[tuple[str, ...]]:
    """The cells of each row of a judge's table."""
    columns = ["method", "fraction", "images", "done", "seeds", "score"]
    return [
        (method, percent(share), in_percent(score), f"{done} of {seeds}", f"{images:,}")
        for method, share, images, done, seeds, score in zip(
            *(table[column] for column in columns), strict=True
        )
    ]
