"""A pretrained network is trained on: its last layer first, then all of it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from loaded_python import LoadedPython
from test_scratch import CLASSES, outputs, write_small_store

from petite import config
from petite.data.views import resized
from petite.networks.backbones import Backbone
from petite.networks.backbones.base import KerasBackbone, Scaling
from petite.networks.backend import load_keras
from petite.training.fine_tune import FineTuner, check_settings, with_classifier
from petite.training.judges import FineTuneSettings
from petite.training.loop import TrainedRun
from petite.training.scratch import Outputs
from petite.training.seeing import InfoBatchSettings, Rs2Settings
from petite.util.errors import PetiteError
from petite.util.files import read_json

keras = load_keras("tensorflow", 1)
layers = keras.layers

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "fine_tune.py"
CONFIG = Path(__file__).resolve().parents[3] / "config.yaml"
SIDE = 32
COLORS = ["red", "green", "blue"]
SMALL: dict[str, Any] = {
    "image_size": SIDE,
    "head_steps": 4,
    "steps": 4,
    "batch_size": 8,
    "evaluations": 4,
}


def network(dtype: str = "float32", side: int | None = SIDE) -> Any:
    """A network as a pretrained one: with batch normalization and dropout inside."""
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((side, side, 3)),
            layers.Conv2D(8, 3, strides=2, dtype=dtype),
            layers.BatchNormalization(dtype=dtype),
            layers.ReLU(dtype=dtype),
            layers.Dropout(0.5, dtype=dtype),
            layers.DepthwiseConv2D(3, dtype=dtype),
            layers.GlobalAveragePooling2D(dtype="float32"),
        ],
        name="small",
    )


def backbone(side: int = SIDE) -> Backbone:
    return KerasBackbone("small", side, 8, "0" * 64, Scaling(1 / 255), 1234, network)


def tuner(image_size: int = SIDE, channels: int = 3, **changes: Any) -> FineTuner:
    settings = check_settings({**SMALL, **changes})
    classes = COLORS if channels == 3 else ["dark", "light"]
    return FineTuner(backbone(), image_size, channels, classes, settings)


def pictures(count: int = 24, side: int = SIDE, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noise, in which the color that is brighter is the class."""
    labels = np.arange(count) % 3
    images = np.random.default_rng(seed).integers(0, 156, (count, side, side, 3))
    images[np.arange(count), :, :, labels] += 100
    return images.astype(np.uint8), labels


def weights_of(run: TrainedRun) -> list[bytes]:
    return [array.tobytes() for array in run.model.get_weights()]


def layers_of(model: Any) -> dict[str, list[np.ndarray]]:
    """The weights of all layers, those of networks within networks too, by the layer's kind."""
    found = {}
    for layer in model._flatten_layers(include_self=False, recursive=True):
        if layer.weights and not hasattr(layer, "layers"):
            found[type(layer).__name__] = [np.array(weight) for weight in layer.get_weights()]
    return found


def test_it_can_keep_all_images_and_see_fewer_in_both_parts() -> None:
    images, labels = pictures()
    settings = check_settings({**SMALL, "head_steps": 8, "steps": 40})
    for seeing in (Rs2Settings(seen=0.25), InfoBatchSettings(annealing=0.0)):
        made = FineTuner(backbone(), SIDE, 3, COLORS, settings, seeing=seeing)
        run = made.train(images, labels, images, labels, 0)
        share = run.examples_seen
        assert share == 0.25 if isinstance(seeing, Rs2Settings) else 0.5 < share < 1
        assert run.steps == round(48 * share) and run.history[-1]["step"] == run.steps


def test_the_backbone_is_frozen_first_and_then_trained_but_for_the_statistics() -> None:
    images, labels = pictures()
    seen: dict[int, dict[str, list[np.ndarray]]] = {}

    def observe(step: int, model: Any) -> None:
        seen[step] = layers_of(model)

    fine_tuner = tuner(learning_rate=0.01)
    for seed in (0, 1):  # a second run begins at the same weights
        fine_tuner.train(images, labels, images, labels, seed, observe=observe)
        assert list(seen) == [2, 4, 6, 8]
        original = layers_of(network())
        for step, kind in ((4, "Conv2D"), (4, "BatchNormalization"), (4, "DepthwiseConv2D")):
            for before, after in zip(original[kind], seen[step][kind], strict=True):
                np.testing.assert_array_equal(after, before)
        assert (seen[4]["Dense"][0] != seen[2]["Dense"][0]).any()
        for kind in ("Conv2D", "DepthwiseConv2D", "Dense"):
            assert (seen[8][kind][0] != seen[4][kind][0]).any()
        scale, offset, *statistics = seen[8]["BatchNormalization"]
        assert (scale != original["BatchNormalization"][0]).any()
        assert (offset != original["BatchNormalization"][1]).any()
        for before, after in zip(original["BatchNormalization"][2:], statistics, strict=True):
            np.testing.assert_array_equal(after, before)


