"""Folders that `datasets` wrote with save_to_disk: listed, read in shards, refused."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from row_pictures import contents, encoded, ingested, listed, pixels, refused, table_at

from petite.data.sources import Limits, UnreadableEntry, open_source
from petite.data.sources.huggingface import HuggingfaceSource
from petite.util.errors import PetiteError

FEATURES = datasets.Features(
    {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
)
LABELS = [0, 1, 0, 1, 1, 0]
BYTES = [{"bytes": encoded(seed), "path": None} for seed in range(len(LABELS))]


def dataset(rows: int = len(LABELS), **columns: Any) -> datasets.Dataset:
    table = {"image": BYTES[:rows], "label": LABELS[:rows]} | columns
    return datasets.Dataset.from_dict(table, features=FEATURES)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A Dataset of two files."""
    dataset().save_to_disk(tmp_path / "pets", num_shards=2)
    return tmp_path / "pets"


def test_a_dataset_is_listed_by_class_and_each_row_is_read(saved: Path) -> None:
    table = table_at("huggingface", saved)
    assert table["image_id"].tolist() == [
        *[f"cat/data-0000{file}-of-00002/{row}" for file, row in ((0, 0), (0, 2), (1, 2))],
        *[f"dog/data-0000{file}-of-00002/{row}" for file, row in ((0, 1), (1, 0), (1, 1))],
    ]
    assert "split" not in table
    found = contents("huggingface", saved)
    assert found["cat/data-00001-of-00002/2"] == BYTES[5]["bytes"]
    assert {len(found[name]) for name in found} == set(table["bytes"])


def test_the_splits_of_a_dictionary_are_given(tmp_path: Path) -> None:
    splits = {"train": dataset(), "validation": dataset(2), "test": dataset(4)}
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "pets")
    table = table_at("huggingface", tmp_path / "pets")
    assert table["split"].value_counts().to_dict() == {"train": 6, "test": 4, "validation": 2}
    assert table["image_id"].str.split("/").str[1].tolist() == table["split"].tolist()
    assert len(contents("huggingface", tmp_path / "pets")) == 12
    one = table_at("huggingface", tmp_path / "pets/train")
    assert len(one) == 6 and "split" not in one


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.shuffle(seed=0),
        lambda data: data.select([5, 4, 3, 2, 1, 0]),
        lambda data: data.filter(lambda row: True),
        lambda data: data.add_column("note", ["x"] * 6),
        lambda data: data.with_format("numpy"),
        lambda data: data.rename_columns({"image": "img", "label": "fine_label"}),
        lambda data: data.cast_column("image", datasets.Image(decode=False)),
    ],
)
def test_what_users_do_before_saving_changes_no_picture(
    change: Callable[[datasets.Dataset], datasets.Dataset], tmp_path: Path
) -> None:
    change(dataset()).save_to_disk(tmp_path / "pets")
    found = contents("huggingface", tmp_path / "pets")
    by_class = {(name.split("/")[0], data) for name, data in found.items()}
    assert by_class == {
        (["cat", "dog"][label], row["bytes"]) for label, row in zip(LABELS, BYTES, strict=True)
    }


def test_pictures_from_files_are_in_the_folder_too(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "files" / name).mkdir(parents=True)
        for seed in range(3):
            Image.fromarray(pixels(seed)).save(tmp_path / "files" / name / f"{seed}.png")
    loaded = datasets.load_dataset(
        "imagefolder", data_dir=str(tmp_path / "files"), cache_dir=str(tmp_path / "cache")
    )
    loaded.save_to_disk(tmp_path / "pets")
    shutil.rmtree(tmp_path / "files")
    found = contents("huggingface", tmp_path / "pets")
    assert len(found) == 6 and all(isinstance(data, bytes) for data in found.values())


@pytest.mark.parametrize("shards", [1, 4])
def test_shards_give_the_same_pixels_as_the_whole(shards: int, saved: Path, tmp_path: Path) -> None:
    table, images = ingested("huggingface", saved, tmp_path / "store", shards)
    assert (table["reason"] == "").all()
    whole, all_images = ingested("huggingface", saved, tmp_path / "whole", 1)
    assert table["image_id"].tolist() == whole["image_id"].tolist()
    np.testing.assert_array_equal(images, all_images)


