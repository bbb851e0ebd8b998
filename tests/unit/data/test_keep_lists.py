"""Lists of images to keep and to exclude: what they mark, and how mistakes in them are reported."""

import re
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from petite.config import load
from petite.data.keep_lists import Lists, apply_lists, check_named, matches, read_list
from petite.data.splits import described_images, kept_images, training_images
from petite.subsets.tables import check_room
from petite.util.errors import PetiteError
from petite.util.notices import Notices

BROKEN, EXTRA = "cat/broken.jpg", "dog/extra.jpg"


def index() -> pd.DataFrame:
    """Ten images of two classes, of which cat/0 and cat/1 are duplicates; two are not in use."""
    ids = [f"{name}/{number}.jpg" for name in ("cat", "dog") for number in range(10)]
    return pd.DataFrame(
        {
            "image_id": [*ids, BROKEN, EXTRA],
            "class_name": [name.split("/")[0] for name in [*ids, BROKEN, EXTRA]],
            "label": np.array([0] * 10 + [1] * 10 + [0, 1], np.int16),
            "status": ["ok"] * 20 + ["set_aside", "beyond_limit"],
            "reason": [""] * 20 + ["cannot be decoded", "beyond the limit of 10 per class"],
            "copy_group": [0, 0, *range(2, 22)],
        }
    )


def split(**columns) -> pd.DataFrame:
    """Of each class, 8 is for validation and 9 for the test."""
    used = index().iloc[:20][["image_id", "label"]]
    parts = (["train"] * 8 + ["validation", "test"]) * 2
    return used.assign(split=parts, **columns)


def applied(keep=(), exclude=(), notices=None, says=None) -> pd.DataFrame:
    table = split() if says is None else split(keep=says)
    return apply_lists(table, index(), Lists(keep, exclude), notices=notices)


def kept_and_gone(table: pd.DataFrame) -> tuple[list[str], list[str]]:
    return kept_images(table), table.loc[table["split"] == "excluded", "image_id"].tolist()


@pytest.mark.parametrize(
    ("keep", "exclude", "kept", "gone"),
    [
        (["cat/3.jpg"], [], ["cat/3.jpg"], []),
        ([], ["cat/3.jpg", "cat/3.jpg"], [], ["cat/3.jpg"]),
        (["cat/[01].jpg"], ["dog/?.jpg"], ["cat/0.jpg", "cat/1.jpg"], None),
        (["*/3.jpg"], ["*/4*"], ["cat/3.jpg", "dog/3.jpg"], ["cat/4.jpg", "dog/4.jpg"]),
        # Test and validation images stay what they are, if a pattern matches others too.
        (["*/[789].jpg"], [], ["cat/7.jpg", "dog/7.jpg"], []),
    ],
)
def test_ids_and_patterns_mark_training_images(keep, exclude, kept, gone):
    if gone is None:
        with pytest.raises(PetiteError, match="dog"):
            applied(keep, exclude)
        return
    table = applied(keep, exclude)
    assert kept_and_gone(table) == (kept, gone)
    before = split()
    outside = before["split"] != "train"
    pd.testing.assert_series_equal(table.loc[outside, "split"], before.loc[outside, "split"])
    assert len(training_images(table)) == 16 - len(gone)
    assert (
        described_images(table)["image_id"].tolist() == training_images(before)["image_id"].tolist()
    )


def test_an_id_with_the_letters_of_patterns_means_itself():
    ids = pd.Series(["a/x[1].jpg", "a/x1.jpg", "a/*.jpg"])
    found = matches(["a/x[1].jpg", "a/*.jpg", "a/x[[]1].jpg"], ids)
    assert {name: places.tolist() for name, places in found.items()} == {
        "a/x[1].jpg": [0],
        "a/*.jpg": [2],
        "a/x[[]1].jpg": [0],
    }


