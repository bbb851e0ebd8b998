"""Groups of test images, such as those of one patient, and how many images they are worth.

The answers on images of one group go together, so that a few large groups show less about new
images than the same number of images of their own.
"""

import numpy as np
import pandas as pd

from petite.evaluation.recommendation import ImageGroups


def group_numbers(groups: pd.Series, image_ids: np.ndarray) -> np.ndarray | None:
    """Number the groups of test images.

    Parameters
    ----------
    groups : Series of str
        The group of each image by its id; "" for an image of its own.
    image_ids : ndarray of str, shape (n,)

    Returns
    -------
    ndarray of int64, shape (n,), or None
        Equal for images of one group; None if no two images share one.
    """
    names = groups.reindex(image_ids).fillna("")
    alone = (names == "").to_numpy()
    numbers = pd.factorize(names)[0].astype(np.int64)
    numbers[alone] = len(names) + np.arange(alone.sum())
    return numbers if len(np.unique(numbers)) < len(numbers) else None


def of_groups(
    differences: np.ndarray, weights: np.ndarray, groups: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Merge the images of each group to one with their weighted mean difference.

    The mean difference stays the same. What is computed for new images is then for new groups,
    as a bootstrap that draws whole groups does.

    Parameters
    ----------
    differences : ndarray of float, shape (seeds, images)
    weights : ndarray of float, shape (images,)
        With sum 1.
    groups : ndarray of int, shape (images,)

    Returns
    -------
    ndarray of float64, shape (seeds, groups)
    ndarray of float64, shape (groups,)
        The weights of the groups, with sum 1.
    """
    _, places = np.unique(groups, return_inverse=True)
    of_group = np.bincount(places, weights)
    merged = np.empty((len(differences), len(of_group)))
    for row, of_seed in enumerate(differences):
        merged[row] = np.bincount(places, of_seed * weights) / of_group
    return merged, of_group


def image_groups(right: np.ndarray, groups: np.ndarray) -> ImageGroups:
    """Estimate how many images of their own the images of groups are worth.

    That is n / deff with the design effect deff = 1 + (m - 1) * rho. m is the mean size of the
    group of an image, and rho the correlation of the answers within groups, by the estimator from
    the analysis of variance.

    Parameters
    ----------
    right : ndarray of bool or float, shape (runs, images)
        Whether each run is right on each image.
    groups : ndarray of int, shape (images,)

    Returns
    -------
    ImageGroups
        Where all images or all groups are answered alike the correlation is unknown (None), and
        each group counts as one image.

    References
    ----------
    Kish 1965, "Survey Sampling", sections 5.4 and 8.2 (design effect).
    Ridout, Demétrio and Firth 1999, "Estimating Intraclass Correlation for Binary Data",
    Biometrics 55 (the estimator).
    """
    values = np.asarray(right, np.float64).mean(axis=0)
    _, places, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    images, count = len(values), len(sizes)
    of_image = float((sizes**2).sum() / images)  # the mean size of the group of an image
    correlation = None
    if 1 < count < images:
        means = np.bincount(places, values) / sizes
        between = float((sizes * (means - values.mean()) ** 2).sum()) / (count - 1)
        within = float(((values - means[places]) ** 2).sum()) / (images - count)
        usual = (images - of_image) / (count - 1)
        whole = between + (usual - 1) * within
        correlation = None if whole <= 0 else float(np.clip((between - within) / whole, 0, 1))
    if correlation is None:
        return ImageGroups(count, images, float(count), None)
    return ImageGroups(count, images, images / (1 + (of_image - 1) * correlation), correlation)
