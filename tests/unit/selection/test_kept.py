"""Selections that contain given images, and choose the others to complement them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petite.selection import METHODS, checked_settings, select
from petite.selection.base import TRAINING_SCORES, Group
from petite.selection.methods import clusters, pca_grid, thinning
from petite.selection.quota import shares, with_least, without_first
from petite.selection.similarities import Similarity
from petite.util.errors import PetiteError

CHOOSING = sorted(set(METHODS) - {"full"})
COMPLEMENTS = {
    "k_center_greedy",
    "herding",
    "facility_location",
    "graph_cut",
    "k_dpp",
    "craig",
    "kernel_thinning",
    "kmeans_medoid",
    "typiclust",
    "semdedup",
    "d2",
    "pca_grid",
    "full",
}


def data(seed: int, size: int = 60, classes: int = 3) -> tuple[np.ndarray, np.ndarray, dict]:
    """Features with duplicates, unequal classes, and all scores."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(size, 4)).astype(np.float32)
    features[::7] = features[0]
    share = np.arange(1, classes + 1) / np.arange(1, classes + 1).sum()
    labels = np.append(np.arange(classes), rng.choice(classes, size - classes, p=share))
    return features, labels, {name: rng.random(size) for name in TRAINING_SCORES}


def group_of(features: np.ndarray, kept: list[int], k: int, seed: int = 0) -> Group:
    size = len(features)
    return Group(
        features=features,
        scores=np.random.default_rng(9).random(size),
        mass=np.ones(size),
        k=k,
        random=np.random.default_rng(seed),
        block_bytes=2**17,
        kept=np.array(sorted(kept), np.int64),
    )


def chosen(method: str, features: np.ndarray, kept: list[int], k: int) -> list[int]:
    """What a method chooses beside the kept images of one class."""
    ranking = select(features, np.zeros(len(features), int), k, method, kept=kept)
    assert ranking.indices[: len(kept)].tolist() == sorted(kept)
    return ranking.indices[len(kept) :].tolist()


def points(seed: int, size: int = 25, width: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(size, width)).astype(np.float32)


KEPT = [3, 8, 20]
SEEDS = pytest.mark.parametrize("seed", range(4))


@settings(deadline=None, max_examples=8)
@given(
    seed=st.integers(0, 5),
    kept=st.sets(st.integers(0, 59), max_size=59),
    more=st.integers(0, 59),
    quota=st.sampled_from(["proportional", "equal"]),
    partitions=st.sampled_from([None, 3]),
)
@pytest.mark.parametrize("method", CHOOSING)
def test_a_selection_has_all_that_is_kept_first_and_exactly_k_different_images(
    method, seed, kept, more, quota, partitions
):
    features, labels, scores = data(seed)
    k = max(1, min(60, len(kept) + more))

    def run():
        return select(
            features, labels, k, method, seed, scores, quota,
            kept=sorted(kept), partitions=partitions,
        )  # fmt: skip

    ranking = run()
    assert ranking.kept == len(kept)
    assert ranking.indices[: len(kept)].tolist() == sorted(kept)
    assert len(set(ranking.indices.tolist())) == len(ranking.indices) == k
    assert all(len(column) == k for column in [ranking.weights, *ranking.extra.values()])
    assert np.isfinite(ranking.weights).all()
    again = run()
    np.testing.assert_array_equal(ranking.indices, again.indices)
    np.testing.assert_array_equal(ranking.weights, again.weights)
    if k >= sum(max(1, count) for count in np.bincount(labels[sorted(kept)], minlength=3)):
        assert len(set(labels[ranking.indices])) == 3


