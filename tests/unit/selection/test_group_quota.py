"""The quota "group": the images are divided evenly over the groups of each class."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petite import config
from petite.config.plan import Plan
from petite.selection import select
from petite.selection.quota import evenly
from petite.subsets.tables import least_size
from petite.util.errors import PetiteError

EACH = ["random", "k_center_greedy", "herding", "cluster_random", "kmeans_medoid", "graph_cut"]


def patients(sizes: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, labels and groups of patients with this many images of each of two classes."""
    labels = np.concatenate([np.repeat([0, 1], size) for size in sizes])
    groups = np.repeat([f"p{number}" for number in range(len(sizes))], np.sum(sizes, axis=1))
    features = np.random.default_rng(len(labels)).normal(size=(len(labels), 3))
    return features, labels, groups


def is_even(chosen: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> bool:
    """Whether no stratum has two images more than another that still has some to give."""
    names = np.array([f"{label} {group}" for label, group in zip(labels, groups, strict=True)])
    counts = {name: int((names[chosen] == name).sum()) for name in set(names)}
    sizes = {name: int((names == name).sum()) for name in set(names)}
    lowest = min((counts[name] for name in counts if counts[name] < sizes[name]), default=None)
    return lowest is None or max(counts.values()) <= lowest + 1


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5)), min_size=3, max_size=12),
    method=st.sampled_from(EACH),
    seed=st.integers(0, 50),
    data=st.data(),
)
def test_no_group_has_two_images_more_than_another_that_has_more_and_each_class_is_there(
    sizes, method, seed, data
) -> None:
    features, labels, groups = patients([(1, 2), *sizes])
    k = data.draw(st.integers(1, len(labels)))
    given = None if method == "random" else features
    ranking = select(given, labels, k, method, seed, quota="group", groups=groups)
    assert len(set(ranking.indices)) == k
    assert is_even(ranking.indices, labels, groups)
    if k >= 2:
        assert set(labels[ranking.indices]) == {0, 1}


@settings(max_examples=100, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3)), min_size=1, max_size=10),
    method=st.sampled_from(["random", "k_center_greedy", "herding"]),
    seed=st.integers(0, 50),
    data=st.data(),
)
def test_every_class_is_there_if_there_is_room_beside_the_kept_images(
    sizes, method, seed, data
) -> None:
    features, labels, groups = patients([(2, 1), *sizes])
    places = st.integers(0, len(labels) - 1)
    kept = sorted(data.draw(st.sets(places, max_size=len(labels) - 1)))
    train = pd.DataFrame({"image_id": np.arange(len(labels)).astype(str), "label": labels})
    k = data.draw(st.integers(least_size(train, [str(row) for row in kept]), len(labels)))
    given = None if method == "random" else features
    chosen = select(given, labels, k, method, seed, quota="group", groups=groups, kept=kept).indices
    assert set(labels[chosen]) == {0, 1}
    assert len(set(chosen)) == k and set(kept) <= set(chosen)


def test_a_patient_with_a_thousand_images_does_not_fill_the_subset() -> None:
    features, labels, groups = patients([(1000, 0), *[(10, 0)] * 10, *[(0, 10)] * 10])
    for quota, most in (("proportional", 70), ("group", 5)):
        ranking = select(features, labels, 100, "random", quota=quota, groups=groups)
        largest = (groups[ranking.indices] == "p0").sum()
        assert largest <= most if quota == "group" else largest >= most


def test_images_without_a_group_are_groups_of_their_own() -> None:
    _, labels, groups = patients([(6, 0), (6, 0), (0, 6), (0, 6)])
    groups[labels == 1] = ""
    chosen = select(None, labels, 14, "random", quota="group", groups=groups).indices
    assert (labels[chosen] == 1).sum() == 6 + 6
    assert is_even(chosen[labels[chosen] == 0], labels, groups)


@pytest.mark.parametrize(
    "missing",
    [
        *([None], [float("nan")], [np.nan, None], [pd.NA], [pd.NaT], ["", None]),
        pd.Series([None], dtype="string"),
        pd.Series([np.nan]),
        np.array(["NaT"], "datetime64[D]"),
    ],
)
@pytest.mark.parametrize("other", ["p1", None])
def test_a_missing_group_is_no_name_of_a_group(missing, other) -> None:
    features, labels, _ = patients([(4, 4)])
    names = [*missing] * 8
    unnamed = [""] * 8
    if other:
        names[0] = unnamed[0] = other

    def chosen(groups) -> list[int]:
        return select(features, labels, 5, quota="group", groups=groups).indices.tolist()

    assert chosen(names[:8]) == chosen(unnamed)


def test_partitions_of_large_groups_are_divided_evenly_too() -> None:
    features, labels, groups = patients([(40, 0), (40, 0), (0, 40), (0, 8)])
    chosen = select(
        features, labels, 40, "k_center_greedy", quota="group", groups=groups, partitions=3
    ).indices
    assert is_even(chosen, labels, groups)


@pytest.mark.parametrize(
    ("method", "groups", "message"),
    [
        ("random", None, "needs the group of each image"),
        ("random", ["p1"], "groups must be of shape"),
        ("random", [["p1"], ["p2", "p3"]], "groups cannot be converted"),
        ("random", np.ma.masked_equal([1] * 12, 1), "groups .*masked"),
        ("pca_grid", ["p1"] * 12, "'pca_grid'.*'group'"),
        ("full", ["p1"] * 12, "'full'.*'group'"),
    ],
)
def test_what_cannot_be_divided_by_group_is_refused(method, groups, message) -> None:
    features, labels, _ = patients([(3, 3), (3, 3)])
    with pytest.raises(PetiteError, match=message):
        select(features, labels, 4, method, quota="group", groups=groups)


def test_a_configuration_with_the_quota_needs_groups_where_a_method_with_it_is_run() -> None:
    def plan(fractions: list[float], method: str = "random") -> Plan:
        entry = {"method": method, "quota": "group", "fractions": fractions}
        return Plan(config.load({"methods": {"full": {"fractions": [1]}, "even": entry}}))

    assert plan([0.1]).needs_groups
    assert not plan([]).needs_groups
    with pytest.raises(PetiteError, match=r"methods\.even.*quota.*pca_grid"):
        plan([0.1], "pca_grid")


def test_evenly_keeps_the_shares_in_every_prefix() -> None:
    classes = np.repeat([0, 1, 2], [60, 30, 10])
    order = classes[evenly(classes)]
    assert set(order[:3]) == {0, 1, 2}
    for k in range(3, 101):
        held = np.bincount(order[:k], minlength=3)
        assert np.abs(held - k * np.array([0.6, 0.3, 0.1])).max() < 2.5
