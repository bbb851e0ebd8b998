"""Methods that cluster the images of a class and choose by cluster.

`kmeans_medoid`, `cluster_random`, `typiclust` and `semdedup`. KMeans is scikit-learn's.
"""

import warnings

import numpy as np
from pydantic import Field

from petite.selection.base import Choice, Cost, Group, Method, MethodSettings, Traits
from petite.selection.quota import places
from petite.selection.similarities import FLOAT, neighbors, slices, squared_distances

# Rounds of KMeans. The medoids of photographs change little after ten.
ROUNDS = 10
# Up to so many clusters KMeans begins with k-means++, which finds clusters that are far apart. For
# many it takes longer than all rounds: they begin with random images.
FEW_CLUSTERS = 20
# Images of a cluster on average, where near copies are looked for within clusters.
DEDUP_CLUSTER = 400


def kmeans(group: Group, clusters: int) -> tuple[np.ndarray, np.ndarray]:
    """Cluster a group's images.

    Returns each image's cluster, (m,) int64, and the squared distance to its center, (m,) float32.
    Some clusters are empty where there are fewer different images than clusters.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    assert group.features is not None
    start = group.random.choice(group.size, clusters, replace=False)
    found = KMeans(
        clusters,
        init="k-means++" if clusters <= FEW_CLUSTERS else group.features[start],
        n_init=1,
        max_iter=ROUNDS,
        random_state=int(group.random.integers(2**31)),
    )
    with warnings.catch_warnings():
        # Fewer different images than clusters, which does no harm.
        warnings.simplefilter("ignore", ConvergenceWarning)
        found.fit(group.features, sample_weight=group.mass)
    labels = found.labels_.astype(np.int64)
    difference = group.features - found.cluster_centers_[labels].astype(np.float32)
    return labels, np.vecdot(difference, difference)


def one_of_each_cluster(group: Group, cluster: np.ndarray, key: np.ndarray) -> np.ndarray:
    """One image of each cluster, the one with the smallest key; then the next ones, up to k.

    cluster: (m,) int; key: (m,) float. The clusters come in the order of their sizes, and after
    the first of each the second ones, as many as are wanted.
    """
    by_key = np.argsort(key, kind="stable")
    by_cluster = by_key[np.argsort(cluster[by_key], kind="stable")]
    _, starts, sizes = np.unique(cluster[by_cluster], return_index=True, return_counts=True)
    turn = np.arange(group.size) - np.repeat(starts, sizes)
    order = np.lexsort((-np.repeat(sizes, sizes), turn))
    return by_cluster[order][: group.k]


class KMeansMedoid(MethodSettings):
    """`kmeans_medoid` has no settings."""


def kmeans_medoid(group: Group, settings: KMeansMedoid) -> Choice:
    """k clusters, and the image nearest to the center of each (as in DC-BENCH's kmeans-emb)."""
    cluster, distance = kmeans(group, group.k)
    return Choice(one_of_each_cluster(group, cluster, distance))


class ClusterRandom(MethodSettings):
    """Settings of `cluster_random`."""

    clusters: int = Field(10, ge=1, description="KMeans clusters in each class")


def cluster_random(group: Group, settings: ClusterRandom) -> Choice:
    """Random images, each cluster in proportion to its size.

    The control for what choosing by cluster adds beyond covering the clusters evenly.
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
    """k clusters, and the most typical image of each (Hacohen, Dekel, Weinshall 2022).

    Typical is the image with the smallest mean distance to its nearest neighbors in the cluster.
    The paper makes 500 clusters at most, passes over those of five images or fewer, and goes round
    the others; here there is a cluster for each image wanted, and none is passed over.
    """
    assert group.features is not None
    cluster, distance = kmeans(group, group.k)
    spread = distance.astype(np.float64)  # of an image that is alone in its cluster: 0
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
    """Drop the images most like another one of their cluster, then choose at random.

    Abbas and others 2023. Of two that are alike the one nearer to the cluster's center goes. The
    paper drops what is more alike, by cosine, than a threshold; here it is the share `drop`, by
    Euclidean distance, which means the same on any features. The dropped images come last, the
    least alike first.
    """
    assert group.features is not None
    cluster, distance = kmeans(group, max(1, group.size // DEDUP_CLUSTER))
    nearest = np.full(group.size, np.inf, np.float32)
    # About the mean: far from 0, float32 has no digits left for the distances.
    centered = group.features - group.features.mean(axis=0)
    for number in np.unique(cluster):
        members = np.flatnonzero(cluster == number)
        members = members[np.argsort(-distance[members], kind="stable")]
        points = centered[members]
        for block in slices(len(members), 2 * FLOAT * len(members), group.block_bytes):
            between = squared_distances(points[block], points)
            # Only those that come before, which are farther out.
            earlier = np.arange(len(members)) < np.arange(block.start, block.stop)[:, None]
            nearest[members[block]] = np.where(earlier, between, np.inf).min(axis=1)
    kept = group.size - int(settings.drop * group.size)
    apart = group.random.permutation(group.size)
    apart = apart[np.argsort(-nearest[apart], kind="stable")]
    order = np.concatenate([group.random.permutation(apart[:kept]), apart[kept:]])
    return Choice(order[: group.k], extra={"nearest": np.sqrt(nearest[order[: group.k]])})


def _kmeans_cost(m: int, clusters: int, d: int) -> Cost:
    # Small clusters settle sooner.
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
        traits=lambda settings: Traits(features="any", two_stage=True),
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
        traits=lambda settings: Traits(features="any", two_stage=True),
        cost=_typiclust_cost,
        choose=typiclust,
    ),
    Method(
        name="semdedup",
        settings=SemDeDup,
        traits=lambda settings: Traits(features="any", ranks=True, two_stage=True),
        cost=_semdedup_cost,
        choose=semdedup,
    ),
)
