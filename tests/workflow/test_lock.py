"""Folders that several users run in: unreadable records of runs, and locks."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.workflow

REPOSITORY = Path(__file__).resolve().parents[2]
LISTING = "results/digits/store/listing.parquet"
NO_PROCESS = 2**22  # beyond the most that Linux gives
DAMAGED = ["", "{", "[1, 2]", "null", '{"host": 1}', f'{{"host": "{socket.gethostname()}"', "\0"]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run as a user who may not read everything: root drops that capability."""
    prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    command = [*(prefix if os.geteuid() == 0 else []), sys.executable, "-m", "snakemake"]
    command += ["--cores", "1", "--directory", str(folder), *arguments]
    command += ["--snakefile", str(REPOSITORY / "Snakefile")]
    command += ["--configfile", str(REPOSITORY / "workflow/config/digits.yaml"), "--", LISTING]
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def record(folder: Path, text: str, process: int, mode: int = 0o600) -> Path:
    path = folder / f".snakemake/petite/{process}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return path


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder with a colleague's record, which is theirs alone, and damaged ones."""
    record(tmp_path, "{}", NO_PROCESS, mode=0)
    for number, text in enumerate(DAMAGED, 1):
        record(tmp_path, text, NO_PROCESS + number)
    return tmp_path


@pytest.fixture
def locked(shared: Path) -> Path:
    """The same with a lock of Snakemake's on the file that is wanted."""
    locks = shared / ".snakemake/locks"
    locks.mkdir()
    (locks / "0.output.lock").write_text(f"{LISTING}\n", "utf-8")
    return shared


def test_records_that_cannot_be_read_are_passed_over_where_nothing_is_locked(shared):
    for arguments in (["-n"], []):
        finished = run(shared, *arguments)
        assert finished.returncode == 0, finished.stdout
        assert "Traceback" not in finished.stdout
        assert "Petite:" not in finished.stdout
    assert (shared / LISTING).exists()


def test_with_a_lock_they_may_be_of_a_run_at_work_and_are_named(locked):
    for arguments in (["-n"], []):
        finished = run(locked, *arguments)
        assert "another run may be active in this folder" in finished.stdout
        for number in range(len(DAMAGED) + 1):
            assert f".snakemake/petite/{NO_PROCESS + number}.json" in finished.stdout
        assert "Traceback" not in finished.stdout
    assert finished.returncode != 0
    assert "Directory cannot be locked" in finished.stdout
    assert any(locked.glob(".snakemake/locks/*"))


def test_a_record_of_another_machine_keeps_the_lock(locked):
    for path in locked.glob(".snakemake/petite/*"):
        path.unlink()
    record(locked, '{"host": "another", "began": 1.0}', os.getpid())
    finished = run(locked)
    assert f"on another machine: .snakemake/petite/{os.getpid()}.json" in finished.stdout
    assert any(locked.glob(".snakemake/locks/*"))


def test_a_killed_runs_lock_that_is_another_users_is_no_traceback(locked):
    for path in locked.glob(".snakemake/petite/*"):
        path.unlink()
    record(locked, f'{{"host": "{socket.gethostname()}", "began": 1.0}}', NO_PROCESS)
    (locked / ".snakemake/locks").chmod(0o500)
    finished = run(locked)
    (locked / ".snakemake/locks").chmod(0o700)
    assert finished.returncode != 0
    assert ".snakemake/locks, where Snakemake keeps the state of a run" in finished.stdout
    assert "lock.smk" not in finished.stdout


@pytest.mark.parametrize("closed", ["", ".snakemake", ".snakemake/metadata"])
def test_a_folder_whose_state_cannot_be_written_is_named_with_the_remedy(tmp_path, closed):
    folder = tmp_path / "another user's"
    (folder / closed).mkdir(parents=True)
    (folder / closed).chmod(0o555)
    finished = run(folder)
    (folder / closed).chmod(0o755)
    assert finished.returncode != 0
    assert f"Petite: cannot write to {folder / closed}, where Snakemake" in finished.stdout
    assert "--directory" in finished.stdout
    assert "Traceback" not in finished.stdout


@pytest.mark.parametrize("closed", [".snakemake/iocache", ".snakemake/iocache/latest.pkl"])
def test_a_dry_run_in_a_folder_of_another_user_is_named_with_the_remedy(tmp_path, closed):
    (tmp_path / ".snakemake/iocache").mkdir(parents=True)
    (tmp_path / ".snakemake/iocache/latest.pkl").touch()
    mode = (tmp_path / closed).stat().st_mode
    (tmp_path / closed).chmod(0o555)
    finished = run(tmp_path, "-n")
    (tmp_path / closed).chmod(mode)
    assert finished.returncode != 0
    assert f"Petite: cannot write to {tmp_path / closed}, where Snakemake" in finished.stdout
    assert "Traceback" not in finished.stdout
