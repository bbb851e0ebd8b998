"""A flat folder, or an archive, with a table of labels: from the table to the page, and reruns."""

import copy
import json
import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from smallest import WITHOUT_FIGURES, smallest
from test_reruns import A_LABEL, A_WEIGHT, up_to_split

CONFIG = smallest(
    {"random": [0.5], "el2n": [0.5], "full": [], "pca_grid": [], "augmentation": []},
    dataset={"name": "flat", "source": "folder", "path": "pictures", "classes": None, "shards": 3}
    | {"image_size": 8},
    labels={"path": "labels.csv", "weight": "weight"},
)
IMAGES = 80
# One to keep: without other settings, the smallest subset has room for two.
KEEP = {8: "always", **dict.fromkeys((16, 17, 40, 61), "never")}
HEADER = "image_id;diagnosis;patient;set;weight;keep\n"
PARTS = ["train", "Training", "train", "val", "test"]


def write_data(folder: Path) -> None:
    """Pictures of two labels in one folder, of twenty patients, and a table of them."""
    rng = np.random.default_rng(0)
    (folder / "pictures").mkdir(parents=True)
    rows = []
    for number in range(IMAGES):
        pixels = rng.integers(0, 100, (12, 12), dtype=np.uint8)
        pixels[4:8] += np.uint8(100 * (number % 2))
        Image.fromarray(pixels).save(folder / f"pictures/scan {number}.png")
        label = "no" if number % 2 else "007"
        weight = "3" if number % 4 == 0 else ""
        patient, keep = number // 4, KEEP.get(number, "")
        rows.append(f"scan {number};{label};p{patient};{PARTS[patient % 5]};{weight};{keep}\n")
    (folder / "labels.csv").write_text(HEADER + "".join(rows) + "scan 999;no;;;;\n", "utf-8")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, snakemake) -> Path:
    folder = tmp_path_factory.mktemp("labels") / "run"
    write_data(folder)
    ran = snakemake(folder, *WITHOUT_FIGURES, config=CONFIG)
    assert ran.returncode == 0, ran.stderr
    said = " ".join(ran.stderr.split())
    assert (
        "'image_id' for file, 'diagnosis' for label, 'set' for split, 'patient' for group" in said
    )
    assert "'weight' for weight" in said and "'scan 999' in row 82" in said
    return folder


