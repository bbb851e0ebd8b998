"""The encoded images that a judge trains on: their pixels, and their bytes."""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np
import pandas as pd

from petite.data.container import container_bytes, without_copies
from petite.data.store import REMEDY, Store, checked_shard
from petite.util.encoded_names import ORIGINAL
from petite.util.errors import DamagedFiles, PetiteError


class EncodedColumns(TypedDict):
    """More columns of a run whose images are encoded.

    Both numbers of bytes are of all files, see `petite.data.container`; `original_bytes` is for the
    same images as they were.
    """

    encoding: str
    bytes: list[int]
    original_bytes: list[int]


class EncodedImages:
    """The encoded images of all shards, for a judge.

    Parameters
    ----------
    encoding : str
        Its name.
    store : Store
        That of the originals.
    tables : sequence of Path
        Those of all shards, in their order.

    Attributes
    ----------
    store : Store
        The decoded images.
    tables : list of Path

    Raises
    ------
    PetiteError
        If the files are of other images, or all originals are smaller than the encoding.
    """

    def __init__(self, encoding: str, store: Store, tables: Sequence[Path]) -> None:
        self.encoding = encoding
        self.tables = list(tables)
        self._classes = store.classes
        for path, of_store in zip(tables, store.shard_tables(), strict=True):
            self._check_same_images(path, of_store)
        records = [checked_shard(path, store.path.parent) for path in tables]
        self.store = Store(store.path, records)
        columns = ["image_id", "bytes", "original_bytes", "side"]
        table = pd.concat([pd.read_parquet(path, columns=columns) for path in tables])
        self._sizes = table.set_index("image_id")
        self._check_not_enlarged(int(table["side"].max()))

    def columns(self, subsets: Iterable[pd.DataFrame], soft_labels: int = 0) -> EncodedColumns:
        """Count the bytes of subsets.

        Parameters
        ----------
        subsets : iterable of DataFrame
            With image_id, label and weight; of transformed copies, the recipes are counted.
        soft_labels : int
            How many soft labels each image has.
        """
        encoded: list[int] = []
        originals: list[int] = []
        for subset in subsets:
            real, copies = without_copies(subset)
            sizes = self._sizes.loc[real["image_id"]]
            self._check_encoded(sizes)
            for encoding, column, counts in (
                (self.encoding, "bytes", encoded),
                (ORIGINAL, "original_bytes", originals),
            ):
                images = real["label"], sizes[column], real["weight"]
                counts.append(
                    container_bytes(encoding, self._classes, *images, soft_labels, copies)
                )
        return {"encoding": self.encoding, "bytes": encoded, "original_bytes": originals}

    def _check_same_images(self, path: Path, of_store: Path) -> None:
        ids, stored = (pd.read_parquet(file, columns=["image_id"]) for file in (path, of_store))
        if not np.array_equal(ids["image_id"].to_numpy(), stored["image_id"].to_numpy()):
            raise DamagedFiles(f"{path} has other images than the store's shard. {REMEDY}", [path])

    def _check_encoded(self, sizes: pd.DataFrame) -> None:
        """An image that could be read for the store, but not to be encoded, is black here."""
        failed = sizes.index[sizes["bytes"] == 0]
        if len(failed):
            raise DamagedFiles(
                f"{failed[0]} could be read before, but not when it was encoded as "
                f"'{self.encoding}'. {REMEDY}",
                self.tables,
            )

    def _check_not_enlarged(self, largest: int) -> None:
        side = int(self.encoding.partition("px")[0])
        if largest < side:
            raise PetiteError(
                f"encodings: the side of '{self.encoding}' is above that of the originals, of "
                f"which the largest has {largest} pixels, and enlarging them adds no detail. Use a "
                f"side of {largest} or less"
            )


def add_encoded(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a judge whose training images are encoded."""
    parser.add_argument("--encoding", help="its name")
    parser.add_argument(
        "--encoded", type=Path, nargs="*", default=[], help="the tables of all encoded shards"
    )


def encoded_images(args: argparse.Namespace, store: Store) -> EncodedImages | None:
    """The encoded images that the arguments name; None for the originals."""
    return EncodedImages(args.encoding, store, args.encoded) if args.encoding else None
