"""`pca_grid`: the paper's method, which chooses images from all nonempty cells of a plane.

Sal, Erdağ, Biçici: "Efficient Dataset Distillation for Cat and Dog Image Classification". Images
are clustered by KMeans and projected to the plane of their first two principal components. The box
of each class and cluster is divided into cells, and images are chosen from the cells at random. The
cells are rectangles or one of the other tilings of the authors' later code (see tilings.py). Other
planes are possible.

The method's control is `random_cells`: the same clusters, boxes and numbers of images in each cell,
but with the images assigned to cells at random. A difference from it is an effect of the plane.

Differences from the paper's code, and the reasons:

- Training images only. The paper clusters all images, and so selects test images as well.
- Exactly k distinct images, divided among classes and clusters in proportion, with at least one of
  each class if k allows. The paper takes up to k for each class and cluster, some of them twice.
- Each group's tiling covers the group's own box, including its upper edges. The paper's covers all
  images, which leaves most cells of a group empty, and drops the images on the upper edges.
- KMeans runs on the features, by default the pixels' leading principal components, instead of the
  pixels. 64 components keep about 0.8 of the variance of photographs' pixels, and the pixels need
  not be read again.
"""

import warnings
from typing import Annotated, Any, Literal, TypedDict

import numpy as np
from pydantic import Field

from petite.selection.base import Choice, Cost, Method, MethodSettings, Traits
from petite.selection.methods.tilings import TILINGS
from petite.selection.quota import proportional, with_least
from petite.selection.request import Request
from petite.util.errors import PetiteError

# KMeans keeps the best of this many starts.
STARTS = 4
# Usual number of iterations until a start converges; to estimate its time.
ROUNDS = 30
# t-SNE's time grows faster than the number of images.
TSNE_IMAGES = 20_000
# scikit-learn's default; each image must have at least this many neighbors.
PERPLEXITY = 30
# Features count as principal components up to errors of this fraction of a component's variance.
ROUNDING = 1e-4


class Grid(TypedDict):
    """The tiling of one class and cluster, in the details of a selection."""

    label: int
    cluster: int
    tiling: str
    x0: float  # box in the plane
    y0: float
    x1: float
    y1: float
    side: int  # number of rows
    images: int  # number of images in the class and cluster
    chosen: int


class Settings(MethodSettings):
    """Settings of `pca_grid`."""

    clusters: int = Field(2, ge=1, description="KMeans clusters over all training images")
    cells: Literal["auto"] | Annotated[int, Field(ge=1, le=1000)] = Field(
        "auto",
        description="rows of the tiling; auto: the fewest rows with at least one cell per image to "
        "keep",
    )
    tiling: Literal["rectangle", "parallelogram", "triangle", "brick"] = Field(
        "rectangle", description="shape of the cells"
    )
    plane: Literal["pca", "tsne", "features"] = Field(
        "pca",
        description="pca: first two principal components of the features; tsne: t-SNE of the "
        f"features (at most {TSNE_IMAGES:,} images); features: the first two features",
    )
    random_cells: bool = Field(
        False,
        description="assign the images to cells at random, with the same number in each cell, as a "
        "control",
    )


