"""Registries without a list: every module of a package is loaded and asked for its entries."""

import importlib
import pkgutil
from types import ModuleType


def modules_in(package: ModuleType) -> list[ModuleType]:
    """All modules of a package, loaded, in the order of their names.

    What is loaded so is no import in the text: `petite.util.imports` does not follow it.
    """
    names = sorted(found.name for found in pkgutil.iter_modules(package.__path__))
    return [importlib.import_module(f"{package.__name__}.{name}") for name in names]
