"""Trainings that keep all images and see fewer of them: RS2 and InfoBatch."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_scratch import SETTINGS
from test_soft_labels import pictures, trainer, weights_of

from petite.training.augment import NOTHING
from petite.training.batches import Batches
from petite.training.loop import ScratchTrainer, TrainedRun, soft_targets, targets
from petite.training.scratch import check_settings
from petite.training.seeing import (
    InfoBatchSettings,
    RandomParts,
    Rs2Settings,
    SeeingSettings,
    WithoutEasy,
    batches_for,
    expected_share,
    seeing_of,
    without_easy,
)

HALF = Rs2Settings(seen=0.5)


def seen_by(seeing: SeeingSettings | None, **changes: Any) -> TrainedRun:
    """A run on 40 images of 3 classes."""
    images, labels = pictures(40, 3)
    settings = check_settings({**SETTINGS, "budget": {"steps": 20}, **changes})
    made = ScratchTrainer(10, 1, ["a", "b", "c"], settings, seeing=seeing)
    return made.train(images, labels, images[:9], labels[:9], 0)


def batches_of(seeing: SeeingSettings | None, count: int, size: int, steps: int = 100) -> Batches:
    return batches_for(seeing, np.arange(count), None, size, 0, NOTHING, steps=steps)


# ---------------------------------------------------------------- RS2


def test_rs2_without_replacement_is_a_training_on_all_images_with_fewer_steps() -> None:
    fewer = seen_by(HALF)
    short = trainer(3, budget={"steps": 10})
    images, labels = pictures(40, 3)
    assert weights_of(fewer) == weights_of(short.train(images, labels, images[:9], labels[:9], 0))
    assert (fewer.steps, fewer.examples_seen) == (10, 0.5)
    assert fewer.history[-1]["step"] == 10 and len(fewer.history) == 2


@given(st.integers(3, 60), st.sampled_from([0.1, 0.25, 0.5, 0.9]), st.integers(1, 9))
def test_every_pass_of_rs2_has_its_share_of_distinct_images(
    count: int, share: float, size: int
) -> None:
    part = max(1, round(share * count))
    drawn = batches_of(Rs2Settings(seen=share, replacement=True), count, size)
    rows, passes = (
        np.concatenate(found) for found in zip(*map(drawn.rows, range(4 * part)), strict=True)
    )
    for number in range(int(passes[-1])):
        here = rows[passes == number]
        assert len(here) == part == len(set(here))
    plain = batches_of(Rs2Settings(seen=share), count, size)
    rows = np.concatenate([plain.rows(step)[0] for step in range(-(-2 * count // size))])
    assert sorted(rows[:count]) == list(range(count)) == sorted(rows[count : 2 * count])


def test_rs2_with_replacement_sees_every_image_in_the_long_run_and_as_often() -> None:
    drawn = batches_of(Rs2Settings(seen=0.25, replacement=True), 40, 10)
    uses = np.bincount(np.concatenate([drawn.rows(step)[0] for step in range(2000)]), minlength=40)
    assert abs(uses / uses.mean() - 1).max() < 0.2
    first, second = (set(drawn.rows(step)[0]) for step in (0, 1))
    assert first != second


@pytest.mark.parametrize(("share", "steps"), [(0.25, 5), (0.3, 6), (0.01, 1), (0.99, 20)])
def test_rs2_takes_its_share_of_the_steps_rounded_up(share: float, steps: int) -> None:
    assert seen_by(Rs2Settings(seen=share)).steps == steps


# ---------------------------------------------------------------- InfoBatch


@given(st.lists(st.floats(0, 10), min_size=1, max_size=40), st.floats(0.05, 0.95))
def test_infobatch_skips_easy_images_alone_and_its_weights_add_up(
    losses: list[float], pruned: float
) -> None:
    found = np.array(losses)
    kept, weights = without_easy(found, pruned, 0, 0)
    easy = found < found.mean()
    assert set(np.flatnonzero(~easy)) <= set(kept) and (np.diff(kept) > 0).all()
    assert len(found) - len(kept) == int(easy.sum() * pruned)
    assert (weights[~easy[kept]] == 1).all()
    assert weights.sum() == pytest.approx(len(found))


def test_the_gradient_of_infobatch_is_expected_to_be_that_of_all_images() -> None:
    rng = np.random.default_rng(0)
    losses, gradients = rng.exponential(size=30), rng.normal(size=(30, 4))
    sums = []
    for number in range(4000):
        kept, weights = without_easy(losses, 0.6, 7, number)
        sums.append(weights @ gradients[kept])
    error = np.std(sums, axis=0) / np.sqrt(len(sums))
    assert (np.std(sums, axis=0) > 0).all()
    assert (abs(np.mean(sums, axis=0) - gradients.sum(axis=0)) < 4 * error).all()


def test_infobatch_sees_all_images_first_and_at_the_end_and_fewer_between() -> None:
    batches = batches_of(InfoBatchSettings(pruned=0.5, annealing=0.25), 40, 10, steps=40)
    assert isinstance(batches, WithoutEasy)
    done, of_pass = 0.0, {}
    for step in range(100):
        rows, passes = batches.rows(step)
        for row, number in zip(rows.tolist(), passes.tolist(), strict=True):
            of_pass.setdefault(number, []).append(row)
        batches.learn(rows, rows.astype(float))  # the first half has losses below the mean
        done += batches.stride(step)
        if done >= 40 - 1e-6:
            break
    sizes = [len(rows) for rows in of_pass.values()]
    assert sizes[0] == 40 == sizes[-2] and 30 in sizes
    assert set(sizes[:-1]) == {40, 30}
    for rows in list(of_pass.values())[:-1]:
        assert len(set(rows)) == len(rows) and set(range(20, 40)) <= set(rows)


def test_the_losses_that_infobatch_learns_are_those_of_the_images() -> None:
    images, labels = pictures(8, 3)
    made = ScratchTrainer(
        10, 1, [*"abc"], trainer(3, batch_size=8).settings, seeing=InfoBatchSettings()
    )
    model = made._logits_model
    loss, _, of_each = model.train_on_batch(images, targets(labels, 3))
    assert of_each.shape == (8,) and len(set(of_each.tolist())) == 8
    assert of_each.mean() == pytest.approx(float(loss), rel=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("classes", [2, 3])
def test_infobatch_does_not_take_an_image_for_hard_because_its_soft_label_is_unsure(
    classes: int, temperature: float
) -> None:
    rng = np.random.default_rng(0)
    settings = trainer(classes, batch_size=8, label_smoothing=0.0).settings
    names = [*"abc"][:classes]
    arguments = (10, 1, names, settings, 1, temperature, InfoBatchSettings())
    model = ScratchTrainer(*arguments)._logits_model
    labels = rng.dirichlet(np.ones(classes), 8).astype(np.float32)
    images, _ = pictures(8, classes)
    loss, _, of_each = model.train_on_batch(images, soft_targets(labels))
    entropy = -(labels * np.log(labels)).sum(axis=1).mean()
    assert of_each.mean() == pytest.approx(float(loss) - temperature**2 * entropy, rel=1e-3)
    # What the network says at the temperature is what the teacher said.
    logits = temperature * np.log(labels)
    logits = logits[:, 1:] - logits[:, :1] if classes == 2 else logits
    metric = model.metrics[-1].metrics[-1]
    metric.update_state(soft_targets(labels), logits.astype(np.float32))
    np.testing.assert_allclose(metric.result(), 0, atol=1e-4 * temperature**2)


def test_infobatch_saves_steps_and_gives_the_same_network_for_the_same_seed() -> None:
    one, other = (seen_by(InfoBatchSettings(), budget={"steps": 40}) for _ in range(2))
    assert 0.5 < one.examples_seen < 1 and one.steps == round(40 * one.examples_seen)
    assert weights_of(one) == weights_of(other)
    whole = seen_by(InfoBatchSettings(annealing=1.0))
    assert (whole.steps, whole.examples_seen) == (20, 1.0)
    for a, b in zip(whole.model.get_weights(), seen_by(None).model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_settings_are_those_of_the_named_method() -> None:
    assert seeing_of(None) is None
    assert seeing_of({"rs2": {"seen": 0.5}}) == HALF
    assert seeing_of({"infobatch": {}}) == InfoBatchSettings(pruned=0.5, annealing=0.125)
    assert expected_share({"rs2": {"seen": 0.1}}) == 0.1
    assert expected_share({"infobatch": {"annealing": 1.0}}) == 1.0
    assert expected_share({"infobatch": {"pruned": 0.5, "annealing": 0.0}}) == 0.75
    assert type(batches_of(None, 5, 2)) is Batches
    assert type(batches_of(HALF, 5, 2)) is RandomParts


@pytest.mark.parametrize("seeing", [HALF, InfoBatchSettings()])
def test_they_train_on_mixed_images_too(seeing: SeeingSettings) -> None:
    run = seen_by(seeing, mixup=0.4, cutmix=1.0, brightness=0.2)
    assert 0 < run.examples_seen < 1
    assert np.isfinite([row["loss"] for row in run.history]).all()
