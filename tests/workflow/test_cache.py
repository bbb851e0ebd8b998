"""Snakemake's cache between workflows: two folders with the same images and settings."""

from pathlib import Path

import numpy as np
import pytest

from petite.data.store import Store

pytestmark = pytest.mark.workflow

FEATURES = "results/tiny/features/pixels.npy"


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def with_cache(snakemake, cache, monkeypatch, tiny_config):
    """Make the features in a folder, with the cache."""
    monkeypatch.setenv("SNAKEMAKE_OUTPUT_CACHE", str(cache))

    def run(folder: Path, **dataset) -> Path:
        tiny_config["dataset"] |= dataset
        finished = snakemake(folder, "--cache", "--", FEATURES, config=tiny_config)
        assert finished.returncode == 0, finished.stderr
        return folder / "results/tiny"

    return run


def was_run(results: Path, name: str) -> bool:
    """Whether a job ran here: what came from the cache wrote no log."""
    return (results / f"logs/{name}.log").stat().st_size > 0


CACHED = ("ingest/1-of-2", "ingest/2-of-2", "index", "features/pixels")


def test_a_second_folder_takes_the_store_and_the_features_from_the_cache(
    with_cache, tmp_path, snakemake, tiny_config
):
    first, second = with_cache(tmp_path / "first"), with_cache(tmp_path / "second")
    assert all(was_run(first, name) for name in CACHED)
    assert not any(was_run(second, name) for name in CACHED)
    stores = [Store.open(results / "store/manifest.json") for results in (first, second)]
    for store in stores:
        store.verify()
    assert stores[0].manifest == stores[1].manifest
    features = [np.load(results / "features/pixels.npy") for results in (first, second)]
    np.testing.assert_array_equal(*features)
    again = snakemake(tmp_path / "second", "--cache", "--", FEATURES, config=tiny_config)
    assert "Nothing to be done" in again.stdout + again.stderr


def test_another_setting_is_another_entry_of_the_cache(with_cache, tmp_path):
    with_cache(tmp_path / "first")
    other = with_cache(tmp_path / "other", image_size=10)
    assert all(was_run(other, name) for name in CACHED)
    assert Store.open(other / "store/manifest.json").image_size == 10


def test_each_of_several_splits_has_its_own_features_in_the_cache(
    cache, snakemake, tiny_config, tmp_path, monkeypatch
):
    monkeypatch.setenv("SNAKEMAKE_OUTPUT_CACHE", str(cache))
    config = tiny_config | {"split": {"repeats": 2}}
    places = ("features/pixels", "split-2/features/pixels")
    targets = [f"results/tiny/{place}.npy" for place in places]
    found = []
    for name in ("one", "another"):
        finished = snakemake(tmp_path / name, "--cache", "--", *targets, config=config)
        assert finished.returncode == 0, finished.stderr
        results = tmp_path / name / "results/tiny"
        found.append([np.load(results / f"{place}.npy") for place in places])
    assert not was_run(results, "features/pixels")
    assert (results / "split-2/logs/features/pixels.log").stat().st_size == 0
    assert all(np.array_equal(*pair) for pair in zip(*found, strict=True))
    assert not np.array_equal(*found[0])
