"""Methods that combine a score, the difficulty of each image, with a sampler that chooses by it.

Scores are higher for harder images. Training scores (`TRAINING_SCORES`) come from the proxy's
training and are passed to `select`. Geometric scores are computed from the features. A sampler
chooses the hardest, the easiest, the middle, or some of all. Every named method here is a pair of
score and sampler with its own defaults. Other pairs are possible by settings.
"""

from collections.abc import Callable
from typing import Literal

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
# The scores that need no label of an image: of the answers of a trained proxy, or by clusters.
WITHOUT_LABELS = {"least_confidence", "margin", "entropy", "prototype_distance"}
# Scores up to this can be subtracted and added in float64 without overflow.
SCORES_IN_REACH = 1e150
# The sampler or score that each setting belongs to.
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
    """Score the images and choose by the score. Extra column: score."""
    score = _score(group, settings)
    if settings.shuffled:
        score = group.random.permutation(score)
    # Breaks ties between equal scores at random.
    tie = group.random.permutation(group.size)
    order = _SAMPLERS[settings.sampler](group, in_reach(score, SCORES_IN_REACH), tie, settings)
    return Choice(order, extra={"score": score[order]})


def _score(group: Group, settings: ScoreSettings) -> np.ndarray:
    """The score of each image, float64 (m,); higher is harder."""
    if settings.score in TRAINING_SCORES:
        assert group.scores is not None
        return group.scores
    assert group.features is not None
    if settings.score == "prototype_distance":
        return np.sqrt(kmeans(group, min(settings.clusters, group.size))[1].astype(np.float64))
    centered = group.features - group.features.mean(axis=0)
    return np.sqrt(np.vecdot(centered, centered).astype(np.float64))


def _by(key: np.ndarray, tie: np.ndarray) -> np.ndarray:
    """Positions by ascending key; `tie`, a permutation, is the order of equal keys."""
    return tie[np.argsort(key[tie], kind="stable")]


def top(group: Group, score: np.ndarray, tie: np.ndarray, settings: ScoreSettings) -> np.ndarray:
    """The k hardest images."""
    return _by(-score, tie)[: group.k]


def bottom(group: Group, score: np.ndarray, tie: np.ndarray, settings: ScoreSettings) -> np.ndarray:
    """The k easiest images."""
    return _by(score, tie)[: group.k]


def median(group: Group, score: np.ndarray, tie: np.ndarray, settings: ScoreSettings) -> np.ndarray:
    """The k images nearest to the median score.

    References
    ----------
    Xia, Liu, Yu, Shen, Han, Liu: "Moderate Coreset: A Universal Method of Data Selection for
    Real-world Data-efficient Deep Learning", ICLR 2023.
    """
    return _by(np.abs(score - np.median(score)), tie)[: group.k]


def ccs(group: Group, score: np.ndarray, tie: np.ndarray, settings: ScoreSettings) -> np.ndarray:
    """Drop the hardest images, then sample the same number from each bin of scores.

    The smallest bin comes first and gives an equal share of the remaining budget, or all of its
    images (algorithm 1 of the reference). No more images are dropped than leave k.

    References
    ----------
    Zheng, Liu, Lai, Prakash: "Coverage-centric Coreset Selection for High Pruning Rates",
    ICLR 2023.
    """
    dropped = min(int(settings.hardest_dropped * group.size), group.size - group.k)
    eligible = _by(score, tie)[: group.size - dropped]
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


def d2(group: Group, score: np.ndarray, tie: np.ndarray, settings: ScoreSettings) -> np.ndarray:
    """Choose hard images that differ from each other.

    On the graph of nearest neighbors, each image's score first rises by its neighbors' scores times
    their nearness. Then, at each step, the image with the highest score is chosen, and its
    neighbors lose its score times their nearness. Kept images are the first ones chosen. Nearness
    is exp(-damping * squared distance), where the mean squared distance in the graph is 1, so that
    one damping fits all features. The paper has one damping for each of the two passes.

    References
    ----------
    Maharana, Yadav, Bansal: "D2 Pruning: Message Passing for Balancing Diversity and Difficulty in
    Data Pruning", ICLR 2024.
    """
    assert group.features is not None
    if group.size == 1:
        return np.zeros(1, np.int64)
    near, distance = neighbors(
        group.features, min(settings.neighbors, group.size - 1), group.block_bytes
    )
    squared = distance.astype(np.float64) ** 2
    nearness = np.exp(-settings.damping * squared / (squared.mean() or 1.0))
    # From 0 to 1: choosing an image with a score below 0 would raise its neighbors' scores.
    value = score - score.min()
    value /= value.max() or 1.0
    value = value + (nearness * value[near]).sum(axis=1)
    value = value[tie]
    position = np.argsort(tie)
    order = group.started()
    for place in range(group.k):
        if place >= len(group.kept):
            order[place] = tie[np.argmax(value)]
        image = order[place]
        best = position[image]
        # Those before may have left it a value below 0, which its neighbors would gain.
        taken, value[best] = max(value[best], 0.0), -np.inf
        value[position[near[image]]] -= nearness[image] * taken
    return order


_SAMPLERS: dict[str, Callable[[Group, np.ndarray, np.ndarray, ScoreSettings], np.ndarray]] = {
    "top": top,
    "bottom": bottom,
    "median": median,
    "ccs": ccs,
    "d2": d2,
}


def traits(settings: ScoreSettings) -> Traits:
    """Traits of the pair of score and sampler."""
    training = settings.score in TRAINING_SCORES
    return Traits(
        features="any" if settings.sampler == "d2" or not training else None,
        scores=settings.score if training else None,
        labels=settings.score not in WITHOUT_LABELS,
        ranks=settings.sampler != "ccs",
        two_stage=settings.sampler == "d2",
        complements=settings.sampler == "d2",
    )


def cost(m: int, k: int, d: int, settings: ScoreSettings) -> Cost:
    """Cost of sorting, and for d2 of the graph of neighbors."""
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
    """A named pair: the common settings with its own defaults."""
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