@pytest.mark.parametrize("nothing", [None, [], np.zeros(60, bool), np.empty(0, np.int64)])
@pytest.mark.parametrize("method", CHOOSING)
def test_nothing_kept_changes_nothing(method, nothing):
    features, labels, scores = data(0)
    plain = select(features, labels, 20, method, scores=scores)
    same = select(features, labels, 20, method, scores=scores, kept=nothing)
    np.testing.assert_array_equal(plain.indices, same.indices)
    np.testing.assert_array_equal(plain.weights, same.weights)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_all_images_may_be_kept(method):
    features, labels, scores = data(1)
    ranking = select(features, labels, 60, method, scores=scores, kept=np.ones(60, bool))
    assert ranking.indices.tolist() == list(range(60))


def test_positions_and_a_mask_mean_the_same():
    features, labels, _ = data(2)
    mask = np.zeros(60, bool)
    mask[[5, 1, 9]] = True
    by_mask = select(features, labels, 20, "herding", kept=mask)
    by_position = select(features, labels, 20, "herding", kept=[9.0, 5, 1, 5])
    assert by_mask.indices.tolist() == by_position.indices.tolist()


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ([60], "60"),
        ([-1], "-1"),
        ([1.5], "1.5"),
        (["cat/1.jpg"], "cat/1.jpg"),
        ([None], "None"),
        ([float("nan")], "nan"),
        ([[1, 2]], "(1, 2)"),
        (3, "()"),
        ("cat", "()"),
        ([True, False], "(2,)"),
        (np.ones(61, bool), "(61,)"),
        (range(21), "21"),
        ({"a": 1}, "()"),
    ],
)
def test_what_cannot_be_kept_is_named(wrong, named):
    features, labels, _ = data(0)
    with pytest.raises(PetiteError, match="kept") as caught:
        select(features, labels, 20, "herding", kept=wrong)
    assert named in str(caught.value)


def test_a_trait_says_which_methods_complement_what_is_kept():
    said = {name for name, entry in METHODS.items() if entry.traits(entry.settings()).complements}
    assert said == COMPLEMENTS


def test_a_method_for_all_classes_that_knows_nothing_of_kept_images_is_refused(monkeypatch):
    from dataclasses import replace

    from petite.selection.base import Traits

    own = replace(METHODS["full"], name="own", traits=lambda settings: Traits())
    monkeypatch.setitem(METHODS, "own", own)
    with pytest.raises(PetiteError, match="'own'"):
        select(None, [0, 1, 1], 3, "own", kept=[0])


# Oracles


@SEEDS
def test_k_center_goes_on_from_the_kept_images(seed):
    x = points(seed)
    have = list(KEPT)
    for _ in range(6):
        distance = np.linalg.norm(x[:, None] - x[have], axis=2).min(axis=1)
        have.append(int(np.argmax(distance)))
    assert chosen("k_center_greedy", x, KEPT, 9) == have[3:]


@SEEDS
def test_herding_matches_the_mean_with_the_kept_images(seed):
    x = points(seed)
    have = list(KEPT)
    for _ in range(6):
        rest = [image for image in range(len(x)) if image not in have]
        apart = [np.linalg.norm(x[[*have, image]].mean(axis=0) - x.mean(axis=0)) for image in rest]
        have.append(rest[int(np.argmin(apart))])
    assert chosen("herding", x, KEPT, 9) == have[3:]


def pairs(x: np.ndarray) -> np.ndarray:
    similarity = Similarity(x)
    return similarity.rows(np.arange(len(x))).astype(np.float64)


def greedily(value, size: int, kept: list[int], k: int) -> list[int]:
    """Brute force: add the image with the highest value of the whole set, k - len(kept) times."""
    have = list(kept)
    while len(have) < k:
        rest = [image for image in range(size) if image not in have]
        have.append(max(rest, key=lambda image: value([*have, image])))
    return have[len(kept) :]


@SEEDS
def test_facility_location_gains_what_the_kept_images_do_not_cover(seed):
    x = points(seed)
    near = pairs(x)
    expected = greedily(lambda some: near[some].max(axis=0).sum(), len(x), KEPT, 9)
    assert chosen("facility_location", x, KEPT, 9) == expected


