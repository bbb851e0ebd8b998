"""Tilings of a box into the cells from which `pca_grid` chooses images.

The paper and its authors' later code cut the plane into rectangles, parallelograms, triangles or
bricks. Here each tiling fills the box without gaps or overlaps; theirs omit parts of it and count
others twice. The only parameter is `side`, the number of rows.

All rows have the same height. In each row, walls from its lower to its upper edge separate one cell
from the next. Cells and drawings use the same walls. In units of a row's height and of 1 / side of
the box's width:

- rectangle: vertical walls, one unit apart.
- brick: the same, every second row shifted by half a brick; it begins and ends with half a brick.
- parallelogram: walls that lean by one unit and continue from row to row; each row begins and ends
  with a triangle, half a parallelogram. (The 30 degrees of the authors' code would leave slivers
  at the sides, which would count as much as whole cells.)
- triangle: walls that lean by half a unit, to the right and to the left in turn, every second row
  upside down; each row begins and ends with half a triangle.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Walls:
    """The walls of a row, from left to right, including the box's sides.

    Attributes
    ----------
    lower, upper : ndarray of float64, shape (w,)
        Position of each wall at the row's lower and upper edge, 0 to side.
    """

    lower: np.ndarray
    upper: np.ndarray

    @property
    def cells(self) -> int:
        """The number of cells in the row."""
        return len(self.lower) - 1


@dataclass(frozen=True)
class Tiling:
    """A way to divide a box into cells.

    Boxes are float64 (4,): x0, y0, x1, y1. A box without width or height is valid: all its points
    are then on one side of the tiling. Cells are numbered from 0, row by row, from left to right.

    Attributes
    ----------
    walls : callable
        Returns for `side` the walls of the rows 0, 2, 4, ... and those of the rows 1, 3, 5, ...
    """

    walls: Callable[[int], tuple[Walls, Walls]]

    def count(self, side: int) -> int:
        """The number of cells of a box with `side` rows."""
        even, odd = self.walls(side)
        return (side + 1) // 2 * even.cells + side // 2 * odd.cells

    def side_for(self, cells: int) -> int:
        """The smallest `side` with at least this many cells (1 or more)."""
        return next(side for side in itertools.count(1) if self.count(side) >= cells)

    def cells(self, points: np.ndarray, box: np.ndarray, side: int) -> np.ndarray:
        """Find the cell of each point.

        Parameters
        ----------
        points : ndarray of float64, shape (n, 2)
            x and y, within the box.
        box : ndarray of float64, shape (4,)
            The box.
        side : int
            Number of rows.

        Returns
        -------
        ndarray of int64, shape (n,)
            A point on the wall between cells belongs to the cell on the right, one between rows to
            the upper row. The box's upper and right edges belong to the last cells.
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
        """The outline of each cell, in the order of their numbers.

        Returns
        -------
        list of ndarray of float64, shape (v, 2)
            The 3 or 4 corners of each cell, counterclockwise.
        """
        even_and_odd = self.walls(side)
        corners = [
            outline for row in range(side) for outline in _outlines(even_and_odd[row % 2], row)
        ]
        # Weighted so that the outermost corners are exactly those of the box.
        shares = [outline / side for outline in corners]
        return [box[:2] * (1 - share) + box[2:] * share for share in shares]


def _walls_passed(x: np.ndarray, height: np.ndarray, walls: Walls) -> np.ndarray:
    """The number of inner walls at or to the left of each point, which is its cell in the row.

    x: float64 (n,), 0 to side; height: float64 (n,), within the row, 0 to 1. Returns int64 (n,).
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
