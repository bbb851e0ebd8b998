"""The feature space `pixels`: principal components of the pixels."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import scipy.linalg
from threadpoolctl import threadpool_info, threadpool_limits

from petite.data.store import Store
from petite.features.blocks import BLOCK_BYTES, Batches, batches_of
from petite.features.io import FeatureRecord
from petite.features.pca import explained, signs
from petite.util.errors import PetiteError
from petite.util.seeds import generator

# Directions beyond those asked for (Halko, Martinsson and Tropp 2011, section 4.2). With 16 the
# first 64 components of 3,375 photographs keep 99.0% of the variance that the exact ones have, and
# the first nine more than 99.9% each.
OVERSAMPLING = 16

# Smallest number of images for the second pass; with twice as many images it uses every second one,
# and so on. With 6,750 of 13,500 photographs of 150x150 the first 64 components keep 98.9% of the
# variance that those of a longer search keep; with all of them 99.0%, with 3,375 98.7%.
SHARPENING = 6_000

Result = TypeVar("Result")


@dataclass(frozen=True)
class PixelPCA:
    """Images in the space of their first principal components.

    Attributes
    ----------
    scores : ndarray of float32, shape (n, d)
        Coordinates of the centered images, in gray levels (0 to 255).
    explained_variance_ratio : ndarray of float64, shape (d,)
        Fractions of the variance of all pixels.
    """

    scores: np.ndarray
    explained_variance_ratio: np.ndarray


def compute(
    store: Store, image_ids: pd.Series, settings: Mapping[str, Any], threads: int
) -> tuple[np.ndarray, FeatureRecord]:
    """See `petite.features.registry.Space.compute`."""
    result = pixel_pca(
        batches_of(store, image_ids), dimensions=settings["dimensions"], seed=settings["seed"]
    )
    return result.scores, explained(result.explained_variance_ratio)


def pixel_pca(batches: Batches, dimensions: int = 64, seed: int = 0) -> PixelPCA:
    """Compute the principal components of the pixels in three passes over the images.

    Only a few blocks of images are in memory as float32 at a time.

    Parameters
    ----------
    batches : callable
        Returns, at each of three calls, the same images in the same order, as an iterable of uint8
        arrays of shape (b, height, width, channels).
    dimensions : int
        Number of components. At most the number of images and that of pixels are returned.
    seed : int
        Seed of the random groups of images that the search starts from. It affects the last digits
        only.

    Returns
    -------
    PixelPCA
        The scores, (n, d), and the explained variance.

    Raises
    ------
    PetiteError
        If there are no images or `dimensions` is below 1.

    Notes
    -----
    The method is randomized subspace iteration on the covariance (algorithms 4.4 and 5.1 of the
    reference). The first pass sums random groups of images, which gives the mean and starting
    directions near the leading components. The second improves them by one iteration, on
    SHARPENING images or more, evenly spaced. The third solves the problem within these directions,
    on all images. Each component's sign makes its largest loading positive, as in scikit-learn's
    PCA.

    References
    ----------
    Halko, Martinsson, Tropp: "Finding Structure with Randomness", SIAM Review 53, 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from petite.features.pixels import pixel_pca
    >>> rng = np.random.default_rng(0)
    >>> images = rng.integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    >>> result = pixel_pca(lambda: [images[:10], images[10:]], dimensions=4)
    >>> result.scores.shape
    (20, 4)
    >>> bool(0 < result.explained_variance_ratio.sum() < 1)
    True
    """
    if dimensions < 1:
        raise PetiteError(f"dimensions: must be 1 or more, got {dimensions}")
    rng = generator(seed, "features", "pixel_pca")
    sums = _GroupSums(dimensions + OVERSAMPLING, rng)
    # One block at a time, while the next one is read.
    deque(_over_blocks(batches, sums.add, threads=1), maxlen=0)
    if (count := sums.count) == 0:
        raise PetiteError("no images to compute features of: the training split is empty")
    mean = sums.mean().astype(np.float32)
    n_components = min(dimensions, count, mean.size)

    basis = _orthonormal(sums.centered())
    centering = _Centering(mean)
    some = _every(max(1, count // SHARPENING), batches)
    product = np.zeros_like(basis)
    for part in _over_blocks(some, lambda block: _covariance_times(centering(block), basis)):
        product += part
    basis = _orthonormal(product)

    projections: deque[np.ndarray] = deque()
    within = np.zeros((basis.shape[1], basis.shape[1]))
    total_variance = 0.0
    for projected, sum_of_squares in _over_blocks(
        batches, lambda block: _project(centering(block), basis)
    ):
        projections.append(projected)
        exact = projected.astype(np.float64)
        within += exact.T @ exact
        total_variance += sum_of_squares

    # Within the basis the problem is small and solved exactly.
    variances, rotation = np.linalg.eigh(within)
    largest = np.argsort(variances)[::-1][:n_components]
    rotation = rotation[:, largest].astype(np.float32)
    rotation *= signs(basis @ rotation)
    shares = np.maximum(variances[largest], 0.0) / (total_variance or 1.0)
    scores = np.empty((count, n_components), np.float32)
    done = 0
    while projections:  # freed one by one, because both arrays take twice the memory
        block = projections.popleft() @ rotation
        scores[done : done + len(block)] = block
        done += len(block)
    return PixelPCA(scores, shares)


class _GroupSums:
    """Sums of at most `groups` random groups of images, of equal size to within one.

    There are never more groups than pixels.
    """

    def __init__(self, groups: int, rng: np.random.Generator) -> None:
        self.count = 0  # number of images
        self._groups = groups
        self._rng = rng
        self._sums = np.zeros((0, 0), np.uint32)
        self._turn = np.zeros(0, np.int64)

    def add(self, block: np.ndarray) -> None:
        """Add images (b, pixels), each to the next group in a random order."""
        if self.count == 0:
            self._groups = min(self._groups, block.shape[1])
            # Whole numbers, large enough for 16 million images per group.
            self._sums = np.zeros((self._groups, block.shape[1]), np.uint32)
        for image in block:
            place = self.count % self._groups
            if place == 0:
                self._turn = self._rng.permutation(self._groups)
            self._sums[self._turn[place]] += image
            self.count += 1

    def mean(self) -> np.ndarray:
        """The mean image, float64 (pixels,)."""
        return self._sums.sum(axis=0, dtype=np.uint64) / self.count

    def centered(self) -> np.ndarray:
        """The sums of the centered images, float32 (pixels, groups)."""
        sizes = np.full(self._groups, self.count // self._groups)
        sizes[self._turn[: self.count % self._groups]] += 1
        centered = (self._sums - sizes[:, None] * self.mean()).astype(np.float32)
        return np.ascontiguousarray(centered.T)


def _orthonormal(columns: np.ndarray) -> np.ndarray:
    """An orthonormal basis, float32 (pixels, groups), of the span of the columns.

    By SciPy, because NumPy's QR takes three to four times as long on matrices this tall.
    """
    return np.ascontiguousarray(scipy.linalg.qr(columns, mode="economic", check_finite=False)[0])


def _covariance_times(centered: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """The contribution of a block of centered images to n times covariance times basis."""
    return centered.T @ (centered @ basis)


def _project(centered: np.ndarray, basis: np.ndarray) -> tuple[np.ndarray, float]:
    """Coordinates of a block of centered images in the basis, and its sum of squares."""
    # Sums of rows in float32, their sum in float64, so that a long sum loses no digits.
    return centered @ basis, float(np.vecdot(centered, centered).sum(dtype=np.float64))


class _Centering:
    """Subtracts the mean image, float32 (pixels,), from blocks of images."""

    def __init__(self, mean: np.ndarray) -> None:
        self._mean = mean
        # Memory is reused, because allocating it takes as long as filling it.
        self._kept = threading.local()

    def __call__(self, block: np.ndarray) -> np.ndarray:
        """Center a block (b, pixels) as float32; valid until this thread's next call."""
        kept = getattr(self._kept, "rows", None)
        if kept is None or len(kept) < len(block):
            kept = self._kept.rows = np.empty(block.shape, np.float32)
        centered = kept[: len(block)]
        for row, image in zip(centered, block, strict=True):
            # One image at a time stays in the cache; the whole block at once takes twice as long.
            row[:] = image
            row -= self._mean
        return centered


