"""The search within a budget on real images: its bytes, its seeds, and what it refuses."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from encoded_pictures import SIDE, stored, write_smooth
from test_fine_tune import SMALL, backbone

from petite.data.container import container_bytes
from petite.data.encode import Encoding, encode
from petite.data.sources import UnreadableEntry, open_source
from petite.data.splits import LabeledImages
from petite.subsets.chains import SelectionJob, Step
from petite.training import byte_search_job, fine_tune, scratch
from petite.training.byte_search import LEAST_IMAGE, LEAST_SIDE, SEEDS
from petite.training.byte_search_job import (
    Images,
    TrainingJudge,
    Trainings,
    budget_of,
    run_search,
)
from petite.training.fine_tune import FineTuner
from petite.training.loop import ScratchTrainer, Trainer
from petite.training.settings import TrainingSettings
from petite.util.errors import PetiteError

COUNT = 60


class Seen:
    """A judge that likes large images, and remembers what it was given."""

    side, channels = SIDE, 3

    def __init__(self) -> None:
        self.given: list[tuple[int, int]] = []

    def score(self, images: np.ndarray, labels: np.ndarray, seed: int) -> float:
        assert images.shape == (len(labels), SIDE, SIDE, 3) and images.dtype == np.uint8
        assert set(labels) == {0, 1}
        self.given.append((len(images), seed))
        return 1 - 1 / len(images)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    folder = tmp_path_factory.mktemp("search")
    write_smooth(folder / "images", COUNT)
    store = stored(folder / "images", folder / "store")
    train = store.index.loc[store.index["status"] == "ok", ["image_id", "label"]]
    step = Step(method="random", settings={}, quota="proportional", space=None, share=1.0)
    with open_source("folder", folder / "images") as source:
        yield Images(source, {}, store, SelectionJob(train, len(train), [step], 0, {}))


@pytest.fixture
def trainings(tmp_path: Path) -> Trainings:
    return Trainings(tmp_path / "bytes/trainings.json", "settings")


def test_the_winner_is_within_the_budget_and_has_seeds_of_its_own(
    images: Images, trainings: Trainings
) -> None:
    judge = Seen()
    found = run_search("20%", "scratch", images, judge, COUNT, trainings)
    total = images.original_bytes()
    assert found["original_bytes"] == total and found["budget"] == int(0.2 * total)
    assert found["runs"] == len(judge.given) == 2 * len(found["points"])
    assert {seed for _, seed in judge.given} == set(SEEDS) and min(SEEDS) > 10_000
    for point in found["points"]:
        assert 0 < point["bytes"] <= found["budget"]
        assert point["side"] <= SIDE
    most = max(point["validation_accuracy"] for point in found["points"])
    assert found["winner"]["validation_accuracy"] == pytest.approx(most, abs=0.01)


def test_the_originals_are_counted_as_a_run_counts_them(images: Images) -> None:
    index = images.store.index
    expected = container_bytes(
        "original", ["a", "b"], index["label"], index["bytes"], np.ones(len(index))
    )
    assert images.original_bytes() == expected


def test_a_budget_not_below_the_originals_is_refused(images: Images) -> None:
    with pytest.raises(PetiteError, match="bytes: 1 MB is not below"):
        budget_of("1 MB", 1_000_000)
    assert budget_of("999999 B", 1_000_000) == 999_999


def test_a_budget_without_room_for_an_image_of_each_class_is_refused(
    images: Images, trainings: Trainings
) -> None:
    judge = Seen()
    with pytest.raises(PetiteError, match=r"bytes: 150 B has no room .* 2 images"):
        run_search("150 B", "scratch", images, judge, COUNT, trainings)
    assert judge.given == []


class Killed(Exception):
    """Ends a search."""


class Mortal(Seen):
    """A judge that ends the search after some trainings."""

    def __init__(self, left: int) -> None:
        super().__init__()
        self.left = left

    def score(self, images: np.ndarray, labels: np.ndarray, seed: int) -> float:
        if self.left == 0:
            raise Killed
        self.left -= 1
        return super().score(images, labels, seed)


def test_a_search_that_was_killed_goes_on_from_its_finished_trainings(
    images: Images, trainings: Trainings, tmp_path: Path
) -> None:
    whole = Seen()
    other = Trainings(tmp_path / "other.json", "settings")
    expected = run_search("20%", "scratch", images, whole, COUNT, other)

    first, rest = Mortal(5), Seen()
    with pytest.raises(Killed):
        run_search("20%", "scratch", images, first, COUNT, trainings)
    again = Trainings(trainings.path, "settings")
    assert run_search("20%", "scratch", images, rest, COUNT, again) == expected
    assert first.given + rest.given == whole.given and len(first.given) == 5


@pytest.mark.parametrize("changed", ["other settings", None])
def test_trainings_of_other_settings_or_in_a_damaged_file_are_not_taken(
    images: Images, trainings: Trainings, changed: str | None
) -> None:
    run_search("20%", "scratch", images, Seen(), COUNT, trainings)
    if changed is None:
        trainings.path.write_text(trainings.path.read_text("utf-8")[:-20], "utf-8")
    judge = Seen()
    found = run_search(
        "20%", "scratch", images, judge, COUNT, Trainings(trainings.path, changed or "settings")
    )
    assert len(judge.given) == found["runs"] > 0


@pytest.mark.parametrize("channels", [1, 3])
def test_no_image_is_smaller_than_the_bound_that_planning_knows(channels: int) -> None:
    for quality in (1, 3, 5):
        flat = np.full((LEAST_SIDE, LEAST_SIDE, channels), 120, np.uint8)
        assert len(encode(flat, "webp", quality)) >= LEAST_IMAGE


SMALL_NETWORK = {
    "budget": {"steps": 4},
    "evaluations": 2,
    "batch_size": 16,
    "compact": {"widths": [4, 8], "halvings": [1], "residual_blocks": [0]},
}


def scratch_trainer() -> Trainer:
    settings = scratch.check_settings(TrainingSettings(**SMALL_NETWORK).model_dump(mode="json"))
    return ScratchTrainer(SIDE, 3, ["a", "b"], settings, 1)


def fine_tuner() -> Trainer:
    return FineTuner(
        backbone(),
        SIDE,
        3,
        ["a", "b"],
        fine_tune.check_settings({**SMALL, "steps": 2, "evaluations": 1}),
    )


@pytest.mark.parametrize("make", [scratch_trainer, fine_tuner])
def test_networks_that_are_trained_measure_the_points(
    images: Images, trainings: Trainings, make: Callable[[], Trainer]
) -> None:
    index = images.store.index
    held_out = images.store.images(index["image_id"][:20])
    validation = LabeledImages(index["image_id"][:20], index["label"][:20].to_numpy(), held_out)
    judge = TrainingJudge(make(), validation, SIDE, 3)
    found = run_search("20%", make.__name__, images, judge, COUNT, trainings)
    assert found["runs"] == 2 * len(found["points"])
    scores = [point["validation_accuracy"] for point in found["points"]]
    assert all(0 <= 20 * 2 * score <= 40 for score in scores) and max(scores) > 0


def test_an_original_that_is_gone_during_the_search_is_named(
    images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = images.train["image_id"].iloc[0]
    missing = UnreadableEntry("unreadable: no such file")
    monkeypatch.setattr(images.source, "read_many", lambda ids: [(gone, missing)])
    with pytest.raises(PetiteError, match=f"{gone} could be read before"):
        images.encoded([gone], Encoding(SIDE, "webp", 30))


def test_as_many_images_are_measured_as_there_are_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_search_job, "SAMPLE", 1)
    assert byte_search_job.count_to_measure(classes=2, images=COUNT) == 2
    assert byte_search_job.count_to_measure(classes=2, images=1) == 1
