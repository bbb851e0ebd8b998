"""The settings in effect in real runs: users' settings win, and results keep their source."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from test_what_is_left import due

from petite.data.sources import silhouettes, textiles

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def in_force(snakemake, tmp_path):
    """A function that gives the configuration of a run, and what Snakemake said of it."""

    def ask(*arguments: str, config: dict | None = None):
        done = snakemake(tmp_path, "--cores=1", "config", *arguments, config=config)
        assert done.returncode == 0, done.stderr
        return yaml.safe_load(done.stdout), done

    return ask


def folder_of(path: Path, classes: list[str], seed: int = 0) -> Path:
    random = np.random.default_rng(seed)
    for name in classes:
        (path / name).mkdir(parents=True)
        for number in range(12):
            pixels = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path / name / f"{number}.png")
    return path


# Each as in config.yaml, and each other than in the preset for photographs.
AS_IN_CONFIG_YAML = {
    "dataset": {
        "classes": ["cat", "dog"],
        "color": "gray",
        "image_size": 28,
        "near_copy_distance": None,
    },
    "training": {"budget": {"steps": 200}, "phases": [], "precision": "float32"},
}


def test_what_a_file_writes_counts_for_a_folder_though_it_is_the_default(in_force, tmp_path):
    images = folder_of(tmp_path / "three", ["cat", "dog", "fox"])
    config = AS_IN_CONFIG_YAML | {"judges": "scratch"}
    values, said = in_force("--config", f"folder={images}", config=config)
    for group, settings in AS_IN_CONFIG_YAML.items():
        for key, value in settings.items():
            if isinstance(value, dict):
                assert value.items() <= values[group][key].items()
            else:
                assert values[group][key] == value
    assert values["training"]["compact"]["widths"] == [32, 48, 96, 192, 256]
    # The third class is not asked for.
    assert "24 images in " in said.stderr
    assert "photos.yaml" in said.stderr and "28x28 gray pixels" in said.stderr
    assert "classes: [cat, dog]" in said.stdout
    assert "# overlay.yaml" in said.stdout


def test_the_command_line_counts_above_a_file(in_force, tmp_path):
    images = folder_of(tmp_path / "two", ["a", "b"])
    values, _ = in_force(
        "--config",
        f"folder={images}",
        "seeds=7",
        "dataset={image_size: 28, color: gray}",
        config={"seeds": 9, "dataset": {"image_size": 100}},
    )
    assert (values["seeds"], values["dataset"]["image_size"]) == (7, 28)
    assert values["dataset"]["color"] == "gray"


def test_a_folder_in_a_file_is_as_on_the_command_line(in_force, tmp_path):
    images = folder_of(tmp_path / "pets", ["a", "b"])
    in_file, _ = in_force(config={"dataset": {"source": "folder", "path": str(images)}})
    on_command_line, _ = in_force("--config", f"folder={images}")
    assert in_file == on_command_line
    assert in_file["dataset"]["name"] == "pets"


@pytest.mark.parametrize("name", ["2024_05", "007", "1e3"])
def test_a_folder_whose_name_is_a_number_is_found(in_force, tmp_path, name):
    folder_of(tmp_path / name, ["a", "b"])
    values, _ = in_force("--config", f"folder={name}")
    assert (values["dataset"]["path"], values["dataset"]["name"]) == (name, name)


def test_a_folder_below_home_is_found(in_force, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    folder_of(tmp_path / "photos", ["a", "b"])
    values, _ = in_force("--config", "folder=~/photos")
    assert values["dataset"]["path"] == str(tmp_path / "photos")


def test_results_of_one_folder_are_not_written_over_by_another_of_the_same_name(
    snakemake, tiny_config, tmp_path
):
    folder_of(tmp_path / "A/images", ["ant", "bee"])
    folder_of(tmp_path / "B/images", ["ant", "bee", "wasp"], seed=1)
    del tiny_config["dataset"]

    def split(*given: str) -> subprocess.CompletedProcess[str]:
        name = next((text.removeprefix("name=") for text in given if "name=" in text), "images")
        target = f"results/{name}/splits/0.parquet"
        return snakemake(tmp_path, "--cores=1", target, "--config", *given, config=tiny_config)

    assert split("folder=A/images").returncode == 0
    before = (tmp_path / "results/images/store/manifest.json").read_bytes()
    refused = split("folder=B/images")
    assert refused.returncode != 0
    assert "results/images holds the results of the folder" in refused.stderr
    assert "name=NAME" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert (tmp_path / "results/images/store/manifest.json").read_bytes() == before
    assert split("folder=B/images", "name=B").returncode == 0
    # The same images at another place are the same source.
    (tmp_path / "A").rename(tmp_path / "moved")
    moved = split("folder=moved/images")
    assert moved.returncode == 0, moved.stderr
    assert "Nothing to be done" in moved.stderr


@pytest.mark.parametrize(
    ("overlay", "wheel"), [("animals", silhouettes.WHEEL), ("textiles", textiles.WHEEL)]
)
def test_images_in_a_wheel_are_downloaded_before_they_are_read(snakemake, tmp_path, overlay, wheel):
    overlay_file = REPOSITORY / f"workflow/config/{overlay}.yaml"
    listing = f"results/{overlay}/store/listing.parquet"
    planned = snakemake(tmp_path, "--dry-run", "--configfile", str(overlay_file), "--", listing)
    assert due(planned) == {"download": 1, "listing": 1, "total": 2}
    assert f"results/downloads/{wheel.file_name}" in planned.stdout + planned.stderr
    planned = snakemake(tmp_path, "--dry-run", "--configfile", str(overlay_file))
    assert due(planned)["download"] == 1
