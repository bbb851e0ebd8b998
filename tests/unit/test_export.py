"""An exported subset holds its images unchanged, says what they are, and loads elsewhere."""

import hashlib
import json
import re
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from petite.errors import PetiteError
from petite.export import MANIFEST_COLUMNS, About, class_folders, export_subset
from petite.files import read_json, write_json, write_table
from petite.ingest import build_index, gather_shards, ingest_shard, make_manifest
from petite.recipes import Settings, render
from petite.sources import Source, listing, open_source
from petite.store import Store, shard_record
from petite.subsets import augmented, subset_table

FORMATS = ["folder", "zip", "npz", "parquet"]
CLASSES = ["Käfer | 甲虫", "a cat", "a-cat"]
# Names that collide once they are made safe, are no images by their suffix, or try to get out.
NAMES = [
    "1 a.jpg",
    "1-a.jpg",
    "1_a.JPEG",
    "no suffix",
    "wrong.png",
    "..hidden..jpg",
    "é'\"$(x).jpg",
]


def write_pictures(folder: Path) -> None:
    random = np.random.default_rng(0)
    for label, name in enumerate(CLASSES):
        (folder / name / "deeper").mkdir(parents=True)
        for place in [*NAMES, "deeper/1 a.jpg"]:
            low = 40 + 60 * label
            pixels = random.integers(low, low + 50, (12, 16, 3)).astype(np.uint8)
            path = folder / name / place.removeprefix("..")
            Image.fromarray(pixels).save(path, "JPEG")
        pixels = random.integers(0, 255, (9, 9, 4)).astype(np.uint8)
        for kind in ("PNG", "WEBP", "BMP", "GIF", "MPO"):
            Image.fromarray(pixels[..., :3]).save(folder / name / f"as {kind}.jpg", kind)


def make_store(folder: Path, source: Source, size: int, channels: int) -> Store:
    entries = listing(source, None, None, 0.1)
    classes = list(dict.fromkeys(entries["class_name"]))
    pixels = folder / "shards/1-of-1.npy"
    rows = ingest_shard(source, entries, pixels, image_size=size, channels=channels)
    index = build_index(
        gather_shards(entries, [rows]),
        classes,
        limit_per_class=None,
        max_bad_share=0.1,
        near_copy_distance=None,
    )
    write_table(folder / "index.parquet", index)
    shards = [shard_record(pixels, folder)]
    write_json(folder / "manifest.json", make_manifest(index, classes, shards, size, channels, {}))
    return Store.open(folder / "manifest.json")


def subset_of(store: Store, augmentation: bool = True) -> pd.DataFrame:
    """Every second image in an order of its own, with weights, and transformed copies."""
    used = store.index[store.index["status"] == "ok"]
    chosen = used.iloc[::2].sample(frac=1, random_state=1)
    ranked = pd.DataFrame(
        {
            "rank": np.arange(len(chosen)),
            "image_id": chosen["image_id"].to_numpy(),
            "weight": 1.0 + np.arange(len(chosen)) % 3,
        }
    )
    table = subset_table(ranked, used[["image_id", "label"]], store.classes)
    return augmented(table, 0, Settings(ratio=0.5)) if augmentation else table


def about(**other: object) -> About:
    values = {
        "dataset": "pets",
        "source": "folder",
        "label": "herding",
        "fraction": 0.5,
        "seed": 0,
        "record": {"method": "herding", "settings": {}, "seconds": 1.25},
        "training_images": 36,
    }
    return About(**(values | other))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory):
    """Pictures in a folder, exported in all formats: the folder, the export, and what it is of."""
    folder = tmp_path_factory.mktemp("export")
    write_pictures(folder / "pictures")
    with open_source("folder", folder / "pictures") as source:
        store = make_store(folder / "store", source, 8, 3)
        subset = subset_of(store)
        out = folder / "out"
        manifest = export_subset(out, subset, about(), store, source, FORMATS)
    return folder / "pictures", out, store, subset, manifest


# ----------------------------------------------------------------------------- names and files


def test_originals_are_written_byte_for_byte_and_copies_as_their_recipes_say(exported) -> None:
    pictures, out, store, subset, manifest = exported
    assert list(manifest.columns) == MANIFEST_COLUMNS
    assert manifest["image_id"].tolist() == subset["image_id"].tolist()
    assert {path.name for path in out.iterdir()} == {
        "README.md", "images", "images.npz", "images.parquet", "images.zip", "manifest.csv",
        "manifest.json",
    }  # fmt: skip
    files = [path for path in (out / "images").rglob("*") if path.is_file()]
    assert {path.relative_to(out / "images").as_posix() for path in files} == set(manifest["file"])
    for _, row in manifest.iterrows():
        data = (out / "images" / row["file"]).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (row["sha256"], row["bytes"])
        if row["recipe"]:
            expected = render(store.images([row["origin"]])[0], row["recipe"])
            assert (np.asarray(Image.open(BytesIO(data))) == expected).all()
        else:
            assert data == (pictures / row["image_id"]).read_bytes()
    assert (manifest["recipe"] != "").sum() == round(0.5 * (manifest["recipe"] == "").sum())


