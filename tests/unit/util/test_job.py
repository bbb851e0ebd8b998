"""How a step ends: by a signal, out of time, out of memory. Each is a process of its own."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from petite.util import stopping
from petite_logger_plugin.failures import failed_in_words
from petite_logger_plugin.logs import Job

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
# A step that does its argument's line, while a file is half written.
STEP = """
import os, signal, time
from pathlib import Path
from petite.util.files import atomic_path
from petite.util.job import argument_parser, run

def main(args):
    with atomic_path(Path("result.bin")) as temporary:
        temporary.write_bytes(b"half of it")
        exec(os.environ["DOES"])

run(main, argument_parser("a step"))
"""
SIGNAL = "os.kill(os.getpid(), signal.{}); time.sleep(60)"


def step(
    folder: Path, does: str, limits: str = ":", **environment: str
) -> tuple[int, str, list[str]]:
    """Run a step under limits of the shell: its status, its log, and the files that it leaves."""
    folder.mkdir(exist_ok=True)
    (folder / "step.py").write_text(STEP, "utf-8")
    command = f"{limits}; exec {sys.executable} step.py --log step.log"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(SCRIPTS), "DOES": does, **environment},
        capture_output=True,
        text=True,
    )
    assert done.stdout + done.stderr == ""
    left = sorted(path.name for path in folder.iterdir() if not path.name.startswith("step."))
    return done.returncode, (folder / "step.log").read_text("utf-8"), left


@pytest.mark.parametrize(("name", "shown"), [("SIGTERM", "SIGTERM"), ("SIGINT", "Ctrl-C")])
def test_a_step_that_is_stopped_leaves_no_half_file_and_no_traceback(tmp_path, name, shown):
    status, log, left = step(tmp_path, SIGNAL.format(name))
    assert status == 128 + getattr(signal, name)
    assert re.search(rf"ERROR .*{shown}$", log.rstrip())
    assert "Traceback" not in log
    assert left == []


def test_two_signals_are_as_one(tmp_path):
    does = "import threading; main = threading.main_thread().ident\n"
    does += "for _ in range(2): signal.pthread_kill(main, signal.SIGTERM)\n"
    does += "time.sleep(60)"
    status, log, left = step(tmp_path, does)
    assert (status, left) == (128 + signal.SIGTERM, [])
    assert "Traceback" not in log


@pytest.mark.parametrize(("seconds", "is_over"), [(-1, True), (3600, False)])
def test_the_end_of_a_slurm_jobs_time_is_named_where_slurm_sets_it(tmp_path, seconds, is_over):
    end = str(int(time.time()) + seconds)
    _, log, _ = step(tmp_path, SIGNAL.format("SIGTERM"), SLURM_JOB_END_TIME=end)
    assert "SIGTERM" in log
    assert ("Slurm" in log) == is_over


def test_the_end_of_its_cpu_time_is_named(tmp_path):
    status, log, left = step(tmp_path, "while True: pass", "ulimit -t 3")
    assert status == 128 + signal.SIGXCPU
    assert re.search("ERROR .*SIGXCPU.*ulimit -t", log)
    assert left == []


def test_a_step_that_ignores_ctrl_c_goes_on(tmp_path):
    does = "os.kill(os.getpid(), signal.SIGINT); time.sleep(0.1)"
    status, _, left = step(tmp_path, does, "trap '' INT")
    assert (status, left) == (0, ["result.bin"])


@pytest.mark.parametrize(
    "does",
    [
        "import numpy; numpy.ones(10**9)",
        "bytearray(10**10)",
        "import numpy\ntry: numpy.ones(10**9)\nexcept Exception: raise RuntimeError('no sum')",
        "raise OSError(12, os.strerror(12))",
        "import pyarrow; pyarrow.allocate_buffer(10**10)",
    ],
)
def test_a_step_whose_memory_ran_out_says_so_and_what_limits_it(tmp_path, does):
    status, log, left = step(tmp_path, does, "ulimit -v 1000000")
    assert (status, left) == (1, [])
    last = log.rstrip().splitlines()[-1]
    assert re.search(r"ERROR memory ran out: .*`ulimit -v` .*1\.02 GB", last)
    assert "please report it" not in log


def test_a_library_that_cannot_be_loaded_for_lack_of_memory_says_so(tmp_path):
    _, log, _ = step(tmp_path, "import tensorflow", "ulimit -v 500000")
    assert re.search("memory ran out: .*failed to map segment.*`ulimit -v` .*512 MB", log)


def test_any_other_error_under_a_limit_of_the_shell_names_the_limit(tmp_path):
    _, log, _ = step(tmp_path, "raise AttributeError('half a module')", "ulimit -v 1000000")
    assert re.search(r"please report it.*`ulimit -v` .*1\.02 GB", log)
    assert "half a module" in log
    assert "ulimit" not in step(tmp_path, "raise AttributeError('half a module')")[1]


def test_a_step_with_too_many_open_files_names_the_limit(tmp_path):
    status, log, left = step(
        tmp_path, "files = [open('step.py') for _ in range(99)]", "ulimit -n 50"
    )
    assert (status, left) == (1, [])
    assert re.search(r"ERROR .*'step\.py'.*ulimit -n", log)


def test_without_a_limit_of_the_shell_more_memory_is_asked_for(tmp_path):
    _, log, _ = step(tmp_path, "raise MemoryError")
    assert re.search("ERROR memory ran out: MemoryError.*--cores 1", log)


def test_a_step_that_the_system_kills_leaves_what_is_known_to_the_run(tmp_path):
    status, log, left = step(tmp_path, "logging = 1; os.kill(os.getpid(), signal.SIGKILL)")
    assert status == -signal.SIGKILL
    assert log == ""
    job = Job("rank", tmp_path / "step.log", "died with <Signals.SIGKILL: 9>")
    assert "whose log (dmesg) may name it" in failed_in_words([job], "0 of 1", "run.log")
    # The next writer of the same file removes what was half written.
    assert left and step(tmp_path, "pass")[2] == ["result.bin"]


def test_only_steps_are_ended_and_not_a_clusters_commands(tmp_path):
    (tmp_path / "step.py").write_text("import time; time.sleep(60)")
    step, other = (
        subprocess.Popen([sys.executable, *arguments])
        for arguments in ([str(tmp_path / "step.py")], ["-c", "import time; time.sleep(60)"])
    )
    try:
        while not psutil.Process(step.pid).cmdline():
            time.sleep(0.01)
        stopping.end_steps(tmp_path)
        assert step.wait() == -signal.SIGTERM
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_step_ends_with_its_run_and_leaves_no_half_file(tmp_path):
    run = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    began = psutil.Process(run.pid).create_time()
    (tmp_path / "step.py").write_text(STEP, "utf-8")
    environment = {
        **os.environ,
        "PYTHONPATH": str(SCRIPTS),
        "DOES": "Path('begun').touch(); time.sleep(600)",
        stopping.RUN: f"{run.pid} {began}",
    }
    command = [sys.executable, "step.py", "--log", "step.log"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment)
    while not (tmp_path / "begun").exists():
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(2 * stopping.SECONDS_BETWEEN_LOOKS_AT_RUN)
    assert process.poll() is None  # as long as the run is there
    run.kill()
    run.wait()
    assert process.wait(60) == 128 + signal.SIGTERM
    assert "SIGTERM" in (tmp_path / "step.log").read_text("utf-8")
    assert not list(tmp_path.glob("*result*")) + list(tmp_path.glob(".result*"))


def test_a_step_without_a_run_of_its_machine_goes_on(tmp_path):
    status, _, left = step(tmp_path, "time.sleep(0)", **{stopping.RUN: ""})
    assert (status, left) == (0, ["result.bin"])


def test_who_reads_no_more_of_what_a_step_prints_ends_it_quietly(tmp_path):
    (tmp_path / "step.py").write_text(STEP, "utf-8")
    command = f"{sys.executable} step.py --log step.log | head -1"
    environment = {
        **os.environ,
        "PYTHONPATH": str(SCRIPTS),
        "DOES": "[print('line', flush=True) for _ in range(100_000)]",
    }
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "line\n"), done.stderr
    assert "ERROR" not in (tmp_path / "step.log").read_text("utf-8")
