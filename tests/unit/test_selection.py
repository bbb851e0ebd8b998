"""What every selection method keeps to, and the quotas and the random ranking behind them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petite.errors import PetiteError
from petite.selection import METHODS, select
from petite.selection.quota import interleaved, proportional, proportional_with_all

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
CHOOSING = [name for name in METHODS if name != "full"]

class_sizes = st.lists(st.integers(1, 30), min_size=1, max_size=6)


def labels_of(sizes: list[int], seed: int = 0) -> np.ndarray:
    """Labels of classes of these sizes, shuffled; the labels are not 0, 1, 2 ..."""
    labels = np.repeat(3 * np.arange(len(sizes)) + 1, sizes)
    return np.random.default_rng(seed).permutation(labels)


def features_of(labels: np.ndarray, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.normal(size=(len(labels), 5)) + labels[:, None]).astype(np.float32)


def test_importing_the_registry_loads_no_heavy_library() -> None:
    code = (
        "import sys, petite.selection, petite.recipes;"
        "heavy = {'sklearn', 'scipy', 'pandas', 'tensorflow'} & set(sys.modules);"
        "sys.exit(', '.join(heavy) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(SCRIPTS)}, capture_output=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_registered_as_it_declares(name: str) -> None:
    method = METHODS[name]
    assert method.name == name
    assert (SCRIPTS / "petite" / "selection" / f"{method.module}.py").is_file()
    assert method.settings().model_dump() is not None
    for field in method.settings.model_fields.values():
        assert field.description


@pytest.mark.parametrize("name", CHOOSING)
@given(sizes=class_sizes, data=st.data())
@settings(max_examples=25, deadline=None)
def test_exactly_k_different_images_with_every_class_near_its_share(
    name: str, sizes: list[int], data: st.DataObject
) -> None:
    labels = labels_of(sizes)
    k = data.draw(st.integers(1, len(labels)))
    ranking = select(features_of(labels), labels, k, name, seed=1)
    assert ranking.indices.dtype == np.int64
    assert len(set(ranking.indices.tolist())) == k
    assert ranking.indices.min() >= 0
    assert ranking.indices.max() < len(labels)
    np.testing.assert_array_equal(ranking.weights, np.ones(k))
    assert all(len(column) == k for column in ranking.extra.values())
    assert (ranking.method, ranking.seed) == (name, 1)
    assert ranking.settings == METHODS[name].settings().model_dump()


@pytest.mark.parametrize("name", CHOOSING)
def test_the_seed_alone_decides_the_ranking(name: str) -> None:
    labels = labels_of([60, 60])
    features = features_of(labels)
    first, again, other = (select(features, labels, 40, name, seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.indices, again.indices)
    assert set(first.indices) != set(other.indices)


@pytest.mark.parametrize("name", [name for name in CHOOSING if METHODS[name].ranks])
@given(sizes=class_sizes, seed=st.integers(0, 2**40))
@settings(max_examples=40, deadline=None)
def test_prefixes_of_a_full_ranking_are_the_smaller_selections(
    name: str, sizes: list[int], seed: int
) -> None:
    labels = labels_of(sizes)
    features = features_of(labels)
    whole = select(features, labels, len(labels), name, seed)
    for k in (1, len(labels) // 2 + 1, len(labels)):
        k = min(k, len(labels))
        smaller = select(features, labels, k, name, seed)
        np.testing.assert_array_equal(whole.indices[:k], smaller.indices)


def test_full_keeps_every_image_and_refuses_to_keep_fewer() -> None:
    labels = labels_of([4, 3])
    np.testing.assert_array_equal(select(None, labels, 7, "full").indices, np.arange(7))
    with pytest.raises(PetiteError, match="keeps all 7 images"):
        select(None, labels, 6, "full")


@given(sizes=class_sizes, seed=st.integers(0, 2**40))
@settings(max_examples=60, deadline=None)
def test_every_prefix_of_random_holds_each_class_to_within_one_image(
    sizes: list[int], seed: int
) -> None:
    labels = labels_of(sizes)
    order = select(None, labels, len(labels), "random", seed).indices
    for label, size in zip(*np.unique(labels, return_counts=True), strict=True):
        held = np.cumsum(labels[order] == label)
        share = np.arange(1, len(labels) + 1) * size / len(labels)
        assert np.abs(held - share).max() < 1


def test_random_gives_every_image_of_a_class_the_same_chance() -> None:
    labels = labels_of([12, 6])
    times = np.zeros(len(labels))
    for seed in range(1500):
        times[select(None, labels, 6, "random", seed).indices] += 1
    # A third of the images are kept; the standard deviation of a count is 18.
    np.testing.assert_allclose(times, 500, atol=90)


@given(sizes=st.lists(st.integers(0, 50), min_size=1, max_size=9), data=st.data())
def test_proportional_quotas_are_within_one_of_their_share(
    sizes: list[int], data: st.DataObject
) -> None:
    total = sum(sizes)
    k = data.draw(st.integers(0, total))
    quota = proportional(np.array(sizes), k)
    assert quota.sum() == k
    assert (quota >= 0).all()
    assert (quota <= sizes).all()
    if total:
        assert np.abs(quota - np.array(sizes) * k / total).max() < 1


@given(sizes=st.lists(st.integers(1, 50), min_size=1, max_size=9), data=st.data())
def test_no_class_goes_without_where_there_are_enough_images(
    sizes: list[int], data: st.DataObject
) -> None:
    k = data.draw(st.integers(0, sum(sizes)))
    quota = proportional_with_all(np.array(sizes), k)
    plain = proportional(np.array(sizes), k)
    assert quota.sum() == k
    assert (quota <= sizes).all()
    if k >= len(sizes):
        assert (quota >= 1).all()
    if k < len(sizes) or (plain > 0).all():
        np.testing.assert_array_equal(quota, plain)


def test_equal_remainders_go_to_the_earlier_groups() -> None:
    assert proportional(np.array([10, 10, 10, 10]), 6).tolist() == [2, 2, 1, 1]
    assert proportional(np.array([900, 90, 10]), 100).tolist() == [90, 9, 1]
    assert proportional_with_all(np.array([998, 1, 1]), 10).tolist() == [8, 1, 1]


@given(sizes=st.lists(st.integers(1, 25), min_size=1, max_size=8), data=st.data())
def test_interleaving_uses_up_every_group_and_never_strays_by_an_image(
    sizes: list[int], data: st.DataObject
) -> None:
    order = np.array(data.draw(st.permutations(range(len(sizes)))))
    places = interleaved(np.array(sizes), order)
    held = np.cumsum(places[:, None] == np.arange(len(sizes)), axis=0)
    shares = np.arange(1, sum(sizes) + 1)[:, None] * np.array(sizes) / sum(sizes)
    assert held[-1].tolist() == sizes
    assert np.abs(held - shares).max() < 1


def test_unknown_methods_and_settings_are_refused_with_what_there_is() -> None:
    labels = labels_of([3, 3])
    with pytest.raises(PetiteError, match="did you mean 'pca_grid'"):
        select(None, labels, 2, "pca-grid")
    with pytest.raises(PetiteError, match=r"cluster: .*it has: clusters, cells"):
        select(features_of(labels), labels, 2, "pca_grid", cluster=3)
    with pytest.raises(PetiteError, match="clusters: "):
        select(features_of(labels), labels, 2, "pca_grid", clusters=0)


@pytest.mark.parametrize("k", [0, 7, -1])
def test_more_or_fewer_images_than_there_are_are_refused(k: int) -> None:
    with pytest.raises(PetiteError, match="must be 1 to 6"):
        select(None, labels_of([3, 3]), k)


def test_arrays_that_do_not_fit_are_refused() -> None:
    labels = labels_of([3, 3])
    good = features_of(labels)
    with pytest.raises(PetiteError, match="whole numbers"):
        select(None, labels.astype(float), 2)
    with pytest.raises(PetiteError, match="whole numbers"):
        select(None, np.array([], int), 1)
    with pytest.raises(PetiteError, match="seed is -1"):
        select(None, labels, 2, seed=-1)
    with pytest.raises(PetiteError, match="give some"):
        select(None, labels, 2, "pca_grid")
    with pytest.raises(PetiteError, match=r"shape \(6, d\)"):
        select(good[:5], labels, 2, "pca_grid")
    with pytest.raises(PetiteError, match="float32 or float64"):
        select(good.astype(int), labels, 2, "pca_grid")
    for value in (np.nan, np.inf):
        bad = good.copy()
        bad[4, 1] = value
        with pytest.raises(PetiteError, match=r"1 images are not finite.* row 4"):
            select(bad, labels, 2, "pca_grid")
