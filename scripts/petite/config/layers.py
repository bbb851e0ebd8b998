"""The layers of the configuration: where each value was written, and which one wins.

From the weakest to the strongest: `config.yaml`, the preset of the source, what was changed in
`config.yaml`, the files of `--configfile` in their order, and `--config` on the command line. A
value wins because it was written, even if it equals a default.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from petite.config.schema import Config
from petite.config.size import check_size
from petite.data.sources import ALL_SOURCES, SOURCES
from petite.data.sources.base import UNLABELED
from petite.util.errors import PetiteError

Values = dict[str, Any]

COMMAND_LINE = "command line"
# Sources with a path, for which `--config SOURCE=PATH` is enough.
SHORTCUTS = tuple(name for name, source in SOURCES.items() if source.takes_path())
# Mappings that count as one value: writing a key of it replaces the whole mapping.
WHOLE = {("seeds",), ("seeds_by_fraction",), ("training", "budget")}
NAME = "name"  # with SHORTCUTS, the keys of `dataset` that the command line takes without nesting
POOL = "pool"
# What `--config images=500 method=herding` stands for in the section `pool`.
OF_POOL = {"images": "images", "method": "methods"}
GROW = "grow"
# What `--config new=PATH kept=random:0.1 method=herding` stands for in the section `grow`.
OF_GROW = {"new": "path", "kept": "kept", "method": "method"}
LABELS = "labels"  # a path, or a group with a path
PATHS = (*SHORTCUTS, LABELS, "new")  # of the command line, where they are a path
FILE_SUFFIXES = (".zip", ".tgz", ".gz", ".bz2", ".xz", ".tar", ".parquet", ".npz")
# The sections of config.yaml that presets overwrite, and the fractions of methods that they do.
OF_PRESETS = (
    *("dataset", "features", "proxy", "judges", "seeds", "seeds_by_fraction", "seeds_per_job"),
    "training",
)
FRACTIONS = {"random": [0.5, 0.25, 0.1], "pca_grid": [0.1], "augmentation": [0.1]}
WIDEST = 60  # of the values before the comments, in columns


class Layer(NamedTuple):
    """Values that were written in one place, and the name of that place."""

    name: str
    values: Values


class Resolved(NamedTuple):
    """A configuration that `petite.config.load` has to validate.

    Attributes
    ----------
    values : dict
    origins : dict
        The name of the layer of each value, by the value's path. Groups have no entry.
    preset : str or None
        The name of the preset, without .yaml.
    """

    values: Values
    origins: dict[tuple[str, ...], str]
    preset: str | None


def resolve(default: Layer, written: Sequence[Layer], presets: Path) -> Resolved:
    """Merge what was written with the default and with the preset of the source.

    Parameters
    ----------
    default : Layer
        config.yaml.
    written : sequence of Layer
        What the user wrote elsewhere, the weakest first.
    presets : Path
        The folder of the presets.

    Returns
    -------
    Resolved

    Raises
    ------
    PetiteError
        For two sources on one command line, and for too many values.
    """
    for layer in written:
        check_size(layer.values)
    written = [Layer(layer.name, _without_shortcuts(layer.values)) for layer in written]
    layers = [default, *written]
    source = _dataset_value(layers, "source")
    is_default = _dataset_value([default], "source") == source
    pool = _value_in(layers, POOL, "path")
    is_alone = is_default and _dataset_value(written, "source") is None and bool(pool)
    if is_alone:
        source, is_default = UNLABELED, False
    kind = ALL_SOURCES.get(source) if isinstance(source, str) else None
    preset = kind.preset if kind else None
    if preset is not None and not is_default:
        name = f"{preset}.yaml"
        about_source = Layer(name, read_layer(presets / name).values)
        edits = Layer("changed in config.yaml", _edits(default.values))
        named = _of_pool_alone(pool) if is_alone else _named(written, source)
        layers = [default, about_source, *named, edits, *written]
    else:
        preset = None
    values: Values = {}
    origins: dict[tuple[str, ...], str] = {}
    for layer in layers:
        values = _without_old_digest(values, layer)
        values = _laid_over(values, layer.values, (), layer.name, origins)
    return Resolved(values, origins, preset)


def read_layer(path: Path, name: str | None = None) -> Layer:
    """Read the values in a YAML file; raises PetiteError as `check_repeated_keys`."""
    text = path.read_text("utf-8-sig")
    check_repeated_keys(text, str(path))
    return Layer(name or path.name, yaml.safe_load(text) or {})


def check_repeated_keys(text: str, where: str) -> None:
    """Raise PetiteError if a group has a key twice in YAML: its first value would be lost."""
    pending = [yaml.compose(text, Loader=yaml.SafeLoader)]
    seen: set[int] = set()
    while pending:
        node = pending.pop()
        if id(node) in seen or not isinstance(node, yaml.CollectionNode):
            continue
        seen.add(id(node))
        if not isinstance(node, yaml.MappingNode):
            pending += node.value
            continue
        lines: dict[str | float, int] = {}
        for key, value in node.value:
            pending.append(value)
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                is_number = key.tag.endswith((":float", ":int"))
                name = yaml.safe_load(key.value) if is_number else key.value  # 0.5 and 0.50
                if name in lines:
                    raise PetiteError(
                        f"{where}: {key.value!r} is written twice in one group, in line "
                        f"{lines[name]} and line {line}. Merge the two, or remove one"
                    )
                lines[name] = line


def command_line(entries: Iterable[str]) -> Layer:
    """Read the values of `--config KEY=VALUE ...` as YAML, but paths and names as text.

    Snakemake itself would convert what looks like a number: 2024_05 to 202405, 007 to 7.

    Raises
    ------
    PetiteError
        For an empty path: the default images would be used in place of those of an unset variable.
    """
    values: Values = {}
    for entry in entries:
        key, _, text = entry.partition("=")
        if key in PATHS and not text.strip():
            raise PetiteError(
                f"{key}= is empty: give a path. If it comes from a variable of the shell, that "
                "variable is not set"
            )
        is_text = key in (*SHORTCUTS, NAME, "new", "kept")
        value = text if is_text else _value(text, key)
        if key in (LABELS, POOL) and not isinstance(value, dict | None):
            value = text
        values = merged(values, {key: value})
    return Layer(COMMAND_LINE, values)


def merged(base: Values, over: Values) -> Values:
    """Return `base` updated with the values of `over`, recursively."""
    return _laid_over(base, over, (), "", {})


def name_from(path: str) -> str:
    """Make a name for results/ from the name of a folder or a file."""
    last = path.rstrip("/").rsplit("/", 1)[-1].split("?")[0]
    for suffix in FILE_SUFFIXES:
        last = last.removesuffix(suffix)
    return re.sub(r"[^\w.-]+", "-", last).strip("-._") or "images"


def _without_shortcuts(values: Values) -> Values:
    """Move `folder=PATH`, `archive=PATH` and so on, and `name=NAME` into `dataset`.

    `labels=PATH` becomes `labels: {path: PATH}`, so that another layer may name a column of it.
    `pool=PATH` and OF_POOL are moved into `pool`, and OF_GROW into `grow`.
    """
    values = _with_pool(_with_new(values))
    given = {
        key: value for key, value in values.items() if key in SHORTCUTS and value not in (None, "")
    }
    rest = {key: value for key, value in values.items() if key not in (*SHORTCUTS, NAME)}
    if isinstance(rest.get(LABELS), str):
        rest[LABELS] = {"path": rest[LABELS]}
    if len(given) > 1:
        raise PetiteError(f"give {' or '.join(f'{key}=PATH' for key in given)}, not both")
    about: Values = {}
    for source, path in given.items():
        about = {"source": source, "path": path}
    if values.get(NAME) not in (None, ""):
        about["name"] = values[NAME]
    dataset = rest.get("dataset", {})
    if not about or not isinstance(dataset, dict):
        return rest
    return {**rest, "dataset": {**about, **dataset}}


def _with_new(values: Values) -> Values:
    """Move `new=PATH`, `kept=METHOD:FRACTION` and, next to `new`, `method` into `grow`."""
    if values.get("new") in (None, "") and values.get("kept") in (None, ""):
        return {key: value for key, value in values.items() if key not in ("new", "kept")}
    of_pool = {"method"} if values.get(POOL) else set()  # it orders the pool
    keys = OF_GROW.keys() - of_pool
    moved = {OF_GROW[key]: values[key] for key in keys if values.get(key) not in (None, "")}
    rest = {key: value for key, value in values.items() if key not in keys}
    grow = rest.get(GROW, {})
    return {**rest, GROW: {**moved, **grow}} if isinstance(grow, dict) else rest


def _with_pool(values: Values) -> Values:
    """Move `pool=PATH`, `images=500` and `method=NAME` into the section `pool`."""
    rest = {key: value for key, value in values.items() if key not in OF_POOL}
    pool = rest.get(POOL, {})
    if isinstance(pool, str | None):
        pool = {"path": pool or None}
    moved = {new: values[key] for key, new in OF_POOL.items() if values.get(key) is not None}
    if isinstance(pool, dict) and (moved or pool):
        rest[POOL] = {**moved, **pool}
    return rest


def _without_old_digest(values: Values, layer: Layer) -> Values:
    """The values below a layer, without the SHA-256 of another path than the layer's."""
    below, dataset = values.get("dataset"), layer.values.get("dataset")
    if isinstance(below, dict) and isinstance(dataset, dict) and "path" in dataset:
        return {**values, "dataset": {**below, "sha256": None}}
    return values


