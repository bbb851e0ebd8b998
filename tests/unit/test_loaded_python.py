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
