"""The examples in the library's docstrings give what they show."""

import doctest
import importlib
from pathlib import Path

import pytest

import petite

LIBRARY = Path(petite.__file__).parent
MODULES = [
    ".".join(path.relative_to(LIBRARY.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(LIBRARY.rglob("*.py"))
    if ">>> " in path.read_text("utf-8")
]
# The modules of functions that a user of the library calls first.
FIRST_CALLED = {
    "petite.selection",
    "petite.selection.selector",
    "petite.features.pixels",
    "petite.selection.quota",
    "petite.data.decoding.decode",
    "petite.data.duplicates",
    "petite.data.splitting",
    "petite.evaluation.statistics",
    "petite.subsets.tables",
    "petite.training.metrics",
    "petite.util.formatting",
}


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_module_hold(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted and not result.failed


def test_what_is_called_first_has_examples() -> None:
    assert set(MODULES) >= FIRST_CALLED
