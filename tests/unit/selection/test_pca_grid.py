"""pca_grid: shares of classes and clusters, cells, and the order in which they are visited."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from petite.features.pixels import pixel_pca
from petite.selection import Ranking, select
from petite.selection.methods import pca_grid
from petite.selection.methods.pca_grid import nearest_center, visiting_order
from petite.selection.methods.tilings import TILINGS
from petite.selection.quota import proportional
from petite.util.errors import PetiteError


def blobs(count: int, seed: int = 0, dtype: type = np.float32) -> tuple[np.ndarray, np.ndarray]:
    """Features (count, 4) of two well-parted clusters, and two classes of unequal size."""
    random = np.random.default_rng(seed)
    labels = (np.arange(count) % 3 == 0).astype(int)
    features = random.normal(size=(count, 4))
    features[:, 0] += np.where(np.arange(count) % 4 == 0, 8, -8)
    return features.astype(dtype), labels


def cells_in_grids(
    ranking: Ranking, plane: np.ndarray, labels: np.ndarray, clusters: np.ndarray
) -> Iterator[tuple[dict[str, Any], np.ndarray, dict[int, int]]]:
    """For each grid its entry in the details, its members and the cell of each."""
    for grid in ranking.details["grids"]:
        members = np.flatnonzero((labels == grid["label"]) & (clusters == grid["cluster"]))
        box = np.array([grid[key] for key in ("x0", "y0", "x1", "y1")])
        np.testing.assert_array_equal(plane[members].min(axis=0), box[:2])
        np.testing.assert_array_equal(plane[members].max(axis=0), box[2:])
        cells = TILINGS[grid["tiling"]].cells(plane[members], box, grid["side"])
        yield grid, members, dict(zip(members.tolist(), cells.tolist(), strict=True))


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


@pytest.mark.parametrize("tiling", TILINGS)
@pytest.mark.parametrize("cells", ["auto", 1, 3, 50])
def test_no_cell_is_visited_again_before_all_were_visited(tiling: str, cells: str | int) -> None:
    features, labels = blobs(400)
    ranking = select(
        features, labels, 130, "pca_grid", 1, cells=cells, tiling=tiling, plane="features"
    )
    clusters = nearest_center(features, np.array(ranking.details["centers"]))
    assert sum(grid["chosen"] for grid in ranking.details["grids"]) == 130
    plane = features[:, :2].astype(float)
    for grid, members, cell_of in cells_in_grids(ranking, plane, labels, clusters):
        assert len(members) == grid["images"]
        assert grid["tiling"] == tiling
        there = Counter(cell_of.values())
        visited = Counter(cell_of[i] for i in ranking.indices.tolist() if i in cell_of)
        rounds = max(visited.values())
        for cell, images in there.items():
            # Every cell was visited in all rounds but perhaps the last, or was empty by then.
            assert visited[cell] >= min(images, rounds - 1)


@pytest.mark.parametrize("tiling", TILINGS)
def test_extra_columns_tell_where_an_image_lies_and_in_which_cell(tiling: str) -> None:
    features, labels = blobs(300)
    ranking = select(features, labels, 60, "pca_grid", 4, tiling=tiling, plane="features")
    extra = ranking.extra
    assert set(extra) == {"cluster", "cell", "plane_x", "plane_y"}
    np.testing.assert_array_equal(extra["plane_x"], features[ranking.indices, 0])
    np.testing.assert_array_equal(extra["plane_y"], features[ranking.indices, 1])
    cell = dict(zip(ranking.indices.tolist(), extra["cell"].tolist(), strict=True))
    clusters = nearest_center(features, np.array(ranking.details["centers"]))
    plane = features[:, :2].astype(float)
    for grid, members, cell_of in cells_in_grids(ranking, plane, labels, clusters):
        chosen = [image for image in members.tolist() if image in cell]
        assert [cell[image] for image in chosen] == [cell_of[image] for image in chosen]
        assert grid["side"] == TILINGS[tiling].side_for(grid["chosen"])


def digits() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's 1,797 digits by their principal components, and whether they are odd."""
    data = load_digits()
    images = (data.images * 15).astype(np.uint8)[..., None]
    return pixel_pca(lambda: [images]).scores, data.target % 2


def test_the_default_chooses_what_it_chose_before_there_were_other_tilings_and_planes() -> None:
    features, labels = digits()
    ranking = select(features, labels, 40, "pca_grid", seed=3)
    # By commit 16e90c2.
    assert ranking.indices.tolist() == [
        645, 1337, 722, 168, 1338, 927, 500, 630, 454, 786, 146, 1293, 209, 650, 1229, 666, 695,
        1127, 1693, 496, 1073, 99, 1626, 69, 1506, 1436, 1290, 413, 1399, 1260, 1656, 1603, 31,
        226, 835, 373, 1424, 1343, 419, 606,
    ]  # fmt: skip
    assert "plane_points" not in ranking.details


# ------------------------------------------------------------------------- the planes


