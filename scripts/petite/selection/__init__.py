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
from pydantic import ValidationError

from petite.errors import PetiteError
from petite.hints import unknown
from petite.selection import (
    clusters,
    coverage,
    full,
    pca_grid,
    random,
    submodular,
    thinning,
)
from petite.selection import (
    scores as score_methods,
)
from petite.selection.base import Choice, Group, Method, MethodSettings, Ranking, Task
from petite.selection.selecting import Question, answer, ask

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

METHODS: dict[str, Method] = {
    method.name: method
    for module in (full, random, pca_grid, clusters, coverage, submodular, thinning, score_methods)
    for method in module.METHODS
}


def select(
    features: np.ndarray | None,
    labels: np.ndarray,
    k: int,
    method: str = "random",
    seed: int = 0,
    scores: np.ndarray | Mapping[str, np.ndarray] | None = None,
    quota: str = "proportional",
    *,
    class_errors: Mapping[int, float] | None = None,
    partitions: int | None = None,
    max_memory: int | None = None,
    **settings: Any,
) -> Ranking:
    """Choose k of n images.

    features: (n, d) float32 or float64, finite; None for a method that needs none. They are
        compared in float32.
    labels: (n,) whole numbers, the classes.
    k: how many, 1 to n.
    method: a name in `METHODS`; `settings` are the method's own.
    seed: >= 0; the same seed gives the same ranking.
    scores: for methods that choose by a score of training: (n,) float, higher for harder images,
        or the columns of a proxy run by name.
    quota: how k is shared among the classes: "proportional", "equal", or by class "error".
    class_errors: for the quota "error", the error of each label, 0 to 1.
    partitions: parts that large classes are divided into, for methods that can be; None: as many
        as keep the time in proportion to n, 1 for classes of up to 8,192 images.
    max_memory: bytes that the selection may take; None: half of what is free.

    Returns a `Ranking` of exactly k different images. Raises PetiteError when the method or a
    setting is unknown, an array or a number does not fit, or the memory is not enough.
    """
    return answer(
        question(
            features, labels, k, method, seed, scores, quota,
            class_errors=class_errors, partitions=partitions, max_memory=max_memory, **settings,
        )
    )  # fmt: skip


def question(
    features: np.ndarray | None,
    labels: np.ndarray,
    k: int,
    method: str = "random",
    seed: int = 0,
    scores: np.ndarray | Mapping[str, np.ndarray] | None = None,
    quota: str = "proportional",
    *,
    class_errors: Mapping[int, float] | None = None,
    partitions: int | None = None,
    max_memory: int | None = None,
    **settings: Any,
) -> Question:
    """What `select` takes, checked, to be answered in pieces (`petite.selection.selecting`)."""
    chosen = named(method)
    return ask(
        chosen, checked_settings(chosen, settings), features, labels, k, seed, scores, quota,
        class_errors, partitions, max_memory,
    )  # fmt: skip


def named(method: str) -> Method:
    """The method of this name. Raises PetiteError when there is none."""
    if method not in METHODS:
        raise PetiteError(unknown(method, METHODS, "selection method"))
    return METHODS[method]


def checked_settings(method: Method, settings: dict[str, Any]) -> MethodSettings:
    """A method's settings, typed. Raises PetiteError with all that is wrong."""
    try:
        return method.settings(**settings)
    except ValidationError as error:
        known = ", ".join(method.settings.model_fields) or "none"
        problems = "; ".join(
            ": ".join(filter(None, (".".join(map(str, item["loc"])), item["msg"])))
            for item in error.errors()
        )
        raise PetiteError(
            f"the settings of '{method.name}' do not fit: {problems} (it has: {known})"
        ) from None
