"""The workflow on LMDB databases in the form of LSUN's."""

import hashlib
from pathlib import Path

import lmdb
import pandas as pd
import pytest

from petite.data.store import Store

pytestmark = pytest.mark.workflow

SPLIT = "results/tiny/splits/0.parquet"


@pytest.fixture
def databases(tmp_path: Path, write_pictures) -> Path:
    """Two classes of 12 pictures each."""
    write_pictures(tmp_path / "pictures", ["cat", "dog"], 12)
    for folder in (tmp_path / "pictures").iterdir():
        (tmp_path / "lsun" / folder.name).mkdir(parents=True)
        with (
            lmdb.open(str(tmp_path / "lsun" / folder.name), map_size=1 << 24) as environment,
            environment.begin(write=True) as transaction,
        ):
            for file in folder.iterdir():
                value = file.read_bytes()
                transaction.put(hashlib.sha1(value).hexdigest().encode(), value)
    return tmp_path / "lsun"


def test_databases_are_read_in_place_and_anew_when_they_change(
    databases: Path, tmp_path: Path, snakemake, tiny_config
) -> None:
    tiny_config["dataset"] = {"name": "tiny", "classes": ["cat", "dog"], "image_size": 8}
    options = ["--config", f"lsun={databases}", "--", SPLIT]
    finished = snakemake(tmp_path / "run", *options, config=tiny_config)
    assert finished.returncode == 0, finished.stderr
    split = pd.read_parquet(tmp_path / "run" / SPLIT)
    assert split["split"].value_counts().to_dict() == {"train": 20, "test": 2, "validation": 2}
    assert Store.open(tmp_path / "run/results/tiny/store/manifest.json").classes == ["cat", "dog"]
    again = snakemake(tmp_path / "run", "--dry-run", *options, config=tiny_config)
    assert "Nothing to be done" in again.stdout + again.stderr

    with (
        lmdb.open(str(databases / "cat"), map_size=1 << 24) as environment,
        environment.begin(write=True) as transaction,
    ):
        transaction.put(b"0" * 40, b"no picture")
    again = snakemake(tmp_path / "run", "--dry-run", *options, config=tiny_config)
    assert "listing" in again.stdout + again.stderr


def test_a_folder_without_databases_is_refused_in_a_sentence(
    tmp_path: Path, snakemake, tiny_config
) -> None:
    (tmp_path / "empty").mkdir()
    tiny_config["dataset"] = {"name": "tiny", "source": "lsun", "path": str(tmp_path / "empty")}
    finished = snakemake(tmp_path, "--dry-run", config=tiny_config)
    assert finished.returncode != 0
    assert "no database in" in finished.stderr
    assert "Traceback" not in finished.stdout + finished.stderr
