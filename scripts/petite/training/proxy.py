"""A proxy: one cheap training on all training images, and what its course tells of each image.

`record_dynamics` trains it and notes its answers on the way; the functions after it turn them into
scores, one number an image, in NumPy alone. Scores keep the sense that their papers give them.

In all of them n is the number of training images, c of classes, d of the features that the model's
last layer takes, T of evaluations; `labels` are integers (n,), `probabilities` floats (n, c) whose
rows add up to 1. Scores are float64 (n,) unless it is said otherwise.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from petite.training import metrics
from petite.training.batches import Images
from petite.training.loop import (
    EVALUATION_BATCH,
    TrainedRun,
    evaluation_steps,
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
    """How many numbers stand for the last layer's gradient: `width` features and a bias a logit."""
    return min((1 if classes == 2 else classes) * (width + 1), GRADIENT_DIMENSIONS)


@dataclass(frozen=True)
class Dynamics:
    """What was noted of a proxy's training; images as they are, neither augmented nor flipped.

    Attributes:
        logits: float32 (T, n, c), at each evaluation; where the model has one logit z for two
            classes, they are (0, z).
        features: float32 (n, d), what the last layer takes, after the last step.
        early_features: float32 (n, d), at the early evaluation.
        early: which evaluation that is, from 0.
        steps: T numbers of steps, those of the evaluations.
        run: the training itself, with the model.
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
    """Train a proxy and note its answers to all images at each evaluation.

    The early evaluation is the one nearest to `settings.early` of the run, the earlier of two.

    Args:
        images: uint8, shape (n, H, W, C), H == W; read by arrays of row numbers.
        labels: positions in `classes`.
        classes: names of the classes.
        seed: of the training.
        settings: of the training, and which evaluation is the early one.
        threads: CPU threads to use.

    Raises PetiteError where `engine.train` does.
    """
    training = settings.training
    total = training.budget.total_steps(len(labels), training.batch_size)
    steps = evaluation_steps(total, training.evaluations)
    early = int(np.argmin([abs(step - settings.early * total) for step in steps]))
    recorder = _Recorder(images, keep_features_at={steps[early], total})
    # Held-out images would be judged at every evaluation, and nobody asks for that.
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
    """Keeps what a model says of all images each time that it is called."""

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
    """The same model, sharing its weights, that gives what its last layer takes, and the logits."""
    import keras

    last = logits_model.get_layer("logits")
    return keras.Model(logits_model.input, [last.input, last.output])


def _answers(model: "keras.Model", images: Images) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, d) and logits (n, c) of all images, float32."""
    features, logits = [], []
    count = images.shape[0]
    for start in range(0, count, EVALUATION_BATCH):
        rows = np.arange(start, min(start + EVALUATION_BATCH, count))
        # Every block is full: one shape, compiled once.
        answer = model.predict_on_batch(images[np.resize(rows, EVALUATION_BATCH)])
        features.append(answer[0][: len(rows)])
        logits.append(answer[1][: len(rows)])
    all_logits = np.concatenate(logits).astype(np.float32, copy=False)
    if all_logits.shape[1] == 1:
        all_logits = np.hstack([np.zeros_like(all_logits), all_logits])
    return np.concatenate(features).astype(np.float32, copy=False), all_logits


def scores(dynamics: Dynamics, labels: np.ndarray) -> dict[str, np.ndarray]:
    """All scores of a proxy by name: el2n and grand early, the uncertainties at the end."""
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
    """The norm of the error, probabilities less the true class's one; 0 to √2, higher is harder.

    EL2N of Paul, Ganguli and Dziugaite 2021, "Deep Learning on a Data Diet", section 2. They
    average over several trainings; this is one.
    """
    return np.linalg.norm(_errors(probabilities, labels), axis=1)


def grand(probabilities: np.ndarray, labels: np.ndarray, features: np.ndarray) -> np.ndarray:
    """The norm of the loss's gradient in the last layer's weights and biases; higher is harder.

    GraNd of Paul, Ganguli and Dziugaite 2021, section 2, for the last layer in place of all. There
    the gradient of the cross-entropy is the outer product of the error and (features, 1), and its
    norm the product of theirs. Of a model with one logit for two classes this is √2 times the norm.

    features: float (n, d), what the last layer takes.
    """
    lengths = np.sqrt(np.square(features, dtype=np.float64).sum(axis=1) + 1)
    return el2n(probabilities, labels) * lengths


