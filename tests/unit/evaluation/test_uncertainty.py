"""The answer names the larger part of its uncertainty, and what would narrow it."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from petite.evaluation.decision import recommend
from petite.evaluation.looks import Looks
from petite.evaluation.metrics import ACCURACY
from petite.evaluation.new_images import NewImages
from petite.evaluation.recommendation import Recommendation, Step, Subset
from petite.evaluation.rendering import as_markdown
from petite.evaluation.runs import Predictions
from petite.evaluation.uncertainty import Spread, Uncertainties
from petite.evaluation.verdicts import compare
from petite.evaluation.wording import Wording

# ---------------------------------------------------------------------------------- the formula


def differences(
    n: int, images: int, differing: float = 0.0, lasting: float = 0.0, of_seeds: float = 0.0
) -> np.ndarray:
    """Differences of two equally good models.

    differing: the share of images on which a pair of runs differs, by chance in each pair.
    lasting: the share on which all pairs differ. of_seeds: the sd of the pairs' means.
    """
    rng = np.random.default_rng(0)
    u, v = rng.random(images), rng.random((n, images))
    shift = rng.normal(0, of_seeds, (n, 1)) / 2
    chance = np.where(v < differing / 2 - shift, -1, np.where(v > 1 - differing / 2 - shift, 1, 0))
    fixed = np.where(u < lasting / 2, -1, np.where(u > 1 - lasting / 2, 1, 0))
    return np.where(fixed != 0, fixed, chance).astype(np.int8)


def spread_of(values: np.ndarray, luck: float = 0.0) -> Spread:
    images = values.shape[1]
    return Spread.of(NewImages(values, np.full(images, 1 / images), luck=luck), 0.9)


def test_what_all_seeds_have_in_common_is_of_the_images_and_what_differs_is_of_the_seeds() -> None:
    assert spread_of(differences(7, 500, lasting=0.1)).larger == "images"
    assert spread_of(differences(7, 500, differing=0.1, of_seeds=0.05)).larger == "seeds"
    # The same, with the luck of lists that share their images.
    assert spread_of(differences(7, 500, differing=0.1), luck=0.01).larger == "lists"


@pytest.mark.parametrize(
    ("n", "images", "case"),
    [
        (7, 300, {"lasting": 0.05}),
        (7, 2_000, {"differing": 0.1, "of_seeds": 0.03}),
        (10, 200, {"differing": 0.05}),
        (7, 300, {}),  # all agree
    ],
)
def test_the_formula_gives_about_the_interval_that_it_is_for(n, images, case) -> None:
    values = differences(n, images, **case)
    low, high = NewImages(values, np.full(images, 1 / images)).interval(0.9)
    assert spread_of(values).half_width() == pytest.approx((high - low) / 2, rel=0.15)


def test_more_seeds_and_more_images_narrow_only_their_own_part() -> None:
    lasting = spread_of(differences(7, 500, lasting=0.1))
    assert lasting.half_width(seeds=700) == pytest.approx(lasting.half_width(), rel=0.02)
    assert lasting.half_width(images=50_000) < lasting.half_width() / 9
    noisy = spread_of(differences(7, 5_000, differing=0.1, of_seeds=0.05))
    assert noisy.half_width(images=500_000) == pytest.approx(noisy.half_width(), rel=0.05)
    assert noisy.half_width(seeds=700) < noisy.half_width() / 5
    # What differs by chance in each run and image is averaged out by both.
    chance = spread_of(differences(7, 5_000, differing=0.3))
    assert chance.half_width(seeds=70) < chance.half_width() / 2


def test_one_seed_or_one_group_of_images_has_no_parts() -> None:
    for shape in ((1, 100), (5, 1), (0, 0)):
        values = np.zeros(shape, np.int8)
        weights = np.full(shape[1], 1 / max(shape[1], 1))
        assert not NewImages(values, weights).is_known


# ----------------------------------------------------------------------------------- the answer

FULL, SMALL = ("full", 1.0), ("random", 0.5)


def written(folder, values: np.ndarray, base: float = 0.9) -> tuple[pd.DataFrame, Predictions]:
    """Runs of the full set and of random whose answers differ by `values` (seeds, images)."""
    n, images = values.shape
    rng = np.random.default_rng(1)
    right_full = np.where(values == 0, rng.random(images) < base, values < 0)
    files, tables = [], []
    for (method, fraction), right in ((FULL, right_full), (SMALL, right_full + values == 1)):
        path = folder / method / f"seeds-0-{n - 1}.predictions.npz"
        path.parent.mkdir(parents=True)
        runs = pd.DataFrame(
            {
                **{"judge": "scratch", "dataset": "pets", "model": "compact"},
                **{"backend": "tensorflow", "precision": "float32", "budget": "100 steps"},
                **{"method": method, "fraction": fraction, "images": round(1000 * fraction)},
                **{"split_seed": 0, "training_seed": range(n), "selection_seed": range(n)},
                **{"accuracy": right.mean(axis=1), "share": fraction},
                **{"train_seconds": 10.0, "select_seconds": 2.0, "proxy_seconds": 0.0},
                **{"stored_bytes": 1e6 * fraction, "peak_memory_bytes": 10**9},
            }
        )
        runs.to_csv(path.with_name(f"seeds-0-{n - 1}.csv"), index=False)
        np.savez(
            path,
            image_ids=np.array([f"{number}.png" for number in range(images)]),
            labels=np.zeros(images, np.int16),
            probabilities=np.eye(2, dtype=np.float32)[1 - right.astype(int)],
            seeds=np.arange(n),
        )
        files.append(path)
        tables.append(runs)
    return pd.concat(tables, ignore_index=True), Predictions(files)


def answered(
    folder,
    values: np.ndarray,
    tolerance: float = 0.01,
    groups: np.ndarray | None = None,
    looks: Looks | None = None,
) -> Recommendation:
    runs, predictions = written(folder, values)
    table = compare(runs, tolerance, None, predictions, groups=groups)
    uncertainties = Uncertainties(predictions, runs, ACCURACY, tolerance, groups, looks)
    return recommend(runs, table, tolerance, looks=looks, uncertainties=uncertainties)


def said(found: Recommendation) -> str:
    return " ".join(Wording(found).next_steps())


def test_where_the_images_limit_the_answer_more_seeds_are_said_to_be_of_no_use(tmp_path) -> None:
    found = answered(tmp_path, differences(7, 400, lasting=0.06))
    parts = found.uncertainty
    assert parts is not None and (parts.subset, parts.against) == (Subset(*SMALL[:2]), "full")
    assert parts.larger == "images" and (parts.seeds, parts.test_images) == (7, 400)
    against = found.comparison(parts.subset).full
    assert against is not None and against.difference.seeds_and_images is not None
    low, high = against.difference.seeds_and_images
    assert parts.half_width == pytest.approx((high - low) / 2)
    assert parts.with_any_seeds > 0.01 > parts.with_any_images
    (needed,) = parts.needed
    assert needed.seeds == 7 and 1_000 < needed.images < 4_000
    kinds = [step.kind for step in found.next_steps]
    assert "more_test_images_instead_of_seeds" in kinds
    assert "larger_fractions_or_more_seeds" not in kinds
    assert "More seeds are not enough" in said(found)
    assert "the test images are the larger part" in as_markdown(found)


def test_where_the_seeds_limit_the_answer_their_number_is_said(tmp_path) -> None:
    found = answered(tmp_path, differences(6, 4_000, differing=0.1, of_seeds=0.05))
    parts = found.uncertainty
    assert parts is not None and parts.larger == "seeds"
    (needed,) = parts.needed
    assert needed.images == 4_000 and needed.seeds > 20
    assert f"about {needed.seeds} seeds" in said(found)
    assert "the seeds are the larger part" in as_markdown(found)


def test_where_one_alone_is_not_enough_both_are_asked_for(tmp_path) -> None:
    found = answered(tmp_path, differences(6, 300, lasting=0.06, differing=0.1, of_seeds=0.06))
    parts = found.uncertainty
    assert parts is not None
    (needed,) = parts.needed
    assert needed.seeds > 6 and needed.images > 300
    assert f"about {needed.seeds} seeds" in said(found) and " alone leave ±" in said(found)


def test_nothing_more_is_asked_for_once_the_answer_is_decided(tmp_path) -> None:
    found = answered(tmp_path, differences(7, 2_000, lasting=0.001))
    assert found.kind == "keep_subset"
    assert found.uncertainty is not None and found.uncertainty.needed == ()
    lost = answered(tmp_path / "lost", np.full((7, 400), -1, np.int8) * (np.arange(400) < 80))
    assert lost.kind == "keep_all"
    # Certain to lose more than the tolerance: no test image changes that.
    assert lost.uncertainty is not None and lost.uncertainty.needed == ()


def test_where_few_images_are_missing_the_number_is_that_which_shows_the_present_difference(
    tmp_path,
) -> None:
    # On these images and for new seeds, at most 5 points are lost; over images, that is just open.
    values = np.repeat(np.repeat([-1, 1, 0], [16, 10, 174])[None], 7, axis=0).astype(np.int8)
    found = answered(tmp_path, values, tolerance=0.06)
    assert found.findings[0].kind == "too_few_test_images"
    parts = found.uncertainty
    assert parts is not None and parts.target == pytest.approx(0.03, rel=0.01)
    assert parts.target < parts.half_width < 0.06
    (needed,) = parts.needed
    assert 200 < needed.images < 1_000
    more = np.tile(values, (1, math.ceil(needed.images / 200)))
    assert answered(tmp_path / "more", more, tolerance=0.06).kind == "keep_subset"


def test_with_groups_the_images_asked_for_are_of_as_many_more_groups(tmp_path) -> None:
    values = np.repeat(differences(7, 80, lasting=0.2), 5, axis=1)
    alone = answered(tmp_path / "alone", values).uncertainty
    together = answered(tmp_path / "groups", values, groups=np.arange(400) // 5).uncertainty
    assert alone is not None and together is not None
    assert together.needed[0].images > 3 * alone.needed[0].images


def test_at_looks_the_uncertainty_is_that_of_the_seeds_of_its_look(tmp_path) -> None:
    runs, predictions = written(tmp_path, differences(10, 400, lasting=0.06))
    looks = Looks.of({"seeds": [7, 10], "levels": [0.03, 0.02]})
    row = compare(runs[runs["training_seed"] < 7], 0.01, None, predictions.of_seeds_below(7)).iloc[
        0
    ]
    found = Uncertainties(predictions, runs, ACCURACY, 0.01, None, looks).of(row, "full")
    assert found is not None and found.seeds == 7


def test_without_predictions_nothing_is_said_of_the_parts(tmp_path) -> None:
    runs, _ = written(tmp_path, differences(7, 400, lasting=0.06))
    table = compare(runs, 0.01)
    none = Uncertainties(Predictions([]), runs, ACCURACY, 0.01)
    found = recommend(runs, table, 0.01, uncertainties=none)
    assert found.uncertainty is None and "larger part" not in as_markdown(found)


def test_numbers_that_are_estimates_are_rounded_up_to_two_digits(tmp_path) -> None:
    found = answered(tmp_path, differences(7, 400, lasting=0.06))
    step = Step("more_test_images_instead_of_seeds", images=1_234)
    text = said(replace(found, next_steps=(step,)))
    assert "about 1,300 test images" in text and "1,234" not in text


def test_either_remedy_is_named_where_each_would_do(tmp_path) -> None:
    found = answered(tmp_path, differences(12, 1_000, differing=0.06), tolerance=0.0045)
    assert found.uncertainty is not None
    by_seeds, by_images = found.uncertainty.needed
    assert by_seeds.seeds > 12 and by_seeds.images == 1_000
    assert by_images.seeds == 12 and by_images.images > 1_000
    assert f"about {by_seeds.seeds} seeds" in said(found)
    assert "more_seeds_or_test_images" in {step.kind for step in found.next_steps}
