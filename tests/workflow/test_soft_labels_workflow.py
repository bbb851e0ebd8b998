"""Judges on soft labels: a teacher, its labels, and runs apart from those on hard ones."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from shades import smallest_on_shades, write_shades
from smallest import WITHOUT_FIGURES
from test_what_is_left import due, said_of

from petite.training.soft_labels import SoftLabels, joined

pytestmark = pytest.mark.workflow

RESULTS = "results/tiny"
RECOMMENDATION = f"{RESULTS}/recommendation.json"
EMBEDDED = f"{RESULTS}/embeddings/**/?-of-2.json"
SMALL = "8px-webp-q30"
HARD: dict[str, Any] = {"scratch": {}, "probe": {}}
SOFT: dict[str, Any] = {"scratch_soft": {"teachers": 2, "views": 3}, "probe_soft": {}}


def config_with(judges: dict[str, Any]) -> dict[str, Any]:
    return smallest_on_shades(
        {"full": [1], "random": [0.5], "augmentation": [0.5], "rded": [0.5], "pca_grid": []},
        judges=judges,
        encodings=["original", {"side": 8, "codec": "webp", "quality": 30}],
        shards=2,
        split={"test": 0.3, "validation": 0.1},
        checks={"cues": False, "label_errors": False, "near_duplicates": False},
    )


def of_network(folder: Path) -> SoftLabels:
    """The labels of all training images by the teacher of a network: a file for each shard."""
    files = sorted((folder / RESULTS / "soft_labels/scratch").glob("?-of-2.npz"))
    assert len(files) == 2
    return joined([SoftLabels.read(path) for path in files])


@pytest.fixture(scope="module")
def folder(snakemake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on hard labels, to which judges on soft labels were added."""
    folder: Path = tmp_path_factory.mktemp("soft")
    write_shades(folder, 40)
    finished = snakemake(folder, "--", f"{RESULTS}/runs.csv", config=config_with(HARD))
    assert finished.returncode == 0, said_of(finished)
    added = due(snakemake(folder, "--dry-run", config=config_with({**HARD, **SOFT})))
    # Three subsets in two encodings, and mosaics, which are not encoded. Those and augmented images
    # have no embeddings.
    assert {name: added.get(name) for name in JOBS} == JOBS
    assert not {"train", "probe", "rank", "subset", "embed", "encode", "ingest"} & set(added)
    finished = snakemake(folder, *WITHOUT_FIGURES, config=config_with({**HARD, **SOFT}))
    assert finished.returncode == 0, said_of(finished)
    return folder


JUDGES = ["probe", "scratch", "probe_soft", "scratch_soft"]
JOBS = {
    **{"teacher": 2, "soft_labels": 2, "made_soft_labels": 1, "train_soft": 7},
    **{"probe_teacher": 1, "probe_soft": 4},
}


def test_results_on_soft_labels_are_those_of_judges_of_their_own(folder: Path) -> None:
    for name in ("runs", "summary", "verdicts", "costs"):
        table = pd.read_csv(folder / RESULTS / f"{name}.csv")
        assert list(dict.fromkeys(table["judge"])) == JUDGES
    runs = pd.read_csv(folder / RESULTS / "runs.csv")
    full = runs[runs["method"] == "full"].groupby("judge")["loss"].mean()
    assert full["scratch"] != full["scratch_soft"] and full["probe"] != full["probe_soft"]
    answers = json.loads((folder / RECOMMENDATION).read_text("utf-8"))
    assert list(answers["judges"]) == JUDGES
    page = (folder / RESULTS / "report.html").read_text("utf-8")
    assert "on soft labels" in page


def test_soft_labels_are_of_the_training_images_alone(folder: Path) -> None:
    split = pd.read_parquet(folder / RESULTS / "splits/0.parquet").query("split == 'train'")
    of_probe = SoftLabels.read(folder / RESULTS / "soft_labels/probe.npz")
    for labels, views in ((of_network(folder), 3), (of_probe, 1)):
        assert set(labels.image_ids) == set(split["image_id"])
        assert labels.probabilities.shape == (len(split), views, 2)
        np.testing.assert_allclose(labels.probabilities.sum(axis=2), 1, atol=2e-3)


def test_their_bytes_and_the_teacher_are_counted(folder: Path) -> None:
    runs = pd.read_csv(folder / RESULTS / "runs.csv")
    costs = pd.read_csv(folder / RESULTS / "costs.csv").set_index(["judge", "method", "fraction"])
    for hard, soft, views, of_view in (
        ("scratch", "scratch_soft", 3, 3),
        ("probe", "probe_soft", 1, 0),
    ):
        keys = ["method", "fraction", "training_seed"]
        one, other = (runs[runs["judge"] == judge].set_index(keys) for judge in (hard, soft))
        of_labels = other["images"] * views * (2 * 2 + of_view)
        assert (other["soft_label_bytes"] == of_labels).all()
        assert (other["stored_bytes"] - one["stored_bytes"] == of_labels).all()
        # The index says how many there are.
        extra = (other["bytes"] - one["bytes"] - of_labels).dropna()
        assert len(extra) and extra.between(1, 100).all()
        assert (other["teacher_seconds"] > 0).all() and one["teacher_seconds"].isna().all()
        total = costs["total_seconds"] - costs["select_seconds"] - costs["train_seconds"]
        assert np.allclose(total[soft], costs["teacher_seconds"][soft])
        assert np.allclose(total[hard], 0)


