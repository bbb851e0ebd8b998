"""One training job: a method at one fraction, trained once for each of its seeds.

Each run gives a row of metrics, its learning curves, its probabilities on the test images and a
saved model.
"""

import json
import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from petite.data.encoded import EncodedImages
from petite.data.splits import test_images, training_images, validation_images
from petite.data.store import Store
from petite.data.views import (
    Images,
    RenderedImages,
    StoredImages,
    in_memory_if_it_fits,
    size_of,
)
from petite.networks.backend import dtype_policy
from petite.subsets.augmentation import render_subset
from petite.subsets.made_tables import images_used
from petite.subsets.records import SubsetRecord
from petite.training import metrics
from petite.training.batches import SoftTargets
from petite.training.handout import write_beside
from petite.training.loop import TrainedRun, Trainer, predict
from petite.training.records import (
    HISTORY_COLUMNS,
    RUN_COLUMNS,
    HistoryRow,
    Job,
    Run,
    RunName,
    measured,
    versions,
    write_predictions,
)
from petite.training.settings import LoopSettings, TrainingSettings, checked
from petite.training.soft_labels import SoftLabels, with_soft_columns
from petite.util import memory
from petite.util.errors import PetiteError
from petite.util.files import atomic_path, write_csv
from petite.util.formatting import counted
from petite.util.job import peak_memory_bytes

logger = logging.getLogger(__name__)


def run_job(
    job: "Job",
    data: "Data",
    trainer: Trainer,
    outputs: "Outputs",
    max_memory: int | None = None,
) -> None:
    """Train and evaluate one model for each seed, in turn, and write the results.

    The test images are only read after the training of a run has ended.

    Parameters
    ----------
    job : Job
        Which subsets and seeds.
    data : Data
        The images.
    trainer : Trainer
        What trains, made for the images and the classes of the store.
    outputs : Outputs
        The files to write.
    max_memory : int, optional
        Bytes that the images may take. None: half of the free memory. Larger sets are read from
        the store batch by batch, with the same result. The test images are never held in memory,
        as each run reads them once.

    Raises
    ------
    PetiteError
        When the subsets do not fit the split, and where `Trainer.train` does.
    """
    limit = memory.available() if max_memory is None else max_memory
    _, held_out_labels, held_out = validation_images(data.store, data.split)
    held_out = in_memory_if_it_fits(held_out, size_of(held_out), limit, "the validation images")
    if isinstance(held_out, np.ndarray):
        limit -= held_out.nbytes

    flips = trainer.settings.test_time_flip
    runs: list[Run] = []
    curves: list[HistoryRow] = []
    probabilities: list[np.ndarray] = []
    seen: list[float] = []
    models = [outputs.models / f"seed-{seed}.keras" for seed in job.seeds]
    for seed, selected, model in zip(job.seeds, job.subsets, models, strict=True):
        name = f"{job.method} at {job.fraction:g}, seed {seed}"
        subset = selected.read()
        about_subset: SubsetRecord = selected.record()
        images = data.training(subset, selected.path)
        needed = trainer.bytes_of(images)
        trained = trainer.train(
            in_memory_if_it_fits(images, needed, limit, f"the images of {name}"),
            subset["label"].to_numpy(),
            held_out,
            held_out_labels,
            seed,
            weights=subset["weight"].to_numpy(),
            name=name,
            soft=data.soft_targets(subset, trainer.settings),
        )

        test = test_images(data.store, data.split)
        rows = np.arange(len(test.labels))
        predicted = predict(trained.logits_model, test.images, rows, flips)
        judged = metrics.evaluate(predicted, test.labels)
        logger.info("%s: test accuracy %.4f, loss %.4f", name, judged["accuracy"], judged["loss"])

        runs.append(run_row(job, seed, trainer, about_subset, trained, judged))
        seen.append(trained.examples_seen)
        identity: RunName = {
            "judge": job.judge,
            "method": job.method,
            "fraction": job.fraction,
            "seed": seed,
        }
        curves += [{**identity, **point} for point in trained.history]
        probabilities.append(predicted.astype(np.float32))
        with atomic_path(model) as temporary:
            trained.model.save(temporary)

    about = f"{job.dataset}: {job.method} at fraction {job.fraction:g}"
    write_beside(models, about, trainer.classes, data.store.shape, flips)
    write_csv(outputs.history, pd.DataFrame(curves)[HISTORY_COLUMNS])
    write_predictions(outputs.predictions, test, probabilities, job.seeds)
    table = pd.DataFrame(runs)[RUN_COLUMNS]
    subsets = [one.read() for one in job.subsets] if data.encoded or data.soft else []
    if data.encoded:
        labels = data.soft.probabilities.shape[1] if data.soft else 0
        columns = data.encoded.columns(subsets, labels)
        table = table.assign(**columns, network_bytes=trainer.pretrained_bytes)
    if trainer.seeing:
        table["examples_seen"] = seen
    if data.soft:
        table = with_soft_columns(table, data.soft.columns(subsets))
    write_csv(outputs.runs, table)


