"""Arrays in .npz files as NumPy writes them: listed, read in shards, refused."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from row_pictures import contents, ingested, listed, pixels, refused, table_at

from petite.data.sources import Limits, UnreadableEntry, open_source
from petite.util.errors import PetiteError
from petite.util.notices import Notices

X = np.stack([pixels(seed) for seed in range(8)])
GRAY = X[..., 0]
Y = np.array([0, 1, 0, 1, 1, 0, 0, 1])
SAVE: dict[str, Callable[..., None]] = {"stored": np.savez, "compressed": np.savez_compressed}


def write(path: Path, save: Callable[..., None] = np.savez, **arrays: Any) -> Path:
    save(path, **{name: np.asarray(array) for name, array in arrays.items()})
    return path


@pytest.mark.parametrize("save", SAVE.values(), ids=SAVE)
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (X, X),
        (GRAY, GRAY),
        (GRAY[..., None], GRAY),
        (np.moveaxis(X, 3, 1), X),
        (GRAY[:, None], GRAY),
        (X.astype(np.int64), X),
        (X.astype(">u2"), X),
        (X.astype(np.float32), X),
        (X / 255, X),
        ((X / 255).astype(np.float32), X),
        (GRAY > 100, np.where(GRAY > 100, 255, 0)),
    ],
    ids="rgb gray one first first-gray int64 big float 0..1 float32 bool".split(),
)
def test_arrays_of_any_usual_form_give_the_same_pixels(
    save, given: np.ndarray, expected: np.ndarray, tmp_path: Path
) -> None:
    file = write(tmp_path / "a.npz", save, X=given, y=Y)
    found = contents("npz", file)
    assert set(found) == {f"{label}/{row}" for row, label in enumerate(Y)}
    for image_id, image in found.items():
        assert image.dtype == np.uint8
        np.testing.assert_array_equal(image, expected[int(image_id.rsplit("/")[1])])


def test_an_array_in_fortran_order_is_read_too(tmp_path: Path) -> None:
    found = contents("npz", write(tmp_path / "a.npz", X=np.asfortranarray(X), y=Y))
    np.testing.assert_array_equal(found["1/3"], X[3])


@pytest.mark.parametrize(
    ("image", "label"),
    [("X", "y"), ("x", "y"), ("images", "labels"), ("data", "target"), ("image", "label")],
)
def test_arrays_are_found_by_usual_names(image: str, label: str, tmp_path: Path) -> None:
    file = write(tmp_path / "a.npz", **{image: X, label: Y, "scores": Y * 0.5})
    assert len(table_at("npz", file)) == 8


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_test", "y_test"),
        ("X_train", "y_train", "X_test", "y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
        ("trainX", "trainy", "testX", "testy"),
    ],
)
def test_names_with_splits_give_the_splits(names: tuple[str, ...], tmp_path: Path) -> None:
    arrays = dict(zip(names, (X, Y, X[:2], Y[:2]), strict=True))
    file = write(tmp_path / "a.npz", **arrays)
    table = table_at("npz", file)
    assert table["split"].value_counts().to_dict() == {"train": 8, "test": 2}
    assert "0/test/0" in set(table["image_id"])
    np.testing.assert_array_equal(contents("npz", file)["1/train/4"], X[4])


def test_validation_images_of_the_file_are_given_too(tmp_path: Path) -> None:
    parts = {"train": (X, Y), "val": (X[:2], Y[:2]), "test": (X[:4], Y[:4])}
    arrays = {f"{name}_images": images for name, (images, _) in parts.items()}
    arrays |= {f"{name}_labels": labels[:, None] for name, (_, labels) in parts.items()}
    table = table_at("npz", write(tmp_path / "medical.npz", **arrays))
    assert table["split"].value_counts().to_dict() == {"train": 8, "test": 4, "validation": 2}


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (np.array(["猫", "dog"])[Y], ["dog", "猫"]),
        (np.array([b"cat", b"dog"])[Y], ["cat", "dog"]),
        (Y.astype(float), ["0", "1"]),
        (Y.astype(bool), ["false", "true"]),
        (Y[:, None], ["0", "1"]),
        (Y.astype(">i4"), ["0", "1"]),
    ],
)
def test_labels_of_any_usual_type_name_the_classes(
    labels: np.ndarray, classes: list[str], tmp_path: Path
) -> None:
    table = table_at("npz", write(tmp_path / "a.npz", X=X, y=labels))
    assert sorted(table["class_name"].unique()) == classes


@pytest.mark.parametrize("key", ["class_names", "target_names", "classes"])
def test_names_of_classes_in_the_file_are_used(key: str, tmp_path: Path) -> None:
    file = write(tmp_path / "a.npz", X=X, y=Y, **{key: ["cat", "dog"]})
    assert table_at("npz", file)["class_name"].unique().tolist() == ["cat", "dog"]


def test_arrays_of_unusual_names_are_taken_as_named(tmp_path: Path) -> None:
    file = write(tmp_path / "a.npz", a=X, b=X[::-1], kind=Y)
    found = contents("npz", file, image="b", label="kind")
    np.testing.assert_array_equal(found["0/0"], X[-1])
    file = write(tmp_path / "b.npz", train_pics=X, train_kind=Y, test_pics=X, test_kind=Y)
    table = table_at("npz", file, image="pics", label="kind")
    assert table["split"].value_counts().to_dict() == {"train": 8, "test": 8}


@pytest.mark.parametrize("save", SAVE.values(), ids=SAVE)
def test_shards_give_the_same_pixels_as_the_whole(save, tmp_path: Path) -> None:
    file = write(tmp_path / "a.npz", save, X=X, y=Y)
    table, images = ingested("npz", file, tmp_path / "store", 3)
    assert (table["reason"] == "").all()
    _, whole = ingested("npz", file, tmp_path / "whole", 1)
    np.testing.assert_array_equal(images, whole)


def test_images_above_the_limit_are_set_aside(tmp_path: Path) -> None:
    file = write(tmp_path / "a.npz", X=X, y=Y)
    with open_source("npz", file, Limits(max_bytes=100)) as source:
        found = dict(source.read_many(listed(source)["image_id"]))
    assert all(isinstance(data, UnreadableEntry) for data in found.values())


def test_a_row_that_is_not_there_is_a_change(tmp_path: Path) -> None:
    file = write(tmp_path / "a.npz", X=X, y=Y)
    with open_source("npz", file) as source:
        np.testing.assert_array_equal(source.read("1/7"), X[7])
        for image_id in ("1/8", "1/x", "1/train/1", "1"):
            with pytest.raises(PetiteError, match="changed"):
                source.read(image_id)


WRONG: dict[str, tuple[dict[str, Any], list[str]]] = {
    "objects as images": ({"X": np.array([X[0], None], object), "y": [0, 1]}, ["'X'", "pickle"]),
    "objects as labels": ({"X": X, "y": np.array(["a"] * 8, object)}, ["'y'", "pickle"]),
    "X and y of different length": ({"X": X, "y": Y[:7]}, ["(7,)", "(8, 16, 16, 3)"]),
    "one-hot labels": ({"X": X, "y": np.eye(2)[Y]}, ["(8, 2)", "argmax"]),
    "a single label": ({"X": X, "y": 1}, ["'y'", "()"]),
    "no labels": ({"X": X}, ["no array of labels"]),
    "no images": ({"y": Y}, ["no array of images"]),
    "unknown names": ({"a": X, "b": Y}, ["a, b", "dataset.columns.image"]),
    "two arrays of images": ({"X": X, "images": X, "y": Y}, ["several arrays of images"]),
    "two arrays of labels": ({"X": X, "y": Y, "label": Y}, ["several arrays of labels"]),
    "with and without a split": (
        {"X": X, "y": Y, "x_test": X, "y_test": Y},
        ["both with and without"],
    ),
    "a split without labels": (
        {"x_train": X, "y_train": Y, "x_test": X},
        ["no array of labels for test"],
    ),
    "flat images": ({"X": X.reshape(8, -1), "y": Y}, ["(8, 768)", "X.reshape"]),
    "videos": ({"X": X[:, None], "y": Y}, ["(8, 1, 16, 16, 3)"]),
    "an alpha channel": ({"X": np.zeros((8, 16, 16, 4)), "y": Y}, ["X[..., :3]"]),
    "an alpha channel in front": ({"X": np.zeros((8, 4, 16, 16)), "y": Y}, ["X[:, :3]"]),
    "images last": (
        {"X": np.moveaxis(X, 0, -1), "y": Y},
        ["(16, 16, 3, 8)", "np.transpose", "would mix"],
    ),
    "five channels": ({"X": np.zeros((8, 16, 16, 5)), "y": Y}, ["(8, 16, 16, 5)"]),
    "shares with overshoots": ({"X": X / 255 * 1.2, "y": Y}, ["from 0 to 1.2"]),
    "images without pixels": ({"X": np.zeros((8, 0, 16)), "y": Y}, ["(8, 0, 16)"]),
    "no images at all": ({"X": X[:0], "y": Y[:0]}, ["no rows"]),
    "negative pixels": ({"X": X / 127.5 - 1, "y": Y}, ["'X'", "from -1"]),
    "pixels above 255": ({"X": X.astype(np.uint16) * 16, "y": Y}, ["'X'", "(X - LOW)"]),
    "pixels that are not numbers": (
        {"X": np.full((8, 4, 4), np.nan), "y": Y},
        ["'X'", "NaN"],
    ),
    "text as images": ({"X": np.full((8, 4, 4), "a"), "y": Y}, ["'X'", "<U1"]),
    "complex images": ({"X": np.zeros((8, 4, 4), complex), "y": Y}, ["'X'", "complex"]),
    "labels with a point": ({"X": X, "y": Y + 0.5}, ["'y'", "0.5"]),
    "complex labels": ({"X": X, "y": Y.astype(complex)}, ["'y'", "complex"]),
    "labels out of their names": (
        {"X": X, "y": Y, "class_names": ["a"]},
        ["1 in row 1", "0 to 0"],
    ),
    "names that are numbers": ({"X": X, "y": Y, "class_names": [1, 2]}, ["'class_names'"]),
    "one class": ({"X": X, "y": Y * 0}, ["only one class"]),
    "all labels -1 with names": (
        {"X": X, "y": Y * 0 - 1, "class_names": ["a", "b"]},
        ["8 of 8"],
    ),
    "no arrays": ({}, ["no arrays"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arrays_are_refused_in_a_sentence(case: str, tmp_path: Path) -> None:
    arrays, parts = WRONG[case]
    file = tmp_path / "a.npz"
    np.savez(file, **{name: np.asarray(array) for name, array in arrays.items()})
    text = refused("npz", file)
    assert all(part in text for part in [*parts, str(file)]), text


def noticed(path: Path) -> Notices:
    notices = Notices()
    table_at("npz", path, notices)
    return notices


def test_arrays_that_may_name_groups_are_said_not_to_be_used(tmp_path: Path) -> None:
    notices = noticed(write(tmp_path / "a.npz", X=X, y=Y, patient_id=Y, age=Y))
    assert any("'patient_id' is not used" in text for text in notices)
    notices = noticed(write(tmp_path / "a.npz", X=X, y=Y, age=Y))
    assert not any("not used" in text for text in notices)


def test_a_label_of_minus_one_next_to_others_is_said(tmp_path: Path) -> None:
    notices = noticed(write(tmp_path / "a.npz", X=X, y=np.where(Y, Y, [0, -1] * 4)))
    assert any("'-1'" in text and "counts as a class" in text for text in notices)
    notices = noticed(write(tmp_path / "a.npz", X=X, y=2 * Y - 1))
    assert not any("counts as a class" in text for text in notices)


def test_one_array_alone_is_refused_with_what_to_save(tmp_path: Path) -> None:
    np.save(tmp_path / "X.npy", X)
    with pytest.raises(PetiteError, match=r"X\.npy is one array .*np\.savez"):
        open_source("npz", tmp_path / "X.npy")


def test_compressed_images_in_fortran_order_are_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "a.npz", np.savez_compressed, X=np.asfortranarray(X), y=Y)
    assert "ascontiguousarray" in refused("npz", file)


def test_a_pickle_in_the_file_is_never_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "ran",))

    bombs = np.empty(8, object)
    bombs[:] = [Bomb() for _ in range(8)]
    write(tmp_path / "a.npz", X=X, y=bombs)
    assert "pickle" in refused("npz", tmp_path / "a.npz")
    assert not (tmp_path / "ran").exists()


def member(data: bytes) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        labels = io.BytesIO()
        np.save(labels, Y)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("X.npy", data)
            archive.writestr("y.npy", labels.getvalue())

    return make


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda path: path.write_bytes(b""), "damaged"),
        (lambda path: path.write_bytes(b"no zip"), "damaged"),
        (lambda path: np.save(path.open("wb"), X), "one array"),
        (lambda path: path.mkdir(), "is a folder"),
        (member(b""), "damaged"),
        (member(b"\x93NUMPY\x01\x00\x10\x00{'descr': '|u1'}"), "damaged"),
        (member(b"\x93NUMPY\x09\x00\x10\x00"), "damaged"),
        (member(b"a picture"), "damaged"),
    ],
)
def test_what_is_not_an_npz_file_is_refused(make, part: str, tmp_path: Path) -> None:
    make(tmp_path / "a.npz")
    assert part in refused("npz", tmp_path / "a.npz")


@pytest.mark.parametrize("save", SAVE.values(), ids=SAVE)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_file_that_is_cut_short_is_refused(save, share: float, tmp_path: Path) -> None:
    file = write(tmp_path / "a.npz", save, X=X, y=Y)
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    assert "cut short" in refused("npz", file)


def test_damage_in_compressed_images_is_set_aside(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (8, 64, 64), dtype=np.uint8)
    file = write(tmp_path / "a.npz", np.savez_compressed, X=noise, y=Y)
    with zipfile.ZipFile(file) as archive:
        start = archive.getinfo("X.npy").header_offset
    data = bytearray(file.read_bytes())
    data[start + 20_000 : start + 20_100] = b"\xff" * 100
    file.write_bytes(data)
    found = contents("npz", file)
    assert {type(image) for image in found.values()} >= {UnreadableEntry}
