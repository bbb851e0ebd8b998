"""Petite as a part of another workflow: modules, and an included file."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from shades import write_shades
from test_bytes_workflow import FROM_SCRATCH, SMALL_BUDGET, check_that_the_winner_is_judged

pytestmark = pytest.mark.workflow

REPOSITORY = Path(__file__).resolve().parents[2]
# The second one is included by the first; Snakemake's workflow catalog expects it.
SNAKEFILES = ["Snakefile", "workflow/Snakefile"]
# It lacks this interpreter, and must stay as the outer workflow sets it.
PATH = "/usr/local/bin:/usr/bin:/bin"

OUTER = """
import yaml

SETTINGS = yaml.safe_load(open("petite.yaml"))


rule all:
    input: "mine.txt"


rule mine:
    input: {wanted}
    output: "mine.txt"
    shell: "echo $PATH >{{output}} && wc -c {{input:q}} >>{{output}}"


{use}


onstart:
    print("the outer workflow starts")


onsuccess:
    print("the outer workflow is done")
"""

MODULE = """
module {name}:
    snakefile: "{repository}/{snakefile}"
    config: SETTINGS | {{"dataset": SETTINGS["dataset"] | {{"name": "{name}", "shards": {shards}}}}}
    {where}


use rule * from {name} as {name}_*
"""


def module(
    name: str,
    where: str = "",
    shards: int = 2,
    repository: Path = REPOSITORY,
    snakefile: str = "Snakefile",
) -> str:
    return MODULE.format(
        name=name, where=where, shards=shards, repository=repository, snakefile=snakefile
    )


# What `snakedeploy deploy-workflow` writes to workflow/Snakefile; it copies config/ and profiles/.
DEPLOYED = """
from snakemake.utils import min_version


min_version("6.10.0")


configfile: "config/config.yaml"


# declare https://github.com/someone/petite as a module
module petite:
    snakefile:
        github("someone/petite", path="workflow/Snakefile", tag="{tag}")
    config:
        config


# use all rules from https://github.com/someone/petite
use rule * from petite
"""


@pytest.fixture
def small_config(tiny_config: dict[str, Any]) -> dict[str, Any]:
    """One method at one fraction."""
    off = {name: {"fractions": []} for name in ("full", "pca_grid", "augmentation")}
    return {**tiny_config, "methods": {**off, "random": {"fractions": [0.5]}}}


Outer = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run_outer(loaded_python: str) -> Outer:
    """A function that runs a workflow that uses Petite.

    wanted: the files that its own rule reads; python: the interpreter of Snakemake.
    """

    def run(
        folder: Path,
        use: str,
        wanted: list[str],
        settings: dict[str, Any],
        *arguments: str,
        python: str = loaded_python,
    ) -> subprocess.CompletedProcess[str]:
        (folder / "petite.yaml").write_text(yaml.safe_dump(settings), "utf-8")
        (folder / "Snakefile").write_text(OUTER.format(use=use, wanted=wanted), "utf-8")
        return subprocess.run(
            [python, "-m", "snakemake", "--cores", "2", *arguments],
            cwd=folder,
            env={**os.environ, "PATH": PATH},
            capture_output=True,
            text=True,
        )

    return run


def said_of(finished: subprocess.CompletedProcess[str]) -> str:
    """What a run that ended well said."""
    said = finished.stdout + finished.stderr
    assert finished.returncode == 0, said
    return said


def check_undisturbed(folder: Path, said: str) -> None:
    """The outer workflow's hooks ran; its terminal, its PATH and its locks are its own."""
    assert "the outer workflow starts" in said
    assert "the outer workflow is done" in said
    assert "Finished jobid" in said
    assert "Report   " not in said and "Answer   " not in said
    assert (folder / "mine.txt").read_text("utf-8").startswith(f"{PATH}\n")
    assert not (folder / ".snakemake/petite").exists()


def test_two_modules_with_a_prefix_and_a_replaced_folder_leave_the_outer_workflow_alone(
    tmp_path: Path, run_outer: Outer, small_config: dict[str, Any]
) -> None:
    use = module("first", 'prefix: "a prefix"')
    use += module("second", 'replace_prefix: {"results/": "elsewhere/"}', shards=3)
    first, second = tmp_path / "a prefix/results/first", tmp_path / "elsewhere/second"
    wanted = [
        "a prefix/results/first/report.html",
        "a prefix/results/first/figures/picks.png",
        "a prefix/results/first/provenance.json",
        "elsewhere/second/runs.csv",
    ]
    small_config["methods"]["pca_grid"] = {"fractions": [0.5]}
    check_undisturbed(tmp_path, said_of(run_outer(tmp_path, use, wanted, small_config)))
    assert len(list((first / "store/shards").glob("*.npy"))) == 2
    assert len(list((second / "store/shards").glob("*.npy"))) == 3
    assert not (tmp_path / "results").exists()
    # What was trained is found again where it is: one seed more is one training more.
    small_config["seeds"] = 3
    due = said_of(run_outer(tmp_path, use, wanted, small_config, "--dry-run"))
    assert "first_train             2" in due
    assert "seeds-2-2" in due
    assert "seeds-0-2" not in due


