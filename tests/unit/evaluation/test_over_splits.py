"""Several splits: the interval that accounts for their overlap, the table, and the answer."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from petite.evaluation.declared import Seen
from petite.evaluation.recommendation import Answers, OverSplits
from petite.evaluation.rendering import as_markdown
from petite.evaluation.sentences import shown
from petite.evaluation.splits import (
    ALL,
    OneSplit,
    in_the_answer,
    interval_over_splits,
    of_all_judges,
    over_splits,
)
from petite.evaluation.verdicts import BETTER, WORSE
from petite.util.files import read_json

RECORDED = Path(__file__).parents[1] / "report" / "recommendations"


def runs_of(split_seed: int, accuracies: dict[tuple[str, float], list[float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "method": method,
                "fraction": fraction,
                "split_seed": split_seed,
                "training_seed": seed,
                "images": round(100 * fraction),
                "accuracy": accuracy,
                "balanced_accuracy": accuracy,
                "macro_f1": accuracy,
            }
            for (method, fraction), values in accuracies.items()
            for seed, accuracy in enumerate(values)
        ]
    )


def split_of(split_seed: int, gain: float, training: int = 100, test: int = 25) -> OneSplit:
    runs = runs_of(
        split_seed,
        {
            ("full", 1.0): [0.9, 0.9],
            ("random", 0.5): [0.8, 0.7],
            ("herding", 0.5): [0.8 + gain, 0.7 + gain],
        },
    )
    return OneSplit(runs, training, test)


def table_of(gains: list[float]) -> pd.DataFrame:
    splits = [split_of(seed, gain) for seed, gain in enumerate(gains)]
    return over_splits(splits, tolerance=0.01, metric_setting="accuracy")


def test_the_variance_over_splits_is_that_of_nadeau_and_bengio():
    values = np.array([0.01, 0.04, 0.02, 0.05, 0.03])
    variance = values.var(ddof=1) * (1 / 5 + 0.25)
    expected = stats.t(4, values.mean(), math.sqrt(variance)).interval(0.95)
    assert interval_over_splits(values, 0.25) == pytest.approx(expected)


def test_one_split_has_no_interval():
    assert np.isnan(interval_over_splits([0.02], 0.25)).all()


def test_the_table_has_each_split_and_all_of_them_for_each_comparison():
    table = table_of([0.02, 0.03, 0.04])
    assert set(zip(table["method"], table["against"], strict=True)) == {
        ("herding", "random"),
        ("herding", "full"),
        ("random", "full"),
    }
    own = table[(table["method"] == "herding") & (table["against"] == "random")]
    assert own["split"].tolist() == ["1", "2", "3", ALL]
    assert own["difference"].tolist() == pytest.approx([0.02, 0.03, 0.04, 0.03])
    assert own["split_seed"].iloc[:3].tolist() == [0, 1, 2]
    assert own["pairs"].tolist() == [2, 2, 2, 6]
    low, high = interval_over_splits([0.02, 0.03, 0.04], 25 / 100)
    assert own[["low", "high"]].iloc[-1].tolist() == pytest.approx([low, high])
    assert own[["low", "high", "p_value", "verdict"]].iloc[:3].isna().all(axis=None)


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [
        ([0.02, 0.021, 0.022], "better"),
        ([-0.02, -0.021, -0.022], "worse"),
        ([-0.02, 0.03, 0.04], "not distinguishable"),
        ([0.0, 0.0, 0.0], "not distinguishable"),
    ],
)
def test_the_verdict_against_random_is_that_of_all_splits(gains, verdict):
    table = table_of(gains)
    own = table[(table["against"] == "random") & (table["split"] == ALL)]
    assert own["verdict"].tolist() == [verdict]


def test_p_is_adjusted_for_the_comparisons_of_its_kind():
    table = table_of([0.200, 0.201, 0.202])
    own = table[(table["against"] == "full") & (table["split"] == ALL)].set_index("method")
    assert own["p_adjusted"]["herding"] == pytest.approx(2 * own["p_value"]["herding"])
    assert own["verdict"].to_dict() == {"herding": "not worse", "random": "not shown"}


def test_a_comparison_that_a_split_lacks_is_left_out():
    lacking = split_of(1, 0.02)
    lacking = lacking._replace(runs=lacking.runs[lacking.runs["method"] != "full"])
    table = over_splits([split_of(0, 0.02), lacking], 0.01, "accuracy")
    assert set(table["against"]) == {"random"}


def test_the_answer_has_the_rows_of_its_judge_over_all_splits():
    splits = [split_of(seed, 0.02) for seed in range(3)]
    table = of_all_judges({"scratch": splits, "probe": splits[:2]}, 0.01, "accuracy")
    assert {one.splits for one in in_the_answer(table, "scratch")} == {3}
    assert {one.splits for one in in_the_answer(table, "probe")} == {2}
    one = next(one for one in in_the_answer(table, "probe") if one.against == "random")
    assert (one.method, one.fraction) == ("herding", 0.5)
    assert one.mean == pytest.approx(0.02)


KEPT = Answers.from_json(read_json(RECORDED / "keep_subset.json")).first


@pytest.mark.parametrize("kind", ["random", "full"])
def test_the_answer_names_the_splits_and_where_they_disagree(kind):
    compared = next(one for one in KEPT.comparisons if getattr(one, kind))
    first = getattr(compared, kind).verdict
    nothing_shown = "not distinguishable" if kind == "random" else "not shown"
    something = "better" if kind == "random" else "not worse"
    other = nothing_shown if shown(first) else something
    for verdict, disagrees in ((shown(first) or nothing_shown, False), (other, True)):
        case = compared.method, compared.fraction
        over = OverSplits(*case, kind, 5, 0.02, (0.01, 0.03), verdict)
        said = " ".join(as_markdown(replace(KEPT, over_splits=(over,))).split())
        assert "ver 5 splits" in said
        assert "Other splits were not tried" not in said
        assert ("in the first split" in said) == disagrees
        assert "The splits disagree" not in said  # to show nothing is not to disagree


def test_splits_with_contrary_verdicts_disagree():
    compared = next(one for one in KEPT.comparisons if one.random and shown(one.random.verdict))
    contrary = WORSE if compared.random.verdict == BETTER else BETTER
    over = OverSplits(compared.method, compared.fraction, "random", 5, 0.02, (0.01, 0.03), contrary)
    said = " ".join(as_markdown(replace(KEPT, over_splits=(over,))).split())
    assert "The splits disagree" in said


def test_models_that_learned_nothing_have_no_verdicts_in_any_split():
    found = Answers.from_json(read_json(RECORDED / "nothing_learned.json")).first
    [compared] = [one for one in found.comparisons if one.full][:1]
    case = compared.method, compared.fraction
    over = OverSplits(*case, "full", 2, 0.0, (-0.1, 0.1), "not shown")
    said = " ".join(as_markdown(replace(found, over_splits=(over,))).split())
    assert "verdicts are those of" not in said and "ver 2 splits" not in said
    assert "The 2 splits are not compared" in said


@pytest.mark.parametrize(
    ("changes", "are_verdicts", "are_splits"),
    [(("splits",), False, True), (("seeds", "splits"), True, True), (("seeds",), True, False)],
)
def test_another_number_of_splits_makes_exploratory_what_is_said_of_all(
    changes, are_verdicts, are_splits
):
    over = OverSplits("random", 0.1, "full", 5, 0.0, (-0.01, 0.01), "not worse")
    basis = replace(KEPT.basis, seen=Seen((7,), changes))
    said = " ".join(as_markdown(replace(KEPT, over_splits=(over,), basis=basis)).split())
    assert ("number of splits was changed" in said) == are_splits
    assert ("7 seeds had been seen before" in said) == are_verdicts
    # Of a run that went back to one split, nothing is said of all.
    assert "number of splits" not in as_markdown(replace(KEPT, basis=basis))


def test_of_one_split_the_answer_says_that_no_other_was_tried():
    said = as_markdown(KEPT)
    assert "Other splits were not tried" in said and "disagree" not in said
