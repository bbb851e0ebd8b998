"""Nothing is recommended where nothing was learned, and every table knows what chance gives."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from petite.evaluation.chance import AgainstChance, Chance, Circumstances
from petite.evaluation.decision import recommend
from petite.evaluation.learning_curve import random_curves
from petite.evaluation.metrics import metric_for, test_counts, with_measures
from petite.evaluation.recommendation import (
    Answers,
    Caution,
    Finding,
    Kept,
    Recommendation,
    Step,
    Subset,
)
from petite.evaluation.rendering import as_markdown
from petite.evaluation.runs import Predictions
from petite.evaluation.summary import summarize
from petite.evaluation.tables import markdown_table, other_shares, terminal_table
from petite.evaluation.verdicts import compare
from petite.training.metrics import evaluate
from petite.util.files import write_json

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
Given = dict[tuple[str, float], np.ndarray]
CIRCUMSTANCES = Circumstances(image_size=16, flips="random", largest_class=833, smallest_class=17)


def made_up(folder: Path, labels: np.ndarray, answers: Given) -> tuple[pd.DataFrame, Predictions]:
    """Runs of a split with 850 training images, which gave these answers (seeds, images)."""
    tables, files = [], []
    for (method, fraction), given in answers.items():
        one_hot = np.eye(labels.max() + 1, dtype=np.float32)[given]
        judged = [evaluate(probabilities, labels) for probabilities in one_hot]
        job = pd.DataFrame(
            {
                "judge": "scratch",
                "dataset": "weld",
                "method": method,
                "fraction": fraction,
                "images": round(850 * fraction),
                "split_seed": 0,
                "training_seed": range(len(given)),
                "model": "compact",
                "backend": "tensorflow",
                "precision": "float32",
                "budget": "150 steps",
                "steps": 150,
                "accuracy": [found["accuracy"] for found in judged],
                "worst_class_accuracy": [found["worst_class_accuracy"] for found in judged],
                "loss": 0.5,
                "confusion": [json.dumps(found["confusion"]) for found in judged],
                "train_accuracy": 0.98,
                "train_seconds": 1.0,
                "select_seconds": 0.1,
                "stored_bytes": 1000,
            }
        )
        files.append(folder / method / f"{fraction:g}" / f"seeds-0-{len(given) - 1}.csv")
        files[-1].parent.mkdir(parents=True)
        job.to_csv(files[-1], index=False)
        np.savez(
            files[-1].with_suffix(".predictions.npz"),
            image_ids=[f"{number}.png" for number in range(len(labels))],
            labels=labels.astype(np.int16),
            probabilities=one_hot,
            seeds=np.arange(len(given)),
        )
        tables.append(job)
    predictions = Predictions(path.with_suffix(".predictions.npz") for path in files)
    return with_measures(pd.concat(tables, ignore_index=True), 850), predictions


def judged(
    folder: Path,
    labels: np.ndarray,
    answers: Given,
    tolerance: float = 0.01,
    metric: str = "auto",
) -> tuple[Chance, Recommendation, pd.DataFrame]:
    runs, predictions = made_up(folder, labels, answers)
    metric = metric_for(test_counts(runs), metric)
    curves = random_curves(runs, metric)
    table = compare(runs, tolerance, curves, predictions, metric)
    names = [f"class{number}" for number in range(labels.max() + 1)]
    against = AgainstChance(runs, predictions, names, CIRCUMSTANCES)
    found = recommend(runs, table, tolerance, curves.get("original"), against)
    assert "nan" not in as_markdown(found)
    assert against.of_all is not None and found.chance == against.of_all
    return against.of_all, found, table


def constant(seeds: int, images: int, label: int = 0) -> np.ndarray:
    return np.full((seeds, images), label)


def right_in(labels: np.ndarray, share: float, seeds: int = 7, seed: int = 0) -> np.ndarray:
    """Answers that are right with this chance, and any class otherwise."""
    random = np.random.default_rng(seed)
    guesses = random.integers(0, labels.max() + 1, (seeds, len(labels)))
    return np.where(random.random(guesses.shape) < share, labels, guesses)


FLAWED = np.repeat([0, 1], [98, 2])  # as the test part of 980 good and 20 flawed
HALVES = np.arange(200) % 2


# --------------------------------------------------------------------------- what is learned


@pytest.mark.parametrize("seeds", [1, 2, 7])
def test_always_the_majority_is_nothing_learned_and_carries_no_recommendation(
    tmp_path, seeds
) -> None:
    always = constant(seeds, 100)
    chance, found, table = judged(
        tmp_path, FLAWED, {("full", 1.0): always, ("random", 0.05): always}
    )
    assert not chance.is_beaten and chance.never == ("class1",)
    assert (found.kind, found.kept) == ("keep_none", None)
    assert found.findings == (Finding("nothing_learned"),)
    assert (chance.constant, chance.test_images, chance.classes) == ("class0", 100, 2)
    assert (chance.accuracy, chance.constant_accuracy, chance.balanced_accuracy) == pytest.approx(
        (0.98, 0.98, 0.5)
    )
    assert chance.causes == (
        *("unequal_classes", "small_images", "hiding_flips", "few_steps", "labels_not_visible"),
    )
    assert (chance.steps, chance.circumstances) == (150, CIRCUMSTANCES)
    assert (table["full_loss_p_value"].dropna() > 0).all()
    assert "equivalent" not in set(table["to_full"]) and "not worse" not in set(table["to_full"])


@pytest.mark.parametrize(
    ("labels", "answers"),
    [
        (HALVES, right_in(HALVES, 0.0)),  # coins
        (HALVES, constant(7, 200)),
        (HALVES, np.repeat([[0], [1], [0], [1], [1], [0], [1]], 200, axis=1)),  # one class a seed
        (HALVES, 1 - right_in(HALVES, 0.2)),  # worse than coins
        (FLAWED, constant(7, 100, 1)),
        (FLAWED, (np.random.default_rng(1).random((7, 100)) < 0.02).astype(int)),  # by the shares
        (np.arange(9) % 3, np.arange(63).reshape(7, 9) // 3 % 3),
    ],
)
def test_answers_without_a_look_are_nothing_learned(tmp_path, labels, answers) -> None:
    chance, found, _ = judged(tmp_path, labels, {("full", 1.0): answers, ("random", 0.1): answers})
    assert not chance.is_beaten
    assert (found.kind, found.kept) == ("keep_none", None)


@pytest.mark.parametrize("share", [0.3, 0.6, 1.0])
@pytest.mark.parametrize("seeds", [1, 7])
def test_what_learned_is_not_held_back(tmp_path, share, seeds) -> None:
    answers = right_in(HALVES, share, seeds)
    chance, found, _ = judged(tmp_path, HALVES, {("full", 1.0): answers, ("random", 0.1): answers})
    assert chance.is_beaten
    assert found.kept is not None and found.left_out == ()


def test_a_class_that_is_never_answered_is_not_learned(tmp_path) -> None:
    labels = np.arange(90) % 3
    blind_to_one = np.where(labels == 2, 1, labels)[None].repeat(7, axis=0)
    chance, found, _ = judged(
        tmp_path, labels, {("full", 1.0): blind_to_one, ("random", 0.1): blind_to_one}
    )
    assert max(chance.accuracy_p, chance.balanced_p) < 0.01
    assert found.findings == (Finding("classes_not_learned"),)


def test_one_of_hundreds_of_classes_may_be_missing(tmp_path) -> None:
    labels = np.arange(300)
    all_but_one = np.where(labels == 7, 8, labels)[None].repeat(6, axis=0)
    chance, found, _ = judged(tmp_path, labels, {("full", 1.0): all_but_one})
    assert chance.is_beaten and chance.never == ("class7",)
    whole = Subset("full", 1.0)
    assert found.cautions == (
        Caution("classes_never_answered", whole, 850, count=1, of=300, classes=("class7",)),
    )


def test_trainings_that_failed_among_others_are_named(tmp_path) -> None:
    answers = right_in(HALVES, 0.9)
    answers[:2] = 0
    chance, found, _ = judged(tmp_path, HALVES, {("full", 1.0): answers, ("random", 0.1): answers})
    assert chance.is_beaten
    whole = Subset("full", 1.0)
    assert found.cautions == (Caution("runs_with_one_answer", whole, 850, count=2, of=7),)


def test_a_judge_that_finds_flaws_but_calls_more_than_a_constant_answer_is_told_apart(
    tmp_path,
) -> None:
    labels = np.repeat([0, 1], [180, 20])
    answers = labels.copy()
    answers[:40] = 1  # finds all flaws, and calls 40 good parts flawed
    answers = answers[None].repeat(7, axis=0)
    chance, found, _ = judged(tmp_path, labels, {("full", 1.0): answers})
    assert chance.balanced_p < 0.01 < chance.accuracy_p
    assert found.findings == (Finding("constant_answer_not_beaten"),)


def test_four_flaws_found_of_four_are_too_few_to_beat_a_constant_answer_and_five_are_not(
    tmp_path,
) -> None:
    for flaws in (4, 5):
        labels = np.repeat([0, 1], [200 - flaws, flaws])
        chance, found, _ = judged(tmp_path / str(flaws), labels, {("full", 1.0): labels[None]})
        assert chance.is_beaten == (flaws == 5)
        if flaws == 4:
            assert found.findings == (Finding("constant_answer_not_beaten"),)
            assert "too_few_test_images" in chance.causes and chance.test_images == 200


def test_too_few_test_images_to_show_that_anything_was_learned_are_named(tmp_path) -> None:
    labels = np.array([0, 0, 1, 1])
    chance, found, _ = judged(
        tmp_path, labels, {("full", 1.0): labels[None], ("random", 0.1): labels[None]}
    )
    assert chance.accuracy == 1 and not chance.is_beaten
    assert found.findings == (Finding("not_shown_to_learn"),)
    assert chance.causes[0] == "too_few_test_images" and chance.test_images == 4


def test_without_the_full_set_the_largest_subset_stands_for_it(tmp_path) -> None:
    good, bad = right_in(HALVES, 0.9), constant(7, 200)
    chance, _, _ = judged(tmp_path, HALVES, {("random", 0.1): bad, ("random", 0.5): good})
    assert (chance.method, chance.fraction, chance.trained_on) == ("random", 0.5, 425)
    assert chance.is_beaten


def test_of_classes_of_one_size_any_may_be_the_constant_answer(tmp_path) -> None:
    """Always answering class 1 does not beat always answering class 0."""
    for label in (0, 1):
        answers = constant(7, 200, label)
        chance, _, _ = judged(tmp_path / str(label), HALVES, {("full", 1.0): answers})
        assert chance.accuracy_p > 0.4


def test_the_export_of_nothing_says_why_and_how_to_name_a_subset(tmp_path) -> None:
    always = constant(7, 100)
    _, found, _ = judged(tmp_path, FLAWED, {("full", 1.0): always, ("random", 0.05): always})
    answers = Answers({"scratch": found})
    write_json(tmp_path / "recommendation.json", answers.to_json())
    done = subprocess.run(
        [sys.executable, SCRIPTS / "export.py", "--manifest", "-", "--split", "-", "--leaks", "-",
         "--source", "folder", "--path", tmp_path,
         "--recommendation", tmp_path / "recommendation.json",
         "--dataset", "weld", "--output", tmp_path / "out",
         "--settings", '{"choice": null, "subsets": {}, "formats": [], "max_bytes": 1}'],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "nothing to export" in done.stderr and "--config export=random:0.1" in done.stderr


# ------------------------------------------------------------------ subsets against chance


RARE = np.repeat([0, 1], [9900, 100])
HALF_OF_RARE = np.where(np.arange(10_000) < 9960, RARE, 0)[None].repeat(7, axis=0)


@pytest.mark.parametrize("methods", [["random"], ["random", "pca_grid"], ["herding"]])
def test_a_subset_that_always_answers_one_class_is_not_recommended(tmp_path, methods) -> None:
    """By accuracy it is within a point of models that find 60 of 100 rare images."""
    answers: Given = {("full", 1.0): HALF_OF_RARE}
    answers |= {(method, 0.1): constant(7, 10_000) for method in methods}
    chance, found, table = judged(tmp_path, RARE, answers, metric="accuracy")
    assert chance.is_beaten
    assert set(table["to_full"]) <= {"equivalent", "not worse"}  # the numbers alone would keep it
    assert found.kept == Kept("full", 1.0, seed=0, images=850)
    assert found.findings == (Finding("none_learned"),)
    assert [(one.method, one.fraction) for one in found.left_out] == [
        (method, 0.1) for method in sorted(methods, key=lambda name: (name != "random", name))
    ]
    for one in found.left_out:
        assert not one.is_above and one.balanced_accuracy == pytest.approx(0.5)
        assert (one.never, one.one_answer, one.runs) == (("class1",), 7, 7)
    steps = [step.kind for step in found.next_steps]
    assert {"smaller_tolerance", "balanced_metric", "larger_fractions"} <= {*steps}
    assert "smaller_fractions" not in steps


def test_the_smallest_subset_that_learned_is_recommended_and_the_smaller_one_named(
    tmp_path,
) -> None:
    answers = {
        ("full", 1.0): HALF_OF_RARE,
        ("random", 0.5): HALF_OF_RARE,
        ("random", 0.1): constant(7, 10_000),
    }
    _, found, _ = judged(tmp_path, RARE, answers, metric="accuracy")
    assert found.kept == Kept("random", 0.5, seed=0, images=425)
    assert found.findings[0] == Finding("equivalent", Subset("random", 0.5))
    assert [(one.method, one.fraction) for one in found.left_out] == [("random", 0.1)]
    steps = {step.kind for step in found.next_steps}
    assert not steps & {"larger_fractions", "larger_fractions_or_more_seeds", "smaller_fractions"}


def test_with_a_large_tolerance_a_subset_must_still_beat_chance(tmp_path) -> None:
    labels = np.arange(2000) % 2
    barely = right_in(labels, 0.12)
    coins = right_in(labels, 0.0, seed=1)
    _, found, table = judged(
        tmp_path, labels, {("full", 1.0): barely, ("random", 0.1): coins}, tolerance=0.1
    )
    assert table["to_full"].tolist()[0] in ("equivalent", "not worse")
    assert found.kind == "keep_all" and found.findings == (Finding("none_learned"),)
    assert [one.method for one in found.left_out] == ["random"]


def test_a_subset_that_never_answers_a_class_is_not_recommended(tmp_path) -> None:
    labels = np.repeat([0, 1, 2], [1000, 990, 10])
    whole = labels[None].repeat(7, axis=0)
    blind = np.where(labels == 2, 1, labels)[None].repeat(7, axis=0)
    answers = {("full", 1.0): whole, ("random", 0.1): blind}
    _, found, table = judged(tmp_path, labels, answers, tolerance=0.02, metric="accuracy")
    assert table["to_full"].tolist() == ["equivalent"]
    assert found.kind == "keep_all" and found.findings == (Finding("none_learned"),)
    (left_out,) = found.left_out
    assert left_out.method == "random" and left_out.is_above and left_out.never == ("class2",)


def test_too_few_test_images_are_not_said_of_a_subset_that_learned_nothing(tmp_path) -> None:
    labels = np.repeat([0, 1], [590, 10])
    answers = {
        ("full", 1.0): np.where(np.arange(600) < 595, labels, 0)[None].repeat(7, axis=0),
        ("random", 0.1): constant(7, 600),
    }
    _, found, table = judged(tmp_path, labels, answers, metric="accuracy")
    assert table["to_full"].tolist() == ["too few test images"]
    assert found.findings == (Finding("none_learned"),) and len(found.left_out) == 1
    assert not {"more_test_images", "more_test_images_as_models_differ"} & {
        step.kind for step in found.next_steps
    }


def test_without_the_full_set_the_subset_kept_is_one_that_learned(tmp_path) -> None:
    labels = np.arange(90) % 3
    whole = labels[None].repeat(7, axis=0)
    blind = np.where(labels == 2, 1, labels)[None].repeat(7, axis=0)
    answers = {("random", 0.5): whole, ("herding", 0.5): blind, ("pca_grid", 0.5): blind}
    _, found, _ = judged(tmp_path, labels, answers)
    assert found.kept is not None and found.kept.method == "random"
    assert {one.method for one in found.left_out} == {"herding", "pca_grid"}


@pytest.mark.parametrize(
    ("failed", "caution"),
    [
        ("full", Caution("runs_with_one_answer", Subset("full", 1.0), 850, count=1, of=10)),
        ("random", Caution("runs_with_one_answer", Subset("random", 0.1), 85, count=1, of=10)),
        ("herding", Caution("runs_with_one_answer", Subset("herding", 0.1), 85, count=1, of=10)),
    ],
)
def test_failed_runs_of_the_chosen_method_of_random_or_of_the_full_set_are_named(
    tmp_path, failed, caution
) -> None:
    labels = np.arange(1000) % 2
    answers = {
        ("full", 1.0): right_in(labels, 0.5, 10),
        ("random", 0.1): right_in(labels, 0.2, 10),
        ("herding", 0.1): right_in(labels, 0.9, 10),
    }
    next(given for (method, _), given in answers.items() if method == failed)[3] = 0
    _, found, _ = judged(tmp_path, labels, answers, tolerance=0.1)
    assert found.kept is not None and found.kept.method == "herding"
    assert found.cautions == (caution,)


# --------------------------------------------------------------------- steps that agree


@pytest.mark.parametrize("sizes", [[0.5], [0.5, 0.1]])
def test_no_smaller_fraction_is_advised_where_the_verdict_asks_for_larger_ones(
    tmp_path, sizes
) -> None:
    """The means are the same at each size, so that the curve is flat, but the runs are noisy."""
    labels = np.arange(2000) % 2
    shares = np.array([0.99, 0.4, 0.9, 0.2, 0.98, 0.6, 0.8])
    answers = {
        ("full", 1.0): np.vstack([right_in(labels, share, 1) for share in shares]),
    } | {
        ("random", size): np.vstack([right_in(labels, share, 1) for share in shares[::-1]])
        for size in sizes
    }
    _, found, table = judged(tmp_path, labels, answers)
    assert set(table["to_full"]) == {"not shown"}
    steps = {step.kind for step in found.next_steps}
    assert "larger_fractions_or_more_seeds" in steps and "smaller_fractions" not in steps


def test_smaller_fractions_are_advised_where_the_smallest_is_good_enough(tmp_path) -> None:
    labels = np.arange(2000) % 2
    answers = right_in(labels, 0.9)
    _, found, _ = judged(tmp_path, labels, {("full", 1.0): answers, ("random", 0.1): answers})
    assert Step("smaller_fractions", images=85) in found.next_steps
    assert not {"larger_fractions", "larger_fractions_or_more_seeds", "larger_tolerance"} & {
        step.kind for step in found.next_steps
    }


def test_the_seeds_that_are_too_few_are_counted(tmp_path) -> None:
    once = right_in(HALVES, 0.9, 1)
    answers = {("full", 1.0): once, ("random", 0.1): once, ("pca_grid", 0.1): once}
    _, found, _ = judged(tmp_path, HALVES, answers)
    assert [(one.kind, one.seeds) for one in found.findings] == [
        ("too_few_seeds", (1, 1)),
        ("too_few_seeds_to_beat_random", (1, 1)),
    ]


# ------------------------------------------------------------ what else is amiss is named


@pytest.mark.parametrize("labels", [[0, 1, 0, 1, 0], [0, 1], [0, 0, 1, 1], [0] * 40 + [1] * 4])
def test_where_all_is_right_but_the_test_images_are_too_few_nothing_else_is_blamed(
    tmp_path, labels
) -> None:
    labels = np.array(labels)
    right = labels[None].repeat(7, axis=0)
    chance, found, _ = judged(tmp_path, labels, {("full", 1.0): right, ("random", 0.5): right})
    assert found.kept is None
    assert chance.causes == ("too_few_test_images",) and chance.test_images == len(labels)
    assert found.next_steps == (Step("add_test_images", images=5),)
    assert chance.constant == "class0" and chance.of_other_classes == (labels != 0).sum() < 5


@pytest.mark.parametrize(("classes", "shift"), [(2, 1), (3, 1), (3, 2), (7, 3)])
def test_far_below_chance_a_swap_of_labels_is_likely(tmp_path, classes, shift) -> None:
    labels = np.arange(700) % classes
    answers = ((labels + shift) % classes)[None].repeat(7, axis=0)
    chance, found, _ = judged(tmp_path, labels, {("full", 1.0): answers, ("random", 0.5): answers})
    assert chance.is_far_below
    assert found.findings == (Finding("far_below_chance"),)
    assert chance.causes == ("swapped_labels", "swapping_flips")
    assert found.next_steps == (Step("compare_labels"), Step("disable_flips"))


@pytest.mark.parametrize("share", [0.0, 0.02])
def test_answers_by_chance_are_not_far_below_it(tmp_path, share) -> None:
    for classes in (2, 10):
        labels = np.arange(200) % classes
        answers = right_in(labels, share)
        chance, found, _ = judged(tmp_path / str(classes), labels, {("full", 1.0): answers})
        assert not chance.is_far_below and "swapped_labels" not in chance.causes
        assert found.findings != (Finding("far_below_chance"),)


@pytest.mark.parametrize("runs_agree", [False, True])
def test_classes_that_are_guessed_among_others_that_are_known_are_counted_and_named(
    tmp_path, runs_agree
) -> None:
    labels = np.arange(10_000) % 10
    guesses = np.random.default_rng(3).integers(3, 10, (7, len(labels)))
    if runs_agree:
        guesses[:] = guesses[0]
    answers = np.where(labels < 3, labels, guesses)
    chance, found, _ = judged(tmp_path, labels, {("full", 1.0): answers, ("random", 0.5): answers})
    assert chance.is_beaten
    assert {"class0", "class1", "class2"}.isdisjoint(chance.guessed)
    assert len(chance.guessed) == 7
    (caution,) = found.cautions
    assert (caution.kind, caution.count, caution.of) == ("classes_guessed", 7, 10)
    assert caution.classes == tuple(f"class{number}" for number in range(3, 10))


def test_two_classes_that_are_swapped_among_many_are_named(tmp_path) -> None:
    labels = np.arange(1000) % 10
    swapped = np.where(labels == 4, 5, np.where(labels == 5, 4, labels))[None].repeat(6, axis=0)
    chance, found, _ = judged(tmp_path, labels, {("full", 1.0): swapped})
    assert chance.guessed == ("class4", "class5")
    (caution,) = found.cautions
    assert (caution.kind, caution.count, caution.of) == ("classes_guessed", 2, 10)
    assert caution.classes == ("class4", "class5")


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_classes_that_are_known_are_not_called_guessed(tmp_path, classes) -> None:
    labels = np.arange(2000) % classes
    chance, _, _ = judged(tmp_path, labels, {("full", 1.0): right_in(labels, 0.5)})
    assert chance.guessed == ()


# ------------------------------------------------------------------- too few test images


def test_the_same_answers_on_few_images_are_too_few_test_images_and_it_says_how_many(
    tmp_path,
) -> None:
    answers = right_in(HALVES, 0.9)
    _, found, table = judged(tmp_path, HALVES, {("full", 1.0): answers, ("random", 0.1): answers})
    row = table.iloc[0]
    assert row["to_full"] == "too few test images"
    assert row["full_new_images_loss_p_value"] == pytest.approx(0.99**200, abs=0.01)
    assert row["test_images_needed"] == 299
    assert row["least_tolerance"] == pytest.approx(0.0149, abs=1e-4)
    assert found.kind == "keep_all"
    assert found.findings[0] == Finding("too_few_test_images", Subset("random", 0.1))
    assert (found.basis.test_images, found.basis.test_images_needed) == (200, 299)
    assert found.basis.least_tolerance == row["least_tolerance"]
    assert Step("more_test_images", images=299, tolerance=0.015) in found.next_steps


def test_enough_test_images_show_it(tmp_path) -> None:
    labels = np.arange(400) % 2
    answers = right_in(labels, 0.9)
    _, found, table = judged(tmp_path, labels, {("full", 1.0): answers, ("random", 0.1): answers})
    assert table["to_full"].tolist() == ["equivalent"]
    assert found.kept == Kept("random", 0.1, seed=0, images=85)
    assert found.findings[0] == Finding("equivalent", Subset("random", 0.1))
    against = found.comparison(Subset("random", 0.1)).full
    assert against is not None and against.difference.mean == 0
    low, high = against.difference.seeds_and_images or (0, 0)
    assert low < 0 < high


def test_a_loss_over_the_seeds_is_not_shown_whatever_the_number_of_images(tmp_path) -> None:
    answers = {("full", 1.0): right_in(HALVES, 0.95), ("random", 0.1): right_in(HALVES, 0.5)}
    _, found, table = judged(tmp_path, HALVES, answers)
    assert table["to_full"].tolist() == ["not shown"]
    assert found.findings[0] == Finding("none_good_enough", Subset("random", 0.1))


# ------------------------------------------------------------------------ balanced accuracy


@pytest.mark.parametrize(
    ("counts", "metric"),
    [
        ([100, 100], "accuracy"),
        ([100, 50], "accuracy"),
        ([101, 50], "balanced_accuracy"),
        ([98, 2], "balanced_accuracy"),
        ([5, 5, 5], "accuracy"),
        ([9, 4, 4], "balanced_accuracy"),
    ],
)
def test_balanced_accuracy_is_compared_where_a_class_has_more_than_twice_another(
    tmp_path, counts, metric
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    runs, _ = made_up(tmp_path, labels, {("full", 1.0): right_in(labels, 0.9)})
    assert metric_for(test_counts(runs)) == metric
    assert metric_for(test_counts(runs), "accuracy") == "accuracy"
    assert metric_for(test_counts(runs), "balanced_accuracy") == "balanced_accuracy"


def test_the_balanced_accuracy_is_the_mean_of_the_classes_whatever_their_sizes(tmp_path) -> None:
    labels = np.repeat([0, 1, 2], [90, 8, 2])
    answers = labels.copy()
    answers[[0, 1, 2, 90, 91, 98]] = [1, 2, 1, 0, 0, 0]  # 87 of 90, 6 of 8, 1 of 2
    runs, _ = made_up(tmp_path, labels, {("full", 1.0): answers[None].repeat(6, axis=0)})
    assert runs["balanced_accuracy"].tolist() == pytest.approx([(87 / 90 + 6 / 8 + 1 / 2) / 3] * 6)
    row = summarize(runs, "balanced_accuracy").iloc[0]
    assert row["balanced_accuracy_mean"] == pytest.approx((87 / 90 + 6 / 8 + 1 / 2) / 3)
    assert row["worst_class_accuracy_mean"] == 0.5
    assert row["metric"] == "balanced_accuracy"


def test_a_subset_that_loses_the_rare_class_alone_is_judged_by_it(tmp_path) -> None:
    """It loses half a point of accuracy, and a quarter of the rare class."""
    labels = np.repeat([0, 1], [980, 20])
    lost = labels.copy()
    lost[980:985] = 0
    answers = {
        ("full", 1.0): labels[None].repeat(7, axis=0),
        ("random", 0.5): lost[None].repeat(7, axis=0),
    }
    runs, predictions = made_up(tmp_path, labels, answers)
    by_metric = {
        metric: compare(runs, 0.02, None, predictions, metric).iloc[0]
        for metric in ("accuracy", "balanced_accuracy")
    }
    assert by_metric["accuracy"]["to_full"] == "equivalent"
    assert by_metric["balanced_accuracy"]["to_full"] == "not shown"
    assert by_metric["balanced_accuracy"]["full_difference"] == pytest.approx(-0.125)


def test_all_that_speaks_of_the_metric_names_it(tmp_path) -> None:
    labels = np.repeat([0, 1], [900, 300])
    answers = right_in(labels, 0.9)
    runs, predictions = made_up(
        tmp_path, labels, {("full", 1.0): answers, ("random", 0.1): answers}
    )
    metric = metric_for(test_counts(runs))
    curves, summary = random_curves(runs, metric), summarize(runs, metric)
    table = compare(runs, 0.02, curves, predictions, metric)
    found = recommend(runs, table, 0.02, curves.get("original"))
    assert found.metric == "balanced_accuracy"
    page = as_markdown(found)
    assert "Its balanced accuracy is" in page
    assert page.count("points of balanced accuracy") == 1
    assert "points of balanced accuracy, paired" in terminal_table(summary)
    assert "balanced accuracy" in markdown_table(summary, "weld")


def test_the_terminal_shows_balanced_accuracy_where_classes_are_unequal_and_fits(tmp_path) -> None:
    answers = {
        ("full", 1.0): constant(7, 100),
        ("a_long_name_of_a_method_" * 3, 0.05): constant(7, 100),
    }
    runs, _ = made_up(tmp_path, FLAWED, answers)
    for metric in ("accuracy", "balanced_accuracy"):
        lines = terminal_table(summarize(runs, metric), balanced=True).splitlines()
        assert max(map(len, lines)) <= 100
        assert "balanced, %" in lines[0] and "accuracy, %" in lines[0]
        assert "98.0" in lines[2] and "50.0" in lines[2]
    plain = terminal_table(summarize(runs, "accuracy"))
    assert "balanced" not in plain and "MB" in plain


# ------------------------------------------------------------------------------ real shares


def test_every_row_says_the_share_that_was_really_kept_and_why(tmp_path) -> None:
    labels = np.arange(300)
    answers = labels[None].repeat(7, axis=0)
    runs, predictions = made_up(
        tmp_path,
        labels,
        {("full", 1.0): answers, ("random", 0.1): answers, ("random", 0.5): answers},
    )
    runs.loc[runs["fraction"] == 0.1, "images"] = 283
    runs = with_measures(runs.drop(columns="share"), 850)
    summary = summarize(runs)
    assert summary["share"].tolist() == pytest.approx([1, 0.5, 283 / 850])
    for text in (terminal_table(summary), markdown_table(summary, "many")):
        assert "10% (33%)" in text and "50% (" not in text and "100% (" not in text
        assert "each class has at least one" in text
    table = compare(runs, 0.05, None, predictions)
    found = recommend(runs, table, 0.05)
    assert found.kept == Kept("random", 0.1, seed=0, images=283)
    assert found.comparison(found.kept).share == pytest.approx(283 / 850)
    page = as_markdown(found)
    assert re.search(r"283 images \(33% .* 10%, .*each class.*\) chosen at random", page)
    assert "| 10% (33%) |" in page


def test_a_full_set_of_which_seeds_have_parts_is_not_said_to_be_a_method_that_kept_fewer() -> None:
    table = pd.DataFrame({"fraction": [1.0, 0.5], "share": [0.89, 0.5]})
    assert "part of the training images" in other_shares(table)
    assert "kept fewer" not in other_shares(table)


def test_shares_that_rounding_alone_changes_are_not_spoken_of(tmp_path) -> None:
    runs, _ = made_up(tmp_path, HALVES, {("random", 0.05): right_in(HALVES, 0.9)})
    assert "(" not in terminal_table(summarize(runs)).splitlines()[2]


def test_what_only_a_program_of_the_users_knows_is_left_out_of_the_words(tmp_path) -> None:
    labels = np.repeat([0, 1], 100)
    answers: Given = {("full", 1.0): constant(7, 200), ("random", 0.1): constant(7, 200)}
    runs, predictions = made_up(tmp_path, labels, answers)
    runs = runs.assign(judge="mine", steps=np.nan, train_accuracy=np.nan)
    table = compare(runs, 0.01, None, predictions, "accuracy")
    against = AgainstChance(runs, predictions, ["a", "b"], CIRCUMSTANCES)
    found = recommend(runs, table, 0.01, None, against)
    assert found.chance is not None
    assert found.chance.steps is None and found.chance.train_accuracy is None
    assert "few_steps" not in found.chance.causes
    kinds = [step.kind for step in found.next_steps]
    assert "improve_program" in kinds and "train_longer" not in kinds
    text = as_markdown(found)
    assert "nan" not in text and "None" not in text and "training.budget" not in text
    values = json.loads(json.dumps(Answers({"mine": found}).to_json(), allow_nan=False))
    assert Answers.from_json(values).first == found


def test_chance_is_compared_with_by_groups_of_test_images(tmp_path) -> None:
    """All images of a group are answered alike: 8 groups show what 8 images do."""
    labels = np.repeat([0, 1], 80)
    groups = np.arange(160) // 20
    right = np.isin(groups, [0, 1, 2, 3, 4, 5])  # of class 1, half of the groups
    answers: Given = {("full", 1.0): np.where(right, labels, 1 - labels)[None]}
    runs, predictions = made_up(tmp_path, labels, answers)
    alone = AgainstChance(runs, predictions, ["a", "b"], CIRCUMSTANCES).of_all
    grouped = AgainstChance(runs, predictions, ["a", "b"], CIRCUMSTANCES, groups).of_all
    assert alone is not None and grouped is not None
    assert alone.accuracy == grouped.accuracy == 0.75
    assert alone.is_above and not grouped.is_above
    eight = np.arange(0, 160, 20)
    of_eight: Given = {("full", 1.0): answers["full", 1.0][:, eight]}
    (tmp_path / "eight").mkdir()
    runs, predictions = made_up(tmp_path / "eight", labels[eight], of_eight)
    expected = AgainstChance(runs, predictions, ["a", "b"], CIRCUMSTANCES).of_all
    assert expected is not None
    for name in ("accuracy_p", "balanced_p", "below_p"):
        assert getattr(grouped, name) == pytest.approx(getattr(expected, name))


@pytest.mark.parametrize(
    ("section", "flips", "length"),
    [
        ("training", "training.flips", "training.budget"),
        ("judges.fine_tune", "judges.fine_tune.flips", "judges.fine_tune.steps"),
    ],
)
def test_advice_names_the_settings_of_the_judge_that_trained(
    section: str, flips: str, length: str, tmp_path
) -> None:
    labels = np.repeat([0, 1], 100)
    answers: Given = {("full", 1.0): constant(7, 200), ("random", 0.1): constant(7, 200)}
    runs, predictions = made_up(tmp_path, labels, answers)
    table = compare(runs, 0.01, None, predictions, "accuracy")
    seen = replace(CIRCUMSTANCES, settings=section)
    found = recommend(runs, table, 0.01, None, AgainstChance(runs, predictions, ["a", "b"], seen))
    text = as_markdown(found)
    assert f"Set {flips} to none" in text and f"raise {length}." in text
