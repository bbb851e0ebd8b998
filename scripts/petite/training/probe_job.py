"""One job of the judge `probe`: a method at one fraction, with a part of the pool for each seed.

A probe's training has no noise, and many methods choose the same images each time. So each seed
draws its own part of the training images, selects from it, and fits a probe to what it selected.
"""

import json
import logging
import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from petite.data.encoded import EncodedImages
from petite.data.splits import test_images, training_images, validation_images, weights_of
from petite.data.store import Store
from petite.features.embedding import read_embeddings, weight_bytes
from petite.subsets.chains import SelectionJob, choose
from petite.subsets.overlap import excess_overlap
from petite.subsets.records import SelectionRecord
from petite.subsets.tables import stored_bytes
from petite.training import metrics
from petite.training.judges import ProbeSettings
from petite.training.probe import Embedded, Probe, fit_probe
from petite.training.records import (
    HISTORY_COLUMNS,
    RUN_COLUMNS,
    Job,
    Run,
    measured,
    versions,
    write_predictions,
)
from petite.training.soft_labels import SoftLabels, TeacherRecord, with_soft_columns
from petite.util.files import write_csv
from petite.util.job import peak_memory_bytes
from petite.util.seeds import generator

logger = logging.getLogger(__name__)

FULL = "full"


@dataclass(frozen=True)
class ProbeData:
    """A data set as a probe sees it.

    Attributes
    ----------
    store : Store
    split : DataFrame
    embeddings : sequence of Path
        The files of all shards.
    encoded : EncodedImages, optional
        The images to train on, if not the originals.
    encoded_embeddings : sequence of Path
        The files of their shards.
    soft : SoftLabels, optional
        Those to train on, one for each image, in place of the labels.
    """

    store: Store
    split: pd.DataFrame
    embeddings: Sequence[Path]
    encoded: EncodedImages | None = None
    encoded_embeddings: Sequence[Path] = ()
    soft: SoftLabels | None = None

    def embedded(self, image_ids: pd.Series, labels: np.ndarray) -> Embedded:
        """The embeddings of some originals with their labels."""
        return self._read(image_ids, labels, self.embeddings)[0]

    def training(self, train: pd.DataFrame) -> tuple[Embedded, float]:
        """The embeddings of the training images, and the seconds that they took."""
        paths = self.encoded_embeddings if self.encoded else self.embeddings
        found, seconds = self._read(train["image_id"], train["label"].to_numpy(), paths)
        if self.soft:
            found = found._replace(soft=self.soft.of(train["image_id"])[:, 0])
        return found, seconds

    def _read(
        self, image_ids: pd.Series, labels: np.ndarray, paths: Sequence[Path]
    ) -> tuple[Embedded, float]:
        found, seconds = read_embeddings(self.store, image_ids, paths)
        return Embedded(found, labels.astype(np.int64)), seconds


@dataclass(frozen=True)
class ProbeOutputs:
    """The files that a job writes. A probe has no learning curves, so its history has no rows."""

    runs: Path
    history: Path
    predictions: Path


@dataclass(frozen=True)
class Fitted:
    """The probe of one seed.

    Attributes
    ----------
    rows : ndarray of int, shape (k,)
        The selected images, as rows of the training images.
    weights : ndarray of float, shape (k,)
    chosen : ndarray of int
        Those of them that were not kept in any case.
    pool : int
        How many images they were selected from.
    record : SelectionRecord
        How they were selected.
    probe : Probe
    train_accuracy, validation_accuracy : float
        The latter is NaN without validation images.
    seconds : float
        Of all penalties.
    """

    rows: np.ndarray
    weights: np.ndarray
    chosen: np.ndarray
    pool: int
    record: SelectionRecord
    probe: Probe
    train_accuracy: float
    validation_accuracy: float
    seconds: float


