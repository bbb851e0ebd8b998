"""Find duplicates of images: exact ones by digest, near duplicates by perceptual hash.

The hash has one bit for each of 64 low frequencies of the gray picture (rows and columns 1 to 8 of
a 32x32 DCT; the mean brightness and what varies along one axis only are left out): whether the
coefficient is above the median of the 64 (the pHash of Zauner 2010, "Implementation and
Benchmarking of Perceptual Image Hash Functions"). Pairs whose hashes differ in few bits are
candidates; they are near duplicates if their 16x16 gray thumbnails also correlate by at least
`MIN_CORRELATION`.

Measured on the 15,000 cat and dog photos at 150x150 with 45 awkward files (113 million pairs):

- Hashes that differ in 8 bits or fewer: 48 pairs. 35 were planted (all duplicates of all kinds, the
  ten re-encoded 180x180 ones at 0 bits) or are equal byte by byte, 12 are real duplicates
  (inspected one by one), and 1 is false; its thumbnails correlate by 0.23, those of the duplicates
  by 0.9989 or more. At 6 bits there are 47 pairs and none is false; at 16 bits about 15,350, but
  still 47 with the check. Stored at 64x64 the photos give the same 47 groups.
- Of 600 photos, detected at 6 bits with the check: all after JPEG at quality 10, at a third of
  the size, in gray, or at 80% contrast; 98% when 20% brighter; 96% when rotated by 1 degree; 48%
  when cropped by 2% on each side; none when cropped by 5%. 8 bits: 99%, 99%, 56% and none.
- On small drawings the hash alone is unreliable: at 6 bits, 122 pairs across classes among 10,000
  animal silhouettes of 28x28 pixels, and 19 among 1,797 digits of 8x8. With the check no pair is in
  two classes, but 226 silhouettes and 16 digits count as near duplicates of separate drawings.

So 6 bits suit photos. For images of less than 32 pixels only exact duplicates are reliable.
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

MIN_CORRELATION = 0.98
# Thumbnails that vary less (standard deviation in gray levels) show nothing to compare.
MIN_CONTRAST = 2.0

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R 601
HASH_GRID = 32
THUMBNAIL_SIDE = 16
PAIRS_AT_ONCE = 1 << 20
# Number of pairs whose thumbnails are compared at a time; as float32 a thumbnail takes 1 KB.
COMPARED_AT_ONCE = 1 << 14
# From this many hashes on, three longer bands: fewer pairs share one by chance.
MANY_HASHES = 400_000
BANDS, BANDS_OF_MANY = (16, 16, 16, 16), (22, 21, 21)


def fingerprints(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    """Compute perceptual hashes and thumbnails of images of one size.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (n, height, width, channels)
        Images with 1 or 3 channels.

    Returns
    -------
    hashes : ndarray of uint64, shape (n,)
    thumbnails : ndarray of uint8, shape (n, 16, 16)
        In gray.
    """
    count, height, width, channels = pixels.shape
    luma = LUMA if channels == 3 else np.ones(1, dtype=np.float32)
    frequencies, averages = _frequencies(width), _averages(THUMBNAIL_SIDE, width)
    # One product goes over all the pixels: color to gray, and the columns of both results.
    columns = np.kron(np.concatenate([frequencies, averages]), luma)
    weights = np.ascontiguousarray(columns.T)
    lines = np.empty((count, height, weights.shape[1]), np.float32)
    values = np.empty((height, width * channels), np.float32)
    for image, line in zip(pixels, lines, strict=True):
        # One image at a time stays in the cache; all at once take 1.5 times as long.
        values[:] = image.reshape(values.shape)
        np.matmul(values, weights, out=line)
    coefficients = (_frequencies(height) @ lines[:, :, :8]).reshape(count, 64)
    thumbnails = _averages(THUMBNAIL_SIDE, height) @ lines[:, :, 8:]
    bits = coefficients > np.median(coefficients, axis=1, keepdims=True)
    hashes = np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64)
    return hashes, np.rint(thumbnails).astype(np.uint8)


def exact_groups(digests: NDArray) -> NDArray[np.int64]:
    """Group images that share a digest, directly or through others.

    Parameters
    ----------
    digests : ndarray of shape (n, k), of any type that can be sorted
        Images that share a value in any one of the k columns are exact duplicates.

    Returns
    -------
    ndarray of int64, shape (n,)
        The smallest position in each image's group.
    """
    return _smallest_of_component(_exact(digests), len(digests))


def duplicate_groups(
    digests: NDArray,
    hashes: NDArray[np.uint64],
    thumbnails: NDArray[np.uint8],
    max_distance: int | None,
) -> NDArray[np.int64]:
    """Group images that are exact or near duplicates of each other, directly or through others.

    Parameters
    ----------
    digests : ndarray of shape (n, k)
        As for `exact_groups`.
    hashes : ndarray of uint64, shape (n,)
        From `fingerprints`.
    thumbnails : ndarray of uint8, shape (n, 16, 16)
        From `fingerprints`.
    max_distance : int or None
        Number of bits in which the hashes of near duplicates may differ; None for exact duplicates
        only. Up to 7 is fast; 15,000 images take 3 s at 12 and 10 s at 16.

    Returns
    -------
    ndarray of int64, shape (n,)
        The smallest position in each image's group; its own position if it has no duplicate.

    Examples
    --------
    >>> import numpy as np
    >>> from petite.data.duplicates import duplicate_groups, fingerprints
    >>> rng = np.random.default_rng(0)
    >>> images = rng.integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    >>> images[2] = images[0]
    >>> digests = np.array([[image.tobytes()] for image in images])
    >>> duplicate_groups(digests, *fingerprints(images), max_distance=6).tolist()
    [0, 1, 0]
    """
    exact = exact_groups(digests)
    if max_distance is None:
        return exact
    # One image represents each set of exact duplicates.
    alone = np.flatnonzero(exact == np.arange(len(exact)))
    near = [alone[pairs] for pairs in _near(hashes[alone], thumbnails[alone], max_distance)]
    return _smallest_of_component(np.concatenate([_exact(digests), *near]), len(exact))


def _exact(digests: NDArray) -> NDArray[np.int64]:
    """Pair each image with the first that has the same digest: (n * k, 2)."""
    pairs = [np.empty((0, 2), dtype=np.int64)]
    for column in digests.T:
        _, first, inverse = np.unique(column, return_index=True, return_inverse=True)
        pairs.append(np.column_stack([np.arange(len(column)), first[inverse]]))
    return np.concatenate(pairs)


def _near(
    hashes: NDArray[np.uint64], thumbnails: NDArray[np.uint8], max_distance: int
) -> Iterator[NDArray[np.int64]]:
    """Yield pairs (m, 2) of near duplicates; a pair may be repeated."""
    flat = thumbnails.reshape(-1, THUMBNAIL_SIDE**2)
    contrast = np.empty(len(flat), np.float32)
    for start in range(0, len(flat), COMPARED_AT_ONCE):
        here = slice(start, start + COMPARED_AT_ONCE)
        contrast[here] = flat[here].std(axis=1, dtype=np.float32)
    informative = np.flatnonzero(contrast >= MIN_CONTRAST)
    for found in near_hashes(hashes[informative], max_distance):
        for start in range(0, len(found), COMPARED_AT_ONCE):
            pairs = informative[found[start : start + COMPARED_AT_ONCE]]
            left, right = (_standardized(flat[side], contrast[side]) for side in pairs.T)
            correlation = np.einsum("ij,ij->i", left, right) / left.shape[1]
            yield pairs[correlation >= MIN_CORRELATION]


def _standardized(flat: NDArray[np.uint8], contrast: NDArray[np.float32]) -> NDArray[np.float32]:
    """Standardize each thumbnail, (n, 256), to mean 0 and standard deviation 1."""
    standard = flat.astype(np.float32)
    standard -= standard.mean(axis=1, keepdims=True)
    standard /= contrast[:, np.newaxis]
    return standard


def near_hashes(hashes: NDArray[np.uint64], max_distance: int) -> Iterator[NDArray[np.int64]]:
    """Find all pairs of 64-bit hashes that differ in at most `max_distance` bits.

    Of four bands of 16 bits, at least one differs in at most a quarter of the bits that may
    differ; of three bands, in at most a third. So each band is sorted, and only hashes with such a
    near band are compared, not all pairs (multi-index hashing). With longer bands fewer hashes are
    near by chance, but there are more values to look up.

    Yields
    ------
    ndarray of int64, shape (m, 2)
        Positions, the smaller first, in bounded portions; a pair may be repeated.

    References
    ----------
    Norouzi, Punjani, Fleet: "Fast Search in Hamming Space with Multi-Index Hashing", CVPR 2012.
    """
    bands = BANDS if len(hashes) < MANY_HASHES else BANDS_OF_MANY
    shift = 0
    for bits in bands:
        band = ((hashes >> np.uint64(shift)) & np.uint64((1 << bits) - 1)).astype(np.int32)
        shift += bits
        order = np.argsort(band, kind="stable")
        # Where each value begins among the sorted ones.
        begins = np.searchsorted(band[order], np.arange((1 << bits) + 1, dtype=np.int32))
        for mask in _masks(bits, max_distance // len(bands)):
            # Of two values that differ by the mask, only one looks up the other.
            source = np.flatnonzero((band & mask & -mask) == 0) if mask else np.arange(len(band))
            partner = band[source] ^ mask
            for left, right in _expand(begins[partner], begins[partner + 1]):
                left, right = source[left], order[right]
                near = np.bitwise_count(hashes[left] ^ hashes[right]) <= max_distance
                if mask == 0:
                    near &= left < right
                if near.any():
                    yield np.sort(np.column_stack([left[near], right[near]]), axis=1)


def _masks(bits: int, most: int) -> Iterator[int]:
    """Yield all numbers of `bits` bits with at most `most` of them set."""
    for number in range(most + 1):
        for places in combinations(range(bits), number):
            yield sum(1 << place for place in places)


def _expand(
    begin: NDArray[np.int64], end: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pair each i with the numbers from begin[i] up to end[i], about PAIRS_AT_ONCE at a time."""
    lengths = end - begin
    ends = np.cumsum(lengths)
    start = 0
    while start < len(lengths):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + PAIRS_AT_ONCE, side="right")))
        part = lengths[start:stop]
        left = np.repeat(np.arange(start, stop), part)
        within = np.arange(len(left)) - np.repeat(ends[start:stop] - part - done, part)
        yield left, begin[left] + within
        start = stop


def _smallest_of_component(edges: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The smallest node of the connected component of each of `count` nodes."""
    # Imported here, because it takes a third of a second and the many ingest jobs do not need it.
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(edges), dtype=bool), edges.T), shape=(count, count))
    components, component = connected_components(graph, directed=False)
    smallest = np.full(components, count, dtype=np.int64)
    np.minimum.at(smallest, component, np.arange(count))
    return smallest[component]


def _averages(parts: int, size: int) -> NDArray[np.float32]:
    """The matrix (parts, size) that averages a line of pixels over `parts` equal intervals."""
    edges = np.linspace(0, size, parts + 1)
    pixels = np.arange(size)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    weights = overlap.clip(0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _frequencies(size: int) -> NDArray[np.float32]:
    """The matrix (8, size) that maps a line of pixels to its DCT coefficients 1 to 8."""
    angles = np.arange(1, 9)[:, None] * (2 * np.arange(HASH_GRID) + 1) * np.pi / (2 * HASH_GRID)
    return np.cos(angles).astype(np.float32) @ _averages(HASH_GRID, size)
