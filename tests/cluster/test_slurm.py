"""The workflow on a real Slurm: the same tables as without it, also after failures of jobs."""

import json
import os
import re
import signal
from pathlib import Path

import pandas as pd
import pytest
from loopback import LoopbackSlurm, wait_until
from runs import TABLES, TINY, Run

from petite.evaluation.wording import LEDGER

pytestmark = pytest.mark.cluster

# Times and memory differ between runs.
VARYING = re.compile("second|memory")
CSV_TABLES = ["runs", "history", "summary", "verdicts", "costs"]


def tables(run: Run) -> dict[str, str | bytes]:
    """Every table of a run by its name: CSV files without what varies, the others as they are."""
    found: dict[str, str | bytes] = {}
    for name in CSV_TABLES:
        table = pd.read_csv(run.results / f"{name}.csv", dtype=str, keep_default_na=False)
        varying = [column for column in table.columns if VARYING.search(column)]
        found[name] = table.drop(columns=varying).to_csv(index=False)
    answer = (run.results / "recommendation.md").read_text("utf-8")
    found["recommendation.md"] = re.sub(rf"## {LEDGER}.*?(?=\n## |\Z)", "", answer, flags=re.S)
    paths = [run.results / "store/index.parquet"]
    for pattern in ("splits/*.parquet", "subsets/**/*.parquet", "runs/**/*.predictions.npz"):
        paths += sorted(run.results.glob(pattern))
    for path in paths:
        found[path.relative_to(run.results).as_posix()] = path.read_bytes()
    return found


def assert_same_tables(run: Run, reference: Run) -> None:
    ours, theirs = tables(run), tables(reference)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []


def test_the_tables_are_those_of_a_local_run(slurm_run, local_run):
    # CSV files; recommendation, index and split; a file of subsets for each method; predictions.
    assert len(tables(local_run)) == 5 + 3 + 4 + 4
    assert_same_tables(slurm_run, local_run)


def test_short_jobs_share_a_slurm_job_and_trainings_have_their_own(slurm_run):
    folders = re.findall(r"SLURM jobid \d+ \(log: .*/slurm-logs/(\w+)/", slurm_run.said)
    assert sorted(folders) == sorted(
        ["rule_listing", "rule_ingest", "rule_ingest", "group_prepare_cues_features_index_split"]
        + ["group_choose_augment_rank_subset"]
        + 4 * ["rule_train"]
        + ["rule_summarize", "group_report_figures_provenance_report"]
    )


def test_a_group_asks_for_what_one_of_its_jobs_needs(slurm_run, slurm):
    ours = {name: slurm.details(job) for job, name in slurm.jobs("COMPLETED").items()}
    asked = {
        name.removeprefix("rule_").split("_")[0]: dict(
            item.split("=") for item in details["TRES"].split(",")
        )
        for name, details in ours.items()
    }
    assert (asked["prepare"]["cpu"], asked["choose"]["cpu"]) == ("2", "1")
    assert int(asked["choose"]["mem"].removesuffix("M")) < 1000


def test_each_slurm_job_leaves_a_log_where_snakemake_says(slurm_run):
    logs = re.findall(r"SLURM jobid \d+ \(log: (.*)\)\.$", slurm_run.said, re.M)
    assert len(logs) == 11
    for log in logs:
        assert log.startswith(f"{slurm_run.folder}/results/slurm-logs/")
        assert "(100%) done" in Path(log).read_text("utf-8")


@pytest.fixture(scope="module")
def troubled(
    untrained, slurm: LoopbackSlurm, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Run, dict[str, str]]:
    """A run whose three trainings go wrong, each in its way, and their first Slurm jobs."""
    methods = ("random", "pca_grid", "augmentation")
    run = untrained(tmp_path_factory.mktemp("troubled"), *methods)
    little = 'train:mem_mb=(450 if wildcards.method == "random" else 1500) * attempt ** 2'
    short = 'train:runtime=1 if attempt == 1 and wildcards.method == "augmentation" else 60'
    snakemake = run.start("--set-resources", little, short, "--", TABLES)
    jobs = {method: run.job(method) for method in methods}
    slurm.run("scancel", jobs["pca_grid"])
    hanging = jobs["augmentation"]
    wait_until(lambda: slurm.processes(hanging), "its processes", lambda: run.said)
    for pid in slurm.processes(hanging):
        os.kill(pid, signal.SIGSTOP)
    assert snakemake.wait() == 0, run.said
    return run, jobs


def last_try(run: Run, slurm: LoopbackSlurm, first: str) -> dict[str, str]:
    """What Slurm knows of the job that did in the end what a first job failed to do."""
    failed = slurm.details(first)
    again = [slurm.details(job) for job in slurm.jobs("COMPLETED") if int(job) > int(first)]
    return next(job for job in again if job["Comment"] == failed["Comment"])


