"""Measure how fast photos are ingested, compared with Pillow alone in the same run.

    python benchmarks/ingest.py --archive petimages-15k.zip --output ingest.md

Each row is measured with the same number of processes, which start together and share the photos.
"Decode" and "decode and resize" are plain Pillow on bytes that are in memory
already: the limit. "Ingest" is `petite.data.ingest.ingest_shard`, which also reads the archive,
hashes and writes the store. "Jobs" are whole runs of `scripts/ingest.py` with the start of Python.

A second table compares the stored pixels with those of Pillow's filters on the whole photo, since
JPEGs are reduced while they are decoded.
"""

import argparse
import io
import json
import multiprocessing
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import PIL
from PIL import Image
from threadpoolctl import threadpool_limits

from petite.data.decoding.decode import decode
from petite.data.ingest import ingest_shard, shard_rows
from petite.data.sources import listing, open_source
from petite.util.files import read_table, write_table

ROOT = Path(__file__).resolve().parents[1]
LISTING = {"classes": None, "limit_per_class": None, "max_bad_share": 0.1}
OTHER_FILTERS = ("BOX", "HAMMING", "BICUBIC", "LANCZOS")
COMPARED = 600  # photos, evenly over the archive
SETTINGS = {"channels": 3, "min_side": 8, "max_pixels": 50_000_000, "listing": LISTING}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--archive", type=Path, required=True, help="photos, such as petimages-15k.zip"
    )
    parser.add_argument("--output", type=Path, help="a Markdown file for the table")
    parser.add_argument("--size", type=int, default=150, help="side of the stored images")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument(
        "--rounds", type=int, default=3, help="number of rounds, of which the best is shown"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="petite-ingest-") as name:
        table = measure(args, Path(name)) + differences(args)
    print(table)
    if args.output:
        args.output.write_text(table, encoding="utf-8")


def measure(args: argparse.Namespace, folder: Path) -> str:
    """Measure everything and return the Markdown."""
    with open_source("archive", args.archive) as source:
        entries = listing(source, **LISTING)
    write_table(folder / "listing.parquet", entries)
    seconds: dict[str, list[tuple[float, float]]] = {}
    peak = 0
    for _ in range(args.rounds):  # in turn, so that other work on the machine affects all rows
        for title, worker in (
            ("Pillow: decode", decode_only),
            ("Pillow: decode and resize", decode_and_resize),
            ("Ingest", ingest),
        ):
            seconds.setdefault(title, []).append(together(worker, args, folder))
        wall, cpu, memory = jobs(args, folder)
        seconds.setdefault("Jobs", []).append((wall, cpu))
        peak = max(peak, memory)
    lines = [
        f"{len(entries):,} files to {args.size}x{args.size} RGB, {args.processes} processes on "
        f"{os.cpu_count()} cores ({platform.machine()}), best of {args.rounds}; "
        f"load {os.getloadavg()[0]:.1f}; Python {platform.python_version()}, "
        f"Pillow {PIL.__version__}.",
        "",
        "| | seconds | photos a second | all rounds | CPU µs a photo |",
        "|---|---:|---:|---|---:|",
    ]
    for title, times in seconds.items():
        every = ", ".join(f"{len(entries) / wall:,.0f}" for wall, _ in times)
        best, cpu = (min(column) for column in zip(*times, strict=True))
        rate, micro = len(entries) / best, 1e6 * cpu / len(entries)
        lines.append(f"| {title} | {best:.1f} | {rate:,.0f} | {every} | {micro:,.0f} |")
    lines += ["", f"Peak memory of the jobs together: {peak / 1e6:.0f} MB.", ""]
    return "\n".join(lines)


