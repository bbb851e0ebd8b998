"""Loading all modules of a package, so that a registry needs no list of its entries."""

import importlib
import pkgutil
from types import ModuleType


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
