"""A few test images show what they can about new ones, and not more."""

import math

import numpy as np
import pytest
from scipy import stats

from petite.evaluation.metrics import BALANCED, METRICS
from petite.evaluation.new_images import (
    NewImages,
    above_p,
    bounding_draws,
    images_to_show,
    tolerance_to_show,
)

EQUAL = {n: np.full(n, 1 / n) for n in (5, 50, 200, 280, 320, 2_000)}


@pytest.mark.parametrize(("right", "images"), [(20, 20), (19, 20), (10, 20), (0, 7), (100, 100)])
def test_bounds_of_a_share_are_those_of_clopper_and_pearson(right, images) -> None:
    values = np.arange(images) < right
    exact = stats.binomtest(right, images).proportion_ci(0.95, "exact")
    low = np.quantile(bounding_draws(values, 0), 0.025) if right else 0.0
    high = np.quantile(bounding_draws(values, 1), 0.975) if right < images else 1.0
    assert (low, high) == pytest.approx((exact.low, exact.high), abs=0.01)


@pytest.mark.parametrize(("won", "lost"), [(5, 0), (4, 0), (9, 2), (0, 0), (3, 8)])
def test_beating_another_answer_is_mcnemars_exact_test(won, lost) -> None:
    values = np.concatenate([np.ones(won), -np.ones(lost), np.zeros(40)])
    exact = stats.binomtest(won, max(won + lost, 1), alternative="greater").pvalue if won else 1.0
    assert above_p(values, least=-1, threshold=0) == pytest.approx(exact, abs=0.01)


def test_many_images_have_the_interval_of_the_normal_law() -> None:
    values = np.random.default_rng(0).choice([-1, 0, 1], 2_000, p=[0.1, 0.75, 0.15])
    found = NewImages(np.repeat(values[None], 7, axis=0), EQUAL[2_000]).interval()
    half = 1.96 * values.std(ddof=1) / math.sqrt(2_000)
    expected = values.mean() - half, values.mean() + half
    assert tuple(found) == pytest.approx(expected, abs=0.0015)


@pytest.mark.parametrize(("images", "shown"), [(5, False), (200, False), (280, False), (320, True)])
def test_images_that_all_agree_show_nothing_where_they_are_few(images, shown) -> None:
    alike = NewImages(np.zeros((7, images), np.int8), EQUAL[images])
    assert alike.not_worse_p(0.01) == pytest.approx(0.99**images, abs=0.01)
    assert (alike.not_worse_p(0.01) <= 0.05) == shown
    low, high = alike.interval(0.9)
    assert -low == pytest.approx(high, rel=0.1)
    assert high == pytest.approx(1 - 0.05 ** (1 / images), rel=0.1)


def test_how_many_images_it_takes_is_the_rule_of_three() -> None:
    assert images_to_show(0.01) == 299 and 0.99**299 <= 0.05 < 0.99**298
    assert images_to_show(0.05) == 59
    assert images_to_show(0.01, comparisons=5) == math.ceil(math.log(0.01) / math.log(0.99))
    assert tolerance_to_show(299) <= 0.01 < tolerance_to_show(298)


def test_in_balanced_accuracy_the_rarest_class_must_be_seen_often_enough() -> None:
    """99 to 1: an image of the rare class counts 50 times as much as the mean one."""
    labels = np.repeat([0, 1], [198, 2])
    weights = METRICS[BALANCED].image_weights(labels)
    assert weights.sum() == pytest.approx(1) and weights.max() * 200 == 50
    alike = NewImages(np.zeros((7, 200), np.int8), weights)
    assert alike.not_worse_p(0.01) > 0.9 and alike.interval().low < -0.5
    assert images_to_show(0.01, heaviest=50) == pytest.approx(50 * 299, rel=0.01)


def test_one_lost_image_of_the_rare_class_counts_as_half_of_it() -> None:
    labels = np.repeat([0, 1], [98, 2])
    lost = np.zeros((6, 100), np.int8)
    lost[:, -1] = -1
    weights = METRICS[BALANCED].image_weights(labels)
    assert (lost @ weights).mean() == pytest.approx(-0.25)
    low, high = NewImages(lost, weights).interval()
    assert low < -0.25 < high


def test_a_gain_must_be_shown_too_for_equivalence_but_not_for_no_loss() -> None:
    gained = np.zeros((7, 2_000), np.int8)
    gained[:, :100] = 1
    new = NewImages(gained, EQUAL[2_000])
    assert new.not_worse_p(0.01) < 0.001 and new.equivalence_p(0.01) > 0.99
    lost = NewImages(-gained, EQUAL[2_000])
    assert lost.not_worse_p(0.01) > 0.99 and lost.equivalence_p(0.01) > 0.99


def test_p_is_never_nought_and_unknown_for_one_seed() -> None:
    alike = np.zeros((7, 2_000), np.int8)
    assert 0 < NewImages(alike, EQUAL[2_000]).equivalence_p(0.2) < 0.001
    one = NewImages(alike[:1], EQUAL[2_000])
    assert math.isnan(one.not_worse_p(0.01)) and np.isnan(one.interval()).all()
