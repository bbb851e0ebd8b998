"""Training scores against values computed by hand, against TensorFlow, and on a real proxy."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from loaded_python import LoadedPython

from petite.data.store import shard_record, write_shard
from petite.features.io import read_features
from petite.networks.backend import load_keras
from petite.training import metrics, scores
from petite.training.loop import TrainedRun, train
from petite.training.proxy import network_proxy, record_dynamics
from petite.training.schedule import evaluation_steps
from petite.training.scores import Dynamics
from petite.training.settings import ProxySettings, checked
from petite.util.errors import PetiteError
from petite.util.files import read_json, write_json, write_table

# As the script does: before anything else imports Keras with other kernels and more threads.
keras = load_keras("tensorflow", 1)

PROXY_SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "proxy.py"
CLASSES = ["dark", "light"]
SETTINGS: dict[str, Any] = {
    "training": {
        "compact": {"widths": [4, 6], "halvings": [1], "residual_blocks": [0], "dropout": 0.5},
        "budget": {"steps": 10},
        "batch_size": 8,
        "evaluations": 5,
        "flips": "random",
    }
}

# A recorded training written out: T = 4 evaluations of n = 4 images, c = 3 classes.
# The images are of the classes 0, 1, 2 and 0. By turns:
#   image 0 is right always;
#   image 1 is right, wrong, right, wrong: forgotten twice;
#   image 2 is wrong always: never learned;
#   image 3 is wrong, right, right, wrong: forgotten once.
LABELS = np.array([0, 1, 2, 0])
LOGITS = np.array(
    [
        [[2, 0, 1], [0, 3, 1], [4, 0, 1], [0, 1, 0]],
        [[3, 0, 1], [2, 0, 0], [0, 5, 1], [2, 0, 0]],
        [[4, 1, 0], [0, 1, 0], [3, 0, 1], [3, 0, 1]],
        [[5, 1, 0], [1, 0, 2], [2, 0, 0], [0, 0, 4]],
    ],
    dtype=np.float32,
)
PROBABILITIES = np.array([[0.5, 0.3, 0.2], [0.0, 1.0, 0.0], [0.6, 0.2, 0.2]])
THREE = np.array([0, 1, 2])


def settings(**changes: Any) -> ProxySettings:
    return checked(ProxySettings, {**SETTINGS, **changes}, "the settings")


def shades(count: int, classes: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Noisy gray 10x10 images, brighter from class to class."""
    labels = np.arange(count) % classes
    noise = np.random.default_rng(0).integers(0, 100, (count, 10, 10, 1))
    return (noise + 60 * labels[:, None, None, None]).astype(np.uint8), labels


# ---------------------------------------------------------------- scores by hand


def test_el2n_is_the_length_of_the_error() -> None:
    expected = [
        np.sqrt(0.5**2 + 0.3**2 + 0.2**2),
        0,
        np.sqrt(0.6**2 + 0.2**2 + 0.8**2),
    ]
    assert scores.el2n(PROBABILITIES, THREE) == pytest.approx(expected)


def test_el2n_of_a_sure_mistake_is_the_largest_there_is() -> None:
    assert scores.el2n(np.array([[0.0, 1.0]]), np.array([0])) == pytest.approx([np.sqrt(2)])


def test_grand_is_the_error_times_the_length_of_the_features_and_a_one() -> None:
    features = np.array([[2.0, 2.0], [5.0, 7.0], [0.0, 0.0]], np.float32)
    expected = [np.sqrt(0.38) * 3, 0, np.sqrt(1.04)]
    assert scores.grand(PROBABILITIES, THREE, features) == pytest.approx(expected)


def test_forgetting_counts_falls_and_never_learned_counts_most() -> None:
    forgotten = scores.forgetting(LOGITS.argmax(axis=2) == LABELS)
    assert forgotten.tolist() == [0, 2, 4, 1]
    assert forgotten.dtype == np.int64


def test_aum_is_the_mean_margin_of_the_true_class() -> None:
    # Image 0: margins 1, 2, 3, 4; image 1: 2, -2, 1, -2; image 2: -3, -4, -2, -2; 3: -1, 2, 2, -4.
    assert scores.aum(LOGITS, LABELS) == pytest.approx([2.5, -0.25, -2.75, -0.25])


