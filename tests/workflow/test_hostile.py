"""Hostile input in the real workflow: refused with a message, and nothing outside changes."""

import io
import json
import os
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

pytestmark = pytest.mark.workflow

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
# Characters with a meaning for a shell, Snakemake, Python or a terminal.
NASTY = "a'b\"c; $(touch gotcha) `touch gotcha` {seed} {{ %s & | * ? \\ ~ #é\n-x"


# --- configurations

WRONG = {
    "seeds: many": "seeds: ",
    "sedes: 3": "sedes: Unknown key 'sedes'. Did you mean 'seeds'?",
    "seeds: {a: 1}": "seeds.looks: is missing",
    "dataset: 3": "dataset: ",
    "dataset: {name: ../up}": "dataset.name: ",
    "dataset: {source: foldr}": "dataset.source: Unknown source 'foldr'. Did you mean 'folder'?",
    "dataset: {source: archive, path: 'file:///etc/passwd'}": "dataset.path: 'file://' is not",
    "methods: {random: {fractions: [2]}}": "methods.random.fractions.0: ",
    "methods: {'$(touch gotcha)': {method: random, fractions: [0.1]}}": "methods.$(touch gotcha): ",
    "methods: {herding: {fractions: [0.1], space: own}}": "needs features.path",
    "training: {learning_rate: .inf}": "training.learning_rate: ",
    "unknown: &ring [*ring]": "unknown holds more than",
    "\n".join(
        ["unknown:", "  l0: &l0 [ha, ha]"]
        + [f"  l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 10)]
    ): "unknown holds more than",
    # Snakemake itself refuses these, before Petite runs.
    "- a\n- b": "Config file must be given as JSON or YAML with keys at top level",
    "a: [1": "Config file is not valid JSON or YAML",
    "seeds: !!python/object/apply:os.system [touch gotcha]": "Config file is not valid",
}


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:40])
def test_a_wrong_configuration_ends_snakemake_with_one_message(
    tmp_path: Path, snakemake, text: str
) -> None:
    (tmp_path / "wrong.yaml").write_text(text, encoding="utf-8")
    finished = snakemake(tmp_path, "--configfile", str(tmp_path / "wrong.yaml"))
    output = finished.stdout + finished.stderr
    assert finished.returncode != 0
    assert output.count(WRONG[text]) == 1
    assert output.count("Petite: ") == (0 if "Config file" in WRONG[text] else 1)
    assert "Traceback" not in output
    assert not (tmp_path / "results").exists()
    assert not list(tmp_path.glob("**/gotcha"))


# --- names


def picture(seed: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def nasty_tree() -> dict[str, bytes]:
    return {
        f"{class_name}/{number} {NASTY.replace('/', '')}.png": picture(40 * label + number)
        for label, class_name in enumerate(["-rf", NASTY])
        for number in range(20)
    }


@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_no_name_of_a_file_reaches_a_shell_unquoted(tmp_path: Path, snakemake, kind: str) -> None:
    name = NASTY if kind == "folder" else NASTY.replace("{seed}", "{}")
    source = tmp_path / "given" / name
    source.parent.mkdir()
    if kind == "folder":
        for name, data in nasty_tree().items():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes(data)
    else:
        with zipfile.ZipFile(source, "w") as archive:
            for name, data in nasty_tree().items():
                archive.writestr(name, data)
    run = tmp_path / f"run {NASTY}"
    config = {
        "dataset": {"name": "nasty", "source": kind, "path": str(source), "image_size": 16},
        "methods": {"random": {"fractions": [0.5]}},
    }
    config["dataset"]["classes"] = None
    wanted = "results/nasty/subsets/random/0.5/seeds-0-0.parquet"
    finished = snakemake(run, "--", wanted, config=config)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    index = pd.read_parquet(run / "results/nasty/store/index.parquet")
    assert set(index.image_id) == set(nasty_tree())
    assert (index.status == "ok").all()
    assert not list(tmp_path.glob("**/gotcha"))
    assert not (Path.cwd() / "gotcha").exists()


# --- archives

PETS = {"Cat/1.png": picture(1), "Dog/1.png": picture(2)}


def zip_of(path: Path, tree: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in tree.items():
            archive.writestr(name, data)


def tar_with(kind: bytes, name: str = "Cat/2.png") -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with tarfile.open(path, "w") as archive:
            for member, data in PETS.items():
                info = tarfile.TarInfo(member)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
            odd = tarfile.TarInfo(name)
            odd.type, odd.linkname = kind, "/etc/passwd"
            archive.addfile(odd)

    return make


def zip_with(name: str, data: bytes = b"x", method: int = zipfile.ZIP_DEFLATED):
    return lambda path: zip_of(path, {**PETS, name: data}, method)


def zip_with_link(path: Path) -> None:
    zip_of(path, PETS)
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("Cat/2.png")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        archive.writestr(info, "/etc/passwd")


def zip_encrypted(path: Path) -> None:
    """As far as the list of entries tells."""
    zip_of(path, {**PETS, "Cat/2.png": b"secret"})
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)


def zip_with_a_name_twice(path: Path) -> None:
    zip_of(path, {**PETS, "Cat/2.png": b"one", "Cat/3.png": b"two"})
    path.write_bytes(path.read_bytes().replace(b"Cat/3.png", b"Cat/2.png"))


def zip_with_an_entry_too_many(path: Path) -> None:
    """Empty entries, written as bytes: Python's zipfile would take half a minute."""
    local, central = [], []
    end_of_local = 0
    for number in range(500_001):
        name = b"Cat/%06d.png" % number
        zeros = bytes(12)  # checksum and sizes
        head = struct.pack("<4s5H", b"PK\3\4", 20, 0, 0, 0, 33) + zeros
        local.append(head + struct.pack("<2H", len(name), 0) + name)
        central.append(
            struct.pack("<4s6H", b"PK\1\2", 20, 20, 0, 0, 0, 33)
            + zeros
            + struct.pack("<5H2L", len(name), 0, 0, 0, 0, 0, end_of_local)
            + name
        )
        end_of_local += len(local[-1])
    directory = b"".join(central)
    with path.open("wb") as file:
        file.write(b"".join(local) + directory)
        end64 = file.tell()
        count = len(central)
        sizes = struct.pack("<4Q", count, count, len(directory), end_of_local)
        file.write(struct.pack("<4sQ2H2L", b"PK\6\6", 44, 45, 45, 0, 0) + sizes)
        file.write(struct.pack("<4sLQL", b"PK\6\7", 0, end64, 1))
        full = (0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
        file.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, *full))


