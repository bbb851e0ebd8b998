"""Embeddings of a source's images, shard by shard: from its files, not from the store.

A network sees more in an image of 224 pixels than in the store's, so the originals are decoded once
more, at the size that the network takes.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict, Unpack

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from petite.data.decoding.decode import SetAside
from petite.data.ingest import Reading, ShardProgress, decode_entry
from petite.data.sources import Source
from petite.data.store import REMEDY, Store, shard_writer
from petite.features.io import image_ids_digest
from petite.networks.backbones.base import Backbone
from petite.util.errors import DamagedFiles, PetiteError
from petite.util.files import read_json
from petite.util.formatting import counted

# Images that are decoded before the network sees them.
BLOCK = 64


class EmbeddingRecord(TypedDict):
    """Content of the JSON file next to the embeddings of a shard.

    `unread` maps the images that could not be decoded to the reason; their rows are NaN.
    `weight_bytes` are those of the network; None if a program embeds, and missing in files of an
    earlier Petite.
    """

    backbone: str
    digest: str
    dimensions: int
    images: int
    unread: dict[str, str]
    image_ids_sha256: str
    seconds: float
    weight_bytes: NotRequired[int | None]


def embed_shard(
    source: Source, rows: pd.DataFrame, backbone: Backbone, path: Path, **reading: Unpack[Reading]
) -> EmbeddingRecord:
    """Embed the listed entries; row i of the file is for row i of `rows`.

    One entry and BLOCK images at the backbone's size are in memory at a time. The values are
    float32, because float16 would change those of EfficientNet-Lite0 by up to 0.002.

    Parameters
    ----------
    source : Source
        Open.
    rows : DataFrame
        Some rows of its listing.
    backbone : Backbone
        What embeds.
    path : Path
        The `.npy` to write, float32 (len(rows), backbone.dimensions).
    **reading
        See `petite.data.ingest.decode_entry`.

    Raises
    ------
    PetiteError
        An embedding is not finite.
    """
    started = time.perf_counter()
    ids = rows["image_id"].tolist()
    row_of = {image_id: row for row, image_id in enumerate(ids)}
    embed = backbone.embedder()
    unread: dict[str, str] = {}
    with shard_writer(path, len(ids), (backbone.dimensions,), np.float32) as shard:
        for names, pixels in blocks_of(source, ids, backbone.image_size, reading, unread):
            for image_id, embedding in zip(names, embed(pixels, names), strict=True):
                shard.write(row_of[image_id], embedding)
        for image_id in unread:
            shard.write(row_of[image_id], np.full(backbone.dimensions, np.nan, np.float32))
    return EmbeddingRecord(
        backbone=backbone.name,
        digest=backbone.digest,
        dimensions=backbone.dimensions,
        images=len(ids),
        unread=unread,
        image_ids_sha256=image_ids_digest(ids),
        seconds=time.perf_counter() - started,
        weight_bytes=backbone.weight_bytes,
    )


def blocks_of(
    source: Source, image_ids: Sequence[str], side: int, reading: Reading, unread: dict[str, str]
) -> Iterator[tuple[list[str], NDArray[np.uint8]]]:
    """Yield the images that can be read in blocks: their ids, and their pixels, which are reused.

    Those that cannot be read are added to `unread`, with the reason.
    """
    block = np.empty((BLOCK, side, side, 3), np.uint8)
    names: list[str] = []
    progress = ShardProgress(len(image_ids))
    for image_id, data in source.read_many(image_ids):
        try:
            decoded = decode_entry(data, side, 3, resampling="bicubic", **reading)
        except SetAside as problem:
            unread[image_id] = problem.reason
        else:
            block[len(names)] = decoded.pixels
            names.append(image_id)
        if len(names) == BLOCK:
            yield names, block
            names = []
        progress.step(set_aside=image_id in unread)
    if names:
        yield names, block[: len(names)]
    progress.report()


@dataclass(frozen=True)
class StoredEmbeddings:
    """Embeddings of n images in the files of all shards, which are read in blocks.

    Attributes
    ----------
    paths : list of Path
        The files, in the shards' order.
    shards, rows : ndarray of int, shape (n,)
        Where the embedding of each image is.
    dimensions : int
    seconds : float
        What embedding these images took.
    backbone : str
        The name of the network.
    """

    paths: list[Path]
    shards: NDArray[np.int64]
    rows: NDArray[np.int64]
    dimensions: int
    seconds: float
    backbone: str

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, places: slice = slice(None)) -> NDArray[np.float32]:
        """Read the embeddings of some of the images, float32 (m, dimensions)."""
        shards, rows = self.shards[places], self.rows[places]
        found = np.empty((len(rows), self.dimensions), np.float32)
        for shard in np.unique(shards).tolist():
            here = np.flatnonzero(shards == shard)
            found[here] = np.load(self.paths[shard], mmap_mode="r")[rows[here]]
        return found

    def blocks(self, size: int) -> Iterator[NDArray[np.float32]]:
        """Read all embeddings, `size` images at a time."""
        for start in range(0, len(self), size):
            yield self.read(slice(start, start + size))


def find_embeddings(
    store: Store, image_ids: Iterable[str], paths: Iterable[Path]
) -> StoredEmbeddings:
    """Find the embeddings of some images in their files.

    Parameters
    ----------
    store : Store
        Its shards are those of the files: a row of the one is for the same image as of the other.
    image_ids : iterable of str
        Images in use, n of them.
    paths : iterable of Path
        The files that `embed_shard` wrote, each with its record beside it, in the shards' order.

    Returns
    -------
    StoredEmbeddings

    Raises
    ------
    PetiteError
        The files are of other images or of two backbones, or an image could not be read.
    """
    wanted = pd.Index(image_ids)
    paths = list(paths)
    records: list[EmbeddingRecord] = [read_json(path.with_suffix(".json")) for path in paths]
    _check_one_backbone(paths, records)
    shard_of, row_of, seconds = np.full(len(wanted), -1), np.full(len(wanted), -1), 0.0
    for shard, (path, record, table) in enumerate(
        zip(paths, records, store.shard_tables(), strict=True)
    ):
        ids = pd.read_parquet(table, columns=["image_id"])["image_id"]
        if record["image_ids_sha256"] != image_ids_digest(ids):
            raise DamagedFiles(
                f"{path} has embeddings of other images than the store's shard. {REMEDY}",
                [path],
            )
        rows = pd.Index(ids).get_indexer(wanted)
        here = np.flatnonzero(rows >= 0)
        shard_of[here], row_of[here] = shard, rows[here]
        _check_read(record, wanted[here])
        seconds += record["seconds"] * len(here) / max(1, len(ids))
    if (missing := shard_of < 0).any():
        raise PetiteError(f"no shard holds {int(missing.sum())} images, {wanted[missing][0]} first")
    dimensions = max(record["dimensions"] for record in records)
    return StoredEmbeddings(paths, shard_of, row_of, dimensions, seconds, records[0]["backbone"])


def read_embeddings(
    store: Store, image_ids: Iterable[str], paths: Iterable[Path]
) -> tuple[NDArray[np.float32], float]:
    """Read the embeddings of some images; the arguments are those of `find_embeddings`.

    Returns
    -------
    embeddings : ndarray of float32, shape (n, dimensions)
    seconds : float
        What embedding these images took.

    Raises
    ------
    PetiteError
        As `find_embeddings`, and if all images have the same embedding.
    """
    found = find_embeddings(store, image_ids, paths)
    embeddings = found.read()
    if len(embeddings) > 1 and (embeddings == embeddings[0]).all():
        raise all_the_same(found)
    return embeddings, found.seconds


def weight_bytes(paths: Iterable[Path]) -> int | None:
    """Read the bytes of the network's weights; None if they are unknown.

    paths: the files that `embed_shard` wrote.
    """
    records: Iterator[EmbeddingRecord] = (read_json(path.with_suffix(".json")) for path in paths)
    return next(records).get("weight_bytes")


def all_the_same(found: StoredEmbeddings) -> PetiteError:
    """Make the error for a backbone that gives all images the same embedding."""
    return PetiteError(
        f"backbone '{found.backbone}' gives {len(found)} images the same embedding: correct "
        "backbone.scaling or its weights, or use another backbone"
    )


def _check_one_backbone(paths: list[Path], records: list[EmbeddingRecord]) -> None:
    digests = {record["digest"] for record in records}
    # A program of the user's does not run for a shard without readable images.
    widths = {record["dimensions"] for record in records} - {0}
    if len(widths) > 1 and len(digests) == 1:
        numbers = " and ".join(map(str, sorted(widths)))
        raise PetiteError(
            f"backbone '{records[0]['backbone']}' gives embeddings of {numbers} numbers for "
            "different shards: correct the program (backbone.command)"
        )
    if len(digests) > 1:
        raise DamagedFiles(
            f"the embeddings in {paths[0].parent} were made by several backbones. {REMEDY}",
            paths,
        )


def _check_read(record: EmbeddingRecord, image_ids: pd.Index) -> None:
    """Raise PetiteError for an image that the store has and that could not be decoded again."""
    lost = [image_id for image_id in image_ids if image_id in record["unread"]]
    if lost:
        raise PetiteError(
            f"{counted(len(lost), 'image')} of the store could not be read again for their "
            f"embeddings, such as {lost[0]} ({record['unread'][lost[0]]}): delete the folder of "
            "the embeddings and run again"
        )
