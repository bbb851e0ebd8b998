"""Networks of keras.applications and `.keras` files, those with code in them among the files."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from petite.networks.backbones import open_backbone
from petite.networks.backend import load_keras
from petite.util.errors import PetiteError

keras = load_keras("tensorflow", 1)
layers = keras.layers
SIZE = 32
IMAGES = np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE, 3), dtype=np.uint8)
IDS = [f"Cat/{number}.jpg" for number in range(len(IMAGES))]


def small_network(*more: Any, channels: int = 3, side: int | None = SIZE) -> Any:
    return keras.Sequential(
        [
            keras.Input((side, side, channels)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            *more,
            layers.GlobalAveragePooling2D(),
        ]
    )


# --- keras.applications


@pytest.fixture(scope="module")
def mobilenet_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "mobilenet.weights.h5"
    keras.applications.MobileNet(
        include_top=False, weights=None, input_shape=(SIZE, SIZE, 3)
    ).save_weights(path)
    return path


def test_an_application_gives_what_keras_gives(mobilenet_weights: Path) -> None:
    backbone = open_backbone("keras:MobileNet", mobilenet_weights, image_size=SIZE)
    assert (backbone.dimensions, backbone.image_size) == (1024, SIZE)
    expected = keras.applications.MobileNet(
        include_top=False,
        weights=str(mobilenet_weights),
        input_shape=(SIZE, SIZE, 3),
        pooling="avg",
    ).predict(keras.applications.mobilenet.preprocess_input(IMAGES.astype(np.float32)))
    np.testing.assert_allclose(backbone.embedder()(IMAGES, IDS), expected, atol=1e-4)
    np.testing.assert_allclose(backbone.build().predict(IMAGES), expected, atol=1e-4)
    assert backbone.weight_bytes == 4 * backbone.build().count_params()


def test_the_digest_is_of_the_weights(mobilenet_weights: Path, tmp_path: Path) -> None:
    digest = open_backbone("keras:MobileNet", mobilenet_weights, image_size=SIZE).digest
    assert len(digest) == 64
    assert digest == open_backbone("keras:MobileNet", mobilenet_weights, image_size=64).digest
    network = keras.applications.MobileNet(
        include_top=False, weights=str(mobilenet_weights), input_shape=(SIZE, SIZE, 3)
    )
    network.layers[-2].set_weights([2 * weight for weight in network.layers[-2].get_weights()])
    network.save_weights(tmp_path / "others.weights.h5")
    others = open_backbone("keras:MobileNet", tmp_path / "others.weights.h5", image_size=SIZE)
    assert others.digest != digest


def test_an_application_computes_in_bfloat16_and_leaves_the_policy_alone(
    mobilenet_weights: Path,
) -> None:
    backbone = open_backbone("keras:MobileNet", mobilenet_weights, image_size=SIZE)
    exact = backbone.embedder()(IMAGES, IDS)
    half = backbone.embedder("mixed_bfloat16")(IMAGES, IDS)
    assert keras.config.dtype_policy().name == "float32"
    assert 0 < np.abs(half - exact).max() < 0.05 * np.abs(exact).max()


@pytest.mark.parametrize("name", ["ResNet50", "VGG16", "MobileNetV3Small"])
def test_keras_preprocesses_symbolic_images_as_it_does_arrays(name: str) -> None:
    module = {"ResNet50": "resnet", "VGG16": "vgg16", "MobileNetV3Small": "mobilenet_v3"}[name]
    preprocess = getattr(keras.applications, module).preprocess_input
    images = keras.Input((SIZE, SIZE, 3))
    model = keras.Model(images, preprocess(images) * 1.0)
    expected = preprocess(IMAGES.astype(np.float32))
    np.testing.assert_allclose(model.predict(IMAGES), expected, atol=1e-4)


def test_an_unknown_application_is_refused_with_the_nearest() -> None:
    with pytest.raises(PetiteError, match=r"'MobilNet'.*'MobileNet'"):
        open_backbone("keras:MobilNet")


def test_weights_that_are_missing_or_of_another_network_are_refused(
    mobilenet_weights: Path, tmp_path: Path
) -> None:
    with pytest.raises(PetiteError, match=r"no file of weights .*absent\.weights\.h5"):
        open_backbone("keras:MobileNet", tmp_path / "absent.weights.h5")
    with pytest.raises(PetiteError, match="'keras:MobileNetV2' cannot be built"):
        open_backbone("keras:MobileNetV2", mobilenet_weights, image_size=SIZE)
    for data in (mobilenet_weights.read_bytes()[:-1000], b"<!DOCTYPE html>", b""):
        other = tmp_path / "other.weights.h5"
        other.write_bytes(data)
        with pytest.raises(PetiteError, match="'keras:MobileNet' cannot be built"):
            open_backbone("keras:MobileNet", other, image_size=SIZE)
    with pytest.raises(PetiteError, match="no file of weights"):
        open_backbone("keras:MobileNet", tmp_path, image_size=SIZE)


def test_weights_under_the_right_name_of_a_network_of_another_width_are_refused(
    mobilenet_weights: Path, tmp_path: Path
) -> None:
    half = keras.applications.MobileNet(
        include_top=False, weights=None, input_shape=(SIZE, SIZE, 3), alpha=0.5
    )
    half.save_weights(tmp_path / mobilenet_weights.name)
    with pytest.raises(PetiteError, match="'keras:MobileNet' cannot be built"):
        open_backbone("keras:MobileNet", tmp_path / mobilenet_weights.name, image_size=SIZE)


def test_images_that_are_too_small_are_refused(mobilenet_weights: Path) -> None:
    with pytest.raises(PetiteError, match="image_size"):
        open_backbone("keras:MobileNet", mobilenet_weights, image_size=16)


def test_a_download_that_fails_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nothing answers there
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(PetiteError, match=r"'keras:MobileNetV2'.*path of its weights"):
        open_backbone("keras:MobileNetV2", image_size=SIZE)


# --- .keras files


def test_a_keras_file_gives_what_it_gave_when_it_was_saved(tmp_path: Path) -> None:
    network = small_network(layers.Dropout(0.5), layers.Activation("relu6"))
    network.compile("adam", "mse")
    network.save(tmp_path / "mine.keras")
    backbone = open_backbone(f"file:{tmp_path}/mine.keras", scaling="zero_to_one")
    assert (backbone.image_size, backbone.dimensions) == (SIZE, 4)
    assert backbone.weight_bytes == (tmp_path / "mine.keras").stat().st_size
    expected = network.predict(IMAGES.astype(np.float32) / 255)
    np.testing.assert_allclose(backbone.embedder()(IMAGES, IDS), expected, atol=1e-4)
    np.testing.assert_allclose(backbone.build().predict(IMAGES), expected, atol=1e-4)


def test_a_network_for_images_of_any_size_takes_the_one_that_is_asked_for(tmp_path: Path) -> None:
    small_network(side=None).save(tmp_path / "any.keras")
    backbone = open_backbone(f"file:{tmp_path}/any.keras", scaling="raw", image_size=SIZE)
    assert backbone.embedder()(IMAGES, IDS).shape == (5, 4)


def with_config(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the configuration within a `.keras` file."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    change(config)
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def test_a_lambda_is_refused_and_not_run(tmp_path: Path) -> None:
    path, ran = tmp_path / "lambda.keras", tmp_path / "ran"
    name = str(ran)
    small_network(layers.Lambda(lambda x: x + len(f"{Path(name).touch()}"))).save(path)
    ran.unlink()  # it ran when the network was made
    with pytest.raises(PetiteError, match=r"'Lambda'.*code"):
        open_backbone(f"file:{path}", scaling="raw")
    assert not ran.exists()


def lambda_of(module: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """A Lambda that names a function, as Keras before 3.9 would have called it."""
    function = {"class_name": "function", "config": name, "module": module}
    return {
        "class_name": "Lambda",
        "module": "keras.layers",
        "config": {"name": "a", "function": function, "arguments": arguments},
    }


PLANTED: dict[str, Callable[[Path], dict[str, Any]]] = {
    "os.system": lambda ran: {
        "class_name": "system",
        "module": "os",
        "config": {"command": f"touch {ran}"},
    },
    "eval": lambda ran: {
        "class_name": "function",
        "module": "builtins",
        "config": "eval",
        "registered_name": "eval",
    },
    "named function": lambda ran: lambda_of("os", "system", {}),
    "download": lambda ran: lambda_of(
        "keras.utils", "get_file", {"fname": "x", "origin": ran.as_uri(), "cache_dir": str(ran)}
    ),
    "enable_unsafe_deserialization": lambda ran: {
        "class_name": "function",
        "module": "keras.config",
        "config": "enable_unsafe_deserialization",
    },
    "pickled torch module": lambda ran: {
        "class_name": "TorchModuleWrapper",
        "module": "keras.layers",
        "config": {"module": "gASV"},
    },
    "SavedModel": lambda ran: {
        "class_name": "TFSMLayer",
        "module": "keras.layers",
        "config": {"filepath": str(ran)},
    },
    "a class of the user's": lambda ran: {
        "class_name": "Mine",
        "module": "my_module",
        "config": {},
        "registered_name": "Mine",
    },
    "without a module": lambda ran: {"class_name": "Mine", "module": None, "config": {}},
}


@pytest.mark.parametrize("place", ["layer", "within a layer", "beside the layers"])
@pytest.mark.parametrize("planted", PLANTED)
def test_a_file_that_names_code_is_refused(planted: str, place: str, tmp_path: Path) -> None:
    path, ran = tmp_path / "planted.keras", tmp_path / "ran"
    small_network().save(path)
    part = PLANTED[planted](ran)

    def plant(config: dict[str, Any]) -> None:
        if place == "layer":
            config["config"]["layers"].insert(2, part)
        elif place == "within a layer":
            config["config"]["layers"][1]["config"]["kernel_initializer"] = part
        else:
            config["build_config"] = [part]

    with_config(path, plant)
    with pytest.raises(PetiteError, match="code") as raised:
        open_backbone(f"file:{path}", scaling="raw")
    assert str(path) in str(raised.value)
    assert not ran.exists()
    assert keras.src.saving.serialization_lib.in_safe_mode() is not False


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (lambda: small_network(channels=1), r"\(None, 32, 32, 1\)"),
        (
            lambda: keras.Sequential([keras.Input((8, 9, 3)), layers.Flatten()]),
            r"\(None, 8, 9, 3\)",
        ),
        (lambda: keras.Sequential([keras.Input((8,)), layers.Dense(2)]), r"\(None, 8\)"),
        (
            lambda: keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(2, 3)]),
            r"\(None, 6, 6, 2\)",
        ),
    ],
)
def test_a_network_of_other_shapes_is_refused(
    network: Callable[[], Any], reason: str, tmp_path: Path
) -> None:
    network().save(tmp_path / "other.keras")
    with pytest.raises(PetiteError, match=reason):
        open_backbone(f"file:{tmp_path}/other.keras", scaling="raw")


def test_a_network_of_several_inputs_or_outputs_is_refused(tmp_path: Path) -> None:
    images = keras.Input((8, 8, 3))
    flat = layers.Flatten()(images)
    keras.Model(images, [flat, flat * 2]).save(tmp_path / "outputs.keras")
    with pytest.raises(PetiteError, match="1 input and 2 outputs"):
        open_backbone(f"file:{tmp_path}/outputs.keras", scaling="raw")
    other = keras.Input((3,))
    keras.Model([images, other], layers.Concatenate()([flat, other])).save(tmp_path / "in.keras")
    with pytest.raises(PetiteError, match="2 inputs and 1 output"):
        open_backbone(f"file:{tmp_path}/in.keras", scaling="raw")


def test_a_network_that_was_saved_before_it_was_built_is_refused(tmp_path: Path) -> None:
    keras.Sequential([layers.Conv2D(2, 3), layers.GlobalAveragePooling2D()]).save(
        tmp_path / "unbuilt.keras"
    )
    with pytest.raises(PetiteError, match=r"unbuilt\.keras has no input"):
        open_backbone(f"file:{tmp_path}/unbuilt.keras", scaling="raw")


def test_an_input_or_output_with_a_name_is_taken(tmp_path: Path) -> None:
    images = keras.Input((SIZE, SIZE, 3), name="image")
    means = layers.GlobalAveragePooling2D()(images)
    keras.Model({"image": images}, {"vector": means}).save(tmp_path / "named.keras")
    embed = open_backbone(f"file:{tmp_path}/named.keras", scaling="raw").embedder()
    np.testing.assert_allclose(embed(IMAGES, IDS), IMAGES.mean(axis=(1, 2)), rtol=1e-4)


def test_whole_numbers_as_input_are_not_given_fractions(tmp_path: Path) -> None:
    images = keras.Input((SIZE, SIZE, 3), dtype="uint8")
    means = layers.GlobalAveragePooling2D()(layers.Rescaling(1 / 255)(images))
    keras.Model(images, means).save(tmp_path / "whole.keras")
    embed = open_backbone(f"file:{tmp_path}/whole.keras", scaling="raw").embedder()
    np.testing.assert_allclose(embed(IMAGES, IDS), IMAGES.mean(axis=(1, 2)) / 255, rtol=1e-4)
    with pytest.raises(PetiteError, match=r"whole\.keras takes uint8, .*raw"):
        open_backbone(f"file:{tmp_path}/whole.keras", scaling="zero_to_one")


def test_a_network_that_cannot_compute_images_of_the_size_is_refused(tmp_path: Path) -> None:
    small_network(layers.MaxPooling2D(16), side=None).save(tmp_path / "any.keras")
    with pytest.raises(PetiteError, match=r"any\.keras' cannot compute .*8x8"):
        open_backbone(f"file:{tmp_path}/any.keras", scaling="raw", image_size=8).embedder()


def test_a_file_that_is_damaged_missing_or_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.keras"
    with pytest.raises(PetiteError, match=r"no file .*mine\.keras"):
        open_backbone(f"file:{path}", scaling="raw")
    small_network().save(path)
    whole = path.read_bytes()
    for data in (b"", b"<!DOCTYPE html>", whole[: len(whole) // 2], whole[:-30]):
        path.write_bytes(data)
        with pytest.raises(PetiteError, match=r"mine\.keras is not a whole \.keras file"):
            open_backbone(f"file:{path}", scaling="raw")
    (tmp_path / "folder.keras").mkdir()
    with pytest.raises(PetiteError, match=r"folder\.keras is not a whole \.keras file"):
        open_backbone(f"file:{tmp_path}/folder.keras", scaling="raw")
    path.write_bytes(whole)
    with_config(path, lambda config: config["config"]["layers"].pop(1))
    with pytest.raises(PetiteError, match=r"mine\.keras cannot be loaded"):
        open_backbone(f"file:{path}", scaling="raw")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "[]")
    with pytest.raises(PetiteError, match=r"not a whole \.keras file"):
        open_backbone(f"file:{path}", scaling="raw")


def test_weights_that_are_nan_are_reported_though_an_activation_hides_them(tmp_path: Path) -> None:
    network = small_network(layers.Activation("relu6"))
    network.layers[1].set_weights([np.ones(4), np.full(4, np.nan), np.zeros(4), np.ones(4)])
    network.save(tmp_path / "nan.keras")
    backbone = open_backbone(f"file:{tmp_path}/nan.keras", scaling="raw")
    with pytest.raises(PetiteError, match=r"nan\.keras' holds weights that are NaN.*beta"):
        backbone.embedder()


def test_embeddings_that_are_nan_are_reported_with_their_image(tmp_path: Path) -> None:
    images = keras.Input((SIZE, SIZE, 3))
    roots = keras.ops.sqrt(images - 100.0)
    keras.Model(images, layers.GlobalAveragePooling2D()(roots)).save(tmp_path / "root.keras")
    embed = open_backbone(f"file:{tmp_path}/root.keras", scaling="raw").embedder()
    bright = np.full_like(IMAGES, 200)
    assert embed(bright, IDS) == pytest.approx(10)
    bright[[2, 4]] = 50
    with pytest.raises(PetiteError, match=r"root\.keras' gives NaN.*2 of 5 images.*'Cat/2\.jpg'"):
        embed(bright, IDS)


# --- names


@pytest.mark.parametrize("name", ["efficientnet", "", "MobileNet", "keras"])
def test_an_unknown_backbone_is_refused(name: str) -> None:
    with pytest.raises(PetiteError, match=f"unknown backbone '{name}'"):
        open_backbone(name)


@pytest.mark.parametrize("scaling", [None, "imagenet"])
def test_a_file_needs_a_scaling(scaling: str | None, tmp_path: Path) -> None:
    with pytest.raises(PetiteError, match=f"'{scaling}'.*torchvision"):
        open_backbone(f"file:{tmp_path}/mine.keras", scaling=scaling)


def test_other_kinds_of_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PetiteError, match=r"mine\.pth"):
        open_backbone(f"file:{tmp_path}/mine.pth", scaling="raw")
