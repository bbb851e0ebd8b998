"""Encoded training images: the same subsets in fewer bytes, judged beside the originals."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from shades import smallest_on_shades, write_shades
from smallest import WITHOUT_FIGURES
from test_what_is_left import due, said_of

from petite.util.formatting import byte_size

pytestmark = pytest.mark.workflow

RESULTS = "results/tiny"
ENCODINGS = ["original", {"side": 16, "codec": "webp", "quality": 30}]
SMALL = "16px-webp-q30"


def config_with(encodings: list[Any], **sections: Any) -> dict[str, Any]:
    return smallest_on_shades(
        {"full": [1], "random": [0.5], "herding": [0.5], "augmentation": [0.5], "pca_grid": []},
        encodings=encodings,
        judges={"scratch": {}, "probe": {}},
        split={"test": 0.3, "validation": 0.1},
        checks={"cues": False, "label_errors": False, "near_duplicates": False},
        **sections,
    )


@pytest.fixture(scope="module")
def folder(snakemake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the originals, to which an encoding was added."""
    folder: Path = tmp_path_factory.mktemp("encodings")
    write_shades(folder, 40)
    targets = ("--", f"{RESULTS}/runs.csv")
    for encodings, arguments in ((["original"], targets), (ENCODINGS, WITHOUT_FIGURES)):
        finished = snakemake(folder, *arguments, config=config_with(encodings))
        assert finished.returncode == 0, said_of(finished)
    return folder


def test_each_method_is_judged_in_each_encoding_on_the_same_images(folder: Path) -> None:
    runs = pd.read_csv(folder / RESULTS / "runs.csv")
    for judge, own in runs.groupby("judge"):
        # A probe has no embeddings of augmented images.
        made = {"augmentation"} if judge == "scratch" else set()
        names = {"full", "random", "herding"} | made
        assert set(own["method"]) == names | {f"{name}@{SMALL}" for name in names}
    keys = ["judge", "fraction", "training_seed"]
    original = runs[runs["method"] == "random"].set_index(keys)
    encoded = runs[runs["method"] == f"random@{SMALL}"].set_index(keys)
    assert (encoded["selection_seed"] == original["selection_seed"]).all()
    assert (encoded["original_bytes"] == original["bytes"]).all()
    assert (encoded["bytes"] < original["bytes"]).all()
    assert (encoded["loss"] != original["loss"]).all()


def test_bytes_are_those_of_the_images_and_the_index(folder: Path) -> None:
    split = pd.read_parquet(folder / RESULTS / "splits/0.parquet").query("split == 'train'")
    files = sum((folder / "shades" / name).stat().st_size for name in split["image_id"])
    summary = pd.read_csv(folder / RESULTS / "summary.csv")
    of_full = summary.query("judge == 'scratch'").set_index("method")["bytes"]
    assert 0 < of_full["full"] - files < 1000
    shards = (folder / RESULTS / "encodings" / SMALL).glob("*.parquet")
    table = pd.concat(map(pd.read_parquet, shards)).set_index("image_id")
    assert 0 < of_full[f"full@{SMALL}"] - table.loc[split["image_id"], "bytes"].sum() < 1000
    # The copies are recipes in the index.
    for encoding in ("", f"@{SMALL}"):
        copies = of_full[f"augmentation{encoding}"] - of_full[f"random{encoding}"]
        assert 0 < copies < 100 * len(split)


def test_the_bytes_of_a_pretrained_network_are_in_a_line_of_their_own(folder: Path) -> None:
    size = (folder / "network.keras").stat().st_size
    summary = pd.read_csv(folder / RESULTS / "summary.csv")
    sizes = summary.groupby("judge")["network_bytes"].unique().map(list)
    assert sizes["probe"] == [size] and np.isnan(sizes["scratch"]).all()
    values = json.loads((folder / RESULTS / "recommendation.json").read_text("utf-8"))
    for judge, answer in values["judges"].items():
        for found in answer["findings"]:
            if found["kind"] == "bytes":
                assert found["network_bytes"] == (size if judge == "probe" else None)
    page = (folder / RESULTS / "report.html").read_text("utf-8")
    assert f"The pretrained network is another {byte_size(size)}" in page


