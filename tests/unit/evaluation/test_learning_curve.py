"""The learning curve of random images, and what is read from it, with numbers known beforehand."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from petite.evaluation.learning_curve import Bound, Estimate, fit, random_curve
from petite.evaluation.runs import PAIR, measured

SIZES = {1.0: 1000, 0.5: 500, 0.25: 250, 0.1: 100}


def runs_of(
    accuracy,
    fractions=(1.0, 0.5, 0.25, 0.1),
    seeds: int = 4,
    spread: float = 0.002,
    same_seed_is_best: bool = True,
) -> pd.DataFrame:
    """Runs of random (full at 1) whose mean at n images is accuracy(n), seeds evenly about it.

    Noise that a seed brings to all sizes alike drops out of what compares two of them, so that
    another seed may be the best one at each size.
    """
    offsets = spread * np.linspace(-1, 1, seeds) if seeds > 1 else np.zeros(1)
    return pd.DataFrame(
        {
            "method": "full" if fraction == 1 else "random",
            "fraction": fraction,
            "images": SIZES[fraction],
            "split_seed": 0,
            "training_seed": seed,
            "accuracy": accuracy(SIZES[fraction]) + offset,
        }
        for place, fraction in enumerate(fractions)
        for seed, offset in enumerate(np.roll(offsets, 0 if same_seed_is_best else place))
    )


def power_law(images: float) -> float:
    return 0.95 - 1.5 * images**-0.5


def method_runs(mean: float, seeds: int = 4, spread: float = 0.002) -> pd.Series:
    index = pd.MultiIndex.from_product([[0], range(seeds)], names=PAIR)
    return pd.Series(mean + spread * np.linspace(-1, 1, seeds), index=index)


# ---------------------------------------------------------------------------------- the fit


def test_two_fractions_of_as_many_images_count_as_one_size() -> None:
    runs = runs_of(power_law)
    smallest = runs[runs["fraction"] == 0.1]
    # With many small classes, 5% and 10% are one image of each class.
    again = smallest.assign(fraction=0.05, accuracy=smallest["accuracy"] + 0.02)
    curve = random_curve(pd.concat([runs, again]))
    assert list(curve.sizes) == [100, 250, 500, 1000]
    assert curve.means[0] == pytest.approx(smallest["accuracy"].mean() + 0.01)


def test_a_power_law_is_found_again() -> None:
    curve = random_curve(runs_of(power_law))
    assert curve.form == "power_law"
    assert list(curve.sizes) == [100, 250, 500, 1000]
    assert curve.parameters() == pytest.approx((0.95, 1.5, 0.5))
    assert curve.worst_miss == pytest.approx(0, abs=1e-9)


@given(
    st.floats(0.0, 3.0).map(lambda c: round(c * 20) / 20),
    st.floats(0.3, 0.9),
    st.floats(0.01, 0.2),
)
def test_every_curve_of_the_family_is_read_both_ways(c, start, slope) -> None:
    images = np.array([100.0, 200.0, 400.0, 1000.0])
    ratio = images / 100
    growth = np.log(ratio) if c == 0 else (1 - ratio**-c) / c
    accuracy = (start + slope * growth)[None]
    found = fit(images, accuracy)
    assert found.accuracy(images) == pytest.approx(accuracy, abs=1e-9)
    for size in images[:-1]:
        assert found.images(found.accuracy(np.array([size]))[:, 0]) == pytest.approx(size, rel=1e-6)


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_a_curve_never_falls(accuracy) -> None:
    images = np.array([100.0, 250.0, 500.0, 1000.0])
    fitted = fit(images, np.array([accuracy])).accuracy(images)[0]
    assert (np.diff(fitted) >= -1e-12).all()
    if (np.diff(accuracy) <= 0).all():
        assert fitted == pytest.approx(np.full(4, np.mean(accuracy)))


def test_two_sizes_are_joined_by_a_line_in_the_logarithm() -> None:
    curve = random_curve(runs_of(power_law, fractions=(1.0, 0.1)))
    assert curve.form == "line"
    middle = curve.band(np.array([math.sqrt(100 * 1000)]))
    assert middle["accuracy"][0] == pytest.approx((power_law(100) + power_law(1000)) / 2)
    assert curve.parameters() is None
    assert curve.last_left_out() is None


def test_one_size_makes_no_curve() -> None:
    assert random_curve(runs_of(power_law, fractions=(0.1,))) is None


def test_the_band_is_students_at_the_sizes_of_a_line_and_ends_with_them() -> None:
    runs = runs_of(power_law, fractions=(1.0, 0.1), spread=0.01)
    band = random_curve(runs).band(np.array([100.0, 1000.0]))
    # sd of -0.01, -0.0033, 0.0033, 0.01 over the root of 4, times t(0.975, 3) = 3.182
    half = 3.182446 * np.std(np.linspace(-0.01, 0.01, 4), ddof=1) / 2
    assert list(band["high"] - band["accuracy"]) == pytest.approx([half, half], rel=0.1)
    assert list(band["accuracy"] - band["low"]) == pytest.approx([half, half], rel=0.1)
    with pytest.raises(ValueError, match="outside"):
        random_curve(runs).band(np.array([50.0]))


def test_the_largest_size_is_predicted_from_the_others() -> None:
    left_out = random_curve(runs_of(power_law, same_seed_is_best=False)).last_left_out()
    assert left_out.images == 1000
    assert left_out.predicted == pytest.approx(left_out.measured)
    assert left_out.bounds[0] < 0 < left_out.bounds[1]
    # A curve that stops growing is predicted too high.
    stopped = random_curve(runs_of(lambda n: power_law(min(n, 500)))).last_left_out()
    assert stopped.error == pytest.approx(power_law(1000) - power_law(500), abs=1e-6)
    assert stopped.bounds[0] > 0


# --------------------------------------------------------------------- what is read from it


def test_a_multiplier_is_the_number_of_random_images_for_each_chosen_one() -> None:
    curve = random_curve(runs_of(power_law))
    found = curve.multiplier(method_runs(power_law(300)), 150)
    assert found.point == Bound(pytest.approx(2.0))
    assert 1 < found.low.value < 2 < found.high.value
    assert not found.low.censored and not found.high.censored


def test_random_is_worth_itself() -> None:
    runs = runs_of(power_law)
    found = random_curve(runs).multiplier(measured(runs, "random", 0.25), 250)
    # The same runs on both sides: paired, there is no uncertainty left.
    assert [bound.value for bound in (found.point, found.low, found.high)] == pytest.approx(
        [1, 1, 1], rel=1e-3
    )


@pytest.mark.parametrize(
    ("accuracy", "says"), [(0.5, "below 0.50"), (0.99, "above 5.00"), (power_law(1001), "above")]
)
def test_nothing_is_said_about_sizes_that_were_not_measured(accuracy, says) -> None:
    curve = random_curve(runs_of(power_law, spread=1e-5))
    text = curve.multiplier(method_runs(accuracy, spread=1e-5), 200).text(".2f")
    assert text.startswith(says)
    assert text.startswith("above 5.00") or text == says


def test_an_interval_may_be_open_on_one_side() -> None:
    curve = random_curve(runs_of(power_law))
    found = curve.worth(method_runs(power_law(900), spread=0.02))
    assert found.point.censored == "" and found.high.censored == "above"
    assert found.text().endswith("above 1,000]")


def test_the_sufficient_size_is_where_the_curve_comes_within_the_tolerance() -> None:
    curve = random_curve(runs_of(power_law, same_seed_is_best=False))
    # 0.95 - 1.5 n**-0.5 = power_law(1000) - 0.02
    expected = (1.5 / (0.95 - power_law(1000) + 0.02)) ** 2
    found = curve.sufficient(0.02)
    assert found.point.value == pytest.approx(expected)
    assert found.low.value < expected < found.high.value
    assert curve.sufficient(0.5).text() == "below 100"


def test_the_sufficient_size_needs_the_full_set() -> None:
    assert random_curve(runs_of(power_law, fractions=(0.5, 0.25, 0.1))).sufficient(0.02) is None


def test_a_size_with_a_single_run_leaves_no_interval() -> None:
    runs = runs_of(power_law)
    runs = runs[(runs["fraction"] < 1) | (runs["training_seed"] == 0)]
    found = random_curve(runs).multiplier(method_runs(power_law(300)), 150)
    assert np.isfinite(found.point.value) and found.low is None and found.high is None
    assert "[" not in found.text(".2f")


def test_sizes_with_different_seeds_go_together() -> None:
    runs = runs_of(power_law, seeds=6)
    runs = runs[(runs["fraction"] < 1) | (runs["training_seed"] < 3)]
    found = random_curve(runs).sufficient(0.02)
    assert found.low.value < found.point.value < found.high.value


def test_the_same_runs_give_the_same_curve() -> None:
    first, second = (random_curve(runs_of(power_law)).sufficient(0.02) for _ in range(2))
    assert first == second


def test_numbers_as_a_person_says_them() -> None:
    assert Bound(1234.4).text(",.0f") == "1,234"
    assert Bound(1700, "above").text(",.0f") == "above 1,700"
    assert Estimate(Bound(0.5), None, None).text(".2f") == "0.50"
    estimate = Estimate(Bound(0.5), Bound(0.25, "below"), Bound(1.5))
    assert estimate.text(".2f") == "0.50 [below 0.25, 1.50]"
