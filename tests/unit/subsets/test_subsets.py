"""Subsets as tables, and the scripts from the store to an augmented subset."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petite.data.store import shard_record, write_shard
from petite.features.io import image_ids_digest
from petite.selection import select
from petite.subsets.augmentation import Settings
from petite.subsets.chains import SelectionJob, Step, choose
from petite.subsets.seed_tables import SeedTable, seeds_of
from petite.subsets.tables import (
    COLUMNS,
    augmented,
    cut,
    ranking_table,
    recipe_bytes,
    stored_bytes,
    subset_size,
    subset_table,
)
from petite.util.files import read_json, read_table, write_json, write_table

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
CLASSES = ["cat", "dog", "owl"]


def train_table(sizes: list[int]) -> pd.DataFrame:
    labels = np.repeat(np.arange(len(sizes)), sizes).astype(np.int16)
    ids = [f"{CLASSES[label]}/{i}.jpg" for i, label in enumerate(labels)]
    return pd.DataFrame({"image_id": ids, "label": labels})


def ranked_at_random(train: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    return ranking_table(select(None, train["label"], len(train), "random", seed), train)


def test_a_fraction_is_rounded_and_has_room_for_every_class() -> None:
    train = train_table([50, 45, 5])
    assert [subset_size(f, train) for f in (1, 0.25, 0.101, 0.03, 0.001)] == [100, 25, 10, 3, 3]


@given(sizes=st.lists(st.integers(1, 20), min_size=3, max_size=3), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_cuts_are_nested_prefixes_that_miss_no_class(sizes: list[int], seed: int) -> None:
    train = train_table(sizes)
    shuffled = np.random.default_rng(seed).permutation(len(train))
    ranked = ranked_at_random(train, seed).iloc[shuffled]
    label_of = train.set_index("image_id")["label"]
    smaller: set[str] = set()
    for k in range(3, len(train) + 1):
        kept = cut(ranked, train, k)["image_id"]
        assert len(kept) == len(set(kept)) == k
        assert set(label_of[kept]) == {0, 1, 2}
        assert smaller < set(kept)
        smaller = set(kept)
        prefix = ranked["image_id"].iloc[:k]
        if label_of[prefix].nunique() == 3:
            assert kept.tolist() == prefix.tolist()


def test_the_proxys_seconds_are_counted_once_and_told_by_themselves(tmp_path: Path) -> None:
    train = train_table([6, 4])
    features = {}
    for number, space in enumerate(["pixels", "proxy"]):
        values = np.random.default_rng(number).normal(size=(10, 3)).astype(np.float32)
        features[space] = tmp_path / f"{space}.npy"
        np.save(features[space], values)
        about = {"image_ids_sha256": image_ids_digest(train["image_id"]), "seconds": 100.0}
        write_json(features[space].with_suffix(".json"), about)
    scores = tmp_path / "scores.parquet"
    write_table(scores, train[["image_id"]].assign(el2n=np.linspace(0, 1, 10)))
    write_json(scores.with_suffix(".json"), {"seconds": 101.0, "class_errors": [0.1, 0.2, 0.3]})
    steps = [
        Step("herding", {}, space="pixels", share=2),
        Step("k_center_greedy", {}, space="proxy", share=1.5),
        Step("el2n", {}),
    ]
    _, record = choose(SelectionJob(train, 4, steps, 0, features, scores))
    assert record["proxy_seconds"] == 101
    assert 201 < record["seconds"] < 220
    _, record = choose(SelectionJob(train, 4, steps[:1], 0, features))
    assert record["proxy_seconds"] == 0
    assert 100 < record["seconds"] < 110


def test_embedding_counts_once_where_a_space_and_the_proxy_have_it(tmp_path: Path) -> None:
    train = train_table([6, 4])
    spaces = {"backbone": (100.0, 90.0), "gradients": (95.0, 94.0)}
    features = {space: tmp_path / f"{space}.npy" for space in spaces}
    for space, (seconds, embedding) in spaces.items():
        np.save(features[space], np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32))
        about: dict[str, Any] = {
            "image_ids_sha256": image_ids_digest(train["image_id"]),
            "seconds": seconds,
            "embedding_seconds": embedding,
        }
        about |= {"proxy_of": "embeddings"} if space == "gradients" else {}
        write_json(features[space].with_suffix(".json"), about)
    steps = [Step("herding", {}, space="backbone", share=2), Step("craig", {}, space="gradients")]
    for chain, least, of_proxy, proxy_of in (
        (steps, 105, 95, "embeddings"),
        (steps[:1], 100, 0, None),
        (steps[1:], 95, 95, "embeddings"),
    ):
        _, record = choose(SelectionJob(train, 4, chain, 0, features))
        assert least < record["seconds"] < least + 10
        assert record["proxy_seconds"] == of_proxy
        assert record["proxy_of"] == proxy_of


def test_a_subset_names_its_images_classes_and_origins() -> None:
    train = train_table([6, 4])
    features = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
    ranking = select(features, train["label"], 5, "pca_grid")
    table = subset_table(ranking_table(ranking, train), train, CLASSES)
    assert table.columns.tolist() == COLUMNS + list(ranking.extra)
    assert table["rank"].tolist() == [0, 1, 2, 3, 4]
    assert table["image_id"].tolist() == train["image_id"].iloc[ranking.indices].tolist()
    assert (table["image_id"].str.split("/").str[0] == table["class_name"]).all()
    assert table["label"].tolist() == train["label"].iloc[ranking.indices].tolist()
    assert (table["origin"] == table["image_id"]).all()
    assert (table["recipe"] == "").all()
    assert (table["weight"] == 1).all()


def test_augmented_rows_follow_the_real_ones_and_point_to_their_origins() -> None:
    train = train_table([6, 4])
    subset = subset_table(ranked_at_random(train), train, CLASSES)
    table = augmented(subset, 1, Settings(ratio=2.5))
    assert len(table) == 35
    pd.testing.assert_frame_equal(table.iloc[:10], subset)
    new = table.iloc[10:]
    assert table["image_id"].is_unique
    assert set(new["image_id"].str.rsplit("~", n=1).str[0]) == set(subset["image_id"])
    assert set(new["image_id"].str.rsplit("~", n=1).str[1]) == {"1", "2", "3"}
    real = subset.set_index("image_id").loc[new["origin"]].reset_index()
    for column in ("rank", "class_name", "label", "weight"):
        assert new[column].tolist() == real[column].tolist()
    assert all("transform" in json.loads(recipe) for recipe in new["recipe"])


def test_stored_bytes_are_those_of_the_pixels_and_of_the_recipes() -> None:
    assert stored_bytes(10, (28, 28, 3)) == 10 * 28 * 28 * 3
    assert recipe_bytes(pd.DataFrame({"recipe": ["", '{"a": 1}', "é"]})) == 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 60 images in two shards, in two classes, and a split of them."""
    folder = tmp_path_factory.mktemp("store")
    count = 60
    pixels = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    pixels[::2] //= 3
    labels = (np.arange(count) % 3 == 0).astype(np.int16)
    shards = [folder / "shards" / f"{i}-of-2.npy" for i in (1, 2)]
    for path, part in zip(shards, np.split(pixels, 2), strict=True):
        write_shard(path, part)
    ids = [f"{CLASSES[label]}/{i}.jpg" for i, label in enumerate(labels)]
    index = pd.DataFrame(
        {
            "image_id": ids,
            "class_name": [CLASSES[label] for label in labels],
            "label": labels,
            "status": "ok",
            "shard": np.arange(count, dtype=np.int32) // 30,
            "row": np.arange(count) % 30,
        }
    )
    write_table(folder / "index.parquet", index)
    write_json(
        folder / "manifest.json",
        {
            "format": 1,
            "classes": CLASSES[:2],
            "image_size": 8,
            "channels": 3,
            "shards": [shard_record(path, folder) for path in shards],
        },
    )
    split = index[["image_id", "label"]].assign(split="train")
    split.loc[[7, 8, 9, 10], "split"] = "test"
    split.loc[[20, 21], "split"] = "validation"
    write_table(folder / "split.parquet", split)
    return folder


