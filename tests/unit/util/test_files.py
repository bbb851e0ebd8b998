"""Writing files: whole under their final name or not at all, and in words where they cannot be."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from petite.util.errors import PetiteError
from petite.util.files import atomic_folder, atomic_path, write_text

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"


def test_what_a_killed_process_left_is_removed_and_what_a_running_one_writes_is_not(tmp_path):
    final = tmp_path / "table.csv"
    program = (
        "import sys, time; from pathlib import Path; from petite.util.files import atomic_path\n"
        "with atomic_path(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    time.sleep(600)\n"
    )
    command = [sys.executable, "-c", program, str(final)]
    writer = subprocess.Popen(command, cwd=SCRIPTS)
    half = tmp_path / f".table.{writer.pid}.csv"
    try:
        while not half.exists():
            assert writer.poll() is None
            time.sleep(0.05)
        write_text(final, "first")
        assert half.exists()
    finally:
        writer.kill()
        writer.wait()
    assert final.read_text() == "first"
    other = tmp_path / f".tables.{writer.pid}.csv"
    other.touch()
    write_text(final, "second")
    assert final.read_text() == "second"
    assert set(tmp_path.iterdir()) == {final, other}


def test_folders_that_killed_processes_left_are_removed_even_of_the_same_number(tmp_path):
    left = [tmp_path / f".images.{number}" for number in (os.getpid(), 2**22 + 1)]
    for folder in left:
        (folder / "a class").mkdir(parents=True)
        (folder / "a class/1.jpg").touch()
    with atomic_folder(tmp_path / "images") as temporary:
        (temporary / "new.jpg").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["images", "new.jpg"]


@pytest.mark.parametrize("failure", [OSError("4096 requested and 12 written"), OSError(28, "full")])
def test_a_full_disk_is_reported_with_the_path_and_the_need(tmp_path, failure, small_disk):
    final = small_disk(4096) / "deep" / "array.npy"
    said = rf"{re.escape(str(final))}: no space left .* 157\.0 MB.* 0\.0 MB"
    with pytest.raises(PetiteError, match=said), atomic_path(final, 157_000_000):
        raise failure


def test_an_array_that_does_not_fit_is_reported(small_disk):
    from petite.util.files import write_array

    folder = small_disk(4 * 2**20)
    with pytest.raises(PetiteError, match=r"array\.npy: no space left .* 8\.0 MB"):
        write_array(folder / "array.npy", np.ones(1_000_000))
    assert list(folder.iterdir()) == []
    write_array(folder / "array.npy", np.ones(100_000))
    assert len(np.load(folder / "array.npy")) == 100_000


def test_an_error_of_the_program_is_not_taken_for_one_of_the_disk(tmp_path):
    with pytest.raises(ValueError, match="of the program"), atomic_path(tmp_path / "a.txt"):
        raise ValueError("of the program")


def test_a_folder_that_is_read_only_is_reported(small_disk):
    folder = small_disk(2**20)
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    with pytest.raises(PetiteError, match=r"a\.txt: Read-only file system"):
        write_text(folder / "a.txt", "")
