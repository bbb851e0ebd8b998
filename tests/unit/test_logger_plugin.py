"""The output of a run in a file and on a real pseudo-terminal."""

import fcntl
import logging
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from snakemake.common import NOTHING_TO_BE_DONE_MSG
from snakemake.settings.types import OutputSettings
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.tests import TestLogHandlerBase

from petite.util.schedule import Task
from petite_logger_plugin.failures import LAST_LINES, failed_in_words, stopped_in_words
from petite_logger_plugin.handler import LogHandler
from petite_logger_plugin.logs import Job, last_lines, newest_line, notices_in

STAMP = "2026-01-02 03:04:05,678"
CLEAR_LINE = "\x1b[2K"


def log_of(folder: Path, *lines: str, name: str = "train") -> Path:
    path = folder / f"results/x/logs/{name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


class Run:
    """A run that reports to the plugin what Snakemake would."""

    def __init__(self, **settings: Any) -> None:
        self.plugin = LogHandler(OutputSettings(**settings), None)
        self.plugin.setFormatter(logging.Formatter("%(message)s"))
        self.report(LogEvent.WORKFLOW_STARTED, "Workflow has started!")

    def report(self, event: LogEvent | None, message: str = "", **fields: Any) -> None:
        fields = {"levelno": logging.INFO, "event": event, "msg": message, **fields}
        self.plugin.handle(logging.makeLogRecord(fields))

    def plan(self, total: int, **rules: int) -> None:
        """Some jobs are due, of some rules or of one."""
        stats = {**(rules or {"rank": total}), "total": total}
        self.report(LogEvent.RUN_INFO, "Job stats", stats=stats)

    def start(self, number: int, rule: str = "rank", log: Path | None = None) -> None:
        logs = [str(log)] if log else []
        self.report(LogEvent.JOB_INFO, jobid=number, rule_name=rule, rule_msg=None, log=logs)

    def finish(self, number: int) -> None:
        self.report(LogEvent.JOB_FINISHED, job_id=number)

    def do(self, number: int, rule: str = "rank", log: Path | None = None) -> None:
        self.start(number, rule, log)
        self.finish(number)

    def fail(self, number: int, rule: str = "rank", log: Path | None = None, end: str = "") -> None:
        """A job fails; the executor of this machine says how before that."""
        error = {"levelno": logging.ERROR, "exception": "RuleException", "thread": 7}
        self.report(LogEvent.ERROR, end, **error)
        logs = [str(log)] if log else []
        fields = {"jobid": number, "rule_name": rule, "rule_msg": None, "log": logs}
        self.report(LogEvent.JOB_ERROR, f"Error in rule {rule}", **fields, thread=7)

    def failures(self) -> str:
        return failed_in_words(self.plugin.failed.values(), self.plugin.count, "run.log")


class Terminal:
    """Stderr as a pseudo-terminal."""

    def __init__(self, columns: int, encoding: str) -> None:
        self._controller, terminal = pty.openpty()
        size = struct.pack("HHHH", 24, columns, 0, 0)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)
        self.stream = os.fdopen(terminal, "w", encoding=encoding)

    def read_until(self, text: str) -> str:
        seen = ""
        deadline = time.monotonic() + 60
        while text not in plain(seen) and time.monotonic() < deadline:
            seen += os.read(self._controller, 1024).decode("utf-8", errors="replace")
        assert text in plain(seen)
        return seen

    def close(self) -> None:
        self.stream.close()
        os.close(self._controller)


def plain(text: str) -> str:
    """Without colors and cursor."""
    return re.sub(r"\x1b\[[\d;?]*[mhl]", "", text)


@contextmanager
def terminal(monkeypatch, columns: int = 80, encoding: str = "utf-8") -> Iterator[Terminal]:
    terminal = Terminal(columns, encoding)
    with monkeypatch.context() as context:
        context.setattr(sys, "stderr", terminal.stream)
        context.setenv("TERM", "xterm")
        context.setenv("COLUMNS", str(columns))
        context.delenv("NO_COLOR", raising=False)
        yield terminal
    terminal.close()


