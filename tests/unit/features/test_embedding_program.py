"""Embeddings by a program of the user's."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from petite import config
from petite.data.sources import listing, open_source
from petite.data.store import Store, shard_record, write_shard
from petite.features.embedding import EmbeddingRecord, read_embeddings
from petite.features.embedding_program import Program, embed_shard_by_program
from petite.util import command
from petite.util.errors import PetiteError
from petite.util.files import read_json, write_json, write_table

REPOSITORY = Path(__file__).resolve().parents[3]
SCRIPT = REPOSITORY / "scripts/embed_program.py"
SIDE = 16
COUNT = 7
ALL: dict[str, Any] = {"classes": None, "limit_per_class": None, "max_bad_share": 0.5}
PRELUDE = """
import csv, os, sys, time
import numpy as np
from PIL import Image
files = [row["file"] for row in csv.DictReader(open(sys.argv[1]))]
images = [np.asarray(Image.open(file)) for file in files]
means = np.array([[image.mean(), image.std()] for image in images])
out = sys.argv[2]
"""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each picture has a gray level of its own; one file is not a picture."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(COUNT):
        path = folder / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        gray = Image.new("L", (20 + number, 30), 10 * number)
        gray.convert("L" if number % 3 else "RGB").save(path)
    (folder / "a" / "no picture.png").write_bytes(b"no picture")
    return folder


class Embedding:
    """A shard that a program embeds."""

    def __init__(self, pictures: Path, folder: Path) -> None:
        self.pictures, self.folder = pictures, folder
        self.path = folder / "1-of-1.npy"
        self.scratch = folder / "scratch"
        self.scratch.mkdir()

    def write(self, body: str) -> str:
        """Write a program, and give its command."""
        path = self.folder / "the program.py"
        path.write_text(PRELUDE + body)
        return f"'{sys.executable}' '{path}' {{images}} {{embeddings}} {{threads}}"

    def done(self, template: str, max_seconds: float = 600) -> EmbeddingRecord:
        with (
            pytest.MonkeyPatch.context() as patch,
            open_source("folder", self.pictures) as source,
        ):
            patch.setattr("tempfile.tempdir", str(self.scratch))
            rows = listing(source, **ALL)
            program = Program(template, SIDE, threads=3, max_seconds=max_seconds)
            return embed_shard_by_program(source, rows, program, self.path)

    def failed(self, body: str, **limits: float) -> str:
        """The message of a program that fails, which writes nothing and leaves nothing behind."""
        with pytest.raises(PetiteError) as error:
            self.done(self.write(body), **limits)
        assert not self.path.exists()
        assert list(self.scratch.iterdir()) == []
        return str(error.value)


@pytest.fixture
def embedding(pictures: Path, tmp_path: Path) -> Embedding:
    return Embedding(pictures, tmp_path)


def test_each_image_has_the_row_that_the_program_wrote_for_it(embedding: Embedding) -> None:
    body = f"""
