"""What is taken for classes in the trees that people bring, what is refused, and what is said."""

import os
import re
import subprocess
import sys
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from test_sources import add_links, make_folder, make_tar, make_zip

from petite.data import groups
from petite.data.group_signs import suggestion
from petite.data.sources import Source, listing, open_source
from petite.data.sources.folder import FolderSource
from petite.util.errors import PetiteError
from petite.util.notices import Notices

CAFE = "caf\u00e9"
CAFE_IN_TWO = unicodedata.normalize("NFD", CAFE)

MAKERS: dict[str, Callable[[Path, dict[str, bytes]], Path]] = {
    "folder": make_folder,
    "zip": make_zip,
    "tar": make_tar,
}


def tree(*names: str, files: int = 4) -> dict[str, bytes]:
    """Files in these folders; {} in a name is the number of the file."""
    listed = (name if "{}" in name else f"{name}/{{}}.jpg" for name in names)
    return {name.format(number): b"x" for name in listed for number in range(files)}


@pytest.fixture(params=MAKERS)
def open_tree(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Source]:
    """Opens a tree of files as a folder, a zip and a tar."""

    def opened(*names: str, **more: bytes) -> Source:
        place = tmp_path / str(len(list(tmp_path.iterdir())))
        made = MAKERS[request.param](place, tree(*names) | more)
        return open_source("folder" if request.param == "folder" else "archive", made)

    return opened


def listed(source: Source, classes: list[str] | None = None) -> tuple[pd.DataFrame, Notices]:
    notices = Notices()
    with source:
        return listing(source, classes, None, 0.1, notices), notices


def classes_of(source: Source, classes: list[str] | None = None) -> list[str]:
    return listed(source, classes)[0]["class_name"].drop_duplicates().tolist()


# --- what is refused as no classes, unless they are named

SPLITS = {
    "two test parts": [f"{split}/{name}" for split in ("train", "test1", "test2") for name in "ab"],
    "no training part": ["val/a", "val/b", "test/a", "test/b"],
    "folds": [f"fold_{n}/{name}" for n in range(5) for name in "ab"],
    "splits": ["split1/a", "split1/b", "split2/a", "split2/b"],
    "years": ["year2023/a", "year2023/b", "year2024/a", "year2024/b", "year2024/c"],
    "sites": ["Oslo/a", "Oslo/b", "Rome/a", "Rome/b", "Lima/b", "Lima/a"],
    "styles": ["sketch/bus", "sketch/car", "photo/car", "photo/bus", "clipart/bus"],
    "magnifications": ["benign/40X", "benign/100X", "malignant/40X", "malignant/100X"],
    "several levels": ["data/x/one/deep/a", "data/x/one/deep/b", "data/x/two/a", "data/x/two/b"],
    "a split and more": [
        f"{split}/{digit}" for split in ("train", "test", "old") for digit in "ab"
    ],
    "a class that one lacks": ["one/a", "one/b", "one/c", "two/a", "two/c"],
    "a stray beside": ["one/a", "one/b", "two/a", "two/b"],
    "masks of a test set": ["bottle/test/good", "bottle/test/broken", "bottle/test/scratched"]
    + ["bottle/ground_truth/broken", "bottle/ground_truth/scratched", "bottle/train/good"],
}


@pytest.mark.parametrize("names", SPLITS.values(), ids=SPLITS)
def test_folders_that_hold_the_same_folders_are_no_classes(
    open_tree: Callable[..., Source], names: list[str]
) -> None:
    top = 3 if names[0].startswith("data/x/") else 2 if names[0].startswith("bottle/") else 1
    given = sorted({name.split("/")[top - 1] for name in names})
    with pytest.raises(PetiteError, match=r"dataset\.classes: \[") as error:
        listed(open_tree(*names))
    message = str(error.value)
    assert all(name in message for name in given)
    assert "dataset.classes: [" in message
    assert "merge" in message


WRAPPED = {
    "a split": [f"data/{part}/{name}" for part in ("train", "test") for name in ("cat", "dog")],
    "a split and more": [
        *(f"data/{part}/{name}" for part in ("train", "test") for name in ("cat", "dog")),
        "data/sample",
    ],
    "classes": [f"data/{name}" for name in ("cat", "dog", "fox", "hare")],
    "classes two folders below": [f"data/images/{name}" for name in ("cat", "dog", "fox", "hare")],
    "folds": [f"data/fold{n}/{name}" for n in range(3) for name in ("cat", "dog")],
}


@pytest.mark.parametrize("names", WRAPPED.values(), ids=WRAPPED)
def test_a_folder_around_the_classes_next_to_other_images_is_said_to_be_given_itself(
    open_tree: Callable[..., Source], names: list[str]
) -> None:
    with pytest.raises(PetiteError, match=r"Give data itself: .*data") as error:
        listed(open_tree(*names, "assets"))
    assert "dataset.classes: [" in str(error.value)
    assert classes_of(open_tree(*names, "assets"), ["assets", "data"]) == ["assets", "data"]


@pytest.mark.parametrize(
    "names",
    [
        ["dog/husky", "dog/poodle", "cat"],
        ["benign/p001", "benign/p002", "benign/p003", "benign/p004", "benign/p005", "malignant"],
        ["dog/a", "dog/b", "cat/a", "cat/c"],
    ],
)
def test_folders_in_one_class_are_a_part_of_it(
    open_tree: Callable[..., Source], names: list[str]
) -> None:
    assert classes_of(open_tree(*names)) == sorted({name.split("/")[0] for name in names})


def test_a_folder_that_holds_the_classes_once_more_is_no_class(
    open_tree: Callable[..., Source],
) -> None:
    names = ["infected", "healthy", "cells/infected", "cells/healthy"]
    with pytest.raises(PetiteError, match="Move cells away, or give it instead"):
        listed(open_tree(*names))


