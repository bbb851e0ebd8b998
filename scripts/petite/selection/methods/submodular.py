"""Greedy maximization of set functions: `facility_location`, `graph_cut`, `k_dpp` and `craig`.

The gain of adding an image never grows with the set (submodularity). For monotone functions the
greedy set then reaches at least 1 - 1/e of the largest possible value (Nemhauser, Wolsey, Fisher
1978).
"""

from dataclasses import replace

import numpy as np
from pydantic import Field

from petite.selection.base import Choice, Cost, Group, Method, MethodSettings, Traits
from petite.selection.similarities import CACHE_BYTES, FLOAT, Similarity, one_thread
from petite.util.blocks import slices

ROUNDING = 1e-5  # relative error of sums of float32


class FacilityLocation(MethodSettings):
    """`facility_location` has no settings."""


@one_thread
def facility_location(group: Group, settings: FacilityLocation) -> Choice:
    """Maximize the sum, over all images, of the similarity to the nearest chosen one.

    References
    ----------
    Wei, Iyer, Bilmes: "Submodularity in Data Subset Selection and Active Learning", ICML 2015.
    """
    assert group.features is not None
    return Choice(greedy_cover(Similarity(group.features, hold_bytes=group.hold_bytes), group)[0])


class Craig(MethodSettings):
    """`craig` has no settings."""


@one_thread
def craig(group: Group, settings: Craig) -> Choice:
    """Facility location over gradients; the weights are the numbers of images represented.

    The features are the gradients of the last layer.

    References
    ----------
    Mirzasoleiman, Bilmes, Leskovec: "Coresets for Data-efficient Training of Machine Learning
    Models", ICML 2020.
    """
    assert group.features is not None
    order, best = greedy_cover(Similarity(group.features, "distance", group.hold_bytes), group)
    place = np.empty(group.size, np.int64)
    place[order] = np.arange(group.k)
    return Choice(order, weights=np.bincount(place[best], group.mass, minlength=group.k))


def greedy_cover(similarity: Similarity, group: Group) -> tuple[np.ndarray, np.ndarray]:
    """Choose images greedily by facility location. Of images with equal gains the first is chosen.

    Returns
    -------
    order : ndarray of int64, shape (k,)
        The chosen images.
    best : ndarray of int64, shape (m,)
        For each image, the most similar chosen one.

    Notes
    -----
    The evaluation is lazy (Minoux 1978). Gains never grow, so old gains are upper bounds, and only
    those of images with a high bound are recomputed. In each step few images change their nearest
    chosen one. The resulting losses of all others are subtracted from their bounds, so that hardly
    any gain is recomputed.
    """
    size, mass = len(similarity), group.mass.astype(np.float32)
    cover = np.zeros(size, np.float32)
    best = np.zeros(size, np.int64)
    order = group.started()
    bounds = (1 + ROUNDING) * similarity.sums(group.mass, group.block_bytes)
    block_bytes = min(CACHE_BYTES, group.block_bytes)
    exact_at = np.full(size, -1)  # the step for which an image's bound is exact
    for place in range(group.k):
        image = int(order[place])
        while place >= len(group.kept) and exact_at[image := int(np.argmax(bounds))] != place:
            bounds[image] = np.maximum(similarity.row(image) - cover, 0) @ mass
            exact_at[image] = place
        row = similarity.row(image)
        order[place] = image
        nearer = np.flatnonzero(row > cover)
        for some in slices(len(nearer), 2 * FLOAT * size, block_bytes):
            images = nearer[some]
            before, now = cover[images, None], row[images, None]
            lost = similarity.rows(images)
            np.clip(lost, before, now, out=lost)
            lost -= before
            bounds -= (1 - ROUNDING) * (mass[images] @ lost)
        bounds[image] = -np.inf
        cover[nearer] = row[nearer]
        # An image that is similar to none of the chosen belongs to the first one.
        best[nearer if place else slice(None)] = image
        best[image] = image
    return order, best


class GraphCut(MethodSettings):
    """Settings of `graph_cut`."""

    coverage: float = Field(
        2.0,
        ge=2,
        description="weight of the similarity to all images; the greedy bound needs 2 or more",
    )


