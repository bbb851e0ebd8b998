"""The interface of selection methods: their inputs, results, costs and traits.

A method is written in one of two ways. Most select within a group of images, a class or a part of
one, and need not handle classes, quotas and partitions (`Method.choose`). A few look at all classes
at once (`Method.choose_whole`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypedDict

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
    """Settings of a method. Every field has a default and a description."""


class StepParams(TypedDict):
    """A step of a selection, in the parameters of jobs.

    `space` is None for a method that compares no features. `share` is the number of images after
    the step, relative to the requested number.
    """

    method: str
    settings: dict[str, Any]
    quota: str
    space: str | None
    share: float


@dataclass(frozen=True)
class Group:
    """The input of a method: m images of one class, of which it selects k. All are checked.

    Attributes
    ----------
    features : ndarray of float32, shape (m, d), or None
        Finite; None if the method needs none.
    scores : ndarray of float64, shape (m,), or None
        Finite, higher is harder; None if the method needs none.
    mass : ndarray of float64, shape (m,)
        How many images each one represents: 1, or more for the candidates of a first stage.
    k : int
        How many to select, 1 to m, with the kept ones.
    random : numpy.random.Generator
        The random stream of this method, seed and class.
    block_bytes : int
        How much memory a block may use.
    hold_bytes : int
        How much memory the similarities of all pairs may use.
    kept : ndarray of int64, shape (p,)
        Positions of images that are selected in any case, ascending; p is at most k.
    """

    features: np.ndarray | None
    scores: np.ndarray | None
    mass: np.ndarray
    k: int
    random: np.random.Generator
    block_bytes: int
    hold_bytes: int = 0
    kept: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def size(self) -> int:
        """The number of images."""
        return len(self.mass)

    @property
    def rest(self) -> np.ndarray:
        """Positions of the images that are not kept in any case, ascending int64."""
        return np.delete(np.arange(self.size), self.kept)

    def started(self) -> np.ndarray:
        """An order of k images, int64 (k,), that begins with the kept ones; the others are 0."""
        order = np.zeros(self.k, np.int64)
        order[: len(self.kept)] = self.kept
        return order

    def after_kept(self, order: np.ndarray) -> np.ndarray:
        """The kept images and then the first others of an order of all images, int64 (k,)."""
        others = order[~np.isin(order, self.kept)]
        return np.concatenate([self.kept, others])[: self.k]

    def part(self, members: np.ndarray, k: int) -> "Group":
        """Restrict the group to some members, int64 ascending, from which k are selected."""
        return replace(
            self,
            features=None if self.features is None else self.features[members],
            scores=None if self.scores is None else self.scores[members],
            mass=self.mass[members],
            k=k,
            kept=np.flatnonzero(np.isin(members, self.kept)),
        )


@dataclass(frozen=True)
class Choice:
    """The result of a method.

    Attributes
    ----------
    indices : ndarray of int, shape (k,)
        The selected images in order, without duplicates; of a group, the kept ones first.
    weights : ndarray of float64, shape (k,), or None
        None if all are equal.
    extra : dict from str to ndarray of shape (k,)
        Further columns, one value for each selected image.
    details : dict
        Anything else for the record, as JSON values.
    """

    indices: np.ndarray
    weights: np.ndarray | None = None
    extra: dict[str, np.ndarray] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """The cost of a method for one group, in units of the machine's three speeds.

    Attributes
    ----------
    products : float
        Multiply-adds in matrix products.
    elements : float
        Array elements processed outside of them (float32, by simple operations).
    steps : float
        Iterations of Python loops.
    memory : float
        Bytes that it needs at once, including the features.
    blocks : float
        Bytes that it processes in blocks, as many at a time as fit.
    pairs : float
        Bytes of the similarities of all pairs, if it is faster with them in memory. It recomputes
        them if they are too many.
    """

    products: float = 0.0
    elements: float = 0.0
    steps: float = 0.0
    memory: float = 0.0
    blocks: float = 0.0
    pairs: float = 0.0


@dataclass(frozen=True)
class Traits:
    """What a method with its settings needs and guarantees.

    Attributes
    ----------
    features : {None, "any", "gradients"}
        "any" for any feature space; "gradients" if it only makes sense in that space.
    scores : str or None
        The name of the score that it needs and cannot compute from the features.
    labels : bool
        Whether the classes decide what it selects beyond their quotas, so that it cannot select
        from images without labels.
    ranks : bool
        True if smaller selections are prefixes of larger ones, so that it runs once per seed; False
        if it runs for each size.
    chance : bool
        Whether the result depends on the seed.
    two_stage : bool
        Whether large classes are divided into partitions: it selects candidates from each, and
        then from the candidates. False if the time is about linear in the number of images, or if
        the method cannot be divided.
    part : int
        Images per partition by default. Larger ones gain little and take longer.
    complements : bool
        Whether it selects images that complement the kept ones. If not, it selects from the others
        as if nothing were kept.
    """

    features: str | None = None
    scores: str | None = None
    labels: bool = False
    ranks: bool = False
    chance: bool = True
    two_stage: bool = False
    part: int = 4_096
    complements: bool = False


@dataclass(frozen=True)
class Method:
    """A selection method, as an entry of the registry.

    Attributes
    ----------
    name : str
        As in config.yaml.
    settings : type of MethodSettings
        The class of its settings.
    traits : callable
        Its traits, from its settings.
    cost : callable, optional
        The cost of selecting k of m images with d features: (m, k, d, settings). None if unknown:
        then there is no estimate, and the memory limit is not checked.
    choose : callable, optional
        Selects within a group.
    choose_whole : callable, optional
        Selects over all classes. Exactly one of the two is given.
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

    def chosen(self, group: Group, settings: MethodSettings) -> Choice:
        """Select within a group, with the kept images first.

        A method that does not complement them sees the other images only. In its extra columns,
        the kept images are NaN or -1.
        """
        assert self.choose is not None
        first = len(group.kept)
        if not first or self.traits(settings).complements:
            return self.choose(group, settings)
        if first == group.k:
            return Choice(group.kept)
        rest = group.rest
        choice = self.choose(group.part(rest, group.k - first), settings)
        weights = choice.weights
        return Choice(
            np.concatenate([group.kept, rest[choice.indices]]),
            None if weights is None else np.concatenate([group.mass[group.kept], weights]),
            {
                name: np.concatenate(
                    [
                        np.full(first, np.nan if column.dtype.kind == "f" else -1, column.dtype),
                        column,
                    ]
                )
                for name, column in choice.extra.items()
            },
        )


@dataclass(frozen=True)
class Ranking:
    """The result of a selection: the selected images in order.

    Attributes
    ----------
    indices : ndarray of int64, shape (k,)
        Positions in the given arrays, best first, without duplicates.
    weights : ndarray of float64, shape (k,)
        1 if the method gives none.
    extra : dict from str to ndarray of shape (k,)
        Further columns.
    details : dict
        Anything else that the method returns, as JSON values.
    method, seed, settings, quota, partitions
        The arguments of the selection.
    seconds : float
        How long the selection took.
    memory : float or None
        The predicted peak memory in bytes. None if the cost of the method is unknown.
    kept : int
        How many were to be kept in any case. They come first, in ascending order.
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
    kept: int = 0
