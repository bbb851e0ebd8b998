"""The linear proxy against Keras, on planted hard and mislabeled images, and in bounded memory."""

import tracemalloc

import numpy as np
import pytest

from petite.networks.backend import load_keras
from petite.training import metrics
from petite.training.batches import Batches
from petite.training.linear_proxy import (
    LinearProxySettings,
    Standardized,
    linear_proxy,
    record_linear_dynamics,
)
from petite.training.schedule import learning_rates
from petite.training.scores import ProxyResult, gradient_width
from petite.util.imports import modules_of

SETTINGS = LinearProxySettings(steps=12, evaluations=4, early=0.5, batch_size=16)


def clouds(count: int, classes: int = 2, width: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings in a cloud for each class; their columns have other means and scales."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % classes
    centers = 3 * rng.normal(size=(classes, width))
    embeddings = (centers[labels] + rng.normal(size=(count, width))) * np.logspace(-2, 2, width)
    return (embeddings + 50).astype(np.float32), labels


def proxy_of(
    embeddings: np.ndarray,
    labels: np.ndarray,
    seed: int = 0,
    settings: LinearProxySettings = SETTINGS,
) -> ProxyResult:
    classes = int(labels.max()) + 1
    return linear_proxy(embeddings, labels, embeddings[:0], labels[:0], classes, seed, settings)


def as_numbers(embeddings: np.ndarray) -> np.ndarray:
    """Standardized embeddings, all at once."""
    exact = embeddings.astype(np.float64)
    return (exact - exact.mean(axis=0)) / exact.std(axis=0)


@pytest.mark.parametrize("weights", [None, np.tile([0.1, 2.9, 1.0], 20)], ids=["equal", "weighted"])
def test_it_takes_the_steps_that_keras_takes_on_the_same_batches(
    weights: np.ndarray | None,
) -> None:
    keras = load_keras("tensorflow", 1)
    embeddings, labels = clouds(60, classes=3)
    features = Standardized.by_itself(embeddings, np.arange(len(embeddings)))
    # After no step there is no record: the initial weights are those that a rate of almost 0 keeps.
    still = LinearProxySettings(**{**SETTINGS.model_dump(), "learning_rate": 1e-12})
    _, initial = record_linear_dynamics(features, labels, 3, 4, still)
    found, model = record_linear_dynamics(features, labels, 3, 4, SETTINGS, weights)

    inputs = as_numbers(embeddings).astype(np.float32)
    layer = keras.layers.Dense(3)
    theirs = keras.Sequential([keras.Input((6,)), layer])
    layer.set_weights([initial.kernel, initial.bias])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    theirs.compile(keras.optimizers.Adam(0.1), loss)
    batches = Batches(labels, None, 16, 4)
    rates = learning_rates("one_cycle", 12, SETTINGS.learning_rate / np.sqrt(6), 0.15)
    for step, rate in enumerate(rates):
        rows, _ = batches.rows(step)
        theirs.optimizer.learning_rate = rate
        theirs.train_on_batch(
            inputs[rows], labels[rows], None if weights is None else weights[rows]
        )
        if step + 1 in found.steps:
            ours = found.logits[found.steps.index(step + 1)]
            np.testing.assert_allclose(ours, theirs.predict_on_batch(inputs), atol=1e-4)
    assert found.steps == [3, 6, 9, 12]
    assert np.abs(model.kernel - initial.kernel).max() > 3 * rates.max()


@pytest.mark.parametrize("classes", [2, 3])
def test_scores_and_gradients_are_those_of_the_recorded_logits(classes: int) -> None:
    embeddings, labels = clouds(40, classes)
    found = proxy_of(embeddings, labels)
    features = Standardized.by_itself(embeddings, np.arange(len(embeddings)))
    dynamics, _ = record_linear_dynamics(features, labels, classes, 0, SETTINGS)
    assert (found.early_step, found.steps) == (6, 12)
    rows = np.arange(40)
    early, final = (metrics.from_logits(dynamics.logits[number]) for number in (1, 3))
    right = early[rows, labels]
    squares = (early**2).sum(axis=1) - right**2 + (1 - right) ** 2
    assert found.scores["el2n"] == pytest.approx(np.sqrt(squares))
    lengths = np.sqrt((as_numbers(embeddings) ** 2).sum(axis=1) + 1)
    assert found.scores["grand"] == pytest.approx(np.sqrt(squares) * lengths, rel=1e-4)
    own = dynamics.logits[:, rows, labels]
    others = dynamics.logits.copy()
    others[:, rows, labels] = -np.inf
    margins = own - others.max(axis=2)
    assert found.scores["aum"] == pytest.approx(margins.mean(axis=0), abs=1e-5)
    assert found.scores["least_confidence"] == pytest.approx(1 - final.max(axis=1))
    np.testing.assert_array_equal(found.features, dynamics.logits[3])
    assert found.gradients.shape == (40, gradient_width(6, classes))
    sizes = np.linalg.norm(found.gradients, axis=1) * (np.sqrt(2) if classes == 2 else 1)
    assert sizes == pytest.approx(found.scores["grand"], rel=1e-4)


def test_scores_of_two_images_by_hand() -> None:
    """One feature of -1 and 1: with an initial kernel (a, b) the logits of x are (ax, bx)."""
    embeddings, labels = np.array([[3.0], [5.0]], np.float32), np.array([0, 1])
    still = LinearProxySettings(steps=2, evaluations=2, learning_rate=1e-12)
    found = proxy_of(embeddings, labels, settings=still)
    a, b = found.features[1]
    assert found.features[0] == pytest.approx([-a, -b])
    wrong = 1 / (1 + np.exp(b - a))  # the probability of the other class, the same for both
    assert found.scores["el2n"] == pytest.approx([np.sqrt(2) * wrong] * 2)
    assert found.scores["grand"] == pytest.approx([2 * wrong] * 2)
    assert found.scores["aum"] == pytest.approx([b - a] * 2)
    assert found.scores["forgetting"].tolist() == [0 if b > a else 2] * 2
    # The error of the second class times (x, 1).
    assert found.gradients == pytest.approx(np.array([[-wrong, wrong], [-wrong, -wrong]]))


def test_wrong_labels_are_the_hardest_and_images_between_the_classes_harder_than_others() -> None:
    embeddings, labels = clouds(400, width=20)
    middle = embeddings[labels == 1].mean(axis=0) / 2 + embeddings[labels == 0].mean(axis=0) / 2
    between, mislabeled = np.arange(0, 10), np.arange(10, 20)
    embeddings[between] += middle - np.stack(
        [embeddings[labels == label].mean(axis=0) for label in labels[between]]
    )
    labels[mislabeled] = 1 - labels[mislabeled]
    found = proxy_of(embeddings, labels, settings=LinearProxySettings()).scores
    hardness = {**found, "aum": -found["aum"]}
    for name in ("el2n", "grand", "aum"):
        hardest = np.argsort(-hardness[name], kind="stable")[:10]
        assert set(hardest) == set(mislabeled), name
    plain = np.arange(20, 400)
    assert (found["forgetting"][mislabeled] == 10).all()  # never learned
    assert found["forgetting"][plain].max() <= 1
    for name in ("el2n", "aum", "least_confidence", "margin", "entropy"):
        assert np.median(hardness[name][between]) > np.quantile(hardness[name][plain], 0.9), name


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_scores() -> None:
    embeddings, labels = clouds(300, width=600)
    first, again, other = (proxy_of(embeddings, labels, seed) for seed in (3, 3, 4))
    for name, score in first.scores.items():
        assert score.tobytes() == again.scores[name].tobytes()
    assert first.features.tobytes() == again.features.tobytes()
    assert first.gradients.tobytes() == again.gradients.tobytes()
    assert first.gradients.shape == (300, 512)
    assert not np.allclose(first.scores["el2n"], other.scores["el2n"])


def test_rows_in_use_give_what_these_images_alone_would() -> None:
    embeddings, labels = clouds(120, classes=3)
    rows = np.random.default_rng(1).permutation(120)[:90]
    held_out = embeddings[:30], labels[:30]
    part = linear_proxy(embeddings, labels, *held_out, 3, 0, SETTINGS, rows=rows)
    alone = linear_proxy(embeddings[rows], labels[rows], *held_out, 3, 0, SETTINGS)
    for name, score in alone.scores.items():
        np.testing.assert_array_equal(part.scores[name], score)
    np.testing.assert_array_equal(part.gradients, alone.gradients)
    assert part.class_errors == alone.class_errors


def test_class_errors_are_of_held_out_images_where_they_have_every_class() -> None:
    embeddings, labels = clouds(200)
    settings = LinearProxySettings()
    found = linear_proxy(embeddings, labels, embeddings, 1 - labels, 2, 0, settings)
    assert found.accuracy > 0.9
    assert np.mean(found.class_errors) == pytest.approx(found.accuracy)
    of_one_class = linear_proxy(embeddings, labels, embeddings[:1], labels[:1], 2, 0, settings)
    assert np.mean(of_one_class.class_errors) == pytest.approx(1 - found.accuracy)


def test_constant_columns_and_a_large_mean_do_no_harm() -> None:
    embeddings, labels = clouds(100)
    with_constants = np.hstack([embeddings, np.full((100, 2), 0.1, np.float32)])
    features = Standardized.by_itself(with_constants, np.arange(100))
    assert (features[:][:, 6:] == 0).all()
    np.testing.assert_allclose(features[:][:, :6], as_numbers(embeddings), atol=0.01)
    rows = np.array([5, 2])
    np.testing.assert_array_equal(features[rows], features[:][rows])
    assert all(
        np.isfinite(score).all() for score in proxy_of(with_constants, labels).scores.values()
    )


def test_the_embeddings_are_never_copied_as_a_whole() -> None:
    embeddings = np.random.default_rng(0).random((16_000, 1_000), np.float32)
    labels = np.arange(16_000) % 2
    tracemalloc.start()
    try:
        found = proxy_of(embeddings, labels, settings=LinearProxySettings(steps=4, evaluations=2))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A copy would take as much as the embeddings beside the gradients, which are a result.
    assert peak - found.gradients.nbytes < 0.75 * embeddings.nbytes


def test_its_job_depends_on_no_network_and_not_on_how_methods_select() -> None:
    modules = modules_of("linear_proxy")
    assert "petite.training.linear_proxy" in modules
    others = ("petite.training.loop", "petite.networks.models", "petite.selection")
    assert [name for name in modules if name.startswith(others)] == []