def run_probe_job(
    job: Job,
    data: ProbeData,
    selections: Sequence[SelectionJob],
    settings: ProbeSettings,
    threads: int,
    outputs: ProbeOutputs,
    draw: "Draw | None" = None,
) -> None:
    """Select, fit and evaluate with each seed, and write the results.

    The test images are only read after all probes are fitted.

    Parameters
    ----------
    job : Job
        Without subsets: they are selected here.
    data : ProbeData
    selections : sequence of SelectionJob
        For each seed, from all training images.
    settings : ProbeSettings
    threads : int
        CPU threads in use, for the record.
    outputs : ProbeOutputs
    draw : callable, optional
        Draws the part of the training images that a seed selects from; None: `part_of_pool`.

    Raises
    ------
    PetiteError
        If a selection is not possible, or the embeddings are of other images.
    """
    train = training_images(data.split)
    pool, embedding_seconds = data.training(train)
    held_out = validation_images(data.store, data.split)
    validation = data.embedded(held_out.image_ids, held_out.labels)
    fitted = []
    for selection in selections:
        part = (draw or part_of_pool)(
            selection.train, settings.pool_share, selection.seed, selection.kept
        )
        fitted.append(_fit(replace(selection, pool=part), pool, validation, settings))
        logger.info(
            "%s at %g, seed %d: penalty %g, validation accuracy %.4f",
            *(job.method, job.fraction, selection.seed),
            *(fitted[-1].probe.penalty, fitted[-1].validation_accuracy),
        )

    test = test_images(data.store, data.split)
    tested = data.embedded(test.image_ids, test.labels)
    probabilities = [one.probe.probabilities(tested.embeddings) for one in fitted]
    rows = [
        _row(job, seed, one, metrics.evaluate(predicted, tested.labels), data.store, threads)
        for seed, one, predicted in zip(job.seeds, fitted, probabilities, strict=True)
    ]
    runs = pd.DataFrame(rows)[RUN_COLUMNS]
    runs["penalty"] = [one.probe.penalty for one in fitted]
    runs["pool_images"] = [one.pool for one in fitted]
    # All methods have the kept images; chance decides on the others only.
    free = np.flatnonzero(~train["image_id"].isin(selections[0].kept))
    chosen = [np.searchsorted(free, one.chosen) for one in fitted]
    runs["overlap"] = excess_overlap(chosen, len(free))
    runs["embedding_seconds"] = embedding_seconds
    subsets = [
        train.iloc[one.rows].assign(weight=one.weights, origin=train["image_id"]) for one in fitted
    ]
    if data.encoded:
        stored = data.soft.stored if data.soft else None
        columns = data.encoded.columns(subsets, stored)
        runs = runs.assign(**columns, network_bytes=weight_bytes(data.encoded_embeddings))
    if data.soft:
        runs = with_soft_columns(runs, data.soft.columns(subsets))
    write_predictions(outputs.predictions, test, probabilities, job.seeds)
    write_csv(outputs.history, pd.DataFrame(columns=HISTORY_COLUMNS))
    write_csv(outputs.runs, runs)


def teach(data: ProbeData, settings: ProbeSettings) -> SoftLabels:
    """Fit the probe that is the teacher to all training images, and ask it for their soft labels.

    A probe has no random weights, so that one is enough.
    """
    train = training_images(data.split)
    pool, _ = data.training(train)
    held_out = validation_images(data.store, data.split)
    validation = data.embedded(held_out.image_ids, held_out.labels)
    started = time.perf_counter()
    probe = fit_probe(pool, validation, settings.penalties, weights_of(train))
    seconds = time.perf_counter() - started
    found = probe.probabilities(pool.embeddings).astype(np.float16)[:, None]
    record = TeacherRecord([], len(train), seconds, _accuracy(probe, validation))
    return SoftLabels(train["image_id"].to_numpy(dtype=str), found, 0, 1.0, record)


# The training images, the share to draw, the seed and the kept images.
Draw = Callable[[pd.DataFrame, float, int, Collection[str]], pd.DataFrame]


