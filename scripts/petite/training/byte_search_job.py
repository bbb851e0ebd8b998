"""The job that searches within a budget of bytes: it encodes and trains at each point."""

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from petite.data.container import container_bytes
from petite.data.decoding.decode import SetAside, decode
from petite.data.encode import Encoding, encode_entry
from petite.data.ingest import Reading
from petite.data.sources import Source
from petite.data.splits import LabeledImages
from petite.data.store import Store
from petite.subsets.chains import SelectionJob, choose
from petite.subsets.tables import cut
from petite.training.byte_search import (
    CODEC,
    SAMPLE,
    SEEDS,
    Measured,
    NoRoom,
    Point,
    count_within,
    parse_budget,
    search,
)
from petite.training.loop import Trainer
from petite.training.probe import Embedded, Probe, fit_probe
from petite.util.encoded_names import ORIGINAL
from petite.util.errors import PetiteError
from petite.util.files import read_json, write_json
from petite.util.formatting import byte_size, in_percent

logger = logging.getLogger(__name__)


class Judge(Protocol):
    """What trains on images and says how good it is on the validation images."""

    side: int
    channels: int

    def score(self, images: NDArray[np.uint8], labels: NDArray[np.int64], seed: int) -> float:
        """The accuracy on validation images after training on uint8 (n, side, side, channels)."""


@dataclass
class TrainingJudge:
    """Trains a network from scratch, or fine-tunes one.

    Attributes
    ----------
    trainer : Trainer
    validation : LabeledImages
    side, channels : int
        Of the store's images.
    """

    trainer: Trainer
    validation: LabeledImages
    side: int
    channels: int

    def score(self, images: NDArray[np.uint8], labels: NDArray[np.int64], seed: int) -> float:
        trained = self.trainer.train(
            images, labels, self.validation.images, self.validation.labels, seed
        )
        return float(trained.history[-1]["validation_accuracy"])