class TestInterface(TestLogHandlerBase):
    """What Snakemake's interface asks of a logger plugin."""

    __test__ = True

    def get_log_handler_cls(self) -> type[LogHandler]:
        return LogHandler

    def get_log_handler_settings(self) -> None:
        return None


def test_without_a_terminal_each_finished_job_is_a_line(tmp_path, capsys):
    run = Run()
    run.plan(3, ingest=1, train=1, all=1)
    run.do(0, "ingest", log_of(tmp_path, name="ingest/1-of-2"))
    run.do(1, "train", log_of(tmp_path, name="train/random/0.1/seeds-0-1"))
    run.do(2, "all")  # what has no log does no work
    run.plugin.close()
    assert capsys.readouterr().err.splitlines() == [
        "Job stats",
        "1 of 3 jobs, 0 s: ingest/1-of-2 took 0 s",
        "2 of 3 jobs, 0 s: train/random/0.1/seeds-0-1 took 0 s",
    ]


@pytest.mark.parametrize("variable", ["FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"])
def test_no_variable_draws_a_bar_into_a_file(tmp_path, capsys, monkeypatch, variable):
    monkeypatch.setenv(variable, "1")
    run = Run()
    run.plan(2)
    run.do(0, log=log_of(tmp_path))
    run.plugin.close()
    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert "1 of 2 jobs, 0 s: rank took 0 s" in said


def test_on_a_terminal_a_bar_shows_jobs_done_and_the_newest_line_of_a_log(tmp_path, monkeypatch):
    log = log_of(tmp_path, f"{STAMP} INFO step 120 of 200")
    with terminal(monkeypatch) as screen:
        run = Run()
        run.plan(4, split=1, train=3)
        run.do(0, "split")
        run.start(1, "train", log)
        assert run.plugin.left == 3
        seen = plain(screen.read_until("train: step 120 of 200"))
        run.plugin.close()
    assert CLEAR_LINE in seen
    assert "━━━ 1 of 4 jobs" in re.sub("━+", "━━━", seen.replace("╸", "━").replace("╺", "━"))
    assert seen.count("\n") == 1  # of Snakemake's message


def test_the_bar_is_as_long_as_the_jobs_that_are_done(monkeypatch):
    with terminal(monkeypatch, encoding="ascii") as screen:
        run = Run(nocolor=True)  # then no more than what is done is drawn
        run.plan(4)
        run.do(0)
        seen = screen.read_until("1 of 4")
        run.plugin.close()
    assert plain(seen).rpartition("\r")[2].startswith(f"{CLEAR_LINE}---          1 of 4 jobs")


@pytest.mark.parametrize("columns", [20, 40])
def test_on_a_narrow_terminal_the_bar_takes_one_line(tmp_path, monkeypatch, columns):
    log = log_of(tmp_path, f"{STAMP} INFO {'a long line ' * 20}")
    with terminal(monkeypatch, columns) as screen:
        run = Run()
        run.plan(4)
        run.start(1, log=log)
        seen = plain(screen.read_until("…"))
        run.plugin.close()
    bars = [line for line in re.split("[\r\n]", seen.replace(CLEAR_LINE, "")) if "━" in line]
    assert all(len(bar) <= columns and "━ 0 of" in bar for bar in bars)
    assert bars[-1].endswith("…")


def test_messages_go_above_the_bar_and_the_cursor_stays(tmp_path, monkeypatch):
    with terminal(monkeypatch) as screen:
        run = Run()
        run.plan(4)
        run.start(0, log=log_of(tmp_path, f"{STAMP} INFO at work"))
        seen = screen.read_until("at work")
        print("of a hook", file=sys.stderr)
        run.report(None, "a warning of Snakemake", levelno=logging.WARNING)
        seen += screen.read_until("a warning of Snakemake\r\n")
        run.plugin.close()
        assert sys.stderr is screen.stream
    assert re.search(r"\r\x1b\[2Kof a hook\r\n", plain(seen))
    assert re.search(r"\r\x1b\[2Ka warning of Snakemake\r\n", plain(seen))
    assert seen.rfind("\x1b[?25h") > seen.rfind("\x1b[?25l")


