"""Spurious cues: planted ones are found, and classes at random give no false alarm."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from petite.data.store import Store, shard_record, write_shard
from petite.evaluation import cues
from petite.evaluation.cues import (
    binned,
    check_cues,
    cue_sample,
    measured_cues,
    pixel_cues,
    warnings_of,
)
from petite.util.files import write_json, write_table

N = 240
LABELS = np.arange(N) % 2
RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=N)
# Each predicts the class of about nine of ten images.
MOSTLY = np.where(RNG.random(N) < 0.1, 1 - LABELS, LABELS)


def stored(folder: Path, pixels: np.ndarray, labels: np.ndarray, **columns: np.ndarray) -> Store:
    """A store of these images; columns: of the index."""
    write_shard(folder / "shards/1.npy", pixels)
    count = len(pixels)
    index = pd.DataFrame(
        {
            "image_id": [f"{label}/{row}" for row, label in enumerate(labels)],
            "label": labels.astype(np.int16),
            "status": "ok",
            "shard": np.zeros(count, np.int32),
            "row": np.arange(count),
            "width": 40,
            "height": 30,
            "bytes": 1000 + np.arange(count) % 7,
            "format": "JPEG",
            "has_exif": False,
            "camera": "",
            "captured": np.nan,
        }
    ).assign(**columns)
    write_table(folder / "index.parquet", index)
    manifest = {"format": 1, "classes": ["a", "b"], "channels": pixels.shape[3], "digest": "d"}
    shards = [shard_record(folder / "shards/1.npy", folder)]
    write_json(
        folder / "manifest.json", manifest | {"image_size": pixels.shape[1], "shards": shards}
    )
    return Store.open(folder / "manifest.json")


def noise_images(channels: int = 3) -> np.ndarray:
    return np.random.default_rng(1).integers(60, 180, (N, 8, 8, channels)).astype(np.uint8)


@pytest.mark.parametrize(
    ("cue", "columns"),
    [
        ("format", {"format": np.where(MOSTLY, "PNG", "JPEG")}),
        ("has_exif", {"has_exif": MOSTLY == 1}),
        ("bytes", {"bytes": (1000 + 900 * MOSTLY + 40 * NOISE).astype(int)}),
        ("camera", {"camera": np.where(MOSTLY, "Canon EOS", "")}),
        ("captured", {"captured": np.where(MOSTLY, 1.6e9 + 1e5 * NOISE, np.nan)}),
        ("captured", {"captured": 1.6e9 + 1e7 * MOSTLY + 1e5 * NOISE}),
        ("width", {"width": np.where(MOSTLY, 640, 500)}),
        ("height", {"height": (300 + 90 * MOSTLY + 5 * NOISE).astype(int)}),
    ],
)
def test_a_planted_cue_of_the_file_is_found(
    cue: str, columns: dict[str, np.ndarray], tmp_path: Path
) -> None:
    store = stored(tmp_path, noise_images(), LABELS, **columns)
    measured = measured_cues(store, store.index["image_id"].to_numpy())
    table = check_cues(measured, LABELS).set_index("cue")
    assert table.loc[cue, "warning"]
    assert 0.8 < table.loc[cue, "balanced_accuracy"] < 0.98
    assert warnings_of(table.reset_index())[0].lower().startswith(cues.WORDS[cue].lower())
    related = {"aspect"} if cue in ("width", "height") else set()
    assert set(table.index[table["warning"]]) <= {cue} | related


@pytest.mark.parametrize("cue", ["brightness", "contrast", "sharpness", "redness", "greenness"])
def test_a_planted_cue_of_the_pixels_is_found(cue: str) -> None:
    images = noise_images().astype(float)
    changed = MOSTLY == 1
    if cue == "brightness":
        images[changed] += 30
    elif cue == "contrast":
        images[changed] = 120 + 0.7 * (images[changed] - 120)
    elif cue == "sharpness":
        images[changed] = images[changed].repeat(2, axis=1)[:, :8].repeat(2, axis=2)[:, :, :8]
    else:
        images[changed, ..., ("redness", "greenness").index(cue)] += 25
    pixels = images.clip(0, 255).astype(np.uint8)
    table = check_cues(pixel_cues(lambda rows: pixels[rows], np.arange(N)), LABELS)
    assert table.set_index("cue").loc[cue, "warning"]


def test_gray_images_have_no_colors_and_constant_cues_are_left_out(tmp_path: Path) -> None:
    store = stored(tmp_path, noise_images(1), LABELS)
    measured = measured_cues(store, store.index["image_id"].to_numpy())
    assert set(measured) == {"bytes", "brightness", "contrast", "sharpness"}


def test_an_index_without_facts_of_files_has_the_cues_of_pixels(tmp_path: Path) -> None:
    store = stored(tmp_path, noise_images(), LABELS)
    path = tmp_path / "index.parquet"
    kept = ["image_id", "label", "status", "shard", "row"]
    write_table(path, pd.read_parquet(path)[kept])
    measured = measured_cues(Store.open(store.path), store.index["image_id"].to_numpy())
    assert set(measured) == set(cues.OF_PIXELS)


def test_cues_without_effect_give_no_more_false_alarms_than_the_level(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cues, "PERMUTATIONS", 199)
    rng = np.random.default_rng(3)
    alarms, trials = 0, 150
    for trial in range(trials):
        labels = rng.permutation(np.repeat([0, 1, 2], [40, 30, 10]))
        null = {
            "brightness": rng.normal(size=80),
            "format": rng.choice(["JPEG", "PNG"], 80),
            "bytes": rng.integers(0, 9, 80),
        }
        alarms += bool((check_cues(null, labels, trial)["p_adjusted"] <= 0.05).any())
    # 5% of 150 are 7.5; 15 or more are as likely as 1 in 100.
    assert alarms < 15


def test_a_class_that_is_rare_counts_as_much_as_the_others() -> None:
    labels = (np.arange(400) < 20).astype(int)
    table = check_cues({"bytes": np.where(labels, 5.0, 1.0) + np.arange(400) / 1e4}, labels)
    assert table["balanced_accuracy"].iloc[0] > 0.95
    constant = check_cues({"bytes": np.arange(400) % 2}, labels)
    assert constant["balanced_accuracy"].iloc[0] < 0.65


def test_one_image_of_each_group_and_class_is_used() -> None:
    train = pd.DataFrame({"image_id": [f"{row}" for row in range(60)], "label": [0, 1] * 30})
    sample = cue_sample(train, np.repeat(np.arange(10), 6))
    assert len(sample.labels) == 20 and set(np.bincount(sample.labels)) == {10}
    # The label follows from the patient, and so does the brightness.
    labels = np.repeat(np.arange(12) % 2, 50)
    groups = np.repeat(np.arange(12), 50)
    brightness = np.repeat(np.random.default_rng(0).normal(size=12), 50)
    every = pd.DataFrame({"image_id": [f"{row}" for row in range(600)], "label": labels})
    drawn = cue_sample(every, groups)
    rows = drawn.image_ids.astype(int)
    assert check_cues({"brightness": brightness}, labels)["p"].iloc[0] < 0.01
    assert check_cues({"brightness": brightness[rows]}, drawn.labels)["p"].iloc[0] > 0.01


def test_a_single_class_or_no_cue_gives_an_empty_table() -> None:
    assert check_cues({"bytes": NOISE}, np.zeros(N, int)).empty
    assert check_cues({}, LABELS).empty
    assert warnings_of(check_cues({}, LABELS)) == []


def test_few_values_are_bins_of_their_own_and_many_are_quantiles() -> None:
    assert len(set(binned(np.array(["PNG", "JPEG", "PNG"], dtype=object)))) == 2
    assert len(set(binned(np.arange(1000.0)))) == cues.MOST_BINS
    assert len(set(binned(np.array([1, 2, 2, 3])))) == 3
