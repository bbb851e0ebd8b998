"""How a budget is shared among classes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from petite.selection.quota import places, proportional, shares, weights_of, with_every_group
from petite.util.errors import PetiteError

group_sizes = st.lists(st.integers(1, 40), min_size=1, max_size=8)
group_weights = st.lists(st.floats(0.01, 10), min_size=8, max_size=8)


def filled(sizes: np.ndarray, weights: np.ndarray, k: int) -> np.ndarray:
    """The exact shares: all groups at the rate of their weights, until they are full."""
    low, high = 0.0, float((sizes / weights).max())
    for _ in range(200):
        level = (low + high) / 2
        if np.minimum(sizes, weights * level).sum() < k:
            low = level
        else:
            high = level
    return np.minimum(sizes, weights * high)


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


@given(sizes=group_sizes, weights=group_weights, data=st.data())
def test_shares_add_up_and_no_group_goes_without_where_there_are_enough(
    sizes: list[int], weights: list[float], data: st.DataObject
) -> None:
    size, weight = np.array(sizes), np.array(weights[: len(sizes)])
    k = data.draw(st.integers(0, sum(sizes)))
    quota = shares(size, weight, k)
    assert quota.sum() == k
    assert (quota >= 0).all()
    assert (quota <= size).all()
    if k >= len(sizes):
        assert (quota >= 1).all()
    exact = filled(size, weight, k)
    if (exact >= 1).all() or k < len(sizes):
        assert np.abs(quota - exact).max() < 1 + 1e-6


def test_equal_remainders_go_to_the_earlier_groups() -> None:
    assert proportional(np.array([10, 10, 10, 10]), 6).tolist() == [2, 2, 1, 1]
    assert proportional(np.array([900, 90, 10]), 100).tolist() == [90, 9, 1]
    sizes = np.array([998, 1, 1])
    assert shares(sizes, sizes, 10).tolist() == [8, 1, 1]


@given(sizes=group_sizes, weights=group_weights, data=st.data())
def test_every_prefix_of_places_keeps_to_the_weights_within_one_image(
    sizes: list[int], weights: list[float], data: st.DataObject
) -> None:
    size, weight = np.array(sizes), np.array(weights[: len(sizes)])
    order = np.array(data.draw(st.permutations(range(len(sizes)))))
    place = places(size, weight, order)
    held = np.cumsum(place[:, None] == np.arange(len(sizes)), axis=0)
    assert held[-1].tolist() == sizes
    for k in range(1, sum(sizes) + 1):
        assert np.abs(held[k - 1] - filled(size, weight, k)).max() < 1 + 1e-4


@given(sizes=group_sizes, data=st.data())
def test_proportional_places_never_stray_by_an_image(sizes: list[int], data: st.DataObject) -> None:
    order = np.array(data.draw(st.permutations(range(len(sizes)))))
    size = np.array(sizes)
    held = np.cumsum(places(size, size, order)[:, None] == np.arange(len(sizes)), axis=0)
    exact = np.arange(1, sum(sizes) + 1)[:, None] * size / sum(sizes)
    assert np.abs(held - exact).max() < 1


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.data())
def test_a_cut_has_every_group_and_is_a_prefix_where_that_has_every_group(groups, data) -> None:
    kinds = len(set(groups))
    k = data.draw(st.integers(kinds, len(groups)))
    chosen = with_every_group(np.array(groups), k)
    assert len(chosen) == k and (np.diff(chosen) > 0).all()
    assert {groups[place] for place in chosen} == set(groups)
    if len(set(groups[:k])) == kinds:
        assert chosen.tolist() == list(range(k))


def test_a_cut_below_the_number_of_groups_is_refused() -> None:
    with pytest.raises(ValueError, match="3 groups"):
        with_every_group(np.array([0, 1, 2, 0]), 2)


def test_a_thousand_groups_of_their_own_weights_are_placed() -> None:
    size = np.full(1_000, 3)
    weight = np.linspace(1, 2, 1_000)
    place = places(size, weight, np.arange(1_000))
    assert np.bincount(place).tolist() == size.tolist()
    first_half = np.bincount(place[:1_500], minlength=1_000)
    assert np.abs(first_half - filled(size, weight, 1_500)).max() < 1 + 1e-4


def test_equal_groups_take_turns_in_the_given_order() -> None:
    assert places(np.array([3, 3]), np.ones(2), np.array([1, 0])).tolist() == [1, 0] * 3


def test_quota_weights_follow_sizes_equality_or_errors() -> None:
    sizes, labels = np.array([30, 10]), np.array([2, 5])
    assert weights_of("proportional", sizes, labels).tolist() == [30, 10]
    assert weights_of("equal", sizes, labels).tolist() == [1, 1]
    assert weights_of("error", sizes, labels, {2: 0.2, 5: 0.4}).tolist() == [0.2, 0.4]
    np.testing.assert_allclose(weights_of("error", sizes, labels, {2: 0, 5: 0.4}), [0.04, 0.4])
    assert (weights_of("error", sizes, labels, {2: 0, 5: 0}) > 0).all()
    with pytest.raises(PetiteError, match=r"class_errors.* 5$"):
        weights_of("error", sizes, labels, {2: 0.2})
    with pytest.raises(PetiteError, match="class error of 5"):
        weights_of("error", sizes, labels, {2: 0.2, 5: 3})
    with pytest.raises(PetiteError, match="'even'"):
        weights_of("even", sizes, labels)
