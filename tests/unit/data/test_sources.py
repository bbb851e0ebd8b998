"""Sources against real folders, zips, tars, and the real wheels that are taken as data."""

import bz2
import contextlib
import copy
import gzip
import io
import json
import lzma
import os
import pickle
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from petite.data.sources import (
    Entry,
    Limits,
    Source,
    UnreadableEntry,
    listing,
    natural_order,
    open_source,
)
from petite.data.sources.archive import ArchiveSource
from petite.data.sources.folder import FolderSource
from petite.data.sources.layout import Folder, find_layout, is_hidden, nfc, side_kind
from petite.data.sources.silhouettes import CLASSES, IMAGES_MEMBER, LABELS_MEMBER, load_array
from petite.util.errors import PetiteError

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"

# A tree as people have them: a wrapping folder, things beside the classes, odd names.
WANTED = {
    "Cat/1.jpg": b"one",
    "Cat/2.jpg": b"two",
    "Cat/10.jpg": b"ten",
    "Cat/more/deep/3.jpg": b"deep",
    "Cat/with space, ünïcode 猫\nand newline.png": b"odd",
    "Dog/1.jpg": b"dog",
    "Dog/zero.jpg": b"",
}
UNWANTED = [
    "readme.txt",
    "PetImages/notes.txt",
    "PetImages/.DS_Store",
    "PetImages/Cat/.hidden.jpg",
    "PetImages/Cat/Thumbs.db",
    "PetImages/Cat/1.xml",
    "PetImages/Cat/@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg",
    "PetImages/.cache/9.jpg",
    "PetImages/__MACOSX/8.jpg",
    "__MACOSX/PetImages/Cat/1.jpg",
]
TREE = {f"PetImages/{name}": data for name, data in WANTED.items()}
TREE |= dict.fromkeys(UNWANTED, b"unwanted")


def make_folder(path: Path, tree: dict[str, bytes]) -> Path:
    for name, data in tree.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return path


def make_zip(path: Path, tree: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in tree.items():
            archive.writestr(name, data)
    return path


def make_tar(path: Path, tree: dict[str, bytes], mode: str = "w", prefix: str = "") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in tree.items():
            info = tarfile.TarInfo(prefix + name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


MAKERS: dict[str, tuple[str, Callable[[Path, dict[str, bytes]], Path]]] = {
    "folder": ("folder", make_folder),
    "zip": ("archive", make_zip),
    "zip, stored": ("archive", lambda path, tree: make_zip(path, tree, zipfile.ZIP_STORED)),
    "tar": ("archive", make_tar),
    "tar of .": ("archive", lambda path, tree: make_tar(path, tree, prefix="./")),
    "tar.gz": ("archive", lambda path, tree: make_tar(path, tree, "w:gz")),
    "tar.bz2": ("archive", lambda path, tree: make_tar(path, tree, "w:bz2")),
    "tar.xz": ("archive", lambda path, tree: make_tar(path, tree, "w:xz")),
}


@pytest.fixture(params=MAKERS)
def open_tree(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Source]:
    """Opens a tree of files as each kind of source in turn."""
    name, make = MAKERS[request.param]
    return lambda tree: open_source(name, make(tmp_path / "data", tree))


def table(source: Source, **settings: Any) -> pd.DataFrame:
    default = {"classes": None, "limit_per_class": None, "max_bad_share": 0.1}
    return listing(source, **(default | settings))


# --- folders and archives: the layout


def test_each_file_in_a_class_folder_is_an_entry_and_nothing_else_is(
    open_tree: Callable[..., Source],
) -> None:
    with open_tree(TREE) as source:
        entries = sorted(source.entries())
        read = dict(source.read_many([entry.image_id for entry in entries]))
    assert entries == sorted(
        Entry(name, name.split("/")[0], len(data)) for name, data in WANTED.items()
    )
    assert read == WANTED


def test_only_the_entries_that_are_asked_for_are_read(open_tree: Callable[..., Source]) -> None:
    with open_tree(TREE) as source:
        assert dict(source.read_many(["Dog/1.jpg", "Cat/2.jpg"])) == {
            "Cat/2.jpg": b"two",
            "Dog/1.jpg": b"dog",
        }
        assert source.read("Cat/10.jpg") == b"ten"
        with pytest.raises(PetiteError, match=r"changed .* is gone"):
            source.read("../readme.txt")


def test_an_image_has_the_same_id_wherever_its_class_folder_lies(
    open_tree: Callable[..., Source],
) -> None:
    deep = {f"a/b/c/{name}": data for name, data in WANTED.items()}
    with open_tree(deep) as source:
        assert {entry.image_id for entry in source.entries()} == set(WANTED)


def test_a_tree_without_images_is_refused(open_tree: Callable[..., Source]) -> None:
    with open_tree({"readme.txt": b"x"}) as source, pytest.raises(PetiteError, match="no images"):
        table(source)


def test_a_single_class_is_refused(open_tree: Callable[..., Source]) -> None:
    with (
        open_tree({"pets/Cat/1.jpg": b"x", "pets/Cat/2.jpg": b"y"}) as source,
        pytest.raises(PetiteError, match=r"only one class \(Cat\)"),
    ):
        table(source)


NAMES = (
    st.text(
        st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8
    )
    .map(nfc)
    .filter(lambda name: not is_hidden(name) and side_kind(name) is None)
)


def tree_of(paths: Iterable[tuple[str, ...]]) -> Folder[str]:
    """A tree with these files, each of which holds its path."""
    root: Folder[str] = Folder()
    for *folders, name in paths:
        folder = root
        for part in folders:
            folder = folder.folders.setdefault(part, Folder())
        folder.files[name] = "/".join([*folders, name])
    return root


@settings(deadline=None)
@given(
    wrapping=st.lists(NAMES, max_size=3),
    images=st.sets(
        st.tuples(st.sampled_from(["Cat", "Dog", "Frog"]), NAMES), min_size=1, max_size=10
    ),
    beside=st.sets(NAMES, max_size=3),
)
def test_wrapping_folders_and_files_beside_never_change_the_ids(
    wrapping: list[str], images: set[tuple[str, str]], beside: set[str]
) -> None:
    images |= {("Cat", "1"), ("Dog", "1")}
    paths = [(*wrapping, *image) for image in images]
    paths += [(*wrapping[:depth], name) for depth in range(len(wrapping)) for name in beside]
    found = find_layout(tree_of(paths), Path())
    assert found.files == {"/".join(image): "/".join((*wrapping, *image)) for image in images}
    assert sorted(found.folders) == sorted({class_name for class_name, _ in images})


# --- the listing


def test_the_listing_is_in_natural_order_by_class(open_tree: Callable[..., Source]) -> None:
    with open_tree(TREE) as source:
        frame = table(source)
    assert list(frame.columns) == ["position", "image_id", "class_name", "bytes"]
    assert frame.position.tolist() == list(range(7))
    assert frame.position.dtype == frame.bytes.dtype == np.int64
    assert frame.image_id.tolist() == [
        "Cat/1.jpg",
        "Cat/2.jpg",
        "Cat/10.jpg",
        "Cat/more/deep/3.jpg",
        "Cat/with space, ünïcode 猫\nand newline.png",
        "Dog/1.jpg",
        "Dog/zero.jpg",
    ]
    assert frame.class_name.tolist() == ["Cat"] * 5 + ["Dog"] * 2
    assert frame.bytes.tolist() == [len(WANTED[image_id]) for image_id in frame.image_id]


@pytest.fixture(scope="module")
def digits() -> Source:
    return open_source("digits", None)


def test_classes_are_listed_in_the_order_given(digits: Source) -> None:
    frame = table(digits, classes=["7", "0", "3"])
    assert frame.class_name.drop_duplicates().tolist() == ["7", "0", "3"]
    assert frame.position.tolist() == list(range(len(frame)))


@pytest.mark.parametrize(
    ("limit", "share", "expected"),
    [(7, 0.3, 10), (9, 0.1, 10), (10, 0.1, 12), (10, 0.0, 10), (1, 0.99, 100), (1000, 0.5, 2000)],
)
def test_the_limit_leaves_room_for_the_share_that_may_be_bad(
    digits: Source, limit: int, share: float, expected: int
) -> None:
    everything = table(digits)
    frame = table(digits, limit_per_class=limit, max_bad_share=share)
    first = everything.groupby("class_name").head(expected)
    assert frame.image_id.tolist() == first.image_id.tolist()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 50), st.integers(0, 90))
