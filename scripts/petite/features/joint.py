"""Features of several sets of images in one space: their principal components together.

The sets are read in blocks, so only the result is in memory: 128 components of a million images
take 0.5 GB, where their embeddings take 5 GB.
"""

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from petite.data.store import Store
from petite.features.blocks import BLOCK_BYTES, batches_of
from petite.features.embedding import StoredEmbeddings, all_the_same
from petite.features.io import FeatureRecord
from petite.features.pca import explained, principal_components
from petite.features.pixels import pixel_pca


def of_embeddings(
    sets: Sequence[StoredEmbeddings], dimensions: int
) -> tuple[NDArray[np.float32], FeatureRecord]:
    """Compute the features of all images of some sets from their embeddings.

    Parameters
    ----------
    sets : sequence of StoredEmbeddings
        Of one backbone.
    dimensions : int
        Number of principal components; all distances stay nearly the same.

    Returns
    -------
    features : ndarray of float32, shape (n, d)
        One set after the other.
    record : FeatureRecord

    Raises
    ------
    PetiteError
        If all images have the same embedding.
    """
    size = max(1, BLOCK_BYTES // (8 * sets[0].dimensions))

    def blocks() -> Iterator[NDArray[np.float32]]:
        for each in sets:
            yield from each.blocks(size)

    features, ratio = principal_components(blocks, dimensions, standardized=False)
    if len(features) > 1 and (features == features[0]).all():
        raise all_the_same(sets[-1])
    seconds = sum(each.seconds for each in sets)
    return features, {**explained(ratio), "embedding_seconds": seconds}


def of_pixels(
    sets: Sequence[tuple[Store, pd.Series]], dimensions: int, seed: int
) -> tuple[NDArray[np.float32], FeatureRecord]:
    """Compute the features of all images of some sets from their stored pixels.

    Parameters
    ----------
    sets : sequence of (Store, Series of str)
        The ids of each set and the store that they are in; all stores have one image size.
    dimensions, seed : int
        As for `petite.features.pixels.pixel_pca`.

    Returns
    -------
    As `of_embeddings`.
    """
    batches = [batches_of(store, image_ids) for store, image_ids in sets]
    result = pixel_pca(lambda: chain.from_iterable(each() for each in batches), dimensions, seed)
    return result.scores, explained(result.explained_variance_ratio)
