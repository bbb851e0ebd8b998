"""Forecast ten small runs with `estimate`, then make them, and compare time, memory and disk space.

    python benchmarks/forecast.py --photos petimages-15k.zip

Each run has a folder of its own below --work, without what earlier runs on this machine took. Rows
that are in the output stay: start the same command again to continue. Those of a busy machine
(column `load`) are measured again. Ten runs take some 12 minutes on two idle cores. `said` is the
line before the run, which times nothing. `core_seconds` are those of the processor, which other
work on the machine changes less than `seconds`.
"""

import argparse
import csv
import os
import re
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
COLUMNS = [
    "run",
    "forecast_seconds",
    "seconds",
    "ratio",
    "said_seconds",
    "said_ratio",
    "forecast_core_seconds",
    "core_seconds",
    "forecast_memory",
    "memory",
    "forecast_disk",
    "disk",
    "cores",
    "load",
]
WORDS = re.compile(r"Forecast: about ((?:\d+ (?:h|min|s) ?)+)")
LOGGED = re.compile(
    r"the whole run: (?P<seconds>[\d.]+) s, (?P<core_seconds>[\d.]+) s of cores, "
    r"(?P<memory>\d+) bytes of memory, (?P<disk>\d+) bytes of disk"
)
# A row of a machine on which other work kept more cores busy at its start is measured again.
MOST_LOAD = 0.3
UNITS = {"h": 3600, "min": 60, "s": 1}
SMALL = {"widths": [8, 16, 32], "halvings": [1, 1], "residual_blocks": [0, 0]}
NO_METHODS = {"pca_grid": {"fractions": []}, "augmentation": {"fractions": []}}


def photos(name: str, per_class: int, side: int) -> dict[str, Any]:
    """The settings of some photographs."""
    kept = {"name": name, "limit_per_class": per_class, "image_size": side, "color": "rgb"}
    return {"dataset": {"source": "archive", "path": "PHOTOS", "classes": None, **kept}}


def digits(name: str, **settings: Any) -> dict[str, Any]:
    """Settings for the digits."""
    dataset = {"name": name, "source": "digits", "classes": None, "image_size": 8, "color": "gray"}
    return {"dataset": dataset, **settings}


def methods(fractions: list[float], *names: str) -> dict[str, Any]:
    """Methods at some fractions, and no others."""
    chosen = {name: {"fractions": fractions} for name in ("random", *names)}
    return {"methods": {**NO_METHODS, **chosen}}


