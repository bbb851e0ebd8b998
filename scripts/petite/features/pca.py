"""Exact principal components of rows that are read in blocks."""

import logging

import numpy as np

from petite.features.blocks import Batches
from petite.features.io import FeatureRecord
from petite.util.errors import PetiteError

logger = logging.getLogger(__name__)

# A column whose standard deviation is below this fraction of its mean is constant up to rounding.
CONSTANT = 1e-6


def principal_components(
    blocks: Batches, dimensions: int, *, standardized: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Compute an exact PCA in two passes over the rows.

    The first pass gives the columns' means and covariance in float64; the second the coordinates.
    Each component's sign makes its largest loading positive, as in scikit-learn's PCA.

    Parameters
    ----------
    blocks : callable
        Returns, at each call, the same rows as an iterable of arrays of shape (b, columns).
    dimensions : int
        Number of components, 1 or more. At most the number of rows and that of columns are
        returned.
    standardized : bool
        Whether each column is divided by its standard deviation. Constant columns are ignored.

    Returns
    -------
    coordinates : ndarray of float32, shape (n, d)
    explained_variance_ratio : ndarray of float64, shape (d,)

    Raises
    ------
    PetiteError
        If there are no rows.
    """
    count, mean, covariance = _moments(blocks)
    deviation = np.sqrt(np.maximum(np.diag(covariance), 0))
    varies = deviation > CONSTANT * np.abs(mean)
    scale = np.zeros_like(deviation)
    scale[varies] = 1 / deviation[varies] if standardized else 1
    variance = ((scale * deviation) ** 2).sum()
    variances, loadings = np.linalg.eigh(covariance * scale[:, None] * scale)
    n_components = min(dimensions, count, len(variances))
    largest = np.argsort(variances)[::-1][:n_components]
    loadings = loadings[:, largest]
    loadings = loadings * signs(loadings) * scale[:, None]
    coordinates = np.empty((count, n_components), np.float32)
    done = 0
    for block in blocks():
        coordinates[done : done + len(block)] = (block - mean) @ loadings
        done += len(block)
    return coordinates, np.maximum(variances[largest], 0) / (variance or 1)


def _moments(blocks: Batches) -> tuple[int, np.ndarray, np.ndarray]:
    """The number of rows, the columns' means (columns,) and covariance (columns, columns)."""
    count = 0
    origin = total = np.zeros(0)
    products = np.zeros((0, 0))
    for block in blocks():
        if count == 0:
            # Near the mean, so that subtracting its square loses no digits.
            origin = block.mean(axis=0, dtype=np.float64)
            total = np.zeros_like(origin)
            products = np.zeros((len(origin), len(origin)))
        centered = block - origin
        total += centered.sum(axis=0)
        products += centered.T @ centered
        count += len(block)
    if count == 0:
        raise PetiteError("no images to compute features of: the training split is empty")
    mean = total / count
    return count, origin + mean, products / count - np.outer(mean, mean)


def signs(components: np.ndarray) -> np.ndarray:
    """For each column, the sign (+1 or -1) that makes its largest absolute entry positive."""
    largest = np.argmax(np.abs(components), axis=0)
    return np.where(components[largest, np.arange(components.shape[1])] < 0, -1, 1).astype(
        np.float32
    )


def explained(ratio: np.ndarray) -> FeatureRecord:
    """Log the explained variance, and return it for the record of the features."""
    logger.info("%d components keep %.1f%% of the variance", len(ratio), 100 * ratio.sum())
    return {"explained_variance_ratio": ratio.tolist()}
