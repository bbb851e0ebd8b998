"""Random crops of training images, scored by a teacher: the first step of RDED."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from petite.data.views import Images
from petite.networks import models
from petite.networks.backend import load_keras
from petite.subsets.synthetic import Crop, RdedSettings, cut_out
from petite.training.loop import predict
from petite.util.seeds import generator

if TYPE_CHECKING:
    import keras

CROPS_AT_ONCE = 1_024  # in memory


def load_teacher(path: Path, backend: str, threads: int) -> "keras.Model":
    """Load a network that `petite.training.proxy.network_proxy` saved, up to its logits."""
    keras = load_keras(backend, threads)
    return models.logits_of(keras.models.load_model(path, compile=False))


def scored_crops(
    teacher: "keras.Model",
    images: Images,
    image_ids: pd.Series,
    labels: np.ndarray,
    seed: int,
    settings: RdedSettings,
) -> pd.DataFrame:
    """Draw random crops of each image, and compute the loss of a teacher on each.

    The teacher sees a crop as a mosaic will show it: with the pixels of its cell, enlarged to the
    size of an image.

    Parameters
    ----------
    teacher : keras.Model
        Gives logits.
    images : Images
        uint8, shape (n, H, W, C), H == W.
    image_ids : Series of str, shape (n,)
    labels : ndarray of int, shape (n,)
    seed : int
        Of the crops.
    settings : RdedSettings

    Returns
    -------
    DataFrame
        A row for each crop: image_id, label, top, left, side (pixels) and loss, the cross-entropy.

    References
    ----------
    Sun, Shi, Yu and Lin: "On the Diversity and Realism of Distilled Dataset: An Efficient Dataset
    Distillation Paradigm", CVPR 2024, section 4.
    """
    rng, size = generator(seed, "rded"), images.shape[1]
    shape = len(labels), settings.crops
    sides = np.sqrt(rng.uniform(*settings.scale, shape)) * size
    sides = np.clip(np.rint(sides), 1, size).astype(np.int64)
    tops, lefts = (np.floor(rng.random(shape) * (size - sides + 1)).astype(int) for _ in range(2))
    cell = max(1, size // settings.mosaic)
    losses = np.empty(shape)
    at_once = max(1, CROPS_AT_ONCE // settings.crops)
    for start in range(0, len(labels), at_once):
        rows = np.arange(start, min(start + at_once, len(labels)))
        crops = np.empty((len(rows), settings.crops, *images.shape[1:]), np.uint8)
        for place, (row, image) in enumerate(zip(rows, images[rows], strict=True)):
            for number in range(settings.crops):
                crop = Crop("", tops[row, number], lefts[row, number], sides[row, number])
                small = cut_out(image, crop, cell, cell)
                crops[place, number] = cut_out(small, Crop("", 0, 0, cell), size, size)
        crops = crops.reshape(-1, *images.shape[1:])
        found = predict(teacher, crops, np.arange(len(crops)), test_time_flip=False)
        of_label = found.reshape(len(rows), settings.crops, -1)[
            np.arange(len(rows)), :, labels[rows]
        ]
        losses[rows] = -np.log(np.maximum(of_label, np.finfo(np.float64).tiny))
    return pd.DataFrame(
        {
            "image_id": np.repeat(image_ids.to_numpy(), settings.crops),
            "label": np.repeat(labels, settings.crops),
            "top": tops.ravel(),
            "left": lefts.ravel(),
            "side": sides.ravel(),
            "loss": losses.ravel(),
        }
    )
