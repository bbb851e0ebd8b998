"""Real faults: kills, full disks, damaged and missing files, and sources that change."""

import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
import yaml
from loaded_python import LoadedPython
from PIL import Image
from smallest import smallest

from petite.evaluation.wording import LEDGER

pytestmark = pytest.mark.workflow

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPTS = REPOSITORY / "scripts"
KILLS = 10

# Less than TINY: from the source to the table of runs, with one training of two seeds.
SMALL = smallest(
    {"full": [], "random": [], "pca_grid": [0.1], "augmentation": []}, steps=3, evaluations=1
)
RESULTS = "results/tiny"
RUNS = f"{RESULTS}/runs.csv"


def start(folder: Path, *arguments: str, python: str = sys.executable) -> subprocess.Popen[str]:
    """Start Snakemake in a folder, on SMALL."""
    folder.mkdir(parents=True, exist_ok=True)
    overlay = folder / "small.yaml"
    overlay.write_text(yaml.safe_dump(SMALL), encoding="utf-8")
    command = [python, "-m", "snakemake", "--cores", "2", "--directory", str(folder)]
    command += ["--snakefile", str(REPOSITORY / "Snakefile"), "--configfile", str(overlay)]
    return subprocess.Popen(
        [*command, "--", *arguments],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for a run that must end well; what it said."""
    said = process.communicate()[0]
    assert process.returncode == 0, said
    return said


def kill(process: subprocess.Popen[str], folder: Path) -> None:
    """Send SIGKILL to a run and all its jobs: all processes in its folder."""
    process.kill()
    process.wait()
    # Again, for what began meanwhile.
    while at_work := [each for each in psutil.process_iter() if works_in(each, folder)]:
        for each in at_work:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(at_work)
    process.communicate()


def works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and process.cwd() == str(folder)
    except psutil.Error:  # it has ended, or is another user's
        return False


# Columns and keys with times or memory, and files that consist of them.
MEASURED = re.compile("second|memory")
TELL_TIMES = ("logs", "benchmarks", "summary.md", "summary.txt")


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_times(item) for k, item in value.items() if not MEASURED.search(k)}
    return list(map(without_times, value)) if isinstance(value, list) else value


def content(path: Path) -> Any:
    """What is in a file, apart from times."""
    if path.suffix == ".json":
        return without_times(json.loads(path.read_text("utf-8")))
    if path.suffix == ".csv":
        table = pd.read_csv(path)
        return table[[name for name in table if not MEASURED.search(name)]].to_csv()
    if path.suffix == ".parquet" and path.with_suffix(".csv").is_file():
        return pd.read_parquet(path).filter(regex=f"^(?!.*({MEASURED.pattern}))").to_csv()
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as model:  # Keras adds the time and random numbers
            return model.read("model.weights.h5")
    if path.name == "recommendation.md":  # what the search cost
        return re.sub(rf"## {LEDGER}.*?(?=\n## |\Z)", "", path.read_text("utf-8"), flags=re.S)
    return path.read_bytes()


def contents(folder: Path) -> dict[str, Any]:
    """All results that are there under their final names, apart from times."""
    return {
        str(path.relative_to(folder)): content(path)
        for path in sorted((folder / RESULTS).rglob("*"))
        if path.is_file()
        and not path.name.startswith(".")
        and path.relative_to(folder / RESULTS).parts[0] not in TELL_TIMES
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, loaded_python: str) -> tuple[Path, float]:
    """SMALL run to its table of runs: the folder, and how long it took in seconds."""
    folder = tmp_path_factory.mktemp("undisturbed")
    began = time.monotonic()
    finish(start(folder, RUNS, python=loaded_python))
    return folder, time.monotonic() - began


def test_two_runs_killed_at_ten_random_moments_give_the_same_results(
    undisturbed: tuple[Path, float], loaded_python: str, tmp_path: Path
) -> None:
    clean, duration = undisturbed
    expected = contents(clean)
    dice = random.Random(0)
    kills = locks = 0
    for number in range(2):
        folder, half = tmp_path / f"killed {number}", {}
        while kills < KILLS * (number + 1) // 2:
            # What is left of the run, and the start of Snakemake.
            due = duration * (1.2 - len(half) / len(expected))
            process = start(folder, RUNS, python=loaded_python)
            with suppress(subprocess.TimeoutExpired):
                said = process.communicate(timeout=dice.uniform(0, due))[0]
                assert process.returncode == 0, said
                assert contents(folder) == expected
                shutil.rmtree(folder)
                half = {}
                continue
            kill(process, folder)
            kills += 1
            locks += any((folder / ".snakemake").glob("locks/*"))
            # What has its final name is whole.
            half = contents(folder)
            assert half == {name: expected[name] for name in half}
        finish(start(folder, RUNS, python=loaded_python))
        assert contents(folder) == expected
    assert locks > 0  # some of the kills left Snakemake's lock behind


def test_a_second_run_in_the_same_folder_is_told_why_it_must_wait_and_a_killed_one_is_no_bar(
    tmp_path: Path,
) -> None:
    first = start(tmp_path, RUNS)
    try:
        while not any((tmp_path / ".snakemake").glob("locks/*")):
            assert first.poll() is None, first.communicate()[0]
            time.sleep(0.1)
        second = start(tmp_path, RUNS)
        said = second.communicate()[0]
        assert first.poll() is None, "the first run was over before the second began"
    finally:
        kill(first, tmp_path)
    assert second.returncode != 0
    assert f"another run is active in this folder (process {first.pid})" in said
    assert "Directory cannot be locked" in said
    assert "Traceback" not in said
    said = finish(start(tmp_path, f"{RESULTS}/store/listing.parquet"))
    assert "the last run was killed; its lock is removed" in said


def flip_a_bit(path: Path) -> None:
    """As a disk does: without a new time."""
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=times)


@pytest.mark.parametrize("reader", ["features", "index"])
def test_a_shard_with_a_flipped_bit_is_named_and_made_anew_by_the_next_run(
    undisturbed: tuple[Path, float], loaded_python: str, reader: str
) -> None:
    clean, _ = undisturbed
    # In the same parent folder, so that the path to the code is the same and nothing reruns for it.
    folder = clean.with_name(f"damaged-{reader}")
    shutil.copytree(clean, folder, symlinks=True)
    shard, features = f"{RESULTS}/store/shards/1-of-2.npy", f"{RESULTS}/features/pixels.npy"
    flip_a_bit(folder / shard)
    (folder / features).unlink()
    if reader == "index":
        (folder / RESULTS / "store/manifest.json").unlink()
    damaged = start(folder, features, python=loaded_python)
    said = damaged.communicate()[0]
    assert damaged.returncode != 0
    assert re.search(f"{shard}.* SHA-256 differs", said)
    assert "Traceback" not in said
    finish(start(folder, features, python=loaded_python))
    for path in (shard, f"{RESULTS}/store/manifest.json", features):
        assert (folder / path).read_bytes() == (clean / path).read_bytes()


# --- disks


def commands_of(folder: Path, config: dict[str, Any], snakemake) -> dict[str, str]:
    """One shell command for each rule, as Snakemake would run it."""
    dry = snakemake(folder, "--dry-run", "--forceall", "--printshellcmds", config=config)
    assert dry.returncode == 0, dry.stderr
    found = re.findall(r"^Shell command: (.*/scripts/(\w+)\.py .*)$", dry.stdout + dry.stderr, re.M)
    return {rule: command for command, rule in found}


def outputs_of(command: str, folder: Path) -> list[Path]:
    """The outputs of a command, without its log."""
    paths = re.findall(r"--(?:output[\w-]*|index|manifest) (results/\S+)", command)
    if "scripts/index.py" not in command:
        paths = re.findall(r"--output[\w-]* (results/\S+)", command)
    return [folder / path for path in paths]


def fill(disk: Path) -> Path:
    """Fill a disk."""
    ballast = disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return ballast


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def test_every_step_tells_of_a_full_disk_and_works_once_there_is_room(
    tiny_run,
    tiny_config,
    snakemake,
    loaded_steps: LoadedPython,
    small_disk: Callable[[int], Path],
) -> None:
    disk = small_disk(100 * 2**20)
    shutil.copytree(tiny_run[0] / "results", disk / "results")
    commands = commands_of(disk, tiny_config, snakemake)
    steps = "listing ingest index split cues features rank subset augment train summarize".split()
    steps += ["provenance", "figures", "report"]
    assert set(commands) == set(steps)
    for step in steps:
        outputs = outputs_of(commands[step], disk)
        assert outputs, step
        for path in outputs:
            remove(path)
        ballast = fill(disk)
        full = run_command(commands[step], disk, loaded_steps)
        assert full.returncode == 1, step
        # The message is in the log if it fits on the disk, and otherwise on the terminal.
        log = disk / re.search(r"--log (\S+)", commands[step])[1]
        said = full.stderr + log.read_text("utf-8")
        named = re.search(r"(results/\S+): no space left .*\d MB.* 0\.0 MB", said)
        assert named, said
        assert any((disk / named[1]).is_relative_to(path.parent) for path in outputs), step
        assert "Traceback" not in full.stdout + said, step
        assert not [path for path in outputs if path.is_file()], step
        left = {path.name for path in disk.rglob(".*") if path.is_file()}
        assert left <= {".snakemake_timestamp"}, step  # Snakemake's own
        ballast.unlink()
        again = run_command(commands[step], disk, loaded_steps)
        assert again.returncode == 0, again.stderr
        assert all(path.exists() for path in outputs), step


def run_command(
    command: str, folder: Path, python: LoadedPython
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=python.as_python(),
        text=True,
        capture_output=True,
    )


def test_a_run_on_a_full_and_on_a_read_only_disk_ends_in_words_and_goes_on_with_room(
    undisturbed: tuple[Path, float], tmp_path: Path, small_disk: Callable[[int], Path]
) -> None:
    clean, _ = undisturbed
    split = f"{RESULTS}/splits/0.parquet"
    disk = small_disk(64 * 1024)
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "results").symlink_to(disk)
    full = start(folder, split)
    said = full.communicate()[0]
    assert full.returncode != 0
    assert re.search(r"cannot write results/tiny/\S+: no space left", said)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    read_only = start(folder, split)
    said = read_only.communicate()[0]
    assert read_only.returncode != 0
    assert "Read-only file system" in said
    assert "results" in said
    subprocess.run(["mount", "-o", "remount,rw,size=10m", str(disk)], check=True)
    finish(start(folder, split))
    assert (folder / split).read_bytes() == (clean / split).read_bytes()


# --- sources


def picture(seed: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def script(name: str, settings: dict[str, Any], folder: Path, **options: Any):
    """Run a script as the workflow does."""
    command = [sys.executable, str(SCRIPTS / f"{name}.py"), "--settings", json.dumps(settings)]
    prefix = options.pop("prefix", [])
    for key, value in options.items():
        command += [f"--{key.replace('_', '-')}", str(value)]
    return subprocess.run([*prefix, *command], cwd=folder, text=True, capture_output=True)


LISTING = {"classes": None, "limit_per_class": None, "max_bad_share": 0.1}
INGEST = {"image_size": 16, "channels": 1}
SHARD = {"output_pixels": "1-of-1.npy", "output_rows": "1-of-1.parquet", "shard": "1-of-1"}


def list_and_ingest(folder: Path, source: str, prefix: list[str] | None = None):
    """List a source and read all of it; the two finished scripts."""
    given = {"source": source, "path": "given", "prefix": prefix or []}
    listed = script("listing", LISTING, folder, output="listing.parquet", **given)
    read = script("ingest", INGEST, folder, listing="listing.parquet", **given, **SHARD)
    return listed, read


@pytest.mark.parametrize("given", ["archive=missing.zip", "folder=missing", "archive=."])
def test_a_missing_source_is_named(tmp_path: Path, snakemake, given: str) -> None:
    finished = snakemake(tmp_path, "--config", given)
    said = finished.stdout + finished.stderr
    assert finished.returncode != 0
    assert given.split("=")[1] in said
    assert "Traceback" not in said


@pytest.mark.parametrize("source", ["folder", "archive"])
def test_a_source_that_changes_between_two_steps_is_told(tmp_path: Path, source: str) -> None:
    names = [f"{name}/{number}.png" for name in ("Cat", "Dog") for number in range(5)]
    given = tmp_path / "given"

    def make(names: list[str]) -> None:
        if source == "archive":
            with zipfile.ZipFile(given, "w") as archive:
                for number, name in enumerate(names):
                    archive.writestr(name, picture(number))
            return
        shutil.rmtree(given, ignore_errors=True)
        for number, name in enumerate(names):
            (given / name).parent.mkdir(parents=True, exist_ok=True)
            (given / name).write_bytes(picture(number))

    make(names)
    where = {"source": source, "path": "given"}
    script("listing", LISTING, tmp_path, output="listing.parquet", **where)
    make(names[:-1])
    read = script("ingest", INGEST, tmp_path, listing="listing.parquet", **where, **SHARD)
    assert read.returncode == 1
    assert re.search("given .*Dog/4.png is gone", read.stderr)
    assert "Traceback" not in read.stderr
    assert not (tmp_path / "1-of-1.npy").exists()
    listed, read = list_and_ingest(tmp_path, source)
    assert (listed.returncode, read.returncode) == (0, 0), read.stderr


def test_loops_of_links_and_unreadable_files_are_excluded(tmp_path: Path) -> None:
    for number in range(4):
        for name in ("Cat", "Dog"):
            (tmp_path / "given" / name).mkdir(parents=True, exist_ok=True)
            (tmp_path / "given" / name / f"{number}.png").write_bytes(picture(number))
    cats = tmp_path / "given/Cat"
    (cats / "loop").symlink_to(tmp_path / "given")
    (cats / "itself.png").symlink_to(cats / "itself.png")
    (cats / "0.png").chmod(0)
    # Root may read everything, unless it drops that capability.
    prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    listed, read = list_and_ingest(tmp_path, "folder", prefix if os.geteuid() == 0 else [])
    assert (listed.returncode, read.returncode) == (0, 0), listed.stderr + read.stderr
    found = pd.read_parquet(tmp_path / "1-of-1.parquet").set_index("image_id")["reason"]
    assert len(found) == 9
    aside = found[found != ""]
    assert aside["Cat/0.png"] == "unreadable: Permission denied"
    assert aside["Cat/itself.png"] == "unreadable: Too many levels of symbolic links"
    assert len(aside) == 2


def test_an_archive_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "given").write_bytes(b"PK")
    (tmp_path / "given").chmod(0)
    prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    listed, _ = list_and_ingest(tmp_path, "archive", prefix if os.geteuid() == 0 else [])
    assert listed.returncode == 1
    assert "cannot read given: Permission denied" in listed.stderr


def test_a_folder_of_a_hundred_thousand_files_is_listed_and_read(tmp_path: Path) -> None:
    for label, name in enumerate(("Cat", "Dog")):
        (tmp_path / "given" / name).mkdir(parents=True)
        for number in range(50_000):
            path = tmp_path / "given" / name / f"{number}.png"
            if number % 1000:  # a file has a limited number of links, which are fast to make
                path.hardlink_to(path.with_name(f"{number - number % 1000}.png"))
            else:
                path.write_bytes(picture(100 * label + number // 1000))
    where = {"source": "folder", "path": "given"}
    listed = script("listing", LISTING, tmp_path, output="listing.parquet", **where)
    assert listed.returncode == 0, listed.stderr
    listing = pd.read_parquet(tmp_path / "listing.parquet")
    assert len(listing) == 100_000
    part = {**SHARD, "shard": "2-of-100"}
    read = script("ingest", INGEST, tmp_path, listing="listing.parquet", **where, **part)
    assert read.returncode == 0, read.stderr
    assert np.load(tmp_path / "1-of-1.npy").shape == (1000, 16, 16, 1)
    assert (pd.read_parquet(tmp_path / "1-of-1.parquet").reason == "").all()


def test_a_checkout_and_an_environment_in_folders_with_spaces_work(tmp_path: Path) -> None:
    checkout = tmp_path / "my $(touch gotcha) checkout; it's"
    for name in ("Snakefile", "config.yaml", "scripts", "workflow", "profiles", "envs"):
        copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy
        (checkout).mkdir(exist_ok=True)
        copy(REPOSITORY / name, checkout / name)
    environment = tmp_path / "my $(touch gotcha) env's"
    environment.symlink_to(Path(sys.executable).parent.parent)
    overlay = tmp_path / "small.yaml"
    overlay.write_text(yaml.safe_dump(SMALL), encoding="utf-8")
    command = [str(environment / "bin/python"), "-m", "snakemake", "--cores", "2"]
    command += ["--snakefile", str(checkout / "Snakefile"), "--configfile", str(overlay)]
    finished = subprocess.run(
        [*command, "--", f"{RESULTS}/splits/0.parquet"],
        cwd=tmp_path,
        text=True,
        capture_output=True,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert (tmp_path / RESULTS / "splits/0.parquet").exists()
    assert not list(tmp_path.glob("**/gotcha"))
