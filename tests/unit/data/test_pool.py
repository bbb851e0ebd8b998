"""Which images of a pool are duplicates of labeled images, and of each other."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from pools import picture, store_of, write_picture

from petite.data.pool import EXACT, NEAR, pool_images
from petite.data.store import Store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A labeled folder of cats and dogs, and a pool with duplicates of them and of itself."""
    for number in range(3):
        write_picture(tmp_path / f"labeled/Cat/{number}.png", number)
        write_picture(tmp_path / f"labeled/Dog/{number}.png", 10 + number)
        write_picture(tmp_path / f"pool/new {number}.png", 20 + number)
    shutil.copy(tmp_path / "labeled/Cat/1.png", tmp_path / "pool/known.png")
    picture(11).save(tmp_path / "pool/known again.jpg", quality=60)
    shutil.copy(tmp_path / "pool/new 1.png", tmp_path / "pool/new 1 copy.png")
    (tmp_path / "pool/broken.jpg").write_bytes(b"not an image")
    return tmp_path


def tabulated(folder: Path, labeled: bool, near: int | None = 6) -> pd.DataFrame:
    stores: list[Store | None] = [store_of("unlabeled", folder / "pool", folder / "a", near), None]
    if labeled:
        stores[1] = store_of("folder", folder / "labeled", folder / "b", near)
    return pool_images(*stores, near).set_index("file")


def test_each_readable_file_is_in_the_table_in_its_order(folder: Path) -> None:
    table = tabulated(folder, labeled=False)
    assert table.index.tolist() == [
        "known again.jpg", "known.png", "new 0.png", "new 1 copy.png", "new 1.png", "new 2.png",
    ]  # fmt: skip
    assert table["image_id"].tolist() == [f"unlabeled/{name}" for name in table.index]


def test_without_labeled_images_the_first_of_the_duplicates_represents_them(folder: Path) -> None:
    table = tabulated(folder, labeled=False)
    copies = table[table["copy_of"] != ""]
    assert copies.index.tolist() == ["new 1.png"]
    assert copies["copy_of"].item() == "unlabeled/new 1 copy.png"
    assert copies["copy"].item() == EXACT
    assert not table["of_labeled"].any()


def test_duplicates_of_labeled_images_are_named_with_their_kind(folder: Path) -> None:
    table = tabulated(folder, labeled=True)
    found = table[table["of_labeled"]][["copy_of", "copy"]]
    assert found.loc["known.png"].tolist() == ["Cat/1.png", EXACT]
    assert found.loc["known again.jpg"].tolist() == ["Dog/1.png", NEAR]
    assert len(found) == 2
    assert table.loc["new 1.png", "copy_of"] == "unlabeled/new 1 copy.png"


def test_without_a_distance_only_exact_duplicates_count(folder: Path) -> None:
    table = tabulated(folder, labeled=True, near=None)
    assert table.loc["known again.jpg", "copy_of"] == ""
    assert table.loc["known.png", "of_labeled"]


def test_two_files_of_the_pool_can_be_duplicates_of_one_labeled_image(folder: Path) -> None:
    shutil.copy(folder / "pool/known.png", folder / "pool/known twice.png")
    table = tabulated(folder, labeled=True)
    assert table.loc[["known.png", "known twice.png"], "copy_of"].tolist() == 2 * ["Cat/1.png"]


def test_a_file_of_the_pool_is_not_taken_for_a_labeled_one_of_the_same_path(folder: Path) -> None:
    write_picture(folder / "pool/Cat/1.png", 30)
    table = tabulated(folder, labeled=True)
    assert table.loc["Cat/1.png", "copy_of"] == ""
