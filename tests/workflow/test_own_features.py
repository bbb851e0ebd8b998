"""Users' own features, from the file to the subset, on a tiny configuration."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from petite.selection import select

pytestmark = pytest.mark.workflow

SUBSET = "results/tiny/subsets/mine/0.1/seeds-0-0.parquet"


@pytest.fixture(scope="module")
def indexed(snakemake, tmp_path_factory) -> Path:
    """A folder with a store and a split, nothing chosen yet."""
    folder: Path = tmp_path_factory.mktemp("own")
    finished = snakemake(folder, "--", "results/tiny/splits/0.parquet", config=config_with(None))
    assert finished.returncode == 0, finished.stderr
    return folder


def config_with(path: str | None) -> dict[str, Any]:
    """A configuration with one method, in the space of the file where there is one."""
    method = {"method": "k_center_greedy", "fractions": [0.1]}
    return {
        "dataset": {"name": "tiny", "source": "digits", "classes": ["0", "1"], "image_size": 8},
        "methods": {"mine": method if path is None else {**method, "space": "own"}},
        "features": {"path": path},
        "seeds": 1,
    }


def images_in_use(folder: Path) -> pd.Series:
    """The ids of the images in use, in the order of the store's index."""
    index = pd.read_parquet(folder / "results/tiny/store/index.parquet")
    return index.loc[index["status"] == "ok", "image_id"].reset_index(drop=True)


def table_of(ids: pd.Series, matrix: np.ndarray) -> pd.DataFrame:
    """A table of features by image id, in another order than the store's."""
    columns = {f"f{number}": column for number, column in enumerate(matrix.T)}
    return pd.DataFrame({"image_id": ids, **columns}).sample(frac=1, random_state=0)


@pytest.mark.parametrize("name", ["own.npy", "own.parquet"])
def test_images_are_chosen_by_the_users_features(indexed, snakemake, name: str) -> None:
    ids = images_in_use(indexed)
    matrix = np.random.default_rng(0).normal(size=(len(ids), 3))
    if name == "own.npy":
        np.save(indexed / name, matrix)
    else:
        table_of(ids, matrix).to_parquet(indexed / name)
    finished = snakemake(indexed, "--", SUBSET, "estimate", config=config_with(name))
    assert finished.returncode == 0, finished.stderr
    assert "mine " in finished.stdout
    split = pd.read_parquet(indexed / "results/tiny/splits/0.parquet").query("split == 'train'")
    features = matrix[pd.Index(ids).get_indexer(split["image_id"])]
    k = round(0.1 * len(split))
    expected = select(features, split["label"].to_numpy(), k, "k_center_greedy").indices
    subset = pd.read_parquet(indexed / SUBSET).sort_values("rank")
    assert subset["image_id"].tolist() == split["image_id"].iloc[expected].tolist()


def missing_rows(folder: Path) -> tuple[str, str]:
    ids = images_in_use(folder)
    table_of(ids[:50], np.ones((50, 2))).to_parquet(folder / "few.parquet")
    return "few.parquet", "training images have"


def with_nan(folder: Path) -> tuple[str, str]:
    matrix = np.ones((len(images_in_use(folder)), 2))
    matrix[:, 1] = np.nan
    np.save(folder / "nan.npy", matrix)
    return "nan.npy", "float32"


@pytest.mark.parametrize("write", [missing_rows, with_nan])
def test_features_that_do_not_fit_end_the_run_in_a_sentence(indexed, snakemake, write) -> None:
    path, reason = write(indexed)
    finished = snakemake(indexed, "--", SUBSET, config=config_with(path))
    output = finished.stdout + finished.stderr
    assert finished.returncode != 0
    (line,) = {line.strip() for line in output.splitlines() if reason in line}
    assert line.startswith(path)
    assert "Traceback" not in output


def test_missing_features_are_an_error_even_if_others_were_there_before(indexed, snakemake) -> None:
    finished = snakemake(indexed, "--dry-run", "--", SUBSET, config=config_with("gone.npy"))
    output = finished.stdout + finished.stderr
    assert finished.returncode != 0
    assert "Petite: features.path: gone.npy" in output
    assert "Traceback" not in output
