"""Mosaics of crops and learned images: their recipes, their pixels and their tables."""

import json
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from petite.subsets.augmentation import render, render_subset
from petite.subsets.made_tables import images_used, made_table, mosaics
from petite.subsets.making_job import wanted
from petite.subsets.synthetic import (
    Crop,
    DmSettings,
    RdedSettings,
    cells,
    made_of,
    mosaic_recipe,
    pixels_recipe,
    without_pixels,
)
from petite.subsets.tables import COLUMNS
from petite.util.errors import PetiteError
from petite.util.files import write_table

CLASSES = ["cat", "dog"]
IMAGES = {
    f"{CLASSES[number // 10]}/{number}.png": np.random.default_rng(number)
    .integers(0, 255, (9, 9, 3))
    .astype(np.uint8)
    for number in range(20)
}


def read(image_ids: Sequence[str]) -> np.ndarray:
    return np.stack([IMAGES[image_id] for image_id in image_ids])


def crops_of(count: int, each: int = 5) -> pd.DataFrame:
    """Crops of the first images of each class: the loss of the best is the image's number."""
    rows = []
    for label, name in enumerate(CLASSES):
        for number in range(count):
            for crop in range(each):
                image = f"{name}/{10 * label + number}.png"
                rows.append((image, label, crop, 0, 3, number + 100 * ((crop + 2) % each)))
    return pd.DataFrame(rows, columns=["image_id", "label", "top", "left", "side", "loss"])


def crops_in(table: pd.DataFrame) -> list[list[Crop]]:
    return [[Crop(*crop) for crop in json.loads(text)["crops"]] for text in table["recipe"]]


@pytest.mark.parametrize("side", [8, 9, 28, 31])
@pytest.mark.parametrize("count", [2, 3])
def test_cells_cover_a_side_and_differ_by_one_pixel_at_most(side: int, count: int) -> None:
    found = cells(side, count)
    covered = np.concatenate([np.arange(side)[cell] for cell in found])
    assert covered.tolist() == list(range(side))
    sizes = [cell.stop - cell.start for cell in found]
    assert len(sizes) == count and max(sizes) - min(sizes) <= 1


def test_a_crop_in_its_own_size_is_found_in_its_source_pixel_by_pixel() -> None:
    sides = [5, 4]  # of the cells of 9 pixels: 0 to 4 and 4 to 9
    assert [(cell.start, cell.stop) for cell in cells(9, 2)] == [(0, 4), (4, 9)]
    crops = [Crop(f"cat/{number}.png", number, 3, 4) for number in range(4)]
    made = render(IMAGES["cat/0.png"], mosaic_recipe(crops), read)
    assert made.shape == (9, 9, 3) and made.dtype == np.uint8
    np.testing.assert_array_equal(made[:4, :4], IMAGES["cat/0.png"][0:4, 3:7])
    largest = [crop._replace(side=sides[0]) for crop in crops]
    made = render(IMAGES["cat/0.png"], mosaic_recipe(largest), read)
    np.testing.assert_array_equal(made[4:, 4:], IMAGES["cat/3.png"][3:8, 3:8])


def test_a_crop_of_another_size_is_shrunk_with_antialiasing() -> None:
    chess = np.indices((16, 16)).sum(0) % 2 * 255
    source = np.repeat(chess[..., None], 1, axis=2).astype(np.uint8)
    recipe = mosaic_recipe([Crop("any", 0, 0, 16)] * 4)
    made = render(source, recipe, lambda image_ids: np.stack([source] * len(image_ids)))
    assert np.abs(made[2:6, 2:6].astype(int) - 128).max() < 10


def test_mosaics_hold_the_best_crop_of_each_image_before_any_second_one() -> None:
    table = mosaics(crops_of(10), RdedSettings(), np.array([2, 1]), CLASSES)
    assert list(table.columns) == COLUMNS
    assert table["class_name"].tolist() == ["cat", "cat", "dog"]
    found = crops_in(table)
    # The best crop is the fourth: its turn has the smallest loss.
    assert found[0] == [Crop(f"cat/{number}.png", 3, 0, 3) for number in range(4)]
    assert found[1] == [Crop(f"cat/{number}.png", 3, 0, 3) for number in range(4, 8)]
    assert [crop.image_id for crop in found[2]] == [f"dog/{number}.png" for number in range(10, 14)]
    assert images_used(table) == {crop.image_id for crops in found for crop in crops}


@pytest.mark.parametrize("images", [1, 2, 3])
def test_a_class_with_fewer_images_than_crops_in_a_mosaic_gives_more_of_each(images: int) -> None:
    counts = np.array([images, images])  # as many mosaics as images, the most that there can be
    found = crops_in(mosaics(crops_of(images, each=4), RdedSettings(crops=4), counts, CLASSES))
    assert [len(crops) for crops in found] == [4] * (2 * images)
    assert len({crop for crops in found for crop in crops}) == 4 * 2 * images


