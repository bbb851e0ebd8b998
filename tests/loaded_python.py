"""Packages loaded once, and a fork for each program: to load takes longer than most programs run.

Measured on eight files of tests/workflow (test_cache, test_configuration, test_faults,
test_groups_workflow, test_own_features, test_reruns, test_terminal, test_workflow): 309 seconds of
processor time with it and 692 without, where each program loads its packages itself. On two cores
these are three minutes of the twenty that `make test` may take. A job on Slurm is two starts of
Snakemake and a step: 1.8 seconds with it and 6 or more without.

The commands of README and the rules' own `python`, which load them each time, are tested in
test_faults.py and on the cluster.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import selectors
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

CLIENT = Path(__file__).with_name("loaded_python_client.py")
# Names the interpreter that programs of modules start others with, such as a Snakemake that plans.
EXECUTABLE = "LOADED_PYTHON"


class LoadedPython:
    """A process that has loaded packages and takes command lines of Python at a socket."""

    def __init__(self, folder: Path, modules: Iterable[str], environment: dict[str, str]) -> None:
        """Load the modules. The socket is in `folder`."""
        self.command = [sys.executable]
        self._server: subprocess.Popen[bytes] | None = None
        if sys.platform != "linux":  # elsewhere not all of them outlive a fork
            return
        path = folder / "socket"
        command = [sys.executable, __file__, str(path), *modules]
        self._server = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
        assert self._server.stdout
        assert self._server.stdout.readline() == b"ready\n"
        self.command += ["-I", "-S", str(CLIENT), str(path)]

    def as_python(self, *before: str) -> dict[str, str]:
        """The environment in which bash runs `python X` with this one, after what is `before`."""
        command = shlex.join([*self.command, *before])
        return {**os.environ, "BASH_FUNC_python%%": f'() {{ {command} "$@"; }}'}

    def write_python(self, folder: Path, modules: "LoadedPython") -> Path:
        """Write a `python` that runs programs with this one and `python -m` with `modules`."""
        path = folder / "python"
        own, of_modules = (f'exec {shlex.join(one.command)} "$@"' for one in (self, modules))
        lines = ["#!/bin/sh", f'export {EXECUTABLE}="$0"', f'[ "$1" = -m ] && {of_modules}', own]
        path.write_text("\n".join(lines) + "\n", "utf-8")
        path.chmod(0o755)
        return path

    def __enter__(self) -> "LoadedPython":
        return self

    def __exit__(self, *_: object) -> None:
        if self._server:
            self._server.terminate()
            self._server.wait()


def serve(path: str, modules: list[str]) -> None:
    """Run what clients ask for, each in a fork, tell them the exit status, and end with them.

    Threads do not live on in a fork. OpenBLAS and Arrow's jemalloc start theirs again, and
    TensorFlow has none before its first operation.
    """
    del sys.path[0]  # the folder of this file
    atexit.register(_leave)  # first, to be called last
    for module in modules:
        importlib.import_module(module)
    gc.freeze()  # what is shared with the forks stays so
    with socket.socket(socket.AF_UNIX) as server, selectors.DefaultSelector() as selector:
        server.bind(path)
        server.listen(64)
        selector.register(server, selectors.EVENT_READ)
        os.write(1, b"ready\n")
        while True:
            over = set()
            for key, _ in selector.select():
                if key.fileobj is server:
                    _begin(server.accept()[0], selector)
                elif key.data not in over:  # a program and its client may end at the same time
                    over.add(key.data)
                    _end(*key.data, selector)


def _begin(client: socket.socket, selector: selectors.BaseSelector) -> None:
    """Start the program that a client asks for."""
    _, descriptors, _, _ = socket.recv_fds(client, 1, 3)
    with client.makefile() as file:
        request = json.loads(file.readline())
    program = os.fork()
    if not program:
        _become(request, descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    ended = os.pidfd_open(program)
    for source in (client, ended):
        selector.register(source, selectors.EVENT_READ, (program, ended, client))


def _end(program: int, ended: int, client: socket.socket, selector: selectors.BaseSelector) -> None:
    """The program or its client has ended: end both."""
    selector.unregister(client)
    selector.unregister(ended)
    with suppress(ProcessLookupError):
        os.kill(program, signal.SIGKILL)  # has no effect on one that has ended
    _, status = os.waitpid(program, 0)
    os.close(ended)
    with client, suppress(BrokenPipeError):
        client.send(b"%d" % os.waitstatus_to_exitcode(status))


_status = 1  # of an exception


def _become(request: dict, descriptors: list[int]) -> NoReturn:
    """Go on as `python` with the arguments, folder, environment and files of the client."""
    global _status
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    first, *others = request["arguments"]
    try:
        if first == "-m":
            sys.argv = others
            sys.executable = os.environ.get(EXECUTABLE, sys.executable)
            runpy.run_module(others[0], run_name="__main__", alter_sys=True)
        else:
            sys.argv = [first, *others]
            sys.path.insert(0, str(Path(first).resolve().parent))
            runpy.run_path(first, run_name="__main__")
        sys.exit()
    except SystemExit as end:
        _status = end.code if isinstance(end.code, int) else bool(end.code)
        raise


def _leave() -> None:
    """End without clearing away all that was loaded, which takes longer than to load a step."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_status)


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2:])
