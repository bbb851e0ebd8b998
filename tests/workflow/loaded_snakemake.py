"""Snakemake loaded once, and a fork of it for each run: to load it takes longer than most runs.

The commands of README, which load it each time, are tested in test_faults.py and on the cluster.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn


class LoadedSnakemake:
    """A process that has loaded Snakemake and waits for command lines."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run Snakemake in a folder, as a process of its own with this one's environment."""
        assert self._server.stdin
        assert self._server.stdout
        with tempfile.TemporaryDirectory() as name:
            said = [Path(name) / "stdout", Path(name) / "stderr"]
            request = {
                "arguments": arguments,
                "cwd": str(cwd),
                "environment": dict(os.environ),
                "said": [str(path) for path in said],
            }
            print(json.dumps(request), file=self._server.stdin, flush=True)
            status = int(self._server.stdout.readline())
            return subprocess.CompletedProcess(
                arguments, status, *(path.read_text("utf-8") for path in said)
            )

    def close(self) -> None:
        self._server.communicate()


def serve() -> None:
    """Run what is asked on stdin, a JSON object a line, and print the exit status of each."""
    del sys.path[0]  # the folder of this file
    import snakemake.cli

    for line in sys.stdin:
        child = os.fork()
        if not child:
            _become(json.loads(line), snakemake.cli.main)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(request: dict, main) -> NoReturn:
    """Go on as the Snakemake that was asked for."""
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, path in enumerate(request["said"], start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    sys.argv = ["snakemake", *request["arguments"]]
    sys.exit(main(request["arguments"]))


if __name__ == "__main__":
    serve()
