"""Encode the images of a shard in fewer bytes, and decode them again for the judges.

As `petite.data.ingest`, this reads the originals shard by shard. Row i of all files is for row i of
the shard's rows.
"""

import logging
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple, Unpack

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from petite.data.decoding.decode import SetAside, decode
from petite.data.ingest import Reading, ShardProgress, decode_entry
from petite.data.sources import ImageData, Source, UnreadableEntry
from petite.data.store import SHARD_DIGEST, shard_writer
from petite.util.encoded_names import encoding_name
from petite.util.files import atomic_path, sha256_of

logger = logging.getLogger(__name__)

# More effort makes fewer bytes of the same quality, and encoding is fast compared with training.
# One thread: many jobs run in parallel, and the bytes must not depend on the machine.
OPTIONS: dict[str, dict[str, Any]] = {
    "webp": {"method": 6},
    "avif": {"speed": 6, "max_threads": 1},
    "jpeg": {"optimize": True},
}


class Encoding(NamedTuple):
    """How images are encoded.

    Attributes
    ----------
    side : int
        Height and width, pixels. Smaller originals are not enlarged.
    codec : {"webp", "avif", "jpeg"}
    quality : int
        1 to 100, as the codec counts it.
    """

    side: int
    codec: str
    quality: int

    @property
    def name(self) -> str:
        return encoding_name(*self)


class EncodedFiles(NamedTuple):
    """The files of an encoded shard.

    Attributes
    ----------
    images : Path
        The encoded images, one after the other.
    pixels : Path
        The decoded images at the store's size, as a shard of a store.
    """

    images: Path
    pixels: Path


def encode(pixels: NDArray[np.uint8], codec: str, quality: int) -> bytes:
    """Encode one image.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, channels)
        1 channel or 3.
    codec : {"webp", "avif", "jpeg"}
    quality : int
        1 to 100.

    Returns
    -------
    bytes
        A file that any program reads. The same pixels give the same bytes.
    """
    file = BytesIO()
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    picture.save(file, codec, quality=quality, **OPTIONS[codec])
    return file.getvalue()


def encode_entry(
    data: ImageData | UnreadableEntry, encoding: Encoding, channels: int, reading: Reading
) -> tuple[bytes, int]:
    """Encode what a source gave for an entry.

    Returns
    -------
    bytes
        See `encode`.
    int
        Its side in pixels.

    Raises
    ------
    SetAside
        For what is not a usable image.
    """
    decoded = decode_entry(data, encoding.side, channels, resampling="bicubic", **reading)
    side = min(encoding.side, max(decoded.width, decoded.height))
    if side < encoding.side:
        decoded = decode_entry(data, side, channels, resampling="bicubic", **reading)
    return encode(decoded.pixels, encoding.codec, encoding.quality), side


def encode_shard(
    source: Source,
    rows: pd.DataFrame,
    files: EncodedFiles,
    encoding: Encoding,
    image_size: int,
    channels: int,
    **reading: Unpack[Reading],
) -> pd.DataFrame:
    """Encode entries of a source; one of them is in memory at a time.

    Parameters
    ----------
    source : Source
        Open.
    rows : DataFrame
        Some rows of its listing.
    files : EncodedFiles
        What is written.
    encoding : Encoding
    image_size : int
        Side of the decoded images, pixels.
    channels : int
        1 for grayscale, 3 for RGB.
    **reading
        See `petite.data.ingest.decode_entry`.

    Returns
    -------
    DataFrame
        For each row image_id, offset and bytes (of the encoded image), original_bytes (as the
        source gave it), side (pixels) and reason (why it could not be read, or "").
    """
    ids = rows["image_id"].tolist()
    row_of = {image_id: row for row, image_id in enumerate(ids)}
    offsets, sizes, originals, sides = np.zeros((4, len(ids)), np.int64)
    reasons = [""] * len(ids)
    progress = ShardProgress(len(ids))
    end = 0
    with (
        atomic_path(files.images) as temporary,
        temporary.open("wb") as images,
        shard_writer(files.pixels, len(ids), (image_size, image_size, channels)) as pixels,
    ):
        for image_id, data in source.read_many(ids):
            row = row_of[image_id]
            try:
                encoded, own_side = encode_entry(data, encoding, channels, reading)
            except SetAside as problem:
                reasons[row] = problem.reason
            else:
                images.write(encoded)
                offsets[row], sizes[row], sides[row] = end, len(encoded), own_side
                originals[row] = len(data) if isinstance(data, bytes) else np.asarray(data).nbytes
                end += len(encoded)
                pixels.write(row, decode(encoded, image_size, channels, min_side=1).pixels)
            progress.step(set_aside=bool(reasons[row]))
    progress.report()
    if smaller := int(((sides > 0) & (sides < encoding.side)).sum()):
        logger.info("%d originals are smaller than %s and keep their size", smaller, encoding.name)
    table = pd.DataFrame(
        {
            "image_id": rows["image_id"].to_numpy(),
            "offset": offsets,
            "bytes": sizes,
            "original_bytes": originals,
            "side": sides.astype(np.int32),
            "reason": reasons,
        }
    )
    # Kept in the Parquet file, so that damage to the shard is detected.
    table.attrs[SHARD_DIGEST] = sha256_of(files.pixels)
    return table
