"""Read a source into the store: decode it shard by shard, then decide which images are used.

`ingest_shard` runs once for each shard, in parallel. `build_index` takes all their tables and
decides which images are used.
"""

import builtins
import hashlib
import json
import logging
import math
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from petite.data.decoding.decode import (
    Decoded,
    Resampling,
    SetAside,
    counts_of,
    decode,
    from_array,
)
from petite.data.decoding.depth import Depth, may_be_deep, range_of, sampled
from petite.data.decoding.formats import OTHER_FORMAT
from petite.data.duplicates import THUMBNAIL_SIDE, duplicate_groups, exact_groups, fingerprints
from petite.data.sources import ImageData, Source, UnreadableEntry
from petite.data.store import (
    FORMAT,
    SHARD_DIGEST,
    Content,
    Manifest,
    ShardRecord,
    ShardWriter,
    shard_writer,
)
from petite.util.errors import PetiteError
from petite.util.files import sha256_of
from petite.util.formatting import counted, plural
from petite.util.notices import Notices

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_REPORTS = 5.0
# Images hashed at once: few enough to stay in the processor's cache.
BLOCK = 32
# Gray levels by which channels of an image without color may differ: JPEG rounds each separately.
GRAY_TOLERANCE = 4
EXAMPLES = 3
MOST_WARNINGS = 20
# Rows of the index that are converted to text at a time, for the digest.
DIGESTED_AT_ONCE = 65_536

DIGESTS = ["sha256", "pixel_sha256"]
STATUSES = ("ok", "set_aside", "beyond_limit")
FOUND = {
    "bytes": "int64",
    "sha256": "str",
    "reason": "str",
    "width": "int32",
    "height": "int32",
    "pixel_sha256": "str",
    "phash": "uint64",
    "thumbnail": "object",
    "black": "float64",
    "white": "float64",
    "is_transparent": "bool",
    "has_more": "bool",
    "format": "str",
    "has_exif": "bool",
    "lowest": "uint8",
    "highest": "uint8",
    "is_gray": "bool",
    "captured": "float64",
    "camera": "str",
}


class Facts(TypedDict, total=False):
    """A row of an entry in a shard's table, see `ingest_shard`; FOUND has the same keys."""

    bytes: int
    sha256: str
    reason: str
    width: int
    height: int
    pixel_sha256: str
    phash: int
    thumbnail: builtins.bytes
    black: float
    white: float
    is_transparent: bool
    has_more: bool
    format: str
    has_exif: bool
    lowest: int
    highest: int
    is_gray: bool
    captured: float
    camera: str


INDEX_COLUMNS = {
    "image_id": "str",
    "class_name": "str",
    "label": "int16",
    "status": "str",
    "reason": "str",
    "sha256": "str",
    "phash": "uint64",
    "width": "int32",
    "height": "int32",
    "bytes": "int64",
    "format": "str",
    "has_exif": "bool",
    "shard": "int32",
    "row": "int64",
    "copy_group": "int64",
    "captured": "float64",
    "camera": "str",
}


class Reading(TypedDict, total=False):
    """How the images of a shard are read, as `decode_entry` takes it."""

    min_side: int
    max_pixels: int
    max_seconds: float | None
    depth: Depth | Callable[[], Depth]


def shard_bounds(count: int, shard: int, shards: int) -> tuple[int, int]:
    """First row, and the row after the last, of shard `shard` (from 1) of `count` rows."""
    return (shard - 1) * count // shards, shard * count // shards


def shard_rows(listing: pd.DataFrame, shard: int, shards: int) -> pd.DataFrame:
    """The rows of the listing in shard `shard` (1 to `shards`): one block of rows."""
    return listing.iloc[slice(*shard_bounds(len(listing), shard, shards))]


def read_shard_rows(path: Path, shard: int, shards: int) -> pd.DataFrame:
    """Read the `shard_rows` of a listing from its file; the other rows are not read."""
    start, stop = shard_bounds(pq.read_metadata(path).num_rows, shard, shards)
    # The column `position` numbers the rows, and the file has its range for each row group.
    return pd.read_parquet(path, filters=[("position", ">=", start), ("position", "<", stop)])


