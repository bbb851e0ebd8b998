"""How much memory a step may take: half of what is free where it runs."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from petite import memory

SCRIPTS = Path(memory.__file__).resolve().parents[1]
MB = 2**20
# Prints what a process of its own may take.
ASK = [sys.executable, "-c", "from petite import memory; print(memory.available())"]


def ask(before: list[str] | None = None, **environment: str) -> int:
    """What a new process may take; `before`: a command that runs the rest of its arguments."""
    return int(
        subprocess.check_output(
            [*(before or []), *ASK],
            env={**os.environ, "PYTHONPATH": str(SCRIPTS), **environment},
            text=True,
        )
    )


@pytest.fixture
def control_group() -> Iterator[Path]:
    """A control group with a limit of 400 MiB."""
    for root, limit in (
        (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
        (Path("/sys/fs/cgroup"), "memory.max"),
    ):
        folder = root / f"petite-test-{os.getpid()}"
        try:
            folder.mkdir()
        except OSError:
            continue
        try:
            (folder / limit).write_text(str(400 * MB), "ascii")
        except OSError:
            folder.rmdir()
            continue
        yield folder
        folder.rmdir()
        return
    pytest.skip("no control group for memory can be made here: it takes root, and Linux")


def test_half_of_what_is_free_on_the_machine_at_most():
    assert 0 < memory.available() <= psutil.virtual_memory().total // 2


def test_half_of_what_a_slurm_job_leaves():
    assert 0 < ask(SLURM_MEM_PER_NODE="400") < 200 * MB


def test_nothing_where_a_slurm_job_has_less_than_the_process_takes():
    assert ask(SLURM_MEM_PER_NODE="1") == 0


def test_half_of_what_a_control_group_leaves(control_group):
    enter = f'echo $$ > "{control_group}/cgroup.procs" && exec "$@"'
    assert 0 < ask(["sh", "-c", enter, "sh"]) < 200 * MB
