"""The images of a pool, and which are duplicates of labeled images or of each other."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from petite.data.duplicates import duplicate_groups, exact_groups
from petite.data.ingest import DIGESTS, thumbnails_of
from petite.data.store import Store

EXACT, NEAR = "exact", "near"
FINGERPRINTS = ["image_id", "reason", *DIGESTS, "phash", "thumbnail"]


class Fingerprints(NamedTuple):
    """What duplicates are found by, of the n readable images of a store.

    Attributes
    ----------
    image_ids : Series of str
    digests : DataFrame of str, shape (n, 2)
    hashes : ndarray of uint64, shape (n,)
    thumbnails : ndarray of uint8, shape (n, 16, 16)
    """

    image_ids: pd.Series
    digests: pd.DataFrame
    hashes: NDArray[np.uint64]
    thumbnails: NDArray[np.uint8]

    def ordered(self, priority: Mapping[str, int]) -> "Fingerprints":
        """Sort by the priority of the ids, the smallest first; ids without one are the last."""
        places = self.image_ids.map(priority).fillna(np.inf).argsort(kind="stable").to_numpy()
        ids = self.image_ids.iloc[places].reset_index(drop=True)
        return Fingerprints(
            ids, self.digests.iloc[places], self.hashes[places], self.thumbnails[places]
        )


def pool_images(
    pool: Store,
    labeled: Store | None,
    near_copy_distance: int | None,
    priority: Mapping[str, int] | None = None,
) -> pd.DataFrame:
    """Tabulate the readable images of a pool, with what each is a duplicate of.

    Parameters
    ----------
    pool : Store
        Of the images without labels.
    labeled : Store or None
        Of the labeled images, stored at the same size; None if there are none.
    near_copy_distance : int or None
        See `petite.data.duplicates.duplicate_groups`; None for exact duplicates only.
    priority : mapping from str to int, optional
        By the id of a labeled image: of several duplicates, that with the smallest number is named.
        None: the first of them.

    Returns
    -------
    DataFrame
        In the order of the listing: image_id (str), file (str, the path below the pool's folder),
        copy_of (str, the id of a labeled image, or of the first image of the pool among its
        duplicates; "" for none), copy ("exact", "near" or "") and of_labeled (bool, whether
        copy_of is a labeled image).
    """
    stores = [pool] if labeled is None else [labeled, pool]
    known = [fingerprints_of_store(store.shard_tables()) for store in stores]
    if priority is not None:
        known[:-1] = [each.ordered(priority) for each in known[:-1]]
    image_ids = pd.concat([each.image_ids for each in known], ignore_index=True)
    names = pd.concat([each.digests for each in known], ignore_index=True)
    digests = np.column_stack([pd.factorize(names[column])[0] for column in DIGESTS])
    del names
    # The labeled images are the first, so that each represents its duplicates in the pool.
    groups = duplicate_groups(
        digests,
        np.concatenate([each.hashes for each in known]),
        np.concatenate([each.thumbnails for each in known]),
        near_copy_distance,
    )
    exact = exact_groups(digests)
    count = len(known[-1].image_ids)
    first = len(image_ids) - count
    rows = np.arange(first, len(image_ids))
    group = groups[first:]
    is_copy = group != rows
    is_exact = exact[rows] == exact[group]
    ids = image_ids.to_numpy()
    table = pd.DataFrame(
        {
            "image_id": ids[first:],
            "copy_of": np.where(is_copy, ids[group], ""),
            "copy": np.where(is_copy, np.where(is_exact, EXACT, NEAR), ""),
            "of_labeled": is_copy & (group < first),
        }
    )
    return in_listed_order(table, pool)


def in_listed_order(table: pd.DataFrame, pool: Store) -> pd.DataFrame:
    """Sort a table of the pool's readable images as they are listed, and add their files."""
    places = pool.positions(table["image_id"])
    table = table.iloc[np.argsort(places)].reset_index(drop=True)
    table.insert(1, "file", table["image_id"].str.split("/", n=1).str[1])
    return table


def fingerprints_of_store(tables: Sequence[Path]) -> Fingerprints:
    """Read the fingerprints of all readable images from the tables of a store's shards."""
    table = pa.concat_tables(pq.read_table(path, columns=FINGERPRINTS) for path in tables)
    table = table.filter(pa.compute.equal(table["reason"], ""))
    return Fingerprints(
        table["image_id"].to_pandas(),
        table.select(DIGESTS).to_pandas(),
        table["phash"].to_numpy(),
        thumbnails_of(table["thumbnail"]),
    )
