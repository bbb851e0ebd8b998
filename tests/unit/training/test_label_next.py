"""Which images of a pool are chosen, and what is said of each."""

import numpy as np
import pandas as pd
import pytest
from embedded import DIMENSIONS, embedded_store

from petite.config.pool import without_labels
from petite.features.embedding import StoredEmbeddings
from petite.selection import METHODS
from petite.training import label_next
from petite.training.label_next import PoolFeatures, choose_next, nearest_before
from petite.util.errors import PetiteError

COUNT = 40


def pool_of(labeled: int = 0, copies: dict[int, str] | None = None, seed: int = 0) -> PoolFeatures:
    """Random features; `copies` names what some rows of the pool are duplicates of."""
    names = np.array([f"{number}.jpg" for number in range(COUNT)], dtype=object)
    copy_of = np.full(COUNT, "", dtype=object)
    for row, name in (copies or {}).items():
        copy_of[row] = name
    images = pd.DataFrame(
        {
            "image_id": "unlabeled/" + names,
            "file": names,
            "copy_of": copy_of,
            "copy": np.where(copy_of == "", "", "exact"),
            "of_labeled": [name.startswith("Cat/") for name in copy_of],
        }
    )
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(labeled + COUNT, 4)).astype(np.float32)
    return PoolFeatures(images, [f"Cat/{n}.jpg" for n in range(labeled)], features, "pixels")


@pytest.mark.parametrize("labeled", [0, 10])
@pytest.mark.parametrize("method", without_labels())
def test_every_method_without_labels_chooses_k_different_images(method: str, labeled: int) -> None:
    table, record = choose_next(pool_of(labeled), 7, method, {})
    assert table["rank"].tolist() == list(range(1, 8))
    assert table["image_id"].nunique() == 7
    assert ("unlabeled/" + table["file"]).tolist() == table["image_id"].tolist()
    assert record["complements"] == (
        labeled > 0 and METHODS[method].traits(METHODS[method].settings()).complements
    )
    assert choose_next(pool_of(labeled), 7, method, {})[0].equals(table)


def test_a_method_that_complements_chooses_far_from_the_labeled_images() -> None:
    pool = pool_of(labeled=1)
    pool.features[:] = np.linspace(0, 1, COUNT + 1)[:, None]
    table, _ = choose_next(pool, 1, "k_center_greedy", {})
    assert table["file"].tolist() == [f"{COUNT - 1}.jpg"]
    pool.features[0] = 1
    table, _ = choose_next(pool, 1, "k_center_greedy", {})
    assert table["file"].tolist() == ["0.jpg"]


def test_all_images_can_be_chosen() -> None:
    table, _ = choose_next(pool_of(labeled=3), COUNT, "k_dpp", {})
    assert set(table["file"]) == {f"{number}.jpg" for number in range(COUNT)}


def test_duplicates_are_not_chosen_unless_asked_for() -> None:
    copies = {3: "Cat/0.jpg", 5: "unlabeled/4.jpg", 6: "unlabeled/4.jpg"}
    pool = pool_of(labeled=2, copies=copies)
    table, record = choose_next(pool, COUNT - 3, "random", {})
    assert not {"3.jpg", "5.jpg", "6.jpg"} & set(table["file"])
    assert table.set_index("file")["copies"]["4.jpg"] == 2
    assert (record["copies_of_labeled"], record["copies_in_pool"]) == (1, 2)
    table, _ = choose_next(pool, COUNT, "random", {}, keep_copies=True)
    marked = table.set_index("file")["copy_of"]
    assert marked[marked != ""].to_dict() == {
        "3.jpg": "Cat/0.jpg",
        "5.jpg": "4.jpg",
        "6.jpg": "4.jpg",
    }


