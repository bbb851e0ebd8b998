"""A job of the judge `probe`: what it selects and what its table of runs says."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from embedded import embedded_store

from petite.data.splits import training_images
from petite.subsets.chains import SelectionJob, Step
from petite.training.judges import ProbeSettings
from petite.training.probe_job import ProbeData, ProbeOutputs, run_probe_job
from petite.training.records import Job

SEEDS = [0, 1, 2]


def runs_of(folder: Path, k: int, kept: list[int]) -> pd.DataFrame:
    """The runs of random subsets of k of 40 training images, of which some are kept."""
    stored = embedded_store(folder, 60)
    parts = np.repeat(["train", "validation", "test"], [40, 10, 10])
    split = stored.images.assign(split=parts)
    train = training_images(split)
    names = train["image_id"].iloc[kept].tolist()
    steps = [Step("random", {})]
    selections = [
        SelectionJob(train=train, k=k, steps=steps, seed=seed, features={}, kept=names)
        for seed in SEEDS
    ]
    names_of_files = ("runs.csv", "history.csv", "predictions.npz")
    files = ProbeOutputs(*(folder / name for name in names_of_files))
    run_probe_job(
        Job("probe", "noise", "random", k / 40, 0, SEEDS, []),
        ProbeData(stored.open(), split, [stored.embeddings]),
        selections,
        ProbeSettings(penalties=[1.0]),
        threads=1,
        outputs=files,
    )
    return pd.read_csv(files.runs)


@pytest.mark.parametrize("kept", [[], [0, 1], [38, 39], list(range(30, 40))])
def test_kept_images_at_any_place_are_in_every_subset(tmp_path: Path, kept: list[int]) -> None:
    runs = runs_of(tmp_path, 12, kept)
    assert runs["images"].tolist() == [12] * 3
    assert runs["overlap"].between(0, 0.5).all()


def test_images_that_are_all_kept_share_nothing_by_choice(tmp_path: Path) -> None:
    assert (runs_of(tmp_path, 10, list(range(10)))["overlap"] == 0).all()
