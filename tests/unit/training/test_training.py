"""Batches, schedule and the training loop, with real (small) trainings."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from petite.networks.backend import dtype_policy, load_keras
from petite.training.augment import Augmentation, Mix, drawn_mix, shifted, zoomed
from petite.training.batches import Batches
from petite.training.loop import ScratchTrainer, TrainedRun, predict, train
from petite.training.schedule import learning_rates
from petite.training.settings import TrainingSettings
from petite.training.soft_views import brightened, mirrored
from petite.util.errors import PetiteError

SMALL: dict[str, Any] = {
    "compact": {"widths": [8, 16], "halvings": [1], "residual_blocks": [0]},
    "budget": {"steps": 6},
    "batch_size": 8,
    "evaluations": 2,
}


def settings(**changes: Any) -> TrainingSettings:
    return TrainingSettings.model_validate({**SMALL, **changes})


def bars(count: int, classes: int = 2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noisy gray 12x12 images with a bright band; the band's height is the class."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    images = random.integers(0, 120, (count, 12, 12, 1))
    for image, label in zip(images, labels, strict=True):
        start = label * 12 // classes
        image[start : start + 12 // classes] += 120
    return images.astype(np.uint8), labels


def names(classes: int) -> list[str]:
    return [f"band {number}" for number in range(classes)]


def trained(
    images: np.ndarray, labels: np.ndarray, seed: int = 0, classes: int = 2, **changes: Any
) -> TrainedRun:
    """A run without validation images."""
    return train(images, labels, images[:0], labels[:0], names(classes), seed, settings(**changes))


def weights_of(run: TrainedRun) -> list[bytes]:
    return [array.tobytes() for array in run.model.get_weights()]


@pytest.fixture(scope="module")
def plain() -> TrainedRun:
    """Thirty images, six steps, no validation images."""
    return trained(*bars(30))


# ---------------------------------------------------------------- batches


def batches_of(count: int, batch_size: int, seed: int = 0, **changes: Any) -> Batches:
    return Batches(np.arange(count), None, batch_size, seed, Augmentation(**changes))


@given(st.integers(1, 40), st.integers(1, 20), st.integers(1, 15), st.integers(0, 9))
def test_batches_are_full_and_use_every_row_once_a_pass(
    count: int, batch_size: int, steps: int, seed: int
) -> None:
    batches = batches_of(count, batch_size, seed)
    drawn = [batches.rows(step)[0] for step in range(steps)]
    assert {len(rows) for rows in drawn} == {batch_size}
    uses = np.bincount(np.concatenate(drawn), minlength=count)
    assert uses.max() - uses.min() <= 1


def test_a_set_smaller_than_a_batch_is_cycled_evenly() -> None:
    rows, epochs = batches_of(count=3, batch_size=8).rows(0)
    assert sorted(np.bincount(rows).tolist()) == [2, 3, 3]
    assert epochs.tolist() == [0, 0, 0, 1, 1, 1, 2, 2]


def test_each_pass_has_an_order_of_its_own_and_each_seed_too() -> None:
    first, second = (batches_of(50, 50).rows(step)[0].tolist() for step in (0, 1))
    other = batches_of(50, 50, seed=1).rows(0)[0].tolist()
    assert len({tuple(first), tuple(second), tuple(other)}) == 3


def test_a_batch_depends_on_its_step_only() -> None:
    images, _ = bars(20)
    batches = batches_of(20, 8, flips="random", crop_padding=0.2)
    expected = batches.batch(5, images)
    for step in (0, 4, 9):
        batches.batch(step, images)
    again = batches.batch(5, images)
    assert (again.images == expected.images).all()
    assert (again.labels == expected.labels).all()


def test_without_augmentation_the_pixels_stay_as_they_are() -> None:
    images, _ = bars(20)
    batch = batches_of(20, 8).batch(0, images)
    assert (batch.images == images[batch.labels]).all()  # labels are row numbers here


def test_images_labels_and_weights_stay_together() -> None:
    images, _ = bars(10)
    weights = np.linspace(0.5, 1.5, 10).astype(np.float32)
    batches = Batches(np.arange(10), weights, 6, seed=0)
    batch = batches.batch(3, images)
    assert batch.weights is not None
    assert (batch.weights == weights[batch.labels]).all()
    assert (batch.images == images[batch.labels]).all()


def test_alternating_flips_show_both_sides_in_turn() -> None:
    images = np.random.default_rng(0).integers(0, 256, (10, 4, 4, 1), dtype=np.uint8)
    batches = batches_of(10, 10, flips="alternating")
    flipped = []
    for step in (0, 1, 2):
        batch = batches.batch(step, images)
        by_row = batch.images[np.argsort(batch.labels)]
        flipped.append((by_row != images).any(axis=(1, 2, 3)))
        assert (mirrored(by_row, flipped[-1]) == images).all()
    assert (flipped[0] != flipped[1]).all()
    assert (flipped[0] == flipped[2]).all()
    assert 0 < flipped[0].sum() < 10


def test_random_flips_turn_about_half_of_the_images() -> None:
    images = np.random.default_rng(0).integers(0, 256, (400, 4, 4, 1), dtype=np.uint8)
    batch = batches_of(400, 400, flips="random").batch(0, images)
    turned = (batch.images != images[batch.labels]).any(axis=(1, 2, 3))
    assert 150 < turned.sum() < 250


def test_shifts_are_crops_of_the_image_with_mirrored_edges() -> None:
    image = np.arange(36, dtype=np.uint8).reshape(1, 6, 6, 1)
    many = np.repeat(image, 200, axis=0)
    result = shifted(many, 0.3, np.random.default_rng(0))  # 2 pixels
    padded = np.pad(image[0, :, :, 0], 2, mode="reflect")
    possible = {padded[y : y + 6, x : x + 6].tobytes() for y in range(5) for x in range(5)}
    assert {crop[:, :, 0].tobytes() for crop in result} == possible


@given(st.integers(1, 4), st.integers(5, 9), st.integers(5, 9), st.sampled_from([1, 3]))
def test_a_part_of_an_image_has_its_size_and_its_colors(
    count: int, height: int, width: int, channels: int
) -> None:
    plain = np.full((count, height, width, channels), 90, np.uint8)
    seen = zoomed(plain, 0.3, np.random.default_rng(0))
    assert seen.dtype == np.uint8 and (seen == plain).all() and seen.shape == plain.shape


def test_parts_have_at_least_the_smallest_area_and_lie_anywhere() -> None:
    ramp = np.arange(100, dtype=np.uint8)
    across = np.broadcast_to(ramp, (1, 100, 100))
    both = np.stack([across, across.transpose(0, 2, 1), across * 0], axis=-1)
    many = np.repeat(both, 500, axis=0)
    seen = zoomed(many, 0.25, np.random.default_rng(0)).astype(float)
    # A part is as wide as the values in its columns are far apart.
    widths = (seen[:, 50, -1, 0] - seen[:, 50, 0, 0]) / 99
    heights = (seen[:, -1, 50, 1] - seen[:, 0, 50, 1]) / 99
    areas = widths * heights
    assert 0.23 < areas.min() < 0.3 and 0.93 < areas.max() <= 1
    assert 0.7 < (widths / heights).min() < 0.8 and 1.25 < (widths / heights).max() < 1.4
    lefts, rights = seen[:, 50, 0, 0], seen[:, 50, -1, 0]
    assert lefts.min() < 2 and rights.max() > 97 and lefts.max() > 40
    assert (seen[:, :, :, 2] == 0).all()


def test_brightness_multiplies_each_channel_of_each_image_by_a_factor_of_its_own() -> None:
    gray = np.full((300, 4, 4, 3), 100, np.uint8)
    seen = batches_of(300, 300, brightness=0.2).batch(0, gray).images
    assert (seen == seen[:, :1, :1]).all()
    factors = seen[:, 0, 0] / 100
    assert (factors >= 0.795).all() and (factors <= 1.205).all()
    assert factors.min() < 0.82 and factors.max() > 1.18
    assert abs(np.corrcoef(factors.T)[np.triu_indices(3, 1)]).max() < 0.2
    assert (brightened(np.full((1, 1, 1, 1), 250, np.uint8), np.array([[1.2]])) == 255).all()


MIXES = st.sampled_from([(0.4, 0.0), (0.0, 1.0), (0.2, 0.5)])


@given(MIXES, st.integers(2, 12), st.integers(3, 9), st.integers(3, 9), st.integers(0, 99))
def test_an_image_has_as_much_of_its_partner_as_its_target_has(
    alphas: tuple[float, float], count: int, height: int, width: int, seed: int
) -> None:
    shape = (count, height, width, 1)
    mix = drawn_mix(shape, *alphas, np.random.default_rng(seed))
    assert mix is not None and (mix.shares >= 0).all() and (mix.shares <= 1).all()
    # Image i is black but for the images that it is mixed with, one at a time.
    for other in range(count):
        images = np.zeros(shape, np.uint8)
        images[other] = 200
        seen = mix.of_images(images).mean((1, 2, 3)) / 200
        targets, _ = mix.of_targets(np.eye(count, dtype=np.float32), None)
        assert seen == pytest.approx(targets[:, other], abs=0.003)


def test_mixup_blends_whole_images_and_cutmix_pastes_boxes() -> None:
    images = np.repeat([[[[0]]], [[[200]]]], 50, axis=0).astype(np.uint8)
    images = np.broadcast_to(images, (100, 8, 8, 1))

    def values(mixup: float, cutmix: float) -> list[set[int]]:
        mix = drawn_mix(images.shape, mixup, cutmix, np.random.default_rng(0))
        assert isinstance(mix, Mix)
        return [set(one.ravel().tolist()) for one in mix.of_images(images)]

    assert {len(of_image) for of_image in values(1, 0)} == {1}
    assert set().union(*values(0, 1)) == {0, 200}
    assert any(len(of_image) == 2 for of_image in values(0, 1))
    assert len(set().union(*values(1, 1))) > 2 and {0, 200} in values(1, 1)
    assert drawn_mix(images.shape, 0, 0, np.random.default_rng(0)) is None


def test_the_loss_of_a_mixed_image_is_the_mix_of_the_weighted_losses_of_both() -> None:
    rng = np.random.default_rng(0)
    mix = drawn_mix((50, 4, 4, 1), 0.4, 1.0, rng)
    assert mix is not None
    labels = np.eye(3, dtype=np.float32)[rng.integers(0, 3, 50)]
    weights = rng.choice([0.0, 0.1, 1.0, 3.0], 50).astype(np.float32)
    logs = np.log(rng.dirichlet([1, 1, 1], 50))  # what a network says of the mixed images
    targets, both = mix.of_targets(labels, weights)
    assert both is not None and np.isfinite(targets).all()
    own, other = (-(some * logs).sum(1) for some in (labels, labels[mix.partners]))
    expected = mix.shares * weights * own + (1 - mix.shares) * weights[mix.partners] * other
    assert -both * (targets * logs).sum(1) == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_model_learns_from_mixed_images(classes: int) -> None:
    images, labels = bars(120, classes)
    held_out, truth = bars(60, classes, seed=1)
    mixed = settings(budget={"steps": 80}, mixup=0.2, cutmix=1.0, brightness=0.2)
    run = train(images, labels, held_out, truth, names(classes), 0, mixed)
    assert run.history[-1]["validation_accuracy"] > 0.9


# ---------------------------------------------------------------- schedule


def test_one_cycle_goes_up_to_the_peak_and_down_to_almost_nothing() -> None:
    rates = learning_rates("one_cycle", 100, 0.5, warm_up=0.2)
    assert rates[0] == pytest.approx(0.05)
    assert rates.argmax() == 20
    assert rates[20] == pytest.approx(0.5)
    assert (np.diff(rates[:21]) > 0).all()
    assert (np.diff(rates[20:]) < 0).all()
    assert rates[-1] == pytest.approx(0.5 / 80)


def test_a_constant_schedule_is_constant() -> None:
    assert learning_rates("constant", 3, 0.1, warm_up=0.2).tolist() == [0.1, 0.1, 0.1]


@given(st.integers(1, 300), st.one_of(st.just(0.0), st.floats(1e-6, 0.99)))
def test_learning_rates_are_positive_and_at_most_the_peak(steps: int, warm_up: float) -> None:
    rates = learning_rates("one_cycle", steps, 2.0, warm_up)
    assert rates.shape == (steps,)
    assert (rates > 0).all()
    assert (rates <= 2.0).all()


# ---------------------------------------------------------------- the training loop


@pytest.mark.parametrize("classes", [2, 3])
def test_a_model_learns_what_is_easy_to_tell_apart(classes: int) -> None:
    images, labels = bars(120, classes)
    held_out, truth = bars(60, classes, seed=1)
    run = train(images, labels, held_out, truth, names(classes), 0, settings(budget={"steps": 60}))
    assert run.train_accuracy > 0.9
    assert run.history[-1]["validation_accuracy"] > 0.9
    assert run.history[-1]["loss"] < run.history[0]["loss"]


def test_a_seed_gives_the_same_weights_to_the_last_bit() -> None:
    images, labels = bars(30)
    held_out, truth = bars(10, seed=1)
    changes = {
        "compact": {**SMALL["compact"], "dropout": 0.5},
        "flips": "random",
        "crop_padding": 0.2,
    }
    first, again, other = (
        train(images, labels, held_out, truth, names(2), seed, settings(**changes))
        for seed in (5, 5, 6)
    )
    assert weights_of(first) == weights_of(again)
    assert first.history == again.history
    assert weights_of(first) != weights_of(other)


def test_bfloat16_computes_in_16_bits_and_keeps_weights_and_answers_in_32() -> None:
    images, labels = bars(40)
    run = trained(images, labels, precision="bfloat16", budget={"steps": 30})
    convolution = next(layer for layer in run.model.layers if "conv" in layer.name)
    assert convolution.compute_dtype == "bfloat16"
    assert convolution.kernel.dtype == "float32"
    answers = predict(run.logits_model, images, np.arange(40), False)
    assert (answers.argmax(1) == labels).mean() > 0.9
    again = trained(*bars(30))
    assert {layer.compute_dtype for layer in again.model.layers} == {"float32"}


def test_automatic_precision_is_one_of_the_two() -> None:
    load_keras("tensorflow", 1)
    assert dtype_policy("auto") in ("float32", "mixed_bfloat16")
    assert dtype_policy("float32") == "float32"


def test_a_seed_gives_every_subset_the_same_initial_weights() -> None:
    """With a learning rate of almost nothing, two subsets end with the kernels they began with."""
    images, labels = bars(40)
    still = {"learning_rate": 1e-30, "weight_decay": 0}
    runs = [
        trained(images[rows], labels[rows], seed=3, **still)
        for rows in (slice(0, 12), slice(12, 40))
    ]
    kernels = [
        [v.numpy().tobytes() for v in run.model.trainable_variables if v.name == "kernel"]
        for run in runs
    ]
    assert len(kernels[0]) == 3
    assert kernels[0] == kernels[1]


def test_a_subset_smaller_than_a_batch_trains() -> None:
    run = trained(*bars(4), batch_size=16, budget={"steps": 2}, evaluations=10)
    assert run.steps == 2
    assert run.epochs == 2 * 16 / 4
    assert [point["step"] for point in run.history] == [1, 2]  # one a step is all there can be


def test_a_budget_in_epochs_counts_images_and_the_curves_end_with_the_last_step() -> None:
    run = trained(*bars(20), budget={"epochs": 3.9}, evaluations=4)
    assert run.steps == 10  # 78 images in batches of 8
    assert [point["step"] for point in run.history] == [3, 5, 8, 10]
    assert [point["epoch"] for point in run.history] == [1.2, 2.0, 3.2, 4.0]
    assert all(np.isnan(point["validation_accuracy"]) for point in run.history)
    assert all(point["loss"] > 0 for point in run.history)


def test_evaluations_leave_the_training_alone(plain: TrainedRun) -> None:
    images, labels = bars(30)
    held_out, truth = bars(10, seed=1)
    often = train(images, labels, held_out, truth, names(2), 0, settings(evaluations=6))
    assert weights_of(often) == weights_of(plain)


def test_equal_weights_are_no_weights(plain: TrainedRun) -> None:
    images, labels = bars(30)
    nothing = images[:0], labels[:0]
    doubled = train(images, labels, *nothing, names(2), 0, settings(), weights=np.full(30, 2.0))
    assert weights_of(doubled) == weights_of(plain)


@pytest.mark.parametrize(
    "changes",
    [
        {"compact": {**SMALL["compact"], "dropout": 0.5}},
        {"phases": [{"image_size": 8, "share": 0.5}, {"image_size": 12, "share": 0.5}]},
    ],
    ids=["dropout", "phases"],
)
def test_what_a_trainer_trained_before_is_forgotten(changes: dict[str, Any]) -> None:
    images, labels = bars(30)
    nothing = images[:0], labels[:0]
    expected = trained(images, labels, seed=1, **changes)
    trainer = ScratchTrainer(12, 1, names(2), settings(**changes))
    others, their_labels = bars(20, seed=1)
    trainer.train(others, their_labels, *nothing, seed=0, weights=np.linspace(1, 2, 20))
    run = trainer.train(images, labels, *nothing, seed=1)
    assert weights_of(run) == weights_of(expected)
    pd.testing.assert_frame_equal(pd.DataFrame(run.history), pd.DataFrame(expected.history))


def test_weights_decide_between_contradicting_labels() -> None:
    images, labels = bars(40)
    both, contradicting = np.concatenate([images, images]), np.concatenate([labels, 1 - labels])
    weights = np.repeat([1.0, 0.05], 40)
    run = train(
        both,
        contradicting,
        images[:0],
        labels[:0],
        names(2),
        0,
        settings(budget={"steps": 60}),
        weights=weights,
    )
    found = predict(run.logits_model, images, np.arange(40), False).argmax(axis=1)
    assert (found == labels).mean() > 0.9


def test_progressive_resizing_trains_on_smaller_images_first(plain: TrainedRun) -> None:
    phases = [{"image_size": 8, "share": 0.5}, {"image_size": 12, "share": 0.5}]
    run = trained(*bars(30), phases=phases)
    assert run.steps == run.history[-1]["step"] == 6
    assert weights_of(run) != weights_of(plain)


def test_predictions_are_those_of_the_model_that_is_saved(
    plain: TrainedRun, tmp_path: Path
) -> None:
    import keras

    images, _ = bars(30)
    plain.model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    expected = predict(plain.logits_model, images, np.arange(30), test_time_flip=False)
    assert loaded.predict_on_batch(images) == pytest.approx(expected, abs=1e-6)


def test_test_time_flips_make_predictions_blind_to_mirroring(plain: TrainedRun) -> None:
    images, _ = bars(30)
    logits_model = plain.logits_model
    everything, mirror = np.arange(30), np.ascontiguousarray(images[:, :, ::-1])
    both = [predict(logits_model, set_, everything, True) for set_ in (images, mirror)]
    one = [predict(logits_model, set_, everything, False) for set_ in (images, mirror)]
    assert both[0] == pytest.approx(both[1], abs=1e-6)
    assert one[0] != pytest.approx(one[1], abs=1e-6)


def test_predictions_do_not_depend_on_how_many_are_made_at_once(plain: TrainedRun) -> None:
    images, _ = bars(140)
    logits_model = plain.logits_model
    everything = predict(logits_model, images, np.arange(140), False)
    some = predict(logits_model, images, np.array([139, 3]), False)
    assert everything.shape == (140, 2)
    assert some == pytest.approx(everything[[139, 3]], abs=1e-6)


def test_predictions_that_are_not_finite_are_an_error_with_how_many(plain: TrainedRun) -> None:
    images, _ = bars(20)
    network = plain.logits_model
    before = network.get_weights()
    network.set_weights([np.full_like(weight, np.nan) for weight in before])
    try:
        with pytest.raises(PetiteError, match="no finite prediction for 5 of 5 images"):
            predict(network, images, np.arange(5), test_time_flip=False)
    finally:
        network.set_weights(before)


def test_a_loss_that_is_no_number_is_an_error_with_step_and_learning_rate() -> None:
    images, labels = bars(20)
    with pytest.raises(PetiteError, match=r"loss is (nan|inf).* step \d+ of 30.*learning_rate"):
        trained(
            images,
            labels,
            budget={"steps": 30},
            learning_rate=1e30,
            schedule="constant",
            weight_decay=0,
        )


def test_a_class_without_images_is_an_error_that_names_it() -> None:
    images, labels = bars(20)
    with pytest.raises(PetiteError, match="no image of band 2"):
        train(images, labels, images[:0], labels[:0], names(3), 0, settings())


def test_too_small_a_phase_is_an_error() -> None:
    images, labels = bars(20)
    deep = {"widths": [4, 4, 4, 4], "halvings": [1, 1, 0], "residual_blocks": [0, 0, 0]}
    with pytest.raises(PetiteError, match="images of 9x9 pixels are too small"):
        trained(
            images,
            labels,
            compact={**deep, "stem_stride": 3},
            phases=[{"image_size": 9, "share": 1}],
        )