def test_uncertainty_scores_are_higher_where_the_model_is_less_sure() -> None:
    sure, halves, even = np.array([[1.0, 0, 0], [0.5, 0.5, 0], [1 / 3, 1 / 3, 1 / 3]])
    probabilities = np.stack([sure, halves, even])
    assert scores.least_confidence(probabilities) == pytest.approx([0, 0.5, 2 / 3])
    assert scores.margin(probabilities) == pytest.approx([0, 1, 1])
    assert scores.margin(PROBABILITIES) == pytest.approx([0.8, 0, 0.6])
    assert scores.entropy(probabilities) == pytest.approx([0, np.log(2), np.log(3)])


def test_early_scores_are_of_the_early_evaluation_and_uncertainties_of_the_last() -> None:
    features = np.ones((4, 3), np.float32)
    dynamics = Dynamics(LOGITS, features, 2 * features, 1, [2, 4, 6, 8])
    table = scores.scores(dynamics, LABELS)
    early, final = metrics.from_logits(LOGITS[1]), metrics.from_logits(LOGITS[3])
    assert list(table) == "el2n grand forgetting aum least_confidence margin entropy".split()
    assert table["el2n"] == pytest.approx(scores.el2n(early, LABELS))
    assert table["grand"] == pytest.approx(table["el2n"] * np.sqrt(13))
    assert table["forgetting"].tolist() == [0, 2, 4, 1]
    assert table["entropy"] == pytest.approx(scores.entropy(final))


# ---------------------------------------------------------------- gradients


@pytest.mark.parametrize("classes", [2, 3])
def test_grand_and_gradients_are_those_that_tensorflow_takes(classes: int) -> None:
    import tensorflow as tf

    random = np.random.default_rng(1)
    features = random.normal(size=(5, 4)).astype(np.float32)
    labels = np.arange(5) % classes
    units = 1 if classes == 2 else classes
    layer = keras.layers.Dense(units, kernel_initializer="glorot_uniform")
    layer.build((None, 4))
    taken = []
    for row, label in zip(features, labels, strict=True):
        with tf.GradientTape() as tape:
            logits = layer(row[None])
            if classes == 2:
                loss = tf.nn.sigmoid_cross_entropy_with_logits([[float(label)]], logits)
            else:
                loss = tf.nn.sparse_softmax_cross_entropy_with_logits([label], logits)
        kernel, bias = (
            part.numpy() for part in tape.gradient(loss, [layer.kernel.value, layer.bias.value])
        )
        taken.append(np.vstack([kernel, bias]).T.ravel())
    probabilities = metrics.from_logits(layer(features).numpy())
    ours = scores.gradients(probabilities, labels, features)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, np.stack(taken), atol=1e-6)
    lengths = np.linalg.norm(taken, axis=1) * (np.sqrt(2) if classes == 2 else 1)
    assert scores.grand(probabilities, labels, features) == pytest.approx(lengths, rel=1e-5)


def test_long_gradients_are_projected_and_keep_their_distances() -> None:
    random = np.random.default_rng(2)
    probabilities = metrics.from_logits(random.normal(size=(12, 10)))
    labels, features = np.arange(12) % 10, random.normal(size=(12, 99)).astype(np.float32)
    projected = scores.gradients(probabilities, labels, features, seed=3)
    assert projected.shape == (12, 512)
    for classes in (2, 3, 10):
        some = metrics.from_logits(random.normal(size=(12, classes)))
        made = scores.gradients(some, np.arange(12) % classes, features)
        assert made.shape[1] == scores.gradient_width(99, classes)
    errors = probabilities - np.eye(10)[labels]
    whole = np.einsum("nc,nd->ncd", errors, np.hstack([features, np.ones((12, 1))])).reshape(12, -1)
    pairs = np.triu_indices(12, 1)
    distances, before = (
        np.linalg.norm(x[pairs[0]] - x[pairs[1]], axis=1) for x in (projected, whole)
    )
    assert np.abs(distances / before - 1).max() < 0.15
    again, other = (scores.gradients(probabilities, labels, features, seed) for seed in (3, 4))
    assert again.tobytes() == projected.tobytes()
    assert not np.allclose(other, projected)


