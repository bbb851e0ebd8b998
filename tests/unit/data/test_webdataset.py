"""Tars in the form of webdataset's: listed, read in shards, refused."""

import io
import json
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest
from row_pictures import contents, encoded, ingested, listed, refused, table_at

from petite.data.sources import Limits, UnreadableEntry, open_source
from petite.data.sources.webdataset import WebdatasetSource
from petite.util.errors import PetiteError
from petite.util.notices import Notices

LABELS = [0, 1, 0, 1, 1, 0]
PICTURES = [encoded(seed, "JPEG") for seed in range(len(LABELS))]
Files = dict[str, bytes]


def write(path: Path, files: Files, mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def pairs(suffix: str, *labels: bytes, image: str = "jpg") -> Files:
    """Images with these labels."""
    files: Files = {}
    for number, label in enumerate(labels):
        files[f"{number:06d}.{image}"] = PICTURES[number]
        files[f"{number:06d}.{suffix}"] = label
    return files


NUMBERS = [str(label).encode() for label in LABELS]
WORDS = [[b"cat\n", b"dog"][label] for label in LABELS]
IN_JSON = [json.dumps({"label": label, "width": 9}).encode() for label in LABELS]


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (pairs("cls", *NUMBERS), ["0", "1"]),
        (pairs("cls", *WORDS), ["cat", "dog"]),
        (pairs("cls", *WORDS, image="JPG"), ["cat", "dog"]),
        (pairs("json", *IN_JSON), ["0", "1"]),
        (pairs("txt", *WORDS), ["cat", "dog"]),
        (pairs("cls", *[[b"007", b"7"][label] for label in LABELS]), ["007", "7"]),
        (pairs("cls", *NUMBERS) | pairs("json", *[b"{}"] * 6), ["0", "1"]),
        (pairs("cls", *NUMBERS) | pairs("seg.png", *PICTURES), ["0", "1"]),
        (pairs("cls", *NUMBERS) | {"._000000.jpg": b"x", "readme": b"x"}, ["0", "1"]),
        ({f"./{name}": data for name, data in pairs("cls", *NUMBERS).items()}, ["0", "1"]),
    ],
)
def test_the_files_of_a_key_are_an_image_and_its_label(
    files: Files, names: list[str], tmp_path: Path
) -> None:
    write(tmp_path / "pets.tar", files)
    assert contents("webdataset", tmp_path / "pets.tar") == {
        f"{names[label]}/pets/{number:06d}": picture
        for number, (label, picture) in enumerate(zip(LABELS, PICTURES, strict=True))
    }


def test_keys_may_have_folders(tmp_path: Path) -> None:
    files = {f"a/b.c/{name}": data for name, data in pairs("cls", *NUMBERS).items()}
    write(tmp_path / "pets.tar", files)
    with open_source("webdataset", tmp_path / "pets.tar") as source:
        assert source.read("1/pets/a/b.c/000001") == PICTURES[1]


def test_a_tar_of_many_files_is_listed_to_its_end(tmp_path: Path) -> None:
    files: Files = {}
    for number in range(1200):
        files |= {f"{number}.jpg": b"x", f"{number}.cls": b"%d" % (number % 2)}
    write(tmp_path / "0.tar", files)
    assert len(table_at("webdataset", tmp_path)) == 1200


def test_tars_of_other_programs_are_read(tmp_path: Path) -> None:
    for name, data in pairs("cls", *NUMBERS).items():
        (tmp_path / name).write_bytes(data)
    subprocess.run("tar cf pets.tar --sort=name *.cls *.jpg", shell=True, check=True, cwd=tmp_path)
    assert len(contents("webdataset", tmp_path / "pets.tar")) == 6


def test_the_names_of_tars_give_the_splits(tmp_path: Path) -> None:
    for name in ("train-000000", "train-000001", "val-000000", "test-000000"):
        write(tmp_path / f"{name}.tar", pairs("cls", b"0", b"1"))
    table = table_at("webdataset", tmp_path)
    assert table["split"].value_counts().to_dict() == {"train": 4, "validation": 2, "test": 2}
    assert "0/validation/val-000000/000000" in set(table["image_id"])
    assert len(table_at("webdataset", tmp_path / "train-{000000..000001}.tar")) == 4
    assert len(table_at("webdataset", tmp_path / "{train,val}-*.tar")) == 6


