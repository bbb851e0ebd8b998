"""The plan of a run within a budget of time."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from petite import config
from petite.config.budget import (
    BudgetPlan,
    best_cut,
    capped,
    cases_to_leave_out,
    cut_config,
    cuts_of_judges,
    in_words,
    plan_path,
    read_plan,
    seed_choices,
    write_plan,
)
from petite.config.comparisons import with_full, with_random
from petite.config.layers import command_line
from petite.config.seeds import LooksSettings
from petite.evaluation.statistics import ALPHA, least_p
from petite.forecast.cut import NOTHING, Cut
from petite.util.errors import PetiteError

DEFAULT = yaml.safe_load((Path(__file__).resolve().parents[3] / "config.yaml").read_text("utf-8"))
METHODS = {
    "full": [1],
    "random": [0.5, 0.25, 0.1],
    "pca_grid": [0.5, 0.25, 0.1],
    "augmentation": [],
    "herding": [0.25, 0.1],
}


def loaded(methods: dict[str, list[float]] = METHODS, **values: Any) -> config.Config:
    entries = {label: {"fractions": shares} for label, shares in methods.items()}
    values = {"seeds": 20, "budget": "30 min", **values}
    return config.load(DEFAULT | {"methods": entries} | values)


def seconds_for(
    one: config.Config, each: float = 10.0, fixed: float = 60.0
) -> Callable[[Cut], float]:
    """A forecast: some time in any case, and as much for each seed of each case."""

    def seconds_of(cut: Cut) -> float:
        return fixed + each * sum(cut_config(one, cut).runs.values())

    return seconds_of


# --- the setting


@pytest.mark.parametrize("text", ["30 min", "2 h", "90s", "1 h 30 min"])
def test_a_budget_is_a_time_with_its_unit(text: str) -> None:
    assert loaded(budget=text).budget == text
    assert command_line([f"budget={text}"]).values["budget"] == text


@pytest.mark.parametrize("value", [30, 1.5, True, "30", "soon", "", "0 min", [30], {}])
def test_what_is_no_time_is_refused_with_the_key(value: Any) -> None:
    with pytest.raises(PetiteError) as caught:
        loaded(budget=value)
    assert "budget: " in str(caught.value)
    assert json.dumps(value).strip('"') in str(caught.value).replace("True", "true")


def test_a_pool_alone_has_no_budget() -> None:
    with pytest.raises(PetiteError, match=r"budget: '30 min'"):
        loaded(pool={"path": "photos", "labeled": False})


# --- the rules


def test_what_fits_is_left_as_it_is() -> None:
    one = loaded(budget="10 h")
    assert best_cut(one, seconds_for(one)) == NOTHING
    assert cut_config(one, NOTHING) == one.model_copy(update={"budget": None})


def test_seeds_are_fewer_before_a_case_is_left_out() -> None:
    one = loaded(budget="25 min")
    cut = best_cut(one, seconds_for(one))
    assert cut.left_out == ()
    # 1,440 s for 9 cases of 10 s a seed
    assert cut.seeds == 16


def test_methods_go_from_the_largest_fraction_on_and_then_random_from_the_smallest() -> None:
    assert cases_to_leave_out(loaded())[-1] == (
        ("pca_grid", 0.5),
        ("herding", 0.25),
        ("pca_grid", 0.25),
        ("herding", 0.1),
        ("pca_grid", 0.1),
        ("random", 0.1),
        ("random", 0.25),
    )


def test_without_the_full_set_random_goes_with_the_last_method_of_its_fraction() -> None:
    assert cases_to_leave_out(loaded(METHODS | {"full": []}))[-1] == (
        ("pca_grid", 0.5),
        ("random", 0.5),
        ("herding", 0.25),
        ("pca_grid", 0.25),
        ("random", 0.25),
        ("herding", 0.1),
    )


def test_full_and_random_at_the_fractions_that_remain_always_stay() -> None:
    for values in ({}, {"judges": {"probe": {"fractions": [0.25, 0.1]}, "scratch": {}}}):
        one = loaded(**values)
        for left_out in cases_to_leave_out(one):
            cases = cut_config(one, Cut(None, left_out)).subsets
            assert ("full", 1.0) in cases
            assert all(("random", share) in cases for _, share in cases if share < 1)


def test_each_judge_keeps_a_comparison() -> None:
    judges = {"scratch": {}, "probe": {"fractions": [0.1]}}
    one = loaded(METHODS | {"full": []}, judges=judges)
    least = cut_config(one, Cut(None, cases_to_leave_out(one)[-1]))
    for judge in judges:
        cases = least.runs_of(judge)
        assert with_random(cases) or with_full(cases)


@pytest.mark.parametrize(
    "values", [{"export": "pca_grid:0.5"}, {"grow": {"path": "new", "kept": "pca_grid:0.5"}}]
)
def test_a_subset_that_is_named_stays(values: dict[str, Any]) -> None:
    one = loaded(**values)
    assert ("pca_grid", 0.5) not in cases_to_leave_out(one)[-1]
    cut_config(one, Cut(7, cases_to_leave_out(one)[-1]))


def test_random_stays_at_the_fraction_of_a_subset_that_is_named() -> None:
    methods = {"random": [0.1, 0.05], "pca_grid": [0.1, 0.05], "herding": [0.1]}
    one = loaded(methods, export="herding:0.1")
    assert cases_to_leave_out(one)[-1] == (
        ("pca_grid", 0.1),
        ("pca_grid", 0.05),
        ("random", 0.05),
    )
    # Without a case at its fraction, it stays only if it is named itself.
    one = loaded(methods, export="random:0.1")
    assert cases_to_leave_out(one)[2] == (("herding", 0.1), ("pca_grid", 0.1))


def test_with_the_full_set_random_stays_where_a_named_method_does() -> None:
    one = loaded(export="pca_grid:0.1")
    assert cases_to_leave_out(one)[-1][-2:] == (("random", 0.25), ("random", 0.5))
    assert ("random", 0.1) not in cases_to_leave_out(one)[-1]


@pytest.mark.parametrize("label", ["rs2", "infobatch"])
def test_what_sees_fewer_images_is_left_out_last(label: str) -> None:
    one = loaded({label: [1], **METHODS})
    steps = cases_to_leave_out(one)
    assert (label, 1.0) not in steps[-1]
    assert steps[-1][-1] == ("random", 0.5)
    both = cases_to_leave_out(loaded({"rs2": [1], "infobatch": [1], **METHODS}))[-1]
    assert both[-2:] == (("random", 0.5), ("infobatch", 1.0))


@pytest.mark.parametrize("fractions", [[0.05], [0.05, 0.1]])
def test_no_judge_is_left_without_a_case(fractions: list[float]) -> None:
    judges = {"scratch": {}, "fine_tune": {"fractions": fractions}}
    one = loaded({"full": [1], "random": [0.5, 0.1, 0.05], "herding": [0.5]}, judges=judges)
    for left_out in cases_to_leave_out(one):
        assert all(cut_config(one, Cut(None, left_out)).runs_of(judge) for judge in judges)


def test_an_export_that_was_left_out_is_refused() -> None:
    cut = Cut(7, cases_to_leave_out(loaded())[-1])
    with pytest.raises(PetiteError, match=r"export: .*'pca_grid:0.5'"):
        cut_config(loaded(export="pca_grid:0.5"), cut)


def test_the_fewest_seeds_can_decide_every_comparison_with_random() -> None:
    for methods in (METHODS, METHODS | {"full": []}, {"full": [1], "random": [0.5]}):
        one = loaded(methods)
        for left_out in cases_to_leave_out(one):
            fewest = seed_choices(one, left_out)[0]
            cases = cut_config(one, Cut(None, left_out)).runs_of("scratch")
            tests = len(with_random(cases))
            assert fewest is not None
            assert max(1, tests) * least_p(fewest) <= ALPHA


def test_seeds_that_are_few_already_are_not_cut() -> None:
    assert seed_choices(loaded(seeds=3)) == [None]
    one = loaded(seeds=20, seeds_by_fraction={1: 3})
    assert cut_config(one, Cut(12)).runs_at(1.0, "scratch") == 3


def test_the_seeds_of_each_judge_and_fraction_are_capped() -> None:
    judges = {"scratch": {"seeds": 9}, "probe": {}}
    one = loaded(judges=judges, seeds_by_fraction={0.1: 30})
    rest = cut_config(one, Cut(12))
    assert set(rest.runs_of("scratch").values()) == {9}
    assert set(rest.runs_of("probe").values()) == {12}
    assert seed_choices(one)[-2:] == [29, None]


# --- looks


@pytest.mark.parametrize(
    ("looks", "levels", "most", "found"),
    [
        ([8, 20], None, 15, [8, 15]),
        ([8, 20], None, 11, [8, 11]),
        ([8, 20], None, 10, 10),
        ([7, 10, 15, 30], None, 12, [7, 12]),
        ([7, 10, 15, 30], None, 10, [7, 10]),
        ([7, 10, 15, 30], None, 9, 9),
        ([8, 20], None, 8, 8),
        ([8, 20], None, 7, 7),
        ([8, 20], None, 20, [8, 20]),
        ([7, 10, 30], [0.03, 0.01, 0.01], 20, [7, 10, 20]),
    ],
)
def test_the_last_look_is_capped(
    looks: list[int], levels: list[float] | None, most: int, found: list[int] | int
) -> None:
    rest = capped(LooksSettings(looks=looks, levels=levels), most)
    assert (rest if isinstance(rest, int) else rest.looks) == found
    if levels and not isinstance(rest, int):
        assert rest.levels == levels
        assert sum(rest.as_looks().levels) <= ALPHA


def test_a_capped_look_can_decide_every_comparison_with_random() -> None:
    one = loaded(seeds={"looks": [8, 10, 30], "levels": [0.04, 0.004, 0.004]})
    tests = len(with_random(one.runs_of("scratch")))
    for most in seed_choices(one)[:-1]:
        rest = cut_config(one, Cut(most))
        looks = rest.looks_of("scratch")
        level = looks.levels[-1] if looks else ALPHA
        assert tests * least_p(most) <= level  # type: ignore[arg-type]
    assert 11 not in seed_choices(one)


# --- laws


CONFIGS = [
    loaded(),
    loaded(METHODS | {"full": []}),
    loaded(seeds={"looks": [8, 10, 30]}),
    loaded(judges={"scratch": {"seeds": 9}, "probe": {"fractions": [0.25, 0.1]}}),
    loaded(judges="probe", seeds_by_fraction={1: 3, 0.1: 40}),
]


def size_of(one: config.Config, cut: Cut) -> tuple[int, float]:
    return -len(cut.left_out), float("inf") if cut.seeds is None else cut.seeds


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(CONFIGS),
    st.floats(0.1, 100),
    st.integers(1, 20_000),
    st.integers(0, 20_000),
)
def test_a_plan_fits_and_more_time_never_decides_less(
    one: config.Config, each: float, budget: int, more: int
) -> None:
    seconds_of = seconds_for(one, each)
    found = []
    for seconds in (budget, budget + more):
        given_time = one.model_copy(update={"budget": f"{seconds} s"})
        try:
            cut = best_cut(given_time, seconds_of)
        except PetiteError as error:
            least = Cut(
                seed_choices(one, cases_to_leave_out(one)[-1])[0], cases_to_leave_out(one)[-1]
            )
            assert seconds_of(least) > seconds
            assert f"budget: '{seconds} s'" in str(error)
            continue
        assert seconds_of(cut) <= seconds
        found.append(cut)
    if len(found) == 2:
        assert size_of(one, found[0]) <= size_of(one, found[1])


def test_the_least_time_that_is_named_is_enough() -> None:
    one = loaded(budget="2 min")
    seconds_of = seconds_for(one)
    with pytest.raises(PetiteError) as caught:
        best_cut(one, seconds_of)
    least = str(caught.value).partition(" take ")[2].partition(":")[0]
    assert best_cut(one.model_copy(update={"budget": least}), seconds_of).left_out


# --- what is kept and said


def test_a_plan_is_read_back(tmp_path: Path) -> None:
    path = plan_path(tmp_path, loaded())
    assert read_plan(path) is None
    for settled in (False, True):
        plan = BudgetPlan("on 2 cores", 100.0, 200.0, Cut(7, (("pca_grid", 0.5),)), settled)
        write_plan(path, plan)
        assert read_plan(path) == plan


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"place": 2}', "null"])
def test_a_damaged_plan_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(PetiteError, match=r"plan\.json"):
        read_plan(path)


def test_a_plan_belongs_to_what_is_run_and_its_time(tmp_path: Path) -> None:
    path = plan_path(tmp_path, loaded())
    assert plan_path(tmp_path, loaded(budget="0.5 h")) == path
    assert plan_path(tmp_path, loaded(evidence={"tolerance": 0.02}, max_memory="1 GB")) == path
    for values in (
        {"budget": "31 min"},
        {"seeds": 21},
        {"judges": "probe"},
        {"methods": METHODS | {"herding": [0.1]}},
        {"training": {"budget": {"steps": 300}}},
        {"training_threads": 2},
        {"methods": METHODS | {"pca_grid": [0.5, 0.25]}},
    ):
        assert plan_path(tmp_path, loaded(**values)) != path


@pytest.mark.parametrize(
    "values",
    [
        {"dataset": {"source": "folder", "name": "mine", "path": "./photos"}},
        {"training_gpus": 1},
        {"export": "random:0.1"},
        {
            "methods": {name: {"fractions": own} for name, own in METHODS.items()}
            | {"rs2": {"fractions": []}}
        },
        {"training": {}},
        {"methods": {name: {"fractions": own} for name, own in METHODS.items()}},
        {"backbone": {"max_seconds": 17}},
    ],
)
def test_a_plan_belongs_to_no_setting_that_decides_nothing(
    values: dict[str, Any], tmp_path: Path
) -> None:
    written = DEFAULT | {
        "dataset": {"source": "folder", "name": "mine", "path": "photos"},
        "methods": {name: {"fractions": own} for name, own in METHODS.items()}
        | {"pca_grid": {"fractions": METHODS["pca_grid"], "tiling": "rectangle"}},
        "seeds": 20,
        "budget": "30 min",
    }
    found = plan_path(tmp_path, config.load(written | values))
    assert found == plan_path(tmp_path, config.load(written))


def test_the_answer_of_a_judge_has_what_it_lost() -> None:
    judges = {"scratch": {"seeds": 9}, "probe": {"fractions": [0.1]}}
    one = loaded(judges=judges)
    plan = BudgetPlan("on 2 cores", 1.0, 2.0, Cut(12, (("pca_grid", 0.5),)))
    found = cuts_of_judges(one, plan)
    assert (found["scratch"].seeds, found["scratch"].wanted) == (9, 9)
    assert [cut.method for cut in found["scratch"].left_out] == ["pca_grid"]
    assert (found["probe"].seeds, found["probe"].wanted) == (12, 20)
    assert found["probe"].left_out == ()
    assert cuts_of_judges(one, BudgetPlan("on 2 cores", 1.0, 1.0, NOTHING)) == {}


def test_what_is_left_out_is_said() -> None:
    said = in_words(loaded(), BudgetPlan("on 2 cores", 1.0, 7_200.0, Cut(12, (("pca_grid", 0.5),))))
    for words in ("30 min", "12 seeds", "20", "pca_grid:0.5", "2 h", "2 cores"):
        assert words in said
