"""Matplotlib without the user's settings: import this module before Matplotlib.

When Matplotlib is first imported, it reads a backend from the environment and a settings file from
the user's home. The import fails if it does not know the backend, which notebooks export, or if the
file is not UTF-8. Petite's figures need neither.
"""

import importlib.util
import os
import sys
from pathlib import Path


def _load() -> None:
    found = importlib.util.find_spec("matplotlib")
    if found is None or found.origin is None:
        return
    shipped = Path(found.origin).parent / "mpl-data/matplotlibrc"
    names = ("MPLBACKEND", "MATPLOTLIBRC")
    before = {name: os.environ.pop(name, None) for name in names}
    os.environ["MATPLOTLIBRC"] = str(shipped)
    try:
        importlib.import_module("matplotlib")
    finally:
        os.environ.pop("MATPLOTLIBRC")
        os.environ.update({name: value for name, value in before.items() if value is not None})


# A program that has loaded Matplotlib before has chosen its settings.
if "matplotlib" not in sys.modules:
    _load()