# ---------------------------------------------------------------- a real proxy


@pytest.mark.parametrize(
    ("steps", "evaluations", "expected"),
    [(10, 5, [2, 4, 6, 8, 10]), (10, 4, [3, 5, 8, 10]), (2, 5, [1, 2])],
)
def test_evaluations_are_evenly_spaced_and_the_last_step_is_one(
    steps: int, evaluations: int, expected: list[int]
) -> None:
    assert evaluation_steps(steps, evaluations) == expected


@pytest.fixture(scope="module")
def trained() -> tuple[Dynamics, TrainedRun]:
    return record_dynamics(*shades(30), CLASSES, 0, settings())


@pytest.fixture(scope="module")
def dynamics(trained: tuple[Dynamics, TrainedRun]) -> Dynamics:
    return trained[0]


@pytest.fixture(scope="module")
def run(trained: tuple[Dynamics, TrainedRun]) -> TrainedRun:
    return trained[1]


def test_the_record_ends_with_the_answers_of_the_trained_model(
    dynamics: Dynamics, run: TrainedRun
) -> None:
    images, _ = shades(30)
    assert dynamics.steps == [2, 4, 6, 8, 10]
    assert dynamics.logits.shape == (5, 30, 2)
    assert dynamics.logits.dtype == np.float32
    assert (dynamics.logits[:, :, 0] == 0).all()
    assert dynamics.features.shape == dynamics.early_inputs.shape == (30, 6)
    right = run.model.predict_on_batch(images)[:, 1]
    final = metrics.from_logits(dynamics.logits[-1])
    assert final[:, 1] == pytest.approx(right, abs=1e-6)
    kernel, bias = run.model.get_layer("logits").get_weights()
    answers = (dynamics.features @ kernel + bias)[:, 0]
    assert dynamics.logits[-1][:, 1] == pytest.approx(answers, abs=1e-5)
    assert not np.allclose(dynamics.features, dynamics.early_inputs[:])


@pytest.mark.parametrize(("early", "expected"), [(0.3, 0), (0.4, 1), (0.55, 2), (1.0, 4)])
def test_the_early_evaluation_is_the_nearest_to_its_share(early: float, expected: int) -> None:
    assert record_dynamics(*shades(8), CLASSES, 0, settings(early=early))[0].early == expected


def test_watching_leaves_the_training_alone(run: TrainedRun) -> None:
    images, labels = shades(30)
    unwatched = train(images, labels, images[:0], labels[:0], CLASSES, 0, settings().training)
    for ours, theirs in zip(run.model.get_weights(), unwatched.model.get_weights(), strict=True):
        assert ours.tobytes() == theirs.tobytes()


def test_another_seed_is_another_course(dynamics: Dynamics) -> None:
    other, _ = record_dynamics(*shades(30), CLASSES, 1, settings())
    assert not np.allclose(other.logits, dynamics.logits)


def test_three_classes_give_three_logits() -> None:
    images, labels = shades(130, classes=3)
    found, _ = record_dynamics(images, labels, ["a", "b", "c"], 0, settings())
    assert found.logits.shape == (5, 130, 3)
    table = scores.scores(found, labels)
    assert all(np.isfinite(score).all() and score.shape == (130,) for score in table.values())


def test_class_errors_are_of_held_out_images_where_they_have_every_class(
    dynamics: Dynamics,
) -> None:
    images, labels = shades(30)
    wrong = dynamics.logits[-1].argmax(axis=1) != labels
    on_train = [float(wrong[labels == label].mean()) for label in (0, 1)]
    for few in (labels[:0], labels[:1]):
        found = scores.class_errors(dynamics, labels, few, few.copy)
        assert found == on_train
    # With every held-out label turned about, what was right is wrong.
    turned = network_proxy(images, labels, images, 1 - labels, CLASSES, 0, settings())
    assert turned.class_errors == pytest.approx([1 - on_train[1], 1 - on_train[0]])
    assert turned.accuracy == pytest.approx(1 - np.mean(on_train))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"early": 0}, "early"),
        ({"late": 1}, "late"),
        ({"training": {"batch_size": 1}}, r"training\.batch_size"),
    ],
)
def test_wrong_settings_are_named_with_their_place(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PetiteError, match=f": {message}: "):
        settings(**changes)


