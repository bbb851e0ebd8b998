"""What a job of a judge writes: a row for each run, its learning curves, and its predictions."""

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np

import petite
from petite.data.splits import LabeledImages
from petite.subsets.seed_tables import SeedTable
from petite.training.metrics import Metrics
from petite.util import environment
from petite.util.files import atomic_path


@dataclass(frozen=True)
class Job:
    """What a job of a judge judges, as named in its rows.

    Attributes
    ----------
    judge, dataset, method : str
    fraction : float
        The part of the training images that is in the subset.
    split_seed : int
    seeds : sequence of int
        The training seeds.
    subsets : sequence of SeedTable
        The subset of each seed; a deterministic selection gives all seeds the same one.
    """

    judge: str
    dataset: str
    method: str
    fraction: float
    split_seed: int
    seeds: Sequence[int]
    subsets: Sequence[SeedTable]


class Run(TypedDict):
    """A row of the table of runs: the model, its subset, its metrics and its cost."""

    judge: str
    dataset: str
    method: str
    fraction: float
    images: int
    rows: int  # of the subset: real and augmented images
    split_seed: int
    selection_seed: int
    training_seed: int
    model: str
    backend: str
    precision: str
    budget: str
    steps: float  # NaN, as others below, where only a program of the user's knows it
    epochs: float
    batch_size: float
    accuracy: float
    loss: float
    calibration_error: float
    worst_class: str
    worst_class_accuracy: float
    confusion: str  # JSON
    validation_accuracy: float  # after the last step
    validation_loss: float
    train_accuracy: float
    train_seconds: float
    images_per_second: float
    peak_memory_bytes: int  # of the job up to this run, earlier runs included
    stored_bytes: int
    select_seconds: float
    proxy_seconds: float
    parameters: float
    threads: int
    versions: str  # JSON


RUN_COLUMNS = list(Run.__annotations__)


class Measured(TypedDict):
    """The part of a row that follows from the predictions on the test images."""

    accuracy: float
    loss: float
    calibration_error: float
    worst_class: str
    worst_class_accuracy: float
    confusion: str  # JSON


def measured(judged: Metrics, classes: Sequence[str]) -> Measured:
    """The metrics of a run as in its row, with the name of the worst class."""
    return {
        "accuracy": judged["accuracy"],
        "loss": judged["loss"],
        "calibration_error": judged["calibration_error"],
        "worst_class": classes[judged["worst_class"]],
        "worst_class_accuracy": judged["worst_class_accuracy"],
        "confusion": json.dumps(judged["confusion"]),
    }


class RunName(TypedDict):
    """What identifies a run of a data set."""

    judge: str
    method: str
    fraction: float
    seed: int


class Evaluation(TypedDict):
    """A point of the learning curves.

    Training accuracy and loss are means over the steps since the previous point, on augmented
    images and with label smoothing. Those of validation are NaN without validation images.
    """

    epoch: float  # passes over the subset
    step: int
    accuracy: float
    loss: float
    validation_accuracy: float
    validation_loss: float
    learning_rate: float  # of that step


class HistoryRow(RunName, Evaluation):
    """A row of the table of histories: a point of the learning curves of a run."""


HISTORY_COLUMNS = list(HistoryRow.__annotations__)


def write_predictions(
    path: Path, test: LabeledImages, probabilities: Sequence[np.ndarray], seeds: Sequence[int]
) -> None:
    """Write the probabilities on the test images, float32 (n, classes) for each seed, as .npz."""
    with atomic_path(path) as temporary:
        np.savez(
            temporary,
            image_ids=np.asarray(test.image_ids, dtype=str),
            labels=test.labels,
            probabilities=np.stack(probabilities),
            seeds=np.array(seeds),
        )


def versions(*packages: str) -> dict[str, str]:
    """Versions of the software, and the environment variables that may change the numbers.

    packages: names of modules that are loaded.
    """
    variables = environment.written_down(os.environ)
    text = " ".join(f"{name}={value}" for name, value in variables.items())
    return {
        **({"environment": text} if text else {}),
        "petite": petite.__version__,
        "python": platform.python_version(),
        **{name: sys.modules[name].__version__ for name in packages},
    }