def shard_rows_by_name(listing: pd.DataFrame, shard: int, shards: int) -> pd.DataFrame:
    """The rows of the listing in shard `shard` (1 to `shards`), in the listing's order.

    The shard depends on a checksum of the id alone, so a file that is added to or removed from a
    folder does not change the other shards. The column position, which such a file changes, is
    dropped.
    """
    here = shard_numbers(listing["image_id"], shards) == shard
    return listing.loc[here].drop(columns="position")


def shard_numbers(image_ids: Iterable[str], shards: int) -> NDArray[np.int64]:
    """The shard of each image, 1 to `shards`, by `shard_rows_by_name`."""
    checksums = [zlib.crc32(name.encode("utf-8", "surrogatepass")) for name in image_ids]
    return np.asarray(checksums, dtype=np.int64) % shards + 1


def ingest_shard(
    source: Source,
    rows: pd.DataFrame,
    pixels_path: Path,
    *,
    image_size: int,
    channels: int,
    **reading: Unpack[Reading],
) -> pd.DataFrame:
    """Decode entries of a source into a shard; row i of the shard is for row i of `rows`.

    One entry and BLOCK stored images are in memory at a time.

    Parameters
    ----------
    source : Source
        An open source.
    rows : DataFrame
        Rows of its listing (image_id, class_name, bytes; further columns are kept).
    pixels_path : Path
        The shard to write.
    image_size : int
        Side of the stored images, pixels.
    channels : int
        1 or 3.
    **reading
        See `decode_entry`.

    Returns
    -------
    DataFrame
        `rows` with reason (empty for an image that was read), sha256 (of the file, or of the
        pixels if the source gives pixels), bytes (as read), width, height, pixel_sha256 (of the
        stored pixels), phash, thumbnail (256 bytes: 16x16, gray), format (of the file; "" for
        pixels) and has_exif. For `petite.data.stored_check`
        also black and white (counts that became black and white; NaN for 8 bits), is_transparent,
        has_more (pages, frames or bands), lowest and highest (stored gray level) and is_gray; for
        groups by time captured (seconds since 1970, or NaN) and camera.
    """
    table = pd.DataFrame(rows).reset_index(drop=True)
    row_of = {image_id: row for row, image_id in enumerate(table["image_id"])}
    found: list[Facts] = [{} for _ in row_of]
    progress = ShardProgress(len(row_of))
    with shard_writer(pixels_path, len(row_of), (image_size, image_size, channels)) as shard:
        block = np.empty((BLOCK, image_size, image_size, channels), np.uint8)
        held: list[int] = []  # rows of the images in the block
        for image_id, data in source.read_many(list(row_of)):
            row = row_of[image_id]
            facts = _file_facts(data)
            try:
                decoded = decode_entry(data, image_size, channels, **reading)
            except SetAside as problem:
                found[row] = facts | _facts_of_unread(problem.reason)
            else:
                found[row] = facts | _facts_of(decoded)
                block[len(held)] = decoded.pixels
                held.append(row)
            if len(held) == BLOCK:
                _finish(block, held, found, shard)
                held = []
            progress.step(set_aside=bool(found[row]["reason"]))
        if held:
            _finish(block[: len(held)], held, found, shard)
    progress.report()
    facts_table = pd.DataFrame(found, index=table.index, columns=list(FOUND)).astype(FOUND)
    table = table.drop(columns="bytes").join(facts_table)
    # Kept in the Parquet file, so that damage to the shard is detected.
    table.attrs[SHARD_DIGEST] = sha256_of(pixels_path)
    return table


def decode_entry(
    data: ImageData | UnreadableEntry,
    image_size: int,
    channels: int,
    *,
    min_side: int = 8,
    max_pixels: int = 50_000_000,
    max_seconds: float | None = None,
    depth: Depth | Callable[[], Depth] = "full",
    resampling: Resampling = "bilinear",
) -> Decoded:
    """Bring what a source gave for an entry to a square of pixels.

    The arguments are those of `petite.data.decoding.decode.decode`; `depth` may be what finds it
    (`range_of_set`) where the image needs it. Raises SetAside for what is not a usable image.
    """
    if isinstance(data, UnreadableEntry):
        raise SetAside(data.reason)
    if not isinstance(data, bytes):
        return from_array(data, image_size, channels, resampling)
    return decode(
        data,
        image_size,
        channels,
        min_side=min_side,
        max_pixels=max_pixels,
        max_seconds=max_seconds,
        depth=_depth_for(data, depth),
        resampling=resampling,
    )


