"""Petite's workflow on a real Slurm."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from loaded_python import LoadedPython
from loopback import LoopbackSlurm, missing
from runs import EVERY_RULE, TABLES, Run


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackSlurm]:
    """A Slurm node; without Slurm the test is skipped, but fails in CI."""
    if lacks := missing():
        reason = f"no Slurm on loopback: {', '.join(lacks)}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    cluster = LoopbackSlurm(tmp_path_factory.mktemp("slurm") / "node")
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def local_run(
    tmp_path_factory: pytest.TempPathFactory, loaded_steps: LoadedPython, loaded_python: str
) -> Run:
    """The tables of a run on this machine without a cluster."""
    run = Run(tmp_path_factory.mktemp("local"), None, loaded_steps.as_python(), loaded_python)
    run.finish(TABLES)
    return run


@pytest.fixture(scope="session")
def slurm_run(
    tmp_path_factory: pytest.TempPathFactory, slurm: LoopbackSlurm, loaded_python: str
) -> Run:
    """Every rule of the workflow on Slurm."""
    run = Run(tmp_path_factory.mktemp("cluster"), slurm, python=loaded_python)
    run.finish("--", *EVERY_RULE)
    return run


@pytest.fixture(scope="session")
def untrained(slurm_run: Run) -> Callable[..., Run]:
    """A function that copies the run on Slurm to a folder, without tables and some trainings.

    python: what its Slurm jobs run with; otherwise each of them loads its packages itself.
    """

    def copy(folder: Path, *methods: str, python: str = sys.executable) -> Run:
        shutil.copytree(slurm_run.folder, folder, dirs_exist_ok=True)
        (folder / "said.txt").unlink()
        for table in (folder / "results/tiny").glob("*.*"):
            table.unlink()
        for method in methods:
            shutil.rmtree(folder / "results/tiny/runs/scratch" / method)
            shutil.rmtree(folder / "results/tiny/models/scratch" / method)
        return Run(folder, slurm_run.slurm, python=python)

    return copy
