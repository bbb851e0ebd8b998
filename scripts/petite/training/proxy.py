"""A proxy: one cheap training run on all training images, and scores of each image from it.

`record_dynamics` trains it and records its outputs on the way. The functions after it compute
scores from them, one number per image, in NumPy. Scores keep the sign of their papers.

Throughout, n is the number of training images, c of classes, d of input features of the model's
last layer, and T of evaluations.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from petite.data.views import Images
from petite.training import metrics
from petite.training.loop import (
    TrainedRun,
    evaluation_steps,
    full_blocks,
    predict,
    train,
)
from petite.training.settings import ProxySettings
from petite.util.seeds import generator

if TYPE_CHECKING:
    import keras

# Longer gradients are projected to this many numbers.
GRADIENT_DIMENSIONS = 512


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


@dataclass(frozen=True)
class Dynamics:
    """The recorded outputs of a proxy run, for images that are not augmented or flipped.

    Attributes
    ----------
    logits : ndarray of float32, shape (T, n, c)
        At each evaluation. If the model has one logit z for two classes, they are (0, z).
    features : ndarray of float32, shape (n, d)
        The input of the last layer, after the last step.
    early_features : ndarray of float32, shape (n, d)
        The same at the early evaluation.
    early : int
        Which evaluation that is, from 0.
    steps : list of int
        The number of steps before each of the T evaluations.
    run : TrainedRun
        The training run, with the model.
    """

    logits: np.ndarray
    features: np.ndarray
    early_features: np.ndarray
    early: int
    steps: list[int]
    run: TrainedRun


def record_dynamics(
    images: Images,
    labels: np.ndarray,
    classes: list[str],
    seed: int,
    settings: ProxySettings,
    threads: int = 1,
) -> Dynamics:
    """Train a proxy and record its outputs for all images at each evaluation.

    The early evaluation is the one closest to the fraction `settings.early` of the run (ties: the
    earlier).

    Parameters
    ----------
    images : Images
        uint8, shape (n, H, W, C), H == W.
    labels : ndarray of int, shape (n,)
        Positions in `classes`.
    classes : list of str
        Names of the classes.
    seed : int
        The training seed.
    settings : ProxySettings
        The training settings, and which evaluation is the early one.
    threads : int
        CPU threads to use.

    Returns
    -------
    Dynamics

    Raises
    ------
    PetiteError
        Where `petite.training.loop.train` does.
    """
    training = settings.training
    total = training.budget.total_steps(len(labels), training.batch_size)
    steps = evaluation_steps(total, training.evaluations)
    early = int(np.argmin([abs(step - settings.early * total) for step in steps]))
    recorder = _Recorder(images, keep_features_at={steps[early], total})
    # Without validation images, which would be evaluated each time for nothing.
    run = train(
        images,
        labels,
        images[np.arange(0)],
        labels[:0],
        classes,
        seed,
        training,
        threads=threads,
        name=f"the proxy, seed {seed}",
        observe=recorder,
    )
    return Dynamics(
        logits=np.stack(recorder.logits),
        features=recorder.features[total],
        early_features=recorder.features[steps[early]],
        early=early,
        steps=steps,
        run=run,
    )


class _Recorder:
    """Records the outputs of a model for all images each time it is called."""

    def __init__(self, images: Images, keep_features_at: set[int]) -> None:
        self.logits: list[np.ndarray] = []
        self.features: dict[int, np.ndarray] = {}
        self._images = images
        self._keep_features_at = keep_features_at
        self._model: keras.Model | None = None

    def __call__(self, step: int, logits_model: "keras.Model") -> None:
        if self._model is None:  # once, so that it is compiled once
            self._model = _with_features(logits_model)
        features, logits = _answers(self._model, self._images)
        self.logits.append(logits)
        if step in self._keep_features_at:
            self.features[step] = features


def _with_features(logits_model: "keras.Model") -> "keras.Model":
    """A model with the same weights that outputs the input of its last layer, and the logits."""
    import keras

    last = logits_model.get_layer("logits")
    return keras.Model(logits_model.input, [last.input, last.output])


def _answers(model: "keras.Model", images: Images) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, d) and logits (n, c) of all images, float32."""
    features, logits = [], []
    for block, count in full_blocks(images, np.arange(images.shape[0])):
        answer = model.predict_on_batch(block)
        features.append(answer[0][:count])
        logits.append(answer[1][:count])
    all_logits = np.concatenate(logits).astype(np.float32, copy=False)
    if all_logits.shape[1] == 1:
        all_logits = np.hstack([np.zeros_like(all_logits), all_logits])
    return np.concatenate(features).astype(np.float32, copy=False), all_logits


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
        "grand": grand(early, labels, dynamics.early_features),
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


