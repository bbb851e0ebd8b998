"""What new images gain, from the runs of a judge with and without them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from petite.evaluation.gains import COLUMNS, answer, bounds_of, gains
from petite.evaluation.verdicts import (
    BETTER,
    NOT_DISTINGUISHABLE,
    TOO_FEW,
    TOO_FEW_IMAGES,
    WORSE,
)
from petite.subsets.growing import ALL, KEPT, ORDER, RANDOM, cases_of

SEEDS = 7
ADDED = {KEPT: 0, ORDER: 20, RANDOM: 20, ALL: 80}


def write_runs(
    folder: Path, right: dict[tuple[str, float], float], images: int = 2000, seeds: int = SEEDS
) -> list[Path]:
    """Files of runs that are right on a share of the test images, each with its own noise."""
    paths = []
    labels = np.arange(images) % 2
    # The same images are easy for all: models of two cases differ on few.
    ease = np.random.default_rng(0).random(images)
    for number, ((case, size), share) in enumerate(right.items()):
        rng = np.random.default_rng(number + 1)
        is_right = np.stack([ease + rng.normal(0, 0.02, images) < share for _ in range(seeds)])
        answers = np.where(is_right, labels, 1 - labels)
        rows = []
        for seed in range(seeds):
            confusion = [[int(((labels == a) & (answers[seed] == b)).sum()) for b in (0, 1)]
                         for a in (0, 1)]  # fmt: skip
            rows.append(
                {
                    **dict.fromkeys(["dataset", "model", "backend", "budget", "precision"], "x"),
                    "judge": "scratch",
                    "method": case,
                    "fraction": size,
                    "images": 100 + ADDED[case],
                    "split_seed": 0,
                    "training_seed": seed,
                    "selection_seed": 0,
                    "accuracy": is_right[seed].mean(),
                    "confusion": json.dumps(confusion),
                }
            )
        path = folder / case / f"{size:g}" / f"seeds-0-{seeds - 1}.csv"
        path.parent.mkdir(parents=True)
        pd.DataFrame(rows).to_csv(path, index=False)
        np.savez(
            path.with_suffix(".predictions.npz"),
            image_ids=np.array([f"a/{place}" for place in range(images)]),
            labels=labels,
            probabilities=np.eye(2)[answers],
            seeds=np.arange(seeds),
        )
        paths.append(path)
    return paths


PLANTED = {(KEPT, 0.0): 0.8, (ORDER, 0.25): 0.9, (RANDOM, 0.25): 0.84, (ALL, 1.0): 0.7}


def test_planted_gains_and_losses_are_found(tmp_path: Path) -> None:
    table = gains(write_runs(tmp_path, PLANTED), "accuracy")
    assert list(table) == COLUMNS
    found = table.set_index(["case", "against"])
    assert found.loc[(ORDER, KEPT), "verdict"] == BETTER
    assert found.loc[(RANDOM, KEPT), "verdict"] == BETTER
    assert found.loc[(ALL, KEPT), "verdict"] == WORSE
    assert found.loc[(ORDER, RANDOM), "verdict"] == BETTER
    assert found.loc[(ORDER, KEPT), "difference"] == pytest.approx(0.1, abs=0.02)
    assert found.loc[(ORDER, KEPT), "added"] == 20
    assert (RANDOM, RANDOM) not in found.index


def test_the_interval_over_images_is_around_the_difference(tmp_path: Path) -> None:
    for _, row in gains(write_runs(tmp_path, PLANTED), "accuracy").iterrows():
        assert row["new_images_low"] <= row["low"] < row["difference"] < row["high"]
        assert row["high"] <= row["new_images_high"]
        assert row["kept_low"] < row["kept_value"] < row["kept_high"]


def test_the_interval_of_the_kept_images_covers_both_seeds_and_images() -> None:
    """Where both make the accuracy vary as much: the outer ones of both intervals cover 87%."""
    seeds, images, accuracy, spread = 30, 300, 0.8, 0.12
    weights, covered = np.full(images, 1 / images), 0
    for number in range(300):
        rng = np.random.default_rng(number)
        ease = rng.random(images)
        shares = rng.normal(accuracy, spread, seeds)
        right = pd.DataFrame(ease < shares[:, None])
        low, high = bounds_of(right, right.mean(axis=1).to_numpy(), 0.0, weights, None)
        covered += low <= accuracy <= high
    assert covered / 300 > 0.925


def test_without_a_difference_there_is_no_gain(tmp_path: Path) -> None:
    table = gains(write_runs(tmp_path, dict.fromkeys(PLANTED, 0.8)), "accuracy")
    assert set(table["verdict"]) == {NOT_DISTINGUISHABLE}


def test_a_gain_on_a_few_test_images_is_not_one_on_new_images(tmp_path: Path) -> None:
    planted = {(KEPT, 0.0): 0.5, (ALL, 1.0): 0.62}
    table = gains(write_runs(tmp_path, planted, images=24), "accuracy")
    assert table["difference"].item() > 0.03
    assert table["verdict"].item() == TOO_FEW_IMAGES


def test_few_seeds_are_no_verdict(tmp_path: Path) -> None:
    table = gains(write_runs(tmp_path, PLANTED, seeds=3), "accuracy")
    assert set(table["verdict"]) == {TOO_FEW}


def test_the_answer_has_an_interval_for_every_difference(tmp_path: Path) -> None:
    table = gains(write_runs(tmp_path, PLANTED), "accuracy")
    heading, some, everything = answer(table, 80)
    assert heading.count("[") == heading.count("%") == 1
    assert "20 of 80" in some
    assert some.count("[") == some.count("points") == 3
    assert "80 of 80" in everything
    assert everything.count("[") == everything.count("points") == 1


@pytest.mark.parametrize("sizes", [[0.2], [1.0], [0.2, 0.5, 1.0]])
def test_each_size_has_its_cases_and_all_images_have_one(sizes: list[float]) -> None:
    cases = cases_of(sizes)
    assert cases[0] == (KEPT, 0.0)
    assert len(cases) == len(set(cases)) == 1 + 2 * len([s for s in sizes if s < 1]) + (1 in sizes)
