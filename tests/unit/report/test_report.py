"""The report of a small invented run."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import yaml
from markupsafe import escape
from PIL import Image

from petite import config
from petite.data.given_split import LEAK_COLUMNS
from petite.data.sources import open_source
from petite.data.store import Store, shard_record, write_shard
from petite.evaluation.costs import cost_ledger
from petite.evaluation.decision import recommend
from petite.evaluation.recommendation import Answers
from petite.evaluation.summary import summarize
from petite.evaluation.verdicts import compare
from petite.evaluation.wording import Wording
from petite.plots import style
from petite.report import answer as answers
from petite.report import chart, galleries, making, models, palette, plane, sprites
from petite.report import classes as report_classes
from petite.report import table as tables
from petite.report.galleries import Tile
from petite.report.inputs import Case, Inputs, Predictions
from petite.report.page import page
from petite.report.words import name as in_a_sentence
from petite.subsets.seed_tables import write_seed_tables
from petite.util.errors import PetiteError
from petite.util.files import write_csv, write_json, write_table
from petite.util.formatting import MINUS

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
CLASSES = ["cat", "<dog>"]
IMAGES = 80
METHODS = {
    "full": {"fractions": [1]},
    "random": {"fractions": [0.5, 0.1]},
    "herding": {"fractions": [0.1]},
    "mine": {"score": "forgetting", "sampler": "ccs", "fractions": []},
}
GRIDS = [{"x0": -1, "y0": -1, "x1": 1, "y1": 1, "tiling": "rectangle", "side": 2, "label": 1}]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """A run of three methods on 80 images, 56 of them for training, with two seeds."""
    return invented_run(tmp_path_factory.mktemp("run"))


def invented_run(
    folder: Path,
    classes: Sequence[str] = CLASSES,
    images: int = IMAGES,
    method: str = "herding",
    **more: Any,
) -> Inputs:
    """A run on `images` images, of each class in turn; `more` goes into the Inputs.

    method: the name of herding.
    """
    gridded = Case(method, 0.1)
    methods = {name: entry for name, entry in METHODS.items() if name != "herding"}
    methods[method] = {"method": "herding"} | METHODS["herding"]
    index = write_store(folder / "store", classes, images)
    used = index[index["status"] == "ok"].reset_index(drop=True)
    split = used[["image_id", "label"]].assign(
        split=np.where(np.arange(len(used)) // len(classes) % 10 < 7, "train", "test")
    )
    train = split[split["split"] == "train"]
    test = split[split["split"] == "test"]
    random = np.random.default_rng(0)
    runs, history = [], []
    subsets, predictions = [], []
    for case in (Case("full", 1.0), Case("random", 0.5), Case("random", 0.1), gridded):
        kept = train.iloc[:: round(1 / case.fraction)]
        seeds = (0, 1) if case.method == "random" else (0,)
        those = [train.iloc[seed :: round(1 / case.fraction)] for seed in seeds]
        path = folder / "subsets" / case.method / f"{case.fraction:g}" / f"seeds-0-{seeds[-1]}"
        subsets.append(path.with_suffix(".parquet"))
        records = [{"seed": seed, "grids": GRIDS if case == gridded else []} for seed in seeds]
        kept_by_seed = [one.assign(origin=one["image_id"], recipe="") for one in those]
        write_seed_tables(subsets[-1], zip(kept_by_seed, records, strict=True))
        probabilities = random.dirichlet(np.ones(len(classes)), (2, len(test))).astype(np.float32)
        # All models get the first one wrong, by the next class.
        probabilities[:, 0] = np.eye(len(classes))[(test["label"].iloc[0] + 1) % len(classes)]
        path = (
            folder
            / "runs/scratch"
            / case.method
            / f"{case.fraction:g}"
            / "seeds-0-1.predictions.npz"
        )
        path.parent.mkdir(parents=True)
        np.savez(
            path,
            image_ids=test["image_id"].to_numpy(str),
            labels=test["label"].to_numpy(),
            probabilities=probabilities,
            seeds=np.array([0, 1]),
        )
        predictions.append(path)
        for seed in (0, 1):
            runs.append(invented_row(case, seed, len(kept)) | {"worst_class": classes[0]})
            history += [
                {
                    "judge": "scratch",
                    "method": case.method,
                    "fraction": case.fraction,
                    "seed": seed,
                    "step": step,
                    "accuracy": 0.5 + step / 40,
                    "validation_accuracy": 0.5 + step / 50,
                }
                for step in (5, 10)
            ]
    tables = {name: folder / name for name in ("runs.csv", "history.csv", "summary.csv")}
    write_csv(tables["runs.csv"], pd.DataFrame(runs))
    write_csv(tables["history.csv"], pd.DataFrame(history))
    write_csv(tables["summary.csv"], summarize(pd.DataFrame(runs)).assign(judge="scratch"))
    write_evidence(folder, pd.DataFrame(runs), tables)
    return Inputs(
        tables=tables,
        store=Store.open(folder / "store/manifest.json"),
        split=split,
        features=random.normal(size=(len(train), 3)).astype(np.float32),
        subsets=subsets,
        predictions=predictions,
        config=config.load({"methods": methods, "seeds": 2}).model_dump(mode="json"),
        **more,
    )


def write_evidence(folder: Path, runs: pd.DataFrame, tables: dict[str, Path]) -> None:
    """What of the tables compares the methods."""
    names = ("verdicts.csv", "costs.csv", "recommendation.json")
    tables |= {name: folder / name for name in names}
    verdicts = compare(runs, 0.01)
    write_csv(tables["verdicts.csv"], verdicts.assign(judge="scratch"))
    write_csv(tables["costs.csv"], cost_ledger(runs).assign(judge="scratch"))
    answers = Answers({"scratch": recommend(runs, verdicts, 0.01)})
    write_json(tables["recommendation.json"], answers.to_json())


def write_store(folder: Path, classes: Sequence[str], images: int) -> pd.DataFrame:
    """Images, of which the last is excluded and two are duplicates of each other."""
    pixels = np.random.default_rng(1).integers(0, 256, (images, 8, 8, 1)).astype(np.uint8)
    write_shard(folder / "shards/1.npy", pixels)
    numbers = np.arange(images)
    labels = numbers % len(classes)
    index = pd.DataFrame(
        {
            "image_id": [f"{classes[label]}/{n}" for n, label in enumerate(labels)],
            "class_name": [classes[label] for label in labels],
            "label": labels.astype(np.int16),
            "status": "ok",
            "reason": "",
            "shard": np.zeros(images, np.int32),
            "row": numbers,
            "copy_group": np.where(numbers == 2, 0, numbers),
        }
    )
    reason = f"label conflict: same as {classes[0]}/1"
    index.loc[images - 1, ["status", "reason"]] = ["set_aside", reason]
    index.loc[images - 1, ["shard", "row"]] = -1
    write_table(folder / "index.parquet", index)
    manifest = {
        "format": 1,
        "classes": list(classes),
        "image_size": 8,
        "channels": 1,
        "digest": "d1",
    }
    shards = [shard_record(folder / "shards/1.npy", folder)]
    write_json(folder / "manifest.json", manifest | {"shards": shards})
    return index


def invented_row(case: Case, seed: int, images: int) -> dict:
    return {
        "judge": "scratch",
        "dataset": "invented",
        "method": case.method,
        "fraction": case.fraction,
        "images": images,
        "split_seed": 0,
        "training_seed": seed,
        "selection_seed": seed,
        "model": "compact",
        "backend": "tensorflow",
        "budget": "10 steps",
        "precision": "float32",
        "batch_size": 8,
        "accuracy": 0.6 + 0.3 * case.fraction + 0.01 * seed,
        "loss": 0.4,
        "calibration_error": 0.05,
        "worst_class": "cat",
        "worst_class_accuracy": 0.5,
        "train_accuracy": 0.9,
        "train_seconds": 2.0,
        "select_seconds": 0.5,
        "proxy_seconds": 0.0,
        "peak_memory_bytes": 10**8,
        "stored_bytes": 64 * images,
        "parameters": 1000,
        "versions": json.dumps({"petite": "0.1.0"}),
    }


def test_the_report_is_one_file_that_refers_to_no_other(inputs):
    html = page(inputs)
    shown = re.sub(r"<script.*?</script>", "", html, flags=re.S)
    assert html.startswith("<!DOCTYPE html>")
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)[^"']+""", shown)
    assert not re.findall(r"url\((?!data:|#)", shown)
    assert len(html) < 5e6