def _dataset_value(layers: Sequence[Layer], key: str) -> Any:
    """The value of a key of `dataset` in the strongest layer that has it."""
    return _value_in(layers, "dataset", key)


def _value_in(layers: Sequence[Layer], section: str, key: str) -> Any:
    """The value of a key of a section in the strongest layer that has it."""
    for layer in reversed(layers):
        values = layer.values.get(section)
        if isinstance(values, dict) and key in values:
            return values[key]
    return None


def _of_pool_alone(path: Any) -> list[Layer]:
    """A layer for a pool without a labeled part: the results are named after it."""
    values: Values = {POOL: {"labeled": False}}
    if isinstance(path, str):
        values["dataset"] = {"name": name_from(path)}
    return [Layer("a pool alone", values)]


def _named(written: Sequence[Layer], source: Any) -> list[Layer]:
    """A layer that names the results after the path of the images."""
    path = _dataset_value(written, "path")
    if source not in SHORTCUTS or not isinstance(path, str):
        return []
    return [Layer("name of the source", {"dataset": {"name": name_from(path)}})]


def _edits(values: Values) -> Values:
    """What was changed in config.yaml, among the values that a preset would overwrite."""
    shipped = Config.model_validate({"methods": {"full": {"fractions": [1]}}}).model_dump()
    shipped["dataset"]["classes"] = ["cat", "dog"]  # of the silhouettes
    shipped["methods"] = {label: {"fractions": some} for label, some in FRACTIONS.items()}
    changes = _changes(values, shipped)
    methods = {
        label: {"fractions": change["fractions"]}
        for label, change in changes.pop("methods", {}).items()
        if label in FRACTIONS and "fractions" in change
    }
    return {
        **{key: value for key, value in changes.items() if key in OF_PRESETS},
        **({"methods": methods} if methods else {}),
    }


