"""The examples in docstrings give what they show."""

import doctest
import importlib

import pytest

# The modules of the functions that a user of the library calls first.
MODULES = [
    "petite.selection",
    "petite.features.pixels",
    "petite.selection.quota",
    "petite.data.decoding.decode",
    "petite.data.duplicates",
    "petite.data.splitting",
    "petite.training.metrics",
    "petite.evaluation.statistics",
    "petite.subsets.tables",
    "petite.util.formatting",
    "petite.util.hints",
    "petite.util.memory",
    "petite.util.names",
    "petite.util.seeds",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_show(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
