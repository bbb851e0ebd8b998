"""An exported subset holds its images unchanged, says what they are, and loads elsewhere."""

import contextlib
import hashlib
import importlib.util
import json
import re
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from petite.data.ingest import build_index, gather_shards, ingest_shard, make_manifest
from petite.data.sources import Source, listing, open_source
from petite.data.store import Store, shard_record
from petite.export import MANIFEST_COLUMNS, About, class_folders, export_subset
from petite.export.card import data_card
from petite.subsets.augmentation import Settings, render
from petite.subsets.tables import augmented, subset_table
from petite.util.errors import PetiteError
from petite.util.files import read_json, write_json, write_table

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


def make_store(
    folder: Path, source: Source, size: int, channels: int, classes: list[str] | None = None
) -> Store:
    entries = listing(source, classes, None, 0.1)
    classes = classes or list(dict.fromkeys(entries["class_name"]))
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
    assert class_folders(["a cat", "a-cat"]) == ["a-cat", "a-cat-1"]
    assert class_folders(["甲虫", "..", "nul"]) == ["class-0", "class-1", "nul-2"]
    assert class_folders(["__pycache__", "_"]) == ["0-pycache", "1-class"]


def test_class_folders_begin_with_the_label_where_their_names_are_in_another_order() -> None:
    assert class_folders(["dog", "cat"]) == ["0-dog", "1-cat"]
    assert class_folders(["B", "a"]) == ["0-B", "1-a"]
    assert class_folders([str(month) for month in range(1, 11)])[::9] == ["0-1", "9-10"]
    assert class_folders([f"{n}-x" for n in range(12)])[2::8] == ["02-2-x", "10-10-x"]


@given(st.lists(st.text(max_size=8), min_size=1, max_size=30, unique=True))
def test_class_folders_are_safe_differ_and_sort_as_the_labels(classes) -> None:
    folders = class_folders(classes)
    assert len({folder.lower() for folder in folders}) == len(classes)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", folder) for folder in folders)
    assert folders == sorted(folders) == sorted(folders, key=str.lower)


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


def test_only_the_requested_formats_are_left(exported, tmp_path: Path) -> None:
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
        (lambda path: path.write_bytes(path.read_bytes() + b" "), "changed"),
        (lambda path: path.unlink(), "gone"),
    ],
)
def test_a_changed_or_missing_original_stops_the_export_and_leaves_nothing(
    exported, tmp_path: Path, spoil, says
) -> None:
    pictures, _, store, subset, _ = exported
    victim = pictures / subset["image_id"].iloc[3]
    before = victim.read_bytes()
    try:
        spoil(victim)
        with (
            open_source("folder", pictures) as source,
            pytest.raises(PetiteError, match=rf"{re.escape(victim.name)}.* {says}"),
        ):
            export_subset(tmp_path / "out", subset, about(), store, source, FORMATS)
    finally:
        victim.write_bytes(before)
    assert not list((tmp_path / "out").glob("*"))


# ------------------------------------------------------------------------ manifest and card


def loading_lines(card: str) -> list[str]:
    """The pieces of Python of a card."""
    return re.findall(r"^```python\n(.*?)^```", card, re.DOTALL | re.MULTILINE)


def read_csv_as_the_card_says(out: Path) -> pd.DataFrame:
    names: dict[str, Any] = {}
    with contextlib.chdir(out):
        exec(loading_lines((out / "README.md").read_text(encoding="utf-8"))[0], names)
    return names["manifest"]


def test_the_manifest_and_the_card_say_what_it_is_and_how_it_was_made(exported) -> None:
    _, out, store, subset, manifest = exported
    written = read_csv_as_the_card_says(out)
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
    for library, suffix in (("Keras", ".webp"), ("torchvision", ".gif")):
        count = manifest["file"].str.endswith(suffix).sum()
        assert re.search(rf"{library} .* {count} files? .*\({suffix}\)", card)


def test_a_recommended_subset_says_why(exported, tmp_path: Path) -> None:
    pictures, _, store, subset, _ = exported
    with open_source("folder", pictures) as source:
        export_subset(tmp_path, subset, about(why="Keep it: good."), store, source, ["npz"])
    assert "Why this subset: Keep it: good." in (tmp_path / "README.md").read_text()
    assert read_json(tmp_path / "manifest.json")["why"] == "Keep it: good."


def test_the_card_says_how_many_images_leak_into_the_other_parts(exported) -> None:
    _, _, store, _, manifest = exported
    assert "can still evaluate" in data_card(about(), manifest, store, ["npz"])
    card = data_card(about(leaked=3), manifest, store, ["npz"])
    assert "can still evaluate" not in card
    assert "3 images" in card and "split.leaks" in card


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


