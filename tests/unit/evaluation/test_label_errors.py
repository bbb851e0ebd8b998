"""Likely label errors: folds, the ranking, and how far it can be trusted."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from petite.evaluation.label_errors import (
    FOLDS,
    check_labels,
    check_record,
    error_table,
    folds_of,
    own_errors,
    threshold_of,
    with_changed_labels,
)
from petite.training.probe import Embedded


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As in a job of the workflow."""
    with threadpool_limits(1):
        yield


def embedded(n: int, classes: int, seed: int, spread: float = 1.0) -> Embedded:
    """Gaussian classes in 20 dimensions."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    centers = 1.5 * np.random.default_rng(99).normal(size=(classes, 20))
    inputs = centers[labels] + spread * rng.normal(size=(n, 20))
    return Embedded(inputs.astype(np.float32), labels.astype(np.int64))


def frame(images: Embedded, part: str = "train") -> pd.DataFrame:
    ids = [f"{part}/{row}" for row in range(len(images.labels))]
    return pd.DataFrame({"image_id": ids, "label": images.labels, "split": part})


def wrong(images: Embedded, rows: list[int], classes: int) -> Embedded:
    labels = images.labels.copy()
    labels[rows] = (labels[rows] + 1) % classes
    return images._replace(labels=labels)


@pytest.mark.parametrize("classes", [2, 5])
def test_wrong_labels_are_ranked_first_with_the_right_answer(classes: int) -> None:
    rows = [3, 50, 101, 202, 333]
    clean, held_out = embedded(400, classes, 0), embedded(60, classes, 1)
    train, other = wrong(clean, rows, classes), wrong(held_out, [7], classes)
    check = check_labels(train, np.arange(400), other)
    names = [f"class {label}" for label in range(classes)]
    parts = pd.concat([frame(other, "test").iloc[:30], frame(other, "test").iloc[30:]])
    table = error_table(check, frame(train), parts.reset_index(drop=True), names)
    of_train = table[table["part"] == "train"]
    first = of_train.head(len(rows))
    assert set(first["image_id"]) == {f"train/{row}" for row in rows}
    assert first["listed"].all() and list(first["rank"]) == [1, 2, 3, 4, 5]
    right = {f"train/{row}": names[clean.labels[row]] for row in rows}
    assert dict(zip(first["image_id"], first["answer"], strict=True)) == right
    assert list(table.loc[table["part"] == "test", "image_id"])[:1] == ["test/7"]
    record = check_record(check, table)
    assert record["checked"] == 400 and record["listed"]["train"] >= 5
    planted = record["planted"]
    assert planted["changed"] >= 100
    assert planted["found"] / planted["changed"] > 0.9
    assert planted["found"] / planted["listed"] >= 0.5
    assert planted["own"] < 20


def test_labels_without_a_pattern_are_not_called_wrong() -> None:
    noise = embedded(300, 2, 0)
    train = noise._replace(labels=np.random.default_rng(5).integers(0, 2, 300))
    check = check_labels(train, np.arange(300), embedded(0, 2, 1))
    table = error_table(check, frame(train), frame(embedded(0, 2, 1), "test"), ["a", "b"])
    assert check.planted.recall < 0.2
    assert table["listed"].mean() < 0.2


def test_the_same_images_give_the_same_list() -> None:
    train, held_out = embedded(120, 3, 0, 3), embedded(30, 3, 1, 3)
    one, other = (check_labels(train, np.arange(120), held_out) for _ in range(2))
    np.testing.assert_array_equal(one.train.doubt, other.train.doubt)
    assert one.planted == other.planted


def test_no_probe_is_fitted_to_held_out_labels() -> None:
    train, held_out = embedded(120, 3, 0, 3), embedded(30, 3, 1, 3)
    changed = held_out._replace(labels=(held_out.labels + 1) % 3)
    one, other = (check_labels(train, np.arange(120), part) for part in (held_out, changed))
    np.testing.assert_array_equal(one.held_out.answer, other.held_out.answer)
    assert one.planted == other.planted and one.penalty == other.penalty


def test_a_class_in_one_fold_alone_is_not_checked() -> None:
    images = embedded(101, 2, 0)
    train = images._replace(labels=np.append(images.labels[:100], 2))
    check = check_labels(train, np.arange(101), images)
    assert check.train.answer[100] == -1 and np.isnan(check.train.doubt[100])
    assert (check.train.answer[:100] >= 0).all()


@pytest.mark.parametrize("count", [2, 3, 6])
def test_a_handful_of_images_is_no_error(count: int) -> None:
    train = embedded(count, 2, 0)
    check = check_labels(train, np.arange(count), embedded(3, 2, 1))
    table = error_table(check, frame(train), frame(embedded(3, 2, 1), "test"), ["a", "b"])
    assert check_record(check, table)["planted"]["images"] == count


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), min_size=1, max_size=60),
    st.integers(0, 99),
)
def test_folds_do_not_divide_images_that_belong_together(
    pairs: list[tuple[int, int]], seed: int
) -> None:
    labels, together = np.array(pairs).T
    folds = folds_of(labels, together, seed)
    assert ((folds >= 0) & (folds < FOLDS)).all()
    for group in np.unique(together):
        assert len(np.unique(folds[together == group])) == 1


def test_folds_of_single_images_are_stratified() -> None:
    labels = np.repeat([0, 1, 2], [100, 50, 7])
    folds = folds_of(labels, np.arange(157), 0)
    counts = np.array([np.bincount(folds[labels == label], minlength=5) for label in range(3)])
    assert (np.ptp(counts, axis=1) <= 1).all()


def test_as_many_labels_as_asked_for_are_changed_each_to_another_class() -> None:
    labels = np.array([4, 7, 9] * 20)
    found, changed = with_changed_labels(labels, 11, 0)
    assert changed.sum() == 11
    assert ((found != labels) == changed).all()
    assert set(found) <= {4, 7, 9}


def test_the_list_is_as_long_as_half_of_it_were_changed() -> None:
    doubts = np.array([0.9, 0.8, 0.7, 0.6, 0.5, -0.1])
    changed = np.array([True, False, True, False, False, True])
    assert threshold_of(doubts, changed) == 0.6
    assert threshold_of(doubts, np.zeros(6, bool)) == np.inf


def test_the_own_errors_are_at_most_those_that_look_like_changed_ones() -> None:
    rng = np.random.default_rng(0)
    changed = np.arange(1000) < 100
    own = (np.arange(1000) >= 100) & (np.arange(1000) < 120)
    doubts = np.where(changed | own, rng.uniform(0.3, 1, 1000), rng.uniform(-1, 0.2, 1000))
    assert 15 <= own_errors(doubts, changed) <= 30
    assert own_errors(doubts, np.zeros(1000, bool)) == np.inf
