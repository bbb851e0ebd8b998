"""Selection methods: which k of n training images to keep.

`METHODS` maps each name to its method; `select` runs one on arrays:

    ranking = select(features, labels, k=1350, method="herding", seed=0)
    kept = labels[ranking.indices]

A caller's arguments become one checked `Request`, and its answer is one `Ranking`. Importing this
package loads NumPy and pydantic only, so that the workflow can read the registry. `SubsetSelector`,
the same as an estimator, loads scikit-learn when it is first used.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from petite.selection.arguments import Seed
from petite.selection.base import Choice, Group, Method, MethodSettings, Ranking
from petite.selection.engine import run
from petite.selection.registry import METHODS, checked_settings, named
from petite.selection.request import Request, checked_request

if TYPE_CHECKING:
    from petite.selection.selector import SubsetSelector

__all__ = [
    "METHODS",
    "Choice",
    "Group",
    "Method",
    "MethodSettings",
    "Ranking",
    "Request",
    "SubsetSelector",
    "checked_settings",
    "named",
    "select",
]


def select(
    features: ArrayLike | None,
    labels: ArrayLike,
    k: int,
    method: str = "random",
    seed: Seed = 0,
    scores: ArrayLike | Mapping[str, ArrayLike] | None = None,
    quota: str = "proportional",
    *,
    class_errors: Mapping[Any, float] | None = None,
    groups: ArrayLike | None = None,
    kept: ArrayLike | None = None,
    partitions: int | None = None,
    max_memory: int | None = None,
    **settings: Any,
) -> Ranking:
    """Choose k of n images.

    Arrays are anything that NumPy can make an array of: lists, data frames, tensors in memory.
    Whole numbers may be of any type, 20.0 as well as 20. No argument is written to, but for a
    random generator, which goes on.

    Parameters
    ----------
    features : array-like of shape (n, d) or None
        Finite numbers, a row for each image, compared in float32. None for a method that needs
        none.
    labels : array-like of shape (n,)
        The class of each image: whole numbers, or text. Methods that tell of a class tell its
        number; text is numbered in alphabetical order from 0.
    k : int
        How many images to choose, 1 to n.
    method : str
        A name in `METHODS`.
    seed : int, numpy.random.Generator, numpy.random.RandomState or None
        As scikit-learn's `random_state`. The same whole number, >= 0, gives the same ranking. A
        generator gives another one with each call, and so does None, which draws from NumPy's
        global generator. `Ranking.seed` is the number that was drawn.
    scores : array-like of shape (n,), or mapping or data frame of such columns
        For methods that choose by a score of training: higher for harder images; or the columns
        of a proxy run by name.
    quota : {"proportional", "equal", "error", "group"}
        How k is shared among the classes, or evenly among the groups of their images.
    class_errors : mapping from label to float
        For the quota "error": the error of each class, 0 to 1.
    groups : array-like of shape (n,)
        For the quota "group": the group of each image, such as its patient. "" or a missing
        value for none.
    kept : array-like of shape (p,), optional
        Positions of images that are chosen in any case, or a mask of all images. They count within
        k and within the quota of their class. Methods whose trait `complements` is true choose the
        others to complement them.
    partitions : int or None
        Parts that large classes are divided into, for methods that can be. None: as many as keep
        the time in proportion to n, 1 for classes of up to 8,192 images.
    max_memory : int or None
        Bytes that the selection may take. None: half of what is free.
    **settings
        The method's own.

    Returns
    -------
    Ranking
        Exactly k different images: `indices`, (k,) int64, are their positions: those of `kept` in
        ascending order, and then the others, best first.

    Raises
    ------
    PetiteError
        When an argument does not fit, a method or a setting is unknown, or the memory is not
        enough. No other exception is raised for what a caller gives.

    Examples
    --------
    >>> from petite.selection import select
    >>> features = [[0.0, 0.0], [0.1, 0.0], [5.0, 5.0], [9.0, 9.0], [9.0, 9.1], [4.0, 5.0]]
    >>> labels = ["cat", "cat", "cat", "dog", "dog", "dog"]
    >>> ranking = select(features, labels, k=4, method="k_center_greedy")
    >>> sorted(ranking.indices.tolist())
    [1, 2, 3, 5]
    """
    entry = named(method)
    return run(
        checked_request(
            entry, checked_settings(entry, settings), features, labels, k, seed, scores, quota,
            class_errors, partitions, max_memory, kept, groups,
        )
    )  # fmt: skip


def __getattr__(name: str) -> Any:
    """Load the estimator when it is first used."""
    if name == "SubsetSelector":
        return import_module("petite.selection.selector").SubsetSelector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