def test_a_seed_gives_the_same_weights_to_the_last_bit() -> None:
    images, labels = pictures()
    fine_tuner = tuner()
    first, other, again = (
        weights_of(fine_tuner.train(images, labels, images, labels, seed)) for seed in (5, 6, 5)
    )
    assert first == again != other
    assert weights_of(tuner().train(images, labels, images, labels, 5)) == first


def test_colors_are_told_apart_in_new_images() -> None:
    held_out = pictures(seed=1)
    rates = {"head_learning_rate": 0.1, "learning_rate": 0.01}
    fine_tuner = tuner(head_steps=30, steps=30, **rates)
    run = fine_tuner.train(*pictures(), *held_out, seed=0)
    assert run.train_accuracy > 0.9
    assert run.history[-1]["validation_accuracy"] > 0.9
    assert run.steps == 60
    assert run.epochs == 60 * 8 / 24


def test_the_rate_rises_and_falls_in_each_part() -> None:
    images, labels = pictures()
    run = tuner(evaluations=8).train(images, labels, images[:0], labels[:0], seed=0)
    rates = [point["learning_rate"] for point in run.history]
    assert max(rates[:4]) <= 0.01
    assert 0 < max(rates[4:]) <= 0.0003
    assert rates[3] > rates[4]
    assert np.isnan([point["validation_accuracy"] for point in run.history]).all()


def test_the_head_need_not_be_trained_alone() -> None:
    images, labels = pictures()
    run = tuner(head_steps=0).train(images, labels, images, labels, seed=0)
    assert run.steps == 4
    assert (layers_of(run.model)["Conv2D"][0] != layers_of(network())["Conv2D"][0]).any()


@pytest.mark.parametrize("side", [20, SIDE, 50])
def test_images_of_the_store_are_resized_to_those_of_the_backbone(side: int) -> None:
    images, _ = pictures(side=side)
    own = backbone().build()
    from_store = with_classifier(own, side, 3, 3)
    exact = with_classifier(own, SIDE, 3, 3)
    exact.set_weights(from_store.get_weights())
    expected = exact.predict(resized(images, SIDE), verbose=0)
    # Pillow rounds the resized images to whole numbers.
    np.testing.assert_allclose(from_store.predict(images, verbose=0), expected, atol=2e-3)


def test_gray_images_are_given_to_the_backbone_in_three_channels() -> None:
    labels = np.arange(24) % 2
    noise = np.random.default_rng(0).integers(0, 100, (24, SIDE, SIDE, 1))
    images = (noise + 120 * labels[:, None, None, None]).astype(np.uint8)
    run = tuner(channels=1).train(images, labels, images, labels, seed=0)
    in_color = with_classifier(run.model.get_layer("small"), SIDE, 3, 2)
    in_color.set_weights(run.model.get_weights())
    expected = in_color.predict(np.repeat(images, 3, axis=3), verbose=0)
    np.testing.assert_allclose(run.model.predict(images, verbose=0), expected, atol=1e-6)


def test_activations_are_in_16_bits_if_asked_for() -> None:
    images, labels = pictures()
    runs = {
        precision: tuner(precision=precision).train(images, labels, images, labels, seed=0)
        for precision in ("float32", "bfloat16")
    }
    losses = [run.history[-1]["loss"] for run in runs.values()]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert {weight.dtype for weight in runs["bfloat16"].model.weights} == {"float32"}


@pytest.mark.parametrize("setting", ["head_learning_rate", "learning_rate"])
def test_a_loss_that_is_no_number_is_an_error_that_names_the_rate(setting: str) -> None:
    images, labels = pictures()
    with pytest.raises(PetiteError, match=rf"judges\.fine_tune\.{setting} \(now 1e\+30\)"):
        tuner(**{setting: 1e30}, steps=60).train(images, labels, images, labels, seed=0)


def test_a_backbone_for_images_of_another_size_is_refused() -> None:
    settings = check_settings(SMALL)
    with pytest.raises(PetiteError, match=r"judges\.fine_tune\.image_size is 32.*'small'.*48"):
        FineTuner(backbone(48), SIDE, 3, COLORS, settings)