def test_a_class_of_a_given_split_that_differs_by_a_space_is_named(
    open_tree: Callable[..., Source],
) -> None:
    names = ["train/cat", "train/dog", "test/cat ", "test/dog"]
    with pytest.raises(PetiteError, match=r"'cat ' of the given split .*there is 'cat': rename"):
        listed(open_tree(*names))


def test_folders_of_patients_with_the_folder_of_their_class_are_no_classes(
    open_tree: Callable[..., Source],
) -> None:
    names = [f"patient_{n:02}/{('benign', 'malignant')[n % 2]}" for n in range(8)]
    with pytest.raises(PetiteError, match="benign, malignant") as error:
        listed(open_tree(*names))
    assert "groups: subfolder" in str(error.value)
    people = [
        f"{letter}nna/{('benign', 'malignant')[n % 2]}" for n, letter in enumerate("abcdefghijkl")
    ]
    with pytest.raises(PetiteError, match="benign, malignant"):
        listed(open_tree(*people))
    cameras = [f"class_{n}/{('day', 'night')[n % 2]}" for n in range(8)]
    assert len(classes_of(open_tree(*cameras))) == 8


@pytest.mark.parametrize(
    ("lists", "is_said"),
    [
        (("meta/train.txt", "meta/test.txt"), True),
        (("train.txt", "val.txt"), True),
        (("splits/train_list.json", "splits/test_list.json"), True),
        (("train_test_split.txt",), True),
        (("annotations/trainval.txt", "annotations/test.txt"), True),
        (("lists/split_zhou.json",), True),
        (("test.lst", "train.lst"), True),
        (("meta/classes.txt", "meta/train.txt"), False),
        (("readme.txt",), False),
    ],
)
def test_lists_of_a_split_that_are_not_read_are_said(
    open_tree: Callable[..., Source], lists: tuple[str, ...], is_said: bool
) -> None:
    more = dict.fromkeys(lists, b"x")
    _, notices = listed(open_tree("images/cat", "images/dog", **more))
    assert any("lists of a split" in line and min(lists) in line for line in notices) == is_said


@pytest.mark.parametrize("names", SPLITS.values(), ids=SPLITS)
def test_naming_the_classes_overrules_what_their_folders_look_like(
    open_tree: Callable[..., Source], names: list[str]
) -> None:
    top = 3 if names[0].startswith("data/x/") else 2 if names[0].startswith("bottle/") else 1
    given = sorted({name.split("/")[top - 1] for name in names})
    assert classes_of(open_tree(*names), given) == given


def test_some_images_beside_the_folders_of_a_split_hide_nothing(tmp_path: Path) -> None:
    names = tree("one/a", "one/b", "two/a", "two/b", files=20) | {"one/cover.jpg": b"x"}
    with pytest.raises(PetiteError, match=r"dataset\.classes: \["):
        listed(FolderSource(make_folder(tmp_path, names)))


NAMED_AS_PARTS = [
    ["train", "test"],
    ["train", "val"],
    ["Training", "Validation", "Testing"],
    ["train1", "test1"],
    ["train2017", "val2017"],
    ["training_set", "test_set"],
    ["TrainData", "TestData"],
    ["trainA", "trainB", "testA", "testB"],
    ["cats_train", "cats_test", "dogs_train", "dogs_test"],
    ["train", "test", "masks"],
    ["fold_0", "fold_1", "fold_2"],
    ["part 1", "part 2"],
    ["HAM10000_images_part_1", "HAM10000_images_part_2"],
    ["images.batch1", "images.batch2"],
]


@pytest.mark.parametrize("names", NAMED_AS_PARTS)
def test_folders_with_the_names_of_splits_are_no_classes(
    open_tree: Callable[..., Source], names: list[str]
) -> None:
    with pytest.raises(PetiteError, match=r"splits.*dataset\.classes: \["):
        listed(open_tree(*names))
    assert classes_of(open_tree(*names), names) == names


@pytest.mark.parametrize(
    "names",
    [
        ["train", "plane", "car"],
        ["train", "test tube"],
        ["contest", "protest", "trainer"],
        ["evil", "device", "valley"],
        ["part", "whole"],
        ["gear_part_1", "lever_part_1"],
        ["id0001", "id0002", "id0003"],
        ["2023", "2024"],
        ["benign", "malignant"],
    ],
)
def test_classes_with_names_somewhat_like_splits_are_classes(
    open_tree: Callable[..., Source], names: list[str]
) -> None:
    assert classes_of(open_tree(*names)) == sorted(names)


@pytest.mark.parametrize("name", ["labels.csv", "labels.tsv", "labels.parquet"])
def test_a_table_next_to_folders_that_are_no_classes_may_have_the_labels(
    open_tree: Callable[..., Source], name: str
) -> None:
    with pytest.raises(PetiteError, match=f"labels={name}"):
        listed(open_tree("train", "test", **{name: b"x"}))


def test_tables_in_folders_that_are_no_classes_may_have_the_labels(
    open_tree: Callable[..., Source],
) -> None:
    tables = {f"{part}/metadata.csv": b"x" for part in ("train", "test")}
    with pytest.raises(PetiteError, match=r"test/metadata\.csv, train/metadata\.csv.*'split'"):
        listed(open_tree("train", "test", **tables))
    with pytest.raises(PetiteError, match=r"labels=train/metadata\.jsonl"):
        listed(open_tree("train", "test", **{"train/metadata.jsonl": b"x"}))


