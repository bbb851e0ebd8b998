"""From a source to the index and the manifest: statuses, limits, conflicts, errors, the scripts."""

import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from petite.data import ingest
from petite.data.decoding.decode import decode
from petite.data.ingest import (
    _first_of_another_label,
    build_index,
    gather_shards,
    ingest_shard,
    labeled_classes,
    make_manifest,
    read_shard_rows,
    shard_rows,
    shard_rows_by_name,
)
from petite.data.sources import Entry, ImageData, Source, UnreadableEntry
from petite.data.store import Store
from petite.util.errors import PetiteError
from petite.util.files import write_table
from petite.util.notices import Notices

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
SIZE = 16


class FakeSource(Source):
    """Entries from a dict, read in reverse order."""

    def __init__(self, data: dict[str, ImageData | None]) -> None:
        super().__init__(None)
        self._data = data

    def entries(self) -> Iterator[Entry]:
        for image_id in self._data:
            yield Entry(image_id, image_id.split("/")[0], 0)

    def reading_order(self, image_ids: Iterable[str]) -> Iterable[str]:
        return reversed(list(image_ids))

    def read(self, image_id: str) -> ImageData:
        data = self._data[image_id]
        if data is None:
            raise UnreadableEntry("unreadable: no permission")
        return data


def picture(seed: int) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((40, 30), Image.Resampling.BICUBIC)


def png(seed: int, **options: object) -> bytes:
    file = io.BytesIO()
    picture(seed).save(file, "PNG", **options)
    return file.getvalue()


def listing_of(source: Source) -> pd.DataFrame:
    frame = pd.DataFrame(source.entries(), columns=["image_id", "class_name", "bytes"])
    frame.insert(0, "position", np.arange(len(frame)))
    return frame


def tables_of(
    source: Source, folder: Path, shards: int = 2, channels: int = 3, part: Callable = shard_rows
) -> list:
    rows = listing_of(source)
    return [
        ingest_shard(
            source,
            part(rows, number, shards),
            folder / f"{number}.npy",
            image_size=SIZE,
            channels=channels,
        )
        for number in range(1, shards + 1)
    ]


def index_of(data: dict[str, ImageData | None], folder: Path, **options: object) -> pd.DataFrame:
    """The index of all this data, by image id."""
    source = FakeSource(data)
    entries = gather_shards(listing_of(source), tables_of(source, folder))
    classes = sorted(entries["class_name"].unique())
    defaults = {"limit_per_class": None, "max_bad_share": 0.5, "near_copy_distance": 6}
    index = build_index(entries, classes, **(defaults | options))
    assert list(index.columns) == list(ingest.INDEX_COLUMNS)
    return index.set_index("image_id")


def test_more_classes_than_a_label_can_number_are_refused() -> None:
    classes = [f"{number:05}" for number in range(32_768)]
    entries = pd.DataFrame({"class_name": classes, "reason": "", "class_is_known": True})
    with pytest.raises(PetiteError, match="32,767"):
        build_index(entries, classes, limit_per_class=None, max_bad_share=0.5, near_copy_distance=6)


def test_the_rows_of_a_shard_are_read_without_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("petite.util.files.ROWS_IN_GROUP", 3)
    rows = listing_of(FakeSource({f"a/{number}": None for number in range(20)}))
    rows = rows.astype({"image_id": "str", "class_name": "str"})
    write_table(tmp_path / "listing.parquet", rows)
    assert pq.ParquetFile(tmp_path / "listing.parquet").num_row_groups == 7
    for shards in (1, 3, 20, 30):
        for shard in range(1, shards + 1):
            expected = shard_rows(rows, shard, shards).reset_index(drop=True)
            read = read_shard_rows(tmp_path / "listing.parquet", shard, shards)
            pd.testing.assert_frame_equal(read, expected)


@pytest.mark.parametrize(("count", "shards"), [(10, 3), (3, 5), (7, 1), (0, 2)])
def test_shards_are_blocks_that_cover_the_listing(count: int, shards: int) -> None:
    listing = pd.DataFrame({"position": np.arange(count)})
    blocks = [shard_rows(listing, number, shards) for number in range(1, shards + 1)]
    assert pd.concat(blocks)["position"].tolist() == list(range(count))
    assert max(map(len, blocks)) - min(map(len, blocks)) <= 1