def test_what_the_limit_leaves_is_enough_and_no_more_than_needed(limit: int, percent: int) -> None:
    class Plenty(Source):
        def entries(self) -> Iterable[Entry]:
            return [Entry(f"{name}/{number}", name, 0) for name in "ab" for number in range(600)]

        def read(self, image_id: str) -> bytes:
            raise NotImplementedError

    counts = listing(Plenty(None), None, limit, percent / 100).class_name.value_counts()
    for taken in counts:
        assert taken * (100 - percent) >= limit * 100 > (taken - 1) * (100 - percent)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (["cat", "Dog"], "'cat'.*Cat"),
        (["Cat", "Zebra"], "'Zebra'.*Cat, Dog"),
        (["Cat"], "two or more"),
        ([], "two or more"),
        (["Cat", "Cat"], "named twice"),
    ],
)
def test_classes_that_cannot_be_used_are_refused(
    tmp_path: Path, classes: list[str], message: str
) -> None:
    source = FolderSource(make_folder(tmp_path, TREE))
    with pytest.raises(PetiteError, match=message):
        table(source, classes=classes)


@given(st.lists(st.integers(0, 10**30), unique=True))
def test_natural_order_is_the_order_of_the_numbers(numbers: list[int]) -> None:
    names = [f"Cat/img {number}.jpg" for number in numbers]
    assert sorted(names, key=natural_order) == [
        f"Cat/img {number}.jpg" for number in sorted(numbers)
    ]


@given(st.lists(st.text(st.sampled_from("a01.٣²/é"), max_size=6), unique=True))
def test_natural_order_is_one_order_for_any_names(names: list[str]) -> None:
    assert sorted(names, key=natural_order) == sorted(reversed(names), key=natural_order)
    assert len({str(natural_order(name)) for name in names}) == len(names)


def test_numbers_of_thousands_of_digits_are_ordered() -> None:
    assert natural_order("9" * 6000) < natural_order("1" + "0" * 6000)


# --- the registry


def test_an_unknown_source_names_the_nearest() -> None:
    with pytest.raises(PetiteError, match=r"'silhouette'.*silhouettes"):
        open_source("silhouette", None)


@pytest.mark.parametrize(
    ("name", "path", "message"),
    [
        ("folder", None, "needs a path"),
        ("archive", None, "needs a path"),
        ("silhouettes", None, "needs a path"),
        ("folder", "missing", "does not exist"),
        ("archive", "missing.zip", "does not exist"),
        ("digits", ".", "takes no path"),
        ("archive", ".", r"is a folder.* folder=\.$"),
        ("folder", "file", "^file is a file.*folder"),
        ("folder", "a.zip", r"is a file.* archive=a\.zip$"),
        ("folder", "a b.tar.gz", r"archive='a b\.tar\.gz'$"),
        ("silhouettes", "file", "is not the wheel"),
        ("silhouettes", ".", "is not the wheel"),
        ("textiles", None, "needs a path"),
        ("textiles", "file", "is not the wheel"),
    ],
)
def test_a_path_that_does_not_suit_the_source_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, path: str | None, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_bytes(b"no wheel")
    for packed in ("a.zip", "a b.tar.gz"):
        Path(packed).write_bytes(b"PK")
    with pytest.raises(PetiteError, match=message):
        open_source(name, path if path is None else Path(path))