def forgetting(correct: np.ndarray) -> np.ndarray:
    """How often an image was right at one evaluation and wrong at the next; higher is harder.

    Toneva and others 2019, "An Empirical Study of Example Forgetting", section 3, where the
    evaluations are the image's own mini-batches. An image that was never right counts T, more than
    any other can have: they too put it last of all to be left out.

    correct: bool (T, n). Returns int64 (n,).
    """
    forgotten = (correct[:-1] & ~correct[1:]).sum(axis=0, dtype=np.int64)
    return np.where(correct.any(axis=0), forgotten, len(correct))


def aum(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Area under the margin: the true class's logit less the largest other; higher is EASIER.

    The mean over the evaluations. Pleiss and others 2020, "Identifying Mislabeled Data using the
    Area Under the Margin Ranking", section 3, where they are epochs.

    logits: float (T, n, c).
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
    """One less the largest probability; higher is less sure. Settles 2009, section 3.1."""
    return 1 - probabilities.max(axis=1)


def margin(probabilities: np.ndarray) -> np.ndarray:
    """One less the gap between the two largest probabilities; higher is less sure.

    Settles 2009, "Active Learning Literature Survey", section 3.1, turned about.
    """
    second, first = np.partition(probabilities, -2, axis=1)[:, -2:].T
    return 1 - (first - second)


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Shannon entropy in nats; higher is less sure. Settles 2009, section 3.1."""
    smallest = np.finfo(np.float64).tiny
    return -(probabilities * np.log(np.maximum(probabilities, smallest))).sum(axis=1)


def gradients(
    probabilities: np.ndarray, labels: np.ndarray, features: np.ndarray, seed: int = 0
) -> np.ndarray:
    """The loss's gradient in the last layer's weights and biases, as one vector an image.

    Two classes: the error of the second times (features, 1), what a model of one logit has. More:
    the flattened outer product of all errors and (features, 1), class by class. It is what CRAIG
    (Mirzasoleiman, Bilmes and Leskovec 2020) and GRAD-MATCH (Killamsetty and others 2021) match.
    What would be longer than 512 is projected to 512 numbers at random, which keeps distances but
    for a few parts in a hundred (Johnson and Lindenstrauss 1984).

    features: float (n, d). seed: of the projection. Returns float32 (n, min(length, 512)).
    """
    errors = _errors(probabilities, labels).astype(np.float32)
    if errors.shape[1] == 2:
        errors = errors[:, 1:]
    inputs = np.hstack([features, np.ones((len(features), 1))]).astype(np.float32)
    classes, width = errors.shape[1], inputs.shape[1]
    if classes * width <= GRADIENT_DIMENSIONS:
        return (errors[:, :, None] * inputs[:, None, :]).reshape(len(inputs), -1)
    random = generator(seed, "proxy", "gradients")
    result = np.zeros((len(inputs), GRADIENT_DIMENSIONS), np.float32)
    # Class by class: neither the long gradients nor the whole projection are ever in memory.
    for error in errors.T:
        part = random.standard_normal((width, GRADIENT_DIMENSIONS), dtype=np.float32)
        result += error[:, None] * (inputs @ part)
    return result / np.float32(np.sqrt(GRADIENT_DIMENSIONS))


def class_errors(
    dynamics: Dynamics,
    labels: np.ndarray,
    held_out: Images,
    held_out_labels: np.ndarray,
    classes: list[str],
) -> dict[str, float]:
    """The share of each class that the final proxy gets wrong, by the class's name.

    On the held-out images where they have every class, otherwise on the training images, whose
    errors are smaller than those of new images. Images are not flipped.
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
    """Probabilities less 1 for the true class: float64 (n, c)."""
    errors = probabilities.astype(np.float64)
    errors[np.arange(len(labels)), labels] -= 1
    return errors
