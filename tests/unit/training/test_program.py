"""A user's program as a judge: what it is given, what it may give, and what it leaves behind."""

import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
from PIL import Image

from petite.data.pictures import stored_pixels
from petite.data.store import Store, shard_record, write_shard
from petite.subsets.seed_tables import SeedTable, tables_of, write_seed_tables
from petite.subsets.synthetic import Crop, mosaic_recipe, pixels_recipe
from petite.training import metrics
from petite.training.program import check_settings, run_job
from petite.training.records import RUN_COLUMNS, Job
from petite.training.scratch import Data
from petite.util.errors import PetiteError
from petite.util.files import write_json, write_table
from petite.util.notices import NOTICE

REPOSITORY = Path(__file__).resolve().parents[3]
SCRIPT = REPOSITORY / "scripts" / "judge_program.py"
CLASSES = ["umbra-class", "lumen-class"]
SIDE = 10
COUNT = 60
# The options of all programs here.
OPTIONS = (
    "--train {train} --validation {validation} --test {test} --seed {seed} --out {predictions} "
    "--threads {threads} --classes {classes}"
)
PRELUDE = """
import argparse, csv, json, os, sys, time
parser = argparse.ArgumentParser()
for name in ("train", "validation", "test", "seed", "out", "threads", "classes"):
    parser.add_argument("--" + name)
args = parser.parse_args()
def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
train, validation, test = read(args.train), read(args.validation), read(args.test)
def write(rows):
    with open(args.out, "w") as file:
        file.writelines(",".join(map(str, row)) + "\\n" for row in rows)
def uniform():
    return [[0.5, 0.5] for _ in test]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 60 images in two shards, the files they were made of, a split, and two subsets.

    The images of a class are next to each other, as those of a folder are.
    """
    root: Path = tmp_path_factory.mktemp("results")
    rng = np.random.default_rng(0)
    labels = np.arange(COUNT) // (COUNT // 2)
    images = rng.integers(0, 110, (COUNT, SIDE, SIDE, 1)) + 120 * labels[:, None, None, None]
    images = images.astype(np.uint8)
    ids = [f"{CLASSES[label]}/image-{row}.png" for row, label in enumerate(labels)]
    for image_id, pixels in zip(ids, images, strict=True):
        path = root / "source" / image_id
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[:, :, 0]).resize((40, 40), Image.Resampling.NEAREST).save(path)
    half = COUNT // 2
    for number in (1, 2):
        write_shard(
            root / f"store/shards/{number}-of-2.npy", images[(number - 1) * half : number * half]
        )
    index = pd.DataFrame(
        {
            "image_id": ids,
            "label": labels.astype(np.int16),
            "status": "ok",
            "shard": np.repeat([0, 1], half).astype(np.int32),
            "row": np.tile(np.arange(half), 2),
        }
    )
    write_table(root / "store/index.parquet", index)
    shards = [
        shard_record(root / f"store/shards/{number}-of-2.npy", root / "store") for number in (1, 2)
    ]
    manifest = {"format": 1, "classes": CLASSES, "image_size": SIDE, "channels": 1}
    write_json(root / "store/manifest.json", manifest | {"shards": shards})
    parts = np.tile(np.repeat(["train", "validation", "test"], [18, 4, 8]), 2)
    split = index[["image_id", "label"]].assign(split=parts)
    write_table(root / "split.parquet", split)
    train = split[split["split"] == "train"]
    write_subset(root / "seed-0.parquet", train.iloc[::3], seed=0)
    write_subset(root / "seed-1.parquet", train.iloc[1::4], seed=1, recipe="horizontal_flip")
    return root


def write_subset(path: Path, rows: pd.DataFrame, seed: int, recipe: str = "") -> None:
    """A subset of these rows; with `recipe`, one more row for each, transformed."""
    subset = rows[["image_id", "label"]].assign(
        origin=rows["image_id"], recipe="", weight=np.linspace(0.5, 1.5, len(rows))
    )
    if recipe:
        new = subset.assign(
            image_id=subset["image_id"] + "~1", recipe=json.dumps({"transform": recipe})
        )
        subset = pd.concat([subset, new], ignore_index=True)
    about = {"images": len(rows), "rows": len(subset), "seed": seed, "stored_bytes": 1234}
    write_seed_tables(path, [(subset, {**about, "seconds": 0.25, "proxy_seconds": 0.2})])


