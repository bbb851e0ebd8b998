"""Recipes: what is drawn, and the pixels that they make."""

import json
import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from petite.subsets.augmentation import TRANSFORMS, Settings, draw, render, render_subset
from petite.util.errors import PetiteError

ALL = [
    '{"transform": "horizontal_flip"}',
    '{"transform": "vertical_flip"}',
    '{"degrees": 17.5, "transform": "rotation"}',
    '{"sigma": 0.9, "transform": "blur"}',
    '{"factor": 1.25, "transform": "brightness"}',
    '{"factor": 0.8, "transform": "contrast"}',
]


def picture(height: int = 20, width: int = 26, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def recipe(transform: str, **magnitude: float) -> str:
    return json.dumps({"transform": transform, **magnitude})


def test_the_empty_recipe_is_the_image_itself() -> None:
    image = picture()
    assert render(image, "") is image


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("text", ALL)
def test_every_transform_keeps_shape_and_type_and_leaves_its_input_alone(
    text: str, channels: int
) -> None:
    image = picture(channels=channels)
    before = image.copy()
    made = render(image, text)
    assert made.shape == image.shape
    assert made.dtype == np.uint8
    assert not np.array_equal(made, image)
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(made, render(image, text))


def test_all_transforms_are_tested_here() -> None:
    assert {json.loads(text)["transform"] for text in ALL} == set(TRANSFORMS)


def test_flips_move_every_pixel_to_its_place() -> None:
    image = picture()
    np.testing.assert_array_equal(render(image, ALL[0]), image[:, ::-1])
    np.testing.assert_array_equal(render(image, ALL[1]), image[::-1])


def test_a_quarter_turn_is_exact_and_counterclockwise() -> None:
    image = picture(21, 21)
    made = render(image, recipe("rotation", degrees=90))
    np.testing.assert_array_equal(made, np.rot90(image))


def test_a_half_turn_is_both_flips() -> None:
    image = picture()
    made = render(image, recipe("rotation", degrees=180))
    np.testing.assert_array_equal(made, image[::-1, ::-1])


@given(
    degrees=st.floats(-180, 180),
    height=st.integers(1, 30),
    width=st.integers(1, 30),
    level=st.integers(1, 255),
)
@settings(deadline=None)
def test_rotation_leaves_no_empty_corners(
    degrees: float, height: int, width: int, level: int
) -> None:
    image = np.full((height, width, 3), level, np.uint8)
    np.testing.assert_array_equal(render(image, recipe("rotation", degrees=degrees)), image)


def test_blur_is_a_normalized_gaussian_that_keeps_channels_apart() -> None:
    image = np.zeros((31, 31, 3), np.uint8)
    image[15, 15, 1] = 255
    made = render(image, recipe("blur", sigma=1.0)).astype(float)
    assert made[..., [0, 2]].max() == 0
    expected = 255 / (2 * np.pi) * np.exp(-(np.arange(-2, 3) ** 2) / 2)
    np.testing.assert_allclose(made[15, 13:18, 1], expected, atol=1)
    np.testing.assert_array_equal(made[..., 1], made[..., 1].T)


def test_brightness_scales_and_contrast_spreads_about_the_mean() -> None:
    image = np.array([[[40], [200]]], np.uint8)
    assert render(image, recipe("brightness", factor=1.5)).ravel().tolist() == [60, 255]
    assert render(image, recipe("contrast", factor=0.5)).ravel().tolist() == [80, 160]
    assert render(image, recipe("contrast", factor=2)).ravel().tolist() == [0, 255]


@pytest.mark.parametrize(
    "text",
    [
        "rotation",
        "[1]",
        "{}",
        '{"transform": "warp"}',
        '{"transform": "rotation"}',
        '{"transform": "rotation", "angle": 3}',
        '{"transform": "blur", "sigma": "much"}',
    ],
)
def test_what_is_no_recipe_is_refused(text: str) -> None:
    with pytest.raises(PetiteError, match=re.escape(repr(text))):
        render(picture(), text)


def test_a_subset_is_rendered_row_by_row() -> None:
    images = np.stack([picture(seed=0), picture(seed=0), picture(seed=1)])
    made = render_subset(images, ["", ALL[2], ALL[0]])
    np.testing.assert_array_equal(made[0], images[0])
    np.testing.assert_array_equal(made[1], render(images[1], ALL[2]))
    np.testing.assert_array_equal(made[2], images[2, :, ::-1])
    assert render_subset(images, ["", "", ""]) is images


@given(
    count=st.integers(0, 40),
    ratio=st.floats(0.01, 4),
    seed=st.integers(0, 2**40),
)
def test_the_ratio_of_new_images_is_spread_over_the_origins(
    count: int, ratio: float, seed: int
) -> None:
    origins = [f"cat/{i}" for i in range(count)]
    drawn = draw(origins, seed, Settings(ratio=ratio))
    assert len(drawn) == round(ratio * count)
    used = Counter(origin for origin, _ in drawn)
    assert set(used) <= set(origins)
    if count:
        times = [used[origin] for origin in origins]
        assert max(times) - min(times) <= 1


def test_the_seed_alone_decides_the_recipes() -> None:
    origins = [f"cat/{i}" for i in range(30)]
    assert draw(origins, 1, Settings(ratio=0.5)) == draw(origins, 1, Settings(ratio=0.5))
    first, second = (draw(origins, seed, Settings(ratio=0.5)) for seed in (1, 2))
    assert first != second
    assert {origin for origin, _ in first} != {origin for origin, _ in second}


@given(
    rotation=st.floats(0.001, 180),
    blur=st.tuples(st.floats(0.01, 10), st.floats(0.01, 10)).map(sorted),
    brightness=st.tuples(st.floats(0.01, 10), st.floats(0.01, 10)).map(sorted),
    seed=st.integers(0, 1000),
)
def test_magnitudes_stay_within_their_ranges(
    rotation: float, blur: list[float], brightness: list[float], seed: int
) -> None:
    ranges = {"rotation": rotation, "blur": blur, "brightness": brightness}
    drawn = draw([str(i) for i in range(30)], seed, Settings(transforms=ranges))
    for made in (json.loads(text) for _, text in drawn):
        if made["transform"] == "rotation":
            assert -rotation <= made["degrees"] <= rotation
        if made["transform"] == "blur":
            assert blur[0] <= made["sigma"] <= blur[1]
        if made["transform"] == "brightness":
            assert brightness[0] <= made["factor"] <= brightness[1]
        if made["transform"] == "contrast":
            assert 0.7 <= made["factor"] <= 1.3


def test_each_transform_that_is_on_is_drawn_equally_often_and_others_never() -> None:
    on = {"horizontal_flip": False, "blur": None}
    drawn = draw([str(i) for i in range(4000)], 0, Settings(transforms=on))
    kinds = Counter(json.loads(text)["transform"] for _, text in drawn)
    assert set(kinds) == set(TRANSFORMS) - {"horizontal_flip", "blur"}
    assert min(kinds.values()) > 850  # 1000 expected, standard deviation 27


def test_every_drawn_recipe_can_be_rendered() -> None:
    image = picture(8, 8, 1)
    for _, text in draw([str(i) for i in range(60)], 3, Settings()):
        assert text == json.dumps(json.loads(text), sort_keys=True)
        assert render(image, text).shape == image.shape


def test_settings_that_make_no_sense_are_refused() -> None:
    off = dict.fromkeys(("horizontal_flip", "vertical_flip"), False) | dict.fromkeys(
        ("rotation", "blur", "brightness", "contrast")
    )
    with pytest.raises(PetiteError, match=r"augmentation\.transforms"):
        draw(["a"], 0, Settings(transforms=off))
    for bad in ({"blur": [2, 1]}, {"rotation": 0}, {"contrast": [0, 1]}, {"zoom": 2}):
        with pytest.raises(ValidationError):
            Settings(transforms=bad)
    with pytest.raises(ValidationError):
        Settings(ratio=0)
