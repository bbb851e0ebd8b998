"""Exported soft labels: those that the judge trained on, in every format, and their bytes."""

import re
import sys
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from encoded_pictures import SIDE, encoded
from test_export_encoded import (
    ENCODINGS,
    FORMATS,
    Pictures,
    about,
    bytes_below,
    check_same_results,
    in_order,
    pictures,  # noqa: F401
)

from petite.data.encoded import EncodedImages
from petite.data.splits import training_images
from petite.export import export_subset
from petite.export.read_container import read_container, read_soft_labels
from petite.networks.backend import load_keras
from petite.subsets.augmentation import Settings, render
from petite.subsets.seed_tables import tables_of, write_seed_tables
from petite.subsets.tables import augmented
from petite.training.augment import Augmentation
from petite.training.batches import SoftTargets, Views
from petite.training.loop import ScratchTrainer
from petite.training.records import Job
from petite.training.scratch import Data, Outputs, check_settings, run_job
from petite.training.soft_labels import SoftLabels, TeacherRecord
from petite.util.files import read_json

keras = load_keras("tensorflow", 1)

AUGMENTATION = Augmentation(flips="random", crop_padding=0.125, brightness=0.3)
ENCODING = ENCODINGS[0]


class Exported(NamedTuple):
    """An export of images with copies and soft labels, in all formats."""

    out: Path
    subset: pd.DataFrame
    images: EncodedImages
    manifest: pd.DataFrame
    soft: SoftLabels


def labels_of(split: pd.DataFrame, views: int) -> SoftLabels:
    ids = training_images(split)["image_id"].to_numpy(dtype=str)
    drawn = np.random.default_rng(0).dirichlet([1, 1], (len(ids), max(views, 1)))
    teacher = TeacherRecord([1_000_000, 1_000_001], len(ids), 2.5, 0.9)
    return SoftLabels(
        ids, drawn.astype(np.float16), views, 2.0 if views else 1.0, teacher, AUGMENTATION
    )


