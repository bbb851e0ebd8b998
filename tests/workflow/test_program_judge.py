"""A program of the user's as a judge, on a tiny configuration."""

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from smallest import WITHOUT_FIGURES, smallest

from petite.data.store import Store

pytestmark = pytest.mark.workflow

# Guesses, but for a subset that it is asked to fail on.
PROGRAM = """
import csv, sys
train, test, predictions, seed = sys.argv[1:5]
rows = len(list(csv.DictReader(open(train))))
if len(sys.argv) > 5 and rows < int(sys.argv[5]):
    sys.exit(f"too few images: {rows}")
with open(predictions, "w") as file:
    for number, _ in enumerate(csv.DictReader(open(test))):
        share = (number * 7 + int(seed) * 3) % 10 / 10
        file.write(f"{share},{1 - share}\\n")
"""


def config_with(command: str, **settings: Any) -> dict[str, Any]:
    program = {"command": f"'{sys.executable}' train.py {command}", **settings}
    methods = {"full": [1], "random": [0.5, 0.1], "pca_grid": [], "augmentation": []}
    return smallest(methods, judges={"scratch": None, "mine": program})


GIVEN = "{train} {test} {predictions} {seed}"


def due(snakemake, folder: Path, config: dict[str, Any], rule: str = "judge_program") -> int:
    """The number of jobs of the judge that a dry-run would run."""
    finished = snakemake(folder, "--dry-run", config=config)
    assert finished.returncode == 0, finished.stderr
    lines = (finished.stdout + finished.stderr).splitlines()
    return max((int(line.split()[1]) for line in lines if line.startswith(f"{rule} ")), default=0)


def test_a_program_judges_fails_in_words_and_reruns_when_it_is_edited(
    snakemake, tmp_path: Path
) -> None:
    (tmp_path / "train.py").write_text(PROGRAM)
    failing = config_with(GIVEN + " 100")
    failed = snakemake(tmp_path, config=failing)
    assert failed.returncode == 1
    results = tmp_path / "results/tiny"
    # The rest of the run went on, and its page says what is missing.
    runs = pd.read_csv(results / "runs.csv")
    assert set(zip(runs["method"], runs["fraction"], strict=True)) == {("full", 1), ("random", 0.5)}
    assert runs["judge"].unique().tolist() == ["mine"]
    assert "judge_program/mine/random/0.1/seeds-0-1" in failed.stderr
    assert "too few images: " in failed.stderr and "Traceback" not in failed.stderr

    config = config_with(GIVEN)
    finished = snakemake(tmp_path, *WITHOUT_FIGURES, config=config)
    assert finished.returncode == 0, finished.stderr
    runs = pd.read_csv(results / "runs.csv")
    assert len(runs) == 6 and runs["steps"].isna().all()
    recommendation = json.loads((results / "recommendation.json").read_text())
    assert list(recommendation["judges"]) == ["mine"]
    assert recommendation["judges"]["mine"]["kind"] == "keep_none"
    page = (results / "report.html").read_text()
    assert "train.py" in page and "nan" not in (results / "recommendation.md").read_text()

    # What changes no result reruns nothing, an edit of the program reruns it alone.
    assert due(snakemake, tmp_path, config_with(GIVEN, max_seconds=60)) == 0
    (tmp_path / "train.py").write_text(PROGRAM + "\n# edited\n")
    assert due(snakemake, tmp_path, config) == 3
    assert due(snakemake, tmp_path, config, "subset") == 0


def test_a_program_is_given_the_originals_at_its_own_size(
    snakemake, tmp_path: Path, write_pictures
) -> None:
    (tmp_path / "train.py").write_text(
        PROGRAM
        + "from PIL import Image\n"
        + "first = next(csv.DictReader(open(test)))['file']\n"
        + "assert Image.open(first).size == (48, 48), Image.open(first).size\n"
    )
    write_pictures(tmp_path / "pictures", ["a", "b"], 20)
    config = config_with(GIVEN, image_size=48)
    config["dataset"] = {
        "name": "tiny",
        "source": "folder",
        "path": "pictures",
        "image_size": 16,
        "color": "gray",
    }
    target = "results/tiny/runs/mine/random/0.5/seeds-0-1.csv"
    finished = snakemake(tmp_path, "--", target, config=config)
    assert finished.returncode == 0, finished.stderr
    assert Store.open(tmp_path / "results/tiny/store/manifest.json").image_size == 16
    assert len(pd.read_csv(tmp_path / target)) == 2
