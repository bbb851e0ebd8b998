"""Time a few steps of a training on this machine, with the very network, batch and images."""

import sys
import time
from collections.abc import Callable, Collection
from contextlib import suppress

import numpy as np

from petite.forecast import slopes
from petite.forecast.facts import Facts
from petite.forecast.history import History, Timing
from petite.forecast.jobs import fine_tune_key, scratch_key, trained_networks
from petite.networks.backbones.base import Backbone
from petite.networks.backend import load_keras
from petite.training.fine_tune import FineTuner
from petite.training.judges import FineTuneSettings
from petite.training.loop import EVALUATION_BATCH, ScratchTrainer, TrainedRun, Trainer, predict
from petite.training.settings import Budget, LoopSettings, TrainingSettings
from petite.util.errors import PetiteError

# Seconds of timed steps of a training.
SECONDS = 4.0
# Steps of the shortest and of the longest run that is timed.
FEW, MOST = 8, 400


def with_timings(
    history: History,
    facts: Facts,
    rules: Collection[str],
    open_network: Callable[[int], Backbone] | None,
) -> History:
    """Time some steps of each network that jobs of these rules train.

    open_network: opens the backbone for images of a side; None if it is not there yet.
    """
    networks = trained_networks(facts, rules)
    makes: dict[str, Callable[[], Trainer]] = {}
    classes = [str(number) for number in range(facts.classes)]
    if (key := scratch_key(facts)) in networks:
        makes[key] = lambda: ScratchTrainer(
            facts.side, facts.channels, classes, facts.training_settings, facts.threads
        )
    if open_network and (key := fine_tune_key(facts)) in networks:
        tuning = facts.fine_tuning
        makes[key] = lambda: FineTuner(
            open_network(tuning.image_size),
            facts.side,
            facts.channels,
            classes,
            tuning,
            facts.threads,
        )
    was_loaded = "keras" in sys.modules  # to measure the embedding
    began = time.process_time()
    if makes:
        backend = facts.training_settings.backend
        tunes = fine_tune_key(facts) in makes
        load_keras(facts.fine_tuning.backend if tunes else backend, facts.threads)
    loading = slopes.START + time.process_time() - began
    if was_loaded:
        loading = slopes.START_OF_KERAS
    for key, make in makes.items():
        # A network that cannot be trained is reported by the run itself.
        with suppress(PetiteError):
            timing = timed(make, facts.side, facts.channels, facts.classes, loading)
            history = history.with_timing(key, timing)
    return history


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
