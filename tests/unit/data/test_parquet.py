"""Parquet files as `datasets`, pandas and pyarrow write them: listed, read in shards, refused."""

import io
import json
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from row_pictures import contents, encoded, ingested, listed, pixels, refused, table_at

from petite.data.sources import Columns, Limits, UnreadableEntry, open_source
from petite.data.sources.rows import splits_of
from petite.util.errors import PetiteError
from petite.util.notices import Notices

LABELS = [0, 1, 0, 1, 1, 0]
PICTURES = [encoded(seed) for seed in range(len(LABELS))]
PATHS = [f"{number}.png" for number in range(len(LABELS))]
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def structs(pictures: list[bytes | None]) -> pa.Array:
    rows = [{"bytes": data, "path": path} for data, path in zip(pictures, PATHS, strict=False)]
    return pa.array(rows, IMAGE)


def named(table: pa.Table, names: list[str], label: str = "label") -> pa.Table:
    """With the class names in the schema, as `datasets` writes them."""
    features = {
        "image": {"_type": "Image"},
        label: {"_type": "ClassLabel", "names": names},
    }
    return table.replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )


def write(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, **options)
    return path


def as_datasets_writes(path: Path) -> list[str]:
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
    )
    pictures = [Image.fromarray(pixels(seed)) for seed in range(len(LABELS))]
    rows = {"image": pictures, "label": LABELS}
    datasets.Dataset.from_dict(rows, features=features).to_parquet(path)
    return ["cat", "dog"]


def as_pandas_writes(path: Path) -> list[str]:
    words = pd.Categorical(["yes" if label else "no" for label in LABELS])
    pd.DataFrame({"image": PICTURES, "class": words, "size": 3.5}).to_parquet(path)
    return ["no", "yes"]


def with_numbers(path: Path) -> list[str]:
    write(path, {"img": PICTURES, "y": pa.array(LABELS, pa.uint8())}, row_group_size=2)
    return ["0", "1"]


def with_whole_numbers_as_floats(path: Path) -> list[str]:
    write(path, {"img": PICTURES, "label": [float(label) for label in LABELS]})
    return ["0", "1"]


def with_flags(path: Path) -> list[str]:
    write(path, {"img": PICTURES, "label": [bool(label) for label in LABELS]})
    return ["false", "true"]


def with_minus_one(path: Path) -> list[str]:
    """Without names, -1 is a class like any other number."""
    write(path, {"img": PICTURES, "label": [2 * label - 1 for label in LABELS]})
    return ["-1", "1"]


def with_wide_types(path: Path) -> list[str]:
    table = {
        "photo": pa.array(PICTURES, pa.large_binary()),
        "target": pa.array([["ä 猫", "007"][label] for label in LABELS], pa.large_string()),
        "patient": ["p"] * len(LABELS),
    }
    write(path, table, compression="zstd", row_group_size=4)
    return ["ä 猫", "007"]


@pytest.mark.parametrize(
    "write_table",
    [
        as_datasets_writes,
        as_pandas_writes,
        with_numbers,
        with_whole_numbers_as_floats,
        with_flags,
        with_minus_one,
        with_wide_types,
    ],
)
def test_a_table_is_listed_by_class_and_each_row_is_read(write_table, tmp_path: Path) -> None:
    names = write_table(tmp_path / "pets.parquet")
    found = contents("parquet", tmp_path / "pets.parquet")
    expected = {f"{names[label]}/pets/{row}" for row, label in enumerate(LABELS)}
    assert set(found) == expected
    for image_id, data in found.items():
        row = int(image_id.rsplit("/", 1)[1])
        opened = np.asarray(Image.open(io.BytesIO(data)))
        np.testing.assert_array_equal(opened, pixels(row))