def _every(step: int, batches: Batches) -> Batches:
    """Every `step`-th image, in batches of the same size."""

    def batches_of_some() -> Iterator[np.ndarray]:
        waiting: list[np.ndarray] = []
        skip = 0
        for batch in batches():
            waiting.append(batch[skip::step])
            skip = (skip - len(batch)) % step
            if len(waiting) == step:
                yield np.concatenate(waiting)
                waiting = []
        if waiting:
            yield np.concatenate(waiting)

    return batches if step == 1 else batches_of_some


def _blocks(batches: Batches) -> Iterator[np.ndarray]:
    """Yield all images as uint8 blocks (b, pixels) that take at most BLOCK_BYTES as float32."""
    for batch in batches():
        flat = batch.reshape(len(batch), -1)
        rows = max(1, BLOCK_BYTES // (4 * flat.shape[1]))
        for start in range(0, len(flat), rows):
            yield flat[start : start + rows]


def _blas_threads() -> int:
    """The number of threads of BLAS."""
    return max(
        (lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"), default=1
    )


def _over_blocks(
    batches: Batches, work: Callable[[np.ndarray], Result], threads: int | None = None
) -> Iterator[Result]:
    """Yield `work(block)` for all blocks, in their order, computed by as many threads as BLAS has.

    Each thread processes whole blocks, so that work outside of BLAS runs in parallel too. The
    number of threads does not change the result, because threads do not add up anything. With one
    thread, a block is finished before the next one starts.
    """
    threads = threads or _blas_threads()
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Result]] = deque()
        for block in _blocks(batches):
            waiting.append(pool.submit(work, block))
            # At most one block more than threads is in memory, and no result waits for long.
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
