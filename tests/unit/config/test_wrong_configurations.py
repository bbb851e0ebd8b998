"""Two hundred wrong configurations: each is refused in one message that names the key."""

import copy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from petite import config
from petite.config import layers
from petite.config.layers import Layer
from petite.util.errors import PetiteError

REPOSITORY = Path(__file__).resolve().parents[3]
DEFAULT = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
ARCHIVE = {"name": "a", "source": "archive", "classes": None}

DAY = date(2024, 5, 1)  # as YAML reads 2024-05-01

# Whatever the setting: what it cannot be.
NO_NUMBER = ["many", "", [], {}, [1], True, False, {"of": 1}, {DAY: 1}, "1 000", "1,5"]
NO_TEXT = [1, 1.5, True, [], {}, ["a"]]
NO_FLAG = ["maybe", 2, [], {}]
NO_GROUP = [3, "text", [1], True, None]

WRONG: list[tuple[str, Any]] = [
    # Wrong types.
    *[("seeds", value) for value in [*NO_NUMBER, None, 1.5]],
    *[("dataset.image_size", value) for value in [*NO_NUMBER, None, 28.5]],
    *[("training.learning_rate", value) for value in [*NO_NUMBER, None]],
    *[("split.test", value) for value in [*NO_NUMBER, None]],
    *[("dataset.name", value) for value in [*NO_TEXT, None]],
    *[("dataset.source", value) for value in [*NO_TEXT, None]],
    *[("max_memory", value) for value in NO_TEXT],
    *[("training.test_time_flip", value) for value in [*NO_FLAG, None]],
    *[(name, value) for name in ("dataset", "training", "methods") for value in NO_GROUP],
    *[("split", 1), ("features", []), ("proxy", "x"), ("evidence", 0.1), ("training.compact", 2)],
    *[("training.budget", value) for value in (200, "200 steps", None, [])],
    *[("methods.random", value) for value in (None, 0.1, [0.1], "on", True)],
    *[("methods.random.fractions", value) for value in (None, 0.1, "0.1", {0.1: 1}, True, [[0.1]])],
    *[("labels", value) for value in (3, True, [], ["labels.csv"])],
    *[("labels", value) for value in ({}, {"file": "file"}, {"path": "a.csv", "colum": "b"})],
    *[
        ("labels", {"path": value})
        for value in (*NO_TEXT, None, "", "https://example.org/a.csv", "{a}.csv")
    ],
    *[("labels", {"path": "a.csv", "label": value}) for value in NO_TEXT],
    *[("labels", {"path": "a.csv", "label": value}) for value in (["b"], ["a", 3])],
    *[("dataset.classes", value) for value in ("cat", {"cat": 1}, 2, [1, 2], [None, "cat"])],
    *[("seeds_by_fraction", value) for value in (3, [3], "3", {"half": 3}, {0.5: "many"}, None)],
    *[
        ("training.compact.widths", value)
        for value in (16, "16", [16], [16, "x"], [True, 24, 8, 9])
    ],
    *[("training.phases", value) for value in (1, {"share": 1}, [1], [[]], None)],
    # Out of range.
    *[("seeds", value) for value in (0, -1, 1001, 10**30)],
    *[("seeds_per_job", value) for value in (0, -3)],
    *[("split.repeats", value) for value in (*NO_NUMBER, 0, -1, 101, 2.5)],
    ("split.repeats", 2),  # with the looks of the default
    *[("seeds_by_fraction", value) for value in ({0.5: 0}, {2: 3}, {0: 3}, {-0.5: 3}, {0.5: True})],
    *[("dataset.image_size", value) for value in (0, 7, -28, 1025, 10**9)],
    *[("dataset.max_bad_share", value) for value in (-0.1, 1, 1.5, float("nan"))],
    *[("dataset.min_side", 0), ("dataset.max_pixels", 0), ("dataset.max_bytes", 0)],
    *[("dataset.max_seconds", value) for value in (0, -1, float("inf"), 10**6)],
    *[("dataset.max_entries", 0), ("dataset.max_entries", -1)],
    *[("dataset.limit_per_class", value) for value in (0, 1, -5)],
    *[("dataset.depth", value) for value in ([3, 1], [1, 1], [0], [0, 1, 2], [0, float("inf")])],
    *[("dataset.depth", value) for value in ("strech", 16, None, {}, [None, 3], ["0", "9"])],
    *[("dataset.near_copy_distance", value) for value in (-1, 17)],
    *[("dataset.shards", value) for value in (0, -1, 10_001)],
    *[("split.test", value) for value in (0, 1, -0.1, 1.1, float("nan"), float("inf"))],
    *[("split.validation", value) for value in (-0.1, 1)],
    *[("split.seed", value) for value in (-1, 2**31)],
    *[
        ("split.groups", value)
        for value in (False, 3, [], {"by": "subfolder"}, "", "(", "subfoldr")
    ],
    *[("split.groups", value) for value in (r"p\d+", r"(p\d+)_(s\d+)", r"(?=p)(\d+)", r"(.)\1")],
    *[("features.dimensions", value) for value in (1, 0, 5000)],
    *[("proxy.steps", 1), ("proxy.evaluations", 1), ("proxy.early", 0), ("proxy.early", 1.5)],
    ("proxy.of", "embedding"),
    *[("evidence.tolerance", 0), ("evidence.tolerance", 1), ("evidence.pilot_sd", 0)],
    *[("partitions", 0), ("training_threads", 0)],
    *[("training.learning_rate", value) for value in (0, -1, float("inf"), float("nan"))],
    *[("training.batch_size", value) for value in (1, 0, 10**12)],
    *[("training.budget.steps", value) for value in (0, -1, 10**20)],
    *[("training.warm_up", 1), ("training.label_smoothing", 1), ("training.crop_padding", -1)],
    *[
        ("training.brightness", 1.5),
        ("training.mixup", -0.1),
        ("training.crop_area", 0),
        ("training.cutmix", True),
    ],
    *[("training.compact.dropout", 1), ("training.compact.stem_stride", 0)],
    *[("methods.random.fractions", value) for value in ([0], [-0.1], [1.5], [float("nan")], [50])],
    *[("methods.pca_grid.clusters", 0), ("methods.augmentation.ratio", 0)],
    *[("methods.augmentation.transforms.rotation", value) for value in (-1, 181, "far")],
    *[
        ("methods.augmentation.transforms.blur", value)
        for value in (1, [1], [2, 1], ["a", 1], [1, 2, 3], [0, 1], [None, 1])
    ],
    *[("methods.rded.mosaic", value) for value in (0, 1, 17, 2.5, "two", None)],
    *[("methods.rded.crops", value) for value in (0, 3, 257)],
    *[("methods.rded.scale", value) for value in ([0, 1], [0.5, 0.1], [0.5, 2], 0.5, None)],
    *[("methods.dm.iterations", value) for value in (0, -1, None)],
    *[("methods.dm.learning_rate", value) for value in (0, -1, float("nan"))],
    *[("methods.dm.batch", 0), ("methods.dm.width", 0), ("methods.dm.space", "pixels")],
    *[("methods.rded.quota", "equal"), ("methods.rded.labels", "soft")],
    # Wrong names.
    *[
        (name, 1)
        for name in (
            *("sedes", "Seeds", "dataset.imagesize", "dataset.colors", "split.tset"),
            *("training.lr", "training.budget.stpes", "training.compact.width", "proxy.step"),
            *("features.dimension", "evidence.tolerence", "methods.random.fraction", "1", ""),
            *("methods.pca_grid.clustres", "methods.full.quota", "methods.augmentation.ration"),
        )
    ],
    *[("methods.rondom", {"fractions": [0.1]}), ("methods.mine", {"method": 3, "fractions": []})],
    *[("methods.mine", {"method": "nearest", "fractions": [0.1]})],
    *[
        (f"methods.{label}", {"method": "random", "fractions": [0.1]})
        for label in ("größe", "-x", "--help", "a b", "a/b", "$(touch x)", "a;b", "a'b", "", "x\n")
    ],
    *[
        ("dataset.name", name)
        for name in ("", ".", "..", "../up", "/tmp", "a/b", "a b", "-rf", "$(x)", "a;b", "x\n", "'")
    ],
    *[("dataset.source", name) for name in ("foldr", "", "Folder", "http", "folder; rm -rf")],
    *[("dataset.color", name) for name in ("grey", "RGB", None, 3)],
    *[("training.model", name) for name in ("resnet", "", None)],
    *[("training.optimizer", "sdg"), ("training.backend", "numpy"), ("training.precision", "half")],
    *[("training.schedule", "cosine"), ("training.flips", False), ("features.space", "pixel")],
    *[("max_memory", text) for text in ("lots", "", "-1 GB", "0", "6 XB", "nan GB", "inf")],
    *[("dataset.sha256", text) for text in ("abc", "g" * 64, "a" * 63)],
    *[("checks.label_errors", name) for name in ("pixel", "proxy", "backbone", 2, None)],
    # Wrong together.
    ("checks.label_errors", "own"),
    ("dataset.classes", ["cat"]),
    ("dataset.classes", []),
    ("dataset.classes", ["cat", "dog", "cat"]),
    ("dataset.source", "folder"),
    ("dataset.source", "archive"),
    ("dataset.path", "/some/where"),
    ("dataset", {**ARCHIVE, "path": ""}),
    ("dataset", {**ARCHIVE, "path": "ftp://a.example/b.zip"}),
    ("dataset", {**ARCHIVE, "path": "file:///etc/passwd"}),
    ("dataset", {**ARCHIVE, "path": "a\0b.zip"}),
    ("dataset", {**ARCHIVE, "path": "/data/{seed}/a.zip"}),
    ("dataset", {**ARCHIVE, "source": "lsun", "path": "/data/{seed}"}),
    ("dataset", {**ARCHIVE, "source": "parquet"}),
    ("dataset", {**ARCHIVE, "source": "parquet", "path": "gopher://a.example/b.parquet"}),
    ("dataset", {**ARCHIVE, "path": "a.zip", "columns": {"image": "img"}}),
    *[("dataset.columns", value) for value in (["image"], "image", 1, {"img": "x"}, None)],
    *[("dataset.columns.label", value) for value in ("", 1, True, ["a"], {"a": 1})],
    ("features.path", "mine {method}.npy"),
    ("dataset", {**ARCHIVE, "source": "folder", "path": "https://a.example/b.zip"}),
    ("split", {"test": 0.5, "validation": 0.45}),
    ("features.space", "own"),
    *[("backbone.name", value) for value in ("resnet", "keras", "file:network.pt", "", 1, None)],
    *[("backbone.image_size", value) for value in (0, 31, 1025, None, "large")],
    *[("backbone.scaling", value) for value in ("zero", 255, "raw")],
    *[("backbone", value) for value in ("efficientnet_lite0", [1])],
    ("backbone", {"name": "file:network.onnx"}),
    ("backbone", {"name": "file:network.onnx", "scaling": "raw", "weights": "network.h5"}),
    ("training.budget", {"steps": 100, "epochs": 3}),
    ("training.budget", {"steps": None, "epochs": None}),
    ("training.compact", {"widths": [16, 24], "halvings": [0, 1]}),
    ("training.compact.halvings", [0, 2, 1]),
    ("training.phases", [{"image_size": 16, "share": 0.5}]),
    ("methods", {}),
    ("methods", {"random": {"fractions": []}}),
    ("methods", {"augmentation": {"fractions": [0.1]}}),
    ("methods.random.fractions", [0.1, 0.1]),
    ("methods.random.fractions", [0.1234567]),
    ("methods.random.fractions", [1]),
    ("methods.full.fractions", [0.5]),
    ("methods.random.space", "pixels"),
    ("methods.herding.space", "own"),
    ("methods.craig.space", "pixels"),
    ("methods.el2n.bins", 3),
    ("methods.grid_then_augmentation.steps", []),
    ("methods.grid_then_augmentation.steps", [{"method": "augmentation"}]),
    ("methods.grid_then_augmentation.steps", [{"method": "augmentation"}, {"method": "random"}]),
    ("methods.grid_then_augmentation.steps", [{"method": "herding"}, {"method": "random"}]),
    ("methods.grid_then_augmentation.steps", "pca_grid, augmentation"),
    (
        "methods.grid_then_augmentation.steps",
        [{"method": "pca_grid", "share": 0.01}, {"method": "augmentation"}],
    ),
    ("methods.dedup_then_ccs.steps", [{"method": "semdedup", "share": 0}, {"method": "ccs"}]),
    ("methods.dedup_then_ccs.steps", [{"share": 3}, {"method": "ccs"}]),
    *[
        ("methods.mine", {"steps": [{"method": "herding", "share": 2}, last], "fractions": [0.1]})
        for last in ({"method": "rded"}, {"method": "dm"})
    ],
    ("methods.mine", {"method": "rded", "mosaic": 8, "crops": 64, "fractions": [0.1]}),
    ("methods.mine", {"score": "el2n", "sampler": "tops", "fractions": [0.1]}),
    ("methods.mine", {"fractions": [0.1]}),
]