def test_names_of_classes_next_to_the_tars_are_used(tmp_path: Path) -> None:
    write(tmp_path / "0.tar", pairs("cls", *NUMBERS))
    (tmp_path / "classnames.txt").write_text("a cat\na dog\n")
    assert table_at("webdataset", tmp_path)["class_name"].unique().tolist() == ["a cat", "a dog"]
    (tmp_path / "classnames.txt").write_text("a cat\n")
    assert "1 in row 1" in refused("webdataset", tmp_path)


@pytest.mark.parametrize("name", ["classnames.txt", "classes.txt"])
def test_the_names_of_classes_are_an_input(name: str, tmp_path: Path) -> None:
    write(tmp_path / "0.tar", pairs("cls", *NUMBERS))
    tar, names = tmp_path / "0.tar", tmp_path / name
    assert WebdatasetSource.input_files(tmp_path) == [tar]
    names.write_text("cat\ndog\n")
    (tmp_path / "notes.txt").write_text("cat\n")
    assert WebdatasetSource.input_files(tmp_path) == [tar, names]
    assert WebdatasetSource.input_files(tar) == [tar]
    with open_source("webdataset", tmp_path) as source:
        names.write_text("a dog\na cat\n")
        with pytest.raises(PetiteError, match=name):
            source.check_unchanged()


