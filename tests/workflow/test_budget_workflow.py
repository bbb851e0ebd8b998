"""A budget of time: the run is planned once, and the answer names what was left out."""

import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from smallest import WITHOUT_FIGURES, smallest
from test_what_is_left import said_of

from petite.forecast.planning import read_run

pytestmark = pytest.mark.workflow

RESULTS = "results/tiny"
CONFIG = smallest(
    {"full": [1], "random": [0.5, 0.25], "pca_grid": [0.25], "augmentation": []},
    seeds=8,
    seeds_per_job=8,
)
# On one core with 80 s a seed: 8 seeds of three cases, or 6 of four, take 32 min and some seconds.
BUDGET = "31 min"
CUT = "7 seeds instead of 8; without pca_grid:0.25"


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file for what this machine took."""
    path = tmp_path_factory.mktemp("slow") / "history.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PETITE_HISTORY", str(path))
        yield path


def slow_down(history: Path) -> None:
    """As if each network that was timed needed 10 s for a step, and no run had shown otherwise."""
    found = json.loads(history.read_text("utf-8"))
    for timing in found["timings"].values():
        timing["step"] = 10.0
    found["ratios"] = {}
    history.write_text(json.dumps(found))


@pytest.fixture(scope="module")
def folder(snakemake, tmp_path_factory: pytest.TempPathFactory, history: Path) -> Path:
    """A finished run on a machine that was found to need 10 s for a step."""
    folder: Path = tmp_path_factory.mktemp("budget")
    planned = snakemake(folder, "--dry-run", config=CONFIG | {"budget": "10 h"})
    assert "nothing is left out" in said_of(planned)
    assert not (folder / RESULTS).exists()
    slow_down(history)
    config = CONFIG | {"budget": BUDGET}
    finished = snakemake(folder, "--cores", "1", *WITHOUT_FIGURES, config=config)
    said = said_of(finished)
    assert finished.returncode == 0, said
    assert f"Budget of {BUDGET}: {CUT}" in said
    return folder


def test_what_fits_the_budget_is_run_and_declared(folder: Path) -> None:
    runs = pd.read_csv(folder / RESULTS / "runs.csv")
    cases = {("full", 1.0), ("random", 0.5), ("random", 0.25)}
    seeds = runs.groupby(["method", "fraction"])["training_seed"].nunique().to_dict()
    assert seeds == dict.fromkeys(cases, 7)
    record = json.loads((folder / RESULTS / "provenance.json").read_text("utf-8"))
    declared = record["declared"]["scratch"]["declared"]
    assert declared["seeds"] == 7
    assert {tuple(case) for case in declared["cases"]} == cases


@pytest.mark.parametrize("name", ["recommendation.md", "report.html", "report.json"])
def test_the_answer_names_what_was_left_out(folder: Path, name: str) -> None:
    text = " ".join((folder / RESULTS / name).read_text("utf-8").split())
    assert f"budget of {BUDGET}" in text
    assert "7 seeds instead of 8" in text
    assert "pca_grid at 25%" in text


def test_a_finished_run_has_nothing_to_do_whatever_is_known_of_the_machine(
    folder: Path, snakemake, history: Path
) -> None:
    kept = history.read_text("utf-8")
    history.unlink()
    config = CONFIG | {"budget": BUDGET, "max_memory": "1 GB"}
    said = said_of(snakemake(folder, "--dry-run", *WITHOUT_FIGURES, config=config))
    history.write_text(kept)
    assert "Nothing to be done" in said, said


def test_a_budget_that_decides_nothing_is_refused_with_the_time_that_would(
    snakemake, tmp_path: Path, folder: Path, history: Path
) -> None:
    slow_down(history)  # the run of the folder was faster
    refused = snakemake(tmp_path, config=CONFIG | {"budget": "5 min"})
    assert refused.returncode != 0
    said = said_of(refused)
    assert "budget: '5 min'" in said
    assert "random:0.5" in said
    assert not (tmp_path / RESULTS).exists()


def test_trainings_with_two_threads_share_two_cores(
    snakemake, tmp_path: Path, history: Path
) -> None:
    config = CONFIG | {"training_threads": 2}
    snakemake(tmp_path, "--dry-run", config=config | {"budget": "10 h"})
    slow_down(history)
    said = said_of(snakemake(tmp_path, "--dry-run", config=config | {"budget": BUDGET}))
    assert f"Budget of {BUDGET}: {CUT}" in said
    assert "on 2 cores" in said


def test_what_judges_nothing_needs_and_keeps_no_plan(snakemake, tmp_path: Path) -> None:
    config = CONFIG | {"budget": "1 s", "pool": {"path": "pool", "images": 1}}  # too little
    (tmp_path / "pool").mkdir()
    Image.new("L", (16, 16)).save(tmp_path / "pool/image.png")
    nothing = [["config"], ["goals"], ["--list-rules"], ["--summary"], ["--unlock"], ["estimate"]]
    for command in [*nothing, ["--dry-run", "label_next"]]:
        finished = snakemake(tmp_path, "--cores", "2", *command, config=config)
        said = said_of(finished)
        assert finished.returncode == 0, said
        assert "Planning the run" not in said
    assert not (tmp_path / RESULTS / "budgets").exists()


def test_only_a_run_that_judges_keeps_a_plan(snakemake, tmp_path: Path, history: Path) -> None:
    config = CONFIG | {"budget": "10 h"}
    finished = snakemake(tmp_path, "--until", "subset", config=config)
    assert finished.returncode == 0, said_of(finished)
    assert (tmp_path / RESULTS / "subsets").exists()
    assert not (tmp_path / RESULTS / "budgets").exists()


def test_images_that_are_not_counted_yet_are_listed_first(snakemake, tmp_path: Path) -> None:
    dataset = {"name": "tiny", "source": "archive", "path": str(tmp_path / "photos.tar")}
    with tarfile.open(dataset["path"], "w"):
        pass
    config = {key: value for key, value in CONFIG.items() if key != "dataset"}
    refused = snakemake(tmp_path, config=config | {"dataset": dataset, "budget": "10 h"})
    said = said_of(refused)
    assert refused.returncode != 0
    assert "budget: '10 h'" in said
    assert "estimate" in said


@pytest.mark.parametrize(("name", "mode"), [("photos.tar", "w"), ("photos.zip", "")])
def test_an_archive_that_is_not_listed_yet_is_forecast_with_its_classes(
    snakemake, write_pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, mode: str
) -> None:
    write_pictures(tmp_path / "pictures", ["cat", "dog", "owl"], 4)
    if mode:
        with tarfile.open(tmp_path / name, mode) as archive:
            archive.add(tmp_path / "pictures", "pictures")
    else:
        shutil.make_archive(str(tmp_path / "photos"), "zip", tmp_path, "pictures")
    monkeypatch.setenv("PETITE_JOBS", str(tmp_path / "jobs.json"))
    dataset = {"name": "tiny", "source": "archive", "path": name, "classes": None}
    snakemake(tmp_path, "--dry-run", config=CONFIG | {"dataset": dataset})
    run = read_run(tmp_path / "jobs.json")
    assert run.is_counted
    assert (run.facts.classes, run.facts.images) == (3, 12)


def test_a_budget_of_a_finished_run_is_planned_once(
    snakemake, tiny_run, tiny_config, history: Path
) -> None:
    # In the same parent folder, so that the path to the code is the same and nothing is due for it.
    folder = tiny_run[0].with_name(f"{tiny_run[0].name} with a budget")
    shutil.copytree(tiny_run[0] / RESULTS, folder / RESULTS, symlinks=True)
    shutil.copytree(tiny_run[0] / ".snakemake", folder / ".snakemake")
    config = tiny_config | {"budget": "10 h"}
    for options, planned in ((["--dry-run"], 0), ([], 1)):
        said = said_of(snakemake(folder, *options, config=config))
        assert "Nothing to be done" in said, said
        assert len(list((folder / RESULTS).glob("budgets/*.json"))) == planned
    assert "Planning the run" not in said_of(snakemake(folder, "--dry-run", config=config))
