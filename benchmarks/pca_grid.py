"""Compare pca_grid with the authors' package, on the paper's 13,500 photos at 150x150.

Both select 10% with two clusters and start with the decoded photos on disk: Petite reads its store
(scripts/features.py and scripts/subset.py), and `image-distillation` 0.1.6 reads the same pixels
from the same shard, in a separate environment with the same NumPy and scikit-learn. Whole processes
are measured: their wall time with all imports, and their peak resident memory, which includes the
pages of the mapped store. They take turns, and the fastest round of each counts. Writes a Markdown
table.

    python benchmarks/pca_grid.py --photos petimages-15k.zip \\
        --output results/benchmarks/pca_grid.md
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from petite.data.store import Store
from petite.util.files import read_json, read_table, write_table, write_text

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
PEER = "image-distillation"
PEER_VERSION = "0.1.6"
FRACTION = 0.1
CLUSTERS = 2
STEP = {
    "method": "pca_grid",
    "settings": {"clusters": CLUSTERS},
    "quota": "proportional",
    "space": "pixels",
    "share": 1.0,
}
SHARD = "shards/1-of-1.npy"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

# As in the authors' notebooks: float32 / 255, n images per class and cluster.
PEER_RUN = """
import sys
import numpy as np
from image_distillation.main import GridSampler
pixels = np.load(sys.argv[1], mmap_mode="r")[np.load(sys.argv[2])]
images = pixels.astype(np.float32) / 255
del pixels
sampler = GridSampler(images, np.load(sys.argv[3]), {clusters}, int(sys.argv[4]))
sampler.cluster_images()
chosen = sampler.get_selected_samples()
print(len(chosen), len(set(map(int, chosen))))
"""


class Cost(NamedTuple):
    """The costs of a process: wall seconds, CPU seconds, peak resident bytes; and its output."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    printed: str


def measured(command: list[str], threads: int) -> Cost:
    """Run a command and measure its costs."""
    environment = os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads))
    with tempfile.TemporaryFile("w+") as output:
        started = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(command[:3])} ... ended with {process.returncode}")
        output.seek(0)
        printed = output.read()
    unit = 1 if sys.platform == "darwin" else 1024
    cpu_seconds = usage.ru_utime + usage.ru_stime
    return Cost(seconds, cpu_seconds, usage.ru_maxrss * unit, printed)


def script(name: str, settings: Mapping[str, Any] | None = None, **arguments: Any) -> list[str]:
    """The command of one of the workflow's scripts."""
    command = [sys.executable, str(SCRIPTS / f"{name}.py")]
    for argument, value in arguments.items():
        command += [f"--{argument.replace('_', '-')}", str(value)]
    return [*command, "--settings", json.dumps(settings or {})]


def make_store(photos: Path, folder: Path, image_size: int, limit: int) -> Path:
    """Ingest the photos as the workflow does, and put all of them into the training split."""
    source = {"source": "folder" if photos.is_dir() else "archive", "path": photos}
    listing, manifest = folder / "listing.parquet", folder / "manifest.json"
    shard = folder / SHARD
    choice = {"classes": None, "limit_per_class": limit, "max_bad_share": 0.1}
    decoding = {"image_size": image_size, "channels": 3}
    commands = [
        script("listing", choice, **source, output=listing),
        script(
            "ingest",
            {**decoding, "min_side": 8, "max_pixels": 50_000_000},
            **source,
            listing=listing,
            shard="1-of-1",
            output_pixels=shard,
            output_rows=shard.with_suffix(".parquet"),
        ),
        script(
            "index",
            {**choice, **decoding, "near_copy_distance": None},
            listing=listing,
            rows=shard.with_suffix(".parquet"),
            index=folder / "index.parquet",
            manifest=manifest,
        ),
    ]
    for command in commands:
        subprocess.run(command, check=True)
    index = read_table(folder / "index.parquet")
    readable = index.loc[index["status"] == "ok", ["image_id", "label"]]
    write_table(folder / "split.parquet", readable.assign(split="train"))
    return manifest


