"""Scores of each training image from the recorded outputs of a proxy's training, in NumPy.

A proxy is one cheap training on all training images: of a network (`petite.training.proxy`), or of
a linear classifier on embeddings (`petite.training.linear_proxy`). Scores keep the sign of their
papers.

Throughout, n is the number of training images, c of classes, d of input features of the model's
last layer, and T of evaluations.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from petite.training import metrics
from petite.util.blocks import slices
from petite.util.seeds import generator

# Longer gradients are projected to this many numbers.
GRADIENT_DIMENSIONS = 512
# Features are read in blocks of this size.
BLOCK_BYTES = 8 * 2**20


def gradient_width(width: int, classes: int) -> int:
    """The length of the vectors of `gradients`: `width` weights and a bias for each logit.

    Parameters
    ----------
    width : int
        Input features of the model's last layer.
    classes : int

    Returns
    -------
    int
        512 at most.
    """
    return min((1 if classes == 2 else classes) * (width + 1), GRADIENT_DIMENSIONS)


class Features(Protocol):
    """Features that are read in blocks of rows: a NumPy array, or computed when they are read.

    Attributes
    ----------
    shape : tuple of int
        (n, d).
    """

    shape: tuple[int, ...]

    def __getitem__(self, rows: slice, /) -> np.ndarray:
        """Read some rows, float32 (m, d)."""
        ...


@dataclass(frozen=True)
class Dynamics:
    """The recorded outputs of a proxy's training, for images that are not augmented or flipped.

    Attributes
    ----------
    logits : ndarray of float32, shape (T, n, c)
        At each evaluation. If the model has one logit z for two classes, they are (0, z).
    features : ndarray of float32, shape (n, any)
        In which methods compare images in the space `proxy`, after the last step.
    early_inputs : Features, shape (n, d)
        The input of the last layer at the early evaluation.
    early : int
        Which evaluation that is, from 0.
    steps : list of int
        The number of steps before each of the T evaluations.
    """

    logits: np.ndarray
    features: np.ndarray
    early_inputs: Features
    early: int
    steps: list[int]


@dataclass(frozen=True)
class ProxyResult:
    """All that a proxy gives to selection.

    Attributes
    ----------
    scores : dict from str to ndarray, shape (n,) each
        By name; see `scores`.
    features : ndarray of float32, shape (n, any)
        The space `proxy`.
    gradients : ndarray of float32, shape (n, at most 512)
        The space `gradients`; see `gradients`.
    class_errors : list of float
        The error on each class; see `class_errors`.
    accuracy : float
        Of the trained proxy on the training images.
    steps : int
        Updates of the weights.
    early_step : int
        The step at which the early scores and the gradients were computed.
    """

    scores: dict[str, np.ndarray]
    features: np.ndarray
    gradients: np.ndarray
    class_errors: list[float]
    accuracy: float
    steps: int
    early_step: int


def proxy_result(
    dynamics: Dynamics,
    labels: np.ndarray,
    held_out_labels: np.ndarray,
    predict_held_out: Callable[[], np.ndarray],
    seed: int,
) -> ProxyResult:
    """Compute all that a proxy gives to selection.

    Parameters
    ----------
    dynamics : Dynamics
    labels : ndarray of int, shape (n,)
    held_out_labels : ndarray of int, shape (m,)
        Labels of the validation images.
    predict_held_out : callable
        Returns the label that the trained proxy predicts for each validation image.
    seed : int
        Seed of the projection of the gradients.

    Returns
    -------
    ProxyResult
    """
    early = metrics.from_logits(dynamics.logits[dynamics.early])
    return ProxyResult(
        scores=scores(dynamics, labels),
        features=dynamics.features,
        gradients=gradients(early, labels, dynamics.early_inputs, seed),
        class_errors=class_errors(dynamics, labels, held_out_labels, predict_held_out),
        accuracy=float((dynamics.logits[-1].argmax(axis=1) == labels).mean()),
        steps=dynamics.steps[-1],
        early_step=dynamics.steps[dynamics.early],
    )


def scores(dynamics: Dynamics, labels: np.ndarray) -> dict[str, np.ndarray]:
    """All scores of a proxy by name: el2n and grand from the early evaluation, others at the end.

    Parameters
    ----------
    dynamics : Dynamics
    labels : ndarray of int, shape (n,)

    Returns
    -------
    dict from str to ndarray, shape (n,) each
    """
    early = metrics.from_logits(dynamics.logits[dynamics.early])
    final = metrics.from_logits(dynamics.logits[-1])
    return {
        "el2n": el2n(early, labels),
        "grand": grand(early, labels, dynamics.early_inputs),
        "forgetting": forgetting(dynamics.logits.argmax(axis=2) == labels),
        "aum": aum(dynamics.logits, labels),
        "least_confidence": least_confidence(final),
        "margin": margin(final),
        "entropy": entropy(final),
    }


def el2n(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The norm of the error, probabilities minus one-hot labels; 0 to √2, higher is harder.

    The paper averages over several training runs; this is a single one.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n, c)
        Rows add up to 1.
    labels : ndarray of int, shape (n,)

    Returns
    -------
    ndarray of float64, shape (n,)

    References
    ----------
    Paul, Ganguli, Dziugaite 2021, "Deep Learning on a Data Diet", section 2 (EL2N).
    """
    return np.linalg.norm(_errors(probabilities, labels), axis=1)