@dataclass
class ProbeJudge:
    """Fits a probe on embeddings.

    Attributes
    ----------
    embed : callable
        Embeds images, uint8 (n, side, side, 3), with their ids for messages.
    validation : Embedded
    penalties : sequence of float
    side : int
        Of the images that the network takes.
    """

    embed: Callable[[NDArray[np.uint8], Sequence[str]], NDArray[np.float32]]
    validation: Embedded
    penalties: Sequence[float]
    side: int
    channels: int = 3

    def score(self, images: NDArray[np.uint8], labels: NDArray[np.int64], seed: int) -> float:
        return self.fitted(images, labels).accuracy(self.validation)

    def fitted(self, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Probe:
        """The probe of these images."""
        names = [f"encoded image {place}" for place in range(len(images))]
        training = Embedded(self.embed(images, names), labels)
        return fit_probe(training, self.validation, self.penalties)


@dataclass(frozen=True)
class Images:
    """The training images of a search.

    Attributes
    ----------
    source : Source
        Of the originals, open.
    reading : Reading
    store : Store
    selection : SelectionJob
        By the method random; its seed and k are set here.
    """

    source: Source
    reading: Reading
    store: Store
    selection: SelectionJob

    @property
    def train(self) -> pd.DataFrame:
        return self.selection.train

    def ranked(self, seed: int) -> pd.DataFrame:
        """All training images in a random order."""
        return choose(replace(self.selection, k=len(self.train), seed=seed))[0]

    def original_bytes(self) -> int:
        """The bytes of all training images as they are."""
        index = self.store.index.set_index("image_id")
        sizes = index.loc[self.train["image_id"], "bytes"]
        ones = np.ones(len(sizes))
        return container_bytes(ORIGINAL, self.store.classes, self.train["label"], sizes, ones)

    def largest_side(self) -> int:
        """The largest side of an original, in pixels."""
        index = self.store.index.set_index("image_id")
        return int(index.loc[self.train["image_id"], ["width", "height"]].max().max())

    def encoded(self, image_ids: Iterable[str], encoding: Encoding) -> list[bytes]:
        """Encode originals, in the order of their ids."""
        ids = list(image_ids)
        files = {}
        for image_id, data in self.source.read_many(ids):
            try:
                files[image_id] = encode_entry(data, encoding, self.store.channels, self.reading)[0]
            except SetAside as problem:
                raise PetiteError(
                    f"{image_id} could be read before, and now not ({problem.reason}). Put it "
                    "back, or rerun the workflow on the present images"
                ) from problem
        return [files[image_id] for image_id in ids]


class Training(NamedTuple):
    """A finished training: of how many images and bytes, and its accuracy on validation images."""

    images: int
    bytes: int
    validation_accuracy: float


@dataclass
class Trainings:
    """The finished trainings of a search, in a file: a search that was stopped goes on from them.

    Attributes
    ----------
    path : Path
        JSON: the digest, and the trainings by encoding and seed.
    digest : str
        Of what decides their results. Those of another one are left out.
    """

    path: Path
    digest: str

    @cached_property
    def _known(self) -> dict[str, Training]:
        found: dict[str, Training] = {}
        with suppress(FileNotFoundError, ValueError, KeyError, TypeError):
            kept = read_json(self.path)
            if kept["digest"] == self.digest:
                found = {name: Training(**one) for name, one in kept["trainings"].items()}
        return found

    def get(self, encoding: str, seed: int) -> Training | None:
        """The training of a seed in an encoding, if it is finished."""
        return self._known.get(f"{encoding} {seed}")

    def add(self, encoding: str, seed: int, training: Training) -> None:
        """Keep a finished training."""
        self._known[f"{encoding} {seed}"] = training
        trainings = {name: one._asdict() for name, one in self._known.items()}
        write_json(self.path, {"digest": self.digest, "trainings": trainings})


class SearchRecord(TypedDict):
    """What a search found; `points` are in the order in which they were measured."""

    budget: int
    original_bytes: int
    training_images: int
    judge: str
    runs: int
    points: list[dict[str, Any]]
    winner: dict[str, Any]


def budget_of(text: str, original_bytes: int) -> int:
    """A budget in bytes, from one in bytes or in percent of all originals.

    Raises
    ------
    PetiteError
        If it is not below what the originals have.
    """
    value, is_share = parse_budget(text)
    budget = int(value * original_bytes if is_share else value)
    if budget >= original_bytes:
        raise PetiteError(
            f"bytes: {text} is not below the {byte_size(original_bytes)} of all training images: "
            "give a smaller budget, or run without one"
        )
    return budget


@dataclass
class Measurement:
    """Measures points within a budget, each by a training for each seed.

    Attributes
    ----------
    images : Images
    judge : Judge
    budget : int
        Bytes.
    most : int
        The largest count of images.
    trainings : Trainings
        Those that are finished.
    seeds : sequence of int
    least : list of int
        For each point that was not finished before: the bytes of an image of each class.
    """

    images: Images
    judge: Judge
    budget: int
    most: int
    trainings: Trainings
    seeds: Sequence[int] = SEEDS
    least: list[int] = field(default_factory=list)

    def measure(self, point: Point) -> Measured | None:
        """Train at a point; None if the budget has no room for an image of each class."""
        encoding = Encoding(point.side, CODEC, point.quality)
        runs: list[Training] = []
        for seed in self.seeds:
            one = self.trainings.get(encoding.name, seed)
            if one is None:
                one = self._trained(
                    encoding, seed, runs[-1].images if runs else self._count(encoding)
                )
                if one is None:
                    return None
                self.trainings.add(encoding.name, seed, one)
            runs.append(one)
        score = float(np.mean([one.validation_accuracy for one in runs]))
        found = Measured(point, runs[-1].images, score, max(one.bytes for one in runs), len(runs))
        logger.info(
            "%s: %d images in %s, validation accuracy %s%%",
            *(encoding.name, found.images, byte_size(found.size), in_percent(score)),
        )
        return found

    @cached_property
    def _rankings(self) -> dict[int, pd.DataFrame]:
        return {seed: self.images.ranked(seed) for seed in self.seeds}

    @cached_property
    def classes(self) -> int:
        """How many there are, and so the fewest images."""
        return self.images.train["label"].nunique()

    def _count(self, encoding: Encoding) -> int:
        """How many images of an encoding there is room for, by the bytes of some."""
        images = self.images
        measured = count_to_measure(self.classes, len(images.train))
        sample = cut(self._rankings[self.seeds[0]], images.train, measured)
        sizes = np.array([len(file) for file in images.encoded(sample["image_id"], encoding)])
        fixed = container_bytes(encoding.name, images.store.classes, [], [], [])
        self.least.append(fixed + self.classes * int(sizes.mean() + 4))
        return count_within(self.budget, sizes, fixed, self.most)

    def _trained(self, encoding: Encoding, seed: int, count: int) -> Training | None:
        if count < self.classes:
            return None
        ranked, judge = self._rankings[seed], self.judge
        files, labels, total = _within(self.images, ranked, encoding, count, self.budget)
        if total > self.budget:
            return None
        pixels = np.stack([decode(f, judge.side, judge.channels, min_side=1).pixels for f in files])
        return Training(len(files), total, judge.score(pixels, labels, seed))


def run_search(
    text: str, name: str, images: Images, judge: Judge, most: int, trainings: Trainings
) -> SearchRecord:
    """Search within a budget.

    Parameters
    ----------
    text : str
        The setting `bytes`.
    name : str
        That of the judge.
    images, judge, most, trainings
        See `Measurement`.

    Raises
    ------
    PetiteError
        For a budget without room for an image of each class, or not below the originals.
    """
    original_bytes = images.original_bytes()
    budget = budget_of(text, original_bytes)
    measurement = Measurement(images, judge, budget, most, trainings)
    largest = min(judge.side, images.largest_side())
    try:
        winner, found = search(largest, measurement.measure)
    except NoRoom:
        classes, least = measurement.classes, min(measurement.least)
        raise PetiteError(
            f"bytes: {text} has no room for an image of each class: the smallest encoding takes "
            f"about {byte_size(least)} for {classes} images: give a larger budget"
        ) from None
    return {
        "budget": budget,
        "original_bytes": original_bytes,
        "training_images": len(images.train),
        "judge": name,
        "runs": sum(one.runs for one in found),
        "points": [_record(one) for one in found],
        "winner": _record(winner),
    }


def count_to_measure(classes: int, images: int) -> int:
    """Of how many images the mean size is measured: SAMPLE, and at least one of each class."""
    return min(max(SAMPLE, classes), images)


def _within(
    images: Images, ranked: pd.DataFrame, encoding: Encoding, count: int, budget: int
) -> tuple[list[bytes], NDArray[np.int64], int]:
    """The encoded images of a subset, their labels and bytes: as many as are within the budget."""
    label_of = images.train.set_index("image_id")["label"]
    classes = images.store.classes
    file_of: dict[str, bytes] = {}
    while True:
        ids = cut(ranked, images.train, count)["image_id"].tolist()
        # Smaller subsets are part of larger ones.
        file_of = file_of or dict(zip(ids, images.encoded(ids, encoding), strict=True))
        files = [file_of[image_id] for image_id in ids]
        labels = label_of.loc[ids].to_numpy(np.int64)
        sizes = [len(file) for file in files]
        total = container_bytes(encoding.name, classes, labels, sizes, np.ones(len(sizes)))
        if total <= budget or count <= len(classes):
            return files, labels, total
        # The sample had smaller images than these.
        count = max(len(classes), int(count * budget / total) - 1)


def _record(one: Measured) -> dict[str, Any]:
    return {
        "side": one.point.side,
        "codec": CODEC,
        "quality": one.point.quality,
        "images": one.images,
        "bytes": one.size,
        "validation_accuracy": one.score,
    }