def listing_of_names(names: Iterable[str]) -> pd.DataFrame:
    frame = pd.DataFrame({"image_id": list(names)}, dtype="str")
    frame.insert(0, "position", np.arange(len(frame)))
    return frame


@pytest.mark.parametrize(("count", "shards"), [(1000, 3), (3, 5), (7, 1), (0, 2)])
def test_each_entry_is_in_one_shard_and_shards_are_of_like_size(count: int, shards: int) -> None:
    names = [f"a/{number}.jpg" for number in range(count)]
    parts = [
        shard_rows_by_name(listing_of_names(names), number, shards)["image_id"].tolist()
        for number in range(1, shards + 1)
    ]
    assert sorted(name for part in parts for name in part) == sorted(names)
    assert all(part == [name for name in names if name in set(part)] for part in parts)
    if count > 100:
        assert max(map(len, parts)) < 1.2 * count / shards


def test_an_image_that_comes_or_goes_changes_its_own_shard_alone() -> None:
    names = [f"a/{number}.jpg" for number in range(50)]
    more = [*names[:10], "a/new.jpg", *names[10:]]
    changed = [
        number
        for number in range(1, 5)
        if not shard_rows_by_name(listing_of_names(names), number, 4)
        .reset_index(drop=True)
        .equals(shard_rows_by_name(listing_of_names(more), number, 4).reset_index(drop=True))
    ]
    assert len(changed) == 1
    assert "a/new.jpg" in set(shard_rows_by_name(listing_of_names(more), changed[0], 4)["image_id"])


def test_gathered_shards_follow_the_listing(tmp_path: Path) -> None:
    source = FakeSource({f"a/{number}": png(number) for number in range(9)})
    tables = tables_of(source, tmp_path, shards=3, part=shard_rows_by_name)
    entries = gather_shards(listing_of(source), tables)
    assert entries["image_id"].tolist() == listing_of(source)["image_id"].tolist()
    pixels = [np.load(tmp_path / f"{number}.npy") for number in (1, 2, 3)]
    for number, row in enumerate(entries.itertuples()):
        expected = decode(png(number), SIZE, 3).pixels
        np.testing.assert_array_equal(pixels[row.shard][row.row], expected)


def test_rows_of_a_shard_follow_the_listing_whatever_the_order_of_reading(tmp_path: Path) -> None:
    # More than one block, and not a whole number of them.
    data: dict[str, ImageData | None] = {f"a/{n}.png": png(n) for n in range(ingest.BLOCK + 5)}
    data["a/7.png"] = b"no image"
    data["a/8.png"] = None
    source = FakeSource(data)
    table = ingest_shard(
        source, listing_of(source), tmp_path / "x.npy", image_size=SIZE, channels=3
    )
    assert table["image_id"].tolist() == list(data)
    pixels = np.load(tmp_path / "x.npy")
    assert len(pixels) == len(data)
    for row, content in enumerate(data.values()):
        if row in (7, 8):
            assert not pixels[row].any()
        else:
            np.testing.assert_array_equal(pixels[row], decode(content, SIZE, 3).pixels)
    assert table.loc[7, "reason"].startswith("not an image")
    assert table.loc[8, "reason"] == "unreadable: no permission"
    assert (table.loc[7, "bytes"], table.loc[8, "bytes"]) == (8, 0)
    assert (table.loc[0, "width"], table.loc[0, "height"]) == (40, 30)


def test_arrays_are_stored_as_they_are(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE), dtype=np.uint8)
    # A source may give views that are not contiguous.
    source = FakeSource({f"a/{n}": images[n].T for n in range(3)})
    table = ingest_shard(
        source, listing_of(source), tmp_path / "x.npy", image_size=SIZE, channels=1
    )
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy")[..., 0], images.transpose(0, 2, 1))
    assert (table["bytes"] == SIZE * SIZE).all()
    assert (table["sha256"] == table["pixel_sha256"]).all()


def test_a_shard_without_entries_is_possible(tmp_path: Path) -> None:
    source = FakeSource({"a/1.png": png(1)})
    tables = tables_of(source, tmp_path, shards=3)
    assert sorted(len(table) for table in tables) == [0, 0, 1]
    assert len(gather_shards(listing_of(source), tables)) == 1


