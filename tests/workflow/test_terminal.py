"""The terminal output of a run: progress, failures, and `snakemake --lint`."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pandas as pd
import pytest
import yaml

from petite_logger_plugin.failures import LAST_LINES

pytestmark = pytest.mark.workflow

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def failed(snakemake, tmp_path_factory, write_pictures):
    """A run in which all four jobs that read the images fail."""
    folder = tmp_path_factory.mktemp("failed")
    write_pictures(folder / "pets", ["cat", "dog"], 8)
    config = {
        "dataset": {"name": "pets", "source": "folder", "path": "pets", "shards": 4},
        "methods": {"full": {"fractions": [1]}},
        "judges": "scratch",
    }
    # A folder that is not empty has the path of each shard's file.
    for shard in range(1, 5):
        (folder / f"results/pets/store/shards/{shard}-of-4.parquet/x").mkdir(parents=True)
    return folder, snakemake(folder, config=config)


def test_the_last_lines_of_a_failed_run_name_what_failed_and_what_to_do(failed):
    folder, finished = failed
    assert finished.returncode == 1
    end = finished.stderr.partition("Petite stopped: ")[2]
    assert "4 jobs failed" in end
    for shard in range(1, 5):
        log = f"results/pets/logs/ingest/{shard}-of-4.log"
        assert f"ingest/{shard}-of-4 failed. The end of its log, {log}:" in end
    assert "rerun the same command" in end
    run_log = end.rstrip().rpartition("The log of the whole run: ")[2]
    assert (folder / run_log).is_file()
    assert len(end.splitlines()) < 4 * (LAST_LINES + 5)


def test_snakemakes_own_report_of_a_failure_is_not_shown_beside(failed):
    said = failed[1].stdout + failed[1].stderr
    for noise in ("Error in rule", "CalledProcessError", "(command exited", "Traceback"):
        assert noise not in said.partition("Petite stopped: ")[0]


def test_a_run_shows_jobs_done_of_jobs_due_and_keeps_the_rest_for_its_log(tiny_run):
    folder, finished = tiny_run
    lines = [line for line in finished.stderr.splitlines() if " jobs, " in line]
    total = int(lines[0].split()[2])
    # All but the target itself.
    assert [int(line.split()[0]) for line in lines] == list(range(1, total))
    for noise in ("oneDNN", "absl", "cuda", "INFO", "jobid", "Select jobs"):
        assert noise not in finished.stdout + finished.stderr
    [log] = (folder / ".snakemake/log").glob("*.log")
    assert "jobid" in log.read_text("utf-8")


def test_a_run_says_the_means_of_a_fraction_once_all_its_methods_are_done(tiny_run):
    said = " ".join(tiny_run[1].stderr.split())
    table = pd.read_csv(tiny_run[0] / "results/tiny/summary.csv")
    table = table[table["fraction"] == 0.1].set_index("method")
    [sentence] = re.findall(r"10% of the images by scratch.*?The tests follow", said)
    for method in ("random", "pca_grid", "augmentation"):
        assert f"{method} {100 * table.loc[method, 'accuracy_mean']:.1f}" in sentence


def test_a_page_shows_a_run_that_has_locked_its_folder_and_ctrl_c_ends_it(tiny_run, tiny_config):
    folder, _ = tiny_run
    (folder / "tiny.yaml").write_text(yaml.safe_dump(tiny_config))
    lock = folder / ".snakemake/locks/0.input.lock"
    lock.parent.mkdir(exist_ok=True)
    lock.write_text("")
    watching = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--snakefile", REPOSITORY / "Snakefile"]
        + ["--configfile", "tiny.yaml", "--", "watch"],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = watching.stdout.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+/", line)[0]
        with urllib.request.urlopen(address) as answer:
            shown = answer.read().decode()
        with urllib.request.urlopen(f"{address}report.html") as answer:
            assert answer.read() == (folder / "results/tiny/report.html").read_bytes()
        watching.send_signal(signal.SIGINT)
        assert watching.wait(60) == 0
    finally:
        watching.kill()
        watching.wait()
    assert "augmentation" in shown and "No run is at work" in shown
    assert lock.exists()
    lock.unlink()


def test_a_run_says_what_it_takes_before_its_first_job_and_a_finished_run_does_not(
    tiny_run, tiny_config, snakemake
):
    folder, finished = tiny_run
    before, _, after = finished.stderr.partition(" jobs, ")
    assert re.search(
        r"^Forecast: about \d+ .* on 2 cores; up to .* of memory, .* of disk", before, re.M
    )
    assert "Forecast:" not in after
    assert " left: " in after  # the time left, in each line
    again = snakemake(folder, config=tiny_config)
    assert "Forecast:" not in again.stdout + again.stderr


def test_the_log_of_a_training_has_its_course_and_what_tensorflow_says(tiny_run):
    log = tiny_run[0] / "results/tiny/logs/train/random/0.1/seeds-0-1.log"
    assert "test accuracy" in log.read_text("utf-8")
    assert "MB of memory at most" in log.read_text("utf-8")


def test_jobs_that_until_leaves_undone_are_shown_and_the_same_command_does_them(
    snakemake, tmp_path, tiny_config
):
    manifest = tmp_path / "results/tiny/store/manifest.json"
    first = snakemake(tmp_path, "--until", "listing", "index", config=tiny_config)
    assert "3 jobs are left: --until" in first.stderr
    assert not manifest.exists()
    second = snakemake(tmp_path, "--until", "listing", "index", config=tiny_config)
    assert manifest.exists()
    assert "jobs are left" not in second.stderr
    assert "Answer" not in first.stdout + second.stdout  # there is none yet


def test_what_snakemake_is_asked_is_answered(snakemake, tmp_path, tiny_config):
    listed = snakemake(tmp_path, "--list-rules", config=tiny_config)
    assert "provenance" in listed.stdout + listed.stderr
    unlocked = snakemake(tmp_path, "--unlock", config=tiny_config)
    assert "Unlocked" in unlocked.stdout + unlocked.stderr


def test_the_linter_finds_nothing():
    command = [sys.executable, "-m", "snakemake", "--lint"]
    finished = subprocess.run(command, cwd=REPOSITORY, text=True, capture_output=True)
    said = finished.stdout + finished.stderr
    assert finished.returncode == 0, said
    assert "Lints for" not in said


LOGGER = """
import sys