class Judging:
    """A job of the script, its files, and the folder in which it makes its scratch folder."""

    def __init__(self, folder: Path, to: Path) -> None:
        self.folder = folder
        self.to = to
        self.scratch = to / "tmp with space"
        self.scratch.mkdir(parents=True)
        self.log = to / "job.log"
        self.runs = to / "runs.csv"
        self.history = to / "runs.history.csv"
        self.predictions = to / "runs.predictions.npz"

    def write(self, body: str) -> str:
        """Write a program, and give its command."""
        path = self.to / "the program.py"
        path.write_text(PRELUDE + body)
        return f"'{sys.executable}' '{path}' {OPTIONS}"

    def start(
        self, command: str, seeds: tuple[int, ...] = (0, 1), more: Any = (), **settings: Any
    ) -> "subprocess.Popen[str]":
        reading = settings.pop("reading", None)
        own = {"program": {"command": command, **settings}}
        arguments: dict[str, Any] = {
            "--manifest": self.folder / "store/manifest.json",
            "--split": self.folder / "split.parquet",
            "--judge": "mine",
            "--dataset": "shades",
            "--method": "random",
            "--fraction": 0.3,
            "--split-seed": 0,
            "--output-runs": self.runs,
            "--output-history": self.history,
            "--output-predictions": self.predictions,
            "--settings": json.dumps(own | ({"reading": reading} if reading else {})),
            "--threads": 3,
            "--max-seconds": 600,
            "--log": self.log,
        }
        call = [sys.executable, str(SCRIPT)]
        call += [str(text) for pair in arguments.items() for text in pair] + list(more)
        call += ["--subset", *(str(self.folder / f"seed-{seed}.parquet") for seed in seeds)]
        call += ["--seeds", *map(str, seeds)]
        environment = {**os.environ, "TMPDIR": str(self.scratch)}
        return subprocess.Popen(call, text=True, env=environment, cwd=self.to)

    def done_by_script(self, command: str, **arguments: Any) -> None:
        assert self.start(command, **arguments).wait() == 0, self.log.read_text()

    def done(
        self,
        command: str,
        seeds: tuple[int, ...] = (0, 1),
        subsets: Any = None,
        **settings: Any,
    ) -> None:
        """Run a job in this process."""
        store = Store.open(self.folder / "store/manifest.json")
        names = subsets or [f"seed-{seed}.parquet" for seed in seeds]
        tables = tables_of([self.folder / name for name in names], seeds)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tempfile, "tempdir", str(self.scratch))
            run_job(
                Job("mine", "shades", "random", 0.3, split_seed=0, seeds=seeds, subsets=tables),
                Data(store, pd.read_parquet(self.folder / "split.parquet")),
                check_settings({"command": command, **settings}),
                3,
                self.runs,
                self.history,
                self.predictions,
                stored_pixels(store),
            )

    def failed(self, command: str, **arguments: Any) -> str:
        """The message of a job that fails, which writes nothing and leaves nothing behind."""
        with pytest.raises(PetiteError) as error:
            self.done(command, **arguments)
        assert not self.runs.exists() and not self.predictions.exists()
        assert list(self.scratch.iterdir()) == []
        return str(error.value)


@pytest.fixture
def judging(folder: Path, tmp_path: Path) -> Judging:
    return Judging(folder, tmp_path / "job")


