"""Backbones of Keras: the networks of keras.applications, and `.keras` files of the user's."""

import hashlib
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from petite.networks.backbones.base import KerasBackbone, Scaling, in_short
from petite.util.errors import PetiteError
from petite.util.files import sha256_of
from petite.util.formatting import counted
from petite.util.hints import unknown

if TYPE_CHECKING:
    import keras

# What a `.keras` file may be made of: classes of these modules of Keras ...
SAFE_MODULES = re.compile(
    r"keras(\.src)?(\.(layers|models|ops|initializers|regularizers|constraints|dtype_policies"
    r"|activations|applications|backend|quantizers)(\.\w+)*)?"
)
# ... and of Python's own types as Keras writes them, but none that holds or loads code.
SAFE_WITHOUT_MODULE = {"__keras_tensor__", "__tensor__", "__numpy__", "__slice__", "__ellipsis__"}
FLOAT32_BYTES = 4
CODE = {
    "Lambda",
    "__lambda__",
    "function",
    "TorchModuleWrapper",
    "TFSMLayer",
    "JaxLayer",
    "FlaxLayer",
}


def open_application(name: str, weights: Path | None, image_size: int) -> KerasBackbone:
    """A network of keras.applications, by the name that it has there.

    Parameters
    ----------
    name : str
        Such as "MobileNetV2" or "ResNet50".
    weights : Path, optional
        A file of the network without its classifier, as Keras writes and offers them (`.h5`). None
        for those of ImageNet, which Keras downloads.
    image_size : int
        Side of the images in pixels.

    Raises
    ------
    PetiteError
        There is no such network, its weights cannot be had or do not fit, or the images are too
        small for it.
    """
    import keras

    applications = vars(keras.applications)
    known = sorted(key for key, value in applications.items() if callable(value))
    if name not in known:
        raise PetiteError(unknown(name, known, "network of keras.applications"))
    if weights is not None and not weights.is_file():
        raise PetiteError(f"backbone 'keras:{name}': there is no file of weights {weights}")
    application = applications[name]

    def network(dtype: str) -> "keras.Model":
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(dtype)
        try:
            return application(
                include_top=False,
                weights="imagenet" if weights is None else str(weights),
                input_shape=(image_size, image_size, 3),
                pooling="avg",
            )
        finally:
            keras.config.set_dtype_policy(before)

    try:
        first = network("float32")
    except Exception as error:  # Keras raises plain exceptions where a download fails
        raise PetiteError(
            f"backbone 'keras:{name}' cannot be built ({in_short(error)}): give the path of its "
            "weights without the classifier, or another image_size or network"
        ) from error
    return KerasBackbone(
        name=f"keras:{name}",
        image_size=image_size,
        dimensions=first.output_shape[-1],
        digest=_digest(first),
        preprocess=sys.modules[application.__module__].preprocess_input,
        weight_bytes=FLOAT32_BYTES * first.count_params(),
        network=network,
        inference_network=lambda dtype: first if dtype == "float32" else network(dtype),
    )


def open_keras_file(path: Path, scaling: Scaling, image_size: int) -> KerasBackbone:
    """A network that was saved as `.keras`.

    Parameters
    ----------
    path : Path
        It must take one RGB image and give one vector.
    scaling : Scaling
        What the network takes in place of pixel values from 0 to 255.
    image_size : int
        Side of the images in pixels, where the network takes any.

    Raises
    ------
    PetiteError
        The file cannot be read, needs code of its own, or is of a network with other inputs or
        outputs.
    """
    _check_without_code(path)
    network = _load(path)
    side = _check_shapes(path, network, image_size)
    dtype = network.inputs[0].dtype
    if "float" not in dtype and scaling != Scaling():
        raise PetiteError(
            f"{path} takes {dtype}, which loses the fractions of the scaling: set backbone.scaling "
            "to raw"
        )
    return KerasBackbone(
        name=f"file:{path}",
        image_size=side,
        dimensions=network.outputs[0].shape[-1],
        digest=sha256_of(path),
        preprocess=scaling,
        weight_bytes=path.stat().st_size,
        network=lambda dtype: _load(path),
        inference_network=lambda dtype: network,
    )


def _load(path: Path) -> "keras.Model":
    import keras

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # a damaged file can raise nearly anything
        raise PetiteError(
            f"{path} cannot be loaded ({in_short(error)}): save the network again with this "
            f"version of Keras, {keras.__version__}"
        ) from error


def _check_without_code(path: Path) -> None:
    """Raise PetiteError unless a `.keras` file is made of Keras's own layers alone.

    Keras's safe mode refuses Python's bytecode. This refuses as well what would import a module or
    load another file, which safe mode has let through more than once (CVE-2025-1550, -8747).
    """
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
        if not isinstance(config, dict):
            raise ValueError("config.json is not a dictionary")
    except FileNotFoundError as error:
        raise PetiteError(f"there is no file {path}: correct the path of the backbone") from error
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise PetiteError(
            f"{path} is not a whole .keras file ({in_short(error)}): save the network again with "
            "model.save('NAME.keras')"
        ) from error
    config["compile_config"] = None  # of training alone, and not loaded
    for part in _parts(config):
        name, module = part["class_name"], part.get("module")
        is_safe = (
            SAFE_MODULES.fullmatch(module)
            if isinstance(module, str)
            else name in SAFE_WITHOUT_MODULE
        )
        if name in CODE or not is_safe:
            raise PetiteError(
                f"{path} holds '{name}', which needs or may run code of its own, and is not "
                "loaded: save a network of Keras's own layers, without Lambda"
            )


def _parts(config: Any) -> Iterator[dict[str, Any]]:
    """All objects that Keras would make of a configuration."""
    if isinstance(config, dict):
        if "class_name" in config:
            yield config
        for value in config.values():
            yield from _parts(value)
    elif isinstance(config, list):
        for value in config:
            yield from _parts(value)


def _check_shapes(path: Path, network: Any, image_size: int) -> int:
    """The side of the images; raises PetiteError unless one gives one vector."""
    if not getattr(network, "inputs", None):
        raise PetiteError(
            f"{path} has no input, because it was saved before it was built: call the network on "
            "an image, or begin it with keras.Input, and save it again"
        )
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        raise PetiteError(
            f"{path} has {counted(len(network.inputs), 'input')} and "
            f"{counted(len(network.outputs), 'output')}: save the "
            "part of the network with one image as its input and one vector as its output"
        )
    taken, given = network.inputs[0].shape, network.outputs[0].shape
    if len(taken) != 4 or taken[3] != 3 or taken[1] != taken[2]:
        raise PetiteError(
            f"{path} takes inputs of the shape {taken}: a backbone takes square RGB images, "
            "(None, side, side, 3)"
        )
    if len(given) != 2 or given[1] is None:
        raise PetiteError(
            f"{path} gives outputs of the shape {given}: a backbone gives a vector for each image, "
            "(None, dimensions)"
        )
    return taken[1] or image_size


def _digest(network: Any) -> str:
    """SHA-256 of a network's weights, with their shapes and dtypes."""
    from keras import ops

    digest = hashlib.sha256()
    for weight in network.weights:
        values = ops.convert_to_numpy(weight)
        digest.update(f"{values.dtype} {values.shape}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()
