"""Images that are learned by distribution matching: the laws of the method, on digits."""

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from petite.subsets.synthetic import DmSettings
from petite.training.distribution_matching import (
    TRANSFORMS,
    Learned,
    RandomNetworks,
    distances,
    drawn_transform,
    learn_images,
)

SETTINGS = DmSettings(iterations=60, batch=32, width=16)
COUNTS = [3, 5]


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    found = load_digits(n_class=2)
    return (found.images * 15.9).astype(np.uint8)[..., None], found.target


def learned_with(digits: Any, seed: int = 0, **changes: Any) -> Learned:
    settings = SETTINGS.model_copy(update=changes)
    return learn_images(*digits, COUNTS, seed, settings)


@pytest.fixture(scope="module")
def learned(digits: Any) -> Learned:
    return learned_with(digits)


def test_images_begin_as_real_ones_of_their_class_and_are_pixels(digits: Any, learned) -> None:
    images, labels = digits
    assert learned.pixels.shape == (8, 8, 8, 1) and learned.pixels.dtype == np.uint8
    assert learned.labels.tolist() == [0] * 3 + [1] * 5
    assert labels[learned.starts].tolist() == learned.labels.tolist()
    assert len(set(learned.starts)) == 8
    started = learned_with(digits, iterations=1, learning_rate=1e-9)
    np.testing.assert_array_equal(started.starts, learned.starts)
    np.testing.assert_array_equal(started.pixels, images[started.starts])


def test_the_loss_falls(learned: Learned) -> None:
    assert len(learned.losses) == 20
    assert np.mean(learned.losses[-5:]) < 0.6 * learned.losses[0]


def test_they_match_a_class_in_fresh_networks_better_than_as_many_random_images(
    digits: Any, learned: Learned
) -> None:
    images, labels = digits
    random = np.random.default_rng(1)
    drawn = [
        np.concatenate(
            [
                random.choice(np.flatnonzero(labels == label), count, replace=False)
                for label, count in enumerate(COUNTS)
            ]
        )
        for _ in range(5)
    ]
    at_random = [
        distances(images, labels, images[rows], labels[rows], 9, 3, SETTINGS) for rows in drawn
    ]
    of_learned = distances(images, labels, learned.pixels, learned.labels, 9, 3, SETTINGS)
    assert of_learned < 0.5 * min(at_random)
    # All images match themselves.
    assert distances(images, labels, images, labels, 9, 1, SETTINGS) == pytest.approx(0, abs=1e-6)


def test_the_seed_decides_the_images_bit_for_bit(digits: Any) -> None:
    first, again, other = (learned_with(digits, seed, iterations=5) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.pixels, again.pixels)
    assert first.losses == again.losses
    assert not np.array_equal(first.pixels, other.pixels)


def test_large_classes_are_learned_in_batches(digits: Any) -> None:
    settings = SETTINGS.model_copy(update={"batch": 4, "iterations": 40})
    found = learn_images(*digits, [20, 30], 0, settings)
    moved = (found.pixels != digits[0][found.starts]).any((1, 2, 3))
    assert moved.all()


@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 9, 3), (40, 40, 3)])
def test_images_of_any_size_and_color_are_learned(shape: tuple[int, int, int]) -> None:
    images = np.random.default_rng(0).integers(0, 255, (6, *shape)).astype(np.uint8)
    images[0] = 7  # of one color
    settings = DmSettings(iterations=2, batch=4, width=4)
    found = learn_images(images, np.array([0, 0, 0, 1, 1, 1]), [1, 2], 0, settings)
    assert found.pixels.shape == (3, *shape)
    assert np.isfinite(found.losses).all()


def test_transforms_are_those_published_and_without_flips_no_image_is_mirrored() -> None:
    random, shape = np.random.default_rng(0), (6, 8, 3)
    ramp = np.tile(np.arange(8.0), (6, 1)).ravel()

    def mirrored(flips: bool) -> list[bool]:
        drawn = [drawn_transform(random, shape, flips) for _ in range(200)]
        moved = [(ramp[one.sources] * one.shares).sum(0).reshape(6, 8) for one in drawn]
        return [bool(row[3, 1] > row[3, 6]) for row in moved]

    assert any(mirrored(True)) and not any(mirrored(False))
    drawn = [drawn_transform(random, shape) for _ in range(100)]
    assert any(one.brightness for one in drawn) and any(one.saturation != 1 for one in drawn)
    assert {float(one.visible.mean()) for one in drawn} == {1.0, 1 - 9 / 48}
    assert all((one.shares.sum(0) < 1 + 1e-6).all() for one in drawn)
    assert len(TRANSFORMS) == 6


def test_both_kinds_of_images_are_transformed_alike() -> None:
    networks = RandomNetworks((8, 8, 1), 4)
    random = np.random.default_rng(0)
    images = random.normal(size=(5, 8, 8, 1)).astype(np.float32)
    for _ in range(12):
        kernels, drawn = networks.kernels(random), drawn_transform(random, (8, 8, 1))
        loss, gradient = networks.matched(images, images, kernels, drawn)
        assert loss == pytest.approx(0, abs=1e-9)
        np.testing.assert_allclose(gradient, 0, atol=1e-4)