def test_a_dataset_is_read_without_the_library(saved: Path) -> None:
    program = (
        "import sys; sys.modules['datasets'] = None\n"
        "from pathlib import Path\n"
        "from petite.data.sources import listing, open_source\n"
        f"with open_source('huggingface', Path({str(saved)!r})) as source:\n"
        "    ids = listing(source, None, None, 0.1)['image_id']\n"
        "    print(sum(1 for _ in source.read_many(ids)))\n"
    )
    scripts = Path(__file__).resolve().parents[3] / "scripts"
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(scripts)}, capture_output=True
    )
    assert done.stdout.strip() == b"6", done.stderr


def test_single_images_that_cannot_be_read_are_set_aside(tmp_path: Path) -> None:
    rows = [None, {"bytes": b"", "path": None}, {"bytes": b"x" * 9000, "path": None}, *BYTES[3:]]
    dataset(image=rows).save_to_disk(tmp_path / "pets")
    with open_source("huggingface", tmp_path / "pets", Limits(max_bytes=5000)) as source:
        found = dict(source.read_many(listed(source)["image_id"]))
    bad = {name[-1] for name, data in found.items() if isinstance(data, UnreadableEntry)}
    assert bad == {"0", "2"}


def test_rows_are_gone_when_the_dataset_is_saved_again(saved: Path) -> None:
    with open_source("huggingface", saved) as source:
        source.check_unchanged()
        shutil.rmtree(saved)
        dataset(2).save_to_disk(saved)
        with pytest.raises(PetiteError, match="changed"):
            source.check_unchanged()
    with open_source("huggingface", saved) as source, pytest.raises(PetiteError, match="changed"):
        source.read("cat/data-00001-of-00002/2")


# --- refused


def without_state(folder: Path) -> None:
    (folder / "state.json").unlink()


def without_info(folder: Path) -> None:
    (folder / "dataset_info.json").unlink()


def without_a_file(folder: Path) -> None:
    (folder / "data-00001-of-00002.arrow").unlink()


def with_broken_state(folder: Path) -> None:
    (folder / "state.json").write_text("{")


def with_a_list_for_a_state(folder: Path) -> None:
    (folder / "state.json").write_text("[]")


def with_no_files_in_the_state(folder: Path) -> None:
    (folder / "state.json").write_text('{"_data_files": null}')


def with_indices(folder: Path) -> None:
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps({**state, "_indices_data_files": ["i.arrow"]}))


def with_a_file_elsewhere(folder: Path) -> None:
    (folder.parent / "other.arrow").write_bytes(b"x")
    (folder / "state.json").write_text('{"_data_files": [{"filename": "../other.arrow"}]}')


def cut(folder: Path) -> None:
    file = folder / "data-00000-of-00002.arrow"
    file.write_bytes(file.read_bytes()[:-200])


def cut_between_two_batches(folder: Path) -> None:
    file = folder / "data-00000-of-00002.arrow"
    file.write_bytes(file.read_bytes()[:-8])


def emptied(folder: Path) -> None:
    (folder / "data-00000-of-00002.arrow").write_bytes(b"")


def with_a_pointer(folder: Path) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\nsize 3\n"
    (folder / "data-00000-of-00002.arrow").write_bytes(pointer)


def with_wrong_positions(folder: Path) -> None:
    """The end of the first picture is moved out of the file."""
    file = folder / "data-00000-of-00002.arrow"
    size = len(BYTES[0]["bytes"])
    ends = np.array([0, size], np.int32).tobytes()
    data = file.read_bytes()
    assert data.count(ends) == 1
    file.write_bytes(data.replace(ends, np.array([0, 2**30], np.int32).tobytes()))


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (without_state, "no state.json"),
        (without_info, "dataset_info.json is missing"),
        (without_a_file, "data-00001-of-00002.arrow is missing"),
        (with_broken_state, "state.json is damaged"),
        (with_a_list_for_a_state, "state.json is damaged"),
        (with_no_files_in_the_state, "state.json is damaged"),
        (with_indices, "indices"),
        (with_a_file_elsewhere, "not in its folder"),
        (cut, "data-00000-of-00002.arrow is damaged or cut short"),
        (cut_between_two_batches, "data-00000-of-00002.arrow is damaged or cut short"),
        (emptied, "data-00000-of-00002.arrow is damaged or cut short"),
        (with_a_pointer, "git lfs pull"),
        (with_wrong_positions, "data-00000-of-00002.arrow is damaged or cut short"),
    ],
)
def test_a_wrong_folder_is_refused_in_a_sentence(
    change: Callable[[Path], None], part: str, saved: Path
) -> None:
    change(saved)
    assert part in refused("huggingface", saved)


