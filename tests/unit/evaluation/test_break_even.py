"""What the search for a subset cost, and after how many trainings it has paid."""

import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from petite.evaluation.costs import Embedding, break_even
from petite.evaluation.recommendation import Answers, Kept, Ledger, Recommendation
from petite.evaluation.rendering import as_markdown
from petite.util.files import read_json

RECORDED = Path(__file__).parents[1] / "report" / "recommendations"
SEEDS = 6
SUBSET = Kept("herding", 0.1, seed=0, images=100)
ALL = Kept("full", 1.0, seed=0, images=1000)


def runs_of(seconds: dict[str, float], budget: str = "10 epochs", **other: float) -> pd.DataFrame:
    """Six runs of each method: of the full set, and of a tenth of it, with these seconds."""
    rows = [
        {
            **{"judge": "scratch", "method": method, "fraction": 1.0 if method == "full" else 0.1},
            **{"split_seed": 0, "training_seed": seed, "selection_seed": seed, "budget": budget},
            "train_seconds": took + 0.01 * (seed % 2) * (1 if method == "full" else -1),
            **{"select_seconds": 0.0, "proxy_seconds": 0.0},
            **{"images": 1000 if method == "full" else 100, "stored_bytes": 10**6},
            **{"rows": 1000 if method == "full" else 100},
            **other,
        }
        for method, took in seconds.items()
        for seed in range(SEEDS)
    ]
    return pd.DataFrame(rows)


def said(ledger: Ledger) -> str:
    found = Answers.from_json(read_json(RECORDED / "keep_subset.json")).first
    assert isinstance(found, Recommendation)
    return as_markdown(replace(found, ledger=ledger)).split("What it cost")[1].split("##")[0]


def test_a_search_pays_after_as_many_trainings_as_save_its_cost() -> None:
    runs = runs_of({"full": 60.0, "random": 6.0, "herding": 6.0})
    ledger = break_even(runs, SUBSET)
    assert ledger.trainings == 18
    assert ledger.search_seconds == pytest.approx(SEEDS * 72, abs=0.1)
    assert ledger.saved_seconds == pytest.approx(54, abs=0.1)
    assert ledger.break_even == math.ceil(432 / 54)
    assert (ledger.seconds, ledger.full_seconds) == pytest.approx((6, 60), abs=0.1)
    text = said(ledger)
    assert "The search cost 7 min (18 trainings" in text and "pays after 8 trainings" in text


def test_selections_count_once_for_each_method_and_proxies_once_for_each_seed() -> None:
    runs = runs_of({"full": 1.0, "herding": 1.0, "el2n": 1.0})
    runs.loc[runs["method"] == "herding", "select_seconds"] = 100.0
    runs.loc[runs["method"] == "el2n", ["select_seconds", "proxy_seconds"]] = [50.0, 40.0]
    trainings = runs["train_seconds"].sum()
    # The proxy's network is of one seed: six of them, and another ten seconds.
    expected = trainings + 100 + SEEDS * 40 + 10
    assert break_even(runs, SUBSET).search_seconds == pytest.approx(expected)


def test_embedding_the_images_counts_once_though_judge_features_and_proxy_need_it() -> None:
    runs = runs_of({"full": 1.0, "herding": 1.0, "moderate": 1.0, "el2n": 1.0})
    trainings = runs["train_seconds"].sum()
    # 100 s are the training images, in the features of two methods and in each seed's proxy.
    runs.loc[runs["method"].isin(["herding", "moderate"]), "select_seconds"] = 102.0
    runs.loc[runs["method"] == "el2n", ["select_seconds", "proxy_seconds"]] = [104.0, 103.0]
    embedding = Embedding(130.0, 100.0, frozenset({"herding", "moderate"}), of_proxy=True)
    expected = trainings + 130 + 2 + 2 + 1 + SEEDS * 3
    ledger = break_even(runs, SUBSET, embedding)
    assert ledger.search_seconds == pytest.approx(expected)
    assert ledger.embedding_seconds == 130
    assert "2 min of embedding" in said(ledger)