def run_script(name: str, *arguments: Any, settings: dict[str, Any] | None = None) -> str:
    """Run a script as the workflow does; returns what it said on stderr."""
    command = [sys.executable, SCRIPTS / f"{name}.py", *arguments]
    command += ["--settings", json.dumps(settings or {})]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stderr


@pytest.fixture(scope="module")
def features(folder: Path) -> Path:
    output = folder / "features" / "pixels.npy"
    run_script(
        "features",
        *("--manifest", folder / "manifest.json", "--split", folder / "split.parquet"),
        *("--output-features", output, "--output-json", output.with_suffix(".json")),
        settings={"dimensions": 5, "seed": 0},
    )
    return output


def make_subset(
    folder: Path, method: str, fraction: float, seeds: Sequence[int] = (3,), **files: Path
) -> pd.DataFrame:
    """The subset of the first seed."""
    output = folder / method / f"{fraction}.parquet"
    run_script(
        "subset",
        *("--fraction", fraction, "--seeds", *seeds),
        *("--split", folder / "split.parquet", "--manifest", folder / "manifest.json"),
        *("--output", output),
        *(part for name, path in files.items() for part in (f"--{name}", path)),
        settings=one_step(method),
    )
    return SeedTable(output, seeds[0]).read()


def one_step(method: str) -> dict[str, Any]:
    space = "pixels" if method == "pca_grid" else None
    return {"steps": [{"method": method, "settings": {}, "space": space}]}


