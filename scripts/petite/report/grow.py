"""The page that shows which new images to add to those kept, and what they gain."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from petite.data.store import Store
from petite.evaluation.gains import ALL, KEPT, NOT_COMPARED, ORDER, RANDOM
from petite.report.contact_sheet import LONGEST_PATH, contact_sheet, distance
from petite.report.page import environment
from petite.report.words import name as plain_name
from petite.training.grow_list import OF_KEPT, ListRecord
from petite.training.judges import PROBE, words_of
from petite.util.formatting import (
    number,
    percent,
    probability,
    signed,
    signed_bracketed,
)

HEADER = (
    "case", "judge", "added", "against", "difference", "95%: new seeds",
    "95%: new seeds and images", "p, Holm", "verdict",
)  # fmt: skip
CASES = {ORDER: "first", RANDOM: "random", ALL: "all"}


@dataclass(frozen=True)
class Inputs:
    """What the page shows.

    Attributes
    ----------
    images : DataFrame
        See `petite.training.grow_list.grow_list`.
    record : ListRecord
    gains : DataFrame
        See `petite.evaluation.gains.gains`, of all judges.
    answer : list of str
        In words.
    store : Store
        Of the old and the new images.
    notices : list of str
    name : str
        Of the results.
    folder : str
        The name of the folder of new images.
    kept : str
        The subset that is kept, such as random:0.1.
    method : str
        The name of the method in the configuration.
    compared : str
        What it compares, such as "their pixels".
    pool_share : float
        The share of the new images that the probe draws.
    """

    images: pd.DataFrame
    record: ListRecord
    gains: pd.DataFrame
    answer: list[str]
    store: Store
    notices: list[str]
    name: str
    folder: str
    kept: str
    method: str
    compared: str
    pool_share: float


def page(inputs: Inputs) -> str:
    """The HTML of the page, which contains everything it shows."""
    return environment().get_template("grow/page.html").render(sections(inputs))


def sections(inputs: Inputs) -> dict[str, Any]:
    """The variables of the template."""
    record = inputs.record
    added = inputs.images[inputs.images["set_aside"] == ""]
    aside = inputs.images[inputs.images["set_aside"] != ""]
    return {
        **contact_sheet(added, inputs.store, lines),
        "dataset": inputs.name,
        "folder": inputs.folder,
        "kept": inputs.kept,
        "method": inputs.method,
        "compared": inputs.compared,
        "answer": inputs.answer,
        "facts": [
            ("kept images", number(record["kept"])),
            ("new files", number(len(inputs.images))),
            ("set aside", number(len(aside))),
            ("can be added", number(record["new"])),
        ],
        "header": HEADER,
        "gains": [_row(row) for _, row in inputs.gains.iterrows()],
        "by_probe": PROBE in set(inputs.gains["judge"]),
        "drawn": percent(inputs.pool_share),
        "kept_count": number(record["kept"]),
        "usual_distance": distance(record["usual_distance"]),
        "aside": [
            (kind, number(len(rows)), str(rows["file"].iloc[0]))
            for kind, rows in aside.groupby("set_aside", sort=False)
        ],
        "notices": list(dict.fromkeys(inputs.notices)),
    }


def _row(row: pd.Series) -> tuple[str, ...]:
    return (
        "all drawn" if row["case"] == ALL and row["judge"] == PROBE else CASES[row["case"]],
        words_of(row["judge"]),
        number(row["added"]),
        "kept alone" if row["against"] == KEPT else "random",
        signed(row["difference"]),
        signed_bracketed(row["low"], row["high"]),
        signed_bracketed(row["new_images_low"], row["new_images_high"]),
        "" if row["verdict"] == NOT_COMPARED else probability(row["p_adjusted"]),
        row["verdict"],
    )


def lines(row: dict[str, Any], ranks: dict[str, int]) -> list[str]:
    """What is said of an image: the nearest one, and its distance."""
    if row["nearest_is"] == OF_KEPT:
        nearest = f"kept {plain_name(row['nearest'], LONGEST_PATH)}"
    else:
        nearest = f"no. {ranks[row['nearest']]}"
    return [f"nearest: {nearest}, at {distance(row['distance'])}"]
