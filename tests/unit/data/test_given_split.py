"""A split that is given: which trees are one, that it is used as it is, and its leaks."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_layouts import tree
from test_sources import make_folder, make_tar, make_zip

from petite.data.annotations import annotations_of
from petite.data.given_split import given_parts, leaked, names_of
from petite.data.sources import listing, open_source
from petite.data.split_names import parts_of
from petite.data.splitting import Split, split_images
from petite.util.errors import PetiteError
from petite.util.notices import Notices

# --- names


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        ("train test", "train test"),
        ("Train TEST", "train test"),
        ("training testing", "train test"),
        ("training_set test_set", "train test"),
        ("TrainData TestData", "train test"),
        ("train_images val_images", "train validation"),
        ("train val test", "train validation test"),
        ("train valid test", "train validation test"),
        ("train validation test", "train validation test"),
        ("train dev test", "train validation test"),
        ("train2017 val2017", "train validation"),
        ("train eval", "train test"),
        ("train dev eval", "train validation test"),
        ("train eval test", "train validation test"),
        ("train holdout", "train test"),
        ("train evaluation holdout", "train validation test"),
        ("seg_train seg_test", "train test"),
        ("Plants-Training Plants-Validation", "train validation"),
        ("trainA testA", "train test"),
    ],
)
def test_the_names_of_parts_are_known(names: str, parts: str) -> None:
    assert list(parts_of(names.split()).values()) == parts.split()


@pytest.mark.parametrize(
    "names",
    [
        "train1 train2 test",
        "train test holdout",
        "train val dev",
        "train eval test val",
        "val test",
        "trainA trainB testA testB",
        "train other",
        "cats_train dogs_test",
        "trains tests",
        "contest protest",
        "pretrain test",
        "train unlabeled",
        "fold_1 fold_2",
        "",
    ],
)
def test_other_names_are_no_split(names: str) -> None:
    assert parts_of(names.split()) == {}


# --- trees

GIVEN = {
    "train and test": ["train/a", "train/b", "test/a", "test/b"],
    "capitals": ["Train/a", "Train/b", "TEST/a", "TEST/b"],
    "three parts": [f"{part}/{name}" for part in ("train", "valid", "test") for name in "ab"],
    "dogs and cats": ["training_set/training_set/a", "training_set/training_set/b"]
    + ["test_set/test_set/a", "test_set/test_set/b"],
    "in a folder": ["data/train/a", "data/train/b", "data/test/a", "data/test/b"],
    "deep in folders": ["x/y/train/z/a", "x/y/train/z/b", "x/y/test/a", "x/y/test/b"],
    "folders in classes": ["train/a/p1", "train/a/p2", "train/b", "test/a/p9", "test/b"],
    "one class in test": ["train/a", "train/b", "test/a"],
    "one wrapped class in test": ["train/a", "train/b", "test/x/a/deep"],
    "no images in a part": ["train/a", "train/b", "test/a", "test/b", "val/{}.txt"],
    "labels beside": ["train/a", "train/b", "test/a", "test/b", "labels/{}.xml"],
    "more words": ["seg_train/seg_train/a", "seg_train/seg_train/b", "seg_test/a", "seg_test/b"],
    "in each class": ["a/train", "a/test", "b/train/day 1", "b/train/day 2", "b/test"],
    "tables": ["train/a", "train/b", "test/a", "test/b", "train/{}.csv"],
}


@pytest.mark.parametrize("make", [make_folder, make_zip, make_tar])
@pytest.mark.parametrize("names", GIVEN.values(), ids=GIVEN)
def test_folders_of_a_split_are_parts_and_the_folders_in_them_classes(
    tmp_path: Path, names: list[str], make: Any
) -> None:
    path = make(tmp_path / "made", tree(*names))
    notices = Notices()
    with open_source("folder" if make is make_folder else "archive", path) as source:
        table = listing(source, None, None, 0.1, notices)
        assert all(source.read(image_id) == b"x" for image_id in table["image_id"])
    assert sorted(set(table["class_name"])) == ["a", "b"]
    folders = table["image_id"].str.split("/").str[1].str.lower().str.replace("seg_", "").str[:3]
    parts = table["split"].str[:3]
    assert (folders == parts).all()
    assert len(table) == len([name for name in tree(*names) if name.endswith(".jpg")])
    assert any("has a split, which is used as it is" in text for text in notices)
    assert table["image_id"].str.match(r"^[ab]/").all()


def listed(tmp_path: Path, names: list[str], **more: Any) -> tuple[pd.DataFrame, Notices]:
    notices = Notices()
    path = make_folder(tmp_path / "data", tree(*names))
    with open_source("folder", path) as source:
        return listing(source, more.get("classes"), more.get("limit"), 0.0, notices), notices


UNCERTAIN = {
    "a part more": ["train/a", "train/b", "test/a", "test/b", "old/a", "old/b"],
    "two training parts": ["train1/a", "train1/b", "train2/a", "train2/b"],
    "two test parts": ["train/a", "train/b", "test/a", "test/b", "holdout/a", "holdout/b"],
    "no training part": ["val/a", "val/b", "test/a", "test/b"],
    "test without classes": ["train/a", "train/b", "test"],
    "train without classes": ["train", "test/a", "test/b"],
    "no class folders": ["train", "test"],
    "other classes": ["train/a", "train/b", "test/c", "test/d"],
    "images and masks": ["train/images", "train/masks", "val/images", "val/masks"],
    "images and labels": ["train/images", "train/labels/{}.txt", "val/images", "val/labels/{}.txt"],
    "one class": ["train/a", "test/a"],
    "parts within parts": [f"{a}/{b}" for a in ("train", "test") for b in ("train", "val")],
    "the parts of two": ["cats_train/a", "cats_train/b", "dogs_test/a", "dogs_test/b"],
    "years": [f"{part}/{year}/{name}" for part in ("train", "test") for year in ("2022", "2023")
              for name in ("cat", "dog")],
    "levels that differ": ["train/a/x", "train/b/x", "test/x/a/1", "test/y/b/1"],
    "wrapped in two": ["one/train/a", "one/train/b", "two/test/a", "two/test/b"],
    "folds": ["fold1/a", "fold1/b", "fold2/a", "fold2/b"],
}  # fmt: skip


@pytest.mark.parametrize("names", UNCERTAIN.values(), ids=UNCERTAIN)
def test_what_is_not_certainly_a_split_is_refused(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(PetiteError) as error:
        listed(tmp_path, names)
    assert str(tmp_path / "data") in str(error.value)


@pytest.mark.parametrize("name", ["train", "val", "test", "Training"])
def test_a_single_folder_with_the_name_of_a_part_wraps_its_classes(
    tmp_path: Path, name: str
) -> None:
    table, _ = listed(tmp_path, [f"{name}/a", f"{name}/b"])
    assert "split" not in table
    assert set(table["class_name"]) == {"a", "b"}


@pytest.mark.parametrize("name", ["train", "test", "val", "dev"])
def test_a_class_may_have_the_name_of_a_part(tmp_path: Path, name: str) -> None:
    table, _ = listed(tmp_path, [name, "bus", "tram"])
    assert set(table["class_name"]) == {name, "bus", "tram"}
    table, _ = listed(tmp_path / "given", [f"{part}/{label}" for part in ("train", "test")
                                           for label in (name, "bus", "tram")])  # fmt: skip
    assert set(table["class_name"]) == {name, "bus", "tram"}
    assert set(table["split"]) == {"train", "test"}


def test_a_class_that_is_only_tested_is_an_error_unless_the_others_are_named(
    tmp_path: Path,
) -> None:
    names = ["train/a", "train/b", "test/a", "test/b", "test/new"]
    with pytest.raises(PetiteError, match=r"'new' .*no images in train"):
        listed(tmp_path, names)
    table, _ = listed(tmp_path / "named", names, classes=["b", "a"])
    assert set(table["class_name"]) == {"a", "b"}
    with pytest.raises(PetiteError, match=r"'new' .*no images in train"):
        listed(tmp_path / "again", names, classes=["b", "new"])


def test_a_class_in_other_capitals_in_test_is_named(tmp_path: Path) -> None:
    with pytest.raises(PetiteError, match=r"'dog' .*'Dog'"):
        listed(tmp_path, ["train/cat", "train/Dog", "test/cat", "test/dog"])


def test_a_class_that_a_part_lacks_is_said(tmp_path: Path) -> None:
    _, notices = listed(tmp_path, ["train/a", "train/b", "train/c", "test/a", "test/c"])
    assert any("1 class without images in test: b" in text for text in notices)


def test_the_folders_of_a_split_cannot_be_named_as_classes(tmp_path: Path) -> None:
    with pytest.raises(PetiteError, match=r"test, train .*split: \{given: ignore\}"):
        listed(tmp_path, ["train/a", "train/b", "test/a", "test/b"], classes=["test", "train"])


def test_one_folder_in_two_parts_by_a_link_is_refused(tmp_path: Path) -> None:
    path = make_folder(tmp_path / "data", tree("train/a", "train/b", "test/a"))
    (path / "test/b").symlink_to(path / "train/b")
    with open_source("folder", path) as source, pytest.raises(PetiteError, match="two parts"):
        listing(source, None, None, 0.1)


@pytest.mark.parametrize("limit", [3, 10, 16])
def test_a_limit_keeps_the_share_of_each_part_and_an_image_at_least(
    tmp_path: Path, limit: int
) -> None:
    path = make_folder(
        tmp_path / "data",
        tree("train/a", "train/b", files=24)
        | tree("test/a", "test/b", files=6)
        | tree("val/a", "val/b", files=2),
    )
    with open_source("folder", path) as source:
        table = listing(source, None, limit, 0.0)
    for _, of_class in table.groupby("class_name"):
        counts = of_class["split"].value_counts()
        assert len(of_class) == limit
        assert counts.min() >= 1
        assert abs(counts["train"] - 0.75 * limit) <= 1.25
        first = of_class.loc[of_class["split"] == "train", "image_id"].iloc[0]
        assert first.endswith("train/0.jpg")


# --- the split


def images(*counts: tuple[str, str, int], **columns: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """An index and its annotations: this many images of each class and part."""
    ids = [f"{name}/{part}/{number}.jpg" for name, part, count in counts for number in range(count)]
    names = [name for name, _, count in counts for _ in range(count)]
    index = pd.DataFrame(
        {
            "image_id": ids,
            "class_name": names,
            "label": pd.factorize(np.array(names), sort=True)[0].astype("int16"),
            "status": "ok",
            "copy_group": np.arange(len(ids)),
        }
    )
    parts = [part for _, part, count in counts for _ in range(count)]
    return index, pd.DataFrame({"image_id": ids, "split": parts, **columns})


USUAL = [("a", "train", 40), ("b", "train", 40), ("a", "test", 10), ("b", "test", 10)]
WITH_VALIDATION = [*USUAL, ("a", "validation", 5), ("b", "validation", 5)]


def split(
    index: pd.DataFrame, annotations: pd.DataFrame, notices: Notices | None = None, **more: Any
) -> Split:
    return split_images(index, seed=0, annotations=annotations, notices=notices, **more)


def parts_in(made: Split) -> pd.Series:
    return made.table.set_index("image_id")["split"]


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(
        st.tuples(st.integers(4, 30), st.integers(1, 10), st.integers(0, 10)),
        min_size=2,
        max_size=4,
    ),
    copied=st.sampled_from([0.0, 0.1, 0.5]),
    leaks=st.sampled_from(["drop_from_train", "keep"]),
    seed=st.integers(0, 1000),
)
def test_given_parts_are_used_as_they_are_and_the_test_set_is_never_trained_on(
    sizes, copied, leaks, seed
) -> None:
    index, annotations = images(
        *(
            (f"c{label}", part, count)
            for label, counts in enumerate(sizes)
            for part, count in zip(("train", "test", "validation"), counts, strict=True)
        )
    )
    rng = np.random.default_rng(seed)
    groups = index["copy_group"].to_numpy().copy()
    for image in np.flatnonzero(rng.random(len(index)) < copied):
        groups[image] = groups[rng.choice(np.flatnonzero(index["label"] == index["label"][image]))]
    index["copy_group"] = groups
    said = annotations.set_index("image_id")["split"]
    try:
        made = split_images(index, seed=seed, annotations=annotations, leaks=leaks)
    except PetiteError as error:  # no training image is left, or one that cannot be divided
        assert copied
        assert "train" in str(error)
        return
    parts = parts_in(made)
    tested = said.index[said == "test"]
    assert sorted(parts.index[parts == "test"]) == sorted(tested)  # all, and no other
    if (said == "validation").any():
        assert (parts == said[parts.index]).all()
    else:
        assert set(parts.index[parts == "validation"]) <= set(said.index[said == "train"])
    if leaks == "keep":
        assert len(parts) == len(index)
    else:
        of_copies = parts.groupby(index.set_index("image_id")["copy_group"][parts.index])
        assert (of_copies.nunique() == 1).all()
        dropped = set(said.index) - set(parts.index)
        assert dropped == set(made.leaks.loc[made.leaks["is_dropped"], "image_id"])


def test_without_a_validation_part_it_is_drawn_from_train_by_class_and_that_is_said() -> None:
    notices = Notices()
    parts = parts_in(split(*images(*USUAL), notices, validation=0.25))
    drawn = parts[parts == "validation"].index.str[:7]
    assert sorted(drawn) == ["a/train"] * 10 + ["b/train"] * 10
    assert any("no validation part" in text for text in notices)
    parts = parts_in(split(*images(*USUAL), validation=0.0))
    assert set(parts) == {"train", "test"}


def test_train_and_validation_alone_are_training_and_test() -> None:
    counts = [(name, part, 30) for part in ("train", "validation") for name in "ab"]
    notices = Notices()
    made = split(*images(*counts), notices)
    parts = parts_in(made)
    assert (parts[parts.index.str.contains("/validation/")] == "test").all()
    assert (parts == "validation").sum() == 4
    assert any("no test part" in text for text in notices)


def test_the_validation_part_is_drawn_by_groups() -> None:
    index, annotations = images(*USUAL)
    annotations["group"] = [f"p{number // 4}" for number in range(len(index))]
    parts = split(index, annotations, validation=0.2).table
    assert (parts.groupby("group")["split"].nunique() == 1).all()
    assert (parts["split"] == "validation").any()


def test_only_a_training_part_is_no_split() -> None:
    index, annotations = images(("a", "train", 40), ("b", "train", 40))
    assert parts_in(split(index, annotations)).value_counts()["test"] == 8


def test_a_given_split_may_be_ignored() -> None:
    index, annotations = images(*WITH_VALIDATION)
    parts = parts_in(split(index, annotations, given="ignore", test=0.2))
    assert parts.value_counts()["test"] == 22
    drawn = split(index, annotations.drop(columns="split"), test=0.2)
    assert parts.equals(parts_in(drawn))


WRONG: dict[str, tuple[list, dict[str, Any], str]] = {
    "a size of the given test part": (USUAL, {"test": 0.2}, r"split\.test: 0\.2.*20 images"),
    "the usual size": (USUAL, {"test": 0.1}, r"split\.test: 0\.1"),
    "a size of the given validation": (WITH_VALIDATION, {"validation": 0.1}, r"split\.validation"),
    "no validation beside a given one": (WITH_VALIDATION, {"validation": 0.0}, r"validation: 0"),
    "no training part": ([("a", "test", 9), ("b", "test", 9)], {}, "no training images"),
    "only validation and test": (
        [("a", "test", 9), ("b", "test", 9), ("a", "validation", 9)],
        {},
        "no training images, only test, validation",
    ),
    "a class without training images": (
        [("a", "train", 9), ("a", "test", 9), ("b", "test", 9)],
        {},
        "1 class without training images.*: b",
    ),
    "an unknown part": ([*USUAL, ("a", "extra", 3)], {}, "unknown part.*'extra'.*a/extra/0"),
    "capitals": ([("a", "Train", 9), ("b", "Train", 9)], {}, "unknown part.*'Train'"),
    "images without a part": ([*USUAL, ("b", "", 3)], {}, r"3 of 103 images.*b//0\.jpg"),
    "one class in training too small to draw from": (
        [("a", "train", 9), ("b", "train", 1), ("a", "test", 9), ("b", "test", 2)],
        {},
        "cannot be divided into train and validation",
    ),
    "groups by name and by column": (
        USUAL,
        {"groups": "/(.)", "group": "p1"},
        r"split\.groups: '/\(\.\)'.*'p1'",
    ),
    "groups that no name has": (USUAL, {"groups": r"/(p\d+)_"}, r"split\.groups.*a/0\.jpg"),
}


@pytest.mark.parametrize(("counts", "more", "message"), WRONG.values(), ids=WRONG)
def test_what_contradicts_a_given_split_is_refused(
    counts: list, more: dict[str, Any], message: str
) -> None:
    columns = {name: more.pop(name) for name in ("group",) if name in (more := dict(more))}
    with pytest.raises(PetiteError, match=message):
        split(*images(*counts, **columns), **more)


@pytest.mark.parametrize("settings", [{"test": 0.2}, {"validation": 0.2}])
def test_the_error_says_how_to_draw_a_split_instead(settings: dict[str, float]) -> None:
    _, annotations = images(*WITH_VALIDATION)
    with pytest.raises(PetiteError, match=r"split: \{given: ignore\}"):
        given_parts(annotations, **{"test": "auto", "validation": "auto", **settings})


# --- leaks


def leaking() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Copies: a test image with one of train and one of validation, and one of the latter two."""
    index, annotations = images(*WITH_VALIDATION)
    index = index.set_index("image_id", drop=False)
    index.loc[["a/train/3.jpg", "a/validation/1.jpg", "a/test/2.jpg"], "copy_group"] = 3
    index.loc[["b/train/5.jpg", "b/validation/0.jpg"], "copy_group"] = 45
    index.loc[["b/train/7.jpg", "b/train/8.jpg"], "copy_group"] = 47
    return index.reset_index(drop=True), annotations


