"""The jobs of a whole run, as a dry run of Snakemake plans them."""

import os
import resource
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from petite.forecast.facts import Facts, PlannedJob
from petite.util.errors import PetiteError
from petite.util.files import read_json


@dataclass(frozen=True)
class DryRun:
    """How to plan the whole run, and where to look up what this machine takes.

    Attributes
    ----------
    command : list of str or None
        None in another workflow, whose jobs are unknown.
    variable : str
        The environment variable that names the file to which the dry run writes.
    cores : int
        Of the run.
    history : str
        See `petite.forecast.history`.
    """

    command: list[str] | None
    variable: str
    cores: int
    history: str


@dataclass(frozen=True)
class Network:
    """A backbone as `petite.networks.backbones.open_backbone` opens it."""

    name: str
    image_size: int
    scaling: str | None
    weights: str | None


@dataclass(frozen=True)
class PlannedRun:
    """A run before it begins.

    Attributes
    ----------
    jobs : tuple of PlannedJob
        Done or not.
    later : tuple of PlannedJob
        Those that looks may add.
    facts : Facts
    network : Network or None
        The backbone; None if it is a program, or its weights are not there yet.
    is_counted : bool
        Whether the number of images is known.
    """

    jobs: tuple[PlannedJob, ...]
    later: tuple[PlannedJob, ...]
    facts: Facts
    network: Network | None
    is_counted: bool


def read_run(path: Path) -> PlannedRun:
    """Read what the dry run of a run wrote."""
    values = read_json(path)
    jobs, later = (tuple(map(_job, values[name])) for name in ("jobs", "later"))
    network = values["network"] and Network(**values["network"])
    return PlannedRun(jobs, later, Facts(**values["facts"]), network, values["is_counted"])


def _job(values: Mapping[str, Any]) -> PlannedJob:
    return PlannedJob(**{**values, "needs": tuple(values["needs"])})


def planned_run(
    command: Sequence[str], variable: str, file: Path, more: Mapping[str, str] | None = None
) -> tuple[PlannedRun, float]:
    """Plan the whole run, and measure the seconds of planning it.

    Parameters
    ----------
    command : sequence of str
        A dry run.
    variable : str
        The environment variable that names the file to which it writes.
    file : Path
    more : mapping from str to str, optional
        More variables.

    Raises
    ------
    PetiteError
        If the run cannot be planned, with the reason.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    finished = subprocess.run(
        command,
        env={**os.environ, **(more or {}), variable: str(file)},
        capture_output=True,
        text=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if finished.returncode or not file.exists():
        said = finished.stderr.strip()
        _, own, reason = said.rpartition("Petite: ")
        raise PetiteError(reason if own else f"the run cannot be planned: {said[-1000:]}")
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return read_run(file), seconds