@pytest.mark.workflow
def test_a_flat_folder_with_a_table_runs_to_the_page(finished: Path) -> None:
    results = finished / "results/flat"
    listing = pd.read_parquet(results / "store/listing.parquet")
    assert set(listing["class_name"]) == {"007", "no"}
    assert listing["image_id"].iloc[0] == "007/scan 0.png"
    split = pd.read_parquet(results / "splits/0.parquet").set_index("image_id")
    number = split.index.str.extract(r"scan (\d+)", expand=False).astype(int)
    words = [PARTS[one // 4 % 5] for one in number]
    meant = {"Training": "train", "val": "validation"}
    assert split["split"].tolist() == [meant.get(word, word) for word in words]
    assert split.loc["007/scan 8.png", ["group", "weight", "keep"]].tolist() == [
        "p2",
        3.0,
        "always",
    ]
    left_out = pd.read_csv(results / "store/labels.csv")
    assert left_out[["row", "file", "problem"]].values.tolist() == [
        [82, "scan 999", "no such file"]
    ]
    page = (results / "report.html").read_text("utf-8")
    assert "scan 999" in page and "diagnosis" in page


@pytest.mark.workflow
def test_subsets_have_the_weights_of_the_table_and_the_image_to_keep(finished: Path) -> None:
    for path in (finished / "results/flat/subsets").rglob("*.parquet"):
        weights = pd.read_parquet(path).set_index("image_id")["weight"]
        number = weights.index.str.extract(r"scan (\d+)", expand=False).astype(int)
        ratio = weights[number % 4 == 0].unique() / weights[number % 4 != 0].unique()
        assert ratio == pytest.approx(3)
        assert "007/scan 8.png" in weights


@pytest.mark.workflow
def test_the_column_keep_decides_what_subsets_contain(finished: Path) -> None:
    split = pd.read_parquet(finished / "results/flat/splits/0.parquet")
    train = split[split["split"] == "train"].set_index("keep")["image_id"]
    always, never = set(train.loc[["always"]]), set(train.loc[["never"]])
    assert always == {"007/scan 8.png"} and never
    for path in (finished / "results/flat/subsets").rglob("*.parquet"):
        for _, subset in pd.read_parquet(path).groupby("seed"):
            assert always == set(subset.loc[subset["kept"], "image_id"])
            assert not never & set(subset["image_id"])
    page = (finished / "results/flat/report.html").read_text("utf-8")
    assert f"{len(never)} training images of {len(train)}" in page


def due(snakemake, folder: Path, *arguments: str) -> Counter[str]:
    """The jobs that a dry run lists, by rule."""
    dry = snakemake(folder, "-n", *arguments)
    assert dry.returncode == 0, dry.stderr
    found = Counter(re.findall(r"^(?:local)?rule (\w+):", dry.stdout + dry.stderr, re.MULTILINE))
    del found["all"]
    return found


def edit(folder: Path, old: str, new: str) -> None:
    table = folder / "labels.csv"
    text = table.read_text("utf-8")
    assert text.count(old) == 1
    table.write_text(text.replace(old, new), "utf-8")


@pytest.mark.workflow
def test_a_changed_label_reruns_its_shards_and_a_changed_weight_none(
    finished: Path, snakemake
) -> None:
    config = ("--configfile", str(finished / "overlay.yaml"), *WITHOUT_FIGURES)
    table = (finished / "labels.csv").read_text("utf-8")
    assert not due(snakemake, finished, *config)
    edit(finished, "scan 20;007;p5;train;3;", "scan 20;007;p5;train;2;")
    weight = due(snakemake, finished, *config)
    assert up_to_split(weight) == A_WEIGHT.due
    assert weight["train"] > 0 and weight["proxy"] > 0
    (finished / "labels.csv").write_text(table, "utf-8")
    edit(finished, "scan 20;007", "scan 20;no")
    # Its id is another one, which may belong to another shard.
    label = due(snakemake, finished, *config)
    assert 1 <= label["ingest"] <= A_LABEL.due["ingest"]
    assert up_to_split(label) == A_LABEL.due | {"ingest": label["ingest"]}
    (finished / "labels.csv").write_text(table, "utf-8")


@pytest.mark.workflow
def test_the_shards_of_an_archive_wait_for_the_checks_and_depend_on_the_labels_alone(
    tmp_path: Path, snakemake
) -> None:
    folder = tmp_path / "run"
    write_data(folder)
    shutil.make_archive(str(folder / "pictures"), "zip", folder / "pictures")
    config = copy.deepcopy(CONFIG)
    config["dataset"] |= {"source": "archive", "path": "pictures.zip"}
    manifest = "results/flat/store/manifest.json"
    refused = snakemake(folder, "--", manifest, config=config | {"split": {"test": 0.2}})
    assert refused.returncode != 0 and "split.test: 0.2" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not list((folder / "results/flat/store").glob("shards/*.npy"))
    ran = snakemake(folder, "--", manifest, config=config)
    assert ran.returncode == 0, ran.stderr
    classes = json.loads((folder / manifest).read_text("utf-8"))["classes"]
    assert classes == ["007", "no"]
    again = ("--configfile", str(folder / "overlay.yaml"), "--", manifest)
    edit(folder, "scan 20;007;p5;train;3;", "scan 20;007;p5;train;2;")
    assert due(snakemake, folder, *again) == {"listing": 1, "index": 1}
    edit(folder, "scan 20;007", "scan 20;no")
    assert due(snakemake, folder, *again) == {"listing": 1, "ingest": 3, "index": 1}
    # The settings that are checked and those of the shards may change together.
    edit(folder, "scan 20;no", "scan 20;007")
    both = ("--config", "dataset={image_size: 10}", "split={leaks: keep}", *again)
    assert due(snakemake, folder, *both)["ingest"] == 3


@pytest.mark.workflow
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image_id;note\nscan 1;x\n", "labels.label"),
        (HEADER + "scan 1;..;;;;\nscan 2;c;;;;\n", "'..'"),
    ],
)
@pytest.mark.parametrize("source", ["folder", "archive"])
def test_a_wrong_table_ends_the_run_before_any_job(
    tmp_path: Path, snakemake, source: str, text: str, said: str
) -> None:
    write_data(tmp_path)
    (tmp_path / "labels.csv").write_text(text, "utf-8")
    path = tmp_path / "pictures"
    if source == "archive":
        path = Path(shutil.make_archive(str(path), "zip", path))
    arguments = ("--config", f"{source}={path}", f"labels={tmp_path / 'labels.csv'}")
    ran = snakemake(tmp_path, *arguments)
    assert ran.returncode != 0 and said in ran.stderr
    assert "Traceback" not in ran.stderr and not (tmp_path / "results").exists()
