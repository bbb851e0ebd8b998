"""Methods that keep all images and see fewer: compared with the full set, and no candidates."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from test_verdicts import runs_of

from petite.evaluation.decision import recommend
from petite.evaluation.learning_curve import random_curves
from petite.evaluation.recommendation import Answers, Recommendation, SeeFewerFinding
from petite.evaluation.runs import with_bytes_of_originals, with_seen
from petite.evaluation.summary import summarize
from petite.evaluation.tables import markdown_table, terminal_table
from petite.evaluation.verdicts import EQUIVALENT, NOT_COMPARED, NOT_SHOWN, compare
from petite.evaluation.wording import Wording

MEANS = {
    ("full", 1.0): 0.95,
    ("random", 0.5): 0.90,
    ("random", 0.25): 0.85,
    ("rs2", 1.0): 0.9495,
    ("rs2_tenth", 1.0): 0.80,
}
SEEN = {"rs2": 0.5, "rs2_tenth": 0.1}


def runs_with(**means: float) -> pd.DataFrame:
    runs = runs_of({**MEANS, **{("random", 0.5): means.get("random", 0.90)}})
    return runs.assign(examples_seen=runs["method"].map(SEEN), loss=0.1)


def recommended(runs: pd.DataFrame) -> tuple[pd.DataFrame, Recommendation]:
    curves = random_curves(runs, "accuracy")
    verdicts = with_seen(compare(runs, 0.01, curves), runs)
    return verdicts, recommend(runs, verdicts, 0.01, curves.get("original"))


def test_they_are_compared_with_the_full_set_in_the_family_of_all_subsets() -> None:
    runs = runs_with()
    rows = recommended(runs)[0].set_index("method")
    assert rows.loc["rs2", "to_full"] == EQUIVALENT
    assert rows.loc["rs2_tenth", "to_full"] == NOT_SHOWN
    assert (rows.loc[list(SEEN), "verdict"] == NOT_COMPARED).all()
    fewer = compare(runs[~runs["method"].isin(SEEN)], 0.01)
    # More comparisons make all of them stricter.
    adjusted, alone = rows.loc["random", "full_loss_p_adjusted"], fewer["full_loss_p_adjusted"]
    assert (adjusted.to_numpy() >= alone.to_numpy()).all()
    assert (rows.loc[list(SEEN), "multiplier_text"] == "").all()
    assert rows["examples_seen"].to_dict() == {"random": 1, **SEEN}


def test_what_keeps_all_images_is_not_a_subset_to_keep() -> None:
    _, found = recommended(runs_with())
    assert (found.kind, found.kept.method) == ("keep_all", "full")
    _, found = recommended(runs_with(random=0.9498))
    assert (found.kind, found.kept.method, found.kept.fraction) == ("keep_subset", "random", 0.5)
    alone = runs_with()
    alone = alone[alone["method"].isin(["full", *SEEN])]
    table = with_seen(compare(alone, 0.01), alone)
    found = recommend(alone, table, 0.01)
    assert (found.kind, found.findings[0].kind) == ("keep_all", "nothing_tried")
    # The trainings of all others failed.
    left = alone[alone["method"].isin(SEEN)]
    found = recommend(left, with_seen(compare(left, 0.01), left), 0.01)
    assert (found.kind, found.findings[0].kind) == ("keep_all", "nothing_tried")
    assert found.kept is not None and found.kept.images == left["images"].max()


def test_the_answer_says_what_they_lose_and_save() -> None:
    runs = runs_with()
    _, found = recommended(runs)
    said = [one for one in found.findings if isinstance(one, SeeFewerFinding)]
    assert [(one.method, one.seen, one.verdict) for one in said] == [
        ("rs2", 0.5, EQUIVALENT),
        ("rs2_tenth", 0.1, NOT_SHOWN),
    ]
    means = runs.groupby("method")["accuracy"].mean()
    assert said[1].difference == pytest.approx(means["rs2_tenth"] - means["full"])
    seconds = runs.groupby("method")["train_seconds"].mean()
    assert (said[0].seconds, said[0].full_seconds) == (seconds["rs2"], seconds["full"])
    text = Wording(found).answer()
    assert "50% of the examples (rs2)" in text and "10% of the examples (rs2_tenth)" in text
    again = Answers.from_json(Answers({"scratch": found}).to_json()).first
    assert again == found


def test_tables_have_a_column_of_what_is_seen_only_where_something_sees_fewer() -> None:
    runs = runs_with()
    summary = with_seen(summarize(runs), runs)
    assert "| seen |" in markdown_table(summary, "tiny")
    assert "50%" in terminal_table(summary)
    plain = runs.drop(columns="examples_seen")
    table = summarize(plain)
    assert with_seen(table, plain) is table and "seen" not in markdown_table(table, "tiny")


def test_their_bytes_are_those_of_all_originals() -> None:
    runs = runs_with()
    small: Any = runs[runs["method"] == "full"].assign(method="full@64px-webp-q40")
    runs = pd.concat([runs, small.assign(encoding="64px-webp-q40", bytes=10, original_bytes=99)])
    found = with_bytes_of_originals(runs).groupby("method")["bytes"].mean()
    assert found["rs2"] == found["rs2_tenth"] == found["full"] == 99
    assert math.isnan(found["random"]) and not np.isnan(found["full@64px-webp-q40"])
