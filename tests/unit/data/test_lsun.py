"""LMDB databases in the form of LSUN's, written by the tests: listed, read in shards, refused."""

import hashlib
import io
import re
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import lmdb
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from petite.data.ingest import ingest_shard, shard_rows
from petite.data.sources import listing, open_source
from petite.data.sources.base import Entry, Limits, Source, UnreadableEntry
from petite.data.sources.lsun import LsunSource
from petite.util.errors import PetiteError
from petite.util.files import read_table, write_table
from petite.util.notices import Notices

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
SIZE = 16


def encoded(seed: int, kind: str) -> bytes:
    """A picture of its own for each seed, as a file of this kind."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(coarse).resize((48, 40), Image.Resampling.BICUBIC).save(file, kind)
    return file.getvalue()


def key_of(value: bytes) -> str:
    """40 hexadecimal digits, as LSUN's keys are."""
    return hashlib.sha1(value).hexdigest()


def put(folder: Path, values: Mapping[bytes, bytes]) -> None:
    """Put values into a database, made where there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        lmdb.open(str(folder), map_size=1 << 26) as environment,
        environment.begin(write=True) as transaction,
    ):
        for key, value in values.items():
            transaction.put(key, value)


def write_database(folder: Path, values: Mapping[str, bytes]) -> None:
    put(folder, {key.encode(): value for key, value in values.items()})


PICTURES = {
    name: {
        key_of(value): value
        for value in (encoded(first + number, ("WEBP", "JPEG")[number % 2]) for number in range(15))
    }
    for name, first in (("cat", 0), ("dog", 100))
}


@pytest.fixture
def databases(tmp_path: Path) -> Path:
    """Two classes of 15 pictures, WebP and JPEG."""
    for name, values in PICTURES.items():
        write_database(tmp_path / "lsun" / name, values)
    return tmp_path / "lsun"


def listed(source: Source, **settings: object) -> pd.DataFrame:
    options = {"classes": None, "limit_per_class": None, "max_bad_share": 0.1, **settings}
    return listing(source, **options)  # type: ignore[arg-type]


def ingested(source: Source, folder: Path, shards: int) -> tuple[pd.DataFrame, np.ndarray]:
    """All shards of a source: their tables under each other, and their pixels."""
    rows, tables, pixels = listed(source), [], []
    folder.mkdir(parents=True)
    for shard in range(1, shards + 1):
        path = folder / f"{shard}.npy"
        some = shard_rows(rows, shard, shards)
        tables.append(ingest_shard(source, some, path, image_size=SIZE, channels=3))
        pixels.append(np.load(path))
    return pd.concat(tables, ignore_index=True), np.concatenate(pixels)


# --- reading


def test_every_value_is_an_entry_of_its_class_with_its_size(databases: Path) -> None:
    with open_source("lsun", databases) as source:
        entries = list(source.entries())
        read = dict(source.read_many([entry.image_id for entry in entries]))
    assert sorted(entries) == sorted(
        Entry(f"{name}/{key}", name, len(value))
        for name, values in PICTURES.items()
        for key, value in values.items()
    )
    assert read == {
        f"{name}/{key}": value for name, values in PICTURES.items() for key, value in values.items()
    }


def test_shards_are_ranges_of_keys_that_hold_every_key_once(databases: Path) -> None:
    with open_source("lsun", databases) as source:
        rows = listed(source)
    for shards in (1, 2, 4, 7, 30):
        parts = [shard_rows(rows, shard, shards) for shard in range(1, shards + 1)]
        assert {len(part) for part in parts} <= {30 // shards, 30 // shards + 1}
        together = [image_id for part in parts for image_id in part["image_id"]]
        # In the order of the keys, so each part is a range of them.
        assert together == [f"cat/{key}" for key in sorted(PICTURES["cat"])] + [
            f"dog/{key}" for key in sorted(PICTURES["dog"])
        ]


def test_keys_are_listed_in_the_order_of_the_database_not_in_natural_order(tmp_path: Path) -> None:
    value = encoded(0, "WEBP")
    for name in ("cat", "dog"):
        write_database(tmp_path / "lsun" / name, dict.fromkeys(["10", "9", "2a", "2"], value))
    with open_source("lsun", tmp_path / "lsun") as source:
        assert listed(source)["image_id"].tolist()[:4] == ["cat/10", "cat/2", "cat/2a", "cat/9"]


def test_images_are_stored_as_those_of_a_folder_with_the_same_files(
    databases: Path, tmp_path: Path
) -> None:
    for name, values in PICTURES.items():
        (tmp_path / "folder" / name).mkdir(parents=True)
        for key, value in values.items():
            (tmp_path / "folder" / name / key).write_bytes(value)
    with open_source("lsun", databases) as source:
        table, pixels = ingested(source, tmp_path / "a", shards=3)
    with open_source("folder", tmp_path / "folder") as source:
        expected_table, expected = ingested(source, tmp_path / "b", shards=2)
    order = expected_table.set_index("image_id").index.get_indexer(pd.Index(table["image_id"]))
    np.testing.assert_array_equal(pixels, expected[order])
    pd.testing.assert_frame_equal(
        table.drop(columns="position"),
        expected_table.drop(columns="position").iloc[order].reset_index(drop=True),
    )
    assert (table["reason"] == "").all()


def test_corrupt_and_empty_values_are_set_aside_with_the_reason(
    databases: Path, tmp_path: Path
) -> None:
    whole = encoded(7, "WEBP")
    bad = {"0" * 40: b"", "1" * 40: b"no picture", "2" * 40: whole[: len(whole) // 2]}
    write_database(databases / "cat", bad)
    with open_source("lsun", databases) as source:
        table, _ = ingested(source, tmp_path / "store", shards=2)
    reasons = table.set_index("image_id")["reason"]
    assert reasons["cat/" + "0" * 40] == "empty: no bytes"
    assert reasons["cat/" + "1" * 40].startswith("not an image")
    assert reasons["cat/" + "2" * 40].startswith(("damaged", "cut short"))
    assert (reasons == "").sum() == 30


def test_a_value_beyond_the_limit_is_set_aside_unread(databases: Path) -> None:
    largest = max(PICTURES["cat"], key=lambda key: len(PICTURES["cat"][key]))
    limit = len(PICTURES["cat"][largest]) - 1
    with (
        LsunSource(databases, limits=Limits(max_bytes=limit)) as source,
        pytest.raises(UnreadableEntry, match="too large"),
    ):
        source.read(f"cat/{largest}")


def test_databases_that_are_reopened_on_the_way_are_read_alike(
    databases: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_source("lsun", databases) as source:
        whole = listed(source)
        read = dict(source.read_many(whole["image_id"]))
    monkeypatch.setattr("petite.data.sources.lsun.READ_AT_ONCE", 4)
    with open_source("lsun", databases) as source:
        pd.testing.assert_frame_equal(listed(source), whole)
        assert dict(source.read_many(whole["image_id"])) == read


def test_an_image_that_is_not_in_the_databases_any_more_is_named(databases: Path) -> None:
    with open_source("lsun", databases) as source:
        for image_id in ("cat/none", "bird/" + "0" * 40):
            with pytest.raises(PetiteError, match=f"{image_id} is gone"):
                source.read(image_id)


def test_databases_without_write_access_and_lock_file_are_read_and_left_as_they_are(
    databases: Path,
) -> None:
    for name in PICTURES:
        (databases / name / "lock.mdb").unlink()
        (databases / name / "data.mdb").chmod(0o444)
    before = {path: path.stat().st_mtime_ns for path in databases.rglob("*")}
    with open_source("lsun", databases) as source:
        assert len(listed(source)) == 30
        source.read(f"cat/{next(iter(PICTURES['cat']))}")
    assert {path: path.stat().st_mtime_ns for path in databases.rglob("*")} == before


def test_many_readers_share_one_database(databases: Path, tmp_path: Path) -> None:
    with open_source("lsun", databases) as source:
        write_table(tmp_path / "listing.parquet", listed(source))
    jobs = []
    for shard in range(1, 5):
        command = [sys.executable, SCRIPTS / "ingest.py", "--source", "lsun", "--path", databases]
        command += ["--listing", tmp_path / "listing.parquet", "--shard", f"{shard}-of-4"]
        command += ["--output-pixels", tmp_path / f"{shard}.npy"]
        command += ["--output-rows", tmp_path / f"{shard}.parquet"]
        command += ["--settings", '{"image_size": 16, "channels": 3}']
        jobs.append(subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True))
    for job in jobs:
        _, errors = job.communicate()
        assert job.returncode == 0, errors
    tables = [read_table(tmp_path / f"{shard}.parquet") for shard in range(1, 5)]
    assert pd.concat(tables)["image_id"].tolist() == (
        read_table(tmp_path / "listing.parquet")["image_id"].tolist()
    )


# --- what is refused


def refusal(path: Path) -> str:
    with pytest.raises(PetiteError) as caught:
        open_source("lsun", path)
    return str(caught.value)


def test_a_zip_is_to_be_unzipped(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "cat.zip", "w") as archive:
        archive.writestr("cat/data.mdb", b"")
    assert "Unzip cat.zip and dog.zip" in refusal(tmp_path / "cat.zip")
    assert "Unzip cat.zip" in refusal(tmp_path)


def test_the_database_of_one_class_is_not_a_folder_of_classes(databases: Path) -> None:
    assert re.search("lsun/cat .*parent", refusal(databases / "cat"))


def test_a_folder_without_databases_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    assert "no database in" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no database" * 1000])
def test_a_file_that_is_no_database_is_refused(databases: Path, content: bytes) -> None:
    (databases / "dog" / "data.mdb").write_bytes(content)
    message = refusal(databases)
    assert re.search("dog/data.mdb is .*LMDB", message)


def test_a_database_cut_short_is_refused_before_it_is_read(databases: Path) -> None:
    file = databases / "dog" / "data.mdb"
    file.write_bytes(file.read_bytes()[:-4096])
    assert "dog/data.mdb is cut short" in refusal(databases)


def test_an_empty_database_is_refused(databases: Path) -> None:
    write_database(databases / "bird", {})
    assert re.search("bird/data.mdb is .*empty", refusal(databases))


def test_a_class_that_is_not_there_is_refused_with_the_nearest(databases: Path) -> None:
    with (
        open_source("lsun", databases) as source,
        pytest.raises(PetiteError, match=r"\bdog\b"),
    ):
        listed(source, classes=["cat", "dogs"])


def test_one_class_alone_is_refused(tmp_path: Path) -> None:
    write_database(tmp_path / "cat", PICTURES["cat"])
    with (
        open_source("lsun", tmp_path) as source,
        pytest.raises(PetiteError, match="only one class"),
    ):
        listed(source)


def test_a_key_that_is_no_text_is_refused(databases: Path) -> None:
    put(databases / "cat", {b"\xff\xfe": b"value"})
    with open_source("lsun", databases) as source, pytest.raises(PetiteError, match="not UTF-8"):
        listed(source)


def test_lsun_classes_are_said_in_natural_order_and_what_is_left_out_too(tmp_path: Path) -> None:
    for name in ("10", "9", "cafe\u0301"):
        write_database(tmp_path / name, PICTURES["cat"])
    (tmp_path / "birds").mkdir()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/1.webp").touch()
    notices = Notices()
    with open_source("lsun", tmp_path) as source:
        frame = listing(source, None, None, 0.1, notices)
    assert frame["class_name"].unique().tolist() == ["9", "10", "caf\u00e9"]
    classes, left_out = notices
    assert classes.endswith(f"{tmp_path}: 9 (15 files), 10 (15 files), caf\u00e9 (15 files)")
    assert left_out.endswith("birds (empty), photos (only 1 .webp)")


def test_linked_databases_are_read_and_links_that_lead_nowhere_named(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        write_database(tmp_path / "nas" / name, PICTURES["cat"])
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / name).symlink_to(tmp_path / "nas" / name)
    with open_source("lsun", tmp_path / "data") as source:
        assert listing(source, None, None, 0.1)["class_name"].unique().tolist() == ["cat", "dog"]
    (tmp_path / "data/bird").symlink_to(tmp_path / "nas/bird")
    with open_source("lsun", tmp_path / "data") as source:
        with pytest.raises(PetiteError, match=r"bird \(leads to .*, which does not exist\)"):
            listing(source, None, None, 0.1)
        assert len(listing(source, ["cat", "dog"], None, 0.1)) == 30


def test_databases_of_splits_and_of_one_name_in_two_spellings_are_refused(tmp_path: Path) -> None:
    for name in ("church_train_lmdb", "church_val_lmdb"):
        write_database(tmp_path / "splits" / name, PICTURES["cat"])
    with (
        open_source("lsun", tmp_path / "splits") as source,
        pytest.raises(PetiteError, match=r"church_train_lmdb, church_val_lmdb.*splits"),
    ):
        listing(source, None, None, 0.1)
    for name in ("caf\u00e9", "cafe\u0301"):
        write_database(tmp_path / "twice" / name, PICTURES["cat"])
    with pytest.raises(PetiteError, match=r"caf\u00e9.*Unicode"):
        open_source("lsun", tmp_path / "twice")
