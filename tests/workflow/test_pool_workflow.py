"""Which images of a pool to label next, alone and beside a labeled part."""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pools import write_picture
from smallest import smallest
from test_what_is_left import due, said_of

pytestmark = pytest.mark.workflow

LIST = "results/tiny/label_next/facility_location-6"


def config_with(pool: dict[str, Any], labeled: bool = True, **sections: Any) -> dict[str, Any]:
    """Compared by pixels, so that no network is needed."""
    settings = {"path": "pool", "images": 6, "space": "pixels", "dimensions": 8} | pool
    config = smallest({"random": [0.5]}, pool=settings, **sections)
    about = {"name": "tiny", "image_size": 16, "color": "rgb", "shards": 3, "near_copy_distance": 6}
    config["dataset"] = about
    if labeled:
        about |= {"source": "folder", "path": "labeled", "classes": None}
    return config


@pytest.fixture(scope="module")
def folder(snakemake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished choice beside a labeled part, and what was said."""
    folder: Path = tmp_path_factory.mktemp("pool")
    for number in range(12):
        write_picture(folder / f"labeled/Cat/{number}.png", number)
        write_picture(folder / f"labeled/Dog/{number}.png", 100 + number)
    for number in range(20):
        write_picture(folder / f"pool/{number % 3}/new {number}.png", 200 + number)
    for number in range(4):
        shutil.copy(folder / f"labeled/Cat/{number}.png", folder / f"pool/known {number}.png")
    shutil.copy(folder / "pool/1/new 1.png", folder / "pool/again.png")
    (folder / "pool/broken.jpg").write_bytes(b"no image")
    (folder / "pool/notes.txt").write_text("not listed")
    finished = snakemake(folder, "--", "label_next", config=config_with({}))
    assert finished.returncode == 0, said_of(finished)
    assert f"{LIST}/page.html" in finished.stdout
    return folder


def again(folder: Path, snakemake, *arguments: str, **pool: Any):
    return snakemake(folder, *arguments, "--", "label_next", config=config_with(pool))


def test_the_list_the_page_and_the_folder_are_of_the_same_images(folder: Path) -> None:
    table = pd.read_csv(folder / LIST / "list.csv")
    assert table["rank"].tolist() == [1, 2, 3, 4, 5, 6]
    labels = pd.read_csv(folder / LIST / "labels.csv")
    assert labels["pool_file"].tolist() == table["file"].tolist()
    for name, original in zip(labels["file"], labels["pool_file"], strict=True):
        content = (folder / LIST / "images" / name).read_bytes()
        assert content == (folder / "pool" / original).read_bytes()
    page = (folder / LIST / "page.html").read_text("utf-8")
    assert all(Path(file).name in page for file in table["file"])


def test_no_duplicate_of_a_labeled_image_is_chosen(folder: Path) -> None:
    images = pd.read_parquet(folder / "results/tiny/pool/images.parquet")
    assert len(images) == 25
    assert images.loc[images["of_labeled"], "file"].tolist() == [f"known {n}.png" for n in range(4)]
    chosen = pd.read_csv(folder / LIST / "list.csv")["file"]
    assert not set(chosen) & set(images.loc[images["copy_of"] != "", "file"])


def test_a_finished_choice_has_nothing_to_do(folder: Path, snakemake) -> None:
    assert set(due(again(folder, snakemake, "-n"))) <= {"label_next", "total"}


@pytest.mark.parametrize(
    ("pool", "jobs"),
    [
        ({"images": 7}, {"pool_choice": 1, "pool_page": 1, "pool_export": 1}),
        (
            {"methods": ["herding", "facility_location"]},
            {"pool_choice": 1, "pool_page": 1, "pool_export": 1},
        ),
        ({"seed": 1}, {"pool_features": 1, "pool_choice": 1, "pool_page": 1, "pool_export": 1}),
        ({"copies": "keep"}, {"pool_choice": 1, "pool_page": 1, "pool_export": 1}),
        ({"links": False}, {"pool_export": 1}),
    ],
)
def test_a_changed_setting_makes_due_what_depends_on_it(
    folder: Path, snakemake, pool: dict[str, Any], jobs: dict[str, int]
) -> None:
    found = due(again(folder, snakemake, "-n", **pool))
    assert {name: n for name, n in found.items() if name not in ("label_next", "total")} == jobs


def test_excluded_images_of_the_labeled_part_are_no_longer_compared_with(
    folder: Path, snakemake
) -> None:
    config = config_with({}, exclude=["Cat/1.png"])
    jobs = due(snakemake(folder, "-n", "--", "label_next", config=config))
    assert jobs["keep_lists"] == jobs["pool_features"] == jobs["pool_choice"] == 1


def test_a_file_that_is_added_to_the_pool_makes_one_shard_due(folder: Path, snakemake) -> None:
    added = folder / "pool/added.png"
    write_picture(added, 999)
    try:
        jobs = due(again(folder, snakemake, "-n"))
    finally:
        added.unlink()
    assert jobs["second_ingest"] == jobs["second_listing"] == jobs["pool_images"] == 1
    assert not {"ingest", "index", "split"} & set(jobs)


def test_an_uncertainty_needs_the_embeddings_of_both_parts(folder: Path, snakemake) -> None:
    jobs = due(again(folder, snakemake, "-n", methods=["margin"]))
    assert jobs["embed"] == jobs["second_embed"] == 3


def test_labels_that_were_filled_in_stay_when_the_choice_is_made_again(
    folder: Path, snakemake
) -> None:
    path = folder / LIST / "labels.csv"
    table = pd.read_csv(path, dtype=str)
    first = table["pool_file"][0]
    table.loc[0, "label"] = "Cat"
    table.to_csv(path, index=False)
    finished = again(folder, snakemake, "--forcerun", "pool_export")
    assert finished.returncode == 0, said_of(finished)
    kept = pd.read_csv(path, dtype=str).set_index("pool_file")["label"]
    assert kept[first] == "Cat"


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        ({"path": "nowhere"}, "pool.path: nowhere"),
        ({"path": "labeled"}, "pool.path: labeled"),
        ({"path": "labeled/Cat"}, "pool.path: labeled/Cat"),
        ({"path": "."}, "pool.path: ."),
        ({"path": "pool/notes.txt"}, "pool.path: pool/notes.txt"),
        ({"images": 27}, "pool.images: 27"),
    ],
)
def test_a_pool_that_does_not_fit_is_refused_before_any_job(
    folder: Path, snakemake, pool: dict[str, Any], said: str
) -> None:
    refused = again(folder, snakemake, "-n", **pool)
    assert refused.returncode != 0
    assert said in said_of(refused)


def test_another_pool_does_not_overwrite_the_results_of_this_one(folder: Path, snakemake) -> None:
    write_picture(folder / "other/1.png", 1)
    refused = again(folder, snakemake, path="other", images=1)
    assert refused.returncode != 0
    assert "other" in said_of(refused)


def test_a_pool_alone_needs_no_labels(folder: Path, snakemake) -> None:
    config = config_with({}, labeled=False)
    config["dataset"]["name"] = "alone"
    finished = snakemake(folder, config=config)  # the default target
    assert finished.returncode == 0, said_of(finished)
    assert len(pd.read_csv(folder / "results/alone/label_next/facility_location-6/list.csv")) == 6
    assert not (folder / "results/alone/store").exists()
    refused = snakemake(folder, "--", "report", config=config)
    assert refused.returncode != 0
    assert "label_next" in said_of(refused)


def test_without_a_pool_there_is_nothing_to_label(folder: Path, snakemake) -> None:
    refused = snakemake(
        folder, "--", "label_next", config=config_with({"path": None, "images": 100})
    )
    assert refused.returncode != 0
    assert "pool=FOLDER" in said_of(refused)