def grand(probabilities: np.ndarray, labels: np.ndarray, features: Features) -> np.ndarray:
    """The norm of the loss gradient in the weights and biases of the last layer; higher is harder.

    The paper uses all layers. In the last one the gradient of the cross-entropy is the outer
    product of the error and (features, 1), and its norm the product of their norms. For a model
    with a single logit for two classes, this is √2 times the norm.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n, c)
        Rows add up to 1.
    labels : ndarray of int, shape (n,)
    features : Features, shape (n, d)
        Input of the last layer.

    Returns
    -------
    ndarray of float64, shape (n,)

    References
    ----------
    Paul, Ganguli, Dziugaite 2021, "Deep Learning on a Data Diet", section 2 (GraNd).
    """
    squares = np.empty(len(labels))
    for rows in blocks_of(features):
        squares[rows] = np.square(features[rows], dtype=np.float64).sum(axis=1)
    return el2n(probabilities, labels) * np.sqrt(squares + 1)


def forgetting(correct: np.ndarray) -> np.ndarray:
    """How often an image is right at one evaluation and wrong at the next; higher is harder.

    In the paper the evaluations are the mini-batches of the image. An image that is never right
    gets T, more than any other: the paper, too, removes it last.

    Parameters
    ----------
    correct : ndarray of bool, shape (T, n)

    Returns
    -------
    ndarray of int64, shape (n,)

    References
    ----------
    Toneva and others 2019, "An Empirical Study of Example Forgetting", section 3.
    """
    forgotten = (correct[:-1] & ~correct[1:]).sum(axis=0, dtype=np.int64)
    return np.where(correct.any(axis=0), forgotten, len(correct))


def aum(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Area under the margin: the logit of the true class minus the largest other; higher is EASIER.

    The mean over the evaluations, which are the epochs in the paper.

    Parameters
    ----------
    logits : ndarray of float, shape (T, n, c)
    labels : ndarray of int, shape (n,)

    Returns
    -------
    ndarray of float64, shape (n,)

    References
    ----------
    Pleiss and others 2020, "Identifying Mislabeled Data using the Area Under the Margin Ranking",
    section 3.
    """
    rows = np.arange(len(labels))
    total = np.zeros(len(labels))
    for point in logits:
        others = point.astype(np.float64)
        own = others[rows, labels]
        others[rows, labels] = -np.inf
        total += own - others.max(axis=1)
    return total / len(logits)


def least_confidence(probabilities: np.ndarray) -> np.ndarray:
    """One minus the largest probability; higher is less certain.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n, c)
        Rows add up to 1.

    Returns
    -------
    ndarray of float64, shape (n,)

    References
    ----------
    Settles 2009, "Active Learning Literature Survey", section 3.1.
    """
    return 1 - probabilities.max(axis=1)


def margin(probabilities: np.ndarray) -> np.ndarray:
    """One minus the gap between the two largest probabilities; higher is less certain.

    The survey uses the gap itself, which is lower for less certain.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n, c)
        Rows add up to 1.

    Returns
    -------
    ndarray of float64, shape (n,)

    References
    ----------
    Settles 2009, "Active Learning Literature Survey", section 3.1.
    """
    second, first = np.partition(probabilities, -2, axis=1)[:, -2:].T
    return 1 - (first - second)


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Shannon entropy in nats; higher is less certain.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n, c)
        Rows add up to 1.

    Returns
    -------
    ndarray of float64, shape (n,)

    References
    ----------
    Settles 2009, "Active Learning Literature Survey", section 3.1.
    """
    smallest = np.finfo(np.float64).tiny
    return -(probabilities * np.log(np.maximum(probabilities, smallest))).sum(axis=1)