def test_the_example_with_scikit_learn_gives_a_row_for_each_seed(judging: Judging) -> None:
    program = REPOSITORY / "examples" / "sklearn_judge.py"
    options = "--train {train} --validation {validation} --test {test} --seed {seed}"
    judging.done_by_script(f"'{sys.executable}' '{program}' {options} --out {{predictions}}")
    runs = pd.read_csv(judging.runs)
    assert list(runs.columns) == RUN_COLUMNS
    assert runs["training_seed"].tolist() == runs["selection_seed"].tolist() == [0, 1]
    assert runs["images"].tolist() == [12, 9]
    assert runs["rows"].tolist() == [12, 18]
    assert runs["model"].tolist() == ["sklearn_judge.py"] * 2
    assert runs["accuracy"].tolist() == [1, 1]
    assert runs["threads"].tolist() == [3, 3]
    assert (runs["train_seconds"] > 0).all() and (runs["peak_memory_bytes"] > 0).all()
    only_the_program_knows = ["steps", "epochs", "batch_size", "parameters", "train_accuracy"]
    assert runs[only_the_program_knows].isna().all(axis=None)
    assert len(pd.read_csv(judging.history)) == 0
    assert list(judging.scratch.iterdir()) == []


def test_the_example_with_pytorch_learns(judging: Judging) -> None:
    python = os.environ.get("PETITE_TORCH_PYTHON", sys.executable)
    if subprocess.run([python, "-c", "import torch"], capture_output=True).returncode:
        pytest.skip("no torch: set PETITE_TORCH_PYTHON to a Python that has it")
    program = REPOSITORY / "examples" / "torch_judge.py"
    options = "--train {train} --test {test} --seed {seed} --steps 30"
    judging.done(f"{python} '{program}' {options} --out {{predictions}}")
    assert pd.read_csv(judging.runs)["accuracy"].min() > 0.9


# Knows the classes by the brightness.
BRIGHTNESS = """
from PIL import Image
import numpy as np
for row in test:
    row["mean"] = np.asarray(Image.open(row["file"])).mean()
write([[1, 0] if row["mean"] < 110 else [0.2, 0.8] for row in test])
"""


def test_predictions_are_kept_in_the_order_of_the_split(judging: Judging) -> None:
    judging.done(judging.write(BRIGHTNESS))
    split = pd.read_parquet(judging.folder / "split.parquet").query("split == 'test'")
    runs = pd.read_csv(judging.runs)
    with np.load(judging.predictions) as kept:
        assert kept["image_ids"].tolist() == split["image_id"].tolist()
        assert kept["labels"].tolist() == split["label"].tolist()
        assert kept["seeds"].tolist() == [0, 1]
        assert kept["probabilities"].dtype == np.float32
        expected = np.where(split["label"].to_numpy()[:, None] == 0, [1, 0], [0.2, 0.8])
        for probabilities, (_, row) in zip(kept["probabilities"], runs.iterrows(), strict=True):
            assert probabilities == pytest.approx(expected)
            judged = metrics.evaluate(probabilities, kept["labels"])
            assert row["accuracy"] == judged["accuracy"] == 1
            assert row["loss"] == pytest.approx(judged["loss"], rel=1e-5)
            assert json.loads(row["confusion"]) == judged["confusion"]


# Keeps what it gets: all arguments, and a copy of the whole folder above its own.
KEEP = """
import shutil
world = os.path.dirname(os.getcwd())
place = {to!r} + "/kept-" + args.seed
shutil.copytree(world, place)
json.dump([sys.argv, dict(os.environ), os.getcwd()], open(place + ".json", "w"))
write(uniform())
"""


def test_what_a_program_gets_for_training(judging: Judging) -> None:
    judging.done(judging.write(KEEP.format(to=str(judging.to))))
    store = Store.open(judging.folder / "store/manifest.json")
    for seed in (0, 1):
        place = judging.to / f"kept-{seed}"
        subset = SeedTable(judging.folder / f"seed-{seed}.parquet", seed).read()
        table = pd.read_csv(place / "train.csv")
        assert list(table.columns) == ["file", "label", "class_name", "weight"]
        assert table["label"].tolist() == subset["label"].tolist()
        assert table["class_name"].tolist() == [CLASSES[label] for label in subset["label"]]
        assert table["weight"].tolist() == pytest.approx(subset["weight"].tolist())
        pixels = store.images(subset["origin"])
        flipped = (subset["recipe"] != "").to_numpy()
        assert flipped.any() == (seed == 1)
        pixels[flipped] = pixels[flipped, :, ::-1]
        # No image of another seed's subset is there.
        assert len(list((place / "train").iterdir())) == len(subset)
        assert (images_of(place, table) == pixels[..., 0]).all()
        validation = pd.read_csv(place / "validation.csv")
        split = pd.read_parquet(judging.folder / "split.parquet").query("split == 'validation'")
        assert validation["label"].tolist() == split["label"].tolist()
        assert (validation["weight"] == 1).all()
        assert (images_of(place, validation) == store.images(split["image_id"])[..., 0]).all()
        arguments, environment, _ = json.loads((judging.to / f"kept-{seed}.json").read_text())
        assert arguments[arguments.index("--seed") + 1] == str(seed)
        assert arguments[arguments.index("--classes") + 1] == "2"
        assert arguments[arguments.index("--threads") + 1] == "3"
        assert environment["OMP_NUM_THREADS"] == "3"


