"""Search for the encoding of random images that learns most within a budget of bytes.

With the budget given, a side and a quality decide how many images there are room for. So the
search over side, quality and count has two dimensions. It measures the validation accuracy on a
coarse grid, fits a surface, and measures once more around its maximum.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from petite.util import memory
from petite.util.errors import PetiteError
from petite.util.formatting import byte_size

CODEC = "webp"
PERCENT = "%"
# Bytes of the smallest image of this codec: any side of one color.
LEAST_IMAGE = 44
# Of the coarse grid: sides relative to the largest one that the judge sees, and qualities.
SIDES = (1.0, 0.63, 0.4, 0.25)
QUALITIES = (5, 20, 60)
# Of the candidates around the maximum.
FINE_QUALITIES = (3, 5, 7, 10, 14, 20, 28, 40, 60)
STEP = 8  # pixels; between sides
LEAST_SIDE = 16
# How many points are measured around the maximum, and how far apart they are at least, as a share
# of the whole range of sides and of qualities (both as logarithms).
NEAR = 4
APART = 0.15
COEFFICIENTS = 6  # of the surface
# Subsets of other seeds have other images. This many standard errors of the sum are left free.
MARGIN = 3.0
# Those of a run begin at 0, so that its subsets and trainings are new.
SEEDS = (1_000_000, 1_000_001)
# Images whose bytes are measured before the count is known.
SAMPLE = 200


class Point(NamedTuple):
    """An encoding by WebP: side in pixels, and quality."""

    side: int
    quality: int


class Measured(NamedTuple):
    """A point, how many images of it fit into the budget, and what it gave on validation images.

    Attributes
    ----------
    point : Point
    images : int
        The count.
    score : float
        The mean of its runs.
    size : int
        The most that these images had in a run, with their index.
    runs : int
    """

    point: Point
    images: int
    score: float
    size: int = 0
    runs: int = 1


Measure = Callable[[Point], Measured | None]


class NoRoom(Exception):
    """No encoding of an image of each class is within the budget."""


def parse_budget(text: str) -> tuple[float, bool]:
    """Read a budget as people write it.

    Returns
    -------
    float
        Bytes, or a share of all originals.
    bool
        Whether it is a share.

    Raises
    ------
    PetiteError
        If it is neither, has no unit, is not between 0% and 100%, or smaller than two images.

    Examples
    --------
    >>> parse_budget("10%"), parse_budget("2 MB")
    ((0.1, True), (2000000, False))
    """
    number = text.strip()
    is_share = number.endswith(PERCENT)
    try:
        value = float(number.removesuffix(PERCENT)) / 100 if is_share else memory.parse(number)
    except (ValueError, PetiteError):
        value = 0
    if _is_plain(number):
        raise PetiteError(
            f"'{text}' has no unit: write for example {number} MB, {number} KB or {number} B, or a "
            "percentage of the originals, such as 10%"
        )
    if not value > 0 or (is_share and value >= 1):
        raise PetiteError(
            f"'{text}' is not a number of bytes, or a percentage below 100% of the originals: "
            "write for example 2 MB or 10%"
        )
    if not is_share and value < (least := least_bytes(["a", "b"])):
        raise PetiteError(
            f"'{text}' has no room for an image of each of two classes, which take at least "
            f"{byte_size(least)}: give a larger budget"
        )
    return value, is_share


def _is_plain(text: str) -> bool:
    """Whether a text is a positive number without a unit."""
    try:
        return 0 < float(text) < math.inf
    except ValueError:
        return False


def least_bytes(classes: Iterable[str]) -> int:
    """A lower bound of the bytes of a data set with an image of each class.

    Examples
    --------
    >>> least_bytes(["cat", "dog"])
    94
    """
    return sum(LEAST_IMAGE + len(name.encode()) for name in classes)


def coarse_grid(largest: int) -> list[Point]:
    """The points that are measured first.

    Parameters
    ----------
    largest : int
        The largest side that adds detail: that of the judge's images or of the originals, pixels.
    """
    sides = {_rounded(share * largest, largest) for share in SIDES}
    return [Point(side, quality) for side in sorted(sides) for quality in QUALITIES]


def search(largest: int, measure: Measure) -> tuple[Measured, list[Measured]]:
    """Find the best point.

    Parameters
    ----------
    largest : int
        See `coarse_grid`.
    measure : callable
        Measures a point; None where the budget has no room for an image of each class.

    Returns
    -------
    Measured
        Of all measured points, that with the highest value of the fitted surface: a single
        measurement may be high by luck.
    list of Measured
        All of them, in the order in which they were measured.

    Raises
    ------
    NoRoom
        If no point has room for an image of each class.
    """
    found = [one for point in coarse_grid(largest) if (one := measure(point))]
    if not found:
        raise NoRoom
    for point in _neighborhood(found, largest):
        if one := measure(point):
            found.append(one)
    fitted = predicted(found, [one.point for one in found])
    return found[int(fitted.argmax())], found


def predicted(found: Sequence[Measured], points: Sequence[Point]) -> NDArray[np.float64]:
    """The values of the fitted surface at some points.

    The surface is a quadratic in the logarithms of side and quality, by least squares. With fewer
    points than coefficients there is no surface, and only measured points have a value.

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    if len(found) < COEFFICIENTS:
        score_of = {one.point: one.score for one in found}
        return np.array([score_of.get(point, -np.inf) for point in points])
    terms = _terms(_places([one.point for one in found]))
    scores = np.array([one.score for one in found])
    surface = np.linalg.lstsq(terms, scores, rcond=None)[0]
    return np.asarray(_terms(_places(points)) @ surface, np.float64)


