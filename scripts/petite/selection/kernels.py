"""Similarities of images by their features, in blocks: nothing here holds all pairs at once."""

from collections.abc import Iterator

import numpy as np

FLOAT = 4  # bytes of a float32


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
    """The similarity of any images of a group, worked out when it is asked for.

    "rbf" is exp(-|x - y|^2 / s) where s is the mean squared distance of all pairs, so that typical
    strangers are 0.37 alike whatever the scale of the features. "distance" is D - |x - y| with D
    twice the largest distance from the mean, which no distance exceeds; the similarity that CRAIG
    uses.
    """

    def __init__(self, features: np.ndarray, kind: str = "rbf") -> None:
        """Take features, (m, d) float32."""
        centred = features - features.mean(axis=0)
        squares = np.vecdot(centred, centred)
        self.kind = kind
        self.points = np.ascontiguousarray(centred, np.float32)
        if kind == "rbf":
            # The mean over all pairs of |x - y|^2 is twice the total variance.
            scale = 2 * float(squares.mean(dtype=np.float64))
            if scale > 0:
                self.points *= np.float32(scale**-0.5)
        self.from_mean = np.sqrt(squares)  # (m,) distances
        self._offset = np.float32(2 * self.from_mean.max())
        self._squares = np.vecdot(self.points, self.points)

    def __len__(self) -> int:
        return len(self.points)

    def to(self, columns: np.ndarray | slice, rows: slice = slice(None)) -> np.ndarray:
        """Similarities of the images `rows` to the images `columns`: float32 (rows, columns)."""
        result = self.points[rows] @ (-2 * self.points[columns]).T
        result += self._squares[rows, None]
        result += self._squares[columns]
        np.maximum(result, 0, out=result)
        if self.kind == "rbf":
            np.negative(result, out=result)
            return np.exp(result, out=result)
        np.sqrt(result, out=result)
        return np.subtract(self._offset, result, out=result)

    def to_one(self, image: int) -> np.ndarray:
        """Similarities of all images to one: float32 (m,)."""
        return self.to(np.array([image]))[:, 0]

    def sums(self, mass: np.ndarray, block_bytes: int) -> np.ndarray:
        """For each image the sum of all images' similarities to it, by their mass: float64 (m,)."""
        result = np.empty(len(self))
        weights = mass.astype(np.float32)
        for block in slices(len(self), 3 * FLOAT * len(self), block_bytes):
            result[block] = weights @ self.to(block)
        return result


def neighbours(features: np.ndarray, count: int, block_bytes: int) -> tuple[np.ndarray, np.ndarray]:
    """The nearest other images of each image, exactly.

    features: (m, d) float32; count: 1 to m - 1.
    Returns their positions, (m, count) int64, nearest first, and distances, float32.
    """
    size = len(features)
    nearest = np.empty((size, count), np.int64)
    distances = np.empty((size, count), np.float32)
    for block in slices(size, 4 * FLOAT * size, block_bytes):
        squared = squared_distances(features[block], features)
        squared[np.arange(squared.shape[0]), np.arange(block.start, block.stop)] = np.inf
        some = np.argpartition(squared, count - 1, axis=1)[:, :count]
        found = np.take_along_axis(squared, some, axis=1)
        order = np.argsort(found, axis=1, kind="stable")
        nearest[block] = np.take_along_axis(some, order, axis=1)
        distances[block] = np.sqrt(np.take_along_axis(found, order, axis=1))
    return nearest, distances
