"""Intervals and tests agree with hand-worked numbers and SciPy, and keep the laws of their kind."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from petite.evaluation import statistics
from petite.evaluation.statistics import (
    equivalence_p,
    holm,
    least_p,
    mean_interval,
    not_worse_p,
    probability_positive,
    seeds_to_decide,
    seeds_to_see,
    sign_flip_p,
    smallest_effect,
    t_draws,
    two_way_interval,
)

samples = st.lists(st.floats(-1, 1), min_size=1, max_size=9)
spread_samples = st.lists(st.floats(-1, 1), min_size=2, max_size=9).filter(
    lambda values: np.ptp(values) > 1e-3
)
p_lists = st.lists(st.floats(0, 1), min_size=1, max_size=20)


# ------------------------------------------------------------------------- intervals of a mean


def test_intervals_of_many_cases_are_those_of_each() -> None:
    values = np.random.default_rng(0).normal(size=(2, 3, 5))
    together = mean_interval(values)
    assert together.low.shape == (2, 3)
    assert tuple(mean_interval(values[1, 2])) == pytest.approx(
        (together.low[1, 2], together.high[1, 2])
    )


@given(spread_samples, st.floats(-2, 2), st.floats(0.1, 10))
def test_intervals_move_and_stretch_with_their_values(values, shift, factor) -> None:
    moved = shift + factor * np.array(values)
    low, high = mean_interval(values)
    assert tuple(mean_interval(moved)) == pytest.approx(
        (shift + factor * low, shift + factor * high), abs=1e-6
    )


def test_equal_values_have_an_interval_without_width() -> None:
    assert tuple(mean_interval([0.1] * 4)) == pytest.approx((0.1, 0.1))


# ------------------------------------------------------------------------------- sign flips


def test_the_sign_flip_test_by_hand() -> None:
    assert sign_flip_p([1, 1, 1, 1, 1, 1]) == 2 / 64
    # Of the eight sums of +-1 +-2 +-3, two are 6 away from 0, two 4, two 2 and two 0.
    assert sign_flip_p([1, 2, 3]) == 2 / 8
    assert sign_flip_p([-1, 2, 3]) == 4 / 8
    assert sign_flip_p([1, 2, -3]) == 1
    assert sign_flip_p([0, 0, 0]) == 1
    assert math.isnan(sign_flip_p([]))


# Sixty-fourths, of which sums are exact: Petite takes for a tie what differs by rounding alone.
@given(st.lists(st.integers(-64, 64).map(lambda number: number / 64), min_size=2, max_size=9))
def test_the_sign_flip_test_is_that_of_scipy(values) -> None:
    exact = stats.permutation_test(
        (np.array(values),), np.sum, permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip_p(values) == pytest.approx(exact.pvalue, abs=1e-12)


@given(samples)
def test_the_sign_flip_p_is_at_least_two_in_all_flips_and_knows_no_direction(values) -> None:
    p = sign_flip_p(values)
    assert least_p(len(values)) == 2 / 2 ** len(values) <= p <= 1
    assert p == sign_flip_p([-value for value in values])
    assert p == pytest.approx(sign_flip_p(values[::-1]))


@given(st.lists(st.floats(-1, 1), min_size=6, max_size=7))
def test_of_all_flips_of_a_sample_at_most_5_percent_pass(values) -> None:
    flips = itertools.product([1, -1], repeat=len(values))
    passed = [sign_flip_p(np.array(signs) * values) <= 0.05 for signs in flips]
    assert np.mean(passed) <= 0.05


def test_random_flips_come_near_the_exact_p(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(4).normal(0.4, 1, 14)
    exact = sign_flip_p(values)
    monkeypatch.setattr(statistics, "MOST_EXACT_PAIRS", 5)
    monkeypatch.setattr(statistics, "PIECE", 5_000)
    assert sign_flip_p(values) == pytest.approx(exact, abs=0.005)
    assert sign_flip_p(values) == sign_flip_p(values)
    assert sign_flip_p(np.ones(20)) == least_p(20)


def test_six_seeds_decide_one_comparison_and_ten_decide_fifteen() -> None:
    assert seeds_to_decide() == statistics.ENOUGH_RUNS == 6
    assert seeds_to_decide(2) == 7
    assert seeds_to_decide(15) == 10
    assert seeds_to_decide(5_000) == statistics.MOST_EXACT_PAIRS + 1


# ------------------------------------------------------------------------------------- Holm


def test_holm_by_hand() -> None:
    # Sorted 0.01, 0.03, 0.04 times 3, 2, 1; none may fall below the one before.
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.02, math.nan, 0.9, 0.8]) == pytest.approx([0.06, math.nan, 1, 1], nan_ok=True)
    assert holm([]).shape == (0,)


@given(p_lists)
def test_holm_adjusts_upwards_keeps_the_order_and_stays_below_bonferroni(p) -> None:
    adjusted = holm(p)
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(np.array(p) * len(p), 1)).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()


@given(p_lists, st.randoms(use_true_random=False))
def test_holm_does_not_depend_on_the_order_of_the_tests(p, random) -> None:
    order = list(range(len(p)))
    random.shuffle(order)
    assert holm(np.array(p)[order]) == pytest.approx(holm(p)[order])


# ------------------------------------------------------- posterior, equivalence and power


@given(spread_samples)
def test_the_probability_of_a_positive_mean_is_a_one_sided_t_test_turned_round(values) -> None:
    p = stats.ttest_1samp(values, 0, alternative="greater").pvalue
    assert probability_positive(values) == pytest.approx(1 - p)
    assert probability_positive(values) + probability_positive(np.negative(values)) == (
        pytest.approx(1)
    )


def test_the_probability_without_any_spread() -> None:
    assert probability_positive([0.01] * 3) == 1
    assert probability_positive([-0.01] * 3) == 0
    assert probability_positive([0.0] * 3) == 0.5
    assert math.isnan(probability_positive([0.1]))


@given(spread_samples, st.floats(0.01, 1))
def test_equivalence_is_two_one_sided_t_tests(values, tolerance) -> None:
    above = stats.ttest_1samp(values, -tolerance, alternative="greater").pvalue
    below = stats.ttest_1samp(values, tolerance, alternative="less").pvalue
    assert equivalence_p(values, tolerance) == pytest.approx(max(above, below), abs=1e-12)
    assert not_worse_p(values, tolerance) == pytest.approx(above, abs=1e-12)


@given(spread_samples, st.floats(0.01, 1))
def test_equivalence_passes_just_where_the_90_percent_interval_is_within(values, tolerance) -> None:
    low, high = mean_interval(values, 0.9)
    assume(min(abs(low + tolerance), abs(high - tolerance)) > 1e-9)
    within = -tolerance < low and high < tolerance
    assert (equivalence_p(values, tolerance) < 0.05) == within


def test_equal_values_are_equivalent_or_not_by_their_mean_but_never_for_certain() -> None:
    assert equivalence_p([0.001] * 5, 0.01) == 1 / 2**5
    assert not_worse_p([0.0] * 7, 0.01) == 1 / 2**7
    assert equivalence_p([0.02] * 5, 0.01) == 1
    assert equivalence_p([0.01] * 5, 0.01) == 0.5


@pytest.mark.parametrize(
    # Cohen's d of a paired t test at 80% power, as power tables have it.
    ("n", "effect"),
    [(6, 1.435), (10, 0.996), (20, 0.660), (34, 0.495)],
)
def test_the_smallest_effect_is_that_of_power_tables(n: int, effect: float) -> None:
    assert smallest_effect(n, 1.0) == pytest.approx(effect, abs=0.001)
    assert smallest_effect(n, 0.02) == pytest.approx(0.02 * effect, abs=1e-4)


@given(st.floats(0.01, 2), st.floats(0.01, 1))
def test_as_many_seeds_as_needed_and_no_more(effect, sd) -> None:
    n = seeds_to_see(effect, sd)
    if n is None:
        assert smallest_effect(statistics.MOST_SEEDS, sd) > effect
    else:
        assert smallest_effect(n, sd) <= effect
        assert n == 2 or smallest_effect(n - 1, sd) > effect


def test_a_single_pair_sees_nothing() -> None:
    assert math.isnan(smallest_effect(1, 0.01))
    assert math.isnan(smallest_effect(6, math.nan))
    assert seeds_to_see(0.01, math.nan) is None


# ------------------------------------------------------------------------------------ draws


def test_draws_of_a_mean_have_students_distribution_and_those_of_pairs_are_paired() -> None:
    random = np.random.default_rng(0)
    values = np.array([[0.1, 0.2, 0.4, 0.3], [0.6, 0.5, 0.9, 0.7]])
    weights, uniform = random.standard_normal((40_000, 4)), random.uniform(size=40_000)
    draws = t_draws(values, weights, uniform)
    assert draws.shape == (40_000, 2)
    for found, expected in (
        (draws[:, 0], mean_interval(values[0])),
        (draws[:, 1] - draws[:, 0], mean_interval(values[1] - values[0])),
    ):
        assert np.quantile(found, [0.025, 0.975]) == pytest.approx(list(expected), abs=0.01)


def test_the_two_way_interval_is_students_where_the_images_are_all_alike() -> None:
    # Each seed is right on all images or on none: there is nothing to learn from images.
    seeds = np.array([1, 0, 1, -1, 0, 1])
    differences = np.repeat(seeds[:, None], 50, axis=1)
    assert tuple(two_way_interval(differences)) == pytest.approx(
        tuple(mean_interval(seeds)), abs=0.03
    )


def test_the_two_way_interval_is_normal_over_images_where_the_seeds_are_all_alike() -> None:
    images = np.random.default_rng(0).integers(-1, 2, 4_000)
    low, high = two_way_interval(np.repeat(images[None], 8, axis=0))
    half = 1.96 * images.std(ddof=1) / math.sqrt(4_000)
    assert (low, high) == pytest.approx(
        (images.mean() - half, images.mean() + half), abs=0.05 * half
    )


def test_the_two_way_interval_is_the_same_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    differences = np.random.default_rng(0).integers(-1, 2, (6, 501)).astype(np.int8)
    whole = two_way_interval(differences)
    monkeypatch.setattr(statistics, "PIECE", 600)
    assert tuple(two_way_interval(differences)) == pytest.approx(tuple(whole), abs=1e-12)


@pytest.mark.parametrize("shape", [(0, 0), (1, 9), (9, 1)])
def test_there_is_no_two_way_interval_of_one_seed_or_one_image(shape) -> None:
    assert np.isnan(two_way_interval(np.zeros(shape, np.int8))).all()