HOSTILE: dict[str, tuple[Callable[[Path], None], str]] = {
    "up": (zip_with("../../gotcha.png"), "'../../gotcha.png': a path that leads out"),
    "absolute": (zip_with("/tmp/gotcha.png"), "'/tmp/gotcha.png': a path that leads out"),
    "tar up": (tar_with(tarfile.REGTYPE, "Cat/../../x"), "'Cat/../../x': a path that leads out"),
    "link": (zip_with_link, "'Cat/2.png': a link that leads out of the archive"),
    "symlink": (tar_with(tarfile.SYMTYPE), "'Cat/2.png': a link that leads out"),
    "hard link": (tar_with(tarfile.LNKTYPE), "'Cat/2.png': a link that leads out"),
    "device": (tar_with(tarfile.CHRTYPE), "'Cat/2.png': a device"),
    "pipe": (tar_with(tarfile.FIFOTYPE), "'Cat/2.png': a device"),
    "bomb": (
        zip_with("Cat/2.png", bytes(10**8), zipfile.ZIP_BZIP2),  # packed a 700,000-fold
        "'Cat/2.png': unpacks to 100 MB, more than 1000 times its size",
    ),
    "encrypted": (zip_encrypted, "'Cat/2.png': encrypted"),
    "twice": (zip_with_a_name_twice, "'Cat/2.png': in the archive twice"),
    "one too many": (
        zip_with_an_entry_too_many,
        "'Cat/500000.png': the archive has more than 500000",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_is_refused_with_its_entry_and_nothing_is_written(
    tmp_path: Path, kind: str
) -> None:
    make, message = HOSTILE[kind]
    make(tmp_path / "given.zip")
    before = set(everything(tmp_path))
    program = [sys.executable, str(SCRIPTS / "listing.py"), "--source", "archive"]
    settings = {"classes": None, "limit_per_class": None, "max_bad_share": 0.1}
    finished = subprocess.run(
        [*program, "--path", "given.zip", "--output", "run/listing.parquet"]
        + ["--settings", json.dumps(settings)],
        cwd=tmp_path,
        text=True,
        capture_output=True,
        preexec_fn=at_most_two_gigabytes,
    )
    assert finished.returncode == 1, finished.stderr
    assert f"given.zip is refused for its entry {message}" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert set(everything(tmp_path)) == before
    assert not Path("/tmp/gotcha.png").exists()


def at_most_two_gigabytes() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (2 * 10**9, 2 * 10**9))


def everything(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        for name in folders + files:
            yield Path(root, name)


def test_a_hostile_archive_ends_the_workflow_with_the_entrys_name(
    tmp_path: Path, snakemake, tiny_config: dict[str, Any]
) -> None:
    zip_of(tmp_path / "pets.zip", {**PETS, "../../gotcha.png": picture(3)})
    del tiny_config["dataset"]
    finished = snakemake(
        tmp_path / "run", "--config", f"archive={tmp_path / 'pets.zip'}", config=tiny_config
    )
    assert finished.returncode != 0
    assert "refused for its entry '../../gotcha.png'" in finished.stdout + finished.stderr
    assert "Traceback" not in finished.stdout + finished.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"pets.zip", "run"}
    assert not list(tmp_path.parent.parent.glob("**/gotcha*"))
