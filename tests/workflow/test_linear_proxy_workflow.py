"""Training scores from embeddings, from images to subsets."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from smallest import smallest
from test_what_is_left import due, said_of

from petite.data.store import Store
from petite.features.embedding import read_embeddings
from petite.training.linear_proxy import LinearProxySettings, linear_proxy

pytestmark = pytest.mark.workflow

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = "results/tiny"
METHODS = ("el2n", "craig", "ccs")
SUBSETS = [f"{RESULTS}/subsets/{method}/0.5/seeds-1-1.parquet" for method in METHODS]
PROXY = {"of": "embeddings", "steps": 20, "evaluations": 4}


@pytest.fixture(scope="module")
def config(lite0_wheel: Path) -> dict[str, Any]:
    unused = {"full": [], "random": [], "pca_grid": [], "augmentation": []}
    return smallest(
        unused | {method: [0.5] for method in METHODS},
        dataset={
            "name": "tiny",
            "source": "digits",
            "classes": ["0", "1"],
            "limit_per_class": 30,
            "image_size": 8,
        },
        backbone={"image_size": 32, "weights": str(lite0_wheel)},
        proxy=PROXY,
        split={"validation": 0.2},
    )


@pytest.fixture(scope="module")
def folder(snakemake, config: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("linear proxy")
    finished = snakemake(folder, "--", *SUBSETS, config=config)
    assert finished.returncode == 0, said_of(finished)
    return folder


def test_subsets_are_chosen_by_a_linear_classifier_on_the_embeddings(folder: Path) -> None:
    results = folder / RESULTS
    split = pd.read_parquet(results / "splits/0.parquet")
    train, held_out = (split[split["split"] == part] for part in ("train", "validation"))
    store = Store.open(results / "store/manifest.json")
    paths = sorted((results / "embeddings/efficientnet_lite0").glob("*.npy"))
    embeddings, held_out_embeddings = (
        read_embeddings(store, part["image_id"], paths)[0] for part in (train, held_out)
    )
    expected = linear_proxy(
        embeddings,
        train["label"].to_numpy(),
        held_out_embeddings,
        held_out["label"].to_numpy(),
        n_classes=2,
        seed=1,
        settings=LinearProxySettings(steps=20, evaluations=4),
    )
    table = pd.read_parquet(results / "proxies/seed-1.parquet")
    assert table["image_id"].tolist() == train["image_id"].tolist()
    for name, score in expected.scores.items():
        np.testing.assert_allclose(table[name], score, rtol=1e-4, atol=1e-5)
    record = json.loads((results / "proxies/seed-1.json").read_text())
    assert record["proxy_of"] == "embeddings"
    assert (record["steps"], record["early_step"]) == (20, 5)
    assert record["class_errors"] == pytest.approx(expected.class_errors)
    assert 0 < record["embedding_seconds"] < record["seconds"]
    assert np.load(results / "features/proxy/seed-1.npy").shape == (len(train), 2)

    for path in SUBSETS:
        [about] = json.loads((folder / path).with_suffix(".json").read_text())
        assert about["proxy_of"] == "embeddings"
        assert about["proxy_seconds"] == pytest.approx(record["seconds"])
        assert len(pd.read_parquet(folder / path)) == round(0.5 * len(train))
    hardest = pd.read_parquet(folder / SUBSETS[0])["image_id"]
    scores = table.set_index("image_id")["el2n"]
    for _, of_class in scores.groupby(train.set_index("image_id")["label"]):
        kept = of_class.index.isin(hardest)
        assert of_class[kept].min() >= of_class[~kept].max()


def test_the_proxy_loads_no_network_library(folder: Path, tmp_path: Path) -> None:
    results = folder / RESULTS
    command: list[str | Path] = [sys.executable, "-X", "importtime"]
    command += [REPOSITORY / "scripts/linear_proxy.py", "--seed", "1"]
    command += ["--manifest", results / "store/manifest.json"]
    command += ["--split", results / "splits/0.parquet"]
    command += ["--settings", json.dumps({"steps": 20, "evaluations": 4, "early": 0.3})]
    command += ["--output-scores", tmp_path / "scores.parquet"]
    command += ["--output-features", tmp_path / "proxy.npy"]
    command += ["--output-gradients", tmp_path / "gradients.npy", "--embeddings"]
    command += sorted((results / "embeddings/efficientnet_lite0").glob("*.npy"))
    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    loaded = {line.rpartition("|")[2].strip() for line in finished.stderr.splitlines()}
    assert "numpy" in loaded
    assert not loaded & {"tensorflow", "keras", "jax", "torch"}
    assert (tmp_path / "scores.parquet").read_bytes() == (
        results / "proxies/seed-1.parquet"
    ).read_bytes()


def test_the_settings_of_training_do_not_matter_and_those_of_the_backbone_do(
    folder: Path, config: dict[str, Any], snakemake
) -> None:
    def due_with(**sections: Any) -> dict[str, int]:
        changed = {name: {**config[name], **section} for name, section in sections.items()}
        return due(snakemake(folder, "--dry-run", "--", *SUBSETS, config=config | changed))

    assert due_with(training={"learning_rate": 0.01}) == {}
    again = due_with(backbone={"image_size": 64})
    assert (again["embed"], again["proxy"]) == (2, 1)
    longer = due_with(proxy={"steps": 30})
    assert longer["proxy"] == 1
    assert "embed" not in longer
    network = due_with(proxy={"of": "network"})
    assert network["proxy"] == 1
    assert "embed" not in network


def test_the_estimate_counts_the_widths_of_a_linear_proxy(
    folder: Path, config: dict[str, Any], snakemake
) -> None:
    finished = snakemake(folder, "--", "estimate", config=config)
    assert finished.returncode == 0, said_of(finished)
    for method in METHODS:
        assert f"\n{method} " in finished.stdout


def test_a_missing_network_is_named_although_no_method_compares_by_it(
    folder: Path, config: dict[str, Any], snakemake
) -> None:
    gone = config | {"backbone": {"name": "file:gone.onnx", "scaling": "raw"}}
    refused = snakemake(folder, "--dry-run", "--", *SUBSETS, config=gone)
    assert refused.returncode != 0
    assert "backbone.name: there is no file gone.onnx" in said_of(refused)
    # Without a method that uses the proxy, its backbone is not needed.
    methods = gone["methods"] | {"random": {"fractions": [0.5]}}
    methods |= {method: {"fractions": []} for method in METHODS}
    due(snakemake(folder, "--dry-run", config=gone | {"methods": methods}))
