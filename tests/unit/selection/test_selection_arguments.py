"""`petite.selection.select` in other programs: what they give is taken, or refused in words.

The types are those that programs around scikit-learn have at hand. Whatever an argument is, the
answer is a ranking or a PetiteError.
"""

import doctest
import math
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

import petite.selection
from petite.selection import METHODS, Ranking, select
from petite.selection.base import TRAINING_SCORES
from petite.util.errors import PetiteError

rng = np.random.default_rng(0)
LABELS = np.repeat([0, 1], [12, 8])
FEATURES = (rng.normal(size=(20, 4)) + LABELS[:, None]).round(2).astype(np.float32)
SCORES = {name: rng.random(20) for name in TRAINING_SCORES}
for array in (LABELS, FEATURES, *SCORES.values()):
    array.setflags(write=False)  # what writes to an argument fails


def selected(**changes: Any) -> Ranking:
    return select(
        **{"features": FEATURES, "labels": LABELS, "k": 6, "method": "herding", **changes}
    )


def indices(**changes: Any) -> list[int]:
    return selected(**changes).indices.tolist()


# ----------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    "six",
    [6.0, np.int8(6), np.uint64(6), np.float16(6), np.longdouble(6), np.array(6), Fraction(6)],
)
def test_whole_numbers_of_any_type_count(six: Any) -> None:
    expected = indices(k=6, seed=6, partitions=6, method="kmeans_medoid", max_memory=10**9)
    changes = {"k": six, "seed": six, "partitions": six, "method": "kmeans_medoid"}
    assert indices(**changes, max_memory=1e9) == expected
    assert isinstance(selected(**changes).seed, int)


NO_NUMBERS = [
    "20", "6 GB", True, np.True_, 6.5, math.nan, math.inf, -1, -math.inf, 1j, b"6",
    Decimal(6), np.timedelta64(6, "s"), np.datetime64("2024"), [6], np.array([6]), (), {}, pd.NA,
    pd.Series([6]), object(), print,
]  # fmt: skip


@pytest.mark.parametrize("name", ["k", "seed", "partitions", "max_memory"])
@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: type(value).__name__)
def test_what_is_no_whole_number_in_reach_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(PetiteError, match=rf"^{name} must be a whole number.*, got "):
        selected(**{name: value})


@pytest.mark.parametrize("k", [0, 21, 0.5, None, pytest.param(10**5000, id="long")])
def test_k_is_from_one_to_all_images(k: Any) -> None:
    with pytest.raises(PetiteError, match=r"^k must be a whole number of images, 1 to 20, got "):
        selected(k=k)


def test_more_partitions_and_memory_than_there_can_be_do_no_harm() -> None:
    few = indices(method="kmeans_medoid", partitions=12)
    assert indices(method="kmeans_medoid", partitions=10**5000, max_memory=10**5000) == few


# -------------------------------------------------------------------------------------- seeds


def test_no_seed_draws_one_from_numpys_global_generator_and_tells_it() -> None:
    state = np.random.get_state()  # noqa: NPY002
    try:
        np.random.seed(3)  # noqa: NPY002
        drawn = [selected(method="random", seed=seed) for seed in (None, None, np.random)]
        np.random.seed(3)  # noqa: NPY002
        again = selected(method="random", seed=None)
    finally:
        np.random.set_state(state)  # noqa: NPY002
    assert len({ranking.seed for ranking in drawn}) == 3
    assert again.seed == drawn[0].seed
    for ranking in drawn:
        assert ranking.indices.tolist() == indices(method="random", seed=ranking.seed)


@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState])
def test_a_generator_gives_another_seed_with_each_call_and_the_same_ones_again(make: Any) -> None:
    first, again = make(5), make(5)
    drawn = [selected(method="random", seed=first) for _ in range(3)]
    assert len({ranking.seed for ranking in drawn}) == 3
    for ranking in drawn:
        repeated = selected(method="random", seed=again)
        assert repeated.seed == ranking.seed
        assert repeated.indices.tolist() == ranking.indices.tolist()


def test_a_refused_call_leaves_the_generator_where_it_was() -> None:
    generator = np.random.default_rng(1)
    with pytest.raises(PetiteError):
        selected(seed=generator, k=100)
    assert generator.bit_generator.state == np.random.default_rng(1).bit_generator.state


