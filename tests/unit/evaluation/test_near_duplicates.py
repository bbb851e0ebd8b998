"""Near duplicates by embedding: the nearest image, the threshold, and how far to trust it."""

import numpy as np
import pandas as pd
import pytest

from petite.evaluation import near_duplicates
from petite.evaluation.near_duplicates import (
    Altered,
    check_near_duplicates,
    check_record,
    compared,
    nearest,
    pair_table,
)

D = 64


def unit(n: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, D))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def noisy(vectors: np.ndarray, seed: int, size: float) -> np.ndarray:
    return vectors + np.float32(size) * unit(len(vectors), seed)


def altered_of(train: np.ndarray, size: float = 0.2) -> Altered:
    rows = np.repeat(np.arange(40), 2)
    names = np.array(["mirrored", "cropped"] * 40, dtype=object)
    return Altered(noisy(train[rows], 5, size), rows, names)


def frames(n_train: int, n: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    train = pd.DataFrame({"image_id": [f"a/{row}" for row in range(n_train)], "label": 0})
    held_out = pd.DataFrame({"image_id": [f"b/{row}" for row in range(n)], "label": 1})
    parts = np.where(np.arange(n) % 2, "test", "validation")
    return train, held_out.assign(split=parts)


def test_copies_are_listed_with_their_originals_and_other_images_are_not() -> None:
    train, held_out = unit(500, 0), unit(100, 1)
    held_out[[10, 31]] = noisy(train[[7, 400]], 2, 0.1)
    check = check_near_duplicates(train, np.arange(500), held_out, altered_of(train))
    table = pair_table(check, *frames(500, 100), ["cat", "dog"])
    listed = table[table["listed"]]
    assert set(zip(listed["image_id"], listed["train_image_id"], strict=True)) == {
        ("b/10", "a/7"),
        ("b/31", "a/400"),
    }
    assert list(listed["label"]) == ["dog", "dog"] and list(listed["train_label"]) == ["cat"] * 2
    assert table["similarity"].is_monotonic_decreasing and len(table) == 100
    record = check_record(check, table)
    assert record["listed"] == {"validation": 1, "test": 1}
    assert record["images"] == {"validation": 50, "test": 50}
    assert record["altered"] == 40 and min(record["found"].values()) >= 0.75
    assert record["ordinary"] <= 0.01


def test_where_copies_are_no_more_alike_than_others_it_says_that_few_are_found() -> None:
    train, held_out = unit(500, 0), unit(200, 1)
    check = check_near_duplicates(train, np.arange(500), held_out, altered_of(train, 10.0))
    assert max(check.found.values()) < 0.3
    assert check.ordinary <= 0.06
    assert (check.nearest.similarity >= check.threshold).mean() < 0.08


@pytest.mark.parametrize("share", [0.02, 0.2])
def test_copies_within_the_training_part_do_not_hide_those_across_parts(share: float) -> None:
    train, held_out = unit(500, 0), unit(100, 1)
    copies = round(share * 500)
    train[-copies:] = noisy(train[:copies], 3, 0.01)
    held_out[:20] = noisy(train[:20], 2, 0.1)
    check = check_near_duplicates(train, np.arange(500), held_out, altered_of(train))
    assert (check.nearest.similarity >= check.threshold).tolist() == [True] * 20 + [False] * 80
    grouped = np.where(
        np.arange(500) >= 500 - copies, np.arange(500) - 500 + copies, np.arange(500)
    )
    known = check_near_duplicates(train, grouped, held_out, altered_of(train))
    assert known.ordinary < 0.01 < check.ordinary


def test_images_that_all_belong_together_leave_the_threshold_to_their_copies() -> None:
    train = unit(500, 0)
    check = check_near_duplicates(train, np.zeros(500, int), train[:2], altered_of(train))
    assert 0.8 < check.threshold < 1 and check.ordinary == 0
    nothing = Altered(train[:0], np.zeros(0, np.int64), np.zeros(0, object))
    assert check_near_duplicates(train, np.zeros(500, int), train[:2], nothing).threshold == np.inf


@pytest.mark.parametrize("block", [1, 4 * 500 * 3, 2**26])
def test_blocks_of_any_size_give_the_same_neighbors(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_duplicates, "BLOCK_BYTES", block)
    of, among = unit(50, 0), unit(500, 1)
    found = nearest(of, among)
    np.testing.assert_array_equal(found.row, (of @ among.T).argmax(axis=1))
    np.testing.assert_allclose(found.similarity, (of @ among.T).max(axis=1), rtol=1e-5)


def test_an_embedding_of_zeros_is_similar_to_nothing() -> None:
    train = unit(500, 0)
    train[3] = 0
    check = check_near_duplicates(train, np.arange(500), np.zeros((2, D), "f4"), altered_of(train))
    assert (check.nearest.similarity == 0).all() and np.isfinite(check.threshold)


def test_without_altered_images_the_training_images_set_the_threshold() -> None:
    train = unit(500, 0)
    nothing = Altered(train[:0], np.zeros(0, np.int64), np.zeros(0, object))
    check = check_near_duplicates(train, np.arange(500), train[:3], nothing)
    assert check.found == {} and check.altered == 0
    assert 0 < check.threshold < 1 and check.ordinary < 0.06


def test_so_many_held_out_images_are_compared_as_the_number_of_pairs_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, held_out = frames(1, 90)
    assert compared(held_out, 500).equals(held_out)
    monkeypatch.setattr(near_duplicates, "MOST_PAIRS", 5_000)
    drawn = compared(held_out, 500)
    assert len(drawn) == 10 and drawn["image_id"].isin(held_out["image_id"]).all()
