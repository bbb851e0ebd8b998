"""What all selection methods share: the task they are given, what they answer, and the ranking."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from petite.seeds import generator


class MethodSettings(BaseModel):
    """Settings of a method: every field has a default and a description; others are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Task:
    """A checked question to a method: which k of these n images?

    features: (n, d) float32 or float64, finite; None where the method needs none.
    labels: (n,) int64.
    k: how many to choose, 1 to n.
    seed: of the selection.
    method: the method's name.
    """

    features: np.ndarray | None
    labels: np.ndarray
    k: int
    seed: int
    method: str

    def generator(self, *purpose: str) -> np.random.Generator:
        """The random stream of this method and seed for a purpose."""
        return generator(self.seed, "selection", self.method, *purpose)


@dataclass(frozen=True)
class Choice:
    """What a method answers.

    indices: (k,) the chosen images in order, each once.
    weights: (k,) float64, or None where all weigh the same.
    extra: further columns, one value for each chosen image.
    details: anything else worth keeping, as JSON can hold it.
    """

    indices: np.ndarray
    weights: np.ndarray | None = None
    extra: dict[str, np.ndarray] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """A selection method as the registry knows it.

    name: as in config.yaml.
    settings: the model of its settings.
    choose: answers a task.
    needs_features: whether `Task.features` must be given.
    ranks: True where the smaller selections are the prefixes of the one of all images, so that it
        is run once for a seed; False where it is run for each size.
    deterministic: whether the seed makes no difference.
    """

    name: str
    settings: type[MethodSettings]
    choose: Callable[[Task, Any], Choice]
    needs_features: bool
    ranks: bool
    deterministic: bool

    @property
    def module(self) -> str:
        """The file in petite/selection that the method is written in, without its suffix."""
        return self.choose.__module__.rsplit(".", 1)[-1]


@dataclass(frozen=True)
class Ranking:
    """Chosen images in order.

    indices: (k,) int64, positions in the given arrays, all different, best first.
    weights: (k,) float64, 1 where the method gives none.
    extra: further columns, each (k,).
    details: what else the method tells, as JSON can hold it.
    method, seed, settings: what was asked.
    seconds: how long the selection took.
    """

    indices: np.ndarray
    weights: np.ndarray
    extra: dict[str, np.ndarray]
    details: dict[str, Any]
    method: str
    seed: int
    settings: dict[str, Any]
    seconds: float
