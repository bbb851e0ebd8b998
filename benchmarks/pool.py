"""Measure time and memory of choosing from a large pool, beyond reading and embedding its images.

Makes a pool of empty files, and the store and embeddings of random images, and runs each step as
the workflow does. Prints seconds and peak memory.

    python benchmarks/pool.py --images 100000
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from multiprocessing import Process
from pathlib import Path

import numpy as np
import pandas as pd

from petite.data.ingest import DIGESTS, shard_numbers
from petite.data.sources import listing, open_source
from petite.data.sources.base import UNLABELED
from petite.data.store import shard_record, shard_writer
from petite.features.io import image_ids_digest
from petite.util.files import write_json, write_table

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
SIDE, DIMENSIONS, SHARDS = 8, 1280, 4
METHODS = ("random", "k_dpp", "facility_location", "typiclust")


def make_files(folder: Path, count: int) -> None:
    for number in range(count):
        place = folder / f"{number // 1000}"
        if number % 1000 == 0:
            place.mkdir(parents=True)
        (place / f"{number}.jpg").touch()


def list_files(folder: Path) -> None:
    """What the workflow does with the pool before the first job."""
    source = open_source(UNLABELED, folder)
    ids = listing(source, None, None, 0.1)["image_id"]
    numbers = shard_numbers(ids, SHARDS)
    for number in range(1, SHARDS + 1):
        source.fingerprint(ids[numbers == number])  # type: ignore[attr-defined]


def make_store(folder: Path, count: int) -> None:
    """The store of random images, and embeddings around 50 centers."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(50, DIMENSIONS)).astype(np.float32)
    index, records = [], []
    for shard in range(SHARDS):
        rows = len(range(shard, count, SHARDS))
        ids = [f"{UNLABELED}/{shard}-{row}.jpg" for row in range(rows)]
        pixels = folder / f"shards/{shard + 1}-of-{SHARDS}.npy"
        with shard_writer(pixels, rows, (SIDE, SIDE, 3)):
            pass
        table = pd.DataFrame({"image_id": ids, "reason": "", **dict.fromkeys(DIGESTS, ids)})
        table["phash"] = rng.integers(0, 2**63, rows, np.uint64)
        noise = rng.integers(0, 256, (rows, 256), np.uint8)
        table["thumbnail"] = [row.tobytes() for row in noise]
        write_table(pixels.with_suffix(".parquet"), table)
        records.append(shard_record(pixels, folder))
        places = {"image_id": ids, "shard": np.int32(shard), "row": np.arange(rows)}
        index.append(pd.DataFrame(places))
        with shard_writer(folder / f"{shard}.npy", rows, (DIMENSIONS,), np.float32) as embeddings:
            for row in range(rows):
                values = centers[rng.integers(50)] + rng.normal(size=DIMENSIONS)
                embeddings.write(row, values.astype(np.float32))
        about = {"backbone": "random", "digest": "", "dimensions": DIMENSIONS, "images": rows}
        about |= {"unread": {}, "image_ids_sha256": image_ids_digest(ids), "seconds": 0.0}
        write_json(folder / f"{shard}.json", about)
    write_table(folder / "index.parquet", pd.concat(index, ignore_index=True))
    manifest = {"format": 1, "classes": [UNLABELED], "image_size": SIDE, "channels": 3}
    write_json(folder / "manifest.json", manifest | {"shards": records})


def run_script(name: str, *arguments: object, **settings: object) -> None:
    command = [sys.executable, SCRIPTS / f"{name}.py", *arguments]
    command += ["--settings", json.dumps(settings)]
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def measure(what: str, function, *arguments, **settings) -> None:
    """Run a function in a process of its own, and print its seconds and peak memory."""

    def run() -> None:
        started = time.perf_counter()
        function(*arguments, **settings)
        used = [resource.getrusage(who).ru_maxrss for who in (0, resource.RUSAGE_CHILDREN)]
        peak = max(used) / 1e6
        print(f"{what:30} {time.perf_counter() - started:8.1f} s {peak:6.2f} GB", flush=True)

    process = Process(target=run)
    process.start()
    process.join()


def main(args: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_files(folder / "files", args.images)
        measure("list the files", list_files, folder / "files")
        process = Process(target=make_store, args=(folder / "store", args.images))
        process.start()
        process.join()
        store = ["--pool", folder / "store/manifest.json"]
        images = ["--images", folder / "images.parquet"]
        output = ["--output", folder / "images.parquet"]
        measure("find duplicates", run_script, "pool_images", *store, *output, near_copy_distance=8)
        embeddings = ["--pool-embeddings", *(folder / f"store/{n}.npy" for n in range(SHARDS))]
        output = ["--output-features", folder / "f.npy", "--output-json", folder / "f.json"]
        measure(
            "128 components", run_script, "pool_features", *store, *images, *embeddings, *output,
            space="backbone", dimensions=128, seed=0,
        )  # fmt: skip
        for method in METHODS:
            measure(
                f"{args.k} by {method}", run_script, "pool_choice", *store, *images, "--features",
                folder / "f.npy", "-k", args.k, "--output", folder / "list.csv", method=method,
                settings={}, uncertainty=None, penalties=None, copies="exclude", seed=0,
            )  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("-k", type=int, default=500)
    main(parser.parse_args())
