"""A checked request for a selection, with its quotas, groups and partitions."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from petite.selection import arguments, partitions
from petite.selection.arguments import Seed
from petite.selection.base import TRAINING_SCORES, Group, Method, MethodSettings, Traits
from petite.selection.cost import MOST_BLOCK_BYTES, MOST_HELD_BYTES, stages
from petite.selection.quota import (
    GROUP,
    evenly,
    places,
    shares,
    strata_of,
    weights_of,
    with_every_group,
    with_least,
    without_first,
)
from petite.util import memory
from petite.util.errors import PetiteError
from petite.util.formatting import byte_size
from petite.util.seeds import generator

# NumPy's defaults: a caller may have set underflow to raise an error.
as_usual = np.errstate(divide="warn", over="warn", under="ignore", invalid="warn")


@dataclass(frozen=True)
class Request:
    """A request for k of n images by a method. All of it is checked.

    A method that looks at all classes at once gets the request itself, and uses its `features`,
    `labels`, `k`, `quotas` and `generator`.

    Attributes
    ----------
    method : Method
    settings : MethodSettings
        The method's own.
    traits : Traits
        Those of the method with these settings.
    features : ndarray of float32, shape (n, d), or None
        Finite; None if the method needs none.
    scores : ndarray of float64, shape (n,), or None
        Finite, higher is harder; None if the method needs none.
    labels : ndarray of int64, shape (n,)
        The class of each image as a number.
    classes : ndarray of int64, shape (n,)
        The position of the label of each image among the sorted labels. For the quota "group" the
        groups of each class take the place of the classes, here and in `sizes` and `weights`.
    class_of : ndarray of int64, shape (c,)
        The class of each of these.
    sizes : ndarray of int64, shape (c,)
        Images of each class.
    weights : ndarray of float64, shape (c,)
        The weight of each class in the quota.
    kept : ndarray of int64, shape (p,)
        Images that are selected in any case, ascending.
    k : int
        How many images to select with the kept ones, 1 to n.
    quota : str
        How k is divided among the classes.
    seed : int
    partitions : int
        Number of partitions of large classes; 1 for none.
    memory : float or None
        The predicted peak memory in bytes; None if unknown.
    block_bytes, hold_bytes : int
        See `petite.selection.base.Group`.
    """

    method: Method
    settings: MethodSettings
    traits: Traits
    features: np.ndarray | None
    scores: np.ndarray | None
    labels: np.ndarray
    classes: np.ndarray
    class_of: np.ndarray
    sizes: np.ndarray
    weights: np.ndarray
    kept: np.ndarray
    k: int
    quota: str
    seed: int
    partitions: int
    memory: float | None
    block_bytes: int
    hold_bytes: int

    @property
    def order(self) -> np.ndarray:
        """The order of the classes for ties, (c,) int64."""
        if not self.traits.chance:
            return np.arange(len(self.sizes))
        order = self.generator("classes").permutation(len(self.sizes))
        return order[evenly(self.class_of[order])] if self.quota == GROUP else order

    @cached_property
    def quotas(self) -> np.ndarray:
        """How many images of each class to select, (c,) int64."""
        if self.traits.ranks:
            return np.bincount(self.places[: self.k], minlength=len(self.sizes))
        return _quotas(self.kept_sizes, self.class_of, self.sizes, self.weights, self.k)

    @cached_property
    def kept_sizes(self) -> np.ndarray:
        """How many images of each class are kept in any case, (c,) int64."""
        return np.bincount(self.classes[self.kept], minlength=len(self.sizes))

    @cached_property
    def places(self) -> np.ndarray:
        """The class of each place of the ranking, (n,) or (k,) int64.

        The kept images come first, and take the first places of their classes. If k is large
        enough, every class is among the first k, however rare.
        """
        if self.traits.ranks:
            mixed = self._after_kept(places(self.sizes, self.weights, self.order))
            # For the quota "group": if there is no room for all groups, then for all classes.
            for groups in (mixed, self.class_of[mixed]):
                others = np.setdiff1d(groups, groups[: len(self.kept)])
                if self.k >= len(self.kept) + len(others):
                    first = with_every_group(groups, self.k)
                    return np.append(mixed[first], np.delete(mixed, first))
            return mixed
        quotas = self.quotas
        some = np.flatnonzero(quotas)
        mixed = places(quotas[some], quotas[some].astype(float), np.argsort(self.order[some]))
        return self._after_kept(some[mixed])

    def _after_kept(self, mixed: np.ndarray) -> np.ndarray:
        """The classes of the kept images, and then the other places of an order, int64."""
        return np.concatenate([self.classes[self.kept], without_first(mixed, self.kept_sizes)])

    def generator(self, *purpose: str) -> np.random.Generator:
        """The random stream of this method and seed for a purpose."""
        return generator(self.seed, "selection", self.method.name, *purpose)

    @cached_property
    def members(self) -> list[np.ndarray]:
        """The images of each class, (m,) int64 each."""
        return np.split(np.argsort(self.classes, kind="stable"), np.cumsum(self.sizes)[:-1])

    def group(self, number: int, images: np.ndarray, k: int, *purpose: str) -> Group:
        """Some images of a class in ascending order, of which the method selects k.

        They include the kept ones of the class. Of a part of the others, these represent its share
        of themselves.
        """
        is_kept = np.isin(images, self.kept)
        first, others = self.kept_sizes[number], self.sizes[number] - self.kept_sizes[number]
        mass = np.ones(len(images))
        mass[is_kept] = (len(images) - first) / others if others else 1
        return Group(
            features=None if self.features is None else self.features[images],
            scores=None if self.scores is None else self.scores[images],
            mass=mass,
            kept=np.flatnonzero(is_kept),
            k=k,
            random=self.generator(str(number), *purpose),
            block_bytes=self.block_bytes,
            hold_bytes=self.hold_bytes,
        )

    @cached_property
    def parts(self) -> list[list[np.ndarray]]:
        """The images of each partition of each class, ascending; each has all kept ones."""
        found = []
        for number, members in enumerate(self.members):
            is_kept = np.isin(members, self.kept)
            kept, others = members[is_kept], members[~is_kept]
            parts = partitions.parts_of(
                len(others), self.partitions, self.partition_seed, str(number)
            )
            found.append([np.union1d(kept, others[part]) for part in parts])
        return found

    @property
    def partition_seed(self) -> int:
        """The seed of the partitions; 0 for deterministic methods, which run once for all seeds."""
        return self.seed if self.traits.chance else 0


@as_usual
def checked_request(
    method: Method,
    settings: MethodSettings,
    features: ArrayLike | None,
    labels: ArrayLike,
    k: int,
    seed: Seed,
    scores: ArrayLike | Mapping[str, ArrayLike] | None,
    quota: str,
    class_errors: Mapping[Any, float] | None,
    wanted_partitions: int | None,
    max_memory: int | None,
    kept: ArrayLike | None = None,
    groups: ArrayLike | None = None,
) -> Request:
    """Check the arguments of a selection and convert them for the methods.

    Parameters
    ----------
    method, settings
        See `petite.selection.registry`.
    features, labels, k, seed, scores, quota, class_errors, max_memory, kept, groups
        As `petite.selection.select` takes them.
    wanted_partitions : int or None
        The argument `partitions` of `select`.

    Returns
    -------
    Request

    Raises
    ------
    PetiteError
        If an argument is not valid, or the memory is not enough.
    """
    numbers, names = arguments.class_labels(labels)
    k = arguments.whole_number("k", k, 1, len(numbers), of=" of images")
    quota = arguments.text("quota", quota)
    if wanted_partitions is not None:
        wanted_partitions = arguments.whole_number("partitions", wanted_partitions, 1)
    limit: float = memory.available()
    if max_memory is not None:
        wanted = arguments.whole_number(
            "max_memory", max_memory, 1, of=" of bytes (6 GB are 6_000_000_000)"
        )
        limit = min(wanted, sys.maxsize)
    traits = method.traits(settings)
    _, classes, sizes = np.unique(numbers, return_inverse=True, return_counts=True)
    class_of = np.arange(len(sizes))
    if quota == GROUP:
        classes, class_of = strata_of(classes, _group_column(groups, len(numbers), method))
        sizes = np.bincount(classes)
    start = arguments.positions("kept", kept, len(numbers), k)
    if len(start) and method.choose_whole and not traits.complements:
        raise PetiteError(f"'{method.name}' cannot keep images that are given. Pass no kept")
    checked = checked_scores = None
    if traits.features:
        checked = arguments.feature_matrix(features, len(numbers), method.name)
    elif features is not None:
        arguments.check_rows(features, len(numbers))
    if traits.scores:
        sign = TRAINING_SCORES[traits.scores]
        checked_scores = arguments.score_column(
            scores, traits.scores, sign, len(numbers), method.name
        )
    count = partitions.how_many(method, settings, sizes, wanted_partitions)
    class_errors = arguments.errors_by_label(class_errors)
    weights = weights_of(quota, sizes, names, class_errors)
    width = 0 if checked is None else checked.shape[1]
    kept_sizes = np.bincount(classes[start], minlength=len(sizes))
    quotas = _quotas(kept_sizes, class_of, sizes, weights, k)
    costs = stages(method, settings, sizes, quotas, width, count, kept_sizes)
    need = max((cost.memory for cost in costs), default=0.0)
    if need > limit:
        raise PetiteError(
            f"'{method.name}' needs {byte_size(need)} for {k} of {len(numbers)} images, "
            f"but may use {byte_size(limit)}. "
            + (
                "Raise max_memory, use more partitions, or select fewer images."
                if traits.two_stage
                else "Raise max_memory or use another method."
            )
        )
    block = int(min(MOST_BLOCK_BYTES, max(2**20, (limit - need) / 2)))
    pairs = int(max((cost.pairs for cost in costs), default=0))
    held = pairs if pairs <= min(MOST_HELD_BYTES, limit - need - block) else 0
    return Request(
        method=method,
        settings=settings,
        traits=traits,
        features=checked,
        scores=checked_scores,
        labels=numbers,
        classes=classes,
        class_of=class_of,
        sizes=sizes,
        weights=weights,
        kept=start,
        k=k,
        quota=quota,
        seed=arguments.random_seed(seed),
        partitions=count,
        memory=need + block + held if costs else None,
        block_bytes=block,
        hold_bytes=held,
    )


def _group_column(groups: ArrayLike | None, n: int, method: Method) -> np.ndarray:
    """The groups for the quota "group", each image without a name in a group of its own: (n,)."""
    if method.choose_whole:
        raise PetiteError(
            f"'{method.name}' divides each class itself, so it has no quota 'group'. Use another "
            "method or quota"
        )
    if groups is None:
        raise PetiteError(
            "the quota 'group' needs the group of each image. Set split.groups, or give the table "
            "of labels a column group"
        )
    return arguments.group_numbers(groups, n)


def _quotas(
    kept: np.ndarray, class_of: np.ndarray, sizes: np.ndarray, weights: np.ndarray, k: int
) -> np.ndarray:
    """How many images of each class to select, with at least the kept ones: (c,) int64.

    For the quota "group", a class without a kept image has at least one, if k is large enough.
    """
    _, first = np.unique(class_of, return_index=True)
    least = kept.copy()
    least[first[np.bincount(class_of, kept) == 0]] = 1
    return with_least(
        least if least.sum() <= k else kept,
        k,
        lambda some, rest: shares(sizes[some], weights[some], rest),
    )
