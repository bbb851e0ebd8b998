"""Greedy maximisation of set functions: `facility_location`, `graph_cut` and `craig`.

Each image added to a set of images brings less the more there are (submodularity), and the greedy
set has at least 1 - 1/e of the largest value that is possible (Nemhauser, Wolsey, Fisher 1978).
"""

import numpy as np
from pydantic import Field

from petite.selection.base import Choice, Cost, Group, Method, MethodSettings, Traits
from petite.selection.kernels import FLOAT, Similarity

# Candidates that are worked out together. More are wasted where the first is the best at once,
# fewer make more turns.
TOGETHER = 16


class FacilityLocation(MethodSettings):
    """`facility_location` has no settings."""


def facility_location(group: Group, settings: FacilityLocation) -> Choice:
    """Each image adds the most to the sum of all images' similarity to their nearest chosen one.

    Wei, Iyer, Bilmes 2015. Lazy (Minoux 1978): what an image would add never grows, so that old
    values are upper bounds, and only images whose bound is high are worked out again.
    """
    assert group.features is not None
    return Choice(greedy_cover(Similarity(group.features), group)[0])


class Craig(MethodSettings):
    """`craig` has no settings."""


def craig(group: Group, settings: Craig) -> Choice:
    """Facility location over gradients, with the number of images that each stands for as weight.

    Mirzasoleiman, Bilmes, Leskovec 2020, on the last layer's gradients.
    """
    assert group.features is not None
    order, best = greedy_cover(Similarity(group.features, "distance"), group)
    place = np.empty(group.size, np.int64)
    place[order] = np.arange(group.k)
    return Choice(order, weights=np.bincount(place[best], group.mass, minlength=group.k))


