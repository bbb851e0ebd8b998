"""The configuration: what it accepts, and how it says what is wrong."""

import copy
import json
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from petite import config
from petite.config import layers
from petite.config.layers import Layer
from petite.config.messages import RENAMED
from petite.data.given_split import AUTO, USUAL_TEST, USUAL_VALIDATION
from petite.selection import METHODS
from petite.selection.methods.scores import ScoreSettings
from petite.util.errors import PetiteError

REPOSITORY = Path(__file__).resolve().parents[3]
PRESETS = REPOSITORY / "workflow/config"
OVERLAYS = sorted((REPOSITORY / "workflow/config").glob("*.yaml"))


def read(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


FULL = METHODS["full"]


@pytest.fixture
def default() -> dict:
    return read(REPOSITORY / "config.yaml")


def problems(mapping: dict) -> str:
    with pytest.raises(PetiteError) as caught:
        config.load(mapping)
    return str(caught.value)


def test_config_yaml_is_valid_and_names_every_setting_with_its_default(default):
    loaded = config.load(default)
    bare = config.load({"methods": default["methods"]})
    assert loaded.model_dump(exclude={"methods"}) == {
        **bare.model_dump(exclude={"methods"}),
        "dataset": {**bare.dataset.model_dump(), "classes": ["cat", "dog"]},
    }
    # What is exported is in no dump of the configuration.
    for name in ("export", "export_formats"):
        assert default[name] == getattr(bare, name)
    written = set(paths(default))
    wanted = set(paths(loaded.model_dump(mode="json")))
    assert {path for path in wanted - written if not said_for_all(path)} == set()


def said_for_all(path: str) -> bool:
    """Whether config.yaml tells of a setting once, above the methods that have it."""
    group, _, setting = path.removeprefix("methods.").partition(".")
    if not path.startswith("methods."):
        return False
    pieces = (
        ScoreSettings.model_fields
        if issubclass(METHODS.get(group, FULL).settings, ScoreSettings)
        else {}
    )
    return setting in {"method", "quota", "space", "steps", *pieces}


def test_config_yaml_lists_every_method_and_the_defaults_of_its_settings(default):
    loaded = config.load(default)
    assert set(METHODS) - set(default["methods"]) == {"score"}
    for name, method in METHODS.items():
        if name in default["methods"]:
            entry = loaded.methods[name].model_dump()
            assert {key: entry[key] for key in method.settings.model_fields} == (
                method.settings().model_dump()
            )


def paths(mapping: dict, prefix: str = "") -> list[str]:
    found = []
    for key, value in mapping.items():
        path = f"{prefix}{key}"
        found += paths(value, f"{path}.") if isinstance(value, dict) and value else [path]
    return found


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.stem)
def test_overlay_is_valid_over_the_default(default, overlay):
    resolved = layers.resolve(
        Layer("default", default), [Layer(overlay.name, read(overlay))], PRESETS
    )
    config.load(resolved.values)


def test_photographs_are_trained_alike_whether_the_papers_or_the_users():
    petimages, photos = (
        read(REPOSITORY / f"workflow/config/{name}.yaml")["training"]
        for name in ("petimages", "photos")
    )
    assert petimages == photos


@pytest.mark.parametrize(
    ("path", "is_remote"),
    [
        ("https://a.example/b.zip", True),
        ("HTTP://a.example/b.zip", True),
        ("Https://a.example/b.zip", True),
        ("http/b.zip", False),
        ("b.zip", False),
    ],
)
def test_an_address_is_downloaded_however_its_scheme_is_written(default, path, is_remote):
    default["dataset"] = {"name": "a", "source": "archive", "path": path}
    assert config.load(default).dataset.is_remote is is_remote


@pytest.mark.parametrize(
    ("overlay", "counts"),
    [("animals", [1000] * 10), ("textiles", [1000, 500, 500])],
    ids=["animals", "textiles"],
)
def test_the_smallest_subset_of_an_overlay_keeps_ten_images_of_every_class(
    default, overlay, counts
):
    layer = Layer(overlay, read(PRESETS / f"{overlay}.yaml"))
    loaded = config.load(layers.resolve(Layer("default", default), [layer], PRESETS).values)
    assert loaded.split.test == loaded.split.validation == AUTO
    share = 1 - USUAL_TEST - USUAL_VALIDATION
    smallest = min(min(entry.fractions, default=1) for entry in loaded.methods.values())
    assert min(counts) * share * smallest >= 10


