"""Methods made of a score and a sampler: how hard each image is, and which of them to keep.

Scores are higher for harder images. Those of training (`TRAINING_SCORES`) come from a proxy run
and are given to `select`; those of geometry are worked out from the features. A sampler takes the
hardest, the easiest, the middle, or some of all. Every named method here is a pair of the two with
defaults of its own, and any other pair is a matter of settings.
"""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from pydantic import Field, create_model, model_validator

from petite.selection.arguments import in_reach
from petite.selection.base import (
    TRAINING_SCORES,
    Choice,
    Cost,
    Group,
    Method,
    MethodSettings,
    Traits,
)
from petite.selection.methods.clusters import kmeans
from petite.selection.similarities import FLOAT, neighbors

ScoreName = Literal[
    "el2n",
    "grand",
    "forgetting",
    "aum",
    "least_confidence",
    "margin",
    "entropy",
    "prototype_distance",
    "mean_distance",
]
SamplerName = Literal["top", "bottom", "median", "ccs", "d2"]
# Scores up to this can be subtracted and added up in float64.
SCORES_IN_REACH = 1e150
# Which settings belong to which sampler or score.
BELONGS_TO = {
    "bins": "ccs",
    "hardest_dropped": "ccs",
    "neighbors": "d2",
    "damping": "d2",
    "clusters": "prototype_distance",
}


class ScoreSettings(MethodSettings):
    """Settings of every pair of a score and a sampler."""

    score: ScoreName = Field("el2n", description="measure of how hard an image is")
    sampler: SamplerName = Field(
        "top",
        description="top: the hardest; bottom: the easiest; median: nearest to the median score; "
        "ccs: stratified over the range of scores; d2: hard and diverse",
    )
    shuffled: bool = Field(False, description="permute the scores among the images, as a control")
    bins: int = Field(
        50, ge=1, description="ccs: number of equal-width bins over the range of scores"
    )
    hardest_dropped: float = Field(
        0.1, ge=0, lt=1, description="ccs: fraction of the hardest images to exclude"
    )
    neighbors: int = Field(5, ge=1, description="d2: neighbors per image in the graph")
    damping: float = Field(
        1.0, gt=0, description="d2: decay of a neighbor's influence with distance"
    )
    clusters: int = Field(5, ge=1, description="prototype_distance: KMeans clusters in each class")

    @model_validator(mode="after")
    def _each_setting_has_its_piece(self) -> "ScoreSettings":
        own = type(self).model_fields
        for name in sorted(self.model_fields_set & set(BELONGS_TO)):
            if getattr(self, name) == own[name].default:
                continue
            piece = BELONGS_TO[name]
            if piece not in (self.sampler, self.score):
                kind = "score" if piece == "prototype_distance" else "sampler"
                given = self.score if kind == "score" else self.sampler
                raise ValueError(
                    f"{name}: is for the {kind} '{piece}', and this {kind} is '{given}': "
                    f"set {kind}: {piece}, or leave {name} out"
                )
        return self


def choose(group: Group, settings: ScoreSettings) -> Choice:
    """Score the group and sample by the score. Extra column: score."""
    score = _score(group, settings)
    if settings.shuffled:
        score = group.random.permutation(score)
    # Where scores are equal, chance decides.
    lot = group.random.permutation(group.size)
    order = _SAMPLERS[settings.sampler](group, in_reach(score, SCORES_IN_REACH), lot, settings)
    return Choice(order, extra={"score": score[order]})


def _score(group: Group, settings: ScoreSettings) -> np.ndarray:
    """(m,) float64, higher is harder."""
    if settings.score in TRAINING_SCORES:
        assert group.scores is not None
        return group.scores
    assert group.features is not None
    if settings.score == "prototype_distance":
        return np.sqrt(kmeans(group, min(settings.clusters, group.size))[1].astype(np.float64))
    centered = group.features - group.features.mean(axis=0)
    return np.sqrt(np.vecdot(centered, centered).astype(np.float64))


def _by(key: np.ndarray, lot: np.ndarray) -> np.ndarray:
    """Positions by ascending key, equals by lot."""
    return lot[np.argsort(key[lot], kind="stable")]


def top(group: Group, score: np.ndarray, lot: np.ndarray, settings: ScoreSettings) -> np.ndarray:
    """The k hardest."""
    return _by(-score, lot)[: group.k]


def bottom(group: Group, score: np.ndarray, lot: np.ndarray, settings: ScoreSettings) -> np.ndarray:
    """The k easiest."""
    return _by(score, lot)[: group.k]


def median(group: Group, score: np.ndarray, lot: np.ndarray, settings: ScoreSettings) -> np.ndarray:
    """The k nearest to the median score (Xia and others 2023, "Moderate Coreset")."""
    return _by(np.abs(score - np.median(score)), lot)[: group.k]