def test_a_module_exports_below_its_prefix(
    tmp_path: Path, run_outer: Outer, small_config: dict[str, Any]
) -> None:
    small_config["export"] = "random:0.5"
    export = "deep/er/results/images/export/random-0.5-seed-0/images.npz"
    small_config["export_formats"] = ["npz"]
    use = module("images", 'prefix: "deep/er"')
    check_undisturbed(tmp_path, said_of(run_outer(tmp_path, use, [export], small_config)))
    assert (tmp_path / export).exists()


@pytest.mark.parametrize("snakefile", SNAKEFILES)
def test_a_checkout_inside_the_outer_workflows_folder_is_no_part_of_a_prefix(
    tmp_path: Path, run_outer: Outer, small_config: dict[str, Any], snakefile: str
) -> None:
    (tmp_path / "petite").mkdir()
    for name in ("Snakefile", "config.yaml", "scripts", "workflow", "envs"):
        (tmp_path / "petite" / name).symlink_to(REPOSITORY / name)
    use = module("images", 'prefix: "out"', repository=Path("petite"), snakefile=snakefile)
    split = "out/results/images/splits/0.parquet"
    check_undisturbed(tmp_path, said_of(run_outer(tmp_path, use, [split], small_config)))


def test_the_users_own_paths_are_taken_as_they_are_written(
    tmp_path: Path, run_outer: Outer, small_config: dict[str, Any], write_pictures
) -> None:
    """An archive may be what another rule of the outer workflow makes."""
    write_pictures(tmp_path / "pictures", ["cat", "dog"], 20)
    small_config["dataset"] |= {"source": "archive", "path": "made/pets.zip", "classes": None}
    use = module("pets", 'prefix: "out"') + (
        '\nrule pack:\n    output: "made/pets.zip"\n'
        "    run:\n        import shutil\n"
        '        shutil.make_archive("made/pets", "zip", "pictures")\n'
    )
    split = "out/results/pets/splits/0.parquet"
    check_undisturbed(tmp_path, said_of(run_outer(tmp_path, use, [split], small_config)))


def test_an_including_workflow_keeps_its_configuration_its_target_and_its_hooks(
    tmp_path: Path, run_outer: Outer, small_config: dict[str, Any]
) -> None:
    use = f"""
assert config == {{"samples": ["a", "b"], "petite": SETTINGS}}
include: "{REPOSITORY}/Snakefile"
assert config == {{"samples": ["a", "b"], "petite": SETTINGS}}
"""
    outer = yaml.safe_dump({"samples": ["a", "b"], "petite": small_config})
    (tmp_path / "outer.yaml").write_text(outer, "utf-8")
    wanted = ["results/tiny/runs.csv"]
    arguments = ("--configfile", "outer.yaml")
    check_undisturbed(tmp_path, said_of(run_outer(tmp_path, use, wanted, small_config, *arguments)))


def git(folder: Path, *arguments: str) -> None:
    name = ["-c", "user.name=Someone", "-c", "user.email=someone@example.org"]
    subprocess.run(["git", "-C", str(folder), *name, *arguments], check=True, capture_output=True)


