"""Estimate what embedding all images takes, from a few of them on this machine."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Unpack

import numpy as np

from petite.data.ingest import Reading
from petite.data.sources import Source
from petite.features.embedding import blocks_of
from petite.networks.backbones.base import Backbone
from petite.util.errors import PetiteError
from petite.util.formatting import byte_size, counted, measured_time

# The measurement ends after the block in which they are over.
SECONDS = 5.0


@dataclass(frozen=True)
class EmbeddingCost:
    """The cost of embedding `images` in `jobs` jobs of one thread.

    `start` is what a job takes before its first image and `each` what an image takes, both in
    seconds; `memory` is of a job and `disk` of all embeddings, in bytes.
    """

    images: int
    jobs: int
    start: float
    each: float
    memory: float
    disk: float

    @property
    def seconds(self) -> float:
        """Of all jobs, one after the other."""
        return self.jobs * self.start + self.images * self.each

    def as_text(self) -> str:
        """One or two sentences for the terminal."""
        parallel = f", less if several of the {self.jobs} jobs run at a time"
        memory, disk = byte_size(self.memory), byte_size(self.disk)
        return (
            f"Embedding {counted(self.images, 'image')} takes {measured_time(self.seconds)} on one "
            f"core{parallel if self.jobs > 1 else ''}: {1000 * self.each:.1f} ms per image and "
            f"{self.start:.1f} s for the start of each job. A job needs {memory} of memory, and "
            f"all embeddings {disk} of disk."
        )


def measured_times(
    source: Source, image_ids: Sequence[str], backbone: Backbone, **reading: Unpack[Reading]
) -> tuple[float, float]:
    """Measure how long reading and embedding images takes, in some seconds.

    Parameters
    ----------
    source : Source
        Open.
    image_ids : sequence of str
        Some of its images, one or more.
    backbone : Backbone
        What embeds.
    **reading
        See `petite.data.ingest.decode_entry`.

    Returns
    -------
    start, each : float
        Seconds before the first image, and of an image: the median over blocks of images.

    Raises
    ------
    PetiteError
        None of the images can be read.
    """
    began = time.perf_counter()
    embed = backbone.embedder()
    side = backbone.image_size
    embed(np.zeros((1, side, side, 3), np.uint8), ["the first image"])  # compiles
    unread: dict[str, str] = {}
    found = []
    ready = last = time.perf_counter()
    for names, pixels in blocks_of(source, image_ids, side, reading, unread):
        embed(pixels, names)
        now = time.perf_counter()
        found.append((now - last) / len(names))
        last = now
        if now - ready > SECONDS:
            break
    if not found:
        name, reason = next(iter(unread.items()))
        raise PetiteError(
            f"none of {counted(len(image_ids), 'image')} can be read to measure the embedding, "
            f"such as {name} ({reason}): check the images"
        )
    return ready - began, float(np.median(found))
