"""The feature space of a pretrained network, from a few photographs to the table."""

import re
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from smallest import smallest
from test_what_is_left import due, said_of

from petite.data.store import Store
from petite.features.embedding import read_embeddings

pytestmark = pytest.mark.workflow

TABLE = "results/tiny/summary.csv"
EMBEDDINGS = "results/tiny/embeddings/efficientnet_lite0"


def config_with(backbone: dict[str, Any] | None = None, **dataset: Any) -> dict[str, Any]:
    return smallest(
        {"random": [0.5], "herding": [0.5], "full": [], "pca_grid": [], "augmentation": []},
        features={"space": "backbone"},
        backbone=backbone or {},
        dataset={
            "name": "tiny",
            "source": "folder",
            "path": "photos",
            "classes": None,
            "image_size": 16,
            "color": "rgb",
            "shards": 3,
        }
        | dataset,
    )


@pytest.fixture(scope="module")
def folder(snakemake, photo_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on a few photographs; the weights are downloaded."""
    folder: Path = tmp_path_factory.mktemp("backbone")
    with zipfile.ZipFile(photo_archive) as archive:
        names = [Path(name) for name in archive.namelist() if name.endswith(".jpg")]
        for kind in ("Cat", "Dog"):
            (folder / "photos" / kind).mkdir(parents=True)
            for name in [name for name in names if name.parent.name == kind][20:32]:
                data = archive.read(name.as_posix())
                (folder / "photos" / kind / name.name).write_bytes(data)
    finished = snakemake(folder, "--", TABLE, config=config_with())
    assert finished.returncode == 0, said_of(finished)
    return folder


def test_the_features_are_the_embeddings_and_a_method_selects_by_them(folder: Path) -> None:
    results = folder / "results/tiny"
    split = pd.read_parquet(results / "splits/0.parquet").query("split == 'train'")
    store = Store.open(results / "store/manifest.json")
    paths = sorted((folder / EMBEDDINGS).glob("*.npy"))
    embeddings, _ = read_embeddings(store, split["image_id"], paths)
    features = np.load(results / "features/backbone.npy")
    distances = [((x[:, None] - x) ** 2).sum(axis=2) for x in (features, embeddings)]
    np.testing.assert_allclose(*distances, rtol=1e-3, atol=1e-2)
    assert set(pd.read_csv(folder / TABLE)["method"]) == {"random", "herding"}


def test_a_finished_run_has_nothing_to_do(folder: Path, snakemake) -> None:
    again = snakemake(folder, "--dry-run", "--", TABLE, config=config_with())
    said = said_of(again)
    assert "Nothing to be done" in said, said


def test_a_file_that_is_added_makes_one_shard_of_embeddings_due(folder: Path, snakemake) -> None:
    first = next((folder / "photos/Cat").iterdir())
    added = first.with_name("added.jpg")
    shutil.copy(first, added)
    try:
        jobs = due(snakemake(folder, "--dry-run", "--", TABLE, config=config_with()))
    finally:
        added.unlink()
    assert jobs["embed"] == jobs["ingest"] == jobs["features"] == 1


OWN = """
import csv, sys
import numpy as np
from PIL import Image
files = [row["file"] for row in csv.DictReader(open(sys.argv[1]))]
images = [np.asarray(Image.open(file), float).reshape(-1, 3) for file in files]
np.save(sys.argv[2], [np.concatenate([image.mean(axis=0), image.std(axis=0)]) for image in images])
"""


def test_a_program_of_the_users_embeds_and_an_edit_of_it_embeds_again(
    folder: Path, snakemake, tmp_path: Path
) -> None:
    shutil.copytree(folder / "photos", tmp_path / "photos")
    program = tmp_path / "own.py"
    program.write_text(OWN)
    command = f"'{sys.executable}' own.py {{images}} {{embeddings}}"
    config = config_with({"command": command, "image_size": 32}) | {"judges": "probe"}
    finished = snakemake(tmp_path, "--", TABLE, config=config)
    assert finished.returncode == 0, said_of(finished)
    made = np.load(tmp_path / "results/tiny/embeddings/own.py/1-of-3.npy")
    assert made.shape[1] == 6 and np.isfinite(made).all()
    assert set(pd.read_csv(tmp_path / TABLE)["judge"]) == {"probe"}

    def due_with(**backbone: Any) -> dict[str, int]:
        changed = {**config, "backbone": {**config["backbone"], **backbone}}
        return due(snakemake(tmp_path, "--dry-run", "--", TABLE, config=changed))

    assert due_with(max_seconds=60) == {}
    assert due_with(image_size=48)["embed"] == 3
    program.write_text(OWN + "# another thought")
    jobs = due_with()
    assert (jobs["embed"], jobs["probe"]) == (3, 2)
    program.write_text("import sys; sys.exit('no weights here')")
    said = said_of(snakemake(tmp_path, "--", TABLE, config=config))
    assert "no weights here" in said


def test_another_size_of_the_store_embeds_nothing_again(folder: Path, snakemake) -> None:
    config = config_with(image_size=20)
    jobs = due(snakemake(folder, "--dry-run", "--", TABLE, config=config))
    assert jobs["ingest"] == 3
    assert "embed" not in jobs


def test_another_setting_of_the_backbone_embeds_all_again(folder: Path, snakemake) -> None:
    config = config_with(backbone={"image_size": 192})
    jobs = due(snakemake(folder, "--dry-run", "--", TABLE, config=config))
    assert jobs["embed"] == 3
    assert "ingest" not in jobs


def test_an_embedding_job_has_one_thread_and_the_gpus_of_the_config(
    folder: Path, snakemake
) -> None:
    (folder / "mine.onnx").touch()
    for backbone, gpus in (
        ({"image_size": 192}, {"1"}),
        ({"name": "file:mine.onnx", "scaling": "raw"}, set()),  # on the CPU
    ):
        config = config_with(backbone=backbone) | {"training_gpus": 1}
        said = said_of(snakemake(folder, "-n", "-p", "--", TABLE, config=config))
        jobs = re.findall(r"^rule embed:\n(.*?--output-embeddings.*?)$", said, re.M | re.S)
        assert len(jobs) == 3, said
        assert all("--threads 1 " in job for job in jobs)
        assert {count for job in jobs for count in re.findall(r"gpu=([1-9])", job)} == gpus


def test_the_estimate_has_the_embedding_where_it_is_due(folder: Path, snakemake) -> None:
    done = snakemake(folder, "--", "estimate", config=config_with())
    assert done.returncode == 0, said_of(done)
    assert "Embedding" not in done.stdout
    due = snakemake(folder, "--", "estimate", config=config_with(backbone={"image_size": 96}))
    assert due.returncode == 0, said_of(due)
    said = " ".join(due.stdout.split())
    assert "Embedding 24 images" in said
    assert re.search(r"[\d.]+ ms per image .* 123 KB of disk", said), said


def test_embeddings_are_used_on_when_the_photographs_are_gone(folder: Path, snakemake) -> None:
    photos = folder / "photos"
    photos.rename(folder / "elsewhere")
    try:
        config = config_with()
        assert "Nothing to be done" in said_of(
            snakemake(folder, "--dry-run", "--", TABLE, config=config)
        )
        config["methods"]["k_center_greedy"] = {"fractions": [0.5]}
        jobs = due(snakemake(folder, "--dry-run", "--", TABLE, config=config))
        assert jobs["rank"] == 1
        assert not {"embed", "features", "ingest"} & set(jobs)
        other = config_with(backbone={"image_size": 192})
        refused = snakemake(folder, "--dry-run", "--", TABLE, config=other)
    finally:
        (folder / "elsewhere").rename(photos)
    assert refused.returncode != 0
    assert "dataset.path: photos is gone" in said_of(refused)


def test_a_network_that_is_not_there_is_told_before_the_run(folder: Path, snakemake) -> None:
    config = config_with(backbone={"name": "file:gone.onnx", "scaling": "raw"})
    refused = snakemake(folder, "--dry-run", "--", TABLE, config=config)
    assert refused.returncode != 0
    assert "backbone.name: there is no file gone.onnx" in said_of(refused)


def test_a_second_folder_takes_the_embeddings_of_arrays_from_the_cache(
    snakemake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lite0_wheel: Path
) -> None:
    (tmp_path / "cache").mkdir()
    monkeypatch.setenv("SNAKEMAKE_OUTPUT_CACHE", str(tmp_path / "cache"))
    config = config_with({"image_size": 32, "weights": str(lite0_wheel)})
    config["dataset"] = {
        "name": "tiny",
        "source": "digits",
        "classes": ["0", "1"],
        "limit_per_class": 20,
        "image_size": 8,
    }
    features = "results/tiny/features/backbone.npy"
    for name in ("first", "second"):
        finished = snakemake(tmp_path / name, "--cache", "--", features, config=config)
        assert finished.returncode == 0, said_of(finished)
        logs = [*(tmp_path / name / "results/tiny/logs/embed").iterdir()]
        assert len(logs) == 2
        # What comes from the cache writes no log.
        assert [log.stat().st_size > 0 for log in logs] == 2 * [name == "first"]
    made = [np.load(tmp_path / name / features) for name in ("first", "second")]
    np.testing.assert_array_equal(*made)
