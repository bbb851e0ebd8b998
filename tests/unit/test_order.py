"""The order of the library's packages: none imports from one that comes after it."""

import ast

import pytest

from petite.util.imports import SCRIPTS, imports

# Each package, and what may import it: those after it.
ORDER = [
    "util",
    "data",
    "networks",
    "features",
    "selection",
    "subsets",
    "training",
    "forecast",
    "evaluation",
    "plots",
    "report",
    "watch",
    "export",
    "results",
    "config",
]
LIBRARY = SCRIPTS / "petite"
MODULES = sorted(
    ".".join(path.relative_to(SCRIPTS).with_suffix("").parts).removesuffix(".__init__")
    for path in LIBRARY.rglob("*.py")
)


def package_of(module: str) -> str:
    return module.split(".")[1]


def test_every_package_has_its_place_in_the_order():
    packages = {path.parent.name for path in LIBRARY.glob("*/__init__.py")}
    assert packages == set(ORDER)
    assert [path.name for path in LIBRARY.glob("*.py")] == ["__init__.py"]


@pytest.mark.parametrize("module", [name for name in MODULES if name != "petite"])
def test_a_module_imports_from_no_package_above_its_own(module):
    others = [package_of(name) for name in imports(module) if name != "petite"]
    place = ORDER.index(package_of(module))
    assert [name for name in others if ORDER.index(name) > place] == []


def test_the_library_knows_nothing_of_snakemake():
    for path in LIBRARY.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not [name for name in names if name.startswith("snakemake")], path
