"""The models are what they say: layers, sizes, inputs and outputs."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import Field

from petite.networks import models
from petite.networks.backend import load_keras
from petite.networks.models import CompactSettings, Model, ModelSettings, choice_of
from petite.training import metrics
from petite.training.settings import TrainingSettings
from petite.util.errors import PetiteError

keras = load_keras("tensorflow", 1)
SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"


def convolution(kernel: int, channels: int, filters: int) -> int:
    return kernel * kernel * channels * filters + filters


def test_the_papers_cnn_has_the_papers_parameters() -> None:
    model = models.build("paper_cnn", 150, 3, 2, batch_norm_momentum=0.99)
    expected, channels = 0, 3
    for filters in (64, 128, 256, 256, 128, 64):
        expected += convolution(3, channels, filters) + 4 * filters  # and batch normalization
        channels = filters
    side = 150 // 2 // 2 // 2 // 2 // 2 // 2
    assert side == 2
    expected += side * side * 64 * 512 + 512 + 4 * 512  # the dense layer and its normalization
    expected += 512 + 1
    assert model.count_params() == expected == 1_467_457


def test_the_papers_cnn_has_the_papers_layers() -> None:
    model = models.build("paper_cnn", 150, 3, 2, batch_norm_momentum=0.99)
    names = [type(layer).__name__ for layer in model.layers]
    block = ["Conv2D", "BatchNormalization", "ReLU", "MaxPooling2D"]
    head = ["Flatten", "Dense", "BatchNormalization", "ReLU", "Dropout", "Dense"]
    both = ["Rescaling", "Rescaling", "Concatenate", "Activation"]
    assert names == ["InputLayer", "Rescaling", *(6 * block), *head, *both]
    assert model.layers[-1].activation is keras.activations.softmax
    dropout = next(layer for layer in model.layers if isinstance(layer, keras.layers.Dropout))
    assert dropout.rate == 0.5
    momenta = {layer.momentum for layer in model.layers if hasattr(layer, "momentum")}
    assert momenta == {0.99}


def test_the_papers_cnn_scales_pixels_to_one() -> None:
    model = models.build("paper_cnn", 64, 1, 2, batch_norm_momentum=0.99)
    scaled = model.layers[1](np.array([[[[0.0], [255.0]]]]))
    assert keras.ops.convert_to_numpy(scaled).ravel() == pytest.approx([0, 1])


def test_compact_has_the_parameters_of_its_widths() -> None:
    settings = CompactSettings(
        widths=[8, 12, 16], halvings=[0, 1], residual_blocks=[0, 1], residual_convolutions=2
    )
    model = models.build("compact", 28, 1, 2, batch_norm_momentum=0.9, settings=settings)
    kernels = 9 * (1 * 8 + 8 * 12 + 12 * 16 + 2 * 16 * 16)
    normalization = 4 * (8 + 12 + 3 * 16)
    assert model.count_params() == kernels + normalization + 16 + 1


def test_a_new_residual_block_changes_nothing() -> None:
    """Its last scale is zero, so that a deep net begins as a shallow one."""
    images = np.random.default_rng(0).integers(0, 256, (4, 28, 28, 1), dtype=np.uint8)
    outputs = []
    for blocks in (0, 1):
        keras.utils.set_random_seed(0)
        settings = CompactSettings(residual_blocks=[0, 0, blocks])
        model = models.build("compact", 28, 1, 2, 0.9, settings)
        features = keras.Model(model.input, model.get_layer("logits").input)
        outputs.append(features.predict_on_batch(images))
    assert outputs[0] == pytest.approx(outputs[1])


def test_compact_takes_other_image_sizes_too() -> None:
    model = models.build("compact", 64, 3, 3, batch_norm_momentum=0.9)
    for side in (32, 64):
        assert model.predict_on_batch(np.zeros((2, side, side, 3), np.uint8)).shape == (2, 3)


@pytest.mark.parametrize("name", list(models.MODELS))
@pytest.mark.parametrize(("classes", "units"), [(2, 1), (5, 5)])
def test_outputs_are_a_probability_for_each_class(name: str, classes: int, units: int) -> None:
    model = models.build(name, 64, 1, classes, batch_norm_momentum=0.9)
    images = np.random.default_rng(0).integers(0, 256, (20, 64, 64, 1), dtype=np.uint8)
    probabilities = model.predict_on_batch(images)
    logits = models.logits_of(model).predict_on_batch(images)
    assert logits.shape == (20, units)
    assert probabilities.shape == (20, classes)
    assert probabilities.dtype == np.float32
    assert probabilities == pytest.approx(metrics.from_logits(logits), abs=1e-6)


def test_probabilities_of_two_classes_are_exact_for_any_logit() -> None:
    logit = keras.Input((1,))
    model = keras.Model(logit, keras.ops.softmax(models._of_both_classes(logit)))
    logits = np.array([[-1e30], [-200], [-3.5], [0], [1e-6], [60], [1e30]], np.float32)
    assert model.predict_on_batch(logits) == pytest.approx(metrics.from_logits(logits), rel=1e-6)


def test_probabilities_are_float32_where_training_computes_in_less() -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        for classes in (2, 3):
            model = models.build("compact", 28, 1, classes, batch_norm_momentum=0.9)
            images = np.random.default_rng(0).integers(0, 256, (9, 28, 28, 1), dtype=np.uint8)
            probabilities = model.predict_on_batch(images)
            assert probabilities.dtype == np.float32
            assert probabilities.sum(axis=1) == pytest.approx(np.ones(9), abs=1e-6)
    finally:
        keras.config.set_dtype_policy(before)


@pytest.mark.parametrize(("name", "size"), [("paper_cnn", 28), ("compact", 7)])
def test_images_too_small_for_a_model_are_an_error_that_says_so(name: str, size: int) -> None:
    with pytest.raises(PetiteError, match=rf"{size}x{size}.*'{name}'"):
        models.build(name, size, 1, 2, batch_norm_momentum=0.9)


def test_keras_is_loaded_without_what_only_draws_or_estimates_and_leaves_it_to_others() -> None:
    code = (
        "import sys\n"
        "from petite.networks.backend import load_keras\n"
        "load_keras('tensorflow', 1)\n"
        "print(*(name in sys.modules for name in ('matplotlib', 'sklearn')))\n"
        "import matplotlib.pyplot, sklearn.cluster\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=SCRIPTS, capture_output=True, text=True)
    assert (done.stdout.split(), done.returncode) == (["False", "False"], 0), done.stderr


def test_a_backend_that_is_not_installed_is_an_error_that_says_so() -> None:
    code = (
        "import importlib.util\n"
        "importlib.util.find_spec = lambda name: None\n"  # as on a machine without it
        "from petite.util.errors import PetiteError\n"
        "from petite.networks.backend import load_keras\n"
        "try:\n    load_keras('torch', 1)\n"
        "except PetiteError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=SCRIPTS, capture_output=True, text=True)
    assert "'torch' is not installed" in done.stdout, done.stderr


def test_the_settings_load_neither_keras_nor_a_backend() -> None:
    code = (
        "import sys, petite.training.settings, petite.training.metrics, petite.training.loop\n"
        "print(sorted({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=SCRIPTS, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "resnet"}, "model: .*'resnet'.*compact, paper_cnn"),
        ({"budget": {"steps": 1, "epochs": 1}}, "(?s)budget.*steps.*epochs"),
        ({"budget": {}}, "(?s)budget.*steps.*epochs"),
        ({"compact": {"widths": [8, 16]}}, r"halvings: .*\b1\b.*\b3\b"),
        ({"phases": [{"image_size": 16, "share": 0.5}]}, r"(?s)phases.*\b1\b"),
        (
            {"model": "paper_cnn", "phases": [{"image_size": 16, "share": 1}]},
            "(?s)phases.*paper_cnn",
        ),
        ({"epoch": 3}, "epoch"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingSettings.model_validate(settings)


def test_the_papers_training_can_be_said() -> None:
    settings = TrainingSettings.model_validate(
        {
            "model": "paper_cnn",
            "budget": {"epochs": 20},
            "batch_size": 32,
            "optimizer": "adam",
            "learning_rate": 0.001,
            "weight_decay": 0,
            "schedule": "constant",
            "batch_norm_momentum": 0.99,
            "label_smoothing": 0,
            "flips": "none",
            "crop_padding": 0,
            "test_time_flip": False,
            "evaluations": 20,
        }
    )
    assert settings.budget.total_steps(rows=1350, batch_size=32) == 844  # 843.75
    assert str(settings.budget) == "20 epochs"


class DepthSettings(ModelSettings):
    """The settings of a model that is registered in a test."""

    depth: int = Field(2, ge=1, description="layers")


def dense(images: Any, batch_norm_momentum: float, settings: DepthSettings) -> Any:
    x = keras.layers.GlobalAveragePooling2D()(images)
    for _ in range(settings.depth):
        x = keras.layers.Dense(5)(x)
    return x


DENSE = Model(
    "dense", dense, lambda settings: settings.depth, lambda settings: 5, True, DepthSettings
)


def test_one_entry_makes_a_model_with_its_settings() -> None:
    choice = choice_of([*models.MODELS.values(), DENSE])
    chosen = choice.model_validate({"model": "dense", "dense": {"depth": 3}})
    assert chosen.dense == DepthSettings(depth=3)
    with pytest.raises(ValueError, match=r"dense\.depth"):
        choice.model_validate({"dense": {"depth": 0}})
    schema = choice.model_json_schema()
    assert "dense" in schema["properties"]["model"]["description"]
    assert list(schema["properties"]) == ["model", "compact", "dense"]  # paper_cnn has no settings


def test_a_model_is_built_with_its_own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(models.MODELS, "dense", DENSE)
    settings = DepthSettings(depth=9)
    model = models.build("dense", 9, 3, 4, batch_norm_momentum=0.9, settings=settings)
    assert model.count_params() == (3 * 5 + 5) + 8 * (5 * 5 + 5) + (5 * 4 + 4)
    with pytest.raises(PetiteError, match=r"8x8.*'dense'.*9x9"):
        models.build("dense", 8, 3, 4, batch_norm_momentum=0.9, settings=settings)
    assert models.build("dense", 8, 3, 4, 0.9).predict_on_batch(np.zeros((2, 8, 8, 3))).shape == (
        2,
        4,
    )
