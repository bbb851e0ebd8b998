"""Exported encoded images: their bytes, and what training on them gives, are those of the run."""

import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from encoded_pictures import SIDE, encoded, stored, write_smooth

from petite.data.encode import Encoding
from petite.data.encoded import EncodedImages
from petite.data.splits import test_images as images_to_test
from petite.data.store import Store
from petite.export import About, export_subset
from petite.export.read_container import read_container
from petite.networks.backend import load_keras
from petite.subsets.augmentation import Settings, render, render_subset
from petite.subsets.seed_tables import tables_of, write_seed_tables
from petite.subsets.tables import augmented, subset_table
from petite.training import metrics
from petite.training.loop import ScratchTrainer, TrainedRun, predict
from petite.training.records import Job
from petite.training.scratch import Data, Outputs, check_settings, run_job
from petite.util.files import read_json

keras = load_keras("tensorflow", 1)

FORMATS = ["folder", "zip", "npz", "parquet", "container"]
# Petite scales larger JPEGs while it decodes them, which Pillow alone does otherwise.
ENCODINGS = [Encoding(24, "webp", 30), Encoding(24, "avif", 30), Encoding(SIDE, "jpeg", 30)]
COUNT, TESTED = 40, 16


class Pictures(NamedTuple):
    """Pictures of two classes, of which the last ones are for the test, and half are kept."""

    folder: Path
    store: Store
    split: pd.DataFrame
    subset: pd.DataFrame


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    folder = tmp_path_factory.mktemp("pictures")
    write_smooth(folder / "images", COUNT)
    store = stored(folder / "images", folder / "store")
    images = store.index[["image_id", "label"]].sample(frac=1, random_state=0)
    split = images.assign(split=["test"] * TESTED + ["train"] * (COUNT - TESTED))
    ranked = split[split["split"] == "train"].iloc[::2][["image_id"]]
    ranked = ranked.assign(rank=np.arange(len(ranked)), weight=1.0 + np.arange(len(ranked)) % 3)
    return Pictures(folder / "images", store, split, subset_table(ranked, images, store.classes))


def about(encoding: Encoding) -> About:
    return About("pets", "folder", f"random@{encoding.name}", 0.5, 0, {}, COUNT - TESTED)


class Exported(NamedTuple):
    """An export in all formats."""

    out: Path
    encoding: Encoding
    images: EncodedImages
    manifest: pd.DataFrame


def export(pictures: Pictures, folder: Path, encoding: Encoding, subset: pd.DataFrame) -> Exported:
    _, table = encoded(pictures.folder, folder / "encodings", encoding)
    images = EncodedImages(encoding.name, pictures.store, [table])
    # Neither the originals nor their source are needed.
    manifest = export_subset(
        folder / "out", subset, about(encoding), pictures.store, None, FORMATS, images
    )
    return Exported(folder / "out", encoding, images, manifest)


@pytest.fixture(scope="module", params=ENCODINGS, ids=lambda encoding: encoding.codec)
def exported(
    request: pytest.FixtureRequest, pictures: Pictures, tmp_path_factory: pytest.TempPathFactory
) -> Exported:
    folder = tmp_path_factory.mktemp("export")
    return export(pictures, folder, request.param, pictures.subset)


def bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def in_order(manifest: pd.DataFrame, of_container: np.ndarray) -> np.ndarray:
    """What a container holds class by class, in the order of the manifest."""
    placed = np.lexsort((manifest["recipe"] != "", manifest["label"]))
    ordered = np.empty_like(of_container)
    ordered[placed] = of_container
    return ordered


def check_same_results(
    trained: TrainedRun, pictures: Pictures, test_time_flip: bool, run: pd.Series
) -> None:
    """A training on an export gives the results of a row of runs.csv."""
    test = images_to_test(pictures.store, pictures.split)
    predicted = predict(trained.logits_model, test.images, np.arange(TESTED), test_time_flip)
    measured = metrics.evaluate(predicted, test.labels)
    assert measured["accuracy"] == run["accuracy"]
    assert measured["loss"] == pytest.approx(run["loss"], rel=1e-12)


def test_a_container_has_the_bytes_that_the_run_counted_and_other_formats_the_same_images(
    exported: Exported, pictures: Pictures
) -> None:
    out, _, images, manifest = exported
    [promised] = images.columns([pictures.subset])["bytes"]
    assert bytes_below(out / "container") == promised == read_json(out / "manifest.json")["bytes"]
    assert f"{promised:,} bytes" in (out / "README.md").read_text(encoding="utf-8")
    assert bytes_below(out / "images") == manifest["bytes"].sum()
    table = pd.read_parquet(out / "images.parquet")
    for label in (0, 1):
        of_class = [
            (out / "images" / file).read_bytes()
            for file in manifest.loc[manifest["label"] == label, "file"]
        ]
        assert (out / f"container/{label}.images").read_bytes() == b"".join(of_class)
        rows = table[table["label"] == label]
        assert [row["bytes"] for row in rows["image"]] == of_class


def test_all_formats_decode_to_the_pixels_that_the_judges_saw(
    exported: Exported, pictures: Pictures
) -> None:
    out, _, images, manifest = exported
    seen = images.store.images(pictures.subset["image_id"])
    read = read_container(out / "container", SIDE)
    assert (in_order(manifest, read.images) == seen).all()
    assert in_order(manifest, read.labels).tolist() == pictures.subset["label"].tolist()
    assert in_order(manifest, read.weights).tolist() == pictures.subset["weight"].tolist()
    assert read.class_names == pictures.store.classes
    with np.load(out / "images.npz") as kept:
        assert (kept["images"] == seen).all()