@pytest.mark.parametrize("seed", [np.random.SeedSequence(1), np.random.PCG64(1), 0.5])
def test_other_sources_of_chance_are_refused(seed: Any) -> None:
    with pytest.raises(PetiteError, match=r"^seed must be a whole number, 0 or more, or None, or"):
        selected(seed=seed)


def test_scikit_learns_name_for_the_seed_is_answered_with_the_one_here() -> None:
    with pytest.raises(PetiteError, match="random_state is called seed here"):
        selected(random_state=0)


def test_a_seed_of_any_length_is_used_whole() -> None:
    assert indices(method="random", seed=2**70) != indices(method="random", seed=2**71)


# ------------------------------------------------------------------------------------ features

SAME = {
    "list": FEATURES.tolist(),
    "tuple of rows": tuple(map(tuple, FEATURES.tolist())),
    "float64": FEATURES.astype(np.float64),
    "longdouble": FEATURES.astype(np.longdouble),
    "big endian": FEATURES.astype(">f4"),
    "column by column": np.asfortranarray(FEATURES),
    "backwards": FEATURES[::-1][::-1],
    "every second": np.repeat(FEATURES, 2, axis=1)[:, ::2],
    "objects": FEATURES.astype(object),
    "matrix": np.matrix(FEATURES),
    "masked, none of it": np.ma.masked_array(FEATURES, np.zeros_like(FEATURES, bool)),
    "data frame": pd.DataFrame(FEATURES, index=range(50, 70), columns=list("abcd")),
    "data frame of nullable numbers": pd.DataFrame(FEATURES).astype("Float32"),
    "data frame of Arrow": pd.DataFrame(FEATURES).convert_dtypes(dtype_backend="pyarrow"),
}


@pytest.mark.parametrize("kind", SAME)
def test_features_of_any_array_like_are_the_same(kind: str) -> None:
    assert indices(features=SAME[kind]) == indices()


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.float16, bool])
def test_features_of_other_numbers_are_those_numbers(dtype: Any) -> None:
    numbers = np.abs(FEATURES * 10).astype(dtype)
    assert indices(features=numbers) == indices(features=numbers.astype(np.float32))


@pytest.mark.parametrize(
    ("features", "says"),
    [
        (FEATURES.astype(str), "must be numbers, got <U"),
        (FEATURES.astype(object) + 0j, "must be numbers, got"),
        (FEATURES + 0j, "must be numbers, got complex"),
        (np.where(FEATURES > 1, FEATURES.astype(object), "1"), "must be numbers, got '1'"),
        (np.where(FEATURES > 1, FEATURES.astype(object), None), "must be numbers, got None"),
        (np.full((20, 2), 10**400), "must be finite"),
        (np.full((20, 2), np.timedelta64(1, "s")), "must be numbers, got timedelta64"),
        (pd.DataFrame(FEATURES).assign(a=pd.NaT), "must be numbers"),
        (sparse.csr_matrix(FEATURES), r"dense array, got a csr_matrix.*toarray\(\)"),
        (sparse.coo_array(FEATURES), r"toarray\(\)"),
        (np.ma.masked_greater(FEATURES, 1), "masked"),
        ([[1, 2], [3]] * 10, "cannot be converted to an array"),
        (FEATURES[:, 0], r"shape \(20, d\).*got \(20,\)"),
        (FEATURES[:0], r"shape \(20, d\).*got \(0, 4\)"),
        (FEATURES[:, :0], r"shape \(20, d\).*got \(20, 0\)"),
        (FEATURES[:, :, None], r"got \(20, 4, 1\)"),
        ({"a": FEATURES}, r"got \(\)"),
        ((row for row in FEATURES), r"got \(\)"),
        (7, r"got \(\)"),
        ("features.npy", r"got \(\)"),
    ],
)
def test_features_that_do_not_fit_are_refused_by_name(features: Any, says: str) -> None:
    with pytest.raises(PetiteError, match=f"^features .*{says}"):
        selected(features=features)


