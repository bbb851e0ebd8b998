"""Read an encoded shard as a source, for the steps that embed it in place of the originals."""

import argparse
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from petite.data.shard_job import Shard, shard_of
from petite.data.source_job import opened
from petite.data.sources import Entry, Source, UnreadableEntry
from petite.data.store import REMEDY
from petite.util.errors import DamagedFiles

IMAGES = ".images"


class EncodedShard(Source):
    """The images that `petite.data.encode.encode_shard` wrote, as a source.

    Parameters
    ----------
    path : Path
        Its table; the images are next to it.
    """

    name = "encoded"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.rows = pd.read_parquet(path)
        self._row_of = {image_id: row for row, image_id in enumerate(self.rows["image_id"])}
        self._file = path.with_suffix(IMAGES).open("rb")

    def entries(self) -> Iterable[Entry]:
        for image_id, size in zip(self.rows["image_id"], self.rows["bytes"], strict=True):
            yield Entry(str(image_id), "", int(size))

    def read(self, image_id: str) -> bytes:
        row = self.rows.iloc[self._row_of[image_id]]
        if row["reason"]:
            raise UnreadableEntry(row["reason"])
        self._file.seek(row["offset"])
        data = self._file.read(row["bytes"])
        if len(data) < row["bytes"]:
            raise DamagedFiles(
                f"{self._file.name} ends within {image_id}. {REMEDY}", [Path(self._file.name)]
            )
        return data

    def close(self) -> None:
        self._file.close()


def read_encoded(tables: Iterable[Path], image_ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the ids and the bytes of some encoded images, in the order of their shards.

    tables: those of all shards.
    """
    wanted = set(image_ids)
    for path in tables:
        with EncodedShard(path) as shard:
            for image_id in shard.rows["image_id"]:
                if image_id not in wanted:
                    continue
                try:
                    yield image_id, shard.read(image_id)
                except UnreadableEntry as problem:
                    raise DamagedFiles(
                        f"{image_id} could not be encoded ({problem.reason}). {REMEDY}", [path]
                    ) from problem


def add_encoded_shard(parser: argparse.ArgumentParser) -> None:
    """Add the argument of an encoded shard, which is read in place of the originals."""
    parser.add_argument("--encoded", type=Path, help="the table of an encoded shard")


@contextmanager
def opened_shard(
    args: argparse.Namespace, settings: dict[str, Any]
) -> Iterator[tuple[Source, Shard]]:
    """Open the shard that the arguments name, of the originals or of encoded images."""
    if args.encoded:
        with EncodedShard(args.encoded) as source:
            # Small originals keep their size.
            yield source, Shard(source.rows, {"min_side": 1})
        return
    with opened(args, settings["max_bytes"]) as source:
        yield source, shard_of(source, args, settings)