def test_patterns_are_case_sensitive_and_match_across_subfolders():
    ids = pd.Series(["cat/a/1.jpg", "cat/1.jpg", "Cat/1.jpg"])
    assert matches(["cat/*"], ids)["cat/*"].tolist() == [0, 1]
    assert matches(["*1.jp"], ids)["*1.jp"].tolist() == []


def test_composed_and_decomposed_letters_are_the_same():
    ids = pd.Series([unicodedata.normalize("NFD", "größe/ä.jpg")])
    assert matches(["größe/ä.jpg"], ids)["größe/ä.jpg"].tolist() == [0]


def test_with_a_table_of_labels_the_class_may_be_left_out():
    ids = pd.Series(["cat/a/1.jpg", "dog/2.jpg"])
    assert matches(["a/1.jpg", "dog/2.jpg", "2.*"], ids, without_class=True) == {
        "a/1.jpg": [0],
        "dog/2.jpg": [1],
        "2.*": [1],
    }
    assert not len(matches(["a/1.jpg"], ids)["a/1.jpg"])


def test_the_column_of_the_source_counts_as_further_entries():
    says = [""] * 20
    says[2], says[3], says[9] = "always", "never", "never"
    notices = Notices()
    table = applied(["cat/5.jpg"], ["dog/1.jpg"], notices, says)
    assert kept_and_gone(table) == (["cat/2.jpg", "cat/5.jpg"], ["cat/3.jpg", "dog/1.jpg"])
    assert any("exclude: 1 image" in text for text in notices)


@pytest.mark.parametrize("key", ["keep", "exclude"])
def test_an_image_of_weight_0_is_in_no_subset_anyway(key):
    table = split(weight=[1.0] * 4 + [0.0] + [2.0] * 15)
    with pytest.raises(PetiteError, match="weight 0"):
        apply_lists(table, index(), Lists(**{key: ["cat/4.jpg"]}))
    marked = apply_lists(table, index(), Lists(keep=["cat/[34].jpg"]))
    assert kept_images(marked) == ["cat/3.jpg"]


def test_notices_give_the_numbers():
    notices = Notices()
    applied(["cat/2.jpg", "cat/3.jpg"], ["cat/0.jpg"], notices)
    assert any("2 images" in text for text in notices)
    assert any("1 training image of 16" in text for text in notices)
    # Its duplicate is still a training image.
    assert any("cat/1.jpg" in text for text in notices)
    nothing = Notices()
    applied(notices=nothing)
    assert nothing == []


@pytest.mark.parametrize("key", ["keep", "exclude"])
@pytest.mark.parametrize(
    ("patterns", "named"),
    [
        (["bird/1.jpg"], "cat/1.jpg"),  # the nearest one
        (["1.jpg"], "cat/1.jpg"),
        (["cat\\1.jpg"], "cat/1.jpg"),
        (["/home/me/pictures/cat/1.jpg"], "cat/1.jpg"),
        (["./cat/1.jpg"], "cat/1.jpg"),
        (["cat/1.png"], "cat/1.png"),
        (["CAT/*"], "CAT/*"),
        (["cat"], "'cat'"),
        (["cat/"], "'cat/'"),
        (["[cat/1.jpg"], "[cat/1.jpg"),
        (["cat/1.jpg cat/2.jpg"], "cat/1.jpg cat/2.jpg"),
        (["cat/1.jpg", "x", "y", "z"], "2 other entries"),
        (["# my list"], "# my list"),
        (["cat/9.jpg"], "test"),
        (["cat/8.jpg"], "validation"),
        (["*/9.jpg"], "cat/9.jpg"),
        (["*/[89]*"], "cat/8.jpg"),
        ([BROKEN], "cannot be decoded"),
        (["cat/bro*"], BROKEN),
        ([EXTRA], "limit of 10"),
    ],
)
def test_an_entry_that_names_no_training_image_is_reported(key, patterns, named):
    with pytest.raises(PetiteError, match=f"^{key}: ") as caught:
        applied(**{key: patterns})
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["keep", "exclude"])
def test_in_another_split_of_the_images_a_listed_image_may_be_in_the_test_part(key: str) -> None:
    notices = Notices()
    lists = Lists(**{key: ["cat/9.jpg", "cat/3.jpg"]})
    table = apply_lists(split(), index(), lists, notices=notices, is_repeat=True)
    kept, gone = kept_and_gone(table)
    assert (kept, gone) == ((["cat/3.jpg"], []) if key == "keep" else ([], ["cat/3.jpg"]))
    assert table["split"].value_counts()["test"] == 2
    assert any("1 image of the list is not in the training part" in text for text in notices)
    with pytest.raises(PetiteError, match="cat/99"):
        apply_lists(split(), index(), Lists(**{key: ["cat/99.jpg"]}), is_repeat=True)


