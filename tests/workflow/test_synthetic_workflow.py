"""Methods that make all of their images, in a run: judged, shown on the page and exported."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from smallest import smallest
from test_what_is_left import said_of

from petite.data.store import Store
from petite.subsets.augmentation import render_subset

pytestmark = pytest.mark.workflow

METHODS: dict[str, list[float]] = {"random": [0.1], "rded": [0.1], "dm": [0.1]}
UNUSED: dict[str, list[float]] = {"full": [], "pca_grid": [], "augmentation": []}
CONFIG = smallest(METHODS | UNUSED, export_formats=["folder", "npz"])
CONFIG["methods"]["dm"] |= {"iterations": 4, "batch": 8, "width": 4}
RESULTS = Path("results/tiny")


@pytest.fixture(scope="module")
def folder(snakemake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run as far as its page."""
    made: Path = tmp_path_factory.mktemp("synthetic")
    finished = snakemake(made, "--", str(RESULTS / "report.html"), config=CONFIG)
    assert finished.returncode == 0, said_of(finished)
    return made


def subset_of(folder: Path, method: str, seed: int = 0) -> pd.DataFrame:
    paths = (folder / RESULTS / "subsets" / method / "0.1").glob("*.parquet")
    table = pd.concat([pd.read_parquet(path) for path in paths])
    return table[table["seed"] == seed]


def test_they_are_judged_with_as_many_images_and_bytes_as_random_ones(folder: Path) -> None:
    runs = pd.read_csv(folder / RESULTS / "runs.csv").set_index("method")
    assert set(runs.index) == set(METHODS)
    assert (runs.groupby("method").size() == 2).all()
    for column in ("images", "rows", "stored_bytes"):
        assert runs[column].nunique() == 1
    # The proxy is the teacher of rded, and its time counts.
    assert (runs.loc["rded", "select_seconds"] > runs.loc["rded", "proxy_seconds"]).all()
    assert (runs.loc["rded", "proxy_seconds"] > 0).all()
    assert (runs.loc["dm", "proxy_seconds"] == 0).all()


def test_mosaics_are_crops_of_training_images_of_their_class_and_seeds_differ(folder: Path) -> None:
    split = pd.read_parquet(folder / RESULTS / "splits/0.parquet").set_index("image_id")
    table = subset_of(folder, "rded")
    for label, recipe in zip(table["label"], table["recipe"], strict=True):
        sources = split.loc[[crop[0] for crop in json.loads(recipe)["crops"]]]
        assert len(sources) == 4
        assert set(sources["split"]) == {"train"} and set(sources["label"]) == {label}
    for method in ("rded", "dm"):
        first, second = (set(subset_of(folder, method, seed)["recipe"]) for seed in (0, 1))
        assert not first & second


def test_the_page_shows_them_and_does_not_say_that_images_are_kept(folder: Path) -> None:
    page = (folder / RESULTS / "report.html").read_text("utf-8")
    for method in ("rded", "dm"):
        assert f"Images that {method} makes" in page
        assert f"<option>{method}</option>" not in page
    assert "4 crops of" in page and "learned, from" in page


@pytest.mark.parametrize("method", ["rded", "dm"])
def test_they_are_exported_as_the_judges_saw_them(folder: Path, snakemake, method: str) -> None:
    chosen = CONFIG | {"export": f"{method}:0.1:1"}
    finished = snakemake(folder, "--", "export", config=chosen)
    assert finished.returncode == 0, said_of(finished)
    out = folder / RESULTS / f"export/{method}-0.1-seed-1"
    table = subset_of(folder, method, 1)
    store = Store.open(folder / RESULTS / "store/manifest.json")
    seen = render_subset(store.images(table["origin"]), table["recipe"].tolist(), store.images)
    with np.load(out / "images.npz") as packed:
        np.testing.assert_array_equal(packed["images"], seen)
    manifest = pd.read_csv(out / "manifest.csv")
    for file, pixels in zip(manifest["file"], seen, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(out / "images" / file)), pixels[..., 0])
    assert manifest["recipe"].str.len().max() < 300
    record = json.loads((out / "manifest.json").read_text("utf-8"))
    assert (record["images"], record["rows"]) == (len(table), len(table))
    assert f"{len(table)} images made of" in (out / "README.md").read_text("utf-8")
