"""The selection methods as an estimator of scikit-learn and imbalanced-learn."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import _safe_indexing, column_or_1d
from sklearn.utils.validation import check_is_fitted, validate_data

from petite.selection.arguments import Seed, class_labels, typed_array, whole_number
from petite.selection.base import Ranking
from petite.selection.engine import run
from petite.selection.registry import checked_settings, named
from petite.selection.request import checked_request
from petite.util.errors import PetiteError


class SelectorError(PetiteError, ValueError):
    """An invalid argument: a ValueError, as scikit-learn and its tools expect."""


class SubsetSelector(BaseEstimator):
    """Select a subset of the samples, as an estimator.

    `fit` selects, `get_support` returns what it selected, and `fit_resample` does both. A pipeline
    of imbalanced-learn selects with it before the training and uses all samples for predictions.
    A pipeline of scikit-learn has no place for it, since its steps keep the number of samples.

    Parameters
    ----------
    n_samples : int or float, default=0.1
        How many samples to select: a number from 1, or a fraction up to 1.0. A fraction selects at
        least one sample of each class.
    method : str, default="herding"
        A name in `METHODS`.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None, default=None
        An int gives the same subset every time.
    settings : mapping from str to Any, optional
        Settings of the method.
    quota : {"proportional", "equal", "error", "group"}, default="proportional"
        How `n_samples` is divided among the classes, or among the groups of their samples.
    partitions : int, optional
        Number of parts that large classes are divided into, see `select`.
    max_memory : int, optional
        Bytes that the selection may use. The default is half of the free memory.

    Attributes
    ----------
    sample_indices_ : ndarray of int64, shape (n_selected,)
        Positions of the selected samples, best first.
    weights_ : ndarray of float64, shape (n_selected,)
        Their weights in the same order, 1 if the method gives none.
    ranking_ : Ranking
        The selection with its details.
    n_samples_in_ : int
        Number of samples seen by `fit`.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of str, shape (n_features,)
        Names of the features, if X is a data frame with text as column names.

    See Also
    --------
    petite.selection.select : The same as a function.

    Examples
    --------
    >>> from petite.selection import SubsetSelector
    >>> X = [[0.0, 0.0], [0.1, 0.0], [5.0, 5.0], [9.0, 9.0], [9.0, 9.1], [4.0, 5.0]]
    >>> y = ["cat", "cat", "cat", "dog", "dog", "dog"]
    >>> selector = SubsetSelector(n_samples=4, method="k_center_greedy", random_state=0)
    >>> selector.fit(X, y).get_support()
    array([False,  True,  True,  True, False,  True])
    >>> X_selected, y_selected = selector.fit_resample(X, y)
    >>> sorted(y_selected)
    ['cat', 'cat', 'dog', 'dog']
    """

    def __init__(
        self,
        n_samples: float = 0.1,
        method: str = "herding",
        random_state: Seed = None,
        settings: Mapping[str, Any] | None = None,
        quota: str = "proportional",
        partitions: int | None = None,
        max_memory: int | None = None,
    ) -> None:
        self.n_samples = n_samples
        self.method = method
        self.random_state = random_state
        self.settings = settings
        self.quota = quota
        self.partitions = partitions
        self.max_memory = max_memory

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        scores: ArrayLike | Mapping[str, ArrayLike] | None = None,
        class_errors: Mapping[Any, float] | None = None,
        groups: ArrayLike | None = None,
        kept: ArrayLike | None = None,
    ) -> Self:
        """Select samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Finite numbers, compared as float32.
        y : array-like of shape (n_samples,), optional
            Classes: whole numbers or text. Without it, all samples are one class.
        scores, class_errors, groups, kept
            See `select`. Arrays have one value for each sample.

        Returns
        -------
        SubsetSelector
            The fitted estimator itself.

        Raises
        ------
        SelectorError
            If an argument is not valid. It is a PetiteError and a ValueError.
        """
        features = validate_data(self, X)
        try:
            labels = np.zeros(len(features), np.int64) if y is None else _column(y)
            self.ranking_ = self._selected(features, labels, scores, class_errors, groups, kept)
        except PetiteError as error:
            raise SelectorError(str(error)) from error
        self.sample_indices_ = self.ranking_.indices
        self.weights_ = self.ranking_.weights
        self.n_samples_in_ = len(features)
        return self

    def fit_resample(self, X: Any, y: Any, **given: Any) -> tuple[Any, Any]:
        """Select samples and return them, best first.

        Parameters
        ----------
        X, y
            As in `fit`; y may be None.
        **given
            Further arguments of `fit`.

        Returns
        -------
        tuple
            The selected rows of X and values of y, of the same types.
        """
        chosen = self.fit(X, y, **given).sample_indices_
        return _safe_indexing(X, chosen), None if y is None else _safe_indexing(y, chosen)

    def get_support(self, indices: bool = False) -> np.ndarray:
        """The selected samples, as a mask or as positions.

        Parameters
        ----------
        indices : bool, default=False
            Whether to return positions.

        Returns
        -------
        ndarray of bool, shape (n_samples,), or of int64, shape (n_selected,)
            Positions are in ascending order; `sample_indices_` has them best first.
        """
        check_is_fitted(self)
        if indices:
            return np.sort(self.sample_indices_)
        support = np.zeros(self.n_samples_in_, bool)
        support[self.sample_indices_] = True
        return support

    def _selected(
        self,
        features: np.ndarray,
        labels: np.ndarray,
        scores: ArrayLike | Mapping[str, ArrayLike] | None,
        class_errors: Mapping[Any, float] | None,
        groups: ArrayLike | None,
        kept: ArrayLike | None,
    ) -> Ranking:
        entry = named(self.method)
        settings = {} if self.settings is None else self.settings
        if not isinstance(settings, Mapping) or not all(isinstance(name, str) for name in settings):
            raise PetiteError(f"settings must be a mapping from names, got {settings!r}")
        return run(
            checked_request(
                entry, checked_settings(entry, dict(settings)), features, labels,
                self._count(labels), self.random_state, scores, self.quota, class_errors,
                self.partitions, self.max_memory, kept, groups,
            )
        )  # fmt: skip

    def _count(self, labels: np.ndarray) -> int:
        """How many samples to select."""
        total, wanted = len(labels), self.n_samples
        if isinstance(wanted, float | np.floating) and 0 < wanted <= 1:
            classes = len(class_labels(labels)[1])
            return min(total, max(classes, round(float(wanted) * total)))
        return whole_number(
            "n_samples", wanted, 1, total, of=" of samples", instead=", or a fraction up to 1.0"
        )


def _column(y: ArrayLike) -> np.ndarray:
    """The labels as scikit-learn takes them, (n,)."""
    labels: np.ndarray = column_or_1d(typed_array("y", y), warn=True)
    return labels
