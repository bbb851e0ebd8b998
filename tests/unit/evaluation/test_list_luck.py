"""The luck of a list widens what is claimed, and changes nothing where it is not known or 0."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petite.evaluation.learning_curve import random_curves
from petite.evaluation.list_luck import MOST_LUCK, OVERLAP, luck_of, luck_variance
from petite.evaluation.next_steps import next_steps
from petite.evaluation.runs import Predictions
from petite.evaluation.statistics import (
    equivalence_p,
    mean_interval,
    mean_p,
    not_worse_p,
    sign_flip_p,
    smallest_effect,
    two_way_draws,
)
from petite.evaluation.summary import summarize
from petite.evaluation.verdicts import NOT_DISTINGUISHABLE, compare
from petite.subsets.overlap import excess_overlap

SEEDS = 12
POOL = 1_000
overlaps = st.floats(0, 1)
shares = st.lists(st.floats(0, 1), min_size=2, max_size=12)
differences = st.lists(st.floats(-1, 1), min_size=2, max_size=12)
lucks = st.floats(0, MOST_LUCK)

# ------------------------------------------------------------------------ how lists overlap


def test_equal_lists_overlap_wholly_and_lists_without_a_common_image_not_at_all() -> None:
    assert excess_overlap([np.arange(50)] * 3, POOL) == 1
    assert excess_overlap([np.arange(50), np.arange(50, 100)], POOL) == 0


def test_lists_at_random_have_no_excess_and_lists_of_the_whole_pool_neither() -> None:
    rng = np.random.default_rng(0)
    lists = [rng.permutation(POOL)[:300] for _ in range(SEEDS)]
    assert excess_overlap(lists, POOL) == pytest.approx(0, abs=0.01)
    assert excess_overlap([np.arange(POOL)] * 3, POOL) == 0


def test_the_whole_of_parts_at_random_has_no_excess() -> None:
    rng = np.random.default_rng(1)
    parts = [rng.permutation(POOL)[:900] for _ in range(SEEDS)]
    assert excess_overlap(parts, POOL) == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("part", [0.9, 0.5])
def test_the_first_of_an_order_within_parts_overlap_by_the_part(part) -> None:
    rng = np.random.default_rng(2)
    parts = [np.sort(rng.permutation(POOL)[: round(part * POOL)]) for _ in range(SEEDS)]
    chance = 50 / POOL
    expected = (part - chance) / (1 - chance)
    found = excess_overlap([positions[:50] for positions in parts], POOL)
    assert found == pytest.approx(expected, abs=0.05)


@given(st.lists(st.sets(st.integers(0, 19), min_size=1), min_size=2, max_size=6))
def test_the_overlap_is_that_of_all_pairs(lists) -> None:
    def of(one: set[int], other: set[int]) -> tuple[float, float]:
        size = math.sqrt(len(one) * len(other))
        return len(one & other) / size, size / 20

    pairs = [of(one, other) for i, one in enumerate(lists) for other in lists[:i]]
    shared, chance = np.mean(pairs, axis=0)
    expected = 0 if chance > 1 - 1e-9 else np.clip((shared - chance) / (1 - chance), 0, 1)
    found = excess_overlap([np.array(sorted(one)) for one in lists], 20)
    assert found == pytest.approx(expected, abs=1e-9)


def test_one_list_has_no_overlap_to_measure() -> None:
    assert math.isnan(excess_overlap([np.arange(5)], POOL))


# ------------------------------------------------------------------------------- the variance


def test_the_variance_by_hand() -> None:
    values = np.array([0.8, 0.9, 1.0])  # variance 0.01
    assert luck_variance(values, 0.9) == pytest.approx(0.09)
    assert luck_variance(values, 0.5) == pytest.approx(0.01)


@pytest.mark.parametrize("overlap", [0.0, math.nan])
def test_without_an_overlap_there_is_no_luck(overlap) -> None:
    assert luck_variance(np.array([0.8, 0.9]), overlap) == 0


def test_if_all_lists_are_equal_nothing_is_known() -> None:
    luck = luck_variance(np.array([0.9, 0.9, 0.9]), 1.0)
    assert luck == MOST_LUCK
    low, high = np.clip(mean_interval([0.1, 0.1, 0.1], luck=luck), -1, 1)
    assert (low, high) == (-1, 1)


@given(shares, overlaps, overlaps)
def test_more_overlap_is_never_less_luck(values, one, other) -> None:
    low, high = sorted([one, other])
    sample = np.array(values)
    assert 0 <= luck_variance(sample, low) <= luck_variance(sample, high) <= MOST_LUCK


def test_lists_that_are_sums_over_their_images_have_the_variance_that_is_claimed() -> None:
    """With contributions that add up, the estimate has no bias: mean over 2,000 pools."""
    rng = np.random.default_rng(3)
    k, part, pools, seeds = 20, 0.8, 2_000, 10
    means, claimed = [], []
    for _ in range(pools):
        worth = rng.normal(size=200)
        parts = [np.sort(rng.permutation(200)[: round(part * 200)]) for _ in range(seeds)]
        lists = [positions[:k] for positions in parts]  # an arbitrary order: that of the pool
        own = np.array([worth[positions].mean() for positions in lists])
        # Of random, only what its seeds cannot average out: the mean of the pool.
        means.append(own.mean() - worth.mean())
        luck = luck_variance(own * 0.1, excess_overlap(lists, 200)) * 100  # as shares
        claimed.append(luck + own.var(ddof=1) / seeds)
    assert np.mean(claimed) == pytest.approx(np.var(means), rel=0.1)


# ---------------------------------------------------------------------- intervals and tests


@given(differences, lucks)
def test_no_p_falls_and_no_interval_shrinks_with_luck(values, luck) -> None:
    sample = np.array(values)
    assert mean_p(sample, luck) >= mean_p(sample)
    assert not_worse_p(sample, 0.01, luck) >= not_worse_p(sample, 0.01)
    assert equivalence_p(sample, 0.01, luck) >= equivalence_p(sample, 0.01)
    assert smallest_effect(len(sample), 0.1, luck) >= smallest_effect(len(sample), 0.1)
    (low, high), (wide_low, wide_high) = mean_interval(sample), mean_interval(sample, luck=luck)
    assert wide_low <= low <= high <= wide_high


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=12), lucks)
def test_the_t_test_is_that_of_the_interval(values, luck) -> None:
    sample = np.round(values, 6)
    p = mean_p(sample, luck)
    low, high = mean_interval(sample, 1 - p, luck) if 0 < p < 1 else (0.0, 0.0)
    assert min(abs(low), abs(high)) == pytest.approx(0, abs=1e-6)


def test_draws_over_seeds_and_images_have_the_variance_of_the_luck_too() -> None:
    right = np.random.default_rng(5).integers(-1, 2, (30, 200))
    plain, lucky = two_way_draws(right), two_way_draws(right, luck=0.01)
    n = len(right)
    added = 0.01 * (n - 1) / (n - 3)  # the variance of Student's t
    assert lucky.var() - plain.var() == pytest.approx(added, rel=0.1)


# -------------------------------------------------------------------------------- the tables


def runs_with(overlap: dict[str, float] | None, lead: float = 0.02) -> pd.DataFrame:
    """A method that leads random at one size, the full set, and two more sizes of random."""
    rng = np.random.default_rng(0)
    means = {("full", 1.0): 0.95, ("random", 0.1): 0.9, ("random", 0.5): 0.93}
    means[("herding", 0.1)] = 0.9 + lead
    rows = [
        {
            "dataset": "pets",
            "model": "probe",
            "backend": "numpy",
            "precision": "float32",
            "budget": "none",
            "method": method,
            "fraction": fraction,
            "images": round(POOL * fraction),
            "split_seed": 0,
            "training_seed": seed,
            "accuracy": mean + rng.normal(0, 0.01),
            "loss": 0.3,
            "train_seconds": 0.1,
            "select_seconds": 0.1,
            "stored_bytes": 1e6 * fraction,
        }
        for (method, fraction), mean in means.items()
        for seed in range(SEEDS)
    ]
    runs = pd.DataFrame(rows)
    if overlap is not None:
        runs[OVERLAP] = [overlap.get(method, math.nan) for method in runs["method"]]
    return runs


def verdicts(runs: pd.DataFrame) -> pd.DataFrame:
    return compare(runs, 0.01, random_curves(runs))


@pytest.mark.parametrize("overlap", [{}, {"herding": 0.0, "random": 0.0, "full": 0.0}])
def test_an_overlap_that_is_unknown_or_0_changes_no_bit_of_any_table(overlap) -> None:
    without, given_ = runs_with(None), runs_with(overlap)
    pd.testing.assert_frame_equal(verdicts(given_), verdicts(without), check_exact=True)
    pd.testing.assert_frame_equal(summarize(given_), summarize(without), check_exact=True)


def row(table: pd.DataFrame) -> pd.Series:
    return table[table["method"] == "herding"].iloc[0]


def test_lists_that_share_their_images_widen_every_interval_of_a_method() -> None:
    known, unknown = row(verdicts(runs_with({"herding": 0.9}))), row(verdicts(runs_with(None)))
    for low, high in (
        ("low", "high"),
        ("full_low", "full_high"),
        ("multiplier_low", "multiplier_high"),
    ):
        assert known[low] < unknown[low] < unknown[high] < known[high]
    assert known["difference"] == unknown["difference"]
    assert known["sd"] == unknown["sd"]
    assert known["smallest_effect"] > unknown["smallest_effect"]
    assert known["p_value"] > unknown["p_value"]
    assert known["p_better"] < unknown["p_better"]
    summary, plain = (row(summarize(runs_with(one))) for one in ({"herding": 0.9}, None))
    for name in ("accuracy", "difference"):
        assert summary[f"{name}_low"] < plain[f"{name}_low"]
        assert summary[f"{name}_high"] > plain[f"{name}_high"]


def test_a_lead_that_a_lucky_list_can_give_is_not_called_better() -> None:
    assert row(verdicts(runs_with(None)))["verdict"] == "better"
    assert row(verdicts(runs_with({"herding": 0.9})))["verdict"] == NOT_DISTINGUISHABLE
    # Where seeds share little, a clear lead still shows.
    assert row(verdicts(runs_with({"herding": 0.3})))["verdict"] == "better"


def test_the_luck_of_one_method_does_not_widen_another() -> None:
    known, unknown = verdicts(runs_with({"herding": 0.9})), verdicts(runs_with(None))
    columns = ["low", "high", "full_low", "full_high", "full_p_value"]
    pd.testing.assert_frame_equal(
        known.loc[known["method"] == "random", columns],
        unknown.loc[unknown["method"] == "random", columns],
        check_exact=True,
    )


@settings(max_examples=10, deadline=None)
@given(overlaps, st.floats(-0.03, 0.03))
def test_no_p_of_a_table_falls_with_an_overlap(overlap, lead) -> None:
    known, unknown = (compare(runs_with(one, lead), 0.01) for one in ({"herding": overlap}, None))
    for column in ("p_value", "full_p_value", "full_loss_p_value"):
        assert row(known)[column] >= row(unknown)[column]


def test_the_p_is_the_larger_of_the_sign_flip_test_and_the_t_test() -> None:
    runs = runs_with({"herding": 0.9})
    group = runs[runs["method"] == "herding"]
    of_random = runs[(runs["method"] == "random") & (runs["fraction"] == 0.1)]
    found = group["accuracy"].to_numpy() - of_random["accuracy"].to_numpy()
    expected = max(sign_flip_p(found), mean_p(found, luck_of(group, "accuracy")))
    assert row(verdicts(runs))["p_value"] == expected > sign_flip_p(found)


def test_the_interval_for_new_images_includes_the_luck(tmp_path) -> None:
    labels = np.arange(200) % 2
    tables = {}
    for overlap in (0.0, 0.9):
        paths = []
        runs = runs_with({"herding": overlap})
        for (method, fraction), group in runs.groupby(["method", "fraction"]):
            folder = tmp_path / f"{overlap}" / str(method) / str(fraction)
            folder.mkdir(parents=True)
            path = folder / f"seeds-0-{SEEDS - 1}.predictions.npz"
            group.to_csv(folder / f"seeds-0-{SEEDS - 1}.csv", index=False)
            rng = np.random.default_rng(len(method))
            right = rng.random((SEEDS, 200)) < group["accuracy"].mean()
            probabilities = np.eye(2, dtype=np.float32)[np.where(right, labels, 1 - labels)]
            np.savez(
                path,
                image_ids=np.arange(200),
                labels=labels,
                probabilities=probabilities,
                seeds=np.arange(SEEDS),
            )
            paths.append(path)
        tables[overlap] = row(compare(runs, 0.01, predictions=Predictions(paths)))
    for part in ("new_images", "full_new_images"):
        assert tables[0.9][f"{part}_low"] < tables[0.0][f"{part}_low"]
        assert tables[0.9][f"{part}_high"] > tables[0.0][f"{part}_high"]


def test_more_seeds_are_not_advised_where_only_other_lists_would_help() -> None:
    table = verdicts(runs_with({"herding": 0.95})).assign(learned=True)
    kinds = [step.kind for step in next_steps(table, 0.02)]
    assert "larger_tolerance" in kinds
    assert "more_seeds_to_see" not in kinds


# ---------------------------------------------------------------------------- by simulation

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks/honest_seeds.py"


@pytest.fixture(scope="module")
def rates() -> pd.DataFrame:
    """A few pools of the simulations of docs/evidence.md: rates by method and correction."""
    spec = importlib.util.spec_from_file_location("benchmarks_honest_seeds", SCRIPT)
    simulated = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(simulated)
    case = simulated.Case("hard", 500, 0.9, simulated.WITHOUT_MERIT, (20,))
    table = pd.DataFrame(simulated.rows_of(case, simulated.simulate(case, pools=150, seeds=30)))
    table = table[(table["reference"] == "random") & (table["test"] == "exact")]
    table["called"] = table["called_better"] + table["called_worse"]
    return table.set_index(["method", "correction"])


def test_an_arbitrary_list_is_called_far_too_often_without_the_luck_and_seldom_with_it(
    rates,
) -> None:
    assert rates.loc[("arbitrary_list", "none"), "called"] > 0.4
    assert rates.loc[("arbitrary_list", "overlap"), "called"] <= 0.07
    assert rates.loc[("arbitrary_list", "overlap"), "coverage"] >= 0.93


def test_random_again_keeps_its_rate(rates) -> None:
    assert rates.loc[("random_again", "overlap"), "called"] <= 0.1
    widths = rates["half_width"]
    known, unknown = widths["random_again", "overlap"], widths["random_again", "none"]
    assert known == pytest.approx(unknown, rel=0.05)
