"""The spaces beside the pixels: an untrained network, the user's own vectors, and the script."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from petite.data.store import shard_record, write_shard
from petite.features import random_conv as spaces
from petite.features.io import read_features
from petite.features.own import own_dimensions, own_features
from petite.features.random_conv import (
    batch_size,
    random_conv,
    standardized_pca,
    stem_stride,
    untrained,
)
from petite.networks.backend import load_keras
from petite.util.errors import PetiteError
from petite.util.files import write_json, write_table

# As the script does: before anything else imports Keras with other kernels and more threads.
load_keras("tensorflow", 1)

FEATURES_SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "features.py"


def batches_of(images: np.ndarray, size: int):
    def batches() -> Iterator[np.ndarray]:
        for start in range(0, len(images), size):
            yield images[start : start + size]

    return batches


def textures(count: int, side: int = 12, channels: int = 1) -> np.ndarray:
    """Images of two kinds by turns, stripes across and stripes down, of the same mean."""
    random = np.random.default_rng(0)
    images = random.integers(0, 60, (count, side, side, channels))
    images[::2, random.integers(2) :: 2] += 150
    images[1::2, :, random.integers(2) :: 2] += 150
    return images.astype(np.uint8)


# ---------------------------------------------------------------- the PCA of standardized columns


def test_standardized_pca_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    mixed = random.normal(size=(90, 7)) @ random.normal(size=(7, 7)) * 10.0 ** np.arange(7) + 50
    coordinates, shares = standardized_pca(batches_of(mixed, 32), 4)
    exact = PCA(4, svd_solver="full")
    expected = exact.fit_transform(StandardScaler().fit_transform(mixed))
    assert coordinates.dtype == np.float32
    np.testing.assert_allclose(coordinates, expected, atol=1e-4)
    np.testing.assert_allclose(shares, exact.explained_variance_ratio_, rtol=1e-9)


def test_constant_columns_count_for_nothing() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(40, 2)).astype(np.float32)
    constant = np.full((40, 2), [0.0, 0.1], np.float32)
    with_constant, shares = standardized_pca(batches_of(np.hstack([rows, constant]), 9), 4)
    without, _ = standardized_pca(batches_of(rows, 9), 4)
    np.testing.assert_allclose(with_constant[:, :2], without, atol=1e-5)
    np.testing.assert_allclose(with_constant[:, 2:], 0, atol=1e-6)
    assert shares.sum() == pytest.approx(1)


def test_equal_rows_lie_at_the_origin() -> None:
    coordinates, shares = standardized_pca(batches_of(np.full((9, 3), 0.7, np.float32), 4), 2)
    assert coordinates.shape == (9, 2)
    assert (coordinates == 0).all()
    assert (shares == 0).all()


# ---------------------------------------------------------------- random_conv


def test_an_untrained_network_tells_textures_of_equal_brightness_apart() -> None:
    features, ratio = random_conv(batches_of(textures(40), 16), (12, 12, 1), dimensions=5)
    assert features.shape == (40, 5)
    assert features.dtype == np.float32
    assert 0 < ratio.sum() <= 1 + 1e-9
    first = features[:, 0]
    assert max(first[::2]) < min(first[1::2]) or max(first[1::2]) < min(first[::2])


def test_the_seed_decides_the_network_and_batches_the_last_digits_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spaces, "WIDTHS", [8, 8, 16, 16])  # quicker
    images, shape = textures(20), (12, 12, 1)
    first, again, other, by_seven = (
        random_conv(batches_of(images, size), shape, 3, seed)[0]
        for size, seed in ((20, 1), (20, 1), (20, 2), (7, 1))
    )
    assert first.tobytes() == again.tobytes()
    assert not np.allclose(first, other, atol=0.1)
    np.testing.assert_allclose(first, by_seven, atol=1e-3)


def test_color_images_of_the_smallest_size_have_features() -> None:
    features, _ = random_conv(batches_of(textures(6, 8, 3), 4), (8, 8, 3), dimensions=64)
    assert features.shape == (6, 6)
    assert np.isfinite(features).all()


def test_the_pooled_maps_keep_their_scale_from_layer_to_layer() -> None:
    pooled = untrained(28, 1, seed=0, threads=1).predict_on_batch(textures(8, side=28))
    assert pooled.shape == (8, 2 * sum(spaces.WIDTHS))
    last_means, last_deviations = np.split(pooled[:, -2 * spaces.WIDTHS[-1] :], 2, axis=1)
    assert 0.05 < last_means.mean() < 5
    assert 0.05 < last_deviations.mean() < 5


@pytest.mark.parametrize(("side", "stride"), [(8, 2), (28, 2), (64, 2), (128, 4), (1024, 8)])
def test_larger_images_are_brought_down_by_the_stem(side: int, stride: int) -> None:
    assert stem_stride(side) == stride
    largest = 4 * batch_size(side) * (side // stride) ** 2 * spaces.WIDTHS[1]
    assert largest <= spaces.BLOCK_BYTES


def test_no_images_and_no_dimensions_are_refused() -> None:
    with pytest.raises(PetiteError, match="no images"):
        random_conv(lambda: [], (12, 12, 1))
    with pytest.raises(PetiteError, match=r"dimensions: .* 0"):
        random_conv(batches_of(textures(2), 2), (12, 12, 1), dimensions=0)


# ---------------------------------------------------------------- own

INDEX = pd.DataFrame(
    {
        "image_id": ["a/0", "a/1", "a/2", "b/0", "b/1"],
        "status": ["ok", "set_aside", "ok", "ok", "ok"],
    }
)
# The rows of a matrix are a/0, a/2, b/0, b/1.
MATRIX = np.arange(8).reshape(4, 2)
WANTED = ["b/1", "a/0", "b/0"]


def matrix_file(path: Path, matrix: np.ndarray) -> Path:
    np.save(path / "own.npy", matrix)
    return path / "own.npy"


def table_file(path: Path, ids: list[str], **columns: Any) -> Path:
    pd.DataFrame({"image_id": ids, **columns}).to_parquet(path / "own.parquet")
    return path / "own.parquet"


@pytest.mark.parametrize("dtype", ["float64", "float32", "uint8", "int64"])
def test_a_matrix_has_a_row_for_each_image_in_use(tmp_path: Path, dtype: str) -> None:
    features = own_features(matrix_file(tmp_path, MATRIX.astype(dtype)), INDEX, WANTED)
    assert features.dtype == np.float32
    assert features.tolist() == [[6, 7], [0, 1], [4, 5]]


def test_a_table_may_have_any_order_and_more_images(tmp_path: Path) -> None:
    path = table_file(
        tmp_path, ["b/1", "z/9", "b/0", "a/0"], x=[6, 99, 4, 0], y=[7.5, np.nan, 5.5, 1.5]
    )
    features = own_features(path, INDEX, WANTED)
    assert features.dtype == np.float32
    assert features.tolist() == [[6, 7.5], [0, 1.5], [4, 5.5]]


def test_a_table_may_spell_its_names_in_another_form_of_unicode(tmp_path: Path) -> None:
    index = pd.DataFrame({"image_id": ["caf\u00e9/1"], "status": ["ok"]})
    path = table_file(tmp_path, ["cafe\u0301/1"], x=[1.5])
    assert own_features(path, index, ["caf\u00e9/1"]).tolist() == [[1.5]]


def test_a_missing_file_and_other_kinds_of_file_are_errors(tmp_path: Path) -> None:
    with pytest.raises(PetiteError, match=r"own\.npy does not exist"):
        own_features(tmp_path / "own.npy", INDEX, WANTED)
    with pytest.raises(PetiteError, match=r"own\.csv: .*\.npy .*\.parquet"):
        own_features(tmp_path / "own.csv", INDEX, WANTED)
    for name in ("own.npy", "own.parquet"):
        (tmp_path / name).write_bytes(b"neither of the two, but some bytes")
        with pytest.raises(PetiteError, match=rf"{name} cannot be read"):
            own_features(tmp_path / name, INDEX, WANTED)


def test_the_number_of_features_comes_from_the_header(tmp_path: Path) -> None:
    assert own_dimensions(matrix_file(tmp_path, MATRIX)) == 2
    assert own_dimensions(table_file(tmp_path, WANTED, x=[1, 2, 3], y=[4, 5, 6], z=[7, 8, 9])) == 3
    (tmp_path / "own.npy").write_bytes(b"no matrix")
    with pytest.raises(PetiteError, match=r"own\.npy cannot be read"):
        own_dimensions(tmp_path / "own.npy")


@pytest.mark.parametrize("shape", [(3, 2), (5, 2), (4,), (4, 2, 1)])
def test_a_matrix_of_another_shape_is_an_error_with_the_number_of_rows(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    with pytest.raises(PetiteError, match=r"array of shape .* matrix of 4 rows"):
        own_features(matrix_file(tmp_path, np.zeros(shape)), INDEX, WANTED)


def test_values_that_are_not_numbers_are_errors(tmp_path: Path) -> None:
    with pytest.raises(PetiteError, match="values of type <U"):
        own_features(matrix_file(tmp_path, MATRIX.astype(str)), INDEX, WANTED)
    path = table_file(tmp_path, WANTED, x=[1, 2, 3], name=["p", "q", "r"])
    with pytest.raises(PetiteError, match=r"1 column .*\(name\)"):
        own_features(path, INDEX, WANTED)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_the_first_image_with_a_value_that_is_not_finite_is_named(
    tmp_path: Path, bad: float
) -> None:
    matrix = MATRIX.astype(float)
    matrix[[0, 2], 1] = bad  # a/0 and b/0, the second and the third requested
    table = table_file(tmp_path, ["a/0", "a/2", "b/0", "b/1"], x=matrix[:, 0], y=matrix[:, 1])
    for path in (matrix_file(tmp_path, matrix), table):
        with pytest.raises(PetiteError, match=r"2 images .*a/0"):
            own_features(path, INDEX, WANTED)


def test_values_of_images_that_are_not_asked_for_do_not_matter(tmp_path: Path) -> None:
    matrix = MATRIX.astype(float)
    matrix[1] = np.nan  # a/2
    assert np.isfinite(own_features(matrix_file(tmp_path, matrix), INDEX, WANTED)).all()


def test_images_that_are_missing_or_come_twice_are_named(tmp_path: Path) -> None:
    with pytest.raises(PetiteError, match=r"2 training images .*\(b/1, b/0\)"):
        own_features(table_file(tmp_path, ["a/0"], x=[1.0]), INDEX, WANTED)
    with pytest.raises(PetiteError, match=r"1 image .*\(a/0\).* more than one row"):
        own_features(table_file(tmp_path, ["a/0", "a/0"], x=[1.0, 2.0]), INDEX, WANTED)


def test_a_table_without_ids_or_without_features_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "own.parquet"
    pd.DataFrame({"x": [1.0]}).to_parquet(path)
    with pytest.raises(PetiteError, match="no column image_id"):
        own_features(path, INDEX, WANTED)
    with pytest.raises(PetiteError, match=r"own\.parquet has no feature columns"):
        own_features(table_file(tmp_path, WANTED), INDEX, WANTED)


# ---------------------------------------------------------------- the script


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 30 images in a shard, and its split, of which 20 are for training."""
    root: Path = tmp_path_factory.mktemp("results")
    write_shard(root / "store/shards/1-of-1.npy", textures(30))
    index = pd.DataFrame(
        {
            "image_id": [f"{'ab'[row % 2]}/{row}" for row in range(30)],
            "label": (np.arange(30) % 2).astype(np.int16),
            "status": "ok",
            "shard": np.zeros(30, np.int32),
            "row": np.arange(30),
        }
    )
    write_table(root / "store/index.parquet", index)
    shards = [shard_record(root / "store/shards/1-of-1.npy", root / "store")]
    manifest = {"format": 1, "classes": ["a", "b"], "image_size": 12, "channels": 1}
    write_json(root / "store/manifest.json", manifest | {"shards": shards})
    parts = np.tile(["train", "train", "test"], 10)
    write_table(root / "split.parquet", index[["image_id", "label"]].assign(split=parts))
    np.save(root / "own.npy", np.column_stack([np.arange(30), np.ones(30)]))
    return root


