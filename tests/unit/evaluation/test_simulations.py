"""With known truth: intervals cover, tests hold their level, multipliers are found again.

The simulations are those of benchmarks/evidence.py, which writes the tables of docs/evidence.md.
1,000 of them tell a coverage of 95% to within 1.4 points either way, in 19 of 20 cases; their seeds
are fixed, so that the same code always gives the same result.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from petite.evaluation.statistics import smallest_effect

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks/evidence.py"
SIMULATIONS = 1_000

NORMAL = "normal"
ALIKE = "both runs skewed alike (skewness 2)"
SKEWED = "differences skewed (skewness 1)"
VERY_SKEWED = "differences very skewed (skewness 2)"


@pytest.fixture(scope="module")
def simulated():
    """The module benchmarks/evidence.py."""
    spec = importlib.util.spec_from_file_location("benchmarks_evidence", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("n", [6, 10])
@pytest.mark.parametrize(
    ("interval", "noise", "least", "most"),
    [
        ("mean_interval", NORMAL, 0.93, 0.97),
        ("mean_interval", SKEWED, 0.92, 0.97),
        # No interval gets there with six seeds: docs/evidence.md says so.
        ("mean_interval", VERY_SKEWED, 0.86, 0.93),
        ("bootstrap_t_interval", NORMAL, 0.93, 0.97),
        ("bootstrap_t_interval", SKEWED, 0.92, 0.97),
        ("bootstrap_t_interval", VERY_SKEWED, 0.90, 0.95),
        # The difference of two runs whose noise is skewed alike is symmetric.
        ("mean_interval", ALIKE, 0.94, 0.98),
    ],
)
def test_95_percent_intervals_cover(simulated, interval, noise, n, least, most) -> None:
    method = getattr(simulated, interval)
    share, _ = simulated.coverage(method, simulated.NOISES[noise], n, SIMULATIONS)
    assert least <= share <= most


def test_the_bootstrap_t_interval_leans_to_the_long_tail(simulated) -> None:
    low, high = simulated.bootstrap_t_interval(np.array([0.0, 0.1, 0.2, 0.3, 0.4, 3.0]))
    assert high - 4 / 6 > 2 * (4 / 6 - low) > 0


@pytest.mark.parametrize("n", [6, 10])
@pytest.mark.parametrize(("of_seeds", "of_images"), [(0.0, 0.0), (0.3, 0.5), (0.1, 1.5)])
def test_intervals_over_seeds_and_images_cover(simulated, of_seeds, of_images, n) -> None:
    differences = simulated.generator(n, "test of seeds and images")
    held = [
        simulated.two_way_interval(simulated.crossed(differences, n, 200, of_seeds, of_images))
        for _ in range(400)
    ]
    assert 0.93 <= sum(low <= 0 <= high for low, high in held) / len(held) <= 0.98


@pytest.mark.parametrize(
    ("of_seeds", "of_images", "n", "images", "raised"),
    [(0.1, 0.5, 7, 500, "both"), (0.05, 1.5, 10, 1_000, "images"), (0.3, 0.5, 7, 2_000, "seeds")],
)
def test_the_seeds_or_images_asked_for_give_the_promised_width(
    simulated, of_seeds, of_images, n, images, raised
) -> None:
    found = simulated.promised_widths(of_seeds, of_images, n, images, 60)[raised]
    assert len(found) > 15
    widths = [width for _, _, width in found]
    assert np.median(widths) == pytest.approx(simulated.PROMISED, rel=0.2)


@pytest.mark.parametrize("noise", [NORMAL, VERY_SKEWED])
@pytest.mark.parametrize("n", [6, 10])
def test_a_table_of_15_methods_without_effect_seldom_has_a_verdict(simulated, noise, n) -> None:
    family, _ = simulated.tables_without_effect(simulated.NOISES[noise], 15, n, 500)
    assert family <= 0.06


# What is expected is 62/64 for 6 seeds, and 244/256 for 8: at least 95%.
@pytest.mark.parametrize("n", [6, 8])
def test_random_against_random_is_not_distinguishable(simulated, n) -> None:
    for noise in (NORMAL, VERY_SKEWED):
        _, found = simulated.tables_without_effect(simulated.NOISES[noise], 1, n, 2_000)
        assert 1 - found >= 0.95


def test_very_skewed_methods_are_told_from_random_too_often_and_the_page_says_so(simulated) -> None:
    noises = simulated.NOISES[VERY_SKEWED], simulated.no_noise
    _, found = simulated.tables_without_effect(noises[0], 1, 6, 4_000, noises[1])
    # All six above or all below the mean, for the exponential distribution.
    assert found == pytest.approx((1 - np.exp(-1)) ** 6 + np.exp(-6), abs=0.01)


@pytest.mark.parametrize("n", [6, 10])
def test_the_smallest_effect_is_seen_in_four_of_five_runs(simulated, n) -> None:
    by_t, by_flips = simulated.power(n, 4_000)
    assert by_t == pytest.approx(0.8, abs=0.02)
    # With six seeds all must have one sign, and each has it with the chance of a normal value.
    if n == 6:
        assert by_flips == pytest.approx(stats.norm.cdf(smallest_effect(6, 1.0)) ** 6, abs=0.02)


@pytest.mark.parametrize("n", [6, 10])
def test_equivalence_is_claimed_wrongly_in_one_of_twenty_at_most(simulated, n) -> None:
    assert simulated.false_equivalence(n, 4_000) <= 0.06


@pytest.mark.parametrize("multiplier", [0.5, 1.0, 2.0])
def test_known_multipliers_and_sizes_are_found_again(simulated, multiplier) -> None:
    found = simulated.recovered(6, multiplier, sd=0.005, simulations=100, draws=1_000)
    assert found["median"] == pytest.approx(multiplier, rel=0.05)
    assert found["coverage"] >= 0.9
    assert found["sufficient"] >= 0.9


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy"])
@pytest.mark.parametrize(
    ("images", "imbalance", "tolerance"),
    [(5, 1, 0.2), (20, 9, 0.2), (50, 1, 0.2), (100, 9, 0.05), (200, 99, 0.05), (200, 1, 0.01)],
)
def test_a_loss_of_the_very_tolerance_is_seldom_called_none_on_few_test_images(
    simulated, images, imbalance, tolerance, metric
) -> None:
    for lost_in in simulated.LOST_IN:
        for lost_as in simulated.LOST_AS:
            truth = tolerance, lost_in, lost_as
            rate = simulated.false_not_worse(images, imbalance, metric, truth, 100)
            assert rate <= 0.12, truth  # 5%, and three times the error of 100 simulations


def test_over_all_truths_one_loss_in_twenty_is_called_none_at_most(simulated) -> None:
    truths = [
        (tolerance, lost_in, lost_as)
        for tolerance in (0.05, 0.2)
        for lost_in in simulated.LOST_IN
        for lost_as in simulated.LOST_AS
    ]
    rates = [simulated.false_not_worse(100, 1, "accuracy", truth, 60) for truth in truths]
    assert np.mean(rates) <= 0.05


def test_alike_models_are_called_so_with_as_many_test_images_as_it_takes(simulated) -> None:
    assert simulated.claimed_where_nothing_is_lost(200, 0.0, 20) == 0
    assert simulated.claimed_where_nothing_is_lost(320, 0.0, 20) == 1
    assert simulated.claimed_where_nothing_is_lost(2_000, 0.02, 20) >= 0.9


@pytest.mark.parametrize("imbalance", [1, 9, 99])
@pytest.mark.parametrize("runs", [1, 2, 7])
def test_judges_that_do_not_look_seldom_seem_to_have_learned(simulated, imbalance, runs) -> None:
    for images in (5, 20, 200):
        assert simulated.blind_judge_passes(images, imbalance, runs, 200) <= 0.08


@pytest.mark.parametrize("kind", ["random again", "fixed list", "nearest to the class mean"])
def test_the_interval_over_splits_covers_although_the_splits_overlap(simulated, kind) -> None:
    held = simulated.over_splits_held(kind, (300, 0.2), 200, numbers=(3, 10))
    for splits, found in held.items():
        assert found["corrected"] >= 0.93, splits
    if kind != "random again":  # whose subsets share little more than the test images
        assert held[10]["plain"] < 0.93
