"""How much memory a step may take: half of what is free where it runs."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from petite.util import memory

SCRIPTS = Path(memory.__file__).resolve().parents[2]
MB = 2**20
# Prints what a process of its own may take.
ASK = [sys.executable, "-c", "from petite.util import memory; print(memory.available())"]


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


@pytest.mark.parametrize(
    ("variables", "megabytes"),
    [
        ({"SLURM_MEM_PER_NODE": "400"}, 400),
        ({"SLURM_MEM_PER_NODE": "400M"}, 400),
        ({"SLURM_MEM_PER_NODE": "409600K"}, 400),
        ({"SLURM_MEM_PER_NODE": "1G"}, 1024),
        ({"SLURM_MEM_PER_NODE": "1g"}, 1024),
        ({"SLURM_MEM_PER_CPU": "100", "SLURM_CPUS_ON_NODE": "4"}, 400),
        ({"SLURM_MEM_PER_GPU": "1G", "SLURM_GPUS_ON_NODE": "2"}, 2048),
    ],
)
def test_half_of_what_a_slurm_job_leaves(variables, megabytes):
    # The process itself takes some of it.
    assert (megabytes / 2 - 100) * MB < ask(**variables) < megabytes / 2 * MB


@pytest.mark.parametrize(
    "variables",
    [
        {"SLURM_MEM_PER_NODE": "0"},  # the whole node
        {"SLURM_MEM_PER_NODE": "0M"},
        {"SLURM_MEM_PER_CPU": "0", "SLURM_CPUS_ON_NODE": "2"},
        {"SLURM_MEM_PER_CPU": "10"},  # of how many?
        {"SLURM_MEM_PER_NODE": "UNLIMITED"},
        {"SLURM_MEM_PER_NODE": "9T"},
    ],
)
def test_slurm_variables_that_set_no_limit_leave_what_is_free_on_the_machine(variables):
    assert ask(**variables) > 0.5 * ask()


def test_nothing_where_a_slurm_job_has_less_than_the_process_takes():
    assert ask(SLURM_MEM_PER_NODE="1") == 0


def test_half_of_what_a_control_group_leaves(control_group):
    enter = f'echo $$ > "{control_group}/cgroup.procs" && exec "$@"'
    assert 0 < ask(["sh", "-c", enter, "sh"]) < 200 * MB


# Its argument: a command that enters the control group and takes more than that allows.
COUNT = """
import subprocess, sys
from petite.util import memory
before = memory.oom_kills()
ended = subprocess.run([sys.executable, "-c", "bytearray(2_000_000_000)"]).returncode
print(ended, memory.oom_kills() - before)
"""


def test_what_the_kernel_kills_for_lack_of_memory_is_counted(control_group):
    enter = f'echo $$ > "{control_group}/cgroup.procs" && exec "$@"'
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    command = ["sh", "-c", enter, "sh", sys.executable, "-c", COUNT]
    said = subprocess.run(command, env=environment, text=True, capture_output=True)
    assert said.stdout == "-9 1\n", said.stderr


@pytest.mark.parametrize(
    "text",
    [
        "MemoryError",
        "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 8.0 GiB for an array",
        "OSError: [Errno 12] Cannot allocate memory",
        "ImportError: libtensorflow_cc.so.2: failed to map segment from shared object",
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "ResourceExhaustedError: Graph execution error: OOM when allocating tensor",
        "XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while trying to allocate",
        "torch.cuda.OutOfMemoryError: CUDA out of memory",
        "CUDA_ERROR_OUT_OF_MEMORY: out of memory",
    ],
)
def test_what_says_that_memory_ran_out(text):
    assert memory.is_shortage(text)


def test_other_errors_say_nothing_of_memory():
    assert not memory.is_shortage("ValueError: no memory of it is kept, no room for doubt")
