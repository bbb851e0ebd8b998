"""A proxy that is a network: one cheap training on all training images.

Its outputs are recorded on the way; `petite.training.scores` computes scores from them.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from petite.data.views import Images
from petite.training.loop import TrainedRun, full_blocks, predict, train
from petite.training.schedule import early_evaluation, evaluation_steps
from petite.training.scores import Dynamics, ProxyResult, proxy_result
from petite.training.settings import ProxySettings
from petite.util.files import atomic_path

if TYPE_CHECKING:
    import keras


def network_proxy(
    images: Images,
    labels: np.ndarray,
    held_out: Images,
    held_out_labels: np.ndarray,
    classes: list[str],
    seed: int,
    settings: ProxySettings,
    threads: int = 1,
    weights: np.ndarray | None = None,
    model_path: Path | None = None,
) -> ProxyResult:
    """Train a network on all training images, for scores, features and gradients of each.

    Parameters
    ----------
    images : Images
        uint8, shape (n, H, W, C), H == W.
    labels : ndarray of int, shape (n,)
        Positions in `classes`.
    held_out : Images
        The validation images, which the errors of the classes are measured on.
    held_out_labels : ndarray of int, shape (m,)
    classes, seed, settings, threads, weights
        As `record_dynamics` takes them.
    model_path : Path, optional
        Where to save the network, as .keras; see `petite.training.crops`.

    Returns
    -------
    ProxyResult

    Raises
    ------
    PetiteError
        Where `petite.training.loop.train` does.
    """
    dynamics, run = record_dynamics(images, labels, classes, seed, settings, threads, weights)
    if model_path is not None:
        with atomic_path(model_path) as temporary:
            run.model.save(temporary)

    def predicted() -> np.ndarray:
        rows = np.arange(len(held_out_labels))
        return predict(run.logits_model, held_out, rows, test_time_flip=False).argmax(axis=1)

    return proxy_result(dynamics, labels, held_out_labels, predicted, seed)


def record_dynamics(
    images: Images,
    labels: np.ndarray,
    classes: list[str],
    seed: int,
    settings: ProxySettings,
    threads: int = 1,
    weights: np.ndarray | None = None,
) -> tuple[Dynamics, TrainedRun]:
    """Train a network and record its outputs for all images at each evaluation.

    The early evaluation is the one closest to the fraction `settings.early` of the run (ties: the
    earlier). The features are the input of the last layer.

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
    weights : ndarray of float, shape (n,), optional
        The weight of each image. None: all the same.

    Returns
    -------
    Dynamics
    TrainedRun
        The training run, with the model.

    Raises
    ------
    PetiteError
        Where `petite.training.loop.train` does.
    """
    training = settings.training
    total = training.budget.total_steps(len(labels), training.batch_size)
    steps = evaluation_steps(total, training.evaluations)
    early = early_evaluation(steps, settings.early)
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
        weights=weights,
        threads=threads,
        name=f"the proxy, seed {seed}",
        observe=recorder,
    )
    dynamics = Dynamics(
        logits=np.stack(recorder.logits),
        features=recorder.features[total],
        early_inputs=recorder.features[steps[early]],
        early=early,
        steps=steps,
    )
    return dynamics, run


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