def test_each_seed_of_a_job_selects_what_it_selects_alone(folder: Path, features: Path) -> None:
    for method, files in (("random", {}), ("pca_grid", {"features": Path(f"pixels={features}")})):
        alone = {}
        for seed in (3, 4):
            table = make_subset(folder, method, 0.3, seeds=(seed,), **files)
            alone[seed] = table, SeedTable(folder / method / "0.3.parquet", seed).record()
        make_subset(folder, method, 0.3, seeds=(3, 4), **files)
        path = folder / method / "0.3.parquet"
        assert seeds_of(path) == [3, 4]
        for seed, (table, record) in alone.items():
            pd.testing.assert_frame_equal(SeedTable(path, seed).read(), table)
            together = SeedTable(path, seed).record()
            assert {**together, "seconds": 0} == {**record, "seconds": 0}
        assert not alone[3][0].equals(alone[4][0])


def test_features_are_of_the_training_images_alone(folder: Path, features: Path) -> None:
    record = read_json(features.with_suffix(".json"))
    assert np.load(features).shape == (54, 5)
    assert record["space"] == "pixels"
    assert record["dimensions"] == len(record["explained_variance_ratio"]) == 5
    assert record["seconds"] > 0


def test_pca_grid_chooses_training_images_for_one_fraction(folder: Path, features: Path) -> None:
    subset = make_subset(folder, "pca_grid", 0.3, features=Path(f"pixels={features}"))
    split = read_table(folder / "split.parquet").set_index("image_id")["split"]
    assert len(subset) == subset["image_id"].nunique() == 16
    assert (split[subset["image_id"]] == "train").all()
    [record] = read_json(folder / "pca_grid" / "0.3.json")
    assert (record["method"], record["seed"], record["fraction"]) == ("pca_grid", 3, 0.3)
    assert record["settings"]["clusters"] == 2
    assert record["steps"] == [{"method": "pca_grid", "images": 16}]
    assert record["images"] == record["rows"] == 16
    assert record["stored_bytes"] == 16 * 8 * 8 * 3
    assert record["seconds"] > read_json(features.with_suffix(".json"))["seconds"]
    assert record["proxy_seconds"] == 0
    assert sum(grid["chosen"] for grid in record["grids"]) == 16
    assert np.array(record["centers"]).shape == (2, 5)


def test_a_ranking_is_cut_and_augmented(folder: Path) -> None:
    ranking = folder / "random.parquet"
    run_script(
        "rank",
        *("--fraction", 1, "--seeds", 3, 4),
        *("--split", folder / "split.parquet", "--output", ranking),
        settings=one_step("random"),
    )
    half = make_subset(folder, "random", 0.5, seeds=(3, 4), ranking=ranking)
    tenth = make_subset(folder, "random", 0.1, ranking=ranking)
    ranked = SeedTable(ranking, 3).read()
    assert half["image_id"].tolist() == ranked["image_id"].iloc[:27].tolist()
    assert tenth["image_id"].tolist() == half["image_id"].iloc[:5].tolist()

    output = folder / "augmentation.parquet"
    run_script(
        "augment",
        *("--subset", folder / "random" / "0.5.parquet", "--seeds", 3, 4, "--output", output),
        settings={"ratio": 1, "transforms": {"blur": None}},
    )
    table = SeedTable(output, 3).read()
    pd.testing.assert_frame_equal(table.iloc[:27], half)
    record = SeedTable(output, 3).record()
    real = SeedTable(folder / "random" / "0.5.parquet", 3).record()
    assert (record["method"], record["seed"], record["fraction"]) == ("augmentation", 3, 0.5)
    assert (record["images"], record["rows"]) == (27, 54)
    assert record["stored_bytes"] == real["stored_bytes"] + recipe_bytes(table)
    assert record["seconds"] >= real["seconds"]
    assert record["proxy_seconds"] == real["proxy_seconds"] == 0
    assert record["settings"]["transforms"]["blur"] is None


def test_a_chain_that_leaves_augmentation_nothing_to_make_is_an_error_that_says_so(
    folder: Path,
) -> None:
    random = one_step("random")["steps"][0] | {"share": 0.5}
    chain = {"steps": [random, {"method": "augmentation", "settings": {}, "share": 1.0}]}
    with pytest.raises(RuntimeError, match=r"2 of 2 images are real.*fraction"):
        run_script(
            "subset",
            *("--fraction", 0.001, "--seeds", 0, "--split", folder / "split.parquet"),
            *("--manifest", folder / "manifest.json", "--output", folder / "x.parquet"),
            settings=chain,
        )


def test_what_a_method_lacks_is_said_in_one_message(folder: Path) -> None:
    with pytest.raises(RuntimeError, match=r"'pca_grid'.*--features pixels=PATH"):
        make_subset(folder, "pca_grid", 0.2)
    with pytest.raises(RuntimeError, match=r"'el2n'.*scores"):
        make_subset(folder, "el2n", 0.2)
    chain = {"steps": [*one_step("random")["steps"], *one_step("random")["steps"]]}
    with pytest.raises(RuntimeError, match=r"chain of 2.*subset\.py"):
        run_script(
            "rank",
            *("--fraction", 1, "--seeds", 0),
            *("--split", folder / "split.parquet", "--output", folder / "x.parquet"),
            settings=chain,
        )
