"""The page that shows which images of a pool without labels to label next."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from petite.data.pool import EXACT
from petite.data.store import Store
from petite.plots.samples import reason_kind
from petite.report.contact_sheet import LONGEST_PATH, contact_sheet, distance
from petite.report.page import environment
from petite.report.words import name as plain_name
from petite.training.label_next import LABELED, ChoiceRecord
from petite.util.formatting import counted, number


@dataclass(frozen=True)
class Inputs:
    """What the page shows.

    Attributes
    ----------
    chosen : DataFrame
        See `petite.training.label_next.choose_next`.
    record : ChoiceRecord
    pool : Store
    labeled : Store or None
        None if no image has a label.
    notices : list of str
        Of reading the pool.
    name : str
        Of the results.
    folder : str
        The name of the pool's folder.
    method : str
        The name of the method in the configuration.
    backbone : str
        The network whose embeddings were compared.
    """

    chosen: pd.DataFrame
    record: ChoiceRecord
    pool: Store
    labeled: Store | None
    notices: list[str]
    name: str
    folder: str
    method: str
    backbone: str


def page(inputs: Inputs) -> str:
    """The HTML of the page, which contains everything it shows."""
    return environment().get_template("pool/page.html").render(sections(inputs))


def sections(inputs: Inputs) -> dict[str, Any]:
    """The variables of the template."""
    record = inputs.record
    return {
        **contact_sheet(inputs.chosen, inputs.pool, lines),
        "dataset": inputs.name,
        "folder": inputs.folder,
        "method": inputs.method,
        "record": record,
        "facts": facts(inputs),
        "compared": compared(inputs),
        "labeled": number(record["labeled"]) if inputs.labeled else "",
        "usual_distance": distance(record["usual_distance"]),
        "notices": list(dict.fromkeys(inputs.notices)),
        "unread": unread(inputs.pool),
    }


def facts(inputs: Inputs) -> list[tuple[str, str]]:
    """What the pool has: names and numbers."""
    record, index = inputs.record, inputs.pool.index
    found = [
        ("files", number(len(index))),
        ("not readable", number(int((index["status"] != "ok").sum()))),
        ("duplicates of labeled images", number(record["copies_of_labeled"])),
        ("duplicates of each other", number(record["copies_in_pool"])),
        ("could be chosen", number(record["candidates"])),
        ("chosen", number(record["images"])),
    ]
    if inputs.labeled is None:
        del found[2]
    return found


def compared(inputs: Inputs) -> str:
    """What the images were compared by."""
    if inputs.record["space"] == "backbone":
        return f"the embeddings of {inputs.backbone}"
    return "their pixels"


def unread(pool: Store) -> list[tuple[str, str]]:
    """The files that are set aside, by reason."""
    reasons = pool.index.loc[pool.index["status"] != "ok", "reason"].map(reason_kind)
    return [(str(kind), number(count)) for kind, count in reasons.value_counts().items()]


def lines(row: dict[str, Any], ranks: dict[str, int]) -> list[str]:
    """What is said of a chosen image."""
    said = []
    if "value" in row:
        said.append(f"uncertainty {row['value']:.3f}")
    if row["nearest"]:
        if row["nearest_is"] == LABELED:
            nearest = f"nearest: labeled {plain_name(row['nearest'], LONGEST_PATH)}"
        else:
            nearest = f"nearest: no. {ranks[row['nearest']]}"
        said.append(f"{nearest}, at {distance(row['distance'])}")
    if row["copies"]:
        said.append(f"{counted(row['copies'], 'duplicate')} in the pool")
    if row["copy_of"]:
        kind = "duplicate" if row["copy"] == EXACT else "near duplicate"
        said.append(f"{kind} of {plain_name(row['copy_of'], LONGEST_PATH)}")
    return said
