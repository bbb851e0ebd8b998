"""CONTRIBUTING.md names files that exist, and its table leads to every kind of change."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
TEXT = (REPOSITORY / "CONTRIBUTING.md").read_text("utf-8")
MADE_BY_TESTS = "tests/output/"
CODE_OR_FOLDER = re.compile(
    r"[\w./*-]+\.(?:py|smk|md|ya?ml|css|in)|(?:scripts|workflow|tests|docs|envs)/.*"
)
PATHS = sorted(
    quoted
    for quoted in set(re.findall(r"`([^`\n]+)`", TEXT))
    if CODE_OR_FOLDER.fullmatch(quoted) and not quoted.startswith(MADE_BY_TESTS)
)
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in TEXT.partition("| to change | open |")[2].partition("\n\n")[0].splitlines()
    if "`" in line
]


def exists(path: str) -> bool:
    """Whether a path from the top or within the library, or the name of a module, exists."""
    library = REPOSITORY / "scripts/petite"
    if "/" in path or path == "config.yaml":
        return any(any(place.glob(path.rstrip("/"))) for place in (REPOSITORY, library))
    return any(library.rglob(path))


@pytest.mark.parametrize("path", PATHS)
def test_every_path_that_is_named_exists(path: str) -> None:
    assert exists(path), path


def test_every_row_of_the_table_names_a_path() -> None:
    assert len(ROWS) >= 15
    for change, place in ROWS:
        assert any(f"`{path}`" in place for path in PATHS), change


@pytest.mark.parametrize("name", re.findall(r"run `?make (\w+)|then `make (\w+)`", TEXT))
def test_every_target_of_make_that_is_named_exists(name: tuple[str, str]) -> None:
    assert re.search(rf"^{''.join(name)}:", (REPOSITORY / "Makefile").read_text("utf-8"), re.M)