@pytest.mark.parametrize(
    ("names", "odd"),
    [
        (["train/a", "train/b", "valid/a", "valid/b", "test/{}.jpg"], "test"),
        (
            ["seg_train/s/a", "seg_train/s/b", "seg_test/s/a", "seg_test/s/b", "seg_pred"],
            "seg_pred",
        ),
        (["Training/a", "Training/b", "Test/a", "Test/b", "test-more/{}.jpg"], "test-more"),
        (["train/a", "train/b", "test/a", "test/b", "all/train/a", "all/test/a"], "all"),
    ],
)
def test_what_is_next_to_a_given_split_is_named_to_be_moved(
    open_tree: Callable[..., Source], names: list[str], odd: str
) -> None:
    with pytest.raises(PetiteError, match=f"as the split, move {odd} out of"):
        listed(open_tree(*names))


def test_the_part_with_class_folders_in_it_is_named(open_tree: Callable[..., Source]) -> None:
    with pytest.raises(PetiteError, match=r"splits.*train.*\(ants, bees\)"):
        listed(open_tree("train/ants", "train/bees", "test/{}.jpg"))


def test_labels_in_the_file_names_of_splits_are_named(open_tree: Callable[..., Source]) -> None:
    with pytest.raises(PetiteError, match=r"splits.*labels \(cat, dog\)"):
        listed(open_tree("train/cat.{}.jpg", "train/dog.{}.jpg", "test1/{}.jpg"))


@pytest.mark.parametrize(
    "names",
    [
        ["labeled/cat.{}.jpg", "labeled/dog.{}.jpg", "more/{}.jpg"],
        ["a/{}_cat.png", "a/{}_dog.png", "b/{}.png"],
        ["a/African Elephant ({}).png", "a/zebra ({}).png", "b/{}.png"],
        ["kaggle/cat-{}.jpg", "kaggle/dog-{}.jpg", "submit/0{}.jpg"],
        ["a/cat{}.jpg", "a/dog{}.jpg", "b/{}.jpg", "c/{}.jpg"],
    ],
)
def test_a_folder_with_labels_in_its_file_names_beside_one_without_is_no_class(
    open_tree: Callable[..., Source], names: list[str]
) -> None:
    with pytest.raises(PetiteError, match=r"labels \(.*dataset\.classes: \["):
        listed(open_tree(*names))


@pytest.mark.parametrize(
    "names",
    [
        ["cat/cat.{}.jpg", "dog/dog.{}.jpg"],
        ["cat/IMG_{}.jpg", "cat/DSC_{}.jpg", "dog/{}.jpg"],
        ["cat/IMG_{}.jpg", "cat/DSC_{}.jpg", "dog/IMG_{}.jpg", "dog/DSC_{}.jpg"],
        ["benign/p16_slice{}.png", "benign/p17_slice{}.png", "malignant/{}.png"],
        ["cat/{}.jpg", "dog/{}.png"],
        ["cat/img_{}_cat.jpg", "dog/img_{}_dog.jpg"],
        ["with_mask/with_mask_{}.jpg", "without_mask/without_mask_{}.jpg"],
        ["cat/left{}.jpg", "cat/right{}.jpg", "dog/left{}.jpg", "dog/right{}.jpg"],
    ],
)
def test_file_names_in_class_folders_may_be_anything(
    open_tree: Callable[..., Source], names: list[str]
) -> None:
    assert len(classes_of(open_tree(*names))) == 2


@pytest.mark.parametrize(
    "names",
    [
        ["images", "masks"],
        ["imgs", "segmentation"],
        ["JPEGImages/2007_{}.jpg", "SegmentationClass/2007_{}.png"],
        ["x/photo_{}.jpg", "y/photo_{}.png"],
        ["ISIC_input/ISIC_{}.jpg", "ISIC_truth/ISIC_{}_segmentation.png"],
        ["x/slice {}.png", "y/slice {}_mask.png"],
        ["data/images/a{}.jpg", "data/labels/a{}.png", "data/edges/a{}.png"],
    ],
)
def test_folders_of_images_and_of_their_masks_are_no_classes(
    open_tree: Callable[..., Source], names: list[str]
) -> None:
    with pytest.raises(PetiteError, match=r"masks.*dataset\.classes: \["):
        listed(open_tree(*names))


@pytest.mark.parametrize("suffix", [".txt", ".xml", ".json"])
def test_a_folder_of_labels_beside_the_images_is_no_class(
    open_tree: Callable[..., Source], suffix: str
) -> None:
    with pytest.raises(PetiteError, match=rf"one class \(images\).*labels \(only 4 {suffix}\)"):
        listed(open_tree("images/{}.jpg", f"labels/{{}}{suffix}"))
    with pytest.raises(PetiteError, match=r"splits.*dataset\.classes: \["):
        listed(open_tree("images/train/{}.jpg", "images/val/{}.jpg", f"labels/train/{{}}{suffix}"))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["cat.{}.jpg", "dog.{}.jpg"], r"labels \(cat, dog\)"),
        (["all/cat.{}.jpg", "all/dog.{}.jpg"], r"labels \(cat, dog\)"),
        (["{}.jpg"], "4 files.* 0.jpg, 1.jpg"),
        (["images/a{}.jpg", "labels.csv"], r"\blabels\.csv"),
        (["{}.xml"], "no images"),
        (["cat", "dog/{}.txt"], r"one class \(cat\).* dog \(only 4 .txt\)"),
    ],
)
def test_what_to_do_without_class_folders_is_said(
    open_tree: Callable[..., Source], names: list[str], message: str
) -> None:
    names = [f"{name}/{{}}" if name == "labels.csv" else name for name in names]
    more = {name.removesuffix("/{}"): b"x" for name in names if name.startswith("labels.csv")}
    names = [name for name in names if not name.startswith("labels.csv")]
    with pytest.raises(PetiteError, match=message):
        listed(open_tree(*names, **more))


def test_more_images_beside_the_class_folders_than_in_them_are_refused(
    open_tree: Callable[..., Source],
) -> None:
    names = ["photo {}.jpg", "more {}.jpg", "last {}.jpg", "samples/a", "samples/b"]
    with pytest.raises(PetiteError, match=r"\b12\b.*\(8 in a, b\)"):
        listed(open_tree(*names))
    assert classes_of(open_tree(*names), ["a", "b"]) == ["a", "b"]