@one_thread
def graph_cut(group: Group, settings: GraphCut) -> Choice:
    """Choose images similar to all images but dissimilar to each other.

    The value of a set A is `coverage` times the similarities between A and all images, minus the
    similarities within A.

    References
    ----------
    Iyer, Khargonkar, Bilmes, Asnani: "Submodular Combinatorial Information Measures with
    Applications in Machine Learning", ALT 2021; as in DeepCore (Guo, Zhao, Bai 2022).
    """
    assert group.features is not None
    similarity = Similarity(group.features, hold_bytes=group.hold_bytes)
    gain = settings.coverage * similarity.sums(group.mass, group.block_bytes)
    # Each image's similarity to itself, which is 1, counts once within A.
    gain -= 1
    order = group.started()
    for place in range(group.k):
        if place >= len(group.kept):
            order[place] = np.argmax(gain)
        chosen = int(order[place])
        gain -= 2 * similarity.row(chosen)
        gain[chosen] = -np.inf
    return Choice(order)


class KDPP(MethodSettings):
    """Settings of `k_dpp`."""

    ridge: float = Field(
        1e-3,
        gt=0,
        le=1,
        description="added to the kernel's diagonal, so that duplicates leave it invertible",
    )


@one_thread
def k_dpp(group: Group, settings: KDPP) -> Choice:
    """Maximize greedily the determinant of the similarities of the chosen images.

    This approximates the mode of a determinantal point process of k images, which are dissimilar to
    each other. Each step extends the Cholesky factor of the chosen images' kernel by one row.

    References
    ----------
    Chen, Zhang, Zhou: "Fast Greedy MAP Inference for Determinantal Point Process to Improve
    Recommendation Diversity", NeurIPS 2018.
    """
    assert group.features is not None
    # Similarities are not stored: only those of the chosen images are needed.
    similarity = Similarity(group.features)
    rows = np.empty((group.k, group.size), np.float32)
    left = np.full(group.size, 1 + settings.ridge)
    order = group.started()
    for place in range(group.k):
        if place >= len(group.kept):
            # As the first image all are equal: choose the one nearest to the mean.
            order[place] = np.argmax(left) if place else np.argmin(similarity.from_mean)
        chosen = int(order[place])
        row = similarity.row(chosen) - rows[:place, chosen] @ rows[:place]
        row /= np.sqrt(left[chosen])
        rows[place] = row
        left -= row.astype(np.float64) ** 2
        # Without rounding errors, at least the ridge remains for the others.
        np.maximum(left, settings.ridge / 2, out=left)
        left[order[: place + 1]] = -np.inf
    return Choice(order)


def _sums_cost(m: int, d: int) -> Cost:
    return Cost(
        products=m * m * d / 2,
        elements=8 * m * m,
        memory=2 * FLOAT * m * d + 60 * m,
        pairs=FLOAT * m * m,
    )


def _cover_cost(m: int, k: int, d: int, settings: MethodSettings) -> Cost:
    sums = _sums_cost(m, d)
    # How often an image gets a new nearest chosen one, in all, and how many gains are recomputed.
    changes = 0.7 * m * (1 + np.log(k))
    again = 5 * k
    return replace(sums, elements=sums.elements + m * (2 * changes + 3 * again), steps=10 * again)


def _cut_cost(m: int, k: int, d: int, settings: GraphCut) -> Cost:
    sums = _sums_cost(m, d)
    return replace(sums, elements=sums.elements + 3 * k * m, steps=12 * k)


def _dpp_cost(m: int, k: int, d: int, settings: KDPP) -> Cost:
    return Cost(
        elements=k * m * (k / 8 + d / 8 + 14),
        steps=20 * k,
        memory=FLOAT * m * (k + 2 * d) + 60 * m,
    )


METHODS = (
    Method(
        name="facility_location",
        settings=FacilityLocation,
        traits=lambda settings: Traits(
            features="any", ranks=True, chance=False, two_stage=True, complements=True
        ),
        cost=_cover_cost,
        choose=facility_location,
    ),
    Method(
        name="graph_cut",
        settings=GraphCut,
        traits=lambda settings: Traits(
            features="any", ranks=True, chance=False, two_stage=True, complements=True
        ),
        cost=_cut_cost,
        choose=graph_cut,
    ),
    Method(
        name="k_dpp",
        settings=KDPP,
        # Its time grows with the square of the number of images chosen from a part or block.
        traits=lambda settings: Traits(
            features="any",
            ranks=True,
            chance=False,
            two_stage=True,
            part=2_048,
            complements=True,
        ),
        cost=_dpp_cost,
        choose=k_dpp,
    ),
    Method(
        name="craig",
        settings=Craig,
        traits=lambda settings: Traits(
            features="gradients",
            labels=True,
            ranks=False,
            chance=False,
            two_stage=True,
            complements=True,
        ),
        cost=_cover_cost,
        choose=craig,
    ),
)
