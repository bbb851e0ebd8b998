"""The metrics agree with scikit-learn and with values computed by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import accuracy_score, confusion_matrix
from sklearn.metrics import log_loss as sklearn_log_loss

from petite.training import metrics


def random_predictions(classes: int, count: int = 300) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(classes)
    labels = random.integers(0, classes, count)
    logits = random.normal(size=(count, classes)) + 1.5 * np.eye(classes)[labels]
    return metrics.from_logits(logits), labels


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_accuracy_loss_and_confusion_are_those_of_scikit_learn(classes: int) -> None:
    probabilities, labels = random_predictions(classes)
    result = metrics.evaluate(probabilities, labels)
    predicted = probabilities.argmax(axis=1)
    everything = list(range(classes))
    assert result["accuracy"] == pytest.approx(accuracy_score(labels, predicted))
    assert result["loss"] == pytest.approx(
        sklearn_log_loss(labels, probabilities, labels=everything)
    )
    assert result["confusion"] == confusion_matrix(labels, predicted, labels=everything).tolist()


def test_figures_worked_out_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4], [0.45, 0.55]])
    labels = np.array([0, 0, 1, 1, 1])
    result = metrics.evaluate(probabilities, labels)
    assert result["accuracy"] == pytest.approx(4 / 5)
    assert result["loss"] == pytest.approx(-np.log([0.9, 0.8, 0.7, 0.4, 0.55]).mean())
    # 0.6 (wrong) and 0.55 (right) share the bin that ends at 9/15; the others are alone in theirs.
    gaps = 0.1 + 0.2 + 0.3 + abs(0.6 + 0.55 - 1)
    assert result["calibration_error"] == pytest.approx(gaps / 5)
    assert result["worst_class"] == 1
    assert result["worst_class_accuracy"] == pytest.approx(2 / 3)
    assert result["confusion"] == [[2, 0], [1, 2]]


def test_calibration_gaps_within_one_bin_cancel() -> None:
    # Four answers at 75% confidence, three of them right: perfectly calibrated.
    probabilities = np.tile([0.75, 0.25], (4, 1))
    assert metrics.calibration_error(probabilities, np.array([0, 0, 0, 1])) == pytest.approx(0)
    assert metrics.calibration_error(probabilities, np.array([0, 0, 0, 0])) == pytest.approx(0.25)


def test_a_bin_includes_its_upper_edge() -> None:
    # 0.6 = 9/15 is on an edge: with 0.58 in the bin below it, not with 0.62 in the one above.
    probabilities = np.array([[0.6, 0.4], [0.58, 0.42], [0.62, 0.38]])
    labels = np.array([0, 1, 1])
    below, above = abs(0.6 + 0.58 - 1), 0.62
    assert metrics.calibration_error(probabilities, labels) == pytest.approx((below + above) / 3)


def test_a_sure_mistake_costs_a_finite_loss() -> None:
    loss = metrics.log_loss(np.array([[1.0, 0.0]]), np.array([1]))
    assert loss == pytest.approx(-np.log(1e-7))


def test_a_class_without_images_is_not_the_worst() -> None:
    probabilities = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]])
    result = metrics.evaluate(probabilities, np.array([0, 0]))
    assert result["worst_class"] == 0
    assert result["worst_class_accuracy"] == pytest.approx(0.5)


def test_binary_logits_give_both_classes() -> None:
    probabilities = metrics.from_logits(np.array([[0.0], [np.log(3)], [-1000.0], [1000.0]]))
    assert probabilities == pytest.approx(np.array([[0.5, 0.5], [0.25, 0.75], [1, 0], [0, 1]]))


@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6),
        elements=st.floats(-1e4, 1e4, width=32),
    ),
    st.randoms(use_true_random=False),
)
def test_every_metric_stays_in_its_range(logits: np.ndarray, random) -> None:  # type: ignore[no-untyped-def]
    probabilities = metrics.from_logits(logits)
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(len(logits)))
    classes = probabilities.shape[1]
    labels = np.array([random.randrange(classes) for _ in logits])
    result = metrics.evaluate(probabilities, labels)
    assert 0 <= result["worst_class_accuracy"] <= result["accuracy"] <= 1
    assert 0 <= result["calibration_error"] <= 1
    assert 0 <= result["loss"] <= -np.log(1e-7) + 1e-9
    assert np.sum(result["confusion"]) == len(labels)