def places(ranking: Ranking) -> np.ndarray:
    """The places of all images, (n, 2), from the details."""
    points = ranking.details["plane_points"]
    return np.stack([points["x"], points["y"]], axis=1)


def test_other_features_are_laid_on_their_own_two_principal_components() -> None:
    features, labels = digits()
    turned = features @ np.linalg.qr(np.random.default_rng(0).normal(size=(64, 64)))[0] + 5
    ranking = select(turned.astype(np.float32), labels, 40, "pca_grid", seed=3)
    plane = places(ranking)
    signs = np.sign((plane * features[:, :2]).sum(axis=0))
    np.testing.assert_allclose(plane * signs, features[:, :2], atol=0.01)
    chosen = np.stack([ranking.extra["plane_x"], ranking.extra["plane_y"]], axis=1)
    np.testing.assert_allclose(plane[ranking.indices], chosen, rtol=1e-6)
    ranking = select(turned.astype(np.float32), labels, 40, "pca_grid", seed=3, plane="features")
    np.testing.assert_allclose(ranking.extra["plane_x"], turned[ranking.indices, 0], rtol=1e-6)
    assert "plane_points" not in ranking.details


def test_principal_components_in_another_order_are_no_plane_of_theirs() -> None:
    features, labels = digits()
    ranking = select(features[:, [1, 0, 2]], labels, 40, "pca_grid", seed=3)
    plane = places(ranking)
    np.testing.assert_allclose(np.abs(plane), np.abs(features[:, :2]), atol=0.01)


def test_tsne_lays_clusters_apart_and_is_the_same_for_the_same_seed() -> None:
    features, labels = blobs(120)
    ranking = select(features, labels, 30, "pca_grid", seed=0, plane="tsne", tiling="triangle")
    again = select(features, labels, 30, "pca_grid", seed=0, plane="tsne", tiling="triangle")
    np.testing.assert_array_equal(ranking.indices, again.indices)
    plane = places(ranking)
    assert plane.shape == (120, 2)
    right = features[:, 0] > 0
    centers = np.stack([plane[right].mean(axis=0), plane[~right].mean(axis=0)])
    np.testing.assert_array_equal(nearest_center(plane, centers) == 0, right)
    chosen = np.stack([ranking.extra["plane_x"], ranking.extra["plane_y"]], axis=1)
    np.testing.assert_allclose(plane[ranking.indices], chosen, rtol=1e-6)


@pytest.mark.parametrize("features", [np.ones((9, 3)), np.eye(3), np.arange(9.0)[:, None]])
def test_tsne_of_next_to_nothing_still_chooses(features: np.ndarray) -> None:
    labels = np.zeros(len(features), int)
    ranking = select(features.astype(np.float32), labels, 3, "pca_grid", seed=0, plane="tsne")
    assert len(set(ranking.indices.tolist())) == 3


def test_tsne_of_too_many_images_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = blobs(120)
    monkeypatch.setattr(pca_grid, "TSNE_IMAGES", 119)
    with pytest.raises(PetiteError, match=r"plane: .*120 images.* 119"):
        select(features, labels, 30, "pca_grid", seed=0, plane="tsne")


# ------------------------------------------------------------------------ the control


@pytest.mark.parametrize("tiling", ["rectangle", "triangle"])
def test_random_cells_are_the_same_cells_with_other_images(tiling: str) -> None:
    features, labels = blobs(400)
    asked = {"tiling": tiling, "plane": "features"}
    real = select(features, labels, 60, "pca_grid", 1, **asked)
    control = select(features, labels, 60, "pca_grid", 1, random_cells=True, **asked)
    # The same clusters, boxes and quotas.
    assert control.details["grids"] == real.details["grids"]
    assert control.details["centers"] == real.details["centers"]
    assert (real.details["random_cells"], control.details["random_cells"]) == (False, True)
    assert len(set(control.indices) & set(real.indices)) < 30
    # As many images in each cell: seen where all are chosen.
    real = select(features, labels, 400, "pca_grid", 1, cells=4, **asked)
    control = select(features, labels, 400, "pca_grid", 1, cells=4, random_cells=True, **asked)
    members = {}
    for name, ranking in (("real", real), ("control", control)):
        cells = zip(
            labels[ranking.indices], ranking.extra["cluster"], ranking.extra["cell"], strict=True
        )
        members[name] = {}
        for image, cell in zip(ranking.indices.tolist(), cells, strict=True):
            members[name].setdefault(cell, set()).add(image)
    sizes = {name: {cell: len(m) for cell, m in c.items()} for name, c in members.items()}
    assert sizes["real"] == sizes["control"]
    stayed = sum(len(images & members["control"][cell]) for cell, images in members["real"].items())
    assert stayed < 120
    # The coordinates are those of the images themselves.
    np.testing.assert_array_equal(control.extra["plane_x"], features[control.indices, 0])


# ----------------------------------------------------------------------- the parts


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
