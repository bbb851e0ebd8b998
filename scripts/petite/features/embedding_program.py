"""Embeddings by a program of the user's, in any framework, instead of a backbone of Petite.

For each shard, the program is given a table of image files (CSV) and writes a matrix of embeddings.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from petite.data.ingest import Reading
from petite.data.pictures import write_pictures
from petite.data.sources import Source
from petite.data.store import shard_writer
from petite.features.embedding import EmbeddingRecord, blocks_of
from petite.features.io import image_ids_digest
from petite.util import command
from petite.util.errors import PetiteError
from petite.util.files import write_csv
from petite.util.formatting import counted

# What stands for each placeholder of a command.
PLACEHOLDERS = {
    "images": "table of the images: file",
    "embeddings": "file to write, .npy",
    "threads": "number of threads to use",
}
NEEDED = ("images", "embeddings")


def words_of(template: str) -> list[str]:
    """The words of a command; raises ValueError where its placeholders are wrong."""
    return command.words_of(template, PLACEHOLDERS, NEEDED)


@dataclass(frozen=True)
class Program:
    """A program that embeds.

    Attributes
    ----------
    command : str
        With its placeholders.
    image_size : int
        Side of the images that it is given, in pixels.
    threads : int
        CPU threads for it to use.
    max_seconds : float
        Time limit of one run.
    """

    command: str
    image_size: int
    threads: int
    max_seconds: float


def embed_shard_by_program(
    source: Source, rows: pd.DataFrame, program: Program, path: Path, **reading: Unpack[Reading]
) -> EmbeddingRecord:
    """Embed the listed entries; row i of the file is for row i of `rows`.

    The program runs in a folder of its own below $TMPDIR, next to the images, which are removed at
    the end, whatever happens.

    Parameters
    ----------
    source : Source
        Open.
    rows : DataFrame
        Some rows of its listing.
    program : Program
    path : Path
        The `.npy` to write, float32 (len(rows), dimensions). An image that cannot be decoded is not
        given to the program, and has a row of NaN.
    **reading
        See `petite.data.ingest.decode_entry`.

    Raises
    ------
    PetiteError
        When the program fails, runs for too long, or writes something else than one row of finite
        numbers for each image.
    """
    started = time.perf_counter()
    words = words_of(program.command)
    ids = rows["image_id"].tolist()
    unread: dict[str, str] = {}
    with command.scratch_folder() as folder:
        files = _write_images(folder / "images", source, ids, program.image_size, reading, unread)
        read = [row for row, image_id in enumerate(ids) if image_id not in unread]
        given = [files[row] for row in read]
        embeddings = np.empty((0, 0), np.float32)
        if given:
            table, made = folder / "images.csv", folder / "embeddings.npy"
            write_csv(table, pd.DataFrame({"file": given}))
            values = {"images": table, "embeddings": made, "threads": program.threads}
            own = folder / "run"
            own.mkdir()
            command.run(command.filled(words, values), own, program.threads, program.max_seconds)
            embeddings = read_matrix(made, [ids[row] for row in read])
    dimensions = embeddings.shape[1]
    with shard_writer(path, len(ids), (dimensions,), np.float32) as shard:
        for row, embedding in zip(read, embeddings, strict=True):
            shard.write(row, embedding)
        for row in sorted({*range(len(ids))} - {*read}):
            shard.write(row, np.full(dimensions, np.nan, np.float32))
    return EmbeddingRecord(
        backbone=command.name_of(words),
        digest=command.digest_of(words),
        dimensions=dimensions,
        images=len(ids),
        unread=unread,
        image_ids_sha256=image_ids_digest(ids),
        seconds=time.perf_counter() - started,
        weight_bytes=None,
    )


def _write_images(
    folder: Path,
    source: Source,
    ids: Sequence[str],
    side: int,
    reading: Reading,
    unread: dict[str, str],
) -> list[str]:
    """Write the images as PNG files; those that cannot be decoded are added to `unread`."""
    row_of = {image_id: row for row, image_id in enumerate(ids)}

    def pixels() -> Iterator[tuple[int, NDArray[np.uint8]]]:
        for names, block in blocks_of(source, ids, side, reading, unread):
            for image_id, image in zip(names, block, strict=False):  # the block may be longer
                yield row_of[image_id], image

    return write_pictures(folder, len(ids), pixels())


def read_matrix(path: Path, image_ids: Sequence[str]) -> NDArray[np.float32]:
    """Read the embeddings that a program wrote.

    Parameters
    ----------
    path : Path
        A `.npy` file.
    image_ids : sequence of str
        The n images, for messages.

    Returns
    -------
    ndarray of float32, shape (n, dimensions)

    Raises
    ------
    PetiteError
        When there is no such file, it is of another kind or shape, or a row is not of finite
        numbers.
    """
    if not path.is_file():
        raise PetiteError("backbone.command: the program ended without writing {embeddings}")
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise PetiteError(
            f"backbone.command: {{embeddings}} cannot be read as a .npy file ({error})"
        ) from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        kind = getattr(array, "dtype", "several arrays")
        raise PetiteError(
            f"backbone.command: {{embeddings}} holds {kind}: save one array of "
            "floating-point numbers"
        )
    if array.ndim != 2 or not array.shape[1]:
        raise PetiteError(
            f"backbone.command: {{embeddings}} has the shape {array.shape}: write one row of "
            "numbers for each image"
        )
    if len(array) != len(image_ids):
        raise PetiteError(
            f"backbone.command: {{embeddings}} has {counted(len(array), 'row')} for "
            f"{counted(len(image_ids), 'image')}: write one row for each row of {{images}}, in the "
            "same order"
        )
    with np.errstate(over="ignore"):  # too large for float32 counts as infinite
        embeddings: NDArray[np.float32] = array.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(embeddings).all(axis=1))
    if len(bad):
        raise PetiteError(
            f"backbone.command: {{embeddings}} has NaN or infinite values in {len(bad)} of "
            f"{counted(len(image_ids), 'row')}, first in row {bad[0] + 1} ('{image_ids[bad[0]]}')"
        )
    return embeddings