# Names in an order of one's own, or that some program sorts, splits or takes for something else.
CLASS_NAMES = {
    "an order of one's own": ["dog", "cat", "bird"],
    "numbers": [str(month) for month in range(1, 13)],
    "leading zeros": ["010", "02", "3"],
    "capitals": ["apple", "Banana", "Cherry", "apricot"],
    "accents": ["éclair", "éclat", "zebra", "Äpfel"],
    "splits": ["train", "test", "val", "dev-1", "evaluation"],
    "of one split": ["crash-test", "test drive"],
    "words of YAML and pandas": ["no", "yes", "true", "None", "nan", "NA", "null"],
    "numbers in disguise": ["1e3", "0x10", "1_000", "1.0", "-1", "007"],
    "dots and spaces": [" a b", "a.b", "a..b", "v1.0", "trailing "],
    "quotes": ["it's", 'say "so"', "back\\slash", "a,b", "a|b", "a`b", "{images}", "{folders}"],
    "hidden": ["_private", "__special__", "-minus", "~home", "#hash"],
    "not in ASCII": ["猫", "狗", "🐦 bird", "مرحبا"],
    "of a device": ["nul", "con", "aux"],
    "long": ["x" * 120 + "b", "x" * 120 + "a"],
}


@pytest.fixture(scope="module", params=CLASS_NAMES)
def named(request, tmp_path_factory: pytest.TempPathFactory):
    """Classes of these names, one image in the first, in all formats: folder, manifest, names.

    The class of an image follows from its pixels, which are 20 times its label.
    """
    folder = tmp_path_factory.mktemp("named")
    classes = CLASS_NAMES[request.param]
    for label, name in enumerate(classes):
        (folder / "pictures" / name).mkdir(parents=True)
        for number in range(1 if label == 0 else 3):
            # Names by which some programs would divide them into splits.
            stem = ["train_1", "cat.test.2", "validation 3"][number]
            path = folder / "pictures" / name / f"{stem}.png"
            Image.new("RGB", (9, 9), (20 * label, number, 0)).save(path)
    with open_source("folder", folder / "pictures") as source:
        store = make_store(folder / "store", source, 8, 3, classes)
        used = store.index[store.index["status"] == "ok"]
        ranked = pd.DataFrame(
            {"rank": np.arange(len(used)), "image_id": used["image_id"].to_numpy(), "weight": 1.0}
        )
        subset = subset_table(
            ranked.sample(frac=1, random_state=0), used[["image_id", "label"]], store.classes
        )
        manifest = export_subset(folder / "out", subset, about(), store, source, FORMATS)
    return folder / "out", manifest, store.classes


def labels_and_pixels(loaded: Any) -> list[tuple[int, int]]:
    """The label and the first pixel's red of every image that a card's code has loaded."""
    if isinstance(loaded, np.lib.npyio.NpzFile):
        return list(
            zip(loaded["labels"].tolist(), loaded["images"][:, 0, 0, 0].tolist(), strict=True)
        )
    if hasattr(loaded, "features"):  # of datasets
        return [(row["label"], np.asarray(row["image"])[0, 0, 0]) for row in loaded]
    if hasattr(loaded, "class_to_idx"):  # of torchvision
        return [(label, np.asarray(image)[0, 0, 0]) for image, label in loaded]
    return [  # of Keras: batches, resized
        (int(label), round(float(image[0, 0, 0])))
        for images, labels in loaded
        for image, label in zip(images, labels, strict=True)
    ]


def test_every_way_that_the_card_names_gives_the_labels_of_the_card(
    named, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out, manifest, classes = named
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path)
    monkeypatch.chdir(out)
    expected = sorted((label, 20 * label) for label in manifest["label"])
    loaded_by = []
    names: dict[str, Any] = {}
    for code in loading_lines(Path("README.md").read_text(encoding="utf-8")):
        library = re.search(r"^(?:import|from) (\w+)", code)[1]
        if importlib.util.find_spec(library) is None:
            assert library == "torchvision"
            continue
        exec(code, names)
        if library not in ("pandas", "zipfile"):
            loaded = names["kept" if library == "numpy" else "images"]
            assert sorted(labels_and_pixels(loaded)) == expected, code
            loaded_by.append(library)
    assert sorted(set(loaded_by) - {"torchvision"}) == ["datasets", "keras", "numpy"]
    assert len(loaded_by) >= 6
    assert names["manifest"]["class_name"].tolist() == manifest["class_name"].tolist()
    assert names["manifest"]["image_id"].tolist() == manifest["image_id"].tolist()
    assert names["kept"]["class_names"].tolist() == classes
    assert read_json(Path("manifest.json"))["classes"] == classes


# But for classes that are called as splits are, which the card's line sees to.
@pytest.mark.parametrize(
    "named", [key for key in CLASS_NAMES if key not in ("splits", "of one split")], indirect=True
)
def test_names_of_files_do_not_divide_a_folder_into_splits(named, tmp_path: Path) -> None:
    from datasets import load_dataset

    out, manifest, _ = named
    loaded = load_dataset("imagefolder", data_dir=str(out / "images"), cache_dir=str(tmp_path))
    assert set(loaded) == {"train"}
    assert sorted(loaded["train"]["label"]) == sorted(manifest["label"])


def test_programs_that_number_folders_by_name_find_the_labels_too(named) -> None:
    out, manifest, classes = named
    # As torchvision's ImageFolder, fastai and Hugging Face's hub do.
    folders = sorted(path.name for path in (out / "images").iterdir())
    assert folders == class_folders(classes)
    assert [folders.index(Path(file).parts[0]) for file in manifest["file"]] == list(
        manifest["label"]
    )


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
