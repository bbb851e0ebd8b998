"""A budget in bytes: the search, and the run that judges what it found."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from shades import smallest_on_shades, write_shades
from test_what_is_left import said_of

pytestmark = pytest.mark.workflow

BUDGET = 6_000


def config_with(**sections: Any) -> dict[str, Any]:
    return smallest_on_shades(
        {"full": [1], "random": [0.5], "pca_grid": [0.5], "augmentation": []},
        judges={"scratch": None, "probe": {}},
        shards=1,
        split={"test": 0.3, "validation": 0.2},
        checks={"cues": False, "label_errors": False, "near_duplicates": False},
        **sections,
    )


def test_the_winner_of_the_search_is_judged_by_the_next_run(snakemake, tmp_path: Path) -> None:
    write_shades(tmp_path, 40)
    found = snakemake(tmp_path, config=config_with(bytes=f"{BUDGET} B"))
    assert found.returncode == 0, said_of(found)
    assert "6 KB" in found.stdout and "winner.yaml" in found.stdout
    results = tmp_path / "results/tiny"
    # Nothing is judged on the test images.
    assert not list(results.glob("runs*"))
    record = json.loads((results / "bytes/search.json").read_text("utf-8"))
    assert record["runs"] == 2 * len(record["points"]) <= 32
    winner = yaml.safe_load((results / "bytes/winner.yaml").read_text("utf-8"))

    config = config_with()
    config["methods"] |= winner.pop("methods")
    finished = snakemake(tmp_path, "--", "results/tiny/runs.csv", config=config | winner)
    assert finished.returncode == 0, said_of(finished)
    runs = pd.read_csv(results / "runs.csv")
    parts = record["winner"]
    encoding = f"{parts['side']}px-webp-q{parts['quality']}"
    assert set(runs["method"]) == {"full", f"full@{encoding}", "random", f"random@{encoding}"}
    judged = runs[runs["method"] == f"random@{encoding}"]
    assert (judged["bytes"] <= BUDGET).all()
    assert set(judged["images"]) == {parts["images"]}


def test_a_budget_above_the_originals_is_refused_before_anything_runs(
    snakemake, tmp_path: Path
) -> None:
    write_shades(tmp_path, 3)
    refused = snakemake(tmp_path, "--dry-run", config=config_with(bytes="2 GB"))
    assert refused.returncode != 0
    assert "bytes: 2 GB is not below" in said_of(refused)
    assert "Traceback" not in said_of(refused)
