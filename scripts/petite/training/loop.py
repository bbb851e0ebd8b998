"""Train a model on one subset and record its learning curves."""

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from petite.data.views import Images, resized
from petite.networks import models
from petite.networks.backend import dtype_policy, load_keras
from petite.training import metrics
from petite.training.batches import Batch, Batches, SoftTargets
from petite.training.judges import FineTuneSettings
from petite.training.records import Evaluation
from petite.training.schedule import evaluation_steps, learning_rates
from petite.training.seeing import InfoBatchSettings, SeeingSettings, batches_for
from petite.training.settings import LoopSettings, TrainingSettings
from petite.util.errors import PetiteError

if TYPE_CHECKING:
    import keras

    # Called after each evaluation with the number of steps done and the model that gives logits.
    Observer = Callable[[int, keras.Model], None]

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_PROGRESS = 5.0
MOMENTUM = 0.9
# Images are evaluated in blocks of this size, the last one padded: one shape, compiled once.
EVALUATION_BATCH = 128
# Steps that are added up may miss their sum by this.
ROUNDING = 1e-6
# The training accuracy is measured on at most this many images, evenly spaced.
TRAIN_ACCURACY_ROWS = 2_000


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
    observe: "Observer | None" = None,
) -> "TrainedRun":
    """Train a new model. To train several, use one `ScratchTrainer`, which compiles once.

    Parameters
    ----------
    images : Images
        uint8, shape (n, H, W, C), H == W.
    labels : ndarray of int, shape (n,)
        Positions in `classes`.
    validation_images, validation_labels
        The same for the validation images; may be empty.
    classes : list of str
        Names of the classes.
    seed : int
        The training seed.
    settings : TrainingSettings
        The model, budget, optimizer and so on.
    weights : ndarray of float, shape (n,), optional
        The weight of each image. None: all the same.
    threads : int
        CPU threads to use.
    name : str
        The name of this run in messages.
    observe : callable, optional
        Called after each evaluation with the number of steps done and the model that gives logits.
        It must not change the weights.

    Returns
    -------
    TrainedRun

    Raises
    ------
    PetiteError
        When a class has no images, or the loss or a prediction is not finite.
    """
    trainer = ScratchTrainer(images.shape[1], images.shape[3], classes, settings, threads)
    return trainer.train(
        images, labels, validation_images, validation_labels, seed, weights, name, observe
    )


