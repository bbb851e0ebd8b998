"""The workflow on Parquet files as the Hugging Face hub serves them, up to the page."""

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from smallest import WITHOUT_FIGURES
from test_reruns import THE_COLUMNS, up_to_split
from test_what_is_left import due

pytestmark = pytest.mark.workflow

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
PARTS = {
    "train-00000-of-00002": 10,
    "train-00001-of-00002": 10,
    "validation-00000-of-00001": 4,
    "test-00000-of-00001": 6,
}


@pytest.fixture
def tables(tmp_path: Path, write_pictures) -> Path:
    """A folder of tables with given splits, and names of the classes in the schema."""
    names = ["cat", "dog"]
    write_pictures(tmp_path / "pictures", names, sum(PARTS.values()))
    features = {
        "image": {"_type": "Image"},
        "fine_label": {"_type": "ClassLabel", "names": names},
        "coarse_label": {"_type": "ClassLabel", "names": ["animal"]},
    }
    first = 0
    for part, count in PARTS.items():
        files = [
            tmp_path / f"pictures/{name}/picture {number}.jpg"
            for number in range(first, first + count)
            for name in names
        ]
        first += count
        table = pa.table(
            {
                "image": pa.array(
                    [{"bytes": file.read_bytes(), "path": file.name} for file in files], IMAGE
                ),
                "fine_label": [names.index(file.parent.name) for file in files],
                "coarse_label": [0] * len(files),
            }
        )
        table = table.replace_schema_metadata(
            {"huggingface": json.dumps({"info": {"features": features}})}
        )
        (tmp_path / "hub/data").mkdir(parents=True, exist_ok=True)
        pq.write_table(table, tmp_path / f"hub/data/{part}.parquet", row_group_size=7)
    return tmp_path / "hub"


def test_tables_are_read_up_to_the_page_and_reread_when_they_change(
    tables: Path, tmp_path: Path, snakemake, tiny_config
) -> None:
    tiny_config["dataset"] = {"name": "tiny", "classes": None, "image_size": 8, "shards": 3}
    fractions = {"full": [], "random": [0.25], "pca_grid": [], "augmentation": []}
    tiny_config["methods"] = {name: {"fractions": own} for name, own in fractions.items()}
    options = ["--config", f"parquet={tables}"]
    refused = snakemake(
        tmp_path / "run", *options, "--", "results/tiny/splits/0.parquet", config=tiny_config
    )
    assert refused.returncode != 0
    assert "fine_label, coarse_label" in refused.stderr + refused.stdout

    tiny_config["dataset"]["columns"] = {"label": "fine_label"}
    finished = snakemake(tmp_path / "run", *options, *WITHOUT_FIGURES, config=tiny_config)
    assert finished.returncode == 0, finished.stderr
    results = tmp_path / "run/results/tiny"
    page = (results / "report.html").read_text("utf-8")
    assert "cat" in page and "'fine_label'" in page.replace("&#39;", "'")
    listing = pd.read_parquet(results / "store/listing.parquet")
    given = {"train": 40, "validation": 8, "test": 12}
    assert listing["split"].value_counts().to_dict() == given
    split = pd.read_parquet(results / "splits/0.parquet")
    assert split["split"].value_counts().to_dict() == given

    again = snakemake(tmp_path / "run", "--dry-run", *options, *WITHOUT_FIGURES, config=tiny_config)
    assert "Nothing to be done" in again.stdout + again.stderr
    tiny_config["dataset"]["columns"] = {"label": "coarse_label"}
    other = snakemake(tmp_path / "run", "--dry-run", *options, config=tiny_config)
    assert up_to_split(due(other)) == THE_COLUMNS.due
    tiny_config["dataset"]["columns"] = {"label": "fine_label"}
    (tables / "data/test-00000-of-00001.parquet").unlink()
    again = snakemake(tmp_path / "run", "--dry-run", *options, config=tiny_config)
    assert "listing" in again.stdout + again.stderr