@pytest.mark.parametrize(
    "features", [FEATURES[:5], [1] * 21, 7, sparse.eye(3), np.array(3.0), iter("")]
)
def test_features_of_other_images_are_refused_even_where_no_feature_is_needed(features) -> None:
    with pytest.raises(PetiteError, match=r"^features must have shape \(20, d\)"):
        selected(features=features, method="random")


# -------------------------------------------------------------------------------------- labels

AS_LABELS = {
    "list": LABELS.tolist(),
    "tuple": tuple(LABELS.tolist()),
    "floats": LABELS.astype(np.float16),
    "uint8": LABELS.astype(np.uint8),
    "flags": LABELS == 1,
    "nullable flags": pd.Series(LABELS == 1, dtype="boolean"),
    "flag objects": (LABELS == 1).astype(object),
    "objects": LABELS.astype(object),
    "series": pd.Series(LABELS, index=range(70, 90)),
    "nullable series": pd.Series(LABELS, dtype="Int8"),
    "column": pd.DataFrame({"y": LABELS})["y"],
    "text": np.where(LABELS == 1, "dog", "cat"),
    "list of text": ["dog" if label else "cat" for label in LABELS],
    "text objects": np.where(LABELS == 1, "dog", "cat").astype(object),
    "long text": np.where(LABELS == 1, "dog", "cat").astype(np.dtypes.StringDType()),
    "text series": pd.Series(np.where(LABELS == 1, "dog", "cat")),
    "categories": pd.Series(np.where(LABELS == 1, "dog", "cat"), dtype="category"),
    "awkward text": np.where(LABELS == 1, "nan", ""),
}


@pytest.mark.parametrize("kind", AS_LABELS)
@pytest.mark.parametrize("method", ["herding", "pca_grid", "random"])
def test_labels_of_any_type_that_tells_classes_apart_give_the_same(kind: str, method: str) -> None:
    assert indices(labels=AS_LABELS[kind], method=method) == indices(method=method)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (LABELS + 0.5, "whole numbers or text, got 0.5 in row 0"),
        (np.where(LABELS == 1, np.nan, 0), "got nan in row 12"),
        (np.where(LABELS == 1, np.inf, 0), "got inf in row 12"),
        (LABELS * 1e300, "got 1e.* in row 12"),
        (LABELS.astype(np.uint64) * np.uint64(2**63), "got 9223372036854775808 in row 12"),
        ([10**30] * 20, "got 1000.* in row 0"),
        (pd.Series(["cat", None] * 10), "got (nan|None) in row 1"),
        (pd.Series([1, None] * 10, dtype="Int64"), "got .* in row 1"),
        (np.array(["cat", 1] * 10, object), "got 1 in row 1"),
        (np.array([1, "cat"] * 10, object), "got 1 in row 0"),
        ([1, "cat"] * 10, "got 1 in row 0"),
        ([float("nan"), "cat"] * 10, "got nan in row 0"),
        (("cat", True) * 10, "got True in row 1"),
        (np.array([True, None] * 10, object), "got (True|None) in row"),
        (LABELS.astype("S1"), "got"),
        (LABELS.astype("timedelta64[s]"), "got timedelta64"),
        (LABELS.astype("datetime64[s]"), "got datetime64"),
        (LABELS + 0j, "got complex128"),
        (np.eye(20), r"shape \(n,\).*got \(20, 20\)"),
        (pd.DataFrame({"y": LABELS}), r"got \(20, 1\)"),
        ([], r"n >= 1.*got \(0,\)"),
        ([[0, 1], [0]], "cannot be converted to an array"),
        (sparse.csr_matrix(LABELS), "toarray"),
        (np.ma.masked_equal(LABELS, 1), "masked"),
        (None, r"got \(\)"),
        ("cat", r"got \(\)"),
        ({0, 1}, r"got \(\)"),
    ],
)
def test_labels_that_do_not_fit_are_refused_by_name(labels: Any, says: str) -> None:
    with pytest.raises(PetiteError, match=f"^labels .*{says}"):
        selected(labels=labels)


@pytest.mark.parametrize("count", [1, 19, 21])
@pytest.mark.parametrize("method", ["random", "herding"])
def test_labels_of_another_length_than_the_features_are_refused(count: int, method: str) -> None:
    with pytest.raises(PetiteError, match=rf"features must have shape \({count}, d\)"):
        selected(labels=np.zeros(count, int), k=1, method=method)