LEAK = "cat/2.jpg"


def without_leak() -> pd.DataFrame:
    return split().query("image_id != @LEAK").reset_index(drop=True)


@pytest.mark.parametrize("pattern", [LEAK, "cat/2*"])
def test_to_keep_an_image_that_was_dropped_as_a_leak_is_refused_with_the_reason(pattern):
    with pytest.raises(PetiteError, match=rf"^keep: '{re.escape(pattern)}'.*{LEAK}.*leak"):
        apply_lists(without_leak(), index(), Lists(keep=[pattern]))


@pytest.mark.parametrize("pattern", [LEAK, "cat/2*"])
def test_to_exclude_an_image_that_was_dropped_as_a_leak_changes_nothing(pattern):
    notices = Notices()
    lists = Lists(exclude=[pattern, "cat/3.jpg"])
    table = apply_lists(without_leak(), index(), lists, notices=notices)
    assert kept_and_gone(table) == ([], ["cat/3.jpg"])
    assert any(text.startswith(f"exclude: '{pattern}'") and "leak" in text for text in notices)
    with pytest.raises(PetiteError, match="cannot be decoded"):
        apply_lists(without_leak(), index(), Lists(exclude=[pattern, BROKEN]))


@pytest.mark.parametrize(
    ("lists", "named"),
    [
        ({"keep": ["cat/1.jpg"], "exclude": ["cat/1.jpg"]}, "cat/1.jpg"),
        ({"keep": ["cat/1.jpg"], "exclude": ["cat/*"]}, "cat/1.jpg"),
        ({"keep": ["*"], "exclude": ["dog/[0-7].jpg"]}, "dog/0.jpg"),
        ({"exclude": ["dog/*"]}, "dog"),
        ({"exclude": ["*"]}, "cat, dog"),
    ],
)
def test_lists_that_contradict_each_other_or_leave_nothing_are_reported(lists, named):
    with pytest.raises(PetiteError) as caught:
        applied(**lists)
    assert named in str(caught.value)


def test_a_list_that_contradicts_the_column_of_the_source_is_reported():
    with pytest.raises(PetiteError, match="cat/4"):
        applied(["cat/4.jpg"], says=[""] * 4 + ["never"] + [""] * 15)


def test_a_folder_is_checked_before_its_images_are_read():
    ids = index()["image_id"]
    check_named(Lists(["cat/*"], [BROKEN]), ids)
    with pytest.raises(PetiteError, match=r"exclude: 'cow/1\.jpg'"):
        check_named(Lists(["cat/*"], ["cow/1.jpg"]), ids)


