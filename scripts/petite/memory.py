"""How much memory a step may take."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from petite.errors import PetiteError

UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


# The files of a Linux control group, by its version: the limit, and what is in use of it (bytes).
CGROUP_FILES = {
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: ("memory.max", "memory.current", "inactive_file"),
}


def available() -> int:
    """Half of the memory that is free, bytes.

    On this machine, and in the Slurm job and the control groups (of a container, say) that this
    process is in: the least of these.
    """
    import psutil

    free = [psutil.virtual_memory().available]
    # Slurm may enforce it by looking now and then, without a control group.
    if allocated := os.environ.get("SLURM_MEM_PER_NODE", ""):
        free.append(int(allocated) * 2**20 - psutil.Process().memory_info().rss)
    free += _free_in_control_groups()
    return max(0, int(min(free))) // 2


def _free_in_control_groups() -> Iterator[int]:
    """What each control group that limits this process leaves, bytes."""
    for folder, version in _control_groups():
        limit, usage, cache = CGROUP_FILES[version]
        # The root has no limit, and a container may not see the groups that it is in.
        with suppress(OSError, ValueError):
            allowed = int((folder / limit).read_text("ascii"))
            statistics = (folder / "memory.stat").read_text("ascii").split()
            # Files that were read and can be dropped count as in use.
            dropped = int(statistics[statistics.index(cache) + 1])
            yield allowed - int((folder / usage).read_text("ascii")) + dropped


def _control_groups() -> Iterator[tuple[Path, int]]:
    """The control groups of this process from the inmost to the root, and their version."""
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


def parse(text: str) -> int:
    """Bytes of a size as people write it: "600 MB", "6GB", "100000".

    Raises PetiteError when it is none.
    """
    number = text.strip().upper()
    unit = next((name for name in ("KB", "MB", "GB", "TB", "B") if number.endswith(name)), "")
    try:
        size = float(number.removesuffix(unit)) * UNITS.get(unit, 1)
    except ValueError:
        size = 0
    if not 0 < size < float("inf"):
        raise PetiteError(f"'{text}' is no amount of memory: write say 600 MB or 6 GB")
    return int(size)


def in_words(size: float) -> str:
    """Bytes as people read them: 1.5 GB."""
    for name in ("TB", "GB", "MB", "KB"):
        if size >= UNITS[name]:
            return f"{size / UNITS[name]:.3g} {name}"
    return f"{size:.0f} B"
