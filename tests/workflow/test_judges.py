"""Several judges of the same subsets: one page, one table, and an answer by each."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from shades import smallest_on_shades, write_shades
from test_what_is_left import due, said_of

pytestmark = pytest.mark.workflow

RESULTS = "results/tiny"


def config_with(probe_seeds: int = 8, **sections: Any) -> dict[str, Any]:
    methods: dict[str, list[float]] = {
        "full": [1],
        "random": [0.5, 0.25],
        "herding": [0.25],
        "el2n": [0.25],
        "augmentation": [0.25],
        "pca_grid": [],
    }
    sections = {
        "judges": {"scratch": {"fractions": [1, 0.25]}, "probe": {"seeds": probe_seeds}},
        "proxy": {"steps": 8, "evaluations": 2},
        "split": {"test": 0.3, "validation": 0.1},
    } | sections
    return smallest_on_shades(methods, side=8, **sections)


@pytest.fixture(scope="module")
def folder(snakemake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on reddish and greenish images with a network of one convolution."""
    folder: Path = tmp_path_factory.mktemp("judges")
    write_shades(folder, 60)
    finished = snakemake(folder, config=config_with())
    assert finished.returncode == 0, said_of(finished)
    return folder


def test_tables_name_the_judge_and_runs_are_those_asked_for(folder: Path) -> None:
    runs = pd.read_csv(folder / RESULTS / "runs.csv")
    counts = runs.groupby(["judge", "method", "fraction"]).size().to_dict()
    assert counts == {
        ("probe", "full", 1.0): 8,
        ("probe", "random", 0.5): 8,
        ("probe", "random", 0.25): 8,
        ("probe", "herding", 0.25): 8,
        ("probe", "el2n", 0.25): 8,
        ("scratch", "full", 1.0): 2,
        ("scratch", "random", 0.25): 2,
        ("scratch", "herding", 0.25): 2,
        ("scratch", "el2n", 0.25): 2,
        ("scratch", "augmentation", 0.25): 2,
    }
    for table in ("summary", "verdicts", "costs"):
        assert list(pd.read_csv(folder / RESULTS / f"{table}.csv")["judge"].unique()) == [
            "probe",
            "scratch",
        ]
    assert set(pd.read_csv(folder / RESULTS / "history.csv")["judge"]) == {"scratch"}


def test_a_probe_selects_the_size_asked_for_from_its_part_of_the_pool(folder: Path) -> None:
    split = pd.read_parquet(folder / RESULTS / "splits/0.parquet")
    train = int((split["split"] == "train").sum())
    runs = pd.read_csv(folder / RESULTS / "runs.csv").query("judge == 'probe'")
    assert set(runs["pool_images"]) == {2 * round(0.9 * train / 2)}
    images = runs.groupby(["method", "fraction"])["images"].unique()
    assert list(images["random", 0.25]) == [round(0.25 * train)]
    assert list(images["full", 1.0]) == [2 * round(0.9 * train / 2)]
    # A method without chance is judged by other images for each seed.
    herding = runs.query("method == 'herding'")
    assert herding["validation_loss"].nunique() > 1


def test_each_judge_has_an_answer_and_the_page_says_whether_they_agree(folder: Path) -> None:
    values = json.loads((folder / RESULTS / "recommendation.json").read_text("utf-8"))
    assert list(values["judges"]) == ["probe", "scratch"]
    text = " ".join((folder / RESULTS / "summary.txt").read_text("utf-8").split())
    answer = (folder / RESULTS / "recommendation.md").read_text("utf-8")
    page = (folder / RESULTS / "report.html").read_text("utf-8")
    for said in (text, answer, page):
        assert "The judges agree" in said or "The judges disagree" in said
        assert "By a linear probe" in said and "Trained from scratch" in said
    figures = {path.stem for path in (folder / RESULTS / "figures").glob("*.png")}
    assert {"accuracy_by_fraction", "accuracy_by_fraction_scratch", "curves_scratch"} <= figures
    assert "curves" not in figures


def test_a_finished_run_has_nothing_to_do(folder: Path, snakemake) -> None:
    said = said_of(snakemake(folder, "--dry-run", config=config_with()))
    assert "Nothing to be done" in said, said


def test_a_seed_more_of_a_judge_runs_alone(folder: Path, snakemake) -> None:
    jobs = due(snakemake(folder, "--dry-run", config=config_with(probe_seeds=9)))
    assert jobs["probe"] == 5 and jobs["proxy"] == 1
    assert not {"train", "embed", "rank", "subset"} & set(jobs), jobs


def test_a_setting_of_the_probe_trains_nothing(folder: Path, snakemake) -> None:
    config = config_with()
    config["judges"]["probe"]["penalties"] = [1.0]
    jobs = due(snakemake(folder, "--dry-run", config=config))
    assert jobs["probe"] == 5
    assert not {"train", "embed", "proxy"} & set(jobs), jobs