@SEEDS
def test_graph_cut_counts_the_similarity_to_the_kept_images(seed):
    x = points(seed)
    near = pairs(x)

    def value(some):
        return 2 * near[some].sum() - near[np.ix_(some, some)].sum()

    assert chosen("graph_cut", x, KEPT, 9) == greedily(value, len(x), KEPT, 9)


@SEEDS
def test_k_dpp_maximizes_the_determinant_with_the_kept_images(seed):
    x = points(seed)
    kernel = pairs(x) + 1e-3 * np.eye(len(x))

    def value(some):
        return np.linalg.slogdet(kernel[np.ix_(some, some)])[1]

    assert chosen("k_dpp", x, KEPT, 9) == greedily(value, len(x), KEPT, 9)


@SEEDS
def test_craig_weights_the_kept_images_by_what_they_represent(seed):
    x = points(seed)
    ranking = select(x, np.zeros(25, int), 6, "craig", kept=KEPT)
    apart = np.linalg.norm(x[:, None] - x[ranking.indices], axis=2)
    expected = np.bincount(apart.argmin(axis=1), minlength=6)
    np.testing.assert_array_equal(ranking.weights, expected)


@SEEDS
@pytest.mark.parametrize("method", ["kmeans_medoid", "typiclust"])
def test_clusters_that_hold_a_kept_image_are_served(method, seed):
    x = points(seed, 60)
    settings = checked_settings(METHODS[method], {})
    group = group_of(x, KEPT, 9, seed)
    order = METHODS[method].chosen(group, settings).indices
    cluster, _ = clusters.kmeans(group_of(x, KEPT, 9, seed), 9)
    served, others = set(cluster[KEPT]), cluster[order[3:]]
    assert not served & set(others)
    assert len(set(others)) == 6
    sizes = np.bincount(cluster)
    left_out = set(range(9)) - served - set(others)
    assert all(sizes[number] <= sizes[others].min() for number in left_out)


def test_kernel_thinning_exchanges_images_given_the_kept_ones():
    x = points(0, 80)
    group = group_of(x, [1, 2], 12)
    order = thinning.kernel_thinning(group, thinning.KernelThinning()).indices
    near = pairs(x)

    def discrepancy(some):
        return near[np.ix_(some, some)].mean() - 2 * near[some].mean()

    # Of the last one exchanged, no other image is better.
    tried = [[*order[:-1], image] for image in range(80) if image not in order[:-1]]
    assert discrepancy(order) <= min(map(discrepancy, tried)) + 1e-6
    # Kept images at one end of the class move the chosen ones to the other.
    far = np.argsort(x[:, 0])[:6]
    alone = chosen("kernel_thinning", x, [], 12)
    beside = chosen("kernel_thinning", x, far.tolist(), 18)
    assert x[beside, 0].mean() > x[alone, 0].mean()
    assert discrepancy([*far, *beside]) < discrepancy([*far, *alone])


def test_semdedup_drops_duplicates_of_kept_images_and_never_these():
    x = points(1, 40)
    x[20:25] = x[[4, 9, 14, 0, 7]] + 1e-4
    kept = [4, 9, 14]
    ranking = select(x, np.zeros(40, int), 40, "semdedup", kept=kept, drop=3 / 40)
    assert set(ranking.indices[-3:]) <= {20, 21, 22, 23, 24, 0, 7}
    ranking = select(x, np.zeros(40, int), 35, "semdedup", kept=kept, drop=5 / 40)
    assert not {20, 21, 22} & set(ranking.indices.tolist())