# --- folders


def test_links_to_files_are_read_and_what_they_lead_to_is_checked_then(tmp_path: Path) -> None:
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(b"outside")
    root = make_folder(tmp_path / "data", {"Cat/1.jpg": b"a", "Dog/1.jpg": b"b"})
    (root / "Cat/link.jpg").symlink_to(outside)
    (root / "Dog/gone.jpg").symlink_to(tmp_path / "nowhere")
    (root / "Dog/circle.jpg").symlink_to(root / "Dog/circle.jpg")
    (root / "Dog/device.jpg").symlink_to("/dev/zero")
    os.mkfifo(root / "Dog/pipe.jpg")
    source = FolderSource(root)
    sizes = {entry.image_id: entry.bytes for entry in source.entries()}
    del sizes["Dog/device.jpg"]  # a device's size is nothing to go by
    assert sizes == {
        **{"Cat/1.jpg": 1, "Dog/1.jpg": 1, "Cat/link.jpg": 7},
        **{"Dog/gone.jpg": 0, "Dog/circle.jpg": 0},
    }
    assert source.read("Cat/link.jpg") == b"outside"
    unread = ["Dog/gone.jpg", "Dog/device.jpg", "Dog/circle.jpg"]
    read = dict(source.read_many(["Cat/1.jpg", *unread, "Dog/1.jpg"]))
    assert (read["Cat/1.jpg"], read["Dog/1.jpg"]) == (b"a", b"b")
    for image_id in unread:
        assert isinstance(read[image_id], UnreadableEntry)
        assert str(read[image_id]).startswith("unreadable: ")


def test_a_file_that_is_gone_since_the_listing_is_unreadable(tmp_path: Path) -> None:
    source = FolderSource(make_folder(tmp_path, TREE))
    list(source.entries())
    (tmp_path / "PetImages/Cat/1.jpg").unlink()
    with pytest.raises(UnreadableEntry, match="No such file"):
        source.read("Cat/1.jpg")


def test_a_file_name_that_is_not_unicode_is_refused(tmp_path: Path) -> None:
    make_folder(tmp_path, TREE)
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/PetImages/Cat/caf\xe9.jpg")).touch()
    except OSError:
        pytest.skip("this file system takes no such name")
    with pytest.raises(PetiteError, match=r"caf\\udce9.*UTF-8"):
        list(FolderSource(tmp_path).entries())


def test_a_file_over_the_limit_is_unreadable(tmp_path: Path) -> None:
    root = make_folder(tmp_path, {"Cat/1.jpg": b"x" * 100, "Dog/1.jpg": b"x" * 101})
    source = FolderSource(root, limits=Limits(max_bytes=100))
    assert source.read("Cat/1.jpg") == b"x" * 100
    with pytest.raises(UnreadableEntry, match="too large"):
        source.read("Dog/1.jpg")


def test_the_fingerprint_of_a_folder_changes_with_its_files_and_only_then(tmp_path: Path) -> None:
    def fingerprint() -> str:
        source = FolderSource(tmp_path)
        return source.fingerprint(sorted(entry.image_id for entry in source.entries()))

    make_folder(tmp_path, TREE)
    (tmp_path / "PetImages/Dog/gone.jpg").symlink_to(tmp_path / "nowhere")
    (tmp_path / "PetImages/Dog/circle.jpg").symlink_to(tmp_path / "PetImages/Dog/circle.jpg")
    cat, dog = tmp_path / "PetImages/Cat/1.jpg", tmp_path / "PetImages/Dog/1.jpg"
    seen = [fingerprint()]
    assert fingerprint() == seen[0]
    (tmp_path / "PetImages/Cat/.DS_Store").touch()
    (tmp_path / ".git").mkdir()
    assert fingerprint() == seen[0]
    for change in (
        lambda: cat.write_bytes(b"longer than it was"),
        lambda: os.utime(cat, ns=(0, 1)),
        lambda: dog.rename(dog.with_name("3.jpg")),
        lambda: cat.unlink(),
        lambda: dog.write_bytes(b"new"),
    ):
        change()
        seen.append(fingerprint())
    assert len(set(seen)) == len(seen)


# --- archives

PETS = {"Cat/1.jpg": b"a", "Dog/1.jpg": b"b"}


@pytest.mark.parametrize("make", [make_zip, make_tar])
@pytest.mark.parametrize(
    "name",
    ["../Cat/2.jpg", "Cat/../../2.jpg", "/etc/passwd", "..", "..\\x.jpg", "C:\\x.jpg", "\\x.jpg"]
    + ["__MACOSX/../x.jpg", "C:/x.jpg"],
)
def test_an_archive_with_a_path_that_leads_out_is_refused(
    tmp_path: Path, make: Callable[..., Path], name: str
) -> None:
    path = make(tmp_path / "a", {**PETS, name: b"x"})
    with pytest.raises(PetiteError, match="leads out") as error:
        ArchiveSource(path)
    assert repr(name) in str(error.value)