def greedy_cover(similarity: Similarity, group: Group) -> tuple[np.ndarray, np.ndarray]:
    """The lazy greedy order of facility location.

    Returns the chosen images, (k,) int64, and for each image the chosen one most like it, (m,)
    int64. Of images that add the same the first is taken.
    """
    size, mass = len(similarity), group.mass.astype(np.float32)
    together = max(1, min(TOGETHER, group.block_bytes // (3 * FLOAT * size)))
    bound = similarity.sums(group.mass, group.block_bytes)
    cover = np.zeros(size, np.float32)
    best = np.zeros(size, np.int64)
    order = np.empty(group.k, np.int64)
    for place in range(group.k):
        chosen, gain = -1, -np.inf
        fresh = np.zeros(size, bool)
        while True:
            stale = np.where(fresh, -np.inf, bound)
            some = np.argpartition(-stale, min(together, size) - 1)[:together]
            some = some[stale[some] > -np.inf]
            # An equal bound may hide an earlier image that adds the same.
            if not len(some) or stale[some].max() < gain:
                break
            columns = similarity.to(some)
            added = mass @ np.maximum(columns - cover[:, None], 0)
            # Rounding must not lift a bound.
            bound[some] = np.minimum(bound[some], added)
            fresh[some] = True
            top = added.max()
            first = int(some[added == top].min())
            if top > gain or (top == gain and first < chosen):
                chosen, gain = first, float(top)
                column = columns[:, np.flatnonzero(some == first)[0]]
        order[place] = chosen
        nearer = column > cover
        nearer[chosen] = True
        cover[nearer] = column[nearer]
        best[nearer] = chosen
        bound[chosen] = -np.inf
    return order, best


class GraphCut(MethodSettings):
    """Settings of `graph_cut`."""

    coverage: float = Field(
        2.0, ge=2, description="weight of likeness to all; below 2 the greedy bound is lost"
    )


def graph_cut(group: Group, settings: GraphCut) -> Choice:
    """Alike to all images, unlike to those chosen (Iyer and others 2021, as in DeepCore).

    The value of a set A is coverage times the similarities between A and all images, less the
    similarities within A.
    """
    assert group.features is not None
    similarity = Similarity(group.features)
    gain = settings.coverage * similarity.sums(group.mass, group.block_bytes)
    # The image itself, once: the similarity of an image to itself is 1.
    gain -= 1
    order = np.empty(group.k, np.int64)
    for place in range(group.k):
        order[place] = chosen = int(np.argmax(gain))
        gain -= 2 * similarity.to_one(chosen)
        gain[chosen] = -np.inf
    return Choice(order)


class KDPP(MethodSettings):
    """Settings of `k_dpp`."""

    ridge: float = Field(
        1e-3, gt=0, le=1, description="added to the kernel's diagonal; keeps copies apart"
    )


def k_dpp(group: Group, settings: KDPP) -> Choice:
    """The greedy set of the largest determinant of similarities (Chen, Zhang, Zhou 2018).

    The mode of a determinantal point process of k images: all unlike each other. Each step
    extends the Cholesky factor of the chosen images' kernel by one row.
    """
    assert group.features is not None
    similarity = Similarity(group.features)
    rows = np.empty((group.k, group.size), np.float32)
    left = np.full(group.size, 1 + settings.ridge)
    order = np.empty(group.k, np.int64)
    for place in range(group.k):
        # Alone all are worth the same: begin with the one nearest to the mean.
        chosen = int(np.argmax(left) if place else np.argmin(similarity.from_mean))
        order[place] = chosen
        row = similarity.to_one(chosen)
        row[chosen] += settings.ridge
        row -= rows[:place, chosen] @ rows[:place]
        row /= np.sqrt(left[chosen])
        rows[place] = row
        left -= row.astype(np.float64) ** 2
        # The others' is the ridge at least, whatever is lost to rounding.
        np.maximum(left, settings.ridge / 2, out=left)
        left[order[: place + 1]] = -np.inf
    return Choice(order)


def _sums_cost(m: int, d: int) -> Cost:
    return Cost(products=m * m * d, elements=7 * m * m, memory=2 * FLOAT * m * d + 60 * m)


def _cover_cost(m: int, k: int, d: int, settings: MethodSettings) -> Cost:
    sums = _sums_cost(m, d)
    # Measured: one round for each image chosen, and each image some four times before bounds are
    # sharp, most of it for the first few.
    worked_out = m * (k * TOGETHER + 4 * m)
    return Cost(
        sums.products + worked_out * d,
        sums.elements + 9 * worked_out,
        40 * k + 5 * m,
        sums.memory + 4 * FLOAT * m * TOGETHER,
    )


def _cut_cost(m: int, k: int, d: int, settings: GraphCut) -> Cost:
    sums = _sums_cost(m, d)
    return Cost(sums.products, sums.elements + k * m * (d / 8 + 9), 12 * k, sums.memory)


def _dpp_cost(m: int, k: int, d: int, settings: KDPP) -> Cost:
    return Cost(
        elements=k * m * (k / 16 + d / 8 + 14),
        steps=20 * k,
        memory=FLOAT * m * (k + 2 * d) + 60 * m,
    )


METHODS = (
    Method(
        name="facility_location",
        settings=FacilityLocation,
        traits=lambda settings: Traits(features="any", ranks=True, chance=False, two_stage=True),
        cost=_cover_cost,
        choose=facility_location,
    ),
    Method(
        name="graph_cut",
        settings=GraphCut,
        traits=lambda settings: Traits(features="any", ranks=True, chance=False, two_stage=True),
        cost=_cut_cost,
        choose=graph_cut,
    ),
    Method(
        name="k_dpp",
        settings=KDPP,
        traits=lambda settings: Traits(features="any", ranks=True, chance=False, two_stage=True),
        cost=_dpp_cost,
        choose=k_dpp,
    ),
    Method(
        name="craig",
        settings=Craig,
        traits=lambda settings: Traits(
            features="gradients", ranks=False, chance=False, two_stage=True
        ),
        cost=_cover_cost,
        choose=craig,
    ),
)
