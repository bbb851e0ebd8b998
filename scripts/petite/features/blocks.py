"""Images and features in blocks that fit into memory."""

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from petite.data.store import Store

# Largest block of images as float32; each thread has one.
BLOCK_BYTES = 64 * 2**20

# Returns, at each call, the same rows in the same order, as an iterable of arrays.
Batches = Callable[[], Iterable[np.ndarray]]


def batches_of(store: Store, image_ids: pd.Series) -> Batches:
    """A function that yields the images in blocks that fit into memory, at each call."""
    positions = store.positions(image_ids)
    batch_size = max(1, BLOCK_BYTES // (4 * int(np.prod(store.shape))))
    return lambda: store.iter_batches(positions, batch_size)