@pytest.mark.parametrize("make", [make_zip, make_tar])
@pytest.mark.parametrize("name", ["Cat/..jpg", "Cat/a..b.jpg", "Cat/C:x.jpg"])
def test_dots_and_colons_within_a_name_lead_nowhere(
    tmp_path: Path, make: Callable[..., Path], name: str
) -> None:
    with ArchiveSource(make(tmp_path / "a", {**PETS, name: b"x"})) as source:
        listed = {entry.image_id for entry in source.entries()}
    # A file whose name begins with a dot is hidden.
    assert listed == {*PETS} | ({name} - {"Cat/..jpg"})


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["Cat/1.jpg", "./Cat/1.jpg", "Cat//1.jpg"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_with_a_name_twice_is_refused(tmp_path: Path, kind: str, second: str) -> None:
    path = tmp_path / "a"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in (*PETS, second):
                archive.writestr(name, name)
    else:
        with tarfile.open(path, "w") as tar:
            for name in (*PETS, second):
                tar.addfile(tarfile.TarInfo(name))
    with pytest.raises(PetiteError, match="twice"):
        ArchiveSource(path)


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_a_tar_with_a_device_is_refused(tmp_path: Path, kind: bytes) -> None:
    path = make_tar(tmp_path / "a.tar", PETS)
    with tarfile.open(path, "a") as archive:
        info = tarfile.TarInfo("Cat/link.jpg")
        info.type = kind
        archive.addfile(info)
    with pytest.raises(PetiteError, match=r"'Cat/link.jpg': a device"):
        ArchiveSource(path)


HARD = "hard "


def add_links(path: Path, links: dict[str, str]) -> Path:
    """Add links to a zip or tar, by name; what begins with HARD is a hard link."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path, "a") as archive:
            for name, target in links.items():
                member = zipfile.ZipInfo(name)
                member.create_system, member.external_attr = 3, 0o120777 << 16
                archive.writestr(member, target)
        return path
    with tarfile.open(path, "a") as archive:
        for name, target in links.items():
            info = tarfile.TarInfo(name)
            info.type = tarfile.LNKTYPE if target.startswith(HARD) else tarfile.SYMTYPE
            info.linkname = target.removeprefix(HARD)
            archive.addfile(info)
    return path


LINKS = {
    "Cat/hard.jpg": "hard Cat/1.jpg",
    "Cat/hard dot.jpg": "hard ./Cat/1.jpg",
    "Cat/beside.jpg": "1.jpg",
    "Cat/of the dog.jpg": "../Dog/./1.jpg",
    "Cat/of a link.jpg": "hard.jpg",
    "Cat/through.jpg": "../pool/fish/1.jpg",
    "Fish": "pool/fish",
}
LINKED_TO = {"hard": b"a", "hard dot": b"a", "beside": b"a", "of the dog": b"b", "of a link": b"a"}


def test_links_within_a_tar_are_read_as_what_they_lead_to(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a.tar", {**PETS, "pool/fish/1.jpg": b"c"})
    with ArchiveSource(add_links(path, LINKS)) as source:
        frame = table(source, classes=["Cat", "Fish"])
        read = dict(source.read_many(frame.image_id))
    assert read == {
        "Cat/1.jpg": b"a",
        **{f"Cat/{name}.jpg": data for name, data in LINKED_TO.items()},
        "Cat/through.jpg": b"c",
        "Fish/1.jpg": b"c",
    }
    assert frame.bytes.tolist() == [1] * len(frame)


def test_links_within_a_zip_are_read_as_what_they_lead_to(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {**PETS, ".pool/1.jpg": b"c"})
    with ArchiveSource(add_links(path, {"Cat/2.jpg": "../Dog/1.jpg", "Fish": ".pool"})) as source:
        assert dict(source.read_many(table(source).image_id)) == {
            **PETS,
            "Cat/2.jpg": b"b",
            "Fish/1.jpg": b"c",
        }


@pytest.mark.parametrize("make", [make_zip, make_tar])
@pytest.mark.parametrize(
    ("links", "message"),
    [
        ({"Cat/x.jpg": "/etc/passwd"}, r"'Cat/x.jpg': a link that leads out .*passwd"),
        ({"Cat/x.jpg": "../../x.jpg"}, "leads out"),
        ({"Cat/x.jpg": "C:/x.jpg"}, "leads out"),
        ({"Cat/x.jpg": "y.jpg", "Cat/y.jpg": "/etc/passwd"}, "leads out"),
        ({"Cat/x.jpg": "gone.jpg"}, "'Cat/x.jpg': .*'gone.jpg'"),
        ({"Cat/x.jpg": "1.jpg/y"}, "not in the archive"),
        ({"Cat/x.jpg": "x.jpg"}, "in a loop"),
        ({"Cat/x.jpg": "y.jpg", "Cat/y.jpg": "x.jpg"}, "in a loop"),
        ({"Cat/x": "y/z", "Cat/y": "x/z"}, "in a loop"),
        ({"Cat/x": ".."}, "'Cat/x': .*'..'"),
        ({"Cat/x": "."}, "'Cat/x': .*'.'"),
        ({"Dog": "Cat"}, "twice"),
    ],
)
def test_a_link_that_leads_out_of_an_archive_or_nowhere_is_refused(
    tmp_path: Path, make: Callable[..., Path], links: dict[str, str], message: str
) -> None:
    path = add_links(make(tmp_path / "a", PETS), links)
    with pytest.raises(PetiteError, match=message):
        ArchiveSource(path)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("/etc/passwd", "leads out"),
        ("../x.jpg", "leads out"),
        ("Cat/gone.jpg", "not in the archive"),
        ("Cat/x.jpg", "in a loop"),
    ],
)
def test_a_hard_link_that_leads_out_of_a_tar_or_nowhere_is_refused(
    tmp_path: Path, target: str, message: str
) -> None:
    path = add_links(make_tar(tmp_path / "a", PETS), {"Cat/x.jpg": HARD + target})
    with pytest.raises(PetiteError, match=message):
        ArchiveSource(path)


def test_links_that_are_no_images_of_a_class_are_passed_over_wherever_they_lead(
    tmp_path: Path,
) -> None:
    links = {".git/x": "/etc", "__MACOSX/x": "gone", "Cat/notes.txt": "/etc/passwd"}
    with ArchiveSource(add_links(make_tar(tmp_path / "a", PETS), links)) as source:
        assert table(source).image_id.tolist() == list(PETS)


def test_many_links_to_a_large_folder_are_refused_at_max_entries(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a.tar", {f"pool/{number}.jpg": b"x" for number in range(20)})
    add_links(path, {f"class {number}": "pool" for number in range(20)})
    with pytest.raises(PetiteError, match=r"more than 50 .*dataset\.max_entries"):
        ArchiveSource(path, Limits(max_entries=50))


def patch_zip(path: Path, offset: int, value: bytes) -> None:
    """Overwrite a field of the last entry in a zip's directory."""
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\x01\x02")
    data[entry + offset : entry + offset + len(value)] = value
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [(8, b"\x01\x00", "'Dog/1.jpg': encrypted"), (10, b"\x09\x00", "'Dog/1.jpg': .*method 9")],
)
def test_a_zip_that_cannot_be_unpacked_here_is_refused(
    tmp_path: Path, offset: int, value: bytes, message: str
) -> None:
    path = make_zip(tmp_path / "a.zip", PETS)
    patch_zip(path, offset, value)
    with pytest.raises(PetiteError, match=message):
        ArchiveSource(path)


