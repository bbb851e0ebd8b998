"""The number of entries of a zip, and which archives may be listed while a run is planned."""

import tarfile
import zipfile

import pytest

from petite.forecast import archives
from petite.forecast.archives import QUICK_TAR_BYTES, entries_of_zip, names_are_quick


@pytest.mark.parametrize("count", [0, 1, 300, 70_000])
@pytest.mark.parametrize("comment", [b"", b"PK\x05 a comment" * 50])
def test_it_is_that_of_its_directory(tmp_path, count, comment):
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.comment = comment
        for number in range(count):
            archive.writestr(str(number), b"")
    assert entries_of_zip(path) == count


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all" * 10_000, b"PK\5\6", b"\0" * 99])
def test_of_another_file_it_is_unknown(tmp_path, content):
    path = tmp_path / "images.zip"
    path.write_bytes(content)
    assert entries_of_zip(path) is None


def test_of_a_missing_file_or_a_folder_it_is_unknown(tmp_path):
    assert entries_of_zip(tmp_path / "missing.zip") is None
    assert entries_of_zip(tmp_path) is None


@pytest.mark.parametrize(("count", "expected"), [(3, True), (4, False)])
def test_the_names_in_a_zip_of_few_entries_are_quick(tmp_path, monkeypatch, count, expected):
    monkeypatch.setattr(archives, "QUICK_ENTRIES", 3)
    path = tmp_path / "images"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(count):
            archive.writestr(str(number), b"")
    assert names_are_quick(path) == expected


@pytest.mark.parametrize(
    ("mode", "size", "expected"),
    [("w", 0, True), ("w", QUICK_TAR_BYTES, False), ("w:gz", 0, False), ("w:xz", 0, False)],
)
@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_the_names_in_a_small_tar_that_is_not_compressed_are_quick(
    tmp_path, mode, size, expected, form
):
    path = tmp_path / "images"
    with tarfile.open(path, mode, format=form) as archive:
        archive.add(__file__, "image")
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + size)  # a hole, which takes no space
    assert names_are_quick(path) == expected


def test_of_a_file_that_is_no_archive_no_names_are_read(tmp_path):
    path = tmp_path / "images.zip"
    assert not names_are_quick(path) and not names_are_quick(tmp_path)
    path.write_bytes(b"\0" * 2_000)
    assert not names_are_quick(path)
