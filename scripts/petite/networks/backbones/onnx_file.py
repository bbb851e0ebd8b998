"""Backbones as `.onnx` files, computed by onnxruntime, which is installed by who wants it."""

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from petite.networks.backbones.base import Backbone, Forward, Scaling, in_short
from petite.networks.backbones.inference import in_batches
from petite.util.errors import PetiteError
from petite.util.files import sha256_of

if TYPE_CHECKING:
    import keras

# A CPU is fastest with one image at a time (benchmarks/backbone.py).
IMAGES_AT_ONCE = 1
# Begins the name of a file with weights, as protobuf writes it: the key, and the name's length.
LOCATION = re.compile(rb"\n\x08location\x12([\x00-\x7f]|[\x80-\xff][\x00-\x7f])", re.DOTALL)


@dataclass(frozen=True)
class OnnxBackbone(Backbone):
    """A network that onnxruntime computes.

    `session` is its onnxruntime.InferenceSession; `batch_size` how many images it takes at once;
    `channels_first` whether it takes (n, 3, side, side).
    """

    session: Any
    batch_size: int
    channels_first: bool

    def build(self, dtype: str = "float32") -> "keras.Model":
        raise PetiteError(
            f"backbone '{self.name}' cannot be trained, as an .onnx file has no layers of Keras: "
            "give the network as a .keras file"
        )

    def forward(self, dtype: str = "float32") -> Forward:
        name = self.session.get_inputs()[0].name

        def forward(images: NDArray[np.uint8]) -> NDArray[np.float32]:
            values = self.preprocess(images.astype(np.float32))
            if self.channels_first:
                values = values.transpose(0, 3, 1, 2)
            try:
                return self.session.run(None, {name: np.ascontiguousarray(values)})[0]
            except Exception as error:  # onnxruntime's own exceptions have no common class
                raise self.cannot_compute(error) from error

        return in_batches(forward, self.batch_size, self.dimensions)


def open_onnx_file(path: Path, scaling: Scaling, image_size: int, threads: int) -> OnnxBackbone:
    """A network that was saved as `.onnx`.

    Parameters
    ----------
    path : Path
        It must take one RGB image, float32, channels first or last, and give one vector.
    scaling : Scaling
        What the network takes in place of pixel values from 0 to 255.
    image_size : int
        Side of the images in pixels, where the network takes any.
    threads : int
        Threads that compute it.

    Raises
    ------
    PetiteError
        onnxruntime is not installed, the file cannot be read, it is not the whole network, or it is
        of a network with other inputs or outputs.
    """
    if importlib.util.find_spec("onnxruntime") is None:
        raise PetiteError(
            f"{path} needs onnxruntime, which is not installed: install it with "
            "`pip install onnxruntime`"
        )
    if not path.is_file():
        raise PetiteError(f"there is no file {path}: correct the path of the backbone")
    session = _session(path, threads)
    if others := _other_files(path):
        raise PetiteError(
            f"{path} keeps weights in {', '.join(others)}, whose changes would not be noticed: "
            "export the network as one file (PyTorch: external_data=False)"
        )
    inputs, outputs = session.get_inputs(), session.get_outputs()
    _check_one(path, "input", inputs)
    _check_one(path, "output", outputs)
    batch, channels_first, side = _read_input(path, inputs[0])
    shape = outputs[0].shape
    if len(shape) != 2 or not isinstance(shape[1], int) or outputs[0].type != "tensor(float)":
        raise PetiteError(
            f"{path} gives an output {outputs[0].type} of the shape {shape}: a backbone gives a "
            "float32 vector for each image, (n, dimensions)"
        )
    return OnnxBackbone(
        name=f"file:{path}",
        image_size=side or image_size,
        dimensions=shape[1],
        digest=sha256_of(path),
        preprocess=scaling,
        weight_bytes=path.stat().st_size,
        session=session,
        batch_size=batch or IMAGES_AT_ONCE,
        channels_first=channels_first,
    )


def _session(path: Path, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors alone
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions have no common class
        raise PetiteError(
            f"{path} cannot be loaded by onnxruntime {onnxruntime.__version__} "
            f"({in_short(error)}): export the network again"
        ) from error


def _other_files(path: Path) -> list[str]:
    """The files beside a network that hold weights of it."""
    data, found = path.read_bytes(), set()
    for begin in LOCATION.finditer(data):
        low, high = begin[1].ljust(2, b"\0")
        length = (low & 0x7F) | high << 7
        found.add(data[begin.end() : begin.end() + length].decode("utf-8", "replace"))
    return sorted(name for name in found if (path.parent / name).is_file())


def _check_one(path: Path, what: str, found: list[Any]) -> None:
    if len(found) != 1:
        names = ", ".join(repr(one.name) for one in found)
        raise PetiteError(
            f"{path} has {len(found)} {what}s ({names}), and a backbone has one: export the part "
            "of the network from one image to one vector"
        )


def _read_input(path: Path, taken: Any) -> tuple[int | None, bool, int | None]:
    """Batch size, whether channels come first, and side; None for what may be any number."""
    sides = [side if isinstance(side, int) else None for side in taken.shape]
    if taken.type == "tensor(float)" and len(sides) == 4 and 0 not in sides:
        batch, *image = sides
        if image[0] == 3 and image[1] == image[2]:
            return batch, True, image[1]
        if image[2] == 3 and image[0] == image[1]:
            return batch, False, image[1]
    raise PetiteError(
        f"{path} takes an input {taken.type} of the shape {taken.shape}: a backbone takes float32 "
        "square RGB images, (n, 3, side, side) or (n, side, side, 3)"
    )