def test_progress_is_logged(tmp_path: Path, monkeypatch, caplog) -> None:
    monkeypatch.setattr(ingest, "SECONDS_BETWEEN_REPORTS", 0.0)
    with caplog.at_level(logging.INFO):
        tables_of(FakeSource({"a/1": png(1), "a/2": b"?", "a/3": png(3)}), tmp_path, shards=1)
    assert "2 of 3 entries read, 1 set aside" in caplog.text
    assert "3 of 3 entries read, 1 set aside" in caplog.text


def test_used_images_know_where_their_pixels_are(tmp_path: Path) -> None:
    data = {f"{name}/{n}.png": png(n + 100 * (name == "b")) for name in "ab" for n in range(3)}
    data["a/2.png"] = b""
    index = index_of(data, tmp_path)
    assert index["status"].tolist() == ["ok", "ok", "set_aside", "ok", "ok", "ok"]
    assert index["reason"].tolist() == ["", "", "empty: no bytes", "", "", ""]
    assert index["shard"].tolist() == [0, 0, -1, 1, 1, 1]
    assert index["row"].tolist() == [0, 1, -1, 0, 1, 2]
    assert index["label"].tolist() == [0, 0, 0, 1, 1, 1]
    assert index["copy_group"].tolist() == list(range(6))
    assert {name: str(kind) for name, kind in index.dtypes.items()} == {
        name: kind for name, kind in ingest.INDEX_COLUMNS.items() if name != "image_id"
    }


def test_the_limit_counts_images_that_decode(tmp_path: Path) -> None:
    data = {f"{name}/{n}.png": png(n + 100 * (name == "b")) for name in "ab" for n in range(5)}
    data["a/0.png"] = data["b/3.png"] = b"no image"
    index = index_of(data, tmp_path, limit_per_class=3)
    used = index.index[index["status"] == "ok"]
    assert used.tolist() == [*(f"a/{n}.png" for n in (1, 2, 3)), *(f"b/{n}.png" for n in (0, 1, 2))]
    beyond = index[index["status"] == "beyond_limit"]
    assert beyond.index.tolist() == ["a/4.png", "b/4.png"]
    assert set(beyond["reason"]) == {"beyond the limit of 3 per class"}
    assert (beyond["shard"] >= 0).all()


def test_duplicates_of_any_kind_share_a_group(tmp_path: Path) -> None:
    smaller = io.BytesIO()
    picture(1).resize((36, 27), Image.Resampling.BICUBIC).save(smaller, "JPEG", quality=80)
    data = {
        "a/0": png(0),
        "a/1": png(1),
        "a/2": png(2),
        "a/same bytes": png(0),
        "a/same pixels": png(2, compress_level=0),
        "a/smaller": smaller.getvalue(),
        "b/0": png(10),
    }
    assert index_of(data, tmp_path)["copy_group"].tolist() == [0, 1, 2, 0, 2, 1, 6]
    exact = index_of(data, tmp_path, near_copy_distance=None)
    assert exact["copy_group"].tolist() == [0, 1, 2, 0, 2, 5, 6]


def test_label_conflicts_are_all_set_aside(tmp_path: Path, caplog) -> None:
    data = {
        "a/0": png(0),
        "a/1": png(1),
        "a/1 again": png(1),
        "a/2": png(2),
        "b/0": png(10),
        "b/1": png(1),
        "b/2 stored otherwise": png(2, compress_level=0),
    }
    index = index_of(data, tmp_path)
    assert index["status"].tolist() == ["ok"] + ["set_aside"] * 3 + ["ok"] + ["set_aside"] * 2
    assert index["reason"].tolist() == [
        "",
        "label conflict: same bytes as b/1",
        "label conflict: same bytes as b/1",
        "label conflict: same pixels as b/2 stored otherwise",
        "",
        "label conflict: same bytes as a/1",
        "label conflict: same pixels as a/2",
    ]
    assert (index["shard"] == -1).tolist() == (index["status"] == "set_aside").tolist()
    assert "b/1 is set aside: label conflict" in caplog.text


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=30))
def test_a_label_conflict_names_the_first_row_with_another_label(rows) -> None:
    labels, groups = np.array(rows).T
    expected = [
        next((i for i, (lab, other) in enumerate(rows) if other == group and lab != label), -1)
        for label, group in rows
    ]
    assert _first_of_another_label(labels, groups).tolist() == expected


