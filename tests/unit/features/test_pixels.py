"""The streamed PCA against scikit-learn's, and what it promises about batches, sizes and memory."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from petite.features import pixels as features
from petite.features.io import image_ids_digest, read_features
from petite.features.pixels import pixel_pca
from petite.util.errors import PetiteError
from petite.util.files import write_json


def smooth_images(count: int, side: int = 12, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Images whose spectrum falls off fast: few waves, each weaker than the last, and noise."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side] / side
    waves = [np.cos(np.pi * (k % 3 * rows + k // 3 * columns)) * 0.6**k for k in range(1, 9)]
    gray = np.einsum("nk,kij->nij", random.normal(size=(count, len(waves))), waves)
    noise = random.normal(scale=0.02, size=(count, side, side, channels))
    images = gray[..., None] * [1.0, 0.8, 0.6][:channels] + noise
    return np.clip(110 + 40 * images, 0, 255).astype(np.uint8)


def batches_of(images: np.ndarray, size: int):
    def batches() -> Iterator[np.ndarray]:
        for start in range(0, len(images), size):
            yield images[start : start + size]

    return batches


def test_scores_signs_and_variances_are_those_of_scikit_learn() -> None:
    images = smooth_images(300)
    ours = pixel_pca(batches_of(images, 64), dimensions=6)
    exact = PCA(6, svd_solver="full")
    scores = exact.fit_transform(images.reshape(300, -1).astype(np.float64))
    assert ours.scores.dtype == np.float32
    np.testing.assert_allclose(ours.scores, scores, atol=1e-3 * np.abs(scores).max())
    np.testing.assert_allclose(
        ours.explained_variance_ratio, exact.explained_variance_ratio_, rtol=1e-3
    )


def test_even_on_white_noise_nine_tenths_of_the_exact_components_variance_are_kept() -> None:
    images = np.random.default_rng(1).integers(0, 256, (200, 10, 10, 1), dtype=np.uint8)
    ours = pixel_pca(batches_of(images, 50), dimensions=20)
    exact = PCA(20, svd_solver="full").fit(images.reshape(200, -1))
    best = exact.explained_variance_ratio_.sum()
    assert 0.9 * best < ours.explained_variance_ratio.sum() <= best * (1 + 1e-6)


def test_how_the_images_are_batched_changes_the_last_digits_only() -> None:
    images = smooth_images(130)
    whole = pixel_pca(batches_of(images, 130), dimensions=5)
    by_seven = pixel_pca(batches_of(images, 7), dimensions=5)
    np.testing.assert_allclose(whole.scores, by_seven.scores, atol=0.01)


def test_the_number_of_threads_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "BLOCK_BYTES", 2**14)
    images = smooth_images(130)
    results = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            results.append(pixel_pca(batches_of(images, 50), dimensions=5).scores)
    np.testing.assert_array_equal(*results)


@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 9))
def test_every_so_manyth_image_is_taken_however_they_are_batched(
    count: int, batch: int, step: int
) -> None:
    images = np.arange(count, dtype=np.uint8).reshape(count, 1, 1, 1)
    some = list(features._every(step, batches_of(images, batch))())
    np.testing.assert_array_equal(np.concatenate(some), images[::step])
    assert max(map(len, some)) <= batch


def test_the_search_is_sharpened_by_a_part_of_many_images(monkeypatch: pytest.MonkeyPatch) -> None:
    images = smooth_images(600)
    best = PCA(6, svd_solver="full").fit(images.reshape(600, -1).astype(np.float64))
    monkeypatch.setattr(features, "SHARPENING", 150)
    sizes = []
    product = features._covariance_times

    def counted(centered: np.ndarray, basis: np.ndarray) -> np.ndarray:
        sizes.append(len(centered))
        return product(centered, basis)

    monkeypatch.setattr(features, "_covariance_times", counted)
    ours = pixel_pca(batches_of(images, 64), dimensions=6)
    assert sum(sizes) == 150
    kept = ours.explained_variance_ratio.sum() / best.explained_variance_ratio_.sum()
    assert 0.999 < kept <= 1 + 1e-6


def test_the_same_seed_gives_the_same_bytes() -> None:
    images = smooth_images(80)
    first, second = (pixel_pca(batches_of(images, 32), 4, seed=3) for _ in range(2))
    assert first.scores.tobytes() == second.scores.tobytes()


@pytest.mark.parametrize(
    ("count", "side", "expected"), [(5, 12, 5), (40, 2, 4), (1, 4, 1), (2, 4, 2)]
)
def test_dimensions_are_capped_by_images_and_pixels(count: int, side: int, expected: int) -> None:
    images = smooth_images(count, side, channels=1)
    result = pixel_pca(batches_of(images, 8), dimensions=64)
    assert result.scores.shape == (count, expected)
    assert result.explained_variance_ratio.shape == (expected,)
    assert np.isfinite(result.scores).all()
    if count > 1:
        assert result.explained_variance_ratio.sum() == pytest.approx(1, abs=1e-4)


def test_equal_images_have_no_variance_and_lie_at_the_origin() -> None:
    images = np.full((9, 5, 5, 3), 200, np.uint8)
    result = pixel_pca(batches_of(images, 4), dimensions=3)
    np.testing.assert_array_equal(result.scores, 0)
    np.testing.assert_array_equal(result.explained_variance_ratio, 0)


def test_the_images_are_never_all_held_as_floats(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4000, 32, 32, 1), dtype=np.uint8)
    monkeypatch.setattr(features, "BLOCK_BYTES", 2**20)
    tracemalloc.start()
    try:
        pixel_pca(batches_of(images, 256), dimensions=8)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < images.size * 4 / 3


def test_no_images_and_no_dimensions_are_refused() -> None:
    with pytest.raises(PetiteError, match="no images"):
        pixel_pca(lambda: [], dimensions=2)
    with pytest.raises(PetiteError, match=r"dimensions: .* 0"):
        pixel_pca(batches_of(smooth_images(3), 2), dimensions=0)


def test_features_of_other_images_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "pixels.npy"
    np.save(path, np.zeros((2, 3), np.float32))
    record = {"image_ids_sha256": image_ids_digest(["a", "b"]), "seconds": 1.5}
    write_json(path.with_suffix(".json"), record)
    loaded, read = read_features(path, ["a", "b"])
    assert loaded.shape == (2, 3)
    assert read == record
    for others in (["b", "a"], ["a"], ["a", "c"]):
        with pytest.raises(PetiteError, match="other images"):
            read_features(path, others)
