"""Each awkward file among the real photographs, with its expected outcome."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from petite.data.decoding.decode import decode
from petite.data.ingest import build_index, gather_shards, ingest_shard
from petite.data.sources import natural_order, open_source
from petite.data.splitting import split_images

SIZE = 150

SET_ASIDE = {
    "zero.jpg": "empty: ",
    "truncated-0.jpg": "cut short: ",
    "truncated-1.jpg": "cut short: ",
    "text.jpg": "not an image: ",
}
UNREADABLE = {
    **{f"{name}/{file}": reason for name in ("Cat", "Dog") for file, reason in SET_ASIDE.items()},
    "Cat/one-pixel.png": "too small: 1x1 pixels",
    "Dog/bomb.png": "too large: 30000x30000 pixels, ",
}
SIDE_FILES = {"Cat/Thumbs.db", "Dog/Thumbs.db"}
ROTATED = "Dog/exif-rotated.jpg"
# The file each is a copy of, in the same class.
BYTE_COPIES = {
    **{f"Cat/copy-{n}.jpg": f"Cat/{of}.jpg" for n, of in enumerate((657, 658, 661, 662, 663))},
    **{f"Dog/copy-{n}.jpg": f"Dog/{of}.jpg" for n, of in enumerate((665, 666, 667, 668, 670))},
}
OTHER_COPIES = {
    **{f"Cat/near-{n}.jpg": f"Cat/{of}.jpg" for n, of in enumerate((823, 825, 827, 829, 831))},
    **{f"Dog/near-{n}.jpg": f"Dog/{of}.jpg" for n, of in enumerate((833, 835, 837, 838, 839))},
    "Cat/trailing.jpg": "Cat/311.jpg",
    "Dog/trailing.jpg": "Dog/334.jpg",
    ROTATED: "Dog/1010.jpg",
}
BY_NATURE = {"Cat/2339.jpg": "Cat/12408.jpg", "Cat/6143.jpg": "Cat/6204.jpg"}
CONFLICTS = {
    f"Dog/conflict-{number}.jpg": f"Cat/{of}.jpg" for number, of in enumerate((1156, 1160, 1162))
}
# Files of other kinds, and the photos that they were made from.
READ = {
    "Cat/cmyk.jpg": "Cat/470.jpg",
    "Dog/cmyk.jpg": "Dog/500.jpg",
    "Cat/gray.jpg": "Cat/471.jpg",
    "Dog/gray.jpg": "Dog/501.jpg",
    "Cat/rgba-png.jpg": "Cat/474.jpg",
    "Dog/rgba-png.jpg": "Dog/503.jpg",
    "Cat/animated.gif": "Cat/1004.jpg",
}
PARTNERS = [
    partner
    for pairs in (BYTE_COPIES, OTHER_COPIES, BY_NATURE, CONFLICTS, READ)
    for pair in pairs.items()
    for partner in pair
]
# Enough ordinary photos to split.
ORDINARY = [f"{name}/{number}.jpg" for name in ("Cat", "Dog") for number in range(1, 61)]


@pytest.fixture(scope="module")
def ingested(photo_archive: Path, tmp_path_factory) -> tuple[pd.DataFrame, np.ndarray]:
    """The index of the awkward files, their partners and some photos, by id; and the pixels."""
    path = tmp_path_factory.mktemp("shards") / "1-of-1.npy"
    with open_source("archive", photo_archive) as source:
        wanted = {*UNREADABLE, *PARTNERS, *ORDINARY}
        entries = sorted(
            (entry for entry in source.entries() if entry.image_id in wanted),
            key=lambda entry: (entry.class_name, natural_order(entry.image_id)),
        )
        listing = pd.DataFrame(entries)
        table = ingest_shard(source, listing, path, image_size=SIZE, channels=3)
    index = build_index(
        gather_shards(listing, [table]),
        ["Cat", "Dog"],
        limit_per_class=None,
        max_bad_share=0.1,
        near_copy_distance=6,
    )
    return index, np.load(path, mmap_mode="r")


@pytest.fixture(scope="module")
def index(ingested) -> pd.DataFrame:
    return ingested[0].set_index("image_id", drop=False)


@pytest.fixture(scope="module")
def pixels_of(ingested, index):
    return lambda image_id: ingested[1][index.loc[image_id, "row"]].astype(int)


def test_all_45_awkward_files_are_in_this_test() -> None:
    planted = {*UNREADABLE, *BYTE_COPIES, *OTHER_COPIES, *CONFLICTS, *READ, *SIDE_FILES}
    assert len(planted) == 45


def test_known_side_files_are_counted_and_are_no_entries(photo_archive: Path) -> None:
    with open_source("archive", photo_archive) as source:
        layout = source.layout
        assert layout is not None
        assert layout.side_files == {"Thumbs.db": len(SIDE_FILES)}
        assert not SIDE_FILES & {entry.image_id for entry in source.entries()}


@pytest.mark.parametrize(("image_id", "reason"), UNREADABLE.items())
def test_unreadable_files_are_set_aside_with_the_reason(index, image_id, reason) -> None:
    assert index.loc[image_id, "status"] == "set_aside"
    assert index.loc[image_id, "reason"].startswith(reason)
    assert (index.loc[image_id, ["shard", "row"]] == -1).all()


def test_nothing_else_is_unreadable(index) -> None:
    conflicts = {*CONFLICTS, *CONFLICTS.values()}
    set_aside = set(index.index[index["status"] == "set_aside"])
    assert set_aside == set(UNREADABLE) | conflicts


@pytest.mark.parametrize(("dog", "cat"), CONFLICTS.items())
def test_label_conflicts_are_set_aside_on_both_sides(index, dog, cat) -> None:
    assert index.loc[dog, "reason"] == f"label conflict: same bytes as {cat}"
    assert index.loc[cat, "reason"] == f"label conflict: same bytes as {dog}"
    assert (index.loc[[dog, cat], "status"] == "set_aside").all()


@pytest.mark.parametrize(("copied", "original"), (BYTE_COPIES | OTHER_COPIES | BY_NATURE).items())
def test_duplicates_share_a_group_with_their_original_alone(index, copied, original) -> None:
    group = index.loc[original, "copy_group"]
    assert set(index.index[index["copy_group"] == group]) == {copied, original}
    same_bytes = index.loc[copied, "sha256"] == index.loc[original, "sha256"]
    assert same_bytes == (copied not in OTHER_COPIES)


@pytest.mark.parametrize(("image_id", "original"), READ.items())
def test_other_kinds_are_read_and_look_like_their_original(
    index, pixels_of, image_id, original
) -> None:
    assert index.loc[image_id, "status"] == "ok"
    assert (index.loc[image_id, "width"], index.loc[image_id, "height"]) == (200, 200)
    seen, expected = pixels_of(image_id), pixels_of(original)
    if "gray" in image_id:
        assert (seen == seen[..., :1]).all()
        expected = expected @ [0.299, 0.587, 0.114]
        seen = seen[..., 0]
    # The GIF has 256 colors, dithered; the others differ by what JPEG loses.
    assert np.abs(seen - expected).mean() < (8 if image_id.endswith("gif") else 4)


@pytest.mark.parametrize("name", ["Cat/311.jpg", "Dog/334.jpg"])
def test_bytes_after_the_end_of_a_photo_are_passed_over(index, pixels_of, name) -> None:
    trailing = name.split("/")[0] + "/trailing.jpg"
    np.testing.assert_array_equal(pixels_of(trailing), pixels_of(name))
    assert index.loc[trailing, "bytes"] > index.loc[name, "bytes"]


def test_a_photo_turned_by_exif_is_stored_upright(photo_archive, index, pixels_of) -> None:
    with open_source("archive", photo_archive) as source:
        data = source.read(ROTATED)
    assert index.loc[ROTATED, "status"] == "ok"
    begin = data.index(b"\xff\xe1")  # APP1: the EXIF data, of this length
    end = begin + 2 + int.from_bytes(data[begin + 2 : begin + 4])
    as_it_lies = decode(data[:begin] + data[end:], SIZE, 3).pixels
    # Orientation 6: turned by 90 degrees clockwise to stand upright.
    np.testing.assert_array_equal(pixels_of(ROTATED), np.rot90(as_it_lies, k=-1))


@pytest.mark.parametrize("seed", range(5))
def test_no_copy_stands_on_two_sides_of_a_split(index, seed) -> None:
    parts = split_images(index, test=0.3, validation=0.2, seed=seed).table
    table = parts.set_index("image_id")["split"]
    for copied, original in (BYTE_COPIES | OTHER_COPIES | BY_NATURE).items():
        assert table[copied] == table[original]
    assert not set(table.index) & set(UNREADABLE)
    assert set(table) == {"train", "validation", "test"}
