"""A whole training job on a small real store: the files it writes, and what it refuses."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from loaded_python import LoadedPython
from PIL import Image

from petite.data.store import Store, shard_record, write_shard
from petite.networks.backend import load_keras
from petite.subsets.made_tables import made_table
from petite.subsets.seed_tables import SeedTable, tables_of, write_seed_tables
from petite.subsets.synthetic import Crop, mosaic_recipe
from petite.training import metrics
from petite.training.loop import ScratchTrainer
from petite.training.records import HISTORY_COLUMNS, RUN_COLUMNS, Job
from petite.training.scratch import (
    Data,
    Outputs,
    check_settings,
    run_job,
)
from petite.util.errors import PetiteError
from petite.util.files import read_json, write_json, write_table

# As the script does: before anything else imports Keras with other kernels and more threads.
keras = load_keras("tensorflow", 1)

TRAIN_SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "train.py"
CLASSES = ["dark", "light"]
SETTINGS: dict[str, Any] = {
    "compact": {"widths": [8, 16], "halvings": [1], "residual_blocks": [0]},
    "budget": {"steps": 5},
    "batch_size": 8,
    "evaluations": 2,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root: Path = tmp_path_factory.mktemp("results")
    write_small_store(root)
    return root


def write_small_store(root: Path) -> None:
    """A store of 60 images of 10x10 in two shards, their split, and two subsets."""
    random = np.random.default_rng(0)
    labels = np.arange(60) % 2
    images = random.integers(0, 150, (60, 10, 10, 1)) + 100 * labels[:, None, None, None]
    for number in (1, 2):
        write_shard(
            root / f"store/shards/{number}-of-2.npy",
            images[(number - 1) * 30 : number * 30].astype(np.uint8),
        )
    index = pd.DataFrame(
        {
            "image_id": [f"{CLASSES[label]}/{row}" for row, label in enumerate(labels)],
            "label": labels.astype(np.int16),
            "status": "ok",
            "shard": np.repeat([0, 1], 30).astype(np.int32),
            "row": np.tile(np.arange(30), 2),
        }
    )
    write_table(root / "store/index.parquet", index)
    shards = [
        shard_record(root / f"store/shards/{number}-of-2.npy", root / "store") for number in (1, 2)
    ]
    write_json(
        root / "store/manifest.json",
        {"format": 1, "classes": CLASSES, "image_size": 10, "channels": 1, "shards": shards},
    )
    parts = np.repeat(["train", "validation", "test"], [40, 8, 12])
    write_table(root / "split.parquet", index[["image_id", "label"]].assign(split=parts))
    write_subset(root / "seed-0.parquet", index.iloc[:12], seed=0)
    write_subset(root / "seed-1.parquet", index.iloc[12:20], seed=1, recipe="horizontal_flip")


def write_subset(path: Path, rows: pd.DataFrame, seed: int, recipe: str | None = None) -> None:
    """A subset of these rows; with `recipe`, one more row for each, transformed."""
    subset = rows[["image_id", "label"]].assign(origin=rows["image_id"], recipe="", weight=1.0)
    if recipe:
        text = json.dumps({"transform": recipe})
        new = subset.assign(image_id=subset["image_id"] + "~0", recipe=text)
        subset = pd.concat([subset, new], ignore_index=True)
    about = {"images": len(rows), "rows": len(subset), "seed": seed}
    about |= {"stored_bytes": 1234, "seconds": 0.25, "proxy_seconds": 0.2}
    write_seed_tables(path, [(subset, about)])


def outputs(folder: Path) -> Outputs:
    return Outputs(
        runs=folder / "runs.csv",
        history=folder / "runs.history.csv",
        predictions=folder / "runs.predictions.npz",
        models=folder / "models",
    )


def job(folder: Path, **changes: Any) -> Job:
    paths = changes.pop("subsets", [folder / "seed-0.parquet", folder / "seed-1.parquet"])
    about = {
        "judge": "scratch",
        "dataset": "shades",
        "method": "random",
        "fraction": 0.3,
        "split_seed": 0,
    }
    seeds = changes.pop("seeds", [0, 1])
    return Job(**{**about, "seeds": seeds, "subsets": tables_of(paths, seeds), **changes})


def data(folder: Path) -> Data:
    return Data(
        Store.open(folder / "store/manifest.json"), pd.read_parquet(folder / "split.parquet")
    )


def trainer(folder: Path, changes: dict[str, Any] | None = None) -> ScratchTrainer:
    store = Store.open(folder / "store/manifest.json")
    size, _, channels = store.shape
    settings = check_settings({**SETTINGS, **(changes or {})})
    return ScratchTrainer(size, channels, list(store.classes), settings)


@pytest.fixture(scope="module")
def done(folder: Path, loaded_steps: LoadedPython) -> Outputs:
    """The files that the script made of two seeds."""
    return train_by_script(folder, folder / "script", loaded_steps.command)


def train_by_script(folder: Path, to: Path, python: Sequence[str] = (sys.executable,)) -> Outputs:
    """Train two seeds as the workflow does, in a process of its own."""
    written = outputs(to)
    arguments: dict[str, Any] = {
        "--manifest": folder / "store/manifest.json",
        "--split": folder / "split.parquet",
        "--judge": "scratch",
        "--dataset": "shades",
        "--method": "random",
        "--fraction": 0.3,
        "--split-seed": 0,
        "--output-runs": written.runs,
        "--output-history": written.history,
        "--output-predictions": written.predictions,
        "--output-models": written.models,
        "--settings": json.dumps(SETTINGS),
        "--log": to / "train.log",
    }
    command = [*python, str(TRAIN_SCRIPT)]
    command += [str(text) for pair in arguments.items() for text in pair]
    command += ["--subset", str(folder / "seed-0.parquet"), str(folder / "seed-1.parquet")]
    command += ["--seeds", "0", "1"]
    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert "test accuracy" in (to / "train.log").read_text()
    return written


def test_a_row_for_each_seed_says_what_was_trained(done: Outputs) -> None:
    runs = pd.read_csv(done.runs)
    assert list(runs.columns) == RUN_COLUMNS
    assert runs["training_seed"].tolist() == runs["selection_seed"].tolist() == [0, 1]
    assert runs["images"].tolist() == [12, 8]
    assert runs["rows"].tolist() == [12, 16]
    assert runs["epochs"].tolist() == pytest.approx([5 * 8 / 12, 5 * 8 / 16])
    first = runs.iloc[0]
    expected = {
        "judge": "scratch",
        "dataset": "shades",
        "method": "random",
        "fraction": 0.3,
        "split_seed": 0,
        "model": "compact",
        "backend": "tensorflow",
        "precision": "float32",
        "budget": "5 steps",
        "steps": 5,
        "batch_size": 8,
        "stored_bytes": 1234,
        "select_seconds": 0.25,
        "proxy_seconds": 0.2,
        "threads": 1,
    }
    assert first[list(expected)].to_dict() == expected
    assert first["worst_class"] in CLASSES
    # This shell may have variables that change numbers.
    assert set(json.loads(first["versions"])) - {"environment"} == {
        "petite",
        "python",
        "keras",
        "numpy",
        "tensorflow",
    }
    assert not runs.isna().any().any()


def test_metrics_are_those_of_the_written_predictions(done: Outputs) -> None:
    runs = pd.read_csv(done.runs)
    with np.load(done.predictions) as predictions:
        assert predictions["seeds"].tolist() == [0, 1]
        assert predictions["probabilities"].shape == (2, 12, 2)
        assert predictions["labels"].dtype == np.int16
        for number in (0, 1):
            judged = metrics.evaluate(predictions["probabilities"][number], predictions["labels"])
            row = runs.iloc[number]
            assert row["accuracy"] == pytest.approx(judged["accuracy"])
            assert row["loss"] == pytest.approx(judged["loss"], rel=1e-5)
            assert row["calibration_error"] == pytest.approx(judged["calibration_error"], abs=1e-6)
            assert json.loads(row["confusion"]) == judged["confusion"]


def test_predictions_are_of_the_test_part_in_its_order(done: Outputs, folder: Path) -> None:
    split = pd.read_parquet(folder / "split.parquet")
    test = split[split["split"] == "test"]
    with np.load(done.predictions) as predictions:
        assert predictions["image_ids"].tolist() == test["image_id"].tolist()
        assert predictions["labels"].tolist() == test["label"].tolist()


def test_the_learning_curves_are_those_of_the_runs(done: Outputs) -> None:
    history, runs = pd.read_csv(done.history), pd.read_csv(done.runs)
    assert list(history.columns) == HISTORY_COLUMNS
    assert history["seed"].tolist() == [0, 0, 1, 1]
    assert history["step"].tolist() == [3, 5, 3, 5]
    last = history.groupby("seed").last()
    assert last["validation_accuracy"].tolist() == runs["validation_accuracy"].tolist()
    assert last["validation_loss"].tolist() == pytest.approx(runs["validation_loss"].tolist())


def test_the_saved_models_give_the_written_predictions(done: Outputs, folder: Path) -> None:
    test = data(folder).split.query("split == 'test'")
    images = data(folder).store.images(test["image_id"])
    for number, seed in enumerate((0, 1)):
        model = keras.models.load_model(done.models / f"seed-{seed}.keras")
        mirrored = np.ascontiguousarray(images[:, :, ::-1])
        both = [np.log(model.predict_on_batch(some)) for some in (images, mirrored)]
        # As test_time_flip averages: the logits, which are the logarithms but for a constant.
        with np.load(done.predictions) as predictions:
            expected = predictions["probabilities"][number]
        assert metrics.from_logits(np.mean(both, axis=0)) == pytest.approx(expected, abs=1e-4)


def example(models: Path) -> str:
    """The Python code of the README next to the models."""
    page = (models / "README.md").read_text(encoding="utf-8")
    return re.search(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)[1]


@pytest.mark.parametrize("classes", [["light", "dark"], ["nan", "1e3", "käfer, 'x'"]])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_page_beside_the_models_names_the_class_of_a_raw_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, classes: list[str], channels: int
) -> None:
    random = np.random.default_rng(0)
    count = 90
    labels = np.arange(count) % len(classes)
    low = 200 * (len(classes) - 1 - labels) // (len(classes) - 1)
    noise = random.integers(0, 50, (count, 10, 10, channels))
    images = (noise + low[:, None, None, None]).astype(np.uint8)
    write_shard(tmp_path / "store/shards/1-of-1.npy", images)
    index = pd.DataFrame(
        {
            "image_id": [f"{label}/{row}" for row, label in enumerate(labels)],
            "label": labels.astype(np.int16),
            "status": "ok",
            "shard": np.int32(0),
            "row": np.arange(count),
        }
    )
    write_table(tmp_path / "store/index.parquet", index)
    shards = [shard_record(tmp_path / "store/shards/1-of-1.npy", tmp_path / "store")]
    manifest = {"format": 1, "classes": classes, "image_size": 10, "channels": channels}
    write_json(tmp_path / "store/manifest.json", manifest | {"shards": shards})
    parts = np.repeat(["train", "validation", "test"], [60, 12, 18])
    split = index[["image_id", "label"]].assign(split=parts)
    write_subset(tmp_path / "all.parquet", index.iloc[:60], seed=0)
    written = outputs(tmp_path)
    learns = trainer(tmp_path, {"budget": {"steps": 60}, "crop_padding": 0})
    one = job(tmp_path, seeds=[5], subsets=[tmp_path / "all.parquet"])
    run_job(one, Data(Store.open(tmp_path / "store/manifest.json"), split), learns, written)
    assert pd.read_csv(written.runs)["accuracy"].tolist() == [1.0]
    assert read_json(written.models / "classes.json") == classes
    monkeypatch.chdir(written.models)
    for label, name in enumerate(classes):
        pixels = images[60 + np.flatnonzero(labels[60:] == label)[0]]
        photo = Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)
        photo.convert("RGB").save("photo.jpg", "PNG")  # without a loss, known by its content
        said: dict[str, Any] = {}
        exec(example(written.models), said)
        assert said["probabilities"].shape == (len(classes),)
        assert said["names"][said["probabilities"].argmax()] == name


def test_the_same_job_in_another_process_gives_the_same_metrics(
    done: Outputs, folder: Path
) -> None:
    again = train_by_script(folder, folder / "again")
    measured = ["train_seconds", "images_per_second", "peak_memory_bytes"]
    first, second = (pd.read_csv(made.runs).drop(columns=measured) for made in (done, again))
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    assert again.history.read_bytes() == done.history.read_bytes()


def test_one_subset_serves_all_seeds(folder: Path) -> None:
    written = outputs(folder / "full")
    one = job(folder, method="full", subsets=[folder / "seed-0.parquet"], seeds=[3, 4])
    run_job(one, data(folder), trainer(folder), written)
    runs = pd.read_csv(written.runs)
    assert runs["training_seed"].tolist() == [3, 4]
    assert runs["selection_seed"].tolist() == [0, 0]
    assert runs["loss"].nunique() == 2
    assert sorted(path.name for path in written.models.iterdir()) == [
        "README.md",
        "classes.json",
        "seed-3.keras",
        "seed-4.keras",
    ]


def test_the_test_part_is_opened_after_training_only(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import petite.training.scratch as run

    events: list[str] = []
    for owner, name in ((ScratchTrainer, "train"), (run, "test_images")):
        original = getattr(owner, name)

        def record(*args: Any, _name: str = name, _original: Any = original, **kw: Any) -> Any:
            events.append(_name)
            return _original(*args, **kw)

        monkeypatch.setattr(owner, name, record)
    tiny = trainer(folder, {"budget": {"steps": 1}})
    one = job(folder, seeds=[0], subsets=[folder / "seed-0.parquet"])
    run_job(one, data(folder), tiny, outputs(folder / "order"))
    assert events == ["train", "test_images"]


def test_recipes_are_rendered_and_rows_without_one_are_read_as_they_are(folder: Path) -> None:
    path = folder / "seed-1.parquet"
    subset = SeedTable(path, 1).read()
    view = data(folder).training(subset, path)
    images = view[np.arange(16)]
    assert view.shape == images.shape
    originals = data(folder).store.images(subset["origin"][:8])
    assert (images[:8] == originals).all()
    assert (images[8:] == originals[:, :, ::-1]).all()


@pytest.mark.parametrize(
    "changes",
    [{}, {"phases": [{"image_size": 8, "share": 0.5}, {"image_size": 10, "share": 0.5}]}],
    ids=["one size", "growing"],
)
def test_a_set_beyond_max_memory_is_streamed_from_the_store_with_the_same_result(
    folder: Path, caplog: pytest.LogCaptureFixture, changes: dict[str, Any]
) -> None:
    made = {}
    for name, limit in (("held", 10**9), ("streamed", 1)):
        made[name] = outputs(folder / f"{name}-{len(changes)}")
        with caplog.at_level("INFO"):
            caplog.clear()
            trains = trainer(folder, changes)
            run_job(job(folder), data(folder), trains, made[name], max_memory=limit)
        assert ("read from the store" in caplog.text) == (name == "streamed")
    held, streamed = made["held"], made["streamed"]
    assert held.history.read_bytes() == streamed.history.read_bytes()
    with np.load(held.predictions) as a, np.load(streamed.predictions) as b:
        assert a["probabilities"].tobytes() == b["probabilities"].tobytes()
    for seed in (0, 1):  # the second has augmented images
        one, other = (
            keras.models.load_model(run.models / f"seed-{seed}.keras") for run in (held, streamed)
        )
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            assert a.tobytes() == b.tobytes()


def test_a_subset_with_a_test_image_is_refused(folder: Path) -> None:
    path = folder / "leaky.parquet"
    index = pd.read_parquet(folder / "store/index.parquet")
    write_subset(path, index.iloc[[0, 1, 59]], seed=0)
    with pytest.raises(PetiteError, match=r"leaky\.parquet.*1 image .*light/59"):
        data(folder).training(SeedTable(path, 0).read(), path)


def test_a_mosaic_with_a_crop_of_a_test_image_is_refused(folder: Path) -> None:
    ids = pd.read_parquet(folder / "store/index.parquet")["image_id"]
    made = {}
    for last in (2, 59):
        recipe = mosaic_recipe([Crop(ids[row], 0, 0, 4) for row in (0, 1, 1, last)])
        made[last] = made_table([ids[0]], np.array([0]), [recipe], ["dark", "light"])
    assert data(folder).training(made[2], Path("fine.parquet")).shape[0] == 1
    with pytest.raises(PetiteError, match=r"leaky\.parquet.*1 image .*light/59"):
        data(folder).training(made[59], Path("leaky.parquet"))


def test_wrong_settings_are_named_with_their_place() -> None:
    with pytest.raises(PetiteError, match=r"compact\.width: .*; batch_size: "):
        check_settings({"batch_size": 1, "compact": {"width": 3}})


def test_a_failed_job_leaves_no_results(folder: Path) -> None:
    written = outputs(folder / "failed")
    one_class = folder / "one-class.parquet"
    index = pd.read_parquet(folder / "store/index.parquet")
    write_subset(one_class, index.iloc[:40:2], seed=0)
    bad = job(folder, seeds=[0], subsets=[one_class])
    with pytest.raises(
        PetiteError, match=r"random at 0\.3, seed 0: the subset has no image of light"
    ):
        run_job(bad, data(folder), trainer(folder), written)
    assert not written.runs.exists()
    assert SeedTable(one_class, 0).record()["images"] == 20
