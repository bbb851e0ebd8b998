"""Copies from object stores: a store in memory that breaks on request, and a real S3 server."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from row_pictures import encoded, listed

from petite.config import load
from petite.data import remote
from petite.data.remote import INVENTORY, copy_file, copy_folder
from petite.data.sources import open_source
from petite.util.errors import PetiteError

CONTENT = np.random.default_rng(0).bytes(100_000)


class Breaking(MemoryFileSystem):
    """A store whose next answers are those of `plan`: an error to raise, or a number of bytes."""

    protocol = "breaking"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    plan: ClassVar[list[Exception | int | None]] = []
    asked: ClassVar[list[tuple[str, int]]] = []

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(path.removeprefix("breaking://"))

    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **options: Any
    ) -> bytes:
        Breaking.asked.append((path, start or 0))
        answer = Breaking.plan.pop(0) if Breaking.plan else None
        if isinstance(answer, Exception):
            raise answer
        return super().cat_file(path, start, end)[:answer]

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        info = super().info(path, **options)
        return (
            info | {"ETag": hash(bytes(self.store[path].getbuffer()))}
            if (info["type"] == "file")
            else info
        )


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Breaking]:
    fsspec.register_implementation("breaking", Breaking, clobber=True)
    monkeypatch.setattr(remote, "BLOCK", 30_000)
    Breaking.plan, Breaking.asked = [], []
    found = fsspec.filesystem("breaking", skip_instance_cache=True)
    yield found
    found.store.clear()


def test_a_file_is_copied_with_a_record(store: Breaking, tmp_path: Path) -> None:
    store.pipe_file("/bucket/a.zip", CONTENT)
    record = copy_file("breaking://bucket/a.zip", tmp_path / "new/a.zip")
    assert (tmp_path / "new/a.zip").read_bytes() == CONTENT
    assert record == json.loads((tmp_path / "new/a.zip.json").read_text())
    assert record["bytes"] == len(CONTENT)
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == ["a.zip", "a.zip.json"]


def test_an_empty_file_is_copied_too(store: Breaking, tmp_path: Path) -> None:
    store.pipe_file("/bucket/a.zip", b"")
    assert copy_file("breaking://bucket/a.zip", tmp_path / "a.zip")["bytes"] == 0


@pytest.mark.parametrize("cut", [OSError("reset"), RuntimeError("odd"), TimeoutError(), 7])
def test_a_cut_is_resumed_where_it_was(
    store: Breaking, cut: Exception | int, tmp_path: Path
) -> None:
    store.pipe_file("/bucket/a.zip", CONTENT)
    Breaking.plan = [None, None, cut]
    copy_file("breaking://bucket/a.zip", tmp_path / "a.zip", first_wait=0)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert [start for _, start in Breaking.asked] == [0, 30_000, 60_000, 60_000, 90_000]


def test_after_too_many_cuts_the_part_is_kept_for_the_next_call(
    store: Breaking, tmp_path: Path
) -> None:
    store.pipe_file("/bucket/a.zip", CONTENT)
    Breaking.plan = [None, *[OSError("reset by peer")] * 3]
    with pytest.raises(PetiteError, match=r"breaking://bucket/a\.zip.*reset by peer.*kept"):
        copy_file("breaking://bucket/a.zip", tmp_path / "a.zip", retries=2, first_wait=0)
    assert not (tmp_path / "a.zip").exists()
    Breaking.asked = []
    copy_file("breaking://bucket/a.zip", tmp_path / "a.zip")
    assert Breaking.asked[0][1] == 30_000
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


def test_a_file_that_changed_is_copied_from_its_beginning(store: Breaking, tmp_path: Path) -> None:
    store.pipe_file("/bucket/a.zip", CONTENT)
    Breaking.plan = [None, OSError("reset")]
    with pytest.raises(PetiteError):
        copy_file("breaking://bucket/a.zip", tmp_path / "a.zip", retries=0)
    store.pipe_file("/bucket/a.zip", CONTENT[::-1])
    copy_file("breaking://bucket/a.zip", tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (FileNotFoundError("x"), "does not exist"),
        (PermissionError("Forbidden"), "credentials"),
        (type("NoCredentialsError", (Exception,), {})("Unable to locate"), "credentials"),
    ],
)
def test_what_no_retry_can_help_is_said_at_once(
    store: Breaking, error: Exception, part: str, tmp_path: Path
) -> None:
    store.pipe_file("/bucket/a.zip", CONTENT)
    Breaking.plan = [error, AssertionError]
    with pytest.raises(PetiteError, match=part):
        copy_file("breaking://bucket/a.zip", tmp_path / "a.zip", first_wait=60)
    assert len(Breaking.asked) == 1


def test_wrong_addresses_and_digests_are_refused(store: Breaking, tmp_path: Path) -> None:
    store.pipe_file("/bucket/b/a.zip", CONTENT)
    for url, part in (
        ("breaking://bucket/none.zip", "does not exist"),
        ("breaking://bucket/b", "is a folder"),
        ("unknown://bucket/a.zip", "unknown://bucket/a.zip"),
    ):
        with pytest.raises(PetiteError, match=part):
            copy_file(url, tmp_path / "a.zip", retries=0)
    with pytest.raises(PetiteError, match="SHA-256"):
        copy_file("breaking://bucket/b/a.zip", tmp_path / "a.zip", "0" * 64)
    for url in ("breaking://bucket/none", "breaking://bucket/b"):
        with pytest.raises(PetiteError, match=r"no \.parquet files"):
            copy_folder(url, tmp_path / "b", (".parquet",))


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    known = sys.modules["fsspec.registry"]._registry  # type: ignore[attr-defined]
    monkeypatch.delitem(known, "s3", raising=False)
    with pytest.raises(PetiteError, match="pip install s3fs"):
        copy_file("s3://bucket/a.zip", tmp_path / "a.zip")


# --- folders


def fill(store: Any, root: str, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        store.pipe_file(f"{root}/{name}", data)


FILES = {
    "cat/1.png": encoded(1),
    "cat/2.png": encoded(2),
    "dog/1.png": encoded(3),
    "dog/deep/2.png": encoded(4),
    ".hidden/x.png": b"x",
}


def test_a_folder_is_copied_and_read_as_one(store: Breaking, tmp_path: Path) -> None:
    fill(store, "/bucket/pets", FILES)
    record = copy_folder("breaking://bucket/pets/", tmp_path / "pets")
    assert record == json.loads((tmp_path / "pets.json").read_text())
    with open_source("folder", tmp_path / "pets") as source:
        ids = listed(source)["image_id"]
        assert dict(source.read_many(ids)) == {
            name: data for name, data in FILES.items() if not name.startswith(".")
        }


def test_only_changed_files_are_copied_again_and_removed_ones_go(
    store: Breaking, tmp_path: Path
) -> None:
    fill(store, "/bucket/pets", FILES)
    first = copy_folder("breaking://bucket/pets", tmp_path / "pets")
    Breaking.asked = []
    assert copy_folder("breaking://bucket/pets", tmp_path / "pets") == first
    assert Breaking.asked == []
    store.pipe_file("/bucket/pets/cat/1.png", encoded(9))
    store.rm("/bucket/pets/dog/1.png")
    (tmp_path / "pets/cat/2.png").write_bytes(b"cut")
    second = copy_folder("breaking://bucket/pets", tmp_path / "pets")
    assert {path for path, _ in Breaking.asked} == {
        "/bucket/pets/cat/1.png",
        "/bucket/pets/cat/2.png",
    }
    assert second["sha256"] != first["sha256"]
    assert not (tmp_path / "pets/dog/1.png").exists()
    assert (tmp_path / "pets/cat/2.png").read_bytes() == FILES["cat/2.png"]


def test_an_interrupted_folder_goes_on_with_the_files_that_are_missing(
    store: Breaking, tmp_path: Path
) -> None:
    fill(store, "/bucket/pets", FILES)
    Breaking.plan = [None, None, OSError("reset")]
    with pytest.raises(PetiteError, match="reset"):
        copy_folder("breaking://bucket/pets", tmp_path / "pets", retries=0)
    assert not (tmp_path / "pets.json").exists()
    assert len(json.loads((tmp_path / "pets" / INVENTORY).read_text())) == 2
    Breaking.asked = []
    copy_folder("breaking://bucket/pets", tmp_path / "pets")
    assert len(Breaking.asked) == 2


def test_names_that_lead_out_of_the_folder_are_not_copied(store: Breaking, tmp_path: Path) -> None:
    fill(store, "/bucket/pets", FILES)
    store.store["/bucket/pets/../../evil.png"] = store.store["/bucket/pets/cat/1.png"]
    copy_folder("breaking://bucket/pets", tmp_path / "a/pets")
    assert not list(tmp_path.rglob("evil.png"))


# --- the configuration


def settings(default: dict[str, Any], source: str, path: str) -> Any:
    about = {"name": "x", "classes": None, "source": source, "path": path}
    return load({**default, "dataset": {**default["dataset"], **about}}).dataset


@pytest.fixture
def default() -> dict[str, Any]:
    return {"methods": {"full": {"fractions": [1]}}, "dataset": {}}


@pytest.mark.parametrize(
    ("source", "path", "is_folder"),
    [
        ("archive", "s3://bucket/a.zip", False),
        ("archive", "gs://bucket/a.tar.gz", False),
        ("parquet", "s3://bucket/a.parquet", False),
        ("parquet", "https://a.example/a.parquet", False),
        ("parquet", "https://a.example/a.parquet?download=true", False),
        ("parquet", "s3://bucket/data", True),
        ("npz", "https://a.example/mnist.npz", False),
        ("webdataset", "s3://bucket/train-0.tar", False),
        ("webdataset", "s3://bucket/tars/", True),
        ("huggingface", "s3://bucket/saved", True),
        ("folder", "s3://bucket/pets", True),
    ],
)
def test_addresses_of_files_and_folders_are_told_apart(
    default: dict[str, Any], source: str, path: str, is_folder: bool
) -> None:
    found = settings(default, source, path)
    assert found.is_remote and found.is_remote_folder == is_folder


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("lsun", "s3://bucket/lsun"),
        ("folder", "https://a.example/pets"),
        ("huggingface", "https://a.example/saved"),
        ("parquet", "https://a.example/data"),
        ("parquet", "s3://bucket/train-*.parquet"),
        ("webdataset", "s3://bucket/train-[01].tar"),
        ("archive", "s4://bucket/a.zip"),
        ("archive", "memory://a.zip"),
        ("archive", "file:///a.zip"),
    ],
)
def test_addresses_that_cannot_be_read_are_refused(
    default: dict[str, Any], source: str, path: str
) -> None:
    with pytest.raises(PetiteError, match=r"dataset\.path"):
        settings(default, source, path)


# --- a real S3 server


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """A file system on moto's S3 server on loopback, with an empty bucket."""
    s3fs = pytest.importorskip("s3fs")
    moto = pytest.importorskip("moto.server")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    named = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "someone",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    before = {name: os.environ.get(name) for name in named}
    os.environ.update(named)
    found = s3fs.S3FileSystem(skip_instance_cache=True)
    found.mkdir("bucket")
    yield found
    server.stop()
    for name, value in before.items():
        os.environ.pop(name)
        if value is not None:
            os.environ[name] = value


