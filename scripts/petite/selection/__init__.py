"""Selection methods: which k of n training images to keep.

`METHODS` maps each name to its method; `select` runs one on arrays:

    ranking = select(features, labels, k=1350, method="herding", seed=0)
    kept = labels[ranking.indices]

A new method is a function in a module of its family, with an entry in that module's `METHODS`; a
new family is a module and its name in the list below. Importing this package loads NumPy and
pydantic only, so that the workflow can read the registry.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from pydantic import ValidationError

from petite.selection import arguments
from petite.selection.arguments import Seed
from petite.selection.base import Choice, Group, Method, MethodSettings, Ranking, Task
from petite.selection.engine import Question, answer, ask
from petite.selection.methods import (
    clusters,
    coverage,
    full,
    pca_grid,
    random,
    submodular,
    thinning,
)
from petite.selection.methods import scores as score_methods
from petite.util.errors import PetiteError
from petite.util.hints import unknown

__all__ = [
    "METHODS",
    "Choice",
    "Group",
    "Method",
    "MethodSettings",
    "Question",
    "Ranking",
    "Task",
    "checked_settings",
    "named",
    "question",
    "select",
]

# No setting counts further; costs are worked out in floats, which are exact up to here.
MOST = 2**53

METHODS: dict[str, Method] = {
    method.name: method
    for module in (full, random, pca_grid, clusters, coverage, submodular, thinning, score_methods)
    for method in module.METHODS
}


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
    quota : {"proportional", "equal", "error"}
        How k is shared among the classes.
    class_errors : mapping from label to float
        For the quota "error": the error of each class, 0 to 1.
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
        Exactly k different images: `indices`, (k,) int64, are their positions, best first.

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
    return answer(
        question(
            features, labels, k, method, seed, scores, quota,
            class_errors=class_errors, partitions=partitions, max_memory=max_memory, **settings,
        )
    )  # fmt: skip


def question(
    features: ArrayLike | None,
    labels: ArrayLike,
    k: int,
    method: str = "random",
    seed: Seed = 0,
    scores: ArrayLike | Mapping[str, ArrayLike] | None = None,
    quota: str = "proportional",
    *,
    class_errors: Mapping[Any, float] | None = None,
    partitions: int | None = None,
    max_memory: int | None = None,
    **settings: Any,
) -> Question:
    """What `select` takes, checked, to be answered in pieces (`petite.selection.engine`)."""
    chosen = named(method)
    return ask(
        chosen, checked_settings(chosen, settings), features, labels, k, seed, scores, quota,
        class_errors, partitions, max_memory,
    )  # fmt: skip


def named(method: str) -> Method:
    """The method of this name. Raises PetiteError when there is none."""
    method = arguments.text("method", method)
    if method not in METHODS:
        raise PetiteError(unknown(method, METHODS, "selection method"))
    return METHODS[method]


def checked_settings(method: Method, settings: dict[str, Any]) -> MethodSettings:
    """A method's settings, typed. Raises PetiteError with all that is wrong."""
    if "random_state" in settings:
        raise PetiteError("random_state is called seed here: give seed=")
    # As grids of parameters hold them.
    plain = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in settings.items()
    }
    for name, value in plain.items():
        if isinstance(value, int) and abs(value) > MOST:
            raise PetiteError(f"{name} must be {MOST} at most")
    try:
        return method.settings(**plain)
    except ValidationError as error:
        known = ", ".join(method.settings.model_fields) or "none"
        problems = "; ".join(
            ": ".join(filter(None, (".".join(map(str, item["loc"])), item["msg"])))
            for item in error.errors()
        )
        raise PetiteError(
            f"the settings of '{method.name}' do not fit: {problems} (it has: {known})"
        ) from None
