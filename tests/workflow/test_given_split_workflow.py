"""A folder with train, val and test: from a look at its names to the page."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from smallest import WITHOUT_FIGURES

RESULTS = "results/scans"
SPLIT = f"{RESULTS}/splits/0"
# Patients of each class in each part; three images each, and of the first training patient nine.
PATIENTS = {"train": range(8), "val": range(8, 11), "test": range(11, 16)}


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Two classes in the folders of a split, with a copy and a patient on both sides."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "scans"
    for part, patients in PATIENTS.items():
        for label, name in enumerate(("benign", "malignant")):
            of_class = folder / part / name
            of_class.mkdir(parents=True)
            for patient in patients:
                pattern = rng.normal(90 + 60 * label, 12, (4, 4))
                for image in range(9 if patient == 0 else 3):
                    noisy = np.kron(pattern, np.ones((4, 4))) + rng.normal(0, 20, (16, 16))
                    picture = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
                    picture.save(of_class / f"{name[0]}{patient:02d}_{image}.png")
    shutil.copy(folder / "test/benign/b11_0.png", folder / "train/benign/b90_0.png")
    picture = Image.fromarray(rng.integers(0, 255, (16, 16), dtype=np.uint8))
    picture.save(folder / "train/malignant/m12_9.png")  # of a patient of the test part
    return folder


def config_for(folder: Path, tiny_config: dict, **split: object) -> dict:
    dataset = {
        "name": "scans",
        "source": "folder",
        "path": str(folder),
        "classes": None,
        "image_size": 16,
        "color": "gray",
        "near_copy_distance": None,
        "shards": 1,
    }
    methods = {
        "full": {"fractions": [1]},
        "random": {"fractions": [0.5]},
        "even": {"method": "random", "quota": "group", "fractions": [0.5]},
        "pca_grid": {"fractions": []},
        "augmentation": {"fractions": []},
    }
    return tiny_config | {"dataset": dataset, "split": {"seed": 0} | split, "methods": methods}


def test_a_given_split_goes_as_it_is_from_its_folders_to_the_page(
    tmp_path, snakemake, tiny_config, scans
):
    work = tmp_path / "run"
    config = config_for(scans, tiny_config, groups=r"/([bm]\d+)_")
    finished = snakemake(work, *WITHOUT_FIGURES, config=config)
    assert finished.returncode == 0, finished.stderr
    said = " ".join(finished.stderr.split())
    assert "has a split, which is used as it is" in said
    assert "Leaks in the given split" in said

    table = pd.read_parquet(work / f"{SPLIT}.parquet")
    folders = table["image_id"].str.split("/").str[1]
    assert (table["split"] == folders.replace("val", "validation")).all()
    assert (table.groupby("group")["split"].nunique() == 1).all()
    leaks = pd.read_csv(work / f"{SPLIT}.leaks.csv").set_index("image_id")
    dropped = set(leaks.index[leaks["is_dropped"]])
    assert dropped == {"benign/train/b90_0.png", "malignant/train/m12_9.png"}
    assert leaks.loc["benign/train/b90_0.png", "kind"] == "copy"
    assert leaks.loc["malignant/train/m12_9.png", "kind"] == "group"
    assert not dropped & set(table["image_id"])

    (path,) = (work / f"{RESULTS}/subsets/even/0.5").glob("seeds-0-*.parquet")
    subsets = pd.read_parquet(path)
    of_seed = subsets.loc[subsets["seed"] == 0, "image_id"]
    groups = table.set_index("image_id")["group"][of_seed]
    assert groups.value_counts().max() - groups.value_counts().min() <= 1
    assert groups.nunique() == 16

    answer = json.loads((work / f"{RESULTS}/recommendation.json").read_text("utf-8"))
    of_tests = answer["judges"]["scratch"]["basis"]["groups"]
    assert (of_tests["groups"], of_tests["images"]) == (10, 30)
    page = (work / f"{RESULTS}/report.html").read_text("utf-8")
    assert "Leaks in the given split" in page and "b90_0.png" in page

    # The settings that a given split is used with rerun the split, and nothing before it.
    ignored = config_for(scans, tiny_config, groups=r"/([bm]\d+)_", given="ignore")
    dry = snakemake(work, "-n", config=ignored)
    assert dry.returncode == 0, dry.stderr
    due = dry.stdout + dry.stderr
    assert "rule split:" in due and "rule index:" not in due and "rule ingest:" not in due


def test_a_size_of_a_given_test_set_is_refused_before_any_job(
    tmp_path, snakemake, tiny_config, scans
):
    finished = snakemake(tmp_path, "-n", config=config_for(scans, tiny_config, test=0.2))
    assert finished.returncode != 0
    said = finished.stdout + finished.stderr
    assert "split.test: 0.2" in said and "split: {given: ignore}" in said
    assert "Traceback" not in said