class Trainer(ABC):
    """A network that is built and compiled once, and trained from its start for each run.

    Compiling takes longer than many steps, and the runs of a job only differ in images and seed.

    Attributes
    ----------
    classes : list of str
        Names of the classes.
    settings : LoopSettings
    threads : int
        CPU threads.
    seeing : Rs2Settings or InfoBatchSettings, optional
        If its trainings see a part of the images in each pass.
    """

    def __init__(
        self,
        classes: list[str],
        settings: LoopSettings,
        threads: int,
        seeing: SeeingSettings | None = None,
    ) -> None:
        self.seeing = seeing
        self.classes = classes
        self.settings = settings
        self.threads = threads
        self._keras = load_keras(settings.backend, threads)
        self._keras.backend.clear_session()
        # After clear_session, which resets it.
        self._keras.config.set_dtype_policy(dtype_policy(settings.precision))

    @property
    def needs_losses(self) -> bool:
        """Whether the loss of each image of a batch decides what is seen next."""
        return isinstance(self.seeing, InfoBatchSettings)

    @property
    @abstractmethod
    def name(self) -> str:
        """The network's name in the table of runs."""

    @property
    @abstractmethod
    def budget(self) -> str:
        """The training length, in words."""

    @property
    def pretrained_bytes(self) -> int | None:
        """The bytes of the weights that training begins with; None if they are random."""
        return None

    @abstractmethod
    def bytes_of(self, images: Images) -> int:
        """The memory that training images need, in bytes."""

    @abstractmethod
    def _parts(self, images: Images, rows: int) -> "list[Part]":
        """The parts of a run on a subset of this many rows, in order."""

    @abstractmethod
    def _start(self, seed: int) -> "Networks":
        """Reset the weights and the optimizers to the start of a run with this seed."""

    def train(
        self,
        images: Images,
        labels: np.ndarray,
        validation_images: Images,
        validation_labels: np.ndarray,
        seed: int,
        weights: np.ndarray | None = None,
        name: str = "this run",
        observe: "Observer | None" = None,
        soft: SoftTargets | None = None,
    ) -> "TrainedRun":
        """Train the network. It replaces that of the previous run.

        The seed determines the initial weights (the same for every subset), the order, the
        augmentation and the dropout. The same seed on the same machine gives the same network, bit
        for bit, whatever was trained before. Arguments and errors are those of `train`; `soft` are
        labels to train on in place of `labels`.
        """
        check_classes(labels, self.classes, name)
        settings = self.settings
        parts = self._parts(images, len(labels))
        all_steps = sum(len(part.rates) for part in parts)
        batches = batches_for(
            self.seeing,
            labels,
            normalized_weights(weights),
            settings.batch_size,
            seed,
            settings.augmentation,
            soft,
            steps=all_steps,
        )
        curve = LearningCurve(evaluation_steps(all_steps, settings.evaluations))
        speed = Speed(settings.batch_size)

        model, logits_model = self._start(seed)
        # Steps, and those of a training that sees all images: all, and at the end of this part.
        step, done, end = 0, 0.0, 0
        for part in parts:
            part.begin()
            begun, end = end, end + len(part.rates)
            is_first = True
            while done < end - ROUNDING:
                rate = float(part.rates[int(done + ROUNDING) - begun])
                began = time.perf_counter()
                loss, accuracy = self._step(part, rate, batches, step)
                if not is_first:  # the first step of each part compiles
                    speed.add(time.perf_counter() - began)
                is_first = False
                check_loss(loss, int(done), all_steps, rate, part, name)
                curve.add(loss, accuracy)
                done += batches.stride(step)
                step += 1
                if curve.is_due(done):
                    validation = evaluated(
                        logits_model, validation_images, validation_labels, settings.test_time_flip
                    )
                    epoch = step * settings.batch_size / len(labels)
                    curve.evaluate(done, epoch, step, rate, validation)
                    if observe:
                        observe(step, logits_model)
                speed.log_progress(name, int(done), all_steps, loss)

        sample = np.unique(np.linspace(0, len(labels) - 1, TRAIN_ACCURACY_ROWS).round().astype(int))
        predicted = predict(logits_model, images, sample, settings.test_time_flip).argmax(1)
        return TrainedRun(
            model=model,
            logits_model=logits_model,
            history=curve.history,
            steps=step,
            epochs=step * settings.batch_size / len(labels),
            examples_seen=step / all_steps,
            train_seconds=speed.seconds,
            images_per_second=speed.images_per_second,
            train_accuracy=float((predicted == labels[sample]).mean()),
        )

    def _step(self, part: "Part", rate: float, batches: Batches, step: int) -> tuple[float, float]:
        """Update the weights on one batch: its loss and its accuracy."""
        batch = batches.batch(step, part.images)
        part.model.optimizer.learning_rate = rate
        loss, accuracy, *of_each = part.model.train_on_batch(
            batch.images, *targets_and_weights(batch, len(self.classes))
        )
        if of_each:
            batches.learn(batches.rows(step)[0], of_each[0])
        return float(loss), float(accuracy)


class Networks(NamedTuple):
    """A network with its probabilities, and up to its logits; see `TrainedRun`."""

    model: "keras.Model"
    logits_model: "keras.Model"


class Part(NamedTuple):
    """Steps that follow each other, on images of one size, and that train the same weights.

    Attributes
    ----------
    model : keras.Model
        Gives logits, and is compiled; see `compile_for_training`.
    images : Images
        The training images.
    rates : ndarray of float, shape (steps,)
        The learning rate of each step.
    rate_setting, highest_rate : str, float
        The setting of the highest rate, for messages.
    begin : callable
        Called before the first step.
    """

    model: "keras.Model"
    images: Images
    rates: np.ndarray
    rate_setting: str
    highest_rate: float
    begin: Callable[[], None] = lambda: None