@pytest.mark.parametrize("shards", [1, 3])
def test_shards_give_the_same_pixels_as_the_whole(shards: int, tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", {"image": PICTURES, "label": LABELS}, row_group_size=2)
    table, images = ingested("parquet", file, tmp_path / "store", shards)
    assert (table["reason"] == "").all()
    whole, all_images = ingested("parquet", file, tmp_path / "whole", 1)
    assert table["image_id"].tolist() == whole["image_id"].tolist()
    np.testing.assert_array_equal(images, all_images)


def test_the_names_of_files_give_the_splits(tmp_path: Path) -> None:
    for part, first in (("train-00000-of-00002", 0), ("train-00001-of-00002", 2), ("test-0", 4)):
        pictures = PICTURES[first : first + 2]
        write(tmp_path / f"data/{part}.parquet", {"image": pictures, "label": ["cat", "dog"]})
    write(tmp_path / ".cache/old.parquet", {"image": PICTURES, "label": LABELS})
    notices = Notices()
    table = table_at("parquet", tmp_path, notices)
    assert dict(zip(table["image_id"], table["split"], strict=True)) == {
        f"{name}/{split}/{part}/{row}": split
        for row, name in enumerate(["cat", "dog"])
        for split, part in (
            ("train", "train-00000-of-00002"),
            ("train", "train-00001-of-00002"),
            ("test", "test-0"),
        )
    }
    assert any("train (4)" in text and "test (2)" in text for text in notices)
    assert len(contents("parquet", tmp_path)) == 6


def test_the_folders_of_files_give_the_splits_too(tmp_path: Path) -> None:
    for split in ("train", "validation"):
        write(tmp_path / f"{split}/0000.parquet", {"image": PICTURES[:2], "label": [0, 1]})
    table = table_at("parquet", tmp_path)
    assert table["split"].value_counts().to_dict() == {"train": 2, "validation": 2}


def test_one_split_alone_is_split_by_petite(tmp_path: Path) -> None:
    write(tmp_path / "train-0.parquet", {"image": PICTURES, "label": LABELS})
    assert "split" not in table_at("parquet", tmp_path)


@pytest.mark.parametrize(
    ("names", "split"),
    [
        (["cifar10-train"], "train"),
        (["mnist_test"], "test"),
        (["val", "0000"], "validation"),
        (["x", "dev-0"], "validation"),
        (["Training", "1"], "train"),
        (["eval.v2"], "test"),
        (["test", "train-0"], "train"),
        (["trainers"], ""),
        (["latest"], ""),
        (["evaluate"], ""),
    ],
)
def test_only_whole_words_are_splits(names: list[str], split: str) -> None:
    assert splits_of([names]) == [split]


def test_an_evaluation_set_next_to_a_test_set_is_for_validation() -> None:
    names = [["train-0"], ["eval-0"], ["test-0"]]
    assert splits_of(names) == ["train", "validation", "test"]


@pytest.mark.parametrize(
    ("pattern", "rows"), [("train-*.parquet", 4), ("{train-1,test-0}.parquet", 4), ("*", 6)]
)
def test_a_pattern_chooses_files(pattern: str, rows: int, tmp_path: Path) -> None:
    for name in ("train-0", "train-1", "test-0"):
        write(tmp_path / f"{name}.parquet", {"image": PICTURES[:2], "label": [0, 1]})
    assert len(table_at("parquet", tmp_path / pattern)) == rows


def test_columns_of_unusual_names_are_taken_as_named(tmp_path: Path) -> None:
    columns = {"left": PICTURES, "right": PICTURES[::-1], "kind": LABELS, "label": LABELS[::-1]}
    write(tmp_path / "a.parquet", columns)
    found = contents("parquet", tmp_path / "a.parquet", image="right", label="kind")
    assert found["0/a/0"] == PICTURES[-1]


def test_columns_with_a_dot_in_their_names_are_read(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", {"my.image": PICTURES, "my.label": LABELS})
    found = contents("parquet", tmp_path / "a.parquet", image="my.image", label="my.label")
    assert found["0/a/0"] == PICTURES[0]


def test_a_named_class_without_rows_is_no_class(tmp_path: Path) -> None:
    table = named(pa.table({"image": structs(PICTURES), "label": LABELS}), ["a", "b", "c"])
    pq.write_table(table, tmp_path / "a.parquet")
    assert sorted(table_at("parquet", tmp_path / "a.parquet")["class_name"].unique()) == ["a", "b"]


@pytest.mark.parametrize("missing", [None, -1])
def test_rows_without_a_label_are_left_out_and_counted(missing, tmp_path: Path) -> None:
    pictures = [encoded(seed) for seed in range(20)]
    labels = [missing, *([0, 1] * 9), 0]
    pq.write_table(
        named(pa.table({"image": pictures, "label": pa.array(labels, pa.int64())}), ["a", "b"]),
        tmp_path / "a.parquet",
    )
    notices = Notices()
    assert len(table_at("parquet", tmp_path / "a.parquet", notices)) == 19
    assert any(text.startswith("1 row without a label") for text in notices)


def test_single_images_that_cannot_be_read_are_set_aside(tmp_path: Path) -> None:
    pictures = [PICTURES[0], None, b"", b"no picture", PICTURES[4], PICTURES[5] * 500]
    write(tmp_path / "a.parquet", {"image": structs(pictures), "label": LABELS})
    with open_source("parquet", tmp_path / "a.parquet", Limits(max_bytes=100_000)) as source:
        ids = listed(source)["image_id"]
        read = dict(source.read_many(ids))
        with pytest.raises(UnreadableEntry, match="no bytes"):
            source.read("1/a/1")
    kinds = {int(name.rsplit("/")[-1]): type(data) for name, data in read.items()}
    assert [kinds[row] for row in range(6)] == [
        bytes,
        UnreadableEntry,
        *[bytes] * 3,
        UnreadableEntry,
    ]


def test_a_damaged_row_group_is_set_aside_and_the_others_are_read(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    columns = {"image": PICTURES, "label": LABELS}
    write(file, columns, row_group_size=2, compression="snappy", use_dictionary=False)
    place = pq.read_metadata(file).row_group(1).column(0)
    data = bytearray(file.read_bytes())
    start = place.data_page_offset
    data[start : start + 60] = b"\xff" * 60
    file.write_bytes(data)
    found = contents("parquet", file)
    bad = {int(name.rsplit("/")[-1]) for name, data in found.items() if not isinstance(data, bytes)}
    assert bad == {2, 3}


def test_one_row_is_read_alone_and_an_unknown_one_is_a_change(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", {"image": PICTURES, "label": LABELS}, row_group_size=2)
    with open_source("parquet", file) as source:
        assert source.read("1/a/3") == PICTURES[3]
        for image_id in ("1/a/6", "1/a/x", "1/b/0", "1"):
            with pytest.raises(PetiteError, match="changed"):
                source.read(image_id)
        source.check_unchanged()
        write(file, {"image": PICTURES[:4], "label": LABELS[:4]})
        with pytest.raises(PetiteError, match="changed"):
            source.check_unchanged()


def test_a_row_of_a_large_group_needs_little_memory(tmp_path: Path) -> None:
    """One row group of 64 MB is read as a stream, never whole."""
    noise = np.random.default_rng(0)
    pictures = [noise.bytes(64_000) for _ in range(1000)]
    columns = {"image": pictures, "label": [row % 2 for row in range(1000)]}
    file = write(tmp_path / "a.parquet", columns, write_batch_size=16, use_dictionary=False)
    assert pq.read_metadata(file).num_row_groups == 1
    del pictures, columns
    with open_source("parquet", file) as source:
        ids = listed(source)["image_id"].tolist()
        most = 0
        for _ in source.read_many(ids):
            most = max(most, pa.total_allocated_bytes())
    assert most < 30_000_000


WRONG: dict[str, tuple[dict[str, Any], dict[str, str], list[str]]] = {
    # columns; named columns; parts of the sentence
    "no image column": ({"label": LABELS, "width": LABELS}, {}, ["no column", "label (int64)"]),
    "pixels as lists": ({"image": [[1, 2]] * 6, "label": LABELS}, {}, ["image (list<"]),
    "path as text": ({"image": PATHS, "label": LABELS}, {}, ["image (string)"]),
    "path without bytes": (
        {"image": structs([None] * 6), "label": LABELS},
        {},
        ["'image'", "paths"],
    ),
    "no label column": ({"image": PICTURES, "id": LABELS}, {}, ["labels", "dataset.columns.label"]),
    "two image columns": (
        {"left": PICTURES, "right": PICTURES, "label": LABELS},
        {},
        ["left, right", "dataset.columns.image"],
    ),
    "two label columns": (
        {"image": PICTURES, "fine_label": LABELS, "coarse_label": LABELS},
        {},
        ["fine_label, coarse_label", "dataset.columns.label"],
    ),
    "unknown column": ({"image": PICTURES, "label": LABELS}, {"label": "kind"}, ["'kind'"]),
    "named column of another type": (
        {"image": PICTURES, "label": LABELS},
        {"image": "label"},
        ["'label'", "int64"],
    ),
    "all labels null": (
        {"image": PICTURES, "label": pa.array([None] * 6, pa.int64())},
        {},
        ["6 of 6", "max_bad_share"],
    ),
    "labels of type null": (
        {"image": PICTURES, "label": pa.nulls(6)},
        {},
        ["6 of 6", "max_bad_share"],
    ),
    "empty labels": ({"image": PICTURES, "label": [""] * 6}, {}, ["6 of 6"]),
    "half of the labels null": (
        {"image": PICTURES, "label": [0, None, 1, None, 1, None]},
        {},
        ["3 of 6", "row 1"],
    ),
    "numbers with a point": (
        {"image": PICTURES, "label": [0.5, 1, 2, 3, 4, 5]},
        {},
        ["'label'", "0.5"],
    ),
    "infinite labels": (
        {"image": PICTURES, "label": [float("inf"), 1, 2, 3, 4, 5]},
        {},
        ["'label'", "inf"],
    ),
    "several labels": ({"image": PICTURES, "labels": [[0, 1]] * 6}, {}, ["'labels'", "lists"]),
    "labels of a time": (
        {"image": PICTURES, "label": pa.array(LABELS, pa.timestamp("s"))},
        {},
        ["'label'", "timestamp"],
    ),
    "bytes as labels": (
        {"image": PICTURES, "label": PICTURES},
        {"image": "image", "label": "label"},
        ["'label'", "binary"],
    ),
    "a slash in a class": (
        {"image": PICTURES, "label": ["n/a", "b"] * 3},
        {},
        ["'n/a'"],
    ),
    "a class of dots": ({"image": PICTURES, "label": ["..", "b"] * 3}, {}, ["'..'"]),
    "text that is not UTF-8": (
        {
            "image": PICTURES,
            "label": pa.Array.from_buffers(
                pa.string(), 6, pa.array([b"\xff"] * 6, pa.binary()).buffers()
            ),
        },
        {},
        ["'label'"],
    ),
    "captions": ({"image": PICTURES, "label": ["a cat " * 50, "b"] * 3}, {}, ["300 characters"]),
    "one class": ({"image": PICTURES, "label": ["cat"] * 6}, {}, ["only one class", "cat"]),
    "zero rows": (
        {"image": pa.array([], pa.binary()), "label": pa.array([], pa.int64())},
        {},
        ["no rows"],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_table_is_refused_in_a_sentence(case: str, tmp_path: Path) -> None:
    columns, wanted, parts = WRONG[case]
    write(tmp_path / "a.parquet", columns)
    text = refused("parquet", tmp_path / "a.parquet", **wanted)
    assert all(part in text for part in [*parts, str(tmp_path)]), text


@pytest.mark.parametrize(
    ("labels", "names", "part"),
    [
        ([0, 1, 2, 0, 1, 0], ["a", "b"], "2 in row 2"),
        ([0, 1, -2, 0, 1, 0], ["a", "b"], "-2 in row 2"),
        (LABELS, ["a", ""], "label 1"),
        (LABELS, ["a", "b/c"], "'b/c'"),
        ([-1] * 6, ["a", "b"], "6 of 6"),
        (pa.array([2**63] * 6, pa.uint64()), ["a", "b"], "'label'"),
    ],
)
def test_labels_that_do_not_fit_their_names_are_refused(
    labels: list[int], names: list[str], part: str, tmp_path: Path
) -> None:
    table = pa.table({"image": PICTURES, "label": labels})
    pq.write_table(named(table, names), tmp_path / "a.parquet")
    assert part in refused("parquet", tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "damaged or cut short"),
        (b"PAR1" + b"\0" * 100 + b"PAR1", "damaged or cut short"),
        (b"<html>404</html>", "damaged or cut short"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n", "git lfs pull"),
    ],
)
def test_what_is_no_parquet_file_is_refused(content: bytes, part: str, tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(content)
    text = refused("parquet", tmp_path / "a.parquet")
    assert part in text and "a.parquet" in text


@pytest.mark.parametrize("share", [0.2, 0.6, 0.99])
def test_a_file_that_is_cut_short_is_refused(share: float, tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", {"image": PICTURES, "label": LABELS})
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    assert "cut short" in refused("parquet", file)


def test_columns_that_may_be_a_split_or_groups_are_said_not_to_be_used(tmp_path: Path) -> None:
    columns = {"image": PICTURES, "label": LABELS, "fold": PATHS, "slide": PATHS, "x": PATHS}
    notices = Notices()
    table_at("parquet", write(tmp_path / "a.parquet", columns), notices)
    for name, remedy in (("fold", "split: fold"), ("slide", "group: slide")):
        assert any(f"{name!r} is not used" in text and remedy in text for text in notices)


def test_files_that_lack_a_column_are_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", {"image": PICTURES, "label": LABELS})
    write(tmp_path / "b.parquet", {"image": PICTURES, "id": LABELS})
    assert "b.parquet" in refused("parquet", tmp_path)


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("a/b", "a_b"):
        write(tmp_path / f"{name}.parquet", {"image": PICTURES, "label": LABELS})
    assert "'a_b'" in refused("parquet", tmp_path)


def test_a_path_without_tables_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    for path in (tmp_path, tmp_path / "train-*.parquet", tmp_path / "none"):
        assert "no .parquet file" in refused("parquet", path)
    write(tmp_path / "0.parquet", {"image": PICTURES, "label": LABELS})
    assert "1.parquet does not exist" in refused("parquet", tmp_path / "{0..1}.parquet")
    assert "100,000 files" in refused("parquet", tmp_path / "{0..999999}.parquet")


def test_columns_are_passed_on(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", {"x": PICTURES, "z": PICTURES, "kind": LABELS})
    with open_source("parquet", file, columns=Columns("x", "kind")) as source:
        assert len(listed(source)) == 6
