"""The process that runs the tests' programs with their packages loaded outlives what it runs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from loaded_python import LoadedPython


@pytest.mark.skipif(sys.platform != "linux", reason="other systems load the packages again")
def test_a_client_and_its_program_that_end_at_once_leave_the_next_one_to_run(
    tmp_path: Path,
) -> None:
    waits, answers = tmp_path / "waits.py", tmp_path / "answers.py"
    waits.write_text("import time\nprint('begun', flush=True)\ntime.sleep(600)\n")
    answers.write_text("raise SystemExit(7)\n")
    with LoadedPython(tmp_path, [], dict(os.environ)) as loaded:
        client = subprocess.Popen([*loaded.command, str(waits)], stdout=subprocess.PIPE)
        assert client.stdout and client.stdout.readline() == b"begun\n"
        assert loaded._server
        server = psutil.Process(loaded._server.pid)
        (program,) = server.children()
        # While it does not look, so that it hears of both at the same time.
        server.send_signal(signal.SIGSTOP)
        client.kill()
        program.kill()
        assert client.wait() == -signal.SIGKILL
        while program.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        server.send_signal(signal.SIGCONT)
        assert subprocess.run([*loaded.command, str(answers)], check=False).returncode == 7


@pytest.mark.skipif(sys.platform != "linux", reason="other systems load the packages again")
def test_what_a_module_starts_with_its_own_interpreter_has_packages_loaded(tmp_path: Path) -> None:
    starts, asks = "import subprocess, sys\n", "import sys; print('colorsys' in sys.modules)"
    (tmp_path / "asks.py").write_text(asks, "utf-8")
    for command in (["asks.py"], ["-c", asks]):  # a program of the steps, and what is not one
        starts += f"subprocess.run([sys.executable, *{command}], check=True)\n"
    (tmp_path / "starts.py").write_text(starts, "utf-8")
    folders = [tmp_path / "steps", tmp_path / "modules"]
    for folder in folders:
        folder.mkdir()
    with (
        LoadedPython(folders[0], ["colorsys"], dict(os.environ)) as steps,
        LoadedPython(folders[1], [], {**os.environ, "PYTHONPATH": str(tmp_path)}) as modules,
    ):
        python = steps.write_python(tmp_path, modules)
        done = subprocess.run(
            [python, "-m", "starts"], cwd=tmp_path, capture_output=True, text=True
        )
    assert done.stdout.split() == ["True", "False"], done.stderr