def changed(path: str, value: Any) -> dict[str, Any]:
    """The default configuration with another value at a path such as dataset.name."""
    mapping = copy.deepcopy(DEFAULT)
    *parents, last = path.split(".")
    group = mapping
    for name in parents:
        group = group[name]
    group[last] = value
    return mapping


def test_there_are_at_least_two_hundred_different_ones() -> None:
    assert len({repr(case) for case in WRONG}) == len(WRONG) >= 200


@pytest.mark.parametrize(("path", "value"), WRONG, ids=repr)
def test_a_wrong_configuration_is_refused_with_the_name_of_its_key(path: str, value: Any) -> None:
    with pytest.raises(PetiteError) as caught:
        config.load(changed(path, value))
    message = str(caught.value)
    assert path.rsplit(".", 1)[-1].rstrip("\n") in message
    assert path.split(".")[0] in message
    assert message.startswith("the configuration has ")
    assert len(message) < 1000


def nested(levels: int, inner: Any) -> list[Any]:
    """A list of ten of the same list of ten ...: 10**levels values in little memory."""
    for _ in range(levels):
        inner = [inner] * 10
    return inner


def endless() -> list[Any]:
    ring: list[Any] = []
    ring.append(ring)
    return ring


@pytest.mark.parametrize(
    ("path", "bomb"),
    [
        ("seeds", nested(9, "ha")),
        ("methods.random.fractions", nested(9, 0.1)),
        ("dataset.classes", nested(9, "cat")),
        ("methods", {"random": {"fractions": [0.1], "more": nested(9, {})}}),
        ("unknown", nested(9, None)),
        ("training.phases", endless()),
        ("seeds_by_fraction", {0.1: endless()}),
    ],
    ids=["seeds", "fractions", "classes", "methods", "unknown", "endless list", "endless map"],
)
def test_a_yaml_bomb_is_refused_with_its_key(path: str, bomb: Any) -> None:
    mapping = changed(path, None)  # not copied, which would defuse it
    group = mapping
    for name in path.split(".")[:-1]:
        group = group[name]
    group[path.split(".")[-1]] = bomb
    for check in (config.load, resolved):
        with pytest.raises(PetiteError, match=rf"{path.split('.')[0]} holds more than"):
            check(mapping)


def resolved(mapping: dict[str, Any]) -> layers.Resolved:
    default, written = Layer("default", DEFAULT), Layer("mine.yaml", mapping)
    return layers.resolve(default, [written], REPOSITORY / "workflow/config")


def every_path(mapping: dict[str, Any], prefix: str = "") -> list[str]:
    paths = []
    for key, value in mapping.items():
        paths.append(f"{prefix}{key}")
        if isinstance(value, dict):
            paths += every_path(value, f"{prefix}{key}.")
    return paths


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.dates()
    | st.sampled_from(["pca_grid", "augmentation", "full", "ccs", 10**40]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=8) | st.integers() | st.none(), inner, max_size=3)
        | st.dictionaries(st.sampled_from(["method", "share", "steps", "fractions"]), inner)
    ),
    max_leaves=6,
)


@settings(max_examples=500)
@given(path=st.sampled_from(every_path(DEFAULT)), value=anything)
def test_any_value_of_any_setting_is_accepted_or_refused_with_its_key(path, value) -> None:
    try:
        config.load(changed(path, value))
    except PetiteError as error:
        assert path.split(".")[0] in str(error)