def test_the_grids_of_text_labels_tell_their_numbers() -> None:
    grids = selected(labels=AS_LABELS["text"], method="pca_grid").details["grids"]
    assert {grid["label"] for grid in grids} == {0, 1}


# ------------------------------------------------------------------------- scores and class errors


def test_scores_come_as_columns_of_any_table_and_as_arrays_of_any_numbers() -> None:
    expected = indices(method="aum", scores=SCORES)
    assert indices(method="aum", scores=pd.DataFrame(SCORES)) == expected
    assert indices(method="aum", scores=MappingProxyType(SCORES)) == expected
    # An array is higher for harder images; the proxy's `aum` is higher for easier ones.
    for array in (-SCORES["aum"], (-SCORES["aum"]).tolist(), pd.Series(-SCORES["aum"])):
        assert indices(method="aum", scores=array) == expected
    ranks = np.arange(20)
    assert indices(method="el2n", scores=ranks) == indices(method="el2n", scores=ranks * 1.0)


@pytest.mark.parametrize(
    ("scores", "says"),
    [
        (["high"] * 20, "scores must be numbers"),
        ([None] * 20, "scores must be numbers, got None"),
        ({1: SCORES["aum"]}, "got 1"),
        ({"el2n": "high"}, r"got \(\)"),
        (pd.DataFrame({"depth": SCORES["aum"]}), "got depth"),
        (sparse.eye(20), "toarray"),
        (7, r"shape \(20,\)"),
    ],
)
def test_scores_that_do_not_fit_are_refused(scores: Any, says: str) -> None:
    with pytest.raises(PetiteError, match=says):
        selected(method="el2n", scores=scores)


@pytest.mark.parametrize("method", [name for name in METHODS if name != "full"])
@pytest.mark.parametrize("scale", [1.7e308, 1e-308, 5e-324])
def test_scores_as_large_and_as_small_as_numbers_are_choose_k_images(method, scale) -> None:
    scores = np.where(np.arange(20) % 3, scale, -scale)
    assert len(set(indices(method=method, scores=scores))) == 6


def test_class_errors_are_looked_up_by_the_labels_that_were_given() -> None:
    errors = {"cat": np.float32(0.1), "dog": 1}
    by_name = indices(labels=AS_LABELS["text"], quota="error", class_errors=errors)
    by_number = indices(quota="error", class_errors={0: 0.1, 1.0: 1.0})
    assert by_name == by_number != indices()


@pytest.mark.parametrize(
    ("errors", "says"),
    [
        (pd.Series({0: 0.1, 1: 0.2}), r"^class_errors must be a mapping.*to_dict\(\)"),
        ([0.1, 0.2], "^class_errors must be a mapping"),
        (0.1, "^class_errors must be a mapping"),
        ({0: 0.1}, "class_errors.*: 1$"),
        ({"0": 0.1, "1": 0.2}, "class_errors.*: 0, 1$"),
        ({0: 0.1, 1: "high"}, "the class error of 1 must be a number from 0 to 1, got 'high'"),
        ({0: None, 1: 0.1}, "the class error of 0 must be a number from 0 to 1, got None"),
        ({0: True, 1: 0.1}, "got True"),
        ({0: 0.1, 1: math.nan}, "got nan"),
        ({0: 0.1, 1: [0.1]}, "got \\[0.1\\]"),
    ],
)
def test_class_errors_that_do_not_fit_are_refused(errors: Any, says: str) -> None:
    with pytest.raises(PetiteError, match=says):
        selected(quota="error", class_errors=errors)


# --------------------------------------------------------------------------------------- names


@pytest.mark.parametrize("value", [None, 3, ["random"], np.array(["random"]), b"random", {}])
@pytest.mark.parametrize("name", ["method", "quota"])
def test_names_that_are_no_text_are_refused(name: str, value: Any) -> None:
    with pytest.raises(PetiteError, match=rf"^{name} must be text, got "):
        selected(**{name: value})