def grand(probabilities: np.ndarray, labels: np.ndarray, features: np.ndarray) -> np.ndarray:
    """The norm of the loss gradient in the weights and biases of the last layer; higher is harder.

    The paper uses all layers. In the last one the gradient of the cross-entropy is the outer
    product of the error and (features, 1), and its norm the product of their norms. For a model
    with a single logit for two classes, this is √2 times the norm.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n, c)
        Rows add up to 1.
    labels : ndarray of int, shape (n,)
    features : ndarray of float, shape (n, d)
        Input of the last layer.

    Returns
    -------
    ndarray of float64, shape (n,)

    References
    ----------
    Paul, Ganguli, Dziugaite 2021, "Deep Learning on a Data Diet", section 2 (GraNd).
    """
    lengths = np.sqrt(np.square(features, dtype=np.float64).sum(axis=1) + 1)
    return el2n(probabilities, labels) * lengths


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
    probabilities: np.ndarray, labels: np.ndarray, features: np.ndarray, seed: int = 0
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
    features : ndarray of float, shape (n, d)
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
    inputs = np.hstack([features, np.ones((len(features), 1))]).astype(np.float32)
    classes, width = errors.shape[1], inputs.shape[1]
    if classes * width <= GRADIENT_DIMENSIONS:
        return (errors[:, :, None] * inputs[:, None, :]).reshape(len(inputs), -1)
    rng = generator(seed, "proxy", "gradients")
    result = np.zeros((len(inputs), GRADIENT_DIMENSIONS), np.float32)
    # Class by class: neither the long gradients nor the whole projection are ever in memory.
    for error in errors.T:
        part = rng.standard_normal((width, GRADIENT_DIMENSIONS), dtype=np.float32)
        result += error[:, None] * (inputs @ part)
    return result / np.float32(np.sqrt(GRADIENT_DIMENSIONS))


def class_errors(
    dynamics: Dynamics,
    labels: np.ndarray,
    held_out: Images,
    held_out_labels: np.ndarray,
    classes: list[str],
) -> dict[str, float]:
    """The error of the final proxy on each class, by the name of the class.

    Measured on the validation images if they have every class, otherwise on the training images,
    where errors are smaller than on new images. Images are not flipped.

    Parameters
    ----------
    dynamics : Dynamics
    labels : ndarray of int, shape (n,)
        Labels of the training images.
    held_out : Images
        The validation images, uint8, shape (m, H, W, C).
    held_out_labels : ndarray of int, shape (m,)
    classes : list of str
        Names of the classes.

    Returns
    -------
    dict from str to float
        0 to 1 for each class.
    """
    if len(np.unique(held_out_labels)) < len(classes):
        return _class_errors(dynamics.logits[-1].argmax(axis=1), labels, classes)
    rows = np.arange(len(held_out_labels))
    predicted = predict(dynamics.run.logits_model, held_out, rows, test_time_flip=False)
    return _class_errors(predicted.argmax(axis=1), held_out_labels, classes)


def _class_errors(
    predicted: np.ndarray, labels: np.ndarray, classes: list[str]
) -> dict[str, float]:
    wrong = predicted != labels
    return {name: float(wrong[labels == number].mean()) for number, name in enumerate(classes)}


def _errors(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Probabilities minus one-hot labels: float64 (n, c)."""
    errors = probabilities.astype(np.float64)
    errors[np.arange(len(labels)), labels] -= 1
    return errors
