"""What every selection method keeps to: a new one in METHODS is tested here without a word more.

What each claims for itself is in test_selection_claims.py; quotas are in test_quota.py, and the
types of arguments in test_selection_arguments.py.
"""

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petite.selection import METHODS, Ranking, select
from petite.selection.base import TRAINING_SCORES
from petite.selection.quota import with_every_group
from petite.util.errors import PetiteError

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
CHOOSING = [name for name in METHODS if name != "full"]
QUOTAS = ["proportional", "equal", "error"]


def default_traits(name: str) -> Any:
    return METHODS[name].traits(METHODS[name].settings())


RANKING = [name for name in CHOOSING if default_traits(name).ranks]
BY_FEATURES = [name for name in METHODS if default_traits(name).features]
TWO_STAGE = [name for name in CHOOSING if default_traits(name).two_stage]

class_sizes = st.lists(st.integers(1, 30), min_size=1, max_size=5)


def labels_of(sizes: list[int], seed: int = 0) -> np.ndarray:
    """Labels of classes of these sizes, shuffled; the labels are not 0, 1, 2 ..."""
    labels = np.repeat(3 * np.arange(len(sizes)) + 1, sizes)
    return np.random.default_rng(seed).permutation(labels)


def features_of(labels: np.ndarray, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.normal(size=(len(labels), 5)) + labels[:, None]).astype(np.float32)


def scores_of(labels: np.ndarray) -> dict[str, np.ndarray]:
    random = np.random.default_rng(9)
    return {name: random.random(len(labels)) for name in TRAINING_SCORES}


def selected(
    name: str, labels: np.ndarray, k: int, seed: int = 0, features: Any = None, **rest: Any
) -> Ranking:
    """Select with features and scores made for the labels, where none are given."""
    features = features_of(labels) if features is None else features
    rest.setdefault("scores", scores_of(labels))
    errors = {int(label): 0.1 + 0.05 * place for place, label in enumerate(np.unique(labels))}
    return select(features, labels, k, name, seed, class_errors=errors, **rest)


