"""Which new images to add to a subset of a run: a new kind is planted, and copies of old images."""

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from smallest import smallest
from test_what_is_left import due, said_of

from petite.data import grown
from petite.forecast.planning import read_run

pytestmark = pytest.mark.workflow

GROWN = "results/tiny/grow/new/facility_location-on-random-0.5-seed-0"
# The mean color of each kind of picture.
OLD_KINDS = {"Cat": (150, 60, 60), "Dog": (60, 60, 150)}
NEW_KINDS = {"Cat": (90, 220, 90), "Dog": (220, 90, 220)}
COLORS = """
import csv, sys
import numpy as np
from PIL import Image
files = [row["file"] for row in csv.DictReader(open(sys.argv[1]))]
np.save(sys.argv[2], [np.asarray(Image.open(file), float).mean(axis=(0, 1)) for file in files])
"""


def write_picture(path: Path, color: tuple[int, int, int], seed: int) -> None:
    """A picture of its own pattern around a color."""
    rng = np.random.default_rng(seed)
    grid = np.clip(color + rng.normal(0, 25, (6, 6, 3)), 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grid).resize((40, 40), Image.Resampling.BICUBIC).save(path)


def config_with(**grow: Any) -> dict[str, Any]:
    """Judged by a probe on embeddings that a program makes, so that no network is needed."""
    config = smallest(
        {"random": [0.5], "augmentation": []},
        grow={"path": "new", "kept": "random:0.5", "sizes": [0.5, 1]} | grow,
        judges="probe",
        backbone={"command": f"'{sys.executable}' colors.py {{images}} {{embeddings}}"},
        features={"space": "backbone"},
        seeds=7,
    )
    config["backbone"]["image_size"] = 32
    config["dataset"] = {"name": "tiny", "source": "folder", "path": "old", "classes": None}
    config["dataset"] |= {"image_size": 16, "color": "rgb", "shards": 2, "near_copy_distance": 6}
    return config