def test_a_bar_and_a_line_show_the_time_left_with_jobs_that_a_checkpoint_added(
    tmp_path, monkeypatch, capsys
):
    log = log_of(tmp_path)
    tasks = [Task(number, "rank", 3600) for number in range(5)]
    with terminal(monkeypatch) as screen:
        run = Run()
        run.plugin.plan_left = lambda: tasks[1:3]
        run.plan(3)
        run.plugin.plan()
        run.do(0, log=log)
        run.start(1, log=log)
        screen.read_until("about 2 h left  rank")
        run.plugin.close()
    run = Run()
    run.plugin.plan_left, run.plugin.count_left = lambda: tasks, lambda: Counter(rank=4)
    run.plan(1)
    run.do(0, log=log)
    assert "left" not in capsys.readouterr().err
    run.report(LogEvent.PROGRESS, total=5, done=1)
    run.start(1, log=log)
    run.finish(1)
    assert re.search(r"2 of 5 jobs, 0 s, about .* left: rank took 0 s", capsys.readouterr().err)


def test_the_time_left_is_without_jobs_that_need_a_failed_one(tmp_path, capsys):
    log = log_of(tmp_path)
    run = Run()
    run.plugin.plan_left = lambda: [
        Task(0, "features", 3600),
        Task(1, "train", 7200, needs=(0,)),
        Task(2, "rank", 0.0),
        Task(3, "split", 3600),
    ]
    run.plan(4)
    run.plugin.plan()
    run.start(0, "features")
    run.do(2, log=log)
    assert "about 4 h left" in capsys.readouterr().err
    run.fail(0, "features")
    run.do(3, "split", log=log)
    assert "left" not in capsys.readouterr().err.split("Failed: features")[1]


def test_what_a_job_noticed_is_shown_once_when_it_ends(tmp_path, capsys):
    run = Run()
    run.plan(2)
    lines = [f"{STAMP} WARNING of a library", f"{STAMP} NOTICE 3 classes: the folders of a/b"]
    for number, name in enumerate(["listing", "split"]):
        run.do(number, name, log_of(tmp_path, *lines, name=name))
    said = capsys.readouterr().err
    assert said.count("Note: 3 classes: the folders of a/b\n") == 1
    assert "of a library" not in said


def test_of_snakemakes_messages_those_that_users_need_are_shown(capsys):
    run = Run()
    run.report(None, "Building DAG of jobs...")
    run.plan(3)
    run.report(None, "Select jobs to execute...")
    run.report(None, NOTHING_TO_BE_DONE_MSG)
    run.report(None, "submitted", pathname="/x/snakemake_executor_plugin_slurm/__init__.py")
    error = {"levelno": logging.ERROR}
    missing = {**error, "exception": "MissingOutputException"}
    run.report(LogEvent.ERROR, "some output files are missing", **missing)
    run.report(None, "no job has failed", **error, module="job_scheduler")
    run.fail(0, end="Command 'x' returned non-zero exit status 3.")
    run.report(None, "a job has failed", **error, module="job_scheduler")
    run.report(None, "an error", **error)
    run.plugin.end()
    run.report(LogEvent.ERROR, "the run has failed", **error, exception="WorkflowError")
    assert capsys.readouterr().err.splitlines() == [
        "Job stats",
        NOTHING_TO_BE_DONE_MSG.splitlines()[0],
        "submitted",
        "some output files are missing",
        "no job has failed",
        "Failed: rank",
        "an error",
    ]


def test_before_jobs_are_planned_snakemake_answers(capsys):
    plugin = LogHandler(OutputSettings(), None)
    plugin.handle(logging.makeLogRecord({"levelno": logging.INFO, "msg": "provenance"}))
    assert capsys.readouterr().err == "provenance\n"


