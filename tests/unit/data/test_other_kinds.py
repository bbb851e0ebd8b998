"""A path of another source, given as folder or archive: one sentence names the right one."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from row_pictures import encoded, refused
from test_sources import make_folder, make_tar, make_zip

from petite.data.sources.other_kinds import right_source

PICTURE = encoded(0)
PAIRS = {"0.jpg": PICTURE, "0.cls": b"0", "1.jpg": PICTURE, "1.cls": b"1"}
IN_FOLDERS = {f"{name}/{part}": PICTURE for name in ("cat", "dog") for part in ("0.jpg", "1.jpg")}


def parquet(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"image": [PICTURE], "label": [0]}), path)


def dataset(path: Path) -> None:
    for split in ("train", "test"):
        make_folder(path / split, {"state.json": b"{}", "data-0.arrow": b"x"})
    (path / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))


def tars(path: Path) -> None:
    path.mkdir()
    make_tar(path / "0.tar", PAIRS)


CASES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a": (dataset, "huggingface=PATH"),
    "c": (lambda path: parquet(path / "data/train-0.parquet"), "parquet=PATH"),
    "d": (lambda path: parquet(path / "default/train/0.parquet"), "parquet=PATH"),
    "e": (tars, "webdataset=PATH"),
    "f": (lambda path: (path.mkdir(), np.savez(path / "a.npz", X=[1])), "npz=PATH/a.npz"),
    "a.parquet": (parquet, "parquet=PATH"),
    "a.npz": (lambda path: np.savez(path, X=[1]), "npz=PATH"),
    "a.tar": (lambda path: make_tar(path, PAIRS), "webdataset=PATH"),
}


@pytest.mark.parametrize("source", ["folder", "archive"])
@pytest.mark.parametrize("name", CASES)
def test_the_right_source_is_named(source: str, name: str, tmp_path: Path) -> None:
    make, right = CASES[name]
    make(tmp_path / name)
    text = refused(source, tmp_path / name)
    assert text.endswith(f"write {right.replace('PATH', str(tmp_path / name))}")


@pytest.mark.parametrize(
    "make",
    [
        lambda path: make_folder(path, IN_FOLDERS),
        lambda path: make_folder(path, IN_FOLDERS | {"labels.parquet": b"x"}),
        lambda path: make_folder(path, IN_FOLDERS | {"cat/0.npz": b"x"}),
        lambda path: make_folder(path, {"cat.tar": b"x", "dog.tar": b"x"}),
        lambda path: make_folder(path, {"readme.md": b"x"}),
        lambda path: path.mkdir(),
        lambda path: make_tar(path, IN_FOLDERS),
        lambda path: make_tar(path, IN_FOLDERS | {"cat/0.json": b"{}", "dog/0.json": b"{}"}),
        lambda path: make_zip(path, IN_FOLDERS),
    ],
)
def test_class_folders_and_unclear_paths_are_left_to_their_source(make, tmp_path: Path) -> None:
    make(tmp_path / "a.tar")
    assert right_source(tmp_path / "a.tar") == ""