def test_learned_pixels_are_kept_without_loss_in_gray_and_in_color() -> None:
    for image in (IMAGES["cat/1.png"], IMAGES["cat/1.png"][..., :1]):
        recipe = pixels_recipe(image)
        np.testing.assert_array_equal(render(np.zeros_like(image), recipe, read), image)
        assert without_pixels(recipe) == '{"transform": "pixels"}'


def test_a_table_of_made_images_names_each_once_and_is_rendered_with_others() -> None:
    origins = ["cat/0.png", "cat/0.png", "dog/10.png"]
    recipe = mosaic_recipe([Crop(name, 0, 0, 9) for name in [*origins, "dog/11.png"]])
    recipes = [recipe, pixels_recipe(IMAGES["dog/12.png"]), '{"transform": "vertical_flip"}']
    table = made_table(origins, np.array([0, 0, 1]), recipes, CLASSES)
    assert table["image_id"].tolist() == ["cat/0.png~1", "cat/0.png~2", "dog/10.png~1"]
    assert table["weight"].tolist() == [1, 1, 1]
    # The learned image is of none.
    assert images_used(table) == {"cat/0.png", "dog/10.png", "dog/11.png"}
    assert images_used(table.iloc[1:2]) == set()
    made = render_subset(read(origins), recipes, read)
    np.testing.assert_array_equal(made[1], IMAGES["dog/12.png"])
    np.testing.assert_array_equal(made[2], IMAGES["dog/10.png"][::-1])
    assert without_pixels(recipe) == recipe and without_pixels("") == ""


def test_what_an_image_is_made_of_is_said_in_words() -> None:
    few = mosaic_recipe([Crop(f"cat/{number}.png", 0, 0, 9) for number in (1, 2, 1, 1)])
    assert made_of(few, "cat/1.png") == "4 crops of 1.png, 2.png"
    many = mosaic_recipe([Crop(f"cat/{number}.png", 0, 0, 9) for number in range(9)])
    assert made_of(many, "cat/0.png") == "9 crops of 9 images"
    assert "1.png" in made_of(pixels_recipe(IMAGES["cat/1.png"]), "cat/1.png")


@pytest.mark.parametrize(
    "recipe",
    [
        '{"transform": "pixels", "png": "no"}',
        '{"transform": "pixels", "png": "aGVsbG8="}',
        '{"transform": "pixels"}',
        '{"transform": "mosaic", "crops": 3}',
        '{"transform": "mosaic", "crops": [["cat/0.png", 0, 0]]}',
    ],
)
def test_a_damaged_recipe_is_one_clear_error(recipe: str) -> None:
    with pytest.raises(PetiteError, match="transform"):
        render(IMAGES["cat/0.png"], recipe, read)


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"mosaic": 1}, "mosaic"),
        ({"mosaic": 17}, "mosaic"),
        ({"crops": 3}, "crops"),
        ({"mosaic": 3, "crops": 8}, "crops"),
        ({"scale": [0.5, 0.2]}, "scale"),
        ({"scale": [0, 1]}, "scale"),
        ({"scale": [0.5, 1.5]}, "scale"),
        ({"softlabels": True}, "softlabels"),
    ],
)
def test_impossible_mosaics_are_refused_with_the_key(settings: dict, key: str) -> None:
    with pytest.raises(ValidationError, match=key):
        RdedSettings.model_validate(settings)


@pytest.mark.parametrize("key", ["iterations", "learning_rate", "batch", "width"])
def test_learning_without_steps_rate_images_or_filters_is_refused(key: str) -> None:
    with pytest.raises(ValidationError, match=key):
        DmSettings.model_validate({key: 0})


def split_of(path: Path, **columns: object) -> Namespace:
    """The arguments of a job whose split has 30 training images, 20 of them cats."""
    ids = [f"{number}.png" for number in range(40)]
    table = pd.DataFrame({"image_id": ids, "label": [0] * 20 + [1] * 20, "split": "train"})
    table.loc[30:, "split"] = "test"
    write_table(path, table.assign(**columns))
    return Namespace(split=path, fraction=0.1)


def test_images_are_made_in_proportion_to_the_training_images_of_each_class(tmp_path: Path) -> None:
    train, counts = wanted(split_of(tmp_path / "split.parquet"))
    assert (len(train), counts.tolist()) == (30, [2, 1])


def test_images_that_a_table_of_labels_keeps_have_no_place_among_made_ones(tmp_path: Path) -> None:
    keep = ["", "", "always", *[""] * 37]
    with pytest.raises(PetiteError, match=r"keep: .*'2\.png'"):
        wanted(split_of(tmp_path / "split.parquet", keep=keep))