def petite(folder: Path, threads: int) -> tuple[list[Cost], dict[str, Any]]:
    """Features and selection, each in its own process."""
    features, subset = folder / "pixels.npy", folder / "subset.parquet"
    inputs: dict[str, Any] = {
        "manifest": folder / "manifest.json",
        "split": folder / "split.parquet",
    }
    costs = [
        measured(command, threads)
        for command in (
            script(
                "features",
                **inputs,
                output_features=features,
                output_json=features.with_suffix(".json"),
                threads=threads,
            ),
            script(
                "subset",
                {"steps": [STEP]},
                **inputs,
                fraction=FRACTION,
                seeds=0,
                features=f"pixels={features}",
                output=subset,
                threads=threads,
            ),
        )
    ]
    return costs, read_json(subset.with_suffix(".json"))[0]


def install_peer(folder: Path) -> Path:
    """Make the environment of the authors' package, and return its Python."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    same = [f"{name}=={version(name)}" for name in ("numpy", "scikit-learn", "matplotlib")]
    wanted = [f"{PEER}=={PEER_VERSION}", *same]
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", *wanted], check=True)
    return python


def table(rows: dict[str, Cost], notes: list[str]) -> str:
    """The report."""
    lines = [
        "| | seconds | CPU seconds | peak memory, GB |",
        "|---|---|---|---|",
        *(
            f"| {name} | {cost.seconds:.1f} | {cost.cpu_seconds:.1f} "
            f"| {cost.peak_bytes / 1e9:.2f} |"
            for name, cost in rows.items()
        ),
    ]
    return "\n".join(["# pca_grid from the store", "", *lines, "", *notes]) + "\n"


def together(costs: list[Cost]) -> Cost:
    """The costs of consecutive processes: the sum of seconds, and the largest peak."""
    return Cost(
        sum(cost.seconds for cost in costs),
        sum(cost.cpu_seconds for cost in costs),
        max(cost.peak_bytes for cost in costs),
        "",
    )


def main(args: argparse.Namespace, folder: Path) -> None:
    manifest = make_store(args.photos, folder, args.image_size, args.limit_per_class)
    # Do not read the pixels here: a child's peak includes the memory of its parent at the fork.
    index = Store.open(manifest).index
    used = index[index["status"] == "ok"]
    pixels, rows, labels = folder / SHARD, folder / "rows.npy", folder / "labels.npy"
    np.save(rows, used["row"].to_numpy())
    np.save(labels, used["label"].to_numpy())
    wanted = round(FRACTION * len(used) / (used["label"].nunique() * CLUSTERS))
    peer_python = args.peer_python or install_peer(folder / "peer")
    code = PEER_RUN.format(clusters=CLUSTERS)
    peer_command = [str(peer_python), "-c", code, *map(str, (pixels, rows, labels, wanted))]

    ours: list[list[Cost]] = []
    theirs: list[Cost] = []
    for _ in range(args.rounds):
        costs, record = petite(folder, args.threads)
        ours.append(costs)
        theirs.append(measured(peer_command, args.threads))
    features, selection = min(ours, key=lambda costs: together(costs).seconds)
    whole = together([features, selection])
    peer = min(theirs, key=lambda cost: cost.seconds)
    chosen, distinct = peer.printed.split()
    title = f"{PEER} {PEER_VERSION}"
    report = table(
        {
            "Petite: features": features,
            "Petite: selection": selection,
            "**Petite**": whole,
            f"**{title}**": peer,
        },
        [
            f"{len(used):,} photos at {args.image_size}×{args.image_size}. Petite is "
            f"{peer.seconds / whole.seconds:.1f} times as fast and uses 1/"
            f"{peer.peak_bytes / whole.peak_bytes:.1f} of the memory. At {FRACTION:.0%}, "
            f"Petite selected {record['images']:,} distinct images. The package selected "
            f"{int(chosen):,}, of which {int(distinct):,} are distinct.",
            "",
            f"Fastest of {args.rounds} round(s), whole processes, {args.threads} threads, "
            f"{platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}, "
            f"scikit-learn {version('scikit-learn')}.",
        ],
    )
    write_text(args.output, report)
    print(report)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--photos", type=Path, required=True, help="archive or folder of classes")
    parser.add_argument("--output", type=Path, default=Path("results/benchmarks/pca_grid.md"))
    parser.add_argument("--image-size", type=int, default=150)
    parser.add_argument("--limit-per-class", type=int, default=6750)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument(
        "--peer-python", type=Path, help="the Python of an environment with the package"
    )
    with tempfile.TemporaryDirectory(prefix="petite-") as temporary:
        main(parser.parse_args(), Path(temporary))
