"""Subsets as tables of image ids, without a copy of the pixels.

`train` is always the table of the training images in the order of the split, with the columns
image_id and label.
"""

import json
from argparse import ArgumentParser
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from petite.data.splits import weights_of
from petite.selection import Ranking
from petite.selection.quota import with_every_group
from petite.subsets import augmentation as recipes
from petite.util.errors import PetiteError
from petite.util.formatting import counted, listed
from petite.util.notices import Notices

# Of rankings and subsets in which images were to be kept in any case.
KEPT = "kept"
COLUMNS = ["image_id", "rank", "class_name", "label", "weight", "origin", "recipe"]


def subset_size(fraction: float, train: pd.DataFrame) -> int:
    """The number of images in a fraction of the training images.

    Parameters
    ----------
    fraction : float
        Above 0, 1 at most.
    train : DataFrame
        The training images.

    Returns
    -------
    int
        The nearest whole number, but at least one image per class.

    Examples
    --------
    >>> train = pd.DataFrame({"image_id": list("abcdefghij"), "label": [0] * 7 + [1, 2, 2]})
    >>> subset_size(0.5, train), subset_size(0.1, train)
    (5, 3)
    """
    return max(train["label"].nunique(), round(fraction * len(train)))


def least_size(train: pd.DataFrame, kept: Collection[str]) -> int:
    """The number of images of the smallest subset that has all kept images and every class.

    Parameters
    ----------
    train : DataFrame
        The training images.
    kept : collection of str
        Ids of training images.

    Examples
    --------
    >>> train = pd.DataFrame({"image_id": list("abcde"), "label": [0, 0, 0, 1, 1]})
    >>> least_size(train, {"a", "b"})
    3
    """
    of_class = train["image_id"].isin(kept).groupby(train["label"]).sum()
    return int(of_class.clip(lower=1).sum())


def add_shares(parser: ArgumentParser) -> None:
    """Add the argument --shares, which `check_room` takes."""
    parser.add_argument(
        "--shares",
        type=json.loads,
        required=True,
        help="JSON: the share of the training images in each subset, by its name",
    )


def check_room(
    shares: Mapping[str, float], train: pd.DataFrame, kept: Collection[str], notices: Notices
) -> None:
    """Check that all subsets have room for the images to keep.

    Parameters
    ----------
    shares : mapping from str to float
        The share of the training images in each subset, by its name.
    train : DataFrame
        The training images.
    kept : collection of str
        Ids of training images.
    notices : Notices
        Subsets that have no room for others are named here.

    Raises
    ------
    PetiteError
        If a subset has too little room.
    """
    if not kept:
        return
    least = least_size(train, kept)
    sizes = {name: subset_size(share, train) for name, share in shares.items()}
    small = [f"{name} ({size})" for name, size in sizes.items() if size < least]
    if small:
        raise PetiteError(
            f"keep: {counted(len(kept), 'image')} to be kept, {least} with one of every class, but "
            f"there is room for fewer in {listed(small)}. Use larger fractions, or keep fewer"
        )
    if full := [name for name, size in sizes.items() if size == len(kept)]:
        notices.add(
            f"keep: {listed(full)} {'has' if len(full) == 1 else 'have'} the images to keep and no "
            "others, so all methods are the same there"
        )


def ranking_table(ranking: Ranking, train: pd.DataFrame) -> pd.DataFrame:
    """Convert a ranking to a table.

    Parameters
    ----------
    ranking : Ranking
        Of images of `train`.
    train : DataFrame
        The training images.

    Returns
    -------
    DataFrame
        rank (int64, from 0), image_id, weight (float64: that of the ranking times the image's own),
        and the ranking's extra columns; if images were to be kept in any case, `kept` says which
        ones.
    """
    chosen = train.iloc[ranking.indices]
    own = weights_of(chosen)
    places = np.arange(len(ranking.indices), dtype=np.int64)
    kept = {KEPT: places < ranking.kept} if ranking.kept else {}
    return pd.DataFrame(
        {
            "rank": places,
            "image_id": chosen["image_id"].to_numpy(),
            "weight": ranking.weights if own is None else ranking.weights * own,
            **kept,
            **ranking.extra,
        }
    )


def cut(ranked: pd.DataFrame, train: pd.DataFrame, k: int) -> pd.DataFrame:
    """The first rows of a ranking table, with at least one of every class.

    The best image of each class is always kept; the others follow in their order. So no class is
    missing, smaller subsets are part of larger ones, and the result is the first k rows if these
    have every class.

    Parameters
    ----------
    ranked : DataFrame
        A ranking table.
    train : DataFrame
        The training images.
    k : int
        From the number of classes to the number of rows.

    Returns
    -------
    DataFrame
        k of the rows.
    """
    labels = ranked["image_id"].map(train.set_index("image_id")["label"])
    return ranked.iloc[with_every_group(labels.to_numpy(), k)]


def subset_table(ranked: pd.DataFrame, train: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """The table of a subset of real images.

    Parameters
    ----------
    ranked : DataFrame
        A ranking table.
    train : DataFrame
        The training images.
    classes : sequence of str
        The name of each label.

    Returns
    -------
    DataFrame
        `COLUMNS`, then the extra columns of the ranking table. `origin` is the image itself and
        `recipe` is empty.
    """
    table = ranked.merge(train[["image_id", "label"]], on="image_id", validate="one_to_one")
    table["class_name"] = table["label"].map(dict(enumerate(classes)))
    table["origin"] = table["image_id"]
    table["recipe"] = ""
    extras = [column for column in ranked.columns if column not in COLUMNS]
    return table[COLUMNS + extras]


def augmented(subset: pd.DataFrame, seed: int, settings: recipes.Settings) -> pd.DataFrame:
    """Append rows of augmented images, with their recipes, to a subset.

    Parameters
    ----------
    subset : DataFrame
        Made by `subset_table`.
    seed : int
        Of the recipes.
    settings : petite.subsets.augmentation.Settings

    Returns
    -------
    DataFrame
        The columns of the subset. A new row has the values of its origin, but for the recipe and
        the image_id, `origin~1`, `origin~2` and so on.
    """
    drawn = recipes.draw(subset["image_id"].tolist(), seed, settings)
    origins = pd.DataFrame({"image_id": [origin for origin, _ in drawn]})
    new = origins.merge(subset, on="image_id", how="left", validate="many_to_one")[subset.columns]
    number = origins.groupby("image_id").cumcount() + 1
    new["image_id"] = origins["image_id"] + "~" + number.astype(str)
    new["recipe"] = [recipe for _, recipe in drawn]
    return pd.concat([subset, new], ignore_index=True)


def stored_bytes(images: int, image_shape: tuple[int, int, int]) -> int:
    """The bytes of some uint8 images in the store; image_shape: (height, width, channels)."""
    return images * int(np.prod(image_shape))


def recipe_bytes(subset: pd.DataFrame) -> int:
    """The bytes of a subset's recipes, as UTF-8."""
    return sum(len(recipe.encode("utf-8")) for recipe in subset["recipe"])
