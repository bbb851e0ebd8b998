"""Selection methods: which k of n training images to keep.

`METHODS` maps each name to its method; `select` runs one on arrays:

    ranking = select(features, labels, k=1350, method="pca_grid", seed=0, clusters=2)
    kept = labels[ranking.indices]

A new method is one module with a `METHOD` and its name in the list below. Importing this package
loads NumPy and pydantic only, so that the workflow can read the registry.
"""

import difflib
import time
from typing import Any

import numpy as np
from pydantic import ValidationError

from petite.errors import PetiteError
from petite.selection import full, pca_grid, random
from petite.selection.base import Choice, Method, MethodSettings, Ranking, Task

__all__ = ["METHODS", "Choice", "Method", "MethodSettings", "Ranking", "Task", "select"]

METHODS: dict[str, Method] = {
    module.METHOD.name: module.METHOD for module in (full, random, pca_grid)
}


def select(
    features: np.ndarray | None,
    labels: np.ndarray,
    k: int,
    method: str = "random",
    seed: int = 0,
    **settings: Any,
) -> Ranking:
    """Choose k of n images.

    features: (n, d) float32 or float64, finite; None for a method that needs none.
    labels: (n,) whole numbers, the classes.
    k: how many, 1 to n.
    method: a name in `METHODS`; `settings` are the method's own.
    seed: >= 0; the same seed gives the same ranking.

    Returns a `Ranking` of exactly k different images. Raises PetiteError when the method or a
    setting is unknown or an array or a number does not fit.
    """
    chosen_method = _method(method)
    checked = _settings(chosen_method, settings)
    labels = _labels(labels)
    if not 1 <= k <= len(labels):
        raise PetiteError(f"{k} images asked for: it must be 1 to {len(labels)}, all there are")
    if seed < 0:
        raise PetiteError(f"seed is {seed}: it must be 0 or more")
    features = _features(features, len(labels), method) if chosen_method.needs_features else None

    started = time.perf_counter()
    task = Task(features=features, labels=labels, k=int(k), seed=int(seed), method=method)
    choice = chosen_method.choose(task, checked)
    seconds = time.perf_counter() - started

    indices = np.asarray(choice.indices, np.int64)
    if indices.shape != (k,) or len(np.unique(indices)) != k:
        raise RuntimeError(f"'{method}' did not choose {k} different images: a fault in the method")
    weights = np.ones(k) if choice.weights is None else np.asarray(choice.weights, np.float64)
    return Ranking(
        indices=indices,
        weights=weights,
        extra=choice.extra,
        details=choice.details,
        method=method,
        seed=int(seed),
        settings=checked.model_dump(mode="json"),
        seconds=seconds,
    )


def _method(name: str) -> Method:
    if name in METHODS:
        return METHODS[name]
    nearest = difflib.get_close_matches(name, METHODS, n=1)
    hint = f"did you mean '{nearest[0]}'?" if nearest else f"there are {', '.join(METHODS)}"
    raise PetiteError(f"'{name}' is no selection method; {hint}")


def _settings(method: Method, settings: dict[str, Any]) -> MethodSettings:
    try:
        return method.settings(**settings)
    except ValidationError as error:
        known = ", ".join(method.settings.model_fields) or "none"
        problems = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()
        )
        raise PetiteError(
            f"the settings of '{method.name}' do not fit: {problems} (it has: {known})"
        ) from None


def _labels(labels: np.ndarray) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.ndim != 1 or len(labels) == 0 or not np.issubdtype(labels.dtype, np.integer):
        raise PetiteError(
            f"labels must be whole numbers of shape (n,), n >= 1; they are {labels.dtype} "
            f"of shape {labels.shape}"
        )
    return labels.astype(np.int64)


def _features(features: np.ndarray | None, count: int, method: str) -> np.ndarray:
    if features is None:
        raise PetiteError(f"'{method}' compares images by their features: give some")
    features = np.asarray(features)
    if features.ndim != 2 or len(features) != count or features.shape[1] == 0:
        raise PetiteError(
            f"features must have shape ({count}, d), a row for each label and d >= 1; "
            f"theirs is {features.shape}"
        )
    if features.dtype not in (np.float32, np.float64):
        raise PetiteError(f"features must be float32 or float64; they are {features.dtype}")
    bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(bad):
        raise PetiteError(
            f"the features of {len(bad)} images are not finite (NaN or infinity), "
            f"the first in row {bad[0]}"
        )
    return features
