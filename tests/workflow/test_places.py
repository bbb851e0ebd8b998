"""Locations of checkout, working folder, images and results; and images that are gone."""

import copy
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from smallest import smallest

pytestmark = pytest.mark.workflow

REPOSITORY = Path(__file__).resolve().parents[2]
CHECKOUT = ("Snakefile", "config.yaml", "scripts", "workflow", "profiles", "envs")


def settings() -> dict[str, Any]:
    """One method at one fraction, of images in a folder or an archive of one's own."""
    dataset = {"name": "pets", "image_size": 8, "classes": None, "shards": 2}
    methods: dict[str, list[float]] = {
        "random": [0.5],
        "full": [],
        "pca_grid": [],
        "augmentation": [],
    }
    return smallest(methods, dataset=dataset)


def said_of(finished: subprocess.CompletedProcess[str]) -> str:
    said = finished.stdout + finished.stderr
    assert "Traceback" not in said
    return said


# --- images that are gone


@pytest.fixture(scope="module", params=["folder", "archive"])
def whole_run(
    request, tmp_path_factory: pytest.TempPathFactory, write_pictures, snakemake
) -> tuple[Path, Path, dict[str, Any]]:
    """A whole run, after which its images were moved away; a copy of it; its configuration."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    path = folder / "my {pictures}"
    write_pictures(path, ["cat", "dog"], 30)
    (path / "cat/none.jpg").write_bytes(b"no picture")
    if request.param == "archive":
        path = Path(shutil.make_archive(str(folder / "pictures"), "zip", path))
    config = settings()
    config["dataset"] |= {"source": request.param, "path": path.name}
    run = snakemake(folder, config=config)
    assert run.returncode == 0, said_of(run)
    path.rename(folder / "moved")
    copied = folder.with_name("copy")
    shutil.copytree(folder, copied, symlinks=True)
    return folder, copied, config


@pytest.fixture
def finished_run(whole_run: tuple[Path, Path, dict[str, Any]]) -> tuple[Path, dict[str, Any]]:
    """That run, as if no test had changed it, under its own path."""
    folder, copied, config = whole_run
    shutil.rmtree(folder)
    shutil.copytree(copied, folder, symlinks=True)
    return folder, copy.deepcopy(config)


def test_what_the_store_can_serve_works_after_the_images_are_gone(
    finished_run: tuple[Path, dict[str, Any]], snakemake
) -> None:
    folder, config = finished_run
    results = folder / "results/pets"
    before = json.loads((results / "provenance.json").read_text("utf-8"))["inputs"]
    runs = (results / "runs/scratch/random/0.5/seeds-0-1.csv").stat().st_mtime_ns
    shards = [path.read_bytes() for path in sorted((results / "store/shards").glob("*.npy"))]

    assert "Nothing to be done" in said_of(snakemake(folder, "--dry-run", config=config))
    reported = snakemake(folder, "--report", "out.html", config=config)
    assert reported.returncode == 0, said_of(reported)

    export = {"export": "random:0.5", "export_formats": ["npz"]}
    exported = snakemake(folder, "--", "export", config=config | export)
    assert exported.returncode == 0, said_of(exported)
    with np.load(results / "export/random-0.5-seed-0/images.npz") as kept:
        assert len(kept["images"]) == len(kept["labels"]) > 0

    other = snakemake(folder, config=config | {"evidence": {"tolerance": 0.02}})
    assert other.returncode == 0, said_of(other)
    after = json.loads((results / "provenance.json").read_text("utf-8"))["inputs"]
    assert after == before
    # Nothing was read or trained again.
    assert (results / "runs/scratch/random/0.5/seeds-0-1.csv").stat().st_mtime_ns == runs
    assert [p.read_bytes() for p in sorted((results / "store/shards").glob("*.npy"))] == shards


def test_what_needs_the_originals_says_which_are_gone_and_keeps_what_there_is(
    finished_run: tuple[Path, dict[str, Any]], snakemake
) -> None:
    folder, config = finished_run
    results = folder / "results/pets"
    shards = sorted((results / "store/shards").glob("*.npy"))
    export = {"export": "random:0.5", "export_formats": ["folder"]}
    said = said_of(snakemake(folder, "--", "export", config=config | export))
    subset = pd.read_parquet(results / "subsets/random/0.5/seeds-0-1.parquet")
    assert f"{config['dataset']['path']} does not exist" in said
    assert subset["image_id"][0] in said
    assert "export_formats=[npz]" in said

    config["dataset"]["image_size"] = 9
    finished = snakemake(folder, config=config)
    assert finished.returncode != 0
    assert '{"image_size": 8}' in said_of(finished)
    assert all(path.exists() for path in shards)

    # A path that was never read is a mistake, whatever is there of another.
    config["dataset"] |= {"image_size": 8, "path": "picturs"}
    finished = snakemake(folder, "--dry-run", config=config)
    assert finished.returncode != 0
    assert "dataset.path: picturs does not exist" in said_of(finished)


def test_images_that_are_back_or_elsewhere_are_read_again_only_where_they_changed(
    finished_run: tuple[Path, dict[str, Any]], snakemake
) -> None:
    folder, config = finished_run
    path = config["dataset"]["path"]
    if config["dataset"]["source"] == "folder":
        there = config | {"dataset": config["dataset"] | {"path": "moved"}}
        said = said_of(snakemake(folder, "--dry-run", config=there))
        # Only the report, which shows the configuration.
        assert set(re.findall(r"^rule (\w+):", said, re.MULTILINE)) == {"report", "all"}
    (folder / "moved").rename(folder / path)
    assert "Nothing to be done" in said_of(snakemake(folder, "--dry-run", config=config))
    changed = folder / path / "cat/picture 3.jpg" if (folder / path).is_dir() else folder / path
    changed.write_bytes(changed.read_bytes() + b"more")
    assert "ingest" in said_of(snakemake(folder, "--dry-run", config=config))


# --- places


def test_a_folder_of_images_that_holds_the_results_is_refused(
    tmp_path: Path, write_pictures, snakemake
) -> None:
    write_pictures(tmp_path, ["cat", "dog"], 20)
    inside = tmp_path / "deep/in"
    for place, path in ((tmp_path, "."), (tmp_path, str(tmp_path)), (inside, "../..")):
        config = settings()
        config["dataset"] |= {"source": "folder", "path": path}
        finished = snakemake(place, config=config)
        assert finished.returncode != 0
        assert "also contains the folder that Petite runs in" in said_of(finished)
        assert not (place / "results").exists()


def test_a_relative_path_that_is_elsewhere_than_the_working_folder_is_named(
    tmp_path: Path, write_pictures
) -> None:
    write_pictures(tmp_path / "pictures", ["cat", "dog"], 20)
    (tmp_path / "run").mkdir()
    finished = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--directory", "run"]
        + [
            "--snakefile",
            str(REPOSITORY / "Snakefile"),
            "--config",
            "folder=pictures",
            "--dry-run",
        ],
        cwd=tmp_path,
        env={**os.environ, "PWD": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert finished.returncode != 0
    assert f"{tmp_path}/pictures exists" in said_of(finished)


def checkout_at(folder: Path) -> Path:
    """A checkout of links to this one's files."""
    folder.mkdir(parents=True)
    for name in CHECKOUT:
        (folder / name).symlink_to(REPOSITORY / name)
    return folder


