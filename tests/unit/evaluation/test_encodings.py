"""Comparisons of encoded images, and the answer in bytes."""

import math
from dataclasses import replace

import pandas as pd
import pytest
from test_verdicts import runs_of

from petite.evaluation.costs import cost_ledger
from petite.evaluation.decision import recommend
from petite.evaluation.learning_curve import random_curves
from petite.evaluation.recommendation import Answers, BytesFinding, Recommendation
from petite.evaluation.runs import with_bytes, with_bytes_of_originals
from petite.evaluation.statistics import holm
from petite.evaluation.tables import about_files
from petite.evaluation.verdicts import compare
from petite.evaluation.wording import Wording
from petite.plots.bytes import front

SMALL, TINY = "64px-webp-q40", "16px-webp-q5"
MEANS = {
    ("full", 1.0): 0.95,
    ("random", 0.5): 0.949,
    ("good", 0.5): 0.951,
    (f"full@{SMALL}", 1.0): 0.949,
    (f"random@{SMALL}", 0.5): 0.948,
    (f"good@{SMALL}", 0.5): 0.96,
    (f"random@{TINY}", 0.5): 0.7,
    (f"good@{TINY}", 0.5): 0.75,
}
BYTES_OF_ALL = 10_000_000


def encoded_runs() -> pd.DataFrame:
    """Runs whose encodings take 10% and 1% of the originals; `good` takes a little less."""
    runs = runs_of(MEANS)
    method, encoding = (runs["method"].str.partition("@")[place] for place in (0, 2))
    originals = runs["fraction"] * BYTES_OF_ALL - (method == "good") * 1000
    share = encoding.map({SMALL: 0.1, TINY: 0.01})
    runs["encoding"] = encoding.where(encoding != "")
    runs["bytes"] = originals * share
    runs["original_bytes"] = originals.where(encoding != "")
    runs["confusion"] = "[[5, 0], [0, 5]]"
    return with_bytes_of_originals(runs)


@pytest.fixture(scope="module")
def runs() -> pd.DataFrame:
    return encoded_runs()


@pytest.fixture(scope="module")
def verdicts(runs: pd.DataFrame) -> pd.DataFrame:
    return with_bytes(compare(runs, 0.01), runs)


def recommended(verdicts: pd.DataFrame, runs: pd.DataFrame) -> Recommendation:
    return recommend(runs, verdicts, 0.01)


def test_originals_have_the_bytes_of_the_images_that_are_encoded(runs: pd.DataFrame) -> None:
    summary = with_bytes(cost_ledger(runs), runs).set_index("method")
    assert summary.loc["full", "bytes"] == BYTES_OF_ALL
    assert summary.loc["good", "bytes"] == 4_999_000
    assert summary.loc[f"good@{TINY}", "bytes"] == 49_990
    assert summary.loc["good", "encoding"] == "original"


def test_a_method_that_was_never_encoded_has_no_bytes(runs: pd.DataFrame) -> None:
    alone = pd.concat([runs, runs_of({("augmentation", 0.5): 0.9})], ignore_index=True)
    alone = with_bytes_of_originals(alone)
    table = with_bytes(cost_ledger(alone), alone).set_index("method")
    assert math.isnan(table.loc["augmentation", "bytes"])
    assert table.loc["full", "bytes"] == BYTES_OF_ALL


def test_tables_without_encodings_stay_as_they_are() -> None:
    plain = runs_of({("full", 1.0): 0.95, ("random", 0.5): 0.94})
    assert with_bytes_of_originals(plain) is plain
    table = cost_ledger(plain)
    assert with_bytes(table, plain) is table


def test_each_encoding_has_its_own_random_and_all_are_one_family(
    verdicts: pd.DataFrame, runs: pd.DataFrame
) -> None:
    rows = verdicts.set_index("method")
    means = runs.groupby("method")["accuracy"].mean()
    for encoding in ("", f"@{SMALL}", f"@{TINY}"):
        good, random = f"good{encoding}", f"random{encoding}"
        assert rows.loc[good, "difference"] == pytest.approx(means[good] - means[random])
        assert rows.loc[random, "pairs"] == 0
        assert rows.loc[random, "full_difference"] == pytest.approx(means[random] - means["full"])
    assert rows.loc[f"full@{SMALL}", "verdict"] == "not compared"
    assert rows.loc[f"full@{SMALL}", "to_full"] == "equivalent"
    for test in ("p", "full_p", "full_loss_p"):
        expected = holm(verdicts[f"{test}_value"].to_numpy())
        assert verdicts[f"{test}_adjusted"].tolist() == pytest.approx(
            expected.tolist(), nan_ok=True
        )


def test_rows_of_a_size_are_read_by_encoding_and_random_comes_first(
    verdicts: pd.DataFrame,
) -> None:
    assert verdicts["method"].tolist() == [
        f"full@{SMALL}",
        *("random", "good"),
        *(f"random@{TINY}", f"good@{TINY}"),
        *(f"random@{SMALL}", f"good@{SMALL}"),
    ]


def test_the_fewest_bytes_that_are_good_enough_are_kept(
    verdicts: pd.DataFrame, runs: pd.DataFrame
) -> None:
    found = recommended(verdicts, runs)
    assert found.kept is not None
    # As many images in the same encoding are one size: 100 bytes fewer decide nothing.
    assert found.kept.method == f"good@{SMALL}"
    last = found.findings[-1]
    assert last == BytesFinding("bytes", SMALL, 499_900, BYTES_OF_ALL, 2)
    text = Wording(found).answer()
    assert "500 KB of the 10 MB" in text and "64x64 WebP q40" in text and "2 Mbit per class" in text
    assert "by good as 64x64 WebP q40" in text
    answers = Answers({"scratch": found})
    assert Answers.from_json(answers.to_json()) == answers