def test_the_folders_within_the_classes_are_named_when_they_are_asked_for(
    open_tree: Callable[..., Source],
) -> None:
    with pytest.raises(PetiteError, match=r"cats, dogs .*Oslo, Rome"):
        listed(
            open_tree(*(f"{a}/{b}" for a in ("Oslo", "Rome") for b in ("cats", "dogs"))),
            [
                "cats",
                "dogs",
            ],
        )


# --- what is taken, and said


def test_what_is_taken_for_a_class_is_said_in_one_line(open_tree: Callable[..., Source]) -> None:
    _, notices = listed(open_tree("pets/cat", "pets/dog"))
    assert len(notices) == 1
    assert re.search(r"^2 classes.*pets: cat \(4 files\), dog \(4 files\)$", notices[0])


def test_nothing_is_said_of_classes_that_the_user_names(open_tree: Callable[..., Source]) -> None:
    assert listed(open_tree("cat", "dog"), ["dog", "cat"])[1] == []


@pytest.mark.parametrize(
    ("names", "inner"),
    [
        (["animals/cat", "animals/dog", "plants/rose", "plants/tulip"], "4 folders"),
        (["cat/tom", "cat/felix", "cat/garfield", "dog/rex", "dog/fido"], "5 folders"),
        (["good", "defect/scratch", "defect/dent"], "2 folders"),
        (["cat", "cat/more", "dog"], "1 folder"),
        (["cat/thumbs", "dog/thumbs"], "2 folders"),
        (["cat/train", "cat/more", "dog/train", "dog/test"], "4 folders"),
        (["cat/images", "dog/images"], "2 folders"),
    ],
)
def test_folders_within_classes_are_said(
    open_tree: Callable[..., Source], names: list[str], inner: str
) -> None:
    frame, notices = listed(open_tree(*names))
    assert len(frame["class_name"].unique()) == 2
    assert any(line.startswith(f"{inner} in class folders") for line in notices)


def test_images_beside_the_class_folders_are_said(open_tree: Callable[..., Source]) -> None:
    frame, notices = listed(open_tree("cat", "dog", **{"cover.jpg": b"x", "README.md": b"x"}))
    assert len(frame) == 8
    assert len(notices) == 2
    assert re.search(r"^1 file\b.*: cover\.jpg$", notices[1])


@pytest.mark.parametrize(
    "names", [["cat", "dog"], ["train/cat", "train/dog", "test/cat", "test/dog"]]
)
def test_a_table_next_to_the_class_folders_is_said_to_be_unused(
    open_tree: Callable[..., Source], names: list[str]
) -> None:
    more = {"my labels.csv": b"x", "readme.txt": b"x", "cat.json": b"x"}
    _, notices = listed(open_tree(*names, **more))
    assert any(
        re.search(r"^my labels\.csv .* is not read.*labels='my labels.csv'", line)
        for line in notices
    )


@pytest.mark.parametrize(
    "name",
    ["unlabeled", "test", "Unlabelled data", "val", "thumbnails", "thumbs", "_archive", "_old"],
)
def test_a_class_that_is_hardly_one_is_said(open_tree: Callable[..., Source], name: str) -> None:
    _, notices = listed(open_tree("cat", "dog", name))
    assert any(re.search(f"folder {name} .*dataset.classes", line) for line in notices)


def test_classes_that_differ_by_capitals_alone_are_said(open_tree: Callable[..., Source]) -> None:
    _, notices = listed(open_tree("Cat", "cat", "dog"))
    assert any("'Cat', 'cat'" in line for line in notices)


SIDE = [
    *("cat/1.xml", "cat/2.XML", "cat/1.json", "cat/1.txt", "dog/Thumbs.db", "dog/desktop.ini"),
    *("dog/labels.csv", "dog/README", "dog/LICENSE", "dog/notes.pdf", "dog/.DS_Store"),
]


def test_side_files_are_counted_by_kind_and_are_no_entries(
    open_tree: Callable[..., Source],
) -> None:
    frame, notices = listed(open_tree("cat", "dog", **dict.fromkeys(SIDE, b"x")))
    assert len(frame) == 8
    assert notices[1].startswith("10 files")
    for kind in ("2 .xml", "1 .json", "1 Thumbs.db", "1 desktop.ini", "1 README", "1 .pdf"):
        assert kind in notices[1]


@pytest.mark.parametrize(
    "name", ["cat/a.jpg", "cat/noending", "cat/b.xyz", "cat/c.mp4", "cat/d.zip"]
)
def test_files_that_are_no_known_side_files_are_entries_to_be_read(
    open_tree: Callable[..., Source], name: str
) -> None:
    frame, _ = listed(open_tree("cat", "dog", **{name: b"text"}))
    assert name in set(frame["image_id"])


@pytest.mark.parametrize(
    "folder", ["__MACOSX", ".thumbnails", "@eaDir", "node_modules", "#recycle", "$RECYCLE.BIN"]
)
def test_folders_of_systems_are_no_classes_and_hold_no_images(
    open_tree: Callable[..., Source], folder: str
) -> None:
    frame, notices = listed(open_tree("cat", "dog", folder, f"cat/{folder}", f"cat/{folder}/1"))
    assert len(frame) == 8
    assert len(notices) == 1


def test_classes_are_in_natural_order(open_tree: Callable[..., Source]) -> None:
    names = [str(number) for number in range(1, 13)]
    assert classes_of(open_tree(*names)) == names
    assert classes_of(open_tree(*names), ["10", "9", "2"]) == ["10", "9", "2"]
    assert classes_of(open_tree("age 10", "age 9", "age 100")) == ["age 9", "age 10", "age 100"]


# --- empty class folders


