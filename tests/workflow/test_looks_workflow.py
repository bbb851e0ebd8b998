"""Seeds until decided: comparisons that are open get the seeds of the next look, and no others."""

import copy
import json
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from smallest import smallest
from test_what_is_left import due, said_of

pytestmark = pytest.mark.workflow

RESULTS = "results/tiny"
LOOKS = [6, 8, 10]
CONFIG = smallest(
    {"full": [1], "random": [0.5, 0.25], "pca_grid": [0.25], "augmentation": []},
    seeds={"looks": LOOKS, "levels": [0.033, 0.009, 0.004]},
    seeds_per_job=6,
    evidence={"tolerance": 0.02},
)


@pytest.fixture(scope="module")
def folder(snakemake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    folder: Path = tmp_path_factory.mktemp("looks")
    finished = snakemake(folder, config=CONFIG)
    said = said_of(finished)
    assert finished.returncode == 0, said
    # The jobs that the looks added count.
    last = [line for line in said.splitlines() if " jobs, " in line][-1]
    done, _, of = last.split(" jobs")[0].partition(" of ")
    assert int(of) - int(done) <= 1, said  # `all` itself has no log
    assert "jobs are left" not in said
    return folder


def seeds_of_cases(folder: Path) -> dict[tuple[str, float], int]:
    runs = pd.read_csv(folder / RESULTS / "runs.csv")
    return runs.groupby(["method", "fraction"])["training_seed"].nunique().to_dict()


def test_each_look_gives_seeds_to_what_the_last_one_left_open(folder: Path) -> None:
    expected = dict.fromkeys(
        [("full", 1.0), ("random", 0.5), ("random", 0.25), ("pca_grid", 0.25)], LOOKS[0]
    )
    for now, after in pairwise(LOOKS):
        look = folder / RESULTS / f"looks/{now}.json"
        if not look.exists():
            break
        still = json.loads(look.read_text("utf-8"))["open"]["scratch"]
        expected |= {(method, fraction): after for method, fraction in still}
    assert seeds_of_cases(folder) == expected
    # Eight steps teach so little that the first look cannot decide everything.
    assert (folder / RESULTS / f"looks/{LOOKS[0]}.json").exists()


def test_a_finished_run_with_looks_has_nothing_to_do(folder: Path, snakemake) -> None:
    said = said_of(snakemake(folder, "--dry-run", config=CONFIG))
    assert "Nothing to be done" in said, said


def test_the_answer_and_the_page_tell_the_looks(folder: Path) -> None:
    for name in ("recommendation.md", "report.html"):
        text = " ".join((folder / RESULTS / name).read_text("utf-8").split())
        assert "Looks: 6, 8, 10 seeds" in text, name
    summary = pd.read_csv(folder / RESULTS / "summary.csv")
    found = summary[summary["method"] == "pca_grid"].iloc[0]
    shown = f"{found['look']:.0f} ({found['pairs']} seeds)"
    assert found["pairs"] == LOOKS[int(found["look"]) - 1]
    for name in ("report.html", "summary.md", "summary.txt", "figures/differences.svg"):
        assert shown in (folder / RESULTS / name).read_text("utf-8"), name


def test_a_method_that_is_added_joins_at_the_first_look(folder: Path, snakemake) -> None:
    config = copy.deepcopy(CONFIG)
    config["methods"]["herding"] = {"fractions": [0.25]}
    jobs = due(snakemake(folder, "--dry-run", config=config))
    assert jobs["train"] == 1 and jobs["look"] >= 1, jobs


def test_seeds_that_are_raised_after_the_results_were_seen_make_the_verdicts_exploratory(
    folder: Path, snakemake
) -> None:
    record = json.loads((folder / RESULTS / "provenance.json").read_text("utf-8"))
    assert record["declared"]["scratch"]["declared"]["seeds"] == LOOKS[-1]
    assert record["declared"]["scratch"]["seen"] == {"seeds": [], "changes": []}
    config = CONFIG | {"seeds": {"looks": [*LOOKS, 12], "levels": [0.032, 0.009, 0.004, 0.004]}}
    finished = snakemake(folder, "--", "results/tiny/recommendation.md", config=config)
    assert finished.returncode == 0, said_of(finished)
    text = " ".join((folder / RESULTS / "recommendation.md").read_text("utf-8").split())
    before = f"The results with {LOOKS[-1]} seeds had been seen before"
    assert f"{before} another number of seeds was asked for and the looks were changed." in text
    # These tables were made without the target `all`, and the next plan is compared with theirs.
    config |= {"evidence": {"tolerance": 0.03}}
    finished = snakemake(folder, "--", "results/tiny/recommendation.md", config=config)
    assert finished.returncode == 0, said_of(finished)
    text = " ".join((folder / RESULTS / "recommendation.md").read_text("utf-8").split())
    assert "The results with 10, 12 seeds had been seen before" in text
    assert "the looks were changed and the tolerance was changed." in text