def test_names_and_settings_of_numpys_types_are_what_they_hold() -> None:
    plain = selected(method="pca_grid", clusters=3)
    numpys = selected(
        method=np.str_("pca_grid"), quota=np.str_("proportional"), clusters=np.int8(3)
    )
    assert numpys.indices.tolist() == plain.indices.tolist()
    assert numpys.settings == plain.settings
    assert type(numpys.method) is type(numpys.quota) is str


@pytest.mark.parametrize("value", [np.True_, None, [3], 10**400, math.nan, "many", np.float32(2.5)])
def test_settings_that_do_not_fit_are_refused(value: Any) -> None:
    with pytest.raises(PetiteError, match="clusters"):
        selected(method="pca_grid", clusters=value)


@pytest.mark.parametrize("method", METHODS)
def test_a_caller_who_asks_numpy_for_errors_gets_the_same(method: str) -> None:
    # One image so far off that its likeness to others is less than the least float32.
    features = np.concatenate([FEATURES[:-1], np.full((1, 4), 1e6, np.float32)])
    k = 20 if method == "full" else 6
    usual = indices(method=method, features=features, k=k, scores=SCORES)
    with np.errstate(all="raise"):
        assert indices(method=method, features=features, k=k, scores=SCORES) == usual


# --------------------------------------------------------------------------- anything at all

anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 25),
    st.floats(),
    st.floats(-1, 25).map(round).map(float),
    st.fractions(0, 25, max_denominator=2),
    st.text(max_size=3),
    st.sampled_from([*NO_NUMBERS, "random", "herding", "equal", "error", np.int64(3), np.array(4)]),
    st.lists(st.integers(0, 2) | st.floats() | st.text(max_size=2), min_size=18, max_size=21),
    st.integers(0, 99).map(np.random.default_rng),
    st.integers(0, 99).map(np.random.RandomState),
    st.sampled_from([*SAME.values(), *AS_LABELS.values(), *SCORES.values()]),
    st.sampled_from([pd.DataFrame(SCORES), sparse.csr_matrix(FEATURES), FEATURES[:7], LABELS[:7]]),
    st.builds(
        lambda dtype, shape, value: np.full(shape, value).astype(dtype),
        st.sampled_from([*"bB?iIqQefdgFO", "U3", "S3"]),
        st.sampled_from([(), (20,), (20, 1), (20, 4), (4, 20), (0,), (20, 0), (20, 2, 2)]),
        st.sampled_from([0, 1, 3]),
    ),
    st.dictionaries(st.integers(0, 1) | st.text(max_size=2), st.floats() | st.text(max_size=2)),
)
ARGUMENTS = [
    "features", "labels", "k", "seed", "scores", "quota", "class_errors", "partitions", "max_memory"
]  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("method", METHODS)
@given(changes=st.dictionaries(st.sampled_from(ARGUMENTS), anything, min_size=1, max_size=3))
@settings(max_examples=60)
def test_whatever_is_given_the_answer_is_a_ranking_or_a_petite_error(
    method: str, changes: dict[str, Any]
) -> None:
    k = 20 if method == "full" else 6
    errors = {0: 0.1, 1: 0.3}
    arguments = {"scores": SCORES, "k": k, "class_errors": errors} | changes
    try:
        ranking = selected(method=method, **arguments)
    except PetiteError as error:
        assert str(error)
        return
    assert ranking.indices.dtype == np.int64
    assert ranking.indices.shape == ranking.weights.shape == (int(arguments["k"]),)
    assert len(set(ranking.indices.tolist())) == len(ranking.indices)
    assert set(ranking.indices.tolist()) <= set(range(20))
    assert type(ranking.seed) is int


def test_the_examples_of_the_library_hold() -> None:
    result = doctest.testmod(petite.selection)
    assert result.attempted and not result.failed


def test_the_examples_of_the_docs_hold() -> None:
    docs = Path(__file__).resolve().parents[3] / "docs/methods.md"
    names: dict[str, Any] = {}
    for example in re.findall(r"```python\n(.*?)```", docs.read_text("utf-8"), re.DOTALL):
        exec(example, names)
    assert len(names["kept"]) == len(names["y_kept"]) == 100
    assert set(names["kept"]) == set(names["y_kept"]) == {"cat", "dog"}
