"""Exported subsets: only due jobs run, and the exported files load."""

import json
from subprocess import CompletedProcess

import numpy as np
import pandas as pd
import pytest

from petite.evaluation.recommendation import Answers
from petite.evaluation.wording import Wording

pytestmark = pytest.mark.workflow


def due(dry_run: CompletedProcess[str]) -> set[str]:
    """The rules in a dry run's table of jobs."""
    assert dry_run.returncode == 0, dry_run.stdout + dry_run.stderr
    _, _, table = (dry_run.stdout + dry_run.stderr).rpartition("Job stats:")
    return {line.split()[0] for line in table.splitlines()[3:] if line.strip()} - {"total"}


def test_a_finished_run_exports_a_subset_and_makes_nothing_else(tiny_run, snakemake, tiny_config):
    folder, _ = tiny_run
    wanted = {"export": "pca_grid:0.1:1", "export_formats": ["folder", "npz"]}
    dry = snakemake(folder, "--dry-run", "--", "export", config=tiny_config | wanted)
    assert "export" in due(dry)
    assert not {"train", "subset", "rank", "ingest"} & due(dry)
    finished = snakemake(folder, "--", "export", config=tiny_config | wanted)
    assert finished.returncode == 0, finished.stderr
    results = folder / "results/tiny"
    out = results / "export/pca_grid-0.1-seed-1"
    assert f"Export   results/tiny/export/{out.name}/" in finished.stdout
    subset = pd.read_parquet(results / "subsets/pca_grid/0.1/seeds-0-1.parquet")
    subset = subset[subset["seed"] == 1]
    manifest = pd.read_csv(out / "manifest.csv")
    assert manifest["image_id"].tolist() == subset["image_id"].tolist()
    assert all((out / "images" / file).is_file() for file in manifest["file"])
    with np.load(out / "images.npz") as kept:
        assert kept["images"].shape == (len(subset), 8, 8, 1)
    # A later run of all has nothing more to do for it.
    assert "Nothing to be done" in snakemake(folder, "--dry-run", config=tiny_config).stdout


def test_where_nothing_was_learned_no_subset_is_exported_by_default_and_it_says_so(
    tiny_run, snakemake, tiny_config
):
    """Eight steps of training teach nothing that 54 test images could show."""
    folder, ran = tiny_run
    assert "learned, so no subset is recommended" in " ".join(ran.stdout.split())
    values = json.loads((folder / "results/tiny/recommendation.json").read_text(encoding="utf-8"))
    answer = values["judges"]["scratch"]
    assert (answer["kind"], answer["kept"]) == ("keep_none", None)
    finished = snakemake(folder, "--", "export", config=tiny_config)
    assert finished.returncode != 0
    assert "no subset is recommended" in finished.stderr
    assert "--config export=random:0.1" in finished.stderr
    assert "Traceback" not in finished.stdout + finished.stderr


def test_the_recommended_subset_is_the_one_that_is_exported_by_default(
    tmp_path, snakemake, tiny_config
):
    methods = {name: {"fractions": []} for name in ("pca_grid", "augmentation")}
    tiny_config["methods"] = methods | {"random": {"fractions": [0.25]}}
    tiny_config["training"]["budget"] = {"steps": 100}
    config = tiny_config | {"export_formats": ["parquet"]}
    finished = snakemake(tmp_path, "--", "export", config=config)
    assert finished.returncode == 0, finished.stderr
    results = tmp_path / "results/tiny"
    values = json.loads((results / "recommendation.json").read_text(encoding="utf-8"))
    found = Answers.from_json(values).first
    record = json.loads((results / "export/best/manifest.json").read_text(encoding="utf-8"))
    for key in ("method", "fraction", "seed", "images"):
        assert record[key] == values["judges"]["scratch"]["kept"][key]
    assert record["why"] == Wording(found).answer()
    # Two seeds show nothing, so all are kept.
    assert found.kept and (found.kept.method, found.kept.fraction) == ("full", 1.0)
    split = pd.read_parquet(results / "splits/0.parquet")
    exported = pd.read_parquet(results / "export/best/images.parquet")
    assert set(exported["image_id"]) == set(split.image_id[split.split == "train"])


def test_an_unknown_subset_is_refused_at_once_with_those_there_are(
    tmp_path, snakemake, tiny_config
):
    finished = snakemake(
        tmp_path, "--config", "export=pca_gird:0.1", "--", "export", config=tiny_config
    )
    assert finished.returncode != 0
    assert "random:0.25, random:0.1, pca_grid:0.1" in finished.stderr
    assert "Traceback" not in finished.stdout + finished.stderr