def test_a_backbone_with_weights_that_are_nan_is_refused() -> None:
    broken = network()
    broken.layers[1].set_weights([np.ones(8), np.full(8, np.nan), np.zeros(8), np.ones(8)])
    bad = KerasBackbone("broken", SIDE, 8, "0" * 64, Scaling(), 1, lambda dtype: broken)
    with pytest.raises(PetiteError, match=r"'broken' holds weights that are NaN.*beta"):
        FineTuner(bad, SIDE, 3, COLORS, check_settings(SMALL))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("image_size", 16),
        ("image_size", 4096),
        ("head_steps", -1),
        ("steps", 0),
        ("steps", True),
        ("batch_size", 1),
        ("head_learning_rate", 0),
        ("learning_rate", -0.1),
        ("weight_decay", -1),
        ("precision", "float16"),
        ("flips", "vertical"),
        ("crop_padding", 1),
        ("label_smoothing", 1.5),
        ("evaluations", 0),
        ("backend", "mxnet"),
        ("optimizer", "sgd"),
        ("learning_rat", 0.1),
    ],
)
def test_settings_that_make_no_sense_are_refused(key: str, value: Any) -> None:
    with pytest.raises(PetiteError, match=rf"\b{key}: "):
        check_settings({key: value})
    given = yaml.safe_load(CONFIG.read_text("utf-8"))
    given["judges"] = {"fine_tune": {key: value}}
    with pytest.raises(PetiteError, match=rf"judges\.fine_tune\.{key}\b") as caught:
        config.load(given)
    if key in FineTuneSettings.model_fields:
        assert json.dumps(value).strip('"') in str(caught.value)


def test_an_onnx_backbone_is_refused_before_the_run() -> None:
    given = yaml.safe_load(CONFIG.read_text("utf-8"))
    given["judges"] = {"fine_tune": {}}
    given["backbone"] = {"name": "file:mine.onnx", "scaling": "raw"}
    with pytest.raises(PetiteError, match=r"judges\.fine_tune: 'file:mine\.onnx'"):
        config.load(given)


# ---------------------------------------------------------------- a whole job


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, loaded_steps: LoadedPython) -> Outputs:
    """The files that the script made of two seeds, and its log; the second subset is augmented."""
    folder = tmp_path_factory.mktemp("results")
    write_small_store(folder)
    network().save(folder / "small.keras")
    written = outputs(folder / "made")
    name = f"file:{folder}/small.keras"
    settings = {"backbone": {"name": name, "scaling": "zero_to_one"}, "fine_tune": SMALL}
    arguments: dict[str, Any] = {
        "--manifest": folder / "store/manifest.json",
        "--split": folder / "split.parquet",
        "--judge": "fine_tune",
        "--dataset": "shades",
        "--method": "random",
        "--fraction": 0.3,
        "--split-seed": 0,
        "--output-runs": written.runs,
        "--output-history": written.history,
        "--output-predictions": written.predictions,
        "--output-models": written.models,
        "--settings": json.dumps(settings),
        "--log": written.runs.with_name("fine_tune.log"),
    }
    command = [*loaded_steps.command, str(SCRIPT)]
    command += [str(text) for pair in arguments.items() for text in pair]
    command += ["--subset", str(folder / "seed-0.parquet"), str(folder / "seed-1.parquet")]
    command += ["--seeds", "0", "1"]
    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 0, written.runs.with_name("fine_tune.log").read_text()
    return written


def test_a_job_writes_what_a_training_from_scratch_writes(done: Outputs) -> None:
    runs = pd.read_csv(done.runs)
    assert runs["training_seed"].tolist() == [0, 1]
    assert runs["rows"].tolist() == [12, 16]
    assert not runs.isna().any().any()
    first = runs.iloc[0]
    assert first["judge"] == "fine_tune"
    assert first["model"].endswith("small.keras")
    assert (first["budget"], first["steps"], first["batch_size"]) == ("4 + 4 steps", 8, 8)
    assert (first["backend"], first["precision"]) == ("tensorflow", "float32")
    assert pd.read_csv(done.history)["step"].tolist() == 2 * [2, 4, 6, 8]
    with np.load(done.predictions) as predictions:
        assert predictions["probabilities"].shape == (2, 12, 2)
        assert predictions["seeds"].tolist() == [0, 1]


def test_a_saved_model_is_loaded_without_petite_and_takes_the_images_of_the_store(
    done: Outputs,
) -> None:
    assert read_json(done.models / "classes.json") == CLASSES
    images = np.zeros((2, 10, 10, 1), np.uint8)
    code = (
        "import keras, numpy, sys; model = keras.models.load_model(sys.argv[1]);"
        "print(model.predict_on_batch(numpy.zeros((2, 10, 10, 1), 'uint8')).tolist())"
    )
    path = str(done.models / "seed-1.keras")
    alone = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert alone.returncode == 0, alone.stderr
    here = keras.models.load_model(path).predict_on_batch(images)
    np.testing.assert_allclose(json.loads(alone.stdout), here, atol=1e-5)
