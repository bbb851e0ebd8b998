"""Unusual shells, homes and temporary folders of users, with which a run still works."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.workflow

REPOSITORY = Path(__file__).resolve().parents[2]
LISTING = "results/digits/store/listing.parquet"
TRAINED = "results/digits/runs/scratch/full/1/seeds-0-1.csv"
UNPRIVILEGED = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


def run(
    folder: Path,
    environment: dict[str, str],
    *arguments: str,
    limits: str = ":",
    cores: str = "--cores=1",
) -> subprocess.CompletedProcess[str]:
    """Run as one who may not write everywhere, to the listing, in this environment."""
    command = [*(UNPRIVILEGED if os.geteuid() == 0 else []), sys.executable, "-m", "snakemake"]
    command += [cores, "--directory", str(folder)]
    command += ["--snakefile", str(REPOSITORY / "Snakefile")]
    command += ["--configfile", str(REPOSITORY / "workflow/config/digits.yaml")]
    return subprocess.run(
        ["bash", "-c", f'{limits}; exec "$@"', "bash", *command, "--", *(arguments or [LISTING])],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def test_variables_of_python_and_the_shell_change_nothing(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign/petite"
    foreign.mkdir(parents=True)
    (foreign / "__init__.py").write_text("raise SystemExit('the wrong petite')\n")
    rc = tmp_path / "rc"
    rc.write_text("python() { echo the wrong python; exit 3; }\n")
    variables = {
        "PYTHONSAFEPATH": "1",
        "PYTHONPATH": str(foreign.parent),
        "PYTHONOPTIMIZE": "2",
        "PYTHONSTARTUP": str(rc),
        "BASH_ENV": str(rc),
        "SHELLOPTS": "xtrace",
        "POSIXLY_CORRECT": "1",
    }
    finished = run(tmp_path / "work", {**os.environ, **variables})
    assert finished.returncode == 0, finished.stdout
    assert "wrong" not in finished.stdout
    assert "python" not in finished.stdout.partition("Job stats")[2]


@pytest.mark.parametrize("lacks", ["nothing is set", "nothing can be written"])
def test_a_run_needs_no_home_and_no_temporary_folder_of_the_users(
    tmp_path: Path, lacks: str
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path / "missing")}
    if lacks == "nothing can be written":
        # The remedy of docs/faults.md: Snakemake needs a folder for its cache.
        environment |= {"HOME": str(closed), "TMPDIR": str(closed)}
        environment |= {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    finished = run(tmp_path / "work", environment)
    assert finished.returncode == 0, finished.stdout
    assert "Traceback" not in finished.stdout
    assert list(closed.iterdir()) == []


def test_a_full_folder_for_temporary_files_is_named(
    tmp_path: Path, small_disk: Callable[[int], Path]
) -> None:
    disk = small_disk(64 * 1024)
    finished = run(tmp_path / "work", {**os.environ, "TMPDIR": str(disk)})
    assert finished.returncode != 0
    assert f"no space is left for temporary files in {disk}" in finished.stdout
    assert "TMPDIR" in finished.stdout
    assert "Traceback" not in finished.stdout


def test_a_limit_of_the_shell_on_memory_is_shown_before_and_after(tmp_path: Path) -> None:
    finished = run(tmp_path, dict(os.environ), TRAINED, limits="ulimit -v 1900000")
    assert finished.returncode != 0
    before, _, after = finished.stdout.partition("Job stats")
    assert "`ulimit -v` allows each process 1.95 GB" in before
    assert "memory ran out" in after
    assert "Traceback" not in after


@pytest.mark.parametrize("cores", ["--cores=0", "--cores=-1"])
def test_cores_on_which_no_job_can_start_are_refused(tmp_path: Path, cores: str) -> None:
    finished = run(tmp_path, dict(os.environ), cores=cores)
    assert finished.returncode != 0
    assert "--cores or --jobs is" in finished.stdout
    assert "Traceback" not in finished.stdout
    assert not (tmp_path / LISTING).exists()


def test_jobs_without_a_limit_are_forecast_on_the_cores_of_the_machine(tmp_path: Path) -> None:
    finished = run(tmp_path, dict(os.environ), cores="--jobs=unlimited")
    assert finished.returncode == 0, finished.stdout
    assert f" on {os.cpu_count()} core" in finished.stdout


@pytest.mark.parametrize("place", ["results", "results/digits"])
@pytest.mark.parametrize("what", ["a link to nowhere", "a file"])
def test_a_place_of_results_that_is_no_folder_is_named(
    tmp_path: Path, place: str, what: str
) -> None:
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    if what == "a file":
        path.write_text("mine")
    else:
        path.symlink_to(tmp_path / "purged")
    finished = run(tmp_path, dict(os.environ))
    assert finished.returncode != 0
    said = finished.stdout.partition("Petite: ")[2]
    assert said.startswith(f"{place} is ")
    assert what == "a file" or str(tmp_path / "purged") in said
    assert "Traceback" not in said and ".smk" not in said


def test_an_encoding_that_loses_letters_of_file_names_is_refused(tmp_path: Path) -> None:
    variables = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    finished = run(tmp_path, {**os.environ, **variables})
    assert finished.returncode != 0
    assert "ascii" in finished.stdout and "PYTHONUTF8=1" in finished.stdout
    assert "Traceback" not in finished.stdout
