"""How to reproduce the run: settings, versions, commit and machine."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict

import pandas as pd
import yaml

from petite.report.inputs import Inputs
from petite.util import provenance
from petite.util.encoded_names import ORIGINAL, encoding_in_words, encoding_of
from petite.util.formatting import byte_size, number

COMMIT = "Commit of Petite"


class Making(TypedDict):
    """Facts about the run by name, and its configuration as YAML.

    `export` is what the command for the recommended images writes; "" if none are recommended.
    `export_options` are further words of that command.
    """

    facts: list[tuple[str, str]]
    has_commit: bool
    config: str
    file_name: str
    export: str
    export_options: str


def making(inputs: Inputs) -> Making:
    """The section's values; facts without a value are left out."""
    facts = {name: value for name, value in _facts(inputs) if value}
    return {
        "facts": list(facts.items()),
        "has_commit": COMMIT in facts,
        "config": settings_file(inputs.config),
        "file_name": f"{inputs.dataset}.yaml",
        **_export(inputs),
    }


class _Export(TypedDict):
    """See `Making`."""

    export: str
    export_options: str


def _export(inputs: Inputs) -> _Export:
    kept = inputs.recommendation.kept
    if kept is None:
        return {"export": "", "export_options": ""}
    encoding = encoding_of(kept.method)
    if encoding == ORIGINAL:
        return {"export": "the recommended images as files", "export_options": ""}
    return {
        "export": f"the recommended images as {encoding_in_words(encoding)}, in a table for "
        "Hugging Face and in a container of the bytes above",
        "export_options": " --config 'export_formats=[parquet,container]'",
    }


def settings_file(config: Mapping[str, Any]) -> str:
    """The configuration as YAML for another run.

    A method that is off is reduced to `fractions: []`. An entry with a name of its own is left out
    if it is off.
    """
    config = dict(config)
    if "methods" in config:
        config["methods"] = {
            label: entry if entry["fractions"] else {"fractions": []}
            for label, entry in config["methods"].items()
            if entry["fractions"] or entry["method"] == label
        }
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=100)


def _facts(inputs: Inputs) -> list[tuple[str, str]]:
    runs, manifest = inputs.runs, inputs.store.manifest
    seeds = runs["training_seed"]
    trained = datetime.fromtimestamp(Path(inputs.tables["runs.csv"]).stat().st_mtime, UTC)
    return [
        ("Data set", f"{inputs.dataset}, {number(len(inputs.store.index))} files"),
        ("Digest of the images", str(manifest.get("digest", ""))),
        ("Stored as", f"{_size(inputs)} pixels, {_colors(inputs)}"),
        ("Split", _split(inputs)),
        *_training(runs),
        ("Seeds", f"{seeds.min()} to {seeds.max()}, of selection and of training"),
        ("Models trained", f"{number(len(runs))}, {number(runs['train_seconds'].sum())} s in all"),
        ("Versions", _versions(runs["versions"].iloc[0])),
        (COMMIT, commit(inputs.checkout)),
        ("Report made on", machine()),
        ("Tables made", f"{trained:%Y-%m-%d %H:%M} UTC"),
    ]


def _training(runs: pd.DataFrame) -> list[tuple[str, str]]:
    """What was trained, as far as it is known: a program of the user's does not say it."""
    first = runs.iloc[0]
    if runs["parameters"].isna().all():
        return [("Model", f"{first['model']}, {first['backend']}")]
    return [
        ("Model", f"{first['model']}, {number(runs['parameters'].max())} weights"),
        ("Training", f"{first['budget']}, batches of {number(first['batch_size'])}"),
        ("Precision", ", ".join(map(str, runs["precision"].unique()))),
    ]


def _size(inputs: Inputs) -> str:
    return f"{inputs.store.image_size} × {inputs.store.image_size}"


def _colors(inputs: Inputs) -> str:
    return "color" if inputs.store.channels == 3 else "gray"


def _split(inputs: Inputs) -> str:
    counts = inputs.split["split"].value_counts()
    parts = [
        f"{number(counts[name])} {name}"
        for name in ("train", "validation", "test")
        if name in counts
    ]
    return f"{', '.join(parts)}, seed {inputs.runs['split_seed'].iloc[0]}"


def _versions(text: str) -> str:
    return ", ".join(f"{name} {version}" for name, version in json.loads(text).items())


def commit(checkout: Path | None) -> str:
    """The commit of a checkout and whether files differ from it, or why it is unknown."""
    found = provenance.commit(checkout) if checkout else {"commit": None}
    if found["commit"] is None:
        return str(found.get("reason", ""))
    return f"{found['commit'][:12]}{', with changes' if found['dirty'] else ''}"


def machine() -> str:
    """The processor, its cores, the memory and the system of this machine."""
    about = provenance.hardware()
    memory = byte_size(about["memory_bytes"])
    return f"{about['processor']}, {about['cores']} cores, {memory} of memory, {about['system']}"
