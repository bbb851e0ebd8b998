"""The source of a pool: all images of a folder, whatever its folders."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from petite.data.sources import ALL_SOURCES, SOURCES, listing, open_source
from petite.data.sources.base import UNLABELED
from petite.util.errors import PetiteError
from petite.util.notices import Notices

LISTING = {"classes": None, "limit_per_class": None, "max_bad_share": 0.1}


def write_image(path: Path, shade: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((20, 20, 3), shade, np.uint8)).save(path)


def ids_in(folder: Path, notices: Notices | None = None) -> list[str]:
    with open_source(UNLABELED, folder) as source:
        return listing(source, **LISTING, notices=notices)["image_id"].tolist()


@pytest.mark.parametrize(
    "files",
    [
        ["1.jpg", "2.jpg", "10.jpg"],
        ["only/1.jpg"],
        ["1.jpg", "train/1.jpg", "a/b/c/1.jpg"],
        ["Cat/1.jpg", "Dog/1.jpg"],
        ["unlabeled/1.jpg", "é/ü ñ.jpg"],
    ],
)
def test_every_image_of_any_tree_is_listed_in_one_class(tmp_path: Path, files: list[str]) -> None:
    for file in files:
        write_image(tmp_path / file)
    assert sorted(ids_in(tmp_path)) == sorted(f"{UNLABELED}/{file}" for file in files)


def test_files_are_in_natural_order(tmp_path: Path) -> None:
    for name in ("10.jpg", "9.jpg", "1.jpg"):
        write_image(tmp_path / name)
    assert [name.split("/")[1] for name in ids_in(tmp_path)] == ["1.jpg", "9.jpg", "10.jpg"]


def test_side_files_are_left_out_with_a_notice_and_hidden_ones_without(tmp_path: Path) -> None:
    write_image(tmp_path / "1.jpg")
    write_image(tmp_path / ".thumbs/1.jpg")
    (tmp_path / "notes.txt").write_text("")
    notices = Notices()
    assert len(ids_in(tmp_path, notices)) == 1
    assert len(notices) == 1 and ".txt" in notices[0]


def test_a_file_that_is_no_image_by_its_content_is_listed(tmp_path: Path) -> None:
    write_image(tmp_path / "1.jpg")
    (tmp_path / "movie.mp4").write_bytes(b"0" * 100)
    assert len(ids_in(tmp_path)) == 2


def test_a_folder_that_links_lead_to_twice_is_read_once(tmp_path: Path) -> None:
    write_image(tmp_path / "a/1.jpg")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "a/loop").symlink_to("..")
    notices = Notices()
    assert len(ids_in(tmp_path, notices)) == 1
    assert notices


@pytest.mark.parametrize("files", [[], ["notes.txt"], [".hidden/1.jpg"]])
def test_a_folder_without_images_is_refused(tmp_path: Path, files: list[str]) -> None:
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    with pytest.raises(PetiteError, match=str(tmp_path)):
        ids_in(tmp_path)


@pytest.mark.parametrize("name", ["pool.zip", "photo.jpg"])
def test_a_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(PetiteError, match=name):
        open_source(UNLABELED, tmp_path / name)


def test_a_data_set_cannot_be_made_of_it() -> None:
    assert UNLABELED in ALL_SOURCES
    assert UNLABELED not in SOURCES