def test_a_file_of_names_alone_is_no_data_set(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("cat\n")
    with pytest.raises(PetiteError, match=r"no \.tar file"):
        WebdatasetSource.check_path(tmp_path)


def test_the_named_suffix_and_key_are_taken(tmp_path: Path) -> None:
    labels = [json.dumps({"label": "x", "kind": ["a", "b"][label]}).encode() for label in LABELS]
    files = pairs("json", *labels) | pairs("left.png", *PICTURES[::-1])
    write(tmp_path / "0.tar", files)
    found = contents("webdataset", tmp_path, image="left.png", label="kind")
    assert found["a/0/000000"] == PICTURES[-1]
    files = pairs("cls", *NUMBERS) | pairs("kind.txt", *WORDS)
    write(tmp_path / "0.tar", files)
    table = table_at("webdataset", tmp_path, label="kind.txt")
    assert table["class_name"].unique().tolist() == ["cat", "dog"]


@pytest.mark.parametrize("shards", [1, 3])
def test_shards_give_the_same_pixels_as_the_whole(shards: int, tmp_path: Path) -> None:
    for part in range(2):
        write(tmp_path / f"tars/{part}.tar", pairs("cls", *NUMBERS))
    table, images = ingested("webdataset", tmp_path / "tars", tmp_path / "store", shards)
    assert (table["reason"] == "").all()
    _, whole = ingested("webdataset", tmp_path / "tars", tmp_path / "whole", 1)
    np.testing.assert_array_equal(images, whole)


def test_keys_without_a_label_are_left_out_and_counted(tmp_path: Path) -> None:
    files = {f"{number:02d}.jpg": PICTURES[number % 6] for number in range(20)}
    files |= {f"{number:02d}.cls": NUMBERS[number % 2] for number in range(19)}
    write(tmp_path / "0.tar", files)
    notices = Notices()
    assert len(table_at("webdataset", tmp_path, notices)) == 19
    assert any("1 row without a label" in text and "19" in text for text in notices)


def test_keys_without_an_image_and_large_images_are_set_aside(tmp_path: Path) -> None:
    files = pairs("cls", *NUMBERS) | {"9.cls": b"1", "8.cls": b"1", "8.jpg": b"x" * 99_000}
    write(tmp_path / "0.tar", files)
    with open_source("webdataset", tmp_path, Limits(max_bytes=50_000)) as source:
        found = dict(source.read_many(listed(source)["image_id"]))
    bad = {name for name, data in found.items() if isinstance(data, UnreadableEntry)}
    assert bad == {"1/0/9", "1/0/8"}


def test_a_key_that_is_not_there_is_a_change(tmp_path: Path) -> None:
    write(tmp_path / "0.tar", pairs("cls", *NUMBERS))
    with open_source("webdataset", tmp_path) as source:
        for image_id in ("1/0/9", "1/9/000000", "1/000000"):
            with pytest.raises(PetiteError, match="changed"):
                source.read(image_id)


WRONG: dict[str, tuple[Files, dict[str, str], list[str]]] = {
    "no labels": ({"0.jpg": PICTURES[0], "1.jpg": PICTURES[1]}, {}, ["no labels", "jpg"]),
    "no images": ({"0.cls": b"0", "0.npy": b"x"}, {}, ["no images", "npy"]),
    "no files": ({}, {}, ["no rows"]),
    "half of the keys without a label": (
        {
            name: data
            for name, data in pairs("cls", *NUMBERS).items()
            if name not in {"000000.cls", "000002.cls", "000004.cls"}
        },
        {},
        ["3 of 6", "row 000000"],
    ),
    "two images": (pairs("cls", *NUMBERS) | pairs("png", *PICTURES), {}, ["jpg, png"]),
    "an unknown suffix of images": (pairs("cls", *NUMBERS), {"image": "webp"}, ["no images"]),
    "an unknown suffix of labels": (pairs("cls", *NUMBERS), {"label": "kind"}, ["'kind'"]),
    "an unknown key": (pairs("json", *IN_JSON), {"label": "kind"}, ["'kind'", "label, width"]),
    "a .json without a label": (pairs("json", *[b'{"w": 1}'] * 6), {}, ["no key of labels", "w"]),
    "a .json with two labels": (
        pairs("json", *[b'{"label": 1, "class": 2}'] * 6),
        {},
        ["label, class"],
    ),
    "a broken .json": (pairs("json", *[b"{"] * 6), {}, ["000000.json"]),
    "a list as .json": (pairs("json", *[b"[1]"] * 6), {}, ["000000.json", "mapping"]),
    "several labels": (pairs("json", *[b'{"label": [1, 2]}'] * 6), {}, ["'label'", "lists"]),
    "a mapping as a label": (pairs("json", *[b'{"label": {"a": 1}}'] * 6), {}, ["'label'"]),
    "numbers with a point": (pairs("json", *[b'{"label": 0.5}'] * 6), {}, ["0.5"]),
    "labels that are null": (pairs("json", *[b'{"label": null}'] * 6), {}, ["'label'"]),
    "labels that are not text": (pairs("cls", *[b"\xff\xfe"] * 6), {}, ["000000"]),
    "empty labels": (pairs("cls", *[b"\n"] * 6), {}, ["6 of 6"]),
    "captions": (pairs("txt", *[b"a very long caption " * 20] * 6), {}, ["description"]),
    "a slash in a class": (pairs("cls", *[b"a/b"] * 6), {}, ["'a/b'"]),
    "one class": (pairs("cls", *[b"1"] * 6), {}, ["only one class"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_tar_is_refused_in_a_sentence(case: str, tmp_path: Path) -> None:
    files, columns, parts = WRONG[case]
    write(tmp_path / "0.tar", files)
    text = refused("webdataset", tmp_path / "0.tar", **columns)
    assert all(part in text for part in [*parts, str(tmp_path)]), text


@pytest.mark.parametrize("share", [0.1, 0.5, 0.75])
def test_a_tar_that_is_cut_short_is_refused(share: float, tmp_path: Path) -> None:
    file = write(tmp_path / "0.tar", pairs("cls", *NUMBERS))
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    assert "0.tar is damaged or cut short" in refused("webdataset", file)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "cut short"),
        (b"no tar" * 200, "cut short"),
        (b"version https://git-lfs.github.com/spec/v1\nsize 3\n", "git lfs pull"),
    ],
)
def test_what_is_not_a_tar_is_refused(content: bytes, part: str, tmp_path: Path) -> None:
    (tmp_path / "0.tar").write_bytes(content)
    assert part in refused("webdataset", tmp_path)


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_a_compressed_tar_is_refused(mode: str, tmp_path: Path) -> None:
    file = write(tmp_path / "0.tar", pairs("cls", *NUMBERS), mode)
    assert "Decompress it" in refused("webdataset", file)


def test_a_file_twice_in_a_tar_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "0.tar", pairs("cls", *NUMBERS))
    with tarfile.open(file, "a") as tar:
        info = tarfile.TarInfo("000000.jpg")
        tar.addfile(info)
    assert "'000000.jpg'" in refused("webdataset", file)


def test_a_damaged_header_is_not_the_end(tmp_path: Path) -> None:
    file = write(tmp_path / "0.tar", pairs("cls", *NUMBERS))
    data = bytearray(file.read_bytes())
    with tarfile.open(file) as tar:
        start = tar.getmember("000003.jpg").offset
    data[start : start + 512] = b"\xff" * 512
    file.write_bytes(data)
    assert "damaged" in refused("webdataset", file)


def test_a_path_without_tars_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "*.tar"):
        assert "no .tar file" in refused("webdataset", path)