@pytest.fixture(scope="module", params=[0, 3])
def exported(
    request: pytest.FixtureRequest,
    pictures: Pictures,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Exported:
    folder = tmp_path_factory.mktemp("soft")
    soft = labels_of(pictures.split, request.param)
    subset = augmented(pictures.subset, 0, Settings(ratio=0.5))
    _, table = encoded(pictures.folder, folder / "encodings", ENCODING)
    images = EncodedImages(ENCODING.name, pictures.store, [table])
    manifest = export_subset(
        *(folder / "out", subset, about(ENCODING), pictures.store, None, FORMATS, images), soft=soft
    )
    return Exported(folder / "out", subset, images, manifest, soft)


def test_every_format_has_the_labels_and_the_views_that_the_judge_trains_on(
    exported: Exported, tmp_path: Path
) -> None:
    from datasets import load_dataset

    out, subset, _, manifest, soft = exported
    expected, views = soft.targets(subset)
    with np.load(out / "soft_labels.npz", allow_pickle=False) as found:
        assert found["probabilities"].dtype == np.float16
        assert (found["probabilities"] == expected).all()
        assert ("views" in found) == (views is not None)
        assert views is None or (found["views"] == views.drawn).all()
    loaded = load_dataset(
        "parquet", data_files=str(out / "images.parquet"), split="train", cache_dir=str(tmp_path)
    )
    assert loaded["image_id"] == manifest["image_id"].tolist()
    assert (np.array(loaded["soft_labels"]) == expected).all()
    assert views is None or (np.array(loaded["soft_views"]) == views.drawn).all()
    read = read_soft_labels(out / "container")
    np.testing.assert_allclose(
        in_order(manifest, read["probabilities"]), expected.astype(float), atol=1e-3
    )
    np.testing.assert_allclose(read["probabilities"].sum(axis=2), 1, atol=1e-6)
    assert views is None or (in_order(manifest, read["views"]) == views.drawn).all()
    with zipfile.ZipFile(out / "images.zip") as archive:
        assert archive.read("soft_labels.npz") == (out / "soft_labels.npz").read_bytes()
        assert ("soft_views.py" in archive.namelist()) == (views is not None)


def test_their_bytes_on_disk_are_those_that_the_run_counted(exported: Exported) -> None:
    out, subset, images, _, soft = exported
    [promised] = images.columns([subset], soft.stored)["bytes"]
    record = read_json(out / "manifest.json")
    assert bytes_below(out / "container") == promised == record["bytes"]
    [of_labels] = soft.columns([subset])["soft_label_bytes"]
    files = [*(out / "container").glob("soft_*")]
    assert sum(path.stat().st_size for path in files) == of_labels
    assert len(files) == (2 if soft.views else 1)
    assert record["soft_labels"]["bytes_per_image"] * record["images"] == of_labels
    card = (out / "README.md").read_text("utf-8")
    assert f"{of_labels:,} bytes of soft labels" in card and f"{promised:,} bytes" in card
    assert "2 networks trained on all 24 training images" in card


def test_training_on_the_export_gives_the_accuracy_of_the_run(
    exported: Exported,
    pictures: Pictures,  # noqa: F811
    tmp_path: Path,
) -> None:
    out, subset, images, manifest, soft = exported
    settings = check_settings(
        {
            "compact": {"widths": [8, 16], "halvings": [1], "residual_blocks": [0]},
            "budget": {"steps": 12},
            "batch_size": 8,
            "evaluations": 1,
            "label_smoothing": 0.0,
            "flips": AUGMENTATION.flips,
            "crop_padding": AUGMENTATION.crop_padding,
            "brightness": AUGMENTATION.brightness,
        }
    )
    trainer = ScratchTrainer(
        *(SIDE, 3, pictures.store.classes, settings), temperature=soft.temperature
    )
    record = {"images": len(manifest), "rows": len(manifest), "seed": 0, "seconds": 0.0}
    record |= {"proxy_seconds": 0.0, "stored_bytes": 1}
    write_seed_tables(tmp_path / "subset.parquet", [(subset, record)])
    outputs = Outputs(*(tmp_path / name for name in ("a.csv", "b.csv", "c.npz", "models")))
    tables = tables_of([tmp_path / "subset.parquet"], [3])
    job = Job("scratch_soft", "pets", f"random@{ENCODING.name}", 0.5, 0, [3], tables)
    run_job(job, Data(pictures.store, pictures.split, images, soft), trainer, outputs)
    run = pd.read_csv(outputs.runs).iloc[0]
    assert run["bytes"] == bytes_below(out / "container")

    read = read_container(out / "container", SIDE, render=render)
    pixels, labels, weights = (
        in_order(manifest, values) for values in (read.images, read.labels, read.weights)
    )
    found = np.load(out / "soft_labels.npz")
    views = Views(found["views"], AUGMENTATION) if soft.views else None
    targets = SoftTargets(found["probabilities"], views)
    trained = trainer.train(pixels, labels, pixels[:0], labels[:0], 3, weights, soft=targets)
    check_same_results(trained, pictures, settings.test_time_flip, run)


def test_the_lines_of_the_card_train_a_model_of_keras_on_them(
    exported: Exported, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out, subset, _, manifest, soft = exported
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path)
    monkeypatch.chdir(out)
    monkeypatch.setattr(sys, "path", [str(out), *sys.path])
    for module in ("read_container", "soft_views"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    card = (out / "README.md").read_text("utf-8")
    names: dict[str, Any] = {}
    loaded = []
    for code in re.findall(r"^```python\n(.*?)^```", card, re.DOTALL | re.MULTILINE):
        if "torchvision" not in code:
            exec(code, names)
        if code.splitlines()[1].startswith("soft = "):
            loaded.append(names["soft"])
    expected = soft.targets(subset)
    of_file, of_container = loaded
    assert (of_file["probabilities"] == expected.probabilities).all()
    pixels, rows = names["kept"]["images"], np.arange(len(subset))
    for view in range(soft.views):
        seen = names["soft_view"](pixels, of_file["views"][:, view], 0.125, 0.3)
        assert (seen == expected.views.render(pixels, rows, np.full(len(rows), view))).all()

    read = read_container("container", SIDE, render=render)
    weights = manifest["weight"].to_numpy()
    for images, labels, weight in (
        (pixels, of_file, weights),
        (read.images, of_container, read.weights),
    ):
        keras.utils.set_random_seed(0)
        last = [] if soft.temperature != 1 else [keras.layers.Softmax()]
        layers = [keras.layers.Flatten(), keras.layers.Rescaling(1 / 255), keras.layers.Dense(2)]
        model = keras.Sequential([*layers, *last])
        loss = names["loss"] if soft.temperature != 1 else "categorical_crossentropy"
        model.compile(keras.optimizers.Adam(0.01), loss)
        targets = np.asarray(labels["probabilities"][:, 0], np.float32)
        first = model.evaluate(images, targets, verbose=0)
        names["fit"](model, images, labels, 40, sample_weight=weight, verbose=0)
        assert model.evaluate(images, targets, verbose=0) < first


def test_an_export_on_hard_labels_leaves_no_soft_ones_of_an_earlier_export(
    exported: Exported,
    pictures: Pictures,  # noqa: F811
    tmp_path: Path,
) -> None:
    _, subset, images, _, soft = exported
    arguments = subset, about(ENCODING), pictures.store, None, ["npz", "container"], images
    export_subset(tmp_path, *arguments, soft=soft)
    export_subset(tmp_path, *arguments)
    assert not list(tmp_path.rglob("soft_*"))
    assert read_json(tmp_path / "manifest.json")["soft_labels"] is None
    with pytest.raises(ValueError, match="no soft labels"):
        read_soft_labels(tmp_path / "container")


def test_a_cut_file_of_soft_labels_is_refused(
    exported: Exported,
    pictures: Pictures,  # noqa: F811
    tmp_path: Path,
) -> None:
    _, subset, images, _, soft = exported
    arguments = subset, about(ENCODING), pictures.store, None, ["container"], images
    export_subset(tmp_path, *arguments, soft=soft)
    for path in (tmp_path / "container").glob("soft_*"):
        whole = path.read_bytes()
        path.write_bytes(whole[:-2])
        with pytest.raises(ValueError, match=path.name):
            read_soft_labels(tmp_path / "container")
        path.write_bytes(whole)
