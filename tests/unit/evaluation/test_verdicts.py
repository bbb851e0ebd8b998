"""Verdicts say what the numbers say, and the recommendation says it in words."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from petite.evaluation import (
    COST_COLUMNS,
    VERDICT_COLUMNS,
    Predictions,
    compare,
    cost_ledger,
    planned,
    planned_images,
    random_curve,
    recommend,
    recommendation_page,
)
from petite.evaluation.new_images import NewImages
from petite.evaluation.statistics import mean_interval, two_way_interval
from petite.util.errors import PetiteError

WAVES = np.array([0.3, -1.0, 0.8, -0.4, 1.0, -0.7, 0.2, -0.2, 0.6, -0.6])
OTHERS = np.array([-0.5, 0.9, 0.1, -0.8, 0.4, 0.7, -1.0, 0.2, -0.3, 0.3])


def runs_of(
    means: dict[tuple[str, float], float], seeds: int = 8, noise: float = 0.002
) -> pd.DataFrame:
    """Runs whose accuracies lie about `means`; every method has noise of its own."""
    rows = []
    for number, ((method, fraction), mean) in enumerate(means.items()):
        wave = np.roll(WAVES if number % 2 else OTHERS, number)[:seeds]
        rows += [
            {
                "dataset": "pets",
                "model": "compact",
                "backend": "tensorflow",
                "precision": "float32",
                "budget": "100 steps",
                "method": method,
                "fraction": fraction,
                "images": round(1000 * fraction),
                "split_seed": 0,
                "training_seed": seed,
                "accuracy": mean + noise * (wave[seed] - wave.mean()),
                "train_seconds": 10.0 + seed,
                "select_seconds": 2.0,
                "proxy_seconds": 1.5,
                "stored_bytes": 1e6 * fraction,
                "peak_memory_bytes": 10**9 + seed,
            }
            for seed in range(seeds)
        ]
    return pd.DataFrame(rows)


MEANS = {
    ("full", 1.0): 0.95,
    ("random", 0.5): 0.93,
    ("random", 0.1): 0.90,
    ("good", 0.1): 0.92,
    ("bad", 0.1): 0.88,
    ("same", 0.1): 0.9,
    ("alone", 0.2): 0.9,
}


def table_of(runs: pd.DataFrame, tolerance: float = 0.01) -> pd.DataFrame:
    return compare(runs, tolerance, random_curve(runs)).set_index(["method", "fraction"])


def sentence_of(runs: pd.DataFrame, tolerance: float = 0.01) -> str:
    curve = random_curve(runs)
    return recommend(runs, compare(runs, tolerance, curve), tolerance, curve).answer


# ------------------------------------------------------------------------------ the verdicts


def test_the_table_has_its_columns_and_a_row_for_each_subset() -> None:
    runs = runs_of(MEANS)
    table = compare(runs, 0.01, random_curve(runs))
    assert list(table.columns) == VERDICT_COLUMNS
    assert list(zip(table["method"], table["fraction"], strict=True)) == [
        ("random", 0.5), ("alone", 0.2), ("random", 0.1), ("bad", 0.1), ("good", 0.1),
        ("same", 0.1),
    ]  # fmt: skip


def test_verdicts_against_random() -> None:
    table = table_of(runs_of(MEANS))
    assert dict(table["verdict"].droplevel(1).drop("random")) == {
        "alone": "not compared",
        "bad": "worse",
        "good": "better",
        "same": "not distinguishable",
    }
    assert (table.loc["random", "verdict"] == "not compared").all()
    good = table.loc[("good", 0.1)]
    # Eight differences of one sign, and the smallest of three p.
    assert (good["p_value"], good["p_adjusted"]) == (2 / 2**8, 3 * 2 / 2**8)
    assert good["multiplier_low"] < good["multiplier"] < good["multiplier_high"]
    assert good["multiplier"] > 1 > table.loc[("bad", 0.1), "multiplier_low"] - 1e-9


def test_a_row_agrees_with_scipy() -> None:
    runs = runs_of(MEANS, noise=0.02)
    row = table_of(runs).loc[("good", 0.1)]
    own, random = (
        runs[(runs["method"] == name) & (runs["fraction"] == 0.1)]["accuracy"].to_numpy()
        for name in ("good", "random")
    )
    paired = stats.ttest_rel(own, random)
    assert row["difference"] == pytest.approx(0.02)
    assert (row["low"], row["high"]) == pytest.approx(paired.confidence_interval(0.95))
    assert row["p_better"] == pytest.approx(1 - paired.pvalue / 2)
    assert row["sd"] == pytest.approx((own - random).std(ddof=1))


@pytest.mark.parametrize(("seeds", "verdict"), [(5, "too few seeds"), (6, "better")])
def test_five_seeds_are_too_few_for_one_comparison_and_six_are_enough(seeds, verdict) -> None:
    runs = runs_of({("random", 0.1): 0.9, ("good", 0.1): 0.93}, seeds=seeds)
    assert table_of(runs).loc[("good", 0.1), "verdict"] == verdict


def test_six_seeds_are_too_few_for_two_comparisons() -> None:
    means = {("random", 0.1): 0.9, ("good", 0.1): 0.93, ("same", 0.1): 0.9}
    assert set(table_of(runs_of(means, seeds=6))["verdict"]) == {"not compared", "too few seeds"}
    assert table_of(runs_of(means, seeds=7)).loc[("good", 0.1), "verdict"] == "better"


def test_a_comparison_is_called_too_small_only_where_no_outcome_of_it_would_have_passed() -> None:
    means = {
        ("random", 0.1): 0.9,
        ("good", 0.1): 0.93,
        ("random", 0.25): 0.95,
        ("near", 0.25): 0.96,
    }
    runs = runs_of(means, seeds=8)
    runs = runs[(runs["fraction"] == 0.1) | (runs["training_seed"] < 6)]
    # Six wins of six, beside a clear result with eight seeds: after Holm they pass.
    assert set(table_of(runs)["verdict"]) == {"not compared", "better"}
    lost = (runs["method"] == "near") & (runs["training_seed"] == 0)
    once = runs.assign(accuracy=runs["accuracy"].mask(lost, 0.9))
    assert table_of(once).loc[("near", 0.25), "verdict"] == "not distinguishable"
    chosen = recommend(once, compare(once, 0.01), 0.01)
    assert "cannot fall below" not in chosen.how_sure
    assert "cannot fall below" not in planned([8, 6], None)
    assert "With 6 seeds the adjusted p cannot fall below 0.062" in planned([6, 6], None)


def test_verdicts_against_the_full_set() -> None:
    means = {
        ("full", 1.0): 0.95,
        ("random", 0.5): 0.948,
        ("random", 0.1): 0.90,
        ("over", 0.5): 0.965,
    }
    table = table_of(runs_of(means))
    assert table.loc[("random", 0.5), "to_full"] == "equivalent"
    assert table.loc[("random", 0.1), "to_full"] == "not shown"
    assert table.loc[("over", 0.5), "to_full"] == "not worse"
    few = runs_of(means)
    few = few[(few["method"] != "full") | (few["training_seed"] < 3)]
    assert set(table_of(few)["to_full"]) == {"too few seeds"}
    assert set(table_of(few[few["method"] != "full"])["to_full"]) == {"not compared"}


def test_one_seed_gives_differences_without_intervals() -> None:
    row = table_of(runs_of(MEANS, seeds=1)).loc[("good", 0.1)]
    assert row["verdict"] == "too few seeds"
    assert row["difference"] == pytest.approx(0.02)
    assert row[["low", "high", "sd", "p_better", "smallest_effect"]].isna().all()
    assert "one seed and so no interval" in sentence_of(runs_of(MEANS, seeds=1))


def test_the_order_of_the_runs_does_not_matter() -> None:
    runs = runs_of(MEANS)
    shuffled = runs.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(table_of(runs), table_of(shuffled))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1_000), st.integers(6, 9))
def test_better_and_worse_change_places_with_the_sign(seed, seeds) -> None:
    random = np.random.default_rng(seed)
    base, gain = random.normal(0.8, 0.01, seeds), random.normal(0.005, 0.005, seeds)
    verdicts = []
    for sign in (1, -1):
        runs = runs_of({("random", 0.1): 0.8, ("method", 0.1): 0.8}, seeds=seeds)
        runs["accuracy"] = np.concatenate([base, base + sign * gain])
        verdicts.append(compare(runs, 0.01)["verdict"].iloc[1])
    assert tuple(verdicts) in {
        ("better", "worse"),
        ("worse", "better"),
        ("not distinguishable", "not distinguishable"),
    }


@pytest.mark.parametrize("tolerance", [0.0, -0.01, 1.0])
def test_a_tolerance_that_is_no_share_is_refused(tolerance) -> None:
    with pytest.raises(PetiteError, match=r"evidence\.tolerance"):
        compare(runs_of(MEANS), tolerance)


def test_the_full_set_alone_is_kept_and_said_to_be_all_that_was_tried() -> None:
    runs = runs_of({("full", 1.0): 0.9})
    table = compare(runs, 0.01, random_curve(runs))
    assert table.empty and list(table.columns) == VERDICT_COLUMNS
    found = recommend(runs, table, 0.01)
    assert (found.method, found.fraction, found.images) == ("full", 1.0, 1000)
    assert found.answer.startswith("Keep all 1,000 images: no subset was tried")
    assert "give random and other methods fractions" in found.next_steps
    assert "nan" not in recommendation_page("pets", found, table, 0.01)


# --------------------------------------------------------------------- kept predictions


@pytest.fixture
def kept(tmp_path: Path) -> tuple[pd.DataFrame, list[Path], dict[str, np.ndarray]]:
    """Runs with predictions in two jobs for each method: table, files, and who was right."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 60)
    files, tables, right = [], [], {}
    for method in ("random", "good"):
        right[method] = random.random((6, 60)) < (0.8 if method == "good" else 0.6)
        runs = runs_of({(method, 0.1): 0.0}, seeds=6)
        runs["accuracy"] = right[method].mean(axis=1)
        tables.append(runs)
        for first, last in ((0, 3), (4, 5)):
            path = tmp_path / method / f"seeds-{first}-{last}.predictions.npz"
            path.parent.mkdir(exist_ok=True)
            job = runs[runs["training_seed"].between(first, last)]
            job.to_csv(path.with_name(f"seeds-{first}-{last}.csv"), index=False)
            said = np.where(right[method][first : last + 1], labels, (labels + 1) % 3)
            np.savez(
                path,
                image_ids=np.array([f"{number}.png" for number in range(60)]),
                labels=labels.astype(np.int16),
                probabilities=np.eye(3, dtype=np.float32)[said],
                seeds=job["training_seed"].to_numpy(),
            )
            files.append(path)
    return pd.concat(tables, ignore_index=True), files, right