@pytest.mark.parametrize("kind", MAKERS)
def test_an_empty_class_folder_is_said_and_is_refused_where_it_is_named(
    tmp_path: Path, kind: str
) -> None:
    path = MAKERS[kind](tmp_path / "data", tree("red", "green", "blue/{}.xml", files=2))
    if kind == "folder":
        (path / "pink").mkdir()
    elif kind == "zip":
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("pink/", b"")
    else:
        with tarfile.open(path, "a") as tar:
            info = tarfile.TarInfo("pink")
            info.type = tarfile.DIRTYPE
            tar.addfile(info)
    name = "folder" if kind == "folder" else "archive"
    frame, notices = listed(open_source(name, path))
    assert frame["class_name"].unique().tolist() == ["green", "red"]
    assert "blue (only 2 .xml), pink (empty)" in notices[1]
    with pytest.raises(PetiteError, match=r"pink \(empty\).*'gren'.*green"):
        listed(open_source(name, path), ["red", "pink", "gren"])


# --- files named after another file of their class


COMPANIONS = {
    "masks": ["{c}/{c} ({n}).png", "{c}/{c} ({n})_mask.png"],
    "several masks": ["{c}/{n}.png", "{c}/{n}_mask_1.png", "{c}/{n}_mask_2.png"],
    "segmentations": ["{c}/ISIC_{n}.jpg", "{c}/ISIC_{n}_segmentation.png"],
    "ground truth": ["{c}/{n}.jpg", "{c}/{n}-ground-truth.png"],
    "without a separator": ["{c}/{n}.jpg", "{c}/{n}GT.png"],
    "color and depth": ["{c}/{n}_rgb.png", "{c}/{n}_depth.png"],
    "image and label": ["{c}/x{n}_image.png", "{c}/x{n}_label.png"],
    "a word before": ["{c}/{n}.png", "{c}/mask_{n}.png"],
    "words before": ["{c}/img_{n}.png", "{c}/mask_{n}.png"],
    "a folder in both classes": ["{c}/images/{n}.png", "{c}/masks/{n}.png"],
    "a folder of depth": ["{c}/rgb/{n}.png", "{c}/Depth maps/{n}.png"],
    "a folder below": ["{c}/one/{n}.png", "{c}/one/gt/{n}.png"],
}


def of_classes(names: list[str], count: int = 10) -> dict[str, bytes]:
    """Files of the classes sick and well; {c} is the class, {n} a number."""
    return {
        name.format(c=label, n=f"{number:03d}"): b"x"
        for label in ("sick", "well")
        for number in range(count)
        for name in names
    }


@pytest.mark.parametrize("names", COMPANIONS.values(), ids=COMPANIONS)
def test_masks_beside_the_images_of_a_class_are_refused_unless_the_classes_are_named(
    open_tree: Callable[..., Source], names: list[str]
) -> None:
    with pytest.raises(PetiteError, match=r"20 of|40 of") as error:
        listed(open_tree(**of_classes(names)))
    assert "masks" in str(error.value)
    assert 'dataset.classes: ["sick", "well"]' in str(error.value)
    assert classes_of(open_tree(**of_classes(names)), ["sick", "well"]) == ["sick", "well"]


def test_a_folder_of_masks_in_one_class_is_refused(open_tree: Callable[..., Source]) -> None:
    files = of_classes(["{c}/{n}.png"]) | {f"sick/masks/{n}.png": b"x" for n in range(10)}
    with pytest.raises(PetiteError, match=r"10 of 20 files in sick .* sick/masks/0.png"):
        listed(open_tree(**files))


VERSIONS = {
    "another ending": ["{n}.jpg", "{n}.png"],
    "another ending of words": ["leaf_{n}.a.jpg", "leaf_{n}.a.png"],
    "words alone": ["{n}_left.png", "{n}_right.png"],
    "made smaller": ["{n}.png", "{n}_flip.png", "{n}_small.jpg"],
    "edited": ["{c} ({n}).jpg", "{c} ({n})-edited.jpg"],
}
COPIES = {
    "augmented": ["{n}.jpg", "{n}_aug0.jpg", "{n}_aug1.jpg"],
    "copies of Windows": ["IMG_{n}.jpg", "IMG_{n} - Copy.jpg", "IMG_{n} - Copy (2).jpg"],
    "several words": ["a_{n}.jpg", "a_{n}_rot_90.jpg", "a_{n}_rot_90_flip.jpg"],
    "in subfolders": ["day {n}/1.png", "day {n}/1_dark.png"],
    "of Roboflow": ["a {n}_jpg.rf.0a{n}bcdef01.jpg", "a {n}_jpg.rf.1a{n}bcdef02.jpg"],
}


@pytest.mark.parametrize("names", VERSIONS.values(), ids=VERSIONS)
def test_versions_of_one_picture_are_said_with_the_setting_that_keeps_them_together(
    open_tree: Callable[..., Source], names: list[str]
) -> None:
    files = of_classes([f"{{c}}/{name}" for name in names], count=12)
    frame, notices = listed(open_tree(**files))
    said = [line for line in notices if "named after another" in line]
    assert len(said) == 1
    more = 24 * (len(names) - 1)
    assert said[0].startswith(f"{more} of {more + 24} files in sick, well ")
    setting = yaml.safe_load(re.findall(r"split: (\{groups: .*\})", said[0])[0])["groups"]
    assert groups.problem(setting) is None
    # The files are listed picture by picture.
    numbers, found = groups.named_groups(sorted(files), setting)
    pictures = [name.split("/")[0] + re.findall(r"\d{3}", name)[0] for name in sorted(files)]
    assert len(found) == len(set(pictures)) == len(set(zip(pictures, numbers, strict=True))) == 24
    assert len(frame) == more + 24