def test_a_job_over_its_memory_is_killed_and_passes_with_more(troubled, slurm, local_run):
    run, jobs = troubled
    killed, passed = slurm.details(jobs["random"]), last_try(run, slurm, jobs["random"])
    assert killed["JobState"] in ("FAILED", "OUT_OF_MEMORY")
    assert "memory limit" in Path(killed["StdOut"]).read_text("utf-8")
    assert ("mem=450M" in killed["TRES"], "mem=1800M" in passed["TRES"]) == (True, True)
    assert_same_tables(run, local_run)


def test_a_job_over_its_time_is_killed_and_passes_with_more(troubled, slurm, local_run):
    run, jobs = troubled
    killed, passed = slurm.details(jobs["augmentation"]), last_try(run, slurm, jobs["augmentation"])
    assert killed["JobState"] == "TIMEOUT"
    assert (killed["TimeLimit"], passed["TimeLimit"]) == ("00:01:00", "01:00:00")
    assert_same_tables(run, local_run)


def test_a_canceled_job_is_done_again(troubled, slurm, local_run):
    run, jobs = troubled
    assert slurm.details(jobs["pca_grid"])["JobState"] == "CANCELLED"
    assert last_try(run, slurm, jobs["pca_grid"])
    assert_same_tables(run, local_run)


def test_a_training_gets_the_gpus_that_the_config_asks_for(troubled, slurm):
    _, jobs = troubled
    assert slurm.details(jobs["random"])["TresPerJob"] == "gres:gpu:1"


def test_a_job_outlives_a_restart_of_its_nodes_daemon(
    untrained, slurm, local_run, loaded_python, tmp_path
):
    run = untrained(tmp_path, "random", python=loaded_python)
    snakemake = run.start("--", TABLES)
    job = run.job("random")
    slurm.stop_node()
    slurm.start_node()
    assert snakemake.wait() == 0, run.said
    assert slurm.details(job)["JobState"] == "COMPLETED"
    assert_same_tables(run, local_run)


def test_looks_give_more_seeds_to_what_is_open(untrained, loaded_python, tmp_path):
    run = untrained(tmp_path, python=loaded_python)
    fractions = {"random": [0.1], "pca_grid": [0.1], "full": [], "augmentation": []}
    run.config = TINY | {
        "methods": {method: {"fractions": own} for method, own in fractions.items()},
        "seeds": {"looks": [6, 7], "levels": [0.032, 0.016]},
        "seeds_per_job": 6,
    }
    run.finish("--", TABLES)
    still = json.loads((run.results / "looks/6.json").read_text("utf-8"))["open"]["scratch"]
    seeds = pd.read_csv(run.results / "runs.csv").groupby("method")["training_seed"].nunique()
    expected = {method: 6 + ([method, 0.1] in still) for method in ("random", "pca_grid")}
    assert seeds.to_dict() == expected
    assert "rule_look" in re.findall(r"/slurm-logs/(\w+)/", run.said)
    record = json.loads((run.results / "declared.json").read_text("utf-8"))["scratch"]
    assert record["declared"]["looks"]["seeds"] == [6, 7] and not record["seen"]["changes"]


def test_several_splits_are_compared_in_one_slurm_job(untrained, loaded_python, tmp_path):
    run = untrained(tmp_path, python=loaded_python)
    run.config = TINY | {"split": {"repeats": 2}}
    run.finish("--", TABLES)
    table = pd.read_csv(run.results / "splits.csv", dtype={"split": str})
    assert set(table["split"]) == {"1", "2", "all"}
    assert set(table["method"]) == {"random", "pca_grid", "augmentation"}
    folders = re.findall(r"SLURM jobid \d+ \(log: .*/slurm-logs/(\w+)/", run.said)
    assert folders.count("group_compare_split_runs_splits") == 1
    assert folders.count("rule_train") == 4  # of the second split


def test_a_run_goes_on_after_snakemake_was_killed(untrained, slurm, local_run, tmp_path):
    run = untrained(tmp_path, "random")
    snakemake = run.start("--", TABLES)
    job = run.job("random")
    snakemake.kill()
    assert snakemake.wait() == -signal.SIGKILL
    assert not list(run.results.glob("runs/scratch/random/**/*.csv"))
    slurm.run("scancel", job)
    wait_until(lambda: not slurm.jobs(), "the job to end", lambda: run.said)
    run.finish("--unlock")
    run.finish("--", TABLES)
    assert_same_tables(run, local_run)


def test_jobs_of_a_run_that_judges_nothing_need_no_plan_of_its_budget(
    slurm, loaded_python, tmp_path: Path
):
    run = Run(tmp_path, slurm, python=loaded_python)
    run.config = run.config | {"budget": "1 s"}  # too little for a run that judges
    run.finish("--", "estimate")
    assert "The whole run takes" in run.said
    plans = [json.loads(path.read_text("utf-8")) for path in run.results.glob("budgets/*.json")]
    assert [plan["settled"] for plan in plans] == [False]
