"""A notice appears where names suggest groups that the split does not know, and only there."""

import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from petite.data.duplicates import fingerprints
from petite.data.group_signs import suggestion
from petite.data.groups import named_groups, problem
from petite.data.splitting import split_images
from petite.util.notices import Notices

CLASSES = ("benign", "malignant")
Names = Callable[[str, int, int, int], str]


def pictures(groups: int, each: int, alike: bool, seed: int = 0) -> np.ndarray:
    """Smooth noise; those of a group are noisy crops of one larger picture where `alike`."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(groups):
        for number in range(each):
            if number == 0 or not alike:
                coarse = Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8))
                base = np.asarray(coarse.resize((40, 40), Image.Resampling.BICUBIC)).astype(float)
            left, top = rng.integers(0, 8, 2)
            crop = base[top : top + 32, left : left + 32] + rng.normal(0, 25, (32, 32))
            made.append(crop.clip(0, 255).astype(np.uint8))
    return np.stack(made)[..., None]


def index(name: Names, groups: int = 12, each: int = 8, alike: bool = True) -> pd.DataFrame:
    """Two classes with this many groups each; `name` makes the files' names."""
    ids = [
        f"{class_name}/{name(class_name, group, image, (label * groups + group) * each + image)}"
        for label, class_name in enumerate(CLASSES)
        for group in range(groups)
        for image in range(each)
    ]
    hashes = np.concatenate(
        [fingerprints(pictures(groups, each, alike, seed))[0] for seed in range(len(CLASSES))]
    )
    class_names = [image_id.split("/")[0] for image_id in ids]
    return pd.DataFrame(
        {
            "image_id": ids,
            "class_name": class_names,
            "label": [CLASSES.index(class_name) for class_name in class_names],
            "phash": hashes,
            "copy_group": np.arange(len(ids)),
            "status": "ok",
        }
    )


def setting_in(notice: str) -> str:
    """What the notice says to paste, as YAML reads it."""
    found = re.search(r"split: \{groups: .*\}", notice)
    assert found
    setting = yaml.safe_load(found[0])["split"]["groups"]
    assert problem(setting) is None
    return setting


GROUPED = {
    "slices of patients": lambda c, g, i, n: f"p{g:02d}_slice{i}.png",
    "frames of clips": lambda c, g, i, n: f"clip{g + 1:02d}_frame{i:04d}.jpg",
    "subfolders of individuals": lambda c, g, i, n: f"tom{g}/{n}.jpg",
    "subfolders within subfolders": lambda c, g, i, n: f"cow {g}/day{i % 2}/{n}.jpg",
    "words and numbers": lambda c, g, i, n: f"patient_{g}_scan_{i}.png",
    "names of individuals": lambda c, g, i, n: f"{'abcdefghijkl'[g]}nna-{i}.jpg",
    "bursts of a day": lambda c, g, i, n: f"IMG_202405{g + 1:02d}_12000{i}.jpg",
    "letters behind the number": lambda c, g, i, n: f"{g}{'abcdefgh'[i]}.jpg",
    "slices without a separator": lambda c, g, i, n: f"P{g}S{i}.png",
    "the class in front": lambda c, g, i, n: f"{c}_{g}_{i}.png",
    "the group at the end": lambda c, g, i, n: f"slice{i}_p{g}.png",
    "quotes": lambda c, g, i, n: f"o'brien{g}_{i}.png",
    "not in latin letters": lambda c, g, i, n: f"患者{g}_{i}.png",
}


@pytest.mark.parametrize("name", GROUPED.values(), ids=GROUPED)
def test_names_that_show_groups_of_similar_images_give_a_setting_to_paste(name) -> None:
    table = index(name)
    notice = suggestion(table, seed=0)
    assert notice is not None and "look alike" in notice and "2 of 2 classes" in notice
    numbers, _ = named_groups(table["image_id"], setting_in(notice))
    table["group"] = np.repeat(np.tile(np.arange(12), 2), 8)
    # The groups of the setting are those that were drawn: no image without, none divided or mixed.
    assert (numbers >= 0).all()
    of_class = table.assign(number=numbers).groupby(["label", "number"])["group"]
    assert (of_class.nunique() == 1).all() and (of_class.size() == 8).all()


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("slices of patients", r"/(p\d+)_"),
        ("frames of clips", r"/(clip\d+)_"),
        ("subfolders of individuals", "subfolder"),
        ("words and numbers", r"/(patient_\d+)_"),
        ("slices without a separator", r"/(P\d+)S"),
        ("the group at the end", r"_(p\d+)\."),
    ],
)
def test_the_setting_is_short_where_all_names_are_of_one_kind(name: str, setting: str) -> None:
    assert setting_in(suggestion(index(GROUPED[name]), seed=0) or "") == setting


