"""Methods that cluster the images of a class and choose by cluster.

These are `kmeans_medoid`, `cluster_random`, `typiclust` and `semdedup`. KMeans is scikit-learn's.
"""

import warnings

import numpy as np
from pydantic import Field

from petite.selection.base import Choice, Cost, Group, Method, MethodSettings, Traits
from petite.selection.quota import places
from petite.selection.similarities import FLOAT, neighbors, squared_distances
from petite.util.blocks import slices

# Iterations of KMeans. The medoids of photographs change little after ten.
ROUNDS = 10
# Up to this many clusters KMeans starts with k-means++, which finds distant clusters. For more
# clusters k-means++ takes longer than all iterations, so KMeans starts with random images.
FEW_CLUSTERS = 20
# Average number of images per cluster when near duplicates are searched for within clusters.
DEDUP_CLUSTER = 400


def kmeans(group: Group, clusters: int) -> tuple[np.ndarray, np.ndarray]:
    """Cluster a group's images by KMeans.

    Some clusters are empty if there are fewer distinct images than clusters.

    Returns
    -------
    cluster : ndarray of int64, shape (m,)
        The cluster of each image.
    distance : ndarray of float32, shape (m,)
        The squared distance of each image to the center of its cluster.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    assert group.features is not None
    start = group.random.choice(group.size, clusters, replace=False)
    estimator = KMeans(
        clusters,
        init="k-means++" if clusters <= FEW_CLUSTERS else group.features[start],
        n_init=1,
        max_iter=ROUNDS,
        random_state=int(group.random.integers(2**31)),
    )
    with warnings.catch_warnings():
        # Fewer distinct images than clusters: harmless.
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(group.features, sample_weight=group.mass)
    labels = estimator.labels_.astype(np.int64)
    difference = group.features - estimator.cluster_centers_[labels].astype(np.float32)
    return labels, np.vecdot(difference, difference)


def one_of_each_cluster(group: Group, cluster: np.ndarray, key: np.ndarray) -> np.ndarray:
    """Choose k images: the one with the smallest key of each cluster, then the second ones.

    Kept images come first in their clusters, so that the other clusters are served before these.

    Parameters
    ----------
    group : Group
        The images.
    cluster : ndarray of int, shape (m,)
        The cluster of each image. Large clusters come first.
    key : ndarray of float, shape (m,)
        The order of the images within each cluster.

    Returns
    -------
    ndarray of int64, shape (k,)
        Positions of the chosen images.
    """
    is_kept = np.isin(np.arange(group.size), group.kept)
    by_key = np.lexsort((key, ~is_kept))
    by_cluster = by_key[np.argsort(cluster[by_key], kind="stable")]
    _, starts, sizes = np.unique(cluster[by_cluster], return_index=True, return_counts=True)
    turn = np.arange(group.size) - np.repeat(starts, sizes)
    order = np.lexsort((-np.repeat(sizes, sizes), turn))
    return group.after_kept(by_cluster[order])


class KMeansMedoid(MethodSettings):
    """`kmeans_medoid` has no settings."""


def kmeans_medoid(group: Group, settings: KMeansMedoid) -> Choice:
    """Choose the image nearest to the center of each of k clusters.

    References
    ----------
    Cui, Wang, Si, Hsieh: "DC-BENCH: Dataset Condensation Benchmark", NeurIPS 2022 (kmeans-emb).
    """
    cluster, distance = kmeans(group, group.k)
    return Choice(one_of_each_cluster(group, cluster, distance))


class ClusterRandom(MethodSettings):
    """Settings of `cluster_random`."""

    clusters: int = Field(10, ge=1, description="KMeans clusters in each class")


def cluster_random(group: Group, settings: ClusterRandom) -> Choice:
    """Choose random images, from each cluster in proportion to its size.

    This is the control for methods that choose by cluster: it only covers the clusters evenly.
    """
    cluster, _ = kmeans(group, min(settings.clusters, group.size))
    _, cluster, sizes = np.unique(cluster, return_inverse=True, return_counts=True)
    place = places(sizes, sizes.astype(float), group.random.permutation(len(sizes)))
    shuffled = group.random.permutation(group.size)
    by_cluster = shuffled[np.argsort(cluster[shuffled], kind="stable")]
    order = np.empty_like(by_cluster)
    order[np.argsort(place, kind="stable")] = by_cluster
    return Choice(order[: group.k])


class TypiClust(MethodSettings):
    """Settings of `typiclust`."""

    neighbors: int = Field(
        20, ge=1, description="number of nearest images in the cluster that define density"
    )


def typiclust(group: Group, settings: TypiClust) -> Choice:
    """Choose the most typical image of each of k clusters.

    The typical image has the smallest mean distance to its nearest neighbors in the cluster. The
    paper makes at most 500 clusters, skips those of five images or fewer, and cycles through the
    others. Here there is a cluster for each image to choose, and none is skipped.

    References
    ----------
    Hacohen, Dekel, Weinshall: "Active Learning on a Budget: Opposite Strategies Suit High and Low
    Budgets", ICML 2022.
    """
    assert group.features is not None
    cluster, distance = kmeans(group, group.k)
    spread = distance.astype(np.float64)  # 0 for an image that is alone in its cluster
    for number in np.unique(cluster):
        members = np.flatnonzero(cluster == number)
        if len(members) > 1:
            count = min(settings.neighbors, len(members) - 1)
            _, near = neighbors(group.features[members], count, group.block_bytes)
            spread[members] = near.mean(axis=1)
    return Choice(one_of_each_cluster(group, cluster, spread))


class SemDeDup(MethodSettings):
    """Settings of `semdedup`."""

    drop: float = Field(
        0.2, ge=0, lt=1, description="fraction of the images to drop as near duplicates"
    )


def semdedup(group: Group, settings: SemDeDup) -> Choice:
    """Drop the images most similar to another one of their cluster, then choose at random.

    Of two similar images, the one nearer to the cluster's center is dropped. The paper drops images
    whose cosine similarity exceeds a threshold. Here it is the fraction `drop`, by Euclidean
    distance, which has the same meaning for any features. The dropped images come last, the least
    similar first. Kept images are not dropped, and of an image and a kept one it is the other
    that is. Extra column: nearest, the distance to the nearest image of the cluster that is farther
    from its center, or kept.

    References
    ----------
    Abbas, Tirumala, Simig, Ganguli, Morcos: "SemDeDup: Data-efficient learning at web-scale through
    semantic deduplication", 2023.
    """
    assert group.features is not None
    cluster, distance = kmeans(group, max(1, group.size // DEDUP_CLUSTER))
    nearest = np.full(group.size, np.inf, np.float32)
    # Centered, because float32 loses the digits of small distances far from 0.
    centered = group.features - group.features.mean(axis=0)
    is_kept = np.isin(np.arange(group.size), group.kept)
    for number in np.unique(cluster):
        members = np.flatnonzero(cluster == number)
        members = members[np.lexsort((-distance[members], ~is_kept[members]))]
        points = centered[members]
        for block in slices(len(members), 2 * FLOAT * len(members), group.block_bytes):
            between = squared_distances(points[block], points)
            # Only images before this one, which are farther from the center, or kept.
            earlier = np.arange(len(members)) < np.arange(block.start, block.stop)[:, None]
            nearest[members[block]] = np.where(earlier, between, np.inf).min(axis=1)
    nearest[is_kept] = np.inf
    left = group.size - int(settings.drop * group.size)
    apart = group.random.permutation(group.size)
    apart = apart[np.argsort(-nearest[apart], kind="stable")]
    order = np.concatenate([group.random.permutation(apart[:left]), apart[left:]])
    order = group.after_kept(order)
    return Choice(order, extra={"nearest": np.sqrt(nearest[order])})


def _kmeans_cost(m: int, clusters: int, d: int) -> Cost:
    # Small clusters converge sooner.
    rounds = 2 + ROUNDS * min(1.0, m / (10 * clusters))
    return Cost(
        products=rounds * m * clusters * d,
        elements=rounds * m * clusters,
        steps=6_000,
        memory=FLOAT * (3 * m * d + 2 * clusters * d + 256 * clusters) + 40 * m,
    )


def _many_clusters(m: int, k: int, d: int, settings: MethodSettings) -> Cost:
    return _kmeans_cost(m, k, d)


def _typiclust_cost(m: int, k: int, d: int, settings: TypiClust) -> Cost:
    cost = _kmeans_cost(m, k, d)
    within = m * m / max(1, k)
    return Cost(
        cost.products + within * d,
        cost.elements + 12 * within,
        cost.steps + 70 * k,
        cost.memory,
        blocks=4 * FLOAT * (m / max(1, k)) ** 2,
    )


def _cluster_random_cost(m: int, k: int, d: int, settings: ClusterRandom) -> Cost:
    cost = _kmeans_cost(m, min(m, settings.clusters), d)
    return Cost(cost.products, cost.elements + 20 * m, cost.steps + 2 * m, cost.memory + 200 * m)


def _semdedup_cost(m: int, k: int, d: int, settings: SemDeDup) -> Cost:
    cost = _kmeans_cost(m, max(1, m // DEDUP_CLUSTER), d)
    within = 2 * m * min(m, DEDUP_CLUSTER)
    return Cost(
        cost.products + within * d,
        cost.elements + 6 * within,
        cost.steps + m / 40,
        cost.memory,
        blocks=2 * FLOAT * min(m, DEDUP_CLUSTER) ** 2,
    )


METHODS = (
    Method(
        name="kmeans_medoid",
        settings=KMeansMedoid,
        traits=lambda settings: Traits(features="any", two_stage=True, complements=True),
        cost=_many_clusters,
        choose=kmeans_medoid,
    ),
    Method(
        name="cluster_random",
        settings=ClusterRandom,
        traits=lambda settings: Traits(features="any", ranks=True),
        cost=_cluster_random_cost,
        choose=cluster_random,
    ),
    Method(
        name="typiclust",
        settings=TypiClust,
        traits=lambda settings: Traits(features="any", two_stage=True, complements=True),
        cost=_typiclust_cost,
        choose=typiclust,
    ),
    Method(
        name="semdedup",
        settings=SemDeDup,
        traits=lambda settings: Traits(
            features="any", ranks=True, two_stage=True, complements=True
        ),
        cost=_semdedup_cost,
        choose=semdedup,
    ),
)
