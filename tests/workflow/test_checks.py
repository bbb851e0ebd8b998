"""The checks of labels and images, from planted errors in a folder of pictures to the page."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageOps
from smallest import WITHOUT_FIGURES, smallest
from test_what_is_left import due, said_of

pytestmark = pytest.mark.workflow

RESULTS = "results/tiny"
N = 60
SWAPPED = ("red/wrong 1.png", "green/wrong 2.png")
# Wrong labels and repeated images too, but the user leaves them out.
EXCLUDED = [f"red/excluded {number}.png" for number in range(4)]


def config_with(**sections: Any) -> dict[str, Any]:
    methods: dict[str, list[float]] = {"full": [], "random": [0.5, 0.25], "pca_grid": []}
    methods["augmentation"] = []
    sections = {
        "exclude": ["*/excluded *"],
        "judges": {"scratch": None, "probe": {"seeds": 2, "penalties": [10.0]}},
        "backbone": {"name": "file:network.keras", "image_size": 32, "scaling": "zero_to_one"},
        "split": {"test": 0.2, "validation": 0.1},
        "dataset": {
            "name": "tiny",
            "source": "folder",
            "path": "shades",
            "classes": None,
            "image_size": 16,
            "color": "rgb",
            "shards": 2,
        },
    } | sections
    return smallest(methods, **sections)


@pytest.fixture(scope="module")
def folder(snakemake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on images of two colors: two labels are wrong, and one class is PNG files.

    The network gives the mean of the pixels of a small grid.
    """
    import keras

    folder: Path = tmp_path_factory.mktemp("checks")
    rng = np.random.default_rng(0)

    def picture(place: int) -> Image.Image:
        pixels = rng.integers(0, 60, (6, 6, 3))
        pixels[:, :, place] += rng.integers(40, 150, (6, 6))
        return Image.fromarray(pixels.astype(np.uint8)).resize((48, 40))

    for place, name in enumerate(("red", "green")):
        (folder / "shades" / name).mkdir(parents=True)
        for number in range(N):
            picture(place).save(folder / f"shades/{name}/{number}.{('png', 'jpg')[place]}")
    for place, name in enumerate(SWAPPED):
        picture(1 - place).save(folder / "shades" / name)
    for number, name in enumerate(EXCLUDED):
        image = Image.open(folder / f"shades/green/{number + 1}.jpg")
        ImageOps.mirror(image).save(folder / "shades" / name)
    # Mirrored: another file with other pixels, whose embedding is nearly the same.
    for number in range(0, N, 3):
        image = Image.open(folder / f"shades/green/{number}.jpg")
        ImageOps.mirror(image).save(folder / f"shades/green/mirrored {number}.jpg")
    inputs = keras.layers.Input((32, 32, 3))
    blurred = keras.layers.AveragePooling2D(8)(inputs)
    both = keras.layers.Add()([blurred, blurred[:, :, ::-1]])
    keras.Model(inputs, keras.layers.Flatten()(both)).save(folder / "network.keras")
    finished = snakemake(folder, *WITHOUT_FIGURES, config=config_with())
    assert finished.returncode == 0, said_of(finished)
    return folder


def table_of(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / RESULTS / "checks" / f"{name}.csv")


def test_wrong_labels_are_listed_first_with_the_right_class(folder: Path) -> None:
    table = table_of(folder, "label_errors")
    found = table[table["image_id"].isin(SWAPPED)].set_index("image_id")
    assert len(found) == len(SWAPPED) and found["listed"].all()
    assert (found["rank"] <= 2).all()
    for image_id, answer in zip(SWAPPED, ("green", "red"), strict=True):
        assert found.loc[image_id, "answer"] == answer


def test_copies_in_two_parts_are_paired(folder: Path) -> None:
    split = pd.read_parquet(folder / RESULTS / "splits/0.parquet").set_index("image_id")["split"]
    across = {
        frozenset((f"green/{number}.jpg", f"green/mirrored {number}.jpg"))
        for number in range(0, N, 3)
        if {"train"} < {split[f"green/{number}.jpg"], split[f"green/mirrored {number}.jpg"]}
    }
    assert across
    table = table_of(folder, "near_duplicates")
    listed = table[table["listed"]]
    found = set(map(frozenset, listed[["image_id", "train_image_id"]].to_numpy()))
    assert len(across & found) >= 0.9 * len(across)


