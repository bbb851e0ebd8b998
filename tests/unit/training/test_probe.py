"""Probes on embeddings: the classifier, its penalty, and the part of the pool of each seed."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from petite.training.probe import Embedded, Standardizing, fit_probe
from petite.training.probe_job import part_of_pool
from petite.util.errors import PetiteError

PENALTIES = [100.0, 10.0, 1.0, 0.1]


def embedded(n: int, classes: int, seed: int, spread: float = 1.0) -> Embedded:
    """Gaussian classes in 40 dimensions, of very unequal scales."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    centers = np.random.default_rng(99).normal(size=(classes, 40))
    scales = 10.0 ** np.linspace(-3, 3, 40)
    inputs = (centers[labels] + spread * rng.normal(size=(n, 40))) * scales + 5
    return Embedded(inputs.astype(np.float32), labels)


@pytest.mark.parametrize("classes", [2, 5])
def test_it_is_scikit_learns_logistic_regression_with_the_chosen_penalty(classes: int) -> None:
    training, validation = embedded(200, classes, 0, 4), embedded(300, classes, 1, 4)
    probe = fit_probe(training, validation, PENALTIES)
    standardize = Standardizing.of(training.embeddings)
    expected = LogisticRegression(C=1 / probe.penalty, tol=1e-6, max_iter=5000).fit(
        standardize(training.embeddings), training.labels
    )
    tested = embedded(1000, classes, 2, 4)
    np.testing.assert_allclose(
        probe.probabilities(tested.embeddings),
        expected.predict_proba(standardize(tested.embeddings)),
        atol=0.01,
    )


@pytest.mark.parametrize("classes", [2, 5])
def test_one_hot_soft_labels_give_the_probe_of_hard_ones(classes: int) -> None:
    training, validation = embedded(200, classes, 0, 4), embedded(300, classes, 1, 4)
    weights = np.random.default_rng(3).uniform(0.5, 2, 200)
    soft = training._replace(soft=np.eye(classes, dtype=np.float16)[training.labels])
    hard, found = (fit_probe(one, validation, PENALTIES, weights) for one in (training, soft))
    assert found.penalty == hard.penalty and found.parameters == hard.parameters
    tested = embedded(1000, classes, 2, 4).embeddings
    np.testing.assert_allclose(found.probabilities(tested), hard.probabilities(tested), atol=2e-3)


@pytest.mark.parametrize("classes", [2, 5])
def test_soft_labels_are_as_an_image_of_each_class_weighted_by_its_probability(
    classes: int,
) -> None:
    """A direct solver of scikit-learn's, on as many copies of each image as there are classes."""
    training = embedded(150, classes, 0, 4)
    rng = np.random.default_rng(5)
    soft, weights = rng.dirichlet(np.ones(classes), 150), rng.uniform(0.5, 2, 150)
    found = fit_probe(training._replace(soft=soft), embedded(0, classes, 1), [3.0], weights)
    inputs = Standardizing.of(training.embeddings)(training.embeddings).astype(np.float64)
    copies = LogisticRegression(C=1 / 3, solver="newton-cg", tol=1e-10, max_iter=1000).fit(
        np.repeat(inputs, classes, axis=0),
        np.tile(np.arange(classes), 150),
        (soft * weights[:, None]).ravel(),
    )
    np.testing.assert_allclose(
        found.probabilities(training.embeddings), copies.predict_proba(inputs), atol=1e-3
    )


def test_a_class_that_no_image_has_keeps_its_place_with_soft_labels() -> None:
    training = embedded(60, 2, 0)
    soft = np.hstack([np.eye(2)[training.labels], np.zeros((60, 1))])
    found = fit_probe(training._replace(soft=soft), embedded(0, 2, 1), [1.0])
    probabilities = found.probabilities(training.embeddings)
    assert probabilities.shape == (60, 3) and (probabilities.argmax(axis=1) < 2).all()


def test_the_penalty_is_the_one_that_validation_images_prefer() -> None:
    training = embedded(40, 2, 0, 6)
    validation, tested = embedded(400, 2, 1, 6), embedded(4000, 2, 2, 6)
    chosen = fit_probe(training, validation, [1e-4, 1.0, 1e3])
    losses = {
        penalty: fit_probe(training, validation, [penalty]).validation_loss
        for penalty in (1e-4, 1.0, 1e3)
    }
    assert chosen.penalty == min(losses, key=lambda penalty: losses[penalty]) == 1e3
    assert chosen.validation_loss == pytest.approx(losses[chosen.penalty], abs=1e-3)
    right = chosen.probabilities(tested.embeddings).argmax(axis=1) == tested.labels
    assert right.mean() > 0.6


def test_the_same_images_give_the_same_probe() -> None:
    training, validation = embedded(60, 3, 0), embedded(60, 3, 1)
    one, other = (fit_probe(training, validation, PENALTIES) for _ in range(2))
    np.testing.assert_array_equal(one.model.coef_, other.model.coef_)


def test_an_image_that_weighs_twice_counts_as_two() -> None:
    training, validation = embedded(61, 2, 0, 5), embedded(60, 2, 1)
    twice = np.where(np.arange(61) < 10, 2.0, 1.0)
    rows = np.repeat(np.arange(61), twice.astype(int))
    weighted = fit_probe(training, validation, [1.0], twice)
    # Standardized by the same images, as weights do not change that.
    repeated = LogisticRegression(tol=1e-8, max_iter=5000).fit(
        weighted.standardize(training.embeddings)[rows], training.labels[rows]
    )
    np.testing.assert_allclose(weighted.model.coef_, repeated.coef_, atol=0.02)


def test_channels_without_variance_change_nothing() -> None:
    training, validation = embedded(50, 2, 0), embedded(50, 2, 1)
    constant = np.full((50, 3), 0.1, np.float32)
    wider = [
        Embedded(np.hstack([part.embeddings, constant]), part.labels)
        for part in (training, validation)
    ]
    narrow, wide = fit_probe(training, validation, [1.0]), fit_probe(*wider, [1.0])
    np.testing.assert_allclose(wide.model.coef_[:, :40], narrow.model.coef_, atol=1e-5)
    assert not wide.model.coef_[:, 40:].any()


def test_without_validation_images_there_is_no_choice_of_a_penalty() -> None:
    training, nothing = embedded(50, 2, 0), embedded(0, 2, 1)
    assert np.isnan(fit_probe(training, nothing, [1.0]).validation_loss)
    with pytest.raises(PetiteError, match=r"judges\.probe\.penalties"):
        fit_probe(training, nothing, PENALTIES)


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=4),
    st.floats(0.05, 0.95),
    st.integers(0, 1000),
)
def test_a_part_of_the_pool_has_its_share_of_each_class_in_the_order_of_the_pool(
    sizes: list[int], share: float, seed: int
) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    train = pd.DataFrame({"image_id": [f"{row}" for row in range(len(labels))], "label": labels})
    part = part_of_pool(train, share, seed)
    assert part["image_id"].is_unique and part["image_id"].astype(int).is_monotonic_increasing
    counts = part["label"].value_counts()
    assert [counts[label] for label in range(len(sizes))] == [
        max(1, round(share * size)) for size in sizes
    ]
    assert part.equals(part_of_pool(train, share, seed))


def test_seeds_draw_other_parts() -> None:
    train = pd.DataFrame({"image_id": [*map(str, range(100))], "label": [0] * 100})
    drawn = [set(part_of_pool(train, 0.9, seed)["image_id"]) for seed in range(20)]
    assert len(set.union(*map(set, drawn))) == 100
    assert len({frozenset(part) for part in drawn}) == 20