def test_leaks_are_dropped_from_the_part_that_is_not_tested() -> None:
    notices = Notices()
    made = split(*leaking(), notices)
    dropped = {"a/train/3.jpg", "a/validation/1.jpg", "b/train/5.jpg"}
    assert set(leaking()[0]["image_id"]) - set(made.table["image_id"]) == dropped
    table = made.leaks.set_index("image_id")
    assert set(table.index) == dropped | {"a/test/2.jpg", "b/validation/0.jpg"}
    assert table["leak"].tolist() == [1, 1, 1, 2, 2]
    assert set(table["kind"]) == {"copy"}
    assert table.loc["b/train/5.jpg", ["class_name", "split"]].tolist() == ["b", "train"]
    (said,) = [text for text in notices if text.startswith("Leaks")]
    assert "1 image of train with a copy or near copy in test" in said
    assert "1 image of validation with a copy or near copy in test" in said
    assert "2 images of train with a copy or near copy in validation" in said
    assert "3 images dropped" in said


@pytest.mark.parametrize(("leaks", "lost"), [("drop_from_train", 2), ("keep", 1)])
def test_images_to_keep_that_are_not_in_the_split_are_counted(leaks: str, lost: int) -> None:
    index, annotations = leaking()
    unread = index["image_id"] == "b/train/1.jpg"
    index["status"] = np.where(unread, "set_aside", "ok")
    index["reason"] = np.where(unread, "cannot be decoded", "")
    to_keep = ["a/train/3.jpg", "a/train/4.jpg", "b/train/1.jpg"]
    annotations["keep"] = np.where(annotations["image_id"].isin(to_keep), "always", "")
    notices = Notices()
    split(index, annotations, notices, leaks=leaks)
    (said,) = [text for text in notices if text.startswith("keep: ")]
    assert f"{lost} image" in said
    assert ("leak" if lost == 2 else "cannot be decoded") in said


