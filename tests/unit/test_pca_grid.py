"""pca_grid: shares of classes and clusters, cells, and the order in which they are visited."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petite.selection import select
from petite.selection.pca_grid import cells_of, nearest_centre, visiting_order
from petite.selection.quota import proportional


def blobs(count: int, seed: int = 0, dtype: type = np.float32) -> tuple[np.ndarray, np.ndarray]:
    """Features (count, 4) of two well-parted clusters, and two classes of unequal size."""
    random = np.random.default_rng(seed)
    labels = (np.arange(count) % 3 == 0).astype(int)
    features = random.normal(size=(count, 4))
    features[:, 0] += np.where(np.arange(count) % 4 == 0, 8, -8)
    return features.astype(dtype), labels


@pytest.mark.parametrize("k", [2, 7, 40, 119, 120])
def test_classes_and_their_clusters_get_their_shares(k: int) -> None:
    features, labels = blobs(120)
    ranking = select(features, labels, k, "pca_grid", seed=0)
    chosen = ranking.indices
    assert np.bincount(labels[chosen], minlength=2).tolist() == proportional([80, 40], k).tolist()
    cluster = (features[:, 0] > 0).astype(int)  # clusters are numbered from left to right
    np.testing.assert_array_equal(ranking.extra["cluster"], cluster[chosen])
    for label in (0, 1):
        members = np.bincount(cluster[labels == label], minlength=2)
        kept = np.bincount(cluster[chosen][labels[chosen] == label], minlength=2)
        assert np.abs(kept - members * kept.sum() / members.sum()).max() < 1


@pytest.mark.parametrize("cells", ["auto", 1, 3, 50])
@pytest.mark.parametrize("seed", [0, 1])
def test_no_cell_is_visited_again_before_all_were_visited(cells: str | int, seed: int) -> None:
    features, labels = blobs(400, seed)
    ranking = select(features, labels, 130, "pca_grid", seed, cells=cells)
    cluster = nearest_centre(features, np.array(ranking.details["centres"]))
    assert sum(grid["chosen"] for grid in ranking.details["grids"]) == 130
    for grid in ranking.details["grids"]:
        members = np.flatnonzero((labels == grid["label"]) & (cluster == grid["cluster"]))
        assert len(members) == grid["images"]
        box = np.array([grid[key] for key in ("x0", "y0", "x1", "y1")])
        plane = features[:, :2].astype(float)
        np.testing.assert_array_equal(plane[members].min(axis=0), box[:2])
        np.testing.assert_array_equal(plane[members].max(axis=0), box[2:])
        there = Counter(map(tuple, cells_of(plane[members], box, grid["side"]).tolist()))
        chosen = ranking.indices[np.isin(ranking.indices, members)]
        visited = Counter(map(tuple, cells_of(plane[chosen], box, grid["side"]).tolist()))
        rounds = max(visited.values())
        for cell, images in there.items():
            # Every cell was visited in all rounds but perhaps the last, or was empty by then.
            assert visited[cell] >= min(images, rounds - 1)


def test_extra_columns_tell_where_an_image_lies_and_in_which_grid() -> None:
    features, labels = blobs(300)
    ranking = select(features, labels, 60, "pca_grid", seed=4)
    extra = ranking.extra
    np.testing.assert_array_equal(extra["plane_x"], features[ranking.indices, 0])
    np.testing.assert_array_equal(extra["plane_y"], features[ranking.indices, 1])
    grids = {(grid["label"], grid["cluster"]): grid for grid in ranking.details["grids"]}
    for row, index in enumerate(ranking.indices):
        grid = grids[labels[index], extra["cluster"][row]]
        assert extra["grid_side"][row] == grid["side"] == np.ceil(np.sqrt(grid["chosen"]))
        width = (grid["x1"] - grid["x0"]) / grid["side"]
        height = (grid["y1"] - grid["y0"]) / grid["side"]
        left = grid["x0"] + extra["cell_column"][row] * width
        lower = grid["y0"] + extra["cell_row"][row] * height
        assert left - 1e-6 <= extra["plane_x"][row] <= left + width + 1e-6
        assert lower - 1e-6 <= extra["plane_y"][row] <= lower + height + 1e-6


@given(
    points=st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=40),
    side=st.integers(1, 30),
)
def test_every_point_lies_in_a_cell_the_furthest_in_the_last(
    points: list[tuple[float, float]], side: int
) -> None:
    plane = np.array(points, float)
    box = np.concatenate([plane.min(axis=0), plane.max(axis=0)])
    cells = cells_of(plane, box, side)
    assert cells.min() >= 0
    assert cells.max() <= side - 1
    for axis, column in ((0, 1), (1, 0)):
        if box[axis] < box[axis + 2]:
            assert cells[np.argmin(plane[:, axis]), column] == 0
            assert cells[np.argmax(plane[:, axis]), column] == side - 1
        order = np.argsort(plane[:, axis], kind="stable")
        assert (np.diff(cells[order, column]) >= 0).all()


@given(cells=st.lists(st.integers(0, 6), min_size=1, max_size=60), seed=st.integers(0, 1000))
def test_the_visiting_order_goes_round_all_cells_that_have_images_left(
    cells: list[int], seed: int
) -> None:
    order = visiting_order(np.array(cells), np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(len(cells)))
    left = Counter(cells)
    to_visit = set(left)
    for position in order:
        cell = cells[position]
        assert cell in to_visit
        to_visit.remove(cell)
        left[cell] -= 1
        if not to_visit:
            to_visit = {cell for cell, images in left.items() if images}


def test_an_image_of_a_crowded_cell_is_chosen_at_random() -> None:
    cells = np.array([0] * 5 + [1])
    firsts = Counter(
        int(next(i for i in visiting_order(cells, np.random.default_rng(seed)) if i < 5))
        for seed in range(1000)
    )
    assert len(firsts) == 5
    assert min(firsts.values()) > 140  # 200 expected, standard deviation 13


@settings(max_examples=20, deadline=None)
@given(
    kind=st.sampled_from(["equal", "two points", "one feature", "line"]),
    clusters=st.integers(1, 9),
    data=st.data(),
)
def test_awkward_features_still_give_exactly_k_images(
    kind: str, clusters: int, data: st.DataObject
) -> None:
    count = data.draw(st.integers(1, 25))
    k = data.draw(st.integers(1, count))
    position = np.arange(count, dtype=float)
    features = {
        "equal": np.ones((count, 3)),
        "two points": np.stack([position % 2] * 3, axis=1),
        "one feature": position[:, None],
        "line": np.stack([position, np.zeros(count)], axis=1),
    }[kind]
    labels = np.arange(count) % 2
    ranking = select(features, labels, k, "pca_grid", seed=0, clusters=clusters)
    assert len(set(ranking.indices.tolist())) == k


def test_float64_and_strided_features_give_the_same_choice() -> None:
    features, labels = blobs(200, dtype=np.float64)
    strided = np.zeros((200, 8))
    strided[:, ::2] = features
    first = select(features, labels, 50, "pca_grid", seed=2)
    second = select(strided[:, ::2], labels, 50, "pca_grid", seed=2)
    np.testing.assert_array_equal(first.indices, second.indices)


def test_every_class_has_an_image_where_there_are_enough() -> None:
    features, _ = blobs(200)
    labels = np.zeros(200, int)
    labels[[5, 6]] = 1
    labels[9] = 2
    chosen = select(features, labels, 10, "pca_grid", seed=0).indices
    assert np.bincount(labels[chosen]).tolist() == [8, 1, 1]
