"""Where results come from: the commit, the packages, the machine, the seeds and the inputs."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

from petite.files import read_json, sha256_of

GIT_SECONDS = 10
FORMAT = 1


def provenance(
    config: Mapping[str, Any],
    runs: pd.DataFrame,
    manifest: Path,
    inputs: Mapping[str, Path],
    checkout: Path,
) -> dict[str, Any]:
    """All that one needs to make a run's results again, or to see that they were made otherwise.

    Args:
        config: the whole configuration, as it was checked.
        runs: a row for each trained model, as in runs.csv.
        manifest: of the store.
        inputs: files by name, of which the digest is taken.
        checkout: the folder that Petite runs from.

    No time is in it: the same results, made by the same code on the same machine, give the same.
    """
    return {
        "format": FORMAT,
        "petite": commit(checkout),
        "config": dict(config),
        "packages": packages(),
        "training_versions": [json.loads(text) for text in sorted(set(runs["versions"]))],
        "hardware": hardware(),
        "seeds": {
            name: sorted(int(seed) for seed in runs[f"{name}_seed"].unique())
            for name in ("split", "selection", "training")
        },
        "inputs": {
            "images": read_json(manifest)["digest"],
            **{name: f"sha256:{sha256_of(path)}" for name, path in sorted(inputs.items())},
        },
    }


def commit(checkout: Path) -> dict[str, Any]:
    """The commit of a checkout, and whether its files differ from it; None without git.

    None too where the checkout lies in another repository and is none itself.
    """
    try:
        if Path(_git(checkout, "rev-parse", "--show-toplevel")).resolve() != checkout.resolve():
            return {"commit": None, "dirty": None}
        head = _git(checkout, "rev-parse", "HEAD")
        # Without --untracked-files=no the results of a run would count as a change.
        changed = _git(checkout, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return {"commit": None, "dirty": None}
    return {"commit": head, "dirty": bool(changed)}


def _git(folder: Path, *arguments: str) -> str:
    finished = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=GIT_SECONDS,
    )
    return finished.stdout.strip()


def packages() -> dict[str, str]:
    """Version by name of every package in this environment, and of Python."""
    found = {package.metadata["Name"]: package.version for package in distributions()}
    return {"python": platform.python_version()} | dict(sorted(found.items()))


def hardware() -> dict[str, Any]:
    """The processor, its cores, the memory (bytes) and the system of this machine."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": f"{platform.system()} {platform.machine()}",
    }


def _processor() -> str:
    """The processor's name; Linux keeps it where `platform` does not look."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "an unknown processor"
