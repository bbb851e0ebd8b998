"""From a question on arrays to a ranking: checks, quotas, partitions, and the method itself."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from petite.selection import arguments, partitions
from petite.selection.arguments import Seed
from petite.selection.base import TRAINING_SCORES, Choice, Group, Method, Ranking, Task, Traits
from petite.selection.cost import MOST_BLOCK_BYTES, MOST_HELD_BYTES, stages
from petite.selection.quota import places, shares, weights_of, with_every_group
from petite.util import memory
from petite.util.errors import PetiteError
from petite.util.formatting import byte_size
from petite.util.seeds import generator

# NumPy's own: a caller may have asked for an error where a small number becomes 0.
as_usual = np.errstate(divide="warn", over="warn", under="ignore", invalid="warn")


@dataclass(frozen=True)
class Question:
    """A checked question: which k of these n images, by which method?

    features: (n, d) float32 or None; scores: (n,) float64, higher is harder, or None.
    classes: (n,) int64, the position of each image's label among the labels in order.
    sizes: (c,) int64, images of each class; weights: (c,) float64, what the quota gives it.
    """

    method: Method
    settings: Any
    traits: Traits
    features: np.ndarray | None
    scores: np.ndarray | None
    labels: np.ndarray
    classes: np.ndarray
    sizes: np.ndarray
    weights: np.ndarray
    k: int
    quota: str
    seed: int
    partitions: int
    memory: float | None
    block_bytes: int
    hold_bytes: int

    @property
    def order(self) -> np.ndarray:
        """Which class comes first among equals, (c,) int64."""
        if not self.traits.chance:
            return np.arange(len(self.sizes))
        return self.generator("classes").permutation(len(self.sizes))

    @cached_property
    def quotas(self) -> np.ndarray:
        """How many images of each class, (c,) int64."""
        if self.traits.ranks:
            return np.bincount(self.places[: self.k], minlength=len(self.sizes))
        return shares(self.sizes, self.weights, self.k)

    @cached_property
    def places(self) -> np.ndarray:
        """The class of each place of the ranking, (n,) or (k,) int64.

        Where k is enough, every class is among the first k, however rare.
        """
        if self.traits.ranks:
            mixed = places(self.sizes, self.weights, self.order)
            if self.k < len(self.sizes):
                return mixed
            first = with_every_group(mixed, self.k)
            return np.append(mixed[first], np.delete(mixed, first))
        quotas = shares(self.sizes, self.weights, self.k)
        some = np.flatnonzero(quotas)
        mixed = places(quotas[some], quotas[some].astype(float), np.argsort(self.order[some]))
        return some[mixed]

    def generator(self, *purpose: str) -> np.random.Generator:
        """The random stream of this method and seed for a purpose."""
        return generator(self.seed, "selection", self.method.name, *purpose)

    @cached_property
    def members(self) -> list[np.ndarray]:
        """The images of each class, (m,) int64 each."""
        return [np.flatnonzero(self.classes == number) for number in range(len(self.sizes))]

    def group(self, number: int, images: np.ndarray, k: int, *purpose: str) -> Group:
        """The method's question about some images of a class."""
        return Group(
            features=None if self.features is None else self.features[images],
            scores=None if self.scores is None else self.scores[images],
            mass=np.ones(len(images)),
            k=k,
            random=self.generator(str(number), *purpose),
            block_bytes=self.block_bytes,
            hold_bytes=self.hold_bytes,
        )

    @cached_property
    def parts(self) -> list[list[np.ndarray]]:
        """The partitions of each class, as images."""
        return [
            [
                members[part]
                for part in partitions.parts_of(
                    len(members), self.partitions, self.partition_seed, str(number)
                )
            ]
            for number, members in enumerate(self.members)
        ]

    @property
    def partition_seed(self) -> int:
        """The seed of the partitions; a method without chance in it chooses once for all seeds."""
        return self.seed if self.traits.chance else 0


@as_usual
def ask(
    method: Method,
    settings: Any,
    features: ArrayLike | None,
    labels: ArrayLike,
    k: int,
    seed: Seed,
    scores: ArrayLike | Mapping[str, ArrayLike] | None,
    quota: str,
    class_errors: Mapping[Any, float] | None,
    wanted_partitions: int | None,
    max_memory: int | None,
) -> Question:
    """Check everything that a selection is given. Raises PetiteError; see `select`."""
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
    costs = stages(method, settings, sizes, shares(sizes, weights, k), width, count)
    need = max((cost.memory for cost in costs), default=0.0)
    if need > limit:
        raise PetiteError(
            f"'{method.name}' would need {byte_size(need)} for {k} of {len(numbers)} images "
            f"and may take {byte_size(limit)}: "
            + (
                "raise max_memory, set more partitions, or choose fewer images"
                if traits.two_stage
                else "raise max_memory or choose another method"
            )
        )
    block = int(min(MOST_BLOCK_BYTES, max(2**20, (limit - need) / 2)))
    pairs = int(max((cost.pairs for cost in costs), default=0))
    held = pairs if pairs <= min(MOST_HELD_BYTES, limit - need - block) else 0
    return Question(
        method=method,
        settings=settings,
        traits=traits,
        features=checked,
        scores=checked_scores,
        labels=numbers,
        classes=classes,
        sizes=sizes,
        weights=weights,
        k=k,
        quota=quota,
        seed=arguments.random_seed(seed),
        partitions=count,
        memory=need + block + held if costs else None,
        block_bytes=block,
        hold_bytes=held,
    )