def ccs(group: Group, score: np.ndarray, lot: np.ndarray, settings: ScoreSettings) -> np.ndarray:
    """Drop the hardest, then the same number from each part of the range of scores.

    Coverage-centric selection, Zheng and others 2023, algorithm 1: the emptiest bin is served
    first, with an even share of what is left, or all it has. So many of the hardest are dropped
    that k are left.
    """
    dropped = min(int(settings.hardest_dropped * group.size), group.size - group.k)
    eligible = _by(score, lot)[: group.size - dropped]
    values = score[eligible]
    low, high = values.min(), values.max()
    if high > low:
        part = ((values - low) / (high - low) * settings.bins).astype(np.int64)
        part = np.minimum(part, settings.bins - 1)
    else:
        part = np.zeros(len(values), np.int64)
    numbers, sizes = np.unique(part, return_counts=True)
    shuffled = group.random.permutation(len(eligible))
    chosen, left = [], group.k
    for done, number in enumerate(numbers[np.argsort(sizes, kind="stable")]):
        members = shuffled[part[shuffled] == number]
        share = left // (len(numbers) - done)
        chosen.append(members[:share])
        left -= len(chosen[-1])
    return eligible[group.random.permutation(np.concatenate(chosen))]


def d2(group: Group, score: np.ndarray, lot: np.ndarray, settings: ScoreSettings) -> np.ndarray:
    """Hard images that are unlike each other: Maharana, Yadav, Bansal 2024, "D2 Pruning".

    On the graph of nearest neighbors each image's score first gains its neighbors' scores, by
    nearness; then the highest is taken, and its neighbors lose by nearness what it had. Nearness
    is exp(-damping * squared distance), distances in units of the mean one in the graph, so that
    one damping fits all features; the paper has one for each of the two passes.
    """
    assert group.features is not None
    if group.size == 1:
        return np.zeros(1, np.int64)
    near, distance = neighbors(
        group.features, min(settings.neighbors, group.size - 1), group.block_bytes
    )
    squared = distance.astype(np.float64) ** 2
    nearness = np.exp(-settings.damping * squared / (squared.mean() or 1.0))
    # From 0 to 1: an image with a score below 0 would lift its neighbors when it is taken.
    value = score - score.min()
    value /= value.max() or 1.0
    value = value + (nearness * value[near]).sum(axis=1)
    value = value[lot]
    position = np.argsort(lot)
    order = np.empty(group.k, np.int64)
    for place in range(group.k):
        best = int(np.argmax(value))
        order[place] = image = lot[best]
        taken, value[best] = value[best], -np.inf
        value[position[near[image]]] -= nearness[image] * taken
    return order


_SAMPLERS: dict[str, Callable[[Group, np.ndarray, np.ndarray, Any], np.ndarray]] = {
    "top": top,
    "bottom": bottom,
    "median": median,
    "ccs": ccs,
    "d2": d2,
}


def traits(settings: ScoreSettings) -> Traits:
    """What the pair of score and sampler needs."""
    training = settings.score in TRAINING_SCORES
    return Traits(
        features="any" if settings.sampler == "d2" or not training else None,
        scores=settings.score if training else None,
        ranks=settings.sampler != "ccs",
        two_stage=settings.sampler == "d2",
    )


def cost(m: int, k: int, d: int, settings: ScoreSettings) -> Cost:
    """Sorting, and for d2 the graph of neighbors."""
    if settings.sampler == "d2":
        return Cost(
            products=m * m * d,
            elements=16 * m * m,
            steps=8 * k,
            memory=FLOAT * 2 * m * d + 40 * m * min(m, settings.neighbors),
            blocks=4 * FLOAT * m * m,
        )
    elements, steps, memory = 200.0 * m, 300.0, 50.0 * m
    if settings.sampler == "ccs":
        elements += 8 * m * settings.bins
    if settings.score == "mean_distance":
        elements, memory = elements + 4 * m * d, memory + FLOAT * 2 * m * d
    elif settings.score not in TRAINING_SCORES:
        elements += 20 * m * (d + 4 * settings.clusters)
        steps, memory = 6_000, memory + FLOAT * 3 * m * d
    return Cost(elements=elements, steps=steps, memory=memory)


def _method(name: str, score: str, sampler: str) -> Method:
    """A named pair: the common settings with defaults of its own."""
    fields = ScoreSettings.model_fields
    settings = create_model(
        f"{name} settings",
        __base__=ScoreSettings,
        score=(ScoreName, Field(score, description=fields["score"].description)),
        sampler=(SamplerName, Field(sampler, description=fields["sampler"].description)),
    )
    return Method(name=name, settings=settings, traits=traits, cost=cost, choose=choose)


METHODS = tuple(
    _method(name, score, sampler)
    for name, score, sampler in (
        ("el2n", "el2n", "top"),
        ("grand", "grand", "top"),
        ("forgetting", "forgetting", "top"),
        ("aum", "aum", "top"),
        ("uncertainty", "least_confidence", "top"),
        ("ccs", "aum", "ccs"),
        ("d2", "forgetting", "d2"),
        ("prototype_easy", "prototype_distance", "bottom"),
        ("prototype_hard", "prototype_distance", "top"),
        ("moderate", "mean_distance", "median"),
        ("score", "el2n", "top"),
    )
)