def test_encodings_are_compared_with_random_in_the_same_and_with_all_originals(
    folder: Path,
) -> None:
    verdicts = pd.read_csv(folder / RESULTS / "verdicts.csv")
    runs = pd.read_csv(folder / RESULTS / "runs.csv")
    for judge, table in verdicts.groupby("judge"):
        rows, own = table.set_index("method"), runs[runs["judge"] == judge]
        accuracy = own.groupby("method")["accuracy"].mean()
        herding, random = f"herding@{SMALL}", f"random@{SMALL}"
        assert rows.loc[herding, "difference"] == pytest.approx(
            accuracy[herding] - accuracy[random]
        )
        assert rows.loc[random, "full_difference"] == pytest.approx(
            accuracy[random] - accuracy["full"]
        )
        assert rows.loc[f"full@{SMALL}", "full_pairs"] == 2
        assert rows.loc[f"full@{SMALL}", "verdict"] == "not compared"
        assert rows.loc[f"full@{SMALL}", "encoding"] == SMALL


def test_the_originals_of_an_earlier_run_are_kept_and_a_new_encoding_reruns_no_other(
    folder: Path, snakemake
) -> None:
    trained = folder / RESULTS / "runs/scratch/random/0.5/seeds-0-1.csv"
    encoded = folder / RESULTS / f"encodings/{SMALL}/1-of-2.npy"
    assert trained.stat().st_mtime < encoded.stat().st_mtime
    done = snakemake(folder, "--dry-run", *WITHOUT_FIGURES, config=config_with(ENCODINGS))
    assert due(done) == {}
    more = [*ENCODINGS, {"side": 8, "codec": "jpeg", "quality": 20}]
    jobs = due(snakemake(folder, "--dry-run", config=config_with(more)))
    assert {name: jobs[name] for name in ("encode", "embed_encoded", "train", "probe")} == {
        "encode": 2,
        "embed_encoded": 2,
        "train": 4,
        "probe": 3,
    }
    assert not {"ingest", "embed", "subset", "rank"} & set(jobs)


def test_the_export_of_an_encoding_has_the_bytes_of_its_run(folder: Path, snakemake) -> None:
    """Neither the originals nor another training is needed."""
    wanted = {"export": f"random@{SMALL}:0.5:1", "export_formats": ["container", "parquet"]}
    (folder / "shades").rename(folder / "elsewhere")
    try:
        finished = snakemake(folder, "--", "export", config=config_with(ENCODINGS) | wanted)
    finally:
        (folder / "elsewhere").rename(folder / "shades")
    assert finished.returncode == 0, said_of(finished)
    out = folder / RESULTS / f"export/random@{SMALL}-0.5-seed-1"
    runs = pd.read_csv(folder / RESULTS / "runs.csv").query("judge == 'scratch'")
    [run] = runs[(runs["method"] == f"random@{SMALL}") & (runs["training_seed"] == 1)].itertuples()
    assert sum(path.stat().st_size for path in (out / "container").iterdir()) == run.bytes
    assert (out / "read_container.py").is_file()
    assert len(pd.read_parquet(out / "images.parquet")) == run.images


def test_the_answer_is_in_bytes(folder: Path) -> None:
    values = json.loads((folder / RESULTS / "recommendation.json").read_text("utf-8"))
    page = (folder / RESULTS / "report.html").read_text("utf-8")
    for judge in values["judges"].values():
        if judge["kept"]:
            found = judge["findings"][-1]
            assert found["kind"] == "bytes" and found["bytes"] <= found["bytes_of_all"]
    assert "16x16 WebP q30" in page or SMALL in page
