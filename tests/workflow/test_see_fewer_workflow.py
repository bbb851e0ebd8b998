"""Methods that keep all images and see fewer of them: rows of the same table."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from smallest import WITHOUT_FIGURES, smallest
from test_what_is_left import due, said_of

pytestmark = pytest.mark.workflow

RESULTS = "results/tiny"
FEWER: dict[str, Any] = {
    "rs2": {"seen": 0.25, "fractions": [1]},
    "drawn": {"method": "rs2", "seen": 0.5, "replacement": True, "fractions": [1]},
    "infobatch": {"fractions": [1]},
}


def config_with(methods: dict[str, Any]) -> dict[str, Any]:
    found = smallest({"full": [1], "random": [0.25], "pca_grid": [], "augmentation": []}, steps=80)
    return {**found, "methods": {**found["methods"], **methods}}


@pytest.fixture(scope="module")
def folder(snakemake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run to which methods that see fewer were added."""
    folder: Path = tmp_path_factory.mktemp("fewer")
    for methods in ({}, FEWER):
        if methods:
            added = due(snakemake(folder, "--dry-run", config=config_with(methods)))
            assert (added["train"], added["rank"], added["subset"]) == (3, 3, 3)
        finished = snakemake(folder, *WITHOUT_FIGURES, config=config_with(methods))
        assert finished.returncode == 0, said_of(finished)
    return folder


def test_they_keep_all_images_and_take_their_share_of_the_steps(folder: Path) -> None:
    runs = pd.read_csv(folder / RESULTS / "runs.csv").set_index("method")
    assert set(runs.index) == {"full", "random", *FEWER}
    for method, share in (("rs2", 0.25), ("drawn", 0.5)):
        assert (runs.loc[method, "images"] == runs.loc["full", "images"].iloc[0]).all()
        assert (runs.loc[method, "steps"] == 80 * share).all()
        assert (runs.loc[method, "examples_seen"] == share).all()
    seen = runs.loc["infobatch", "examples_seen"]
    assert seen.between(0.5, 0.95).all()
    assert np.allclose(runs.loc["infobatch", "steps"], 80 * seen)
    assert runs.loc["full", "examples_seen"].isna().all()
    subset, full = (
        pd.read_parquet(folder / RESULTS / f"subsets/{method}/1/seeds-0-0.parquet")
        for method in ("rs2", "full")
    )
    assert subset["image_id"].tolist() == full["image_id"].tolist()


def test_they_are_compared_with_all_and_are_in_the_answer_and_on_the_page(folder: Path) -> None:
    summary = pd.read_csv(folder / RESULTS / "summary.csv").set_index("method")
    assert summary.loc["full", "examples_seen"] == 1 and summary.loc["rs2", "examples_seen"] == 0.25
    verdicts = pd.read_csv(folder / RESULTS / "verdicts.csv").set_index("method")
    assert (verdicts.loc[list(FEWER), "full_pairs"] == 2).all()
    assert (verdicts.loc[list(FEWER), "verdict"] == "not compared").all()
    answer = json.loads((folder / RESULTS / "recommendation.json").read_text("utf-8"))
    found = answer["judges"]["scratch"]["findings"]
    assert [one["method"] for one in found if one["kind"] == "see_fewer"] == sorted(FEWER)
    assert "sees 25%" in (folder / RESULTS / "report.html").read_text("utf-8")
    text = " ".join((folder / RESULTS / "summary.txt").read_text("utf-8").split())
    assert "25% of the examples (rs2)" in text


def test_another_share_trains_that_method_alone(folder: Path, snakemake) -> None:
    done = snakemake(folder, "--dry-run", *WITHOUT_FIGURES, config=config_with(FEWER))
    assert due(done) == {}
    other = {**FEWER, "rs2": {"seen": 0.5, "fractions": [1]}}
    jobs = due(snakemake(folder, "--dry-run", config=config_with(other)))
    assert jobs["train"] == 1 and not {"rank", "subset"} & set(jobs)