assert all(image.shape == ({SIDE}, {SIDE}, 3) for image in images)
assert os.listdir(".") == [] and sys.argv[3] == os.environ["OMP_NUM_THREADS"] == "3"
np.save(out, means)
"""
    record = embedding.done(embedding.write(body))
    made = np.load(embedding.path)
    with open_source("folder", embedding.pictures) as source:
        ids = listing(source, **ALL)["image_id"].tolist()
    assert made.dtype == np.float32
    for image_id, row in zip(ids, made, strict=True):
        name = Path(image_id).stem
        if name == "no picture":
            assert np.isnan(row).all()
        else:
            assert row.tolist() == [10 * int(name), 0]
    assert list(record["unread"]) == ["a/no picture.png"]
    assert (record["images"], record["dimensions"]) == (COUNT + 1, 2)
    assert record["backbone"] == "the program.py"
    assert list(embedding.scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("print('no weights'); sys.exit(3)", "no weights"),
        ("", "without writing {embeddings}"),
        ("np.save(out, means[1:])", "6 rows for 7 images"),
        ("np.save(out, np.vstack([means, means]))", "14 rows for 7 images"),
        ("means[2, 1] = np.nan; np.save(out, means)", "row 3"),
        ("means[4, 0] = 1e300; np.save(out, means)", "row 5"),
        ("np.save(out, means[:, 0])", "(7,)"),
        ("np.save(out, means[:, :0])", "(7, 0)"),
        ("np.save(out, means.reshape(7, 2, 1))", "(7, 2, 1)"),
        ("np.save(out, means.astype(str))", "<U"),
        ("np.save(out, np.array([{}] * 7), allow_pickle=True)", ".npy"),
        ("np.save(out, means + 1j)", "complex"),
        ("open(out, 'w').write('1,2')", ".npy"),
        ("open(out, 'w').close()", ".npy"),
        ("np.savez(out, means); os.rename(out + '.npz', out)", "several arrays"),
    ],
)
def test_what_a_program_writes_wrongly_is_one_sentence(
    embedding: Embedding, body: str, said: str
) -> None:
    assert said in embedding.failed(body)


def test_a_program_that_hangs_is_ended_with_the_end_of_its_output(embedding: Embedding) -> None:
    said = embedding.failed("print('waiting', flush=True); time.sleep(600)", max_seconds=3)
    assert "3 s" in said and "waiting" in said


def test_an_edit_of_the_program_is_another_digest(tmp_path: Path) -> None:
    script = tmp_path / "embed.py"
    words = ["python", str(script), "{images}", "{embeddings}"]
    digests = []
    for text in ("a = 1", "a = 2"):
        script.write_text(text)
        digests.append(command.digest_of(words))
    assert len(set(digests)) == 2
    assert command.digest_of([*words, "--large"]) not in digests


def test_the_example_embeds_by_script_and_tells_edges_apart(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    for kind, axis in (("across", 0), ("along", 1)):
        (folder / kind).mkdir(parents=True)
        for number in range(4):
            stripes = np.arange(64) // (3 + number) % 2 * 255
            pixels = np.broadcast_to(np.expand_dims(stripes, 1 - axis), (64, 64))
            Image.fromarray(pixels.astype(np.uint8)).save(folder / kind / f"{number}.png")
    example = REPOSITORY / "examples/hog_backbone.py"
    reading = {"depth": "full", "min_side": 8, "max_pixels": 10**6, "max_seconds": 60}
    settings = {
        "backbone": {
            "command": f"'{sys.executable}' '{example}' --images {{images}} --out {{embeddings}}",
            "image_size": 64,
        },
        "listing": ALL,
        "max_bytes": 10**6,
        **reading,
    }
    path = tmp_path / "1-of-1.npy"
    call = [sys.executable, SCRIPT, "--source", "folder", "--path", folder, "--shard", "1-of-1"]
    call += ["--max-seconds", "60", "--settings", json.dumps(settings)]
    call += ["--output-embeddings", path, "--output-json", path.with_suffix(".json")]
    finished = subprocess.run([*map(str, call)], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    made = np.load(path)
    assert made.shape == (8, 8 * 8 * 9)
    alike = made @ made.T
    assert alike[:4, :4].min() > 2 * alike[:4, 4:].max()
    record = read_json(path.with_suffix(".json"))
    assert record["settings"] == settings["backbone"]
    assert record["backbone"] == "hog_backbone.py"


def test_shards_of_a_program_fit_together(tmp_path: Path) -> None:
    """A shard without readable images has no dimensions; others must have the same."""
    for number in (1, 2):
        write_shard(tmp_path / f"shards/{number}-of-2.npy", np.zeros((2, 8, 8, 1), np.uint8))
        ids = [f"a/{number}{row}" for row in range(2)]
        rows = pd.DataFrame({"image_id": ids})
        write_table(tmp_path / f"shards/{number}-of-2.parquet", rows)
    index = pd.DataFrame(
        {
            "image_id": ["a/10", "a/11", "a/20", "a/21"],
            "status": ["set_aside", "set_aside", "ok", "ok"],
            "shard": np.int32([0, 0, 1, 1]),
            "row": [0, 1, 0, 1],
        }
    )
    write_table(tmp_path / "index.parquet", index)
    shards = [shard_record(tmp_path / f"shards/{n}-of-2.npy", tmp_path) for n in (1, 2)]
    manifest = {"format": 1, "classes": ["a"], "image_size": 8, "channels": 1, "shards": shards}
    write_json(tmp_path / "manifest.json", manifest)
    store = Store.open(tmp_path / "manifest.json")

    def written(*widths: int) -> list[Path]:
        from petite.features.io import image_ids_digest

        paths = [tmp_path / f"embeddings/{number}.npy" for number in (1, 2)]
        for number, (path, width) in enumerate(zip(paths, widths, strict=True), start=1):
            path.parent.mkdir(exist_ok=True)
            values = np.arange(2 * width, dtype=np.float32).reshape(2, width)
            np.save(path, values)
            ids = [f"a/{number}{row}" for row in range(2)]
            record = {"digest": "d", "backbone": "embed.py", "dimensions": width, "seconds": 1.0}
            record |= {"unread": {}, "image_ids_sha256": image_ids_digest(ids)}
            write_json(path.with_suffix(".json"), record)
        return paths

    found, _ = read_embeddings(store, ["a/20", "a/21"], written(0, 3))
    assert found.tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(PetiteError, match=r"embed\.py.*2 and 3"):
        read_embeddings(store, ["a/20", "a/21"], written(2, 3))


METHODS = {"methods": {"random": {"fractions": [0.5]}}}
COMMAND = "python embed.py {images} {embeddings}"


def loaded(backbone: dict[str, Any], **sections: Any) -> config.Config:
    return config.load({**METHODS, "backbone": backbone, **sections})


def test_a_program_survives_the_record_of_the_configuration() -> None:
    found = loaded({"command": COMMAND, "max_seconds": 60}).backbone
    assert (found.label, found.max_seconds) == ("python", 60)  # there is no file embed.py
    again = loaded(json.loads(json.dumps(found.model_dump(mode="json")))).backbone
    assert again == found


@pytest.mark.parametrize(
    ("backbone", "key", "said"),
    [
        ({"command": COMMAND + " {seed}"}, "backbone.command", "'seed'"),
        ({"command": "python embed.py {images}"}, "backbone.command", "{embeddings}"),
        ({"command": COMMAND + " > log"}, "backbone.command", "'>'"),
        ({"command": ""}, "backbone.command", "program"),
        ({"command": COMMAND, "name": "keras:ResNet50"}, "backbone", "name"),
        ({"command": COMMAND, "weights": "a.h5"}, "backbone", "weights"),
        ({"command": COMMAND, "scaling": "raw"}, "backbone", "scaling"),
        ({"command": COMMAND, "max_seconds": 0}, "backbone.max_seconds", "0"),
        ({"command": COMMAND, "file": ["a"]}, "backbone.file", "'files'"),
        ({"files": ["a.py"]}, "backbone", "files"),
    ],
)
def test_a_wrong_program_is_refused_by_its_key(
    backbone: dict[str, Any], key: str, said: str
) -> None:
    with pytest.raises(PetiteError) as error:
        loaded(backbone)
    assert key in str(error.value) and said in str(error.value)


def test_a_program_cannot_be_fine_tuned() -> None:
    with pytest.raises(PetiteError, match=r"judges\.fine_tune"):
        loaded({"command": COMMAND}, judges={"fine_tune": {}})