def choose(request: Request, settings: Settings) -> Choice:
    """Choose k images from classes, clusters and cells, as the module describes.

    Returns
    -------
    Choice
        Extra columns: cluster, cell (its number in the group's tiling; with `random_cells` the
        assigned one), plane_x, plane_y. Details: `grids`, a Grid for each class and cluster that
        images were chosen from; `centers` of the clusters in the feature space, for
        `nearest_center`; `plane` and `random_cells` as in the settings; `plane_points`, x and y of
        all images in their order, unless the plane is that of the first two features.

    Raises
    ------
    PetiteError
        If there are too many images for t-SNE.
    """
    assert request.features is not None
    random = request.generator()
    dealer = request.generator("random_cells")
    plane = _plane(request, settings)
    centers = _centers(request.features, settings.clusters, random)
    clusters = nearest_center(request.features, centers)
    tiling = TILINGS[settings.tiling]

    indices: list[np.ndarray] = []
    cells: list[np.ndarray] = []
    grids: list[Grid] = []
    for label, cluster, members, quota in _groups(request, clusters, len(centers)):
        side = tiling.side_for(quota) if settings.cells == "auto" else settings.cells
        box = np.concatenate([plane[members].min(axis=0), plane[members].max(axis=0)])
        cell = tiling.cells(plane[members], box, side)
        if settings.random_cells:
            cell = dealer.permutation(cell)
        order = visiting_order(cell, random, np.isin(members, request.kept))[:quota]
        indices.append(members[order])
        cells.append(cell[order])
        x0, y0, x1, y1 = box.tolist()
        grids.append(
            {
                "label": label,
                "cluster": cluster,
                "tiling": settings.tiling,
                "x0": x0,
                "y0": y0,
                "x1": x1,
                "y1": y1,
                "side": side,
                "images": len(members),
                "chosen": quota,
            }
        )
    chosen = np.concatenate(indices)
    extra = {
        "cluster": clusters[chosen],
        "cell": np.concatenate(cells),
        "plane_x": plane[chosen, 0],
        "plane_y": plane[chosen, 1],
    }
    details: dict[str, Any] = {
        "grids": grids,
        "centers": centers.tolist(),
        "plane": settings.plane,
        "random_cells": settings.random_cells,
    }
    if not np.array_equal(plane, first_two(request.features)):
        details["plane_points"] = {"x": _rounded(plane[:, 0]), "y": _rounded(plane[:, 1])}
    return Choice(chosen, extra=extra, details=details)


def visiting_order(
    cells: np.ndarray, random: np.random.Generator, is_kept: np.ndarray | None = None
) -> np.ndarray:
    """Order all images such that each round visits every cell that has images left.

    Kept images come first, and count as those of the first rounds in their cells.

    Parameters
    ----------
    cells : ndarray of int, shape (n,)
        The cell of each image.
    random : numpy.random.Generator
        Chooses the images and the order of the cells.
    is_kept : ndarray of bool, shape (n,), optional
        Which images are kept; None: none.

    Returns
    -------
    ndarray of int64, shape (n,)
        Positions: first one random image of each cell, with the cells in random order, then a
        second one of each cell that has more, and so on.
    """
    count = len(cells)
    others = np.ones(count, bool) if is_kept is None else ~is_kept
    shuffled = random.permutation(count)
    by_cell = shuffled[np.lexsort((others[shuffled], cells[shuffled]))]
    _, starts, sizes = np.unique(cells[by_cell], return_index=True, return_counts=True)
    rounds = np.arange(count) - np.repeat(starts, sizes)
    return by_cell[np.lexsort((random.random(count), rounds, others[by_cell]))]