def test_a_conflict_with_an_image_beyond_the_limit_is_one_too(tmp_path: Path) -> None:
    data = {"a/0": png(0), "a/1": png(1), "b/0": png(10), "b/1": png(11), "b/2": png(1)}
    index = index_of(data, tmp_path, limit_per_class=2)
    assert index["status"].tolist() == ["ok", "set_aside", "ok", "ok", "set_aside"]


def test_near_duplicates_in_two_classes_are_reported_and_share_a_group(tmp_path: Path) -> None:
    near = io.BytesIO()
    picture(1).save(near, "JPEG", quality=70)
    data = {"a/0": png(0), "a/1": png(1), "b/0": png(10), "b/1": near.getvalue()}
    notices = Notices()
    index = index_of(data, tmp_path, notices=notices)
    assert (index["status"] == "ok").all()
    assert index["copy_group"].tolist() == [0, 1, 2, 1]
    (said,) = notices
    assert said.startswith("1 group of near duplicates") and "a/1, b/1" in said


def test_files_that_are_set_aside_are_reported(tmp_path: Path) -> None:
    data = {f"{name}/{n}": png(10 * (name == "b") + n) for name in "ab" for n in range(5)}
    notices = Notices()
    index_of({**data, "a/x": b"", "b/copy": png(0)}, tmp_path, notices=notices)
    unread, contradicting = notices
    assert unread.startswith("1 of 12 files") and unread.endswith("1 empty")
    assert contradicting.startswith("2 files set aside") and "a/0 (label" in contradicting


def test_formats_that_are_not_read_are_counted_by_name_with_what_to_do(tmp_path: Path) -> None:
    heic = b"\0\0\0\x18ftypheic" + bytes(40)
    data = {"a/0": png(0), "a/1": heic, "a/2": heic, "a/3": b"%PDF-1.4", "b/0": png(1), "b/1": heic}
    with pytest.raises(PetiteError) as caught:
        index_of(data, tmp_path, max_bad_share=0.1)
    message = str(caught.value)
    assert "3 other format: HEIC; convert it to JPEG or PNG, such as a/1, a/2, b/1" in message
    assert "1 other format: PDF; save its pages as JPEG or PNG, such as a/3" in message


def test_too_many_unreadable_entries_stop_with_counts_and_examples(tmp_path: Path) -> None:
    data = {"a/0": png(0), "a/x": b"", "a/y": b"", "a/z": b"text", "b/0": png(1), "b/1": png(2)}
    assert (index_of(data, tmp_path, max_bad_share=0.5)["status"] == "set_aside").sum() == 3
    with pytest.raises(PetiteError) as caught:
        index_of(data, tmp_path, max_bad_share=0.49)
    message = str(caught.value)
    for part in ("3 of 6", "2 empty, such as a/x, a/y", "1 not an image, such as a/z", "50.0%"):
        assert part in message
    assert "max_bad_share" in message


def test_all_classes_without_a_usable_image_are_named(tmp_path: Path) -> None:
    data = {"a/0": png(0), "a/1": png(1), "b/0": b"", "c/0": png(0)}
    with pytest.raises(PetiteError) as caught:
        index_of(data, tmp_path)
    message = str(caught.value)
    assert "2 of 3 classes" in message
    assert "\n  b: b/0: empty: no bytes" in message
    assert "\n  c: c/0: label conflict: same bytes as a/0" in message
    assert "dataset.classes" in message
    assert "dataset.min_per_class: 1" in message


SMALL: dict[str, ImageData | None] = {
    **{f"a/{n}": png(n) for n in range(3)},
    **{f"b/{n}": png(10 + n) for n in range(2)},
    "b/again": png(11),
    "c/0": png(20),
    "d/0": b"",
    **{f"e/{n}": png(30 + n) for n in range(4)},
}