@pytest.mark.parametrize(("keep_copies", "most"), [(False, COUNT - 1), (True, COUNT)])
def test_more_images_than_can_be_chosen_are_refused(keep_copies: bool, most: int) -> None:
    pool = pool_of(labeled=1, copies={3: "Cat/0.jpg"})
    with pytest.raises(PetiteError, match=rf"pool.images: {most + 1} .* {most} ") as error:
        choose_next(pool, most + 1, "random", {}, keep_copies=keep_copies)
    assert ("duplicate" in str(error.value)) == (not keep_copies)


def test_the_nearest_is_the_nearest_of_the_labeled_and_of_those_before() -> None:
    rng = np.random.default_rng(1)
    features = rng.normal(size=(30, 3)).astype(np.float32)
    chosen = np.array([20, 7, 29, 11])
    nearest, distance = nearest_before(features, 5, chosen)
    for place, image in enumerate(chosen):
        known = [*range(5), *chosen[:place]]
        apart = np.linalg.norm(features[known] - features[image], axis=1)
        assert nearest[place] == known[apart.argmin()]
        assert distance[place] == pytest.approx(apart.min(), rel=1e-5)


def test_the_first_image_has_no_nearest_one_without_labeled_images() -> None:
    table, _ = choose_next(pool_of(), 2, "random", {})
    assert table["nearest_is"].tolist() == ["", "chosen"]
    assert table["nearest"].tolist() == ["", table["file"][0]]
    assert np.isnan(table["distance"][0])


def test_an_uncertainty_chooses_the_largest_and_is_shown() -> None:
    uncertainty = np.random.default_rng(2).random(COUNT)
    pool = pool_of(labeled=3)
    settings = {"score": "margin"}
    table, record = choose_next(pool, 5, "uncertainty", settings, uncertainty=uncertainty)
    assert table["value"].tolist() == sorted(uncertainty, reverse=True)[:5]
    assert record["uncertainty"]


@pytest.mark.parametrize("name", label_next.SCORES)
def test_the_probe_is_least_certain_of_images_between_the_classes(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    labels = np.repeat([0, 1], 20)
    known = np.c_[np.where(labels, 1.0, -1.0), np.tile([0.0, 0.1], 20)].astype(np.float32)
    split = pd.DataFrame(
        {
            "image_id": [f"x/{number}" for number in range(40)],
            "label": labels.astype(np.int16),
            "split": np.where(np.arange(40) % 5 == 0, "validation", "train"),
        }
    )
    rows_of = {name: row for row, name in enumerate(split["image_id"])}
    monkeypatch.setattr(
        label_next,
        "read_embeddings",
        lambda store, ids, paths: (known[[rows_of[one] for one in ids]], 0.0),
    )
    monkeypatch.setattr("petite.data.splits.StoredImages", lambda store, ids: None)
    np.save(tmp_path / "pool.npy", np.array([[-1, 0], [0, 0], [1, 0]], np.float32))
    zeros = np.zeros(3, np.int64)
    pool = StoredEmbeddings([tmp_path / "pool.npy"], zeros, np.arange(3), 2, 0.0, "a network")
    found = label_next.uncertainty_of(name, None, split, [], pool, [1.0])
    assert found.argmax() == 1


def test_the_weights_of_the_labeled_images_count(tmp_path) -> None:
    stored = embedded_store(tmp_path, 40)
    parts = np.repeat(["train", "validation"], [30, 10])
    split = stored.images.assign(split=parts)
    near = np.random.default_rng(3).normal(size=(50, DIMENSIONS)).astype(np.float32)
    np.save(tmp_path / "pool.npy", near + 1)
    pool = StoredEmbeddings(
        [tmp_path / "pool.npy"], np.zeros(50, np.int64), np.arange(50), DIMENSIONS, 0.0, "noise"
    )

    def found(split: pd.DataFrame) -> np.ndarray:
        return label_next.uncertainty_of(
            "entropy", stored.open(), split, [stored.embeddings], pool, [1.0]
        )

    weights = np.where(split["label"] == 0, 5.0, 1.0)
    np.testing.assert_allclose(found(split.assign(weight=2.0)), found(split))
    assert not np.allclose(found(split.assign(weight=weights)), found(split), rtol=0.05)
