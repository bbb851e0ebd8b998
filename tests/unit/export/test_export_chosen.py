"""The folder to label from, and the table for the labels."""

import unicodedata
from pathlib import Path

import pandas as pd
import pytest

from petite.export.label_next import export_chosen
from petite.util.errors import PetiteError

FILES = ["b/1.jpg", "1.jpg", "a/x,\"y'.png", "no suffix", "猫/" + 70 * "長" + ".jpg"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, file in enumerate(FILES):
        (tmp_path / "pool" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pool" / file).write_bytes(bytes([number]))
    return tmp_path


def exported(folder: Path, files: list[str] = FILES, links: bool = True) -> pd.DataFrame:
    chosen = pd.DataFrame({"rank": range(1, len(files) + 1), "file": files})
    places = (folder / "pool", folder / "out/images", folder / "out/labels.csv")
    return export_chosen(chosen, *places, links)


def labels_of(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


@pytest.mark.parametrize("links", [True, False])
def test_the_files_are_numbered_in_order_and_have_the_content_of_the_originals(
    folder: Path, links: bool
) -> None:
    table = exported(folder, links=links)
    found = sorted((folder / "out/images").iterdir())
    assert [path.name for path in found] == sorted(table["file"])
    assert [path.read_bytes() for path in found] == [bytes([n]) for n in range(len(FILES))]
    assert all(path.is_symlink() == links for path in found)
    assert [name[:5] for name in table["file"]] == ["0001_", "0002_", "0003_", "0004_", "0005_"]
    assert table["file"][1] == "0002_1.jpg"
    assert all(len(name.encode()) <= 255 for name in table["file"])
    assert labels_of(folder / "out/labels.csv").equals(table)
    assert table["pool_file"].tolist() == FILES
    assert set(table["label"]) == {""}


@pytest.mark.parametrize("spelling", ["NFC", "NFD"])
def test_files_are_found_in_each_spelling_of_unicode(spelling: str, tmp_path: Path) -> None:
    on_disk = unicodedata.normalize(spelling, "café/été 1.jpg")
    (tmp_path / "pool" / on_disk).parent.mkdir(parents=True)
    (tmp_path / "pool" / on_disk).write_bytes(b"x")
    # Ids are in normal form C.
    table = exported(tmp_path, [unicodedata.normalize("NFC", on_disk)])
    assert (tmp_path / "out/images" / table["file"][0]).read_bytes() == b"x"


def test_labels_that_were_filled_in_stay_when_other_images_are_chosen(folder: Path) -> None:
    table = exported(folder, FILES[:3])
    table["label"] = ["007", "", "no"]
    table.to_csv(folder / "out/labels.csv", index=False)
    again = exported(folder, FILES[2:])
    assert again.set_index("pool_file")["label"].to_dict() == {
        FILES[2]: "no",
        FILES[3]: "",
        FILES[4]: "",
    }
    assert labels_of(folder / "out/labels-1.csv").equals(table)


def test_an_empty_table_is_replaced_and_one_of_another_program_is_kept(folder: Path) -> None:
    exported(folder)
    exported(folder, FILES[:2])
    assert not (folder / "out/labels-1.csv").exists()
    content = "file;label\n0001_1.jpg;cat\n".encode("utf-16")
    (folder / "out/labels.csv").write_bytes(content)
    exported(folder, FILES[:2])
    assert (folder / "out/labels-1.csv").read_bytes() == content
    assert len(labels_of(folder / "out/labels.csv")) == 2


def test_a_file_that_is_gone_is_named_and_nothing_is_left(folder: Path) -> None:
    (folder / "pool" / FILES[1]).unlink()
    with pytest.raises(PetiteError, match=r"1\.jpg"):
        exported(folder)
    assert not (folder / "out/images").exists()
