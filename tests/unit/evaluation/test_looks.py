"""Comparisons that are tested at a few looks, with more seeds for what is not decided."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from petite.evaluation.decision import recommend
from petite.evaluation.declared import Seen
from petite.evaluation.design import planned, planned_images
from petite.evaluation.looks import (
    Looks,
    usual_levels,
)
from petite.evaluation.recommendation import Answers
from petite.evaluation.rendering import as_markdown
from petite.evaluation.sequential import compare_at_looks
from petite.evaluation.statistics import ALPHA, least_p
from petite.evaluation.summary import SUMMARY_COLUMNS, at_their_looks, summarize
from petite.evaluation.tables import markdown_table, terminal_table
from petite.evaluation.verdicts import BETTER, NOT_DISTINGUISHABLE, NOT_WORSE, compare

LOOKS = Looks((7, 10, 15), usual_levels((7, 10, 15)))


def made_runs(scores: dict[tuple[str, float], np.ndarray]) -> pd.DataFrame:
    """Runs with these accuracies, by method and fraction; seeds from 0."""
    return pd.DataFrame(
        {
            "judge": "scratch", "dataset": "pets", "method": method, "fraction": fraction,
            "images": round(10_000 * fraction), "split_seed": 0, "training_seed": seed,
            "model": "compact", "backend": "tensorflow", "budget": "150 steps",
            "precision": "float32", "accuracy": value, "loss": 0.3, "stored_bytes": 1,
            "select_seconds": 1.0, "train_seconds": 60.0,
        }
        for (method, fraction), values in scores.items()
        for seed, value in enumerate(values)
    )  # fmt: skip


def row(table: pd.DataFrame, method: str, fraction: float = 0.1) -> pd.Series:
    return table[(table["method"] == method) & (table["fraction"] == fraction)].iloc[0]


@pytest.mark.parametrize("seeds", [(7,), (7, 10), (7, 10, 15, 30), (3, 5), (5, 30), (12, 20, 40)])
def test_the_levels_of_all_looks_sum_to_five_percent(seeds: tuple[int, ...]) -> None:
    levels = usual_levels(seeds)
    assert len(levels) == len(seeds)
    assert sum(levels) == pytest.approx(0.05)
    assert min(levels) > 0
    # The first look can decide a comparison, if any level below half of 5% lets it.
    assert levels[0] >= 2 / 2 ** seeds[0] or 2 / 2 ** seeds[0] > 0.025
    assert levels[0] == pytest.approx(max(levels)) and len(set(levels[1:])) == min(
        1, len(levels) - 1
    )


def test_what_is_decided_gets_no_more_seeds_and_its_references_only_for_others() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.004, 7)
    runs = made_runs(
        {
            ("full", 1.0): 0.95 + rng.normal(0, 0.001, 7),
            ("random", 0.1): 0.90 + noise,
            ("random", 0.5): 0.93 + noise,
            ("herding", 0.1): 0.94 + noise,  # better each time, but within no point of the full set
            ("el2n", 0.5): 0.93 + noise + rng.normal(0, 0.004, 7),  # as good as random
        }
    )
    runs = runs[runs["method"] != "full"]
    found = compare_at_looks(runs, Looks((7, 30), (0.04, 0.01)), 0.01)
    assert row(found.table, "herding")["verdict"] == BETTER
    assert set(found.open) == {("el2n", 0.5), ("random", 0.5)}


def test_the_full_set_gets_more_seeds_as_long_as_a_comparison_with_it_is_open() -> None:
    rng = np.random.default_rng(1)
    near = 0.945 + rng.normal(0, 0.01, 7)
    runs = made_runs({("full", 1.0): np.full(7, 0.95), ("random", 0.5): near})
    found = compare_at_looks(runs, LOOKS, 0.01)
    assert ("full", 1.0) in found.open and ("random", 0.5) in found.open
    same = made_runs(
        {("full", 1.0): np.full(7, 0.95), ("random", 0.5): 0.95 + rng.normal(0, 0.0005, 7)}
    )
    decided = compare_at_looks(same, LOOKS, 0.01)
    assert decided.open == []
    assert row(decided.table, "random", 0.5)["to_full"] in ("equivalent", NOT_WORSE)


def test_adjusted_p_is_holm_over_all_declared_comparisons_scaled_to_five_percent() -> None:
    values = np.linspace(0.01, 0.02, 7)
    runs = made_runs(
        {
            ("random", 0.1): np.full(7, 0.8),
            ("herding", 0.1): 0.8 + values,
            ("el2n", 0.1): 0.8 - 0.001 * np.array([1, -1, 1, -1, 1, -1, 1]),
        }
    )
    found = compare_at_looks(runs, LOOKS, 0.01).table
    assert row(found, "herding")["p_value"] == 2 / 2**7
    assert row(found, "herding")["p_adjusted"] == pytest.approx(
        2 * 2 / 2**7 * 0.05 / LOOKS.levels[0]
    )


def test_intervals_have_the_level_of_the_look_at_which_a_comparison_is() -> None:
    rng = np.random.default_rng(2)
    runs = made_runs(
        {("random", 0.1): rng.normal(0.8, 0.01, 10), ("el2n", 0.1): rng.normal(0.8, 0.01, 10)}
    )
    found = row(compare_at_looks(runs, LOOKS, 0.01).table, "el2n")
    expected = row(compare(runs, 0.01, level=LOOKS.levels[1]), "el2n")
    wider = row(compare(runs, 0.01), "el2n")
    assert (found["pairs"], found["low"], found["high"]) == (10, expected["low"], expected["high"])
    assert found["low"] < wider["low"] and found["high"] > wider["high"]


def test_a_verdict_stays_when_other_comparisons_go_on() -> None:
    rng = np.random.default_rng(3)
    random = rng.normal(0.8, 0.01, 15)
    runs = made_runs(
        {
            ("random", 0.1): random,
            ("herding", 0.1): random[:7] + 0.02 + rng.normal(0, 0.001, 7),
            ("el2n", 0.1): random + np.array([0.012, -0.004] * 8)[:15],
        }
    )
    looks = Looks((7, 10, 15), (0.032, 0.008, 0.01))
    found = compare_at_looks(runs, looks, 0.01)
    assert (row(found.table, "herding")["verdict"], row(found.table, "herding")["pairs"]) == (
        BETTER,
        7,
    )
    assert row(found.table, "el2n")["pairs"] == 15
    assert row(found.table, "el2n")["verdict"] == NOT_DISTINGUISHABLE
    assert found.open == []  # after the last look


def test_what_more_seeds_are_unlikely_to_decide_is_stopped() -> None:
    noise = 0.01 * np.array([1, -1] * 12)
    runs = made_runs({("random", 0.1): np.full(24, 0.8), ("el2n", 0.1): 0.8 + noise})
    looks = Looks((24, 30), (0.025, 0.025))
    assert compare_at_looks(runs, looks, 0.01).open == []
    assert compare_at_looks(runs, Looks((24, 1000), (0.025, 0.025)), 0.01).open != []


def test_no_family_of_signs_is_called_an_effect_more_often_than_in_five_percent() -> None:
    """Under symmetry all signs are equally likely, so that counting them gives the exact level."""
    looks = Looks((6, 8), usual_levels((6, 8)))
    sizes = np.array([3.0, 1.0, 2.0, 5.0, 4.0, 1.5, 2.5, 3.5]) / 1000
    wrong = 0
    for signs in product((1, -1), repeat=7):
        runs = made_runs(
            {
                ("random", 0.1): np.full(8, 0.8),
                ("el2n", 0.1): 0.8 + sizes * np.array([1, *signs]),  # the other half mirrors these
            }
        )
        table = compare_at_looks(runs, looks, 0.01).table
        wrong += row(table, "el2n")["verdict"] != NOT_DISTINGUISHABLE
    assert 0 < wrong / 2**7 <= 0.05


def test_a_comparison_with_the_full_set_stays_when_only_random_gets_more_seeds() -> None:
    rng = np.random.default_rng(4)
    random = rng.normal(0.8, 0.01, 10)
    runs = made_runs(
        {
            ("full", 1.0): rng.normal(0.95, 0.001, 7),
            ("random", 0.1): random,
            ("el2n", 0.1): random + np.array([0.012, -0.004] * 5),
        }
    )
    looks = Looks((7, 10, 30), (0.02, 0.015, 0.015))
    found = row(compare_at_looks(runs, looks, 0.01).table, "el2n")
    assert (found["pairs"], found["full_pairs"]) == (10, 7)
    assert found["to_full"] == "not shown" and found["full_difference"] < -0.1


def test_the_answer_says_when_it_looked_and_which_results_had_been_seen_before() -> None:
    rng = np.random.default_rng(5)
    random = rng.normal(0.8, 0.01, 10)
    runs = made_runs({("random", 0.1): random, ("el2n", 0.1): random + rng.normal(0, 0.01, 10)})
    looks = Looks((7, 10), usual_levels((7, 10)))
    found = compare_at_looks(runs, looks, 0.01)
    record = recommend(
        runs, found.table, 0.01, looks=looks, seen=Seen((6,), ("seeds", "tolerance"))
    )
    text = as_markdown(record)
    assert "Looks: 7, 10 seeds, at levels of 2.5%, 2.5%." in text
    before = "6 seeds had been seen before"
    assert f"{before} another number of seeds was asked for and the tolerance was" in text
    assert "exploratory" in text
    assert Answers.from_json(Answers({"scratch": record}).to_json()).first == record


@pytest.fixture(scope="module")
def at_several_looks() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Runs and verdicts: herding is better at the first look, and open against the full set."""
    rng = np.random.default_rng(8)
    random = rng.normal(0.8, 0.01, 15)
    runs = made_runs(
        {
            ("full", 1.0): random + 0.045 + 0.02 * np.array([1, -1] * 8)[:15],
            ("random", 0.1): random,
            ("herding", 0.1): random + 0.04 + rng.normal(0, 0.004, 15),
            ("el2n", 0.1): random + np.array([0.012, -0.004] * 8)[:15],
        }
    )
    return runs, compare_at_looks(runs, TWO_LEVELS, 0.01).table


