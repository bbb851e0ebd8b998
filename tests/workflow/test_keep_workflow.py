"""Lists of images to keep and to exclude, from a folder to the page."""

import html
import json
import re

import pandas as pd
import pytest
from smallest import WITHOUT_FIGURES, smallest

PICTURES = {
    "name": "tiny",
    "source": "folder",
    "path": "pictures",
    "classes": None,
    "image_size": 8,
    "shards": 1,
}
LISTS = {"keep": ["cat/picture 1*.jpg"], "exclude": "gone.txt"}


@pytest.mark.workflow
def test_lists_reach_every_subset_and_the_page(tmp_path, snakemake, write_pictures):
    write_pictures(tmp_path / "pictures", ["cat", "dog"], 40)
    (tmp_path / "gone.txt").write_text("dog/picture 2?.jpg\ncat/picture 7.jpg\n", "utf-8")
    methods = {"full": [1], "random": [0.4], "pca_grid": [0.4]}
    config = smallest(methods, dataset=PICTURES) | LISTS
    finished = snakemake(tmp_path, *WITHOUT_FIGURES, config=config)
    assert finished.returncode == 0, finished.stderr

    results = tmp_path / "results/tiny"
    split = pd.read_parquet(results / "splits/0.parquet")
    in_train = set(split.loc[split["split"] == "train", "image_id"])
    keep = {name for name in in_train if re.match(r"cat/picture 1.*\.jpg", name)}
    gone = {name for name in in_train if re.match(r"dog/picture 2.\.jpg|cat/picture 7\.jpg", name)}
    subsets = sorted(results.glob("subsets/*/*/*.parquet"))
    of_seeds = [subset for path in subsets for _, subset in pd.read_parquet(path).groupby("seed")]
    assert len(of_seeds) == 5
    for table in of_seeds:
        assert not gone & set(table["image_id"])
        assert set(table.loc[table["kept"], "image_id"]) == keep
    [full] = results.glob("subsets/full/1/*.parquet")
    assert set(pd.read_parquet(full)["image_id"]) == in_train - gone
    summary = pd.read_csv(results / "summary.csv").set_index("method")
    assert summary.loc["full", "images"] == len(in_train - gone)
    assert summary.loc["random", "images"] == round(0.4 * len(in_train - gone))
    notices = json.loads((results / "splits/0-lists.json").read_text("utf-8"))["notices"]
    assert any(f"{len(keep)} images" in text for text in notices)
    assert any(f"{len(gone)} training images of {len(in_train)}" in text for text in notices)
    page = html.unescape((results / "report.html").read_text("utf-8"))
    assert all(text in page for text in notices)

    # Another list selects again, and reads and describes no image again.
    (tmp_path / "gone.txt").write_text("dog/picture 2?.jpg\n", "utf-8")
    dry = snakemake(tmp_path, "--dry-run", config=config)
    due = set(re.findall(r"^(?:local)?rule (\w+):", dry.stdout + dry.stderr, re.MULTILINE))
    assert due >= {"keep_lists", "rank", "subset", "train", "summarize", "report"}
    assert not due & {"listing", "ingest", "index", "split", "features"}

    # Mistakes: at once in a folder, or before anything is selected.
    wrong = snakemake(tmp_path, config=config | {"keep": ["cat/picture 99.jpg"]})
    assert wrong.returncode != 0
    assert "keep: 'cat/picture 99.jpg'" in wrong.stderr
    assert "rule " not in wrong.stderr
    many = snakemake(tmp_path, config=config | {"keep": ["cat/*"]})
    assert many.returncode != 0
    said = " ".join(many.stderr.split())
    assert "random:0.4" in said
    assert "pca_grid:0.4" in said
    assert "Traceback" not in said
