"""Metrics of a classifier's probabilities, in NumPy."""

from typing import TypedDict

import numpy as np

CALIBRATION_BINS = 15
# The log-loss of an image is at most -log(this), so that one confident mistake is not infinite.
SMALLEST_PROBABILITY = 1e-7


class Metrics(TypedDict):
    """All metrics of one model on one set of images."""

    accuracy: float  # fraction of images whose most probable class (ties: the first) is right
    loss: float  # mean log-loss in nats, probabilities clipped at 1e-7
    calibration_error: float  # see `calibration_error`
    worst_class: int  # the class with the lowest accuracy (ties: the first) that has images
    worst_class_accuracy: float
    confusion: list[list[int]]  # counts, rows true classes, columns predicted ones


def evaluate(probabilities: np.ndarray, labels: np.ndarray) -> Metrics:
    """Compute all metrics of a model from its probabilities.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n, classes)
        n > 0; each row adds up to 1.
    labels : ndarray of int, shape (n,)
        Values from 0 to classes - 1.

    Returns
    -------
    Metrics

    Examples
    --------
    >>> probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2]])
    >>> metrics = evaluate(probabilities, np.array([0, 1, 1]))
    >>> round(metrics["accuracy"], 3), metrics["worst_class"], metrics["worst_class_accuracy"]
    (0.667, 1, 0.5)
    >>> metrics["confusion"]
    [[1, 0], [1, 1]]
    """
    classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    present = confusion.sum(axis=1) > 0
    by_class = np.full(classes, np.inf)
    by_class[present] = confusion.diagonal()[present] / confusion.sum(axis=1)[present]
    worst = int(by_class.argmin())
    return {
        "accuracy": float((predicted == labels).mean()),
        "loss": log_loss(probabilities, labels),
        "calibration_error": calibration_error(probabilities, labels),
        "worst_class": worst,
        "worst_class_accuracy": float(by_class[worst]),
        "confusion": confusion.tolist(),
    }


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean negative log-probability of the right class, in nats, clipped at 1e-7.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n, classes)
        Rows add up to 1.
    labels : ndarray of int, shape (n,)

    Returns
    -------
    float
    """
    right = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.clip(right, SMALLEST_PROBABILITY, 1)).mean())


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Expected calibration error of the top class, 15 bins of equal width.

    The mean, over images, of the gap between confidence and accuracy in the image's bin; a bin
    includes its upper edge.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n, classes)
        Rows add up to 1.
    labels : ndarray of int, shape (n,)

    Returns
    -------
    float
        0 to 1.

    References
    ----------
    Guo and others 2017, "On Calibration of Modern Neural Networks", section 2.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    bins = confidence_bins(confidence)
    gaps = np.bincount(bins, weights=confidence - right, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(labels))


def confidence_bins(confidence: np.ndarray) -> np.ndarray:
    """The bin of each confidence, 0 to CALIBRATION_BINS - 1; a bin includes its upper edge."""
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1]
    return np.digitize(confidence, edges, right=True)


def from_logits(logits: np.ndarray) -> np.ndarray:
    """Convert logits to the probabilities of all classes.

    Parameters
    ----------
    logits : ndarray of float, shape (n, 1) or (n, classes)
        A single logit for two classes (that of the second), otherwise one for each class.

    Returns
    -------
    ndarray of float64, shape (n, classes)
        Rows add up to 1.
    """
    logits = logits.astype(np.float64)
    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)