def run_script(folder: Path, out: Path, settings: dict[str, Any]) -> str:
    """The script's standard error; it must succeed where `out` is to be written."""
    arguments: dict[str, Any] = {
        "--manifest": folder / "store/manifest.json",
        "--split": folder / "split.parquet",
        "--output-features": out,
        "--output-json": out.with_suffix(".json"),
        "--settings": json.dumps(settings),
    }
    command = [sys.executable, str(FEATURES_SCRIPT)]
    command += [str(text) for pair in arguments.items() for text in pair]
    finished = subprocess.run(command, capture_output=True, text=True)
    assert (finished.returncode == 0) == out.exists(), finished.stderr
    return finished.stderr


@pytest.mark.parametrize(
    ("space", "settings"),
    [("pixels", {}), ("random_conv", {"seed": 1}), ("own", {"path": "own.npy"})],
)
def test_every_space_is_written_with_its_record(
    folder: Path, space: str, settings: dict[str, Any]
) -> None:
    if "path" in settings:
        settings = {"path": str(folder / settings["path"])}
    out = folder / f"{space}.npy"
    run_script(folder, out, {"space": space, "dimensions": 2, **settings})
    split = pd.read_parquet(folder / "split.parquet")
    ids = split.loc[split["split"] == "train", "image_id"].tolist()
    features, record = read_features(out, ids)
    assert features.shape == (20, 2)
    assert features.dtype == np.float32
    assert record["space"] == space
    assert record["dimensions"] == 2
    assert record["seconds"] > 0
    assert ("explained_variance_ratio" in record) == (space != "own")
    if space == "own":
        assert features[:, 0].tolist() == [int(image_id[2:]) for image_id in ids]


def test_an_unknown_space_and_a_missing_path_are_errors(folder: Path) -> None:
    none = folder / "none.npy"
    unknown = run_script(folder, none, {"space": "fourier"})
    assert "'fourier'" in unknown and "pixels, random_conv, own" in unknown
    assert "'own' needs the path" in run_script(folder, none, {"space": "own"})
