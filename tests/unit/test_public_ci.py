"""The files that GitHub and Snakemake's workflow catalog read name what exists."""

import re
from pathlib import Path

import pytest
import yaml

import petite
from petite.config import load
from petite.config.layers import Layer, read_layer, resolve

REPOSITORY = Path(__file__).resolve().parents[2]
GITHUB = REPOSITORY / ".github"
WORKFLOWS = sorted(GITHUB.glob("workflows/*.yml"))
CONTAINER = (REPOSITORY / "envs/Containerfile").read_text("utf-8")
JOBS = [
    job for path in WORKFLOWS for job in yaml.safe_load(path.read_text("utf-8"))["jobs"].values()
]
COMMANDS = [step["run"] for job in JOBS for step in job["steps"] if "run" in step]
# Values of the matrix that commands insert.
INSERTED = [
    str(value)
    for job in JOBS
    for entry in job.get("strategy", {}).get("matrix", {}).get("include", [])
    for value in entry.values()
]
TARGETS = set(re.findall(r"^([\w-]+):", (REPOSITORY / "Makefile").read_text("utf-8"), re.M))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_to_a_commit_with_its_version(path: Path) -> None:
    used = re.findall(r"uses: (.*)", path.read_text("utf-8"))
    assert used
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_the_commands_of_ci_are_run() -> None:
    assert ".ci/run" in COMMANDS
    assert any("pytest" in command for command in COMMANDS)


@pytest.mark.parametrize("text", [*COMMANDS, *INSERTED])
def test_commands_name_targets_of_make_and_paths_that_exist(text: str) -> None:
    for target in re.findall(r"\bmake (?:[A-Z_]+=\S+ )*([a-z-]+)", text):
        assert target in TARGETS, target
    for path in re.findall(r"(?<![\w/.-])((?:\.ci|tests|envs|scripts|workflow)/[\w./-]*)", text):
        assert (REPOSITORY / path).exists(), path


def test_the_container_is_not_root_and_is_built_by_make() -> None:
    user, made = CONTAINER.index("\nUSER 1000"), CONTAINER.index("\nRUN make ARGS=--version")
    assert user < made
    assert re.findall(r"^USER (.*)", CONTAINER, re.M) == ["1000"]
    assert re.search(r"^FROM debian:\d+-slim$", CONTAINER, re.M)


def test_dependabot_looks_where_there_is_something() -> None:
    updates = yaml.safe_load((GITHUB / "dependabot.yml").read_text("utf-8"))["updates"]
    places = {entry["package-ecosystem"]: entry["directory"] for entry in updates}
    assert set(places) == {"github-actions", "docker"}
    assert (REPOSITORY / places["docker"].lstrip("/") / "Containerfile").is_file()


def test_the_catalog_finds_what_standardized_usage_needs() -> None:
    """As the catalog's README.md lists it."""
    readme = (REPOSITORY / "README.md").read_text("utf-8").lower()
    assert "snakemake" in readme and "workflow" in readme
    for path in ("workflow/Snakefile", "config/README.md"):
        assert (REPOSITORY / path).is_file()
    assert list((REPOSITORY / "workflow/rules").glob("*.smk"))
    usage = yaml.safe_load((REPOSITORY / ".snakemake-workflow-catalog.yml").read_text("utf-8"))
    deployment = usage["usage"]["software-stack-deployment"]
    assert deployment["conda"] is True and deployment["report"] is True


@pytest.mark.parametrize(
    "text",
    [
        (REPOSITORY / "config/config.yaml").read_text("utf-8"),
        *re.findall(
            r"```yaml\n(.*?)```", (REPOSITORY / "config/README.md").read_text("utf-8"), re.S
        ),
    ],
)
def test_the_configuration_to_deploy_and_its_examples_are_valid(text: str) -> None:
    default = read_layer(REPOSITORY / "config.yaml")
    written = Layer("config/config.yaml", yaml.safe_load(text))
    load(resolve(default, [written], REPOSITORY / "workflow/config").values)


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == petite.__version__
