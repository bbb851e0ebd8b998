"""Where results come from: the commit, the packages, the machine, the seeds and the inputs."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import pandas as pd
import psutil

from petite.util import environment
from petite.util.files import read_json, sha256_of

GIT_SECONDS = 10  # before git is given up
FORMAT = 1
OF_ANOTHER_REPOSITORY = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_NAMESPACE"}


class Commit(TypedDict):
    """The commit of a checkout; `dirty`: whether its files differ from it."""

    commit: str | None
    dirty: bool | None
    reason: NotRequired[str]


class Hardware(TypedDict):
    """The machine that a step ran on."""

    processor: str
    cores: int | None
    memory_bytes: int
    system: str


class Provenance(TypedDict):
    """The content of provenance.json."""

    format: int
    petite: Commit
    config: dict[str, Any]
    packages: dict[str, str]
    training_versions: list[Any]
    environment: dict[str, str]
    hardware: Hardware
    seeds: dict[str, list[int]]
    declared: NotRequired[dict[str, Any]]
    inputs: dict[str, str]


NO_COMMIT: Commit = {"commit": None, "dirty": None}


def provenance(
    config: Mapping[str, Any],
    runs: pd.DataFrame,
    manifest: Path,
    inputs: Mapping[str, Path],
    checkout: Path,
) -> Provenance:
    """Collect what is needed to reproduce a run's results, or to see how others differ.

    It holds no time: the same code and results on the same machine give the same record.

    Parameters
    ----------
    config : mapping from str
        The whole configuration after validation.
    runs : DataFrame
        One row per trained model, as in runs.csv.
    manifest : Path
        The manifest of the store.
    inputs : mapping from str to Path
        Files by name, which are recorded by their digest.
    checkout : Path
        The folder that Petite runs from.

    Returns
    -------
    Provenance
    """
    return {
        "format": FORMAT,
        "petite": commit(checkout),
        "config": dict(config),
        "packages": packages(),
        "training_versions": [json.loads(text) for text in sorted(set(runs["versions"]))],
        # Of this step; those of trainings, which may run elsewhere, are in training_versions.
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


def commit(checkout: Path) -> Commit:
    """Find the commit of a checkout, and whether its files differ from it.

    Parameters
    ----------
    checkout : Path
        The folder that Petite runs from.

    Returns
    -------
    Commit
        `commit` and `dirty` are None if git does not know them, or if the folder is only part of
        another repository. Where git fails, `reason` is its message.
    """
    try:
        if Path(_git(checkout, "rev-parse", "--show-toplevel")).resolve() != checkout.resolve():
            return NO_COMMIT
        head = _git(checkout, "rev-parse", "HEAD")
        # Without --untracked-files=no the results of a run would count as a change.
        changed = _git(checkout, "status", "--porcelain", "--untracked-files=no")
    except subprocess.CalledProcessError as error:
        if not (checkout / ".git").exists():
            return NO_COMMIT
        return {**NO_COMMIT, "reason": " ".join(error.stderr.split())}
    except subprocess.TimeoutExpired:
        return {**NO_COMMIT, "reason": f"git took more than {GIT_SECONDS} s"}
    except OSError as error:
        if not (checkout / ".git").exists():
            return NO_COMMIT
        return {**NO_COMMIT, "reason": f"git cannot be run: {error.strerror}"}
    return {"commit": head, "dirty": bool(changed)}


def _git(folder: Path, *arguments: str) -> str:
    finished = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=GIT_SECONDS,
        # In English, only for this folder, and without prompts.
        env=_without_git(os.environ) | {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"},
    )
    return finished.stdout.strip()


def _without_git(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables without GIT_DIR and others that a hook may set for another repository."""
    return {name: value for name, value in variables.items() if name not in OF_ANOTHER_REPOSITORY}


def packages() -> dict[str, str]:
    """List the version of Python and of every package in this environment, by name."""
    found = {package.metadata["Name"]: package.version for package in distributions()}
    return {"python": platform.python_version()} | dict(sorted(found.items()))


def hardware() -> Hardware:
    """Describe the processor, its cores, the memory (bytes) and the system of this machine."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": f"{platform.system()} {platform.machine()}",
    }


def _processor() -> str:
    """The processor's name, which `platform` does not find on Linux."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "an unknown processor"


def names_of(files: Sequence[Path]) -> list[str]:
    """Name files with their folder, as LSUN's are all data.mdb, or as many as tell them apart."""
    for depth in range(2, max((len(file.parts) for file in files), default=2) + 1):
        names = ["/".join(file.parts[-depth:]) for file in files]
        if len(set(names)) == len(set(files)):
            break
    else:
        names = [str(file) for file in files]
    return names