def _changes(values: Values, shipped: Values) -> Values:
    """The part of `values` that differs from `shipped`, recursively."""
    changes: Values = {}
    for key, value in values.items():
        if key not in shipped:
            changes[key] = value
        elif isinstance(value, dict) and isinstance(shipped[key], dict):
            if inner := _changes(value, shipped[key]):
                changes[key] = inner
        elif value != shipped[key]:
            changes[key] = value
    return changes


def _laid_over(
    base: Values,
    over: Mapping[str, Any],
    path: tuple[str, ...],
    name: str,
    origins: dict[tuple[str, ...], str],
) -> Values:
    """`base` updated with `over`; records in `origins` which values are from the layer `name`."""
    result = dict(base)
    for key, value in over.items():
        place = (*path, str(key))
        if isinstance(value, dict) and place not in WHOLE:
            below = result.get(key)
            below = below if isinstance(below, dict) else {}
            value = _laid_over(below, value, place, name, origins)
        else:
            origins[place] = name
        result[key] = value
    return result


def _value(text: str, key: str) -> Any:
    if not text:
        return None
    try:
        check_repeated_keys(text, f"--config {key}")
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def described(values: Values, origins: Mapping[tuple[str, ...], str]) -> str:
    """Write a configuration as YAML, with a comment after each value that names its layer."""
    lines = _described(values, origins, ())
    width = min(max(len(text) for text, _ in lines), WIDEST)
    return "\n".join(f"{text.ljust(width)}  # {name}" if name else text for text, name in lines)


def _described(
    values: Values, origins: Mapping[tuple[str, ...], str], path: tuple[str, ...]
) -> list[tuple[str, str]]:
    """Lines of YAML, each with the origin of its value ("" for the heading of a group)."""
    lines: list[tuple[str, str]] = []
    for key, value in values.items():
        place, indent = (*path, str(key)), "  " * len(path)
        if isinstance(value, dict) and place not in WHOLE and value:
            lines += [(f"{indent}{key}:", ""), *_described(value, origins, place)]
        else:
            lines.append((f"{indent}{key}: {_one_line(value)}", origins.get(place, "default")))
    return lines


def _one_line(value: Any) -> str:
    """A value as YAML."""
    text = yaml.safe_dump([value], default_flow_style=True, allow_unicode=True, width=1_000_000)
    return text.strip()[1:-1]
