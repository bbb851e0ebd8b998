"""The section `grow`, and how little has to be written."""

from pathlib import Path
from typing import Any

import pytest

from petite import config
from petite.config.grow import grow_method, kept_subset, ordering
from petite.config.layers import command_line, read_layer, resolve
from petite.util.errors import PetiteError

REPOSITORY = Path(__file__).resolve().parents[3]
DEFAULT = read_layer(REPOSITORY / "config.yaml", "default")
OLD = ("folder=/data/old", "new=/data/2024_05")


def loaded(*written: str) -> Any:
    resolved = resolve(DEFAULT, [command_line(written)], REPOSITORY / "workflow/config")
    return config.load(resolved.values)


def test_a_folder_and_a_subset_are_enough() -> None:
    found = loaded(*OLD, "kept=random:0.1")
    assert found.grow.path == "/data/2024_05"
    assert kept_subset(found.grow.kept, found.runs) == ("random", 0.1, 0)
    assert found.dataset.name == "old"
    method = grow_method(found.grow, found.methods, found.features.space)
    assert method == ("facility_location", {}, "proportional", "backbone")


def test_a_method_is_that_of_the_new_images_unless_there_is_a_pool() -> None:
    assert loaded(*OLD, "kept=full:1", "method=herding").grow.method == "herding"
    both = loaded(*OLD, "kept=full:1", "method=margin", "pool=/data/pool")
    assert (both.grow.method, both.pool.methods) == ("facility_location", ["margin"])


def test_an_entry_has_its_quota_settings_and_space() -> None:
    written = {"mine": {"method": "k_dpp", "ridge": 0.1, "quota": "equal", "space": "pixels"}}
    methods = DEFAULT.values["methods"] | {"mine": written["mine"] | {"fractions": []}}
    grow = {"path": "/a", "kept": "random:0.1", "method": "mine"}
    found = config.load(DEFAULT.values | {"methods": methods, "grow": grow})
    assert grow_method(found.grow, found.methods, "backbone") == (
        "k_dpp", {"ridge": 0.1}, "equal", "pixels",
    )  # fmt: skip


def test_sizes_are_in_ascending_order() -> None:
    assert loaded("grow={path: /a, kept: 'random:0.1', sizes: [1, 0.2]}").grow.sizes == [0.2, 1.0]


@pytest.mark.parametrize("name", ["facility_location", "herding", "k_dpp", "k_center_greedy"])
def test_methods_that_rank_next_to_kept_images_can_order(name: str) -> None:
    assert name in ordering()


@pytest.mark.parametrize(
    ("written", "key", "value"),
    [
        (["kept=random:0.1"], "grow.kept", "new=FOLDER"),
        ([*OLD], "grow.kept", "METHOD:FRACTION"),
        ([*OLD, "kept=random:0.3"], "grow.kept", "random:0.3"),
        ([*OLD, "kept=random"], "grow.kept", "random"),
        ([*OLD, "kept=random:0.1:900"], "grow.kept", "random:0.1:900"),
        ([*OLD, "kept=best"], "grow.kept", "best"),
        ([*OLD, "kept=full:1", "method=rondom"], "grow.method", "rondom"),
        ([*OLD, "kept=full:1", "method=random"], "grow.method", "random"),
        ([*OLD, "kept=full:1", "method=typiclust"], "grow.method", "typiclust"),
        ([*OLD, "kept=full:1", "method=el2n"], "grow.method", "el2n"),
        ([*OLD, "kept=full:1", "method=full"], "grow.method", "full"),
        ([*OLD, "kept=full:1", "method=dedup_then_ccs"], "grow.method", "chain"),
        (["grow={path: /a, kept: 'random:0.1', space: proxy}"], "grow.space", "proxy"),
        (["grow={path: /a, kept: 'random:0.1', sizes: []}"], "grow.sizes", ""),
        (["grow={path: /a, kept: 'random:0.1', sizes: [0.5, 0.5]}"], "grow.sizes", "twice"),
        (["grow={path: /a, kept: 'random:0.1', sizes: [2]}"], "grow.sizes", "2"),
        (["grow={path: /a, kept: 'augmentation:0.1'}"], "grow.kept", "augmentation:0.1"),
        (["grow=/a"], "grow", "/a"),
    ],
)
def test_what_does_not_fit_is_refused(written: list[str], key: str, value: str) -> None:
    with pytest.raises(PetiteError) as error:
        loaded(*written)
    assert key in str(error.value)
    assert value in str(error.value)
    assert len(str(error.value).splitlines()) == 2  # one problem


@pytest.mark.parametrize("quota", ["error", "group"])
def test_a_quota_that_needs_more_than_classes_is_refused(quota: str) -> None:
    methods = DEFAULT.values["methods"] | {
        "mine": {"method": "herding", "quota": quota, "fractions": []}
    }
    grow = {"path": "/a", "kept": "random:0.1", "method": "mine"}
    with pytest.raises(PetiteError, match=quota):
        config.load(DEFAULT.values | {"methods": methods, "grow": grow})