def test_a_zip_from_windows_with_backslashes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("Pets\\Cat\\", "Pets\\Cat\\1.jpg", "Pets\\Dog\\1.jpg"):
            info = zipfile.ZipInfo(name)
            info.create_system = 0
            archive.writestr(info, b"" if name.endswith("\\") else b"x")
    with ArchiveSource(path) as source:
        assert table(source).image_id.tolist() == ["Cat/1.jpg", "Dog/1.jpg"]


def test_a_zip_with_backslashes_alone_is_read_whatever_made_it(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {f"Pets\\{pet}\\1.jpg": b"x" for pet in ("Cat", "Dog")})
    with ArchiveSource(path) as source:
        assert table(source).image_id.tolist() == ["Cat/1.jpg", "Dog/1.jpg"]


def test_a_backslash_in_a_name_of_a_zip_with_slashes_is_a_part_of_it(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"Cat/a\\b.jpg": b"x", "Dog/1.jpg": b"x"})
    with ArchiveSource(path) as source:
        assert table(source).image_id.tolist() == ["Cat/a\\b.jpg", "Dog/1.jpg"]


def test_backslashes_lead_out_of_no_zip(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"Cat\\..\\..\\1.jpg": b"x", "Dog\\1.jpg": b"x"})
    with pytest.raises(PetiteError, match="leads out of the archive"):
        ArchiveSource(path)


def test_empty_folders_in_an_archive_are_no_entries(tmp_path: Path) -> None:
    zipped = make_zip(tmp_path / "a.zip", {**PETS, "Frog/": b""})
    tarred = make_tar(tmp_path / "a.tar", PETS)
    with tarfile.open(tarred, "a") as archive:
        info = tarfile.TarInfo("Frog")
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
    for path in (zipped, tarred):
        with ArchiveSource(path) as source:
            assert table(source).image_id.tolist() == list(PETS)


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_a_compression_bomb_is_unreadable_and_the_rest_is_not(tmp_path: Path, kind: str) -> None:
    tree = {"Cat/bomb.jpg": bytes(5_000_000), "Cat/fits.jpg": bytes(1000), "Dog/1.jpg": b"dog"}
    path = MAKERS[kind][1](tmp_path / "a", tree)
    with ArchiveSource(path, limits=Limits(max_bytes=1000)) as source:
        read = dict(source.read_many(tree))
    assert isinstance(read["Cat/bomb.jpg"], UnreadableEntry)
    assert read["Cat/bomb.jpg"].reason == "too large: more than 0.001 MB (dataset.max_bytes)"
    assert read["Cat/fits.jpg"] == bytes(1000)
    assert read["Dog/1.jpg"] == b"dog"


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_with_an_entry_packed_a_thousandfold_is_refused(tmp_path: Path, method: int) -> None:
    path = make_zip(tmp_path / "a.zip", {**PETS, "Dog/bomb.jpg": bytes(30_000_000)}, method)
    with pytest.raises(PetiteError, match=r"'Dog/bomb.jpg': unpacks to 30 MB, more than 1000"):
        ArchiveSource(path)


def test_a_zip_whose_entries_share_their_packed_bytes_is_refused(tmp_path: Path) -> None:
    # Each is packed about 500-fold, which may be; all of them stand for 600 MB in 40 kB.
    path = tmp_path / "a.zip"
    block = np.random.default_rng(0).bytes(2000).ljust(1_000_000, b"\0")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Cat/0.jpg", block * 20)
        for number in range(1, 30):
            again = copy.copy(archive.infolist()[0])
            again.filename = f"Dog/{number}.jpg"
            archive.filelist.append(again)
    with pytest.raises(PetiteError, match=r"'Dog/\d+.jpg': unpacks to"):
        ArchiveSource(path)