class ScratchTrainer(Trainer):
    """Trains a model of `petite.networks.models` from random weights.

    Parameters
    ----------
    image_size : int
        Side of the images, in pixels.
    channels : int
        1 for grayscale, 3 for RGB.
    classes, settings, threads
        As `train` takes them.
    temperature : float
        See `compile_for_training`.
    seeing
        See `Trainer`.
    """

    settings: TrainingSettings

    def __init__(
        self,
        image_size: int,
        channels: int,
        classes: list[str],
        settings: TrainingSettings,
        threads: int = 1,
        temperature: float = 1.0,
        seeing: SeeingSettings | None = None,
    ) -> None:
        super().__init__(classes, settings, threads, seeing)
        self._shape = (image_size, channels)
        self._model = self._build()
        self._logits_model = models.logits_of(self._model)
        compile_for_training(
            self._logits_model, settings, len(classes), temperature, self.needs_losses
        )
        self._optimizer_at_first = values_of(self._logits_model.optimizer.variables)

    @property
    def name(self) -> str:
        return self.settings.model

    @property
    def budget(self) -> str:
        return str(self.settings.budget)

    def bytes_of(self, images: Images) -> int:
        return size_in_training(images, self.settings)

    def _build(self) -> "keras.Model":
        return models.build(
            self.settings.model,
            *self._shape,
            len(self.classes),
            self.settings.batch_norm_momentum,
            self.settings.model_settings(),
        )

    def _parts(self, images: Images, rows: int) -> list[Part]:
        settings = self.settings
        steps = settings.budget.total_steps(rows, settings.batch_size)
        highest, setting = settings.learning_rate, "training.learning_rate"
        rates = learning_rates(settings.schedule, steps, highest, settings.warm_up)
        parts, done = [], 0
        for some, end in phases(images, steps, settings):
            parts.append(Part(self._logits_model, some, rates[done:end], setting, highest))
            done = end
        return parts

    def _start(self, seed: int) -> Networks:
        self._keras.utils.set_random_seed(seed)
        # All variables, including the state of the dropout's random numbers.
        for variable, new in zip(self._model.variables, self._build().variables, strict=True):
            variable.assign(new.value)
        assign(self._logits_model.optimizer.variables, self._optimizer_at_first)
        return Networks(self._model, self._logits_model)


def values_of(variables: Iterable[Any]) -> list[np.ndarray]:
    """Copy the values of variables of Keras, to be assigned to them again.

    They are not in the backend's own arrays: JAX's training step takes those that are assigned
    away.
    """
    from keras import ops

    return [ops.convert_to_numpy(ops.copy(variable.value)) for variable in variables]


def assign(variables: Iterable[Any], values: Iterable[np.ndarray]) -> None:
    """Give variables of Keras the values that `values_of` copied."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def evaluated(
    logits_model: "keras.Model", images: Images, labels: np.ndarray, test_time_flip: bool
) -> tuple[float, float]:
    """Accuracy and loss of a model; NaN without images."""
    if not len(labels):
        return float("nan"), float("nan")
    probabilities = predict(logits_model, images, np.arange(len(labels)), test_time_flip)
    accuracy = float((probabilities.argmax(1) == labels).mean())
    return accuracy, metrics.log_loss(probabilities, labels)


@dataclass
class TrainedRun:
    """The result of one training run.

    Attributes
    ----------
    model : keras.Model
        Takes images with values from 0 to 255, gives probabilities; not compiled.
    logits_model : keras.Model
        The same without its last activation, compiled; see `models.logits_of`.
    history : list of Evaluation
        The learning curves.
    steps : int
        Updates of the weights.
    epochs : float
        Passes over the subset.
    examples_seen : float
        Share of the examples of a training that sees all images; 1 for such a one.
    train_seconds : float
        Wall time of the training steps, without evaluations and without the first step on each
        image size, which compiles.
    images_per_second : float
        Images of those steps, divided by `train_seconds`.
    train_accuracy : float
        Of the final model on at most 2,000 images of the subset, not augmented.
    """

    model: "keras.Model"
    logits_model: "keras.Model"
    history: list[Evaluation]
    steps: int
    epochs: float
    examples_seen: float
    train_seconds: float
    images_per_second: float
    train_accuracy: float


def check_classes(labels: np.ndarray, classes: list[str], name: str) -> None:
    """Raise PetiteError if a class has no image."""
    missing = [text for position, text in enumerate(classes) if not (labels == position).any()]
    if missing:
        raise PetiteError(
            f"{name}: the subset has no image of {', '.join(missing)}. "
            "Use a larger fraction, or a method that keeps every class."
        )


def normalized_weights(weights: np.ndarray | None) -> np.ndarray | None:
    """Weights of mean 1, so that the learning rate keeps its meaning; None if all are equal."""
    if weights is None or np.ptp(weights) == 0:
        return None
    return (weights / weights.mean()).astype(np.float32)


def phases(images: Images, steps: int, settings: TrainingSettings) -> list[tuple[Images, int]]:
    """The images of each phase of a run, and the number of steps done when it ends.

    Without `settings.phases` the run is one phase on the original images.
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


def size_in_training(images: Images, settings: TrainingSettings) -> int:
    """The bytes of training images in memory, with a resized copy for each phase."""
    rows, side, _, channels = images.shape
    sides = {side, *settings.phase_sides(side)}
    return rows * channels * sum(side**2 for side in sides)


