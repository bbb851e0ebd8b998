"""A budget in bytes: the search, and what judges the encoding that it found."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from shades import smallest_on_shades, write_shades
from test_what_is_left import said_of

pytestmark = pytest.mark.workflow

BUDGET = 6_000
# Training from scratch sees 16 pixels a side, at which more would hold all images.
SMALL_BUDGET = 2_000
RESULTS = "results/tiny"


def config_with(judges: dict[str, Any], **sections: Any) -> dict[str, Any]:
    return smallest_on_shades(
        {"full": [1], "random": [0.5], "pca_grid": [0.5], "augmentation": []},
        judges=judges,
        shards=1,
        split={"test": 0.3, "validation": 0.2},
        checks={"cues": False, "label_errors": False, "near_duplicates": False},
        **sections,
    )


BY_PROBE = config_with({"scratch": None, "probe": {}}, bytes=f"{BUDGET} B")
FROM_SCRATCH = config_with({"scratch": {}, "probe": None}, bytes=f"{SMALL_BUDGET} B")


def check_that_the_winner_is_judged(results: Path, budget: int) -> None:
    record = json.loads((results / "bytes/search.json").read_text("utf-8"))
    assert record["runs"] == 2 * len(record["points"]) <= 32
    runs = pd.read_csv(results / "runs.csv")
    parts = record["winner"]
    encoding = f"{parts['side']}px-webp-q{parts['quality']}"
    assert set(runs["method"]) == {"full", f"full@{encoding}", "random", f"random@{encoding}"}
    judged = runs[runs["method"] == f"random@{encoding}"]
    assert (judged["bytes"] <= budget).all()
    assert set(judged["images"]) == {parts["images"]}
    assert judged["training_seed"].max() < 1_000_000


def test_one_command_searches_and_judges_what_it_found(snakemake, tmp_path: Path) -> None:
    write_shades(tmp_path, 40)
    finished = snakemake(tmp_path, config=BY_PROBE)
    assert finished.returncode == 0, said_of(finished)
    assert "6 KB" in finished.stdout and "Report " in finished.stdout
    results = tmp_path / RESULTS
    check_that_the_winner_is_judged(results, BUDGET)
    # Nothing is judged on the test images before the search is over.
    searched = (results / "bytes/search.json").stat().st_mtime_ns
    assert all(path.stat().st_mtime_ns > searched for path in results.glob("runs/**/*.csv"))

    again = snakemake(tmp_path, "--dry-run", config=BY_PROBE)
    assert "Nothing to be done" in said_of(again)
    another = snakemake(tmp_path, "--dry-run", config={**BY_PROBE, "bytes": "7 KB"})
    assert "checkpoint search_bytes" in said_of(another)
    assert "rule probe" not in said_of(another)
    # The trainings are kept: a search that lost its result, as one that was killed, trains none.
    (results / "bytes/search.json").unlink()
    kept = (results / "bytes/trainings.json").stat().st_mtime_ns
    finished = snakemake(tmp_path, config=BY_PROBE)
    assert finished.returncode == 0, said_of(finished)
    assert (results / "bytes/trainings.json").stat().st_mtime_ns == kept


@pytest.mark.parametrize(
    ("budget", "said"), [("2 GB", "is not below"), ("0.01%", "has no room"), (2, "has no unit")]
)
def test_a_budget_that_fits_no_images_is_refused_before_anything_runs(
    snakemake, tmp_path: Path, budget: Any, said: str
) -> None:
    write_shades(tmp_path, 3)
    refused = snakemake(tmp_path, "--dry-run", config={**BY_PROBE, "bytes": budget})
    assert refused.returncode != 0
    assert "bytes: " in said_of(refused) and said in said_of(refused)
    assert "Traceback" not in said_of(refused)
