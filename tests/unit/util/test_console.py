"""What a run says on the terminal: in a file, and on a real pseudo-terminal."""

import io
import os
import pty
import signal
import time
from pathlib import Path

import pytest

from petite.util.console import (
    CLEAR_LINE,
    LAST_LINES,
    Job,
    Progress,
    in_words,
    last_lines,
    newest_line,
)

STAMP = "2026-01-02 03:04:05,678"


def log_of(folder: Path, *lines: str, name: str = "train.log") -> Path:
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_without_a_terminal_each_finished_job_is_a_line(tmp_path):
    stream = io.StringIO()
    progress = Progress(stream)
    progress.plan(3)
    for number, name in enumerate(["ingest/1-of-2", "train/random/0.1/seeds-0-1"]):
        progress.start(number, Job(name, log_of(tmp_path)))
        progress.finish(number)
    progress.start(2, Job("all"))  # what has no log does no work
    progress.finish(2)
    progress.end()
    assert stream.getvalue().splitlines() == [
        "1 of 3 jobs, 0 s: ingest/1-of-2 took 0 s",
        "2 of 3 jobs, 0 s: train/random/0.1/seeds-0-1 took 0 s",
    ]


def test_on_a_terminal_a_bar_shows_jobs_done_and_the_newest_line_of_a_log(tmp_path):
    controller, terminal = pty.openpty()
    log = log_of(tmp_path, f"{STAMP} INFO step 120 of 200")
    with os.fdopen(terminal, "w", encoding="utf-8") as stream:
        progress = Progress(stream)
        progress.plan(4)
        progress.start(0, Job("split"))
        progress.finish(0)
        progress.start(1, Job("train", log))
        assert progress.left == 3
        seen = read_until(controller, "step 120 of 200")
        progress.end()
    os.close(controller)
    assert CLEAR_LINE in seen
    assert "███░░░░░░░░░ 1 of 4 jobs" in seen
    assert "\n" not in seen


def test_what_a_job_noticed_is_shown_once_when_it_ends(tmp_path):
    stream = io.StringIO()
    progress = Progress(stream)
    progress.plan(2)
    lines = [f"{STAMP} WARNING of a library", f"{STAMP} NOTICE 3 classes: the folders of a/b"]
    for number, name in enumerate(["listing", "split"]):
        progress.start(number, Job(name, log_of(tmp_path, *lines, name=f"{name}.log")))
        progress.finish(number)
    said = stream.getvalue()
    assert said.count("Note: 3 classes: the folders of a/b\n") == 1
    assert "of a library" not in said


def test_on_a_terminal_whose_locale_has_no_blocks_the_bar_is_of_ascii():
    controller, terminal = pty.openpty()
    with os.fdopen(terminal, "w", encoding="ascii") as stream:
        progress = Progress(stream)
        progress.plan(4)
        progress.start(0, Job("split"))
        progress.finish(0)
        seen = read_until(controller, "jobs")
        progress.end()
    os.close(controller)
    assert "###......... 1 of 4 jobs" in seen


def read_until(descriptor: int, text: str) -> str:
    seen = ""
    deadline = time.monotonic() + 60
    while text not in seen and time.monotonic() < deadline:
        seen += os.read(descriptor, 1024).decode("utf-8", errors="replace")
    return seen


def test_a_failure_is_told_with_its_log_what_it_says_and_what_to_do(tmp_path):
    progress = Progress(io.StringIO())
    progress.plan(5)
    log = log_of(
        tmp_path,
        f"{STAMP} INFO step 1 of 8",
        f"{STAMP} ERROR the loss is nan: lower training.learning_rate",
        "(now 1e30)",
    )
    progress.start(0, Job("train/random", log))
    progress.fail(0, Job("train/random", log))
    progress.fail(0, Job("train/random", log))  # Snakemake reports a failure twice
    said = progress.failures("run.log")
    assert "1 job failed, 0 of 5 are done" in said
    assert f"train/random failed. The end of its log, {log}:" in said
    assert "    the loss is nan: lower training.learning_rate\n    (now 1e30)\n" in said
    assert "step 1 of 8" not in said
    assert "start the same command again" in said
    assert said.endswith("run.log")


def test_of_a_long_error_the_message_and_the_end_are_told(tmp_path):
    trace = [f"  frame {number}" for number in range(100)]
    log = log_of(tmp_path, f"{STAMP} ERROR unexpected error", *trace, "ValueError: no")
    progress = Progress(io.StringIO())
    progress.fail(0, Job("rank", log))
    said = progress.failures("run.log")
    assert "    unexpected error\n    ...\n" in said
    assert "frame 99\n    ValueError: no\n" in said
    assert "frame 50" not in said
    assert "killed" not in said