def targets_and_weights(batch: Batch, classes: int) -> tuple[np.ndarray, np.ndarray | None]:
    """What the loss of a batch compares with, and the weight of each image."""
    wanted = targets(batch.labels, classes) if batch.soft is None else soft_targets(batch.soft)
    if batch.mix is None:
        return wanted, batch.weights
    return batch.mix.of_targets(wanted, batch.weights)


def targets(labels: np.ndarray, classes: int) -> np.ndarray:
    """The targets of the loss: float32 (n, 1) for two classes, otherwise one-hot."""
    if classes == 2:
        return labels[:, None].astype(np.float32)
    one_hot: np.ndarray = np.eye(classes, dtype=np.float32)[labels]
    return one_hot


def soft_targets(probabilities: np.ndarray) -> np.ndarray:
    """The same of soft labels, float32 (n, classes), which float16 has rounded."""
    whole = probabilities / probabilities.sum(axis=1, keepdims=True)
    return whole[:, 1:] if whole.shape[1] == 2 else whole


def check_loss(loss: float, step: int, steps: int, rate: float, part: Part, name: str) -> None:
    """Raise PetiteError if the loss of a step is not finite."""
    if not np.isfinite(loss):
        raise PetiteError(
            f"{name}: the loss is {loss} at step {step + 1} of {steps} with learning rate "
            f"{rate:.3g}. Lower {part.rate_setting} (now {part.highest_rate:g})."
        )


@dataclass
class LearningCurve:
    """The evaluations of a run, and the training loss and accuracy between them.

    Attributes
    ----------
    due : list of int
        The steps of a training that sees all images after which the model is evaluated.
    history : list of Evaluation
    """

    due: list[int]
    history: list[Evaluation] = field(default_factory=list)
    _since: list[tuple[float, float]] = field(default_factory=list)

    def add(self, loss: float, accuracy: float) -> None:
        """Count a step, with the loss and accuracy of its batch."""
        self._since.append((loss, accuracy))

    def is_due(self, done: float) -> bool:
        """Whether the model is to be evaluated after these steps."""
        return bool(self.due) and done >= self.due[0] - ROUNDING

    def evaluate(
        self, done: float, epoch: float, step: int, rate: float, validation: tuple[float, float]
    ) -> None:
        """Add an evaluation, with the accuracy and loss on the validation images."""
        loss, accuracy = np.mean(self._since, axis=0)
        self.history.append(
            {
                "epoch": epoch,
                "step": step,
                "accuracy": float(accuracy),
                "loss": float(loss),
                "validation_accuracy": validation[0],
                "validation_loss": validation[1],
                "learning_rate": rate,
            }
        )
        self._since.clear()
        self.due = [at for at in self.due if done < at - ROUNDING]


@dataclass
class Speed:
    """The time of a run's steps, and the log of its progress."""

    batch_size: int
    seconds: float = 0.0
    steps: int = 0
    _logged: float = field(default_factory=time.perf_counter)

    def add(self, seconds: float) -> None:
        """Count one step."""
        self.seconds += seconds
        self.steps += 1

    @property
    def images_per_second(self) -> float:
        """Images per second of the timed steps; NaN if there are none."""
        return self.steps * self.batch_size / self.seconds if self.seconds else float("nan")

    def log_progress(self, name: str, step: int, steps: int, loss: float) -> None:
        """Log the progress and the remaining time every few seconds."""
        now = time.perf_counter()
        if now - self._logged < SECONDS_BETWEEN_PROGRESS or not self.seconds:
            return
        self._logged = now
        logger.info(
            "%s: step %d of %d, loss %.3f, %.0f images/s, %.0f s remain",
            name,
            step,
            steps,
            loss,
            self.images_per_second,
            (steps - step) * self.seconds / max(step, 1),
        )


def predict(
    logits_model: "keras.Model", images: Images, rows: np.ndarray, test_time_flip: bool
) -> np.ndarray:
    """Predict the class probabilities of some of the images.

    Parameters
    ----------
    logits_model : keras.Model
        See `models.logits_of`.
    images : Images
        uint8, shape (n, H, W, C).
    rows : ndarray of int, shape (m,)
        Positions in `images`.
    test_time_flip : bool
        Average the logits of each image and its mirror image.

    Returns
    -------
    ndarray of float64, shape (m, classes)

    Raises
    ------
    PetiteError
        When a prediction is not finite.
    """
    return metrics.from_logits(predict_logits(logits_model, images, rows, test_time_flip))


