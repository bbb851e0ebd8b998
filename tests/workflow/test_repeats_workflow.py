"""Several splits of the same images: more of them add jobs only, and a table compares all."""

from pathlib import Path

import pandas as pd
import pytest
from smallest import smallest
from test_what_is_left import due, said_of

pytestmark = pytest.mark.workflow

RESULTS = "results/tiny"
ANSWER = f"{RESULTS}/recommendation.md"


def config_of(repeats: int) -> dict:
    methods = {"full": [1], "random": [0.5], "pca_grid": [0.5], "augmentation": []}
    return smallest(methods, split={"repeats": repeats, "test": 0.2})


def test_more_splits_add_jobs_only_and_their_table_is_that_of_their_runs(
    snakemake, tmp_path: Path
) -> None:
    finished = snakemake(tmp_path, "--", ANSWER, config=config_of(1))
    assert finished.returncode == 0, said_of(finished)
    assert not (tmp_path / RESULTS / "splits.csv").exists()

    jobs = due(snakemake(tmp_path, "--dry-run", "--", ANSWER, config=config_of(2)))
    of_second = {"split": 1, "features": 1, "rank": 1, "subset": 3, "train": 3}
    tables = {"split_runs": 2, "splits": 1, "summarize": 1}
    total = jobs.pop("total")
    assert jobs.pop("rank", 0) in (1, 2)
    assert jobs == {key: value for key, value in {**of_second, **tables}.items() if key != "rank"}
    assert total < 16
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / RESULTS / "runs").rglob("*.*")}

    finished = snakemake(tmp_path, "--", ANSWER, config=config_of(2))
    assert finished.returncode == 0, said_of(finished)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    found = pd.read_csv(tmp_path / RESULTS / "splits.csv", dtype={"split": str})
    of_splits = [tmp_path / RESULTS / folder for folder in ("runs", "split-2/runs")]
    for number, folder in enumerate(of_splits, start=1):
        runs = pd.concat(map(pd.read_csv, folder.rglob("seeds-0-1.csv")))
        assert set(runs["split_seed"]) == {number - 1}
        mean = runs.groupby("method")["accuracy"].mean()
        rows = found[found["split"] == str(number)].set_index(["method", "against"])
        differences = rows["difference"].to_dict()
        assert differences == pytest.approx(
            {
                ("pca_grid", "random"): mean["pca_grid"] - mean["random"],
                ("pca_grid", "full"): mean["pca_grid"] - mean["full"],
                ("random", "full"): mean["random"] - mean["full"],
            }
        )
    parts = [
        pd.read_parquet(tmp_path / RESULTS / path)
        for path in ("splits/0.parquet", "split-2/splits/1.parquet")
    ]
    assert parts[0]["image_id"].equals(parts[1]["image_id"])
    assert not parts[0]["split"].equals(parts[1]["split"])
    assert "over 2 splits" in (tmp_path / ANSWER).read_text("utf-8").lower()
    assert "Nothing to be done" in said_of(
        snakemake(tmp_path, "--dry-run", "--", ANSWER, config=config_of(2))
    )
