"""Training one model on one subset: the loop, its learning curves, and how long it took."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from petite.networks import models
from petite.networks.backend import dtype_policy, load_keras
from petite.training import metrics
from petite.training.batches import Batches, Images
from petite.training.schedule import learning_rates
from petite.training.settings import TrainingSettings
from petite.util.errors import PetiteError

if TYPE_CHECKING:
    import keras

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_PROGRESS = 5.0
MOMENTUM = 0.9
# Images are judged in blocks of this many, the last one filled up: one shape, compiled once.
EVALUATION_BATCH = 128
# The accuracy on the training images is taken on this many of them at most, evenly spaced.
TRAIN_ACCURACY_ROWS = 2_000


@dataclass
class TrainedRun:
    """What one training made.

    Attributes:
        model: takes images of values 0 to 255, gives probabilities; not compiled.
        logits_model: the same without its last activation, compiled; see `models.logits_of`.
        history: one dict for each evaluation: epoch (float, passes over the subset), step,
            accuracy and loss (means over the steps since the last evaluation, of the augmented
            images, the loss smoothed as it was trained), validation_accuracy, validation_loss
            (NaN without validation images), learning_rate (of that step).
        steps: updates of the weights.
        epochs: passes over the subset.
        train_seconds: wall time of the training steps, without evaluations and without the first
            step on each image size, which compiles.
        images_per_second: images of those steps by `train_seconds`.
        train_accuracy: of the final model on the subset's images (2,000 at most), not augmented.
    """

    model: "keras.Model"
    logits_model: "keras.Model"
    history: list[dict[str, float]]
    steps: int
    epochs: float
    train_seconds: float
    images_per_second: float
    train_accuracy: float


def train(
    images: Images,
    labels: np.ndarray,
    validation_images: Images,
    validation_labels: np.ndarray,
    classes: list[str],
    seed: int,
    settings: TrainingSettings,
    weights: np.ndarray | None = None,
    threads: int = 1,
    name: str = "this run",
    observe: "Callable[[int, keras.Model], None] | None" = None,
) -> TrainedRun:
    """Train a new model: a `Trainer` for one run.

    Args:
        images: uint8, shape (rows, H, W, C), H == W; read by arrays of row numbers.
        labels: integers of shape (rows,), positions in `classes`.
        validation_images: as `images`; may have no rows.
        validation_labels: as `labels`.
        classes: names of the classes.
        seed: the training seed.
        settings: model, budget, optimizer and so on.
        weights: float array of shape (rows,), how much each row counts; None: all the same.
        threads: CPU threads to use.
        name: what messages call this run.
        observe: called after each evaluation with the number of steps done and the model that
            gives logits; it must leave the weights alone.

    Raises PetiteError when a class has no images, or the loss is no longer a finite number.
    """
    return Trainer(images.shape[1], images.shape[3], classes, settings, threads).train(
        images, labels, validation_images, validation_labels, seed, weights, name, observe
    )


class Trainer:
    """A model that is built and compiled once, and trained from its beginning for each run.

    To compile takes longer than many a step, and runs of one job differ only in images and seed.
    """

    def __init__(
        self,
        image_size: int,
        channels: int,
        classes: list[str],
        settings: TrainingSettings,
        threads: int = 1,
    ) -> None:
        """Load Keras; see `train` for what the others are.

        image_size: side of the images, pixels. channels: 1 for gray, 3 for RGB.
        """
        self.classes = classes
        self.settings = settings
        self._shape = (image_size, channels)
        self._keras = load_keras(settings.backend, threads)
        self._keras.backend.clear_session()
        # After clear_session, which resets it.
        self._keras.config.set_dtype_policy(dtype_policy(settings.precision))
        self._model = self._build()
        self._logits_model = models.logits_of(self._model)
        compile_for_training(self._logits_model, settings, len(classes))
        ops = self._keras.ops
        # Not in the backend's own arrays: JAX's training step takes those that are assigned away.
        self._optimizer_at_first = [
            ops.convert_to_numpy(ops.copy(variable.value))
            for variable in self._logits_model.optimizer.variables
        ]

    def train(
        self,
        images: Images,
        labels: np.ndarray,
        validation_images: Images,
        validation_labels: np.ndarray,
        seed: int,
        weights: np.ndarray | None = None,
        name: str = "this run",
        observe: "Callable[[int, keras.Model], None] | None" = None,
    ) -> TrainedRun:
        """Train the model anew; the models of the run before become those of this one.

        The seed decides the initial weights (the same for every subset), the order, the
        augmentation and the dropout. The same seed on the same machine gives the same model, bit
        by bit, whatever was trained before.

        For the arguments and errors see the function `train`.
        """
        check_classes(labels, self.classes, name)
        self._begin(seed)
        settings = self.settings
        loop = _Loop(
            self._logits_model,
            Batches(
                labels,
                normalized_weights(weights),
                settings.batch_size,
                seed,
                settings.flips,
                settings.crop_padding,
            ),
            settings.budget.total_steps(len(labels), settings.batch_size),
            len(self.classes),
            settings,
            name,
            observe,
        )
        for phase_images, last_step in phases(images, loop.steps, settings):
            loop.run(phase_images, last_step, validation_images, validation_labels)
        some = np.unique(np.linspace(0, len(labels) - 1, TRAIN_ACCURACY_ROWS).round().astype(int))
        predicted = predict(self._logits_model, images, some, settings.test_time_flip).argmax(1)
        return TrainedRun(
            model=self._model,
            logits_model=self._logits_model,
            history=loop.history,
            steps=loop.steps,
            epochs=loop.steps * settings.batch_size / len(labels),
            train_seconds=loop.seconds,
            images_per_second=loop.images_per_second,
            train_accuracy=float((predicted == labels[some]).mean()),
        )

    def _build(self) -> "keras.Model":
        return models.build(
            self.settings.model,
            *self._shape,
            len(self.classes),
            self.settings.batch_norm_momentum,
            **self.settings.model_settings(),
        )

    def _begin(self, seed: int) -> None:
        """Put the model and its optimizer where a run of this seed begins."""
        self._keras.utils.set_random_seed(seed)
        # All variables, that is also the state of the dropout's random numbers.
        for variable, new in zip(self._model.variables, self._build().variables, strict=True):
            variable.assign(new.value)
        optimizer = self._logits_model.optimizer
        for variable, value in zip(optimizer.variables, self._optimizer_at_first, strict=True):
            variable.assign(value)


def check_classes(labels: np.ndarray, classes: list[str], name: str) -> None:
    """Raise PetiteError when a class has no image to learn from."""
    missing = [text for position, text in enumerate(classes) if not (labels == position).any()]
    if missing:
        raise PetiteError(
            f"{name}: the subset has no image of {', '.join(missing)}, so no model can learn it: "
            "choose a larger fraction, or a method that keeps every class"
        )


def normalized_weights(weights: np.ndarray | None) -> np.ndarray | None:
    """Sample weights of mean 1, so that they leave the learning rate alone; None when all agree."""
    if weights is None or np.ptp(weights) == 0:
        return None
    return (weights / weights.mean()).astype(np.float32)


def feature_width(settings: TrainingSettings) -> int:
    """How many features the last layer of the chosen model takes."""
    return models.MODELS[settings.model].width(**settings.model_settings())


def compile_for_training(
    logits_model: "keras.Model", settings: TrainingSettings, classes: int
) -> None:
    """Give the model its optimizer and its loss."""
    import keras

    decay = settings.weight_decay or None
    make = {
        "sgd": lambda rate: keras.optimizers.SGD(
            rate, momentum=MOMENTUM, nesterov=True, weight_decay=decay
        ),
        "adam": lambda rate: keras.optimizers.Adam(rate, weight_decay=decay),
        "adamw": lambda rate: keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay),
    }
    optimizer = make[settings.optimizer](settings.learning_rate)
    if decay:
        optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    loss_class = (
        keras.losses.BinaryCrossentropy if classes == 2 else keras.losses.CategoricalCrossentropy
    )
    logits_model.compile(
        optimizer=optimizer,
        loss=loss_class(from_logits=True, label_smoothing=settings.label_smoothing),
        metrics=[keras.metrics.MeanMetricWrapper(_right_binary if classes == 2 else _right_class)],
        # XLA on a CPU runs these convolutions at half the speed of oneDNN.
        jit_compile=False if settings.backend == "tensorflow" else "auto",
    )
    # With all variables made beforehand TensorFlow traces the step once instead of twice.
    optimizer.build(logits_model.trainable_variables)


def _right_binary(targets: Any, logits: Any) -> Any:
    from keras import ops

    return ops.cast(ops.equal(targets > 0.5, logits > 0), "float32")


def _right_class(targets: Any, logits: Any) -> Any:
    from keras import ops

    return ops.cast(ops.equal(ops.argmax(targets, -1), ops.argmax(logits, -1)), "float32")


def phases(images: Images, steps: int, settings: TrainingSettings) -> list[tuple[Images, int]]:
    """The images of each phase of a run, and the step before which it ends.

    Without `settings.phases` the run is one phase on the images as they are.
    """
    if not settings.phases:
        return [(images, steps)]
    result: list[tuple[Images, int]] = []
    done = 0.0
    sides = settings.phase_sides(images.shape[1])
    for phase, side in zip(settings.phases, sides, strict=True):
        done += phase.share
        models.check_image_size(settings.model, side, settings.model_settings())
        result.append((resized(images, side), round(done * steps)))
    return result


def evaluation_steps(steps: int, evaluations: int) -> list[int]:
    """The numbers of steps after which the learning curves get a point; the last is `steps`.

    There are `evaluations` of them, evenly spaced, or one for each step where steps are fewer.
    """
    points = np.arange(1, evaluations + 1) * steps / evaluations
    return sorted({int(step) for step in np.ceil(points)})


class Resized:
    """Images at another side, resized each time that they are asked for."""

    def __init__(self, images: Images, size: int) -> None:
        rows, _, _, channels = images.shape
        self.shape: tuple[int, ...] = (rows, size, size, channels)
        self._images = images

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """See `petite.training.batches.Images`."""
        return resized_array(self._images[rows], self.shape[1])


def resized(images: Images, size: int) -> Images:
    """All images at another side, with antialiasing; the same images when the size is the same.

    An array is resized once, images that are read as they are needed each time.
    """
    if images.shape[1] == size:
        return images
    return resized_array(images, size) if isinstance(images, np.ndarray) else Resized(images, size)


def resized_array(images: np.ndarray, size: int) -> np.ndarray:
    """Images, uint8 (rows, H, W, C), at another side: uint8 (rows, size, size, C)."""
    rows, channels = images.shape[0], images.shape[3]
    result = np.empty((rows, size, size, channels), dtype=np.uint8)
    for row, pixels in enumerate(images):
        picture = Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)
        smaller = np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR))
        result[row] = smaller.reshape(size, size, channels)
    return result


def predict(
    logits_model: "keras.Model", images: Images, rows: np.ndarray, test_time_flip: bool
) -> np.ndarray:
    """Probabilities of the classes for some of the images.

    Args:
        logits_model: see `models.logits_of`.
        images: uint8, shape (n, H, W, C).
        rows: which of them, integers.
        test_time_flip: average the logits of each image and of its mirror image.

    Returns:
        float64 array of shape (len(rows), classes).
    """
    logits = []
    for start in range(0, len(rows), EVALUATION_BATCH):
        chosen = rows[start : start + EVALUATION_BATCH]
        block = images[np.resize(chosen, EVALUATION_BATCH)]
        answer = logits_model.predict_on_batch(block)
        if test_time_flip:
            mirrored = np.ascontiguousarray(block[:, :, ::-1])
            answer = (answer + logits_model.predict_on_batch(mirrored)) / 2
        logits.append(answer[: len(chosen)])
    return metrics.from_logits(np.concatenate(logits))


class _Loop:
    """The steps of one run, with what it remembers between them."""

    def __init__(
        self,
        logits_model: "keras.Model",
        batches: Batches,
        steps: int,
        classes: int,
        settings: TrainingSettings,
        name: str,
        observe: "Callable[[int, keras.Model], None] | None",
    ) -> None:
        self.model = logits_model
        self.batches = batches
        self.steps = steps
        self.classes = classes
        self.settings = settings
        self.name = name
        self.observe = observe
        self.rates = learning_rates(
            settings.schedule, steps, settings.learning_rate, settings.warm_up
        )
        self.evaluate_after = set(evaluation_steps(steps, settings.evaluations))
        self.history: list[dict[str, float]] = []
        self.seconds = 0.0
        self._timed_steps = 0
        self._step = 0
        self._since_evaluation: list[tuple[float, float]] = []
        self._last_progress = time.perf_counter()

    @property
    def images_per_second(self) -> float:
        """Speed of the timed steps; NaN when there was none."""
        if not self.seconds:
            return float("nan")
        return self._timed_steps * self.settings.batch_size / self.seconds

    def run(
        self,
        images: Images,
        last_step: int,
        validation_images: Images,
        validation_labels: np.ndarray,
    ) -> None:
        """Train on `images` until `last_step` steps of the run are done."""
        first_step = self._step
        while self._step < last_step:
            begin = time.perf_counter()
            loss, accuracy = self._train_step(images)
            if self._step > first_step:
                self.seconds += time.perf_counter() - begin
                self._timed_steps += 1
            self._check(loss)
            self._step += 1
            self._since_evaluation.append((loss, accuracy))
            if self._step in self.evaluate_after:
                self._evaluate(validation_images, validation_labels)
                if self.observe:
                    self.observe(self._step, self.model)
            self._report(loss)

    def _train_step(self, images: Images) -> tuple[float, float]:
        batch = self.batches.batch(self._step, images)
        self.model.optimizer.learning_rate = self.rates[self._step]
        if self.classes == 2:
            targets = batch.labels[:, None].astype(np.float32)
        else:
            targets = np.eye(self.classes, dtype=np.float32)[batch.labels]
        loss, accuracy = self.model.train_on_batch(batch.images, targets, batch.weights)
        return float(loss), float(accuracy)

    def _check(self, loss: float) -> None:
        if not np.isfinite(loss):
            raise PetiteError(
                f"{self.name}: the loss is {loss} at step {self._step + 1} of {self.steps}, "
                f"learning rate {self.rates[self._step]:.3g}: lower training.learning_rate "
                f"(now {self.settings.learning_rate:g})"
            )

    def _evaluate(self, images: Images, labels: np.ndarray) -> None:
        loss, accuracy = np.mean(self._since_evaluation, axis=0)
        self._since_evaluation.clear()
        validation_accuracy = validation_loss = float("nan")
        if len(labels):
            everything = np.arange(len(labels))
            probabilities = predict(self.model, images, everything, self.settings.test_time_flip)
            validation_accuracy = float((probabilities.argmax(1) == labels).mean())
            validation_loss = metrics.log_loss(probabilities, labels)
        self.history.append(
            {
                "epoch": self._step * self.settings.batch_size / len(self.batches.labels),
                "step": self._step,
                "accuracy": float(accuracy),
                "loss": float(loss),
                "validation_accuracy": validation_accuracy,
                "validation_loss": validation_loss,
                "learning_rate": float(self.rates[self._step - 1]),
            }
        )

    def _report(self, loss: float) -> None:
        now = time.perf_counter()
        if now - self._last_progress < SECONDS_BETWEEN_PROGRESS or not self.seconds:
            return
        self._last_progress = now
        remaining = (self.steps - self._step) * self.seconds / self._timed_steps
        logger.info(
            "%s: step %d of %d, loss %.3f, %.0f images/s, %.0f s remain",
            self.name,
            self._step,
            self.steps,
            loss,
            self.images_per_second,
            remaining,
        )
