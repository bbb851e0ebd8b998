"""Subsets of kept images and some of the new ones: the first of an order, or at random."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import pandas as pd

from petite.subsets.records import SelectionRecord, SubsetRecord
from petite.subsets.tables import stored_bytes, subset_table

# The cases that are judged, as the column `method` of the runs. The fraction of a case is the share
# of the new images that it has.
KEPT, ORDER, RANDOM, ALL = "kept", "order", "random", "all"


def cases_of(sizes: Sequence[float]) -> list[tuple[str, float]]:
    """List the cases and shares of the new images that are judged; all of them are one case.

    Examples
    --------
    >>> cases_of([0.5, 1.0])
    [('kept', 0.0), ('order', 0.5), ('random', 0.5), ('all', 1.0)]
    """
    some = [(case, size) for size in sizes if size < 1 for case in (ORDER, RANDOM)]
    return [(KEPT, 0.0), *some, *[(ALL, 1.0)] * (1.0 in sizes)]


def number_added(size: float, new_images: int) -> int:
    """The number of new images in a share of them: one or more."""
    return max(1, round(size * new_images))


@dataclass(frozen=True)
class Growing:
    """The kept and the new images.

    Attributes
    ----------
    train : DataFrame
        The training images of a grown split (`petite.data.grown.grown_split`): image_id, label,
        and weight if they have one.
    kept : sequence of str
        The ids of the kept ones.
    classes : sequence of str
    image_shape : (int, int, int)
    """

    train: pd.DataFrame
    kept: Sequence[str]
    classes: Sequence[str]
    image_shape: tuple[int, int, int]

    def subset(
        self, ranking: pd.DataFrame, selection: SelectionRecord, size: float
    ) -> tuple[pd.DataFrame, SubsetRecord]:
        """The kept images and a share of the new ones.

        Parameters
        ----------
        ranking : DataFrame
            A ranking table of all images of `train`, which begins with the kept ones.
        selection : SelectionRecord
            Its record.
        size : float
            Share of the new images, 0 to 1.

        Returns
        -------
        DataFrame
            See `petite.subsets.tables.subset_table`.
        SubsetRecord
        """
        first = len(self.kept)
        k = first + (number_added(size, len(ranking) - first) if size else 0)
        table = subset_table(ranking.iloc[:k], self.train, self.classes)
        record = {
            **selection,
            "fraction": size,
            "images": k,
            "rows": k,
            "stored_bytes": stored_bytes(k, self.image_shape),
        }
        return table, cast("SubsetRecord", record)