def test_a_setting_of_the_labels_keeps_the_teacher_and_all_runs_on_hard_labels(
    folder: Path, snakemake
) -> None:
    done = snakemake(folder, "--dry-run", *WITHOUT_FIGURES, config=config_with({**HARD, **SOFT}))
    assert due(done) == {}
    other = {**HARD, **SOFT, "scratch_soft": {"teachers": 2, "temperature": 2.0}}
    jobs = due(snakemake(folder, "--dry-run", config=config_with(other)))
    labels = jobs["soft_labels"], jobs["made_soft_labels"]
    assert labels == (2, 1) and jobs["train_soft"] == 7
    assert not {"teacher", "probe_teacher", "probe_soft", "train", "probe"} & set(jobs)


def test_each_mosaic_has_the_label_that_the_teacher_gives_it_and_is_exported_with_it(
    folder: Path, snakemake
) -> None:
    labels = SoftLabels.read(folder / RESULTS / "soft_labels/scratch/rded/0.5/seeds-0-1.npz")
    mosaics = pd.read_parquet(folder / RESULTS / "subsets/rded/0.5/seeds-0-1.parquet")
    expected = labels.targets(mosaics)
    assert len(labels.image_ids) == len(mosaics)
    # Of other images than those of the training set.
    assert not set(labels.image_ids) & set(of_network(folder).image_ids)
    alone = {"scratch": None, "probe": None, "scratch_soft": SOFT["scratch_soft"]}
    chosen = {"export": "rded:0.5:1", "export_formats": ["npz"]}
    finished = snakemake(folder, "--", "export", config=config_with(alone) | chosen)
    assert finished.returncode == 0, said_of(finished)
    with np.load(folder / RESULTS / "export/rded-0.5-seed-1/soft_labels.npz") as found:
        of_seed = (mosaics["seed"] == 1).to_numpy()
        assert (found["probabilities"] == expected.probabilities[of_seed]).all()


def test_a_probe_on_soft_labels_alone_counts_embeddings_and_its_labels_are_exported(
    folder: Path, snakemake
) -> None:
    alone = {"scratch": None, "probe": None, "probe_soft": {}}
    finished = snakemake(folder, "--", "export", config=config_with(alone))
    assert finished.returncode == 0, said_of(finished)
    answers = json.loads((folder / RECOMMENDATION).read_text("utf-8"))
    assert list(answers["judges"]) == ["probe_soft"]
    out = folder / RESULTS / "export/best"
    # What a probe of one's own needs: the embeddings of these images, and their labels.
    labels = SoftLabels.read(folder / RESULTS / "soft_labels/probe.npz")
    ids = pd.read_csv(out / "manifest.csv")["image_id"]
    with np.load(out / "soft_labels.npz") as found:
        assert (found["probabilities"] == labels.of(ids)).all()
    assert "soft_labels.npz" in (out / "README.md").read_text("utf-8")
    records = [json.loads(path.read_text("utf-8")) for path in folder.glob(EMBEDDED)]
    # Those of the originals, and of the encoded images.
    assert len(records) == 2 * 2
    embedded = answers["judges"]["probe_soft"]["ledger"]["embedding_seconds"]
    assert embedded == pytest.approx(sum(record["seconds"] for record in records))


def test_a_named_subset_has_the_labels_of_the_first_judge_that_judges_it(
    folder: Path, snakemake
) -> None:
    alone = {"scratch": None, "probe": None, "scratch_soft": SOFT["scratch_soft"]}
    chosen = {"export": f"random@{SMALL}:0.5:1", "export_formats": ["container"]}
    finished = snakemake(folder, "--", "export", config=config_with(alone) | chosen)
    assert finished.returncode == 0, said_of(finished)
    out = folder / RESULTS / f"export/random@{SMALL}-0.5-seed-1"
    labels = of_network(folder)
    expected = labels.targets(pd.read_csv(out / "manifest.csv", keep_default_na=False))
    with np.load(out / "soft_labels.npz") as found:
        assert (found["probabilities"] == expected.probabilities).all()
        assert (found["views"] == expected.views.drawn).all()
    jobs = (folder / RESULTS / f"runs/scratch_soft/random@{SMALL}/0.5").glob("seeds-?-?.csv")
    runs = pd.concat(map(pd.read_csv, jobs))
    [counted] = runs.loc[runs["training_seed"] == 1, "bytes"]
    assert sum(path.stat().st_size for path in (out / "container").iterdir()) == counted


def test_labels_of_many_views_ask_for_more_memory(folder: Path, snakemake) -> None:
    def asked(views: int) -> int:
        judges = {**HARD, "scratch_soft": {"teachers": 2, "views": views}}
        said = said_of(snakemake(folder, "--dry-run", "--verbose", config=config_with(judges)))
        return max(map(int, re.findall(r"rule train_soft:.*?mem_mb=(\d+)", said, re.DOTALL)))

    images = pd.read_parquet(folder / RESULTS / "store/index.parquet")
    megabytes = 8 * (1000 - 100) * images["label"].nunique() * len(images) / 1e6
    assert asked(1000) - asked(100) == pytest.approx(megabytes, abs=1)