@pytest.mark.parametrize("names", COPIES.values(), ids=COPIES)
def test_copies_by_their_names_are_left_to_the_split_which_says_so_once(
    open_tree: Callable[..., Source], names: list[str]
) -> None:
    files = of_classes([f"{{c}}/{name}" for name in names], count=12)
    frame, notices = listed(open_tree(**files))
    assert not any("named after another" in line for line in notices)
    label = pd.factorize(frame["class_name"])[0]
    unlike = frame.assign(label=label, phash=np.uint64(0), copy_group=range(len(frame)))
    apart = np.array(["train", "test"])[np.arange(len(frame)) % 2]
    for parts in (None, apart):
        said = suggestion(unlike, 0, parts)
        assert said and "of 24 groups in 2 of 2 classes" in said
        assert "split: {groups: copies}" in said
    # Copies in training alone are no leak.
    assert suggestion(unlike, 0, np.full(len(frame), "train")) is None


@pytest.mark.parametrize(
    "names",
    [
        ["{c}.{n}.jpg"],
        ["IMG_{n}.jpg", "DSC_{n}.jpg"],
        ["{n}_1.jpg", "{n}_2.jpg", "{n}_3.jpg"],
        ["p{n}_slice1.png", "p{n}_slice2.png", "p{n}_slice3.png"],
        ["clip{n}_frame0001.jpg", "clip{n}_frame0002.jpg"],
        ["{n}.jpg", "1{n}.jpg", "2{n}.png"],
        ["2024-05-01_{n}.png", "2024-05-02_{n}.png"],
        ["0a{n}-1b-2c.jpg", "0a{n}-3d-4e.jpg"],
        ["with_mask_{n}.jpg", "{n}-with-mask.jpg"],
        ["{n}/1.jpg", "{n}/2.jpg"],
        ["p{n}/img.jpg", "p{n}/more.jpg"],
    ],
)
def test_names_of_images_of_their_own_are_no_sign_of_versions(
    open_tree: Callable[..., Source], names: list[str]
) -> None:
    _, notices = listed(open_tree(**of_classes([f"{{c}}/{name}" for name in names])))
    assert not any("named after" in line for line in notices)


def test_a_few_versions_among_many_images_are_no_sign(open_tree: Callable[..., Source]) -> None:
    few = {f"sick/00{n}_mask.png": b"x" for n in range(5)}
    _, notices = listed(open_tree(**of_classes(["{c}/{n}.png"], count=50), **few))
    assert not any("named after" in line for line in notices)


def test_a_class_that_is_called_mask_may_have_files_of_that_name(
    open_tree: Callable[..., Source],
) -> None:
    files = {f"mask/{name}_{n}.jpg": b"x" for name in ("mask", "img") for n in range(10)}
    files |= {f"no mask/{n}.jpg": b"x" for n in range(10)}
    assert classes_of(open_tree(**files)) == ["mask", "no mask"]


# --- folders of the same names that are no classes


SHARED = {
    "patients": ["p00", "p01", "p02"],
    "words and numbers": ["patient_1", "patient_2", "patient_10"],
    "subjects and sessions": ["sub-01_ses-1", "sub-01_ses-2", "sub-02_ses-1"],
    "cameras": ["cam1", "cam2", "cam3"],
    "chunks": ["000", "001", "002"],
    "dates": ["2024-05-01", "2024-05-02", "2024-05-03"],
    "days": ["20240501", "20240502", "20240503"],
    "days and plots": ["day0/q000", "day1/q000", "day2/q001"],
}


@pytest.mark.parametrize("inner", SHARED.values(), ids=SHARED)
def test_folders_of_the_same_identifiers_in_each_class_are_said(
    open_tree: Callable[..., Source], inner: list[str]
) -> None:
    names = [f"{label}/{name}" for label in ("benign", "malignant") for name in inner]
    frame, notices = listed(open_tree(*names))
    assert frame["class_name"].unique().tolist() == ["benign", "malignant"]
    said = [line for line in notices if "split: {groups: subfolder}" in line]
    assert len(said) == 1
    assert inner[0].split("/")[0] in said[0]


def test_two_folders_of_the_same_identifiers_make_groups_for_two_parts(
    open_tree: Callable[..., Source],
) -> None:
    _, notices = listed(open_tree("left/cam1", "left/cam2", "right/cam1", "right/cam2"))
    assert any("split: {groups: subfolder, validation: 0}" in line for line in notices)


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        (["Oslo", "Rome"], ["n01440764", "n01443537"]),
        (["Oslo", "Rome"], ["class_1", "class_2", "class_3"]),
        (["Oslo", "Rome"], ["grade0", "grade1"]),
        (["p002", "p012", "p014"], ["c0", "c1", "c2"]),
        (["Oslo", "Rome"], ["0", "1", "2"]),
        (["benign", "malignant"], ["40X", "100X", "200X"]),
        (["Oslo", "Rome"], ["cat", "dog", "p00"]),
    ],
)
def test_folders_of_the_same_names_that_classes_have_are_refused(
    open_tree: Callable[..., Source], outer: list[str], inner: list[str]
) -> None:
    with pytest.raises(PetiteError, match=r"dataset\.classes: \["):
        listed(open_tree(*(f"{one}/{other}" for one in outer for other in inner)))


def test_folders_of_masks_in_given_splits_are_no_classes(open_tree: Callable[..., Source]) -> None:
    parts = [f"{part}/{name}" for part in ("train", "test") for name in ("images", "masks")]
    with pytest.raises(PetiteError, match=r"splits.*dataset\.classes: \[") as error:
        listed(open_tree(*parts))
    assert "look like the classes" not in str(error.value)


# --- archives in place of images, and arrays beside them


@pytest.mark.parametrize(
    "names",
    [["all.zip"], ["apple.zip", "pear.zip"], ["data/apple.tar.gz", "data/pear.7z"]],
)
def test_archives_in_place_of_images_are_to_be_unpacked(
    open_tree: Callable[..., Source], names: list[str]
) -> None:
    message = rf"{names[0].rpartition('/')[2]}.*: unpack "
    with pytest.raises(PetiteError, match=message) as error:
        listed(open_tree(**dict.fromkeys(names, b"x")))
    assert "Sort the images" not in str(error.value)


