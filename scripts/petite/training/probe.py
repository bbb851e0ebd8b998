"""A probe: logistic regression on the frozen embeddings of a backbone.

It is convex, so its training has no noise: the same images give the same classifier. The penalty is
chosen on the validation images.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from petite.training.metrics import log_loss
from petite.util.errors import PetiteError

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

MOST_ITERATIONS = 200
# A channel that varies less than this, relative to its size, is constant but for rounding.
CONSTANT = 1e-6


class Embedded(NamedTuple):
    """Embeddings, float32 (n, d), and the labels of their images, int (n,).

    `soft` are soft labels to train on in their place, float (n, classes).
    """

    embeddings: NDArray[np.float32]
    labels: NDArray[np.int64]
    soft: NDArray[np.floating] | None = None


class Standardizing(NamedTuple):
    """The mean of each channel, and the inverse of its standard deviation, float32 (d,).

    The inverse is 0 for a constant channel.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]

    @classmethod
    def of(cls, embeddings: NDArray[np.float32]) -> "Standardizing":
        """That of embeddings (n, d)."""
        mean = embeddings.mean(axis=0, dtype=np.float64)
        spread = embeddings.std(axis=0, dtype=np.float64)
        varies = spread > CONSTANT * np.abs(mean)
        scale = np.divide(1, spread, out=np.zeros_like(spread), where=varies)
        return cls(mean.astype(np.float32), scale.astype(np.float32))

    def __call__(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        return (embeddings - self.mean) * self.scale


@dataclass(frozen=True)
class Probe:
    """A fitted probe.

    Attributes
    ----------
    standardize : Standardizing
        Of the images that it was fitted to.
    model : LogisticRegression
        On standardized embeddings.
    penalty : float
        The chosen strength of the penalty.
    validation_loss : float
        NaN without validation images.
    iterations : int
        Of all penalties that were tried.
    """

    standardize: Standardizing
    model: "LogisticRegression"
    penalty: float
    validation_loss: float
    iterations: int

    def probabilities(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """The probabilities of the classes, (n, classes), from embeddings (n, d)."""
        found: NDArray[np.float32] = self.model.predict_proba(self.standardize(embeddings))
        return found.astype(np.float32)

    def accuracy(self, judged: Embedded) -> float:
        """The share of images that get their label."""
        found = self.probabilities(judged.embeddings).argmax(axis=1)
        return float((found == judged.labels).mean())

    @property
    def parameters(self) -> int:
        """The number of its weights."""
        return int(self.model.coef_.size + self.model.intercept_.size)


def fit_probe(
    training: Embedded,
    validation: Embedded,
    penalties: Sequence[float],
    weights: NDArray[np.float64] | None = None,
) -> Probe:
    """Fit the probe with each penalty, and keep the one with the lowest loss on validation images.

    It minimizes the sum of the images' log-losses (with soft labels, of their cross-entropies) plus
    penalty / 2 times the squared norm of the weights of the standardized embeddings. The penalties
    are tried from the strongest to the weakest, each from the solution of the one before, until two
    in turn are no better.

    Parameters
    ----------
    training : Embedded
        With two classes or more.
    validation : Embedded
        May be empty for a single penalty.
    penalties : sequence of float
    weights : ndarray of float, shape (n,), optional
        Of the training images; None: 1 each.

    Returns
    -------
    Probe

    Raises
    ------
    PetiteError
        For several penalties without validation images.
    """
    if len(penalties) > 1 and not len(validation.labels):
        raise PetiteError(
            "judges.probe.penalties: there are no validation images to choose one of them. Give "
            "one penalty, or set split.validation above 0"
        )
    standardize = Standardizing.of(training.embeddings)
    inputs, held_out = standardize(training.embeddings), standardize(validation.embeddings)
    model, targets = _unfitted(training)
    best, best_loss, penalty_of_best = None, math.inf, math.nan
    iterations, no_better = 0, 0
    for penalty in sorted(penalties, reverse=True):
        model.set_params(C=1 / penalty).fit(inputs, targets, weights)
        iterations += int(model.n_iter_.max())
        loss = math.nan
        if len(held_out):
            loss = log_loss(model.predict_proba(held_out), validation.labels)
        if best is None or loss < best_loss:
            best = model.coef_.copy(), model.intercept_.copy()
            best_loss, penalty_of_best, no_better = loss, penalty, 0
        elif (no_better := no_better + 1) == 2:
            break
    assert best is not None
    model.coef_, model.intercept_ = best
    return Probe(standardize, model, penalty_of_best, best_loss, iterations)


def _unfitted(training: Embedded) -> "tuple[LogisticRegression, NDArray]":
    """The classifier for hard or soft labels, and what it is fitted to."""
    if training.soft is not None:
        from petite.training.soft_probe import SoftLogisticRegression

        soft = SoftLogisticRegression(warm_start=True, max_iter=MOST_ITERATIONS)
        return soft, training.soft
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(warm_start=True, max_iter=MOST_ITERATIONS), training.labels