def count_within(budget: int, sizes: NDArray[np.int64], fixed: int, most: int) -> int:
    """How many images of about these sizes are within a budget, with their index.

    Parameters
    ----------
    budget : int
        Bytes.
    sizes : ndarray of int, shape (n,)
        The bytes of some encoded images.
    fixed : int
        The bytes of an index without images.
    most : int
        How many images there are.

    Returns
    -------
    int
        The count at which subsets of other images are within the budget too, but for one in 1,000.
    """
    # In the index an image has the digits of its size, and a comma.
    each = sizes + np.array([len(str(size)) + 1 for size in sizes.tolist()])
    mean, spread = each.mean(), MARGIN * each.std()
    room = max(0, budget - fixed)
    root = (-spread + math.sqrt(spread**2 + 4 * mean * room)) / (2 * mean)
    return min(most, int(root**2))


def _neighborhood(found: Sequence[Measured], largest: int) -> list[Point]:
    """The points around the maximum of the surface that are measured as well."""
    measured = [one.point for one in found]
    low, high = min(one.side for one in measured), max(one.side for one in measured)
    sides = sorted({_rounded(side, largest) for side in range(low, high + 1, STEP)} | {high})
    candidates = [Point(side, quality) for side in sides for quality in FINE_QUALITIES]
    values = predicted(found, candidates)
    places, taken = _places(candidates), list(_places(measured))
    lows, spans = _range(np.array(taken))
    chosen: list[Point] = []
    for row in np.argsort(-values, kind="stable").tolist():
        place = (places[row] - lows) / spans
        others = (np.array(taken) - lows) / spans
        if np.isfinite(values[row]) and (np.abs(others - place).max(axis=1) >= APART).all():
            chosen.append(candidates[row])
            taken.append(places[row])
        if len(chosen) == NEAR:
            break
    return chosen


def _rounded(side: float, largest: int) -> int:
    """A side on the grid: a multiple of STEP, or the largest one."""
    if side >= largest:
        return largest
    return min(largest, max(LEAST_SIDE, STEP * round(side / STEP)))


def _places(points: Sequence[Point]) -> NDArray[np.float64]:
    """Points as coordinates, in doublings of the side and of the quality."""
    return np.log2(np.array(points, np.float64).reshape(len(points), 2))


def _range(places: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    low = places.min(axis=0)
    return low, np.maximum(places.max(axis=0) - low, 1e-9)


def _terms(places: NDArray[np.float64]) -> NDArray[np.float64]:
    x, y = places.T
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