def test_a_run_whose_reader_has_gone_goes_on():
    reader, writer = os.pipe()
    os.close(reader)
    does = (
        "import logging\n"
        "from snakemake.settings.types import OutputSettings\n"
        "from petite_logger_plugin.handler import LogHandler\n"
        "plugin = LogHandler(OutputSettings(), None)\n"
        "plugin.handle(logging.makeLogRecord({'msg': 'gone'}))\n"
        "print('it goes on')\n"
    )
    with os.fdopen(writer, "w") as gone:
        path = Path(__file__).resolve().parents[2] / "scripts"
        finished = subprocess.run(
            [sys.executable, "-c", does],
            stdout=subprocess.PIPE,
            stderr=gone,
            text=True,
            env={**os.environ, "PYTHONPATH": str(path)},
        )
    assert finished.stdout == "it goes on\n"


def test_a_failure_is_shown_with_its_log_its_message_and_what_to_do(tmp_path, capsys):
    run = Run()
    run.plan(5)
    log = log_of(
        tmp_path,
        f"{STAMP} INFO step 1 of 8",
        f"{STAMP} ERROR the loss is nan: lower training.learning_rate",
        "(now 1e30)",
        name="train/random",
    )
    run.start(0, "train", log)
    run.fail(0, "train", log)
    run.fail(0, "train", log)  # Snakemake reports a failure twice
    assert capsys.readouterr().err.count("Failed: train/random\n") == 1
    said = run.failures()
    assert "1 job failed, 0 of 5 are done" in said
    assert f"train/random failed. The end of its log, {log}:" in said
    assert "    the loss is nan: lower training.learning_rate\n    (now 1e30)\n" in said
    assert "step 1 of 8" not in said
    assert "rerun the same command" in said
    assert said.endswith("run.log")


def test_a_job_that_succeeds_at_a_later_attempt_is_no_failure(tmp_path, capsys):
    run = Run()
    run.plan(2)
    log = log_of(tmp_path)
    run.start(0, log=log)
    run.fail(0, log=log)
    run.do(0, log=log)
    assert run.plugin.failed == {}
    assert run.plugin.left == 1


def test_of_a_long_error_the_message_and_the_end_are_shown(tmp_path, capsys):
    trace = [f"  frame {number}" for number in range(100)]
    log = log_of(tmp_path, f"{STAMP} ERROR unexpected error", *trace, "ValueError: no")
    run = Run()
    run.fail(0, log=log)
    said = run.failures()
    assert "    unexpected error\n    ...\n" in said
    assert "frame 99\n    ValueError: no\n" in said
    assert "frame 50" not in said
    assert "killed" not in said


def failure(folder: Path, end: str, *lines: str) -> str:
    """What is said of a job without an error in its log, by Snakemake's report of its end."""
    run = Run()
    run.fail(0, log=log_of(folder, *lines), end=end)
    return run.failures()


READING = f"{STAMP} INFO reading"
SLURM = "SLURM-job '7' failed, SLURM status is: '{}'. Reason: unknown"


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ("Command 'x' returned non-zero exit status 137.", "killed (SIGKILL)"),
        ("Command 'x' died with <Signals.SIGKILL: 9>.", "the cause is unknown"),
        ("Command 'x' died with <Signals.SIGSEGV: 11>.", "ended by SIGSEGV"),
        ("Command 'x' died with unknown signal 40.", "ended by signal 40"),
        ("Command 'x' returned non-zero exit status 152.", "the limit on its CPU time is over"),
        ("Command 'x' returned non-zero exit status 3.", "it ended with status 3"),
        ("Command 'x' returned non-zero exit status 255.", "it ended with status 255"),
        ("", "it ended for an unknown reason"),
        (SLURM.format("OUT_OF_MEMORY"), "it ran out of memory. Raise mem_mb"),
        (SLURM.format("TIMEOUT"), "it ran out of time. Raise runtime"),
        (SLURM.format("CANCELLED"), "it was canceled"),
        (SLURM.format("BOOT_FAIL"), "Slurm ended it (BOOT_FAIL)"),
    ],
)
def test_of_a_killed_job_only_what_is_known_is_said(tmp_path, capsys, end, reason):
    said = failure(tmp_path, end, READING)
    assert f"No error is in its log: {reason}" in said or reason in said
    assert ("ran out of memory" in said) == ("OUT_OF_MEMORY" in end)


