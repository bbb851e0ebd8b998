"""The report as data: report.json has what the page shows, except pictures and drawings.

Words and lists are those of the page. The rows of the tables have the numbers that the page rounds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from petite.report import checks, galleries
from petite.report.answer import Answer
from petite.report.inputs import Inputs

SCHEMA = 1

Record = dict[str, Any]


@dataclass(frozen=True)
class Section:
    """Sentences under a title."""

    title: str
    sentences: list[str]


@dataclass(frozen=True)
class Table:
    """A table of text cells."""

    title: str
    header: list[str]
    rows: list[list[str]]
    note: str


@dataclass(frozen=True)
class Judge:
    """What a judge found; the records are rows of the tables by column, null for unknown."""

    name: str
    metric: str
    headline: str
    grounds: list[str]
    sections: list[Section]
    tables: list[Table]
    warnings: list[str]
    summary: list[Record]
    verdicts: list[Record]
    costs: list[Record]


@dataclass(frozen=True)
class Image:
    """An image of a gallery, with its caption."""

    image_id: str
    words: str


@dataclass(frozen=True)
class Gallery:
    """What was found, how far to trust it, and groups of images."""

    found: str
    trust: str
    groups: list[list[Image]]


@dataclass(frozen=True)
class Checks:
    """What the checks found; null for one that was not made."""

    cues: Record | None
    label_errors: Gallery | None
    held_out_label_errors: Gallery | None
    near_duplicates: Gallery | None
    stand_ins: Gallery | None
    skipped: str


@dataclass(frozen=True)
class Images:
    """The images to check: their numbers, and those that the page shows."""

    excluded: Record
    leaking: Record
    duplicates: Record
    misclassified: Record


@dataclass(frozen=True)
class Model:
    """The models of a method at a fraction: means over the seeds, and what they confuse."""

    name: str
    method: str
    fraction: float
    numbers: dict[str, str]
    mistakes: Record | None


@dataclass(frozen=True)
class Making:
    """How to reproduce the run: facts by name, and the configuration."""

    facts: dict[str, str]
    config: Record


@dataclass(frozen=True)
class Report:
    """The contents of report.json."""

    schema: int
    dataset: str
    tolerance: float | None
    classes: list[str]
    facts: dict[str, str]
    notices: list[str]
    agreement: str
    judges: list[Judge]
    checks: Checks
    images: Images
    models: list[Model]
    making: Making


def report_data(inputs: Inputs, values: Mapping[str, Any]) -> Report:
    """The report as JSON values.

    Parameters
    ----------
    inputs : Inputs
    values : mapping
        The variables of the page, as `petite.report.page.sections` returns them.

    Returns
    -------
    Report
    """
    others = values["judges"]["others"]
    return Report(
        schema=SCHEMA,
        dataset=values["dataset"],
        tolerance=values["tolerance"],
        classes=values["class_names"],
        facts=dict(values["facts"]),
        notices=values["notices"],
        agreement=values["judges"]["agreement"],
        judges=[
            _judge(inputs, values["answer"], values["metric"], values["warnings"]),
            *(
                _judge(inputs.by(one["name"]), one["answer"], one["metric"], one["warnings"])
                for one in others
            ),
        ],
        checks=_checks(values["checks"]),
        images=_images(values["galleries"]),
        models=[
            Model(
                name=panel["name"],
                method=panel["method"],
                fraction=case.fraction,
                numbers=dict(panel["numbers"]),
                mistakes=panel["mistakes"],
            )
            for case, panel in zip(inputs.cases, values["models"]["panels"], strict=True)
        ],
        making=Making(facts=dict(values["making"]["facts"]), config=dict(inputs.config)),
    )


def _judge(inputs: Inputs, answer: Answer, metric: str, warnings: list[str]) -> Judge:
    return Judge(
        name=inputs.judge,
        metric=metric,
        headline=str(answer.headline),
        grounds=[str(sentence) for sentence in answer.grounds],
        sections=[
            Section(title=part.title, sentences=[str(sentence) for sentence in part.sentences])
            for part in (*answer.beside, answer.curve)
        ],
        tables=[
            Table(
                title=table.title,
                header=list(table.header),
                rows=[list(row) for row in table.rows],
                note=table.note,
            )
            for table in answer.tables
        ],
        warnings=warnings,
        summary=records(inputs.summary),
        verdicts=records(inputs.verdicts),
        costs=records(inputs.costs),
    )


def records(table: pd.DataFrame) -> list[Record]:
    """The rows of a table as JSON values; unknown values are None."""
    plain = table.astype(object).where(table.notna(), None)
    return [
        {
            str(name): value.item() if hasattr(value, "item") else value
            for name, value in row.items()
        }
        for row in plain.to_dict("records")
    ]


def _checks(values: checks.Checks) -> Checks:
    return Checks(
        cues=values["cues"] and dict(values["cues"]),
        label_errors=_gallery(values["errors"]),
        held_out_label_errors=_gallery(values["held_out"]),
        near_duplicates=_gallery(values["pairs"]),
        stand_ins=_gallery(values["stand_ins"]),
        skipped=values["skipped"],
    )


def _gallery(values: checks.Gallery | None) -> Gallery | None:
    if values is None:
        return None
    return Gallery(
        found=values["found"],
        trust=values["trust"],
        groups=[_tiles(group) for group in values["groups"]],
    )


def _tiles(tiles: Sequence[galleries.PlacedTile]) -> list[Image]:
    """The images of a gallery without their places in the sheet."""
    return [Image(image_id=tile["name"], words=tile["words"]) for tile in tiles]


def _images(values: galleries.Galleries) -> Images:
    excluded, leaking = values["excluded"], values["leaking"]
    repeated, wrong = values["duplicates"], values["wrong"]
    return Images(
        excluded={
            "count": excluded["count"],
            "of": excluded["of"],
            "beyond_limit": excluded["beyond"],
            "kinds": dict(excluded["kinds"]),
            "files": [
                {"image_id": image_id, "reason": reason} for image_id, reason in excluded["listed"]
            ],
            "more": excluded["more"],
        },
        leaking={
            "images": leaking["images"],
            "count": leaking["count"],
            "dropped": leaking["dropped"],
            "kept": leaking["kept"],
            "groups": [_tiles(group) for group in leaking["leaks"]],
        },
        duplicates={
            "images": repeated["images"],
            "count": repeated["count"],
            "groups": [_tiles(group) for group in repeated["groups"]],
        },
        misclassified={
            "by_all_models": wrong["all"],
            "models": wrong["models"],
            "images": wrong["images"],
            "shown": _tiles(wrong["tiles"]),
        },
    )
