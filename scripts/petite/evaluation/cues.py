"""Whether something beside the content of the images predicts their class: a spurious cue.

A cue is one number or word for each image, such as its brightness or the size of its file. If a
class was photographed by another camera, or saved by another program, a model can learn that in
place of what the classes are about. `check_cues` measures for each cue alone how well a table of
its values predicts the class of other images, and whether labels at random are predicted as well.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from petite.data.store import Store
from petite.evaluation.statistics import holm
from petite.util.formatting import rounded_percent
from petite.util.seeds import generator

MOST_IMAGES = 20_000  # of which the cues are measured, drawn at random
FOLDS = 5
MOST_BINS = 20
# Images of a bin, on average at least.
IMAGES_OF_A_BIN = 10
# A number with fewer values is taken as it is. The rarer values of more are one bin together.
MOST_VALUES = 30
PERMUTATIONS = 999
LEVEL = 0.05
# A warning is due where a cue predicts this share of what chance leaves: 75% of two classes.
LEAST_SKILL = 0.5
READ_AT_ONCE = 1_024
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R 601

# Each cue and its words. Those of the file come from the store's index, where it has them.
OF_FILES = {
    "format": "file format",
    "has_exif": "presence of EXIF data",
    "camera": "camera",
    "captured": "time of capture",
    "bytes": "file size",
    "width": "width",
    "height": "height",
    "aspect": "aspect ratio",
}
OF_PIXELS = {
    "brightness": "brightness",
    "contrast": "contrast",
    "sharpness": "sharpness",
    "redness": "red against blue",
    "greenness": "green against red and blue",
}
WORDS = OF_FILES | OF_PIXELS


class CueSample(NamedTuple):
    """The images that cues are measured on.

    Attributes
    ----------
    image_ids : ndarray of str, shape (n,)
    labels : ndarray of int, shape (n,)
    """

    image_ids: NDArray[np.object_]
    labels: NDArray[np.int64]


def cue_sample(train: pd.DataFrame, together: NDArray[np.integer], seed: int = 0) -> CueSample:
    """Draw training images that have nothing to do with each other.

    Images that belong together share cues, and a test that takes each for itself would find too
    much. So one of each group and class is drawn.

    Parameters
    ----------
    train : DataFrame
        image_id and label of the training images.
    together : ndarray of int, shape (n_train,)
        The same number for images that belong together.
    seed : int
    """
    labels = train["label"].to_numpy(np.int64)
    order = generator(seed, "cues").permutation(len(train))
    pairs = np.column_stack([together, labels])[order]
    _, first = np.unique(pairs, axis=0, return_index=True)
    rows = np.sort(order[np.sort(first)[:MOST_IMAGES]])
    return CueSample(train["image_id"].to_numpy()[rows], labels[rows])


def measured_cues(store: Store, image_ids: NDArray[np.object_]) -> dict[str, NDArray]:
    """Measure all cues of some images, each an array of shape (n,), by the names of `WORDS`.

    A cue that is the same for all of them is left out.
    """
    rows = store.index.iloc[store.positions(image_ids)]
    found: dict[str, NDArray] = {
        name: rows[name].to_numpy() for name in OF_FILES if name in rows.columns
    }
    if "captured" in found:  # an unknown time is a value of its own, before all others
        times = found["captured"]
        unknown = np.isnan(times)
        found["captured"] = np.where(unknown, times[~unknown].min(initial=0) - 1, times)
    if {"width", "height"} <= found.keys():
        found["aspect"] = (found["width"] / np.maximum(found["height"], 1)).round(4)
    found |= pixel_cues(lambda batch: store.images(batch), image_ids)
    return {
        name: found[name] for name in WORDS if name in found and len(pd.unique(found[name])) > 1
    }


def pixel_cues(
    images: Callable[[NDArray], NDArray[np.uint8]], which: NDArray
) -> dict[str, NDArray[np.float32]]:
    """Measure the cues of pixels, of images that are read in blocks."""
    blocks = [
        _of_pixels(images(which[start : start + READ_AT_ONCE]))
        for start in range(0, len(which), READ_AT_ONCE)
    ]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def _of_pixels(pixels: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """The cues of images, uint8 (n, height, width, channels)."""
    is_color = pixels.shape[3] == 3
    values = pixels.astype(np.float32)
    gray = values @ LUMA if is_color else values[..., 0]
    down, across = np.diff(gray, axis=1), np.diff(gray, axis=2)
    found = {
        "brightness": gray.mean(axis=(1, 2)),
        "contrast": gray.std(axis=(1, 2)),
        # The root mean square of the gradient.
        "sharpness": np.sqrt((down**2).mean(axis=(1, 2)) + (across**2).mean(axis=(1, 2))),
    }
    if is_color:
        red, green, blue = values.mean(axis=(1, 2)).T
        found |= {"redness": red - blue, "greenness": green - (red + blue) / 2}
    return found


def check_cues(
    cues: dict[str, NDArray], labels: NDArray[np.integer], seed: int = 0
) -> pd.DataFrame:
    """Measure how well each cue alone predicts the class.

    The value of a cue is put into a bin. The class of an image is predicted as the one that is most
    frequent in its bin, relative to its size, among the images of the other folds. The p-value
    compares the balanced accuracy with that of labels in a random order. It is exact, because
    neither bins nor folds depend on the labels.

    Parameters
    ----------
    cues : mapping of str to ndarray, shape (n,)
        Numbers or words, by name.
    labels : ndarray of int, shape (n,)
    seed : int
        Of the folds and the random orders.

    Returns
    -------
    DataFrame
        A row for each cue, the best predictor first: cue, words, images, balanced_accuracy (the
        mean of the classes' shares that are predicted), chance, skill (the share of what chance
        leaves, 0 at chance and 1 if all are predicted), p, p_adjusted (by Holm, over the cues), and
        warning: whether the cue predicts far more than chance.
    """
    _, places = np.unique(labels, return_inverse=True)
    n_classes = int(places.max(initial=-1)) + 1
    if n_classes < 2:
        cues = {}
    rng = generator(seed, "cue permutations")
    folds = rng.permutation(len(labels)) % FOLDS
    orders = [places, *(rng.permutation(places) for _ in range(PERMUTATIONS if cues else 0))]
    rows = []
    for name, values in cues.items():
        bins = binned(values)
        found = _balanced_accuracies(bins, folds, orders, n_classes)
        chance = 1 / n_classes
        rows.append(
            {
                "cue": name,
                "words": WORDS.get(name, name),
                "images": len(labels),
                "balanced_accuracy": found[0],
                "chance": chance,
                "skill": (found[0] - chance) / (1 - chance),
                # A tie counts against the cue; 1e-9 is for rounding.
                "p": float((found >= found[0] - 1e-9).mean()),
            }
        )
    columns = ["cue", "words", "images", "balanced_accuracy", "chance", "skill", "p"]
    table = pd.DataFrame(rows, columns=columns)
    table["p_adjusted"] = holm(table["p"].to_numpy(float))
    table["warning"] = (table["p_adjusted"] <= LEVEL) & (table["skill"] >= LEAST_SKILL)
    return table.sort_values("skill", ascending=False, kind="stable", ignore_index=True)


def binned(values: NDArray) -> NDArray[np.int64]:
    """The bin of each value, from 0: by quantiles, or each value for itself where there are few."""
    codes, uniques = pd.factorize(values, sort=True)
    if values.dtype.kind in "Ob" or len(uniques) <= MOST_VALUES:
        frequent = np.argsort(-np.bincount(codes), kind="stable")[:MOST_VALUES]
        place = np.full(len(uniques), len(frequent))
        place[frequent] = np.arange(len(frequent))
        return place[codes]
    count = int(np.clip(len(values) // IMAGES_OF_A_BIN, 2, MOST_BINS))
    edges = np.unique(np.quantile(values, np.linspace(0, 1, count + 1)[1:-1]))
    return np.searchsorted(edges, values, side="right")


def warnings_of(table: pd.DataFrame) -> list[str]:
    """A sentence without its period for each cue of a table of `check_cues` with a warning."""
    return [
        f"{row['words'][0].upper()}{row['words'][1:]} alone predicts the class of "
        f"{rounded_percent(row['balanced_accuracy'])} of the images "
        f"(chance: {rounded_percent(row['chance'])})"
        for row in table[table["warning"]].to_dict("records")
    ]


def _balanced_accuracies(
    bins: NDArray[np.int64],
    folds: NDArray[np.int64],
    orders: list[NDArray[np.int64]],
    n_classes: int,
) -> NDArray[np.float64]:
    """The cross-validated balanced accuracy for each order of the labels."""
    n_bins = int(bins.max()) + 1
    cells = (folds * n_bins + bins) * n_classes
    sizes = np.bincount(orders[0], minlength=n_classes).astype(np.float32)
    fold, bin_ = np.indices((FOLDS, n_bins))
    found = np.empty(len(orders))
    for place, labels in enumerate(orders):
        counts = np.bincount(cells + labels, minlength=FOLDS * n_bins * n_classes)
        table = counts.reshape(FOLDS, n_bins, n_classes).astype(np.float32)
        shares = (table.sum(axis=0) - table) / sizes
        answers = shares.argmax(axis=2)
        right = np.bincount(
            answers.ravel(), weights=table[fold, bin_, answers].ravel(), minlength=n_classes
        )
        found[place] = (right / sizes).mean()
    return found