# Files


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.txt", b"cat/1.jpg\ndog/b c.jpg\n"),
        ("list", b"\xef\xbb\xbfcat/1.jpg\r\n\r\n  dog/b c.jpg  \r\n"),
        ("list.csv", b"rank,image_id\n0,cat/1.jpg\n1,dog/b c.jpg\n"),
        ("LIST.TSV", b"image_id\tx\ncat/1.jpg\t\ndog/b c.jpg\t3\n\t4\n"),
        ("list.csv", b"image_id,recipe\ncat/1.jpg,\ndog/b c.jpg,\ncat/1.jpg~1,{}\n"),
    ],
)
def test_a_list_is_read_from_text_or_a_table(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert read_list(tmp_path / name) == ["cat/1.jpg", "dog/b c.jpg"]


def test_a_list_may_be_the_table_of_a_subset(tmp_path):
    table = pd.DataFrame({"image_id": ["cat/1.jpg", "cat/1.jpg~1"], "recipe": ["", "{}"]})
    table.to_parquet(tmp_path / "seed-0.parquet")
    assert read_list(tmp_path / "seed-0.parquet") == ["cat/1.jpg"]


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("missing.txt", None, "does not exist"),
        ("empty.txt", b"", "lists no image"),
        ("blank.txt", b"\n \r\n\t\n", "lists no image"),
        ("photo.jpg", b"\xff\xd8\xff\xe0", "UTF-8"),
        ("latin.txt", "gr\u00f6\u00dfe/1.jpg".encode("latin-1"), "UTF-8"),
        ("names.csv", b"file,label\n1.jpg,cat\n", "file, label"),
        ("none.csv", b"", "table"),
        ("rows.csv", b"image_id\n", "lists no image"),
        ("quote.csv", b'image_id\n"cat/1.jpg\n', "table"),
        ("broken.parquet", b"PAR1", "table"),
        ("seeds.csv", b"image_id,seed\ncat/1.jpg,0\ncat/2.jpg,1\n", "2 seeds"),
        ("latin.csv", b"image_id\ngr\xf6\xdfe\n", "table"),
    ],
)
def test_a_file_that_is_no_list_is_reported(tmp_path: Path, name, content, named):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(PetiteError) as caught:
        read_list(tmp_path / name)
    assert name in str(caught.value)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_in_place_of_a_file_is_reported(tmp_path):
    with pytest.raises(PetiteError, match="is not a file"):
        read_list(tmp_path)


# Configuration


@pytest.mark.parametrize("key", ["keep", "exclude"])
@pytest.mark.parametrize(
    "wrong",
    [3, True, {"cat": 1}, "", " ", [1], [None], ["cat/1.jpg", ""], [["cat/1.jpg"]], "a/{x}.txt"],
)
def test_a_setting_that_is_no_list_is_reported(key, wrong):
    with pytest.raises(PetiteError, match=f"- {key}: "):
        load({"methods": {"random": {"fractions": [0.1]}}, key: wrong})


def test_a_list_that_is_too_long_for_a_command_belongs_in_a_file():
    with pytest.raises(PetiteError, match=r"keep: .*file"):
        load({"methods": {"random": {"fractions": [0.1]}}, "keep": ["cat/1.jpg"] * 10_000})


@pytest.mark.parametrize("given", [None, [], ["cat/*"], "list.txt"])
def test_a_list_or_a_file_is_allowed(given):
    config = load({"methods": {"random": {"fractions": [0.1]}}, "keep": given})
    assert config.keep == (given or [])


# Room


def test_too_small_fractions_are_named_with_their_sizes():
    train = training_images(applied(["cat/*"]))
    kept = [f"cat/{number}.jpg" for number in range(8)]
    shares = {"random:0.25": 0.25, "herding:0.5": 0.5, "random:0.6": 0.6}
    with pytest.raises(PetiteError, match=r"^keep: 8 ") as caught:
        check_room(shares, train, kept, Notices())
    # 8 of 16 have no room for a dog.
    assert "random:0.25 (4)" in str(caught.value)
    assert "herding:0.5 (8)" in str(caught.value)
    assert "random:0.6" not in str(caught.value)


def test_a_fraction_with_no_room_for_others_is_noticed():
    train, notices = training_images(split()), Notices()
    check_room(
        {"random:0.25": 0.25}, train, ["cat/0.jpg", "cat/1.jpg", "dog/0.jpg", "dog/1.jpg"], notices
    )
    assert "random:0.25" in notices[0]
    check_room({"random:0.25": 0.25}, train, [], notices)
    assert len(notices) == 1
