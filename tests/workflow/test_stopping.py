"""Runs that are stopped: by Ctrl-C at a terminal and without one, and by signals."""

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import yaml
from smallest import smallest

pytestmark = pytest.mark.workflow

REPOSITORY = Path(__file__).resolve().parents[2]
SMALL = smallest({"random": [], "pca_grid": [], "augmentation": []}, steps=3, evaluations=1)
RESULTS = "results/tiny"
STORE = f"{RESULTS}/store/manifest.json"
TRAINED = f"{RESULTS}/runs/scratch/full/1/seeds-0-1.csv"
LOGS = f"{RESULTS}/logs"
# What is there at the earliest of each part of a run.
BEGINNINGS = {
    "planning": ".snakemake/petite/*.json",
    "ingest": f"{LOGS}/ingest/*.log",
    "train": f"{LOGS}/train/full/1/*.log",
}


class Run:
    """A run in a process group of its own, at a terminal or not."""

    def __init__(self, folder: Path, target: str, at_terminal: bool = False) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        overlay = folder / "small.yaml"
        overlay.write_text(yaml.safe_dump(SMALL), encoding="utf-8")
        command = [sys.executable, "-m", "snakemake", "--cores", "1", "--directory", str(folder)]
        command += ["--snakefile", str(REPOSITORY / "Snakefile"), "--configfile", str(overlay)]
        with (folder / "said.txt").open("wb") as said:
            self.terminal = None
            if at_terminal:
                self.terminal, theirs = pty.openpty()
                # A session whose terminal this is: the terminal sends Ctrl-C to all in it.
                take = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
                command = [
                    sys.executable,
                    "-c",
                    f"{take}os.execv(sys.argv[1], sys.argv[1:])",
                ] + command
            self.process = subprocess.Popen(
                [*command, "--", target],
                stdin=theirs if at_terminal else subprocess.DEVNULL,
                stdout=theirs if at_terminal else said,
                stderr=theirs if at_terminal else subprocess.STDOUT,
                start_new_session=True,
            )
            if at_terminal:
                os.close(theirs)

    def wait_for(self, part: str) -> None:
        while not any(self.folder.glob(BEGINNINGS[part])):
            assert self.process.poll() is None, self.end()
            time.sleep(0.05)

    def end(self) -> str:
        """All that the run said, once it is over."""
        said = b""
        if self.terminal is not None:
            try:
                while data := os.read(self.terminal, 65_536):
                    said += data
            except OSError:  # no process has the terminal any more
                os.close(self.terminal)
        self.process.wait()
        return (said or (self.folder / "said.txt").read_bytes()).decode("utf-8")

    def jobs(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


def still_working(jobs: list[psutil.Process], seconds: float = 10) -> list[psutil.Process]:
    """Those of `jobs` that still work after `seconds`.

    A short program that the run had started, such as one that asks for the machine's name, may
    end a moment after the run, and then waits for the system to collect it.
    """
    until = time.monotonic() + seconds
    while working := [job for job in jobs if works(job)]:
        if time.monotonic() > until:
            break
        time.sleep(0.05)
    return working


def works(job: psutil.Process) -> bool:
    try:
        return job.is_running() and job.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def press_ctrl_c(run: Run) -> None:
    assert run.terminal is not None
    os.write(run.terminal, b"\x03")


def interrupt_all(run: Run) -> None:
    os.killpg(run.process.pid, signal.SIGINT)


def interrupt_twice(run: Run) -> None:
    interrupt_all(run)
    time.sleep(0.2)
    interrupt_all(run)


def interrupt_with_a_job_that_hears_nothing(run: Run) -> None:
    for job in run.jobs():
        job.suspend()
    interrupt_all(run)


def terminate_all(run: Run) -> None:
    os.killpg(run.process.pid, signal.SIGTERM)


def terminate_snakemake(run: Run) -> None:
    run.process.terminate()


@pytest.mark.parametrize(
    ("part", "stop", "by"),
    [
        ("planning", interrupt_all, "Ctrl-C"),
        ("ingest", press_ctrl_c, "Ctrl-C"),
        ("ingest", interrupt_twice, "Ctrl-C"),
        ("ingest", terminate_all, "SIGTERM"),
        ("ingest", terminate_snakemake, "SIGTERM"),
        ("train", interrupt_with_a_job_that_hears_nothing, "Ctrl-C"),
    ],
)
def test_a_run_that_is_stopped_says_so_in_two_lines_and_the_same_command_goes_on(
    tmp_path: Path, part: str, stop: Callable[[Run], None], by: str
) -> None:
    target = TRAINED if part == "train" else STORE
    run = Run(tmp_path / "run", target, at_terminal=stop is press_ctrl_c)
    run.wait_for(part)
    jobs = run.jobs()
    stop(run)
    said = run.end()
    *_, last, how_to_go_on = said.rstrip().splitlines()
    assert f"Stopped by {by}: " in last
    assert how_to_go_on.startswith("Rerun the same command")
    assert run.process.returncode == 128 + (signal.SIGINT if by == "Ctrl-C" else signal.SIGTERM)
    for noise in ("Traceback", "Error", "Failed", "Petite stopped", "kill", "python", "Exception"):
        assert noise not in said.partition("total ")[2], said
    assert not still_working(jobs)
    # Nothing is half written, and nothing is locked.
    assert not [path for path in (run.folder / RESULTS).rglob(".*") if path.is_file()]
    assert not any((run.folder / ".snakemake").glob("locks/*"))
    assert not any((run.folder / ".snakemake").glob("petite/*"))

    again = Run(run.folder, target)
    said = again.end()
    assert again.process.returncode == 0, said
    assert (run.folder / target).is_file()
    assert "kill" not in said


def test_jobs_that_are_done_are_counted_and_the_next_run_keeps_them(tmp_path: Path) -> None:
    run = Run(tmp_path, TRAINED)
    run.wait_for("train")
    shard = tmp_path / RESULTS / "store/shards/1-of-2.npy"
    made = shard.stat().st_mtime_ns
    interrupt_all(run)
    # Listing, two shards, index, split, ranking and subset.
    assert "Stopped by Ctrl-C: 7 of 8 jobs are done." in run.end()
    assert "1 of 1 jobs" in Run(tmp_path, TRAINED).end()
    assert shard.stat().st_mtime_ns == made


def test_a_dry_run_that_is_stopped_leaves_no_traceback(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    command = [sys.executable, "-m", "snakemake", "-n", "--directory", str(folder)]
    run = subprocess.Popen(
        [*command, "--snakefile", str(REPOSITORY / "Snakefile")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while not any(folder.glob(BEGINNINGS["planning"])):
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    said = run.communicate()[0]
    assert "Stopped by Ctrl-C: no job had started." in said
    assert "Traceback" not in said
