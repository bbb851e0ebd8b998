"""Which modules a script depends on."""

import ast

import pytest

from petite.selection import METHODS
from petite.util.files import sha256_of
from petite.util.imports import (
    SCRIPTS,
    _imported,
    _parsed,
    digests_file,
    modules_of,
    path_of,
)

SCRIPT_NAMES = sorted(path.stem for path in SCRIPTS.glob("*.py"))
FAMILIES = frozenset(method.module for method in METHODS.values())


@pytest.mark.parametrize("script", SCRIPT_NAMES)
def test_a_script_depends_on_what_it_imports_and_what_that_imports(script):
    modules = modules_of(script)
    assert {"petite", "petite.util.job", "petite.util.errors"} <= set(modules)
    assert modules == sorted(set(modules))
    assert all(path_of(name).is_file() for name in modules)


def test_an_import_within_a_function_counts():
    assert "\nimport keras" not in path_of("petite.networks.backend").read_text("utf-8")
    assert "petite.networks.backend" in modules_of("train")


def test_an_import_for_types_alone_does_not_count(tmp_path, monkeypatch):
    package = tmp_path / "petite"
    package.mkdir()
    for name in ("__init__", "loaded_at_once", "named_in_a_type"):
        (package / f"{name}.py").touch()
    (tmp_path / "some_step.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "from petite import loaded_at_once\n"
        "if TYPE_CHECKING:\n"
        "    from petite import named_in_a_type\n",
        "utf-8",
    )
    monkeypatch.setattr("petite.util.imports.SCRIPTS", tmp_path)
    assert modules_of("some_step") == ["petite", "petite.loaded_at_once"]


def test_the_import_statements_alone_tell_the_same_as_the_whole_modules():
    texts = {path: path.read_text("utf-8") for path in SCRIPTS.rglob("*.py")}
    assert len(texts) > 200
    for path, text in texts.items():
        assert set(_imported(_parsed(text))) == set(_imported(ast.parse(text))), path


@pytest.mark.parametrize(
    "text",
    [
        '"""Sums.\n\nfrom petite.other import what\n"""\nimport petite.one\n',
        "'''Sums.\nfrom petite.other import what\n'''\nimport petite.one\n",
        'QUOTES = \'"""\'\nimport petite.one\nMORE = \'"""\'\n',
        "from petite.one import (  # of (two)\n    this,\n    that,\n)\n",
        "from petite.one import this, \\\n    that\n",
        "from petite import one; from petite import two\n",
        "try: import petite.one\nexcept ImportError: one = None\n",
        "def step():\n    if True:\n        from petite import (one,\n  two)\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import petite.one\n",
        "from . import one\nfrom .two import this\nfrom petite import *\n",
        "imports = 'import'\nfrom_here = 1\n",
        "",
    ],
)
def test_imports_are_read_as_python_reads_them(text):
    assert set(_imported(_parsed(text))) == set(_imported(ast.parse(text)))


def test_a_package_counts_with_each_of_its_modules():
    assert {"petite.training", "petite.training.scratch"} <= set(modules_of("train"))


def test_of_what_a_registry_loads_only_the_entries_in_use_count():
    own = "petite.selection.methods.pca_grid"
    modules = modules_of("rank", [own])
    assert FAMILIES.intersection(modules) == {own}
    assert "petite.selection.methods.tilings" in modules  # what the entry draws on
    assert FAMILIES.isdisjoint(modules_of("rank"))


def test_an_entry_that_another_module_draws_on_counts():
    modules = modules_of("rank", ["petite.selection.methods.scores"])
    assert "petite.selection.methods.clusters" in modules


def test_a_module_that_is_not_there_is_an_error():
    with pytest.raises(FileNotFoundError):
        modules_of("no_such_script")


@pytest.mark.parametrize("name", ["rank", "petite.selection.methods.scores"])
def test_the_digests_of_all_modules_of_a_script_or_an_entry_are_in_one_file(name, tmp_path):
    path = digests_file(tmp_path, name)
    lines = [line.split() for line in path.read_text("utf-8").splitlines()]
    named = {module for _, module in lines}
    assert named >= set(modules_of(name))
    assert ("." in name) == (name in named)
    assert all(digest == sha256_of(path_of(module)) for digest, module in lines)


def test_a_file_of_digests_is_as_old_as_the_newest_module_and_stays_if_nothing_changed(tmp_path):
    path = digests_file(tmp_path, "rank")
    newest = max(path_of(name).stat().st_mtime_ns for name in modules_of("rank"))
    before = path.stat()
    assert before.st_mtime_ns == newest
    assert digests_file(tmp_path, "rank").stat().st_ino == before.st_ino
    path.unlink()
    assert digests_file(tmp_path, "rank").stat().st_mtime_ns == newest
