"""How much memory a step may use, and whether it ran out."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from petite.util.errors import PetiteError
from petite.util.formatting import BYTES, byte_size

logger = logging.getLogger(__name__)

# Slurm's memory variables, each with the variable that says how many such units a node has.
SLURM_MEMORY = {
    "SLURM_MEM_PER_NODE": None,
    "SLURM_MEM_PER_CPU": "SLURM_CPUS_ON_NODE",
    "SLURM_MEM_PER_GPU": "SLURM_GPUS_ON_NODE",
}
SLURM_UNITS = {"K": 2**10, "": 2**20, "M": 2**20, "G": 2**30, "T": 2**40}

# A training of tiny images maps 2 GB, most of it unused; twice that leaves room for larger ones.
ADDRESS_SPACE = 4 * 10**9

# What libraries and the system say when memory ran out.
SHORTAGE = re.compile(
    "MemoryError|bad_alloc|Cannot allocate memory|failed to map segment|ResourceExhausted"
    "|RESOURCE_EXHAUSTED|OOM when allocating|[Oo]ut of memory|OUT_OF_MEMORY"
    "|Memory allocation still failed|exceeded.*memory limit"
)

# The files of a Linux control group, by its version: the limit and the memory in use (bytes), and
# the entry of memory.stat for cached files that can be dropped.
CGROUP_FILES = {
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: ("memory.max", "memory.current", "inactive_file"),
}


def available() -> int:
    """Compute half of the free memory, in bytes.

    That is the smallest of the free memory of this machine, of the Slurm job, and of the control
    groups (such as a container) of this process.
    """
    import psutil

    free = [psutil.virtual_memory().available]
    # Slurm may enforce its limit by polling, without a control group.
    used = psutil.Process().memory_info().rss
    free += [allocated - used for allocated in slurm_allocations()]
    free += _free_in_control_groups()
    return max(0, int(min(free))) // 2


def slurm_allocations() -> Iterator[int]:
    """Read the memory that Slurm allocates to this job on this node, in bytes.

    Slurm sets one of three variables, in megabytes or with a suffix K, M, G or T. A value of 0
    means the whole node.
    """
    for name, unit in SLURM_MEMORY.items():
        text = os.environ.get(name, "")
        if not text:
            continue
        size = re.fullmatch(r"(\d+)([KMGT]?)", text.strip().upper())
        units = os.environ.get(unit, "") if unit else "1"
        if size is None or not units.isdigit():
            count = f", {unit}={units}" if unit else ""
            logger.warning("ignored %s=%s%s, which is not a size of memory", name, text, count)
        elif int(size[1]):
            yield int(size[1]) * SLURM_UNITS[size[2]] * int(units)


def _free_in_control_groups() -> Iterator[int]:
    """The free memory of each control group that limits this process, in bytes."""
    for folder, version in _control_groups():
        limit, usage, cache = CGROUP_FILES[version]
        # The root has no limit, and a container may not see its own groups.
        with suppress(OSError, ValueError):
            allowed = int((folder / limit).read_text("ascii"))
            statistics = (folder / "memory.stat").read_text("ascii").split()
            # Cached files that can be dropped count as in use.
            dropped = int(statistics[statistics.index(cache) + 1])
            yield allowed - int((folder / usage).read_text("ascii")) + dropped


def _control_groups() -> Iterator[tuple[Path, int]]:
    """The control groups of this process from the innermost to the root, and their version."""
    try:
        lines = Path("/proc/self/cgroup").read_text("utf-8").splitlines()
    except OSError:  # not on Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        root, version = Path("/sys/fs/cgroup"), 2
        if controllers:
            if "memory" not in controllers.split(","):
                continue
            root, version = root / "memory", 1
        folder = root / path.lstrip("/")
        yield folder, version
        for parent in folder.parents:
            if parent.is_relative_to(root):
                yield parent, version


def oom_kills() -> int:
    """Count the processes that the kernel has killed for lack of memory.

    In the control groups of this process; on the whole machine where those do not count. 0 where
    the system does not say.
    """
    files = [
        folder / ("memory.events" if version == 2 else "memory.oom_control")
        for folder, version in _control_groups()
    ]
    counts = [count for file in files if (count := _count(file)) is not None]
    return max(counts) if counts else _count(Path("/proc/vmstat")) or 0


def _count(file: Path) -> int | None:
    """The number after oom_kill in a file of the kernel, or None."""
    with suppress(OSError, ValueError):
        words = file.read_text("ascii").split()
        return int(words[words.index("oom_kill") + 1])
    return None


def is_shortage(text: str) -> bool:
    """Whether an error or the end of a log says that memory ran out."""
    return SHORTAGE.search(text) is not None


def limit_of_process() -> int | None:
    """Read the address space that `ulimit -v` allows this process, in bytes; None for no limit."""
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft


def limit_in_words() -> str:
    """Name the limit of this process in a sentence to append to others; "" without a limit."""
    limit = limit_of_process()
    return f" `ulimit -v` allows it {byte_size(limit)}: raise it." if limit is not None else ""


def small_limit() -> str:
    """Warn in a sentence if `ulimit -v` allows too little address space for TensorFlow, else ""."""
    limit = limit_of_process()
    if limit is None or limit >= ADDRESS_SPACE:
        return ""
    return (
        f"`ulimit -v` allows each process {byte_size(limit)}, and a training may need "
        f"{byte_size(ADDRESS_SPACE)} of address space. Raise it (ulimit -v unlimited)."
    )


def parse(text: str) -> int:
    """Convert a size as people write it to bytes.

    Raises
    ------
    PetiteError
        When the text is not a size.

    Examples
    --------
    >>> parse("600 MB"), parse("6GB"), parse("100000")
    (600000000, 6000000000, 100000)
    """
    number = text.strip().upper()
    unit = next((name for name in ("KB", "MB", "GB", "TB", "B") if number.endswith(name)), "")
    try:
        size = float(number.removesuffix(unit)) * BYTES.get(unit, 1)
    except ValueError:
        size = 0
    if not 0 < size < float("inf"):
        raise PetiteError(f"'{text}' is not an amount of memory: write for example 600 MB or 6 GB")
    return int(size)
