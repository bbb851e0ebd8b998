"""The pinned environments say the same thing."""

import re
import tomllib
from pathlib import Path

import yaml

ENVIRONMENTS = Path(__file__).resolve().parents[2] / "envs"
# The names of conda-forge and bioconda where they differ from PyPI's.
CONDA_NAMES = {"snakemake-minimal": "snakemake", "python-lmdb": "lmdb"}


def locked(name: str) -> dict[str, str]:
    text = (ENVIRONMENTS / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[a-z-]+\])?==([^ \n;]+)", text, flags=re.M))


def wanted(name: str) -> set[str]:
    lines = (ENVIRONMENTS / name).read_text(encoding="utf-8").splitlines()
    return {re.split(r"[ ;\[]", line)[0] for line in lines if line and line[0] not in "#-"}


def test_conda_file_pins_the_versions_of_the_pip_lock():
    lock = locked("requirements.txt")
    conda = yaml.safe_load((ENVIRONMENTS / "petite.yaml").read_text(encoding="utf-8"))
    pins = dict(line.split("=", 1) for line in conda["dependencies"] if "=" in line)
    del pins["python"]
    assert {CONDA_NAMES.get(name, name): version for name, version in pins.items()} == {
        name: lock[name] for name in wanted("base.in") | {"tensorflow"}
    }


def test_locks_hold_what_is_wanted_and_agree_with_each_other():
    lock = locked("requirements.txt")
    gpu = locked("requirements-gpu.txt")
    assert wanted("base.in") | wanted("requirements.in") <= set(lock)
    assert {name: gpu[name] for name in gpu if name in lock} == {
        name: lock[name] for name in gpu if name in lock
    }


def test_the_package_names_the_dependencies_of_the_pip_lock():
    project = tomllib.loads((ENVIRONMENTS.parent / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    of_workflow = {*project["dependencies"], *extras["results"], *extras["workflow"]}
    names = {re.split(r"[ ;\[>=]", line)[0] for line in of_workflow} - {"petite"}
    assert names == wanted("base.in")
    assert {re.split(r"[ ;]", line)[0] for line in extras["tensorflow"]} == wanted(
        "requirements.in"
    )