@pytest.mark.parametrize("mode", ["w:xz", "w:bz2", "w:gz"])
def test_a_tar_that_unpacks_a_thousandfold_is_refused_before_it_is_unpacked(
    tmp_path: Path, mode: str
) -> None:
    # The header announces 100 GB that are not there: reading on would find the archive cut short.
    path = make_tar(tmp_path / "a.tar", PETS, mode)
    bomb = tarfile.TarInfo("Dog/bomb.jpg")
    bomb.size = 10**11
    with tarfile.open(path, mode) as archive:
        archive.addfile(tarfile.TarInfo("Cat/1.jpg"))
        archive.fileobj.write(bomb.tobuf())  # type: ignore[union-attr]
    with pytest.raises(PetiteError, match=r"'Dog/bomb.jpg': unpacks to 100000 MB, more than"):
        ArchiveSource(path)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_tar_with_gigabytes_of_attributes_is_refused_before_they_are_read(
    tmp_path: Path, kind: bytes
) -> None:
    path = tmp_path / "a.tar.gz"
    header = tarfile.TarInfo("Cat/attributes")
    header.type, header.size = kind, 5_000_000_000
    with gzip.open(path, "wb") as file:
        file.write(header.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
    with pytest.raises(PetiteError, match=r"'Cat/attributes': .* 5000 MB"):
        ArchiveSource(path)


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_an_archive_with_too_many_entries_is_refused_at_the_first_beyond(
    tmp_path: Path, kind: str
) -> None:
    path = MAKERS[kind][1](tmp_path / "a", {**PETS, "Dog/2.jpg": b"c"})
    assert len(list(ArchiveSource(path, Limits(max_entries=3)).entries())) == 3
    with pytest.raises(PetiteError, match=r"'Dog/2.jpg': .* more than 2 .*dataset\.max_entries"):
        ArchiveSource(path, Limits(max_entries=2))


def test_a_zip_entry_that_says_it_is_small_is_not_believed(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"Cat/1.jpg": b"a", "Dog/1.jpg": bytes(5_000_000)})
    patch_zip(path, 24, (100).to_bytes(4, "little"))
    with ArchiveSource(path) as source, pytest.raises(UnreadableEntry, match="damaged"):
        source.read("Dog/1.jpg")


def test_a_damaged_zip_entry_is_unreadable_and_the_rest_is_not(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).bytes(10_000)
    path = make_zip(tmp_path / "a.zip", {"Cat/1.jpg": noise, "Dog/1.jpg": b"dog"})
    data = bytearray(path.read_bytes())
    data[5000] ^= 0xFF
    path.write_bytes(data)
    with ArchiveSource(path) as source:
        read = dict(source.read_many(["Cat/1.jpg", "Dog/1.jpg"]))
    assert isinstance(read["Cat/1.jpg"], UnreadableEntry)
    assert read["Dog/1.jpg"] == b"dog"


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.9])
def test_an_archive_that_was_cut_short_is_refused(tmp_path: Path, kind: str, share: float) -> None:
    noise = np.random.default_rng(1)
    tree = {f"{name}/{i}.jpg": noise.bytes(2000) for name in ("Cat", "Dog") for i in range(20)}
    path = MAKERS[kind][1](tmp_path / "a", tree)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(PetiteError, match="again"):
        ArchiveSource(path)


