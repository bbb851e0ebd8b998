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
    folder: Path, environment: dict[str, str], *arguments: str, limits: str = ":"
) -> subprocess.CompletedProcess[str]:
    """Run as one who may not write everywhere, to the listing, in this environment."""
    command = [*(UNPRIVILEGED if os.geteuid() == 0 else []), sys.executable, "-m", "snakemake"]
    command += ["--cores", "1", "--directory", str(folder)]
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
