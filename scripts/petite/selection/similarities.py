"""Distances and similarities of images by their features, computed in blocks."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numpy as np

from petite.util.blocks import slices

P = ParamSpec("P")
T = TypeVar("T")

FLOAT = 4  # bytes of a float32
# For a block that is processed several times: about the size of a processor's cache.
CACHE_BYTES = 2**22


def one_thread(function: Callable[P, T]) -> Callable[P, T]:
    """Run a function with one BLAS thread.

    Many small products in a row gain nothing from more threads. If other work keeps the cores
    busy, threads that wait for each other made them ten times as slow.
    """

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, user_api="blas"):
            return function(*args, **kwargs)

    return wrapped


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances, float32 (len(a), len(b)), of the rows of float32 (., d)."""
    result = a @ b.T
    result *= -2
    result += np.vecdot(a, a)[:, None]
    result += np.vecdot(b, b)
    return np.maximum(result, 0, out=result)


class Similarity:
    """Similarities of the images of a group, stored if memory allows, else recomputed.

    "rbf" is exp(-|x - y|^2 / s), where s is the mean squared distance of all pairs, so the
    similarity at that distance is 0.37 for features of any scale. "distance" is D - |x - y|, where
    D is twice the largest distance from the mean, which no distance exceeds; CRAIG uses it.

    Parameters
    ----------
    features : ndarray of float32, shape (m, d)
        Features of the images.
    kind : {"rbf", "distance"}
        Which similarity.
    hold_bytes : int
        All pairs are stored if they fit into this many bytes.

    Attributes
    ----------
    from_mean : ndarray of float32, shape (m,)
        Distance of each image from the mean of the features.
    """

    def __init__(self, features: np.ndarray, kind: str = "rbf", hold_bytes: int = 0) -> None:
        centered = features - features.mean(axis=0)
        squares = np.vecdot(centered, centered)
        self.kind = kind
        self.points = np.ascontiguousarray(centered, np.float32)
        if kind == "rbf":
            # The mean over all pairs of |x - y|^2 is twice the total variance.
            scale = 2 * float(squares.mean(dtype=np.float64))
            if scale > 0:
                self.points *= np.float32(scale**-0.5)
        self.from_mean = np.sqrt(squares)
        self._offset = np.float32(2 * self.from_mean.max())
        self._squares = np.vecdot(self.points, self.points)
        self._held: np.ndarray | None = None
        if FLOAT * len(features) ** 2 <= hold_bytes:
            self._held = self._all_pairs()

    def __len__(self) -> int:
        return len(self.points)

    def rows(self, images: np.ndarray | slice) -> np.ndarray:
        """Similarities of some images to all, float32 (images, m).

        The result for a slice is read-only by convention; that for positions is a copy.
        """
        return self._compute(images) if self._held is None else self._held[images]

    def _all_pairs(self) -> np.ndarray:
        """Similarities of all pairs, float32 (m, m)."""
        held = np.empty((len(self), len(self)), np.float32)
        for block in slices(len(self), FLOAT * len(self), CACHE_BYTES):
            # Up to the diagonal; the rest is symmetric.
            until = slice(block.stop)
            self._compute(block, until, held[block, until])
            held[: block.start, block] = held[block, : block.start].T
        return held

    def _compute(
        self,
        images: np.ndarray | slice,
        others: slice = slice(None),
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """Similarities of images to others, float32 (images, others)."""
        # First the negative squared distances.
        result = np.matmul(2 * self.points[images], self.points[others].T, out=out)
        result -= self._squares[images, None]
        result -= self._squares[others]
        np.minimum(result, 0, out=result)
        if self.kind == "rbf":
            return np.exp(result, out=result)
        np.sqrt(np.negative(result, out=result), out=result)
        return np.subtract(self._offset, result, out=result)

    def row(self, image: int) -> np.ndarray:
        """Similarities of one image to all, float32 (m,); read-only by convention."""
        return self.rows(slice(image, image + 1))[0]

    def sums(self, mass: np.ndarray, block_bytes: int) -> np.ndarray:
        """For each image, the sum of all similarities to it, weighted by mass: float64 (m,)."""
        result = np.empty(len(self))
        weights = mass.astype(np.float32)
        for block in slices(len(self), 3 * FLOAT * len(self), block_bytes):
            result[block] = self.rows(block) @ weights
        return result


def neighbors(features: np.ndarray, count: int, block_bytes: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the exact nearest neighbors of each image.

    Parameters
    ----------
    features : ndarray of float32, shape (m, d)
        Features of the images.
    count : int
        Number of neighbors, 1 to m - 1.
    block_bytes : int
        Memory for a block of distances.

    Returns
    -------
    positions : ndarray of int64, shape (m, count)
        Nearest first.
    distances : ndarray of float32, shape (m, count)
    """
    size = len(features)
    # Centered, because float32 loses the digits of small distances far from 0.
    features = features - features.mean(axis=0)
    nearest = np.empty((size, count), np.int64)
    distances = np.empty((size, count), np.float32)
    # A distance takes 4 bytes and its position 8.
    for block in slices(size, 4 * FLOAT * size, block_bytes):
        squared = squared_distances(features[block], features)
        squared[np.arange(squared.shape[0]), np.arange(block.start, block.stop)] = np.inf
        # A copy: a view would keep all positions.
        some = np.argpartition(squared, count - 1, axis=1)[:, :count].copy()
        found = np.take_along_axis(squared, some, axis=1)
        order = np.argsort(found, axis=1, kind="stable")
        nearest[block] = np.take_along_axis(some, order, axis=1)
        distances[block] = np.sqrt(np.take_along_axis(found, order, axis=1))
    return nearest, distances
