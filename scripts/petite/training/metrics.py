"""How good a classifier's probabilities are, in NumPy."""

from typing import Any

import numpy as np

CALIBRATION_BINS = 15
# Log-loss of an image is at most -log(this), so that one sure mistake does not make it infinite.
SMALLEST_PROBABILITY = 1e-7


def evaluate(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """All metrics of one model on one set of images.

    Args:
        probabilities: float array of shape (n, classes), n > 0; each row adds up to 1.
        labels: integer array of shape (n,), values from 0 to classes - 1.

    Returns:
        accuracy: share of images whose most probable class is the right one (ties: the first).
        loss: mean log-loss in nats, probabilities clipped at 1e-7.
        calibration_error: see `calibration_error`.
        worst_class: the class with the lowest accuracy among those that have images; the first.
        worst_class_accuracy: its accuracy.
        confusion: list of lists of counts, rows true classes, columns predicted ones.
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
    """Mean negative log-probability of the right class, in nats, clipped at 1e-7."""
    right = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.clip(right, SMALLEST_PROBABILITY, 1)).mean())


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Expected calibration error of the top class, 15 bins of equal width (Guo et al. 2017).

    The mean, over images, of the gap between confidence and accuracy in the image's bin.
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
    """Probabilities of all classes.

    Args:
        logits: float array of shape (n, 1) for two classes (the second's), or (n, classes).

    Returns:
        float64 array of shape (n, classes), rows adding up to 1.
    """
    logits = logits.astype(np.float64)
    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)
