"""From a question on arrays to a ranking: checks, quotas, partitions, and the method itself."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from petite import memory
from petite.errors import PetiteError
from petite.seeds import generator
from petite.selection import partitions
from petite.selection.base import Choice, Group, Method, Ranking, Task, Traits
from petite.selection.estimate import MOST_BLOCK_BYTES, MOST_HELD_BYTES, stages
from petite.selection.quota import places, shares, weights_of, with_every_group

# Features whose largest is neither so large nor so small can be squared and added up in float32.
IN_REACH = 1e12


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
    memory: float
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


def ask(
    method: Method,
    settings: Any,
    features: np.ndarray | None,
    labels: np.ndarray,
    k: int,
    seed: int,
    scores: np.ndarray | Mapping[str, np.ndarray] | None,
    quota: str,
    class_errors: Mapping[int, float] | None,
    wanted_partitions: int | None,
    max_memory: int | None,
) -> Question:
    """Check everything that a selection is given. Raises PetiteError; see `select`."""
    labels = _labels(labels)
    if not 1 <= k <= len(labels):
        raise PetiteError(f"{k} images asked for: it must be 1 to {len(labels)}, all there are")
    if seed < 0:
        raise PetiteError(f"seed is {seed}: it must be 0 or more")
    if wanted_partitions is not None and wanted_partitions < 1:
        raise PetiteError(f"partitions is {wanted_partitions}: it must be 1 or more")
    traits = method.traits(settings)
    names, classes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    checked = _features(features, len(labels), method.name) if traits.features else None
    checked_scores = _scores(scores, traits.scores, len(labels), method.name)
    count = partitions.how_many(method, settings, sizes, wanted_partitions)
    limit = memory.available() if max_memory is None else max_memory
    weights = weights_of(quota, sizes, names, class_errors)
    width = 0 if checked is None else checked.shape[1]
    costs = stages(method, settings, sizes, shares(sizes, weights, k), width, count)
    need = max(cost.memory for cost in costs)
    if need > limit:
        raise PetiteError(
            f"'{method.name}' would need {memory.in_words(need)} for {k} of {len(labels)} images "
            f"and may take {memory.in_words(limit)}: "
            + (
                "raise max_memory, set more partitions, or choose fewer images"
                if traits.two_stage
                else "raise max_memory or choose another method"
            )
        )
    block = int(min(MOST_BLOCK_BYTES, max(2**20, (limit - need) / 2)))
    pairs = int(max(cost.pairs for cost in costs))
    held = pairs if pairs <= min(MOST_HELD_BYTES, limit - need - block) else 0
    return Question(
        method=method,
        settings=settings,
        traits=traits,
        features=checked,
        scores=checked_scores,
        labels=labels,
        classes=classes,
        sizes=sizes,
        weights=weights,
        k=int(k),
        quota=quota,
        seed=int(seed),
        partitions=count,
        memory=need + block + held,
        block_bytes=block,
        hold_bytes=held,
    )


def answer(question: Question) -> Ranking:
    """Run the method and put what it chose in order."""
    started = time.perf_counter()
    if question.method.choose_whole:
        choice = _whole(question)
    elif question.partitions == 1:
        choice = _by_class(question, _one_stage)
    else:
        found = [first_stage(question, part) for part in range(question.partitions)]
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


def _labels(labels: np.ndarray) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.ndim != 1 or len(labels) == 0 or not np.issubdtype(labels.dtype, np.integer):
        raise PetiteError(
            f"labels must be whole numbers of shape (n,), n >= 1; they are {labels.dtype} "
            f"of shape {labels.shape}"
        )
    return labels.astype(np.int64)


def _features(features: np.ndarray | None, count: int, method: str) -> np.ndarray:
    if features is None:
        raise PetiteError(f"'{method}' compares images by their features: give some")
    features = np.asarray(features)
    if features.ndim != 2 or len(features) != count or features.shape[1] == 0:
        raise PetiteError(
            f"features must have shape ({count}, d), a row for each label and d >= 1; "
            f"theirs is {features.shape}"
        )
    if features.dtype not in (np.float32, np.float64):
        raise PetiteError(f"features must be float32 or float64; they are {features.dtype}")
    with np.errstate(over="ignore"):
        single = np.ascontiguousarray(features, np.float32)
    bad = np.flatnonzero(~np.isfinite(single).all(axis=1))
    if len(bad):
        raise PetiteError(
            f"the features of {len(bad)} images are not finite (NaN, infinity, or beyond "
            f"float32), the first in row {bad[0]}"
        )
    return _in_reach(single)


def _in_reach(features: np.ndarray) -> np.ndarray:
    """The features, by a power of two nearer to 1 where their squares would leave float32.

    Which images are alike does not change by it.
    """
    largest = float(np.abs(features).max())
    if largest == 0 or 1 / IN_REACH < largest < IN_REACH:
        return features
    return np.ldexp(features, -int(np.log2(largest)))


def _scores(
    scores: np.ndarray | Mapping[str, np.ndarray] | None,
    wanted: str | None,
    count: int,
    method: str,
) -> np.ndarray | None:
    """The scores that the method wants, higher for harder images, or None where it wants none."""
    from petite.selection.scores import TRAINING_SCORES

    if wanted is None:
        return None
    if scores is None:
        raise PetiteError(
            f"'{method}' chooses by the score '{wanted}': give scores, an array or a mapping from "
            "names to arrays, as petite.training.proxy makes them"
        )
    if isinstance(scores, Mapping):
        if wanted not in scores:
            raise PetiteError(
                f"'{method}' needs the score '{wanted}'; those given are {', '.join(scores)}"
            )
        values = TRAINING_SCORES[wanted] * np.asarray(scores[wanted], np.float64)
    else:
        values = np.asarray(scores, np.float64)
    if values.shape != (count,):
        raise PetiteError(
            f"scores must have shape ({count},), one for each label; theirs is {values.shape}"
        )
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise PetiteError(
            f"the scores of {len(bad)} images are not finite, the first in row {bad[0]}"
        )
    return values
