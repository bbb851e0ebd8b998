"""The tables of subsets whose images are made: see `synthetic` for the images themselves."""

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

from petite.subsets.synthetic import MOSAIC, PIXELS, Crop, RdedSettings, mosaic_recipe


def images_used(subset: pd.DataFrame) -> set[str]:
    """The ids of the training images that the images of a subset are, or are made of.

    Learned images are made of none in particular.
    """
    found: set[str] = set()
    for origin, recipe in zip(subset["origin"], subset["recipe"], strict=True):
        made = json.loads(recipe) if recipe else {}
        if made.get("transform") == MOSAIC:
            found.update(crop[0] for crop in made["crops"])
        elif made.get("transform") != PIXELS:
            found.add(origin)
    return found


def made_table(
    origins: Sequence[str], labels: np.ndarray, recipes: Sequence[str], classes: Sequence[str]
) -> pd.DataFrame:
    """The table of a subset whose images are all made.

    Parameters
    ----------
    origins : sequence of str
        For each image, a training image that it is made of or began with.
    labels : ndarray of int, shape (n,)
    recipes : sequence of str
    classes : sequence of str
        The name of each label.

    Returns
    -------
    DataFrame
        `petite.subsets.tables.COLUMNS`, with the ids `origin~1`, `origin~2` and so on.
    """
    origin = pd.Series(list(origins), dtype=str)
    number = origin.groupby(origin).cumcount() + 1
    return pd.DataFrame(
        {
            "image_id": origin + "~" + number.astype(str),
            "rank": np.arange(len(origin), dtype=np.int64),
            "class_name": [classes[label] for label in labels],
            "label": np.asarray(labels, np.int64),
            "weight": 1.0,
            "origin": origin,
            "recipe": list(recipes),
        }
    )


def mosaics(
    crops: pd.DataFrame, settings: RdedSettings, counts: np.ndarray, classes: Sequence[str]
) -> pd.DataFrame:
    """Join the best crops of each class to mosaics.

    An image gives its second crop only when every image of its class has given one, so that a
    class with few images has mosaics too.

    Parameters
    ----------
    crops : DataFrame
        A row for each crop: image_id, label, top, left, side and loss, that of the teacher.
    settings : RdedSettings
    counts : ndarray of int, shape (classes,)
        How many mosaics of each label.
    classes : sequence of str
        The name of each label.

    Returns
    -------
    DataFrame
        The table of the subset.
    """
    each = settings.mosaic**2
    ordered = crops.sort_values("loss", kind="stable")
    ordered = ordered.assign(turn=ordered.groupby("image_id").cumcount())
    ordered = ordered.sort_values(["turn", "loss"], kind="stable")
    origins, labels, recipes = [], [], []
    for label, count in enumerate(counts):
        best = ordered[ordered["label"] == label].head(int(count) * each)
        chosen = [
            Crop(*values)
            for values in zip(
                best["image_id"].tolist(),
                *(best[column].tolist() for column in ("top", "left", "side")),
                strict=True,
            )
        ]
        for start in range(0, len(chosen), each):
            origins.append(chosen[start].image_id)
            labels.append(label)
            recipes.append(mosaic_recipe(chosen[start : start + each]))
    return made_table(origins, np.array(labels), recipes, classes)