from snakemake_interface_logger_plugins.base import LogHandlerBase


class LogHandler(LogHandlerBase):
    writes_to_stream = True
    writes_to_file = has_filter = has_formatter = needs_rulegraph = False

    def emit(self, record):
        print("the user's logger:", getattr(record, "event", None), file=sys.stderr)
"""


def test_the_users_own_logger_has_the_terminal_and_what_failed_is_shown_after_it(
    tmp_path, tiny_config
):
    plugin = tmp_path / "plugins/snakemake_logger_plugin_users"
    plugin.mkdir(parents=True)
    (plugin / "__init__.py").write_text(LOGGER, "utf-8")
    # A folder that is not empty has the path of a shard's file.
    (tmp_path / "results/tiny/store/shards/1-of-2.parquet/x").mkdir(parents=True)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tiny_config), "utf-8")
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--logger", "users"]
    command += ["--snakefile", str(REPOSITORY / "Snakefile"), "--configfile", "tiny.yaml"]
    finished = subprocess.run(
        [*command, "--", "results/tiny/store/manifest.json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(plugin.parent)},
        capture_output=True,
        text=True,
    )
    users, _, failures = finished.stderr.partition("Petite stopped: ")
    assert "the user's logger: job_error" in users
    assert " jobs, " not in users
    assert "Failed: " not in users
    assert "1 job failed" in failures
    assert (
        "ingest/1-of-2 failed. The end of its log, results/tiny/logs/ingest/1-of-2.log:" in failures
    )
