"""Petite's change of Snakemake's scheduler, and its message if that is impossible."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import snakemake

REPOSITORY = Path(__file__).resolve().parents[2]
WORKFLOW = f"""
include: "{REPOSITORY}/workflow/rules/scheduler.smk"

onstart:
    {{before}}
    drop_default_rate_limit()
    print("limit:", workflow.scheduler.job_rate_limiter)

rule:
    output: "made"
    shell: "touch {{{{output}}}}"
"""

pytestmark = pytest.mark.workflow


@pytest.fixture
def run(
    tmp_path: Path, loaded_snakemake: Callable[..., subprocess.CompletedProcess[str]]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a workflow of one job; `before` is what is done to Snakemake first."""

    def run_after(before: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "Snakefile").write_text(WORKFLOW.format(before=before))
        return loaded_snakemake(tmp_path, "--cores", "1", *arguments)

    return run_after


def test_the_default_limit_on_new_jobs_is_gone(run, tmp_path):
    ran = run("assert workflow.scheduler.job_rate_limiter")
    assert ran.returncode == 0, ran.stderr
    assert "limit: None" in ran.stdout
    assert (tmp_path / "made").exists()


def test_a_limit_on_new_jobs_that_was_asked_for_stays(run):
    ran = run("pass", "--max-jobs-per-timespan", "7/1s")
    assert ran.returncode == 0, ran.stderr
    assert "limit: <" in ran.stdout


@pytest.mark.parametrize(
    ("removed", "name"),
    [
        ("workflow.scheduler.job_rate_limiter", "workflow.scheduler.job_rate_limiter"),
        ("type(workflow.scheduler).exit_gracefully", "workflow.scheduler.exit_gracefully"),
        (
            "workflow.scheduling_settings.max_jobs_per_timespan, "
            "type(workflow.scheduling_settings).max_jobs_per_timespan",
            "workflow.scheduling_settings.max_jobs_per_timespan",
        ),
    ],
    ids=["limiter", "end", "settings"],
)
def test_another_scheduler_is_refused_before_any_job_by_the_name_of_what_is_missing(
    run, tmp_path, removed, name
):
    ran = run(f"del {removed}")
    assert ran.returncode == 1
    assert f"'{name}'" in ran.stderr
    assert snakemake.__version__ in ran.stderr
    assert not (tmp_path / "made").exists()
