"""Results are never written over by another source."""

from pathlib import Path

import pytest

from petite.data.ownership import (
    Owner,
    check_owner,
    digest_of_files,
    digest_of_listing,
    record_owner,
)
from petite.util.errors import PetiteError

BEFORE = Owner("folder", "images", "/a/images", "digest")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder of results that holds something."""
    (tmp_path / "store").mkdir()
    return tmp_path


def test_where_nothing_was_made_yet_nothing_is_refused(tmp_path):
    record_owner(tmp_path, BEFORE)
    check_owner(tmp_path, Owner("folder", "/b/images", "/b/images", "another"))


def test_results_of_another_source_are_refused_with_the_remedy(results):
    check_owner(results, BEFORE)
    record_owner(results, BEFORE)
    with pytest.raises(PetiteError) as caught:
        check_owner(results, Owner("folder", "/b/images", "/b/images", "another"))
    for words in (str(results), "/a/images", "/b/images", "name=NAME", "source.json"):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    "now",
    [
        Owner("folder", "/a/images", "/a/images", "changed"),  # files came or went
        Owner("folder", "/mnt/images", "/mnt/images", "digest"),  # the same images, moved
        Owner("folder", "images", "/b/images", "changed"),  # moved with the results, and changed
    ],
)
def test_the_same_source_goes_on(results, now):
    record_owner(results, BEFORE)
    check_owner(results, now)


@pytest.mark.parametrize(
    "now",
    [
        Owner("archive", "images", "/a/images", "digest"),
        Owner("digits", "", "", ""),
        Owner("folder", "pictures", "/a/pictures", ""),
    ],
)
def test_another_kind_of_source_is_another_source(results, now):
    record_owner(results, BEFORE)
    with pytest.raises(PetiteError):
        check_owner(results, now)


def test_a_record_that_lacks_something_is_of_another_source(results):
    (results / "source.json").write_text("{}", encoding="utf-8")
    with pytest.raises(PetiteError):
        check_owner(results, BEFORE)


def test_files_are_known_by_their_sizes_and_ends(tmp_path):
    one, other = tmp_path / "one.zip", tmp_path / "other.zip"
    one.write_bytes(bytes(3_000_000) + b"end")
    other.write_bytes(bytes(3_000_000) + b"end")
    assert digest_of_files([one]) == digest_of_files([other])
    other.write_bytes(bytes(3_000_000) + b"END")
    assert digest_of_files([one]) != digest_of_files([other])
    assert digest_of_files([tmp_path / "missing"]) == ""


def test_a_listing_is_known_by_names_and_sizes():
    assert digest_of_listing(["a", "b"], [1, 2]) == digest_of_listing(["a", "b"], [1, 2])
    assert digest_of_listing(["a", "b"], [1, 2]) != digest_of_listing(["a", "b"], [1, 3])