@pytest.fixture(scope="module")
def folder(snakemake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished answer."""
    folder: Path = tmp_path_factory.mktemp("grow")
    (folder / "colors.py").write_text(COLORS)
    for place, name in enumerate(OLD_KINDS):
        for number in range(30):
            write_picture(
                folder / f"old/{name}/{number}.png", OLD_KINDS[name], number + 100 * place
            )
        for number in range(8):
            seed = 1000 + 100 * place + number
            write_picture(folder / f"new/{name}/other {number}.png", NEW_KINDS[name], seed)
            write_picture(folder / f"new/{name}/same {number}.png", OLD_KINDS[name], seed + 50)
        for number in range(10):
            known = folder / f"new/{name}/known {number}.png"
            shutil.copy(folder / f"old/{name}/{number}.png", known)
    (folder / "new/Cat/broken.jpg").write_bytes(b"no image")
    (folder / "new/notes.txt").write_text("not listed")
    finished = snakemake(folder, "--", "grow", config=config_with())
    assert finished.returncode == 0, said_of(finished)
    assert f"{GROWN}/page.html" in finished.stdout
    assert "of 32 new images" in finished.stdout
    return folder


def listed(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / GROWN / "list.csv", keep_default_na=False)


def test_the_new_kind_comes_first_and_what_the_kept_images_show_comes_later(folder: Path) -> None:
    table = listed(folder)
    order = table[table["set_aside"] == ""]
    kind = order["file"].str.extract(r"/(\w+) ")[0]
    assert kind.iloc[:2].tolist() == ["other", "other"]
    assert set(order["class"].iloc[:2]) == {"Cat", "Dog"}
    assert kind.iloc[-1] == "same"
    ranks = order["rank"].astype(int).groupby(kind).mean()
    assert ranks["other"] < ranks["same"]


def test_no_new_image_is_on_both_sides_of_the_split(folder: Path) -> None:
    table = listed(folder)
    known = table[table["file"].str.contains("/known ")]
    split = pd.read_parquet(folder / "results/tiny/splits/0.parquet").set_index("image_id")
    [subset] = (folder / "results/tiny/subsets/random/0.5").glob("*.parquet")
    kept = set(pd.read_parquet(subset).query("seed == 0")["image_id"])
    assert len(known) == 20
    kinds = {"test": grown.OF_TEST, "validation": grown.OF_VALIDATION, "train": grown.OF_OLD}
    for _, row in known.iterrows():
        part = split.loc[row["copy_of"], "split"]
        assert row["copy_of"] == row["file"].replace("known ", "")
        assert row["set_aside"] == (grown.OF_KEPT if row["copy_of"] in kept else kinds[part])
    broken = table[table["file"] == "Cat/broken.jpg"]
    assert broken["set_aside"].item() == grown.UNUSABLE


def test_all_cases_have_a_gain_with_its_interval(folder: Path) -> None:
    gains = pd.read_csv(folder / GROWN / "gains.csv").set_index(["case", "against"])
    assert set(gains.index) == {
        ("order", "kept"), ("random", "kept"), ("all", "kept"), ("order", "random"),
    }  # fmt: skip
    assert gains.loc[("order", "kept"), "added"] == gains.loc[("random", "kept"), "added"] == 16
    assert (gains["pairs"] == 7).all()
    assert gains[["difference", "new_images_low", "new_images_high", "kept_low"]].notna().all(None)
    answer = (folder / GROWN / "answer.txt").read_text("utf-8")
    assert len(re.findall(r"points? \[", answer)) == 4


def test_the_folder_and_the_page_have_the_images_to_add(folder: Path) -> None:
    table = listed(folder)
    order = table[table["set_aside"] == ""]
    page = (folder / GROWN / "page.html").read_text("utf-8")
    for _, row in order.iterrows():
        name = f"{int(row['rank']):04d}_{Path(row['file']).name}"
        copied = folder / GROWN / "images" / row["class"] / name
        assert copied.read_bytes() == (folder / "new" / row["file"]).read_bytes()
        assert Path(row["file"]).name in page
    assert len(list((folder / GROWN / "images").glob("*/*"))) == len(order) == 32


def again(folder: Path, snakemake, **grow: Any) -> dict[str, int]:
    found = due(snakemake(folder, "-n", "--", "grow", config=config_with(**grow)))
    return {name: jobs for name, jobs in found.items() if name not in ("grow", "total")}


def test_a_finished_answer_has_nothing_to_do(folder: Path, snakemake) -> None:
    assert again(folder, snakemake) == {}


def test_jobs_ask_for_the_memory_of_old_and_new_images(folder: Path, snakemake) -> None:
    arguments = "--dry-run", "--verbose", "--forcerun", "grow_probe", "--", "grow"
    said = said_of(snakemake(folder, *arguments, config=config_with()))
    asked = re.findall(r"rule grow_probe:.*?mem_mb=(\d+)", said, re.DOTALL)
    old, new = (len(list((folder / name).glob("*/*.*"))) for name in ("old", "new"))
    assert asked and set(asked) == {str(round(1000 + 20_000 * (old + new) / 1e6))}


def test_more_seeds_judge_only_the_new_ones(folder: Path, snakemake) -> None:
    config = config_with() | {"seeds": 15}
    dry = snakemake(folder, "-n", "--", "grow", config=config)
    assert due(dry)["grow_probe"] == 4
    outputs = set(re.findall(r"grow/\S+runs/probe/\S+(seeds-\d+-\d+)\.csv", said_of(dry)))
    assert "seeds-7-14" in outputs and "seeds-0-14" not in outputs


def test_more_seeds_of_a_judge_that_reads_subsets_draw_only_the_new_random_orders(
    folder: Path, snakemake
) -> None:
    program = {"command": "python colors.py {train} {test} {predictions}", "seeds": 4}
    config = config_with() | {"judges": {"probe": {}, "mine": program}}
    kinds = ("rankings/random", "subsets/random/0.5", "runs/mine/random/0.5")
    done = [folder / GROWN / f"{kinds[0]}/seeds-0-1.parquet"]
    done += [folder / GROWN / f"{kinds[2]}/seeds-0-1.csv"]
    for path in done:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    try:
        said = said_of(snakemake(folder, "-n", "--", "grow", config=config))
    finally:
        for path in done:
            path.unlink()
    for kind in kinds:
        seeds = re.findall(rf"{re.escape(GROWN)}/{kind}/seeds-(\d+-\d+)\.", said)
        assert set(seeds) == {"0-1", "2-3"}, kind


def test_a_class_that_both_folders_got_is_known_before_the_store_is_made_again(
    folder: Path, snakemake
) -> None:
    for place in ("old", "new"):
        write_picture(folder / place / "Bird/1.png", (1, 2, 3), 7)
    try:
        jobs = again(folder, snakemake)
        shutil.rmtree(folder / "old/Bird")
        refused = snakemake(folder, "-n", "--", "grow", config=config_with())
    finally:
        shutil.rmtree(folder / "old/Bird", ignore_errors=True)
        shutil.rmtree(folder / "new/Bird")
    assert jobs["index"] == 1
    assert refused.returncode != 0 and "'Bird'" in said_of(refused)


def test_a_new_file_reruns_one_shard_and_not_the_runs_of_the_kept_images(
    folder: Path, snakemake
) -> None:
    added = folder / "new/Dog/added.png"
    write_picture(added, (10, 200, 200), 999)
    try:
        jobs = again(folder, snakemake)
    finally:
        added.unlink()
    assert jobs["second_ingest"] == jobs["second_embed"] == jobs["grow_images"] == 1
    assert jobs["grow_probe"] == 3
    assert not {"ingest", "embed", "index", "split", "subset", "grow_kept"} & set(jobs)


def test_another_size_and_links_rerun_little(folder: Path, snakemake) -> None:
    jobs = again(folder, snakemake, sizes=[0.25, 0.5, 1])
    assert jobs == {"grow_probe": 2, "grow_gains": 1, "grow_page": 1}
    assert again(folder, snakemake, links=False) == {"grow_export": 1}


@pytest.mark.parametrize(
    ("grow", "said"),
    [
        ({"path": "nowhere"}, "grow.path: nowhere"),
        ({"path": "empty"}, "grow.path: empty"),
        ({"path": "texts"}, "texts"),
        ({"path": "old"}, "grow.path: old"),
        ({"path": "old/Cat"}, "grow.path: old/Cat"),
        ({"path": "birds"}, "'Bird'"),
        ({"path": "flat"}, "'1.png'"),
        ({"path": "new.zip"}, "grow.path: new.zip"),
        ({"kept": "random:0.3"}, "grow.kept"),
        ({"method": "typiclust"}, "grow.method"),
        ({"path": None, "kept": None}, "new=FOLDER"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_job(
    folder: Path, snakemake, grow: dict[str, Any], said: str
) -> None:
    if not (folder / "empty").exists():
        (folder / "empty").mkdir()
        (folder / "texts/Cat").mkdir(parents=True)
        (folder / "texts/Cat/a.txt").write_text("a")
        write_picture(folder / "birds/Bird/1.png", (1, 2, 3), 0)
        write_picture(folder / "flat/1.png", (1, 2, 3), 0)
        (folder / "new.zip").write_bytes(b"PK")
    refused = snakemake(folder, "--", "grow", config=config_with(**grow))
    assert refused.returncode != 0
    assert said in said_of(refused)
    assert "Traceback" not in said_of(refused)
    assert "rule " not in said_of(refused)


def test_another_folder_or_method_leaves_the_kept_images_and_the_first_answer_as_they_are(
    folder: Path, snakemake
) -> None:
    write_picture(folder / "later/Cat/1.png", (1, 2, 3), 5)
    jobs = again(folder, snakemake, path="later")
    assert jobs["second_ingest"] == 2
    assert jobs["grow_probe"] == 3
    assert "grow_kept" not in jobs
    jobs = again(folder, snakemake, method="herding")
    assert jobs["grow_probe"] == 3
    assert not {"second_ingest", "grow_kept"} & set(jobs)


def test_another_folder_of_the_same_name_is_refused(folder: Path, snakemake) -> None:
    write_picture(folder / "elsewhere/new/Cat/1.png", (1, 2, 3), 5)
    refused = snakemake(folder, "--", "grow", config=config_with(path="elsewhere/new"))
    assert refused.returncode != 0
    assert "grow.path" in said_of(refused) and "elsewhere/new" in said_of(refused)


def test_the_forecast_counts_the_images_of_each_folder(
    snakemake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, count in (("old/Cat", 20), ("old/Dog", 20), ("new/Cat", 5), ("pool", 12)):
        for number in range(count):
            write_picture(tmp_path / place / f"{number}.png", OLD_KINDS["Cat"], number)
    (tmp_path / "colors.py").write_text(COLORS)
    monkeypatch.setenv("PETITE_JOBS", str(tmp_path / "jobs.json"))
    config = config_with() | {"pool": {"path": "pool", "images": 3}}
    due(snakemake(tmp_path, "--dry-run", "--", "grow", "label_next", config=config))
    run = read_run(tmp_path / "jobs.json")
    of_rules: dict[str, set[int]] = {}
    for job in run.jobs:
        of_rules.setdefault(job.rule, set()).add(job.images)
    kept_and_new = round(0.5 * sum(run.facts.class_sizes)) + 5
    # 0: those of the data set.
    assert of_rules["listing"] == of_rules["ingest"] == of_rules["embed"] == {0, 5, 12}
    assert of_rules["features"] == {kept_and_new, 40 + 12}
    assert of_rules["probe"] == {kept_and_new}
    assert of_rules["rank"] == {0, kept_and_new}
    assert not [rule for rule in of_rules if rule in ("grow_probe", "grow_rank", "pool_features")]
