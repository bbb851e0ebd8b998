"""Runs that failed in part, and results that were deleted in part."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from smallest import WITHOUT_FIGURES

pytestmark = pytest.mark.workflow


def said_of(finished: subprocess.CompletedProcess[str]) -> str:
    said = finished.stdout + finished.stderr
    assert "Traceback" not in said
    return said


def due(dry_run: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """How many jobs of each rule a dry run names."""
    assert dry_run.returncode == 0, said_of(dry_run)
    table = (dry_run.stdout + dry_run.stderr).rpartition("Job stats:")[2]
    rows = [line.split() for line in table.splitlines()]
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}


# --- deleted


@pytest.mark.parametrize(
    ("deleted", "made_again"),
    [
        ("models", {"train": 5}),
        ("models/scratch/random/0.1", {"train": 1}),
        ("runs/scratch/pca_grid", {"train": 1}),
        ("runs/scratch/random/0.1/seeds-0-1.history.csv", {"train": 1}),
        ("runs/scratch/random/0.1/seeds-0-1.predictions.npz", {"train": 1}),
        ("subsets/pca_grid/0.1/seeds-0-1.parquet", {"subset": 1, "train": 1}),
        ("subsets/pca_grid/0.1/seeds-0-1.json", {"subset": 1, "train": 1}),
    ],
)
def test_what_was_deleted_of_a_whole_run_is_made_again_and_nothing_else(
    tiny_run, snakemake, tiny_config, deleted: str, made_again: dict[str, int]
) -> None:
    folder, _ = tiny_run
    path = folder / "results/tiny" / deleted
    aside = folder / "aside"
    path.rename(aside)
    try:
        jobs = due(snakemake(folder, "--dry-run", config=tiny_config))
    finally:
        aside.rename(path)
    upstream = ("listing", "ingest", "index", "split", "features", "rank", "subset", "augment")
    assert {rule: jobs[rule] for rule in (*upstream, "train") if rule in jobs} == made_again
    assert jobs["report"] == 1


def test_a_model_that_was_deleted_from_its_folder_is_named(
    tiny_run, snakemake, tiny_config
) -> None:
    folder, _ = tiny_run
    model = folder / "results/tiny/models/scratch/random/0.1/seeds-0-1/seed-1.keras"
    model.rename(folder / "aside")
    try:
        said = said_of(snakemake(folder, "--dry-run", config=tiny_config))
    finally:
        (folder / "aside").rename(model)
    assert "models/scratch/random/0.1/seeds-0-1 lacks seed-1.keras" in said


def test_a_shard_that_was_deleted_is_named_by_the_step_that_needs_it(
    tiny_run, snakemake, tiny_config
) -> None:
    first, _ = tiny_run
    folder = first.with_name(f"{first.name} without a shard")
    shutil.copytree(first, folder, symlinks=True)
    shard = "results/tiny/store/shards/1-of-2.npy"
    (folder / shard).unlink()
    assert "Nothing to be done" in said_of(snakemake(folder, "--dry-run", config=tiny_config))
    export = {"export": "random:0.1", "export_formats": ["npz"]}
    said = said_of(snakemake(folder, "--", "export", config=tiny_config | export))
    assert re.search(rf"{re.escape(shard)}.* is missing", said)
    dry_run = snakemake(folder, "--dry-run", "--", "export", config=tiny_config | export)
    assert due(dry_run)["ingest"] == 1


# --- failed


@pytest.fixture
def half_config(tmp_path: Path, tiny_config: dict[str, Any]) -> dict[str, Any]:
    """Random images, and a method whose features are of other images, so that it fails."""
    np.save(tmp_path / "own.npy", np.zeros((7, 3), "float32"))
    off = {name: {"fractions": []} for name in ("full", "pca_grid", "augmentation")}
    herding = {"fractions": [0.5], "space": "own"}
    tiny_config["methods"] = {**off, "random": {"fractions": [0.5]}, "herding": herding}
    return tiny_config | {"features": {"path": "own.npy"}}


def test_when_one_method_fails_the_others_have_their_table_answer_and_page_which_name_it(
    tmp_path: Path, snakemake, half_config: dict[str, Any]
) -> None:
    failed = snakemake(tmp_path, config=half_config)
    said = said_of(failed)
    assert failed.returncode != 0
    results = tmp_path / "results/tiny"
    missing = "herding at 50%, where features/own failed"
    off = "methods: {herding: {fractions: []}}"
    for text in (
        " ".join(said.split()),
        (results / "summary.md").read_text("utf-8"),
        (results / "recommendation.md").read_text("utf-8"),
        (results / "report.html").read_text("utf-8"),
    ):
        assert missing in text
        assert off in text
    assert set(pd.read_csv(results / "runs.csv")["method"]) == {"random"}
    assert "Petite stopped: 1 job failed" in said
    assert not list((tmp_path / ".snakemake/petite").glob("partial*"))

    # Switched off, it is no longer missed; nothing is trained again.
    off_config = half_config | {"methods": half_config["methods"] | {"herding": {"fractions": []}}}
    jobs = due(snakemake(tmp_path, "--dry-run", config=off_config))
    assert jobs["summarize"] == jobs["report"] == 1
    assert "train" not in jobs

    images = len(pd.read_parquet(results / "store/index.parquet"))
    np.save(tmp_path / "own.npy", np.random.default_rng(0).random((images, 3), "float32"))
    fixed = snakemake(tmp_path, *WITHOUT_FIGURES, config=half_config)
    assert fixed.returncode == 0, said_of(fixed)
    assert "Incomplete" not in (results / "summary.md").read_text("utf-8")
    assert "Incomplete" not in (results / "report.html").read_text("utf-8")
    assert set(pd.read_csv(results / "runs.csv")["method"]) == {"random", "herding"}
    done = snakemake(tmp_path, "--dry-run", *WITHOUT_FIGURES, config=half_config)
    assert "Nothing to be done" in said_of(done)


def test_when_nothing_was_trained_there_is_no_table(
    tmp_path: Path, snakemake, half_config: dict[str, Any]
) -> None:
    half_config["methods"]["random"] = {"fractions": []}
    failed = snakemake(tmp_path, config=half_config)
    assert failed.returncode != 0
    assert "features/own failed" in said_of(failed)
    assert not (tmp_path / "results/tiny/summary.md").exists()


# --- the order of arguments


def test_behind_two_dashes_a_target_is_no_file(
    tmp_path: Path, snakemake, tiny_config: dict[str, Any]
) -> None:
    """As docs/faults.md says."""
    wanted = ("--dry-run", "--config", "export=random:0.1", "--", "export")
    assert due(snakemake(tmp_path, *wanted, config=tiny_config))["export"] == 1
