"""Groups of test images: what they are worth, and intervals for new groups."""

import numpy as np
import pandas as pd
import pytest

from petite.evaluation.groups import group_numbers, image_groups, of_groups
from petite.evaluation.new_images import NewImages


def answers(rng: np.random.Generator, groups: int, size: int, correlation: float) -> np.ndarray:
    """Whether a model is right on each image of groups (groups, size): beta-binomial, mean 0.7."""
    if correlation == 0:
        return rng.random((groups, size)) < 0.7
    both = 1 / correlation - 1
    of_group = rng.beta(0.7 * both, 0.3 * both, groups)
    return rng.random((groups, size)) < of_group[:, None]


@pytest.mark.parametrize("correlation", [0.0, 0.1, 0.5, 0.9])
def test_the_effective_number_of_images_is_that_which_the_spread_of_the_accuracy_shows(
    correlation: float,
) -> None:
    groups, size = 40, 15
    rng = np.random.default_rng(1)
    numbers = np.repeat(np.arange(groups), size)
    samples = [answers(rng, groups, size, correlation).ravel() for _ in range(300)]
    accuracies = [sample.mean() for sample in samples]
    shown = 0.7 * 0.3 / np.var(accuracies)  # images of their own with the same variance
    found = [image_groups(sample[None], numbers) for sample in samples[:60]]
    assert np.mean([one.effective for one in found]) == pytest.approx(shown, rel=0.25)
    estimated = np.mean([one.correlation for one in found])
    assert estimated == pytest.approx(correlation, abs=0.06)
    assert {(one.groups, one.images) for one in found} == {(groups, groups * size)}


def test_images_of_unequal_groups_count_less_than_those_of_equal_ones() -> None:
    right = np.array([[True] * 50 + [False] * 50])
    equal = image_groups(right, np.repeat(np.arange(10), 10))
    unequal = image_groups(right, np.repeat(np.arange(11), [50, *[5] * 10]))
    assert equal.correlation == unequal.correlation == 1
    assert equal.effective == pytest.approx(10)
    assert unequal.effective < 5


@pytest.mark.parametrize("right", [True, False])
def test_answers_that_do_not_differ_count_once_for_each_group(right: bool) -> None:
    found = image_groups(np.full((3, 20), right), np.arange(20) // 4)
    assert (found.groups, found.effective, found.correlation) == (5, 5.0, None)


def test_one_group_is_worth_one_image() -> None:
    found = image_groups(np.array([[True, False, True]]), np.zeros(3, int))
    assert (found.groups, found.effective) == (1, 1.0)


def test_several_runs_count_by_their_mean() -> None:
    rng = np.random.default_rng(0)
    right = rng.random((5, 60)) < 0.5
    found = image_groups(right, np.arange(60) // 3)
    assert found == image_groups(right.mean(axis=0)[None], np.arange(60) // 3)


def test_images_without_a_name_of_a_group_are_of_their_own() -> None:
    groups = pd.Series({"a/1": "p1", "a/2": "", "a/3": "p1", "a/4": ""})
    numbers = group_numbers(groups, np.array(["a/3", "a/1", "a/4", "a/2", "a/9"], object))
    assert numbers is not None
    assert numbers[0] == numbers[1]
    assert len(set(numbers)) == 4
    assert group_numbers(groups, np.array(["a/2", "a/3", "a/4"], object)) is None


def test_merged_images_keep_the_mean_difference_and_the_weights() -> None:
    rng = np.random.default_rng(2)
    differences = rng.integers(-1, 2, (4, 30))
    weights = rng.dirichlet(np.ones(30))
    groups = rng.integers(0, 7, 30)
    merged, of_group = of_groups(differences, weights, groups)
    assert merged.shape == (4, len(np.unique(groups)))
    assert of_group.sum() == pytest.approx(1)
    np.testing.assert_allclose(merged @ of_group, differences @ weights)
    assert (np.abs(merged) <= 1).all()
    alone, unchanged = of_groups(differences, weights, np.arange(30))
    np.testing.assert_allclose(alone, differences)
    np.testing.assert_allclose(unchanged, weights)


def test_intervals_for_new_groups_hold_where_those_for_new_images_are_too_narrow() -> None:
    groups, size, seeds = 30, 20, 3
    rng = np.random.default_rng(3)
    numbers = np.repeat(np.arange(groups), size)
    weights = np.full(groups * size, 1 / (groups * size))
    by_image = by_group = 0
    for _ in range(200):
        # The first model is better in some groups and worse in others; the true mean is 0.
        of_group = rng.choice([-0.5, 0.5], groups)
        chance = np.repeat(of_group, size)
        sign = np.sign(chance) * (rng.random((seeds, groups * size)) < np.abs(chance))
        differences = sign.astype(np.int8)
        low, high = NewImages(differences, weights, draws=400).interval()
        by_image += low <= 0 <= high
        low, high = NewImages(*of_groups(differences, weights, numbers), draws=400).interval()
        by_group += low <= 0 <= high
    assert by_image < 130
    assert by_group >= 184