def test_a_tar_cut_between_two_members_is_refused(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a.tar", {**PETS, "Dog/2.jpg": b"c"})
    path.write_bytes(path.read_bytes()[: 2 * 1024])
    with pytest.raises(PetiteError, match="no end mark"):
        ArchiveSource(path)


def test_a_tar_with_a_damaged_header_in_its_midst_is_refused(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a.tar", {**PETS, "Dog/2.jpg": b"c"})
    data = bytearray(path.read_bytes())
    data[1024 + 150] ^= 0xFF  # in the checksum of the second header
    path.write_bytes(data)
    with pytest.raises(PetiteError, match="damaged"):
        ArchiveSource(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an archive"),
        (b"<!DOCTYPE html><title>Log in</title>", "web page"),
        (gzip.compress(b"no tar", mtime=0), "not an archive"),
        (bz2.compress(b"no tar"), "not an archive"),
        (lzma.compress(b"no tar"), "not an archive"),
        (b"Rar!\x1a\x07\x01\x00", "not an archive"),
    ],
)
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(PetiteError, match=message):
        ArchiveSource(path)


def test_a_tar_that_ends_with_a_zip_is_read_as_a_tar(tmp_path: Path) -> None:
    inner = make_zip(tmp_path / "inner.zip", PETS).read_bytes()
    path = make_tar(tmp_path / "a.tar", {"Cat/1.jpg": b"x", "Dog/inner.zip": inner})
    with ArchiveSource(path) as source:
        assert source.read("Dog/inner.zip") == inner


def test_the_real_photographs_are_listed_whole(photo_archive: Path) -> None:
    with open_source("archive", photo_archive) as source:
        frame = table(source)
        read = dict(source.read_many(["Dog/1.jpg", "Cat/1.jpg", "Cat/zero.jpg"]))
    assert len(frame) == 15_043
    assert frame.class_name.unique().tolist() == ["Cat", "Dog"]
    assert frame.image_id.is_unique
    assert frame.image_id[:5].tolist() == [f"Cat/{n}.jpg" for n in (1, 2, 3, 5, 6)]
    assert read["Cat/zero.jpg"] == b""
    for image_id in ("Dog/1.jpg", "Cat/1.jpg"):
        data = read[image_id]
        assert isinstance(data, bytes)
        assert data.startswith(b"\xff\xd8")
        assert frame.set_index("image_id").bytes[image_id] == len(data)


# --- digits


def test_digits_are_gray_images_over_the_whole_range(digits: Source) -> None:
    entries = list(digits.entries())
    assert len(entries) == 1797
    assert entries[0] == Entry("0/0000", "0", 64)
    assert {entry.class_name for entry in entries} == set("0123456789")
    pixels = np.stack([data for _, data in digits.read_many(e.image_id for e in entries)])
    assert pixels.shape == (1797, 8, 8)
    assert pixels.dtype == np.uint8
    assert (pixels.min(), pixels.max()) == (0, 255)


def test_digits_are_scikit_learns_in_their_order(digits: Source) -> None:
    from sklearn.datasets import load_digits

    original = load_digits()
    third_seven = original.images[np.flatnonzero(original.target == 7)[2]]
    np.testing.assert_allclose(digits.read("7/0002"), third_seven / 16 * 255, atol=0.5)


# --- silhouettes


def test_the_real_wheel_has_ten_animals_of_a_thousand_silhouettes(silhouettes_wheel: Path) -> None:
    with open_source("silhouettes", silhouettes_wheel) as source:
        frame = table(source)
        read = dict(source.read_many(frame.image_id))
    assert frame.class_name.value_counts().to_dict() == dict.fromkeys(CLASSES, 1000)
    with zipfile.ZipFile(silhouettes_wheel) as wheel:
        images = pickle.loads(gzip.decompress(wheel.read(IMAGES_MEMBER)))
        labels = pickle.loads(gzip.decompress(wheel.read(LABELS_MEMBER)))
    assert (read["cat/0012"] == images[labels == 2][12]).all()
    assert (read["dog/0999"] == images[labels == 4][999]).all()


def test_the_script_lists_the_real_wheel(silhouettes_wheel: Path, tmp_path: Path) -> None:
    output = tmp_path / "store" / "listing.parquet"
    chosen = {"classes": ["dog", "cat"], "limit_per_class": 90, "max_bad_share": 0.1}
    command = [sys.executable, str(SCRIPTS / "listing.py"), "--source", "silhouettes"]
    command += ["--path", str(silhouettes_wheel), "--output", str(output)]
    subprocess.run([*command, "--settings", json.dumps(chosen)], check=True)
    frame = pd.read_parquet(output)
    assert frame.class_name.tolist() == ["dog"] * 100 + ["cat"] * 100
    assert frame.image_id.iloc[[0, -1]].tolist() == ["dog/0000", "cat/0099"]


def make_wheel(path: Path, images: Any, labels: Any) -> Path:
    with zipfile.ZipFile(path, "w") as wheel:
        for member, value in ((IMAGES_MEMBER, images), (LABELS_MEMBER, labels)):
            data = value if isinstance(value, bytes) else pickle.dumps(value, protocol=4)
            wheel.writestr(member, gzip.compress(data))
    return path


IMAGES = np.arange(20 * 28 * 28).reshape(20, 28, 28).astype(np.uint8)
LABELS = np.arange(20) % 10


def test_a_wheel_of_the_same_form_is_read(tmp_path: Path) -> None:
    with open_source("silhouettes", make_wheel(tmp_path / "a.whl", IMAGES, LABELS)) as source:
        assert (source.read("zebra/0001") == IMAGES[19]).all()


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (IMAGES[:-1], LABELS),
        (IMAGES.astype(np.int16), LABELS),
        (IMAGES[:, :, :-1], LABELS),
        (IMAGES, LABELS + 1),
        (IMAGES, LABELS - 1),
        (IMAGES, LABELS[:, None]),
        (IMAGES, np.int64(3).reshape(())),
        (IMAGES, LABELS.astype(float)),
        (IMAGES, LABELS.astype(object)),
        (IMAGES, list(LABELS)),
        (IMAGES, b""),
        (IMAGES, b"no pickle"),
        (IMAGES, bytes(65_000_000)),
    ],
)
def test_a_wheel_with_other_arrays_is_refused(tmp_path: Path, images: Any, labels: Any) -> None:
    with pytest.raises(PetiteError, match="is not the wheel"):
        open_source("silhouettes", make_wheel(tmp_path / "a.whl", images, labels))


def test_a_wheel_without_the_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PetiteError, match="is not the wheel"):
        open_source("silhouettes", make_zip(tmp_path / "a.whl", PETS))


def test_a_damaged_wheel_is_refused(tmp_path: Path) -> None:
    path = make_wheel(tmp_path / "a.whl", IMAGES, LABELS)
    data = bytearray(path.read_bytes())
    data[500] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(PetiteError, match="is not the wheel"):
        open_source("silhouettes", path)


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "function", [os.system, eval, exec, open, getattr, __import__, np.load, np.fromfile, np.savez]
)
def test_a_pickle_that_calls_anything_else_is_refused_before_the_call(
    tmp_path: Path, function: Callable[..., Any], protocol: int
) -> None:
    marker = tmp_path / "called"
    argument = {
        os.system: f"touch {marker}",
        eval: f"__import__('pathlib').Path({str(marker)!r}).touch()",
        exec: f"__import__('pathlib').Path({str(marker)!r}).touch()",
    }.get(function, str(marker))
    hostile = pickle.dumps([IMAGES[0, 0, :1], Calls(function, argument)], protocol=protocol)
    with pytest.raises(pickle.UnpicklingError):
        load_array(hostile)
    assert not marker.exists()


@pytest.mark.parametrize("function", [os.system, eval, np.load])
def test_a_hostile_pickle_in_place_of_the_images_is_refused_with_its_name(
    tmp_path: Path, function: Callable[..., Any]
) -> None:
    path = make_wheel(tmp_path / "a.whl", Calls(function, "1"), LABELS)
    with pytest.raises(PetiteError, match=rf"asks for .*{function.__name__}"):
        open_source("silhouettes", path)


