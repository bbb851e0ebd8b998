"""A teacher: networks that are trained on all training images, and asked for soft labels.

Its answer is the mean of the probabilities of its networks. It never sees a test image, and it sees
validation images only for its learning curve, as any other run.
"""

import logging
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
from petite.util.errors import PetiteError
from petite.util.files import atomic_path

logger = logging.getLogger(__name__)

# Seeds of runs are below 1,000, so that no subset is judged by a network that begins at the weights
# of a network of its teacher.
FIRST_SEED = 1_000_000
# Images that are augmented at a time.
AT_ONCE = 1_024


def train_teacher(
    store: Store,
    split: pd.DataFrame,
    trainer: ScratchTrainer,
    networks: int,
    folder: Path,
    max_memory: int | None = None,
) -> TeacherRecord:
    """Train the networks of a teacher, and save them as folder/seed-1000000.keras and so on.

    Parameters
    ----------
    store : Store
    split : DataFrame
    trainer : ScratchTrainer
        Made for the images and the classes of the store.
    networks : int
        How many.
    folder : Path
    max_memory : int, optional
        Bytes that the images may take; None: half of the free memory.
    """
    limit = memory.available() if max_memory is None else max_memory
    train = training_images(split)
    stored = StoredImages(store, train["image_id"])
    images = in_memory_if_it_fits(stored, trainer.bytes_of(stored), limit, "the training images")
    _, held_out_labels, held_out = validation_images(store, split)
    seeds = [FIRST_SEED + number for number in range(networks)]
    seconds, accuracies = 0.0, []
    for seed in seeds:
        run = trainer.train(
            images,
            train["label"].to_numpy(),
            held_out,
            held_out_labels,
            seed,
            weights_of(train),
            name=f"the teacher, seed {seed}",
        )
        seconds += run.train_seconds
        accuracies.append(run.history[-1]["validation_accuracy"])
        logger.info("Teacher, seed %d: validation accuracy %.4f", seed, accuracies[-1])
        with atomic_path(_network(folder, seed)) as temporary:
            run.model.save(temporary)
    return TeacherRecord(seeds, len(train), seconds, float(np.mean(accuracies)))


def networks_of(folder: Path, record: TeacherRecord) -> list[Path]:
    """The files that `train_teacher` wrote to a folder, all of them.

    Raises
    ------
    PetiteError
        If one is missing: the mean over the others is another teacher.
    """
    paths = [_network(folder, seed) for seed in record.seeds]
    for path in paths:
        if not path.is_file():
            raise PetiteError(
                f"{path} is missing, a network of the teacher: put it back, or delete {folder} to "
                "train the teacher again, and rerun"
            )
    return paths


def _network(folder: Path, seed: int) -> Path:
    return folder / f"seed-{seed}.keras"


class Teacher:
    """The trained networks of a teacher.

    Parameters
    ----------
    models : sequence of Path
        See `networks_of`.
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
        logits = (predict_logits(one, images, rows, self._flips) for one in self._networks)
        found = [metrics.from_logits(one / temperature) for one in logits]
        mean: NDArray[np.float64] = np.mean(found, axis=0)
        return mean


class ImagesToLabel(NamedTuple):
    """The images that a teacher is asked about, and the names that their labels get."""

    names: list[str]
    images: Images


def stored_to_label(store: Store, split: pd.DataFrame) -> ImagesToLabel:
    """All training images, as the store has them."""
    ids = training_images(split)["image_id"].tolist()
    return ImagesToLabel(ids, StoredImages(store, ids))


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
    names, images = asked
    if not views:
        found = teacher.probabilities(images, temperature)[:, None]
    else:
        drawn = Views.of(names, views, settings.augmentation)
        found = np.concatenate(
            [
                _of_views(teacher, images, drawn, views, temperature, rows)
                for rows in np.array_split(np.arange(len(names)), -(-len(names) // AT_ONCE))
            ]
        )
    rounded = found.astype(np.float16)
    return SoftLabels(np.array(names), rounded, views, temperature, record, settings.augmentation)


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
