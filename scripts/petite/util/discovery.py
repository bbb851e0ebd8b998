"""How a registry finds its entries: all modules of a package, and functions loaded by name."""

import importlib
import pkgutil
from collections.abc import Callable
from types import ModuleType
from typing import Any


def modules_in(package: ModuleType) -> list[ModuleType]:
    """Load all modules of a package.

    They are not imports in the text, so `petite.util.imports` does not follow them.

    Parameters
    ----------
    package : module

    Returns
    -------
    list of module
        Sorted by name.
    """
    names = sorted(found.name for found in pkgutil.iter_modules(package.__path__))
    return [importlib.import_module(f"{package.__name__}.{name}") for name in names]


def module_of(function: str) -> str:
    """The module of a function, from its full name such as `petite.plots.curves.curves`."""
    return function.rpartition(".")[0]


def loaded(function: str) -> Callable[..., Any]:
    """Load a function by its full name, when an entry is used and not when it is registered."""
    return getattr(importlib.import_module(module_of(function)), function.rpartition(".")[2])
