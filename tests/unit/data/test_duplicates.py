"""Finding exact and near duplicates."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from petite.data import duplicates
from petite.data.duplicates import duplicate_groups, exact_groups, fingerprints, near_hashes


def photo(seed: int, size: int = 96) -> Image.Image:
    """A smooth random picture with the strong low frequencies of a photograph."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((size, size, 3))
    for cells, weight in ((3, 1.0), (6, 0.7), (12, 0.4), (24, 0.2)):
        coarse = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        picture += weight * np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC))
    return Image.fromarray((picture / 2.3).astype(np.uint8))


def reencoded(image: Image.Image, size: int, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.resize((size, size), Image.Resampling.BICUBIC).save(file, "JPEG", quality=quality)
    return Image.open(file).resize(image.size, Image.Resampling.BILINEAR)


def stack(images: list[Image.Image]) -> np.ndarray:
    return np.stack([np.asarray(image) for image in images])


def groups_of(pixels: np.ndarray, max_distance: int | None) -> list[int]:
    digests = np.array([[image.tobytes()] for image in pixels])
    return duplicate_groups(digests, *fingerprints(pixels), max_distance).tolist()


def test_fingerprints_do_not_depend_on_the_batch() -> None:
    pixels = stack([photo(seed) for seed in range(5)])
    hashes, thumbnails = fingerprints(pixels)
    assert hashes.dtype == np.uint64
    assert thumbnails.shape == (5, 16, 16)
    for number in range(5):
        one_hash, one_thumbnail = fingerprints(pixels[number : number + 1])
        assert one_hash[0] == hashes[number]
        np.testing.assert_array_equal(one_thumbnail[0], thumbnails[number])


def test_a_thumbnail_is_the_picture_averaged_in_gray() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3), dtype=np.uint8)
    gray = pixels @ np.array([0.299, 0.587, 0.114])
    expected = gray.reshape(2, 16, 3, 16, 3).mean(axis=(2, 4))
    _, thumbnails = fingerprints(pixels)
    np.testing.assert_allclose(thumbnails, expected, atol=0.51)


@pytest.mark.parametrize("size", [8, 28, 33, 150])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_any_size_have_fingerprints(size: int, channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, size, size, channels), dtype=np.uint8)
    hashes, thumbnails = fingerprints(pixels)
    assert len(set(hashes.tolist())) == 3
    assert thumbnails.std() > 0


def test_gray_and_color_versions_have_the_same_hash() -> None:
    color = photo(1)
    gray = np.asarray(color.convert("L"))[None, :, :, None]
    hashes, _ = fingerprints(np.asarray(color)[None])
    assert np.bitwise_count(hashes ^ fingerprints(gray)[0]) <= 2


def test_reencoded_duplicates_are_grouped_and_others_are_not() -> None:
    originals = [photo(seed) for seed in range(60)]
    copied = [reencoded(originals[n], size, 60) for n, size in ((3, 86), (7, 50), (50, 128))]
    groups = groups_of(stack(originals + copied), 6)
    assert groups == [*range(60), 3, 7, 50]


def test_without_a_distance_only_exact_duplicates_are_grouped() -> None:
    original = photo(0)
    pixels = stack([original, reencoded(original, 86, 90), original])
    assert groups_of(pixels, None) == [0, 1, 0]
    assert groups_of(pixels, 6) == [0, 0, 0]


def test_duplicates_of_duplicates_are_in_one_group() -> None:
    digests = np.array([["a", "x"], ["b", "x"], ["b", "y"], ["c", "z"], ["d", "y"]])
    assert exact_groups(digests).tolist() == [0, 0, 0, 3, 0]


def test_flat_images_are_duplicates_only_if_they_are_equal() -> None:
    pixels = np.zeros((5, 32, 32, 3), np.uint8)
    pixels[1], pixels[2], pixels[4] = 255, 128, 255
    assert groups_of(pixels, 8) == [0, 1, 2, 3 - 3, 1]


def test_pictures_whose_hashes_agree_by_chance_are_kept_apart() -> None:
    pixels = stack([photo(0), photo(1)])
    _, thumbnails = fingerprints(pixels)
    same = np.array([5, 5], dtype=np.uint64)
    assert duplicate_groups(np.array([["a"], ["b"]]), same, thumbnails, 6).tolist() == [0, 1]


def test_no_images_have_no_groups() -> None:
    empty = np.empty((0, 2), dtype=str)
    nothing = np.empty((0, 16, 16), np.uint8)
    assert duplicate_groups(empty, np.empty(0, np.uint64), nothing, 6).tolist() == []


@settings(max_examples=60, deadline=None)
@given(
    base=hnp.arrays(np.uint64, st.integers(1, 12)),
    changes=st.lists(st.tuples(st.integers(0, 11), st.sets(st.integers(0, 63), max_size=18))),
    distance=st.integers(0, 16),
    at_once=st.sampled_from([1, 7, 1 << 20]),
)
def test_all_near_pairs_are_found_and_no_others(
    base: np.ndarray, changes: list[tuple[int, set[int]]], distance: int, at_once: int
) -> None:
    flipped = [
        base[number % len(base)] ^ np.uint64(sum(1 << bit for bit in bits))
        for number, bits in changes
    ]
    hashes = np.concatenate([base, np.array(flipped, dtype=np.uint64)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "PAIRS_AT_ONCE", at_once)
        found = {tuple(pair) for pairs in near_hashes(hashes, distance) for pair in pairs.tolist()}
    expected = {
        (left, right)
        for right in range(len(hashes))
        for left in range(right)
        if (int(hashes[left]) ^ int(hashes[right])).bit_count() <= distance
    }
    assert found == expected


@pytest.mark.parametrize("distance", [5, 8])
def test_among_many_hashes_the_same_pairs_are_found(
    monkeypatch: pytest.MonkeyPatch, distance: int
) -> None:
    random = np.random.default_rng(0)
    hashes = random.integers(0, 1 << 64, 400, dtype=np.uint64)
    hashes[1::2] = [  # each has a neighbor that differs in 0 to 12 bits
        value ^ np.uint64(sum(1 << int(bit) for bit in random.choice(64, row % 13, replace=False)))
        for row, value in enumerate(hashes[::2])
    ]

    def pairs() -> set[tuple[int, int]]:
        return {tuple(pair) for some in near_hashes(hashes, distance) for pair in some.tolist()}

    few = pairs()
    monkeypatch.setattr(duplicates, "MANY_HASHES", 0)
    assert pairs() == few
    assert len(few) > 80