def differences(args: argparse.Namespace) -> str:
    """The differences of the stored pixels from Pillow's, in gray levels, as Markdown."""
    size = (args.size, args.size)
    found: dict[str, list[tuple[float, int]]] = {}
    with open_source("archive", args.archive) as source:
        ids = listing(source, **LISTING)["image_id"]
        read = [data for _, data in source.read_many(ids[:: len(ids) // COMPARED])]
    for data in (data for data in read if isinstance(data, bytes)):
        try:
            image = Image.open(io.BytesIO(data), formats=("JPEG",)).convert("RGB")
        except OSError:
            continue  # files that do not decode
        images = {name: image.resize(size, Image.Resampling[name]) for name in OTHER_FILTERS}
        images["Petite"] = Image.fromarray(decode(data, args.size, 3).pixels)
        reference = np.asarray(image.resize(size, Image.Resampling.BILINEAR)).astype(int)
        for name, other in images.items():
            off = np.abs(np.asarray(other) - reference)
            found.setdefault(name, []).append((off.mean(), off.max()))
    lines = [
        "",
        "| against BILINEAR | photos | mean, gray levels | highest |",
        "|---|---:|---:|---:|",
    ]
    for name, values in found.items():
        means, highest = zip(*values, strict=True)
        lines.append(f"| {name} | {len(means)} | {np.mean(means):.2f} | {max(highest)} |")
    return "\n".join([*lines, ""])


# Prepares the photos of a process (args, folder, its number) and returns the work.
Worker = Callable[[argparse.Namespace, Path, int], Callable[[], None]]


def together(worker: Worker, args: argparse.Namespace, folder: Path) -> tuple[float, float]:
    """Seconds from the common start to the last end, and CPU seconds of all processes."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(args.processes + 1)
    cpu = context.Value("d", 0.0)
    processes = [
        context.Process(target=one_of_many, args=(worker, args, folder, number, barrier, cpu))
        for number in range(1, args.processes + 1)
    ]
    for process in processes:
        process.start()
    barrier.wait()
    began = time.perf_counter()
    for process in processes:
        process.join()
    elapsed = time.perf_counter() - began
    if any(process.exitcode for process in processes):
        raise RuntimeError(f"{worker.__name__} failed")
    return elapsed, cpu.value


def one_of_many(
    worker: Worker,
    args: argparse.Namespace,
    folder: Path,
    number: int,
    barrier: Barrier,
    cpu: "Synchronized[float]",
) -> None:
    """Prepare, wait for the other processes, work on one thread, and add the CPU seconds."""
    with threadpool_limits(1):
        work = worker(args, folder, number)
        barrier.wait()
        began = time.process_time()
        work()
        used = time.process_time() - began
    with cpu.get_lock():
        cpu.value += used


def decode_only(args: argparse.Namespace, folder: Path, number: int) -> Callable[[], None]:
    """Plain Pillow: decode each photo at its own size."""
    return each_photo(args, folder, number, lambda image: image.load())


def decode_and_resize(args: argparse.Namespace, folder: Path, number: int) -> Callable[[], None]:
    """Plain Pillow: decode each photo and resize it to the stored size."""
    size = (args.size, args.size)
    return each_photo(
        args, folder, number, lambda image: image.resize(size, Image.Resampling.BILINEAR)
    )


def ingest(args: argparse.Namespace, folder: Path, number: int) -> Callable[[], None]:
    """Petite's work for one shard."""
    rows = shard_rows(read_table(folder / "listing.parquet"), number, args.processes)
    source = open_source("archive", args.archive)

    def work() -> None:
        with source:
            ingest_shard(source, rows, folder / f"{number}.npy", image_size=args.size, channels=3)

    return work


def each_photo(
    args: argparse.Namespace, folder: Path, number: int, do: Callable[[Image.Image], object]
) -> Callable[[], None]:
    """Load the bytes of a process's photos; the work opens each and applies a function."""
    rows = shard_rows(read_table(folder / "listing.parquet"), number, args.processes)
    with open_source("archive", args.archive) as source:
        photos = [data for _, data in source.read_many(rows["image_id"]) if isinstance(data, bytes)]
    Image.MAX_IMAGE_PIXELS = 50_000_000

    def work() -> None:
        for data in photos:
            try:
                do(Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "GIF")))
            except (OSError, Image.DecompressionBombError):
                continue  # files that do not decode

    return work


def jobs(args: argparse.Namespace, folder: Path) -> tuple[float, float, int]:
    """Run `scripts/ingest.py` for all shards at once.

    Returns seconds, CPU seconds, and the sum of the peaks of memory in bytes.
    """
    began = time.perf_counter()
    running = []
    for number in range(1, args.processes + 1):
        shard = f"{number}-of-{args.processes}"
        command = [
            *(sys.executable, str(ROOT / "scripts/ingest.py"), "--source", "archive"),
            *("--path", str(args.archive), "--shard", shard),
            *("--output-pixels", str(folder / f"{shard}.npy")),
            *("--output-rows", str(folder / f"{shard}.parquet")),
            *("--settings", json.dumps({**SETTINGS, "image_size": args.size})),
        ]
        running.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
    peak, cpu = 0, 0.0
    for job in running:
        _, status, usage = os.wait4(job.pid, 0)
        job.returncode = os.waitstatus_to_exitcode(status)
        if job.returncode:
            raise RuntimeError("scripts/ingest.py failed")
        cpu += usage.ru_utime + usage.ru_stime
        peak += usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return time.perf_counter() - began, cpu, peak


if __name__ == "__main__":
    main()