def renamed(rename: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The usual images, with a copy beside each of train; {n} is its number in the class."""
    index, annotations = images(*USUAL)
    numbers = index.groupby("class_name").cumcount()
    part = annotations["split"]
    names = [
        rename.format(n=number, of=number % 40) if at == "test" else f"{number}.jpg"
        for number, at in zip(numbers, part, strict=True)
    ]
    ids = [f"{c}/{at}/{name}" for c, at, name in zip(index["class_name"], part, names, strict=True)]
    return index.assign(image_id=ids), annotations.assign(image_id=ids)


def test_images_with_the_same_number_in_two_parts_are_no_copies() -> None:
    index, annotations = renamed("{of}.jpg")
    made = split(index, annotations, Notices(), groups="copies")
    assert len(made.table) == len(index) and made.leaks.empty


@pytest.mark.parametrize(("rename", "is_said"), [("{of}_flip.jpg", True), ("{n}_flip.jpg", False)])
def test_a_copy_of_a_training_image_in_test_is_said(rename: str, is_said: bool) -> None:
    notices = Notices()
    split(*renamed(rename), notices)
    assert any("altered copies" in text for text in notices) == is_said
    made = split(*renamed(rename), Notices(), groups="copies")
    assert made.leaks.empty != is_said


def test_leaks_are_kept_or_refused_as_the_setting_says() -> None:
    notices = Notices()
    made = split(*leaking(), notices, leaks="keep")
    assert len(made.table) == 110
    assert len(made.leaks) == 5 and not made.leaks["is_dropped"].any()
    assert leaked(made.leaks, ["a/train/3.jpg", "a/train/3.jpg", "a/train/4.jpg"]) == 1
    assert leaked(split(*leaking()).leaks, made.table["image_id"]) == 0
    assert any("split.leaks: keep" in text for text in notices)
    with pytest.raises(PetiteError, match=r"split\.leaks: error.*leaks: drop_from_train"):
        split(*leaking(), leaks="error")


def test_without_leaks_nothing_is_said_and_the_table_is_empty() -> None:
    notices = Notices()
    made = split(*images(*WITH_VALIDATION), notices, leaks="error")
    assert made.leaks.empty and "is_dropped" in made.leaks
    assert not any("eak" in text for text in notices)


def test_copies_in_two_parts_of_a_drawn_split_are_no_leaks() -> None:
    assert split(*leaking(), given="ignore", leaks="error").leaks.empty


def test_a_class_of_which_all_training_images_leak_is_refused() -> None:
    index, annotations = images(*USUAL, ("c", "train", 2), ("c", "test", 2))
    index.loc[index["class_name"] == "c", "copy_group"] = 100
    with pytest.raises(PetiteError, match=r"without training images.*: c\. 2 .*split\.leaks"):
        split(index, annotations)


@pytest.mark.parametrize("by", ["column", "pattern"])
def test_a_group_on_both_sides_is_a_leak_of_groups(by: str) -> None:
    index, annotations = images(*USUAL)
    numbers = np.arange(len(index))
    names = np.where(numbers % 40 < 3, "p1", np.char.add("q", numbers.astype(str)))
    if by == "column":
        annotations["group"] = names
        groups = None
    else:
        ids = [
            f"{image_id.rsplit('/', 1)[0]}/{name}_{number}.jpg"
            for image_id, name, number in zip(index["image_id"], names, numbers, strict=True)
        ]
        index["image_id"], annotations["image_id"] = ids, ids
        groups = r"/([pq]\d+)_"
    notices = Notices()
    made = split(index, annotations, notices, groups=groups)
    assert set(made.leaks["kind"]) == {"group"}
    assert set(made.leaks["group"]) == {"p1"}
    assert made.leaks["is_dropped"].sum() == 6
    assert (made.table.groupby("group")["split"].nunique() == 1).all()
    assert any("6 images of train with images of their group in test" in text for text in notices)
    assert any("No group is in two parts" in text for text in notices)
    kept = Notices()
    split(index, annotations, kept, groups=groups, leaks="keep")
    assert any("Some groups are in two parts" in text for text in kept)


# --- groups


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 60), min_size=12, max_size=30),
    unnamed=st.integers(0, 20),
    shares=st.tuples(st.sampled_from([0.1, 0.3]), st.sampled_from([0.0, 0.1])),
    seed=st.integers(0, 1000),
)
def test_a_group_of_the_table_never_straddles_whatever_its_size(
    sizes, unnamed, shares, seed
) -> None:
    names = [f"g{number}" for number, size in enumerate(sizes) for _ in range(size)]
    names += [""] * unnamed
    index, annotations = images(("a", "", len(names)))
    index["label"] = (np.arange(len(names)) % 2).astype("int16")
    # Each class has a group of its own in each part.
    index["class_name"] = np.where(index["label"], "b", "a")
    annotations["group"] = names
    test, validation = shares
    try:
        made = split_images(
            index, seed=seed, test=test, validation=validation, annotations=annotations
        )
    except PetiteError as error:
        assert "cannot be divided" in str(error)
        return
    named = made.table[made.table["group"] != ""]
    assert (named.groupby("group")["split"].nunique() == 1).all()
    assert len(made.table) == len(index)


def test_images_without_a_group_in_the_table_are_groups_of_their_own_and_that_is_said() -> None:
    index, annotations = images(("a", "", 40), ("b", "", 40))
    annotations["group"] = [""] * 20 + [f"p{number // 6}" for number in range(60)]
    notices = Notices()
    split(index, annotations, notices)
    assert any("the column group: 20 of 80 images" in text for text in notices)


def test_the_folder_of_the_split_is_no_subfolder_of_the_class() -> None:
    index, annotations = images(*USUAL)
    ids = index["image_id"].str.replace("/(\\d)(\\d*).jpg", r"/day\1/\1\2.jpg", regex=True)
    index["image_id"] = annotations["image_id"] = ids
    assert names_of(annotations).iloc[0] == "a/day0/0.jpg"
    made = split(index, annotations, groups="subfolder", leaks="keep")
    assert set(made.table["group"]) == {f"day{number}" for number in range(10)}
    with pytest.raises(PetiteError, match="no image is in a subfolder"):
        split(*images(*USUAL), groups="subfolder")


def test_a_folder_that_is_not_that_of_the_part_is_kept_in_names() -> None:
    annotations = pd.DataFrame(
        {"image_id": ["a/x/1.jpg", "a/y/2.jpg", "b/x/3.jpg"], "split": ["train", "test", "test"]}
    )
    assert names_of(annotations).equals(annotations["image_id"])


def test_the_annotations_of_a_folder_make_the_split(tmp_path: Path) -> None:
    names = tree("train/a", "train/b", files=30) | tree("val/a", "val/b", files=10)
    path = make_folder(tmp_path / "data", names | tree("test/a", "test/b", files=10))
    with open_source("folder", path) as source:
        table = listing(source, None, None, 0.1)
    index = table.assign(
        status="ok", label=(table["class_name"] == "b").astype("int16"), copy_group=range(100)
    ).drop(columns="split")
    made = split(index, annotations_of(table))
    folders = made.table["image_id"].str.split("/").str[1]
    assert (made.table["split"].str[:3] == folders.str[:3]).all()
    assert len(made.table) == 100


def test_a_given_split_has_no_repeats_unless_it_is_ignored() -> None:
    index, annotations = images(*USUAL)
    with pytest.raises(PetiteError, match=r"split\.repeats"):
        split_images(index, seed=1, annotations=annotations, is_repeat=True)
    made = split_images(index, seed=1, annotations=annotations, is_repeat=True, given="ignore")
    assert len(made.table) == 100
