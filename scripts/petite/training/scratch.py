"""One training job: a subset method at one fraction, trained once for each of its seeds.

Each run becomes a row of metrics, its learning curves, its probabilities on the test images and
its saved model.
"""

import json
import logging
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import petite
from petite.data.splits import test_images, training_images, validation_images
from petite.data.store import Store
from petite.networks.backend import dtype_policy
from petite.subsets.augmentation import Rendered
from petite.training import metrics
from petite.training.batches import Images
from petite.training.handout import write_beside
from petite.training.loop import TrainedRun, Trainer, predict
from petite.training.reading import held, size_of, size_trained_on
from petite.training.settings import TrainingSettings, checked
from petite.util import environment, memory
from petite.util.errors import PetiteError
from petite.util.files import atomic_path, read_json, read_table, write_csv
from petite.util.job import peak_memory_bytes

logger = logging.getLogger(__name__)

RUN_COLUMNS = [
    "dataset",
    "method",
    "fraction",
    "images",
    "rows",
    "split_seed",
    "selection_seed",
    "training_seed",
    "model",
    "backend",
    "precision",
    "budget",
    "steps",
    "epochs",
    "batch_size",
    "accuracy",
    "loss",
    "calibration_error",
    "worst_class",
    "worst_class_accuracy",
    "confusion",
    "validation_accuracy",
    "validation_loss",
    "train_accuracy",
    "train_seconds",
    "images_per_second",
    "peak_memory_bytes",
    "stored_bytes",
    "select_seconds",
    "proxy_seconds",
    "parameters",
    "threads",
    "versions",
]
ABOUT_SUBSET = ["images", "rows", "stored_bytes", "proxy_seconds"]
HISTORY_COLUMNS = [
    "method",
    "fraction",
    "seed",
    "epoch",
    "step",
    "accuracy",
    "loss",
    "validation_accuracy",
    "validation_loss",
    "learning_rate",
]


@dataclass(frozen=True)
class Job:
    """What a training job is about; the names that end up in its rows.

    `subsets` has one file for each of `seeds`, or one file for all of them (`full`).
    """

    dataset: str
    method: str
    fraction: float
    split_seed: int
    seeds: Sequence[int]
    subsets: Sequence[Path]

    def subset_of(self, number: int) -> Path:
        """The subset file of the run at this position in `seeds`."""
        return self.subsets[0] if len(self.subsets) == 1 else self.subsets[number]


@dataclass(frozen=True)
class Outputs:
    """The files that a training job writes; `models` is a folder, with a page on their use."""

    runs: Path
    history: Path
    predictions: Path
    models: Path


@dataclass(frozen=True)
class Data:
    """The images of a data set and how they are divided."""

    store: Store
    split: pd.DataFrame

    def validation(self) -> tuple[Images, np.ndarray]:
        """Images and labels of the validation part; it may be empty."""
        rows = validation_images(self.split)
        return self.store.view(rows["image_id"]), rows["label"].to_numpy()

    def training(self, subset: pd.DataFrame, path: Path) -> Images:
        """The images of a subset's rows, those with a recipe rendered; read as they are needed.

        Raises PetiteError when a row is not a training image of the split.
        """
        allowed = training_images(self.split)["image_id"]
        strangers = subset.loc[~subset["origin"].isin(allowed), "origin"]
        if len(strangers):
            raise PetiteError(
                f"{path}: {len(strangers)} rows, {strangers.iloc[0]} among them, are no training "
                "images of this split: delete the file and select again"
            )
        return Rendered(self.store.view(subset["origin"]), subset["recipe"].tolist())


