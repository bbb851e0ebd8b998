"""The examples in the library's docstrings give what they show."""

import doctest
import importlib
from pathlib import Path

import pytest

import petite

LIBRARY = Path(petite.__file__).parent
MODULES = [
    ".".join(path.relative_to(LIBRARY.parent).with_suffix("").parts)
    for path in sorted(LIBRARY.rglob("*.py"))
    if path.name != "__init__.py" and ">>> " in path.read_text("utf-8")
]


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_module_hold(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted and not result.failed


def test_examples_are_found() -> None:
    assert "petite.data.decoding.decode" in MODULES
