"""The JSON schema for editors: it accepts what the typed configuration accepts."""

import copy
import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from petite import config
from petite.config.json_schema import json_schema
from petite.config.layers import merged
from petite.util.errors import PetiteError

REPOSITORY = Path(__file__).resolve().parents[3]
DEFAULT = yaml.safe_load((REPOSITORY / "config.yaml").read_text("utf-8"))
OVERLAYS = sorted((REPOSITORY / "workflow/config").glob("*.yaml"))
SCHEMA = json.loads(json_schema())


def is_valid(mapping: dict) -> bool:
    as_json = json.loads(json.dumps(mapping))
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(as_json)


def with_entry(label: str, entry: dict) -> dict:
    mapping = copy.deepcopy(DEFAULT)
    mapping["methods"][label] = entry
    return mapping


def test_the_schema_in_the_repository_is_that_of_the_typed_configuration():
    path = REPOSITORY / "workflow/schemas/config.schema.json"
    assert path.read_text(encoding="utf-8") == json_schema()


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("overlay", [None, *OVERLAYS], ids=lambda path: path and path.stem)
def test_the_default_and_every_overlay_are_valid(overlay):
    over = {} if overlay is None else yaml.safe_load(overlay.read_text("utf-8"))
    assert is_valid(merged(DEFAULT, over))


@pytest.mark.parametrize(
    ("label", "entry"),
    [
        ("herding", {"fractions": [0.1], "space": "proxy"}),
        ("mine", {"method": "pca_grid", "cells": 3, "fractions": [0.1]}),
        ("mine", {"score": "el2n", "sampler": "ccs", "bins": 9, "fractions": []}),
        ("ccs", {"method": "herding", "fractions": [0.1]}),
        ("mine", {"method": "random", "stream": 1, "quota": "equal", "fractions": []}),
        ("mine", {"steps": [{"method": "ccs", "share": 2}, {"method": "k_dpp"}], "fractions": []}),
    ],
)
def test_a_right_entry_is_valid(label, entry):
    config.load(with_entry(label, entry))
    assert is_valid(with_entry(label, entry))


@pytest.mark.parametrize(
    ("label", "entry"),
    [
        ("herding", {"fractions": [0.1], "spcae": "proxy"}),
        ("herding", {"space": "proxy"}),
        ("pca_grid", {"fractions": [2]}),
        ("pca_grid", {"fractions": [], "tiling": "hexagon"}),
        ("pca_grid", {"fractions": [], "share": 2}),
        ("full", {"fractions": [1], "quota": "equal"}),
        ("mine", {"method": "rondom", "fractions": [0.1]}),
        ("mine", {"method": "pca_grid", "bins": 3, "fractions": [0.1]}),
        ("mine", {"fractions": [0.1]}),
        ("mine", {"score": "el2n", "cells": 3, "fractions": [0.1]}),
        ("mine", {"steps": [{"method": "ccs"}], "fractions": []}),
        ("mine", {"steps": [{"method": "ccs", "share": 2}, {"method": "full"}], "fractions": []}),
        ("mine", {"steps": [{"method": "ccs", "share": 2}, {"share": 1}], "fractions": []}),
        ("mine", {"steps": [{"method": "ccs", "cells": 2}, {"method": "ccs"}], "fractions": []}),
        (
            "mine",
            {
                "steps": [{"method": "ccs", "share": 0.5}, {"method": "augmentation", "ratio": 2}],
                "fractions": [],
            },
        ),
    ],
)
def test_a_wrong_entry_is_not_valid(label, entry):
    with pytest.raises(PetiteError):
        config.load(with_entry(label, entry))
    assert not is_valid(with_entry(label, entry))