@as_usual
def answer(question: Question) -> Ranking:
    """Run the method and put what it chose in order."""
    started = time.perf_counter()
    if question.method.choose_whole:
        choice = _whole(question)
    elif question.partitions == 1:
        choice = _by_class(question, _one_stage)
    else:
        parts = min(question.partitions, int(question.sizes.max()))
        found = [first_stage(question, part) for part in range(parts)]
        return second_stage(question, found, time.perf_counter() - started)
    return _ranking(question, choice, time.perf_counter() - started)


def first_stage(question: Question, part: int) -> Choice:
    """The candidates of one partition (from 0) of every class, with how many each stands for."""
    found = []
    for number, k in enumerate(question.quotas.tolist()):
        parts = question.parts[number]
        if k and part < len(parts):
            images = parts[part]
            wanted = partitions.candidates_wanted(k, len(images), int(question.sizes[number]))
            group = question.group(number, images, wanted, "part", str(part))
            choice = partitions.candidates(group, question.method, question.settings)
            found.append(Choice(images[choice.indices], choice.weights))
    nothing = Choice(np.empty(0, np.int64), np.empty(0))
    return Choice(*_together([nothing, *found]))


def _together(choices: list[Choice]) -> tuple[np.ndarray, np.ndarray]:
    """The images of several choices, and their weights."""
    return (
        np.concatenate([choice.indices for choice in choices]),
        np.concatenate([choice.weights for choice in choices if choice.weights is not None]),
    )


def second_stage(question: Question, found: list[Choice], seconds: float) -> Ranking:
    """The ranking from the candidates of all partitions.

    seconds: what the first stage took; the ranking's are those of both.
    """
    started = time.perf_counter()
    indices, mass = _together(found)

    def merge(question: Question, number: int, k: int) -> tuple[np.ndarray, Choice]:
        members = question.members[number]
        group = question.group(number, members, k, "merge")
        mine = question.classes[indices] == number
        # Members are in order, so that a search gives an image's place in its class.
        candidates = Choice(np.searchsorted(members, indices[mine]), mass[mine])
        return members, partitions.merge(
            group,
            candidates,
            question.method,
            question.settings,
            question.partition_seed,
            str(number),
        )

    choice = _by_class(question, merge)
    return _ranking(question, choice, seconds + time.perf_counter() - started)


def _one_stage(question: Question, number: int, k: int) -> tuple[np.ndarray, Choice]:
    members = question.members[number]
    group = question.group(number, members, k)
    assert question.method.choose is not None
    return members, question.method.choose(group, question.settings)


def _whole(question: Question) -> Choice:
    assert question.method.choose_whole is not None
    return question.method.choose_whole(
        Task(
            features=question.features,
            labels=question.labels,
            k=question.k,
            class_quotas=shares(question.sizes, question.weights, question.k),
            seed=question.seed,
            method=question.method.name,
        ),
        question.settings,
    )


def _by_class(question: Question, choose: Any) -> Choice:
    """Choose within every class that has a quota, and put the classes' images in their places."""
    place = question.places[: question.k]
    indices = np.empty(question.k, np.int64)
    weights: np.ndarray | None = None
    extra: dict[str, np.ndarray] = {}
    for number in np.unique(place):
        here = np.flatnonzero(place == number)
        members, choice = choose(question, int(number), len(here))
        indices[here] = members[choice.indices]
        if choice.weights is not None:
            weights = np.ones(question.k) if weights is None else weights
            weights[here] = choice.weights
        for name, column in choice.extra.items():
            extra.setdefault(name, np.empty(question.k, column.dtype))[here] = column
    return Choice(indices, weights, extra)


def _ranking(question: Question, choice: Choice, seconds: float) -> Ranking:
    k, name = question.k, question.method.name
    indices = np.asarray(choice.indices, np.int64)
    if indices.shape != (k,) or len(np.unique(indices)) != k:
        raise RuntimeError(f"'{name}' did not choose {k} different images: a fault in the method")
    weights = np.ones(k) if choice.weights is None else np.asarray(choice.weights, np.float64)
    return Ranking(
        indices=indices,
        weights=weights,
        extra=choice.extra,
        details=choice.details,
        method=name,
        seed=question.seed,
        settings=question.settings.model_dump(mode="json"),
        quota=question.quota,
        partitions=question.partitions,
        seconds=seconds,
        memory=question.memory,
    )