def test_the_same_run_gives_the_same_bytes(inputs):
    # Bokeh numbers the parts of all drawings of a process; a job makes one.
    first, second = (re.sub(r'"p\d+"', '"p"', page(inputs)) for _ in range(2))
    assert first == second


def test_the_script_shows_each_notice_of_the_steps_once(tmp_path):
    inputs = invented_run(tmp_path / "run")
    write_table(tmp_path / "split.parquet", inputs.split)
    write_csv(tmp_path / "leaks.csv", inputs.leaks)
    np.save(tmp_path / "pixels.npy", inputs.features)
    for name, notices in (("listing", ["Links: followed."]), ("index", []), ("0", ["A <b>."] * 2)):
        write_json(tmp_path / f"{name}.json", {"notices": notices})
    done = subprocess.run(
        [
            sys.executable, SCRIPTS / "report.py", "--tables", *inputs.tables.values(),
            "--manifest", tmp_path / "run/store/manifest.json",
            "--split", tmp_path / "split.parquet", "--leaks", tmp_path / "leaks.csv",
            "--features", tmp_path / "pixels.npy",
            "--subsets", *inputs.subsets, "--predictions", *inputs.predictions,
            "--notices", *(tmp_path / f"{name}.json" for name in ("listing", "index", "0")),
            "--output", tmp_path / "report.html", "--data", tmp_path / "report.json",
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    section = html.split('id="notices"')[1].split("</section>")[0]
    assert re.findall("<li>(.*)</li>", section) == ["Links: followed.", "A &lt;b&gt;."]
    assert 'id="notices"' not in page(inputs)
    data = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert data["notices"] == ["Links: followed.", "A <b>."]


def test_names_from_the_users_files_are_text_not_html(inputs):
    html = page(inputs)
    assert "&lt;dog&gt;" in html
    assert "<dog>" not in re.sub(r"<script.*?</script>", "", html, flags=re.S)
    data = re.search(r'id="plane-data">(.*?)</script>', html, flags=re.S)
    assert data and json.loads(data[1])["classes"] == CLASSES


def test_the_table_has_the_verdicts_and_the_costs_of_each_row(inputs):
    rows = {row["case"]: row for row in tables.table(inputs)["rows"]}
    verdicts = {case: (row["verdict"], row["to_full"]) for case, row in rows.items()}
    assert verdicts == {
        "full:1": ("", ""),
        "random:0.5": ("", "too few seeds"),
        "random:0.1": ("", "too few seeds"),
        "herding:0.1": ("too few seeds", "too few seeds"),
    }
    html = page(inputs)
    assert '<td role="cell" data-name="verdict"><span class="verdict" data-verdict="too few' in html
    assert "<option>too few seeds</option>" in html
    headings = re.findall(r'data-key="(\w+)"', html)
    assert all(list(row["keys"]) == headings for row in rows.values())
    costs = {row["name"]: row for row in models.costs(inputs)}
    assert costs["random 10%"]["lost"] == "−27.0" and costs["full"]["lost"] == "0.0"
    assert costs["herding 10%"]["memory"] == "100 MB"


def test_the_answer_is_the_recommendation_in_words(inputs):
    found, said = inputs.recommendation, Wording(inputs.recommendation, MINUS, in_a_sentence)
    shown = answers.answer(found)
    assert shown.headline == said.headline() and shown.grounds == said.grounds()
    assert [part.sentences for part in shown.beside] == [said.how_sure(), said.next_steps()]
    assert [table.title for table in shown.tables] == [
        "Against random at the same size",
        "Against the full set",
    ]
    html = page(inputs)
    assert f"<strong>{said.headline().text}.</strong>" in html
    for sentence in said.grounds():
        assert sentence.text in html
        assert f'<span class="aside">({sentence.figures})</span>' in html or not sentence.figures
    beside = html[html.index('<aside class="sure"') : html.index("</aside>")]
    for text in (*said.how_sure(), *said.next_steps()):
        assert str(escape(text)) in beside
    assert "<table>" not in beside
    evidence = html[html.index('<details class="evidence">') :]
    evidence = evidence[: evidence.index("</details>")]
    assert evidence.count('<div class="scroll" tabindex="0"') == len(shown.tables)


def test_the_page_shows_and_names_the_metric_that_is_compared_and_the_real_shares(inputs, tmp_path):
    runs = inputs.runs.assign(balanced_accuracy=inputs.runs["accuracy"] / 2)
    few = runs["fraction"] == runs["fraction"].min()
    runs.loc[few, "share"] = 3 * runs.loc[few, "fraction"]
    paths = {name: tmp_path / name for name in ("runs.csv", "summary.csv")}
    write_csv(paths["runs.csv"], runs)
    write_csv(paths["summary.csv"], summarize(runs, "balanced_accuracy").assign(judge="scratch"))
    html = page(Inputs(**{**vars_of(inputs), "tables": {**inputs.tables, **paths}}))
    assert "<h2>Balanced accuracy by the number of training images kept</h2>" in html
    assert 'aria-label="Balanced accuracy on the test images' in html
    assert "in points of balanced accuracy" in html
    fraction = runs["fraction"].min()
    assert f'data-name="kept">{100 * fraction:g}% ({300 * fraction:.0f}%)</td>' in html
    assert "each class has at least one" in html
    rows = tables.table(Inputs(**{**vars_of(inputs), "tables": {**inputs.tables, **paths}}))["rows"]
    assert all(float(row["measures"][0]) < 60 and row["worst"] == "50.0" for row in rows)


def test_warnings_name_few_seeds_few_test_images_and_duplicates_across_classes(inputs):
    seeds, duplicates, test_images = answers.warnings(inputs)
    assert "fewer than 6 seeds" in seeds
    assert "(1 file)" in duplicates
    count = (inputs.split["split"] == "test").sum()
    assert f"{count} test images" in test_images


def drawn_chart(inputs: Inputs, name: str) -> ElementTree.Element:
    """The picture of accuracy for wide or narrow screens."""
    charts = {
        svg.get("class"): svg
        for svg in map(ElementTree.fromstring, chart.accuracy_charts(inputs, tolerance=0.01))
    }
    return charts[f"plot {name}"]


def shapes(svg: ElementTree.Element, part: str, method: str) -> list[ElementTree.Element]:
    """The shapes of a part of a method that have a tooltip."""
    return svg.findall(f".//g[@class='series {part} method-{method}']//*[title]")


def heights(path: ElementTree.Element | None) -> list[float]:
    """How far down the corners of a path are."""
    assert path is not None
    return [float(place) for place in re.findall(r"[ML] \S+ (\S+)", path.get("d", ""))]


@pytest.mark.parametrize("name", ["wide", "narrow"])
def test_the_picture_puts_more_images_to_the_right_and_more_accuracy_up(inputs, name):
    svg = drawn_chart(inputs, name)
    small, large = shapes(svg, "marks", "random")
    assert float(small.get("x", "")) < float(large.get("x", ""))
    assert float(small.get("y", "")) > float(large.get("y", ""))
    assert len(shapes(svg, "seeds", "random")) == 4
    band = next(path for path in svg.iter("path") if "--tolerated" in path.get("style", ""))
    [across, _] = heights(svg.find(".//g[@class='series across method-full']/path"))
    assert min(heights(band)) < across < max(heights(band))


def test_the_chart_has_its_numbers_in_tooltips_and_for_screen_readers(inputs):
    svg = drawn_chart(inputs, "wide")
    [mark] = shapes(svg, "marks", "herding")
    [bar] = shapes(svg, "bars", "herding")
    words = mark.findtext("title", "")
    assert words == bar.findtext("title")
    assert re.fullmatch(
        r"herding 10%, 6 images: 63\.5% \[.*\]; against random 0\.0 points \[.*\]", words
    )
    seeds = [dot.findtext("title") for dot in shapes(svg, "seeds", "herding")]
    assert seeds == ["herding, seed 0: 63.0%", "herding, seed 1: 64.0%"]
    label = svg.get("aria-label", "")
    assert label.startswith("Accuracy on the test images, in percent. full: 90.5% [")
    assert "herding 10%: 63.5% [" in label


def test_a_run_of_one_seed_is_drawn_without_intervals(inputs, tmp_path):
    runs = inputs.runs[inputs.runs["training_seed"] == 0]
    paths = {name: tmp_path / name for name in ("runs.csv", "summary.csv")}
    write_csv(paths["runs.csv"], runs)
    write_csv(paths["summary.csv"], summarize(runs).assign(judge="scratch"))
    svg = drawn_chart(Inputs(**{**vars_of(inputs), "tables": {**inputs.tables, **paths}}), "wide")
    [bar] = shapes(svg, "bars", "herding")
    assert bar.findtext("title", "").startswith("herding 10%, 6 images: 63.0%;")
    assert len(set(heights(bar))) == 1


def test_drawings_have_the_pages_colors_and_only_names_that_are_referred_to(inputs):
    html = page(inputs)
    defined = set(re.findall(r"(--[\w-]+):", html))
    names: list[str] = []
    for text in re.findall(r'<svg class="plot.*?</svg>', html, flags=re.S):
        svg = ElementTree.fromstring(text)
        assert svg.get("role") == "img" and svg.get("aria-label")
        styles = " ".join(element.get("style", "") for element in svg.iter())
        assert "var(--ink)" in styles and not re.search("#[0-9a-f]{3}|font-family", styles)
        assert set(re.findall(r"var\((.*?)\)", styles)) <= defined
        here = {element.get("id") for element in svg.iter()} - {None}
        assert here == set(re.findall(r'(?:href="|url\()#(\w+)', text))
        names += map(str, here)
    assert names and len(names) == len(set(names))


def test_differences_are_drawn_around_zero(inputs):
    made = tables.table(inputs)
    assert made["zero"] == tables.WIDTH / 2
    row = next(row for row in made["rows"] if row["method"] == "herding")
    assert row["difference"] == "0.0" and row["difference_picture"]["x"] == made["zero"]
    assert made["rows"][0]["difference_picture"] is None


def test_an_interval_beyond_the_scale_is_cut_and_says_so():
    drawn = tables.Scale(-0.1, 0.1).picture(0.05, -0.5, 0.08)
    assert drawn["cut_low"] and not drawn["cut_high"]
    assert drawn["low"] == tables.EDGE


def test_the_chosen_images_of_the_plane_are_those_of_the_subset(inputs):
    made = plane.plane(inputs)
    case = Case("random", 0.5)
    for seed in (0, 1):
        packed = unpacked(made["data"]["chosen"][f"random:0.5:{seed}"], np.uint8)
        bits = np.unpackbits(packed)[: len(inputs.train)].astype(bool)
        np.testing.assert_array_equal(bits, inputs.kept(case, seed))
    assert (inputs.kept(case, 0) != inputs.kept(case, 1)).any()
    assert [size["key"] for size in made["methods"][0]["sizes"]] == ["random:0.1", "random:0.5"]


def test_the_plane_of_encodings_without_the_originals_has_the_subsets_that_they_share(tmp_path):
    run = invented_run(tmp_path)
    cases = [Case(f"{one.method}@8px-webp-q20", one.fraction) for one in run.cases]
    run.__dict__["cases"] = [*cases, *(Case(f"{one}@8px-webp-q5", 0.1) for one in ("random",))]
    made = plane.plane(run)
    assert sorted(one["name"] for one in made["methods"]) == ["herding", "random"]
    assert made["case"] == Case("herding", 0.1)


def unpacked(text: str, dtype: type) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype)


def test_seeds_have_names_and_a_selection_without_chance_is_the_same_for_any(inputs):
    methods = {method["name"]: method["sizes"] for method in plane.plane(inputs)["methods"]}
    assert methods["random"][0]["seeds"] == {0: "0", 1: "1"}
    assert methods["herding"][0]["seeds"] == {0: "any"}


def test_without_room_every_case_still_has_its_first_seed(inputs, monkeypatch):
    monkeypatch.setattr(plane, "ROOM_FOR_SUBSETS", 0)
    monkeypatch.setattr(plane, "ROOM_FOR_CELLS", 0)
    data = plane.plane(inputs)["data"]
    assert sorted(data["chosen"]) == ["herding:0.1:0", "random:0.1:0", "random:0.5:0"]
    assert data["cells"] == {}


def test_the_cells_of_a_tiling_are_lines_of_their_class(inputs):
    cells = plane.plane(inputs)["data"]["cells"]
    assert list(cells) == ["herding:0.1:0"]
    lines = unpacked(cells["herding:0.1:0"], np.float32).reshape(-1, 5)
    assert len(lines) == 12 and set(lines[:, 4]) == {1}


def test_cells_in_another_space_than_the_planes_are_not_drawn(inputs):
    elsewhere = {"method": "herding", "space": "random_conv"}
    chain = {"steps": [elsewhere, {"method": "augmentation"}]}
    for entry in (elsewhere, chain):
        changed = {"methods": {"herding": {"fractions": [0.1]} | entry}}
        moved = Inputs(**{**vars_of(inputs), "config": changed})
        assert plane.plane(moved)["data"]["cells"] == {}


def test_very_large_sets_are_drawn_in_part_and_counted_in_full(inputs, monkeypatch):
    monkeypatch.setattr(plane, "MOST_POINTS", 30)
    monkeypatch.setattr(plane, "MOST_THUMBNAILS", 20)
    made = plane.plane(inputs)
    data = made["data"]
    assert made["points"] == 30 < data["total"] == len(inputs.train)
    labels = unpacked(data["labels"], np.uint16)
    assert len(labels) == len(unpacked(data["x"], np.float32)) == 30
    assert data["counts"]["random:0.5:0"]["all"] == inputs.chosen[Case("random", 0.5)].sum()
    names = [data["classes"][label] for label in labels[unpacked(data["pictured"], np.uint32)]]
    assert names == [name.split("/")[0] for name in data["names"]]


def test_large_sets_have_thumbnails_of_what_is_kept_first(inputs, monkeypatch):
    monkeypatch.setattr(plane, "MOST_THUMBNAILS", 20)
    rows = plane.sampled(inputs)
    assert len(rows) <= 20
    smallest = inputs.chosen[Case("herding", 0.1)]
    assert smallest[rows].sum() >= 2


@pytest.mark.parametrize("count, wanted", [(0, 3), (2, 5), (100, 7)])
def test_middles_are_different_positions(count, wanted):
    places = plane.middles(count, wanted)
    assert len(set(places.tolist())) == min(count, wanted)
    assert all(0 <= place < count for place in places)


def test_walls_are_drawn_once(inputs):
    grid = {"x0": 0.0, "y0": 0.0, "x1": 2.0, "y1": 2.0, "tiling": "rectangle", "side": 2}
    assert len(plane._walls(grid)) == 12


def test_a_sheet_holds_images_in_rows():
    images = np.arange(50, dtype=np.uint8)[:, None, None, None].repeat(3, axis=3)
    sheet = sprites.sheet(np.broadcast_to(images, (50, 4, 4, 3)))
    assert (sheet.columns, sheet.rows) == (40, 2)
    assert sheet.place(41) == {"column": 1, "row": 1}
    assert sheet.uri.startswith("data:image/webp;base64,")


def test_a_sheet_without_images_is_a_tile():
    assert sprites.sheet(np.empty((0, 8, 8, 3), np.uint8)).total == 1


def test_mistakes_count_models_and_name_the_commonest_wrong_class():
    probabilities = np.array([[[0.9, 0.1, 0], [0, 0.2, 0.8]], [[0.9, 0.1, 0], [0, 0.9, 0.1]]])
    found = Predictions.of(
        Case("random", 0.1), np.array(["a", "b"]), np.array([0, 1]), probabilities
    )
    images = galleries.mistakes([found]).set_index("image_id")
    assert images["wrong"].tolist() == [0, 1]
    assert images.loc["b", "taken_for"] == 2 and images.loc["b", "models"] == 2


def test_the_test_image_that_all_models_miss_comes_first(inputs):
    shown = galleries.misclassified(inputs)
    assert shown["all"] >= 1
    assert "by 8 of 8" in shown["tiles"][0].words


def test_duplicates_and_excluded_files_are_listed(inputs):
    assert galleries.duplicates(inputs)["count"] == "1"
    assert galleries.excluded_files(inputs)["kinds"] == [("label conflict", "1")]


@pytest.mark.parametrize("dropped", [True, False])
def test_leaks_of_a_given_split_are_shown_where_there_are_any(inputs, dropped):
    assert "Leaks in the given split" not in page(inputs)
    first, second = inputs.split["image_id"].iloc[:2]
    leaks = pd.DataFrame(
        [
            [1, "copy", "", first, "cat", "test", False],
            [1, "copy", "", second, "cat", "train", dropped],
        ],
        columns=LEAK_COLUMNS,
    )
    leaking = replace(inputs, leaks=leaks)
    found = galleries.leaking(leaking)
    assert [tile.name for tile in found["leaks"][0]] == [first, second]
    assert all(tile.picture is not None for tile in found["leaks"][0])
    assert found["leaks"][0][1].words == ("train, dropped" if dropped else "train")
    html = page(leaking)
    assert "Leaks in the given split" in html
    assert ("split.leaks: keep" in html) == (not dropped)
    assert ("A group is never split" in html) == dropped


def test_a_leak_of_a_large_group_is_shown_with_images_of_each_part(inputs):
    ids = inputs.split["image_id"].iloc[:12].tolist()
    rows = [[1, "group", "p1", name, "cat", "test", False] for name in ids[:10]]
    rows += [[1, "group", "p1", name, "cat", "train", True] for name in ids[10:]]
    leaks = pd.DataFrame(rows, columns=LEAK_COLUMNS)
    (shown,) = galleries.leaking(replace(inputs, leaks=leaks))["leaks"]
    assert {tile.words for tile in shown} == {"test, group p1", "train, group p1, dropped"}


def test_files_beyond_the_limit_are_counted_apart_from_excluded_ones(inputs, monkeypatch):
    index = inputs.store.index
    status = index["status"].mask(index.index.isin([4, 5, 6]), "beyond_limit")
    monkeypatch.setitem(inputs.store.__dict__, "index", index.assign(status=status))
    excluded = galleries.excluded_files(inputs)
    assert (excluded["count"], excluded["beyond"]) == ("1", "3")
    html = page(inputs)
    assert "1 of 80 files was excluded" in html
    assert "3 more exceed the limit per class (dataset.limit_per_class)." in html


def test_excluded_files_are_shown_if_they_decode(inputs, tmp_path):
    folder = tmp_path / "source"
    for class_name in CLASSES:
        (folder / class_name).mkdir(parents=True)
    Image.new("RGB", (30, 20), "red").save(folder / f"<dog>/{IMAGES - 1}", "PNG")
    with open_source("folder", folder) as source:
        tiles = galleries.excluded_files(Inputs(**{**vars_of(inputs), "source": source}))["tiles"]
        assert [tile.name for tile in tiles] == [f"<dog>/{IMAGES - 1}"]
        assert tiles[0].picture is not None
    placed = galleries._placed(
        [Tile(None, "a", "b")], sprites.sheet(np.empty((0, 8, 8, 3))), iter([])
    )
    assert placed[0]["place"] is None


def test_of_many_classes_pairs_are_shown():
    classes = [f"class {n}" for n in range(models.MOST_CELLS + 1)]
    probabilities = np.zeros((1, 3, len(classes)))
    probabilities[0, :, 4] = 1
    found = Predictions.of(
        Case("random", 0.1), np.array(list("abc")), np.array([4, 2, 2]), probabilities
    )
    mistakes = models.mistakes([found], classes)
    assert mistakes and mistakes["rows"] == [] and mistakes["more_pairs"] == "0"
    assert mistakes["pairs"] == [{"true": "class 2", "taken_for": "class 4", "count": "2.0"}]


def test_classes_without_test_images_are_neither_the_worst_nor_the_best():
    names = [f"class {n}" for n in range(models.MOST_CELLS + 1)]
    probabilities = np.eye(len(names))[[[4, 2, 3]]]
    found = Predictions.of(Case("a", 0.1), np.arange(3), np.array([4, 2, 5]), probabilities)
    mistakes = models.mistakes([found], names)
    assert mistakes and mistakes["worst"] == [{"class_name": "class 5", "accuracy": "0.0%"}]
    assert mistakes["best"] == [{"class_name": "class 4", "accuracy": "100.0%"}]
    assert mistakes["more_classes"] == "11"
    nothing = np.full(13, np.nan)
    assert report_classes.worst_and_best(nothing, 0) == []
    assert report_classes.worst_and_best(nothing, 5) == list(range(10))


def test_predictions_about_other_images_are_an_error(inputs, tmp_path):
    strange = tmp_path / "scratch/random/0.1/other.predictions.npz"
    strange.parent.mkdir(parents=True)
    np.savez(strange, image_ids=["x"], labels=[0], probabilities=np.ones((1, 1, 2)), seeds=[0])
    mixed = Inputs(**{**vars_of(inputs), "predictions": [*inputs.predictions, strange]})
    with pytest.raises(PetiteError, match="different test images"):
        _ = mixed.judged


def test_a_missing_table_is_named(inputs):
    without = Inputs(**{**vars_of(inputs), "tables": {}})
    with pytest.raises(PetiteError, match=r"needs \w+\.csv"):
        page(without)


def vars_of(inputs: Inputs) -> dict:
    return {name: getattr(inputs, name) for name in Inputs.__dataclass_fields__}


def test_the_settings_leave_out_what_is_off_and_make_the_same_configuration(inputs):
    text = making.settings_file(inputs.config)
    assert "seeds: 2" in text and "cells" not in text and "mine" not in text
    again = config.load(yaml.safe_load(text)).model_dump(mode="json")
    switched_on = {name: entry for name, entry in again["methods"].items() if entry["fractions"]}
    assert switched_on == {name: inputs.config["methods"][name] for name in switched_on}
    assert set(switched_on) == {"full", "random", "herding"}


def test_no_commit_outside_a_checkout(tmp_path):
    assert making.commit(tmp_path) == "" == making.commit(None)


def test_neutral_colors_on_dark_are_those_of_the_style_sheet():
    sheet = (Path(palette.__file__).parent / "templates/style.css").read_text("utf-8")
    dark = sheet.partition("prefers-color-scheme: dark")[2]
    for color, variable in palette.NEUTRAL.items():
        assert f"{variable}: {palette.NEUTRAL_ON_DARK[color]};" in dark


@pytest.mark.parametrize("color", [*style.CATEGORY_COLORS, *style.OKABE_ITO, style.INK])
def test_colors_can_be_seen_on_light_and_on_dark(color):
    on_light, on_dark = palette.pair(color)
    assert palette.contrast(on_light, palette.LIGHT_PAGE) >= 3
    assert palette.contrast(on_dark, palette.DARK_PAGE) >= 3


def test_rows_that_are_all_alike_stand_in_the_middle():
    scale = tables.Scale(1.0, 1.0)
    assert scale(1.0) == tables.WIDTH / 2


@pytest.mark.parametrize(
    "environment",
    [
        {"BOKEH_SIMPLE_IDS": "no"},
        {"BOKEH_RESOURCES": "cdn", "BOKEH_MINIFIED": "no", "BOKEH_LOG_LEVEL": "debug"},
        {"BOKEH_DEV": "yes", "HOME": "home"},
        {"MPLBACKEND": "module://notebook.backend_inline"},
    ],
    ids=lambda environment: "-".join(environment),
)
def test_the_users_environment_changes_nothing_on_the_page(environment, tmp_path):
    folder = tmp_path / "run"
    code = (
        "import sys; from pathlib import Path; from test_report import invented_run, page;"
        "print(page(invented_run(Path(sys.argv[1]))))"
    )
    settings = tmp_path / "home/.bokeh/bokeh.yaml"
    settings.parent.mkdir(parents=True)
    settings.write_text("simple_ids: false\nminified: false\nresources: cdn\n")
    if "HOME" in environment:
        environment = {**environment, "HOME": str(tmp_path / "home")}
    paths = {"PYTHONPATH": os.pathsep.join([str(SCRIPTS), str(Path(__file__).parent)])}
    pages = []
    for more in ({}, environment):
        done = subprocess.run(
            [sys.executable, "-c", code, str(folder)],
            env={**os.environ, **paths, **more}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        pages.append(re.sub(r"\d+-\d+-\d+ \d+:\d+ UTC", "", done.stdout))
        shutil.rmtree(folder)
    assert pages[0] == pages[1]
