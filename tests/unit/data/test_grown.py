"""Which new images can be added to a run, and the store of both together."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pools import picture, store_of, write_picture

from petite.data import grown
from petite.data.grown import classes_of, grown_split, grown_store, new_images
from petite.data.splits import kept_images, test_image_ids, training_images
from petite.data.store import Store
from petite.util.errors import PetiteError
from petite.util.files import write_json, write_table

PARTS = {0: "test", 1: "validation", 2: "train", 3: "train", 4: "train"}
KEPT = ["Cat/2.png", "Dog/2.png"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Old cats and dogs, and new ones with a duplicate of every kind."""
    for number in range(5):
        write_picture(tmp_path / f"old/Cat/{number}.png", number)
        write_picture(tmp_path / f"old/Dog/{number}.png", 10 + number)
        write_picture(tmp_path / f"new/Cat/new {number}.png", 20 + number)
        write_picture(tmp_path / f"new/Dog/new {number}.png", 40 + number)
    for number, kind in PARTS.items():
        shutil.copy(tmp_path / f"old/Cat/{number}.png", tmp_path / f"new/Cat/{kind} {number}.png")
    picture(10).save(tmp_path / "new/Dog/near test.jpg", quality=60)
    shutil.copy(tmp_path / "new/Cat/new 1.png", tmp_path / "new/Cat/new 1 again.png")
    shutil.copy(tmp_path / "new/Cat/new 2.png", tmp_path / "new/Dog/new 2 too.png")
    shutil.copy(tmp_path / "old/Cat/3.png", tmp_path / "new/Dog/no cat.png")
    (tmp_path / "new/Cat/broken.jpg").write_bytes(b"not an image")
    return tmp_path


def stores(folder: Path) -> tuple[Store, Store]:
    old = store_of("folder", folder / "old", folder / "a")
    return store_of("unlabeled", folder / "new", folder / "b"), old


def split_of(old: Store) -> pd.DataFrame:
    numbers = old.index["image_id"].str.extract(r"(\d)\.png")[0].astype(int)
    table = old.index[["image_id", "label"]].assign(split=numbers.map(PARTS))
    return table.reset_index(drop=True)


def found(folder: Path, split: pd.DataFrame | None = None, **options: object) -> pd.DataFrame:
    new, old = stores(folder)
    options = {"near_copy_distance": 6} | options
    split = split_of(old) if split is None else split
    return new_images(new, old, split, KEPT, folder / "new", **options).set_index("file")


def test_duplicates_are_set_aside_with_what_they_repeat(folder: Path) -> None:
    table = found(folder)
    assert table.loc["Cat/test 0.png", ["kind", "copy_of"]].tolist() == [
        grown.OF_TEST, "Cat/0.png",
    ]  # fmt: skip
    assert table.loc["Cat/validation 1.png", "kind"] == grown.OF_VALIDATION
    assert table.loc["Cat/train 2.png", "kind"] == grown.OF_KEPT
    assert table.loc["Cat/train 3.png", "kind"] == grown.OF_OLD
    assert table.loc["Dog/near test.jpg", "kind"] == grown.OF_TEST
    assert table.loc["Dog/near test.jpg", "reason"].startswith("near duplicate")
    assert table.loc["Cat/broken.jpg", "kind"] == grown.UNUSABLE
    assert table.loc["Cat/broken.jpg", "reason"]


def test_of_duplicates_among_the_new_images_one_is_added(folder: Path) -> None:
    kinds = found(folder)["kind"]
    assert sorted(kinds[["Cat/new 1.png", "Cat/new 1 again.png"]]) == ["", grown.OF_NEW]


def test_an_image_in_two_classes_is_in_neither(folder: Path) -> None:
    kinds = found(folder)["kind"]
    assert kinds[["Cat/new 2.png", "Dog/new 2 too.png"]].tolist() == 2 * [grown.TWO_CLASSES]


def test_the_other_class_of_a_duplicate_is_named(folder: Path) -> None:
    table = found(folder)
    assert table.loc["Dog/no cat.png", "other_class"]
    assert "another class" in table.loc["Dog/no cat.png", "reason"]
    assert not table.loc["Cat/train 3.png", "other_class"]


def test_the_others_can_be_added(folder: Path) -> None:
    table = found(folder)
    added = table[table["kind"] == ""]
    assert len(added) == 9
    assert all(name.startswith(("Cat/new", "Dog/new")) for name in added.index)
    assert (added["reason"] == "").all()


def test_without_a_distance_only_exact_duplicates_count(folder: Path) -> None:
    table = found(folder, near_copy_distance=None)
    assert table.loc["Dog/near test.jpg", "kind"] == ""


