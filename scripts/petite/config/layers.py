"""How the configuration is put together from what was written, and where each value comes from.

From the weakest to the strongest: `config.yaml`, the preset of the source, what was changed in
`config.yaml`, the files of `--configfile` in their order, and `--config` on the command line. What
counts is that a value was written, not that it differs from another one.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from petite.config.schema import Config
from petite.config.size import check_size
from petite.data.sources import SOURCES
from petite.util.errors import PetiteError

Values = dict[str, Any]

COMMAND_LINE = "command line"
# Sources at a path, which `--config SOURCE=PATH` names.
SHORTCUTS = tuple(name for name, source in SOURCES.items() if source.takes_path())
# Mappings that are one value: to write one of them replaces the whole.
WHOLE = {("seeds_by_fraction",), ("training", "budget")}
NAME = "name"  # with SHORTCUTS, what the command line says of the data set without nesting
ARCHIVE_SUFFIXES = (".zip", ".tgz", ".gz", ".bz2", ".xz", ".tar")
WIDEST = 60  # of the values before the comments, in columns


class Layer(NamedTuple):
    """Values that were written in one place, and what that place is called."""

    name: str
    values: Values


class Resolved(NamedTuple):
    """A configuration to be checked by `petite.config.load`."""

    values: Values
    # The name of the layer that each value is from, by its path; a group has no entry.
    origins: dict[tuple[str, ...], str]
    preset: str | None  # its name, without .yaml


def resolve(default: Layer, written: Sequence[Layer], presets: Path) -> Resolved:
    """Lay what was written over the default and over the preset of the source that it names.

    Parameters
    ----------
    default
        config.yaml.
    written
        What the user wrote elsewhere, the weakest first.
    presets
        The folder of the presets.

    Raises
    ------
    PetiteError
        For two sources on one command line, a value in the place of a group that a shortcut
        writes to, and for values without end.
    """
    for layer in written:
        check_size(layer.values)
    written = [Layer(layer.name, _without_shortcuts(layer.values)) for layer in written]
    layers = [default, *written]
    source = _dataset_value(layers, "source")
    kind = SOURCES.get(source) if isinstance(source, str) else None
    preset = kind.preset if kind else None
    if preset is not None and _dataset_value([default], "source") != source:
        name = f"{preset}.yaml"
        about_source = Layer(name, read_layer(presets / name).values)
        edits = Layer("changed in config.yaml", _edits(default.values))
        layers = [default, about_source, *_named(written, source), edits, *written]
    else:
        preset = None
    values: Values = {}
    origins: dict[tuple[str, ...], str] = {}
    for layer in layers:
        values = _without_old_digest(values, layer)
        values = _laid_over(values, layer.values, (), layer.name, origins)
    return Resolved(values, origins, preset)


def read_layer(path: Path, name: str | None = None) -> Layer:
    """The values in a YAML file that is known to be one."""
    return Layer(name or path.name, yaml.safe_load(path.read_text("utf-8")) or {})


def command_line(entries: Iterable[str]) -> Layer:
    """What `--config KEY=VALUE ...` says, read as YAML; paths and names are taken as they stand.

    Snakemake itself makes numbers of what looks like one: 202405 of 2024_05, 7 of 007.
    """
    values: Values = {}
    for entry in entries:
        key, _, text = entry.partition("=")
        values = merged(values, {key: text if key in (*SHORTCUTS, NAME) else _value(text)})
    return Layer(COMMAND_LINE, values)


def merged(base: Values, over: Values) -> Values:
    """`base` with the values of `over`, mappings within mappings likewise."""
    return _laid_over(base, over, (), "", {})


def name_from(path: str) -> str:
    """A name for results/ from a folder's or an archive's name, in letters of any script."""
    last = path.rstrip("/").rsplit("/", 1)[-1].split("?")[0]
    for suffix in ARCHIVE_SUFFIXES:
        last = last.removesuffix(suffix)
    return re.sub(r"[^\w.-]+", "-", last).strip("-._") or "images"


def _without_shortcuts(values: Values) -> Values:
    """`folder=PATH`, `archive=PATH`, `lsun=PATH` and `name=NAME` as values of `dataset`."""
    given = {
        key: value for key, value in values.items() if key in SHORTCUTS and value not in (None, "")
    }
    rest = {key: value for key, value in values.items() if key not in (*SHORTCUTS, NAME)}
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


def _without_old_digest(values: Values, layer: Layer) -> Values:
    """The values below a layer; the digest of another path is none of the layer's path."""
    below, dataset = values.get("dataset"), layer.values.get("dataset")
    if isinstance(below, dict) and isinstance(dataset, dict) and "path" in dataset:
        return {**values, "dataset": {**below, "sha256": None}}
    return values


def _dataset_value(layers: Sequence[Layer], key: str) -> Any:
    """What the strongest layer that writes it says of `dataset`."""
    for layer in reversed(layers):
        dataset = layer.values.get("dataset")
        if isinstance(dataset, dict) and key in dataset:
            return dataset[key]
    return None


def _named(written: Sequence[Layer], source: Any) -> list[Layer]:
    """The name of the results, after the path of the images, for who gives none."""
    path = _dataset_value(written, "path")
    if source not in SHORTCUTS or not isinstance(path, str):
        return []
    return [Layer("name of the source", {"dataset": {"name": name_from(path)}})]


def _edits(values: Values) -> Values:
    """What was changed in config.yaml, so far as a preset would write over it."""
    shipped = Config.model_validate({"methods": {"full": {"fractions": [1]}}}).model_dump()
    shipped["dataset"]["classes"] = ["cat", "dog"]  # of the silhouettes
    return {
        key: value
        for key, value in _changes(values, shipped).items()
        if key in ("dataset", "seeds", "seeds_by_fraction", "seeds_per_job", "training")
    }


def _changes(values: Values, shipped: Values) -> Values:
    """The part of `values` that is not as in `shipped`, mappings within mappings likewise."""
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
    """`base` with the values of `over`; notes in `origins` that those are from the layer `name`."""
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


def _value(text: str) -> Any:
    if not text:
        return None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def described(values: Values, origins: Mapping[tuple[str, ...], str]) -> str:
    """A configuration as YAML, with a comment behind each value that tells where it is from."""
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
