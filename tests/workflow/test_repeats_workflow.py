"""Several splits of the same images: more of them add jobs only, and a table compares all."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
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
    assert "2 splits" in (tmp_path / ANSWER).read_text("utf-8").lower()
    record = json.loads((tmp_path / RESULTS / "declared.json").read_text("utf-8"))
    assert record["scratch"]["declared"]["splits"] == 2
    assert "Nothing to be done" in said_of(
        snakemake(tmp_path, "--dry-run", "--", ANSWER, config=config_of(2))
    )

    # With one split again, no table of two is left.
    finished = snakemake(tmp_path, "--", ANSWER, config=config_of(1))
    assert finished.returncode == 0, said_of(finished)
    assert not list((tmp_path / RESULTS).glob("splits.*"))


ENCODED = "16px-webp-q30"
COLORS = """
import csv, sys
import numpy as np
from PIL import Image
files = [row["file"] for row in csv.DictReader(open(sys.argv[1]))]
images = [np.asarray(Image.open(file), float) for file in files]
np.save(sys.argv[2], [[*image.mean(axis=(0, 1)), image[0, 0, 0]] for image in images])
"""
GUESSES = """
import csv, sys
with open(sys.argv[3], "w") as file:
    for number, _ in enumerate(csv.DictReader(open(sys.argv[2]))):
        share = (number * 7 + int(sys.argv[4]) * 3) % 10 / 10
        file.write(f"{share},{1 - share}\\n")
"""


def config_of_judges(**sections: Any) -> dict[str, Any]:
    """A probe and a program as judges, without training, on pictures in two encodings."""
    python = f"'{sys.executable}'"
    guesses = {"command": f"{python} guesses.py {{train}} {{test}} {{predictions}} {{seed}}"}
    return smallest(
        {"full": [1], "random": [0.5], "herding": [0.5], "augmentation": [], "pca_grid": []},
        judges={"probe": {}, "mine": guesses},
        backbone={"command": f"{python} colors.py {{images}} {{embeddings}}", "image_size": 32},
        features={"space": "backbone"},
        encodings=["original", {"side": 16, "codec": "webp", "quality": 30}],
        split={"test": 0.3, "validation": 0.1, "repeats": 2},
        dataset={
            "name": "tiny",
            "source": "folder",
            "path": "pictures",
            "classes": None,
            "image_size": 16,
            "color": "rgb",
            "shards": 1,
        },
        checks={"cues": False, "label_errors": False, "near_duplicates": False},
        **sections,
    )


def test_probes_programs_encodings_lists_and_the_export_work_with_several_splits(
    snakemake, write_pictures, tmp_path: Path
) -> None:
    write_pictures(tmp_path / "pictures", ["cat", "dog"], 30)
    (tmp_path / "colors.py").write_text(COLORS)
    (tmp_path / "guesses.py").write_text(GUESSES)
    results = tmp_path / RESULTS
    paths = ["splits/0.parquet", "split-2/splits/1.parquet"]
    targets = [f"{RESULTS}/{path}" for path in paths]
    made = snakemake(tmp_path, "--", *targets, config=config_of_judges())
    assert made.returncode == 0, said_of(made)
    parts = [pd.read_parquet(results / path).set_index("image_id")["split"] for path in paths]
    in_first = parts[0] == "train"
    # In the second split, the first image of each list is tested.
    tested, trained = (
        parts[0].index[in_first & (parts[1] == part)].tolist() for part in ("test", "train")
    )
    lists = {"keep": [tested[0], trained[0]], "exclude": [tested[1], trained[1]]}
    config = config_of_judges(**lists, export="herding:0.5", export_formats=["npz"])
    targets = [f"{RESULTS}/report.html", "export"]
    finished = snakemake(tmp_path, "--", *targets, config=config)
    assert finished.returncode == 0, said_of(finished)

    table = pd.read_csv(results / "splits.csv", dtype={"split": str})
    found = table[table["split"] == "all"].groupby("judge")["method"].agg(set).to_dict()
    names = {"random", "herding"}
    encoded = {f"{name}@{ENCODED}" for name in (*names, "full")}
    assert found == {"mine": names, "probe": names | encoded}
    for folder, part in zip(("", "split-2/"), parts, strict=True):
        training = set(part.index[part == "train"])
        for path in (results / f"{folder}subsets").rglob("seeds-*.parquet"):
            for _, subset in pd.read_parquet(path).groupby("seed"):
                chosen = set(subset["image_id"])
                assert chosen <= training - set(lists["exclude"])
                assert set(lists["keep"]) & training <= chosen
        for judge in ("probe", "mine"):
            run = results / folder / "runs" / judge / "random/0.5/seeds-0-1.predictions.npz"
            with np.load(run, allow_pickle=False) as predictions:
                assert set(predictions["image_ids"]) == set(part.index[part == "test"])
    exported = pd.read_csv(results / "export/herding-0.5-seed-0/manifest.csv")
    assert set(exported["image_id"]) <= set(parts[0].index[in_first])
    for name in ("report.html", "recommendation.md"):
        text = " ".join((results / name).read_text("utf-8").split())
        assert "2 splits" in text and "trainings in 2 splits" in text, name


def test_what_several_splits_do_not_go_together_with_is_refused_before_any_job(
    snakemake, write_pictures, tmp_path: Path
) -> None:
    for part in ("train", "test"):
        write_pictures(tmp_path / "pictures" / part, ["cat", "dog"], 5)
    for config, named in (
        (config_of_judges() | {"split": {"repeats": 2}}, "given split"),
        (config_of_judges(seeds={"looks": [7, 10]}), "looks"),
    ):
        refused = snakemake(tmp_path, config=config)
        said = said_of(refused)
        assert refused.returncode != 0 and named in said and "split.repeats" in said
        assert "rule " not in said
