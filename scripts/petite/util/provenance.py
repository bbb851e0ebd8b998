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

from petite.util import environment
from petite.util.files import read_json, sha256_of

GIT_SECONDS = 10
FORMAT = 1
NO_COMMIT = {"commit": None, "dirty": None}
OF_ANOTHER_REPOSITORY = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_NAMESPACE"}


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
        # Of this step: those of trainings, on other machines maybe, are among training_versions.
        "environment": environment.written_down(os.environ),
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
    """The commit of a checkout, and whether its files differ from it; None where git cannot tell.

    None too where the checkout lies in another repository and is none itself. A `reason` is there
    where git refuses: what it says, with its remedy.
    """
    try:
        if Path(_git(checkout, "rev-parse", "--show-toplevel")).resolve() != checkout.resolve():
            return dict(NO_COMMIT)
        head = _git(checkout, "rev-parse", "HEAD")
        # Without --untracked-files=no the results of a run would count as a change.
        changed = _git(checkout, "status", "--porcelain", "--untracked-files=no")
    except subprocess.CalledProcessError as error:
        if not (checkout / ".git").exists():
            return dict(NO_COMMIT)
        return {**NO_COMMIT, "reason": " ".join(error.stderr.split())}
    except subprocess.TimeoutExpired:
        return {**NO_COMMIT, "reason": f"git took more than {GIT_SECONDS} s"}
    except OSError as error:
        if not (checkout / ".git").exists():
            return dict(NO_COMMIT)
        return {**NO_COMMIT, "reason": f"git cannot be run: {error.strerror}"}
    return {"commit": head, "dirty": bool(changed)}


def _git(folder: Path, *arguments: str) -> str:
    finished = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=GIT_SECONDS,
        # In English, of this folder alone, and without a question that waits for an answer.
        env=_without_git(os.environ) | {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"},
    )
    return finished.stdout.strip()


def _without_git(variables: Mapping[str, str]) -> dict[str, str]:
    """Without GIT_DIR and the like, which a hook or a shell may set for another repository."""
    return {name: value for name, value in variables.items() if name not in OF_ANOTHER_REPOSITORY}


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