PROBE = {"judges": {"scratch": None, "probe": {}}, "features": {"space": "backbone"}}
RUNS: dict[str, dict[str, Any]] = {
    "digits": digits("digits", seeds=3),
    "digits, five methods": digits(
        "digits-five",
        seeds=2,
        **methods([0.25, 0.1], "herding", "k_center_greedy", "facility_location", "moderate"),
    ),
    "digits, with a proxy": digits(
        "digits-proxy", seeds=2, **methods([0.25], "el2n", "forgetting")
    ),
    "silhouettes": {"seeds": 3},
    "silhouettes, 400 steps": {
        "seeds": 2,
        "training": {"budget": {"steps": 400}},
        **methods([0.25]),
    },
    "silhouettes, ten classes": {
        "dataset": {"name": "animals", "classes": None},
        "seeds": 2,
        **methods([0.5, 0.1], "pca_grid"),
    },
    "photographs, 32 pixels": {
        **photos("photos-32", 400, 32),
        "seeds": 3,
        **methods([0.5, 0.25], "pca_grid"),
    },
    "photographs, 64 pixels": {
        **photos("photos-64", 400, 64),
        "seeds": 2,
        "training": {"budget": {"steps": None, "epochs": 5}, "compact": SMALL},
        **methods([0.5], "pca_grid"),
    },
    "photographs, probe": {
        **photos("photos-probe", 400, 64),
        **PROBE,
        "seeds": 10,
        **methods([0.5, 0.25, 0.1], "pca_grid"),
    },
    "photographs, fine-tuned": {
        **photos("photos-tuned", 150, 64),
        **PROBE,
        "judges": {
            "scratch": None,
            "fine_tune": {"image_size": 64, "head_steps": 5, "steps": 10, "evaluations": 2},
        },
        "seeds": 2,
        **methods([0.25]),
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--photos", type=Path, help="a zip of photographs; without: none")
    parser.add_argument("--downloads", type=Path, help="a folder results/downloads of another run")
    parser.add_argument("--work", type=Path, default=Path("/tmp/petite-forecast"))
    parser.add_argument(
        "--output", type=Path, default=REPOSITORY / "benchmarks/results/forecast.csv"
    )
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", nargs="*", help="names of runs")
    args = parser.parse_args()
    rows = read(args.output)
    for name, config in RUNS.items():
        needs_photos = "PHOTOS" in yaml.safe_dump(config)
        is_done = name in rows and float(rows[name]["load"]) <= MOST_LOAD
        if is_done or (args.only and name not in args.only):
            continue
        if needs_photos and not args.photos:
            continue
        rows[name] = {"run": name, **measured(name, config, args)}
        write(args.output, rows)
        print(rows[name], flush=True)
    ratios = [float(row["ratio"]) for row in rows.values()]
    within = sum(1 / 1.3 <= ratio <= 1.3 for ratio in ratios)
    print(f"{within} of {len(ratios)} forecasts are within a factor of 1.3")


def measured(name: str, config: dict[str, Any], args: argparse.Namespace) -> dict[str, Any]:
    """The forecast of a run, and what it took."""
    folder = args.work / name.replace(", ", "-").replace(" ", "-")
    shutil.rmtree(folder, ignore_errors=True)
    load = psutil.cpu_percent(interval=2) / 100 * (os.cpu_count() or 1)
    asked = Workplace(folder / "estimate", config, args)
    asked.snakemake("estimate")
    [log] = (asked.folder / "results").glob("*/logs/estimate.log")
    found = LOGGED.search(log.read_text("utf-8"))
    assert found, log
    ran = Workplace(folder / "run", config, args)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds, memory, said = ran.snakemake()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = WORDS.search(said)
    assert words, said
    said_seconds = sum(
        int(count) * UNITS[unit] for count, unit in re.findall(r"(\d+) (\w+)", words[1])
    )
    [results] = (path.parent for path in (ran.folder / "results").glob("*/report.html"))
    disk = sum(path.stat().st_size for path in results.rglob("*") if path.is_file())
    shutil.rmtree(folder)
    return {
        "forecast_seconds": float(found["seconds"]),
        "seconds": round(seconds, 1),
        "ratio": round(float(found["seconds"]) / seconds, 3),
        "said_seconds": said_seconds,
        "said_ratio": round(said_seconds / seconds, 3),
        "forecast_core_seconds": float(found["core_seconds"]),
        "core_seconds": round(
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1
        ),
        "forecast_memory": int(found["memory"]),
        "memory": memory,
        "forecast_disk": int(found["disk"]),
        "disk": disk,
        "cores": args.cores,
        "load": round(load, 1),
    }


class Workplace:
    """A folder to run in, with a configuration and nothing known of this machine."""

    def __init__(self, folder: Path, config: dict[str, Any], args: argparse.Namespace) -> None:
        self.folder, self.cores = folder, args.cores
        folder.mkdir(parents=True)
        text = yaml.safe_dump(config)
        if args.photos:
            text = text.replace("PHOTOS", str(args.photos.resolve()))
        (folder / "run.yaml").write_text(text, "utf-8")
        if args.downloads:
            shutil.copytree(args.downloads, folder / "results/downloads")

    def snakemake(self, *targets: str) -> tuple[float, int, str]:
        """Run Snakemake: its seconds, the memory at its peak, and what it wrote to stderr."""
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "snakemake", "--cores", str(self.cores)]
            + ["--snakefile", str(REPOSITORY / "Snakefile"), "--directory", str(self.folder)]
            + ["--configfile", str(self.folder / "run.yaml"), "--", *targets],
            env={**os.environ, "PETITE_HISTORY": str(self.folder / "history.json")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        peak = Peak(lambda: memory_of_jobs(process.pid))
        _, said = process.communicate()
        seconds = time.perf_counter() - began
        if process.returncode:
            sys.exit(f"{self.folder}: {said[-2000:]}")
        return seconds, peak.stop(), said


class Peak:
    """The highest of many measurements."""

    def __init__(self, measure: Callable[[], int], every: float = 0.5) -> None:
        self._highest = 0
        self._is_over = threading.Event()

        def watch() -> None:
            while not self._is_over.wait(every):
                self._highest = max(self._highest, measure())

        self._thread = threading.Thread(target=watch, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        self._is_over.set()
        self._thread.join()
        return self._highest


def memory_of_jobs(process: int) -> int:
    """The memory of all jobs that a Snakemake runs, in bytes."""
    total = 0
    try:
        children = psutil.Process(process).children(recursive=True)
    except psutil.Error:
        return 0
    for child in children:
        try:
            total += child.memory_info().rss
        except psutil.Error:
            continue
    return total


def read(path: Path) -> dict[str, dict[str, Any]]:
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {row["run"]: row for row in csv.DictReader(file)}


def write(path: Path, rows: dict[str, dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[name] for name in RUNS if name in rows)


if __name__ == "__main__":
    main()