def test_classes_are_spelled_as_the_sources_list_them_and_one_twice_is_refused(default):
    one, two = "caf\u00e9", "cafe\u0301"
    default["dataset"]["classes"] = [two, "tea"]
    assert config.load(default).dataset.classes == [one, "tea"]
    default["dataset"]["classes"] = [two, one]
    assert re.search(f"dataset.classes: .*{one}.*{one}", problems(default))


def places_of(name: str, value: object, path: tuple = ()) -> list[tuple]:
    """The paths of all keys and values with this name."""
    if not isinstance(value, dict):
        return [path] if value == name else []
    found = [(*path, key) for key in value if key == name]
    for key, inner in value.items():
        found += places_of(name, inner, (*path, key))
    return found


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_a_renamed_key_or_value_is_refused_with_its_new_name(default, old, new):
    places = places_of(new, default)
    assert places
    for path in places:
        changed = copy.deepcopy(default)
        group = changed
        for key in path[:-1]:
            group = group[key]
        if path[-1] == new:
            path = (*path[:-1], old)
            group[old] = group.pop(new)
        else:
            group[path[-1]] = old
        assert f"{'.'.join(path)}: renamed to '{new}'" in problems(changed)


def test_unknown_key_is_refused_with_the_nearest_right_one(default):
    default["dataset"]["imagesize"] = 32
    default["methods"]["pca_grid"]["clustres"] = 3
    default["sedes"] = 3
    message = problems(default)
    assert re.search("dataset.imagesize: .*'imagesize'.*'image_size'", message)
    assert re.search("methods.pca_grid.clustres: .*'clustres'.*'clusters'", message)
    assert re.search("sedes: .*'sedes'.*'seeds'", message)
    assert message.count("\n  - ") == 3


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("training.budget.stpes", "steps"),
        ("training.compact.width", "widths"),
        ("training.phases.0.shrae", "share"),
        ("methods.augmentation.transforms.rotations", "rotation"),
        ("methods.pca_grid.qouta", "quota"),
        ("methods.dedup_then_ccs.stpes", "steps"),
        ("methods.grid_then_augmentation.steps.0.shar", "share"),
        ("methods.grid_then_augmentation.steps.0.clustres", "clusters"),
    ],
)
def test_the_nearest_right_key_is_of_the_group_of_the_unknown_one(default, path, near):
    default["training"]["phases"] = [{"scale": 1, "share": 1}]
    group = default
    *parents, last = path.split(".")
    for name in parents:
        group = group[int(name) if name.isdigit() else name]
    group[last] = 3
    assert re.search(f"{path}: .*'{last}'.*'{near}'", problems(default))


@pytest.mark.parametrize(("value", "number"), [("10%", "0.1"), ("2.5 %", "0.025"), ("0,1", "0.1")])
def test_a_share_in_percent_or_with_a_comma_is_refused_with_the_number(default, value, number):
    default["methods"]["random"]["fractions"] = [value]
    assert f'got "{value}": write {number}' in problems(default)


@pytest.mark.parametrize(
    ("key", "value", "group"),
    [
        ("image_size", 64, "dataset"),
        ("classes", ["a", "b"], "dataset"),
        ("groups", "subfolder", "split"),
        ("batch_size", 8, "training"),
        ("tolerance", 0.05, "evidence"),
        ("backbone.image_size", 64, "backbone"),
        ("split.test", 0.2, "split"),
    ],
)
def test_a_key_without_its_group_is_refused_with_what_to_write(default, key, value, group):
    default[key] = value
    written = re.escape(f"{group}: {{{key.rpartition('.')[2]}: {json.dumps(value)}}}")
    assert re.search(f"- {key}: .*{written}", problems(default))