def test_predictions_are_gathered_and_give_the_interval_for_new_images(kept) -> None:
    runs, files, right = kept
    predictions = Predictions(files[::-1])
    frame = predictions.right("good", 0.1)
    assert (frame.to_numpy() == right["good"]).all()
    assert list(frame.index) == [(0, seed) for seed in range(6)]
    assert predictions.right("good", 0.2).empty
    row = compare(runs, 0.01, None, predictions).iloc[1]
    differences = right["good"].astype(np.int8) - right["random"].astype(np.int8)
    expected = NewImages(differences, np.full(60, 1 / 60)).interval()
    assert (row["new_images_low"], row["new_images_high"]) == pytest.approx(tuple(expected))
    low, high = two_way_interval(differences)
    assert row["new_images_low"] <= low + 1e-9 and row["new_images_high"] >= high - 1e-9
    low, high = mean_interval(right["good"].mean(axis=1) - right["random"].mean(axis=1))
    assert (row["low"], row["high"]) == pytest.approx((low, high))


def test_the_difference_from_the_full_set_has_an_interval_for_new_images_too(kept) -> None:
    runs, files, right = kept
    for path in files:
        if path.parent.name == "random":
            csv = path.with_name(path.name.replace(".predictions.npz", ".csv"))
            text = csv.read_text().replace("random,0.1", "full,1.0")
            csv.write_text(text)
    runs.loc[runs["method"] == "random", ["method", "fraction"]] = ["full", 1.0]
    table = compare(runs, 0.01, None, Predictions(files))
    row = table.set_index("method").loc["good"]
    differences = right["good"].astype(np.int8) - right["random"].astype(np.int8)
    assert row["full_low"] == pytest.approx(mean_interval(differences.mean(axis=1), 0.9).low)
    assert (row["full_new_images_low"], row["full_new_images_high"]) == pytest.approx(
        tuple(NewImages(differences, np.full(60, 1 / 60)).interval(0.9))
    )
    page = recommendation_page("pets", recommend(runs, table, 0.01), table, 0.01)
    low, high = (f"{100 * row[f'full_new_images_{end}']:+.1f}" for end in ("low", "high"))
    assert f"| {low} to {high} |" in page
    assert "those over seeds and images speak of new test images too" in page


