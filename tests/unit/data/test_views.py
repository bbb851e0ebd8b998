"""Views give the images of the row numbers asked for, whatever they read them from."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from petite.data.store import Store, shard_record, write_shard
from petite.data.views import (
    Images,
    RenderedImages,
    ResizedImages,
    StoredImages,
    in_memory_if_it_fits,
    resized,
    size_of,
)
from petite.util.files import write_json, write_table

COUNT, SIDE = 20, 8
PIXELS = np.random.default_rng(0).integers(0, 256, (COUNT, SIDE, SIDE, 3), dtype=np.uint8)
ROWS = np.array([6, 0, 1, 1])


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store of `PIXELS` in two shards."""
    shards = [tmp_path / f"shards/{number}-of-2.npy" for number in (1, 2)]
    write_shard(shards[0], PIXELS[:12])
    write_shard(shards[1], PIXELS[12:])
    index = {
        "image_id": [f"a/{number}.jpg" for number in range(COUNT)],
        "shard": np.repeat([0, 1], [12, 8]).astype(np.int32),
        "row": np.append(np.arange(12), np.arange(8)),
    }
    write_table(tmp_path / "index.parquet", pd.DataFrame(index))
    manifest = {"format": 1, "classes": ["a", "b"], "image_size": SIDE, "channels": 3}
    records = [shard_record(shard, tmp_path) for shard in shards]
    write_json(tmp_path / "manifest.json", manifest | {"shards": records})
    return Store.open(tmp_path / "manifest.json")


def brighter(images: np.ndarray, recipes: Sequence[str]) -> np.ndarray:
    """A way to render: adds the recipe's number."""
    added = np.array([int(recipe or 0) for recipe in recipes], np.uint8)
    return images + added[:, None, None, None]


def test_stored_images_are_those_of_the_ids_or_positions_in_their_order(store: Store) -> None:
    order = np.array([19, 0, 6, 5, 13, 0, 12])
    for which in (order, [f"a/{number}.jpg" for number in order]):
        view = StoredImages(store, which)
        assert view.shape == (7, SIDE, SIDE, 3)
        np.testing.assert_array_equal(view[ROWS], PIXELS[order[ROWS]])
        assert view[np.arange(0)].shape == (0, SIDE, SIDE, 3)


def test_an_unknown_id_is_refused_before_anything_is_read(store: Store) -> None:
    with pytest.raises(KeyError, match="a/99"):
        StoredImages(store, ["a/0.jpg", "a/99.jpg"])


def test_rendered_images_are_the_rows_with_their_own_recipes() -> None:
    recipes = [str(number) if number % 2 else "" for number in range(COUNT)]
    view = RenderedImages(PIXELS, recipes, brighter)
    assert view.shape == PIXELS.shape
    expected = brighter(PIXELS, recipes)
    np.testing.assert_array_equal(view[ROWS], expected[ROWS])
    assert (expected[1] != PIXELS[1]).any()


def test_resizing_averages_and_keeps_the_channels() -> None:
    images = np.zeros((2, 8, 8, 3), np.uint8)
    images[1, :, ::2] = 200  # stripes narrower than a pixel of the result
    smaller = resized(images, 4)
    assert smaller[np.arange(2)].shape == (2, 4, 4, 3)
    assert (smaller[np.array([0])] == 0).all()
    assert np.abs(smaller[np.array([1])][0, 1:3, 1:3].astype(int) - 100).max() <= 30
    assert resized(images, 8) is images


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_resized_alike_from_memory_and_as_they_are_read(channels: int) -> None:
    images = PIXELS[..., :channels]
    at_once, each_time = resized(images, 5), ResizedImages(images, 5)
    assert isinstance(at_once, np.ndarray)
    assert each_time.shape == at_once.shape == (COUNT, 5, 5, channels)
    np.testing.assert_array_equal(each_time[ROWS], at_once[ROWS])
    view = RenderedImages(images, [""] * COUNT, brighter)
    assert isinstance(resized(view, 5), ResizedImages)


def test_images_are_read_into_memory_where_they_fit(
    store: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("petite.data.views.READ_AT_ONCE", 7)
    caplog.set_level("INFO")
    view: Images = StoredImages(store, np.arange(COUNT))
    needed = size_of(view)
    assert needed == PIXELS.nbytes
    held = in_memory_if_it_fits(view, needed, needed, "the images")
    assert isinstance(held, np.ndarray) and held.dtype == np.uint8
    np.testing.assert_array_equal(held, PIXELS)
    assert not caplog.records
    assert in_memory_if_it_fits(view, needed, needed - 1, "the images") is view
    assert "the images" in caplog.text
