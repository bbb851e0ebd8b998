"""The bytes of a data set of encoded images as files: one for each class, and an index.

`0.images` holds the encoded images of the first class one after the other, `1.images` those of the
second, and so on. `index.json` has the name of each class and the bytes of each image, weights if
they differ, and the recipes of transformed copies. That is all that training needs: an image's
label is that of its file.

Soft labels are one more file, `soft_labels.float16`: for each image, class by class, one or several
rows of probabilities, each of one float16 for every class. If they are of augmented views,
`soft_views.uint8` has three or six bytes for each, from which the view is made again.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

FORMAT = 1
# Of one probability of a soft label.
PROBABILITY_BYTES = 2
# Of a view that has a soft label, see `petite.training.soft_views`; the second with brightness.
VIEW_BYTES, BRIGHT_VIEW_BYTES = 3, 6
# A transformed copy: the position of its image among those of the container, and its recipe.
Copy = tuple[int, str]


class SoftFormat(NamedTuple):
    """How a container stores soft labels.

    Attributes
    ----------
    labels : int
        How many each image has.
    temperature : float
        That of the probabilities.
    crop_padding : float or None
        That of the views which they are of; None: each image has one label, and no views.
    brightness : float
        That of the views.
    """

    labels: int
    temperature: float = 1.0
    crop_padding: float | None = None
    brightness: float = 0.0

    @property
    def view_bytes(self) -> int:
        """The bytes that say what a view is."""
        if self.crop_padding is None:
            return 0
        return BRIGHT_VIEW_BYTES if self.brightness else VIEW_BYTES

    def bytes_per_image(self, classes: int) -> int:
        """The bytes of an image's soft labels."""
        return self.labels * (classes * PROBABILITY_BYTES + self.view_bytes)


def without_copies(subset: pd.DataFrame) -> tuple[pd.DataFrame, list[Copy]]:
    """Take a subset apart into its real images, and the copies of them.

    Parameters
    ----------
    subset : DataFrame
        With image_id, and with origin and recipe if some rows are transformed copies.
    """
    if "recipe" not in subset:
        return subset, []
    of_itself = subset["recipe"] == ""
    # Other images that a method makes are images of their own.
    is_copy = ~of_itself & subset["origin"].isin(subset.loc[of_itself, "image_id"])
    real, made = subset[~is_copy], subset[is_copy]
    places = {image_id: place for place, image_id in enumerate(real["image_id"])}
    return real, [
        (places[origin], recipe)
        for origin, recipe in zip(made["origin"], made["recipe"], strict=True)
    ]


def container_index(
    encoding: str,
    classes: Sequence[str],
    labels: ArrayLike,
    sizes: ArrayLike,
    weights: ArrayLike,
    soft: SoftFormat | None = None,
    copies: Sequence[Copy] = (),
) -> bytes:
    """Make the index.

    Parameters
    ----------
    encoding : str
        Its name.
    classes : sequence of str
        The name of each label.
    labels, sizes, weights : array-like, shape (n,)
        The label, the bytes and the weight of each image, in their order.
    soft : SoftFormat, optional
        How soft labels are stored, if there are any.
    copies : sequence of (int, str)
        Copies of these images, which have the weights of their images.

    Returns
    -------
    bytes
        JSON. Weights have six digits, and are left out if all are the same. A copy is the position
        of its image in the file of its class, and its recipe.
    """
    labels, sizes, weights = np.asarray(labels), np.asarray(sizes), np.asarray(weights, float)
    has_weights = len(weights) > 0 and bool((weights != weights[0]).any())
    parts = []
    for label, name in enumerate(classes):
        here = labels == label
        place_of = {int(place): row for row, place in enumerate(np.flatnonzero(here))}
        part: dict[str, object] = {"class": name, "bytes": sizes[here].tolist()}
        if has_weights:
            part["weights"] = [float(f"{weight:.6g}") for weight in weights[here].tolist()]
        if own := [[place_of[at], json.loads(made)] for at, made in copies if at in place_of]:
            part["copies"] = own
        parts.append(part)
    index: dict[str, object] = {"format": FORMAT, "encoding": encoding}
    if soft:
        index["soft_labels"] = soft._asdict()
    index["classes"] = parts
    return json.dumps(index, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def container_bytes(
    encoding: str,
    classes: Sequence[str],
    labels: ArrayLike,
    sizes: ArrayLike,
    weights: ArrayLike,
    soft: SoftFormat | None = None,
    copies: Sequence[Copy] = (),
) -> int:
    """Count the bytes of all files; the arguments are those of `container_index`."""
    index = container_index(encoding, classes, labels, sizes, weights, soft, copies)
    of_each = soft.bytes_per_image(len(classes)) if soft else 0
    of_soft_labels = len(np.asarray(labels)) * of_each
    return int(np.asarray(sizes).sum()) + len(index) + of_soft_labels