@pytest.mark.parametrize(
    ("judge", "seconds"),
    [("scratch", 0.0), ("scratch_soft", 0.0), ("probe", 130.0), ("probe_soft", 130.0)],
)
def test_a_judge_that_needs_no_embeddings_did_not_search_with_them(
    judge: str, seconds: float
) -> None:
    runs = runs_of({"full": 1.0, "random": 1.0}).assign(judge=judge)
    ledger = break_even(runs, None, Embedding(130.0, 100.0, frozenset({"herding"})))
    assert ledger.embedding_seconds == seconds
    assert ledger.search_seconds == pytest.approx(runs["train_seconds"].sum() + seconds)


def test_the_search_is_that_of_all_splits() -> None:
    runs = runs_of({"full": 60.0, "random": 6.0, "herding": 6.0})
    alone, three = break_even(runs, SUBSET), break_even(runs, SUBSET, other_splits=[runs, runs])
    assert three.trainings == 54 and three.splits == 3
    assert three.search_seconds == pytest.approx(3 * (alone.search_seconds or 0))
    assert (three.break_even or 0) > (alone.break_even or 0)
    assert "54 trainings in 3 splits" in said(three) and "splits" not in said(alone)


def test_at_a_fixed_number_of_steps_a_subset_saves_bytes_and_labels_and_not_time() -> None:
    runs = runs_of({"full": 60.0, "herding": 59.0}, budget="200 steps")
    ledger = break_even(runs, SUBSET)
    assert ledger.same_steps and ledger.saved_seconds == 0 and ledger.break_even is None
    assert ledger.epochs_saved_seconds == pytest.approx(54, abs=0.1)
    assert ledger.epochs_break_even == math.ceil(SEEDS * 119 / 54)
    text = said(ledger)
    assert "not time (100 instead of 1,000 images" in text
    assert "At equal epochs" in text and "pay after 14 trainings" in text


def test_a_difference_that_the_seeds_do_not_show_saves_nothing() -> None:
    runs = runs_of({"full": 6.0, "herding": 6.0})
    runs["train_seconds"] += [1, -1, 2, -2, 3, -3, -1, 1, -2, 2, -3, 4]
    ledger = break_even(runs, SUBSET)
    assert ledger.saved_seconds == 0 and ledger.break_even is None
    assert ledger.epochs_saved_seconds is None
    assert "not shown to take less time" in said(ledger)
    slower = break_even(runs_of({"full": 6.0, "herding": 8.0}), SUBSET)
    assert slower.saved_seconds == 0 and slower.break_even is None


@pytest.mark.parametrize("kept", [None, ALL])
def test_without_a_subset_only_the_cost_of_the_search_is_said(kept) -> None:
    ledger = break_even(runs_of({"full": 60.0, "herding": 6.0}), kept)
    assert ledger.images is None and ledger.break_even is None
    assert "The search cost" in said(ledger) and "no subset is recommended" in said(ledger)


def test_without_the_full_set_what_is_saved_is_unknown() -> None:
    ledger = break_even(runs_of({"random": 6.0, "herding": 6.0}), SUBSET)
    assert ledger.full_seconds is None and ledger.saved_seconds is None
    assert "unknown" in said(ledger)


def test_a_program_that_does_not_say_how_long_it_took_leaves_no_sentence() -> None:
    runs = runs_of({"full": 60.0, "herding": 6.0})
    runs.loc[3, "train_seconds"] = math.nan
    ledger = break_even(runs, SUBSET)
    assert ledger.search_seconds is None and ledger.break_even is None
    found = Answers.from_json(read_json(RECORDED / "keep_subset.json")).first
    assert "What it cost" not in as_markdown(replace(found, ledger=ledger))


def test_one_seed_has_no_interval_and_its_difference_counts() -> None:
    runs = runs_of({"full": 60.0, "herding": 6.0})
    ledger = break_even(runs[runs["training_seed"] == 0], SUBSET)
    assert ledger.break_even == 2
