"""Runs a Keras model on many images as fast as the machine can, in memory that does not grow."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

# On a CPU the activations of few images stay in its caches (benchmarks/backbone.py). A GPU needs
# many to be busy.
IMAGES_ON_CPU = 4
IMAGES_ON_GPU = 128


def compiled(
    model: "keras.Model", batch_size: int | None = None
) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """A function that gives a model's outputs for images, as in inference.

    The weights are those of now: TensorFlow has them as constants, so that it merges operations and
    lays the weights out for the processor once. All batches have the same size, so that an image
    has the same output wherever it stands.

    Parameters
    ----------
    model : keras.Model
        From images (n, height, width, channels) to vectors (n, d).
    batch_size : int, optional
        Images that are computed at once; by default what is fast on the CPU or the GPU.

    Returns
    -------
    callable
        From uint8 (n, height, width, channels) to float32 (n, d), for any n.
    """
    size = batch_size or (IMAGES_ON_GPU if _has_gpu() else IMAGES_ON_CPU)
    return in_batches(_forward(model, size), size, model.output_shape[-1])


def in_batches(
    forward: Callable[[NDArray[np.uint8]], Any], size: int, dimensions: int
) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """A function that gives `forward` batches of one size, the last one filled up with zeros."""

    def outputs(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        found = np.empty((len(images), dimensions), np.float32)
        for begin in range(0, len(images), size):
            batch = images[begin : begin + size]
            padding = [(0, size - len(batch)), *[(0, 0)] * (batch.ndim - 1)]
            found[begin : begin + size] = forward(np.pad(batch, padding))[: len(batch)]
        return found

    return outputs


def _forward(model: "keras.Model", batch_size: int) -> Callable[[NDArray[np.uint8]], Any]:
    """From one batch of images to an array of its outputs, on the backend of Keras."""
    import keras

    backend = keras.backend.backend()
    if backend == "torch":
        return lambda images: model.predict_on_batch(images)
    weights = (model.trainable_variables, model.non_trainable_variables)

    def forward(trainable: Any, fixed: Any, images: Any) -> Any:
        outputs, _ = model.stateless_call(trainable, fixed, images, training=False)
        return outputs

    if backend == "jax":
        import jax

        # As arguments: XLA would compile for long over constants.
        values = [[weight.value for weight in some] for some in weights]
        run = jax.jit(forward)
        return lambda images: np.asarray(run(*values, images))

    import tensorflow as tf

    constants = [[keras.ops.convert_to_numpy(weight) for weight in some] for some in weights]
    images = tf.TensorSpec((batch_size, *model.input_shape[1:]), tf.uint8)
    graph = tf.function(partial(forward, *constants), [images], autograph=False)
    of_tensor = graph.get_concrete_function()  # spares each call 0.4 ms of checks
    return lambda images: of_tensor(tf.constant(images)).numpy()


def _has_gpu() -> bool:
    """Whether the backend of Keras computes on a GPU."""
    import keras

    if keras.backend.backend() == "torch":
        import torch

        return torch.cuda.is_available()
    return any("gpu" in device.lower() for device in keras.distribution.list_devices())
