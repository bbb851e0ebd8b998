"""Features of several sets of images in one space."""

from pathlib import Path

import numpy as np
import pytest
from pools import store_of, write_picture

from petite.features import joint
from petite.features.embedding import StoredEmbeddings
from petite.util.errors import PetiteError


def stored(folder: Path, embeddings: np.ndarray, shards: int = 2) -> StoredEmbeddings:
    """Embeddings in files of several shards, the images in another order than the rows."""
    count = len(embeddings)
    shard_of = np.arange(count) % shards
    row_of = np.empty(count, np.int64)
    paths = []
    for shard in range(shards):
        here = np.flatnonzero(shard_of == shard)[::-1]
        row_of[here] = np.arange(len(here))
        folder.mkdir(parents=True, exist_ok=True)
        paths.append(folder / f"{shard}.npy")
        np.save(paths[-1], embeddings[here])
    return StoredEmbeddings(paths, shard_of, row_of, embeddings.shape[1], 1.0, "a network")


def distances(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None] - points, axis=2)


def test_embeddings_are_read_in_the_order_of_the_images_in_blocks_of_any_size(
    tmp_path: Path,
) -> None:
    embeddings = np.random.default_rng(0).normal(size=(11, 3)).astype(np.float32)
    found = stored(tmp_path, embeddings, shards=3)
    np.testing.assert_array_equal(found.read(), embeddings)
    for size in (1, 4, 100):
        np.testing.assert_array_equal(np.concatenate([*found.blocks(size)]), embeddings)


def test_all_components_keep_all_distances_between_and_within_sets(tmp_path: Path) -> None:
    embeddings = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32) + 3
    sets = [stored(tmp_path / "a", embeddings[:8]), stored(tmp_path / "b", embeddings[8:])]
    features, record = joint.of_embeddings(sets, 6)
    np.testing.assert_allclose(distances(features), distances(embeddings), atol=1e-4)
    assert record["embedding_seconds"] == 2
    fewer, record = joint.of_embeddings(sets, 2)
    np.testing.assert_allclose(fewer, features[:, :2], atol=1e-5)
    assert len(record["explained_variance_ratio"]) == 2


def test_equal_embeddings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PetiteError, match="a network"):
        joint.of_embeddings([stored(tmp_path, np.ones((5, 3), np.float32))], 2)


def test_pixels_of_two_stores_are_compared_together(tmp_path: Path) -> None:
    for number in range(6):
        write_picture(tmp_path / f"one/{number}.png", number)
        write_picture(tmp_path / f"two/{number}.png", number)
    stores = [
        store_of("unlabeled", tmp_path / name, tmp_path / f"{name} store")
        for name in ("one", "two")
    ]
    sets = [(store, store.index["image_id"]) for store in stores]
    features, _ = joint.of_pixels(sets, 4, 0)
    assert features.shape == (12, 4)
    np.testing.assert_allclose(features[:6], features[6:], atol=1e-3)