TWO_LEVELS = Looks((7, 10, 15), (0.032, 0.009, 0.009))


def test_a_comparison_has_the_same_difference_seeds_and_look_in_every_table(
    at_several_looks: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    runs, verdicts = at_several_looks
    found = row(verdicts, "herding")
    assert (found["verdict"], found["pairs"], found["look"]) == (BETTER, 7, 1)
    assert (found["full_pairs"], found["full_look"]) == (15, 3)
    summary = at_their_looks(summarize(runs, looks=TWO_LEVELS), verdicts)
    assert list(summary.columns) == SUMMARY_COLUMNS
    for _, case in verdicts.iterrows():
        same = row(summary, case["method"], case["fraction"])
        assert same["runs"] == 15
        assert same["accuracy_mean"] == pytest.approx(case["accuracy"])
        pd.testing.assert_series_equal(
            same[["pairs", "look", "difference_mean", "difference_low", "difference_high"]],
            case[["pairs", "look", "difference", "low", "high"]],
            check_index=False,
            check_names=False,
            check_dtype=False,
        )


def test_every_table_and_sentence_tells_the_seeds_and_the_look(
    at_several_looks: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    runs, verdicts = at_several_looks
    summary = at_their_looks(summarize(runs, looks=TWO_LEVELS), verdicts)
    for table in (markdown_table(summary, "pets"), terminal_table(summary)):
        assert "look" in table and "1 (7 seeds)" in table and "3 (15 seeds)" in table
    assert max(map(len, terminal_table(summary).splitlines())) <= 100
    unequal = summary.assign(metric="balanced_accuracy", fraction=0.0123456)
    unequal["method"] = "a_method_of_a_name@64px-webp-q40_" + unequal["method"]
    lines = terminal_table(unequal, balanced=True).splitlines()
    assert max(map(len, lines)) <= 100 and len({len(line) for line in lines[:4]}) == 1
    assert lines[2].startswith("a_method_of_a_name")
    text = as_markdown(recommend(runs, verdicts, 0.01, looks=TWO_LEVELS))
    assert "7 seeds at look 1" in text or "15 seeds at look 3" in text
    assert text.count("| look |") == 2
    without = summarize(runs)
    assert not without["look"].notna().any() and (without["pairs"].isin([0, 15])).all()
    assert "look" not in terminal_table(without)


@pytest.mark.parametrize(
    ("comparisons", "words"),
    [(1, "7 seeds are the first"), (3, "10 seeds are the first"), (25, "15 seeds are the first")],
)
def test_the_plan_says_at_which_look_a_method_could_first_be_decided(
    comparisons: int, words: str
) -> None:
    looks = Looks((7, 10, 15, 30), usual_levels((7, 10, 15, 30)))
    assert words in planned([30] * comparisons, None, looks)
    assert "None of these looks" in planned([30] * 1000, None, Looks((7, 8), (0.04, 0.01)))


@pytest.mark.parametrize(
    ("images", "words"),
    [
        # 0.99**n is 0.04 / 2 at the first look with n = 390, and 0.01 / 2 at the other with 528.
        (1000, "with looks, 7 seeds are the first"),
        (450, "with looks, 7 seeds are the first"),
        (380, "cannot show"),
    ],
)
def test_the_plan_says_what_the_test_images_can_show_at_the_levels_of_the_looks(
    images: int, words: str
) -> None:
    labels = np.arange(images) % 2
    found = planned_images(labels, 2, 0.01, looks=Looks((7, 30), (0.04, 0.01)))
    assert words in found.lower()
    later = planned_images(labels, 2, 0.01, looks=Looks((7, 30), (0.01, 0.04)))
    first = 7 if images > 528 else 30
    assert (f"{first} seeds are the first" in later) == (images >= 390)
    if images < 390:
        assert "390 or more" in found and "390 or more" in later


def test_the_seeds_that_are_asked_for_can_decide_at_the_last_look() -> None:
    looks = Looks((7, 10), usual_levels((7, 10)))
    names = [f"method-{number}" for number in range(30)]
    rng = np.random.default_rng(7)
    base = rng.normal(0.8, 0.001, 10)
    scores = {("full", 1.0): rng.normal(0.9, 0.001, 10), ("random", 0.1): base}
    runs = made_runs(scores | {(name, 0.1): base + 0.01 for name in names})
    table = compare_at_looks(runs, looks, 0.01).table
    assert set(table["verdict"]) == {"too few seeds", "not compared"}
    found = recommend(runs, table, 0.01, looks=looks)
    floor = found.basis.floor
    steps = {step.kind: step.seeds for step in found.next_steps}
    assert floor is not None and floor.seeds == 10
    needed = steps["more_seeds_to_decide"]
    assert needed == floor.seeds_needed
    for seeds, can_decide in ((needed - 1, False), (needed, True)):
        later = usual_levels((7, seeds))
        p = len(names) * least_p(seeds) * ALPHA / later[-1]
        assert (p <= ALPHA) == can_decide


def test_runs_of_the_full_set_alone_have_no_comparisons_and_need_no_more_seeds() -> None:
    found = compare_at_looks(made_runs({("full", 1.0): np.full(7, 0.9)}), LOOKS, 0.01)
    assert found.table.empty and "to_full" in found.table and found.open == []


def test_runs_that_failed_before_the_first_look_are_compared_with_the_seeds_there() -> None:
    rng = np.random.default_rng(6)
    runs = made_runs({("random", 0.1): rng.normal(0.8, 0.01, 5), ("el2n", 0.1): np.full(5, 0.8)})
    found = compare_at_looks(runs, LOOKS, 0.01)
    assert row(found.table, "el2n")["verdict"] == "too few seeds" and found.open == []


def test_a_failed_job_of_a_reference_leaves_the_verdicts_of_the_look_before() -> None:
    rng = np.random.default_rng(7)
    runs = made_runs(
        {
            ("full", 1.0): 0.95 + rng.normal(0, 0.001, 7),  # seeds 7 to 9 failed
            ("random", 0.1): rng.normal(0.945, 0.01, 10),
        }
    )
    before = compare_at_looks(runs[runs["training_seed"] < 7], LOOKS, 0.01).table
    after = compare_at_looks(runs, LOOKS, 0.01).table
    assert row(after, "random")["full_pairs"] == 7
    # Accuracies are of all runs.
    after, before = (table.drop(columns="accuracy") for table in (after, before))
    pd.testing.assert_series_equal(row(after, "random"), row(before, "random"))


def test_a_mean_is_within_its_interval_though_that_of_an_earlier_look_is_elsewhere() -> None:
    early = np.array([0.012, 0.010, 0.011, 0.009, 0.011, 0.010, 0.012])
    differences = np.concatenate([early, [-0.05, -0.06, -0.055]])
    runs = made_runs(
        {
            ("full", 1.0): np.full(10, 0.8107),
            ("random", 0.1): np.full(10, 0.8),
            ("el2n", 0.1): 0.8 + differences,
            ("grand", 0.1): np.full(10, 0.8),
        }
    )
    looks = Looks((7, 10, 30), (0.015625, 0.017, 0.017))
    seven = row(compare(runs[runs["training_seed"] < 7], 0.0001, level=looks.levels[0]), "el2n")
    ten = row(compare(runs, 0.0001, level=looks.levels[1]), "el2n")
    found = row(compare_at_looks(runs, looks, 0.0001).table, "el2n")
    assert found["pairs"] == found["full_pairs"] == 10
    for part in ("", "full_"):
        low, high = f"{part}low", f"{part}high"
        assert found[low] < found[f"{part}difference"] < found[high]
        assert (found[low], found[high]) == (ten[low], ten[high])
        assert not seven[low] <= found[f"{part}difference"] <= seven[high]


def test_an_interval_that_is_cut_at_its_bounds_does_not_stop_a_comparison() -> None:
    """The chance of a decision follows from the spread of the seeds, not from the interval."""
    accuracy = np.array([1.0, 0.0, 0.9, 0.1, 0.0, 0.0])
    runs = made_runs({("full", 1.0): np.full(6, 0.7), ("random", 0.5): accuracy})
    looks = Looks((6, 30), (0.0001, 0.0499))
    found = compare_at_looks(runs, looks, 0.01)
    now = row(found.table, "random", 0.5)
    assert now["full_low"] == -1.0
    assert now["full_sd"] == pytest.approx(np.std(accuracy, ddof=1))
    assert ("random", 0.5) in found.open


@pytest.mark.parametrize(("overlap", "goes_on"), [(0.0, True), (0.95, False)])
def test_what_the_luck_of_the_lists_leaves_open_is_stopped(overlap: float, goes_on: bool) -> None:
    rng = np.random.default_rng(11)
    random = rng.normal(0.8, 0.01, 24)
    runs = made_runs(
        {("random", 0.1): random, ("el2n", 0.1): random + 0.002 + 0.01 * np.array([1, -1] * 12)}
    )
    runs["overlap"] = np.where(runs["method"] == "el2n", overlap, 0.0)
    found = compare_at_looks(runs, Looks((24, 1000), (0.025, 0.025)), 0.01)
    assert (("el2n", 0.1) in found.open) == goes_on