def test_one_file_is_one_file(open_tree: Callable[..., Source]) -> None:
    with pytest.raises(PetiteError, match=r"1 file\b.*: a\.jpg"):
        listed(open_tree(**{"a.jpg": b"x"}))


def test_arrays_beside_images_are_side_files(open_tree: Callable[..., Source]) -> None:
    frame, notices = listed(open_tree("cat/{}.npy", "cat", "dog", "dog/vectors/{}.npy"))
    assert len(frame) == 8
    assert any("8 .npy" in line for line in notices)


def test_arrays_that_are_all_there_is_are_entries_to_be_read(
    open_tree: Callable[..., Source],
) -> None:
    assert len(listed(open_tree("cat/{}.npy", "dog/{}.npy"))[0]) == 8


# --- links to folders


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """Folders of images elsewhere, as on a network disk."""
    return make_folder(tmp_path / "nas", tree("cats", "dogs", "birds"))


def linked(root: Path, **links: Path | str) -> Path:
    for name, target in links.items():
        link = root / name.replace("__", "/")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
    return root


def test_linked_class_folders_are_followed(tmp_path: Path, pool: Path) -> None:
    root = linked(tmp_path / "data", cats=pool / "cats", dogs="../nas/dogs", birds=pool / "birds")
    source = FolderSource(root)
    frame, notices = listed(source)
    assert frame["class_name"].value_counts().to_dict() == {"cats": 4, "dogs": 4, "birds": 4}
    assert len(notices) == 1
    assert source.read("cats/1.jpg") == b"x"


def test_one_linked_class_folder_among_others_is_followed(tmp_path: Path, pool: Path) -> None:
    root = make_folder(tmp_path / "data", tree("ants", "bees"))
    assert classes_of(FolderSource(linked(root, cats=pool / "cats"))) == ["ants", "bees", "cats"]


def test_a_linked_root_and_a_link_to_a_link_are_followed(tmp_path: Path, pool: Path) -> None:
    linked(tmp_path / "by", cats=pool / "cats", dogs=tmp_path / "by/second", second=pool / "dogs")
    (tmp_path / "by/second").rename(tmp_path / "second")
    (tmp_path / "by/dogs").unlink()
    (tmp_path / "by/dogs").symlink_to(tmp_path / "second")
    (tmp_path / "root").symlink_to(tmp_path / "by")
    assert classes_of(FolderSource(tmp_path / "root")) == ["cats", "dogs"]


def test_a_linked_folder_within_a_class_is_a_part_of_it(tmp_path: Path, pool: Path) -> None:
    root = make_folder(tmp_path / "data", tree("ants", "bees"))
    frame, notices = listed(FolderSource(linked(root, ants__more=pool / "cats")))
    assert frame["class_name"].value_counts().to_dict() == {"ants": 8, "bees": 4}
    assert any("such as" in line or "ants/more" in line for line in notices)


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("cats__up", ".."),
        ("cats__here", "."),
        ("cats__further", "../.."),
        ("all", "."),
        ("cats__deep__loop", "../../cats"),
        ("all", "/"),
    ],
)
def test_links_in_a_circle_are_found_and_said(tmp_path: Path, link: str, target: str) -> None:
    root = linked(make_folder(tmp_path / "data", tree("cats", "dogs")), **{link: target})
    frame, notices = listed(FolderSource(root))
    assert frame["class_name"].value_counts().to_dict() == {"cats": 4, "dogs": 4}
    assert notices[1].startswith("links ")
    assert notices[1].endswith(f": {link.replace('__', '/')}")


def test_links_that_multiply_are_followed_once_a_class(tmp_path: Path) -> None:
    root = make_folder(tmp_path / "data", tree("cats", "dogs"))
    deep = make_folder(tmp_path / "deep", tree(*(str(number) for number in range(30))))
    for number in range(29):
        for name in ("left", "right"):
            (deep / str(number) / name).symlink_to(deep / str(number + 1))
    frame, _ = listed(FolderSource(linked(root, cats__deep=deep / "0")))
    assert frame["class_name"].value_counts().to_dict() == {"cats": 4 + 30 * 4, "dogs": 4}
    assert frame["image_id"].is_unique


def test_one_folder_in_two_classes_is_refused_unless_one_is_chosen(
    tmp_path: Path, pool: Path
) -> None:
    root = linked(tmp_path / "data", cats=pool / "cats", kitties=pool / "cats", dogs=pool / "dogs")
    with pytest.raises(PetiteError, match=r"cats and kitties of .*link"):
        listed(FolderSource(root))
    assert classes_of(FolderSource(root), ["dogs", "kitties"]) == ["dogs", "kitties"]
    with pytest.raises(PetiteError, match="cats and kitties"):
        listed(FolderSource(root), ["cats", "kitties"])
    inner = linked(tmp_path / "inner", all__c=pool / "cats", cats=pool / "cats")
    with pytest.raises(PetiteError, match=r"all/c and cats of .*link"):
        listed(FolderSource(inner))


def test_a_class_link_that_leads_nowhere_is_named(tmp_path: Path, pool: Path) -> None:
    root = linked(tmp_path / "data", cats=pool / "cats", dogs=pool / "dogs", ants=pool / "ants")
    with pytest.raises(PetiteError, match=r"ants \(leads to .*nas/ants,"):
        listed(FolderSource(root))
    assert classes_of(FolderSource(root), ["cats", "dogs"]) == ["cats", "dogs"]
    circle = linked(tmp_path / "circle", cats=pool / "cats", dogs=pool / "dogs", x="x")
    with pytest.raises(PetiteError, match=r"x \(Too many levels of symbolic links\)"):
        listed(FolderSource(circle))


