"""Calibration: accuracy by confidence."""

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from petite.plots import style
from petite.training.metrics import confidence_bins

DOT, ALL = 6.0, 270.0  # square points: area of the smallest dot, and what all images add to it


def calibration_bins(confidence: np.ndarray, right: np.ndarray) -> pd.DataFrame:
    """Confidence and accuracy by bin.

    Parameters
    ----------
    confidence : ndarray of float, shape (n_images,)
        The probability of the predicted class.
    right : ndarray of bool, shape (n_images,)
        Whether the predicted class is the true one.

    Returns
    -------
    DataFrame
        A row for each of the metric's bins that has images: sure (mean confidence), right
        (accuracy) and images.
    """
    images = pd.DataFrame({"sure": confidence, "right": right})
    return images.groupby(confidence_bins(confidence)).agg(
        sure=("sure", "mean"), right=("right", "mean"), images=("right", "size")
    )


@style.styled
def calibration_picture(bins: pd.DataFrame, classes: int, color: str) -> Figure:
    """A dot for each bin, whose area is its fraction of the images; the dashed line is ideal."""
    figure, axes = style.small_picture()
    chance = 100 / classes
    axes.plot([chance, 100], [chance, 100], "--", color=style.QUIET, linewidth=0.7)
    axes.scatter(
        100 * bins["sure"],
        100 * bins["right"],
        DOT + ALL * bins["images"] / bins["images"].sum(),
        color=to_rgba(color, 0.55),
        edgecolors=color,
        linewidths=0.7,
        clip_on=False,
        zorder=3,
        gid="dots-all",
    )
    axes.set_xlim(chance, 102)
    axes.set_ylim(0, 100)
    axes.set_yticks([0, 50, 100])
    axes.set_xlabel("confidence, %; dot area: images")
    axes.grid(axis="y")
    return figure
