"""Find held-out images that show nearly the same as a training image, by their embeddings.

The pixels of a cropped, mirrored or brighter copy differ from those of the original, and so do two
frames of a burst; their embeddings do not differ much. `check_near_duplicates` finds for each image
of the validation and test part its most similar training image. Which similarity is that of a copy
is measured on the same images: training images are altered on purpose (`petite.features.altered`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from petite.util.blocks import slices
from petite.util.seeds import generator

BLOCK_BYTES = 64 * 2**20
# Training images whose nearest neighbor among all others is known.
MOST_NEIGHBORS = 4_000
# Pairs of images that are compared: 4 minutes for embeddings of 1,280 numbers on one core.
MOST_PAIRS = 4 * 10**9
# The threshold finds this share of the altered images, unless other images are so similar too.
FOUND = 0.95
# How many deviations a distance is below the usual one of nearest neighbors, at least: about 1% of
# photographs are so near to another one.
DEVIATIONS = 3.0
# The 90% quantile of a normal distribution is 1.2816 deviations above its median.
FAR, FAR_IN_DEVIATIONS = 0.9, 1.2816
# The similarity of an image to its nearest neighbor if there is none to compare with.
ALONE = -1.0
# A distance from which on rounding no longer matters.
SMALLEST_DISTANCE = 1e-6


class Nearest(NamedTuple):
    """The most similar training image of some images; each has shape (n,)."""

    row: NDArray[np.int64]
    similarity: NDArray[np.float32]


class Altered(NamedTuple):
    """Altered training images.

    Attributes
    ----------
    embeddings : ndarray of float32, shape (m, d)
    row : ndarray of int, shape (m,)
        The training image that each was made from.
    alteration : ndarray of str, shape (m,)
        How.
    """

    embeddings: NDArray[np.float32]
    row: NDArray[np.int64]
    alteration: NDArray[np.object_]


@dataclass(frozen=True)
class NearDuplicates:
    """The result of `check_near_duplicates`.

    Attributes
    ----------
    nearest : Nearest
        Of the held-out images.
    threshold : float
        The cosine similarity from which on an image counts as a near duplicate.
    found : mapping of str to float
        By alteration, the share of altered training images that have this similarity to a training
        image. Of the half of them that the threshold does not depend on.
    altered : int
        How many there are in this half.
    ordinary : float
        The share of training images that have this similarity to another training image. Copies
        within the training part are among them.
    """

    nearest: Nearest
    threshold: float
    found: Mapping[str, float]
    altered: int
    ordinary: float


class PairRecord(TypedDict):
    """Content of the JSON file of a check: fields of `NearDuplicates`, and images by part.

    The threshold is null if nothing can be compared.
    """

    threshold: float | None
    found: dict[str, float]
    altered: int
    ordinary: float
    listed: dict[str, int]
    images: dict[str, int]


def check_near_duplicates(
    train: NDArray[np.float32],
    together: NDArray[np.integer],
    held_out: NDArray[np.float32],
    altered: Altered,
    seed: int = 0,
) -> NearDuplicates:
    """Find the most similar training image of each held-out image, and what counts as a duplicate.

    Similarity is the cosine of the angle between two embeddings.

    Parameters
    ----------
    train : ndarray of float32, shape (n_train, d)
    together : ndarray of int, shape (n_train,)
        The same number for images that are known to belong together.
    held_out : ndarray of float32, shape (n, d)
    altered : Altered
        m images. Without any, the threshold follows from the training images alone.
    seed : int
        Of the training images whose neighbors are searched for.
    """
    directions = _directions(train)
    of_copies = nearest(_directions(altered.embeddings), directions).similarity
    some = generator(seed, "neighbors").permutation(len(train))[:MOST_NEIGHBORS]
    of_others = nearest(directions[some], directions, together[some], together).similarity
    # Even places decide on the threshold, the others say what it finds.
    place = pd.factorize(altered.row)[0] % 2
    decide, measure = place == 0, place == 1
    threshold = least_unusual(of_others[of_others > ALONE])
    if decide.any():
        threshold = max(threshold, float(np.quantile(of_copies[decide], 1 - FOUND)))
    elif not np.isfinite(threshold):
        threshold = np.inf
    hits = pd.Series(of_copies[measure] >= threshold)
    found = hits.groupby(altered.alteration[measure], sort=False).mean()
    return NearDuplicates(
        nearest(_directions(held_out), directions),
        threshold,
        {str(name): float(share) for name, share in found.items()},
        int(measure.sum()),
        float((of_others >= threshold).mean()),
    )


def least_unusual(similarity: NDArray[np.float32]) -> float:
    """The similarity from which on a nearest neighbor is unusually near.

    The logarithm of the distance (1 - similarity) is taken as normal, with a deviation from the
    farther half of the neighbors: many of the nearer ones may be copies. Negative infinity without
    any neighbors.

    Parameters
    ----------
    similarity : ndarray of float32, shape (n,)
        Of images to their nearest neighbors.
    """
    if not len(similarity):
        return -np.inf
    distance = np.log(np.maximum(1 - similarity.astype(np.float64), SMALLEST_DISTANCE))
    middle, far = np.quantile(distance, [0.5, FAR])
    return float(1 - np.exp(middle - DEVIATIONS * (far - middle) / FAR_IN_DEVIATIONS))


def compared(held_out: pd.DataFrame, n_train: int, seed: int = 0) -> pd.DataFrame:
    """The held-out images that are compared with all training images: all, or some at random."""
    most = max(1, MOST_PAIRS // n_train)
    if len(held_out) <= most:
        return held_out
    drawn = generator(seed, "compared").choice(len(held_out), most, replace=False)
    return held_out.iloc[np.sort(drawn)].reset_index(drop=True)


def nearest(
    of: NDArray[np.float32],
    among: NDArray[np.float32],
    group_of: NDArray[np.integer] | None = None,
    group_among: NDArray[np.integer] | None = None,
) -> Nearest:
    """Find the most similar of some directions, in blocks of BLOCK_BYTES.

    Parameters
    ----------
    of : ndarray of float32, shape (n, d)
        Vectors of length 1.
    among : ndarray of float32, shape (m, d)
        Vectors of length 1, of which the most similar is found.
    group_of, group_among : ndarray of int, shapes (n,) and (m,), optional
        Vectors of the same group are not compared.
    """
    rows = np.zeros(len(of), np.int64)
    similarity = np.full(len(of), ALONE, np.float32)
    for block in slices(len(of), 4 * len(among), BLOCK_BYTES):
        products = of[block] @ among.T
        if group_of is not None and group_among is not None:
            products[group_of[block, None] == group_among] = ALONE
        rows[block] = products.argmax(axis=1)
        similarity[block] = np.take_along_axis(products, rows[block, None], axis=1)[:, 0]
    return Nearest(rows, similarity)


def pair_table(
    check: NearDuplicates, train: pd.DataFrame, held_out: pd.DataFrame, class_names: list[str]
) -> pd.DataFrame:
    """The held-out images with their most similar training image, the most similar first.

    Parameters
    ----------
    check : NearDuplicates
    train : DataFrame
        image_id and label of the training images.
    held_out : DataFrame
        image_id, label and split of the held-out images.
    class_names : list of str
        By label.

    Returns
    -------
    DataFrame
        part, image_id, label, train_image_id, train_label, similarity, and listed: whether they
        count as near duplicates.
    """
    names = np.array(class_names, dtype=object)
    known = train.iloc[check.nearest.row]
    table = pd.DataFrame(
        {
            "part": held_out["split"].to_numpy(),
            "image_id": held_out["image_id"].to_numpy(),
            "label": names[held_out["label"].to_numpy()],
            "train_image_id": known["image_id"].to_numpy(),
            "train_label": names[known["label"].to_numpy()],
            "similarity": check.nearest.similarity.round(4),
            "listed": check.nearest.similarity >= check.threshold,
        }
    )
    order = np.argsort(-check.nearest.similarity, kind="stable")
    return table.iloc[order].reset_index(drop=True)


def check_record(check: NearDuplicates, table: pd.DataFrame) -> PairRecord:
    """The numbers of a check: what was found, and how far it can be trusted."""
    listed = table[table["listed"]]["part"].value_counts()
    images = table["part"].value_counts()
    return {
        "threshold": check.threshold if np.isfinite(check.threshold) else None,
        "found": dict(check.found),
        "altered": check.altered,
        "ordinary": check.ordinary,
        "listed": {str(part): int(listed.get(part, 0)) for part in images.index},
        "images": {str(part): int(count) for part, count in images.items()},
    }


def _directions(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors of length 1, or 0 for an embedding of 0.

    They are not taken from the mean of the images: of cropped photographs, 94% are more similar to
    the original than 99% of photographs to any other, and 86% if they are.
    """
    lengths = np.sqrt(np.vecdot(embeddings, embeddings))[:, None]
    return np.divide(embeddings, lengths, out=np.zeros_like(embeddings), where=lengths > 0)