def images_of(place: Path, table: pd.DataFrame) -> np.ndarray:
    """The images of a table whose files were copied to a place."""
    files = [place.joinpath(*Path(file).parts[-2:]) for file in table["file"]]
    return np.stack([np.asarray(Image.open(file)) for file in files])


def test_the_labels_of_the_test_images_are_nowhere_in_what_a_program_gets(
    judging: Judging,
) -> None:
    judging.done(judging.write(KEEP.format(to=str(judging.to))))
    split = pd.read_parquet(judging.folder / "split.parquet")
    label_of = dict(zip(split["image_id"], split["label"], strict=True))
    test = split[split["split"] == "test"]
    store = Store.open(judging.folder / "store/manifest.json")
    image_of = {
        pixels[..., 0].tobytes(): image_id
        for image_id, pixels in zip(test["image_id"], store.images(test["image_id"]), strict=True)
    }
    for seed in (0, 1):
        place = judging.to / f"kept-{seed}"
        table = pd.read_csv(place / "test.csv")
        assert list(table.columns) == ["file"]
        names = [Path(file).name for file in table["file"]]
        assert names == [f"{number:06d}.png" for number in range(len(test))]
        # In the order of the table, no class comes first.
        ids = [image_of[pixels.tobytes()] for pixels in images_of(place, table)]
        assert sorted(ids) == sorted(test["image_id"])
        changes = sum(label_of[a] != label_of[b] for a, b in itertools.pairwise(ids))
        assert changes > 3
        # The files' times say nothing.
        times = {path.stat().st_mtime_ns for path in (place / "test").iterdir()}
        assert len(times) == 1
        for path in place.rglob("*"):
            given = str(path.relative_to(place)).encode() + (
                path.read_bytes() if path.is_file() else b""
            )
            assert b"image-" not in given
            if path.name not in ("train.csv", "validation.csv"):
                assert not any(name.encode() in given for name in CLASSES), path
        said = (judging.to / f"kept-{seed}.json").read_text()
        assert not any(name in said for name in [*CLASSES, "image-", str(judging.folder)])