def test_what_an_executor_says_of_a_jobs_end_counts_before_what_its_thread_said(tmp_path, capsys):
    run = Run()
    log = log_of(tmp_path, READING)
    fields = {"jobid": 0, "rule_name": "rank", "log": [str(log)]}
    run.report(LogEvent.JOB_ERROR, rule_msg=SLURM.format("TIMEOUT"), **fields)
    assert "it ran out of time" in run.failures()


@pytest.mark.parametrize(
    "line",
    [
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "OpenBLAS error: Memory allocation still failed after 10 retries, giving up.",
        "fatal: Cannot allocate memory",
        "tensorflow.python.framework.errors_impl.ResourceExhaustedError: OOM when allocating",
    ],
)
def test_a_job_that_aborts_for_lack_of_memory_is_reported_as_that(tmp_path, capsys, line):
    said = failure(tmp_path, "Command 'x' died with <Signals.SIGABRT: 6>.", READING, line)
    assert "it ran out of memory" in said
    assert line in said


@pytest.mark.parametrize("is_stopped", [True, False])
def test_a_job_that_hears_ctrl_c_before_the_run_does_is_no_failure(
    capsys: pytest.CaptureFixture[str], is_stopped: bool
) -> None:
    run = Run()
    run.plan(1)
    run.start(1)
    if is_stopped:
        threading.Timer(0.2, setattr, (run.plugin, "stopped", signal.SIGINT)).start()
    run.fail(1, end="Command 'x' died with <Signals.SIGINT: 2>.")
    assert list(run.plugin.failed) == ([] if is_stopped else [1])
    assert ("Failed: " in capsys.readouterr().err) == (not is_stopped)


def test_a_job_that_fails_because_the_run_is_stopped_is_no_failure(tmp_path, capsys):
    run = Run()
    run.plan(3)
    log = log_of(tmp_path, READING)
    run.do(0, log=log)
    run.fail(1, "subset")
    run.plugin.stopped = signal.SIGINT
    run.fail(2, log=log)
    run.plugin.end()
    assert "Failed: rank" not in capsys.readouterr().err
    said = stopped_in_words(signal.SIGINT, run.plugin.failed.values(), run.plugin.count)
    assert said.strip().splitlines() == [
        "Stopped by Ctrl-C: 1 of 3 jobs are done.",
        "Failed before that: subset. The same command tries these again.",
        "Rerun the same command to resume; finished jobs are kept.",
    ]


@pytest.mark.parametrize(
    "asks",
    [{"verbose": True}, {"printshellcmds": True}, {"debug_dag": True}, {"quiet": {"progress"}}],
)
def test_who_asks_for_more_or_less_of_snakemakes_words_gets_no_others(tmp_path, capsys, asks):
    run = Run(**asks)
    run.plan(1)
    log = log_of(tmp_path)
    run.do(0, log=log)
    run.fail(1, log=log)
    assert capsys.readouterr().err == ""
    assert "rank failed" in run.failures()


def test_of_a_long_log_only_the_end_is_read(tmp_path):
    log = log_of(tmp_path, *(f"line {number}" for number in range(100_000)))
    assert last_lines(log, 2) == ["line 99998", "line 99999"]
    assert len(last_lines(log, LAST_LINES)) == LAST_LINES
    assert last_lines(tmp_path / "missing.log", 3) == []


def test_a_notice_at_the_start_of_a_long_log_is_found(tmp_path):
    log = log_of(
        tmp_path, "2026-11-27 10:00:00,000 NOTICE the images are enlarged", *["step"] * 50_000
    )
    assert notices_in(log) == ["the images are enlarged"]
    assert notices_in(tmp_path / "missing.log") == []


def test_the_newest_line_is_of_the_log_that_changed_last(tmp_path):
    old = log_of(tmp_path, f"{STAMP} INFO old", name="old")
    new = log_of(tmp_path, f"{STAMP} INFO new", name="new")
    os.utime(old, (1, 1))
    assert newest_line([Job("a", new), Job("b", old)]) == "a: new"
    assert newest_line([Job("c", log_of(tmp_path, name="empty"))]) == "c"
    assert newest_line([Job("all")]) == ""
