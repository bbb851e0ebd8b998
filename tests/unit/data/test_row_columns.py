"""Splits and groups that columns, arrays and keys say, in all sources of rows."""

import io
import json
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from row_pictures import encoded, pixels, refused, table_at

from petite.util.notices import Notices

COUNT = 12
LABELS = [0, 1] * (COUNT // 2)
PATIENTS = [f"p{row // 3}" for row in range(COUNT)]
PARTS = ["Training"] * 8 + ["val"] * 2 + ["test_set"] * 2
Said = dict[str, Sequence[Any]]


def as_parquet(folder: Path, said: Said) -> Path:
    columns = {"image": [encoded(row) for row in range(COUNT)], "label": LABELS, **said}
    # Several row groups.
    pq.write_table(pa.table(columns), folder / "a.parquet", row_group_size=5)
    return folder / "a.parquet"


def as_huggingface(folder: Path, said: Said) -> Path:
    images = [{"bytes": encoded(row), "path": None} for row in range(COUNT)]
    table = datasets.Dataset.from_dict({"image": images, "label": LABELS, **said})
    table.cast_column("image", datasets.Image()).save_to_disk(folder / "saved", num_shards=2)
    return folder / "saved"


def as_npz(folder: Path, said: Said) -> Path:
    arrays = {name: np.array(["" if one is None else one for one in v]) for name, v in said.items()}
    images = np.stack([pixels(row) for row in range(COUNT)])
    np.savez(folder / "a.npz", X=images, y=np.array(LABELS), **arrays)  # type: ignore[arg-type]
    return folder / "a.npz"


def as_webdataset(folder: Path, said: Said) -> Path:
    with tarfile.open(folder / "a.tar", "w") as tar:
        for row in range(COUNT):
            about = {name: values[row] for name, values in said.items()}
            files = {
                "png": encoded(row),
                "cls": str(LABELS[row]).encode(),
                "json": json.dumps(about).encode(),
            }
            for suffix, data in files.items():
                info = tarfile.TarInfo(f"{row}.{suffix}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return folder / "a.tar"


WRITERS: dict[str, Callable[[Path, Said], Path]] = {
    "parquet": as_parquet,
    "huggingface": as_huggingface,
    "npz": as_npz,
    "webdataset": as_webdataset,
}
in_all_sources = pytest.mark.parametrize("source", WRITERS)


def by_row(table: pd.DataFrame, column: str) -> list[str]:
    """A column of a listing in the order in which the rows were written."""
    places = table["image_id"].str.split("/", n=1).str[1].str.rsplit("/", n=1)
    keys = [(file[0] if file else "", int(row)) for *file, row in places]
    return table.iloc[sorted(range(len(keys)), key=keys.__getitem__)][column].tolist()


@in_all_sources
@pytest.mark.parametrize("name", ["patient_id", "Patient ID", "group", "subjectId"])
def test_a_usual_name_of_groups_keeps_the_rows_together(
    source: str, name: str, tmp_path: Path
) -> None:
    notices = Notices()
    table = table_at(source, WRITERS[source](tmp_path, {name: PATIENTS}), notices)
    assert by_row(table, "group") == PATIENTS and "split" not in table
    assert any(repr(name) in text and "4 groups" in text for text in notices)
    assert not any("not used" in text for text in notices)


@in_all_sources
@pytest.mark.parametrize("values", [[7, 8, 9] * 4, [7.0, 8.0, None] * 4, ["7", "8", None] * 4])
def test_groups_may_be_numbers_and_missing(
    source: str, values: Sequence[Any], tmp_path: Path
) -> None:
    if source == "npz":
        values = [one if one is None or isinstance(one, str) else str(int(one)) for one in values]
    file = WRITERS[source](tmp_path, {"video": values})
    expected = [str(int(one)) if one is not None else "" for one in values]
    assert by_row(table_at(source, file, group="video"), "group") == expected


@in_all_sources
def test_a_column_of_parts_is_the_split(source: str, tmp_path: Path) -> None:
    notices = Notices()
    table = table_at(source, WRITERS[source](tmp_path, {"split": PARTS}), notices)
    expected = ["train"] * 8 + ["validation"] * 2 + ["test"] * 2
    assert by_row(table, "split") == expected
    said = "a split by 'split': train (8), validation (2), test (2)"
    assert any(said in text for text in notices)


@in_all_sources
def test_a_column_is_used_for_what_the_configuration_says(source: str, tmp_path: Path) -> None:
    file = WRITERS[source](tmp_path, {"phase": PARTS, "scan": PATIENTS, "patient_id": LABELS})
    table = table_at(source, file, split="phase", group="scan")
    assert by_row(table, "group") == PATIENTS
    assert by_row(table, "split")[-3:] == ["validation", "test", "test"]


@in_all_sources
@pytest.mark.parametrize(
    "said",
    [
        {"group": ["control", "treated"] * 6},  # two groups
        {"group": [str(row) for row in range(COUNT)]},  # one of each image
        {"split": ["a", "b"] * 6},
        {"split": ["train"] * COUNT},
        {"group": [row + 0.5 for row in range(COUNT)]},
    ],
    ids="two alone words train numbers".split(),
)
def test_a_usual_name_with_other_values_is_said_not_to_be_used(
    source: str, said: Said, tmp_path: Path
) -> None:
    notices = Notices()
    table = table_at(source, WRITERS[source](tmp_path, said), notices)
    assert "group" not in table and "split" not in table
    (name,) = said
    remedy = f"dataset: {{columns: {{{name}: {name}}}}}"
    assert any(f"{name!r} is not used" in text and remedy in text for text in notices)


@in_all_sources
def test_what_the_configuration_names_wrongly_is_refused(source: str, tmp_path: Path) -> None:
    file = WRITERS[source](tmp_path, {"phase": ["train", "other"] * 6, "kind": PATIENTS})
    text = refused(source, file, split="phase")
    assert "'phase' has 'other'" in text and "train" in text and "dataset.columns.split" in text
    text = refused(source, file, group="absent")
    assert "'absent'" in text and "dataset.columns.group" in text


@in_all_sources
def test_two_that_may_be_groups_are_refused_until_one_is_named(source: str, tmp_path: Path) -> None:
    file = WRITERS[source](tmp_path, {"patient_id": PATIENTS, "subject": PATIENTS[::-1]})
    assert "several that may be the group: patient_id, subject" in refused(source, file)
    assert by_row(table_at(source, file, group="subject"), "group") == PATIENTS[::-1]


def test_the_split_of_files_is_used_rather_than_a_column_that_nobody_named(tmp_path: Path) -> None:
    for name in ("train", "test"):
        as_parquet(tmp_path, {"split": PARTS}).rename(tmp_path / f"{name}.parquet")
    assert set(table_at("parquet", tmp_path)["split"]) == {"train", "test"}
    by_column = table_at("parquet", tmp_path, split="split")
    assert by_column["split"].value_counts().to_dict() == {"train": 16, "validation": 4, "test": 4}


def test_arrays_of_each_split_may_have_their_groups(tmp_path: Path) -> None:
    images = np.stack([pixels(row) for row in range(COUNT)])
    arrays = {
        f"{name}_{split}": values[rows]
        for split, rows in (("train", slice(8)), ("test", slice(8, None)))
        for name, values in (
            ("x", images),
            ("y", np.array(LABELS)),
            ("patient", np.array(PATIENTS)[:, None]),
        )
    }
    np.savez(tmp_path / "a.npz", **arrays)  # type: ignore[arg-type]
    table = table_at("npz", tmp_path / "a.npz")
    assert table.groupby("split")["group"].unique().map(sorted).to_dict() == {
        "test": ["p2", "p3"],
        "train": ["p0", "p1", "p2"],
    }


def test_a_key_may_be_missing_in_the_first_files_of_a_tar(tmp_path: Path) -> None:
    patients = [None, *PATIENTS[1:]]
    file = tmp_path / "a.tar"
    with tarfile.open(file, "w") as tar:
        for row, patient in enumerate(patients):
            about = {"patient": patient} if patient else {}
            # The labels are elsewhere, so a .json may be anything.
            text = json.dumps(about) if row != 5 else "[1]"
            files = {"png": encoded(row), "cls": b"%d" % LABELS[row], "json": text.encode()}
            for suffix, data in files.items():
                info = tarfile.TarInfo(f"{row}.{suffix}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    table = table_at("webdataset", file, group="patient")
    assert by_row(table, "group") == ["", *PATIENTS[1:5], "", *PATIENTS[6:]]


def test_text_that_is_not_unicode_is_refused_in_a_sentence(tmp_path: Path) -> None:
    kept = pa.array([b"p\xe9re", b"p", b"q"] * 4, pa.binary())
    latin = pa.Array.from_buffers(pa.string(), COUNT, kept.buffers())
    columns = {"image": [encoded(row) for row in range(COUNT)], "label": LABELS, "patient": latin}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert "'patient' cannot be read as text" in refused("parquet", tmp_path / "a.parquet")
    file = as_webdataset(tmp_path, {"patient": ["\ud83d", *PATIENTS[1:]]})
    assert "a.tar" in refused("webdataset", file)


@pytest.mark.parametrize("odd", [np.inf, -np.inf, 1e300])
def test_numbers_that_are_not_whole_are_no_groups(odd: float, tmp_path: Path) -> None:
    said = {"group": [odd, 1.0, 2.0] * 4}
    assert "group" not in table_at("parquet", as_parquet(tmp_path, said))


def test_rows_without_a_label_do_not_shift_the_groups(tmp_path: Path) -> None:
    columns = {
        "image": [encoded(row) for row in range(COUNT)],
        "label": ["a", "b", None, *["a", "b"] * 4, "a"],
        "patient": PATIENTS,
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    table = table_at("parquet", tmp_path / "a.parquet")
    assert by_row(table, "group") == PATIENTS[:2] + PATIENTS[3:]