@dataclass(frozen=True)
class Outputs:
    """The files that a training job writes; `models` is a folder."""

    runs: Path
    history: Path
    predictions: Path
    models: Path


@dataclass(frozen=True)
class Data:
    """The images of a data set and their split.

    `encoded`: what is trained on, if not originals; `soft`: the labels, if not those of the split.
    """

    store: Store
    split: pd.DataFrame
    encoded: EncodedImages | None = None
    soft: SoftLabels | None = None

    def soft_targets(self, subset: pd.DataFrame, settings: LoopSettings) -> SoftTargets | None:
        """The soft labels of a subset's rows, if there are any."""
        if self.soft is None:
            return None
        return self.soft.targets(subset["origin"], settings.augmentation)

    def training(self, subset: pd.DataFrame, path: Path) -> Images:
        """The images of a subset, augmented by their recipes and read on access.

        Parameters
        ----------
        subset : DataFrame
            With the columns origin and recipe.
        path : Path
            The subset's file, for messages.

        Raises
        ------
        PetiteError
            When a row is not a training image of the split.
        """
        allowed = training_images(self.split)["image_id"]
        if others := sorted({*subset["origin"], *images_used(subset)}.difference(allowed)):
            raise PetiteError(
                f"'{path}' is made of {counted(len(others), 'image')} that this split does not "
                f"train on, such as '{others[0]}'. Delete the file and rerun."
            )
        store = self.encoded.store if self.encoded else self.store
        origins = StoredImages(store, subset["origin"])
        render = partial(render_subset, read=store.images)
        return RenderedImages(origins, subset["recipe"].tolist(), render)


def run_row(
    job: Job,
    seed: int,
    trainer: Trainer,
    about_subset: SubsetRecord,
    trained: TrainedRun,
    judged: metrics.Metrics,
) -> Run:
    """The row of one run; `about_subset` is the record of its subset."""
    settings, last = trainer.settings, trained.history[-1]
    return {
        "judge": job.judge,
        "dataset": job.dataset,
        "method": job.method,
        "fraction": job.fraction,
        "images": about_subset["images"],
        "rows": about_subset["rows"],
        "split_seed": job.split_seed,
        "selection_seed": about_subset["seed"],
        "training_seed": seed,
        "model": trainer.name,
        "backend": settings.backend,
        "precision": dtype_policy(settings.precision),
        "budget": trainer.budget,
        "steps": trained.steps,
        "epochs": trained.epochs,
        "batch_size": settings.batch_size,
        **measured(judged, trainer.classes),
        "validation_accuracy": last["validation_accuracy"],
        "validation_loss": last["validation_loss"],
        "train_accuracy": trained.train_accuracy,
        "train_seconds": trained.train_seconds,
        "images_per_second": trained.images_per_second,
        "peak_memory_bytes": peak_memory_bytes(),
        "stored_bytes": about_subset["stored_bytes"],
        "select_seconds": about_subset["seconds"],
        "proxy_seconds": about_subset["proxy_seconds"],
        "parameters": trained.model.count_params(),
        "threads": trainer.threads,
        "versions": json.dumps(versions("keras", "numpy", settings.backend), sort_keys=True),
    }


def check_settings(mapping: dict[str, Any]) -> TrainingSettings:
    """Check training settings from JSON; raises PetiteError with all problems."""
    return checked(TrainingSettings, mapping, "the training settings")
