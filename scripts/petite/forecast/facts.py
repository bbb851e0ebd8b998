"""What a forecast knows of a run: its images, its settings and its jobs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from petite.selection.estimate import Entry
from petite.training.judges import FineTuneSettings
from petite.training.settings import TrainingSettings


@dataclass(frozen=True)
class PlannedJob:
    """A job of a run, as Snakemake planned it.

    Attributes
    ----------
    number : int
    rule : str
        Or another rule that takes as long.
    method, fraction : str, float
        Those of its subset; "" and 1 if it has none.
    seeds : int
        How many seeds it does,
    first : int
        and the first of them.
    space : str
        Of a job that makes features; the encoding of one that encodes; the name of a figure.
    threads : int
    memory : float
        Bytes that it needs at most.
    needs : tuple of int
        Numbers of the jobs whose files it reads.
    is_due : bool
        Not done yet.
    judge : str
        "" for jobs of none.
    images : int
        How many it reads, if not those of the data set; 0 for those.
    """

    number: int
    rule: str
    method: str = ""
    fraction: float = 1.0
    seeds: int = 1
    first: int = 0
    space: str = ""
    threads: int = 1
    memory: float = 0.0
    needs: tuple[int, ...] = ()
    is_due: bool = True
    judge: str = ""
    images: int = 0


def rules_due(jobs: Iterable[PlannedJob]) -> set[str]:
    """The rules of jobs that are not done yet."""
    return {job.rule for job in jobs if job.is_due}


@dataclass(frozen=True)
class Facts:
    """A data set and the settings that decide what a run over it takes.

    Attributes
    ----------
    images : int
        In the store.
    original_bytes : float
        Of all originals; 0 if unknown.
    class_sizes : tuple of int
        Training images of each class.
    tests, validations : int
        Images of these parts.
    side, channels : int
        Of the stored images.
    shards : int
    embedding : int
        Features of an image by the backbone.
    backbone_side : int
        Side of the images that it is given, in pixels.
    backbone_is_program : bool
    dimensions : int
        Features of pixels and random_conv.
    training, fine_tune, proxy : dict
        Settings of the trainings; `fine_tune` may be None.
    proxy_is_linear : bool
    pool_share : float
        Share of the training images that a probe selects from.
    entries : dict
        The methods, as `petite.selection.estimate.estimate_entries` takes them.
    growth : dict
        How many images a method adds for each image, by its label: those of augmentation.
    widths : dict
        Number of features of an image by feature space.
    partitions : int or None
    threads : int
        Of a training.
    backbone : str
        Its name.
    seen : dict
        The share of the steps that a method takes, by its label, if it sees fewer images.
    making : dict
        The settings of methods that make all of their images, by label.
    soft_predictions : int
        The predictions for each image that its soft labels take.
    byte_budget : float
        Bytes within which the run searches for an encoding; 0 for no search.
    search_judge : str
        The judge that measures for the search,
    search_side : int
        and the side of the images that it sees, in pixels.
    """

    images: int
    original_bytes: float
    class_sizes: tuple[int, ...]
    tests: int
    validations: int
    side: int
    channels: int
    shards: int
    embedding: int
    backbone_side: int
    backbone_is_program: bool
    dimensions: int
    training: Mapping[str, Any]
    fine_tune: Mapping[str, Any] | None
    proxy: Mapping[str, Any]
    proxy_is_linear: bool
    pool_share: float
    entries: Mapping[str, Entry]
    growth: Mapping[str, float]
    widths: Mapping[str, int]
    partitions: int | None = None
    threads: int = 1
    backbone: str = ""
    seen: Mapping[str, float] = field(default_factory=dict)
    making: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    soft_predictions: int = 1
    byte_budget: float = 0.0
    search_judge: str = ""
    search_side: int = 0

    @property
    def classes(self) -> int:
        return len(self.class_sizes)

    @cached_property
    def training_images(self) -> int:
        return sum(self.class_sizes)

    @cached_property
    def training_settings(self) -> TrainingSettings:
        return TrainingSettings.model_validate(self.training)

    @cached_property
    def fine_tuning(self) -> FineTuneSettings:
        return FineTuneSettings.model_validate(self.fine_tune or {})

    @cached_property
    def not_for_probes(self) -> set[str]:
        """The labels of methods that a probe does not judge."""
        return {*(one for one, share in self.growth.items() if share), *self.making, *self.seen}

    def subset_rows(self, fraction: float) -> int:
        """How many images a subset has."""
        return max(self.classes, round(fraction * self.training_images))
