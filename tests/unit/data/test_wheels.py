"""Wheels with the real pip."""

import hashlib
import json
import os
import zipfile
from pathlib import Path

import pytest

from petite.data.addresses import Wheel
from petite.data.wheels import download_wheel
from petite.util.errors import PetiteError


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / "photos.zip"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel that pip finds in a folder, the only place where it looks."""
    folder = tmp_path / "index"
    folder.mkdir()
    path = folder / "tiny_animals-0.4-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        info = "tiny_animals-0.4.dist-info"
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-animals\nVersion: 0.4"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return path


def test_pip_downloads_a_wheel_from_the_users_index(wheel: Path, target: Path) -> None:
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    record = download_wheel(Wheel("tiny-animals==0.4", "", sha256), target)
    beside = target.with_name("photos.zip.json")
    assert sorted(target.parent.iterdir()) == [target, beside]
    assert target.read_bytes() == wheel.read_bytes()
    assert json.loads(beside.read_text()) == record
    assert record == {
        "url": "pkg:pypi/tiny-animals@0.4",
        "sha256": sha256,
        "bytes": wheel.stat().st_size,
    }


def test_a_wheel_with_another_sha256_is_refused(wheel: Path, target: Path) -> None:
    with pytest.raises(
        PetiteError, match=f"SHA-256.*{0:064}.*{hashlib.sha256(wheel.read_bytes()).hexdigest()}"
    ):
        download_wheel(Wheel("tiny-animals==0.4", "", "0" * 64), target)
    assert list(target.parent.iterdir()) == []


def test_a_wheel_that_pip_cannot_find_is_an_error_with_pips_own_message(
    wheel: Path, target: Path
) -> None:
    with pytest.raises(PetiteError, match="No matching distribution"):
        download_wheel(Wheel("tiny-animals==9.9", "", "0" * 64), target)
    assert list(target.parent.iterdir()) == []