def test_the_problems_of_an_entry_and_of_its_settings_are_listed_together(default):
    default["methods"]["pca_grid"] = {"fractions": [2], "clusters": 0, "cels": 3}
    message = problems(default)
    assert re.search(r"methods.pca_grid.fractions.0: .*\b1\b.*\b2\b", message)
    assert re.search(r"methods.pca_grid.clusters: .*\b1\b.*\b0\b", message)
    assert re.search("methods.pca_grid.cels: .*'cels'.*'cells'", message)
    assert message.count("\n  - ") == 3


def test_unknown_method_and_source_are_refused_with_the_nearest_right_one(default):
    default["methods"]["rondom"] = {"fractions": [0.1]}
    assert re.search("methods.rondom.method: .*'rondom'.*'random'", problems(default))
    del default["methods"]["rondom"]
    default["dataset"]["source"] = "foldr"
    assert re.search("dataset.source: .*'foldr'.*'folder'", problems(default))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("methods.random.fractions", [0.5, 1.5], "methods.random.fractions.1: "),
        ("methods.random.fractions", [0], "methods.random.fractions.0: "),
        ("methods.random.fractions", [0.1, 0.10], r"methods.random.fractions: .*0\.1, 0\.1"),
        ("methods.random.fractions", [1], "methods.random.fractions: .*'full'"),
        ("methods.full.fractions", [0.5], "methods.full.fractions: 'full'"),
        ("dataset.name", "../elsewhere", "dataset.name: "),
        ("dataset.classes", ["cat"], "dataset.classes: .*'cat'"),
        ("dataset.classes", ["cat", "cat"], "dataset.classes: .*'cat', 'cat'"),
        ("dataset.source", "folder", "dataset.path: .*'folder'"),
        ("dataset.source", "lsun", "dataset.path: .*'lsun'"),
        ("dataset", {"source": "lsun", "path": "http://x/cat.zip"}, "dataset.path: .*unzip"),
        ("split.test", 0.95, r"split.test and validation .*\b0\.95"),
        ("seeds", 0, "seeds: "),
        ("seeds", "many", "seeds: "),
        ("seeds", {"looks": [10, 7]}, r"seeds.looks: .*\[10, 7\].*\[7, 10\]"),
        ("seeds", {"looks": [7, 7, 10]}, r"seeds.looks: .*\[7, 7, 10\]"),
        ("seeds", {"looks": [7]}, r"seeds.looks: .*\[7\]"),
        ("seeds", {"looks": 7}, "seeds.looks: .*7"),
        ("seeds", {"looks": [7, "ten"]}, "seeds.looks.1: .*ten"),
        ("seeds", {"looks": [7, 2000]}, "seeds.looks.1: .*2000"),
        ("seeds", {"looks": [5, 10]}, r"seeds.looks: 5 .*0\.0625"),
        ("seeds", {"looks": [7, 10], "levels": [0.01, 0.04]}, r"seeds.looks: 7 .*0\.01\b"),
        ("seeds", {"look": [7, 10]}, "seeds.look: .*'looks'"),
        ("seeds", {"looks": [7, 10], "levels": [0.04, 0.04]}, r"seeds.levels: .*0\.08"),
        ("seeds", {"looks": [7, 10], "levels": [0.05]}, "seeds.levels: .*2 looks"),
        ("seeds", {"looks": [7, 10], "levels": [0, 0.05]}, "seeds.levels.0: "),
        ("seeds", {"looks": [7, 10], "levels": [-0.01, 0.05]}, "seeds.levels.0: "),
        ("seeds", {"looks": [7, 10], "levels": [float("nan"), 0.02]}, "seeds.levels.0: "),
        ("methods", {}, "methods: .*fractions"),
        ("training.budget", {"steps": None, "epochs": None}, "training.budget.*steps.*epochs"),
        ("dataset", 3, "dataset: "),
        ("methods", [1], "methods: "),
    ],
)
def test_wrong_value_is_refused_with_its_key(default, path, value, said):
    target = default
    *parents, last = path.split(".")
    for parent in parents:
        target = target[parent]
    target[last] = value
    assert re.search(said, problems(default))


