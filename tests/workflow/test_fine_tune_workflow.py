"""The judge `fine_tune` in the workflow: its rule, and what reruns it."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from smallest import smallest
from test_what_is_left import due, said_of

from petite.networks.backend import load_keras

pytestmark = pytest.mark.workflow

TABLE = "results/tiny/summary.csv"


def config_with(**fine_tune: Any) -> dict[str, Any]:
    return smallest(
        {"random": [0.5], "full": [1], "pca_grid": [], "augmentation": [0.5]},
        encodings=["original", {"side": 8, "codec": "webp", "quality": 60}],
        backbone={"name": "file:small.keras", "scaling": "zero_to_one"},
        judges={
            "scratch": None,
            "fine_tune": {"image_size": 32, "head_steps": 2, "steps": 2, "batch_size": 8}
            | fine_tune,
        },
    )


@pytest.fixture(scope="module")
def folder(snakemake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with a small network of the user's."""
    folder: Path = tmp_path_factory.mktemp("fine_tune")
    keras = load_keras("tensorflow", 1)
    layers = [
        keras.Input((32, 32, 3)),
        keras.layers.Conv2D(4, 3, strides=2),
        keras.layers.BatchNormalization(),
        keras.layers.GlobalAveragePooling2D(),
    ]
    keras.Sequential(layers).save(folder / "small.keras")
    finished = snakemake(folder, "--", TABLE, config=config_with())
    said = said_of(finished)
    assert finished.returncode == 0, said
    assert "fine_tune enlarges the images" in said
    return folder


def test_all_subsets_are_judged_as_originals_and_encoded(folder: Path) -> None:
    runs = pd.read_csv(folder / "results/tiny/runs.csv")
    assert set(runs["judge"]) == {"fine_tune"}
    assert set(runs["model"]) == {"file:small.keras"}
    methods = {"random", "full", "augmentation"}
    assert set(runs["method"]) == methods | {f"{name}@8px-webp-q60" for name in methods}
    assert (runs.groupby("method")["loss"].nunique() == 2).all()
    assert set(runs["network_bytes"].dropna()) == {(folder / "small.keras").stat().st_size}
    assert (folder / "results/tiny/models/fine_tune/random/0.5/seeds-0-1/seed-1.keras").exists()
    assert not (folder / "results/tiny/embeddings").exists()


def test_a_finished_run_has_nothing_to_do_and_another_setting_fine_tunes_again(
    folder: Path, snakemake
) -> None:
    again = snakemake(folder, "--dry-run", "--", TABLE, config=config_with())
    assert "Nothing to be done" in said_of(again), said_of(again)
    other = config_with(learning_rate=0.001)
    jobs = due(snakemake(folder, "--dry-run", "--", TABLE, config=other))
    assert jobs["fine_tune"] == 6
    assert not {"ingest", "rank", "subset", "embed", "train"} & set(jobs)


def test_a_network_that_is_not_there_is_named_before_the_run(folder: Path, snakemake) -> None:
    config = config_with()
    config["backbone"]["name"] = "file:gone.keras"
    refused = snakemake(folder, "--dry-run", "--", TABLE, config=config)
    assert refused.returncode != 0
    assert "backbone.name: there is no file gone.keras" in said_of(refused)
