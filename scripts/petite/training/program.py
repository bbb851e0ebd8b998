"""A judge of the user's own: a program in any framework trains on a subset and predicts.

The program is given tables of image files (CSV) and writes class probabilities for the test images.
It does not get the labels of the test images: their files have numbers for names and are in a
random order.
"""

import json
import logging
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from petite.data.pictures import ReadPixels, write_pictures
from petite.data.splits import test_image_ids, test_images, validation_images
from petite.data.views import Images, resized
from petite.subsets.augmentation import render
from petite.subsets.records import SubsetRecord
from petite.subsets.seed_tables import SeedTable
from petite.subsets.synthetic import is_whole
from petite.training import metrics
from petite.training.predictions import read_predictions
from petite.training.program_settings import ProgramSettings
from petite.training.records import (
    HISTORY_COLUMNS,
    RUN_COLUMNS,
    Job,
    Run,
    measured,
    versions,
    write_predictions,
)
from petite.training.scratch import Data
from petite.training.settings import checked
from petite.util import command
from petite.util.errors import PetiteError
from petite.util.files import write_csv
from petite.util.notices import notice
from petite.util.seeds import generator

logger = logging.getLogger(__name__)


def run_job(
    job: Job,
    data: Data,
    settings: ProgramSettings,
    threads: int,
    runs_path: Path,
    history_path: Path,
    predictions_path: Path,
    read_pixels: ReadPixels,
) -> None:
    """Run the program once for each seed, in turn, judge its predictions, and write the results.

    It runs in a folder of its own below $TMPDIR, which is removed at the end, whatever happens.

    Parameters
    ----------
    job : Job
        Which subsets and seeds.
    data : Data
        The images.
    settings : ProgramSettings
        The program.
    threads : int
        CPU threads for the program to use.
    runs_path, history_path, predictions_path : Path
        The files to write. Only the program knows its learning curves, so the history has no rows.
    read_pixels : callable
        What reads the images: `petite.data.pictures.stored_pixels` or `original_pixels`.

    Raises
    ------
    PetiteError
        When the subsets do not fit the split, or the program fails, runs for too long or writes
        other predictions than one row of class probabilities for each test image.
    """
    classes = list(data.store.classes)
    test_ids = test_image_ids(data.split)
    order = generator(job.split_seed, "order of test images").permutation(len(test_ids))
    runs: list[Run] = []
    probabilities: list[NDArray[np.float32]] = []
    peak = 0
    with command.scratch_folder() as folder:
        shuffled = [test_ids[place] for place in order]
        files = write_pictures(folder / "test", len(shuffled), read_pixels(shuffled))
        write_csv(folder / "test.csv", pd.DataFrame({"file": files}))
        _write_validation(folder, data, read_pixels)
        written: SeedTable | None = None
        for seed, subset in zip(job.seeds, job.subsets, strict=True):
            name = f"{job.method} at {job.fraction:g}, seed {seed}"
            if subset != written:
                side = settings.image_size or data.store.image_size
                _write_training(folder, data, subset, read_pixels, side)
                written = subset
            about_subset: SubsetRecord = subset.record()
            try:
                finished, predicted = _run(settings, folder, files, classes, seed, threads)
            except PetiteError as error:
                raise PetiteError(f"{name}: {error}") from None
            peak = max(peak, finished.peak_memory_bytes)
            in_order = np.empty_like(predicted)
            in_order[order] = predicted

            test = test_images(data.store, data.split)
            judged = metrics.evaluate(in_order, test.labels)
            logger.info(
                "%s: test accuracy %.4f, loss %.4f", name, judged["accuracy"], judged["loss"]
            )
            runs.append(
                run_row(job, seed, settings, threads, about_subset, finished, peak, judged, classes)
            )
            probabilities.append(in_order.astype(np.float32))

    _say_if_seeds_change_nothing(job, probabilities)
    write_csv(history_path, pd.DataFrame(columns=HISTORY_COLUMNS))
    write_predictions(predictions_path, test, probabilities, job.seeds)
    write_csv(runs_path, pd.DataFrame(runs)[RUN_COLUMNS])


