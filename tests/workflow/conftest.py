"""Run the real workflow, each test in its own folder."""

import copy
import fcntl
import os
import pickle
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from smallest import smallest

REPOSITORY = Path(__file__).resolve().parents[2]

TINY = smallest({"random": [0.25, 0.1], "pca_grid": [0.1], "augmentation": [0.1]}, classes="017")


@pytest.fixture
def tiny_config() -> dict:
    """A copy of the tiny configuration that a test may change."""
    return copy.deepcopy(TINY)


Snakemake = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def snakemake(loaded_snakemake: Snakemake) -> Snakemake:
    """Run Snakemake on Petite's workflow with `folder` as the working directory."""

    def run(
        folder: Path, *arguments: str, config: dict | None = None
    ) -> subprocess.CompletedProcess[str]:
        options = ["--cores", "2"]
        options += ["--snakefile", str(REPOSITORY / "Snakefile"), "--directory", str(folder)]
        if config is not None:
            folder.mkdir(parents=True, exist_ok=True)
            overlay = folder / "overlay.yaml"
            overlay.write_text(yaml.safe_dump(config), encoding="utf-8")
            options += ["--configfile", str(overlay)]
        return loaded_snakemake(Path.cwd(), *options, *arguments)

    return run


@pytest.fixture(scope="session")
def tiny_run(snakemake: Snakemake, tmp_path_factory: pytest.TempPathFactory):
    """The tiny workflow, run once: the folder, and what Snakemake said.

    Where several processes test side by side, one of them runs it and each has a copy.
    """
    together, process = tmp_path_factory.getbasetemp(), os.environ.get("PYTEST_XDIST_WORKER", "")
    if process:
        together = together.parent
    # In the same parent folder, so that the path to the code is the same and nothing reruns for it.
    first, folder = together / "tiny run", together / f"tiny run {process}"
    with (together / "tiny run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = together / "tiny run.pickle"
        if not said.exists():
            said.write_bytes(pickle.dumps(snakemake(first, config=TINY)))
    finished = pickle.loads(said.read_bytes())
    assert finished.returncode == 0, finished.stderr
    shutil.copytree(first, folder, symlinks=True)
    return folder, finished


@pytest.fixture(scope="session")
def write_pictures() -> Callable[..., None]:
    """A function that writes JPEG images in class folders; classes differ in brightness."""

    def write(folder: Path, classes: list[str], count: int) -> None:
        random = np.random.default_rng(0)
        for label, name in enumerate(classes):
            (folder / name).mkdir(parents=True)
            for number in range(count):
                low = 40 + 120 * label // len(classes)
                pixels = random.integers(low, low + 60, (40, 48, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(folder / name / f"picture {number}.jpg")

    return write


@pytest.fixture(scope="session")
def copy_checkout() -> Callable[[Path], Path]:
    """A function that copies what the workflow runs from, for tests that change it."""

    def copy(folder: Path) -> Path:
        for name in ("scripts", "workflow", "envs"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(REPOSITORY / name, folder / name, ignore=ignored)
        for name in ("Snakefile", "config.yaml", "profiles"):
            shutil.copy2(REPOSITORY / name, folder, follow_symlinks=False)
        return folder

    return copy
