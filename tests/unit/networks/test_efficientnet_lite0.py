"""EfficientNet-Lite0 gives the features and the classes of the network that it is."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from lite0_reference import Reference

from petite.networks.backbones import Backbone, efficientnet_lite0, open_backbone
from petite.networks.backend import load_keras
from petite.util.errors import PetiteError

load_keras("tensorflow", 1)


@pytest.fixture(scope="module")
def backbone(lite0_wheel: Path) -> Backbone:
    return open_backbone("efficientnet_lite0", lite0_wheel)


def test_the_features_are_those_of_the_reference(backbone: Backbone, reference: Reference) -> None:
    features = backbone.embedder()(reference.images, reference.names)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, reference.features, atol=1e-3)


def test_the_model_to_train_gives_the_same_features(
    backbone: Backbone, reference: Reference
) -> None:
    model = backbone.build()
    np.testing.assert_allclose(model.predict(reference.images), reference.features, atol=1e-3)
    assert len(model.trainable_variables) > 0
    # Some counters of PyTorch's are in the file too.
    assert 0 <= backbone.weight_bytes - 4 * model.count_params() < 1000


def test_the_head_gives_the_classes_of_imagenet(lite0_wheel: Path, reference: Reference) -> None:
    weights = efficientnet_lite0.read_weights(lite0_wheel)
    model = efficientnet_lite0.build(weights, head=True)
    assert model.count_params() == 4_694_024  # with the statistics of batch normalization
    logits = model.predict(efficientnet_lite0.SCALING(reference.images.astype(np.float32)))
    np.testing.assert_array_equal(logits.argmax(axis=1), reference.top1)


def test_an_image_has_one_embedding_wherever_it_stands(
    backbone: Backbone, reference: Reference
) -> None:
    embed = backbone.embedder()
    together = embed(reference.images, reference.names)
    for place in (0, 5, 13):
        alone = embed(reference.images[place : place + 1], reference.names[place : place + 1])
        np.testing.assert_array_equal(alone[0], together[place])
    assert embed(reference.images[:0], []).shape == (0, 1280)


def test_bfloat16_gives_nearly_the_same_embeddings(
    backbone: Backbone, reference: Reference
) -> None:
    features = backbone.embedder("mixed_bfloat16")(reference.images, reference.names)
    norms = np.linalg.norm(features, axis=1) * np.linalg.norm(reference.features, axis=1)
    assert ((features * reference.features).sum(axis=1) / norms > 0.995).all()
    assert np.abs(features - reference.features).max() > 1e-3  # it did compute in 16 bits


def test_other_sizes_are_taken(lite0_wheel: Path) -> None:
    backbone = open_backbone("efficientnet_lite0", lite0_wheel, image_size=96)
    images = np.full((1, 96, 96, 3), 127, np.uint8)
    assert backbone.embedder()(images, ["gray"]).shape == (1, backbone.dimensions)


@pytest.mark.parametrize("other", ["jax", "torch"])
def test_other_backends_give_the_same_embeddings(
    other: str, lite0_wheel: Path, tmp_path: Path
) -> None:
    if importlib.util.find_spec(other) is None:
        pytest.skip(f"{other} is not installed")
    images = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
    backbone = open_backbone("efficientnet_lite0", lite0_wheel, image_size=64)
    expected = backbone.embedder()(images, ["an image"] * len(images))
    np.save(tmp_path / "images.npy", images)
    script = Path(__file__).with_name("embed_on_backend.py")
    arguments = [other, lite0_wheel, tmp_path / "images.npy", tmp_path / "embeddings.npy"]
    command = [sys.executable, str(script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    np.testing.assert_allclose(np.load(tmp_path / "embeddings.npy"), expected, atol=1e-4)


def test_the_whole_network_can_be_saved_and_is_a_backbone_then(
    backbone: Backbone, reference: Reference, tmp_path: Path
) -> None:
    path = tmp_path / "lite0.keras"
    backbone.build().save(path)
    saved = open_backbone(f"file:{path}", scaling="raw")
    assert (saved.image_size, saved.dimensions) == (224, 1280)
    features = saved.embedder()(reference.images, reference.names)
    np.testing.assert_allclose(features, reference.features, atol=1e-3)


@pytest.mark.parametrize(
    "damage", ["a web page", "cut short", "one byte", "missing", "a folder", "no path"]
)
def test_another_file_than_the_wheel_is_refused(
    damage: str, lite0_wheel: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a.whl"
    whole = lite0_wheel.read_bytes()
    if damage == "a web page":
        path.write_bytes(b"<!DOCTYPE html>")
    elif damage == "a folder":
        path.mkdir()
    elif damage == "cut short":
        path.write_bytes(whole[:-1])
    elif damage == "one byte":
        path.write_bytes(whole[:1_000_000] + bytes([whole[1_000_000] ^ 1]) + whole[1_000_001:])
    with pytest.raises(PetiteError, match=efficientnet_lite0.WHEEL.requirement):
        open_backbone("efficientnet_lite0", None if damage == "no path" else path)