def test_images_that_the_user_excludes_are_in_no_list_and_not_counted(folder: Path) -> None:
    parts = pd.read_parquet(folder / RESULTS / "splits/0-lists.parquet").set_index("image_id")
    left_out = set(parts.index[parts["split"] == "excluded"])
    assert len(left_out) > 1 and left_out <= set(EXCLUDED)
    assert not left_out & set(table_of(folder, "label_errors")["image_id"])
    assert not left_out & set(table_of(folder, "near_duplicates")["train_image_id"])
    record = json.loads((folder / RESULTS / "checks/label_errors.json").read_text("utf-8"))
    in_training = int((parts["split"] == "train").sum())
    assert record["checked"] == in_training
    assert table_of(folder, "cues")["images"].max() <= in_training
    page = (folder / RESULTS / "report.html").read_text("utf-8")
    assert not [name for name in left_out if name.split("/")[1] in page]


def test_another_list_of_excluded_images_makes_the_checks_due_but_embeds_none(
    folder: Path, snakemake
) -> None:
    less = config_with(exclude=[EXCLUDED[0], EXCLUDED[1]])
    jobs = due(snakemake(folder, "--dry-run", config=less))
    assert {"cues", "label_errors", "near_duplicates"} <= set(jobs)
    assert not {"embed", "embed_altered"} & set(jobs)


def test_the_format_of_the_files_is_a_cue_that_the_page_warns_of(folder: Path) -> None:
    table = table_of(folder, "cues").set_index("cue")
    assert table.loc["format", "warning"] and table.loc["format", "balanced_accuracy"] > 0.9
    assert "width" not in table.index
    page = (folder / RESULTS / "report.html").read_text("utf-8")
    assert "File format alone predicts the class" in page
    assert all(name.split("/")[1] in page for name in SWAPPED)
    assert "What stands for a dropped image" in page and "by embedding" in page


def test_a_finished_run_has_nothing_to_do_and_a_check_that_is_off_makes_the_page_only(
    folder: Path, snakemake
) -> None:
    done = snakemake(folder, "--dry-run", *WITHOUT_FIGURES, config=config_with())
    assert "Nothing to be done" in said_of(done)
    off = config_with(checks={"label_errors": False, "near_duplicates": False, "cues": False})
    jobs = due(snakemake(folder, "--dry-run", *WITHOUT_FIGURES, config=off))
    assert set(jobs) - {"total"} == {"report"}


def test_a_training_setting_checks_nothing_again_and_another_split_all(
    folder: Path, snakemake
) -> None:
    checks = {"cues", "label_errors", "near_duplicates", "embed_altered"}
    config = config_with()
    config["judges"]["probe"]["penalties"] = [1.0]
    assert not checks & set(due(snakemake(folder, "--dry-run", config=config)))
    again = config_with(split={"test": 0.2, "validation": 0.1, "seed": 1})
    jobs = due(snakemake(folder, "--dry-run", config=again))
    assert checks <= set(jobs) and "embed" not in jobs


def test_a_run_whose_images_are_gone_keeps_its_checks(folder: Path, snakemake) -> None:
    (folder / "shades").rename(folder / "elsewhere")
    try:
        done = snakemake(folder, "--dry-run", *WITHOUT_FIGURES, config=config_with())
        said = said_of(done)
        assert "Nothing to be done" in said, said
    finally:
        (folder / "elsewhere").rename(folder / "shades")


def test_labels_are_checked_in_a_feature_space_if_the_run_has_no_embeddings(
    folder: Path, snakemake
) -> None:
    features = {"space": "pixels", "dimensions": 4}
    config = config_with(judges="scratch", checks={"label_errors": "pixels"}, features=features)
    jobs = due(snakemake(folder, "--dry-run", config=config))
    assert {"label_errors", "report"} <= set(jobs)
    assert not {"near_duplicates", "embed", "embed_altered"} & set(jobs)
    finished = snakemake(folder, "--", "label_errors", config=config)
    assert finished.returncode == 0, said_of(finished)
    table = table_of(folder, "label_errors")
    listed = table[table["listed"]].set_index("image_id")
    assert set(SWAPPED) <= set(listed.index)
    assert set(listed.loc[[*SWAPPED], "answer"]) == {"red", "green"}