def test_the_originals_are_decoded_at_the_size_of_the_judge(judging: Judging) -> None:
    source = ["--source", "folder", "--path", str(judging.folder / "source")]
    judging.done_by_script(
        judging.write(KEEP.format(to=str(judging.to))),
        image_size=40,
        reading={"max_bytes": 10**6, "depth": "stretch", "min_side": 8},
        more=source,
    )
    subset = SeedTable(judging.folder / "seed-1.parquet", 1).read()
    table = pd.read_csv(judging.to / "kept-1/train.csv")
    kept = images_of(judging.to / "kept-1", table)
    for row, pixels in zip(subset.itertuples(), kept, strict=True):
        original = np.asarray(Image.open(judging.folder / "source" / str(row.origin)))
        assert (pixels == (original[:, ::-1] if row.recipe else original)).all()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("print('epoch 1'); sys.exit('out of data')", ["status 1", "epoch 1\nout of data"]),
        ("", ["{predictions}"]),
        ("write(uniform()[1:])", ["15 rows", "16 test images"]),
        ("write(uniform() * 2)", ["32 rows", "16 test images"]),
        ("write([])", ["0 rows"]),
        ("write([[0.2, 0.3, 0.5]] * len(test))", ["3 columns", *CLASSES]),
        ("write([[i, *row] for i, row in enumerate(uniform())])", ["3 columns"]),
        ("write([[0.5]] * len(test))", ["1 column"]),
        ("write([*uniform()[:4], [0.1, 0.2, 0.7], *uniform()[5:]])", ["line 5"]),
        ("write([*uniform()[:4], ['nan', 'nan'], *uniform()[5:]])", ["row 5 (000004.png)"]),
        ("write([['nan', 'nan']] * len(test))", ["16 rows", "row 1 "]),
        ("write([*uniform()[:4], [0.5, ''], *uniform()[5:]])", ["row 5 (000004.png)"]),
        ("write([*uniform()[:4], ['inf', 0], *uniform()[5:]])", ["row 5 (000004.png)"]),
        ("write([*uniform()[:4], ['cat', 1], *uniform()[5:]])", ["row 5 (000004.png)"]),
        ("write([*uniform()[:9], [-0.1, 1.1], *uniform()[10:]])", ["row 10 ", "-0.1, 1.1"]),
        ("write([*uniform()[:9], [0.5, 0.49], *uniform()[10:]])", ["row 10 ", "0.99"]),
        ("write([[0, 0]] * len(test))", ["16 rows", "sum 0"]),
        (
            f"write([{CLASSES[::-1]!r}, *uniform()])",
            [", ".join(CLASSES), ", ".join(CLASSES[::-1])],
        ),
        ("open(args.out, 'wb').write(bytes(range(256)) * 9)", ["predictions.csv"]),
    ],
)
def test_what_is_wrong_with_a_program_is_said(judging: Judging, body: str, said: list[str]) -> None:
    message = judging.failed(judging.write(body))
    assert message.startswith("random at 0.3, seed 0: ")
    assert [text for text in said if text not in message] == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("np.save(args.out, np.full((16, 3), 1 / 3))", "3 columns"),
        ("np.save(args.out, np.zeros(16))", "(16,)"),
        ("np.save(args.out, np.array([{}] * 16))", "predictions.npy"),
        ("np.save(args.out, np.array(['a', 'b']))", "<U1"),
        ("np.savez(open(args.out, 'wb'), np.zeros((16, 2)))", "several arrays"),
        ("open(args.out, 'w').write('0.5,0.5')", "predictions.npy"),
        ("np.save(args.out, np.full((16, 2), np.nan))", "row 1 "),
    ],
)
def test_what_is_wrong_with_an_array_is_said(judging: Judging, body: str, said: str) -> None:
    program = judging.write("import numpy as np\n" + body)
    assert said in judging.failed(program, predictions="npy")


@pytest.mark.parametrize(
    ("body", "format"),
    [
        ("write([['p0', 'p1'], *uniform()])", "csv"),
        ("write([['0', '1'], *uniform()])", "csv"),
        (f"write([{CLASSES!r}, *uniform()])", "csv"),
        ("write([[' 1', 0.0004] for _ in test])", "csv"),
        ("import numpy; numpy.save(args.out, numpy.array(uniform(), 'float32'))", "npy"),
    ],
)
def test_all_usual_forms_of_predictions_are_read(judging: Judging, body: str, format: str) -> None:
    judging.done(judging.write(body), predictions=format)
    assert pd.read_csv(judging.runs)["accuracy"].tolist() == [0.5, 0.5]
    with np.load(judging.predictions) as kept:
        assert kept["probabilities"].sum(axis=-1) == pytest.approx(np.ones((2, 16)))


def test_a_second_seed_that_fails_is_named(judging: Judging) -> None:
    message = judging.failed(judging.write("write(uniform()) if args.seed == '0' else exit(4)"))
    assert "seed 1" in message and "status 4" in message


def test_the_log_of_a_job_that_fails_ends_with_one_message(judging: Judging) -> None:
    command = judging.write("print('epoch 1'); sys.exit('out of data')")
    assert judging.start(command).wait() == 1
    log = judging.log.read_text()
    # What the program said stands where it said it, and again at the end.
    assert log.count("epoch 1") == 2 and "Traceback" not in log
    assert log.rstrip().endswith("epoch 1\nout of data")
    assert list(judging.scratch.iterdir()) == []