def test_the_lines_of_the_card_load_every_format(
    exported: Exported, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out, encoding, images, manifest = exported
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path)
    monkeypatch.chdir(out)
    monkeypatch.setattr(sys, "path", [str(out), *sys.path])
    monkeypatch.delitem(sys.modules, "read_container", raising=False)
    seen = images.store.images(manifest["image_id"]).astype(int)
    loaded_by = []
    card = (out / "README.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for code in re.findall(r"^```python\n(.*?)^```", card, re.DOTALL | re.MULTILINE):
        library = re.search(r"^(?:import|from) (\w+)", code)[1]
        if library == "torchvision":
            continue
        exec(code, names)
        found, labels = names.get("images"), names.get("labels")
        if library in ("read_container", "PIL"):
            if library == "read_container":
                found, labels = in_order(manifest, found), in_order(manifest, labels)
            # Pillow's own resampling is another one.
            assert np.abs(found.astype(int) - seen).mean() < (0.01 if library != "PIL" else 3)
            assert labels.tolist() == manifest["label"].tolist()
        elif library in ("datasets", "keras"):
            rows = (
                [row["label"] for row in found]
                if library == "datasets"
                else [int(label) for _, batch in found for label in batch]
            )
            assert sorted(rows) == sorted(manifest["label"])
        loaded_by.append(library)
    read_from_folders = {
        "webp": {"PIL", "datasets"},
        "avif": {"PIL"},
        "jpeg": {"keras", "datasets"},
    }
    for library in ("PIL", "keras"):
        assert loaded_by.count(library) == 2 * (library in read_from_folders[encoding.codec])
    # The table too.
    assert loaded_by.count("datasets") == 1 + 2 * ("datasets" in read_from_folders[encoding.codec])
    assert "read_container" in loaded_by
    assert ("Keras ignores" in card) == (encoding.codec != "jpeg")
    assert "originals" not in card


def test_training_on_the_export_gives_the_accuracy_of_the_run(
    exported: Exported, pictures: Pictures, tmp_path: Path
) -> None:
    out, encoding, images, manifest = exported
    settings = check_settings(
        {
            "compact": {"widths": [8, 16], "halvings": [1], "residual_blocks": [0]},
            "budget": {"steps": 12},
            "batch_size": 8,
            "evaluations": 1,
        }
    )
    trainer = ScratchTrainer(SIDE, 3, pictures.store.classes, settings)
    record = {"images": len(manifest), "rows": len(manifest), "seed": 0, "seconds": 0.0}
    record |= {"proxy_seconds": 0.0, "stored_bytes": 1}
    write_seed_tables(tmp_path / "subset.parquet", [(pictures.subset, record)])
    outputs = Outputs(*(tmp_path / name for name in ("a.csv", "b.csv", "c.npz", "models")))
    job = Job(
        "scratch",
        "pets",
        f"random@{encoding.name}",
        0.5,
        0,
        [3],
        tables_of([tmp_path / "subset.parquet"], [3]),
    )
    run_job(job, Data(pictures.store, pictures.split, images), trainer, outputs)
    run = pd.read_csv(outputs.runs).iloc[0]

    read = read_container(out / "container", SIDE)
    pixels, labels, weights = (
        in_order(manifest, values) for values in (read.images, read.labels, read.weights)
    )
    trained = trainer.train(pixels, labels, pixels[:0], labels[:0], 3, weights)
    check_same_results(trained, pictures, settings.test_time_flip, run)
    assert run["bytes"] == bytes_below(out / "container")


def test_copies_are_exported_as_recipes_and_rendered_again(
    pictures: Pictures, tmp_path: Path
) -> None:
    subset = augmented(pictures.subset, 0, Settings(ratio=0.5))
    out, _, images, manifest = export(pictures, tmp_path, ENCODINGS[0], subset)
    columns = images.columns([subset, pictures.subset])
    assert bytes_below(out / "container") == columns["bytes"][0]
    # A recipe is some dozens of bytes, and a copy as an image would be hundreds.
    per_copy = np.subtract(*columns["bytes"]) / (subset["recipe"] != "").sum()
    assert 20 < per_copy < 80
    assert np.subtract(*columns["original_bytes"]) == np.subtract(*columns["bytes"])
    seen = render_subset(images.store.images(subset["origin"]), subset["recipe"].tolist())
    read = read_container(out / "container", SIDE, render=render)
    assert (in_order(manifest, read.images) == seen).all()
    assert in_order(manifest, read.weights).tolist() == subset["weight"].tolist()
    with pytest.raises(ValueError, match="render"):
        read_container(out / "container", SIDE)


def test_a_cut_container_is_refused(pictures: Pictures, tmp_path: Path) -> None:
    out = export(pictures, tmp_path, ENCODINGS[0], pictures.subset).out
    images = out / "container/1.images"
    images.write_bytes(images.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"1\.images"):
        read_container(out / "container", SIDE)


def test_formats_of_an_earlier_export_are_removed(pictures: Pictures, tmp_path: Path) -> None:
    out, encoding, images, _ = export(pictures, tmp_path, ENCODINGS[0], pictures.subset)
    arguments = pictures.subset, about(encoding), pictures.store, None
    export_subset(out, *arguments, ["parquet"], images)
    assert {path.name for path in out.iterdir()} == {
        "README.md", "images.parquet", "manifest.csv", "manifest.json"
    }  # fmt: skip