def test_importing_the_registry_loads_no_heavy_library() -> None:
    code = (
        "import sys, petite.selection, petite.subsets.augmentation;"
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
    assert method in importlib.import_module(method.module).METHODS
    assert (method.choose is None) != (method.choose_whole is None)
    for field in method.settings.model_fields.values():
        assert field.description
    cost = method.cost(1000, 100, 16, method.settings())
    assert cost.memory > 0
    assert cost.products + cost.elements + cost.steps > 0


@pytest.mark.parametrize("name", CHOOSING)
def test_every_k_gives_exactly_k_different_images(name: str) -> None:
    labels = labels_of([9, 6])
    for k in range(1, len(labels) + 1):
        ranking = selected(name, labels, k)
        assert ranking.indices.dtype == np.int64
        assert len(set(ranking.indices.tolist())) == k
        assert ranking.indices.min() >= 0
        assert ranking.indices.max() < len(labels)
        assert ranking.weights.shape == (k,)
        assert (ranking.weights > 0).all()
        assert all(len(column) == k for column in ranking.extra.values())


@pytest.mark.parametrize("name", CHOOSING)
@given(sizes=class_sizes, data=st.data())
@settings(max_examples=15)
def test_every_class_gets_its_quota_to_within_one_image(
    name: str, sizes: list[int], data: st.DataObject
) -> None:
    labels = labels_of(sizes)
    k = data.draw(st.integers(len(sizes), len(labels)))
    held = np.unique(labels[selected(name, labels, k, 1).indices], return_counts=True)
    share = dict(zip(*held, strict=True))
    got = np.array([share.get(label, 0) for label in np.unique(labels)])
    of_all = np.array(sizes) * k / len(labels)
    # Classes too small for an image of their own may get one; the others share what is left.
    small = (got == 1) & (of_all < 1)
    of_rest = np.array(sizes) * (k - small.sum()) / max(1, np.array(sizes)[~small].sum())
    assert min(np.abs(got - of_all).max(), np.abs(got - of_rest)[~small].max(initial=0)) <= 1


@pytest.mark.parametrize("name", CHOOSING)
def test_no_class_is_missing_where_there_is_room_for_one_image_of_each(name: str) -> None:
    labels = labels_of([60, 50, 2, 1])
    assert set(labels[selected(name, labels, 6).indices]) == set(labels)


@pytest.mark.parametrize("name", BY_FEATURES)
@pytest.mark.parametrize("factor", [2.0**70, 2.0**-70])
def test_the_scale_of_the_features_changes_no_choice(name: str, factor: float) -> None:
    labels = labels_of([30, 20])
    features = features_of(labels)
    plain = selected(name, labels, 12, features=features)
    scaled = selected(name, labels, 12, features=features * np.float32(factor))
    np.testing.assert_array_equal(scaled.indices, plain.indices)


@pytest.mark.parametrize("name", CHOOSING)
def test_equal_quotas_are_equal_as_far_as_the_classes_reach(name: str) -> None:
    labels = labels_of([40, 20, 3])
    held = np.bincount(labels[selected(name, labels, 30, quota="equal").indices], minlength=8)
    assert held[7] == 3
    assert sorted([held[1], held[4]]) == [13, 14]


@pytest.mark.parametrize("name", CHOOSING)
def test_quotas_by_class_error_give_more_to_the_harder_class(name: str) -> None:
    labels = labels_of([50, 50])
    chosen = select(
        features_of(labels), labels, 40, name, scores=scores_of(labels), quota="error",
        class_errors={1: 0.1, 4: 0.3},
    )  # fmt: skip
    assert np.abs(np.bincount(labels[chosen.indices])[[1, 4]] - [10, 30]).max() <= 1


@pytest.mark.parametrize("name", CHOOSING)
def test_the_same_seed_gives_the_same_ranking(name: str) -> None:
    labels = labels_of([60, 60])
    first, again = (selected(name, labels, 40, 5) for _ in range(2))
    np.testing.assert_array_equal(first.indices, again.indices)
    np.testing.assert_array_equal(first.weights, again.weights)


@pytest.mark.parametrize("name", CHOOSING)
def test_another_seed_gives_another_ranking_where_there_is_chance_in_it(name: str) -> None:
    labels = labels_of([60, 60])
    # Whole numbers: equal scores, which chance decides between.
    scores = {key: np.round(3 * value) for key, value in scores_of(labels).items()}
    first, other = (selected(name, labels, 40, seed, scores=scores) for seed in (5, 6))
    same = set(first.indices) == set(other.indices)
    if name in ("moderate", "d2") or not default_traits(name).chance:
        assert same, "without equal scores there is nothing left to chance"
    else:
        assert not same


@pytest.mark.parametrize("name", RANKING)
@given(sizes=class_sizes, seed=st.integers(0, 2**40))
@settings(max_examples=10)
def test_prefixes_of_a_full_ranking_are_the_smaller_selections(
    name: str, sizes: list[int], seed: int
) -> None:
    labels = labels_of(sizes)
    whole = selected(name, labels, len(labels), seed)
    for k in {1, len(labels) // 2 + 1, len(labels)}:
        if k <= len(labels):
            # But for classes so rare that the prefix has none of them.
            places = with_every_group(labels[whole.indices], k) if k >= len(sizes) else slice(k)
            smaller = selected(name, labels, k, seed)
            np.testing.assert_array_equal(whole.indices[places], smaller.indices)


@pytest.mark.parametrize(
    "name", [name for name in CHOOSING if not default_traits(name).chance] + ["moderate"]
)
def test_permuting_the_images_permutes_a_deterministic_choice(name: str) -> None:
    labels = labels_of([40, 30])
    features = features_of(labels)
    order = np.random.default_rng(3).permutation(len(labels))
    # Few: later, two images that are nearest to each other may add exactly the same.
    chosen = selected(name, labels, 12, features=features).indices
    permuted = selected(name, labels[order], 12, features=features[order]).indices
    np.testing.assert_array_equal(np.sort(order[permuted]), np.sort(chosen))


@pytest.mark.parametrize("name", CHOOSING)
@pytest.mark.parametrize(
    "case", ["duplicates", "constant", "one class", "two images", "one feature", "huge", "tiny"]
)
def test_awkward_features_still_give_k_different_images(name: str, case: str) -> None:
    labels = labels_of([12, 12])
    features = features_of(labels)
    if case == "duplicates":
        features = features[np.arange(24) % 5]
    elif case == "constant":
        features = np.full((24, 5), 7.5, np.float32)
    elif case == "one class":
        labels = np.zeros(24, int)
    elif case == "two images":
        labels, features = np.array([0, 1]), features[:2]
    elif case == "one feature":
        features = features[:, :1]
    else:
        features = features * np.float32(1e12 if case == "huge" else 1e-12)
    for k in {1, 2, len(labels) // 2, len(labels)}:
        assert len(set(selected(name, labels, k, features=features).indices)) == k


@pytest.mark.parametrize("name", BY_FEATURES)
def test_features_in_double_precision_or_in_another_layout_give_the_same(name: str) -> None:
    labels = labels_of([30, 30])
    features = features_of(labels)
    plain = selected(name, labels, 12).indices
    wide = np.zeros((60, 10), np.float32)
    wide[:, ::2] = features
    for other in (features.astype(np.float64), np.asfortranarray(features), wide[:, ::2]):
        np.testing.assert_array_equal(selected(name, labels, 12, features=other).indices, plain)


@pytest.mark.parametrize("name", BY_FEATURES)
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_features_that_are_not_finite_are_refused(name: str, value: float) -> None:
    labels = labels_of([3, 3])
    bad = features_of(labels).astype(np.float64)
    bad[4, 1] = value
    with pytest.raises(PetiteError, match=r"1 images are not finite.* row 4"):
        selected(name, labels, 2, features=bad)


@pytest.mark.parametrize("name", [n for n in CHOOSING if default_traits(n).scores])
def test_scores_that_are_missing_or_not_finite_are_refused(name: str) -> None:
    labels = labels_of([5, 5])
    wanted = default_traits(name).scores
    with pytest.raises(PetiteError, match=f"needs the score '{wanted}'"):
        select(features_of(labels), labels, 3, name)
    with pytest.raises(PetiteError, match=f"needs the score '{wanted}', got depth"):
        select(features_of(labels), labels, 3, name, scores={"depth": np.ones(10)})
    with pytest.raises(PetiteError, match=r"shape \(10,\)"):
        select(features_of(labels), labels, 3, name, scores=np.ones(9))
    scores = np.ones(10)
    scores[7] = np.nan
    with pytest.raises(PetiteError, match="not finite, the first in row 7"):
        select(features_of(labels), labels, 3, name, scores=scores)


@pytest.mark.parametrize("name", TWO_STAGE)
@pytest.mark.parametrize("k", [2, 37, 180])
def test_partitions_give_exactly_k_images_in_their_quotas(name: str, k: int) -> None:
    labels = labels_of([100, 80])
    ranking = selected(name, labels, k, partitions=4)
    assert ranking.partitions == 4
    assert len(set(ranking.indices.tolist())) == k
    held = np.bincount(labels[ranking.indices], minlength=5)[[1, 4]]
    assert np.abs(held - k * np.array([100, 80]) / 180).max() <= 1


@pytest.mark.parametrize("name", TWO_STAGE)
def test_more_partitions_than_images_do_no_harm(name: str) -> None:
    labels = labels_of([6, 5])
    assert len(set(selected(name, labels, 4, partitions=50).indices.tolist())) == 4


@pytest.mark.parametrize("name", CHOOSING)
def test_a_selection_that_cannot_keep_to_the_memory_is_refused_before_the_work(name: str) -> None:
    labels = np.zeros(3000, int)
    with pytest.raises(PetiteError, match=rf"'{name}' needs .* 10 KB.*max_memory"):
        selected(name, labels, 300, max_memory=10_000)


@pytest.mark.parametrize("name", CHOOSING)
def test_a_ranking_has_its_parameters_and_its_cost(name: str) -> None:
    labels = labels_of([6, 5])
    ranking = selected(name, labels, 4, 3)
    assert (ranking.method, ranking.seed, ranking.quota) == (name, 3, "proportional")
    assert ranking.settings == METHODS[name].settings().model_dump()
    assert ranking.seconds > 0
    assert ranking.memory > 0


def test_full_keeps_every_image_and_refuses_to_keep_fewer() -> None:
    labels = labels_of([4, 3])
    np.testing.assert_array_equal(select(None, labels, 7, "full").indices, np.arange(7))
    with pytest.raises(PetiteError, match=r"'full'.* 7 images"):
        select(None, labels, 6, "full")


@given(sizes=class_sizes, seed=st.integers(0, 2**40))
@settings(max_examples=60)
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


def test_random_draws_what_it_has_always_drawn_and_another_stream_draws_other_images() -> None:
    labels = np.repeat([0, 1, 2], [30, 20, 10])
    drawn = [select(None, labels, 12, "random", 3, stream=stream).indices for stream in (0, 1, 2)]
    assert drawn[0].tolist() == [12, 46, 5, 57, 34, 23, 19, 33, 17, 56, 37, 27]
    assert len({frozenset(indices.tolist()) for indices in drawn}) == 3
    for stream, indices in enumerate(drawn):
        again = select(None, labels, 12, "random", 3, stream=stream).indices
        assert again.tolist() == indices.tolist()
        assert np.bincount(labels[indices]).tolist() == [6, 4, 2]


def test_two_streams_of_random_share_as_many_images_as_chance_gives() -> None:
    labels = labels_of([40])
    shared = [
        len(
            np.intersect1d(
                select(None, labels, 10, "random", seed).indices,
                select(None, labels, 10, "random", seed, stream=1).indices,
            )
        )
        for seed in range(400)
    ]
    # A quarter of ten; the standard deviation of the mean is 0.06.
    assert np.mean(shared) == pytest.approx(2.5, abs=0.25)


def test_unknown_methods_and_settings_are_refused_with_what_there_is() -> None:
    labels = labels_of([3, 3])
    with pytest.raises(PetiteError, match="Did you mean 'pca_grid'"):
        select(None, labels, 2, "pca-grid")
    with pytest.raises(PetiteError, match=r"cluster: .*it has: clusters, cells"):
        select(features_of(labels), labels, 2, "pca_grid", cluster=3)
    with pytest.raises(PetiteError, match="clusters: "):
        select(features_of(labels), labels, 2, "pca_grid", clusters=0)
    with pytest.raises(PetiteError, match=r"'rank'.* proportional, equal, error"):
        select(None, labels, 2, quota="rank")
    with pytest.raises(PetiteError, match="class_errors"):
        select(None, labels, 2, quota="error")


def test_a_setting_of_another_sampler_is_refused_with_what_would_be_right() -> None:
    labels = labels_of([3, 3])
    with pytest.raises(PetiteError, match=r"bins: .*'ccs'.* 'top'"):
        select(None, labels, 2, "el2n", scores=np.ones(6), bins=5)
    with pytest.raises(PetiteError, match="score: Input should be 'el2n'"):
        select(None, labels, 2, "ccs", scores=np.ones(6), score="beauty")


@pytest.mark.parametrize("k", [0, 7, -1])
def test_more_or_fewer_images_than_there_are_are_refused(k: int) -> None:
    with pytest.raises(PetiteError, match=f"k must be a whole number of images, 1 to 6, got {k}"):
        select(None, labels_of([3, 3]), k)


def test_what_does_not_fit_is_refused() -> None:
    labels = labels_of([3, 3])
    good = features_of(labels)
    with pytest.raises(PetiteError, match="whole numbers"):
        select(None, labels + 0.5, 2)
    with pytest.raises(PetiteError, match="one label for each image"):
        select(None, np.array([], int), 1)
    with pytest.raises(PetiteError, match=r"seed must be .* got -1"):
        select(None, labels, 2, seed=-1)
    with pytest.raises(PetiteError, match=r"partitions must be .* got 0"):
        select(good, labels, 2, "herding", partitions=0)
    with pytest.raises(PetiteError, match=r"^'pca_grid'.*features"):
        select(None, labels, 2, "pca_grid")
    with pytest.raises(PetiteError, match=r"shape \(6, d\)"):
        select(good[:5], labels, 2, "pca_grid")
    with pytest.raises(PetiteError, match="must be numbers"):
        select(good.astype(str), labels, 2, "pca_grid")
