"""The parts of a split, opened for reading; `petite.data.splitting` makes a split.

A split is a table with a row for each image in use: image_id (str), label (int16, position in the
store's classes) and split, one of `PARTS`, or EXCLUDED for a training image that the user excludes.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from petite.data.store import Store
from petite.data.views import Images, StoredImages

PARTS = TRAIN, VALIDATION, TEST = "train", "validation", "test"
EXCLUDED = "excluded"  # of a training image, see `petite.data.keep_lists`


class LabeledImages(NamedTuple):
    """Images with their labels, in the order of the split.

    Attributes
    ----------
    image_ids : Series of str, shape (n,)
    labels : ndarray of int16, shape (n,)
    images : Images
        uint8, shape (n, height, width, channels), read as they are needed.
    """

    image_ids: pd.Series
    labels: NDArray[np.int16]
    images: Images


def training_images(split: pd.DataFrame) -> pd.DataFrame:
    """Select the rows of the training part, all that selection may choose from.

    Only `quota: error` uses more: how often the proxy is wrong on the validation part.

    Parameters
    ----------
    split : DataFrame
        A split.

    Returns
    -------
    DataFrame
        image_id and label, in the order of the split, numbered from 0.
    """
    return _rows(split, TRAIN)


def described_images(split: pd.DataFrame) -> pd.DataFrame:
    """Select the rows of the training part with the excluded ones, which have features and scores.

    Parameters
    ----------
    split : DataFrame
        A split.

    Returns
    -------
    DataFrame
        image_id and label, in the order of the split, numbered from 0.
    """
    return _rows(split, TRAIN, EXCLUDED)


def of_training_images(described: np.ndarray, split: pd.DataFrame) -> np.ndarray:
    """Select the rows of the training images from those of `described_images`.

    Parameters
    ----------
    described : ndarray of shape (n, d)
        Such as features, a row for each of `described_images`.
    split : DataFrame
        A split.

    Returns
    -------
    ndarray of shape (n_train, d)
        The same array if no image is excluded.
    """
    parts = split.loc[split["split"].isin((TRAIN, EXCLUDED)), "split"]
    is_train = (parts == TRAIN).to_numpy()
    return described if is_train.all() else described[is_train]


def kept_images(split: pd.DataFrame) -> list[str]:
    """List the ids of the training images that every subset contains, in the order of the split."""
    if "keep" not in split:
        return []
    return split.loc[(split["split"] == TRAIN) & (split["keep"] == "always"), "image_id"].tolist()


def validation_images(store: Store, split: pd.DataFrame) -> LabeledImages:
    """Open the validation part, which may be empty.

    Parameters
    ----------
    store : Store
    split : DataFrame

    Returns
    -------
    LabeledImages
    """
    return _opened(store, _rows(split, VALIDATION))


def test_images(store: Store, split: pd.DataFrame) -> LabeledImages:
    """Open the test part. Only evaluation calls this, after training has ended.

    Parameters
    ----------
    store : Store
    split : DataFrame

    Returns
    -------
    LabeledImages
    """
    return _opened(store, _rows(split, TEST))


def test_image_ids(split: pd.DataFrame) -> list[str]:
    """List the ids of the test part, for a program that predicts its images without their labels.

    Parameters
    ----------
    split : DataFrame

    Returns
    -------
    list of str
        In the order of `test_images`.
    """
    return _rows(split, TEST)["image_id"].tolist()


test_image_ids.__test__ = False  # type: ignore[attr-defined]
test_images.__test__ = False  # type: ignore[attr-defined]  # pytest would collect it


def _rows(split: pd.DataFrame, *parts: str) -> pd.DataFrame:
    return split.loc[split["split"].isin(parts), ["image_id", "label"]].reset_index(drop=True)


def _opened(store: Store, rows: pd.DataFrame) -> LabeledImages:
    ids = rows["image_id"]
    return LabeledImages(ids, rows["label"].to_numpy(np.int16), StoredImages(store, ids))