def part_of_new(
    train: pd.DataFrame, share: float, seed: int, kept: Collection[str] = ()
) -> pd.DataFrame:
    """Draw a share of the images that are not kept, and take all that are; see `part_of_pool`."""
    is_kept = train["image_id"].isin(kept).to_numpy()
    rng = generator(seed, "new images of the pool")
    drawn = [np.flatnonzero(is_kept)]
    for _, members in sorted(train[~is_kept].groupby("label").indices.items()):
        rows = np.flatnonzero(~is_kept)[np.asarray(members)]
        drawn.append(rng.choice(rows, max(1, round(share * len(rows))), replace=False))
    return train.iloc[np.sort(np.concatenate(drawn))].reset_index(drop=True)


def part_of_pool(
    train: pd.DataFrame, share: float, seed: int, kept: Collection[str] = ()
) -> pd.DataFrame:
    """Draw the part of the training images that a seed selects from.

    Parameters
    ----------
    train : DataFrame
        image_id and label.
    share : float
        Of each class, one image at least.
    seed : int
    kept : collection of str
        Ids of images that are in every part.

    Returns
    -------
    DataFrame
        Some of the rows, in their order.
    """
    rng = generator(seed, "pool")
    is_kept = train["image_id"].isin(kept).to_numpy()
    drawn = [np.flatnonzero(is_kept)]
    for _, members in sorted(train.groupby("label").indices.items()):
        rows = np.asarray(members)
        others = rows[~is_kept[rows]]
        wanted = max(1, round(share * len(rows))) - (len(rows) - len(others))
        drawn.append(rng.choice(others, max(0, wanted), replace=False))
    return train.iloc[np.sort(np.concatenate(drawn))].reset_index(drop=True)


def _fit(
    selection: SelectionJob,
    pool: Embedded,
    validation: Embedded,
    settings: ProbeSettings,
) -> Fitted:
    """Select from a part of the pool, and fit the probe."""
    assert selection.pool is not None
    part = len(selection.pool)
    k = part if selection.steps[0].method == FULL else selection.k
    table, record = choose(replace(selection, k=k))
    rows = pd.Index(selection.train["image_id"]).get_indexer(pd.Index(table["image_id"]))
    soft = None if pool.soft is None else pool.soft[rows]
    subset = Embedded(pool.embeddings[rows], pool.labels[rows], soft)
    weights = table["weight"].to_numpy()
    started = time.perf_counter()
    probe = fit_probe(subset, validation, settings.penalties, weights)
    seconds = time.perf_counter() - started
    is_kept = table["image_id"].isin(selection.kept).to_numpy()
    return Fitted(
        rows,
        weights,
        rows[~is_kept],
        part,
        record,
        probe,
        _accuracy(probe, subset),
        _accuracy(probe, validation),
        seconds,
    )


def _accuracy(probe: Probe, images: Embedded) -> float:
    if not len(images.labels):
        return math.nan
    answers = probe.probabilities(images.embeddings).argmax(axis=1)
    return float((answers == images.labels).mean())


def _row(
    job: Job, seed: int, fitted: Fitted, judged: metrics.Metrics, store: Store, threads: int
) -> Run:
    images, probe = len(fitted.rows), fitted.probe
    return {
        "judge": job.judge,
        "dataset": job.dataset,
        "method": job.method,
        "fraction": job.fraction,
        "images": images,
        "rows": images,
        "split_seed": job.split_seed,
        "selection_seed": fitted.record["seed"],
        "training_seed": seed,
        "model": "logistic regression",
        "backend": "scikit-learn",
        "precision": "float32",
        "budget": "until it converges",
        "steps": probe.iterations,
        "epochs": float(probe.iterations),
        "batch_size": images,
        **measured(judged, store.classes),
        "validation_accuracy": fitted.validation_accuracy,
        "validation_loss": probe.validation_loss,
        "train_accuracy": fitted.train_accuracy,
        "train_seconds": fitted.seconds,
        "images_per_second": images * probe.iterations / fitted.seconds,
        "peak_memory_bytes": peak_memory_bytes(),
        "stored_bytes": stored_bytes(images, store.shape),
        "select_seconds": fitted.record["seconds"],
        "proxy_seconds": fitted.record["proxy_seconds"],
        "parameters": probe.parameters,
        "threads": threads,
        "versions": json.dumps(versions("sklearn", "numpy"), sort_keys=True),
    }