@SEEDS
def test_d2_takes_from_the_neighbors_of_the_kept_images(seed):
    x = points(seed)
    score = np.random.default_rng(seed).random(25)
    squared = ((x[:, None] - x) ** 2).sum(axis=2).astype(np.float64)
    near = np.argsort(squared + np.where(np.eye(25), np.inf, 0), axis=1)[:, :5]
    of_near = np.take_along_axis(squared, near, axis=1)
    nearness = np.exp(-of_near / of_near.mean())
    value = (score - score.min()) / (score.max() - score.min())
    value = value + (nearness * value[near]).sum(axis=1)
    have: list[int] = []
    for place in range(9):
        image = KEPT[place] if place < 3 else int(np.argmax(value))
        taken = max(value[image], 0) if place < 3 else value[image]
        have.append(image)
        value[near[image]] -= nearness[image] * taken
        value[have] = -np.inf
    ranking = select(x, np.zeros(25, int), 9, "d2", scores={"forgetting": score}, kept=KEPT)
    assert ranking.indices.tolist() == have


@SEEDS
def test_pca_grid_serves_the_cells_without_a_kept_image_first(seed):
    x = points(seed, 200, 2)
    kept = [0, 5, 9, 11]
    ranking = select(
        x, np.zeros(200, int), 30, "pca_grid", seed, kept=kept, plane="features", clusters=1
    )
    cells = ranking.extra["cell"]
    [grid] = ranking.details["grids"]
    tiling = pca_grid.TILINGS["rectangle"]
    box = np.array([grid["x0"], grid["y0"], grid["x1"], grid["y1"]])
    nonempty = set(tiling.cells(x.astype(np.float64), box, grid["side"]).tolist())
    free = nonempty - set(cells[:4].tolist())
    # One image of each cell that has none, before any other.
    assert set(cells[4 : 4 + len(free)].tolist()) == free or len(free) > 26
    assert free <= set(cells[4:].tolist()) or len(set(cells[4:].tolist())) == 26


@pytest.mark.parametrize("method", sorted(set(CHOOSING) - COMPLEMENTS))
def test_other_methods_choose_from_the_rest_as_if_nothing_were_kept(method):
    features, _, scores = data(3)
    labels = np.zeros(60, int)
    rest = np.delete(np.arange(60), KEPT)
    beside = select(features, labels, 15, method, scores=scores, kept=KEPT)
    alone = select(
        features[rest], labels[rest], 12, method,
        scores={name: column[rest] for name, column in scores.items()},
    )  # fmt: skip
    assert beside.indices[3:].tolist() == rest[alone.indices].tolist()


# Quotas


def test_kept_images_fill_the_quotas_of_their_classes_first():
    labels = np.repeat([0, 1], 20)
    ranking = select(None, labels, 16, "random", quota="equal", kept=range(6))
    assert labels[ranking.indices[6:12]].tolist() == [1] * 6
    assert sorted(labels[ranking.indices[12:14]]) == [0, 1]
    assert np.bincount(labels[ranking.indices]).tolist() == [8, 8]


@settings(deadline=None, max_examples=60)
@given(data=st.data(), sizes=st.lists(st.integers(1, 30), min_size=1, max_size=5))
def test_quotas_with_a_least_number_of_each_class(data, sizes):
    least = np.array([data.draw(st.integers(0, size)) for size in sizes])
    k = data.draw(st.integers(int(least.sum()), sum(sizes)))
    sizes, weights = np.array(sizes), np.array(data.draw(st.just([1.0] * len(sizes))))

    def rule(some, rest):
        return shares(sizes[some], weights[some], rest)

    quota = with_least(least, k, rule)
    assert quota.sum() == k
    assert (quota >= least).all()
    assert (quota <= sizes).all()
    plain = shares(sizes, weights, k)
    if (plain >= least).all():
        np.testing.assert_array_equal(quota, plain)
    # Whoever has more than its least number gets no more than without least numbers.
    assert (quota[quota > least] <= plain[quota > least] + 1).all()


def test_the_first_places_of_each_group_are_removed():
    groups = np.array([2, 0, 0, 1, 0, 2])
    assert without_first(groups, np.array([2, 0, 1])).tolist() == [1, 0, 2]
