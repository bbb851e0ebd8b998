"""The parts of a split, opened for reading; `petite.data.splitting` makes a split.

A split is a table with a row for each image in use: image_id (str), label (int16, position in the
store's classes), split (one of `PARTS`, or EXCLUDED for a training image that the user leaves out),
and what the source says of its images otherwise (`petite.data.annotations`).
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from petite.data.annotations import NOTHING_SAID
from petite.data.split_names import TEST, TRAIN, VALIDATION
from petite.data.store import Store
from petite.data.views import Images, StoredImages

PARTS = (TRAIN, VALIDATION, TEST)
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


def why_not_in_split(entry: pd.Series) -> str:
    """Why an entry of the store's index is in no part; an image in use can only be a leak."""
    return entry["reason"] or "dropped as a leak (split.leaks)"


def training_images(split: pd.DataFrame) -> pd.DataFrame:
    """Select the rows of the training part, all that selection may choose from.

    Only `quota: error` uses more: how often the proxy is wrong on the validation part. An image of
    weight 0 would not be trained on, so it is left out.

    Parameters
    ----------
    split : DataFrame
        A split.

    Returns
    -------
    DataFrame
        image_id, label and the annotations of the split, in the order of the split, numbered from
        0. Only the ratios of weights count, so they are divided by their mean.
    """
    columns = ["image_id", "label", *(name for name in NOTHING_SAID if name in split)]
    train = split.loc[_is_described(split) & (split["split"] == TRAIN), columns]
    train = train.drop(columns="split")
    if "weight" in train:
        train["weight"] = train["weight"] / train["weight"].mean()
    return train.reset_index(drop=True)


def _is_described(split: pd.DataFrame) -> pd.Series:
    """Which images have features and scores: those of training, also if they are excluded."""
    is_one = split["split"].isin((TRAIN, EXCLUDED))
    return is_one & (split["weight"] > 0) if "weight" in split else is_one


def weights_of(train: pd.DataFrame) -> NDArray[np.float64] | None:
    """The weights of training images; None if all are the same."""
    return train["weight"].to_numpy() if "weight" in train else None


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
    return split.loc[_is_described(split), ["image_id", "label"]].reset_index(drop=True)


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
    parts = split.loc[_is_described(split), "split"]
    is_train = (parts == TRAIN).to_numpy()
    return described if is_train.all() else described[is_train]


def kept_images(split: pd.DataFrame) -> list[str]:
    """List the ids of the training images that every subset contains, in the order of the split."""
    if "keep" not in split:
        return []
    train = training_images(split)
    return train.loc[train["keep"] == "always", "image_id"].tolist()


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


def test_groups(split: pd.DataFrame) -> pd.Series | None:
    """Tabulate the groups of the test images by their ids; None if the split has no groups."""
    if "group" not in split:
        return None
    return split[split["split"] == TEST].set_index("image_id")["group"]


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


test_groups.__test__ = False  # type: ignore[attr-defined]
test_image_ids.__test__ = False  # type: ignore[attr-defined]
test_images.__test__ = False  # type: ignore[attr-defined]  # pytest would collect it


def _rows(split: pd.DataFrame, part: str) -> pd.DataFrame:
    return split.loc[split["split"] == part, ["image_id", "label"]].reset_index(drop=True)


def _opened(store: Store, rows: pd.DataFrame) -> LabeledImages:
    ids = rows["image_id"]
    return LabeledImages(ids, rows["label"].to_numpy(np.int16), StoredImages(store, ids))
