"""Soft labels: training on them, the teacher that gives them, and their file."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from test_scratch import SETTINGS, write_small_store

from petite.data.splits import training_images
from petite.data.store import Store
from petite.data.views import StoredImages
from petite.networks.backend import load_keras
from petite.subsets.augmentation import render_subset
from petite.subsets.made_tables import made_table
from petite.subsets.seed_tables import tables_of
from petite.subsets.synthetic import Crop, mosaic_recipe, pixels_recipe
from petite.training.augment import Augmentation
from petite.training.batches import Batches, SoftTargets, Views
from petite.training.judges import SoftScratchSettings
from petite.training.loop import ScratchTrainer, TrainedRun, soft_targets
from petite.training.records import Job
from petite.training.scratch import Data, Outputs, check_settings, run_job
from petite.training.soft_labels import SoftLabels, TeacherRecord, joined
from petite.training.teacher import (
    Teacher,
    label_softly,
    made_to_label,
    stored_to_label,
    train_network,
)
from petite.util.errors import PetiteError
from petite.util.files import read_table

load_keras("tensorflow", 1)

REPOSITORY = Path(__file__).parents[3]
SEEDS = SoftScratchSettings(teachers=2).teacher_seeds
TAUGHT = TeacherRecord(SEEDS[:1], 3, 2.5, 0.9)


def trainer(classes: int = 2, **changes: Any) -> ScratchTrainer:
    temperature = changes.pop("temperature", 1.0)
    names = [f"class {number}" for number in range(classes)]
    settings = check_settings({**SETTINGS, **changes})
    return ScratchTrainer(10, 1, names, settings, temperature=temperature)


def pictures(count: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, 10, 10, 1), dtype=np.uint8), np.arange(count) % classes


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    return np.eye(classes, dtype=np.float16)[labels][:, None]


def weights_of(run: TrainedRun) -> list[bytes]:
    return [array.tobytes() for array in run.model.get_weights()]


# ---------------------------------------------------------------- training


@pytest.mark.parametrize("classes", [2, 3])
def test_soft_labels_that_are_one_hot_train_the_same_network_bit_for_bit(classes: int) -> None:
    images, labels = pictures(30, classes)
    made = trainer(classes, label_smoothing=0.1)
    hard = weights_of(made.train(images, labels, images[:0], labels[:0], 0))
    soft = SoftTargets(one_hot(labels, classes), None)
    # The labels are not used to train.
    again = made.train(images, labels, images[:0], labels[:0], 0, soft=soft)
    assert weights_of(again) == hard
    flat = SoftTargets(np.full_like(soft.probabilities, 1 / classes), None)
    other = made.train(images, labels, images[:0], labels[:0], 0, soft=flat)
    assert weights_of(other) != hard


def test_targets_of_rounded_probabilities_add_up_to_one() -> None:
    rounded = np.array([[0.3334, 0.3333, 0.3336]], np.float16).astype(np.float32)
    assert soft_targets(rounded).sum() == pytest.approx(1, abs=1e-6)
    assert soft_targets(np.float32([[0.25, 0.75]])).tolist() == [[0.75]]


@pytest.mark.parametrize("classes", [2, 3])
def test_a_temperature_divides_the_logits_in_the_loss_and_keeps_the_size_of_gradients(
    classes: int,
) -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(8, 1 if classes == 2 else classes)).astype(np.float32)
    wanted = soft_targets(rng.dirichlet(np.ones(classes), 8).astype(np.float32))
    cool, warm = (
        trainer(classes, label_smoothing=0.0, temperature=temperature)._logits_model
        for temperature in (1.0, 4.0)
    )
    at_four = float(warm.compute_loss(y=wanted, y_pred=logits))
    assert at_four == pytest.approx(16 * float(cool.compute_loss(y=wanted, y_pred=logits / 4)))
    assert at_four != pytest.approx(float(cool.compute_loss(y=wanted, y_pred=logits)))


# ---------------------------------------------------------------- views


@given(
    st.integers(1, 5),
    st.sampled_from(["none", "random", "alternating"]),
    st.sampled_from([0.0, 0.3]),
)
def test_views_depend_on_the_image_alone_and_more_views_leave_the_first(
    count: int, flips: str, brightness: float
) -> None:
    few = Views.of(
        ["a", "b"], count, Augmentation(flips=flips, crop_padding=0.2, brightness=brightness)
    )
    more = Views.of(
        ["c", "b", "a"],
        count + 3,
        Augmentation(flips=flips, crop_padding=0.2, brightness=brightness),
    )
    assert (few.drawn[[1, 0]] == more.drawn[1:, :count]).all()
    assert (few.drawn[:, :, 2].any()) <= (flips != "none")
    assert few.drawn.dtype == np.uint8 and few.drawn[:, :, 2].max() <= 1
    assert few.drawn.shape[2] == (6 if brightness else 3)


def test_a_plain_view_is_the_image_and_of_alternating_ones_every_second_is_mirrored() -> None:
    images, _ = pictures(6, 2)
    names, rows = [*"abcdef"], np.arange(6)
    plain = Views.of(names, 2, Augmentation())
    assert (plain.render(images, rows, rows) == images).all()
    turned = Views.of(names, 4, Augmentation(flips="alternating"))
    one, two, three = (turned.render(images, rows, np.full(6, view)) for view in (0, 1, 2))
    assert (one == three).all() and (one[:, :, ::-1] == two).all()


def test_views_shift_at_most_by_the_padding_and_are_the_same_at_another_size() -> None:
    views = Views.of(
        [str(number) for number in range(200)], 1, Augmentation(flips="none", crop_padding=0.2)
    )
    rows, zeros = np.arange(200), np.zeros(200, int)
    for side in (10, 20):
        dot = np.zeros((200, side, side, 1), np.uint8)
        dot[:, side // 2, side // 2] = 255
        found = np.argwhere(views.render(dot, rows, zeros)[..., 0])
        shift = found[:, 1:] - side // 2
        assert abs(shift).max() == side // 5
        if side == 10:
            small = shift
    assert abs(small * 2 - shift).max() <= 2


def test_pass_after_pass_shows_the_next_view_with_its_label() -> None:
    images, labels = pictures(5, 2)
    probabilities = np.random.default_rng(0).dirichlet([1, 1], (5, 3)).astype(np.float16)
    views = Views.of([*"abcde"], 3, Augmentation(flips="random", crop_padding=0.2))
    batches = Batches(
        labels,
        None,
        5,
        0,
        Augmentation(flips="random", crop_padding=0.2),
        SoftTargets(probabilities, views),
    )
    for epoch in range(7):
        rows, epochs = batches.rows(epoch)
        batch = batches.batch(epoch, images)
        assert (epochs == epoch).all() and batch.soft is not None
        assert (batch.soft == probabilities[rows, epoch % 3].astype(np.float32)).all()
        assert (batch.images == views.render(images[rows], rows, epochs)).all()
        assert (batch.labels == labels[rows]).all()


# ---------------------------------------------------------------- the teacher


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root: Path = tmp_path_factory.mktemp("results")
    write_small_store(root)
    return root


@pytest.fixture(scope="module")
def taught(folder: Path) -> TeacherRecord:
    store, split = Store.open(folder / "store/manifest.json"), read_table(folder / "split.parquet")
    shared = trainer()
    return TeacherRecord.of(
        [
            train_network(store, split, shared, seed, network(folder / "teacher", seed))
            for seed in SEEDS
        ]
    )


def network(folder: Path, seed: int) -> Path:
    return folder / f"seed-{seed}.keras"


def asked(folder: Path, *numbers: int) -> Teacher:
    models = [network(folder / "teacher", SEEDS[number]) for number in numbers]
    return Teacher(models, check_settings(SETTINGS))


def test_a_teacher_has_seeds_that_no_run_has(taught: TeacherRecord) -> None:
    assert taught.seeds == SEEDS and min(SEEDS) > 1000
    assert taught.images == 40 and taught.seconds > 0 and 0 <= taught.validation_accuracy <= 1


def test_a_teacher_learns_nothing_of_other_images(folder: Path, taught: TeacherRecord) -> None:
    """Other validation and test images, and none that the user excludes."""
    store, split = Store.open(folder / "store/manifest.json"), read_table(folder / "split.parquet")
    train = split["split"] == "train"
    moved = split.assign(split=split["split"].where(train, "test"))
    for number, changed in enumerate((moved, moved.loc[train])):
        other = network(folder / f"other-{number}", SEEDS[0])
        train_network(store, changed, trainer(), SEEDS[0], other)
        images = StoredImages(store, training_images(split)["image_id"])
        one, same = (
            Teacher([path], check_settings(SETTINGS)).probabilities(images)
            for path in (network(folder / "teacher", SEEDS[0]), other)
        )
        assert (one == same).all()


def test_its_answer_is_the_mean_of_its_networks_and_softer_at_a_temperature(
    folder: Path, taught: TeacherRecord
) -> None:
    images, _ = pictures(9, 2)
    one, other, both = (asked(folder, *which).probabilities(images) for which in ([0], [1], [0, 1]))
    np.testing.assert_allclose(both, (one + other) / 2, atol=1e-7)
    warm = asked(folder, 0).probabilities(images, 3.0)
    np.testing.assert_allclose(
        np.log(warm[:, 1] / warm[:, 0]), np.log(one[:, 1] / one[:, 0]) / 3, atol=1e-5
    )


def test_more_networks_of_a_teacher_begin_with_those_of_fewer(taught: TeacherRecord) -> None:
    assert SoftScratchSettings(teachers=3).teacher_seeds[:2] == SEEDS
    alone = TeacherRecord([7], 40, 1.5, 0.5)
    assert TeacherRecord.of([alone, replace(alone, seeds=[8], seconds=2.0)]) == replace(
        alone, seeds=[7, 8], seconds=3.5
    )


@pytest.mark.parametrize("views", [0, 3])
def test_soft_labels_are_what_the_teacher_says_of_the_very_images_that_are_trained_on(
    folder: Path, taught: TeacherRecord, views: int
) -> None:
    store, split = Store.open(folder / "store/manifest.json"), read_table(folder / "split.parquet")
    settings, teacher = (
        check_settings({**SETTINGS, "crop_padding": 0.2, "brightness": 0.3}),
        asked(folder, 0, 1),
    )
    found = label_softly(stored_to_label(store, split), teacher, taught, settings, views, 1.0)
    assert found.image_ids.tolist() == training_images(split)["image_id"].tolist()
    assert found.probabilities.shape == (40, max(views, 1), 2)
    some = found.image_ids[[30, 2, 7, 7]]
    images = StoredImages(store, some)[np.arange(4)]
    targets = found.targets(pd.DataFrame({"origin": some}))
    batches = Batches(np.zeros(4, int), None, 4, 5, settings.augmentation, targets)
    for step in range(4):
        batch = batches.batch(step, images)
        rows, _ = batches.rows(step)
        seen = batch.images if views else images[rows]
        np.testing.assert_allclose(batch.soft, teacher.probabilities(seen), atol=1e-3)


@pytest.mark.parametrize("views", [0, 3])
@pytest.mark.parametrize("blocks", [3, 43])
def test_blocks_of_training_images_get_the_labels_of_all_and_some_may_be_empty(
    folder: Path, taught: TeacherRecord, views: int, blocks: int
) -> None:
    store, split = Store.open(folder / "store/manifest.json"), read_table(folder / "split.parquet")
    settings, teacher = check_settings({**SETTINGS, "crop_padding": 0.2}), asked(folder, 0, 1)

    def labels(*block: int) -> SoftLabels:
        asked_about = stored_to_label(store, split, *block)
        return label_softly(asked_about, teacher, taught, settings, views, 1.0)

    whole = labels()
    parts = [labels(number, blocks) for number in range(1, blocks + 1)]
    sizes = [len(part.image_ids) for part in parts]
    assert sum(sizes) == 40 and max(sizes) - min(sizes) <= 1
    together = joined(parts)
    # A network's sums depend on the images beside an image in a batch.
    np.testing.assert_allclose(together.of(whole.image_ids), whole.probabilities, atol=1e-3, rtol=0)
    assert together.image_ids.dtype.kind == "U"
    assert whole.seconds > 0 and together.seconds == sum(part.seconds for part in parts)


@pytest.mark.parametrize("views", [0, 3])
def test_made_images_have_labels_of_their_own_which_are_of_what_they_show(
    folder: Path, taught: TeacherRecord, views: int
) -> None:
    store, split = Store.open(folder / "store/manifest.json"), read_table(folder / "split.parquet")
    ids, rng = training_images(split)["image_id"].tolist(), np.random.default_rng(0)
    # Of two seeds, whose first images have the same id.
    tables = []
    for seed in (0, 1):
        crops = [Crop(ids[4 * seed + number], 0, 0, 10) for number in range(4)]
        learned = pixels_recipe(rng.integers(0, 256, (10, 10, 1), dtype=np.uint8))
        recipes = [mosaic_recipe(crops), learned]
        tables.append(made_table([ids[0], ids[1]], np.array([0, 1]), recipes, store.classes))
    settings, teacher = check_settings({**SETTINGS, "crop_padding": 0.2}), asked(folder, 0, 1)
    found = label_softly(made_to_label(store, tables), teacher, taught, settings, views, 1.0)
    assert len(set(found.image_ids)) == len(found.image_ids) == 4
    for table in tables:
        pixels = render_subset(
            store.images(table["origin"]), table["recipe"].tolist(), store.images
        )
        targets = found.targets(table)
        assert targets.probabilities.shape == (2, max(views, 1), 2)
        for view in range(views or 1):
            seen = pixels
            if views:
                seen = targets.views.render(pixels, np.arange(2), np.full(2, view))
            expected = teacher.probabilities(seen)
            np.testing.assert_allclose(targets.probabilities[:, view], expected, atol=1e-3)
    assert (found.targets(tables[0]).probabilities != found.targets(tables[1]).probabilities).any()
    counted = found.columns([tables[0]])["soft_label_bytes"]
    assert counted == [2 * found.bytes_per_image]


def test_copies_share_the_label_of_their_original_and_files_of_labels_are_joined() -> None:
    copy = '{"transform": "vertical_flip"}'
    table = pd.DataFrame(
        {"image_id": ["a", "a~1", "b"], "origin": ["a", "a", "b"], "recipe": ["", copy, ""]}
    )
    both = joined([labels_of(["b"]), labels_of(["a"])])
    found = both.targets(table).probabilities
    assert (found[0] == found[1]).all() and (found[[2, 0]] == both.probabilities).all()
    assert both.columns([table])["soft_label_bytes"] == [2 * both.bytes_per_image]


# ---------------------------------------------------------------- the file and the job


def labels_of(ids: list[str], views: int = 0) -> SoftLabels:
    drawn = np.random.default_rng(0).dirichlet([1, 1], (len(ids), max(views, 1)))
    return SoftLabels(
        np.array(ids),
        drawn.astype(np.float16),
        views,
        2.0,
        TAUGHT,
        Augmentation(flips="random", crop_padding=0.2),
    )


@pytest.mark.parametrize("views", [0, 4])
def test_a_file_of_soft_labels_is_read_as_it_was_written(tmp_path: Path, views: int) -> None:
    written = labels_of(["a/1", "b/2", "b/3"], views)
    written.write(tmp_path / "labels.npz")
    read = SoftLabels.read(tmp_path / "labels.npz")
    assert (read.probabilities == written.probabilities).all()
    same = {"image_ids": written.image_ids, "probabilities": written.probabilities}
    assert replace(read, **same) == written
    of_views = read.targets(pd.DataFrame({"origin": read.image_ids})).views
    assert (of_views is None) == (views == 0)
    counted = read.probabilities.nbytes + (of_views.drawn.nbytes if of_views else 0)
    assert read.bytes_per_image * 3 == counted == 3 * (max(views, 1) * 2 * 2 + views * 3)
    assert (read.of(["b/3", "a/1"]) == written.probabilities[[2, 0]]).all()
    with pytest.raises(PetiteError, match="c/9"):
        read.of(["a/1", "c/9"])


def test_files_of_subsets_of_which_one_contains_the_other_are_joined() -> None:
    few, many = labels_of(["a/1#0f", "b/2#1e"]), labels_of(["a/1#0f", "b/2#1e", "b/3#2d"])
    found = joined([few, replace(many, probabilities=many.probabilities)])
    assert sorted(found.image_ids) == ["a/1#0f", "b/2#1e", "b/3#2d"]
    assert (found.of(["b/3#2d"]) == many.probabilities[2]).all()
    assert (found.of(["b/2#1e"]) == few.probabilities[1]).all()


def test_a_job_trains_on_the_labels_of_the_originals_and_counts_their_bytes(folder: Path) -> None:
    store, split = Store.open(folder / "store/manifest.json"), read_table(folder / "split.parquet")
    job = Job(
        *("scratch_soft", "noise", "random", 0.3, 0, [0, 1]),
        tables_of([folder / "seed-0.parquet", folder / "seed-1.parquet"], [0, 1]),
    )
    ids = training_images(split)["image_id"].tolist()
    names = ("runs.csv", "history.csv", "predictions.npz", "models")
    outputs = Outputs(*(folder / "job" / name for name in names))
    run_job(job, Data(store, split, soft=labels_of(ids, 3)), trainer(), outputs)
    runs = pd.read_csv(outputs.runs)
    assert (runs["judge"] == "scratch_soft").all()
    assert (runs["teacher_seconds"] == TAUGHT.seconds).all()
    assert (runs["soft_label_bytes"] == runs["images"] * 3 * (2 * 2 + 3)).all()
    records = [table.record() for table in job.subsets]
    assert [one["stored_bytes"] for one in records] == (
        runs["stored_bytes"] - runs["soft_label_bytes"]
    ).tolist()


def test_every_job_that_trains_or_reads_images_says_how_long_it_may_take_on_a_cluster() -> None:
    """A rule that uses another one does not take its time from the profile."""
    words = r"train|embed|ingest|encode|tune|teach|probe|judge|soft|proxy|rded|dm|search"
    rules = {
        name
        for path in (REPOSITORY / "workflow/rules").glob("*.smk")
        for name in re.findall(
            r"^ *(?:use rule \w+ as|rule) (\w+)", path.read_text("utf-8"), re.MULTILINE
        )
        if re.search(words, name)
    }
    profile = yaml.safe_load((REPOSITORY / "workflow/profiles/slurm/config.yaml").read_text())
    assert len(rules) > 15
    assert sorted(rules - set(profile["set-resources"])) == []