def _say_if_seeds_change_nothing(job: Job, probabilities: list[NDArray[np.float32]]) -> None:
    """Give notice of a program that is the same for every seed of one subset."""
    pairs = zip(job.subsets, probabilities, strict=True)
    of_first = [predicted for subset, predicted in pairs if subset == job.subsets[0]]
    if len(of_first) > 1 and all(np.array_equal(p, of_first[0]) for p in of_first):
        notice(
            f"the program of judge '{job.judge}' predicts the same with every seed for "
            f"{job.method} at {job.fraction:g}: these runs show no noise of training. Let it draw "
            "what is random (weights, order, augmentation) by {seed}"
        )


def _run(
    settings: ProgramSettings,
    folder: Path,
    test_files: list[str],
    classes: list[str],
    seed: int,
    threads: int,
) -> tuple[command.Finished, NDArray[np.float64]]:
    """Run the program once in an empty folder, and read what it predicts."""
    with tempfile.TemporaryDirectory(prefix="run-", dir=folder) as place:
        predictions = Path(place) / f"predictions.{settings.predictions}"
        values = {
            "train": folder / "train.csv",
            "validation": folder / "validation.csv",
            "test": folder / "test.csv",
            "seed": seed,
            "predictions": predictions,
            "threads": threads,
            "classes": len(classes),
        }
        words = command.filled(settings.words(), values)
        finished = command.run(words, Path(place), threads, settings.max_seconds)
        return finished, read_predictions(predictions, test_files, classes)


def _write_training(
    folder: Path, data: Data, selected: SeedTable, read_pixels: ReadPixels, side: int
) -> None:
    """Write the images of a subset and their table, in place of those of another one."""
    subset = selected.read()
    images = resized(data.training(subset, selected.path), side)
    if (folder / "train").exists():
        shutil.rmtree(folder / "train")
    pixels = _training_pixels(subset, images, read_pixels)
    files = write_pictures(folder / "train", len(subset), pixels)
    table = _table(files, subset["label"].to_numpy(), subset["weight"].to_numpy(), data)
    write_csv(folder / "train.csv", table)


def _training_pixels(
    subset: pd.DataFrame, images: Images, read_pixels: ReadPixels
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """The rows of a subset with their pixels; what is made of stored pixels is enlarged only."""
    recipes, is_made = subset["recipe"].tolist(), subset["recipe"].map(is_whole).to_numpy()
    rows = np.flatnonzero(~is_made).tolist()
    for place, image in read_pixels(subset["origin"].iloc[rows].tolist()):
        yield rows[place], render(image, recipes[rows[place]])
    for row in np.flatnonzero(is_made).tolist():
        yield row, images[np.array([row])][0]


def _write_validation(folder: Path, data: Data, read_pixels: ReadPixels) -> None:
    ids, labels, _ = validation_images(data.store, data.split)
    files = write_pictures(folder / "validation", len(ids), read_pixels(ids.tolist()))
    write_csv(folder / "validation.csv", _table(files, labels, np.ones(len(ids)), data))


def _table(files: list[str], labels: NDArray, weights: NDArray, data: Data) -> pd.DataFrame:
    names = [data.store.classes[label] for label in labels]
    return pd.DataFrame({"file": files, "label": labels, "class_name": names, "weight": weights})


def run_row(
    job: Job,
    seed: int,
    settings: ProgramSettings,
    threads: int,
    about_subset: SubsetRecord,
    finished: command.Finished,
    peak_memory_bytes: int,
    judged: metrics.Metrics,
    classes: list[str],
) -> Run:
    """The row of one run; what only the program knows is missing (NaN)."""
    unknown = float("nan")
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
        "model": settings.name,
        "backend": "your program",
        "precision": "",
        "budget": "",
        "steps": unknown,
        "epochs": unknown,
        "batch_size": unknown,
        **measured(judged, classes),
        "validation_accuracy": unknown,
        "validation_loss": unknown,
        "train_accuracy": unknown,
        "train_seconds": finished.seconds,
        "images_per_second": unknown,
        "peak_memory_bytes": peak_memory_bytes,
        "stored_bytes": about_subset["stored_bytes"],
        "select_seconds": about_subset["seconds"],
        "proxy_seconds": about_subset["proxy_seconds"],
        "parameters": unknown,
        "threads": threads,
        "versions": json.dumps(versions("numpy"), sort_keys=True),
    }


def check_settings(mapping: dict[str, Any]) -> ProgramSettings:
    """Check the settings from JSON; raises PetiteError with all problems."""
    return checked(ProgramSettings, mapping, "the settings of the program")