def nearest_center(features: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Find the nearest center of each image.

    Parameters
    ----------
    features : ndarray of float, shape (n, d)
        Features of the images.
    centers : ndarray of float, shape (c, d)
        Centers of the clusters.

    Returns
    -------
    ndarray of int64, shape (n,)
        The cluster of each image; the first one of equally near centers.
    """
    centers = np.asarray(centers, np.float64)
    # |x - c|^2 without |x|^2, which is the same for all centers.
    scores = (centers**2).sum(axis=1) - 2 * (features.astype(np.float64) @ centers.T)
    return np.argmin(scores, axis=1)


def first_two(features: np.ndarray) -> np.ndarray:
    """The first two features, float64 (n, 2); the second is 0 if there is only one."""
    plane = np.zeros((len(features), 2))
    plane[:, : features.shape[1]] = features[:, :2]
    return plane


def _plane(request: Request, settings: Settings) -> np.ndarray:
    """The position of each image in the plane, float64 (n, 2)."""
    assert request.features is not None
    if settings.plane == "features":
        return first_two(request.features)
    if settings.plane == "pca":
        return _principal_plane(request.features)
    if len(request.features) > TSNE_IMAGES:
        raise PetiteError(
            f"plane: 'tsne' takes too long for {len(request.features):,} images, more than "
            f"{TSNE_IMAGES:,}. Use plane: pca"
        )
    return _tsne(request.features, int(request.generator("tsne").integers(2**31)))


def _principal_plane(features: np.ndarray) -> np.ndarray:
    """The first two principal components of the features, (n, 2) float64.

    Features that already are principal components are returned unchanged. Otherwise each
    component's sign makes its largest loading positive.
    """
    centered = features - features.mean(axis=0, dtype=np.float64)
    covariance = centered.T @ centered / len(features)
    if _is_principal(covariance):
        return first_two(features)
    directions = np.linalg.eigh(covariance)[1][:, :-3:-1]
    largest = np.abs(directions).argmax(axis=0)
    directions = directions * np.where(directions[largest, [0, 1]] < 0, -1, 1)
    return centered @ directions


def _is_principal(covariance: np.ndarray) -> bool:
    """Whether the first two features (of one or more) are the first two principal components.

    They are if no other feature has a larger variance and they do not correlate with any other.
    `covariance` is float64 (d, d).
    """
    variances = covariance.diagonal()
    leading = variances[:2]
    rounding = ROUNDING * leading
    in_order = np.sort(variances)[:-3:-1] <= leading + rounding
    shared = np.abs(covariance[:2] - np.diag(variances)[:2]) <= rounding[:, None]
    return bool(in_order.all() and shared.all())


def _tsne(features: np.ndarray, seed: int) -> np.ndarray:
    """t-SNE of the features, (n, 2) float64.

    Fewer than four images, or images that are all the same, have no neighborhoods to keep. For
    them it is the plane of the principal components.
    """
    if len(features) < 4 or (features == features[0]).all():
        return _principal_plane(features)
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    # It starts from two principal components, so it needs two features.
    padded = np.pad(features, ((0, 0), (0, max(0, 2 - features.shape[1]))))
    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    tsne = TSNE(perplexity=perplexity, init="pca", random_state=seed)
    # Threads add up in any order, and a difference in the last digit leads to another plane.
    with threadpool_limits(1):
        return tsne.fit_transform(padded).astype(np.float64)


def _rounded(values: np.ndarray) -> list[float]:
    """Round values to the digits of float32, so that JSON is no longer than necessary."""
    return [float(str(value)) for value in values.astype(np.float32)]


def _centers(features: np.ndarray, clusters: int, random: np.random.Generator) -> np.ndarray:
    """KMeans centers, (c, d) float64, from left to right in the plane."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    kmeans = KMeans(
        n_clusters=min(clusters, len(features)),
        n_init=STARTS,
        random_state=int(random.integers(2**31)),
    )
    with warnings.catch_warnings():
        # Fewer distinct images than clusters: some clusters stay empty, which is harmless.
        warnings.simplefilter("ignore", ConvergenceWarning)
        kmeans.fit(features)
    centers = kmeans.cluster_centers_.astype(np.float64)
    return centers[np.lexsort(centers.T[::-1])]


def _groups(
    request: Request, clusters: np.ndarray, cluster_count: int
) -> list[tuple[int, int, np.ndarray, int]]:
    """(label, cluster, members, quota) of each class and cluster with a quota above 0."""
    groups = []
    is_kept = np.isin(np.arange(len(clusters)), request.kept)
    for label, class_quota in zip(np.unique(request.labels), request.quotas, strict=True):
        within = [
            np.flatnonzero((request.labels == label) & (clusters == cluster))
            for cluster in range(cluster_count)
        ]
        quotas = _within_class(within, is_kept, int(class_quota))
        groups += [
            (int(label), cluster, members, int(quota))
            for cluster, (members, quota) in enumerate(zip(within, quotas, strict=True))
            if quota
        ]
    return groups


def _within_class(within: list[np.ndarray], is_kept: np.ndarray, k: int) -> np.ndarray:
    """Divide the k images of a class among its clusters in proportion, with at least the kept."""
    sizes = np.array([len(members) for members in within])
    least = np.array([is_kept[members].sum() for members in within])
    return with_least(least, k, lambda some, rest: proportional(sizes[some], rest))


def cost(m: int, k: int, d: int, settings: Settings) -> Cost:
    """Cost of choosing k of m images with d features: KMeans and the plane."""
    # Factors fitted to times measured on 1,000 to 12,000 images.
    elements = ROUNDS * STARTS * m * (d + 8.0 * settings.clusters)
    products, memory = 0.0, 8.0 * m * d + 100.0 * m
    if settings.plane == "pca":
        products, memory = 2.0 * m * d * d, memory + 16.0 * d * d
    if settings.plane == "tsne":
        elements, memory = elements + 1e6 * m * np.log2(m + 1), memory + 8_000.0 * m
    return Cost(products=products, elements=elements, steps=k, memory=memory)


METHODS = (
    Method(
        name="pca_grid",
        settings=Settings,
        traits=lambda settings: Traits(features="any", complements=True),
        cost=cost,
        choose_whole=choose,
    ),
)