def run_job(
    job: Job,
    data: Data,
    settings: TrainingSettings,
    threads: int,
    outputs: Outputs,
    max_memory: int | None = None,
) -> None:
    """Train and judge one model for each seed, in turn, and write what came of it.

    max_memory: bytes that the images may take; None: half of what is free. What takes more is read
    from the store as it is needed, with the same result. The test images, which are looked at
    once a run, are never held.

    The test images are opened for the first time after a run's training has ended. Raises
    PetiteError when the subsets do not fit the seeds or the split, and where `engine.train` does.
    """
    if len(job.subsets) not in (1, len(job.seeds)):
        raise PetiteError(
            f"{len(job.subsets)} subset files for {len(job.seeds)} seeds: "
            "give one for each seed, or one for all"
        )
    classes = list(data.store.classes)
    limit = memory.available() if max_memory is None else max_memory
    held_out, held_out_labels = data.validation()
    held_out = held(held_out, size_of(held_out), limit, "the validation images")
    if isinstance(held_out, np.ndarray):
        limit -= held_out.nbytes
    trainer = Trainer(held_out.shape[1], held_out.shape[3], classes, settings, threads)
    rows: list[dict[str, Any]] = []
    histories: list[dict[str, Any]] = []
    probabilities: list[np.ndarray] = []
    models = [outputs.models / f"seed-{seed}.keras" for seed in job.seeds]
    for number, seed in enumerate(job.seeds):
        name = f"{job.method} at {job.fraction:g}, seed {seed}"
        path = job.subset_of(number)
        subset, about_subset = read_table(path), read_json(path.with_suffix(".json"))
        images = data.training(subset, path)
        trained = trainer.train(
            held(images, size_trained_on(images, settings), limit, f"the images of {name}"),
            subset["label"].to_numpy(),
            held_out,
            held_out_labels,
            seed,
            weights=subset["weight"].to_numpy(),
            name=name,
        )
        test = test_images(data.store, data.split)
        predicted = predict(
            trained.logits_model,
            test.images,
            np.arange(len(test.labels)),
            settings.test_time_flip,
        )
        judged = metrics.evaluate(predicted, test.labels)
        judged["worst_class"] = classes[judged["worst_class"]]
        judged["confusion"] = json.dumps(judged["confusion"])
        logger.info("%s: test accuracy %.4f, loss %.4f", name, judged["accuracy"], judged["loss"])
        rows.append(
            about_job(job, seed, settings, threads)
            | {key: about_subset[key] for key in ABOUT_SUBSET}
            | {"selection_seed": about_subset["seed"], "select_seconds": about_subset["seconds"]}
            | about_training(trained)
            | judged
        )
        histories += [
            {"method": job.method, "fraction": job.fraction, "seed": seed, **point}
            for point in trained.history
        ]
        probabilities.append(predicted.astype(np.float32))
        with atomic_path(models[number]) as temporary:
            trained.model.save(temporary)

    about = f"{job.dataset}: {job.method} at fraction {job.fraction:g}"
    write_beside(models, about, classes, data.store.shape, settings.test_time_flip)
    write_csv(outputs.history, pd.DataFrame(histories)[HISTORY_COLUMNS])
    with atomic_path(outputs.predictions) as temporary:
        np.savez(
            temporary,
            image_ids=np.asarray(test.image_ids, dtype=str),
            labels=test.labels.astype(np.int16),
            probabilities=np.stack(probabilities),
            seeds=np.array(job.seeds),
        )
    write_csv(outputs.runs, pd.DataFrame(rows)[RUN_COLUMNS])


def about_job(job: Job, seed: int, settings: TrainingSettings, threads: int) -> dict[str, Any]:
    """The columns of a run that are known before it is trained."""
    return {
        "dataset": job.dataset,
        "method": job.method,
        "fraction": job.fraction,
        "split_seed": job.split_seed,
        "training_seed": seed,
        "model": settings.model,
        "backend": settings.backend,
        "precision": dtype_policy(settings.precision),
        "budget": str(settings.budget),
        "batch_size": settings.batch_size,
        "threads": threads,
        "versions": json.dumps(versions(settings.backend), sort_keys=True),
    }


def about_training(trained: TrainedRun) -> dict[str, Any]:
    """The columns that training gives. The validation metrics are those after the last step."""
    last = trained.history[-1]
    return {
        "steps": trained.steps,
        "epochs": trained.epochs,
        "validation_accuracy": last["validation_accuracy"],
        "validation_loss": last["validation_loss"],
        "train_accuracy": trained.train_accuracy,
        "train_seconds": trained.train_seconds,
        "images_per_second": trained.images_per_second,
        # So far: later runs of a job include earlier ones.
        "peak_memory_bytes": peak_memory_bytes(),
        "parameters": trained.model.count_params(),
    }


def versions(backend: str) -> dict[str, str]:
    """What the run was made with: versions, and variables that may change the numbers."""
    variables = environment.written_down(os.environ)
    text = " ".join(f"{name}={value}" for name, value in variables.items())
    return {
        **({"environment": text} if text else {}),
        "petite": petite.__version__,
        "python": platform.python_version(),
        "keras": version("keras"),
        "numpy": version("numpy"),
        backend: sys.modules[backend].__version__,
    }


def check_settings(mapping: dict[str, Any]) -> TrainingSettings:
    """Training settings from JSON; raises PetiteError with everything that is wrong in them."""
    return checked(TrainingSettings, mapping, "the training settings")
