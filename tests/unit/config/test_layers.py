"""How the configuration is put together: what was written counts, wherever it was written."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from petite import config
from petite.config.layers import (
    COMMAND_LINE,
    SHORTCUTS,
    WHOLE,
    Layer,
    Resolved,
    command_line,
    described,
    name_from,
    read_layer,
    resolve,
)
from petite.data.sources import SOURCES
from petite.util.errors import PetiteError

REPOSITORY = Path(__file__).resolve().parents[3]
FOLDER = REPOSITORY / "workflow/config"
DEFAULT = read_layer(REPOSITORY / "config.yaml", "default")
PHOTOS = yaml.safe_load((FOLDER / "photos.yaml").read_text("utf-8"))


def given_by(*written: dict[str, Any] | Layer, default: Layer = DEFAULT) -> Resolved:
    layers = [
        values if isinstance(values, Layer) else Layer(f"{number}.yaml", values)
        for number, values in enumerate(written)
    ]
    return resolve(default, layers, FOLDER)


def settings_of(values: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for key, value in values.items():
        place = (*path, str(key))
        is_group = isinstance(value, dict) and value and place not in WHOLE
        found += settings_of(value, place) if is_group else [place]
    return found


def at(values: dict[str, Any], path: tuple[str, ...]) -> Any:
    for key in path:
        values = values[key]
    return values


def nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    for key in reversed(path):
        value = {key: value}
    return value


PATHS = [
    path
    for path in settings_of(DEFAULT.values)
    # These three belong together: a source that is renamed has another path and digest. A text is
    # the path of the labels.
    if path not in [("labels",), *(("dataset", name) for name in ("source", "path", "sha256"))]
]


@pytest.mark.parametrize("where", ["file", "command line"])
@pytest.mark.parametrize("path", PATHS, ids=".".join)
def test_a_setting_that_is_written_with_its_default_is_in_force_under_a_preset(path, where):
    value = copy.deepcopy(at(DEFAULT.values, path))
    source = {"folder": "/data/photos"}
    written = nested(path, value)
    if where == "file":
        resolved = given_by(written, source)
    else:
        text = yaml.safe_dump(written[path[0]], default_flow_style=True).removesuffix("\n...\n")
        resolved = given_by(command_line(["folder=/data/photos", f"{path[0]}={text}"]))
    assert at(resolved.values, path) == value
    assert resolved.origins[path] == (COMMAND_LINE if where == "command line" else "0.yaml")
    # The lists of compact must be of one length, and a run must have a judge.
    if path[:2] != ("training", "compact") and path != ("judges", "probe"):
        config.load(resolved.values)


@given(data=st.data())
def test_of_several_layers_the_strongest_that_writes_a_setting_gives_it(data):
    path = data.draw(st.sampled_from(PATHS))
    depth = data.draw(st.integers(1, 4))
    written = [nested(path, f"value {number}") for number in range(depth)]
    rest = [{"seeds": 9}] * data.draw(st.integers(0, 2))
    resolved = given_by(*written, *rest)
    expected = 9 if rest and path == ("seeds",) else f"value {depth - 1}"
    assert at(resolved.values, path) == expected


def test_a_folder_takes_the_preset_for_photographs_below_what_was_written():
    resolved = given_by({"folder": "/data/My birds (2024)/", "seeds": 9})
    loaded = config.load(resolved.values)
    assert loaded.seeds == 9
    assert loaded.training.model_dump()["budget"] == PHOTOS["training"]["budget"]
    assert (loaded.dataset.source, loaded.dataset.path) == ("folder", "/data/My birds (2024)/")
    assert loaded.dataset.name == "My-birds-2024"
    assert loaded.dataset.image_size == PHOTOS["dataset"]["image_size"]
    assert loaded.dataset.classes is None
    assert resolved.preset == "photos"
    assert resolved.origins["dataset", "image_size"] == "photos.yaml"
    assert resolved.origins["split", "test"] == "default"


@pytest.mark.parametrize("source", SHORTCUTS)
def test_a_source_in_a_file_is_the_same_as_on_the_command_line(source):
    in_file = given_by({"dataset": {"source": source, "path": "/data/pets.zip"}})
    assert in_file.values == given_by(command_line([f"{source}=/data/pets.zip"])).values
    assert config.load(in_file.values).dataset.name == "pets"


def test_digits_in_a_file_come_with_what_suits_them():
    loaded = config.load(given_by({"dataset": {"source": "digits"}}).values)
    assert (loaded.dataset.name, loaded.dataset.classes) == ("digits", None)
    assert loaded.dataset.image_size == 8


def test_textiles_in_a_file_come_with_what_suits_them():
    loaded = config.load(given_by({"dataset": {"source": "textiles"}}).values)
    assert (loaded.dataset.name, loaded.dataset.path) == ("textiles", None)
    assert loaded.dataset.classes == ["nominal", "local", "global"]
    assert loaded.evidence.metric == "balanced_accuracy"


def test_the_default_source_has_no_preset():
    resolved = given_by({"seeds": 3})
    assert resolved.preset is None
    assert resolved.values == {**DEFAULT.values, "seeds": 3}


@pytest.mark.parametrize("source", SOURCES)
def test_the_preset_of_every_source_is_there(source):
    preset = SOURCES[source].preset
    assert preset is None or (FOLDER / f"{preset}.yaml").is_file()


def test_a_change_in_config_yaml_counts_above_the_preset_and_below_a_file():
    edited = copy.deepcopy(DEFAULT.values)
    edited["dataset"]["image_size"] = 48
    edited["seeds"] = 12
    resolved = given_by({"folder": "/data/pets", "seeds": 9}, default=Layer("default", edited))
    assert (resolved.values["dataset"]["image_size"], resolved.values["seeds"]) == (48, 9)
    assert resolved.origins["dataset", "image_size"] == "changed in config.yaml"


def test_fractions_changed_in_config_yaml_count_above_those_of_the_preset():
    edited = copy.deepcopy(DEFAULT.values)
    edited["methods"]["random"]["fractions"] = [0.3]
    edited["judges"]["scratch"]["seeds"] = 5
    values = given_by({"folder": "/data/pets"}, default=Layer("default", edited)).values
    assert values["methods"]["random"]["fractions"] == [0.3]
    preset = PHOTOS["methods"]["pca_grid"]["fractions"]
    assert values["methods"]["pca_grid"]["fractions"] == preset
    assert values["judges"]["scratch"] == {"seeds": 5}


def test_photographs_are_judged_by_a_probe_unless_another_judge_is_named():
    for written, expected in (
        ({}, ["probe"]),
        ({"judges": "scratch"}, ["scratch"]),
        ({"judges": {"scratch": {}}}, ["probe", "scratch"]),
    ):
        loaded = config.load(given_by({"folder": "/data/pets", **written}).values)
        assert list(loaded.judges.used) == expected


def test_config_yaml_that_names_the_source_itself_is_taken_as_it_stands():
    edited = copy.deepcopy(DEFAULT.values)
    edited["dataset"] |= {"source": "folder", "path": "/data/a", "classes": None, "name": "mine"}
    resolved = given_by(default=Layer("default", edited))
    assert resolved.preset is None
    assert resolved.values == edited
    moved = given_by(command_line(["folder=/data/b"]), default=Layer("default", edited))
    assert moved.values["dataset"]["path"] == "/data/b"
    assert moved.values["dataset"]["image_size"] == edited["dataset"]["image_size"]


def test_archive_on_the_command_line_replaces_that_of_a_file_with_its_digest():
    mine = {"dataset": {"source": "archive", "path": "https://x/a.zip", "sha256": "a" * 64}}
    dataset = given_by({**mine, "seeds": 2}, command_line(["archive=pets.zip"])).values["dataset"]
    assert (dataset["path"], dataset["sha256"], dataset["name"]) == ("pets.zip", None, "pets")
    named = given_by({"dataset": {"name": "mine"}}, command_line(["archive=pets.zip"]))
    assert named.values["dataset"]["name"] == "mine"


def test_a_name_on_the_command_line_names_the_results():
    resolved = given_by(command_line(["folder=/b/images", "name=projB"]))
    assert resolved.values["dataset"]["name"] == "projB"


def test_two_sources_at_once_are_refused():
    with pytest.raises(PetiteError, match=r"folder=.*archive="):
        given_by(command_line(["folder=a", "archive=b"]))


@pytest.mark.parametrize(
    "path", ["2024_05", "007", "1e3", "no", "true", "2024-05-01", "null", "{}"]
)
def test_a_path_on_the_command_line_stays_as_it_was_typed(path):
    assert given_by(command_line([f"folder={path}"])).values["dataset"]["path"] == path


@pytest.mark.parametrize(
    ("text", "key", "lines"),
    [
        ("split: {test: 0.3}\nseeds: 2\nsplit: {validation: 0.1}\n", "split", "1 and line 3"),
        ("methods:\n  random: {}\n  full: {}\n  random: {}\n", "random", "2 and line 4"),
        ("a: [{b: 1, c: 2, b: 3}]\n", "b", "1 and line 1"),
        ('{"a": 1,\n "a": 2}', "a", "1 and line 2"),
        ("a: {0.5: 3, 0.50: 4}\n", "0.50", "1 and line 1"),
        ("a: {1: 3, 1.0: 4}\n", "1.0", "1 and line 1"),
    ],
)
def test_a_key_that_is_written_twice_in_a_file_is_refused(tmp_path, text, key, lines):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(PetiteError, match=f"mine.yaml: '{key}' .* {lines}"):
        read_layer(tmp_path / "mine.yaml")


def test_a_key_that_is_written_twice_on_the_command_line_is_refused():
    with pytest.raises(PetiteError, match="--config split: 'test' is written twice"):
        command_line(["folder=a", "split={test: 0.2, test: 0.3}"])


def test_a_key_may_be_in_several_groups_and_below_merge_keys(tmp_path):
    text = "a: &x {b: 1}\nc: {<<: *x, b: 2}\nd: *x\n"
    (tmp_path / "mine.yaml").write_text(text)
    assert read_layer(tmp_path / "mine.yaml").values["c"] == {"b": 2}
    (tmp_path / "mine.yaml").write_text("")
    assert read_layer(tmp_path / "mine.yaml").values == {}


@pytest.mark.parametrize("key", ["folder", "archive", "parquet", "labels", "new"])
@pytest.mark.parametrize("text", ["", " "])
def test_an_empty_path_on_the_command_line_is_refused(key, text):
    with pytest.raises(PetiteError, match=f"^{key}= is empty"):
        command_line(["folder=a", f"{key}={text}"])


@pytest.mark.parametrize("text", ["2024_05", "007", "1e3", "no", "2024-05-01"])
def test_in_a_file_what_yaml_takes_for_no_text_is_refused_with_the_remedy(text):
    written = yaml.safe_load(f"dataset: {{source: folder, path: {text}, classes: [a, {text}]}}")
    if isinstance(written["dataset"]["path"], str):
        assert config.load(given_by(written).values).dataset.path == text
        return
    with pytest.raises(PetiteError) as caught:
        config.load(given_by(written).values)
    read = json.dumps(written["dataset"]["path"], default=str)
    for key in ("dataset.path", "dataset.classes.1"):
        assert re.search(f"{key}: .*{re.escape(read)}.*quotes", str(caught.value))


def test_values_on_the_command_line_are_yaml_nested_ones_too():
    values = command_line(
        ["seeds=3", "dataset={image_size: 32, classes: null}", "export=random:0.1", "a=", "b={"]
    ).values
    assert values == {
        "seeds": 3,
        "dataset": {"image_size": 32, "classes": None},
        "export": "random:0.1",
        "a": None,
        "b": "{",
    }


def test_a_budget_is_one_value():
    loaded = config.load(given_by({"folder": "/a", "training": {"budget": {"epochs": 20}}}).values)
    assert (loaded.training.budget.steps, loaded.training.budget.epochs) == (None, 20)


@pytest.mark.parametrize("size", [16, 28, 64, 128, 224])
def test_the_phases_of_the_preset_follow_the_size_of_the_images(size):
    loaded = config.load(given_by({"folder": "/a", "dataset": {"image_size": size}}).values)
    sides = loaded.training.phase_sides(size)
    assert sides[-1] == size
    assert sides == sorted(sides)
    if size >= 64:
        assert sides == [size // 2, 3 * size // 4, size]


@pytest.mark.parametrize(
    ("phases", "said"),
    [
        ([{"image_size": 32, "share": 0.5}, {"image_size": 64, "share": 0.5}], "64 pixels.*128"),
        ([{"scale": 0.5, "share": 1}], "64 pixels.*scale: 1"),
        ([{"image_size": 256, "share": 0.5}, {"scale": 1, "share": 0.5}], "above dataset.image"),
        ([{"share": 1}], "scale.*image_size"),
        ([{"image_size": 8, "share": 0.5}, {"scale": 1, "share": 0.5}], "too small for the model"),
    ],
)
def test_phases_that_do_not_fit_the_images_are_refused(phases, said):
    mine = {"folder": "/a", "dataset": {"image_size": 128}, "training": {"phases": phases}}
    with pytest.raises(PetiteError, match="training.phases.*" + said):
        config.load(given_by(mine).values)


def test_images_too_small_for_the_model_are_refused_before_anything_runs():
    mine = {"dataset": {"image_size": 28}, "training": {"model": "paper_cnn"}}
    with pytest.raises(PetiteError, match=r"training.model: 'paper_cnn'.* 64 pixels"):
        config.load(given_by(mine).values)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/data/My birds (2024)/", "My-birds-2024"),
        ("pets.tar.gz", "pets"),
        ("/data/猫/", "猫"),
        ("Fotos/Vögel", "Vögel"),
        ("/data/🐦", "images"),
        ("2024_05", "2024_05"),
    ],
)
def test_results_are_named_after_the_source_in_any_script(path, name):
    assert name_from(path) == name
    assert config.load(given_by({"folder": path}).values).dataset.name == name


def test_results_of_a_download_are_named_after_its_file():
    assert name_from("https://x.org/a/pets.tar.gz?raw=1") == "pets"


def test_a_path_below_home_is_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    mine = {"folder": "~/photos", "features": {"path": "~/clip.npy"}}
    loaded = config.load(given_by(mine).values)
    assert loaded.dataset.path == str(tmp_path / "photos")
    assert loaded.features.path == str(tmp_path / "clip.npy")


def test_the_configuration_is_described_as_yaml_with_the_origin_of_each_value():
    resolved = given_by({"seeds": 3}, command_line(["folder=/data/pets"]))
    values = config.load(resolved.values).model_dump(mode="json")
    text = described(values, resolved.origins)
    assert yaml.safe_load(text) == values
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "seeds: 3 # 0.yaml" in lines
    assert "path: /data/pets # command line" in lines
    assert "image_size: 64 # photos.yaml" in lines
    assert "test: auto # default" in lines