def test_file_names_are_safe_unique_and_end_as_what_they_are(exported) -> None:
    _, out, _, _, manifest = exported
    assert (
        manifest["file"]
        .str.fullmatch(r"[A-Za-z0-9_-]+/[A-Za-z0-9_-]+\.(jpg|png|webp|bmp|gif)")
        .all()
    )
    assert manifest["file"].str.lower().is_unique
    for file in manifest["file"]:
        with Image.open(out / "images" / file) as image:
            kind = {"JPEG": "jpg"}.get(image.format, image.format.lower())
        assert file.endswith(f".{kind}")


def test_class_folders_keep_names_that_are_safe_and_tell_the_others_apart() -> None:
    assert class_folders(["Cat", "Dog"]) == ["Cat", "Dog"]
    assert class_folders(["a cat", "a-cat", "A cat"]) == ["a-cat", "a-cat-1", "A-cat-2"]
    assert class_folders(["甲虫", "..", "nul"]) == ["class-0", "class-1", "nul-2"]
    assert class_folders(["a", "a-2", "A"]) == ["a", "a-2", "A-2-2"]


@given(st.lists(st.text(max_size=8), min_size=1, max_size=8, unique=True))
def test_class_folders_are_safe_and_differ_whatever_the_classes_are_called(classes) -> None:
    folders = class_folders(classes)
    assert len({folder.lower() for folder in folders}) == len(classes)
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", folder) for folder in folders)


def test_images_without_files_are_written_losslessly(tmp_path: Path) -> None:
    with open_source("digits", None) as source:
        store = make_store(tmp_path / "store", source, 8, 1)
        subset = subset_of(store, augmentation=False).iloc[:40]
        manifest = export_subset(
            tmp_path / "out", subset, about(source="digits"), store, source, ["folder"]
        )
        for _, row in manifest.iterrows():
            with Image.open(tmp_path / "out/images" / row["file"]) as image:
                assert image.format == "PNG"
                assert (np.asarray(image) == source.read(row["image_id"])).all()


def test_the_same_subset_gives_the_same_bytes(exported, tmp_path: Path) -> None:
    pictures, out, store, subset, _ = exported
    again = about(record={**about().record, "seconds": 99.0})
    with open_source("folder", pictures) as source:
        export_subset(tmp_path, subset, again, store, source, FORMATS)
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        assert path.read_bytes() == (tmp_path / path.relative_to(out)).read_bytes(), path.name


def test_only_what_is_asked_for_is_left(exported, tmp_path: Path) -> None:
    pictures, out, store, subset, _ = exported
    with open_source("folder", pictures) as source:
        export_subset(tmp_path, subset.iloc[:9], about(), store, source, ["folder", "zip", "npz"])
        export_subset(tmp_path, subset, about(), store, source, ["parquet"])
    assert {path.name for path in tmp_path.iterdir()} == {
        "README.md", "images.parquet", "manifest.csv", "manifest.json"
    }  # fmt: skip
    assert (tmp_path / "images.parquet").read_bytes() == (out / "images.parquet").read_bytes()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.write_bytes(path.read_bytes() + b" "), "has changed since it was read"),
        (lambda path: path.unlink(), "is gone"),
    ],
)
def test_an_original_that_is_not_as_it_was_stops_the_export_and_leaves_nothing(
    exported, tmp_path: Path, spoil, says
) -> None:
    pictures, _, store, subset, _ = exported
    victim = pictures / subset["image_id"].iloc[3]
    before = victim.read_bytes()
    try:
        spoil(victim)
        with open_source("folder", pictures) as source, pytest.raises(PetiteError, match=says):
            export_subset(tmp_path / "out", subset, about(), store, source, FORMATS)
    finally:
        victim.write_bytes(before)
    assert not list((tmp_path / "out").glob("*"))


# ------------------------------------------------------------------------------ what is told