def test_predictions_of_other_images_are_refused(kept) -> None:
    runs, files, _ = kept
    with np.load(files[-1]) as held:
        arrays = dict(held)
    arrays["image_ids"] = arrays["image_ids"][::-1]
    np.savez(files[-1], **arrays)
    with pytest.raises(PetiteError, match="other test images"):
        compare(runs, 0.01, None, Predictions(files))


def test_cut_and_missing_predictions_are_named(kept) -> None:
    runs, files, _ = kept
    predictions = Predictions(files)
    files[0].write_bytes(files[0].read_bytes()[:200])
    with pytest.raises(PetiteError, match="whole predictions"):
        compare(runs, 0.01, None, predictions)
    files[0].unlink()
    with pytest.raises(PetiteError, match="is missing"):
        compare(runs, 0.01, None, predictions)


# ------------------------------------------------------------------------------- the words


@pytest.mark.parametrize(
    ("means", "seeds", "says"),
    [
        (
            {("full", 1.0): 0.95, ("random", 0.5): 0.949, ("same", 0.5): 0.949},
            8,
            "Keep 500 images (50%) chosen at random: shown to be within 1 point of the full set",
        ),
        (
            {("full", 1.0): 0.95, ("random", 0.5): 0.949, ("same", 0.5): 0.949},
            8,
            "random is enough: no method is shown to do better at this size",
        ),
        (
            {("full", 1.0): 0.95, ("random", 0.1): 0.9, ("good", 0.1): 0.949},
            8,
            "chosen by good: shown to be within 1 point of the full set in accuracy on these test "
            "images (-0.1 points, 90% interval",
        ),
        (
            {("full", 1.0): 0.95, ("random", 0.1): 0.9, ("good", 0.1): 0.949},
            8,
            "and better than random by +4.9 points, 95% interval",
        ),
        (
            {("full", 1.0): 0.95, ("random", 0.1): 0.9, ("good", 0.1): 0.97},
            8,
            "shown to lose less than 1 point against the full set in accuracy on these test images "
            "(+2.0 points",
        ),
        (
            {("full", 1.0): 0.95, ("random", 0.1): 0.9, ("good", 0.1): 0.92},
            8,
            "Keep all 1,000 images: no subset is shown to be within 1 point of the full set in "
            "accuracy on these test images (the nearest is 100 images (10%) chosen by good, -3.0 "
            "points, 90%",
        ),
        (
            {("full", 1.0): 0.95, ("random", 0.1): 0.9, ("good", 0.1): 0.92},
            8,
            "if that is too many, choosing pays: good at 10% beats random by +2.0 points, 95%",
        ),
        (
            {("full", 1.0): 0.95, ("random", 0.1): 0.9, ("same", 0.1): 0.9},
            8,
            "if that is too many, random is enough: no method is shown to beat it (the highest "
            "difference, same at 10%",
        ),
        (
            {("full", 1.0): 0.95, ("random", 0.1): 0.9, ("bad", 0.1): 0.88, ("bad", 0.05): 0.7},
            8,
            "random is enough: no method is shown to beat it (the highest difference, bad at 10%: "
            "-2.0 points",
        ),
        (
            {("full", 1.0): 0.95, ("random", 0.1): 0.9, ("good", 0.1): 0.92},
            3,
            "3 seeds are too few to tell whether a method beats random (the highest difference",
        ),
        (
            {("full", 1.0): 0.95, ("random", 0.1): 0.9, ("good", 0.1): 0.949},
            5,
            "Keep all 1,000 images for now: 5 seeds are too few to show that a subset does as well "
            "in accuracy (the nearest is 100 images (10%) chosen by good, -0.1 points",
        ),
        (
            {("random", 0.1): 0.9, ("good", 0.1): 0.92},
            8,
            "Choosing pays: good at 10% beats random by +2.0 points, 95% interval +1.9 to +2.1; "
            "how small is small enough is open, as the full set was not trained, so keep the "
            "largest subset, 100 images (10%) chosen by good.",
        ),
        ({("full", 1.0): 0.95, ("random", 0.1): 0.9}, 8, "no method was compared with random"),
        (
            {("full", 1.0): 0.95, ("only", 0.5): 0.95, ("only", 0.1): 0.9},
            8,
            "Keep 500 images (50%) chosen by only: shown to be within 1 point of the full set in "
            "accuracy on these test images (0.0 points, 90% interval -0.1 to +0.1), though not "
            "compared with random at this size.",
        ),
        (
            {("only", 0.5): 0.95, ("only", 0.1): 0.9},
            8,
            "No method was compared with random; how small is small enough is open",
        ),
    ],
)
def test_the_answer_says_it(means, seeds, says) -> None:
    answer = sentence_of(runs_of(means, seeds=seeds))
    assert says in answer
    assert answer.endswith(".") and answer.count(". ") == 0
    if "o method was compared with random" not in answer:
        assert "interval" in answer


