"""What all selection methods share: what they are given, what they return, what they need.

A method is written in one of two ways. Most choose within a group of images, one class or a part of
one, and know nothing of classes, quotas and partitions (`Method.choose`). A few look at all classes
at once (`Method.choose_whole`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from petite.util.validation import Strict

if TYPE_CHECKING:
    from petite.selection.request import Request

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
    """What a method is given: m images of one class, all checked, of which it chooses k.

    Attributes
    ----------
    features : ndarray of float32, shape (m, d), or None
        Finite; None where the method needs none.
    scores : ndarray of float64, shape (m,), or None
        Finite, higher is harder; None where the method needs none.
    mass : ndarray of float64, shape (m,)
        How many images each one stands for: 1, or more where a first stage has chosen these as
        candidates.
    k : int
        How many to choose, 1 to m.
    random : numpy.random.Generator
        The random stream of this method, seed and class.
    block_bytes : int
        How much memory the method's blocks may take at a time.
    hold_bytes : int
        How much it may take to hold the similarities of all pairs.
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
class Choice:
    """What a method returns.

    Attributes
    ----------
    indices : ndarray of int, shape (k,)
        The chosen images in order, each once.
    weights : ndarray of float64, shape (k,), or None
        None where all weigh the same.
    extra : dict from str to ndarray of shape (k,)
        Further columns, one value for each chosen image.
    details : dict
        Anything else worth keeping, as JSON can hold it.
    """

    indices: np.ndarray
    weights: np.ndarray | None = None
    extra: dict[str, np.ndarray] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """What a method will take for one group, in units of the machine's three speeds.

    Attributes
    ----------
    products : float
        Multiply-adds in matrix products.
    elements : float
        Array elements passed over outside of them (float32, by simple operations).
    steps : float
        Iterations of Python's own loops.
    memory : float
        Bytes that it must hold at once, its features included.
    blocks : float
        Bytes that it goes through in blocks, as many at a time as there is room for.
    pairs : float
        Bytes of the similarities of all pairs, where it is faster with them held; it does without
        where they are too many.
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

    Attributes
    ----------
    features : {None, "any", "gradients"}
        "any" for the features that it is given; "gradients" where it makes sense in that space
        only.
    scores : str or None
        The name of the score that it needs and cannot compute from the features.
    ranks : bool
        True where the smaller selections are the prefixes of the larger ones, so that it is run
        once for a seed; False where it is run for each size.
    chance : bool
        Whether the seed makes a difference.
    two_stage : bool
        Whether a large class is divided into partitions, candidates chosen from each and the
        selection from the candidates. False where the method's time grows little faster than the
        number of images, or it cannot be divided.
    part : int
        Images of a partition, where Petite decides. Larger ones gain little and take longer.
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

    Attributes
    ----------
    name : str
        As in config.yaml.
    settings : type of MethodSettings
        The class of its settings.
    traits : callable
        What it needs and promises, from its settings.
    cost : callable, optional
        Of a group of m images with d features from which k are chosen: (m, k, d, settings). None
        where it is unknown: the estimate says so, and no limit on memory is checked.
    choose : callable, optional
        Chooses within a group; or
    choose_whole : callable, optional
        chooses over all classes. One of the two is given.
    """

    name: str
    settings: type[MethodSettings]
    traits: Callable[[Any], Traits]
    cost: Callable[[int, int, int, Any], Cost] | None = None
    choose: Callable[[Group, Any], Choice] | None = None
    choose_whole: "Callable[[Request, Any], Choice] | None" = None

    @property
    def module(self) -> str:
        """The module that the method is written in, such as `petite.selection.methods.pca_grid`."""
        return (self.choose or self.choose_whole).__module__


@dataclass(frozen=True)
class Ranking:
    """The result of a selection: the chosen images in order.

    Attributes
    ----------
    indices : ndarray of int64, shape (k,)
        Positions in the given arrays, all different, best first.
    weights : ndarray of float64, shape (k,)
        1 where the method gives none.
    extra : dict from str to ndarray of shape (k,)
        Further columns.
    details : dict
        What else the method returns, as JSON can hold it.
    method, seed, settings, quota, partitions
        What was asked.
    seconds : float
        How long the selection took.
    memory : float or None
        Bytes that it was forecast to need at most. None where the method's cost is unknown.
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
