"""Time a few steps of a training on this machine, with the very network, batch and images."""

import time
from collections.abc import Callable

import numpy as np

from petite.forecast.history import Timing
from petite.training.judges import FineTuneSettings
from petite.training.loop import EVALUATION_BATCH, TrainedRun, Trainer, predict
from petite.training.settings import Budget, LoopSettings, TrainingSettings

# Seconds of timed steps of a training.
SECONDS = 4.0
# Steps of the shortest and of the longest run that is timed.
FEW, MOST = 8, 400


def clock_for(threads: int) -> Callable[[], float]:
    """Seconds since some time.

    Those of the processor, where one thread works: other processes then do not count.
    """
    return time.process_time if threads == 1 else time.perf_counter


def timed(
    make: Callable[[], Trainer], side: int, channels: int, classes: int, loading: float
) -> Timing:
    """Train a network on random images for some seconds.

    Parameters
    ----------
    make : callable
        Builds and compiles the network.
    side, channels : int
        Of the images.
    classes : int
    loading : float
        Seconds of the libraries, and of Python.

    Returns
    -------
    Timing

    Raises
    ------
    PetiteError
        Where `petite.training.loop.train` does.
    """
    began = time.process_time()
    trainer = make()
    clock = clock_for(trainer.threads)
    whole = trainer.settings
    rows = max(2 * EVALUATION_BATCH, whole.batch_size, classes)
    images = np.random.default_rng(0).integers(0, 256, (rows, side, side, channels), np.uint8)
    labels = np.arange(rows) % classes

    def train(steps: int) -> tuple[float, TrainedRun]:
        """Train for about this many steps, and predict once: the seconds, and the run."""
        trainer.settings = shortened(whole, steps)
        started = clock()
        run = trainer.train(images, labels, images[:0], labels[:0], seed=0)
        return clock() - started, run

    train(FEW)
    compiled = time.process_time() - began
    seconds_of_few, few = train(FEW)
    wanted = SECONDS * few.images_per_second / whole.batch_size
    seconds_of_many, many = train(round(min(MOST, max(2 * FEW, wanted))))
    step = max(1e-6, (seconds_of_many - seconds_of_few) / (many.steps - few.steps))
    started = clock()
    predict(many.logits_model, images, np.arange(rows), whole.test_time_flip)
    image = (clock() - started) / rows
    return Timing(
        start=loading + max(0.0, compiled - seconds_of_few),
        step=step,
        image=image,
        seed=max(0.0, seconds_of_few - few.steps * step - rows * image),
        parameters=int(many.model.count_params()),
    )


def shortened(settings: LoopSettings, steps: int) -> LoopSettings:
    """The same training with fewer steps, in the same proportions, and one evaluation."""
    change: dict[str, object] = {"evaluations": 1}
    if isinstance(settings, FineTuneSettings):
        share = min(1.0, steps / (settings.head_steps + settings.steps))
        change["head_steps"] = round(share * settings.head_steps)
        change["steps"] = max(1, steps - round(share * settings.head_steps))
    elif isinstance(settings, TrainingSettings):
        change["budget"] = Budget(steps=steps)
    return settings.model_copy(update=change)