def test_the_smallest_good_subset_is_recommended_and_random_where_nothing_beats_it() -> None:
    means = {
        ("full", 1.0): 0.95,
        ("random", 0.5): 0.949,
        ("random", 0.25): 0.95,
        ("a_same", 0.25): 0.95,
        ("random", 0.1): 0.9,
    }
    runs = runs_of(means)
    chosen = recommend(runs, compare(runs, 0.01), 0.01)
    assert (chosen.method, chosen.fraction, chosen.images) == ("random", 0.25, 250)
    none_good = recommend(runs, compare(runs, 0.0001), 0.0001)
    assert (none_good.method, none_good.fraction, none_good.images) == ("full", 1.0, 1000)
    runs = runs[runs["method"] != "full"]
    unknown = recommend(runs, compare(runs, 0.01), 0.01)
    assert (unknown.method, unknown.fraction, unknown.images) == ("random", 0.5, 500)


def test_of_equal_means_the_first_by_name_is_recommended_whatever_the_order_of_the_runs() -> None:
    runs = runs_of({("full", 1.0): 0.95, ("b", 0.1): 0.95, ("a", 0.1): 0.95}, noise=0)
    for some in (runs, runs.iloc[::-1]):
        assert recommend(some, compare(some, 0.01), 0.01).method == "a"


