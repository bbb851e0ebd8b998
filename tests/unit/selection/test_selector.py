"""`SubsetSelector`: the selection methods as an estimator of scikit-learn."""

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from petite.selection import SubsetSelector, select
from petite.util.errors import PetiteError

rng = np.random.default_rng(0)
LABELS = np.repeat(["cat", "dog"], [24, 16])
FEATURES = rng.normal(size=(40, 4)) + (LABELS == "dog")[:, None]


@parametrize_with_checks([SubsetSelector(), SubsetSelector(method="random")])
def test_it_passes_the_checks_of_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize(
    ("n_samples", "count"),
    [(10, 10), (0.25, 10), (np.float32(0.25), 10), (0.001, 2), (1.0, 40), (1, 1), (10.0, 10)],
)
def test_the_number_is_a_count_or_a_fraction_with_every_class(n_samples: float, count: int) -> None:
    selector = SubsetSelector(n_samples=n_samples, random_state=0).fit(FEATURES, LABELS)
    assert len(selector.sample_indices_) == len(selector.weights_) == count


def test_it_selects_what_select_does() -> None:
    settings = {"neighbors": 3}
    found = SubsetSelector(8, "typiclust", 5, settings, quota="equal", partitions=2)
    expected = select(FEATURES, LABELS, 8, "typiclust", 5, quota="equal", partitions=2, **settings)
    found.fit(FEATURES, LABELS)
    np.testing.assert_array_equal(found.sample_indices_, expected.indices)
    np.testing.assert_array_equal(found.weights_, expected.weights)


def test_scores_and_images_that_are_kept_are_given_to_fit() -> None:
    scores = np.arange(40)
    selector = SubsetSelector(4, "el2n", 0)
    selector.fit(FEATURES, LABELS, scores=scores, kept=[3])
    assert selector.sample_indices_[0] == 3
    assert set(selector.sample_indices_[1:]) == {23, 38, 39}


def test_support_is_a_mask_or_ascending_positions() -> None:
    selector = SubsetSelector(8, random_state=0).fit(FEATURES, LABELS)
    mask = selector.get_support()
    assert mask.shape == (40,) and mask.dtype == bool
    np.testing.assert_array_equal(np.flatnonzero(mask), selector.get_support(indices=True))
    np.testing.assert_array_equal(np.flatnonzero(mask), np.sort(selector.sample_indices_))


def test_data_frames_stay_data_frames_with_their_index() -> None:
    names = [f"image{number}" for number in range(40)]
    X = pd.DataFrame(FEATURES, columns=list("abcd"), index=names)
    y = pd.Series(LABELS, index=names, dtype="category")
    selector = SubsetSelector(8, random_state=0)
    X_selected, y_selected = selector.fit_resample(X, y)
    pd.testing.assert_frame_equal(X_selected, X.iloc[selector.sample_indices_])
    pd.testing.assert_series_equal(y_selected, y.iloc[selector.sample_indices_])
    assert selector.feature_names_in_.tolist() == list("abcd")


def test_without_labels_all_samples_are_one_class() -> None:
    selector = SubsetSelector(8, random_state=0).fit(FEATURES)
    expected = select(FEATURES, np.zeros(40, int), 8, "herding", 0)
    np.testing.assert_array_equal(selector.sample_indices_, expected.indices)
    X, y = selector.fit_resample(FEATURES, None)
    np.testing.assert_array_equal(X, FEATURES[expected.indices])
    assert y is None


def test_it_is_cloned_and_pickled() -> None:
    selector = SubsetSelector(8, random_state=0, settings={}).fit(FEATURES, LABELS)
    copied = pickle.loads(pickle.dumps(selector))
    np.testing.assert_array_equal(copied.get_support(), selector.get_support())
    assert clone(selector).get_params() == selector.get_params()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n_samples": 41}, "n_samples .*41"),
        ({"n_samples": 0}, "n_samples .*0"),
        ({"n_samples": 1.5}, r"n_samples .*1\.5"),
        ({"n_samples": float("nan")}, "n_samples .*nan"),
        ({"n_samples": True}, "n_samples .*True"),
        ({"n_samples": "10%"}, "n_samples .*10%"),
        ({"method": "hearding"}, "hearding.*herding"),
        ({"method": None}, "method .*None"),
        ({"settings": {"clusters": 3}}, "clusters"),
        ({"settings": {"k": 3}}, "k"),
        ({"settings": {1: 3}}, "1"),
        ({"settings": [3]}, "settings .*3"),
        ({"random_state": -1}, "seed .*-1"),
        ({"quota": "even"}, "even"),
    ],
)
def test_invalid_arguments_are_errors_of_petite_and_of_values(
    arguments: dict[str, Any], words: str
) -> None:
    selector = SubsetSelector(**arguments)
    for kind in (PetiteError, ValueError):
        with pytest.raises(kind, match=words):
            selector.fit(FEATURES, LABELS)


def test_labels_that_are_no_classes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"labels .*0\.5"):
        SubsetSelector().fit(FEATURES, np.full(40, 0.5))
    with pytest.raises(ValueError, match="nan in row 1"):
        SubsetSelector().fit(FEATURES, ["cat", float("nan")] * 20)
    with pytest.raises(ValueError, match="40"):
        SubsetSelector().fit(FEATURES, LABELS[:39])


def test_the_package_loads_neither_scikit_learn_nor_pandas_before_it_is_used() -> None:
    program = (
        "import sys, petite.selection\n"
        "assert not {'sklearn', 'scipy', 'pandas'} & set(sys.modules)\n"
        "from petite.selection import SubsetSelector\n"
        "SubsetSelector(3).fit([[0], [1], [2]])\n"
        "assert not {'snakemake', 'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