def _file_facts(data: ImageData | UnreadableEntry) -> Facts:
    """The size and the digest of what a source gave."""
    if isinstance(data, UnreadableEntry):
        return {"bytes": 0, "sha256": ""}
    content = data if isinstance(data, bytes) else np.ascontiguousarray(data).data
    size = len(data) if isinstance(data, bytes) else data.nbytes
    return {"bytes": size, "sha256": hashlib.sha256(content).hexdigest()}


def range_of_set(
    source: Source,
    image_ids: Iterable[str],
    *,
    max_pixels: int = 50_000_000,
    max_seconds: float | None = None,
) -> Depth:
    """Find the range of counts of a data set's images of more than 8 bits per channel.

    It comes from a sample of all images, so it is the same for all shards of a data set. If the
    sample has no image of more than 8 bits, such images are rare and each has its own range.

    Parameters
    ----------
    source : Source
        An open source.
    image_ids : iterable of str
        Ids of all its images.
    max_pixels, max_seconds
        As for `petite.data.decoding.decode.decode`.
    """
    samples = []
    for _, data in source.read_many(sampled(image_ids)):
        if isinstance(data, bytes) and may_be_deep(data):
            with suppress(SetAside):
                counts = counts_of(data, max_pixels=max_pixels, max_seconds=max_seconds)
                samples += [] if counts is None or counts.size == 0 else [counts]
    limits = range_of(samples)
    logger.info("counts from black to white: %s, from %d images", limits or "each", len(samples))
    return limits or "each"


def _depth_for(data: bytes, depth: Depth | Callable[[], Depth]) -> Depth:
    """The depth for this image; the range of the data set is computed only if necessary."""
    if not callable(depth):
        return depth
    return depth() if may_be_deep(data) else "full"