def test_without_random_among_them_accuracy_does_not_choose_between_methods_of_one_size() -> None:
    means = {("full", 1.0): 0.95, ("random", 0.1): 0.95, ("b", 0.1): 0.9501, ("a", 0.1): 0.95}
    runs = runs_of(means)
    table = compare(runs, 0.01)
    assert set(table["verdict"]) == {"not compared", "not distinguishable"}
    table.loc[table["method"] == "random", "to_full"] = "not shown"
    assert recommend(runs, table, 0.01).method == "a"


def test_what_is_shown_to_be_worse_than_random_is_not_recommended() -> None:
    runs = runs_of({("full", 1.0): 0.95, ("random", 0.1): 0.952, ("worse", 0.1): 0.948})
    table = compare(runs, 0.01).set_index("method")
    assert table.loc["worse", ["verdict", "to_full"]].tolist() == ["worse", "equivalent"]
    # Random is better still, but may be too noisy to be shown near the full set.
    table.loc["random", "to_full"] = "not shown"
    found = recommend(runs, table.reset_index(), 0.01)
    assert (found.method, found.images) == ("full", 1000)
    assert "but for such as are worse than random, no subset is shown" in found.answer


def test_a_subset_without_a_seed_in_common_with_the_full_set_is_not_called_the_nearest() -> None:
    runs = runs_of({("full", 1.0): 0.95, ("random", 0.5): 0.9, ("random", 0.1): 0.8})
    runs.loc[runs["fraction"] == 0.5, "training_seed"] += 100
    answer = sentence_of(runs)
    assert "the nearest is 100 images (10%) chosen at random, -15.0 points" in answer
    assert "no run of a subset shares its seeds" in sentence_of(runs[runs["fraction"] != 0.1])