def test_the_bytes_of_a_pretrained_network_are_a_sentence_of_their_own(
    runs: pd.DataFrame,
) -> None:
    is_encoded = runs["encoding"] != "original"
    own = runs.assign(network_bytes=is_encoded.map({True: 13_600_000.0, False: None}))
    table = with_bytes(compare(own, 0.01), own)
    assert set(table["network_bytes"]) == {13_600_000}
    found = recommended(table, own)
    assert found.findings[-1] == BytesFinding(
        "bytes", SMALL, 499_900, BYTES_OF_ALL, 2, network_bytes=13_600_000
    )
    assert "13.6 MB" in Wording(found).answer() and "13.6 MB" in about_files(table)[-1]
    assert (
        "network" not in Wording(recommended(with_bytes(compare(runs, 0.01), runs), runs)).answer()
    )
    answers = Answers({"probe": found})
    assert Answers.from_json(answers.to_json()) == answers


def test_all_images_can_be_kept_in_fewer_bytes(runs: pd.DataFrame) -> None:
    own = runs[runs["method"].isin(["full", f"full@{SMALL}"])].reset_index(drop=True)
    found = recommended(with_bytes(compare(own, 0.01), own), own)
    assert found.kept is not None and found.kept.method == f"full@{SMALL}"
    assert "Keep all 1,000 images as 64x64 WebP q40" in Wording(found).answer()


def test_all_images_are_kept_though_each_seed_of_a_judge_takes_a_part_of_them(
    runs: pd.DataFrame,
) -> None:
    own = runs[runs["method"] == "full"].reset_index(drop=True)
    part = own.assign(share=0.9, images=900, bytes=0.9 * own["bytes"], overlap=math.nan)
    found = recommended(with_bytes(compare(part, 0.01), part), part)
    assert found.kept is not None and found.kept.images == 1000
    assert found.findings[-1] == BytesFinding("bytes", "original", BYTES_OF_ALL, BYTES_OF_ALL, 2)


def test_originals_are_counted_without_soft_labels_and_what_is_kept_with_them(
    runs: pd.DataFrame,
) -> None:
    labels = runs["fraction"] * 600_000
    soft = runs.assign(judge="scratch_soft", bytes=runs["bytes"] + labels, soft_label_bytes=labels)
    found = recommended(with_bytes(compare(soft, 0.01), soft), soft)
    small = BytesFinding("bytes", SMALL, 799_900, BYTES_OF_ALL, 2, soft_label_bytes=300_000)
    assert found.findings[-1] == small
    text = Wording(found).answer()
    assert "800 KB, including 300 KB of soft labels, of the 10 MB of all originals" in text
    assert "8%" in text
    # The same of a judge whose seeds take a part of all images each.
    full = soft[soft["method"] == "full"].reset_index(drop=True)
    parts = {name: 0.9 * full[name] for name in ("bytes", "soft_label_bytes")}
    part = full.assign(share=0.9, images=900, overlap=math.nan, **parts)
    found = recommended(with_bytes(compare(part, 0.01), part), part)
    whole = replace(small, encoding="original", bytes=10_600_000, soft_label_bytes=600_000)
    assert found.findings[-1] == whole
    text = Wording(found).answer()
    assert "10.6 MB of originals, including 600 KB of soft labels" in text and "106%" not in text


def test_an_image_is_worth_random_images_of_its_own_encoding() -> None:
    # Random images of the encoding reach 0.9 with 10% of the images, and 0.5 with 1%.
    means = {
        ("full", 1.0): 0.95, ("random", 0.1): 0.94, ("random", 0.01): 0.93,
        (f"full@{SMALL}", 1.0): 0.92, (f"random@{SMALL}", 0.1): 0.9,
        (f"random@{SMALL}", 0.01): 0.5, (f"good@{SMALL}", 0.01): 0.9,
        (f"random@{TINY}", 0.1): 0.6, (f"good@{TINY}", 0.1): 0.7,
    }  # fmt: skip
    runs = runs_of(means)
    rows = compare(runs, 0.01, random_curves(runs)).set_index(["method", "fraction"])
    assert rows.loc[(f"good@{SMALL}", 0.01), "multiplier"] == pytest.approx(10, rel=0.2)
    # One size of random images makes no curve, and those of the originals say nothing about it.
    assert math.isnan(rows.loc[(f"good@{TINY}", 0.1), "multiplier"])
    assert rows.loc[(f"good@{TINY}", 0.1), "multiplier_text"] == ""
    assert rows.loc[(f"full@{SMALL}", 1.0), "multiplier_text"] == ""
    originals = [name for name, _ in means if "@" not in name]
    alone = random_curves(runs[runs["method"].isin(originals)])["original"]
    assert random_curves(runs)["original"].means.tolist() == alone.means.tolist()


def test_the_front_has_what_nothing_cheaper_exceeds() -> None:
    points = pd.DataFrame(
        {"bytes": [5, 1, 1, 3, 4], "score_mean": [0.9, 0.5, 0.6, 0.6, 0.8]}, index=list("abcde")
    )
    assert front(points).index.tolist() == ["c", "e", "a"]