# ---------------------------------------------------------------- the script


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 40 images in a shard, and its split; the test images cannot be opened."""
    root: Path = tmp_path_factory.mktemp("results")
    images, labels = shades(40)
    write_shard(root / "store/shards/1-of-1.npy", images)
    parts = np.repeat(["train", "validation", "test"], [24, 8, 8])
    index = pd.DataFrame(
        {
            "image_id": [f"{CLASSES[label]}/{row}" for row, label in enumerate(labels)],
            "label": labels.astype(np.int16),
            # To read an image without a shard is an error.
            "status": np.where(parts == "test", "set_aside", "ok"),
            "shard": np.where(parts == "test", -1, 0).astype(np.int32),
            "row": np.where(parts == "test", -1, np.arange(40)),
        }
    )
    write_table(root / "store/index.parquet", index)
    shards = [shard_record(root / "store/shards/1-of-1.npy", root / "store")]
    manifest = {"format": 1, "classes": CLASSES, "image_size": 10, "channels": 1}
    write_json(root / "store/manifest.json", manifest | {"shards": shards})
    write_table(root / "split.parquet", index[["image_id", "label"]].assign(split=parts))
    return root


def run_script(folder: Path, out: Path, python: Sequence[str] = (sys.executable,)) -> Path:
    arguments: dict[str, Any] = {
        "--manifest": folder / "store/manifest.json",
        "--split": folder / "split.parquet",
        "--seed": 5,
        "--settings": json.dumps({**SETTINGS, "early": 0.4}),
        "--output-scores": out / "scores.parquet",
        "--output-features": out / "proxy.npy",
        "--output-gradients": out / "gradients.npy",
    }
    command = [*python, str(PROXY_SCRIPT)]
    command += [str(text) for pair in arguments.items() for text in pair]
    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    return out


@pytest.fixture(scope="module")
def done(folder: Path, loaded_steps: LoadedPython) -> Path:
    return run_script(folder, folder / "first", loaded_steps.command)


def test_the_script_writes_scores_features_and_gradients_of_the_training_images(
    folder: Path, done: Path
) -> None:
    ids = pd.read_parquet(folder / "split.parquet")["image_id"].tolist()[:24]
    table = pd.read_parquet(done / "scores.parquet")
    assert table["image_id"].tolist() == ids
    names = "el2n grand forgetting aum least_confidence margin entropy".split()
    assert list(table.columns) == ["image_id", *names]
    assert np.isfinite(table[names].to_numpy(dtype=float)).all()
    about = read_json(done / "scores.json")
    assert about["proxy_of"] == "network"
    assert about["seed"] == 5
    assert about["steps"] == 10
    assert about["early_step"] == 4
    assert about["seconds"] > 0
    assert len(about["class_errors"]) == len(CLASSES)
    assert all(0 <= error <= 1 for error in about["class_errors"])
    for name, width in (("proxy", 6), ("gradients", 7)):
        features, record = read_features(done / f"{name}.npy", ids)
        assert features.shape == (24, width)
        assert features.dtype == np.float32
        assert record["space"] == name
        assert record["image_ids_sha256"] == about["image_ids_sha256"]
    lengths = np.linalg.norm(np.load(done / "gradients.npy"), axis=1)
    assert table["grand"].to_numpy() == pytest.approx(np.sqrt(2) * lengths, rel=1e-4)


def test_the_script_gives_the_same_bytes_for_the_same_seed(folder: Path, done: Path) -> None:
    again = run_script(folder, folder / "again")
    for name in ("scores.parquet", "proxy.npy", "gradients.npy"):
        assert (done / name).read_bytes() == (again / name).read_bytes()
    records = [read_json(out / "scores.json") for out in (done, again)]
    assert [record.pop("seconds") > 0 for record in records] == [True, True]
    assert records[0] == records[1]
