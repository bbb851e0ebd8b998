"""The means of what is done, before all is."""

import json
import os
from pathlib import Path

import pandas as pd
import pytest

from petite.watch.so_far import Case, SoFar, Start, open_in_words

CONFUSION = json.dumps([[8, 2], [1, 9]])


def write_runs(case: Case, first: int, accuracies: list[float], confusion: str = CONFUSION) -> None:
    runs = pd.DataFrame({"accuracy": accuracies, "images": 10, "confusion": confusion})
    runs["method"], runs["fraction"] = case.method, case.fraction
    runs["training_seed"] = range(first, first + len(accuracies))
    case.folder.mkdir(parents=True, exist_ok=True)
    runs.to_csv(case.folder / f"seeds-{first}-{first + len(accuracies) - 1}.csv", index=False)
    # Another file of the same job.
    pd.DataFrame({"epoch": [1]}).to_csv(case.folder / f"seeds-{first}-9.history.csv")


@pytest.fixture
def cases(tmp_path: Path) -> dict[tuple[str, float], Case]:
    named = [("full", 1.0), ("random", 0.1), ("herding", 0.1), ("random", 0.5)]
    return {
        (name, share): Case("scratch", name, share, 3, tmp_path / f"{name}/{share}")
        for name, share in named
    }


def test_a_case_without_runs_has_no_row_and_the_others_are_ordered_as_in_the_summary(cases):
    so_far = SoFar(list(cases.values()), "accuracy")
    assert so_far.table().empty
    write_runs(cases["herding", 0.1], 0, [0.5, 0.7])
    write_runs(cases["random", 0.5], 0, [0.9])
    table = so_far.table()
    assert list(table["method"]) == ["random", "herding"]
    assert list(table["done"]) == [1, 2] and set(table["seeds"]) == {3}
    assert table["score"].tolist() == pytest.approx([0.9, 0.6])


def test_a_fraction_is_told_once_all_its_methods_have_all_seeds(cases):
    so_far = SoFar(list(cases.values()), "accuracy")
    write_runs(cases["random", 0.1], 0, [0.8, 0.8, 0.8])
    write_runs(cases["herding", 0.1], 0, [0.5, 0.7])
    assert so_far.at("scratch", 0.1) == ""
    write_runs(cases["herding", 0.1], 2, [0.9])
    said = so_far.at("scratch", 0.1)
    assert said.index("random 80.0") < said.index("herding 70.0") and "all images" not in said
    write_runs(cases["full", 1.0], 0, [0.95] * 3)
    assert "all images 95.0" in so_far.at("scratch", 0.1)
    assert so_far.at("scratch", 0.5) == so_far.at("scratch", 1.0) == so_far.at("probe", 0.1) == ""


def test_files_of_an_earlier_run_count_only_where_the_run_at_work_keeps_them(cases):
    so_far, case = SoFar(list(cases.values()), "accuracy"), cases["random", 0.1]
    write_runs(case, 0, [0.2])
    write_runs(case, 1, [0.8, 0.8])
    for path in case.folder.glob("*.csv"):
        os.utime(path, (100, 100))
    kept = case.folder / "seeds-1-2.csv"
    so_far.start = Start(200.0, frozenset([kept]))
    assert so_far.table()[["done", "score"]].to_numpy().tolist() == [[2, 0.8]]
    write_runs(case, 0, [0.5])
    assert so_far.table()[["done", "score"]].to_numpy().tolist() == [[3, pytest.approx(0.7)]]


def test_a_seed_in_two_files_counts_once_and_one_above_those_of_the_run_not_at_all(cases):
    so_far, case = SoFar(list(cases.values()), "accuracy"), cases["random", 0.1]
    write_runs(case, 0, [0.2, 0.2, 0.2, 0.2, 0.2])
    os.utime(case.folder / "seeds-0-4.csv", (100, 100))
    write_runs(case, 0, [0.8, 0.8])
    assert so_far.table()[["done", "score"]].to_numpy().tolist() == [[3, pytest.approx(0.6)]]


def test_unequal_classes_are_told_in_balanced_accuracy(cases):
    so_far = SoFar(list(cases.values()), "auto")
    write_runs(cases["random", 0.1], 0, [0.9], json.dumps([[90, 0], [10, 0]]))
    [row] = so_far.table().itertuples()
    assert (row.metric, row.score) == ("balanced accuracy", 0.5)


def test_a_look_names_what_it_left_open_but_not_what_that_is_compared_with():
    still = {"scratch": [["random", 0.1], ["pca_grid", 0.1]]}
    said = open_in_words(8, still)
    assert "8 seeds" in said and "pca_grid at 10%" in said and "random" not in said
    assert "random" in open_in_words(8, {"scratch": [["random", 0.1]]})
    assert "no comparison" in open_in_words(20, {"scratch": []})
