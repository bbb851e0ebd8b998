"""Images are grouped with those that they were made from, by all usual names and no others."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petite.data.copies import copies_by_name
from petite.data.groups import named_groups

HASH = "9f86d081884c7d659a2feaa0c55ad015"
UUID = "3a5c77e1-4e1f-49b7-8d01-0a5c77e1b2c3"

COPIES = [
    "{x}_flip.jpg",
    "{x}_rot90.jpg",
    "{x}_rotated_180.jpg",
    "{x}_horizontal_flip.jpg",
    "{x}_HorizontalFlip.jpg",
    "{x}Flipped.jpg",
    "{x}_brightness_0.8.png",
    "{x}_rotate_-15.jpg",
    "{x}_gaussian_noise.jpg",
    "{x}_new30degFlipLR.JPG",
    "{x}_90.jpg",
    "{x}_0_2471.jpeg",
    "{x}.jpg_aug_0.jpg",
    "{x}.rot90.jpg",
    "{x}-edited.jpg",
    "{x} (2).jpg",
    "{x} - Copy (2).jpg",
    "{x} - Kopie.jpg",
    "{x} - 副本.jpg",
    "{x}_gespiegelt.jpg",
    "Copy of {x}.jpg",
    "Copy (2) of {x}.jpg",
    "flip_{x}.jpg",
    "aug_0_{x}.jpg",
    "aug_{x}_0_5305.jpg",
    "rot90_flip_{x}.jpg",
    f"{{x}}_jpg.rf.{HASH}.jpg",
    f"{{x}}_flip_jpg.rf.{HASH}.jpg",
    f"cat_original_{{x}}.jpg_{UUID}.jpg",
]
ORIGINALS = ["12", "0012", "IMG_1234", "cat (12)", "cat_12_3", "ISIC_0024920", HASH, UUID, "Y1"]


@pytest.mark.parametrize("original", ORIGINALS)
@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_grouped_with_its_original(name: str, original: str) -> None:
    others = [f"cat/{other}.jpg" for other in ORIGINALS if other != original]
    ids = [*others, f"cat/{original}.jpg", f"cat/{name.format(x=original)}"]
    found = copies_by_name(ids)
    assert found.originals[-1] == f"cat/{original}"
    assert found.is_sure.tolist() == [False] * len(ORIGINALS) + [True]


@pytest.mark.parametrize(
    "name",
    [
        "{x}_aug_1.jpg",
        "{x}_hflip_rot90.jpg",
        "augmented_{x}.jpg",
        f"{{x}}_png.rf.{HASH}.jpg",
        f"a_original_{{x}}.jpg_{UUID}.jpg",
    ],
)
def test_copies_without_their_original_are_grouped_if_their_names_say_so(name: str) -> None:
    first, second = name.format(x="IMG_12"), name.format(x="IMG_13")
    again = first.replace(HASH, HASH[::-1]).replace(UUID, UUID[:-1] + "9").replace("aug_1", "aug_2")
    found = copies_by_name([f"cat/{one}" for one in (first, second, again)])
    assert found.originals.tolist() == ["cat/IMG_12", "cat/IMG_13", "cat/IMG_12"]
    assert found.is_sure.all() and not found.is_there.any()


def test_folders_of_ways_belong_together_and_others_do_not() -> None:
    ids = ["cat/original/1.jpg", "cat/flipped/1.jpg", "cat/augmented/1_0.jpg"]
    assert set(copies_by_name(ids).originals) == {"cat/1"}
    assert len(set(copies_by_name(["cat/tom/1.jpg", "cat/kit/1.jpg"]).originals)) == 2


def test_equal_names_in_two_classes_are_two_originals() -> None:
    ids = [f"{c}/{name}.jpg" for c in ("cat", "dog") for name in ("1", "1_flip")]
    assert copies_by_name(ids).originals.tolist() == ["cat/1", "cat/1", "dog/1", "dog/1"]


def numbered(name: str, last: int = 60) -> list[str]:
    return [name.format(n=number) for number in range(1, last + 1)]


@pytest.mark.parametrize(
    "ids",
    [
        ["cat/cat.jpg", *numbered("cat/cat ({n}).jpg")],
        numbered("cat/crop_{n:04}.jpg"),
        numbered("cat/IMG_{n}.jpg"),
        numbered("cat/p{n}_slice3.png"),
        [*numbered("car/car_{n:03}.jpg"), *numbered("car/car_dark_{n:03}.jpg")],
        [*numbered("a/field_jul_{n}.jpg"), *numbered("a/field_aug_{n}.jpg")],
        ["cat/images.jpg", *numbered("cat/images ({n}).jpg", 15)],
        [*numbered("a/apple_rot_{n}.jpg"), *numbered("a/apple_scab_{n}.jpg")],
        [*numbered("a/leaf_original_{n}.jpg"), *numbered("a/leaf_flip_{n}.jpg")],
        [f"a/crop_{n}_{m:03}.jpg" for n in range(9) for m in range(9)],
        [f"a/Aug {n} 2023 {m:03}.jpg" for n in range(1, 9) for m in range(9)],
        [*numbered("a/{n}.jpg"), *numbered("a/1_{n:02}.jpg")],
        ["a/1.jpg", "a/1.5.jpg", "a/1.25.jpg"],
        [f"a/1.2.840.{n}.{m}" for n in range(9) for m in range(9)],
        [f"Apfel/{color}/{n}.jpg" for color in ("rot", "gelb") for n in range(9)],
    ],
)
def test_images_that_were_counted_are_no_copies_of_one(ids: list[str]) -> None:
    assert len(set(copies_by_name(ids).originals)) == len(ids)


def test_many_copies_of_one_image_are_grouped_if_they_are_named_so() -> None:
    ids = [f"cat/{x}{y}.jpg" for x in (1, 2) for y in ("", *numbered("_aug_{n}", 300))]
    assert set(copies_by_name(ids).originals) == {"cat/1", "cat/2"}


def test_long_names_take_no_time() -> None:
    names = ["_" * 4_000, "- " * 2_000, "flip_" * 800, "_original_" * 400, "x.rf.a" * 1_000]
    assert copies_by_name([f"cat/{name}.jpg" for name in names]).originals.size == len(names)


stems = st.text("ab1_ -.", min_size=1, max_size=6)


@given(st.lists(stems, min_size=1, max_size=12, unique=True), st.randoms())
def test_the_order_of_images_changes_no_group(names: list[str], random: Random) -> None:
    ids = [f"cat/{name}.jpg" for name in names]
    shuffled = random.sample(ids, len(ids))
    of = dict(zip(ids, copies_by_name(ids).originals, strict=True))
    assert of == dict(zip(shuffled, copies_by_name(shuffled).originals, strict=True))


def test_the_setting_names_the_group_after_its_original() -> None:
    numbers, names = named_groups(["cat/1_flip.jpg", "cat/2.jpg", "cat/1.jpg"], "copies")
    assert numbers.tolist() == [0, 1, 0] and names.tolist() == ["cat/1", "cat/2"]
