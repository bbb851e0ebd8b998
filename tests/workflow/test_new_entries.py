"""A new method, source, feature space, model, metric or figure needs one entry and nothing else.

Each is written into a copy of the checkout. Config, rules, tables and report follow.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from smallest import smallest

FILES = {
    "selection/methods/brightest.py": '''
"""`brightest`: the images with the largest first feature."""

import numpy as np
from pydantic import Field

from petite.selection.base import Choice, Group, Method, MethodSettings, Traits


class Settings(MethodSettings):
    """Settings of `brightest`."""

    column: int = Field(0, ge=0, description="the feature that is compared")


def choose(group: Group, settings: Settings) -> Choice:
    order = np.argsort(-group.features[:, settings.column], kind="stable")
    return Choice(order[: group.k])


METHODS = (
    Method(
        name="brightest",
        settings=Settings,
        traits=lambda settings: Traits(features="any", ranks=True, chance=False),
        choose=choose,
    ),
)
''',
    "data/sources/stripes.py": '''
"""Stripes along or across, of random brightness: 80 gray images of 8x8 pixels in two classes."""

import numpy as np

from petite.data.sources.base import USUAL_LIMITS, ArraySource


class StripesSource(ArraySource):
    """A source without files."""

    name = "stripes"

    def __init__(self, path, limits=USUAL_LIMITS):
        rng = np.random.default_rng(0)
        across = rng.integers(0, 256, (40, 8, 1)) * np.ones((1, 1, 8), int)
        along = rng.integers(0, 256, (40, 1, 8)) * np.ones((1, 8, 1), int)
        images = np.concatenate([across, along]).astype(np.uint8)
        super().__init__(path, limits, images, np.repeat([0, 1], 40), ["across", "along"])
''',
    "features/brightness.py": '''
"""The feature space `brightness`: the mean gray level of an image."""

import numpy as np


def compute(store, image_ids, settings, threads):
    images = store.images(store.positions(image_ids))
    return images.mean(axis=(1, 2, 3), dtype=np.float64)[:, None].astype(np.float32), {}
''',
    "plots/sizes.py": '''
"""How many images each method keeps."""

from matplotlib.figure import Figure

from petite.plots import style


@style.styled
def sizes(summary, unit):
    figure = Figure(figsize=(style.WIDTH, 3), layout="constrained")
    axes = figure.add_subplot()
    axes.bar(summary["method"], summary["images"])
    axes.set_ylabel(unit)
    return figure
''',
}
LINES = {
    "networks/models.py": """


class FlatSettings(ModelSettings):
    width: int = Field(8, ge=1, description="number of units")


def flat(images, momentum, settings):
    from keras import layers

    scaled = layers.Flatten()(layers.Rescaling(1 / 255)(images))
    return layers.Dense(settings.width, activation="relu")(scaled)


MODELS["flat"] = Model(
    "flat",
    flat,
    smallest_side=lambda settings: 1,
    width=lambda settings: settings.width,
    any_size=False,
    settings=FlatSettings,
)
""",
    "features/registry.py": """
SPACES["brightness"] = Space("brightness", "petite.features.brightness.compute")
""",
    "evaluation/metrics.py": """
METRICS["smallest_class"] = Metric(
    "smallest_class", "accuracy on the smallest class", weigh=lambda counts: counts == counts.min()
)
""",
    "plots/registry.py": """
FIGURES["sizes"] = Figure(
    name="sizes",
    function="petite.plots.sizes.sizes",
    inputs={"summary": "summary"},
    caption="How many images each method keeps.",
    is_due=lambda plan: "brightest" in plan.methods.values(),
    options=lambda plan: {"unit": "images kept"},
)
""",
}


@pytest.fixture(scope="module")
def results(tmp_path_factory, copy_checkout, loaded_snakemake) -> Path:
    """The results of a run that uses an entry of each kind."""
    folder = copy_checkout(tmp_path_factory.mktemp("entries") / "checkout")
    library = folder / "scripts/petite"
    for name, text in FILES.items():
        (library / name).write_text(text.lstrip(), "utf-8")
    for name, text in LINES.items():
        with (library / name).open("a", encoding="utf-8") as file:
            file.write(text)
    base = smallest({})
    config = base | {
        "dataset": {"name": "tiny", "source": "stripes", "classes": None, "image_size": 8},
        "features": {"space": "brightness"},
        "methods": {
            "full": {"fractions": []},
            "pca_grid": {"fractions": []},
            "augmentation": {"fractions": []},
            "random": {"fractions": [0.5]},
            "brightest": {"fractions": [0.5], "column": 0},
        },
        "evidence": {"metric": "smallest_class"},
        "training": {**base["training"], "model": "flat", "flat": {"width": 4}},
    }
    (folder / "overlay.yaml").write_text(yaml.safe_dump(config), "utf-8")
    ran = loaded_snakemake(folder, "--configfile", "overlay.yaml", "--cores", "2")
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
