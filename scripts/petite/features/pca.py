"""Exact principal components of rows that are gone over in blocks."""

from collections.abc import Callable, Iterable

import numpy as np

from petite.features.pixels import signs
from petite.util.errors import PetiteError

# A column whose standard deviation is below this share of its largest value is constant but for
# rounding.
CONSTANT = 1e-6

Blocks = Callable[[], Iterable[np.ndarray]]


def principal_components(
    blocks: Blocks, dimensions: int, *, standardized: bool
) -> tuple[np.ndarray, np.ndarray]:
    """An exact PCA of columns in two passes over the rows.

    The first pass gives the columns' means and covariance, in float64, of which the eigenvectors
    are computed; the second the coordinates. Each component's sign makes its largest loading
    positive, as in scikit-learn's PCA.

    Parameters
    ----------
    blocks : callable
        Returns, each time it is called, the same rows as an iterable of arrays (b, columns).
    dimensions : int
        1 or more; no more are returned than rows or columns.
    standardized : bool
        Whether each column is divided by its standard deviation; a constant one counts for nothing.

    Returns
    -------
    coordinates : ndarray of float32, shape (n, d)
    ratio : ndarray of float64, shape (d,)
        The components' shares of the variance.

    Raises
    ------
    PetiteError
        When there are no rows.
    """
    count, mean, covariance = _moments(blocks)
    deviation = np.sqrt(np.maximum(np.diag(covariance), 0))
    varies = deviation > CONSTANT * np.abs(mean)
    scale = np.zeros_like(deviation)
    scale[varies] = 1 / deviation[varies] if standardized else 1
    total = ((deviation * scale) ** 2).sum()
    variances, loadings = np.linalg.eigh(covariance * scale[:, None] * scale)
    wanted = min(dimensions, count, len(variances))
    largest = np.argsort(variances)[::-1][:wanted]
    loadings = loadings[:, largest]
    loadings = loadings * signs(loadings) * scale[:, None]
    coordinates = np.empty((count, wanted), np.float32)
    done = 0
    for block in blocks():
        coordinates[done : done + len(block)] = (block - mean) @ loadings
        done += len(block)
    return coordinates, np.maximum(variances[largest], 0) / (total or 1)


def _moments(blocks: Blocks) -> tuple[int, np.ndarray, np.ndarray]:
    """The number of rows, the columns' means (columns,) and covariance (columns, columns)."""
    count = 0
    origin = total = np.zeros(0)
    products = np.zeros((0, 0))
    for block in blocks():
        if count == 0:
            # Near the mean, so that no digits are lost when its square is taken off again.
            origin = block.mean(axis=0, dtype=np.float64)
            total = np.zeros_like(origin)
            products = np.zeros((len(origin), len(origin)))
        centered = block - origin
        total += centered.sum(axis=0)
        products += centered.T @ centered
        count += len(block)
    if count == 0:
        raise PetiteError("there are no images to take features of: the training split is empty")
    mean = total / count
    return count, origin + mean, products / count - np.outer(mean, mean)
