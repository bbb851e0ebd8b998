"""Which of the library's modules a script loads, read from the import statements.

A rule has a file of their digests as its input, so its jobs rerun when one of them is edited.
"""

import ast
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from petite.util.files import atomic_path

SCRIPTS = Path(__file__).resolve().parents[2]
# Long strings, the import statements that begin a line, and what leaves in doubt that these are all
# and count.
STRING = re.compile(r'""".*?"""', re.DOTALL)
STATEMENT = re.compile(r"^[ \t]*((?:from|import)\b[^(\n]*(?:\([^)]*\))?)", re.MULTILINE)
DOUBTFUL = re.compile(r"TYPE_CHECKING|(?:[;:]|\\\n)[ \t]*(?:from|import)\b|'{3}|\"{3}'|'\"{3}")


def modules_of(script: str, entries: Iterable[str] = ()) -> list[str]:
    """List the modules that a script loads, without itself, sorted by name.

    A registry finds its entries without an import (`petite.util.discovery`), since a job uses only
    a few of them. So these are given.

    Parameters
    ----------
    script : str
        The name of a file in scripts/, without its suffix.
    entries : iterable of str
        The modules of the registered entries in use, such as `petite.selection.methods.pca_grid`.

    Returns
    -------
    list of str
        Such as `petite`, `petite.util.files`.
    """
    found: set[str] = set()
    due = [script, *(name for entry in entries for name in _with_packages(entry))]
    while due:
        name = due.pop()
        if name not in found:
            found.add(name)
            due += imports(name)
    return sorted(found - {script})


def digests_file(folder: Path, name: str) -> Path:
    """Write the SHA-256 of all modules that a script or an entry loads, unless a file has them.

    The time of a first file is that of the newest module, so that it is not newer than results
    that were made with these modules. A changed one has the present time: the modules themselves
    may have been copied with an older one.

    Parameters
    ----------
    folder : Path
        Where to write it.
    name : str
        The name of a file in scripts/, without its suffix, or the module of a registered entry.

    Returns
    -------
    Path
        The file, which has their name.

    Raises
    ------
    PetiteError
        When it cannot be written.
    """
    modules = sorted({*modules_of(name), *_with_packages(name)})
    path = folder / f"{name}.txt"
    text = "".join(f"{digest(module)}  {module}\n" for module in modules)
    is_new = not path.is_file()
    if is_new or path.read_text("utf-8") != text:
        newest = max(path_of(module).stat().st_mtime_ns for module in modules)
        with atomic_path(path) as temporary:
            temporary.write_text(text, "utf-8")
            if is_new:
                os.utime(temporary, ns=(newest, newest))
    return path


@cache
def digest(name: str) -> str:
    """The SHA-256 of a module's file."""
    return hashlib.sha256(path_of(name).read_bytes()).hexdigest()


def path_of(name: str) -> Path:
    """Find the file of a module or script.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    """
    place = SCRIPTS.joinpath(*name.split("."))
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            return path
    raise FileNotFoundError(place)


@cache
def imports(name: str) -> tuple[str, ...]:
    """List the library's modules that a module or script imports, also inside functions."""
    tree = _parsed(path_of(name).read_text("utf-8"))
    return tuple(
        dict.fromkeys(
            module for full in _imported(tree) for module in _with_packages(full) if module != name
        )
    )


def _parsed(text: str) -> ast.AST:
    """Parse the import statements of a module alone; in doubt, all of it.

    Each run reads the imports of all modules, and to parse all of these takes a second.
    """
    if not DOUBTFUL.search(text):
        with suppress(SyntaxError):
            return ast.parse("\n".join(STATEMENT.findall(STRING.sub("", text))))
    return ast.parse(text)


def _imported(tree: ast.AST) -> Iterator[str]:
    """The full names that are imported, without those for types, which are never loaded."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        if not isinstance(node, ast.expr):  # which holds no statements
            yield from _imported(node)


@cache
def _with_packages(full: str) -> tuple[str, ...]:
    """The modules of the library that Python loads for a full name, packages included."""
    parts = full.split(".")
    names: list[str] = []
    if parts[0] == "petite":
        for length in range(1, len(parts) + 1):
            name = ".".join(parts[:length])
            try:
                path_of(name)
            except FileNotFoundError:
                break  # what a module defines
            names.append(name)
    return tuple(names)
