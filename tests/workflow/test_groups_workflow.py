"""Images of one group: from names on disk to a split that keeps them together."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

PATTERN = r"/(p\d+)_"
SPLIT = "results/patients/splits/0.parquet"


@pytest.fixture
def patients(tmp_path: Path) -> Path:
    """Two classes of ten patients with six noisy pictures each of a pattern of their own."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "patients"
    for number in range(20):
        of_class = folder / ("benign" if number % 2 else "malignant")
        of_class.mkdir(parents=True, exist_ok=True)
        pattern = Image.fromarray(rng.integers(0, 256, (6, 6), dtype=np.uint8))
        smooth = np.asarray(pattern.resize((32, 32), Image.Resampling.BICUBIC)).astype(float)
        for image in range(6):
            noisy = (smooth + rng.normal(0, 40, smooth.shape)).clip(0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(of_class / f"p{number:02d}_slice{image}.png")
    return folder


def config_for(folder: Path, tiny_config: dict, **split: str) -> dict:
    dataset = {
        "name": "patients",
        "source": "folder",
        "path": str(folder),
        "classes": None,
        "image_size": 32,
        "color": "gray",
        "near_copy_distance": None,
        "shards": 1,
    }
    return tiny_config | {"dataset": dataset, "split": {"test": 0.2, "seed": 0} | split}


def test_names_that_suggest_groups_are_said_and_what_is_said_keeps_them_together(
    tmp_path, snakemake, tiny_config, patients
):
    work = tmp_path / "run"
    finished = snakemake(work, "--", SPLIT, config=config_for(patients, tiny_config))
    assert finished.returncode == 0, finished.stderr
    said = " ".join(finished.stderr.split())
    assert "Note: The names suggest that images belong together" in said
    assert f"split: {{groups: '{PATTERN}'}}" in said
    of_patient = pd.read_parquet(work / SPLIT).assign(
        patient=lambda table: table["image_id"].str.extract(PATTERN, expand=False)
    )
    assert (of_patient.groupby("patient")["split"].nunique() > 1).sum() > 10

    # Another pattern that means the same; Snakemake reads braces in its own way.
    config = config_for(patients, tiny_config, groups=r"/(p\d{2})_[^'\" ]*$")
    finished = snakemake(work, "--", SPLIT, config=config)
    assert finished.returncode == 0, finished.stderr
    (notice,) = json.loads((work / SPLIT).with_suffix(".json").read_text("utf-8"))["notices"][:1]
    assert notice.startswith("split.groups makes 20 groups of 120 images: ")
    table = pd.read_parquet(work / SPLIT)
    patients_of = table["image_id"].str.extract(PATTERN, expand=False)
    assert (table.groupby(patients_of)["split"].nunique() == 1).all()
    assert table.groupby("label")["split"].nunique().tolist() == [3, 3]


def test_a_pattern_that_no_name_matches_is_refused_before_any_job(
    tmp_path, snakemake, tiny_config, patients
):
    config = config_for(patients, tiny_config, groups=r"/(patient\d+)_")
    finished = snakemake(tmp_path / "run", "-n", "--", SPLIT, config=config)
    assert finished.returncode != 0
    said = finished.stdout + finished.stderr
    assert r"split.groups: '/(patient\d+)_'" in said and "benign/p01_slice0.png" in said
    assert "Traceback" not in said
