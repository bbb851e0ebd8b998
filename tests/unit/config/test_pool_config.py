"""The section `pool`, and how little has to be written."""

from pathlib import Path
from typing import Any

import pytest

from petite import config
from petite.config.layers import command_line, read_layer, resolve
from petite.config.pool import UNCERTAINTIES, pool_method, without_labels
from petite.selection import METHODS
from petite.util.errors import PetiteError

REPOSITORY = Path(__file__).resolve().parents[3]
DEFAULT = read_layer(REPOSITORY / "config.yaml", "default")


def loaded(*written: str) -> Any:
    resolved = resolve(DEFAULT, [command_line(written)], REPOSITORY / "workflow/config")
    return config.load(resolved.values)


def test_a_pool_alone_has_no_labels_and_gives_the_results_its_name() -> None:
    found = loaded("pool=/data/2024_05", "images=500")
    assert found.pool.path == "/data/2024_05"
    assert found.pool.images == 500
    assert not found.pool.labeled
    assert found.dataset.name == "2024_05"
    assert found.dataset.image_size == 64  # as for photographs


def test_beside_a_labeled_part_the_results_have_its_name() -> None:
    found = loaded("folder=/data/labeled", "pool=/data/more", "method=margin")
    assert found.pool.labeled
    assert found.pool.methods == ["margin"]
    assert found.dataset.name == "labeled"


def test_a_name_of_ones_own_stays() -> None:
    assert loaded("pool=/data/more", "name=mine").dataset.name == "mine"


def test_the_section_can_be_written_on_the_command_line() -> None:
    found = loaded("pool={path: /data/more, methods: [herding, random], copies: keep}")
    assert found.pool.methods == ["herding", "random"]
    assert not found.pool.labeled


def test_a_run_without_a_pool_is_as_before() -> None:
    assert loaded().pool.path is None
    assert loaded("pool=").pool.path is None


@pytest.mark.parametrize(
    ("written", "key", "value"),
    [
        (["pool=/a", "images=0"], "pool.images", "0"),
        (["pool=/a", "images=many"], "pool.images", "many"),
        (["images=20"], "pool.images", "pool=FOLDER"),
        (["method=random"], "pool.methods", "pool=FOLDER"),
        (["pool=/a", "method=rondom"], "pool.methods", "random"),
        (["pool=/a", "method=el2n"], "pool.methods", "k_dpp"),
        (["pool=/a", "method=moderate"], "pool.methods", "k_dpp"),
        (["pool=/a", "method=full"], "pool.methods", "full"),
        (["pool=/a", "method=augmentation"], "pool.methods", "augmentation"),
        (["pool=/a", "method=dedup_then_ccs"], "pool.methods", "chain"),
        (["pool=/a", "method=margin"], "pool.methods", "folder=LABELED"),
        (["pool={path: /a, methods: []}"], "pool.methods", ""),
        (["pool={path: /a, methods: [random, random]}"], "pool.methods", "twice"),
        (["pool={path: /a, spaces: pixels}"], "pool.spaces", "space"),
        (["pool={path: /a, space: proxy}"], "pool.space", "backbone"),
        (["pool={path: /a, dimensions: 1}"], "pool.dimensions", "1"),
    ],
)
def test_what_does_not_fit_is_refused(written: list[str], key: str, value: str) -> None:
    with pytest.raises(PetiteError) as error:
        loaded(*written)
    assert key in str(error.value)
    assert value in str(error.value)
    assert len(str(error.value).splitlines()) == 2  # one problem


def test_every_method_needs_labels_or_not() -> None:
    assert {"random", "k_dpp", "typiclust", "pca_grid"} < set(without_labels())
    assert not {"full", "el2n", "moderate", "craig", "uncertainty", "d2"} & set(without_labels())
    for name in METHODS:
        if name in without_labels():
            assert not pool_method(name, {}).score
    for name in UNCERTAINTIES:
        assert pool_method(name, {}).score == name


def test_a_label_of_the_methods_has_its_settings() -> None:
    written = {"grid": {"method": "pca_grid", "cells": 3, "fractions": []}}
    found = config.load(DEFAULT.values | {"methods": DEFAULT.values["methods"] | written})
    assert pool_method("grid", found.methods).settings["cells"] == 3
