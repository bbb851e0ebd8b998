"""The whole report: the values of all sections, rendered by the templates."""

import petite.plots.plain_matplotlib  # noqa: F401  # isort: skip  # before Matplotlib

import json
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from petite.evaluation.metrics import compared_metric
from petite.report import (
    answer,
    chart,
    checks,
    classes,
    galleries,
    judges,
    making,
    models,
    palette,
    plane,
    sprites,
    table,
    words,
)
from petite.report.inputs import Inputs
from petite.util.formatting import number, percent, points
from petite.util.names import isolated_words, printable, shortened

TEMPLATES = Path(__file__).parent / "templates"


def page(inputs: Inputs) -> str:
    """The HTML of the report, which contains everything it shows."""
    return environment().get_template("page.html").render(sections(inputs))


def sections(inputs: Inputs) -> dict[str, Any]:
    """The variables of the templates."""
    tolerance = inputs.config.get("evidence", {}).get("tolerance")
    methods = list(dict.fromkeys(inputs.summary["method"]))
    shown = plane.plane(inputs)
    pictured, case = shown["pictured"], shown["case"]
    train = inputs.train["image_id"].iloc[pictured]
    sheet = sprites.sheet(sprites.thumbnails(inputs.store.images(train)))
    return {
        "dataset": inputs.dataset,
        "answer": answer.answer(inputs.recommendation),
        "judges": judges.judges(inputs, tolerance),
        "notices": list(dict.fromkeys(inputs.notices)),
        "warnings": [*answer.warnings(inputs), *checks.cue_warnings(inputs)],
        "facts": answer.facts(inputs),
        "charts": chart.accuracy_charts(inputs, tolerance),
        "bytes_charts": chart.bytes_charts(inputs),
        "legend": chart.legend(inputs.summary),
        "tolerance": tolerance,
        "tolerance_words": f"within {points(tolerance)}" if tolerance else "",
        "metric": compared_metric(inputs.summary).words,
        "table": table.table(inputs),
        "plane": shown,
        "plane_data": {**shown["data"], "columns": sheet.columns},
        "plane_sheet": sheet,
        "picks": galleries.picks(inputs, case, pictured, sheet),
        "picks_share": percent(case.fraction) if case else "",
        "across": galleries.ACROSS,
        "class_names": inputs.store.classes,
        "classes_all": len(inputs.store.classes) <= classes.MOST_SHOWN,
        "classes_shown": classes.MOST_SHOWN // 2,
        "class_count": number(len(inputs.store.classes)),
        "class_count_left": number(len(inputs.store.classes) - classes.MOST_SHOWN),
        "pictured_all": len(pictured) == len(inputs.train),
        "pictured_count": number(len(pictured)),
        "points_all": shown["points"] == len(inputs.train),
        "points_count": number(shown["points"]),
        "train_count": number(len(inputs.train)),
        "galleries": galleries.galleries(inputs),
        "checks": checks.checks(inputs, case),
        "models": models.models(inputs),
        "bokeh": plane.scripts(),
        "making": making.making(inputs),
        "drawn_colors": palette.drawn_colors(),
        "method_colors": palette.method_colors(methods),
        "class_colors": palette.class_colors(len(inputs.store.classes)),
    }


@cache
def environment() -> Environment:
    """Jinja2 for the report: all values are escaped, and a missing one is an error."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["data"] = as_data
    made.filters["isolated_words"] = isolated_words
    made.filters["named"] = named
    made.filters["plainly"] = partial(words.name, length=plane.LONGEST_PATH)
    made.globals["inline"] = inline
    return made


def as_data(value: Any) -> Markup:
    """A value as JSON for a script element, where "</script>" must not occur."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


def named(text: str, length: int = words.LONGEST_NAME) -> Markup:
    """A name from the user's files: shortened, with the whole name as a tooltip, and isolated.

    Without isolation, a name that is written from right to left moves the numbers next to it.
    """
    short = shortened(text, length)
    title = Markup(' title="{}"').format(text) if short != printable(text) else ""
    # A path may break after its slashes.
    return Markup("<bdi{}>{}</bdi>").format(title, escape(short).replace("/", Markup("/<wbr>")))


def inline(name: str) -> Markup:
    """A file of the templates' folder as it is: styles and script are part of the report."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))
