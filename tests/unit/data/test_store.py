"""The store: what is written is read, and damage is reported."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from petite.data.store import Store, shard_record, shard_writer, write_shard
from petite.util.errors import DamagedFiles, PetiteError
from petite.util.files import read_json, write_json, write_table

SIZE, COUNT, SHARDS = 6, 20, 3


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (COUNT, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture
def manifest(tmp_path: Path, pixels: np.ndarray) -> Path:
    """A store of three shards, of which image 7 is set aside."""
    bounds = [number * COUNT // SHARDS for number in range(SHARDS + 1)]
    records, shard, row = [], [], []
    for number in range(SHARDS):
        path = tmp_path / "shards" / f"{number + 1}-of-{SHARDS}.npy"
        part = pixels[bounds[number] : bounds[number + 1]]
        write_shard(path, part)
        records.append(shard_record(path, tmp_path))
        shard += [number] * len(part)
        row += range(len(part))
    shard[7] = row[7] = -1
    index = pd.DataFrame(
        {
            "image_id": [f"a/{number}.jpg" for number in range(COUNT)],
            "status": ["set_aside" if number == 7 else "ok" for number in range(COUNT)],
            "shard": np.array(shard, dtype="int32"),
            "row": np.array(row, dtype="int64"),
        }
    )
    write_table(tmp_path / "index.parquet", index)
    path = tmp_path / "manifest.json"
    content = {"format": 1, "classes": ["a", "b"], "image_size": SIZE, "channels": 3}
    write_json(path, content | {"shards": records})
    return path


def test_images_come_in_the_order_asked_for(manifest: Path, pixels: np.ndarray) -> None:
    store = Store.open(manifest)
    order = [19, 0, 6, 5, 13, 0, 12]
    np.testing.assert_array_equal(store.images(np.array(order)), pixels[order])
    ids = [f"a/{number}.jpg" for number in order]
    for which in (ids, np.array(ids), pd.Series(ids), pd.Series(ids, index=order), np.array(order)):
        np.testing.assert_array_equal(store.images(which), pixels[order])


def test_no_images_have_the_shape_of_images(manifest: Path) -> None:
    assert Store.open(manifest).images([]).shape == (0, SIZE, SIZE, 3)


def test_images_are_copies_that_may_be_changed(manifest: Path, pixels: np.ndarray) -> None:
    store = Store.open(manifest)
    store.images(["a/1.jpg"])[:] = 0
    np.testing.assert_array_equal(store.images(["a/1.jpg"])[0], pixels[1])


def test_what_the_manifest_says_is_at_hand(manifest: Path) -> None:
    store = Store.open(manifest)
    assert store.classes == ["a", "b"]
    assert store.shape == (SIZE, SIZE, 3)
    assert (store.image_size, store.channels) == (SIZE, 3)
    assert len(store.index) == COUNT


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_batches_hold_all_images_in_order(
    manifest: Path, pixels: np.ndarray, batch_size: int
) -> None:
    order = np.array([3, 2, 18, 9, 10])
    batches = list(Store.open(manifest).iter_batches(order, batch_size))
    assert [len(batch) for batch in batches[:-1]] == [batch_size] * (len(batches) - 1)
    np.testing.assert_array_equal(np.concatenate(batches), pixels[order])


@pytest.mark.parametrize(
    "of_type",
    [
        list,
        np.array,
        lambda names: pd.Series(names, dtype=object),
        lambda names: pd.Series(names, dtype="string[pyarrow]"),
        lambda names: pd.concat([pd.Series([name], dtype="string[pyarrow]") for name in names]),
        lambda names: pd.Series(
            pa.chunked_array([names[:1], names[1:]], pa.string()), dtype=pd.ArrowDtype(pa.string())
        ),
        lambda names: pa.chunked_array([names[:2], [], names[2:]], pa.large_string()),
    ],
    ids=["list", "array", "objects", "strings", "joined", "chunks of Arrow", "Arrow itself"],
)
def test_images_are_found_by_ids_of_any_kind_in_any_number_of_chunks(
    manifest: Path, of_type: Callable[[list[str]], Any]
) -> None:
    names = ["a/3.jpg", "a/2.jpg", "a/18.jpg", "a/2.jpg"]
    store = Store.open(manifest)
    assert store.positions(of_type(names)).tolist() == [3, 2, 18, 2]
    with pytest.raises(KeyError, match=r"a/99\.jpg"):
        store.positions(of_type([*names, "a/99.jpg"]))


def test_unknown_and_set_aside_images_are_refused(manifest: Path) -> None:
    store = Store.open(manifest)
    with pytest.raises(KeyError, match=r"a/99\.jpg"):
        store.images(["a/1.jpg", "a/99.jpg"])
    for which in (["a/7.jpg"], np.array([7])):
        with pytest.raises(KeyError, match=r"a/7\.jpg.*set aside"):
            store.images(which)
    with pytest.raises(IndexError):
        store.images(np.array([COUNT]))


def test_more_shards_than_may_be_open_are_read(
    manifest: Path, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("petite.data.store.OPEN_SHARDS", 1)
    store = Store.open(manifest)
    order = np.array([0, 19, 1, 10, 18, 2])
    for _ in range(2):
        np.testing.assert_array_equal(store.images(order), pixels[order])


def test_an_image_that_the_disk_lost_since_is_told(manifest: Path) -> None:
    store = Store.open(manifest)
    store.images(np.array([COUNT - 1]))
    shard = manifest.parent / "shards/3-of-3.npy"
    os.truncate(shard, shard.stat().st_size - 1)
    with pytest.raises(DamagedFiles, match=r"3-of-3\.npy ends within row 6.*Run again") as error:
        store.images(np.array([COUNT - 1]))
    assert error.value.paths == (shard, manifest)  # which the workflow makes again


def test_reading_a_store_larger_than_memory_takes_no_more_than_what_is_read(
    tmp_path: Path,
) -> None:
    side, count = 256, 2_000  # 393 MB
    zeros = np.zeros((side, side, 3), np.uint8)
    write_shard(tmp_path / "shards/1-of-1.npy", [zeros] * count)
    ids = [f"a/{number}" for number in range(count)]
    index = {"image_id": ids, "shard": np.int32(0), "row": np.arange(count)}
    write_table(tmp_path / "index.parquet", pd.DataFrame(index))
    content = {"format": 1, "classes": ["a", "b"], "image_size": side, "channels": 3}
    record = shard_record(tmp_path / "shards/1-of-1.npy", tmp_path)
    write_json(tmp_path / "manifest.json", content | {"shards": [record]})
    program = (
        "import sys, numpy as np\n"
        "from petite.util.job import peak_memory_bytes\n"
        "from petite.data.store import Store\n"
        "from petite.data.views import StoredImages\n"
        "view = StoredImages(Store.open(sys.argv[1]), np.arange(int(sys.argv[2])))\n"
        "peaks = []\n"
        "for start in range(0, view.shape[0], 100):\n"
        "    view[np.arange(start, start + 100)]\n"
        "    peaks.append(peak_memory_bytes())\n"
        "print(peaks[0], peaks[-1])\n"
    )
    scripts = Path(__file__).resolve().parents[3] / "scripts"
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "manifest.json"), str(count)],
        env={**os.environ, "PYTHONPATH": str(scripts)},
        capture_output=True,
        text=True,
        check=True,
    )
    first, last = map(int, done.stdout.split())
    assert last - first < 60e6  # of 393 MB; a batch is 20 MB


def test_a_missing_store_is_named(tmp_path: Path) -> None:
    with pytest.raises(PetiteError, match=f"no store at {tmp_path}"):
        Store.open(tmp_path / "manifest.json")


def test_another_version_of_the_format_is_named(manifest: Path) -> None:
    write_json(manifest, read_json(manifest) | {"format": 2})
    with pytest.raises(PetiteError, match=r"format 2\b.*\b1\b"):
        Store.open(manifest)


def missing(shard: Path) -> None:
    shard.unlink()


def shorter(shard: Path) -> None:
    shard.write_bytes(shard.read_bytes()[:-1])


def longer(shard: Path) -> None:
    shard.write_bytes(shard.read_bytes() + b"\0")


def no_array(shard: Path) -> None:
    shard.write_bytes(b"no array at all, but some bytes")


def empty(shard: Path) -> None:
    shard.write_bytes(b"")


def of_other_shape(shard: Path) -> None:
    write_shard(shard, np.zeros((2, SIZE, SIZE, 3), np.uint8))


def of_floats(shard: Path) -> None:
    np.save(shard, np.zeros((2, SIZE, SIZE, 3), np.float32))


@pytest.mark.parametrize(
    "damage", [missing, shorter, longer, no_array, empty, of_other_shape, of_floats]
)
def test_a_damaged_shard_is_named_with_what_to_do(manifest: Path, damage) -> None:
    damage(manifest.parent / "shards/2-of-3.npy")
    with pytest.raises(PetiteError, match=r"2-of-3\.npy.*[Rr]un again"):
        Store.open(manifest)


def test_a_changed_byte_is_found_by_verify(manifest: Path) -> None:
    Store.open(manifest).verify()
    shard = manifest.parent / "shards/3-of-3.npy"
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    store = Store.open(manifest)
    with pytest.raises(PetiteError, match=r"3-of-3\.npy.*SHA-256"):
        store.verify()


def test_a_shard_is_a_plain_npy_file(tmp_path: Path, pixels: np.ndarray) -> None:
    write_shard(tmp_path / "a.npy", pixels)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), pixels)
    record = shard_record(tmp_path / "a.npy", tmp_path)
    assert (record["file"], record["rows"]) == ("a.npy", COUNT)


def test_rows_are_written_in_any_order_and_the_rest_is_black(
    tmp_path: Path, pixels: np.ndarray
) -> None:
    with shard_writer(tmp_path / "a.npy", 4, (SIZE, SIZE, 3)) as shard:
        shard.write(3, pixels[0])
        shard.write(1, pixels[1][:, ::-1])
    written = np.load(tmp_path / "a.npy")
    np.testing.assert_array_equal(written[3], pixels[0])
    np.testing.assert_array_equal(written[1], pixels[1][:, ::-1])
    assert not written[[0, 2]].any()


def test_a_shard_that_failed_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), shard_writer(tmp_path / "a.npy", 4, (SIZE, SIZE, 3)):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_images_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    right = np.zeros((SIZE, SIZE, 3), np.uint8)
    with shard_writer(tmp_path / "a.npy", 2, (SIZE, SIZE, 3)) as shard:
        for wrong in (right[:, :, :1], right[:-1], right.astype(float)):
            with pytest.raises(ValueError, match="in a shard of"):
                shard.write(0, wrong)
        for row in (-1, 2):
            with pytest.raises(IndexError):
                shard.write(row, right)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, as on Linux")
def test_a_full_disk_is_told(tmp_path: Path, pixels: np.ndarray) -> None:
    from petite.data.store import ShardWriter

    with pytest.raises(OSError, match="No space left"), Path("/dev/full").open("wb") as file:
        file.truncate = lambda size: size  # type: ignore[method-assign]
        shard = ShardWriter(file, COUNT, (SIZE, SIZE, 3))
        for row in range(COUNT):
            shard.write(row, pixels[row])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_one_flipped_bit_is_found_when_the_shard_is_read(manifest: Path) -> None:
    shard = manifest.parent / "shards/3-of-3.npy"
    flip_a_bit(shard)
    store = Store.open(manifest)
    store.images([0])  # of the first shard, which is whole
    with pytest.raises(DamagedFiles, match=r"3-of-3\.npy.*SHA-256") as error:
        store.images([COUNT - 1])
    assert error.value.paths == (shard, manifest)


def test_a_shard_is_verified_once(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("petite.data.store.OPEN_SHARDS", 1)
    store = Store.open(manifest)
    store.images([0])
    flip_a_bit(manifest.parent / "shards/1-of-3.npy")
    store.images([COUNT - 1])
    store.images([0])


def test_a_job_that_finds_a_damaged_shard_says_so_and_removes_it(manifest: Path) -> None:
    flip_a_bit(manifest.parent / "shards/3-of-3.npy")
    program = (
        "from pathlib import Path\nfrom petite.data.store import Store\n"
        "from petite.util import job\n"
        f"job.run(lambda args: Store.open(Path({str(manifest)!r})).verify(), "
        "job.argument_parser(''))"
    )
    scripts = Path(__file__).resolve().parents[3] / "scripts"
    finished = subprocess.run(
        [sys.executable, "-c", program], cwd=scripts, text=True, capture_output=True
    )
    assert finished.returncode == 1
    assert re.search(r"3-of-3\.npy.*SHA-256", finished.stderr)
    assert "Traceback" not in finished.stderr
    left = {path.name for path in manifest.parent.rglob("*.*")}
    assert left == {"index.parquet", "1-of-3.npy", "2-of-3.npy"}
