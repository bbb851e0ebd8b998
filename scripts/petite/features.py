"""Feature spaces: the vectors by which selection methods compare images."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import scipy.linalg
from threadpoolctl import threadpool_info, threadpool_limits

from petite.errors import PetiteError
from petite.files import read_json
from petite.seeds import generator

# Directions beyond those asked for (Halko, Martinsson and Tropp 2011, section 4.2). With 16 the
# first 64 components of 3,375 photographs keep 99.0% of the variance that the exact ones have, and
# the first nine more than 99.9% each.
OVERSAMPLING = 16

# What one block of images may take as float32; each thread holds one.
BLOCK_BYTES = 64 * 2**20

Batches = Callable[[], Iterable[np.ndarray]]
Result = TypeVar("Result")


@dataclass(frozen=True)
class PixelPCA:
    """Images in the space of their first principal components.

    scores: (n, d) float32, the centred images' coordinates, in grey levels (0-255).
    explained_variance_ratio: (d,) float64, shares of the variance of all pixels.
    """

    scores: np.ndarray
    explained_variance_ratio: np.ndarray


def pixel_pca(batches: Batches, dimensions: int = 64, seed: int = 0) -> PixelPCA:
    """Principal components of the raw pixels, streamed: only a few blocks at a time are float32.

    batches: gives, each time it is called, the same images in the same order, as an iterable of
        uint8 arrays (b, H, W, C). It is called three times.
    dimensions: components wanted; no more than the number of images or of pixels are returned.
    seed: of the random groups of images that the search starts from; matters in the last digits.

    The method is randomized subspace iteration (Halko, Martinsson and Tropp 2011, algorithms 4.4
    and 5.1) on the covariance. The first pass sums random groups of images, which gives the mean
    and starting directions that already lean towards the leading components; the second sharpens
    them by one iteration; the third solves the problem within them. Each component's sign makes its
    largest loading positive, as in scikit-learn's PCA.

    Raises PetiteError when there are no images or `dimensions` is below 1.
    """
    if dimensions < 1:
        raise PetiteError(f"dimensions is {dimensions}: ask for 1 or more")
    random = generator(seed, "features", "pixel_pca")
    count, mean, start = _group_sums(batches, dimensions + OVERSAMPLING, random)
    wanted = min(dimensions, count, mean.size)

    basis = _orthonormal(start)
    product = np.zeros_like(basis)
    for part in _over_blocks(batches, lambda block: _covariance_times(block, mean, basis)):
        product += part
    basis = _orthonormal(product)

    projections: deque[np.ndarray] = deque()
    within = np.zeros((basis.shape[1], basis.shape[1]))
    total_variance = 0.0
    for projected, sum_of_squares in _over_blocks(
        batches, lambda block: _project(block, mean, basis)
    ):
        projections.append(projected)
        exact = projected.astype(np.float64)
        within += exact.T @ exact
        total_variance += sum_of_squares

    # Within the basis the problem is small and solved exactly.
    variances, rotation = np.linalg.eigh(within)
    largest = np.argsort(variances)[::-1][:wanted]
    rotation = rotation[:, largest].astype(np.float32)
    rotation *= signs(basis @ rotation)
    shares = np.maximum(variances[largest], 0.0) / (total_variance or 1.0)
    scores = np.empty((count, wanted), np.float32)
    done = 0
    while projections:  # each goes as it is used: both in whole would be twice the memory
        block = projections.popleft() @ rotation
        scores[done : done + len(block)] = block
        done += len(block)
    return PixelPCA(scores, shares)


def _group_sums(
    batches: Batches, groups: int, random: np.random.Generator
) -> tuple[int, np.ndarray, np.ndarray]:
    """How many images there are, their mean image, and the sums of random groups of them.

    groups: how many, but never more than there are pixels. They are of equal size to within one.
    Returns the count, the mean, float32 (pixels,), and the sums of the centred images, float32
    (pixels, groups).
    """
    count = 0
    sums = np.zeros((0, 0), np.uint32)
    for block in _blocks(batches):
        if count == 0:
            groups = min(groups, block.shape[1])
            # Whole numbers, exact whatever the order; enough for 16 million images a group.
            sums = np.zeros((groups, block.shape[1]), np.uint32)
            turn = random.permutation(groups)
        for image in block:
            sums[turn[count % groups]] += image
            count += 1
            if count % groups == 0:
                turn = random.permutation(groups)
    if count == 0:
        raise PetiteError("there are no images to take features of: the training split is empty")
    sizes = np.full(groups, count // groups)
    sizes[turn[: count % groups]] += 1
    mean = sums.sum(axis=0, dtype=np.uint64) / count
    centred = (sums - sizes[:, None] * mean).astype(np.float32)
    return count, mean.astype(np.float32), np.ascontiguousarray(centred.T)


def _orthonormal(columns: np.ndarray) -> np.ndarray:
    """An orthonormal basis, float32 (pixels, groups), of what the columns span.

    By SciPy, since NumPy's QR takes three to four times as long on matrices this tall.
    """
    return np.ascontiguousarray(scipy.linalg.qr(columns, mode="economic", check_finite=False)[0])


def _covariance_times(block: np.ndarray, mean: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """What a block of images adds to the covariance (times n) times the basis."""
    centred = _centred(block, mean)
    return centred.T @ (centred @ basis)


def _project(block: np.ndarray, mean: np.ndarray, basis: np.ndarray) -> tuple[np.ndarray, float]:
    """A block of centred images in the basis, and the sum of its squares."""
    centred = _centred(block, mean)
    # Sums of rows in float32, their sum in float64: no digits lost to a long running sum.
    return centred @ basis, float(np.vecdot(centred, centred).sum(dtype=np.float64))


def _centred(block: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """A block of images (b, pixels) less the mean, float32."""
    centred = np.empty(block.shape, np.float32)
    for row, image in zip(centred, block, strict=True):
        # One image at a time, within the cache: the whole block at once takes twice as long.
        row[:] = image
        row -= mean
    return centred


def _blocks(batches: Batches) -> Iterator[np.ndarray]:
    """Yield all images as uint8 blocks (b, pixels) that take at most BLOCK_BYTES as float32."""
    for batch in batches():
        flat = batch.reshape(len(batch), -1)
        rows = max(1, BLOCK_BYTES // (4 * flat.shape[1]))
        for start in range(0, len(flat), rows):
            yield flat[start : start + rows]


def _over_blocks(batches: Batches, work: Callable[[np.ndarray], Result]) -> Iterator[Result]:
    """Yield `work(block)` for all blocks, in their order, computed by as many threads as BLAS has.

    Each thread does whole blocks, which also shares out the work that is not BLAS's; and since
    nothing is added up by threads, their number does not change a digit.
    """
    threads = max(
        (lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"), default=1
    )
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Result]] = deque()
        for block in _blocks(batches):
            waiting.append(pool.submit(work, block))
            # One block more than threads is in memory, and no result waits for long.
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def signs(components: np.ndarray) -> np.ndarray:
    """For each column +1 or -1, whichever makes its largest entry in size positive."""
    largest = np.argmax(np.abs(components), axis=0)
    return np.where(components[largest, np.arange(components.shape[1])] < 0, -1, 1).astype(
        np.float32
    )


def read_features(path: Path, image_ids: Sequence[str]) -> tuple[np.ndarray, dict[str, Any]]:
    """Read a feature file and the record that lies beside it as JSON.

    Returns the features, float32 (n, d) with a row for each of `image_ids`, and the record. Raises
    PetiteError when they are the features of other images.
    """
    features = np.load(path)
    record = read_json(path.with_suffix(".json"))
    if len(features) != len(image_ids) or record["image_ids_sha256"] != image_ids_digest(image_ids):
        raise PetiteError(
            f"{path} holds features of other images than the training split's: "
            "delete it and run again"
        )
    return features, record


def image_ids_digest(image_ids: Iterable[str]) -> str:
    """SHA-256 of the image ids in their order: says which rows a feature file is about."""
    return hashlib.sha256("\n".join(image_ids).encode("utf-8")).hexdigest()