@pytest.mark.parametrize(
    ("features", "columns", "parts"),
    [
        ({"text": datasets.Value("string")}, {"text": ["a"]}, ["no column", "text (string)"]),
        (
            {"image": datasets.Image(), "labels": datasets.List(datasets.ClassLabel(names=["a"]))},
            {"image": BYTES[:1], "labels": [[0]]},
            ["'labels'", "lists"],
        ),
        (
            {
                "image": datasets.Image(),
                "fine_label": datasets.ClassLabel(names=["a", "b"]),
                "coarse_label": datasets.ClassLabel(names=["a", "b"]),
            },
            {"image": BYTES[:1], "fine_label": [0], "coarse_label": [1]},
            ["fine_label, coarse_label", "dataset.columns.label"],
        ),
        (
            {"image": datasets.Array3D((2, 2, 3), "uint8"), "label": datasets.Value("int64")},
            {"image": [np.zeros((2, 2, 3), np.uint8)], "label": [0]},
            ["no column", "image"],
        ),
        (dict(FEATURES), {"image": BYTES[:2], "label": [None, None]}, ["2 of 2"]),
        (dict(FEATURES), {"image": [], "label": []}, ["no rows"]),
    ],
)
def test_wrong_columns_are_refused_in_a_sentence(
    features: dict[str, Any], columns: dict[str, list], parts: list[str], tmp_path: Path
) -> None:
    data = datasets.Dataset.from_dict(columns, features=datasets.Features(features))
    data.save_to_disk(tmp_path / "x")
    text = refused("huggingface", tmp_path / "x")
    assert all(part in text for part in parts), text


def test_the_files_about_a_dataset_are_inputs(tmp_path: Path) -> None:
    splits = {"train": dataset(), "test": dataset(2)}
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "x")
    names = ["data-00000-of-00001.arrow", "dataset_info.json", "state.json"]
    inputs = HuggingfaceSource.input_files(tmp_path / "x")
    wanted = {tmp_path / "x" / part / name for part in splits for name in names}
    assert len(inputs) == 6 and set(inputs) == wanted
    with open_source("huggingface", tmp_path / "x") as source:
        info = tmp_path / "x/train/dataset_info.json"
        info.write_text(info.read_text().replace('"dog"', '"puppy"'))
        with pytest.raises(PetiteError, match="dataset_info"):
            source.check_unchanged()


def test_a_label_out_of_the_names_is_refused(tmp_path: Path) -> None:
    dataset().save_to_disk(tmp_path / "x")
    info = tmp_path / "x/dataset_info.json"
    info.write_text(info.read_text().replace('"dog"', '"x"').replace('"cat",', ""))
    assert "1 in row 1" in refused("huggingface", tmp_path / "x")


def test_a_file_is_not_a_dataset(tmp_path: Path) -> None:
    (tmp_path / "a.arrow").write_bytes(b"x")
    assert "is a file" in refused("huggingface", tmp_path / "a.arrow")


def test_a_large_file_is_mapped_and_not_read(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    rows = [{"bytes": noise.bytes(64_000), "path": None} for _ in range(600)]
    labels = [row % 2 for row in range(600)]
    data = datasets.Dataset.from_dict({"image": rows, "label": labels}, features=FEATURES)
    data.save_to_disk(tmp_path / "x")
    del rows, data
    with open_source("huggingface", tmp_path / "x") as source:
        before = pa.total_allocated_bytes()
        table = listed(source)
        for _ in source.read_many(table["image_id"]):
            assert pa.total_allocated_bytes() - before < 5_000_000