def gather_shards(listing: pd.DataFrame, tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Concatenate the tables of all shards, in listing order; adds shard (from 0) and row.

    The shards are those of `shard_rows` or of `shard_rows_by_name`. Thumbnails become an Arrow
    column, because they take twice as much memory as Python objects.

    Raises
    ------
    PetiteError
        Unless each table has exactly its entries of the listing.
    """
    ids, parts = [], []
    for shard, table in enumerate(tables):
        ids.append(table[["image_id"]])
        thumbnails = table["thumbnail"].astype(pd.ArrowDtype(pa.large_binary()))
        parts.append(table.assign(shard=shard, row=np.arange(len(table)), thumbnail=thumbnails))
    entries = pd.concat(parts, ignore_index=True)
    if _same_ids(entries, listing):
        return entries
    by_name = (shard_rows_by_name(listing, number, len(ids)) for number in range(1, len(ids) + 1))
    if not all(map(_same_ids, ids, by_name)):
        raise PetiteError(
            f"the {len(entries)} entries of the shards are not the {len(listing)} entries of the "
            "listing in their order. Delete the folder store/shards and rerun."
        )
    places = pd.Index(entries["image_id"]).get_indexer(listing["image_id"])
    return entries.take(places).reset_index(drop=True)


def _same_ids(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether two tables are of the same entries in the same order."""
    ids, others = one["image_id"].array, other["image_id"].array
    return len(ids) == len(others) and bool((ids == others).all())


def build_index(
    entries: pd.DataFrame,
    classes: Sequence[str],
    *,
    limit_per_class: int | None,
    max_bad_share: float,
    near_copy_distance: int | None,
    min_per_class: int | None = None,
    notices: Notices | None = None,
) -> pd.DataFrame:
    """Decide for each entry whether it is used, and if not why; group the duplicates.

    Images of different classes with the same bytes or the same stored pixels contradict each other:
    all of them are set aside, including those beyond the limit. Near duplicates in different
    classes are used, stay in one group and are reported.

    Parameters
    ----------
    entries : DataFrame
        The tables of all shards in listing order, with shard (from 0) and row.
    classes : sequence of str
        The classes in label order.
    limit_per_class : int or None
        Use at most this many readable images per class, the first ones; None for all.
    max_bad_share : float
        Largest fraction of entries that may be unreadable.
    near_copy_distance : int or None
        As `max_distance` of `duplicate_groups`; None for exact duplicates only.
    min_per_class : int, optional
        Exclude classes with fewer distinct images in use, where duplicates count once. They have
        no label (-1) and their images are set aside. None excludes none.
    notices : Notices, optional
        Notices for the user are added to it.

    Returns
    -------
    DataFrame
        The index with INDEX_COLUMNS.

    Raises
    ------
    PetiteError
        If too many entries are unreadable, a class is left without images, fewer than two classes
        are left, or there are more than a label can number.
    """
    index = entries.reset_index(drop=True)
    readable = (index["reason"] == "").to_numpy()
    notices = Notices() if notices is None else notices
    _check_bad_share(index[~readable], len(index), max_bad_share, notices)
    most = np.iinfo(INDEX_COLUMNS["label"]).max
    if len(classes) > most:
        raise PetiteError(f"there are {len(classes):,} classes, and at most {most:,} are possible")
    index["label"] = pd.Index(classes).get_indexer(pd.Index(index["class_name"]))
    index["copy_group"] = np.arange(len(index))
    good = np.flatnonzero(readable)
    # Numbers instead of digests: they sort fast and take an eighth of the memory.
    digests = np.column_stack([pd.factorize(index[column])[0] for column in DIGESTS])[good]
    groups = duplicate_groups(
        digests,
        index["phash"].to_numpy()[good],
        thumbnails_of(index.pop("thumbnail")),
        near_copy_distance,
    )
    index.loc[readable, "copy_group"] = good[groups]

    index["status"] = np.where(readable, "ok", "set_aside")
    if limit_per_class is not None:
        names = index.loc[readable, ["class_name"]]
        number = names.groupby("class_name").cumcount().reindex(index.index)
        beyond = (number >= limit_per_class).to_numpy()
        index.loc[beyond, "status"] = "beyond_limit"
        index.loc[beyond, "reason"] = f"beyond the limit of {limit_per_class} per class"
    conflicts = _label_conflicts(index, good, exact_groups(digests))
    index.loc[list(conflicts), "status"] = "set_aside"
    index.loc[list(conflicts), "reason"] = list(conflicts.values())
    _say_conflicts(index.loc[list(conflicts)], notices)
    for position, reason in list(conflicts.items())[:MOST_WARNINGS]:
        logger.warning("%s is set aside: %s", index.loc[position, "image_id"], reason)
    if min_per_class is not None:
        classes = _leave_out_small(index, classes, min_per_class, notices)
    index.loc[index["status"] == "set_aside", ["shard", "row"]] = -1

    _say_near_conflicts(index[index["status"] == "ok"], notices)
    _check_classes(index, classes, limit_per_class, notices)
    return index.astype(INDEX_COLUMNS)[list(INDEX_COLUMNS)]


def labeled_classes(index: pd.DataFrame) -> list[str]:
    """The classes of an index in label order, without the excluded ones."""
    labeled = index.loc[index["label"] >= 0, ["label", "class_name"]].drop_duplicates()
    return labeled.sort_values("label")["class_name"].tolist()


def make_manifest(
    index: pd.DataFrame,
    classes: Sequence[str],
    shards: list[ShardRecord],
    image_size: int,
    channels: int,
    settings: dict[str, Any],
) -> Manifest:
    """Describe the content of a store, without times and without paths of this machine.

    Parameters
    ----------
    index : DataFrame
        From `build_index`.
    classes : sequence of str
        The classes in label order.
    shards : list of ShardRecord
        From `petite.data.store.shard_record`.
    image_size, channels : int
        Those of the stored images.
    settings : dict
        The settings that decided the content.

    Returns
    -------
    Manifest
        Its digest is a SHA-256 of everything else in it and of the index.
    """
    counts = index.groupby(["class_name", "status"]).size()
    content: Content = {
        "format": FORMAT,
        "classes": list(classes),
        "image_size": image_size,
        "channels": channels,
        "shards": shards,
        "counts": {
            name: {status: int(counts.get((name, status), 0)) for status in STATUSES}
            for name in classes
        },
        "settings": settings,
    }
    digest = hashlib.sha256(_as_bytes(content))
    for start in range(0, len(index), DIGESTED_AT_ONCE):
        rows = index.iloc[start : start + DIGESTED_AT_ONCE]
        digest.update(_as_bytes(rows.to_dict(orient="list")))
    return Manifest(**content, digest=digest.hexdigest())


def _as_bytes(value: Any) -> bytes:
    """A value as JSON with sorted keys, so that equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")


def thumbnails_of(column: pd.Series | pa.ChunkedArray) -> NDArray[np.uint8]:
    """The thumbnails, uint8 (n, 16, 16), of the entries of a column that have one."""
    arrow = column.cast(pa.large_binary()) if isinstance(column, pa.ChunkedArray) else None
    if arrow is None:
        arrow = pa.chunked_array([pa.array(column, pa.large_binary())])
    data = arrow.combine_chunks()
    begins = np.frombuffer(data.buffers()[1], np.int64)[data.offset :][: len(data) + 1]
    pixels = np.frombuffer(data.buffers()[2] or b"", np.uint8)[begins[0] : begins[-1]]
    return pixels.reshape(-1, THUMBNAIL_SIDE, THUMBNAIL_SIDE)


def _facts_of_unread(reason: str) -> Facts:
    """Facts of an entry that was not read."""
    return {
        "reason": reason,
        "width": 0,
        "height": 0,
        "pixel_sha256": "",
        "phash": 0,
        "thumbnail": b"",
        "black": math.nan,
        "white": math.nan,
        "is_transparent": False,
        "has_more": False,
        "format": "",
        "has_exif": False,
        "lowest": 0,
        "highest": 0,
        "is_gray": False,
        "captured": math.nan,
        "camera": "",
    }


def _facts_of(decoded: Decoded) -> Facts:
    """Facts of an image, except those that `_finish` adds."""
    black, white = decoded.limits or (math.nan, math.nan)
    return {
        "reason": "",
        "width": decoded.width,
        "height": decoded.height,
        "pixel_sha256": hashlib.sha256(np.ascontiguousarray(decoded.pixels).data).hexdigest(),
        "black": black,
        "white": white,
        "is_transparent": decoded.is_transparent,
        "has_more": decoded.has_more,
        "captured": decoded.captured,
        "camera": decoded.camera,
        "format": decoded.format,
        "has_exif": decoded.has_exif,
    }


def _finish(
    block: NDArray[np.uint8], rows: list[int], found: list[Facts], shard: ShardWriter
) -> None:
    """Write images to their rows of the shard, and complete their facts."""
    hashes, thumbnails = fingerprints(block)
    levels = block.reshape(len(block), -1)
    facts = zip(hashes, thumbnails, levels.min(axis=1), levels.max(axis=1), strict=True)
    for row, pixels, (phash, thumbnail, low, high) in zip(rows, block, facts, strict=True):
        shard.write(row, pixels)
        found[row] |= {
            "phash": int(phash),
            "thumbnail": thumbnail.tobytes(),
            "lowest": int(low),
            "highest": int(high),
            "is_gray": _is_gray(pixels),
        }


def _is_gray(pixels: NDArray[np.uint8]) -> bool:
    """Whether an image (height, width, channels) has no color.

    A sample of the pixels comes first, because it nearly always shows a color if there is one.
    """
    for part in (pixels[::8, ::8], pixels):
        if np.abs(part.astype(np.int16) - part[..., :1]).max() > GRAY_TOLERANCE:
            return False
    return True


class ShardProgress:
    """Logs the progress of a shard every few seconds, and at its end."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._set_aside = 0
        self._began = self._reported = time.monotonic()

    def step(self, set_aside: bool) -> None:
        self._done += 1
        self._set_aside += set_aside
        if time.monotonic() - self._reported >= SECONDS_BETWEEN_REPORTS:
            self.report()

    def report(self) -> None:
        self._reported = time.monotonic()
        rate = self._done / max(self._reported - self._began, 1e-9)
        logger.info(
            "%d of %d entries read, %d set aside, %.0f a second",
            self._done,
            self._total,
            self._set_aside,
            rate,
        )


def _check_bad_share(bad: pd.DataFrame, total: int, max_bad_share: float, notices: Notices) -> None:
    """Report the unreadable entries by reason; raise PetiteError if there are too many."""
    if bad.empty:
        return
    kinds = bad["reason"].map(_kind_to_count)
    lines = []
    for kind, count in sorted(Counter(kinds).items(), key=lambda item: (-item[1], item[0])):
        examples = bad.loc[kinds == kind, "image_id"].head(EXAMPLES)
        lines.append(f"  {count} {kind}, such as {', '.join(examples)}")
    summary = f"{len(bad)} of {total} entries cannot be read:\n" + "\n".join(lines)
    if len(bad) > max_bad_share * total:
        others = ", or raise the setting to exclude them" if len(bad) < total else ""
        raise PetiteError(
            f"{summary}\nThat is {len(bad) / total:.1%}, more than dataset.max_bad_share "
            f"({max_bad_share:.1%}) allows. Check these files{others}."
        )
    logger.warning("%s", summary)
    # `petite.data.stored_check` reports unsupported formats and what to do.
    kinds = kinds[~kinds.str.startswith(OTHER_FORMAT)]
    if len(kinds):
        counts = ", ".join(f"{count} {kind}" for kind, count in Counter(kinds).most_common())
        are = plural(len(kinds), "is", "are")
        notices.add(f"{len(kinds)} of {total} files cannot be read and {are} set aside: {counts}")


def _kind_to_count(reason: str) -> str:
    """The kind of a reason; for an unsupported format the whole reason, which says what to do."""
    return reason if reason.startswith(OTHER_FORMAT) else reason.split(":")[0]


def _label_conflicts(
    index: pd.DataFrame, readable: NDArray[np.int64], groups: NDArray[np.int64]
) -> dict[int, str]:
    """Reasons, by row of the index, for the entries with exact duplicates in another class.

    `readable` are rows of the index, (n,); `groups` are their groups of exact duplicates, (n,).
    """
    mixed = _in_mixed_groups(index["label"].to_numpy()[readable], groups)
    rows = index.iloc[readable[mixed]]
    labels, names = rows["label"].to_numpy(), rows["image_id"].to_numpy()
    by_bytes = _first_of_another_label(labels, pd.factorize(rows["sha256"])[0])
    by_pixels = _first_of_another_label(labels, groups[mixed])
    return {
        position: f"label conflict: same bytes as {names[same_bytes]}"
        if same_bytes >= 0
        else f"label conflict: same pixels as {names[same_pixels]}"
        for position, same_bytes, same_pixels in zip(
            rows.index.tolist(), by_bytes, by_pixels, strict=True
        )
    }


def _first_of_another_label(labels: NDArray, groups: NDArray) -> NDArray[np.int64]:
    """For each row, the first row of its group with another label, or -1: (n,)."""
    _, first, group_of = np.unique(groups, return_index=True, return_inverse=True)
    of_first = first[group_of]
    differing = np.flatnonzero(labels != labels[of_first])
    second = np.full(len(first), -1)
    # Backwards, so that the first of them is kept.
    second[group_of[differing[::-1]]] = differing[::-1]
    return np.where(labels == labels[of_first], second[group_of], of_first)


def _say_conflicts(rows: pd.DataFrame, notices: Notices) -> None:
    """Add a notice about contradicting images; `rows` of the index have the reasons."""
    if len(rows):
        first = rows.iloc[0]
        notices.add(
            f"{counted(len(rows), 'file')} set aside, because the same image is in two classes, "
            f"such as {first['image_id']} ({first['reason']}). One of the labels is wrong"
        )


def _say_near_conflicts(used: pd.DataFrame, notices: Notices) -> None:
    """Add a notice about near duplicates in use under more than one class."""
    among = used[_in_mixed_groups(used["label"].to_numpy(), used["copy_group"].to_numpy())]
    mixed = [ids for _, ids in among["image_id"].groupby(among["copy_group"])]
    for ids in mixed[:MOST_WARNINGS]:
        logger.warning("near duplicates in more than one class: %s", ", ".join(ids.head(10)))
    if mixed:
        notices.add(
            f"{counted(len(mixed), 'group')} of near duplicates in more than one class, such as "
            f"{', '.join(mixed[0].head(2))}: one of the labels may be wrong. The images are used "
            "and stay on one side of the split (dataset.near_copy_distance)"
        )


def _in_mixed_groups(labels: NDArray, groups: NDArray) -> NDArray[np.bool_]:
    """Whether each row's group has more than one label: bool (n,)."""
    _, group_of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    sums = np.bincount(group_of, weights=labels)
    squares = np.bincount(group_of, weights=labels.astype(np.float64) ** 2)
    # The variance of whole numbers is exactly 0 if all are the same.
    return (squares * sizes != sums**2)[group_of]


def _leave_out_small(
    index: pd.DataFrame, classes: Sequence[str], least: int, notices: Notices | None
) -> list[str]:
    """Set aside the classes with fewer than `least` distinct images; returns the others.

    Their rows of the index get the label -1, and the labels of the others are renumbered.
    """
    used = index[index["status"] == "ok"]
    distinct = used.groupby("class_name")["copy_group"].nunique()
    small = {name: int(distinct.get(name, 0)) for name in classes}
    small = {name: count for name, count in small.items() if count < least}
    kept = [name for name in classes if name not in small]
    if not small:
        return kept
    left_out = (
        f"{len(small)} of {len(classes)} classes {plural(len(small), 'has', 'have')} fewer than "
        f"{least} different images (dataset.min_per_class): "
        + ", ".join(f"{name} ({n})" for name, n in small.items())
    )
    if len(kept) < 2:
        raise PetiteError(
            f"{left_out}. Without them, fewer than two classes are left. Add images, or lower the "
            "setting"
        )
    if notices is not None:
        notices.add(f"{left_out}, and {plural(len(small), 'is', 'are')} excluded")
    index["label"] = pd.Index(kept).get_indexer(pd.Index(index["class_name"]))
    aside = (index["label"] < 0) & (index["status"] != "set_aside")
    counts = index.loc[aside, "class_name"].map(small).astype("str")
    index.loc[aside, "status"] = "set_aside"
    index.loc[aside, "reason"] = (
        "small class: " + counts + f" different images, fewer than {least} (min_per_class)"
    )
    return kept


def _check_classes(
    index: pd.DataFrame,
    classes: Sequence[str],
    limit_per_class: int | None,
    notices: Sequence[str],
) -> None:
    """Log how many images each class has; raise PetiteError for classes without any."""
    usable = index.loc[index["status"] == "ok", "class_name"].value_counts()
    logger.info("images in use: %s", ", ".join(f"{name} {usable.get(name, 0)}" for name in classes))
    if empty := [name for name in classes if name not in usable.index]:
        listed = [f"\n  {name}: {_why_unused(index, name)}" for name in empty[:MOST_WARNINGS]]
        raise PetiteError(
            f"{len(empty)} of {len(classes)} classes {plural(len(empty), 'has', 'have')} no usable "
            f"image:{''.join(listed)}"
            + ("\n  ..." if len(empty) > MOST_WARNINGS else "")
            + "\nFix their images, or exclude these classes: name the others in dataset.classes, "
            "or set dataset.min_per_class: 1" + "".join(f"\n{text}" for text in notices)
        )
    for name in classes:
        if limit_per_class is not None and usable[name] < limit_per_class:
            logger.warning(
                "%s has %d images in use, fewer than the limit of %d",
                name,
                usable[name],
                limit_per_class,
            )


def _why_unused(index: pd.DataFrame, class_name: str) -> str:
    """Some images of a class without any in use, each with its reason."""
    examples = index.loc[index["class_name"] == class_name, ["image_id", "reason"]].head(EXAMPLES)
    listed = (f"{row.image_id}: {row.reason}" for row in examples.itertuples())
    return "; ".join(listed) or "it has no entries"
