"""Notices where stored images lose what files showed, and none where they do not."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw

from petite.data.ingest import (
    build_index,
    gather_shards,
    ingest_shard,
    range_of_set,
)
from petite.data.sources import listing, open_source
from petite.data.stored_check import check_duplicates, check_stored
from petite.util.notices import Notices

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
Draw = Callable[[int], Image.Image]


def noticed(
    folder: Path,
    draw: Draw,
    *,
    count: int = 12,
    size: int = 16,
    channels: int = 3,
    depth: Any = "stretch",
    **options: Any,
) -> list[str]:
    """The notices of a folder of drawings in two classes."""
    kind = options.pop("kind", "PNG")
    for number in range(count):
        path = folder / "images" / "ab"[number % 2] / f"{number}.{kind.lower()}"
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(number).save(path, kind, **options)
    return noticed_in("folder", folder / "images", folder, size, channels, depth)


def noticed_in(
    kind: str, path: Path | None, folder: Path, size: int, channels: int, depth: Any = "stretch"
) -> list[str]:
    notices = Notices()
    with open_source(kind, path) as source:
        entries = listing(source, None, None, 0.1)
        found = range_of_set(source, entries["image_id"]) if depth == "stretch" else depth
        table = ingest_shard(
            source, entries, folder / "1.npy", image_size=size, channels=channels, depth=found
        )
    rows = gather_shards(entries, [table])
    check_stored(rows, image_size=size, channels=channels, depth=depth, notices=notices)
    classes = list(dict.fromkeys(entries["class_name"]))
    index = build_index(
        rows, classes, limit_per_class=None, max_bad_share=0.5, near_copy_distance=6
    )
    check_duplicates(index, notices)
    return list(notices)


def photo(number: int) -> Image.Image:
    rng = np.random.default_rng(number)
    return Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize(
        (40, 30), Image.Resampling.BICUBIC
    )


def counted(low: int, high: int, kind: type = np.uint16) -> Draw:
    def draw(number: int) -> Image.Image:
        rng = np.random.default_rng(number)
        return Image.fromarray(rng.integers(low, high + 1, (24, 24)).astype(kind))

    return draw


def logo(number: int) -> Image.Image:
    image = Image.new("RGBA", (32, 32), (255, 255, 255, 0))
    ImageDraw.Draw(image).ellipse((4, 4, 8 + number, 28), fill=(255, 255, 255, 255))
    return image


# --------------------------------------------------------------------------------- none


def drawing(number: int) -> Image.Image:
    image = Image.new("L", (32, 32), 255)
    ImageDraw.Draw(image).ellipse((2, 2, 9 + number, 30 - number), fill=0)
    return image


SOUND: dict[str, tuple[Draw, dict[str, Any]]] = {
    "photos": (photo, {}),
    "photos as JPEG": (photo, {"kind": "JPEG"}),
    "gray photos stored as gray": (lambda number: photo(number).convert("L"), {"channels": 1}),
    "drawings of one bit": (lambda number: drawing(number).convert("1"), {"channels": 1}),
    "palettes": (lambda number: photo(number).convert("P"), {}),
    "palettes of two colors": (lambda number: photo(number).quantize(2), {}),
    "dark photos": (lambda number: photo(number).point(lambda level: level // 8), {}),
    "transparent photos": (lambda number: with_hole(photo(number)), {}),
    "photos twice as wide as high": (lambda number: photo(number).resize((60, 30)), {}),
    "TIFF photos": (photo, {"kind": "TIFF"}),
    "counts stored as asked for": (counted(0, 4095), {"channels": 1, "depth": (0, 4095)}),
    "counts of the full range": (counted(0, 65_535), {"channels": 1, "depth": "full"}),
}


def with_hole(image: Image.Image) -> Image.Image:
    image.putalpha(Image.new("L", image.size, 255))
    image.paste((0, 0, 0, 0), (3, 3, 12, 12))
    return image


@pytest.mark.parametrize("name", SOUND)
def test_images_that_are_stored_well_give_no_notice(name: str, tmp_path: Path) -> None:
    draw, options = SOUND[name]
    assert noticed(tmp_path, draw, **options) == []


def test_one_odd_image_among_many_gives_no_notice(tmp_path: Path) -> None:
    def draw(number: int) -> Image.Image:
        return Image.new("RGB", (200, 20)) if number == 0 else photo(number)

    assert noticed(tmp_path, draw, count=24) == []


def test_the_digits_give_no_notice(tmp_path: Path) -> None:
    assert noticed_in("digits", None, tmp_path, 8, 1) == []


def test_the_silhouettes_give_no_notice(silhouettes_wheel: Path, tmp_path: Path) -> None:
    assert noticed_in("silhouettes", silhouettes_wheel, tmp_path, 28, 1) == []


def test_the_textiles_stored_in_gray_give_no_notice(textiles_wheel: Path, tmp_path: Path) -> None:
    assert noticed_in("textiles", textiles_wheel, tmp_path, 250, 1) == []


def test_fifteen_thousand_photos_give_no_notice(photo_archive: Path, tmp_path: Path) -> None:
    assert noticed_in("archive", photo_archive, tmp_path, 32, 3) == []


# ------------------------------------------------------------------------- more than 8 bits


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32])
def test_counts_are_stretched_and_the_range_is_said(kind: type, tmp_path: Path) -> None:
    (said,) = noticed(tmp_path, counted(200, 360, kind), kind="TIFF", channels=1)
    assert "12 of 12 images have more than 8 bits" in said
    assert "`dataset.depth: [200, 360]`" in said
    assert np.ptp(np.load(tmp_path / "1.npy")) > 200


def test_counts_that_are_lost_are_said_with_the_setting(tmp_path: Path) -> None:
    for depth, written in (("full", "full"), ((0, 65_535), "[0, 65535]")):
        folder = tmp_path / written
        folder.mkdir()
        (said,) = noticed(folder, counted(200, 360), channels=1, depth=depth, count=6)
        assert "6 of 6 images" in said and "32 of 256 levels" in said
        assert f"`dataset.depth: {written}`" in said and "`dataset.depth: stretch`" in said


def test_images_of_8_bits_among_others_are_said_to_stay(tmp_path: Path) -> None:
    def draw(number: int) -> Image.Image:
        return photo(number) if number < 4 else counted(200, 360)(number)

    (said,) = noticed(tmp_path, draw)
    assert "8 of 12 images have more than 8 bits" in said
    assert "other 4 have 8 bits" in said


def test_every_shard_finds_the_same_range(tmp_path: Path) -> None:
    """Also where the brightness of the classes differs, and however many shards there are."""
    for number in range(30):
        path = tmp_path / "images" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        counted(200 + 100 * (number % 2), 360 + 100 * (number % 2))(number).save(path)
    settings = {"image_size": 16, "channels": 1, "depth": "stretch"}
    listed = {"classes": None, "limit_per_class": None, "max_bad_share": 0.1}
    stored = {}
    for shards in (1, 3):
        for shard in range(1, shards + 1):
            table = tmp_path / f"{shard}-of-{shards}.parquet"
            done = subprocess.run(
                [
                    sys.executable, SCRIPTS / "ingest.py", "--source", "folder",
                    "--path", tmp_path / "images", "--shard", table.stem,
                    "--output-pixels", table.with_suffix(".npy"), "--output-rows", table,
                    "--settings", json.dumps(settings | {"listing": listed}),
                ],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            rows = pd.read_parquet(table)
            assert set(rows["black"]) == {200} and set(rows["white"]) == {460}
            pixels = np.load(table.with_suffix(".npy"))
            for name, image in zip(rows["image_id"], pixels, strict=True):
                np.testing.assert_array_equal(stored.setdefault(name, image), image)
    means = {
        label: np.mean([image.mean() for name, image in stored.items() if name[0] == label])
        for label in "ab"
    }
    assert means["b"] - means["a"] > 80  # the brighter class stays brighter


def test_a_source_without_images_of_more_than_8_bits_is_not_sampled(tmp_path: Path) -> None:
    def fail() -> Any:
        raise AssertionError("sampled")

    for number in range(4):
        path = tmp_path / "images" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        photo(number).save(path)
    with open_source("folder", tmp_path / "images") as source:
        entries = listing(source, None, None, 0.1)
        table = ingest_shard(
            source, entries, tmp_path / "1.npy", image_size=16, channels=3, depth=fail
        )
    assert (table["reason"] == "").all()


def test_a_rare_image_of_more_than_8_bits_has_its_own_range(tmp_path: Path) -> None:
    path = tmp_path / "images" / "a" / "0.png"
    path.parent.mkdir(parents=True)
    photo(0).save(path)
    with open_source("folder", tmp_path / "images") as source:
        assert range_of_set(source, ["a/0.png"]) == "each"


# ------------------------------------------------------------------------------- the others


def test_white_logos_on_nothing_are_said_to_become_blank(tmp_path: Path) -> None:
    def draw(number: int) -> Image.Image:
        return logo(number) if number else drawing(1).convert("RGB")

    with pytest.raises(Exception, match="1 of 2 classes"):
        noticed(tmp_path, draw)
    notices = Notices()
    with open_source("folder", tmp_path / "images") as source:
        entries = listing(source, None, None, 0.1)
        table = ingest_shard(source, entries, tmp_path / "1.npy", image_size=16, channels=3)
    rows = gather_shards(entries, [table])
    check_stored(rows, image_size=16, channels=3, depth="stretch", notices=notices)
    assert "11 of 12 images become blank" in notices[0] and "transparent" in notices[0]


FINDINGS: dict[str, tuple[str, Draw, dict[str, Any]]] = {
    "label masks": (
        "nearly black",
        lambda number: photo(number).point(lambda level: level // 60),
        {"channels": 1},
    ),
    "flat gray": (
        "nearly flat",
        lambda number: photo(number).point(lambda level: 100 + level // 60),
        {"channels": 1},
    ),
    "long strips": (
        "3 times as long.*160x20 pixels",
        lambda number: photo(number).resize((160, 20)),
        {},
    ),
    "tall strips": (
        "3 times as long.*20x90 pixels",
        lambda number: photo(number).resize((20, 90)),
        {},
    ),
    "small images": (
        "64x64 pixels.*`dataset.image_size: 40`",
        photo,
        {"size": 64},
    ),
    "gray as color": (
        "None of the 12 images has a color",
        lambda number: photo(number).convert("L"),
        {},
    ),
    "gray as color JPEG": (
        "None of the 12 images has a color",
        lambda number: photo(number).convert("L").convert("RGB"),
        {"kind": "JPEG"},
    ),
    "pages": (
        "further pages, frames or bands",
        photo,
        {"kind": "TIFF", "save_all": True, "append_images": [Image.new("RGB", (9, 9))]},
    ),
    "frames of one video": (
        "near duplicates of each other",
        lambda number: Image.eval(photo(7).resize((90, 90)), lambda level: level - number // 2),
        {"size": 32},
    ),
}


@pytest.mark.parametrize("name", FINDINGS)
def test_what_stored_images_lose_is_said_once(name: str, tmp_path: Path) -> None:
    expected, draw, options = FINDINGS[name]
    if name == "frames of one video":  # duplicates in two classes contradict
        said = noticed_near_duplicates(tmp_path, draw)
    else:
        said = noticed(tmp_path, draw, **options)
    assert len(said) == 1, said
    assert re.search(expected, said[0])


def noticed_near_duplicates(folder: Path, draw: Draw) -> list[str]:
    for number in range(12):
        path = folder / "images" / ("a" if number < 11 else "b") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        (draw(number) if number < 11 else photo(99)).save(path)
    return noticed_in("folder", folder / "images", folder, 32, 3)


def test_files_of_formats_that_are_not_read_are_said_by_name(tmp_path: Path) -> None:
    for number in range(3):
        heic = b"\0\0\0\x18ftypheic" + bytes(40 + number)
        (tmp_path / "images" / "a").mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / "a" / f"{number}.heic").write_bytes(heic)
    (tmp_path / "images" / "a" / "scan.jpg").write_bytes(b"%PDF-1.4")
    (tmp_path / "images" / "a" / "empty.jpg").write_bytes(b"")
    (said,) = noticed(tmp_path, photo)
    for part in ("4 of 17 files", "3 HEIC; convert it to JPEG or PNG.", "1 PDF; save its pages as"):
        assert part in said


def test_nothing_is_said_of_a_set_of_which_nothing_could_be_read() -> None:
    notices = Notices()
    entries = pd.DataFrame({"reason": ["empty: no bytes"], "width": [0]}).reindex(
        columns=["reason", "width", "height", "black", "white", "lowest", "highest", "is_gray",
                 "is_transparent", "has_more"]
    )  # fmt: skip
    check_stored(entries, image_size=16, channels=3, depth="stretch", notices=notices)
    assert notices == []
