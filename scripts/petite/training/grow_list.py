"""The list of new images: those to add in order, and those that are set aside."""

from typing import Any, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from petite.subsets.records import SelectionRecord
from petite.training.label_next import nearest_before, usual_distance

NEW, OF_KEPT = "new", "kept"
COLUMNS = [
    "rank", "file", "class", "nearest", "nearest_is", "distance", "set_aside", "reason", "copy_of",
    "image_id",
]  # fmt: skip


class ListRecord(TypedDict):
    """The content of the JSON file next to a list.

    `usual_distance` is the median distance of two of the images.
    """

    method: str
    settings: dict[str, Any]
    quota: str
    space: str
    kept: int
    new: int
    set_aside: dict[str, int]
    usual_distance: float
    seconds: float


def grow_list(
    images: pd.DataFrame,
    train: pd.DataFrame,
    ranking: pd.DataFrame,
    selection: SelectionRecord,
    features: NDArray[np.float32],
    space: str,
) -> tuple[pd.DataFrame, ListRecord]:
    """List the new images in order, and then those that are set aside.

    Parameters
    ----------
    images : DataFrame
        See `petite.data.grown.new_images`.
    train : DataFrame
        The training images of the grown split, n of them, with the kept ones first.
    ranking : DataFrame
        The ranking of all of them, which begins with the kept ones.
    selection : SelectionRecord
        Its record.
    features : ndarray of float32, shape (n, d)
    space : str
        The feature space.

    Returns
    -------
    DataFrame
        With COLUMNS: rank (from 1; missing if set aside), file, class, nearest (the nearest image
        among those kept and the new ones of lower rank, in any class), nearest_is ("kept" or
        "new"), distance to it, set_aside (the kind of reason, "" for none), reason, copy_of and
        image_id.
    ListRecord
    """
    is_new = train["image_id"].isin(images["image_id"]).to_numpy()
    first = int((~is_new).sum())
    rows = pd.Index(train["image_id"]).get_indexer(pd.Index(ranking["image_id"]))[first:]
    known = images.set_index("image_id")
    ids = train["image_id"].to_numpy(dtype=object)
    nearest, distance = nearest_before(features, first, rows)
    added = known.loc[ids[rows]]
    table = pd.DataFrame(
        {
            "rank": np.arange(1, len(rows) + 1),
            "file": added["file"].to_numpy(),
            "class": added["class_name"].to_numpy(),
            "nearest": [known["file"].get(ids[row], ids[row]) for row in nearest],
            "nearest_is": np.where(is_new[nearest], NEW, OF_KEPT),
            "distance": distance,
            "set_aside": "",
            "reason": "",
            "copy_of": "",
            "image_id": ids[rows],
        }
    )
    left = images[images["kind"] != ""]
    aside = pd.DataFrame(
        {
            "file": left["file"],
            "class": left["class_name"],
            "nearest": "",
            "nearest_is": "",
            "set_aside": left["kind"],
            "reason": left["reason"],
            "copy_of": left["copy_of"],
            "image_id": left["image_id"],
        }
    )
    both = pd.concat([table, aside], ignore_index=True).astype({"rank": "Int64"})
    record: ListRecord = {
        "method": selection["method"],
        "settings": selection["settings"],
        "quota": selection["quota"],
        "space": space,
        "kept": first,
        "new": len(rows),
        "set_aside": {str(kind): int(n) for kind, n in left["kind"].value_counts().items()},
        "usual_distance": usual_distance(features),
        "seconds": selection["seconds"],
    }
    return both[COLUMNS], record