def test_fractions_with_seeds_of_their_own_that_no_method_has_are_said(default):
    default["methods"] = {"random": {"fractions": [0.5, 0.1]}, "augmentation": {"fractions": []}}
    default |= {"seeds": 4, "seeds_by_fraction": {1: 2, 0.5: 3, 0.3: 9, 0.2: 9}}
    [said] = config.load(default).notices
    assert said.startswith("seeds_by_fraction: no method has the fraction 0.2, 0.3,")
    default["methods"]["full"] = {"fractions": [1]}
    assert config.load(default | {"bytes": "10%"}).notices == []


@pytest.mark.parametrize("size", [64, 127, 128, 160])
def test_images_that_fine_tuning_enlarges_are_said(default, size):
    default["dataset"]["image_size"] = size
    default["judges"] = {"scratch": None, "fine_tune": {"image_size": 128}}
    said = [text for text in config.load(default).notices if "enlarges" in text]
    assert len(said) == (size < 128)
    assert all(f"({size} pixels" in text and "{image_size: 128}" in text for text in said)


def test_a_look_that_can_decide_none_of_the_comparisons_is_refused(default):
    # Two comparisons with random: 7 seeds give no adjusted p below 0.031.
    default["seeds"] = {"looks": [7, 10, 15]}
    default["seeds_by_fraction"] = {}
    config.load(default)  # they may decide comparisons with the full set
    default["methods"]["full"] = {"fractions": []}
    assert re.search(r"seeds.looks: 7 seeds .*0\.0312.*\b8 seeds", problems(default))
    default["seeds"] = {"looks": [8, 15]}
    config.load(default)
    default["methods"]["augmentation"] = {"fractions": []}
    default["seeds"] = {"looks": [7, 10, 15]}
    config.load(default)


def test_a_method_may_stand_under_another_name(default):
    default["methods"]["nine_cells"] = {"method": "pca_grid", "cells": 3, "fractions": [0.1]}
    entry = config.load(default).methods["nine_cells"]
    assert entry.method == "pca_grid"
    assert entry.settings == METHODS["pca_grid"].settings(cells=3)


def test_an_entry_with_a_score_and_a_sampler_is_a_method_of_its_own(default):
    default["methods"]["mine"] = {"score": "el2n", "sampler": "ccs", "bins": 9, "fractions": [0.1]}
    plan = config.Plan(config.load(default))
    [step] = plan.steps("mine")
    assert step["method"] == "score"
    assert step["settings"]["bins"] == 9
    assert plan.needs_proxy_scores("mine")
    assert plan.is_seeded("mine")
    assert not plan.ranks("mine")


def test_a_chain_is_a_list_of_steps_with_shares(default):
    first, second = config.Plan(config.load(default)).steps("dedup_then_ccs")
    assert (first["method"], first["share"], first["space"]) == ("semdedup", 3, "pixels")
    assert (second["method"], second["share"], second["space"]) == ("ccs", 1, None)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (
            {"score": "el2n", "sampler": "top", "bins": 3},
            "methods.mine.bins: .*'ccs'.*'top'",
        ),
        ({"method": "craig", "space": "pixels"}, "mine.space: 'craig'.*gradients"),
        ({"method": "random", "space": "pixels"}, "mine.space: 'random'"),
        ({"method": "herding", "space": "own"}, "'own'.*features.path"),
        (
            {"steps": [{"method": "herding"}, {"method": "ccs"}]},
            r"steps.0.share: .*\b1\b.*\b1\b",
        ),
        ({"steps": [{"method": "augmentation"}, {"method": "ccs"}]}, "steps.0: 'augmentation'"),
        (
            {"steps": [{"method": "herding", "share": 2}, {"method": "augmentation"}]},
            r"steps.0.share: .*\b1\b.*\b2\b",
        ),
        (
            {"steps": [{"method": "herding", "share": 2}, {"method": "ccs", "bims": 3}]},
            "methods.mine.steps.1.bims: .*'bims'.*'bins'",
        ),
        (
            {"steps": [{"method": "herdnig"}, {"method": "ccs"}]},
            "methods.mine.steps.0.method: .*'herdnig'.*'herding'",
        ),
        (
            {"steps": [{"method": "full"}, {"method": "ccs"}]},
            "methods.mine.steps.0.method: .*'full'",
        ),
        (
            {
                "steps": [
                    {"method": "herding", "share": 0.5},
                    {"method": "augmentation", "ratio": 2},
                ]
            },
            "methods.mine.steps.1.ratio: .*'ratio'",
        ),
        ({"method": "full", "quota": "equal"}, "methods.mine.quota: .*'quota'"),
        ({"method": "augmentation", "space": "pixels"}, "mine.space: .*'space'"),
        ({"method": "herding", "share": 2}, "methods.mine.share: .*'share'"),
        ({"method": "herding", "settings": {}}, "methods.mine.settings: .*'settings'"),
        ({"method": ["herding"]}, r"methods.mine.method: .*\[\"herding\"\]"),
    ],
)
def test_a_wrong_combination_is_refused_with_what_would_be_right(default, entry, says):
    default["methods"]["mine"] = {"fractions": [0.1], **entry}
    assert re.search(says, problems(default))


