"""A new method, source, feature space, model, metric or figure needs one entry and nothing else.

The code of docs/extend.md is written into a copy of the checkout. Config, rules, tables and report
follow.
"""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from smallest import smallest

from petite.config.layers import merged

PAGE = (Path(__file__).resolve().parents[2] / "docs/extend.md").read_text("utf-8")
CODE = re.compile(
    r"^(A new file|At the end of) `(scripts/[^`]+)`:\n\n```python\n(.*?)^```", re.M | re.S
)
# The settings with which the page uses its entries.
SETTINGS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.M | re.S)


@pytest.fixture(scope="module")
def results(tmp_path_factory, copy_checkout, loaded_snakemake) -> Path:
    """The results of a run that uses an entry of each kind."""
    folder = copy_checkout(tmp_path_factory.mktemp("entries") / "checkout")
    for where, name, text in CODE.findall(PAGE):
        path = folder / name
        assert path.exists() == (where == "At the end of"), name
        with path.open("a", encoding="utf-8") as file:
            file.write(text if where == "A new file" else f"\n\n{text}")
    config = smallest({"full": [], "pca_grid": [], "augmentation": [], "random": [0.5]})
    for text in SETTINGS:
        config = merged(config, yaml.safe_load(text))
    (folder / "overlay.yaml").write_text(yaml.safe_dump(config), "utf-8")
    wanted = ("--", "results/tiny/report.html", "results/tiny/figures/sizes.png")
    ran = loaded_snakemake(folder, "--configfile", "overlay.yaml", "--cores", "2", *wanted)
    assert ran.returncode == 0, ran.stderr
    return folder / "results/tiny"


@pytest.mark.workflow
def test_a_new_source_is_read(results):
    index = pd.read_parquet(results / "store/index.parquet")
    assert index["class_name"].value_counts().to_dict() == {"across": 40, "along": 40}


@pytest.mark.workflow
def test_a_new_feature_space_is_computed(results):
    record = json.loads((results / "features/brightness.json").read_text("utf-8"))
    assert record["space"] == "brightness"
    assert np.load(results / "features/brightness.npy").shape == (68, 1)


@pytest.mark.workflow
def test_a_new_method_selects(results):
    kept = pd.read_parquet(results / "subsets/brightest/0.5/seeds-0-0.parquet")
    split = pd.read_parquet(results / "splits/0.parquet")
    training = split["image_id"][split["split"] == "train"]
    brightness = pd.Series(np.load(results / "features/brightness.npy")[:, 0], training.to_numpy())
    for _, chosen in kept.groupby("label"):
        others = brightness.index.difference(kept["image_id"])
        others = others[others.str.startswith(chosen["image_id"].iloc[0].split("/")[0])]
        assert brightness[chosen["image_id"]].min() >= brightness[others].max()


@pytest.mark.workflow
def test_a_new_model_is_trained(results):
    assert set(pd.read_csv(results / "runs.csv")["model"]) == {"flat"}


@pytest.mark.workflow
def test_a_new_metric_is_compared_and_has_columns(results):
    summary = pd.read_csv(results / "summary.csv")
    assert set(summary["metric"]) == {"smallest_class"}
    assert summary["smallest_class_mean"].between(0, 1).all()
    assert "accuracy on the smallest class, %" in (results / "summary.md").read_text("utf-8")


@pytest.mark.workflow
def test_a_new_figure_is_drawn(results):
    assert "images kept" in (results / "figures/sizes.svg").read_text("utf-8")
    assert (results / "figures/sizes.png").exists()


@pytest.mark.workflow
def test_the_report_shows_new_entries(results):
    page = (results / "report.html").read_text("utf-8")
    assert "brightest" in page and "accuracy on the smallest class" in page.lower()