def test_small_classes_are_left_out_by_min_per_class_and_said(tmp_path: Path) -> None:
    notices = Notices()
    index = index_of(SMALL, tmp_path, min_per_class=3, notices=notices)
    (excluded,) = notices[1:]
    assert excluded.startswith("3 of 5 classes") and "(dataset.min_per_class)" in excluded
    assert "b (2), c (1), d (0)" in excluded
    assert labeled_classes(index.reset_index()) == ["a", "e"]
    used = index[index["status"] == "ok"]
    assert used["class_name"].tolist() == ["a"] * 3 + ["e"] * 4
    assert used["label"].tolist() == [0] * 3 + [1] * 4
    aside = index[index["status"] == "set_aside"]
    assert (aside[["label", "shard", "row"]] == -1).all(axis=None)
    assert aside["reason"].tolist() == [
        *["small class: 2 different images, fewer than 3 (min_per_class)"] * 3,
        "small class: 1 different images, fewer than 3 (min_per_class)",
        "empty: no bytes",
    ]


def test_images_beyond_the_limit_are_set_aside_with_their_small_class(tmp_path: Path) -> None:
    same = {f"c/{n}": png(20) for n in range(4)}
    index = index_of(SMALL | same, tmp_path, min_per_class=2, limit_per_class=2)
    assert index.loc[list(same), "status"].unique().tolist() == ["set_aside"]
    assert labeled_classes(index.reset_index()) == ["a", "b", "e"]


def test_classes_stay_in_their_order_where_others_are_left_out(tmp_path: Path) -> None:
    source = FakeSource(SMALL)
    entries = gather_shards(listing_of(source), tables_of(source, tmp_path))
    settings = {"limit_per_class": None, "max_bad_share": 0.5, "near_copy_distance": None}
    index = build_index(entries, ["e", "d", "c", "b", "a"], min_per_class=2, **settings)
    assert labeled_classes(index) == ["e", "b", "a"]
    manifest = make_manifest(index, labeled_classes(index), [], SIZE, 3, {})
    assert list(manifest["counts"]) == ["e", "b", "a"]


def test_no_class_is_left_out_unless_it_is_asked_for(tmp_path: Path) -> None:
    data = {name: content for name, content in SMALL.items() if name != "d/0"}
    notices = Notices()
    index = index_of(data, tmp_path, notices=notices)
    assert labeled_classes(index.reset_index()) == ["a", "b", "c", "e"]
    assert notices == []
    assert index_of(data, tmp_path, min_per_class=1, notices=notices).equals(index)
    assert notices == []


def test_fewer_than_two_classes_that_are_large_enough_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PetiteError, match=r"4 of 5 .*: a \(3\), b .* d \(0\)\. Without"):
        index_of(SMALL, tmp_path, min_per_class=4)


def test_what_was_found_of_the_stored_images_is_said_where_a_class_is_left_empty(
    tmp_path: Path,
) -> None:
    notices = Notices()
    notices.add("They become blank.")
    with pytest.raises(PetiteError, match=r"(?s)  b: b/0: label.*\nThey become blank\."):
        index_of({"a/0": png(0), "a/1": png(1), "b/0": png(0)}, tmp_path, notices=notices)


def test_fewer_images_than_the_limit_are_logged(tmp_path: Path, caplog) -> None:
    data = {"a/0": png(0), "a/1": png(1), "b/0": png(2)}
    index_of(data, tmp_path, limit_per_class=2)
    assert "b has 1 images in use, fewer than the limit of 2" in caplog.text
    assert "a has" not in caplog.text


def test_shards_of_another_listing_are_refused(tmp_path: Path) -> None:
    source = FakeSource({f"a/{number}": png(number) for number in range(8)})
    tables = tables_of(source, tmp_path)
    assert all(map(len, tables))
    for wrong in (tables[:1], tables[::-1], [*tables, tables[0]]):
        with pytest.raises(PetiteError, match="store/shards"):
            gather_shards(listing_of(source), wrong)