def test_a_duplicate_of_a_test_image_is_found_behind_a_kept_one(folder: Path) -> None:
    """A leak that was left in the split: the same image is kept and tested."""
    shutil.copy(folder / "old/Cat/2.png", folder / "old/Cat/9.png")
    _, old = stores(folder)
    numbers = old.index["image_id"].str.extract(r"(\d)\.png")[0].astype(int)
    split = old.index[["image_id", "label"]].assign(split=numbers.map({**PARTS, 9: "test"}))
    assert found(folder, split).loc["Cat/train 2.png", "kind"] == grown.OF_TEST


def test_no_image_of_a_group_of_the_test_part_is_added(folder: Path) -> None:
    _, old = stores(folder)
    split = split_of(old).assign(group="")
    split.loc[split["split"] == "test", "group"] = "3"
    table = found(folder, split, groups=r"new (\d)")
    assert table.loc["Cat/new 3.png", "kind"] == grown.GROUP_HELD_OUT
    assert table.loc["Cat/new 3.png", "reason"].endswith("3")
    assert table.loc["Cat/new 4.png", "kind"] == ""


def test_no_copy_by_its_name_of_an_image_of_the_test_part_is_added(folder: Path) -> None:
    _, old = stores(folder)
    split = split_of(old)
    split["group"] = split["image_id"].str.removesuffix(".png")
    test, train = (split.loc[split["split"] == part, "group"].iloc[0] for part in ("test", "train"))
    for number, group in enumerate((test, train)):
        write_picture(folder / f"new/{group}_flip.png", 60 + number)
    write_picture(folder / f"new/{test} (2).png", 70)
    # The ids of a given split have its folders; the groups have not.
    split["image_id"] = split["image_id"].str.replace("/", "/given/")
    table = found(folder, split, groups="copies")
    assert table.loc[f"{test}_flip.png", "kind"] == grown.GROUP_HELD_OUT
    assert table.loc[f"{test} (2).png", "kind"] == grown.GROUP_HELD_OUT
    assert table.loc[f"{train}_flip.png", "kind"] == ""


def test_only_duplicates_are_refused(folder: Path) -> None:
    for path in (folder / "new").glob("*/new*"):
        path.unlink()
    with pytest.raises(PetiteError, match=r"none of the 8 new images"):
        found(folder)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["1.png", "Cat/2.png"], "'1.png'"),
        (["cat/1.png"], "'Cat'"),
        (["Bird/1.png", "Fish/1.png"], "'Fish'"),
        (["photos/Cat/1.png", "photos/Dog/1.png"], "photos"),
        (["train/Cat/1.png", "test/Dog/1.png"], "'train'"),
    ],
)
def test_folders_that_are_not_classes_of_the_run_are_refused(files: list[str], said: str) -> None:
    with pytest.raises(PetiteError) as error:
        classes_of(files, ["Cat", "Dog"], Path("/data/new"))
    assert said in str(error.value)
    assert "/data/new" in str(error.value)


def test_new_images_of_one_class_are_enough() -> None:
    assert classes_of(["Cat/1.png", "Cat/a/2.png"], ["Cat", "Dog"], Path()) == ["Cat", "Cat"]


def test_the_store_of_both_has_the_pixels_of_each(folder: Path) -> None:
    new, old = stores(folder)
    table = new_images(new, old, split_of(old), KEPT, folder, near_copy_distance=6)
    added = table[table["kind"] == ""].reset_index(drop=True)
    added["label"] = added["class_name"].map({"Cat": 0, "Dog": 1})
    place = folder / "deep/both"
    index, manifest = grown_store(new, old, added, place)
    write_table(place / "index.parquet", index)
    write_json(place / "manifest.json", manifest)
    both = Store.open(place / "manifest.json")
    assert both.classes == old.classes
    for store, name in ((old, "Dog/3.png"), (new, added["image_id"].iloc[-1])):
        np.testing.assert_array_equal(both.images([name]), store.images([name]))
    labels = both.index.set_index("image_id")["label"]
    assert labels[added["image_id"]].tolist() == added["label"].tolist()

    split = grown_split(split_of(old), KEPT, added)
    train = training_images(split)["image_id"].tolist()
    assert train == [*KEPT, *added["image_id"]]
    assert kept_images(split) == KEPT
    assert test_image_ids(split) == ["Cat/0.png", "Dog/0.png"]
    assert (split["split"] == "validation").sum() == 2


def test_new_images_have_the_mean_weight_of_those_kept() -> None:
    split = pd.DataFrame(
        {"image_id": ["a", "b", "c"], "label": 0, "split": "train", "weight": [1.0, 3.0, 9.0]}
    )
    added = pd.DataFrame({"image_id": ["n"], "label": [1], "group": [""]})
    assert grown_split(split, ["a", "b"], added)["weight"].tolist() == [1.0, 3.0, 2.0]
