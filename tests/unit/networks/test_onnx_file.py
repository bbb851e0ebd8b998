"""`.onnx` files as backbones: those that are computed, and those that are refused."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from petite.networks.backbones import Backbone, open_backbone
from petite.util.errors import PetiteError

EMBED_SCRIPT = Path(__file__).resolve().parents[3] / "scripts/embed.py"
SIZE, DIMENSIONS = 8, 4
IMAGES = np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE, 3), dtype=np.uint8)
IDS = [f"Cat/{number}.jpg" for number in range(len(IMAGES))]
KERNELS = np.random.default_rng(1).normal(size=(DIMENSIONS, 3, 1, 1)).astype(np.float32)
CHANNELS_FIRST = ["n", 3, SIZE, SIZE]


@pytest.fixture
def onnx() -> Any:
    pytest.importorskip("onnxruntime")
    return pytest.importorskip("onnx")


def write(
    onnx: Any,
    path: Path,
    shape: Any = CHANNELS_FIRST,
    *,
    first: list[Any] | None = None,
    dtype: str = "FLOAT",
    inputs: int = 1,
    outputs: int = 1,
    given: Any = ("n", DIMENSIONS),
    pooled: bool = True,
) -> str:
    """A network of one 1x1 convolution and the mean over the map; its name as a backbone."""
    helper, types = onnx.helper, onnx.TensorProto
    names = [f"image{number}" for number in range(inputs)]
    nodes = [helper.make_node("Cast", ["image0"], ["real"], to=types.FLOAT), *(first or [])]
    source = "real"
    if first:
        source = first[-1].output[0]
    elif shape[-1] == 3:
        nodes.append(helper.make_node("Transpose", [source], ["turned"], perm=[0, 3, 1, 2]))
        source = "turned"
    nodes.append(helper.make_node("Conv", [source, "kernels"], ["map"]))
    last = "map"
    if pooled:
        nodes.append(helper.make_node("GlobalAveragePool", ["map"], ["mean"]))
        nodes.append(helper.make_node("Flatten", ["mean"], ["vector"]))
        last = "vector"
    results = [f"result{number}" for number in range(outputs)]
    nodes += [helper.make_node("Identity", [last], [result]) for result in results]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info(name, getattr(types, dtype), shape) for name in names],
        [helper.make_tensor_value_info(result, types.FLOAT, given) for result in results],
        [onnx.numpy_helper.from_array(KERNELS, "kernels")],
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return f"file:{path}"


def expected(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return (images.astype(np.float32) / 255).mean(axis=(1, 2)) @ KERNELS[:, :, 0, 0].T


@pytest.mark.parametrize(
    "shape",
    [
        CHANNELS_FIRST,
        ["n", SIZE, SIZE, 3],
        ["n", 3, "side", "side"],
        [None, None, None, 3],
        [1, 3, SIZE, SIZE],
        [3, 3, SIZE, SIZE],
    ],
)
def test_a_network_is_computed_whatever_its_layout_and_batch(
    onnx: Any, shape: Any, tmp_path: Path
) -> None:
    name = write(onnx, tmp_path / "mine.onnx", shape, given=(shape[0], DIMENSIONS))
    backbone = open_backbone(name, scaling="zero_to_one", image_size=SIZE)
    assert (backbone.image_size, backbone.dimensions) == (SIZE, DIMENSIONS)
    embeddings = backbone.embedder()(IMAGES, IDS)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(embeddings, expected(IMAGES), atol=1e-5)


def test_the_script_embeds_without_loading_keras(onnx: Any, tmp_path: Path) -> None:
    network = {"name": write(onnx, tmp_path / "mine.onnx"), "image_size": SIZE, "scaling": "raw"}
    every = {"classes": None, "limit_per_class": None, "max_bad_share": 0.5}
    arguments = {
        "--source": "digits",
        "--shard": "1-of-9",
        "--output-embeddings": tmp_path / "embeddings.npy",
        "--output-json": tmp_path / "embeddings.json",
        "--settings": json.dumps({"backbone": network, "listing": every, "max_bytes": 10**9}),
    }
    command = [sys.executable, "-X", "importtime", EMBED_SCRIPT]
    command += [part for pair in arguments.items() for part in pair]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    loaded = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert "onnxruntime" in loaded
    assert not {"keras", "tensorflow"} & loaded
    assert np.isfinite(np.load(tmp_path / "embeddings.npy")).all()


def test_a_network_cannot_be_trained(onnx: Any, tmp_path: Path) -> None:
    backbone: Backbone = open_backbone(write(onnx, tmp_path / "mine.onnx"), scaling="raw")
    with pytest.raises(PetiteError, match=r"mine\.onnx' cannot be trained"):
        backbone.build()


def test_embeddings_that_are_nan_are_reported_with_their_image(onnx: Any, tmp_path: Path) -> None:
    root = [onnx.helper.make_node("Sqrt", ["real"], ["root"])]
    name = write(onnx, tmp_path / "root.onnx", first=root)
    embed = open_backbone(name, scaling="minus_one_to_one").embedder()
    bright = np.full_like(IMAGES, 200)
    assert embed(bright, IDS).shape == (5, DIMENSIONS)
    bright[[2, 4]] = 50
    with pytest.raises(PetiteError, match=r"root\.onnx' gives NaN.*2 of 5 images.*'Cat/2\.jpg'"):
        embed(bright, IDS)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "two inputs": ({"inputs": 2}, r"2 inputs \('image0', 'image1'\)"),
    "two outputs": ({"outputs": 2}, r"2 outputs \('result0', 'result1'\)"),
    "gray": ({"shape": ["n", 1, SIZE, SIZE]}, r"1, 8, 8"),
    "not square": ({"shape": ["n", 3, SIZE, 9]}, r"3, 8, 9"),
    "a vector": ({"shape": ["n", 3]}, r"\['n', 3\]"),
    "bytes": ({"dtype": "UINT8"}, r"tensor\(uint8\)"),
    "half precision": ({"dtype": "FLOAT16"}, r"tensor\(float16\)"),
    "no image at once": ({"shape": [0, 3, SIZE, SIZE]}, r"\[0, 3, 8, 8\]"),
    "a map": ({"pooled": False, "given": ("n", DIMENSIONS, SIZE, SIZE)}, r"4, 8, 8"),
    "unknown length": ({"shape": ["n", 3, "side", "side"]}, "gives an output"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_other_inputs_and_outputs_are_refused(onnx: Any, kind: str, tmp_path: Path) -> None:
    changes, reason = REFUSED[kind]
    # Shapes that do not fit each other are found before they are computed.
    name = write_unchecked(onnx, tmp_path / "other.onnx", changes)
    with pytest.raises(PetiteError, match=reason):
        open_backbone(name, scaling="raw", image_size=SIZE)


def write_unchecked(onnx: Any, path: Path, changes: dict[str, Any]) -> str:
    """As `write`, of nodes that take whatever shape the input has."""
    if changes.get("shape", CHANNELS_FIRST) == CHANNELS_FIRST:
        return write(onnx, path, **changes)
    helper, types = onnx.helper, onnx.TensorProto
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["image0"], ["result0"])],
        "network",
        [helper.make_tensor_value_info("image0", types.FLOAT, changes["shape"])],
        [helper.make_tensor_value_info("result0", types.FLOAT, None)],
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return f"file:{path}"


def test_weights_in_another_file_are_refused(onnx: Any, tmp_path: Path) -> None:
    path = tmp_path / "mine.onnx"
    write(onnx, path)
    network = onnx.load(path)
    onnx.save(network, path, save_as_external_data=True, location="mine.data", size_threshold=0)
    with pytest.raises(PetiteError, match=r"mine\.onnx keeps weights in .*mine\.data"):
        open_backbone(f"file:{path}", scaling="raw")


def test_a_network_that_cannot_compute_images_of_the_size_is_refused(
    onnx: Any, tmp_path: Path
) -> None:
    # Any side is declared, but only images of 8 pixels have as many values as are asked for.
    values = onnx.numpy_helper.from_array(np.array([1, 3, 8, 8]), "shape")
    shaped = [onnx.helper.make_node("Constant", [], ["shape"], value=values)]
    shaped.append(onnx.helper.make_node("Reshape", ["real", "shape"], ["shaped"]))
    name = write(onnx, tmp_path / "eight.onnx", [1, 3, "side", "side"], first=shaped)
    assert open_backbone(name, scaling="raw", image_size=8).embedder()(IMAGES, IDS).shape == (5, 4)
    embed = open_backbone(name, scaling="raw", image_size=16).embedder()
    with pytest.raises(PetiteError, match=r"eight\.onnx' cannot compute .*16x16"):
        embed(np.zeros((5, 16, 16, 3), np.uint8), IDS)


def test_a_file_that_is_damaged_or_missing_is_refused(onnx: Any, tmp_path: Path) -> None:
    path = tmp_path / "mine.onnx"
    with pytest.raises(PetiteError, match=r"no file .*mine\.onnx"):
        open_backbone(f"file:{path}", scaling="raw")
    write(onnx, path)
    whole = path.read_bytes()
    for data in (b"", b"<!DOCTYPE html>", whole[: len(whole) // 2]):
        path.write_bytes(data)
        with pytest.raises(PetiteError, match=r"mine\.onnx cannot be loaded by onnxruntime"):
            open_backbone(f"file:{path}", scaling="raw")
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(PetiteError, match=r"no file .*folder\.onnx"):
        open_backbone(f"file:{tmp_path}/folder.onnx", scaling="raw")


def test_without_onnxruntime_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # As Python marks what cannot be imported.
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(PetiteError, match="pip install onnxruntime"):
        open_backbone(f"file:{tmp_path}/mine.onnx", scaling="raw")
