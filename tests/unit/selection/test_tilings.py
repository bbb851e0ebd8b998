"""Tilings: every point of a box has one cell, and what is drawn is what is used."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petite.selection.methods.tilings import TILINGS, Tiling

tilings = st.sampled_from(list(TILINGS))
sides = st.integers(1, 12)
coordinates = st.floats(-1e6, 1e6)
extents = st.floats(1e-3, 1e6)


@st.composite
def boxes(draw: st.DrawFn) -> np.ndarray:
    x0, y0 = draw(coordinates), draw(coordinates)
    return np.array([x0, y0, x0 + draw(extents), y0 + draw(extents)])


def points_in(box: np.ndarray, side: int, seed: int) -> np.ndarray:
    """Random points of the box and all places where walls may stand or meet, (n, 2)."""
    quarters = np.linspace(0, 1, 4 * side + 1)
    places = np.stack(np.meshgrid(quarters, quarters), axis=-1).reshape(-1, 2)
    shares = np.concatenate([np.random.default_rng(seed).random((300, 2)), places])
    return np.clip(box[:2] + shares * (box[2:] - box[:2]), box[:2], box[2:])


def outside(polygon: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The distance of each point from a convex counterclockwise polygon; below 0: inside."""
    ahead = np.roll(polygon, -1, axis=0) - polygon
    outward = np.stack([ahead[:, 1], -ahead[:, 0]], axis=1)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    return np.max([(points - at) @ out for at, out in zip(polygon, outward, strict=True)], axis=0)


def area(polygon: np.ndarray) -> float:
    x, y = (polygon - polygon[0]).T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def in_shares(polygon: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Places in the box as shares of its width and height."""
    return (polygon - box[:2]) / (box[2:] - box[:2])


@given(name=tilings, box=boxes(), side=sides, seed=st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_every_point_has_one_cell_and_it_is_the_polygon_around_it(
    name: str, box: np.ndarray, side: int, seed: int
) -> None:
    tiling = TILINGS[name]
    points = points_in(box, side, seed)
    cells = tiling.cells(points, box, side)
    polygons = tiling.polygons(box, side)
    assert cells.dtype == np.int64
    assert cells.shape == (len(points),)
    assert len(polygons) == tiling.count(side)
    assert set(cells.tolist()) == set(range(len(polygons)))
    shares = in_shares(points, box)
    distance = np.array([outside(in_shares(polygon, box), shares) for polygon in polygons])
    # Coordinates of up to 2e6 in a box as small as 1e-3 have errors of some 1e-7 of its width.
    rounding = 1e-6
    assert distance[cells, np.arange(len(points))].max() <= rounding
    # No point is deep in a second polygon.
    assert ((distance < -rounding).sum(axis=0) <= 1).all()
    assert (distance < -rounding)[:, :300].any(axis=0).mean() > 0.99


@given(name=tilings, box=boxes(), side=sides)
@settings(deadline=None)
def test_the_polygons_fill_the_box_and_stay_in_it(name: str, box: np.ndarray, side: int) -> None:
    polygons = TILINGS[name].polygons(box, side)
    areas = np.array([area(in_shares(polygon, box)) for polygon in polygons])
    assert areas.sum() == pytest.approx(1, abs=1e-6)
    # None is a sliver.
    assert areas.min() > areas.max() * 0.45
    corners = np.concatenate(polygons)
    np.testing.assert_array_equal(corners.min(axis=0), box[:2])
    np.testing.assert_array_equal(corners.max(axis=0), box[2:])
    assert {len(polygon) for polygon in polygons} <= {3, 4}


@pytest.mark.parametrize("name", TILINGS)
def test_the_cells_of_each_tiling_have_their_shapes(name: str) -> None:
    polygons = TILINGS[name].polygons(np.array([0.0, 0.0, 4.0, 4.0]), 4)
    areas = [area(polygon) for polygon in polygons]
    corners = [len(polygon) for polygon in polygons]
    whole = {"rectangle": 16, "parallelogram": 12, "triangle": 28, "brick": 14}[name]
    cut = {"rectangle": 0, "parallelogram": 8, "triangle": 8, "brick": 4}[name]
    size = 0.5 if name == "triangle" else 1.0
    assert sorted(areas) == [size / 2] * cut + [size] * whole
    assert corners.count(3) == {"parallelogram": 8, "triangle": 36}.get(name, 0)


def test_bricks_lie_half_a_brick_further_in_every_second_row() -> None:
    polygons = TILINGS["brick"].polygons(np.array([0.0, 0.0, 2.0, 2.0]), 2)
    rows = [sorted({x for x, _ in p.tolist()}) for p in polygons]
    assert rows == [[0, 1], [1, 2], [0, 0.5], [0.5, 1.5], [1.5, 2]]


def test_triangles_stand_on_their_base_and_on_their_tip_in_turn() -> None:
    polygons = TILINGS["triangle"].polygons(np.array([0.0, 0.0, 2.0, 2.0]), 2)
    assert [p.tolist() for p in polygons[:3]] == [
        [[0, 0], [0.5, 1], [0, 1]], [[0, 0], [1, 0], [0.5, 1]], [[1, 0], [1.5, 1], [0.5, 1]],
    ]  # fmt: skip
    # The second row stands on the bases of the first.
    assert [p.tolist() for p in polygons[5:7]] == [
        [[0, 1], [0.5, 1], [0, 2]], [[0.5, 1], [1, 2], [0, 2]],
    ]  # fmt: skip


@given(
    points=st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=40),
    side=st.integers(1, 30),
)
def test_rectangles_are_those_of_the_plain_formula(
    points: list[tuple[float, float]], side: int
) -> None:
    plane = np.array(points)
    box = np.concatenate([plane.min(axis=0), plane.max(axis=0)])
    extent = np.where(box[2:] > box[:2], box[2:] - box[:2], 1)
    column, row = np.minimum((plane - box[:2]) / extent * side, side - 1).astype(int).T
    cells = TILINGS["rectangle"].cells(plane, box, side)
    np.testing.assert_array_equal(cells, row * side + column)


@pytest.mark.parametrize("tiling", TILINGS.values(), ids=TILINGS)
@pytest.mark.parametrize(("width", "height"), [(0, 0), (0, 2), (3, 0)])
def test_boxes_without_width_or_height_have_cells(
    tiling: Tiling, width: float, height: float
) -> None:
    box = np.array([5.0, -1.0, 5.0 + width, -1.0 + height])
    points = box[:2] + np.linspace(0, 1, 9)[:, None] * (box[2:] - box[:2])
    cells = tiling.cells(points, box, 3)
    polygons = tiling.polygons(box, 3)
    assert len(polygons) == tiling.count(3)
    assert np.isfinite(np.concatenate(polygons)).all()
    for point, cell in zip(points, cells, strict=True):
        assert (polygons[cell].min(axis=0) <= point + 1e-9).all()
        assert (polygons[cell].max(axis=0) >= point - 1e-9).all()
    assert len(set(cells.tolist())) >= (1 if width == height else 3)


@given(name=tilings, minimum=st.integers(1, 3000))
def test_the_number_of_cells_is_just_above_the_minimum(name: str, minimum: int) -> None:
    tiling = TILINGS[name]
    side = tiling.side_for(minimum)
    assert tiling.count(side) >= minimum
    assert side == 1 or tiling.count(side - 1) < minimum
    # One row and one column more than are needed, and the halves at the sides.
    assert tiling.count(side) <= minimum + 3 * np.sqrt(2 * minimum) + 2
    if name == "rectangle":
        assert side == np.ceil(np.sqrt(minimum))