def test_a_file_beside_the_classes_that_is_a_dangling_link_stops_nothing(
    tmp_path: Path, pool: Path
) -> None:
    root = linked(tmp_path / "data", cats=pool / "cats", dogs=pool / "dogs")
    (root / "readme.md").symlink_to("gone.md")
    assert classes_of(FolderSource(root)) == ["cats", "dogs"]


def test_a_linked_folder_without_permission_is_named(tmp_path: Path, pool: Path) -> None:
    root = linked(tmp_path / "data", cats=pool / "cats", dogs=pool / "dogs")
    (pool / "dogs").chmod(0)
    # Root may read anything, unless it lays down that right.
    prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    done = subprocess.run(
        [*(prefix if os.geteuid() == 0 else []), *listing_script(root, tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    (pool / "dogs").chmod(0o755)
    assert done.returncode == 1
    assert f"{root}/dogs: Permission denied" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_one_folder_in_two_classes_of_an_archive_is_refused(
    tmp_path: Path, make: Callable[..., Path]
) -> None:
    path = add_links(make(tmp_path / "a", tree("pool/a", "pool/b")), {"c": "pool/a", "d": "pool/b"})
    with pytest.raises(PetiteError, match=r"c and pool/a of .*link"):
        listed(open_source("archive", path))
    assert classes_of(open_source("archive", path), ["d", "c"]) == ["d", "c"]


# --- names in two spellings of Unicode


def test_the_parts_in_each_class_may_be_in_another_spelling_of_unicode(tmp_path: Path) -> None:
    parts = [unicodedata.normalize("NFD", f"s\u00e9g_{part}") for part in ("train", "test")]
    folder = make_folder(
        tmp_path / "a", tree(*(f"{name}/{part}" for name in "ab" for part in parts))
    )
    with open_source("folder", folder) as source:
        frame = listed(source)[0]
    assert frame.groupby("class_name")["split"].unique().map(sorted).to_dict() == {
        "a": ["test", "train"],
        "b": ["test", "train"],
    }


@pytest.mark.parametrize("on_disk", [CAFE, CAFE_IN_TWO])
@pytest.mark.parametrize("typed", [CAFE, CAFE_IN_TWO])
def test_class_names_are_found_in_either_spelling_and_stored_in_one(
    open_tree: Callable[..., Source], on_disk: str, typed: str
) -> None:
    source = open_tree(f"{on_disk}/{on_disk} {{}}.jpg", "tea")
    with source:
        frame = listing(source, ["tea", typed], None, 0.1)
        assert frame["class_name"].unique().tolist() == ["tea", CAFE]
        assert frame["image_id"].iloc[-1] == f"{CAFE}/{CAFE} 3.jpg"
        assert source.read(f"{CAFE}/{CAFE} 3.jpg") == b"x"


def test_a_zip_of_macos_does_not_say_that_its_names_are_utf8(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", tree(CAFE_IN_TWO, "tea"))
    data = path.read_bytes()
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        parts = data.split(header)
        data = header.join([parts[0], *(b"%b\0\0%b" % (part[: flags - 4], part[flags - 2 :])
                                        for part in parts[1:])])  # fmt: skip
    path.write_bytes(data)
    with open_source("archive", path) as source:
        frame = listing(source, [CAFE, "tea"], None, 0.1)
        assert source.read(f"{CAFE}/1.jpg") == b"x"
    assert frame["class_name"].unique().tolist() == [CAFE, "tea"]


def test_names_in_another_encoding_in_a_zip_are_read_somehow(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", tree("cafX", "tea"))
    path.write_bytes(path.read_bytes().replace(b"cafX", b"caf\x82"))  # é of MS-DOS
    frame, notices = listed(open_source("archive", path))
    assert frame["class_name"].drop_duplicates().tolist() == [CAFE, "tea"]
    assert any("encoding" in line and f"'{CAFE}/" in line for line in notices)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([CAFE, CAFE_IN_TWO], f"two folders named '{CAFE}'"),
        ([f"cat/{CAFE} {{}}.jpg", f"cat/{CAFE_IN_TWO} {{}}.jpg", "dog"], f"two files 'cat/{CAFE}"),
        ([f"cat/{CAFE}", f"cat/{CAFE_IN_TWO}", "dog"], f"two files 'cat/{CAFE}"),
    ],
)
def test_names_that_differ_by_spelling_alone_are_refused(
    open_tree: Callable[..., Source], names: list[str], message: str
) -> None:
    with pytest.raises(PetiteError, match=message):
        listed(open_tree(*names))


def test_names_that_differ_by_capitals_are_a_hint_alone(open_tree: Callable[..., Source]) -> None:
    with pytest.raises(PetiteError, match=r"'cat'.*Cat"):
        listed(open_tree("Cat", "Dog"), ["cat", "Dog"])


# --- as the workflow does


def listing_script(root: Path, output: Path) -> list[Any]:
    """The command that lists a folder into `output`/listing.parquet."""
    script = Path(__file__).resolve().parents[3] / "scripts/listing.py"
    command: list[Any] = [sys.executable, script, "--source", "folder", "--path", root]
    command += ["--output", output / "listing.parquet", "--settings"]
    return [*command, '{"classes": null, "limit_per_class": null, "max_bad_share": 0.1}']


def test_the_script_writes_the_notices_beside_the_listing(tmp_path: Path) -> None:
    root = make_folder(tmp_path / "data", tree("cat", "dog") | {"cat/1.xml": b"x"})
    done = subprocess.run(
        listing_script(root, tmp_path), capture_output=True, text=True, check=True
    )
    text = (tmp_path / "listing.json").read_text()
    assert "2 classes" in text
    assert "1 .xml" in text
    assert "NOTICE" in done.stderr