ALLOWED_GLOBALS = [
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
]
PARTS = st.sampled_from(
    [*sum(ALLOWED_GLOBALS, ()), "builtins", "os", "numpy.lib", "system", "eval", "fromfile"]
    + ["ndarray.tofile", "dtype.__class__", "ndarray.__reduce__"]
)


@given(PARTS, PARTS)
def test_no_other_global_is_given_out(module: str, name: str) -> None:
    if (module, name) in ALLOWED_GLOBALS:
        return
    # Protocol 4 resolves dotted names within a module.
    parts = b"".join(b"\x8c" + bytes([len(part)]) + part.encode() for part in (module, name))
    with pytest.raises(pickle.UnpicklingError, match="does not need"):
        load_array(b"\x80\x04" + parts + b"\x93.")


@given(
    hnp.arrays(
        st.one_of(hnp.integer_dtypes(), hnp.unsigned_integer_dtypes()),
        hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5),
    ),
    st.sampled_from([3, 4]),
)
def test_any_array_of_whole_numbers_survives_pickling(
    array: np.ndarray[Any, Any], protocol: int
) -> None:
    loaded = load_array(pickle.dumps(array, protocol=protocol))
    assert loaded.dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(loaded, array)


@given(st.integers(0, 200), st.binary(max_size=5), st.integers(0, 200))
def test_a_broken_pickle_is_refused_or_still_an_array(start: int, noise: bytes, cut: int) -> None:
    good = pickle.dumps(LABELS, protocol=4)
    broken = good[:start] + noise + good[start + cut :]
    with contextlib.suppress(pickle.UnpicklingError):
        assert load_array(broken).dtype.kind in "iu"


# --- textiles


def make_textiles(path: Path, counts: dict[str, int], folder: str = "simulated") -> Path:
    """A wheel like that of the textiles, but smaller."""
    package, info = "conformal_clip_data", "conformal_clip_data-0.1.4.dist-info"
    tree = {f"{package}/__init__.py": b"", f"{info}/licenses/LICENSE": b"MIT", f"{info}/WHEEL": b""}
    for name, count in counts.items():
        for number in range(1, count + 1):
            place = f"{package}/data/textile_images/{folder}/{name}/textile_{number:04d}.jpg"
            tree[place] = f"{name} {number} ".encode() * 200
    return make_zip(path, tree)


TEXTILES = {"nominal": 12, "local": 3, "global": 2}


def test_the_textiles_are_the_folders_in_the_wheel_and_nothing_else_is(tmp_path: Path) -> None:
    with open_source("textiles", make_textiles(tmp_path / "a.whl", TEXTILES)) as source:
        frame = table(source, classes=["nominal", "local", "global"])
        read = dict(source.read_many(frame.image_id))
        assert table(source).class_name.value_counts().to_dict() == TEXTILES
    assert frame.class_name.tolist() == ["nominal"] * 12 + ["local"] * 3 + ["global"] * 2
    assert frame.image_id[0] == "nominal/textile_0001.jpg"
    assert read["global/textile_0002.jpg"] == b"global 2 " * 200


def test_the_real_wheel_has_a_thousand_sound_textiles_and_five_hundred_of_each_defect(
    textiles_wheel: Path,
) -> None:
    with open_source("textiles", textiles_wheel) as source:
        frame = table(source)
        pictures = [source.read(image_id) for image_id in frame.image_id[::250]]
    sizes = {"nominal": 1000, "local": 500, "global": 500}
    assert frame.class_name.value_counts().to_dict() == sizes
    for picture in pictures:
        assert isinstance(picture, bytes)
        assert Image.open(io.BytesIO(picture)).size == (250, 250)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def with_a_damaged_directory(path: Path) -> None:
    with zipfile.ZipFile(path) as wheel:
        start = wheel.start_dir
    data = bytearray(path.read_bytes())
    data[start] ^= 0xFF
    path.write_bytes(data)


def in_another_folder(path: Path) -> None:
    make_textiles(path, TEXTILES, folder="other")


def without_a_class(path: Path) -> None:
    make_textiles(path, {"nominal": 12, "local": 3})


def with_another_class(path: Path) -> None:
    make_textiles(path, TEXTILES | {"torn": 3})


def of_another_package(path: Path) -> None:
    make_zip(path, PETS)


def of_a_web_page(path: Path) -> None:
    path.write_bytes(b"<!DOCTYPE html><title>Log in</title>")


def of_nothing(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    "spoil",
    [
        *(cut, with_a_damaged_directory, in_another_folder, without_a_class, with_another_class),
        *(of_another_package, of_a_web_page, of_nothing),
    ],
)
def test_a_file_that_is_not_the_wheel_of_the_textiles_is_refused_in_one_sentence(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    path = make_textiles(tmp_path / "a.whl", TEXTILES)
    spoil(path)
    with pytest.raises(
        PetiteError, match=r"a\.whl is not the wheel of conformal-clip-data"
    ) as said:
        open_source("textiles", path)
    assert "\n" not in str(said.value)


def test_a_damaged_textile_is_unreadable_and_the_rest_is_not(tmp_path: Path) -> None:
    path = make_textiles(tmp_path / "a.whl", TEXTILES)
    with zipfile.ZipFile(path) as wheel:
        info = wheel.getinfo(next(name for name in wheel.namelist() if name.endswith("0002.jpg")))
    data = bytearray(path.read_bytes())
    data[info.header_offset + zipfile.sizeFileHeader + len(info.filename) + 5] ^= 0xFF
    path.write_bytes(data)
    with open_source("textiles", path) as source:
        read = dict(source.read_many(table(source).image_id))
    unread = [name for name, data in read.items() if isinstance(data, UnreadableEntry)]
    assert unread == ["nominal/textile_0002.jpg"]