def predict_logits(
    logits_model: "keras.Model", images: Images, rows: np.ndarray, test_time_flip: bool
) -> np.ndarray:
    """The logits before those probabilities, float32 (m, 1) for two classes or (m, classes)."""
    logits = []
    for block, count in full_blocks(images, rows):
        output = logits_model.predict_on_batch(block)
        if test_time_flip:
            mirrored = np.ascontiguousarray(block[:, :, ::-1])
            output = (output + logits_model.predict_on_batch(mirrored)) / 2
        logits.append(output[:count])
    found = np.concatenate(logits)
    check_predictions(found)
    return found


def check_predictions(logits: np.ndarray) -> None:
    """Raise PetiteError for logits that are not finite: they would count as the first class."""
    if bad := int((~np.isfinite(logits)).any(axis=1).sum()):
        raise PetiteError(
            f"The network gives no finite prediction for {bad} of {len(logits)} images. Set its "
            "`precision` to float32, lower its learning rate, or use another version of the backend"
        )


def full_blocks(images: Images, rows: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
    """Yield images in blocks of EVALUATION_BATCH, and how many of a block count.

    The last block is filled up by repeating images: one shape, compiled once.
    """
    for start in range(0, len(rows), EVALUATION_BATCH):
        some = rows[start : start + EVALUATION_BATCH]
        yield images[np.resize(some, EVALUATION_BATCH)], len(some)


def compile_for_training(
    logits_model: "keras.Model",
    settings: TrainingSettings | FineTuneSettings,
    classes: int,
    temperature: float = 1.0,
    with_losses: bool = False,
) -> None:
    """Compile a model that gives logits with its optimizer and loss, for its trainable weights.

    `with_losses`: each step also gives the loss of each image of its batch, see `_loss_of_each`.

    The loss is cross-entropy. A temperature T divides the logits in it, and the loss is multiplied
    by T squared, which keeps the size of gradients: the way to learn from soft labels that a
    teacher gave at this temperature.

    References
    ----------
    Hinton, Vinyals, Dean 2015, "Distilling the Knowledge in a Neural Network", section 2.
    """
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
    loss = loss_class(from_logits=True, label_smoothing=settings.label_smoothing)
    of_each = loss.call if temperature == 1 else _at_temperature(loss.call, temperature)
    logits_model.compile(
        optimizer=optimizer,
        loss=loss if temperature == 1 else of_each,
        metrics=[
            keras.metrics.MeanMetricWrapper(_right_binary if classes == 2 else _right_class),
            *([_loss_of_each(of_each, temperature, settings.batch_size)] if with_losses else []),
        ],
        # XLA on a CPU runs these convolutions at half the speed of oneDNN.
        jit_compile=False if settings.backend == "tensorflow" else "auto",
    )
    # With all variables made beforehand TensorFlow traces the step once instead of twice.
    optimizer.build(logits_model.trainable_variables)


def _at_temperature(loss: Callable[[Any, Any], Any], temperature: float) -> Callable[..., Any]:
    """The same loss of each image at a temperature."""

    def at_temperature(targets: Any, logits: Any) -> Any:
        return temperature**2 * loss(targets, logits / temperature)

    return at_temperature


def _loss_of_each(
    loss: Callable[[Any, Any], Any], temperature: float, batch_size: int
) -> "keras.Metric":
    """A metric that is the loss of each image of the last batch, less the least that it can be.

    That is the entropy of its soft label, times the square of the temperature; 0 for a hard label.
    """
    import keras

    class LossOfEach(keras.Metric):
        def __init__(self) -> None:
            super().__init__(name="loss_of_each")
            self.losses = self.add_variable((batch_size,), "zeros", name="losses")

        def update_state(self, targets: Any, logits: Any, sample_weight: Any = None) -> None:
            least = temperature**2 * _entropy(targets)
            self.losses.assign(keras.ops.reshape(loss(targets, logits), (batch_size,)) - least)

        def result(self) -> Any:
            return keras.ops.copy(self.losses)

    return LossOfEach()


def _entropy(targets: Any) -> Any:
    """The entropy of the targets of each image, see `targets`."""
    from keras import ops

    whole = ops.concatenate([targets, 1 - targets], -1) if targets.shape[-1] == 1 else targets
    return -ops.sum(whole * ops.log(ops.where(whole > 0, whole, 1.0)), -1)


def _right_binary(targets: Any, logits: Any) -> Any:
    from keras import ops

    return ops.cast(ops.equal(targets > 0.5, logits > 0), "float32")


def _right_class(targets: Any, logits: Any) -> Any:
    from keras import ops

    return ops.cast(ops.equal(ops.argmax(targets, -1), ops.argmax(logits, -1)), "float32")