def test_a_program_that_hangs_is_ended(judging: Judging) -> None:
    # It starts within its time on any machine that starts a Python in it.
    message = judging.failed(
        judging.write("print('waits', flush=True); time.sleep(600)"), max_seconds=4
    )
    assert "after 4 s" in message and message.rstrip().endswith("waits")


def test_a_program_that_is_not_there_is_named(judging: Judging) -> None:
    assert "no-such-trainer" in judging.failed(f"no-such-trainer {OPTIONS}")
    assert "/no/such/trainer" in judging.failed(f"/no/such/trainer {OPTIONS}")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"command": "a {train} {test} {predictions} {tset}"}, ["command", "'tset'", "'test'"]),
        ({"command": "python train.py {train} {test}"}, ["command", "{predictions}"]),
        ({"command": f"a {OPTIONS} | tee log"}, ["command", "'|'"]),
        ({"command": f"a {OPTIONS}", "max_seconds": 0}, ["max_seconds"]),
        ({"command": f"a {OPTIONS}", "predictions": "parquet"}, ["predictions"]),
        ({"command": f"a {OPTIONS}", "image_size": 4}, ["image_size"]),
        ({"command": f"a {OPTIONS}", "comand": "b"}, ["comand"]),
        ({}, ["command"]),
    ],
)
def test_wrong_settings_are_refused_by_their_key(settings: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(PetiteError) as error:
        check_settings(settings)
    assert [text for text in said if text not in str(error.value)] == []


def test_jobs_side_by_side_share_no_files(folder: Path, tmp_path: Path) -> None:
    # Each waits until both run, and writes into its own folder and next to its tables.
    body = """
open("mine", "w").write("x")
open({to!r} + "/runs-" + args.seed, "w").write(os.getcwd())
while not all(os.path.exists(place + "/runs-" + args.seed) for place in {both!r}):
    time.sleep(0.05)
world = os.path.dirname(os.getcwd())
found = [os.path.join(root, name) for root, _, names in os.walk(world) for name in names]
json.dump(found, open({to!r} + "/found-" + args.seed, "w"))
write(uniform())
"""
    jobs = [Judging(folder, tmp_path / name) for name in ("one", "other")]
    for job in jobs:
        job.scratch = tmp_path / "tmp"  # the same for both
    (tmp_path / "tmp").mkdir()
    both = [str(job.to) for job in jobs]
    started = [job.start(job.write(body.format(to=str(job.to), both=both))) for job in jobs]
    assert [process.wait() for process in started] == [0, 0]
    for seed in (0, 1):
        one, other = (json.loads((job.to / f"found-{seed}").read_text()) for job in jobs)
        assert not set(one) & set(other)
        for found in (one, other):
            assert [Path(name).name for name in found].count("mine") == 1
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("value", ["0.5", "0.5 + int(args.seed) / 10"])
def test_a_program_that_is_the_same_for_every_seed_is_noticed(
    judging: Judging, caplog: pytest.LogCaptureFixture, value: str
) -> None:
    body = f"write([[{value}, 1 - ({value})] for _ in test])"
    with caplog.at_level(NOTICE):
        judging.done(judging.write(body), subsets=("seed-0.parquet",))
    notices = [record.message for record in caplog.records if record.levelno == NOTICE]
    assert len(notices) == (value == "0.5")
    assert all("{seed}" in notice for notice in notices)


def test_each_run_begins_in_an_empty_folder(judging: Judging) -> None:
    judging.done(
        judging.write("assert not os.listdir('.')\nopen('best.pt', 'w').close()\nwrite(uniform())")
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_job_ends_the_program_and_removes_its_folder(
    judging: Judging, number: signal.Signals
) -> None:
    body = """
import signal, subprocess
code = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True)"
code += "; time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
child.stdout.readline()
with open({to!r} + "/pids.tmp", "w") as file:
    file.write(str(os.getpid()) + " " + str(child.pid))
os.rename({to!r} + "/pids.tmp", {to!r} + "/pids")
time.sleep(600)
"""
    job = judging.start(judging.write(body.format(to=str(judging.to))))
    pids = judging.to / "pids"
    while not pids.exists():
        assert job.poll() is None, judging.log.read_text()
        time.sleep(0.05)
    programs = [psutil.Process(int(pid)) for pid in pids.read_text().split()]
    job.send_signal(number)
    assert job.wait() == 128 + number
    psutil.wait_procs(programs, timeout=30)
    assert not any(
        program.is_running() and program.status() != psutil.STATUS_ZOMBIE for program in programs
    )
    assert list(judging.scratch.iterdir()) == []
    assert not judging.runs.exists()


def test_a_signal_while_the_folder_is_removed_does_not_leave_it(judging: Judging) -> None:
    # As a run that is stopped does: first what has no children, then the job around it.
    body = """
os.mkdir("../more")
for number in range(20_000):
    open("../more/" + str(number), "w").close()
with open({to!r} + "/pid.tmp", "w") as file:
    file.write(str(os.getpid()))
os.rename({to!r} + "/pid.tmp", {to!r} + "/pid")
time.sleep(600)
"""
    job = judging.start(judging.write(body.format(to=str(judging.to))))
    while not (judging.to / "pid").exists():
        assert job.poll() is None, judging.log.read_text()
        time.sleep(0.05)
    program = psutil.Process(int((judging.to / "pid").read_text()))
    program.terminate()
    while list(judging.scratch.glob("*/run-*")):
        time.sleep(0.001)
    job.terminate()
    assert job.wait() == 128 + signal.SIGTERM
    assert list(judging.scratch.iterdir()) == []


def test_a_split_without_validation_images_gives_an_empty_table(
    folder: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    for name in ("store", "seed-0.parquet", "seed-0.json"):
        (own / name).symlink_to(folder / name)
    split = pd.read_parquet(folder / "split.parquet")
    write_table(own / "split.parquet", split[split["split"] != "validation"])
    judging = Judging(own, tmp_path / "job")
    judging.done(judging.write("assert validation == []\nwrite(uniform())"), seeds=(0,))


def test_a_subset_with_a_test_image_is_refused(judging: Judging, tmp_path: Path) -> None:
    split = pd.read_parquet(judging.folder / "split.parquet")
    path = judging.folder / "seed-9.parquet"
    write_subset(path, split[split["split"] != "validation"], seed=9)
    assert "seed-9.parquet" in judging.failed(judging.write("write(uniform())"), seeds=(9,))


@pytest.mark.parametrize("side", [SIDE, 3 * SIDE])
def test_images_that_a_method_made_are_given_at_the_size_of_the_judge(
    judging: Judging, side: int
) -> None:
    split = pd.read_parquet(judging.folder / "split.parquet")
    real = split[split["split"] == "train"].iloc[[0, 1, 20, 21]]
    crops = [Crop(name, 0, 0, SIDE // 2) for name in real["image_id"]]
    store = Store.open(judging.folder / "store/manifest.json")
    learned = np.full((SIDE, SIDE, 1), 77, np.uint8)
    real_one = "" if side == SIDE else pixels_recipe(learned)  # those of this store are small
    recipes = [real_one, mosaic_recipe(crops), real_one, pixels_recipe(learned)]
    path = judging.folder / "seed-8.parquet"
    write_subset(path, real, seed=8)
    about = SeedTable(path, 8)
    write_seed_tables(path, [(about.read().assign(recipe=recipes), about.record())])
    settings = {} if side == SIDE else {"image_size": side}
    judging.done(judging.write(KEEP.format(to=str(judging.to))), seeds=(8,), **settings)
    table = pd.read_csv(judging.to / "kept-8/train.csv")
    first, mosaic, _, last = images_of(judging.to / "kept-8", table)
    stored = store.images(real["image_id"])
    assert mosaic.shape == last.shape == (side, side) and (last == 77).all()
    if side == SIDE:
        assert (first == stored[0, ..., 0]).all()
        assert (mosaic[: SIDE // 2, : SIDE // 2] == stored[0, : SIDE // 2, : SIDE // 2, 0]).all()
