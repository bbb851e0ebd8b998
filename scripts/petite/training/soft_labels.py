"""Soft labels of training images: the class probabilities of a teacher, as a file of float16."""

import argparse
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from petite.data.container import SoftFormat
from petite.subsets.synthetic import is_whole
from petite.training.augment import NOTHING, Augmentation
from petite.training.batches import SoftTargets, Views
from petite.util.errors import PetiteError
from petite.util.files import atomic_path, read_json, write_json

# Hexadecimal digits of a recipe's digest in the name of a label.
DIGITS = 16


@dataclass(frozen=True)
class TeacherRecord:
    """How a teacher, or one of its networks, was trained.

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

    @classmethod
    def of(cls, networks: Sequence["TeacherRecord"]) -> "TeacherRecord":
        """That of a teacher with these networks, all trained on the same images."""
        return cls(
            [seed for one in networks for seed in one.seeds],
            networks[0].images,
            sum(one.seconds for one in networks),
            float(np.mean([one.validation_accuracy for one in networks])),
        )


class SoftColumns(TypedDict):
    """More columns of runs with soft labels; `soft_label_bytes` is a part of `stored_bytes`."""

    teacher_seconds: float  # of its training, and of its labels
    soft_label_bytes: list[int]


@dataclass(frozen=True)
class SoftLabels:
    """The soft labels of images.

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
    augmentation : Augmentation
        Of the views.
    seconds : float
        That the teacher took for them.
    """

    image_ids: NDArray[np.str_]
    probabilities: NDArray[np.float16]
    views: int
    temperature: float
    teacher: TeacherRecord
    augmentation: Augmentation = NOTHING
    seconds: float = 0.0

    @property
    def stored(self) -> SoftFormat:
        """How a container stores them."""
        if not self.views:
            return SoftFormat(1, self.temperature)
        how = self.augmentation
        return SoftFormat(self.views, self.temperature, how.crop_padding, how.brightness)

    @property
    def bytes_per_image(self) -> int:
        """The bytes of an image's soft labels in a file."""
        return self.stored.bytes_per_image(self.probabilities.shape[2])

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

    def targets(self, subset: pd.DataFrame) -> SoftTargets:
        """Those of the rows of a subset, for training.

        Parameters
        ----------
        subset : DataFrame
            See `names_of_labels`.
        """
        names = names_of_labels(subset)
        if not self.views:
            return SoftTargets(self.of(names), None)
        views = Views.of(names, self.views, self.augmentation)
        return SoftTargets(self.of(names), views)

    def columns(self, subsets: Iterable[pd.DataFrame]) -> SoftColumns:
        """What runs on subsets cost in labels; see `names_of_labels` for `subsets`."""
        counts = [len(set(names_of_labels(subset))) for subset in subsets]
        return {
            "teacher_seconds": self.teacher.seconds + self.seconds,
            "soft_label_bytes": [count * self.bytes_per_image for count in counts],
        }

    def write(self, path: Path) -> None:
        """Write them as .npz, and what they are as .json next to it."""
        with atomic_path(path) as temporary:
            np.savez(temporary, image_ids=self.image_ids, probabilities=self.probabilities)
        about = {
            "views": self.views,
            "temperature": self.temperature,
            "teacher": asdict(self.teacher),
            "augmentation": asdict(self.augmentation),
            "seconds": self.seconds,
        }
        write_json(path.with_suffix(".json"), about)

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
                Augmentation(**record["augmentation"]),
                record["seconds"],
            )


def names_of_labels(subset: pd.DataFrame) -> list[str]:
    """The name of the soft label of each row of a subset.

    It is the image's id, and that of its original for a transformed copy. An image that a method
    makes of several, or learns, has a label of its own: its recipe is what it is, and a part of the
    name, because another seed makes another image of the same id.

    Parameters
    ----------
    subset : DataFrame
        With origin, and with image_id and recipe if some rows are made.
    """
    if "recipe" not in subset:
        return subset["origin"].tolist()
    return [
        f"{image_id}#{hashlib.sha256(recipe.encode()).hexdigest()[:DIGITS]}"
        if is_whole(recipe)
        else origin
        for image_id, origin, recipe in zip(
            subset["image_id"], subset["origin"], subset["recipe"], strict=True
        )
    ]


def joined(labels: Sequence[SoftLabels]) -> SoftLabels:
    """The labels of several files of one teacher, which may have some of them in common."""
    ids = np.concatenate([one.image_ids for one in labels])
    ids, firsts = np.unique(ids, return_index=True)
    probabilities = np.concatenate([one.probabilities for one in labels])[firsts]
    seconds = sum(one.seconds for one in labels)
    return replace(labels[0], image_ids=ids, probabilities=probabilities, seconds=seconds)


def with_soft_columns(runs: pd.DataFrame, columns: SoftColumns) -> pd.DataFrame:
    """The table of runs with what their soft labels cost, which `stored_bytes` then contains."""
    runs = runs.assign(**columns)
    runs["stored_bytes"] += runs["soft_label_bytes"]
    return runs


def add_soft_labels(parser: argparse.ArgumentParser) -> None:
    """Add the argument of a judge that trains on soft labels."""
    parser.add_argument("--soft-labels", type=Path, nargs="*", help="files with all that it needs")


def soft_labels(args: argparse.Namespace) -> SoftLabels | None:
    """The soft labels that the arguments name; None for hard ones."""
    if not args.soft_labels:
        return None
    return joined([SoftLabels.read(path) for path in args.soft_labels])
