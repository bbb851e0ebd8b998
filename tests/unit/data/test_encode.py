"""Encoded images: their bytes, how they decode, and the files that hold them."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from encoded_pictures import SIDE, encoded, rows_of, stored, write_smooth
from PIL import Image

from petite.data.container import SoftFormat, container_bytes, container_index
from petite.data.decoding.decode import decode
from petite.data.encode import Encoding, encode
from petite.data.encoded import EncodedImages
from petite.data.encoded_shard import EncodedShard, opened_shard, read_encoded
from petite.data.sources import UnreadableEntry
from petite.data.store import Store
from petite.util.encoded_names import encoding_in_words, encoding_of, in_encoding, method_of
from petite.util.errors import DamagedFiles, PetiteError
from petite.util.files import write_table

CODECS = ("webp", "avif", "jpeg")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Smooth pictures of 40x60 pixels, one of 12 pixels, and a file that is none."""
    folder = tmp_path_factory.mktemp("pictures")
    write_smooth(folder, 8)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(folder / "a/small.png")
    (folder / "b" / "none.png").write_bytes(b"no picture")
    return folder


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("channels", [1, 3])
def test_an_encoded_image_is_a_file_that_decodes_to_about_the_same_pixels(
    codec: str, channels: int
) -> None:
    ramp = np.linspace(0, 255, 32).astype(np.uint8)
    pixels = np.repeat(np.add.outer(ramp // 2, ramp // 2)[:, :, None], channels, axis=2)
    data = encode(pixels, codec, 90)
    decoded = decode(data, 32, channels)
    assert (decoded.width, decoded.height) == (32, 32)
    assert decoded.format == codec.upper()
    assert np.abs(decoded.pixels.astype(int) - pixels).mean() < 4
    assert encode(pixels, codec, 90) == data
    assert len(encode(pixels, codec, 5)) < len(data)


@pytest.mark.parametrize("codec", CODECS)
def test_a_shard_has_the_side_asked_for_and_its_bytes_add_up(
    pictures: Path, tmp_path: Path, codec: str
) -> None:
    encoding = Encoding(24, codec, 30)
    table, path = encoded(pictures, tmp_path, encoding)
    assert path.with_suffix(".images").stat().st_size == table["bytes"].sum()
    again, other = encoded(pictures, tmp_path / "again", encoding)
    pd.testing.assert_frame_equal(table, again)
    for kind in (".images", ".npy", ".parquet"):
        assert path.with_suffix(kind).read_bytes() == other.with_suffix(kind).read_bytes()
    rows = table.set_index("image_id")
    assert rows.loc["b/none.png", "reason"].startswith("not an image")
    assert rows.loc["b/none.png", "bytes"] == 0
    # Enlarging would add bytes and no detail.
    assert rows.loc["a/small.png", "side"] == 12
    pixels = np.load(path.with_suffix(".npy"))
    with EncodedShard(path) as source:
        for image_id, data in source.read_many(table["image_id"]):
            row = table.index[table["image_id"] == image_id][0]
            if image_id == "b/none.png":
                assert isinstance(data, UnreadableEntry)
                continue
            assert isinstance(data, bytes)
            side = 12 if image_id == "a/small.png" else 24
            found = decode(data, side, 3)
            assert (found.width, found.height) == (side, side)
            assert (decode(data, SIDE, 3).pixels == pixels[row]).all()
            assert rows.loc[image_id, "original_bytes"] == (pictures / image_id).stat().st_size


def test_gray_data_sets_are_encoded_in_gray(pictures: Path, tmp_path: Path) -> None:
    gray, path = encoded(pictures, tmp_path / "gray", Encoding(24, "jpeg", 50), channels=1)
    color, _ = encoded(pictures, tmp_path / "color", Encoding(24, "jpeg", 50))
    assert gray["bytes"].sum() < color["bytes"].sum()
    assert np.load(path.with_suffix(".npy")).shape[-1] == 1


def test_a_cut_file_of_images_is_named_and_made_again(pictures: Path, tmp_path: Path) -> None:
    table, path = encoded(pictures, tmp_path, Encoding(24, "webp", 30))
    images = path.with_suffix(".images")
    images.write_bytes(images.read_bytes()[:-1])
    last = table.sort_values("offset").iloc[-1]["image_id"]
    with EncodedShard(path) as source, pytest.raises(DamagedFiles, match=r"1-of-1\.images"):
        source.read(last)


def test_an_image_that_was_not_encoded_is_named_where_it_is_exported(
    pictures: Path, tmp_path: Path
) -> None:
    _, path = encoded(pictures, tmp_path, Encoding(24, "webp", 30))
    with pytest.raises(DamagedFiles, match=r"b/none\.png could not be encoded \(not an image"):
        dict(read_encoded([path], ["a/small.png", "b/none.png"]))


@pytest.mark.parametrize(
    "soft", [None, SoftFormat(1), SoftFormat(4, 2.0, 0.125), SoftFormat(2, 1.0, 0.0, 0.3)]
)
@pytest.mark.parametrize("weights", [[1.0, 1.0, 1.0], [1.0, 0.123456789, 2.0]])
def test_the_bytes_of_a_container_are_those_on_disk(
    tmp_path: Path, weights: list[float], soft: SoftFormat | None
) -> None:
    classes, labels = ["cat", "d\u00f6g", "none"], [0, 1, 0]
    images = [b"12345", b"", b"abc"]
    sizes = [len(image) for image in images]
    files = [(tmp_path / f"{label}.images").open("wb") for label in range(len(classes))]
    for label, image in zip(labels, images, strict=True):
        files[label].write(image)
    for file in files:
        file.close()
    if soft:
        probabilities = np.full((len(images), soft.labels, len(classes)), 1 / 3, np.float16)
        (tmp_path / "soft_labels.float16").write_bytes(probabilities.tobytes())
    if soft and soft.crop_padding is not None:
        (tmp_path / "soft_views.uint8").write_bytes(
            bytes(len(images) * soft.labels * (6 if soft.brightness else 3))
        )
    about = ("8px-webp-q1", classes, labels, sizes, weights, soft)
    made = container_index(*about)
    (tmp_path / "index.json").write_bytes(made)
    on_disk = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert container_bytes(*about) == on_disk
    assert (tmp_path / "0.images").read_bytes() == b"12345abc"
    index = json.loads((tmp_path / "index.json").read_text("utf-8"))
    assert [one["class"] for one in index["classes"]] == classes
    assert index["classes"][0]["bytes"] == [5, 3]
    assert index.get("soft_labels") == (soft and soft._asdict())
    assert ("weights" in index["classes"][0]) == (len(set(weights)) > 1)


@pytest.fixture(scope="module")
def store(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return stored(pictures, tmp_path_factory.mktemp("data") / "store")


def test_a_judge_reads_decoded_images_and_the_bytes_of_subsets(
    pictures: Path, store: Store, tmp_path: Path
) -> None:
    table, path = encoded(pictures, tmp_path, Encoding(24, "webp", 10))
    images = EncodedImages("24px-webp-q10", store, [path])
    pixels = np.load(path.with_suffix(".npy"))
    assert (images.store.images(["b/1.png", "a/2.png"]) == pixels[[5, 1]]).all()
    assert (images.store.images(["a/2.png"]) != store.images(["a/2.png"])).any()
    subset = pd.DataFrame({"image_id": ["b/1.png", "a/2.png"], "label": [1, 0], "weight": 1.0})
    rows = table.set_index("image_id").loc[subset["image_id"]]
    columns = images.columns([subset, subset.iloc[:1]])
    assert columns["encoding"] == "24px-webp-q10"
    for name in ("bytes", "original_bytes"):
        both, one = columns[name]  # type: ignore[literal-required]
        assert 0 < both - rows[name].sum() < 120
        assert one < both


def test_an_encoding_that_only_enlarges_is_refused(
    pictures: Path, store: Store, tmp_path: Path
) -> None:
    _, path = encoded(pictures, tmp_path, Encoding(64, "webp", 10))
    with pytest.raises(PetiteError, match=r"64px-webp-q10.*60 or less"):
        EncodedImages("64px-webp-q10", store, [path])


def test_the_files_of_other_images_are_refused(
    pictures: Path, store: Store, tmp_path: Path
) -> None:
    table, path = encoded(pictures, tmp_path, Encoding(24, "webp", 10))
    write_table(path, table.iloc[::-1])
    with pytest.raises(DamagedFiles):
        EncodedImages("24px-webp-q10", store, [path])


def test_an_encoded_shard_is_read_in_place_of_the_originals(pictures: Path, tmp_path: Path) -> None:
    _, path = encoded(pictures, tmp_path, Encoding(24, "webp", 10))
    settings: dict[str, Any] = {}
    with opened_shard(argparse.Namespace(encoded=path), settings) as (source, shard):
        assert shard.rows["image_id"].tolist() == rows_of(pictures)["image_id"].tolist()
        assert isinstance(source.read("a/0.png"), bytes)


def test_names_say_the_method_and_the_encoding() -> None:
    name = in_encoding("grid_of_9", Encoding(64, "webp", 40).name)
    assert name == "grid_of_9@64px-webp-q40"
    assert (method_of(name), encoding_of(name)) == ("grid_of_9", "64px-webp-q40")
    assert encoding_in_words("128px-avif-q5") == "128x128 AVIF q5"
