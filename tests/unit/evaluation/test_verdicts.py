"""Verdicts say what the numbers say, and the recommendation follows from them."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from petite.evaluation.costs import COST_COLUMNS, cost_ledger
from petite.evaluation.decision import recommend
from petite.evaluation.design import planned, planned_images
from petite.evaluation.groups import of_groups
from petite.evaluation.learning_curve import random_curve, random_curves
from petite.evaluation.new_images import NewImages
from petite.evaluation.recommendation import (
    Finding,
    Floor,
    ImageGroups,
    Kept,
    Recommendation,
    Step,
    Subset,
)
from petite.evaluation.rendering import as_markdown
from petite.evaluation.runs import Predictions
from petite.evaluation.sentences import STEPS
from petite.evaluation.statistics import mean_interval, two_way_interval
from petite.evaluation.verdicts import VERDICT_COLUMNS, compare
from petite.evaluation.wording import Wording
from petite.util.errors import PetiteError

WAVES = np.array([0.3, -1.0, 0.8, -0.4, 1.0, -0.7, 0.2, -0.2, 0.6, -0.6])
OTHERS = np.array([-0.5, 0.9, 0.1, -0.8, 0.4, 0.7, -1.0, 0.2, -0.3, 0.3])


def runs_of(
    means: dict[tuple[str, float], float], seeds: int = 8, noise: float = 0.002
) -> pd.DataFrame:
    """Runs with accuracies around `means`; every method has its own noise."""
    rows = []
    for number, ((method, fraction), mean) in enumerate(means.items()):
        wave = np.roll(WAVES if number % 2 else OTHERS, number)[:seeds]
        rows += [
            {
                "judge": "scratch",
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
    return compare(runs, tolerance, random_curves(runs)).set_index(["method", "fraction"])


def recommended(runs: pd.DataFrame, tolerance: float = 0.01) -> Recommendation:
    curve = random_curve(runs)
    return recommend(runs, compare(runs, tolerance, random_curves(runs)), tolerance, curve)


# ------------------------------------------------------------------------------ the verdicts


def test_the_table_has_its_columns_and_a_row_for_each_subset() -> None:
    runs = runs_of(MEANS)
    table = compare(runs, 0.01, random_curves(runs))
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
    # Six wins of six, next to a clear result with eight seeds: after Holm they pass.
    assert set(table_of(runs)["verdict"]) == {"not compared", "better"}
    lost = (runs["method"] == "near") & (runs["training_seed"] == 0)
    once = runs.assign(accuracy=runs["accuracy"].mask(lost, 0.9))
    assert table_of(once).loc[("near", 0.25), "verdict"] == "not distinguishable"
    assert recommended(once).basis.floor is None
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
    found = recommended(runs_of(MEANS, seeds=1)).comparison(Subset("good", 0.1))
    assert found.random is not None and found.full is not None
    for difference in (found.random.difference, found.full.difference):
        assert difference.seeds is None and difference.seeds_and_images is None


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
    table = compare(runs, 0.01, random_curves(runs))
    assert table.empty and list(table.columns) == VERDICT_COLUMNS
    found = recommend(runs, table, 0.01)
    assert (found.kind, found.kept) == ("keep_all", Kept("full", 1.0, seed=0, images=1000))
    assert found.findings == (Finding("nothing_tried"),)
    assert found.next_steps == (Step("train_subsets"),)
    assert found.comparisons == ()
    assert "nan" not in as_markdown(found)


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
    against = recommend(runs, table, 0.01).comparison(Subset("good", 0.1)).full
    assert against is not None
    assert against.difference.seeds == (row["full_low"], row["full_high"])
    assert against.difference.seeds_and_images == (
        row["full_new_images_low"],
        row["full_new_images_high"],
    )


def test_with_groups_the_interval_is_that_of_new_groups(kept) -> None:
    runs, files, right = kept
    numbers = np.arange(60) // 5
    row = compare(runs, 0.01, None, Predictions(files), groups=numbers).iloc[1]
    differences = right["good"].astype(np.int8) - right["random"].astype(np.int8)
    merged = of_groups(differences, np.full(60, 1 / 60), numbers)
    assert (row["new_images_low"], row["new_images_high"]) == pytest.approx(
        tuple(NewImages(*merged).interval())
    )


@pytest.mark.parametrize("groups", [1, 12])
def test_of_one_group_of_test_images_nothing_is_shown_for_others(kept, groups) -> None:
    runs, files, _ = kept
    for path in files:
        if path.parent.name == "random":
            csv = path.with_name(path.name.replace(".predictions.npz", ".csv"))
            csv.write_text(csv.read_text().replace("random,0.1", "full,1.0"))
    runs.loc[runs["method"] == "random", ["method", "fraction"]] = ["full", 1.0]
    numbers = np.arange(60) * groups // 60
    row = compare(runs, 0.5, None, Predictions(files), groups=numbers).set_index("method")
    by_image = compare(runs, 0.5, None, Predictions(files)).set_index("method")
    good = row.loc["good"]
    assert good["test_images"] == 60
    if groups == 1:
        assert good["full_new_images_loss_p_value"] == good["full_new_images_p_value"] == 1
        assert good["to_full"] == "too few test images"
    else:
        assert good["full_new_images_loss_p_value"] < 0.05
        # Twelve groups of five images instead of sixty images.
        assert good["least_tolerance"] > by_image.loc["good", "least_tolerance"]
        assert good["test_images_needed"] == 5 * by_image.loc["good", "test_images_needed"]


def test_the_answer_says_what_the_groups_are_worth_where_that_is_clearly_fewer(kept) -> None:
    runs, files, _ = kept
    table = compare(runs, 0.01, None, Predictions(files))

    def said(groups: ImageGroups | None) -> str:
        return Wording(recommend(runs, table, 0.01, groups=groups)).answer()

    assert "60 test images come from 6 groups" in said(ImageGroups(6, 60, 14.2, 0.36))
    assert "count as about 14 independent images (correlation 0.36" in said(
        ImageGroups(6, 60, 14.2, 0.36)
    )
    assert "each group counts once" in said(ImageGroups(6, 60, 6.0, None))
    assert said(ImageGroups(6, 60, 55.0, 0.01)) == said(None)


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
    with pytest.raises(PetiteError, match=re.escape(str(files[0]))):
        compare(runs, 0.01, None, predictions)
    files[0].unlink()
    with pytest.raises(PetiteError, match=f"{re.escape(str(files[0]))}.* missing"):
        compare(runs, 0.01, None, predictions)


# ---------------------------------------------------------------------- the recommendation


FULL, RANDOM = ("full", 1.0), ("random", 0.1)
GOOD, SAME = Subset("good", 0.1), Subset("same", 0.1)
ALL = Kept("full", 1.0, seed=0, images=1000)
TENTH = Kept("good", 0.1, seed=0, images=100)


@pytest.mark.parametrize(
    ("means", "seeds", "kind", "kept", "findings"),
    [
        (
            {FULL: 0.95, ("random", 0.5): 0.949, ("same", 0.5): 0.949},
            8,
            "keep_subset",
            Kept("random", 0.5, seed=0, images=500),
            [Finding("equivalent", Subset("random", 0.5)), Finding("random_enough_here")],
        ),
        (
            {FULL: 0.95, RANDOM: 0.9, ("good", 0.1): 0.949},
            8,
            "keep_subset",
            TENTH,
            [Finding("equivalent", GOOD), Finding("better_than_random", GOOD)],
        ),
        (
            {FULL: 0.95, RANDOM: 0.9, ("good", 0.1): 0.97},
            8,
            "keep_subset",
            TENTH,
            [Finding("not_worse", GOOD), Finding("better_than_random", GOOD)],
        ),
        (
            {FULL: 0.95, RANDOM: 0.9, ("good", 0.1): 0.92},
            8,
            "keep_all",
            ALL,
            [Finding("none_good_enough", GOOD), Finding("choosing_pays", GOOD)],
        ),
        (
            {FULL: 0.95, RANDOM: 0.9, ("same", 0.1): 0.9},
            8,
            "keep_all",
            ALL,
            [Finding("none_good_enough", SAME), Finding("random_enough", SAME)],
        ),
        (
            {FULL: 0.95, RANDOM: 0.9, ("bad", 0.1): 0.88, ("bad", 0.05): 0.7},
            8,
            "keep_all",
            ALL,
            [
                Finding("none_good_enough", Subset("random", 0.1)),
                Finding("random_enough", Subset("bad", 0.1)),
            ],
        ),
        (
            {FULL: 0.95, RANDOM: 0.9, ("good", 0.1): 0.949},
            3,
            "keep_all",
            ALL,
            [
                Finding("too_few_seeds", GOOD, seeds=(3, 3)),
                Finding("too_few_seeds_to_beat_random", GOOD, seeds=(3, 3)),
            ],
        ),
        (
            {FULL: 0.95, RANDOM: 0.9, ("good", 0.1): 0.949},
            5,
            "keep_all",
            ALL,
            [
                Finding("too_few_seeds", GOOD, seeds=(5, 5)),
                Finding("too_few_seeds_to_beat_random", GOOD, seeds=(5, 5)),
            ],
        ),
        (
            {RANDOM: 0.9, ("good", 0.1): 0.92},
            8,
            "keep_largest",
            TENTH,
            [Finding("choosing_pays", GOOD), Finding("full_set_not_trained")],
        ),
        (
            {FULL: 0.95, RANDOM: 0.9},
            8,
            "keep_all",
            ALL,
            [Finding("none_good_enough", Subset("random", 0.1)), Finding("no_method_compared")],
        ),
        (
            {FULL: 0.95, ("only", 0.5): 0.95, ("only", 0.1): 0.9},
            8,
            "keep_subset",
            Kept("only", 0.5, seed=0, images=500),
            [
                Finding("equivalent", Subset("only", 0.5)),
                Finding("not_compared_with_random", Subset("only", 0.5)),
            ],
        ),
        (
            {("only", 0.5): 0.95, ("only", 0.1): 0.9},
            8,
            "keep_largest",
            Kept("only", 0.5, seed=0, images=500),
            [Finding("no_method_compared"), Finding("full_set_not_trained")],
        ),
        (
            {FULL: 0.95, RANDOM: 0.95},
            8,
            "keep_subset",
            Kept("random", 0.1, seed=0, images=100),
            [Finding("equivalent", Subset("random", 0.1)), Finding("no_method_compared_here")],
        ),
        (
            {FULL: 0.95, RANDOM: 0.95, ("good", 0.1): 0.95, ("same", 0.1): 0.95},
            6,
            "keep_subset",
            Kept("random", 0.1, seed=0, images=100),
            [Finding("equivalent", Subset("random", 0.1)), Finding("too_few_seeds_here")],
        ),
    ],
)
def test_the_answer_follows_from_the_verdicts(means, seeds, kind, kept, findings) -> None:
    found = recommended(runs_of(means, seeds=seeds))
    assert (found.kind, found.kept, list(found.findings)) == (kind, kept, findings)
    assert (found.judge, found.dataset, found.metric, found.tolerance) == (
        *("scratch", "pets", "accuracy", 0.01),
    )
    assert found.chance is None and found.cautions == found.left_out == found.gaps == ()


@pytest.mark.parametrize(
    ("verdict", "to_full", "kind"),
    [
        ("not distinguishable", "equivalent", "indistinguishable_from_random"),
        ("too few seeds", "not worse", "too_few_seeds_against_random"),
    ],
)
def test_a_method_that_is_kept_without_being_better_than_random_says_so(
    verdict, to_full, kind
) -> None:
    runs = runs_of({FULL: 0.95, RANDOM: 0.9, ("good", 0.1): 0.949})
    table = compare(runs, 0.01)
    good = table["method"] == "good"
    table.loc[good, ["verdict", "to_full"]] = [verdict, to_full]
    table.loc[~good, "to_full"] = "not shown"
    assert recommend(runs, table, 0.01).findings == (
        Finding("equivalent" if to_full == "equivalent" else "not_worse", GOOD),
        Finding(kind, GOOD),
    )


def test_a_method_that_beats_random_but_is_not_shown_to_be_good_enough_is_named() -> None:
    runs = runs_of({FULL: 0.95, RANDOM: 0.949, ("good", 0.1): 0.97})
    table = compare(runs, 0.01)
    table.loc[table["method"] == "good", "to_full"] = "not shown"
    assert recommend(runs, table, 0.01).findings == (
        Finding("equivalent", Subset("random", 0.1)),
        Finding("other_method_better_here", GOOD),
    )


def test_the_record_has_the_numbers_of_the_tables() -> None:
    runs = runs_of(MEANS)
    table = compare(runs, 0.01, random_curves(runs))
    found = recommended(runs)
    assert [(one.method, one.fraction) for one in found.comparisons] == list(
        zip(table["method"], table["fraction"], strict=True)
    )
    row = table.set_index("method").loc["good"]
    one = found.comparison(GOOD)
    assert (one.share, one.images) == (row["share"], row["images"])
    assert one.random is not None and one.full is not None
    assert one.random.difference.mean == row["difference"]
    assert one.random.difference.confidence == 0.95
    assert one.random.difference.seeds == (row["low"], row["high"])
    assert (one.random.pairs, one.random.verdict) == (8, "better")
    assert (one.random.p_value, one.random.p_adjusted) == (row["p_value"], row["p_adjusted"])
    assert one.random.p_better == row["p_better"]
    assert one.random.smallest_effect == row["smallest_effect"]
    assert one.random.worth == row["multiplier_text"]
    assert one.full.difference.mean == row["full_difference"]
    assert one.full.difference.confidence == 0.9
    assert one.full.difference.seeds == (row["full_low"], row["full_high"])
    assert (one.full.pairs, one.full.verdict) == (8, "not shown")
    assert one.full.loss_p == row["full_loss_p_adjusted"]
    assert found.comparison(Subset("alone", 0.2)).random is None


def test_the_smallest_good_subset_is_recommended_and_random_where_nothing_beats_it() -> None:
    means = {
        ("full", 1.0): 0.95,
        ("random", 0.5): 0.949,
        ("random", 0.25): 0.95,
        ("a_same", 0.25): 0.95,
        ("random", 0.1): 0.9,
    }
    runs = runs_of(means)
    assert recommended(runs).kept == Kept("random", 0.25, seed=0, images=250)
    assert recommended(runs, 0.0001).kept == ALL
    runs = runs[runs["method"] != "full"]
    assert recommended(runs).kept == Kept("random", 0.5, seed=0, images=500)


def test_of_equal_means_the_first_by_name_is_recommended_whatever_the_order_of_the_runs() -> None:
    runs = runs_of({("full", 1.0): 0.95, ("b", 0.1): 0.95, ("a", 0.1): 0.95}, noise=0)
    for some in (runs, runs.iloc[::-1]):
        assert recommended(some).kept == Kept("a", 0.1, seed=0, images=100)


def test_without_random_among_them_accuracy_does_not_choose_between_methods_of_one_size() -> None:
    means = {("full", 1.0): 0.95, ("random", 0.1): 0.95, ("b", 0.1): 0.9501, ("a", 0.1): 0.95}
    runs = runs_of(means)
    table = compare(runs, 0.01)
    assert set(table["verdict"]) == {"not compared", "not distinguishable"}
    table.loc[table["method"] == "random", "to_full"] = "not shown"
    assert recommend(runs, table, 0.01).kept == Kept("a", 0.1, seed=0, images=100)


def test_what_is_shown_to_be_worse_than_random_is_not_recommended() -> None:
    runs = runs_of({("full", 1.0): 0.95, ("random", 0.1): 0.952, ("worse", 0.1): 0.948})
    table = compare(runs, 0.01).set_index("method")
    assert table.loc["worse", ["verdict", "to_full"]].tolist() == ["worse", "equivalent"]
    # Random is better still, but may be too noisy to be shown near the full set.
    table.loc["random", "to_full"] = "not shown"
    found = recommend(runs, table.reset_index(), 0.01)
    assert found.kept == ALL
    assert found.findings[0].kind == "none_good_enough"
    assert found.findings[0].but_for == ("worse_than_random",)


def test_a_subset_without_a_seed_in_common_with_the_full_set_is_not_called_the_nearest() -> None:
    runs = runs_of({("full", 1.0): 0.95, ("random", 0.5): 0.9, ("random", 0.1): 0.8})
    runs.loc[runs["fraction"] == 0.5, "training_seed"] += 100
    found = recommended(runs)
    assert found.findings[0] == Finding("none_good_enough", Subset("random", 0.1))
    nearest = found.comparison(Subset("random", 0.1)).full
    assert nearest is not None and nearest.difference.mean == pytest.approx(-0.15)
    alone = recommended(runs[runs["fraction"] != 0.1])
    assert alone.findings == (Finding("no_shared_seeds"),)


def test_it_says_how_sure_and_what_next() -> None:
    means = {("full", 1.0): 0.95, ("random", 0.1): 0.9, ("a", 0.1): 0.92, ("b", 0.1): 0.9}
    few = recommended(runs_of(means, seeds=6, noise=0.02))
    assert few.basis.floor == Floor(seeds=6, p=0.0625, seeds_needed=7)
    steps = {step.kind: step for step in few.next_steps}
    assert steps["more_seeds_to_decide"].seeds == 7
    assert (steps["more_seeds_to_see"].seeds or 0) > 7
    enough = recommended(runs_of(means))
    assert enough.basis.floor is None
    verdicts = [one.random.verdict for one in enough.comparisons if one.random]
    assert verdicts == ["better", "not distinguishable"]
    assert all(one.random.smallest_effect for one in enough.comparisons if one.random)


def test_a_step_for_what_was_not_trained_and_for_too_few_seeds_of_the_full_set() -> None:
    runs = runs_of({FULL: 0.95, RANDOM: 0.9, ("good", 0.1): 0.92})
    few = runs[(runs["method"] != "full") | (runs["training_seed"] < 3)]
    assert Step("more_seeds_of_full_set", seeds=6) in recommended(few).next_steps
    assert Step("train_full_set") in recommended(runs[runs["method"] != "full"]).next_steps
    assert Step("larger_fractions_or_more_seeds") in recommended(runs).next_steps


@pytest.mark.parametrize(("seeds", "were_seen"), [(5, False), (6, True), (10, True)])
def test_what_makes_a_run_exploratory_is_advised_for_a_new_run(seeds: int, were_seen: bool) -> None:
    found = recommended(runs_of({FULL: 0.95, RANDOM: 0.9, ("a", 0.1): 0.9}, seeds, noise=0.02))
    assert any("seeds" in step.kind for step in found.next_steps)
    assert (found.next_steps[-1] == Step("new_run", seeds=seeds)) == were_seen
    said = " ".join(Wording(found).next_steps())
    assert ("another split.seed" in said and "{looks: [" in said) == were_seen


def test_what_was_declared_counts_though_some_of_its_seeds_failed() -> None:
    runs = runs_of({FULL: 0.95, RANDOM: 0.9, ("a", 0.1): 0.9}, 5, noise=0.02)
    found = recommend(runs, compare(runs, 0.01), 0.01, seeds=7)
    assert found.next_steps[-1] == Step("new_run", seeds=7)


def test_no_new_run_is_advised_where_the_plan_need_not_change() -> None:
    near = recommended(runs_of({FULL: 0.95, ("random", 0.5): 0.9499, RANDOM: 0.8}, noise=0.0001))
    assert "new_run" not in {step.kind for step in near.next_steps}


def test_what_a_design_can_tell_is_said_before_it_is_run() -> None:
    # d = 1.435 for six pairs
    assert "a true difference of 1.43 points" in planned([6], 0.01)
    assert "cannot" not in planned([6], 0.01)
    assert "With 7 seeds" in planned([6, 6], 0.01)
    assert "pilot_sd" in planned([8], None)
    assert "Nothing is compared" in planned([], None)


def test_what_the_test_images_can_tell_is_said_before_anything_is_trained() -> None:
    halves, flawed = np.arange(200) % 2, np.repeat([0, 1], [198, 2])
    few = planned_images(halves, 5, 0.01)
    assert "200 test images cannot show that a subset loses less than 1 point of accuracy" in few
    assert "takes 459 or more (split.test, or more images in your own test set)" in few
    assert ", or an evidence.tolerance of 0.023 or more" in few
    assert planned_images(halves, 5, 0.05).endswith("just as well as the full set.")
    assert "of balanced accuracy" in planned_images(flawed, 1, 0.01)
    assert planned_images(flawed, 1, 0.01).endswith(
        "takes 14,978 or more (split.test, or more images in your own test set)."
    )
    assert "299 or more" in planned_images(flawed, 1, 0.01, "accuracy")
    assert "Nothing is compared" in planned_images(halves, 0, 0.01)


def test_advice_to_raise_split_test_also_says_what_to_do_with_a_test_set_of_ones_own() -> None:
    advice = [text for text in STEPS.values() if "split.test" in text]
    assert len(advice) == 4
    assert all("your own test set" in text for text in advice)


def test_groups_of_test_images_count_as_one_image_each_in_what_they_can_tell() -> None:
    labels, groups = np.arange(600) % 2, np.arange(600) // 30
    assert " can show" in planned_images(labels, 1, 0.02)
    few = planned_images(labels, 1, 0.02, groups=groups)
    assert "600 test images in 20 groups cannot show" in few
    # 149 of their own would suffice.
    assert f"takes {30 * 149:,} or more" in few


def test_the_curve_of_random_images_is_in_the_record() -> None:
    runs = runs_of(MEANS)
    curve, found = random_curve(runs), recommended(runs).curve
    assert curve is not None and found is not None
    assert (found.form, found.sizes) == ("power_law", 3)
    assert found.worst_miss == curve.worst_miss
    assert found.sufficient == curve.sufficient(0.01)
    assert found.sufficient is not None and 500 < found.sufficient.point.value < 1000
    assert recommended(runs_of({("random", 0.1): 0.9, ("good", 0.1): 0.92})).curve is None


def test_the_page_of_a_single_size_and_seed_is_whole() -> None:
    page = as_markdown(recommended(runs_of({("random", 0.1): 0.9, ("good", 0.1): 0.92}, seeds=1)))
    assert "no interval from one seed" in page and "no learning curve" in page
    assert "nan" not in page and "None" not in page


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
