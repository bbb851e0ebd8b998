"""What is written of where results come from."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from petite.util.files import read_json, sha256_of, write_json
from petite.util.provenance import commit, hardware, names_of, packages, provenance

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "code.py").write_text("1\n")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "first")
    return folder


def test_a_commit_is_dirty_once_a_file_of_it_differs(checkout):
    (checkout / "results.csv").write_text("made by a run")
    clean = commit(checkout)
    assert len(clean["commit"]) == 40 and clean["dirty"] is False
    (checkout / "code.py").write_text("2\n")
    assert commit(checkout) == {"commit": clean["commit"], "dirty": True}


def test_outside_git_there_is_no_commit(tmp_path):
    assert commit(tmp_path) == {"commit": None, "dirty": None}


def test_the_commit_of_a_repository_around_the_checkout_is_not_its_own(checkout):
    (checkout / "petite").mkdir()
    assert commit(checkout / "petite") == {"commit": None, "dirty": None}


def test_where_git_refuses_a_checkout_it_is_told_with_gits_remedy(checkout, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # as if it were another user's
    found = commit(checkout)
    assert (found["commit"], found["dirty"]) == (None, None)
    assert "detected dubious ownership in repository" in found["reason"]
    assert f"git config --global --add safe.directory {checkout}" in found["reason"]


def test_a_checkout_without_a_git_to_ask_or_with_a_damaged_one_says_so(checkout, monkeypatch):
    (checkout / ".git/HEAD").write_text("nonsense")
    assert "not a git repository" in commit(checkout)["reason"]
    monkeypatch.setenv("PATH", "")
    assert commit(checkout)["reason"] == "git cannot be run: No such file or directory"


def test_gits_variables_for_another_repository_do_not_count(checkout, tmp_path, monkeypatch):
    found = commit(checkout)
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    assert commit(checkout) == found


def test_all_facts_are_there_and_the_same_twice(checkout, tmp_path):
    manifest, split = tmp_path / "manifest.json", tmp_path / "split.parquet"
    write_json(manifest, {"digest": "abc"})
    split.write_bytes(b"split")
    runs = pd.DataFrame(
        {
            "split_seed": [0, 0, 0],
            "selection_seed": [0, 1, 0],
            "training_seed": [0, 1, 2],
            "versions": ['{"keras": "3"}', '{"keras": "3"}', '{"keras": "4"}'],
        }
    )
    config = {"seeds": 3}
    made = provenance(config, runs, manifest, {"split": split}, checkout)
    assert made["config"] == config
    assert made["petite"]["dirty"] is False
    assert made["seeds"] == {"split": [0], "selection": [0, 1], "training": [0, 1, 2]}
    assert made["inputs"] == {"images": "abc", "split": f"sha256:{sha256_of(split)}"}
    assert made["training_versions"] == [{"keras": "3"}, {"keras": "4"}]
    again = provenance(config, runs, manifest, {"split": split}, checkout)
    assert json.dumps(made) == json.dumps(again)


def test_variables_that_may_change_numbers_are_there(checkout, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    write_json(tmp_path / "manifest.json", {"digest": "abc"})
    columns = ["split_seed", "selection_seed", "training_seed"]
    runs = pd.DataFrame({**{name: [0] for name in columns}, "versions": ["{}"]})
    made = provenance({}, runs, tmp_path / "manifest.json", {}, checkout)
    assert made["environment"]["OPENBLAS_CORETYPE"] == "Haswell"


def test_inputs_of_the_same_name_in_different_folders_are_all_there(tmp_path):
    files = [tmp_path / name / "data.mdb" for name in ("cat", "dog")]
    for file in files:
        file.parent.mkdir()
        file.write_text(file.parent.name)
    write_json(tmp_path / "manifest.json", {"digest": "abc"})
    for name in ("index.parquet", "split.parquet"):
        (tmp_path / name).write_bytes(b"table")
    seeds = "split_seed,selection_seed,training_seed"
    (tmp_path / "runs.csv").write_text(f"{seeds},versions\n0,0,0,{{}}\n")
    command = [sys.executable, SCRIPTS / "provenance.py", "--runs", tmp_path / "runs.csv"]
    command += ["--manifest", tmp_path / "manifest.json", "--split", tmp_path / "split.parquet"]
    command += ["--files", *files, "--output", tmp_path / "provenance.json", "--settings", "{}"]
    subprocess.run([str(part) for part in command], check=True)
    inputs = read_json(tmp_path / "provenance.json")["inputs"]
    assert inputs["cat/data.mdb"] == f"sha256:{sha256_of(files[0])}"
    assert inputs["dog/data.mdb"] == f"sha256:{sha256_of(files[1])}"


def test_inputs_of_the_same_folder_name_and_file_name_are_all_there(tmp_path):
    # LSUN's are all data.mdb, and many data sets have images/0.parquet.
    files = [tmp_path / name / "images/0.parquet" for name in ("a", "b")]
    assert names_of(files) == ["a/images/0.parquet", "b/images/0.parquet"]
    assert names_of([Path("x.csv")]) == ["x.csv"]
    assert names_of([]) == []


def test_packages_and_hardware_are_named():
    assert packages()["numpy"].startswith("2.")
    assert hardware()["cores"] >= 1 and hardware()["memory_bytes"] > 1e8
