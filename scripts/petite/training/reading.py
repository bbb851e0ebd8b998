"""The images of a training: held in memory where they fit, else read from the store each time."""

import logging

import numpy as np

from petite.training.batches import Images
from petite.training.settings import TrainingSettings
from petite.util.formatting import byte_size

logger = logging.getLogger(__name__)

# How many images are read at a time into what is held.
READ_AT_ONCE = 1_024


def size_of(images: Images) -> int:
    """What the images take in memory, bytes."""
    return int(np.prod(images.shape))


def size_trained_on(images: Images, settings: TrainingSettings) -> int:
    """What training on the images takes when they are held: they, and a copy for each other size.

    Bytes. The sizes are those of `settings.phases`.
    """
    rows, side, _, channels = images.shape
    sides = {side, *settings.phase_sides(side)}
    return rows * channels * sum(side**2 for side in sides)


def held(images: Images, needed: int, limit: int, name: str) -> Images:
    """The images as an array if `needed` bytes are no more than `limit`; else as they are.

    Either gives the same images. `name` says in the log what they are.
    """
    if needed > limit:
        logger.info(
            "%s would take %s, more than %s: they are read from the store as they are needed",
            name,
            byte_size(needed),
            byte_size(max(limit, 0)),
        )
        return images
    array = np.empty(images.shape, dtype=np.uint8)
    for start in range(0, len(array), READ_AT_ONCE):
        rows = np.arange(start, min(start + READ_AT_ONCE, len(array)))
        array[rows] = images[rows]
    return array
