"""`pca_grid`: the paper's method. Cells on a plane, and images from every cell that has some.

Sal, Erdağ, Biçici: "Efficient Dataset Distillation for Cat and Dog Image Classification". Images
are clustered by KMeans and laid on the plane of their first two principal components; within each
class and cluster a grid is drawn, and images are taken from its cells at random.

Where this departs from the paper's code, and why:

- Training images only. The paper clusters all images, and so selects test images as well.
- Exactly k different images, shared out over classes and clusters in proportion, at least one of
  each class where k allows. The paper takes up to k for each class and cluster, some of them twice.
- Each group's grid covers the group's own box, its upper edges included. The paper's covers all
  images, which leaves most cells of a group empty, and drops the images on the upper edges.
- KMeans runs on the features, which are the pixels' leading principal components, and not on the
  pixels themselves. 64 components carry about 0.8 of the variance of photographs' pixels, and
  KMeans on them needs no second look at the pixels.
"""

import warnings
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from petite.selection.base import Choice, Method, MethodSettings, Task
from petite.selection.quota import proportional, proportional_with_all

# KMeans keeps the best of this many starts.
STARTS = 4


class Settings(MethodSettings):
    """How the plane is cut up."""

    clusters: int = Field(2, ge=1, description="KMeans clusters over all training images")
    cells: Literal["auto"] | Annotated[int, Field(ge=1)] = Field(
        "auto",
        description="cells along each side of a group's grid; auto: the root of the group's quota, "
        "rounded up",
    )


def choose(task: Task, settings: Settings) -> Choice:
    """Choose k images over classes, clusters and cells; see the module's text.

    Extra columns: cluster, cell_row, cell_column (from 0 at the lowest y and x), plane_x, plane_y,
    grid_side (cells along each side of the group's grid).
    Details: `grids`, for each class and cluster that images were chosen from its label, cluster,
    box (x0, y0, x1, y1) in the plane, side, images (in the group) and chosen; `centres`, the
    clusters' centres in the feature space, from which `nearest_centre` tells any image's cluster.
    """
    assert task.features is not None
    random = task.generator()
    plane = _plane(task.features)
    centres = _centres(task.features, settings.clusters, random)
    clusters = nearest_centre(task.features, centres)

    indices: list[np.ndarray] = []
    cells: list[np.ndarray] = []
    grids: list[dict[str, Any]] = []
    for label, cluster, members, quota in _groups(task.labels, clusters, len(centres), task.k):
        side = int(np.ceil(np.sqrt(quota))) if settings.cells == "auto" else settings.cells
        box = np.concatenate([plane[members].min(axis=0), plane[members].max(axis=0)])
        cell = cells_of(plane[members], box, side)
        order = visiting_order(cell[:, 0] * side + cell[:, 1], random)[:quota]
        indices.append(members[order])
        cells.append(cell[order])
        x0, y0, x1, y1 = box.tolist()
        grids.append(
            {
                "label": label,
                "cluster": cluster,
                **{"x0": x0, "y0": y0, "x1": x1, "y1": y1},
                "side": side,
                "images": len(members),
                "chosen": quota,
            }
        )
    chosen = np.concatenate(indices)
    rows, columns = np.concatenate(cells).T
    extra = {
        "cluster": clusters[chosen],
        "cell_row": rows,
        "cell_column": columns,
        "plane_x": plane[chosen, 0],
        "plane_y": plane[chosen, 1],
        "grid_side": np.repeat([grid["side"] for grid in grids], [g["chosen"] for g in grids]),
    }
    return Choice(chosen, extra=extra, details={"grids": grids, "centres": centres.tolist()})


def cells_of(points: np.ndarray, box: np.ndarray, side: int) -> np.ndarray:
    """The grid cell of each point.

    points: (n, 2) float64, x and y, within the box.
    box: (4,) float64: x0, y0, x1, y1. A box without width or height has one cell that way.
    side: cells along each side.
    Returns (n, 2) int64, row (along y) and column (along x), 0 to side - 1.
    """
    extent = box[2:] - box[:2]
    shares = np.divide(points - box[:2], extent, out=np.zeros_like(points), where=extent > 0)
    cells = np.minimum((shares * side).astype(np.int64), side - 1)
    return cells[:, ::-1]


def visiting_order(cells: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """An order of all images that goes round the cells, one image from each in every round.

    cells: (n,) int, the cell of each image.
    Returns (n,) int64: positions, first one random image of each cell, the cells in random order,
    then a second one of each cell that has more, and so on.
    """
    count = len(cells)
    shuffled = random.permutation(count)
    by_cell = shuffled[np.argsort(cells[shuffled], kind="stable")]
    _, starts, sizes = np.unique(cells[by_cell], return_index=True, return_counts=True)
    rounds = np.arange(count) - np.repeat(starts, sizes)
    return by_cell[np.lexsort((random.random(count), rounds))]


def nearest_centre(features: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The cluster of each image.

    features: (n, d) float; centres: (c, d) float.
    Returns (n,) int64: the nearest centre, the first of equally near ones.
    """
    centres = np.asarray(centres, np.float64)
    # |x - c|^2 without |x|^2, which is the same for all centres.
    scores = (centres**2).sum(axis=1) - 2 * (features.astype(np.float64) @ centres.T)
    return np.argmin(scores, axis=1)


def _plane(features: np.ndarray) -> np.ndarray:
    """The first two features, (n, 2) float64; 0 where there is only one."""
    plane = np.zeros((len(features), 2))
    plane[:, : features.shape[1]] = features[:, :2]
    return plane


def _centres(features: np.ndarray, clusters: int, random: np.random.Generator) -> np.ndarray:
    """KMeans centres, (c, d) float64, from left to right in the plane."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    kmeans = KMeans(
        n_clusters=min(clusters, len(features)),
        n_init=STARTS,
        random_state=int(random.integers(2**31)),
    )
    with warnings.catch_warnings():
        # Fewer different images than clusters: some clusters stay empty, which does no harm.
        warnings.simplefilter("ignore", ConvergenceWarning)
        kmeans.fit(features)
    centres = kmeans.cluster_centers_.astype(np.float64)
    return centres[np.lexsort(centres.T[::-1])]


def _groups(
    labels: np.ndarray, clusters: np.ndarray, cluster_count: int, k: int
) -> list[tuple[int, int, np.ndarray, int]]:
    """(label, cluster, members, quota) of each class and cluster with a quota above 0."""
    classes, sizes = np.unique(labels, return_counts=True)
    groups = []
    for label, class_quota in zip(classes, proportional_with_all(sizes, k), strict=True):
        within = [
            np.flatnonzero((labels == label) & (clusters == cluster))
            for cluster in range(cluster_count)
        ]
        quotas = proportional(np.array([len(members) for members in within]), int(class_quota))
        groups += [
            (int(label), cluster, members, int(quota))
            for cluster, (members, quota) in enumerate(zip(within, quotas, strict=True))
            if quota
        ]
    return groups


METHOD = Method(
    name="pca_grid",
    settings=Settings,
    choose=choose,
    needs_features=True,
    ranks=False,
    deterministic=False,
)
