"""Methods that match or cover a class as a whole, one image at a time.

These are `k_center_greedy`, `herding` and `zcore`.
"""

import numpy as np
from pydantic import Field

from petite.selection.base import Choice, Cost, Group, Method, MethodSettings, Traits
from petite.selection.similarities import FLOAT, one_thread


class KCenterGreedy(MethodSettings):
    """`k_center_greedy` has no settings."""


@one_thread
def k_center_greedy(group: Group, settings: KCenterGreedy) -> Choice:
    """Choose, at each step, the image farthest from those already chosen.

    The largest distance of any image to its nearest chosen one is at most twice the smallest
    possible (Gonzalez 1985). The first is the image nearest to the class's mean, unless images are
    kept.

    References
    ----------
    Sener, Savarese: "Active Learning for Convolutional Neural Networks: A Core-Set Approach",
    ICLR 2018.
    Gonzalez: "Clustering to Minimize the Maximum Intercluster Distance", 1985.
    """
    points = _centered(group)
    squares = np.vecdot(points, points)
    order = group.started()
    if not len(group.kept):
        order[0] = np.argmin(squares)
    distance = np.full(group.size, np.inf, np.float32)
    for place in range(1, group.k):
        last = order[place - 1]
        to_last = points @ (-2 * points[last])
        to_last += squares
        to_last += squares[last]
        np.minimum(distance, to_last, out=distance)
        distance[last] = -np.inf
        if place >= len(group.kept):
            order[place] = np.argmax(distance)
    return Choice(order)


class Herding(MethodSettings):
    """`herding` has no settings."""


@one_thread
def herding(group: Group, settings: Herding) -> Choice:
    """Choose, at each step, the image that brings the mean of the chosen nearest to the class's.

    As used by iCaRL; each image is chosen at most once.

    References
    ----------
    Welling: "Herding Dynamical Weights to Learn", ICML 2009.
    Rebuffi, Kolesnikov, Sperl, Lampert: "iCaRL: Incremental Classifier and Representation
    Learning", CVPR 2017.
    """
    points = _centered(group)
    # With the mean at 0, the next image minimizes |sum + x|^2, that is 2 sum.x + x.x.
    squares = np.vecdot(points, points)
    total = points[group.kept].sum(axis=0, dtype=np.float64)
    squares[group.kept] = np.inf
    order = group.started()
    for place in range(len(group.kept), group.k):
        length = points @ (2 * total).astype(np.float32)
        length += squares
        order[place] = best = np.argmin(length)
        squares[best] = np.inf
        total += points[best]
    return Choice(order)


class ZCore(MethodSettings):
    """Settings of `zcore`."""

    samples: float = Field(10.0, gt=0, description="number of points drawn per image")
    planes: int = Field(200, ge=1, description="number of pairs of features to draw points in")
    neighbors: int = Field(
        10, ge=1, description="number of neighbors that a covered image penalizes"
    )


def zcore(group: Group, settings: ZCore) -> Choice:
    """Score by coverage minus redundancy in random pairs of features.

    A point is drawn on a plane of two features, from triangular distributions between the smallest
    and the largest value with the mode at the median. The score of the nearest image rises by 1.
    Its neighbors share a loss of 1 in proportion to the inverse fourth power of their distance to
    it. The paper searches all images for each point and shares the loss among 1,000 neighbors, of
    which those beyond the tenth get a few hundredths. Here a tree searches each plane for many
    points at once. The paper ranks all images, here each class is ranked separately.

    References
    ----------
    Griffin, Marks, Corso: "Zero-Shot Coreset Selection: Efficient Pruning for Unlabeled Data",
    2024.
    """
    from scipy.spatial import cKDTree

    assert group.features is not None
    features = group.features
    score = group.random.random(group.size)
    dimensions = features.shape[1]
    low, middle, high = (
        features.min(axis=0),
        np.median(features, axis=0),
        features.max(axis=0),
    )
    varying = np.flatnonzero(high > low)
    points = max(1, round(settings.samples * group.size / settings.planes))
    near = min(settings.neighbors, group.size - 1)
    for _ in range(settings.planes if near and len(varying) else 0):
        chosen = group.random.choice(varying, min(2, dimensions, len(varying)), replace=False)
        plane = features[:, chosen].astype(np.float64)
        tree = cKDTree(plane)
        drawn = group.random.triangular(
            low[chosen], middle[chosen], high[chosen], (points, len(chosen))
        )
        covered = tree.query(drawn, p=1)[1]
        score += np.bincount(covered, minlength=group.size)
        images, times = np.unique(covered, return_counts=True)
        # The image itself is among its neighbors, at distance 0, and so are its duplicates.
        distance, others = tree.query(plane[images], k=near + 1, p=1)
        loss = np.maximum(distance, 1e-9 * (high - low)[chosen].sum()) ** -4.0
        loss[others == images[:, None]] = 0
        loss *= (times / np.maximum(loss.sum(axis=1), 1e-300))[:, None]
        score -= np.bincount(others.ravel(), loss.ravel(), minlength=group.size)
    return Choice(np.argsort(-score, kind="stable")[: group.k])


def _centered(group: Group) -> np.ndarray:
    """The features minus their mean, weighted by mass: float32 (m, d)."""
    assert group.features is not None
    mean = np.average(group.features, axis=0, weights=group.mass)
    return group.features - mean.astype(np.float32)


def _greedy_cost(m: int, k: int, d: int, settings: MethodSettings) -> Cost:
    return Cost(
        products=0,
        elements=k * m * (d / 8 + 3),
        steps=8 * k,
        memory=FLOAT * (3 * m * d + 4 * m) + 40 * m,
    )


def _zcore_cost(m: int, k: int, d: int, settings: ZCore) -> Cost:
    drawn = settings.samples * m
    near = settings.neighbors
    return Cost(
        elements=settings.planes * m * 400 + drawn * (4_500 + 650 * near),
        steps=60 * settings.planes,
        memory=FLOAT * m * d + 100 * m + drawn / settings.planes * near * 48,
    )


METHODS = (
    Method(
        name="k_center_greedy",
        settings=KCenterGreedy,
        traits=lambda settings: Traits(
            features="any", ranks=True, chance=False, two_stage=True, complements=True
        ),
        cost=_greedy_cost,
        choose=k_center_greedy,
    ),
    Method(
        name="herding",
        settings=Herding,
        traits=lambda settings: Traits(
            features="any", ranks=True, chance=False, two_stage=True, complements=True
        ),
        cost=_greedy_cost,
        choose=herding,
    ),
    Method(
        name="zcore",
        settings=ZCore,
        traits=lambda settings: Traits(features="any", ranks=True),
        cost=_zcore_cost,
        choose=zcore,
    ),
)
