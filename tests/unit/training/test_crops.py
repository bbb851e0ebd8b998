"""Crops that a teacher scores: which there are, and what their loss is."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from petite.networks.backend import load_keras
from petite.networks.models import logits_of
from petite.subsets.synthetic import Crop, RdedSettings, cut_out
from petite.training.crops import load_teacher, scored_crops

keras = load_keras("tensorflow", 1)

SIDE = 12
IDS = pd.Series([f"{number}.png" for number in range(9)])
LABELS = np.arange(9, dtype=np.int16) % 2


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Half dark, half light, so that crops differ."""
    random = np.random.default_rng(0)
    made = random.integers(0, 90, (9, SIDE, SIDE, 1)).astype(np.uint8)
    made[:, :, SIDE // 2 :] += 160
    return made


@pytest.fixture(scope="module")
def teacher_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network whose logit is the mean brightness: light images are of class 1."""
    seen = keras.Input((SIDE, SIDE, 1))
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 64, -2)(seen))
    logits = keras.layers.Dense(1, "linear", name="logits", kernel_initializer="ones")(mean)
    model = keras.Model(seen, keras.layers.Activation("sigmoid")(logits))
    path: Path = tmp_path_factory.mktemp("teacher") / "seed-0.keras"
    model.save(path)
    return path


def test_crops_are_squares_within_their_image_and_have_the_area_asked_for(
    teacher_file: Path, images: np.ndarray
) -> None:
    settings = RdedSettings(crops=30, scale=(0.25, 0.5))
    teacher = load_teacher(teacher_file, "tensorflow", 1)
    found = scored_crops(teacher, images, IDS, LABELS, 0, settings)
    assert found.groupby("image_id", sort=False).size().tolist() == [30] * 9
    assert found["side"].between(SIDE * 0.25**0.5 - 0.5, SIDE * 0.5**0.5 + 0.5).all()
    assert (found[["top", "left"]] >= 0).all(axis=None)
    assert (found["top"] + found["side"]).max() <= SIDE
    assert (found["left"] + found["side"]).max() <= SIDE
    assert (found["top"].nunique(), found["side"].nunique()) > (3, 2)
    assert found["label"].tolist() == np.repeat(LABELS, 30).tolist()


def test_the_loss_is_that_of_the_teacher_on_the_crop_as_its_cell_shows_it(
    teacher_file: Path, images: np.ndarray
) -> None:
    teacher = load_teacher(teacher_file, "tensorflow", 1)
    found = scored_crops(teacher, images, IDS, LABELS, 3, RdedSettings())
    # A teacher of light and dark prefers the light side of images of class 1.
    best = found.loc[found.groupby("image_id")["loss"].idxmin()].set_index("image_id")
    rest = found.groupby("image_id")["left"].mean()
    light = IDS[LABELS == 1]
    assert best.loc[light, "left"].mean() > rest[light].mean()
    row = found.iloc[17]
    crop = Crop("", *(int(row[name]) for name in ("top", "left", "side")))
    small = cut_out(images[17 // 5], crop, SIDE // 2, SIDE // 2)
    seen = cut_out(small, Crop("", 0, 0, SIDE // 2), SIDE, SIDE)
    whole = keras.models.load_model(teacher_file)
    light_by = float(whole.predict_on_batch(seen[None])[0, 0])
    expected = -np.log(light_by if row["label"] == 1 else 1 - light_by)
    assert row["loss"] == pytest.approx(expected, rel=1e-4)


def test_the_seed_decides_the_crops_and_the_number_at_once_does_not(
    teacher_file: Path, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = logits_of(keras.models.load_model(teacher_file))
    found = [scored_crops(teacher, images, IDS, LABELS, seed, RdedSettings()) for seed in (0, 0, 1)]
    pd.testing.assert_frame_equal(found[0], found[1])
    assert not found[0].equals(found[2])
    monkeypatch.setattr("petite.training.crops.CROPS_AT_ONCE", 10)
    again = scored_crops(teacher, images, IDS, LABELS, 0, RdedSettings())
    pd.testing.assert_frame_equal(found[0], again, rtol=1e-5)