Listed = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def listed(loaded_python: str) -> Listed:
    """A function that runs a few jobs from a checkout, with its path as it is given."""

    def run(
        checkout: str,
        folder: Path,
        config: dict[str, Any],
        snakefile: str = "Snakefile",
        *more: str,
    ) -> subprocess.CompletedProcess[str]:
        (folder / "overlay.yaml").write_text(yaml.safe_dump(config), "utf-8")
        command = [loaded_python, "-m", "snakemake", "--cores", "2"]
        command += [f"--snakefile={checkout}/{snakefile}", "--configfile", "overlay.yaml"]
        return subprocess.run(
            [*command, *(more or ["--", "results/tiny/splits/0.parquet"])],
            cwd=folder,
            capture_output=True,
            text=True,
        )

    return run


NAMES = ["-rf", "50%s %%", "a#b, c=d: ~", "Bücher 猫", "new\nline", "a*[b]? \\ 'q' \"$HOME`"]


@pytest.mark.parametrize("name", NAMES)
def test_a_checkout_works_under_any_name(
    tmp_path: Path, listed: Listed, tiny_config: dict[str, Any], name: str
) -> None:
    checkout_at(tmp_path / name)
    finished = listed(name, tmp_path, tiny_config)
    assert finished.returncode == 0, said_of(finished)


@pytest.mark.parametrize("name", ["{x}", "{}", "a } b"])
def test_a_checkout_with_braces_in_its_path_is_refused_unless_a_link_has_none(
    tmp_path: Path, listed: Listed, tiny_config: dict[str, Any], name: str
) -> None:
    checkout = checkout_at(tmp_path / name / "petite")
    finished = listed(str(checkout), tmp_path, tiny_config)
    assert finished.returncode != 0
    assert "contains braces" in said_of(finished)
    assert not (tmp_path / "results").exists()
    (tmp_path / "linked").symlink_to(checkout)
    finished = listed("linked", tmp_path, tiny_config)
    assert finished.returncode == 0, said_of(finished)


def test_the_snakefile_in_workflow_runs_the_same_jobs_and_reruns_nothing(
    tmp_path: Path, listed: Listed, tiny_config: dict[str, Any]
) -> None:
    (tmp_path / "linked").symlink_to(REPOSITORY)
    (tmp_path / "deep").mkdir()
    # A path with dots, which also finds the profile.
    checkout = "deep/../linked"
    finished = listed(checkout, tmp_path, tiny_config)
    assert finished.returncode == 0, said_of(finished)
    both = [
        said_of(listed(checkout, tmp_path, tiny_config, snakefile, "--dry-run"))
        for snakefile in ("Snakefile", "workflow/Snakefile")
    ]
    for said in both:
        assert "profiles/default for setting default command line" in said
        assert "Petite" not in said
    jobs = [sorted(re.findall(r"^(?:rule|checkpoint|localrule) \w+:", said, re.M)) for said in both]
    assert jobs[0] == jobs[1]
    assert {"rule train:", "rule all:"} <= set(jobs[0])
    assert not {"rule listing:", "rule split:"} & set(jobs[0])
