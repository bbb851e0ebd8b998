"""report.json: what the page shows, as data."""

import json
import re
from dataclasses import asdict, replace
from html import unescape
from itertools import chain
from pathlib import Path
from typing import Any, get_type_hints

import pandas as pd
import pytest
from pydantic import TypeAdapter
from test_report import invented_run

from petite.report import data
from petite.report.inputs import Inputs
from petite.report.page import rendered, sections
from petite.util.files import read_json, write_json
from petite.util.formatting import byte_size, in_percent, measured_time, number

DOCS = Path(__file__).resolve().parents[3] / "docs/results-in-python.md"
# Drawings, what lays out the page, and the table, whose rows are in the summary.
NOT_IN_DATA = {
    *("charts", "bytes_charts", "legend", "bokeh", "plane", "plane_data", "plane_sheet", "table"),
    *("drawn_colors", "method_colors", "class_colors", "picks", "picks_share", "across"),
    *("classes_all", "classes_shown", "class_count", "class_count_left", "tolerance_words"),
    *("pictured_all", "pictured_count", "points_all", "points_count", "train_count"),
}


def refused(constant: str) -> None:
    raise AssertionError(constant)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return invented_run(tmp_path_factory.mktemp("run"), notices=["Links: followed."])


@pytest.fixture(scope="module")
def values(inputs: Inputs) -> dict[str, Any]:
    return sections(inputs)


@pytest.fixture(scope="module")
def report(
    inputs: Inputs, values: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("data") / "report.json"
    write_json(path, asdict(data.report_data(inputs, values)))
    found: dict[str, Any] = json.loads(path.read_text("utf-8"), parse_constant=refused)
    return found


def test_the_file_has_the_schema(report: dict[str, Any]) -> None:
    adapter = TypeAdapter(data.Report)
    found = adapter.validate_json(json.dumps(report), strict=True, extra="forbid")
    assert found.schema == data.SCHEMA


def test_the_docs_list_its_keys() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", DOCS.read_text("utf-8"), re.MULTILINE)
    assert [row for row in rows if row in get_type_hints(data.Report)] == list(
        get_type_hints(data.Report)
    )


def test_every_variable_of_the_page_is_in_it_or_known_as_a_drawing(
    inputs: Inputs, values: dict[str, Any]
) -> None:
    used = set()

    class Recorded(dict[str, Any]):
        def __getitem__(self, name: str) -> Any:
            used.add(name)
            return super().__getitem__(name)

    data.report_data(inputs, Recorded(values))
    assert used | NOT_IN_DATA == set(values)
    assert not used & NOT_IN_DATA


def test_the_words_are_those_of_the_page(values: dict[str, Any], report: dict[str, Any]) -> None:
    page = re.sub(r"<script.*?</script>", "", rendered(values), flags=re.DOTALL)
    page = " ".join(unescape(re.sub(r"<[^>]+>", "", page)).split())
    (judge,) = report["judges"]
    sentences = [judge["headline"], *judge["grounds"], *judge["warnings"], *report["notices"]]
    for part in judge["sections"]:
        sentences += [part["title"], *part["sentences"]]
    for table in judge["tables"]:
        sentences += [table["title"], table["note"], *table["header"], *chain(*table["rows"])]
    sentences += [*report["facts"].values(), *report["making"]["facts"].values()]
    for model in report["models"]:
        sentences += [model["name"], *model["numbers"], *model["numbers"].values()]
    for tile in report["images"]["misclassified"]["shown"]:
        sentences += [tile["words"]]
    assert len(sentences) > 100
    for sentence in sentences:
        assert " ".join(sentence.split()).rstrip(".") in page


def test_the_rows_of_the_table_have_the_numbers_that_the_page_rounds(
    values: dict[str, Any], report: dict[str, Any]
) -> None:
    (judge,) = report["judges"]
    verdicts = {(row["method"], row["fraction"]): row for row in judge["verdicts"]}
    for row, shown in zip(judge["summary"], values["table"]["rows"], strict=True):
        assert number(row["images"]) == shown["images"]
        assert in_percent(row["accuracy_mean"]) == shown["accuracy"]
        assert measured_time(row["train_seconds_mean"]) == shown["train"]
        if shown["verdict"]:
            assert verdicts[row["method"], row["fraction"]]["verdict"] == shown["verdict"]
    memory = [byte_size(row["peak_memory_bytes"]) for row in judge["costs"]]
    assert sorted(memory) == sorted(row["memory"] for row in values["models"]["costs"])


def test_unknown_numbers_are_null_and_names_are_text(tmp_path: Path) -> None:
    inputs = invented_run(tmp_path, method="007")
    (judge,) = data.report_data(inputs, sections(inputs)).judges
    assert [row["method"] for row in judge.summary] == ["full", "random", "random", "007"]
    assert judge.summary[0]["difference_mean"] is None


def test_each_judge_has_its_own_answer_and_rows(inputs: Inputs, tmp_path: Path) -> None:
    tables = dict(inputs.tables)
    for name, path in inputs.tables.items():
        tables[name] = tmp_path / name
        if name.endswith(".csv"):
            both = pd.read_csv(path)
            probe = both.assign(judge="probe")
            pd.concat([both, probe]).to_csv(tables[name], index=False)
        else:
            answers = read_json(path)
            answers["judges"]["probe"] = answers["judges"]["scratch"]
            tables[name].write_text(json.dumps(answers), "utf-8")
    mixed = replace(inputs, tables=tables)
    report = data.report_data(mixed, sections(mixed))
    assert report.agreement
    assert [judge.name for judge in report.judges] == ["scratch", "probe"]
    for judge in report.judges:
        assert {row["judge"] for row in judge.summary} == {judge.name}
