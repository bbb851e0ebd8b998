"""A teacher: networks that are trained on all training images, and asked for soft labels.

Its answer is the mean of the probabilities of its networks. It never sees a test image, and it sees
validation images only for its learning curve, as any other run.
"""

import logging
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from petite.data.splits import training_images, validation_images, weights_of
from petite.data.store import Store
from petite.data.views import Images, RenderedImages, StoredImages, in_memory_if_it_fits
from petite.networks.backend import load_keras
from petite.networks.models import logits_of
from petite.subsets.augmentation import render_subset
from petite.training import metrics
from petite.training.batches import Views
from petite.training.loop import ScratchTrainer, predict_logits
from petite.training.settings import LoopSettings
from petite.training.soft_labels import SoftLabels, TeacherRecord, names_of_labels
from petite.util import memory
from petite.util.files import atomic_path

logger = logging.getLogger(__name__)

# Images that are augmented at a time.
AT_ONCE = 1_024


def train_network(
    store: Store,
    split: pd.DataFrame,
    trainer: ScratchTrainer,
    seed: int,
    path: Path,
    max_memory: int | None = None,
) -> TeacherRecord:
    """Train a network of a teacher, and save it.

    Parameters
    ----------
    store : Store
    split : DataFrame
    trainer : ScratchTrainer
        Made for the images and the classes of the store.
    seed : int
        See `petite.training.judges.SoftScratchSettings.teacher_seeds`.
    path : Path
        A `.keras` file.
    max_memory : int, optional
        Bytes that the images may take; None: half of the free memory.
    """
    limit = memory.available() if max_memory is None else max_memory
    train = training_images(split)
    stored = StoredImages(store, train["image_id"])
    images = in_memory_if_it_fits(stored, trainer.bytes_of(stored), limit, "the training images")
    _, held_out_labels, held_out = validation_images(store, split)
    run = trainer.train(
        images,
        train["label"].to_numpy(),
        held_out,
        held_out_labels,
        seed,
        weights_of(train),
        name=f"the teacher, seed {seed}",
    )
    accuracy = run.history[-1]["validation_accuracy"]
    logger.info("Teacher, seed %d: validation accuracy %.4f", seed, accuracy)
    with atomic_path(path) as temporary:
        run.model.save(temporary)
    return TeacherRecord([seed], len(train), run.train_seconds, accuracy)


class Teacher:
    """The trained networks of a teacher.

    Parameters
    ----------
    models : sequence of Path
        See `train_network`.
    settings : LoopSettings
        Those of its training.
    threads : int
        CPU threads to use.
    """

    def __init__(self, models: Sequence[Path], settings: LoopSettings, threads: int = 1) -> None:
        keras = load_keras(settings.backend, threads)
        self._flips = settings.test_time_flip
        loaded = (keras.models.load_model(path, compile=False) for path in models)
        self._networks = [logits_of(model) for model in loaded]
        self._classes = max(2, self._networks[0].output_shape[-1])

    def probabilities(self, images: Images, temperature: float = 1.0) -> NDArray[np.float64]:
        """The mean of the networks' probabilities.

        Parameters
        ----------
        images : Images
            uint8, shape (n, H, W, C): any images, also such as no split has.
        temperature : float
            The logits are divided by it: above 1, probabilities are more alike.

        Returns
        -------
        ndarray of float64, shape (n, classes)
        """
        rows = np.arange(images.shape[0])
        if not len(rows):
            return np.zeros((0, self._classes))
        logits = (predict_logits(one, images, rows, self._flips) for one in self._networks)
        found = [metrics.from_logits(one / temperature) for one in logits]
        mean: NDArray[np.float64] = np.mean(found, axis=0)
        return mean


class ImagesToLabel(NamedTuple):
    """The images that a teacher is asked about, and the names that their labels get."""

    names: list[str]
    images: Images


def stored_to_label(
    store: Store, split: pd.DataFrame, block: int = 1, blocks: int = 1
) -> ImagesToLabel:
    """A block of the training images, counted from 1, as the store has them."""
    ids = training_images(split)["image_id"].to_numpy()
    ids = np.array_split(ids, blocks)[block - 1]
    return ImagesToLabel(ids.tolist(), StoredImages(store, ids))


def made_to_label(store: Store, subsets: Sequence[pd.DataFrame]) -> ImagesToLabel:
    """The images of subsets that a method has made, each as it is trained on.

    Parameters
    ----------
    store : Store
    subsets : sequence of DataFrame
        With the columns `petite.subsets.tables.COLUMNS`.
    """
    made = pd.concat(subsets)
    made = made.assign(name=names_of_labels(made)).drop_duplicates("name")
    render = partial(render_subset, read=store.images)
    images = RenderedImages(StoredImages(store, made["origin"]), made["recipe"].tolist(), render)
    return ImagesToLabel(made["name"].tolist(), images)


def label_softly(
    asked: ImagesToLabel,
    teacher: Teacher,
    record: TeacherRecord,
    settings: LoopSettings,
    views: int,
    temperature: float,
) -> SoftLabels:
    """Ask a teacher for the soft labels of images.

    Parameters
    ----------
    asked : ImagesToLabel
    teacher : Teacher
    record : TeacherRecord
    settings : LoopSettings
        With the augmentation of views.
    views : int
        How many views of each image are labeled; 0: the image itself.
    temperature : float
    """
    began = time.perf_counter()
    names, images = asked
    if not views:
        found = teacher.probabilities(images, temperature)[:, None]
    else:
        drawn = Views.of(names, views, settings.augmentation)
        blocks = []
        for start in range(0, max(len(names), 1), AT_ONCE):
            rows = np.arange(start, min(start + AT_ONCE, len(names)))
            blocks.append(_of_views(teacher, images, drawn, views, temperature, rows))
            done = start + len(rows)
            logger.info("%d views of %d of %d images are labeled", views, done, len(names))
        found = np.concatenate(blocks)
    return SoftLabels(
        np.array(names, dtype=str),
        found.astype(np.float16),
        views,
        temperature,
        record,
        settings.augmentation,
        time.perf_counter() - began,
    )


def _of_views(
    teacher: Teacher,
    images: Images,
    views: Views,
    count: int,
    temperature: float,
    rows: NDArray[np.integer],
) -> NDArray[np.float16]:
    pixels = images[rows]
    found = [
        teacher.probabilities(views.render(pixels, rows, np.full(len(rows), view)), temperature)
        for view in range(count)
    ]
    return np.stack(found, axis=1).astype(np.float16)
