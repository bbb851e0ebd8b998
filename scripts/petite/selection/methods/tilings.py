"""Tilings of a box: the cells from which `pca_grid` takes images.

The paper and its authors' later code cut the plane into rectangles, parallelograms, triangles or
bricks. Here each tiling fills the box without gaps or overlaps; theirs leave parts of it out and
count others twice. What it has to be told is `side`, the number of rows.

All four are rows of one height, and in each row walls from its lower to its upper edge part one
cell from the next. Cells and what is drawn come from the same walls. In units of a row's height
and of a share 1 / side of the box's width:

- rectangle: upright walls, one apart.
- brick: the same, every second row shifted by half a brick; it begins and ends with half a brick.
- parallelogram: walls that lean by one unit and go on from row to row; each row begins and ends
  with a triangle, half a parallelogram. (The 30 degrees of the authors' code would leave slivers
  at the sides, each as good a cell as a whole one.)
- triangle: walls that lean by half a unit, to the right and to the left in turn, every second row
  upside down; each row begins and ends with half a triangle.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Walls:
    """The walls of a row, from left to right, the box's sides among them.

    lower, upper: (w,) float64, where each wall stands at the row's lower and upper edge, 0 to side.
    """

    lower: np.ndarray
    upper: np.ndarray

    @property
    def cells(self) -> int:
        """How many cells the row has."""
        return len(self.lower) - 1


@dataclass(frozen=True)
class Tiling:
    """A way to cut a box into cells.

    walls: gives for `side` the walls of the rows 0, 2, 4, ... and those of the rows 1, 3, 5, ...

    Boxes are (4,) float64: x0, y0, x1, y1. One without width or height is no error: its points lie
    on one side of the tiling. Cells are numbered from 0, row by row, from left to right.
    """

    walls: Callable[[int], tuple[Walls, Walls]]

    def count(self, side: int) -> int:
        """How many cells a box has when cut into `side` rows."""
        even, odd = self.walls(side)
        return (side + 1) // 2 * even.cells + side // 2 * odd.cells

    def side_for(self, cells: int) -> int:
        """The smallest `side` that gives so many cells (1 or more) at least."""
        return next(side for side in itertools.count(1) if self.count(side) >= cells)

    def cells(self, points: np.ndarray, box: np.ndarray, side: int) -> np.ndarray:
        """The cell of each point.

        points: (n, 2) float64, x and y, within the box.
        Returns (n,) int64. A point on the wall between cells belongs to the one on its right, one
        between rows to the upper one; the box's upper and right edges belong to the last cells.
        """
        extent = box[2:] - box[:2]
        shares = np.divide(points - box[:2], extent, out=np.zeros_like(points), where=extent > 0)
        x, y = (shares * side).T
        row = np.minimum(y.astype(np.int64), side - 1)
        height = y - row
        even, odd = self.walls(side)
        cells = row // 2 * (even.cells + odd.cells) + row % 2 * even.cells
        for parity, walls in enumerate((even, odd)):
            here = row % 2 == parity
            cells[here] += _walls_passed(x[here], height[here], walls)
        return cells

    def polygons(self, box: np.ndarray, side: int) -> list[np.ndarray]:
        """The outline of each cell, in their order.

        Returns for each cell (v, 2) float64, its 3 or 4 corners, counterclockwise.
        """
        even_and_odd = self.walls(side)
        corners = [
            outline for row in range(side) for outline in _outlines(even_and_odd[row % 2], row)
        ]
        # Weighted so that the outermost corners are exactly the box's.
        shares = [outline / side for outline in corners]
        return [box[:2] * (1 - share) + box[2:] * share for share in shares]


def _walls_passed(x: np.ndarray, height: np.ndarray, walls: Walls) -> np.ndarray:
    """How many inner walls of their row stand at or to the left of points: their cells in it.

    x: (n,) float64, 0 to side; height: (n,) float64, within the row, 0 to 1.
    Returns (n,) int64.
    """
    passed = np.zeros(len(x), np.int64)
    for lower, upper in zip(walls.lower[1:-1], walls.upper[1:-1], strict=True):
        passed += lower + height * (upper - lower) <= x
    return passed


def _outlines(walls: Walls, row: int) -> list[np.ndarray]:
    """The corners of a row's cells, each (3 or 4, 2) float64, in units of rows and columns."""
    outlines = []
    for left in range(walls.cells):
        right = left + 1
        corners = [
            (walls.lower[left], row),
            (walls.lower[right], row),
            (walls.upper[right], row + 1),
            (walls.upper[left], row + 1),
        ]
        outlines.append(np.array(list(dict.fromkeys(corners)), np.float64))
    return outlines


def _rectangles(side: int) -> tuple[Walls, Walls]:
    upright = np.arange(side + 1.0)
    return Walls(upright, upright), Walls(upright, upright)


def _bricks(side: int) -> tuple[Walls, Walls]:
    upright = np.arange(side + 1.0)
    shifted = np.concatenate([[0], np.arange(side) + 0.5, [side]])
    return Walls(upright, upright), Walls(shifted, shifted)


def _parallelograms(side: int) -> tuple[Walls, Walls]:
    positions = np.arange(side + 1.0)
    leaning = Walls(np.append(0, positions), np.append(positions, side))
    return leaning, leaning


def _triangles(side: int) -> tuple[Walls, Walls]:
    # From each whole position at the lower edge one wall to either side, within the box.
    whole = np.repeat(np.arange(side + 1.0), 2)
    halfway = np.concatenate([[0], np.repeat(np.arange(side) + 0.5, 2), [side]])
    return Walls(whole, halfway), Walls(halfway, whole)


TILINGS: dict[str, Tiling] = {
    "rectangle": Tiling(_rectangles),
    "parallelogram": Tiling(_parallelograms),
    "triangle": Tiling(_triangles),
    "brick": Tiling(_bricks),
}
