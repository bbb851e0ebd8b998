"""Selections of a job with images that are kept and images that are excluded."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from petite.features.io import image_ids_digest
from petite.subsets.chains import SelectionJob, Step, candidates_of, choose
from petite.subsets.overlap import excess_overlap
from petite.subsets.tables import cut, subset_table
from petite.training.probe_job import part_of_pool
from petite.util.files import write_json, write_table

EXCLUDED = [0, 7, 31]
KEPT = ["b/45.jpg", "a/3.jpg", "a/11.jpg"]


@pytest.fixture
def job(tmp_path: Path) -> SelectionJob:
    """40 images of the class a and 20 of b, of which three are excluded."""
    rng = np.random.default_rng(0)
    ids = [f"{'a' if number < 40 else 'b'}/{number}.jpg" for number in range(60)]
    described = pd.DataFrame({"image_id": ids, "label": np.repeat([0, 1], [40, 20])})
    np.save(tmp_path / "pixels.npy", rng.normal(size=(60, 3)).astype(np.float32))
    about = {"image_ids_sha256": image_ids_digest(ids), "seconds": 1.0, "class_errors": [0.1, 0.2]}
    write_json(tmp_path / "pixels.json", about)
    write_table(tmp_path / "scores.parquet", described[["image_id"]].assign(el2n=rng.random(60)))
    write_json(tmp_path / "scores.json", about)
    return SelectionJob(
        train=described.drop(EXCLUDED).reset_index(drop=True),
        described=described,
        k=12,
        steps=[Step("herding", {}, space="pixels")],
        seed=0,
        features={"pixels": tmp_path / "pixels.npy"},
        scores=tmp_path / "scores.parquet",
        kept=KEPT,
    )


def names_of(rows: list[int], job: SelectionJob) -> set[str]:
    return set(job.described["image_id"].iloc[rows])


@pytest.mark.parametrize(
    "steps",
    [
        [Step("herding", {}, space="pixels")],
        [Step("el2n", {}), Step("k_center_greedy", {}, space="pixels")],
        [Step("random", {}, share=3), Step("el2n", {}, share=2), Step("random", {})],
        [Step("random", {}, quota="error")],
    ],
)
def test_every_step_keeps_what_is_kept_and_no_step_sees_what_is_excluded(job, steps):
    table, record = choose(replace(job, steps=steps))
    assert table["image_id"].tolist()[:3] == sorted(KEPT, key=lambda name: int(name[2:-4]))
    assert table["kept"].tolist() == [True] * 3 + [False] * 9
    assert not set(table["image_id"]) & names_of(EXCLUDED, job)
    assert record["steps"][-1] == {"method": steps[-1].method, "images": 12}


def test_features_and_scores_are_those_of_the_images_that_are_left(job, tmp_path):
    table, _ = choose(replace(job, steps=[Step("el2n", {})], kept=[]))
    scores = pd.read_parquet(tmp_path / "scores.parquet").set_index("image_id")["el2n"]
    assert table["score"].tolist() == scores[table["image_id"]].tolist()
    assert "kept" not in table


def test_full_keeps_all_but_the_excluded_images(job):
    table, _ = choose(replace(job, steps=[Step("full", {})], k=57))
    assert set(table["image_id"]) == set(job.train["image_id"])


def test_a_subset_says_which_images_were_kept_and_a_cut_has_them_all(job):
    table, _ = choose(job)
    short = cut(table, job.train, 4)
    subset = subset_table(short, job.train, ["a", "b"])
    assert set(subset.loc[subset["kept"], "image_id"]) == set(KEPT)
    assert len(subset) == 4


@pytest.mark.parametrize("method", ["herding", "facility_location", "kmeans_medoid"])
def test_candidates_from_jobs_give_what_one_job_gives(job, tmp_path, method):
    job = replace(job, steps=[Step(method, {}, space="pixels")], partitions=3)
    paths = [tmp_path / f"{part}.parquet" for part in range(3)]
    for part, path in enumerate(paths):
        table, record = candidates_of(job, part)
        assert set(KEPT) <= set(table["image_id"])
        write_table(path, table)
        write_json(path.with_suffix(".json"), record)
    by_jobs, _ = choose(job, paths)
    at_once, _ = choose(job)
    assert by_jobs["image_id"].tolist() == at_once["image_id"].tolist()


def test_partitions_do_not_choose_what_the_kept_images_cover(tmp_path):
    """Far from the class, three images are alike: with one of them kept, none is chosen."""
    rng = np.random.default_rng(1)
    features = rng.normal(size=(90, 2)).astype(np.float32)
    features[[5, 40, 77]] = [30, 30]
    from petite.selection import select

    free = select(features, [0] * 90, 6, "k_center_greedy", partitions=3)
    given = select(features, [0] * 90, 6, "k_center_greedy", partitions=3, kept=[40])
    assert {5, 40, 77} & set(free.indices.tolist())
    assert {5, 40, 77} & set(given.indices.tolist()) == {40}


@pytest.mark.parametrize("share", [0.9, 0.5, 0.05])
def test_the_part_of_a_seed_has_its_share_and_all_kept_images(job, share):
    parts = [part_of_pool(job.train, share, seed, KEPT) for seed in range(8)]
    for part in parts:
        assert set(KEPT) <= set(part["image_id"])
        wanted = {label: max(1, round(share * n)) for label, n in ((0, 37), (1, 20))}
        wanted[0] = max(wanted[0], 2)
        assert part["label"].value_counts().to_dict() == wanted
    # At 5% there is room for the kept images only.
    assert (len({tuple(part["image_id"]) for part in parts}) > 1) == (share > 0.05)


def test_lists_without_a_chosen_image_share_nothing_by_chance():
    assert excess_overlap([np.empty(0, np.int64)] * 3, 10) == 0