def test_the_manifest_and_the_card_say_what_it_is_and_how_it_was_made(exported) -> None:
    _, out, store, subset, manifest = exported
    written = pd.read_csv(out / "manifest.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(written, manifest, check_dtype=False)
    record = read_json(out / "manifest.json")
    assert (record["method"], record["fraction"], record["seed"]) == ("herding", 0.5, 0)
    assert (record["images"], record["rows"]) == ((subset["recipe"] == "").sum(), len(subset))
    assert record["classes"] == CLASSES
    assert record["class_folders"] == class_folders(CLASSES)
    assert record["store"]["digest"] == store.manifest["digest"]
    assert record["selection"] == {"method": "herding", "settings": {}}
    card = (out / "README.md").read_text(encoding="utf-8")
    assert f"{record['images']} of 36 training images" in card
    for label, name in enumerate(CLASSES):
        count = (subset["label"] == label).sum()
        folder = class_folders(CLASSES)[label]
        assert f"| {label} | {name.replace('|', chr(92) + '|')} | {folder} | {count} |" in card
    assert "weights, 1 to 3" in card
    assert "files are WebP" in card


def test_a_recommended_subset_says_why(exported, tmp_path: Path) -> None:
    pictures, _, store, subset, _ = exported
    with open_source("folder", pictures) as source:
        export_subset(tmp_path, subset, about(why="Keep it: good."), store, source, ["npz"])
    assert "Why this subset: Keep it: good." in (tmp_path / "README.md").read_text()
    assert read_json(tmp_path / "manifest.json")["why"] == "Keep it: good."


# ------------------------------------------------------------------------------ loading it


def test_the_npz_holds_the_pixels_that_were_trained_on_and_no_pickle(exported) -> None:
    _, out, store, subset, _ = exported
    with np.load(out / "images.npz", allow_pickle=False) as kept:
        expected = [
            render(image, recipe)
            for image, recipe in zip(store.images(subset["origin"]), subset["recipe"], strict=True)
        ]
        assert kept["images"].dtype == np.uint8
        assert (kept["images"] == np.stack(expected)).all()
        assert kept["labels"].tolist() == subset["label"].tolist()
        assert kept["weights"].tolist() == subset["weight"].tolist()
        assert kept["image_ids"].tolist() == subset["image_id"].tolist()
        assert kept["class_names"].tolist() == CLASSES


def test_keras_loads_the_folder_as_the_card_says(exported) -> None:
    import keras

    _, out, _, _, manifest = exported
    loaded = keras.utils.image_dataset_from_directory(
        out / "images", class_names=class_folders(CLASSES), image_size=(8, 8), verbose=False,
        shuffle=False, batch_size=None,
    )  # fmt: skip
    seen = manifest[~manifest["file"].str.endswith(".webp")]
    assert loaded.class_names == class_folders(CLASSES)
    labels = [int(label) for _, label in loaded]
    assert np.bincount(labels).tolist() == seen["label"].value_counts().sort_index().tolist()


@pytest.mark.parametrize("from_zip", [False, True])
def test_hugging_face_loads_the_folder_and_the_zip(exported, tmp_path: Path, from_zip) -> None:
    from datasets import ClassLabel, load_dataset
    from datasets import Image as ImageFeature

    _, out, _, _, manifest = exported
    if from_zip:
        out = tmp_path / "unpacked"
        zipfile.ZipFile(exported[1] / "images.zip").extractall(out)
    loaded = load_dataset(
        "imagefolder",
        data_dir=str(out / "images"),
        split="train",
        cache_dir=str(tmp_path / "cache"),
    )
    assert isinstance(loaded.features["image"], ImageFeature)
    assert isinstance(loaded.features["label"], ClassLabel)
    names = [loaded.features["label"].int2str(label) for label in loaded["label"]]
    expected = [class_folders(CLASSES)[label] for label in manifest["label"]]
    assert sorted(names) == sorted(expected)
    assert loaded[0]["image"].size[0] > 0


def test_hugging_face_loads_the_parquet_with_images_labels_and_weights(
    exported, tmp_path: Path
) -> None:
    from datasets import ClassLabel, load_dataset
    from datasets import Image as ImageFeature

    _, out, _, _, manifest = exported
    loaded = load_dataset(
        "parquet", data_files=str(out / "images.parquet"), split="train", cache_dir=str(tmp_path)
    )
    assert isinstance(loaded.features["image"], ImageFeature)
    assert loaded.features["label"] == ClassLabel(names=CLASSES)
    assert loaded["label"] == manifest["label"].tolist()
    assert loaded["weight"] == manifest["weight"].tolist()
    assert loaded["image_id"] == manifest["image_id"].tolist()
    for row, file in zip(loaded, manifest["file"], strict=True):
        with Image.open(out / "images" / file) as image:
            assert (np.asarray(row["image"]) == np.asarray(image)).all()


def test_the_zip_holds_the_folder_the_manifest_and_the_card(exported) -> None:
    _, out, _, _, manifest = exported
    with zipfile.ZipFile(out / "images.zip") as archive:
        assert archive.testzip() is None
        names = [f"images/{file}" for file in manifest["file"]]
        assert archive.namelist() == ["README.md", "manifest.csv", "manifest.json", *names]
        for file in manifest["file"]:
            assert archive.read(f"images/{file}") == (out / "images" / file).read_bytes()
        assert json.loads(archive.read("manifest.json"))["rows"] == len(manifest)
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