UNGROUPED = {
    "Kaggle's cats and dogs": lambda c, g, i, n: f"{c[:3]}.{n}.jpg",
    "a camera's": lambda c, g, i, n: f"IMG_{n:04d}.jpg",
    "numbers": lambda c, g, i, n: f"{n:06d}.jpg",
    "numbers alone": lambda c, g, i, n: f"{n}",
    "a browser's": lambda c, g, i, n: f"image ({n}).jpg",
    "digests": lambda c, g, i, n: f"{n * 2654435761 % 2**32:08x}.jpg",
    "ISIC's": lambda c, g, i, n: f"ISIC_{n:07d}.jpg",
    "scraped": lambda c, g, i, n: f"{n}_{n * 48271 % 65537}.jpg",
    "two sources": lambda c, g, i, n: f"{'ab'[n % 2]}_{n}.jpg",
    "a subfolder": lambda c, g, i, n: f"images/{n}.jpg",
    "an exporter's": lambda c, g, i, n: f"{c}-{n}-of-192.png",
}


@pytest.mark.parametrize("name", UNGROUPED.values(), ids=UNGROUPED)
def test_names_that_only_count_give_no_notice_even_if_images_are_alike(name) -> None:
    assert suggestion(index(name), seed=0) is None


@pytest.mark.parametrize(
    "name",
    [
        lambda c, g, i, n: f"p{g:02d}_slice{i}.png",
        lambda c, g, i, n: f"{'abcdefghijkl'[g]}_{n}.jpg",  # breeds
        lambda c, g, i, n: f"{['train', 'val', 'test'][n % 3]}_{n}.jpg",
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_names_alone_say_nothing_where_pictures_of_a_group_are_no_more_alike(name, seed) -> None:
    assert suggestion(index(name, groups=12, each=40, alike=False), seed) is None


def test_names_of_transformed_copies_are_said_though_the_copies_are_unlike() -> None:
    random = np.random.default_rng(0)

    def copy(c: str, g: int, i: int, n: int) -> str:
        return f"aug_{g}_{random.integers(10_000)}.jpeg"

    table = index(copy, alike=False)
    notice = suggestion(table, seed=0)
    assert notice is not None and "altered copies of one original" in notice
    numbers, _ = named_groups(table["image_id"], setting_in(notice))
    assert (numbers == np.repeat(np.arange(24), 8)).all()
    frames = index(lambda c, g, i, n: f"clip_{g}_{i:04d}.jpeg", alike=False)
    assert suggestion(frames, seed=0) is None
    times = index(lambda c, g, i, n: f"IMG_202405{g:02d}_12{n:04d}.jpg", alike=False)
    assert suggestion(times, seed=0) is None


WAYS = ("", "flip", "rot90", "bright", "noisy", "crop", "zoom", "hue")
COPIED = {
    "words in front": lambda c, g, i, n: f"{WAYS[i] + '_' if i else ''}{g}.jpg",
    "words behind": lambda c, g, i, n: f"{g}{'_' + WAYS[i] if i else ''}.jpg",
    "names with numbers": lambda c, g, i, n: (
        f"{WAYS[i] + '_' if i else ''}IMG_{g // 3}_{g % 3}.jpg"
    ),
    "counted in front": lambda c, g, i, n: f"aug_{i}_{g}.jpg",
    "counted behind": lambda c, g, i, n: f"IMG-{g}-augmented-{i}.jpg",
    "capitals and brackets": lambda c, g, i, n: f"{g}{f' ({WAYS[i].title()})' if i else ''}.jpg",
    "several words": lambda c, g, i, n: f"{g}_hflip_rot{i}.jpg",
    "Roboflow": lambda c, g, i, n: f"photo-{g}_png.rf.{n:032x}.jpg",
    "Augmentor": lambda c, g, i, n: f"{c}_original_{g}.jpg_{n:08x}-3a5c-4e1f-9b7d-{i:012x}.jpg",
}


@pytest.mark.parametrize("name", COPIED.values(), ids=COPIED)
@pytest.mark.parametrize("alike", [True, False])
def test_copies_that_tools_or_words_name_are_grouped_by_their_original(name, alike) -> None:
    table = index(name, alike=alike)
    notice = suggestion(table, seed=0)
    assert notice is not None and "altered copies of one original" in notice
    numbers, _ = named_groups(table["image_id"], setting_in(notice))
    found = pd.DataFrame({"class": table["label"], "group": numbers})
    expected = np.repeat(np.arange(24), 8)
    assert (found.groupby(["class", "group"]).ngroup().groupby(expected).nunique() == 1).all()
    assert found.drop_duplicates().shape[0] == 24


def test_a_few_copies_are_said_too() -> None:
    table = index(lambda c, g, i, n: f"flip_{n - 1}.jpg" if i == 7 else f"{n}.jpg", alike=False)
    notice = suggestion(table, seed=0)
    assert notice is not None and "benign/6.jpg and benign/flip_6.jpg" in notice


@pytest.mark.parametrize(
    "name",
    [
        lambda c, g, i, n: f"crop_{n:04d}.jpg",
        lambda c, g, i, n: f"{c}_cropped_{n}.jpg",
        lambda c, g, i, n: f"original{n}.jpg",
        lambda c, g, i, n: f"dark_{g}_{i}.jpg",
        lambda c, g, i, n: f"noise-{n}-scaled.jpg",
    ],
)
def test_a_word_that_all_names_have_names_no_copies(name) -> None:
    notice = suggestion(index(name, alike=False), seed=0) or ""
    assert "altered copies" not in notice


@pytest.mark.parametrize(
    "name",
    [
        lambda c, g, i, n: f"photo{i:02d}_{g}.jpg",  # 0: the original, 1: flipped, ...
        lambda c, g, i, n: f"{('flip', 'rot90', 'bright', 'orig')[g % 4]}_photo{i}.jpg",
        lambda c, g, i, n: f"photo{i}_{('hflip', 'noise', 'crop', 'zoom')[g % 4]}.jpg",
    ],
)
def test_ways_to_alter_images_are_no_groups_though_those_of_one_way_are_alike(name) -> None:
    notice = suggestion(index(name, groups=4, each=24), seed=0) or ""
    assert "look alike" not in notice


def test_subfolders_are_said_in_the_conditional_where_their_pictures_are_not_alike() -> None:
    notice = suggestion(index(lambda c, g, i, n: f"{g}/{n}.jpg", alike=False), seed=0)
    assert notice is not None and "If a subfolder is one" in notice and "look alike" not in notice
    assert setting_in(notice) == "subfolder"


def test_groups_in_one_class_of_two_are_said_of_that_class() -> None:
    table = index(lambda c, g, i, n: f"clip{g}_{i}.jpg" if c == "malignant" else f"IMG_{n:04d}.jpg")
    notice = suggestion(table, seed=0)
    assert notice is not None and "12 groups in 1 of 2 classes (malignant)" in notice


def test_duplicates_alone_are_not_groups_since_they_stay_together_anyway() -> None:
    table = index(GROUPED["frames of clips"])
    table["copy_group"] = np.repeat(np.arange(24), 8)
    assert suggestion(table, seed=0) is None


@pytest.mark.parametrize("groups", [None, r"/(p\d+)_"])
def test_the_split_says_so_unless_groups_are_set(groups: str | None) -> None:
    notices = Notices()
    table = index(GROUPED["slices of patients"])
    split_images(table, test=0.2, validation=0.1, seed=0, groups=groups, notices=notices)
    suggested = [notice for notice in notices if "The names suggest" in notice]
    assert len(suggested) == (groups is None)


@settings(max_examples=150, deadline=None)
@given(
    names=st.lists(
        st.text("ab01_-. ()'\\/é猫٣\n+[", min_size=1, max_size=8), min_size=1, max_size=12
    ),
    seed=st.integers(0, 99),
)
def test_whatever_the_names_the_setting_said_is_one_that_names_groups(names, seed) -> None:
    rng = np.random.default_rng(seed)
    ids = [f"{CLASSES[n % 2]}/{name}{m}.png" for n, name in enumerate(names) for m in range(8)]
    table = pd.DataFrame(
        {
            "image_id": ids,
            "class_name": [image_id.split("/")[0] for image_id in ids],
            "label": [CLASSES.index(image_id.split("/")[0]) for image_id in ids],
            # Few hashes, by name: pictures of like names are alike.
            "phash": np.repeat(rng.integers(0, 2**63, len(names)), 8).astype(np.uint64),
            "copy_group": np.arange(len(ids)),
        }
    )
    notice = suggestion(table, seed)
    if notice is not None:
        assert len(named_groups(ids, setting_in(notice)).names)