def test_it_says_how_sure_and_what_next() -> None:
    means = {("full", 1.0): 0.95, ("random", 0.1): 0.9, ("a", 0.1): 0.92, ("b", 0.1): 0.9}
    runs = runs_of(means, seeds=6, noise=0.02)
    few = recommend(runs, compare(runs, 0.01), 0.01)
    assert "cannot fall below 0.062" in few.how_sure
    assert "7 seeds could pass 0.05" in few.how_sure
    assert "Set seeds to 7 or more" in few.next_steps
    assert "takes about" in few.next_steps
    enough = recommend(runs_of(means), compare(runs_of(means), 0.01), 0.01)
    assert "1 better, 1 not distinguishable" in enough.how_sure
    assert "the smallest true difference" in enough.how_sure


def test_what_a_design_can_tell_is_said_before_it_is_run() -> None:
    # d = 1.435 for six pairs
    assert "a true difference of 1.43 points" in planned([6], 0.01)
    assert "cannot" not in planned([6], 0.01)
    assert "7 seeds could pass" in planned([6, 6], 0.01)
    assert "pilot_sd" in planned([8], None)
    assert "Nothing is compared" in planned([], None)


def test_what_the_test_images_can_tell_is_said_before_anything_is_trained() -> None:
    halves, flawed = np.arange(200) % 2, np.repeat([0, 1], [198, 2])
    few = planned_images(halves, 5, 0.01)
    assert "200 test images cannot show that a subset loses less than 1 point of accuracy" in few
    assert "takes 459 or more (split.test), or an evidence.tolerance of 0.023 or more" in few
    assert planned_images(halves, 5, 0.05).endswith("just as well as the full set.")
    assert "of balanced accuracy" in planned_images(flawed, 1, 0.01)
    assert planned_images(flawed, 1, 0.01).endswith("takes 14,978 or more (split.test).")
    assert "299 or more" in planned_images(flawed, 1, 0.01, "accuracy")
    assert "Nothing is compared" in planned_images(halves, 0, 0.01)


def test_the_page_has_every_table_in_columns() -> None:
    runs = runs_of(MEANS)
    curve = random_curve(runs)
    table = compare(runs, 0.01, curve)
    page = recommendation_page("pets", recommend(runs, table, 0.01, curve), table, 0.01, curve)
    blocks = [block for block in page.split("\n\n") if block.startswith("|")]
    assert len(blocks) == 2
    for block in blocks:
        assert len({line.count("|") for line in block.splitlines()}) == 1
    assert "Smallest sufficient size" in page
    assert "nan" not in page


def test_the_page_of_a_single_size_and_seed_is_whole() -> None:
    runs = runs_of({("random", 0.1): 0.9, ("good", 0.1): 0.92}, seeds=1)
    table = compare(runs, 0.01, random_curve(runs))
    page = recommendation_page("pets", recommend(runs, table, 0.01), table, 0.01)
    assert "no learning curve" in page
    assert "nan" not in page


# ------------------------------------------------------------------------------- the costs


def test_costs_by_hand() -> None:
    table = cost_ledger(runs_of(MEANS, seeds=3, noise=0))
    assert list(table.columns) == COST_COLUMNS
    good = table[table["method"] == "good"].iloc[0]
    assert (good["select_seconds"], good["train_seconds"], good["total_seconds"]) == (2, 11, 13)
    assert good["proxy_seconds"] == 1.5
    assert good["peak_memory_bytes"] == 10**9 + 2
    assert good["points_per_second"] == pytest.approx(92 / 13)
    assert good["points_per_megabyte"] == pytest.approx(920)
    assert good["accuracy_of_full"] == pytest.approx(0.92 / 0.95)
    assert (good["seconds_of_full"], good["bytes_of_full"]) == (1, 0.1)


def test_without_the_full_set_there_are_no_shares_of_it() -> None:
    table = cost_ledger(runs_of({("random", 0.1): 0.9}))
    assert table[["accuracy_of_full", "seconds_of_full", "bytes_of_full"]].isna().all(axis=None)
