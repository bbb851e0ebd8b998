"""What all selection methods share: the question they are given, what they answer, what they need.

A method is written in one of two ways. Most choose within a group of images, one class or a part of
one, and know nothing of classes, quotas and partitions (`Method.choose`). A few look at all classes
at once (`Method.choose_whole`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from petite.util.seeds import generator
from petite.util.validation import Strict

# The columns of the proxy's table, and their sign as difficulty: a large margin is an easy image.
TRAINING_SCORES = {
    "el2n": 1,
    "grand": 1,
    "forgetting": 1,
    "aum": -1,
    "least_confidence": 1,
    "margin": 1,
    "entropy": 1,
}


class MethodSettings(Strict):
    """Settings of a method: every field has a default and a description; others are refused."""


@dataclass(frozen=True)
class Group:
    """A checked question to a method: which k of these m images, all of one class?

    features: (m, d) float32, finite; None where the method needs none.
    scores: (m,) float64, finite, higher is harder; None where the method needs none.
    mass: (m,) float64, how many images each one stands for: 1, or more where a first stage has
        chosen these as candidates.
    k: how many to choose, 1 to m.
    random: the random stream of this method, seed and class.
    block_bytes: how much memory the method's blocks may take at a time.
    hold_bytes: how much it may take to hold the similarities of all pairs.
    """

    features: np.ndarray | None
    scores: np.ndarray | None
    mass: np.ndarray
    k: int
    random: np.random.Generator
    block_bytes: int
    hold_bytes: int = 0

    @property
    def size(self) -> int:
        """How many images there are."""
        return len(self.mass)


@dataclass(frozen=True)
class Task:
    """A checked question to a method that looks at all classes at once.

    features: (n, d) float32, finite; None where the method needs none.
    labels: (n,) int64.
    k: how many to choose, 1 to n.
    class_quotas: (c,) int64, how many of each class, in the order of np.unique(labels); their sum
        is k.
    seed: of the selection.
    method: the method's name.
    """

    features: np.ndarray | None
    labels: np.ndarray
    k: int
    class_quotas: np.ndarray
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
class Cost:
    """What a method will take for one group, in units of the machine's three speeds.

    products: multiply-adds in matrix products.
    elements: array elements passed over outside of them (float32, by simple operations).
    steps: turns of Python's own loops.
    memory: bytes that it must hold at once, its features included.
    blocks: bytes that it goes through in blocks, as many at a time as there is room for.
    pairs: bytes of the similarities of all pairs, where it is faster with them held; it does
        without where they are too many.
    """

    products: float = 0.0
    elements: float = 0.0
    steps: float = 0.0
    memory: float = 0.0
    blocks: float = 0.0
    pairs: float = 0.0


@dataclass(frozen=True)
class Traits:
    """What a method, with its settings, needs and promises.

    features: None; "any" for the features that it is given; "gradients" where it makes sense in
        that space only.
    scores: None, or the name of the score that it needs and cannot work out from the features.
    ranks: True where the smaller selections are the prefixes of the larger ones, so that it is run
        once for a seed; False where it is run for each size.
    chance: whether the seed makes a difference.
    two_stage: whether a large class is divided into partitions, candidates chosen from each and
        the selection from the candidates. False where the method's time grows little faster than
        the number of images, or it cannot be divided.
    part: images of a partition, where Petite decides. Larger ones gain little and take longer.
    """

    features: str | None = None
    scores: str | None = None
    ranks: bool = False
    chance: bool = True
    two_stage: bool = False
    part: int = 4_096


@dataclass(frozen=True)
class Method:
    """A selection method as the registry knows it.

    name: as in config.yaml.
    settings: the model of its settings.
    traits: what it needs and promises, from its settings.
    cost: of a group of m images with d features from which k are chosen: (m, k, d, settings). None
        where it is unknown: the estimate says so, and no limit on memory is checked.
    choose: chooses within a group; or
    choose_whole: chooses over all classes. One of the two is given.
    """

    name: str
    settings: type[MethodSettings]
    traits: Callable[[Any], Traits]
    cost: Callable[[int, int, int, Any], Cost] | None = None
    choose: Callable[[Group, Any], Choice] | None = None
    choose_whole: Callable[[Task, Any], Choice] | None = None

    @property
    def module(self) -> str:
        """The module that the method is written in, such as `petite.selection.methods.pca_grid`."""
        return (self.choose or self.choose_whole).__module__


@dataclass(frozen=True)
class Ranking:
    """Chosen images in order.

    indices: (k,) int64, positions in the given arrays, all different, best first.
    weights: (k,) float64, 1 where the method gives none.
    extra: further columns, each (k,).
    details: what else the method tells, as JSON can hold it.
    method, seed, settings, quota, partitions: what was asked.
    seconds: how long the selection took.
    memory: what the method was forecast to need at most, bytes; None where its cost is unknown.
    """

    indices: np.ndarray
    weights: np.ndarray
    extra: dict[str, np.ndarray]
    details: dict[str, Any]
    method: str
    seed: int
    settings: dict[str, Any]
    quota: str
    partitions: int
    seconds: float
    memory: float | None