def gradients(
    probabilities: np.ndarray, labels: np.ndarray, features: Features, seed: int = 0
) -> np.ndarray:
    """The loss gradient in the weights and biases of the last layer, one vector per image.

    Two classes: the error of the second times (features, 1), as in a model with one logit. More:
    the flattened outer product of all errors and (features, 1), class by class. Longer vectors are
    projected at random to 512 numbers, which preserves distances to within a few percent.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n, c)
        Rows add up to 1.
    labels : ndarray of int, shape (n,)
    features : Features, shape (n, d)
        Input of the last layer.
    seed : int
        Seed of the projection.

    Returns
    -------
    ndarray of float32, shape (n, min(length, 512))

    References
    ----------
    Mirzasoleiman, Bilmes, Leskovec 2020 (CRAIG) and Killamsetty and others 2021 (GRAD-MATCH) match
    these gradients. Johnson, Lindenstrauss 1984 (the projection).
    """
    errors = _errors(probabilities, labels).astype(np.float32)
    if errors.shape[1] == 2:
        errors = errors[:, 1:]
    classes, width = errors.shape[1], features.shape[1] + 1
    if classes * width <= GRADIENT_DIMENSIONS:
        inputs = np.hstack([features[:], np.ones((len(labels), 1), np.float32)])
        return (errors[:, :, None] * inputs[:, None, :]).reshape(len(inputs), -1)
    rng = generator(seed, "proxy", "gradients")
    result = np.zeros((len(labels), GRADIENT_DIMENSIONS), np.float32)
    # Class by class: neither the long gradients nor the whole projection are ever in memory.
    for error in errors.T:
        part = rng.standard_normal((width, GRADIENT_DIMENSIONS), dtype=np.float32)
        for rows in blocks_of(features):
            result[rows] += error[rows, None] * (features[rows] @ part[:-1] + part[-1])
    result /= np.float32(np.sqrt(GRADIENT_DIMENSIONS))
    return result


def class_errors(
    dynamics: Dynamics,
    labels: np.ndarray,
    held_out_labels: np.ndarray,
    predict_held_out: Callable[[], np.ndarray],
) -> list[float]:
    """The error of the trained proxy on each class, by label.

    Measured on the validation images if they have every class, otherwise on the training images,
    where errors are smaller than on new images. Images are not flipped.

    Parameters
    ----------
    dynamics, labels, held_out_labels, predict_held_out
        As `proxy_result` takes them.

    Returns
    -------
    list of float
        0 to 1 for each class.
    """
    classes = dynamics.logits.shape[2]
    if len(np.unique(held_out_labels)) < classes:
        wrong, true = dynamics.logits[-1].argmax(axis=1) != labels, labels
    else:
        wrong, true = predict_held_out() != held_out_labels, held_out_labels
    return [float(wrong[true == label].mean()) for label in range(classes)]


def _errors(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Probabilities minus one-hot labels: float64 (n, c)."""
    errors = probabilities.astype(np.float64)
    errors[np.arange(len(labels)), labels] -= 1
    return errors


def blocks_of(features: Features) -> Iterator[slice]:
    """Rows of features in blocks of BLOCK_BYTES."""
    return slices(features.shape[0], 4 * features.shape[1], BLOCK_BYTES)
