"""Soft labels of training images: the class probabilities of a teacher, as a file of float16."""

import argparse
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from petite.data.container import PROBABILITY_BYTES
from petite.training.augment import Augmentation
from petite.training.batches import SoftTargets, Views
from petite.util.errors import PetiteError
from petite.util.files import atomic_path, read_json, write_json


@dataclass(frozen=True)
class TeacherRecord:
    """How a teacher was trained.

    Attributes
    ----------
    seeds : list of int
        Of its networks, none of which a subset is judged with; empty for a probe, which has none.
    images : int
        How many it was trained on.
    seconds : float
        Of the training of all its networks.
    validation_accuracy : float
        The mean over its networks; NaN without validation images.
    """

    seeds: list[int]
    images: int
    seconds: float
    validation_accuracy: float


class SoftColumns(TypedDict):
    """More columns of runs with soft labels; `soft_label_bytes` is a part of `stored_bytes`."""

    teacher_seconds: float
    soft_label_bytes: list[int]


@dataclass(frozen=True)
class SoftLabels:
    """The soft labels of all training images.

    Attributes
    ----------
    image_ids : ndarray of str, shape (n,)
    probabilities : ndarray of float16, shape (n, max(views, 1), classes)
        They add up to 1, but for rounding.
    views : int
        How many views of each image have a label of their own, see
        `petite.training.batches.Views`; 0: the image has one label.
    temperature : float
        That of the probabilities.
    teacher : TeacherRecord
    """

    image_ids: NDArray[np.str_]
    probabilities: NDArray[np.float16]
    views: int
    temperature: float
    teacher: TeacherRecord

    @property
    def bytes_per_image(self) -> int:
        """The bytes of an image's soft labels in a file."""
        return self.probabilities.shape[1] * self.probabilities.shape[2] * PROBABILITY_BYTES

    def of(self, image_ids: Iterable[str]) -> NDArray[np.float16]:
        """The soft labels of some images, (m, views, classes).

        Raises
        ------
        PetiteError
            For an image that has none.
        """
        wanted = pd.Index(list(image_ids))
        rows = pd.Index(self.image_ids).get_indexer(wanted)
        if (rows < 0).any():
            raise PetiteError(
                f"there is no soft label of '{wanted[rows < 0][0]}': delete soft_labels/ and rerun"
            )
        return self.probabilities[rows]

    def targets(self, origins: Iterable[str], augmentation: Augmentation) -> SoftTargets:
        """What training needs of them.

        Parameters
        ----------
        origins : iterable of str
            The images of a subset, in the order of its rows. A copy that is made by a recipe has
            the label of its original.
        augmentation : Augmentation
            As in training.
        """
        origins = list(origins)
        views = Views.of(origins, self.views, augmentation) if self.views else None
        return SoftTargets(self.of(origins), views)

    def columns(self, subsets: Iterable[pd.DataFrame]) -> SoftColumns:
        """What runs on subsets cost in labels; `subsets` have the column origin."""
        counts = [subset["origin"].nunique() for subset in subsets]
        return {
            "teacher_seconds": self.teacher.seconds,
            "soft_label_bytes": [count * self.bytes_per_image for count in counts],
        }

    def write(self, path: Path) -> None:
        """Write them as .npz, and what they are as .json next to it."""
        with atomic_path(path) as temporary:
            np.savez(temporary, image_ids=self.image_ids, probabilities=self.probabilities)
        write_json(
            path.with_suffix(".json"),
            {"views": self.views, "temperature": self.temperature, "teacher": asdict(self.teacher)},
        )

    @classmethod
    def read(cls, path: Path) -> "SoftLabels":
        """Read what `write` wrote."""
        record = read_json(path.with_suffix(".json"))
        with np.load(path) as found:
            return cls(
                found["image_ids"],
                found["probabilities"],
                record["views"],
                record["temperature"],
                TeacherRecord(**record["teacher"]),
            )


def with_soft_columns(runs: pd.DataFrame, columns: SoftColumns) -> pd.DataFrame:
    """The table of runs with what their soft labels cost, which `stored_bytes` then contains."""
    runs = runs.assign(**columns)
    runs["stored_bytes"] += runs["soft_label_bytes"]
    return runs


def add_soft_labels(parser: argparse.ArgumentParser) -> None:
    """Add the argument of a judge that trains on soft labels."""
    parser.add_argument("--soft-labels", type=Path, help="those of all training images")


def soft_labels(args: argparse.Namespace) -> SoftLabels | None:
    """The soft labels that the arguments name; None for hard ones."""
    return SoftLabels.read(args.soft_labels) if args.soft_labels else None