def test_the_manifest_counts_and_its_digest_follows_the_content(tmp_path: Path) -> None:
    data = {"a/0": png(0), "a/1": b"", "b/0": png(2), "b/1": png(3)}
    index = index_of(data, tmp_path, limit_per_class=1).reset_index()
    shards = [{"file": "shards/1-of-1.npy", "rows": 4, "sha256": "0" * 64}]
    manifest = make_manifest(index, ["a", "b"], shards, SIZE, 3, {"limit_per_class": 1})
    assert manifest["counts"] == {
        "a": {"ok": 1, "set_aside": 1, "beyond_limit": 0},
        "b": {"ok": 1, "set_aside": 0, "beyond_limit": 1},
    }
    assert make_manifest(index, ["a", "b"], shards, SIZE, 3, {"limit_per_class": 1}) == manifest
    changed = index.assign(reason="")
    others = [
        make_manifest(changed, ["a", "b"], shards, SIZE, 3, {"limit_per_class": 1}),
        make_manifest(index, ["b", "a"], shards, SIZE, 3, {"limit_per_class": 1}),
        make_manifest(index, ["a", "b"], shards, SIZE, 3, {"limit_per_class": 2}),
    ]
    assert len({manifest["digest"], *(other["digest"] for other in others)}) == 4


def script(name: str, *arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, str(SCRIPTS / f"{name}.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def run_scripts(photos: Path, store: Path, shards: int) -> None:
    """Make a store and its split of a folder of photos, as the workflow does."""
    (store / "shards").mkdir(parents=True)
    image = {"image_size": SIZE, "channels": 1}
    pixels = [store / f"shards/{number}-of-{shards}.npy" for number in range(1, shards + 1)]
    rows = [path.with_suffix(".parquet") for path in pixels]
    entries = {"classes": None, "limit_per_class": None, "max_bad_share": 0.1}
    judging = {"near_copy_distance": 6, "min_per_class": None}
    source = ("--source", "folder", "--path", photos)
    commands: list[list[object]] = [
        [
            *("listing", *source, "--output", store / "listing.parquet"),
            *("--settings", json.dumps(entries)),
        ]
    ]
    decoding = image | {"min_side": 8, "max_pixels": 10_000, "listing": entries}
    commands += [
        [
            *("ingest", *source, "--shard", path.stem),
            *("--output-pixels", path, "--output-rows", table),
            *("--settings", json.dumps(decoding)),
        ]
        for path, table in zip(pixels, rows, strict=True)
    ]
    commands.append(
        [
            *("index", "--listing", store / "listing.parquet", "--rows", *rows),
            *("--index", store / "index.parquet", "--manifest", store / "manifest.json"),
            *("--settings", json.dumps(image | entries | judging)),
        ]
    )
    commands.append(
        [
            *("split", "--index", store / "index.parquet", "--output", store / "split.parquet"),
            *("--listing", store / "listing.parquet", "--leaks", store / "leaks.csv"),
            *("--seed", 0, "--settings", json.dumps({"test": 0.2, "validation": 0.1})),
        ]
    )
    for name, *arguments in commands:
        done = script(str(name), *arguments)
        assert done.returncode == 0, done.stderr


def test_the_scripts_make_a_store_and_a_split_with_the_same_bytes_each_time(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for number in range(24):
        path = photos / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(number))
    (photos / "a" / "broken.png").write_bytes(b"")
    made = []
    for name in ("first", "second"):
        folder = tmp_path / name
        run_scripts(photos, folder, shards=1)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        made.append({path.relative_to(folder).as_posix(): path.read_bytes() for path in files})
    assert made[0] == made[1]

    store = Store.open(tmp_path / "first/manifest.json")
    store.verify()
    assert store.classes == ["a", "b"]
    used = store.index.loc[store.index["status"] == "ok", "image_id"]
    assert len(used) == 24
    expected = [decode((photos / image_id).read_bytes(), SIZE, 1).pixels for image_id in used]
    np.testing.assert_array_equal(store.images(used), expected)
    split = pd.read_parquet(tmp_path / "first/split.parquet")
    assert split["split"].value_counts().to_dict() == {"train": 18, "test": 4, "validation": 2}


def test_a_wrong_shard_number_is_an_error(tmp_path: Path) -> None:
    done = script(
        *("ingest", "--source", "digits", "--shard", "3-of-2"),
        *("--output-pixels", tmp_path / "x.npy", "--output-rows", tmp_path / "x.parquet"),
    )
    assert done.returncode == 2
    assert "--shard" in done.stderr and "'3-of-2'" in done.stderr