def failure(folder: Path, end: str, *lines: str) -> str:
    """What is said of a job without an error in its log, by Snakemake's report of its end."""
    progress = Progress(io.StringIO())
    progress.fail(0, Job("rank", log_of(folder, *lines), end))
    return progress.failures("run.log")


READING = f"{STAMP} INFO reading"
SLURM = "SLURM-job '7' failed, SLURM status is: '{}'. Reason: unknown"


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ("Command 'x' returned non-zero exit status 137.", "killed from outside (SIGKILL)"),
        ("Command 'x' died with <Signals.SIGKILL: 9>.", "nothing here tells by whom"),
        ("Command 'x' died with <Signals.SIGSEGV: 11>.", "ended by SIGSEGV"),
        ("Command 'x' died with unknown signal 40.", "ended by signal 40"),
        ("Command 'x' returned non-zero exit status 152.", "the limit on its CPU time is over"),
        ("Command 'x' returned non-zero exit status 3.", "it ended with status 3"),
        ("Command 'x' returned non-zero exit status 255.", "it ended with status 255"),
        ("", "nothing tells why it ended"),
        (SLURM.format("OUT_OF_MEMORY"), "its memory ran out. Raise mem_mb"),
        (SLURM.format("TIMEOUT"), "its time ran out. Raise runtime"),
        (SLURM.format("CANCELLED"), "it was canceled"),
        (SLURM.format("BOOT_FAIL"), "Slurm ended it (BOOT_FAIL)"),
    ],
)
def test_of_a_job_that_was_killed_only_what_is_known_is_told(tmp_path, end, reason):
    said = failure(tmp_path, end, READING)
    assert f"No error is in its log: {reason}" in said or reason in said
    assert ("memory ran out" in said) == ("OUT_OF_MEMORY" in end)


@pytest.mark.parametrize(
    "line",
    [
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "OpenBLAS error: Memory allocation still failed after 10 retries, giving up.",
        "fatal: Cannot allocate memory",
        "tensorflow.python.framework.errors_impl.ResourceExhaustedError: OOM when allocating",
    ],
)
def test_a_job_that_aborts_for_lack_of_memory_is_told_so(tmp_path, line):
    said = failure(tmp_path, "Command 'x' died with <Signals.SIGABRT: 6>.", READING, line)
    assert "its memory ran out" in said
    assert line in said


def test_a_job_that_fails_because_the_run_is_stopped_is_no_failure(tmp_path):
    stream = io.StringIO()
    progress = Progress(stream)
    progress.plan(3)
    job = Job("rank", log_of(tmp_path, READING))
    progress.start(0, job)
    progress.finish(0)
    progress.fail(1, Job("subset"))
    progress.stopped = signal.SIGINT
    progress.fail(2, job)
    progress.end()
    assert "Failed: rank" not in stream.getvalue()
    assert progress.stopped_in_words().strip().splitlines() == [
        "Stopped by Ctrl-C: 1 of 3 jobs are done.",
        "Failed before that: subset. The same command tries again.",
        "Start the same command again to go on: what is done stays done.",
    ]


def test_who_asks_for_all_of_snakemakes_words_gets_no_others(tmp_path):
    stream = io.StringIO()
    progress = Progress(stream, draws=False)
    progress.plan(1)
    job = Job("rank", log_of(tmp_path))
    progress.start(0, job)
    progress.finish(0)
    progress.fail(1, job)
    assert stream.getvalue() == ""
    assert "rank failed" in progress.failures("run.log")


def test_of_a_long_log_only_the_end_is_read(tmp_path):
    log = log_of(tmp_path, *(f"line {number}" for number in range(100_000)))
    assert last_lines(log, 2) == ["line 99998", "line 99999"]
    assert len(last_lines(log, LAST_LINES)) == LAST_LINES
    assert last_lines(tmp_path / "missing.log", 3) == []


def test_the_newest_line_is_of_the_log_that_changed_last(tmp_path):
    old = log_of(tmp_path, f"{STAMP} INFO old", name="old.log")
    new = log_of(tmp_path, f"{STAMP} INFO new", name="new.log")
    os.utime(old, (1, 1))
    assert newest_line([Job("a", new), Job("b", old)]) == "new"
    assert newest_line([Job("c", log_of(tmp_path, name="empty.log"))]) == "c"
    assert newest_line([Job("all")]) == ""


@pytest.mark.parametrize(
    ("seconds", "words"), [(7.6, "8 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_times_in_words(seconds, words):
    assert in_words(seconds) == words