@pytest.mark.parametrize(
    "export", ["random", "random:0.3", "rondom:0.1", "random:", "random:x", "random:0.1:-1", ""]
)
def test_an_unknown_subset_to_export_is_refused_with_those_there_are(default, export):
    found = problems(default | {"export": export})
    assert re.search(f"export: .*'{export}'", found)
    assert "full:1, random:0.5, random:0.25, random:0.1, pca_grid:0.1" in found


def test_a_seed_beyond_those_that_are_run_is_not_exported(default):
    found = problems(default | {"seeds": 7, "export": "random:0.1:7"})
    assert re.search("export: .*'random:0.1:7'.* 0 to 6", found)


def test_export_formats_are_checked_and_are_no_part_of_what_a_run_was_made_with(default):
    assert config.load(default | {"export_formats": "zip"}).export_formats == ["zip"]
    assert "export_formats.0" in problems(default | {"export_formats": ["tar"]})
    assert not {"export", "export_formats"} & set(config.load(default).model_dump())


def test_order_of_keys_and_notation_of_numbers_change_nothing(default):
    other = copy.deepcopy(dict(reversed(default.items())))
    other["methods"]["random"]["fractions"] = [0.50, 25e-2, 0.100]
    assert config.load(other) == config.load(default)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    key=st.sampled_from(sorted(config.Config.model_fields)),
    value=json_values,
)
def test_any_value_for_any_group_is_accepted_or_refused_in_words(key, value):
    mapping = read(REPOSITORY / "config.yaml")
    mapping[key] = value
    try:
        config.load(mapping)
    except PetiteError as error:
        assert key in str(error)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "seeds"),
        ({"seeds": 7, "pool": {"path": "/data/more"}}, "pool.path"),
        ({"seeds": 7}, ""),
        # The looks are of judges without seeds of their own.
        ({"judges": {"scratch": {"seeds": 5}}}, ""),
    ],
)
def test_several_splits_go_with_a_number_of_seeds_and_without_a_pool(default, changed, said):
    written = copy.deepcopy(default) | changed
    written["split"] = {**written["split"], "repeats": 5}
    if not said:
        assert config.load(written).split.repeats == 5
        return
    with pytest.raises(PetiteError) as caught:
        config.load(written)
    assert "split.repeats: 5" in str(caught.value) and said in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"keep": ["cat/1.png"]}, "methods.rded: .*keep"),
        ({"proxy": {"of": "embeddings"}}, "methods.rded: .*proxy.of"),
        ({"dataset": {"image_size": 11}}, r"methods.rded.mosaic: .*11"),
    ],
)
def test_what_mosaics_do_not_go_together_with_is_said(default, changes, expected):
    default["methods"]["rded"] = {"fractions": [0.1], "mosaic": 3, "crops": 9}
    for section, values in changes.items():
        default[section] = default[section] | values if isinstance(values, dict) else values
    with pytest.raises(PetiteError, match=expected):
        config.load(default)
    default["methods"]["rded"]["fractions"] = []
    config.load(default)
