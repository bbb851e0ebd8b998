"""Which images belong together: duplicates, and images of one group, such as one patient's."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from petite.data.duplicates import exact_groups
from petite.data.groups import named_groups
from petite.data.store import Store


def together(store: Store, split: pd.DataFrame, groups: str | None = None) -> NDArray[np.int64]:
    """Number the images of a split, so that images that belong together have the same number.

    Parameters
    ----------
    store : Store
    split : DataFrame
        With image_id of n images, and `group` where the source names groups ("" for none).
    groups : str, optional
        The setting `split.groups`, see `petite.data.groups.named_groups`.

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    image_ids = split["image_id"]
    kinds = [store.index["copy_group"].to_numpy()[store.positions(image_ids)]]
    if "group" in split:
        kinds.append(_alone_without(pd.factorize(split["group"].replace("", None))[0]))
    if groups is not None:
        kinds.append(_alone_without(named_groups(image_ids, groups).numbers))
    return exact_groups(np.column_stack(kinds))


def _alone_without(numbers: NDArray[np.integer]) -> NDArray[np.int64]:
    """Give each image without a group, which has -1, a number of its own."""
    without = np.flatnonzero(numbers < 0)
    found = numbers.astype(np.int64)
    found[without] = len(numbers) + without
    return found