def test_a_file_of_s3_is_copied(s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "BLOCK", 30_000)
    s3.pipe_file("bucket/data/a.zip", CONTENT)
    record = copy_file("s3://bucket/data/a.zip", tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert record["url"] == "s3://bucket/data/a.zip"
    s3.pipe_file("bucket/data/a.zip", CONTENT[:50_000])
    copy_file("s3://bucket/data/a.zip", tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT[:50_000]


def test_a_cut_copy_from_s3_is_resumed(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "BLOCK", 30_000)
    s3.pipe_file("bucket/data/b.zip", CONTENT)
    kind, asked = type(s3), []
    ask = kind._cat_file

    async def cut(self: Any, path: str, start: int, end: int) -> bytes:
        asked.append(start)
        if len(asked) == 3:
            raise OSError("connection reset")
        return await ask(self, path, start=start, end=end)

    monkeypatch.setattr(kind, "_cat_file", cut)
    kind.clear_instance_cache()
    copy_file("s3://bucket/data/b.zip", tmp_path / "b.zip", first_wait=0)
    assert asked == [0, 30_000, 60_000, 60_000, 90_000]
    assert (tmp_path / "b.zip").read_bytes() == CONTENT


def test_a_folder_of_s3_is_copied_and_later_only_what_changed(s3: Any, tmp_path: Path) -> None:
    fill(s3, "bucket/pets", FILES)
    first = copy_folder("s3://bucket/pets", tmp_path / "pets")
    with open_source("folder", tmp_path / "pets") as source:
        assert len(listed(source)) == 4
    times = {file: file.stat().st_mtime_ns for file in (tmp_path / "pets").rglob("*.png")}
    s3.pipe_file("bucket/pets/cat/1.png", encoded(9))
    assert copy_folder("s3://bucket/pets", tmp_path / "pets") != first
    changed = {file.name for file, time in times.items() if file.stat().st_mtime_ns != time}
    assert changed == {"1.png"} and (tmp_path / "pets/cat/1.png").read_bytes() == encoded(9)


def test_what_s3_does_not_have_is_refused(s3: Any, tmp_path: Path) -> None:
    for url in ("s3://bucket/none.zip", "s3://no-bucket/a.zip"):
        with pytest.raises(PetiteError, match="does not exist"):
            copy_file(url, tmp_path / "a.zip", first_wait=0, retries=1)
    with pytest.raises(PetiteError, match="no files"):
        copy_folder("s3://bucket/nothing", tmp_path / "x")
