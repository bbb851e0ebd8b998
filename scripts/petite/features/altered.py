"""Altered copies of training images and their embeddings, to see how similar copies are.

`petite.evaluation.near_duplicates` compares them with the originals.
"""

import io
from collections.abc import Callable, Iterator
from typing import NamedTuple, Unpack

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from petite.data.decoding.decode import SetAside
from petite.data.ingest import Reading, decode_entry
from petite.data.sources import Source
from petite.features.embedding import BLOCK
from petite.networks.backbones.base import Backbone
from petite.util.seeds import generator

MOST_IMAGES = 120
# The images are altered at this multiple of the network's image size.
LARGER = 2
CROPPED = 0.8  # of each side
QUALITY = 30
DARKER = 0.7


class AlteredImages(NamedTuple):
    """Embeddings, float32 (m, d), and a table with image_id and alteration of the m images."""

    embeddings: NDArray[np.float32]
    table: pd.DataFrame


def _cropped(image: Image.Image) -> Image.Image:
    width, height = image.size
    left, top = (1 - CROPPED) / 2 * width, (1 - CROPPED) / 2 * height
    return image.crop((round(left), round(top), round(width - left), round(height - top)))


def _saved_again(image: Image.Image) -> Image.Image:
    """A JPEG of low quality at half the size."""
    file = io.BytesIO()
    width, height = image.size
    image.resize((width // 2, height // 2)).save(file, "JPEG", quality=QUALITY)
    return Image.open(file).convert("RGB")


# Each in the words of the report, which follow "copies that were".
ALTERATIONS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "cropped to 80%": _cropped,
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "saved again at half the size": _saved_again,
    "made darker by 30%": lambda image: ImageEnhance.Brightness(image).enhance(DARKER),
}


def embed_altered(
    source: Source,
    image_ids: pd.Series,
    backbone: Backbone,
    seed: int = 0,
    **reading: Unpack[Reading],
) -> AlteredImages:
    """Embed altered copies of some images, drawn at random.

    Parameters
    ----------
    source : Source
        Open.
    image_ids : Series of str
        Of the training images; MOST_IMAGES of them are altered, each in all ways.
    backbone : Backbone
    seed : int
    **reading
        See `petite.data.ingest.decode_entry`.
    """
    drawn = generator(seed, "altered").permutation(len(image_ids))[:MOST_IMAGES]
    wanted = image_ids.iloc[np.sort(drawn)].tolist()
    embed = backbone.embedder()
    rows, embeddings = [], [np.zeros((0, backbone.dimensions), np.float32)]
    side = backbone.image_size
    block = np.empty((BLOCK, side, side, 3), np.uint8)
    names: list[str] = []

    def flush() -> None:
        if names:
            embeddings.append(np.array(embed(block[: len(names)], names)))
            names.clear()

    for image_id, alteration, image in _altered(source, wanted, LARGER * side, reading):
        resized = image.resize((side, side), Image.Resampling.BICUBIC)
        block[len(names)] = np.asarray(resized)
        names.append(image_id)
        rows.append((image_id, alteration))
        if len(names) == BLOCK:
            flush()
    flush()
    table = pd.DataFrame(rows, columns=["image_id", "alteration"]).astype("str")
    return AlteredImages(np.concatenate(embeddings), table)


def _altered(
    source: Source, image_ids: list[str], side: int, reading: Reading
) -> Iterator[tuple[str, str, Image.Image]]:
    """Each image in all alterations; one that cannot be read any more is left out."""
    for image_id, data in source.read_many(image_ids):
        try:
            decoded = decode_entry(data, side, 3, resampling="bicubic", **reading)
        except SetAside:
            continue
        image = Image.fromarray(decoded.pixels)
        for name, alter in ALTERATIONS.items():
            yield image_id, name, alter(image)
