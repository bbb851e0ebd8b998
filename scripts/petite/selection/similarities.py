"""Similarities of images by their features, in blocks: nothing here holds all pairs at once."""

import functools
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

import numpy as np

P = ParamSpec("P")
T = TypeVar("T")

FLOAT = 4  # bytes of a float32
# Of a block that is gone over several times: about what a processor's cache holds.
CACHE_BYTES = 2**22


def one_thread(function: Callable[P, T]) -> Callable[P, T]:
    """Run a function with one BLAS thread.

    Thousands of small products in a row gain nothing by more, and where other work fills the
    cores, threads that wait for each other made them ten times as slow.
    """

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, user_api="blas"):
            return function(*args, **kwargs)

    return wrapped


def slices(count: int, bytes_each: int, block_bytes: int) -> Iterator[slice]:
    """Cut `count` rows into blocks that take `block_bytes` at most, one row at least."""
    rows = max(1, block_bytes // max(1, bytes_each))
    for start in range(0, count, rows):
        yield slice(start, min(start + rows, count))


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances, (len(a), len(b)) float32, of float32 rows (., d)."""
    result = a @ b.T
    result *= -2
    result += np.vecdot(a, a)[:, None]
    result += np.vecdot(b, b)
    return np.maximum(result, 0, out=result)


class Similarity:
    """The similarity of any images of a group, held where there is memory, else worked out anew.

    "rbf" is exp(-|x - y|^2 / s) where s is the mean squared distance of all pairs, so that typical
    strangers are 0.37 alike whatever the scale of the features. "distance" is D - |x - y| with D
    twice the largest distance from the mean, which no distance exceeds; the similarity that CRAIG
    uses.
    """

    def __init__(self, features: np.ndarray, kind: str = "rbf", hold_bytes: int = 0) -> None:
        """Take features, (m, d) float32, and bytes that all similarities may take."""
        centered = features - features.mean(axis=0)
        squares = np.vecdot(centered, centered)
        self.kind = kind
        self.points = np.ascontiguousarray(centered, np.float32)
        if kind == "rbf":
            # The mean over all pairs of |x - y|^2 is twice the total variance.
            scale = 2 * float(squares.mean(dtype=np.float64))
            if scale > 0:
                self.points *= np.float32(scale**-0.5)
        self.from_mean = np.sqrt(squares)  # (m,) distances
        self._offset = np.float32(2 * self.from_mean.max())
        self._squares = np.vecdot(self.points, self.points)
        self._held: np.ndarray | None = None
        if FLOAT * len(features) ** 2 <= hold_bytes:
            self._held = self._all_pairs()

    def __len__(self) -> int:
        return len(self.points)

    def rows(self, images: np.ndarray | slice) -> np.ndarray:
        """Similarities of some images to all, float32 (images, m).

        Those of a slice are not to be written to; those of positions are a copy.
        """
        return self._worked_out(images) if self._held is None else self._held[images]

    def _all_pairs(self) -> np.ndarray:
        held = np.empty((len(self), len(self)), np.float32)
        for block in slices(len(self), FLOAT * len(self), CACHE_BYTES):
            # As far as the diagonal; what is above it is the same.
            until = slice(block.stop)
            self._worked_out(block, until, held[block, until])
            held[: block.start, block] = held[block, : block.start].T
        return held

    def _worked_out(
        self,
        images: np.ndarray | slice,
        others: slice = slice(None),
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        # Minus the squared distances.
        result = np.matmul(2 * self.points[images], self.points[others].T, out=out)
        result -= self._squares[images, None]
        result -= self._squares[others]
        np.minimum(result, 0, out=result)
        if self.kind == "rbf":
            return np.exp(result, out=result)
        np.sqrt(np.negative(result, out=result), out=result)
        return np.subtract(self._offset, result, out=result)

    def row(self, image: int) -> np.ndarray:
        """Similarities of one image to all: float32 (m,), not to be written to."""
        return self.rows(slice(image, image + 1))[0]

    def sums(self, mass: np.ndarray, block_bytes: int) -> np.ndarray:
        """For each image the sum of all images' similarities to it, by their mass: float64 (m,)."""
        result = np.empty(len(self))
        weights = mass.astype(np.float32)
        for block in slices(len(self), 3 * FLOAT * len(self), block_bytes):
            result[block] = self.rows(block) @ weights
        return result


def neighbors(features: np.ndarray, count: int, block_bytes: int) -> tuple[np.ndarray, np.ndarray]:
    """The nearest other images of each image, exactly.

    features: (m, d) float32; count: 1 to m - 1.
    Returns their positions, (m, count) int64, nearest first, and distances, float32.
    """
    size = len(features)
    # About the mean: far from 0, float32 has no digits left for the distances.
    features = features - features.mean(axis=0)
    nearest = np.empty((size, count), np.int64)
    distances = np.empty((size, count), np.float32)
    # A distance and the position that it is sorted with: 4 and 8 bytes.
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
