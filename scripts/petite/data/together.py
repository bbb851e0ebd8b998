"""Which images belong together: duplicates, and images of one group, such as one patient's."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from petite.data.duplicates import exact_groups
from petite.data.groups import groups_in
from petite.data.store import Store


def together(store: Store, split: pd.DataFrame) -> NDArray[np.int64]:
    """Number the images of a split, so that images that belong together have the same number.

    Parameters
    ----------
    store : Store
    split : DataFrame
        With image_id of n images, and `group` if there are groups ("" for none).

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    image_ids = split["image_id"]
    kinds = [store.index["copy_group"].to_numpy()[store.positions(image_ids)]]
    if "group" in split:
        numbers = groups_in(split["group"]).numbers
        without = np.flatnonzero(numbers < 0)
        numbers[without] = len(numbers) + without  # each by itself
        kinds.append(numbers)
    return exact_groups(np.column_stack(kinds))