def test_a_deployed_workflow_takes_a_release_and_a_new_one_reruns_only_what_it_changed(
    tmp_path: Path, small_config: dict[str, Any], copy_checkout, loaded_python: str
) -> None:
    """Snakemake has a clone of the repository in its cache, so nothing is downloaded."""
    repository, place = tmp_path / "repository", tmp_path / "deployed"
    clone = tmp_path / "cache/snakemake/snakemake/source-cache/snakemake-git-cache"
    repository.mkdir()
    copy_checkout(repository)
    git(repository, "init", "--quiet")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message", "A release")
    git(repository, "tag", "v1")
    with (repository / "scripts/petite/plots/style.py").open("a") as edited:
        edited.write("# The next release has one comment more.\n")
    git(repository, "commit", "--quiet", "--all", "--message", "The next release")
    git(repository, "tag", "v2")
    git(
        tmp_path,
        "clone",
        "--quiet",
        "--bare",
        str(repository),
        str(clone / "github.com/someone/petite"),
    )
    for name in ("config", "workflow/profiles"):
        shutil.copytree(REPOSITORY / name, place / Path(name).name)
    (place / "workflow").mkdir()
    (place / "config/config.yaml").write_text(yaml.safe_dump(small_config), "utf-8")

    def deployed(tag: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        (place / "workflow/Snakefile").write_text(DEPLOYED.format(tag=tag), "utf-8")
        return subprocess.run(
            [loaded_python, "-m", "snakemake", "--cores", "2", *arguments],
            cwd=place,
            env={**os.environ, "PATH": PATH, "XDG_CACHE_HOME": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
        )

    split = "results/tiny/splits/0.parquet"
    said_of(deployed("v1", "--", split))
    assert (place / split).exists()
    style = place / ".snakemake/petite-checkout/scripts/petite/plots/style.py"
    assert "next release" not in style.read_text("utf-8")
    assert "Nothing to be done" in said_of(deployed("v2", "--dry-run", "--", split))
    assert "next release" in style.read_text("utf-8")
    # The default target is Petite's.
    assert "\nall  " in said_of(deployed("v2", "--dry-run"))


def test_a_snakemake_without_petites_packages_is_told_where_they_are_listed(
    tmp_path: Path, run_outer: Outer, small_config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hides").mkdir()
    missing = "No module named 'pyarrow'"
    (tmp_path / "hides/pyarrow.py").write_text(f'raise ImportError("{missing}")\n', "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "hides"))
    finished = run_outer(
        tmp_path, module("images"), [], small_config, "--dry-run", python=sys.executable
    )
    assert finished.returncode != 0
    assert missing in finished.stderr
    assert f"{REPOSITORY}/envs/requirements.txt" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_a_wrong_key_of_a_module_is_told_in_one_sentence(
    tmp_path: Path, run_outer: Outer, small_config: dict[str, Any]
) -> None:
    finished = run_outer(tmp_path, module("images"), [], {**small_config, "sedes": 3}, "--dry-run")
    assert finished.returncode != 0
    assert "sedes: Unknown key 'sedes'. Did you mean 'seeds'?" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_settings_of_a_module_that_are_no_mapping_are_told(
    tmp_path: Path, run_outer: Outer, small_config: dict[str, Any]
) -> None:
    use = module("images").replace("config: SETTINGS |", "config: ['photos'] or SETTINGS |")
    finished = run_outer(tmp_path, use, [], small_config, "--dry-run")
    assert finished.returncode != 0
    assert "['photos']" in finished.stderr and ".smk" not in finished.stderr


@pytest.mark.parametrize("snakefile", SNAKEFILES)
def test_an_including_workflow_with_settings_of_its_own_is_told_where_petites_go(
    tmp_path: Path, run_outer: Outer, small_config: dict[str, Any], snakefile: str
) -> None:
    include = f'include: "{REPOSITORY}/{snakefile}"'
    finished = run_outer(tmp_path, include, [], small_config, "--config", "samples=3", "--dry-run")
    assert finished.returncode != 0
    assert "put those of Petite below `petite:`" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_two_checkouts_in_one_workflow_are_refused(
    tmp_path: Path, run_outer: Outer, small_config: dict[str, Any]
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for name in ("config.yaml", "workflow", "envs"):
        (other / name).symlink_to(REPOSITORY / name)
    shutil.copy(REPOSITORY / "Snakefile", other)
    shutil.copytree(REPOSITORY / "scripts", other / "scripts")
    use = module("first") + module("second", repository=other)
    finished = run_outer(tmp_path, use, [], small_config, "--dry-run")
    assert finished.returncode != 0
    assert "Use one checkout of Petite for all modules of a workflow" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_a_module_judges_what_the_search_found_when_it_is_run_again(
    tmp_path: Path, run_outer: Outer
) -> None:
    write_shades(tmp_path, 40)
    use = module("tiny", 'prefix: "out"', shards=1)
    results = "out/results/tiny"
    wanted = [f"{results}/runs.csv"]
    first = run_outer(tmp_path, use, wanted, FROM_SCRATCH)
    assert first.returncode != 0
    assert "rerun the same command" in first.stdout + first.stderr
    assert not list((tmp_path / results).glob("runs*"))
    second = run_outer(tmp_path, use, wanted, FROM_SCRATCH)
    assert second.returncode == 0, second.stderr
    check_that_the_winner_is_judged(tmp_path / results, SMALL_BUDGET)
