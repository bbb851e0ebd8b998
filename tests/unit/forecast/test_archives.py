"""The number of entries of a zip."""

import zipfile

import pytest

from petite.forecast.archives import entries_of_zip


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
